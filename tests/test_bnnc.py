"""BNNC against densities written out, integrals on a grid, and the recipe's four blobs."""

from __future__ import annotations

import tracemalloc
from itertools import product

import numpy as np
import pytest
from numpyro import factor, sample
from numpyro.distributions import ImproperUniform, constraints
from numpyro.infer.util import log_density
from scipy import stats
from scipy.special import digamma, log_softmax, logsumexp, softmax

from latentsteps.evaluation.consensus import partition, similarity
from latentsteps.evaluation.diagnostics import effective_sample_size, r_hat, standard_error
from latentsteps.evaluation.prediction import predict
from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.inference.nuts import all_draws, draws, nuts
from latentsteps.jax64 import jax, jnp
from latentsteps.models import mixture_draws
from latentsteps.models.bnnc import (
    FAMILIES,
    GATES,
    BNNCPrior,
    bnnc,
    empirical_prior,
    label_free,
    log_gate,
    log_joint,
    log_likelihood,
    log_normaliser,
    log_predictive,
    responsibilities,
    stated_prior,
)
from latentsteps.models.bnnc_inputs import as_numbers, as_prior, as_sites
from latentsteps.models.bnnc_model import (
    Inputs,
    coordinates,
    features,
    log_prior_of_weights,
    log_weights,
    nodes_for,
    normal_nodes,
    numpyro_model,
)
from latentsteps.simulated import blobs
from latentsteps.trace import Trace, run

BLOBS = blobs(4)
A = 0.05 / 11
"""The recipe's concentration of each component."""


def a_position(s, k=3, d=2, c=None, h=4, seed=0, output=1.5):
    """``s`` draws of anything: a gate that matters, components of about one width."""
    random = np.random.default_rng(seed)
    return {
        "log_weights": log_softmax(random.normal(size=(s, k)), axis=1),
        "means": random.normal(scale=2, size=(s, k, d)),
        "scales": random.uniform(0.4, 1.6, size=(s, k, d)),
        "hidden_weights": random.normal(size=(s, c or d, h)),
        "output_weights": random.normal(scale=output, size=(s, h, k)),
    }


def one(position, s=0):
    return {name: value[s] for name, value in position.items()}


# The weights' coordinates.


@pytest.mark.parametrize(("k", "a"), [(2, 1.0), (5, 0.3), (11, A), (11, 1 / 11), (11, 2.0)])
def test_the_weights_have_exactly_the_dirichlet_density(k, a):
    """Its density of (log π₁ … log π_{K−1}) and an anchor, carried over to y by autodiff."""

    def onto(y):
        log_pi, total = log_weights(y, jnp)
        return jnp.append(log_pi[:-1], total)

    slopes, density = jax.jit(jax.jacfwd(onto)), jax.jit(log_prior_of_weights)
    random = np.random.default_rng(k)
    for lowest in (-3, -5, -12):  # above the bend, on both sides of it, far in the tail
        for _ in range(5):
            # The largest last: of the others the Jacobian is then regular however small they are.
            y = np.sort(random.uniform(lowest, 1, size=k))
            log_pi, total = log_weights(y)
            exact = (a - 1) * log_pi.sum() + constant(a, k)
            if lowest > -8:  # SciPy takes weights, and further out they are 0
                by_scipy = stats.dirichlet(np.full(k, a)).logpdf(np.exp(log_pi))
                assert exact == pytest.approx(by_scipy, rel=1e-10)
            _, jacobian = np.linalg.slogdet(slopes(y))
            exact += log_pi[:-1].sum() + stats.norm(0, 0.1).logpdf(total) + jacobian
            found, again = density(y, a)
            assert float(found) == pytest.approx(exact, rel=1e-10, abs=1e-10)
            np.testing.assert_allclose(again, log_pi, rtol=1e-13)


def constant(a, k):
    """log Γ(Ka) − K log Γ(a), by SciPy's density at the middle."""
    middle = np.full(k, 1 / k)
    return stats.dirichlet(np.full(k, a)).logpdf(middle) - (a - 1) * k * np.log(1 / k)


def test_there_is_no_floor_under_the_weights():
    log_pi = np.array([-1e6, -2000.0, -700.0, -4.5, -3.9, 0.0])
    log_pi[-1] = np.log1p(-np.exp(log_pi[:-1]).sum())
    back, total = log_weights(coordinates(log_pi))
    np.testing.assert_allclose(back, log_pi, rtol=1e-12, atol=1e-14)
    assert total == pytest.approx(0, abs=1e-14)
    slope = jax.grad(lambda y: log_prior_of_weights(y, A)[0])(jnp.array([-14.0, -6.0, -0.5]))
    assert np.isfinite(slope).all()
    assert slope[0] > 50  # the tail pulls back


def prior_alone(a):
    y = sample("y", ImproperUniform(constraints.real_vector, (), (11,)))
    factor("weights", log_prior_of_weights(y, a)[0])


def test_sampled_weights_have_the_dirichlets_moments():
    """Of sums that are the same for all components. With the recipe's .0045 the prior alone is
    sampled too badly for this, chains staying for long where one weight is large: see below."""
    a = 1 / 11
    trace = run(nuts(prior_alone), a, seed=1, steps=1500)
    log_pi = log_weights(draws(trace, "y"))[0]
    beta = stats.beta(a, 10 * a)
    moments = {
        "Σ π²": (np.exp(2 * log_pi).sum(axis=-1), (a + 1) / (11 * a + 1)),
        "mean log π": (log_pi.mean(axis=-1), digamma(a) - digamma(11 * a)),
        "below the bend": ((log_pi < -4).mean(axis=-1), beta.cdf(np.exp(-4))),
        "below −20": ((log_pi < -20).mean(axis=-1), beta.cdf(np.exp(-20))),
    }
    for name, (values, exact) in moments.items():
        assert abs(values.mean() - exact) < 4 * standard_error(values), name
    # Six seeds had none but once 4 of 3,000 draws.
    assert np.mean([info.divergent for info in trace.infos[301:]]) <= 0.01


def test_two_weights_have_the_dirichlets_moments_on_a_grid():
    """The recipe's a, in y itself: the density integrates to one, and to its moments."""
    line = np.linspace(-13, 1.5, 2901)
    y = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1)
    log_density, log_pi = jax.jit(log_prior_of_weights)(y, A)
    mass = np.exp(log_density) * (line[1] - line[0]) ** 2
    first = np.asarray(log_pi)[..., 0]
    beta = stats.beta(A, A)
    assert mass.sum() == pytest.approx(1, abs=1e-3)
    assert (mass * np.exp(2 * first)).sum() == pytest.approx(beta.moment(2), abs=1e-3)
    assert (mass * first).sum() == pytest.approx(digamma(A) - digamma(2 * A), rel=2e-3)
    for logarithm in (-1, -4, -100, -600):
        inside = (mass * (first < logarithm)).sum()
        assert inside == pytest.approx(beta.cdf(np.exp(logarithm)), abs=2e-3)


# The model, and what can be computed from a draw.


def a_prior(family, d=2):
    """A prior with nothing at 0, 1 or the same in all columns."""
    wide = np.arange(1.0, 1 + d)
    return BNNCPrior(0.3, wide - 2, 2 + wide, family, 0.5 + wide, 1.2, 0.4)


def log_prior(position, prior, gate, y=None):
    """log p of one draw by SciPy, the weights in their coordinates, with a total of 1 if none."""
    unit = np.broadcast_to(prior.scale, np.shape(position["scales"]))
    width = {"exponential": stats.expon, "half-normal": stats.halfnorm}[prior.scale_family]
    y = coordinates(position["log_weights"]) if y is None else y
    total = float(log_prior_of_weights(jnp.asarray(y), prior.concentration)[0])
    total += stats.norm(prior.location, prior.spread).logpdf(position["means"]).sum()
    total += width(scale=unit).logpdf(position["scales"]).sum()
    if gate != "none":
        total += stats.norm(0, prior.hidden_scale).logpdf(position["hidden_weights"]).sum()
        total += stats.norm(0, prior.output_scale).logpdf(position["output_weights"]).sum()
    return total


@pytest.mark.parametrize(("gate", "family"), list(product(GATES, FAMILIES)))
def test_the_model_is_the_one_written_down(gate, family):
    prior, x = a_prior(family), BLOBS.x[::25]
    covariates = np.random.default_rng(1).normal(size=(len(x), 3))
    seen = covariates if gate == "covariates" else x
    position = one(a_position(1, c=seen.shape[1]))
    if gate == "none":
        del position["hidden_weights"], position["output_weights"]
    unit = np.array([0.7, 3.0])
    nodes, log_node_weights = normal_nodes(2, 49)
    numbers = as_numbers(prior, unit)
    centre = x.mean(axis=0)
    data = Inputs(features(x.T, centre), centre, seen.T, nodes.T, log_node_weights, numbers)
    sites = as_sites(position, numbers)
    found = float(log_density(numpyro_model(3, 4, gate), (data,), {}, sites)[0])
    if gate == "normalised":
        position["log_normaliser"] = log_normaliser(position, nodes=49)
    exact = log_likelihood(x, position, covariates if gate == "covariates" else None)
    # Densities of the sampler's standardised sites and of the draw differ by their units.
    change = 6 * np.log(unit).sum()
    if gate != "none":
        change += 4 * seen.shape[1] * np.log(prior.hidden_scale) + 12 * np.log(prior.output_scale)
    assert found - change == pytest.approx(exact + log_prior(position, prior, gate), rel=1e-10)


def test_gate_joint_and_density_are_those_written_out():
    position, x = a_position(6), BLOBS.x[::50]
    theta = np.empty((6, 3, len(x)))
    joint = np.empty((6, 3, len(x)))
    for s, n in product(range(6), range(len(x))):
        p = one(position, s)
        hidden = np.tanh(x[n] @ p["hidden_weights"])
        theta[s, :, n] = softmax(p["log_weights"] + hidden @ p["output_weights"])
        for k in range(3):
            normal = stats.norm(p["means"][k], p["scales"][k]).logpdf(x[n]).sum()
            joint[s, k, n] = np.log(theta[s, k, n]) + normal
    np.testing.assert_allclose(np.exp(log_gate(x, position)), theta, rtol=1e-10)
    np.testing.assert_allclose(log_joint(x, position), joint, rtol=1e-10)
    density = logsumexp(joint, axis=1)
    np.testing.assert_allclose(log_likelihood(x, position), density.sum(axis=1))
    np.testing.assert_allclose(log_predictive(x, position), logsumexp(density, axis=0) - np.log(6))
    shares = softmax(joint, axis=1).swapaxes(1, 2)
    np.testing.assert_allclose(responsibilities(x, position), shares, atol=1e-12)
    # Leading axes (chains, draws) change nothing; a position's normaliser is divided by.
    folded = {name: value.reshape(2, 3, *value.shape[1:]) for name, value in position.items()}
    assert log_joint(x, folded).shape == (2, 3, 3, len(x))
    np.testing.assert_allclose(responsibilities(x, folded), shares, atol=1e-12)
    divided = position | {"log_normaliser": np.arange(6.0)}
    np.testing.assert_allclose(
        log_likelihood(x, divided), density.sum(axis=1) - len(x) * np.arange(6)
    )
    np.testing.assert_allclose(responsibilities(x, divided), shares, atol=1e-12)


def test_a_gate_whose_output_weights_are_0_is_the_mixture():
    position = a_position(4)
    silent = position | {"output_weights": 0 * position["output_weights"]}
    without = {name: position[name] for name in ("log_weights", "means", "scales")}
    for x in (BLOBS.x[:9], 1e3 * BLOBS.x[:9]):
        weights = np.broadcast_to(position["log_weights"][..., None], (4, 3, 9))
        np.testing.assert_allclose(log_gate(x, silent), weights, rtol=1e-12)
        np.testing.assert_array_equal(log_gate(x, without), weights)
    np.testing.assert_allclose(log_normaliser(silent), 0, atol=1e-12)
    np.testing.assert_array_equal(log_normaliser(without), 0)
    # Weights that are as good as 0 stay silent too.
    empty = without | {"log_weights": np.array([[0.0, -2000.0, -np.inf]] * 4)}
    assert (responsibilities(BLOBS.x, empty)[..., 0] == 1).all()


# Z.


def on_a_grid(position, d):
    """∫ Σ_k θ_k N_k by the trapezium rule, which is exact to many digits for such bells."""
    line = np.linspace(-14, 14, 561)
    x = np.stack(np.meshgrid(*[line] * d, indexing="ij"), axis=-1).reshape(-1, d)
    return (
        np.exp(logsumexp(log_joint(x, position), axis=-2)).sum(axis=-1) * (line[1] - line[0]) ** d
    )


@pytest.mark.parametrize("d", [1, 2])
def test_the_normaliser_against_a_grid(d):
    position = a_position(6, d=d, output=0.5)
    z = on_a_grid(position, d)
    assert z.min() < 0.85
    assert z.max() > 1.1
    assert ((z > 0) & (z < 3)).all()
    np.testing.assert_allclose(np.exp(log_normaliser(position, nodes=1024)), z, rtol=2e-4)
    np.testing.assert_allclose(np.exp(log_normaliser(position)), z, rtol=4e-3)
    # Divided by it, the density integrates to one, and is the one that prediction takes.
    divided = position | {"log_normaliser": np.log(z)}
    np.testing.assert_allclose(on_a_grid(divided, d), 1, rtol=1e-10)


@pytest.mark.parametrize("d", [3, 4, 8])
def test_the_samplers_nodes_are_enough_in_many_dimensions(d):
    """500 log Z on draws from a prior whose weights are not all in one component: within what is
    stated (.2, .3 and .4 nats), half as much again allowed for other draws."""
    random, s, k = np.random.default_rng(d), 60, 11
    position = {
        "log_weights": np.log(random.dirichlet(np.full(k, 0.3), size=s)),
        "means": random.normal(scale=5, size=(s, k, d)),
        "scales": random.exponential(size=(s, k, d)),
        "hidden_weights": random.normal(size=(s, d, 10)),
        "output_weights": random.normal(scale=0.05, size=(s, 10, k)),
    }
    error = log_normaliser(position, nodes=nodes_for(d)) - log_normaliser(position, nodes=2**12)
    assert 500 * error.std() < 1.5 * {3: 0.2, 4: 0.3, 8: 0.4}[d]


def test_the_normaliser_in_many_dimensions_by_plain_monte_carlo():
    position, n = a_position(3, d=5), 40_000
    noise = np.random.default_rng(0).normal(size=(n, 5))
    found = np.exp(log_normaliser(position, nodes=2**13))
    for s in range(3):
        p = one(position, s)
        theta = [np.exp(log_gate(p["means"][k] + p["scales"][k] * noise, p)[k]) for k in range(3)]
        total = np.sum(theta, axis=0)
        assert abs(total.mean() - found[s]) < 4 * total.std() / n**0.5 + 1e-3


def test_nodes_are_those_of_a_standard_normal():
    for d, count in ((1, 7), (2, 36), (3, 2048), (5, 4096)):
        nodes, logs = normal_nodes(d, count)
        assert not nodes.flags.writeable  # they are kept for the next call
        assert not logs.flags.writeable
        weights = np.exp(logs)
        assert nodes.shape == (count, d)
        assert weights.sum() == pytest.approx(1)
        np.testing.assert_allclose(weights @ nodes, 0, atol=0.01)
        np.testing.assert_allclose((weights * nodes.T) @ nodes, np.eye(d), atol=0.02)


# Prediction.


def shares_by_hand(new, x, position, labels, covariates=None, new_covariates=None):
    r, own = (
        responsibilities(points, position, seen)
        for points, seen in ((new, new_covariates), (x, covariates))
    )
    found = np.zeros((len(new), labels.max() + 1))
    for m, c in np.ndindex(found.shape):
        members = np.flatnonzero(labels == c)
        each = [(r[s, m] * own[s, j]).sum() for s in range(len(r)) for j in members]
        found[m, c] = np.mean(each)
    return found


def test_prediction_is_brute_force_and_any_split_of_the_rows_gives_the_same(monkeypatch):
    x, new = BLOBS.x[::20], BLOBS.x[7::45]
    position = a_position(7, k=4)
    for s in range(7):  # names switch from draw to draw, and some clusters are split in some
        position["means"][s] = np.roll(BLOBS.x[[0, 3, 8, 11]], s, axis=0)
    whole = predict(position, x, new)
    fitted = predict(position, x)
    np.testing.assert_array_equal(
        fitted.labels, partition(similarity(responsibilities(x, position)))
    )
    assert 1 < fitted.labels.max() + 1 < len(x)
    expected = shares_by_hand(new, x, position, fitted.labels)
    np.testing.assert_allclose(whole.probabilities, expected, atol=1e-12)
    np.testing.assert_array_equal(whole.labels, expected.argmax(axis=1))
    # A fitted point is itself: it shares its component with itself for certain.
    r = responsibilities(x, position)
    for n, c in np.ndindex(fitted.probabilities.shape):
        members = np.flatnonzero(fitted.labels == c)
        each = [1.0 if j == n else np.mean((r[:, n] * r[:, j]).sum(axis=1)) for j in members]
        assert fitted.probabilities[n, c] == pytest.approx(np.mean(each), abs=1e-12)
    monkeypatch.setattr(mixture_draws, "CHUNK", 12)  # a draw at a time, and three rows
    np.testing.assert_allclose(predict(position, x, new).probabilities, expected, atol=1e-12)
    for rows in ([[3]], [[0, 1], range(2, len(new))], [range(len(new))[::-1]]):
        for part in map(list, rows):
            some = predict(position, x, new[part])
            np.testing.assert_allclose(some.probabilities, expected[part], atol=1e-12)
            np.testing.assert_array_equal(some.labels, whole.labels[part])


def test_a_fitted_point_alone_is_in_its_own_cluster_for_certain():
    """In the middle, where no component has a point for certain: a new one there is less sure."""
    position = {
        "log_weights": np.log([[0.49, 0.02, 0.49]]),
        "means": np.array([[[-3.0], [0.0], [3.0]]]),
        "scales": np.ones((1, 3, 1)),
    }
    x = [[-3.0], [-3.1], [0.0], [3.0]]
    fitted, new = predict(position, x), predict(position, x, x[2:3])
    assert fitted.labels.tolist() == [0, 0, 1, 2]
    assert fitted.probabilities[2, 1] == 1
    assert new.labels.tolist() == [1]
    assert 0.4 < new.probabilities[0, 1] < 0.6
    np.testing.assert_allclose(fitted.probabilities[2, [0, 2]], new.probabilities[0, [0, 2]])


def test_many_new_points_take_little_memory():
    position = a_position(3, k=11)
    new = np.random.default_rng(0).normal(scale=3, size=(100_000, 2))
    tracemalloc.start()
    found = predict(position, BLOBS.x[::10], new)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    answer = found.probabilities.nbytes + found.labels.nbytes
    assert peak < 2 * answer + 20e6


def test_prediction_with_covariates():
    random = np.random.default_rng(0)
    x, new = BLOBS.x[::25], BLOBS.x[5::60]
    seen, new_seen = (random.normal(size=(len(points), 3)) for points in (x, new))
    position = a_position(5, c=3)
    found = predict(position, x, new, covariates=seen, new_covariates=new_seen)
    labels = predict(position, x, covariates=seen).labels
    expected = shares_by_hand(new, x, position, labels, seen, new_seen)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-12)


# The recipe's example.

SEEDS = range(3)


@pytest.fixture(scope="module")
def fits():
    """Two chains of 500 draws, from each prior and three seeds."""
    priors = {"stated": None, "empirical": empirical_prior(BLOBS.x)}
    return {
        (name, seed): run(bnnc(prior=prior), BLOBS.x, seed, steps=800)
        for name, prior in priors.items()
        for seed in SEEDS
    }


@pytest.fixture(scope="module")
def divided():
    return run(bnnc(gate="normalised"), BLOBS.x, seed=0, steps=800)


def chains_of(trace):
    """The similarity of each chain, and the partition of all draws and of each."""
    matrices = [
        similarity(part) for part in np.split(responsibilities(trace.data, all_draws(trace)), 2)
    ]
    return matrices, [partition(s) for s in (np.mean(matrices, axis=0), *matrices)]


def settled(trace):
    matrices, partitions = chains_of(trace)
    for labels in partitions:
        assert labels.max() + 1 == 4
        assert adjusted_rand(labels, BLOBS.labels) == 1
    assert abs(matrices[0] - matrices[1]).max() < 0.05
    free = label_free(trace, BLOBS.x[[0, 100, 250]])
    assert list(free)[:3] == ["log density", "log likelihood", "entropy of shares"]
    for name, values in free.items():
        assert values.shape == (2, 500)
        assert r_hat(values) < 1.05, name
        # One of several seeds had 63, the others hundreds: this only says that chains move.
        assert effective_sample_size(values) > 20, name


@pytest.mark.parametrize("prior", ["stated", "empirical"])
def test_four_clusters_from_every_seed(fits, prior):
    for seed in SEEDS:
        settled(fits[prior, seed])


def test_hardly_a_draw_diverges(fits):
    """At most 1 in 1,000: now and then a narrow component without points runs into one."""
    diverged = [info.divergent for trace in fits.values() for info in trace.infos[301:]]
    assert np.size(diverged) == 6000
    assert np.sum(diverged) <= 6


def test_the_log_density_is_that_of_the_draw(fits, divided):
    wide = stated_prior(2)._replace(hidden_scale=1.3, output_scale=0.2)
    for gate, prior, trace, times in (
        ("points", stated_prior(2), fits["stated", 0], (0, 800)),
        ("points", empirical_prior(BLOBS.x), fits["empirical", 1], (0, 800)),
        ("points", wide, Trace(bnnc(prior=wide), BLOBS.x, seed=0), (0,)),
        ("normalised", stated_prior(2), divided, (0, 800)),
    ):
        for info in trace.infos[:: max(times) or 1]:
            assert info.objective == pytest.approx(info.log_density.mean(), rel=1e-12)
        for t, chain in product(times, range(2)):
            p = one(trace[t].position, chain)
            y = np.asarray(trace[t].kernel.z)[chain, -11:]  # the last site by name
            exact = float(log_likelihood(BLOBS.x, p)) + log_prior(p, prior, gate, y)
            assert trace.infos[t].log_density[chain] == pytest.approx(exact, abs=1e-6)


def test_label_free_numbers_are_those_of_the_formulas(fits):
    trace, points = fits["stated", 0], BLOBS.x[[0, 100]] + 0.3
    free = label_free(trace, points)
    assert list(free)[3:] == ["log density at point 0", "log density at point 1"]
    kept = [t for t, info in enumerate(trace.infos) if not info.warmup]
    for draw, chain in ((0, 0), (7, 1), (499, 0)):
        p = one(trace[kept[draw]].position, chain)
        logits = p["log_weights"] + np.tanh(BLOBS.x @ p["hidden_weights"]) @ p["output_weights"]
        normals = stats.norm(p["means"], p["scales"]).logpdf(BLOBS.x[:, None]).sum(axis=2)
        joint = log_softmax(logits, axis=1) + normals
        used = softmax(joint, axis=1).mean(axis=0)
        expected = {
            "log density": trace.infos[kept[draw]].log_density[chain],
            "log likelihood": logsumexp(joint, axis=1).sum(),
            "entropy of shares": stats.entropy(used),
        }
        for i, point in enumerate(points):
            at = log_softmax(
                p["log_weights"] + np.tanh(point @ p["hidden_weights"]) @ p["output_weights"]
            )
            at += stats.norm(p["means"], p["scales"]).logpdf(point).sum(axis=1)
            expected[f"log density at point {i}"] = logsumexp(at)
        for name, value in expected.items():
            assert free[name][chain, draw] == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize("prior", ["stated", "empirical"])
def test_the_recipes_likelihood_integrates_to_two(fits, prior):
    """Z, with its Monte Carlo error, and what it does: N log Z nats for nothing."""
    position = {name: value[:, ::5] for name, value in all_draws(fits[prior, 0]).items()}
    z = np.exp(log_normaliser(position))
    assert standard_error(z) < 0.02
    assert 1.85 < z.mean() < 2.15
    # The gate's own weights have gone where Z is large, not stayed at their prior's .05.
    assert position["output_weights"].std() > 0.075


def test_divided_by_it_the_gate_has_nothing_to_learn(fits, divided):
    settled(divided)
    position = all_draws(divided)
    weights = position["output_weights"]
    # 110 weights × 1,000 draws: the sd of an sd is 0.05 / √(2 · 110 · effective draws).
    assert weights.std() == pytest.approx(0.05, abs=0.0015)
    assert position["hidden_weights"].std() == pytest.approx(1, abs=0.06)
    # Its likelihood is lower than the recipe's by nearly N log Z of that. (Nearly: to make Z large
    # the recipe's components leave the points a little, which costs it .03 nats a point.)
    recipe = all_draws(fits["stated", 0])
    gain = (log_likelihood(BLOBS.x, recipe).mean() - log_likelihood(BLOBS.x, position).mean()) / 500
    free = log_normaliser({name: value[:, ::5] for name, value in recipe.items()}).mean()
    assert free - 0.06 < gain < free


def test_the_number_of_nodes_does_not_matter(divided):
    """Draws weighted by what nodes enough for six digits would have given: nearly all alike."""
    position = {name: value[:, ::10] for name, value in all_draws(divided).items()}
    own = position.pop("log_normaliser")
    exact = log_normaliser(position, nodes=400)
    assert abs(own - exact).max() < 2e-3
    logs = -500 * (exact - own).ravel()
    weights = softmax(logs)
    assert 1 / (weights**2).sum() > 0.9 * len(weights)
    weighted = weights @ (position["output_weights"].reshape(len(weights), -1) ** 2).mean(axis=1)
    assert weighted**0.5 == pytest.approx(0.05, abs=0.002)


def test_covariates_decide_where_points_cannot():
    """Two clouds on one another; the covariate says from which a point is."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    x = random.normal(size=(200, 1)) * np.where(labels, 2.5, 0.5)[:, None]
    covariates = np.column_stack([2.0 * labels - 1, random.normal(size=200)])
    prior = stated_prior(1, 2, alpha=2)._replace(output_scale=1.0)
    algorithm = bnnc(2, prior, gate="covariates", hidden=5, warmup=150)
    trace = run(algorithm, (x, covariates), seed=0, steps=250)
    position = all_draws(trace)
    assert position["hidden_weights"].shape == (2, 100, 2, 5)
    # For either value of the covariate the density over x integrates to one.
    grid = np.linspace(-40, 40, 1601)[:, None]
    for value in (-1.0, 1.0):
        density = log_predictive(grid, position, np.tile([value, 0.0], (1601, 1)))
        assert np.trapezoid(np.exp(density), grid[:, 0]) == pytest.approx(1, abs=1e-4)
    found = predict(position, x, covariates=covariates)
    assert adjusted_rand(found.labels, labels) > 0.6
    free = label_free(trace, x[:2], covariates[:2])
    assert free["log density"].shape == (2, 100)
    with pytest.raises(ValueError, match="this gate sees covariates"):
        log_normaliser(a_position(1, c=3))


# Priors, starts, refusals.


def test_the_priors_are_those_stated():
    prior = stated_prior(3)
    assert prior.concentration == pytest.approx(0.05 / 11)
    assert (prior.spread == 5).all()
    assert (prior.scale == 1).all()
    assert (prior.hidden_scale, prior.output_scale) == (1.0, 0.05)
    x = BLOBS.x
    prior = empirical_prior(x, 7)
    np.testing.assert_allclose(prior.location, x.mean(axis=0))
    np.testing.assert_allclose(prior.spread, 2 * x.std(axis=0))
    np.testing.assert_allclose(prior.scale, prior.spread)
    assert prior.scale_family == "half-normal"
    assert prior.concentration == pytest.approx(1 / 7)


def test_a_start_lies_where_it_says(fits):
    first = fits["stated", 0][0].position
    shares = np.exp(first["log_weights"])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares.min() > 1 / 600  # 11 clusters of k-means, none of them empty
    assert first["scales"].max() < 3
    x = BLOBS.x
    for chain in range(2):  # every mean amid points
        gaps = np.linalg.norm(x[:, None] - first["means"][chain], axis=2)
        assert (gaps.min(axis=0) < 1).all()
    assert not np.array_equal(*first["hidden_weights"])
    again = Trace(bnnc(), x, seed=0)
    np.testing.assert_array_equal(again[0].position["means"], first["means"])
    given = {name: value[0] for name, value in first.items()}
    there = Trace(bnnc(start=given), x, seed=5)[0].position
    for name, value in given.items():
        for chain in range(2):
            np.testing.assert_allclose(there[name][chain], value, rtol=1e-9, atol=1e-9)


def test_a_uniform_start_spreads_means_over_the_prior():
    prior = stated_prior(2)._replace(location=np.array([1.0, -2.0]), spread=np.array([5.0, 3.0]))
    means = Trace(bnnc(prior=prior, start="uniform"), BLOBS.x, seed=0)[0].position["means"]
    steps = (means - prior.location) / prior.spread
    assert (abs(steps) <= 2).all()
    for chain in steps:  # evenly: 22 numbers of a uniform distribution
        assert stats.kstest(chain.ravel(), stats.uniform(-2, 4).cdf).pvalue > 1e-4
        assert chain.min() < -1
        assert chain.max() > 1
    assert not np.array_equal(*means)


def test_a_prior_may_be_given_in_lists():
    prior = BNNCPrior(0.1, [0, 1], [2, 3], "exponential", [1, 1])
    found = Trace(bnnc(prior=prior), BLOBS.x)[0].position
    assert found["means"].shape == (2, 11, 2)
    same = as_prior(prior)
    assert same.spread.dtype == np.float64
    assert same._replace(location=[0, 1], spread=[2, 3], scale=[1, 1]) == prior


def test_refusals_in_words(monkeypatch):
    x, prior = BLOBS.x, stated_prior(2)
    for arguments, words in (
        ({"k": 0}, "1 or more"),
        ({"hidden": 0}, "1 or more"),
        ({"k": 2.5}, "k is 2.5; it is a whole number"),
        ({"hidden": 2.5}, "hidden is 2.5; it is a whole number"),
        ({"start": 5}, "or a position"),
        ({"prior": "stated"}, "the prior is 'stated'; it is a BNNCPrior"),
        ({"prior": prior._replace(concentration=[0.1, 0.1])}, "concentration is .* single number"),
        ({"prior": prior._replace(hidden_scale=np.ones(2))}, "hidden_scale is .* single number"),
        ({"prior": prior._replace(output_scale=np.ones((1, 1)))}, "output_scale is .* single"),
        ({"prior": prior._replace(scale=["wide", "narrow"])}, "scale is .* made of numbers"),
        ({"gate": "point"}, "points, none, covariates, normalised"),
        ({"start": "kmeans"}, "k-means, uniform"),
        ({"prior": prior._replace(scale_family="gamma")}, "exponential, half-normal"),
        ({"prior": prior._replace(spread=np.ones(3))}, r"\(D,\)"),
        ({"prior": prior._replace(output_scale=0.0)}, "output_scale is .* positive"),
        ({"prior": prior._replace(location=np.array([0, np.nan]))}, "it is finite"),
    ):
        with pytest.raises(ValueError, match=words):
            bnnc(**arguments)
    for algorithm, data, words in (
        (bnnc(prior=prior), x[:, :1], "2 columns, the data have 1"),
        (bnnc(), x * [1, 0], "column 1 is constant"),
        (bnnc(), x * np.where(np.arange(500) == 3, 1e160, 1)[:, None], "row 3 lies further"),
        (bnnc(), x[:9], "only 9 different points.* start='uniform'"),
        (bnnc(), x[:, 0], r"takes \(N, D\)"),
        (bnnc(), (x, x), "points alone"),
        (bnnc(gate="covariates"), x, "a tuple of points"),
        (bnnc(gate="covariates"), (x, x[1:]), "500 points and 499 rows"),
    ):
        with pytest.raises(ValueError, match=words):
            Trace(algorithm, data)
    position = a_position(2)
    without = {name: position[name] for name in ("log_weights", "means", "scales")}
    far = x[:5].copy()
    far[3] = 1e160
    assert log_joint(far, position)[..., 3].max() == -np.inf
    monkeypatch.setattr(mixture_draws, "CHUNK", 6)  # new rows in twos: still counted from the first
    for call, words in (
        (lambda: log_joint(x[:, :1], position), "points have 1 columns, the draws 2"),
        (lambda: log_gate(x, position, np.ones((500, 3))), "W₁ has 2 rows"),
        (lambda: stated_prior(0), "1 or more"),
        (lambda: stated_prior(2.5), "d is 2.5; it is a whole number"),
        (lambda: stated_prior(2, 11.0), "k is 11.0; it is a whole number"),
        (lambda: empirical_prior(x, 7.0), "k is 7.0; it is a whole number"),
        (lambda: log_joint(x, without, x), "no gate that sees them"),
        (lambda: log_gate(x, without, x), "no gate that sees them"),
        (lambda: responsibilities(far, position), "row 3 .* too far away"),
        (lambda: predict(position, far), "row 3 .* too far away"),
        (lambda: predict(position, x[:9], far), "row 3 .* too far away"),
        (lambda: predict(position, x, new_covariates=x), "no new points"),
        (lambda: predict(position, x, x, new_covariates=x), "new_covariates and no covariates"),
        (lambda: predict(position, x, x, covariates=x), "covariates and no new_covariates"),
        (lambda: empirical_prior(x * [1, 0]), "column 1 is constant"),
        (lambda: normal_nodes(2, 0), "number of nodes is 0; .* 1 or more"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
