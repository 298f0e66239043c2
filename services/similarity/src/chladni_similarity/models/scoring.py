"""From two vectors to one number that people understand."""

from __future__ import annotations

import math
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from chladni_contract.score_curve import ScoreCurve


def cosine_of(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return the cosine of the angle between two vectors, -1 to 1.

    Symmetric to the last bit, and exactly 1 for equal vectors: then it is x / sqrt(x * x), which IEEE 754
    rounds to 1 for every x.

    Args:
        first: (D,), not zero.
        second: (D,), not zero.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    cosine = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
    return max(-1.0, min(1.0, cosine))


def cosine_matrix(rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cosines of vectors with other vectors, each to the last bit as `cosine_of` returns it.

    Args:
        rows: (R, D), none of them zero.
        columns: (C, D), none of them zero.

    Returns:
        (R, C), -1 to 1.
    """
    # Not a matrix product, which may sum in another order for each place and so would not be symmetric.
    a, b = rows.astype(np.float64), columns.astype(np.float64)
    products = np.array([[first @ second for second in b] for first in a])
    squares = np.multiply.outer([row @ row for row in a], [column @ column for column in b])
    cosines: NDArray[np.float64] = np.clip(products / np.sqrt(squares), -1.0, 1.0)
    return cosines


class ScoreMap(Protocol):
    """Turns cosines of one model into scores. Never falls as the cosine rises."""

    @property
    def description(self) -> str:
        """What a score means, for people."""
        ...

    @property
    def curve(self) -> ScoreCurve | None:
        """The map as the contract has it; `None` if it is the cosine, with negative ones as 0."""
        ...

    def score_of(self, cosine: float) -> float:
        """Return the score, 0 to 1, of a cosine, -1 to 1; exactly 1 for a cosine of 1."""
        ...


class CosineScore:
    """The cosine itself, with negative ones as 0: for models of whose cosines nothing is known.

    The other customary map, (1 + cosine) / 2, would waste half of the scale: cosines of CLIP's vectors of
    images hardly are negative.
    """

    description: Final = "not calibrated: the cosine, with negative ones as 0"
    curve: Final = None

    def score_of(self, cosine: float) -> float:
        """Return the cosine, or 0 if it is negative."""
        return max(0.0, cosine)
