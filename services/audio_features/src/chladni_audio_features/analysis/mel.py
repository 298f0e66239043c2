"""The mel scale and its filter bank, as in Slaney's Auditory Toolbox (1998).

The scale is linear below 1 kHz and logarithmic above; each triangular filter has unit area, so
that white noise has the same level in every band. librosa's defaults are the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_LOG_START_HZ = 1000.0
_LOG_START_MEL = _LOG_START_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(frequency_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert frequencies in hertz to mels."""
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    logarithmic = _LOG_START_MEL + (np.log(np.maximum(frequency, _LOG_START_HZ) / _LOG_START_HZ) / _LOG_STEP)
    return np.where(frequency < _LOG_START_HZ, frequency / _LINEAR_HZ_PER_MEL, logarithmic)


def mel_to_hz(mels: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert mels to frequencies in hertz."""
    mel = np.asarray(mels, dtype=np.float64)
    logarithmic = _LOG_START_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _LOG_START_MEL) - _LOG_START_MEL))
    return np.where(mel < _LOG_START_MEL, mel * _LINEAR_HZ_PER_MEL, logarithmic)


def mel_filter_bank(*, sample_rate_hz: int, fft_size: int, mel_bins: int) -> sparse.csr_array:
    """Build the triangular filters from 0 Hz to half the sample rate.

    Returns:
        (mel_bins, fft_size // 2 + 1) float32, sparse: about 2 % of the weights are not zero.
    """
    edges_hz = mel_to_hz(np.linspace(0.0, hz_to_mel(sample_rate_hz / 2), mel_bins + 2))
    bins_hz = np.fft.rfftfreq(fft_size, 1.0 / sample_rate_hz)
    widths_hz = np.diff(edges_hz)[:, None]
    ramps = edges_hz[:, None] - bins_hz[None, :]
    rising = -ramps[:-2] / widths_hz[:-1]
    falling = ramps[2:] / widths_hz[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    unit_area = 2.0 / (edges_hz[2:] - edges_hz[:-2])
    return sparse.csr_array((triangles * unit_area[:, None]).astype(np.float32))
