// The events of a job, followed over as many connections as necessary.

import { followEvents } from "../api/followed_events.js";
import { openJobEvents } from "../api/gateway.js";

const LAST_EVENTS = new Set(["created", "failed", "error", "cancelled"]);

/** Yields the events of a job up to its last one, and `{name: "interrupted"}` whenever the connection breaks. */
export const followJob = (jobId, { signal }) =>
  followEvents((lastEventId) => openJobEvents(jobId, { lastEventId, signal }), {
    signal,
    isLast: ({ name }) => LAST_EVENTS.has(name),
    isCutOff: endsWithItsServer,
  });

/** Whether a job failed only because its server stops: the server that comes next is asked about it. */
function endsWithItsServer({ name, data }) {
  return name === "failed" && data.error?.code === "DRAINING";
}
