"""Sections of a song: stretches that are alike in themselves and differ from what is around them.

A section begins where what comes differs from what was: at peaks of the novelty along the diagonal of the
song's self-similarity (Foote 2000, "Automatic audio segmentation using a measure of audio novelty").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_REACH_SECONDS: Final = 12.0
_LEAST_SECONDS: Final = 8.0
_LEAST_NOVELTY: Final = 0.25
_SNAP_SECONDS: Final = 2.0
_ALIKE: Final = 0.6


@dataclass(frozen=True)
class Section:
    """A stretch of a song.

    Attributes:
        start_seconds: Where it begins.
        end_seconds: Where it ends.
        kind: Sections that sound alike have the same number, from 0 in the order in which they come.
    """

    start_seconds: float
    end_seconds: float
    kind: int


def find_sections(
    features: FloatArray, *, step_seconds: float, duration_seconds: float, downbeats: Sequence[float]
) -> tuple[Section, ...]:
    """Return the sections of a song, without gaps from its beginning to its end.

    Args:
        features: (moments, features) of evenly spaced moments.
        step_seconds: Distance between the moments.
        duration_seconds: Length of the song.
        downbeats: Where bars begin, near which sections begin.
    """
    scaled = (features - features.mean(axis=0)) / (features.std(axis=0) + 0.05)
    borders = [0.0]
    for border in _borders(scaled, step_seconds):
        snapped = _snapped(border, downbeats)
        if snapped - borders[-1] >= _LEAST_SECONDS <= duration_seconds - snapped:
            borders.append(snapped)
    stretches = list(zip(borders, [*borders[1:], duration_seconds], strict=True))
    means = [_mean(scaled, start / step_seconds, end / step_seconds) for start, end in stretches]
    return tuple(
        Section(start, end, kind) for (start, end), kind in zip(stretches, _kinds(means), strict=True)
    )


def _borders(scaled: FloatArray, step_seconds: float) -> list[float]:
    count = len(scaled)
    reach = max(2, round(_REACH_SECONDS / step_seconds))
    novelty = np.zeros(count + 1)
    for place in range(2, count - 1):
        before, after = scaled[max(0, place - reach) : place], scaled[place : place + reach]
        gap = before.mean(axis=0) - after.mean(axis=0)
        spread = np.concatenate([before - before.mean(axis=0), after - after.mean(axis=0)])
        between, within = float(gap @ gap), float(np.square(spread).sum(axis=1).mean())
        novelty[place] = between / (between + 4.0 * within + 1e-9)
    radius = max(1, round(0.5 * _LEAST_SECONDS / step_seconds))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(novelty, radius), 2 * radius + 1)
    is_peak = (windows.argmax(axis=1) == radius) & (novelty >= _LEAST_NOVELTY)
    return [float(place * step_seconds) for place in np.flatnonzero(is_peak)]


def _snapped(border: float, downbeats: Sequence[float]) -> float:
    if not downbeats:
        return border
    nearest = min(downbeats, key=lambda time: abs(time - border))
    return nearest if abs(nearest - border) <= _SNAP_SECONDS else border


def _mean(scaled: FloatArray, first: float, last: float) -> FloatArray:
    start = min(round(first), len(scaled) - 1)
    mean: FloatArray = scaled[start : max(start + 1, round(last))].mean(axis=0)
    return mean


def _kinds(means: Sequence[FloatArray]) -> list[int]:
    """Return a number for each section: that of the earlier kind which it is most like, or the next one."""
    kinds: list[int] = []
    models: list[FloatArray] = []
    for mean in means:
        likeness = [
            float(mean @ model / (np.linalg.norm(mean) * np.linalg.norm(model) + 1e-9)) for model in models
        ]
        if likeness and max(likeness) >= _ALIKE:
            kinds.append(int(np.argmax(likeness)))
        else:
            kinds.append(len(models))
            models.append(mean)
    return kinds
