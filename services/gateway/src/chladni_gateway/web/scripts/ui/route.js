// What is open, as the page's address says it: Back closes it, and a bookmark opens it again.
//
//     #figure/ID   #play/ID   #compare/ID/ID/...   #alike/ID   #music   #films   #machines

export class Route {
  /** `onChange` gets `{view, ids}` when the visitor goes back, forward, or to another address. */
  constructor(onChange) {
    this.onChange = onChange;
    this.isGoingBack = false;
    addEventListener("popstate", () => {
      this.isGoingBack = false;
      onChange(this.current);
    });
  }

  get current() {
    const [view, ...ids] = location.hash.slice(1).split("/");
    return { view, ids };
  }

  /** Says what is open now; `replace` leaves no step to go back to. */
  go(view, ids = [], { replace = false } = {}) {
    const address = `#${[view, ...ids].join("/")}`;
    if (location.hash === address) return;
    this.isGoingBack = false;
    const state = replace ? history.state : { isStep: true };
    history[replace ? "replaceState" : "pushState"](state, "", address);
  }

  /** Says that a view was closed. Said twice before the browser has gone back, it does not leave the page. */
  leave(view) {
    if (this.isGoingBack || this.current.view !== view) return;
    if (history.state?.isStep) {
      this.isGoingBack = true;
      history.back();
    } else {
      history.replaceState(null, "", location.pathname + location.search);
    }
  }
}
