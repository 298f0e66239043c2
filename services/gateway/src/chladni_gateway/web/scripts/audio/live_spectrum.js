// The spectrum of a live sound: the server's, through /api/v1/live, or the browser's own if that is not offered.
//
// Both give columns of bytes, the lowest frequency first, 0 for what is 70 dB below the loudest part so far.

import { toPcm16 } from "./wav.js";

const RANGE_DB = 70;
const LOUDEST_AT_FIRST_DB = 0; // Of the server's mel power: a quiet room stays dark.
const LOWEST_LEVEL_DB = -120;
const LOCAL_COLUMNS_PER_SECOND = 43;
const LOCAL_BANDS = 96;
const LOWEST_HZ = 50;
const HIGHEST_HZ = 10000;

/** What a spectrum calls: `onColumns(columns)`, `onLevel(dB)`, `onSummary(descriptors)`, `onLost()`. */

/** The server's; speaks the protocol of /api/v1/live. */
export class ServerSpectrum {
  constructor(sampleRateHz, listener) {
    this.listener = listener;
    this.loudestDb = LOUDEST_AT_FIRST_DB;
    this.isReady = false;
    this.isEnding = false;
    const address = new URL("/api/v1/live", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = new WebSocket(address);
    this.socket.onopen = () => this.socket.send(JSON.stringify({ sample_rate_hz: Math.round(sampleRateHz) }));
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    this.socket.onclose = () => !this.isEnding && listener.onLost();
  }

  /** Takes samples; those that come before the server is ready are not drawn. */
  feed(samples) {
    if (this.isReady && this.socket.readyState === WebSocket.OPEN) this.socket.send(toPcm16(samples));
  }

  /** Ends the sound; the server still sends its summary. */
  end() {
    this.isEnding = true;
    if (this.isReady && this.socket.readyState === WebSocket.OPEN)
      this.socket.send(JSON.stringify({ type: "end" }));
    else this.close();
  }

  close() {
    this.isEnding = true;
    this.socket.close();
  }

  take(message) {
    switch (message.type) {
      case "ready":
        this.scale = message;
        this.isReady = true;
        break;
      case "frames":
        this.listener.onColumns(message.power_db.map((frame) => this.toLevels(frame)));
        if (message.level !== null) this.listener.onLevel(message.level.rms_dbfs);
        break;
      case "summary":
        this.listener.onSummary(message.descriptors);
        break;
    }
  }

  toLevels(frame) {
    const { minimum_db: minimum, maximum_db: maximum } = this.scale;
    const decibels = Float32Array.from(
      atob(frame),
      (byte) => minimum + (byte.charCodeAt(0) / 255) * (maximum - minimum),
    );
    this.loudestDb = Math.max(this.loudestDb, ...decibels);
    return Uint8Array.from(decibels, (value) => 255 * Math.max(0, 1 + (value - this.loudestDb) / RANGE_DB));
  }
}

/** The browser's, from an AnalyserNode. */
export class LocalSpectrum {
  constructor(analyser, listener) {
    this.analyser = analyser;
    this.listener = listener;
    analyser.minDecibels = -100;
    analyser.maxDecibels = -100 + RANGE_DB;
    this.bins = new Uint8Array(analyser.frequencyBinCount);
    const binHz = analyser.context.sampleRate / analyser.fftSize;
    this.edges = Array.from({ length: LOCAL_BANDS + 1 }, (_, band) =>
      Math.round((LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (band / LOCAL_BANDS)) / binHz),
    );
    this.timer = setInterval(() => this.look(), 1000 / LOCAL_COLUMNS_PER_SECOND);
  }

  feed(samples) {
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    this.listener.onLevel(power > 0 ? Math.max(LOWEST_LEVEL_DB, 10 * Math.log10(power)) : LOWEST_LEVEL_DB);
  }

  end() {
    this.close();
  }

  close() {
    clearInterval(this.timer);
  }

  look() {
    this.analyser.getByteFrequencyData(this.bins);
    const levels = Uint8Array.from({ length: LOCAL_BANDS }, (_, band) =>
      Math.max(...this.bins.subarray(this.edges[band], Math.max(this.edges[band] + 1, this.edges[band + 1]))),
    );
    this.listener.onColumns([levels]);
  }
}

/** Returns where the middle of a column's energy lies, 0 (low) to 1 (high). */
export function centroidOf(levels) {
  let sum = 0;
  let weighted = 0;
  levels.forEach((level, index) => {
    sum += level * level;
    weighted += level * level * index;
  });
  return sum > 0 ? weighted / sum / levels.length : 0;
}
