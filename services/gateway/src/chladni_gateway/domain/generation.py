"""What image generation is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from chladni_contract.provenance import Provenance
from chladni_gateway.domain.audio import Embedding, InitialLatents
from chladni_gateway.domain.images import PNG_ENCODING, Image, ImageEncoding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Priority(StrEnum):
    """How urgent an image is."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """How previews are wanted: one every `interval_steps` steps, `size_pixels` on the longer side."""

    interval_steps: int
    size_pixels: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationSettings:
    """How an image is generated; `None`, and an empty name, leave the choice to the model.

    Attributes:
        seed: Seed of the noise, 0 to 4294967295.
        steps: Denoising steps, 1 to 150.
        guidance_scale: Guidance scale, 1 to 30; 1 means none.
        scheduler: Scheduler by its diffusers class name.
        width_pixels: Width.
        height_pixels: Height.
        previews: How previews are wanted; `None` for none.
        priority: How urgent it is.
        reproducible: Whether the same request must give the same pixels whatever else the server does.
        bypass_cache: Whether the image must be computed again.
        upscale: Factor by which the finished image is larger than its width and height.
        refiner_start: Part of the steps after which the refiner takes over, in (0, 1].
        look: How the sound is shown: looks by name.
        encoding: How the image is encoded.
    """

    seed: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    scheduler: str = ""
    width_pixels: int | None = None
    height_pixels: int | None = None
    previews: PreviewRequest | None = None
    priority: Priority = Priority.INTERACTIVE
    reproducible: bool = True
    bypass_cache: bool = False
    upscale: int | None = None
    refiner_start: float | None = None
    look: str = ""
    encoding: ImageEncoding = PNG_ENCODING


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CourseWindow:
    """The part of a moving course that one frame of a film shows.

    The fields are those of ``chladni.image.v1.CourseWindow``, which describes them.
    """

    centers: NDArray[np.float32]
    numbers: NDArray[np.int64]
    course: NDArray[np.float32]
    means: NDArray[np.float32]
    growth: NDArray[np.float32]
    drift: float
    level: float
    flash: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditioning:
    """What an image is made from; models take some of it.

    The fields are those of ``chladni.image.v1.Conditioning``, which describes them; `None` and empty texts
    leave a field out.
    """

    audio_embedding: Embedding | None = None
    prompt: str = ""
    negative_prompt: str = ""
    initial_latents: InitialLatents | None = None
    initial_latents_weight: float | None = None
    initial_image: Image | None = None
    strength: float | None = None
    course_window: CourseWindow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the conditioning came from, for the provenance.

    Attributes:
        recipe: Name of the recipe.
        audio_sha256: SHA-256 of the recording.
        audio_start_seconds: Where the part of it that was used begins; `None` if it was used as a whole.
        audio_end_seconds: Where that part ends.
        part: Part of the recipe that the image is; empty for all of it.
        earlier: How the images that it starts from were made, the first one first.
        fallback: Why the recipe fell back; empty if it did not.
        options: Options of the recipe by name.
    """

    recipe: str
    audio_sha256: str
    part: str = ""
    earlier: tuple[Provenance, ...] = ()
    fallback: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    audio_start_seconds: float | None = None
    audio_end_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What image generation is asked for.

    Attributes:
        model: Model by its identifier.
        conditioning: What the image is made from.
        settings: How to generate.
        origin: Where the conditioning came from.
        caller: Who asks, for the fair share; empty if that is not known.
    """

    model: str
    conditioning: Conditioning
    settings: GenerationSettings
    origin: Origin
    caller: str = ""
