"""The course of live audio, in segments of an absolute grid of time.

How loud it is and what begins is measured at once, frame by frame; the rest at the end of each segment,
by the analyses of whole clips over the last seconds. Only these seconds are kept, so a stream may last.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import soxr

from chladni_audio_features.analysis.spectrogram import power_to_decibels
from chladni_audio_features.analysis.temporal_profile import MAX_ONSET_DB, MIN_LEVEL_DB
from chladni_audio_features.audio.errors import AudioTooLongError
from chladni_audio_features.audio.pcm import PcmReader
from chladni_audio_features.extraction import FeatureExtractor
from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_FEATURES, TEMPORAL_SEGMENTS

DEFAULT_SEGMENT_SECONDS: Final = 0.25
MAX_COURSE_SECONDS: Final = 3600.0
"""Longest live audio whose course is traced."""

_ANALYSIS_SECONDS: Final = 3.0
_LEAST_ANALYSIS_SECONDS: Final = 0.15
_LEVEL, _ONSET = (TEMPORAL_FEATURES.index(name) for name in ("level", "onset"))

# A level is one relative to the loudest of the last seconds, as that of a clip is to its loudest segment.
_PEAK_DECAY_DB_PER_SECOND: Final = 1.5
_LEAST_PEAK_DBFS: Final = -45.0
"""Loudness, in dBFS, below which nothing counts as loud: the noise of a room is no music."""

_FLUX_RANGE_DB: Final = 60.0
_FLUX_MEMORY_SECONDS: Final = 0.35
_ONSET_FRAMES: Final = 5
"""Frames that a beginning spreads over, as long as a window takes to pass."""

_ONSET_SCALE: Final = 0.5
"""A mean that only looks back is lower than one over both sides, so that rises over it are larger."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CourseSegment:
    """What is known of one segment.

    Attributes:
        number: which segment it is, from 0.
        course: (8,) float32 in [0, 1], its features, in the order of ``TEMPORAL_FEATURES``.
        overall: (24,) float32 in [0, 1], the descriptors of the last seconds.
        heard_seconds: moment up to which the audio was heard.
        level: how loud it is at that moment, 0 to 1.
        onset_seconds: when the strongest beginning in it is; None if nothing begins.
    """

    number: int
    course: Values
    overall: Values
    heard_seconds: float
    level: float
    onset_seconds: float | None


class CourseAnalysis:
    """Traces the course of one live sound; belongs to one stream.

    Args:
        extractor: computes descriptors.
        reader: understands the chunks.
        segment_seconds: length of a segment.
        update_seconds: audio between two reports on the newest segment.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        reader: PcmReader,
        *,
        segment_seconds: float = DEFAULT_SEGMENT_SECONDS,
        update_seconds: float | None = None,
    ) -> None:
        self._extractor = extractor
        self._reader = reader
        self._rate_hz = extractor.transform.settings.sample_rate_hz
        updates = max(1, round(segment_seconds / (update_seconds or segment_seconds / 3)))
        self._segment_seconds = segment_seconds
        self._updates_per_segment = updates
        self._update_samples = segment_seconds * self._rate_hz / updates
        self._resampler = (
            None
            if reader.sample_rate_hz == self._rate_hz
            else soxr.ResampleStream(reader.sample_rate_hz, self._rate_hz, 1, dtype="float32", quality="HQ")
        )
        self._max_samples = int(MAX_COURSE_SECONDS * self._rate_hz)
        self._window_samples = int(_ANALYSIS_SECONDS * self._rate_hz)
        self._kept = np.zeros(0, np.float32)  # The last seconds, up to the newest sample.
        self._pending = np.zeros(0, np.float32)  # What is not yet a whole update.
        self._update_count = 0
        self._onsets = OnsetMeter(extractor)
        self._peak_dbfs = _LEAST_PEAK_DBFS
        self._powers: list[float] = []  # Of the updates of the newest segment.
        silence = extractor.embedder.embed(extractor.analyser.describe(np.zeros(self._rate_hz, np.float32)))
        self._overall, profile = _split(silence)
        self._course = profile[-1]

    def push(self, chunk: bytes) -> list[CourseSegment]:
        """Take the next bytes of PCM; return what they add, the newest segment last.

        Of each segment only the last report is returned: those before it would be out of date already.

        Raises:
            AudioError: the chunk is malformed, or the audio has become too long.
        """
        samples = self._reader.read(chunk)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=False)
        self._pending = np.concatenate([self._pending, samples])
        if (self._update_count * self._update_samples) + len(self._pending) > self._max_samples:
            raise AudioTooLongError(
                f"live audio may last {MAX_COURSE_SECONDS:g} s, the limit",
                field=self._reader.field,
                metadata={"max_seconds": MAX_COURSE_SECONDS},
            )
        segments: dict[int, CourseSegment] = {}
        while len(self._pending) >= (length := self._next_length()):
            update, self._pending = self._pending[:length], self._pending[length:]
            segment = self._update(update)
            segments[segment.number] = segment
        return list(segments.values())

    def _next_length(self) -> int:
        """Return the samples of the next update: updates stay on the grid whatever the rate is."""
        start, end = (round((self._update_count + step) * self._update_samples) for step in (0, 1))
        return end - start

    def _update(self, samples: Values) -> CourseSegment:
        number, step = divmod(self._update_count, self._updates_per_segment)
        self._update_count += 1
        heard_seconds = self._update_count * self._update_samples / self._rate_hz
        self._kept = np.concatenate([self._kept, samples])[-self._window_samples :]
        if step == 0:
            self._powers.clear()
            self._onsets.begin_segment()
        self._powers.append(float(np.mean(np.square(samples, dtype=np.float64))))
        self._onsets.push(samples)
        is_complete = step == self._updates_per_segment - 1
        # The first segment has none before it whose values could stand in for its own.
        if (is_complete or number == 0) and len(self._kept) >= _LEAST_ANALYSIS_SECONDS * self._rate_hz:
            self._analyse()
        now_dbfs = _decibels(self._powers[-1])
        self._peak_dbfs = max(
            now_dbfs,
            self._peak_dbfs - _PEAK_DECAY_DB_PER_SECOND * self._update_samples / self._rate_hz,
            _LEAST_PEAK_DBFS,
        )
        course = self._course.copy()
        course[_LEVEL] = self._relative(_decibels(float(np.mean(self._powers))))
        course[_ONSET] = self._onsets.strength
        return CourseSegment(
            number,
            course,
            self._overall,
            heard_seconds,
            self._relative(now_dbfs),
            self._onsets.time_seconds,
        )

    def _analyse(self) -> None:
        """Describe the last seconds; the segment's features are those of the end of their profile."""
        embedder, analyser = self._extractor.embedder, self._extractor.analyser
        self._overall, profile = _split(embedder.embed(analyser.describe(self._kept)))
        rows = min(
            TEMPORAL_SEGMENTS,
            max(1, round(TEMPORAL_SEGMENTS * self._segment_seconds * self._rate_hz / len(self._kept))),
        )
        self._course = profile[-rows:].mean(axis=0)

    def _relative(self, dbfs: float) -> float:
        return float(np.clip(1.0 - (dbfs - self._peak_dbfs) / MIN_LEVEL_DB, 0.0, 1.0))


class OnsetMeter:
    """Finds the strongest beginning of each segment as it is heard, from the rise of the mel bands.

    Args:
        extractor: has the transform to mel bands.
    """

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._transform = extractor.transform
        settings = self._transform.settings
        self._hop = settings.hop_length
        self._frame_seconds = settings.hop_length / settings.sample_rate_hz
        self._half_window_seconds = settings.fft_size / 2 / settings.sample_rate_hz
        self._pending = np.zeros(0, np.float32)
        self._last: Values | None = None
        self._loudest_db = -100.0
        self._frame_count = 0
        self._mean = 0.0
        self._weight = self._frame_seconds / _FLUX_MEMORY_SECONDS
        self._excess: deque[float] = deque(maxlen=_ONSET_FRAMES)
        self.strength = 0.0
        """How strongly something begins in the segment, 0 to 1."""
        self.time_seconds: float | None = None
        """When that is; None if nothing begins."""

    def begin_segment(self) -> None:
        """Forget the beginnings of the segment before; one that is still going on stays with that."""
        self.strength, self.time_seconds = 0.0, None

    def push(self, samples: Values) -> None:
        """Take the next samples."""
        waiting = np.concatenate([self._pending, samples])
        power = self._transform.power_of_windows(waiting)
        self._pending = waiting[power.shape[1] * self._hop :]
        for column in power_to_decibels(power).T:
            self._take(column)

    def _take(self, decibels: Values) -> None:
        loudest = float(decibels.max())
        self._loudest_db = max(loudest, self._loudest_db - _PEAK_DECAY_DB_PER_SECOND * self._frame_seconds)
        bounded = np.maximum(decibels, self._loudest_db - _FLUX_RANGE_DB)
        if self._last is not None:
            flux = float(np.maximum(0.0, bounded - self._last).mean())
            self._excess.append(flux - self._mean)
            self._mean += self._weight * (flux - self._mean)
            rise = _ONSET_SCALE * sum(max(0.0, excess) for excess in self._excess)
            strength = min(1.0, rise / MAX_ONSET_DB)
            if strength > self.strength:
                self.strength = strength
                start = self._frame_count * self._frame_seconds + self._half_window_seconds
                self.time_seconds = start
        self._last = bounded
        self._frame_count += 1


def _split(embedding: Values) -> tuple[Values, Values]:
    """Return the whole sound's part of an embedding, (24,), and its temporal profile, (16, 8)."""
    count = len(DESCRIPTOR_NAMES)
    return embedding[:count], embedding[count:].reshape(TEMPORAL_SEGMENTS, -1)


def _decibels(power: float) -> float:
    return 10.0 * math.log10(max(power, 1e-12))
