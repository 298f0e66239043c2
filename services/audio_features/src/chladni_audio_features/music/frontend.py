"""What the analyses of music look at: a spectrogram for rhythm, and the notes that sound, over time.

The notes are found as NNLS chroma finds them (Mauch & Dixon 2010, "Approximate note transcription for the
improved identification of difficult chords"): each frame of a constant-Q spectrogram is a sum of note
spectra with geometrically decaying overtones, so overtones are not taken for notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import median_filter

from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ

FloatArray = npt.NDArray[np.float64]

FRAMES_PER_SECOND: Final = 50
"""Rate of the rhythm frames."""

LOWEST_NOTE: Final = 28
"""MIDI note of the first row of the notes, E1."""
NOTE_COUNT: Final = 72

_RHYTHM_HOP: Final = ANALYSIS_SAMPLE_RATE_HZ // FRAMES_PER_SECOND
_RHYTHM_WINDOW: Final = 1411
_BANDS_PER_OCTAVE: Final = 12
_BAND_RANGE_HZ: Final = (30.0, 10500.0)
_LOW_HZ, _HIGH_HZ = 160.0, 2000.0

_ONSET_RADIUS: Final = 10
_ONSET_WINDOW: Final = np.ones(2 * _ONSET_RADIUS + 1) / (2 * _ONSET_RADIUS + 1)
_LEAST_RISE: Final = 0.01

_NOTE_HOP: Final = 1024
_LEAST_SAMPLES: Final = 2 * ANALYSIS_SAMPLE_RATE_HZ  # of a constant-Q transform; shorter clips are padded
_BINS_PER_SEMITONE: Final = 3
_OVERTONES: Final = 8
_OVERTONE_DECAY: Final = 0.7
_UPDATES: Final = 25
_HARMONIC_FRAMES: Final = 9


@dataclass(frozen=True, eq=False)
class RhythmFrames:
    """How much begins in each frame, `FRAMES_PER_SECOND` of them.

    Attributes:
        low: (frames,) rise of the bands below 160 Hz: kicks and bass notes.
        middle: (frames,) rise of the bands between.
        high: (frames,) rise of the bands above 2 kHz: hats and snares.
        total: (frames,) rise of all bands.
    """

    low: FloatArray
    middle: FloatArray
    high: FloatArray
    total: FloatArray

    def onsets_seconds(self) -> FloatArray:
        """Return the times of the peaks of the total: (n,)."""
        values = self.total
        around = np.convolve(np.pad(values, _ONSET_RADIUS, mode="edge"), _ONSET_WINDOW, mode="valid")
        threshold = around + 0.6 * values.std()
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, 2, constant_values=-1.0), 5)
        is_peak = (windows.argmax(axis=1) == 2) & (values > threshold) & (values > _LEAST_RISE)
        return np.flatnonzero(is_peak) / FRAMES_PER_SECOND


@dataclass(frozen=True, eq=False)
class NoteFrames:
    """How strongly each note sounds over time.

    Attributes:
        strengths: (NOTE_COUNT, frames) from `LOWEST_NOTE` upwards.
        frames_per_second: Rate of the frames.
        tuning_cents: How far the clip's tuning lies above concert pitch, -50 to 50.
        harmonic_share: Share of the sound that is sustained, in [0, 1].
    """

    strengths: FloatArray
    frames_per_second: float
    tuning_cents: float
    harmonic_share: float

    def chroma(self, lowest: int = LOWEST_NOTE, highest: int = LOWEST_NOTE + NOTE_COUNT) -> FloatArray:
        """Return the strength of each pitch class, (12, frames) from C, of the notes in a range."""
        chroma = np.zeros((12, self.strengths.shape[1]))
        for note in range(max(lowest, LOWEST_NOTE), min(highest, LOWEST_NOTE + NOTE_COUNT)):
            chroma[note % 12] += self.strengths[note - LOWEST_NOTE]
        return chroma


class MusicFrames:
    """Both views of one clip, each computed once. Belongs to one request and one thread.

    Args:
        samples: (n,) float32 at 22050 Hz.
    """

    def __init__(self, samples: npt.NDArray[np.float32]) -> None:
        self.samples = samples

    @property
    def duration_seconds(self) -> float:
        """Length of the clip in seconds."""
        return len(self.samples) / ANALYSIS_SAMPLE_RATE_HZ

    @cached_property
    def rhythm(self) -> RhythmFrames:
        """How much begins in each frame."""
        spectrogram = _log_band_spectrogram(self.samples)
        rises = np.zeros_like(spectrogram)
        # The frame before counts by the loudest of three neighbouring bands, so that vibrato is no beginning
        # (Böck & Widmer 2013, "Maximum filter vibrato suppression for onset detection").
        before = np.maximum.reduce([np.roll(spectrogram[:-1], shift, axis=1) for shift in (-1, 0, 1)])
        rises[1:] = np.maximum(0.0, spectrogram[1:] - before)
        centres = _bands()[1]
        low, high = centres < _LOW_HZ, centres > _HIGH_HZ
        return RhythmFrames(
            low=rises[:, low].mean(axis=1),
            middle=rises[:, ~low & ~high].mean(axis=1),
            high=rises[:, high].mean(axis=1),
            total=rises.mean(axis=1),
        )

    @cached_property
    def notes(self) -> NoteFrames:
        """How strongly each note sounds over time."""
        import librosa  # noqa: PLC0415 - compiles for seconds, hence only when music is analysed

        low_hz = 440.0 * 2.0 ** ((LOWEST_NOTE - 69) / 12.0)
        bins_per_octave = 12 * _BINS_PER_SEMITONE
        magnitudes = np.abs(
            librosa.cqt(
                np.pad(self.samples, (0, max(0, _LEAST_SAMPLES - len(self.samples)))),
                sr=ANALYSIS_SAMPLE_RATE_HZ,
                hop_length=_NOTE_HOP,
                fmin=low_hz * 2.0 ** (-1.0 / bins_per_octave),
                n_bins=NOTE_COUNT * _BINS_PER_SEMITONE + bins_per_octave,
                bins_per_octave=bins_per_octave,
                tuning=0.0,
            )
        ).astype(np.float64)
        sustained = median_filter(magnitudes, size=(1, _HARMONIC_FRAMES), mode="nearest")
        struck = median_filter(magnitudes, size=(2 * bins_per_octave // 3 + 1, 1), mode="nearest")
        mask = np.square(sustained) / (np.square(sustained) + np.square(struck) + 1e-12)
        harmonic = magnitudes * mask
        tuning = _tuning(harmonic)
        strengths = _note_strengths(_whitened(_shifted(harmonic, tuning * _BINS_PER_SEMITONE)))
        return NoteFrames(
            strengths=strengths,
            frames_per_second=ANALYSIS_SAMPLE_RATE_HZ / _NOTE_HOP,
            tuning_cents=100.0 * tuning,
            harmonic_share=float(harmonic.sum() / max(magnitudes.sum(), 1e-9)),
        )


def _bands() -> tuple[FloatArray, FloatArray]:
    """Return triangular filters, (bands, bins), an octave's twelfth apart, and their centres in Hz."""
    bins_hz = np.arange(_RHYTHM_WINDOW // 2 + 1) * ANALYSIS_SAMPLE_RATE_HZ / _RHYTHM_WINDOW
    low_hz, high_hz = _BAND_RANGE_HZ
    count = int(np.log2(high_hz / low_hz) * _BANDS_PER_OCTAVE)
    edges = np.unique(np.searchsorted(bins_hz, low_hz * 2.0 ** (np.arange(count + 1) / _BANDS_PER_OCTAVE)))
    rows = []
    for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False):
        places = np.arange(len(bins_hz))
        rows.append(np.interp(places, (left, centre, right), (0.0, 1.0, 0.0)))
        rows[-1] /= rows[-1].sum()
    return np.array(rows), bins_hz[edges[1:-1]]


def _log_band_spectrogram(samples: npt.NDArray[np.float32]) -> FloatArray:
    count = 1 + len(samples) // _RHYTHM_HOP
    padded = np.pad(samples, (_RHYTHM_WINDOW // 2, _RHYTHM_WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _RHYTHM_WINDOW)[::_RHYTHM_HOP][:count]
    spectrum = np.abs(fft.rfft(windows * np.hanning(_RHYTHM_WINDOW).astype(np.float32), axis=1))
    banded = spectrum @ _bands()[0].T
    reference = max(float(np.percentile(banded.max(axis=1), 95)), 1e-9)
    levels: FloatArray = np.log1p(100.0 * banded / reference).astype(np.float64)
    return levels


def _tuning(magnitudes: FloatArray) -> float:
    """Return the offset in semitones, -0.5 to 0.5, at which the partials lie."""
    energy = magnitudes.sum(axis=1)
    centred = np.arange(1, len(energy) - 1)
    is_peak = (energy[centred] > energy[centred - 1]) & (energy[centred] >= energy[centred + 1])
    peaks = centred[is_peak]
    if not len(peaks):
        return 0.0
    before, here, after = (np.log(energy[peaks + shift] + 1e-9) for shift in (-1, 0, 1))
    curvature = before - 2.0 * here + after
    places = peaks + np.where(curvature < 0.0, 0.5 * (before - after) / np.minimum(curvature, -1e-9), 0.0)
    semitones = (places - 1.0) / _BINS_PER_SEMITONE
    angle = np.angle((energy[peaks] * np.exp(2j * np.pi * semitones)).sum())
    return float(angle / (2.0 * np.pi))


def _shifted(magnitudes: FloatArray, bins: float) -> FloatArray:
    """Move the rows down by a fraction of a bin, so that notes lie in the middle of their three bins."""
    rows = np.arange(magnitudes.shape[0]) + bins
    below = np.clip(np.floor(rows).astype(int), 0, magnitudes.shape[0] - 1)
    above = np.clip(below + 1, 0, magnitudes.shape[0] - 1)
    part = (rows - np.floor(rows))[:, None]
    shifted: FloatArray = (1.0 - part) * magnitudes[below] + part * magnitudes[above]
    return shifted


def _whitened(magnitudes: FloatArray) -> FloatArray:
    """Divide by a power of the level nearby, so that loud registers and loud passages do not decide alone."""
    width = 12 * _BINS_PER_SEMITONE
    window = np.hanning(2 * width + 1)
    window /= window.sum()
    spectrum = magnitudes.mean(axis=1)
    around = np.convolve(np.pad(spectrum, width, mode="reflect"), window, mode="valid")
    whitened = magnitudes / (around[:, None] + 1e-3 * around.max() + 1e-12) ** 0.6
    level = whitened.sum(axis=0)
    levelled: FloatArray = whitened / (level + 0.1 * max(float(level.max()), 1e-9)) ** 0.5
    return levelled


def _note_strengths(magnitudes: FloatArray) -> FloatArray:
    """Explain each frame by notes with overtones: (NOTE_COUNT, frames)."""
    templates = _note_templates(magnitudes.shape[0])
    strengths = np.maximum(templates.T @ magnitudes, 1e-9)
    weights = templates.T @ templates
    target = templates.T @ magnitudes
    for _ in range(_UPDATES):
        strengths *= target / (weights @ strengths + 1e-9)
    return strengths


def _note_templates(bin_count: int) -> FloatArray:
    templates = np.zeros((bin_count, NOTE_COUNT))
    for note in range(NOTE_COUNT):
        for overtone in range(_OVERTONES):
            place = 1.0 + _BINS_PER_SEMITONE * (note + 12.0 * np.log2(overtone + 1))
            bins = np.arange(max(0, int(place) - 2), min(bin_count, int(place) + 4))
            templates[bins, note] += _OVERTONE_DECAY**overtone * np.exp(
                -0.5 * np.square((bins - place) / 0.7)
            )
    normalised: FloatArray = templates / np.sqrt(np.square(templates).sum(axis=0))
    return normalised
