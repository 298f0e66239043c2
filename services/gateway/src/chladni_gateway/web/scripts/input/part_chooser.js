// The window over the waveform of a long recording: dragged, or moved by keys.

import { formatClock, formatSeconds } from "../ui/format.js";
import { cutOut, loudestStart, overviewOf } from "./waveform.js";

const SHORTEST_SECONDS = 1;
const EDGE_PIXELS = 14; // This near to an end of the window, that end is dragged.
const BAR_COLORS = { inside: "#e8d6a8", outside: "#6d5f49" };

export class PartChooser {
  /** Settled once nothing is being chosen. */
  idle = Promise.resolve();

  constructor(dialog, { onPlay }) {
    Object.assign(this, { dialog, onPlay });
    this.part = (id) => dialog.querySelector(`#part-${id}`);
    this.audio = dialog.querySelector("audio");
    this.part("start").addEventListener("input", () => this.move(Number(this.part("start").value)));
    this.part("length").addEventListener("input", () => this.resize(Number(this.part("length").value)));
    this.part("play").addEventListener("click", () => this.toggle());
    this.part("cancel").addEventListener("click", () => dialog.close("cancel"));
    this.part("use").addEventListener("click", () => dialog.close("use"));
    for (const event of ["play", "pause"]) this.audio.addEventListener(event, () => this.showPlaying());
    this.audio.addEventListener("timeupdate", () => this.audio.currentTime >= this.end && this.audio.pause());
    this.watchPointer(this.part("wave"));
  }

  get end() {
    return this.start + this.length;
  }

  /**
   * Lets the visitor choose a part of a recording; returns null if they do not.
   *
   * @param {File} file
   * @param {object} limits of the server
   * @param {string} use what the button says that takes the part
   * @returns {Promise<{file: File, part: object} | null>} what to send, and fields that say which part of it
   */
  choose(file, limits, use = "Draw this part") {
    // One at a time: another file may be dropped while the dialog is open.
    const chosen = this.idle.then(() => this.ask(file, limits, use));
    this.idle = chosen.catch(() => {});
    return chosen;
  }

  async ask(file, limits, use) {
    this.longest = limits.max_audio_duration_seconds;
    this.overview = await overviewOf(file);
    this.length = Math.min(this.longest, this.overview.seconds);
    this.start = loudestStart(this.overview, this.length);
    this.part("title").textContent = `Choose up to ${formatSeconds(this.longest)} of ${file.name}`;
    this.part("use").textContent = use;
    this.audioAddress = URL.createObjectURL(file);
    this.audio.src = this.audioAddress;
    this.dialog.returnValue = "cancel";
    this.dialog.showModal();
    this.show();
    await new Promise((resolve) => this.dialog.addEventListener("close", resolve, { once: true }));
    this.audio.pause();
    this.audio.removeAttribute("src");
    URL.revokeObjectURL(this.audioAddress);
    if (this.dialog.returnValue !== "use") return null;
    const { start, end } = this;
    const { seconds } = this.overview;
    if (file.size > limits.max_audio_bytes) return { file: await cutOut(file, { start, end, seconds }), part: {} };
    return { file, part: { start_seconds: rounded(start), end_seconds: rounded(end) } };
  }

  move(start) {
    this.start = Math.max(0, Math.min(start, this.overview.seconds - this.length));
    this.show();
  }

  resize(length) {
    this.length = Math.max(SHORTEST_SECONDS, Math.min(length, this.longest, this.overview.seconds - this.start));
    this.show();
  }

  toggle() {
    if (!this.audio.paused) {
      this.audio.pause();
      return;
    }
    this.onPlay(this.audio);
    this.audio.currentTime = this.start;
    this.audio.play().catch(() => {});
  }

  watchPointer(canvas) {
    const secondsAt = (event) => {
      const { left, width } = canvas.getBoundingClientRect();
      return ((event.clientX - left) / width) * this.overview.seconds;
    };
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const at = secondsAt(event);
      const edge = (EDGE_PIXELS / canvas.getBoundingClientRect().width) * this.overview.seconds;
      const isNarrow = this.length < 3 * edge; // Then the window is only moved; its length has a slider.
      if (!isNarrow && Math.abs(at - this.start) < edge) drag = { kind: "start" };
      else if (!isNarrow && Math.abs(at - this.end) < edge) drag = { kind: "end" };
      else {
        const isInside = at >= this.start && at <= this.end;
        drag = { kind: "window", offset: isInside ? at - this.start : this.length / 2 };
        if (!isInside) this.move(at - drag.offset);
      }
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const at = secondsAt(event);
      if (drag.kind === "window") this.move(at - drag.offset);
      if (drag.kind === "end") this.resize(at - this.start);
      if (drag.kind === "start") {
        const { end } = this;
        this.start = Math.max(0, end - this.longest, Math.min(at, end - SHORTEST_SECONDS));
        this.resize(end - this.start);
      }
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (drag = null));
  }

  show() {
    const { seconds } = this.overview;
    const [start, length] = [this.part("start"), this.part("length")];
    start.max = String(seconds - this.length);
    start.value = String(this.start);
    start.setAttribute("aria-valuetext", `from ${formatClock(this.start)}`);
    length.min = String(Math.min(SHORTEST_SECONDS, seconds));
    length.max = String(Math.min(this.longest, seconds));
    length.value = String(this.length);
    length.setAttribute("aria-valuetext", formatSeconds(this.length));
    this.part("words").textContent =
      `${formatClock(this.start)} to ${formatClock(this.end)} of ${formatClock(seconds)}, ${formatSeconds(this.length)}`;
    this.draw();
  }

  draw() {
    const canvas = this.part("wave");
    const context = canvas.getContext("2d");
    const { width, height } = canvas;
    const { peaks, seconds } = this.overview;
    const x = (time) => (time / seconds) * width;
    context.fillStyle = "#120f0c";
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#3a2c17";
    context.fillRect(x(this.start), 0, Math.max(3, x(this.length)), height);
    const step = width / peaks.length;
    const most = peaks.reduce((largest, peak) => Math.max(largest, peak), 0.01);
    peaks.forEach((peak, bin) => {
      const time = ((bin + 0.5) / peaks.length) * seconds;
      context.fillStyle = time >= this.start && time <= this.end ? BAR_COLORS.inside : BAR_COLORS.outside;
      const tall = Math.max(1, (peak / most) * height * 0.9);
      context.fillRect(bin * step, (height - tall) / 2, Math.max(1, step * 0.7), tall);
    });
    context.fillStyle = "#ff8f4a";
    for (const edge of [x(this.start), x(this.end)]) context.fillRect(Math.min(width - 3, edge), 0, 3, height);
  }

  showPlaying() {
    this.part("play").textContent = this.audio.paused ? "Listen to this part" : "Pause";
  }
}

/** Returns why a part of a file cannot be chosen, if the browser cannot open it. */
export const cannotBeOpened = (file, { max_audio_duration_seconds: longest }) =>
  `${file.name}: it is longer than ${formatSeconds(longest)}, and this browser cannot open it. Cut out a part.`;

const rounded = (seconds) => Math.round(seconds * 1000) / 1000;
