// What is open, as the page's address says it: Back closes it, and a bookmark opens it again.
//
//     #figure/ID   #play/ID   #compare/ID/ID/...   #alike/ID   #music   #films   #machines

export class Route {
  /** `onChange` gets `{view, ids}` when the visitor goes back, forward, or to another address. */
  constructor(onChange) {
    this.onChange = onChange;
    addEventListener("popstate", () => onChange(this.current));
  }

  get current() {
    const [view, ...ids] = location.hash.slice(1).split("/");
    return { view, ids };
  }

  /** Says what is open now; `replace` leaves no step to go back to. */
  go(view, ids = [], { replace = false } = {}) {
    const address = `#${[view, ...ids].join("/")}`;
    if (location.hash === address) return;
    const state = replace ? history.state : { isStep: true };
    history[replace ? "replaceState" : "pushState"](state, "", address);
  }

  /** Says that a view was closed. */
  leave(view) {
    if (this.current.view !== view) return;
    if (history.state?.isStep) history.back();
    else history.replaceState(null, "", location.pathname + location.search);
  }
}
