"""Spectral clustering: shapes that hang together, against scikit-learn and against k-means."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import make_moons

from latentsteps.evaluation.neighbours import spectral
from latentsteps.evaluation.scores import adjusted_rand


@pytest.mark.filterwarnings("error")
def test_two_moons_hang_together_and_k_means_cuts_them():
    x, labels = make_moons(300, noise=0.05, random_state=0)
    found = spectral(x, 2)
    assert found.shape == (300,)
    assert found.dtype == np.int64
    assert set(found) == {0, 1}
    assert adjusted_rand(found, labels) == 1
    assert adjusted_rand(KMeans(2, n_init=5, random_state=0).fit_predict(x), labels) < 0.6


def test_it_is_scikit_learns_and_repeats():
    x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    model = SpectralClustering(4, affinity="nearest_neighbors", n_neighbors=15, random_state=5)
    found = spectral(x, 4, neighbours=15, seed=5)
    assert adjusted_rand(found, model.fit_predict(x)) == 1
    np.testing.assert_array_equal(found, spectral(x, 4, neighbours=15, seed=5))


@pytest.mark.filterwarnings("error")
def test_pieces_are_clusters_and_no_reason_to_warn():
    random = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], 30)
    x = random.normal(size=(90, 2)) + 100 * labels[:, None]
    assert adjusted_rand(spectral(x, 3, neighbours=8), labels) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: spectral(x[0], 2), r"a neighbour graph takes \(N, D\)"),
        (lambda x: spectral(x, 1), "k is 1 for 20 points"),
        (lambda x: spectral(x, 20), "k is 20"),
        (lambda x: spectral(x, 2, neighbours=1), "neighbours is 1"),
        (lambda x: spectral(x, 2, neighbours=21), "neighbours is 21 for 20 points"),
        (lambda x: spectral(x * np.nan, 2), "NaN"),
    ],
)
def test_what_cannot_be_parted_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(0).normal(size=(20, 2)))
