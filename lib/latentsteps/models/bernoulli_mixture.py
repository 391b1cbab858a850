"""Bernoulli mixture: every cluster is a picture of pixel probabilities, fitted by EM.

For binary images x (N, D), weights w (K,) and probabilities θ (K, D)::

    log p(x, k) = log w_k + Σ_d x_d log θ_kd + (1 − x_d) log(1 − θ_kd)

(Bishop 2006, *Pattern Recognition and Machine Learning*, section 9.3.3). As a function of x this
is a straight line, so all images under all clusters are one matrix product, and what the M step
needs, rᵀx, is another. Images stay uint8 and become floats a chunk at a time
(:mod:`latentsteps.models.pixels`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, xlogy

from latentsteps.inference.em import em, soft
from latentsteps.models.pixels import (
    CHUNK,
    ROUNDING,
    as_levels,
    check_mixture,
    check_weights,
    expected_counts,
    on_device,
    random_rows,
)
from latentsteps.trace import Algorithm, Key


class BernoulliMixture(NamedTuple):
    """The parameters: how common each cluster is, and how likely each of its pixels is on."""

    weights: NDArray[np.float64]
    """(K,), not negative, summing to one."""
    probabilities: NDArray[np.float64]
    """(K, D), strictly between 0 and 1."""


class Statistics(NamedTuple):
    """All that the M step and the objective need from an E step: sums over the images.

    The objective under *any* parameters follows from these without another look at the data.
    """

    counts: NDArray[np.float64]
    """(K,): Σ_n r_nk, how many images each cluster holds."""
    on: NDArray[np.float64]
    """(K, D): Σ_n r_nk x_nd, how many of them have each pixel on; never above ``counts``."""
    entropy: float
    """−Σ_nk r_nk log r_nk in nats; 0 for hard assignments."""


def bernoulli_mixture(
    k: int,
    *,
    hard: bool = False,
    strength: float = 2.0,
    toward: ArrayLike = 0.5,
    start: str | BernoulliMixture = "random images",
    half_steps: bool = False,
    chunk: int = CHUNK,
) -> Algorithm:
    """EM for a mixture of ``k`` Bernoulli pictures, on images (N, D) of zeros and ones.

    States are :class:`latentsteps.inference.em.EMState` with a :class:`BernoulliMixture` and its
    :class:`Statistics`. The objective, in nats, is F(q, θ) plus the log prior of θ without the
    prior's fixed constants; it does not fall beyond ``rounding``, and plain log-likelihood
    may. Responsibilities are float32 (hard decisions float64), sums and parameters float64.

    Parameters
    ----------
    hard: classification EM: each image wholly to its likeliest cluster, ties to the first.
    strength, toward: the Beta prior of every pixel, by what it does: a cluster of n images, ``on``
        of them with the pixel on, gets θ = (on + strength·toward) / (n + strength), the mode under
        Beta(1 + strength·toward, 1 + strength·(1 − toward)). The default is +1/+2, Beta(2, 2).
        ``toward`` is a number or a picture (D,), :func:`pixel_mean` for one. A cluster without
        images goes to the prior's mode, and its weight is zero for good.
    start: ``"random images"``: equal weights, each θ half a different random image and half the
        pixel means of all images, so that it is sharp enough to tell clusters apart and
        excludes nothing; ``"random labels"``: every image to a random cluster, then an M step;
        or parameters.
    half_steps: make the E and M halves separate states.
    chunk: images turned into floats at a time; memory and speed depend on it, results do not.

    Raises ValueError where the images are not zeros and ones in two dimensions.
    """
    check_mixture(k, start, BernoulliMixture, strength, chunk)
    prior_on, prior_off = _beta_prior(strength, toward)
    to_device = on_device(levels=2)

    def init(key: Key, x: NDArray) -> BernoulliMixture:
        x = as_levels(x, 2)
        if prior_on.ndim and prior_on.shape != x.shape[1:]:
            raise ValueError(f"toward has {prior_on.size} pixels, the images have {x.shape[1]}")
        if isinstance(start, BernoulliMixture):
            return _check_parameters(start, x.shape[1])
        random = np.random.default_rng(key)
        if start == "random labels":
            labels = random.integers(k, size=len(x))
            counts = np.bincount(labels, minlength=k).astype(np.float64)
            on = np.array([x[labels == j].sum(axis=0, dtype=np.float64) for j in range(k)])
            return m_step(x, Statistics(counts, on, 0.0), None)
        chosen = random_rows(random, x, k)
        return BernoulliMixture(np.full(k, 1 / k), 0.5 * chosen + 0.5 * pixel_mean(x))

    def e_step(x: NDArray, parameters: BernoulliMixture) -> Statistics:
        slopes, constants = _as_lines(parameters)
        counts, on, entropy = expected_counts(
            to_device(x), slopes, constants, levels=2, hard=hard, chunk=chunk
        )
        counts = np.asarray(counts)
        return Statistics(counts, np.minimum(on, counts[:, None]), float(entropy))

    def m_step(x: NDArray, found: Statistics, old: BernoulliMixture | None) -> BernoulliMixture:
        counts, on, _ = found
        probabilities = (on + prior_on) / (counts[:, None] + prior_on + prior_off)
        return BernoulliMixture(counts / counts.sum(), probabilities)

    def objective(x: NDArray, parameters: BernoulliMixture, found: Statistics) -> float:
        weights, probabilities = parameters
        counts, on, entropy = found
        off = counts[:, None] - on
        return float(
            xlogy(counts, weights).sum()
            + ((on + prior_on) * np.log(probabilities)).sum()
            + ((off + prior_off) * np.log1p(-probabilities)).sum()
            + entropy
        )

    name = f"{'classification EM' if hard else 'EM'} for a Bernoulli mixture"
    return em(
        init=init,
        e_step=e_step,
        m_step=m_step,
        objective=objective,
        half_steps=half_steps,
        name=name,
        direction="up",
        rounding=1e-9 if hard else ROUNDING,
    )


def log_joint(x: ArrayLike, parameters: BernoulliMixture) -> NDArray[np.float64]:
    """log p(x_n, k) of images (N, D) of zeros and ones, in nats: (N, K) float64.

    A cluster of weight zero gives −∞.
    """
    images = as_levels(x, 2)
    weights, _ = _check_parameters(parameters, images.shape[1])
    slopes, constants = _as_lines(parameters)
    joint = np.empty((len(images), len(weights)))
    for first in range(0, len(images), CHUNK):
        rows = slice(first, first + CHUNK)
        joint[rows] = images[rows].astype(np.float64) @ slopes.T + constants
    return joint


def responsibilities(x: ArrayLike, parameters: BernoulliMixture) -> NDArray[np.float64]:
    """p(k | x_n) of images (N, D): (N, K), rows sum to one."""
    return soft(log_joint(x, parameters))


def mean_log_likelihood(x: ArrayLike, parameters: BernoulliMixture) -> float:
    """The mean of log p(x_n) over images (N, D), in nats an image, without the prior."""
    images = as_levels(x, 2)
    total = 0.0
    for first in range(0, len(images), CHUNK):
        joint = log_joint(images[first : first + CHUNK], parameters)
        total += float(logsumexp(joint, axis=1).sum())
    return total / len(images)


def pixel_mean(x: ArrayLike) -> NDArray[np.float64]:
    """How often each pixel is on in images (N, D), +1/+2 so that it is never 0 or 1: (D,)."""
    images = as_levels(x, 2)
    return (images.sum(axis=0, dtype=np.float64) + 1) / (len(images) + 2)


def _as_lines(parameters: BernoulliMixture) -> tuple[NDArray, NDArray]:
    """Slopes (K, D) and constants (K,) of log p(x, k) as a straight line in x."""
    weights, probabilities = parameters
    off = np.log1p(-probabilities)
    with np.errstate(divide="ignore"):
        return np.log(probabilities) - off, np.log(weights) + off.sum(axis=1)


def _beta_prior(strength: float, toward: ArrayLike) -> tuple[NDArray, NDArray]:
    """How many images with the pixel on, and how many with it off, the prior counts for."""
    picture = np.asarray(toward, dtype=np.float64)
    if picture.ndim > 1 or not np.all((picture > 0) & (picture < 1)):
        raise ValueError("toward is a number or a picture (D,), strictly between 0 and 1")
    return strength * picture, strength * (1 - picture)


def _check_parameters(parameters: BernoulliMixture, pixels: int) -> BernoulliMixture:
    weights = np.asarray(parameters.weights, dtype=np.float64)
    probabilities = np.asarray(parameters.probabilities, dtype=np.float64)
    if probabilities.shape != (len(weights), pixels):
        raise ValueError(
            f"probabilities have shape {probabilities.shape}; with {len(weights)} weights and "
            f"{pixels} pixels it is ({len(weights)}, {pixels})"
        )
    check_weights(weights)
    if not np.all((probabilities > 0) & (probabilities < 1)):
        raise ValueError("probabilities are strictly between 0 and 1: smooth them first")
    return BernoulliMixture(weights, probabilities)
