"""`ImageGenerationService.StreamImages`: frames of moving audio, drawn beside the other requests."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from chladni.generation.v1 import generation_pb2, moving_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.descriptor_space import (
    DESCRIPTOR_NAMES,
    DESCRIPTOR_SPACE,
    TEMPORAL_FEATURES,
    TEMPORAL_SEGMENTS,
)
from chladni_contract.errors import FaultError, QueueFullError, Reason
from chladni_image_generation.engine.scheduler import Priority, SchedulingParameters
from chladni_image_generation.generation import (
    MAX_SEED,
    Completed,
    GenerationRequest,
    ImageEncoding,
    ImageFormat,
)
from chladni_image_generation.grpc_api.messages import to_duration
from chladni_image_generation.grpc_api.options import (
    check_encoding,
    check_look,
    check_side,
    to_format_number,
    to_image_encoding,
)
from chladni_image_generation.scrolling.scene import FrameOptions, ScrollingScene
from chladni_image_generation.scrolling.stream import FrameStream, StreamedFrame
from chladni_image_generation.scrolling.timeline import SegmentTimeline, TimedSegment
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.heartbeats import with_heartbeats
from chladni_runtime.server.validation import RequestValidator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chladni_image_generation.engine.engine import Engine
    from chladni_image_generation.engine.registry import EngineRegistry
    from chladni_image_generation.models.interface import ModelDescription

DEFAULT_SIDE_PIXELS: Final = 256
DEFAULT_FRAME_RATE: Final = 12.0
MAX_FRAME_RATE: Final = 30.0
DEFAULT_SEGMENT_SECONDS: Final = 0.25
MAX_AUDIO_SECONDS: Final = 3600.0
_MIN_SEGMENT_SECONDS, _MAX_SEGMENT_SECONDS = 0.05, 2.0
_DEFAULT_ENCODING: Final = ImageEncoding(ImageFormat.JPEG, 85)
_RETRY_SECONDS: Final = 10.0
_NANOSECONDS: Final = 1e9


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the first message of a stream asks for.

    Attributes:
        options: How frames are made.
        encoding: How they are encoded.
        max_frame_rate: Most frames in a second.
        segment_seconds: Length of a segment.
    """

    options: FrameOptions
    encoding: ImageEncoding
    max_frame_rate: float
    segment_seconds: float


class MovingImages:
    """The streams of frames of a registry of models.

    Args:
        registry: The models, each with its engine.
        max_streams: Streams at a time at most.
        heartbeat_seconds: Silence of a stream after which a heartbeat is sent.
    """

    def __init__(self, registry: EngineRegistry, *, max_streams: int, heartbeat_seconds: float) -> None:
        self._registry = registry
        self._max_streams = max_streams
        self._heartbeat_seconds = heartbeat_seconds
        self._open_count = 0
        self._numbers = itertools.count()

    async def stream(
        self, requests: AsyncIterator[image_pb2.StreamImagesRequest], *, caller: str
    ) -> AsyncGenerator[image_pb2.StreamImagesResponse, None]:
        """Yield the responses to the messages of one stream.

        Args:
            requests: The messages.
            caller: Who asks.

        Raises:
            QueueFullError: There are as many streams as may be.
            InvalidFieldsError: A message cannot be used.
            ChladniError: The model failed.
        """
        with self._place():
            first = await anext(requests, image_pb2.StreamImagesRequest())
            engine = self._registry.find(first.config.frames.model)
            wanted = _to_wanted(first, engine.description)
            options = wanted.options
            yield _to_ready(wanted)
            stream = FrameStream(
                ScrollingScene(
                    engine.description,
                    timeline=SegmentTimeline(
                        segment_seconds=wanted.segment_seconds,
                        keep_seconds=TEMPORAL_SEGMENTS * wanted.segment_seconds,
                    ),
                    options=options,
                ),
                time.monotonic,
                wanted.max_frame_rate,
            )
            # Each stream is a caller of its own, so that two of one caller have equal shares.
            scheduling = SchedulingParameters(f"{caller} {next(self._numbers)}", Priority.LIVE)

            async def draw(request: GenerationRequest) -> Completed:
                return await _draw(engine, request, scheduling, wanted.encoding)

            reading = asyncio.create_task(_read(requests, stream))
            frames = with_heartbeats(stream.frames(draw), self._heartbeat_seconds)
            try:
                async with aclosing(frames):
                    async for frame in frames:
                        yield _to_response(frame, wanted)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._open_count >= self._max_streams:
            raise QueueFullError(
                f"{self._open_count} live images are drawn already, the limit. Try again later.",
                retry_after_seconds=_RETRY_SECONDS,
                metadata={"count": self._open_count, "maximum": self._max_streams},
            )
        self._open_count += 1
        try:
            yield
        finally:
            self._open_count -= 1


async def _draw(
    engine: Engine,
    request: GenerationRequest,
    scheduling: SchedulingParameters,
    encoding: ImageEncoding,
) -> Completed:
    # A frame is seen once: it need not be padded for the sake of the same bits among other requests.
    generation = engine.generate(
        replace(request, reproducible=False),
        CancellationToken(),
        scheduling=scheduling,
        encoding=encoding,
        use_cache=False,
    )
    async with aclosing(generation) as events:
        async for event in events:
            if isinstance(event, Completed):
                return event
    raise FaultError(Reason.INTERNAL, "The model ended without a frame.")


async def _read(requests: AsyncIterator[image_pb2.StreamImagesRequest], stream: FrameStream) -> None:
    """Put the segments into a stream as they come, and end it with them."""
    try:
        async for request in requests:
            _put(request, stream)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the frames are yielded
        stream.end(error)
    else:
        stream.end()


def _put(request: image_pb2.StreamImagesRequest, stream: FrameStream) -> None:
    validator = RequestValidator()
    is_segment = request.WhichOneof("payload") == "segment"
    validator.require("segment", present=is_segment, hint="after the first message send segments")
    validator.raise_if_invalid()
    message = request.segment
    heard_seconds = message.heard.ToNanoseconds() / _NANOSECONDS
    for name, count in (("course", len(TEMPORAL_FEATURES)), ("overall", len(DESCRIPTOR_NAMES))):
        values = getattr(message, name)
        validator.check(
            f"segment.{name}",
            valid=len(values) == count and all(0 <= value <= 1 for value in values),
            description=f"must hold {count} numbers from 0 to 1.",
        )
    validator.check_range(
        "segment.heard", heard_seconds, minimum=0, maximum=MAX_AUDIO_SECONDS, unit="seconds"
    )
    if message.HasField("level"):
        validator.check_range("segment.level", message.level, minimum=0, maximum=1)
    validator.raise_if_invalid()
    try:
        segment = TimedSegment(
            message.number,
            np.array(message.course, np.float32),
            np.array(message.overall, np.float32),
            message.onset.ToNanoseconds() / _NANOSECONDS if message.HasField("onset") else None,
        )
        stream.put(
            segment,
            heard_seconds=heard_seconds,
            level=message.level if message.HasField("level") else None,
        )
    except ValueError as error:
        validator.check("segment.number", valid=False, description=f"cannot be used: {error}.")
        validator.raise_if_invalid()


def _to_wanted(request: image_pb2.StreamImagesRequest, model: ModelDescription) -> _Wanted:
    """Return what the first message asks of a model.

    Raises:
        InvalidFieldsError: It is no configuration, or the model cannot do what it asks for.
    """
    validator = RequestValidator()
    is_config = request.WhichOneof("payload") == "config"
    validator.require("config", present=is_config, hint="send it in the first message")
    validator.raise_if_invalid()
    config, frames = request.config, request.config.frames
    space = model.embedding_space
    validator.check(
        "config.frames.model",
        valid=space is not None and space.name == DESCRIPTOR_SPACE,
        description=f"is {model.id!r}, which does not take embeddings of {DESCRIPTOR_SPACE!r}.",
    )
    validator.raise_if_invalid()
    width = frames.width_pixels if frames.HasField("width_pixels") else DEFAULT_SIDE_PIXELS
    height = frames.height_pixels if frames.HasField("height_pixels") else DEFAULT_SIDE_PIXELS
    rate = frames.max_frame_rate if frames.HasField("max_frame_rate") else DEFAULT_FRAME_RATE
    seed = frames.seed if frames.HasField("seed") else secrets.randbelow(MAX_SEED + 1)
    seconds = (
        config.segment_duration.ToNanoseconds() / _NANOSECONDS
        if config.HasField("segment_duration")
        else DEFAULT_SEGMENT_SECONDS
    )
    check_side(validator, "config.frames.width_pixels", width, model.sizes)
    check_side(validator, "config.frames.height_pixels", height, model.sizes)
    validator.check_range("config.frames.seed", seed, minimum=0, maximum=MAX_SEED)
    validator.check(
        "config.frames.max_frame_rate",
        valid=0 < rate <= MAX_FRAME_RATE,
        description=f"is {rate:g}, must be above 0 and at most {MAX_FRAME_RATE:g} frames a second.",
        metadata={"value": rate, "maximum": MAX_FRAME_RATE},
    )
    validator.check_range(
        "config.segment_duration",
        seconds,
        minimum=_MIN_SEGMENT_SECONDS,
        maximum=_MAX_SEGMENT_SECONDS,
        unit="seconds",
    )
    if frames.look:
        check_look(validator, frames.look, model, field="config.frames.look")
    check_encoding(validator, frames.encoding, field="config.frames.encoding")
    validator.raise_if_invalid()
    is_chosen = frames.encoding.format != media_pb2.IMAGE_FORMAT_UNSPECIFIED
    return _Wanted(
        FrameOptions(width, height, seed=seed, look=frames.look),
        to_image_encoding(frames.encoding) if is_chosen else _DEFAULT_ENCODING,
        rate,
        seconds,
    )


def _to_ready(wanted: _Wanted) -> image_pb2.StreamImagesResponse:
    return image_pb2.StreamImagesResponse(
        ready=moving_pb2.FramesReady(
            seed=wanted.options.seed,
            window_duration=to_duration(TEMPORAL_SEGMENTS * wanted.segment_seconds),
            width_pixels=wanted.options.width_pixels,
            height_pixels=wanted.options.height_pixels,
        )
    )


def _to_response(frame: StreamedFrame | None, wanted: _Wanted) -> image_pb2.StreamImagesResponse:
    if frame is None:
        return image_pb2.StreamImagesResponse(heartbeat=generation_pb2.Heartbeat())
    return image_pb2.StreamImagesResponse(
        frame=moving_pb2.Frame(
            index=frame.index,
            time=to_duration(frame.moment.time_seconds),
            image=media_pb2.EncodedImage(
                content=frame.image.content,
                format=to_format_number(frame.image.encoding.format),
                width_pixels=wanted.options.width_pixels,
                height_pixels=wanted.options.height_pixels,
            ),
            skipped_frames=frame.skipped_frames,
            late_frames=frame.late_frames,
            delay=to_duration(frame.delay_seconds),
        )
    )
