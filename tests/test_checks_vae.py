"""The checks of unit 07: what every unit's must do, what they rely on, and other right and wrong
answers."""

from __future__ import annotations

import inspect
import math
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from sklearn import metrics
from torch import distributions
from torch.nn import functional

from checking import assert_unit_checks
from latentsteps.checks import vae as check
from latentsteps.checks import vae_kl
from latentsteps.checks import vae_sample as draws
from latentsteps.evaluation import spaces as library_spaces
from latentsteps.evaluation import stability as library_stability
from latentsteps.models import vae as library


def test_every_check_knows_its_right_answer_its_blank_and_its_misconceptions():
    assert_unit_checks(check)


def test_the_checks_are_numbered_in_a_row():
    numbers = sorted(getattr(check, name).number for name in check.__all__)
    assert numbers == [*(f"7.{n}" for n in range(1, 9)), *(f"7.Q{n}" for n in range(1, 6))]


# What the checks rely on, against other sources.


def tensors(case):
    return [torch.tensor(np.array(a)) if isinstance(a, np.ndarray) else a for a in case.args]


@pytest.mark.parametrize("case", check.kl.cases, ids=lambda case: case.label)
def test_the_kl_is_torch_s_and_that_of_an_integrator(case):
    mean, log_variance = tensors(case)
    q = distributions.Normal(mean, torch.exp(0.5 * log_variance))
    expected = distributions.kl_divergence(q, distributions.Normal(0.0, 1.0)).numpy()
    got = check.kl.reference(mean, log_variance).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(vae_kl.kl_in_numpy(*case.args), expected, rtol=1e-10, atol=1e-12)

    m, sd = case.args[0][0, -1], np.exp(0.5 * case.args[1][0, -1])

    def integrand(noise):
        log_q = stats.norm.logpdf(noise) - np.log(sd)
        return stats.norm.pdf(noise) * (log_q - stats.norm.logpdf(m + sd * noise))

    value = integrate.quad(integrand, -12, 12, epsabs=1e-10)[0]
    assert got[0, -1] == pytest.approx(value, rel=1e-6)


def test_the_reference_draws_from_the_normal():
    mean, log_variance = torch.full((20_000, 1), 2.0), torch.full((20_000, 1), -1.2)
    z = check.sample.reference(mean, log_variance, torch.Generator().manual_seed(11)).numpy()
    assert stats.kstest(z[:, 0], stats.norm(2.0, np.exp(-0.6)).cdf).pvalue > 1e-3


def test_the_share_beyond_two_standard_deviations_is_the_normal_s():
    share = 2 * stats.norm.sf(2)
    assert share == pytest.approx(0.0455, abs=5e-5)
    assert np.sqrt(share * (1 - share) / draws.DRAWS) == pytest.approx(0.0033, abs=5e-5)


@pytest.mark.parametrize("case", check.log_bernoulli.cases, ids=lambda case: case.label)
def test_the_likelihood_is_torch_s(case):
    x, logits = tensors(case)
    if case.refused:
        with pytest.raises(ValueError, match="leaves"):
            check.log_bernoulli.reference(x, logits)
        return
    loss = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)
    got = check.log_bernoulli.reference(x, logits)
    np.testing.assert_allclose(got.numpy(), -loss.numpy(), rtol=1e-8)
    if set(x.numpy().ravel()) == {0.0, 1.0} and logits.abs().max() < 30:
        p = special.expit(logits.numpy())
        np.testing.assert_allclose(got.numpy(), stats.bernoulli.logpmf(x, p).sum(1), rtol=1e-8)


def test_the_bound_is_the_average_of_log_p_over_q():
    # One latent, one pixel with the logit 2 z + 1: both sides by an integrator.
    m, log_variance, x = 0.4, -0.8, 1.0
    q, prior = stats.norm(m, np.exp(0.5 * log_variance)), stats.norm(0, 1)

    def logit(z):
        return 2 * z + 1

    def log_p(z):
        return x * logit(z) - np.logaddexp(0, logit(z))

    def of_the_check(z):
        args = [np.array([[v]]) for v in (x, logit(z), m, log_variance)]
        return check.elbo.reference(*map(torch.tensor, args), 1.0).item()

    left = integrate.quad(lambda z: q.pdf(z) * of_the_check(z), -6, 7)[0]
    right = integrate.quad(lambda z: q.pdf(z) * (log_p(z) + prior.logpdf(z) - q.logpdf(z)), -6, 7)[
        0
    ]
    assert left == pytest.approx(right, abs=1e-7)
    evidence = np.log(integrate.quad(lambda z: prior.pdf(z) * np.exp(log_p(z)), -9, 9)[0])
    assert left < evidence


def test_importance_weights_reach_the_evidence_from_below():
    # z from N(0, 1), x from N(z, 1), a poor q: exact evidence, and an order of the means.
    random, x = np.random.default_rng(1), 1.5
    means, errors = [], []
    for k in (1, 5, 50):
        z = random.normal(0.2, 0.9, size=(k, 20_000))
        log_joint = stats.norm.logpdf(z) + stats.norm.logpdf(x, z)
        got = check.importance_weighted.reference(log_joint, stats.norm.logpdf(z, 0.2, 0.9))
        means.append(got.mean())
        errors.append(got.std() / np.sqrt(len(got)))
    evidence = stats.norm.logpdf(x, 0, np.sqrt(2))
    assert means[0] < means[1] < means[2] < evidence + 4 * errors[2]
    assert means[2] == pytest.approx(evidence, abs=0.05)


@pytest.mark.parametrize("case", check.active.cases, ids=lambda case: case.label)
def test_active_dimensions_are_those_of_the_exact_kl(case):
    mean, log_variance, threshold = case.args
    rates = vae_kl.kl_in_numpy(mean, log_variance).mean(axis=0)
    np.testing.assert_array_equal(check.active.reference(*case.args), rates > threshold)
    # Nobody is judged by rounding, in float32 either.
    assert np.abs(rates - threshold).min() > 1e-3


def silhouette_by_loops(space, clusters):
    """Rousseeuw's definition, point by point."""
    values = []
    for i, point in enumerate(space):
        away = np.sqrt(((space - point) ** 2).sum(axis=1))
        mean = {}
        for name in np.unique(clusters):
            others = [j for j in range(len(space)) if clusters[j] == name and j != i]
            mean[name] = np.mean(away[others]) if others else None
        a = mean.pop(clusters[i])
        b = min(mean.values())
        values.append(0.0 if a is None else (b - a) / max(a, b))
    return float(np.mean(values))


def silhouettes_by_loops(spaces, clusters):
    return {name: silhouette_by_loops(space, clusters) for name, space in spaces.items()}


def adjusted_rand_by_pairs(a, b):
    """Hubert & Arabie's index from counts of pairs of points."""
    same_a = np.array([a[i] == a[j] for i, j in combinations(range(len(a)), 2)])
    same_b = np.array([b[i] == b[j] for i, j in combinations(range(len(b)), 2)])
    both, n = np.sum(same_a & same_b), len(same_a)
    by_chance = same_a.sum() * same_b.sum() / n
    return (both - by_chance) / ((same_a.sum() + same_b.sum()) / 2 - by_chance)


def stability_by_loops(labels):
    nets, restarts, _ = labels.shape
    within, between = [], []
    for i in range(nets):
        for r in range(restarts):
            within += [adjusted_rand_by_pairs(labels[i, r], labels[i, s]) for s in range(r)]
            between += [
                adjusted_rand_by_pairs(labels[i, r], labels[j, s])
                for j in range(i)
                for s in range(restarts)
            ]
    return np.array([np.mean(within), np.mean(between)])


def log_mean_by_shift(log_joint, log_q):
    weights = log_joint - log_q
    top = weights.max(axis=0)
    return top + np.log(np.exp(weights - top).mean(axis=0))


def kl_by_distributions(mean, log_variance):
    q = distributions.Normal(mean, torch.exp(0.5 * log_variance))
    return distributions.kl_divergence(q, distributions.Normal(0.0, 1.0))


def sample_by_variance(mean, log_variance, generator):
    noise = torch.normal(0.0, 1.0, size=mean.shape, generator=generator)
    return mean + log_variance.exp().sqrt() * noise


def guarded(formula):
    def answer(x, logits):
        if torch.any(x < 0) or torch.any(x > 1):
            raise ValueError("pixels lie in [0, 1]")
        return formula(x, logits)

    return answer


@guarded
def bernoulli_by_log_sigmoids(x, logits):
    logs = functional.logsigmoid
    return (x * logs(logits) + (1 - x) * logs(-logits)).sum(-1)


@guarded
def bernoulli_by_cross_entropy(x, logits):
    return -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


@guarded
def bernoulli_by_hand(x, logits):
    return -(logits.clamp(min=0) - x * logits + torch.log1p(torch.exp(-logits.abs()))).sum(1)


def elbo_by_distributions(x, logits, mean, log_variance, beta=1):
    fit = distributions.Bernoulli(logits=logits).log_prob(x)
    return fit.sum(1) - beta * kl_by_distributions(mean, log_variance).sum(1)


def elbo_without_constants(x, logits, mean, log_variance, beta=1.0):
    fit = bernoulli_by_log_sigmoids(x, logits)
    return fit + 0.5 * beta * torch.sum(1 + log_variance - mean**2 - log_variance.exp(), dim=-1)


def active_by_loops(mean, log_variance, threshold=0.01):
    result = []
    for d in range(mean.shape[1]):
        total = 0.0
        for m, v in zip(mean[:, d], log_variance[:, d], strict=True):
            total += (m * m + math.exp(v) - 1 - v) / 2
        result.append(total / len(mean) > threshold)
    return result


RIGHT = [
    (check.kl, kl_by_distributions),
    (check.kl, lambda m, v: -0.5 * (1 + v - m.pow(2) - v.exp())),
    (check.kl, lambda m, v: 0.5 * (m * m + torch.expm1(v) - v)),
    (check.kl, library.kl_by_dimension),
    (check.sample, sample_by_variance),
    (check.sample, lambda m, v, g: m - torch.empty_like(m).normal_(generator=g) * (v / 2).exp()),
    (check.sample, lambda m, v, g: torch.randn(*m.shape, generator=g) * (v / 2).exp() + m),
    (check.sample, library.sample),
    (check.log_bernoulli, bernoulli_by_log_sigmoids),
    (check.log_bernoulli, bernoulli_by_cross_entropy),
    (check.log_bernoulli, bernoulli_by_hand),
    (check.log_bernoulli, library.log_bernoulli),
    (check.elbo, elbo_by_distributions),
    (check.elbo, elbo_without_constants),
    (check.elbo, library.elbo),
    (check.importance_weighted, log_mean_by_shift),
    (check.importance_weighted, lambda p, q: np.logaddexp.reduce(p - q) - np.log(p.shape[0])),
    (check.importance_weighted, lambda p, q: special.logsumexp(p - q, b=1 / len(q), axis=0)),
    (check.active, active_by_loops),
    (check.active, lambda m, v, threshold=0.01: library_kl(m, v).mean(0).numpy() > threshold),
    (check.silhouettes, silhouettes_by_loops),
    (
        check.silhouettes,
        lambda spaces, c: {
            name: library_spaces.internal_scores(space, c).silhouette
            for name, space in spaces.items()
        },
    ),
    (check.stability, stability_by_loops),
    (check.stability, library_stability.stability),
]  # fmt: skip


def library_kl(mean, log_variance):
    return library.kl_by_dimension(torch.tensor(mean), torch.tensor(log_variance))


@pytest.mark.parametrize(("exercise", "answer"), RIGHT)
def test_other_right_answers_pass(exercise, answer):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "passes", verdict
    if exercise.gradients:
        assert "gradients flow through it" in verdict.held


def test_what_is_handed_on_trains():
    for exercise in (check.kl, check.sample, check.log_bernoulli, check.elbo):
        source = inspect.getsource(exercise.reference)
        assert ".detach" not in source
        assert "numpy" not in source
    mean = torch.zeros((64, 2), requires_grad=True)
    log_variance = torch.zeros((64, 2), requires_grad=True)
    passed = check.elbo(elbo_without_constants)
    assert passed is elbo_without_constants
    z = check.sample.reference(mean, log_variance, torch.Generator().manual_seed(0))
    passed(torch.ones((64, 2)), z, mean, log_variance).sum().backward()
    assert mean.grad.abs().min() > 0
    assert torch.isfinite(log_variance.grad).all()


# Wrong answers, and what they are told.


def of_kl(change):
    return lambda mean, log_variance: change(check.kl.reference(mean, log_variance))


KLS = [
    (lambda m, v: 0.5 * (m**2 + v.exp() ** 2 - 1 - 2 * v), "It is the variance"),
    (lambda m, v: 0.5 * (v.exp() + m**2 - v), "half a nat"),
    (of_kl(lambda kl: -kl), "never negative"),
    (of_kl(lambda kl: kl.sum(-1)), "which dimensions carry it"),
    (of_kl(lambda kl: kl.mean(-1)), "32 times too free"),
    (of_kl(lambda kl: kl / kl.shape[-1]), "its own image and dimension"),
    (of_kl(lambda kl: torch.clamp(kl, min=0.5)), "q is the prior"),
    (of_kl(lambda kl: torch.tensor(kl.tolist())), "would never hear"),
    (of_kl(lambda kl: kl.detach().numpy()), "no tensor"),
    (lambda m, v: np.log(2) * check.kl.reference(m, v), "without luck"),
    (lambda m, v: check.kl.reference(m + 1, v), "q is the prior"),
    (lambda m, v: check.kl.reference(m, v) + 0.1 * m, "The prior is symmetric"),
    (lambda m, v: check.kl.reference(m, v.clamp(-10, 10)), "without luck"),
    (lambda m, v: check.kl.reference(m, v.mul_(1.0).sub_(0)) + 0 * m.add_(1), "changed its input"),
]

SAMPLES = [
    (lambda m, v, g: m.clone(), "no draw"),
    (lambda m, v, g: m + (v / 2).exp() * torch.randn((), generator=g), "share one noise"),
    (lambda m, v, g: m + (v / 2).exp() * torch.randn(m.shape[-1], generator=g), "share one noise"),
    (lambda m, v, g: m + (v / 2).exp() * torch.randn(len(m), 1, generator=g), "cloud"),
    (lambda m, v, g: torch.distributions.Normal(m, (v / 2).exp()).rsample(), "`generator`"),
    (
        lambda m, v, g: m + (v / 2).exp() * torch.randn(m.shape, generator=g.manual_seed(0)),
        "seed it yourself",
    ),
    (lambda m, v, g: (v / 2).exp() * torch.randn(m.shape, generator=g), "Add the mean"),
    (lambda m, v, g: m + v.exp() * torch.randn(m.shape, generator=g), "nowhere else"),
    (lambda m, v, g: m + (2 * v).exp() * torch.randn(m.shape, generator=g), "standard deviation"),
    (lambda m, v, g: m + torch.randn(m.shape, generator=g), "width were fixed"),
    (lambda m, v, g: m + (-v / 2).exp() * torch.randn(m.shape, generator=g), "the other sign"),
    (lambda m, v, g: m + (-v).exp() * torch.randn(m.shape, generator=g), "the other sign"),
    (lambda m, v, g: m + v.abs().sqrt() * torch.randn(m.shape, generator=g), "a root of its size"),
    (
        lambda m, v, g: (
            m
            + (v / 2).exp()
            * torch.randn(m.shape, generator=torch.Generator().manual_seed(g.initial_seed()))
        ),
        "the same at every step",
    ),
    (
        lambda m, v, g: (
            m
            + (v / 2).exp() * torch.randn(len(m), 1, generator=g) * (-1) ** torch.arange(m.shape[1])
        ),
        "dimensions 0 and 1",
    ),
    (lambda m, v, g: m + (v / 2).exp() * mirrored(m, g), "first half of the images"),
    (
        lambda m, v, g: m + (v / 2).exp() * mirrored(m, g, 1),
        "every second image",
    ),
    (lambda m, v, g: m + v.exp() / 2 * torch.randn(m.shape, generator=g), "wrong even where"),
    (
        lambda m, v, g: m + (12 * v.exp()).sqrt() * (torch.rand(m.shape, generator=g) - 0.5),
        "no normal's",
    ),
    (lambda m, v, g: draws._sample(m, v, g).detach(), "no gradient goes through"),
    (lambda m, v, g: torch.normal(m, (v / 2).exp(), generator=g), "just numbers"),
    (lambda m, v, g: draws._sample(m.detach(), v, g), "never of what"),
    (lambda m, v, g: draws._sample(m[None], v[None], g), "shape"),
]


def mirrored(mean, generator, axis=0):
    """The noise of half of the images, and minus that for the others: behind them, or between."""
    half = torch.randn(((len(mean) + 1) // 2, mean.shape[1]), generator=generator)
    return torch.stack([half, -half], axis).reshape(-1, mean.shape[1])[: len(mean)]


BERNOULLIS = [
    (
        guarded(lambda x, odds: (x * odds - functional.softplus(odds)).mean(1)),
        "784 times too strong",
    ),
    (
        guarded(lambda x, odds: -functional.binary_cross_entropy_with_logits(odds, x)),
        "keep the images",
    ),
    (
        guarded(lambda x, odds: functional.binary_cross_entropy_with_logits(odds, x)),
        "sign of a loss",
    ),
    (
        lambda x, odds: (
            -functional.binary_cross_entropy(odds.sigmoid(), x, reduction="none").sum(1)
        ),
        "cuts logarithms off",
    ),
    (
        guarded(
            lambda x, odds: (x * odds.sigmoid().log() + (1 - x) * (1 - odds.sigmoid()).log()).sum(1)
        ),
        "Right on paper",
    ),
    (
        guarded(lambda x, odds: bernoulli_by_log_sigmoids(x, odds.clamp(-30, 30))),
        "how wrong that is",
    ),
    (guarded(lambda x, odds: bernoulli_by_log_sigmoids(x, odds.sigmoid())), "once more"),
    (guarded(lambda x, odds: (x * functional.logsigmoid(odds)).sum(1)), "evidence too"),
    (lambda x, odds: bernoulli_by_log_sigmoids(x.clamp(0, 1), odds), "in silence"),
    (lambda x, odds: (x * odds - functional.softplus(odds)).sum(1), "ran away"),
    (lambda x, odds: distributions.Bernoulli(logits=odds).log_prob(x).sum(1), "refuses grey"),
    (guarded(lambda x, odds: bernoulli_by_log_sigmoids(x, odds.data)), "would never learn"),
    (
        guarded(
            lambda x, odds: torch.where(
                odds > 0,
                x * odds - odds - torch.log1p(torch.exp(-odds)),
                x * odds - torch.log1p(torch.exp(odds)),
            ).sum(1)
        ),
        "not finite",
    ),
    (guarded(lambda x, odds: (x * odds - torch.log1p(odds.exp())).sum(1)), "overflows"),
    (guarded(lambda x, odds: (x * odds - torch.log(1 + odds.exp())).sum(1)), "overflows"),
    (
        guarded(
            lambda x, odds: (
                -functional.binary_cross_entropy_with_logits(x, odds, reduction="none").sum(1)
            )
        ),
        "logits come first",
    ),
    (
        guarded(lambda x, odds: ((x > 0.5) * odds - functional.softplus(odds + 0.1)).sum(1)),
        "A pixel is black or white",
    ),
]


def of_elbo(fit=bernoulli_by_log_sigmoids, kl=kl_by_distributions, combine=None):
    combine = combine or (lambda fit, kl, beta: fit - beta * kl.sum(1))
    return lambda x, logits, mean, log_variance, beta=1.0: combine(
        fit(x, logits), kl(mean, log_variance), beta
    )


ELBOS = [
    (of_elbo(combine=lambda f, k, b: b * f - k.sum(1)), "stands on the fit"),
    (of_elbo(combine=lambda f, k, b: b * f - b * k.sum(1)), "scale"),
    (of_elbo(combine=lambda f, k, b: f - k.sum(1)), "never passed on"),
    (of_elbo(combine=lambda f, k, b: -(f - b * k.sum(1))), "the loss"),
    (of_elbo(combine=lambda f, k, b: f + b * k.sum(1)), "It is a price"),
    (of_elbo(combine=lambda f, k, b: f - b * k.mean(1)), "32 times too weak"),
    (of_elbo(combine=lambda f, k, b: f - b * k.sum()), "whole batch"),
    (of_elbo(combine=lambda f, k, b: (f - b * k.sum(1)).mean()), "the training"),
    (of_elbo(fit=lambda x, odds: bernoulli_by_log_sigmoids(x, odds) / x.shape[1]), "collapses"),
    (of_elbo(kl=lambda m, v: check.kl.reference(m, 2 * v)), "for a standard deviation"),
    (of_elbo(kl=lambda m, v: check.kl.reference(m, v.clamp(-5, 5))), "hold log_variance between"),
    (of_elbo(kl=lambda m, v: check.kl.reference(m, v.clamp(min=-10))), "what was taken off"),
    (
        of_elbo(
            lambda x, odds: (x * odds.sigmoid().log() + (1 - x) * (1 - odds.sigmoid()).log()).sum(1)
        ),
        "Stay with the logits",
    ),
    (
        of_elbo(
            lambda x, odds: (
                -functional.binary_cross_entropy(odds.sigmoid(), x, reduction="none").sum(1)
            )
        ),
        "100 nats",
    ),
    (of_elbo(lambda x, odds: (x * odds - torch.log1p(odds.exp())).sum(1)), "overflows"),
    (
        of_elbo(
            lambda x, odds: -functional.binary_cross_entropy_with_logits(odds, x, reduction="sum")
        ),
        "fit of the whole batch",
    ),
    (
        of_elbo(lambda x, odds: -functional.binary_cross_entropy_with_logits(odds, x)),
        "over images and pixels",
    ),
    (of_elbo(combine=lambda f, k, b: f - b * k.sum(1).detach()), "printed numbers"),
    (of_elbo(combine=lambda f, k, b: f.detach() - b * k.sum(1)), "`logits`"),
    (of_elbo(combine=lambda f, k, b: f - max(b, 1.0) * k.sum(1)), "beta = 0"),
    (
        lambda x, logits, mean, log_variance, beta=0.5: elbo_by_distributions(
            x, logits, mean, log_variance, beta
        ),
        "it is 1",
    ),
]


def of_weights(change):
    return lambda log_joint, log_q: change(log_joint - log_q)


WEIGHTED = [
    (of_weights(lambda w: w.mean(axis=0)), "log of a mean, not mean of logs"),
    (of_weights(lambda w: special.logsumexp(w, axis=0)), "rise for ever"),
    (of_weights(lambda w: np.log(np.mean(np.exp(w), axis=0))), "Right on paper"),
    (of_weights(lambda w: np.log(np.mean(np.exp(w - w.max()), axis=0)) + w.max()), "all images"),
    (lambda p, q: special.logsumexp(p, axis=0) - np.log(len(p)), "counts for less"),
    (lambda p, q: special.logsumexp(p + q, axis=0) - np.log(len(p)), "add log q"),
    (
        lambda p, q: special.logsumexp(p, axis=0) - special.logsumexp(q, axis=0),
        "a weight of its own",
    ),
    (of_weights(lambda w: special.logsumexp(w, axis=1) - np.log(w.shape[1])), "Draws are axis 0"),
    (of_weights(lambda w: special.logsumexp(w, axis=0) - np.log(len(w) - 0.5)), "log p(x, z)"),
    (of_weights(lambda w: np.sort(w, axis=0)[len(w) // 2]), "another number"),
]

ACTIVES = [
    (lambda m, v, threshold=0.01: m.var(axis=0) > threshold, "Burda"),
    (lambda m, v, threshold=0.01: np.exp(v).mean(axis=0) > threshold, "other way round"),
    (lambda m, v, threshold=0.01: library_kl(m, v).numpy().sum(axis=0) > threshold, "add up"),
    (lambda m, v, threshold=0.01: (library_kl(m, v).numpy() > threshold).any(0), "single image"),
    (
        lambda m, v, threshold=0.01: ~(library_kl(m, v).numpy().mean(0) > threshold),
        "dead dimensions",
    ),
    (lambda m, v, threshold=0.01: library_kl(m, v).numpy().mean(0) > 0.01, "an argument"),
    (lambda m, v, threshold=0.1: library_kl(m, v).numpy().mean(0) > threshold, "it is .01"),
    (lambda m, v, threshold=0.01: library_kl(m, v).numpy().mean(0), "True or False"),
    (
        lambda m, v, threshold=0.01: np.flatnonzero(library_kl(m, v).numpy().mean(0) > threshold),
        "numbers of the active",
    ),
]


def of_space(score):
    return lambda spaces, clusters: {name: score(s, clusters) for name, s in spaces.items()}


SILHOUETTES = [
    (of_space(metrics.davies_bouldin_score), "*small* is good"),
    (of_space(metrics.calinski_harabasz_score), "grows with the number of points"),
    (of_space(metrics.silhouette_samples), "their mean"),
    (of_space(lambda s, c: -metrics.silhouette_score(s, c)), "The sign"),
    (of_space(lambda s, c: metrics.silhouette_score(s[:, :1], c)), "another number"),
    (of_space(lambda s, c: metrics.silhouette_score(s / s.std(axis=0), c)), "standardise"),
    (of_space(lambda s, c: metrics.silhouette_score(s, c, metric="cosine")), "was moved"),
    (lambda spaces, clusters: list(of_space(metrics.silhouette_score)(spaces, clusters).values()),
     "without the names"),
    (lambda spaces, clusters: {"score": 0.5}, "the key"),
]  # fmt: skip


def runs_with(score):
    def answer(labels):
        within, between = [], []
        for (i, r), (j, s) in combinations(np.ndindex(labels.shape[:2]), 2):
            (within if i == j else between).append(score(labels[i, r], labels[j, s]))
        return np.mean(within), np.mean(between)

    return answer


def reversed_pair(labels):
    return stability_by_loops(labels)[::-1]


def one_share(labels):
    return np.mean(stability_by_loops(labels))


STABILITIES = [
    (runs_with(lambda a, b: (a == b).mean()), "arbitrary"),
    (runs_with(metrics.rand_score), "without adjustment"),
    (runs_with(metrics.adjusted_mutual_info_score), "another number"),
    (reversed_pair, "exchanged"),
    (lambda labels: stability_by_loops(labels.transpose(1, 0, 2)), "Nets are axis 0"),
    (lambda labels: stability_by_loops(labels[:, :2]), "order of the runs"),
    (one_share, "One number"),
]


@pytest.mark.parametrize(
    ("exercise", "answer", "said"),
    [
        *((check.kl, *row) for row in KLS),
        *((check.sample, *row) for row in SAMPLES),
        *((check.log_bernoulli, *row) for row in BERNOULLIS),
        *((check.elbo, *row) for row in ELBOS),
        *((check.importance_weighted, *row) for row in WEIGHTED),
        *((check.active, *row) for row in ACTIVES),
        *((check.silhouettes, *row) for row in SILHOUETTES),
        *((check.stability, *row) for row in STABILITIES),
    ],
)
def test_a_wrong_answer_is_told_what_fits_it(exercise, answer, said):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "not yet"
    assert said in f"{verdict.property}: {verdict.sentence}", verdict


def test_nothing_false_is_said_of_a_width():
    # Whoever is told that nothing scatters at a variance of 1 has a width of 0 there, and whoever
    # is told of another sign has draws that come closer as log_variance rises.
    def told(width):
        answer = check.sample.judge(
            lambda m, v, g: m + width(v) * torch.randn(m.shape, generator=g, dtype=m.dtype)
        )
        return answer.misconception

    widths = {
        "log_variance taken for a width": [lambda v: v, lambda v: v.abs(), lambda v: v**2],
        "the other sign": [lambda v: (-v / 2).exp(), lambda v: (-2 * v).exp()],
        "width left out": [torch.ones_like, lambda v: 3 + 0 * v],
    }
    for name, wrong in widths.items():
        assert {told(width) for width in wrong} <= {name, None}
        assert told(wrong[0]) == name
    assert told(lambda v: (v / 4).exp()) not in widths
    assert told(lambda v: (v / 2).clamp(-1, 1).exp()) not in widths


def test_the_noise_is_drawn_where_the_mean_lies(monkeypatch):
    # A network on another device hands over such tensors, and a generator of that device.
    where = []

    def drawn(*shape, device=None, **how):
        where.append(device)
        return torch.zeros(*shape)

    monkeypatch.setattr(draws.torch, "randn", drawn)
    mean, asked = torch.zeros((2, 3)), torch.Generator()
    check.sample.reference(mean, mean, asked)
    draws._scaled_mean(mean, mean, asked)
    monkeypatch.undo()
    draws._with(noise=drawn)(mean, mean, asked)
    assert where == [mean.device] * 3
    advice = [*check.sample.hints, *(wrong.sentence for wrong in check.sample.misconceptions)]
    told = [text for text in advice if "torch.randn(" in text]
    assert len(told) == 2
    assert all("device=mean.device" in text for text in told)


def test_one_pixel_has_two_images():
    shifted = check.log_bernoulli.judge(
        guarded(lambda x, odds: 0.5 + check.log_bernoulli.reference(x, odds))
    )
    assert shifted.case == "one image of one pixel, black"
    said = " ".join((shifted.sentence, *shifted.evidence))
    assert "A pixel is black or white" in said
    assert "Of 1 " not in said


# What the questions' replies claim.


def test_a_thresholded_image_needs_fewer_nats_of_a_good_model_and_not_of_every_model():
    grey = np.random.default_rng(7).beta(0.3, 0.7, size=50_000)
    sampled = (np.random.default_rng(8).random(grey.shape) < grey) * 1.0
    thresholded = (grey > 0.5) * 1.0

    def nats(x, p):
        return -stats.bernoulli.logpmf(x, p).mean()

    # The best that can be known of each pixel is its grey level; and a model without any merit.
    assert nats(thresholded, thresholded) == 0 < 0.1 < nats(sampled, grey)
    assert nats(thresholded, 0.5) == nats(sampled, 0.5)
    assert "every model" not in check.which_binarisation.replies["a"]


def test_a_line_cut_into_ten_has_an_excellent_silhouette():
    line = np.linspace(0, 1, 1000)[:, None]
    assert metrics.silhouette_score(line, np.arange(1000) // 100) > 0.5


def test_half_a_kl_is_no_bound_and_four_are():
    # z from N(0, 1), x from N(2 z, 1); E log p(x | z) and KL have formulas.
    x = 3.0
    evidence = stats.norm.logpdf(x, 0, np.sqrt(5))
    m, v = np.meshgrid(np.linspace(-3, 3, 121), np.linspace(-5, 1, 121))
    fit = stats.norm.logpdf(x, 2 * m, 1) - 2 * np.exp(v)
    kl = vae_kl.kl_in_numpy(m, v)
    best = {beta: np.max(fit - beta * kl) for beta in (0.5, 1.0, 4.0)}
    assert best[4.0] < best[1.0] <= evidence + 1e-12
    assert best[1.0] == pytest.approx(evidence, abs=1e-2)
    assert best[0.5] > evidence + 0.1


def test_five_draws_now_and_then_beat_fifty_and_may_be_brought_down_by_the_rest():
    random = np.random.default_rng(3)
    weights = random.normal(0, 1.5, size=(55, 4000))
    five = check.importance_weighted.reference(weights[:5], 0 * weights[:5])
    fifty = check.importance_weighted.reference(weights[5:], 0 * weights[5:])
    among = check.importance_weighted.reference(weights[:50], 0 * weights[:50])
    assert 0.05 < np.mean(five > fifty) < 0.5
    assert 0.05 < np.mean(five > among) < 0.5
    assert five.mean() < fifty.mean()


def test_the_cross_entropy_of_grey_has_no_total_of_one():
    for logit in (-3.0, 0.0, 1.0, 6.0):
        normaliser = np.logaddexp(0, logit)
        total = integrate.quad(lambda x, o=logit, n=normaliser: np.exp(x * o - n), 0, 1)[0]
        assert total <= 0.5 + 1e-12


def test_runs_may_be_equally_good_and_far_apart():
    digits = np.repeat(np.arange(6), 50)
    one, other = digits.copy(), digits.copy()
    one[digits == 1] = 0
    other[digits == 3] = 2
    first, second = (metrics.adjusted_rand_score(digits, each) for each in (one, other))
    assert first == pytest.approx(second)
    assert metrics.adjusted_rand_score(one, other) < first - 0.1
