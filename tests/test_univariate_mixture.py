"""The mixture on a line: against the D-dimensional one, SciPy and scikit-learn; its promises."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.mixture import GaussianMixture as SklearnMixture

from latentsteps.data import old_faithful
from latentsteps.inference.em import E_STEP, M_STEP, bound, soft
from latentsteps.models import gaussian_mixture as clouds
from latentsteps.models.univariate_mixture import (
    UnivariateMixture,
    log_joint,
    univariate_mixture,
    update,
)
from latentsteps.trace import Trace, run

ERUPTIONS = old_faithful()[:, 0]
SIX = np.array([-1.0, -0.7, 0.1, 2.0, 2.2, 3.5])


def mixture(weights, means, variances):
    return UnivariateMixture(
        *(np.array(field, dtype=float) for field in (weights, means, variances))
    )


APART = mixture([0.5, 0.5], [2.5, 3.5], [1.0, 1.0])


def test_the_log_joint_is_scipys():
    parameters = mixture([0.2, 0.5, 0.3], [-1.0, 0.0, 40.0], [0.5, 2.0, 0.01])
    expected = norm.logpdf(SIX[:, None], parameters.means, np.sqrt(parameters.variances))
    expected = expected + np.log(parameters.weights)
    np.testing.assert_allclose(log_joint(SIX, parameters), expected, rtol=1e-12)


def test_a_weight_of_zero_is_minus_infinity_and_no_warning():
    joint = log_joint(SIX, mixture([0.0, 1.0], [0.0, 1.0], [1.0, 1.0]))
    assert (joint[:, 0] == -np.inf).all()
    assert soft(joint)[:, 1].tolist() == [1.0] * 6


def test_the_eruptions_end_where_they_are_known_to_end():
    trace = run(univariate_mixture(APART), ERUPTIONS, steps=400)
    assert trace.first_break() is None
    weights, means, variances = trace[-1].parameters
    # Published to six decimals.
    assert trace.objective[-1] == pytest.approx(-276.360040, abs=1e-6)
    np.testing.assert_allclose(weights, [0.348405, 0.651595], atol=1e-6)
    np.testing.assert_allclose(means, [2.018608, 4.273343], atol=1e-6)
    np.testing.assert_allclose(variances, [0.055518, 0.191024], atol=1e-6)
    theirs = SklearnMixture(2, tol=1e-13, max_iter=3000, reg_covar=0, random_state=0)
    theirs.fit(ERUPTIONS[:, None])
    total = theirs.score(ERUPTIONS[:, None]) * len(ERUPTIONS)
    assert total == pytest.approx(trace.objective[-1], abs=1e-7)


@pytest.mark.parametrize("half_steps", [True, False])
def test_it_is_the_cloud_mixture_at_one_dimension(half_steps):
    start = clouds.GaussianMixture(
        APART.weights, APART.means[:, None], APART.variances[:, None, None]
    )
    ours = run(univariate_mixture(APART, half_steps=half_steps), ERUPTIONS, steps=12)
    theirs = run(
        clouds.gaussian_mixture(2, start=start, half_steps=half_steps), ERUPTIONS[:, None], steps=12
    )
    np.testing.assert_allclose(ours.objective, theirs.objective, rtol=1e-11)
    for mine, other in zip(ours[-1].parameters, theirs[-1].parameters, strict=True):
        np.testing.assert_allclose(mine, np.ravel(other), rtol=1e-9)


def test_halves_change_what_they_should():
    trace = run(univariate_mixture(APART), ERUPTIONS, steps=2)
    first, moved, again = (trace[t] for t in range(3))
    assert [state.phase for state in (first, moved, again)] == [E_STEP, M_STEP, E_STEP]
    assert np.array_equal(first.expectations, moved.expectations)
    assert not np.array_equal(moved.expectations, again.expectations)
    assert all(
        np.array_equal(a, b) for a, b in zip(moved.parameters, again.parameters, strict=True)
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-50, 50), min_size=6, max_size=30, unique=True),
    st.integers(1, 4),
    st.integers(0, 2**31),
    st.sampled_from(["everything", "means"]),
)
def test_the_bound_never_falls(points, k, seed, learn):
    x, rng = np.array(points), np.random.default_rng(seed)
    start = mixture(
        rng.dirichlet(np.ones(k)),
        rng.uniform(x.min(), x.max(), k),
        x.var() * rng.uniform(0.1, 2, k),
    )
    trace = Trace(univariate_mixture(start, learn=learn), x)
    with suppress(ValueError):  # there is no maximum: a component may shrink onto one value
        for _ in range(14):
            trace.advance()
    assert trace.first_break() is None


def test_the_m_step_beats_its_neighbours():
    rng = np.random.default_rng(0)
    q = rng.dirichlet([1, 1], size=6)
    best = update(SIX, q, mixture([0.5, 0.5], [0, 1], [1, 1]))
    top = bound(log_joint(SIX, best), q)
    for _ in range(200):
        size = 10.0 ** rng.uniform(-4, -0.5)
        other = UnivariateMixture(
            rng.dirichlet(1000 * best.weights),
            best.means + size * rng.normal(size=2),
            best.variances * np.exp(size * rng.normal(size=2)),
        )
        assert bound(log_joint(SIX, other), q) < top


def test_means_alone_leave_the_rest():
    start = mixture([0.3, 0.7], [2.0, 4.0], [0.2, 0.3])
    end = run(univariate_mixture(start, learn="means"), ERUPTIONS, steps=20)[-1].parameters
    assert np.array_equal(end.weights, start.weights)
    assert np.array_equal(end.variances, start.variances)
    assert not np.array_equal(end.means, start.means)


def test_an_empty_component_stays_and_weighs_nothing():
    start = mixture([0.5, 0.5], [0.0, 1e6], [1.0, 1.0])
    end = run(univariate_mixture(start), SIX, steps=6)[-1].parameters
    assert end.weights[1] == 0
    assert end.means[1] == 1e6
    assert all(np.isfinite(field).all() for field in end)


def test_a_spike_is_named_in_words():
    start = mixture([0.02, 0.98], [3.6, 3.5], [0.001, 1.3])
    with pytest.raises(ValueError, match=r"component 0 has shrunk onto the value 3\.6"):
        run(univariate_mixture(start), ERUPTIONS, steps=100)


@pytest.mark.parametrize("shift", [0.0, 1e3, 1e6, 1e8])
def test_a_spike_is_noticed_far_from_zero_too(shift):
    """There the mean of equal numbers is another one: it differs in its last digit."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = np.r_[np.full(7, 1.3), rng.normal(size=50)] + shift
        share = np.r_[rng.uniform(0.1, 1, 7), np.zeros(50)]
        with pytest.raises(ValueError, match="component 0 has shrunk"):
            update(x, np.column_stack([share, 1 - share]), APART)


def test_means_that_reach_no_point_are_told_in_words():
    start = mixture([0.5, 0.5], [1e200, -1e200], [1.0, 1.0])
    with pytest.raises(ValueError, match="no probability under any component"):
        Trace(univariate_mixture(start), SIX)


@pytest.mark.parametrize("start", [None, 3, (1, 2), ("a", "b", "c")])
def test_a_start_of_another_kind_is_refused(start):
    with pytest.raises(ValueError, match="start"):
        univariate_mixture(start)


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_data_far_from_zero_lose_no_digits(shift):
    q = soft(log_joint(ERUPTIONS, APART))
    here = update(ERUPTIONS, q, APART).variances
    np.testing.assert_allclose(update(ERUPTIONS + shift, q, APART).variances, here, rtol=1e-8)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (mixture([0.5, 0.5], [0.0], [1.0]), "one K"),
        (mixture([0.5, 0.4], [0, 1], [1, 1]), "summing to 1"),
        (mixture([1.5, -0.5], [0, 1], [1, 1]), "summing to 1"),
        (mixture([0.5, 0.5], [0, 1], [1, 0]), "positive"),
        (mixture([0.5, 0.5], [0, np.nan], [1, 1]), "not finite"),
        (mixture([], [], []), "one K"),
    ],
)
def test_a_start_that_is_none_is_refused(start, words):
    with pytest.raises(ValueError, match=words):
        univariate_mixture(start)


def test_unknown_words_and_broken_data_are_refused():
    with pytest.raises(ValueError, match="learn is"):
        univariate_mixture(APART, learn="variances")
    for data, words in [
        (np.zeros((3, 2)), "shape"),
        (np.array([1.0, np.nan]), "finite"),
        (np.array([]), "shape"),
        (np.full(5, 2.0), "same number"),
    ]:
        with pytest.raises(ValueError, match=words):
            Trace(univariate_mixture(APART), data)
