"""The clips to calibrate from and their unscaled latents, several at a time, in order."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.clip_analysis import ClipAnalysis
from chladni_audio_features.analysis.descriptors import DescriptorAnalyser
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.errors import AudioError, AudioTooLargeError
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.latents.catalog import LatentsPlan

SUFFIXES: Final = frozenset({".wav", ".mp3", ".flac", ".ogg"})

_SHARD: Final = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `count`-th clip, beginning with the one at `number`, which counts from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that a text such as ``2/8`` names.

        Raises:
            ValueError: It names none.
        """
        found = _SHARD.fullmatch(text)
        if found is None or int(found[1]) > int(found[2]):
            raise ValueError(f"{text!r} is no shard: write I/N, such as 2/8, with I from 1 to N")
        return cls(int(found[1]), int(found[2]))

    def of(self, clips: Sequence[Path]) -> Sequence[Path]:
        """Return the clips of this shard."""
        return clips[self.number - 1 :: self.count]


def find_clips(directories: Sequence[Path]) -> list[Path]:
    """Return the audio files in directories and below, in the same order on every machine.

    Raises:
        OSError: A directory cannot be read.
    """
    found = {
        path
        for directory in directories
        for path in directory.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }
    return sorted(found, key=lambda path: path.as_posix())


@dataclass(frozen=True, eq=False)
class RawLatents:
    """The latents of one clip.

    Attributes:
        path: The file.
        values: Its latents before scaling, (V,) float32.
        sha256: SHA-256 of the file, hexadecimal.
    """

    path: Path
    values: npt.NDArray[np.float32]
    sha256: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A clip that cannot be used.

    Attributes:
        path: The file.
        error: Why.
    """

    path: Path
    error: AudioError | OSError

    @property
    def reason(self) -> str:
        """Why, in words."""
        if isinstance(self.error, OSError):
            return self.error.strerror or str(self.error)
        return self.error.message


class LatentExtraction:
    """Computes latents as a service does that has the same limits.

    Args:
        limits: What a clip may be.
        plan: Shape and basis, without a calibration.
        worker_count: Clips in progress at a time.
    """

    def __init__(self, limits: DecodingLimits, plan: LatentsPlan, *, worker_count: int) -> None:
        self._limits = limits
        self._plan = plan
        self._worker_count = worker_count
        self._decoder = AudioDecoder(limits)
        self._transform = MelTransform()
        self._analyser = DescriptorAnalyser(self._transform)

    def outcomes(self, clips: Sequence[Path]) -> Iterator[RawLatents | Skipped]:
        """Yield what each clip gives, in the order of the clips, so that sums do not depend on timing."""
        window = 2 * self._worker_count
        pending: deque[Future[RawLatents | Skipped]] = deque()
        executor = ThreadPoolExecutor(self._worker_count, thread_name_prefix="chladni-calibrate")
        try:
            for path in clips:
                pending.append(executor.submit(self._outcome, path))
                if len(pending) == window:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    def _outcome(self, path: Path) -> RawLatents | Skipped:
        try:
            content = self._read(path)
            clip = self._decoder.read(content)
        except (AudioError, OSError) as error:
            return Skipped(path, error)
        analysis = ClipAnalysis(clip, transform=self._transform, analyser=self._analyser)
        values = self._plan.make(analysis.scaled_log_mel).reshape(-1)
        return RawLatents(path, values, hashlib.sha256(content).hexdigest())

    def _read(self, path: Path) -> bytes:
        byte_count = path.stat().st_size
        if byte_count > self._limits.max_bytes:
            raise AudioTooLargeError(
                f"{path.name} has {byte_count} bytes, the limit is {self._limits.max_bytes}; shorten it"
            )
        return path.read_bytes()
