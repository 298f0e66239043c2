"""The recipe through CLIP's space of images, into which the sound's CLAP embedding is mapped."""

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
    prompt_for,
    settings_for,
)
from chladni_runtime.execution.deadlines import Deadline

_MODELS: Final = ModelPairRequirement(
    ModelRequirement(
        description="a map from CLAP's space to CLIP's in audio-features",
        families=("clap-to-clip",),
        remedy="Set CHLADNI_AUDIO_FEATURES_CLAP_MODEL and CHLADNI_AUDIO_FEATURES_CLAP_TO_CLIP_MAP.",
    ),
    ModelRequirement(
        description="a Stable unCLIP or IP-Adapter model in image-generation",
        families=("stable-unclip", "ip-adapter"),
        remedy="Add one to CHLADNI_IMAGE_GENERATION_FURTHER_MODELS.",
        takes=("audio_embedding",),
    ),
)


class ClapUnclipRecipe:
    """Maps the sound into CLIP's space of images and generates an image from there.

    Args:
        dependencies: What it is made with.
    """

    name: Final = "clap-unclip"
    description: Final = (
        "Maps the sound's CLAP embedding into CLIP's space of images, "
        "and lets an unCLIP or IP-Adapter model paint what lies there."
    )
    options: Final = ("prompt", "negative_prompt", "model", "upscale")
    required_options: Final[tuple[str, ...]] = ()

    def __init__(self, dependencies: RecipeDependencies) -> None:
        self._with = dependencies

    async def create(self, request: CreationRequest, deadline: Deadline, report: Report) -> Completed:
        """Create an image; see `Recipe`."""
        options = request.options
        snapshot = await self._with.catalog.cached(deadline)
        models = _MODELS.select(snapshot, ModelSelector(options.model, inputs_asked_of_model(options)))
        check_model_takes(options, models.image)
        with at_stage(Stage.AUDIO_FEATURES):
            selection = FeatureSelection(further_embedding_models=(models.audio.name,))
            features = await self._with.analyzer.analyze(request.clip, deadline, selection=selection)
        await report(analyzed(features))
        generation = GenerationRequest(
            model=models.image.name,
            conditioning=Conditioning(
                audio_embedding=features.further_embeddings[0],
                prompt=prompt_for(options, models.image),
                negative_prompt=options.negative_prompt,
            ),
            settings=settings_for(request, models.image),
            origin=origin_of(self.name, features.audio),
            caller=request.caller,
        )
        return await generate_image(self._with.generator, generation, deadline, report)

    def availability(self, snapshot: CatalogSnapshot) -> Availability:
        """Return whether both models are there and fit together."""
        return Availability.of(*_MODELS.check(snapshot))
