"""Diagnostics against cases that can be worked out."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy.signal import lfilter

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
