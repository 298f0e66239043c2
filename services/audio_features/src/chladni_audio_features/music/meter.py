"""Tempo and time signature, chosen together from what recurs at which distance.

A bar and its beats recur: strokes after a beat, basses and chords after a bar. For each tempo and time
signature that the music may have, the autocorrelations of several kinds of beginnings, at the distances
that matter to both, are the evidence (Gouyon & Dixon 2005, "A review of automatic rhythm description
systems"); choosing both at once lets a bar of three beats decide how long a beat is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import fft

from chladni_audio_features.music.choice import load_choice
from chladni_audio_features.music.frontend import (
    FRAMES_PER_SECOND,
    FloatArray,
    MusicFrames,
    NoteFrames,
)

FREE: Final = "none"
"""Time signature of music without a regular beat."""

MIN_TEMPO_BPM: Final = 42.0
MAX_TEMPO_BPM: Final = 220.0
_TEMPO_STEP: Final = 1.02
_SAME_TEMPO: Final = 1.045
_MAX_TEMPOS: Final = 5
_LEAST_CONFIDENCE: Final = 0.01
_PREFERRED_BPM: Final = 105.0


@dataclass(frozen=True)
class Signature:
    """A time signature.

    Attributes:
        name: Such as "6/8".
        bar_units: Length of a bar in units of the tempo: quarter notes, in 6/8 dotted ones.
        beats_per_bar: Beats that are counted in a bar.
    """

    name: str
    bar_units: float
    beats_per_bar: int


SIGNATURES: Final = (
    Signature("2/4", 2.0, 2),
    Signature("3/4", 3.0, 3),
    Signature("4/4", 4.0, 4),
    Signature("5/4", 5.0, 5),
    Signature("6/8", 2.0, 2),
    Signature("7/8", 3.5, 7),
)

_UNIT_LAGS: Final = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 5 / 2, 3.0, 7 / 2, 4.0, 5.0)
_BAR_LAGS: Final = (1 / 2, 1.0, 2.0)
_LAG_TOLERANCE: Final = 0.012
_SMOOTHING_FRAMES: Final = 5
_NOVELTY_SECONDS: Final = 0.3


@dataclass(frozen=True)
class TempoCandidate:
    """A tempo in beats a minute, and the probability that it is the one."""

    beats_per_minute: float
    confidence: float


@dataclass(frozen=True)
class MeterEstimate:
    """Tempo and time signature.

    Attributes:
        tempos: Most probable first; empty for music without a regular beat.
        signature: Name of the time signature, or "none".
        confidence: Probability of the signature.
    """

    tempos: tuple[TempoCandidate, ...]
    signature: str
    confidence: float


def estimate_meter(channels: FloatArray, *, onset_rate: float) -> MeterEstimate:
    """Choose tempo and time signature.

    Args:
        channels: From `beginnings`.
        onset_rate: Onsets a second.
    """
    probabilities = load_choice("meter").probabilities(meter_features(channels, onset_rate=onset_rate))
    free, regular = float(probabilities[-1]), probabilities[:-1].reshape(len(SIGNATURES), -1)
    by_signature = regular.sum(axis=1)
    best = int(by_signature.argmax())
    if free > by_signature[best]:
        return MeterEstimate((), FREE, free)
    return MeterEstimate(_tempos(regular), SIGNATURES[best].name, float(by_signature[best]))


def tempo_grid() -> FloatArray:
    """Return the tempos that are compared, in beats a minute."""
    count = int(np.log(MAX_TEMPO_BPM / MIN_TEMPO_BPM) / np.log(_TEMPO_STEP)) + 1
    return np.asarray(MIN_TEMPO_BPM * _TEMPO_STEP ** np.arange(count), dtype=np.float64)


def beginnings(frames: MusicFrames) -> FloatArray:
    """Return how much begins in each frame, by kind: (6, frames), each with mean 0 and deviation 1.

    The kinds are low, middle, high and all bands, the bass note and the harmony.
    """
    rhythm, notes = frames.rhythm, frames.notes
    count = len(rhythm.total)
    bass = _novelty(notes.chroma(highest=52), notes, count)
    harmony = _novelty(notes.chroma(), notes, count)
    channels = [_standardised(values) for values in (rhythm.low, rhythm.middle, rhythm.high, rhythm.total)]
    channels += [_standardised(values, is_smooth=True) for values in (bass, harmony)]
    return np.array(channels)


def meter_features(channels: FloatArray, *, onset_rate: float) -> FloatArray:
    """Return the evidence for each signature and tempo, and last for none: (6 * tempos + 1, features)."""
    correlations = np.array([_autocorrelation(channel) for channel in channels])
    unit_lags = 60.0 * FRAMES_PER_SECOND / tempo_grid()
    common = _correlations_at(correlations, unit_lags, _UNIT_LAGS)
    octaves = np.log2(tempo_grid() / _PREFERRED_BPM)
    onsets_per_unit = np.log2(np.maximum(onset_rate * 60.0 / tempo_grid(), 0.05))
    shared = np.column_stack(
        [common, octaves, np.square(octaves), onsets_per_unit, np.square(onsets_per_unit)]
    )
    rows = []
    for index, signature in enumerate(SIGNATURES):
        bars = _correlations_at(correlations, unit_lags * signature.bar_units, _BAR_LAGS)
        mark = np.zeros((len(unit_lags), len(SIGNATURES) + 1))
        mark[:, index] = 1.0
        rows.append(np.column_stack([shared, bars, mark]))
    regular = np.vstack(rows)
    none = np.zeros((1, regular.shape[1]))
    none[0, : 3 * len(channels)] = _regularity(correlations)
    none[0, -1] = 1.0
    return np.vstack([regular, none])


def _regularity(correlations: FloatArray) -> FloatArray:
    """Return the highest recurrences of each kind at short, middle and long distances."""
    peaks = []
    for first, until in ((0.25, 0.6), (0.6, 1.5), (1.5, 4.0)):
        part = correlations[:, round(first * FRAMES_PER_SECOND) : round(until * FRAMES_PER_SECOND)]
        peaks.append(part.max(axis=1, initial=0.0))
    return np.concatenate(peaks)


def _correlations_at(correlations: FloatArray, lags: FloatArray, multiples: tuple[float, ...]) -> FloatArray:
    """Return the highest correlations near multiples of each lag: (lags, kinds * multiples)."""
    places = np.arange(correlations.shape[1])
    columns = []
    for correlation in correlations:
        for multiple in multiples:
            nearby = [
                np.interp(lags * multiple * factor, places, correlation, right=0.0)
                for factor in (1.0 - _LAG_TOLERANCE, 1.0, 1.0 + _LAG_TOLERANCE)
            ]
            columns.append(np.maximum.reduce(nearby))
    return np.column_stack(columns)


def _autocorrelation(values: FloatArray) -> FloatArray:
    """Return the autocorrelation for lags up to two thirds of the length, 1 at lag 0."""
    count = len(values)
    size = fft.next_fast_len(2 * count, real=True)
    products = fft.irfft(np.square(np.abs(fft.rfft(values, size))), size)[: 2 * count // 3 + 1]
    overlaps = count - np.arange(len(products))
    correlation: FloatArray = products / overlaps * (count / max(float(products[0]), 1e-9))
    return correlation


def _standardised(values: FloatArray, *, is_smooth: bool = False) -> FloatArray:
    if not is_smooth:
        window = np.hanning(_SMOOTHING_FRAMES + 2)[1:-1]
        values = np.sqrt(np.maximum(0.0, np.convolve(values, window / window.sum(), mode="same")))
    width = 2 * FRAMES_PER_SECOND
    around = np.convolve(np.pad(values, width, mode="reflect"), np.ones(2 * width + 1), mode="valid")
    centred = values - around / (2 * width + 1)
    standardised: FloatArray = centred / max(float(centred.std()), 1e-6)
    return standardised


def _novelty(chroma: FloatArray, notes: NoteFrames, count: int) -> FloatArray:
    """Return how much the chroma after each frame differs from that before it: (count,)."""
    width = max(1, round(_NOVELTY_SECONDS * notes.frames_per_second))
    sums = np.cumsum(np.pad(chroma, ((0, 0), (width + 1, width)), mode="edge"), axis=1)
    means = (sums[:, width:] - sums[:, :-width])[:, 1:]
    means = np.sqrt(np.maximum(means, 0.0))
    means = means / (np.sqrt(np.square(means).sum(axis=0)) + 1e-6)
    before, after = means[:, : chroma.shape[1]], means[:, width : width + chroma.shape[1]]
    length = min(before.shape[1], after.shape[1])
    change = 1.0 - (before[:, :length] * after[:, :length]).sum(axis=0)
    times = np.arange(count) / FRAMES_PER_SECOND
    novelty: FloatArray = np.interp(times, np.arange(length) / notes.frames_per_second, change)
    return novelty


def _tempos(regular: FloatArray) -> tuple[TempoCandidate, ...]:
    """Gather what lies within 4 percent of each peak of the tempos' probability."""
    probabilities, grid = regular.sum(axis=0), tempo_grid()
    left = probabilities.copy()
    tempos: list[TempoCandidate] = []
    while len(tempos) < _MAX_TEMPOS:
        peak = int(left.argmax())
        near = (np.abs(np.log(grid / grid[peak])) <= np.log(_SAME_TEMPO)) & (left > 0.0)
        confidence = float(left[near].sum())
        if confidence < _LEAST_CONFIDENCE:
            break
        mean = float(np.exp((left[near] * np.log(grid[near])).sum() / confidence))
        tempos.append(TempoCandidate(mean, confidence))
        left[near] = 0.0
    return tuple(sorted(tempos, key=lambda tempo: -tempo.confidence))
