"""What happens on the way from sound to image.

    Analyzed  (FellBack | Drafted | Queued | Started | Progressed)*  Completed  Created

A recipe reports all but the last two and returns `Completed`; creation stores the image and yields `Created`.
Each event knows the stage that it belongs to and, where the recipe has several parts, that part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from chladni_contract.provenance import Provenance
from chladni_gateway.domain.audio import AudioProperties, Descriptor, Embedding
from chladni_gateway.domain.image_store import ImageRecord
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.stages import Stage


@dataclass(frozen=True, slots=True)
class Analyzed:
    """The sound has been analysed; `embedding` has no names, and is `None` where the recipe does without."""

    stage: ClassVar[Stage] = Stage.AUDIO_FEATURES

    audio: AudioProperties
    descriptors: tuple[Descriptor, ...]
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits for the model; `position` requests are ahead of it."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    position: int
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """Denoising starts, with the values that the request left open now chosen."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    seed: int
    total_steps: int
    model: str
    guidance_scale: float
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class Progressed:
    """`step` of `total_steps` denoising steps are done; times are `None` while unknown."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    step: int
    total_steps: int
    preview: Image | None
    elapsed_seconds: float
    remaining_seconds: float | None
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """The image is made; where it `is_reused`, an identical request gave it."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    image: Image
    provenance: Provenance
    is_reused: bool = False
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class Drafted:
    """An image is there from which the next part of the recipe starts.

    The image is `None` where it is not kept any more, and the provenance where no model made the image.
    """

    image: Image | None
    provenance: Provenance | None = None
    recipe_stage: str = ""

    @property
    def stage(self) -> Stage:
        """Stage that made it."""
        return Stage.IMAGE_GENERATION if self.provenance else Stage.AUDIO_FEATURES


@dataclass(frozen=True, slots=True)
class FellBack:
    """The recipe takes another way than its own.

    Attributes:
        reason: What the way that was left needs and did not get, and what to do about it.
        way: Way that is taken now: a recipe, or a part of this one after which it ends.
        recipe_stage: Part of the recipe that is left.
    """

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    reason: str
    way: str
    recipe_stage: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """The image is stored."""

    stage: ClassVar[Stage] = Stage.STORAGE

    image: Image
    record: ImageRecord
    recipe_stage: str = ""


GenerationEvent: TypeAlias = Queued | Started | Progressed | Completed
RecipeEvent: TypeAlias = Analyzed | Drafted | FellBack | Queued | Started | Progressed
CreationEvent: TypeAlias = RecipeEvent | Created

Report: TypeAlias = Callable[[RecipeEvent], Awaitable[None]]
"""Takes an event to the reader, and returns once there is room for it: a slow reader slows the work down."""
