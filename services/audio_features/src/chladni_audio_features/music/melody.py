"""The melody's contour: the pitch of one voice by YIN, of the leading voice among several by its salience.

Among several voices the leading one is the path through the notes that sound which is strong, high and
moves little (Salamon & Gómez 2012, "Melody extraction from polyphonic music signals using pitch contour
characteristics"); its pitch between the semitones is read off the spectrum's peaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft

from chladni_audio_features.analysis.pitch import track_pitch
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.music.frontend import (
    LOWEST_NOTE,
    NOTE_COUNT,
    FloatArray,
    MusicFrames,
    NoteFrames,
)

CONCERT_A_HZ: Final = 440.0

_STEP_SECONDS: Final = 0.02
_SOUNDING_SHARE: Final = 0.3
_ONE_VOICE: Final = 1.35
_VOICED_APERIODICITY: Final = 0.25
_PERIODIC_SHARE: Final = 0.6
_MEDIAN_FRAMES: Final = 5

_CENTRE_NOTE, _NOTE_SPREAD = 76.0, 13.0
_LEAP_COST: Final = 0.035
_VOICING_COST: Final = 0.9
_UNVOICED_SALIENCE: Final = 0.28
_WINDOW: Final = 4096
_FLAT_CENTS: Final = 200.0
_SPREAD_QUANTILES: Final = (0.1, 0.9)


@dataclass(frozen=True, eq=False)
class MelodyContour:
    """Pitch of the melody over time.

    Attributes:
        times_seconds: (n,) every 20 ms.
        cents: (n,) above A4 (440 Hz); NaN where no melody sounds.
        confidences: (n,) in [0, 1], 0 where no melody sounds.
        is_solo: Whether a single voice was heard.
    """

    times_seconds: FloatArray
    cents: FloatArray
    confidences: FloatArray
    is_solo: bool

    @property
    def confidence(self) -> float:
        """Mean confidence of the voiced points; 0 without any."""
        voiced = self.confidences > 0.0
        return float(self.confidences[voiced].mean()) if voiced.any() else 0.0

    @property
    def shape(self) -> str:
        """Shape of the melody: ascending, descending, arch, valley, wavy or flat; empty without a melody."""
        cents = self.cents[~np.isnan(self.cents)]
        if len(cents) < 3:
            return ""
        third = len(cents) // 3
        begin, end = float(cents[:third].mean()), float(cents[-third:].mean())
        middle = float(cents[third:-third].mean())
        low, high = np.quantile(cents, _SPREAD_QUANTILES, method="lower")
        spread = float(high - low)
        if spread < _FLAT_CENTS:
            return "flat"
        rise, bulge = end - begin, middle - (begin + end) / 2.0
        if abs(bulge) >= max(0.5 * abs(rise), 0.3 * spread):
            return "arch" if bulge > 0.0 else "valley"
        if abs(rise) >= 0.35 * spread:
            return "ascending" if rise > 0.0 else "descending"
        return "wavy"


def trace_melody(frames: MusicFrames) -> MelodyContour:
    """Trace the melody of a clip."""
    times = np.arange(0.0, frames.duration_seconds, _STEP_SECONDS)
    solo = _trace_solo(frames, times)
    return solo if solo is not None else _trace_leading(frames, times)


def _trace_solo(frames: MusicFrames, times: FloatArray) -> MelodyContour | None:
    """Return the contour of a single voice; None if there are several or no pitch."""
    track = track_pitch(frames.samples, ANALYSIS_SAMPLE_RATE_HZ)
    loud = track.amplitudes > 0.03 * track.amplitudes.max()
    if not loud.any():
        return MelodyContour(times, np.full(len(times), np.nan), np.zeros(len(times)), is_solo=True)
    voiced = loud & (track.aperiodicity < _VOICED_APERIODICITY)
    if voiced.sum() < _PERIODIC_SHARE * loud.sum() or _voices(frames.notes) > _ONE_VOICE:
        return None
    cents = 1200.0 * np.log2(track.frequencies_hz / CONCERT_A_HZ)
    cents = _median(np.where(voiced, cents, np.nan))
    confidences = np.where(voiced, 1.0 - track.aperiodicity, 0.0)
    nearest = np.clip(np.searchsorted(track.times_seconds, times), 1, len(track.times_seconds) - 1)
    nearest -= times - track.times_seconds[nearest - 1] < track.times_seconds[nearest] - times
    return MelodyContour(
        times, cents[nearest], np.where(np.isnan(cents[nearest]), 0.0, confidences[nearest]), True
    )


def _voices(notes: NoteFrames) -> float:
    """Return how many notes sound at once, on average, weighted by level."""
    strongest = notes.strengths.max(axis=0)
    if strongest.max(initial=0.0) <= 0.0:
        return 0.0
    counts = (notes.strengths > _SOUNDING_SHARE * strongest).sum(axis=0)
    # The notes beside a strong one hold its vibrato, those an octave above its timbre.
    peaks = notes.strengths.copy()
    neighbours = np.maximum(np.roll(peaks, 1, axis=0), np.roll(peaks, -1, axis=0))
    octave_below = np.vstack([np.zeros((12, peaks.shape[1])), peaks[:-12]])
    counts = (
        (peaks > _SOUNDING_SHARE * strongest) & (peaks >= neighbours) & (octave_below < 0.7 * peaks)
    ).sum(axis=0)
    return float((counts * strongest).sum() / strongest.sum())


def _median(cents: FloatArray) -> FloatArray:
    """Remove short octave errors by a running median over voiced frames."""
    padded = np.pad(cents, _MEDIAN_FRAMES // 2, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _MEDIAN_FRAMES)
    known = np.sort(windows, axis=1)
    counts = (~np.isnan(windows)).sum(axis=1)
    medians = known[np.arange(len(known)), np.maximum(0, (counts - 1) // 2)]
    far = np.abs(cents - medians) > 350.0
    return np.where(np.isnan(cents), np.nan, np.where(far, medians, cents))


def _trace_leading(frames: MusicFrames, times: FloatArray) -> MelodyContour:
    notes = frames.notes
    salience = _salience(notes)
    path = _leading_path(salience)
    voiced = path < NOTE_COUNT
    indices = np.arange(len(path))
    cents = np.full(len(path), np.nan)
    confidences = np.zeros(len(path))
    chosen = np.minimum(path, NOTE_COUNT - 1)
    semitones = LOWEST_NOTE + chosen - 69.0 + notes.tuning_cents / 100.0
    cents[voiced] = _refined(frames.samples, indices / notes.frames_per_second, 100.0 * semitones)[voiced]
    strongest = np.maximum(salience.max(axis=0), 1e-9)
    confidences[voiced] = (salience[chosen, indices] / strongest)[voiced] * np.minimum(1.0, strongest[voiced])
    nearest = np.clip(np.round(times * notes.frames_per_second).astype(int), 0, len(path) - 1)
    return MelodyContour(times, cents[nearest], confidences[nearest], is_solo=False)


def _salience(notes: NoteFrames) -> FloatArray:
    """Return the strength of each note as a melody's, (NOTE_COUNT, frames), about 1 for a clear one."""
    heights = LOWEST_NOTE + np.arange(NOTE_COUNT)
    weights = np.exp(-0.5 * np.square((heights - _CENTRE_NOTE) / _NOTE_SPREAD))
    weighted = np.sqrt(notes.strengths) * weights[:, None]
    typical = max(float(np.percentile(weighted.max(axis=0), 80)), 1e-9)
    salience: FloatArray = weighted / typical
    return salience


def _leading_path(salience: FloatArray) -> npt.NDArray[np.intp]:
    """Return the note of each frame, NOTE_COUNT for none."""
    count = NOTE_COUNT + 1
    leaps = np.abs(np.subtract.outer(np.arange(NOTE_COUNT), np.arange(NOTE_COUNT)))
    costs = np.full((count, count), _VOICING_COST)
    costs[:NOTE_COUNT, :NOTE_COUNT] = np.where(leaps > 0, 0.25 + _LEAP_COST * leaps, 0.0)
    costs[NOTE_COUNT, NOTE_COUNT] = 0.0
    gains = np.vstack([salience, np.full(salience.shape[1], _UNVOICED_SALIENCE)])
    best = gains[:, 0].copy()
    origins = np.zeros((salience.shape[1], count), dtype=np.intp)
    for frame in range(1, salience.shape[1]):
        values = best[:, None] - costs
        origins[frame] = values.argmax(axis=0)
        best = values[origins[frame], np.arange(count)] + gains[:, frame]
    path = np.zeros(salience.shape[1], dtype=np.intp)
    path[-1] = best.argmax()
    for frame in range(len(path) - 1, 0, -1):
        path[frame - 1] = origins[frame, path[frame]]
    return path


def _refined(samples: npt.NDArray[np.float32], times: FloatArray, cents: FloatArray) -> FloatArray:
    """Move pitches to the nearest peak of the spectrum, by at most half a semitone."""
    padded = np.pad(samples, _WINDOW // 2)
    starts = np.clip(np.round(times * ANALYSIS_SAMPLE_RATE_HZ).astype(int), 0, len(padded) - _WINDOW)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[starts]
    spectrum = np.log(np.abs(fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32), axis=1)) + 1e-7)
    places = CONCERT_A_HZ * 2.0 ** (cents / 1200.0) * _WINDOW / ANALYSIS_SAMPLE_RATE_HZ
    refined = cents.copy()
    for row, place in enumerate(places):
        first, last = int(np.floor(place / 1.03)), int(np.ceil(place * 1.03))
        if first < 1 or last > spectrum.shape[1] - 2:
            continue
        peak = first + int(spectrum[row, first : last + 1].argmax())
        before, here, after = spectrum[row, peak - 1 : peak + 2]
        curvature = before - 2.0 * here + after
        if curvature < 0.0 and here >= max(before, after):
            offset = 1200.0 * np.log2((peak + 0.5 * (before - after) / curvature) / place)
            refined[row] += np.clip(offset, -60.0, 60.0)
    return refined
