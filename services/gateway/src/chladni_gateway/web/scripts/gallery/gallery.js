// The images of this session, and the selection of some of them.

import { nameOf, shownAddressOf } from "./image_catalog.js";
import { copyOf } from "../ui/elements.js";
import { renderActions } from "./image_actions.js";
import { describeImage, formatCount, formatLong, formatNumber } from "../ui/format.js";

export class Gallery {
  /** How many images the server keeps, for how long, and how many there are: `{most, seconds, count}`, once known. */
  room = null;

  /**
   * @param {HTMLElement} section
   * @param {object} parts
   * @param {import("./image_catalog.js").ImageCatalog} parts.catalog
   * @param {import("../audio/image_recordings.js").ImageRecordings} parts.imageRecordings
   * @param {object} parts.actions functions: open, again, reproduce, delete; and for several: compare, findAlike, deleteAll
   */
  constructor(section, { catalog, imageRecordings, actions }) {
    Object.assign(this, { catalog, imageRecordings, actions });
    this.part = (id) => section.querySelector(`#${id}`);
    this.cards = new Map();
    this.chosen = []; // Identifiers, in the order of their choice.
    this.part("compare").addEventListener("click", () => actions.compare(this.chosenImages()));
    this.part("find-alike").addEventListener("click", () => actions.findAlike(this.chosenImages()[0]));
    this.part("delete-selected").addEventListener("click", () => actions.deleteAll(this.chosenImages()));
    this.part("clear-selection").addEventListener("click", () => this.clear());
    this.part("older").addEventListener("click", () => actions.loadOlder());
    this.part("save-all").addEventListener("click", () => actions.saveAll());
  }

  chosenImages() {
    return this.chosen.map((imageId) => this.catalog.find(imageId)).filter(Boolean);
  }

  /** Shows what the catalog holds; cards that stay are left alone, so that their players go on. */
  show() {
    const { images } = this.catalog;
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
        : this.part("images").firstElementChild === element;
      if (!isInPlace && before) before.after(element);
      else if (!isInPlace) this.part("images").prepend(element);
      before = element;
    }
    this.part("loading").hidden = true;
    this.part("empty").hidden = images.length > 0;
    this.part("collection-hint").hidden = images.length < 2;
    this.part("older").hidden = !this.catalog.hasMore;
    this.part("save-all").hidden = images.length === 0;
    this.showRoom();
    this.chosen = this.chosen.filter((id) => shown.has(id));
    this.showSelection();
  }

  /** Says how many figures are kept and for how long, before one is lost. */
  showRoom() {
    if (!this.room) return;
    const { most, seconds } = this.room;
    const count = this.catalog.hasMore ? Math.max(this.room.count, this.catalog.images.length) : this.catalog.images.length;
    const isFull = count >= most;
    const kept = `${formatNumber(count, "figure")} of at most ${formatCount(most)}; each is kept for ${formatLong(seconds)}.`;
    const next = " The next one removes the oldest without “Keep”.";
    this.part("room").textContent = isFull ? kept + next : kept;
    this.part("room").dataset.level = isFull ? "low" : "";
    this.part("room").hidden = count === 0;
  }

  focus(imageId) {
    this.cards.get(imageId)?.element.querySelector(".image-card__open").focus();
  }

  /** Looks again for the recording of an image, which came after its card. */
  refill(imageId) {
    const card = this.cards.get(imageId);
    if (card) this.imageRecordings.fill(card.player, this.catalog.find(imageId));
  }

  /** Writes on a card the result of making its image again. */
  stamp(imageId, text, isEqual) {
    const stamp = this.cards.get(imageId)?.element.querySelector(".image-card__stamp");
    if (!stamp) return;
    stamp.textContent = text;
    stamp.dataset.level = isEqual ? "high" : "low";
    stamp.hidden = false;
  }

  /** Moves the focus to a card beside one that is removed. */
  focusBeside(imageId) {
    const card = this.cards.get(imageId)?.element;
    const beside = card?.nextElementSibling ?? card?.previousElementSibling;
    (beside?.querySelector(".image-card__open") ?? this.part("collection-title")).focus();
  }

  render(image) {
    const element = copyOf("image-card-template");
    const part = (name) => element.querySelector(`.image-card__${name}`);
    const label = this.catalog.label(image);
    element.dataset.imageId = image.image_id;
    part("image").src = shownAddressOf(image);
    part("image").alt = `Image of ${nameOf(image)}`;
    part("open").setAttribute("aria-label", `Look at ${label}`);
    part("open").addEventListener("click", () => this.actions.open(image));
    part("number").textContent = `Fig. ${this.catalog.number(image.image_id)}`;
    part("name").textContent = nameOf(image);
    part("name").title = nameOf(image);
    part("facts").textContent = describeImage(image);
    const player = this.imageRecordings.playerFor(image);
    part("sound").append(player.element);
    part("actions").append(renderActions(image, label, this.actions));
    const box = element.querySelector(".image-card__select input");
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
    const numbers = this.chosen.map((id) => `Fig. ${this.catalog.number(id)}`);
    return count === 2 ? numbers.join(" and ") : `${count} figures`;
  }
}
