// The works behind the foremost one: those that wait or run, and those that failed.

import { copyOf } from "./elements.js";
import { shareOf, statusOf } from "./work_wording.js";

export class Queue {
  constructor(panel, { onCancel, onCancelAll, onRetry, onDismiss }) {
    this.panel = panel;
    this.list = panel.querySelector("#queue-list");
    this.actions = { cancel: onCancel, retry: onRetry, dismiss: onDismiss };
    this.rows = new Map();
    panel.querySelector("#cancel-all").addEventListener("click", onCancelAll);
  }

  show(works) {
    const isRunning = works.some(({ state }) => state !== "failed");
    this.panel.hidden = works.length === 0;
    this.panel.querySelector("#queue-title").textContent = isRunning ? `${works.length} more` : "Failed";
    this.panel.querySelector("#cancel-all").hidden = !isRunning;
    for (const [work, row] of this.rows) {
      if (works.includes(work)) continue;
      row.remove();
      this.rows.delete(work);
    }
    for (const work of works) {
      if (!this.rows.has(work)) this.rows.set(work, this.render(work));
      this.update(this.rows.get(work), work);
    }
  }

  render(work) {
    const row = copyOf("work-template");
    row.querySelector(".work__name").textContent = work.name;
    row.querySelector("progress").setAttribute("aria-label", `Progress of ${work.name}`);
    for (const button of row.querySelectorAll("button")) {
      button.setAttribute("aria-label", `${button.textContent} ${work.name}`);
      button.addEventListener("click", () => this.actions[button.dataset.action](work));
    }
    this.list.append(row);
    return row;
  }

  update(row, work) {
    const isFailed = work.state === "failed";
    row.dataset.state = work.state;
    row.querySelector(".work__status").textContent = statusOf(work);
    const bar = row.querySelector("progress");
    bar.hidden = isFailed || work.state === "waiting";
    const share = shareOf(work);
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    row.querySelector('[data-action="cancel"]').hidden = isFailed;
    row.querySelector('[data-action="retry"]').hidden = !isFailed || work.file === null;
    row.querySelector('[data-action="dismiss"]').hidden = !isFailed;
  }
}
