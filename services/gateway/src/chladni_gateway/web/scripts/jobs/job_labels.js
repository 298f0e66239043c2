// The state of a job in words.

import { formatNumber, formatSeconds } from "../ui/format.js";

const PARTS = {
  audioldm_mel: "mel image",
  sd_refined: "refinement",
  fallback: "from the spectrogram",
};
const SILENCE_LUFS = -60;
const FALLBACKS = {
  spectrogram: "from the spectrogram",
  audioldm_mel: "to the mel image alone",
};

/** Returns the stage that is under way; null if all are done. */
export function stageOf(job) {
  switch (job.state) {
    case "listening":
      return "listen";
    case "queued":
      return job.descriptors || job.position !== null ? "wait" : "listen";
    case "running":
      return job.step > 0 && job.step === job.totalSteps ? "keep" : "paint";
    case "interrupted":
      return job.totalSteps > 0 ? "paint" : "wait";
    case "completed":
      return null;
    default:
      return "send";
  }
}

/** Returns how much is done, 0 to 1; null if that is not known. */
export function shareOf(job) {
  switch (job.state) {
    case "sending":
      return job.sent < 1 ? job.sent : null;
    case "running":
    case "interrupted":
      return job.totalSteps > 0 ? job.step / job.totalSteps : null;
    case "completed":
      return 1;
    case "failed":
      return 0;
    default:
      return null;
  }
}

/** Returns what to say about the recording and a fallback of the recipe; an empty string if there is nothing. */
export const notesOf = ({ fallback, warnings, descriptors }) =>
  [
    isSilent(descriptors) && "The recording is silent: the seed alone decides what is drawn.",
    ...warnings.map(({ message }) => message),
    fallback && `The recipe uses its fallback, ${FALLBACKS[fallback.name] ?? fallback.name}. ${fallback.reason}`,
  ]
    .filter(Boolean)
    .join(" ");

const isSilent = (descriptors) =>
  descriptors?.some(({ name, value, minimum }) => name === "loudness" && (value <= SILENCE_LUFS || value <= minimum));

const inPart = ({ part }) => (part ? `, ${PARTS[part] ?? part}` : "");

/** Returns what to say when the server has been silent for a while. */
export function delayOf(quietSeconds, usualSeconds) {
  const usual = usualSeconds ? ` An image usually takes ${formatSeconds(usualSeconds)} here.` : "";
  return `No news from the server for ${formatSeconds(Math.floor(quietSeconds))}.${usual} It goes on by itself; you can also cancel.`;
}

export function statusOf(job) {
  switch (job.state) {
    case "waiting":
      return "Waiting in this browser.";
    case "sending":
      return job.sent < 1 ? `Sending, ${Math.round(job.sent * 100)} % done.` : "Sent.";
    case "refused":
      return `${job.error.isUnreachable ? "The server does not answer" : "The server is busy"}; next try in ${formatSeconds(job.remainingSeconds)}.`;
    case "listening":
      return "Listening to the recording.";
    case "queued":
      if (job.position === null && job.draft)
        return "The first image is there; the next one starts from it.";
      if (job.position === null)
        return job.audio
          ? `Heard ${formatSeconds(job.audio.duration_seconds)} of sound.`
          : "Listening to the recording.";
      return job.position === 0 ? "Next in line." : `Waiting behind ${job.position}.`;
    case "running":
      return job.step === 0
        ? `Painting in ${formatNumber(job.totalSteps, "step")}${inPart(job)}.`
        : `Step ${job.step} of ${job.totalSteps}${inPart(job)}.`;
    case "interrupted":
      return "The connection broke; reconnecting.";
    case "completed":
      return "Done.";
    case "failed":
      return job.error.message;
    default:
      return "Cancelled.";
  }
}
