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
from chladni_gateway.models.availability import Need, united

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.models.catalog import Inventory, Shelf

_RETRY_AFTER_SECONDS: Final = 5.0
_MAX_LOST: Final = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request wants of the model.

    Attributes:
        named: Model that it names; empty for none.
        inputs: Inputs that it gives; a model that takes them all comes first.
    """

    named: str = ""
    inputs: tuple[str, ...] = ()


ANY_WISH: Final = Wish()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNeed:
    """A kind of model that a recipe needs.

    Attributes:
        description: What it is, one phrase for people, such as "a CLAP model in audio-features".
        families: Families of which it may be, the preferred one first; empty for any that makes embeddings.
        remedy: What to do where there is none.
        takes: Inputs that it must take.
    """

    description: str
    families: tuple[str, ...]
    remedy: str = ""
    takes: tuple[str, ...] = ()

    def kind_in(self, shelf: Shelf) -> tuple[ModelSummary, ...]:
        """Returns the models of this kind, ready or not, in the order of preference."""
        if not self.families:
            makers = (
                model
                for model in shelf.models
                if model.output_space or (model.is_default and model.unavailable_reason)
            )
            return tuple(sorted(makers, key=lambda model: not model.is_default))
        return tuple(
            model
            for family in self.families
            for model in shelf.models
            # One that could not be loaded tells its family at best, not what it would take.
            if model.family == family and (model.unavailable_reason or set(self.takes) <= set(model.inputs))
        )

    def usable_in(self, shelf: Shelf, wish: Wish = ANY_WISH) -> tuple[ModelSummary, ...]:
        """Returns the models that can be used, the best first; at least one.

        Raises:
            ChladniError: There is none: MODEL_NOT_READY where one is loading; the service's failure where it
                could not be asked; UNKNOWN_MODEL, INVALID_FIELD or MODEL_UNAVAILABLE where the request names
                one that cannot be used; otherwise RECIPE_UNAVAILABLE.
        """
        kind = self.kind_in(shelf)
        if wish.named:
            kind = tuple(model for model in kind if model.name == wish.named)
            if not kind:
                raise not_among(self.kind_in(shelf), wish.named, shelf)
        if not kind:
            raise shelf.failed() or self._missing(shelf)
        ready = [model for model in kind if model.is_ready]
        if not ready:
            raise _not_ready(kind, shelf, is_named=bool(wish.named))
        return tuple(sorted(ready, key=lambda model: not set(wish.inputs) <= set(model.inputs)))

    def met_in(self, shelf: Shelf, *, is_optional: bool = False) -> Need:
        """Returns whether this need is met."""
        try:
            model = self.usable_in(shelf)[0].name
        except ChladniError as error:
            return Need(description=self.description, remedy=error.message, is_optional=is_optional)
        return Need(description=self.description, model=model, is_optional=is_optional)

    def _missing(self, shelf: Shelf) -> ChladniError:
        lost = [f"{model.name} ({model.unavailable_reason})" for model in _lost(shelf)]
        message = f"Missing: {self.description}. {self.remedy}"
        if lost:  # What these are, only they could have told.
            message += f" {shelf.service} could not load {', '.join(lost[:_MAX_LOST])}"
        return ChladniError(
            Reason.RECIPE_UNAVAILABLE, message.strip(), metadata={STAGE_KEY: shelf.stage.value}
        )


class Pair(NamedTuple):
    """A model that makes embeddings of sounds, and one that makes images of these."""

    sound: ModelSummary
    image: ModelSummary


@dataclass(frozen=True, slots=True)
class PairNeed:
    """Two kinds of models that fit together: the second takes the space that the first one makes.

    Attributes:
        sound: Model of audio-features.
        image: Model of image-generation.
    """

    sound: ModelNeed
    image: ModelNeed

    def choose(self, inventory: Inventory, wish: Wish = ANY_WISH) -> Pair:
        """Returns the best two models that can be used together.

        Raises:
            ChladniError: There are none; the message names all that is missing. See `ModelNeed.usable_in`.
        """
        faults: list[ChladniError] = []
        sounds: Sequence[ModelSummary] = ()
        images: Sequence[ModelSummary] = ()
        try:
            sounds = self.sound.usable_in(inventory.sounds)
        except ChladniError as error:
            faults.append(error)
        try:
            images = self.image.usable_in(inventory.images, wish)
        except ChladniError as error:
            faults.append(error)
        if faults:
            raise united(faults)
        for image in images:
            for sound in sounds:
                if sound.output_space in image.input_spaces:
                    return Pair(sound, image)
        raise _disagreement(sounds[0], images[0])

    def met_in(self, inventory: Inventory, *, is_optional: bool = False) -> tuple[Need, Need]:
        """Returns whether both needs are met; where the models do not fit, the second one is not."""
        sound = self.sound.met_in(inventory.sounds, is_optional=is_optional)
        image = self.image.met_in(inventory.images, is_optional=is_optional)
        if not (sound.is_met and image.is_met):
            return sound, image
        try:
            pair = self.choose(inventory)
        except ChladniError as error:
            return sound, Need(description=image.description, remedy=error.message, is_optional=is_optional)
        return (
            Need(description=sound.description, model=pair.sound.name, is_optional=is_optional),
            Need(description=image.description, model=pair.image.name, is_optional=is_optional),
        )


def not_among(fitting: Sequence[ModelSummary], named: str, shelf: Shelf) -> ChladniError:
    """Returns the error for a model that a request names and the recipe cannot use.

    Args:
        fitting: Models that it can use.
        named: The model.
        shelf: All models of the service.
    """
    names = ", ".join(model.name for model in fitting)
    hint = f"it can use {names}" if names else "this server has none that it can use"
    metadata = {STAGE_KEY: Stage.VALIDATION.value}
    model = next((model for model in shelf.models if model.name == named), None)
    if model is None:
        return shelf.failed() or NotFoundError(
            Reason.UNKNOWN_MODEL, f"No model is called {named!r}; the recipe: {hint}.", metadata=metadata
        )
    if not model.family and model.unavailable_reason:
        return _not_ready([model], shelf, is_named=True)
    family = model.family or "unknown"
    return InvalidInputError(
        Reason.INVALID_FIELD,
        f"model: the recipe cannot use {named}, which is of the family {family}; {hint}.",
        field="model",
        metadata=metadata,
    )


def _lost(shelf: Shelf) -> Sequence[ModelSummary]:
    """Returns the models that could not be loaded so far that their families were known."""
    return [model for model in shelf.models if model.unavailable_reason and not model.family]


def _not_ready(kind: Sequence[ModelSummary], shelf: Shelf, *, is_named: bool) -> ChladniError:
    metadata = {STAGE_KEY: shelf.stage.value}
    loading = [model for model in kind if not model.unavailable_reason]
    if loading:
        return UnavailableError(
            Reason.MODEL_NOT_READY,
            f"The model {loading[0].name} is still loading. Try again shortly.",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
            metadata=metadata,
        )
    return ChladniError(
        Reason.MODEL_UNAVAILABLE if is_named else Reason.RECIPE_UNAVAILABLE,
        f"The model {kind[0].name} of {shelf.service} cannot be used: {kind[0].unavailable_reason}",
        metadata=metadata,
    )


def _disagreement(sound: ModelSummary, image: ModelSummary) -> ChladniError:
    taken = ", ".join(sorted(image.input_spaces)) or "no space"
    return ChladniError(
        Reason.RECIPE_UNAVAILABLE,
        f"The image model {image.name} takes embeddings of {taken}, but {sound.name} describes the sound "
        f"in {sound.output_space}. Configure image-generation with a model that takes these, or "
        "audio-features with one that makes those.",
        metadata={STAGE_KEY: Stage.IMAGE_GENERATION.value},
    )
