// The panel of the jobs behind the foremost one: those that wait or run, and those that failed.

import { copyOf } from "../ui/elements.js";
import { shareOf, statusOf } from "./job_labels.js";

export class QueuePanel {
  constructor(panel, { onCancel, onCancelAll, onRetry, onDismiss }) {
    this.panel = panel;
    this.list = panel.querySelector("#queue-list");
    this.actions = { cancel: onCancel, retry: onRetry, dismiss: onDismiss };
    this.rows = new Map();
    panel.querySelector("#cancel-all").addEventListener("click", onCancelAll);
  }

  show(jobs) {
    const isRunning = jobs.some(({ state }) => state !== "failed");
    this.panel.hidden = jobs.length === 0;
    this.panel.querySelector("#queue-title").textContent = isRunning ? `${jobs.length} more` : "Failed";
    this.panel.querySelector("#cancel-all").hidden = !isRunning;
    for (const [job, row] of this.rows) {
      if (jobs.includes(job)) continue;
      row.remove();
      this.rows.delete(job);
    }
    for (const job of jobs) {
      if (!this.rows.has(job)) this.rows.set(job, this.render(job));
      this.update(this.rows.get(job), job);
    }
  }

  render(job) {
    const row = copyOf("job-template");
    row.querySelector(".job__name").textContent = job.name;
    row.querySelector("progress").setAttribute("aria-label", `Progress of ${job.name}`);
    for (const button of row.querySelectorAll("button")) {
      button.setAttribute("aria-label", `${button.textContent} ${job.name}`);
      button.addEventListener("click", () => this.actions[button.dataset.action](job));
    }
    this.list.append(row);
    return row;
  }

  update(row, job) {
    const isFailed = job.state === "failed";
    row.dataset.state = job.state;
    row.querySelector(".job__status").textContent = statusOf(job);
    const bar = row.querySelector("progress");
    bar.hidden = isFailed || job.state === "waiting";
    const share = shareOf(job);
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    row.querySelector('[data-action="cancel"]').hidden = isFailed;
    row.querySelector('[data-action="retry"]').hidden = !isFailed || job.file === null;
    row.querySelector('[data-action="dismiss"]').hidden = !isFailed;
  }
}
