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
    return model_pb2.ModelInfo(id=DESCRIPTORS, is_default=True, is_ready=True, output_space=SPACE)


def clap() -> model_pb2.ModelInfo:
    """Return a CLAP model."""
    return model_pb2.ModelInfo(id="scripted-clap", is_ready=True, family="clap", output_space=CLAP_SPACE)


def clap_to_clip() -> model_pb2.ModelInfo:
    """Return a map from CLAP's space to CLIP's."""
    return model_pb2.ModelInfo(
        id="scripted-clap-to-clip", is_ready=True, family="clap-to-clip", output_space=CLIP_SPACE
    )


def embedded(space: str = SPACE) -> model_pb2.ModelInfo:
    """Return the default model of image-generation, which takes embeddings of the default audio model."""
    inputs = ("audio_embedding", "initial_latents", "initial_image")
    info = _model(EMBEDDED, "chladni-embedded", inputs, required=1, spaces=(space,), shape="4x64x64")
    info.is_default = True
    return info


def stable_diffusion(name: str = "scripted-sd", **properties: str) -> model_pb2.ModelInfo:
    """Return a Stable Diffusion model; properties such as ``default_steps`` replace its own."""
    inputs = (*_TEXTS, "initial_latents", "initial_image", "upscale")
    info = _model(name, "stable-diffusion", inputs, required=1, shape="4x64x64")
    info.properties.update({"default_steps": "50", "default_guidance_scale": "7.5"} | properties)
    return info


def stable_diffusion_xl() -> model_pb2.ModelInfo:
    """Return a Stable Diffusion XL model with a refiner."""
    inputs = (*_TEXTS, "initial_image", "refiner_start")
    return _model("scripted-xl", "stable-diffusion-xl", inputs, required=1, shape="4x128x128")


def audioldm(space: str = CLAP_SPACE) -> model_pb2.ModelInfo:
    """Return an AudioLDM model."""
    inputs = ("audio_embedding",)
    return _model("scripted-audioldm", "audioldm", inputs, required=1, spaces=(space,), shape="8x256x16")


def ldm() -> model_pb2.ModelInfo:
    """Return a latent diffusion model of CompVis, which does not need a prompt."""
    inputs = (*_TEXTS, "initial_latents")
    return _model("scripted-ldm", "ldm-text-to-image", inputs, required=0, shape="4x32x32", side_pixels=256)


def unclip(space: str = CLIP_SPACE) -> model_pb2.ModelInfo:
    """Return a Stable unCLIP model."""
    inputs = ("audio_embedding", *_TEXTS)
    return _model("scripted-unclip", "stable-unclip", inputs, required=1, spaces=(space,), shape="4x96x96")


def ip_adapter(space: str = CLIP_SPACE) -> model_pb2.ModelInfo:
    """Return a Stable Diffusion model with an IP-Adapter, which needs a prompt."""
    inputs = ("audio_embedding", *_TEXTS)
    return _model("scripted-adapter", "ip-adapter", inputs, required=2, spaces=(space,), shape="4x64x64")


def broken(info: model_pb2.ModelInfo) -> model_pb2.ModelInfo:
    """Turn a model into one that could not be loaded and of which only the family is known; return it."""
    name, family, is_default = info.id, info.family, info.is_default
    info.Clear()
    info.id, info.family, info.is_default = name, family, is_default
    info.unavailable_reason = "Its weights are cut off."
    return info


def unidentified(info: model_pb2.ModelInfo) -> model_pb2.ModelInfo:
    """Turn a model into one that could not be loaded and of which not even the family is known; return it."""
    info.family, info.is_default = "", False
    return broken(info)


def loading(info: model_pb2.ModelInfo) -> model_pb2.ModelInfo:
    """Turn a model into one that is still loading; return it."""
    info.is_ready = False
    return info


def _model(
    name: str,
    family: str,
    inputs: tuple[str, ...],
    *,
    required: int,
    shape: str,
    spaces: tuple[str, ...] = (),
    side_pixels: int = 512,
) -> model_pb2.ModelInfo:
    return model_pb2.ModelInfo(
        id=name,
        is_ready=True,
        family=family,
        inputs=inputs,
        required_input_count=required,
        input_spaces=spaces,
        properties={"latent_shape": shape, "image_size_pixels": f"{side_pixels}x{side_pixels}"},
    )
