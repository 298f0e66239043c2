"""The recipe of the embedded models: descriptors of the sound condition the image model."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from chladni_gateway.collaborators import (
    GenerationOrder,
    ModelSummary,
    PictureGenerator,
    SoundAnalyzer,
)
from chladni_gateway.creation_request import CreationRequest
from chladni_gateway.events import Analyzed, RecipeEvent
from chladni_gateway.recipes import Availability
from chladni_gateway.stages import Stage, at_stage
from chladni_runtime.deadlines import Deadline
from chladni_runtime.errors import ChladniError


class EmbeddedRecipe:
    """Describes the sound by an embedding and generates a picture from that alone.

    Args:
        analyzer: Gives the embedding.
        generator: Generates from it.
    """

    name: Final = "embedded"
    description: Final = (
        "Describes the sound by its loudness, timbre, rhythm and harmony, "
        "and lets a diffusion model paint what these values ask for."
    )

    def __init__(self, *, analyzer: SoundAnalyzer, generator: PictureGenerator) -> None:
        self._analyzer = analyzer
        self._generator = generator

    async def create(self, request: CreationRequest, deadline: Deadline) -> AsyncGenerator[RecipeEvent, None]:
        """Yields what happens on the way; see `Recipe`."""
        with at_stage(Stage.AUDIO_FEATURES):
            features = await self._analyzer.analyze(request.recording, deadline)
        sound = replace(features.embedding, component_names=())
        yield Analyzed(features.audio, features.descriptors, sound)
        order = GenerationOrder(
            features.embedding, request.settings, self.name, features.audio.sha256, request.caller
        )
        with at_stage(Stage.IMAGE_GENERATION):
            async with aclosing(self._generator.generate(order, deadline)) as events:
                async for event in events:
                    yield event

    async def availability(self, deadline: Deadline) -> Availability:
        """Returns whether both services are there and their models fit together."""
        try:
            sound_models, image_models = await asyncio.gather(
                self._analyzer.models(deadline), self._generator.models(deadline)
            )
        except ChladniError as error:
            return Availability(obstacle=error.message)
        used = [model for model in (_default(sound_models), _default(image_models)) if model]
        names = tuple(model.name for model in used)
        for model in used:
            if not model.is_ready:
                return Availability(names, f"The model {model.name} is still loading. Try again shortly.")
        return Availability(names, _mismatch(used))


def _default(models: Sequence[ModelSummary]) -> ModelSummary | None:
    return next((model for model in models if model.is_default), None)


def _mismatch(used: Sequence[ModelSummary]) -> str:
    made = {model.output_space for model in used if model.output_space}
    taken = {space for model in used for space in model.input_spaces}
    if not made or not taken or made & taken:
        return ""
    return (
        f"The image model takes embeddings of {', '.join(sorted(taken))}, but the sound is described in "
        f"{', '.join(sorted(made))}. Configure image-generation with a model that takes these."
    )
