"""The recipe of AudioLDM: a mel image that it imagines of the sound, refined by Stable Diffusion.

CLAP embedding -> AudioLDM: mel image -> Stable Diffusion: image        audioldm_mel, sd_refined
CLAP embedding -> AudioLDM: mel image                                     without Stable Diffusion
spectrogram                           -> Stable Diffusion: image        without CLAP or AudioLDM: fallback
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.domain.events import Completed, Drafted, FellBack, RecipeEvent
from chladni_gateway.domain.generation import Conditioning, GenerationRequest, GenerationSettings, Origin
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.domain.recipe_options import RecipeOptions
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage, at_recipe_stage, at_stage
from chladni_gateway.models.availability import Availability, join_sentences, merge_errors
from chladni_gateway.models.catalog import CatalogSnapshot
from chladni_gateway.models.requirements import (
    ModelPair,
    ModelPairRequirement,
    ModelRequirement,
    ModelSelector,
    unsuitable_model,
)
from chladni_gateway.recipes.base import RecipeDependencies
from chladni_gateway.recipes.generation import analyzed, generate_image, inputs_asked_of_model
from chladni_gateway.recipes.refinement import (
    STABLE_DIFFUSION,
    check_refinement,
    refinement_request,
    with_default_effort,
)
from chladni_gateway.recipes.spectrogram import SpectrogramWay
from chladni_runtime.execution.deadlines import Deadline

_MEL: Final = "audioldm_mel"
_REFINED: Final = "sd_refined"
_FALLBACK: Final = "fallback"
_MAX_REASON_LENGTH: Final = 1024
_ABSENCES: Final = frozenset(
    {
        Reason.OUT_OF_MEMORY,
        Reason.MODEL_UNAVAILABLE,
        Reason.MODEL_NOT_READY,
        Reason.UNKNOWN_MODEL,
        Reason.BACKEND_UNAVAILABLE,
        Reason.DRAINING,
        Reason.NOT_IMPLEMENTED,
    }
)
"""Errors of CLAP and AudioLDM after which the other way is taken; no fault of the request is among them."""
_FOR_REFINEMENT: Final = ("prompt", "negative_prompt", "strength", "upscale")
_MODELS: Final = ModelPairRequirement(
    ModelRequirement(
        description="a CLAP model in audio-features",
        families=("clap",),
        remedy="Set CHLADNI_AUDIO_FEATURES_CLAP_MODEL to its folder or hub identifier.",
    ),
    ModelRequirement(
        description="an AudioLDM model in image-generation",
        families=("audioldm",),
        remedy="Add one to CHLADNI_IMAGE_GENERATION_FURTHER_MODELS.",
        takes=("audio_embedding",),
    ),
)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is there, and what is in the way of the rest; `mel` or `refiner` is there.

    Attributes:
        mel: CLAP and AudioLDM.
        refiner: Stable Diffusion.
        unavailable_reason: Why one of them is not there; empty where both are.
    """

    mel: ModelPair | None
    refiner: ModelSummary | None
    unavailable_reason: str


class AudioLdmRecipe:
    """Lets AudioLDM imagine the mel spectrogram of a sound, and Stable Diffusion refine its image.

    Args:
        dependencies: What it is made with.
    """

    name: Final = "audioldm"
    description: Final = (
        "Lets AudioLDM imagine a spectrogram from the sound's CLAP embedding, and Stable Diffusion refine "
        "its image; falls back to the spectrogram itself."
    )
    options: Final = ("prompt", "negative_prompt", "strength", "model", "upscale")
    required_options: Final[tuple[str, ...]] = ()

    def __init__(self, dependencies: RecipeDependencies) -> None:
        self._with = dependencies

    async def create(self, request: CreationRequest, deadline: Deadline) -> AsyncGenerator[RecipeEvent, None]:
        """Yields what happens on the way; see `Recipe`."""
        plan = _make_plan(await self._with.catalog.cached(deadline), request.options)
        if plan.refiner:
            check_refinement(request, plan.refiner)
        with at_stage(Stage.AUDIO_FEATURES):
            features = await self._with.analyzer.analyze(request.clip, deadline)
        yield analyzed(features)
        origin = Origin(recipe=self.name, audio_sha256=features.audio.sha256)
        async with aclosing(_Creation(self._with, request, origin, deadline).follow(plan)) as events:
            async for event in events:
                yield event

    def availability(self, snapshot: CatalogSnapshot) -> Availability:
        """Returns whether there is a way to any image."""
        requirements = (
            *_MODELS.check(snapshot, is_optional=True),
            STABLE_DIFFUSION.check(snapshot.image, is_optional=True),
        )
        if snapshot.audio.failure:
            return Availability(requirements, snapshot.audio.failure.message)
        *mel, refiner = (requirement.is_met for requirement in requirements)
        unavailable_reason = (
            "" if refiner or all(mel) else join_sentences(requirement.remedy for requirement in requirements)
        )
        return Availability(requirements, unavailable_reason)


@dataclass(frozen=True, slots=True)
class _Creation:
    """One image in the making, once the sound is analysed.

    Attributes:
        dependencies: What it is made with.
        request: What the caller asks for.
        origin: Where its conditioning came from.
        deadline: When it must be done.
    """

    dependencies: RecipeDependencies
    request: CreationRequest
    origin: Origin
    deadline: Deadline

    async def follow(self, plan: _Plan) -> AsyncGenerator[RecipeEvent, None]:
        """Yields what happens on the way that the plan allows."""
        if plan.mel and plan.refiner:
            way = self._draw_and_refine(plan.mel, plan.refiner)
        elif plan.mel:
            way = self._draw_alone(plan.mel, plan.unavailable_reason)
        elif plan.refiner:
            way = self._fall_back(plan.refiner, plan.unavailable_reason)
        async with aclosing(way) as events:
            async for event in events:
                yield event

    async def _draw_and_refine(
        self, models: ModelPair, refiner: ModelSummary
    ) -> AsyncGenerator[RecipeEvent, None]:
        draft: Completed | None = None
        unavailable_reason = ""
        # Size and scheduler are meant for the image that is refined from this one.
        own = replace(self.request.settings, width_pixels=None, height_pixels=None, scheduler="")
        try:
            async with aclosing(self._draw(models, own)) as events:
                async for event in events:
                    if isinstance(event, Completed):
                        draft = event
                    else:
                        yield event
        except ChladniError as error:
            if error.reason not in _ABSENCES:
                raise
            unavailable_reason = f"The part {_MEL} failed: {error.message}"
        then = self._refine(draft, refiner) if draft else self._fall_back(refiner, unavailable_reason)
        async with aclosing(then) as events:
            async for event in events:
                yield event

    async def _draw_alone(
        self, models: ModelPair, unavailable_reason: str
    ) -> AsyncGenerator[RecipeEvent, None]:
        unused = [name for name in self.request.options.given if name in _FOR_REFINEMENT]
        reason = (
            f"{unavailable_reason} Unused without it: {', '.join(unused)}." if unused else unavailable_reason
        )
        yield FellBack(reason, _MEL, recipe_stage=_REFINED)
        async with aclosing(self._draw(models, self.request.settings, fallback=reason)) as events:
            async for event in events:
                yield event

    async def _draw(
        self, models: ModelPair, settings: GenerationSettings, *, fallback: str = ""
    ) -> AsyncGenerator[RecipeEvent, None]:
        """Yields what happens until AudioLDM has completed its mel image."""
        with at_recipe_stage(_MEL), at_stage(Stage.AUDIO_FEATURES):
            embedding = await self.dependencies.analyzer.embed(
                self.request.clip, models.sound.name, self.deadline
            )
        generation = GenerationRequest(
            model=models.image.name,
            conditioning=Conditioning(audio_embedding=embedding),
            settings=with_default_effort(settings),
            origin=replace(self.origin, stage=_MEL, fallback=fallback[:_MAX_REASON_LENGTH]),
            caller=self.request.caller,
        )
        async with aclosing(generate_image(self.dependencies.generator, generation, self.deadline)) as events:
            async for event in events:
                yield event

    async def _refine(self, draft: Completed, refiner: ModelSummary) -> AsyncGenerator[RecipeEvent, None]:
        yield Drafted(draft.image, draft.provenance, recipe_stage=_MEL)
        # One seed for both parts, so that the request can be repeated with it.
        settings = replace(self.request.settings, seed=draft.provenance.seed)
        request = replace(self.request, settings=settings)
        origin = replace(self.origin, stage=_REFINED, earlier=(draft.provenance,))
        generation = refinement_request(request, refiner, draft.image, origin)
        async with aclosing(generate_image(self.dependencies.generator, generation, self.deadline)) as events:
            async for event in events:
                yield event

    async def _fall_back(self, refiner: ModelSummary, reason: str) -> AsyncGenerator[RecipeEvent, None]:
        way = SpectrogramWay(self.dependencies)
        yield FellBack(reason, way.name, recipe_stage=_MEL)
        origin = replace(self.origin, stage=_FALLBACK, fallback=reason[:_MAX_REASON_LENGTH])
        async with aclosing(way.follow(self.request, refiner, origin, self.deadline)) as events:
            async for event in events:
                yield event


def _make_plan(snapshot: CatalogSnapshot, options: RecipeOptions) -> _Plan:
    """Returns what there is for a request.

    Raises:
        ChladniError: There is no way to any image, and the message names all that is missing; or the
            request names a model that is none of this recipe's.
    """
    mel_name, refiner_name = _named(snapshot, options.model)
    errors: list[ChladniError] = []
    mel: ModelPair | None = None
    refiner: ModelSummary | None = None
    try:
        mel = _MODELS.select(snapshot, ModelSelector(mel_name))
    except ChladniError as error:
        errors.append(error)
    try:
        selector = ModelSelector(refiner_name, inputs_asked_of_model(options))
        refiner = STABLE_DIFFUSION.select(snapshot.image, selector)[0]
    except ChladniError as error:
        errors.append(error)
    if mel is None and refiner is None:
        raise merge_errors(errors)
    return _Plan(mel, refiner, join_sentences(error.message for error in errors))


def _named(snapshot: CatalogSnapshot, name: str) -> tuple[str, str]:
    """Returns a model's name as that of AudioLDM or as that of Stable Diffusion, whichever it is."""
    if not name:
        return "", ""
    drawing = _MODELS.image.candidates(snapshot.image)
    refining = STABLE_DIFFUSION.candidates(snapshot.image)
    if any(model.name == name for model in drawing):
        return name, ""
    if any(model.name == name for model in refining):
        return "", name
    raise unsuitable_model((*drawing, *refining), name, snapshot.image)
