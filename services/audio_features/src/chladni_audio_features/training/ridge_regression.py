"""Ridge regression by scikit-learn, and how well it fits.

Without a strength, leave-one-out cross-validation chooses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import Ridge, RidgeCV

Vectors = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearFit:
    """y = weight x + bias.

    Attributes:
        weight: (D, C).
        bias: (D,).
        strength: What was added to each squared singular value of the centred inputs.
    """

    weight: Vectors
    bias: Vectors
    strength: float

    def predict(self, inputs: Vectors) -> Vectors:
        """Return (n, D) for (n, C)."""
        predicted: Vectors = inputs @ self.weight.T + self.bias
        return predicted


@dataclass(frozen=True)
class FitFigures:
    """How well vectors are predicted.

    Attributes:
        r_squared: Share of the variance that is explained.
        cosine: Mean cosine between predicted and true vectors.
        recall_at_1: Share whose nearest true vector, by cosine, is their own.
    """

    r_squared: float
    cosine: float
    recall_at_1: float


def fit_ridge(inputs: Vectors, targets: Vectors, *, strength: float | None = None) -> LinearFit:
    """Fit targets (n, D) to inputs (n, C); the bias is not penalised.

    Args:
        inputs: What to predict from.
        targets: What to predict.
        strength: Penalty on the squared weights; `None` lets leave-one-out cross-validation choose.
    """
    if strength is None:
        ridge = RidgeCV(alphas=_candidates(inputs)).fit(inputs, targets)
        strength = ridge.alpha_
    else:
        ridge = Ridge(alpha=strength, solver="svd").fit(inputs, targets)
    return LinearFit(weight=ridge.coef_, bias=ridge.intercept_, strength=float(strength))


def measure_fit(predicted: Vectors, targets: Vectors) -> FitFigures:
    """Compare predicted with true vectors, both (n, D)."""
    residual = np.square(targets - predicted).sum()
    total = np.square(targets - targets.mean(axis=0)).sum()
    cosines = unit(predicted) @ unit(targets).T
    return FitFigures(
        r_squared=float(1.0 - residual / total) if total > 0.0 else 0.0,
        cosine=float(np.diagonal(cosines).mean()),
        recall_at_1=float((cosines.argmax(axis=1) == np.arange(len(cosines))).mean()),
    )


def unit(vectors: Vectors) -> Vectors:
    """Return (n, D) vectors scaled to norm 1."""
    scaled: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled


def _candidates(inputs: Vectors) -> Vectors:
    """Return strengths up to the largest squared singular value of the centred inputs."""
    centred = inputs - inputs.mean(axis=0)
    largest = float(np.linalg.eigvalsh(centred.T @ centred)[-1])
    candidates: Vectors = max(largest, float(np.finfo(np.float64).tiny)) * np.logspace(-8.0, 0.0, 33)
    return candidates
