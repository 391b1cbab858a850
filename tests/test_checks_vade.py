"""The checks of unit 08: what every unit's must do, what they rely on, and other right and wrong
answers."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, special, stats
from torch import distributions as dist

from checking import assert_unit_checks
from latentsteps.checks import vade as check
from latentsteps.checks import vade_best_q, vade_interval
from latentsteps.checks.vade_normals import LOG_TAU, expected_log_normals, log_normals
from latentsteps.models import vade_bound as model


def test_every_check_knows_its_right_answer_its_blank_and_its_misconceptions():
    assert_unit_checks(check)


def test_the_checks_are_numbered_in_a_row():
    numbers = sorted(getattr(check, name).number for name in check.__all__)
    assert numbers == [*(f"8.{n}" for n in range(1, 7)), "8.Q1", "8.Q2"]


# What the checks rely on, against other sources.


def by_label(case):
    return case.label


def tensors(case):
    return [torch.from_numpy(part) for part in case.args]


@pytest.mark.parametrize("case", check.log_mixture_prior.cases, ids=by_label)
def test_the_prior_is_scipy_s(case):
    z, weights, means, variances = case.args
    normals = [
        stats.multivariate_normal(m, np.diag(v)) for m, v in zip(means, variances, strict=True)
    ]
    logs = np.stack([np.atleast_1d(normal.logpdf(z)) for normal in normals], axis=-1)
    expected = special.logsumexp(logs, b=weights, axis=-1)
    got = check.log_mixture_prior.reference(*tensors(case))
    np.testing.assert_allclose(got, expected, rtol=1e-10)


@pytest.mark.parametrize("index", [0, 1])
def test_the_best_q_is_an_optimiser_s(index):
    # E[log N(z | c)] by an integrator, then the best of all q by an optimiser, on its odds.
    mean, log_variance, weights, means, variances = check.best_q.cases[index].args
    (row, *_), (log_row, *_) = mean, log_variance
    sd = np.exp(log_row / 2)

    def expected(c):
        total = math.log(weights[c])
        for d in range(len(row)):
            normal = stats.norm(means[c, d], math.sqrt(variances[c, d]))
            at = row[d], sd[d], normal
            total += integrate.quad(
                lambda e, m, s, n: stats.norm.pdf(e) * n.logpdf(m + s * e), -10, 10, args=at
            )[0]
        return total

    a = np.array([expected(c) for c in range(len(weights))])

    def loss(odds):
        q = special.softmax(odds)
        return -np.sum(q * a - special.xlogy(q, q))

    found = special.softmax(optimize.minimize(loss, np.zeros(len(a)), tol=1e-12).x)
    np.testing.assert_allclose(check.best_q.expected(index)[0], found, atol=1e-5)


def test_some_case_tells_the_published_q_from_the_best():
    apart = []
    for i, case in enumerate(check.best_q.cases):
        mean, log_variance, *mixture = case.args
        z = mean + np.exp(log_variance / 2) * vade_best_q._NOISE[..., : mean.shape[1]]
        shares = model.published_q(torch.from_numpy(z), *map(torch.from_numpy, mixture)).numpy()
        apart.append(np.abs(shares - check.best_q.expected(i)).max())
    assert sum(distance > 0.15 for distance in apart) >= 2, apart


@pytest.mark.parametrize("case", check.vade_elbo.cases, ids=by_label)
def test_the_elbo_is_torch_s(case):
    log_likelihood, q, mean, log_variance, weights, means, variances = tensors(case)
    z = dist.Normal(mean[:, None], (log_variance / 2).exp()[:, None])
    kl = dist.kl_divergence(z, dist.Normal(means, variances.sqrt())).sum(dim=2)
    of_c = dist.kl_divergence(dist.Categorical(q), dist.Categorical(weights))
    expected = log_likelihood - (q * kl).sum(dim=1) - of_c
    got = check.vade_elbo.reference(*tensors(case))
    np.testing.assert_allclose(got, expected, rtol=1e-9)


@pytest.mark.parametrize("case", check.paired_interval.cases, ids=by_label)
def test_the_interval_is_scipy_s(case):
    expected = stats.ttest_rel(*case.args).confidence_interval(0.95)
    assert check.paired_interval.reference(*case.args) == pytest.approx(tuple(expected), rel=1e-9)


def test_the_interval_covers_as_often_as_it_says():
    held = 0
    for first, second in vade_interval._SCORES:
        low, high = check.paired_interval.reference(first, second)
        held += low <= vade_interval.TRUE <= high
    assert abs(held - 190) <= 9
    # A method that covers as often as it says would miss that bound once in 300 sets of draws.
    assert stats.binom.sf(199, 200, 0.95) + stats.binom.cdf(180, 200, 0.95) < 0.004


def test_the_sentences_say_what_can_be_computed():
    assert stats.t.ppf(0.975, 2) == pytest.approx(4.30, abs=0.005)
    assert stats.t.cdf(1, 2) - stats.t.cdf(-1, 2) == pytest.approx(0.58, abs=0.005)
    # 8.Q1: the largest of five normal draws, and a standard error of five runs.
    largest = integrate.quad(lambda x: 5 * x * stats.norm.pdf(x) * stats.norm.cdf(x) ** 4, -8, 8)
    assert largest[0] == pytest.approx(1.2, abs=0.05)
    assert pytest.approx(0.45, abs=0.005) == 5**-0.5
    # 8.Q2: what chance does to a share of .973 of 60,000 images.
    error = math.sqrt(0.973 * 0.027 / 60_000)
    assert error == pytest.approx(0.0007, abs=0.00005)
    assert 60_000 * error == pytest.approx(40, abs=1)
    assert pytest.approx(24) == 60_000 * (0.9734 - 0.973)


# 8.1 Right answers, other derivations


def prior_by_torch(z, weights, means, variances):
    clusters = dist.Independent(dist.Normal(means, variances.sqrt()), 1)
    return dist.MixtureSameFamily(dist.Categorical(weights), clusters).log_prob(z)


def prior_by_matrices(z, weights, means, variances):
    normals = dist.MultivariateNormal(means, torch.diag_embed(variances))
    return torch.logsumexp(normals.log_prob(z[:, None]) + torch.log(weights), -1)


def prior_by_loops(z, weights, means, variances):
    rows = []
    for row in z:
        total = None
        for weight, m, v in zip(weights, means, variances, strict=True):
            normal = -0.5 * sum((row - m) ** 2 / v + torch.log(2 * math.pi * v))
            each = torch.log(weight) + normal
            total = each if total is None else torch.logaddexp(total, each)
        rows.append(total)
    return torch.stack(rows)


def prior_by_products(z, weights, means, variances):
    squares = z**2 @ (1 / variances).T - 2 * z @ (means / variances).T
    squares = squares + (means**2 / variances).sum(1)
    each = weights.log() - 0.5 * (squares + (2 * math.pi * variances).log().sum(1))
    top = each.max(dim=1, keepdim=True).values
    return (top + (each - top).exp().sum(dim=1, keepdim=True).log()).squeeze(1)


def prior_with_a_tiny_number(z, weights, means, variances):
    sd = torch.sqrt(variances)
    each = dist.Normal(means[None], sd[None]).log_prob(z.unsqueeze(1)).sum(-1)
    return torch.logsumexp(each + torch.log(weights + 1e-10), dim=-1)


def prior_with_a_constant_in_single(z, weights, means, variances):
    squares = ((z[:, None] - means) ** 2 / variances).sum(2)
    constant = z.shape[1] * torch.log(torch.tensor(2 * torch.pi)) + variances.log().sum(1)
    return torch.logsumexp(weights.log() - 0.5 * (squares + constant), 1)


PRIORS = (
    prior_with_a_constant_in_single,
    prior_by_torch,
    prior_by_matrices,
    prior_by_loops,
    prior_by_products,
    prior_with_a_tiny_number,
    model.log_mixture_prior,
)


# 8.2


def q_by_divergences(mean, log_variance, weights, means, variances):
    z = dist.Normal(mean[:, None], (log_variance / 2).exp()[:, None])
    kl = dist.kl_divergence(z, dist.Normal(means, variances.sqrt())).sum(-1)
    return torch.softmax(torch.log(weights) - kl, -1)


def q_by_two_places(mean, log_variance, weights, means, variances):
    sd = torch.exp(log_variance / 2)
    sides = [log_normals(place, means, variances) for place in (mean + sd, mean - sd)]
    log_q = sum(sides) / 2 + weights.log()
    return torch.exp(log_q - torch.logsumexp(log_q, dim=1, keepdim=True))


def q_by_loops(mean, log_variance, weights, means, variances):
    rows = []
    for mu, spread in zip(mean, log_variance.exp(), strict=True):
        a = [
            weights[c].log() - 0.5 * (((mu - m) ** 2 + spread) / v + v.log()).sum()
            for c, (m, v) in enumerate(zip(means, variances, strict=True))
        ]
        a = torch.stack(a)
        a = (a - a.max()).exp()
        rows.append(a / a.sum())
    return torch.stack(rows)


def q_detached(*args):
    with torch.no_grad():
        return q_by_products(*args)


def q_by_products(mean, log_variance, weights, means, variances):
    second = mean**2 + log_variance.exp()
    squares = second @ (1 / variances).T - 2 * mean @ (means / variances).T
    return torch.nn.functional.softmax(
        weights.log() - 0.5 * (squares + (means**2 / variances + variances.log()).sum(1)), dim=1
    )


BEST = (q_by_divergences, q_by_two_places, q_by_loops, q_detached, q_by_products, model.best_q)


# 8.3


def elbo_by_divergences(log_likelihood, q, mean, log_variance, weights, means, variances):
    z = dist.Normal(mean[:, None], (log_variance / 2).exp()[:, None])
    kl = dist.kl_divergence(z, dist.Normal(means, variances.sqrt())).sum(-1)
    of_c = (torch.xlogy(q, q) - q * weights.log()).sum(-1)
    return log_likelihood - (q * kl).sum(-1) - of_c


def elbo_as_published(log_likelihood, q, mean, log_variance, weights, means, variances):
    # The constants cancel.
    squares = (log_variance.exp()[:, None] + (mean[:, None] - means) ** 2) / variances
    fit = -0.5 * (q[:, :, None] * (variances.log() + squares)).sum((1, 2))
    of_c = torch.where(q > 0, q * (weights.log() - q.clamp_min(1e-30).log()), 0.0).sum(1)
    return log_likelihood + fit + of_c + 0.5 * (1 + log_variance).sum(1)


def elbo_by_the_gap(log_likelihood, q, mean, log_variance, weights, means, variances):
    a = weights.log() + expected_log_normals(mean, log_variance, means, variances)
    gap = (torch.xlogy(q, q) - q * a.log_softmax(1)).sum(1)
    entropy = dist.Normal(mean, (log_variance / 2).exp()).entropy().sum(1)
    return log_likelihood + a.logsumexp(1) - gap + entropy


def elbo_by_nan_to_num(log_likelihood, q, mean, log_variance, weights, means, variances):
    a = weights.log() + expected_log_normals(mean, log_variance, means, variances)
    each = torch.nan_to_num(q * (a - q.log()))
    return log_likelihood + each.sum(1) + 0.5 * (1 + LOG_TAU + log_variance).sum(1)


def elbo_with_a_tiny_number(log_likelihood, q, mean, log_variance, weights, means, variances):
    a = weights.log() + expected_log_normals(mean, log_variance, means, variances)
    each = q * (a - torch.log(q + 1e-10))
    return log_likelihood + each.sum(1) + 0.5 * (1 + LOG_TAU + log_variance).sum(1)


def elbo_by_loops(log_likelihood, q, mean, log_variance, weights, means, variances):
    rows = []
    for b in range(len(q)):
        total, spread = log_likelihood[b], log_variance[b].exp()
        for c in range(len(weights)):
            if q[b, c] > 0:
                squares = ((mean[b] - means[c]) ** 2 + spread) / variances[c]
                normal = -0.5 * (squares + variances[c].log() + math.log(2 * math.pi)).sum()
                total = total + q[b, c] * (normal + weights[c].log() - q[b, c].log())
        rows.append(total + 0.5 * (log_variance[b] + math.log(2 * math.pi * math.e)).sum())
    return torch.stack(rows)


ELBOS = (
    elbo_by_divergences,
    elbo_as_published,
    elbo_by_the_gap,
    elbo_by_nan_to_num,
    elbo_with_a_tiny_number,
    elbo_by_loops,
    model.elbo,
)


# 8.4


def target_by_loops(q):
    rows = []
    for row in q:
        pairs = zip(row, q.sum(axis=0), strict=True)
        pull = [share**2 / total if total else 0.0 for share, total in pairs]
        rows.append([each / sum(pull) for each in pull])
    return rows


def target_transposed(q):
    weight = q**2 / (q.sum(0) + 1e-12)
    return (weight.T / weight.sum(1)).T


def target_by_shares_of_images(q):
    mean = q.mean(axis=0)
    weight = np.divide(q**2, mean, out=np.zeros_like(q), where=mean > 0)
    return np.einsum("nc,n->nc", weight, 1 / weight.sum(axis=1))


def target_in_logarithms(q):
    with np.errstate(divide="ignore"):
        logs = 2 * np.log(q) - np.log(np.maximum(q.sum(axis=0), 1e-30))
    return special.softmax(logs, axis=1)


def target_by_nan_to_num(q):
    with np.errstate(invalid="ignore"):
        weight = np.nan_to_num(q * (q / q.sum(axis=0)))
    return weight / weight.sum(axis=1)[:, None]


def target_without_empty_clusters(q):
    used = q.sum(axis=0) > 0
    out = np.zeros(q.shape)
    out[:, used] = q[:, used] ** 2 / q[:, used].sum(axis=0)
    return out / out.sum(axis=1, keepdims=True)


def target_with_the_finest_floor(q):
    weight = q**2 / np.maximum(q.sum(axis=0), 1e-300)
    return weight / weight.sum(axis=1, keepdims=True)


def target_with_the_finest_number(q):
    weight = q**2 / (q.sum(axis=0) + 1e-300)
    return weight / weight.sum(axis=1, keepdims=True)


TARGETS = (
    target_with_the_finest_floor,
    target_with_the_finest_number,
    target_by_loops,
    target_transposed,
    target_by_shares_of_images,
    target_in_logarithms,
    target_by_nan_to_num,
    target_without_empty_clusters,
)


# 8.5


def interval_by_scipy(first, second):
    return stats.ttest_rel(first, second).confidence_interval()


def interval_of_one_sample(first, second):
    found = stats.ttest_1samp(first - second, 0).confidence_interval(0.95)
    return found.low, found.high


def interval_by_t_interval(first, second):
    d = np.subtract(first, second)
    return stats.t.interval(0.95, len(d) - 1, loc=d.mean(), scale=stats.sem(d))


def interval_by_statistics(first, second):
    d = [float(a) - float(b) for a, b in zip(first, second, strict=True)]
    half = stats.t.isf(0.025, df=len(d) - 1) * statistics.stdev(d) / math.sqrt(len(d))
    return np.array([statistics.mean(d) - half, statistics.mean(d) + half])


def interval_by_covariance(first, second):
    (a, c), (_, b) = np.cov(first, second)
    half = special.stdtrit(len(first) - 1, 0.975) * np.sqrt((a + b - 2 * c) / len(first))
    return [first.mean() - second.mean() - half, first.mean() - second.mean() + half]


INTERVALS = (
    interval_by_scipy,
    interval_of_one_sample,
    interval_by_t_interval,
    interval_by_statistics,
    interval_by_covariance,
)

RIGHT = [
    *((check.log_mixture_prior, answer) for answer in PRIORS),
    *((check.best_q, answer) for answer in BEST),
    *((check.vade_elbo, answer) for answer in ELBOS),
    *((check.target, answer) for answer in TARGETS),
    *((check.paired_interval, answer) for answer in INTERVALS),
]


@pytest.mark.parametrize(
    ("exercise", "answer"),
    RIGHT,
    ids=lambda value: getattr(value, "__name__", getattr(value, "name", "")),
)
def test_another_right_derivation_passes(exercise, answer):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "passes", verdict


# Wrong answers beyond the named ones: what is said of them is not misleading.


def changes_its_input(z, weights, means, variances):
    z -= means[0]
    return prior_by_torch(z, weights, means - means[0], variances)


def averaged_posterior(draws, seed):
    def answer(mean, log_variance, weights, means, variances):
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((draws, *mean.shape), generator=generator, dtype=mean.dtype)
        z = mean + (log_variance / 2).exp() * noise
        return model.published_q(z, weights, means, variances)

    return answer


def averaged_logarithm(mean, log_variance, weights, means, variances):
    z = mean + (log_variance / 2).exp() * torch.randn((50, *mean.shape), dtype=mean.dtype)
    return model.log_joint(z, weights, means, variances).mean(0).softmax(1)


def one_more_draw(mean, log_variance, weights, means, variances):
    z = dist.Normal(mean, (log_variance / 2).exp()).sample()
    return model.log_joint(z, weights, means, variances).softmax(1)


def of_the_elbo(change):
    return lambda *args: change(elbo_by_divergences(*args), *args)


def best_q_instead(log_likelihood, q, *rest):
    return elbo_by_divergences(log_likelihood, q_by_products(*rest), *rest)


def interval_by_bootstrap(first, second):
    d = first - second
    drawn = np.random.default_rng(0).choice(d, (500, len(d))).mean(axis=1)
    return tuple(np.percentile(drawn, [2.5, 97.5]))


def interval_of_images(first, second):
    d = np.mean(first - second)
    half = 1.96 * np.sqrt(np.mean(first) * (1 - np.mean(first)) / 1000) if d > 0 else 0.01
    return d - half, d + half


def half_as_wide(first, second):
    low, high = interval_by_t_interval(first, second)
    return (3 * low + high) / 4, (low + 3 * high) / 4


def centred(first, second):
    return interval_by_t_interval(first - first.mean(), second - second.mean())


right_q, right_target, right_interval = q_by_products, target_in_logarithms, interval_by_t_interval
prior = prior_by_matrices

WRONG = [
    (check.log_mixture_prior, changes_its_input, "changed its input `z`"),
    (check.log_mixture_prior, lambda *args: prior(*args).numpy(), "no tensor"),
    (check.log_mixture_prior, lambda *args: prior(*args).tolist(), "no tensor"),
    (check.log_mixture_prior, lambda z, w, m, v: prior(z, w, m.detach(), v), "`means`"),
    (check.log_mixture_prior, lambda z, w, m, v: prior(z, w, m, v.detach()), "`variances`"),
    (check.log_mixture_prior, lambda *args: torch.tensor(prior(*args).tolist()), "no gradient"),
    (check.log_mixture_prior, lambda *args: prior(*args).clamp(min=-100), None),
    (check.log_mixture_prior, lambda z, w, m, v: prior(z, w, m, v + 1), "one cluster"),
    (check.log_mixture_prior, lambda z, w, m, v: prior(z, w, m, 1 / v), "stretched"),
    (check.log_mixture_prior, lambda z, w, m, v: prior(z - z.mean(0), w, m, v), None),
    (check.log_mixture_prior, lambda z, w, m, v: prior(z, w.sqrt(), m, v), None),
    (check.log_mixture_prior, lambda *args: prior(*args)[:, None], "shape"),
    (check.log_mixture_prior, lambda *args: prior(*args).float(), None),
    (check.best_q, averaged_posterior(1000, 5), "is the published q"),
    (check.best_q, averaged_posterior(2000, 6), "is the published q"),
    (check.best_q, averaged_logarithm, None),
    (check.best_q, one_more_draw, "You draw one z"),
    (check.best_q, averaged_posterior(3, 7), None),
    (check.best_q, lambda *args: right_q(*args).numpy(), "no tensor"),
    (check.best_q, lambda *args: right_q(*args) / 2, "adds up to"),
    (check.best_q, lambda *args: right_q(*args).sqrt(), "adds up to"),
    (check.best_q, lambda *args: right_q(*args).round(decimals=2), None),
    (check.best_q, lambda *args: right_q(*args).T, None),
    (check.best_q, lambda *args: right_q(*args).argmax(dim=1), None),
    (check.best_q, lambda *args: 0 * right_q(*args) + 1 / len(args[2]), "without width"),
    (check.best_q, lambda mean, s, w, m, v: right_q(mean, s, w, m, v.mean(0).expand_as(v)), None),
    (check.best_q, lambda mean, s, w, m, v: right_q(mean, s, w, m, v + s.exp().mean(0)), None),
    (check.best_q, lambda mean, *rest: right_q(mean - mean.mean(0), *rest), None),
    (check.best_q, lambda *args: right_q(*args).clamp(0.01, 0.99), None),
    (check.vade_elbo, best_q_instead, "whatever q was given"),
    (check.vade_elbo, of_the_elbo(lambda value, ll, *_: value + ll), "counts once"),
    (check.vade_elbo, of_the_elbo(lambda value, ll, *_: value - ll + ll.mean()), "counts once"),
    (check.vade_elbo, of_the_elbo(lambda value, *_: value.numpy()), "no tensor"),
    (check.vade_elbo, of_the_elbo(lambda value, ll, q, *_: value / q.shape[1]), "counts once"),
    (check.vade_elbo, of_the_elbo(lambda value, *_: value.exp()), None),
    (check.vade_elbo, of_the_elbo(lambda value, *_: value[:, None]), "shape"),
    (check.vade_elbo, of_the_elbo(lambda value, *_: value - value.mean()), None),
    (check.vade_elbo, lambda ll, q, m, s, *p: elbo_by_divergences(ll, q, m, s / 2, *p), None),
    (check.vade_elbo, lambda ll, q, m, s, *p: elbo_by_divergences(ll, q, m, 0 * s, *p), None),
    (check.vade_elbo, lambda ll, q, *p: elbo_by_divergences(ll, 0 * q + 0.5, *p), None),
    (check.vade_elbo, lambda ll, q, m, *p: elbo_by_divergences(ll, q, m.detach(), *p), "`mean`"),
    (check.vade_elbo, of_the_elbo(lambda value, *_: value.float()), "float32 came out"),
    (check.target, lambda q: right_target(q) ** 2, "adds up to"),
    (check.target, lambda q: right_target(q).T, None),
    (check.target, lambda q: right_target(q).round(1), None),
    (check.target, lambda q: special.softmax(q, axis=1), "nothing to sharpen"),
    (check.target, lambda q: (right_target(q) + q) / 2, "it sharpens"),
    (check.target, lambda q: q**3 / (q**3).sum(axis=1)[:, None], "it sharpens"),
    (check.target, lambda q: -right_target(q), "adds up to"),
    (check.target, lambda q: right_target(q)[:, :-1], None),
    (check.target, lambda q: right_target(q[:1]), None),
    (check.paired_interval, interval_by_bootstrap, None),
    (check.paired_interval, interval_of_images, None),
    (check.paired_interval, stats.ttest_rel, "p-value"),
    (check.paired_interval, lambda a, b: tuple(stats.ttest_rel(a, b)), "p-value"),
    (check.paired_interval, half_as_wide, "experiments"),
    (check.paired_interval, centred, "middle"),
    (check.paired_interval, lambda a, b: right_interval(a, b)[0], None),
    (check.paired_interval, lambda a, b: (*right_interval(a, b), 0.0), None),
    (check.paired_interval, lambda a, b: np.round(right_interval(a, b), 2), None),
    (check.paired_interval, lambda a, b: (-np.inf, np.inf), None),
    (check.paired_interval, lambda a, b: right_interval(a[:-1], b[:-1]), None),
    (check.paired_interval, lambda a, b: (np.mean(a - b),) * 2, "experiments"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "answer", "said"), WRONG)
def test_a_wrong_answer_is_told_what_fits_it(exercise, answer, said):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "not yet"
    if said is None:  # what failed is said
        assert verdict.property
    else:
        told = " ".join((verdict.sentence, str(verdict.property), *verdict.evidence[:1]))
        assert said in told, verdict
