"""The checks of unit 04: what every unit's must do, what they rely on, and other right and wrong
answers."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import simpson
from scipy.special import logsumexp

from checking import assert_unit_checks
from latentsteps.checks import bayesian_gmm as check
from latentsteps.checks import bayesian_gmm_error as error
from latentsteps.checks import bayesian_gmm_metropolis as walking
from latentsteps.checks import bayesian_gmm_prior as priors
from latentsteps.checks import bayesian_gmm_r_hat as agreeing
from latentsteps.jax64 import jax, jnp


def test_every_check_knows_its_right_answer_its_blank_and_its_misconceptions():
    assert_unit_checks(check)


def test_the_checks_are_numbered_in_a_row():
    numbers = sorted(getattr(check, name).number for name in check.__all__)
    assert numbers == [*(f"4.{n}" for n in range(1, 9)), *(f"4.Q{n}" for n in range(1, 5))]


# What the checks rely on, against other sources.


def test_the_joint_density_integrates_to_one():
    nothing, s, m = np.empty(0), np.linspace(-14, 2.6, 400), np.linspace(-70, 70, 401)
    log_posterior = check.log_posterior.reference
    over_s = simpson([np.exp(log_posterior(nothing, np.array([3.0]), t)) for t in s], x=s)
    assert over_s == pytest.approx(stats.norm.pdf(3, 0, 10), rel=1e-5)
    over_m = simpson([np.exp(log_posterior(nothing, np.array([a]), 0.4)) for a in m], x=m)
    sigma = np.exp(0.4)
    assert over_m == pytest.approx(2 * stats.norm.pdf(sigma, 0, 2) * sigma, rel=1e-6)
    means = np.array([-2.0, 4.0])
    points = np.linspace(-30, 30, 1201)
    over_x = simpson([np.exp(log_posterior(np.array([y]), means, 0.4)) for y in points], x=points)
    assert over_x == pytest.approx(np.exp(log_posterior(nothing, means, 0.4)), rel=1e-6)


def test_the_rule_keeps_five_states_as_they_are_and_few_moves_in_the_cases_are_close_calls():
    matrix = np.zeros((5, 5))
    u = (np.arange(4000) + 0.5) / 4000
    for start, to in itertools.permutations(range(5), 2):
        args = walking._log_of_five, walking._log_proposal_of_five
        taken = np.mean([check.metropolis_step.reference(start, to, *args, v) == to for v in u])
        matrix[to, start] = walking._TO_FROM[to, start] * taken
    matrix[np.diag_indices(5)] = 1 - matrix.sum(axis=0)
    np.testing.assert_allclose(matrix @ walking._STATES, walking._STATES, atol=2e-4)
    for case in check.metropolis_step.cases:
        here, there, log_density, log_proposal, v = case.args
        change = np.float64(log_density(there)) - log_density(here)
        log_ratio = change + log_proposal(here, there) - log_proposal(there, here)
        for decider in (v, 1 - v):  # either may decide
            assert abs(np.log(decider) - log_ratio) > 0.03, case.label
        assert (np.log(v) < log_ratio) == (np.log(1 - v) < log_ratio), case.label


@pytest.mark.parametrize("case", check.leapfrog.cases, ids=lambda case: case.label)
def test_the_gradients_are_those_of_the_log_densities(case):
    from latentsteps.checks import bayesian_gmm_leapfrog as rolling

    position, _, gradient, _, _ = case.args
    slope = jax.grad(lambda q: rolling._LOG_DENSITIES[gradient](q))(jnp.asarray(position))
    np.testing.assert_allclose(gradient(position), slope, rtol=1e-12)


def test_on_a_normal_a_leapfrog_is_a_known_matrix():
    e, steps = 0.3, 7
    one = np.array([[1 - e**2 / 2, e], [-e + e**3 / 4, 1 - e**2 / 2]])
    q, p = check.leapfrog.reference(np.array([0.7]), np.array([-1.1]), lambda q: -q, e, steps)
    expected = np.linalg.matrix_power(one, steps) @ [0.7, -1.1]
    np.testing.assert_allclose([q[0], p[0]], expected, rtol=1e-12)


def test_the_sticky_chains_are_as_sticky_as_they_say():
    n, rho = 500, error._STICKY
    chains = error._sticky(4000, n, np.random.default_rng(0))
    assert chains.std() == pytest.approx(1, abs=0.01)
    lags = np.arange(1, n)
    exact = np.sqrt((1 + 2 * np.sum((1 - lags / n) * rho**lags)) / n)
    assert chains.mean(axis=1).std() == pytest.approx(exact, rel=0.05)
    assert np.sqrt((1 + rho) / (1 - rho) / n) == pytest.approx(exact, rel=0.01)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_r_hat_is_arviz_s():
    import arviz as az

    for case in check.r_hat.cases:
        (draws,) = case.args
        if len(draws) > 1:
            plain = float(az.rhat(draws, method="split"))
            assert check.r_hat.reference(draws) == pytest.approx(plain, rel=1e-10)
            if draws.shape[1] > 5:
                ranked = float(az.rhat(draws))
                assert agreeing._ranked(draws) == pytest.approx(ranked, rel=1e-6)


def test_r_hat_is_near_one_far_above_it_or_blind_as_the_cases_say():
    values = {case.label: check.r_hat.reference(*case.args) for case in check.r_hat.cases}
    assert values["four chains of 200 draws, all alike"] < 1.01
    assert values["the same, one chain shifted by 1.5"] > 1.15
    assert values["two chains, the names of two components exchanged"] > 5
    assert values["four chains that drift, all in the same way"] > 1.15
    assert values["four chains about one place, wide and narrow"] < 1.02
    (drifting,) = next(c.args for c in check.r_hat.cases if "drift" in c.label)
    assert agreeing._by(split=lambda draws: draws)(drifting) < 1.01  # whole chains agree


def test_together_is_how_often_two_points_are_drawn_together():
    (r,) = check.together.cases[3].args
    random = np.random.default_rng(0)
    u = random.random((20_000, *r.shape[:2], 1))
    z = (u > r.cumsum(axis=2)).sum(axis=3)  # (draws, S, N)
    often = (z[:, :, :, None] == z[:, :, None]).mean(axis=(0, 1))
    np.testing.assert_allclose(check.together.reference(r), often, atol=0.01)


def test_the_reference_prior_is_scipy_s_log_normal_and_its_tie_mass_is_known():
    scale = 10.0 ** np.arange(-5, 6)
    expected = stats.lognorm.logpdf(scale, 2)
    np.testing.assert_allclose(check.log_prior.reference(scale), expected, rtol=1e-12)
    s = np.linspace(-250, 50, 60_001)
    for m in (1, 5, 10):
        terms = check.log_prior.reference(np.exp(s)) + s - m * s
        assert priors._log_mass(terms, s) == pytest.approx(m**2 * 2**2 / 2, rel=1e-9)


# 4.1 Right answers, other derivations


def posterior_by_loops(x, means, log_scale):
    sigma = math.exp(log_scale)
    total = log_scale + math.log(2) - math.log(2 * math.sqrt(2 * math.pi)) - sigma**2 / 8
    for mean in means:
        total += stats.norm(0, 10).logpdf(mean)
    for point in x:
        terms = [-math.log(len(means)) + stats.norm(mean, sigma).logpdf(point) for mean in means]
        top = max(terms)
        total += top + math.log(sum(math.exp(term - top) for term in terms))
    return total


def posterior_by_logaddexp(x, means, log_scale):
    z = (np.subtract.outer(means, x)) * np.exp(-log_scale)
    log_n = -(z**2) / 2 - log_scale - np.log(2 * np.pi) / 2
    points = np.logaddexp.reduce(log_n, axis=0) - np.log(means.size)
    prior = -(means**2) / 200 - np.log(10 * np.sqrt(2 * np.pi))
    half = stats.chi.logpdf(np.exp(log_scale) / 2, 1) - np.log(2)
    return np.array([points.sum() + prior.sum() + half + log_scale])[0]


# 4.2


def step_with_min(here, there, log_density, log_proposal, u):
    top = log_density(there) + log_proposal(here, there)
    below = log_density(here) + log_proposal(there, here)
    return there if u <= np.exp(np.minimum(0, top - below)) else here


def step_by_one_minus_u(here, there, log_density, log_proposal, u):
    a = log_density(there) - log_density(here) + log_proposal(here, there)
    return here if np.log(1 - u) > a - log_proposal(there, here) else there


def step_without_logarithm_of_u(here, there, log_density, log_proposal, u):
    a = np.float64(log_density(there)) - log_density(here)
    a += log_proposal(here, there) - log_proposal(there, here)
    accept = bool(u < np.exp(a))
    return [here, there][accept]


def step_by_where(here, there, log_density, log_proposal, u):
    a = log_density(there) - log_density(here) + log_proposal(here, there)
    return np.where(math.log(u) < a - log_proposal(there, here), there, here)


def step_by_jax(here, there, log_density, log_proposal, u):
    a = log_density(there) - log_density(here) + log_proposal(here, there)
    return jnp.where(jnp.log(u) < a - log_proposal(there, here), there, here)


def step_by_a_list(here, there, *rest):
    chosen = check.metropolis_step.reference(here, there, *rest)
    return list(chosen) if np.ndim(chosen) else chosen


# 4.3


def leapfrog_with_whole_kicks_between(position, momentum, gradient, step_size, steps):
    momentum = momentum + 0.5 * step_size * gradient(position)
    for i in range(steps):
        position = position + step_size * momentum
        momentum = momentum + (step_size if i < steps - 1 else step_size / 2) * gradient(position)
    return position, momentum


def leapfrog_taking_half_a_kick_back(position, momentum, gradient, step_size, steps):
    q, p = position.copy(), momentum + step_size * gradient(position) / 2
    for _ in range(steps):
        q += step_size * p
        p += step_size * gradient(q)
    return [q, p - step_size * gradient(q) / 2]


def leapfrog_as_verlet(position, momentum, gradient, step_size, steps):
    slope = gradient(position)
    for _ in range(steps):
        position = position + step_size * momentum + step_size**2 / 2 * slope
        new = gradient(position)
        momentum, slope = momentum + step_size * (slope + new) / 2, new
    return np.stack([position, momentum])


def leapfrog_by_recursion(q, p, gradient, e, steps):
    if steps == 0:
        return q, p
    p = p + e / 2 * gradient(q)
    q = q + e * p
    return leapfrog_by_recursion(q, p + e / 2 * gradient(q), gradient, e, steps - 1)


def leapfrog_in_jax(q, p, gradient, e, steps):
    q, p = jnp.asarray(q), jnp.asarray(p)
    for _ in range(steps):
        p = p + e / 2 * gradient(q)
        q = q + e * p
        p = p + e / 2 * gradient(q)
    return q.tolist(), p.tolist()


# 4.4 and 4.5


def r_hat_by_loops(draws):
    n = draws.shape[1] // 2
    halves = [half.tolist() for chain in draws for half in (chain[:n], chain[len(chain) - n :])]
    means = [statistics.fmean(half) for half in halves]
    within = statistics.fmean(statistics.variance(half) for half in halves)
    between = n * statistics.variance(means)
    return math.sqrt(((n - 1) * within + between) / n / within)


def r_hat_by_stack(draws):
    n = draws.shape[1] // 2
    halves = np.stack([draws[:, :n], draws[:, -n:]])  # (2, chains, n)
    means = halves.mean(axis=2)
    b = n / (means.size - 1) * ((means - means.mean()) ** 2).sum()
    w = halves.var(axis=2).mean() * n / (n - 1)
    return np.sqrt(1 - 1 / n + b / n / w)


def r_hat_by_jax(draws):
    n = draws.shape[1] // 2
    halves = jnp.concatenate([draws[:, :n], draws[:, -n:]])
    w = jnp.mean(jnp.var(halves, axis=1, ddof=1))
    return jnp.sqrt((n - 1) / n + jnp.var(jnp.mean(halves, axis=1), ddof=1) / w)


# 4.6 and 4.7


def together_by_loops(r):
    s, n, k = r.shape
    table = [[0.0] * n for _ in range(n)]
    for i, j in itertools.product(range(n), range(n)):
        if i == j:
            table[i][j] = 1.0
            continue
        for draw, component in itertools.product(range(s), range(k)):
            table[i][j] += r[draw, i, component] * r[draw, j, component] / s
    return table


def together_by_jax(r):
    table = jnp.einsum("sik,sjk->ij", r, r) / r.shape[0]
    return jnp.where(jnp.eye(r.shape[1], dtype=bool), 1.0, table)


def together_by_matmul(r):
    table = (r @ np.swapaxes(r, 1, 2)).mean(0)
    eye = np.eye(r.shape[1])
    return table * (1 - eye) + eye


def predictive_by_loops(grid, weights, means, scales):
    values = []
    for point in grid:
        terms = []
        for w, m, s in zip(weights, means, scales, strict=True):
            terms += (np.log(w) + stats.norm.logpdf(point, m, s)).tolist()
        values.append(logsumexp(terms) - math.log(len(weights)))
    return values


def predictive_by_two_sums(grid, weights, means, scales):
    z = (grid - means[..., None]) / scales[..., None]  # (S, K, G)
    log_n = -(z**2) / 2 - np.log(scales)[..., None] - np.log(2 * np.pi) / 2
    per_draw = logsumexp(log_n, axis=1, b=weights[..., None])
    return logsumexp(per_draw, axis=0, b=1 / len(weights))


PRIORS = {
    "log-normal": lambda s: stats.lognorm.logpdf(s, 1.5),
    "wide log-normal": lambda s: stats.lognorm.logpdf(s, 5),
    "narrow log-normal": lambda s: stats.lognorm.logpdf(s, 0.3, scale=0.5),
    "inverse gamma": lambda s: stats.invgamma.logpdf(s, 2),
    "inverse gamma by hand": lambda s: -3 * np.log(s) - 1 / s,
    "σ² inverse gamma": lambda s: stats.invgamma.logpdf(s**2, 2, scale=0.05) + np.log(2 * s),
    "inverse Gaussian": lambda s: stats.invgauss.logpdf(s, 1),
    "Laplace of log σ": lambda s: -np.abs(np.log(s)) / 0.08 - np.log(0.16 * s),
    "gamma that vanishes fast enough": lambda s: stats.gamma.logpdf(s, 12, scale=0.1),
    "one by one": lambda s: [stats.lognorm.logpdf(each, 1) for each in s],
    "jax": lambda s: jax.scipy.stats.norm.logpdf(jnp.log(s), 0.0, 1.0) - jnp.log(s),
    "two log-normals": lambda s: (
        np.logaddexp(stats.lognorm.logpdf(s, 0.5), stats.lognorm.logpdf(s, 3)) - np.log(2)
    ),
}

RIGHT = [
    *((check.log_posterior, f) for f in (posterior_by_loops, posterior_by_logaddexp)),
    *((check.metropolis_step, f) for f in (step_with_min, step_by_one_minus_u, step_by_where)),
    *((check.metropolis_step, f) for f in (step_by_jax, step_by_a_list)),
    (check.metropolis_step, step_without_logarithm_of_u),
    (check.leapfrog, leapfrog_with_whole_kicks_between),
    (check.leapfrog, leapfrog_taking_half_a_kick_back),
    *((check.leapfrog, f) for f in (leapfrog_as_verlet, leapfrog_by_recursion, leapfrog_in_jax)),
    (check.standard_error, lambda draws, n: np.std(draws) / n**0.5),
    (check.standard_error, lambda draws, n: math.sqrt(statistics.variance(draws.tolist()) / n)),
    (check.standard_error, lambda draws, n: stats.sem(draws) * np.sqrt(len(draws) / n)),
    (check.standard_error, lambda draws, n: jnp.sqrt(jnp.var(draws) / n)),
    *((check.r_hat, f) for f in (r_hat_by_loops, r_hat_by_stack, r_hat_by_jax)),
    *((check.together, f) for f in (together_by_loops, together_by_jax, together_by_matmul)),
    *((check.predictive, f) for f in (predictive_by_loops, predictive_by_two_sums)),
]


@pytest.mark.parametrize(
    ("exercise", "answer"),
    RIGHT,
    ids=lambda value: getattr(value, "__name__", getattr(value, "name", "")),
)
def test_another_right_derivation_passes(exercise, answer):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "passes", verdict


@pytest.mark.parametrize("answer", PRIORS.values(), ids=PRIORS)
def test_any_prior_that_bears_ties_passes(answer):
    verdict = check.log_prior.judge(answer)
    assert verdict.outcome == "passes", verdict


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_arviz_s_split_r_hat_passes_but_for_a_single_chain():
    import arviz as az

    def answer(draws):
        if len(draws) == 1:  # ArviZ wants two
            return check.r_hat.reference(draws)
        return az.rhat(draws, method="split")

    assert check.r_hat.judge(answer).outcome == "passes"


# Wrong answers beyond the named ones: what is said of them is not misleading.


def kicked(before, after):
    """Leapfrog with other kicks, a share of a full one."""

    def answer(q, p, gradient, e, steps):
        for _ in range(steps):
            p = p + before * e * gradient(q)
            q = q + e * p
            p = p + after * e * gradient(q)
        return q, p

    return answer


def decided_by(rule):
    def answer(here, there, log_density, log_proposal, u):
        a = np.float64(log_density(there)) - log_density(here)
        a += log_proposal(here, there) - log_proposal(there, here)
        return there if rule(a, u) else here

    return answer


def midway(here, there, *rest):
    return (np.asarray(here) + there) / 2


def without_a_call(here, there, log_density, log_proposal, u):
    return there if np.log(u) < log_density - log_proposal else here


def by_midpoint(q, p, gradient, e, steps):
    """Runge and Kutta's method of order 2: small errors, and neither reversible nor of one
    volume."""
    for _ in range(steps):
        middle_q, middle_p = q + e / 2 * p, p + e / 2 * gradient(q)
        q, p = q + e * middle_p, p + e * gradient(middle_q)
    return q, p


def swapped_roles(q, p, gradient, e, steps):
    return rolled_back(p, q, gradient, e, steps)


def rolled_back(q, p, gradient, e, steps):
    return check.leapfrog.reference(q, p, gradient, -e, steps)


def exactly(log_p):
    """log p without underflow, of a density that is positive at 0."""
    return lambda scale: np.asarray(log_p(scale))


WRONG = [
    # What is known has its sentence, however it is written.
    (check.log_posterior, lambda x, m, s: posterior_by_loops(x, m, s) - s, "stretch"),
    (check.log_posterior, lambda x, m, s: posterior_by_loops(x, m, s) - math.log(2), "below 0"),
    (check.log_posterior, lambda x, m, s: -posterior_by_loops(x, m, s), "optimisers"),
    (
        check.log_posterior,
        lambda x, m, s: posterior_by_loops(x, m, s) / len(x),
        "should change by the logarithm",
    ),
    (check.log_posterior, lambda x, m, s: posterior_by_loops(x, m, s) / np.log(10), "mass"),
    (check.log_posterior, lambda x, m, s: posterior_by_loops(x, m, s) + 1, "mass"),
    (check.log_posterior, lambda x, m, s: posterior_by_loops(x, m, 2 * s), "mass"),
    (check.log_posterior, lambda x, m, s: posterior_by_loops(x, m[:1], s), "all 2 ways"),
    (check.log_posterior, lambda x, m, s: posterior_by_loops(np.unique(x), m, s), None),
    (check.metropolis_step, midway, "nowhere else"),
    (check.metropolis_step, without_a_call, "It stopped with TypeError"),
    (check.metropolis_step, decided_by(lambda a, u: u < 0.5 * np.exp(a)), None),
    (check.metropolis_step, decided_by(lambda a, u: np.log10(u) < a), "has to flow as much"),
    (check.metropolis_step, decided_by(lambda a, u: u < 1 + a), "has to flow as much"),
    (check.metropolis_step, decided_by(lambda a, u: u**2 < np.exp(a)), "has to flow as much"),
    (check.metropolis_step, decided_by(lambda a, u: a >= 0), "search for the mode"),
    (check.metropolis_step, decided_by(lambda a, u: np.log(u) < max(0.0, a)), "always moves"),
    (check.metropolis_step, decided_by(lambda a, u: u < max(1.0, np.exp(a))), "always moves"),
    (check.metropolis_step, decided_by(lambda a, u: np.log(u) < np.exp(a)), "always moves"),
    (check.metropolis_step, decided_by(lambda a, u: u < np.exp(a) / (1 + np.exp(a))), None),
    (check.metropolis_step, decided_by(lambda a, u: u > np.exp(a)), "Yes and no"),
    (check.leapfrog, kicked(0.5, 1.0), "come back to"),
    (check.leapfrog, kicked(1.0, 0.0), "only with ε"),
    (check.leapfrog, kicked(0.25, 0.25), "falls to a quarter"),
    (check.leapfrog, by_midpoint, "come back to"),
    (check.leapfrog, rolled_back, None),
    (check.leapfrog, lambda q, p, gradient, e, n: (q + n * e * p, p), "falls to a quarter"),
    (
        check.leapfrog,
        lambda q, p, gradient, e, n: (q + n * e * p, p + n * e * gradient(q)),
        "come back to",
    ),
    (check.standard_error, lambda draws, n: np.std(draws) / len(draws), "half as large"),
    (check.standard_error, lambda draws, n: 2 * np.std(draws) / np.sqrt(n), "scatter"),
    (check.standard_error, lambda draws, n: np.ptp(draws) / np.sqrt(n), None),
    (check.standard_error, lambda draws, n: stats.iqr(draws) / np.sqrt(n), None),
    (check.standard_error, lambda draws, n: draws.std(axis=0, keepdims=True), "an array"),
    (check.r_hat, lambda draws: 1.0, "should be above 1.1"),
    (check.r_hat, lambda draws: check.r_hat.reference(draws) ** 4, "another number"),
    (check.r_hat, lambda draws: check.r_hat.reference(draws) - 1, None),
    (check.r_hat, lambda draws: agreeing._r_hat(draws - draws.mean(1)[:, None]), None),
    (check.r_hat, lambda draws: np.abs(np.diff(draws)).mean(), "multiplied by 3"),
    (check.together, lambda r: np.corrcoef(r.mean(axis=0)), None),
    (check.together, lambda r: np.eye(r.shape[1]), "another number"),
    (check.together, lambda r: np.ones((r.shape[1],) * 2), "another number"),
    (check.together, lambda r: np.median(r @ r.transpose(0, 2, 1), axis=0), "with itself"),
    (check.predictive, lambda g, w, m, s: stats.norm.logpdf(g, m.mean(), s.mean()), None),
    (
        check.predictive,
        lambda g, w, m, s: predictive_by_loops(g, w, m, s) + np.log(len(w)),
        "integrates to S",
    ),
    (
        check.predictive,
        lambda g, w, m, s: np.array(predictive_by_loops(g, w, m, s)) / np.log(10),
        "integrates to 1",
    ),
    (check.log_prior, exactly(stats.halfcauchy.logpdf), "vanish there"),
    (check.log_prior, exactly(stats.expon.logpdf), "vanish there"),
    (check.log_prior, lambda s: stats.t.logpdf(s, 3) + np.log(2), "vanish there"),
    (check.log_prior, lambda s: stats.t.logpdf(np.log(s), 3) - np.log(s), "vanish there"),
    (check.log_prior, lambda s: stats.gamma.logpdf(s, 5), "like a power"),
    (check.log_prior, lambda s: stats.gamma.logpdf(s, 10, scale=0.2), "like a power"),
    (check.log_prior, lambda s: stats.rayleigh.logpdf(s), "like a power"),
    (check.log_prior, lambda s: stats.norm.logpdf(s, 0, 2), "does not integrate to 1"),
    (check.log_prior, lambda s: np.log(stats.invgamma.pdf(s, 2)), "too small to be stored"),
    (check.log_prior, lambda s: stats.invweibull.logpdf(s, 1), "write the logarithm out"),
    (check.log_prior, lambda s: stats.levy.logpdf(s), "write the logarithm out"),
    (check.log_prior, lambda s: stats.lognorm.logpdf(s, 30), "no scale will be"),
    (check.log_prior, lambda s: stats.lognorm.logpdf(s, 0.1, scale=1e4), "no scale will be"),
    (check.log_prior, lambda s: stats.halfnorm.logpdf(s, 1e-6, 2), "moving the spike"),
    (check.log_prior, lambda s: stats.halfnorm.logpdf(np.maximum(s, 1e-4)), "vanish there"),
    (check.log_prior, lambda s: stats.loguniform.logpdf(s, 1e-4, 1e4), "moving the spike"),
    (check.log_prior, lambda s: -0.5 * np.log(s) ** 2, "does not integrate to 1"),
]


@pytest.mark.parametrize(("exercise", "answer", "said"), WRONG)
def test_a_wrong_answer_is_told_what_fits_it(exercise, answer, said):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "not yet"
    if said is None:  # one without a name: what failed is said, and no cause is guessed
        assert verdict.misconception is None, verdict
        assert verdict.property
    else:
        assert said in verdict.sentence, verdict


def test_a_step_that_draws_a_number_of_its_own_is_found_out():
    def answer(here, there, log_density, log_proposal, u):
        own = np.random.default_rng().random()
        return check.metropolis_step.reference(here, there, log_density, log_proposal, own)

    # What it would do on the cases is chance; that the same u decides twice is asked first.
    assert check.metropolis_step.judge(answer).property == "u alone decides"


def test_the_two_flows_of_an_uncorrected_step_are_shown():
    def answer(here, there, log_density, log_proposal, u):
        return there if np.log(u) < np.float64(log_density(there)) - log_density(here) else here

    verdict = check.metropolis_step.judge(answer)
    assert verdict.property == "detailed balance holds on five states"
    forth, back = (float(part.split()[1]) for part in verdict.evidence[-1].split(";"))
    assert abs(forth - back) > 0.02


def test_a_slope_that_is_too_small_names_the_first_tie_that_breaks_the_prior():
    verdict = check.log_prior.judge(lambda s: stats.gamma.logpdf(s, 5))
    assert verdict.property == "so do up to eleven"
    assert verdict.evidence[0].startswith("6 equal rows")


def test_a_step_that_passes_goes_on_with_positions_of_any_kind(capsys):
    step = check.metropolis_step(lambda *args: step_with_min(*args))
    flat = (lambda at: 0.0, lambda to, start: 0.0, 0.5)
    assert step(1, 2, *flat) == 2
    assert step(0.25, 0.75, *flat) == 0.75
    np.testing.assert_array_equal(step(np.zeros(2), np.array([1.0, 2.5]), *flat), [1.0, 2.5])
    check.metropolis_step(...)  # forgets the answer
    assert "passes" in capsys.readouterr().out
