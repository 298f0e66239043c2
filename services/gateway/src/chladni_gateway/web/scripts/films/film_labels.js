// Films in words.

import { adviceFor } from "../api/error_advice.js";
import { formatBytes, formatLong, formatNumber, formatSeconds, formatUntil } from "../ui/format.js";

export const PARTS = { visualizer: "visualiser", loop: "loop", cover: "cover" };
const FORMATS = { "video/mp4": "MP4", "image/png": "PNG" };
const WORKING = new Set(["queued", "running"]);

/** Whether something still happens to a film by itself. */
export const isUnfinished = ({ state }) => WORKING.has(state);

export const nameOf = (film) => film.display_name || "song";

const percentOf = ({ progress }) => `${Math.floor(progress * 100)} %`;

/** Returns where a film is, in a sentence or two; `keptSeconds` is how long films are kept after their end. */
export function statusOf(film, { keptSeconds, isInterrupted = false }) {
  if (isInterrupted && isUnfinished(film)) return "The connection broke; reconnecting. The film goes on meanwhile.";
  switch (film.state) {
    case "queued":
      return "Waiting for its turn; films are made one after the other.";
    case "running":
      return [doing(film), `${percentOf(film)} done`, remaining(film)].filter(Boolean).join(", ") + ".";
    case "completed":
      return `Done.${kept(film, keptSeconds)}`;
    case "cancelled":
      return `Stopped at ${percentOf(film)}; it can go on from there.${kept(film, keptSeconds)}`;
    default:
      return `It could not be made.${kept(film, keptSeconds)}`;
  }
}

const doing = ({ part }) => (part ? `Making the ${PARTS[part]}` : "Listening to the song");
const remaining = ({ remaining_seconds: seconds }) => seconds !== null && `about ${formatSeconds(Math.max(1, seconds))} left`;

/** Returns when the server removes a film that has ended. */
function kept({ end_time: ended }, seconds) {
  if (!ended) return "";
  return ` The server removes it ${formatUntil(new Date(Date.parse(ended) + seconds * 1000).toISOString())}.`;
}

/** Returns what went wrong and what to do, or nothing. */
export function faultOf({ error }) {
  if (!error) return "";
  return [error.message, adviceFor(error)].filter(Boolean).join(" ");
}

/** Returns facts of a film that do not change: how long its song is, and its seed. */
export const factsOf = ({ song_seconds: seconds, seed }) =>
  [seconds && formatSeconds(seconds), `seed ${seed}`].filter(Boolean).join(" · ");

/** Returns what a link to a file says: "Download the loop (MP4, 3.1 MB)". */
export const describeFile = ({ part, content_type: type, size_bytes: bytes }) =>
  `Download the ${PARTS[part]} (${FORMATS[type]}, ${formatBytes(bytes)})`;

/** Returns what a song and its films may be. */
export function describeFilmLimits({
  min_song_duration_seconds: shortest,
  max_song_duration_seconds: longest,
  max_song_bytes: bytes,
  max_films: most,
  retention_seconds: seconds,
}) {
  const whole = formatSeconds(longest).replace(/ min 0 s$/, " min");
  const song = `A song of ${formatSeconds(shortest)} to ${whole}, up to ${formatBytes(bytes)}.`;
  return `${song} At most ${formatNumber(most, "film")}, each kept for ${formatLong(seconds)}.`;
}
