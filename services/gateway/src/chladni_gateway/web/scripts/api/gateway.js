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

  /** Whether the server wants to know who asks, and does not or not any more. */
  get isSignedOut() {
    return this.code === "UNAUTHENTICATED";
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

export const fetchInfo = () => fetchJson("/api/v1/info");

/** Returns the recipes, the default one marked by `isDefault`. */
export async function fetchRecipes() {
  const { recipes, default_recipe: usual } = await fetchJson("/api/v1/recipes");
  return recipes.map((recipe) => ({ ...recipe, isDefault: recipe.name === usual }));
}

export const fetchJobs = async () => (await fetchJson("/api/v1/jobs")).jobs;

export const deleteJob = (jobId) => send(`/api/v1/jobs/${jobId}`, { method: "DELETE" });

/** `keepalive` lets the request outlive the page. */
export const deleteImage = (imageId, { keepalive = false } = {}) =>
  send(`/api/v1/images/${imageId}`, { method: "DELETE", keepalive });

/** Returns the file of an image. */
export const fetchImageFile = async (address) => (await send(address)).blob();

/** Pins an image, so that neither limits nor time remove it, or takes the pin away; returns the image. */
export const pinImage = (imageId, { isPinned }) =>
  fetchJson(`/api/v1/images/${imageId}/pin`, { method: isPinned ? "POST" : "DELETE" });

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

/** Returns the spectrogram of a recording, or of a part of it, as a PNG blob. */
export async function fetchSpectrogram(file, { widthPixels, heightPixels, part = {} }) {
  const form = formOf(file, part);
  form.append("width_pixels", widthPixels);
  form.append("height_pixels", heightPixels);
  return (await send("/api/v1/spectrogram", { method: "POST", body: form })).blob();
}

/** Uploads a recording with how its image is to be made; returns the job that makes it. */
export const createJob = (file, settings, watch) => upload("/api/v1/jobs", formOf(file, settings), watch);

/**
 * Sends a form, and returns what the server answers; `onSent` gets how much of it is sent, 0 to 1.
 * (fetch does not report the progress of an upload, hence XMLHttpRequest.)
 */
export function upload(path, form, { signal, onSent }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
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

/** Returns what is heard in the music of a recording, or of a part of it. */
export const analyzeMusic = (file, part = {}) => postForm("/api/v1/music", formOf(file, part));

/** Returns what the audio autoencoder makes of a recording: data URLs of audio and both spectrograms, and figures. */
export const reconstructAudio = (file, part = {}) => postForm("/api/v1/reconstruct", formOf(file, part));

/** Returns prompts, `{text, style}`, that a model writes for the music of a recording, and what it wrote them for. */
export const writePrompts = (file, part = {}) => postForm("/api/v1/prompts", formOf(file, part));

/** Returns the scores of prompts for music of these features. */
export const scorePrompts = async (prompts, features) =>
  (await postJson("/api/v1/prompts/score", { prompts, features })).scores;

/** Returns how far the sound of a machine is from normal. */
export const scoreAnomaly = (file, fields) => postForm("/api/v1/anomaly", formOf(file, fields));

export const fetchNormalSets = async () => (await fetchJson("/api/v1/anomaly/normal-sets")).normal_sets;

/** Learns what is normal for a machine from several recordings. */
export function createNormalSet(files, fields) {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return postForm("/api/v1/anomaly/normal-sets", form);
}

export const deleteNormalSet = (name) => send(`/api/v1/anomaly/normal-sets/${name}`, { method: "DELETE" });

/** Returns the link to an image of this session, `{link, path, with_audio}`, or null. */
export const fetchLink = (imageId) => fetchJson(`/f?${new URLSearchParams({ image_id: imageId })}`);

export const makeLink = (imageId) => postJson("/f", { image_id: imageId });

export const addLinkAudio = (link, file) => postForm("/f/audio", formOf(file, { link }));

export const withdrawLink = (link) => send(`/f/${link}`, { method: "DELETE" });

const postForm = (path, form) => fetchJson(path, { method: "POST", body: form });

/** Returns a form with a recording and further fields. */
export function formOf(file, fields) {
  const form = new FormData();
  form.append("file", file, file.name);
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  return form;
}

const postJson = (path, body) =>
  fetchJson(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

export async function fetchJson(path, options) {
  return (await send(path, options)).json();
}

export async function send(path, options) {
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
