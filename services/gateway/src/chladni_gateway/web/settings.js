// How pictures are to be made.

export class Settings {
  constructor(form) {
    this.form = form;
    this.recipes = [];
    form.recipe.addEventListener("change", () => this.explainRecipe());
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));
  }

  /** Fills the list of recipes with what the server offers. */
  offer(recipes) {
    this.recipes = recipes;
    this.form.recipe.replaceChildren(
      ...recipes.map((recipe) => {
        const option = new Option(recipe.name, recipe.name, recipe.is_default, recipe.is_default);
        option.disabled = !recipe.is_available && !recipe.is_default;
        return option;
      }),
    );
    this.explainRecipe();
  }

  /** Returns what was set; what was left open is left out. */
  values() {
    const given = [...new FormData(this.form)].map(([name, value]) => [name, value.trim()]);
    return Object.fromEntries(given.filter(([, value]) => value !== ""));
  }

  /** Marks the fields that an error names. */
  mark(error) {
    for (const name of ["seed", "steps", "guidance"]) {
      if (error.code !== "INVALID_FIELD" || !new RegExp(`\\b${name}\\b`).test(error.message)) continue;
      this.form[name].setAttribute("aria-invalid", "true");
      this.form.closest("details").open = true;
    }
  }

  explainRecipe() {
    const recipe = this.recipes.find(({ name }) => name === this.form.recipe.value);
    if (!recipe) return;
    this.form.querySelector("#recipe-hint").textContent = recipe.is_available
      ? recipe.description
      : `Not available now: ${recipe.unavailable_reason}`;
  }
}
