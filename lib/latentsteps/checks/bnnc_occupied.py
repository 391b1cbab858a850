"""Check of unit 06, exercise 6.2: how many components a sparse Dirichlet prior expects to use.

π ~ Dirichlet(a, …, a) over K components, ``points`` points drawn from them: the expected number of
components that at least one point comes from. A component's weight is Beta(a, (K − 1) a), so that
it gets none of N points with probability B(a, (K − 1) a + N) / B(a, (K − 1) a) = Π_{i<N}
((K − 1) a + i) / (K a + i) (Johnson & Kotz 1977, *Urn Models and Their Application*, chapter 4).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import betaln, gamma

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

# 6.2 · Occupied components


def _expected_occupied(concentration: float, components: int, points: int) -> float:
    seen, others = np.arange(points), concentration * (components - 1)
    avoided = np.prod((others + seen) / (concentration + others + seen))
    return float(components * (1 - avoided))


def _one_point(call: Callable, args: tuple, result: float) -> Failure | None:
    concentration, components, _ = args
    value = float(call(concentration, components, 1))
    if abs(value - 1) < 1e-6:
        return None
    return Failure(
        "A single point comes from exactly one component, whatever the weights are. With one "
        "point yours gives:",
        value,
        1.0,
    )


def _two_points(call: Callable, args: tuple, result: float) -> Failure | None:
    a, k, _ = args
    value, expected = float(call(a, k, 2)), 2 - (a + 1) / (k * a + 1)
    if abs(value - expected) < 1e-6:
        return None
    near = abs(value - expected) < 0.05
    words = (
        "It is near, as a simulation or an approximation is; the number can be had exactly. "
        if near
        else ""
    )
    return Failure(
        f"Two points share a component with probability (a + 1)/(K a + 1), as two draws from an "
        f"urn do, so that 2 less this many are occupied. {words}With two points yours gives:",
        value,
        expected,
    )


def _never_more(call: Callable, args: tuple, result: float) -> Failure | None:
    concentration, components, points = args
    most = min(components, points)
    if not 1 - 1e-6 <= result <= most + 1e-6:
        return Failure(
            f"{points} points occupy one component at least, and of {components} components "
            f"{most} at most. Yours:",
            result,
        )
    again = float(call(concentration, components, 2 * points))
    if again > result - 1e-9:
        return None
    return Failure(
        "Twice as many points occupy as many components or more. Yours fell.",
        again,
        result,
        AFTER_BEFORE,
    )


def _many_components(call: Callable, args: tuple, result: float) -> Failure | None:
    concentration, components, points = args
    total, many = concentration * components, 10_000
    if total > 2:
        return None
    value = float(call(total / many, many, points))
    expected = _process(total, points)
    if abs(value - expected) < 2e-3 * expected:  # with 10,000 components they differ by less
        return None
    return Failure(
        "K a shared out among 10,000 components is all but a Dirichlet process, of which the "
        "formula is well known: Σ K a / (K a + i), i from 0 to N − 1. Yours gives:",
        value,
        expected,
    )


def _avoided(a: float, b: float, points: float) -> float:
    """The mean of (1 − w)^points under w ~ Beta(a, b)."""
    return float(np.exp(betaln(a, b + points) - betaln(a, b)))


def _process(alpha: float, points: int) -> float:
    """Occupied components of a Dirichlet process."""
    return float(np.sum(alpha / (alpha + np.arange(points))))


def _times_k(avoided: Callable[[float, int, int], float]) -> Callable[[float, int, int], float]:
    """An answer K (1 − the probability, which is given, that a component gets no point)."""
    return lambda a, k, points: k * (1 - avoided(a, k, points))


def _by_gamma(function: Callable[[float], float]) -> Callable[[float, int, int], float]:
    """The right formula with a gamma function where its logarithm is due."""

    def avoided(a: float, k: int, points: int) -> float:
        b = a * (k - 1)
        return function(b + points) * function(k * a) / function(b) / function(k * a + points)

    return _times_k(avoided)


expected_occupied = Exercise(
    number="6.2",
    name="expected_occupied",
    reference=_expected_occupied,
    cases=(
        Case("one point, two components", (1.0, 2, 1)),
        Case("two points, two components, a = 1", (1.0, 2, 2)),
        Case("three points, four components, a = ½", (0.5, 4, 3)),
        Case("the recipe's: a = .05/11, 500 points", (0.05 / 11, 11, 500)),
        Case("a = .05, 500 points", (0.05, 11, 500)),
        Case("a = 1/11, 500 points", (1 / 11, 11, 500)),
        Case("a = ½, 500 points", (0.5, 11, 500)),
        Case("a = 20, five points, forty components", (20.0, 40, 5)),
        Case("a = .01, 20,000 points", (0.01, 11, 20_000)),
    ),
    properties=(
        Property("one point occupies one component", _one_point),
        Property("between one and all of them, and more with more points", _never_more),
        Property("two points meet as often as they should", _two_points),
        Property("with very many components it is the Dirichlet process", _many_components),
    ),
    misconceptions=(
        Misconception(
            "all of them",
            lambda a, k, points: k,
            "You count the components with a weight above 0, which all have. Occupied are those "
            "that at least one of the N points was drawn from.",
        ),
        Misconception(
            "one or the other",
            lambda a, k, points: min(k, points),
            "This is the most that can be occupied. How many are, on average over the weights "
            "that the prior draws?",
        ),
        Misconception(
            "equal weights",
            _times_k(lambda a, k, points: (1 - 1 / k) ** points),
            "You put in the weights' mean, 1/K each. A small a makes weights that are far from "
            "equal: take the mean of (1 − w)^N over w ~ Beta(a, (K − 1) a), not at the mean w.",
        ),
        Misconception(
            "effective number",
            lambda a, k, points: (k * a + 1) / (a + 1),
            "You have 1/E[Σ π²], which says how even the weights are. The number of points does "
            "not enter it: a component with a weight of .001 is occupied sooner or later.",
        ),
        Misconception(
            "a shared out",
            lambda a, k, points: _expected_occupied(a / k, k, points),
            "You divide the concentration by K once more. It is a of each component already: the "
            "recipe's α/K, not its α.",
        ),
        Misconception(
            "a times K",
            lambda a, k, points: _expected_occupied(a * k, k, points),
            "You give each component K a. That is the *total* of the Dirichlet's parameters; each "
            "component has a, and the others together (K − 1) a.",
        ),
        Misconception(
            "Dirichlet process with K a",
            lambda a, k, points: _process(a * k, points),
            "This is a Dirichlet process with α = K a, the limit of ever more components. With K "
            "of them points meet again by chance sooner, and there are never more than K.",
        ),
        Misconception(
            "Dirichlet process with a",
            lambda a, k, points: _process(a, points),
            "This is a Dirichlet process with α = a. Here there are K components, each with a "
            "of its own.",
        ),
        Misconception(
            "K a log N",
            lambda a, k, points: k * a * np.log(points),
            "α log N is how the number grows in a Dirichlet process, for large N. It is 0 for a "
            "single point, which occupies a component as well. The exact number is asked for.",
        ),
        Misconception(
            "of one component",
            lambda a, k, points: 1 - _avoided(a, (k - 1) * a, points),
            "This is the probability that *one* given component is occupied. There are K, all "
            "alike, and expectations add up: times K.",
        ),
        Misconception(
            "a probability for each",
            lambda a, k, points: np.full(k, 1 - _avoided(a, (k - 1) * a, points)),
            "You have the probability of each component. Their sum is the expected number.",
        ),
        Misconception(
            "empty ones",
            lambda a, k, points: k * _avoided(a, (k - 1) * a, points),
            "These are the expected *empty* components. Occupied are the others: K less this.",
        ),
        Misconception(
            "empty of one",
            lambda a, k, points: _avoided(a, (k - 1) * a, points),
            "This is the probability that one given component stays empty. Occupied is the "
            "opposite, and there are K components.",
        ),
        Misconception(
            "K a for the others",
            _times_k(lambda a, k, points: _avoided(a, k * a, points)),
            "The others have (K − 1) a together: K a is the total, with the component itself. So "
            "its weight is Beta(a, (K − 1) a).",
        ),
        Misconception(
            "two components",
            _times_k(lambda a, k, points: _avoided(a, a, points)),
            "Beta(a, a) is the weight of one of *two* components. With K of them the others "
            "together have (K − 1) a.",
        ),
        Misconception(
            "uniform weights on a stick",
            _times_k(lambda a, k, points: _avoided(1, k - 1, points)),
            "The concentration does not enter: this is a = 1. A component's weight is "
            "Beta(a, (K − 1) a).",
        ),
        Misconception(
            "one point less",
            _times_k(lambda a, k, points: _avoided(a, (k - 1) * a, points - 1)),
            "You have N − 1 points: the product has a factor for each of the N, from i = 0 to "
            "N − 1.",
        ),
        Misconception(
            "one point more",
            _times_k(lambda a, k, points: _avoided(a, (k - 1) * a, points + 1)),
            "You have N + 1 points: the product has a factor for each of the N, from i = 0 to "
            "N − 1.",
        ),
        Misconception(
            "all points in one",
            _times_k(lambda a, k, points: _avoided((k - 1) * a, a, points)),
            "You have w^N: that *all* points come from the component. It stays empty if none "
            "does, (1 − w)^N, and N is added to the other parameter, (K − 1) a.",
        ),
        Misconception(
            "upside down",
            _times_k(lambda a, k, points: 1 / _avoided(a, (k - 1) * a, points)),
            "Your ratio of Beta functions is upside down. The probability of avoiding N points is "
            "below 1, and B(a, b + N) is smaller than B(a, b): it stands above.",
        ),
        Misconception(
            "whole numbers",
            lambda a, k, points: round(_expected_occupied(a, k, points)),
            "You round. An expectation is an average and need not be a whole number.",
        ),
        Misconception(
            "gamma overflows",
            _by_gamma(gamma),
            "The formula is right, and Γ(500) is too large to be stored: ∞ over ∞. Subtract "
            "logarithms (`betaln`, `gammaln`) and take the exponential last, or multiply N ratios.",
        ),
        Misconception(
            "math.gamma overflows",
            _by_gamma(math.gamma),
            "The formula is right, but `math.gamma` stops from 172 on, where Γ is too large to "
            "be stored. Subtract logarithms (`betaln`, `gammaln`) and take the exponential last, "
            "or multiply N ratios.",
        ),
    ),
    hints=(
        "Expectations add up. With what probability is *one* given component occupied, and with "
        "what probability is it avoided by all N points, if its weight is w?",
        "(1 − w)^N, and w ~ Beta(a, (K − 1) a). The mean of (1 − w)^N is a ratio of Beta "
        "functions, B(a, (K − 1) a + N) / B(a, (K − 1) a); `scipy.special.betaln` has their "
        "logarithm.",
        "others = (components - 1) * concentration; avoided = np.exp(betaln(concentration, others "
        "+ points) - betaln(concentration, others)); return components * (1 - avoided)",
    ),
)
