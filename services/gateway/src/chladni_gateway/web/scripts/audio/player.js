// Plays a recording: its spectrogram, with a playhead that can be dragged or moved by keys.

import { copyOf, setSymbol } from "../ui/elements.js";
import { formatClock, formatSeconds } from "../ui/format.js";

const KEY_SECONDS = 0.5;
const END_SECONDS = 0.05; // Nearer to the end of a part than this, it begins again.

export class Player {
  /** Where the part begins that is played, in seconds; 0 for a whole recording. */
  start = 0;
  isPart = false;
  isGone = false;
  /** Called with the position, 0 to 1, whenever it changes. */
  onTime = null;

  /**
   * @param {string} name of the recording
   * @param {object} listener
   * @param {(player: Player) => void} listener.onPlay called when it starts, so that others stop
   * @param {() => void} [listener.onMissing] called when the visitor wants to choose a lost recording again
   */
  constructor(name, { onPlay, onMissing }) {
    this.name = name;
    this.onPlay = onPlay;
    this.element = copyOf("player-template");
    this.part = (part) => this.element.querySelector(`.player__${part}`);
    this.audio = this.element.querySelector("audio");
    this.position = this.part("position");
    this.position.setAttribute("aria-label", `Position in ${name}`);
    this.part("play").addEventListener("click", () => this.toggle());
    this.part("missing")
      .querySelector("button")
      .addEventListener("click", () => onMissing?.());
    this.listen();
    this.showState();
  }

  listen() {
    const { audio, position } = this;
    for (const event of ["play", "pause", "ended", "durationchange", "seeked"]) {
      audio.addEventListener(event, () => this.showState());
    }
    audio.addEventListener("play", () => {
      if (audio.paused) return; // It was stopped before the browser said that it plays.
      this.onPlay(this);
      this.followTime();
    });
    position.addEventListener("input", () => {
      audio.currentTime = this.start + Number(position.value);
      this.showTime();
    });
    position.addEventListener("keydown", (event) => {
      const seconds = { ArrowLeft: -KEY_SECONDS, ArrowRight: KEY_SECONDS }[event.key];
      if (seconds === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      audio.currentTime = this.start + Math.min(this.duration, Math.max(0, this.time + seconds));
      this.showTime();
    });
  }

  /** Length of what is played: of the whole recording, or of a part. */
  get duration() {
    if (this.isPart || !Number.isFinite(this.audio.duration)) return this.knownSeconds ?? 0;
    return this.audio.duration;
  }

  /** Time since the beginning of what is played. */
  get time() {
    return Math.max(0, this.audio.currentTime - this.start);
  }

  /** Loads the recording, or says that there is none; `start` is where the part begins that is meant. */
  load({ file, spectrogram, seconds, start = null }) {
    if (this.isGone) return; // The recording was found too late.
    this.release();
    this.knownSeconds = seconds;
    this.isPart = start !== null;
    this.start = start ?? 0;
    this.part("missing").hidden = Boolean(file);
    for (const part of ["play", "strip", "time"]) this.part(part).hidden = !file;
    if (!file) return;
    this.audioAddress = URL.createObjectURL(file);
    this.audio.src = this.audioAddress + (this.isPart ? `#t=${this.start},${this.start + seconds}` : "");
    if (spectrogram) this.showSpectrogram(spectrogram);
    this.showState();
  }

  showSpectrogram(blob) {
    if (this.isGone) return;
    URL.revokeObjectURL(this.imageAddress);
    this.imageAddress = URL.createObjectURL(blob);
    this.part("spectrogram").src = this.imageAddress;
    this.part("spectrogram").hidden = false;
  }

  /** Stops for good, and lets go of the recording. */
  unload() {
    this.isGone = true;
    this.release();
  }

  release() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    URL.revokeObjectURL(this.audioAddress);
    URL.revokeObjectURL(this.imageAddress);
  }

  toggle() {
    const { audio } = this;
    if (!audio.paused) {
      audio.pause();
      return;
    }
    if (this.isPart && this.time >= this.duration - END_SECONDS) audio.currentTime = this.start;
    audio.play().catch(() => {});
  }

  pause() {
    this.audio.pause();
  }

  showState() {
    const isPlaying = !this.audio.paused && !this.audio.ended;
    this.part("play").setAttribute("aria-label", `${isPlaying ? "Pause" : "Play"} ${this.name}`);
    setSymbol(this.part("play"), isPlaying ? "pause" : "play");
    this.position.max = String(this.duration || 1);
    this.showTime();
  }

  followTime() {
    const follow = () => {
      this.showTime();
      // Browsers that ignore the end of a part in an address play on.
      if (this.isPart && this.time >= this.duration) this.audio.pause();
      if (!this.audio.paused) requestAnimationFrame(follow);
    };
    requestAnimationFrame(follow);
  }

  showTime() {
    const { duration } = this;
    const currentTime = Math.min(this.time, duration || this.time);
    this.position.value = String(currentTime);
    this.position.setAttribute(
      "aria-valuetext",
      `${formatSeconds(currentTime)} of ${formatSeconds(duration)}`,
    );
    this.element.style.setProperty(
      "--at",
      duration > 0 ? Math.min(1, currentTime / duration).toFixed(4) : "0",
    );
    this.onTime?.(this.element.style.getPropertyValue("--at"));
    const isResting = this.audio.paused && currentTime === 0;
    this.part("time").textContent = formatClock(isResting ? duration : currentTime);
  }
}

/** Lets one player play at a time. */
export class SinglePlayback {
  current = null;

  started(player) {
    if (this.current !== player) this.current?.pause();
    this.current = player;
  }
}
