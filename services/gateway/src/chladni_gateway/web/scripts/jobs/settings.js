// How images are to be made, and by which recipe.

import { keepFields, recallFields } from "../input/kept_fields.js";
import { OptionFields } from "./option_fields.js";
import { Presets } from "./presets.js";
import { recipeToChoose, renderRecipes } from "./recipe_list.js";

const FIELDS = ["seed", "steps", "guidance_scale", "width_pixels", "height_pixels", "scheduler"];
const KEY = "settings";
const PROMPT_RECIPES = ["music-prompts", "embedded", "spectrogram", "audioldm", "clap-unclip"];
const FAULTS_OF_FIELDS = new Set(["INVALID_FIELD", "MISSING_FIELD", "UNKNOWN_MODEL"]);

export class Settings {
  /** `summary` says in a few words what is set. */
  constructor(form, { list, options, summary }) {
    this.form = form;
    this.summary = summary;
    this.list = list;
    this.options = new OptionFields(options);
    this.recipes = [];
    this.kept = recallFields(KEY);
    this.presets = new Presets(form);
    list.addEventListener("change", () => this.showOptions());
    for (const event of ["input", "change"]) form.addEventListener(event, () => this.keep());
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));
    form.addEventListener("reset", () => {
      this.unmark();
      // The form is as it was only after this event.
      setTimeout(() => {
        this.showOptions();
        this.presets.show();
        this.keep();
      });
    });
  }

  /** Says in the hints what the server accepts. */
  limit({ seed, steps, guidance_scale: guidance, side_pixels: side }) {
    this.presets.limit(side.max);
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
    const chosen = recipeToChoose(recipes, this.recipe ?? this.kept.recipe);
    this.list.replaceChildren(...renderRecipes(recipes, { chosen, isOpen: Boolean(this.list.querySelector("[open]")) }));
    this.showOptions();
    if (Object.keys(this.kept).length > 0) this.fill(this.kept);
    this.kept = {};
  }

  /** Fills the form with settings, such as those of an image; returns whether their recipe can be used. */
  fill(settings) {
    const recipe = this.list.querySelector(`[name=recipe][value="${CSS.escape(settings.recipe ?? "")}"]:enabled`);
    if (recipe) recipe.checked = true;
    this.showOptions();
    for (const name of [...FIELDS, ...this.options.names]) {
      const field = this.form.elements[name];
      field.value = settings[name] ?? "";
      if (field.selectedIndex === -1) field.value = ""; // It is the usual one, or offered no more.
    }
    this.form.elements.bypass_cache.checked = settings.bypass_cache === "true";
    this.presets.show();
    this.keep();
    return recipe !== null;
  }

  /** Keeps the settings across reloads, and says what differs from the usual. */
  keep() {
    const { recipe, seed, ...rest } = this.values();
    const usual = this.recipes.find(({ isDefault }) => isDefault)?.name;
    const words = [recipe !== usual && recipe, ...this.presets.words, seed && `seed ${seed}`].filter(Boolean);
    if (words.length === 0 && Object.keys(rest).length > 0) words.push("your own");
    this.summary.textContent = words.length > 0 ? ` · ${words.join(", ")}` : "";
    keepFields(KEY, this.values());
  }

  /** Name of a recipe that can be used and follows a prompt; undefined if there is none. */
  get promptRecipe() {
    const usable = this.recipes.filter(({ available, options }) => available && options.includes("prompt"));
    return PROMPT_RECIPES.find((wanted) => usable.some(({ name }) => name === wanted));
  }

  /** The looks that may be chosen, as options of a select. */
  get looks() {
    return [...this.form.elements.look.options];
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
