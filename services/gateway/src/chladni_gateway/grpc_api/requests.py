"""Requests of `chladni.gateway.v1`, to the domain."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, Protocol

from google.protobuf.descriptor import EnumDescriptor

from chladni.gateway.v1 import creation_pb2, image_service_pb2
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import (
    FIELD_KEY,
    ChladniError,
    FieldViolation,
    InvalidFieldsError,
    InvalidInputError,
    Reason,
)
from chladni_gateway.backends.messages import to_image
from chladni_gateway.domain.audio import AudioClip, InitialLatents, PcmEncoding, PcmFormat
from chladni_gateway.domain.generation import GenerationSettings, PreviewRequest, Priority
from chladni_gateway.domain.images import ImageEncoding, ImageFormat
from chladni_gateway.domain.recipe_options import NoiseMode, RecipeOptions
from chladni_gateway.domain.request import MAX_LATENT_VALUES, CreationRequest, parse_request_id
from chladni_gateway.domain.storage.image_store import parse_image_id
from chladni_gateway.similarity.comparison import ImageSource
from chladni_runtime.server.validation import RequestValidator

_PRIORITIES: Final = {
    generation_pb2.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    generation_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    generation_pb2.PRIORITY_BATCH: Priority.BATCH,
}
_NOISE_MODES: Final = {
    generation_pb2.NOISE_MODE_UNSPECIFIED: None,
    generation_pb2.NOISE_MODE_MEL: NoiseMode.MEL,
    generation_pb2.NOISE_MODE_BLEND: NoiseMode.BLEND,
    generation_pb2.NOISE_MODE_DCT: NoiseMode.DCT,
}
_RECIPES: Final = {
    "audioldm": "audioldm",
    "spectrogram": "spectrogram",
    "latent_noise": "latent-noise",
    "music_prompts": "music-prompts",
    "clap_unclip": "clap-unclip",
}
"""Recipes by the names of their options in the oneof `recipe_options`."""
_FORMATS: Final = {
    media_pb2.IMAGE_FORMAT_UNSPECIFIED: ImageFormat.PNG,
    media_pb2.IMAGE_FORMAT_PNG: ImageFormat.PNG,
    media_pb2.IMAGE_FORMAT_JPEG: ImageFormat.JPEG,
    media_pb2.IMAGE_FORMAT_WEBP: ImageFormat.WEBP,
    media_pb2.IMAGE_FORMAT_SVG: ImageFormat.SVG,
    media_pb2.IMAGE_FORMAT_PDF: ImageFormat.PDF,
}
_OPTIONS: Final = frozenset(field.name for field in generation_pb2.GenerationOptions.DESCRIPTOR.fields)
_FLOAT_BYTES: Final = 4
_PCM_ENCODINGS: Final = {
    media_pb2.PCM_ENCODING_INT16: PcmEncoding.INT16,
    media_pb2.PCM_ENCODING_FLOAT32: PcmEncoding.FLOAT32,
}


class _Texts(Protocol):
    """Options of a recipe that takes texts."""

    @property
    def prompt(self) -> str: ...

    @property
    def negative_prompt(self) -> str: ...


def to_creation_request(
    message: creation_pb2.CreateImageRequest, *, caller: str, owner: str
) -> CreationRequest:
    """Return what a CreateImage request asks for.

    Args:
        message: The request.
        caller: Who asks, for the fair share.
        owner: Whose image it becomes.

    Raises:
        ChladniError: It gives options of another recipe than the one that it names, a value of an enum that
            this gateway does not know, or a `request_id` that is no UUID.
    """
    options = message.options
    return CreationRequest(
        clip=to_clip(message.audio),
        recipe=_to_recipe(message),
        settings=GenerationSettings(
            seed=options.seed if options.HasField("seed") else None,
            steps=options.steps if options.HasField("steps") else None,
            guidance_scale=options.guidance_scale if options.HasField("guidance_scale") else None,
            scheduler=options.scheduler,
            width_pixels=options.width_pixels if options.HasField("width_pixels") else None,
            height_pixels=options.height_pixels if options.HasField("height_pixels") else None,
            previews=_to_preview_request(options.previews) if options.HasField("previews") else None,
            priority=_to_priority(options.priority),
            reproducible=options.reproducible if options.HasField("reproducible") else True,
            bypass_cache=options.bypass_cache,
            encoding=_to_encoding(options.encoding),
        ),
        options=_to_recipe_options(message),
        caller=caller,
        owner=owner,
        request_id=parse_request_id(message.request_id),
    )


@contextmanager
def naming_fields(message: creation_pb2.CreateImageRequest) -> Iterator[None]:
    """Make every error that leaves the context name fields by their paths in the request.

    The domain calls them by the last part of the path, as the REST API does.
    """
    try:
        yield
    except ChladniError as error:
        violations = [
            FieldViolation(_path_of(item.field, message), item.description) for item in error.violations
        ]
        if violations == list(error.violations):
            raise
        if isinstance(error, InvalidFieldsError):
            named: ChladniError = InvalidFieldsError(error.reason, violations)
        else:
            named = ChladniError(error.reason, error.message, violations=violations)
        named.metadata.update(error.metadata | {FIELD_KEY: violations[0].field})
        raise named from error


def to_clip(message: media_pb2.AudioClip) -> AudioClip:
    """Return the clip of a message.

    Raises:
        InvalidInputError: It has samples whose encoding is not known.
    """
    start = message.start.ToNanoseconds() / 1e9 if message.HasField("start") else None
    end = message.end.ToNanoseconds() / 1e9 if message.HasField("end") else None
    if message.WhichOneof("source") != "pcm":
        return AudioClip(message.content, message.display_name, None, start, end)
    pcm = message.pcm
    if pcm.encoding not in _PCM_ENCODINGS:
        raise _unknown_value("audio.pcm.encoding", pcm.encoding, media_pb2.PcmEncoding.DESCRIPTOR)
    form = PcmFormat(pcm.sample_rate_hz, pcm.channel_count or 1, _PCM_ENCODINGS[pcm.encoding])
    return AudioClip(pcm.samples, message.display_name, form, start, end)


def to_image_source(reference: image_service_pb2.ImageReference, *, field: str) -> ImageSource:
    """Return the image that a reference means.

    Raises:
        InvalidInputError: It means none, or its identifier is no UUID.
    """
    match reference.WhichOneof("source"):
        case "image_id":
            return parse_image_id(reference.image_id, field=f"{field}.image_id")
        case "file":
            return to_image(reference.file)
        case _:
            raise InvalidInputError(
                Reason.MISSING_FIELD,
                f"{field} is missing; give the identifier of an image, or a file.",
                field=field,
            )


def _to_recipe(message: creation_pb2.CreateImageRequest) -> str:
    """Return the recipe of a request, which its options may name."""
    given = message.WhichOneof("recipe_options")
    if given is None:
        return message.recipe
    recipe = _RECIPES[given]
    if message.recipe not in {"", recipe}:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"{given} holds options of the recipe {recipe}, but recipe names {message.recipe!r}; "
            "give the options of that one, or none.",
            field=given,
        )
    return recipe


def _to_recipe_options(message: creation_pb2.CreateImageRequest) -> RecipeOptions:
    options = message.options
    common = RecipeOptions(
        model=options.model,
        upscale=options.upscale if options.HasField("upscale") else None,
        refiner_start=options.refiner_start if options.HasField("refiner_start") else None,
        look=options.look,
    )
    match message.WhichOneof("recipe_options"):
        case "audioldm":
            return _with_texts(common, message.audioldm, strength=_strength_of(message.audioldm))
        case "spectrogram":
            return _with_texts(common, message.spectrogram, strength=_strength_of(message.spectrogram))
        case "latent_noise":
            noise = message.latent_noise
            return _with_texts(
                common,
                noise,
                noise_mode=_to_noise_mode(noise.noise_mode),
                noise_weight=noise.noise_weight if noise.HasField("noise_weight") else None,
                calibration=noise.calibration,
                initial_latents=_to_initial_latents(noise),
            )
        case "music_prompts":
            return _with_texts(common, message.music_prompts)
        case "clap_unclip":
            return _with_texts(common, message.clap_unclip)
        case _:
            return common


def _to_initial_latents(options: creation_pb2.LatentNoiseOptions) -> InitialLatents | None:
    if not options.HasField("initial_latents"):
        return None
    tensor = options.initial_latents
    field = "latent_noise.initial_latents"
    shape, data = tuple(tensor.shape), tensor.data
    count = math.prod(shape)
    validator = RequestValidator()
    validator.check(
        f"{field}.dtype",
        valid=tensor.dtype == tensor_pb2.DATA_TYPE_FLOAT32,
        description="must be DATA_TYPE_FLOAT32.",
    )
    validator.check(
        f"{field}.data",
        valid=min(shape, default=0) >= 0 and len(data) == _FLOAT_BYTES * count,
        description=f"holds {len(data)} bytes; the shape needs {_FLOAT_BYTES * count}.",
        metadata={"value": len(data), "allowed": str(_FLOAT_BYTES * count)},
    )
    validator.raise_if_invalid()
    validator.check(
        f"{field}.data",
        valid=count > MAX_LATENT_VALUES or all(map(math.isfinite, struct.unpack(f"<{count}f", data))),
        description="holds NaN or infinite values; send finite ones.",
    )
    validator.raise_if_invalid()
    return InitialLatents(shape, data)


def _with_texts(common: RecipeOptions, texts: _Texts, **further: Any) -> RecipeOptions:
    return replace(
        common, prompt=texts.prompt.strip(), negative_prompt=texts.negative_prompt.strip(), **further
    )


def _strength_of(options: creation_pb2.AudioLdmOptions | creation_pb2.SpectrogramOptions) -> float | None:
    return options.strength if options.HasField("strength") else None


def _path_of(field: str, message: creation_pb2.CreateImageRequest) -> str:
    """Return the path in a request of a field that the domain calls by its last part."""
    first = field.partition(".")[0]
    given = message.WhichOneof("recipe_options")
    if given is not None and first in {field.name for field in getattr(message, given).DESCRIPTOR.fields}:
        return f"{given}.{field}"
    return f"options.{field}" if first in _OPTIONS else field


def _to_encoding(message: media_pb2.ImageEncoding) -> ImageEncoding:
    form = _FORMATS.get(message.format)
    if form is None:
        raise _unknown_value("options.encoding.format", message.format, media_pb2.ImageFormat.DESCRIPTOR)
    return ImageEncoding(format=form, quality=message.quality if message.HasField("quality") else None)


def _to_preview_request(message: generation_pb2.PreviewOptions) -> PreviewRequest:
    size_pixels = message.size_pixels if message.HasField("size_pixels") else None
    return PreviewRequest(message.interval_steps, size_pixels)


def _to_priority(number: generation_pb2.Priority) -> Priority:
    priority = _PRIORITIES.get(number)
    if priority is None:
        raise _unknown_value("options.priority", number, generation_pb2.Priority.DESCRIPTOR)
    return priority


def _to_noise_mode(number: generation_pb2.NoiseMode) -> NoiseMode | None:
    if number not in _NOISE_MODES:
        raise _unknown_value("latent_noise.noise_mode", number, generation_pb2.NoiseMode.DESCRIPTOR)
    return _NOISE_MODES[number]


def _unknown_value(field: str, number: int, enum: EnumDescriptor) -> InvalidInputError:
    names = ", ".join(value.name for value in enum.values)
    return InvalidInputError(
        Reason.INVALID_FIELD,
        f"{field} is {number}, must be one of {names}.",
        field=field,
        metadata={"value": str(number), "allowed": names},
    )
