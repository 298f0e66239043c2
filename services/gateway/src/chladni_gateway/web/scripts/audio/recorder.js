// The recorder: records, shows the level and the spectrum, plays the take, hands it over.
//
// Instead of the microphone it also listens to a file that is played.

import { announce } from "../ui/announcer.js";
import { centroidOf, LocalSpectrum, ServerSpectrum } from "./live_spectrum.js";
import { Microphone, microphoneUnavailableReason } from "./microphone.js";
import { PlayedFile } from "./played_file.js";
import { Player } from "./player.js";
import { tapUnavailableReason } from "./sample_tap.js";
import { whatStandsOut } from "../gallery/explanation.js";
import { Spectrograph } from "./spectrograph.js";
import { formatClock } from "../ui/format.js";
import { checkFile } from "../input/file_check.js";
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
    this.fileInput = openers.file;
    this.part = (id) => panel.querySelector(`#${id}`);
    this.spectrograph = new Spectrograph(this.part("spectrum"));
    this.source = this.played = null;
    const unavailableReason = microphoneUnavailableReason();
    this.button.disabled = unavailableReason !== "";
    if (unavailableReason) openers.hint.textContent = unavailableReason;
    this.button.addEventListener("click", () => this.begin());
    this.fileInput.parentElement.hidden = tapUnavailableReason() !== "";
    this.fileInput.addEventListener("change", () => {
      const [file] = this.fileInput.files;
      this.fileInput.value = ""; // The same file may be chosen again.
      if (file) this.play(file);
    });
    this.part("recorder-stop").addEventListener("click", () => this.stop());
    this.part("recorder-again").addEventListener("click", () => (this.played ? this.play(this.played) : this.begin()));
    this.part("recorder-discard").addEventListener("click", () => this.discard());
    this.part("recorder-use").addEventListener("click", () => this.use());
  }

  get longestSeconds() {
    return (this.limits?.max_audio_duration_seconds ?? USUAL_LONGEST_SECONDS) - MARGIN_SECONDS;
  }

  /** Records what the microphone hears. */
  async begin() {
    this.reset();
    await this.listenTo((onSamples) => Microphone.open(onSamples), "Asking for the microphone", "Recording");
  }

  /** Plays a file and listens to it. */
  async play(file) {
    this.reset();
    const { reason } = await checkFile(file, null);
    if (reason) {
      this.onError(`${file.name}: ${reason}`);
      return;
    }
    this.played = file;
    const onEnded = () => this.stop();
    const open = (onSamples) => PlayedFile.open(file, onSamples, { onEnded });
    if (await this.listenTo(open, `Opening ${file.name}`, `Playing ${file.name}`)) this.onPlay(this.source);
  }

  /** Returns whether it listens. */
  async listenTo(open, asking, title) {
    const attempt = (this.attempt = {});
    this.show("asking", asking);
    let source;
    try {
      source = await open((samples) => this.take(samples));
    } catch (error) {
      if (attempt !== this.attempt) return false;
      this.discard();
      this.onError(error.message);
      return false;
    }
    if (attempt !== this.attempt) {
      source.close(); // Discarded while the browser asked, and perhaps begun again.
      return false;
    }
    this.source = source;
    this.spectrograph.clear();
    this.listenWith(source.sampleRateHz <= MAX_LIVE_RATE_HZ ? ServerSpectrum : LocalSpectrum);
    if (source.sampleRateHz <= MAX_LIVE_RATE_HZ) this.movingImage.begin(source.sampleRateHz);
    this.show("recording", title);
    this.part("recorder-title").focus();
    announce(`${title}.`);
    return true;
  }

  listenWith(Spectrum) {
    const isServers = Spectrum === ServerSpectrum;
    this.part("recorder-source").textContent = isServers
      ? "Heard by the server, as images are."
      : "Heard by this browser.";
    this.spectrum = new Spectrum(isServers ? this.source.sampleRateHz : this.source.analyser, {
      onColumns: (columns) => this.draw(columns),
      onLevel: (decibels) => this.measure(decibels),
      onSummary: (descriptors) => this.showHeard(descriptors),
      onLost: () => this.panel.dataset.state === "recording" && this.listenWith(LocalSpectrum),
    });
  }

  take(samples) {
    if (this.panel.dataset.state !== "recording") return;
    const most = Math.floor(this.longestSeconds * this.source.sampleRateHz) - this.sampleCount;
    // A file is there already, and may be longer.
    const block = samples.length > most && !this.played ? samples.subarray(0, most) : samples;
    if (!this.played) this.blocks.push(block);
    this.sampleCount += block.length;
    this.spectrum.feed(block);
    this.movingImage.feed(block);
    this.showTime();
    if (samples.length >= most && !this.played) this.stop();
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
    const seconds = this.played ? this.source.time : this.sampleCount / this.source.sampleRateHz;
    const whole = this.played ? this.source.duration : this.longestSeconds + MARGIN_SECONDS;
    this.part("recorder-time").textContent =
      formatClock(seconds) + (Number.isFinite(whole) ? ` of ${formatClock(whole)}` : "");
  }

  stop() {
    if (this.panel.dataset.state !== "recording") return;
    this.spectrum.end();
    this.movingImage.end();
    this.source.close();
    if (this.played) this.showTake(this.played, "Draw it, or play it again");
    else this.keepTake(this.source.sampleRateHz);
    announce("Stopped.");
  }

  /** Makes a file of what was recorded, if it is long enough. */
  keepTake(rate) {
    const shortest = this.limits?.min_audio_duration_seconds ?? 0;
    if (this.sampleCount / rate < shortest) {
      this.discard();
      this.onError("The recording is too short. Let it run a little longer.");
      return;
    }
    const time = new Date();
    const two = (number) => String(number).padStart(2, "0");
    const name = `recording ${two(time.getHours())}.${two(time.getMinutes())}.${two(time.getSeconds())}.wav`;
    this.showTake(wavFile(this.blocks, rate, name), "Listen to it, then use it");
    this.drawTake(this.player, this.file);
  }

  showTake(file, title) {
    this.file = file;
    this.player = new Player(file.name, { onPlay: this.onPlay });
    this.player.load({ file });
    this.part("take").replaceChildren(this.player.element);
    this.show("taken", title);
    this.part("recorder-use").focus();
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
    this.source?.close();
    this.player?.unload();
    this.spectrum = this.source = this.played = this.player = this.file = this.attempt = null;
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
    this.part("recorder-again").textContent = this.played ? "Play again" : "Record again";
    this.part("recorder-discard").textContent = this.played ? "Close" : "Discard";
    this.part("recorder-stop").hidden = state !== "recording";
    for (const id of ["recorder-use", "recorder-again", "take"]) this.part(id).hidden = state !== "taken";
    if (state === "asking") this.part("recorder-time").textContent = "";
  }
}
