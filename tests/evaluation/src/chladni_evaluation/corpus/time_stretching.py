"""Time stretching: another tempo at the same pitch."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_FRAME: Final = 1024
_TOLERANCE: Final = 256


def stretched(samples: NDArray[np.float32], *, rate: float) -> NDArray[np.float32]:
    """Change the tempo of audio and keep its pitch.

    Waveform-similarity overlap-add, WSOLA (Verhelst and Roelands 1993): frames are taken near where the new
    tempo wants them, each at the place where it continues the previous one best. Unlike a phase vocoder it
    keeps strokes and consonants as sharp as they were.

    Args:
        samples: (n,) at about 22 kHz, so that a frame lasts 46 ms.
        rate: Factor by which it becomes faster; near 1.

    Returns:
        (n / rate,) rounded.
    """
    hop = _FRAME // 2
    margin = _FRAME + _TOLERANCE
    padded = np.pad(samples.astype(np.float64), margin)
    length = round(len(samples) / rate)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_FRAME) / _FRAME)
    output = np.zeros(length + 2 * _FRAME)
    previous = None
    for position in range(0, length + hop, hop):
        # Frame and output are shifted by half a frame, so that the first one stands over the beginning.
        wanted = margin - hop + round(position * rate)
        if wanted + _TOLERANCE + _FRAME > len(padded):
            break
        start = wanted if previous is None else _best_continuation(padded, previous + hop, wanted)
        output[position : position + _FRAME] += window * padded[start : start + _FRAME]
        previous = start
    stretched_samples: NDArray[np.float32] = output[hop : hop + length].astype(np.float32)
    return stretched_samples


def _best_continuation(padded: NDArray[np.float64], natural: int, wanted: int) -> int:
    """Return the start near `wanted` from which the audio is most similar to that from `natural`."""
    template = padded[natural : natural + _FRAME]
    region = padded[wanted - _TOLERANCE : wanted + _TOLERANCE + _FRAME]
    similarities = np.correlate(region, template, mode="valid")
    energies = np.convolve(np.square(region), np.ones(_FRAME), mode="valid")
    return wanted - _TOLERANCE + int(np.argmax(similarities / np.sqrt(energies + 1e-9)))
