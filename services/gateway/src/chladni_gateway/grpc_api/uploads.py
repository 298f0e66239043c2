"""Files that come in pieces over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

from chladni.gateway.v1 import creation_pb2
from chladni_gateway.domain.request import CreationRequest
from chladni_runtime.server.validation import read_first, read_piece

_MAX_PIECE_BYTES: Final = 2**20


async def first_creation(requests: AsyncIterator[Any]) -> creation_pb2.CreateImageRequest:
    """Return what the first message of an upload asks for.

    Raises:
        InvalidInputError: There is none, or it holds something else.
    """
    return creation_of(await anext(requests, None))


def creation_of(message: Any) -> creation_pb2.CreateImageRequest:
    """Return what the first message of an upload asks for; `None` stands for an upload without messages.

    Raises:
        InvalidInputError: There is no message, or it holds something else.
    """
    creation: creation_pb2.CreateImageRequest = read_first(message, field="creation")
    return creation


async def file_pieces(requests: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    """Yield the pieces of the file that the messages after the first hold.

    Raises:
        InvalidInputError: One holds none, or a piece that is too large.
    """
    async for request in requests:
        yield read_piece(request, field="content", max_bytes=_MAX_PIECE_BYTES)


def with_some_content(asked: CreationRequest) -> CreationRequest:
    """Return a request as if its file had come, so that the rest of it can be checked before that."""
    return replace(asked, clip=replace(asked.clip, content=b"file"))
