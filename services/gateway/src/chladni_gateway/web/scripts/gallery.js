// The figures of this session, and the choice of some of them.

import { nameOf } from "./catalogue.js";
import { copyOf } from "./elements.js";
import { renderActions } from "./figure_actions.js";
import { describeImage } from "./wording.js";

export class Gallery {
  /**
   * @param {HTMLElement} section
   * @param {object} parts
   * @param {import("./catalogue.js").Catalogue} parts.catalogue
   * @param {import("./sounds.js").Sounds} parts.sounds
   * @param {object} parts.actions functions: open, again, reproduce, delete; and for several: compare, findAlike, deleteAll
   */
  constructor(section, { catalogue, sounds, actions }) {
    Object.assign(this, { catalogue, sounds, actions });
    this.part = (id) => section.querySelector(`#${id}`);
    this.cards = new Map();
    this.chosen = []; // Identifiers, in the order of their choice.
    this.part("compare").addEventListener("click", () => actions.compare(this.chosenImages()));
    this.part("find-alike").addEventListener("click", () => actions.findAlike(this.chosenImages()[0]));
    this.part("delete-selected").addEventListener("click", () => actions.deleteAll(this.chosenImages()));
    this.part("clear-selection").addEventListener("click", () => this.clear());
    this.part("older").addEventListener("click", () => actions.loadOlder());
  }

  chosenImages() {
    return this.chosen.map((imageId) => this.catalogue.find(imageId)).filter(Boolean);
  }

  /** Shows what the catalogue holds; cards that stay are left alone, so that their players go on. */
  show() {
    const { images } = this.catalogue;
    const shown = new Set(images.map(({ image_id: id }) => id));
    for (const [imageId, { element, player }] of this.cards) {
      if (shown.has(imageId)) continue;
      player.unload();
      element.remove();
      this.cards.delete(imageId);
    }
    let before = null;
    for (const image of images) {
      if (!this.cards.has(image.image_id)) this.cards.set(image.image_id, this.render(image));
      const { element } = this.cards.get(image.image_id);
      const isInPlace = before
        ? before.nextElementSibling === element
        : this.part("figures").firstElementChild === element;
      if (!isInPlace && before) before.after(element);
      else if (!isInPlace) this.part("figures").prepend(element);
      before = element;
    }
    this.part("loading").hidden = true;
    this.part("empty").hidden = images.length > 0;
    this.part("collection-hint").hidden = images.length < 2;
    this.part("older").hidden = !this.catalogue.hasMore;
    this.chosen = this.chosen.filter((id) => shown.has(id));
    this.showSelection();
  }

  /** Looks again for the recording of a figure, which came after its card. */
  refill(imageId) {
    const card = this.cards.get(imageId);
    if (card) this.sounds.fill(card.player, this.catalogue.find(imageId));
  }

  /** Writes on a figure what came of making it again. */
  stamp(imageId, text, isEqual) {
    const stamp = this.cards.get(imageId)?.element.querySelector(".figure__stamp");
    if (!stamp) return;
    stamp.textContent = text;
    stamp.dataset.level = isEqual ? "high" : "low";
    stamp.hidden = false;
  }

  /** Puts the keyboard on a figure near one that goes; returns nothing. */
  focusBeside(imageId) {
    const card = this.cards.get(imageId)?.element;
    const beside = card?.nextElementSibling ?? card?.previousElementSibling;
    (beside?.querySelector(".figure__open") ?? this.part("collection-title")).focus();
  }

  render(image) {
    const element = copyOf("figure-template");
    const part = (name) => element.querySelector(`.figure__${name}`);
    const label = this.catalogue.label(image);
    element.dataset.imageId = image.image_id;
    part("image").src = image.image_url;
    part("image").alt = `Image of ${nameOf(image)}`;
    part("open").setAttribute("aria-label", `Look at ${label}`);
    part("open").addEventListener("click", () => this.actions.open(image));
    part("number").textContent = `Fig. ${this.catalogue.number(image.image_id)}`;
    part("name").textContent = nameOf(image);
    part("name").title = nameOf(image);
    part("facts").textContent = describeImage(image);
    const player = this.sounds.playerFor(image);
    part("sound").append(player.element);
    part("actions").append(renderActions(image, label, this.actions));
    const box = element.querySelector(".figure__select input");
    part("select").querySelector(".visually-hidden").textContent = `Select ${label} to compare`;
    box.addEventListener("change", () => this.choose(image.image_id, box.checked));
    return { element, player, box };
  }

  choose(imageId, isChosen) {
    this.chosen = this.chosen.filter((id) => id !== imageId);
    if (isChosen) this.chosen.push(imageId);
    this.showSelection();
  }

  clear() {
    for (const { box } of this.cards.values()) box.checked = false;
    this.chosen = [];
    this.showSelection();
    this.part("collection-title").focus();
  }

  showSelection() {
    const count = this.chosen.length;
    this.part("selection").hidden = count === 0;
    this.part("compare").disabled = count < 2;
    this.part("compare").textContent = count > 2 ? "Compare all" : "Compare";
    this.part("find-alike").hidden = count !== 1;
    this.part("selection-text").textContent = this.describeSelection(count);
  }

  describeSelection(count) {
    if (count < 2) return "Select one more to compare.";
    const numbers = this.chosen.map((id) => `Fig. ${this.catalogue.number(id)}`);
    return count === 2 ? numbers.join(" and ") : `${count} figures`;
  }
}
