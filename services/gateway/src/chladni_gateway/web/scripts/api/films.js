// Films over the REST API.

import { fetchJson, send, upload } from "./gateway.js";

const FILMS = "/api/v1/films";

/** Returns `{films, limits}`: this session's films, the newest first, and what films may be. */
export const fetchFilms = () => fetchJson(FILMS);

/**
 * Sends a song with how its film is to be made; returns the film.
 *
 * What is wrong with the other fields is refused before the file has been sent, as it comes last.
 */
export function createFilm(file, fields, { signal, onSent }) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", file, file.name);
  return upload(FILMS, form, { signal, onSent });
}

export const openFilmEvents = (filmId, { signal }) =>
  send(`${FILMS}/${filmId}/events`, { headers: { Accept: "text/event-stream" }, signal });

/** Stops a film once its work has stopped; returns it. */
export const cancelFilm = (filmId) => fetchJson(`${FILMS}/${filmId}/cancel`, { method: "POST" });

/** Goes on with a film that was stopped or has failed; returns it. */
export const resumeFilm = (filmId) => fetchJson(`${FILMS}/${filmId}/resume`, { method: "POST" });

export const deleteFilm = (filmId) => send(`${FILMS}/${filmId}`, { method: "DELETE" });
