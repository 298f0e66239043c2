"""Mood as a point of the circumplex of affect (Russell 1980), by what listeners' ratings depend on.

Arousal rises with tempo, rate of onsets, loudness and brightness; valence with a major key, and somewhat
with tempo and consonance (Gabrielsson & Lindström 2010, "The role of structure in the musical expression of
emotions"; weights after Eerola, Friberg & Bresin 2013, who report mode, tempo, dynamics, register,
articulation and timbre in this order).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

_WORDS: Final = (
    ("joyful", 0.75, 0.55),
    ("exuberant", 0.55, 0.85),
    ("triumphant", 0.4, 0.65),
    ("playful", 0.6, 0.35),
    ("content", 0.7, 0.0),
    ("warm", 0.5, -0.15),
    ("serene", 0.55, -0.5),
    ("calm", 0.35, -0.7),
    ("dreamy", 0.15, -0.45),
    ("neutral", 0.0, 0.0),
    ("restless", -0.15, 0.4),
    ("tense", -0.5, 0.55),
    ("agitated", -0.6, 0.8),
    ("dark", -0.6, 0.1),
    ("melancholic", -0.5, -0.35),
    ("sad", -0.7, -0.5),
    ("somber", -0.45, -0.7),
    ("mysterious", -0.25, -0.15),
)
_WORD_COUNT: Final = 3
_SCATTER: Final = 0.35


@dataclass(frozen=True)
class MoodEvidence:
    """What a mood is judged by.

    Attributes:
        tempo_bpm: Tempo; None for music without one.
        onset_rate: Onsets a second.
        major_probability: Probability of a major key; 0.5 for a clip without notes.
        level_dbfs: Level of the louder half.
        brightness_hz: Spectral centroid.
        noise_share: Share of the sound that is struck and not sustained, in [0, 1].
    """

    tempo_bpm: float | None
    onset_rate: float
    major_probability: float
    level_dbfs: float
    brightness_hz: float
    noise_share: float


@dataclass(frozen=True)
class Mood:
    """A point of the circumplex.

    Attributes:
        valence: -1 (unpleasant) to 1 (pleasant).
        arousal: -1 (calm) to 1 (excited).
        words: Words that lie nearest, the fittest first.
        confidence: Probability that the quadrant is right, in [0, 1].
    """

    valence: float
    arousal: float
    words: tuple[str, ...]
    confidence: float


def judge_mood(evidence: MoodEvidence) -> Mood:
    """Judge the mood of a clip."""
    pace = np.log2((evidence.tempo_bpm or 75.0) / 105.0)
    density = np.log2((evidence.onset_rate + 0.3) / 3.0)
    loudness = (evidence.level_dbfs + 20.0) / 12.0
    brightness = np.log2(max(evidence.brightness_hz, 50.0) / 1500.0)
    arousal = np.tanh(
        0.7 * pace + 0.35 * density + 0.3 * loudness + 0.25 * brightness + 0.5 * (evidence.noise_share - 0.25)
    )
    majorness = 2.0 * evidence.major_probability - 1.0
    valence = np.tanh(
        0.75 * majorness + 0.25 * pace - 0.3 * (evidence.noise_share - 0.25) + 0.05 * brightness
    )
    return Mood(
        valence=float(valence),
        arousal=float(arousal),
        words=_words_near(float(valence), float(arousal)),
        confidence=float(_sure(float(valence)) * _sure(float(arousal))),
    )


def _sure(value: float) -> float:
    """Return the probability that a judgement of this size has the right sign, if judgements scatter."""
    return 1.0 / (1.0 + float(np.exp(-abs(value) / _SCATTER * 1.7)))


def _words_near(valence: float, arousal: float) -> tuple[str, ...]:
    ranked = sorted(_WORDS, key=lambda word: (word[1] - valence) ** 2 + (word[2] - arousal) ** 2)
    return tuple(word for word, _, _ in ranked[:_WORD_COUNT])
