"""What goes from one service to the other, and the response that a slow caller gets next."""

from __future__ import annotations

import asyncio

import pytest

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.generation.v1 import generation_pb2, moving_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.media.v1 import media_pb2
from chladni_gateway.backends.live_images import LiveImageClient, _NewestResponse
from chladni_runtime.execution.deadlines import Deadline


def ready():
    return image_pb2.StreamImagesResponse(ready=moving_pb2.FramesReady(seed=1))


def frame(index, skipped=0):
    return image_pb2.StreamImagesResponse(frame=moving_pb2.Frame(index=index, skipped_frames=skipped))


def heartbeat():
    return image_pb2.StreamImagesResponse(heartbeat=generation_pb2.Heartbeat())


async def taken(newest):
    newest.end(None)
    return [response async for response in _all(newest)]


async def _all(newest):
    while (response := await newest.take()) is not None:
        yield response


async def test_of_the_frames_that_wait_the_newest_is_taken_and_the_others_are_counted():
    newest = _NewestResponse()
    newest.put(ready())
    for index in range(4):
        newest.put(frame(index, skipped=2))
    first, last = await taken(newest)
    assert first.HasField("ready")
    assert (last.frame.index, last.frame.skipped_frames) == (3, 2 + 3)


async def test_frames_that_are_taken_in_time_are_all_there():
    newest = _NewestResponse()
    for index in range(3):
        newest.put(frame(index))
        assert (await newest.take()).frame.index == index
    newest.put(frame(3))
    assert (await newest.take()).frame.skipped_frames == 0


async def test_a_sign_of_life_gives_way_to_a_frame_and_never_replaces_one():
    newest = _NewestResponse()
    newest.put(heartbeat())
    newest.put(frame(0))
    newest.put(heartbeat())
    (only,) = await taken(newest)
    assert only.frame.index == 0
    assert only.frame.skipped_frames == 0


async def test_a_caller_waits_for_what_comes():
    newest = _NewestResponse()
    waiting = asyncio.ensure_future(newest.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    newest.put(frame(5))
    assert (await waiting).frame.index == 5
    newest.end(None)
    assert await newest.take() is None


class AudioFeatures:
    """Answers the first message with a segment, and then says nothing more."""

    config = None
    is_closed = False

    async def forward_stream(self, requests, _deadline):
        try:
            self.config = (await anext(requests)).config
            yield audio_pb2.StreamFeaturesResponse(segment=moving_pb2.CourseSegment())
            await asyncio.Event().wait()
        finally:
            self.is_closed = True


class BusyImageGeneration:
    """Takes no more after the first segment, as a connection whose other end does not read."""

    async def forward_frames(self, requests, _deadline, *, caller):
        await anext(requests)
        await anext(requests)
        yield ready()
        await asyncio.Event().wait()


async def silence():
    yield bytes(2)


def choosing(server, seen=None):
    """Chooses a server, and keeps what it was asked for."""

    async def choose(name, _deadline):
        if seen is not None:
            seen.append(name)
        return "chosen", server

    return choose


def forwarded_with(audio_features, *, frames=None, **pcm):
    return LiveImageClient(audio_features, choosing(BusyImageGeneration())).forward(
        audio_pb2.PcmConfig(sample_rate_hz=16000, encoding=media_pb2.PCM_ENCODING_INT16, **pcm),
        frames or moving_pb2.FrameOptions(),
        silence(),
        Deadline.after(60),
        caller="someone",
    )


async def test_both_services_have_been_left_when_the_caller_is_gone():
    audio_features = AudioFeatures()
    responses = forwarded_with(audio_features)
    await anext(responses)
    await responses.aclose()
    assert audio_features.is_closed


async def config_of(**options):
    audio_features = AudioFeatures()
    responses = forwarded_with(audio_features, **options)
    await anext(responses)
    await responses.aclose()
    return audio_features.config


async def test_the_length_of_segments_is_not_the_callers():
    wanted = audio_pb2.SegmentOptions()
    wanted.segment_duration.FromSeconds(1)
    config = await config_of(segments=wanted)
    assert config.HasField("segments")
    assert not config.segments.HasField("segment_duration")


@pytest.mark.parametrize(
    ("rate", "updates"),
    [(None, None), (4, None), (12, None), (20, 5), (30, 7), (1e9, 7), (float("inf"), None)],
)
async def test_there_is_news_for_each_frame(rate, updates):
    config = await config_of(frames=moving_pb2.FrameOptions(max_frame_rate=rate))
    interval = config.segments.update_interval.ToNanoseconds() if updates else None
    assert config.segments.HasField("update_interval") == (updates is not None)
    assert interval == (round(0.25e9 / updates) if updates else None)


class Singing:
    """Finds as many segments as a test puts into its queue."""

    def __init__(self):
        self.segments = asyncio.Queue()

    async def forward_stream(self, _requests, _deadline):
        while (segment := await self.segments.get()) is not None:
            yield audio_pb2.StreamFeaturesResponse(segment=segment)


class Drawing:
    """Draws a frame of each segment, and keeps what it got."""

    def __init__(self):
        self.model = None
        self.got = []

    async def forward_frames(self, requests, _deadline, *, caller):
        self.model = (await anext(requests)).config.frames.model
        yield ready()
        async for request in requests:
            self.got.append((request.segment.number, request.segment.level))
            yield frame(len(self.got) - 1)


async def settled():
    for _ in range(20):
        await asyncio.sleep(0)


def segment(number, level=0.0):
    return moving_pb2.CourseSegment(number=number, level=level)


async def test_nothing_is_drawn_for_a_caller_who_does_not_read():
    singing, drawing, asked = Singing(), Drawing(), []
    responses = LiveImageClient(singing, choosing(drawing, asked)).forward(
        audio_pb2.PcmConfig(sample_rate_hz=16000, encoding=media_pb2.PCM_ENCODING_INT16),
        moving_pb2.FrameOptions(model="wished"),
        silence(),
        Deadline.after(60),
        caller="someone",
    )
    assert (await anext(responses)).HasField("ready")
    assert (asked, drawing.model) == (["wished"], "chosen")
    singing.segments.put_nowait(segment(0))
    assert (await anext(responses)).frame.index == 0
    for one in (segment(1), segment(2, 0.25), segment(2, 0.5), segment(3)):
        singing.segments.put_nowait(one)
        await settled()
    assert drawing.got == [(0, 0.0), (1, 0.0)]
    assert (await anext(responses)).frame.index == 1
    await settled()
    assert drawing.got[2:] == [(2, 0.5), (3, 0.0)], "none is left out, and the newest of each is sent"
    singing.segments.put_nowait(segment(4))
    singing.segments.put_nowait(None)
    rest = [response.frame.index async for response in responses]
    assert (rest, drawing.got[4:]) == ([3, 4], [(4, 0.0)])


async def test_what_is_kept_for_a_caller_who_does_not_read_is_bounded(monkeypatch):
    monkeypatch.setattr("chladni_gateway.backends.live_images._MAX_HELD_SEGMENTS", 3)
    singing, drawing = Singing(), Drawing()
    responses = LiveImageClient(singing, choosing(drawing)).forward(
        audio_pb2.PcmConfig(), moving_pb2.FrameOptions(), silence(), Deadline.after(60), caller="someone"
    )
    await anext(responses)
    for number in range(6):
        singing.segments.put_nowait(segment(number))
        await settled()
    assert [number for number, _ in drawing.got] == [0, 1, 2, 3]
    await responses.aclose()
