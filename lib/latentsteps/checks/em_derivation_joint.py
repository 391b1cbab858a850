"""Check of unit 02, exercise 2.1: log p(x, k); and what the other checks of the unit share.

Points are numbers ``x`` (N,); a component k has ``weights[k]``, ``means[k]`` and ``variances[k]``,
each (K,). The reference follows Bishop (2006), *Pattern Recognition and Machine Learning*,
section 9.2, for one dimension.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

_random = np.random.default_rng(21)

SIX_POINTS = np.array([4.5, 1.8, 2.0, 4.1, 1.8, 3.0])
"""Unsorted, two groups, one value twice, one point between."""
SIX_WEIGHTS, SIX_MEANS, SIX_VARIANCES = (
    np.array([0.4, 0.6]),
    np.array([2.0, 4.0]),
    np.array([0.25, 0.5]),
)


def log_joint_of(x: NDArray, weights: NDArray, means: NDArray, variances: NDArray) -> NDArray:
    """log π_k + log N(x_n; a_k, σ²_k), (N, K)."""
    log_normaliser = 0.5 * np.log(2 * np.pi * variances)
    squares = (x[:, None] - means) ** 2
    return np.log(weights) - log_normaliser - squares / (2 * variances)


def posterior_of(x: NDArray, weights: NDArray, means: NDArray, variances: NDArray) -> NDArray:
    """p(k | x_n) from the log joint, a row's largest entry taken out first, (N, K)."""
    log_p = log_joint_of(x, weights, means, variances)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def log_likelihood_of(x: NDArray, weights: NDArray, means: NDArray, variances: NDArray) -> float:
    """Σ_n log p(x_n), in nats."""
    return float(logsumexp(log_joint_of(x, weights, means, variances), axis=1).sum())


def some_mixture(n: int, k: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Points (with a tie) and a mixture of K components for a larger case, always the same."""
    x = _random.normal(3.0, 1.5, size=n).round(2)
    x[-1] = x[0]
    weights = _random.dirichlet(np.full(k, 4.0))
    return x, weights, _random.normal(3.0, 1.5, size=k).round(2), _random.uniform(0.1, 2.0, k)


# 2.1 · log p(x, k)


def _over_the_line(call: Callable, args: tuple) -> list[tuple[float, float]]:
    """Of each component ∫ p(x, k) dx and the variance around a_k, by the trapezoid rule.

    For a smooth bell it is exact to many digits even at wide steps: here an eighth of σ.
    """
    _, weights, means, variances = args
    k = len(means)
    steps = np.linspace(-10.0, 10.0, 161)
    lines = means[:, None] + np.sqrt(variances)[:, None] * steps
    p = np.exp(np.asarray(call(lines.ravel(), weights, means, variances)))
    found = []
    for i in range(k):
        density = p.reshape(k, len(steps), k)[i, :, i]
        mass = np.trapezoid(density, lines[i])
        spread = np.trapezoid(density * (lines[i] - means[i]) ** 2, lines[i]) / mass
        found.append((float(mass), float(spread)))
    return found


def _integrates(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, weights, _, _ = args
    for k, (mass, _) in enumerate(_over_the_line(call, args)):
        if not abs(mass - weights[k]) < 1e-4:
            return Failure(
                f"exp of your column {k}, integrated over all x, is p(k), the component's weight. "
                "Yours is:",
                mass,
                float(weights[k]),
            )
    return None


def _spreads(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, _, _, variances = args
    for k, (_, spread) in enumerate(_over_the_line(call, args)):
        if not abs(spread - variances[k]) < 1e-3 * variances[k]:
            return Failure(
                f"exp of your column {k} integrates to the weight, but its variance around the "
                "component's mean is not σ²:",
                spread,
                float(variances[k]),
            )
    return None


def _density_first(x: NDArray, weights: NDArray, means: NDArray, variances: NDArray) -> NDArray:
    density = np.exp(-((x[:, None] - means) ** 2) / (2 * variances))
    return np.log(weights * density / np.sqrt(2 * np.pi * variances))


log_joint = Exercise(
    number="2.1",
    name="log_joint",
    reference=lambda x, weights, means, variances: log_joint_of(x, weights, means, variances),
    cases=(
        Case(
            "one point, at the mean of the only component",
            (np.array([2.0]), np.array([1.0]), np.array([2.0]), np.array([1.0])),
        ),
        Case(
            "one point, two components",
            (np.array([1.0]), np.array([0.25, 0.75]), np.array([1.0, 3.0]), np.array([1.0, 4.0])),
        ),
        Case("six points, two components", (SIX_POINTS, SIX_WEIGHTS, SIX_MEANS, SIX_VARIANCES)),
        Case(
            "two points, one of them far away",
            (np.array([1000.0, 0.2]), np.array([0.5, 0.5]), np.array([0, 1.0]), np.full(2, 0.01)),
        ),
        Case("twelve points, four components", some_mixture(12, 4)),
    ),
    properties=(
        Property("exp(log p(x, k)), integrated over x, is the weight of k", _integrates),
        Property("the bell of component k has the variance σ²_k", _spreads),
    ),
    misconceptions=(
        Misconception(
            "no weights",
            lambda x, weights, means, variances: log_joint_of(
                x, np.ones_like(weights), means, variances
            ),
            "This is log p(x given k). The joint probability asks for the component as well, "
            "p(x, k) = π_k p(x given k): add log π_k.",
        ),
        Misconception(
            "weights without logarithm",
            lambda x, weights, means, variances: (
                weights + log_joint_of(x, np.ones_like(weights), means, variances)
            ),
            "You add π_k to a logarithm. Products become sums when every factor is logged: it is "
            "log π_k that is added.",
        ),
        Misconception(
            "sign of the weights",
            lambda x, weights, means, variances: (
                -np.log(weights) + log_joint_of(x, np.ones_like(weights), means, variances)
            ),
            "You take log π_k off. The weight is a factor of p(x, k), so its logarithm is added: a "
            "rare component gets a lower log p, as log π_k is negative by itself.",
        ),
        Misconception(
            "weights times the logarithm",
            lambda x, weights, means, variances: (
                weights * log_joint_of(x, np.ones_like(weights), means, variances)
            ),
            "You multiply the log density by π_k. The density is multiplied by π_k; of its "
            "logarithm that makes log π_k + log N.",
        ),
        Misconception(
            "variances taken for standard deviations",
            lambda x, weights, means, variances: log_joint_of(x, weights, means, variances**2),
            "You square the variances once more. `variances` holds σ²: the exponent divides by "
            "2σ², so by `2 * variances`, and the normaliser is ½ log(2πσ²). (`scipy.stats.norm` "
            "wants a standard deviation: `np.sqrt(variances)`.)",
        ),
        Misconception(
            "divided by σ for σ²",
            lambda x, weights, means, variances: (
                np.log(weights)
                - 0.5 * np.log(2 * np.pi * variances)
                - (x[:, None] - means) ** 2 / (2 * np.sqrt(variances))
            ),
            "In the exponent you divide by 2σ. A squared distance is divided by a squared width, "
            "2σ²; otherwise minutes and seconds would give different bells.",
        ),
        Misconception(
            "no −½ log σ²",
            lambda x, weights, means, variances: (
                np.log(weights)
                - 0.5 * np.log(2 * np.pi)
                - (x[:, None] - means) ** 2 / (2 * variances)
            ),
            "−½ log σ²_k is missing. It looks like a constant, and it depends on k: without it a "
            "wide component is as tall as a narrow one, and wins everywhere.",
        ),
        Misconception(
            "no −½ log 2π",
            lambda x, weights, means, variances: (
                np.log(weights)
                - 0.5 * np.log(variances)
                - (x[:, None] - means) ** 2 / (2 * variances)
            ),
            "−½ log 2π is missing. It is the same for all components and cancels in "
            "responsibilities, but a density without it does not integrate to 1, and the "
            "log-likelihood is off by 0.919 nats a point.",
        ),
        Misconception(
            "no normaliser",
            lambda x, weights, means, variances: (
                np.log(weights) - (x[:, None] - means) ** 2 / (2 * variances)
            ),
            "You have the exponent, and not what stands before it: log of 1/√(2πσ²) is "
            "−½ log(2πσ²). It makes the bell integrate to 1, and it depends on k.",
        ),
        Misconception(
            "the root forgotten",
            lambda x, weights, means, variances: (
                np.log(weights)
                - np.log(2 * np.pi * variances)
                - (x[:, None] - means) ** 2 / (2 * variances)
            ),
            "You take off log(2πσ²), and half of it is due: before the exponential stands one over "
            "a square *root*, and its logarithm is −½ log(2πσ²).",
        ),
        Misconception(
            "the root taken twice",
            lambda x, weights, means, variances: (
                np.log(weights)
                - 0.5 * np.log(2 * np.pi * np.sqrt(variances))
                - (x[:, None] - means) ** 2 / (2 * variances)
            ),
            "You take off ½ log(2πσ), with the root of the variance inside. The ½ is the root "
            "already: under it stands σ² itself, ½ log(2πσ²).",
        ),
        Misconception(
            "the root over σ² forgotten",
            lambda x, weights, means, variances: (
                np.log(weights)
                - 0.5 * np.log(2 * np.pi)
                - np.log(variances)
                - (x[:, None] - means) ** 2 / (2 * variances)
            ),
            "You take off log σ², and log σ is due, which is ½ log σ²: the root in 1/√(2πσ²) goes "
            "over σ² as well.",
        ),
        Misconception(
            "the half in the exponent forgotten",
            lambda x, weights, means, variances: (
                np.log(weights)
                - 0.5 * np.log(2 * np.pi * variances)
                - (x[:, None] - means) ** 2 / variances
            ),
            "The exponent is −(x − a)²/(2σ²); your 2 is missing, and the bell gets too narrow for "
            "its normaliser. `d / 2 * v` is a trap as well: write `d / (2 * v)`.",
        ),
        Misconception(
            "brackets missing",
            lambda x, weights, means, variances: (
                np.log(weights)
                - 0.5 * np.log(2 * np.pi * variances)
                - (x[:, None] - means) ** 2 / 2 * variances
            ),
            "Python reads `d / 2 * v` from the left, as (d/2) · v. Put the denominator in "
            "brackets: `d / (2 * v)`.",
        ),
        Misconception(
            "sign of the exponent",
            lambda x, weights, means, variances: (
                np.log(weights)
                - 0.5 * np.log(2 * np.pi * variances)
                + (x[:, None] - means) ** 2 / (2 * variances)
            ),
            "Your points get more probable the farther away they are. The exponent is negative: "
            "−(x − a)²/(2σ²).",
        ),
        Misconception(
            "sign of the normaliser",
            lambda x, weights, means, variances: (
                np.log(weights)
                + 0.5 * np.log(2 * np.pi * variances)
                - (x[:, None] - means) ** 2 / (2 * variances)
            ),
            "You add ½ log(2πσ²). It comes from a denominator, 1/√(2πσ²), so it is taken off: a "
            "narrow bell is a tall one.",
        ),
        Misconception(
            "density first",
            _density_first,
            "This is right on paper, but 10⁵ standard deviations away the exponential is 0 in the "
            "computer, and log 0 = −∞. Take the logarithm by hand: log π_k − ½ log(2πσ²) − "
            "(x − a)²/(2σ²) never leaves the range.",
        ),
        Misconception(
            "no logarithm",
            lambda x, weights, means, variances: np.exp(log_joint_of(x, weights, means, variances)),
            "These are the probabilities p(x, k), and their logarithms are asked for. For a far "
            "point p is 0 in the computer while log p is a number like any other.",
        ),
        Misconception(
            "summed over components",
            lambda x, weights, means, variances: logsumexp(
                log_joint_of(x, weights, means, variances), axis=1
            ),
            "You have summed the components out, which gives log p(x). Keep them apart here: a row "
            "for each point, a column for each component.",
        ),
        Misconception(
            "transposed",
            lambda x, weights, means, variances: log_joint_of(x, weights, means, variances).T,
            "Rows and columns are swapped: a row for each point, a column for each component.",
        ),
        Misconception(
            "points paired with components",
            lambda x, weights, means, variances: (
                np.log(weights)
                - 0.5 * np.log(2 * np.pi * variances)
                - (x - means) ** 2 / (2 * variances)
            ),
            "`x - means` pairs the first point with the first mean, the second with the second. "
            "Every point has to meet every component: two loops do it, or `x[:, None] - means`.",
        ),
    ),
    hints=(
        "p(x, k) is a product of three factors: π_k, one over √(2πσ²_k), and an exponential. What "
        "does the logarithm make of a product?",
        "`x[:, None] - means` is a table of all differences, (N, K). `weights` and `variances` "
        "have the shape (K,), and fit its columns.",
        "np.log(weights) - 0.5 * np.log(2 * np.pi * variances) - (x[:, None] - means) ** 2 / "
        "(2 * variances)",
    ),
)
