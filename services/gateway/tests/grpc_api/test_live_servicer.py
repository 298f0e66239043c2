"""Images of live audio over gRPC."""

from __future__ import annotations

import grpc
import pytest

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import live_service_pb2 as live_pb2
from chladni.gateway.v1 import live_service_pb2_grpc as live_grpc
from chladni.generation.v1 import moving_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error


def config(**frames):
    return live_pb2.StreamImagesRequest(
        config=live_pb2.LiveImagesConfig(
            pcm=audio_pb2.PcmConfig(
                sample_rate_hz=16000, channel_count=1, encoding=media_pb2.PCM_ENCODING_INT16
            ),
            frames=moving_pb2.FrameOptions(**frames),
        )
    )


async def responses_to(gateway, *messages):
    async def requests():
        for message in messages:
            yield message

    stub = live_grpc.LiveServiceStub(gateway.channel)
    return [response async for response in stub.StreamImages(requests())]


async def test_audio_moves_images(backends, gateway):
    stub = live_grpc.LiveServiceStub(gateway.channel)
    call = stub.StreamImages()
    await call.write(config(seed=4, width_pixels=64, height_pixels=64))
    ready = (await call.read()).ready
    assert (ready.seed, ready.width_pixels) == (4, 64)
    for number in range(2):
        await call.write(live_pb2.StreamImagesRequest(pcm=bytes(3200)))
        frame = (await call.read()).frame
        assert frame.index == number
        assert frame.image.content
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert backends.audio_features.received_bytes == 6400


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], Reason.INVALID_FIELD),
        ([live_pb2.StreamImagesRequest(pcm=b"\0\0")], Reason.INVALID_FIELD),
        ([config(), config()], Reason.INVALID_FIELD),
    ],
)
async def test_messages_in_the_wrong_order_are_refused(backends, gateway, messages, reason):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await responses_to(gateway, *messages)
    assert from_rpc_error(caught.value).reason is reason


async def test_a_failing_service_is_named(backends, gateway):
    await backends.servers["audio-features"].kill()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await responses_to(gateway, config(), live_pb2.StreamImagesRequest(pcm=bytes(3200)))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
