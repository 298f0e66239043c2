"""Cosine, and the score without a calibration: ranges, identity and symmetry to the last bit, monotony."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chladni_similarity.models.scoring import CosineScore, cosine_matrix, cosine_of

score_of = CosineScore().score_of

VECTORS = arrays(np.float32, 16, elements=st.floats(-1000, 1000, width=32, allow_subnormal=False)).filter(
    lambda vector: np.linalg.norm(vector.astype(np.float64)) > 1e-3
)


@settings(max_examples=150, deadline=None)
@given(first=VECTORS, second=VECTORS)
def test_scores_are_in_range_and_symmetric(first, second):
    cosine = cosine_of(first, second)
    assert -1 <= cosine <= 1
    assert 0 <= score_of(cosine) <= 1
    assert cosine == cosine_of(second, first)


@settings(max_examples=150, deadline=None)
@given(vector=VECTORS)
def test_a_vector_is_exactly_like_itself(vector):
    assert cosine_of(vector, vector.copy()) == 1.0
    assert score_of(cosine_of(vector, vector.copy())) == 1.0


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(VECTORS, min_size=1, max_size=5).map(np.array),
    columns=st.lists(VECTORS, min_size=1, max_size=5).map(np.array),
)
def test_a_matrix_holds_the_cosines_to_the_last_bit(rows, columns):
    expected = [[cosine_of(row, column) for column in columns] for row in rows]
    assert cosine_matrix(rows, columns).tolist() == expected
    whole = cosine_matrix(rows, rows)
    assert np.array_equal(whole, whole.T)
    assert whole.diagonal().tolist() == [1.0] * len(rows)


@settings(max_examples=150, deadline=None)
@given(cosines=st.lists(st.floats(-1, 1), min_size=2))
def test_a_greater_cosine_never_scores_less(cosines):
    scores = [score_of(cosine) for cosine in sorted(cosines)]
    assert scores == sorted(scores)


def test_known_angles():
    assert cosine_of(np.array([3.0, 0.0]), np.array([3.0, 4.0])) == 0.6
    assert cosine_of(np.array([1.0, 0.0]), np.array([-2.0, 0.0])) == -1
    assert score_of(-0.3) == 0
    assert score_of(0.3) == 0.3
