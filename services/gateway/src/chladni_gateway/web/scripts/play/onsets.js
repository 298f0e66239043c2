// Where sounds begin in a recording, and how loud it is: computed in the browser, for an image that is played.

const RATE_HZ = 11025;
const HOP = 256;
const HISTORY_HOPS = 24; // About half a second: an onset stands out from what was before.
const RISE = 1.35; // How much louder than before an onset is.
const MIN_GAP_HOPS = 5;
const FLOOR = 0.02; // Of the loudest hop.

/**
 * Returns `{levels, hopSeconds, onsets}`: the level of each hop (0 to 1), and `{seconds, strength}` of each onset.
 *
 * @param {Blob} blob the recording
 * @param {{start: number, seconds: number}} part the part that counts
 */
export async function analyse(blob, { start = 0, seconds = Infinity } = {}) {
  const decoder = new OfflineAudioContext(1, 1, RATE_HZ);
  const buffer = await decoder.decodeAudioData(await blob.arrayBuffer());
  const from = Math.floor(start * RATE_HZ);
  const samples = buffer.getChannelData(0).subarray(from, from + Math.floor(Math.min(seconds, buffer.duration) * RATE_HZ));
  return measure(samples, RATE_HZ);
}

/** The same of mono samples. */
export function measure(samples, rateHz) {
  const count = Math.max(1, Math.floor(samples.length / HOP));
  const levels = new Float32Array(count);
  const edges = new Float32Array(count); // Differences of samples: attacks are rich in high frequencies.
  for (let hop = 0; hop < count; hop += 1) {
    let sum = 0;
    let edge = 0;
    for (let i = hop * HOP + 1; i < Math.min(samples.length, (hop + 1) * HOP); i += 1) {
      sum += samples[i] ** 2;
      edge += (samples[i] - samples[i - 1]) ** 2;
    }
    levels[hop] = Math.sqrt(sum / HOP);
    edges[hop] = Math.sqrt(edge / HOP) + levels[hop] / 4;
  }
  return { levels: scaled(levels), hopSeconds: HOP / rateHz, onsets: onsetsOf(scaled(edges), HOP / rateHz) };
}

function onsetsOf(levels, hopSeconds) {
  const onsets = [];
  let last = -MIN_GAP_HOPS;
  let before = 0; // Mean of the hops before.
  levels.forEach((level, hop) => {
    const rise = level - before;
    const isPeak = level >= (levels[hop + 1] ?? 0) || rise > before;
    if (level > FLOOR && level > before * RISE && isPeak && hop - last >= MIN_GAP_HOPS) {
      onsets.push({ seconds: hop * hopSeconds, strength: Math.min(1, rise * 2) });
      last = hop;
    }
    before += (level - before) / Math.min(hop + 1, level > before ? 4 : HISTORY_HOPS);
  });
  return onsets;
}

function scaled(values) {
  const largest = values.reduce((most, value) => Math.max(most, value), 0) || 1;
  return values.map((value) => value / largest);
}
