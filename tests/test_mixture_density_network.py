"""Mixture density networks against plain loops, and the figures of unit 05."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_softmax, logsumexp

from latentsteps.inference.nuts import draws as nuts_draws
from latentsteps.inference.nuts import nuts
from latentsteps.inference.svi import draws, svi
from latentsteps.models.mixture_density_network import (
    SMALLEST_SCALE,
    held_out,
    mixture_density_network,
    predictive_density,
)
from latentsteps.simulated import Pairs, inverse_sine, two_link_arm
from latentsteps.trace import run

SEEDS = (0, 1, 2)


def parameters(network, seed=0, size=0.5):
    random = np.random.default_rng(seed)
    return {name: size * random.normal(size=shape) for name, shape in network.sites}


def some_draws(network, n=5, size=0.5):
    found = [parameters(network, seed, size) for seed in range(n)]
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


def one(values):
    """A single estimate as one draw."""
    return {name: value[None] for name, value in values.items()}


def by_loops(values, x, y, k, joint):
    """log p(y | x) of one pair with SciPy, a component and an output at a time."""
    units = np.tanh(x @ values["input_weights"] + values["hidden_biases"])
    heads = units @ values["output_weights"] + values["output_biases"]
    d = len(y)
    logits, rest = np.split(heads, [k if joint else k * d])
    means, raw = np.split(rest, 2)
    scales = SMALLEST_SCALE + np.log1p(np.exp(raw))
    terms = np.array(
        [[stats.norm(means[j * d + i], scales[j * d + i]).logpdf(y[i]) for i in range(d)]
         for j in range(k)]
    )  # fmt: skip
    if joint:
        return logsumexp(log_softmax(logits) + terms.sum(axis=1))
    return sum(logsumexp(log_softmax(logits.reshape(k, d)[:, i]) + terms[:, i]) for i in range(d))


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize(("k", "inputs", "outputs"), [(1, 1, 1), (3, 1, 1), (2, 3, 2), (4, 2, 3)])
def test_log_density_is_that_of_plain_loops(k, inputs, outputs, joint):
    network = mixture_density_network(k, inputs, outputs, hidden=4, joint=joint)
    random = np.random.default_rng(7)
    x, y = random.normal(size=(6, inputs)), random.normal(size=(6, outputs))
    values = parameters(network)
    expected = [by_loops(values, *pair, k, joint) for pair in zip(x, y, strict=True)]
    assert network.log_density(values, x, y) == pytest.approx(expected, abs=1e-10)
    density = network.density(values, x)
    assert density.weights.shape == ((6, k) if joint else (6, k, outputs))
    assert density.means.shape == density.scales.shape == (6, k, outputs)
    assert density.weights.sum(axis=1) == pytest.approx(1.0)


def test_the_outputs_come_in_blocks():
    network = mixture_density_network(2, 1, 2, hidden=3)
    values = parameters(network, size=0.0)
    values["output_biases"] = np.log([1.0, 3.0, *np.exp([1, 2, 3, 4]), *np.exp([0, 1, 2, 3])])
    weights, means, scales = network.density(values, np.zeros((1, 1)))
    assert weights[0] == pytest.approx([0.25, 0.75])
    assert means[0] == pytest.approx(np.array([[1, 2], [3, 4]]))
    assert scales[0] == pytest.approx(
        SMALLEST_SCALE + np.log1p(np.exp([[0.0, 1.0], [2.0, 3.0]])), abs=1e-12
    )


@pytest.mark.parametrize("raw", [-1000.0, 1000.0])
def test_scales_are_valid_whatever_the_network_says(raw):
    network = mixture_density_network(2, 1, 1, hidden=3)
    values = parameters(network)
    values["output_biases"][4:] = raw
    scales = np.asarray(network.density(values, np.zeros((3, 1))).scales)
    assert (scales >= SMALLEST_SCALE).all()
    assert np.isfinite(scales).all()
    assert np.isfinite(network.log_density(values, np.zeros((3, 1)), np.full((3, 1), 0.1))).all()


@pytest.mark.parametrize("joint", [True, False])
def test_the_density_integrates_to_one(joint):
    network = mixture_density_network(3, 2, 2, hidden=4, joint=joint)
    grid = np.linspace(-12, 12, 241)
    y = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    x = np.tile([0.3, -1.0], (len(y), 1))
    total = np.exp(held_out(network, some_draws(network), x, y)).sum() * (grid[1] - grid[0]) ** 2
    assert total == pytest.approx(1.0, abs=1e-6)


def test_one_mixture_over_both_outputs_has_no_ghosts():
    # Both components certain, at (−2, −2) and (2, 2): a mixture for each output apart also puts
    # a quarter of its mass at (−2, 2).
    x, ghost = np.zeros((1, 1)), np.array([[-2.0, 2.0]])
    real = np.array([[2.0, 2.0]])
    by_joint = {}
    for joint in (True, False):
        network = mixture_density_network(2, 1, 2, hidden=2, joint=joint)
        values = parameters(network, size=0.0)
        biases = values["output_biases"]
        biases[-8:-4], biases[-4:] = [-2, -2, 2, 2], -2.0
        by_joint[joint] = [float(held_out(network, one(values), x, y)[0]) for y in (real, ghost)]
    assert by_joint[True][0] - by_joint[True][1] > 100
    assert by_joint[False][0] == pytest.approx(by_joint[False][1])
    assert by_joint[True][0] - by_joint[False][0] == pytest.approx(np.log(2), abs=1e-6)


def test_held_out_is_the_log_of_the_mean_over_draws():
    network = mixture_density_network(3, hidden=4)
    many = some_draws(network)
    x, y = np.linspace(-1, 1, 7)[:, None], np.linspace(-2, 1, 7)[:, None]
    singly = np.stack(
        [network.log_density({name: v[s] for name, v in many.items()}, x, y) for s in range(5)]
    )
    assert held_out(network, many, x, y) == pytest.approx(logsumexp(singly, axis=0) - np.log(5))
    assert (held_out(network, many, x, y) >= singly.mean(axis=0)).all()


def test_the_picture_is_the_held_out_density_on_a_grid():
    network = mixture_density_network(3, hidden=4)
    many = some_draws(network)
    x, grid = np.array([[-1.0], [0.4]]), np.linspace(-8, 8, 161)
    picture = predictive_density(network, many, x, grid)
    assert picture.shape == (2, 161)
    assert picture.sum(axis=1) * 0.1 == pytest.approx([1, 1], abs=1e-4)
    for g in (0, 70, 90):
        expected = np.exp(held_out(network, many, x, np.full((2, 1), grid[g])))
        assert picture[:, g] == pytest.approx(expected, rel=1e-9)


def test_the_prior_is_the_stated_one():
    network = mixture_density_network(2, 1, 1, hidden=4, prior_scale=2.0)
    values = parameters(network)
    data = inverse_sine(20, seed=0)
    info = run(svi(network.model, guide="point", start=values), data, steps=0).infos[0]
    sd = dict.fromkeys(values, 2.0) | {"output_weights": 1.0}  # 2 / √4
    log_prior = sum(stats.norm(0, sd[name]).logpdf(v).sum() for name, v in values.items())
    assert -info.kl == pytest.approx(log_prior)
    fit = network.log_density(values, data.inputs, data.outputs).sum()
    assert info.fit == pytest.approx(float(fit))


def test_the_kl_of_a_network_is_exact():
    network = mixture_density_network(2, 1, 1, hidden=4)
    values = parameters(network)
    info = run(svi(network.model, start=values, width=0.2), inverse_sine(20, seed=0), steps=0)
    kl = 0.0
    for name, mean in values.items():
        sd = 0.5 if name == "output_weights" else 1.0
        kl += (np.log(sd / 0.2) + (0.2**2 + mean**2) / (2 * sd**2) - 0.5).sum()
    assert info.infos[0].kl == pytest.approx(kl)


def test_the_same_sizes_give_the_same_object():
    assert mixture_density_network(3, 1, 1, hidden=9) is mixture_density_network(3, 1, 1, hidden=9)
    assert mixture_density_network(3) is mixture_density_network(3, 1, 1, hidden=20)
    assert mixture_density_network(3) is not mixture_density_network(4)


def test_junk_is_refused_in_words():
    with pytest.raises(ValueError, match="at least 1"):
        mixture_density_network(0)
    with pytest.raises(ValueError, match="positive standard deviation"):
        mixture_density_network(2, prior_scale=0.0)
    network, x = mixture_density_network(2, hidden=3), np.zeros((4, 1))
    good = some_draws(network)
    with pytest.raises(ValueError, match="come in pairs"):
        held_out(network, good, x, np.zeros((5, 1)))
    with pytest.raises(ValueError, match="axis of draws"):
        held_out(network, parameters(network), x, x)
    with pytest.raises(ValueError, match="axis of draws"):
        held_out(network, some_draws(mixture_density_network(2, hidden=4)), x, x)
    with pytest.raises(ValueError, match="axis of draws"):
        held_out(network, good | {"hidden_biases": good["hidden_biases"][:2]}, x, x)
    with pytest.raises(ValueError, match="2 columns"):
        held_out(network, good, np.zeros((4, 2)), x)
    with pytest.raises(ValueError, match="2 columns"):
        held_out(network, good, x, np.zeros((4, 2)))
    with pytest.raises(ValueError, match="NaN"):
        held_out(network, good, x * np.nan, x)
    with pytest.raises(ValueError, match=r"\(G,\)"):
        predictive_density(network, good, x, np.zeros((3, 1)))
    two = mixture_density_network(2, 1, 2, hidden=3)
    with pytest.raises(ValueError, match="one output"):
        predictive_density(two, some_draws(two), x, np.zeros(3))


# The figures of unit 05, with settings near the unit's.

NETWORK = mixture_density_network(3, hidden=10)
TEST = inverse_sine(2000, seed=1000)


def score(values) -> float:
    """Held-out nats a pair; of 2,000 pairs, so within some .02 of what any sample would say."""
    return float(held_out(NETWORK, values, *TEST).mean())


def score_of_q(state, data: Pairs) -> float:
    return score(draws(NETWORK.model, state.parameters, data, 200))


@pytest.fixture(scope="module")
def fits():
    """For each of three data sets: the MAP fit, VI from it, and VI from a random start."""
    found = {}
    for seed in SEEDS:
        data = inverse_sine(300, seed=seed)
        point = svi(NETWORK.model, guide="point", updates=50, learning_rate=0.02)
        best = run(point, data, seed, steps=40)[-1].parameters
        settings = {"updates": 50, "particles": 4}
        there = run(svi(NETWORK.model, start=best, **settings), data, seed, steps=40)
        # As many updates as the two fits before together.
        anywhere = run(svi(NETWORK.model, **settings), data, seed, steps=80)
        found[seed] = (data, best, there, anywhere)
    return found


def test_inverse_sine_by_map_and_by_vi_from_it(fits):
    by_map = {seed: score(one(best)) for seed, (_, best, _, _) in fits.items()}
    # Measured: −.18, −.17, −.18. The true density's score is −.04.
    assert np.mean(list(by_map.values())) > -0.27
    for seed, (data, _, there, _) in fits.items():
        # Measured: −.22, −.24, −.22: a little worse each time, so no gain may be claimed.
        assert abs(score_of_q(there[-1], data) - by_map[seed]) < 0.15


def test_inverse_sine_from_a_random_start_loses(fits):
    lost = []
    for data, _, there, anywhere in fits.values():
        lost.append(score_of_q(there[-1], data) - score_of_q(anywhere[-1], data))
    # Measured: about .2 each. Which optimum a start finds is luck, so not every one is held to it.
    assert np.mean(lost) > 0.1
    assert sum(difference > 0.1 for difference in lost) >= 2


def test_equal_bounds_predict_differently(fits):
    better = []
    for seed, (data, best, _, anywhere) in fits.items():
        narrow = svi(NETWORK.model, start=best, width=0.03, updates=50, particles=4)
        trace = run(narrow, data, seed, steps=20)
        reached = int(np.argmax(trace.objective >= anywhere.objective[-1]))
        # Beside each other: the random start's last state, and the first one from the MAP whose
        # bound is as high.
        assert trace.objective[reached] >= anywhere.objective[-1]
        assert (trace.objective[reached] - anywhere.objective[-1]) / 300 < 0.2
        better.append(score_of_q(trace[reached], data) - score_of_q(anywhere[-1], data))
    # Measured: −.22, −.24, −.24 against −.43, −.48, −.44.
    assert np.mean(better) > 0.08


def test_inverse_sine_by_nuts(fits):
    scores = []
    for seed, (data, best, _, _) in fits.items():
        sampler = nuts(
            NETWORK.model,
            chains=2,
            warmup=150,
            start=lambda key, data, chain, best=best: best,
            max_tree_depth=6,
        )
        trace = run(sampler, data, seed, steps=250)
        found = {name: nuts_draws(trace, name) for name, _ in NETWORK.sites}
        scores.append(score({name: np.concatenate(list(v)) for name, v in found.items()}))
    # Measured: −.17, −.17, −.16, with a smallest effective sample size of 2.5 of 200 draws: these
    # chains have converged in nothing but, nearly, what they predict.
    assert np.mean(scores) > -0.24


def test_two_link_arm_joint_against_independent():
    test, scores = two_link_arm(2000, seed=1000), {True: [], False: []}
    for joint, found in scores.items():
        network = mixture_density_network(4, 2, 2, hidden=20, joint=joint)
        point = svi(network.model, guide="point", updates=50, learning_rate=0.02)
        for seed in range(5):
            trace = run(point, two_link_arm(1000, seed=seed), seed, steps=40)
            found.append(held_out(network, one(trace[-1].parameters), *test).mean())
    # Measured: 1.52, 1.52, 1.51, 1.47, 1.35 against .90, .93, .91, .98, .96 (rounding moves some
    # by .1).
    ahead = np.subtract(scores[True], scores[False])
    assert ahead.mean() > 0.2
    assert (ahead > 0).sum() >= 4
