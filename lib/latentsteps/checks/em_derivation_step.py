"""Checks of unit 02, exercise 2.8: the M step for means and variances.

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
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

_random = np.random.default_rng(28)
_SIX_SHARES = posterior_of(SIX_POINTS, SIX_WEIGHTS, SIX_MEANS, SIX_VARIANCES)


def _rows(n: int, k: int) -> NDArray:
    return _random.dirichlet(np.ones(k), size=n)


# 2.8 · Means and variances


def update_of(x: NDArray, q: NDArray) -> tuple[NDArray, NDArray]:
    counts = q.sum(axis=0)
    means = q.T @ x / counts
    squares = (x[:, None] - means) ** 2
    return means, np.sum(q * squares, axis=0) / counts


def _q_of(x: NDArray, q: NDArray, means: NDArray, variances: NDArray) -> float:
    squares = (x[:, None] - means) ** 2
    return float(np.sum(q * (-0.5 * np.log(variances) - squares / (2 * variances))))


def _variances_are_positive(call: Callable, args: tuple, result: tuple) -> Failure | None:
    wrong = result[1] <= 0
    if not wrong.any():
        return None
    k = int(wrong.argmax())
    words = f"The variance of component {k}, a mean of squares, is not positive."
    return Failure(words, float(result[1][k]))


def _no_slope_in_means(call: Callable, args: tuple, result: tuple) -> Failure | None:
    x, q = args
    means, _ = result
    left = np.sum(q * (x[:, None] - means), axis=0) / q.sum(axis=0)
    wrong = ~(np.abs(left) <= 1e-5 * np.ptp(x))
    if not wrong.any():
        return None
    k = int(wrong.argmax())
    return Failure(
        f"Where the slope in a_{k} is 0, the differences x − a_{k}, weighted by q, cancel. Their "
        "weighted mean, with your mean:",
        float(left[k]),
        0.0,
    )


def _no_slope_in_variances(call: Callable, args: tuple, result: tuple) -> Failure | None:
    x, q = args
    means, variances = result
    squares = np.sum(q * (x[:, None] - means) ** 2, axis=0) / q.sum(axis=0)
    wrong = ~(np.abs(squares - variances) <= 1e-5 * squares + 1e-6)
    if not wrong.any():
        return None
    k = int(wrong.argmax())
    return Failure(
        f"The slope of Q in the variance of component {k} is 0 where that is the weighted mean of "
        "(x − a)², with your own new mean for a.",
        float(variances[k]),
        float(squares[k]),
    )


def _no_other_is_higher(call: Callable, args: tuple, result: tuple) -> Failure | None:
    x, q = args
    means, variances = result
    random = np.random.default_rng(0)
    top = _q_of(x, q, means, variances)
    for i in range(200):
        size = (0.3, 0.1, 0.03, 0.01)[i % 4]
        moved = means + size * np.sqrt(variances) * random.normal(size=means.shape)
        widened = variances * np.exp(size * random.normal(size=means.shape))
        value = _q_of(x, q, moved, widened)
        if value > top + 1e-7 * max(1.0, abs(top)):
            return Failure(
                "Of 200 others close to yours, some means and variances give a higher Q.",
                top,
                value,
                ("at yours", "at others"),
            )
    return None


def _moves_along(call: Callable, args: tuple, result: tuple) -> Failure | None:
    x, q = args
    means, variances = call(x + 3.0, q)
    scale = max(1.0, float(np.abs(x).max()))
    if not np.allclose(means, result[0] + 3.0, rtol=0, atol=1e-5 * scale):
        words = "With 3 added to every point, every mean moves by 3. Yours:"
        return Failure(words, np.asarray(means), result[0], AFTER_BEFORE)
    if not np.allclose(variances, result[1], rtol=1e-4, atol=1e-5):
        words = "With 3 added to every point, no variance changes. Yours do:"
        return Failure(words, np.asarray(variances), result[1], AFTER_BEFORE)
    means, variances = call(-2.0 * x, q)
    if not np.allclose(means, -2.0 * result[0], rtol=0, atol=1e-5 * scale):
        words = "With every point times −2, every mean is times −2. Yours:"
        return Failure(words, np.asarray(means), result[0], AFTER_BEFORE)
    if not np.allclose(variances, 4.0 * result[1], rtol=1e-4, atol=1e-5):
        words = "With every point times −2, every variance is times 4. Yours:"
        return Failure(words, np.asarray(variances), result[1], AFTER_BEFORE)
    return None


def _around(x: NDArray, q: NDArray, centres: NDArray) -> tuple[NDArray, NDArray]:
    squares = (x[:, None] - centres) ** 2
    return update_of(x, q)[0], np.sum(q * squares, axis=0) / q.sum(axis=0)


def _hard(q: NDArray) -> NDArray:
    return np.eye(q.shape[1])[q.argmax(axis=1)]


def _times(x: NDArray, q: NDArray, factor: NDArray | float) -> tuple[NDArray, NDArray]:
    means, variances = update_of(x, q)
    return means, variances * factor


update_means_and_variances = Exercise(
    number="2.8",
    name="update_means_and_variances",
    reference=update_of,
    cases=(
        Case("two points, one component", (np.array([1.0, 3.0]), np.ones((2, 1)))),
        Case(
            "four points, two components, nothing shared",
            (np.array([4.0, 1.0, 6.0, 4.0]), np.array([[1.0, 0], [0, 1], [1, 0], [0, 1]])),
        ),
        Case(
            "three points, two components, all shared",
            (np.array([2.0, 0.0, 1.0]), np.array([[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]])),
        ),
        Case(
            "two points a hundredth from their mean",
            (np.array([0.03, 0.01]), np.array([[0.5, 0.5], [0.5, 0.5]])),
        ),
        Case("six points, two components", (SIX_POINTS, _SIX_SHARES)),
        Case("six points around −20", (SIX_POINTS - 23.0, _SIX_SHARES)),
        Case("twelve points, four components", (some_mixture(12, 4)[0], _rows(12, 4))),
    ),
    properties=(
        Property("variances are positive", _variances_are_positive),
        Property("the slope of Q in the means is 0", _no_slope_in_means),
        Property("the slope of Q in the variances is 0", _no_slope_in_variances),
        Property("none of 200 others is better", _no_other_is_higher),
        Property("points that are shifted or stretched take them along", _moves_along),
    ),
    misconceptions=(
        Misconception(
            "around another mean",
            lambda x, q: _around(x, q, np.full(q.shape[1], x.mean())),
            "Your variances are taken around the mean of all points. The mean first: then (x − a)² "
            "with the new mean of that component.",
        ),
        Misconception(
            "around zero",
            lambda x, q: _around(x, q, np.zeros(q.shape[1])),
            "You average x², not (x − a)². Take the new mean off before you square.",
        ),
        Misconception(
            "N_k − 1",
            lambda x, q: _times(x, q, q.sum(axis=0) / (q.sum(axis=0) - 1)),
            "You divide by N_k − 1, which makes an estimate unbiased. The likelihood is largest at "
            "the sum divided by N_k, and with less than one point N_k − 1 would be negative.",
        ),
        Misconception(
            "the correction of np.cov",
            lambda x, q: _times(x, q, 1 / (1 - np.sum(q**2, axis=0) / q.sum(axis=0) ** 2)),
            "`np.cov` corrects for bias unless it is told `ddof=0`. The likelihood is largest "
            "without a correction.",
        ),
        Misconception(
            "N for N_k",
            lambda x, q: (
                q.T @ x / len(x),
                np.sum(q * (x[:, None] - q.T @ x / len(x)) ** 2, axis=0) / len(x),
            ),
            "You divide by N, the number of all points. A component's mean is over its own share: "
            "divide by N_k, its column sum of q.",
        ),
        Misconception(
            "N for N_k in the variances",
            lambda x, q: _times(x, q, q.sum(axis=0) / len(x)),
            "The means are right. In the variances you divide by N, and N_k is due there too.",
        ),
        Misconception(
            "not divided",
            lambda x, q: (
                q.T @ x,
                np.sum(q * (x[:, None] - q.T @ x) ** 2, axis=0),
            ),
            "These are sums, not means: divide each by N_k, the column sum of q.",
        ),
        Misconception(
            "variances not divided",
            lambda x, q: _times(x, q, q.sum(axis=0)),
            "Your variances are sums of squares. Divide by N_k.",
        ),
        Misconception(
            "q left out",
            lambda x, q: (np.full(q.shape[1], x.mean()), np.full(q.shape[1], x.var())),
            "Every component gets the mean and variance of all points. Point n counts in component "
            "k by q_nk: weigh it.",
        ),
        Misconception(
            "q left out of the variances",
            lambda x, q: (
                update_of(x, q)[0],
                np.mean((x[:, None] - update_of(x, q)[0]) ** 2, axis=0),
            ),
            "The means are right. In the variances every point counts fully: weigh its square by "
            "q_nk, and divide by N_k.",
        ),
        Misconception(
            "q squared as well",
            lambda x, q: (
                update_of(x, q)[0],
                np.sum((q * (x[:, None] - update_of(x, q)[0])) ** 2, axis=0) / q.sum(axis=0),
            ),
            "You square q (x − a), and with it q. Square the difference first, then multiply by q.",
        ),
        Misconception(
            "not squared",
            lambda x, q: (
                update_of(x, q)[0],
                np.sum(q * np.abs(x[:, None] - update_of(x, q)[0]), axis=0) / q.sum(axis=0),
            ),
            "You average distances. A variance averages their squares.",
        ),
        Misconception(
            "standard deviations",
            lambda x, q: (update_of(x, q)[0], np.sqrt(update_of(x, q)[1])),
            "These are standard deviations σ. The parameter here is σ²: leave the root out.",
        ),
        Misconception(
            "half as large",
            lambda x, q: _times(x, q, 0.5),
            "Your variances are half too small: in setting −N_k/(2σ²) + S/(2σ⁴) = 0 the 2 cancels "
            "on both sides, and σ² = S/N_k.",
        ),
        Misconception(
            "the other order",
            lambda x, q: update_of(x, q)[::-1],
            "The order is swapped: means first, then variances.",
        ),
        Misconception(
            "the winner takes all",
            lambda x, q: update_of(x, _hard(q)),
            "You gave each point to its best component before averaging. Here it counts in every "
            "component, by its q.",
        ),
        Misconception(
            "one variance for all",
            lambda x, q: (
                update_of(x, q)[0],
                np.full(q.shape[1], np.sum(q.sum(axis=0) * update_of(x, q)[1]) / len(x)),
            ),
            "All components share one variance. That is another, stiffer model; here each "
            "component has its own.",
        ),
        Misconception(
            "means only",
            lambda x, q: update_of(x, q)[0],
            "One array came back. Two are asked for: `return means, variances`.",
        ),
    ),
    hints=(
        "Set Σ_n q_nk (x_n − a_k) = 0 and solve for a_k. For the variance find the root of the "
        "slope in 2.7.",
        "Both are weighted means with the weights q_nk and the divisor N_k = q.sum(axis=0): of x, "
        "and of (x − a_k)², with the new a_k.",
        "counts = q.sum(axis=0); means = q.T @ x / counts; variances = np.sum(q * (x[:, None] - "
        "means) ** 2, axis=0) / counts; return means, variances",
    ),
)
