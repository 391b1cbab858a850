"""What goes into a Gaussian mixture, looked at before it is worked with: data, prior, start.

Whatever is wrong raises ValueError, in words that say what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.models.gaussian_shapes import COLLAPSE, NormalInverseWishart, factors

STARTS = ("k-means", "random points")


class Points(NamedTuple):
    """Data that have been looked at."""

    x: NDArray[np.float64]
    """(N, D)."""
    centre: NDArray[np.float64]
    """(D,): the mean of each column."""
    scale: NDArray[np.float64]
    """(D,): its standard deviation (ddof = 0); 0 for a constant column."""


def as_points(x: ArrayLike) -> NDArray[np.float64]:
    """Points (N, D) as float64, without a copy where they are that already.

    Raises ValueError for another shape, for what is no number, for NaN and infinities.
    """
    points = np.asarray(x)
    if points.ndim != 2 or 0 in points.shape:
        raise ValueError(
            f"the data have shape {points.shape}; they are (N, D), one point a row "
            "(x[:, None] makes one column of a list of numbers)"
        )
    if points.dtype.kind not in "biuf":
        raise ValueError(f"the data are of type {points.dtype}; they are numbers")
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if bad.size:
        raise ValueError(
            f"{bad.size} of {len(points)} points hold NaN or an infinity, the first in row "
            f"{bad[0]}; drop them or fill them in"
        )
    return points.astype(np.float64, copy=False)


def looking_once() -> Callable[[ArrayLike], Points]:
    """A function that checks data and measures them, and remembers the last read-only ones.

    A trace steps on the same read-only array again and again: it is looked at once.
    """
    held: tuple[ArrayLike | None, Points | None] = (None, None)

    def look(x: ArrayLike) -> Points:
        nonlocal held
        if held[1] is not None and x is held[0]:
            return held[1]
        points = as_points(x)
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
        if isinstance(x, np.ndarray) and not x.flags.writeable:
            held = (x, found)
        return found

    return look


def check_arguments(
    k: int, covariance: str, form: str, concentration: float, floor: float, chunk: int | None
) -> None:
    """ValueError for arguments of a mixture that are out of range, whatever the data."""
    if k < 1:
        raise ValueError(f"k is {k}; the number of components is 1 or more")
    if covariance not in ("full", "diagonal"):
        raise ValueError(f"covariance is {covariance!r}; it is 'full' or 'diagonal'")
    if form not in ("cholesky", "exponential family"):
        raise ValueError(f"form is {form!r}; it is 'cholesky' or 'exponential family'")
    if not 1 <= concentration < np.inf:
        raise ValueError(f"concentration is {concentration}; below 1 weights have no mode")
    if not (floor == 0 or COLLAPSE <= floor <= 1):
        raise ValueError(
            f"floor is {floor}; it is a share of the data's variance, {COLLAPSE:g} to 1, or 0"
        )
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk is {chunk}; it is a positive number of points, or None")


def check_start(start: Any, k: int, covariance: str) -> tuple[NDArray, NDArray, NDArray] | None:
    """Weights, means and covariances of a start in float64; None where it goes by a name."""
    if isinstance(start, str):
        if start not in STARTS:
            raise ValueError(
                f"start is {start!r}; it is 'k-means', 'random points' or a GaussianMixture"
            )
        return None
    weights, means, covariances = (np.array(field, dtype=np.float64) for field in start)
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
    return weights, means, covariances


def check_prior(prior: NormalInverseWishart | None, covariance: str) -> NormalInverseWishart | None:
    """The prior in float64; ValueError where it is not a proper one."""
    if prior is None:
        return None
    mean, scatter = np.array(prior.mean, float), np.array(prior.scatter, float)
    d = mean.size
    if mean.shape != (d,) or scatter.shape != (d, d):
        raise ValueError(
            f"the prior's mean has shape {mean.shape} and its scatter {scatter.shape}; for data of "
            "D columns they are (D,) and (D, D)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(scatter).all()):
        raise ValueError("the prior's mean and scatter are finite numbers")
    if not np.allclose(scatter, scatter.T) or np.linalg.eigvalsh(scatter)[0] <= 0:
        raise ValueError("the prior's scatter is symmetric and positive definite")
    least = d - 1 if covariance == "full" else 0
    if not (0 < prior.strength < np.inf and least < prior.degrees < np.inf):
        raise ValueError(
            f"the prior has strength {prior.strength} and degrees {prior.degrees}; in {d} "
            f"dimensions strength > 0 and degrees > {least}"
        )
    return NormalInverseWishart(mean, float(prior.strength), scatter, float(prior.degrees))


def check_columns(what: str, columns: int, d: int) -> None:
    """ValueError where the start or the prior is of another dimension than the data."""
    if columns != d:
        raise ValueError(f"the {what} has {columns} columns and the data {d}; they are the same")
