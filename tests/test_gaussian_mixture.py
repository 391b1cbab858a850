"""Gaussian mixtures against scikit-learn, scipy.stats, published figures and autodiff."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.special import logsumexp, xlogy
from sklearn.mixture import GaussianMixture as SklearnMixture
from threadpoolctl import threadpool_limits

from latentsteps import data
from latentsteps.evaluation.selection import smallest_spread
from latentsteps.inference.em import M_STEP, bound
from latentsteps.jax64 import jax, jnp
from latentsteps.models.gaussian_inputs import looking_once
from latentsteps.models.gaussian_mixture import (
    GaussianMixture,
    NormalInverseWishart,
    gaussian_mixture,
    log_joint,
    log_likelihood,
    log_normal,
    log_prior,
    responsibilities,
)
from latentsteps.models.gaussian_moments import Statistics, by_products, statistics
from latentsteps.models.gaussian_shapes import raised
from latentsteps.models.kmeans import kmeans
from latentsteps.trace import Trace, relative, run

FORMS = ("cholesky", "exponential family")
SHAPES = ("full", "diagonal")
# Murphy's demo of figure 11.11: standardised data, one count added to each weight.
DEMO_PRIOR = NormalInverseWishart(np.zeros(2), 0.01, 0.1 * np.eye(2), 3.0)
DEMO_MEANS = np.array([[-1.93256481, -0.16558438], [1.62533231, -1.21232358]])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small products gain nothing by threads, and on a busy machine these wait for one another."""
    with threadpool_limits(1, user_api="blas"):
        yield


def two(means, covariance) -> GaussianMixture:
    """Two components of equal weight and covariance."""
    return GaussianMixture(np.full(2, 0.5), np.array(means, float), np.tile(covariance, (2, 1, 1)))


def problem(seed: int, shape: str) -> tuple[np.ndarray, GaussianMixture]:
    """A few hundred points from overlapping clouds, and a start between them."""
    random = np.random.default_rng(seed)
    k, d = int(random.integers(2, 6)), int(random.integers(1, 6))
    centres = random.normal(scale=2.5, size=(k, d))
    turns = np.eye(d) + 0.3 * random.normal(size=(k, d, d))
    labels = random.integers(k, size=60 * k * (1 + d))
    x = centres[labels] + np.einsum(
        "nij,nj->ni", turns[labels], random.normal(size=(len(labels), d))
    )
    covariances = np.tile(2.0 * np.eye(d), (k, 1, 1)) if shape == "full" else np.full((k, d), 2.0)
    means = centres + random.normal(size=(k, d))
    return x, GaussianMixture(random.dirichlet(np.full(k, 5.0)), means, covariances)


def sklearn_path(x, start: GaussianMixture, steps: int):
    """scikit-learn's parameters and log-likelihood after each of its first steps."""
    full = start.covariances.ndim == 3
    model = SklearnMixture(
        len(start.weights),
        covariance_type="full" if full else "diag",
        reg_covar=0,
        tol=0,
        max_iter=1,
        warm_start=True,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(start.covariances) if full else 1 / start.covariances,
    )
    path = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one step does not converge
        for _ in range(steps):
            model.fit(x)  # goes on where it was; its last E step belongs to these parameters
            parameters = GaussianMixture(model.weights_, model.means_, model.covariances_)
            path.append((parameters, model.score(x) * len(x)))
    return path


def scipy_log_joint(x, parameters: GaussianMixture) -> np.ndarray:
    """One density after the other, by scipy.stats."""
    columns = []
    for weight, mean, covariance in zip(*parameters, strict=True):
        shape = np.diag(covariance) if covariance.ndim == 1 else covariance
        columns.append(np.log(weight) + stats.multivariate_normal(mean, shape).logpdf(x))
    return np.stack([np.reshape(column, len(x)) for column in columns], axis=1)


def scipy_log_prior(parameters, prior, concentration) -> float:
    """The prior's log density by scipy.stats, component by component."""
    weights, means, covariances = parameters
    value = stats.dirichlet(np.full(len(weights), concentration)).logpdf(weights)
    for mean, covariance in zip(means, covariances, strict=True):
        if covariance.ndim == 2:
            value += stats.invwishart(prior.degrees, prior.scatter).logpdf(covariance)
            normal = stats.multivariate_normal(prior.mean, covariance / prior.strength)
            value += normal.logpdf(mean)
            continue
        for j, variance in enumerate(covariance):
            scale = prior.scatter[j, j] / 2
            value += stats.invgamma(prior.degrees / 2, scale=scale).logpdf(variance)
            sd = np.sqrt(variance / prior.strength)
            value += stats.norm(prior.mean[j], sd).logpdf(mean[j])
    return float(value)


def scipy_map_em(x, parameters, prior, alpha, steps):
    """MAP EM with full covariances, formula by formula. Yields parameters and the log joint."""
    for t in range(steps + 1):
        joint = scipy_log_joint(x, parameters)
        value = logsumexp(joint, axis=1).sum() + scipy_log_prior(parameters, prior, alpha)
        yield parameters, value
        if t == steps:
            return
        r = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        weights, means, covariances = [], [], []
        for q in r.T:
            n, centre = q.sum(), q @ x / q.sum()
            mean = (prior.strength * prior.mean + n * centre) / (prior.strength + n)
            # All squares about the mode itself, the prior's one included: another way to write
            # the scatter plus the pull between the two means.
            squares = prior.scatter + prior.strength * np.outer(
                prior.mean - mean, prior.mean - mean
            )
            squares = squares + sum(
                w * np.outer(p - mean, p - mean) for w, p in zip(q, x, strict=True)
            )
            weights.append(n + alpha - 1)
            means.append(mean)
            covariances.append(squares / (n + prior.degrees + x.shape[1] + 2))
        parameters = GaussianMixture(
            np.array(weights) / sum(weights), np.array(means), np.array(covariances)
        )


# The density


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_log_joint_is_scipys(seed, shape):
    x, parameters = problem(seed, shape)
    expected = scipy_log_joint(x, parameters)
    np.testing.assert_allclose(log_joint(x, parameters), expected, rtol=1e-11, atol=1e-11)
    total = logsumexp(expected, axis=1).sum()
    assert log_likelihood(x, parameters) == pytest.approx(total, rel=1e-12)


def test_a_density_turns_with_its_points():
    random = np.random.default_rng(1)
    x, means = random.normal(size=(20, 3)), random.normal(size=(2, 3))
    covariances = np.array([np.diag([1.0, 2, 3]), np.diag([0.1, 1, 5])])
    turn = stats.special_ortho_group(3, seed=2).rvs()
    turned = log_normal(x @ turn.T, means @ turn.T, turn @ covariances @ turn.T)
    np.testing.assert_allclose(turned, log_normal(x, means, covariances), rtol=1e-11)


def test_far_points_keep_their_logarithms():
    parameters = two([[0, 0], [1, 1]], np.eye(2))
    x = np.array([[100.0, 100.0]])
    assert log_joint(x, parameters).max() < -745  # exp of it is zero
    np.testing.assert_allclose(responsibilities(x, parameters), [[0, 1]], atol=1e-80)


@pytest.mark.parametrize("form", FORMS)
def test_where_no_component_reaches_words_and_no_nan(form):
    start = two([[1e200, 0], [-1e200, 0]], np.eye(2))
    with pytest.raises(ValueError, match="too far away"):
        run(gaussian_mixture(2, form=form, start=start), data.old_faithful(), steps=1)


@pytest.mark.parametrize(
    ("x", "means", "covariances", "words"),
    [
        (np.zeros((4, 1)), np.zeros((2, 2)), np.ones((2, 2)), "points of 1 columns"),
        (np.zeros((4, 1)), np.zeros((2, 2)), [np.eye(2)] * 2, "points of 1 columns"),
        (np.zeros((4, 2)), np.zeros((2, 2)), [np.eye(2)] * 3, "have shape"),
        (np.zeros((4, 2)), np.zeros(2), np.eye(2), "have shape"),
        (np.zeros((4, 2)), np.zeros((2, 2)), 1.0, "have shape"),
        (np.zeros((4, 2)), np.full((2, 2), np.nan), np.ones((2, 2)), "NaN or infinite"),
        (np.zeros((4, 2)), np.zeros((2, 2)), [np.inf * np.ones((2, 2))] * 2, "NaN or infinite"),
    ],
)
def test_a_density_refuses_other_shapes_and_what_is_no_number(x, means, covariances, words):
    with pytest.raises(ValueError, match=words):
        log_normal(x, means, covariances)
    with pytest.raises(ValueError, match=words):
        log_likelihood(x, GaussianMixture(np.full(2, 0.5), means, covariances))


@pytest.mark.parametrize("weights", [[-1, 2], [np.nan, 1], [1.0], [0.2, 0.3, 0.5]])
def test_a_joint_refuses_weights_that_are_none(weights):
    parameters = two([[0, 0], [1, 1]], np.eye(2))._replace(weights=np.array(weights))
    with pytest.raises(ValueError, match="the weights are"):
        log_joint(np.zeros((4, 2)), parameters)


def test_columns_in_unlike_units_keep_their_digits():
    """A pivot of another row would cost them: 1e-12 beside 0.03 has four digits left."""
    root = np.array([[1e-12, 0, 0], [1e-12, 1e-12, 0], [1e-11, 0.3, 1]])
    z = np.random.default_rng(0).normal(size=(50, 3))
    got = log_normal(z @ root.T, np.zeros((1, 3)), (root @ root.T)[None])[:, 0]
    expected = stats.norm.logpdf(z).sum(axis=1) - np.log(1e-24)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


# Against scikit-learn


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(20))
def test_forty_steps_are_scikit_learns(seed, shape, form):
    x, start = problem(seed, shape)
    trace = run(
        gaussian_mixture(len(start.weights), covariance=shape, form=form, start=start), x, steps=40
    )
    assert smallest_spread(trace[40].parameters, x) > 1e-3  # no spike, no floor
    assert trace.first_break() is None
    for t, (expected, likelihood) in enumerate(sklearn_path(x, start, 40), start=1):
        assert trace.objective[t] == pytest.approx(likelihood, rel=1e-10)
        for ours, theirs in zip(trace[t].parameters, expected, strict=True):
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("shape", SHAPES)
def test_old_faithful_is_scikit_learns(shape):
    x = data.old_faithful()
    covariances = (
        np.array([np.diag([0.5, 60.0])] * 2) if shape == "full" else np.full((2, 2), [0.5, 60])
    )
    start = GaussianMixture(np.array([0.4, 0.6]), np.array([[2.5, 60], [4, 75]]), covariances)
    trace = run(gaussian_mixture(2, covariance=shape, start=start), x, steps=40)
    for t, (expected, likelihood) in enumerate(sklearn_path(x, start, 40), start=1):
        assert trace.objective[t] == pytest.approx(likelihood, rel=1e-10)
        for ours, theirs in zip(trace[t].parameters, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-8)


# Published figures


@pytest.mark.parametrize("form", FORMS)
def test_old_faithful_in_its_own_units(form):
    trace = run(gaussian_mixture(2, form=form), data.old_faithful(), steps=300)
    weights, means, _ = trace[-1].parameters
    order = np.argsort(means[:, 0])
    assert trace.objective[-1] == pytest.approx(-1130.26396018, abs=1e-6)
    expected = [[2.03638847, 54.47851653], [4.28966199, 79.96811534]]
    np.testing.assert_allclose(means[order], expected, rtol=1e-7)
    assert weights[order[0]] == pytest.approx(0.35587286, abs=1e-7)


def test_eruptions_alone():
    trace = run(gaussian_mixture(2), data.old_faithful()[:, :1], steps=2000)
    weights, means, covariances = trace[-1].parameters
    order = np.argsort(means[:, 0])
    assert trace.objective[-1] == pytest.approx(-276.360040, abs=1e-6)
    np.testing.assert_allclose(weights[order], [0.348405, 0.651595], atol=1e-6)
    np.testing.assert_allclose(means[order, 0], [2.018608, 4.273343], atol=1e-6)
    np.testing.assert_allclose(covariances[order, 0, 0], [0.055518, 0.191024], atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_murphys_figure_11_11(form):
    start = two([[-1.8, 1.5], [1.8, -1.5]], 0.1 * np.eye(2))
    x = data.standardize(data.old_faithful())
    trace = run(gaussian_mixture(2, form=form, start=start), x, steps=16)
    expected = [-543.1928, -531.6490, -491.0069, -384.459357]
    np.testing.assert_allclose(trace.objective[[1, 3, 5, 16]], expected, atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_murphys_demo_is_map_step_by_step(form):
    start = two(DEMO_MEANS, 0.1 * np.eye(2))
    x = data.standardize(data.old_faithful())
    algorithm = gaussian_mixture(2, form=form, start=start, prior=DEMO_PRIOR, concentration=2.0)
    trace = run(algorithm, x, steps=8)
    oracle = list(scipy_map_em(x, start, DEMO_PRIOR, 2.0, 8))
    np.testing.assert_allclose(trace.objective, [value for _, value in oracle], rtol=1e-11)
    for state, (expected, _) in zip(trace, oracle, strict=True):
        for ours, theirs in zip(state.parameters, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    # The demo prints the same without the Dirichlet's constant.
    without = stats.dirichlet([2, 2]).logpdf([0.5, 0.5]) - 2 * np.log(0.5)
    assert without == pytest.approx(np.log(6))


# The objective


@pytest.mark.parametrize("shape", SHAPES)
def test_log_prior_is_scipys(shape):
    x, parameters = problem(3, shape)
    d = x.shape[1]
    root = np.random.default_rng(4).normal(size=(d, d))
    prior = NormalInverseWishart(np.arange(d) / 2, 0.7, np.eye(d) + root @ root.T, d + 1.5)
    expected = scipy_log_prior(parameters, prior, 1.7)
    assert log_prior(parameters, prior, 1.7) == pytest.approx(expected, rel=1e-12)
    flat = stats.dirichlet(np.ones(len(parameters.weights))).logpdf(parameters.weights)
    assert log_prior(parameters, None) == pytest.approx(flat)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("with_prior", [False, True])
def test_the_objective_is_the_bound_plus_the_log_prior(form, shape, with_prior):
    x, start = problem(6, shape)
    k, d = start.means.shape
    prior = NormalInverseWishart(np.ones(d), 2.0, np.eye(d), d + 1.0) if with_prior else None
    alpha = 3.0 if with_prior else 1.0
    algorithm = gaussian_mixture(
        k,
        covariance=shape,
        form=form,
        start=start,
        prior=prior,
        concentration=alpha,
        half_steps=True,
    )
    trace = run(algorithm, x, steps=10)
    q = None
    for state, value in zip(trace, trace.objective, strict=True):
        joint = scipy_log_joint(x, state.parameters)
        if state.phase != M_STEP:  # the M step keeps the q of the E step before
            q = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        expected = np.sum(q * joint - xlogy(q, q))
        if with_prior:
            expected += scipy_log_prior(state.parameters, prior, alpha)
        assert value == pytest.approx(expected, rel=1e-11)
        if isinstance(state.expectations, Statistics):
            assert state.expectations.entropy == pytest.approx(-xlogy(q, q).sum(), rel=1e-9)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(10))
def test_after_an_e_step_the_bound_touches(seed, form):
    x, start = problem(seed, "full")
    trace = run(gaussian_mixture(len(start.weights), form=form, start=start), x, steps=10)
    for state, value in zip(trace, trace.objective, strict=True):
        likelihood = log_likelihood(x, state.parameters)
        assert abs(value - likelihood) <= 1e-12 * abs(likelihood)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("with_prior", [False, True])
def test_the_m_step_is_stationary(form, shape, with_prior):
    x, start = problem(7, shape)
    k, d = start.means.shape
    root = np.random.default_rng(8).normal(size=(d, d))
    prior = NormalInverseWishart(np.ones(d), 5.0, np.eye(d) + root @ root.T, d + 2.5)
    alpha = 2.5 if with_prior else 1.0
    algorithm = gaussian_mixture(
        k,
        covariance=shape,
        form=form,
        start=start,
        prior=prior if with_prior else None,
        concentration=alpha,
        half_steps=True,
    )
    trace = run(algorithm, x, steps=3)
    assert trace[3].phase == M_STEP
    r = responsibilities(x, trace[2].parameters)

    def log_density(point, mean, covariance):
        return jax.scipy.stats.multivariate_normal.logpdf(point, mean, covariance)

    def objective(scores, means, shapes):
        log_weights = jax.nn.log_softmax(scores)
        value = (alpha - 1) * log_weights.sum()
        for j in range(k):
            matrix = jnp.diag(shapes[j]) if shape == "diagonal" else shapes[j]
            value += r[:, j] @ (log_weights[j] + log_density(x, means[j], matrix))
            if with_prior and shape == "full":
                value += log_density(means[j], prior.mean, matrix / prior.strength)
                value -= 0.5 * (prior.degrees + d + 1) * jnp.linalg.slogdet(matrix)[1]
                value -= 0.5 * jnp.trace(jnp.linalg.solve(matrix, prior.scatter))
            elif with_prior:  # an inverse gamma for each variance
                sd = jnp.sqrt(shapes[j] / prior.strength)
                value += jax.scipy.stats.norm.logpdf(means[j], prior.mean, sd).sum()
                value -= (0.5 * (prior.degrees + 2) * jnp.log(shapes[j])).sum()
                value -= (0.5 * jnp.diag(prior.scatter) / shapes[j]).sum()
        return value

    def slopes(parameters):
        weights, means, covariances = parameters
        return jax.grad(objective, (0, 1, 2))(jnp.log(weights), means, covariances)

    for slope, before in zip(slopes(trace[3].parameters), slopes(trace[2].parameters), strict=True):
        assert np.abs(slope).max() < 1e-9 * len(x)
        assert np.abs(before).max() > 1e-3 * len(x)


def test_half_steps_end_where_whole_steps_end():
    x = data.old_faithful()
    for form in FORMS:
        whole = run(gaussian_mixture(3, form=form), x, seed=5, steps=6)
        halves = run(gaussian_mixture(3, form=form, half_steps=True), x, seed=5, steps=12)
        for got, expected in zip(halves[12].parameters, whole[6].parameters, strict=True):
            assert np.array_equal(got, expected)
        np.testing.assert_array_equal(halves.objective[::2], whole.objective)


# The exponential-family form


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(20))
def test_both_forms_are_the_same(seed, shape):
    x, start = problem(seed, shape)
    k = len(start.weights)
    slow, fast = (
        run(gaussian_mixture(k, covariance=shape, form=form, start=start), x, steps=40)
        for form in FORMS
    )
    np.testing.assert_allclose(fast.objective, slow.objective, rtol=1e-12)
    for ours, theirs in zip(fast[40].parameters, slow[40].parameters, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 * np.abs(theirs).max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chunk", [1, 7, 100, 100_000])
def test_the_chunk_changes_nothing(shape, chunk):
    x, start = problem(2, shape)
    k = len(start.weights)
    make = {"covariance": shape, "form": "exponential family", "start": start}
    one, other = (run(gaussian_mixture(k, **make, chunk=c), x, steps=5) for c in (None, chunk))
    np.testing.assert_allclose(other.objective, one.objective, rtol=1e-13)
    for ours, theirs in zip(other[5].parameters, one[5].parameters, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    import joblib

    x, start = problem(2, "full")
    algorithm = gaussian_mixture(
        len(start.weights), form="exponential family", start=start, chunk=20
    )
    traces = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(joblib, "cpu_count", lambda threads=threads: threads)
        traces.append(run(algorithm, x, steps=5))
    assert len(x) > 20 * 8
    for other in traces[1:]:
        np.testing.assert_array_equal(other.objective, traces[0].objective)


@pytest.mark.parametrize(("offset", "digits"), [(1e3, 1e-11), (1e6, 1e-8)])
@pytest.mark.parametrize("form", FORMS)
def test_far_from_zero_both_forms_lose_only_what_the_data_lost(form, offset, digits):
    """At offset 10⁶ a float64 of size one has 10 digits left behind the point, so the data
    themselves are others; without centring, the squares would have 4 left, of 10¹² each."""
    x, start = problem(5, "full")
    k = len(start.weights)
    near = run(gaussian_mixture(k, form=form, start=start), x, steps=20)
    moved = start._replace(means=start.means + offset)
    far = run(gaussian_mixture(k, form=form, start=moved), x + offset, steps=20)
    np.testing.assert_allclose(far.objective, near.objective, rtol=digits)
    np.testing.assert_allclose(
        far[20].parameters.means - offset, near[20].parameters.means, atol=10 * digits
    )
    np.testing.assert_allclose(
        far[20].parameters.covariances, near[20].parameters.covariances, atol=10 * digits
    )


def tight_and_far(width: float) -> tuple[np.ndarray, GaussianMixture]:
    """Half the points within ``width`` of (1, 1), half of them around (−1, −1)."""
    random = np.random.default_rng(0)
    tight = 1 + width * random.normal(size=(200, 2))
    x = np.concatenate([tight, -1 + random.normal(size=(200, 2))])
    start = two([[1, 1], [-1, -1]], np.eye(2))
    return x, start._replace(covariances=np.array([width**2 * np.eye(2), np.eye(2)]))


@pytest.mark.parametrize(
    ("width", "falls_back"), [(0.1, False), (0.01, False), (1e-3, True), (1e-5, True)]
)
def test_where_squares_would_lose_digits_the_step_is_done_by_cholesky(width, falls_back):
    x, start = tight_and_far(width)
    assert (by_products(looking_once()(x), *start) is None) == falls_back
    slow, fast = (
        run(gaussian_mixture(2, form=form, start=start, floor=0), x, steps=5) for form in FORMS
    )
    np.testing.assert_allclose(fast.objective, slow.objective, rtol=1e-12)
    for ours, theirs in zip(fast[5].parameters, slow[5].parameters, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)


def test_without_the_fallback_digits_are_lost(monkeypatch):
    """So the test above could fail."""
    x, start = tight_and_far(1e-5)
    monkeypatch.setattr("latentsteps.models.gaussian_moments.DIGITS_LOST", np.inf)
    found = by_products(looking_once()(x), *start)
    exact = statistics(x, responsibilities(x, start), "full")
    assert np.abs(found.scatters[0] / exact.scatters[0] - 1).max() > 1e-8


def test_a_component_that_tightens_within_a_step_is_noticed_too():
    """Its start is broad, so only the result shows that squares lost digits."""
    x, start = tight_and_far(1e-5)
    broad = start._replace(covariances=np.array([0.01 * np.eye(2), np.eye(2)]))
    assert by_products(looking_once()(x), *broad) is None


# The floor


def floored_problems():
    return st.tuples(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([1e-6, 1e-2, 0.5]))


@given(case=floored_problems())
@settings(max_examples=60, deadline=None)
def test_a_raised_covariance_is_the_likeliest_above_the_floor(case):
    seed, d, floor = case
    random = np.random.default_rng(seed)
    scale = 10 ** random.uniform(-3, 3, size=d)
    points = random.normal(size=(d + 1, d)) * 10 ** random.uniform(-4, 0.5, size=d)
    scatter = np.cov(points.T, ddof=0).reshape(d, d) * np.outer(scale, scale)
    best = raised(scatter[None], floor, scale)[0]

    def likelihood(covariance):
        return -np.linalg.slogdet(covariance)[1] - np.trace(np.linalg.solve(covariance, scatter))

    smallest = np.linalg.eigvalsh(best / np.outer(scale, scale))[0]
    assert smallest >= floor * (1 - 1e-6)
    for _ in range(20):
        root = random.normal(size=(d, d)) * 10 ** random.uniform(-3, 0)
        other = best + np.outer(scale, scale) * (root @ root.T) * smallest
        # Anywhere above the floor: a mixture with another one that is.
        high = np.outer(scale, scale) * (floor * np.eye(d) + root @ root.T)
        share = random.uniform()
        for candidate in (other, share * best + (1 - share) * high):
            assert likelihood(candidate) <= likelihood(best) + 1e-7 * abs(likelihood(best))


def test_a_covariance_above_the_floor_is_not_touched():
    matrices = np.array([[[2.0, 1.9], [1.9, 2.0]], [[1e-9, 0], [0, 1.0]]])
    lifted = raised(matrices, 1e-3, np.ones(2))
    np.testing.assert_array_equal(lifted[0], matrices[0])
    np.testing.assert_allclose(np.linalg.eigvalsh(lifted[1]), [1e-3, 1], rtol=1e-12)


def spike() -> GaussianMixture:
    """One component sits narrowly on the first eruption, the other covers the rest."""
    x = data.old_faithful()
    whole = np.cov(x.T, ddof=0)
    return GaussianMixture(
        np.array([1 / 272, 271 / 272]),
        np.array([x[0], x.mean(axis=0)]),
        np.array([1e-5 * whole, whole]),
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_spike_stops_at_the_floor_and_the_objective_climbs_all_the_way(form):
    x = data.old_faithful()
    algorithm = gaussian_mixture(2, form=form, start=spike(), half_steps=True)
    trace = run(algorithm, x, steps=100)
    assert trace.first_break() is None
    assert smallest_spread(trace[-1].parameters, x) == pytest.approx(1e-6, rel=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_without_a_floor_a_collapse_is_told_in_words(form, shape):
    start = spike()
    if shape == "diagonal":
        start = start._replace(covariances=np.diagonal(start.covariances, axis1=1, axis2=2))
    algorithm = gaussian_mixture(2, covariance=shape, form=form, start=start, floor=0)
    with pytest.raises(ValueError, match="collapsed"):
        run(algorithm, data.old_faithful(), steps=100)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_the_smallest_floor_still_climbs_on_collinear_columns(form, seed):
    z = np.random.default_rng(0).normal(size=(1000, 1))
    y = np.concatenate([z[:500] - 2, z[500:] + 2])
    x = np.hstack([y, 2 * y + 1, -y])
    algorithm = gaussian_mixture(3, floor=1e-10, form=form, half_steps=True)
    trace = run(algorithm, x, seed, steps=40)
    assert trace.first_break() is None
    assert np.isfinite(trace.objective).all()


def test_a_start_below_the_floor_is_raised_to_it():
    x = data.old_faithful()
    start = spike()._replace(covariances=np.array([1e-12 * np.eye(2)] * 2))
    first = run(gaussian_mixture(2, start=start, floor=1e-4), x, steps=0)[0].parameters
    assert smallest_spread(first, x) == pytest.approx(1e-4)


def test_a_prior_keeps_the_spike_open():
    x = data.standardize(data.old_faithful())
    start = two([x[0], x.mean(axis=0)], np.diag([1.0, 1.0]))
    start.covariances[0] *= 1e-8
    trace = run(gaussian_mixture(2, start=start, prior=DEMO_PRIOR, floor=0), x, steps=200)
    assert trace.first_break() is None
    # Even with no points at all the prior's squares are left, over its divisor.
    assert smallest_spread(trace[-1].parameters, x) > 0.1 / (272 + 3 + 4)


# Empty components, odd data


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("away", [9, 12, 20, 30, 38, 39, 39.5, 40, 40.5, 41, 41.4, 45])
def test_a_component_with_next_to_no_points_is_held_or_let_go_but_never_both(away, form):
    x = np.random.default_rng(0).normal(size=(200, 2))
    start = two([[0, 0], [away, 0]], np.eye(2))
    trace = run(gaussian_mixture(2, form=form, start=start, half_steps=True), x, steps=16)
    assert np.isfinite(trace.objective).all()
    assert trace.first_break() is None
    other = FORMS[1 - FORMS.index(form)]
    same = run(gaussian_mixture(2, form=other, start=start, half_steps=True), x, steps=16)
    np.testing.assert_allclose(trace.objective, same.objective, rtol=1e-10)
    for state in trace:
        found = state.expectations
        counts = found.counts if isinstance(found, Statistics) else found.sum(axis=0)
        if state.phase == M_STEP:
            np.testing.assert_array_equal(state.parameters.weights > 0, counts > 0)


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_component_stays_with_weight_zero(form):
    x, _ = problem(0, "full")
    d = x.shape[1]
    means = np.array([x.mean(axis=0), x.mean(axis=0) + 1e4])
    start = GaussianMixture(np.full(2, 0.5), means, np.array([np.cov(x.T).reshape(d, d)] * 2))
    trace = run(gaussian_mixture(2, form=form, start=start), x, steps=5)
    weights, now, covariances = trace[-1].parameters
    assert trace.first_break() is None
    np.testing.assert_array_equal(weights, [1, 0])
    np.testing.assert_array_equal(now[1], means[1])
    np.testing.assert_array_equal(covariances[1], start.covariances[1])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_under_a_prior_an_empty_component_goes_to_its_mode(form, shape):
    x = data.standardize(data.old_faithful())
    covariances = np.array([np.eye(2)] * 2) if shape == "full" else np.ones((2, 2))
    start = GaussianMixture(np.array([1.0, 0.0]), np.zeros((2, 2)), covariances)
    algorithm = gaussian_mixture(2, covariance=shape, form=form, start=start, prior=DEMO_PRIOR)
    weights, means, covariances = run(algorithm, x, steps=1)[1].parameters
    np.testing.assert_array_equal(weights, [1, 0])
    np.testing.assert_array_equal(means[1], 0)
    divisor = 3 + 2 + 2 if shape == "full" else 3 + 1 + 2
    expected = 0.1 * np.eye(2) / divisor if shape == "full" else np.full(2, 0.1 / divisor)
    np.testing.assert_allclose(covariances[1], expected)


def test_a_prior_on_the_weights_brings_a_weight_of_zero_back():
    x = data.standardize(data.old_faithful())
    start = GaussianMixture(np.array([1.0, 0.0]), np.zeros((2, 2)), np.array([np.eye(2)] * 2))
    trace = run(gaussian_mixture(2, start=start, concentration=2.0), x, steps=3)
    assert trace.objective[0] == -np.inf
    assert np.isfinite(trace.objective[1:]).all()
    assert trace[1].parameters.weights[1] == pytest.approx(1 / 274)


@pytest.mark.parametrize("kind", [int, np.float32, np.uint8])
def test_other_numbers_give_what_the_same_floats_give(kind):
    x = np.random.default_rng(0).integers(0, 50, size=(60, 2)).astype(kind)
    got, expected = (run(gaussian_mixture(2), y, steps=5) for y in (x, x.astype(float)))
    np.testing.assert_array_equal(got.objective, expected.objective)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.arange(5.0), r"x\[:, None\]"),
        (np.zeros((0, 2)), "shape"),
        (np.array([["a", "b"]]), "numbers"),
        (np.array([[1.0, np.nan], [0, 1]]), "NaN or an infinity, the first in row 0"),
        (np.array([[1.0, 2], [0, np.inf]]), "the first in row 1"),
        (np.array([[1.0, 2], [1, 3], [1, 5]]), "column 0 of the data is constant"),
        (np.array([[0.1, 2], [0.1, 3], [0.1, 5]]), "column 0 of the data is constant"),
        (np.array([[1.0, 2], [3, 4]]), "only 2 different points"),
        (np.array([[1.0, 2], [3, 4]] * 20), "only 2 different points"),
        (np.array([[1e200, 2], [0, 4], [3, 3]]), "too large or too small"),
        (np.array([[1e9, 2], [1e9 + 1, 4], [1e9 + 2, 3]]), "column 0 is so far from 0"),
        (np.array([[1e-200, 2], [0, 4], [3e-200, 3]]), "too large or too small"),
    ],
)
def test_data_that_cannot_be_worked_with_are_refused_in_words(x, words, form):
    for start in ("k-means", "random points"):
        with pytest.raises(ValueError, match=words):
            run(gaussian_mixture(3, start=start, form=form), x, steps=1)


def test_a_constant_column_is_fine_under_a_prior():
    x = np.column_stack([data.old_faithful(), np.ones(272)])
    prior = NormalInverseWishart(np.array([3.0, 70, 1]), 0.1, np.diag([0.1, 10, 0.01]), 4.0)
    for form in FORMS:
        trace = run(gaussian_mixture(2, prior=prior, form=form), x, steps=20)
        assert trace.first_break() is None
        assert np.isfinite(trace.objective).all()


@pytest.mark.parametrize("form", FORMS)
def test_fewer_points_than_columns_end_on_the_floor(form):
    x = np.random.default_rng(0).normal(size=(6, 10))
    trace = run(gaussian_mixture(2, form=form, half_steps=True), x, steps=20)
    assert trace.first_break() is None
    assert smallest_spread(trace[-1].parameters, x) == pytest.approx(1e-6, rel=1e-5)


def test_more_components_than_points_are_fine_from_a_given_start():
    x = np.array([[0.0, 0], [1, 2], [3, 1]])
    means = np.random.default_rng(0).normal(size=(5, 2))
    start = GaussianMixture(np.full(5, 0.2), means, np.array([np.eye(2)] * 5))
    for form in FORMS:
        trace = run(gaussian_mixture(5, start=start, form=form, half_steps=True), x, steps=30)
        assert trace.first_break() is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": 2, "covariance": "tied"}, "covariance"),
        ({"k": 2, "form": "fast"}, "form"),
        ({"k": 2, "concentration": 0.5}, "concentration"),
        ({"k": 2, "floor": -1}, "floor"),
        ({"k": 2, "floor": np.nan}, "floor"),
        ({"k": 2, "floor": 1e-20}, "floor is 1e-20; .* 1e-10 to 1"),
        ({"k": 2, "chunk": 0}, "chunk"),
        ({"k": 2, "start": "spike"}, "start"),
        ({"k": 3, "start": two([[0, 0], [1, 1]], np.eye(2))}, "shapes"),
        ({"k": 2, "covariance": "diagonal", "start": two([[0, 0], [1, 1]], np.eye(2))}, "shapes"),
        ({"k": 2, "start": two([[0, 0], [1, np.nan]], np.eye(2))}, "finite"),
        ({"k": 2, "start": two([[0, 0], [1, 1]], np.zeros((2, 2)))}, "positive definite"),
        ({"k": 2, "start": two([[0, 0], [1, 1]], [[1, 0.9], [0, 1]])}, "not symmetric"),
        ({"k": 2, "start": two([[0, 0], [1, 1]], [[1e-12, 5e-13], [0, 1e-12]])}, "not symmetric"),
        ({"k": 2.0}, "k is 2.0; .* an int"),
        ({"k": "2"}, "k is '2'"),
        ({"k": 2, "start": None}, "start is None; it is 'k-means', 'random points' or a Gau"),
        ({"k": 2, "start": 3}, "start is 3"),
        ({"k": 2, "start": (1, 2)}, r"start is \(1, 2\)"),
        ({"k": 2, "chunk": 2.5}, "chunk is 2.5; .* an int"),
        ({"k": 2, "prior": 3}, "prior is 3; it is None or a NormalInverseWishart"),
        ({"k": 2, "prior": DEMO_PRIOR._replace(strength="big")}, "strength=.big."),
        ({"k": 2, "concentration": np.inf}, "concentration is inf; it is a finite number"),
        ({"k": 2, "concentration": "flat"}, "concentration is 'flat'"),
        ({"k": 2, "floor": "low"}, "floor is 'low'"),
        ({"k": 2, "floor": 9e-11}, "floor is 9e-11"),
        (
            {"k": 2, "start": two([[0, 0], [1, 1]], np.eye(2))._replace(weights=np.ones(2))},
            "shares",
        ),
        ({"k": 2, "prior": DEMO_PRIOR._replace(degrees=1.0)}, "degrees"),
        ({"k": 2, "prior": DEMO_PRIOR._replace(strength=0.0)}, "strength"),
        ({"k": 2, "prior": DEMO_PRIOR._replace(scatter=np.zeros((2, 2)))}, "positive definite"),
        ({"k": 2, "prior": DEMO_PRIOR._replace(mean=np.zeros(3))}, "mean has shape"),
    ],
)
def test_arguments_out_of_range_are_refused_in_words(arguments, words):
    with pytest.raises(ValueError, match=words):
        gaussian_mixture(**arguments)


def test_a_start_or_prior_of_another_dimension_is_refused():
    x = data.old_faithful()[:, :1]
    with pytest.raises(ValueError, match="the prior has 2 columns and the data 1"):
        run(gaussian_mixture(2, prior=DEMO_PRIOR), x, steps=0)
    with pytest.raises(ValueError, match="the start has 2 columns and the data 1"):
        run(gaussian_mixture(2, start=two([[0, 0], [1, 1]], np.eye(2))), x, steps=0)


# Whatever comes: no NaN out, and no step down


@st.composite
def odd_data(draw):
    """Few points on a coarse grid, so that ties are common; then stretched and moved."""
    n, d = draw(st.integers(1, 12)), draw(st.integers(1, 3))
    x = draw(hnp.arrays(np.float64, (n, d), elements=st.integers(-3, 3).map(float)))
    stretch = draw(hnp.arrays(np.float64, d, elements=st.sampled_from([1e-6, 1.0, 0.3, 1e5])))
    return x * stretch + draw(st.sampled_from([0.0, 0.1, 1000.0]))


@given(
    x=odd_data(),
    k=st.integers(1, 4),
    shape=st.sampled_from(SHAPES),
    form=st.sampled_from(FORMS),
    with_prior=st.booleans(),
    floor=st.sampled_from([1e-6, 1e-3, 0.0]),
    start=st.sampled_from(["k-means", "random points"]),
    seed=st.integers(0, 100),
)
@settings(max_examples=300, deadline=None)
def test_never_nan_out_and_never_down(x, k, shape, form, with_prior, floor, start, seed):
    d = x.shape[1]
    prior = NormalInverseWishart(x.mean(axis=0), 0.1, np.diag(x.var(axis=0) + 0.01), d + 1.0)
    different, constant = len(np.unique(x, axis=0)), not np.ptp(x, axis=0).all()
    algorithm = gaussian_mixture(
        k,
        covariance=shape,
        form=form,
        prior=prior if with_prior else None,
        concentration=2.0 if with_prior else 1.0,
        floor=floor,
        start=start,
        half_steps=True,
    )
    refusal = ""
    try:
        trace = run(algorithm, x, seed, steps=16)
    except ValueError as error:
        refusal = str(error)
    if refusal:
        allowed = {
            "different points": different < k,
            "constant": constant and not with_prior,
            "collapsed": floor == 0 and not with_prior,
            "far from 0": (np.abs(x.mean(axis=0)) > 1e8 * x.std(axis=0)).any(),
        }
        assert any(words in refusal and may for words, may in allowed.items()), refusal
        return
    assert different >= k
    assert np.isfinite(trace.objective).all()
    assert trace.first_break() is None
    for state in trace:
        assert all(np.isfinite(field).all() for field in state.parameters)
        assert state.parameters.weights.sum() == pytest.approx(1)
        if floor and not constant:
            assert smallest_spread(state.parameters, x) >= floor * (1 - 1e-6)


def test_relabelling_and_reordering_change_nothing():
    x, start = problem(4, "full")
    k = len(start.weights)
    order, rows = np.roll(np.arange(k), 1), np.random.default_rng(0).permutation(len(x))
    moved = GaussianMixture(*(field[order] for field in start))
    for form in FORMS:
        one = run(gaussian_mixture(k, form=form, start=start), x, steps=10)
        other = run(gaussian_mixture(k, form=form, start=moved), x[rows], steps=10)
        np.testing.assert_allclose(other.objective, one.objective, rtol=1e-12)
        np.testing.assert_allclose(
            other[10].parameters.means, one[10].parameters.means[order], rtol=1e-8, atol=1e-9
        )


def test_a_change_of_units_changes_nothing_but_the_units():
    """The floor too is in units of the data: a spike sits on it either way."""
    x, stretch = data.old_faithful(), np.array([60.0, 1e-3])
    start = spike()
    other = start._replace(
        means=start.means * stretch, covariances=start.covariances * np.outer(stretch, stretch)
    )
    one, two_ = (
        run(gaussian_mixture(2, start=s), y, steps=40)
        for s, y in ((start, x), (other, x * stretch))
    )
    jacobian = len(x) * np.log(stretch).sum()
    np.testing.assert_allclose(two_.objective + jacobian, one.objective, rtol=1e-9)


def test_starts_are_drawn_from_the_seed_alone():
    x = data.old_faithful()
    for start in ("k-means", "random points"):
        algorithm = gaussian_mixture(3, start=start)
        one, again, other = (run(algorithm, x, seed, steps=0)[0].parameters for seed in (1, 1, 2))
        np.testing.assert_array_equal(one.means, again.means)
        assert not np.array_equal(one.means, other.means)


@pytest.mark.parametrize("seed", range(3))
def test_the_k_means_start_is_an_m_step_from_its_last_labels(seed):
    x = data.old_faithful()
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    clusters = run(kmeans(4, start="k-means++"), scaled, seed, steps=100, stop=relative())
    first, last = clusters[0].expectations, clusters[-1].expectations
    assert (first != last).any()
    weights, means, covariances = run(gaussian_mixture(4), x, seed, steps=0)[0].parameters
    np.testing.assert_allclose(weights, np.bincount(last) / len(x), rtol=1e-12)
    for k in range(4):
        np.testing.assert_allclose(means[k], x[last == k].mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(covariances[k], np.cov(x[last == k].T, ddof=0), rtol=1e-10)


def test_random_points_start_from_the_covariance_of_all_data_or_its_map_estimate():
    x = data.standardize(data.old_faithful())
    first = run(gaussian_mixture(3, start="random points"), x, steps=0)[0].parameters
    np.testing.assert_allclose(first.covariances, [np.cov(x.T, ddof=0)] * 3, rtol=1e-10)
    algorithm = gaussian_mixture(3, start="random points", prior=DEMO_PRIOR)
    first = run(algorithm, x, steps=0)[0].parameters
    n = len(x) / 3  # each holds a third of every point; the data's mean is the prior's
    expected = (0.1 * np.eye(2) + n * np.cov(x.T, ddof=0)) / (n + 3 + 4)
    np.testing.assert_allclose(first.covariances, [expected] * 3, rtol=1e-10, atol=1e-12)


def test_bound_of_the_library_is_what_the_cholesky_form_climbs():
    x, start = problem(1, "diagonal")
    k = len(start.weights)
    state = run(gaussian_mixture(k, covariance="diagonal", start=start), x, steps=1)[1]
    value = bound(log_joint(x, state.parameters), state.expectations)
    assert value == pytest.approx(log_likelihood(x, state.parameters), rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_columns_of_very_unlike_size_cost_no_digits(form):
    """Found by the test above with more examples: columns in millionths beside columns of ones."""
    random = np.random.default_rng(0)
    for seed in range(100):
        x = random.choice([-2.0, -1, 0, 0, 0, 1, 2], size=(10, 3)) * [1e-6, 1e-6, 1]
        if not np.ptp(x, axis=0).all():
            continue
        trace = run(gaussian_mixture(2, form=form, half_steps=True), x, seed, steps=16)
        assert trace.first_break() is None


def test_only_read_only_data_are_looked_at_once():
    look = looking_once()
    x = np.array([[0.0], [2.0]])
    assert look(x).centre == 1
    x[1] = 4
    assert look(x).centre == 2
    view = Trace(gaussian_mixture(1), x).data
    assert look(view) is look(view)
    assert look(view[:1]).centre == 0
    assert look(view).centre == 2
    x.flags.writeable = False
    assert look(x) is look(x)
    x.flags.writeable = True
    x[1] = 8
    assert look(x).centre == 4
