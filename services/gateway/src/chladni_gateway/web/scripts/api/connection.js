// Whether images can be made now; if not, why, and a look from time to time whether they can be again.

import { adviceFor } from "./error_advice.js";
import { fetchRecipes } from "./gateway.js";

const LOOK_INTERVAL_MS = 4000;

export class Connection {
  /**
   * @param {HTMLElement} notice says what is wrong
   * @param {object} listener
   * @param {(recipes: object[]) => void} listener.onRecipes called with what the server offers
   * @param {() => void} listener.onBack called when the server answers again
   */
  constructor(notice, { onRecipes, onBack }) {
    Object.assign(this, { notice, onRecipes, onBack });
    this.isAway = false;
    this.timer = null;
  }

  /** Asks the server, and goes on asking while images cannot be made. */
  async look() {
    clearTimeout(this.timer);
    let unavailableReason = "";
    try {
      const recipes = await fetchRecipes();
      this.onRecipes(recipes);
      const usual = recipes.find(({ isDefault }) => isDefault);
      const isHelpless = recipes.every(({ available }) => !available);
      if (usual && isHelpless) unavailableReason = `Images cannot be made now. ${usual.unavailable_reason}`;
      if (this.isAway) this.onBack();
      this.isAway = false;
    } catch (error) {
      this.isAway = error.isUnreachable ?? false;
      unavailableReason = error.isSignedOut
        ? `${error.message} ${adviceFor(error)}`.trim()
        : error.message;
    }
    this.notice.textContent = unavailableReason;
    this.notice.hidden = unavailableReason === "";
    if (unavailableReason) this.timer = setTimeout(() => this.look(), LOOK_INTERVAL_MS);
  }
}
