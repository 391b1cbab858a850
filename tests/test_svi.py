"""Variational inference against exact posteriors: normal, tempered, Dirichlet."""

from __future__ import annotations

import numpy as np
import numpyro
import pytest
from numpyro import distributions as dist
from numpyro.distributions import constraints
from scipy import stats
from scipy.special import gammaln

from latentsteps.inference.svi import LOOKS, SVIState, _compiled, draws, svi
from latentsteps.jax64 import jax
from latentsteps.trace import Trace, run

NOISE, PRIOR_SD = 1.5, 2.0
Y = np.array([1.0, 2.0, 0.5, -0.3])


def normal(y):
    """y_n ~ N(θ, NOISE²), θ ~ N(0, PRIOR_SD²)."""
    theta = numpyro.sample("theta", dist.Normal(0, PRIOR_SD))
    numpyro.sample("y", dist.Normal(theta, NOISE), obs=y)


def posterior(weight: float = 1.0) -> tuple[float, float]:
    """Mean and sd of p(y | θ)^(1/weight) p(θ), normalised."""
    precision = 1 / PRIOR_SD**2 + len(Y) / (weight * NOISE**2)
    return Y.sum() / (weight * NOISE**2) / precision, precision**-0.5


def counts_model(counts):
    weights = numpyro.sample("weights", dist.Dirichlet(np.ones(3)))
    numpyro.sample("counts", dist.Multinomial(total_count=6, probs=weights), obs=counts)


def dirichlet_guide(counts):
    a = numpyro.param("a", np.ones(3), constraint=constraints.positive)
    numpyro.sample("weights", dist.Dirichlet(a))


def mixed(y):
    """Sites of several kinds: a scale, shares, a plate of locations."""
    scale = numpyro.sample("scale", dist.LogNormal(0, 1))
    shares = numpyro.sample("shares", dist.Dirichlet(np.ones(3)))
    with numpyro.plate("places", 2):
        place = numpyro.sample("place", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(place.sum() + shares[0], scale), obs=y)


def average(trace: Trace) -> tuple[float, float]:
    """Mean of the objective over a run that stands still, and its standard error."""
    infos = trace.infos
    error = np.sqrt(sum(info.error**2 for info in infos)) / len(infos)
    return float(np.mean([info.objective for info in infos])), float(error)


def standing_still(start: float, width: float, model=normal, **settings) -> Trace:
    """Fresh estimates of the bound at one q: steps so small that nothing moves."""
    algorithm = svi(
        model, start={"theta": start}, width=width, learning_rate=1e-12, updates=1, **settings
    )
    return run(algorithm, Y, steps=150)


def test_at_the_exact_posterior_the_elbo_is_the_evidence():
    mean, sd = posterior()
    trace = standing_still(mean, sd)
    value, error = average(trace)
    covariance = PRIOR_SD**2 + NOISE**2 * np.eye(len(Y))
    evidence = stats.multivariate_normal(np.zeros(len(Y)), covariance).logpdf(Y)
    assert error < 0.05
    assert abs(value - evidence) < 4 * error
    kl = np.log(PRIOR_SD / sd) + (sd**2 + mean**2) / (2 * PRIOR_SD**2) - 0.5
    assert [info.kl for info in trace.infos] == pytest.approx([kl] * 151, abs=1e-9)
    for info in trace.infos:
        assert info.objective == pytest.approx(info.fit - info.kl, abs=1e-12)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.5), (2.0, 1.0), (0.7, 0.2)])
def test_elsewhere_it_is_the_exact_value_below_the_evidence(mean, sd):
    value, error = average(standing_still(mean, sd))
    fit = stats.norm(mean, NOISE).logpdf(Y).sum() - len(Y) * sd**2 / (2 * NOISE**2)
    kl = np.log(PRIOR_SD / sd) + (sd**2 + mean**2) / (2 * PRIOR_SD**2) - 0.5
    assert abs(value - (fit - kl)) < 4 * error


def test_the_error_is_that_of_the_mean_of_the_looks():
    mean, sd = posterior()
    infos = standing_still(mean, sd).infos
    spread = np.std([info.objective for info in infos], ddof=1)
    stated = np.sqrt(np.mean([info.error**2 for info in infos]))
    # 151 estimates know their own spread to about 1/√300 = 6 %.
    assert stated == pytest.approx(spread, rel=0.25)


def test_the_objective_is_the_fit_less_the_weighted_kl():
    for info in run(svi(normal, kl_weight=2.0), Y, steps=2).infos:
        assert info.kl > 0
        assert info.objective == pytest.approx(info.fit - 2 * info.kl, abs=1e-12)


def test_the_looks_are_not_the_draws_of_the_update():
    drawn = []

    def model(y):
        theta = numpyro.sample("theta", dist.Normal(1000, PRIOR_SD))
        jax.debug.callback(lambda value: drawn.extend(np.ravel(value).tolist()), theta)
        numpyro.sample("y", dist.Normal(theta, NOISE), obs=y)

    def seen():
        jax.effects_barrier()
        # Not NumPyro's look at the model beforehand, with a q around 0.
        values = np.array([value for value in drawn if value > 500])
        drawn.clear()
        return values

    state = run(svi(model, start={"theta": 1000.0}), Y, steps=0)[0].optimizer
    seen()
    compiled = _compiled(model, "mean field")
    # A step so small that the same noise gives the same draw before and after.
    state = compiled.advance((0, 1), Y, state, 1e-12, 1.0, updates=1, particles=4)
    of_update = seen()
    compiled.look((0, 1), Y, jax.tree.map(np.asarray, state), 1.0)
    of_look = seen()
    assert len(set(of_update)) == 4
    assert len(set(of_look)) == LOOKS
    assert np.abs(of_update[:, None] - of_look).min() > 1e-6


def test_more_particles_are_calmer():
    def spread(particles):
        trace = run(svi(normal, particles=particles, learning_rate=0.05), Y, steps=60)
        return np.std([trace[t].parameters["theta_mean"] for t in range(20, 61)])

    # Measured: .045 to .058 against .11 to .13.
    assert spread(16) < 0.6 * spread(1)


def test_a_state_is_the_given_number_of_updates():
    trace = run(svi(normal, updates=7), Y, steps=3)
    assert [int(trace[t].optimizer[0]) for t in range(4)] == [0, 7, 14, 21]


def test_a_random_start_is_anywhere_from_minus_two_to_two():
    starts = [run(svi(normal), Y, seed=s, steps=0)[0].parameters["theta_mean"] for s in range(60)]
    # That 60 even draws all miss the outer eighth on one side has a probability of .0003.
    assert -2 <= min(starts) < -1.5
    assert 1.5 < max(starts) <= 2


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_the_mean_field_finds_the_exact_posterior_tempered_by_the_weight(weight):
    trace = run(svi(normal, particles=16, kl_weight=weight, updates=50), Y, seed=1, steps=40)
    late = [trace[t].parameters for t in range(25, 41)]
    mean, sd = posterior(weight)
    # Adam at a fixed rate of .01 keeps wandering by about that much.
    assert np.mean([p["theta_mean"] for p in late]) == pytest.approx(mean, abs=0.05)
    assert np.mean([p["theta_sd"] for p in late]) == pytest.approx(sd, rel=0.08)


def test_a_point_goes_to_the_mode_and_its_objective_is_the_log_joint():
    trace = run(svi(normal, guide="point", updates=100), Y, steps=20)
    mode = posterior()[0]
    assert trace[-1].parameters["theta"] == pytest.approx(mode, abs=1e-6)
    log_joint = stats.norm(mode, NOISE).logpdf(Y).sum() + stats.norm(0, PRIOR_SD).logpdf(mode)
    assert trace.infos[-1].objective == pytest.approx(log_joint, abs=1e-9)
    assert trace.infos[-1].error == 0
    found = draws(normal, trace[-1].parameters, Y, 2, guide="point")
    assert found["theta"] == pytest.approx([mode, mode], abs=1e-6)


def test_a_guide_of_ones_own_reaches_the_evidence():
    counts = np.array([1.0, 2.0, 3.0])
    algorithm = svi(counts_model, guide=dirichlet_guide, updates=50, particles=8)
    trace = run(algorithm, counts, steps=24)
    # Under an even Dirichlet all 28 outcomes of six draws are equally likely; and the Dirichlet
    # is conjugate, so q can be exact: a = 1 + counts.
    log_evidence = gammaln(3) + gammaln(7) - gammaln(9)
    assert np.exp(log_evidence) == pytest.approx(1 / 28)
    late = trace.infos[16:]
    value = np.mean([info.objective for info in late])
    error = np.sqrt(np.mean([info.error**2 for info in late]) / len(late))
    assert abs(value - log_evidence) < 4 * error + 0.01
    assert trace[-1].parameters["a"] == pytest.approx(1 + counts, rel=0.2)
    weights = draws(counts_model, trace[-1].parameters, counts, 500, guide=dirichlet_guide)
    assert weights["weights"].sum(axis=1) == pytest.approx(1.0)
    begun = run(
        svi(counts_model, guide=dirichlet_guide, start={"a": [2.0, 3.0, 4.0]}), counts, steps=0
    )
    assert begun[0].parameters["a"] == pytest.approx([2, 3, 4])


def test_sites_with_constraints_stay_within_them():
    trace = run(svi(mixed, updates=50), Y, steps=5)
    found = draws(mixed, trace[-1].parameters, Y, 100, seed=3)
    assert {name: value.shape for name, value in found.items()} == {
        "scale": (100,),
        "shares": (100, 3),
        "place": (100, 2),
    }
    assert (found["scale"] > 0).all()
    assert found["shares"].sum(axis=1) == pytest.approx(1.0)
    start = {"shares": [0.2, 0.3, 0.5], "scale": 2.0}
    begun = draws(mixed, run(svi(mixed, start=start, width=1e-6), Y, steps=0)[0].parameters, Y, 3)
    assert begun["shares"] == pytest.approx(np.tile([0.2, 0.3, 0.5], (3, 1)), abs=1e-4)
    assert begun["scale"] == pytest.approx(2.0, abs=1e-4)
    point = run(svi(mixed, guide="point", start=start), Y, steps=3)
    assert point[0].parameters["shares"] == pytest.approx([0.2, 0.3, 0.5])
    assert point[3].parameters["shares"].sum() == pytest.approx(1.0)


def test_draws_are_from_q():
    parameters = {"theta_mean": np.array(3.0), "theta_sd": np.array(0.5)}
    theta = draws(normal, parameters, Y, 4000, seed=5)["theta"]
    assert abs(theta.mean() - 3.0) < 4 * 0.5 / np.sqrt(4000)
    assert theta.std() == pytest.approx(0.5, rel=4 / np.sqrt(2 * 4000))
    assert (theta == draws(normal, parameters, Y, 4000, seed=5)["theta"]).all()
    assert (theta != draws(normal, parameters, Y, 4000, seed=6)["theta"]).all()


def test_going_back_and_on_again_gives_the_same_states():
    whole = run(svi(mixed), Y, seed=4, steps=6)
    thin = run(svi(mixed), Y, seed=4, steps=6, memory=1)
    for t in range(7):
        same = jax.tree.map(lambda a, b: (a == b).all(), whole[t], thin[t])
        assert all(jax.tree.leaves(same))
    assert whole.infos == thin.infos
    assert run(svi(mixed), Y, seed=5, steps=1).infos != whole.infos[:2]


def test_another_seed_start_rate_or_weight_does_not_compile_again():
    def model(y):  # of its own, so that no other test has compiled it
        normal(y)

    run(svi(model), Y, seed=0, steps=1)
    run(svi(model, updates=7, start={"theta": 1.0}), 2 * Y, seed=0, steps=1)
    run(svi(model, learning_rate=0.1, kl_weight=0.5, width=1.0), Y, seed=9, steps=1)
    compiled = _compiled(model, "mean field")
    assert compiled.advance._cache_size() == 1
    assert compiled.look._cache_size() == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"guide": "laplace"}, "'mean field', 'point'"),
        ({"updates": 0}, "at least 1"),
        ({"particles": 0}, "at least 1"),
        ({"learning_rate": 0.0}, "positive"),
        ({"width": -1.0}, "positive"),
        ({"kl_weight": -0.1}, "not negative"),
        ({"kl_weight": float("nan")}, "not negative"),
    ],
)
def test_bad_arguments_are_refused_in_words(settings, words):
    with pytest.raises(ValueError, match=words):
        svi(normal, **settings)


def test_a_start_that_does_not_fit_is_refused_in_words():
    def begin(model, start, guide="mean field"):
        return run(svi(model, start=start, guide=guide), Y, steps=0)

    with pytest.raises(ValueError, match="what can start is theta"):
        begin(normal, {"mu": 0.0})
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        begin(normal, {"theta": [0.0, 1.0]})
    with pytest.raises(ValueError, match="finite"):
        begin(normal, {"theta": np.nan})
    with pytest.raises(ValueError, match="outside its support"):
        begin(mixed, {"scale": -1.0})
    with pytest.raises(ValueError, match="what can start is a"):
        begin(counts_model, {"weights": np.ones(3) / 3}, dirichlet_guide)
    with pytest.raises(ValueError, match="the model's hidden sites are"):
        begin(normal, None, dirichlet_guide)


def test_models_that_cannot_be_fitted_are_refused_in_words():
    def discrete(y):
        k = numpyro.sample("k", dist.Bernoulli(0.5))
        numpyro.sample("y", dist.Normal(k, 1.0), obs=y)

    with pytest.raises(ValueError, match="sum it out"):
        run(svi(discrete), Y, steps=0)
    with pytest.raises(ValueError, match="nothing to infer"):
        run(svi(lambda y: numpyro.sample("y", dist.Normal(0, 1), obs=y)), Y, steps=0)
    with pytest.raises(ValueError, match="positive number of draws"):
        draws(normal, {"theta_mean": 0.0, "theta_sd": 1.0}, Y, 0)


def test_a_step_refuses_another_models_state():
    other = run(svi(mixed), Y, steps=0)[0]
    algorithm = svi(normal)
    algorithm.init((0, 0), Y)
    for state in (other, SVIState({}, None), "a state"):
        with pytest.raises(ValueError, match="a state of its own"):
            algorithm.step((0, 1), state, Y)
