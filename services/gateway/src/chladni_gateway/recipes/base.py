"""Recipes: named ways from sound to image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chladni_contract.errors import NotFoundError, Reason
from chladni_gateway.domain.events import Completed, Report
from chladni_gateway.domain.ports import AudioAnalyzer, ImageSource, SpectrogramRenderer
from chladni_gateway.domain.prompts import MusicDescriber, PromptBackend
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.models.availability import Availability
from chladni_gateway.models.catalog import CatalogSnapshot, ModelCatalog
from chladni_runtime.execution.deadlines import Deadline


@dataclass(frozen=True, slots=True)
class RecipeDescription:
    """What callers learn about a recipe."""

    name: str
    description: str
    is_default: bool
    options: tuple[str, ...]
    required_options: tuple[str, ...]
    availability: Availability


class Recipe(Protocol):
    """A way from sound to image."""

    @property
    def name(self) -> str:
        """Stable name, at most 64 characters."""
        ...

    @property
    def description(self) -> str:
        """One sentence for people."""
        ...

    @property
    def options(self) -> tuple[str, ...]:
        """Options that it takes, by the names of the fields of `RecipeOptions`."""
        ...

    @property
    def required_options(self) -> tuple[str, ...]:
        """Those of them that it cannot do without."""
        ...

    async def create(self, request: CreationRequest, deadline: Deadline, report: Report) -> Completed:
        """Create an image; cancelling the task that runs this stops the work in every service.

        Args:
            request: What the caller asks for.
            deadline: When the image must be there.
            report: Takes what happens on the way, `Analyzed` first if there is a recording.

        Raises:
            ChladniError: Something that it needs is missing, or some stage failed; the metadata names it, and
                the part of the recipe if it has several.
        """
        ...

    def availability(self, snapshot: CatalogSnapshot) -> Availability:
        """Return whether the recipe can be used with the models that there are; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeDependencies:
    """What recipes are made with.

    Attributes:
        catalog: Knows which models there are.
        analyzer: Describes sounds.
        renderer: Draws their spectrograms.
        generator: Generates images.
        describer: Describes music in words.
        prompts: Writes, scores and embeds prompts.
    """

    catalog: ModelCatalog
    analyzer: AudioAnalyzer
    renderer: SpectrogramRenderer
    generator: ImageSource
    describer: MusicDescriber
    prompts: PromptBackend


class RecipeRegistry:
    """The recipes that a gateway knows.

    Args:
        recipes: The recipes; names are unique.
        catalog: Knows which models there are.
        default: Name of the recipe for requests that name none.
    """

    def __init__(self, recipes: Sequence[Recipe], *, catalog: ModelCatalog, default: str) -> None:
        self._recipes = {recipe.name: recipe for recipe in recipes}
        if len(self._recipes) != len(recipes):
            raise ValueError("two recipes have the same name")
        self._default = self._recipes[default]
        self._catalog = catalog

    def find(self, name: str) -> Recipe:
        """Return a recipe; the default one for an empty name.

        Raises:
            NotFoundError: No recipe has this name.
        """
        recipe = self._recipes.get(name) if name else self._default
        if recipe is None:
            known = ", ".join(self._recipes)
            raise NotFoundError(
                Reason.UNKNOWN_RECIPE,
                f"No recipe is called {name!r}; known: {known}.",
                metadata={"recipe": name},
            )
        return recipe

    async def describe(self, deadline: Deadline) -> tuple[RecipeDescription, ...]:
        """Return what there is to know about every recipe, the default one first; never raises."""
        snapshot = await self._catalog.refresh(deadline)
        recipes = sorted(self._recipes.values(), key=lambda recipe: recipe is not self._default)
        return tuple(
            RecipeDescription(
                name=recipe.name,
                description=recipe.description,
                is_default=recipe is self._default,
                options=recipe.options,
                required_options=recipe.required_options,
                availability=recipe.availability(snapshot),
            )
            for recipe in recipes
        )
