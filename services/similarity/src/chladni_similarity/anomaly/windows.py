"""From mel spectrograms to windows of ten seconds, the same way for training and for serving.

The image is the one that the method was designed with: 128 mel bands of audio at 22050 Hz up to 8 kHz, 80 dB
of range, 224 x 224 gray pixels, time to the right and frequency upwards. A window always covers ten seconds:
shorter audio is repeated, as machines do; longer audio gives several windows. An image without its audio
counts as one window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SAMPLE_RATE_HZ: Final = 22050
MEL_BIN_COUNT: Final = 128
MAX_FREQUENCY_HZ: Final = 8000.0
FFT_SIZE: Final = 2048
HOP_LENGTH: Final = 512
DYNAMIC_RANGE_DB: Final = 80.0

ENVELOPE_BAND_COUNT: Final = 16
ENVELOPE_FFT_SIZE: Final = 256
ENVELOPE_HOP_LENGTH: Final = 64
ENVELOPE_RATE_HZ: Final = SAMPLE_RATE_HZ / ENVELOPE_HOP_LENGTH

SIDE_PIXELS: Final = 224
WINDOW_SECONDS: Final = 10.0

_WINDOW_FRAMES: Final = 1 + round(WINDOW_SECONDS * SAMPLE_RATE_HZ) // HOP_LENGTH
_WINDOW_ENVELOPE_FRAMES: Final = 1 + round(WINDOW_SECONDS * SAMPLE_RATE_HZ) // ENVELOPE_HOP_LENGTH
_FITTED_STRIDE_SECONDS: Final = 2.0
_MIN_FITTED_PART_SECONDS: Final = 2.0

Levels: TypeAlias = NDArray[np.float32]
"""A mel spectrogram: (bands, frames) in [0, 1], the lowest band first; 1 is the loudest cell, 0 is -80 dB."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrogram:
    """What is seen of one clip.

    Attributes:
        levels: (128, frames), a frame each 512 samples.
        envelopes: (16, frames), a frame each 64 samples: the course of each band, fine enough for single
            impacts. `None` if only an image is there.
    """

    levels: Levels
    envelopes: Levels | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Ten seconds of audio.

    Attributes:
        image: (224, 224) gray pixels in [0, 1], time to the right and frequency upwards.
        envelopes: (16, 3446), the course of each band in [0, 1], the lowest first; `None` if unknown.
    """

    image: NDArray[np.float32]
    envelopes: Levels | None = None


def scored_windows(spectrogram: Spectrogram) -> tuple[Window, ...]:
    """Return the windows that a clip is judged by: as few as cover it."""
    frame_count = spectrogram.levels.shape[1]
    count = max(1, -(-(frame_count - 1) // (_WINDOW_FRAMES - 1)))
    starts = np.linspace(0, max(0, frame_count - _WINDOW_FRAMES), count).round().astype(int)
    return tuple(_window(spectrogram, int(start), _WINDOW_FRAMES) for start in starts)


def fitted_windows(
    spectrogram: Spectrogram, *, wanted_count: int = 1, max_count: int | None = None
) -> tuple[Window, ...]:
    """Return windows to learn normal operation from: overlapping ones, each two seconds.

    Args:
        spectrogram: The clip.
        wanted_count: Windows that are needed. A clip that is too short for them gives also windows of shorter
            parts, which vary more than whole ones and so make the normal range wider rather than narrower.
        max_count: Windows of ten seconds at most, evenly over the clip; `None` for as many as there are.
    """
    frame_count = spectrogram.levels.shape[1]
    stride = round(_FITTED_STRIDE_SECONDS * SAMPLE_RATE_HZ / HOP_LENGTH)
    last = max(0, frame_count - _WINDOW_FRAMES)
    starts = range(0, last + 1, stride)
    if max_count is not None and len(starts) > max_count:
        starts = starts[:: -(-len(starts) // max_count)]
    windows = [_window(spectrogram, start, _WINDOW_FRAMES) for start in starts]
    part = min(frame_count, _WINDOW_FRAMES)
    while len(windows) < wanted_count and (part := part // 2) * HOP_LENGTH >= _MIN_FITTED_PART_SECONDS * (
        SAMPLE_RATE_HZ
    ):
        windows += [
            _window(spectrogram, start, part) for start in range(0, frame_count - part + 1, max(1, part // 2))
        ]
    return tuple(windows)


def image_window(gray: NDArray[np.uint8]) -> Window:
    """Return the window of a gray spectrogram image, (height, width), whatever its size."""
    return Window(_resized(gray))


def row_frequencies_hz() -> NDArray[np.float64]:
    """Return the frequency that each row of an image shows, (224,), falling."""
    rows = (np.arange(SIDE_PIXELS)[::-1] + 0.5) / SIDE_PIXELS * MEL_BIN_COUNT - 0.5
    return mel_to_hz((rows + 1.0) * hz_to_mel(MAX_FREQUENCY_HZ) / (MEL_BIN_COUNT + 1))


def envelope_frequencies_hz() -> NDArray[np.float64]:
    """Return the centre of each band of the envelopes, (16,), rising."""
    return mel_to_hz(
        np.arange(1, ENVELOPE_BAND_COUNT + 1) * hz_to_mel(MAX_FREQUENCY_HZ) / (ENVELOPE_BAND_COUNT + 1)
    )


def to_power(levels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the power, relative to the loudest cell, of levels in [0, 1]."""
    power: NDArray[np.float64] = 10.0 ** (DYNAMIC_RANGE_DB / 10.0 * (levels.astype(np.float64) - 1.0))
    return power


def hz_to_mel(frequency_hz: float) -> float:
    """Return a frequency on the mel scale of Slaney's Auditory Toolbox."""
    if frequency_hz < 1000.0:
        return frequency_hz * 3.0 / 200.0
    return 15.0 + 27.0 * float(np.log(frequency_hz / 1000.0) / np.log(6.4))


def mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the frequencies of places on that mel scale."""
    return np.where(mels < 15.0, mels * 200.0 / 3.0, 1000.0 * 6.4 ** ((mels - 15.0) / 27.0))


def _window(spectrogram: Spectrogram, start: int, frame_count: int) -> Window:
    """Return the window that begins at a frame; a shorter part is repeated until the window is full."""
    levels = np.concatenate(
        list(_repeated(spectrogram.levels[:, start : start + frame_count], _WINDOW_FRAMES)), axis=1
    )
    gray = (np.flipud(levels) * 255.0).round().astype(np.uint8)
    if spectrogram.envelopes is None:
        return Window(_resized(gray))
    ratio = HOP_LENGTH // ENVELOPE_HOP_LENGTH
    first = min(start * ratio, max(0, spectrogram.envelopes.shape[1] - 2))
    part = spectrogram.envelopes[:, first : first + max(2, (frame_count - 1) * ratio + 1)]
    envelopes = np.concatenate(list(_repeated(part, _WINDOW_ENVELOPE_FRAMES)), axis=1)
    return Window(_resized(gray), envelopes)


def _repeated(part: Levels, frame_count: int) -> Iterator[Levels]:
    while frame_count > 0:
        yield part[:, :frame_count]
        frame_count -= part.shape[1]


def _resized(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return an image of 224 x 224 pixels in [0, 1] whose loudest pixel is 1."""
    pixels = np.asarray(
        Image.fromarray(np.ascontiguousarray(gray)).resize(
            (SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.BICUBIC
        ),
        np.float32,
    ) / np.float32(255.0)
    loudest = pixels.max()
    return np.maximum(pixels + (np.float32(1.0) - loudest), np.float32(0.0)) if loudest > 0 else pixels
