"""Images, how they came to be, and how alike they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chladni_client.files import PngFile
from chladni_client.types.audio import Descriptor, SoundProperties


class Priority(StrEnum):
    """How urgent an image is; callers and priorities share the model, and none waits for ever."""

    INTERACTIVE = "interactive"
    """Someone waits for it."""
    BATCH = "batch"
    """It is one of many."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that decides an image: equal provenance and conditioning give equal pixels, where `exact`.

    Attributes:
        model: Model identifier.
        model_digest: SHA-256 over the model's files.
        recipe: Recipe by its name; empty where none was named.
        seed: Seed of the noise.
        steps: Denoising steps.
        guidance_scale: Guidance scale; 1 means none.
        scheduler: Scheduler by its diffusers class name.
        width_pixels: Width.
        height_pixels: Height.
        audio_sha256: SHA-256 of the recording; empty where it is not known.
        conditioning_sha256: SHA-256 over the conditioning's values.
        dtype: Numeric type of the denoiser.
        device: Kind of device, such as ``cpu``.
        batch_size: Rows in every call of the denoiser, padding included.
        thread_count: Threads of the computation; 0 where the device decides.
        library_versions: Versions of the libraries that compute, by name.
        exact: Whether the image is the same whichever requests shared the model with it.
        device_capability: What the device's kernels are chosen by, such as ``AVX512`` or ``sm_90``; empty
            where it was not recorded.
        decode_batch_size: Images in every call of the decoder, padding included; 0 where it was not
            recorded.
        stage: Part of the recipe that this image is, such as ``sd_refined``; empty where it is all of it.
        earlier: How the images that this one starts from were made, the first one first.
        fallback: Why another way than the recipe's own was taken; empty where it was not.
        prompt: Text that was followed; empty for none.
        negative_prompt: Text that was avoided; empty for none.
        strength: How far the image went from its initial one; `None` where it had none.
        initial_latents_weight: How much of given initial latents it started from; `None` where none were.
        upscale: Factor by which it was enlarged after `width_pixels` and `height_pixels`; 0 where it was not
            recorded.
        refiner_start: Part of the steps after which the refiner took over; `None` where there is none.
        recipe_options: Options of the recipe by name, in words.
    """

    model: str
    model_digest: str
    recipe: str
    seed: int
    steps: int
    guidance_scale: float
    scheduler: str
    width_pixels: int
    height_pixels: int
    audio_sha256: str
    conditioning_sha256: str
    dtype: str
    device: str
    batch_size: int
    thread_count: int
    library_versions: Mapping[str, str]
    exact: bool = False
    device_capability: str = ""
    decode_batch_size: int = 0
    stage: str = ""
    earlier: tuple[Provenance, ...] = ()
    fallback: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    strength: float | None = None
    initial_latents_weight: float | None = None
    upscale: int = 0
    refiner_start: float | None = None
    recipe_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedImage(PngFile):
    """An image made from a sound.

    Attributes:
        image_id: Identifier at the server, for `get_image` and `compare_images` until it expires.
        png: The image, an encoded PNG that carries its provenance.
        width_pixels: Width.
        height_pixels: Height.
        provenance: How it was made.
        sound: What was found in the recording; `None` where the server did not say.
        descriptors: Descriptors of the sound, which decide the image.
        processing_seconds: Time from the request's arrival at the server to the finished image.
        expires_at: When the server forgets it; `None` where it did not say.
        is_reused: Whether an identical request, answered before or in progress at the same time, gave it.
    """

    image_id: str
    png: bytes = field(repr=False)
    width_pixels: int
    height_pixels: int
    provenance: Provenance
    sound: SoundProperties | None
    descriptors: tuple[Descriptor, ...] = field(repr=False)
    processing_seconds: float
    expires_at: datetime | None
    is_reused: bool = False

    @property
    def seed(self) -> int:
        """Seed of the noise; with the same recording and parameters it gives the same image again."""
        return self.provenance.seed


@dataclass(frozen=True, slots=True)
class StoredImage(PngFile):
    """An image that the server keeps.

    Attributes:
        image_id: Identifier.
        png: The image, an encoded PNG that carries its provenance.
        created_at: When it was made; `None` where the server did not say.
        expires_at: When the server forgets it; `None` where it did not say.
    """

    image_id: str
    png: bytes = field(repr=False)
    created_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two images are.

    Attributes:
        score: 0 to 1; exactly 1 for equal images.
        cosine: Cosine of the two embeddings, -1 to 1.
        model: Model that was used.
    """

    score: float
    cosine: float
    model: str
