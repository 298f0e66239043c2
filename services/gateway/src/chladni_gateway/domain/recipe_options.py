"""What a request may say beyond what every recipe takes, and whether a recipe takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from chladni_contract.errors import FieldViolation, InvalidFieldsError, Reason
from chladni_gateway.domain.audio import InitialLatents


class NoiseMode(StrEnum):
    """How a sound becomes initial noise: as it is, mixed into seeded noise, or by its cosine transform."""

    MEL = "mel"
    BLEND = "blend"
    DCT = "dct"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeOptions:
    """Options of recipes; each recipe takes some. `None`, and an empty text, leave an option to the recipe.

    Attributes:
        prompt: Text to follow.
        negative_prompt: Text to avoid.
        strength: How far to go from the image of the sound, in (0, 1].
        model: Image model by its identifier.
        noise_mode: How the sound becomes initial noise.
        noise_weight: How much of the sound the noise holds, in [0, 1].
        calibration: Calibration of the initial latents by its name.
        initial_latents: Initial latents in place of those of the sound, z-scored.
        upscale: Factor by which the finished image is larger than its width and height, 1 or 2.
        refiner_start: Part of the steps after which the refiner takes over, in (0, 1]; 1 leaves it out.
        look: How the sound is shown: a look by name, several with shares, or auto.
    """

    prompt: str = ""
    negative_prompt: str = ""
    strength: float | None = None
    model: str = ""
    noise_mode: NoiseMode | None = None
    noise_weight: float | None = None
    calibration: str = ""
    initial_latents: InitialLatents | None = None
    upscale: int | None = None
    refiner_start: float | None = None
    look: str = ""

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the options that the request gives."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return tuple(name for name, value in values if value is not None and value != "")


def check_taken(
    given: Sequence[str], *, recipe: str, options: Sequence[str], required_options: Sequence[str]
) -> None:
    """Require that a recipe takes every option that is given, and is given what it cannot do without.

    Args:
        given: Names of the options that a request gives.
        recipe: Name of the recipe.
        options: Options that it takes.
        required_options: Those of them that it cannot do without.

    Raises:
        InvalidFieldsError: An option is not taken, or is missing; all of them are named.
    """
    violations = [
        FieldViolation(name, f"the recipe {recipe} does not take it; its options are {', '.join(options)}.")
        for name in given
        if name not in options
    ]
    missing = [
        FieldViolation(name, f"is missing; the recipe {recipe} cannot do without it.")
        for name in required_options
        if name not in given
    ]
    if violations or missing:
        reason = Reason.INVALID_FIELD if violations else Reason.MISSING_FIELD
        raise InvalidFieldsError(reason, [*violations, *missing])
