"""How different two sets of images are, and how near each image of one set is to the other set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chladni_evaluation.statistics.distances import cosine_distances

_DEGREE = 3


def squared_mean_discrepancy(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012).

    Its expectation is 0 for two samples of one distribution, so that it may come out slightly negative. The
    kernel is that of the kernel inception distance (Binkowski et al. 2018), a polynomial of degree 3, here
    (x . y + 1) ** 3 for vectors of length 1.

    Args:
        first: (N, D) vectors of length 1, N at least 2.
        second: (M, D) vectors of length 1, M at least 2.

    Raises:
        ValueError: One of them has fewer than two vectors.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"{len(first)} and {len(second)} vectors: two of each are needed")
    return _mean_of_pairs(first) + _mean_of_pairs(second) - 2.0 * float(_kernel(first, second).mean())


def nearest_distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the cosine distance of each vector of the first set to its nearest in the second: (N,)."""
    nearest: NDArray[np.float64] = cosine_distances(first, second).min(axis=1)
    return nearest


def _mean_of_pairs(vectors: NDArray[np.floating]) -> float:
    """Return the mean of the kernel over pairs of different vectors."""
    kernel = _kernel(vectors, vectors)
    return float((kernel.sum() - np.trace(kernel)) / (len(vectors) * (len(vectors) - 1)))


def _kernel(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    kernel: NDArray[np.float64] = (first.astype(np.float64) @ second.astype(np.float64).T + 1.0) ** _DEGREE
    return kernel
