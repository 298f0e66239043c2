"""The analysis of a whole song: its course, what it is like around each moment, beats and sections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.descriptors import Descriptors
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ, ClipPart, SourceFormat
from chladni_audio_features.audio.decoding import resampled
from chladni_audio_features.audio.errors import AudioTooLongError, AudioTooShortError, PartError
from chladni_audio_features.extraction import FeatureExtractor
from chladni_audio_features.song.beats import (
    SongBeats,
    Tempo,
    find_beats,
    measure_rhythm,
    tempo_of_music,
    tempo_of_onsets,
)
from chladni_audio_features.song.sections import Section, find_sections
from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_FEATURES, TEMPORAL_SEGMENTS
from chladni_runtime.execution.cancellation import CancellationToken

MAX_SONG_SECONDS: Final = 600.0
MIN_SONG_SECONDS: Final = 3.0
SEGMENT_SECONDS: Final = 0.5
INTERVAL_SECONDS: Final = 4.0

_PART_SECONDS: Final = 25.0
_MARGIN_SECONDS: Final = 0.25
_WINDOW_SECONDS: Final = SEGMENT_SECONDS * TEMPORAL_SEGMENTS
_MIN_LEVEL_DB: Final = -40.0
_DECODING_SHARE: Final = 0.4
_EXCERPT_SECONDS: Final = 24.0
_LEAST_SHARE: Final = 0.02
"""Of a segment that is more than what resampling adds to a song."""

Samples = npt.NDArray[np.float32]
ReportProgress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class SongAnalysis:
    """What was found in a song.

    Attributes:
        source: How the song was stored, and how long it is.
        course: (segments, 8) float32 in [0, 1], a segment every `SEGMENT_SECONDS`.
        descriptors: (moments, 24) float32 in [0, 1], a moment every `INTERVAL_SECONDS`, the first one after
            half of that.
        beats: Its beats.
        sections: Its sections.
        tempo: Its tempo; `None` if it has no regular beat.
    """

    source: SourceFormat
    course: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.float32]
    beats: SongBeats
    sections: tuple[Section, ...]
    tempo: Tempo | None


def analyse_song(
    extractor: FeatureExtractor,
    file: Path,
    *,
    token: CancellationToken,
    report: ReportProgress = lambda _share: None,
    max_seconds: float = MAX_SONG_SECONDS,
    with_music: bool = True,
) -> SongAnalysis:
    """Analyse a song, a part at a time.

    Args:
        extractor: Decodes it, and describes its parts.
        file: Where it is.
        token: Whether the analysis is still wanted.
        report: Called with the share of the work that is done.
        max_seconds: Longest song.
        with_music: Whether the analysis of music may find the tempo, if it is installed.

    Raises:
        AudioError: The file cannot be used, or the song is too short or too long.
    """
    samples, source = _decoded(extractor, file, token, report, max_seconds)
    windows = []
    duration = source.duration_seconds
    count = max(1, round(duration / INTERVAL_SECONDS))
    course = []
    for number in range(count):
        token.check("between two parts of the song")
        centre = (number + 0.5) * INTERVAL_SECONDS
        start = max(0.0, min(centre - 0.5 * _WINDOW_SECONDS, duration - _WINDOW_SECONDS))
        window = _between(samples, start, start + _WINDOW_SECONDS)
        described = extractor.analyser.describe(window)
        windows.append(described)
        ends_at = duration if number == count - 1 else (number + 1) * INTERVAL_SECONDS
        course.append(_course_between(extractor, described, start, len(window), number, ends_at))
        report(_DECODING_SHARE + (1.0 - _DECODING_SHARE) * (number + 1) / (count + 1))
    whole = np.stack([extractor.embedder.embed(window)[: len(DESCRIPTOR_NAMES)] for window in windows])
    segments = np.concatenate(course)
    segments[:, TEMPORAL_FEATURES.index("level")] = _levels(samples, len(segments))
    tempo = _tempo(samples, windows, with_music=with_music)
    beats = find_beats(measure_rhythm(samples), tempo)
    per_interval = round(INTERVAL_SECONDS / SEGMENT_SECONDS)
    return SongAnalysis(
        source=source,
        course=segments.astype(np.float32),
        descriptors=whole.astype(np.float32),
        beats=beats,
        sections=find_sections(
            _section_features(segments, whole, per_interval),
            step_seconds=INTERVAL_SECONDS / 2,
            duration_seconds=duration,
            downbeats=beats.downbeats,
        ),
        tempo=tempo,
    )


def _decoded(
    extractor: FeatureExtractor,
    file: Path,
    token: CancellationToken,
    report: ReportProgress,
    max_seconds: float,
) -> tuple[Samples, SourceFormat]:
    """Return the samples of a song, put together of parts that overlap, and how it was stored."""
    parts: list[Samples] = []
    source: SourceFormat | None = None
    start, has_more = 0.0, True
    while has_more and start <= max_seconds:
        token.check("between two parts of the song")
        first, last = max(0.0, start - _MARGIN_SECONDS), start + _PART_SECONDS + _MARGIN_SECONDS
        try:
            clip = extractor.cut(file, ClipPart(first, last), token=token)
        except (PartError, AudioTooShortError):
            if source is None:
                raise
            break  # The song ends where the part would begin.
        source = source or clip.source
        samples = resampled(clip, ANALYSIS_SAMPLE_RATE_HZ).samples
        has_more = clip.duration_seconds > last - first - 0.5 * _MARGIN_SECONDS
        end = start - first + _PART_SECONDS if has_more else clip.duration_seconds
        parts.append(_between(samples, start - first, end))
        start += _PART_SECONDS
        report(_DECODING_SHARE * min(1.0, start / max_seconds))
    if source is None:
        raise ValueError("a song may last longer than nothing")
    whole = np.concatenate(parts)
    seconds = len(whole) / ANALYSIS_SAMPLE_RATE_HZ
    if seconds > max_seconds + 0.5:
        raise AudioTooLongError(
            f"the song is longer than {max_seconds:g} s, the limit of films; cut it",
            metadata={"max_seconds": max_seconds},
        )
    if seconds < MIN_SONG_SECONDS:
        raise AudioTooShortError(
            f"the song is {seconds:.1f} s long, at least {MIN_SONG_SECONDS:g} s are needed",
            metadata={"duration_seconds": round(seconds, 3), "min_seconds": MIN_SONG_SECONDS},
        )
    return whole, replace(source, duration_seconds=seconds, start_seconds=None)


def _between(samples: Samples, start_seconds: float, end_seconds: float) -> Samples:
    first, last = (round(time * ANALYSIS_SAMPLE_RATE_HZ) for time in (start_seconds, end_seconds))
    return samples[max(0, first) : last]


def _course_between(
    extractor: FeatureExtractor,
    described: Descriptors,
    window_start: float,
    window_samples: int,
    number: int,
    ends_at: float,
) -> npt.NDArray[np.float64]:
    """Return the segments of the song that an interval holds, of a window around it: (n, 8)."""
    embedding = extractor.embedder.embed(described)
    course = embedding[len(DESCRIPTOR_NAMES) :].reshape(TEMPORAL_SEGMENTS, len(TEMPORAL_FEATURES))
    width = window_samples / ANALYSIS_SAMPLE_RATE_HZ / TEMPORAL_SEGMENTS
    known = window_start + (np.arange(TEMPORAL_SEGMENTS) + 0.5) * width
    first = round(number * INTERVAL_SECONDS / SEGMENT_SECONDS)
    last = max(first + 1, int(np.ceil(ends_at / SEGMENT_SECONDS - _LEAST_SHARE)))
    wanted = (np.arange(first, last) + 0.5) * SEGMENT_SECONDS
    return np.stack([np.interp(wanted, known, column) for column in course.T], axis=1)


def _levels(samples: Samples, count: int) -> npt.NDArray[np.float64]:
    """Return the level of each segment, 1 for the loudest of the song and 0 for 40 dB less."""
    size = round(SEGMENT_SECONDS * ANALYSIS_SAMPLE_RATE_HZ)
    padded = np.pad(samples, (0, max(0, count * size - len(samples))))[: count * size]
    power = np.square(padded.reshape(count, size), dtype=np.float64).mean(axis=1)
    decibels = 10.0 * np.log10(np.maximum(power / max(float(power.max()), 1e-12), 1e-12))
    levels: npt.NDArray[np.float64] = np.clip(1.0 - decibels / _MIN_LEVEL_DB, 0.0, 1.0)
    return levels


def _tempo(samples: Samples, windows: list[Descriptors], *, with_music: bool) -> Tempo | None:
    """Return the tempo by the analysis of the song's middle, or else by all of its onsets."""
    middle = len(samples) / ANALYSIS_SAMPLE_RATE_HZ / 2
    excerpt = _between(samples, max(0.0, middle - _EXCERPT_SECONDS / 2), middle + _EXCERPT_SECONDS / 2)
    return (tempo_of_music(excerpt) if with_music else None) or tempo_of_onsets(windows)


def _section_features(
    segments: npt.NDArray[np.float64], whole: npt.NDArray[np.float32], per_interval: int
) -> npt.NDArray[np.float64]:
    """Return what tells sections apart, twice an interval: the local features, and what is heard around."""
    half = per_interval // 2
    count = max(1, len(segments) // half)
    local = np.stack([segments[index * half : (index + 1) * half].mean(axis=0) for index in range(count)])
    places = (np.arange(count) + 0.5) / 2 - 0.5
    around = np.stack([np.interp(places, np.arange(len(whole)), column) for column in whole.T], axis=1)
    return np.concatenate([local, around], axis=1)
