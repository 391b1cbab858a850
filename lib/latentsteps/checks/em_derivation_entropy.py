"""Check of unit 02, exercise 2.3: the entropy of q.

``q`` (N, K) holds one distribution over the components for each point, any rows that sum to one,
zeros allowed. The entropy is in nats, summed over points: Bishop (2006), section 1.6.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

_random = np.random.default_rng(23)


def near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-5 * max(1.0, abs(a), abs(b))


def some_rows(n: int, k: int) -> NDArray:
    return _random.dirichlet(np.ones(k), size=n)


SIX_ROWS = np.array([[0.2, 0.8], [1.0, 0.0], [0.7, 0.3], [0.0, 1.0], [0.5, 0.5], [0.9, 0.1]])
"""Not the responsibilities of the six points: any rows will do for F."""


def entropy_of(q: NDArray) -> float:
    positive = q[q > 0]
    return float(-np.sum(positive * np.log(positive)))


def _never_negative(call: Callable, args: tuple, result: float) -> Failure | None:
    if result >= -1e-6:
        return None
    return Failure(
        "An entropy is never negative: log q is at most 0, and a minus is before it.", result
    )


def _sure_and_even(call: Callable, args: tuple, result: float) -> Failure | None:
    n, k = args[0].shape
    sure = float(call(np.eye(k)[np.arange(n) % k]))
    if abs(sure) > 1e-5:
        words = "A row that is sure, a 1 and otherwise 0, has no entropy. Here all rows were so:"
        return Failure(words, sure, 0.0)
    even = float(call(np.full((n, k), 1 / k)))
    if not near(even, n * np.log(k)):
        return Failure(
            f"A row that is even, {k} times 1/{k}, has the entropy log {k}, natural logarithm. "
            f"Here all rows were so, {n} of them:",
            even,
            n * float(np.log(k)),
        )
    return None


def _entropies_add_up(call: Callable, args: tuple, result: float) -> Failure | None:
    twice = float(call(np.vstack([args[0], args[0]])))
    if near(twice, 2 * result):
        return None
    return Failure(
        "The same rows once more should double the sum over rows.", twice, 2 * float(result)
    )


entropy = Exercise(
    number="2.3",
    name="entropy",
    reference=entropy_of,
    single=False,
    cases=(
        Case("one point, shared evenly", (np.array([[0.5, 0.5]]),)),
        Case("two points, one of them sure", (np.array([[0.5, 0.5], [1.0, 0.0]]),)),
        Case("two points, three components", (np.array([[0.2, 0.3, 0.5], [0.6, 0.0, 0.4]]),)),
        Case("six points, two components", (SIX_ROWS,)),
        Case("twelve points, four components", (some_rows(12, 4),)),
    ),
    properties=(
        Property("it is never negative", _never_negative),
        Property("it is 0 for sure rows and N log K for even ones", _sure_and_even),
        Property("it is a sum over points", _entropies_add_up),
    ),
    misconceptions=(
        Misconception(
            "0 · log 0",
            lambda q: -np.sum(q * np.log(q)),
            "A row that is sure holds a 0, and 0 · log 0 is not a number in the computer. On paper "
            "q log q goes to 0 as q does: `scipy.special.xlogy(q, q)` knows that limit; or leave "
            "the zeros out of the sum.",
        ),
        Misconception(
            "a small number that shows",
            lambda q: -np.sum(q * np.log(q + 1e-6)),
            "A small number inside the logarithm keeps it finite, and yours is large enough to be "
            "seen in the result. `scipy.special.xlogy(q, q)` needs none; or leave the zeros out.",
        ),
        Misconception(
            "a small number added to q",
            lambda q: -np.sum((q + 1e-6) * np.log(q + 1e-6)),
            "You add a small number to every q, and it is large enough to be seen: the rows no "
            "longer sum to 1. `scipy.special.xlogy(q, q)` needs none; or leave the zeros out.",
        ),
        Misconception(
            "sign",
            lambda q: np.sum(xlogy(q, q)),
            "Your sign is missing. log q is negative, and an entropy is positive: −Σ q log q.",
        ),
        Misconception(
            "base 2",
            lambda q: -np.sum(xlogy(q, q)) / np.log(2),
            "These are bits. The bound is in nats, because the exponential of the bell is: take "
            "the natural logarithm, `np.log`.",
        ),
        Misconception(
            "mean over points",
            lambda q: -np.sum(xlogy(q, q)) / len(q),
            "You average over the points. The log-likelihood is a sum over points, and the entropy "
            "is added to a part of it: sum here too.",
        ),
        Misconception(
            "one number for each point",
            lambda q: -np.sum(xlogy(q, q), axis=1),
            "You have the entropy of each row. Now add the rows up: one number is asked for.",
        ),
        Misconception(
            "down the columns",
            lambda q: float(np.sum(-xlogy(q / q.sum(axis=0), q / q.sum(axis=0)))),
            "You treat the columns as distributions, as `scipy.stats.entropy` does unless it is "
            "told otherwise. A row is one: `axis=1`, and then the sum over rows.",
        ),
        Misconception(
            "entropy of the average row",
            lambda q: -np.sum(xlogy(q.mean(axis=0), q.mean(axis=0))),
            "You average the rows first. Two sure points in different components would look like "
            "one that is torn. Take each row's entropy, then add.",
        ),
        Misconception(
            "log without its factor",
            lambda q: -np.sum(np.log(np.where(q > 0, q, 1.0))),
            "You add up −log q. An entropy is a mean of −log q *under q*: each logarithm is "
            "multiplied by its q.",
        ),
        Misconception(
            "one minus the squares",
            lambda q: float(np.sum(1 - np.sum(q**2, axis=1))),
            "1 − Σ q² is the Gini impurity, which trees use. It is 0 and largest at the same "
            "places, but the bound needs −Σ q log q.",
        ),
    ),
    hints=(
        "One row first: what does −Σ q log q give for (½, ½), and for (1, 0)?",
        "What does an entry 0 add? Its limit is 0, and `scipy.special.xlogy(q, q)` is q log q with "
        "that limit.",
        "-np.sum(xlogy(q, q)), over all rows at once.",
    ),
)
