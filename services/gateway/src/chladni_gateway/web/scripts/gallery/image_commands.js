// What visitors do with images: make them again with another seed or the same one, keep and delete them.

import { deleteImage, fetchImageFile, pinImage } from "../api/gateway.js";
import { saveFile } from "../archive/save_file.js";
import { fileNameOf, showKept } from "./image_actions.js";
import { settingsOf } from "./repetition.js";
import { delay } from "../ui/delay.js";
import { comparePixels, describeProof, renderProof } from "./reproduction.js";

const REPRODUCTION = "reproduction";
const DOWNLOAD = "download";
const LEAVING_MS = 5000;

export class ImageCommands {
  constructor({
    catalog,
    recordingStore,
    imageRecordings,
    jobQueue,
    comparison,
    toasts,
    onError,
    onRemove,
    onRestore,
    onDeleted,
    onKept,
    onProof,
  }) {
    Object.assign(this, {
      catalog,
      recordingStore,
      imageRecordings,
      jobQueue,
      comparison,
      toasts,
      onError,
      onRemove,
      onRestore,
      onDeleted,
      onKept,
      onProof,
    });
  }

  async again(image) {
    const file = await this.imageRecordings.recordingOf(image, { then: () => this.again(image) });
    if (file) this.jobQueue.add(file, settingsOf(image, { withSeed: false }));
  }

  async reproduce(image) {
    const file = await this.imageRecordings.recordingOf(image, { then: () => this.reproduce(image) });
    if (!file) return;
    const settings = { ...settingsOf(image, { withSeed: true }), bypass_cache: true };
    this.jobQueue.add(file, settings, { kind: REPRODUCTION, of: image.image_id });
    this.toasts.note(`${this.catalog.label(image)} is made again, to be compared pixel by pixel.`);
  }

  /** Makes an image once more in another format, which is then downloaded. */
  async saveAs(image, format) {
    const file = await this.imageRecordings.recordingOf(image, { then: () => this.saveAs(image, format) });
    if (!file) return;
    this.jobQueue.add(file, { ...settingsOf(image, { withSeed: true }), format }, { kind: DOWNLOAD, of: image.image_id });
    this.toasts.note(`${this.catalog.label(image)} is made as ${format.toUpperCase()}; its download begins by itself.`);
  }

  /** Returns the image of which a job only makes a copy, to be downloaded; nothing for other jobs. */
  downloadedOf(job) {
    return job.purpose?.kind === DOWNLOAD ? this.catalog.find(job.purpose.of) : undefined;
  }

  isDownload(job) {
    return job.purpose?.kind === DOWNLOAD;
  }

  /** Downloads the copy of an image, which is not kept. */
  async deliver({ image: copy }) {
    try {
      saveFile(await fetchImageFile(copy.image_url), fileNameOf(copy));
      await deleteImage(copy.image_id);
      this.catalog.remove(copy.image_id);
    } catch (error) {
      this.catalog.add(copy);
      this.onError(error);
    }
  }

  /** Keeps an image, so that neither limits nor time remove it, or lets it go again. */
  async keep(image) {
    const known = this.catalog.find(image.image_id) ?? image;
    try {
      const { pinned } = await pinImage(known.image_id, { isPinned: !known.pinned });
      const now = this.catalog.find(image.image_id) ?? known; // The list may be a newer one by now.
      now.pinned = pinned;
      showKept(now);
      const what = this.catalog.label(known);
      this.toasts.note(pinned ? `${what} is kept until you let it go.` : `${what} goes when its time has come.`);
      this.onKept();
    } catch (error) {
      this.onError(error);
    }
  }

  isReproduction(job) {
    return job.purpose?.kind === REPRODUCTION;
  }

  /** Compares a reproduction with its original; an equal copy is not kept. */
  async prove(job) {
    const copy = job.image;
    const original = this.catalog.find(job.purpose.of);
    if (!original) {
      this.catalog.add(copy);
      return;
    }
    try {
      const result = await comparePixels(original.image_url, copy.image_url);
      const title = `Fig. ${this.catalog.number(original.image_id)}, made again`;
      const proof = renderProof(original, copy.image_url, result);
      this.toasts.note(`${title}. ${describeProof(result)}`, {
        action: { label: "Look at both", run: () => this.comparison.showProof(title, proof) },
      });
      this.onProof(original.image_id, result);
      if (result.differing > 0) {
        this.catalog.add(copy);
        return;
      }
      await deleteImage(copy.image_id);
      this.catalog.remove(copy.image_id);
    } catch (error) {
      this.catalog.add(copy);
      this.onError(error);
    }
  }

  /** Removes images at once from the page, and from the server once nobody may undo that any more. */
  remove(images) {
    const what = images.length === 1 ? this.catalog.label(images[0]) : `${images.length} figures`;
    for (const image of images) this.onRemove(image.image_id);
    const removal = new Removal(images, { run: (ofAll, options) => this.removeForGood(ofAll, options) });
    this.toasts.note(`${what} deleted.`, {
      action: { label: "Undo", run: () => removal.undo() && this.onRestore(images) },
      onGone: () => removal.run(),
    });
  }

  async removeForGood(images, { isLeaving }) {
    if (isLeaving) {
      // All at once: nothing that is awaited comes to pass once the page is gone.
      for (const { image_id: id } of images) deleteImage(id, { keepalive: true }).catch(() => {});
      this.catalog.keepRemoved(images.map(({ image_id: id }) => id));
      return;
    }
    for (const image of images) {
      try {
        await deleteImage(image.image_id);
      } catch (error) {
        // What is gone already is as good as deleted.
        if (error.status !== 404) {
          this.onRestore([image]);
          this.onError(error);
          continue;
        }
      }
      await this.recordingStore.drop(image.image_id);
    }
    this.onDeleted();
  }

  /** Removes what an earlier page could not: browsers cut off requests of a page that is left. */
  async finishRemovals() {
    const { left } = this.catalog;
    if (left.size === 0) return;
    for (const imageId of left) await this.recordingStore.drop(imageId);
    await delay(LEAVING_MS); // Its own requests may still be on their way.
    await this.catalog.load();
    const remaining = [];
    for (const imageId of this.catalog.leftovers) await deleteImage(imageId).catch(() => remaining.push(imageId));
    this.catalog.forgetRemoved({ but: remaining });
  }
}

/** A removal that can be undone until it runs; it runs when the visitor leaves the page, at the latest. */
class Removal {
  constructor(images, { run }) {
    this.isSettled = false;
    this.run = (options = { isLeaving: false }) => this.settle() && run(images, options);
    this.leave = () => this.run({ isLeaving: true });
    addEventListener("pagehide", this.leave);
  }

  /** Returns whether there is still something to undo. */
  undo() {
    return this.settle();
  }

  settle() {
    if (this.isSettled) return false;
    removeEventListener("pagehide", this.leave);
    this.isSettled = true;
    return true;
  }
}
