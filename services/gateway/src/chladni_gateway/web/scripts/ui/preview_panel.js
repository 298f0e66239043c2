// The preview: sand on a Chladni plate that vibrates with the sound, then the image as it emerges.

import { rankOf } from "../gallery/correspondences.js";
import { SandSimulation } from "./sand_simulation.js";

const FRAME_MS = 1000 / 30; // Sand looks as well at thirty frames a second, for half the work.
const SETTLED_FRAMES = 110;
const IDLE_MODES = [
  [1, 4],
  [2, 5],
  [3, 5],
  [1, 6],
  [4, 6],
  [3, 7],
  [2, 7],
];
const IDLE_CHANGE_MS = 9000;
const FIRST_CHANGE_MS = 6000;
const IDLE_CHANGES = 4; // Then the plate rests until somebody comes by.
const LIVE_CHANGE_MS = 350;
const LIVE_FLOOR_DB = -55;

export class PreviewPanel {
  /** `onLeave` is called when a finished image gives way. */
  constructor(frame, canvas, image, { onLeave }) {
    this.frame = frame;
    this.onLeave = onLeave;
    this.image = image;
    this.canvas = canvas;
    this.sand = new SandSimulation(canvas);
    this.prefersReducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
    this.framesLeft = 0;
    this.strength = 1;
    this.isLooping = false;
    this.turn = 0;
    this.changesLeft = IDLE_CHANGES;
    this.changedAt = 0;
    this.job = null;
    this.mode = IDLE_MODES[0];
    // The first figure is there at once; the page has better things to compute while it loads.
    this.sand.tune(this.mode);
    this.sand.scatter({ settled: true });
    this.sand.draw();
    setTimeout(() => this.frame.dataset.state === "idle" && this.idle(), FIRST_CHANGE_MS);
    setInterval(() => this.frame.dataset.state === "idle" && !document.hidden && this.idle(), IDLE_CHANGE_MS);
    frame.parentElement.addEventListener("pointerenter", () => (this.changesLeft = IDLE_CHANGES));
  }

  /** Vibrates in one mode after another; visitors who prefer reduced motion see one. */
  idle() {
    if (this.prefersReducedMotion.matches || this.changesLeft === 0) return;
    this.changesLeft -= 1;
    this.turn = (this.turn + 1) % IDLE_MODES.length;
    this.strength = 1;
    this.vibrate(IDLE_MODES[this.turn]);
  }

  /** Shows a job, or the empty plate for null. */
  show(job) {
    if (job === null) {
      if (this.frame.dataset.state === "working") this.clear();
      this.job = null;
      return;
    }
    if (job !== this.job) this.begin(job);
    if (job.descriptors && !this.isTuned) {
      this.isTuned = true;
      this.vibrate(modeOf(job.descriptors));
    }
    if (job.state === "running") {
      this.vibrate(this.mode);
      if (job.preview) this.reveal(job.preview, job.step / job.totalSteps);
    }
  }

  begin(job) {
    this.onLeave();
    this.job = job;
    this.isTuned = false;
    this.frame.dataset.state = "working";
    this.image.hidden = true;
    this.canvas.style.opacity = "";
    this.strength = 1;
    this.sand.scatter({ settled: this.prefersReducedMotion.matches });
    this.vibrate(this.mode);
  }

  finish(address) {
    this.job = null;
    this.reveal(address, 1);
    this.frame.dataset.state = "done";
  }

  clear() {
    this.onLeave();
    this.image.hidden = true;
    this.canvas.style.opacity = "";
    this.frame.dataset.state = "idle";
    this.changesLeft = IDLE_CHANGES;
    this.idle();
  }

  /** Vibrates as a live sound does: `centroid` 0 (low) to 1 (high) decides the mode, the level its strength. */
  listen({ levelDb, centroid }) {
    if (this.frame.dataset.state === "working" || this.prefersReducedMotion.matches) return;
    if (this.frame.dataset.state === "done") this.clear();
    this.strength = Math.max(0, 1 - levelDb / LIVE_FLOOR_DB) * 2;
    const now = performance.now();
    if (now - this.changedAt < LIVE_CHANGE_MS) return;
    this.changedAt = now;
    const n = 1 + Math.round(centroid * 3);
    this.vibrate([n, n + 2 + Math.round(centroid * 4)]);
  }

  reveal(address, clarity) {
    this.image.src = address;
    this.image.hidden = false;
    this.frame.style.setProperty("--clarity", String(0.25 + 0.75 * clarity));
    this.canvas.style.opacity = clarity === 1 ? "" : String(1 - 0.75 * clarity);
  }

  vibrate(mode) {
    const isNew = String(mode) !== String(this.mode);
    this.mode = mode;
    if (isNew) this.sand.tune(mode);
    if (this.prefersReducedMotion.matches) {
      if (isNew) this.sand.scatter({ settled: true });
      this.sand.draw();
      return;
    }
    this.framesLeft = SETTLED_FRAMES;
    if (this.isLooping) return;
    this.isLooping = true;
    let drawnAt = -Infinity;
    const loop = (now) => {
      if (now - drawnAt >= FRAME_MS - 2) {
        drawnAt = now;
        this.sand.shake(this.strength);
        this.sand.draw();
        this.framesLeft -= 1;
      }
      this.isLooping = this.framesLeft > 0 && this.frame.dataset.state !== "done";
      if (this.isLooping) requestAnimationFrame(loop);
    };
    requestAnimationFrame(loop);
  }
}

/** Returns the mode for a sound: the higher and the brighter, the finer the figure. */
function modeOf(descriptors) {
  const rank = (name) => rankOf(descriptors.find((descriptor) => descriptor.name === name)) ?? 0.5;
  const n = 1 + Math.round(rank("pitch_height") * 4);
  return [n, n + 1 + Math.round(rank("brightness") * 4)];
}
