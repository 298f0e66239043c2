"""Which of the models that there are a recipe uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from chladni_contract.errors import (
    ChladniError,
    InvalidInputError,
    NotFoundError,
    Reason,
    UnavailableError,
)
from chladni_gateway.domain.stages import STAGE_KEY, Stage
from chladni_gateway.models.availability import Requirement, merge_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.models.catalog import CatalogSnapshot, ServiceModels

_RETRY_AFTER_SECONDS: Final = 5.0
_MAX_LOST: Final = 4


@dataclass(frozen=True, slots=True)
class ModelSelector:
    """What a request wants of the model.

    Attributes:
        named: Model that it names; empty for none.
        inputs: Inputs that it gives; a model that takes them all comes first.
    """

    named: str = ""
    inputs: tuple[str, ...] = ()


ANY_MODEL: Final = ModelSelector()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequirement:
    """A kind of model that a recipe needs.

    Attributes:
        description: What it is, one phrase for people, such as "a CLAP model in audio-features".
        families: Families of which it may be, the preferred one first; empty for any that makes embeddings.
        remedy: What to do if there is none.
        takes: Inputs that it must take.
    """

    description: str
    families: tuple[str, ...]
    remedy: str = ""
    takes: tuple[str, ...] = ()

    def candidates(self, offered: ServiceModels) -> tuple[ModelSummary, ...]:
        """Return the models of this kind, ready or not, in the order of preference."""
        if not self.families:
            makers = (
                model
                for model in offered.models
                if model.output_space or (model.is_default and model.unavailable_reason)
            )
            return tuple(sorted(makers, key=lambda model: not model.is_default))
        return tuple(
            model
            for family in self.families
            for model in offered.models
            # Of one that could not be loaded, at best the family is known, not what it would take.
            if model.family == family and (model.unavailable_reason or set(self.takes) <= set(model.inputs))
        )

    def select(self, offered: ServiceModels, selector: ModelSelector = ANY_MODEL) -> tuple[ModelSummary, ...]:
        """Return the models that can be used, the best first; at least one.

        Raises:
            ChladniError: There is none: MODEL_NOT_READY if one is loading; the service's failure if it
                could not be asked; UNKNOWN_MODEL, INVALID_FIELD or MODEL_UNAVAILABLE if the request names
                one that cannot be used; otherwise RECIPE_UNAVAILABLE.
        """
        kind = self.candidates(offered)
        if selector.named:
            kind = tuple(model for model in kind if model.name == selector.named)
            if not kind:
                raise unsuitable_model(self.candidates(offered), selector.named, offered)
        if not kind:
            raise offered.failed() or self._missing(offered)
        ready = [model for model in kind if model.is_ready]
        if not ready:
            raise _not_ready(kind, offered, is_named=bool(selector.named))
        return tuple(sorted(ready, key=lambda model: not set(selector.inputs) <= set(model.inputs)))

    def check(self, offered: ServiceModels, *, is_optional: bool = False) -> Requirement:
        """Return whether this need is met."""
        try:
            model = self.select(offered)[0].name
        except ChladniError as error:
            return Requirement(description=self.description, remedy=error.message, is_optional=is_optional)
        return Requirement(description=self.description, model=model, is_optional=is_optional)

    def _missing(self, offered: ServiceModels) -> ChladniError:
        unloadable = [f"{model.name} ({model.unavailable_reason})" for model in _unloadable(offered)]
        message = f"Missing: {self.description}. {self.remedy}"
        if unloadable:  # Their kind is unknown: one of them may be what is missing.
            message += f" {offered.service} could not load {', '.join(unloadable[:_MAX_LOST])}"
        return ChladniError(
            Reason.RECIPE_UNAVAILABLE, message.strip(), metadata={STAGE_KEY: offered.stage.value}
        )


class ModelPair(NamedTuple):
    """A model that makes embeddings of sounds, and one that makes images of these."""

    audio: ModelSummary
    image: ModelSummary


@dataclass(frozen=True, slots=True)
class ModelPairRequirement:
    """Two kinds of models that fit together: the second takes the space that the first one makes.

    Attributes:
        audio: Model of audio-features.
        image: Model of image-generation.
    """

    audio: ModelRequirement
    image: ModelRequirement

    def select(self, snapshot: CatalogSnapshot, selector: ModelSelector = ANY_MODEL) -> ModelPair:
        """Return the best two models that can be used together.

        Raises:
            ChladniError: There are none; the message names all that is missing, as in
                `ModelRequirement.select`.
        """
        errors: list[ChladniError] = []
        audio_models: Sequence[ModelSummary] = ()
        images: Sequence[ModelSummary] = ()
        try:
            audio_models = self.audio.select(snapshot.audio)
        except ChladniError as error:
            errors.append(error)
        try:
            images = self.image.select(snapshot.image, selector)
        except ChladniError as error:
            errors.append(error)
        if errors:
            raise merge_errors(errors)
        for image in images:
            for audio_model in audio_models:
                if audio_model.output_space in image.input_spaces:
                    return ModelPair(audio_model, image)
        raise _incompatible_models(audio_models[0], images[0])

    def check(
        self, snapshot: CatalogSnapshot, *, is_optional: bool = False
    ) -> tuple[Requirement, Requirement]:
        """Return whether both requirements are met; if the models do not fit, the second one is not."""
        audio_model = self.audio.check(snapshot.audio, is_optional=is_optional)
        image = self.image.check(snapshot.image, is_optional=is_optional)
        if not (audio_model.is_met and image.is_met):
            return audio_model, image
        try:
            pair = self.select(snapshot)
        except ChladniError as error:
            return audio_model, Requirement(
                description=image.description, remedy=error.message, is_optional=is_optional
            )
        return (
            Requirement(description=audio_model.description, model=pair.audio.name, is_optional=is_optional),
            Requirement(description=image.description, model=pair.image.name, is_optional=is_optional),
        )


def unsuitable_model(fitting: Sequence[ModelSummary], named: str, offered: ServiceModels) -> ChladniError:
    """Return the error for a model that a request names and the recipe cannot use.

    Args:
        fitting: Models that it can use.
        named: The model.
        offered: All models of the service.
    """
    names = ", ".join(model.name for model in fitting)
    hint = f"it can use {names}" if names else "this server has none that it can use"
    metadata = {STAGE_KEY: Stage.VALIDATION.value}
    model = next((model for model in offered.models if model.name == named), None)
    if model is None:
        return offered.failed() or NotFoundError(
            Reason.UNKNOWN_MODEL,
            f"No model is called {named!r}; the recipe: {hint}.",
            metadata={"model": named, **metadata},
        )
    if not model.family and model.unavailable_reason:
        return _not_ready([model], offered, is_named=True)
    family = model.family or "unknown"
    return InvalidInputError(
        Reason.INVALID_FIELD,
        f"model: the recipe cannot use {named}, which is of the family {family}; {hint}.",
        field="model",
        metadata=metadata,
    )


def _unloadable(offered: ServiceModels) -> Sequence[ModelSummary]:
    """Return the models that could not be loaded so far that their families were known."""
    return [model for model in offered.models if model.unavailable_reason and not model.family]


def _not_ready(kind: Sequence[ModelSummary], offered: ServiceModels, *, is_named: bool) -> ChladniError:
    metadata = {STAGE_KEY: offered.stage.value}
    loading = [model for model in kind if not model.unavailable_reason]
    if loading:
        return UnavailableError(
            Reason.MODEL_NOT_READY,
            f"The model {loading[0].name} is still loading. Try again shortly.",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
            metadata={"model": loading[0].name, **metadata},
        )
    return ChladniError(
        Reason.MODEL_UNAVAILABLE if is_named else Reason.RECIPE_UNAVAILABLE,
        f"The model {kind[0].name} of {offered.service} cannot be used: {kind[0].unavailable_reason}",
        metadata={"model": kind[0].name, **metadata},
    )


def _incompatible_models(audio_model: ModelSummary, image: ModelSummary) -> ChladniError:
    taken = ", ".join(sorted(image.input_spaces)) or "no space"
    return ChladniError(
        Reason.RECIPE_UNAVAILABLE,
        f"The image model {image.name} takes embeddings of {taken}, but {audio_model.name} describes "
        f"the sound in {audio_model.output_space}. Configure image-generation with a model that takes these, "
        "or audio-features with one that makes those.",
        metadata={STAGE_KEY: Stage.IMAGE_GENERATION.value},
    )
