// What to do with the image that has just been finished, right below it.

import { renderActions } from "./image_actions.js";

export class FigureBar {
  constructor(bar, { imageRecordings, actions }) {
    Object.assign(this, { bar, imageRecordings, actions });
    this.image = null;
    this.player = null;
  }

  show(image, label) {
    this.hide();
    this.image = image;
    this.player = this.imageRecordings.playerFor(image);
    this.bar.querySelector("#figure-player").replaceChildren(this.player.element);
    this.bar.querySelector("#figure-actions").replaceChildren(renderActions(image, label, this.actions));
    this.bar.hidden = false;
  }

  hide() {
    this.player?.unload();
    this.image = this.player = null;
    this.bar.hidden = true;
  }

  /** Looks again for the recording, which came after the image. */
  refill(imageId) {
    if (this.image?.image_id === imageId) this.imageRecordings.fill(this.player, this.image);
  }
}
