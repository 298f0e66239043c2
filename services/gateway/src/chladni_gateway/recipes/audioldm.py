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
from chladni_gateway.domain.generation import Conditioning, GenerationOrder, GenerationSettings, Origin
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.domain.recipe_options import RecipeOptions
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage, at_recipe_stage, at_stage
from chladni_gateway.models.availability import Availability, joined, united
from chladni_gateway.models.catalog import Inventory
from chladni_gateway.models.requirements import ModelNeed, Pair, PairNeed, Wish, not_among
from chladni_gateway.recipes.base import Ingredients
from chladni_gateway.recipes.generation import analyzed, inputs_asked_of_model, paint
from chladni_gateway.recipes.refinement import (
    STABLE_DIFFUSION,
    check_refinement,
    refinement_order,
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
_MODELS: Final = PairNeed(
    ModelNeed(
        description="a CLAP model in audio-features",
        families=("clap",),
        remedy="Set CHLADNI_AUDIO_FEATURES_CLAP_MODEL to its folder or hub identifier.",
    ),
    ModelNeed(
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
        obstacle: Why one of them is not there; empty where both are.
    """

    mel: Pair | None
    refiner: ModelSummary | None
    obstacle: str


class AudioLdmRecipe:
    """Lets AudioLDM imagine the mel spectrogram of a sound, and Stable Diffusion refine its image.

    Args:
        ingredients: What it is made with.
    """

    name: Final = "audioldm"
    description: Final = (
        "Lets AudioLDM imagine a spectrogram from the sound's CLAP embedding, and Stable Diffusion refine "
        "its image; falls back to the spectrogram itself."
    )
    options: Final = ("prompt", "negative_prompt", "strength", "model", "upscale")
    required_options: Final[tuple[str, ...]] = ()

    def __init__(self, ingredients: Ingredients) -> None:
        self._with = ingredients

    async def create(self, request: CreationRequest, deadline: Deadline) -> AsyncGenerator[RecipeEvent, None]:
        """Yields what happens on the way; see `Recipe`."""
        plan = _plan(await self._with.stock.recent(deadline), request.options)
        if plan.refiner:
            check_refinement(request, plan.refiner)
        with at_stage(Stage.AUDIO_FEATURES):
            features = await self._with.analyzer.analyze(request.recording, deadline)
        yield analyzed(features)
        origin = Origin(recipe=self.name, audio_sha256=features.audio.sha256)
        async with aclosing(_Creation(self._with, request, origin, deadline).follow(plan)) as events:
            async for event in events:
                yield event

    def availability(self, inventory: Inventory) -> Availability:
        """Returns whether there is a way to any image."""
        needs = (
            *_MODELS.met_in(inventory, is_optional=True),
            STABLE_DIFFUSION.met_in(inventory.images, is_optional=True),
        )
        if inventory.sounds.failure:
            return Availability(needs, inventory.sounds.failure.message)
        *mel, refiner = (need.is_met for need in needs)
        obstacle = "" if refiner or all(mel) else joined(need.remedy for need in needs)
        return Availability(needs, obstacle)


@dataclass(frozen=True, slots=True)
class _Creation:
    """One image in the making, once the sound is analysed.

    Attributes:
        ingredients: What it is made with.
        request: What the caller asks for.
        origin: Where its conditioning came from.
        deadline: When it must be done.
    """

    ingredients: Ingredients
    request: CreationRequest
    origin: Origin
    deadline: Deadline

    async def follow(self, plan: _Plan) -> AsyncGenerator[RecipeEvent, None]:
        """Yields what happens on the way that the plan allows."""
        if plan.mel and plan.refiner:
            way = self._draw_and_refine(plan.mel, plan.refiner)
        elif plan.mel:
            way = self._draw_alone(plan.mel, plan.obstacle)
        elif plan.refiner:
            way = self._fall_back(plan.refiner, plan.obstacle)
        async with aclosing(way) as events:
            async for event in events:
                yield event

    async def _draw_and_refine(
        self, models: Pair, refiner: ModelSummary
    ) -> AsyncGenerator[RecipeEvent, None]:
        draft: Completed | None = None
        obstacle = ""
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
            obstacle = f"The part {_MEL} failed: {error.message}"
        then = self._refine(draft, refiner) if draft else self._fall_back(refiner, obstacle)
        async with aclosing(then) as events:
            async for event in events:
                yield event

    async def _draw_alone(self, models: Pair, obstacle: str) -> AsyncGenerator[RecipeEvent, None]:
        unused = [name for name in self.request.options.given if name in _FOR_REFINEMENT]
        reason = f"{obstacle} Unused without it: {', '.join(unused)}." if unused else obstacle
        yield FellBack(reason, _MEL, recipe_stage=_REFINED)
        async with aclosing(self._draw(models, self.request.settings, fallback=reason)) as events:
            async for event in events:
                yield event

    async def _draw(
        self, models: Pair, settings: GenerationSettings, *, fallback: str = ""
    ) -> AsyncGenerator[RecipeEvent, None]:
        """Yields what happens until AudioLDM has completed its mel image."""
        with at_recipe_stage(_MEL), at_stage(Stage.AUDIO_FEATURES):
            embedding = await self.ingredients.analyzer.embed(
                self.request.recording, models.sound.name, self.deadline
            )
        order = GenerationOrder(
            model=models.image.name,
            conditioning=Conditioning(audio_embedding=embedding),
            settings=with_default_effort(settings),
            origin=replace(self.origin, stage=_MEL, fallback=fallback[:_MAX_REASON_LENGTH]),
            caller=self.request.caller,
        )
        async with aclosing(paint(self.ingredients.generator, order, self.deadline)) as events:
            async for event in events:
                yield event

    async def _refine(self, draft: Completed, refiner: ModelSummary) -> AsyncGenerator[RecipeEvent, None]:
        yield Drafted(draft.image, draft.provenance, recipe_stage=_MEL)
        # One seed for both parts, so that the request can be repeated with it.
        settings = replace(self.request.settings, seed=draft.provenance.seed)
        request = replace(self.request, settings=settings)
        origin = replace(self.origin, stage=_REFINED, earlier=(draft.provenance,))
        order = refinement_order(request, refiner, draft.image, origin)
        async with aclosing(paint(self.ingredients.generator, order, self.deadline)) as events:
            async for event in events:
                yield event

    async def _fall_back(self, refiner: ModelSummary, reason: str) -> AsyncGenerator[RecipeEvent, None]:
        way = SpectrogramWay(self.ingredients)
        yield FellBack(reason, way.name, recipe_stage=_MEL)
        origin = replace(self.origin, stage=_FALLBACK, fallback=reason[:_MAX_REASON_LENGTH])
        async with aclosing(way.follow(self.request, refiner, origin, self.deadline)) as events:
            async for event in events:
                yield event


def _plan(inventory: Inventory, options: RecipeOptions) -> _Plan:
    """Returns what there is for a request.

    Raises:
        ChladniError: There is no way to any image, and the message names all that is missing; or the
            request names a model that is none of this recipe's.
    """
    mel_name, refiner_name = _named(inventory, options.model)
    faults: list[ChladniError] = []
    mel: Pair | None = None
    refiner: ModelSummary | None = None
    try:
        mel = _MODELS.choose(inventory, Wish(mel_name))
    except ChladniError as error:
        faults.append(error)
    try:
        wish = Wish(refiner_name, inputs_asked_of_model(options))
        refiner = STABLE_DIFFUSION.usable_in(inventory.images, wish)[0]
    except ChladniError as error:
        faults.append(error)
    if mel is None and refiner is None:
        raise united(faults)
    return _Plan(mel, refiner, joined(fault.message for fault in faults))


def _named(inventory: Inventory, name: str) -> tuple[str, str]:
    """Returns a model's name as that of AudioLDM or as that of Stable Diffusion, whichever it is."""
    if not name:
        return "", ""
    drawing = _MODELS.image.kind_in(inventory.images)
    refining = STABLE_DIFFUSION.kind_in(inventory.images)
    if any(model.name == name for model in drawing):
        return name, ""
    if any(model.name == name for model in refining):
        return "", name
    raise not_among((*drawing, *refining), name, inventory.images)
