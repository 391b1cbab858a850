"""EM from its parts: order of the halves, q and the bound against brute force, right and wrong."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import logsumexp

from latentsteps.inference.em import E_STEP, M_STEP, bound, em, hard, soft
from latentsteps.trace import run


class Templates(NamedTuple):
    weights: np.ndarray
    probabilities: np.ndarray


def log_joint(x, parameters):
    weights, p = parameters
    return np.log(weights) + x @ np.log(p).T + (1 - x) @ np.log1p(-p).T


def start(key, x):
    probabilities = np.random.default_rng(key).uniform(0.25, 0.75, size=(3, x.shape[1]))
    return Templates(np.full(3, 1 / 3), probabilities)


def m_step(x, q, old):
    counts = q.sum(axis=0)
    # One made-up image of each kind keeps every probability inside (0, 1): a Beta(2, 2) prior.
    return Templates(counts / len(x), (q.T @ x + 1) / (counts[:, None] + 2))


def objective(x, parameters, q):
    p = parameters.probabilities
    with np.errstate(divide="ignore"):
        joint = log_joint(x, parameters)
    return bound(joint, q) + np.sum(np.log(p) + np.log1p(-p))


def bernoulli_mixture(q=soft, half_steps=False, **parts):
    def e_step(x, parameters):
        with np.errstate(divide="ignore"):
            return q(log_joint(x, parameters))

    parts = {"init": start, "e_step": e_step, "m_step": m_step, "objective": objective, **parts}
    return em(half_steps=half_steps, name="templates", **parts)


@pytest.fixture
def images():
    """60 images of 8 pixels from three clear templates."""
    rng = np.random.default_rng(0)
    templates = rng.choice([0.1, 0.9], size=(3, 8))
    return (rng.random((60, 8)) < templates[np.arange(60) % 3]).astype(np.float64)


# Log probabilities of N points under K components, impossible ones among them.
log_joints = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 4)),
    elements=st.floats(-50, 10) | st.just(-np.inf),
)


@given(log_joints)
def test_soft_is_the_posterior(joint):
    # A point that no component can have produced has no posterior.
    joint = joint[np.isfinite(joint).any(axis=1)]
    for row, q in zip(joint.tolist(), soft(joint), strict=True):
        evidence = math.fsum(math.exp(value) for value in row)
        np.testing.assert_allclose(q, [math.exp(value) / evidence for value in row], atol=1e-15)
        assert q.sum() == pytest.approx(1, abs=1e-14)
        assert all(q[np.isneginf(row)] == 0)


def test_soft_does_not_underflow_far_from_every_component():
    np.testing.assert_allclose(
        soft(np.array([[-1e6, -1e6 - math.log(3)], [-1e300, 0]])), [[0.75, 0.25], [0, 1]], rtol=1e-9
    )


def test_soft_computes_in_float64_whatever_comes_in():
    assert soft(np.array([[1, 2]])).dtype == np.float64
    assert soft(np.array([[1, 2]], dtype=np.float32)).dtype == np.float64


@given(log_joints)
def test_hard_picks_the_first_of_the_most_probable(joint):
    q = hard(joint)
    for row, one_hot in zip(joint.tolist(), q.tolist(), strict=True):
        assert one_hot.index(1.0) == row.index(max(row))
        assert sorted(one_hot) == [0.0] * (len(row) - 1) + [1.0]


@given(log_joints, st.data())
@pytest.mark.filterwarnings("error")
def test_bound_is_the_sum_it_says(joint, data):
    counts = data.draw(hnp.arrays(np.int64, joint.shape, elements=st.integers(0, 4)))
    q = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    total = 0.0
    for n in range(joint.shape[0]):
        for k in range(joint.shape[1]):
            if q[n, k] > 0:
                total += q[n, k] * (joint[n, k] - math.log(q[n, k]))
    assert bound(joint, q) == pytest.approx(total, rel=1e-12, abs=1e-12)


@given(log_joints, st.data())
def test_bound_touches_the_log_likelihood_at_the_posterior_only(joint, data):
    joint = joint[np.isfinite(joint).any(axis=1)]
    log_likelihood = float(logsumexp(joint, axis=1).sum()) if len(joint) else 0.0
    assert bound(joint, soft(joint)) == pytest.approx(log_likelihood, rel=1e-12, abs=1e-10)
    weights = data.draw(hnp.arrays(np.float64, joint.shape, elements=st.floats(0.01, 1)))
    other = weights / weights.sum(axis=1, keepdims=True)
    assert bound(joint, other) <= log_likelihood + 1e-9


def test_bound_with_one_hot_q_is_the_classification_likelihood():
    joint = np.array([[-1.0, -np.inf], [-5.0, -2.0]])
    assert bound(joint, hard(joint)) == -3.0
    assert bound(joint, np.array([[0.0, 1.0], [0.0, 1.0]])) == -np.inf


def test_bound_of_no_distribution_is_nan():
    assert math.isnan(bound(np.zeros((1, 2)), np.array([[1.5, -0.5]])))
    assert math.isnan(bound(np.zeros((1, 2)), np.array([[np.nan, 1.0]])))


def test_half_steps_alternate_and_change_one_thing_each(images):
    trace = run(bernoulli_mixture(half_steps=True), images, steps=9)
    assert [state.phase for state in trace] == [E_STEP, M_STEP] * 5
    assert [info.phase for info in trace.infos] == [E_STEP, M_STEP] * 5
    for t in range(1, 10):
        before, after = trace[t - 1], trace[t]
        same_parameters = np.array_equal(
            before.parameters.probabilities, after.parameters.probabilities
        )
        same_q = np.array_equal(before.expectations, after.expectations)
        assert (same_parameters, same_q) == ((True, False) if t % 2 == 0 else (False, True))


def test_fused_steps_are_every_second_half_step(images):
    halves = run(bernoulli_mixture(half_steps=True), images, seed=5, steps=12)
    fused = run(bernoulli_mixture(), images, seed=5, steps=6)
    np.testing.assert_array_equal(fused.objective, halves.objective[::2])
    for t in range(7):
        assert fused[t].phase == E_STEP
        np.testing.assert_array_equal(fused[t].expectations, halves[2 * t].expectations)
        np.testing.assert_array_equal(
            fused[t].parameters.probabilities, halves[2 * t].parameters.probabilities
        )


def test_expectations_and_objective_belong_to_the_parameters_beside_them(images):
    for state, value in zip(
        trace := run(bernoulli_mixture(), images, steps=4), trace.objective, strict=True
    ):
        np.testing.assert_array_equal(state.expectations, soft(log_joint(images, state.parameters)))
        assert value == objective(images, *state[:2])


@pytest.mark.parametrize("q", [soft, hard])
@pytest.mark.parametrize("half_steps", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_soft_and_classification_em_never_fall(q, half_steps, seed, images):
    trace = run(bernoulli_mixture(q, half_steps), images, seed, steps=40)
    assert trace.first_break() is None
    assert trace.objective[-1] > trace.objective[0] + 10
    if q is hard:
        assert set(np.unique(trace[-1].expectations)) == {0.0, 1.0}
        # One-hot q leaves no entropy: what is climbed is log p of each image in its cluster.
        joint = log_joint(images, trace[-1].parameters)
        p = trace[-1].parameters.probabilities
        expected = joint.max(axis=1).sum() + np.sum(np.log(p) + np.log1p(-p))
        assert trace.objective[-1] == pytest.approx(expected, rel=1e-12)


def test_soft_em_ends_at_a_stationary_point(images):
    """At the end the prior's pull and the data's balance: no pixel wants to change."""
    trace = run(bernoulli_mixture(), images, steps=2000)
    end = trace[-1]
    nudge = 1e-5
    for k in range(3):
        for d in range(8):
            values = []
            for sign in (-1, 1):
                p = end.parameters.probabilities.copy()
                p[k, d] += sign * nudge
                moved = Templates(end.parameters.weights, p)
                values.append(objective(images, moved, soft(log_joint(images, moved))))
            assert abs(values[1] - values[0]) / (2 * nudge) < 1e-3


def test_a_learners_if_on_an_array_works(images):
    def e_step(x, parameters):
        q = np.zeros((len(x), 3))
        for n in range(len(x)):
            joint = log_joint(x[n : n + 1], parameters)[0]
            if joint.max() > -1e9:
                q[n] = np.exp(joint - joint.max())
                q[n] /= q[n].sum()
        return q

    trace = run(bernoulli_mixture(e_step=e_step), images, steps=10)
    np.testing.assert_allclose(
        trace.objective, run(bernoulli_mixture(), images, steps=10).objective, rtol=1e-12
    )


def test_parts_get_plain_arrays_and_may_not_write_to_what_is_recorded(images):
    def in_place(x, q, old):
        assert type(q) is np.ndarray
        assert type(x) is np.ndarray
        old.probabilities[:] = 0.5
        return old

    with pytest.raises(ValueError, match="read-only"):
        run(bernoulli_mixture(m_step=in_place), images, steps=1)


# What goes wrong when people write EM, and must show in the objective.
def over_images(x, parameters):
    return soft(log_joint(x, parameters).T).T


def without_normalising(x, parameters):
    return np.exp(log_joint(x, parameters))


def flipped(x, q, old):
    return m_step(1 - x, q, old)


def test_an_e_step_normalised_over_the_wrong_axis_is_a_break(images):
    for half_steps in (False, True):
        wrong = run(bernoulli_mixture(e_step=over_images, half_steps=half_steps), images, steps=10)
        assert wrong.first_break() is not None


@pytest.mark.parametrize("part", [{"e_step": without_normalising}, {"m_step": flipped}])
def test_other_wrong_halves_are_breaks_in_half_steps(part, images):
    wrong = run(bernoulli_mixture(half_steps=True, **part), images, steps=20)
    assert wrong.first_break() is not None
