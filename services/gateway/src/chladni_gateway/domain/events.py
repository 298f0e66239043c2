"""What happens on the way from sound to image.

    Accepted  Analyzed  (FellBack | Drafted | Queued | Started | Progressed)*  Completed  Created

Creation accepts the request. A recipe reports what follows and returns `Completed`; creation stores the image
and yields `Created`.
Each event knows the stage that it belongs to and, if the recipe has several parts, that part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias
from uuid import UUID

from chladni_contract.provenance import Provenance
from chladni_contract.warnings import ServiceWarning
from chladni_gateway.domain.audio import AudioProperties, Descriptor, Embedding
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.stages import Stage
from chladni_gateway.domain.storage.image_store import ImageRecord


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is accepted as an operation, with the seed that its image will be made with."""

    stage: ClassVar[Stage] = Stage.VALIDATION

    operation_id: UUID
    seed: int


@dataclass(frozen=True, slots=True)
class Analyzed:
    """The sound has been analysed.

    Attributes:
        audio: What was found in the file.
        descriptors: Descriptors of the sound.
        embedding: Its embedding, without names; `None` if the recipe does without.
        warnings: What the caller should know about the sound.
    """

    stage: ClassVar[Stage] = Stage.AUDIO_FEATURES

    audio: AudioProperties
    descriptors: tuple[Descriptor, ...]
    embedding: Embedding | None = None
    warnings: tuple[ServiceWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits for the model; `position` requests are ahead of it."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    position: int
    part: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """Denoising starts, with the values that the request left open now chosen."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    seed: int
    total_steps: int
    model: str
    guidance_scale: float
    part: str = ""


@dataclass(frozen=True, slots=True)
class Progressed:
    """`step` of `total_steps` denoising steps are done; times are `None` while unknown."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    step: int
    total_steps: int
    preview: Image | None
    elapsed_seconds: float
    remaining_seconds: float | None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """The image is made; if it `is_reused`, an identical request gave it."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    image: Image
    provenance: Provenance
    is_reused: bool = False
    part: str = ""
    warnings: tuple[ServiceWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Drafted:
    """An image is there from which the next part of the recipe starts.

    The image is `None` if it is not kept any more, and the provenance if no model made the image.
    """

    image: Image | None
    provenance: Provenance | None = None
    part: str = ""

    @property
    def stage(self) -> Stage:
        """Stage that made it."""
        return Stage.IMAGE_GENERATION if self.provenance else Stage.AUDIO_FEATURES


@dataclass(frozen=True, slots=True)
class FellBack:
    """The recipe uses its fallback.

    Attributes:
        reason: What is missing or failed, and what to do about it.
        fallback: What is done instead: a recipe, or a part of this one after which it ends.
        part: Part of the recipe that is left.
    """

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    reason: str
    fallback: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """The image is stored."""

    stage: ClassVar[Stage] = Stage.STORAGE

    image: Image
    record: ImageRecord
    part: str = ""


GenerationEvent: TypeAlias = Queued | Started | Progressed | Completed
RecipeEvent: TypeAlias = Analyzed | Drafted | FellBack | Queued | Started | Progressed
CreationEvent: TypeAlias = Accepted | RecipeEvent | Created

Report: TypeAlias = Callable[[RecipeEvent], Awaitable[None]]
"""Takes an event to the reader, and returns once there is room for it: a slow reader slows the work down."""
