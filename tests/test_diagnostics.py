"""Diagnostics against cases that can be worked out, and the similarity of points by brute force."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy.signal import lfilter

from latentsteps.evaluation import consensus
from latentsteps.evaluation.consensus import partition, similarity
from latentsteps.evaluation.diagnostics import effective_sample_size, r_hat, standard_error


def autoregressive(phi, chains=4, draws=10_000, seed=0):
    """x_t = φ x_{t−1} + noise, of variance 1: S draws know the mean as well as
    S (1 − φ) / (1 + φ) independent ones."""
    noise = np.random.default_rng(seed).normal(size=(chains, draws + 200)) * (1 - phi**2) ** 0.5
    return lfilter([1], [1, -phi], noise, axis=1)[:, 200:]


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
def test_effective_sample_size_of_an_autoregression(phi):
    values = autoregressive(phi)
    exact = values.size * (1 - phi) / (1 + phi)
    # The estimate's own scatter over seeds is 2 to 6 % here.
    assert effective_sample_size(values) == pytest.approx(exact, rel=0.2)
    assert standard_error(values) == pytest.approx((1 / exact) ** 0.5, rel=0.15)
    assert r_hat(values) < 1.01


def test_chains_that_stand_still_apart_have_no_finite_r_hat_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert r_hat(np.repeat([[0.0], [1.0]], 8, axis=1)) == np.inf


def test_r_hat_sees_chains_in_different_places_and_of_different_widths():
    values = autoregressive(0.0, draws=500)
    assert r_hat(values) < 1.01
    assert r_hat(values + np.array([[0], [0], [0], [2]])) > 1.2
    assert r_hat(values * [[1], [1], [1], [5]]) > 1.1
    drift = np.linspace(0, 3, 500)
    assert r_hat(values + drift) > 1.2  # all chains alike, each of them still on its way


def test_bad_draws_are_refused_in_words():
    for values, words in (
        (np.zeros(9), "chains, draws"),
        (np.zeros((2, 3)), "four draws"),
        (np.full((2, 9), np.nan), "18 draws are not finite"),
    ):
        for function in (r_hat, effective_sample_size, standard_error):
            with pytest.raises(ValueError, match=words):
                function(values)


def test_arviz_says_nothing_on_its_first_import_of_a_day(tmp_path):
    code = "from latentsteps.evaluation.diagnostics import r_hat; r_hat([[1, 2, 3, 4, 5.]] * 2)"
    # A cache folder of its own: ArviZ notes there that it has warned today.
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "always::FutureWarning", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0
    assert "ArviZ" not in done.stderr


def random_responsibilities(draws=7, n=9, k=4, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(k, 0.3), size=(draws, n))


def test_similarity_is_the_chance_of_equal_assignments(monkeypatch):
    r = random_responsibilities()
    s = similarity(r)
    for i in range(9):
        for j in range(9):
            expected = 1 if i == j else np.mean([sum(draw[i] * draw[j]) for draw in r])
            assert s[i, j] == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(consensus, "CHUNK", 80)  # two draws at a time
    np.testing.assert_allclose(similarity(r), s, rtol=1e-12)


def test_similarity_does_not_know_names():
    r = random_responsibilities()
    random = np.random.default_rng(1)
    renamed = np.stack([draw[:, random.permutation(4)] for draw in r])
    np.testing.assert_allclose(similarity(renamed), similarity(r), rtol=1e-12)


def test_partition_finds_blocks_and_numbers_them_by_their_first_points():
    labels = np.array([2, 0, 2, 1, 1, 0, 2])
    same = (labels[:, None] == labels).astype(float)
    assert partition(same).tolist() == [0, 1, 0, 2, 2, 1, 0]
    assert partition(0.9 * same + 0.1).tolist() == [0, 1, 0, 2, 2, 1, 0]
    assert partition(0.9 * same + 0.1, together=0.05).tolist() == [0] * 7
    assert partition(0.4 * same + 0.6 * np.eye(7)).tolist() == list(range(7))
    assert partition([[1.0]]).tolist() == [0]
    # Average linkage: the pair (2) with .6 and .2 to the other two has .4 on average.
    chain = np.array([[1, 0.9, 0.6], [0.9, 1, 0.2], [0.6, 0.2, 1]])
    assert partition(chain).tolist() == [0, 0, 1]
    # And .55 in the second one, where neither the best link (.7) nor the worst (.4) is meant.
    near = np.array([[1, 0.9, 0.7], [0.9, 1, 0.4], [0.7, 0.4, 1]])
    assert partition(near).tolist() == [0, 0, 0]


def test_bad_similarities_are_refused_in_words():
    with pytest.raises(ValueError, match="draws, N, K"):
        similarity(np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match="summing to one"):
        similarity(np.full((1, 3, 2), 0.4))
    with pytest.raises(ValueError, match="symmetric"):
        partition([[1, 0.2], [0.4, 1]])
    with pytest.raises(ValueError, match="together is 0"):
        partition(np.eye(2), together=0)
