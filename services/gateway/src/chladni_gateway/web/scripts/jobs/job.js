// One job: from the recording in this browser to the image on the server.

import { ApiError, createJob, deleteJob } from "../api/gateway.js";
import { followJob } from "./job_events.js";
import { delay } from "../ui/delay.js";

const MAX_REFUSALS = 20; // Times that a busy server is asked again.
const REFUSAL_DELAY_SECONDS = 3;
const UNREACHED_DELAY_SECONDS = 2;
const FINISHED = new Set(["completed", "failed", "cancelled"]);

/**
 * States: waiting (here), sending, refused (the server is busy; it is asked again), listening, queued, running,
 * interrupted (the connection broke; it is opened again), and then completed, failed or cancelled.
 */
export class Job {
  state = "waiting";
  sent = 0;
  position = null;
  step = 0;
  totalSteps = 0;
  remainingSeconds = null;
  descriptors = null;
  warnings = [];
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
   * @param {File | null} what.file the recording; null if only the server has it
   * @param {string} what.name its name
   * @param {object} what.settings fields of the form
   * @param {object | null} what.purpose what the image is for, if it is not just shown
   * @param {(job: Job) => Promise<void>} onSent called once the server has the recording
   * @param {(job: Job) => void} onChange called after every change
   */
  constructor({ file, name, settings, purpose = null }, { onSent, onChange }) {
    Object.assign(this, { file, name, settings, purpose, onSent, onChange });
    this.controller = new AbortController();
  }

  get isFinished() {
    return FINISHED.has(this.state);
  }

  /** Whether it has an image to show, even one that a later part of the recipe starts from. */
  get hasImage() {
    const isBetweenParts = this.state === "queued" && this.part !== "" && this.draft !== null;
    return this.state === "running" || this.state === "interrupted" || isBetweenParts;
  }

  /** Follows a job that the server has already. */
  adopt(serverJob) {
    this.jobId = serverJob.job_id;
    this.startedAt = Math.min(Date.now(), Date.parse(serverJob.create_time) || Date.now());
    this.state = "queued";
  }

  /** Runs the job to its end; never throws. */
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

  /** Follows the job; if a restarted server no longer knows it, the recording is sent once more. */
  async follow(signal) {
    try {
      for await (const event of followJob(this.jobId, { signal })) this.take(event);
    } catch (error) {
      if (error.code !== "UNKNOWN_JOB" || this.file === null) throw error;
      await this.send(signal);
      for await (const event of followJob(this.jobId, { signal })) this.take(event);
    }
  }

  /** Stops the job, here and on the server. */
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
        const serverJob = await createJob(this.file, this.settings, {
          signal,
          onSent: (share) => {
            this.sent = share;
            this.change("sending");
          },
        });
        this.jobId = serverJob.job_id;
        this.reset();
        // The visitor may have cancelled while the answer was on its way.
        if (signal.aborted) await deleteJob(this.jobId).catch(() => {});
        signal.throwIfAborted();
        this.change("listening");
        await this.onSent(this);
        return;
      } catch (error) {
        const isBusy = error.status === 429 || error.isUnreachable;
        if (!isBusy || refusals === MAX_REFUSALS) throw error;
        const usual = error.isUnreachable ? UNREACHED_DELAY_SECONDS : REFUSAL_DELAY_SECONDS;
        const seconds = error.retryAfterSeconds ?? usual;
        this.error = error;
        this.remainingSeconds = seconds;
        this.change("refused");
        await delay(seconds * 1000, signal);
        this.remainingSeconds = null;
      }
    }
  }

  /** Resets the progress of an earlier attempt. */
  reset() {
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
    this.part = data.part ?? this.part;
    switch (name) {
      case "analyzed":
        this.descriptors = data.descriptors;
        this.warnings = data.warnings ?? [];
        this.audio = data.audio;
        this.change("queued");
        break;
      case "fell_back":
        this.fallback = { reason: data.reason, name: data.fallback };
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
        this.warnings = data.warnings ?? this.warnings;
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

  /** Resets the progress of the part of the recipe that has ended. */
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
