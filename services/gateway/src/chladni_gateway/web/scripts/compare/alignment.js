// How well images fit sounds: asked once for each, and shown as small meters.

import { fetchAlignment } from "../api/gateway.js";
import { make } from "../ui/elements.js";

const NOT_OFFERED = new Set(["NOT_IMPLEMENTED", "UNKNOWN_MODEL"]);
const NO_MODEL = "This server has no model that judges how well an image fits its sound.";

export class Alignments {
  /** `label` names an image. */
  constructor({ label }) {
    this.label = label;
    this.known = new Map();
    this.isOffered = true;
  }

  /**
   * Returns how well an image fits the sound of an image: `{score}`, or `{unavailableReason}`, a
   * sentence. Never throws.
   */
  async of(image, { audioOf = image } = {}) {
    if (!this.isOffered) return { unavailableReason: NO_MODEL };
    const key = `${image.image_id} ${audioOf.image_id}`;
    try {
      if (!this.known.has(key))
        this.known.set(key, await fetchAlignment(image.image_id, { audioOf: audioOf.image_id }));
      return { score: this.known.get(key) };
    } catch (error) {
      if (NOT_OFFERED.has(error.code)) this.isOffered = false;
      return { unavailableReason: this.describe(error, audioOf) };
    }
  }

  describe(error, audioOf) {
    if (NOT_OFFERED.has(error.code)) return NO_MODEL;
    if (error.code !== "NO_ALIGNMENT") return error.message;
    const what = `How well images fit the sound of ${this.label(audioOf)} is not known`;
    return `${what}: another version of the server drew it. Make it again from its recording.`;
  }

  /** Returns how well each of two fits its own sound and the other's, and why not, each reason once. */
  async ofPair(first, second) {
    const sides = await Promise.all(
      [
        [first, second],
        [second, first],
      ].map(async ([image, other]) => ({
        own: await this.of(image),
        crossed: await this.of(image, { audioOf: other }),
      })),
    );
    const answers = sides.flatMap(({ own, crossed }) => [own, crossed]);
    const reasons = answers.map(({ unavailableReason }) => unavailableReason).filter(Boolean);
    return { sides, unavailableReasons: [...new Set(reasons)] };
  }
}

/**
 * Returns a meter with its words.
 *
 * @param {{score: number, percentage: string, level: string}} score
 * @param {{words: string, name: string}} texts what is written beside it, and what it is called when read out
 */
export function renderFit({ score, percentage, level }, { words, name }) {
  const meter = make("div", { className: "fit__meter", role: "meter", ariaLabel: name });
  meter.setAttribute("aria-valuemin", "0");
  meter.setAttribute("aria-valuemax", "100");
  meter.setAttribute("aria-valuenow", percentage.replace("%", ""));
  meter.setAttribute("aria-valuetext", percentage);
  meter.style.setProperty("--score", String(score));
  const fit = make("div", { className: "fit" }, [
    make("span", { className: "fit__words" }, [words]),
    make("span", { className: "fit__percentage" }, [percentage]),
    meter,
  ]);
  fit.dataset.level = level;
  return fit;
}
