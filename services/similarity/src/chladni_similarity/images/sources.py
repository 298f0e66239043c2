"""Images as requests bring them: encoded, or as pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from chladni_similarity.images.decoder import Decode
from chladni_similarity.images.decoding import (
    ImageFormat,
    ImageLimits,
    Pixels,
    decode_image,
    recognise_format,
)


class ImageSource(Protocol):
    """An image whose pixels are to be had at some cost."""

    def file_digest(self) -> bytes | None:
        """Return the digest that identifies a file; `None` for an image that is no file.

        Raises:
            InvalidInputError: The file cannot be an image.
        """
        ...

    def pixels(self, decode: Decode = decode_image) -> Pixels:
        """Return the pixels.

        Args:
            decode: Decodes the image if it is a file.

        Raises:
            InvalidInputError: The file cannot be decoded.
        """
        ...


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image as the bytes of a file.

    Attributes:
        content: The file's bytes.
        field: Path of the field that holds them, for error messages.
        limits: Limits that it must keep.
    """

    content: bytes
    field: str
    limits: ImageLimits

    def file_digest(self) -> bytes:
        """Return the SHA-256 of the file, once its size and format are seen to be right."""
        self._format()
        return hashlib.sha256(self.content).digest()

    def pixels(self, decode: Decode = decode_image) -> Pixels:
        """Return the decoded pixels."""
        return decode(
            self.content, self._format(), field=self.field, max_side_pixels=self.limits.max_side_pixels
        )

    def _format(self) -> ImageFormat:
        return recognise_format(
            self.content,
            field=self.field,
            max_bytes=self.limits.max_bytes,
        )


@dataclass(frozen=True, slots=True, eq=False)
class RawImage:
    """An image as its pixels.

    Attributes:
        values: (3, H, W) RGB, 8 bits.
    """

    values: Pixels

    def file_digest(self) -> None:
        """Return nothing: this is no file."""
        return

    def pixels(self, _decode: Decode = decode_image) -> Pixels:
        """Return the pixels, not copied."""
        return self.values
