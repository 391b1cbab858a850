"""Criteria for choosing K against counting, scikit-learn and mclust's printed figure."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture as SklearnMixture

from latentsteps import data
from latentsteps.evaluation.selection import (
    aic,
    bic,
    number_of_parameters,
    smallest_spread,
    spreads,
)
from latentsteps.models.gaussian_mixture import GaussianMixture, gaussian_mixture
from latentsteps.trace import run


@pytest.mark.parametrize(("theirs", "ours"), [("full", "full"), ("diag", "diagonal")])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_criteria_are_scikit_learns(k, d, theirs, ours):
    x = np.random.default_rng(0).normal(size=(150, d))
    model = SklearnMixture(k, covariance_type=theirs, random_state=0).fit(x)
    likelihood, p = model.score(x) * len(x), number_of_parameters(k, d, ours)
    assert p == model._n_parameters()
    assert aic(likelihood, p) == pytest.approx(model.aic(x), rel=1e-12)
    assert bic(likelihood, p, len(x)) == pytest.approx(model.bic(x), rel=1e-12)


def test_old_faithfuls_bic_is_mclusts_with_the_sign_turned():
    x = data.old_faithful()
    likelihood = run(gaussian_mixture(2), x, steps=200).objective[-1]
    assert bic(likelihood, number_of_parameters(2, 2, "full"), 272) == pytest.approx(
        2322.192, abs=1e-3
    )


def test_parameters_counted_by_hand():
    assert number_of_parameters(2, 2, "full") == 1 + 2 * 2 + 2 * 3
    assert number_of_parameters(2, 2, "diagonal") == 1 + 2 * 2 + 2 * 2
    assert number_of_parameters(1, 1, "full") == number_of_parameters(1, 1, "diagonal") == 2


def test_smallest_spread_is_the_least_variance_in_any_direction():
    random = np.random.default_rng(3)
    x = random.normal(size=(100, 3)) * [1, 10, 0.01]
    roots = random.normal(size=(2, 3, 3))
    covariances = roots @ roots.swapaxes(1, 2) * np.outer([1, 10, 0.01], [1, 10, 0.01])
    parameters = GaussianMixture(np.full(2, 0.5), np.zeros((2, 3)), covariances)
    sd = x.std(axis=0)
    directions = random.normal(size=(20_000, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    along = np.einsum("ni,kij,nj->nk", directions / sd, covariances, directions / sd)
    least = smallest_spread(parameters, x)
    assert spreads(parameters.covariances, x).min() == least
    assert least <= along.min() <= least + 0.01
    # Units do not matter.
    stretch = np.array([1e3, 1e-3, 7])
    other = parameters._replace(covariances=covariances * np.outer(stretch, stretch))
    assert smallest_spread(other, x * stretch) == pytest.approx(least, rel=1e-9)
    diagonal = parameters._replace(covariances=np.diagonal(covariances, axis1=1, axis2=2))
    variances = np.diagonal(covariances, axis1=1, axis2=2) / sd**2
    assert smallest_spread(diagonal, x) == pytest.approx(variances.min(), rel=1e-12)


def test_the_whole_data_have_spread_one_along_each_axis():
    x = np.random.default_rng(0).normal(size=(50, 2)) * [1, 100]
    whole = GaussianMixture(np.ones(1), x.mean(axis=0)[None], x.var(axis=0)[None])
    assert smallest_spread(whole, x) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: number_of_parameters(0, 2, "full"), "k is 0"),
        (lambda: number_of_parameters(2, 2, "tied"), "covariance"),
        (lambda: bic(-1.0, 2, 0), "n is 0"),
        (lambda: spreads(np.ones((1, 2)), np.zeros(3)), "shape"),
        (lambda: spreads(np.ones((1, 2)), np.zeros((3, 2))), "constant"),
        (lambda: spreads(np.ones((1, 1)), np.array([[np.nan], [1.0]])), "not a number"),
    ],
)
def test_what_cannot_be_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()
