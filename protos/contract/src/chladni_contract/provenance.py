"""How an image was made: what decides its pixels, and the text that goes into its file.

`chladni_contract.images.file_metadata` finds it there; `chladni_contract.provenance_messages` reads it, and
converts to and from the message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that decides an image: equal provenance and conditioning give equal pixels.

    That holds if `reproducible`. The attributes are the fields of ``chladni.generation.v1.Provenance``. Their
    defaults stand for what was not recorded.

    Attributes:
        model: Model identifier.
        model_digest: SHA-256 over the model's files, hexadecimal.
        recipe: Recipe by its name; empty if none was named.
        seed: Seed of the noise.
        steps: Denoising steps.
        guidance_scale: Guidance scale; 1 means none.
        scheduler: Scheduler by its diffusers class name.
        width_pixels: Width, before it was enlarged.
        height_pixels: Height, before it was enlarged.
        audio_sha256: SHA-256 of the audio file, hexadecimal; empty if it is not known.
        conditioning_sha256: SHA-256 over the conditioning's values, hexadecimal.
        dtype: Numeric type of the denoiser.
        device: Kind of device, such as ``cpu``.
        batch_size: Rows in every call of the denoiser, padding included.
        thread_count: Threads of the computation; 0 if the device decides.
        library_versions: Versions of the libraries that compute, by name.
        reproducible: Whether the image is the same whichever requests shared the model with it.
        device_capability: What the device's kernels are chosen by, such as ``AVX512`` or ``sm_90``; empty
            if it was not recorded.
        decode_batch_size: Images in every call of the decoder, padding included; 0 if it was not recorded.
        part: Part of the recipe that this image is, such as ``sd_refined``; empty if it is all of it.
        earlier: How the images that this one starts from were made, the first one first.
        fallback: Why another way than the recipe's own was taken; empty if it was not.
        prompt: Text that was followed; empty for none.
        negative_prompt: Text that was avoided; empty for none.
        strength: How far the image went from its initial one; `None` if it had none.
        initial_latents_weight: How much of given initial latents it started from; `None` if none were given.
        upscale: Factor by which the image was enlarged after denoising; 1 if it was not.
        refiner_start: Part of the steps after which the refiner took over; `None` if there is none.
        recipe_options: Options of the recipe by name, in words.
        audio_start_seconds: Where the part of the audio that was used begins; `None` if at the beginning.
        audio_end_seconds: Where that part ends; `None` if at the audio's end.
        look: How the sound was shown; empty for the model's first look.
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
    library_versions: Mapping[str, str] = field(default_factory=dict)
    reproducible: bool = False
    device_capability: str = ""
    decode_batch_size: int = 0
    part: str = ""
    earlier: tuple[Provenance, ...] = ()
    fallback: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    strength: float | None = None
    initial_latents_weight: float | None = None
    upscale: int = 1
    refiner_start: float | None = None
    recipe_options: Mapping[str, str] = field(default_factory=dict)
    audio_start_seconds: float | None = None
    audio_end_seconds: float | None = None
    look: str = ""

    def to_json(self) -> str:
        """Return the text, in ASCII, that goes into the file; equal provenance gives equal text."""
        return json.dumps(asdict(self), sort_keys=True)
