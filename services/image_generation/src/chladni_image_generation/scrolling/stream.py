"""Frames of audio that lasts: each shows the newest moment that was heard when its turn came.

Segments come faster than frames can be drawn, or a reader takes frames slower than they are drawn. Either way
moments in between are left out and counted; nothing is kept for later, so memory stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from chladni_image_generation.generation import Completed, GenerationRequest
from chladni_image_generation.scrolling.scene import ScrollingScene
from chladni_image_generation.scrolling.timeline import TimedSegment
from chladni_runtime.execution.deadlines import Clock

LATE_SECONDS: Final = 0.3
"""A frame that is done so long after its moment was heard is late."""

_DUE_SHARE: Final = 0.9
"""Part of a frame's interval after which the next one is due: moments are heard at intervals of their own."""

Draw = Callable[[GenerationRequest], Awaitable[Completed]]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment up to which the audio was heard.

    Attributes:
        time_seconds: The moment, from the beginning of the audio.
        level: How loud it was, 0 to 1; `None` if the course says.
        arrived_at: When it was heard of, on the clock of the stream.
    """

    time_seconds: float
    level: float | None
    arrived_at: float


@dataclass(frozen=True, slots=True)
class StreamedFrame:
    """One frame of a stream.

    Attributes:
        index: Number of the frame, from 0.
        moment: What its right edge shows.
        image: The image.
        skipped_frames: Frames that were due so far and left out.
        late_frames: Frames so far that were late.
        delay_seconds: Time from when its moment was heard of to when it was done.
    """

    index: int
    moment: Moment
    image: Completed
    skipped_frames: int
    late_frames: int
    delay_seconds: float


@dataclass(slots=True)
class FrameStream:
    """The frames of one stream of segments, on one event loop.

    Attributes:
        scene: Takes the segments.
        clock: Monotonic clock in seconds.
        max_frame_rate: Most frames in a second of audio.
    """

    scene: ScrollingScene
    clock: Clock
    max_frame_rate: float
    _newest: Moment | None = None
    _has_ended: bool = False
    _error: Exception | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, segment: TimedSegment, *, heard_seconds: float, level: float | None) -> None:
        """Add a segment, or more of the newest one, which was heard up to a moment.

        Raises:
            ValueError: The segment or the moment is older than one before.
        """
        if self._newest is not None and heard_seconds < self._newest.time_seconds:
            raise ValueError(
                f"a segment was heard up to {heard_seconds:g} s, after one up to "
                f"{self._newest.time_seconds:g} s"
            )
        self.scene.put(segment)
        self._newest = Moment(heard_seconds, level, self.clock())
        self._news.set()

    def end(self, error: Exception | None = None) -> None:
        """Note that no more segments come, and why if something is wrong."""
        self._has_ended, self._error = True, error
        self._news.set()

    async def frames(self, draw: Draw) -> AsyncGenerator[StreamedFrame, None]:
        """Yield a frame of the newest moment whenever one is due, until the audio ends.

        Args:
            draw: Returns the image of a request.

        Raises:
            Exception: That with which the segments ended.
        """
        index, skipped, late = 0, 0, 0
        last: Moment | None = None
        interval_seconds = 1 / self.max_frame_rate
        while True:
            moment = await self._next_moment(last, _DUE_SHARE * interval_seconds)
            if moment is None:
                return
            if last is not None:
                due = round((moment.time_seconds - last.time_seconds) * self.max_frame_rate)
                skipped += max(0, due - 1)
            last = moment
            image = await draw(self.scene.request(moment.time_seconds, level=moment.level))
            delay_seconds = self.clock() - moment.arrived_at
            late += delay_seconds > LATE_SECONDS
            yield StreamedFrame(index, moment, image, skipped, late, delay_seconds)
            index += 1

    async def _next_moment(self, last: Moment | None, least_distance_seconds: float) -> Moment | None:
        """Wait for a moment so far after the last one; return `None` at the end."""
        while True:
            if self._error is not None:
                raise self._error
            newest = self._newest
            if newest is not None and newest is not last:
                is_due = last is None or newest.time_seconds - last.time_seconds >= least_distance_seconds
                if is_due or self._has_ended:
                    return newest
            if self._has_ended:
                return None
            self._news.clear()
            await self._news.wait()
