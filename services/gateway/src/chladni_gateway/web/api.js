// The REST API of the gateway.

import { readEvents } from "./event_stream.js";

/** An error that the gateway answered with, or that kept its answer from coming. */
export class ApiError extends Error {
  constructor({ code, message, stage }) {
    super(message);
    this.code = code;
    this.stage = stage;
  }
}

export const fetchLimits = () => fetchJson("/api/limits");

export const fetchRecipes = async () => (await fetchJson("/api/recipes")).recipes;

export const compareImages = (first, second) =>
  fetchJson("/api/compare", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ image_id_1: first, image_id_2: second }),
  });

/**
 * Uploads a recording and reports what happens; returns the description of the picture.
 * Aborting the signal closes the connection, which stops the work on the server.
 */
export async function createImage(file, settings, { signal, onEvent }) {
  const form = new FormData();
  form.append("file", file, file.name);
  for (const [name, value] of Object.entries(settings)) form.append(name, value);
  const response = await send("/api/generate", {
    method: "POST",
    body: form,
    headers: { Accept: "text/event-stream" },
    signal,
  });
  for await (const event of readEvents(response.body)) {
    if (event.name === "error") throw new ApiError(event.data.error);
    if (event.name === "created") return event.data;
    onEvent(event);
  }
  throw new ApiError({ code: "INTERRUPTED", message: "The connection ended before the picture was done. Try again." });
}

async function fetchJson(path, options) {
  return (await send(path, options)).json();
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ code: "UNREACHABLE", message: "The server cannot be reached. Is it running? Try again shortly." });
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new ApiError(body?.error ?? { code: "UNKNOWN", message: `The server answered with status ${response.status}.` });
}
