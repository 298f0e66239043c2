"""The recipe of the spectrogram: its image is what Stable Diffusion starts from."""

from __future__ import annotations

from typing import Final

from chladni_gateway.domain.events import Completed, Drafted, Report
from chladni_gateway.domain.generation import GenerationSettings, Origin
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.domain.ports import SpectrogramSize
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage, at_part, at_stage
from chladni_gateway.models.availability import Availability
from chladni_gateway.models.catalog import CatalogSnapshot
from chladni_gateway.models.requirements import ModelSelector
from chladni_gateway.recipes.base import RecipeDependencies
from chladni_gateway.recipes.generation import (
    analyzed,
    generate_image,
    inputs_asked_of_model,
    origin_of,
)
from chladni_gateway.recipes.refinement import STABLE_DIFFUSION, check_refinement, refinement_request
from chladni_runtime.execution.deadlines import Deadline

SPECTROGRAM: Final = "spectrogram"
_RENDERING: Final = "audio-features, which draws the spectrogram"
_SIDE_PIXELS: Final = 512


async def refine_spectrogram(
    dependencies: RecipeDependencies,
    request: CreationRequest,
    model: ModelSummary,
    origin: Origin,
    deadline: Deadline,
    report: Report,
) -> Completed:
    """Draw the spectrogram of a sound and let Stable Diffusion refine it; other recipes fall back to this.

    Args:
        dependencies: What the recipe is made with.
        request: What the caller asks for.
        model: A Stable Diffusion model.
        origin: Where the conditioning came from.
        deadline: When the image must be there.
        report: Takes what happens, `Drafted` with the spectrogram first.

    Raises:
        ChladniError: A stage failed; the metadata names it.
    """
    with at_part(origin.part), at_stage(Stage.AUDIO_FEATURES):
        size = _size_of(request.settings, model)
        image = await dependencies.renderer.render(request.clip, size, deadline)
    await report(Drafted(image, part=origin.part))
    generation = refinement_request(request, model, image, origin)
    return await generate_image(dependencies.generator, generation, deadline, report)


class SpectrogramRecipe:
    """Draws the sound's mel spectrogram in the colours of viridis and lets Stable Diffusion go on from there.

    Args:
        dependencies: What it is made with.
    """

    name: Final = SPECTROGRAM
    description: Final = (
        "Draws the sound's mel spectrogram in colour and lets Stable Diffusion "
        "make an image of it that follows a prompt."
    )
    options: Final = ("prompt", "negative_prompt", "strength", "model", "upscale")
    required_options: Final[tuple[str, ...]] = ()

    def __init__(self, dependencies: RecipeDependencies) -> None:
        self._with = dependencies

    async def create(self, request: CreationRequest, deadline: Deadline, report: Report) -> Completed:
        """Create an image; see `Recipe`."""
        options = request.options
        snapshot = await self._with.catalog.cached(deadline)
        selector = ModelSelector(options.model, inputs_asked_of_model(options))
        model = STABLE_DIFFUSION.select(snapshot.image, selector)[0]
        check_refinement(request, model)
        with at_stage(Stage.AUDIO_FEATURES):
            features = await self._with.analyzer.analyze(request.clip, deadline)
        await report(analyzed(features))
        origin = origin_of(self.name, features.audio)
        return await refine_spectrogram(self._with, request, model, origin, deadline, report)

    def availability(self, snapshot: CatalogSnapshot) -> Availability:
        """Return whether there is a Stable Diffusion model."""
        return Availability.of(
            snapshot.audio.service_requirement(_RENDERING), STABLE_DIFFUSION.check(snapshot.image)
        )


def _size_of(settings: GenerationSettings, model: ModelSummary) -> SpectrogramSize:
    """Return the size that the image will have, so that nothing is lost by resizing."""
    width_pixels, height_pixels = model.native_size_pixels or (_SIDE_PIXELS, _SIDE_PIXELS)
    return SpectrogramSize(settings.width_pixels or width_pixels, settings.height_pixels or height_pixels)
