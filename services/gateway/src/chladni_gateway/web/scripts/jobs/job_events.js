// The events of a job, followed over as many connections as necessary.

import { ApiError, openJobEvents } from "../api/gateway.js";
import { readEvents } from "../api/event_stream.js";
import { delay } from "../ui/delay.js";

const DELAYS_MS = [300, 1000, 2000, 4000, 5000];
const NOTHING_LEFT = 204;
const TIMEOUT_MS = 180_000;
const LAST_EVENTS = new Set(["created", "failed", "error", "cancelled"]);

/**
 * Yields the events of a job up to its last one. If the connection breaks, or the server stops before the job is
 * done, it yields `{name: "interrupted"}` and asks again for what came after the event that it saw last.
 *
 * Throws ApiError if the server knows no such job, or is unreachable for minutes.
 */
export async function* followJob(jobId, { signal }) {
  let lastEventId = null;
  let failures = 0;
  let lastEventAt = performance.now();
  for (;;) {
    try {
      const response = await openJobEvents(jobId, { lastEventId, signal });
      if (response.status === NOTHING_LEFT) return;
      for await (const event of readEvents(response.body)) {
        if (endsWithItsServer(event)) break;
        lastEventId = event.id ?? lastEventId;
        failures = 0;
        lastEventAt = performance.now();
        yield event;
        if (LAST_EVENTS.has(event.name)) return;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      const isTransient =
        !(error instanceof ApiError) || error.isUnreachable || error.status >= 500 || error.status === 429;
      if (!isTransient) throw error;
    }
    if (performance.now() - lastEventAt > TIMEOUT_MS) throw ApiError.unreachable();
    yield { name: "interrupted", data: {} };
    await delay(DELAYS_MS[Math.min(failures, DELAYS_MS.length - 1)], signal);
    failures += 1;
  }
}

/** Whether a job failed only because its server stops: the server that comes next is asked about it. */
function endsWithItsServer({ name, data }) {
  return name === "failed" && data.error?.code === "DRAINING";
}
