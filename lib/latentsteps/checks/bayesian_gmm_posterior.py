"""Check of unit 04, exercise 4.1: the log joint density of data and parameters.

Points ``x`` (N,), means (K,), one standard deviation σ = eˢ for all components, ``log_scale`` = s,
and equal weights 1/K. The components of the points are summed out; σ is exchanged for s, which may
be any number, and the density changes with it by dσ/ds = σ (Gelman et al. 2013, *Bayesian Data
Analysis*, third edition, section 1.8).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import simpson
from scipy.special import logsumexp
from scipy.stats import halfnorm, norm

from latentsteps.checks.bayesian_gmm_posterior_misconceptions import MISCONCEPTIONS
from latentsteps.checks.exercise import Case, Exercise, Failure, Property
from latentsteps.checks.task import AFTER_BEFORE

_random = np.random.default_rng(41)


# 4.1 · The log posterior, assignments summed out


def _log_posterior(x: NDArray, means: NDArray, log_scale: float) -> float:
    scale = np.exp(log_scale)
    log_joint = norm.logpdf(x[:, None], means, scale) - np.log(len(means))
    log_likelihood = logsumexp(log_joint, axis=1).sum()
    log_prior = norm.logpdf(means, 0, 10).sum() + halfnorm.logpdf(scale, scale=2)
    return float(log_likelihood + log_prior + log_scale)


def _equals_brute_force(call: Callable, args: tuple, result: float) -> Failure | None:
    x, means, log_scale = args
    k, n = len(means), len(x) - 1
    if not 0 < n * np.log(k) < np.log(1000):  # all assignments of more points take too long
        return None
    scale, terms = np.exp(log_scale), []
    for components in itertools.product(range(k), repeat=n):
        density = norm.logpdf(x[1:], means[list(components)], scale).sum()
        terms.append(density - n * np.log(k))
    ours, yours = float(logsumexp(terms)), result - call(x[:1], means, log_scale)
    if abs(yours - ours) < 1e-4 * (1 + abs(ours)):
        return None
    return Failure(
        f"Adding {'a point' if n == 1 else f'{n} points'} to the first one changes your log "
        f"density. It should change by the logarithm of the sum over all {k**n} ways of giving "
        "them components, each with probability 1/K a point.",
        yours,
        ours,
    )


def _names_do_not_matter(call: Callable, args: tuple, result: float) -> Failure | None:
    x, means, log_scale = args
    again = call(x[::-1].copy(), means[::-1].copy(), log_scale)
    if abs(again - result) < 1e-5 * (1 + abs(result)):
        return None
    return Failure(
        "The points and the components were put in reverse order, and nothing else. Your log "
        "density changed.",
        again,
        result,
        AFTER_BEFORE,
    )


_FROM, _TO = 0.2, 20.0
"""Between these σ the mass is added up, in both coordinates."""


def _has_the_mass_of_sigma(call: Callable, args: tuple, result: float) -> Failure | None:
    x, means, log_scale = args
    if not 0 < log_scale < 2:  # elsewhere the mass may lie outside of these bounds
        return None

    # In σ, from the definition; no change of variables.
    scales = np.linspace(_FROM, _TO, 4001)
    z = (x[:, None, None] - means[:, None]) / scales
    log_points = logsumexp(-0.5 * z**2 - np.log(np.sqrt(2 * np.pi) * len(means) * scales), axis=1)
    log_density = (
        log_points.sum(axis=0) + norm.logpdf(means, 0, 10).sum() + halfnorm.logpdf(scales, scale=2)
    )
    top = log_density.max()
    ours = top + np.log(simpson(np.exp(log_density - top), x=scales))
    nodes, shares = np.polynomial.legendre.leggauss(24)
    low, high = np.log([_FROM, _TO])
    places = low + (nodes + 1) * (high - low) / 2
    values = [call(x, means, float(place)) for place in places]
    yours = float(logsumexp(values, b=shares * (high - low) / 2))
    if abs(yours - ours) < 1e-3:
        return None
    return Failure(
        f"Integrated over s from log {_FROM:g} to log {_TO:g}, your density should have the mass "
        f"that the density of means and σ has from σ = {_FROM:g} to {_TO:g}. The logarithms of "
        "the two:",
        yours,
        ours,
    )


log_posterior = Exercise(
    number="4.1",
    name="log_posterior",
    reference=_log_posterior,
    cases=(
        Case("one point at 1, one mean at 0, σ = 2", (np.array([1.0]), np.zeros(1), math.log(2))),
        Case(
            "two points, two means, σ = 1.5",
            (np.array([-1.0, 2.0]), np.array([-2.0, 3.0]), math.log(1.5)),
        ),
        Case(
            "four points, three means, σ = .5",
            (np.array([-3.0, 0.5, 0.0, 4.0]), np.array([-2.5, 0.0, 5.0]), math.log(0.5)),
        ),
        Case(
            "six points, two means, σ = 2.5",
            (
                np.array([-4.0, -3.0, -2.0, 1.5, 2.0, 6.0]),
                np.array([-8.0, 1.0]),
                math.log(2.5),
            ),
        ),
        Case(
            "one point 40 σ from the nearer mean",
            (np.array([0.0, 4.0, 8.0]), np.array([0.0, 4.0]), math.log(0.1)),
        ),
        Case(
            "forty points, four means, σ = 1",
            (_random.normal(0, 6, 40).round(1), np.array([-9.0, -3.0, 3.0, 9.0]), 0.0),
        ),
    ),
    properties=(
        Property("the likelihood is a sum over all assignments", _equals_brute_force),
        Property("no order of points or components counts", _names_do_not_matter),
        Property("in s there is the mass that there is in σ", _has_the_mass_of_sigma),
    ),
    misconceptions=MISCONCEPTIONS,
    hints=(
        "Three parts: the likelihood of the points, the priors, and what the change from σ to s "
        "brings. For a point: which component made it is not known, so add up over K.",
        "log p(x_n) = logsumexp over k of log N(x_n | m_k, σ) − log K; then sum over points. The "
        "density of s is the density of σ at eˢ, times dσ/ds.",
        "logsumexp(norm.logpdf(x[:, None], means, scale), axis=1).sum() − N log K, plus "
        "norm.logpdf(means, 0, 10).sum(), plus log 2 + norm.logpdf(scale, 0, 2), plus log_scale.",
    ),
    time_limit=10.0,  # the first calls of JAX compile
)
