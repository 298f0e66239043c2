"""The curve from cosines to scores."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chladni_contract.score_curve import AlikenessDistribution, ScoreCurve

MIDPOINTS = st.floats(-0.95, 0.99)
COSINES = st.floats(-1, 1)


@st.composite
def curves(draw):
    midpoint = draw(MIDPOINTS)
    return ScoreCurve(midpoint, draw(st.floats(0.01, 1)) * ScoreCurve.steepest(midpoint))


@settings(max_examples=200)
@given(curve=curves())
def test_the_ends_and_the_middle_are_exact(curve):
    assert (curve.score_of(-1.0), curve.score_of(curve.midpoint), curve.score_of(1.0)) == (0.0, 0.5, 1.0)


@settings(max_examples=200)
@given(curve=curves(), cosines=st.lists(COSINES, min_size=2, max_size=10))
def test_scores_rise_with_cosines_and_only_equality_scores_one(curve, cosines):
    scores = [curve.score_of(cosine) for cosine in sorted(cosines)]
    assert scores == sorted(scores)
    assert all(0 <= score <= 1 for score in scores)
    assert all(score < 1 for cosine, score in zip(sorted(cosines), scores, strict=True) if cosine < 1 - 1e-12)


def test_the_curve_is_the_logistic_one_as_the_contract_writes_it():
    curve = ScoreCurve(midpoint=0.4, slope=12.0)

    def logistic(value):
        return 1 / (1 + math.exp(-value))

    below = 0.5 * (logistic(12 * (0.1 - 0.4)) - logistic(12 * -1.4)) / (0.5 - logistic(12 * -1.4))
    above = 1 - 0.5 * (logistic(12 * (0.4 - 0.7)) - logistic(12 * -0.6)) / (0.5 - logistic(12 * -0.6))
    assert curve.score_of(0.1) == pytest.approx(below, abs=1e-12)
    assert curve.score_of(0.7) == pytest.approx(above, abs=1e-12)


@pytest.mark.parametrize(
    ("midpoint", "slope", "named"),
    [
        (1.0, 5, "midpoint"),
        (-1.0, 5, "midpoint"),
        (0.5, 0, "slope"),
        (0.5, 41, "40"),
        (math.nan, 5, "finite"),
    ],
)
def test_a_curve_that_is_none_is_refused(midpoint, slope, named):
    with pytest.raises(ValueError, match=named):
        ScoreCurve(midpoint, slope)


@st.composite
def distributions(draw):
    mean, deviation = draw(st.floats(0, 5)), draw(st.floats(0.05, 1.5))
    if draw(st.booleans()):
        return AlikenessDistribution(mean, deviation)
    steps = draw(st.lists(st.floats(0, 1), min_size=2, max_size=12))
    quantiles = [mean - deviation + sum(steps[: count + 1]) for count in range(len(steps))]
    return AlikenessDistribution(mean, deviation, tuple(quantiles))


@st.composite
def rank_curves(draw):
    unlike, like = draw(distributions()), draw(distributions())
    midpoint = 1 - math.exp(-draw(st.floats(0.1, 4)))
    try:
        return ScoreCurve(midpoint, 1.0, unlike, like)
    except ValueError:
        assume(False)


@settings(max_examples=100, deadline=None)
@given(curve=rank_curves(), cosines=st.lists(COSINES, min_size=2, max_size=10))
def test_ranks_rise_strictly_and_nothing_reads_zero_percent(curve, cosines):
    cosines = sorted({round(cosine, 9) for cosine in cosines})
    scores = [curve.score_of(cosine) for cosine in cosines]
    assert all(low < high for low, high in pairwise(scores))
    assert all(0.01 <= score <= 1 for score in scores)
    assert all(score < 1 for cosine, score in zip(cosines, scores, strict=True) if cosine < 1)
    assert curve.score_of(-1.0) == pytest.approx(0.01)
    assert (curve.score_of(curve.midpoint), curve.score_of(1.0)) == (0.5, 1.0)


def test_each_half_is_a_rank_as_the_contract_writes_it():
    unlike, like = AlikenessDistribution(0.5, 0.3), AlikenessDistribution(2.5, 0.4)
    midpoint, cosine = 0.8, 0.5
    curve = ScoreCurve(midpoint, 10.0, unlike, like)

    def share(distribution, value):
        return NormalDist(distribution.mean, distribution.deviation).cdf(-math.log(1 - value))

    none = share(unlike, -1)
    rank = (share(unlike, cosine) - none) / (share(unlike, midpoint) - none)
    assert curve.score_of(cosine) == pytest.approx(0.01 + 0.49 * (0.99 * rank**2 + 0.01 * 1.5 / 1.8))
    above = (1 - share(like, 0.92)) / (1 - share(like, midpoint))
    assert curve.score_of(0.92) == pytest.approx(1 - 0.5 * (0.99 * above**2 + 0.01 * 0.08 / 0.2))


def test_a_table_counts_instead_of_the_normal_distribution():
    table = AlikenessDistribution(0.0, 1.0, (0.0, 1.0, 3.0))
    assert [table.share_below(value) for value in (-1, 0, 0.5, 1, 2, 3, 9)] == [0, 0, 0.25, 0.5, 0.75, 1, 1]
    assert table.share_above(2) == 0.25


@pytest.mark.parametrize(
    ("unlike", "like", "named"),
    [
        (AlikenessDistribution(0.5, 0.1), None, "neither"),
        (AlikenessDistribution(0.5, 0.1, (2.0, 3.0)), AlikenessDistribution(2, 0.1), "unlike"),
        (AlikenessDistribution(0.5, 0.1), AlikenessDistribution(2, 0.1, (0.0, 0.1)), "like"),
    ],
)
def test_a_half_without_pairs_is_refused(unlike, like, named):
    with pytest.raises(ValueError, match=named):
        ScoreCurve(0.7, 10.0, unlike, like)


@pytest.mark.parametrize(
    "arguments", [(0.5, 0.0), (math.inf, 1.0), (0.5, 1.0, (1.0,)), (0.5, 1.0, (2.0, 1.0))]
)
def test_a_distribution_that_is_none_is_refused(arguments):
    with pytest.raises(ValueError, match=r"must"):
        AlikenessDistribution(*arguments)
