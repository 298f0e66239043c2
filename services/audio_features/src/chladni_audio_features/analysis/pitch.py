"""Fundamental frequency by YIN (de Cheveigné & Kawahara 2002, JASA 111(4)).

For every lag, YIN compares a window with its shifted self; the difference divided by its running
mean falls towards 0 at the period. The first dip below a threshold gives the period, and its depth
says how periodic the sound is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from chladni_audio_features.analysis.spectral_peaks import SpectralPeaks

MIN_PITCH_HZ = 50.0
MAX_PITCH_HZ = 4000.0
MAX_PITCH_RANGE_SEMITONES = 76.0
"""From the lowest to the highest pitch there is."""

VOICED_APERIODICITY = 0.2
"""Frames that repeat less exactly have no pitch."""

_WINDOW_SECONDS = 0.0464  # 1024 samples at 22050 Hz, more than two of the longest periods
_HOP_SECONDS = 0.0232
_BLOCK_FRAMES = 64  # bounds memory
_DIP_THRESHOLD = 0.15
_AUDIBLE_BELOW_PEAK_DB = 40.0
_MIN_VOICED_SHARE = 0.1
_MUSIC_SHARE, _MUSIC_DOUBT = 0.7, 0.1
_CHORD_RATIO, _CHORD_DOUBT_OCTAVES = 2.5, 0.5
_SMOOTHING_FRAMES = 5
_RANGE_PERCENTILES = (5, 95)


@dataclass(frozen=True, eq=False)
class PitchTrack:
    """Pitch over time.

    Attributes:
        times_seconds: (frames,) the middle of each frame's window.
        frequencies_hz: (frames,) the best period of each frame, as a frequency.
        aperiodicity: (frames,) in [0, 1], 0 for perfectly periodic frames.
        amplitudes: (frames,) root mean square of each frame.
    """

    times_seconds: npt.NDArray[np.float64]
    frequencies_hz: npt.NDArray[np.float64]
    aperiodicity: npt.NDArray[np.float64]
    amplitudes: npt.NDArray[np.float64]

    @property
    def voiced(self) -> npt.NDArray[np.bool_]:
        """(frames,) whether the frame is periodic and within 40 dB of the loudest."""
        audible = self.amplitudes > self.amplitudes.max() * 10.0 ** (-_AUDIBLE_BELOW_PEAK_DB / 20.0)
        voiced: npt.NDArray[np.bool_] = audible & (self.aperiodicity < VOICED_APERIODICITY)
        return voiced

    def melody_hz(self) -> npt.NDArray[np.float64]:
        """Return the pitch of the voiced frames, (voiced frames,), without short octave errors."""
        return _median_filtered(self.frequencies_hz[self.voiced])


@dataclass(frozen=True)
class PitchSummary:
    """Pitch of a sound as a whole.

    Attributes:
        height_hz: median over voiced frames, or the register of chords; None for unpitched sound.
        range_semitones: distance between the 5th and the 95th percentile; 0 without a single pitch.
        harmonicity: in [0, 1], share of the sound that repeats with the best period.
        median_hz: median over voiced frames; None for a sound without a single pitch.
        register_hz: where the partials lie; None for a sound without tonal content.
        chord_likelihood: in [0, 1], above 0.5 if the height is the register and not the median.
    """

    height_hz: float | None
    range_semitones: float
    harmonicity: float
    median_hz: float | None = None
    register_hz: float | None = None
    chord_likelihood: float = 0.0


def track_pitch(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> PitchTrack:
    """Track the pitch between 50 and 4000 Hz.

    Args:
        samples: (n,) float32, padded with silence to one window if shorter.
        sample_rate_hz: their rate.
    """
    window = round(_WINDOW_SECONDS * sample_rate_hz)
    hop = round(_HOP_SECONDS * sample_rate_hz)
    max_lag = int(sample_rate_hz / MIN_PITCH_HZ) + 2
    span = window + max_lag
    padded = np.pad(samples, (0, max(0, span - len(samples)))).astype(np.float64)
    segments = np.lib.stride_tricks.sliding_window_view(padded, span)[::hop]
    blocks = [
        _track_block(segments[start : start + _BLOCK_FRAMES], sample_rate_hz, window, max_lag)
        for start in range(0, len(segments), _BLOCK_FRAMES)
    ]
    frequencies_hz, aperiodicity, amplitudes = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return PitchTrack(
        times_seconds=(np.arange(len(segments)) * hop + 0.5 * window) / sample_rate_hz,
        frequencies_hz=frequencies_hz,
        aperiodicity=aperiodicity,
        amplitudes=amplitudes,
    )


def _track_block(
    segments: npt.NDArray[np.float64], sample_rate_hz: int, window: int, max_lag: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    difference = _difference(segments, window=window, max_lag=max_lag)
    min_lag = int(sample_rate_hz / MAX_PITCH_HZ)
    periods, aperiodicity = _first_dips(difference, _normalised(difference), min_lag=min_lag)
    frequencies_hz = np.clip(sample_rate_hz / periods, MIN_PITCH_HZ, MAX_PITCH_HZ)
    amplitudes: npt.NDArray[np.float64] = np.sqrt(np.square(segments[:, :window]).mean(axis=1))
    return frequencies_hz, aperiodicity, amplitudes


def summarise_pitch(track: PitchTrack, peaks: SpectralPeaks) -> PitchSummary:
    """Describe the pitch of a sound by its height, its range and its harmonicity.

    A sound of which less than a tenth of the audible time is voiced has no single pitch. Nor have
    chords, although they repeat: with the period of a common subharmonic, far below their notes.
    Where such sounds are tonal, their height is the register of their partials.

    Args:
        track: from `track_pitch`.
        peaks: the tonal peaks of the same sound.
    """
    total = track.amplitudes.sum()
    if total == 0.0:
        return PitchSummary(height_hz=None, range_semitones=0.0, harmonicity=0.0)
    harmonicity = float(((1.0 - track.aperiodicity) * track.amplitudes).sum() / total)
    register_hz = min(peaks.register_hz(), MAX_PITCH_HZ) if peaks.is_tonal else None
    if track.amplitudes[track.voiced].sum() < _MIN_VOICED_SHARE * total:
        return PitchSummary(
            height_hz=register_hz,
            range_semitones=0.0,
            harmonicity=harmonicity,
            register_hz=register_hz,
            chord_likelihood=1.0,
        )
    melody_hz = track.melody_hz()
    median_hz = float(np.median(melody_hz))
    chord_likelihood = _chord_likelihood(register_hz, median_hz, tonal_share=peaks.share)
    is_chord = chord_likelihood > 0.5
    low, high = np.percentile(12.0 * np.log2(melody_hz / MIN_PITCH_HZ), _RANGE_PERCENTILES)
    return PitchSummary(
        height_hz=register_hz if is_chord else median_hz,
        range_semitones=0.0 if is_chord else float(high - low),
        harmonicity=harmonicity,
        median_hz=median_hz,
        register_hz=register_hz,
        chord_likelihood=chord_likelihood,
    )


def _chord_likelihood(register_hz: float | None, median_hz: float, *, tonal_share: float) -> float:
    """Return how likely it is that chords sound: music whose register lies far above its pitch."""
    if register_hz is None:
        return 0.0
    octaves = float(np.log2(register_hz / (_CHORD_RATIO * median_hz)))
    likelihoods = (
        0.5 + octaves / _CHORD_DOUBT_OCTAVES,
        0.5 + (tonal_share - _MUSIC_SHARE) / _MUSIC_DOUBT,
    )
    return min(1.0, max(0.0, min(likelihoods)))


def _difference(segments: npt.NDArray[np.float64], *, window: int, max_lag: int) -> npt.NDArray[np.float64]:
    """Return the squared difference between a window and itself shifted: (frames, max_lag)."""
    size = fft.next_fast_len(segments.shape[1], real=True)
    whole = fft.rfft(segments, size, axis=1)
    start = fft.rfft(segments[:, :window], size, axis=1)
    np.conj(start, out=start)
    start *= whole
    correlation = fft.irfft(start, size, axis=1)[:, :max_lag]
    squares = np.square(segments)
    energies = np.empty_like(correlation)
    squares[:, :window].sum(axis=1, out=energies[:, 0])
    # From lag to lag the window loses its first sample and gains the next.
    np.subtract(squares[:, window : window + max_lag - 1], squares[:, : max_lag - 1], out=energies[:, 1:])
    np.cumsum(energies, axis=1, out=energies)
    difference: npt.NDArray[np.float64] = energies[:, :1] + energies - 2.0 * correlation
    # What rounding leaves of a perfect match is noise, and negative half of the time.
    return np.where(difference > 1e-9 * energies[:, :1], difference, 0.0)


def _normalised(difference: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Divide each difference by the mean of those at shorter lags; 1 if nothing differs."""
    lags = np.arange(1, difference.shape[1])
    running = np.cumsum(difference[:, 1:], axis=1)
    normalised = np.ones_like(difference)
    np.divide(difference[:, 1:] * lags, running, out=normalised[:, 1:], where=running > 0.0)
    return normalised


def _first_dips(
    difference: npt.NDArray[np.float64], normalised: npt.NDArray[np.float64], *, min_lag: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return period in samples and aperiodicity of each frame.

    The dips are interpolated by parabolas before they are compared with the threshold, because
    a high pitch's period lies between two lags. Their place is taken from the plain difference,
    which the normalisation tilts.
    """
    before, centre, after = normalised[:, :-2], normalised[:, 1:-1], normalised[:, 2:]
    curvature = before - 2.0 * centre + after
    is_dip = (centre < before) & (centre <= after) & (curvature > 0.0)
    lift = np.square(after - before) / (8.0 * np.where(is_dip, curvature, 1.0))
    depth = np.where(is_dip, centre - lift, 1.0)
    depth[:, : max(0, min_lag - 1)] = 1.0

    below = depth < _DIP_THRESHOLD
    chosen = np.where(below.any(axis=1), below.argmax(axis=1), depth.argmin(axis=1))
    rows = np.arange(len(normalised))
    before, centre, after = (difference[rows, chosen + shift] for shift in range(3))
    curvature = before - 2.0 * centre + after
    shift = np.where(curvature > 0.0, before - after, 0.0) / np.where(curvature > 0.0, 2.0 * curvature, 1.0)
    periods = np.maximum(chosen + 1.0 + np.clip(shift, -1.0, 1.0), min_lag)
    return periods, np.clip(depth[rows, chosen], 0.0, 1.0)


def _median_filtered(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Remove short octave errors by a running median."""
    padded = np.pad(values, _SMOOTHING_FRAMES // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHING_FRAMES)
    smoothed: npt.NDArray[np.float64] = np.median(windows, axis=1)
    return smoothed
