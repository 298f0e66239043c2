// The recipes to choose from: what each does and needs, and why it cannot be used if it cannot.

import { make } from "../ui/elements.js";
import { formatNumber } from "../ui/format.js";

/** Returns the rows of all recipes; those that cannot be used are behind one line, for the operator. */
export function renderRecipes(recipes, { chosen, isOpen }) {
  const rows = recipes.map((recipe, index) => renderRecipe(recipe, index, { isChosen: recipe === chosen }));
  const isForOperator = ({ available, isDefault }) => !available && !isDefault;
  const shown = rows.filter((_, index) => !isForOperator(recipes[index]));
  const hidden = rows.filter((_, index) => isForOperator(recipes[index]));
  if (hidden.length === 0) return shown;
  const summary = make("summary", {}, [`For the operator: ${formatNumber(hidden.length, "more recipe")}`]);
  return [...shown, make("details", { className: "recipes__more", open: isOpen }, [summary, ...hidden])];
}

/** Returns the row of a recipe: a radio button, and what there is to know. */
function renderRecipe(recipe, index, { isChosen }) {
  const input = make("input", {
    type: "radio",
    name: "recipe",
    value: recipe.name,
    defaultChecked: recipe.isDefault, // What a reset goes back to.
    checked: isChosen,
    disabled: !recipe.available && !recipe.isDefault,
  });
  const hint = make("span", { className: "recipe__hint", id: `recipe-${index}-hint` }, [
    make("span", {}, [recipe.description]),
    ...(recipe.models.length > 0
      ? [make("span", { className: "recipe__models" }, [recipe.models.join(" · ")])]
      : []),
    ...(recipe.available
      ? []
      : [make("span", { className: "recipe__unavailable" }, [recipe.unavailable_reason])]),
  ]);
  input.setAttribute("aria-describedby", hint.id);
  const label = make("label", { className: "recipe__label" }, [
    input,
    make("span", { className: "recipe__name" }, [recipe.name]),
    make("span", { className: "recipe__state" }, [stateOf(recipe)]),
  ]);
  const row = make("div", { className: "recipe" }, [label, hint, ...needsOf(recipe)]);
  row.dataset.available = String(recipe.available);
  return row;
}

/** Returns the recipe to begin with: the one before, or the usual one, or else one that can be used. */
export function recipeToChoose(recipes, before) {
  const usual = recipes.find(({ isDefault }) => isDefault);
  const kept = recipes.find(({ name, available }) => name === before && available);
  return kept ?? (usual?.available ? usual : (recipes.find((recipe) => recipe.available) ?? usual));
}

function stateOf(recipe) {
  if (!recipe.available) return "not available here";
  return recipe.requirements.every(({ met }) => met) ? "ready" : "ready, by another way";
}

/** Returns the list of what a recipe needs, if some of it is missing. */
function needsOf(recipe) {
  if (recipe.requirements.every(({ met }) => met)) return [];
  const items = recipe.requirements.map((need) => {
    const found = need.met ? need.model || "there" : "not available";
    const item = make("li", { className: "needs__item" }, [
      make("span", { className: "needs__what" }, [need.description]),
      make("span", { className: "needs__found" }, [found]),
      // If the recipe cannot be used, its reason says all of this already.
      ...(recipe.available && need.remedy
        ? [make("span", { className: "needs__remedy" }, [need.remedy])]
        : []),
    ]);
    item.dataset.met = String(need.met);
    return item;
  });
  return [make("ul", { className: "needs", ariaLabel: `What ${recipe.name} needs` }, items)];
}
