"""What may be chosen for an image."""

from __future__ import annotations

from enum import StrEnum
from typing import TypedDict

from chladni_client.types.audio import SupportsArray
from chladni_client.types.images import ImageFormat, Priority


class NoiseMode(StrEnum):
    """How a sound becomes the initial noise x_T of a latent diffusion model."""

    MEL = "mel"
    """The z-scored mel image itself: the sound alone, and far from white, so that models make mud of it."""
    BLEND = "blend"
    """Seeded noise with some of the z-scored mel image in it: clean images in which the sound shows."""
    DCT = "dct"
    """The z-scored coefficients of the mel image's cosine transform: the sound alone, and nearly white."""


class CreationOptions(TypedDict, total=False):
    """What `create_image` and `stream_image` take by keyword; what is left out, the server chooses.

    Those from `prompt` on are for recipes that take them; `Recipe.options` says which do. The prompts,
    `strength`, `noise_mode`, `noise_weight`, `calibration` and `initial_latents` need `recipe` to be named.

    Attributes:
        recipe: Way from sound to image, one of `list_recipes`; empty takes the server's default.
        seed: Seed of the noise, 0 to 4294967295; the server draws one if absent.
        steps: Denoising steps, 1 to 150; the model's default if absent.
        guidance_scale: How closely to follow the sound or the prompt, 1 (no guidance) to 30; the model's
            default if absent.
        scheduler: Scheduler by its diffusers class name; the model's default if empty.
        width_pixels: Width, one that the model takes; its native width if absent.
        height_pixels: Height, likewise.
        priority: How urgent it is; interactive if absent.
        reproducible: Whether the same request must give the same pixels whatever else the server does;
            without it, the image may be made faster. True if absent.
        bypass_cache: Whether it must be computed again, even if an identical request gave it before; false
            if absent.
        prompt: Text to follow, at most 2000 characters.
        negative_prompt: Text to avoid, at most 2000 characters.
        strength: How far to go from the image of the sound, above 0 to 1; the recipe's default if absent.
        model: Image model by its identifier; the recipe's choice if empty.
        noise_mode: How the sound becomes initial noise; blend if absent.
        noise_weight: How much of the sound the noise holds, w from 0 to 1: x_T = sqrt(1 - w^2) noise + w
            sound. If absent, 0.3 to blend, else 1.
        calibration: Calibration of the initial latents by its name; the default for their shape if empty.
        upscale: Factor by which the finished image is larger than width and height say, 1 or 2; 1 if absent.
        refiner_start: Part of the steps after which the refiner takes over, above 0 to 1; 1 leaves it out.
            The model's default if absent.
        look: How the sound is shown: a look by its name, several with shares, such as "plate:2,water:1", or
            "auto" for those that fit the kind of sound; the model's first look if empty.
        initial_latents: Initial latents in place of those of the audio, which may then be `None`: an array of
            shape (C, H, W), (1, C, H, W) or (C * H * W,), z-scored. `noise_mode` may be mel or blend.
        start_seconds: Where the part of the audio that is meant begins; the beginning if absent. Audio may be
            longer than a part, which has the limits of whole audio.
        end_seconds: Where that part ends, from the beginning of the audio; the audio's end if absent.
        image_format: How the image is encoded; PNG if absent. SVG and PDF go with the look "plate" alone.
        quality: Quality of JPEG and WebP, 1 to 100; 90 if absent.
    """

    recipe: str
    seed: int | None
    steps: int | None
    guidance_scale: float | None
    scheduler: str
    width_pixels: int | None
    height_pixels: int | None
    priority: Priority
    reproducible: bool
    bypass_cache: bool
    prompt: str
    negative_prompt: str
    strength: float | None
    model: str
    noise_mode: NoiseMode | None
    noise_weight: float | None
    calibration: str
    upscale: int | None
    refiner_start: float | None
    look: str
    initial_latents: SupportsArray | None
    start_seconds: float | None
    end_seconds: float | None
    image_format: ImageFormat | str
    quality: int | None
