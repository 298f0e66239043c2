"""What happens on the way from sound to picture.

    Analyzed  Queued*  Started  Progressed*  Completed  Created

A recipe yields all but the last; creation swallows `Completed`, stores the picture and yields `Created`.
Each event knows the stage that it belongs to.
"""

from dataclasses import dataclass
from typing import ClassVar

from chladni_gateway.image_store import ImageRecord
from chladni_gateway.pictures import Picture, Provenance
from chladni_gateway.recordings import AudioProperties, Descriptor, Embedding
from chladni_gateway.stages import Stage


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


@dataclass(frozen=True, slots=True)
class Started:
    """Denoising starts, with the values that the request left open now chosen."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    seed: int
    total_steps: int
    model: str
    guidance_scale: float


@dataclass(frozen=True, slots=True)
class Progressed:
    """`step` of `total_steps` denoising steps are done; times are `None` while unknown."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    step: int
    total_steps: int
    preview: Picture | None
    elapsed_seconds: float
    remaining_seconds: float | None


@dataclass(frozen=True, slots=True)
class Completed:
    """The picture is made; where it `is_reused`, an identical request gave it."""

    stage: ClassVar[Stage] = Stage.IMAGE_GENERATION

    picture: Picture
    provenance: Provenance
    is_reused: bool = False


@dataclass(frozen=True, slots=True)
class Created:
    """The picture is stored."""

    stage: ClassVar[Stage] = Stage.STORAGE

    picture: Picture
    record: ImageRecord


GenerationEvent = Queued | Started | Progressed | Completed
RecipeEvent = Analyzed | GenerationEvent
CreationEvent = Analyzed | Queued | Started | Progressed | Created
