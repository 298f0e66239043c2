"""Sources of live audio: the interface, and a WAV file in place of a microphone."""

from __future__ import annotations

import time
import wave
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final, Protocol

from chladni_client.errors import InvalidInputError
from chladni_client.types.live import PcmFormat

CHUNKS_PER_SECOND: Final = 10

_INT16_BYTES: Final = 2
_FLIP_SIGN: Final = bytes(value ^ 0x80 for value in range(256))


class AudioSource(Protocol):
    """A source of live audio."""

    @property
    def pcm(self) -> PcmFormat:
        """What its bytes mean; samples are 16-bit integers."""
        ...

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield the sound as it happens, whole sample frames; closing the generator ends it.

        Raises:
            ChladniError: There is no source of audio.
        """
        ...


class WavSource:
    """Plays a WAV file at its own pace.

    Args:
        path: The file; integer samples of 8 to 32 bits.
        sleep: Waits for so many seconds.

    Raises:
        InvalidInputError: It is not such a file.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._path = path
        self._sleep = sleep
        with self._opened() as file:
            self._pcm = PcmFormat(file.getframerate(), file.getnchannels())

    @property
    def pcm(self) -> PcmFormat:
        """What the bytes mean."""
        return self._pcm

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield the file, a tenth of a second each tenth of a second."""
        with self._opened() as file:
            frames_per_chunk = max(1, file.getframerate() // CHUNKS_PER_SECOND)
            sample_bytes = file.getsampwidth()
            while content := file.readframes(frames_per_chunk):
                yield _to_int16(content, sample_bytes)
                self._sleep(frames_per_chunk / file.getframerate())

    def _opened(self) -> wave.Wave_read:
        try:
            return wave.open(str(self._path), "rb")
        except (wave.Error, EOFError) as error:
            raise InvalidInputError(
                f"{self._path.name} cannot play the part of the microphone: it is not a WAV file of integer "
                f"samples ({error or 'it ends too early'}).",
                reason="UNSUPPORTED_FORMAT",
            ) from error


def _to_int16(content: bytes, sample_bytes: int) -> bytes:
    """Return samples of 1 to 4 bytes as those of 2: what is finer is cut off."""
    if sample_bytes == _INT16_BYTES:
        return content
    converted = bytearray(len(content) // sample_bytes * _INT16_BYTES)
    if sample_bytes == 1:  # unsigned, unlike all the others
        converted[1::2] = content.translate(_FLIP_SIGN)
    else:
        converted[0::2] = content[sample_bytes - 2 :: sample_bytes]
        converted[1::2] = content[sample_bytes - 1 :: sample_bytes]
    return bytes(converted)
