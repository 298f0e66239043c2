"""Between the contract's `GenerationOptions` and what a generation is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chladni.generation.v1 import generation_pb2
from chladni_image_generation.engine.scheduler import Priority, SchedulingParameters
from chladni_image_generation.generation import MAX_SEED, PreviewOptions
from chladni_image_generation.models.interface import ImageSizes, ModelDescription
from chladni_runtime.server.validation import RequestValidator

_MAX_GUIDANCE_SCALE: Final = 30
_MAX_PREVIEW_INTERVAL_STEPS: Final = 1000
_PRIORITIES: Final = {
    generation_pb2.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    generation_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    generation_pb2.PRIORITY_BATCH: Priority.BATCH,
}


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
    _check_side(validator, "options.width_pixels", options.width_pixels, model.sizes)
    _check_side(validator, "options.height_pixels", options.height_pixels, model.sizes)
    _check_upscale(validator, options, model)
    if message.HasField("refiner_start"):
        _check_refiner_start(validator, message.refiner_start, model)
    validator.check(
        "options.priority",
        valid=message.priority in _PRIORITIES,
        description="is no known priority; omit it.",
    )
    _check_previews(validator, message.previews)


def to_preview_options(message: generation_pb2.GenerationOptions) -> PreviewOptions:
    """Return which previews checked options ask for."""
    previews = message.previews
    if not previews.HasField("size_pixels"):
        return PreviewOptions(previews.interval_steps)
    return PreviewOptions(previews.interval_steps, previews.size_pixels)


def to_scheduling_parameters(message: generation_pb2.GenerationOptions, caller: str) -> SchedulingParameters:
    """Return what a request's place in the schedule depends on besides its length."""
    return SchedulingParameters(caller, _PRIORITIES[message.priority])


def _check_side(validator: RequestValidator, field: str, pixels: int, sizes: ImageSizes) -> None:
    if sizes.minimum_pixels == sizes.maximum_pixels:
        wanted = f"{sizes.minimum_pixels} pixels, the only size of this model; or leave it out"
    else:
        limits = f"from {sizes.minimum_pixels} to {sizes.maximum_pixels}"
        wanted = f"a multiple of {sizes.multiple_pixels} pixels {limits}"
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
        f"{model.sizes.maximum_pixels}. Ask for a smaller width and height.",
        metadata={"value": max(enlarged), "maximum": model.sizes.maximum_pixels},
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
