"""What each frame of a film is made from: a window over the course of the song that glides on with it.

The segments of the course stand fixed in time; a frame shows the sixteen of them that end now. What the song
is like as a whole, which decides palette and forms, changes slowly, as its sections do. A loop shows the same
segments again and again: its window is exactly as wide as the loop is long, so that its end is its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chladni_contract.descriptor_space import TEMPORAL_FEATURES, TEMPORAL_SEGMENTS
from chladni_gateway.domain.films.song import Song
from chladni_gateway.domain.generation import CourseWindow
from chladni_gateway.film.motion import smooth_step

_SMOOTHING_SECONDS: Final = 5.0
_MEANS_SECONDS: Final = 12.0
_GROWTH_SECONDS: Final = 0.35
_LEVEL_SECONDS: Final = 0.6

Values = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What a frame is made from.

    Attributes:
        embedding: float32 (152,), of which the whole sound's part counts.
        window: What is seen of the course.
    """

    embedding: NDArray[np.float32]
    window: CourseWindow


class Timeline:
    """The moments of a film.

    Args:
        song: The song.
    """

    def __init__(self, song: Song) -> None:
        self._song = song
        self._width_seconds = TEMPORAL_SEGMENTS * song.segment_seconds
        places = (np.arange(len(song.course)) + 0.5) * song.segment_seconds
        self._means = _smoothed(song.course.astype(np.float64), places, places, _MEANS_SECONDS)
        self._places = places
        self._levels = _smoothed(
            song.course[:, TEMPORAL_FEATURES.index("level"), None].astype(np.float64),
            places,
            places,
            _LEVEL_SECONDS,
        )[:, 0]

    def at(self, time_seconds: float) -> Moment:
        """Return the moment of a time since the beginning of the song."""
        song, width = self._song, self._width_seconds
        size = song.segment_seconds
        # One more at either edge, so that what leaves and what comes does so outside the image.
        first = int(np.floor((time_seconds - width) / size)) - 1
        numbers = np.arange(first, first + TEMPORAL_SEGMENTS + 3)
        starts = numbers * size
        course = song.course[np.clip(numbers, 0, len(song.course) - 1)].copy()
        course[numbers < 0, TEMPORAL_FEATURES.index("onset")] = 0.0
        growth = [smooth_step((time_seconds - start) / _GROWTH_SECONDS) for start in starts]
        means = [np.interp(time_seconds, self._places, column) for column in self._means.T]
        return Moment(
            embedding=_embedding(self._whole_at(time_seconds)),
            window=CourseWindow(
                centers=((starts + 0.5 * size - (time_seconds - width)) / width).astype(np.float32),
                numbers=numbers.astype(np.int64),
                course=course,
                means=np.array(means, dtype=np.float32),
                growth=np.array(growth, dtype=np.float32),
                drift=max(0.0, time_seconds / width + 1.0),
                level=float(np.interp(time_seconds, self._places, self._levels)),
                flash=0.0,
            ),
        )

    def _whole_at(self, time_seconds: float) -> Values:
        song = self._song
        places = (np.arange(len(song.descriptors)) + 0.5) * song.interval_seconds
        values = song.descriptors.astype(np.float64)
        whole: Values = _smoothed(values, places, np.array([time_seconds]), _SMOOTHING_SECONDS)[0]
        return whole


class LoopTimeline:
    """The moments of a loop: those after its end are those from its beginning.

    Args:
        song: The song.
        start_seconds: Where the loop begins in it.
        period_seconds: How long it is.
    """

    def __init__(self, song: Song, *, start_seconds: float, period_seconds: float) -> None:
        self._period_seconds = period_seconds
        size = period_seconds / TEMPORAL_SEGMENTS
        places = (np.arange(len(song.course)) + 0.5) * song.segment_seconds
        wanted = start_seconds + (np.arange(TEMPORAL_SEGMENTS) + 0.5) * size
        columns = [np.interp(wanted, places, column) for column in song.course.T.astype(np.float64)]
        self._course = np.stack(columns, axis=1).astype(np.float32)
        moments = (np.arange(len(song.descriptors)) + 0.5) * song.interval_seconds
        middle = np.array([start_seconds + period_seconds / 2])
        self._whole = _smoothed(song.descriptors.astype(np.float64), moments, middle, _SMOOTHING_SECONDS)[0]

    def at(self, time_seconds: float) -> Moment:
        """Return the moment of a time since the beginning of the loop."""
        period = self._period_seconds
        size = period / TEMPORAL_SEGMENTS
        time = time_seconds % period
        first = int(np.floor((time - period) / size)) - 1
        numbers = np.arange(first, first + TEMPORAL_SEGMENTS + 3)
        starts = numbers * size
        shown = numbers % TEMPORAL_SEGMENTS
        growth = [smooth_step((time - start) / min(_GROWTH_SECONDS, size)) for start in starts]
        levels = self._course[:, TEMPORAL_FEATURES.index("level")].astype(np.float64)
        return Moment(
            embedding=_embedding(self._whole),
            window=CourseWindow(
                centers=((starts + 0.5 * size - (time - period)) / period).astype(np.float32),
                numbers=shown.astype(np.int64),
                course=self._course[shown],
                means=self._course.mean(axis=0),
                growth=np.array(growth, dtype=np.float32),
                drift=time / period,
                level=_periodic(levels, time / size),
                flash=0.0,
            ),
        )


def _periodic(values: Values, place: float) -> float:
    """Return a smooth value between those that come again and again, around a place in segments."""
    distances = (np.arange(len(values)) + 0.5 - place + len(values) / 2) % len(values) - len(values) / 2
    weights = np.exp(-0.5 * np.square(distances / 1.2))
    return float((weights * values).sum() / weights.sum())


def _smoothed(values: Values, places: Values, wanted: Values, width: float) -> Values:
    """Return means of rows, (wanted, columns), weighted by a Gaussian of their distance in time."""
    weights = np.exp(-0.5 * np.square((wanted[:, None] - places) / width))
    weights += 1e-12
    smoothed: Values = (weights @ values) / weights.sum(axis=1, keepdims=True)
    return smoothed


def _embedding(whole: Values) -> NDArray[np.float32]:
    """Return an embedding whose own course, which gives way to the window's, is undecided."""
    course = np.full(TEMPORAL_SEGMENTS * len(TEMPORAL_FEATURES), 0.5)
    embedding: NDArray[np.float32] = np.clip(np.concatenate([whole, course]), 0.0, 1.0).astype(np.float32)
    return embedding
