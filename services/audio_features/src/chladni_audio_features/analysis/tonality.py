"""Pitch classes and mode.

Chroma is a harmonic pitch class profile (Gómez 2006, "Tonal description of polyphonic audio"):
the spectrum's tonal peaks, moved to the sound's own tuning, add up per pitch class. Mode and key
come from its correlation with the key profiles of Krumhansl & Kessler (1982).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.spectral_peaks import SpectralPeaks

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

_MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)

_CONCERT_A_HZ = 440.0
_CONCERT_A_CLASS = 9
_CENTRE_HZ, _CENTRE_OCTAVES = 220.0, 1.0
_SEMITONES_OF_FIFTH = 7
_IN_TUNE_SEMITONES = 0.3


@dataclass(frozen=True)
class KeyEstimate:
    """A key and how well the chroma fits it.

    Attributes:
        tonic: index of the tonic, 0 for C to 11 for B.
        is_major: whether the key is major.
        correlation: Pearson correlation with the key's profile, in [-1, 1].
    """

    tonic: int
    is_major: bool
    correlation: float


@dataclass(frozen=True, eq=False)
class Tonality:
    """Tonal content of a sound.

    Attributes:
        chroma: (12,) float64, strength of each pitch class from C, largest 1; all 0 for sound
            without tonal content.
        mode: correlation with the best major key minus that with the best minor key, times the
            tonal share of the sound, in [-1, 1]; None for sound without tonal content.
        keys: all 24 keys, best first; empty for sound without tonal content.
    """

    chroma: npt.NDArray[np.float64]
    mode: float | None
    keys: tuple[KeyEstimate, ...]


_ATONAL = Tonality(chroma=np.zeros(len(PITCH_CLASSES)), mode=None, keys=())


def analyse_tonality(peaks: SpectralPeaks) -> Tonality:
    """Measure chroma, mode and key from the tonal peaks of a sound.

    Returns:
        No mode, no keys and an all-zero chroma if the sound is not tonal.
    """
    if not peaks.is_tonal:
        return _ATONAL
    chroma = _chroma(peaks)
    keys = estimate_keys(chroma)
    best_major = next(key.correlation for key in keys if key.is_major)
    best_minor = next(key.correlation for key in keys if not key.is_major)
    return Tonality(
        chroma=chroma,
        mode=float(np.clip((best_major - best_minor) * peaks.share, -1.0, 1.0)),
        keys=keys,
    )


def _chroma(peaks: SpectralPeaks) -> npt.NDArray[np.float64]:
    """Add up the peaks per pitch class; a peak between two classes counts for neither."""
    semitones, weights = _notes(peaks)
    tuning = np.angle((weights * np.exp(2j * np.pi * semitones)).sum()) / (2.0 * np.pi)
    nearest = np.round(semitones - tuning)
    weights *= np.square(np.cos(np.pi * (semitones - tuning - nearest)))
    classes = (nearest.astype(np.intp) + _CONCERT_A_CLASS) % len(PITCH_CLASSES)
    chroma = np.bincount(classes, weights, minlength=len(PITCH_CLASSES))
    relative: npt.NDArray[np.float64] = chroma / chroma.max()
    return relative


def positions_on_circle_of_fifths(
    peaks: SpectralPeaks,
) -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.float64]]:
    """Place each frame's peaks on the circle of fifths: C at 1, G at an angle of 30 degrees.

    Pitch classes are those of concert pitch here, because a sound's own tuning would turn the whole
    circle where it lies between two of them. A peak that is up to 0.3 semitones off counts as in
    tune; from there to the middle between two classes, its place moves to the centre.

    Returns:
        Two (frames,) arrays: the sum of the peaks' places times their weights, and that of their
        weights. Their ratio is a point in the unit disc, on its rim for a single note.
    """
    semitones, weights = _notes(peaks)
    nearest = np.round(semitones)
    between = np.abs(semitones - nearest) - _IN_TUNE_SEMITONES
    radii = np.clip(1.0 - between / (0.5 - _IN_TUNE_SEMITONES), 0.0, 1.0)
    fifths = _SEMITONES_OF_FIFTH * (nearest + _CONCERT_A_CLASS) / len(PITCH_CLASSES)
    places = weights * radii * np.exp(2j * np.pi * fifths)
    count = len(peaks.frame_times_seconds)
    real, imaginary, totals = (
        np.bincount(peaks.frames, values, minlength=count).astype(np.float64)
        for values in (places.real, places.imag, weights)
    )
    return real + 1j * imaginary, totals


def _notes(peaks: SpectralPeaks) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the semitones above concert A of each peak, and its weight among the notes that are played.

    Peaks count by amplitude, those near 220 Hz most, where the roots of chords lie and overtones
    do not.
    """
    semitones = 12.0 * np.log2(peaks.frequencies_hz / _CONCERT_A_HZ)
    octaves_off_centre = np.log2(peaks.frequencies_hz / _CENTRE_HZ) / _CENTRE_OCTAVES
    return semitones, peaks.amplitudes * np.exp(-0.5 * np.square(octaves_off_centre))


def estimate_keys(chroma: npt.NDArray[np.float64]) -> tuple[KeyEstimate, ...]:
    """Correlate a chroma with the profiles of all 24 keys.

    The chroma is compressed by a square root, or its strongest class would decide alone.

    Args:
        chroma: (12,) from C.

    Returns:
        The keys, best first; of equals, the lower tonic and major first.
    """
    compressed = np.sqrt(chroma)
    centred = compressed - compressed.mean()
    norm = float(np.sqrt(np.square(centred).sum()))
    keys = []
    for tonic in range(len(PITCH_CLASSES)):
        for is_major, profile in ((True, _MAJOR_PROFILE), (False, _MINOR_PROFILE)):
            expected = np.roll(profile, tonic) - np.mean(profile)
            product = float((centred * expected).sum())
            scale = norm * float(np.sqrt(np.square(expected).sum()))
            keys.append(KeyEstimate(tonic, is_major, product / scale if scale else 0.0))
    return tuple(sorted(keys, key=lambda key: -key.correlation))
