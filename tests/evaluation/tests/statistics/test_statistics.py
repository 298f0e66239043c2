"""The statistics, on data whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_evaluation.statistics.discrepancy import nearest_distances, squared_mean_discrepancy
from chladni_evaluation.statistics.distances import between, cosine_distances, euclidean_distances
from chladni_evaluation.statistics.permutation import audio_effect, mantel
from chladni_evaluation.statistics.ranking import mean_reciprocal_rank, ranks_of_partners, recall_at
from chladni_evaluation.statistics.verification import area_under_curve, equal_error


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def directions(count: int, *, centre: float = 0.0, seed: int = 0) -> np.ndarray:
    rows = rng(seed).standard_normal((count, 16)) + centre
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_distances_of_known_vectors() -> None:
    axes = np.array([[1.0, 0.0], [0.0, 3.0], [-2.0, 0.0]])
    np.testing.assert_allclose(cosine_distances(axes, axes), [[0, 1, 2], [1, 0, 1], [2, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(euclidean_distances(axes)[0], [0, np.sqrt(10), 3])
    np.testing.assert_array_equal(between(np.arange(9.0).reshape(3, 3)), [1, 2, 5])


def test_ranks_count_better_answers_and_ties_against_the_right_one() -> None:
    scores = np.array([[0.9, 0.1, 0.2], [0.5, 0.4, 0.3], [0.7, 0.7, 0.7]])
    ranks = ranks_of_partners(scores)
    assert ranks.tolist() == [1, 2, 3]
    assert [recall_at(ranks, depth) for depth in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1])
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)


def test_scores_that_say_nothing_find_nothing() -> None:
    assert recall_at(ranks_of_partners(np.ones((100, 100))), 99) == 0
    chance = [recall_at(ranks_of_partners(rng(seed).random((100, 100))), 5) for seed in range(40)]
    assert np.mean(chance) == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("scores", [np.full((2, 2), np.nan), np.ones((2, 3))])
def test_scores_without_an_answer_each_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"finite|own answer"):
        ranks_of_partners(scores)


def test_mantel_finds_what_is_there_and_nothing_else() -> None:
    places = rng(1).random((40, 3))
    distances = euclidean_distances(places)
    others = euclidean_distances(rng(2).random((40, 3)))
    same = mantel(distances, 5 * distances + 2 * (distances > 0), permutations=999, rng=rng())
    assert same.value == pytest.approx(1)
    assert same.p == pytest.approx(1 / 1000)
    near = mantel(
        distances, euclidean_distances(places + 0.2 * rng(3).random((40, 3))), permutations=199, rng=rng()
    )
    assert 0.8 < near.value < 1
    unrelated = mantel(distances, others, permutations=199, rng=rng())
    assert abs(unrelated.value) < 0.2
    assert unrelated.p > 0.05
    opposite = mantel(distances, distances.max() - distances, permutations=199, rng=rng())
    assert opposite.value == pytest.approx(-1)
    assert opposite.p == 1


def test_mantel_equals_the_correlation_of_pairs_and_by_rank_a_curve_does_not_matter() -> None:
    first, second = (euclidean_distances(rng(seed).random((12, 2))) for seed in (4, 5))
    expected = np.corrcoef(between(first), between(second))[0, 1]
    assert mantel(first, second, permutations=0, rng=rng()).value == pytest.approx(expected)
    assert mantel(first, np.exp(3 * first), permutations=0, rng=rng(), by_rank=True).value == pytest.approx(1)
    with pytest.raises(ValueError, match="all distances are equal"):
        mantel(np.ones((4, 4)), first[:4, :4], permutations=0, rng=rng())


def image_distances(clips: int, seeds: int, *, clip_effect: float) -> np.ndarray:
    """Distances of points of a clip's place plus a seed's chance."""
    places = clip_effect * rng(6).standard_normal((clips, 1, 8))
    points = (places + rng(7).standard_normal((clips, seeds, 8))).reshape(clips * seeds, 8)
    return euclidean_distances(points).reshape(clips, seeds, clips, seeds)


def test_the_audio_effect_is_one_by_chance_and_large_where_clips_differ() -> None:
    none = audio_effect(image_distances(40, 3, clip_effect=0), permutations=199, rng=rng())
    assert none.value == pytest.approx(1, abs=0.1)
    assert none.p > 0.05
    strong = audio_effect(image_distances(40, 3, clip_effect=3), permutations=199, rng=rng())
    assert strong.value > 2
    assert strong.p == pytest.approx(1 / 200)


def test_the_audio_effect_is_the_ratio_of_the_two_means() -> None:
    distances = np.full((3, 2, 3, 2), 0.5)
    for clip in range(3):
        distances[clip, 0, clip, 1] = distances[clip, 1, clip, 0] = 0.2
    assert audio_effect(distances, permutations=0, rng=rng()).value == pytest.approx(2.5)


@pytest.mark.parametrize("shape", [(1, 2), (2, 1)])
def test_the_audio_effect_needs_two_of_each(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="two of each"):
        audio_effect(np.ones((*shape, *shape)), permutations=0, rng=rng())


def test_seeds_without_any_effect_give_no_ratio() -> None:
    with pytest.raises(ValueError, match="all equal"):
        audio_effect(np.zeros((3, 2, 3, 2)), permutations=0, rng=rng())


def test_curves_of_perfect_useless_and_known_scores() -> None:
    low, high = np.array([0.1, 0.2, 0.3]), np.array([0.7, 0.8])
    assert area_under_curve(high, low) == 1
    assert area_under_curve(low, high) == 0
    assert area_under_curve(low, low) == 0.5
    perfect = equal_error(high, low)
    assert perfect.rate == 0
    assert 0.3 < perfect.threshold <= 0.7
    assert equal_error(low, high).rate == 1
    # One of four on each side is wrong.
    assert equal_error(np.array([0.2, 0.6, 0.7, 0.8]), np.array([0.1, 0.15, 0.18, 0.65])).rate == 0.25


def test_normal_scores_have_the_textbook_curve() -> None:
    same, different = rng(8).normal(2, 1, 20_000), rng(9).normal(0, 1, 20_000)
    assert area_under_curve(same, different) == pytest.approx(0.9214, abs=0.005)  # Phi(sqrt 2)
    error = equal_error(same, different)
    assert error.rate == pytest.approx(0.1587, abs=0.006)  # Phi(-1)
    assert error.threshold == pytest.approx(1, abs=0.03)


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=30),
    st.lists(st.integers(0, 20), min_size=1, max_size=30),
)
def test_a_rising_map_changes_no_curve(same: list[int], different: list[int]) -> None:
    first, second = np.array(same, float), np.array(different, float)
    area, error = area_under_curve(first, second), equal_error(first, second)
    assert area == pytest.approx(area_under_curve(np.exp(first / 5), np.exp(second / 5)))
    assert error.rate == pytest.approx(equal_error(np.exp(first / 5), np.exp(second / 5)).rate)
    assert area + area_under_curve(second, first) == pytest.approx(1)
    assert 0 <= error.rate <= 1


def test_curves_need_pairs_of_both_kinds() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        area_under_curve(np.array([]), np.array([1.0]))
    with pytest.raises(ValueError, match="both kinds"):
        equal_error(np.array([1.0]), np.array([]))


def test_the_discrepancy_of_one_distribution_is_zero_on_average_and_of_two_is_not() -> None:
    alike = [
        squared_mean_discrepancy(directions(40, seed=seed), directions(40, seed=1000 + seed))
        for seed in range(60)
    ]
    assert min(alike) < 0 < max(alike)
    assert abs(np.mean(alike)) < 3 * np.std(alike) / np.sqrt(60)
    apart = squared_mean_discrepancy(directions(40, seed=1), directions(40, centre=1.0, seed=2))
    assert apart > 20 * np.std(alike)
    with pytest.raises(ValueError, match="two of each"):
        squared_mean_discrepancy(directions(1), directions(5))


def test_the_discrepancy_is_that_of_its_definition() -> None:
    first, second = directions(4, seed=3), directions(3, seed=4)

    def kernel(one: np.ndarray, other: np.ndarray) -> float:
        return float((one @ other + 1) ** 3)

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])
        for rows in (first, second)
    ]
    across = np.mean([kernel(a, b) for a in first for b in second])
    assert squared_mean_discrepancy(first, second) == pytest.approx(sum(within) - 2 * across)


def test_a_copy_is_nearest_to_what_it_copies() -> None:
    images, trained = directions(10, seed=5), directions(30, seed=6)
    images[4] = trained[17]
    nearest = nearest_distances(images, trained)
    assert nearest[4] == pytest.approx(0, abs=1e-12)
    assert np.delete(nearest, 4).min() > 0.05
