// The prompts that a model writes for music, each with its scores and with an image of it.

import { scorePrompts, writePrompts } from "../api/gateway.js";
import { make } from "../ui/elements.js";

const SCORES = ["originality", "elaboration", "alignment", "coherence"];
const PERCENT = 100;

export class PromptList {
  /** `canDraw` returns whether a recipe follows words; `onDraw` gets a recording, its part and a prompt. */
  constructor(panel, { canDraw, onDraw, onError }) {
    Object.assign(this, { panel, canDraw, onDraw });
    this.button = panel.querySelector(".prompts__write");
    this.button.addEventListener("click", () => this.write().catch(onError));
  }

  /** Offers to write prompts for a recording. */
  offer(file, part) {
    Object.assign(this, { file, clipPart: part });
    this.panel.querySelector(".prompts__list").replaceChildren();
    this.panel.hidden = false;
  }

  async write() {
    this.button.disabled = true;
    try {
      const { file, clipPart } = this;
      const { prompts, features } = await writePrompts(file, clipPart);
      const texts = prompts.map(({ text }) => text);
      const scored = await scorePrompts(texts, features).catch(() => []);
      if (file !== this.file || clipPart !== this.clipPart) return; // They are for what was heard before.
      this.panel
        .querySelector(".prompts__list")
        .replaceChildren(...prompts.map((prompt, index) => this.render(prompt, scored[index] ?? {})));
    } finally {
      this.button.disabled = false;
    }
  }

  render({ text, style }, scores) {
    const meters = SCORES.filter((name) => scores[name] !== undefined && scores[name] !== null).map((name) =>
      make("span", { className: "prompt__score" }, [`${name} ${Math.round(scores[name] * PERCENT)} %`]),
    );
    return make("li", { className: "prompt" }, [
      make("p", { className: "prompt__mode" }, [style]),
      make("p", {}, [text]),
      make("p", { className: "prompt__scores" }, [...meters, ...this.drawButton(text)]),
    ]);
  }

  /** Returns a button that draws a prompt, if a recipe follows words here. */
  drawButton(text) {
    if (!this.canDraw()) return [];
    const draw = make("button", { className: "link", type: "button" }, ["Draw it"]);
    draw.setAttribute("aria-label", `Draw: ${text}`);
    draw.addEventListener("click", () => this.onDraw(this.file, this.clipPart, text));
    return [draw];
  }
}
