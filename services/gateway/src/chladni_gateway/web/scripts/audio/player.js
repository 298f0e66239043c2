// Plays a recording: its spectrogram, with a playhead that can be dragged or moved by keys.

import { copyOf, setSymbol } from "../ui/elements.js";
import { formatClock, formatSeconds } from "../ui/format.js";

const KEY_SECONDS = 0.5;

export class Player {
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
      this.onPlay(this);
      this.followTime();
    });
    position.addEventListener("input", () => {
      audio.currentTime = Number(position.value);
      this.showTime();
    });
    position.addEventListener("keydown", (event) => {
      const seconds = { ArrowLeft: -KEY_SECONDS, ArrowRight: KEY_SECONDS }[event.key];
      if (seconds === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      audio.currentTime = Math.min(this.duration, Math.max(0, audio.currentTime + seconds));
      this.showTime();
    });
  }

  get duration() {
    return Number.isFinite(this.audio.duration) ? this.audio.duration : (this.knownSeconds ?? 0);
  }

  /** Loads the recording, or says that there is none. */
  load({ file, spectrogram, seconds }) {
    this.unload();
    this.knownSeconds = seconds;
    this.part("missing").hidden = Boolean(file);
    for (const part of ["play", "strip", "time"]) this.part(part).hidden = !file;
    if (!file) return;
    this.audioAddress = URL.createObjectURL(file);
    this.audio.src = this.audioAddress;
    if (spectrogram) this.showSpectrogram(spectrogram);
    this.showState();
  }

  showSpectrogram(blob) {
    URL.revokeObjectURL(this.imageAddress);
    this.imageAddress = URL.createObjectURL(blob);
    this.part("spectrogram").src = this.imageAddress;
    this.part("spectrogram").hidden = false;
  }

  unload() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    URL.revokeObjectURL(this.audioAddress);
    URL.revokeObjectURL(this.imageAddress);
  }

  toggle() {
    if (this.audio.paused) this.audio.play().catch(() => {});
    else this.audio.pause();
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
      if (!this.audio.paused) requestAnimationFrame(follow);
    };
    requestAnimationFrame(follow);
  }

  showTime() {
    const { currentTime } = this.audio;
    const { duration } = this;
    this.position.value = String(currentTime);
    this.position.setAttribute(
      "aria-valuetext",
      `${formatSeconds(currentTime)} of ${formatSeconds(duration)}`,
    );
    this.element.style.setProperty(
      "--at",
      duration > 0 ? Math.min(1, currentTime / duration).toFixed(4) : "0",
    );
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
