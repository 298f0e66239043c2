// How images are to be made, and by which recipe.

import { OptionFields } from "./option_fields.js";
import { recipeToChoose, renderRecipe } from "./recipe_list.js";

const FIELDS = ["seed", "steps", "guidance_scale", "width_pixels", "height_pixels", "scheduler"];
const FAULTS_OF_FIELDS = new Set(["INVALID_FIELD", "MISSING_FIELD", "UNKNOWN_MODEL"]);

export class Settings {
  constructor(form, { list, options }) {
    this.form = form;
    this.list = list;
    this.options = new OptionFields(options);
    this.recipes = [];
    list.addEventListener("change", () => this.showOptions());
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));
    form.addEventListener("reset", () => {
      this.unmark();
      setTimeout(() => this.showOptions()); // The form is as it was only after this event.
    });
  }

  /** Says in the hints what the server accepts. */
  limit({ seed, steps, guidance_scale: guidance }) {
    const describe = (id, { min, max }, text) => {
      this.form.querySelector(`#${id}-hint`).textContent = `${min} to ${max}; ${text}`;
    };
    describe("seed", seed, "the same seed repeats an image");
    describe("steps", steps, "more take longer");
    describe("guidance", guidance, "higher follows the sound more");
  }

  /** Shows what the server offers; a recipe that cannot be used says why and what to do. */
  offer(recipes) {
    this.recipes = recipes;
    const chosen = recipeToChoose(recipes, this.recipe);
    this.list.replaceChildren(
      ...recipes.map((recipe, index) => renderRecipe(recipe, index, { isChosen: recipe === chosen })),
    );
    this.showOptions();
  }

  /** Name of the recipe that is chosen. */
  get recipe() {
    return this.list.querySelector(":checked")?.value;
  }

  showOptions() {
    const chosen = this.recipes.find(({ name }) => name === this.recipe);
    if (chosen) this.options.show(chosen);
  }

  /** Returns what was set; empty fields are left out. */
  values() {
    const given = [...new FormData(this.form)].map(([name, value]) => [name, value.trim()]);
    return Object.fromEntries(given.filter(([, value]) => value !== ""));
  }

  /** Marks the fields that an error names, and shows them. */
  mark(error) {
    if (!FAULTS_OF_FIELDS.has(error.code)) return;
    const named = error.code === "UNKNOWN_MODEL" ? ["model"] : [...FIELDS, ...this.options.names];
    for (const name of named) {
      // A fault begins with the name of its field; further names in it are hints.
      const isMeant = error.code === "UNKNOWN_MODEL" || new RegExp(`(^|\\. )${name}\\b`).test(error.message);
      if (!isMeant) continue;
      this.form.elements[name].setAttribute("aria-invalid", "true");
      this.form.closest("details").open = true;
    }
  }

  unmark() {
    for (const field of this.form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  }
}
