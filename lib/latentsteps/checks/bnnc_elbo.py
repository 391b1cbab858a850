"""Check of unit 06, exercise 6.8: a gate that pays, Σ_k q_k (log π_k + log N_k − log q_k).

``log_q`` (N, K), what a network says of each point, −∞ among them; ``log_weights`` (K,);
``log_densities`` (N, K). For every q it is at most log Σ_k π_k N_k, with equality at the
responsibilities, and short of it by KL(q ‖ responsibilities) (Neal & Hinton 1998, "A view of the EM
algorithm that justifies incremental, sparse, and other variants", section 2; Kingma & Welling 2014,
arXiv:1312.6114, section 2.2, for a q that a network computes).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from latentsteps.checks.bnnc_elbo_misconceptions import (
    MISCONCEPTIONS,
    bound,
    exact,
    responsibilities,
)
from latentsteps.checks.exercise import Case, Exercise, Failure, Property

# 6.8 · The bound


def _slack(values: NDArray) -> NDArray:
    return np.asarray(1e-5 * np.maximum(1, np.abs(values)))


def _is_below(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    top = exact(*args[1:])
    above = result - top - _slack(top)
    if (above <= 0).all():
        return None
    n = int(above.argmax())
    return Failure(
        "It is a lower bound: whatever q is, it does not lie above log Σ_k π_k N_k. Yours does, "
        f"at point {n}.",
        result[n],
        top[n],
        ("yours", "log Σ π N"),
    )


def _for_a_sure_q(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    log_q, log_weights, log_densities = args
    k = log_densities.shape[1] - 1
    sure = np.full(log_q.shape, -np.inf)
    sure[:, k] = 0
    value, expected = call(sure, log_weights, log_densities), log_weights[k] + log_densities[:, k]
    off = ~(np.abs(value - expected) <= _slack(expected))
    if not off.any():
        return None
    n = int(off.argmax())
    return Failure(
        f"A q that is sure of component {k}: log q is 0 there and −∞ elsewhere, and a component "
        f"with q = 0 counts for nothing. What is left is log π_{k} + log N_{k}. At point {n} "
        "yours is:",
        value[n],
        expected[n],
    )


def _touches(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    top = exact(*args[1:])
    log_r = args[1] + args[2] - top[:, None]
    value = call(log_r, *args[1:])
    off = ~(np.abs(value - top) <= _slack(top))
    if not off.any():
        return None
    n = int(off.argmax())
    return Failure(
        "With the responsibilities for q the bound is log Σ_k π_k N_k itself, exactly. At point "
        f"{n} yours is then:",
        value[n],
        top[n],
    )


def _misses_by_the_divergence(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    log_q, *model = args
    top, r = exact(*model), responsibilities(*model)
    missing = rel_entr(np.exp(log_q), r).sum(axis=1)
    known = np.isfinite(missing)  # r may be too small to be stored
    off = known & ~(np.abs(result - (top - missing)) <= _slack(top) + _slack(missing))
    if not off.any():
        return None
    n = int(off.argmax())
    return Failure(
        f"It lies below log Σ_k π_k N_k by KL(q ‖ responsibilities). At point {n} yours lies below "
        "it by:",
        top[n] - result[n],
        missing[n],
    )


def _without_a_floor(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    # π N is q's first entry to within e^(−100), so that the bound is all but 0 and a floor of
    # 1e-10 in q is not lost among the digits of large numbers.
    small = -26.0
    log_q = np.array([[np.log1p(-np.exp(small)), small]])
    value = float(call(log_q, np.array([0.0, -100.0]), np.zeros((1, 2)))[0])
    expected = float(bound(log_q, np.array([0.0, -100.0]), np.zeros((1, 2)))[0])
    if abs(value - expected) <= 8e-12:  # a floor of 1e-10 is off by 1.5e-11 or more
        return None
    return Failure(
        "log q is given, and may be as low as it likes. One point, log q = (0, −26) to within "
        "e^(−26), log π = (0, −100), log N = (0, 0); yours is:",
        value,
        expected,
    )


_random = np.random.default_rng(68)


def _logs_of(rows: object) -> NDArray:
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows, dtype=float))


_NEVER = -1e40
"""A log density that float32 cannot hold, so that these cases are tried in float64 alone: there
max(log q, −1e300) is a right way to get rid of −∞, and in float32 it is none."""
_EIGHT = np.maximum(_random.dirichlet(np.full(5, 0.3), 8).round(3), 0.001)
_EIGHT /= _EIGHT.sum(axis=1, keepdims=True)

elbo = Exercise(
    number="6.8",
    name="elbo",
    reference=bound,
    cases=(
        Case(
            "one point, two components",
            (_logs_of([[0.5, 0.5]]), _logs_of([0.75, 0.25]), np.array([[-1.0, -2.0]])),
        ),
        Case(
            "two points, three components",
            (
                _logs_of([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]]),
                _logs_of([0.5, 0.3, 0.2]),
                np.array([[-1.0, -2.0, 0.5], [-4.0, -1.0, -3.0]]),
            ),
        ),
        Case(
            "where q is 0, log q is −∞",
            (
                _logs_of([[1, 0, 0], [0.6, 0, 0.4]]),
                _logs_of([0.5, 0.3, 0.2]),
                np.array([[-1.0, _NEVER, 0.5], [-4.0, -1.0, -3.0]]),
            ),
        ),
        Case(
            "eight points, five components",
            (
                _logs_of(_EIGHT),
                _logs_of([0.4, 0.3, 0.15, 0.1, 0.05]),
                _random.normal(-4, 3, (8, 5)),
            ),
        ),
        Case(
            "densities down to e^(−10⁴⁰), a weight of e^(−2000)",
            (
                _logs_of([[0.999, 0.001, 0], [0.3, 0.7, 0], [0, 0.5, 0.5]]),
                np.array([np.log(0.5), np.log(0.5), -2000.0]),
                np.array([[-3.0, -900.0, _NEVER], [-900.0, -850.0, -2.0], [-5000.0, -1.0, -1.0]]),
            ),
        ),
    ),
    properties=(
        Property("never above the exact log-likelihood", _is_below),
        Property("with the responsibilities for q it is the log-likelihood", _touches),
        Property("it is short by the divergence", _misses_by_the_divergence),
        Property("for a sure q it is log π_k + log N_k", _for_a_sure_q),
        Property("log q is used as it is given", _without_a_floor),
    ),
    misconceptions=MISCONCEPTIONS,
    hints=(
        "It is an average under q, so a sum over k with weights q_k = exp(log q_k). Of what? Of "
        "the log joint density of point and component, less log q_k.",
        "Σ_k q_k (log π_k + log N_k − log q_k), along axis 1. What should a component with q_k = 0 "
        "count for, and what does the computer make of 0 · (−∞)?",
        "q = np.exp(log_q); inside = np.where(q > 0, log_weights + log_densities - log_q, 0); "
        "return np.sum(q * inside, axis=1)",
    ),
    time_limit=10.0,  # JAX compiles each operation for each shape
)
