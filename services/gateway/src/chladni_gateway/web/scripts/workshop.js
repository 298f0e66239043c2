// All the work: what waits here, what the server does, and what failed.

import { deleteJob, fetchJobs } from "./api.js";
import { Work } from "./work.js";

const MOST_AT_ONCE = 3; // Jobs on the server at once; the others wait here.
const FINISHED_STATES = new Set(["completed", "failed", "cancelled"]);

export class Workshop {
  /** In the order of their arrival; finished ones leave, failed ones stay until they are dismissed. */
  works = [];
  shown = null;

  /**
   * @param {object} parts
   * @param {import("./clips.js").Clips} parts.clips keeps recordings across reloads
   * @param {(work: Work) => void} parts.onChange called after every change of one
   * @param {(work: Work) => void} parts.onCreated called for every image
   * @param {(work: Work) => void} parts.onFailed called for every failure
   */
  constructor({ clips, onChange, onCreated, onFailed }) {
    Object.assign(this, { clips, onChange, onCreated, onFailed });
  }

  /** The work that the plate shows: one that is painted, and stays so until it is done; or else the next one. */
  get foremost() {
    const going = this.works.filter(({ isFinished }) => !isFinished);
    const painted = going.filter(({ isPainted }) => isPainted);
    const candidates =
      [painted, going.filter(({ state }) => state !== "waiting"), going].find(({ length }) => length > 0) ??
      [];
    if (!candidates.includes(this.shown)) this.shown = candidates[0] ?? null;
    return this.shown;
  }

  add(file, settings, purpose = null) {
    this.works.push(this.create({ file, name: file.name, settings, purpose }));
    this.proceed();
  }

  /** Follows the jobs of this session that the server has and this page does not know yet. */
  async resume() {
    const jobs = (await fetchJobs()).reverse();
    for (const job of jobs) {
      if (this.works.some(({ jobId }) => jobId === job.job_id)) continue;
      const kept = await this.clips.job(job.job_id);
      // Another call may have taken it up meanwhile.
      if (this.works.some(({ jobId }) => jobId === job.job_id)) continue;
      // What is finished matters only where this browser waits for it.
      if (FINISHED_STATES.has(job.state) && !kept) continue;
      const work = this.create({
        file: kept?.file ?? null,
        name: job.file_name || "recording",
        settings: kept?.settings ?? {},
        purpose: kept?.purpose ?? null,
      });
      work.adopt(job);
      this.works.push(work);
      this.start(work);
    }
  }

  async cancel(work) {
    await work.cancel();
  }

  cancelAll() {
    for (const work of [...this.works]) if (work.state !== "failed") work.cancel();
  }

  retry(work) {
    this.dismiss(work);
    this.add(work.file, work.settings, work.purpose);
  }

  dismiss(work) {
    this.leave(work);
    if (work.jobId !== null) deleteJob(work.jobId).catch(() => {});
  }

  create(what) {
    return new Work(what, {
      onSent: ({ jobId, file, settings, purpose }) => this.clips.keepJob(jobId, { file, settings, purpose }),
      onChange: (work) => this.follow(work),
    });
  }

  follow(work) {
    if (work.state === "cancelled") this.leave(work);
    else this.onChange(work);
  }

  leave(work) {
    this.works = this.works.filter((other) => other !== work);
    if (work.jobId !== null) this.clips.takeJob(work.jobId);
    this.onChange(work);
    this.proceed();
  }

  proceed() {
    const running = this.works.filter(({ state }) => state !== "waiting" && state !== "failed").length;
    const next = this.works
      .filter(({ state }) => state === "waiting")
      .slice(0, Math.max(0, MOST_AT_ONCE - running));
    for (const work of next) this.start(work);
    if (this.works.length > 0) this.onChange(this.works.at(-1));
  }

  async start(work) {
    await work.run();
    if (work.state === "completed") {
      this.works = this.works.filter((other) => other !== work);
      await this.onCreated(work);
    }
    if (work.state === "failed") this.onFailed(work);
    this.proceed();
  }
}
