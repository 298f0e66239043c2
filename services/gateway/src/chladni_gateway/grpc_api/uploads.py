"""Files that come in pieces over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

from chladni.gateway.v1 import creation_pb2
from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.request import CreationRequest

_MAX_PIECE_BYTES: Final = 2**20


async def first_creation(requests: AsyncIterator[Any]) -> creation_pb2.CreateImageRequest:
    """Return what the first message of an upload asks for.

    Raises:
        InvalidInputError: There is none, or it holds something else.
    """
    request = await anext(requests, None)
    if request is None or request.WhichOneof("payload") != "creation":
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            "The first message must hold creation; send it before content.",
            field="creation",
        )
    creation: creation_pb2.CreateImageRequest = request.creation
    return creation


async def file_pieces(requests: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    """Yield the pieces of the file that the messages after the first hold.

    Raises:
        InvalidInputError: One holds none, or a piece that is too large.
    """
    async for request in requests:
        if request.WhichOneof("payload") != "content":
            raise InvalidInputError(
                Reason.INVALID_FIELD, "Messages after the first one must hold content.", field="content"
            )
        if len(request.content) > _MAX_PIECE_BYTES:
            raise InvalidInputError(
                Reason.FILE_TOO_LARGE,
                f"content holds {len(request.content)} bytes, at most {_MAX_PIECE_BYTES} are allowed in a "
                "message; send it in several.",
                field="content",
                metadata={"size_bytes": len(request.content), "max_bytes": _MAX_PIECE_BYTES},
            )
        yield request.content


def with_some_content(asked: CreationRequest) -> CreationRequest:
    """Return a request as if its file had come, so that the rest of it can be checked before that."""
    return replace(asked, clip=replace(asked.clip, content=b"file"))
