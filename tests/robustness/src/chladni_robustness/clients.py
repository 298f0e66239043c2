"""Clients: honest ones that record what they see, and rude ones that do harm."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from contextlib import suppress
from typing import Any, Final

import grpc

from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as image_grpc
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_robustness.history import End, History, Seen

_TIMEOUT_SECONDS: Final = 60.0
_STEPS: Final = (4, 8, 20)
_SEEDS: Final = 4
_CREATE_IMAGE: Final = "/chladni.gateway.v1.ImageService/CreateImage"


async def create(
    channel: grpc.aio.Channel, audio: bytes, history: History, *, cancel_after: float | None = None
) -> None:
    """Ask for the image that a history names, and record what comes.

    Args:
        channel: Channel to the gateway.
        audio: The recording.
        history: Takes what is seen; its content is ``steps/seed``.
        cancel_after: Seconds after which the call is cancelled; `None` for never.
    """
    steps, seed = map(int, history.content.split("/"))
    request = creation_pb2.CreateImageRequest(
        audio=media_pb2.AudioClip(content=audio),
        options=generation_pb2.GenerationOptions(
            steps=steps, seed=seed, width_pixels=256, height_pixels=256, bypass_cache=True
        ),
    )
    call = image_grpc.ImageServiceStub(channel).CreateImage(request, timeout=_TIMEOUT_SECONDS)
    cancelling = asyncio.create_task(_cancel_later(call, history, cancel_after))
    try:
        async for event in call:
            _record(history, event)
        history.end = End.CREATED
    except grpc.aio.AioRpcError as error:
        is_cancelled = error.code() is grpc.StatusCode.CANCELLED and history.cancelled_at is not None
        history.end = End.CANCELLED if is_cancelled else End.REFUSED
        history.code, history.detail = error.code().name, error.details() or ""
    except asyncio.CancelledError:
        history.end = End.CANCELLED
        if history.cancelled_at is None:
            raise
    finally:
        cancelling.cancel()


async def _cancel_later(call: Any, history: History, seconds: float | None) -> None:
    if seconds is not None:
        await asyncio.sleep(seconds)
        history.cancelled_at = time.monotonic()
        call.cancel()


def _record(history: History, event: creation_pb2.CreateImageResponse) -> None:
    name = event.WhichOneof("event") or "none"
    if name == "heartbeat":
        return
    step = event.progress.step if name == "progress" else 0
    history.seen.append(Seen(name, time.monotonic(), step))
    if name == "created":
        history.digest = hashlib.sha256(event.created.file.content).hexdigest()


def draw_content(drawn: random.Random) -> str:
    """Return what to ask for: few different things, so that many are asked for twice."""
    return f"{drawn.choice(_STEPS)}/{drawn.randrange(_SEEDS)}"


async def hold_streams(address: str, *, count: int, seconds: float) -> None:
    """Open streams of headers alone, and hold them."""
    async with grpc.aio.insecure_channel(address) as channel:
        raw: Any = channel
        streams = [raw.stream_stream(_CREATE_IMAGE)() for _ in range(count)]
        await asyncio.sleep(seconds)
        for stream in streams:
            stream.cancel()


async def hold_sockets(address: str, *, count: int, seconds: float, content: bytes = b"") -> None:
    """Open sockets, send a beginning, and hold them without reading."""
    host, port = address.rsplit(":", 1)
    writers = []
    with suppress(OSError):
        for _ in range(count):
            _, writer = await asyncio.open_connection(host, int(port))
            transport: Any = writer.transport
            transport.pause_reading()
            writer.write(content)
            writers.append(writer)
    await asyncio.sleep(seconds)
    for writer in writers:
        writer.transport.abort()
