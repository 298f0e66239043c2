// The foremost work: which stage it has reached, how far it is, and what was heard in the sound.

import { announce } from "./announcer.js";
import { isAbsent, rankOf } from "./correspondences.js";
import { make } from "./elements.js";
import { describeDescriptor, formatSeconds, humanName } from "./wording.js";
import { fallbackOf, shareOf, stageOf, statusOf } from "./work_wording.js";

const STAGES = ["send", "listen", "wait", "paint", "keep"];
const CLOCK_INTERVAL_MS = 100;
const UNTOLD = /^chroma_/; // Twelve numbers that say little to people.

export class Run {
  constructor(panel, { onCancel }) {
    this.panel = panel;
    this.part = (id) => panel.querySelector(`#${id}`);
    this.work = null;
    this.part("cancel").addEventListener("click", () => onCancel(this.work));
  }

  /** Shows a work; for null the last one stays if it was finished, and goes otherwise. */
  show(work) {
    if (work === null) {
      if (this.work !== null && this.work.state !== "completed") this.hide();
      return;
    }
    if (work !== this.work) this.begin(work);
    this.reach(stageOf(work));
    this.advance(shareOf(work));
    this.part("status").textContent = statusOf(work);
    this.showTurns(work);
    if (work.descriptors && !this.hasHeard) {
      this.hasHeard = true;
      this.part("heard").replaceChildren(
        ...work.descriptors.filter(({ name }) => !UNTOLD.test(name)).map(renderDescriptor),
      );
      announce(`Heard ${formatSeconds(work.audio.duration_seconds)} of sound.`);
    }
    if (work.state === "running" && !this.hasStarted) {
      this.hasStarted = true;
      announce(`Painting in ${work.totalSteps} steps.`);
    }
    if (work.isFinished) this.finish(work);
  }

  begin(work) {
    this.work = work;
    this.hasHeard = false;
    this.hasStarted = false;
    this.panel.hidden = false;
    this.part("run-title").textContent = work.name;
    this.part("heard").replaceChildren();
    this.part("cancel").hidden = false;
    this.part("cancel").setAttribute("aria-label", `Cancel ${work.name}`);
    clearInterval(this.clock);
    this.clock = setInterval(() => this.showTime(), CLOCK_INTERVAL_MS);
  }

  finish(work) {
    clearInterval(this.clock);
    if (work.state !== "completed") {
      this.hide();
      return;
    }
    const hadFocus = document.activeElement === this.part("cancel");
    this.part("cancel").hidden = true;
    if (hadFocus) document.getElementById("collection-title").focus();
    this.showTime();
    announce(`The image of ${work.name} is done.`);
  }

  hide() {
    clearInterval(this.clock);
    const hadFocus = this.panel.contains(document.activeElement);
    this.work = null;
    this.panel.hidden = true;
    if (hadFocus) document.getElementById("file").focus();
  }

  /** Shows the image from which the next part starts, and another way than the recipe's own. */
  showTurns(work) {
    const fallback = fallbackOf(work);
    if (this.part("fallback").textContent !== fallback) this.part("fallback").textContent = fallback;
    this.part("fallback").hidden = fallback === "";
    this.part("draft").hidden = work.draft === null;
    const image = this.part("draft-image");
    if (work.draft !== null && image.getAttribute("src") !== work.draft) image.src = work.draft;
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

  showTime() {
    const { startedAt, remainingSeconds, state, image } = this.work;
    if (startedAt === null) return;
    const elapsed = formatSeconds(image?.processing_time ?? Math.max(0, (Date.now() - startedAt) / 1000));
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
