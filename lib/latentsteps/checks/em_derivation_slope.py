"""Check of unit 02, exercise 2.7: the slope of Q in a variance.

Q(θ) = Σ_n Σ_k q_nk log p(x_n, k | θ) is the part of F that the M step can change; N_k = Σ_n q_nk.
See Bishop (2006), section 9.2.2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.display import number
from latentsteps.checks.em_derivation_joint import (
    SIX_MEANS,
    SIX_POINTS,
    some_mixture,
)
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

_random = np.random.default_rng(26)


def _rows(n: int, k: int) -> NDArray:
    return _random.dirichlet(np.ones(k), size=n)


def _variance_slope(x: NDArray, q: NDArray, means: NDArray, variances: NDArray) -> NDArray:
    squares = (x[:, None] - means) ** 2
    each = squares / (2 * variances**2) - 1 / (2 * variances)
    return np.sum(q * each, axis=0)


def _q_of_variances(x: NDArray, q: NDArray, means: NDArray, variances: NDArray) -> NDArray:
    """What of Q depends on each variance, (K,)."""
    squares = (x[:, None] - means) ** 2
    return np.sum(q * (-0.5 * np.log(variances) - squares / (2 * variances)), axis=0)


def _roots(x: NDArray, q: NDArray, means: NDArray) -> tuple[NDArray, NDArray]:
    """Where each slope is 0, and whether there is such a place; (K,) each."""
    counts = q.sum(axis=0)
    roots = np.sum(q * (x[:, None] - means) ** 2, axis=0) / np.maximum(counts, 1e-300)
    found = (counts > 1e-9) & (roots > 1e-9)
    return np.where(found, roots, 1.0), found


def _right_sign(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, q, means, _ = args
    roots, found = _roots(x, q, means)
    below, above = (np.asarray(call(x, q, means, factor * roots)) for factor in (0.5, 2.0))
    wrong = found & ~((below > 0) & (above < 0))
    if not wrong.any():
        return None
    k = int(wrong.argmax())
    return Failure(
        f"Seen from σ² = {number(roots[k])} the function Q falls to both sides in component {k}: "
        "its slope is positive at half that variance and negative at twice. Yours:",
        float(below[k]),
        float(above[k]),
        ("at half", "at twice"),
    )


def _is_the_slope(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, q, means, variances = args
    step = 1e-5 * variances
    rise = _q_of_variances(x, q, means, variances + step)
    slope = (rise - _q_of_variances(x, q, means, variances - step)) / (2 * step)
    scale = q.sum(axis=0) / variances + np.abs(slope) + 1e-9
    wrong = ~(np.abs(result - slope) <= 1e-4 * scale)
    if not wrong.any():
        return None
    k = int(wrong.argmax())
    return Failure(
        f"Q was computed at two variances close to σ² = {number(variances[k])} of component {k}. "
        "Its difference, divided by theirs, is the slope.",
        float(result[k]),
        float(slope[k]),
    )


def _bends_down_at_the_root(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, q, means, _ = args
    roots, found = _roots(x, q, means)
    step = 0.01 * roots  # wide enough for answers that take differences themselves
    rise = np.asarray(call(x, q, means, roots + step))
    bend = (rise - np.asarray(call(x, q, means, roots - step))) / (2 * step)
    expected = -q.sum(axis=0) / (2 * roots**2)
    wrong = found & ~(np.abs(bend - expected) <= 0.01 * np.abs(expected))
    if not wrong.any():
        return None
    k = int(wrong.argmax())
    return Failure(
        f"Where the slope in component {k} is 0, it should fall at the rate N_k/(2σ⁴): the second "
        "derivative of Q there.",
        float(bend[k]),
        float(expected[k]),
    )


def _without_weights(x: NDArray, weights: NDArray, *parameters: NDArray) -> tuple:
    return x, _rows(len(x), len(weights)), *parameters


variance_slope = Exercise(
    number="2.7",
    name="variance_slope",
    reference=_variance_slope,
    single=False,
    tolerance=1e-5,  # differences of Q, instead of a formula, are an answer too
    cases=(
        Case(
            "one point, one component, at the root",
            (np.array([3.0]), np.ones((1, 1)), np.array([1.0]), np.array([4.0])),
        ),
        Case(
            "one point, one component, a variance too small",
            (np.array([3.0]), np.ones((1, 1)), np.array([1.0]), np.array([2.0])),
        ),
        Case(
            "two points, two components",
            (
                np.array([3.0, 0.0]),
                np.array([[0.8, 0.2], [0.5, 0.5]]),
                np.array([1.0, 2.0]),
                np.array([2.0, 0.5]),
            ),
        ),
        Case(
            "six points, two components, one of them far too wide",
            (
                SIX_POINTS,
                np.array([[0, 1.0], [1, 0], [0.9, 0.1], [0.2, 0.8], [1, 0], [0.5, 0.5]]),
                SIX_MEANS,
                np.array([9.0, 0.3]),
            ),
        ),
        Case(
            "three points, a component that sits on its only one",
            (
                np.array([1.0, 4.0, 5.0]),
                np.array([[1.0, 0], [0, 1], [0, 1]]),
                np.array([1.0, 4.0]),
                np.array([0.1, 0.2]),
            ),
        ),
        Case(
            "twelve points, four components",
            _without_weights(*some_mixture(12, 4)),
        ),
    ),
    properties=(
        Property("positive below the root, negative above it", _right_sign),
        Property("it is the slope of Q, by differences", _is_the_slope),
        Property("at the root Q bends down, by N_k/(2σ⁴)", _bends_down_at_the_root),
    ),
    misconceptions=(
        Misconception(
            "sign swapped",
            lambda x, q, means, variances: -_variance_slope(x, q, means, variances),
            "Your slope is that of −Q: it has the same root, which is why the recipe's result "
            "comes out right. At the root a maximum has a slope that goes from + to −; yours says "
            "minimum. log(1/√(2πσ²)) is *minus* ½ log(2πσ²).",
        ),
        Misconception(
            "sign of the square alone",
            lambda x, q, means, variances: np.sum(
                q * (-((x[:, None] - means) ** 2) / (2 * variances**2) - 1 / (2 * variances)),
                axis=0,
            ),
            "Both of your terms are negative, so there is no root. The derivative of −d²/(2v) in v "
            "is *plus* d²/(2v²): the derivative of 1/v brings a minus of its own.",
        ),
        Misconception(
            "derivative in σ",
            lambda x, q, means, variances: (
                _variance_slope(x, q, means, variances) * 2 * np.sqrt(variances)
            ),
            "This is the derivative in σ. The root is the same, the slope is another: here the "
            "variable is v = σ², and dQ/dσ = 2σ · dQ/dv.",
        ),
        Misconception(
            "derivative in log σ²",
            lambda x, q, means, variances: _variance_slope(x, q, means, variances) * variances,
            "A factor σ² is too many, as if the variable were log σ². The derivative of log v in v "
            "is 1/v, and that of 1/v is −1/v².",
        ),
        Misconception(
            "derivative in the precision",
            lambda x, q, means, variances: -_variance_slope(x, q, means, variances) * variances**2,
            "This is the derivative in 1/σ². In that variable Q is concave, a good thing to know; "
            "asked is the slope in σ² itself.",
        ),
        Misconception(
            "the square not squared below",
            lambda x, q, means, variances: np.sum(
                q * ((x[:, None] - means) ** 2 / (2 * variances) - 1 / (2 * variances)), axis=0
            ),
            "In the second term σ² has to be squared: the derivative of 1/v is −1/v², so "
            "(x − a)²/(2σ⁴). In code that is `2 * variances**2`.",
        ),
        Misconception(
            "σ⁴ as the fourth power of σ²",
            lambda x, q, means, variances: np.sum(
                q * ((x[:, None] - means) ** 2 / (2 * variances**4) - 1 / (2 * variances)), axis=0
            ),
            "`variances` holds σ² already: σ⁴ is `variances**2`.",
        ),
        Misconception(
            "a half left out",
            lambda x, q, means, variances: 2 * _variance_slope(x, q, means, variances),
            "Both halves are missing: log √v is ½ log v, and the exponent is divided by 2v. The "
            "root does not notice, the slope does.",
        ),
        Misconception(
            "the half of the logarithm left out",
            lambda x, q, means, variances: np.sum(
                q * ((x[:, None] - means) ** 2 / (2 * variances**2) - 1 / variances), axis=0
            ),
            "−½ log σ² has the derivative −1/(2σ²); your 2 is missing. That moves the root: the "
            "variance would come out half as large.",
        ),
        Misconception(
            "no logarithm",
            lambda x, q, means, variances: np.sum(
                q * (x[:, None] - means) ** 2 / (2 * variances**2), axis=0
            ),
            "You differentiate the exponent only. Before it stands 1/√(2πσ²), whose logarithm "
            "depends on σ² as well: it adds −1/(2σ²). Without it Q would rise for ever.",
        ),
        Misconception(
            "not squared above",
            lambda x, q, means, variances: np.sum(
                q * ((x[:, None] - means) / (2 * variances**2) - 1 / (2 * variances)), axis=0
            ),
            "The distance x − a is not squared. It stays squared when you differentiate in σ².",
        ),
        Misconception(
            "every point counted fully",
            lambda x, q, means, variances: _variance_slope(x, np.ones_like(q), means, variances),
            "Every point counts fully in every component. It counts by its q: multiply each "
            "point's part by q_nk before you sum.",
        ),
        Misconception(
            "q in the square only",
            lambda x, q, means, variances: (
                np.sum(q * (x[:, None] - means) ** 2, axis=0) / (2 * variances**2)
                - len(x) / (2 * variances)
            ),
            "The first term has N, the number of all points. q multiplies both terms, so that "
            "Σ_n q_nk = N_k stands there.",
        ),
        Misconception(
            "one count for the logarithm",
            lambda x, q, means, variances: (
                np.sum(q * (x[:, None] - means) ** 2, axis=0) / (2 * variances**2)
                - 1 / (2 * variances)
            ),
            "−1/(2σ²) is there once, and it belongs to every point: summed with the q it becomes "
            "−N_k/(2σ²).",
        ),
        Misconception(
            "mean over points",
            lambda x, q, means, variances: _variance_slope(x, q, means, variances) / len(x),
            "You divide by N. Q is a sum over points, and its slope is one too.",
        ),
        Misconception(
            "divided by N_k",
            lambda x, q, means, variances: _variance_slope(x, q, means, variances) / q.sum(axis=0),
            "You divide by N_k, which is harmless when you look for the root. The slope itself is "
            "the sum: a component with more points has the steeper one.",
        ),
        Misconception(
            "the root",
            lambda x, q, means, variances: (
                np.sum(q * (x[:, None] - means) ** 2, axis=0) / q.sum(axis=0)
            ),
            "You give the variance at which the slope is 0. Asked is the slope at the variances "
            "that were handed over.",
        ),
        Misconception(
            "summed over components",
            lambda x, q, means, variances: _variance_slope(x, q, means, variances).sum(),
            "You sum over the components as well. Each has a variance of its own, and a slope: "
            "K numbers.",
        ),
    ),
    hints=(
        "Of log p(x, k) only −½ log σ² − (x − a)²/(2σ²) depends on σ². Write v for σ² and "
        "differentiate in v, one term at a time.",
        "d/dv of −½ log v is −1/(2v), and of −d²/(2v) it is +d²/(2v²). Then multiply by q_nk and "
        "sum over the points. Test it: at half the variance of the root it has to be positive.",
        "d = (x[:, None] - means) ** 2; np.sum(q * (d / (2 * variances**2) - 1 / (2 * variances)), "
        "axis=0)",
    ),
)
