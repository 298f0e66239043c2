"""Confidences that hold what they say: logistic maps from raw ones (Platt 1999), fitted on pieces apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from chladni_audio_features.music.choice import MODELS
from chladni_audio_features.music.frontend import FloatArray

_CLIP: Final = 1e-4


@dataclass(frozen=True)
class Calibrations:
    """Maps of confidences, by analysis.

    Attributes:
        slopes_and_offsets: Of the confidence's log odds; an analysis that is not among them keeps its own.
    """

    slopes_and_offsets: Mapping[str, tuple[float, float]]

    def single(self, name: str, confidence: float) -> float:
        """Return a calibrated confidence."""
        return float(self.each(name, np.array([confidence]))[0])

    def each(self, name: str, confidences: FloatArray) -> FloatArray:
        """Return calibrated confidences, (n,); 0, which says that nothing was found, stays 0."""
        slope, offset = self.slopes_and_offsets.get(name, (1.0, 0.0))
        bounded = np.clip(confidences, _CLIP, 1.0 - _CLIP)
        odds = slope * np.log(bounded / (1.0 - bounded)) + offset
        return np.where(confidences > 0.0, 1.0 / (1.0 + np.exp(-odds)), 0.0)

    def candidates(self, name: str, confidences: Sequence[float]) -> list[float]:
        """Return calibrated confidences of candidates, most probable first; the others share the rest."""
        if not confidences:
            return []
        first = self.single(name, confidences[0])
        rest = max(sum(confidences[1:]), 1e-9)
        share = (1.0 - first) * min(1.0, rest / max(1.0 - confidences[0], 1e-9)) / rest
        return [first, *(min(first, confidence * share) for confidence in confidences[1:])]


@lru_cache(maxsize=1)
def load_calibrations() -> Calibrations:
    """Load the shipped maps."""
    maps = json.loads(MODELS.joinpath("confidences.json").read_text())
    return Calibrations({name: (slope, offset) for name, (slope, offset) in maps.items()})
