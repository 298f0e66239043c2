"""The last part of a request's way: its pixels become a file that says how it was made."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import FaultError, Reason
from chladni_image_generation.engine.cache import FinishedImage
from chladni_image_generation.generation import PNG, Completed
from chladni_image_generation.image_codec import encode_image, transcode_png
from chladni_image_generation.vector_codec import encode_vector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chladni_contract.errors import ChladniError
    from chladni_contract.provenance import Provenance
    from chladni_image_generation.engine.cache import ImageCache
    from chladni_image_generation.engine.provenance import ProvenanceRecorder
    from chladni_image_generation.engine.tracking import TrackedRequest
    from chladni_image_generation.generation import ImageEncoding
    from chladni_runtime.execution.deadlines import Clock

_ENCODING_THREADS: Final = 2

_log = logging.getLogger(__name__)


class OutputEncoder:
    """An encoder of images on threads of its own, while the model works on other requests.

    Args:
        recorder: Writes the provenance.
        cache: Keeps the images for identical requests.
        clock: The engine's clock.
        png_compression_level: Effort to make PNG files small, 0 to 9.
    """

    def __init__(
        self,
        recorder: ProvenanceRecorder,
        *,
        cache: ImageCache,
        clock: Clock,
        png_compression_level: int,
    ) -> None:
        self._recorder = recorder
        self._cache = cache
        self._clock = clock
        self._png_compression_level = png_compression_level
        self._threads = ThreadPoolExecutor(_ENCODING_THREADS, thread_name_prefix="encoder")

    async def close(self) -> None:
        """Wait for the threads to end."""
        await asyncio.to_thread(self._threads.shutdown)

    async def encode(self, tracked: TrackedRequest, pixels: NDArray[np.uint8]) -> Completed | ChladniError:
        """Return what every caller of the request gets for its RGB pixels (H, W, 3).

        It is a PNG if several callers, or later ones, may get it, each in an encoding of their own: see
        `convert`.
        """
        encoding = PNG if tracked.key else tracked.encoding
        provenance = self._recorder.record(tracked.execution)
        loop = asyncio.get_running_loop()
        started_at = self._clock()
        try:
            content = await loop.run_in_executor(
                self._threads, self._file_of, tracked, pixels, provenance, encoding
            )
        except Exception:  # noqa: BLE001 - whatever happened, the callers hear of it
            _log.exception("an image could not be encoded")
            return _encoding_error()
        tracked.telemetry.record_stage("encode", started_at, self._clock())
        if tracked.key and not any(map(tracked.sizes.is_halved, tracked.execution.batch_sizes)):
            self._cache.put(tracked.key, FinishedImage(content, provenance, tracked.execution.total_steps))
        queue_seconds = tracked.begun_at - tracked.arrived_at
        return Completed(
            content, provenance, queue_seconds, self._clock() - tracked.begun_at, encoding=encoding
        )

    def _file_of(
        self,
        tracked: TrackedRequest,
        pixels: NDArray[np.uint8],
        provenance: Provenance,
        encoding: ImageEncoding,
    ) -> bytes:
        if not encoding.format.is_vector:
            return encode_image(pixels, provenance, encoding, self._png_compression_level)
        sampler = tracked.execution.sampler
        if sampler is None or sampler.draw is None:
            raise ValueError(f"there are no shapes of the look {tracked.request.look!r}")
        return encode_vector(sampler.draw(), provenance, encoding.format)

    async def convert(self, completed: Completed, encoding: ImageEncoding) -> Completed:
        """Return an image in the encoding that one of its callers wants.

        Raises:
            FaultError: It cannot be encoded.
        """
        if completed.encoding == encoding:
            return completed
        loop = asyncio.get_running_loop()
        try:
            content = await loop.run_in_executor(
                self._threads, transcode_png, completed.content, completed.provenance, encoding
            )
        except Exception as error:
            _log.exception("an image could not be encoded")
            raise _encoding_error() from error
        return replace(completed, content=content, encoding=encoding)


def _encoding_error() -> FaultError:
    return FaultError(Reason.INTERNAL, "The image could not be encoded.")
