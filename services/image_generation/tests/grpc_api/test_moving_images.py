"""StreamImages over a real loopback server with a tiny model."""

from __future__ import annotations

import asyncio

import grpc
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

from chladni.generation.v1 import moving_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc
from chladni.media.v1 import media_pb2
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_fakes.loopback import loopback_service
from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(tiny_model_directory):
    settings = ImageGenerationSettings(
        model=str(tiny_model_directory), thread_count=1, max_live_streams=2, heartbeat_seconds=0.2
    )
    async with loopback_service(compose(settings), service_names=SERVICE_NAMES) as (_, channel):
        yield image_generation_service_pb2_grpc.ImageGenerationServiceStub(channel)


def config(**frames):
    sizes = {"width_pixels": 64, "height_pixels": 64, "seed": 3} | frames
    return image_pb2.StreamImagesRequest(
        config=image_pb2.MovingConfig(frames=moving_pb2.FrameOptions(**sizes))
    )


def segment(number, *, values=8, overall=24, heard=None, level=0.5):
    milliseconds = 250 * (number + 1) if heard is None else heard
    return image_pb2.StreamImagesRequest(
        segment=moving_pb2.CourseSegment(
            number=number,
            course=[0.5] * values,
            overall=[0.5] * overall,
            heard=Duration(nanos=milliseconds % 1000 * 1_000_000, seconds=milliseconds // 1000),
            level=level,
        )
    )


async def responses_to(stub, *messages):
    async def requests():
        for message in messages:
            yield message

    return [response async for response in stub.StreamImages(requests())]


async def test_frames_follow_the_segments(stub):
    call = stub.StreamImages()
    await call.write(config())
    ready = (await call.read()).ready
    assert (ready.seed, ready.width_pixels, ready.height_pixels) == (3, 64, 64)
    assert ready.window_duration.ToMilliseconds() == 4000
    times = []
    for number in range(3):
        await call.write(segment(number))
        frame = await _next_frame(call)
        assert frame.index == number
        assert frame.image.content.startswith(b"\xff\xd8")
        assert frame.image.format == media_pb2.IMAGE_FORMAT_JPEG
        times.append(frame.time.ToMilliseconds())
    assert times == [250, 500, 750]
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def _next_frame(call):
    while (response := await call.read()) is not grpc.aio.EOF:
        if response.HasField("frame"):
            return response.frame
    raise AssertionError("the stream ended")


async def test_the_last_moment_is_drawn_whatever_was_left_out(stub):
    responses = await responses_to(stub, config(), *map(segment, range(12)))
    frames = [response.frame for response in responses if response.HasField("frame")]
    assert frames[-1].time.ToMilliseconds() == 3000
    assert len(frames) < 12
    assert frames[-1].skipped_frames > 0


async def test_the_same_segments_give_the_same_frames(stub):
    encoding = media_pb2.ImageEncoding(format=media_pb2.IMAGE_FORMAT_PNG)
    first, second = [await responses_to(stub, config(encoding=encoding), segment(0)) for _ in range(2)]
    assert first[-1].frame.image.content.startswith(b"\x89PNG")
    assert first[-1].frame.image.content == second[-1].frame.image.content


async def test_any_rate_above_zero_is_one(stub):
    responses = await responses_to(stub, config(max_frame_rate=0.01), segment(0))
    assert responses[-1].HasField("frame")


async def test_a_silent_stream_shows_that_it_lives(stub):
    call = stub.StreamImages()
    await call.write(config())
    assert (await call.read()).HasField("ready")
    assert (await call.read()).HasField("heartbeat")
    call.cancel()


async def test_there_is_a_limit_which_left_streams_do_not_count_for(stub):
    calls = [stub.StreamImages() for _ in range(2)]
    for call in calls:
        await call.write(config())
        await call.read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await responses_to(stub, config())
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    for call in calls:
        call.cancel()
    for _ in range(50):
        await asyncio.sleep(0.02)
        try:
            await responses_to(stub, config())
        except grpc.aio.AioRpcError:
            continue
        return
    raise AssertionError("a place was never free again")


@pytest.mark.parametrize(
    ("messages", "reason", "field"),
    [
        ([segment(0)], Reason.MISSING_FIELD, "config"),
        ([config(), config()], Reason.MISSING_FIELD, "segment"),
        ([config(width_pixels=65)], Reason.INVALID_FIELD, "config.frames.width_pixels"),
        ([config(max_frame_rate=99)], Reason.INVALID_FIELD, "config.frames.max_frame_rate"),
        ([config(max_frame_rate=0)], Reason.INVALID_FIELD, "config.frames.max_frame_rate"),
        ([config(max_frame_rate=float("nan"))], Reason.INVALID_FIELD, "config.frames.max_frame_rate"),
        ([config(seed=-1)], Reason.INVALID_FIELD, "config.frames.seed"),
        ([config(look="moss")], Reason.INVALID_FIELD, "config.frames.look"),
        ([config(), segment(0, values=7)], Reason.INVALID_FIELD, "segment.course"),
        ([config(), segment(0, overall=23)], Reason.INVALID_FIELD, "segment.overall"),
        ([config(), segment(0, level=2)], Reason.INVALID_FIELD, "segment.level"),
        ([config(), segment(0, heard=3_600_001)], Reason.INVALID_FIELD, "segment.heard"),
        ([config(), segment(5), segment(4, heard=1500)], Reason.INVALID_FIELD, "segment.number"),
        ([config(), segment(0), segment(0, heard=100)], Reason.INVALID_FIELD, "segment.number"),
    ],
)
async def test_faulty_messages_are_refused_with_their_fields(stub, messages, reason, field):
    for _ in range(20):  # Places of streams that were just left are free at once, but not sooner.
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await responses_to(stub, *messages)
        error = from_rpc_error(caught.value)
        if error.reason is not Reason.QUEUE_FULL:
            break
        await asyncio.sleep(0.05)
    assert error.reason is reason
    assert [violation.field for violation in error.violations] == [field]
