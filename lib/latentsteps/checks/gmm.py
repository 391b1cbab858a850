"""Checks of unit 03: exercise 3.1; the others are brought in from seven more files, so that a
notebook needs one name.

Points are rows ``x``, (N, D); a component k has a mean (D,) and a covariance (D, D), and takes a
share ``r[n, k]`` of point n. The references follow Bishop (2006), *Pattern Recognition and Machine
Learning*, sections 2.3 and 9.2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.stats import norm

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.gmm_bic import bic
from latentsteps.checks.gmm_choice import choose
from latentsteps.checks.gmm_covariances import update_covariances
from latentsteps.checks.gmm_ellipse import ellipse
from latentsteps.checks.gmm_prior import map_component
from latentsteps.checks.gmm_questions import held_out, plateau, starts
from latentsteps.checks.gmm_stopping import should_stop
from latentsteps.checks.task import AFTER_BEFORE

__all__ = [
    "bic",
    "choose",
    "ellipse",
    "held_out",
    "log_normal",
    "map_component",
    "plateau",
    "should_stop",
    "starts",
    "update_covariances",
]

_random = np.random.default_rng(1)


# 3.1 · The log density of a Gaussian


def _log_normal(x: NDArray, mean: NDArray, covariance: NDArray) -> NDArray:
    factor = np.linalg.cholesky(covariance)
    z = solve_triangular(factor, (x - mean).T, lower=True)
    # |Σ| is the square of the product of the factor's diagonal.
    log_root_determinant = np.log(np.diag(factor)).sum()
    constant = log_root_determinant + 0.5 * len(mean) * np.log(2 * np.pi)
    return -0.5 * (z**2).sum(axis=0) - constant


def _rotated(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, mean, covariance = args
    if len(mean) > 10:  # three dimensions show as much, and sooner
        return None
    turn, _ = np.linalg.qr(np.random.default_rng(7).normal(size=covariance.shape))
    turned = turn.T @ covariance @ turn
    again = np.asarray(call(x @ turn, mean @ turn, (turned + turned.T) / 2))
    if np.allclose(again, result, rtol=1e-5, atol=1e-5):
        return None
    n = int(np.abs(again - result).argmax())
    return Failure(
        "Points, mean and covariance were turned together, so no point lies deeper or further out "
        f"than before. Your log density of point {n} changed.",
        again[n],
        result[n],
        AFTER_BEFORE,
    )


def _integrates_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, mean, covariance = args
    d = len(mean)
    if d > 2:  # a grid in three dimensions has too many points
        return None
    factor, step = np.linalg.cholesky(covariance), 0.3
    axis = np.arange(-20, 21) * step
    grid = np.stack(np.meshgrid(*[axis] * d), axis=-1).reshape(-1, d)
    area = step**d * np.prod(np.diag(factor))
    with np.errstate(over="ignore"):
        total = np.exp(np.asarray(call(mean + grid @ factor.T, mean, covariance))).sum() * area
    if abs(total - 1) < 1e-4:
        return None
    return Failure(
        "A density integrates to 1. The exponential of your result, added up over a fine grid that "
        "reaches six standard deviations in every direction, gives another number.",
        float(total),
        1.0,
    )


def _parts(x: NDArray, mean: NDArray, covariance: NDArray) -> tuple[NDArray, float, float]:
    """Squared Mahalanobis distances (N,), log |Σ|, and D log 2π: for the answers below."""
    away = x - mean
    squares = (away * np.linalg.solve(covariance, away.T).T).sum(axis=1)
    return squares, float(np.linalg.slogdet(covariance)[1]), len(mean) * np.log(2 * np.pi)


def _with_determinant(x: NDArray, mean: NDArray, covariance: NDArray) -> NDArray:
    squares, _, constant = _parts(x, mean, covariance)
    return -0.5 * (squares + np.log(np.linalg.det(covariance)) + constant)


def _with_exp(x: NDArray, mean: NDArray, covariance: NDArray) -> NDArray:
    squares, _, _ = _parts(x, mean, covariance)
    root = np.sqrt(np.linalg.det(2 * np.pi * covariance))
    return np.log(np.exp(-0.5 * squares) / root)


def _transposed_factor(x: NDArray, mean: NDArray, covariance: NDArray) -> NDArray:
    _, log_determinant, constant = _parts(x, mean, covariance)
    z = np.linalg.solve(np.linalg.cholesky(covariance).T, (x - mean).T)
    return -0.5 * ((z**2).sum(axis=0) + log_determinant + constant)


def _upper_triangle(x: NDArray, mean: NDArray, covariance: NDArray) -> NDArray:
    _, log_determinant, constant = _parts(x, mean, covariance)
    z = solve_triangular(np.linalg.cholesky(covariance), (x - mean).T)
    return -0.5 * ((z**2).sum(axis=0) + log_determinant + constant)


def _own_diagonal(x: NDArray, mean: NDArray, covariance: NDArray) -> NDArray:
    squares, _, constant = _parts(x, mean, covariance)
    return -0.5 * (squares + constant) - np.log(np.diag(covariance)).sum()


def _by_parts(combine: Callable) -> Callable:
    """An answer ``(x, mean, covariance)`` from ``combine(squares, log |Σ|, D log 2π)``."""
    return lambda x, mean, covariance: combine(*_parts(x, mean, covariance))


log_normal = Exercise(
    number="3.1",
    name="log_normal",
    reference=_log_normal,
    cases=(
        Case(
            "two points on a line, variance 4",
            (np.array([[0.0], [2.0]]), np.array([0.0]), np.array([[4.0]])),
        ),
        Case(
            "two points in the plane, variances 1 and 4, no tilt",
            (np.array([[1.0, 2.0], [2.0, 0.0]]), np.array([1.0, 0.0]), np.diag([1.0, 4.0])),
        ),
        Case(
            "three points in the plane, tilted",
            (
                np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 3.0]]),
                np.array([1.0, 1.0]),
                np.array([[4.0, 2.0], [2.0, 2.0]]),
            ),
        ),
        Case(
            "covariance .003 times the identity, one point far out",
            (
                np.array([[0.0, 0.0], [0.1, -0.05], [4.0, -3.0]]),
                np.array([0.05, 0.0]),
                0.003 * np.eye(2),
            ),
        ),
        Case(
            "ten points in three dimensions",
            (
                _random.normal(size=(10, 3)).round(2),
                np.array([0.5, -1.0, 0.0]),
                np.array([[2.0, 0.6, -0.4], [0.6, 1.0, 0.3], [-0.4, 0.3, 0.5]]),
            ),
        ),
        Case(
            "two points in 150 dimensions, covariance a millionth of the identity",
            (
                0.001 * _random.normal(size=(2, 150)),
                np.zeros(150),
                1e-6 * np.eye(150),
            ),
        ),
    ),
    properties=(
        Property("its exponential integrates to 1", _integrates_to_one),
        Property("turning points, mean and covariance together changes nothing", _rotated),
    ),
    misconceptions=(
        Misconception(
            "precision for covariance",
            lambda x, mean, covariance: (
                -0.5
                * (
                    (((x - mean) @ covariance) * (x - mean)).sum(axis=1)
                    + _parts(x, mean, covariance)[1]
                    + _parts(x, mean, covariance)[2]
                )
            ),
            "You multiply by Σ, or by a factor of it, where the inverse is due. A wide component "
            "forgives a deviation: a large variance has to make it count less. Solve L z = x − m.",
        ),
        Misconception(
            "log determinant doubled",
            _by_parts(lambda squares, log_det, constant: -0.5 * (squares + constant) - log_det),
            "You take away log |Σ| in full. The density has the *root* of |Σ| below it, so half "
            "of log |Σ| is due: Σ_i log L_ii, since |Σ| is the square of the product of the L_ii.",
        ),
        Misconception(
            "log determinant halved",
            _by_parts(
                lambda squares, log_det, constant: -0.5 * (squares + constant) - 0.25 * log_det
            ),
            "½ Σ_i log L_ii is a quarter of log |Σ|. Σ = L Lᵀ, so |Σ| is the product of the L_ii "
            "*squared*, and half its logarithm is Σ_i log L_ii without a ½.",
        ),
        Misconception(
            "log determinant added",
            _by_parts(lambda squares, log_det, constant: -0.5 * (squares - log_det + constant)),
            "You add Σ_i log L_ii, and so a wide component comes out higher than a narrow one. "
            "The determinant is below the line: take it off.",
        ),
        Misconception(
            "the covariance's diagonal for the factor's",
            _own_diagonal,
            "You add up the logarithms of Σ's own diagonal. It is the *factor's* diagonal, not "
            "Σ's: ½ log |Σ| = Σ_i log L_ii.",
        ),
        Misconception(
            "no determinant",
            _by_parts(lambda squares, log_det, constant: -0.5 * (squares + constant)),
            "The determinant is missing. Without −½ log |Σ| a wide component is as high as a "
            "narrow one, and its density integrates to more than 1.",
        ),
        Misconception(
            "number of points for D",
            lambda x, mean, covariance: (
                _log_normal(x, mean, covariance) + 0.5 * (len(mean) - len(x)) * np.log(2 * np.pi)
            ),
            "log 2π is multiplied by the number of points. `len(x)` is N; D is the number of "
            "columns, `len(mean)`.",
        ),
        Misconception(
            "2π once",
            _by_parts(lambda squares, log_det, _: -0.5 * (squares + log_det + np.log(2 * np.pi))),
            "log 2π comes once for each dimension: −(D/2) log 2π.",
        ),
        Misconception(
            "2π missing",
            _by_parts(lambda squares, log_det, constant: -0.5 * (squares + log_det)),
            "−(D/2) log 2π is missing. It is the same for all components, so responsibilities "
            "would not notice; a log-likelihood does.",
        ),
        Misconception(
            "exponential first",
            _with_exp,
            "This is the logarithm of the density, and right on paper. Far out the exponential is "
            "0 in the computer, and its logarithm −∞. Stay in logarithms from the start.",
        ),
        Misconception(
            "the determinant itself",
            _with_determinant,
            "In the plane this is right. A millionth of the identity in 150 dimensions has the "
            "determinant 10⁻⁹⁰⁰, which is 0 in the computer. Add up the logarithms of the "
            "factor's diagonal instead.",
        ),
        Misconception(
            "off-diagonals lost",
            lambda x, mean, covariance: norm.logpdf(x, mean, np.sqrt(np.diag(covariance))).sum(
                axis=1
            ),
            "You use the variances alone, one coordinate at a time: the tilt vanished. The "
            "off-diagonal entries say which deviations go together, and those cost less.",
        ),
        Misconception(
            "factor transposed",
            _transposed_factor,
            "You solve with Lᵀ. `np.linalg.cholesky` gives the lower factor, Σ = L Lᵀ, and it is "
            "L z = x − m that makes zᵀz the squared distance.",
        ),
        Misconception(
            "lower=True forgotten",
            _upper_triangle,
            "`solve_triangular` reads the *upper* triangle unless told `lower=True`; of L that is "
            "the diagonal alone.",
        ),
        Misconception(
            "distance not squared",
            _by_parts(
                lambda squares, log_det, constant: -0.5 * (np.sqrt(squares) + log_det + constant)
            ),
            "You take half the Mahalanobis distance away. Half of its *square* is due.",
        ),
        Misconception(
            "half missing",
            _by_parts(lambda squares, log_det, constant: -squares - 0.5 * (log_det + constant)),
            "The ½ before the squared distance is missing: −½ (x − m)ᵀ Σ⁻¹ (x − m).",
        ),
        Misconception(
            "the density",
            lambda x, mean, covariance: np.exp(_log_normal(x, mean, covariance)),
            "These are densities. Their logarithms are asked for: far out a density is too small "
            "to be stored.",
        ),
        Misconception(
            "summed over points",
            lambda x, mean, covariance: _log_normal(x, mean, covariance).sum(),
            "You add up over the points. One number for each point is due; the sum comes later, "
            "after the components have been mixed.",
        ),
        Misconception(
            "mean not subtracted",
            lambda x, mean, covariance: _log_normal(x, 0 * mean, covariance),
            "The mean is not in it: it is the deviation x − m that counts.",
        ),
    ),
    hints=(
        "Σ = L Lᵀ with L lower triangular. If L z = x − m, what is zᵀz, and what is |Σ|?",
        "zᵀz is the squared distance (x − m)ᵀ Σ⁻¹ (x − m), and ½ log |Σ| = Σ_i log L_ii.",
        "L = np.linalg.cholesky(covariance); z = solve_triangular(L, (x − mean).T, lower=True), "
        "with a column for each point; then −½ times the column sums of z², minus "
        "np.log(np.diag(L)).sum(), minus D/2 · log 2π.",
    ),
)
