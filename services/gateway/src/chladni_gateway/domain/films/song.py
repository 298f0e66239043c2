"""What a film knows about its song."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from chladni_runtime.execution.deadlines import Deadline

MIN_SONG_SECONDS: Final = 3.0
"""Shortest song that audio-features analyses."""

MAX_SONG_SECONDS: Final = 600.0
"""Longest song that audio-features analyses."""

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a song that is alike in itself.

    Attributes:
        start_seconds: Where it begins.
        end_seconds: Where it ends.
        kind: Sections that sound alike have the same number.
    """

    start_seconds: float
    end_seconds: float
    kind: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Song:
    """A song, as `chladni.audio.v1alpha1.SongAnalysis` has it; times are in seconds.

    Attributes:
        sha256: SHA-256 of the file.
        duration_seconds: Its length.
        segment_seconds: Length of a segment of the course.
        course: float32 (segments, 8) in [0, 1].
        interval_seconds: Distance between the rows of `descriptors`; the first one stands for half of it.
        descriptors: float32 (moments, 24) in [0, 1].
        beats: When the beats are.
        downbeats: Those that begin a bar.
        onsets: When something begins.
        sections: The sections, without gaps.
    """

    sha256: str
    duration_seconds: float
    segment_seconds: float
    course: NDArray[np.float32]
    interval_seconds: float
    descriptors: NDArray[np.float32]
    beats: tuple[float, ...] = ()
    downbeats: tuple[float, ...] = ()
    onsets: tuple[float, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class SongProgress:
    """A share of a song, 0 to 1, is analysed."""

    share: float


class SongAnalyzer(Protocol):
    """Analyses songs."""

    def analyze_song(
        self, pieces: AsyncIterator[bytes], deadline: Deadline
    ) -> AsyncGenerator[SongProgress | Song, None]:
        """Yield how far the analysis of a file is, and the song last; closing the generator stops it."""
        ...
