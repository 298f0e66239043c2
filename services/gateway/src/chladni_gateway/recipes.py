"""Recipes: named ways from sound to picture."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from chladni_gateway.creation_request import CreationRequest
from chladni_gateway.events import RecipeEvent
from chladni_runtime.deadlines import Deadline
from chladni_runtime.errors import NotFoundError, Reason


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a recipe can be used here and now.

    Attributes:
        models: Models that it uses, as far as known.
        obstacle: Why it cannot be used and what to do about it; empty where it can.
    """

    models: tuple[str, ...] = ()
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class RecipeDescription:
    """What callers learn about a recipe."""

    name: str
    description: str
    is_default: bool
    availability: Availability


class Recipe(Protocol):
    """A way from sound to picture."""

    @property
    def name(self) -> str:
        """Stable name, at most 64 characters."""
        ...

    @property
    def description(self) -> str:
        """One sentence for people."""
        ...

    def create(self, request: CreationRequest, deadline: Deadline) -> AsyncGenerator[RecipeEvent, None]:
        """Yields what happens, `Analyzed` first and `Completed` last; closing the generator stops the work.

        Raises:
            ChladniError: Some stage failed; the metadata names it.
        """
        ...

    async def availability(self, deadline: Deadline) -> Availability:
        """Returns whether the recipe can be used now; never raises."""
        ...


class RecipeBook:
    """The recipes that a gateway knows.

    Args:
        recipes: The recipes, the default one first; names are unique.
    """

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        self._recipes = {recipe.name: recipe for recipe in recipes}
        self._default = recipes[0]
        if len(self._recipes) != len(recipes):
            raise ValueError("two recipes have the same name")

    def find(self, name: str) -> Recipe:
        """Returns a recipe; the default one for an empty name.

        Raises:
            NotFoundError: No recipe has this name.
        """
        recipe = self._recipes.get(name) if name else self._default
        if recipe is None:
            known = ", ".join(self._recipes)
            raise NotFoundError(Reason.UNKNOWN_RECIPE, f"No recipe is called {name!r}; known: {known}.")
        return recipe

    async def describe(self, deadline: Deadline) -> tuple[RecipeDescription, ...]:
        """Returns what there is to know about every recipe, the default one first."""
        return tuple(
            [
                RecipeDescription(
                    name=recipe.name,
                    description=recipe.description,
                    is_default=recipe is self._default,
                    availability=await recipe.availability(deadline),
                )
                for recipe in self._recipes.values()
            ]
        )
