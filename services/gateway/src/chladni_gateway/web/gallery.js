// The figures that were drawn, and the choice of two of them.

import { formatSeconds } from "./wording.js";

const COMPARED = 2;

export class Gallery {
  constructor({ list, template, empty, selection, onCompare }) {
    this.list = list;
    this.template = template;
    this.empty = empty;
    this.selection = selection;
    this.count = 0;
    this.chosen = []; // Figures in the order of their choice.
    this.button = selection.querySelector("button");
    this.button.addEventListener("click", () => onCompare(...this.chosen));
  }

  add(created, file) {
    this.empty.hidden = true;
    this.count += 1;
    const figure = { id: created.image_id, url: created.image_url, name: file.name, number: this.count };
    this.list.prepend(this.render(figure, created, file));
  }

  render(figure, created, file) {
    const item = this.template.content.cloneNode(true).firstElementChild;
    const part = (name) => item.querySelector(`.figure__${name}`);
    const label = `Fig. ${figure.number}, ${figure.name}`;
    item.dataset.imageId = figure.id;
    part("image").src = figure.url;
    part("image").alt = `Picture of ${figure.name}`;
    part("number").textContent = `Fig. ${figure.number}`;
    part("name").textContent = figure.name;
    part("name").title = figure.name;
    const { steps, guidance_scale: guidance } = created.provenance;
    const facts = [formatSeconds(created.processing_time), `seed ${created.seed}`, `${steps} steps`];
    facts.push(`guidance ${Number(guidance.toFixed(2))}`);
    if (created.is_reused) facts.push("drawn before");
    part("facts").textContent = facts.join(" · ");
    part("sound").src = URL.createObjectURL(file);
    part("sound").setAttribute("aria-label", `Recording ${figure.name}`);
    part("download").href = figure.url;
    part("download").download = `${figure.name.replace(/\.[^.]*$/, "")}-${created.seed}.png`;
    const box = item.querySelector("input");
    part("select").querySelector(".visually-hidden").textContent = `Select ${label} to compare`;
    box.addEventListener("change", () => this.choose({ ...figure, box }));
    return item;
  }

  choose(figure) {
    this.chosen = this.chosen.filter(({ id }) => id !== figure.id);
    if (figure.box.checked) this.chosen.push(figure);
    while (this.chosen.length > COMPARED) this.chosen.shift().box.checked = false;
    const count = this.chosen.length;
    this.selection.hidden = count === 0;
    this.button.disabled = count < COMPARED;
    this.selection.querySelector("#selection-text").textContent =
      count < COMPARED ? "Select one more to compare." : this.chosen.map(({ number }) => `Fig. ${number}`).join(" and ");
  }
}
