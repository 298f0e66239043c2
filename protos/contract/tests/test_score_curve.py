"""The curve from cosines to scores."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.score_curve import ScoreCurve

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
