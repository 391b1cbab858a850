"""Check of unit 05, exercise 5.3: the reparameterised gradient.

Kingma & Welling (2014), "Auto-encoding variational Bayes", section 2.4: θ = mean + sd · noise turns
a mean under q into one under N(0, 1), which does not depend on mean and sd.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

Curve = Callable[[NDArray], NDArray]
"""f or f′, entry by entry."""

EXACT = np.sqrt(3.0) * np.array([-1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
"""Six noises whose mean of any polynomial to the fifth degree is that under N(0, 1): the three
points of Gauss and Hermite, with weights 1/6, 4/6 and 1/6."""

# 5.3 · The gradient


def _gradient(slope: Curve, mean: float, log_sd: float, noise: NDArray) -> NDArray:
    away = np.exp(log_sd) * noise  # also the derivative of θ in log_sd
    slopes = slope(mean + away)
    return np.array([np.mean(slopes), np.mean(slopes * away)])


def square(theta: NDArray) -> NDArray:
    return theta**2


def twice(theta: NDArray) -> NDArray:
    return 2 * theta


def cube(theta: NDArray) -> NDArray:
    return theta**3 - theta


def below_cube(theta: NDArray) -> NDArray:
    return 3 * theta**2 - 1


def log_heavy(theta: NDArray) -> NDArray:
    """A log density with heavy tails, but for a constant."""
    return -2 * np.log(1 + (theta - 1) ** 2)


def pull(theta: NDArray) -> NDArray:
    return -4 * (theta - 1) / (1 + (theta - 1) ** 2)


CURVES: dict[Curve, Curve] = {twice: square, below_cube: cube, np.cos: np.sin, pull: log_heavy}
"""From each slope f′ to its f: for differences of f itself."""


def _is_the_slope_of_the_mean(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    slope, mean, log_sd, noise = args
    f, h = CURVES[slope], 1e-5

    def average(a: float, b: float) -> float:
        return float(np.mean(f(a + np.exp(b) * noise)))

    differences = (
        (average(mean + h, log_sd) - average(mean - h, log_sd)) / (2 * h),
        (average(mean, log_sd + h) - average(mean, log_sd - h)) / (2 * h),
    )
    for got, expected, name in zip(result, differences, ("mean", "log_sd"), strict=True):
        if not abs(got - expected) <= 1e-4 * max(1.0, abs(expected)):
            return Failure(
                f"With this noise, the mean of f(mean + e^log_sd · noise) was computed at two "
                f"{name}s close together. Its difference over theirs is the gradient in {name}.",
                float(got),
                float(expected),
            )
    return None


def _right_on_average(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, mean, log_sd, _ = args
    sd = float(np.exp(log_sd))
    got = call(below_cube, mean, log_sd, EXACT)
    # The mean under q of θ³ − θ is mean³ + 3 mean sd² − mean.
    exact = 3 * mean**2 + 3 * sd**2 - 1, 6 * mean * sd**2
    for value, right, name in zip(got, exact, ("mean", "log_sd"), strict=True):
        if not abs(value - right) <= 1e-5 * max(1.0, abs(right)):
            return Failure(
                "For f(θ) = θ³ − θ the mean under q is mean³ + 3 mean sd² − mean. With six noises "
                "that have the moments of N(0, 1), no luck is left, and with your mean and log_sd "
                f"your gradient in {name} should be that formula's.",
                float(value),
                float(right),
            )
    return None


def _draws_are_averaged(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    slope, mean, log_sd, noise = args
    again = np.asarray(call(slope, mean, log_sd, np.concatenate([noise, noise])))
    if np.allclose(again, result, rtol=1e-5, atol=1e-5):
        return None
    return Failure(
        "Every draw twice changes no average. Your gradient changed.",
        again,
        result,
        ("twice", "once"),
    )


def _from(combine: Callable[..., object]) -> Callable[..., object]:
    """An answer from ``combine(slopes, noise, sd, theta, log_sd)`` at the right θ."""

    def answer(slope: Curve, mean: float, log_sd: float, noise: NDArray) -> object:
        sd = np.exp(log_sd)
        theta = mean + sd * noise
        return combine(slope(theta), noise, sd, theta, log_sd)

    return answer


def _means(first: NDArray, second: NDArray) -> NDArray:
    return np.array([np.mean(first), np.mean(second)])


_random = np.random.default_rng(53)
_SOME = _random.normal(size=7).round(2)

reparameterised_gradient = Exercise(
    number="5.3",
    name="reparameterised_gradient",
    reference=_gradient,
    cases=(
        Case("f(θ) = θ², one draw", (twice, 1.0, float(np.log(2)), np.array([0.5]))),
        Case("f(θ) = θ², two draws", (twice, 1.5, float(np.log(0.5)), np.array([-1.0, 2.0]))),
        Case("f(θ) = θ³ − θ, seven draws", (below_cube, -0.5, 0.3, _SOME)),
        Case("f(θ) = sin θ, seven draws, a narrow q", (np.cos, 2.0, -3.0, _SOME)),
        Case(
            "f a log density with heavy tails, 300 draws, a wide q",
            (pull, 0.5, 1.0, _random.normal(size=300)),
        ),
    ),
    properties=(
        Property("it is the slope of the draws' mean of f", _is_the_slope_of_the_mean),
        Property("it is right on average", _right_on_average),
        Property("it is an average over draws", _draws_are_averaged),
    ),
    misconceptions=(
        Misconception(
            "detached sample",
            _from(lambda s, e, sd, theta, log_sd: np.zeros(2)),
            "You return zeros, as a framework does where the sample is detached: as if θ did not "
            "depend on mean and log_sd. It does, θ = mean + e^log_sd · noise: the noise carries "
            "the gradient.",
        ),
        Misconception(
            "no gradient in log_sd",
            _from(lambda s, e, sd, theta, log_sd: _means(s, 0 * s)),
            "Your gradient in log_sd is 0. But θ = mean + e^log_sd · noise moves with log_sd, by "
            "e^log_sd · noise for each unit: the noise carries the gradient.",
        ),
        Misconception(
            "in sd",
            _from(lambda s, e, sd, theta, log_sd: _means(s, s * e)),
            "This is the gradient in sd. In log_sd one factor more is due: d sd / d log_sd = sd.",
        ),
        Misconception(
            "log_sd taken for sd",
            lambda slope, mean, log_sd, noise: _means(
                slope(mean + log_sd * noise), slope(mean + log_sd * noise) * noise
            ),
            "You take log_sd for sd: a logarithm may be negative, a width may not. "
            "θ = mean + e^log_sd · noise; and then the derivative of e^log_sd is e^log_sd itself.",
        ),
        Misconception(
            "log_sd taken for sd, twice",
            lambda slope, mean, log_sd, noise: _means(
                slope(mean + log_sd * noise), slope(mean + log_sd * noise) * log_sd * noise
            ),
            "log_sd stands where sd = e^log_sd should, in θ and in the derivative.",
        ),
        Misconception(
            "log_sd taken for sd in the draws",
            lambda slope, mean, log_sd, noise: _means(
                slope(mean + log_sd * noise), slope(mean + log_sd * noise) * np.exp(log_sd) * noise
            ),
            "Your draws are mean + log_sd · noise. Their width is e^log_sd, as you have it in the "
            "derivative.",
        ),
        Misconception(
            "log_sd in the derivative",
            _from(lambda s, e, sd, theta, log_sd: _means(s, s * log_sd * e)),
            "Your draws are right. In the derivative log_sd stands where e^log_sd should: the "
            "derivative of an exponential is the exponential.",
        ),
        Misconception(
            "log_sd taken for a log variance",
            lambda slope, mean, log_sd, noise: (
                _gradient(slope, mean, log_sd / 2, noise) * np.array([1.0, 0.5])
            ),
            "You take log_sd for the logarithm of a variance, as many a network does. It is that "
            "of the standard deviation: no ½.",
        ),
        Misconception(
            "half a log variance in the draws",
            lambda slope, mean, log_sd, noise: _gradient(slope, mean, log_sd / 2, noise),
            "Your width is e^(log_sd/2). log_sd is the logarithm of the standard deviation: no ½.",
        ),
        Misconception(
            "squared width",
            _from(lambda s, e, sd, theta, log_sd: _means(s, s * sd**2 * e)),
            "In the gradient in log_sd you multiply by the variance. θ = mean + e^log_sd · noise "
            "has the derivative e^log_sd · noise: sd once.",
        ),
        Misconception(
            "slope at the mean",
            lambda slope, mean, log_sd, noise: _means(
                slope(mean + 0 * noise), slope(mean + 0 * noise) * np.exp(log_sd) * noise
            ),
            "You take the slope at q's mean. It is due at each draw, θ = mean + e^log_sd · noise: "
            "where f bends, the two differ.",
        ),
        Misconception(
            "noise for the draws",
            lambda slope, mean, log_sd, noise: _means(
                slope(noise), slope(noise) * np.exp(log_sd) * noise
            ),
            "You take the slope at the noise. The noise is from N(0, 1), and becomes a draw from q "
            "as θ = mean + e^log_sd · noise.",
        ),
        Misconception(
            "width left out of the draws",
            lambda slope, mean, log_sd, noise: _means(
                slope(mean + noise), slope(mean + noise) * np.exp(log_sd) * noise
            ),
            "Your draws are mean + noise, so q always has the width 1. "
            "θ = mean + e^log_sd · noise.",
        ),
        Misconception(
            "product of averages",
            _from(lambda s, e, sd, theta, log_sd: np.array([s.mean(), s.mean() * sd * e.mean()])),
            "You average slopes and noise on their own and multiply then. Each draw's slope goes "
            "with its own noise: multiply first, then average.",
        ),
        Misconception(
            "times θ",
            _from(lambda s, e, sd, theta, log_sd: _means(s, s * theta)),
            "You multiply by θ. Only its second part moves with log_sd: the derivative of mean + "
            "e^log_sd · noise is e^log_sd · noise.",
        ),
        Misconception(
            "times θ less noise",
            _from(lambda s, e, sd, theta, log_sd: _means(s, s * sd)),
            "The noise is missing: θ = mean + e^log_sd · noise has the derivative e^log_sd · noise "
            "in log_sd. A draw above the mean is moved up by a wider q, one below it down.",
        ),
        Misconception(
            "score function",
            _from(lambda s, e, sd, theta, log_sd: _means(s * e / sd, s * (e**2 - 1))),
            "These are the factors of the *score function* estimator, which multiplies f itself. "
            "With the slope at hand: f′(θ) times the derivative of θ.",
        ),
        Misconception(
            "entropy's gradient added",
            _from(lambda s, e, sd, theta, log_sd: _means(s, s * sd * e) + np.array([0.0, 1.0])),
            "The 1 is the gradient of q's entropy in log_sd, which belongs to an ELBO. Here it is "
            "the mean of f alone.",
        ),
        Misconception(
            "downhill",
            _from(lambda s, e, sd, theta, log_sd: -_means(s, s * sd * e)),
            "The sign is that of a descent. The gradient itself is asked for.",
        ),
        Misconception(
            "in another order",
            _from(lambda s, e, sd, theta, log_sd: _means(s * sd * e, s)),
            "The two are exchanged: first in mean, then in log_sd.",
        ),
        Misconception(
            "added up",
            _from(lambda s, e, sd, theta, log_sd: np.array([np.sum(s), np.sum(s * sd * e)])),
            "You add up over the draws. The mean under q is estimated by their *average*: more "
            "draws make it more precise, not larger.",
        ),
        Misconception(
            "in mean alone",
            _from(lambda s, e, sd, theta, log_sd: np.mean(s)),
            "You return one number, the gradient in mean. A second one is due, in log_sd: "
            "np.array([…, …]).",
        ),
        Misconception(
            "each draw's",
            _from(lambda s, e, sd, theta, log_sd: np.array([s, s * sd * e])),
            "You have each draw's gradient, a column for each. Average over the draws.",
        ),
        Misconception(
            "each draw's, as a pair",
            _from(lambda s, e, sd, theta, log_sd: (s, s * sd * e)),
            "You return two arrays, with an entry for each draw. Average each of them: two numbers "
            "are asked for.",
        ),
        Misconception(
            "each draw's, in rows",
            _from(lambda s, e, sd, theta, log_sd: np.stack([s, s * sd * e], axis=1)),
            "You have each draw's gradient, a row for each. Average over the draws.",
        ),
    ),
    hints=(
        "θ = mean + e^log_sd · noise. How far does θ move if mean grows a little, and how far if "
        "log_sd does?",
        "By the chain rule a draw's gradient is slope(θ) times the derivative of θ: 1 in mean, "
        "e^log_sd · noise in log_sd. Then average over the draws.",
        "away = np.exp(log_sd) · noise; slopes = slope(mean + away); then np.array([slopes.mean(), "
        "(slopes · away).mean()]).",
    ),
)
