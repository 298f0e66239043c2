// Where a work stands, for people.

import { formatSeconds } from "./wording.js";

const PARTS = {
  audioldm_mel: "mel image",
  sd_refined: "refinement",
  fallback: "from the spectrogram",
};
const WAYS = {
  spectrogram: "from the spectrogram",
  audioldm_mel: "to the mel image alone",
};

/** Returns the stage that is under way; null where all are done. */
export function stageOf(work) {
  switch (work.state) {
    case "listening":
      return "listen";
    case "queued":
      return work.descriptors || work.position !== null ? "wait" : "listen";
    case "running":
      return work.step > 0 && work.step === work.totalSteps ? "keep" : "paint";
    case "interrupted":
      return work.totalSteps > 0 ? "paint" : "wait";
    case "completed":
      return null;
    default:
      return "send";
  }
}

/** Returns how much is done, 0 to 1; null where nobody knows. */
export function shareOf(work) {
  switch (work.state) {
    case "sending":
      return work.sent < 1 ? work.sent : null;
    case "running":
    case "interrupted":
      return work.totalSteps > 0 ? work.step / work.totalSteps : null;
    case "completed":
      return 1;
    case "failed":
      return 0;
    default:
      return null;
  }
}

/** Returns what to say of another way than the recipe's own; nothing where it keeps to its own. */
export const fallbackOf = ({ fallback }) =>
  fallback ? `The recipe takes another way, ${WAYS[fallback.way] ?? fallback.way}. ${fallback.reason}` : "";

const inPart = ({ part }) => (part ? `, ${PARTS[part] ?? part}` : "");

export function statusOf(work) {
  switch (work.state) {
    case "waiting":
      return "Waits here for its turn.";
    case "sending":
      return work.sent < 1 ? `Sending, ${Math.round(work.sent * 100)} % done.` : "Sent.";
    case "refused":
      return `${work.error.isUnreachable ? "The server does not answer" : "The server is busy"}; next try in ${formatSeconds(work.remainingSeconds)}.`;
    case "listening":
      return "Listening to the recording.";
    case "queued":
      if (work.position === null && work.draft)
        return "The first image is there; the next one starts from it.";
      if (work.position === null)
        return work.audio
          ? `Heard ${formatSeconds(work.audio.duration_seconds)} of sound.`
          : "Listening to the recording.";
      return work.position === 0 ? "Next in line." : `Waiting behind ${work.position}.`;
    case "running":
      return work.step === 0
        ? `Painting in ${work.totalSteps} steps${inPart(work)}.`
        : `Step ${work.step} of ${work.totalSteps}${inPart(work)}.`;
    case "interrupted":
      return "The connection broke; taking it up again.";
    case "completed":
      return "Done.";
    case "failed":
      return work.error.message;
    default:
      return "Cancelled.";
  }
}
