"""Check of unit 02, exercise 2.6: the best weights, under the constraint that they sum to one.

Of Q(θ) = Σ_n Σ_k q_nk log p(x_n, k | θ) only Σ_k N_k log π_k depends on them, N_k = Σ_n q_nk. See
Bishop (2006), section 9.2.2, and appendix E for multipliers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, xlogy

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

_random = np.random.default_rng(26)


def _rows(n: int, k: int) -> NDArray:
    return _random.dirichlet(np.ones(k), size=n)


def _update_weights(q: NDArray) -> NDArray:
    return q.sum(axis=0) / len(q)


def _on_the_simplex(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if np.any(result < -1e-9):
        k = int(result.argmin())
        return Failure(f"Component {k} has a negative weight.", float(result[k]))
    if abs(result.sum() - 1) < 1e-5:
        return None
    return Failure("Weights are probabilities: they sum to 1.", float(result.sum()), 1.0)


def _one_slope(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    counts = args[0].sum(axis=0)
    none = (result <= 0) & (counts > 1e-9)
    if none.any():
        k = int(none.argmax())
        words = f"Component {k} holds points, if only in part, and gets the weight 0: log 0 is −∞."
        return Failure(words, float(result[k]))
    n = len(args[0])
    if np.all(np.abs(counts - n * result) <= 1e-4 * n):
        return None
    slopes = counts / np.maximum(result, 1e-12)
    up, down = int(slopes.argmax()), int(slopes.argmin())
    return Failure(
        f"The slope along the simplex is not 0: moving a little weight from component {down} to "
        f"component {up} still raises Q. At the top all N_k/π_k are equal. Yours:",
        float(slopes[up]),
        float(slopes[down]),
        (f"component {up}", f"component {down}"),
    )


def _no_other_is_higher(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    counts = args[0].sum(axis=0)
    random = np.random.default_rng(0)
    top = float(np.sum(xlogy(counts, np.maximum(result, 0))))
    for size in (0.5, 0.1, 0.02):
        for other in random.dirichlet(np.ones(len(counts)), size=70):
            mixed = (1 - size) * result + size * other
            value = float(np.sum(xlogy(counts, mixed)))
            if value > top + 1e-6 * max(1.0, abs(top)):
                words = "Other weights, near yours and with the sum 1, give a higher Σ N_k log π_k."
                return Failure(words, top, value, ("at yours", "at others"))
    return None


update_weights = Exercise(
    number="2.6",
    name="update_weights",
    reference=_update_weights,
    cases=(
        Case("two points, two components", (np.array([[1.0, 0.0], [0.5, 0.5]]),)),
        Case(
            "four points, two components",
            (np.array([[1.0, 0], [1.0, 0], [0.25, 0.75], [0.5, 0.5]]),),
        ),
        Case(
            "three points, three components, the last one without any",
            (np.array([[1.0, 0.0, 0.0], [0.4, 0.6, 0.0], [0.3, 0.7, 0.0]]),),
        ),
        Case("twenty points, four components", (_rows(20, 4),)),
    ),
    properties=(
        Property("weights are not negative and sum to 1", _on_the_simplex),
        Property("along the simplex the slope of Q is 0", _one_slope),
        Property("no other weights are better", _no_other_is_higher),
    ),
    misconceptions=(
        Misconception(
            "λ = 1",
            lambda q: q.sum(axis=0),
            "With λ = 1 the condition N_k/π_k = λ gives π_k = N_k, and these sum to N. λ is not "
            "chosen, it follows: sum N_k = λ π_k over k.",
        ),
        Misconception(
            "λ = K",
            lambda q: q.sum(axis=0) / q.shape[1],
            "You divide by the number of components. Summing N_k = λ π_k over k gives Σ N_k = λ, "
            "and each row of q sums to 1: what is Σ N_k?",
        ),
        Misconception(
            "slope 0 demanded",
            lambda q: np.full(q.shape[1], np.inf),
            "You ask for N_k/π_k = 0, which no finite weight fulfils. Weights cannot move freely: "
            "what one gains another loses. Only the slope along that constraint has to be 0.",
        ),
        Misconception(
            "wrong axis",
            lambda q: q.mean(axis=1),
            "You average along the rows, over the components. A weight belongs to a component: "
            "average its column, over the points.",
        ),
        Misconception(
            "wrong axis, divided by N",
            lambda q: q.sum(axis=1) / len(q),
            "You sum along the rows, and each row of q sums to 1: so you get 1/N, once for each "
            "point. A weight belongs to a component: sum its column, `q.sum(axis=0)`.",
        ),
        Misconception(
            "all alike",
            lambda q: np.full(q.shape[1], 1 / q.shape[1]),
            "Every component gets the same weight. That is the top of Σ log π_k; in Σ N_k log π_k "
            "a component counts by its share of the points.",
        ),
        Misconception(
            "softmax of counts",
            lambda q: softmax(q.sum(axis=0)),
            "You exponentiate the counts, so that a component with ten points more takes all. The "
            "multiplier gives shares, N_k divided by one number.",
        ),
        Misconception(
            "the winner takes all",
            lambda q: np.eye(q.shape[1])[q.argmax(axis=1)].mean(axis=0),
            "You count each point in its best component only. It counts in every component, by its "
            "q.",
        ),
        Misconception(
            "a prior on the weights",
            lambda q: (q.sum(axis=0) + 1) / (len(q) + q.shape[1]),
            "You give each component an imaginary point. That is a sensible prior, and no part of "
            "Q: the maximum of Q has none.",
        ),
        Misconception(
            "square roots",
            lambda q: np.sqrt(q.sum(axis=0)) / np.sqrt(np.sum(q.sum(axis=0))),
            "You make the squares sum to 1. The constraint is Σ π_k = 1: its derivative in π_k is "
            "1, and the condition N_k/π_k = λ.",
        ),
        Misconception(
            "largest entry",
            lambda q: q.max(axis=0) / q.max(axis=0).sum(),
            "You take the largest entry of each column. All points count: add the column up.",
        ),
    ),
    hints=(
        "Only Σ_k N_k log π_k depends on the weights. Set its derivative, minus λ times the "
        "derivative of Σ π_k, to zero.",
        "N_k/π_k = λ for every k. Sum N_k = λ π_k over k to find λ.",
        "λ = N, so π_k = N_k/N: q.sum(axis=0) / len(q).",
    ),
)
