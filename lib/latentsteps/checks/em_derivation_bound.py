"""Check of unit 02, exercise 2.4: the bound F.

``q`` (N, K) holds one distribution over the components for each point, any rows that sum to one,
zeros allowed. The bound is equation 7 of Neal & Hinton (1998), "A view of the EM algorithm that
justifies incremental, sparse, and other variants"; Bishop (2006), section 9.4, calls it L(q, θ).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from latentsteps.checks.em_derivation_entropy import SIX_ROWS, entropy_of, near, some_rows
from latentsteps.checks.em_derivation_joint import (
    SIX_MEANS,
    SIX_POINTS,
    SIX_VARIANCES,
    SIX_WEIGHTS,
    log_joint_of,
    log_likelihood_of,
    posterior_of,
    some_mixture,
)
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property


def bound_of(x: NDArray, q: NDArray, weights: NDArray, means: NDArray, variances: NDArray) -> float:
    log_p = log_joint_of(x, weights, means, variances)
    expected = np.sum(q * log_p)
    return float(expected + entropy_of(q))


def _expected_log_joint(
    x: NDArray, q: NDArray, weights: NDArray, means: NDArray, variances: NDArray
) -> float:
    return float(np.sum(q * log_joint_of(x, weights, means, variances)))


def _is_below(call: Callable, args: tuple, result: float) -> Failure | None:
    x, _, *parameters = args
    top = log_likelihood_of(x, *parameters)
    if result <= top + 1e-5 * max(1.0, abs(top)):
        return None
    return Failure(
        "F is a lower bound: for no q does it lie above the log-likelihood. Yours does.",
        float(result),
        top,
        ("your F", "log-likelihood"),
    )


def _touches(call: Callable, args: tuple, result: float) -> Failure | None:
    x, _, *parameters = args
    top = log_likelihood_of(x, *parameters)
    value = float(call(x, posterior_of(x, *parameters), *parameters))
    if near(value, top):
        return None
    return Failure(
        "With the responsibilities in the place of q, F is the log-likelihood itself. With them "
        "yours is:",
        value,
        top,
    )


def _misses_by_the_divergence(call: Callable, args: tuple, result: float) -> Failure | None:
    x, q, *parameters = args
    # log p(k | x) without exp, as the posterior of a far point may be 0 in the computer.
    log_p = log_joint_of(x, *parameters)
    top = log_likelihood_of(x, *parameters)
    divergence = float(np.sum(xlogy(q, q)) - np.sum(q * log_p)) + top
    if near(result, top - divergence):
        return None
    return Failure(
        "For this q, F lies below the log-likelihood by the sum of KL(q_n ‖ posterior of point n). "
        "Yours lies below it by:",
        top - float(result),
        divergence,
    )


def _unsafe_bound(
    x: NDArray, q: NDArray, weights: NDArray, means: NDArray, variances: NDArray
) -> float:
    return np.sum(q * (log_joint_of(x, weights, means, variances) - np.log(q)))


def _with_rows(x: NDArray, *parameters: NDArray) -> tuple:
    return x, some_rows(len(x), len(parameters[0])), *parameters


_FAR = np.array([[0.3, 0.7], [0.0, 1.0]])

bound = Exercise(
    number="2.4",
    name="bound",
    reference=bound_of,
    single=False,
    cases=(
        Case(
            "one point, at the mean of the only component",
            (np.array([2.0]), np.ones((1, 1)), np.array([1.0]), np.array([2.0]), np.array([1.0])),
        ),
        Case(
            "one point between two components, q even",
            (
                np.array([1.0]),
                np.array([[0.5, 0.5]]),
                np.array([0.2, 0.8]),
                np.array([0.0, 2.0]),
                np.array([1.0, 1.0]),
            ),
        ),
        Case(
            "two points, two components, q not even",
            (
                np.array([0.0, 1.0]),
                np.array([[0.9, 0.1], [0.4, 0.6]]),
                np.array([0.5, 0.5]),
                np.array([0.0, 2.0]),
                np.array([1.0, 4.0]),
            ),
        ),
        Case(
            "six points, two components, two rows of q sure",
            (SIX_POINTS, SIX_ROWS, SIX_WEIGHTS, SIX_MEANS, SIX_VARIANCES),
        ),
        Case(
            "a far point and a near one",
            (np.array([60.0, 0.2]), _FAR, np.array([0.4, 0.6]), np.array([0.0, 1.0]), np.ones(2)),
        ),
        Case(
            "twelve points, four components, q random",
            _with_rows(*some_mixture(12, 4)),
        ),
    ),
    properties=(
        Property("it is never above the log-likelihood", _is_below),
        Property("with the posterior for q it touches", _touches),
        Property("it is the log-likelihood less the divergence", _misses_by_the_divergence),
    ),
    misconceptions=(
        Misconception(
            "entropy left out",
            _expected_log_joint,
            "This is Q, the expected log joint. It lies below F by the entropy of q, so it is a "
            "bound too, but it touches the log-likelihood only where q is sure. Add H(q).",
        ),
        Misconception(
            "sign of the entropy",
            lambda x, q, weights, means, variances: (
                _expected_log_joint(x, q, weights, means, variances) - entropy_of(q)
            ),
            "You take the entropy off, or add Σ q log q, which is the same. F = Σ q (log p(x, k) − "
            "log q): the minus makes the entropy, which is positive, a gain.",
        ),
        Misconception(
            "0 · log 0",
            _unsafe_bound,
            "Where q is 0, 0 · log 0 is not a number in the computer. Its limit is 0: use your "
            "entropy from 2.3, which is safe there.",
        ),
        Misconception(
            "the optimum plugged in",
            lambda x, q, weights, means, variances: log_likelihood_of(x, weights, means, variances),
            "This is the log-likelihood: F at the best q, whatever q was handed over. Use the q "
            "you were given; F is a function of two arguments, and that is the point of it.",
        ),
        Misconception(
            "log-likelihood plus entropy",
            lambda x, q, weights, means, variances: (
                log_likelihood_of(x, weights, means, variances) + entropy_of(q)
            ),
            "You add the entropy to the log-likelihood. Σ q log p(x, k) is not log p(x): the joint "
            "stands inside, under q.",
        ),
        Misconception(
            "log-likelihood less entropy",
            lambda x, q, weights, means, variances: (
                log_likelihood_of(x, weights, means, variances) - entropy_of(q)
            ),
            "You take the entropy off the log-likelihood. Σ q log p(x, k) is not log p(x): the "
            "joint stands inside, under q. And then the entropy is added.",
        ),
        Misconception(
            "Q at the optimum, entropy of q",
            lambda x, q, weights, means, variances: (
                _expected_log_joint(
                    x, posterior_of(x, weights, means, variances), weights, means, variances
                )
                + entropy_of(q)
            ),
            "In the expectation you use the responsibilities, in the entropy the q you were given. "
            "Use q in both.",
        ),
        Misconception(
            "entropy of the posterior",
            lambda x, q, weights, means, variances: (
                _expected_log_joint(x, q, weights, means, variances)
                + entropy_of(posterior_of(x, weights, means, variances))
            ),
            "In the expectation you use the q you were given, in the entropy the responsibilities. "
            "Use q in both.",
        ),
        Misconception(
            "no weights",
            lambda x, q, weights, means, variances: bound_of(
                x, q, np.ones_like(weights), means, variances
            ),
            "The expectation is of log p(x, k), and yours is of log p(x given k): log π_k is "
            "missing. Your log_joint has it.",
        ),
        Misconception(
            "the divergence added",
            lambda x, q, weights, means, variances: (
                2 * log_likelihood_of(x, weights, means, variances)
                - bound_of(x, q, weights, means, variances)
            ),
            "You add the divergence to the log-likelihood, and it is taken off: a q that is not "
            "the posterior makes F lower.",
        ),
        Misconception(
            "logarithm of the mean",
            lambda x, q, weights, means, variances: float(
                np.sum(
                    np.log(np.sum(q * np.exp(log_joint_of(x, weights, means, variances)), axis=1))
                )
            ),
            "You average the probabilities under q and take the logarithm then. It is the other "
            "way round: average the logarithms, and add the entropy.",
        ),
        Misconception(
            "not averaged under q",
            lambda x, q, weights, means, variances: (
                float(np.sum(log_joint_of(x, weights, means, variances))) + entropy_of(q)
            ),
            "You add up log p(x, k) over all components, each counted fully. Each counts by its "
            "q: Σ q log p(x, k).",
        ),
        Misconception(
            "mean over points",
            lambda x, q, weights, means, variances: (
                bound_of(x, q, weights, means, variances) / len(x)
            ),
            "You average over the points. The log-likelihood that F bounds is a sum over points: "
            "sum here too.",
        ),
        Misconception(
            "one number for each point",
            lambda x, q, weights, means, variances: np.sum(
                q * log_joint_of(x, weights, means, variances) - xlogy(q, q), axis=1
            ),
            "You have the bound of each point. Add them up: one number for all points is asked "
            "for.",
        ),
    ),
    hints=(
        "F has two parts: the mean of log p(x, k) under q, and the entropy of q. Both are sums "
        "over points.",
        "For the first part multiply the table log_joint(x, weights, means, variances) by q, entry "
        "by entry, and add everything up.",
        "np.sum(q * log_joint(x, weights, means, variances)) + entropy(q)",
    ),
)
