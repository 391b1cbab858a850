"""The Bayesian Gaussian mixture against densities written out, a grid, and eight blobs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpyro.infer.util import log_density
from scipy import stats
from scipy.special import logsumexp

from latentsteps.data import old_faithful
from latentsteps.evaluation.consensus import partition, similarity
from latentsteps.evaluation.diagnostics import effective_sample_size, r_hat, standard_error
from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.inference.nuts import all_draws, draws
from latentsteps.models import gaussian_mixture, mixture_draws
from latentsteps.models.bayesian_gmm import (
    FAMILIES,
    MixturePrior,
    bayesian_gaussian_mixture,
    label_free,
    log_likelihood,
    log_predictive,
    mixtures,
    prior_draws,
    responsibilities,
    weak_prior,
)
from latentsteps.models.bayesian_gmm_inputs import in_units
from latentsteps.models.bayesian_gmm_model import numpyro_model
from latentsteps.models.gaussian_mixture import GaussianMixture
from latentsteps.simulated import blobs
from latentsteps.trace import Trace, run

BLOBS = blobs()


def prior_of(family, d=2, correlation=1.5):
    """A prior with nothing at 0, 1 or the same in all columns."""
    return MixturePrior(
        1.7, np.arange(3.0, 3 + d), 2.0 + np.arange(d), family, 0.4 + np.arange(d), 0.8, correlation
    )


def scale_density(prior):
    """log p(σ) by SciPy, (..., D)."""
    scale, spread = prior.scale, prior.scale_spread
    return {
        "log-normal": stats.lognorm(spread, scale=scale),
        "inverse gamma": stats.invgamma(spread, scale=(spread + 1) * scale),
        "half-normal": stats.halfnorm(scale=scale),
        "half-Cauchy": stats.halfcauchy(scale=scale),
    }[prior.scale_family].logpdf


def log_prior(position, prior):
    """log p of one draw, written out by SciPy; in the plane LKJ is a density of ρ alone."""
    k, d = position["means"].shape
    value = stats.dirichlet(np.full(k, prior.concentration)).logpdf(position["weights"])
    value += stats.norm(prior.location, prior.spread).logpdf(position["means"]).sum()
    value += scale_density(prior)(position["scales"]).sum()
    if d == 2:
        rho = position["correlation_factors"][:, 1, 0]
        eta = prior.correlation
        # (1 + ρ)/2 has a Beta(η, η) distribution.
        value += stats.beta(eta, eta, loc=-1, scale=2).logpdf(rho).sum()
    return value


def one_draw(k=3, n=40, seed=0):
    """A prior, one position from it, points."""
    prior = prior_of("log-normal")
    position = {name: value[0] for name, value in prior_draws(prior, k, 1, seed=seed).items()}
    return prior, position, np.random.default_rng(seed).normal(4, 2, size=(n, 2))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_model_is_the_one_written_down(family):
    _, position, x = one_draw()
    prior = prior_of(family)
    data = ((x - prior.location) / prior.scale).T, prior
    inside = in_units(position, prior, inwards=True)
    found = log_density(numpyro_model(3, family), (data,), {}, inside)[0]
    exact = gaussian_mixture.log_likelihood(x, mixtures(position)) + log_prior(position, prior)
    unit = (len(x) + 6) * np.log(prior.scale).sum()
    assert float(found) - unit == pytest.approx(exact, rel=1e-10)


def test_likelihood_responsibilities_and_density_are_those_of_the_mixture(monkeypatch):
    prior, _, x = one_draw()
    position = prior_draws(prior, 3, 6, seed=1)
    every = [GaussianMixture(*(part[s] for part in mixtures(position))) for s in range(6)]
    np.testing.assert_allclose(
        log_likelihood(x, position), [gaussian_mixture.log_likelihood(x, one) for one in every]
    )
    by_em = np.stack([gaussian_mixture.responsibilities(x, one) for one in every])
    np.testing.assert_allclose(responsibilities(x, position), by_em, atol=1e-12)
    single = [logsumexp(gaussian_mixture.log_joint(x, one), axis=1) for one in every]
    expected = logsumexp(single, axis=0) - np.log(6)
    np.testing.assert_allclose(log_predictive(x, position), expected, rtol=1e-10)
    # Leading axes (chains, draws), and a few draws at a time, change nothing.
    monkeypatch.setattr(mixture_draws, "CHUNK", 500)
    folded = {name: value.reshape(2, 3, *value.shape[1:]) for name, value in position.items()}
    assert log_likelihood(x, folded).shape == (2, 3)
    np.testing.assert_allclose(log_predictive(x, folded), expected, rtol=1e-10)
    np.testing.assert_allclose(responsibilities(x, folded), by_em, atol=1e-12)


def test_swapped_names_change_nothing():
    prior, _, x = one_draw()
    position = prior_draws(prior, 3, 5, seed=2)
    random = np.random.default_rng(0)
    order = np.stack([random.permutation(3) for _ in range(5)])
    renamed = {
        name: np.stack([value[s][order[s]] for s in range(5)]) for name, value in position.items()
    }
    np.testing.assert_allclose(log_likelihood(x, renamed), log_likelihood(x, position))
    np.testing.assert_allclose(log_predictive(x, renamed), log_predictive(x, position))
    np.testing.assert_allclose(
        similarity(responsibilities(x, renamed)), similarity(responsibilities(x, position))
    )


def test_the_predictive_density_integrates_to_one():
    position = prior_draws(prior_of("log-normal", d=1), 2, 50, seed=0)
    grid = np.linspace(-60, 60, 24_001)
    density = np.exp(log_predictive(grid[:, None], position))
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_prior_draws_have_the_priors_moments(family):
    prior = prior_of(family)
    position = prior_draws(prior, 2, 4000, seed=0)
    np.testing.assert_allclose(position["weights"].mean(axis=0), 0.5, atol=0.02)
    means = position["means"].reshape(-1, 2)
    np.testing.assert_allclose(means.mean(axis=0), prior.location, atol=0.15)
    np.testing.assert_allclose(means.std(axis=0), prior.spread, rtol=0.05)
    half = {
        "log-normal": prior.scale,
        "inverse gamma": stats.invgamma(0.8, scale=1.8 * prior.scale).median(),
        "half-normal": stats.halfnorm(scale=prior.scale).median(),
        "half-Cauchy": prior.scale,
    }[family]
    np.testing.assert_allclose((position["scales"] < half).mean(axis=(0, 1)), 0.5, atol=0.03)
    rho = position["correlation_factors"][..., 1, 0]
    assert rho.std() == pytest.approx((1 / (2 * prior.correlation + 1)) ** 0.5, rel=0.05)


def test_drawn_correlations_do_not_favour_a_column():
    """Every correlation of an LKJ matrix has the same distribution: (1 + ρ)/2 ~ Beta(b, b) with
    b = η + D/2 − 1, of variance 1/(2b + 1) in ρ."""
    factors = prior_draws(prior_of("log-normal", d=4), 1, 8000, seed=0)["correlation_factors"]
    matrices = factors @ factors.swapaxes(-1, -2)
    np.testing.assert_allclose(np.diagonal(matrices, axis1=-2, axis2=-1), 1)
    below = matrices[:, 0][:, *np.tril_indices(4, -1)]
    np.testing.assert_allclose(below.std(axis=0), (1 / (2 * 2.5 + 1)) ** 0.5, rtol=0.04)


def test_one_component_on_a_line_against_a_grid():
    x = np.random.default_rng(1).normal(70, 6, size=(8, 1))
    prior = MixturePrior(
        1.0, np.array([60.0]), np.array([20.0]), "log-normal", np.array([4.0]), 0.7, 1.0
    )
    m, s = np.linspace(50, 90, 801), np.exp(np.linspace(np.log(0.5), np.log(60), 600))
    log_density = stats.norm(60, 20).logpdf(m)[:, None] + stats.lognorm(0.7, scale=4).logpdf(s)
    log_density = log_density + stats.norm(m[:, None], s).logpdf(x[:, :, None]).sum(axis=0)
    mass = np.exp(log_density - log_density.max()) * s  # the grid is even in log s
    mass /= mass.sum()
    algorithm = bayesian_gaussian_mixture(1, prior, warmup=200)
    trace = run(algorithm, x, seed=0, steps=1000)
    assert trace[0].position["correlation_factors"].shape == (2, 1, 1, 1)
    means, scales = draws(trace, "means")[..., 0, 0], draws(trace, "scales")[..., 0, 0]
    for values, exact in ((means, mass.sum(axis=1) @ m), (scales, mass.sum(axis=0) @ s)):
        assert abs(values.mean() - exact) < 4 * standard_error(values)
    between = (means > 69) & (scales < 6)  # a probability under both at once
    exact = mass[np.ix_(m > 69, s < 6)].sum()
    assert abs(between.mean() - exact) < 4 * standard_error(between.astype(float)) + 0.005


POINTS = np.array([[0.0, 0.0], *BLOBS.x[[0, 100, 250]]])


def clusters(trace):
    """Of all draws, and of each chain: the partition by average linkage of the similarity."""
    r = responsibilities(trace.data, all_draws(trace))
    return [partition(similarity(part)) for part in (r, *np.split(r, 2))]


@pytest.mark.parametrize("seed", range(4))
def test_eight_blobs_from_k_means(seed):
    """A weak prior and a start by k-means: what the seed's tight prior was there for."""
    trace = run(bayesian_gaussian_mixture(8), BLOBS.x, seed, steps=600)
    assert not any(info.divergent.any() for info in trace.infos[301:])
    for labels in clusters(trace):
        assert labels.max() + 1 == 8
        # .960 is what the true parameters' classifier reaches on this sample.
        assert adjusted_rand(labels, BLOBS.labels) >= 0.95
    for name, values in label_free(trace, POINTS).items():
        assert values.shape == (2, 300)
        # Of the four seeds the worst are 1.02 and 82, both of the entropy.
        assert r_hat(values) < 1.05, name
        assert effective_sample_size(values) > 50, name


def test_eight_blobs_from_uniform_starts_stick_at_seven():
    """Which chains stick may differ between machines; of these four, three do."""
    found = []
    for seed in (0, 2):
        trace = run(bayesian_gaussian_mixture(8, start="uniform"), BLOBS.x, seed, steps=400)
        _, *chains = clusters(trace)
        here = [int(labels.max()) + 1 for labels in chains]
        if len(set(here)) > 1:
            assert r_hat(label_free(trace, POINTS)["log likelihood"]) > 1.1
        found += here
    assert min(found) < 8
    assert max(found) <= 8


def shells(x, prior, tied=0):
    """log of the joint mass of one component with σ in each decade from 1 down to 1e-12, the mean
    integrated out on a grid of the component's own size: x is (N, 1), tied at 0."""
    decades = np.logspace(0, -12, 13)
    steps = np.linspace(-12, 12, 401)
    result = []
    for high, low in pairwise(decades):
        s = np.exp(np.linspace(np.log(low), np.log(high), 101))
        m = steps[:, None] * s
        position = {
            "weights": np.ones((*m.shape, 1)),
            "means": m[..., None, None],
            "scales": np.broadcast_to(s[:, None, None], (*m.shape, 1, 1)),
            "correlation_factors": np.ones((*m.shape, 1, 1, 1)),
        }
        density = log_likelihood(x, position) + stats.norm(0, 1).logpdf(m)
        density += scale_density(prior)(s[:, None])[:, 0]
        result.append(logsumexp(density + 2 * np.log(s)))  # dm = s dstep, ds = s dlog s
    return np.array(result)


@pytest.mark.parametrize("m", [2, 3, 10])
def test_tied_points_have_infinite_mass_unless_the_density_vanishes_at_zero(m):
    x = np.zeros((m, 1))

    def prior(family):
        return prior_of(family, d=1)._replace(scale=np.array([0.5]))

    for family in ("half-normal", "half-Cauchy"):
        found = shells(x, prior(family))
        # σ^−(m−1) dσ: as much in each decade for a pair, 10^(m−2) times as much for more.
        np.testing.assert_allclose(np.diff(found)[3:], (m - 2) * np.log(10), atol=1e-3)
    for family in ("log-normal", "inverse gamma"):
        found = shells(x, prior(family))
        steps = np.diff(found)
        # In the end it falls, by more from decade to decade: the sum of all is finite.
        assert steps[-1] < -1
        assert (np.diff(steps[-5:]) < 0).all()


@pytest.mark.parametrize("m", [2, 3, 6])
def test_correlation_needs_a_prior_against_ties_too(m):
    """With scales held fixed, thin ellipses on m tied points have the mass (1 − ρ²)^(η − (m−1)/2)
    a decade: finite in all for η > (m − 1)/2, whatever the prior of the scales."""
    steps = np.linspace(-9, 9, 121)
    u = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    gaps = np.logspace(-3, -8, 6)  # 1 − ρ²
    inside = []
    for gap in gaps:
        factor = np.array([[1.0, 0.0], [(1 - gap) ** 0.5, gap**0.5]])
        n = len(u)
        position = {
            "weights": np.ones((n, 1)),
            "means": (u @ factor.T)[:, None],
            "scales": np.ones((n, 1, 2)),
            "correlation_factors": np.broadcast_to(factor, (n, 1, 2, 2)),
        }
        density = log_likelihood(np.zeros((m, 2)), position)
        inside.append(logsumexp(density) + 0.5 * np.log(gap))  # dmean = |L| du
    per_decade = np.diff(inside) / np.diff(np.log(gaps))
    # dρ is d(1 − ρ²) up to a constant; the prior's exponent η − 1 and this 1 make η.
    np.testing.assert_allclose(per_decade, -(m - 1) / 2, atol=1e-3)


def line_start(x, width):
    """Two components by EM, and one on the 15 eruptions that were waited for 78 minutes."""
    em = gaussian_mixture.gaussian_mixture(2)
    two = run(em, x, steps=60)[-1].parameters
    tied = x[x[:, 1] == 78]
    flat = np.diag([tied[:, 0].var(), width**2])
    return GaussianMixture(
        np.append(two.weights * 0.94, 0.06),
        np.vstack([two.means, tied.mean(axis=0)]),
        np.concatenate([two.covariances, [flat]]),
    )


@pytest.mark.parametrize(("family", "stays"), [("half-normal", True), ("log-normal", False)])
def test_a_chain_that_begins_on_tied_points(family, stays):
    """At a width of .1 minutes: with a density that is positive at 0 it goes on towards 0, where
    the mass is; with the cure of scales it comes back to clusters minutes wide."""
    x = old_faithful()
    # Eight rows lie on a slanting line, and only η > 3 makes that posterior proper.
    prior = weak_prior(x, scale_family=family, correlation=4)
    algorithm = bayesian_gaussian_mixture(
        3, prior, start=line_start(x, 0.1), warmup=100, max_tree_depth=(7, 8)
    )
    trace = run(algorithm, x, seed=1, steps=140)
    width = trace[-1].position["scales"][..., 1].min(axis=1)
    assert (width < 0.1).all() if stays else (width > 1).all()
    # Its density is the highest there is, by tens of nats: being high is not being right.
    assert (trace.infos[-1].objective > -1130) == stays


def test_the_start_is_no_part_of_the_model():
    x = BLOBS.x
    prior = weak_prior(x)
    for start in ("k-means", "uniform", "prior", mixtures(one_draw(k=8)[1])):
        trace = Trace(bayesian_gaussian_mixture(8, prior, start=start), x, seed=1)
        position = trace[0].position
        assert {name: value.shape for name, value in position.items()} == {
            "weights": (2, 8),
            "means": (2, 8, 2),
            "scales": (2, 8, 2),
            "correlation_factors": (2, 8, 2, 2),
        }
        first, second = (
            {name: value[chain] for name, value in position.items()} for chain in range(2)
        )
        assert (first["means"] == second["means"]).all() == isinstance(start, GaussianMixture)
        for chain, one in enumerate((first, second)):
            exact = float(log_likelihood(x, one)) + log_prior(one, prior)
            assert trace.infos[0].log_density[chain] == pytest.approx(exact, rel=1e-9)


def test_units_make_no_difference():
    scale, shift = np.array([1e-3, 50.0]), np.array([0.0, 1e4])
    algorithm = bayesian_gaussian_mixture(8)
    here, there = (run(algorithm, x, steps=15) for x in (BLOBS.x, BLOBS.x * scale + shift))
    for t in (0, 5, 15):
        means = here[t].position["means"] * scale + shift
        np.testing.assert_allclose(there[t].position["means"], means, rtol=1e-6)
    changed = (len(BLOBS.x) + 16) * np.log(scale).sum()
    assert there.objective[15] == pytest.approx(here.objective[15] - changed, abs=1e-3)


def test_weak_prior_looks_at_the_range_alone():
    x = BLOBS.x
    inside = np.vstack([x.min(axis=0), x.max(axis=0), x.mean(axis=0)])
    for one, other in zip(weak_prior(x), weak_prior(inside), strict=True):
        np.testing.assert_array_equal(one, other)
    assert weak_prior(x, scale_family="inverse gamma").scale_spread == 2


def test_refusals_in_words():
    prior, x = weak_prior(BLOBS.x), BLOBS.x
    for arguments, words in (
        ({"k": 0}, "1 or more"),
        ({"start": "kmeans"}, "k-means, uniform, prior"),
        ({"prior": prior._replace(scale_family="uniform")}, "log-normal, inverse gamma"),
        ({"prior": prior._replace(spread=np.ones(3))}, r"\(D,\)"),
        ({"prior": prior._replace(scale=np.array([1.0, 0.0]))}, "scale is .* positive"),
        ({"prior": prior._replace(concentration=np.inf)}, "positive and finite"),
        ({"prior": prior._replace(location=np.array([0, np.nan]))}, "it is finite"),
    ):
        with pytest.raises(ValueError, match=words):
            bayesian_gaussian_mixture(**{"k": 2, **arguments})
    half = np.full(2, 0.5)
    two = GaussianMixture(half, np.zeros((2, 2)), np.stack([np.eye(2)] * 2))
    for start, words in (
        (two._replace(means=np.zeros((2, 3))), r"these are \(2,\), \(2, 2\)"),
        (two._replace(weights=np.array([1.0, 0.0])), "positive ones"),
        (two._replace(covariances=-two.covariances), "positive definite"),
    ):
        with pytest.raises(ValueError, match=words):
            Trace(bayesian_gaussian_mixture(2, start=start), x)
    with pytest.raises(ValueError, match="2 columns, the data have 1"):
        Trace(bayesian_gaussian_mixture(2, prior), x[:, :1])
    with pytest.raises(ValueError, match=r"takes \(N, D\)"):
        Trace(bayesian_gaussian_mixture(2), x[:, 0])
    with pytest.raises(ValueError, match="column 1 is constant"):
        weak_prior(x * [1, 0])
    with pytest.raises(ValueError, match="points have 1 columns"):
        log_likelihood(x[:, :1], prior_draws(prior, 2, 3, seed=0))
