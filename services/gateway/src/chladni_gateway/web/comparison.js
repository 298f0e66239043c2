// Two figures side by side, and how alike they are.

import { compareImages } from "./api.js";

const MIDDLE_FROM = 30;
const HIGH_ABOVE = 70;
const WORDS = {
  low: "Two different figures.",
  middle: "Some traits in common.",
  high: "Close relatives.",
  equal: "One and the same.",
};

/** Returns the level of a percentage: low below 30, high above 70, and middle between. */
export function levelOf(percentage) {
  if (percentage < MIDDLE_FROM) return "low";
  return percentage > HIGH_ABOVE ? "high" : "middle";
}

export class Comparison {
  constructor(section, toasts) {
    this.section = section;
    this.toasts = toasts;
    this.part = (id) => section.querySelector(`#${id}`);
  }

  async show(first, second) {
    let result;
    try {
      result = await compareImages(first.id, second.id);
    } catch (error) {
      this.toasts.show(error.message);
      return;
    }
    const percentage = Number.parseInt(result.percentage, 10);
    const level = levelOf(percentage);
    for (const [side, figure] of [["first", first], ["second", second]]) {
      this.part(`${side}-image`).src = figure.url;
      this.part(`${side}-image`).alt = `Picture of ${figure.name}`;
      this.part(`${side}-name`).textContent = `Fig. ${figure.number}, ${figure.name}`;
    }
    this.part("verdict").dataset.level = level;
    this.part("percentage").textContent = result.percentage;
    this.part("gauge").setAttribute("aria-valuenow", String(percentage));
    this.part("gauge").setAttribute("aria-valuetext", `${result.percentage} alike`);
    this.part("verdict-words").textContent = result.similarity_score === 1 ? WORDS.equal : WORDS[level];
    this.section.hidden = false;
    this.section.scrollIntoView({ block: "nearest" });
    this.section.focus({ preventScroll: true });
    requestAnimationFrame(() => this.part("gauge").style.setProperty("--score", String(percentage / 100)));
  }
}
