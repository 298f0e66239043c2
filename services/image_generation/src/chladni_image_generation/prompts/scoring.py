"""Creativity and fit of prompts, each in [0, 1].

Originality is distance from the others (Beaty & Johnson 2021, "Automating creativity assessment with
SemDis"). Elaboration is the amount of detail (Guilford 1967), counted by different words that carry meaning.
Alignment is whether the words are those of the features rather than of their opposites. Coherence is whether
words follow each other as in a sentence, and none twice. The Vendi score (Friedman & Dieng 2023) is the
number of different prompts in effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from chladni_image_generation.prompts import vocabulary
from chladni_image_generation.prompts.features import MusicFeatures
from chladni_image_generation.prompts.similarity import (
    STOP_WORDS,
    FloatArray,
    TextSimilarity,
    stems,
    words_of,
)

_DETAIL_SCALE: Final = 18.0
_VOWELS: Final = "aeiou"
_MAY_FOLLOW: Final = frozenset({"the", "a", "an", "its", "their", "this", "that"})


@dataclass(frozen=True)
class PromptScore:
    """Scores of one prompt.

    Attributes:
        originality: Distance from the most similar half of the others.
        elaboration: Amount of detail.
        alignment: Fit with the features; None without features.
        coherence: How well it hangs together.
    """

    originality: float
    elaboration: float
    alignment: float | None
    coherence: float


@dataclass(frozen=True)
class PromptScores:
    """Scores of a set of prompts.

    Attributes:
        scores: One a prompt, in order.
        vendi_score: Number of different prompts in effect, 1 to their number.
        similarity: What similarity was measured by.
    """

    scores: tuple[PromptScore, ...]
    vendi_score: float
    similarity: str


def score_prompts(
    prompts: Sequence[str],
    *,
    similarity: TextSimilarity,
    features: MusicFeatures | None = None,
    references: Sequence[str] = (),
) -> PromptScores:
    """Score prompts.

    Args:
        prompts: At least one.
        similarity: Compares texts.
        features: The music that they are for; None for no alignment.
        references: Prompts of other music that originality is measured against too.
    """
    matrix = similarity.matrix([*prompts, *references])
    scores = tuple(
        PromptScore(
            originality=_originality(matrix[index], index),
            elaboration=elaboration(prompt),
            alignment=None if features is None else alignment(prompt, features),
            coherence=coherence(prompt),
        )
        for index, prompt in enumerate(prompts)
    )
    own = matrix[: len(prompts), : len(prompts)]
    return PromptScores(scores, vendi_score(own), similarity.name)


def vendi_score(similarity: FloatArray) -> float:
    """Return the exponential of the entropy of the eigenvalues of a similarity matrix, (n, n)."""
    eigenvalues = np.clip(np.linalg.eigvalsh(similarity / len(similarity)), 0.0, None)
    positive = eigenvalues[eigenvalues > 1e-12]
    return float(np.clip(np.exp(-(positive * np.log(positive)).sum()), 1.0, len(similarity)))


def elaboration(prompt: str) -> float:
    """Return how much detail a prompt gives; a word that comes again adds nothing."""
    found = stems(prompt)
    if not found:
        return 0.0
    distinct = len(set(found))
    return float((1.0 - np.exp(-distinct / _DETAIL_SCALE)) * np.sqrt(distinct / len(found)))


def alignment(prompt: str, features: MusicFeatures) -> float:
    """Return how far the words of a prompt are those of the features and not of their opposites."""
    found = set(stems(prompt))
    groups = [_quadrant_group(features), (vocabulary.MOTIONS, features.pace if features.tempo_bpm else "")]
    groups += [
        (vocabulary.METERS, features.time_signature),
        (vocabulary.CONTOURS, _named(features.melody_contour, vocabulary.CONTOURS)),
        (vocabulary.DYNAMICS, _named(features.dynamic_intensity, vocabulary.DYNAMICS)),
    ]
    shares = [_share(found, table, name) for table, name in groups if name in table]
    if features.mood:
        wanted = {stem for word in features.mood for stem in stems(word)}
        shares.append(0.5 + 0.5 * min(1.0, len(found & wanted)))
    return float(np.mean(shares))


def coherence(prompt: str) -> float:
    """Return how well a prompt hangs together: function words stand where they belong, nothing returns."""
    words = words_of(prompt)
    if len(words) < 2:
        return 0.0
    followed = [_follows_well(before, after) for before, after in pairwise(words)]
    checks = [check for check in followed if check is not None]
    ends_well = words[-1] not in STOP_WORDS
    order = (sum(checks) + ends_well) / (len(checks) + 1)
    pairs = list(pairwise(words))
    return float(order * len(set(pairs)) / len(pairs))


def _follows_well(before: str, after: str) -> bool | None:
    """Return whether a word may follow a function word; None if the first is none."""
    if before == after:
        return False
    if before in {"a", "an"}:
        return after not in STOP_WORDS and (after[0] in _VOWELS) == (before == "an")
    if before in STOP_WORDS:
        return after not in STOP_WORDS or (after in _MAY_FOLLOW and before not in _MAY_FOLLOW)
    return None


def _originality(row: FloatArray, index: int) -> float:
    others = np.sort(np.delete(row, index))[::-1]
    if not len(others):
        return 1.0
    return float(np.clip(1.0 - others[: (len(others) + 1) // 2].mean(), 0.0, 1.0))


def _quadrant_group(features: MusicFeatures) -> tuple[Mapping[str, Sequence[str]], str]:
    """Return the words of all quadrants of the circumplex, and the name of the features' own."""
    table = {
        _quadrant_name(*quadrant): (
            *vocabulary.SCENES[quadrant],
            *vocabulary.PALETTES[quadrant],
            *vocabulary.LIGHTS[quadrant],
        )
        for quadrant in vocabulary.SCENES
    }
    return table, _quadrant_name(features.is_bright, features.is_active)


def _quadrant_name(is_bright: bool, is_active: bool) -> str:
    return f"{'bright' if is_bright else 'dark'} {'active' if is_active else 'calm'}"


def _share(found: set[str], table: Mapping[str, Sequence[str]], name: str) -> float:
    """Return the share of the words of one entry among those of all; 0.5 if there are none."""
    sets = {key: {stem for phrase in phrases for stem in stems(phrase)} for key, phrases in table.items()}
    others = set().union(*(words for key, words in sets.items() if key != name))
    right, wrong = len(found & (sets[name] - others)), len(found & (others - sets[name]))
    return (right + 0.5) / (right + wrong + 1.0)


def _named(text: str, table: Mapping[str, Sequence[str]]) -> str:
    return next((name for name in table if name in text.lower()), "")
