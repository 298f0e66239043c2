"""The last part of a request's way: its pixels become a PNG that says how it was made."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import FaultError, Reason
from chladni_image_generation.engine.cache import FinishedImage
from chladni_image_generation.generation import Completed
from chladni_image_generation.image_codec import encode_png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chladni_contract.errors import ChladniError
    from chladni_image_generation.engine.cache import ImageCache
    from chladni_image_generation.engine.provenance import ProvenanceRecorder
    from chladni_image_generation.engine.tracking import TrackedRequest
    from chladni_runtime.execution.deadlines import Clock

_ENCODING_THREADS: Final = 2

_log = logging.getLogger(__name__)


class OutputEncoder:
    """An encoder of images on threads of its own, while the model works on other requests.

    Args:
        recorder: Writes the provenance.
        cache: Keeps the images for identical requests.
        clock: The engine's clock.
    """

    def __init__(
        self,
        recorder: ProvenanceRecorder,
        *,
        cache: ImageCache,
        clock: Clock,
    ) -> None:
        self._recorder = recorder
        self._cache = cache
        self._clock = clock
        self._threads = ThreadPoolExecutor(_ENCODING_THREADS, thread_name_prefix="encoder")

    async def close(self) -> None:
        """Wait for the threads to end."""
        await asyncio.to_thread(self._threads.shutdown)

    async def encode(self, tracked: TrackedRequest, pixels: NDArray[np.uint8]) -> Completed | ChladniError:
        """Return what every caller of the request gets for its RGB pixels (H, W, 3)."""
        provenance = self._recorder.record(tracked.execution)
        loop = asyncio.get_running_loop()
        try:
            png = await loop.run_in_executor(self._threads, encode_png, pixels, provenance)
        except Exception:  # noqa: BLE001 - whatever happened, the callers hear of it
            _log.exception("an image could not be encoded")
            return FaultError(Reason.INTERNAL, "The image could not be encoded.")
        if tracked.key and not any(map(tracked.sizes.is_halved, tracked.execution.batch_sizes)):
            self._cache.put(tracked.key, FinishedImage(png, provenance, tracked.execution.total_steps))
        queue_seconds = tracked.begun_at - tracked.arrived_at
        return Completed(png, provenance, queue_seconds, self._clock() - tracked.begun_at)
