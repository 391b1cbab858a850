"""The Bernoulli mixture against brute force, plain loops, a float64 NumPy EM and autodiff."""

import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from latentsteps import data
from latentsteps.inference.em import M_STEP
from latentsteps.jax64 import jax, jnp
from latentsteps.models.bernoulli_mixture import (
    BernoulliMixture,
    bernoulli_mixture,
    log_joint,
    mean_log_likelihood,
    pixel_mean,
    responsibilities,
)
from latentsteps.trace import run


@pytest.fixture(scope="module")
def digits():
    """2,500 binary digits: more than one chunk, and not a whole number of chunks."""
    return data.binarize_by_threshold(data.mnist().train_images[:2500])


def random_mixture(seed, k=3, d=6):
    random = np.random.default_rng(seed)
    return BernoulliMixture(random.dirichlet(np.ones(k)), random.uniform(0.05, 0.95, (k, d)))


def random_images(seed, n=40, d=6):
    """Drawn from a mixture of three, so that there is something to find."""
    mixture = random_mixture(seed + 1000, 3, d)
    random = np.random.default_rng(seed)
    pixels = mixture.probabilities[random.choice(3, size=n, p=mixture.weights)]
    return (random.random((n, d)) < pixels).astype(np.uint8)


problems = st.tuples(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 8))


def brute_log_joint(x, weights, probabilities):
    """Factor by factor, as the model is written down."""
    joint = np.empty((len(x), len(weights)))
    for n, image in enumerate(x):
        for k, (weight, picture) in enumerate(zip(weights, probabilities, strict=True)):
            factors = [p if pixel else 1 - p for pixel, p in zip(image, picture, strict=True)]
            joint[n, k] = math.log(weight * math.prod(factors))
    return joint


def numpy_em(x, parameters, steps, strength=2.0, toward=0.5, hard=False):
    """MAP EM in float64, written down without a thought to speed. Parameters after each step."""
    x = x.astype(np.float64)
    path = []
    for _ in range(steps):
        weights, probabilities = parameters
        with np.errstate(divide="ignore"):
            joint = (
                np.log(weights)
                + x @ np.log(probabilities).T
                + (1 - x) @ np.log(1 - probabilities).T
            )
        r = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        if hard:
            r = np.eye(len(weights))[joint.argmax(axis=1)]
        counts = r.sum(axis=0)
        parameters = BernoulliMixture(
            counts / len(x), (r.T @ x + strength * toward) / (counts[:, None] + strength)
        )
        path.append(parameters)
    return path


def loop_labels(x, parameters):
    """The likeliest cluster of each image by a plain double loop, ties to the first."""
    labels = []
    for image in x:
        on = image.astype(bool)
        best, label = -math.inf, 0
        for k, (weight, picture) in enumerate(zip(*parameters, strict=True)):
            score = math.log(weight) if weight > 0 else -math.inf
            score += np.log(picture[on]).sum() + np.log1p(-picture[~on]).sum()
            if score > best:
                best, label = score, k
        labels.append(label)
    return np.array(labels)


# The model


def test_log_joint_is_the_product_of_its_factors_on_six_images():
    mixture = random_mixture(0)
    x = random_images(0, n=6)
    np.testing.assert_allclose(log_joint(x, mixture), brute_log_joint(x, *mixture), rtol=1e-12)


def test_probabilities_of_all_tiny_images_sum_to_one():
    every = np.array(list(itertools.product([0, 1], repeat=8)), dtype=np.uint8)
    for seed in range(5):
        joint = log_joint(every, random_mixture(seed, k=4, d=8))
        assert np.exp(joint).sum() == pytest.approx(1, abs=1e-12)


@given(problem=problems, k=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_responsibilities_are_bayes_rule(problem, k):
    seed, n, d = problem
    mixture, x = random_mixture(seed, k, d), random_images(seed, n, d)
    joint = np.exp(brute_log_joint(x, *mixture))
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(responsibilities(x, mixture), expected, rtol=1e-9, atol=1e-14)


def test_responsibilities_survive_where_all_probabilities_underflow(digits):
    mixture = BernoulliMixture(np.array([0.5, 0.5]), np.full((2, 784), 1e-6))
    r = responsibilities(digits[:5], mixture)
    assert log_joint(digits[:5], mixture).max() < -745  # exp of it is zero
    np.testing.assert_allclose(r, 0.5)


def test_mean_log_likelihood_is_the_mean_over_images_chunk_by_chunk(digits):
    mixture = random_mixture(1, k=4, d=784)
    x = digits.astype(np.float64)
    joint = np.log(mixture.weights) + x @ np.log(mixture.probabilities).T
    joint += (1 - x) @ np.log(1 - mixture.probabilities).T
    expected = logsumexp(joint, axis=1).mean()
    assert mean_log_likelihood(digits, mixture) == pytest.approx(expected, rel=1e-12)


def test_stepmix_gives_its_own_fit_the_same_log_likelihood():
    import stepmix

    x = random_images(2, n=400, d=12)
    model = stepmix.StepMix(n_components=3, measurement="binary", progress_bar=0, random_state=0)
    model.fit(x.astype(float))
    found = model.get_parameters()
    mixture = BernoulliMixture(found["weights"], found["measurement"]["pis"])
    expected = model.score(x.astype(float))
    assert mean_log_likelihood(x, mixture) == pytest.approx(expected, rel=1e-9)


def test_a_cluster_of_weight_zero_takes_nothing_and_gives_no_nan():
    mixture = random_mixture(3)
    dead = BernoulliMixture(np.array([0.0, 0.5, 0.5]), mixture.probabilities)
    x = random_images(3)
    assert np.all(np.isneginf(log_joint(x, dead)[:, 0]))
    assert np.all(responsibilities(x, dead)[:, 0] == 0)
    for hard in (False, True):
        trace = run(bernoulli_mixture(3, hard=hard, start=dead), x, steps=5)
        assert np.all(np.isfinite(trace.objective))
        assert trace.first_break() is None
        assert trace[-1].parameters.weights[0] == 0
        np.testing.assert_allclose(trace[-1].parameters.probabilities[0], 0.5)  # the prior's mode


# EM


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("toward", ["half", "pixel mean"])
def test_em_equals_a_float64_numpy_em(digits, hard, toward):
    toward = 0.5 if toward == "half" else pixel_mean(digits)
    algorithm = bernoulli_mixture(10, hard=hard, strength=3.0, toward=toward)
    trace = run(algorithm, digits, seed=1, steps=8)
    oracle = numpy_em(digits, trace[0].parameters, 8, 3.0, toward, hard)
    for state, expected in zip(list(trace)[1:], oracle, strict=True):
        np.testing.assert_allclose(state.parameters.weights, expected.weights, atol=2e-5)
        np.testing.assert_allclose(
            state.parameters.probabilities, expected.probabilities, atol=1e-4
        )


@pytest.mark.parametrize("hard", [False, True])
def test_the_objective_is_the_bound_plus_the_log_prior(hard):
    x = random_images(5, n=60)
    toward = np.linspace(0.1, 0.9, 6)
    algorithm = bernoulli_mixture(3, hard=hard, strength=4.0, toward=toward, half_steps=True)
    trace = run(algorithm, x, steps=5)
    q = None
    for moment in map(trace.at, range(len(trace))):
        parameters = moment.state.parameters
        joint = brute_log_joint(x, *parameters)
        if moment.info.phase != M_STEP:  # the M step keeps the q of the E step before
            q = np.eye(3)[joint.argmax(axis=1)] if hard else responsibilities(x, parameters)
        surely = np.where(q > 0, q, 1)
        bound = np.sum(q * joint - q * np.log(surely))
        theta = parameters.probabilities
        prior = 4 * np.sum(toward * np.log(theta) + (1 - toward) * np.log(1 - theta))
        assert moment.info.objective == pytest.approx(bound + prior, rel=1e-6)


@given(
    problem=problems,
    k=st.integers(1, 5),
    hard=st.booleans(),
    start=st.sampled_from(["random images", "random labels"]),
    strength=st.sampled_from([0.01, 1.0, 2.0, 20.0]),
)
@settings(max_examples=60, deadline=None)
def test_no_half_step_lowers_the_objective(problem, k, hard, start, strength):
    seed, n, d = problem
    k = min(k, n)
    x = random_images(seed, n, d)
    algorithm = bernoulli_mixture(k, hard=hard, start=start, strength=strength, half_steps=True)
    trace = run(algorithm, x, seed, steps=12)
    assert trace.first_break() is None
    assert np.all(np.isfinite(trace.objective))


def test_plain_log_likelihood_does_fall_where_the_objective_does_not():
    """So the test above could fail: what is climbed is the log-likelihood plus the log prior."""
    x = random_images(6, n=30)
    start = run(bernoulli_mixture(3, strength=0.01), x, steps=50)[-1].parameters
    trace = run(bernoulli_mixture(3, start=start, strength=30.0), x, steps=10)
    plain = [mean_log_likelihood(x, state.parameters) for state in trace]
    assert trace.first_break() is None
    assert min(np.diff(plain)) < -0.01


@pytest.mark.parametrize("toward", [0.5, 0.2])
def test_the_m_step_is_stationary(toward):
    x = random_images(7, n=50)
    trace = run(bernoulli_mixture(3, strength=2.0, toward=toward, half_steps=True), x, steps=3)
    assert trace[3].phase == M_STEP
    r = responsibilities(x, trace[2].parameters)

    def objective(weight_scores, logits):
        theta = jax.nn.sigmoid(logits)
        joint = x @ jnp.log(theta).T + (1 - x) @ jnp.log(1 - theta).T
        expected = jnp.sum(r * (jax.nn.log_softmax(weight_scores) + joint))
        return expected + 2 * jnp.sum(toward * jnp.log(theta) + (1 - toward) * jnp.log(1 - theta))

    weights, theta = trace[3].parameters
    slopes = jax.grad(objective, (0, 1))(jnp.log(weights), jnp.log(theta) - jnp.log1p(-theta))
    before, theta_before = trace[2].parameters
    steep = jax.grad(objective, (0, 1))(
        jnp.log(before), jnp.log(theta_before) - jnp.log1p(-theta_before)
    )
    for slope, other in zip(slopes, steep, strict=True):
        assert np.abs(slope).max() < 1e-4
        assert np.abs(other).max() > 0.01


def test_half_steps_end_where_whole_steps_end():
    x = random_images(8)
    whole = run(bernoulli_mixture(3), x, seed=5, steps=6)
    halves = run(bernoulli_mixture(3, half_steps=True), x, seed=5, steps=12)
    for got, expected in zip(halves[12].parameters, whole[6].parameters, strict=True):
        assert np.array_equal(got, expected)
    np.testing.assert_array_equal(halves.objective[::2], whole.objective)


def test_hard_assignments_equal_a_plain_loop_label_for_label(digits):
    trace = run(bernoulli_mixture(20, hard=True), digits, seed=3, steps=10)
    for state in trace:
        labels = loop_labels(digits, state.parameters)
        on = np.array([digits[labels == k].sum(axis=0) for k in range(20)])
        np.testing.assert_array_equal(state.expectations.counts, np.bincount(labels, minlength=20))
        np.testing.assert_array_equal(state.expectations.on, on)
        assert state.expectations.entropy == 0


def test_ties_go_to_the_first_cluster():
    x = random_images(9)
    same = BernoulliMixture(np.full(4, 0.25), np.full((4, 6), 0.5))
    trace = run(bernoulli_mixture(4, hard=True, start=same), x, steps=0)
    np.testing.assert_array_equal(trace[0].expectations.counts, [len(x), 0, 0, 0])


@pytest.mark.parametrize("hard", [False, True])
def test_the_chunk_size_changes_nothing(digits, hard):
    runs = [
        run(bernoulli_mixture(5, hard=hard, chunk=chunk), digits, steps=4)
        for chunk in (1, 499, 1250, 2500, 10_000)
    ]
    for other in runs[1:]:
        np.testing.assert_allclose(other.objective, runs[0].objective, rtol=1e-7)
        np.testing.assert_allclose(
            other[4].parameters.probabilities, runs[0][4].parameters.probabilities, atol=1e-4
        )


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot pin processes")
def test_one_processor_gives_the_same_fit():
    """JAX takes as many threads as it finds processors; more threads sum in another order."""
    script = """
import os, sys
if sys.argv[1] == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
from latentsteps.models.bernoulli_mixture import bernoulli_mixture
from latentsteps.trace import run
x = (np.random.default_rng(0).random((3000, 200)) < np.linspace(0.1, 0.9, 200)).astype(np.uint8)
print(*map(repr, map(float, run(bernoulli_mixture(20), x, steps=10).objective)))
"""
    one, all_of_them = (
        np.array(
            subprocess.run(
                [sys.executable, "-c", script, which], check=True, capture_output=True, text=True
            ).stdout.split(),
            dtype=float,
        )
        for which in ("one", "all")
    )
    assert len(one) == 11
    np.testing.assert_allclose(one, all_of_them, rtol=1e-7)


def test_relabelling_the_clusters_relabels_the_answer():
    x = random_images(10)
    mixture = random_mixture(10, k=4)
    order = [2, 0, 3, 1]
    moved = BernoulliMixture(mixture.weights[order], mixture.probabilities[order])
    trace = run(bernoulli_mixture(4, start=mixture), x, steps=5)
    other = run(bernoulli_mixture(4, start=moved), x, steps=5)
    np.testing.assert_allclose(other.objective, trace.objective, rtol=1e-6)
    np.testing.assert_allclose(
        other[5].parameters.probabilities, trace[5].parameters.probabilities[order], atol=1e-4
    )


def test_images_in_another_order_give_the_same_fit():
    x = random_images(11, n=200)
    mixture = random_mixture(11)
    order = np.random.default_rng(0).permutation(len(x))
    trace = run(bernoulli_mixture(3, start=mixture), x, steps=10)
    other = run(bernoulli_mixture(3, start=mixture), x[order], steps=10)
    np.testing.assert_allclose(other.objective, trace.objective, rtol=1e-6)


def test_writing_every_image_twice_and_doubling_the_prior_gives_the_same_parameters():
    x = random_images(12, n=50)
    mixture = random_mixture(12)
    once = run(bernoulli_mixture(3, start=mixture, strength=2.0), x, steps=10)
    twice = run(bernoulli_mixture(3, start=mixture, strength=4.0), np.tile(x, (2, 1)), steps=10)
    np.testing.assert_allclose(twice.objective, 2 * once.objective, rtol=1e-5)
    np.testing.assert_allclose(
        twice[10].parameters.probabilities, once[10].parameters.probabilities, atol=1e-4
    )


def test_one_cluster_is_the_smoothed_mean_picture_after_one_step(digits):
    trace = run(bernoulli_mixture(1), digits, steps=1)
    np.testing.assert_allclose(trace[1].parameters.probabilities[0], pixel_mean(digits), atol=1e-6)
    np.testing.assert_array_equal(trace[1].parameters.weights, [1.0])


@pytest.mark.parametrize("hard", [False, True])
def test_constant_pixels_and_a_picture_of_means_stay_inside_zero_and_one(hard):
    x = random_images(13, n=500)
    x[:, 0], x[:, 1] = 0, 1
    algorithm = bernoulli_mixture(4, hard=hard, strength=1e-3, toward=pixel_mean(x))
    trace = run(algorithm, x, steps=30)
    probabilities = trace[-1].parameters.probabilities
    assert np.all((probabilities > 0) & (probabilities < 1))
    assert trace.first_break() is None


def test_identical_images_are_no_trouble():
    x = np.tile(np.array([[0, 1, 1, 0]], dtype=np.uint8), (7, 1))
    trace = run(bernoulli_mixture(3), x, steps=20)
    assert trace.first_break() is None
    theta = trace[-1].parameters.weights @ trace[-1].parameters.probabilities
    assert np.all((theta > 0.5) == x[0])


def test_more_clusters_than_images_can_start_at_labels_but_not_at_images():
    x = random_images(14, n=3)
    trace = run(bernoulli_mixture(5, start="random labels"), x, steps=10)
    assert trace.first_break() is None
    with pytest.raises(ValueError, match="there are only 3"):
        run(bernoulli_mixture(5), x, steps=1)


def test_the_seed_decides_the_start_and_nothing_else():
    x = random_images(15)
    for start in ("random images", "random labels"):
        algorithm = bernoulli_mixture(3, start=start)
        first, again, other = (run(algorithm, x, seed, steps=3) for seed in (0, 0, 1))
        assert np.array_equal(first.objective, again.objective)
        assert not np.array_equal(first.objective, other.objective)


def test_the_images_are_the_same_in_every_type_that_holds_zeros_and_ones():
    x = random_images(16)
    expected = run(bernoulli_mixture(3), x, steps=3).objective
    for dtype in (bool, np.int64, np.float32, np.float64):
        assert np.array_equal(
            run(bernoulli_mixture(3), x.astype(dtype), steps=3).objective, expected
        )


def test_an_array_written_to_between_steps_is_read_again():
    """The copy on JAX's side must not outlive what it is a copy of."""
    algorithm = bernoulli_mixture(3, start=random_mixture(17))
    x = random_images(17)
    state, _ = algorithm.init((0, 0), x)
    before = algorithm.step((0, 1), state, x)[0].expectations.on
    x[:] = 1 - x
    after = algorithm.step((0, 1), state, x)[0].expectations.on
    assert not np.allclose(before, after)


# What it refuses


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros(5, dtype=np.uint8), "shape"),
        (np.zeros((0, 5), dtype=np.uint8), "shape"),
        (np.zeros((5, 2, 2), dtype=np.uint8), "shape"),
        (np.array([[0, 255]], dtype=np.uint8), "255"),
        (np.array([[0.0, 0.25]]), "0.25"),
        (np.array([[0.0, np.nan]]), "nan"),
        (np.array([[0, -1]]), "-1"),
    ],
)
def test_images_that_are_not_zeros_and_ones_are_refused(x, words):
    with pytest.raises(ValueError, match=words):
        run(bernoulli_mixture(1), x, steps=1)
    with pytest.raises(ValueError, match=words):
        pixel_mean(x)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"k": 0}, "at least one"),
        ({"k": 2, "strength": 0.0}, "strength"),
        ({"k": 2, "strength": np.nan}, "strength"),
        ({"k": 2, "toward": 1.0}, "between 0 and 1"),
        ({"k": 2, "toward": np.array([0.5, np.nan])}, "between 0 and 1"),
        ({"k": 2, "start": "k-means++"}, "random labels"),
        ({"k": 2, "start": np.zeros((2, 6))}, "random labels"),
        ({"k": 2, "start": random_mixture(0)}, "3 clusters"),
        ({"k": 2, "chunk": 0}, "chunk"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        bernoulli_mixture(**arguments)


def test_parameters_that_do_not_fit_are_refused():
    x = random_images(18)
    good = random_mixture(18)
    with pytest.raises(ValueError, match="6 pixels"):
        log_joint(x, random_mixture(18, d=5))
    with pytest.raises(ValueError, match="smooth"):
        log_joint(x, good._replace(probabilities=np.round(good.probabilities)))
    with pytest.raises(ValueError, match="shares"):
        log_joint(x, good._replace(weights=good.weights * 2))
    with pytest.raises(ValueError, match="4 pixels"):
        run(bernoulli_mixture(2, toward=np.full(4, 0.5)), x, steps=1)
