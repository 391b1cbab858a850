"""Checks of unit 03, exercise 3.5: the ellipse of a covariance.

All points of an ellipse have one Mahalanobis distance from the mean. Where it starts and which way
it goes round is free, so properties decide alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

SLACK = 0.05
"""How far, relatively, widths may be off: 200 points need not hit the outermost one."""


def _whitened(points: NDArray, mean: NDArray, covariance: NDArray) -> NDArray:
    """L⁻¹ (x − m), (N, 2): the ellipse as a circle."""
    return np.linalg.solve(np.linalg.cholesky(covariance), (points - mean).T).T


def _turns(points: NDArray, mean: NDArray, covariance: NDArray) -> NDArray:
    """The angles from each point to the next, −π to π, seen from the mean, in the circle."""
    z = _whitened(points, mean, covariance)
    angles = np.diff(np.arctan2(z[:, 1], z[:, 0]))
    return (angles + np.pi) % (2 * np.pi) - np.pi


def _side_by_side(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    longest = np.abs(_turns(result, *args[:2])).max()
    if longest < 1.0:  # even steps turn by .03; steps even in the plane by more at the tips
        return None
    return Failure(
        "A line through your points would jump: seen from the mean, in units of the ellipse, the "
        "longest step from one point to the next turns by so many degrees.",
        float(np.degrees(longest)),
        360 / 200,
    )


def _round(too_much: bool) -> Callable:
    def holds(call: Callable, args: tuple, result: NDArray) -> Failure | None:
        turns = _turns(result, *args[:2])
        total, longest = abs(turns.sum()), np.abs(turns).max()
        if too_much and total > 2 * np.pi + 1e-3:
            words = "Once round is 360 degrees. Seen from the mean, your points go on further."
        elif not too_much and total < 2 * np.pi - 2 * longest - 1e-3:
            words = "Once round is 360 degrees. Seen from the mean, your points do not get there."
        else:
            return None
        return Failure(words, float(np.degrees(total)), 360)

    return holds


def _middle(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    middle, width = (result.max(axis=0) + result.min(axis=0)) / 2, np.ptp(result, axis=0)
    if np.all(np.abs(middle - args[0]) <= SLACK * width):
        return None
    return Failure("The mean lies in the middle of its ellipse.", middle, args[0])


def _grows(change: Callable, words: str, least: float = 0.0, most: float = np.inf) -> Callable:
    def holds(call: Callable, args: tuple, result: NDArray) -> Failure | None:
        again = np.asarray(call(*change(*args)))
        factor = float(np.max(np.ptp(again, axis=0)) / np.max(np.ptp(result, axis=0)))
        if least * (1 - SLACK) <= factor <= most * (1 + SLACK):
            return None
        return Failure(
            f"{words} should make the ellipse twice as wide. Yours became wider by the factor",
            factor,
            2.0,
        )

    return holds


def _double(mean: NDArray, covariance: NDArray, radius: float) -> tuple:
    return mean, covariance, 2 * radius


def _fourfold(mean: NDArray, covariance: NDArray, radius: float) -> tuple:
    return mean, 4 * covariance, radius


def _lean(points: NDArray) -> float:
    """The correlation of the two coordinates along the curve."""
    return float(np.corrcoef(points.T)[0, 1])


def _leans(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    wanted = args[1][0, 1] / np.sqrt(args[1][0, 0] * args[1][1, 1])
    if abs(wanted) < 0.1 or abs(_lean(result)) > 0.05:
        return None
    return Failure(
        "The covariance has off-diagonal entries, so the ellipse is tilted. Yours is not: the "
        "correlation of its coordinates is",
        _lean(result),
        wanted,
        ("yours", "the covariance's"),
    )


def _leans_right(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    wanted = args[1][0, 1] / np.sqrt(args[1][0, 0] * args[1][1, 1])
    if abs(wanted) < 0.1 or _lean(result) * wanted > 0:
        return None
    return Failure(
        "Your ellipse is tilted to the other side than the covariance: the correlation of its "
        "coordinates is",
        _lean(result),
        wanted,
        ("yours", "the covariance's"),
    )


def _turned(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, covariance, radius = args
    if np.allclose(covariance, covariance[0, 0] * np.eye(2)):  # a circle, however it is turned
        return None
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    again = np.asarray(call(turn @ mean, turn @ covariance @ turn.T, radius))
    angles = np.linspace(0, np.pi, 12, endpoint=False)
    directions = np.array([np.cos(angles), np.sin(angles)])
    widths, before = np.ptp(again @ turn @ directions, axis=0), np.ptp(result @ directions, axis=0)
    if np.allclose(widths, before, rtol=SLACK):
        return None
    worst = int(np.abs(np.log(widths / before)).argmax())
    return Failure(
        "Mean and covariance were turned by half a radian, and the ellipse should turn with them. "
        "In one direction, turned along, its width is another.",
        widths[worst],
        before[worst],
        AFTER_BEFORE,
    )


def _distance(too_far: bool) -> Callable:
    def holds(call: Callable, args: tuple, result: NDArray) -> Failure | None:
        mean, covariance, radius = args
        distances = np.linalg.norm(_whitened(result, mean, covariance), axis=1)
        n = int(distances.argmax() if too_far else distances.argmin())
        off = distances[n] / radius - 1
        if (off if too_far else -off) < 1e-5:
            return None
        return Failure(
            f"All points have the Mahalanobis distance √((x − m)ᵀ Σ⁻¹ (x − m)) = radius. Point {n} "
            "has another.",
            float(distances[n]),
            float(radius),
        )

    return holds


def _holds_95_percent(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, covariance, _ = args
    curve = np.asarray(call(mean, covariance, float(np.sqrt(chi2.ppf(0.95, 2)))))
    draws = np.random.default_rng(0).normal(size=(20_000, 2))
    z = _whitened(curve, mean, covariance)
    edge = np.arctan2(z[:, 1], z[:, 0])
    own = np.linalg.norm(draws, axis=1)
    limits = np.interp(
        np.arctan2(draws[:, 1], draws[:, 0]),
        *_sorted(edge, np.linalg.norm(z, axis=1)),
        period=2 * np.pi,
    )
    share = float(np.mean(own < limits))
    if abs(share - 0.95) < 0.01:  # six standard errors
        return None
    return Failure(
        "20,000 points were drawn from this Gaussian. 95 % of them should lie inside the ellipse "
        "of radius √(χ²₂(.95)) = 2.45.",
        share,
        0.95,
    )


def _sorted(angles: NDArray, values: NDArray) -> tuple[NDArray, NDArray]:
    order = np.argsort(angles)
    return angles[order], values[order]


def _ellipse(mean: NDArray, covariance: NDArray, radius: float) -> NDArray:
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.array([np.cos(angle), np.sin(angle)])  # (2, 200)
    return mean + radius * (np.linalg.cholesky(covariance) @ circle).T


def _by(factor: Callable, angles: NDArray | None = None) -> Callable:
    """An answer with another matrix for the factor, or other angles."""
    angles = np.linspace(0, 2 * np.pi, 200) if angles is None else angles

    def answer(mean: NDArray, covariance: NDArray, radius: float) -> NDArray:
        circle = np.array([np.cos(angles), np.sin(angles)])
        return mean + radius * (factor(covariance) @ circle).T

    return answer


def _swapped_axes(covariance: NDArray) -> NDArray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(values[::-1])


def _fixed_density(mean: NDArray, covariance: NDArray, radius: float) -> NDArray:
    """Where the density is what a round Gaussian of variance 1 has at the radius."""
    squared = radius**2 - np.log(np.linalg.det(covariance))
    return _ellipse(mean, covariance, np.sqrt(squared))


ellipse = Exercise(
    number="3.5",
    name="ellipse",
    reference=_ellipse,
    compare=False,
    cases=(
        Case("the unit circle", (np.zeros(2), np.eye(2), 1.0)),
        Case("a circle of radius 2 around (3, −1)", (np.array([3.0, -1.0]), np.eye(2), 2.0)),
        Case("variances 9 and 1, no tilt", (np.array([1.0, 0.0]), np.diag([9.0, 1.0]), 1.0)),
        Case(
            "tilted upwards",
            (np.array([2.0, 1.0]), np.array([[4.0, 2.0], [2.0, 2.0]]), 1.5),
        ),
        Case(
            "tilted downwards",
            (np.array([-1.0, 5.0]), np.array([[1.0, -1.2], [-1.2, 4.0]]), 0.7),
        ),
        Case(
            "long eruptions of Old Faithful, in minutes",
            (np.array([4.29, 79.97]), np.array([[0.17, 0.94], [0.94, 36.05]]), 2.45),
        ),
    ),
    properties=(
        Property("neighbours lie side by side", _side_by_side),
        Property("it goes all the way round the mean", _round(too_much=False)),
        Property("it goes round once", _round(too_much=True)),
        Property("the mean is in the middle", _middle),
        Property(
            "twice the radius: at most twice as wide", _grows(_double, "Twice the radius", most=2)
        ),
        Property(
            "twice the radius: at least twice as wide", _grows(_double, "Twice the radius", least=2)
        ),
        Property(
            "four times the covariance: not narrower",
            _grows(_fourfold, "Four times the covariance", least=1),
        ),
        Property(
            "four times the covariance: at least twice as wide",
            _grows(_fourfold, "Four times the covariance", least=2),
        ),
        Property(
            "four times the covariance: at most twice as wide",
            _grows(_fourfold, "Four times the covariance", most=2),
        ),
        Property("it leans where the covariance does", _leans),
        Property("it leans to the same side", _leans_right),
        Property("it turns with the covariance", _turned),
        Property("no point is nearer than the radius", _distance(too_far=False)),
        Property("no point is farther than the radius", _distance(too_far=True)),
        Property("95 % of a large sample lie inside radius 2.45", _holds_95_percent),
    ),
    misconceptions=(
        Misconception(
            "root entry by entry",
            _by(np.sqrt),
            "You take the root of each entry of Σ, which is no root of the matrix, and none at all "
            "where an entry is negative. Use a factor A with A Aᵀ = Σ: Cholesky's L, or "
            "eigenvectors times roots of eigenvalues.",
        ),
        Misconception(
            "no root",
            _by(lambda covariance: covariance),
            "The size grows with Σ itself. A variance is a square: it is a *root* of Σ that "
            "stretches the circle, Cholesky's L, or eigenvectors times the roots of the "
            "eigenvalues.",
        ),
        Misconception(
            "precision for covariance",
            _by(lambda covariance: np.linalg.inv(np.linalg.cholesky(covariance)).T),
            "The size shrinks where Σ grows. A wide component has a wide ellipse: stretch the "
            "circle by a factor of Σ, not of its inverse.",
        ),
        Misconception(
            "a circle whatever Σ is",
            _by(lambda covariance: np.eye(2)),
            "Your circle does not know Σ: it is as wide, and as round, for every component. "
            "Stretch it by a factor of Σ, Cholesky's L for one.",
        ),
        Misconception(
            "radius squared",
            lambda mean, covariance, radius: _ellipse(mean, covariance, radius**2),
            "You use r² for r. The *squared* Mahalanobis distance is r²; the circle before "
            "stretching has radius r.",
        ),
        Misconception(
            "root of the radius",
            lambda mean, covariance, radius: _ellipse(mean, covariance, np.sqrt(radius)),
            "Your ellipse grows too little with the radius, or not at all. The radius is used as "
            "it is: it is a distance already, and a root is due only for a quantile of χ², which "
            "is a squared distance.",
        ),
        Misconception(
            "a level of the density",
            _fixed_density,
            "This is where the density has a fixed height. A wide component is lower everywhere, "
            "so its ellipse shrinks and in the end vanishes. Fix the Mahalanobis distance, and the "
            "share of points inside is the same for every Σ.",
        ),
        Misconception(
            "factor transposed",
            _by(lambda covariance: np.linalg.cholesky(covariance).T),
            "The factor is transposed. For a circle in rows, (200, 2), it is `circle @ L.T`; for "
            "one in columns `L @ circle`.",
        ),
        Misconception(
            "mirror image",
            _by(lambda covariance: np.linalg.cholesky(covariance * [[1, -1], [-1, 1]])),
            "It is the mirror image. For points in columns a turn by t is [[cos t, −sin t], "
            "[sin t, cos t]], for points in rows its transpose. Cholesky's L needs no angle.",
        ),
        Misconception(
            "off-diagonals lost",
            _by(lambda covariance: np.diag(np.sqrt(np.diag(covariance)))),
            "The tilt vanished. Either the off-diagonal entries are not used, or the stretching "
            "comes after the turn: stretch the circle first, then turn it, vectors @ "
            "(√values · circle).",
        ),
        Misconception(
            "axes swapped",
            _by(_swapped_axes),
            "The long axis lies where the short one belongs. Each eigenvector goes with its own "
            "eigenvalue, in the order in which `np.linalg.eigh` returns them.",
        ),
        Misconception(
            "mean forgotten",
            lambda mean, covariance, radius: _ellipse(0 * mean, covariance, radius),
            "Your ellipse does not go round the mean. Add it to every point.",
        ),
        Misconception(
            "half-way round",
            _by(np.linalg.cholesky, np.linspace(0, np.pi, 200)),
            "Your points do not go all the way round. Once round is 2π.",
        ),
        Misconception(
            "degrees",
            _by(np.linalg.cholesky, np.arange(200) * 360 / 199),
            "Your points jump about. `np.cos` and `np.sin` count in radians: once round is 2π, and "
            "with 360 the points are in no order.",
        ),
        Misconception(
            "twice round",
            _by(np.linalg.cholesky, np.linspace(0, 4 * np.pi, 200)),
            "Your points go round more than once. 2π is enough.",
        ),
    ),
    hints=(
        "Begin with a circle: 200 angles from 0 to 2π, their cosines and sines. Which matrix makes "
        "an ellipse of it?",
        "If A Aᵀ = Σ and z lies on the circle of radius r, then A z has Mahalanobis distance r.",
        "`mean + radius * circle @ np.linalg.cholesky(covariance).T`, with circle (200, 2).",
    ),
)
