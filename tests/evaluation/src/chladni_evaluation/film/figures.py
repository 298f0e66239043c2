"""Figures of a film, from its file alone: what moves when, flashes, and the seam of a loop."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

Values = npt.NDArray[np.float64]

_SIDE: Final = 64
_LOUD: Final = 1.5
_BEAT_SECONDS: Final = 0.08
_FLASH_CHANGE: Final = 0.1
_FLASH_AREA: Final = 0.25
_SHEET_COLUMNS: Final = 8
_SHEET_PIXELS: Final = 160


def small_frames(path: Path) -> tuple[npt.NDArray[np.float32], float]:
    """Return the frames of a film, made small, (frames, 64, 64, 3) in [0, 1], and their rate."""
    frames = []
    with av.open(str(path)) as film:
        rate = float(film.streams.video[0].average_rate or 0)
        for frame in film.decode(video=0):
            whole = Image.fromarray(frame.to_ndarray(format="rgb24"))
            small = whole.resize((_SIDE, _SIDE), Image.Resampling.BOX)
            frames.append(np.asarray(small, dtype=np.float32) / 255)
    return np.array(frames), rate


def steps_of(frames: npt.NDArray[np.float32]) -> Values:
    """Return how much each frame differs from the one before it, (frames - 1,)."""
    return np.array([np.abs(after - before).mean() for before, after in itertools.pairwise(frames)])


def motion_peaks(frames: npt.NDArray[np.float32], rate: float) -> Values:
    """Return the times in seconds at which a film moves clearly more than around, by the later frames."""
    steps = steps_of(frames)
    if len(steps) < 3:
        return np.zeros(0)
    around = np.array([np.median(steps[max(0, i - 6) : i + 7]) for i in range(len(steps))])
    inner = np.arange(1, len(steps) - 1)
    is_peak = (steps[inner] > steps[inner - 1]) & (steps[inner] >= steps[inner + 1])
    is_peak &= steps[inner] > _LOUD * around[inner]
    peaks: Values = (inner[is_peak] + 1) / rate
    return peaks


def share_on_beats(peaks: Sequence[float] | Values, beats: Sequence[float]) -> float:
    """Return the share of the peaks that lie within 80 ms of a beat; 0 without peaks or beats."""
    if not len(peaks) or not len(beats):
        return 0.0
    distances = np.abs(np.asarray(peaks)[:, None] - np.asarray(beats)).min(axis=1)
    return float((distances <= _BEAT_SECONDS).mean())


def seam_ratio(frames: npt.NDArray[np.float32]) -> float:
    """Return how large the step from a loop's last frame to its first one is, relative to its median step."""
    return float(np.abs(frames[0] - frames[-1]).mean() / max(float(np.median(steps_of(frames))), 1e-9))


def most_flashes(frames: npt.NDArray[np.float32], rate: float) -> int:
    """Return the most flashes within a second, of opposing changes of a quarter of the image."""
    linear = np.where(frames <= 0.04045, frames / 12.92, ((frames + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    turns: list[int] = []
    level, direction = luminance[0], 0
    for number, after in enumerate(luminance):
        rises = ((after - level >= _FLASH_CHANGE) & (level < 0.8)).mean() >= _FLASH_AREA
        falls = ((level - after >= _FLASH_CHANGE) & (after < 0.8)).mean() >= _FLASH_AREA
        if (rises and direction <= 0) or (falls and direction >= 0):
            turns.append(number)
            direction = 1 if rises else -1
            level = after
        elif direction > 0:
            level = np.maximum(level, after)
        elif direction < 0:
            level = np.minimum(level, after)
    return max((sum(0 <= number - first < rate for number in turns) // 2 for first in turns), default=0)


def frame_digests(path: Path) -> Iterator[bytes]:
    """Yield the pixels of each frame of a film as bytes."""
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            yield frame.to_ndarray(format="rgb24").tobytes()


def contact_sheet(path: Path, target: Path, *, count: int = 40) -> None:
    """Draw evenly spaced frames of a film on one sheet."""
    with av.open(str(path)) as film:
        images = [Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]
    chosen = [images[round(place)] for place in np.linspace(0, len(images) - 1, min(count, len(images)))]
    height = round(_SHEET_PIXELS * images[0].height / images[0].width)
    rows = -(-len(chosen) // _SHEET_COLUMNS)
    sheet = Image.new("RGB", (_SHEET_COLUMNS * _SHEET_PIXELS, rows * height))
    for number, image in enumerate(chosen):
        row, column = divmod(number, _SHEET_COLUMNS)
        sheet.paste(image.resize((_SHEET_PIXELS, height)), (column * _SHEET_PIXELS, row * height))
    sheet.save(target)
