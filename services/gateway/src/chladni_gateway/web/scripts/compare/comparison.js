// The section that compares: two images, many, similar ones, or an image and its reproduction.

import { renderFit } from "./alignment.js";
import { compareImages, compareMany, searchAlike } from "../api/gateway.js";
import { nameOf, shownAddressOf } from "../gallery/image_catalog.js";
import { renderSimilarImages } from "./similar_images.js";
import { renderMatrix } from "./matrix.js";

const VIEWS = ["pair", "matrix", "similar", "proof"];
const SIDES = ["first", "second"];
const MAX_SIMILAR = 12;
const WORDS = {
  low: "Two different figures.",
  medium: "Some traits in common.",
  high: "Close relatives.",
  equal: "One and the same.",
};

export class Comparison {
  /** Most images that the server compares at once. */
  mostImages = 24;

  /** `onShow` is called with what is shown, `(view, imageIds)`, and `onClose` when it was closed. */
  constructor(section, { catalog, alignments, onError, onShow, onClose }) {
    Object.assign(this, { section, catalog, alignments, onError, onShow, onClose });
    this.part = (id) => section.querySelector(`#${id}`);
    this.asked = 0;
    this.part("comparison-close").addEventListener("click", () => this.close());
  }

  close() {
    if (this.section.hidden) return;
    this.asked += 1;
    this.section.hidden = true;
    document.getElementById("collection-title").focus();
    this.onClose();
  }

  compare(images) {
    if (images.length > this.mostImages) {
      this.onError(
        new Error(
          `At most ${this.mostImages} figures can be compared at once; ${images.length} are selected.`,
        ),
      );
      return undefined;
    }
    return images.length === 2 ? this.showPair(...images) : this.showMatrix(images);
  }

  async showPair(first, second) {
    this.onShow("compare", [first.image_id, second.image_id]);
    const result = await this.ask("How alike", () => compareImages(first.image_id, second.image_id));
    if (!result) return;
    const percentage = Number.parseInt(result.percentage, 10);
    const { level } = result;
    for (const [index, image] of [first, second].entries()) {
      const side = SIDES[index];
      this.part(`${side}-image`).src = shownAddressOf(image);
      this.part(`${side}-image`).alt = `Image of ${nameOf(image)}`;
      this.part(`${side}-name`).textContent = this.catalog.label(image);
    }
    this.part("verdict").dataset.level = level;
    this.part("percentage").textContent = result.percentage;
    this.part("gauge").setAttribute("aria-valuenow", String(percentage));
    this.part("gauge").setAttribute("aria-valuetext", `${result.percentage} alike`);
    this.part("verdict-words").textContent = result.score === 1 ? WORDS.equal : WORDS[level];
    this.reveal("pair");
    requestAnimationFrame(() =>
      this.part("gauge").style.setProperty("--score", String(result.score)),
    );
    await this.showFits(first, second);
  }

  /** Shows how well each of two fits its own sound and the other's, below them. */
  async showFits(...images) {
    const { asked } = this;
    this.part("fit-note").hidden = true;
    for (const side of SIDES) this.part(`${side}-fits`).replaceChildren();
    const { sides, unavailableReasons } = await this.alignments.ofPair(...images);
    if (asked !== this.asked) return;
    sides.forEach(({ own, crossed }, index) => {
      const number = `Fig. ${this.catalog.number(images[index].image_id)}`;
      const meters = [
        [own.score, { words: "Fits its sound", name: `How well ${number} fits its sound` }],
        [
          crossed.score,
          { words: "Fits the other’s sound", name: `How well ${number} fits the other’s sound` },
        ],
      ].filter(([score]) => score);
      this.part(`${SIDES[index]}-fits`).replaceChildren(...meters.map((meter) => renderFit(...meter)));
    });
    this.part("fit-note").textContent = unavailableReasons.join(" ");
    this.part("fit-note").hidden = unavailableReasons.length === 0;
  }

  async showMatrix(images) {
    this.onShow("compare", images.map(({ image_id: id }) => id));
    const result = await this.ask(`How alike: ${images.length} figures`, () =>
      compareMany(images.map(({ image_id: id }) => id)),
    );
    if (!result) return;
    const labels = images.map((image) => ({
      image,
      number: `Fig. ${this.catalog.number(image.image_id)}`,
      name: nameOf(image),
    }));
    this.part("matrix").replaceChildren(
      renderMatrix(labels, result, { onPick: (first, second) => this.showPair(first, second) }),
    );
    this.reveal("matrix");
  }

  async showSimilar(image) {
    this.onShow("alike", [image.image_id]);
    const matches = await this.ask(`Alike to Fig. ${this.catalog.number(image.image_id)}`, () =>
      searchAlike(image.image_id, MAX_SIMILAR),
    );
    if (!matches) return;
    const known = matches.filter((match) => this.catalog.find(match.image.image_id));
    this.part("similar").replaceChildren(
      renderSimilarImages(image, known, {
        label: (other) => this.catalog.label(other),
        onPick: (other) => this.showPair(image, other),
      }),
    );
    this.reveal("similar");
  }

  showProof(title, content) {
    this.asked += 1;
    this.part("comparison-title").textContent = title;
    this.part("proof").replaceChildren(content);
    this.section.hidden = false;
    this.reveal("proof");
  }

  /** Asks the server and says so; returns undefined if it failed or if something else was asked since. */
  async ask(title, question) {
    this.asked += 1;
    const asked = this.asked;
    this.part("comparison-title").textContent = title;
    for (const view of VIEWS) this.part(view).hidden = true;
    this.part("comparison-wait").hidden = false;
    this.section.hidden = false;
    try {
      const answer = await question();
      return asked === this.asked ? answer : undefined;
    } catch (error) {
      if (asked === this.asked) this.section.hidden = true;
      this.onError(error);
      return undefined;
    }
  }

  reveal(shown) {
    for (const view of VIEWS) this.part(view).hidden = view !== shown;
    this.part("comparison-wait").hidden = true;
    this.section.scrollIntoView({ block: "start" });
    this.section.focus({ preventScroll: true });
  }
}
