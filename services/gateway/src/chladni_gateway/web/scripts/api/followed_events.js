// The events of work on the server, followed over as many connections as necessary.

import { readEvents } from "./event_stream.js";
import { ApiError } from "./gateway.js";
import { delay } from "../ui/delay.js";

const DELAYS_MS = [300, 1000, 2000, 4000, 5000];
const NOTHING_LEFT = 204;
const TIMEOUT_MS = 180_000;
const LONG_MS = 10_000; // A connection that lasted so long was a good one, even if nothing was to tell.

/**
 * Yields events up to the last one. If the connection breaks, or the server stops before the work is done, it yields
 * `{name: "interrupted"}` and asks again for what came after the event that it saw last.
 *
 * Throws ApiError if the server knows no such work, or is unreachable for minutes.
 *
 * @param {(lastEventId: string | null) => Promise<Response>} open
 * @param {object} parts
 * @param {AbortSignal} parts.signal
 * @param {(event: object) => boolean} parts.isLast
 * @param {(event: object) => boolean} [parts.isCutOff] whether an event says only that the server stops
 */
export async function* followEvents(open, { signal, isLast, isCutOff = () => false }) {
  let lastEventId = null;
  let failures = 0;
  let lastEventAt = performance.now();
  for (;;) {
    let openedAt = null;
    try {
      const response = await open(lastEventId);
      if (response.status === NOTHING_LEFT) return;
      openedAt = performance.now();
      for await (const event of readEvents(response.body)) {
        if (isCutOff(event)) break;
        lastEventId = event.id ?? lastEventId;
        failures = 0;
        lastEventAt = performance.now();
        yield event;
        if (isLast(event)) return;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      const isTransient =
        !(error instanceof ApiError) || error.isUnreachable || error.status >= 500 || error.status === 429;
      if (!isTransient) throw error;
    }
    if (openedAt !== null && performance.now() - openedAt > LONG_MS) lastEventAt = performance.now();
    if (performance.now() - lastEventAt > TIMEOUT_MS) throw ApiError.unreachable();
    yield { name: "interrupted", data: {} };
    await delay(DELAYS_MS[Math.min(failures, DELAYS_MS.length - 1)], signal);
    failures += 1;
  }
}
