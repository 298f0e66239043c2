"""Where an image came from: what its maker says of it, and what decided its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that decides the pixels. Equal provenance and conditioning give equal pixels, where exact.

    Attributes are those of ``chladni.image.v1.Provenance``.
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
    exact: bool
    device_capability: str
    decode_batch_size: int
    stage: str
    earlier: tuple["Provenance", ...]
    fallback: str
    prompt: str
    negative_prompt: str
    strength: float | None
    initial_latents_weight: float | None
    upscale: int
    refiner_start: float | None
    recipe_options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a conditioning came from, copied into the provenance and otherwise unused.

    Attributes:
        recipe: Name of the recipe; empty for none.
        audio_sha256: SHA-256 of the recording in hexadecimal; empty if unknown.
        stage: Part of the recipe that the image is; empty for all of it.
        earlier: How the images that this one starts from were made, the first one first.
        fallback: Why another way than the recipe's own was taken; empty where it was not.
        options: Options of the recipe by name.
    """

    recipe: str = ""
    audio_sha256: str = ""
    stage: str = ""
    earlier: tuple[Provenance, ...] = ()
    fallback: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
