"""What goes into a Gaussian mixture, looked at before it is worked with: data, prior, start.

Whatever is wrong raises ValueError, in words that say what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.inference.em import soft
from latentsteps.models.gaussian_shapes import SMALLEST_FLOOR, NormalInverseWishart, factors
from latentsteps.models.points import as_points

STARTS = ("k-means", "random points")


class Points(NamedTuple):
    """Data that have been looked at."""

    x: NDArray[np.float64]
    """(N, D)."""
    centre: NDArray[np.float64]
    """(D,): the mean of each column."""
    scale: NDArray[np.float64]
    """(D,): its standard deviation (ddof = 0); 0 for a constant column."""


def looking_once() -> Callable[[ArrayLike], Points]:
    """A function that checks data and measures them, and remembers the last read-only ones.

    A trace steps on the same read-only view again and again, and another look at all points can
    take longer than the step. Who writes to a run's data while it runs is not found out here.
    """
    held: tuple[ArrayLike | None, Points | None] = (None, None)

    def look(x: ArrayLike) -> Points:
        nonlocal held
        known = held  # once: another thread may set it meanwhile
        if known[1] is not None and x is known[0] and _read_only(x):
            return known[1]
        points = as_points(x, "a Gaussian mixture")
        first = points[0]  # taken away, so that a constant column has exactly no spread
        with np.errstate(over="ignore", invalid="ignore"):
            shifted = points - first
            found = Points(points, first + shifted.mean(axis=0), shifted.std(axis=0))
        moves = np.ptp(points, axis=0) > 0
        strange = np.flatnonzero(moves & ~((found.scale > 1e-100) & (found.scale < 1e100)))
        if strange.size:
            raise ValueError(
                f"column {strange[0]} has numbers too large or too small to be squared; "
                "divide it by its standard deviation first"
            )
        far = np.flatnonzero(moves & (np.abs(found.centre) > 1e8 * found.scale))
        if far.size:
            raise ValueError(
                f"column {far[0]} is so far from 0 that float64 holds few digits of its spread; "
                "subtract a round number first"
            )
        if _read_only(x):
            held = (x, found)
        return found

    return look


def _read_only(x: ArrayLike) -> bool:
    return isinstance(x, np.ndarray) and not x.flags.writeable


def scale_of(points: Points, prior: NormalInverseWishart | None) -> NDArray[np.float64]:
    """The columns' standard deviations, the prior's where a column is constant."""
    scale = points.scale
    if scale.all():
        return scale
    if prior is None:
        raise ValueError(
            f"column {np.argmin(scale)} of the data is constant: a Gaussian has no density there; "
            "leave that column out, or give a prior"
        )
    return np.where(scale > 0, scale, np.sqrt(np.diag(prior.scatter)))


def as_shapes(means: ArrayLike, covariances: ArrayLike, d: int) -> tuple[NDArray, NDArray]:
    """Means (K, D) and covariances (K, D, D) or (K, D) in float64, for points of D columns.

    Raises ValueError for other shapes, and where a number is not finite.
    """
    means, covariances = (np.asarray(field, dtype=np.float64) for field in (means, covariances))
    k = len(means) if means.ndim else 0
    if means.shape != (k, d) or covariances.shape not in [(k, d), (k, d, d)]:
        raise ValueError(
            f"the means have shape {means.shape} and the covariances {covariances.shape}; for "
            f"points of {d} columns they are (K, {d}) and (K, {d}, {d}), or (K, {d}) if diagonal"
        )
    if not (np.isfinite(means).all() and np.isfinite(covariances).all()):
        raise ValueError("a mean or a covariance is NaN or infinite; they are finite numbers")
    return means, covariances


def posterior(log_joint: NDArray) -> NDArray[np.float64]:
    """p(k | x_n), (N, K), from log p(x_n, k); ValueError for a point that no component reaches."""
    if not np.isfinite(log_joint.max(axis=1)).all():
        raise ValueError("a point has no probability under any component: they are too far away")
    return soft(log_joint)


def check_arguments(
    k: int, covariance: str, form: str, concentration: float, floor: float, chunk: int | None
) -> None:
    """ValueError for arguments of a mixture that are out of range, whatever the data."""
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k is {k!r}; the number of components is an int, 1 or more")
    if covariance not in ("full", "diagonal"):
        raise ValueError(f"covariance is {covariance!r}; it is 'full' or 'diagonal'")
    if form not in ("cholesky", "exponential family"):
        raise ValueError(f"form is {form!r}; it is 'cholesky' or 'exponential family'")
    if not (isinstance(concentration, Real) and 1 <= concentration < np.inf):
        raise ValueError(
            f"concentration is {concentration!r}; it is a finite number, 1 or more: below 1 the "
            "weights have no mode"
        )
    if not (isinstance(floor, Real) and (floor == 0 or SMALLEST_FLOOR <= floor <= 1)):
        raise ValueError(
            f"floor is {floor!r}; it is a share of the data's variance, {SMALLEST_FLOOR:g} to 1 "
            "(eigenvalues are not known to a smaller share), or 0 for none"
        )
    if chunk is not None and not (isinstance(chunk, Integral) and chunk >= 1):
        raise ValueError(f"chunk is {chunk!r}; it is a number of points, an int ≥ 1, or None")


def check_start(start: Any, k: int, covariance: str) -> tuple[NDArray, NDArray, NDArray] | None:
    """Weights, means and covariances of a start in float64; None where it goes by a name."""
    if isinstance(start, str):
        if start not in STARTS:
            raise ValueError(
                f"start is {start!r}; it is 'k-means', 'random points' or a GaussianMixture"
            )
        return None
    try:
        weights, means, covariances = (np.array(field, dtype=np.float64) for field in start)
    except (TypeError, ValueError):
        raise ValueError(
            f"start is {start!r}; it is 'k-means', 'random points' or a GaussianMixture: weights, "
            "means and covariances, each an array of numbers"
        ) from None
    shapes = weights.shape, means.shape, covariances.shape
    d = means.shape[-1] if means.ndim else 0
    needed = (k,), (k, d), (k, d, d) if covariance == "full" else (k, d)
    if shapes != needed:
        raise ValueError(
            f"the start's weights, means and {covariance} covariances have shapes {shapes}; for "
            f"k = {k} and D = {d} they are {needed}"
        )
    if not (np.all(weights >= 0) and abs(weights.sum() - 1) < 1e-9):
        raise ValueError("the start's weights are shares: not negative, and they sum to one")
    if not (np.isfinite(means).all() and np.isfinite(covariances).all()):
        raise ValueError("the start's means and covariances are finite numbers")
    factors(covariances)
    if covariance == "full":
        if not _symmetric(covariances):
            raise ValueError("the start's covariances are not symmetric; Σ and its transpose agree")
        covariances = 0.5 * (covariances + covariances.swapaxes(1, 2))
    return weights, means, covariances


def _symmetric(matrices: NDArray) -> bool:
    """Whether matrices (..., D, D) are, up to rounding in the units of their columns."""
    sides = np.sqrt(np.abs(np.diagonal(matrices, axis1=-2, axis2=-1)))
    gap = np.abs(matrices - matrices.swapaxes(-1, -2))
    return bool((gap <= 1e-8 * sides[..., :, None] * sides[..., None, :]).all())


def check_prior(prior: NormalInverseWishart | None, covariance: str) -> NormalInverseWishart | None:
    """The prior in float64; ValueError where it is not a proper one."""
    if prior is None:
        return None
    try:
        mean, scatter = np.array(prior.mean, float), np.array(prior.scatter, float)
        strength, degrees = float(prior.strength), float(prior.degrees)
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            f"prior is {prior!r}; it is None or a NormalInverseWishart: mean, strength, scatter "
            "and degrees, all of them numbers"
        ) from None
    d = mean.size
    if mean.shape != (d,) or scatter.shape != (d, d):
        raise ValueError(
            f"the prior's mean has shape {mean.shape} and its scatter {scatter.shape}; for data of "
            "D columns they are (D,) and (D, D)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(scatter).all()):
        raise ValueError("the prior's mean and scatter are finite numbers")
    if not _symmetric(scatter) or np.linalg.eigvalsh(scatter)[0] <= 0:
        raise ValueError("the prior's scatter is symmetric and positive definite")
    least = d - 1 if covariance == "full" else 0
    if not (0 < strength < np.inf and least < degrees < np.inf):
        raise ValueError(
            f"the prior has strength {strength} and degrees {degrees}; in {d} "
            f"dimensions strength > 0 and degrees > {least}"
        )
    return NormalInverseWishart(mean, strength, scatter, degrees)


def check_columns(what: str, columns: int, d: int) -> None:
    """ValueError where the start or the prior is of another dimension than the data."""
    if columns != d:
        raise ValueError(f"the {what} has {columns} columns and the data {d}; they are the same")
