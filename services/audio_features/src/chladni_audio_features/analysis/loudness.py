"""Loudness and dynamics.

Loudness follows ITU-R BS.1770-4: K-weighting, 400 ms blocks with 75 % overlap, an absolute gate at
-70 LUFS and a relative one 10 LU below the loudness of what passes the first. The filters are the
recommendation's, designed for the sample rate at hand as De Man (2014, "Evaluation of
implementations of the EBU R128 loudness measurement") describes. The sound is mono, measured as
one channel: a full-scale sine of 997 Hz has -3.0 LUFS.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import fft

SILENCE_LUFS = -70.0
"""The absolute gate: what is softer counts as silence."""

MAX_DYNAMICS_DB = 60.0

_BLOCK_SECONDS = 0.4
_BLOCK_STEP_SECONDS = 0.1
_RELATIVE_GATE_LU = 10.0
_OFFSET_LUFS = -0.691  # makes K-weighting neutral at 997 Hz

_SHELF_HZ, _SHELF_GAIN_DB, _SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
_SHELF_BAND_EXPONENT = 0.4996667741545416
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773

_RINGING_SECONDS = 0.5
_FILTERED_RINGINGS = 5  # long enough to waste little on the ringing, short enough for the cache

_LEVEL_WINDOW_SECONDS = 0.125  # the "fast" time constant of sound level meters
_LEVEL_STEP_SECONDS = 0.025
_SOFT_PERCENTILE = 10


def k_weighted(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> npt.NDArray[np.float64]:
    """Filter a sound by the K-weighting curve of BS.1770.

    The recursive filters are applied by their frequency response, which equals running them as long
    as their ringing has died away within the padding.

    Args:
        samples: (n,) float32.
        sample_rate_hz: their rate.

    Returns:
        (n,) float64.
    """
    ringing = round(_RINGING_SECONDS * sample_rate_hz)
    size = fft.next_fast_len(ringing + min(len(samples), _FILTERED_RINGINGS * ringing), real=True)
    step = size - ringing
    response = _k_response(size, sample_rate_hz)
    weighted = np.empty(len(samples))
    # Overlap-save: what rang before a piece precedes it in its transform and is then dropped.
    preceded = np.pad(samples, (ringing, step))
    for start in range(0, len(samples), step):
        piece = np.fft.rfft(preceded[start : start + size].astype(np.float64))
        piece *= response
        kept = weighted[start : start + step]
        kept[:] = np.fft.irfft(piece, size)[ringing : ringing + len(kept)]
    return weighted


def integrated_loudness(weighted: npt.NDArray[np.float64], sample_rate_hz: int) -> float:
    """Measure the gated loudness of K-weighted sound in LUFS, -70 for silence.

    A sound shorter than one block of 400 ms is one block.
    """
    powers = _window_powers(weighted, sample_rate_hz, _BLOCK_SECONDS, _BLOCK_STEP_SECONDS)
    audible = powers[_to_lufs(powers) > SILENCE_LUFS]
    if not len(audible):
        return SILENCE_LUFS
    gate_lufs = float(_to_lufs(audible.mean())) - _RELATIVE_GATE_LU
    loud = audible[_to_lufs(audible) > gate_lufs]
    return float(_to_lufs(loud.mean()))


def level_dynamics(weighted: npt.NDArray[np.float64], sample_rate_hz: int) -> float:
    """Measure how far the level of K-weighted sound falls, in dB from 0 to 60.

    It is the distance between the loudest 125 ms and the 10th percentile of all 125 ms windows,
    that is between a sound's peaks and its pauses. The loudness range of EBU Tech 3342 asks the
    same of programmes, with windows of 3 s that are too long for clips.
    """
    powers = _window_powers(weighted, sample_rate_hz, _LEVEL_WINDOW_SECONDS, _LEVEL_STEP_SECONDS)
    levels = np.maximum(_to_lufs(powers), SILENCE_LUFS)
    fall_db = float(levels.max() - np.percentile(levels, _SOFT_PERCENTILE))
    return min(fall_db, MAX_DYNAMICS_DB)


def _window_powers(
    weighted: npt.NDArray[np.float64],
    sample_rate_hz: int,
    window_seconds: float,
    step_seconds: float,
) -> npt.NDArray[np.float64]:
    """Return the mean square of each window; a sound shorter than a window is one window."""
    window = min(round(window_seconds * sample_rate_hz), len(weighted))
    step = round(step_seconds * sample_rate_hz)
    windows = np.lib.stride_tricks.sliding_window_view(np.square(weighted), window)[::step]
    powers: npt.NDArray[np.float64] = windows.mean(axis=1)
    return powers


def _to_lufs(power: npt.ArrayLike) -> npt.NDArray[np.float64]:
    levels: npt.NDArray[np.float64] = _OFFSET_LUFS + 10.0 * np.log10(np.maximum(power, 1e-30))
    return levels


def _k_response(size: int, sample_rate_hz: int) -> npt.NDArray[np.complex128]:
    """Return the frequency response of both filters at the bins of a real transform."""
    shelf_gain = 10.0 ** (_SHELF_GAIN_DB / 20.0)
    band_gain = shelf_gain**_SHELF_BAND_EXPONENT
    warped, damping = _analogue(_SHELF_HZ, _SHELF_Q, sample_rate_hz)
    shelf = (
        shelf_gain + band_gain * damping + warped**2,
        2.0 * (warped**2 - shelf_gain),
        shelf_gain - band_gain * damping + warped**2,
    )
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response = _polynomial(shelf, delay) / _polynomial(_poles(warped, damping), delay)
    warped, damping = _analogue(_HIGH_PASS_HZ, _HIGH_PASS_Q, sample_rate_hz)
    # BS.1770 leaves the numerator of its high-pass filter at 1, -2, 1, without normalising it.
    norm = 1.0 + damping + warped**2
    high_pass = np.square(1.0 - delay) * norm / _polynomial(_poles(warped, damping), delay)
    weighting: npt.NDArray[np.complex128] = response * high_pass
    return weighting


def _analogue(frequency_hz: float, quality: float, sample_rate_hz: int) -> tuple[float, float]:
    """Return a corner frequency warped for the bilinear transform, and it over the quality."""
    warped = math.tan(math.pi * frequency_hz / sample_rate_hz)
    return warped, warped / quality


def _poles(warped: float, damping: float) -> tuple[float, float, float]:
    return 1.0 + damping + warped**2, 2.0 * (warped**2 - 1.0), 1.0 - damping + warped**2


def _polynomial(
    coefficients: tuple[float, float, float], delay: npt.NDArray[np.complex128]
) -> npt.NDArray[np.complex128]:
    constant, linear, quadratic = coefficients
    return constant + (linear + quadratic * delay) * delay
