"""The categorical mixture: brute force, and the Bernoulli mixture at two levels."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentsteps import data
from latentsteps.inference.em import M_STEP, soft
from latentsteps.jax64 import jax, jnp
from latentsteps.models import bernoulli_mixture as bernoulli
from latentsteps.models.categorical_mixture import (
    CategoricalMixture,
    categorical_mixture,
    level_mean,
    log_joint,
    to_levels,
)
from latentsteps.trace import run


def random_mixture(seed, k=3, d=5, levels=4):
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.ones(k))
    return CategoricalMixture(weights, random.dirichlet(np.ones(levels), (k, d)))


def random_images(seed, n=40, d=5, levels=4):
    """Drawn from a mixture of three, so that there is something to find."""
    mixture = random_mixture(seed + 1000, 3, d, levels)
    random = np.random.default_rng(seed)
    pixels = mixture.probabilities[random.choice(3, size=n, p=mixture.weights)]
    return (random.random((n, d, 1)) > np.cumsum(pixels, axis=2)[:, :, :-1]).sum(
        axis=2, dtype=np.uint8
    )


def brute_log_joint(x, weights, probabilities):
    """Factor by factor, as the model is written down."""
    joint = np.empty((len(x), len(weights)))
    for n, image in enumerate(x):
        for k, weight in enumerate(weights):
            factors = [probabilities[k, d, level] for d, level in enumerate(image)]
            joint[n, k] = math.log(weight * math.prod(factors))
    return joint


# The model


@pytest.mark.parametrize("levels", [2, 3, 7])
def test_log_joint_is_the_product_of_its_factors_on_six_images(levels):
    mixture = random_mixture(0, levels=levels)
    x = random_images(0, n=6, levels=levels)
    expected = brute_log_joint(x, *mixture)
    np.testing.assert_allclose(log_joint(x, mixture), expected, rtol=1e-12)


def test_probabilities_of_all_tiny_images_sum_to_one():
    every = np.array(list(itertools.product(range(3), repeat=5)), dtype=np.uint8)
    joint = log_joint(every, random_mixture(1, levels=3))
    assert np.exp(joint).sum() == pytest.approx(1, abs=1e-12)


# Two levels are the Bernoulli mixture


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 30),
    d=st.integers(1, 8),
    k=st.integers(1, 4),
    start=st.sampled_from(["random images", "random labels"]),
    strength=st.sampled_from([0.1, 2.0, 10.0]),
    toward=st.sampled_from([0.5, 0.3]),
)
@settings(max_examples=40, deadline=None)
def test_two_levels_are_a_bernoulli_mixture_step_for_step(seed, n, d, k, start, strength, toward):
    k = min(k, n)
    x = random_images(seed, n, d, levels=2)
    options = {"start": start, "strength": strength}
    two = run(categorical_mixture(k, 2, toward=[1 - toward, toward], **options), x, seed, steps=4)
    one = run(bernoulli.bernoulli_mixture(k, toward=toward, **options), x, seed, steps=4)
    np.testing.assert_allclose(two.objective, one.objective, rtol=1e-6, atol=1e-6)
    for state, other in zip(two, one, strict=True):
        np.testing.assert_allclose(state.parameters.weights, other.parameters.weights, atol=1e-5)
        np.testing.assert_allclose(
            state.parameters.probabilities[:, :, 1], other.parameters.probabilities, atol=1e-5
        )
        np.testing.assert_allclose(
            state.expectations.levels[:, :, 1], other.expectations.on, atol=1e-4
        )


@pytest.mark.parametrize("hard", [False, True])
def test_two_levels_of_digits_are_thresholded_digits(hard):
    grey = data.mnist().train_images[:300]
    x = to_levels(grey, 2)
    assert np.array_equal(x, data.binarize_by_threshold(grey))
    two = run(categorical_mixture(5, 2, hard=hard), x, steps=5)
    one = run(bernoulli.bernoulli_mixture(5, hard=hard), x, steps=5)
    np.testing.assert_allclose(two.objective, one.objective, rtol=1e-6)
    flat = bernoulli.BernoulliMixture(
        two[5].parameters.weights, two[5].parameters.probabilities[:, :, 1]
    )
    np.testing.assert_allclose(
        log_joint(x, two[5].parameters), bernoulli.log_joint(x, flat), rtol=1e-9
    )


# EM


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 30),
    k=st.integers(1, 4),
    levels=st.integers(2, 6),
    hard=st.booleans(),
    start=st.sampled_from(["random images", "random labels"]),
)
@settings(max_examples=40, deadline=None)
def test_no_half_step_lowers_the_objective(seed, n, k, levels, hard, start):
    k = min(k, n)
    x = random_images(seed, n, levels=levels)
    algorithm = categorical_mixture(k, levels, hard=hard, start=start, half_steps=True)
    trace = run(algorithm, x, seed, steps=12)
    assert trace.first_break() is None
    assert np.all(np.isfinite(trace.objective))
    for state in trace:
        np.testing.assert_allclose(state.parameters.probabilities.sum(axis=2), 1, rtol=1e-12)
        np.testing.assert_allclose(
            state.expectations.levels.sum(axis=2),
            np.broadcast_to(state.expectations.counts[:, None], (k, x.shape[1])),
            atol=1e-4,
        )


@pytest.mark.parametrize("hard", [False, True])
def test_em_equals_a_float64_numpy_em_and_its_objective(hard):
    x = random_images(3, n=200, levels=4)
    toward = np.array([0.4, 0.3, 0.2, 0.1])
    trace = run(categorical_mixture(3, 4, hard=hard, strength=3.0, toward=toward), x, steps=6)
    one_hot = np.eye(4)[x]
    parameters = trace[0].parameters
    for t in range(7):
        joint = brute_log_joint(x, *parameters)
        r = np.exp(joint - np.log(np.exp(joint).sum(axis=1, keepdims=True)))
        if hard:
            r = np.eye(3)[joint.argmax(axis=1)]
        bound = np.sum(r * joint - r * np.log(np.where(r > 0, r, 1)))
        prior = 3 * np.sum(toward * np.log(parameters.probabilities))
        assert trace.objective[t] == pytest.approx(bound + prior, rel=1e-6)
        got = trace[t].parameters
        np.testing.assert_allclose(got.weights, parameters.weights, atol=1e-5)
        np.testing.assert_allclose(got.probabilities, parameters.probabilities, atol=1e-5)
        counts = np.einsum("nk,ndl->kdl", r, one_hot) + 3 * toward
        parameters = CategoricalMixture(r.mean(axis=0), counts / counts.sum(axis=2, keepdims=True))


def test_the_m_step_is_stationary():
    x = random_images(4, n=50, levels=3)
    trace = run(categorical_mixture(2, 3, half_steps=True), x, steps=3)
    assert trace[3].phase == M_STEP
    r = soft(log_joint(x, trace[2].parameters))
    one_hot = np.eye(3)[x]

    def objective(scores):
        logs = jax.nn.log_softmax(scores, axis=2)
        return jnp.einsum("nk,ndl,kdl->", r, one_hot, logs) + 2 / 3 * jnp.sum(logs)

    assert np.abs(jax.grad(objective)(jnp.log(trace[3].parameters.probabilities))).max() < 1e-4
    assert np.abs(jax.grad(objective)(jnp.log(trace[2].parameters.probabilities))).max() > 0.01


def test_levels_are_names_and_their_order_means_nothing():
    x = random_images(5, n=100, levels=4)
    mixture = random_mixture(5)
    renamed = np.array([2, 0, 3, 1])
    moved = np.empty_like(mixture.probabilities)
    moved[:, :, renamed] = mixture.probabilities
    trace = run(categorical_mixture(3, 4, start=mixture), x, steps=6)
    other = run(
        categorical_mixture(3, 4, start=mixture._replace(probabilities=moved)),
        renamed[x].astype(np.uint8),
        steps=6,
    )
    np.testing.assert_allclose(other.objective, trace.objective, rtol=1e-6)


def test_the_chunk_size_changes_nothing():
    x = random_images(6, n=100)
    runs = [run(categorical_mixture(3, 4, chunk=c), x, steps=5) for c in (7, 50, 100, None)]
    for other in runs[1:]:
        np.testing.assert_allclose(other.objective, runs[0].objective, rtol=1e-6)


def test_a_level_that_never_occurs_keeps_a_small_probability():
    x = random_images(7, n=60, levels=3)
    trace = run(categorical_mixture(2, 5), x, steps=5)
    assert np.all(trace[-1].parameters.probabilities > 0)
    assert np.all(np.isfinite(log_joint(np.full((1, 5), 4), trace[-1].parameters)))


def test_a_cluster_without_images_goes_to_the_priors_mode():
    mixture = random_mixture(8)
    dead = mixture._replace(weights=np.array([0.0, 0.5, 0.5]))
    toward = np.array([0.4, 0.3, 0.2, 0.1])
    trace = run(categorical_mixture(3, 4, toward=toward, start=dead), random_images(8), steps=2)
    assert trace.first_break() is None
    np.testing.assert_allclose(trace[2].parameters.probabilities[0], np.tile(toward, (5, 1)))


# Grey to levels


@pytest.mark.parametrize("levels", [2, 3, 4, 16, 256])
def test_levels_are_equally_wide_ordered_and_all_used(levels):
    grey = np.arange(256, dtype=np.uint8)
    got = to_levels(grey, levels)
    assert got.dtype == np.uint8
    assert np.all(np.diff(got.astype(int)) >= 0)
    widths = np.bincount(got, minlength=levels)
    assert len(widths) == levels
    assert widths.min() >= 1
    assert np.ptp(widths) <= 1
    assert to_levels(np.zeros((2, 3, 4), np.uint8), levels).shape == (2, 3, 4)


def test_level_mean_is_a_probability():
    mean = level_mean(random_images(9), 4)
    assert mean.shape == (5, 4)
    assert np.all(mean > 0)
    np.testing.assert_allclose(mean.sum(axis=1), 1)


# What it refuses


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros(5, dtype=np.uint8), "shape"),
        (np.array([[0, 3]], dtype=np.uint8), "3"),
        (np.array([[0.0, 0.5]]), "0.5"),
        (np.array([[0.0, np.nan]]), "nan"),
        (np.array([[0, -1]]), "-1"),
    ],
)
def test_images_that_are_not_levels_are_refused(x, words):
    with pytest.raises(ValueError, match=words):
        run(categorical_mixture(1, 3), x, steps=1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"k": 0, "levels": 3}, "at least one"),
        ({"k": 2, "levels": 1}, "2 to 256"),
        ({"k": 2, "levels": 300}, "2 to 256"),
        ({"k": 2, "levels": 3, "strength": -1.0}, "strength"),
        ({"k": 2, "levels": 3, "toward": [0.5, 0.5]}, "last axis is 3"),
        ({"k": 2, "levels": 3, "toward": [0.5, 0.5, 0.5]}, "sum to one"),
        ({"k": 2, "levels": 3, "toward": [1.0, 0.0, 0.0]}, "positive"),
        ({"k": 2, "levels": 3, "start": "k-means++"}, "random labels"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        categorical_mixture(**arguments)


def test_parameters_and_pictures_that_do_not_fit_are_refused():
    x = random_images(10)
    with pytest.raises(ValueError, match="5 pixels"):
        log_joint(x, random_mixture(10, d=6))
    with pytest.raises(ValueError, match="7 pixels"):
        run(categorical_mixture(2, 4, toward=np.full((7, 4), 0.25)), x, steps=1)
    with pytest.raises(ValueError, match="uint8"):
        to_levels(x / 255, 4)
