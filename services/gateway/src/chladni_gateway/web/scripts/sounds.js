// The sound of each figure: found in this browser, shown as a spectrogram, chosen again where it was lost.

import { fetchSpectrogram } from "./api.js";
import { nameOf } from "./catalogue.js";
import { make } from "./elements.js";
import { Player } from "./player.js";

const SPECTROGRAM = { widthPixels: 512, heightPixels: 96 };

export class Sounds {
  constructor({ clips, listening, toasts }) {
    Object.assign(this, { clips, listening, toasts });
    this.drawing = Promise.resolve();
    this.awaited = new Map(); // Spectrograms of figures that were asked for.
  }

  /** Returns a player for a figure; its recording comes when it is found. */
  playerFor(image) {
    const player = new Player(nameOf(image), {
      onPlay: (started) => this.listening.started(started),
      onMissing: async () => (await this.choose(image)) && this.fill(player, image),
    });
    this.fill(player, image);
    return player;
  }

  async fill(player, image) {
    const { image_id: imageId } = image;
    const clip = await this.clips.clip(imageId);
    const seconds = image.audio.duration_seconds;
    player.load({ file: clip?.file, spectrogram: clip?.spectrogram, seconds });
    if (!clip || clip.spectrogram) return;
    const spectrogram = await this.spectrogramOf(imageId, clip.file);
    if (!spectrogram) return;
    player.showSpectrogram(spectrogram);
    // The figure may have been deleted meanwhile.
    if (await this.clips.clip(imageId)) await this.clips.keepClip(imageId, { file: clip.file, spectrogram });
  }

  /** Asks once for the spectrogram of a figure, however many players wait for it. */
  spectrogramOf(imageId, file) {
    if (!this.awaited.has(imageId)) {
      const drawn = this.draw(file).finally(() => this.awaited.delete(imageId));
      this.awaited.set(imageId, drawn);
    }
    return this.awaited.get(imageId);
  }

  /** Asks for one spectrogram at a time; without one the player still plays. */
  draw(file) {
    this.drawing = this.drawing.then(() => fetchSpectrogram(file, SPECTROGRAM).catch(() => null));
    return this.drawing;
  }

  /** Returns the recording of a figure, or undefined after having said how to get on. */
  async recordingOf(image, { then }) {
    const clip = await this.clips.clip(image.image_id);
    if (clip) return clip.file;
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
    if (digest !== null && digest !== image.audio.sha256) {
      this.toasts.error(`${file.name} is not the recording of this figure.`, {
        advice: `It was made from ${nameOf(image)}, which must be the same to the last byte.`,
      });
      return false;
    }
    await this.clips.keepClip(image.image_id, { file });
    return true;
  }
}

function chosenFile() {
  return new Promise((resolve) => {
    const input = make("input", { type: "file" });
    input.addEventListener("change", () => resolve(input.files[0] ?? null));
    input.addEventListener("cancel", () => resolve(null));
    input.click();
  });
}

/** Returns the digest in hexadecimal; null where the browser computes none (pages without https). */
async function sha256(file) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
