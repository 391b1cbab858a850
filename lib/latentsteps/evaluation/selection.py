"""Choosing the number of components: criteria, and what a spike is known by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

SPIKE = 1e-3
"""A component that is thinner than this share of the data's own variance is called a spike."""


def number_of_parameters(k: int, d: int, covariance: str = "full") -> int:
    """Free parameters of a mixture of ``k`` Gaussians in ``d`` dimensions.

    K − 1 weights (they sum to one), K·D means, and a component's D (D + 1) / 2 covariances or, if
    they are ``"diagonal"``, its D variances.
    """
    if k < 1 or d < 1:
        raise ValueError(f"k is {k} and d is {d}; both are 1 or more")
    if covariance not in ("full", "diagonal"):
        raise ValueError(f"covariance is {covariance!r}; it is 'full' or 'diagonal'")
    shape = d * (d + 1) // 2 if covariance == "full" else d
    return k - 1 + k * (d + shape)


def aic(log_likelihood: float, parameters: int) -> float:
    """Akaike's information criterion, −2 ℓ + 2 p; lower is better (Akaike 1974, "A new look at the
    statistical model identification", *IEEE Transactions on Automatic Control* 19, 716–723)."""
    return -2 * log_likelihood + 2 * parameters


def bic(log_likelihood: float, parameters: int, n: int) -> float:
    """Schwarz's criterion, −2 ℓ + p log N; lower is better (Schwarz 1978, "Estimating the dimension
    of a model", *The Annals of Statistics* 6, 461–464).

    ``parameters`` is how many there are, p. The R package mclust reports the negative, so there
    higher is better. What Schwarz assumes fails for mixtures with components to spare: then the
    parameters are not identified and the likelihood has no quadratic summit. Keribin (2000,
    "Consistent estimation of the order of mixture models", *Sankhyā A* 62, 49–66) shows that BIC
    finds the right K nevertheless if the likelihood is bounded: no spikes.
    """
    if n < 1:
        raise ValueError(f"n is {n}; it is the number of points, 1 or more")
    return -2 * log_likelihood + parameters * math.log(n)


def spreads(covariances: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
    """Each component's smallest variance in any direction, as a share of the data's own, (K,).

    ``covariances`` are (K, D, D), or (K, D) for diagonal ones. The columns of the data x (N, D) are
    divided by their standard deviations first, so units do not matter; of those covariances it is
    the smallest eigenvalue, NaN where one holds no numbers. A spike, a component on a few tied
    points, is known by it (:data:`SPIKE`). Raises ValueError where a column of x has no scale.
    """
    points, shapes = (np.asarray(given, dtype=np.float64) for given in (x, covariances))
    if points.ndim != 2:
        raise ValueError(f"the data have shape {points.shape}; they are (N, D), one point a row")
    if not (np.ptp(points, axis=0) > 0).all():
        raise ValueError("a column of the data is constant or not a number: it has no scale")
    scale = points.std(axis=0)
    if shapes.ndim == 2:
        return np.min(shapes / scale**2, axis=1)
    known = np.isfinite(shapes).all(axis=(1, 2))
    result = np.full(len(shapes), np.nan)
    result[known] = np.linalg.eigvalsh(shapes[known] / np.outer(scale, scale))[:, 0]
    return result


def smallest_spread(parameters: Any, x: ArrayLike) -> float:
    """The smallest of :func:`spreads` of a mixture's components."""
    return float(spreads(parameters.covariances, x).min())
