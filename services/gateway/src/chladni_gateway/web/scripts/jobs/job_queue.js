// All jobs: those that wait here, those on the server, and those that failed.

import { deleteJob, fetchJobs } from "../api/gateway.js";
import { Job } from "./job.js";

const MAX_AT_ONCE = 3; // Jobs on the server at once; the others wait here.
const FINISHED_STATES = new Set(["completed", "failed", "cancelled"]);

export class JobQueue {
  /** In the order of their arrival; finished ones leave, failed ones stay until they are dismissed. */
  jobs = [];
  shown = null;

  /**
   * @param {object} parts
   * @param {import("../audio/recording_store.js").RecordingStore} parts.recordingStore keeps recordings across reloads
   * @param {(job: Job) => void} parts.onChange called after every change of one
   * @param {(job: Job) => void} parts.onCreated called for every image
   * @param {(job: Job) => void} parts.onFailed called for every failure
   */
  constructor({ recordingStore, onChange, onCreated, onFailed }) {
    Object.assign(this, { recordingStore, onChange, onCreated, onFailed });
  }

  /** The job in the preview panel: one with an image, until it is done; or else the next one. */
  get foremost() {
    const going = this.jobs.filter(({ isFinished }) => !isFinished);
    const withImage = going.filter(({ hasImage }) => hasImage);
    const candidates =
      [withImage, going.filter(({ state }) => state !== "waiting"), going].find(({ length }) => length > 0) ??
      [];
    if (!candidates.includes(this.shown)) this.shown = candidates[0] ?? null;
    return this.shown;
  }

  add(file, settings, purpose = null) {
    this.jobs.push(this.create({ file, name: file.name, settings, purpose }));
    this.proceed();
  }

  /** Follows the jobs of this session that the server has and this page does not know yet. */
  async resume() {
    const serverJobs = (await fetchJobs()).reverse();
    for (const serverJob of serverJobs) {
      if (this.jobs.some(({ jobId }) => jobId === serverJob.job_id)) continue;
      const kept = await this.recordingStore.findJob(serverJob.job_id);
      // Another call may have added it meanwhile.
      if (this.jobs.some(({ jobId }) => jobId === serverJob.job_id)) continue;
      // What is finished matters only if this browser waits for it.
      if (FINISHED_STATES.has(serverJob.state) && !kept) continue;
      const job = this.create({
        file: kept?.file ?? null,
        name: serverJob.display_name || "recording",
        settings: kept?.settings ?? {},
        purpose: kept?.purpose ?? null,
      });
      job.adopt(serverJob);
      this.jobs.push(job);
      this.start(job);
    }
  }

  async cancel(job) {
    await job.cancel();
  }

  cancelAll() {
    for (const job of [...this.jobs]) if (job.state !== "failed") job.cancel();
  }

  retry(job) {
    this.dismiss(job);
    this.add(job.file, job.settings, job.purpose);
  }

  dismiss(job) {
    this.leave(job);
    if (job.jobId !== null) deleteJob(job.jobId).catch(() => {});
  }

  create(what) {
    return new Job(what, {
      onSent: ({ jobId, file, settings, purpose }) =>
        this.recordingStore.keepJob(jobId, { file, settings, purpose }),
      onChange: (job) => this.follow(job),
    });
  }

  follow(job) {
    if (job.state === "cancelled") this.leave(job);
    else this.onChange(job);
  }

  leave(job) {
    this.jobs = this.jobs.filter((other) => other !== job);
    if (job.jobId !== null) this.recordingStore.takeJob(job.jobId);
    this.onChange(job);
    this.proceed();
  }

  proceed() {
    const running = this.jobs.filter(({ state }) => state !== "waiting" && state !== "failed").length;
    const next = this.jobs
      .filter(({ state }) => state === "waiting")
      .slice(0, Math.max(0, MAX_AT_ONCE - running));
    for (const job of next) this.start(job);
    if (this.jobs.length > 0) this.onChange(this.jobs.at(-1));
  }

  async start(job) {
    await job.run();
    try {
      if (job.state === "completed") {
        this.jobs = this.jobs.filter((other) => other !== job);
        await this.onCreated(job);
      }
      if (job.state === "failed") this.onFailed(job);
    } finally {
      this.proceed(); // Whatever becomes of its image, the next one is not held up.
    }
  }
}
