"""Check of unit 06, exercise 6.7: what Σ_k θ_k(x) N(x | m_k, σ_k²) integrates to.

Z = Σ_k E[θ_k(x)] under x ~ N(m_k, diag σ_k²), by the points m_k + σ_k · noise. ``log_gate`` takes
points (M, D) to log θ (M, K); ``means`` and ``scales`` are (K, D), ``noise`` (M, D), the same draws
for every component. It lies between 0 and K.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, ndtri
from scipy.stats import norm

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

Gate = Callable[[NDArray], NDArray]

# 6.7 · The integral


def _normaliser(log_gate: Gate, means: NDArray, scales: NDArray, noise: NDArray) -> float:
    total = 0.0
    for k in range(len(means)):
        points = means[k] + scales[k] * noise
        total += np.mean(np.exp(log_gate(points)[:, k]))
    return float(total)


def _linear_gate(slopes: NDArray, weights: NDArray) -> Gate:
    """log softmax(log weights + x · slopes); slopes (D, K)."""
    return lambda x: log_softmax(np.log(weights) + x @ slopes, axis=-1)


def _tanh_gate(hidden: NDArray, output: NDArray, log_weights: NDArray) -> Gate:
    return lambda x: log_softmax(log_weights + np.tanh(x @ hidden) @ output, axis=-1)


def _one_without_a_gate(call: Callable, args: tuple, result: float) -> Failure | None:
    _, means, scales, noise = args
    weights = np.arange(1.0, len(means) + 1)
    weights /= weights.sum()
    value = float(call(_linear_gate(np.zeros(means.T.shape), weights), means, scales, noise))
    if abs(value - 1) < 1e-6:
        return None
    return Failure(
        f"A gate that does not look at x, with the weights {weights.round(3)}: an ordinary "
        "mixture, which integrates to 1, exactly, whatever the noise is. Yours:",
        value,
        1.0,
    )


def _noise_of_zero(call: Callable, args: tuple, result: float) -> Failure | None:
    log_gate, means, scales, noise = args
    value = float(call(log_gate, means, scales, 0 * noise))
    expected = float(np.exp(log_gate(means)).trace())
    if abs(value - expected) < 1e-6 * max(1, expected):
        return None
    return Failure(
        "With noise of 0 every point of component k is its mean m_k, and there each θ_k is known. "
        "Is other noise in your points, one that you have drawn yourself? Yours gives:",
        value,
        expected,
    )


def _by_quadrature(call: Callable, args: tuple, result: float) -> Failure | None:
    log_gate, means, scales, _ = args
    if means.shape[1] > 1:
        return None
    width = np.abs(scales).max()
    line = np.linspace(means.min() - 8 * width, means.max() + 8 * width, 20_001)[:, None]
    mass = np.exp(log_gate(line)) * norm.pdf(line, means[:, 0], scales[:, 0])
    exact = float(mass.sum() * (line[1, 0] - line[0, 0]))
    even = ndtri((np.arange(2000) + 0.5) / 2000)[:, None]
    value = float(call(log_gate, means, scales, even))
    if abs(value - exact) < 2e-3:  # with noise as even as this it is known to 1e-3
        return None
    return Failure(
        "On a line the integral can be had on a grid: Σ_k θ_k(x) N(x | m_k, σ_k²) times the "
        "step, added up. With 2,000 evenly spread values of the noise yours gives:",
        value,
        exact,
        ("yours", "the grid"),
    )


def _names_do_not_matter(call: Callable, args: tuple, result: float) -> Failure | None:
    log_gate, means, scales, noise = args
    again = call(lambda x: log_gate(x)[..., ::-1], means[::-1], scales[::-1], noise)
    if abs(again - result) < 1e-6 * max(1, abs(result)):
        return None
    return Failure(
        "The components were named in the opposite order, gate and all. The integral is the same, "
        "and yours changed.",
        again,
        result,
        AFTER_BEFORE,
    )


def _halves_average(call: Callable, args: tuple, result: float) -> Failure | None:
    log_gate, means, scales, noise = args
    if len(noise) < 2:
        return None
    half = len(noise) // 2
    parts = [float(call(log_gate, means, scales, part)) for part in (noise[:half], noise[half:])]
    mean = (half * parts[0] + (len(noise) - half) * parts[1]) / len(noise)
    if abs(mean - result) < 1e-6 * max(1, abs(result)):
        return None
    return Failure(
        "The noise was handed over in two parts. Weighed by their lengths, the two results should "
        "average to the one of all of it, as means do.",
        mean,
        result,
        ("of the parts", "of all"),
    )


def _of_table(combine: Callable[[NDArray], object]) -> Callable[..., object]:
    """An answer made of θ_j at the points of component k, for all j and k: (M, K, K)."""

    def answer(log_gate: Gate, means: NDArray, scales: NDArray, noise: NDArray) -> object:
        pairs = zip(means, scales, strict=True)
        return combine(np.stack([np.exp(log_gate(m + s * noise)) for m, s in pairs], axis=1))

    return answer


def _own(table: NDArray) -> NDArray:
    """θ_k at the points of component k, (M, K)."""
    return np.asarray(np.diagonal(table, axis1=1, axis2=2))


def _at(points: Callable[[NDArray, NDArray, NDArray], NDArray]) -> Callable[..., float]:
    """The right mean, with other ``points(m_k, σ_k, noise)``."""

    def answer(log_gate: Gate, means: NDArray, scales: NDArray, noise: NDArray) -> float:
        gates = [np.exp(log_gate(points(m, s, noise))) for m, s in zip(means, scales, strict=True)]
        return float(sum(np.mean(gate[:, k]) for k, gate in enumerate(gates)))

    return answer


def _density(x: NDArray, mean: NDArray, scale: NDArray) -> NDArray:
    return np.asarray(norm.pdf(x, mean, scale).prod(axis=1))


def _density_too(log_gate: Gate, means: NDArray, scales: NDArray, noise: NDArray) -> float:
    total = 0.0
    for k, (mean, scale) in enumerate(zip(means, scales, strict=True)):
        x = mean + scale * noise
        total += np.mean(np.exp(log_gate(x)[:, k]) * _density(x, mean, scale))
    return float(total)


def _all_densities(log_gate: Gate, means: NDArray, scales: NDArray, noise: NDArray) -> float:
    total = 0.0
    for mean, scale in zip(means, scales, strict=True):
        x = mean + scale * noise
        gate, pairs = np.exp(log_gate(x)), zip(means, scales, strict=True)
        total += np.mean(sum(gate[:, k] * _density(x, *pair) for k, pair in enumerate(pairs)))
    return float(total)


_random = np.random.default_rng(67)
_FOUR_MEANS = np.array([[4.0, 4.0], [-4.0, 4.0], [-4.0, -4.0], [4.0, -4.0]])
_TOWARDS_OWN = np.array([[2.0, -2.0, -2.0, 2.0], [2.0, 2.0, -2.0, -2.0]])

normaliser = Exercise(
    number="6.7",
    name="normaliser",
    reference=_normaliser,
    cases=(
        Case(
            "one value of the noise, two components on a line",
            (
                _linear_gate(np.array([[0.5, -0.5]]), np.array([0.5, 0.5])),
                np.array([[1.0], [-1.0]]),
                np.array([[1.0], [0.5]]),
                np.array([[0.4]]),
            ),
        ),
        Case(
            "each gate towards its own component",
            (
                _linear_gate(np.array([[1.0, -1.0]]), np.array([0.7, 0.3])),
                np.array([[2.0], [-2.0]]),
                np.array([[1.0], [0.5]]),
                np.array([[-1.5], [-0.2], [0.4], [2.0]]),
            ),
        ),
        Case(
            "each gate away from its own component",
            (
                _linear_gate(np.array([[-2.0, 2.0, 0.0]]), np.array([0.4, 0.4, 0.2])),
                np.array([[3.0], [-3.0], [0.0]]),
                np.array([[0.3], [1.5], [0.1]]),
                np.array([[-1.1], [-0.4], [0.1], [0.5], [1.3]]),
            ),
        ),
        Case(
            "the plane, four components, Z near 4",
            (
                _linear_gate(_TOWARDS_OWN, np.full(4, 0.25)),
                _FOUR_MEANS,
                np.array([[0.5, 1.0], [1.0, 1.0], [0.2, 0.7], [0.6, 0.6]]),
                _random.normal(size=(20, 2)).round(2),
            ),
        ),
        Case(
            "the plane, ten hidden units, five components, 500 draws",
            (
                _tanh_gate(
                    _random.normal(size=(2, 10)).round(2),
                    0.3 * _random.normal(size=(10, 5)).round(2),
                    np.array([-1.2, -0.9, -2000.0, -2.0, -30.0]),
                ),
                _random.normal(0, 5, (5, 2)).round(1),
                _random.exponential(size=(5, 2)).round(2) + 0.1,
                _random.normal(size=(500, 2)),
            ),
        ),
    ),
    properties=(
        Property("1 where the gate does not look at x", _one_without_a_gate),
        Property("the noise alone moves the points", _noise_of_zero),
        Property("on a line it is the integral on a grid", _by_quadrature),
        Property("the order of the components changes nothing", _names_do_not_matter),
        Property("parts of the noise average", _halves_average),
    ),
    misconceptions=(
        Misconception(
            "mean over the mixture",
            _of_table(lambda table: _own(table).mean()),
            "You average over the components as well. The integral is a *sum* over k: each N_k "
            "brings its own ∫ θ_k N_k, and equal gates of 1/K make 1 of K such terms.",
        ),
        Misconception(
            "all gates at all points",
            _of_table(lambda table: table.mean(axis=0).sum()),
            "You add up all gates at every component's points, and they always add up to 1: yours "
            "is K, whatever the gate does. θ_k belongs with N_k: at points of component k, only "
            "column k counts.",
        ),
        Misconception(
            "all gates at all points, averaged",
            _of_table(lambda table: table.mean(axis=(0, 1)).sum()),
            "Yours is 1 whatever the gate does: you add up all gates at a point, and they add up "
            "to 1 everywhere. θ_k belongs with N_k: at the points m_k + σ_k · noise of component "
            "k, only column k counts.",
        ),
        Misconception(
            "sum over the draws",
            _of_table(lambda table: _own(table).sum()),
            "You add up over the noise. An expectation is a mean: divide by the number of draws.",
        ),
        Misconception(
            "capped at 1",
            _of_table(lambda table: min(1.0, _own(table).mean(axis=0).sum())),
            "You cap it at 1. It is no probability: where each gate leans towards its own "
            "component it exceeds 1, up to K. That is the finding.",
        ),
        Misconception(
            "gates in logarithms",
            lambda log_gate, means, scales, noise: sum(
                np.mean(log_gate(m + s * noise)[:, k])
                for k, (m, s) in enumerate(zip(means, scales, strict=True))
            ),
            "You average log θ. Take its exponential first: `log_gate` gives logarithms.",
        ),
        Misconception(
            "exponential of the mean logarithm",
            lambda log_gate, means, scales, noise: sum(
                np.exp(np.mean(log_gate(m + s * noise)[:, k]))
                for k, (m, s) in enumerate(zip(means, scales, strict=True))
            ),
            "You average log θ and take the exponential of that, which is always less than the "
            "mean of θ (Jensen). Exponentials first.",
        ),
        Misconception(
            "log Z",
            _of_table(lambda table: np.log(_own(table).mean(axis=0).sum())),
            "This is log Z. Z itself is asked for.",
        ),
        Misconception(
            "at the means",
            _at(lambda m, s, noise: m + 0 * noise),
            "You look at each gate at the component's mean alone. The gate is curved, so its mean "
            "over the component is another number: m_k + σ_k · noise.",
        ),
        Misconception(
            "no scales",
            _at(lambda m, s, noise: m + noise),
            "Your points have a standard deviation of 1. Those of component k: m_k + σ_k · noise.",
        ),
        Misconception(
            "variances for scales",
            _at(lambda m, s, noise: m + np.sqrt(s) * noise),
            "You take the root of the scales. They are standard deviations already.",
        ),
        Misconception(
            "scales squared",
            _at(lambda m, s, noise: m + s**2 * noise),
            "You multiply the noise by the variance. A normal draw is m + σ · noise.",
        ),
        Misconception(
            "no means",
            _at(lambda m, s, noise: s * noise),
            "Your points lie about 0. Those of component k lie about its mean: m_k + σ_k · noise.",
        ),
        Misconception(
            "the density too",
            _density_too,
            "You multiply θ_k by N_k at points that were *drawn* from N_k: it counts twice. "
            "∫ θ_k N_k is the plain mean of θ_k over draws from N_k.",
        ),
        Misconception(
            "the whole sum at drawn points",
            _all_densities,
            "You average Σ_k θ_k N_k, a density, over points that were drawn from the components: "
            "so the densities count twice. ∫ θ_k N_k is the mean of θ_k over draws from N_k.",
        ),
        Misconception(
            "weights from the gate",
            _of_table(lambda table: np.sum(_own(table).mean(axis=0) * table.mean(axis=(0, 1)))),
            "You weigh the components once more. π is inside θ already: the terms of the sum over "
            "k have no other weights.",
        ),
        Misconception(
            "largest gate",
            _of_table(lambda table: table.max(axis=2).mean(axis=0).sum()),
            "You take the largest gate at each point. At points of component k it is θ_k, whether "
            "it is the largest or not.",
        ),
        Misconception(
            "one for each component",
            _of_table(lambda table: _own(table).mean(axis=0)),
            "You have ∫ θ_k N_k for each component. Z is their sum.",
        ),
        Misconception(
            "one for each draw",
            _of_table(lambda table: _own(table).sum(axis=1)),
            "You have a number for each draw of the noise. Z is their mean.",
        ),
        Misconception(
            "one less",
            _of_table(lambda table: _own(table).mean(axis=0).sum() - 1),
            "This is Z − 1. Z itself is asked for.",
        ),
        Misconception(
            "upside down",
            _of_table(lambda table: 1 / _own(table).mean(axis=0).sum()),
            "This is 1/Z, what the function has to be multiplied by. Z itself is asked for.",
        ),
    ),
    hints=(
        "∫ Σ_k θ_k(x) N_k(x) dx is a sum of K integrals. Each is an expectation: of what, and "
        "under which distribution?",
        "E[θ_k(x)] for x ~ N_k, so draw x = means[k] + scales[k] * noise, and average column k of "
        "the gate, np.exp(log_gate(x)[:, k]).",
        "return sum(np.exp(log_gate(means[k] + scales[k] * noise)[:, k]).mean() for k in "
        "range(len(means)))",
    ),
    time_limit=10.0,  # JAX compiles each operation for each shape
)
