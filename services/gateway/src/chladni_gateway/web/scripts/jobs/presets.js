// Settings in people's words: how vivid an image is and what shape it has. Each stands for fields of the form.

const MOODS = { calm: { guidance_scale: "1" }, vivid: { guidance_scale: "2" }, "very vivid": { guidance_scale: "3.5" } };
const SHAPES = {
  square: { width_pixels: "512", height_pixels: "512" },
  portrait: { width_pixels: "512", height_pixels: "768" },
  wallpaper: { width_pixels: "1024", height_pixels: "576" },
  poster: { width_pixels: "704", height_pixels: "1024" },
};
const USUAL = "";
const OWN = "own";

export class Presets {
  /** `form` holds the selects `mood` and `shape`, which are not sent, and the fields that they set. */
  constructor(form) {
    this.form = form;
    this.sets = [
      { select: form.querySelector("#preset-mood"), values: MOODS },
      { select: form.querySelector("#preset-shape"), values: SHAPES },
    ];
    for (const set of this.sets) set.select.addEventListener("change", () => this.apply(set));
    form.addEventListener("input", ({ target }) => target.name && this.show());
    this.show();
  }

  apply({ select, values }) {
    if (select.value === OWN) return;
    const fields = values[select.value] ?? {};
    for (const name of namesOf(values)) {
      this.form.elements[name].value = fields[name] ?? "";
      this.form.elements[name].dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  /** Shows which preset the fields are, or that they are none. */
  show() {
    for (const { select, values } of this.sets) {
      const now = Object.fromEntries(namesOf(values).map((name) => [name, this.form.elements[name].value.trim()]));
      const isUsual = Object.values(now).every((value) => value === "");
      const same = (fields) => Object.entries(now).every(([name, value]) => Number(fields[name]) === Number(value));
      const found = isUsual ? USUAL : (Object.keys(values).find((key) => same(values[key])) ?? OWN);
      select.querySelector(`[value=${OWN}]`).hidden = found !== OWN;
      select.value = found;
    }
  }

  /** Returns the presets that were chosen, in words. */
  get words() {
    return this.sets.map(({ select }) => select.value).filter((value) => value !== USUAL && value !== OWN);
  }
}

const namesOf = (values) => Object.keys(Object.values(values)[0]);
