"""The course of a moving sound on an absolute grid of time.

Segments stand fixed in time: segment *k* lasts from *k* to *k + 1* segment lengths after the beginning of the
sound, and a frame's window glides over them. So the same segment looks the same in every frame. What the
windows of a still image would change from frame to frame, the numbers of the whole sound, is smoothed.

Everything is a function of the segments and of the moment alone: it does not matter which frames were drawn
before, or how often a segment was renewed while it lasted.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from chladni_contract.descriptor_space import (
    DESCRIPTOR_NAMES,
    TEMPORAL_FEATURES,
    TEMPORAL_SEGMENTS,
    UNDECIDED,
)
from chladni_image_generation.generation import CourseWindow

MAX_GAP_SEGMENTS: Final = 4 * TEMPORAL_SEGMENTS
"""A longer gap between segments is an error of the sender, not a pause: pauses have segments too."""

_LEVEL: Final = TEMPORAL_FEATURES.index("level")
_ONSET: Final = TEMPORAL_FEATURES.index("onset")
_MARGIN_SEGMENTS: Final = 2
"""Segments beyond each edge of the window, whose forms reach into it."""

_RISE_SECONDS: Final = 0.06
_FLASH_SECONDS: Final = 0.22
_BURST: Final = 0.55
"""How much larger a form is when it appears."""

_FULL_ONSET: Final = 0.6
"""Onset of a full flash, as of a full body in the scene."""

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TimedSegment:
    """What a sound is like during one segment of the grid, and on the whole around it.

    Attributes:
        number: Which segment it is, from 0.
        course: float32 (8,) in [0, 1], its features, in the order of ``TEMPORAL_FEATURES``.
        overall: float32 (24,) in [0, 1], the descriptors of the sound around it, in the order of
            ``DESCRIPTOR_NAMES``; they are smoothed here.
        onset_seconds: When its strongest beginning is, from the beginning of the sound; `None` if at the
            beginning of the segment.
    """

    number: int
    course: Values
    overall: Values
    onset_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(f"a segment has a number of 0 or more, not {self.number}")
        for name, length in (("course", len(TEMPORAL_FEATURES)), ("overall", len(DESCRIPTOR_NAMES))):
            values: Values = getattr(self, name)
            if values.shape != (length,):
                raise ValueError(f"{name} of a segment has shape ({length},), not {values.shape}")
            if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
                raise ValueError(f"{name} of a segment holds numbers in [0, 1] only")

    @classmethod
    def silent(cls, number: int) -> Self:
        """Return a segment of silence."""
        course = np.zeros(len(TEMPORAL_FEATURES), np.float32)
        course[[TEMPORAL_FEATURES.index(name) for name in ("pitch_height", "tonal_x", "tonal_y")]] = UNDECIDED
        overall = np.zeros(len(DESCRIPTOR_NAMES), np.float32)
        overall[[DESCRIPTOR_NAMES.index(name) for name in ("pitch_height", "mode")]] = UNDECIDED
        return cls(number, course, overall)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A segment on the grid.

    Attributes:
        segment: The segment.
        overall: (24,), smoothed up to its end.
        means: (8,), means of the course, likewise.
    """

    segment: TimedSegment
    overall: NDArray[np.float64]
    means: NDArray[np.float64]


class SegmentTimeline:
    """The segments of one sound, in their order.

    Args:
        segment_seconds: Length of a segment; a frame shows sixteen.
        smoothing_seconds: Time within which the numbers of the whole sound follow a change for the most part.
        keep_seconds: How much of the past is kept; `None` keeps all of it. At least a window's length.
    """

    def __init__(
        self,
        *,
        segment_seconds: float = 0.25,
        smoothing_seconds: float = 3.0,
        keep_seconds: float | None = None,
    ) -> None:
        if not segment_seconds > 0 or not smoothing_seconds > 0:
            raise ValueError("the length of a segment and the time of the smoothing are above 0")
        self.segment_seconds = segment_seconds
        self._weight = 1 - math.exp(-segment_seconds / smoothing_seconds)
        needed = TEMPORAL_SEGMENTS + 2 * _MARGIN_SEGMENTS + 2
        kept = None if keep_seconds is None else max(needed, math.ceil(keep_seconds / segment_seconds))
        self._entries: deque[_Entry] = deque(maxlen=kept)

    @property
    def window_seconds(self) -> float:
        """Length of the sound that a frame shows."""
        return TEMPORAL_SEGMENTS * self.segment_seconds

    @property
    def next_number(self) -> int:
        """Number of the segment after the newest one; 0 before the first."""
        return self._entries[-1].segment.number + 1 if self._entries else 0

    def put(self, segment: TimedSegment) -> None:
        """Add the next segment, or renew the newest one, of which more has been heard.

        Segments between the newest one and this one that never came are silence.

        Raises:
            ValueError: It is older than the newest one, or comes after a gap longer than `MAX_GAP_SEGMENTS`.
        """
        newest = self.next_number - 1
        if self._entries and segment.number < newest:
            raise ValueError(f"segment {segment.number} comes after segment {newest}")
        if self._entries and segment.number - newest > MAX_GAP_SEGMENTS:
            raise ValueError(
                f"segment {segment.number} follows segment {newest}; gaps have at most {MAX_GAP_SEGMENTS}"
            )
        if segment.number == newest:
            self._entries.pop()
        while self._entries and self.next_number < segment.number:
            self._append(TimedSegment.silent(self.next_number))
        self._append(segment)

    def overall_at(self, time_seconds: float) -> Values:
        """Return the numbers of the whole sound, (24,) in [0, 1], smoothed, as they are at a moment."""
        return self._smoothed(time_seconds, "overall")

    def window_at(
        self,
        time_seconds: float,
        *,
        level: float | None = None,
        flash_strength: float = 1.0,
        glow_strength: float = 1.0,
    ) -> CourseWindow:
        """Return what the frame of a moment shows of the course: it ends at that moment.

        Args:
            time_seconds: The moment, from the beginning of the sound.
            level: How loud it is then, 0 to 1; `None` takes it from the course.
            flash_strength: Factor on the flash of what begins, and on how much larger it appears, 0 to 1.
            glow_strength: Factor on how far the level departs from its mean, 0 to 1.
        """
        now = time_seconds / self.segment_seconds
        first = math.floor(now) - TEMPORAL_SEGMENTS - _MARGIN_SEGMENTS
        numbers = np.arange(first, math.floor(now) + _MARGIN_SEGMENTS + 1)
        segments = [self._segment(int(number)) for number in numbers]
        ages = np.array([time_seconds - self._onset_of(segment) for segment in segments])
        course = self._faded([segment.course for segment in segments], numbers, now, ages=ages)
        centres = 1 - (now - (numbers + 0.5)) / TEMPORAL_SEGMENTS
        if level is None:
            level = float(np.interp(now, numbers + 0.5, course[:, _LEVEL]))
        means = self._smoothed(time_seconds, "means")
        level = float(means[_LEVEL]) + glow_strength * (level - float(means[_LEVEL]))
        onsets = np.array([segment.course[_ONSET] for segment in segments])
        return CourseWindow(
            centres=centres.astype(np.float32),
            numbers=numbers,
            course=course,
            means=means,
            growth=_growth(ages, flash_strength),
            drift=now / TEMPORAL_SEGMENTS,
            level=min(max(level, 0.0), 1.0),
            flash=flash_strength * _flash(ages, onsets),
        )

    def resampled_at(self, time_seconds: float) -> Values:
        """Return the course of the window that ends at a moment in sixteen segments of its own, (16, 8)."""
        window = self.window_at(time_seconds)
        centres = (np.arange(TEMPORAL_SEGMENTS) + 0.5) / TEMPORAL_SEGMENTS
        columns = [np.interp(centres, window.centres, column) for column in window.course.T]
        return np.stack(columns, axis=1).astype(np.float32)

    def _append(self, segment: TimedSegment) -> None:
        overall, means = segment.overall.astype(np.float64), segment.course.astype(np.float64)
        if self._entries:
            before = self._entries[-1]
            # At first the mean of all so far, or the first moment would weigh for long.
            weight = max(self._weight, 1 / (segment.number + 1))
            overall = before.overall + weight * (overall - before.overall)
            means = before.means + weight * (means - before.means)
        self._entries.append(_Entry(segment, overall, means))

    def _entry(self, number: int) -> _Entry | None:
        """Return a segment's entry; the nearest one if it is not there, `None` if there is none at all."""
        if not self._entries:
            return None
        offset = number - self._entries[0].segment.number
        return self._entries[min(max(offset, 0), len(self._entries) - 1)]

    def _segment(self, number: int) -> TimedSegment:
        """Return a segment; one that has not come yet goes on as the newest one, without a new beginning."""
        entry = self._entry(number)
        if entry is None or number < entry.segment.number:
            return TimedSegment.silent(max(number, 0))
        if number == entry.segment.number:
            return entry.segment
        course = entry.segment.course.copy()
        course[_ONSET] = 0
        return TimedSegment(number, course, entry.segment.overall)

    def _onset_of(self, segment: TimedSegment) -> float:
        if segment.onset_seconds is not None:
            return segment.onset_seconds
        return segment.number * self.segment_seconds

    def _faded(
        self,
        courses: list[Values],
        numbers: NDArray[np.int64],
        now: float,
        *,
        ages: NDArray[np.float64],
    ) -> Values:
        """Return the courses (S, 8), of which the newest are in part the one before, so nothing jumps.

        The level of a segment counts the more the longer it lasts. The other features are known when it is
        over, and come in while the next one lasts: a body at the edge would leap from guess to truth. Nothing
        shows before it is heard, even if it is known, as all of a film is.
        """
        stacked = np.stack(courses)
        onsets = stacked[:, _ONSET] * _rise(ages).astype(np.float32)
        for index in range(1, len(stacked)):
            heard = now - float(numbers[index])
            shares = np.full(stacked.shape[1], min(max(heard - 1, 0.0), 1.0), np.float32)
            shares[_LEVEL] = min(max(heard, 0.0), 1.0)
            if shares.min() < 1:
                stacked[index] = stacked[index - 1] + shares * (stacked[index] - stacked[index - 1])
        stacked[:, _ONSET] = onsets
        return stacked

    def _smoothed(self, time_seconds: float, name: str) -> Values:
        """Return smoothed values of a moment: between those at the ends of two segments that are over."""
        now = time_seconds / self.segment_seconds
        number = math.floor(now)
        earlier, later = self._entry(number - 2), self._entry(number - 1)
        if earlier is None or later is None:
            silent = TimedSegment.silent(0)
            return silent.overall if name == "overall" else silent.course
        start, end = getattr(earlier, name), getattr(later, name)
        values: Values = (start + (now - number) * (end - start)).astype(np.float32)
        return values.clip(0, 1)


def _rise(ages: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far what began has appeared, 0 to 1, by its age in seconds."""
    rise = np.clip(ages / _RISE_SECONDS, 0, 1)
    return rise * rise * (3 - 2 * rise)


def _growth(ages: NDArray[np.float64], burst: float) -> Values:
    """Return the factors on the sizes of forms by their ages in seconds: 0 before, a burst, then 1."""
    rise = np.clip(ages / _RISE_SECONDS, 0, 1)
    factors = (
        rise * rise * (3 - 2 * rise) * (1 + _BURST * burst * np.exp(-np.maximum(ages, 0) / _FLASH_SECONDS))
    )
    return factors.astype(np.float32)


def _flash(ages: NDArray[np.float64], onsets: NDArray[np.float32]) -> float:
    """Return the strength of the flash, 0 to 1, that the beginnings of these ages in seconds give."""
    strengths = np.clip(onsets / _FULL_ONSET, 0, 1) ** 2
    return float((strengths * _rise(ages) * np.exp(-np.maximum(ages, 0) / _FLASH_SECONDS)).max())
