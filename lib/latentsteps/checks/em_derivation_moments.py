"""Check of unit 02, exercise 2.9: the M step from three sums.

N_k = Σ_n q_nk. The second form is the M step of an exponential family, which needs the points only
through Σ q, Σ q x and Σ q x²: Murphy (2022), *Probabilistic Machine Learning: An Introduction*,
sections 3.4 and 8.7.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.em_derivation_joint import (
    SIX_MEANS,
    SIX_POINTS,
    SIX_VARIANCES,
    SIX_WEIGHTS,
    posterior_of,
    some_mixture,
)
from latentsteps.checks.em_derivation_step import update_of
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

_random = np.random.default_rng(28)
_SIX_SHARES = posterior_of(SIX_POINTS, SIX_WEIGHTS, SIX_MEANS, SIX_VARIANCES)


def _rows(n: int, k: int) -> NDArray:
    return _random.dirichlet(np.ones(k), size=n)


# 2.9 · From three sums


def _sums(x: NDArray, q: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    return q.sum(axis=0), q.T @ x, q.T @ x**2


_SIX_SUMS = _sums(SIX_POINTS, _SIX_SHARES)


def _from_moments(
    counts: NDArray, sums: NDArray, squares: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    means = sums / counts
    variances = squares / counts - means**2
    return counts / counts.sum(), means, variances


def _weights_are_shares(call: Callable, args: tuple, result: tuple) -> Failure | None:
    weights = result[0]
    if abs(weights.sum() - 1) < 1e-5 and np.all(weights >= 0):
        return None
    words = "What comes first are the weights, which sum to 1."
    return Failure(words, float(weights.sum()), 1.0)


def _variances_not_negative(call: Callable, args: tuple, result: tuple) -> Failure | None:
    wrong = result[2] < -1e-6
    if not wrong.any():
        return None
    k = int(wrong.argmax())
    words = f"The third is the variance, and that of component {k} is negative."
    return Failure(words, float(result[2][k]))


def _sums_come_back(call: Callable, args: tuple, result: tuple) -> Failure | None:
    counts, sums, squares = args
    _, means, variances = result
    rows = (
        ("Σ q x = N_k a_k", counts * means, sums, np.abs(squares) + counts),
        ("Σ q x² = N_k (σ²_k + a²_k)", counts * (variances + means**2), squares, squares + counts),
    )
    for words, mine, given, scale in rows:
        wrong = ~(np.abs(mine - given) <= 1e-6 * scale)
        if wrong.any():
            k = int(wrong.argmax())
            return Failure(
                f"From your parameters the sums should come back: {words}. For component {k}:",
                float(mine[k]),
                float(given[k]),
            )
    return None


def _shift_leaves_variances(call: Callable, args: tuple, result: tuple) -> Failure | None:
    counts, sums, squares = args
    centre = float(sums.sum() / counts.sum())
    moved = call(counts, sums - centre * counts, squares - 2 * centre * sums + centre**2 * counts)
    weights, means, variances = (np.asarray(part) for part in moved)
    if not np.allclose(variances, result[2], rtol=1e-4, atol=1e-5):
        words = "With every point moved alike, to around 0, no variance changes. Yours do:"
        return Failure(words, variances, result[2], AFTER_BEFORE)
    if not np.allclose(means, result[1] - centre, rtol=1e-4, atol=1e-5 * max(1.0, abs(centre))):
        words = f"With {centre:.4g} taken from every point, every mean falls by as much. Yours:"
        return Failure(words, means, result[1], AFTER_BEFORE)
    if not np.allclose(weights, result[0], atol=1e-5):
        words = "With every point moved alike, no weight changes. Yours do:"
        return Failure(words, weights, result[0], AFTER_BEFORE)
    return None


def _as_from_points(call: Callable, args: tuple, result: tuple) -> Failure | None:
    if not np.array_equal(args[1], _SIX_SUMS[1]):
        return None
    weights, means, variances = result
    pairs = zip(
        ("weights", "means", "variances"),
        (weights, means, variances),
        (_SIX_SHARES.mean(axis=0), *update_of(SIX_POINTS, _SIX_SHARES)),
        strict=True,
    )
    for name, mine, right in pairs:
        if not np.allclose(mine, right, rtol=1e-5, atol=1e-6):
            words = f"From six points themselves, as in 2.6 and 2.8, come other {name}."
            return Failure(words, np.asarray(mine), right)
    return None


def _single(counts: NDArray, sums: NDArray, squares: NDArray) -> tuple:
    return _from_moments(*(np.asarray(part, np.float32) for part in (counts, sums, squares)))


def _with_variances(function: Callable) -> Callable:
    def answer(counts: NDArray, sums: NDArray, squares: NDArray) -> tuple:
        weights, means, _ = _from_moments(counts, sums, squares)
        return weights, means, function(counts, sums, squares)

    return answer


def _with_weights(function: Callable) -> Callable:
    def answer(counts: NDArray, sums: NDArray, squares: NDArray) -> tuple:
        return function(counts), *_from_moments(counts, sums, squares)[1:]

    return answer


from_moments = Exercise(
    number="2.9",
    name="from_moments",
    reference=_from_moments,
    tolerance=1e-5,
    cases=(
        Case(
            "the points 1 and 3, one component",
            (np.array([2.0]), np.array([4.0]), np.array([10.0])),
        ),
        Case(
            "the points 4, 6 in one component and 1, 3, 5 in another",
            (np.array([2.0, 3.0]), np.array([10.0, 9.0]), np.array([52.0, 35.0])),
        ),
        Case(
            "points below 0, two components that share them",
            _sums(np.array([-2.0, 0.0, -1.0]), np.array([[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]])),
        ),
        Case(
            "the points 0.01 and 0.03, one component",
            (np.array([2.0]), np.array([0.04]), np.array([0.001])),
        ),
        Case("the sums of six points, two components", _SIX_SUMS),
        Case("the same around 1000", _sums(SIX_POINTS + 1000.0, _SIX_SHARES)),
        Case(
            "the sums of twelve points, four components",
            _sums(some_mixture(12, 4)[0], _rows(12, 4)),
        ),
    ),
    properties=(
        Property("the weights are shares of all points", _weights_are_shares),
        Property("no variance is negative", _variances_not_negative),
        Property("the sums come back from the parameters", _sums_come_back),
        Property("a shift of all points leaves variances as they are", _shift_leaves_variances),
        Property("it is what 2.6 and 2.8 find from the points", _as_from_points),
    ),
    misconceptions=(
        Misconception(
            "E[x²] for the variance",
            _with_variances(lambda counts, sums, squares: squares / counts),
            "Σ q x²/N_k is the mean of x², the variance around 0. Take the squared mean off: "
            "σ² = E[x²] − a².",
        ),
        Misconception(
            "not divided",
            _with_variances(lambda counts, sums, squares: squares - sums**2),
            "You take sums off sums: (Σ q x)² grows with the square of the number of points. "
            "Divide by N_k first, each: E[x²] − a².",
        ),
        Misconception(
            "mean not squared",
            _with_variances(lambda counts, sums, squares: squares / counts - sums / counts),
            "You take the mean off the mean square. It is its square that is taken off, "
            "E[x²] − a²: minutes² from minutes² .",
        ),
        Misconception(
            "the sum not divided",
            _with_variances(lambda counts, sums, squares: squares / counts - sums**2),
            "You take off the square of the *sum*. The mean is Σ q x/N_k: divide before you "
            "square.",
        ),
        Misconception(
            "divided once for two",
            _with_variances(lambda counts, sums, squares: (squares - sums**2) / counts),
            "(Σ q x)² is divided by N_k once and needs it twice: σ² = Σ q x²/N_k − (Σ q x/N_k)².",
        ),
        Misconception(
            "the wrong way round",
            _with_variances(lambda counts, sums, squares: (sums / counts) ** 2 - squares / counts),
            "The difference is the wrong way round: the mean of squares is never below the square "
            "of the mean, so σ² = E[x²] − a².",
        ),
        Misconception(
            "the mean of all points",
            _with_variances(
                lambda counts, sums, squares: squares / counts - (sums.sum() / counts.sum()) ** 2
            ),
            "You take off the squared mean of *all* points. Each component has its own mean.",
        ),
        Misconception(
            "N_k − 1",
            _with_variances(
                lambda counts, sums, squares: (squares - sums**2 / counts) / (counts - 1)
            ),
            "You divide by N_k − 1, which makes an estimate unbiased. The likelihood is largest "
            "at N_k.",
        ),
        Misconception(
            "N for N_k",
            lambda counts, sums, squares: (
                counts / counts.sum(),
                sums / counts.sum(),
                squares / counts.sum() - (sums / counts.sum()) ** 2,
            ),
            "You divide by N, the number of all points. For a component's mean and variance the "
            "divisor is its own N_k.",
        ),
        Misconception(
            "standard deviations",
            _with_variances(
                lambda counts, sums, squares: np.sqrt(squares / counts - (sums / counts) ** 2)
            ),
            "These are standard deviations σ. The parameter is σ²: leave the root out.",
        ),
        Misconception(
            "counts for weights",
            _with_weights(lambda counts: counts),
            "Your weights are the counts. Divide by their sum, N.",
        ),
        Misconception(
            "weights over K",
            _with_weights(lambda counts: counts / len(counts)),
            "You divide the counts by the number of components. Divide by their sum, N: every "
            "point counts once.",
        ),
        Misconception(
            "weights all alike",
            _with_weights(lambda counts: np.full(len(counts), 1 / len(counts))),
            "Every component gets the same weight. It gets its share of the points, N_k/N.",
        ),
        Misconception(
            "weights left out",
            lambda counts, sums, squares: _from_moments(counts, sums, squares)[1:],
            "Three arrays are asked for: `return weights, means, variances`.",
        ),
        Misconception(
            "in single precision",
            _single,
            "The formula is right, and float32 too coarse for it: around 1000 it keeps a square to "
            "about 0.06, and the variance is the small difference of two of those. Compute in "
            "float64; and where data lie far from 0, centre them first, a shift does not change "
            "variances.",
        ),
    ),
    hints=(
        "What are Σ q x/N_k and Σ q x²/N_k the means of?",
        "Expand the weighted mean of (x − a)²: E[x²] − 2a E[x] + a², and E[x] is a.",
        "means = sums / counts; return counts / counts.sum(), means, squares / counts - means**2",
    ),
)
