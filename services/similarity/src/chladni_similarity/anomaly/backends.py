"""Ways to measure how far embeddings are from those of normal operation, behind one interface.

No single way is best for every machine. arXiv 2606.19269 reports that the choice of backend moves the AUC of
target domains by 13.8 points, and that the minimum of the z-scores of several, normalised on the training
bank, comes within 1.1 points of the best choice for each machine; `fusion` is that minimum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float64]
"""(N, D), a row an embedding."""

State: TypeAlias = Mapping[str, NDArray[np.float64]]

MAX_COMPONENTS: Final = 128
EXPLAINED_VARIANCE: Final = 0.99

_NEIGHBOR_COUNT: Final = 2
_DENSITY_NEIGHBOR_COUNT: Final = 4
_RESIDUAL_VARIANCE: Final = 0.9
_TINY: Final = 1e-9


class Backend(ABC):
    """Measures distances to a bank of normal embeddings. Immutable after it was fitted."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, bank: Vectors, *, max_components: int = MAX_COMPONENTS) -> Self:
        """Return the backend for a bank.

        Args:
            bank: (N, D) with N at least 2.
            max_components: Principal components at most, for backends that reduce embeddings.
        """

    @classmethod
    @abstractmethod
    def from_state(cls, state: State) -> Self:
        """Return the backend that gave a state."""

    @abstractmethod
    def state(self) -> State:
        """Return the arrays that the backend consists of."""

    @abstractmethod
    def distances(self, vectors: Vectors) -> NDArray[np.float64]:
        """Return how far embeddings are from normal, (N,), 0 or more."""


class CosineNeighbors(Backend):
    """One minus the cosine of the nearest normal embeddings, averaged over two."""

    name = "cosine-knn"

    def __init__(self, bank: Vectors) -> None:
        self._bank = bank

    @classmethod
    def fit(cls, bank: Vectors, *, max_components: int = MAX_COMPONENTS) -> Self:  # noqa: ARG003
        """Return the backend for a bank."""
        return cls(_normalised(bank))

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the backend that gave a state."""
        return cls(state["bank"])

    def state(self) -> State:
        """Return the bank, each row of length 1."""
        return {"bank": self._bank}

    def distances(self, vectors: Vectors) -> NDArray[np.float64]:
        """Return how far embeddings are from normal."""
        distances = np.maximum(1.0 - _normalised(vectors) @ self._bank.T, 0.0)
        return _mean_of_smallest(distances, _NEIGHBOR_COUNT)


class Mahalanobis(Backend):
    """Distance to the mean in the principal components, by the covariance of Ledoit and Wolf.

    The components explain 99 % of the variance, 128 of them at most. Without shrinkage, the covariance of few
    embeddings would be singular or nearly so.
    """

    name = "mahalanobis"

    def __init__(self, mean: NDArray[np.float64], components: Vectors, precision: Vectors) -> None:
        self._mean = mean
        self._components = components
        self._precision = precision

    @classmethod
    def fit(cls, bank: Vectors, *, max_components: int = MAX_COMPONENTS) -> Self:
        """Return the backend for a bank."""
        # scikit-learn takes a second, which a server that only scores need not spend.
        from sklearn.covariance import LedoitWolf  # noqa: PLC0415

        mean, components = _principal_components(bank, EXPLAINED_VARIANCE, max_components)
        covariance = LedoitWolf(assume_centered=True).fit((bank - mean) @ components.T)
        floor = np.eye(len(components)) * (1e-12 + 1e-9 * np.trace(covariance.covariance_) / len(components))
        return cls(mean, components, np.linalg.inv(covariance.covariance_ + floor))

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the backend that gave a state."""
        return cls(state["mean"], state["components"], state["precision"])

    def state(self) -> State:
        """Return mean, components and inverse covariance."""
        return {"mean": self._mean, "components": self._components, "precision": self._precision}

    def distances(self, vectors: Vectors) -> NDArray[np.float64]:
        """Return the Mahalanobis distances."""
        reduced = (vectors - self._mean) @ self._components.T
        squares = np.einsum("ni,ij,nj->n", reduced, self._precision, reduced)
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


class DensityNeighbors(Backend):
    """Distance to the nearest normal embedding, relative to how far that one is from its own neighbours.

    Where normal operation is seldom recorded, such as in a new environment, its embeddings are far from each
    other; the ratio allows for that (arXiv 2509.10951).
    """

    name = "density-knn"

    def __init__(self, bank: Vectors, spacing: NDArray[np.float64]) -> None:
        self._bank = bank
        self._spacing = spacing

    @classmethod
    def fit(cls, bank: Vectors, *, max_components: int = MAX_COMPONENTS) -> Self:  # noqa: ARG003
        """Return the backend for a bank."""
        distances = _euclidean(bank, bank)
        np.fill_diagonal(distances, np.inf)
        spacing = _mean_of_smallest(distances, _DENSITY_NEIGHBOR_COUNT)
        return cls(bank, np.maximum(spacing, 0.1 * spacing.mean() + _TINY))

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the backend that gave a state."""
        return cls(state["bank"], state["spacing"])

    def state(self) -> State:
        """Return the bank, and how far each embedding of it is from its neighbours."""
        return {"bank": self._bank, "spacing": self._spacing}

    def distances(self, vectors: Vectors) -> NDArray[np.float64]:
        """Return how far embeddings are from normal."""
        ratios: NDArray[np.float64] = (_euclidean(vectors, self._bank) / self._spacing).min(axis=1)
        return ratios


class PrincipalResidual(Backend):
    """What the principal components of normal operation cannot represent."""

    name = "pca-residual"

    def __init__(self, mean: NDArray[np.float64], components: Vectors) -> None:
        self._mean = mean
        self._components = components

    @classmethod
    def fit(cls, bank: Vectors, *, max_components: int = MAX_COMPONENTS) -> Self:
        """Return the backend for a bank."""
        return cls(*_principal_components(bank, _RESIDUAL_VARIANCE, max_components))

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the backend that gave a state."""
        return cls(state["mean"], state["components"])

    def state(self) -> State:
        """Return mean and components."""
        return {"mean": self._mean, "components": self._components}

    def distances(self, vectors: Vectors) -> NDArray[np.float64]:
        """Return how far embeddings are from normal."""
        centred = vectors - self._mean
        residual = centred - (centred @ self._components.T) @ self._components
        return np.asarray(np.linalg.norm(residual, axis=1))


BACKENDS: Final[Mapping[str, type[Backend]]] = {
    backend.name: backend for backend in (CosineNeighbors, Mahalanobis, DensityNeighbors, PrincipalResidual)
}

FUSION: Final = "fusion"
"""Name of the minimum of the z-scores of all backends."""


def _principal_components(
    bank: Vectors, explained_variance: float, max_components: int
) -> tuple[NDArray[np.float64], Vectors]:
    """Return the mean, and as many components as explain a share of the variance."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - see Mahalanobis.fit

    if np.ptp(bank, axis=0).max() < _TINY:  # one clip several times
        return bank[0], np.eye(1, bank.shape[1])
    count = min(max_components, len(bank) - 1, bank.shape[1])
    fitted = PCA(n_components=count, svd_solver="full").fit(bank)
    explained = np.cumsum(fitted.explained_variance_ratio_)
    kept = min(count, 1 + int(np.searchsorted(explained, explained_variance)))
    return np.asarray(fitted.mean_), np.asarray(fitted.components_[:kept])


def _normalised(vectors: Vectors) -> Vectors:
    normalised: Vectors = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + _TINY)
    return normalised


def _euclidean(first: Vectors, second: Vectors) -> Vectors:
    squares = np.square(first).sum(1)[:, None] + np.square(second).sum(1)[None, :] - 2.0 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def _mean_of_smallest(distances: Vectors, count: int) -> NDArray[np.float64]:
    """Return the mean of the smallest values of each row."""
    kept = min(count, int(np.isfinite(distances).sum(axis=1).min()))
    smallest: NDArray[np.float64] = np.sort(distances, axis=1)[:, :kept].mean(axis=1)
    return smallest
