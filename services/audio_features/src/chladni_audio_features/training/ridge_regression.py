"""Ridge regression in closed form, and how well it fits.

Without a strength, generalised cross-validation chooses it: Golub, Heath and Wahba 1979, "Generalized
cross-validation as a method for choosing a good ridge parameter".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
        strength: Penalty on the squared weights; `None` lets generalised cross-validation choose.
    """
    input_mean, target_mean = inputs.mean(axis=0), targets.mean(axis=0)
    left, singular, right = np.linalg.svd(inputs - input_mean, full_matrices=False)
    centred = targets - target_mean
    projected = left.T @ centred
    if strength is None:
        strength = _best_strength(singular, projected, centred)
    gains = np.divide(
        singular, np.square(singular) + strength, out=np.zeros_like(singular), where=singular > 0.0
    )
    weight = (right.T @ (gains[:, None] * projected)).T
    return LinearFit(weight=weight, bias=target_mean - weight @ input_mean, strength=float(strength))


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


def _best_strength(singular: Vectors, projected: Vectors, centred: Vectors) -> float:
    candidates = float(np.square(singular).max()) * np.logspace(-8.0, 0.0, 33)
    squares = np.square(projected).sum(axis=1)
    unreachable = np.square(centred).sum() - squares.sum()

    def score(strength: float) -> float:
        shrinkage = np.square(singular) / (np.square(singular) + strength)
        residual = unreachable + (np.square(1.0 - shrinkage) * squares).sum()
        freedom = max(len(centred) - 1.0 - shrinkage.sum(), 1e-9)
        return float(residual / freedom**2)

    return float(min(candidates, key=score))
