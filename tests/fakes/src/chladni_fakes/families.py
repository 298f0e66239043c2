"""Descriptions of models, one of each family, as the services list them."""

from __future__ import annotations

from typing import Final

from chladni.model.v1 import model_pb2

SPACE: Final = "scripted-space"
CLAP_SPACE: Final = "clap-0123456789abcdef"
CLIP_SPACE: Final = "clip-0123456789abcdef"
DESCRIPTORS: Final = "scripted-descriptors"
EMBEDDED: Final = "scripted-embedded"

_TEXTS: Final = ("prompt", "negative_prompt")


def descriptors() -> model_pb2.ModelInfo:
    """Return the default model of audio-features."""
    return _embedding(DESCRIPTORS, "descriptors", SPACE, dimension=4)


def clap() -> model_pb2.ModelInfo:
    """Return a CLAP model."""
    return _embedding("scripted-clap", "clap", CLAP_SPACE, dimension=512)


def clap_to_clip() -> model_pb2.ModelInfo:
    """Return a map from CLAP's space to CLIP's."""
    name = "scripted-clap-to-clip"
    return _embedding(name, "clap-to-clip", CLIP_SPACE, dimension=768, input_spaces=(CLAP_SPACE,))


def embedded(space: str = SPACE) -> model_pb2.ModelInfo:
    """Return the default model of image-generation, which takes embeddings of the default audio model."""
    inputs = ("audio_embedding", "initial_latents", "initial_image", "look")
    return _generation(
        EMBEDDED, "chladni-embedded", inputs, required=1, latent_shape=(4, 64, 64), space=space
    )


def stable_diffusion(
    name: str = "scripted-sd", *, default_steps: int = 50, default_guidance_scale: float = 7.5
) -> model_pb2.ModelInfo:
    """Return a Stable Diffusion model, which enlarges images by larger latents."""
    inputs = (*_TEXTS, "initial_latents", "initial_image", "upscale")
    info = _generation(name, "stable-diffusion", inputs, required=1, latent_shape=(4, 64, 64))
    capabilities = info.image_generation
    capabilities.default_steps = default_steps
    capabilities.default_guidance_scale = default_guidance_scale
    return enlarging(info)


def stable_diffusion_xl() -> model_pb2.ModelInfo:
    """Return a Stable Diffusion XL model with a refiner."""
    inputs = (*_TEXTS, "initial_image", "refiner_start")
    info = _generation("scripted-xl", "stable-diffusion-xl", inputs, required=1, latent_shape=(4, 128, 128))
    info.image_generation.default_refiner_start = 0.8
    return info


def audioldm(space: str = CLAP_SPACE) -> model_pb2.ModelInfo:
    """Return an AudioLDM model."""
    inputs = ("audio_embedding",)
    return _generation(
        "scripted-audioldm", "audioldm", inputs, required=1, latent_shape=(8, 256, 16), space=space
    )


def ldm() -> model_pb2.ModelInfo:
    """Return a latent diffusion model of CompVis, which does not need a prompt."""
    inputs = (*_TEXTS, "initial_latents")
    name, shape = "scripted-ldm", (4, 32, 32)
    return _generation(name, "ldm-text-to-image", inputs, required=0, latent_shape=shape, side_pixels=256)


def ddpm(*, channels: int = 1) -> model_pb2.ModelInfo:
    """Return an unconditional model that computes on pixels, such as one of digits."""
    name, shape = "scripted-digits", (channels, 28, 28)
    return _generation(name, "ddpm", ("initial_latents",), required=0, latent_shape=shape, side_pixels=28)


def unclip(space: str = CLIP_SPACE) -> model_pb2.ModelInfo:
    """Return a Stable unCLIP model."""
    inputs = ("audio_embedding", *_TEXTS)
    name, shape = "scripted-unclip", (4, 96, 96)
    return _generation(name, "stable-unclip", inputs, required=1, latent_shape=shape, space=space)


def ip_adapter(space: str = CLIP_SPACE) -> model_pb2.ModelInfo:
    """Return a Stable Diffusion model with an IP-Adapter, which needs a prompt."""
    inputs = ("audio_embedding", *_TEXTS)
    name, shape = "scripted-adapter", (4, 64, 64)
    return _generation(name, "ip-adapter", inputs, required=2, latent_shape=shape, space=space)


def broken(info: model_pb2.ModelInfo) -> model_pb2.ModelInfo:
    """Turn a model into one that could not be loaded and of which only the family is known; return it."""
    name, family = info.id, info.family
    info.Clear()
    info.id, info.family = name, family
    info.state = model_pb2.MODEL_STATE_UNAVAILABLE
    info.unavailable_reason = "Its weights are cut off."
    return info


def unidentified(info: model_pb2.ModelInfo) -> model_pb2.ModelInfo:
    """Turn a model into one that could not be loaded and of which not even the family is known; return it."""
    info.family = ""
    return broken(info)


def loading(info: model_pb2.ModelInfo) -> model_pb2.ModelInfo:
    """Turn a model into one that is still loading; return it."""
    info.state = model_pb2.MODEL_STATE_LOADING
    return info


def enlarging(info: model_pb2.ModelInfo) -> model_pb2.ModelInfo:
    """Turn a model into one that enlarges images by larger latents; return it."""
    if "upscale" not in input_names(info):
        info.inputs.add(name="upscale")
    info.image_generation.upscale_factors[:] = [1, 2]
    info.image_generation.upscaling_method = model_pb2.UPSCALING_METHOD_LATENTS
    return info


def input_names(info: model_pb2.ModelInfo, *, required_only: bool = False) -> tuple[str, ...]:
    """Return the names of a model's inputs: all of them, or only those that it needs."""
    return tuple(item.name for item in info.inputs if item.required or not required_only)


def _embedding(
    name: str, family: str, space: str, *, dimension: int, input_spaces: tuple[str, ...] = ()
) -> model_pb2.ModelInfo:
    return model_pb2.ModelInfo(
        id=name,
        family=family,
        state=model_pb2.MODEL_STATE_READY,
        inputs=[model_pb2.ModelInput(name="audio", required=True)],
        embedding=model_pb2.EmbeddingCapabilities(
            output_space=space, dimension=dimension, input_spaces=input_spaces
        ),
    )


def _generation(
    name: str,
    family: str,
    inputs: tuple[str, ...],
    *,
    required: int,
    latent_shape: tuple[int, int, int],
    space: str = "",
    side_pixels: int = 512,
) -> model_pb2.ModelInfo:
    return model_pb2.ModelInfo(
        id=name,
        family=family,
        state=model_pb2.MODEL_STATE_READY,
        inputs=[
            model_pb2.ModelInput(name=field, required=index < required) for index, field in enumerate(inputs)
        ],
        image_generation=model_pb2.ImageGenerationCapabilities(
            sizes=model_pb2.ImageSizes(
                native_width_pixels=side_pixels,
                native_height_pixels=side_pixels,
                min_side_pixels=64,
                max_side_pixels=2048,
                side_multiple_pixels=8,
            ),
            latent_shape=latent_shape,
            schedulers=["EulerDiscreteScheduler", "DDIMScheduler"],
            default_steps=50,
            default_guidance_scale=7.5,
            input_spaces=[space] if space else [],
            upscale_factors=[1],
        ),
    )
