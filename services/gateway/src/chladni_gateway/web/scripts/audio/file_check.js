// Checks a file before it is uploaded.

import { formatBytes, formatSeconds } from "../ui/format.js";

const HEAD_BYTES = 12;
const METADATA_TIMEOUT_MS = 3000;
const HOPELESSLY_LONG = 4; // Files of this many times the limit are not decoded to be sure.
const TOLERANCE_SECONDS = 0.1; // Encoders pad; within this the server decides.
const DECODING_RATE_HZ = 22050;

/** Returns why a file cannot be used, or an empty string. Without limits only the format is checked. */
export async function rejectionReasonOf(file, limits) {
  if (file.size === 0) return "the file is empty.";
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  if (!isKnownFormat(head))
    return "not a recording in WAV, MP3, FLAC or OGG format. Export it as one of these.";
  if (!limits) return "";
  const {
    max_audio_bytes: maxBytes,
    min_audio_duration_seconds: shortest,
    max_audio_duration_seconds: longest,
  } = limits;
  if (file.size > maxBytes) {
    return `the file is over ${formatBytes(maxBytes)}, the limit. Cut out a part, or compress it as OGG or MP3.`;
  }
  const seconds = await durationOf(file, longest);
  if (seconds > longest + TOLERANCE_SECONDS) {
    return `${formatSeconds(seconds)} is too long; at most ${formatSeconds(longest)} are allowed. Cut out a part.`;
  }
  if (seconds < shortest) {
    return `${formatSeconds(seconds)} is too short; at least ${formatSeconds(shortest)} are needed.`;
  }
  return "";
}

/** Returns whether the first bytes are those of a format that the server reads. */
function isKnownFormat(head) {
  const text = String.fromCharCode(...head);
  const isMpegFrame = head[0] === 0xff && (head[1] & 0xe6) === 0xe2;
  return (
    (text.startsWith("RIFF") && text.slice(8, 12) === "WAVE") ||
    text.startsWith("fLaC") ||
    text.startsWith("OggS") ||
    text.startsWith("ID3") ||
    isMpegFrame
  );
}

/** Returns the length of a recording in seconds; NaN if the browser cannot find out, then the server decides. */
async function durationOf(file, maximumSeconds) {
  const stated = await headerDuration(file);
  // What a header says is an estimate for some formats; decoding gives the exact length.
  if (stated > HOPELESSLY_LONG * maximumSeconds) return stated;
  try {
    const decoder = new OfflineAudioContext(1, 1, DECODING_RATE_HZ);
    return (await decoder.decodeAudioData(await file.arrayBuffer())).duration;
  } catch {
    return stated;
  }
}

async function headerDuration(file) {
  const address = URL.createObjectURL(file);
  const audio = new Audio();
  audio.preload = "metadata";
  try {
    return await new Promise((resolve) => {
      setTimeout(() => resolve(Number.NaN), METADATA_TIMEOUT_MS);
      audio.addEventListener("loadedmetadata", () => resolve(audio.duration));
      audio.addEventListener("error", () => resolve(Number.NaN));
      audio.src = address;
    });
  } finally {
    audio.removeAttribute("src");
    URL.revokeObjectURL(address);
  }
}
