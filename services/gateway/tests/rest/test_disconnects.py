"""Clients that leave at any moment: an everyday event, and no fault of the server."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
from contextlib import suppress

import grpc
import pytest

from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2 as image_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as image_grpc
from chladni.gateway.v1 import job_service_pb2 as job_pb2
from chladni.gateway.v1 import job_service_pb2_grpc as job_grpc
from chladni.media.v1 import media_pb2

BODY = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nRIFF....WAVE\r\n--b--\r\n'
FORM = b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n" % len(BODY)
HOST = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n"
LIVE = (
    b"GET /api/v1/live" + HOST + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_bytes", "waits_for"),
    [
        (b"GET /api/v1/limits HTTP/1.1\r\nHost", b""),
        (b"POST /api/v1/generate" + HOST + FORM + BODY[:20], b""),
        (b"POST /api/v1/generate" + HOST + FORM + BODY, b""),
        (b"POST /api/v1/generate" + HOST + b"Accept: text/event-stream\r\n" + FORM + BODY, b"started"),
        (b"POST /api/v1/spectrogram" + HOST + FORM + BODY, b""),
        (b"POST /api/v1/compare" + HOST + b"Content-Length: 100\r\n\r\n{", b""),
        (LIVE, b"101"),
        (LIVE + b"\x81", b"101"),
    ],
)
@pytest.mark.parametrize("is_reset", [False, True])
async def test_a_client_that_leaves_is_no_error(
    backends, gateway, caplog, request_bytes, waits_for, is_reset, eventually
):
    caplog.set_level(logging.INFO)
    backends.image_generation.may_go_on.clear()
    backends.audio_features.may_go_on.clear() if not waits_for else None
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.http_port)
    writer.write(request_bytes)
    if waits_for:
        await asyncio.wait_for(reader.readuntil(waits_for), 10)
    await asyncio.sleep(0.05)
    writer.transport.abort() if is_reset else writer.close()
    await asyncio.sleep(0.2)
    backends.audio_features.may_go_on.set()
    backends.image_generation.may_go_on.set()
    await eventually(lambda: backends.image_generation.running == 0)
    await asyncio.sleep(0.1)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_calls_that_are_cancelled_at_any_moment_are_no_errors(backends, gateway, caplog, eventually):
    caplog.set_level(logging.INFO)
    drawn = random.Random(5)
    image = creation_pb2.CreateImageRequest(audio=media_pb2.AudioClip(content=b"RIFF....WAVEfmt "))

    async def one():
        async with grpc.aio.insecure_channel(gateway.grpc_address) as channel:
            images = image_grpc.ImageServiceStub(channel)
            jobs = job_grpc.JobServiceStub(channel)
            call = drawn.choice(
                [
                    lambda: images.CreateImage(image),
                    lambda: images.ListImages(image_pb2.ListImagesRequest()),
                    lambda: jobs.CreateJob(job_pb2.CreateJobRequest(creation=image)),
                ]
            )()
            await asyncio.sleep(drawn.random() * 0.05)
            call.cancel()
            with suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await call.code()

    for _ in range(4):
        await asyncio.gather(*(one() for _ in range(15)))
    await eventually(lambda: backends.image_generation.running == 0)
    await asyncio.sleep(0.2)
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
