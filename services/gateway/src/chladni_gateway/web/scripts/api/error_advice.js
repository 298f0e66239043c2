// What to do about an error, if its message does not say so.

const ADVICE = {
  UNSUPPORTED_AUDIO_FORMAT: "Export it as WAV, FLAC, OGG or MP3.",
  CORRUPT_AUDIO: "Play it to see whether it is whole, then export it again.",
  BACKEND_UNAVAILABLE: "Try again in a moment.",
  MODEL_NOT_READY: "The models are still loading; try again in a moment.",
  DRAINING: "The server restarts; try again in a moment.",
  QUEUE_FULL: "Try again in a moment.",
  DEADLINE_TOO_SHORT: "Try fewer steps or a smaller size.",
  DEADLINE_EXCEEDED: "Try fewer steps, or try again when the server is less busy.",
  UNKNOWN_IMAGE: "Images expire. Make it again from its recording.",
  UNKNOWN_JOB: "The server was restarted and lost the job; try again.",
  OUT_OF_MEMORY: "Try a smaller size.",
  STORAGE_UNAVAILABLE: "The operator must make room for images; then try again.",
  UNAUTHENTICATED: "Reload the page to sign in.",
  PERMISSION_DENIED: "Sign in with a token that allows it.",
  INTERNAL: "Try again; if it fails again, tell the operator.",
};

/** Returns a sentence, or nothing; nothing is said twice. */
export function adviceFor(error) {
  const advice = ADVICE[error.code] ?? "";
  const isSaid = ["try again", "reload the page"].some(
    (words) => advice.toLowerCase().startsWith(words) && error.message.toLowerCase().includes(words),
  );
  return isSaid ? "" : advice;
}
