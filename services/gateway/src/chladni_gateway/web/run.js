// One run: which stage it has reached, how far it is, and what was heard in the sound.

import { describeDescriptor, formatSeconds, humanName } from "./wording.js";

const STEPS = ["listen", "wait", "paint", "keep"];
const CLOCK_INTERVAL_MS = 100;
const UNTOLD = /^chroma_/; // Twelve numbers that say little to people.

export class Run {
  constructor(panel) {
    this.panel = panel;
    this.part = (id) => panel.querySelector(`#${id}`);
    this.clock = null;
  }

  begin(name, waitingCount) {
    this.panel.hidden = false;
    this.part("run-title").textContent = name;
    this.part("heard").replaceChildren();
    this.part("cancel").hidden = false;
    this.startedAt = performance.now();
    this.remaining = null;
    this.reach("listen");
    this.tell(waitingCount > 0 ? `Listening. ${waitingCount} more to come.` : "Listening to the recording.");
    this.advance(null);
    this.clock = setInterval(() => this.showTime(), CLOCK_INTERVAL_MS);
  }

  take({ name, data }) {
    switch (name) {
      case "analyzed":
        this.showHeard(data.descriptors);
        this.reach("wait");
        this.tell(`Heard ${formatSeconds(data.audio.duration_seconds)} of sound.`);
        break;
      case "queued":
        this.reach("wait");
        this.tell(data.position === 0 ? "Next in line." : `Waiting behind ${data.position}.`);
        break;
      case "started":
        this.reach("paint");
        this.tell(`Painting in ${data.total_steps} steps.`);
        this.advance(0);
        break;
      case "progress":
        this.reach(data.step === data.total_steps ? "keep" : "paint");
        this.tell(`Step ${data.step} of ${data.total_steps}.`);
        this.remaining = data.remaining_seconds;
        this.advance(data.step / data.total_steps);
        break;
    }
  }

  finish() {
    this.reach(null);
    this.advance(1);
    this.tell("Done.");
    this.remaining = null;
    this.stop();
  }

  end() {
    this.stop();
    this.panel.hidden = true;
  }

  stop() {
    clearInterval(this.clock);
    this.part("cancel").hidden = true;
    this.showTime();
  }

  /** Marks the steps before one as done; all of them for null. */
  reach(step) {
    const current = step === null ? STEPS.length : STEPS.indexOf(step);
    this.part("steps").querySelectorAll("[data-step]").forEach((item, index) => {
      item.toggleAttribute("data-done", index < current);
      if (index === current) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
  }

  advance(share) {
    const bar = this.part("bar");
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  }

  tell(text) {
    this.part("status").textContent = text;
  }

  showTime() {
    const elapsed = formatSeconds((performance.now() - this.startedAt) / 1000);
    this.part("time").textContent = this.remaining ? `${elapsed}, ${formatSeconds(this.remaining)} left` : elapsed;
  }

  showHeard(descriptors) {
    const rows = descriptors.filter(({ name }) => !UNTOLD.test(name)).map((descriptor) => {
      const row = document.createElement("div");
      row.className = "heard__row";
      row.title = descriptor.description;
      const term = document.createElement("dt");
      term.textContent = humanName(descriptor.name);
      const value = document.createElement("dd");
      value.textContent = describeDescriptor(descriptor);
      const scale = document.createElement("span");
      scale.className = "heard__scale";
      const { minimum, maximum } = descriptor;
      const share = (descriptor.value - minimum) / (maximum - minimum || 1);
      scale.style.setProperty("--at", Math.min(1, Math.max(0, share)).toFixed(3));
      value.append(scale);
      row.append(term, value);
      return row;
    });
    this.part("heard").replaceChildren(...rows);
  }
}
