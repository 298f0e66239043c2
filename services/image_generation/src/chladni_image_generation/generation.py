"""What a generation is asked for and what it reports."""

from dataclasses import dataclass, field

from chladni_image_generation.conditioning import Conditioning
from chladni_image_generation.provenance import Origin, Provenance

MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """An image to generate, with every default already filled in: all that its bytes depend on.

    Attributes:
        conditioning: What the image is made from.
        seed: Seed of the noise, 0 to ``MAX_SEED``.
        steps: Denoising steps, at least 1.
        guidance_scale: 1 for no guidance, more to follow the conditioning more closely.
        scheduler: Diffusers class name.
        width_pixels: Width of the image, before it is enlarged.
        height_pixels: Height of the image, before it is enlarged.
        upscale: Factor by which it is enlarged.
        refiner_start: Part of the steps after which the refiner takes over; `None` where there is none.
        exact: Whether the pixels must not depend on who shares the model.
        origin: Where the conditioning came from, for the provenance.
    """

    conditioning: Conditioning
    seed: int
    steps: int
    guidance_scale: float
    scheduler: str
    width_pixels: int
    height_pixels: int
    upscale: int = 1
    refiner_start: float | None = None
    exact: bool = True
    origin: Origin = field(default_factory=Origin)

    @property
    def is_guided(self) -> bool:
        """Whether the image follows its conditioning more closely than the model would by itself."""
        return self.guidance_scale != 1


@dataclass(frozen=True, slots=True)
class PreviewOptions:
    """Which previews a caller wants.

    Attributes:
        interval_steps: Steps between previews; 0 for none.
        size_pixels: Length of the longer side in pixels.
    """

    interval_steps: int = 0
    size_pixels: int = 64

    def is_due(self, step: int) -> bool:
        """Whether one is wanted after so many steps."""
        return bool(self.interval_steps) and step % self.interval_steps == 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What an image looks like so far.

    Attributes:
        jpeg: The preview as a JPEG.
        width_pixels: Its width.
        height_pixels: Its height.
    """

    jpeg: bytes
    width_pixels: int
    height_pixels: int


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits, behind `position` others."""

    position: int


@dataclass(frozen=True, slots=True)
class Started:
    """The request got its turn."""

    request: GenerationRequest
    total_steps: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A denoising step is done.

    Attributes:
        step: Steps done, from 1.
        total_steps: Steps in all.
        preview: The image so far; `None` at most steps.
        elapsed_seconds: Time since the request started.
        remaining_seconds: Expected time to the end.
    """

    step: int
    total_steps: int
    preview: Preview | None
    elapsed_seconds: float
    remaining_seconds: float


@dataclass(frozen=True, slots=True)
class Completed:
    """The image is done.

    Attributes:
        png: The image with its provenance inside.
        provenance: How it was made.
        queue_seconds: Time before its first step.
        processing_seconds: Time from then on.
        is_reused: Whether an identical request gave the image.
    """

    png: bytes
    provenance: Provenance
    queue_seconds: float
    processing_seconds: float
    is_reused: bool = False


GenerationEvent = Queued | Started | Progress | Completed
