// How pictures are to be made, and by which recipe.

import { make } from "./elements.js";

const FIELDS = ["seed", "steps", "guidance", "width_pixels", "height_pixels", "scheduler"];

export class Settings {
  constructor(form, { list }) {
    this.form = form;
    this.list = list;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));
    form.addEventListener("reset", () => this.unmark());
  }

  /** Says in the hints what the server accepts. */
  limit({ seed, steps, guidance }) {
    const tell = (id, { minimum, maximum }, text) => {
      this.form.querySelector(`#${id}-hint`).textContent = `${minimum} to ${maximum}; ${text}`;
    };
    tell("seed", seed, "the same seed repeats a picture");
    tell("steps", steps, "more take longer");
    tell("guidance", guidance, "higher follows the sound more");
  }

  /** Shows what the server offers; a recipe that cannot be used says why and what to do. */
  offer(recipes) {
    const before = this.form.elements.recipe?.value;
    const chosen =
      recipes.find(({ name }) => name === before) ?? recipes.find(({ is_default: isDefault }) => isDefault);
    this.list.replaceChildren(
      ...recipes.map((recipe, index) => renderRecipe(recipe, index, recipe === chosen)),
    );
  }

  /** Returns what was set; what was left open is left out. */
  values() {
    const given = [...new FormData(this.form)].map(([name, value]) => [name, value.trim()]);
    return Object.fromEntries(given.filter(([, value]) => value !== ""));
  }

  /** Marks the fields that an error names, and shows them. */
  mark(error) {
    if (error.code !== "INVALID_FIELD") return;
    for (const name of FIELDS) {
      if (!new RegExp(`\\b${name}\\b`).test(error.message)) continue;
      this.form.elements[name].setAttribute("aria-invalid", "true");
      this.form.closest("details").open = true;
    }
  }

  unmark() {
    for (const name of FIELDS) this.form.elements[name].removeAttribute("aria-invalid");
  }
}

/** Returns the settings that make a picture again: all of them, but the seed only where it is to be the same. */
export function settingsOf({ provenance, recipe, seed }, { withSeed }) {
  return {
    recipe,
    steps: provenance.steps,
    guidance: provenance.guidance_scale,
    scheduler: provenance.scheduler,
    width_pixels: provenance.width_pixels,
    height_pixels: provenance.height_pixels,
    exact: provenance.exact,
    ...(withSeed && { seed }),
  };
}

function renderRecipe(recipe, index, isChosen) {
  const isUsable = recipe.is_available || recipe.is_default;
  const input = make("input", {
    type: "radio",
    name: "recipe",
    value: recipe.name,
    defaultChecked: recipe.is_default, // What a reset goes back to.
    checked: isChosen,
    disabled: !isUsable,
  });
  const hint = make("span", { className: "recipe__hint", id: `recipe-${index}-hint` }, [
    make("span", {}, [recipe.description]),
    ...(recipe.models.length > 0
      ? [make("span", { className: "recipe__models" }, [recipe.models.join(" · ")])]
      : []),
    ...(recipe.is_available
      ? []
      : [make("span", { className: "recipe__obstacle" }, [recipe.unavailable_reason])]),
  ]);
  input.setAttribute("aria-describedby", hint.id);
  const state = make("span", { className: "recipe__state" }, [
    recipe.is_available ? "ready" : "not available here",
  ]);
  const label = make("label", { className: "recipe__label" }, [
    input,
    make("span", { className: "recipe__name" }, [recipe.name]),
    state,
  ]);
  const row = make("div", { className: "recipe" }, [label, hint]);
  row.dataset.available = String(recipe.is_available);
  return row;
}
