// A recording through the audio autoencoder: both to hear, both spectrograms to see, and how near they are.

import { reconstructAudio } from "../api/gateway.js";
import { Player } from "../audio/player.js";
import { announce } from "../ui/announcer.js";
import { make } from "../ui/elements.js";

const FIGURES = [
  ["cosine", "Cosine", "1 is the same"],
  ["mse", "Mean squared error", "0 is the same"],
  ["mae", "Mean absolute error", "0 is the same"],
  ["perceptual_similarity", "Alike to hearing", "NSIM; 1 is the same"],
];

export class Reconstruction {
  constructor(panel, { playback, onError }) {
    Object.assign(this, { panel, playback, onError, players: [], offered: 0 });
    this.button = panel.querySelector(".reconstruction__start");
    this.button.addEventListener("click", () => this.reconstruct());
  }

  /** Offers to reconstruct a recording of so many seconds. */
  offer(file, part, seconds) {
    Object.assign(this, { file, clipPart: part, seconds });
    this.offered += 1;
    this.button.disabled = false;
    this.clear();
    this.panel.hidden = false;
  }

  clear() {
    for (const player of this.players) player.unload();
    this.players = [];
    this.panel.querySelector(".reconstruction__sounds").replaceChildren();
    this.panel.querySelector(".reconstruction__figures").replaceChildren();
  }

  async reconstruct() {
    this.button.disabled = true;
    const { file, clipPart, offered } = this;
    try {
      const made = await reconstructAudio(file, clipPart);
      if (offered !== this.offered) return; // It is of what was heard before, perhaps of another part.
      this.clear();
      this.add("As it was", file, made.original_spectrogram, clipPart.start_seconds ?? null);
      this.add("After the autoencoder", blobOf(made.audio), made.reconstructed_spectrogram, null);
      this.panel.querySelector(".reconstruction__figures").replaceChildren(...FIGURES.map((row) => renderFigure(made, row)));
      announce(`${file.name} is reconstructed.`);
    } catch (error) {
      if (offered === this.offered) this.onError(error);
    } finally {
      if (offered === this.offered) this.button.disabled = false;
    }
  }

  add(name, sound, spectrogram, start) {
    const player = new Player(name, { onPlay: (started) => this.playback.started(started) });
    player.load({ file: sound, spectrogram: blobOf(spectrogram), seconds: this.seconds, start });
    this.players.push(player);
    this.panel
      .querySelector(".reconstruction__sounds")
      .append(make("figure", {}, [make("figcaption", {}, [name]), player.element]));
  }
}

/** Returns the bytes of a data URL, which nothing may be fetched from. */
function blobOf(address) {
  const [head, content] = address.split(",");
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: head.slice("data:".length, head.indexOf(";")) });
}

function renderFigure(made, [name, label, note]) {
  return make("div", { className: "fact" }, [
    make("dt", {}, [label]),
    make("dd", {}, [made[name].toFixed(3), make("span", { className: "fact__note" }, [note])]),
  ]);
}
