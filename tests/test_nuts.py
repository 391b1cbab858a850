"""NUTS against an exact posterior, and as an algorithm that can go back."""

from __future__ import annotations

import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats

from latentsteps.evaluation.diagnostics import r_hat, standard_error
from latentsteps.inference.nuts import NUTSState, draws, nuts, to_arviz
from latentsteps.inference.nuts_compiled import sampler
from latentsteps.trace import Trace, run

N, NOISE, PRIOR = 12, 2.0, 3.0
X = np.random.default_rng(0).normal(4.0, NOISE, N)


def normal_mean(data):
    """x ~ N(m, NOISE²), m ~ N(0, PRIOR²): the posterior of m is known."""
    m = numpyro.sample("m", dist.Normal(0.0, PRIOR))
    numpyro.sample("x", dist.Normal(m, NOISE), obs=data)


def shares(data):
    """Counts of three kinds with a Dirichlet prior: the posterior is a Dirichlet."""
    weights = numpyro.sample("weights", dist.Dirichlet(np.array([0.5, 1.0, 2.0])))
    numpyro.sample("counts", dist.Multinomial(8, weights), obs=data)


def discrete(data):
    numpyro.sample("z", dist.Bernoulli(0.5))


@pytest.fixture(scope="module")
def trace():
    return run(nuts(normal_mean, warmup=200), X, seed=3, steps=1200)


def assert_moments(values, mean, sd):
    """Mean and variance of the draws (chains, draws) within 4 Monte Carlo standard errors: a right
    sampler fails one of the two once in 8,000 seeds, and this seed is fixed."""
    assert abs(values.mean() - mean) < 4 * standard_error(values)
    squares = (values - mean) ** 2
    assert abs(squares.mean() - sd**2) < 4 * standard_error(squares)


def test_moments_of_a_conjugate_posterior(trace):
    precision = N / NOISE**2 + 1 / PRIOR**2
    m = draws(trace, "m")
    assert m.shape == (2, 1000)
    assert r_hat(m) < 1.02
    assert_moments(m, X.sum() / NOISE**2 / precision, precision**-0.5)


def test_moments_of_a_constrained_posterior():
    counts = np.array([0, 3, 5])
    weights = draws(run(nuts(shares, warmup=200), counts, seed=5, steps=1200), "weights")
    np.testing.assert_allclose(weights.sum(axis=2), 1)
    posterior = stats.dirichlet([0.5, 4.0, 7.0])
    for k in range(3):
        assert_moments(weights[..., k], posterior.mean()[k], posterior.var()[k] ** 0.5)


def test_the_objective_is_the_log_joint_density_without_jacobian(trace):
    for t in (0, 1, 200, 777):
        for chain in range(2):
            m = trace[t].position["m"][chain]
            exact = stats.norm(0, PRIOR).logpdf(m) + stats.norm(m, NOISE).logpdf(X).sum()
            assert trace.infos[t].log_density[chain] == pytest.approx(exact, rel=1e-12)
        assert trace.objective[t] == pytest.approx(trace.infos[t].log_density.mean())
    counts = np.array([0, 3, 5])
    state = run(nuts(shares, warmup=200), counts, steps=0)
    weights = state[0].position["weights"][0]
    exact = stats.dirichlet([0.5, 1.0, 2.0]).logpdf(weights)
    exact += stats.multinomial(8, weights).logpmf(counts)
    assert state.infos[0].log_density[0] == pytest.approx(exact, rel=1e-12)


def test_going_back_and_on_gives_the_same_states(trace):
    algorithm = trace.algorithm
    for t in (1, 7, 200, 201, 1200):
        state, info = algorithm.step((3, t), trace[t - 1], X)
        np.testing.assert_array_equal(state.position["m"], trace[t].position["m"])
        assert info.objective == trace.infos[t].objective
    # Most states thrown away, and computed again when asked for.
    forgetful = Trace(algorithm, X, seed=3, memory=3000)
    for _ in range(40):
        forgetful.advance()
    np.testing.assert_array_equal(
        [state.position["m"] for state in forgetful], [trace[t].position["m"] for t in range(41)]
    )


def test_seeds_and_chains_differ_and_none_is_compiled_again(trace):
    shared = sampler(normal_mean, 2, 200, (10, 10), 0.8, False)
    compiled = shared.step._cache_size()
    assert compiled == 1
    other = run(nuts(normal_mean, warmup=200), X + 1, seed=4, steps=3)
    assert shared.step._cache_size() == compiled
    for t in range(4):
        first, second = trace[t].position["m"]
        assert len({first, second, *other[t].position["m"]}) == 4


def test_what_belongs_to_the_warm_up(trace):
    assert [info.warmup for info in trace.infos] == [True] * 201 + [False] * 1000
    sizes = np.array([info.step_size for info in trace.infos])
    assert (sizes[201:] == sizes[201]).all()
    assert (sizes[1:20] != sizes[201]).all()
    assert (sizes[1] == sizes[0]).all()  # the start names the size of the first leapfrogs
    assert not any(info.divergent.any() for info in trace.infos[201:])
    assert np.mean([info.acceptance for info in trace.infos[201:]]) == pytest.approx(0.85, abs=0.1)
    shallow = run(nuts(normal_mean, warmup=8, max_tree_depth=(1, 2)), X, steps=20)
    assert max(info.leapfrogs.max() for info in shallow.infos[:9]) == 1
    assert max(info.leapfrogs.max() for info in shallow.infos) <= 3
    assert shallow.infos[0].leapfrogs.tolist() == [0, 0]


def test_to_arviz(trace):
    data = to_arviz(trace)
    np.testing.assert_array_equal(data.posterior["m"].values, draws(trace, "m"))
    assert data.posterior["m"].dims == ("chain", "draw")
    assert data.sample_stats["diverging"].values.sum() == 0
    last = data.sample_stats["lp"].values[:, -1]
    np.testing.assert_array_equal(last, trace.infos[-1].log_density)


def test_a_start_is_taken_and_what_it_leaves_out_is_drawn():
    def at_seven(key, data, chain):
        return {"m": 7.0 + chain + key[0]}

    begun = Trace(nuts(normal_mean, warmup=200, start=at_seven), X, seed=2)
    assert begun[0].position["m"].tolist() == [9.0, 10.0]
    drawn = Trace(nuts(normal_mean, warmup=200, start=lambda *_: {}), X, seed=2)
    assert (np.abs(drawn[0].position["m"]) < 2).all()


def test_refusals_in_words(trace):
    for arguments, words in (
        ({"chains": 0}, "1 or more"),
        ({"warmup": 0}, "1 or more"),
        ({"max_tree_depth": 0}, "1 to 15"),
        ({"max_tree_depth": (5, 10, 3)}, "two such numbers"),
        ({"target_acceptance": 1.0}, "between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=words):
            nuts(normal_mean, **arguments)
    for model, start, words in (
        (discrete, None, "'z' is discrete"),
        (normal_mean, lambda *_: {"mean": 1.0}, "gives 'mean'"),
        (normal_mean, lambda *_: {"m": np.zeros(3)}, r"shape \(3,\)"),
        (normal_mean, lambda *_: {"m": np.nan}, "the start has density 0"),
        (normal_mean, lambda key, data, chain: {"m": 1.0} if chain else {}, "different sites"),
        (shares, lambda *_: {"weights": np.array([0.0, 0.5, 0.5])}, "the start has density 0"),
    ):
        data = np.array([0, 3, 5]) if model is shares else X
        with pytest.raises(ValueError, match=words):
            Trace(nuts(model, warmup=200, start=start), data)
    with pytest.raises(ValueError, match="each of 100 starts"):
        Trace(nuts(normal_mean, warmup=200), X * np.nan)
    step = trace.algorithm.step
    for key, state, data in (
        ((3, 8), trace[3], X),
        ((3, 1), 0.0, X),
        ((3, 1), trace[0], X[:-1]),
        ((3, 1), NUTSState({}, trace[0].kernel._replace(z=np.zeros((3, 1)))), X),
    ):
        with pytest.raises(ValueError, match="goes on from its own state"):
            step(key, state, data)
    with pytest.raises(ValueError, match="of the warm-up"):
        draws(Trace(trace.algorithm, X), "m")
    with pytest.raises(ValueError, match="no site is called 'k'; there are m"):
        draws(trace, "k")
