"""A recording from a live source: its samples, how loud they are, and the key that ends it."""

from __future__ import annotations

import io
import math
import os
import select
import sys
import wave
from array import array
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, Final, Self

from chladni_client.recording.sources import AudioSource
from chladni_client.types.live import AudioLevel, PcmFormat

_ENTER: Final = b"\n"


class EnterKey:
    """ENTER on a terminal, or the end of a line in a pipe.

    Reads the descriptor itself: what a text stream has read ahead, nobody could be asked for.

    Args:
        descriptor: Where keys come from; `None` for nowhere. Then nobody is waited for, and ENTER is never
            pressed.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @classmethod
    def of(cls, stream: IO[str]) -> Self:
        """Return the key as it comes through a stream; from nowhere if that is no file of the system."""
        try:
            return cls(stream.fileno() if os.name == "posix" else None)
        except (OSError, ValueError):
            return cls(None)

    @property
    def is_there(self) -> bool:
        """Whether ENTER can still come."""
        return self._descriptor is not None

    def wait(self) -> None:
        """Wait until ENTER is pressed, or can no longer be."""
        while self.is_there and self._read() != _ENTER:
            pass

    def is_pressed(self) -> bool:
        """Return whether ENTER has been pressed since the last question; does not wait."""
        while self._descriptor is not None and select.select([self._descriptor], [], [], 0)[0]:
            if self._read() == _ENTER:
                return True
        return False

    def _read(self) -> bytes:
        key = os.read(self._descriptor, 1) if self._descriptor is not None else b""
        if not key:
            self._descriptor = None
        return key


SILENCE_DBFS: Final = -120.0

_FULL_SCALE: Final = 32768


def level_of(chunk: bytes) -> AudioLevel:
    """Return the level of 16-bit little-endian samples, all channels together."""
    samples = array("h", chunk)
    if sys.byteorder == "big":
        samples.byteswap()
    if not samples:
        return AudioLevel(SILENCE_DBFS, SILENCE_DBFS)
    mean_square = sum(sample * sample for sample in samples) / len(samples)
    peak = max(abs(max(samples)), abs(min(samples)))
    return AudioLevel(_to_dbfs(math.sqrt(mean_square)), _to_dbfs(peak))


def _to_dbfs(magnitude: float) -> float:
    return max(SILENCE_DBFS, 20 * math.log10(magnitude / _FULL_SCALE)) if magnitude else SILENCE_DBFS


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound that was recorded.

    Attributes:
        pcm: What the bytes mean.
        content: The samples.
    """

    pcm: PcmFormat
    content: bytes = field(repr=False)

    @property
    def duration_seconds(self) -> float:
        """Length."""
        return len(self.content) / self.pcm.bytes_per_second

    def to_wav(self) -> bytes:
        """Return it as a WAV file."""
        output = io.BytesIO()
        with wave.open(output, "wb") as file:
            file.setnchannels(self.pcm.channel_count)
            file.setsampwidth(2)
            file.setframerate(self.pcm.sample_rate_hz)
            file.writeframes(self.content)
        return output.getvalue()


def record(
    source: AudioSource,
    *,
    is_stopped: Callable[[], bool],
    max_seconds: float,
    on_chunk: Callable[[bytes], None],
) -> Recording:
    """Return what a source gives until it is stopped, or ends, or the time is over.

    Args:
        source: Source of the audio.
        is_stopped: Called after every chunk, about ten times a second.
        max_seconds: Longest recording.
        on_chunk: Called with every chunk.

    Raises:
        ChladniError: There is no source of audio.
    """
    pcm = source.pcm
    frame_bytes = pcm.bytes_per_second // pcm.sample_rate_hz
    max_bytes = int(max_seconds * pcm.sample_rate_hz) * frame_bytes
    content = bytearray()
    with closing(source.chunks()) as chunks:
        for chunk in chunks:
            content += chunk
            on_chunk(chunk)
            if len(content) >= max_bytes or is_stopped():
                break
    return Recording(pcm, bytes(content[:max_bytes]))
