"""The provenance inside a PNG, read without a server.

PNG (https://www.w3.org/TR/png-3/) is a sequence of chunks: length, type, data, CRC-32. The provenance is
JSON in a text chunk (``tEXt``, ``zTXt`` or ``iTXt``) with the keyword ``chladni``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from chladni_client.errors import ProvenanceError
from chladni_client.files import FileSource, Upload, read_upload
from chladni_contract.provenance import PNG_KEYWORD, Provenance
from chladni_contract.provenance_messages import parse_provenance

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_MAX_TEXT_BYTES: Final = 1024 * 1024


def read_provenance(source: FileSource) -> Provenance:
    """Return how an image was made.

    Args:
        source: A PNG: its path, its bytes, or an open binary file.

    Raises:
        ProvenanceError: It is not a PNG, is damaged, or carries no provenance.
        OSError: The file cannot be read.
    """
    return provenance_of(read_upload(source))


def provenance_of(upload: Upload) -> Provenance:
    """Return how an image was made, as `read_provenance` does, from a file that has been read.

    Raises:
        ProvenanceError: It is not a PNG, is damaged, or carries no provenance.
    """
    name = upload.display_name or "The image"
    if not upload.content.startswith(_SIGNATURE):
        raise ProvenanceError(
            f"{name} is not a PNG; only the PNG files that Chladni writes tell how they were made.",
            reason="INVALID_IMAGE",
        )
    try:
        text = next(_texts(upload.content), None)
        if text is None:
            raise ProvenanceError(
                f"{name} carries no provenance: it was not made by Chladni, or another program has "
                "rewritten it without its text.",
                reason="NO_PROVENANCE",
            )
        return parse_provenance(text)
    except (struct.error, zlib.error, ValueError) as error:
        raise ProvenanceError(
            f"{name} is damaged: its provenance cannot be read.", reason="INVALID_IMAGE"
        ) from error


def _texts(png: bytes) -> Iterator[str]:
    for kind, data in _chunks(png):
        keyword, _, rest = data.partition(b"\0")
        if keyword != PNG_KEYWORD.encode():
            continue
        if kind == b"tEXt":
            yield rest.decode("latin-1")
        elif kind == b"zTXt":  # one byte names the compression, of which there is one
            yield _inflate(rest[1:]).decode("latin-1")
        elif kind == b"iTXt":
            is_compressed = rest[0:1] == b"\x01"
            _language, _translated, text = rest[2:].split(b"\0", 2)
            yield (_inflate(text) if is_compressed else text).decode("utf-8")


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = len(_SIGNATURE)
    while offset < len(png):
        length, kind = struct.unpack_from(">I4s", png, offset)
        data = png[offset + 8 : offset + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, offset + 8 + length)
        if kind in {b"tEXt", b"zTXt", b"iTXt"}:
            if zlib.crc32(kind + data) != checksum:
                raise ValueError("the checksum of a text chunk is wrong")
            yield kind, data
        offset += 12 + length


def _inflate(data: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    text = decompressor.decompress(data, _MAX_TEXT_BYTES)
    if not decompressor.eof:
        raise ValueError("a text chunk is incomplete or too long")
    return text
