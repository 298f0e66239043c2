"""The recipe of the embedded models: descriptors of the sound condition the image model."""

from __future__ import annotations

from typing import Final

from chladni_gateway.domain.audio import FeatureSelection
from chladni_gateway.domain.events import Completed, Report
from chladni_gateway.domain.generation import Conditioning, GenerationRequest
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.models.availability import Availability
from chladni_gateway.models.catalog import CatalogSnapshot
from chladni_gateway.models.requirements import ModelPairRequirement, ModelRequirement, ModelSelector
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

EMBEDDED_FAMILY: Final = "chladni-embedded"
DESCRIPTORS: Final = ModelRequirement(
    description="a model in audio-features that describes sounds",
    families=(),
    remedy="Use an audio-features service that has its embedded model.",
)
MODELS: Final = ModelPairRequirement(
    DESCRIPTORS,
    ModelRequirement(
        description="an audio-conditioned model in image-generation",
        families=(EMBEDDED_FAMILY,),
        remedy="Add embedded to CHLADNI_IMAGE_GENERATION_FURTHER_MODELS.",
        takes=("audio_embedding",),
    ),
)


class EmbeddedRecipe:
    """Describes the sound by an embedding and generates an image from that alone.

    Args:
        dependencies: What it is made with.
    """

    name: Final = "embedded"
    description: Final = (
        "Describes the sound by its loudness, timbre, rhythm and harmony, "
        "and lets a diffusion model paint what these values ask for."
    )
    options: Final = ("model", "upscale", "look")
    required_options: Final[tuple[str, ...]] = ()

    def __init__(self, dependencies: RecipeDependencies) -> None:
        self._with = dependencies

    async def create(self, request: CreationRequest, deadline: Deadline, report: Report) -> Completed:
        """Create an image; see `Recipe`."""
        options = request.options
        snapshot = await self._with.catalog.cached(deadline)
        models = MODELS.select(snapshot, ModelSelector(options.model, inputs_asked_of_model(options)))
        check_model_takes(options, models.image)
        with at_stage(Stage.AUDIO_FEATURES):
            selection = FeatureSelection(embedding_model=models.audio.name)
            features = await self._with.analyzer.analyze(request.clip, deadline, selection=selection)
        await report(analyzed(features))
        generation = GenerationRequest(
            model=models.image.name,
            conditioning=Conditioning(audio_embedding=features.embedding),
            settings=settings_for(request, models.image),
            origin=origin_of(self.name, features.audio),
            caller=request.caller,
        )
        return await generate_image(self._with.generator, generation, deadline, report)

    def availability(self, snapshot: CatalogSnapshot) -> Availability:
        """Return whether both models are there and fit together."""
        return Availability.of(*MODELS.check(snapshot))
