// One image in large, with its explanation and how it was made.

import { renderFit } from "../compare/alignment.js";
import { nameOf, shownAddressOf } from "./image_catalog.js";
import { whenClosed } from "../ui/dialogs.js";
import { make } from "../ui/elements.js";
import { renderCode } from "./as_code.js";
import { renderActions } from "./image_actions.js";
import { explanationOf, summaryOf } from "./explanation.js";
import { describeImage, formatUntil, humanName } from "../ui/format.js";

export class Viewer {
  /** `onShow` is called with each image that is shown, `onClose` when the viewer was closed. */
  constructor(dialog, { catalog, alignments, imageRecordings, actions, onShow, onClose }) {
    Object.assign(this, { dialog, catalog, alignments, imageRecordings, actions, onShow });
    this.part = (id) => dialog.querySelector(`#viewer-${id}`);
    this.image = null;
    this.part("newer").addEventListener("click", () => this.showNeighbor(-1));
    this.part("older").addEventListener("click", () => this.showNeighbor(+1));
    dialog.addEventListener("keydown", (event) => {
      if (event.target.closest("pre, input")) return; // There the arrows scroll, or move the playhead.
      if (event.key === "ArrowLeft") this.showNeighbor(-1);
      if (event.key === "ArrowRight") this.showNeighbor(+1);
    });
    whenClosed(dialog, () => {
      this.player?.unload();
      onClose();
    });
    this.part("image").addEventListener("click", () => actions.play(this.image));
  }

  open(image) {
    const isOpen = this.dialog.open;
    this.show(image, { isNeighbor: false });
    if (!isOpen) this.dialog.showModal();
    this.dialog.scrollTop = 0;
  }

  isShowing({ image_id: id }) {
    return this.dialog.open && this.image?.image_id === id;
  }

  close() {
    this.dialog.close();
  }

  showNeighbor(step) {
    const { images } = this.catalog;
    const at = images.findIndex(({ image_id: id }) => id === this.image.image_id);
    const other = images[at + step];
    if (other) this.show(other, { isNeighbor: true });
  }

  show(image, { isNeighbor }) {
    this.image = image;
    this.onShow(image, { isNeighbor });
    const label = this.catalog.label(image);
    const { images } = this.catalog;
    this.part("newer").disabled = images[0]?.image_id === image.image_id;
    this.part("older").disabled = images.at(-1)?.image_id === image.image_id;
    // A button that is disabled while it has the keyboard would keep the arrow keys to itself.
    if (document.activeElement.disabled) this.dialog.querySelector("[data-close]").focus();
    this.part("image").src = shownAddressOf(image);
    this.part("image").alt = `Image of ${nameOf(image)}`;
    this.part("number").textContent = `Fig. ${this.catalog.number(image.image_id)}`;
    this.part("name").textContent = nameOf(image);
    this.part("facts").textContent = describeImage(image);
    const notes = [image.provenance.fallback, ...(image.warnings ?? []).map(({ message }) => message)].filter(Boolean);
    this.part("fallback").textContent = notes.join(" ");
    this.part("fallback").hidden = notes.length === 0;
    this.player?.unload();
    this.player = this.imageRecordings.playerFor(image);
    this.part("player").replaceChildren(this.player.element);
    const closing = (name) => (of) => {
      this.close();
      this.actions[name](of);
    };
    const { delete: remove } = this.actions;
    const actions = {
      play: closing("play"),
      share: this.actions.share,
      again: closing("again"),
      reproduce: closing("reproduce"),
      findAlike: closing("findAlike"),
      keep: this.actions.keep,
      delete: remove,
    };
    this.part("actions").replaceChildren(renderActions(image, label, actions));
    this.part("lead").textContent = summaryOf(image);
    this.part("explanation").replaceChildren(...explanationOf(image));
    this.part("provenance").replaceChildren(...provenanceOf(image));
    this.part("code").replaceChildren(renderCode(image));
    this.showFit(image);
  }

  async showFit(image) {
    this.part("fit").replaceChildren();
    const answer = await this.alignments.of(image);
    if (image !== this.image) return;
    this.part("fit").replaceChildren(
      ...(answer.unavailableReason
        ? [make("p", { className: "fit__note" }, [answer.unavailableReason])]
        : [renderFit(answer.score, { words: "Fits its sound", name: "How well the image fits its sound" })]),
    );
  }
}

const describeAudio = ({ format, sample_rate_hz: rate, channel_count: channels, duration_seconds: seconds }) =>
  `${format}, ${rate} Hz, ${channels === 1 ? "mono" : `${channels} channels`}, ${seconds.toFixed(2)} s`;

/** Returns whether a value is worth showing: not if it is empty, or enlarges by 1. */
const isShown = ([name, value]) => ![null, "", 0].includes(value) && !(name === "upscale" && value === 1);

function provenanceOf(image) {
  const { library_versions: versions, earlier, recipe_options: options, ...facts } = image.provenance;
  const rows = Object.entries({ ...facts, ...options }).filter(isShown);
  for (const { part, model, seed, steps, guidance_scale: guidance } of earlier) {
    rows.push([`before: ${part}`, `${model}, seed ${seed}, ${steps} steps, guidance ${guidance}`]);
  }
  rows.push([
    "libraries",
    Object.entries(versions)
      .map((pair) => pair.join(" "))
      .join(", "),
  ]);
  if (image.audio) rows.push(["recording", describeAudio(image.audio)]);
  rows.push(["expires", formatUntil(image.expire_time)]);
  return rows.map(([name, value]) =>
    make("div", { className: "provenance__row" }, [
      make("dt", {}, [humanName(name)]),
      make("dd", {}, [String(value)]),
    ]),
  );
}
