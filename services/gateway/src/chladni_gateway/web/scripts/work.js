// One image in the making: from the recording in hand to the image on the server.

import { ApiError, createJob, deleteJob } from "./api.js";
import { followJob } from "./job_events.js";
import { pause } from "./pause.js";

const MOST_REFUSALS = 20; // Times that a busy server is asked again.
const REFUSAL_PAUSE_SECONDS = 3;
const UNREACHED_PAUSE_SECONDS = 2;
const FINISHED = new Set(["completed", "failed", "cancelled"]);

/**
 * States: waiting (here), sending, refused (the server is busy; it is asked again), listening, queued, running,
 * interrupted (the connection broke; it is taken up again), and then completed, failed or cancelled.
 */
export class Work {
  state = "waiting";
  sent = 0;
  position = null;
  step = 0;
  totalSteps = 0;
  remainingSeconds = null;
  descriptors = null;
  preview = null;
  part = "";
  draft = null;
  fallback = null;
  image = null;
  error = null;
  jobId = null;
  startedAt = null;

  /**
   * @param {object} what
   * @param {File | null} what.file the recording; null where only the server has it
   * @param {string} what.name its name
   * @param {object} what.settings fields of the form
   * @param {object | null} what.purpose what is to be done with the image, where it is not just shown
   * @param {(work: Work) => Promise<void>} onSent called once the server has the recording
   * @param {(work: Work) => void} onChange called after every change
   */
  constructor({ file, name, settings, purpose = null }, { onSent, onChange }) {
    Object.assign(this, { file, name, settings, purpose, onSent, onChange });
    this.controller = new AbortController();
  }

  get isFinished() {
    return FINISHED.has(this.state);
  }

  /** Whether it has come as far as an image, be it one that a later part of the recipe starts from. */
  get isPainted() {
    const isBetweenParts = this.state === "queued" && this.part !== "" && this.draft !== null;
    return this.state === "running" || this.state === "interrupted" || isBetweenParts;
  }

  /** Takes up a job that the server has already. */
  adopt(job) {
    this.jobId = job.job_id;
    this.startedAt = Math.min(Date.now(), Date.parse(job.created_at) || Date.now());
    this.state = "queued";
  }

  /** Sees the work through; never throws. */
  async run() {
    const { signal } = this.controller;
    this.startedAt ??= Date.now();
    try {
      if (this.jobId === null) await this.send(signal);
      await this.follow(signal);
    } catch (error) {
      if (signal.aborted) this.change("cancelled");
      else this.fail(error);
    }
  }

  /** Follows the job; where a server that was restarted has forgotten it, the recording is sent once more. */
  async follow(signal) {
    try {
      for await (const event of followJob(this.jobId, { signal })) this.take(event);
    } catch (error) {
      if (error.code !== "UNKNOWN_JOB" || this.file === null) throw error;
      await this.send(signal);
      for await (const event of followJob(this.jobId, { signal })) this.take(event);
    }
  }

  /** Stops the work, here and on the server. */
  async cancel() {
    if (this.isFinished) return;
    this.controller.abort();
    this.change("cancelled");
    if (this.jobId !== null) await deleteJob(this.jobId).catch(() => {});
  }

  async send(signal) {
    for (let refusals = 0; ; refusals += 1) {
      this.sent = 0;
      this.change("sending");
      try {
        const job = await createJob(this.file, this.settings, {
          signal,
          onSent: (share) => {
            this.sent = share;
            this.change("sending");
          },
        });
        this.jobId = job.job_id;
        this.forget();
        // The visitor may have cancelled while the answer was on its way.
        if (signal.aborted) await deleteJob(this.jobId).catch(() => {});
        signal.throwIfAborted();
        this.change("listening");
        await this.onSent(this);
        return;
      } catch (error) {
        const isBusy = error.status === 429 || error.isUnreachable;
        if (!isBusy || refusals === MOST_REFUSALS) throw error;
        const usual = error.isUnreachable ? UNREACHED_PAUSE_SECONDS : REFUSAL_PAUSE_SECONDS;
        const seconds = error.retryAfterSeconds ?? usual;
        this.error = error;
        this.remainingSeconds = seconds;
        this.change("refused");
        await pause(seconds * 1000, signal);
        this.remainingSeconds = null;
      }
    }
  }

  /** Forgets how far an earlier attempt came. */
  forget() {
    Object.assign(this, {
      position: null,
      step: 0,
      totalSteps: 0,
      remainingSeconds: null,
      preview: null,
      part: "",
      draft: null,
      fallback: null,
      error: null,
    });
  }

  take({ name, data }) {
    this.part = data.recipe_stage ?? this.part;
    switch (name) {
      case "analyzed":
        this.descriptors = data.descriptors;
        this.audio = data.audio;
        this.change("queued");
        break;
      case "fell_back":
        this.fallback = { reason: data.reason, way: data.way };
        this.beginPart();
        break;
      case "drafted":
        this.draft = this.preview = data.image ?? this.draft;
        this.beginPart();
        break;
      case "queued":
        this.position = data.position;
        this.change("queued");
        break;
      case "started":
        this.totalSteps = data.total_steps;
        this.change("running");
        break;
      case "progress":
        this.step = data.step;
        this.totalSteps = data.total_steps;
        this.remainingSeconds = data.remaining_seconds;
        this.preview = data.preview ?? this.preview;
        this.change("running");
        break;
      case "created":
        this.image = data;
        this.change("completed");
        break;
      case "interrupted":
        this.change("interrupted");
        break;
      case "cancelled":
        this.change("cancelled");
        break;
      case "failed":
      case "error":
        this.fail(new ApiError(data.error));
        break;
    }
  }

  /** Forgets how far the part of the recipe came that is over. */
  beginPart() {
    Object.assign(this, { position: null, step: 0, totalSteps: 0, remainingSeconds: null });
    this.change("queued");
  }

  fail(error) {
    this.error =
      error instanceof ApiError ? error : new ApiError({ code: "INTERNAL", message: String(error) });
    this.change("failed");
  }

  change(state) {
    if (this.isFinished) return;
    this.state = state;
    this.onChange(this);
  }
}
