"""Between the contract's `GenerationOptions` and what a generation is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from google.protobuf import json_format

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.images.file_metadata import MAX_JPEG_TEXT_BYTES
from chladni_image_generation.engine.scheduler import Priority, SchedulingParameters
from chladni_image_generation.generation import MAX_SEED, ImageEncoding, ImageFormat, PreviewOptions
from chladni_image_generation.models.interface import ImageSizes, ModelDescription
from chladni_image_generation.models.look_shares import AUTO, parse_looks
from chladni_runtime.server.validation import RequestValidator

_MAX_GUIDANCE_SCALE: Final = 30
_SHOWN_CHARACTERS: Final = 100
_MAX_PREVIEW_INTERVAL_STEPS: Final = 1000
_PRIORITIES: Final = {
    generation_pb2.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    generation_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    generation_pb2.PRIORITY_BATCH: Priority.BATCH,
}

_FORMATS: Final = {
    media_pb2.IMAGE_FORMAT_UNSPECIFIED: ImageFormat.PNG,
    media_pb2.IMAGE_FORMAT_PNG: ImageFormat.PNG,
    media_pb2.IMAGE_FORMAT_JPEG: ImageFormat.JPEG,
    media_pb2.IMAGE_FORMAT_WEBP: ImageFormat.WEBP,
    media_pb2.IMAGE_FORMAT_SVG: ImageFormat.SVG,
    media_pb2.IMAGE_FORMAT_PDF: ImageFormat.PDF,
}
_FORMAT_NUMBERS: Final = {image_format: number for number, image_format in _FORMATS.items()}
_OWN_METADATA_BYTES: Final = 4096
"""More than provenance takes up that does not come from the request: the model, versions of libraries."""


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """What decides an image beside its conditioning, with the model's defaults for what was left open.

    Attributes:
        seed: Seed of the noise; `None` if one is to be drawn.
        steps: Denoising steps.
        guidance_scale: Guidance scale.
        scheduler: Diffusers class name.
        width_pixels: Width of the image, before it is enlarged.
        height_pixels: Height of the image, before it is enlarged.
        upscale: Factor by which it is enlarged.
        refiner_start: Part of the steps after which the refiner takes over; `None` if there is none.
        look: Looks by name, with shares if there are several; empty for the model's first one.
        reproducible: Whether the pixels must not depend on who shares the model.
    """

    seed: int | None
    steps: int
    guidance_scale: float
    scheduler: str
    width_pixels: int
    height_pixels: int
    upscale: int
    refiner_start: float | None
    look: str
    reproducible: bool


def to_image_options(message: generation_pb2.GenerationOptions, model: ModelDescription) -> ImageOptions:
    """Return what a message, which need not be checked, asks of a model."""
    native_width, native_height = model.image_size_pixels
    return ImageOptions(
        seed=message.seed if message.HasField("seed") else None,
        steps=message.steps if message.HasField("steps") else model.default_steps,
        guidance_scale=(
            message.guidance_scale if message.HasField("guidance_scale") else model.default_guidance_scale
        ),
        scheduler=message.scheduler or model.scheduler_names[0],
        width_pixels=message.width_pixels if message.HasField("width_pixels") else native_width,
        height_pixels=message.height_pixels if message.HasField("height_pixels") else native_height,
        upscale=message.upscale if message.HasField("upscale") else 1,
        refiner_start=(
            message.refiner_start if message.HasField("refiner_start") else model.default_refiner_start
        ),
        look=message.look.strip(),
        reproducible=message.reproducible if message.HasField("reproducible") else True,
    )


def check_options(
    validator: RequestValidator,
    message: generation_pb2.GenerationOptions,
    model: ModelDescription,
    *,
    max_steps: int,
) -> None:
    """Report to the validator which options the model does not take or are out of range."""
    options = to_image_options(message, model)
    if options.seed is not None:
        validator.check_range("options.seed", options.seed, minimum=0, maximum=MAX_SEED)
    validator.check_range("options.steps", options.steps, minimum=1, maximum=max_steps)
    validator.check_range(
        "options.guidance_scale", options.guidance_scale, minimum=1, maximum=_MAX_GUIDANCE_SCALE
    )
    validator.check(
        "options.scheduler",
        valid=options.scheduler in model.scheduler_names,
        description=f"must be one of {', '.join(model.scheduler_names)}.",
        metadata={"value": options.scheduler, "allowed": ", ".join(model.scheduler_names)},
    )
    check_side(validator, "options.width_pixels", options.width_pixels, model.sizes)
    check_side(validator, "options.height_pixels", options.height_pixels, model.sizes)
    _check_upscale(validator, options, model)
    if message.HasField("refiner_start"):
        _check_refiner_start(validator, message.refiner_start, model)
    if options.look:
        check_look(validator, options.look, model)
    validator.check(
        "options.priority",
        valid=message.priority in _PRIORITIES,
        description="is no known priority; omit it.",
    )
    _check_previews(validator, message.previews)
    check_encoding(validator, message.encoding, allows_vectors=True)
    _check_vector_format(validator, message.encoding, options.look, model)


def check_jpeg_metadata(validator: RequestValidator, message: image_pb2.GenerateImageRequest) -> None:
    """Report to the validator if a JPEG is wanted that cannot hold the provenance of the image."""
    if message.options.encoding.format != media_pb2.IMAGE_FORMAT_JPEG:
        return
    texts = [message.conditioning.prompt, message.conditioning.negative_prompt]
    given = json.dumps([texts, json_format.MessageToDict(message.origin, preserving_proto_field_name=True)])
    maximum = MAX_JPEG_TEXT_BYTES - _OWN_METADATA_BYTES
    validator.check(
        "options.encoding.format",
        valid=len(given) <= maximum,
        description=f"is JPEG, whose metadata hold at most {maximum} bytes of prompts and origin; here they "
        f"have {len(given)}. Ask for PNG or WebP.",
        metadata={"value": len(given), "maximum": maximum},
    )


def to_preview_options(message: generation_pb2.GenerationOptions) -> PreviewOptions:
    """Return which previews checked options ask for."""
    previews = message.previews
    if not previews.HasField("size_pixels"):
        return PreviewOptions(previews.interval_steps)
    return PreviewOptions(previews.interval_steps, previews.size_pixels)


def to_image_encoding(message: media_pb2.ImageEncoding) -> ImageEncoding:
    """Return which encoding a checked message asks for."""
    image_format = _FORMATS[message.format]
    if not message.HasField("quality"):
        return ImageEncoding(image_format)
    return ImageEncoding(image_format, message.quality)


def to_format_number(image_format: ImageFormat) -> media_pb2.ImageFormat:
    """Return the contract's number of a format."""
    return _FORMAT_NUMBERS[image_format]


def to_scheduling_parameters(message: generation_pb2.GenerationOptions, caller: str) -> SchedulingParameters:
    """Return what a request's place in the schedule depends on besides its length."""
    return SchedulingParameters(caller, _PRIORITIES[message.priority])


def check_side(validator: RequestValidator, field: str, pixels: int, sizes: ImageSizes) -> None:
    """Report to the validator if an image cannot have a side of this length."""
    if sizes.minimum_pixels == sizes.maximum_pixels:
        wanted = f"{sizes.minimum_pixels} pixels, the only size of this model; or leave it out"
    else:
        limits = f"from {sizes.minimum_pixels} to {sizes.maximum_pixels}"
        wanted = f"a multiple of {sizes.multiple_pixels} pixels {limits}{_limit(sizes)}"
    validator.check(
        field,
        valid=pixels in sizes,
        description=f"is {pixels}, must be {wanted}.",
        metadata={
            "value": pixels,
            "minimum": sizes.minimum_pixels,
            "maximum": sizes.maximum_pixels,
            "multiple": sizes.multiple_pixels,
        },
    )


def _limit(sizes: ImageSizes) -> str:
    """Return what keeps sides shorter than the model could make them, as the end of a clause."""
    return f" because of {sizes.limited_by} on this server" if sizes.limited_by else ""


def _check_previews(validator: RequestValidator, previews: generation_pb2.PreviewOptions) -> None:
    validator.check_range(
        "options.previews.interval_steps",
        previews.interval_steps,
        minimum=0,
        maximum=_MAX_PREVIEW_INTERVAL_STEPS,
        unit="steps",
    )
    if previews.HasField("size_pixels"):
        validator.check_range(
            "options.previews.size_pixels", previews.size_pixels, minimum=16, maximum=512, unit="pixels"
        )


def check_encoding(
    validator: RequestValidator,
    encoding: media_pb2.ImageEncoding,
    *,
    field: str = "options.encoding",
    allows_vectors: bool = False,
) -> None:
    """Report to the validator what is wrong with the encoding that a field asks for."""
    image_format = _FORMATS.get(encoding.format)
    is_known = image_format is not None and (allows_vectors or not image_format.is_vector)
    names = "PNG, JPEG, WEBP, SVG or PDF" if allows_vectors else "PNG, JPEG or WEBP"
    validator.check(f"{field}.format", valid=is_known, description=f"must be {names}, or absent.")
    if not encoding.HasField("quality"):
        return
    validator.check(
        f"{field}.quality",
        valid=image_format is None or image_format.has_quality,
        description=f"is not allowed with {image_format}, which loses nothing; leave it out, or ask for JPEG "
        "or WebP.",
    )
    validator.check_range(f"{field}.quality", encoding.quality, minimum=1, maximum=100)


def _check_vector_format(
    validator: RequestValidator, encoding: media_pb2.ImageEncoding, look: str, model: ModelDescription
) -> None:
    """Report to the validator if shapes are wanted of a look that is not made of them."""
    image_format = _FORMATS.get(encoding.format)
    if image_format is None or not image_format.is_vector:
        return
    offered = " or ".join(sorted(model.vector_looks))
    try:
        shares = parse_looks(look, model.looks) if model.looks else None
    except ValueError:
        return  # `_check_look` has reported it
    validator.check(
        "options.encoding.format",
        valid=shares is not None and len(shares) == 1 and model.vector_looks.issuperset(shares),
        description=(
            f"is {image_format}, which only images of the look {offered} alone have; ask for that look, or "
            "for PNG, JPEG or WebP."
            if offered
            else f"is {image_format}, which images of model {model.id!r} are never; ask for PNG, JPEG or "
            "WebP."
        ),
        metadata={"value": str(image_format), "allowed": offered},
    )


def _check_upscale(validator: RequestValidator, options: ImageOptions, model: ModelDescription) -> None:
    offered = " or ".join(map(str, model.upscales))
    validator.check(
        "options.upscale",
        valid=options.upscale in model.upscales,
        description=f"is {options.upscale}, must be {offered} for model {model.id!r}.",
        metadata={"value": options.upscale, "allowed": ", ".join(map(str, model.upscales))},
    )
    enlarged = [side * options.upscale for side in (options.width_pixels, options.height_pixels)]
    validator.check(
        "options.upscale",
        valid=options.upscale == 1 or model.has_upscaler or all(side in model.sizes for side in enlarged),
        description=f"would make {enlarged[0]} x {enlarged[1]} pixels of the image; sides have at most "
        f"{model.sizes.maximum_pixels}{_limit(model.sizes)}. Ask for a smaller width and height.",
        metadata={"value": max(enlarged), "maximum": model.sizes.maximum_pixels},
    )


def check_look(
    validator: RequestValidator, look: str, model: ModelDescription, *, field: str = "options.look"
) -> None:
    """Report to the validator what is wrong with the looks that a field names."""
    if not model.looks:
        validator.check(
            field,
            valid=False,
            description=f"is not taken by model {model.id!r}, which has none; leave it out.",
        )
        return
    try:
        parse_looks(look, model.looks)
    except ValueError as error:
        validator.check(
            field,
            valid=False,
            description=f"{error}.",
            metadata={"value": look[:_SHOWN_CHARACTERS], "allowed": ", ".join((AUTO, *model.looks))},
        )


def _check_refiner_start(validator: RequestValidator, start: float, model: ModelDescription) -> None:
    validator.check(
        "options.refiner_start",
        valid=model.default_refiner_start is not None,
        description=f"is not taken by model {model.id!r}, which has no refiner; leave it out.",
    )
    validator.check(
        "options.refiner_start",
        valid=0 < start <= 1,
        description="must be more than 0 and at most 1.",
        metadata={"value": start, "minimum": 0, "maximum": 1},
    )
