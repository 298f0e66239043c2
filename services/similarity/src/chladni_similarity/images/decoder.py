"""Decoding that its caller can leave: images that take long are decoded in a process of their own."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Final, Protocol, Self

from chladni_contract.errors import InvalidInputError
from chladni_runtime.execution.process_pool import (
    ProcessEndedError,
    ProcessLimits,
    ProcessPool,
    ProcessTimeoutError,
)
from chladni_similarity.images.decoding import (
    ImageFormat,
    Pixels,
    check_image,
    decode_checked_image,
    invalid_image,
)

if TYPE_CHECKING:
    from chladni_runtime.execution.cancellation import CancellationToken

_LONG_WORK_PIXELS: Final = 20_000_000
"""Pixels that a thread decodes in a few tenths of a second, which nobody has to interrupt."""
_LIMITS: Final = ProcessLimits(cpu_seconds=20.0, wall_seconds=60.0, memory_bytes=1024**3)


class Decode(Protocol):
    """A function that returns the pixels of an encoded image, as `decode_image` does."""

    def __call__(
        self, content: bytes, image_format: ImageFormat, *, field: str, max_side_pixels: int
    ) -> Pixels:
        """Return the pixels."""
        ...


class ImageDecoder:
    """Decodes images, those that take long in a process that ends when the result is no longer wanted.

    Use as a context manager. The process is started for the first image that needs it.
    """

    def __init__(self) -> None:
        self._processes = ProcessPool(
            1, limits=_LIMITS, modules=(decode_checked_image.__module__,), result_types=(InvalidInputError,)
        )

    @property
    def replaced_count(self) -> int:
        """Processes that were replaced since the start."""
        return self._processes.replaced_count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()

    def decode(
        self,
        token: CancellationToken,
        content: bytes,
        image_format: ImageFormat,
        *,
        field: str,
        max_side_pixels: int,
    ) -> Pixels:
        """Return the pixels of an image.

        Args:
            token: Whether the result is still wanted.
            content: Bytes of the file.
            image_format: Its format.
            field: Path of the field that holds them, for error messages.
            max_side_pixels: Width and height at most.

        Raises:
            InvalidInputError: It cannot be decoded, or takes too long.
            ChladniError: The result is not wanted any more.
        """
        work = check_image(content, image_format, field=field, max_side_pixels=max_side_pixels)
        if work <= _LONG_WORK_PIXELS:
            return decode_checked_image(content, image_format, field=field)
        try:
            return self._processes.run(
                decode_buffer, pickle.PickleBuffer(content), image_format, field, token=token
            )
        except ProcessTimeoutError as error:
            raise invalid_image(field, f"takes more than {error.limit_seconds:g} s to decode.") from error
        except (ProcessEndedError, MemoryError) as error:
            raise invalid_image(field, "cannot be decoded.") from error


def decode_buffer(content: memoryview, image_format: ImageFormat, field: str) -> Pixels:
    """Return the pixels of a checked image whose bytes are in shared memory."""
    return decode_checked_image(bytes(content), image_format, field=field)
