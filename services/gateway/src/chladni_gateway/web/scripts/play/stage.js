// The stage: an image over the whole window that is played from left to right, as its sound goes.

import { nameOf, shownAddressOf } from "../gallery/image_catalog.js";
import { whenClosed } from "../ui/dialogs.js";
import { analyse } from "./onsets.js";
import { Glow } from "./glow.js";

export class Stage {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {object} parts
   * @param {(image: object) => import("../audio/player.js").Player} parts.playerFor returns a player that is filled
   * @param {(image: object) => Promise<Blob | undefined>} parts.recordingOf
   * @param {() => void} parts.onClose
   */
  constructor(dialog, { playerFor, recordingOf, onClose }) {
    Object.assign(this, { dialog, playerFor, recordingOf });
    this.part = (id) => dialog.querySelector(`#stage-${id}`);
    this.glow = new Glow(this.part("glow"));
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.part("full").addEventListener("click", () => toggleFullScreen(this.part("whole")));
    this.part("projector").addEventListener("click", () => this.bare(true));
    this.part("frame").addEventListener("click", () => this.player?.toggle());
    dialog.addEventListener("cancel", (event) => {
      if (!dialog.hasAttribute("data-bare")) return;
      event.preventDefault(); // Escape first brings the controls back.
      this.bare(false);
    });
    dialog.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.target.closest("button, input")) return;
      event.preventDefault();
      this.player?.toggle();
    });
    whenClosed(dialog, () => {
      this.stop();
      onClose();
    });
  }

  /** Shows an image; it plays once its sound is there, if the browser lets it. */
  async open(image, { isBare = false } = {}) {
    this.stop();
    this.image = image;
    const shown = this.part("image");
    shown.src = shownAddressOf(image);
    shown.alt = `Image of ${nameOf(image)}`;
    this.part("name").textContent = nameOf(image);
    const { width_pixels: width, height_pixels: height } = image.provenance;
    this.dialog.style.setProperty("--ratio", String(width && height ? width / height : 1));
    this.player = this.playerFor(image);
    this.part("player").replaceChildren(this.player.element);
    this.bare(isBare);
    if (!this.dialog.open) this.dialog.showModal();
    this.part("player").querySelector("button")?.focus();
    const recording = await this.recordingOf(image);
    if (!recording || image !== this.image) return;
    const { start_seconds: start, duration_seconds: seconds } = image.audio;
    const part = { start: start ?? 0, seconds };
    const [sound] = await Promise.all([analyse(recording, part).catch(() => null), shown.decode().catch(() => {})]);
    if (image !== this.image) return;
    this.sound = sound ?? { levels: [], hopSeconds: 1, onsets: [] };
    this.glow.prepare(shown, { onsets: this.sound.onsets, seconds: part.seconds });
    const { player } = this;
    const { audio } = player;
    // The browser says late that it plays: the stage may be closed by then, or show another image.
    audio.addEventListener("play", () => player === this.player && this.follow());
    if (audio.paused) audio.play().catch(() => {});
    else this.follow(); // The visitor was faster.
  }

  /** Whether an image is on the stage. */
  isShowing({ image_id: id }) {
    return this.dialog.open && this.image?.image_id === id;
  }

  /** Takes the controls away, as for a projector, or brings them back. */
  bare(isBare) {
    this.dialog.toggleAttribute("data-bare", isBare);
  }

  /** Draws while the sound plays. */
  follow() {
    const { player } = this;
    const draw = () => {
      if (player !== this.player) return;
      const isPlaying = !player.audio.paused;
      this.dialog.toggleAttribute("data-playing", isPlaying || player.time > 0);
      const position = player.duration > 0 ? Math.min(1, player.time / player.duration) : 0;
      this.dialog.style.setProperty("--at", position.toFixed(4));
      const { levels, hopSeconds } = this.sound;
      const level = levels[Math.floor(player.time / hopSeconds)] ?? 0;
      const isLit = isPlaying && !this.still.matches;
      this.dialog.dataset.glowing = isLit ? this.glow.draw(player.time, { position, level }) : 0;
      if (isPlaying) requestAnimationFrame(draw);
      else this.glow.clear();
    };
    requestAnimationFrame(draw);
  }

  stop() {
    this.player?.unload();
    this.player = this.image = this.sound = null;
    this.glow.clear();
    this.dialog.removeAttribute("data-playing");
  }
}

function toggleFullScreen(element) {
  if (document.fullscreenElement) document.exitFullscreen();
  else element.requestFullscreen?.().catch(() => {});
}
