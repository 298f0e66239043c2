// The REST API of the gateway.

const UNREACHABLE =
  "The server cannot be reached. Check that it runs; the page continues by itself once it answers.";

/** An error that the gateway answered with, or that kept its answer from coming. */
export class ApiError extends Error {
  constructor({ code, message, stage }, { status = 0, retryAfterSeconds = null } = {}) {
    super(message);
    this.code = code;
    this.stage = stage;
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** Whether no answer came at all. */
  get isUnreachable() {
    return this.code === "UNREACHABLE";
  }

  static unreachable() {
    return new ApiError({ code: "UNREACHABLE", message: UNREACHABLE });
  }

  /** The error in an answer: its parsed body, or null if it had none. */
  static of(body, status, retryAfter) {
    const error = body?.error ?? {
      code: "UNKNOWN",
      message: `The server answered with status ${status}. Try again.`,
    };
    const seconds = Number.parseFloat(retryAfter);
    return new ApiError(error, { status, retryAfterSeconds: Number.isFinite(seconds) ? seconds : null });
  }
}

export const fetchLimits = async () => (await fetchJson("/api/v1/info")).limits;

/** Returns the recipes, the default one marked by `isDefault`. */
export async function fetchRecipes() {
  const { recipes, default_recipe: usual } = await fetchJson("/api/v1/recipes");
  return recipes.map((recipe) => ({ ...recipe, isDefault: recipe.name === usual }));
}

export const fetchJobs = async () => (await fetchJson("/api/v1/jobs")).jobs;

export const deleteJob = (jobId) => send(`/api/v1/jobs/${jobId}`, { method: "DELETE" });

export const deleteImage = (imageId) => send(`/api/v1/images/${imageId}`, { method: "DELETE" });

export const compareImages = (first, second) =>
  postJson("/api/v1/compare", { image_id_1: first, image_id_2: second });

export const compareMany = (imageIds) => postJson("/api/v1/compare/matrix", { image_ids: imageIds });

/** Returns how well an image fits the sound of an image, which may be the same one. */
export const fetchAlignment = (imageId, { audioOf }) =>
  fetchJson(`/api/v1/images/${imageId}/alignment?${new URLSearchParams({ audio_of: audioOf })}`);

export const searchAlike = async (imageId, limit) =>
  (await postJson("/api/v1/search", { image_id: imageId, max_results: limit })).matches;

/** Returns a page of this session's images, newest first, and the token of the next page, "" if there is none. */
export async function fetchImages({ size, token = "" }) {
  const query = new URLSearchParams({ page_size: size, page_token: token });
  const { images, next_page_token: nextToken } = await fetchJson(`/api/v1/images?${query}`);
  return { images, nextToken };
}

/** Returns the spectrogram of a recording as a PNG blob. */
export async function fetchSpectrogram(file, { widthPixels, heightPixels }) {
  const form = new FormData();
  form.append("file", file, file.name);
  form.append("width_pixels", widthPixels);
  form.append("height_pixels", heightPixels);
  return (await send("/api/v1/spectrogram", { method: "POST", body: form })).blob();
}

/**
 * Uploads a recording with how its image is to be made; returns the job that makes it.
 * (fetch does not report the progress of an upload, hence XMLHttpRequest.)
 */
export function createJob(file, settings, { signal, onSent }) {
  const form = new FormData();
  form.append("file", file, file.name);
  for (const [name, value] of Object.entries(settings)) form.append(name, value);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/jobs");
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded, total }) => total > 0 && onSent(loaded / total));
    request.addEventListener("load", () => {
      const { status, response } = request;
      if (status >= 200 && status < 300 && response) resolve(response);
      else reject(ApiError.of(response, status, request.getResponseHeader("Retry-After")));
    });
    request.addEventListener("error", () => reject(ApiError.unreachable()));
    request.addEventListener("abort", () =>
      reject(new DOMException("The upload was cancelled.", "AbortError")),
    );
    signal.addEventListener("abort", () => request.abort());
    if (signal.aborted) reject(new DOMException("The upload was cancelled.", "AbortError"));
    else request.send(form);
  });
}

/** Opens the events of a job, from the one after `lastEventId`. */
export const openJobEvents = (jobId, { lastEventId, signal }) =>
  send(`/api/v1/jobs/${jobId}/events`, {
    headers: { Accept: "text/event-stream", ...(lastEventId && { "Last-Event-ID": lastEventId }) },
    signal,
  });

const postJson = (path, body) =>
  fetchJson(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

async function fetchJson(path, options) {
  return (await send(path, options)).json();
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw ApiError.unreachable();
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw ApiError.of(body, response.status, response.headers.get("Retry-After"));
}
