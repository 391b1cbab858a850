"""Check of unit 02, exercise 2.5: the gap between the bound and the log-likelihood.

``q`` and ``posterior`` (N, K) hold a distribution over the components for each point. The gap is
Σ_n KL(q_n ‖ posterior_n): Bishop (2006), section 9.4, equation 9.72.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, xlogy

from latentsteps.checks.em_derivation_bound import bound_of
from latentsteps.checks.em_derivation_entropy import SIX_ROWS, entropy_of, near
from latentsteps.checks.em_derivation_joint import (
    SIX_MEANS,
    SIX_POINTS,
    SIX_VARIANCES,
    SIX_WEIGHTS,
    log_likelihood_of,
    posterior_of,
)
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

_random = np.random.default_rng(25)


def _rows(n: int, k: int) -> NDArray:
    return _random.dirichlet(np.ones(k), size=n)


# 2.5 · The gap


def _gap(q: NDArray, posterior: NDArray) -> float:
    inside = q > 0
    return float(np.sum(q[inside] * np.log(q[inside] / posterior[inside])))


def _never_negative(call: Callable, args: tuple, result: float) -> Failure | None:
    if result >= -1e-6:
        return None
    return Failure("A divergence is never negative, and yours is.", float(result))


def _zero_at_the_posterior(call: Callable, args: tuple, result: float) -> Failure | None:
    q, posterior = args
    for rows in (posterior, q):
        value = float(call(rows, rows))
        if abs(value) > 1e-6:
            words = "Where q is the posterior itself, F touches: the gap is 0. There yours is:"
            return Failure(words, value, 0.0)
    return None


def _positive_elsewhere(call: Callable, args: tuple, result: float) -> Failure | None:
    q, posterior = args
    if result > 1e-6 or np.abs(q - posterior).max() < 1e-2:
        return None
    return Failure("Here q is not the posterior, so there is a gap. Yours is:", float(result))


def _gaps_add_up(call: Callable, args: tuple, result: float) -> Failure | None:
    q, posterior = args
    twice = float(call(np.vstack([q, q]), np.vstack([posterior, posterior])))
    if near(twice, 2 * result):
        return None
    return Failure(
        "Every point twice makes the gap twice as large, as it is a sum over points.",
        twice,
        float(result),
        AFTER_BEFORE,
    )


def _fills_the_gap(call: Callable, args: tuple, result: float) -> Failure | None:
    if np.shape(args[0]) != SIX_POINTS.shape + SIX_MEANS.shape:
        return None
    parameters = SIX_WEIGHTS, SIX_MEANS, SIX_VARIANCES
    value = float(call(SIX_ROWS, posterior_of(SIX_POINTS, *parameters)))
    missing = log_likelihood_of(SIX_POINTS, *parameters) - bound_of(
        SIX_POINTS, SIX_ROWS, *parameters
    )
    if near(value, missing):
        return None
    return Failure(
        "On six points with a mixture of two components and some q, the log-likelihood less F "
        "should be your gap.",
        value,
        missing,
    )


def _unsafe_gap(q: NDArray, posterior: NDArray) -> float:
    return np.sum(q * np.log(q / posterior))


def _half_safe_gap(q: NDArray, posterior: NDArray) -> float:
    return np.sum(xlogy(q, q) - q * np.log(posterior))


_SIX_POSTERIOR = posterior_of(SIX_POINTS, SIX_WEIGHTS, SIX_MEANS, SIX_VARIANCES)

gap = Exercise(
    number="2.5",
    name="gap",
    reference=_gap,
    single=False,
    cases=(
        Case("one point, q even", (np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]]))),
        Case("one point, q sure", (np.array([[1.0, 0.0]]), np.array([[0.25, 0.75]]))),
        Case(
            "two points, three components",
            (
                np.array([[0.2, 0.3, 0.5], [0.4, 0.0, 0.6]]),
                np.array([[0.1, 0.6, 0.3], [0.5, 0.3, 0.2]]),
            ),
        ),
        Case("six points, two components", (SIX_ROWS, _SIX_POSTERIOR)),
        Case(
            "two points, zeros in q and in the posterior",
            (np.array([[1.0, 0.0], [0.3, 0.7]]), np.array([[1.0, 0.0], [0.6, 0.4]])),
        ),
        Case("twelve points, four components", (_rows(12, 4), _rows(12, 4))),
    ),
    properties=(
        Property("it is never negative", _never_negative),
        Property("it is 0 where q is the posterior", _zero_at_the_posterior),
        Property("it is positive where q is not the posterior", _positive_elsewhere),
        Property("it is a sum over points", _gaps_add_up),
        Property("it is what F lacks to the log-likelihood", _fills_the_gap),
    ),
    misconceptions=(
        Misconception(
            "0 · log 0",
            _unsafe_gap,
            "Where q is 0, 0 · log 0 is not a number in the computer. Its limit is 0: "
            "`scipy.special.rel_entr(q, posterior)` knows it; or leave out the entries with q = 0.",
        ),
        Misconception(
            "a zero in the posterior",
            _half_safe_gap,
            "Zeros in q are safe, zeros in the posterior are not. Where both are 0, as for a point "
            "far away, q log posterior is 0 · log 0: `xlogy(q, posterior)` knows that limit too.",
        ),
        Misconception(
            "reversed",
            lambda q, posterior: np.sum(rel_entr(posterior, q)),
            "You average under the posterior. The gap averages under q: F is a mean under q, so q "
            "stands in front, Σ q log(q / posterior). The two differ, and the other is infinite "
            "where q is sure.",
        ),
        Misconception(
            "reversed, with NaN",
            lambda q, posterior: np.sum(posterior * np.log(posterior / q)),
            "Two things: you average under the posterior, and a sure q divides by 0. Average under "
            "q, Σ q log(q / posterior); there an entry with q = 0 counts nothing.",
        ),
        Misconception(
            "not averaged",
            lambda q, posterior: np.sum(
                np.log(np.where(q > 0, q, 1) / np.where(q > 0, posterior, 1))
            ),
            "You add up the log ratios, each counted fully. A divergence is their *mean* under q: "
            "multiply each by its q.",
        ),
        Misconception(
            "sign",
            lambda q, posterior: -np.sum(rel_entr(q, posterior)),
            "The ratio is upside down, or a minus too many: Σ q log(q / posterior) has q above.",
        ),
        Misconception(
            "entropy left out",
            lambda q, posterior: -np.sum(xlogy(q, np.where(q > 0, posterior, 1))),
            "−Σ q log posterior is the cross-entropy. It is not 0 when q is the posterior: take "
            "the entropy of q off, so that log q − log posterior stands inside.",
        ),
        Misconception(
            "difference of entropies",
            lambda q, posterior: entropy_of(posterior) - entropy_of(q),
            "You compare two entropies, each under its own distribution. That can be 0 or negative "
            "for different distributions. Both logarithms are averaged under q.",
        ),
        Misconception(
            "squared difference",
            lambda q, posterior: np.sum((q - posterior) ** 2),
            "Squared differences are a distance too, but not what F lacks to the log-likelihood. "
            "That is Σ q log(q / posterior), in nats.",
        ),
        Misconception(
            "absolute difference",
            lambda q, posterior: np.sum(np.abs(q - posterior)),
            "Absolute differences are a distance too, but not what F lacks to the log-likelihood. "
            "That is Σ q log(q / posterior), in nats.",
        ),
        Misconception(
            "base 2",
            lambda q, posterior: np.sum(rel_entr(q, posterior)) / np.log(2),
            "These are bits. F and the log-likelihood are in nats: take the natural logarithm.",
        ),
        Misconception(
            "mean over points",
            lambda q, posterior: np.sum(rel_entr(q, posterior)) / len(q),
            "You average over the points. Log-likelihood and F are sums over points, and so is "
            "what lies between them.",
        ),
        Misconception(
            "one number for each point",
            lambda q, posterior: np.sum(rel_entr(q, posterior), axis=1),
            "You have the divergence of each point. Add them up: one number is asked for.",
        ),
        Misconception(
            "both ways",
            lambda q, posterior: 0.5 * np.sum(rel_entr(q, posterior) + rel_entr(posterior, q)),
            "You average KL(q ‖ posterior) and KL(posterior ‖ q). Symmetry is not wanted here: F "
            "averages under q, and so does its gap.",
        ),
    ),
    hints=(
        "Take F from the log-likelihood for one point: log p(x) = Σ q log p(x), since the q sum to "
        "1. What is log p(x) − log p(x, k) in terms of the posterior?",
        "What remains is the mean under q of log q − log posterior. What does an entry with q = 0 "
        "add?",
        "np.sum(rel_entr(q, posterior)), with `from scipy.special import rel_entr`.",
    ),
)
