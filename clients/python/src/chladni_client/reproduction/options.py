"""What to ask a server for to get an image again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from chladni_client.errors import ProvenanceError
from chladni_client.types.options import CreationOptions, NoiseMode
from chladni_client.types.services import Recipe
from chladni_contract.provenance import Provenance

_OF_THE_LAST_PART: Final = (
    "recipe", "seed", "scheduler", "width_pixels", "height_pixels", "reproducible",
)  # fmt: skip
_OF_ALL_PARTS: Final = ("steps", "guidance_scale")
_READER_OF_RECIPE_OPTION: Final[Mapping[str, Callable[[Any], object]]] = {
    "prompt": str,
    "negative_prompt": str,
    "strength": float,
    "model": str,
    "noise_mode": NoiseMode,
    "noise_weight": float,
    "calibration": lambda value: str(value).partition("@")[0],  # without its digest
    "upscale": int,
    "refiner_start": float,
    "look": str,
}
_NO_EFFECT: Final = (("upscale", 0), ("upscale", 1))
_FIELD_OF_RECIPE_OPTION: Final = {"noise_weight": "initial_latents_weight"}


def options_asked_again(provenance: Provenance, recipes: Sequence[Recipe]) -> CreationOptions:
    """Return the options that give an image again, as far as its provenance tells and the server takes them.

    What the server's recipe does not take is left out: then the image differs, and the comparison of the two
    provenances says in which term. An option that the provenance does not hold was not chosen.

    Args:
        provenance: How the image was made.
        recipes: The recipes of the server.

    Raises:
        ProvenanceError: An option that was recorded is none.
    """
    asked: dict[str, Any] = {name: getattr(provenance, name) for name in _OF_THE_LAST_PART}
    asked |= {
        name: getattr(provenance, name)
        for name in _OF_ALL_PARTS
        # One choice holds for every part of a recipe; if its parts differ, each took its own default, and
        # will again.
        if all(getattr(part, name) == getattr(provenance, name) for part in provenance.earlier)
    }
    for name, recorded in (
        ("start_seconds", provenance.audio_start_seconds),
        ("end_seconds", provenance.audio_end_seconds),
    ):
        if recorded is not None:
            asked[name] = recorded
    taken = _options_taken(provenance.recipe, recipes)
    for name, read in _READER_OF_RECIPE_OPTION.items():
        value = _value_of(name, provenance)
        if name not in taken or value in ("", None) or (name, value) in _NO_EFFECT:
            continue
        try:
            asked[name] = read(value)
        except ValueError as error:
            raise ProvenanceError(
                f"The image cannot be made again: its provenance has an unknown {name}.",
                reason="NO_PROVENANCE",
            ) from error
    options: CreationOptions = asked  # type: ignore[assignment]  # its keys are the fields of the options
    return options


def _options_taken(name: str, recipes: Sequence[Recipe]) -> Sequence[str]:
    for recipe in recipes:
        if recipe.name == name or (not name and recipe.is_default):
            return recipe.options
    return ()  # the server will say that it does not know the recipe


def _value_of(name: str, provenance: Provenance) -> object:
    if name == "model" and provenance.fallback:
        return None  # the model of the other way, of which the recipe's own may know nothing
    value = getattr(provenance, _FIELD_OF_RECIPE_OPTION.get(name, name), None)
    # What the recipe records of its options is for people: numbers may be rounded.
    return provenance.recipe_options.get(name, value) if value in (None, "") else value
