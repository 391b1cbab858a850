"""Gaussian mixtures by their moments: what EM takes from the data, and an E step that is fast.

All that an M step needs is each component's count, mean and scatter (:class:`Statistics`). And as
a function of the features φ(x) = [1, x, every x_i x_j with i ≤ j] the log density of a Gaussian is
a straight line (Bishop 2006, *Pattern Recognition and Machine Learning*, section 2.4)::

    log p(x, k) = φ(x)·slopes_k

so all points under all components are one matrix product, and the sums Σ_n r_nk φ(x_n) are another
(:func:`by_products`). Squares of numbers far from 0 lose digits, so the data are standardised
first.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from threadpoolctl import ThreadpoolController

from latentsteps.models.gaussian_inputs import Points
from latentsteps.models.gaussian_shapes import (
    factors,
    log_determinants,
    per_component,
    squares,
    trace_ratio,
    variances,
)

EMPTY = 1e-290
"""A component with less than this of a point has none: such numbers have lost their digits."""

DIGITS_LOST = 1e6
"""By how much a density's terms may exceed their sum in :func:`by_products`. With the 2e-16 of
float64 responsibilities are then good to about 2e-10 of themselves, usually far better."""

SMALL = 2**18
"""Multiplications in a product up to which OpenBLAS, NumPy's usual BLAS, takes one thread by
itself. With another BLAS threads may start below it; that costs time and changes no result."""

FEW = 8
"""Below so many chunks threads cost more time than they save."""

_BLAS, _LOCK = ThreadpoolController(), Lock()


class Statistics(NamedTuple):
    """All that the M step and the objective need from an E step: sums over the points.

    The objective under *any* parameters follows from these without another look at the data.
    """

    counts: NDArray[np.float64]
    """(K,): Σ_n r_nk, how many points each component holds."""
    means: NDArray[np.float64]
    """(K, D): the mean of its points, each counted r_nk times; 0 where there are none."""
    scatters: NDArray[np.float64]
    """(K, D, D): Σ_n r_nk (x_n − mean_k)(x_n − mean_k)ᵀ; or (K, D), its diagonal."""
    entropy: float
    """−Σ_nk r_nk log r_nk in nats."""


def statistics(x: NDArray, r: NDArray, covariance: str) -> Statistics:
    """Statistics of points (N, D) under responsibilities (N, K), by differences from the means."""
    counts = np.where(r.sum(axis=0) > EMPTY, r.sum(axis=0), 0.0)
    k, d = len(counts), x.shape[1]
    means = np.zeros((k, d))
    scatters = np.zeros((k, d, d) if covariance == "full" else (k, d))
    for j in np.flatnonzero(counts):
        means[j] = r[:, j] @ x / counts[j]
        gap = x - means[j]
        weighted = r[:, j, None] * gap
        scatters[j] = weighted.T @ gap if covariance == "full" else (weighted * gap).sum(axis=0)
    return Statistics(counts, means, scatters, -float(xlogy(r, r).sum()))


def expected_log_joint(
    found: Statistics, weights: NDArray, means: NDArray, covariances: NDArray
) -> float:
    """Σ_nk r_nk log p(x_n, k) in nats, under any parameters, from the statistics alone."""
    counts, averages, scatters, _ = found
    volumes = counts @ log_determinants(factors(covariances))
    volumes += counts.sum() * means.shape[1] * np.log(2 * np.pi)
    spread = scatters + per_component(counts, scatters) * squares(averages - means, scatters)
    if covariances.ndim == 2:
        quadratic = (spread / covariances).sum()
    else:
        quadratic = trace_ratio(covariances, spread).sum()
    return float(xlogy(counts, weights).sum() - 0.5 * volumes - 0.5 * quadratic)


def by_products(
    points: Points, weights: NDArray, means: NDArray, covariances: NDArray, chunk: int | None = None
) -> Statistics | None:
    """An E step in one pass and two matrix products; None where that would lose digits.

    It would for a tight component far from the centre of the data, whose log density is a small
    difference of large squares. How large is seen in the parameters, and again in the result.

    ``chunk`` is how many points have their features at a time; by default so many that they stay
    in the cache. Chunks go to as many threads as there are processors and are summed in order, so
    the number of threads changes no bit.
    """
    x, centre, _ = points
    diagonal = covariances.ndim == 2
    scale = np.where(points.scale > 0, points.scale, 1.0)
    units = scale**2 if diagonal else scale[:, None] * scale
    there, shapes = (means - centre) / scale, covariances / units
    if not _terms_over_sum(there, shapes) < DIGITS_LOST:
        return None
    slopes = _slopes(weights, there, shapes, log_determinants(factors(covariances)))
    chunk = chunk or int(np.clip(2**18 // sum(slopes.shape), 64, 8192))
    parts = [x[first : first + chunk] for first in range(0, len(x), chunk)]

    def work(part: NDArray) -> tuple[NDArray, float]:
        return _one_chunk((part - centre).T / scale[:, None], slopes, diagonal)

    if len(x) * slopes.size < SMALL:
        done = [work(part) for part in parts]
    else:
        # BLAS would start threads of its own for each product, and they wait for one another.
        with _LOCK, _BLAS.limit(limits=1, user_api="blas"):
            if len(parts) < FEW:
                done = [work(part) for part in parts]
            else:
                with ThreadPoolExecutor(joblib.cpu_count()) as pool:
                    done = list(pool.map(work, parts))
    sums = np.add.reduce([each for each, _ in done])
    log_likelihood = sum(each for _, each in done)
    counts, there, shapes = _moments(sums, len(scale), diagonal)
    if not _terms_over_sum(there[counts > 0], shapes[counts > 0]) < DIGITS_LOST:
        return None
    scatters = per_component(counts, shapes) * shapes * units
    found = Statistics(counts, there * scale + centre, scatters, 0.0)
    # The log-likelihood is the expected log joint plus the entropy, which need no pass of its own.
    expected = expected_log_joint(found, weights, means, covariances)
    return found._replace(entropy=log_likelihood - expected)


def _one_chunk(x: NDArray, slopes: NDArray, diagonal: bool) -> tuple[NDArray, float]:
    """Σ_n r_nk φ(x_n), (K, F), and Σ_n log p(x_n) of one chunk of points (D, N).

    Points lie along rows here: sums and maxima over K few components then run along many points.
    """
    phi = _features(x, diagonal)
    joint = slopes @ phi
    largest = joint.max(axis=0)
    joint -= largest
    np.exp(joint, out=joint)
    total = joint.sum(axis=0)
    joint /= total
    return joint @ phi.T, float(largest.sum() + np.log(total).sum())


def _features(x: NDArray, diagonal: bool) -> NDArray:
    """φ of points (D, N): 1, x, and x_i² or every x_i x_j with i ≤ j, shape (F, N)."""
    d, n = x.shape
    phi = np.empty((1 + 2 * d if diagonal else 1 + d + d * (d + 1) // 2, n))
    phi[0], phi[1 : d + 1] = 1, x
    if diagonal:
        np.square(x, out=phi[d + 1 :])
        return phi
    row = d + 1
    for i in range(d):
        np.multiply(x[i], x[i:], out=phi[row : row + d - i])
        row += d - i
    return phi


@cache
def _pairs(d: int) -> tuple[NDArray, NDArray]:
    """The i ≤ j in the order of :func:`_features`."""
    return np.triu_indices(d)


def _slopes(weights: NDArray, means: NDArray, covariances: NDArray, volumes: NDArray) -> NDArray:
    """log p(x, k) as a straight line in φ(x), (K, F); ``volumes`` (K,) are its log det Σ."""
    d = means.shape[1]
    if covariances.ndim == 2:
        straight, curved = means / covariances, -0.5 / covariances
    else:
        precisions = np.linalg.inv(covariances)
        straight = (precisions @ means[:, :, None])[:, :, 0]
        i, j = _pairs(d)
        curved = np.where(i == j, -0.5, -1.0) * precisions[:, i, j]
    constant = -0.5 * (d * np.log(2 * np.pi) + volumes + (straight * means).sum(axis=1))
    with np.errstate(divide="ignore"):
        constant += np.log(weights)
    return np.column_stack([constant, straight, curved])


def _moments(sums: NDArray, d: int, diagonal: bool) -> tuple[NDArray, NDArray, NDArray]:
    """Counts, means and covariances of the components from Σ_n r_nk φ(x_n); 0 for empty ones."""
    counts = np.where(sums[:, 0] > EMPTY, sums[:, 0], 0.0)
    shares = (
        sums[:, 1:] * np.divide(1, counts, out=np.zeros_like(counts), where=counts > 0)[:, None]
    )
    means, seconds = shares[:, :d], shares[:, d:]
    if not diagonal:
        i, j = _pairs(d)
        flat, seconds = seconds, np.empty((len(counts), d, d))
        seconds[:, i, j] = seconds[:, j, i] = flat
    return counts, means, seconds - squares(means, seconds)


def _terms_over_sum(means: NDArray, covariances: NDArray) -> float:
    """How large the terms x_i x_j (Σ⁻¹)_ij of a component's log density are at its own points.

    Their sum is about D. The largest over components; infinite or NaN where there is no inverse.
    """
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        typical = np.sqrt(means**2 + variances(covariances))
        if covariances.ndim == 2:
            return float(np.max(typical**2 / covariances, initial=0))
        try:
            precisions = np.abs(np.linalg.inv(covariances))
        except np.linalg.LinAlgError:
            return np.inf
        return float(np.max(np.einsum("ki,kij,kj->k", typical, precisions, typical), initial=0))
