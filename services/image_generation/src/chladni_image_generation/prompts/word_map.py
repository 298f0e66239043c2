"""From words to descriptors of sound, so that a model without a text encoder can follow a prompt.

A text moves away from the mean of music in the space of descriptors, in two parts:

* What its words **mean**: a ridge regression from the words of prompts to the descriptors of the music that
  they were written for, fitted by `make fit-words` on music whose descriptors are drawn and whose prompts the
  grammar writes. "Slowly", "dim" or "climbing" thus move tempo, brightness or the course of the pitch.
* Its **style**: each word, known or not, has a direction of its own, drawn from its hash, among the main
  directions in which descriptors of music differ (a random projection, Johnson & Lindenstrauss 1984). So "a
  staircase of sleeping foxes" and "magnetic deer", which say nothing of the music, look different, and each
  always the same.

The result is blended with the embedding of the sound itself by a weight.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_contract.descriptor_space import COMPONENT_COUNT
from chladni_image_generation.prompts.similarity import stems

FloatArray = npt.NDArray[np.float64]

WORD_MAP: Final = "chladni-words-v1"
DEFAULT_WEIGHT: Final = 0.6
"""Weight of the words against the sound."""
WORD_MAP_FILE: Final = Path(__file__).parents[1] / "models" / "words" / "word_map.npz"
_MEANING_GAIN: Final = 1.6
_STYLE_DEVIATIONS: Final = 1.3
_STYLE_COMPONENTS: Final = 24


class WordMap:
    """Maps texts to descriptors.

    Args:
        vocabulary: Words without endings, sorted.
        weights: Rarity of each, (V,).
        moves: What each moves, (V, 152).
        mean: Mean descriptors of music, (152,).
        directions: Main directions of music, each as long as its standard deviation, (K, 152).
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        weights: FloatArray,
        moves: FloatArray,
        mean: FloatArray,
        directions: FloatArray,
    ) -> None:
        self._places = {word: place for place, word in enumerate(vocabulary)}
        self._weights = weights
        self._moves = moves
        self._mean = mean
        self._directions = directions[:_STYLE_COMPONENTS]
        self._unknown_weight = float(weights.max(initial=1.0))

    def embed(self, text: str) -> FloatArray:
        """Return the descriptors that a text stands for, (152,) in [0, 1]; the mean for one without words."""
        words = sorted(set(stems(text)))
        if not words:
            return np.clip(self._mean, 0.0, 1.0)
        known = [self._places[word] for word in words if word in self._places]
        meaning = np.zeros(COMPONENT_COUNT)
        if known:
            meaning = features_of_words(self._weights[known]) @ self._moves[known]
        weights = np.array([self._weight(word) for word in words])
        style = weights @ np.stack([_direction(word, len(self._directions)) for word in words])
        style *= np.sqrt(len(style)) / max(float(np.linalg.norm(style)), 1e-12)
        moved = self._mean + _MEANING_GAIN * meaning + _STYLE_DEVIATIONS * style @ self._directions
        return np.clip(moved, 0.0, 1.0)

    def _weight(self, word: str) -> float:
        place = self._places.get(word)
        return self._unknown_weight if place is None else float(self._weights[place])


def features_of_words(weights: FloatArray) -> FloatArray:
    """Return the weights of the known words of a text as the regression takes them, of unit length."""
    features: FloatArray = weights / np.sqrt(np.square(weights).sum())
    return features


def blend(audio: FloatArray, words: FloatArray, weight: float) -> npt.NDArray[np.float32]:
    """Return the embedding of a sound moved towards that of words.

    Args:
        audio: (152,) in [0, 1].
        words: Likewise.
        weight: 0 for the sound alone, 1 for the words alone.
    """
    return np.clip((1.0 - weight) * audio + weight * words, 0.0, 1.0).astype(np.float32)


@lru_cache(maxsize=1)
def load_word_map() -> WordMap:
    """Return the map that is shipped."""
    with np.load(WORD_MAP_FILE, allow_pickle=False) as file:
        return WordMap(
            [str(word) for word in file["vocabulary"]],
            file["weights"].astype(np.float64),
            file["moves"].astype(np.float64),
            file["mean"].astype(np.float64),
            file["directions"].astype(np.float64),
        )


def _direction(word: str, size: int) -> FloatArray:
    """Return the direction of a word, drawn from its hash alone."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])
    return np.random.default_rng(seed).standard_normal(size)
