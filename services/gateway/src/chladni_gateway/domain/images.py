"""What is known about an image."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image.

    Attributes:
        content: The file's bytes.
        media_type: Such as ``image/png``; empty where only the bytes tell.
        width_pixels: Width; 0 where it is not known.
        height_pixels: Height; 0 where it is not known.
    """

    content: bytes
    media_type: str = ""
    width_pixels: int = 0
    height_pixels: int = 0


@dataclass(frozen=True, slots=True)
class Provenance:
    """How an image was made: equal provenance and conditioning give equal pixels, where `exact`.

    The attributes are the fields of ``chladni.image.v1.Provenance``, which describes them. Their defaults
    stand for what was not recorded, as by earlier versions.
    """

    model: str = ""
    model_digest: str = ""
    recipe: str = ""
    seed: int = 0
    steps: int = 0
    guidance_scale: float = 0.0
    scheduler: str = ""
    width_pixels: int = 0
    height_pixels: int = 0
    audio_sha256: str = ""
    conditioning_sha256: str = ""
    dtype: str = ""
    device: str = ""
    batch_size: int = 0
    thread_count: int = 0
    library_versions: dict[str, str] = field(default_factory=dict)
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
    upscale: int = 1
    refiner_start: float | None = None
    recipe_options: dict[str, str] = field(default_factory=dict)
