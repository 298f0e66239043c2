// The parts of the page: drawing, music, films and machines. All but the first are fetched when they are opened.

export class Tabs {
  /**
   * @param {HTMLElement} nav links to the parts
   * @param {Record<string, () => Promise<void>>} openers fetches and starts a part, by its name
   * @param {(error: Error) => void} onError
   */
  constructor(nav, { openers, onError }) {
    Object.assign(this, { nav, openers, onError });
    this.parts = [...document.querySelectorAll("main > [data-part]")]; // What is in them has names of its own.
    this.opened = new Set();
    this.shown = "draw";
  }

  /** Shows the part of a name; any other name means drawing. */
  show(name) {
    const shown = Object.hasOwn(this.openers, name) ? name : "draw";
    this.shown = shown;
    for (const link of this.nav.querySelectorAll("a")) {
      if (link.hash === `#${shown}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    for (const part of this.parts) part.hidden = part.dataset.part !== shown;
    if (shown !== "draw" && !this.opened.has(shown)) this.open(shown);
  }

  /** Fetches and starts a part, of which nothing can be used until then. */
  async open(name) {
    const part = this.parts.find(({ dataset }) => dataset.part === name);
    this.opened.add(name);
    part.inert = true;
    try {
      await this.openers[name]();
      part.inert = false;
    } catch (error) {
      this.opened.delete(name);
      this.onError(error);
    }
  }
}
