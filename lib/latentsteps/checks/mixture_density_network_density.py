"""Check of unit 05, exercise 5.5: the log density of a mixture whose parameters differ by row.

Bishop (2006), *Pattern Recognition and Machine Learning*, section 5.6, equation 5.148.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax, xlogy

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

# 5.5 · The mixture's log density


def log_normals(y: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    """Log density of each component at its row's y, (N, K)."""
    z = (y[:, None] - means) / scales
    return -0.5 * z**2 - np.log(scales) - 0.5 * np.log(2 * np.pi)


def mixture_of(y: NDArray, weights: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    return logsumexp(log_normals(y, means, scales), b=weights, axis=1)


def _integrates_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, weights, means, scales = args
    if means.shape[1] > 2:  # two show as much, and JAX compiles for every new shape
        return None
    for n in range(min(len(means), 2)):
        low, high = (means[n] - 9 * scales[n]).min(), (means[n] + 9 * scales[n]).max()
        grid = np.linspace(low, high, 401)
        if grid[1] - grid[0] > 0.8 * scales[n].min():  # too coarse for the narrowest component
            continue
        rows = [np.tile(each[n], (len(grid), 1)) for each in (weights, means, scales)]
        heights = np.exp(np.asarray(call(grid, *rows)))
        total = float(heights.sum() * (grid[1] - grid[0]))
        if not abs(total - 1) < 1e-4:
            return Failure(
                f"A density integrates to 1 over y. With the weights, means and scales of row {n}, "
                "the exponential of your result, added up over a fine grid, gives another number.",
                total,
                1.0,
            )
    return None


def _moves_with_the_means(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    y, weights, means, scales = args
    again = np.asarray(call(y + 3.0, weights, means + 3.0, scales))
    if np.allclose(again, result, rtol=1e-5, atol=1e-5):
        return None
    n = int(np.abs(again - result).argmax())
    return Failure(
        f"y and all means were moved by 3, so that nothing lies farther from anything. Row {n} of "
        "your result changed.",
        again[n],
        result[n],
        AFTER_BEFORE,
    )


def _thins_with_the_scales(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    y, weights, means, scales = args
    change = np.asarray(call(4 * y, weights, 4 * means, 4 * scales)) - result
    if np.allclose(change, -np.log(4), rtol=0, atol=1e-5):
        return None
    n = int(np.abs(change + np.log(4)).argmax())
    return Failure(
        "y, means and scales were made four times as large: the same density, spread over four "
        f"times the room, so lower by log 4. Row {n} of your result changed by:",
        change[n],
        -np.log(4),
    )


def _names_do_not_matter(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    y, *others = args
    again = np.asarray(call(y, *[each[:, ::-1].copy() for each in others]))
    if np.allclose(again, result, rtol=1e-5, atol=1e-5):
        return None
    n = int(np.abs(again - result).argmax())
    return Failure(
        f"The components were put in the opposite order. Row {n} of your result changed.",
        again[n],
        result[n],
        AFTER_BEFORE,
    )


def _falls_far_out(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, weights, means, scales = args
    if np.any(weights == 0):  # the largest log density, taken off, may be one without weight
        return None
    y = means.max(axis=1) + 50 * scales.max(axis=1)
    near, far = (
        np.asarray(call(each, weights, means, scales)) for each in (y, 2 * y - means[:, 0])
    )
    if np.isfinite(near).all() and np.isfinite(far).all() and np.all(far < near - 1):
        return None
    n = int((~(far < near - 1)).argmax())
    return Failure(
        "Fifty widths from every mean and twice as far, the log density is a finite number, the "
        "second far below the first; no limit, and no small number under a logarithm, should hide "
        f"that. In row {n} yours are:",
        far[n],
        near[n],
        ("twice as far", "far"),
    )


def _of(combine: Callable[[NDArray, NDArray], object]) -> Callable[..., object]:
    """An answer from ``combine(weights, log densities of the components)``."""
    return lambda y, weights, means, scales: combine(weights, log_normals(y, means, scales))


def _as_one_normal(y: NDArray, mean: NDArray, scale: NDArray) -> NDArray:
    return log_normals(y, mean[:, None], scale[:, None])[:, 0]


def _at_the_mean(y: NDArray, weights: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    return _as_one_normal(y, (weights * means).sum(axis=1), (weights * scales).sum(axis=1))


def _moments(y: NDArray, weights: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    mean = (weights * means).sum(axis=1)
    spread = (weights * (scales**2 + (means - mean[:, None]) ** 2)).sum(axis=1)
    return _as_one_normal(y, mean, np.sqrt(spread))


def _largest_weight(weights: NDArray, logs: NDArray) -> NDArray:
    return np.take_along_axis(logs, weights.argmax(axis=1)[:, None], axis=1)[:, 0]


def _unlined(y: NDArray, weights: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    z = (y - means) / scales
    return logsumexp(-0.5 * z**2 - np.log(scales * np.sqrt(2 * np.pi)), b=weights, axis=1)


def _shifted_all(weights: NDArray, logs: NDArray) -> NDArray:
    top = logs.max()
    return top + np.log((weights * np.exp(logs - top)).sum(axis=1))


_HALF_LOG_TAU = 0.5 * np.log(2 * np.pi)
_random = np.random.default_rng(55)


def _some(n: int, k: int) -> tuple[NDArray, ...]:
    weights = _random.dirichlet(np.ones(k), size=n)
    return (
        _random.normal(scale=2.0, size=n).round(2),
        weights,
        _random.normal(scale=2.0, size=(n, k)).round(2),
        _random.uniform(0.2, 1.5, size=(n, k)).round(2),
    )


mixture_log_density = Exercise(
    number="5.5",
    name="mixture_log_density",
    reference=mixture_of,
    single=False,  # JAX compiles for every new shape, and would for each in float32
    time_limit=10.0,
    cases=(
        Case(
            "one row, one component",
            (np.array([2.0]), np.ones((1, 1)), np.array([[1.0]]), np.array([[0.5]])),
        ),
        Case(
            "one row, two components",
            (
                np.array([0.0]),
                np.array([[0.25, 0.75]]),
                np.array([[0.5, -1.0]]),
                np.array([[0.5, 2.0]]),
            ),
        ),
        Case("two rows, two components", _some(2, 2)),
        Case(
            "two rows, a component of weight 0",
            (
                np.array([0.0, 1.0]),
                np.array([[1.0, 0.0], [0.5, 0.5]]),
                np.array([[0.5, -1.0], [0.0, 2.0]]),
                np.array([[0.5, 2.0], [1.0, 0.3]]),
            ),
        ),
        Case(
            "one row, y far from both means",
            (
                np.array([90.0]),
                np.array([[0.3, 0.7]]),
                np.array([[0.0, 1.0]]),
                np.full((1, 2), 0.5),
            ),
        ),
        Case(
            "two rows, one y far from both means",
            (
                np.array([90.0, -0.3]),
                np.array([[0.5, 0.5], [0.9, 0.1]]),
                np.array([[0.0, 1.0], [-1.0, 0.0]]),
                np.array([[0.1, 0.4], [0.5, 1.0]]),
            ),
        ),
        Case("twenty rows, three components", _some(20, 3)),
    ),
    properties=(
        Property("its exponential integrates to 1 over y", _integrates_to_one),
        Property("y and means moved together change nothing", _moves_with_the_means),
        Property("four times as wide is lower by log 4", _thins_with_the_scales),
        Property("the order of the components does not matter", _names_do_not_matter),
        Property("far out it is finite, and falls", _falls_far_out),
    ),
    misconceptions=(
        Misconception(
            "N(0, 1)",
            lambda y, weights, means, scales: mixture_of(y, weights, 0 * means, 0 * scales + 1),
            "Every component of yours is N(0, 1), as in the recipe: it ignores the network. Use "
            "`means` and `scales`.",
        ),
        Misconception(
            "scales ignored",
            lambda y, weights, means, scales: mixture_of(y, weights, means, 0 * scales + 1),
            "Your components all have the width 1. Use `scales`: how sure the network is, is part "
            "of its answer.",
        ),
        Misconception(
            "mean of the logarithms",
            _of(lambda w, logs: np.sum(w * logs, axis=1)),
            "You average the log densities of the components. A mixture averages *densities*, and "
            "takes the logarithm then: log Σ π N, not Σ π log N.",
        ),
        Misconception(
            "sum of the logarithms",
            _of(lambda w, logs: np.sum(np.log(np.maximum(w, 1e-300)) + logs, axis=1)),
            "You add up the logarithms of all components, so you multiply their densities: as if y "
            "came from all of them at once. It comes from one: log of a sum, logsumexp.",
        ),
        Misconception(
            "no weights",
            _of(lambda w, logs: logsumexp(logs, axis=1)),
            "The weights are missing, and the density integrates to K. Add log π to each log "
            "density, or hand `b=weights` to logsumexp.",
        ),
        Misconception(
            "equal weights",
            _of(lambda w, logs: logsumexp(logs, axis=1) - np.log(w.shape[1])),
            "You average the components' densities, each alike. Each counts by its weight.",
        ),
        Misconception(
            "weights without a logarithm",
            _of(lambda w, logs: logsumexp(w + logs, axis=1)),
            "You add the weight to a log density. Inside a logarithm factors become sums of "
            "*logarithms*: log π + log N.",
        ),
        Misconception(
            "weights times logarithms",
            _of(lambda w, logs: logsumexp(w * logs, axis=1)),
            "You multiply a log density by its weight. π N has the logarithm log π + log N.",
        ),
        Misconception(
            "softmax twice",
            _of(lambda w, logs: logsumexp(logs, b=softmax(w, axis=1), axis=1)),
            "You send the weights through softmax once more. They are weights already: `heads` did "
            "that.",
        ),
        Misconception(
            "the mean prediction",
            _at_the_mean,
            "You make one normal at the mean prediction Σ π μ. Between two answers there may lie "
            "none: average densities, not means.",
        ),
        Misconception(
            "one normal with the mixture's moments",
            _moments,
            "You replace the mixture by the one normal of its mean and variance. Two modes become "
            "one wide hill, highest where no y is.",
        ),
        Misconception(
            "the heaviest component",
            _of(_largest_weight),
            "You take the component of the largest weight alone. The others are answers too: all "
            "of them count, each by its weight.",
        ),
        Misconception(
            "the best component",
            _of(lambda w, logs: np.max(np.log(np.maximum(w, 1e-300)) + logs, axis=1)),
            "You take the largest of the π N. A density is their sum: logsumexp.",
        ),
        Misconception(
            "exponential first",
            _of(lambda w, logs: np.log(np.sum(w * np.exp(logs), axis=1))),
            "Right on paper. Far from all means every density is 0 in the computer, and its "
            "logarithm −∞. Stay in logarithms: logsumexp.",
        ),
        Misconception(
            "exponential and a small number",
            _of(lambda w, logs: np.log(np.sum(w * np.exp(logs), axis=1) + 1e-10)),
            "A small number under the logarithm keeps it finite, but far out every y scores alike, "
            "and no gradient points home. Stay in logarithms: logsumexp.",
        ),
        Misconception(
            "another row's maximum",
            _of(_shifted_all),
            "You take off the largest log density of all rows. In a row far below it every "
            "exponential is 0: take off each row's own largest, or use logsumexp with axis=1.",
        ),
        Misconception(
            "0 · log 0",
            _of(lambda w, logs: logsumexp(np.where(w > 0, xlogy(1, w), np.nan) + logs, axis=1)),
            "A component of weight 0 makes yours NaN. log 0 is −∞, and exp(−∞) is 0: that works. "
            "Or hand the weights to logsumexp, `b=weights`.",
        ),
        Misconception(
            "scale taken for a variance",
            lambda y, weights, means, scales: mixture_of(y, weights, means, np.sqrt(scales)),
            "You take a scale for a variance. It is a standard deviation: its square stands in the "
            "exponent, and itself below.",
        ),
        Misconception(
            "scale squared in logpdf",
            lambda y, weights, means, scales: mixture_of(y, weights, means, scales**2),
            "You hand `norm.logpdf` a variance. Its third argument is the standard deviation: "
            "`scales` as they are.",
        ),
        Misconception(
            "distance not squared by scale",
            lambda y, w, m, s: logsumexp(
                -0.5 * (y[:, None] - m) ** 2 / s - np.log(s) - _HALF_LOG_TAU, b=w, axis=1
            ),
            "In the exponent the scale is to be squared: −½ ((y − μ)/σ)².",
        ),
        Misconception(
            "no log scale",
            lambda y, w, m, s: logsumexp(log_normals(y, m, s) + np.log(s), b=w, axis=1),
            "−log σ is missing. Without it a wide component is as high as a narrow one, and wider "
            "always wins.",
        ),
        Misconception(
            "2π missing",
            _of(lambda w, logs: logsumexp(logs + _HALF_LOG_TAU, b=w, axis=1)),
            "−½ log 2π is missing. No gradient notices; a held-out score in nats does.",
        ),
        Misconception(
            "log 2π whole",
            _of(lambda w, logs: logsumexp(logs - _HALF_LOG_TAU, b=w, axis=1)),
            "You take off log 2π. It is ½ of that: the density is over √(2π).",
        ),
        Misconception(
            "y along the components",
            _unlined,
            "`y − means` lines y up with the *components*: it stops where their number is not that "
            "of the rows, and is wrong without a word where it is. y[:, None] has a column.",
        ),
        Misconception(
            "the density",
            _of(lambda w, logs: np.sum(w * np.exp(logs), axis=1)),
            "These are densities. Their logarithms are asked for.",
        ),
        Misconception(
            "base 2",
            _of(lambda w, logs: logsumexp(logs, b=w, axis=1) / np.log(2)),
            "These are bits. The course counts in nats: the natural logarithm.",
        ),
        Misconception(
            "a loss",
            _of(lambda w, logs: -logsumexp(logs, b=w, axis=1)),
            "The sign is that of a loss. The log density itself is asked for.",
        ),
        Misconception(
            "added up over rows",
            _of(lambda w, logs: logsumexp(logs, b=w, axis=1).sum()),
            "You add up over the rows. One number for each row is due.",
        ),
        Misconception(
            "summed over rows inside",
            _of(lambda w, logs: logsumexp(logs, b=w, axis=0)),
            "You sum over the rows and keep the components. It is the other way round: components "
            "are axis 1.",
        ),
        Misconception(
            "not summed over components",
            _of(lambda w, logs: np.log(np.maximum(w, 1e-300)) + logs),
            "You have log π N for each component. Sum over them: logsumexp with axis=1.",
        ),
    ),
    hints=(
        "For each row and component: the log density of N(μ, σ²) at y, plus log π. Then the "
        "logarithm of the sum over components, without leaving logarithms.",
        "y[:, None] − means is (N, K). −½ z² − log σ − ½ log 2π with z = (y − μ)/σ.",
        "logsumexp(those, b=weights, axis=1), with `from scipy.special import logsumexp`.",
    ),
)
