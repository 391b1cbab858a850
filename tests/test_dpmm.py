"""Sticks against products, expectations against simulation, the Dirichlet process on four blobs."""

from __future__ import annotations

import numpy as np
import pytest
from numpyro.infer.util import log_density
from scipy import integrate, stats
from scipy.special import betaln, expit, logsumexp

from latentsteps.evaluation.consensus import partition, similarity
from latentsteps.evaluation.diagnostics import r_hat
from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.inference.nuts import all_draws
from latentsteps.jax64 import jax, jnp
from latentsteps.models.bnnc import (
    BNNCPrior,
    empirical_prior,
    label_free,
    log_likelihood,
    responsibilities,
)
from latentsteps.models.bnnc_inputs import as_numbers
from latentsteps.models.bnnc_model import Numbers, features
from latentsteps.models.dpmm import (
    Inputs,
    dpmm,
    expected_occupied,
    log_sticks,
    numpyro_model,
)
from latentsteps.simulated import blobs
from latentsteps.trace import Trace, run

BLOBS = blobs(4)


def test_sticks_are_what_is_broken_from_what_is_left():
    log_odds = np.random.default_rng(0).normal(0, 2, size=(3, 2, 5))
    found = np.exp(log_sticks(log_odds))
    assert found.shape == (3, 2, 6)
    for index in np.ndindex(3, 2):
        left, weights = 1.0, []
        for fraction in expit(log_odds[index]):
            weights.append(left * fraction)
            left -= weights[-1]
        np.testing.assert_allclose(found[index], [*weights, left], rtol=1e-10)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-12)


def test_sticks_know_no_smallest_number():
    found = log_sticks([800.0, -800.0, 0.0])
    expected = [-np.exp(-800), -1600, -800 - np.log(2), -800 - np.log(2)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    for extreme in ([np.inf, 3.0], [-np.inf, np.inf], [1e300, -1e300], []):
        assert logsumexp(log_sticks(extreme)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("a", [0.0045, 0.05, 0.5, 3.0])
def test_expected_occupied_is_what_drawing_gives(a):
    random = np.random.default_rng(1)
    k, n, runs = 11, 40, 4000
    # Gammas of so small a shape are 0 in float64 at times, but never all eleven of these draws.
    gammas = random.gamma(a + 1, size=(runs, k)) * random.random((runs, k)) ** (1 / a)
    weights = gammas / gammas.sum(axis=1, keepdims=True)
    counts = (random.multinomial(n, weights) > 0).sum(axis=1)
    error = counts.std() / runs**0.5
    assert expected_occupied(a, k, n) == pytest.approx(counts.mean(), abs=4 * error)


def test_expected_occupied_at_its_ends():
    found = [expected_occupied(a, 11, 500) for a in (0.05 / 11, 0.05, 1 / 11, 0.5)]
    np.testing.assert_allclose(found, [1.30, 3.65, 5.11, 9.93], atol=0.005)
    assert expected_occupied(0.3, 11, 1) == pytest.approx(1, rel=1e-12)
    assert expected_occupied(0.3, 11, 0) == 0
    assert expected_occupied(0.3, 1, 7) == 1
    # The closed form by Beta functions, where its logarithms have digits left.
    for a, k, n in ((0.3, 5, 20), (2.0, 3, 7)):
        empty = np.exp(betaln(a, (k - 1) * a + n) - betaln(a, (k - 1) * a))
        assert expected_occupied(a, k, n) == pytest.approx(k * (1 - empty), rel=1e-10)
    # Even weights: K (1 − (1 − 1/K)ⁿ).
    assert expected_occupied(1e9, 4, 3) == pytest.approx(4 * (1 - 0.75**3), rel=1e-6)
    # Many components of α/K each: the Dirichlet process, in which point i + 1 opens a new cluster
    # with probability α / (α + i).
    clusters = (1 / (1 + np.arange(500))).sum()
    assert expected_occupied(1e-6, 10**6, 500) == pytest.approx(clusters, rel=1e-4)


def a_prior(family):
    """Nothing at 0, 1 or the same in both columns."""
    return BNNCPrior(9.0, np.array([1.0, -2.0]), np.array([3.0, 4.0]), family, np.array([0.7, 1.9]))


@pytest.mark.parametrize("family", ["exponential", "half-normal"])
def test_the_model_is_the_one_written_down(family):
    random = np.random.default_rng(0)
    prior, k, alpha = a_prior(family), 4, 1.7
    x, unit = random.normal(size=(30, 2)), np.array([0.4, 2.5])
    log_odds, means = random.normal(0, 2, size=k - 1), random.normal(0, 3, size=(k, 2))
    scales = random.gamma(3.0, size=(k, 2))
    numbers = as_numbers(prior, unit)
    centre = np.array([0.3, -0.2])
    sites = {
        "log_odds": log_odds,
        "means": (means - prior.location) / unit,
        "scales": scales / unit,
    }
    data = Inputs(features(x.T, centre), centre, alpha, numbers)
    found = float(log_density(numpyro_model(k), (data,), {}, sites)[0])
    v = expit(log_odds)
    expected = (stats.beta(1, alpha).logpdf(v) + np.log(v * (1 - v))).sum()
    expected += stats.norm(prior.location, prior.spread).logpdf(means).sum()
    one = stats.expon if family == "exponential" else stats.halfnorm
    expected += one(scale=prior.scale).logpdf(scales).sum()
    normals = stats.norm(means, scales).logpdf(x[:, None]).sum(axis=2)
    expected += logsumexp(log_sticks(log_odds) + normals, axis=1).sum()
    # The sampler's units are no part of the model but for their volume.
    assert found - 2 * k * np.log(unit).sum() == pytest.approx(expected, rel=1e-10)


def test_the_fractions_are_drawn_from_their_beta():
    alpha, one = 0.3, np.ones(1)
    numbers = Numbers(1.0, one, one, 1.0, one, 1.0, 1.0, one)
    no_points = Inputs(np.zeros((3, 0)), np.zeros(1), alpha, numbers)
    sites = {"means": np.zeros((2, 1)), "scales": np.ones((2, 1))}
    rest = 2 * (stats.norm.logpdf(0) + stats.expon.logpdf(1))

    @jax.vmap
    def density(s):
        position = sites | {"log_odds": s[None]}
        found = log_density(numpyro_model(2), (no_points,), {}, position)[0]
        return jnp.exp(found - rest)

    grid = np.linspace(-50, 160, 401)  # half of what the integrands are wide
    values = np.asarray(density(grid))
    assert integrate.simpson(values, x=grid) == pytest.approx(1, abs=1e-6)
    mean = integrate.simpson(values * expit(grid), x=grid)
    assert mean == pytest.approx(1 / (1 + alpha), abs=1e-6)


@pytest.fixture(scope="module")
def trace():
    return run(dpmm(11, empirical_prior(BLOBS.x)), BLOBS.x, 0, steps=600)


def test_four_blobs_are_found_by_both_chains(trace):
    position = all_draws(trace)
    assert {name: value.shape for name, value in position.items()} == {
        "log_weights": (2, 300, 11),
        "means": (2, 300, 11, 2),
        "scales": (2, 300, 11, 2),
    }
    np.testing.assert_allclose(logsumexp(position["log_weights"], axis=-1), 0, atol=1e-12)
    r = responsibilities(BLOBS.x, position)
    assert adjusted_rand(BLOBS.labels, partition(similarity(r))) == 1
    # Seeds 0 to 2 gave .004 to .015, and r-hat 1.004 to 1.02.
    np.testing.assert_allclose(similarity(r[:300]), similarity(r[300:]), atol=0.05)
    found = label_free(trace, BLOBS.x[:2])
    assert r_hat(found["log likelihood"]) < 1.05
    divergent = np.array([info.divergent for info in trace.infos if not info.warmup])
    assert divergent.mean() < 0.01


def test_the_start_is_k_means_largest_first(trace):
    weights = np.exp(trace[0].position["log_weights"])
    assert (np.diff(weights, axis=1) < 1e-12).all()
    exact = log_likelihood(BLOBS.x, trace[0].position)
    truth = np.array([BLOBS.x[BLOBS.labels == j].mean(axis=0) for j in range(4)])
    known = stats.norm(truth, 0.8).logpdf(BLOBS.x[:, None]).sum(axis=2)
    # Eleven clusters of k-means fit the four blobs about as well as the blobs' own story.
    assert (exact > logsumexp(known - np.log(4), axis=1).sum() - 100).all()


def test_alpha_and_a_uniform_start():
    """State 0 of both starts has the density by SciPy, whose prior of the fractions knows α."""
    prior, alpha = empirical_prior(BLOBS.x), 2.5
    for start in ("k-means", "uniform"):
        first = Trace(dpmm(11, prior, alpha=alpha, start=start), BLOBS.x, seed=1)
        position, info = first[0].position, first.infos[0]
        for chain in range(2):
            log_pi, means, scales = (
                position[name][chain] for name in ("log_weights", "means", "scales")
            )
            left = np.logaddexp.accumulate(log_pi[::-1])[::-1]
            s = log_pi[:-1] - left[1:]  # log odds: this one against all that come after it
            v = expit(s)
            density = (stats.beta(1, alpha).logpdf(v) + np.log(v) + np.log(expit(-s))).sum()
            density += stats.norm(prior.location, prior.spread).logpdf(means).sum()
            density += stats.halfnorm(scale=prior.scale).logpdf(scales).sum()
            normals = stats.norm(means, scales).logpdf(BLOBS.x[:, None]).sum(axis=2)
            density += logsumexp(log_pi + normals, axis=1).sum()
            assert info.log_density[chain] == pytest.approx(density, rel=1e-9)
    steps = (position["means"] - prior.location) / prior.spread
    assert (abs(steps) <= 2).all()
    assert (steps.min(axis=(1, 2)) < -1).all()
    assert (steps.max(axis=(1, 2)) > 1).all()
    assert not np.array_equal(*steps)


def test_what_is_no_mixture_is_refused_in_words():
    for arguments, words in (
        ({"k": 1}, "k is 1"),
        ({"k": 2.5}, "k is 2.5; it is a whole number"),
        ({"start": {}}, "k-means, uniform"),
        ({"prior": "stated"}, "it is a BNNCPrior"),
        ({"alpha": 0}, "alpha is 0"),
        ({"start": "random"}, "'random'"),
        ({"prior": a_prior("uniform")}, "scale_family"),
    ):
        with pytest.raises(ValueError, match=words):
            dpmm(**arguments)
    with pytest.raises(ValueError, match="for 2 columns, the data have 1"):
        Trace(dpmm(prior=a_prior("exponential")), BLOBS.x[:, :1])
    with pytest.raises(ValueError, match="column 0 is constant"):
        Trace(dpmm(), BLOBS.x * [0, 1])
    with pytest.raises(ValueError, match="start='uniform'"):
        Trace(dpmm(), BLOBS.x[:5])
    for call, words in (
        (lambda: log_sticks(0.5), "in a list"),
        (lambda: log_sticks([np.nan]), "numbers"),
        (lambda: expected_occupied(0.1, 11, 500.0), "n is 500.0; it is a whole number"),
        (lambda: expected_occupied(0.1, 11.0, 500), "k is 11.0; it is a whole number"),
        (lambda: expected_occupied(1, 5, -1), "n is -1"),
        (lambda: expected_occupied(-1, 5, 5), "a is -1"),
        (lambda: expected_occupied(1, -1, 5), "k is -1"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
