"""Onsets and tempo.

Onsets are peaks of the spectral flux of a log-mel spectrogram (Böck, Krebs & Schedl 2012,
"Evaluating the online capabilities of onset detection methods"). Tempo is the beat period whose
multiples best explain the flux's autocorrelation, under a log-normal preference for 120 beats per
minute (Ellis 2007, "Beat tracking by dynamic programming"). Without drums such a tempo is often
wrong by an octave: candidates are given with their confidences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from chladni_audio_features.analysis.spectrogram import power_to_decibels

MIN_TEMPO_BPM = 40.0
MAX_TEMPO_BPM = 240.0
MAX_ONSET_RATE_PER_SECOND = 20.0

_FLUX_RANGE_DB = 60.0
_EDGE_FRAMES = 2  # frames whose window reaches over an end of the sound
_LOCAL_SECONDS = 0.25
_PEAK_SECONDS = 0.07
_ONSET_THRESHOLD_DB = 1.5

_PREFERRED_BPM = 120.0
_PREFERENCE_OCTAVES = 0.9
_BEATS_COMPARED = 4
_OFF_BEAT_PENALTY = 0.3
_TEMPO_STEP = 1.005
_MIN_ONSETS = 3
_MIN_SALIENCE = 0.3
_MAX_CANDIDATES = 3


@dataclass(frozen=True)
class TempoCandidate:
    """A tempo in beats per minute with the confidence in it; confidences sum to at most 1."""

    beats_per_minute: float
    confidence: float


@dataclass(frozen=True, eq=False)
class Rhythm:
    """Rhythm of a sound.

    Attributes:
        onset_times_seconds: when notes, syllables or strokes begin.
        onsets_per_second: their number divided by the length of the sound.
        tempo_candidates: most confident first; empty if nothing recurs.
        flux_excess_decibels: (frames,) float64, how much more the spectrum rises from the frame
            before than it does on average nearby; negative where it rises less, 0 at the ends.
    """

    onset_times_seconds: tuple[float, ...]
    onsets_per_second: float
    tempo_candidates: tuple[TempoCandidate, ...]
    flux_excess_decibels: npt.NDArray[np.float64]


def analyse_rhythm(
    mel_power: npt.NDArray[np.float32], *, frames_per_second: float, duration_seconds: float
) -> Rhythm:
    """Find onsets and tempo.

    Args:
        mel_power: (mel_bins, frames) float32.
        frames_per_second: rate of the frames.
        duration_seconds: length of the sound.
    """
    flux = spectral_flux(mel_power)
    novelty = np.maximum(0.0, flux - _local_mean(flux, frames_per_second))
    onsets = _pick_peaks(novelty, frames_per_second)
    candidates = _tempo_candidates(novelty, frames_per_second) if len(onsets) >= _MIN_ONSETS else ()
    rate = len(onsets) / duration_seconds
    return Rhythm(
        onset_times_seconds=tuple(float(frame / frames_per_second) for frame in onsets),
        onsets_per_second=min(rate, MAX_ONSET_RATE_PER_SECOND),
        tempo_candidates=candidates,
        flux_excess_decibels=_flux_excess(flux, frames_per_second),
    )


def spectral_flux(mel_power: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the mean rise of the mel bands from frame to frame.

    Levels more than 60 dB below the loudest count as equal: what hides there is no event. The
    sound's own beginning and end are none either.

    Returns:
        (frames,) in dB per frame.
    """
    decibels = power_to_decibels(mel_power)
    decibels = np.maximum(decibels, decibels.max() - np.float32(_FLUX_RANGE_DB))
    flux = np.zeros(mel_power.shape[1])
    rises = np.maximum(0.0, np.diff(decibels, axis=1))
    flux[1:] = rises.mean(axis=0, dtype=np.float64)
    flux[: _EDGE_FRAMES + 1] = 0.0
    flux[max(0, len(flux) - _EDGE_FRAMES) :] = 0.0
    return flux


def _local_mean(flux: npt.NDArray[np.float64], frames_per_second: float) -> npt.NDArray[np.float64]:
    radius = max(1, round(_LOCAL_SECONDS * frames_per_second))
    sums = np.cumsum(np.pad(flux, (radius + 1, radius), mode="edge"))
    width = 2 * radius + 1
    mean: npt.NDArray[np.float64] = (sums[width:] - sums[:-width]) / width
    return mean


def _flux_excess(flux: npt.NDArray[np.float64], frames_per_second: float) -> npt.NDArray[np.float64]:
    """Return the flux less its mean nearby; the ends of the sound, without flux, do not lower the mean."""
    has_flux = np.zeros(len(flux))
    has_flux[_EDGE_FRAMES + 1 : max(0, len(flux) - _EDGE_FRAMES)] = 1.0
    radius = max(1, round(_LOCAL_SECONDS * frames_per_second))
    window = np.ones(2 * radius + 1)
    sums, counts = (np.convolve(values, window)[radius : radius + len(flux)] for values in (flux, has_flux))
    excess: npt.NDArray[np.float64] = has_flux * (flux - sums / np.maximum(counts, 1.0))
    return excess


def _pick_peaks(novelty: npt.NDArray[np.float64], frames_per_second: float) -> npt.NDArray[np.intp]:
    """Return the frames that exceed the threshold and everything within 70 ms; of equals, the first."""
    radius = max(1, round(_PEAK_SECONDS * frames_per_second))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(novelty, radius, constant_values=-1.0), 2 * radius + 1
    )
    is_peak = (novelty >= _ONSET_THRESHOLD_DB) & (windows.argmax(axis=1) == radius)
    return np.flatnonzero(is_peak)


def _tempo_candidates(
    novelty: npt.NDArray[np.float64], frames_per_second: float
) -> tuple[TempoCandidate, ...]:
    correlation = _autocorrelation(novelty)
    steps = int(np.log(MAX_TEMPO_BPM / MIN_TEMPO_BPM) / np.log(_TEMPO_STEP))
    tempos_bpm = MIN_TEMPO_BPM * np.exp(np.log(_TEMPO_STEP) * np.arange(steps + 1))
    salience = _comb_salience(correlation, 60.0 * frames_per_second / tempos_bpm)
    octaves = np.log2(tempos_bpm / _PREFERRED_BPM) / _PREFERENCE_OCTAVES
    score = np.where(salience >= _MIN_SALIENCE, salience * np.exp(-0.5 * np.square(octaves)), 0.0)
    is_peak = np.flatnonzero(
        (score > 0.0) & (score >= np.pad(score, (1, 0))[:-1]) & (score > np.pad(score, (0, 1))[1:])
    )
    best = is_peak[np.argsort(-score[is_peak], kind="stable")][:_MAX_CANDIDATES]
    if not len(best):
        return ()
    # The most salient tempo is as certain as its recurrence; the others share what it leaves.
    shares = score[best] / score[best].sum() * min(1.0, float(salience[best[0]]))
    return tuple(
        TempoCandidate(beats_per_minute=float(tempos_bpm[index]), confidence=float(share))
        for index, share in zip(best, shares, strict=True)
    )


def _autocorrelation(novelty: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the autocorrelation for lags up to half the length, 1 at lag 0."""
    count = len(novelty)
    size = fft.next_fast_len(2 * count, real=True)
    centred = novelty - novelty.mean()
    power = np.square(np.abs(fft.rfft(centred, size)))
    products = fft.irfft(power, size)[: count // 2 + 1]
    overlaps = count - np.arange(len(products))
    unbiased: npt.NDArray[np.float64] = products / overlaps / (products[0] / count)
    return unbiased


def _comb_salience(
    correlation: npt.NDArray[np.float64], lags: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return how well a beat period explains the autocorrelation, 1 at best.

    What recurs after one to four beats counts for the period; what recurs half or two thirds of
    the way counts a little against it, or half and a third of the true tempo would explain as much.
    """
    beats = np.arange(1, _BEATS_COMPARED + 1)
    on_beat = _mean_at(correlation, lags[:, None] * beats)
    off_beat = np.maximum(
        _mean_at(correlation, lags[:, None] * (beats - 1.0 / 2.0)),
        _mean_at(correlation, lags[:, None] * (beats - 1.0 / 3.0)),
    )
    salience: npt.NDArray[np.float64] = on_beat - _OFF_BEAT_PENALTY * np.maximum(0.0, off_beat)
    return salience


def _mean_at(
    correlation: npt.NDArray[np.float64], multiples: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the mean correlation at the lags of each row, as far as the sound is long enough for them."""
    is_known = multiples <= len(correlation) - 1
    values = np.interp(multiples, np.arange(len(correlation)), correlation)
    counts = is_known.sum(axis=1)
    sums = np.where(is_known, values, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), 0.0)
