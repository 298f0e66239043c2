"""Requests for images, and their generation: what the recipes have in common."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from chladni_contract.errors import FaultError, FieldViolation, InvalidFieldsError, Reason
from chladni_gateway.domain.events import Analyzed, Completed
from chladni_gateway.domain.generation import Origin
from chladni_gateway.domain.stages import Stage, at_part, at_stage

if TYPE_CHECKING:
    from chladni_gateway.domain.audio import AudioFeatures, AudioProperties
    from chladni_gateway.domain.events import Report
    from chladni_gateway.domain.generation import GenerationRequest, GenerationSettings
    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.domain.ports import ImageSource
    from chladni_gateway.domain.recipe_options import RecipeOptions
    from chladni_gateway.domain.request import CreationRequest
    from chladni_runtime.execution.deadlines import Deadline

DEFAULT_PROMPT: Final = "abstract visualization, colorful, artistic, detailed"
"""What models that cannot do without a prompt are asked for if the request has none."""
_INPUTS_OF_MODELS: Final = frozenset({"prompt", "negative_prompt", "upscale", "refiner_start", "look"})
_NO_EFFECT: Final = 1
"""Value of `upscale` and `refiner_start` that changes nothing, so that every model takes it."""


def inputs_asked_of_model(options: RecipeOptions) -> tuple[str, ...]:
    """Return the options that a model must take, by their names among its inputs."""
    return tuple(
        name for name in options.given if name in _INPUTS_OF_MODELS and getattr(options, name) != _NO_EFFECT
    )


def check_model_takes(options: RecipeOptions, model: ModelSummary) -> None:
    """Require that a model takes every option that is for it.

    Raises:
        InvalidFieldsError: It does not take some; all of them are named.
    """
    violations = [
        FieldViolation(name, f"the model {model.name} does not take it; leave it out or name another model.")
        for name in inputs_asked_of_model(options)
        if name not in model.inputs
    ]
    if violations:
        error = InvalidFieldsError(Reason.INVALID_FIELD, violations)
        with at_stage(Stage.VALIDATION):
            raise error


def settings_for(request: CreationRequest, model: ModelSummary) -> GenerationSettings:
    """Return how a request wants its image generated, with the options that the model takes."""
    options = request.options
    return replace(
        request.settings,
        upscale=options.upscale if "upscale" in model.inputs else None,
        refiner_start=options.refiner_start if "refiner_start" in model.inputs else None,
        look=options.look if "look" in model.inputs else "",
    )


def prompt_for(options: RecipeOptions, model: ModelSummary) -> str:
    """Return the prompt of a request, or the default one if the model cannot do without any."""
    return options.prompt or (DEFAULT_PROMPT if "prompt" in model.required_inputs else "")


def origin_of(recipe: str, audio: AudioProperties | None, **others: Any) -> Origin:
    """Return the origin of an image: the recipe, and the audio, or the part of it, that was used."""
    start = None if audio is None else audio.start_seconds
    return Origin(
        recipe=recipe,
        audio_sha256="" if audio is None else audio.sha256,
        audio_start_seconds=start,
        audio_end_seconds=None if audio is None or start is None else start + audio.duration_seconds,
        **others,
    )


def analyzed(features: AudioFeatures) -> Analyzed:
    """Return the event for the analysis of a sound."""
    return Analyzed(
        features.audio,
        features.descriptors,
        replace(features.embedding, component_names=()),
        features.warnings,
    )


async def generate_image(
    generator: ImageSource, generation: GenerationRequest, deadline: Deadline, report: Report
) -> Completed:
    """Generate an image; report what happens until it is completed, with the part of the recipe.

    Args:
        generator: Generates images.
        generation: What it is asked for.
        deadline: When the image must be there.
        report: Takes every event but `Completed`, which is returned.

    Raises:
        ChladniError: Image generation refused or failed; the metadata names the stage and the part.
    """
    part = generation.origin.part
    completed: Completed | None = None
    with at_part(part), at_stage(Stage.IMAGE_GENERATION):
        async with aclosing(generator.generate(generation, deadline)) as events:
            async for event in events:
                placed = replace(event, part=part) if part else event
                if isinstance(placed, Completed):
                    completed = placed
                else:
                    await report(placed)
        if completed is None:
            raise FaultError(Reason.INTERNAL, "The image generation ended without an image.")
    return completed
