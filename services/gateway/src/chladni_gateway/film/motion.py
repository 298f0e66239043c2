"""How the camera moves: each beat pushes it, it comes back before the next one, and sections make it sway.

Everything is a closed formula of the time, so that any frame can be computed alone. A push begins with the
frame that is nearest to its beat, in one step, so that the largest change of a film is on the beat.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chladni_gateway.domain.films.song import Section, Song

PUSH: Final = 0.045
"""How much larger the image is right after a beat."""
_ACCENT: Final = 1.35
_DECAY_SECONDS: Final = 0.22
_LIFT: Final = 0.05
"""How much lighter: too little to count as a flash."""

_SWAY: Final = 0.010
_BASE_ZOOM: Final = 1.03
_LEAST_GAP_SECONDS: Final = 0.30
_TURN_SECONDS: Final = 2.5
_DRIFTS: Final = ((0.0, 0.0), (0.6, -0.4), (-0.6, 0.3), (0.3, 0.7), (-0.3, -0.7))
"""Where the camera looks in sections of each kind, in units of the sway."""


@dataclass(frozen=True, slots=True)
class Camera:
    """How a frame is seen.

    Attributes:
        zoom: Factor by which the image is enlarged, at least 1.
        across: How far the camera looks to the right of the middle, as a share of the width.
        down: How far below it, as a share of the height.
        light: Factor on the light.
    """

    zoom: float
    across: float
    down: float
    light: float


@dataclass(frozen=True, slots=True)
class Push:
    """A push of the camera.

    Attributes:
        time_seconds: When its beat is.
        strength: How strong it is; 1 for a usual beat.
    """

    time_seconds: float
    strength: float = 1.0


class Motion:
    """The camera of a film, or of a loop.

    Args:
        pushes: The pushes, in order.
        sections: The sections of the song, whose kinds move the camera; none in a loop.
        frames_per_second: Of the film; pushes begin with a frame.
        period_seconds: Length of a loop, after which everything comes again; `None` for a film.
    """

    def __init__(
        self,
        pushes: Sequence[Push],
        sections: Sequence[Section],
        *,
        frames_per_second: float,
        period_seconds: float | None = None,
    ) -> None:
        self._times = [round(push.time_seconds * frames_per_second) / frames_per_second for push in pushes]
        self._strengths = [push.strength for push in pushes]
        self._sections = tuple(sections)
        self._starts = [section.start_seconds for section in sections]
        self._period_seconds = period_seconds

    def at(self, time_seconds: float) -> Camera:
        """Return how the frame of a moment is seen."""
        push = self._push_at(time_seconds + 1e-6)
        across, down = self._drift_at(time_seconds)
        return Camera(
            zoom=_BASE_ZOOM + PUSH * push,
            across=_SWAY * across,
            down=_SWAY * down,
            light=1.0 + _LIFT * push,
        )

    def _push_at(self, time: float) -> float:
        """Return how far the camera is pushed: the newest push, and what is left of those before."""
        if not self._times:
            return 0.0
        index = bisect_right(self._times, time) - 1
        total = 0.0
        for back in range(3):
            number = index - back
            if number < 0:
                if self._period_seconds is None:
                    break
                since = time - (self._times[number % len(self._times)] - self._period_seconds)
            else:
                since = time - self._times[number]
            total = max(total, self._strengths[number % len(self._times)] * math.exp(-since / _DECAY_SECONDS))
        return total

    def _drift_at(self, time: float) -> tuple[float, float]:
        if not self._sections:
            return 0.0, 0.0
        index = max(0, bisect_right(self._starts, time) - 1)
        here = _DRIFTS[self._sections[index].kind % len(_DRIFTS)]
        before = _DRIFTS[self._sections[max(0, index - 1)].kind % len(_DRIFTS)]
        share = smooth_step((time - self._sections[index].start_seconds) / _TURN_SECONDS)
        across, down = (old + (new - old) * share for old, new in zip(before, here, strict=True))
        return across, down


def pushes_of(song: Song) -> list[Push]:
    """Return the pushes of a song: on its beats, or else where something begins, never close together."""
    if not song.beats:
        return [Push(time) for time in thinned(song.onsets)]
    downbeats = {round(time, 3) for time in song.downbeats}
    return [Push(time, _ACCENT if round(time, 3) in downbeats else 1.0) for time in thinned(song.beats)]


def thinned(times: Sequence[float]) -> list[float]:
    """Return the times without those that come too soon after the one before."""
    kept: list[float] = []
    for time in times:
        if not kept or time - kept[-1] >= _LEAST_GAP_SECONDS:
            kept.append(time)
    return kept


def smooth_step(value: float) -> float:
    """Return 0 below 0, 1 above 1, a cubic between them."""
    share = min(1.0, max(0.0, value))
    return share * share * (3.0 - 2.0 * share)
