from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from chladni_similarity.anomaly.backends import BACKENDS, DensityNeighbors, Mahalanobis


@pytest.fixture(scope="module")
def bank():
    rng = np.random.default_rng(1)
    return (
        rng.standard_normal((60, 6)) @ rng.standard_normal((6, 40)) + 5 + 0.1 * rng.standard_normal((60, 40))
    )


@pytest.mark.parametrize("name", BACKENDS)
def test_what_is_far_from_normal_has_a_larger_distance(name, bank):
    rng = np.random.default_rng(2)
    backend = BACKENDS[name].fit(bank[:50])
    far = 6 * bank[50:] - 25 + 8 * rng.standard_normal((10, 40))
    assert backend.distances(far).min() > backend.distances(bank[50:]).max()


@pytest.mark.parametrize("name", BACKENDS)
def test_a_state_gives_the_same_backend(name, bank):
    backend = BACKENDS[name].fit(bank)
    again = BACKENDS[name].from_state(backend.state())
    np.testing.assert_array_equal(again.distances(bank[:5]), backend.distances(bank[:5]))


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("count", [2, 3])
def test_a_tiny_bank_is_enough(name, bank, count):
    distances = BACKENDS[name].fit(bank[:count]).distances(bank)
    assert np.isfinite(distances).all()
    assert (distances >= 0).all()


def test_mahalanobis_is_that_of_scikit_learn(bank):
    pca = PCA(n_components=0.99, svd_solver="full").fit(bank)
    fitted = LedoitWolf(assume_centered=True).fit(pca.transform(bank))
    np.testing.assert_allclose(
        Mahalanobis.fit(bank).distances(bank), np.sqrt(fitted.mahalanobis(pca.transform(bank))), rtol=1e-8
    )


def test_components_are_128_at_most():
    bank = np.random.default_rng(1).standard_normal((300, 200))
    assert Mahalanobis.fit(bank).state()["components"].shape == (128, 200)


def test_density_allows_for_sparse_domains():
    rng = np.random.default_rng(1)
    source, target = rng.standard_normal((80, 8)), 40 + 6 * rng.standard_normal((10, 8))
    backend = DensityNeighbors.fit(np.concatenate([source, target]))
    near_source, near_target = rng.standard_normal((30, 8)), 40 + 6 * rng.standard_normal((30, 8))
    ratio = np.median(backend.distances(near_target)) / np.median(backend.distances(near_source))
    assert 0.5 < ratio < 2.0
