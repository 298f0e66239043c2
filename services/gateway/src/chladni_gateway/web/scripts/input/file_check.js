// Checks a file before it is uploaded.

import { formatBytes, formatSeconds, formatShortTime } from "../ui/format.js";

const HEAD_BYTES = 12;
const METADATA_TIMEOUT_MS = 3000;
// Images, documents and archives: the wrong file was chosen.
const FOREIGN_STARTS = ["\x89PNG", "\xff\xd8\xff", "GIF8", "%PDF", "PK\x03\x04", "\x1f\x8b", "\x7fELF"];
const STARTS_IN_LETTERS = ["RIFF", "RF64", "BW64", "FORM", "fLaC", "OggS", "ID3", "APETAGEX", "#!AMR", "caff"];
const HOPELESSLY_LONG = 4; // Files of this many times the limit are not decoded to be sure.
const TOLERANCE_SECONDS = 0.1; // Encoders pad; within this the server decides.
const DECODING_RATE_HZ = 22050;
// What a browser can decode as a whole, to show its waveform.
const MAX_DECODED_BYTES = 300 * 2 ** 20;
const MAX_DECODED_SECONDS = 2 * 60 * 60;

/**
 * Returns `{reason, isLong}`: why a file cannot be used, or an empty string; and whether only a part of it can be.
 * Without limits only the format is checked.
 */
export async function checkFile(file, limits) {
  if (file.size === 0) return refused("the file is empty.");
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  if (!isKnownFormat(head)) {
    return refused("not a recording in a known format, such as WAV, MP3, M4A or OGG. Export it as one of these.");
  }
  if (!limits) return ACCEPTED;
  const {
    max_audio_bytes: maxBytes,
    min_audio_duration_seconds: shortest,
    max_audio_duration_seconds: longest,
  } = limits;
  const seconds = await durationOf(file, longest);
  if (seconds > longest + TOLERANCE_SECONDS) {
    if (file.size <= MAX_DECODED_BYTES && seconds <= MAX_DECODED_SECONDS) return { reason: "", isLong: true };
    return refused(tooLong(seconds, longest));
  }
  if (file.size > maxBytes) {
    return refused(`the file is over ${formatBytes(maxBytes)}, the limit. Cut out a part, or compress it as OGG or MP3.`);
  }
  if (seconds < shortest) {
    return refused(`${formatShortTime(seconds)} is too short; at least ${formatSeconds(shortest)} are needed.`);
  }
  return ACCEPTED;
}

/**
 * Returns `{reason, isLong, seconds}` for the song of a film, which is taken as a whole; `seconds` is its length as its
 * header states it, NaN if it does not.
 */
export async function checkSong(file, limits) {
  const { reason } = await checkFile(file, null);
  if (reason) return refused(reason);
  if (!limits) return refused("the server has not said yet what songs it takes. Give it again in a moment.");
  const { max_song_bytes: maxBytes, min_song_duration_seconds: shortest, max_song_duration_seconds: longest } = limits;
  if (file.size > maxBytes) {
    return refused(`the file is over ${formatBytes(maxBytes)}, the limit of songs. Compress it, such as to OGG or MP3.`);
  }
  let seconds = await headerDuration(file);
  if (seconds > longest + TOLERANCE_SECONDS) seconds = await durationOf(file, longest);
  if (seconds > longest + TOLERANCE_SECONDS) {
    return refused(`${formatSeconds(seconds)} is too long; at most ${formatSeconds(longest)} are allowed. Cut the song.`);
  }
  if (seconds < shortest - TOLERANCE_SECONDS) {
    return refused(`${formatSeconds(seconds)} is too short; a song has at least ${formatSeconds(shortest)}.`);
  }
  return { ...ACCEPTED, seconds };
}

const ACCEPTED = { reason: "", isLong: false };
const refused = (reason) => ({ reason, isLong: false });

const tooLong = (seconds, longest) =>
  `${formatSeconds(seconds)} is too long; at most ${formatSeconds(longest)} are allowed. Cut out a part.`;

/** Returns whether the first bytes may be those of audio; the server looks closer. */
function isKnownFormat(head) {
  const text = String.fromCharCode(...head);
  return !FOREIGN_STARTS.some((start) => text.startsWith(start)) && text.slice(8, 12) !== "WEBP" && !isText(head);
}

function isText(head) {
  return !STARTS_IN_LETTERS.some((start) => String.fromCharCode(...head).startsWith(start)) && head.every(isPrintable);
}

const isPrintable = (byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Returns the length of a recording in seconds; NaN if the browser cannot find out, then the server decides. */
async function durationOf(file, maximumSeconds) {
  const stated = await headerDuration(file);
  // What a header says is an estimate for some formats; decoding gives the exact length.
  if (stated > HOPELESSLY_LONG * maximumSeconds || file.size > MAX_DECODED_BYTES) return stated;
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
      // Infinite if the header does not say it, as in what browsers record.
      audio.addEventListener("loadedmetadata", () =>
        resolve(Number.isFinite(audio.duration) ? audio.duration : Number.NaN),
      );
      audio.addEventListener("error", () => resolve(Number.NaN));
      audio.src = address;
    });
  } finally {
    audio.removeAttribute("src");
    URL.revokeObjectURL(address);
  }
}
