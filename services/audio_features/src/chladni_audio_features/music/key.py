"""Key and tonality, from how long notes, basses and chords sound and where the music rests.

Relative keys share their notes; what tells them apart is which chord begins, which ends, which lasts and
what it is reached from. The candidates are scored by these, seen from each candidate's tonic (after
Krumhansl & Kessler 1982 and Temperley 2007, whose profiles are such weights for notes alone).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from chladni_audio_features.analysis.tonality import PITCH_CLASSES, estimate_keys
from chladni_audio_features.music.choice import load_choice
from chladni_audio_features.music.chords import ChordSegment
from chladni_audio_features.music.frontend import FloatArray, NoteFrames

_BASS_BELOW: Final = 52
_MELODY_FROM: Final = 62
_MAX_KEYS: Final = 5
_LEAST_CONFIDENCE: Final = 0.01
_ENOUGH_CHORDS: Final = 3
_PROFILE_SHARPNESS: Final = 15.0
_FLAT_NAMES: Final = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MAJOR_DEGREES: Final = ("I", "bII", "II", "bIII", "III", "IV", "#IV", "V", "bVI", "VI", "bVII", "VII")
_MINOR_DEGREES: Final = ("I", "bII", "II", "III", "#III", "IV", "#IV", "V", "VI", "#VI", "VII", "#VII")
_MINOR_NAMES: Final = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


@dataclass(frozen=True)
class KeyCandidate:
    """A key, and the probability that it is the one.

    Attributes:
        tonic: Pitch class of the tonic, 0 for C.
        is_major: Whether it is major.
        confidence: Probability.
    """

    tonic: int
    is_major: bool
    confidence: float

    @property
    def name(self) -> str:
        """Name as musicians write it, such as "Bb major"."""
        names = _FLAT_NAMES if self.is_major else _MINOR_NAMES
        return f"{names[self.tonic]} {'major' if self.is_major else 'minor'}"


def estimate_key(notes: NoteFrames, chords: list[ChordSegment]) -> tuple[KeyCandidate, ...]:
    """Return the keys that the music may be in, most probable first; none for a clip without notes."""
    if not any(chord.root is not None for chord in chords):
        return ()
    probabilities = _with_profiles(
        load_choice("key").probabilities(key_features(notes, chords)), notes, chords
    )
    candidates = [
        KeyCandidate(index % len(PITCH_CLASSES), index < len(PITCH_CLASSES), float(probability))
        for index, probability in enumerate(probabilities)
    ]
    ranked = sorted(candidates, key=lambda key: -key.confidence)[:_MAX_KEYS]
    return tuple(key for key in ranked if key is ranked[0] or key.confidence >= _LEAST_CONFIDENCE)


def _with_profiles(probabilities: FloatArray, notes: NoteFrames, chords: list[ChordSegment]) -> FloatArray:
    """Trust the profiles of notes instead, the fewer different chords there are to judge by."""
    distinct = {(chord.root, chord.is_minor) for chord in chords if chord.root is not None}
    trust = min(1.0, (len(distinct) - 1) / _ENOUGH_CHORDS)
    estimates = estimate_keys(notes.chroma().mean(axis=1))
    likeness = np.zeros(24)
    for estimate in estimates:
        likeness[estimate.tonic + (0 if estimate.is_major else 12)] = estimate.correlation
    scores = trust * np.log(probabilities + 1e-9) + (1.0 - trust) * _PROFILE_SHARPNESS * likeness
    exponentials = np.exp(scores - scores.max())
    mixed: FloatArray = exponentials / exponentials.sum()
    return mixed


def roman_numeral(chord: ChordSegment, key: KeyCandidate) -> str:
    """Return a chord's Roman numeral in a key, such as "vi7"; empty for no chord.

    Minor and diminished chords are in small letters. Degrees are those of the major scale in a major key
    and of the natural minor scale in a minor one; "b" and "#" before the numeral lower and raise them.
    """
    if chord.root is None:
        return ""
    degrees = _MAJOR_DEGREES if key.is_major else _MINOR_DEGREES
    degree = degrees[(chord.root - key.tonic) % 12]
    numeral = degree.lower() if chord.is_minor else degree
    suffix = {"m": "", "m7": "7", "dim": "o"}.get(chord.quality, chord.quality)
    return numeral + suffix


def key_features(notes: NoteFrames, chords: list[ChordSegment]) -> FloatArray:
    """Return the evidence for each key, 12 major ones from C and 12 minor ones: (24, features)."""
    frames = notes.strengths.shape[1]
    quarter = max(1, frames // 4)
    profiles = [
        _profile(notes.chroma()),
        _profile(notes.chroma(highest=_BASS_BELOW)),
        _profile(notes.chroma(lowest=_MELODY_FROM)),
        _profile(notes.chroma()[:, :quarter]),
        _profile(notes.chroma()[:, -quarter:]),
    ]
    profiles += _chord_profiles(chords)
    rows = []
    for is_major in (True, False):
        for tonic in range(12):
            seen = np.concatenate([np.roll(profile, -tonic) for profile in profiles])
            both = (seen, np.zeros_like(seen)) if is_major else (np.zeros_like(seen), seen)
            rows.append(np.concatenate([*both, [float(is_major)]]))
    return np.array(rows)


def _profile(chroma: FloatArray) -> FloatArray:
    mean = np.sqrt(chroma.mean(axis=1))
    profile: FloatArray = mean / (np.sqrt(np.square(mean).sum()) + 1e-9)
    return profile


def _chord_profiles(chords: list[ChordSegment]) -> list[FloatArray]:
    """Return, by root: the time of major and of minor chords, the first, the last, and falling fifths."""
    major, minor, first, last, resolved = (np.zeros(12) for _ in range(5))
    sounding = [chord for chord in chords if chord.root is not None]
    for chord in sounding:
        share = chord.end_seconds - chord.start_seconds
        (minor if chord.is_minor else major)[chord.root or 0] += share
    total = major.sum() + minor.sum() + 1e-9
    first[sounding[0].root or 0] = last[sounding[-1].root or 0] = 1.0
    for before, after in pairwise(sounding):
        if ((before.root or 0) - (after.root or 0)) % 12 == 7 and not before.is_minor:
            resolved[after.root or 0] += 1.0
    return [major / total, minor / total, first, last, resolved / max(1.0, resolved.sum())]
