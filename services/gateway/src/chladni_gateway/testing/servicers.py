"""Services for sound and pictures whose answers are decided by plain attributes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any, Final

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_gateway.testing.drawings import colored_png, solid_png, with_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from chladni_runtime.errors import ChladniError

SPACE: Final = "scripted-space"
LIVE_BINS: Final = 4
LIVE_POWER_DB: Final = -20.0
_SIDE_PIXELS: Final = 512
_DESCRIPTOR_NAMES: Final = ("loudness", "brightness", "roughness", "tempo", "pitch_height", "harmonicity")
_MAGIC: Final = (
    (b"RIFF", media_pb2.AUDIO_FORMAT_WAV),
    (b"fLaC", media_pb2.AUDIO_FORMAT_FLAC),
    (b"OggS", media_pb2.AUDIO_FORMAT_OGG),
)


class ScriptedAudioFeatures(audio_grpc.AudioFeatureServiceServicer):
    """Describes any bytes; features follow from their digest.

    Attributes:
        error: Raised by every call, if set.
        may_go_on: Analysis stands still while this is not set.
        requests: Every request for features so far.
        spectrogram_requests: Every request for a spectrogram so far.
        listening: Live sounds in progress.
        heard_bytes: Live sound that has come, in bytes.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything that was set or remembered."""
        self.error: ChladniError | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.requests: list[audio_pb2.ExtractFeaturesRequest] = []
        self.spectrogram_requests: list[audio_pb2.RenderSpectrogramRequest] = []
        self.listening = 0
        self.heard_bytes = 0

    async def RenderSpectrogram(  # noqa: D102, N802
        self, request: audio_pb2.RenderSpectrogramRequest, _context: Any
    ) -> audio_pb2.RenderSpectrogramResponse:
        self.spectrogram_requests.append(request)
        if self.error is not None:
            raise self.error
        width_pixels = request.width_pixels or _SIDE_PIXELS
        content = solid_png(width_pixels, request.height_pixels or _SIDE_PIXELS, (68, 1, 84))
        return audio_pb2.RenderSpectrogramResponse(image=_png(content, width_pixels))

    async def StreamFeatures(  # noqa: N802
        self, request_iterator: AsyncIterator[audio_pb2.StreamFeaturesRequest], _context: Any
    ) -> AsyncIterator[audio_pb2.StreamFeaturesResponse]:
        """Answers each piece of sound with one frame, of as many bins as `LIVE_BINS`, all at one level."""
        if self.error is not None:
            raise self.error
        config = (await anext(request_iterator)).config
        self.listening += 1
        try:
            frame_count = 0
            async for request in request_iterator:
                self.heard_bytes += len(request.pcm)
                await self.may_go_on.wait()
                yield _live_frame(frame_count)
                frame_count += 1
            seconds = self.heard_bytes / 2 / config.sample_rate_hz
            yield audio_pb2.StreamFeaturesResponse(
                summary=audio_pb2.StreamSummary(
                    frame_count=frame_count,
                    duration_seconds=seconds,
                    descriptors=[
                        audio_pb2.Descriptor(name="loudness", value=0.5, unit="1", minimum=0, maximum=1)
                    ],
                )
            )
        finally:
            self.listening -= 1

    async def ExtractFeatures(  # noqa: D102, N802
        self, request: audio_pb2.ExtractFeaturesRequest, _context: Any
    ) -> audio_pb2.ExtractFeaturesResponse:
        self.requests.append(request)
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        content = request.audio.content
        digest = hashlib.sha256(content)
        values = [byte / 255 for byte in digest.digest()[: len(_DESCRIPTOR_NAMES)]]
        kinds = [kind for magic, kind in _MAGIC if content.startswith(magic)]
        return audio_pb2.ExtractFeaturesResponse(
            audio=media_pb2.AudioProperties(
                format=kinds[0] if kinds else media_pb2.AUDIO_FORMAT_MP3,
                sample_rate_hz=44100,
                channel_count=2,
                duration_seconds=1.5,
                sha256=digest.hexdigest(),
            ),
            descriptors=[
                audio_pb2.Descriptor(
                    name=name,
                    value=value,
                    unit="1",
                    minimum=0,
                    maximum=1,
                    description=f"How much {name} the sound has.",
                )
                for name, value in zip(_DESCRIPTOR_NAMES, values, strict=True)
            ],
            embedding=tensor_pb2.Embedding(
                space=SPACE,
                values=tensor_pb2.Tensor(
                    dtype=tensor_pb2.DATA_TYPE_FLOAT32,
                    shape=[len(values)],
                    data=struct.pack(f"<{len(values)}f", *values),
                ),
                component_names=_DESCRIPTOR_NAMES,
            ),
        )

    async def GetModels(  # noqa: D102, N802
        self, _request: audio_pb2.GetModelsRequest, _context: Any
    ) -> audio_pb2.GetModelsResponse:
        if self.error is not None:
            raise self.error
        model = model_pb2.ModelInfo(id="scripted-ear", is_default=True, is_ready=True, output_space=SPACE)
        return audio_pb2.GetModelsResponse(models=[model])


class ScriptedImageGeneration(image_grpc.ImageGenerationServiceServicer):
    """Generates pictures of one colour, step by step.

    Attributes:
        error: Raised by every call, if set.
        error_after_steps: Number of steps after which `error` is raised.
        default_steps: Steps where the request names none.
        step_seconds: Time of a step.
        may_go_on: Generation stands still while this is not set.
        pause_after_step: Step after which it does.
        draw: Makes a picture from the recording's digest, the seed and the width.
        provenance: Fields of the provenance that are to differ from what the request led to.
        carries_provenance: Whether pictures carry their provenance, as those of the real service do.
        is_reused: Whether pictures are said to be those of identical requests.
        requests: Every request so far, with its metadata.
        cancelled: Number of generations that their callers cancelled.
        running: Number of generations in progress.
        input_space: Embedding space that the model says it takes.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets everything that was set or remembered."""
        self.error: ChladniError | None = None
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
        self.requests: list[tuple[image_pb2.GenerateImageRequest, dict[str, Any]]] = []
        self.remaining_seconds: list[float | None] = []
        self.cancelled = 0
        self.running = 0
        self.input_space = SPACE

    async def GenerateImage(  # noqa: N802
        self, request: image_pb2.GenerateImageRequest, context: Any
    ) -> AsyncIterator[image_pb2.GenerateImageResponse]:
        """Generates a picture and counts how that ends."""
        self.requests.append((request, dict(context.invocation_metadata())))
        self.remaining_seconds.append(context.time_remaining())
        self.running += 1
        try:
            async for response in self._generate(request):
                yield response
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def GetModels(  # noqa: D102, N802
        self, _request: image_pb2.GetModelsRequest, _context: Any
    ) -> image_pb2.GetModelsResponse:
        model = model_pb2.ModelInfo(
            id="scripted-hand", is_default=True, is_ready=True, input_spaces=[self.input_space]
        )
        return image_pb2.GetModelsResponse(models=[model])

    async def _generate(
        self, request: image_pb2.GenerateImageRequest
    ) -> AsyncIterator[image_pb2.GenerateImageResponse]:
        if self.error is not None and self.error_after_steps == 0:
            raise self.error
        seed = request.seed if request.HasField("seed") else 4711
        steps = request.steps or self.default_steps
        guidance = request.guidance_scale if request.HasField("guidance_scale") else 3.0
        yield image_pb2.GenerateImageResponse(queued=image_pb2.GenerationQueued(position=0))
        yield image_pb2.GenerateImageResponse(
            started=image_pb2.GenerationStarted(
                seed=seed, total_steps=steps, model="scripted-hand", guidance_scale=guidance
            )
        )
        for step in range(1, steps + 1):
            yield image_pb2.GenerateImageResponse(progress=self._progress(request, seed, step, steps))
            await asyncio.sleep(self.step_seconds)
            if step >= self.pause_after_step:
                await self.may_go_on.wait()
            if self.error is not None and step >= self.error_after_steps:
                raise self.error
        yield image_pb2.GenerateImageResponse(completed=self._completed(request, seed, steps, guidance))

    def _completed(
        self, request: image_pb2.GenerateImageRequest, seed: int, steps: int, guidance: float
    ) -> image_pb2.GenerationCompleted:
        facts: dict[str, Any] = {
            "model": "scripted-hand",
            "model_digest": "0" * 64,
            "recipe": request.origin.recipe,
            "seed": seed,
            "steps": steps,
            "guidance_scale": guidance,
            "scheduler": request.scheduler or "EulerDiscreteScheduler",
            "width_pixels": request.width_pixels or _SIDE_PIXELS,
            "height_pixels": request.height_pixels or _SIDE_PIXELS,
            "audio_sha256": request.origin.audio_sha256,
            "library_versions": {"scripted": "1"},
            "exact": request.exact if request.HasField("exact") else True,
            "device_capability": "pencil",
            "decode_batch_size": 1,
        }
        facts |= self.provenance
        content = self.draw(request.origin.audio_sha256, seed, facts["width_pixels"])
        if self.carries_provenance:
            content = with_text(content, "chladni", json.dumps(facts))
        return image_pb2.GenerationCompleted(
            image=_png(content, facts["width_pixels"]),
            provenance=image_pb2.Provenance(**facts),
            is_reused=self.is_reused,
        )

    def _progress(
        self, request: image_pb2.GenerateImageRequest, seed: int, step: int, steps: int
    ) -> image_pb2.GenerationProgress:
        progress = image_pb2.GenerationProgress(step=step, total_steps=steps)
        progress.elapsed.FromMilliseconds(round(step * self.step_seconds * 1000))
        progress.remaining.FromMilliseconds(round((steps - step) * self.step_seconds * 1000))
        previews = request.previews
        if previews.interval_steps and step % previews.interval_steps == 0:
            size_pixels = previews.size_pixels or 64
            content = self.draw(request.origin.audio_sha256, seed, size_pixels)
            progress.preview.CopyFrom(_png(content, size_pixels))
        return progress


def _live_frame(number: int) -> audio_pb2.StreamFeaturesResponse:
    return audio_pb2.StreamFeaturesResponse(
        frames=audio_pb2.MelFrames(
            first_frame=number,
            power_db=tensor_pb2.Tensor(
                dtype=tensor_pb2.DATA_TYPE_FLOAT32,
                shape=[LIVE_BINS, 1],
                data=struct.pack(f"<{LIVE_BINS}f", *[LIVE_POWER_DB] * LIVE_BINS),
            ),
            level=audio_pb2.Level(rms_dbfs=-20.0, peak_dbfs=-10.0),
        )
    )


def _png(content: bytes, size_pixels: int) -> media_pb2.Image:
    return media_pb2.Image(
        content=content,
        format=media_pb2.IMAGE_FORMAT_PNG,
        width_pixels=size_pixels,
        height_pixels=size_pixels,
    )
