// The events of a job, followed over as many connections as it takes.

import { ApiError, openJobEvents } from "./api.js";
import { readEvents } from "./event_stream.js";
import { pause } from "./pause.js";

const PAUSES_MS = [300, 1000, 2000, 4000, 5000];
const NOTHING_LEFT = 204;
const PATIENCE_MS = 180_000;
const LAST_EVENTS = new Set(["created", "failed", "error", "cancelled"]);

/**
 * Yields the events of a job up to its last one. Where the connection breaks, it yields `{name: "interrupted"}`
 * and asks again for what came after the event that it saw last.
 *
 * Throws ApiError where the server knows no such job, or stays away for minutes.
 */
export async function* followJob(jobId, { signal }) {
  let lastEventId = null;
  let failures = 0;
  let heardAt = performance.now();
  for (;;) {
    try {
      const response = await openJobEvents(jobId, { lastEventId, signal });
      if (response.status === NOTHING_LEFT) return;
      for await (const event of readEvents(response.body)) {
        lastEventId = event.id ?? lastEventId;
        failures = 0;
        heardAt = performance.now();
        yield event;
        if (LAST_EVENTS.has(event.name)) return;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      const isPassing =
        !(error instanceof ApiError) || error.isUnreachable || error.status >= 500 || error.status === 429;
      if (!isPassing) throw error;
    }
    if (performance.now() - heardAt > PATIENCE_MS) throw ApiError.unreachable();
    yield { name: "interrupted", data: {} };
    await pause(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)], signal);
    failures += 1;
  }
}
