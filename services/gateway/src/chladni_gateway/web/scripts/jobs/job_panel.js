// The panel of the foremost job: its stage, its progress, and what was measured in the sound.

import { announce } from "../ui/announcer.js";
import { isAbsent, rankOf } from "../gallery/correspondences.js";
import { make } from "../ui/elements.js";
import { describeDescriptor, formatNumber, formatSeconds, humanName } from "../ui/format.js";
import { delayOf, notesOf, shareOf, stageOf, statusOf } from "./job_labels.js";

const STAGES = ["send", "listen", "wait", "paint", "keep"];
const CLOCK_INTERVAL_MS = 100;
const QUIET_MS = 5000; // After this long without news, that is said.
const KEY = "usual-seconds";
const UPDATE = 0.3; // Weight of the newest image in what is usual.
const NOT_SHOWN = /^chroma_/; // Twelve numbers that say little to people.

export class JobPanel {
  /** `onQuiet` is called when the server has been silent for a while. */
  constructor(panel, { onCancel, onQuiet }) {
    this.panel = panel;
    this.onQuiet = onQuiet;
    this.part = (id) => panel.querySelector(`#${id}`);
    this.job = null;
    this.part("cancel").addEventListener("click", () => onCancel(this.job));
  }

  /** Shows a job; for null the last one stays if it was finished, and disappears otherwise. */
  show(job) {
    if (job === null) {
      if (this.job !== null && this.job.state !== "completed") this.hide();
      return;
    }
    if (job !== this.job) this.begin(job);
    this.heardAt = Date.now();
    this.part("delayed").hidden = true;
    this.reach(stageOf(job));
    this.advance(shareOf(job));
    this.part("status").textContent = statusOf(job);
    this.showTurns(job);
    if (job.descriptors && !this.hasHeard) {
      this.hasHeard = true;
      this.part("heard").replaceChildren(
        ...job.descriptors.filter(({ name }) => !NOT_SHOWN.test(name)).map(renderDescriptor),
      );
      if (job.audio) announce(`Heard ${formatSeconds(job.audio.duration_seconds)} of sound.`);
    }
    if (job.state === "running" && !this.hasStarted) {
      this.hasStarted = true;
      announce(`Painting in ${formatNumber(job.totalSteps, "step")}.`);
    }
    if (job.isFinished) this.finish(job);
  }

  begin(job) {
    this.job = job;
    this.hasHeard = false;
    this.hasStarted = false;
    this.panel.hidden = false;
    this.part("job-title").textContent = job.name;
    this.part("heard").replaceChildren();
    this.part("cancel").hidden = false;
    this.part("cancel").setAttribute("aria-label", `Cancel ${job.name}`);
    clearInterval(this.clock);
    this.clock = setInterval(() => this.showTime(), CLOCK_INTERVAL_MS);
  }

  finish(job) {
    clearInterval(this.clock);
    if (job.state !== "completed") {
      this.hide();
      return;
    }
    const hadFocus = document.activeElement === this.part("cancel");
    this.part("cancel").hidden = true;
    if (hadFocus) document.getElementById("collection-title").focus();
    this.showTime();
    learnUsual(job.image.processing_time);
    announce(`The image of ${job.name} is done.`);
  }

  hide() {
    clearInterval(this.clock);
    const hadFocus = this.panel.contains(document.activeElement);
    this.job = null;
    this.panel.hidden = true;
    if (hadFocus) document.getElementById("file").focus();
  }

  /** Shows the image from which the next part starts, and why the recipe was replaced by a fallback. */
  showTurns(job) {
    const notes = notesOf(job);
    if (this.part("fallback").textContent !== notes) this.part("fallback").textContent = notes;
    this.part("fallback").hidden = notes === "";
    this.part("draft").hidden = job.draft === null;
    const image = this.part("draft-image");
    if (job.draft !== null && image.getAttribute("src") !== job.draft) image.src = job.draft;
  }

  /** Marks the stages before one as done; all of them for null. */
  reach(stage) {
    const current = stage === null ? STAGES.length : STAGES.indexOf(stage);
    this.part("steps")
      .querySelectorAll("[data-step]")
      .forEach((item, index) => {
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

  /** Says that the server is silent, with the time that an image usually takes. */
  showDelay() {
    const quietMs = Date.now() - this.heardAt;
    const isWaiting = !this.job.isFinished && this.job.state !== "refused" && quietMs >= QUIET_MS;
    if (!isWaiting) return;
    // Once: a text that changes every second would be read out every second.
    if (!this.part("delayed").hidden) return;
    this.part("delayed").textContent = delayOf(quietMs / 1000, usualSeconds());
    this.part("delayed").hidden = false;
    this.onQuiet();
  }

  showTime() {
    const { startedAt, remainingSeconds, state, image } = this.job;
    if (startedAt === null) return;
    this.showDelay();
    const elapsed = formatSeconds(image?.processing_time ?? Math.max(0, (Date.now() - startedAt) / 1000));
    if (state === "completed") {
      this.part("time").textContent = `took ${elapsed}`;
      return;
    }
    const isExpected = state === "running" && remainingSeconds !== null;
    this.part("time").textContent = isExpected
      ? `${elapsed}, ${formatSeconds(remainingSeconds)} left`
      : elapsed;
  }
}

function renderDescriptor(descriptor) {
  const rank = rankOf(descriptor);
  const value = make("dd", {}, [describeDescriptor(descriptor, { isAbsent: isAbsent(descriptor) })]);
  if (rank !== null) {
    const scale = make("span", { className: "heard__scale" });
    scale.style.setProperty("--at", rank.toFixed(3));
    value.append(scale);
  }
  return make("div", { className: "heard__row", title: descriptor.description }, [
    make("dt", {}, [humanName(descriptor.name)]),
    value,
  ]);
}

function usualSeconds() {
  try {
    return Number(localStorage.getItem(KEY)) || null;
  } catch {
    return null;
  }
}

function learnUsual(seconds) {
  const before = usualSeconds() ?? seconds;
  try {
    localStorage.setItem(KEY, String(before + UPDATE * (seconds - before)));
  } catch {
    // Nothing to do.
  }
}
