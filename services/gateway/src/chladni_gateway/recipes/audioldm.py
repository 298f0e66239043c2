"""The recipe of AudioLDM: a mel image that it imagines of the sound, refined by Stable Diffusion.

CLAP embedding -> AudioLDM: mel image -> Stable Diffusion: image        audioldm_mel, sd_refined
CLAP embedding -> AudioLDM: mel image                                     without Stable Diffusion
spectrogram                           -> Stable Diffusion: image        without CLAP or AudioLDM: fallback
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from chladni_contract.errors import ChladniError, Reason
from chladni_contract.warnings import ServiceWarning, WarningReason, new_warning
from chladni_gateway.domain.audio import AudioClip, AudioFeatures, Embedding, FeatureSelection
from chladni_gateway.domain.events import Completed, Drafted, FellBack, Report
from chladni_gateway.domain.generation import Conditioning, GenerationRequest, GenerationSettings, Origin
from chladni_gateway.domain.images import PNG_ENCODING
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.domain.recipe_options import RecipeOptions
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import Stage, at_part, at_stage
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
from chladni_gateway.recipes.generation import (
    analyzed,
    generate_image,
    inputs_asked_of_model,
    origin_of,
)
from chladni_gateway.recipes.refinement import (
    STABLE_DIFFUSION,
    check_refinement,
    refinement_request,
    with_default_effort,
)
from chladni_gateway.recipes.spectrogram import SPECTROGRAM, refine_spectrogram
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
class _DrawAndRefine:
    """AudioLDM draws, Stable Diffusion refines."""

    mel: ModelPair
    refiner: ModelSummary


@dataclass(frozen=True, slots=True)
class _DrawAlone:
    """AudioLDM draws the image; `reason` says why Stable Diffusion is not there."""

    mel: ModelPair
    reason: str


@dataclass(frozen=True, slots=True)
class _FallBack:
    """Stable Diffusion refines the spectrogram; `reason` says why CLAP or AudioLDM is not there."""

    refiner: ModelSummary
    reason: str


_Plan = _DrawAndRefine | _DrawAlone | _FallBack


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

    async def create(self, request: CreationRequest, deadline: Deadline, report: Report) -> Completed:
        """Create an image; see `Recipe`."""
        plan = _make_plan(await self._with.catalog.cached(deadline), request.options)
        if not isinstance(plan, _DrawAlone):
            check_refinement(request, plan.refiner)
        mel = None if isinstance(plan, _FallBack) else plan.mel
        with at_stage(Stage.AUDIO_FEATURES):
            features, clap_embedding = await self._analyze(request.clip, mel, deadline)
        await report(analyzed(features))
        origin = origin_of(self.name, features.audio)
        creation = _Creation(self._with, request, clap_embedding, origin, deadline, report)
        return await creation.follow(plan)

    async def _analyze(
        self, clip: AudioClip, models: ModelPair | None, deadline: Deadline
    ) -> tuple[AudioFeatures, Embedding | ChladniError | None]:
        """Return the features of a clip, and its CLAP embedding or why there is none; `None` without models.

        One call gives both. Only if it fails, a second one without CLAP finds out whether the clip and the
        descriptors are at fault, which raises, or CLAP is, without which there may be another way.
        """
        if models is None:
            return await self._with.analyzer.analyze(clip, deadline), None
        selection = FeatureSelection(further_embedding_models=(models.audio.name,))
        try:
            features = await self._with.analyzer.analyze(clip, deadline, selection=selection)
        except ChladniError as error:
            return await self._with.analyzer.analyze(clip, deadline), error
        return features, features.further_embeddings[0]

    def availability(self, snapshot: CatalogSnapshot) -> Availability:
        """Return whether there is a way to any image."""
        requirements = (
            *_MODELS.check(snapshot, is_optional=True),
            STABLE_DIFFUSION.check(snapshot.image, is_optional=True),
        )
        if snapshot.audio.failure:
            return Availability(requirements, snapshot.audio.failure.message)
        *mel, refiner = (requirement.is_met for requirement in requirements)
        if refiner or all(mel):
            return Availability(requirements)
        return Availability(requirements, join_sentences(item.remedy for item in requirements))


@dataclass(frozen=True, slots=True)
class _Creation:
    """The creation of one image, once the sound is analysed.

    Attributes:
        dependencies: What the recipe is made with.
        request: What the caller asks for.
        clap_embedding: CLAP's embedding of the sound, or why there is none; `None` without CLAP.
        origin: Where the conditioning came from.
        deadline: When the image must be there.
        report: Takes what happens.
    """

    dependencies: RecipeDependencies
    request: CreationRequest
    clap_embedding: Embedding | ChladniError | None
    origin: Origin
    deadline: Deadline
    report: Report

    async def follow(self, plan: _Plan) -> Completed:
        """Create the image in the way that the plan allows."""
        match plan:
            case _DrawAndRefine(mel, refiner):
                return await self._draw_and_refine(mel, refiner)
            case _DrawAlone(mel, reason):
                return await self._draw_alone(mel, reason)
            case _FallBack(refiner, reason):
                return await self._fall_back(refiner, reason)

    async def _draw_and_refine(self, models: ModelPair, refiner: ModelSummary) -> Completed:
        # Size and scheduler are meant for the image that is refined from this one.
        own = replace(
            self.request.settings,
            width_pixels=None,
            height_pixels=None,
            scheduler="",
            encoding=PNG_ENCODING,  # Nothing of what the next part starts from may be lost.
        )
        try:
            draft = await self._draw(models, own)
        except ChladniError as error:
            if error.reason not in _ABSENCES:
                raise
            return await self._fall_back(refiner, f"The part {_MEL} failed: {error.message}")
        return await self._refine(draft, refiner)

    async def _draw_alone(self, models: ModelPair, reason: str) -> Completed:
        unused = [name for name in self.request.options.given if name in _FOR_REFINEMENT]
        if unused:
            reason = f"{reason} Unused without it: {', '.join(unused)}."
        await self.report(FellBack(reason, _MEL, part=_REFINED))
        drawn = await self._draw(models, self.request.settings, fallback=reason)
        return replace(drawn, warnings=(*drawn.warnings, *map(_ignored, unused)))

    async def _draw(
        self, models: ModelPair, settings: GenerationSettings, *, fallback: str = ""
    ) -> Completed:
        """Let AudioLDM make its mel image."""
        embedding = self.clap_embedding
        if isinstance(embedding, ChladniError):
            with at_part(_MEL), at_stage(Stage.AUDIO_FEATURES):
                raise embedding
        generation = GenerationRequest(
            model=models.image.name,
            conditioning=Conditioning(audio_embedding=embedding),
            settings=with_default_effort(settings),
            origin=replace(self.origin, part=_MEL, fallback=fallback[:_MAX_REASON_LENGTH]),
            caller=self.request.caller,
        )
        return await generate_image(self.dependencies.generator, generation, self.deadline, self.report)

    async def _refine(self, draft: Completed, refiner: ModelSummary) -> Completed:
        await self.report(Drafted(draft.image, draft.provenance, part=_MEL))
        # One seed for both parts, so that the request can be repeated with it.
        settings = replace(self.request.settings, seed=draft.provenance.seed)
        request = replace(self.request, settings=settings)
        origin = replace(self.origin, part=_REFINED, earlier=(draft.provenance,))
        generation = refinement_request(request, refiner, draft.image, origin)
        return await generate_image(self.dependencies.generator, generation, self.deadline, self.report)

    async def _fall_back(self, refiner: ModelSummary, reason: str) -> Completed:
        await self.report(FellBack(reason, SPECTROGRAM, part=_MEL))
        origin = replace(self.origin, part=_FALLBACK, fallback=reason[:_MAX_REASON_LENGTH])
        return await refine_spectrogram(
            self.dependencies, self.request, refiner, origin, self.deadline, self.report
        )


def _ignored(option: str) -> ServiceWarning:
    """Return the warning that an option had no effect, because the part that takes it was left out."""
    return new_warning(
        WarningReason.SETTING_IGNORED,
        f"{option} had no effect: the part {_REFINED}, which takes it, was left out.",
        field=option,
    )


def _make_plan(snapshot: CatalogSnapshot, options: RecipeOptions) -> _Plan:
    """Return what there is for a request.

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
    reason = join_sentences(error.message for error in errors)
    if mel and refiner:
        return _DrawAndRefine(mel, refiner)
    if mel:
        return _DrawAlone(mel, reason)
    if refiner:
        return _FallBack(refiner, reason)
    raise merge_errors(errors)


def _named(snapshot: CatalogSnapshot, name: str) -> tuple[str, str]:
    """Return a model's name as that of AudioLDM or as that of Stable Diffusion, whichever it is."""
    if not name:
        return "", ""
    drawing = _MODELS.image.candidates(snapshot.image)
    refining = STABLE_DIFFUSION.candidates(snapshot.image)
    if any(model.name == name for model in drawing):
        return name, ""
    if any(model.name == name for model in refining):
        return "", name
    raise unsuitable_model((*drawing, *refining), name, snapshot.image)
