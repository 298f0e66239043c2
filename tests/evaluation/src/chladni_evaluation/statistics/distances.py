"""Distances between vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def cosine_distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> Matrix:
    """Return 1 - cosine of every pair, (N, M) in [0, 2].

    Args:
        first: (N, D), no row zero.
        second: (M, D), no row zero.
    """
    cosines: Matrix = _unit(first) @ _unit(second).T
    return 1.0 - cosines.clip(-1.0, 1.0)


def euclidean_distances(rows: NDArray[np.floating]) -> Matrix:
    """Return the distance of every pair of rows (N, D): (N, N), exactly 0 on the diagonal."""
    differences = rows[:, None, :].astype(np.float64) - rows[None, :, :]
    distances: Matrix = np.sqrt(np.square(differences).sum(axis=2))
    return distances


def between(square: Matrix) -> NDArray[np.float64]:
    """Return the entries above the diagonal of (N, N): each pair once, (N (N - 1) / 2,)."""
    entries: NDArray[np.float64] = square[np.triu_indices(len(square), k=1)]
    return entries


def _unit(rows: NDArray[np.floating]) -> Matrix:
    values = rows.astype(np.float64)
    unit: Matrix = values / np.linalg.norm(values, axis=1, keepdims=True)
    return unit
