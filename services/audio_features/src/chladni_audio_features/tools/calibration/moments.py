"""Mean and variance of any number of vectors, none of which is kept.

Sums are kept to some 106 bits, so that the order of the vectors, and which machine summed which of them,
leaves no trace in the mean and the standard deviation: shards give the bits that one pass gives. A running
mean (Welford 1962; merged, Chan, Golub and LeVeque 1979) would round at each step, and the mean of a few
values with 24 bits lies halfway between two of them often enough for that to show.

The sums: D. E. Knuth, "The Art of Computer Programming", volume 2, 4.2.2, theorem B; A. Neumaier,
"Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54 (1974).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

Ratio = tuple[int, int]
"""Numerator and denominator; the denominator is positive."""


@dataclass(frozen=True, eq=False)
class LongSum:
    """A sum for each value, of twice the length of a float64.

    Attributes:
        high: The sums, rounded, (V,) float64.
        low: What rounding has cost, (V,) float64.
    """

    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]

    @classmethod
    def of(cls, exact: Sequence[Fraction]) -> Self:
        """Return the sums nearest to exact ones."""
        high = [float(value) for value in exact]
        low = [float(value - Fraction(rounded)) for value, rounded in zip(exact, high, strict=True)]
        return cls(np.array(high), np.array(low))

    def plus(self, values: npt.NDArray[np.float64]) -> LongSum:
        """Return the sums with one more term each, (V,)."""
        high = self.high + values
        part = high - self.high
        rounding = (self.high - (high - part)) + (values - part)
        return LongSum(high, self.low + rounding)

    def plus_sum(self, other: LongSum) -> LongSum:
        """Return the sums of both."""
        sums = self.plus(other.high)
        return LongSum(sums.high, sums.low + other.low)

    def to_array(self) -> npt.NDArray[np.float64]:
        """Return high and low parts, (2, V); equal sums give equal arrays."""
        high = self.high + self.low
        return np.stack([high, self.low - (high - self.high)])

    def ratios(self) -> list[Ratio]:
        """Return the sums, exactly, as ratios of integers that are not reduced."""
        ratios = []
        for high, low in zip(self.high.tolist(), self.low.tolist(), strict=True):
            (high_numerator, high_denominator), (low_numerator, low_denominator) = (
                high.as_integer_ratio(),
                low.as_integer_ratio(),
            )
            numerator = high_numerator * low_denominator + low_numerator * high_denominator
            ratios.append((numerator, high_denominator * low_denominator))
        return ratios


@dataclass(frozen=True, eq=False)
class Moments:
    """The first two moments of a set of vectors.

    Attributes:
        count: Number of vectors.
        sums: Sum of the vectors.
        square_sums: Sum of the squares of their values.
    """

    count: int
    sums: LongSum
    square_sums: LongSum

    @classmethod
    def empty(cls, value_count: int) -> Self:
        """Return the moments of no vectors."""
        zeros = np.zeros(value_count)
        return cls(0, LongSum(zeros, zeros), LongSum(zeros, zeros))

    @classmethod
    def of(cls, count: int, mean: npt.NDArray[np.float64], m2: npt.NDArray[np.float64]) -> Self:
        """Return the moments of `count` vectors (1 or more) of this mean and sum of squared distances."""
        sums = [Fraction(value) * count for value in mean]
        squares = [Fraction(value) + total**2 / count for value, total in zip(m2, sums, strict=True)]
        return cls(count, LongSum.of(sums), LongSum.of(squares))

    # Python divides integers with a single rounding, of the exact quotient: the results below are the
    # float64 nearest to the exact ones.

    @cached_property
    def mean(self) -> npt.NDArray[np.float64]:
        """Mean, (V,) float64; 0 for an empty set."""
        count = max(1, self.count)
        return np.array([numerator / (denominator * count) for numerator, denominator in self.sums.ratios()])

    @cached_property
    def m2(self) -> npt.NDArray[np.float64]:
        """Sum of the squared distances from the mean, (V,) float64."""
        count = max(1, self.count)
        m2 = []
        for (square, square_scale), (total, scale) in zip(
            self.square_sums.ratios(), self.sums.ratios(), strict=True
        ):
            numerator = square * count * scale**2 - total**2 * square_scale
            m2.append(max(0.0, numerator / (square_scale * count * scale**2)))
        return np.array(m2)

    @property
    def standard_deviation(self) -> npt.NDArray[np.float64]:
        """Standard deviation of the set as a whole population (ddof 0), (V,); 0 for an empty set."""
        return np.sqrt(self.m2 / max(1, self.count))

    def with_vector(self, vector: npt.NDArray[np.float32]) -> Moments:
        """Return the moments of the set with one vector more, (V,) float32."""
        values = vector.astype(np.float64)  # in which the squares of 24 bits have room
        return Moments(self.count + 1, self.sums.plus(values), self.square_sums.plus(values**2))

    def with_set(self, other: Moments) -> Moments:
        """Return the moments of both sets together.

        Raises:
            ValueError: Their vectors have different lengths.
        """
        if self.sums.high.shape != other.sums.high.shape:
            raise ValueError(f"the vectors have {self.sums.high.size} and {other.sums.high.size} values")
        return Moments(
            self.count + other.count,
            self.sums.plus_sum(other.sums),
            self.square_sums.plus_sum(other.square_sums),
        )


def merged(sets: Iterable[Moments]) -> Moments:
    """Return the moments of several sets together, at least one.

    Raises:
        ValueError: There is none, or their vectors have different lengths.
    """
    remaining = iter(sets)
    total = next(remaining, None)
    if total is None:
        raise ValueError("there is nothing to merge")
    for moments in remaining:
        total = total.with_set(moments)
    return total
