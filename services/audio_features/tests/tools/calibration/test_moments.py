"""Moments of any number of vectors, in one pass or in shards."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chladni_audio_features.tools.calibration.moments import LongSum, Moments, merged

VALUE_COUNT = 5
_RESOLUTION = Fraction(1, 2**95)


def moments_of(vectors):
    moments = Moments.empty(VALUE_COUNT)
    for vector in vectors:
        moments = moments.with_vector(vector)
    return moments


def vectors_of(seed, count, offset):
    return np.random.default_rng(seed).normal(offset, 2, (count, VALUE_COUNT)).astype(np.float32)


def assert_alike(one, other):
    assert one.count == other.count
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.m2, other.m2)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.floats(-1e3, 1e3))
def test_they_are_those_of_the_definition(seed, count, offset):
    vectors = vectors_of(seed, count, offset)
    moments = moments_of(vectors)
    exact = vectors.astype(np.float64)
    assert moments.count == count
    np.testing.assert_allclose(moments.mean, exact.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(moments.standard_deviation, exact.std(axis=0), rtol=1e-9, atol=1e-10)
    again = Moments.of(count, moments.mean, moments.m2)
    np.testing.assert_allclose(again.mean, moments.mean, rtol=1e-15)
    np.testing.assert_allclose(again.m2, moments.m2, rtol=1e-12, atol=1e-12)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_shards_of_any_sizes_give_what_one_pass_gives(data):
    count = data.draw(st.integers(1, 60))
    vectors = vectors_of(data.draw(st.integers(0, 2**32)), count, data.draw(st.floats(-100, 100)))
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=4)))
    edges = [0, *cuts, count]
    shards = [moments_of(vectors[low:high]) for low, high in pairwise(edges)]
    assert_alike(merged(shards), moments_of(vectors))


@given(
    rows=st.integers(1, 30).flatmap(
        lambda count: arrays.arrays(
            np.float32, (count, 5), elements=st.floats(-100, 100, width=32, allow_subnormal=False)
        )
    ),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_shards_of_any_values_have_the_moments_of_the_definition(rows, cuts):
    shards = np.split(rows, sorted(min(cut, len(rows)) for cut in cuts))
    together = merged([Moments.empty(5), *map(moments_of, shards)])
    assert_alike(together, moments_of(rows))
    assert together.count == len(rows)
    exact = rows.astype(np.float64)
    np.testing.assert_allclose(together.mean, exact.mean(0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(together.standard_deviation, exact.std(0), rtol=1e-6, atol=1e-6)


def test_a_large_mean_does_not_drown_a_small_variance():
    vectors = np.array([[2**23 + part] * VALUE_COUNT for part in (0, 1, 2)], np.float32)
    np.testing.assert_allclose(moments_of(vectors).standard_deviation, np.sqrt(2 / 3), rtol=1e-12)


@settings(max_examples=150)
@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40))
@example([1.0, 1.0, 2.0**-149, -9.999999717180685e-10])  # between two numbers but for the least one
def test_sums_are_exact_in_any_order(terms):
    exact = sum(map(Fraction, terms))
    for order in (terms, terms[::-1]):
        sums = LongSum(np.zeros(1), np.zeros(1))
        for term in order:
            sums = sums.plus(np.array([term]))
        (ratio,) = sums.ratios()
        total = Fraction(*ratio)
        assert abs(total - exact) <= _RESOLUTION
        # Where the resolution decides between two numbers, either may be the nearest one.
        assert float(total) in {float(exact - _RESOLUTION), float(exact), float(exact + _RESOLUTION)}


def test_nothing_has_no_variance_and_adds_nothing():
    nothing = Moments.empty(VALUE_COUNT)
    assert not nothing.standard_deviation.any()
    some = moments_of(vectors_of(1, 3, 0))
    assert_alike(nothing.with_set(some), some)
    assert_alike(some.with_set(nothing), some)
    assert nothing.with_set(nothing).count == 0


@given(
    st.lists(st.lists(st.floats(-256, 256, width=32), min_size=2, max_size=2), min_size=1, max_size=9),
)
def test_results_are_the_nearest_to_the_exact_ones(rows):
    moments = Moments.empty(2)
    for row in rows:
        moments = moments.with_vector(np.array(row, np.float32))
    for column, mean, m2 in zip(zip(*rows, strict=True), moments.mean, moments.m2, strict=True):
        exact_mean = sum(map(Fraction, column)) / len(column)
        assert mean == pytest.approx(float(exact_mean), rel=1e-15, abs=1e-25)
        assert m2 == pytest.approx(
            float(sum((Fraction(x) - exact_mean) ** 2 for x in column)), rel=1e-14, abs=1e-18
        )


def test_sets_of_different_vectors_do_not_mix():
    with pytest.raises(ValueError, match="5 and 6 values"):
        Moments.empty(5).with_set(Moments.empty(6))
    with pytest.raises(ValueError, match="nothing to merge"):
        merged([])
