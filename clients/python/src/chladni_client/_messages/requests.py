"""From arguments to messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final, TypeAlias

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_client._messages.samples import to_file
from chladni_client.errors import InvalidInputError
from chladni_client.files import FileSource, is_image_id, read_upload
from chladni_client.types.audio import AudioInput, Colormap, Feature
from chladni_client.types.images import CreatedImage, Priority, StoredImage
from chladni_client.types.initial_latents import InitialLatentsOptions, LatentBasis
from chladni_client.types.live import PcmEncoding, PcmFormat
from chladni_client.types.options import CreationOptions, NoiseMode
from chladni_contract.errors import FieldViolation

ImageSource: TypeAlias = CreatedImage | StoredImage | FileSource
"""An image of the server, its identifier, or an image file."""

_UINT32_MAXIMUM: Final = 2**32 - 1

_FEATURES: Final = {
    Feature.LOG_MEL: audio_pb2.FEATURE_LOG_MEL,
    Feature.DESCRIPTORS: audio_pb2.FEATURE_DESCRIPTORS,
    Feature.EMBEDDING: audio_pb2.FEATURE_EMBEDDING,
    Feature.INITIAL_LATENTS: audio_pb2.FEATURE_INITIAL_LATENTS,
}
_PRIORITIES: Final = {
    Priority.INTERACTIVE: image_pb2.PRIORITY_INTERACTIVE,
    Priority.BATCH: image_pb2.PRIORITY_BATCH,
}
_NOISE_MODES: Final = {
    NoiseMode.RAW: gateway_pb2.NOISE_MODE_RAW,
    NoiseMode.BLEND: gateway_pb2.NOISE_MODE_BLEND,
    NoiseMode.DCT: gateway_pb2.NOISE_MODE_DCT,
}
_BASES: Final = {
    LatentBasis.MEL: audio_pb2.LATENT_BASIS_MEL,
    LatentBasis.DCT: audio_pb2.LATENT_BASIS_DCT,
}
_PCM_ENCODINGS: Final = {
    PcmEncoding.INT16: audio_pb2.PCM_ENCODING_INT16,
    PcmEncoding.FLOAT32: audio_pb2.PCM_ENCODING_FLOAT32,
}
_COLORMAPS: Final = {
    Colormap.VIRIDIS: audio_pb2.COLORMAP_VIRIDIS,
    Colormap.GRAY: audio_pb2.COLORMAP_GRAY,
}


def check_option_names(function: str, options: Iterable[str]) -> None:
    """Check that options of an image have the names of `CreationOptions`.

    Raises:
        TypeError: One has not; as Python does for names that a function declares.
    """
    for name in options:
        if name not in CreationOptions.__optional_keys__:
            close = get_close_matches(name, CreationOptions.__optional_keys__, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"{function}() got an unexpected option {name!r}{hint}")


async def to_audio_file(audio: AudioInput, sample_rate_hz: int | None = None) -> FileSource:
    """Return audio as a file, an array of samples encoded without blocking the event loop.

    Raises:
        TypeError: An array has no sample rate, or a file has one.
        InvalidInputError: The array is not one of samples.
    """
    return await asyncio.to_thread(to_file, audio, sample_rate_hz)


async def to_audio_clip(audio: AudioInput, sample_rate_hz: int | None = None) -> media_pb2.AudioClip:
    """Return the message of a recording, read without blocking the event loop.

    Raises:
        TypeError: An array has no sample rate, or a file has one.
        InvalidInputError: The file is too large, or the array is not one of samples.
        OSError: The file cannot be read.
    """
    upload = await asyncio.to_thread(read_upload, await to_audio_file(audio, sample_rate_hz))
    return media_pb2.AudioClip(content=upload.content, display_name=upload.display_name)


async def to_image_reference(image: ImageSource) -> gateway_pb2.ImageReference:
    """Return the reference to an image.

    A `CreatedImage` or `StoredImage` travels as its bytes, so that it may have expired at the server.
    """
    if isinstance(image, str) and is_image_id(image):
        return gateway_pb2.ImageReference(image_id=image)
    content = (
        image.png
        if isinstance(image, CreatedImage | StoredImage)
        else (await asyncio.to_thread(read_upload, image)).content
    )
    return gateway_pb2.ImageReference(image=media_pb2.Image(content=content))


def to_create_image_request(
    audio: media_pb2.AudioClip,
    *,
    recipe: str = "",
    seed: int | None = None,
    steps: int | None = None,
    guidance_scale: float | None = None,
    scheduler: str = "",
    width_pixels: int | None = None,
    height_pixels: int | None = None,
    priority: Priority = Priority.INTERACTIVE,
    exact: bool = True,
    bypass_cache: bool = False,
    prompt: str = "",
    negative_prompt: str = "",
    strength: float | None = None,
    model: str = "",
    noise_mode: NoiseMode | None = None,
    noise_weight: float | None = None,
    upscale: int | None = None,
    refiner_start: float | None = None,
    preview_interval_steps: int = 0,
    preview_size_pixels: int | None = None,
) -> gateway_pb2.CreateImageRequest:
    """Return the request for an image.

    Raises:
        InvalidInputError: A number cannot travel at all; servers check the narrower ranges.
    """
    return gateway_pb2.CreateImageRequest(
        audio=audio,
        recipe=recipe,
        seed=_uint32("seed", seed),
        steps=_uint32("steps", steps),
        guidance_scale=guidance_scale,
        scheduler=scheduler,
        width_pixels=_uint32("width_pixels", width_pixels),
        height_pixels=_uint32("height_pixels", height_pixels),
        priority=_PRIORITIES[Priority(priority)],
        exact=exact,
        bypass_cache=bypass_cache,
        prompt=prompt,
        negative_prompt=negative_prompt,
        strength=strength,
        model=model,
        noise_mode=None if noise_mode is None else _NOISE_MODES[NoiseMode(noise_mode)],
        noise_weight=noise_weight,
        upscale=_uint32("upscale", upscale),
        refiner_start=refiner_start,
        previews=image_pb2.PreviewOptions(
            interval_steps=_uint32("preview_interval_steps", preview_interval_steps),
            size_pixels=_uint32("preview_size_pixels", preview_size_pixels),
        )
        if preview_interval_steps
        else None,
    )


def to_render_spectrogram_request(
    audio: media_pb2.AudioClip,
    *,
    width_pixels: int | None,
    height_pixels: int | None,
    colormap: Colormap,
) -> audio_pb2.RenderSpectrogramRequest:
    """Return the request for a spectrogram.

    Raises:
        InvalidInputError: A number cannot travel at all; servers check the narrower ranges.
    """
    return audio_pb2.RenderSpectrogramRequest(
        audio=audio,
        width_pixels=_uint32("width_pixels", width_pixels),
        height_pixels=_uint32("height_pixels", height_pixels),
        colormap=_COLORMAPS[colormap],
    )


def to_extract_features_request(
    audio: media_pb2.AudioClip,
    *,
    features: Iterable[Feature],
    initial_latents: InitialLatentsOptions | None,
) -> audio_pb2.ExtractFeaturesRequest:
    """Return the request for features.

    Raises:
        InvalidInputError: A number cannot travel at all; servers check the narrower ranges.
    """
    options = initial_latents
    return audio_pb2.ExtractFeaturesRequest(
        audio=audio,
        features=[_FEATURES[Feature(feature)] for feature in features],
        initial_latents=None
        if options is None
        else audio_pb2.InitialLatentsOptions(
            shape=[_uint32("initial_latents.shape", size) or 0 for size in options.shape],
            basis=_BASES[LatentBasis(options.basis)],
            calibration=options.calibration,
            is_unscaled=options.is_unscaled,
        ),
    )


def to_pcm_config(pcm: PcmFormat) -> audio_pb2.PcmConfig:
    """Return the description of a live sound.

    Raises:
        InvalidInputError: A number cannot travel at all; servers check the narrower ranges.
    """
    return audio_pb2.PcmConfig(
        sample_rate_hz=_uint32("sample_rate_hz", pcm.sample_rate_hz),
        channel_count=_uint32("channel_count", pcm.channel_count),
        encoding=_PCM_ENCODINGS[PcmEncoding(pcm.encoding)],
    )


def _uint32(field: str, value: int | None) -> int | None:
    if value is None or 0 <= value <= _UINT32_MAXIMUM:
        return value
    description = f"is {value}, must be from 0 to {_UINT32_MAXIMUM}."
    raise InvalidInputError(
        f"{field} {description}",
        reason="INVALID_FIELD",
        violations=[FieldViolation(field, description)],
    )
