"""The segments of time that a sound's course consists of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SEGMENTS = 16

Values = npt.NDArray[np.float64]


class SegmentWindows:
    """The segments' windows over a sound: triangles, centred on the segments and two of them wide.

    They overlap by half, so that what moves a little in time changes its segments only a little.
    """

    def __init__(self, duration_seconds: float) -> None:
        """Divide a sound of this length into segments."""
        self._width_seconds = duration_seconds / SEGMENTS
        self._centres_seconds = (np.arange(SEGMENTS) + 0.5) * self._width_seconds

    def heights(self, times_seconds: Values) -> Values:
        """Return the height of each window, 1 at most, at evenly spaced times: (16, times).

        Where the times are further apart than the segments, the windows are as wide as to
        interpolate between them; a segment before the first time or after the last has theirs.
        """
        first, last = times_seconds[0], times_seconds[-1]
        spacing = (last - first) / max(1, len(times_seconds) - 1)
        centres = np.clip(self._centres_seconds, first, last)
        width = max(self._width_seconds, spacing)
        heights: Values = np.maximum(0.0, 1.0 - np.abs(times_seconds - centres[:, None]) / width)
        return heights

    def weights(self, times_seconds: Values) -> Values:
        """Return `heights`, scaled to add up to 1 in each segment: (16, times)."""
        heights = self.heights(times_seconds)
        weights: Values = heights / heights.sum(axis=1, keepdims=True)
        return weights
