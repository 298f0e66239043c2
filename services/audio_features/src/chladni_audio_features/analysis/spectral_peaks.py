"""The tonal peaks of a spectrum: partials that stand out and last."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.spectrogram import hann_window, power_blocks

MIN_TONAL_SHARE = 0.1
"""Of the energy, in peaks: less is chance."""

_WINDOW_SAMPLES = 8192  # resolves semitones down to about C3
_HOP_SAMPLES = 4096
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 5000.0
_HIGHEST_FUNDAMENTAL_HZ = 1760.0
_REGISTER_SHARE = 0.25

# A bin is tonal if it stands out from both flanks, that is from bins outside its main lobe.
_FLANK_NEAR_BINS, _FLANK_FAR_BINS = 4, 20
_TONAL_RATIO = 16.0
_MAIN_LOBE_BINS = 2
_SILENT_POWER = 1e-12


@dataclass(frozen=True, eq=False)
class SpectralPeaks:
    """Spectral peaks of all frames of a sound.

    Attributes:
        frequencies_hz: (n,) float64, between 40 and 5000.
        amplitudes: (n,) float64, positive.
        frames: (n,) integers, the frame that each peak belongs to.
        frame_times_seconds: (frames,) float64, the middle of each frame's window.
        frame_energies: (frames,) float64, energy between 40 and 5000 Hz.
        frame_tonal_energies: (frames,) float64, how much of it lies in the peaks.
    """

    frequencies_hz: npt.NDArray[np.float64]
    amplitudes: npt.NDArray[np.float64]
    frames: npt.NDArray[np.intp]
    frame_times_seconds: npt.NDArray[np.float64]
    frame_energies: npt.NDArray[np.float64]
    frame_tonal_energies: npt.NDArray[np.float64]

    @cached_property
    def share(self) -> float:
        """Share of the energy that lies in the peaks.

        Music is above 0.7 nearly always, speech nearly never, noise is near 0.
        """
        total = float(self.frame_energies.sum())
        return float(self.frame_tonal_energies.sum()) / total if total > 0.0 else 0.0

    @property
    def is_tonal(self) -> bool:
        """Whether the peaks make at least a tenth of the sound."""
        return len(self.frequencies_hz) > 0 and self.share >= MIN_TONAL_SHARE

    @property
    def is_fundamental(self) -> npt.NDArray[np.bool_]:
        """(n,) which peaks may be notes: those up to 1760 Hz, or all if there are no others."""
        low = self.frequencies_hz <= _HIGHEST_FUNDAMENTAL_HZ
        return low if low.any() else ~low

    def register_hz(self) -> float:
        """Return where the notes lie: the lower quartile of the peaks by amplitude.

        The upper quartiles are overtones. Peaks above 1760 Hz count only if there are no others.

        Raises:
            ValueError: there are no peaks.
        """
        if not len(self.frequencies_hz):
            raise ValueError("a sound without peaks has no register")
        chosen = self.is_fundamental
        order = np.argsort(self.frequencies_hz[chosen], kind="stable")
        cumulative = np.cumsum(self.amplitudes[chosen][order])
        quartile = np.searchsorted(cumulative, _REGISTER_SHARE * cumulative[-1])
        return float(self.frequencies_hz[chosen][order][quartile])


@dataclass(frozen=True, eq=False)
class _FramePeaks:
    """Peaks of some frames: where they are, and how much of each frame's energy they hold."""

    frames: npt.NDArray[np.intp]
    bins: npt.NDArray[np.float64]
    amplitudes: npt.NDArray[np.float64]
    energies: npt.NDArray[np.float64]
    energies_in_lobes: npt.NDArray[np.float64]


def find_spectral_peaks(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> SpectralPeaks:
    """Find the tonal peaks of a sound.

    A sound shorter than the window of 8192 samples is analysed as one frame, with the bins
    interpolated.

    Args:
        samples: (n,) float32.
        sample_rate_hz: their rate.
    """
    length = min(len(samples), _WINDOW_SAMPLES)
    window = np.pad(hann_window(length), (0, _WINDOW_SAMPLES - length))
    padded = np.pad(samples, (0, max(0, _WINDOW_SAMPLES - len(samples))))
    bin_hz = sample_rate_hz / _WINDOW_SAMPLES
    lobe_bins = _WINDOW_SAMPLES / length  # how much wider a lobe of a short sound is
    blocks = [
        _peaks_of_frames(power.astype(np.float64), bin_hz=bin_hz, lobe_bins=lobe_bins)
        for power in power_blocks(padded, window=window, hop_length=_HOP_SAMPLES)
    ]
    energies = np.concatenate([block.energies for block in blocks])
    firsts = np.cumsum([0] + [len(block.energies) for block in blocks[:-1]])
    return SpectralPeaks(
        frequencies_hz=np.concatenate([block.bins for block in blocks]) * bin_hz,
        amplitudes=np.concatenate([block.amplitudes for block in blocks]),
        frames=np.concatenate([first + block.frames for first, block in zip(firsts, blocks, strict=True)]),
        frame_times_seconds=(np.arange(len(energies)) * _HOP_SAMPLES + 0.5 * length) / sample_rate_hz,
        frame_energies=energies,
        frame_tonal_energies=np.concatenate([block.energies_in_lobes for block in blocks]),
    )


def _peaks_of_frames(power: npt.NDArray[np.float64], *, bin_hz: float, lobe_bins: float) -> _FramePeaks:
    """Find the peaks of some frames, given their power, (frames, bins)."""
    low, high = (round(frequency / bin_hz) for frequency in (_LOWEST_HZ, _HIGHEST_HZ))
    # What lies above the highest frequency and its flank is of no interest.
    near, far = round(_FLANK_NEAR_BINS * lobe_bins), round(_FLANK_FAR_BINS * lobe_bins)
    log_power = np.log(np.maximum(power[:, : high + far + 1], _SILENT_POWER))
    before, centre, after = (log_power[:, low + shift : high + shift] for shift in (-1, 0, 1))
    flanks = _flank_level(log_power, near=near, far=far)[:, low:high]
    is_peak = (centre > before) & (centre >= after) & (centre > flanks + np.log(_TONAL_RATIO))
    considered = power[:, low:high]
    in_lobe = _near_peaks(is_peak, reach=round(_MAIN_LOBE_BINS * lobe_bins))
    before, centre, after = before[is_peak], centre[is_peak], after[is_peak]
    shift = 0.5 * (before - after) / (before - 2.0 * centre + after)
    frames, bins = np.nonzero(is_peak)
    return _FramePeaks(
        frames=frames,
        bins=bins + low + shift,
        amplitudes=np.exp(0.5 * centre),
        energies=considered.sum(axis=1),
        energies_in_lobes=np.where(in_lobe, considered, 0.0).sum(axis=1),
    )


def _flank_level(log_power: npt.NDArray[np.float64], *, near: int, far: int) -> npt.NDArray[np.float64]:
    """Return the mean log power of the higher one of each bin's two flanks, `near` to `far` bins away."""
    width = far - near + 1
    padded = np.pad(log_power, ((0, 0), (far + 1, far)), mode="reflect")
    sums = np.cumsum(padded, axis=1)
    means = (sums[:, width:] - sums[:, :-width]) / width
    count = log_power.shape[1]
    below = means[:, :count]
    above = means[:, near + far : near + far + count]
    return np.maximum(below, above)


def _near_peaks(is_peak: npt.NDArray[np.bool_], *, reach: int) -> npt.NDArray[np.bool_]:
    """Return which bins lie in the main lobes of the peaks."""
    in_lobe = np.zeros(is_peak.shape, dtype=np.bool_)
    frames, bins = np.nonzero(is_peak)
    for shift in range(-reach, reach + 1):
        in_lobe[frames, np.clip(bins + shift, 0, is_peak.shape[1] - 1)] = True
    return in_lobe
