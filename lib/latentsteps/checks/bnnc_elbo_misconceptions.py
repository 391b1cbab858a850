"""Wrong answers to exercise 6.8 of unit 06, and the right one that they are made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, logsumexp, rel_entr, softmax

from latentsteps.checks.exercise import Misconception


def bound(log_q: NDArray, log_weights: NDArray, log_densities: NDArray) -> NDArray:
    q = np.exp(log_q)
    paid = np.where(q > 0, log_weights + log_densities - log_q, 0)
    return np.asarray(np.sum(q * paid, axis=1))


def exact(log_weights: NDArray, log_densities: NDArray) -> NDArray:
    """log Σ_k π_k N_k of each point, (N,)."""
    return np.asarray(logsumexp(log_weights + log_densities, axis=1))


def responsibilities(log_weights: NDArray, log_densities: NDArray) -> NDArray:
    return np.asarray(softmax(log_weights + log_densities, axis=1))


def _with_q(terms: Callable[[NDArray, NDArray, NDArray], NDArray]) -> Callable[..., NDArray]:
    """An answer Σ_k q · terms(log q, log π, log N), where q is 0 without what is infinite."""

    def answer(log_q: NDArray, log_weights: NDArray, log_densities: NDArray) -> NDArray:
        q = np.exp(log_q)
        each = np.where(q > 0, terms(log_q, log_weights, log_densities), 0)
        return np.asarray(np.sum(q * each, axis=1))

    return answer


def _of(combine: Callable[[NDArray], object]) -> Callable[..., object]:
    """An answer made of the right one."""
    return lambda *args: combine(bound(*args))


def _densities_by_exponential(log_q: NDArray, log_weights: NDArray, log_n: NDArray) -> NDArray:
    with np.errstate(divide="ignore"):
        joint = np.log(np.exp(log_weights) * np.exp(log_n))
    return _with_q(lambda q, w, n: joint - q)(log_q, log_weights, log_n)


def _floored(log_q: NDArray, log_weights: NDArray, log_densities: NDArray) -> NDArray:
    q = np.exp(log_q)
    return np.asarray(np.sum(q * (log_weights + log_densities - np.log(q + 1e-10)), axis=1))


def _reversed_where_finite(log_q: NDArray, log_weights: NDArray, log_n: NDArray) -> NDArray:
    kl = np.where(np.isfinite(log_q), np.exp(log_weights) * (log_weights - log_q), 0)
    return np.asarray(np.sum(np.exp(log_q) * log_n, axis=1) - kl.sum(axis=1))


def _reversed(log_q: NDArray, log_weights: NDArray, log_densities: NDArray) -> NDArray:
    weights = np.exp(log_weights)
    kl = np.sum(weights * (log_weights - log_q), axis=1)
    return np.sum(np.exp(log_q) * log_densities, axis=1) - kl


MISCONCEPTIONS = (
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
            + bound(log_q, log_pi, log_n)
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
        lambda log_q, log_pi, log_n: exact(log_pi, log_n),
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
        "KL twice, from the exact",
        lambda *args: 2 * bound(*args) - exact(*args[1:]),
        "It is twice as far below log Σ π N as it has to be: KL(q ‖ responsibilities) is "
        "taken off twice. Σ q (log π + log N − log q) is short by it already.",
    ),
    Misconception(
        "KL reversed, by its entries",
        lambda log_q, log_pi, log_n: (
            np.sum(np.exp(log_q) * log_n, axis=1)
            - rel_entr(np.exp(log_pi), np.exp(log_q)).sum(axis=1)
        ),
        "You subtract KL(π ‖ q). The two directions differ, and what q pays is the other one, "
        "KL(q ‖ π): the average is taken under q, and so is never infinite where q is 0.",
    ),
    Misconception(
        "KL reversed, where q is not 0",
        _reversed_where_finite,
        "You subtract Σ π (log π − log q), an average under π, over the components that q "
        "allows. The bound has KL(q ‖ π) = Σ q (log q − log π).",
    ),
    Misconception(
        "gap reversed",
        lambda log_q, log_pi, log_n: (
            exact(log_pi, log_n)
            - rel_entr(responsibilities(log_pi, log_n), np.exp(log_q)).sum(axis=1)
        ),
        "You take KL(responsibilities ‖ q) off log Σ π N. The bound is short of it by the "
        "other direction, KL(q ‖ responsibilities).",
    ),
    Misconception(
        "floor in q",
        _floored,
        "You put a floor under q before its logarithm, 1e-10 or so: then log q is never below "
        "−23, whatever the network says. log q is given, so use it as it is; a component with "
        "q = 0 is left out.",
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
            responsibilities(log_pi, log_n)
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
        lambda *args: exact(*args[1:]) - bound(*args),
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
        lambda *args: bound(*args) / args[2].shape[1],
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
)
