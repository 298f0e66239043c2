"""The response that a slow caller gets next."""

from __future__ import annotations

import asyncio

from chladni.generation.v1 import generation_pb2, moving_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni_gateway.backends.live_images import _NewestResponse


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
