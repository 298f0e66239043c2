"""The recipe through CLIP's space of images, into which the sound's CLAP embedding is mapped."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from chladni_gateway.domain.events import RecipeEvent
from chladni_gateway.domain.generation import Conditioning, GenerationOrder, Origin
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.models.availability import Availability
from chladni_gateway.models.catalog import Inventory
from chladni_gateway.models.requirements import ModelNeed, PairNeed, Wish
from chladni_gateway.recipes.base import Ingredients
from chladni_gateway.recipes.generation import (
    analyzed,
    check_model_takes,
    inputs_asked_of_model,
    paint,
    prompt_for,
    settings_for,
)
from chladni_runtime.execution.deadlines import Deadline

_MODELS: Final = PairNeed(
    ModelNeed(
        description="a map from CLAP's space to CLIP's in audio-features",
        families=("clap-to-clip",),
        remedy="Set CHLADNI_AUDIO_FEATURES_CLAP_MODEL and CHLADNI_AUDIO_FEATURES_CLAP_TO_CLIP_MAP.",
    ),
    ModelNeed(
        description="a Stable unCLIP or IP-Adapter model in image-generation",
        families=("stable-unclip", "ip-adapter"),
        remedy="Add one to CHLADNI_IMAGE_GENERATION_FURTHER_MODELS.",
        takes=("audio_embedding",),
    ),
)


class ClapUnclipRecipe:
    """Maps the sound into CLIP's space of images and generates an image from there.

    Args:
        ingredients: What it is made with.
    """

    name: Final = "clap-unclip"
    description: Final = (
        "Maps the sound's CLAP embedding into CLIP's space of images, "
        "and lets an unCLIP or IP-Adapter model paint what lies there."
    )
    options: Final = ("prompt", "negative_prompt", "model", "upscale")
    required_options: Final[tuple[str, ...]] = ()

    def __init__(self, ingredients: Ingredients) -> None:
        self._with = ingredients

    async def create(self, request: CreationRequest, deadline: Deadline) -> AsyncGenerator[RecipeEvent, None]:
        """Yields what happens on the way; see `Recipe`."""
        options, analyzer = request.options, self._with.analyzer
        inventory = await self._with.stock.recent(deadline)
        models = _MODELS.choose(inventory, Wish(options.model, inputs_asked_of_model(options)))
        check_model_takes(options, models.image)
        with at_stage(Stage.AUDIO_FEATURES):
            features = await analyzer.analyze(request.recording, deadline)
            embedding = await analyzer.embed(request.recording, models.sound.name, deadline)
        yield analyzed(features)
        order = GenerationOrder(
            model=models.image.name,
            conditioning=Conditioning(
                audio_embedding=embedding,
                prompt=prompt_for(options, models.image),
                negative_prompt=options.negative_prompt,
            ),
            settings=settings_for(request, models.image),
            origin=Origin(recipe=self.name, audio_sha256=features.audio.sha256),
            caller=request.caller,
        )
        async with aclosing(paint(self._with.generator, order, deadline)) as events:
            async for event in events:
                yield event

    def availability(self, inventory: Inventory) -> Availability:
        """Returns whether both models are there and fit together."""
        return Availability.of(*_MODELS.met_in(inventory))
