"""Check of unit 06, exercise 6.3: the density of the logarithm of a gamma variable.

l = log g, g ~ Gamma(shape, 1). Gammas over their sum are a Dirichlet (Devroye 1986, *Non-Uniform
Random Variate Generation*, chapter XI), and for a shape of .0045 most of them are too small to be
stored: the logarithm is the coordinate to work in. ``log_value`` (n,), −2000 among them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, log

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import simpson
from scipy.special import digamma, gamma, gammaln, polygamma
from scipy.special import factorial as any_factorial
from scipy.stats import gamma as gamma_distribution
from scipy.stats import norm

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

# 6.3 · The logarithm of a gamma variable


def _log_density_of_log(log_value: NDArray, shape: float) -> NDArray:
    return np.asarray(shape * log_value - np.exp(log_value) - gammaln(shape))


def _runs_straight(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, shape = args
    low, high = (float(value) for value in call(np.array([-1500.0, -500.0]), shape))
    slope = (high - low) / 1000
    if abs(slope - shape) < 1e-6 * max(1, shape):
        return None
    return Failure(
        "Far to the left, where g is all but 0, the log density is a straight line, and its slope "
        "is the shape. From l = −1500 to l = −500 yours rises, for each unit of l, by:",
        slope,
        shape,
    )


def _mass(call: Callable, shape: float, weigh: Callable[[NDArray], NDArray]) -> float:
    """∫ weigh(l) p(l) dl. The left end has e^(−40) of the mass, the right end less."""
    right = np.log(shape + 10 * np.sqrt(shape) + 40)
    total = 0.0
    for low, high in ((-40 / shape - 40, -12.0), (-12.0, right)):
        log_g = np.linspace(low, high, 2001)
        total += float(simpson(weigh(log_g) * np.exp(call(log_g, shape)), x=log_g))
    return total


def _integrates_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    total = _mass(call, args[1], np.ones_like)
    if abs(total - 1) < 1e-4:
        return None
    return Failure(
        "It is a density of l, so it integrates to 1 over all l, by Simpson's rule. Yours to:",
        total,
        1.0,
    )


def _has_the_mean(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    shape = args[1]
    mean = _mass(call, shape, np.exp)
    if abs(mean - shape) < 1e-3 * shape:
        return None
    return Failure(
        "The mean of a gamma variable is its shape, so ∫ e^l p(l) dl should be the shape. With "
        "your density it is:",
        mean,
        shape,
    )


def _combined(
    slope: float = 0.0, g: float = 1.0, constant: Callable[[float], float] = gammaln
) -> Callable[[NDArray, float], NDArray]:
    """An answer (a + slope) l − g e^l − constant(a)."""

    def answer(log_value: NDArray, shape: float) -> NDArray:
        return np.asarray((shape + slope) * log_value - g * np.exp(log_value) - constant(shape))

    return answer


def _with_log_of(floored: Callable[[NDArray], NDArray]) -> Callable[[NDArray, float], NDArray]:
    """The right answer with the logarithm taken again, of ``floored(g)``."""

    def answer(log_value: NDArray, shape: float) -> NDArray:
        g = floored(np.exp(log_value))
        return np.asarray(shape * np.log(g) - g - gammaln(shape))

    return answer


def _of_exponentials(power: float, moved: float) -> Callable[[NDArray, float], NDArray]:
    """log (g^(a + power) e^(−g) / Γ(a)) + moved · l, every factor built before the logarithm."""

    def answer(log_value: NDArray, shape: float) -> NDArray:
        g = np.exp(log_value)
        with np.errstate(all="ignore"):
            return np.asarray(np.log(g ** (shape + power) * np.exp(-g) / gamma(shape))) + (
                moved * log_value
            )

    return answer


def _by_factorial(log_value: NDArray, shape: float) -> NDArray:
    whole = factorial(shape - 1)  # type: ignore[arg-type]  # a mistake
    return np.asarray(shape * log_value - np.exp(log_value) - log(whole))


log_density_of_log = Exercise(
    number="6.3",
    name="log_density_of_log",
    reference=_log_density_of_log,
    cases=(
        Case("shape 1, at 0 and −1", (np.array([0.0, -1.0]), 1)),  # int: a factorial takes it
        Case("shape 2.5, at −2, 0 and 1", (np.array([-2.0, 0.0, 1.0]), 2.5)),
        Case("shape ½, from −20 to 3", (np.array([-20.0, -4.0, 0.5, 3.0]), 0.5)),
        Case("shape 300, about log 300", (np.array([5.5, 5.7, 5.9]), 300.0)),
        Case("the recipe's .0045, near 0", (np.array([-23.0, -1.0, 1.0]), 0.0045)),
        Case(
            "the recipe's .0045, at −2000, where e^l is 0",
            (np.array([-2000.0, -800.0, -300.0, 0.0]), 0.0045),
        ),
    ),
    properties=(
        Property("it integrates to one", _integrates_to_one),
        Property("the mean of g is the shape", _has_the_mean),
        Property("far to the left it is a straight line", _runs_straight),
    ),
    misconceptions=(
        Misconception(
            "no Jacobian",
            _combined(slope=-1),
            "This is the density of g, (a − 1) log g − g − log Γ(a), at g = e^l. As a density of "
            "l it has the factor |dg/dl| = e^l: add l, and a − 1 becomes a.",
        ),
        Misconception(
            "no Jacobian, by SciPy",
            lambda log_g, a: gamma_distribution.logpdf(np.exp(log_g), a),
            "This is the density of g at e^l. As a density of l it has the factor dg/dl = e^l. "
            "And e^(−2000) is stored as 0: write the logarithm out, with l as it is.",
        ),
        Misconception(
            "by SciPy",
            lambda log_g, a: gamma_distribution.logpdf(np.exp(log_g), a) + log_g,
            "The formula is right, and e^(−2000) is stored as 0, where SciPy's density is ∞ or 0. "
            "(a − 1) log g is (a − 1) l: write it with l, which never leaves the logarithm.",
        ),
        Misconception(
            "built of exponentials",
            _of_exponentials(0, 0),
            "The formula is right, but you build the density g^a e^(−g) / Γ(a) and take the "
            "logarithm last: at l = −2000 the density's first factor has g = 0, at a = 300 Γ(a) is "
            "∞. A logarithm of products is a sum: a l − e^l − log Γ(a), each term as it is.",
        ),
        Misconception(
            "built of exponentials, Jacobian apart",
            _of_exponentials(-1, 1),
            "You build g^(a − 1) e^(−g) / Γ(a), take its logarithm, and add l. The Jacobian is "
            "right. But at l = −2000 g is stored as 0, and 0 to a negative power is ∞. Write "
            "log g^(a − 1) as (a − 1) l before anything is computed.",
        ),
        Misconception(
            "built of exponentials, no Jacobian",
            _of_exponentials(-1, 0),
            "This is the density of g, built of exponentials, and then its logarithm. As a density "
            "of l it has the factor dg/dl = e^l besides, so add l. And g = e^(−2000) is stored as "
            "0: take the logarithm of each factor by hand.",
        ),
        Misconception(
            "factorial",
            _by_factorial,
            "You take the factorial of a − 1. That is Γ(a) for whole a alone, and the shape is "
            ".0045 here: `scipy.special.gammaln` has log Γ for every a above 0.",
        ),
        Misconception(
            "factorial, by SciPy",
            lambda log_g, a: a * log_g - np.exp(log_g) - np.log(any_factorial(a - 1)),
            "Γ(a) is (a − 1)!, and SciPy's factorial of a negative number is 0: for a below 1 its "
            "logarithm is −∞. `scipy.special.gammaln` has log Γ for every a above 0.",
        ),
        Misconception(
            "logarithm taken again",
            _with_log_of(lambda g: g),
            "You take the exponential and then its logarithm again. e^(−800) is stored as 0, and "
            "its logarithm is −∞; log g is l, which you have.",
        ),
        Misconception(
            "Jacobian twice",
            _combined(slope=1),
            "You add l to a formula that has it already: (a − 1) l from the density of g, and "
            "one l from dg = e^l dl, make a l.",
        ),
        Misconception(
            "Jacobian upside down",
            _combined(slope=-2),
            "The Jacobian is upside down. p(l) dl = p(g) dg and dg/dl = e^l: *add* l to the log "
            "density of g.",
        ),
        Misconception(
            "no normaliser",
            _combined(constant=lambda a: 0.0),
            "log Γ(a) is missing, so it does not integrate to 1. For one fixed a it is a constant; "
            "between two values of a it decides.",
        ),
        Misconception(
            "normaliser added",
            _combined(constant=lambda a: -gammaln(a)),
            "You add log Γ(a). The integral of g^(a − 1) e^(−g) *is* Γ(a): divide by it.",
        ),
        Misconception(
            "Γ of a plus 1",
            _combined(constant=lambda a: gammaln(a + 1)),
            "You divide by Γ(a + 1) = a Γ(a). For whole numbers Γ(a) = (a − 1)!, one less than "
            "one would think.",
        ),
        Misconception(
            "Γ not in logarithms",
            _combined(constant=gamma),
            "You subtract Γ(a). In logarithms a factor 1/Γ(a) is − log Γ(a), `gammaln`.",
        ),
        Misconception(
            "log of Γ",
            _combined(constant=lambda a: np.log(gamma(a))),
            "log Γ(a) by way of Γ(a): Γ(300) is too large to be stored. `scipy.special.gammaln` "
            "has the logarithm itself.",
        ),
        Misconception(
            "digamma",
            _combined(constant=digamma),
            "You subtract ψ(a), the digamma function: that is the *mean* of log g, the derivative "
            "of log Γ. What makes it integrate to 1 is log Γ(a), `gammaln`.",
        ),
        Misconception(
            "−l for −g",
            lambda log_g, a: a * log_g - log_g - gammaln(a),
            "The gamma density has e^(−g), and g is e^l: subtract np.exp(l), not l.",
        ),
        Misconception(
            "g added",
            _combined(g=-1),
            "You add e^l. The gamma density falls like e^(−g): subtract it.",
        ),
        Misconception(
            "no e^(−g)",
            _combined(g=0),
            "The factor e^(−g) is missing: −e^l in the logarithm. Without it the density grows to "
            "the right without end.",
        ),
        Misconception(
            "l for g",
            lambda log_g, a: gamma_distribution.logpdf(log_g, a),
            "You put l itself into the gamma density, where it is −∞ for negative l. The gamma "
            "variable is g = e^l, and its logarithm takes any value.",
        ),
        Misconception(
            "not in logarithms",
            lambda log_g, a: np.exp(_log_density_of_log(log_g, a)),
            "This is the density. Its logarithm is asked for.",
        ),
        Misconception(
            "floor of 1e-10",
            _with_log_of(lambda g: g + 1e-10),
            "You add 1e-10 to g. With a shape of .0045, g lies below that nine times out of ten: "
            "the floor would be the prior. l needs none.",
        ),
        Misconception(
            "cut off at 1e-10",
            _with_log_of(lambda g: np.maximum(g, 1e-10)),
            "You cut g off at 1e-10. With a shape of .0045, g lies below that nine times out of "
            "ten, and all of these would look alike. l needs no cutting.",
        ),
        Misconception(
            "a normal with the same moments",
            lambda log_g, a: norm.logpdf(log_g, digamma(a), np.sqrt(polygamma(1, a))),
            "This is a normal density with mean and variance of l. The real one is far from "
            "normal: a long straight slope to the left, a cliff to the right.",
        ),
        Misconception(
            "a normal about log a",
            lambda log_g, a: norm.logpdf(log_g, np.log(a), np.sqrt(polygamma(1, a))),
            "This is a normal density about log a. log a is the logarithm of the mean of g, and "
            "not the mean of l; and l is not normal: change variables in the gamma's own density.",
        ),
        Misconception(
            "1/g",
            lambda log_g, a: _log_density_of_log(-log_g, a),
            "This is the density of log(1/g): the signs of l are exchanged.",
        ),
        Misconception(
            "shape for scale",
            lambda log_g, a: log_g - np.exp(log_g) / a - np.log(a),
            "You take `shape` for the scale of an exponential. Gamma(a, 1) has the density "
            "g^(a − 1) e^(−g) / Γ(a).",
        ),
        Misconception(
            "added up",
            lambda log_g, a: _log_density_of_log(log_g, a).sum(),
            "You add up over the values. One log density for each of them is asked for.",
        ),
    ),
    hints=(
        "g has the density g^(a − 1) e^(−g) / Γ(a). Write its logarithm with log g = l. What "
        "becomes of a density when the variable is changed?",
        "p(l) = p(g) |dg/dl|, and dg/dl = e^l, so l is added: (a − 1) l + l − e^l − log Γ(a). "
        "`scipy.special.gammaln` is log Γ.",
        "return shape * log_value - np.exp(log_value) - gammaln(shape)",
    ),
    single=False,  # an answer may set apart where e^l is 0: a place of its own in float32
)
