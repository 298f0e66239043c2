// What visitors do with figures: make them again with another seed or the same, and delete them.

import { deleteImage } from "./api.js";
import { confirmed } from "./dialogs.js";
import { settingsOf } from "./repetition.js";
import { comparePixels, describeProof, renderProof } from "./reproduction.js";

const REPRODUCTION = "reproduction";

export class FigureDeeds {
  constructor({ catalogue, clips, sounds, workshop, comparison, toasts, onTrouble, onRemove, onProof }) {
    Object.assign(this, {
      catalogue,
      clips,
      sounds,
      workshop,
      comparison,
      toasts,
      onTrouble,
      onRemove,
      onProof,
    });
  }

  async again(image) {
    const file = await this.sounds.recordingOf(image, { then: () => this.again(image) });
    if (file) this.workshop.add(file, settingsOf(image, { withSeed: false }));
  }

  async reproduce(image) {
    const file = await this.sounds.recordingOf(image, { then: () => this.reproduce(image) });
    if (!file) return;
    const settings = { ...settingsOf(image, { withSeed: true }), bypass_cache: true };
    this.workshop.add(file, settings, { kind: REPRODUCTION, of: image.image_id });
    this.toasts.note(`${this.catalogue.label(image)} is made again, to be compared pixel by pixel.`);
  }

  isReproduction(work) {
    return work.purpose?.kind === REPRODUCTION;
  }

  /** Compares a reproduction with its original; an equal copy is not kept. */
  async prove(work) {
    const copy = work.image;
    const original = this.catalogue.find(work.purpose.of);
    if (!original) {
      this.catalogue.add(copy);
      return;
    }
    try {
      const result = await comparePixels(original.image_url, copy.image_url);
      const title = `Fig. ${this.catalogue.number(original.image_id)}, made again`;
      const proof = renderProof(original, copy.image_url, result);
      this.toasts.note(`${title}. ${describeProof(result)}`, {
        action: { label: "Look at both", run: () => this.comparison.showProof(title, proof) },
      });
      this.onProof(original.image_id, result);
      if (result.differing > 0) {
        this.catalogue.add(copy);
        return;
      }
      await deleteImage(copy.image_id);
      this.catalogue.remove(copy.image_id);
    } catch (error) {
      this.catalogue.add(copy);
      this.onTrouble(error);
    }
  }

  async remove(images) {
    const what = images.length === 1 ? this.catalogue.label(images[0]) : `${images.length} figures`;
    if (
      !(await confirmed(
        `Delete ${what}?`,
        "The image is gone for good, here and on the server. Download it first if you like it.",
      ))
    )
      return;
    for (const image of images) {
      try {
        await deleteImage(image.image_id);
      } catch (error) {
        // What is gone already is as good as deleted.
        if (error.status !== 404) {
          this.onTrouble(error);
          continue;
        }
      }
      this.onRemove(image.image_id);
      await this.clips.dropClip(image.image_id);
    }
  }
}
