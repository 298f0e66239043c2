"""A stream of frames: the newest moment wins, what is left out is counted, errors end it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_FEATURES
from chladni_contract.provenance import Provenance
from chladni_image_generation.generation import Completed
from chladni_image_generation.scrolling.scene import ScrollingScene
from chladni_image_generation.scrolling.stream import LATE_SECONDS, FrameStream
from chladni_image_generation.scrolling.timeline import TimedSegment


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stream(load_tiny_model, clock):
    return FrameStream(ScrollingScene(load_tiny_model().description), clock, 10.0)


def put(stream, heard, *, number=None, level=None):
    segment = TimedSegment(
        int(heard / 0.25) if number is None else number,
        np.full(len(TEMPORAL_FEATURES), 0.5, np.float32),
        np.full(len(DESCRIPTOR_NAMES), 0.5, np.float32),
    )
    stream.put(segment, heard_seconds=heard, level=level)


def drawing(duration=0.0, clock=None, drawn=None):
    async def draw(request):
        if clock is not None:
            clock.now += duration
        if drawn is not None:
            drawn.append(request)
        await asyncio.sleep(0)
        return Completed(b"image", Provenance.__new__(Provenance), 0.0, 0.0)

    return draw


async def test_each_moment_that_is_due_has_a_frame(stream):
    frames = stream.frames(drawing())
    for index in range(3):
        put(stream, 0.1 * (index + 1), level=0.5)
        frame = await anext(frames)
        assert frame.index == index
        assert frame.moment.time_seconds == pytest.approx(0.1 * (index + 1))
        assert frame.skipped_frames == 0
    stream.end()
    assert [frame async for frame in frames] == []


async def test_the_newest_moment_wins_and_the_others_are_counted(stream):
    frames = stream.frames(drawing())
    put(stream, 0.1)
    await anext(frames)
    for tenth in range(2, 8):
        put(stream, 0.1 * tenth)
    frame = await anext(frames)
    assert frame.moment.time_seconds == pytest.approx(0.7)
    assert frame.skipped_frames == 5


async def test_moments_closer_than_the_rate_wait_except_the_last(stream):
    drawn = []
    put(stream, 0.1)
    frames = stream.frames(drawing(drawn=drawn))
    await anext(frames)
    put(stream, 0.15)
    waiting = asyncio.ensure_future(anext(frames))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    stream.end()
    assert (await waiting).moment.time_seconds == pytest.approx(0.15)
    assert len(drawn) == 2


async def test_late_frames_are_counted(stream, clock):
    frames = stream.frames(drawing(LATE_SECONDS * 1.5, clock))
    put(stream, 0.1)
    frame = await anext(frames)
    assert frame.delay_seconds == pytest.approx(LATE_SECONDS * 1.5)
    assert frame.late_frames == 1


async def test_an_error_of_the_segments_ends_the_frames(stream):
    frames = stream.frames(drawing())
    put(stream, 0.1)
    await anext(frames)
    stream.end(ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        await anext(frames)


async def test_the_past_is_refused(stream):
    put(stream, 0.6)
    with pytest.raises(ValueError, match="after one up to"):
        put(stream, 0.5, number=2)
