// Recordings come in: by drop, by choice or by paste, and are checked before they are sent.

import { formatBytes, formatSeconds } from "./wording.js";

const HEAD_BYTES = 12;
const METADATA_TIMEOUT_MS = 3000;

export class Intake {
  /** Limits of the server, once known. */
  limits = null;

  constructor({ input, plate, onFiles, onRefusal }) {
    this.onFiles = onFiles;
    this.onRefusal = onRefusal;
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = ""; // The same file may be chosen again.
      this.take(files);
    });
    document.addEventListener("paste", (event) => this.take([...event.clipboardData.files]));
    let depth = 0;
    const mark = (change) => {
      depth = Math.max(0, depth + change);
      plate.toggleAttribute("data-over", depth > 0);
    };
    document.addEventListener("dragenter", (event) => {
      event.preventDefault();
      mark(+1);
    });
    document.addEventListener("dragleave", () => mark(-1));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      mark(-depth);
      this.take([...event.dataTransfer.files]);
    });
  }

  async take(files) {
    const accepted = [];
    for (const file of files) {
      const reason = await this.objection(file);
      if (reason) this.onRefusal(`${file.name}: ${reason}`);
      else accepted.push(file);
    }
    if (accepted.length > 0) this.onFiles(accepted);
  }

  /** Returns why a file cannot be used, or an empty string. */
  async objection(file) {
    if (file.size === 0) return "the file is empty.";
    const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
    if (!isKnownFormat(head)) return "not a recording in WAV, MP3, FLAC or OGG format.";
    if (!this.limits) return "";
    const { max_file_bytes: maxBytes, duration_seconds: range } = this.limits;
    if (file.size > maxBytes) {
      return `the file is over ${formatBytes(maxBytes)}, the limit. Cut out a part, or compress it as OGG or MP3.`;
    }
    const seconds = await durationOf(file);
    if (seconds > range.maximum) {
      return `${formatSeconds(seconds)} is too long; at most ${formatSeconds(range.maximum)} are allowed. Cut out a part.`;
    }
    if (seconds < range.minimum) {
      return `${formatSeconds(seconds)} is too short; at least ${formatSeconds(range.minimum)} are needed.`;
    }
    return "";
  }
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

/** Returns the length of a recording in seconds; NaN where the browser cannot tell, which the server then does. */
async function durationOf(file) {
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
