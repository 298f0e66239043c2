"""Messages of `chladni.gateway.v1` to and from the domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.backends.messages import to_image, to_image_message
from chladni_gateway.domain.audio import AudioClip
from chladni_gateway.domain.generation import GenerationSettings, PreviewRequest, Priority
from chladni_gateway.domain.image_store import StoredImage, parse_image_id
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.recipe_options import NoiseMode, RecipeOptions
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.grpc_api.event_messages import to_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chladni_gateway.domain.ports import ImageSimilarity
    from chladni_gateway.models.availability import Requirement
    from chladni_gateway.recipes.base import RecipeDescription
    from chladni_gateway.similarity.comparison import ImageSource

_PRIORITIES: Final = {
    image_pb2.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    image_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    image_pb2.PRIORITY_BATCH: Priority.BATCH,
}
_NOISE_MODES: Final = {
    gateway_pb2.NOISE_MODE_UNSPECIFIED: None,
    gateway_pb2.NOISE_MODE_RAW: NoiseMode.RAW,
    gateway_pb2.NOISE_MODE_BLEND: NoiseMode.BLEND,
    gateway_pb2.NOISE_MODE_DCT: NoiseMode.DCT,
}


def to_creation_request(message: gateway_pb2.CreateImageRequest, *, caller: str) -> CreationRequest:
    """Returns what a CreateImage request asks for.

    Args:
        message: The request.
        caller: Who asks.

    Raises:
        InvalidInputError: It names a priority or a noise mode that this gateway does not know.
    """
    return CreationRequest(
        clip=AudioClip(message.audio.content, message.audio.display_name),
        recipe=message.recipe,
        settings=GenerationSettings(
            seed=message.seed if message.HasField("seed") else None,
            steps=message.steps if message.HasField("steps") else None,
            guidance_scale=message.guidance_scale if message.HasField("guidance_scale") else None,
            scheduler=message.scheduler,
            width_pixels=message.width_pixels if message.HasField("width_pixels") else None,
            height_pixels=message.height_pixels if message.HasField("height_pixels") else None,
            previews=_to_preview_request(message.previews) if message.HasField("previews") else None,
            priority=_to_priority(message.priority),
            exact=message.exact if message.HasField("exact") else True,
            bypass_cache=message.bypass_cache,
        ),
        options=_to_options(message),
        caller=caller,
    )


def to_image_source(reference: gateway_pb2.ImageReference, *, field: str) -> ImageSource:
    """Returns the image that a reference means.

    Raises:
        InvalidInputError: It means none, or its identifier is no UUID.
    """
    match reference.WhichOneof("source"):
        case "image_id":
            return parse_image_id(reference.image_id, field=f"{field}.image_id")
        case "image":
            return to_image(reference.image)
        case _:
            raise InvalidInputError(
                Reason.MISSING_FIELD,
                f"{field} is missing; give the identifier of an image, or an image.",
                field=field,
            )


def to_comparison_message(similarity: ImageSimilarity) -> gateway_pb2.CompareImagesResponse:
    """Returns the message of a comparison."""
    return gateway_pb2.CompareImagesResponse(
        score=similarity.score, cosine=similarity.cosine, model=similarity.model
    )


def to_stored_image_message(stored: StoredImage) -> gateway_pb2.GetImageResponse:
    """Returns the message of a stored image."""
    record = stored.record
    image = Image(stored.content, "image/png", record.width_pixels, record.height_pixels)
    return gateway_pb2.GetImageResponse(
        image=to_image_message(image),
        create_time=to_timestamp(record.created_at),
        expire_time=to_timestamp(record.expires_at),
    )


def to_recipe_message(recipe: RecipeDescription) -> gateway_pb2.Recipe:
    """Returns the message of a recipe."""
    return gateway_pb2.Recipe(
        name=recipe.name,
        description=recipe.description,
        is_available=not recipe.availability.unavailable_reason,
        unavailable_reason=recipe.availability.unavailable_reason,
        is_default=recipe.is_default,
        models=recipe.availability.models,
        needs=map(_to_requirement_message, recipe.availability.requirements),
        options=recipe.options,
        required_options=recipe.required_options,
    )


def _to_options(message: gateway_pb2.CreateImageRequest) -> RecipeOptions:
    if message.noise_mode not in _NOISE_MODES:
        raise _unknown_value("noise_mode", message.noise_mode, gateway_pb2.NoiseMode.keys())
    return RecipeOptions(
        prompt=message.prompt.strip(),
        negative_prompt=message.negative_prompt.strip(),
        strength=message.strength if message.HasField("strength") else None,
        model=message.model,
        noise_mode=_NOISE_MODES[message.noise_mode],
        noise_weight=message.noise_weight if message.HasField("noise_weight") else None,
        upscale=message.upscale if message.HasField("upscale") else None,
        refiner_start=message.refiner_start if message.HasField("refiner_start") else None,
    )


def _to_requirement_message(requirement: Requirement) -> gateway_pb2.RecipeNeed:
    return gateway_pb2.RecipeNeed(
        description=requirement.description,
        is_met=requirement.is_met,
        is_optional=requirement.is_optional,
        model=requirement.model,
        remedy=requirement.remedy,
    )


def _to_preview_request(message: image_pb2.PreviewOptions) -> PreviewRequest:
    size_pixels = message.size_pixels if message.HasField("size_pixels") else None
    return PreviewRequest(message.interval_steps, size_pixels)


def _to_priority(number: image_pb2.Priority) -> Priority:
    priority = _PRIORITIES.get(number)
    if priority is None:
        raise _unknown_value("priority", number, image_pb2.Priority.keys())
    return priority


def _unknown_value(field: str, number: int, names: Iterable[str]) -> InvalidInputError:
    return InvalidInputError(
        Reason.INVALID_FIELD, f"{field} is {number}, must be one of {', '.join(names)}.", field=field
    )
