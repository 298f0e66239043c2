"""Tests by permutation: of two matrices of distances, and of the effect of clips against that of seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from chladni_evaluation.statistics.distances import between


@dataclass(frozen=True, slots=True)
class Tested:
    """A statistic with its p-value.

    Attributes:
        value: The statistic.
        p: Share of permutations that give as extreme a one, the data as they are counted as one of them
            (Phipson and Smyth 2010), so never 0.
    """

    value: float
    p: float


def mantel(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    permutations: int,
    rng: np.random.Generator,
    by_rank: bool = False,
) -> Tested:
    """Return the correlation of two matrices of distances between the same things (Mantel 1967).

    The pairs of a matrix depend on one another, so the p-value (of no positive correlation) comes from
    permuting the things of one of them.

    Args:
        first: (N, N), symmetric.
        second: (N, N), symmetric.
        permutations: How many to try.
        rng: Draws them.
        by_rank: Spearman's correlation instead of Pearson's.

    Raises:
        ValueError: The distances of a matrix are all equal.
    """
    ours = _standardised(first, by_rank=by_rank)
    theirs = _standardised(second, by_rank=by_rank)
    count = len(ours)

    def correlation(order: NDArray[np.int64]) -> float:
        return float(np.vdot(ours, theirs[order][:, order]) / (count * (count - 1)))

    value = correlation(np.arange(count))
    return Tested(value, _p_at_least(value, correlation, count, permutations, rng))


def audio_effect(distances: NDArray[np.float64], *, permutations: int, rng: np.random.Generator) -> Tested:
    """Return how much further apart images of different clips are than those of different seeds.

    The value is the mean distance between different clips with the same seed, over the mean distance
    between different seeds with the same clip. If clips had no effect, images of one seed could be
    exchanged between them; the p-value comes from doing so, seed by seed.

    Args:
        distances: (N, S, N, S) between the images of N clips with S seeds.
        permutations: How many to try.
        rng: Draws them.

    Raises:
        ValueError: There are fewer than two clips or seeds, or the seeds make no difference at all.
    """
    clips, seeds = distances.shape[:2]
    if clips < 2 or seeds < 2:
        raise ValueError(f"{clips} clip(s) and {seeds} seed(s): two of each are needed")
    between_clips = float(np.mean([between(distances[:, seed, :, seed]) for seed in range(seeds)]))
    pairs = [(one, other) for one in range(seeds) for other in range(one + 1, seeds)]
    crossed = {(one, other): distances[:, one, :, other] for one, other in pairs}

    def ratio(orders: NDArray[np.int64]) -> float:
        within = [crossed[one, other][orders[one], orders[other]].mean() for one, other in pairs]
        mean = float(np.mean(within))
        return between_clips / mean if mean > 0 else np.inf

    value = ratio(np.tile(np.arange(clips), (seeds, 1)))
    if not np.isfinite(value):
        raise ValueError("images of one clip with different seeds are all equal")
    hits = sum(
        ratio(np.stack([rng.permutation(clips) for _ in range(seeds)])) >= value for _ in range(permutations)
    )
    return Tested(value, (1 + hits) / (1 + permutations))


def _p_at_least(
    value: float,
    statistic: Callable[[NDArray[np.int64]], float],
    count: int,
    permutations: int,
    rng: np.random.Generator,
) -> float:
    # An order that gives the same pairing may round differently.
    hits = sum(statistic(rng.permutation(count)) >= value - 1e-12 for _ in range(permutations))
    return (1 + hits) / (1 + permutations)


def _standardised(square: NDArray[np.float64], *, by_rank: bool) -> NDArray[np.float64]:
    """Return a matrix whose pairs have mean 0 and deviation 1, with 0 on the diagonal."""
    pairs = between(square)
    values = rankdata(pairs) if by_rank else pairs
    deviation = values.std()
    if not deviation > 0:
        raise ValueError("all distances are equal; nothing correlates with them")
    standard = np.zeros_like(square)
    standard[np.triu_indices(len(square), k=1)] = (values - values.mean()) / deviation
    return standard + standard.T
