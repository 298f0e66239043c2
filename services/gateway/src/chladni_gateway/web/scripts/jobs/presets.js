// Settings in people's words: how vivid an image is and what shape it has. Each stands for fields of the form.

const MOODS = { calm: { guidance_scale: "1" }, vivid: { guidance_scale: "2" }, "very vivid": { guidance_scale: "3.5" } };
const SHAPES = {
  square: { width_pixels: "512", height_pixels: "512" },
  portrait: { width_pixels: "512", height_pixels: "768" },
  wallpaper: { width_pixels: "1024", height_pixels: "576" },
  poster: { width_pixels: "704", height_pixels: "1024" },
  print: { width_pixels: "2048", height_pixels: "2048" },
  "large wallpaper": { width_pixels: "2048", height_pixels: "1152" },
  "large poster": { width_pixels: "1408", height_pixels: "2048" },
};
const USUAL_PIXELS = 512 * 512;
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
    this.showSize();
  }

  /** Says how large the images of a shape are, and how long they take. */
  showSize() {
    const { select } = this.sets.at(-1);
    const { width_pixels: width, height_pixels: height } = SHAPES[select.value] ?? {};
    const times = Math.round((width * height) / USUAL_PIXELS);
    const time = times > 1 ? `; takes about ${times} times as long as a square` : "";
    this.form.querySelector("#preset-shape-hint").textContent = width ? `${width} × ${height} pixels${time}` : "";
  }

  /** Offers no shape with a side that the server refuses. */
  limit(maxSidePixels) {
    const { select } = this.sets.at(-1);
    for (const option of select.options) {
      const sides = Object.values(SHAPES[option.value] ?? {});
      option.hidden = option.disabled = sides.some((side) => Number(side) > maxSidePixels);
    }
    this.show(); // It hides what stands for one's own size.
  }

  /** Returns the presets that were chosen, in words. */
  get words() {
    return this.sets.map(({ select }) => select.value).filter((value) => value !== USUAL && value !== OWN);
  }
}

const namesOf = (values) => Object.keys(Object.values(values)[0]);
