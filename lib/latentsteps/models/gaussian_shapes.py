"""What keeps the shape of a Gaussian from collapsing: a floor under its variances, or a prior.

A component with few points, or tied ones, has a covariance without volume, and there the
likelihood is infinite. A *floor* bounds the variance in every direction from below; the largest
likelihood under that bound has a closed form (:func:`raised`). A *prior* adds its own squares to
every component's (:func:`mode`).

Shapes: K components in D dimensions; covariances (K, D, D), or (K, D) for diagonal ones, which
hold their variances.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import multigammaln

COLLAPSE = 1e-12
"""A variance below this share of the data's is none: too close to the rounding of the data."""

SMALLEST_FLOOR = 1e-10
"""Eigenvalues are exact to some 1e-16 of the largest, not of themselves: below this share those
that are raised would come out wrong in so many digits that the objective may fall."""

COLLAPSED = (
    "a covariance is not positive definite: a component has collapsed onto points that span no "
    "volume, where the likelihood has no maximum; take a floor > 0 or a stronger prior, fewer "
    "components, or another start"
)


class NormalInverseWishart(NamedTuple):
    """Prior of one component: Σ ~ IW(scatter, degrees), then its mean ~ N(mean, Σ / strength).

    (Murphy 2012, *Machine Learning: A Probabilistic Perspective*, section 4.6.3.) For diagonal
    covariances each column has one of its own, with D = 1 and the diagonal of ``scatter``.
    """

    mean: NDArray[np.float64]
    """m₀, (D,)."""
    strength: float
    """κ > 0: as how many points the prior mean counts."""
    scatter: NDArray[np.float64]
    """S₀, (D, D), positive definite: the squares that are added to every component's own."""
    degrees: float
    """ν > D − 1: as how many points these squares count, roughly."""


def factors(covariances: NDArray) -> NDArray:
    """Cholesky factors, (K, D, D) lower triangular; of diagonal ones the standard deviations.

    Raises ValueError where a covariance is not positive definite.
    """
    covariances = np.asarray(covariances, dtype=np.float64)
    if covariances.ndim == 2 and (covariances > 0).all():
        return np.sqrt(covariances)
    if covariances.ndim == 3:
        try:
            return np.linalg.cholesky(covariances)
        except np.linalg.LinAlgError:
            pass
    raise ValueError(COLLAPSED)


def log_determinants(factor: NDArray) -> NDArray:
    """log det Σ of each component from :func:`factors`, (K,)."""
    return 2 * np.log(variances(factor)).sum(axis=1)


def variances(covariances: NDArray) -> NDArray:
    """The variance of each column, (K, D): the diagonal."""
    return covariances if covariances.ndim == 2 else np.diagonal(covariances, axis1=1, axis2=2)


def trace_ratio(covariances: NDArray, spread: NDArray) -> NDArray:
    """tr(Σ⁻¹ S) of matrices (..., D, D), in units of Σ's own diagonal: columns measured in
    millionths beside others in millions would cost ``solve`` its digits."""
    sides = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    units = sides[..., :, None] * sides[..., None, :]
    ratio = np.linalg.solve(covariances / units, spread / units)
    return np.trace(ratio, axis1=-2, axis2=-1)


def squares(gap: NDArray, like: NDArray) -> NDArray:
    """gap gapᵀ of rows (K, D), (K, D, D); or only its diagonal, where ``like`` is diagonal."""
    return gap**2 if like.ndim == 2 else gap[:, :, None] * gap[:, None, :]


def per_component(numbers: NDArray, like: NDArray) -> NDArray:
    """Numbers (K,), shaped so that they multiply covariances ``like`` these."""
    return numbers.reshape(-1, *[1] * (like.ndim - 1))


def raised(covariances: NDArray, floor: float, scale: NDArray) -> NDArray:
    """Covariances whose variance in any direction, columns over ``scale``, is at least ``floor``.

    Eigenvalues of Σ_ij / (scale_i scale_j) below the floor are set to it. If Σ is the covariance of
    largest likelihood (or posterior density), this is the largest among those with no variance
    below the floor: log det Σ + tr(Σ⁻¹S) is least with S's own directions, and in each of them it
    falls until the variance is S's, then rises. With ``floor`` 0 nothing is raised, and a variance
    below ``COLLAPSE`` is a ValueError.
    """
    least = floor or COLLAPSE
    if covariances.ndim == 2:
        lifted = np.maximum(covariances, least * scale**2)
        low = covariances < lifted
    else:
        try:
            np.linalg.cholesky(covariances - least * np.diag(scale**2))
            return covariances  # all are above it: the usual case, and the cheap question
        except np.linalg.LinAlgError:
            units = scale[:, None] * scale
            values, vectors = np.linalg.eigh(covariances / units)
            low = values[:, :1, None] < least
            lifted = vectors * np.maximum(values, least)[:, None, :] @ vectors.swapaxes(1, 2)
            lifted = 0.5 * (lifted + lifted.swapaxes(1, 2)) * units
    if floor == 0 and low.any():
        raise ValueError(COLLAPSED)
    return np.where(low, lifted, covariances)


def mode(
    prior: NormalInverseWishart, counts: NDArray, averages: NDArray, scatters: NDArray
) -> tuple[NDArray, NDArray]:
    """Means and covariances of largest posterior density, jointly (Murphy 2012, section 4.6.3.2).

    ``counts`` (K,) points with these ``averages`` (K, D) and, about them, ``scatters`` like
    covariances. The divisor is N_k + ν + D + 2. Without points it is the prior's own mode.
    """
    d, s0 = (
        (averages.shape[1], prior.scatter) if scatters.ndim == 3 else (1, np.diag(prior.scatter))
    )
    means = prior.strength * prior.mean + counts[:, None] * averages
    means /= prior.strength + counts[:, None]
    pull = per_component(prior.strength * counts / (prior.strength + counts), scatters)
    between = pull * squares(averages - prior.mean, scatters)
    divisor = per_component(counts + prior.degrees + d + 2, scatters)
    return means, (s0 + scatters + between) / divisor


def log_density(prior: NormalInverseWishart, means: NDArray, covariances: NDArray) -> float:
    """log p(means, covariances) under the prior, normalised, summed over the components."""
    mean, strength, scatter, degrees = prior
    if covariances.ndim == 2:  # every column of every component by itself, in one dimension
        mean, scatter = mean[:, None], np.diag(scatter)[:, None, None]
        means, covariances = means[:, :, None], covariances[:, :, None, None]
    d = means.shape[-1]
    gap = means - mean
    spread = scatter + strength * gap[..., :, None] * gap[..., None, :]
    each = (
        0.5 * degrees * (np.linalg.slogdet(scatter)[1] - d * np.log(2))
        - multigammaln(0.5 * degrees, d)
        + 0.5 * d * np.log(strength / (2 * np.pi))
        - 0.5 * (degrees + d + 2) * np.linalg.slogdet(covariances)[1]
        - 0.5 * trace_ratio(covariances, spread)
    )
    return float(each.sum())
