"""Image to image by Stable Diffusion: an image that was made from the sound becomes a richer one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from chladni_gateway.domain.generation import Conditioning, GenerationRequest
from chladni_gateway.domain.request import MAX_STEPS
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.models.requirements import ModelRequirement
from chladni_gateway.recipes.generation import DEFAULT_PROMPT, check_model_takes, settings_for
from chladni_runtime.server.validation import RequestValidator

if TYPE_CHECKING:
    from chladni_gateway.domain.generation import GenerationSettings, Origin
    from chladni_gateway.domain.images import Image
    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.domain.request import CreationRequest

DEFAULT_STRENGTH: Final = 0.7
DEFAULT_STEPS: Final = 50
DEFAULT_GUIDANCE_SCALE: Final = 7.5
_OUT_OF_REACH: Final = 1e9
"""Steps that nobody takes; the number that the smallest strengths would need has no end."""

STABLE_DIFFUSION: Final = ModelRequirement(
    description="a Stable Diffusion model in image-generation",
    families=("stable-diffusion",),
    remedy="Add one to CHLADNI_IMAGE_GENERATION_FURTHER_MODELS.",
    takes=("prompt", "initial_image"),
)


def check_refinement(request: CreationRequest, model: ModelSummary) -> None:
    """Require that a model takes the options of a request, and that at least one step is left to be done.

    Raises:
        InvalidFieldsError: It does not.
    """
    check_model_takes(request.options, model)
    strength = _strength_of(request)
    needed = fewest_steps(strength)
    steps = request.settings.steps
    validator = RequestValidator()
    validator.check(
        "strength",
        valid=needed <= MAX_STEPS,
        description=f"is {strength:g}, of which even {MAX_STEPS} steps leave none to be done.",
        metadata={"value": strength, "steps": MAX_STEPS},
    )
    validator.check(
        "steps",
        valid=steps is None or steps >= needed or needed > MAX_STEPS,
        description=f"is {steps}, of which a strength of {strength:g} leaves none; give at least {needed}.",
        metadata={"value": steps or 0, "minimum": needed, "strength": strength},
    )
    with at_stage(Stage.VALIDATION):
        validator.raise_if_invalid()


def refinement_request(
    request: CreationRequest, model: ModelSummary, image: Image, origin: Origin
) -> GenerationRequest:
    """Return the request for an image that starts from another one.

    Args:
        request: What the caller asks for.
        model: A Stable Diffusion model.
        image: The image to start from.
        origin: Where it came from.
    """
    return GenerationRequest(
        model=model.name,
        conditioning=Conditioning(
            prompt=request.options.prompt or DEFAULT_PROMPT,
            negative_prompt=request.options.negative_prompt,
            initial_image=image,
            strength=_strength_of(request),
        ),
        settings=_settings(request, model),
        origin=origin,
        caller=request.caller,
    )


def fewest_steps(strength: float) -> int:
    """Return the fewest steps of which a strength leaves one: diffusers does ``int(steps * strength)``.

    For strengths below one billionth, the answer is only that they need too many.
    """
    steps = math.ceil(min(1 / strength, _OUT_OF_REACH))
    return steps if int(steps * strength) >= 1 else steps + 1


def with_default_effort(settings: GenerationSettings) -> GenerationSettings:
    """Return settings with this recipe's steps and guidance if none are given."""
    return replace(
        settings,
        steps=DEFAULT_STEPS if settings.steps is None else settings.steps,
        guidance_scale=DEFAULT_GUIDANCE_SCALE if settings.guidance_scale is None else settings.guidance_scale,
    )


def _settings(request: CreationRequest, model: ModelSummary) -> GenerationSettings:
    """Return the settings, with steps and guidance left to a model that was distilled for few steps."""
    settings = settings_for(request, model)
    needed = fewest_steps(_strength_of(request))
    if not model.is_few_step:
        effort = with_default_effort(settings)
        return replace(effort, steps=max(effort.steps or 0, needed))
    if settings.steps is None and (model.default_steps or needed) < needed:
        return replace(settings, steps=needed)
    return settings


def _strength_of(request: CreationRequest) -> float:
    strength = request.options.strength
    return DEFAULT_STRENGTH if strength is None else strength
