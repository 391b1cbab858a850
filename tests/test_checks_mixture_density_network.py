"""The checks of unit 05: what every unit's must do, what they rely on, and other right and wrong
answers."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from checking import assert_unit_checks
from latentsteps.checks import mixture_density_network as check
from latentsteps.checks import mixture_density_network_elbo as bounds
from latentsteps.checks import mixture_density_network_gradient as gradients
from latentsteps.jax64 import jax, jnp


def test_every_check_knows_its_right_answer_its_blank_and_its_misconceptions():
    assert_unit_checks(check)


def test_the_checks_are_numbered_in_a_row():
    numbers = sorted(getattr(check, name).number for name in check.__all__)
    questions = [f"5.Q{n}" for n in range(1, 5)]
    assert numbers == [*(f"5.{n}" for n in range(1, 8)), *questions]


# What the checks rely on, against other sources.


@pytest.mark.parametrize("case", check.divergences.cases, ids=lambda case: case.label)
def test_the_grids_hold_densities_and_reach_far_enough(case):
    log_q, log_p, width = case.args
    for log_density in (log_q, log_p):
        density = np.exp(log_density)
        assert density.sum() * width == pytest.approx(1, abs=1e-9)
        assert density[[0, -1]].max() * width < 1e-12


def test_the_divergences_are_those_of_an_integrator():
    log_q, log_p, width = check.divergences.cases[1].args
    q, p = stats.norm(0, 1), stats.norm(1, 2)
    reverse = integrate.quad(lambda t: q.pdf(t) * (q.logpdf(t) - p.logpdf(t)), -12, 12)[0]
    forward = integrate.quad(lambda t: p.pdf(t) * (p.logpdf(t) - q.logpdf(t)), -30, 30)[0]
    got = check.divergences.reference(log_q, log_p, width)
    assert got == pytest.approx((reverse, forward), abs=1e-9)


def test_where_the_divergences_are_infinite():
    values = [check.divergences.expected(i) for i in range(len(check.divergences.cases))]
    infinite = [[math.isinf(value) for value in pair] for pair in values]
    assert infinite == [[False, False]] * 4 + [[False, True]] * 2 + [[True, True], [True, False]]


@pytest.mark.parametrize("case", check.elbo.cases, ids=lambda case: case.label)
def test_the_elbo_is_an_integral_over_q(case):
    batch, total, mean, sd, noise, prior_sd = case.args
    q, prior = stats.norm(mean, sd), stats.norm(0, prior_sd)

    def integrand(z):
        theta = mean + sd * z
        fit = total / len(batch) * stats.norm.logpdf(batch, theta, noise).sum()
        return stats.norm.pdf(z) * (fit + prior.logpdf(theta) - q.logpdf(theta))

    value = integrate.quad(integrand, -12, 12, epsabs=1e-10, epsrel=1e-10)[0]
    assert check.elbo.reference(*case.args) == pytest.approx(value, rel=1e-8, abs=1e-8)


def test_the_evidence_is_scipy_s():
    y, noise, prior_sd = np.array([1.0, -0.4, 2.2]), 0.7, 3.0
    covariance = noise**2 * np.eye(3) + prior_sd**2
    expected = stats.multivariate_normal(np.zeros(3), covariance).logpdf(y)
    assert bounds._log_evidence(y, noise, prior_sd) == pytest.approx(expected)


def test_the_six_noises_have_the_moments_of_a_standard_normal():
    powers = [np.mean(gradients.EXACT**n) for n in range(1, 6)]
    np.testing.assert_allclose(powers, [0, 1, 0, 3, 0], atol=1e-12)


@pytest.mark.parametrize("slope", gradients.CURVES, ids=lambda slope: slope.__name__)
def test_the_slopes_belong_to_their_functions(slope):
    f, at, h = gradients.CURVES[slope], np.linspace(-3, 3, 13), 1e-6
    np.testing.assert_allclose(slope(at), (f(at + h) - f(at - h)) / (2 * h), atol=1e-7)


@pytest.mark.parametrize("case", check.mixture_log_density.cases, ids=lambda case: case.label)
def test_one_output_is_the_mixture_of_5_5(case):
    y, weights, means, scales = case.args
    joint = check.joint_log_density.reference(
        y[:, None], weights, means[:, :, None], scales[:, :, None]
    )
    np.testing.assert_allclose(joint, check.mixture_log_density.reference(*case.args))


@pytest.mark.parametrize("case", check.joint_log_density.cases, ids=lambda case: case.label)
def test_the_joint_density_is_numpyro_s(case):
    from numpyro import distributions as dist

    y, weights, means, scales = (jnp.asarray(each) for each in case.args)
    components = dist.Normal(means, scales).to_event(1)
    mixture = dist.MixtureSameFamily(dist.Categorical(probs=weights), components)
    # Where a weight is 0, NumPyro has the smallest number instead.
    expected = check.joint_log_density.reference(*case.args)
    np.testing.assert_allclose(mixture.log_prob(y), expected, rtol=1e-10)


def test_the_kl_of_two_normals_is_numpyro_s():
    from numpyro import distributions as dist

    expected = dist.kl_divergence(dist.Normal(1.5, 0.3), dist.Normal(0.0, 2.0))
    assert bounds._kl(1.5, 0.3, 2.0) == pytest.approx(float(expected), rel=1e-12)


def test_the_outputs_are_correlated_through_the_component():
    # Both outputs are ±1 but for noise of their own: E[y₁ y₂] = 1, and both means are ½.
    weights, means = np.array([[0.25, 0.75]]), np.array([[[-1.0, -1.0], [1.0, 1.0]]])
    axis = np.linspace(-5, 5, 201)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    rows = [np.repeat(part, len(grid), axis=0) for part in (weights, means, 0.4 + 0 * means)]
    heights = np.exp(check.joint_log_density.reference(grid, *rows))
    mean = heights @ grid / heights.sum()
    covariance = (heights * (grid[:, 0] - mean[0])) @ (grid[:, 1] - mean[1]) / heights.sum()
    assert covariance == pytest.approx(1 - 0.5**2, abs=1e-6)


# 5.1 Right answers, other derivations


def two_ways(one_way):
    @functools.wraps(one_way)
    def both(log_q, log_p, width):
        return one_way(log_q, log_p, width), one_way(log_p, log_q, width)

    return both


@two_ways
def by_where(a, b, width):
    with np.errstate(all="ignore"):
        return (np.where(np.exp(a) > 0, np.exp(a) * (a - b), 0.0) * width).sum()


@two_ways
def by_trapezoid(a, b, width):
    q = np.exp(a)
    each = np.zeros_like(q)
    each[q > 0] = q[q > 0] * (a[q > 0] - b[q > 0])
    return np.trapezoid(each, dx=width)


@two_ways
def by_simpson(a, b, width):
    q = np.exp(a)
    inside = q > 0
    if np.any(b[inside] == -np.inf):
        return math.inf
    each = np.zeros_like(q)
    each[inside] = q[inside] * (a[inside] - b[inside])
    return integrate.simpson(each, dx=width)


@two_ways
def point_by_point(a, b, width):
    total = 0.0
    for mine, theirs in zip(a, b, strict=True):
        if math.exp(mine) > 0:
            total += math.exp(mine) * (mine - theirs) * width
    return total


@two_ways
def by_nansum(a, b, width):
    return np.nansum(np.exp(a) * (a - b)) * width


@two_ways
def cross_entropy_less_entropy(a, b, width):
    q = np.exp(a)
    return -width * (np.sum(q[q > 0] * b[q > 0]) - np.sum(special.xlogy(q, q)))


@two_ways
def by_jax(a, b, width):
    q = jnp.exp(a)
    return width * jnp.sum(jnp.where(q > 0, q * (jnp.where(q > 0, a, 0.0) - b), 0.0))


def as_an_array(log_q, log_p, width):
    return np.array(by_where(log_q, log_p, width))


def as_a_list_normalised_once_more(log_q, log_p, width):
    log_q = log_q - np.log(np.exp(log_q).sum() * width)
    log_p = log_p - np.log(np.exp(log_p).sum() * width)
    return list(by_where(log_q, log_p, width))


# 5.2


def elbo_by_scipy_s_entropy(batch, total, mean, sd, noise, prior_sd):
    fit = stats.norm.logpdf(batch, mean, noise).mean() - sd**2 / (2 * noise**2)
    log_prior = stats.norm.logpdf(mean, 0, prior_sd) - sd**2 / (2 * prior_sd**2)
    return total * fit + log_prior + stats.norm.entropy(mean, sd)


def elbo_by_loops(batch, total, mean, sd, noise, prior_sd):
    fit = 0.0
    for y in batch:
        fit -= 0.5 * math.log(2 * math.pi) + math.log(noise)
        fit -= ((y - mean) ** 2 + sd**2) / (2 * noise**2)
    kl = math.log(prior_sd) - math.log(sd) + (sd**2 + mean**2) / (2 * prior_sd**2) - 1 / 2
    return fit * total / len(batch) - kl


def elbo_by_quadrature(batch, total, mean, sd, noise, prior_sd):
    nodes, shares = np.polynomial.hermite_e.hermegauss(5)
    theta, shares = mean + sd * nodes, shares / shares.sum()
    log_likelihood = stats.norm.logpdf(batch[:, None], theta, noise).sum(axis=0)
    ratio = stats.norm.logpdf(theta, 0, prior_sd) - stats.norm.logpdf(theta, mean, sd)
    return np.array(shares @ (total / len(batch) * log_likelihood + ratio))


# 5.3


def gradient_by_loops(slope, mean, log_sd, noise):
    up = across = 0.0
    for e in noise:
        theta = mean + math.exp(log_sd) * e
        up += float(slope(theta)) / len(noise)
        across += float(slope(theta)) * (theta - mean) / len(noise)
    return [up, across]


def gradient_by_matrix(slope, mean, log_sd, noise):
    sd = np.exp(log_sd)
    moves = np.stack([np.ones_like(noise), sd * noise])
    return moves @ slope(mean + sd * noise) / len(noise)


def gradient_by_jax(slope, mean, log_sd, noise):
    theta, pull = jax.vjp(lambda m, s: m + jnp.exp(s) * jnp.asarray(noise), mean, log_sd)
    return pull(jnp.asarray(slope(np.asarray(theta))) / len(noise))


def gradient_in_sd_first(slope, mean, log_sd, noise):
    sd = np.exp(log_sd)
    slopes = slope(mean + sd * noise)
    return slopes.mean(), sd * (slopes * noise).mean()


# 5.4


def heads_with(scales, weights=lambda logits: special.softmax(logits, axis=1)):
    def answer(outputs):
        k = outputs.shape[1] // 3
        raw = outputs[:, 2 * k :]
        return weights(outputs[:, :k]), outputs[:, k : 2 * k], scales(raw)

    return answer


def softmax_by_hand(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def heads_by_reshape(outputs):
    logits, means, raw = outputs.reshape(len(outputs), 3, -1).transpose(1, 0, 2)
    return [softmax_by_hand(logits), means.copy(), 0.001 - special.log_expit(-raw)]


def heads_by_jax(outputs):
    logits, means, raw = jnp.split(jnp.asarray(outputs), 3, axis=1)
    return jax.nn.softmax(logits, axis=1), means, jax.nn.softplus(raw) + 0.01


def heads_row_by_row(outputs):
    rows = []
    for row in outputs:
        k = len(row) // 3
        weights = np.exp(row[:k] - special.logsumexp(row[:k]))
        softplus = [max(r, 0) + math.log1p(math.exp(-abs(r))) for r in row[2 * k :]]
        rows.append((weights, row[k : 2 * k], np.array(softplus) + 1e-3))
    return tuple(np.array(part) for part in zip(*rows, strict=True))


def heads_in_single_precision(outputs):
    logits, means, raw = np.split(outputs.astype(np.float32), 3, axis=1)
    return softmax_by_hand(logits), means, np.float32(0.001) + np.logaddexp(np.float32(0), raw)


SCALES = [
    lambda raw: 0.001 + np.exp(np.clip(raw, -20, 20)),
    lambda raw: 0.001 + np.where(raw > 0, raw + 1, np.exp(np.minimum(raw, 0))),
    lambda raw: 0.001 + (raw + np.sqrt(raw**2 + 4)) / 2,
    lambda raw: 0.001 + 5 * special.expit(raw),
    lambda raw: 0.1 + np.logaddexp(0, raw - 1),
    lambda raw: 0.001 + np.log1p(np.exp(-np.abs(raw))) + np.maximum(raw, 0),
]


# 5.5


def mixture_by_scipy(y, weights, means, scales):
    each = stats.norm(means, scales).logpdf(y.reshape(-1, 1))
    return special.logsumexp(each + np.log(weights), axis=1)


def mixture_by_loops(y, weights, means, scales):
    rows = []
    for n in range(len(y)):
        logs = []
        for w, m, s in zip(weights[n], means[n], scales[n], strict=True):
            if w > 0:
                z = (y[n] - m) / s
                logs.append(math.log(w) - z * z / 2 - math.log(s * math.sqrt(2 * math.pi)))
        top = max(logs)
        rows.append(top + math.log(sum(math.exp(each - top) for each in logs)))
    return rows


def mixture_by_logaddexp(y, weights, means, scales):
    with np.errstate(divide="ignore"):
        each = np.log(weights) + stats.norm.logpdf(y[:, None], means, scales)
    return np.logaddexp.reduce(each, axis=1)


def mixture_by_jax(y, weights, means, scales):
    each = jax.scipy.stats.norm.logpdf(jnp.asarray(y)[:, None], means, scales)
    return jax.scipy.special.logsumexp(each + jnp.log(jnp.asarray(weights)), axis=1)


def mixture_transposed(y, weights, means, scales):
    z = (y - means.T) / scales.T
    logs = -(z**2) / 2 - np.log(scales.T) - 0.5 * np.log(2 * np.pi)
    top = logs.max(axis=0)
    return top + np.log((weights.T * np.exp(logs - top)).sum(axis=0))


# 5.6


def joint_by_scipy(y, weights, means, scales):
    each = stats.norm.logpdf(y[:, np.newaxis], means, scales).sum(axis=-1)
    return special.logsumexp(each, axis=-1, b=weights)


def joint_by_covariances(y, weights, means, scales):
    rows = []
    for n, point in enumerate(y):
        logs = [
            stats.multivariate_normal.logpdf(point, m, np.diag(s**2))
            for m, s in zip(means[n], scales[n], strict=True)
        ]
        rows.append(special.logsumexp(logs, b=weights[n]))
    return np.array(rows)


def joint_output_by_output(y, weights, means, scales):
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    for d in range(y.shape[1]):
        logs = logs + stats.norm.logpdf(y[:, d, None], means[:, :, d], scales[:, :, d])
    top = logs.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(logs - top).sum(axis=1, keepdims=True)))[:, 0]


def joint_by_einsum(y, weights, means, scales):
    z = (y[:, None] - means) / scales
    volume = np.log(scales).sum(axis=2) + y.shape[1] / 2 * np.log(2 * np.pi)
    squares = np.einsum("nkd,nkd->nk", z, z)
    return special.logsumexp(-squares / 2 - volume, b=weights, axis=1)


# 5.7


def held_out_by_scipy_s_weights(table):
    share = np.full(table.shape, 1 / len(table))
    return special.logsumexp(table, b=share, axis=0).mean()


def held_out_by_loops(table):
    scores = []
    for column in table.T:
        top = max(column)
        total = sum(math.exp(entry - top) for entry in column)
        scores.append(top + math.log(total / len(column)))
    return sum(scores) / len(scores)


def held_out_by_logaddexp(table):
    return np.average(np.logaddexp.reduce(table) - math.log(table.shape[0]))


def held_out_by_jax(table):
    return jnp.mean(jax.nn.logsumexp(jnp.asarray(table), axis=0) - jnp.log(table.shape[0]))


def held_out_by_running_means(table):
    mean = table[0]
    for s, row in enumerate(table[1:], start=2):
        mean = np.logaddexp(mean + math.log((s - 1) / s), row - math.log(s))
    return mean.mean()


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (check.divergences, by_where),
        (check.divergences, by_trapezoid),
        (check.divergences, by_simpson),
        (check.divergences, point_by_point),
        (check.divergences, by_nansum),
        (check.divergences, cross_entropy_less_entropy),
        (check.divergences, by_jax),
        (check.divergences, as_an_array),
        (check.divergences, as_a_list_normalised_once_more),
        (check.elbo, elbo_by_scipy_s_entropy),
        (check.elbo, elbo_by_loops),
        (check.elbo, elbo_by_quadrature),
        (check.reparameterised_gradient, gradient_by_loops),
        (check.reparameterised_gradient, gradient_by_matrix),
        (check.reparameterised_gradient, gradient_by_jax),
        (check.reparameterised_gradient, gradient_in_sd_first),
        (check.heads, heads_by_reshape),
        (check.heads, heads_by_jax),
        (check.heads, heads_row_by_row),
        (check.heads, heads_in_single_precision),
        *((check.heads, heads_with(scales)) for scales in SCALES),
        (check.heads, lambda outputs: np.stack(heads_by_reshape(outputs))),
        (check.mixture_log_density, mixture_by_scipy),
        (check.mixture_log_density, mixture_by_loops),
        (check.mixture_log_density, mixture_by_logaddexp),
        (check.mixture_log_density, mixture_by_jax),
        (check.mixture_log_density, mixture_transposed),
        (check.joint_log_density, joint_by_scipy),
        (check.joint_log_density, joint_by_covariances),
        (check.joint_log_density, joint_output_by_output),
        (check.joint_log_density, joint_by_einsum),
        (check.held_out, held_out_by_scipy_s_weights),
        (check.held_out, held_out_by_loops),
        (check.held_out, held_out_by_logaddexp),
        (check.held_out, held_out_by_jax),
        (check.held_out, held_out_by_running_means),
    ],
    ids=lambda value: getattr(value, "__name__", getattr(value, "name", "")),
)
def test_another_right_derivation_passes(exercise, answer):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "passes", verdict


# Wrong answers beyond the named ones: what is said of them is not misleading.


def elbo_by_draws(batch, total, mean, sd, noise, prior_sd):
    theta = mean + sd * np.random.default_rng(0).normal(size=2000)
    fit = stats.norm.logpdf(batch[:, None], theta, noise).mean() * total
    return fit + np.mean(stats.norm.logpdf(theta, 0, prior_sd) - stats.norm.logpdf(theta, mean, sd))


def gradient_with_fresh_noise(slope, mean, log_sd, noise):
    return gradient_by_matrix(slope, mean, log_sd, np.random.default_rng(3).normal(size=100))


def elbo_with(fit=None, kl=None):
    """The ELBO from scipy's parts, with another fit or another KL."""

    def answer(batch, total, mean, sd, noise, prior_sd):
        each = stats.norm.logpdf(batch, mean, noise) - sd**2 / (2 * noise**2)
        divergence = np.log(prior_sd / sd) + (sd**2 + mean**2) / (2 * prior_sd**2) - 0.5
        term = total * each.mean() if fit is None else fit(each, total)
        return term - (divergence if kl is None else kl(divergence, total, len(batch)))

    return answer


def ghostly(y, weights, means, scales):
    total = 0.0
    for d in range(y.shape[1]):
        total = total + mixture_by_scipy(y[:, d], weights, means[:, :, d], scales[:, :, d])
    return total


def softplus(raw):
    return np.logaddexp(0, raw)


def with_floor(raw):
    return 0.001 + softplus(raw)


def mixture_of(combine):
    """An answer from weights and the components' log densities (N, K)."""
    return lambda y, w, m, s: combine(w, stats.norm.logpdf(y[:, None], m, s))


def joint_of(combine):
    """An answer from weights and the log densities of components and outputs (N, K, D)."""
    return lambda y, w, m, s: combine(w, stats.norm.logpdf(y[:, None], m, s))


def clipped(low):
    @two_ways
    def one_way(a, b, width):
        return width * np.sum(np.exp(a) * (np.maximum(a, low) - np.maximum(b, low)))

    return one_way


def padded(small):
    @two_ways
    def one_way(a, b, width):
        q, p = np.exp(a) + small, np.exp(b) + small
        return width * np.sum(np.exp(a) * np.log(q / p))

    return one_way


DIVERGENCES = [
    (
        two_ways(lambda a, b, w: w * (np.exp(a) * (np.nan_to_num(a) - np.nan_to_num(b))).sum()),
        "a little mass on empty",
    ),
    (clipped(-700), "how small"),
    (padded(1e-300), "how small"),
    (padded(1e-12), "small number under the logarithm"),
    (lambda a, b, w: (by_where(a, b, w)[0],) * 2, "exchange the two densities"),
    (
        lambda a, b, w: (
            stats.entropy(np.exp(a), np.exp(b)),
            stats.entropy(np.exp(b), np.exp(a)),
        ),
        "right on paper",
    ),
    (lambda a, b, w: by_where(a, b, w)[0], "Two are asked for"),
    (lambda a, b, w: by_where(a, b, w)[::-1], "are exchanged"),
    (lambda a, b, w: [part / w for part in by_where(a, b, w)], "without its spacing"),
    (lambda a, b, w: [part / w / len(a) for part in by_where(a, b, w)], "as if they were draws"),
    (two_ways(lambda a, b, w: w * np.sum(np.exp(a) * (a - b))), "0 · (−∞"),
]

BOUNDS = [
    (
        lambda batch, total, mean, sd, noise, prior_sd: elbo_by_scipy_s_entropy(
            batch, total // len(batch) * len(batch), mean, sd, noise, prior_sd
        ),
        "right on average",
    ),
    (elbo_by_draws, "Yours lies below it by"),
    (elbo_with(fit=lambda each, total: each.mean()), "Multiply the mean by `total`"),
    (elbo_with(fit=lambda each, total: each.sum()), "as if it were all the data"),
    (elbo_with(kl=lambda kl, total, b: -kl), "You add the KL"),
    (elbo_with(kl=lambda kl, total, b: kl * total), "There is one θ"),
    (elbo_with(kl=lambda kl, total, b: kl * total / b), "You scale the KL with the batch"),
    (elbo_with(kl=lambda kl, total, b: kl / b), "for no q does it lie above"),
    (elbo_with(kl=lambda kl, total, b: kl * b / total), "right on average"),
    (elbo_with(kl=lambda kl, total, b: kl / 2), "no draws are needed"),
    (
        elbo_with(fit=lambda each, total: each.mean(), kl=lambda kl, total, b: kl / b),
        "divide both terms",
    ),
    (
        lambda batch, total, mean, sd, noise, prior_sd: (
            elbo_by_scipy_s_entropy(batch, total, mean, sd, noise, prior_sd)
            - stats.norm.entropy(mean, sd)
        ),
        "the entropy of q",
    ),
    (
        lambda batch, total, mean, sd, noise, prior_sd: elbo_by_scipy_s_entropy(
            batch, total, mean, sd, noise, 1.0
        ),
        "the one to N(0, 1)",
    ),
    (
        lambda batch, total, mean, sd, noise, prior_sd: elbo_by_scipy_s_entropy(
            batch, total, mean, sd**0.5, noise**0.5, prior_sd**0.5
        ),
        "no draws are needed",
    ),
]

GRADIENTS = [
    (gradient_with_fresh_noise, "With this noise"),
    (lambda slope, m, s, e: gradient_by_matrix(slope, m, s, e[:1]), "no luck is left"),
    (lambda slope, m, s, e: gradient_by_matrix(slope, m, s, -e), "With this noise"),
    (lambda slope, m, s, e: len(e) * gradient_by_matrix(slope, m, s, e), "not larger"),
    (lambda slope, m, s, e: gradient_by_matrix(slope, m, s, e)[::-1], "first in mean"),
    (lambda slope, m, s, e: gradient_by_matrix(slope, m, s, e) / [1, np.exp(s)], "gradient in sd"),
    (lambda slope, m, s, e: gradient_by_matrix(slope, m, s, e) * [1, 0], "the noise carries"),
    (lambda slope, m, s, e: slope(m + np.exp(s) * e).mean(), "A second one is due"),
    (lambda slope, m, s, e: slope(m + jnp.exp(s) * e) @ e, "one number"),
    (lambda slope, m, s, e: jax.grad(slope)(e), "scalar-output"),
]

HEADS = [
    (lambda outputs: [part.ravel() for part in heads_by_reshape(outputs)], "Keep an axis of rows"),
    (lambda outputs: [part[0] for part in heads_by_reshape(outputs)], "Keep an axis of rows"),
    (heads_with(lambda raw: np.where(raw > 0, raw, 0.01 * raw)), "leaky"),
    (heads_with(lambda raw: np.maximum(raw, 1e-3)), "exactly 0 slope"),
    (heads_with(lambda raw: 0 * raw + 1), "exactly 0 slope"),
    (heads_with(lambda raw: np.exp(np.clip(raw, -3, 3))), "never comes back"),
    (heads_with(lambda raw: np.exp(np.clip(raw, -5, 5))), "never comes back"),
    (heads_with(lambda raw: np.exp(np.clip(raw, -6.5, 6.5))), "Clipping makes"),
    (heads_with(lambda raw: 0.001 + np.exp(np.minimum(raw, 5))), "never comes back"),
    (heads_with(lambda raw: raw**2), "falls before it grows"),
    (heads_with(lambda raw: 0.1 + raw**2), "falls before it grows"),
    (heads_with(np.abs), "falls before it grows"),
    (heads_with(special.expit), "Add .001"),
    (heads_with(softplus), "Add .001"),
    (heads_with(lambda raw: np.log(1 + np.exp(raw))), "Two things"),
    (heads_with(np.exp), "Two things"),
    (heads_with(lambda raw: 0.001 + np.sqrt(np.exp(2 * raw))), "`np.logaddexp(0, raw)`"),
    (heads_with(lambda raw: 1e-4 + softplus(raw)), "below .001"),
    (heads_with(lambda raw: with_floor(raw - raw.mean(axis=0))), "Row 0 alone"),
    (heads_with(with_floor, lambda logits: special.softmax(logits, axis=0)), "within each row"),
    (heads_with(with_floor, lambda logits: logits), "You pass the logits on"),
    (heads_with(with_floor, lambda logits: np.ones_like(logits) / logits.shape[1]), "another"),
    (
        heads_with(
            with_floor, lambda logits: 0.99 * softmax_by_hand(logits) + 0.01 / logits.shape[1]
        ),
        "as large against the others",
    ),
    (lambda outputs: heads_by_reshape(outputs)[::-1], "in another order"),
    (lambda outputs: [heads_by_reshape(outputs)[i] for i in (2, 0, 1)], "in another order"),
    (lambda outputs: [heads_by_reshape(outputs)[i] for i in (1, 0, 2)], "in another order"),
    (
        lambda outputs: heads_by_reshape(outputs)[:2],
        "a list of 2 values; a tuple of 3 values is expected",
    ),
]

MIXTURES = [
    (mixture_of(lambda w, logs: np.log((w * np.exp(logs)).sum(axis=1) + 1e-8)), "no limit"),
    (
        mixture_of(lambda w, logs: np.maximum(special.logsumexp(logs, b=w, axis=1), -50)),
        "no limit",
    ),
    (
        mixture_of(lambda w, logs: special.logsumexp(logs - 0.5 * np.log(2 * np.pi), b=w, axis=1)),
        "½ of that",
    ),
    (
        mixture_of(lambda w, logs: special.logsumexp(logs + 0.1, b=w, axis=1)),
        "integrates to 1",
    ),
    (mixture_of(lambda w, logs: special.logsumexp(logs, axis=1)), "integrates to K"),
    (mixture_of(lambda w, logs: (w * logs).sum(axis=1)), "averages *densities*"),
    (mixture_of(lambda w, logs: special.logsumexp(logs, b=w, axis=0)), "components are axis 1"),
    (mixture_of(lambda w, logs: special.logsumexp(logs, b=w)), "is one number"),
    (lambda y, w, m, s: mixture_by_scipy(y, w, m, s**2), "`scales` as they are"),
    (lambda y, w, m, s: mixture_by_scipy(y, w, m, s**3), "lower by log 4"),
    (lambda y, w, m, s: mixture_by_scipy(y, w, m, s**0.5), "a scale for a variance"),
    (lambda y, w, m, s: mixture_by_scipy(y, w, 0 * m, 0 * s + 1), "ignores the network"),
    (lambda y, w, m, s: stats.norm.logpdf(y, m[:, 0], s[:, 0]), "in the opposite order"),
    (lambda y, w, m, s: stats.norm.logpdf(y, (w * m).sum(1), (w * s).sum(1)), "there may lie none"),
]

JOINTS = [
    (lambda y, w, m, s: joint_by_scipy(y, w, m, s**2), "`scales` as they are"),
    (ghostly, "invented the ghosts"),
    (lambda *args: ghostly(*args) / args[0].shape[1], "Two things"),
    (joint_of(lambda w, logs: np.log((w * np.exp(logs).prod(axis=2)).sum(1))), "on paper"),
    (
        joint_of(lambda w, logs: special.logsumexp(logs.sum(2), b=w ** logs.shape[2], axis=1)),
        "chooses its component once",
    ),
    (joint_of(lambda w, logs: special.logsumexp(logs.mean(2), b=w, axis=1)), "*add up*"),
    (
        joint_of(lambda w, logs: np.log((w * np.exp(logs).sum(axis=2)).sum(axis=1))),
        "the outputs are independent",
    ),
    (
        lambda y, w, m, s: joint_by_scipy(y, w, m, 0 * s + s.mean(axis=2, keepdims=True)),
        "the outputs are independent",
    ),
    (
        lambda y, w, m, s: np.maximum(joint_by_scipy(y, w, m, s), -100),
        "mixture's log density of 5.5",
    ),
    (
        lambda y, w, m, s: special.logsumexp(stats.norm.logpdf(y, m, s).sum(2), b=w, axis=1),
        "(N, 1, D)",
    ),
]

SCORES = [
    (np.mean, "one bad draw does not spoil it"),
    (lambda table: held_out_by_loops(table.T), "Draws are axis 0"),
    (lambda table: held_out_by_loops(np.maximum(table, -700)), "no limit"),
    (lambda table: np.log(np.exp(table).mean(axis=0)).mean(), "Right on paper"),
    (lambda table: np.log(np.exp(table).mean(axis=0) + 1e-300).mean(), "no limit"),
    (
        lambda table: special.logsumexp(table.mean(axis=1)) - np.log(len(table)),
        "by itself",
    ),
    (lambda table: special.logsumexp(table, axis=0).mean(), "higher and higher"),
    (lambda table: (table.max(axis=0) - np.log(len(table))).mean(), "Every draw twice"),
    (lambda table: held_out_by_loops(table) - table.var(axis=0).mean(), "Jensen"),
    (lambda table: table.mean(axis=1).max(), "chosen by the points"),
    (
        lambda table: held_out_by_loops(np.where(np.isinf(table), -1e3, table)),
        "no limit",
    ),
]


@pytest.mark.parametrize(
    ("exercise", "answer", "said"),
    [
        *((check.divergences, *row) for row in DIVERGENCES),
        *((check.elbo, *row) for row in BOUNDS),
        *((check.reparameterised_gradient, *row) for row in GRADIENTS),
        *((check.heads, *row) for row in HEADS),
        *((check.mixture_log_density, *row) for row in MIXTURES),
        *((check.joint_log_density, *row) for row in JOINTS),
        *((check.held_out, *row) for row in SCORES),
    ],
)
def test_a_wrong_answer_is_told_what_fits_it(exercise, answer, said):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "not yet"
    assert said in verdict.sentence, verdict


def test_a_ghost_s_density_is_shown_beside_the_right_one():
    verdict = check.joint_log_density.judge(ghostly)
    assert verdict.property == "there are no ghosts between the components"
    # log N((−4, 4)) under either component: 32 below a mode's; under the product of mixtures .5².
    assert verdict.evidence[-1] == "got -3.224; expected -33.84"


def test_a_slope_that_a_learner_gets_is_the_same_function_each_time():
    given = []

    def answer(slope, mean, log_sd, noise):
        given.append(slope)
        return gradient_by_matrix(slope, mean, log_sd, noise)

    assert check.reparameterised_gradient.judge(answer).outcome == "passes"
    assert set(given) == set(gradients.CURVES)
