"""Messages of image generation, to and from the domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni_contract.provenance_messages import to_provenance, to_provenance_message
from chladni_gateway.backends.messages import (
    to_embedding_message,
    to_image,
    to_image_message,
    to_tensor_message,
)
from chladni_gateway.domain.events import Completed, GenerationEvent, Progressed, Queued, Started
from chladni_gateway.domain.generation import Priority

if TYPE_CHECKING:
    from chladni_gateway.domain.generation import Conditioning, GenerationRequest, Origin, PreviewRequest

_PRIORITIES: Final = {
    Priority.INTERACTIVE: image_pb2.PRIORITY_INTERACTIVE,
    Priority.BATCH: image_pb2.PRIORITY_BATCH,
}


def to_generate_request(generation: GenerationRequest) -> image_pb2.GenerateImageRequest:
    """Returns the request for an order."""
    settings = generation.settings
    return image_pb2.GenerateImageRequest(
        model=generation.model,
        conditioning=_to_conditioning_message(generation.conditioning),
        seed=settings.seed,
        steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        scheduler=settings.scheduler,
        width_pixels=settings.width_pixels,
        height_pixels=settings.height_pixels,
        previews=_to_preview_options(settings.previews),
        origin=_to_origin_message(generation.origin),
        priority=_PRIORITIES[settings.priority],
        exact=settings.exact,
        bypass_cache=settings.bypass_cache,
        upscale=settings.upscale,
        refiner_start=settings.refiner_start,
    )


def to_generation_event(response: image_pb2.GenerateImageResponse) -> GenerationEvent | None:
    """Returns the event of a response; `None` for one that this gateway does not know."""
    match response.WhichOneof("event"):
        case "queued":
            return Queued(response.queued.position)
        case "started":
            started = response.started
            return Started(started.seed, started.total_steps, started.model, started.guidance_scale)
        case "progress":
            return _to_progressed(response.progress)
        case "completed":
            completed = response.completed
            return Completed(
                to_image(completed.image), to_provenance(completed.provenance), completed.is_reused
            )
        case _:
            return None


def _to_conditioning_message(conditioning: Conditioning) -> image_pb2.Conditioning:
    embedding, latents = conditioning.audio_embedding, conditioning.initial_latents
    image = conditioning.initial_image
    return image_pb2.Conditioning(
        audio_embedding=to_embedding_message(embedding) if embedding else None,
        prompt=conditioning.prompt,
        negative_prompt=conditioning.negative_prompt,
        initial_latents=to_tensor_message(latents.shape, latents.data) if latents else None,
        initial_latents_weight=conditioning.initial_latents_weight,
        initial_image=to_image_message(image) if image else None,
        strength=conditioning.strength,
    )


def _to_origin_message(origin: Origin) -> image_pb2.Origin:
    return image_pb2.Origin(
        recipe=origin.recipe,
        audio_sha256=origin.audio_sha256,
        stage=origin.stage,
        earlier=map(to_provenance_message, origin.earlier),
        fallback=origin.fallback,
        options=origin.options,
    )


def _to_progressed(progress: image_pb2.GenerationProgress) -> Progressed:
    return Progressed(
        step=progress.step,
        total_steps=progress.total_steps,
        preview=to_image(progress.preview) if progress.HasField("preview") else None,
        elapsed_seconds=progress.elapsed.ToTimedelta().total_seconds(),
        remaining_seconds=progress.remaining.ToTimedelta().total_seconds()
        if progress.HasField("remaining")
        else None,
    )


def _to_preview_options(previews: PreviewRequest | None) -> image_pb2.PreviewOptions | None:
    if previews is None:
        return None
    return image_pb2.PreviewOptions(interval_steps=previews.interval_steps, size_pixels=previews.size_pixels)
