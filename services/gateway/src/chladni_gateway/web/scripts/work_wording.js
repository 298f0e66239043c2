// Where a work stands, for people.

import { formatSeconds } from "./wording.js";

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
      if (work.position === null)
        return work.audio
          ? `Heard ${formatSeconds(work.audio.duration_seconds)} of sound.`
          : "Listening to the recording.";
      return work.position === 0 ? "Next in line." : `Waiting behind ${work.position}.`;
    case "running":
      return work.step === 0
        ? `Painting in ${work.totalSteps} steps.`
        : `Step ${work.step} of ${work.totalSteps}.`;
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
