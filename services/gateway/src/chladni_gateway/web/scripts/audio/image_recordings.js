// The recording of each image: found in this browser, shown as a spectrogram, chosen again if it was lost.

import { fetchSpectrogram } from "../api/gateway.js";
import { nameOf } from "../gallery/image_catalog.js";
import { make } from "../ui/elements.js";
import { Player } from "./player.js";

const SPECTROGRAM = { widthPixels: 512, heightPixels: 96 };

export class ImageRecordings {
  constructor({ recordingStore, playback, toasts }) {
    Object.assign(this, { recordingStore, playback, toasts });
    this.drawing = Promise.resolve();
    this.pending = new Map(); // Spectrograms that were requested, by image.
  }

  /** Returns a player for an image; its recording is loaded when it is found. */
  playerFor(image) {
    const player = new Player(nameOf(image), {
      onPlay: (started) => this.playback.started(started),
      onMissing: async () => (await this.choose(image)) && this.fill(player, image),
    });
    this.fill(player, image);
    return player;
  }

  async fill(player, image) {
    const { image_id: imageId } = image;
    const kept = await this.recordingStore.find(imageId);
    const { duration_seconds: seconds, start_seconds: start } = image.audio ?? {};
    player.load({ file: kept?.file, spectrogram: kept?.spectrogram, seconds, start });
    if (!kept || kept.spectrogram) return;
    const spectrogram = await this.spectrogramOf(image, kept.file);
    if (!spectrogram) return;
    player.showSpectrogram(spectrogram);
    // The image may have been deleted meanwhile.
    if (await this.recordingStore.find(imageId))
      await this.recordingStore.keep(imageId, { file: kept.file, spectrogram });
  }

  /** Requests the spectrogram of an image once, however many players wait for it. */
  spectrogramOf({ image_id: imageId, audio }, file) {
    if (!this.pending.has(imageId)) {
      const drawn = this.draw(file, partOf(audio)).finally(() => this.pending.delete(imageId));
      this.pending.set(imageId, drawn);
    }
    return this.pending.get(imageId);
  }

  /** Requests one spectrogram at a time; without one the player still plays. */
  draw(file, part = {}, size = SPECTROGRAM) {
    this.drawing = this.drawing.then(() => fetchSpectrogram(file, { ...size, part }).catch(() => null));
    return this.drawing;
  }

  /** Returns the recording of an image, or undefined after a message that says how to continue. */
  async recordingOf(image, { then }) {
    const kept = await this.recordingStore.find(image.image_id);
    if (kept) return kept.file;
    this.toasts.error(`The recording ${nameOf(image)} is not in this browser.`, {
      advice: "Choose the file again to go on.",
      action: { label: "Choose the file", run: async () => (await this.choose(image)) && then() },
    });
    return undefined;
  }

  /** Lets the visitor choose a lost recording again; returns whether it is the one. */
  async choose(image) {
    const file = await chosenFile();
    if (!file) return false;
    const digest = await sha256(file);
    if (digest !== null && digest !== image.audio?.sha256) {
      this.toasts.error(`${file.name} is not the recording of this figure.`, {
        advice: `It was made from ${nameOf(image)}, which must be the same to the last byte.`,
      });
      return false;
    }
    await this.recordingStore.keep(image.image_id, { file });
    return true;
  }
}

/** Returns the fields of forms that say which part of a recording is meant. */
export function partOf(audio) {
  const { start_seconds: start, duration_seconds: seconds } = audio ?? {};
  return start === null || start === undefined ? {} : { start_seconds: start, end_seconds: start + seconds };
}

function chosenFile() {
  return new Promise((resolve) => {
    const input = make("input", { type: "file" });
    input.addEventListener("change", () => resolve(input.files[0] ?? null));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}

/** Returns the digest in hexadecimal; null if the browser computes none (pages without https). */
async function sha256(file) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
