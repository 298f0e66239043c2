"""From arguments to messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeAlias
from uuid import uuid4

import numpy as np
from google.protobuf import duration_pb2
from google.protobuf.message import Message

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import creation_pb2, live_service_pb2
from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.generation.v1 import generation_pb2, moving_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_client._messages.samples import to_file
from chladni_client.errors import InvalidInputError
from chladni_client.files import FileSource, LargeFile, is_image_id, large_file_of, read_upload
from chladni_client.types.audio import AudioInput, Colormap, Feature, MelOptions, SupportsArray
from chladni_client.types.images import CreatedImage, ImageFormat, Priority, StoredImage
from chladni_client.types.initial_latents import InitialLatentsOptions, LatentBasis
from chladni_client.types.live import PcmEncoding, PcmFormat
from chladni_client.types.options import CreationOptions, NoiseMode
from chladni_contract.errors import FieldViolation
from chladni_contract.tensors import to_tensor

ImageSource: TypeAlias = CreatedImage | StoredImage | FileSource
"""An image of the server, its identifier, or an image file."""

_INT32_MAXIMUM: Final = 2**31 - 1
_SEED_MAXIMUM: Final = 2**32 - 1
_MAX_SECONDS: Final = 24 * 3600.0

_FEATURES: Final = {
    Feature.LOG_MEL: audio_pb2.FEATURE_LOG_MEL,
    Feature.DESCRIPTORS: audio_pb2.FEATURE_DESCRIPTORS,
    Feature.EMBEDDING: audio_pb2.FEATURE_EMBEDDING,
    Feature.INITIAL_LATENTS: audio_pb2.FEATURE_INITIAL_LATENTS,
}
_PRIORITIES: Final = {
    Priority.INTERACTIVE: generation_pb2.PRIORITY_INTERACTIVE,
    Priority.BATCH: generation_pb2.PRIORITY_BATCH,
}
_NOISE_MODES: Final = {
    NoiseMode.MEL: generation_pb2.NOISE_MODE_MEL,
    NoiseMode.BLEND: generation_pb2.NOISE_MODE_BLEND,
    NoiseMode.DCT: generation_pb2.NOISE_MODE_DCT,
}
_RECIPES: Final = {
    field.name: field.name.replace("_", "-")
    for field in creation_pb2.CreateImageRequest.DESCRIPTOR.oneofs_by_name["recipe_options"].fields
}
"""Recipes with options of their own, by the names of these options in a request."""
_BASES: Final = {
    LatentBasis.MEL: generation_pb2.NOISE_MODE_MEL,
    LatentBasis.DCT: generation_pb2.NOISE_MODE_DCT,
}
_PCM_ENCODINGS: Final = {
    PcmEncoding.INT16: media_pb2.PCM_ENCODING_INT16,
    PcmEncoding.FLOAT32: media_pb2.PCM_ENCODING_FLOAT32,
}
_IMAGE_FORMATS: Final = {
    ImageFormat.PNG: media_pb2.IMAGE_FORMAT_PNG,
    ImageFormat.JPEG: media_pb2.IMAGE_FORMAT_JPEG,
    ImageFormat.WEBP: media_pb2.IMAGE_FORMAT_WEBP,
    ImageFormat.SVG: media_pb2.IMAGE_FORMAT_SVG,
    ImageFormat.PDF: media_pb2.IMAGE_FORMAT_PDF,
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


async def to_optional_clip(
    audio: AudioInput | None, sample_rate_hz: int | None = None
) -> media_pb2.AudioClip | None:
    """Return the message of a recording, as `to_audio_clip` does; `None` if there is none."""
    return None if audio is None else await to_audio_clip(audio, sample_rate_hz)


async def to_clip_and_file(
    audio: AudioInput | None, sample_rate_hz: int | None, options: Mapping[str, object]
) -> tuple[media_pb2.AudioClip | None, LargeFile | None]:
    """Return the message of a recording, and the file that is to follow it in pieces, if it is a large one.

    Args:
        audio: The recording.
        sample_rate_hz: Sample rate of an array of samples.
        options: Options of the image: a file follows only if they choose a part of it.

    Raises:
        TypeError: An array has no sample rate, or a file has one.
        InvalidInputError: The file is too large, or the array is not one of samples.
        OSError: The file cannot be read.
    """
    chooses_part = any(options.get(name) is not None for name in ("start_seconds", "end_seconds"))
    large = await asyncio.to_thread(large_file_of, audio) if chooses_part and sample_rate_hz is None else None
    if large is None:
        return await to_optional_clip(audio, sample_rate_hz), None
    return media_pb2.AudioClip(display_name=large.display_name), large


async def to_image_reference(image: ImageSource) -> gateway_pb2.ImageReference:
    """Return the reference to an image.

    A `CreatedImage` or `StoredImage` travels as its bytes, so that it may have expired at the server.
    """
    if isinstance(image, str) and is_image_id(image):
        return gateway_pb2.ImageReference(image_id=image)
    content = (
        image.content
        if isinstance(image, CreatedImage | StoredImage)
        else (await asyncio.to_thread(read_upload, image)).content
    )
    return gateway_pb2.ImageReference(file=media_pb2.EncodedImage(content=content))


def to_create_image_request(
    audio: media_pb2.AudioClip | None,
    *,
    recipe: str = "",
    seed: int | None = None,
    steps: int | None = None,
    guidance_scale: float | None = None,
    scheduler: str = "",
    width_pixels: int | None = None,
    height_pixels: int | None = None,
    priority: Priority = Priority.INTERACTIVE,
    reproducible: bool = True,
    bypass_cache: bool = False,
    prompt: str = "",
    negative_prompt: str = "",
    strength: float | None = None,
    model: str = "",
    noise_mode: NoiseMode | None = None,
    noise_weight: float | None = None,
    calibration: str = "",
    upscale: int | None = None,
    refiner_start: float | None = None,
    look: str = "",
    initial_latents: SupportsArray | None = None,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    image_format: ImageFormat | str = "",
    quality: int | None = None,
    preview_interval_steps: int = 0,
    preview_size_pixels: int | None = None,
    request_id: str | None = None,
) -> creation_pb2.CreateImageRequest:
    """Return the request for an image.

    It has an identifier, drawn here if none is given, so that sending it again makes no second image.

    Raises:
        InvalidInputError: A number cannot travel at all; servers check the narrower ranges.
    """
    if audio is not None:
        for field, seconds in (("start", start_seconds), ("end", end_seconds)):
            if seconds is not None:
                getattr(audio, field).CopyFrom(_to_duration(f"{field}_seconds", seconds))
    request = creation_pb2.CreateImageRequest(
        audio=audio,
        recipe=recipe,
        request_id=request_id or str(uuid4()),
        options=generation_pb2.GenerationOptions(
            model=model,
            seed=_seed(seed),
            steps=_int32("steps", steps),
            guidance_scale=guidance_scale,
            scheduler=scheduler,
            width_pixels=_int32("width_pixels", width_pixels),
            height_pixels=_int32("height_pixels", height_pixels),
            upscale=_int32("upscale", upscale),
            refiner_start=refiner_start,
            look=look,
            priority=_PRIORITIES[Priority(priority)],
            reproducible=reproducible,
            bypass_cache=bypass_cache,
            previews=generation_pb2.PreviewOptions(
                interval_steps=_int32("preview_interval_steps", preview_interval_steps),
                size_pixels=_int32("preview_size_pixels", preview_size_pixels),
            )
            if preview_interval_steps
            else None,
            encoding=_to_encoding(image_format, quality),
        ),
    )
    given = {
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "strength": strength,
        "noise_mode": None if noise_mode is None else _NOISE_MODES[NoiseMode(noise_mode)],
        "noise_weight": noise_weight,
        "calibration": calibration,
        "initial_latents": None if initial_latents is None else _to_latents(initial_latents),
    }
    _set_recipe_options(
        request, {name: value for name, value in given.items() if value is not None and value != ""}
    )
    return request


def _set_recipe_options(request: creation_pb2.CreateImageRequest, given: Mapping[str, Any]) -> None:
    """Put the options of a recipe where they belong in a request.

    Raises:
        InvalidInputError: The request names no recipe, or one that takes no such option.
    """
    if not given:
        return
    field = request.recipe.replace("-", "_")
    if field not in _RECIPES:
        raise _invalid(
            {name: f"belongs to a recipe; name one of {', '.join(_RECIPES.values())}." for name in given}
        )
    options = getattr(request, field)
    unknown = [name for name in given if name not in options.DESCRIPTOR.fields_by_name]
    if unknown:
        names = ", ".join(options.DESCRIPTOR.fields_by_name)
        raise _invalid(
            dict.fromkeys(unknown, f"the recipe {request.recipe} does not take it; it takes {names}.")
        )
    options.SetInParent()
    for name, value in given.items():
        if isinstance(value, Message):
            getattr(options, name).CopyFrom(value)
        else:
            setattr(options, name, value)


def _to_latents(latents: SupportsArray) -> tensor_pb2.Tensor:
    """Return the message of initial latents.

    Raises:
        InvalidInputError: They are not numbers.
    """
    array = np.asarray(latents)
    if array.dtype.kind not in "fiu":
        raise _invalid({"initial_latents": f"must be an array of numbers, not of {array.dtype}."})
    return to_tensor(array.astype(np.float32))


def _to_encoding(image_format: ImageFormat | str, quality: int | None) -> media_pb2.ImageEncoding | None:
    """Return the message of an encoding; `None` if nothing was chosen, which means PNG.

    Raises:
        InvalidInputError: There is no such format.
    """
    if not image_format and quality is None:
        return None
    if image_format and image_format not in _IMAGE_FORMATS:
        raise _invalid(
            {"image_format": f"is {str(image_format)!r}, must be one of {', '.join(_IMAGE_FORMATS)}."}
        )
    number = _IMAGE_FORMATS[ImageFormat(image_format)] if image_format else media_pb2.IMAGE_FORMAT_UNSPECIFIED
    return media_pb2.ImageEncoding(format=number, quality=_int32("quality", quality))


def _to_mel_options(mel: MelOptions | None) -> audio_pb2.MelOptions | None:
    """Return the message of mel parameters; `None` if none were given.

    Raises:
        InvalidInputError: A number cannot travel at all; servers check the narrower ranges.
    """
    if mel is None:
        return None
    whole = {
        name: _int32(f"mel.{name}", getattr(mel, name))
        for name in ("sample_rate_hz", "fft_size", "hop_length", "mel_bin_count", "frame_count")
    }
    return audio_pb2.MelOptions(
        **whole, min_frequency_hz=mel.min_frequency_hz, max_frequency_hz=mel.max_frequency_hz
    )


def to_render_spectrogram_request(
    audio: media_pb2.AudioClip,
    *,
    width_pixels: int | None,
    height_pixels: int | None,
    colormap: Colormap,
    mel: MelOptions | None = None,
    image_format: ImageFormat | str = "",
    quality: int | None = None,
) -> audio_pb2.RenderSpectrogramRequest:
    """Return the request for a spectrogram.

    Raises:
        InvalidInputError: A number cannot travel at all; servers check the narrower ranges.
    """
    return audio_pb2.RenderSpectrogramRequest(
        audio=audio,
        width_pixels=_int32("width_pixels", width_pixels),
        height_pixels=_int32("height_pixels", height_pixels),
        colormap=_COLORMAPS[colormap],
        mel=_to_mel_options(mel),
        encoding=_to_encoding(image_format, quality),
    )


def to_extract_features_request(
    audio: media_pb2.AudioClip,
    *,
    features: Iterable[Feature],
    initial_latents: InitialLatentsOptions | None,
    mel: MelOptions | None = None,
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
            shape=[_int32("initial_latents.shape", size) or 0 for size in options.shape],
            mode=_BASES[LatentBasis(options.basis)],
            calibration=options.calibration,
            unscaled=options.is_unscaled,
        ),
        mel=_to_mel_options(mel),
    )


def to_pcm_config(pcm: PcmFormat) -> audio_pb2.PcmConfig:
    """Return the description of a live sound.

    Raises:
        InvalidInputError: A number cannot travel at all; servers check the narrower ranges.
    """
    return audio_pb2.PcmConfig(
        sample_rate_hz=_int32("sample_rate_hz", pcm.sample_rate_hz),
        channel_count=_int32("channel_count", pcm.channel_count),
        encoding=_PCM_ENCODINGS[PcmEncoding(pcm.encoding)],
    )


def to_live_images_config(
    pcm: PcmFormat,
    *,
    width_pixels: int | None,
    height_pixels: int | None,
    look: str,
    seed: int | None,
    max_frame_rate: float | None,
) -> live_service_pb2.LiveImagesConfig:
    """Return the first message of a stream of images; raises as `to_pcm_config` does."""
    return live_service_pb2.LiveImagesConfig(
        pcm=to_pcm_config(pcm),
        frames=moving_pb2.FrameOptions(
            width_pixels=_int32("width_pixels", width_pixels),
            height_pixels=_int32("height_pixels", height_pixels),
            look=look,
            seed=_seed(seed),
            max_frame_rate=max_frame_rate,
        ),
    )


def to_count(field: str, value: int | None) -> int | None:
    """Return a number of things that can travel.

    Raises:
        InvalidInputError: It cannot; servers check the narrower ranges.
    """
    return _int32(field, value)


def to_event_number(field: str, value: int) -> int:
    """Return the number of an event that can travel.

    Raises:
        InvalidInputError: It cannot.
    """
    return _checked(field, value, _INT32_MAXIMUM) or 0


def _int32(field: str, value: int | None) -> int | None:
    return _checked(field, value, _INT32_MAXIMUM)


def _to_duration(name: str, seconds: float) -> duration_pb2.Duration:
    if not 0 <= seconds <= _MAX_SECONDS:
        raise _invalid({name: f"is {seconds:g}, must be from 0 to {_MAX_SECONDS:g}."})
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def _seed(value: int | None) -> int | None:
    return _checked("seed", value, _SEED_MAXIMUM)


def _checked(field: str, value: int | None, maximum: int) -> int | None:
    if value is None or 0 <= value <= maximum:
        return value
    raise _invalid({field: f"is {value}, must be from 0 to {maximum}."})


def _invalid(descriptions: Mapping[str, str]) -> InvalidInputError:
    return InvalidInputError(
        " ".join(f"{field} {description}" for field, description in descriptions.items()),
        reason="INVALID_FIELD",
        violations=[FieldViolation(field, description) for field, description in descriptions.items()],
    )
