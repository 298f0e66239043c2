"""The recipe for music: an image of a prompt that describes it, by Stable Diffusion XL."""

from __future__ import annotations

from typing import Final

from chladni_gateway.domain.events import Completed, Report
from chladni_gateway.domain.generation import Conditioning, GenerationRequest, GenerationSettings
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.models.availability import Availability
from chladni_gateway.models.catalog import CatalogSnapshot
from chladni_gateway.models.requirements import ModelRequirement, ModelSelector
from chladni_gateway.recipes.base import RecipeDependencies
from chladni_gateway.recipes.generation import (
    analyzed,
    check_model_takes,
    generate_image,
    inputs_asked_of_model,
    origin_of,
    settings_for,
)
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.server.validation import RequestValidator

_MIN_SIDE_PIXELS: Final = 512
_MAX_SIDE_PIXELS: Final = 1024
_ANALYSIS: Final = "audio-features, which describes the sound"
_SDXL: Final = ModelRequirement(
    description="a Stable Diffusion XL model in image-generation",
    families=("stable-diffusion-xl",),
    remedy="Add one to CHLADNI_IMAGE_GENERATION_FURTHER_MODELS, as BASE+REFINER for one with a refiner.",
    takes=("prompt",),
)


class MusicPromptsRecipe:
    """Generates an image of a prompt that is given with the sound.

    Args:
        dependencies: What it is made with.
    """

    name: Final = "music-prompts"
    description: Final = (
        "Paints a prompt that describes the music, with Stable Diffusion XL "
        "and, if there is one, its refiner; 512 to 1024 pixels."
    )
    options: Final = ("prompt", "negative_prompt", "model", "upscale", "refiner_start")
    required_options: Final = ("prompt",)

    def __init__(self, dependencies: RecipeDependencies) -> None:
        self._with = dependencies

    async def create(self, request: CreationRequest, deadline: Deadline, report: Report) -> Completed:
        """Create an image; see `Recipe`."""
        options = request.options
        with at_stage(Stage.VALIDATION):
            _check_size(request.settings)
        snapshot = await self._with.catalog.cached(deadline)
        model = _SDXL.select(snapshot.image, ModelSelector(options.model, inputs_asked_of_model(options)))[0]
        check_model_takes(options, model)
        with at_stage(Stage.AUDIO_FEATURES):
            features = await self._with.analyzer.analyze(request.clip, deadline)
        await report(analyzed(features))
        generation = GenerationRequest(
            model=model.name,
            conditioning=Conditioning(prompt=options.prompt, negative_prompt=options.negative_prompt),
            settings=settings_for(request, model),
            origin=origin_of(self.name, features.audio),
            caller=request.caller,
        )
        return await generate_image(self._with.generator, generation, deadline, report)

    def availability(self, snapshot: CatalogSnapshot) -> Availability:
        """Return whether there is a model of the one family that it uses."""
        return Availability.of(snapshot.audio.service_requirement(_ANALYSIS), _SDXL.check(snapshot.image))


def _check_size(settings: GenerationSettings) -> None:
    validator = RequestValidator()
    for name, side in (("width_pixels", settings.width_pixels), ("height_pixels", settings.height_pixels)):
        if side is not None:
            validator.check_range(
                name, side, minimum=_MIN_SIDE_PIXELS, maximum=_MAX_SIDE_PIXELS, unit="pixels"
            )
    validator.raise_if_invalid()
