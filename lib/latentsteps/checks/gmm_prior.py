"""Checks of unit 03, exercise 3.3: the mean and covariance of one component, with a prior.

Names and shapes as in :mod:`latentsteps.checks.gmm`. The prior is the normal-inverse-Wishart
density, N(m | m₀, Σ/κ) · IW(Σ | S₀, ν) (Murphy 2012, *Machine Learning: A Probabilistic
Perspective*, section 4.6.3).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

Answer = tuple[NDArray, NDArray]
"""The mean (D,) and the covariance (D, D) of a component."""

_random = np.random.default_rng(3)


def _scatter(x: NDArray, r: NDArray, middle: NDArray) -> NDArray:
    """Σ_n r_n (x_n − middle)(x_n − middle)ᵀ, (D, D)."""
    away = x - middle
    return (r[:, None] * away).T @ away


# 3.3 · One component with a prior


def _map_component(
    x: NDArray, r: NDArray, m0: NDArray, kappa: float, s0: NDArray, nu: float
) -> Answer:
    count, d = r.sum(), x.shape[1]
    mean = (kappa * m0 + r @ x) / (kappa + count)
    pull = mean - m0
    total = s0 + _scatter(x, r, mean) + kappa * np.outer(pull, pull)
    return mean, total / (count + nu + d + 2)


def log_posterior(
    mean: NDArray,
    covariance: NDArray,
    x: NDArray,
    r: NDArray,
    m0: NDArray,
    kappa: float,
    s0: NDArray,
    nu: float,
) -> float:
    """Log-likelihood weighed by r, plus the log density of the prior, without its constants."""
    d = len(mean)
    log_determinant = np.linalg.slogdet(covariance)[1]
    squares = ((x - mean) * np.linalg.solve(covariance, (x - mean).T).T).sum(axis=1)
    likelihood = -0.5 * np.sum(r * (squares + log_determinant))
    pull = mean - m0
    normal = -0.5 * (kappa * pull @ np.linalg.solve(covariance, pull) + log_determinant)
    wishart = -0.5 * ((nu + d + 1) * log_determinant + np.trace(np.linalg.solve(covariance, s0)))
    return float(likelihood + normal + wishart)


def _is_definite(call: Callable, args: tuple, result: Answer) -> Failure | None:
    covariance = result[1]
    smallest = float(np.linalg.eigvalsh((covariance + covariance.T) / 2)[0])
    if np.allclose(covariance, covariance.T, atol=1e-5 * np.abs(covariance).max()) and smallest > 0:
        return None
    return Failure(
        "A covariance is symmetric, and with this prior it has positive eigenvalues. The smallest "
        "of yours:",
        smallest,
    )


def _nobody_came(call: Callable, args: tuple, result: Answer) -> Failure | None:
    _, r, m0, _, s0, nu = args
    if r.sum() > 0:
        return None
    mode = s0 / (nu + len(m0) + 2)
    if not np.allclose(result[0], m0):
        return Failure("Without points the prior decides alone: the mean is m₀.", result[0], m0)
    if np.allclose(result[1], mode):
        return None
    return Failure(
        "Without points the prior decides alone: the covariance is at the prior's joint mode.",
        result[1],
        mode,
    )


def _slopes(args: tuple, result: Answer, where: str) -> tuple[float, str]:
    """The steepest slope of the log posterior, and in which entry.

    By central differences in units of the covariance's own factor L: the mean moves to m + h L e_i,
    the covariance to L (I + h E_ij) Lᵀ, so that scales do not matter.
    """
    mean, covariance = result
    factor, h, d = np.linalg.cholesky(covariance), 1e-4, len(mean)
    worst, name = 0.0, ""
    for i in range(d):
        for j in range(i + 1):
            change = np.zeros((d, d))
            change[i, j] = change[j, i] = h
            if where == "mean":
                step = h * factor[:, i]
                ends = [(mean + step, covariance), (mean - step, covariance)]
            else:
                step = factor @ change @ factor.T
                ends = [(mean, covariance + step), (mean, covariance - step)]
            up, down = (log_posterior(*end, *args) for end in ends)
            slope = (up - down) / (2 * h)
            if abs(slope) > abs(worst):
                worst, name = slope, f"[{i}]" if where == "mean" else f"[{i}, {j}]"
    return worst, name


def _flat_in(where: str) -> Property:
    def holds(call: Callable, args: tuple, result: Answer) -> Failure | None:
        slope, name = _slopes(args, result, where)
        if abs(slope) < 1e-4 * (args[1].sum() + args[5] + len(args[2]) + 2):
            return None
        return Failure(
            "At the most probable place no small change helps. Log-likelihood plus log prior still "
            f"has a slope at yours, in direction {name} of the {where}, in units of your "
            "component's own width.",
            slope,
            0.0,
        )

    return Property(f"the log posterior has no slope in the {where}", holds)


def _mle(x: NDArray, r: NDArray) -> tuple[float, NDArray, NDArray]:
    """N_k, the members' mean and their scatter around it; without members all are zero."""
    count = r.sum()
    mean = r @ x / max(count, 1e-300)
    return count, mean, _scatter(x, r, mean)


def _with(
    numerator: Callable | None = None,
    divisor: Callable | None = None,
    middle: Callable | None = None,
) -> Callable[..., Answer]:
    """An answer that differs from the right one in the scatter, the divisor or the mean.

    Each is a function of a dictionary: the arguments, ``n`` = N_k, ``d``, ``xbar``, ``own`` (the
    scatter around it), ``pull`` = (xbar − m₀)(xbar − m₀)ᵀ and ``shrink``, its weight; and of the
    new mean m ``near``, the scatter around it, and ``step`` = (m − m₀)(m − m₀)ᵀ.
    """

    def answer(x: NDArray, r: NDArray, m0: NDArray, kappa: float, s0: NDArray, nu: float) -> Answer:
        n, xbar, own = _mle(x, r)
        known = {"x": x, "r": r, "m0": m0, "kappa": kappa, "s0": s0, "nu": nu, "n": n}
        known |= {"d": len(m0), "xbar": xbar, "own": own, "pull": np.outer(xbar - m0, xbar - m0)}
        mean, covariance = _map_component(x, r, m0, kappa, s0, nu)
        known |= {"near": _scatter(x, r, mean), "step": np.outer(mean - m0, mean - m0)}
        known |= {"shrink": kappa * n / (kappa + n)}
        total, share = covariance * (n + nu + len(m0) + 2), n + nu + len(m0) + 2
        return (
            mean if middle is None else middle(known),
            (total if numerator is None else numerator(known))
            / (share if divisor is None else divisor(known)),
        )

    return answer


def _zero_over_zero(
    x: NDArray, r: NDArray, m0: NDArray, kappa: float, s0: NDArray, nu: float
) -> Answer:
    xbar = r @ x / r.sum()
    return _with(middle=lambda a: (kappa * m0 + a["n"] * xbar) / (kappa + a["n"]))(
        x, r, m0, kappa, s0, nu
    )


_EYE = np.eye(2)
_GEYSER_LIKE = _random.multivariate_normal([0.7, 0.66], [[0.13, 0.06], [0.06, 0.19]], 40).round(2)

map_component = Exercise(
    number="3.3",
    name="map_component",
    reference=_map_component,
    cases=(
        Case(
            "one point on a line, at 2",
            (np.array([[2.0]]), np.array([1.0]), np.array([0.0]), 1.0, np.array([[1.0]]), 1.0),
        ),
        Case(
            "nobody came: all responsibilities are 0",
            (
                np.array([[0.0, 0.0], [2.0, 1.0], [4.0, 4.0]]),
                np.zeros(3),
                np.array([1.0, -1.0]),
                0.5,
                np.array([[2.0, 0.5], [0.5, 1.0]]),
                4.0,
            ),
        ),
        Case(
            "three points in the plane, taken in part",
            (
                np.array([[0.0, 0.0], [2.0, 1.0], [4.0, 4.0]]),
                np.array([1.0, 0.75, 0.25]),
                np.array([1.0, -1.0]),
                2.0,
                np.array([[2.0, 0.5], [0.5, 1.0]]),
                4.0,
            ),
        ),
        Case(
            "the component stands on one of three points",
            (
                np.array([[0.0, 0.0], [2.0, 1.0], [4.0, 4.0]]),
                np.array([0.0, 0.0, 1.0]),
                np.zeros(2),
                0.01,
                0.1 * _EYE,
                3.0,
            ),
        ),
        Case(
            "forty points, taken in part, and a weak prior",
            (_GEYSER_LIKE, _random.random(40).round(2), np.zeros(2), 0.01, 0.1 * _EYE, 3.0),
        ),
        Case(
            "twenty points in three dimensions and a strong prior",
            (
                _random.normal(size=(20, 3)).round(2),
                _random.random(20).round(2),
                np.array([1.0, 2.0, -1.0]),
                8.0,
                np.diag([4.0, 9.0, 1.0]),
                6.0,
            ),
        ),
    ),
    properties=(
        Property("symmetric, with positive eigenvalues", _is_definite),
        Property("without points it is the prior's mode", _nobody_came),
        _flat_in("mean"),
        _flat_in("covariance"),
    ),
    misconceptions=(
        Misconception(
            "mode of the covariance alone",
            _with(divisor=lambda a: a["n"] + a["nu"] + a["d"] + 1),
            "N_k + ν + D + 1 is due if the covariance stands alone. The prior of the mean has Σ in "
            "it too, N(m | m₀, Σ/κ), and brings one more |Σ|^(−½): joint with the mean, the "
            "divisor is one more.",
        ),
        Misconception(
            "posterior mean",
            _with(divisor=lambda a: a["n"] + a["nu"] - a["d"] - 1),
            "N_k + ν − D − 1 belongs to the *mean* of the posterior. EM climbs to its mode, "
            "where the divisor is N_k + ν + D + 2.",
        ),
        Misconception(
            "divided by N_k",
            _with(divisor=lambda a: a["n"]),
            "The prior's imaginary points are in the sum and have to be in the divisor as well. "
            "With N_k alone an empty component divides by 0.",
        ),
        Misconception(
            "divided by N_k + ν",
            _with(divisor=lambda a: a["n"] + a["nu"]),
            "The power of |Σ| in likelihood and prior together is −½ (N_k + ν + D + 2): collect "
            "all three of its sources, the likelihood, the prior of Σ and the prior of m.",
        ),
        Misconception(
            "divided by N_k + ν + D",
            _with(divisor=lambda a: a["n"] + a["nu"] + a["d"]),
            "The divisor is 2 too small. Of the D + 2 beside N_k + ν, D + 1 belong to the inverse "
            "Wishart density and one to the normal density of m, whose width has Σ in it.",
        ),
        Misconception(
            "all points in the divisor",
            _with(divisor=lambda a: len(a["x"]) + a["nu"] + a["d"] + 2),
            "The divisor of the covariance has N in it, the number of all points. Your mean is "
            "right: as there, a component counts only those it has taken, N_k = Σ r.",
        ),
        Misconception(
            "no shrink term",
            _with(numerator=lambda a: a["s0"] + a["own"]),
            "Scatter around the members' own mean, plus S₀, leaves out that the mean was pulled "
            "away from m₀. Means pull too: κN_k/(κ + N_k) (x̄ − m₀)(x̄ − m₀)ᵀ is missing.",
        ),
        Misconception(
            "the pull of the prior's mean left out",
            _with(numerator=lambda a: a["s0"] + a["near"]),
            "You measure the points from the new mean, which is fine. The prior's κ imaginary "
            "points at m₀ are to be measured from there as well: + κ (m − m₀)(m − m₀)ᵀ.",
        ),
        Misconception(
            "scatter around the prior's mean",
            _with(
                numerator=lambda a: (
                    a["s0"] + _scatter(a["x"], a["r"], a["m0"]) + a["kappa"] * a["step"]
                )
            ),
            "You measure the points from m₀. Points are measured from the *new* mean; only the "
            "pull term knows m₀.",
        ),
        Misconception(
            "κ missing in the pull",
            _with(numerator=lambda a: a["s0"] + a["near"] + a["step"]),
            "(m − m₀)(m − m₀)ᵀ comes as often as there are imaginary points at m₀, and there are "
            "κ of them: κ (m − m₀)(m − m₀)ᵀ.",
        ),
        Misconception(
            "shrink term not divided",
            _with(numerator=lambda a: a["s0"] + a["own"] + a["kappa"] * a["n"] * a["pull"]),
            "κN_k (x̄ − m₀)(x̄ − m₀)ᵀ is to be divided by κ + N_k.",
        ),
        Misconception(
            "no prior scatter",
            _with(numerator=lambda a: a["own"] + a["shrink"] * a["pull"]),
            "S₀ is missing. It is what keeps a component on a single point from shrinking to a "
            "spike.",
        ),
        Misconception(
            "prior scatter times ν",
            _with(numerator=lambda a: a["nu"] * a["s0"] + a["own"] + a["shrink"] * a["pull"]),
            "You multiply S₀ by ν, as if it were a covariance. It is a scatter, a sum already: "
            "it goes in as it is.",
        ),
        Misconception(
            "κ on the wrong side",
            _with(
                middle=lambda a: (a["n"] * a["m0"] + a["kappa"] * a["xbar"]) / (a["kappa"] + a["n"])
            ),
            "Your mean gives m₀ the weight N_k and the points the weight κ. It is the other way "
            "round: m₀ counts for κ points.",
        ),
        Misconception(
            "the points' own mean",
            _with(middle=lambda a: a["r"] @ a["x"] / a["n"]),
            "This is the mean of the points alone. The prior adds κ imaginary points at m₀, and "
            "they are all there is when nobody came.",
        ),
        Misconception(
            "0/0 without points",
            _zero_over_zero,
            "Right as long as there are points. Without any, x̄ = Σ r x / N_k is 0/0. You need no "
            "x̄: N_k x̄ is Σ r x.",
        ),
        Misconception(
            "all points for N_k",
            lambda x, r, m0, kappa, s0, nu: (
                (kappa * m0 + r @ x) / (kappa + len(x)),
                _with()(x, r, m0, kappa, s0, nu)[1]
                * (r.sum() + nu + len(m0) + 2)
                / (len(x) + nu + len(m0) + 2),
            ),
            "You take N, the number of all points, for N_k. This component has taken only Σ r of "
            "them.",
        ),
        Misconception(
            "responsibilities unused",
            lambda x, r, m0, kappa, s0, nu: _map_component(x, np.ones_like(r), m0, kappa, s0, nu),
            "Every point counts in full. It should count by its responsibility r.",
        ),
        Misconception(
            "no prior",
            lambda x, r, m0, kappa, s0, nu: (
                r @ x / r.sum(),
                _scatter(x, r, r @ x / r.sum()) / r.sum(),
            ),
            "This is maximum likelihood. The prior adds κ imaginary points at m₀ to the mean, and "
            "S₀ and the pull of m₀ to the scatter.",
        ),
    ),
    hints=(
        "Collect everything that has m in it: the points pull with Σ r, the prior with κ. Then "
        "everything that has Σ in it: −½ a log |Σ| − ½ tr(B Σ⁻¹). Where is that largest?",
        "m = (κ m₀ + Σ r x)/(κ + N_k). a = N_k + 1 + (ν + D + 1), from the likelihood, the prior "
        "of m and the prior of Σ.",
        "Σ = B/a with B = S₀ + Σ r (x − m)(x − m)ᵀ + κ (m − m₀)(m − m₀)ᵀ and a = N_k + ν + D + 2.",
    ),
)
