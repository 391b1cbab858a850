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
from scipy.special import entr, logsumexp, rel_entr, softmax

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

# 6.8 · The bound


def _elbo(log_q: NDArray, log_weights: NDArray, log_densities: NDArray) -> NDArray:
    q = np.exp(log_q)
    paid = np.where(q > 0, log_weights + log_densities - log_q, 0)
    return np.asarray(np.sum(q * paid, axis=1))


def _exact(log_weights: NDArray, log_densities: NDArray) -> NDArray:
    """log Σ_k π_k N_k of each point, (N,)."""
    return np.asarray(logsumexp(log_weights + log_densities, axis=1))


def _responsibilities(log_weights: NDArray, log_densities: NDArray) -> NDArray:
    return np.asarray(softmax(log_weights + log_densities, axis=1))


def _slack(values: NDArray) -> NDArray:
    return np.asarray(1e-5 * np.maximum(1, np.abs(values)))


def _is_below(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    top = _exact(*args[1:])
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
    top = _exact(*args[1:])
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
    top, r = _exact(*model), _responsibilities(*model)
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


def _with_q(terms: Callable[[NDArray, NDArray, NDArray], NDArray]) -> Callable[..., NDArray]:
    """An answer Σ_k q · terms(log q, log π, log N), where q is 0 without what is infinite."""

    def answer(log_q: NDArray, log_weights: NDArray, log_densities: NDArray) -> NDArray:
        q = np.exp(log_q)
        each = np.where(q > 0, terms(log_q, log_weights, log_densities), 0)
        return np.asarray(np.sum(q * each, axis=1))

    return answer


def _of(combine: Callable[[NDArray], object]) -> Callable[..., object]:
    """An answer made of the right one."""
    return lambda *args: combine(_elbo(*args))


def _densities_by_exponential(log_q: NDArray, log_weights: NDArray, log_n: NDArray) -> NDArray:
    with np.errstate(divide="ignore"):
        joint = np.log(np.exp(log_weights) * np.exp(log_n))
    return _with_q(lambda q, w, n: joint - q)(log_q, log_weights, log_n)


def _reversed(log_q: NDArray, log_weights: NDArray, log_densities: NDArray) -> NDArray:
    weights = np.exp(log_weights)
    kl = np.sum(weights * (log_weights - log_q), axis=1)
    return np.sum(np.exp(log_q) * log_densities, axis=1) - kl


_random = np.random.default_rng(68)


def _logs_of(rows: object) -> NDArray:
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows, dtype=float))


_EIGHT = _random.dirichlet(np.full(5, 0.3), 8).round(3)
_EIGHT /= _EIGHT.sum(axis=1, keepdims=True)

elbo = Exercise(
    number="6.8",
    name="elbo",
    reference=_elbo,
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
                np.array([[-1.0, -2.0, 0.5], [-4.0, -1.0, -3.0]]),
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
            "densities down to e^(−5000), a weight of e^(−2000)",
            (
                _logs_of([[0.999, 0.001, 0], [0.3, 0.7, 0], [0, 0.5, 0.5]]),
                np.array([np.log(0.5), np.log(0.5), -2000.0]),
                np.array([[-3.0, -900.0, -5000.0], [-900.0, -850.0, -2.0], [-5000.0, -1.0, -1.0]]),
            ),
        ),
    ),
    properties=(
        Property("never above the exact log-likelihood", _is_below),
        Property("with the responsibilities for q it is the log-likelihood", _touches),
        Property("it is short by the divergence", _misses_by_the_divergence),
        Property("for a sure q it is log π_k + log N_k", _for_a_sure_q),
    ),
    misconceptions=(
        Misconception(
            "the gate pays nothing",
            lambda log_q, log_pi, log_n: logsumexp(log_q + log_n, axis=1),
            "This is log Σ q_k N_k, BNNC's own “likelihood”: q is used as weights, and pays "
            "nothing for having looked at the point. That was the flaw. Take the logarithms first, "
            "Σ q_k (log π_k + log N_k − log q_k).",
        ),
        Misconception(
            "KL off the logarithm of Σ q N",
            lambda log_q, log_pi, log_n: (
                logsumexp(log_q + log_n, axis=1)
                + _elbo(log_q, log_pi, log_n)
                - _with_q(lambda log_q, log_pi, log_n: log_n)(log_q, log_pi, log_n)
            ),
            "You take the KL off log Σ q N. That logarithm of an average is more than the average "
            "of the logarithms, Σ q log N, and with it the result is no bound.",
        ),
        Misconception(
            "log of Σ q π N",
            lambda log_q, log_pi, log_n: logsumexp(log_q + log_pi + log_n, axis=1),
            "You have log Σ q_k π_k N_k: two weights multiplied, which is no mixture's density. In "
            "the bound q stands *outside* the logarithm, as an average of log π_k + log N_k − "
            "log q_k.",
        ),
        Misconception(
            "the exact log-likelihood",
            lambda log_q, log_pi, log_n: _exact(log_pi, log_n),
            "This is log Σ π_k N_k, whatever q is. The bound is a function of q, and equal to this "
            "for one q alone.",
        ),
        Misconception(
            "no KL",
            _with_q(lambda log_q, log_pi, log_n: log_n),
            "This is the fit alone, Σ q log N. What q pays for differing from π is missing: "
            "subtract KL(q ‖ π) = Σ q (log q − log π).",
        ),
        Misconception(
            "no entropy",
            _with_q(lambda log_q, log_pi, log_n: log_pi + log_n),
            "The entropy of q is missing, −Σ q log q. Without it a sure q is always best.",
        ),
        Misconception(
            "no π",
            _with_q(lambda log_q, log_pi, log_n: log_n - log_q),
            "log π_k is missing: as if all components were equally likely, with weight 1 each.",
        ),
        Misconception(
            "entropy subtracted",
            _with_q(lambda log_q, log_pi, log_n: log_pi + log_n + log_q),
            "You add Σ q log q, which is *minus* the entropy. −log q belongs inside the sum.",
        ),
        Misconception(
            "π subtracted",
            _with_q(lambda log_q, log_pi, log_n: log_n - log_pi - log_q),
            "You subtract log π. KL(q ‖ π) is Σ q (log q − log π), and it is subtracted: log π "
            "comes back with a plus.",
        ),
        Misconception(
            "KL added",
            _with_q(lambda log_q, log_pi, log_n: log_n + log_q - log_pi),
            "You add KL(q ‖ π). It is what q pays for having looked: subtract it.",
        ),
        Misconception(
            "KL twice",
            _with_q(lambda log_q, log_pi, log_n: log_n + 2 * log_pi - 2 * log_q),
            "You subtract KL(q ‖ π) from a sum that has it already. Σ q (log π + log N − log q) "
            "is the fit less the KL, once.",
        ),
        Misconception(
            "KL reversed",
            _reversed,
            "Your divergence averages under π, and is infinite wherever q is 0. The bound has "
            "KL(q ‖ π) = Σ q (log q − log π), an average under q.",
        ),
        Misconception(
            "zero times infinity",
            lambda log_q, log_pi, log_n: np.sum(np.exp(log_q) * (log_pi + log_n - log_q), axis=1),
            "The formula is right. Where q is 0, log q is −∞, and 0 · ∞ is not a number. q log q "
            "goes to 0 with q, so such a component counts for nothing: `np.where`, or "
            "`scipy.special.entr`, which is −q log q and knows that.",
        ),
        Misconception(
            "densities by exponential",
            _densities_by_exponential,
            "You take the exponential of log N and then its logarithm again: e^(−900) is stored "
            "as 0. log π and log N are given, and only added.",
        ),
        Misconception(
            "weights by exponential",
            lambda log_q, log_pi, log_n: (
                np.sum(np.exp(log_q) * log_n, axis=1)
                - rel_entr(np.exp(log_q), np.exp(log_pi)).sum(axis=1)
            ),
            "The formula is right, but e^(−2000) is stored as 0, and the KL becomes infinite. "
            "log π is given: q (log q − log π), without its exponential.",
        ),
        Misconception(
            "q left out",
            lambda log_q, log_pi, log_n: np.sum(
                np.where(np.isfinite(log_q), log_pi + log_n - log_q, 0), axis=1
            ),
            "You add up log π + log N − log q without weights. It is an average *under q*: "
            "multiply each term by q_k.",
        ),
        Misconception(
            "averaged under π",
            lambda log_q, log_pi, log_n: np.sum(
                np.exp(log_pi) * np.where(np.isfinite(log_q), log_pi + log_n - log_q, 0), axis=1
            ),
            "You weigh the terms with π. The average is under q.",
        ),
        Misconception(
            "averaged under the responsibilities",
            lambda log_q, log_pi, log_n: np.sum(
                _responsibilities(log_pi, log_n)
                * np.where(np.isfinite(log_q), log_pi + log_n - log_q, 0),
                axis=1,
            ),
            "You weigh the terms with the responsibilities. The average is under q, whatever q is.",
        ),
        Misconception(
            "π for log π",
            _with_q(lambda log_q, log_pi, log_n: np.exp(log_pi) + log_n - log_q),
            "You add π itself. `log_weights` are what is added to the log densities.",
        ),
        Misconception(
            "the best component",
            lambda log_q, log_pi, log_n: np.max(log_pi + log_n, axis=1),
            "This is the best single component, log π_k + log N_k, and does not depend on q.",
        ),
        Misconception(
            "q's likeliest component",
            lambda log_q, log_pi, log_n: np.take_along_axis(
                log_pi + log_n, log_q.argmax(axis=1)[:, None], axis=1
            )[:, 0],
            "You look at the component that q likes best alone. The bound is an average under all "
            "of q, with −log q for not being sure.",
        ),
        Misconception(
            "the gap",
            lambda *args: _exact(*args[1:]) - _elbo(*args),
            "This is the gap, KL(q ‖ responsibilities). The bound itself is asked for.",
        ),
        Misconception(
            "KL of q from π",
            lambda log_q, log_pi, log_n: np.sum(
                entr(np.exp(log_q)) * -1 - np.exp(log_q) * log_pi, axis=1
            ),
            "This is KL(q ‖ π), what q pays. The bound is the fit Σ q log N less this.",
        ),
        Misconception(
            "a loss",
            _of(lambda bound: -bound),
            "This is minus the bound, as a minimiser wants it. The bound itself is asked for.",
        ),
        Misconception(
            "added up over points",
            _of(np.sum),
            "You add up over the points. One bound for each of them is asked for.",
        ),
        Misconception(
            "average over points",
            _of(np.mean),
            "You average over the points. One bound for each of them is asked for.",
        ),
        Misconception(
            "average over components",
            lambda *args: _elbo(*args) / args[2].shape[1],
            "You take the plain mean over the components. q adds up to 1, so the terms q_k (…) are "
            "added up, and an average under q is what comes out.",
        ),
        Misconception(
            "a term for each component",
            lambda log_q, log_pi, log_n: (
                np.exp(log_q) * np.where(np.isfinite(log_q), log_pi + log_n - log_q, 0)
            ),
            "You have a term for each point and component. Add up over the components: axis=1.",
        ),
    ),
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
