"""An image-generation service; plain attributes decide what it answers."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.duration_pb2 import Duration

from chladni.generation.v1 import generation_pb2, moving_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni_contract.errors import ChladniError, InvalidInputError, NotFoundError, Reason
from chladni_contract.provenance_messages import to_provenance
from chladni_fakes.families import embedded, input_names
from chladni_fakes.images import colored_png, file_with_text, png_message, solid_png, with_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_SIDE_PIXELS: Final = 512
_FRAME_PIXELS: Final = 256
_SETTINGS_OF_INPUTS: Final = {"strength": "initial_image", "initial_latents_weight": "initial_latents"}


class ScriptedImageGeneration(image_grpc.ImageGenerationServiceServicer):
    """Images of one colour, step by step.

    Like the real service it refuses what a model does not take, and models that are not ready.

    Attributes:
        error: Raised by every call but ListModels, if set.
        models_error: Raised by ListModels, if set.
        errors: Raised by models, by their names.
        error_after_steps: Number of steps after which these errors are raised.
        models: Descriptions of its models, the default one first.
        default_model: Identifier of the default model if it is not the first one; empty if it is.
        default_steps: Steps if the request names none.
        step_seconds: Duration of a step.
        may_go_on: Generation waits while this is not set.
        pause_after_step: Step after which it waits.
        draw: Returns an image for the recording's digest, the seed and the width.
        provenance: Fields of the provenance that replace those that follow from the request.
        carries_provenance: Whether images carry their provenance, as those of the real service do.
        is_reused: Whether images are reported as those of identical requests.
        requests: Every request so far, with its metadata.
        stream_configs: What every stream of frames asked for so far.
        segments: Every segment of these streams so far.
        cancelled: Number of generations that their callers cancelled.
        running: Number of generations in progress.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set every attribute to its initial value."""
        self.error: ChladniError | None = None
        self.models_error: ChladniError | None = None
        self.errors: dict[str, ChladniError] = {}
        self.models = [embedded()]
        self.default_model = ""
        self.error_after_steps = 0
        self.default_steps = 4
        self.step_seconds = 0.0
        self.pause_after_step = 1
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.draw: Callable[[str, int, int], bytes] = colored_png
        self.provenance: dict[str, Any] = {}
        self.carries_provenance = False
        self.is_reused = False
        self.stream_configs: list[image_pb2.MovingConfig] = []
        self.segments: list[moving_pb2.CourseSegment] = []
        self.requests: list[tuple[image_pb2.GenerateImageRequest, dict[str, Any]]] = []
        self.remaining_seconds: list[float | None] = []
        self.cancelled = 0
        self.running = 0

    async def GenerateImage(
        self, request: image_pb2.GenerateImageRequest, context: Any
    ) -> AsyncIterator[image_pb2.GenerateImageResponse]:
        """Generate an image, and count how that ends."""
        self.requests.append((request, dict(context.invocation_metadata())))
        self.remaining_seconds.append(context.time_remaining())
        self.running += 1
        try:
            async for response in self._generate(request):
                yield response
        except (asyncio.CancelledError, GeneratorExit):  # While it works, or while a response is sent.
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def StreamImages(
        self, request_iterator: AsyncIterator[image_pb2.StreamImagesRequest], _context: Any
    ) -> AsyncIterator[image_pb2.StreamImagesResponse]:
        """Answer each segment with one frame of one colour."""
        if self.error is not None:
            raise self.error
        first = await anext(request_iterator)
        self.stream_configs.append(first.config)
        frames = first.config.frames
        width, height = frames.width_pixels or _FRAME_PIXELS, frames.height_pixels or _FRAME_PIXELS
        yield image_pb2.StreamImagesResponse(
            ready=moving_pb2.FramesReady(
                seed=frames.seed,
                window_duration=Duration(seconds=4),
                width_pixels=width,
                height_pixels=height,
            )
        )
        index = 0
        self.running += 1
        try:
            async for request in request_iterator:
                self.segments.append(request.segment)
                await self.may_go_on.wait()
                content = solid_png(width, height, (index % 256, 0, 0))
                yield image_pb2.StreamImagesResponse(
                    frame=moving_pb2.Frame(
                        index=index,
                        time=request.segment.heard,
                        image=png_message(content, width, height),
                    )
                )
                index += 1
        finally:
            self.running -= 1

    async def ListModels(
        self, _request: image_pb2.ListModelsRequest, _context: Any
    ) -> image_pb2.ListModelsResponse:
        if self.models_error is not None:
            raise self.models_error
        return image_pb2.ListModelsResponse(models=self.models, default_model=self._default_model)

    @property
    def _default_model(self) -> str:
        return self.default_model or (self.models[0].id if self.models else "")

    async def _generate(
        self, request: image_pb2.GenerateImageRequest
    ) -> AsyncIterator[image_pb2.GenerateImageResponse]:
        model = self._model_for(request)
        error = self.error or self.errors.get(model.id)
        if error is not None and self.error_after_steps == 0:
            raise error
        options = request.options
        seed = options.seed if options.HasField("seed") else 4711
        steps = options.steps or self.default_steps
        guidance = options.guidance_scale if options.HasField("guidance_scale") else 3.0
        yield image_pb2.GenerateImageResponse(queued=generation_pb2.GenerationQueued(position=0))
        yield image_pb2.GenerateImageResponse(
            started=generation_pb2.GenerationStarted(
                seed=seed, total_steps=steps, model=model.id, guidance_scale=guidance
            )
        )
        for step in range(1, steps + 1):
            yield image_pb2.GenerateImageResponse(progress=self._progress(request, seed, step, steps))
            await asyncio.sleep(self.step_seconds)
            if step >= self.pause_after_step:
                await self.may_go_on.wait()
            if error is not None and step >= self.error_after_steps:
                raise error
        chosen = {"model": model.id, "seed": seed, "steps": steps, "guidance_scale": guidance}
        yield image_pb2.GenerateImageResponse(completed=self._completed(request, chosen))

    def _model_for(self, request: image_pb2.GenerateImageRequest) -> model_pb2.ModelInfo:
        """Return the model of a request, which must be ready and accept the inputs of the request."""
        name = request.options.model or self._default_model
        model = next((model for model in self.models if model.id == name), None)
        if model is None:
            raise NotFoundError(Reason.UNKNOWN_MODEL, f"No image model is called {name!r}.")
        if model.state != model_pb2.MODEL_STATE_READY:
            raise ChladniError(Reason.MODEL_UNAVAILABLE, model.unavailable_reason or "It is loading.")
        given = _inputs_given(request)
        for field in sorted(given - set(input_names(model))):
            raise InvalidInputError(Reason.INVALID_FIELD, f"{name} takes no {field}.", field=field)
        for field in input_names(model, required_only=True):
            if field not in given:
                raise InvalidInputError(Reason.MISSING_FIELD, f"{name} needs {field}.", field=field)
        return model

    def _completed(
        self, request: image_pb2.GenerateImageRequest, chosen: dict[str, Any]
    ) -> image_pb2.GenerationCompleted:
        options, seed = request.options, chosen["seed"]
        facts: dict[str, Any] = chosen | {
            "model_digest": "0" * 64,
            "recipe": request.origin.recipe,
            "scheduler": options.scheduler or "EulerDiscreteScheduler",
            "width_pixels": options.width_pixels or _SIDE_PIXELS,
            "height_pixels": options.height_pixels or _SIDE_PIXELS,
            "audio_sha256": request.origin.audio_sha256,
            "library_versions": {"scripted": "1"},
            "reproducible": options.reproducible if options.HasField("reproducible") else True,
            "device_capability": "pencil",
            "decode_batch_size": 1,
        }
        facts |= _conditions(request) | self.provenance
        content = self.draw(_subject(request), seed, facts["width_pixels"])
        if self.carries_provenance:
            content = with_text(content, "chladni", json.dumps(facts))
        image = png_message(content, facts["width_pixels"], facts["height_pixels"])
        if options.encoding.format not in {media_pb2.IMAGE_FORMAT_UNSPECIFIED, media_pb2.IMAGE_FORMAT_PNG}:
            image.content = file_with_text(options.encoding.format, json.dumps(facts))
            image.format = options.encoding.format
        return image_pb2.GenerationCompleted(
            image=image,
            provenance=generation_pb2.Provenance(**facts),
            reused=self.is_reused,
        )

    def _progress(
        self, request: image_pb2.GenerateImageRequest, seed: int, step: int, steps: int
    ) -> generation_pb2.GenerationProgress:
        progress = generation_pb2.GenerationProgress(step=step, total_steps=steps)
        progress.elapsed.FromMilliseconds(round(step * self.step_seconds * 1000))
        progress.remaining.FromMilliseconds(round((steps - step) * self.step_seconds * 1000))
        previews = request.options.previews
        if previews.interval_steps and step % previews.interval_steps == 0:
            size_pixels = previews.size_pixels or 64
            content = self.draw(_subject(request), seed, size_pixels)
            progress.preview.CopyFrom(png_message(content, size_pixels))
        return progress


def _inputs_given(request: image_pb2.GenerateImageRequest) -> set[str]:
    given = {field.name for field, _ in request.conditioning.ListFields()}
    given = {_SETTINGS_OF_INPUTS.get(name, name) for name in given}
    given |= {name for name in ("upscale", "refiner_start") if request.options.HasField(name)}
    return given | ({"look"} if request.options.look else set())


def _subject(request: image_pb2.GenerateImageRequest) -> str:
    """Return what, with the seed, determines the colour of an image: each part of a recipe has its own."""
    origin = request.origin
    return f"{origin.audio_sha256}/{origin.part}" if origin.part else origin.audio_sha256


def _conditions(request: image_pb2.GenerateImageRequest) -> dict[str, Any]:
    """Return the fields of the provenance that describe the conditioning and its origin, if given."""
    conditioning, origin = request.conditioning, request.origin
    facts: dict[str, Any] = {
        "part": origin.part,
        "fallback": origin.fallback,
        "recipe_options": dict(origin.options),
        "prompt": conditioning.prompt,
        "negative_prompt": conditioning.negative_prompt,
        "earlier": [asdict(to_provenance(earlier)) for earlier in origin.earlier],
        "upscale": request.options.upscale or 1,
        "look": request.options.look,
    }
    for message, name in (
        (conditioning, "strength"),
        (conditioning, "initial_latents_weight"),
        (request.options, "refiner_start"),
    ):
        if message.HasField(name):
            facts[name] = getattr(message, name)
    return facts
