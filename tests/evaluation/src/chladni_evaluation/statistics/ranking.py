"""Retrieval: the rank of the right answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ranks_of_partners(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the rank of each query's own answer among all, 1 for the best: (N,).

    Ties count against it: an answer with the score of k others ranks behind all of them, so that a model
    that gives everything the same score finds nothing.

    Args:
        scores: (N, N); row i holds the scores of all answers to query i, whose own answer is number i.

    Raises:
        ValueError: A score is not finite, or the matrix is not square.
    """
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise ValueError(f"every query needs one own answer; the scores have the shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    ranks: NDArray[np.int64] = (scores >= np.diag(scores)[:, None]).sum(axis=1)
    return ranks


def recall_at(ranks: NDArray[np.int64], depth: int) -> float:
    """Return the share of queries whose answer stands among the first `depth`."""
    return float((ranks <= depth).mean())


def mean_reciprocal_rank(ranks: NDArray[np.int64]) -> float:
    """Return the mean of 1 / rank: 1 where every answer stands first."""
    return float((1.0 / ranks).mean())
