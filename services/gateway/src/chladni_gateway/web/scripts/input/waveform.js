// The waveform of a recording, and a part of it as a file of its own.

import { wavFile } from "../audio/wav.js";

const OVERVIEW_RATE_HZ = 8000; // Enough to see; an hour takes 115 MB of memory meanwhile.
const CUT_RATE_HZ = 44100;
const LONG_CUT_RATE_HZ = 22050; // That of the server's analyses: a long recording is decoded in half the memory.
const LONG_SECONDS = 20 * 60;
const BIN_COUNT = 720;

/**
 * Returns `{seconds, peaks}`: the length, and the loudest sample of each of many equal bins, 0 to 1.
 * Throws if the browser cannot decode the recording.
 */
export async function overviewOf(file) {
  const buffer = await decoded(file, OVERVIEW_RATE_HZ);
  const peaks = new Float32Array(BIN_COUNT);
  const perBin = buffer.length / BIN_COUNT;
  for (const samples of channelsOf(buffer)) {
    for (let bin = 0; bin < BIN_COUNT; bin += 1) {
      const end = Math.min(samples.length, Math.floor((bin + 1) * perBin));
      for (let i = Math.floor(bin * perBin); i < end; i += 1) peaks[bin] = Math.max(peaks[bin], Math.abs(samples[i]));
    }
  }
  return { seconds: buffer.duration, peaks };
}

/** Returns where the loudest part of a length begins, in seconds. */
export function loudestStart({ seconds, peaks }, partSeconds) {
  const width = Math.max(1, Math.round((partSeconds / seconds) * peaks.length));
  let sum = 0;
  let most = 0;
  let best = 0;
  peaks.forEach((peak, bin) => {
    sum += peak ** 2 - (bin >= width ? peaks[bin - width] ** 2 : 0);
    if (bin >= width - 1 && sum > most * 1.0001) [most, best] = [sum, bin - width + 1];
  });
  return Math.max(0, Math.min((best / peaks.length) * seconds, seconds - partSeconds));
}

/**
 * Returns a part of a recording as a mono WAV file: for files that are too large to be sent whole, or of which the
 * rest is nobody's business. `seconds` is the length of the whole, if it is known.
 */
export async function cutOut(file, { start, end, seconds = 0 }) {
  const rateHz = seconds > LONG_SECONDS ? LONG_CUT_RATE_HZ : CUT_RATE_HZ;
  const buffer = await decoded(file, rateHz);
  const channels = channelsOf(buffer);
  const from = Math.floor(start * rateHz);
  const mixed = new Float32Array(Math.floor((end - start) * rateHz));
  for (let i = 0; i < mixed.length; i += 1) {
    for (const channel of channels) mixed[i] += (channel[from + i] ?? 0) / channels.length;
  }
  return wavFile([mixed], rateHz, `${file.name.replace(/\.[^.]*$/, "")}.wav`);
}

const channelsOf = (buffer) =>
  Array.from({ length: buffer.numberOfChannels }, (_, index) => buffer.getChannelData(index));

async function decoded(file, rateHz) {
  return new OfflineAudioContext(1, 1, rateHz).decodeAudioData(await file.arrayBuffer());
}
