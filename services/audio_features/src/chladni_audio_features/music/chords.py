"""Chords over time: a hidden Markov model over the notes that sound.

Each frame is compared with the template of each chord by treble and bass; staying is likelier than changing
(Sheh & Ellis 2003, "Chord segmentation and recognition using EM-trained hidden Markov models";
templates as in Oudre, Grenier & Févotte 2009). Changes fall where the sound changes; beats, which may be
wrong, have no say.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.tonality import PITCH_CLASSES
from chladni_audio_features.music.frontend import LOWEST_NOTE, FloatArray, NoteFrames

NO_CHORD: Final = "N"

_QUALITIES: Final = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
}
# How much less likely than a triad, in the units of the similarity.
_RARITY: Final = {"": 0.0, "m": 0.0, "7": 0.03, "maj7": 0.035, "m7": 0.03, "dim": 0.07, "sus4": 0.07}
_NOTE_WEIGHTS: Final = (1.0, 0.85, 0.85, 0.6)
_BASS_BELOW: Final = 52
_BASS_WEIGHT: Final = 0.25
_SHARPNESS: Final = 14.0
_CHANGE_PROBABILITY: Final = 0.0001
_SILENT_SHARE: Final = 0.03
_NO_CHORD_SIMILARITY: Final = 0.48
_SHORTEST_SECONDS: Final = 0.25


@dataclass(frozen=True)
class ChordSegment:
    """A chord and its time.

    Attributes:
        start_seconds: Start.
        end_seconds: End.
        root: Pitch class of the root, 0 for C; None for no chord.
        quality: "" for major, or "m", "7", "maj7", "m7", "dim", "sus4".
        confidence: In [0, 1].
    """

    start_seconds: float
    end_seconds: float
    root: int | None
    quality: str
    confidence: float

    @property
    def symbol(self) -> str:
        """Symbol, such as "Am7", or "N" for no chord."""
        return NO_CHORD if self.root is None else PITCH_CLASSES[self.root] + self.quality

    @property
    def is_minor(self) -> bool:
        """Whether the third is minor."""
        return self.quality in {"m", "m7", "dim"}


def find_chords(notes: NoteFrames, *, duration_seconds: float) -> list[ChordSegment]:
    """Find the chords of a clip, in order and without gaps."""
    similarity, silent = _similarities(notes)
    if similarity.shape[1] == 0 or silent.all():
        return []
    scores = _SHARPNESS * similarity
    scores[:, silent] = 0.0
    scores[-1, silent] = _SHARPNESS
    path = _viterbi(scores, _CHANGE_PROBABILITY)
    posterior = np.exp(scores - scores.max(axis=0))
    posterior /= posterior.sum(axis=0)
    changes = np.flatnonzero(np.diff(path)) + 1
    bounds = [0, *changes.tolist(), len(path)]
    labels = _labels()
    segments = []
    for first, until in pairwise(bounds):
        root, quality = labels[path[first]]
        segments.append(
            ChordSegment(
                start_seconds=first / notes.frames_per_second,
                end_seconds=min(until / notes.frames_per_second, duration_seconds),
                root=root,
                quality=quality,
                confidence=_confidence(scores[:, first:until], int(path[first])),
            )
        )
    return _without_short(segments)


def _confidence(scores: FloatArray, chosen: int) -> float:
    """Return the probability of the chosen chord, given the mean similarity over its time."""
    mean = scores.mean(axis=1)
    exponentials = np.exp(2.0 * (mean - mean.max()))
    return float(exponentials[chosen] / exponentials.sum())


def _labels() -> list[tuple[int | None, str]]:
    chords: list[tuple[int | None, str]] = [(root, quality) for quality in _QUALITIES for root in range(12)]
    return [*chords, (None, "")]


def _similarities(notes: NoteFrames) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the likeness of frames and chords, (chords, frames), no chord last, and the silent frames."""
    treble = _smoothed(notes.chroma(lowest=LOWEST_NOTE + 8))
    bass = _smoothed(notes.chroma(highest=_BASS_BELOW))
    level = treble.sum(axis=0)
    silent: npt.NDArray[np.bool_] = level < _SILENT_SHARE * max(float(level.max(initial=0.0)), 1e-9)
    treble = np.sqrt(treble)
    treble /= np.sqrt(np.square(treble).sum(axis=0)) + 1e-9
    bass /= bass.max(axis=0) + 1e-9
    rows = []
    for quality, intervals in _QUALITIES.items():
        weights = np.array(_NOTE_WEIGHTS[: len(intervals)])
        weights = weights / np.sqrt(np.square(weights).sum())
        for root in range(12):
            places = [(root + interval) % 12 for interval in intervals]
            likeness = (weights[:, None] * treble[places]).sum(axis=0)
            in_bass = bass[root] + 0.4 * bass[places[2]] + 0.3 * bass[places[1]]
            rows.append(likeness + _BASS_WEIGHT * np.minimum(in_bass, 1.0) - _RARITY[quality])
    rows.append(np.full(treble.shape[1], _NO_CHORD_SIMILARITY + 0.5 * _BASS_WEIGHT))
    return np.array(rows), silent


def _smoothed(chroma: FloatArray) -> FloatArray:
    """Average over half a second or so, more for the frames nearby, so that an arpeggio is one chord."""
    window = np.hanning(13)[1:-1]
    window /= window.sum()
    padded = np.pad(chroma, ((0, 0), (5, 5)), mode="edge")
    return np.array([np.convolve(row, window, mode="valid") for row in padded])


def _viterbi(scores: FloatArray, change_probability: float) -> npt.NDArray[np.intp]:
    """Return the best path through (states, frames) log likelihoods if each change costs the same."""
    states, frames = scores.shape
    stay, change = np.log(1.0 - change_probability), np.log(change_probability / (states - 1))
    best = scores[:, 0].copy()
    origins = np.zeros((frames, states), dtype=np.intp)
    for frame in range(1, frames):
        leader = int(best.argmax())
        changed = best[leader] + change
        stayed = best + stay
        origins[frame] = np.where(stayed >= changed, np.arange(states), leader)
        best = np.maximum(stayed, changed) + scores[:, frame]
    path = np.zeros(frames, dtype=np.intp)
    path[-1] = best.argmax()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = origins[frame, path[frame]]
    return path


def _without_short(segments: list[ChordSegment]) -> list[ChordSegment]:
    """Join passing chords to the one before, and equal neighbours to one."""
    joined: list[ChordSegment] = []
    for segment in segments:
        is_short = segment.end_seconds - segment.start_seconds < _SHORTEST_SECONDS
        before = joined[-1] if joined else None
        if before and (is_short or (before.root, before.quality) == (segment.root, segment.quality)):
            joined[-1] = ChordSegment(
                before.start_seconds, segment.end_seconds, before.root, before.quality, before.confidence
            )
        else:
            joined.append(segment)
    return joined
