"""Flashes: counted as the Web Content Accessibility Guidelines count them, and softened if they are too many.

A flash is a pair of opposing changes of relative luminance of a tenth or more, of which the darker state is
below 0.8, over at least a quarter of the image; more than three within a second may trigger seizures
(WCAG 2.2, success criterion 2.3.1).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_FLASHES_PER_SECOND: Final = 3

_CELLS: Final = 16
_LEAST_CHANGE: Final = 0.1
_LEAST_AREA: Final = 0.25
_DARK: Final = 0.8
_SOFTER: Final = (0.7, 0.5, 0.35, 0.2, 0.1, 0.0)

Pixels = NDArray[np.uint8]
Cells = NDArray[np.float64]

_LINEAR: Final = np.where(
    np.arange(256) / 255 <= 0.04045,
    np.arange(256) / 255 / 12.92,
    ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4,
)
_WEIGHTS: Final = np.array([0.2126, 0.7152, 0.0722])


def luminance_cells(pixels: Pixels) -> Cells:
    """Return the mean relative luminance of (16, 16) parts of an image (H, W, 3)."""
    height, width, _ = pixels.shape
    step = max(1, min(height, width) // (_CELLS * 4))
    luminance = _LINEAR[pixels[::step, ::step]] @ _WEIGHTS
    rows = np.linspace(0, luminance.shape[0], _CELLS + 1).astype(int)
    columns = np.linspace(0, luminance.shape[1], _CELLS + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(luminance, rows[:-1], axis=0), columns[:-1], axis=1)
    cells: Cells = sums / (np.diff(rows)[:, None] * np.diff(columns))
    return cells


@dataclass
class FlashCounter:
    """Counts the flashes of the frames that it sees, in order.

    Attributes:
        frames_per_second: Rate of the frames.
        extremes: Luminance of each cell where it last turned; `None` before the first frame.
        directions: 1 where it last rose, -1 where it fell, 0 before it did either.
        changes: Numbers of the frames of the last second in which at least a quarter of the image changed.
        frame: Number of the next frame.
    """

    frames_per_second: float
    extremes: Cells | None = None
    directions: NDArray[np.int8] = field(default_factory=lambda: np.zeros((_CELLS, _CELLS), np.int8))
    changes: deque[int] = field(default_factory=deque)
    frame: int = 0

    def would_flash(self, cells: Cells) -> bool:
        """Return whether one more frame would make too many flashes within a second."""
        if not self._is_change(cells):
            return False
        recent = sum(self.frame - number < self.frames_per_second for number in self.changes)
        return recent + 1 > 2 * MAX_FLASHES_PER_SECOND

    def see(self, cells: Cells) -> None:
        """Take the next frame."""
        if self.extremes is None:
            self.extremes = cells.copy()
        is_change = self._is_change(cells)
        rises, falls = self._turned(cells)
        if is_change:
            self.changes.append(self.frame)
        moved = rises | falls
        self.directions = np.where(rises, 1, np.where(falls, -1, self.directions)).astype(np.int8)
        follows = np.where(self.directions > 0, cells > self.extremes, cells < self.extremes)
        self.extremes = np.where(moved | follows, cells, self.extremes)
        self.frame += 1
        while self.changes and self.frame - self.changes[0] >= self.frames_per_second:
            self.changes.popleft()

    def _turned(self, cells: Cells) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which cells became clearly lighter, and which darker, against their last direction."""
        if self.extremes is None:
            nothing = np.zeros((_CELLS, _CELLS), bool)
            return nothing, nothing
        difference = cells - self.extremes
        is_dark = np.minimum(cells, self.extremes) < _DARK
        rises = (difference >= _LEAST_CHANGE) & (self.directions <= 0) & is_dark
        falls = (difference <= -_LEAST_CHANGE) & (self.directions >= 0) & is_dark
        return rises, falls

    def _is_change(self, cells: Cells) -> bool:
        rises, falls = self._turned(cells)
        return bool(max(rises.mean(), falls.mean()) >= _LEAST_AREA)


class FlashLimiter:
    """Softens frames that would make more than three flashes within a second; its frames come in order.

    Args:
        frames_per_second: Rate of the frames.
    """

    def __init__(self, frames_per_second: float) -> None:
        self.counter = FlashCounter(frames_per_second)
        self.softened_count = 0
        self._last: Pixels | None = None

    def save(self, path: Path) -> None:
        """Keep what the limiter knows, so that another one goes on where it was."""
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            np.savez(
                file,
                extremes=np.zeros(0) if self.counter.extremes is None else self.counter.extremes,
                directions=self.counter.directions,
                changes=np.array(self.counter.changes, dtype=np.int64),
                frame=np.array(self.counter.frame),
                last=np.zeros(0, np.uint8) if self._last is None else self._last,
            )
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Go on where another limiter was."""
        with np.load(path, allow_pickle=False) as arrays:
            extremes, last = arrays["extremes"], arrays["last"]
            self.counter.extremes = extremes if extremes.size else None
            self.counter.directions = arrays["directions"]
            self.counter.changes = deque(int(number) for number in arrays["changes"])
            self.counter.frame = int(arrays["frame"])
            self._last = last if last.size else None

    def soften(self, pixels: Pixels) -> Pixels:
        """Return the next frame (H, W, 3), or one between it and the last one that does not flash."""
        cells = luminance_cells(pixels)
        if self._last is not None and self.counter.would_flash(cells):
            self.softened_count += 1
            for share in _SOFTER:
                mixed = self._last + share * (pixels.astype(np.float32) - self._last)
                pixels = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
                cells = luminance_cells(pixels)
                if not self.counter.would_flash(cells):
                    break
        self.counter.see(cells)
        self._last = pixels
        return pixels


def count_flashes(frames: list[Pixels], frames_per_second: float) -> int:
    """Return the most flashes within a second of some frames (H, W, 3)."""
    counter, most = FlashCounter(frames_per_second), 0
    for pixels in frames:
        counter.see(luminance_cells(pixels))
        most = max(most, len(counter.changes) // 2)
    return most
