"""Check of unit 03, exercise 3.6: BIC.

It is that of Schwarz (1978), "Estimating the
dimension of a model", *The Annals of Statistics* 6, 461–464, times −2: lower is better.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

# 3.6 · BIC


def _free(k: int, d: int) -> int:
    """Free parameters with full covariances."""
    return k - 1 + k * d + k * d * (d + 1) // 2


def _bic(log_likelihood: float, k: int, d: int, n: int) -> float:
    weights, means, covariances = k - 1, k * d, k * d * (d + 1) // 2
    return -2 * log_likelihood + (weights + means + covariances) * np.log(n)


def _better_fit_is_lower(call: Callable, args: tuple, result: float) -> Failure | None:
    log_likelihood, *sizes = args
    again = float(call(log_likelihood + 5.0, *sizes))
    if again < result:
        return None
    return Failure(
        "The log-likelihood was made 5 nats higher, and your BIC did not fall. Here lower is "
        "better.",
        again,
        result,
        AFTER_BEFORE,
    )


def _adding_a_constant(call: Callable, args: tuple, result: float) -> Failure | None:
    log_likelihood, *sizes = args
    again = float(call(log_likelihood + 5.0, *sizes))
    if abs(again - result + 10.0) < 1e-4:
        return None
    return Failure(
        "The log-likelihood was made 5 nats higher, and so your BIC should fall by 10.",
        again,
        result,
        AFTER_BEFORE,
    )


def _counts_parameters(call: Callable, args: tuple, result: float) -> Failure | None:
    log_likelihood, k, d, n = args
    found = float(call(log_likelihood, k, d, n * n) - result) / np.log(n)
    if abs(found - _free(k, d)) < 1e-3:
        return None
    return Failure(
        f"With n² points for n, BIC grows by log n for each free parameter. K = {k} and D = {d}: "
        "yours grows as if there were so many.",
        found,
        _free(k, d),
    )


def _penalty(count: Callable, weight: Callable = np.log) -> Callable:
    """A BIC with another count of parameters ``(k, d)`` or another price of each ``(n)``."""
    return lambda log_likelihood, k, d, n: -2 * log_likelihood + count(k, d) * weight(n)


bic = Exercise(
    number="3.6",
    name="bic",
    reference=_bic,
    cases=(
        Case("one Gaussian on a line, 100 points at −10 nats", (-10.0, 1, 1, 100)),
        Case("one Gaussian in the plane, ten points at −20 nats", (-20.0, 1, 2, 10)),
        Case("two on a line, ten points", (-20.0, 2, 1, 10)),
        Case("Old Faithful in minutes, K = 2", (-1130.26396, 2, 2, 272)),
        Case("five in four dimensions, 1,000 points", (-3456.5, 5, 4, 1000)),
        Case("a positive log-likelihood", (1234.5, 3, 2, 272)),
    ),
    properties=(
        Property("a better fit has a lower BIC", _better_fit_is_lower),
        Property("a nat of log-likelihood is worth 2", _adding_a_constant),
        Property("every free parameter is counted once", _counts_parameters),
    ),
    misconceptions=(
        Misconception(
            "components counted",
            _penalty(lambda k, d: k),
            "You pay log n for each component. K components are more than K numbers: count the "
            "weights, the means and the covariances that are free.",
        ),
        Misconception(
            "means alone",
            _penalty(lambda k, d: k * d),
            "You count the means, K·D. Covariances count, with D (D + 1)/2 each, and so do the "
            "weights, with K − 1.",
        ),
        Misconception(
            "covariances not counted",
            _penalty(lambda k, d: k * d + k - 1),
            "Weights and means are counted. The covariances are parameters too: D (D + 1)/2 for "
            "each component.",
        ),
        Misconception(
            "K weights",
            _penalty(lambda k, d: _free(k, d) + 1),
            "You count K weights. They sum to one, so only K − 1 of them are free.",
        ),
        Misconception(
            "no weights",
            _penalty(lambda k, d: _free(k, d) - k + 1),
            "The weights are not counted: K − 1 of them are free.",
        ),
        Misconception(
            "D² for a covariance",
            _penalty(lambda k, d: k - 1 + k * d + k * d * d),
            "You count D² numbers for a covariance. It is symmetric, so only D (D + 1)/2 of them "
            "are free.",
        ),
        Misconception(
            "the diagonal not counted",
            _penalty(lambda k, d: k - 1 + k * d + k * d * (d - 1) // 2),
            "You count D (D − 1)/2 entries of a covariance, those above the diagonal. The "
            "diagonal counts too: D (D + 1)/2.",
        ),
        Misconception(
            "diagonal covariances",
            _penalty(lambda k, d: k - 1 + 2 * k * d),
            "You count D variances for a component. That is right for diagonal covariances; full "
            "ones have D (D + 1)/2 entries that are free.",
        ),
        Misconception(
            "one covariance for all",
            _penalty(lambda k, d: k - 1 + k * d + d * (d + 1) // 2),
            "You count one covariance. Each of the K components has its own.",
        ),
        Misconception(
            "sign",
            lambda log_likelihood, k, d, n: -_bic(log_likelihood, k, d, n),
            "This is minus BIC, as mclust reports it, where higher is better. Here lower is "
            "better: −2 log-likelihood + p log n.",
        ),
        Misconception(
            "a reward for parameters",
            lambda log_likelihood, k, d, n: -2 * log_likelihood - _free(k, d) * np.log(n),
            "Your second term has the wrong sign: more parameters lower your BIC. They are to be "
            "paid for, + p log n.",
        ),
        Misconception(
            "2 ℓ with a plus",
            lambda log_likelihood, k, d, n: 2 * log_likelihood + _free(k, d) * np.log(n),
            "You add 2 log-likelihood, so that a better fit has a *higher* BIC. Here lower is "
            "better: −2 log-likelihood + p log n.",
        ),
        Misconception(
            "half of it",
            lambda log_likelihood, k, d, n: _bic(log_likelihood, k, d, n) / 2,
            "This is half of BIC, and would choose the same K. By custom it is "
            "−2 log-likelihood + p log n.",
        ),
        Misconception(
            "log evidence",
            lambda log_likelihood, k, d, n: -_bic(log_likelihood, k, d, n) / 2,
            "This is BIC as an approximation of the log evidence (Bishop 2006, section 4.4.1), "
            "where higher is better. Here it is −2 times that: −2 log-likelihood + p log n.",
        ),
        Misconception(
            "one times the log-likelihood",
            lambda log_likelihood, k, d, n: -log_likelihood + _free(k, d) * np.log(n),
            "The log-likelihood comes twice: −2 log-likelihood + p log n. With it once, the "
            "penalty is twice too strong.",
        ),
        Misconception(
            "AIC",
            _penalty(_free, lambda n: 2),
            "Each parameter costs you 2: that is AIC. In BIC it costs log n.",
        ),
        Misconception(
            "logarithm to base 10",
            _penalty(_free, np.log10),
            "That is the logarithm to base 10. The log-likelihood is in nats, so the penalty has "
            "the natural logarithm, `np.log`.",
        ),
        Misconception(
            "logarithm to base 2",
            _penalty(_free, np.log2),
            "That is the logarithm to base 2, which counts bits. The log-likelihood is in nats, "
            "and so is the penalty: `np.log`.",
        ),
        Misconception(
            "no logarithm",
            _penalty(_free, lambda n: n),
            "Each parameter costs you n. It costs log n.",
        ),
    ),
    hints=(
        "How many numbers may be chosen freely: weights, means, covariances?",
        "K − 1 weights, since they sum to one; K·D means; K·D (D + 1)/2 entries of symmetric "
        "matrices.",
        "−2 * log_likelihood + (k − 1 + k * d + k * d * (d + 1) / 2) * np.log(n)",
    ),
)
