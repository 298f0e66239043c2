"""The spectrum of a sound while it lasts, which the audio-feature service computes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

from chladni_client.client import Client
from chladni_client.errors import ChladniError
from chladni_client.types.live import MelFrames, PcmFormat

_SHOWN_DECIBELS: Final = 60.0
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"


class LiveSpectrum:
    """Streams a sound to the service and keeps its newest spectrum; to be used in a `with` statement.

    If the service cannot be reached, there is no spectrum; everything else works.

    Args:
        client: How to reach the service.
        pcm: What the bytes of the sound mean.
    """

    def __init__(self, client: Client, pcm: PcmFormat) -> None:
        self._client = client
        self._pcm = pcm
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._bands_db: tuple[float, ...] = ()
        self._loudest_db = float("-inf")
        self._unavailable_reason = ""
        self._thread = threading.Thread(target=self._follow, name="chladni-spectrum", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waiting.put(None)

    @property
    def unavailable_reason(self) -> str:
        """Why there is no spectrum; empty if there is one, or may be soon."""
        return self._unavailable_reason

    def push(self, chunk: bytes) -> None:
        """Send the next bytes of the sound; does not wait."""
        if not self._unavailable_reason:
            self._waiting.put(chunk)

    def wait(self, timeout_seconds: float) -> None:
        """Wait until the service has answered all of a sound that is over."""
        self._thread.join(timeout_seconds)

    def drawn(self, width: int) -> str:
        """Return the newest spectrum as so many blocks, low frequencies first; empty if there is none."""
        bands = self._bands_db
        if not bands:
            return ""
        edges = [index * len(bands) // width for index in range(width + 1)]
        loudest = [max(bands[low : max(high, low + 1)]) for low, high in pairwise(edges)]
        return "".join(_block(1 + (value - self._loudest_db) / _SHOWN_DECIBELS) for value in loudest)

    def _follow(self) -> None:
        try:
            for event in self._client.stream_features(self._chunks(), self._pcm):
                if isinstance(event, MelFrames):
                    self._take(event)
        except (ChladniError, RuntimeError) as error:  # RuntimeError: the client was closed
            self._unavailable_reason = str(error)

    def _take(self, frames: MelFrames) -> None:
        _, frame_count = frames.power_db.shape
        if frame_count:
            newest = frames.power_db.values[frame_count - 1 :: frame_count]
            self._loudest_db = max(self._loudest_db, *newest)
            self._bands_db = newest

    def _chunks(self) -> Iterator[bytes]:
        while (chunk := self._waiting.get()) is not None:
            yield chunk


def _block(part: float) -> str:
    return _BLOCKS[round(min(1.0, max(0.0, part)) * (len(_BLOCKS) - 1))]
