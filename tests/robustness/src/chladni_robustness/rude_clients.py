"""Clients that do harm."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

import grpc

_CREATE_IMAGE: Final = "/chladni.gateway.v1.ImageService/CreateImage"


async def hold_streams(address: str, *, count: int, seconds: float) -> None:
    """Open streams of headers alone, and hold them."""
    async with grpc.aio.insecure_channel(address) as channel:
        raw: Any = channel
        streams = [raw.stream_stream(_CREATE_IMAGE)() for _ in range(count)]
        await asyncio.sleep(seconds)
        for stream in streams:
            stream.cancel()


async def hold_sockets(
    address: str, *, count: int, seconds: float, content: bytes = b"", is_half_open: bool = False
) -> None:
    """Open sockets, send a beginning, and hold them without reading.

    Args:
        address: ``host:port``.
        count: How many.
        seconds: For how long.
        content: The beginning.
        is_half_open: Whether the sending side is ended then.
    """
    host, port = address.rsplit(":", 1)
    writers = []
    with suppress(OSError):
        for _ in range(count):
            _, writer = await asyncio.open_connection(host, int(port))
            transport: Any = writer.transport
            transport.pause_reading()
            writer.write(content)
            if is_half_open:
                writer.write_eof()
            writers.append(writer)
    await asyncio.sleep(seconds)
    for writer in writers:
        writer.transport.abort()
