"""The recipe for music: images of prompts, which are written for the music unless one is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from chladni_gateway.domain.audio import DEFAULT_FEATURES, Embedding, FeatureSelection
from chladni_gateway.domain.events import Completed, Drafted, Report
from chladni_gateway.domain.generation import Conditioning, GenerationRequest, GenerationSettings
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.domain.prompts import PromptQuery, PromptScore
from chladni_gateway.domain.recipe_options import RecipeOptions
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.models.availability import Availability
from chladni_gateway.models.catalog import CatalogSnapshot
from chladni_gateway.models.requirements import ModelPairRequirement, ModelRequirement, ModelSelector
from chladni_gateway.recipes.base import RecipeDependencies
from chladni_gateway.recipes.embedded import DESCRIPTORS, EMBEDDED_FAMILY
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
_EMBEDDED: Final = ModelPairRequirement(
    DESCRIPTORS,
    ModelRequirement(
        description="a Stable Diffusion XL model, or an audio-conditioned one, in image-generation",
        families=(EMBEDDED_FAMILY,),
        remedy="Add one, or embedded, to CHLADNI_IMAGE_GENERATION_FURTHER_MODELS.",
        takes=("audio_embedding",),
    ),
)


@dataclass(frozen=True, slots=True)
class _PromptOfImage:
    """A prompt, and what the provenance says about it beside its text."""

    text: str
    facts: Mapping[str, str] = field(default_factory=dict)


class MusicPromptsRecipe:
    """Generates an image of a prompt that is given, or one of each prompt that is written for the music.

    Stable Diffusion XL reads the prompts. Without it, the embedded model follows their words by way of the
    space of descriptors, blended with the sound. Of several images the best-scored prompt's comes last and is
    kept; the others are reported as drafts.

    Args:
        dependencies: What it is made with.
    """

    name: Final = "music-prompts"
    description: Final = (
        "Writes prompts for the music, unless one is given, and paints each: with Stable Diffusion XL and, "
        "if there is one, its refiner at 512 to 1024 pixels; or else with the embedded model, which follows "
        "their words."
    )
    options: Final = ("prompt", "negative_prompt", "model", "upscale", "refiner_start")
    required_options: Final[tuple[str, ...]] = ()

    def __init__(self, dependencies: RecipeDependencies) -> None:
        self._with = dependencies

    async def create(self, request: CreationRequest, deadline: Deadline, report: Report) -> Completed:
        """Create an image; see `Recipe`."""
        snapshot = await self._with.catalog.cached(deadline)
        model, selection = _choose(request.options, snapshot)
        if selection is DEFAULT_FEATURES:
            with at_stage(Stage.VALIDATION):
                _check_size(request.settings)
        with at_stage(Stage.AUDIO_FEATURES):
            features = await self._with.analyzer.analyze(request.clip, deadline, selection=selection)
        await report(analyzed(features))
        prompts = await self._prompts_for(request, deadline)
        origin = origin_of(self.name, features.audio)
        if selection is DEFAULT_FEATURES:
            conditionings = [
                Conditioning(prompt=prompt.text, negative_prompt=request.options.negative_prompt)
                for prompt in prompts
            ]
        else:
            conditionings, prompts = await self._in_descriptors(prompts, features.embedding, deadline)
        last = len(prompts) - 1
        for number, (prompt, conditioning) in enumerate(zip(prompts, conditionings, strict=True)):
            part = "" if number == last else f"prompt_{number + 1}"
            generation = GenerationRequest(
                model=model.name,
                conditioning=conditioning,
                settings=settings_for(request, model),
                origin=replace(origin, part=part, options=prompt.facts),
                caller=request.caller,
            )
            completed = await generate_image(self._with.generator, generation, deadline, report)
            if number < last:
                await report(Drafted(completed.image, completed.provenance, part=part))
        return completed

    def availability(self, snapshot: CatalogSnapshot) -> Availability:
        """Return whether there is a model that follows prompts."""
        if not _SDXL.candidates(snapshot.image):
            return Availability.of(*_EMBEDDED.check(snapshot))
        return Availability.of(snapshot.audio.service_requirement(_ANALYSIS), _SDXL.check(snapshot.image))

    async def _prompts_for(self, request: CreationRequest, deadline: Deadline) -> Sequence[_PromptOfImage]:
        """Return the prompt of a request, or those that are written for its music, the best-scored last."""
        if request.options.prompt:
            return [_PromptOfImage(request.options.prompt)]
        music = await self._with.describer.describe(request.clip, deadline)
        with at_stage(Stage.IMAGE_GENERATION):
            query = PromptQuery(music=music, seed=request.settings.seed)
            written = await self._with.prompts.write_prompts(query, deadline)
            scored = await self._with.prompts.score_prompts(
                [prompt.text for prompt in written.prompts], deadline, features=music.features
            )
        ranked = sorted(zip(written.prompts, scored.scores, strict=True), key=lambda pair: _overall(pair[1]))
        return [
            _PromptOfImage(prompt.text, {"writer": written.writer, "style": prompt.style, **_facts_of(score)})
            for prompt, score in ranked
        ]

    async def _in_descriptors(
        self, prompts: Sequence[_PromptOfImage], audio: Embedding, deadline: Deadline
    ) -> tuple[list[Conditioning], list[_PromptOfImage]]:
        """Return prompts as conditionings of a model without text, and with what the provenance says."""
        with at_stage(Stage.IMAGE_GENERATION):
            embedded = await self._with.prompts.embed_prompts(
                [prompt.text for prompt in prompts], audio, deadline
            )
        facts = {"word_map": embedded.word_map, "prompt_weight": f"{embedded.weight:g}"}
        conditionings = [Conditioning(audio_embedding=embedding) for embedding in embedded.embeddings]
        return conditionings, [
            replace(prompt, facts={**prompt.facts, "prompt": prompt.text, **facts}) for prompt in prompts
        ]


def _choose(options: RecipeOptions, snapshot: CatalogSnapshot) -> tuple[ModelSummary, FeatureSelection]:
    """Return the model, and the features that it needs: the default ones for Stable Diffusion XL.

    Raises:
        ChladniError: There is no model, it cannot be used, or it does not take an option.
    """
    asked = inputs_asked_of_model(options)
    embedded = {model.name for model in _EMBEDDED.image.candidates(snapshot.image)}
    if _SDXL.candidates(snapshot.image) and options.model not in embedded:
        model = _SDXL.select(snapshot.image, ModelSelector(options.model, asked))[0]
        check_model_takes(options, model)
        return model, DEFAULT_FEATURES
    words_aside = replace(options, prompt="")
    selector = ModelSelector(options.model, inputs_asked_of_model(words_aside))
    pair = _EMBEDDED.select(snapshot, selector)
    check_model_takes(words_aside, pair.image)
    return pair.image, FeatureSelection(embedding_model=pair.audio.name)


def _overall(score: PromptScore) -> float:
    values = (score.originality, score.elaboration, score.alignment, score.coherence)
    return sum(value for value in values if value is not None)


def _facts_of(score: PromptScore) -> dict[str, str]:
    values = {
        "originality": score.originality,
        "elaboration": score.elaboration,
        "alignment": score.alignment,
        "coherence": score.coherence,
    }
    return {name: f"{value:.3f}" for name, value in values.items() if value is not None}


def _check_size(settings: GenerationSettings) -> None:
    validator = RequestValidator()
    for name, side in (("width_pixels", settings.width_pixels), ("height_pixels", settings.height_pixels)):
        if side is not None:
            validator.check_range(
                name, side, minimum=_MIN_SIDE_PIXELS, maximum=_MAX_SIDE_PIXELS, unit="pixels"
            )
    validator.raise_if_invalid()
