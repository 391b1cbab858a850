"""The recognition network against sums written out in NumPy, its bound, and the blobs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_softmax, logsumexp

from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.models.bnnc import log_joint, log_likelihood
from latentsteps.models.recognition_compiled import compiled
from latentsteps.models.recognition_network import elbo, log_recognition, recognition_network
from latentsteps.simulated import blobs
from latentsteps.trace import Trace, run

FOUR, EIGHT = blobs(4), blobs(8)


@pytest.fixture(scope="module")
def runs():
    """Several seeds on the eight blobs, from both starts: only the first one compiles."""
    starts = ("k-means", "random points")
    return [
        run(recognition_network(start=start), EIGHT.x, seed, steps=60)
        for start in starts
        for seed in range(4)
    ]


@pytest.fixture(scope="module")
def many(runs):
    """Every tenth state of every run, with its info."""
    return [(trace[t], trace.infos[t]) for trace in runs for t in range(0, 61, 10)]


def test_the_bound_stays_below_and_the_gap_is_the_divergence(many):
    for state, info in many:
        assert info.objective <= info.log_likelihood
        assert info.gap >= 0
        assert info.log_likelihood - info.objective == pytest.approx(info.gap, abs=1e-6)
        kept = np.isfinite(state.position["log_weights"])
        log_q = log_recognition(EIGHT.x, state)[:, kept]
        np.testing.assert_allclose(np.exp(log_q).sum(axis=1), 1, rtol=1e-12)
        # Not by SciPy's rel_entr: at the start some p(k | x) are below the smallest float64.
        log_r = log_softmax(log_joint(EIGHT.x, state.position).T[:, kept], axis=1)
        divergence = (np.exp(log_q) * (log_q - log_r)).sum()
        assert info.gap == pytest.approx(divergence, rel=1e-9, abs=1e-9)


def test_the_infos_are_those_of_the_formulas(many):
    for state, info in many:
        position = state.position
        alive = np.isfinite(position["log_weights"])
        normal = stats.norm(position["means"], position["scales"])
        normals = normal.logpdf(EIGHT.x[:, None]).sum(axis=2)
        exact = logsumexp(position["log_weights"] + normals, axis=1).sum()
        assert info.log_likelihood == pytest.approx(exact, rel=1e-10)
        assert info.log_likelihood == pytest.approx(
            log_likelihood(EIGHT.x, position).item(), rel=1e-10
        )
        ones = np.column_stack([np.ones(500), EIGHT.x])
        network = state.network
        units = np.tanh(ones @ network["hidden_weights"])
        log_q = log_softmax(units @ network["output_weights"] + network["output_biases"], axis=1)
        np.testing.assert_allclose(log_recognition(EIGHT.x, state), log_q, rtol=1e-9)
        joint = (position["log_weights"] + normals)[:, alive]
        own = (np.exp(log_q[:, alive]) * (joint - log_q[:, alive])).sum(axis=1)
        np.testing.assert_allclose(elbo(EIGHT.x, position, log_q), own, rtol=1e-9, atol=1e-9)
        assert info.objective == pytest.approx(own.sum(), rel=1e-9)
        assert info.components == alive.sum()
        numbers = 5 * info.components - 1
        expected = info.objective - numbers / 2 * np.log(500)
        assert info.score == pytest.approx(expected, rel=1e-12)


def test_exact_responsibilities_close_the_gap(many):
    state, _ = many[0]  # the start, where the network is farthest from them
    joint = log_joint(EIGHT.x, state.position).T
    exact = logsumexp(joint, axis=1)
    closed = elbo(EIGHT.x, state.position, joint - exact[:, None])
    np.testing.assert_allclose(closed, exact, rtol=1e-10)
    random = np.random.default_rng(0)
    for _ in range(200):
        log_q = np.log(random.dirichlet(np.full(11, 0.2), size=500))
        assert (elbo(EIGHT.x, state.position, log_q) <= exact + 1e-9).all()


def test_hard_guesses_have_no_entropy():
    position = {
        "log_weights": np.log([0.25, 0.75]),
        "means": np.array([[0.0], [2.0]]),
        "scales": np.ones((2, 1)),
    }
    with np.errstate(divide="ignore"):
        log_q = np.log([[1.0, 0.0], [0.0, 1.0]])
    expected = np.log([0.25, 0.75]) + stats.norm([0, 2]).logpdf([0.5, 1.0])
    np.testing.assert_allclose(elbo([[0.5], [1.0]], position, log_q), expected, rtol=1e-12)


def test_the_network_learns_and_gone_components_stay_away(runs):
    # Clusters of k-means are narrow and side by side: that takes a network time to learn.
    assert min(trace.infos[0].gap for trace in runs[:4]) > 100  # measured: 1,000 to 8,600 nats
    for trace in runs:
        assert trace.infos[-1].gap < 5  # measured: .1 to .4 nats
        counts = np.array([info.components for info in trace.infos])
        assert (counts[:20] == 11).all()
        assert [info.charged for info in trace.infos] == [False] * 20 + [True] * 41
        assert (np.diff(counts) <= 0).all()
        assert counts[-1] < 11
        for t in (30, 60):
            q = np.exp(log_recognition(EIGHT.x, trace[t]))
            kept = np.isfinite(trace[t].position["log_weights"])
            assert (q[:, kept].sum(axis=0) > 2).all()  # half of the four numbers of a component
            assert (q[:, ~kept] == 0).all()


def test_the_best_score_is_the_right_number_of_blobs(runs):
    best = max(runs, key=lambda trace: trace.infos[-1].score)
    assert best.infos[-1].components == 8
    labels = log_recognition(EIGHT.x, best[-1]).argmax(axis=1)
    assert adjusted_rand(EIGHT.labels, labels) > 0.95  # two of the blobs overlap
    # Some runs end elsewhere, with a gap as small: that the network knows the mixture says nothing
    # about whether the mixture is good.
    others = [trace.infos[-1] for trace in runs if trace.infos[-1].components < 8]
    assert others
    assert min(info.gap for info in others) < 1
    # The bound alone would choose the run with most components.
    never = run(recognition_network(prune_from=1000), EIGHT.x, 1, steps=60)
    assert never.infos[-1].components == 11
    assert never.infos[-1].objective > best.infos[-1].objective
    assert never.infos[-1].score < best.infos[-1].score


def test_four_blobs_are_four():
    traces = [run(recognition_network(), FOUR.x, seed, steps=60) for seed in range(4)]
    best = max(traces, key=lambda trace: trace.infos[-1].score)
    assert best.infos[-1].components == 4
    assert adjusted_rand(FOUR.labels, log_recognition(FOUR.x, best[-1]).argmax(axis=1)) == 1


def test_units_of_the_data_change_nothing_but_the_density():
    unit, place = np.array([1000.0, 0.01]), np.array([5e4, -3.0])
    one = run(recognition_network(prune_from=2), FOUR.x, 3, steps=4)
    other = run(recognition_network(prune_from=2), FOUR.x * unit + place, 3, steps=4)
    density = 500 * np.log(unit).sum()
    assert other.infos[-1].objective == pytest.approx(one.infos[-1].objective - density, rel=1e-6)
    means = other[-1].position["means"]
    np.testing.assert_allclose((means - place) / unit, one[-1].position["means"], atol=1e-4)
    np.testing.assert_allclose(
        np.exp(log_recognition(FOUR.x * unit + place, other[-1])),
        np.exp(log_recognition(FOUR.x, one[-1])),
        atol=1e-5,
    )


def in_spreads(state):
    return (state.position["means"] - FOUR.x.mean(axis=0)) / FOUR.x.std(axis=0)


def test_the_learning_rate_is_adams_step_and_updates_are_counted():
    for rate in (0.02, 0.005):
        # The first step of Adam is the rate in every number, its gradient's sign apart.
        trace = run(recognition_network(updates=1, learning_rate=rate), FOUR.x, 0, steps=1)
        moved = abs(in_spreads(trace[1]) - in_spreads(trace[0]))
        np.testing.assert_allclose(moved, rate, rtol=1e-3)
    tens = run(recognition_network(updates=10), FOUR.x, 0, steps=2)
    twenty = run(recognition_network(updates=20), FOUR.x, 0, steps=1)
    np.testing.assert_allclose(in_spreads(tens[2]), in_spreads(twenty[1]), rtol=1e-9)
    assert abs(in_spreads(tens[1]) - in_spreads(twenty[1])).max() > 1e-3


def test_the_charge_begins_at_its_state():
    charged = run(recognition_network(prune_from=3), FOUR.x, 0, steps=3)
    never = run(recognition_network(prune_from=1000), FOUR.x, 0, steps=3)
    for t in range(3):
        np.testing.assert_array_equal(
            charged[t].position["log_weights"], never[t].position["log_weights"]
        )
    # The step that leads to state 3 is charged at once: weights change against one another, as they
    # would not by components being dropped alone.
    change = charged[3].position["log_weights"] - never[3].position["log_weights"]
    assert np.ptp(change[np.isfinite(change)]) > 1e-3


def test_a_component_on_two_equal_rows_has_the_smallest_scale_at_least():
    """However far its parameter falls: the likelihood stays a number."""
    x = FOUR.x.copy()
    x[:2] = 90
    state = Trace(recognition_network(), x, seed=0)[0]
    assert (abs(state.position["means"] - 90) < 1e-9).all(axis=1).any()
    parts = compiled()
    parameters = parts.parameters(state.optimizer) | {"raw_scales": np.full((11, 2), -50.0)}
    z = np.ascontiguousarray(((x - x.mean(axis=0)) / x.std(axis=0)).T)
    seen = parts.look(parts.begin(parameters), np.ones(11, dtype=bool), z)
    np.testing.assert_allclose(seen["scales"], 0.001, rtol=1e-12)  # of a standard deviation
    assert np.isfinite(seen["log_likelihood"])


def test_one_component_is_left_at_least():
    # Two points are not worth a component's four numbers, and yet they need one.
    trace = run(recognition_network(1, prune_from=0), FOUR.x[:2], 0, steps=1)
    assert trace.infos[-1].components == 1
    assert np.isfinite(trace.objective).all()


def test_what_cannot_be_is_refused_in_words():
    for arguments, words in (
        ({"k": 0}, "k is 0"),
        ({"k": 2.5}, "k is 2.5; it is a whole number"),
        ({"hidden": 0}, "hidden is 0"),
        ({"updates": 2.5}, "updates is 2.5; it is a whole number"),
        ({"prune_from": -1}, "prune_from is -1"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"start": "uniform"}, "'uniform'"),
    ):
        with pytest.raises(ValueError, match=words):
            recognition_network(**arguments)
    with pytest.raises(ValueError, match="column 1 is constant"):
        Trace(recognition_network(), np.column_stack([FOUR.x[:, 0], np.ones(500)]))
    with pytest.raises(ValueError, match="only 3 different points"):
        Trace(recognition_network(), np.repeat(FOUR.x[:3], 5, axis=0))
    with pytest.raises(ValueError, match="smaller learning_rate than 100"):
        run(recognition_network(learning_rate=100), FOUR.x, 0, steps=60)
    algorithm = recognition_network()
    state, _ = algorithm.init((0, 0), FOUR.x)
    with pytest.raises(ValueError, match="this state is another"):
        recognition_network(hidden=4).step((0, 1), state, FOUR.x)
    with pytest.raises(ValueError, match="the network takes 2"):
        log_recognition(FOUR.x[:, :1], state)
    with pytest.raises(ValueError, match="log q has shape"):
        elbo(FOUR.x, state.position, np.zeros((500, 11)))
