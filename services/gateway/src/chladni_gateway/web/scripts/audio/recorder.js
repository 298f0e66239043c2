// The recorder: records, shows the level and the spectrum, plays the take, hands it over.

import { announce } from "../ui/announcer.js";
import { centroidOf, LocalSpectrum, ServerSpectrum } from "./live_spectrum.js";
import { Microphone, microphoneUnavailableReason } from "./microphone.js";
import { Player } from "./player.js";
import { whatStandsOut } from "../gallery/explanation.js";
import { Spectrograph } from "./spectrograph.js";
import { formatClock } from "../ui/format.js";
import { wavFile } from "./wav.js";

const USUAL_LONGEST_SECONDS = 30;
const MAX_LIVE_RATE_HZ = 48000;
const QUIETEST_DB = -60;
const TOO_LOUD_DB = -3;
const MARGIN_SECONDS = 0.05; // Stays within the limit.

export class Recorder {
  /** Limits of the server, once known. */
  limits = null;

  constructor(panel, { openers, previewPanel, movingImage, imageRecordings, onFile, onError, onPlay }) {
    Object.assign(this, { panel, previewPanel, movingImage, imageRecordings, onFile, onError, onPlay });
    this.button = openers.button;
    this.part = (id) => panel.querySelector(`#${id}`);
    this.spectrograph = new Spectrograph(this.part("spectrum"));
    this.microphone = null;
    const unavailableReason = microphoneUnavailableReason();
    this.button.disabled = unavailableReason !== "";
    if (unavailableReason) openers.hint.textContent = unavailableReason;
    this.button.addEventListener("click", () => this.begin());
    this.part("recorder-stop").addEventListener("click", () => this.stop());
    this.part("recorder-again").addEventListener("click", () => this.begin());
    this.part("recorder-discard").addEventListener("click", () => this.discard());
    this.part("recorder-use").addEventListener("click", () => this.use());
  }

  get longestSeconds() {
    return (this.limits?.max_audio_duration_seconds ?? USUAL_LONGEST_SECONDS) - MARGIN_SECONDS;
  }

  async begin() {
    this.reset();
    const attempt = (this.attempt = {});
    this.show("asking", "Asking for the microphone");
    let microphone;
    try {
      microphone = await Microphone.open((samples) => this.take(samples));
    } catch (error) {
      if (attempt !== this.attempt) return;
      this.discard();
      this.onError(error.message);
      return;
    }
    if (attempt !== this.attempt) {
      microphone.close(); // Discarded while the browser asked, and perhaps begun again.
      return;
    }
    this.microphone = microphone;
    this.spectrograph.clear();
    this.listenWith(this.microphone.sampleRateHz <= MAX_LIVE_RATE_HZ ? ServerSpectrum : LocalSpectrum);
    if (this.microphone.sampleRateHz <= MAX_LIVE_RATE_HZ) this.movingImage.begin(this.microphone.sampleRateHz);
    this.show("recording", "Recording");
    this.part("recorder-title").focus();
    announce("Recording.");
  }

  listenWith(Spectrum) {
    const isServers = Spectrum === ServerSpectrum;
    this.part("recorder-source").textContent = isServers
      ? "Heard by the server, as images are."
      : "Heard by this browser.";
    this.spectrum = new Spectrum(isServers ? this.microphone.sampleRateHz : this.microphone.analyser, {
      onColumns: (columns) => this.draw(columns),
      onLevel: (decibels) => this.measure(decibels),
      onSummary: (descriptors) => this.showHeard(descriptors),
      onLost: () => this.panel.dataset.state === "recording" && this.listenWith(LocalSpectrum),
    });
  }

  take(samples) {
    if (this.panel.dataset.state !== "recording") return;
    const most = Math.floor(this.longestSeconds * this.microphone.sampleRateHz) - this.sampleCount;
    const block = samples.length > most ? samples.subarray(0, most) : samples;
    this.blocks.push(block);
    this.sampleCount += block.length;
    this.spectrum.feed(block);
    this.movingImage.feed(block);
    this.showTime();
    if (samples.length >= most) this.stop();
  }

  draw(columns) {
    for (const column of columns) this.spectrograph.add(column);
    if (columns.length > 0)
      this.previewPanel.listen({ levelDb: this.levelDb, centroid: centroidOf(columns.at(-1)) });
  }

  /** Shows what the server measured in the whole recording, from which an image would be made. */
  showHeard(descriptors) {
    if (this.panel.dataset.state !== "taken" || descriptors.length === 0) return;
    this.part("recorder-heard").textContent = whatStandsOut(descriptors);
    this.part("recorder-heard").hidden = false;
  }

  measure(decibels) {
    this.levelDb = decibels;
    const level = this.part("level");
    const shown = Math.min(0, Math.max(QUIETEST_DB, decibels));
    level.style.setProperty("--level", (1 - shown / QUIETEST_DB).toFixed(3));
    level.setAttribute("aria-valuenow", shown.toFixed(0));
    level.setAttribute("aria-valuetext", `${shown.toFixed(0)} decibels`);
    level.toggleAttribute("data-loud", decibels > TOO_LOUD_DB);
  }

  showTime() {
    const seconds = this.sampleCount / this.microphone.sampleRateHz;
    this.part("recorder-time").textContent =
      `${formatClock(seconds)} of ${formatClock(this.longestSeconds + MARGIN_SECONDS)}`;
  }

  stop() {
    if (this.panel.dataset.state !== "recording") return;
    const rate = this.microphone.sampleRateHz;
    this.spectrum.end();
    this.movingImage.end();
    this.microphone.close();
    const shortest = this.limits?.min_audio_duration_seconds ?? 0;
    if (this.sampleCount / rate < shortest) {
      this.discard();
      this.onError("The recording is too short. Let it run a little longer.");
      return;
    }
    const time = new Date();
    const two = (number) => String(number).padStart(2, "0");
    const name = `recording ${two(time.getHours())}.${two(time.getMinutes())}.${two(time.getSeconds())}.wav`;
    this.file = wavFile(this.blocks, rate, name);
    this.player = new Player(name, { onPlay: this.onPlay });
    this.player.load({ file: this.file });
    this.drawTake(this.player, this.file);
    this.part("take").replaceChildren(this.player.element);
    this.show("taken", "Listen to it, then use it");
    this.part("recorder-use").focus();
    announce("Stopped.");
  }

  async drawTake(player, file) {
    const spectrogram = await this.imageRecordings.draw(file);
    if (spectrogram && player === this.player) player.showSpectrogram(spectrogram);
  }

  use() {
    const { file } = this;
    this.discard();
    this.onFile(file);
  }

  discard() {
    this.reset();
    this.panel.hidden = true;
    this.panel.dataset.state = "idle";
    this.button.hidden = false;
    this.button.focus();
  }

  reset() {
    this.spectrum?.close();
    this.movingImage.end();
    this.microphone?.close();
    this.player?.unload();
    this.spectrum = this.microphone = this.player = this.file = this.attempt = null;
    this.blocks = [];
    this.sampleCount = 0;
    this.levelDb = QUIETEST_DB;
  }

  show(state, title) {
    this.panel.hidden = false;
    this.panel.dataset.state = state;
    this.part("recorder-heard").hidden = true;
    this.button.hidden = true;
    this.part("recorder-title").textContent = title;
    this.part("recorder-stop").hidden = state !== "recording";
    for (const id of ["recorder-use", "recorder-again", "take"]) this.part(id).hidden = state !== "taken";
    if (state === "asking") this.part("recorder-time").textContent = "";
  }
}
