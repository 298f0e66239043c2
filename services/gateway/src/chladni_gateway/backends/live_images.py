"""Live audio to a moving image: what audio-features finds goes on to image-generation as it is heard."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.generation.v1 import moving_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.errors import FaultError, Reason
from chladni_gateway.domain.live import MAX_LIVE_FRAME_RATE, LiveImage, LiveImagesReady
from chladni_gateway.domain.stages import Stage, at_stage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from chladni_gateway.backends.audio_features import AudioFeaturesClient
    from chladni_gateway.domain.live import LiveImageEvent, LiveImageRequest
    from chladni_runtime.execution.deadlines import Deadline

    ChooseServer = Callable[[str, Deadline], Awaitable[tuple[str, "FrameSource"]]]
    """Returns the model to use, and a server that has it, for the name that a caller gives, or none."""

_NANOSECONDS: Final = 1e9
_SEGMENT_SECONDS: Final = 0.25
_USUAL_FRAME_RATE: Final = 12.0
_MAX_HELD_SEGMENTS: Final = 64
"""Segments that are kept for a caller who does not read; more are handed on, for an image that may be old."""

FrameResponse = image_pb2.StreamImagesResponse


class FrameSource(Protocol):
    """A server that draws frames."""

    def forward_frames(
        self, requests: AsyncIterator[image_pb2.StreamImagesRequest], deadline: Deadline, *, caller: str
    ) -> AsyncGenerator[FrameResponse, None]:
        """Yield the answers to the segments of live audio; closing the generator cancels the call."""
        ...


class LiveImageClient:
    """Draws images of live audio; a `LiveImageSource`.

    Args:
        audio_features: Traces the course of the audio.
        choose: Chooses the server that draws frames of it.
    """

    def __init__(self, audio_features: AudioFeaturesClient, choose: ChooseServer) -> None:
        self._audio_features = audio_features
        self._choose = choose

    async def stream(
        self, wanted: LiveImageRequest, chunks: AsyncIterator[bytes], deadline: Deadline
    ) -> AsyncGenerator[LiveImageEvent, None]:
        """Yield the newest image whenever the caller asks for one; closing the generator stops all.

        Args:
            wanted: What to draw.
            chunks: The audio: mono, little-endian 16-bit integers, whole samples in each chunk.
            deadline: When it must have ended.

        Raises:
            ChladniError: A service refused or failed.
        """
        pcm = audio_pb2.PcmConfig(
            sample_rate_hz=wanted.sample_rate_hz, channel_count=1, encoding=media_pb2.PCM_ENCODING_INT16
        )
        frames = moving_pb2.FrameOptions(
            width_pixels=wanted.width_pixels,
            height_pixels=wanted.height_pixels,
            look=wanted.look,
            seed=wanted.seed,
            max_frame_rate=wanted.max_frame_rate,
        )
        forwarded = self.forward(pcm, frames, chunks, deadline, caller=wanted.caller)
        async with aclosing(forwarded) as responses:
            async for response in responses:
                if response.HasField("ready"):
                    ready = response.ready
                    yield LiveImagesReady(
                        ready.seed,
                        ready.window_duration.ToNanoseconds() / _NANOSECONDS,
                        ready.width_pixels,
                        ready.height_pixels,
                    )
                elif response.HasField("frame"):
                    frame = response.frame
                    yield LiveImage(
                        index=frame.index,
                        time_seconds=frame.time.ToNanoseconds() / _NANOSECONDS,
                        content=frame.image.content,
                        skipped_frames=frame.skipped_frames,
                        late_frames=frame.late_frames,
                        delay_seconds=frame.delay.ToNanoseconds() / _NANOSECONDS,
                    )

    async def forward(
        self,
        pcm: audio_pb2.PcmConfig,
        frames: moving_pb2.FrameOptions,
        chunks: AsyncIterator[bytes],
        deadline: Deadline,
        *,
        caller: str,
    ) -> AsyncGenerator[FrameResponse, None]:
        """Yield image-generation's responses; of frames that wait for the caller, the newest one.

        While one waits, no further ones are asked for, so that none are drawn that nobody sees.

        Args:
            pcm: What the chunks are.
            frames: How frames are made.
            chunks: The audio.
            deadline: When it must have ended.
            caller: Who asks.

        Raises:
            ChladniError: A service refused or failed.
        """
        with at_stage(Stage.IMAGE_GENERATION):
            model, server = await self._choose(frames.model, deadline)
        chosen = moving_pb2.FrameOptions()
        chosen.CopyFrom(frames)
        chosen.model = model
        newest = _NewestResponse()
        rate = frames.max_frame_rate if frames.HasField("max_frame_rate") else _USUAL_FRAME_RATE
        course = _Course(self._audio_features, _tracing(pcm, rate), chunks, deadline)
        requests = _frame_requests(chosen, course, newest)

        async def collect() -> None:
            with at_stage(Stage.IMAGE_GENERATION):
                responses = server.forward_frames(requests, deadline, caller=caller)
                async with aclosing(responses):
                    async for response in responses:
                        newest.put(response)
            if course.error is not None:
                raise course.error

        collecting = asyncio.create_task(collect())
        collecting.add_done_callback(newest.end)
        try:
            while (response := await newest.take()) is not None:
                yield response
            await collecting
        finally:
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
            # Who was stopped while it sent a segment has not closed them, and the analysis would go on.
            await requests.aclose()


class _NewestResponse:
    """The response that a slow caller gets next: never older than it must be, and never more than one.

    The first one, that the frames are going to come, is kept; a sign of life gives way to a frame.

    Attributes:
        on_room: Called when no frame waits any more.
    """

    def __init__(self) -> None:
        self._ready: FrameResponse | None = None
        self._waiting: FrameResponse | None = None
        self._skipped = 0
        self._has_ended = False
        self._news = asyncio.Event()
        self.on_room: Callable[[], None] = lambda: None

    @property
    def has_room(self) -> bool:
        """Whether no frame waits for the caller."""
        return self._waiting is None or not self._waiting.HasField("frame")

    def put(self, response: FrameResponse) -> None:
        """Take a response in place of the one that waits."""
        if response.HasField("ready"):
            self._ready = response
        elif response.HasField("frame"):
            self._skipped += self._waiting is not None and self._waiting.HasField("frame")
            response.frame.skipped_frames += self._skipped
            self._waiting = response
        else:
            self._waiting = self._waiting or response
        self._news.set()

    def end(self, _: object) -> None:
        """Note that no response follows."""
        self._has_ended = True
        self._news.set()

    async def take(self) -> FrameResponse | None:
        """Wait for the next response; return `None` after the last one."""
        while True:
            if self._ready is not None:
                response, self._ready = self._ready, None
                return response
            if self._waiting is not None:
                response, self._waiting = self._waiting, None
                self.on_room()
                return response
            if self._has_ended:
                return None
            self._news.clear()
            await self._news.wait()


class _Course:
    """The segments of live audio.

    Attributes:
        error: Why they ended before the audio; `None` if they did not.
    """

    def __init__(
        self,
        audio_features: AudioFeaturesClient,
        pcm: audio_pb2.PcmConfig,
        chunks: AsyncIterator[bytes],
        deadline: Deadline,
    ) -> None:
        self._audio_features = audio_features
        self._pcm = pcm
        self._chunks = chunks
        self._deadline = deadline
        self.error: Exception | None = None

    async def segments(self) -> AsyncGenerator[moving_pb2.CourseSegment, None]:
        """Yield the segments as they are heard, until the audio ends or something is wrong with it."""
        responses = self._audio_features.forward_stream(self._requests(), self._deadline)
        try:
            with at_stage(Stage.AUDIO_FEATURES):
                async with aclosing(responses):
                    async for response in responses:
                        if response.HasField("segment"):
                            yield response.segment
                        _check_traces_course(response)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the frames end
            self.error = error

    async def _requests(self) -> AsyncGenerator[audio_pb2.StreamFeaturesRequest, None]:
        yield audio_pb2.StreamFeaturesRequest(config=self._pcm)
        try:
            async for chunk in self._chunks:
                yield audio_pb2.StreamFeaturesRequest(pcm=chunk)
        except Exception as error:  # noqa: BLE001 - likewise
            self.error = error


def _tracing(pcm: audio_pb2.PcmConfig, frame_rate: float) -> audio_pb2.PcmConfig:
    """Return the description of audio whose course is traced, with news for each frame of a rate.

    Image generation is told no length of segments, so it must be the usual one.
    """
    config = audio_pb2.PcmConfig()
    config.CopyFrom(pcm)
    config.ClearField("segments")
    config.segments.SetInParent()
    if math.isfinite(frame_rate) and frame_rate > _USUAL_FRAME_RATE:
        updates = math.floor(_SEGMENT_SECONDS * min(frame_rate, MAX_LIVE_FRAME_RATE))
        config.segments.update_interval.FromNanoseconds(round(_SEGMENT_SECONDS / updates * _NANOSECONDS))
    return config


def _check_traces_course(response: audio_pb2.StreamFeaturesResponse) -> None:
    """Check that a response is not one of a service that does not know segments.

    Raises:
        FaultError: It is.
    """
    if response.HasField("frames"):
        raise FaultError(
            Reason.NOT_IMPLEMENTED,
            "The service audio-features cannot trace the course of live audio. Update it.",
        )


class _HeldSegments:
    """The segments that image generation has not got yet.

    They are held back while a frame waits for the caller. None is left out, as a segment that never came
    would be silence: of one that was heard in parts, its newest part is kept.
    """

    def __init__(self, newest: _NewestResponse) -> None:
        self._newest = newest
        self._segments: dict[int, moving_pb2.CourseSegment] = {}
        self._has_ended = False
        self._news = asyncio.Event()
        newest.on_room = self._news.set

    async def fill(self, segments: AsyncGenerator[moving_pb2.CourseSegment, None]) -> None:
        """Take segments as they are heard."""
        try:
            async with aclosing(segments):
                async for segment in segments:
                    self._segments[segment.number] = segment
                    self._news.set()
        finally:
            self._has_ended = True
            self._news.set()

    async def take(self) -> list[moving_pb2.CourseSegment]:
        """Wait for segments that are due, and return them; return none after the last ones."""
        while not (self._has_ended or self._is_due):
            self._news.clear()
            await self._news.wait()
        taken, self._segments = list(self._segments.values()), {}
        return taken

    @property
    def _is_due(self) -> bool:
        is_wanted = bool(self._segments) and self._newest.has_room
        return is_wanted or len(self._segments) >= _MAX_HELD_SEGMENTS


async def _frame_requests(
    frames: moving_pb2.FrameOptions, course: _Course, newest: _NewestResponse
) -> AsyncGenerator[image_pb2.StreamImagesRequest, None]:
    yield image_pb2.StreamImagesRequest(config=image_pb2.MovingConfig(frames=frames))
    held = _HeldSegments(newest)
    filling = asyncio.create_task(held.fill(course.segments()))
    try:
        while segments := await held.take():
            for segment in segments:
                yield image_pb2.StreamImagesRequest(segment=segment)
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
