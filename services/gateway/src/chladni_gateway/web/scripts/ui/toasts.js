// Short messages: what went wrong and what to do, or what was done.

import { copyOf } from "./elements.js";

const SHOWN_MS = { error: 15_000, note: 8_000 };
const MOST = 3;

export class Toasts {
  constructor(area) {
    this.area = area;
  }

  /** Shows an error. `action` may be `{label, run}`. */
  error(text, { advice = "", action = null } = {}) {
    this.show(text, { advice, action, role: "alert" });
  }

  /** Shows good or plain news; `onGone` is called when the message goes without its action. */
  note(text, { action = null, onGone = null } = {}) {
    this.show(text, { advice: "", action, role: "status", onGone });
  }

  show(text, { advice, action, role, onGone = null }) {
    const toast = copyOf("toast-template");
    const part = (name) => toast.querySelector(`.toast__${name}`);
    toast.dataset.kind = role === "alert" ? "error" : "note";
    toast.setAttribute("role", role);
    part("advice").textContent = advice;
    part("advice").hidden = advice === "";
    const remove = () => {
      toast.remove();
      onGone?.();
    };
    if (action) {
      part("action").textContent = action.label;
      part("action").hidden = false;
      part("action").addEventListener("click", () => {
        toast.remove();
        action.run();
      });
    }
    part("close").addEventListener("click", remove);
    this.area.append(toast);
    part("text").textContent = text; // After it is in the page, so that it is read out.
    while (this.area.children.length > MOST) this.area.firstElementChild.querySelector(".toast__close").click();
    forget(toast, remove);
  }
}

/** Removes a message after a while in which nobody points at it or is in it. */
function forget(toast, remove) {
  let timer = 0;
  const start = () => {
    clearTimeout(timer);
    timer = setTimeout(remove, SHOWN_MS[toast.dataset.kind]);
  };
  const stop = () => clearTimeout(timer);
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, stop);
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, start);
  start();
}
