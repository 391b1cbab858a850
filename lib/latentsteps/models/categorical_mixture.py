"""Categorical mixture: every pixel of a cluster has a probability for each level of grey.

With images x (N, D) of levels 0, ..., L − 1, weights w (K,) and probabilities p (K, D, L) that
sum to one over the levels::

    log p(x, k) = log w_k + Σ_d log p_k,d,x_d

The levels are names: that 3 lies between 2 and 4 is unknown to the model. Two levels give the
Bernoulli mixture, step for step. It is not a multinomial over ink, which models in which pixel a
drop of ink lands, and where pixels compete for a fixed total.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from latentsteps.inference.em import em
from latentsteps.models.pixels import (
    CHUNK,
    ROUNDING,
    as_levels,
    check_mixture,
    check_weights,
    expected_counts,
    indicators,
    on_device,
    random_rows,
)
from latentsteps.trace import Algorithm, Key


class CategoricalMixture(NamedTuple):
    """The parameters: how common each cluster is, and its probability of each level per pixel."""

    weights: NDArray[np.float64]
    """(K,), not negative, summing to one."""
    probabilities: NDArray[np.float64]
    """(K, D, L), positive, summing to one over the levels."""


class LevelStatistics(NamedTuple):
    """All that the M step and the objective need from an E step: sums over the images."""

    counts: NDArray[np.float64]
    """(K,): Σ_n r_nk, how many images each cluster holds."""
    levels: NDArray[np.float64]
    """(K, D, L): how many of them have each level in each pixel; over the levels, ``counts``."""
    entropy: float
    """−Σ_nk r_nk log r_nk in nats; 0 for hard assignments."""


def to_levels(images: ArrayLike, levels: int) -> NDArray[np.uint8]:
    """Grey images, uint8 from 0 to 255, cut into ``levels`` equally wide levels: same shape, uint8.

    Two levels cut where a threshold of one half does: 127 is off, 128 is on.
    """
    grey = np.asarray(images)
    if grey.dtype != np.uint8:
        raise ValueError(f"images are {grey.dtype}; they are uint8, grey from 0 to 255")
    _check_levels(levels)
    # One decision for each of the 256 greys, looked up for each pixel.
    return (np.arange(256) * levels // 256).astype(np.uint8)[grey]


def categorical_mixture(
    k: int,
    levels: int,
    *,
    hard: bool = False,
    strength: float = 2.0,
    toward: ArrayLike | None = None,
    start: str | CategoricalMixture = "random images",
    half_steps: bool = False,
    chunk: int | None = None,
) -> Algorithm:
    """EM for a mixture of ``k`` categorical pictures, on images (N, D) of ``levels`` levels.

    States are :class:`latentsteps.inference.em.EMState` with a :class:`CategoricalMixture` and
    its :class:`LevelStatistics`; objective, precision and arguments as in
    :func:`latentsteps.models.bernoulli_mixture.bernoulli_mixture`, save these.

    Parameters
    ----------
    levels: how many values a pixel has, 2 to 256; :func:`to_levels` makes them from grey.
    strength, toward: the Dirichlet prior of every pixel, by what it does: a cluster of n images,
        m of them at a level, gives it (m + strength·toward) / (n + strength), the mode under
        Dirichlet(1 + strength·toward). ``toward`` is (L,) or (D, L), positive and summing to one
        over the levels; all levels alike if left out. At two levels that is Beta(2, 2), +1/+2.
    chunk: images turned into floats at a time; if left out, fewer the more levels there are.

    Raises ValueError where the images are not whole numbers below ``levels`` in two dimensions.
    """
    _check_levels(levels)
    chunk = max(1, CHUNK // (levels - 1)) if chunk is None else chunk
    check_mixture(k, start, CategoricalMixture, strength, chunk)
    prior = strength * _simplex(np.full(levels, 1 / levels) if toward is None else toward, levels)
    to_device = on_device(levels)

    def init(key: Key, x: NDArray) -> CategoricalMixture:
        x = as_levels(x, levels)
        if prior.ndim == 2 and len(prior) != x.shape[1]:
            raise ValueError(f"toward has {len(prior)} pixels, the images have {x.shape[1]}")
        if isinstance(start, CategoricalMixture):
            return _check_parameters(start, x.shape[1], levels)
        random = np.random.default_rng(key)
        if start == "random labels":
            labels = random.integers(k, size=len(x))
            counts = np.bincount(labels, minlength=k).astype(np.float64)
            seen = np.array([_level_counts(x[labels == j], levels) for j in range(k)])
            return m_step(x, LevelStatistics(counts, seen, 0.0), None)
        chosen = np.eye(levels)[random_rows(random, x, k)]
        return CategoricalMixture(np.full(k, 1 / k), 0.5 * chosen + 0.5 * level_mean(x, levels))

    def e_step(x: NDArray, parameters: CategoricalMixture) -> LevelStatistics:
        slopes, constants = _as_lines(parameters)
        counts, above, entropy = expected_counts(
            to_device(x), slopes, constants, levels=levels, hard=hard, chunk=chunk
        )
        counts = np.asarray(counts)
        above = np.asarray(above).reshape(k, -1, levels - 1)
        # What is left of each cluster's images has level 0; rounding must not make it negative.
        rest = np.maximum(counts[:, None, None] - above.sum(axis=2, keepdims=True), 0)
        return LevelStatistics(counts, np.concatenate([rest, above], axis=2), float(entropy))

    def m_step(
        x: NDArray, found: LevelStatistics, old: CategoricalMixture | None
    ) -> CategoricalMixture:
        smoothed = found.levels + prior
        probabilities = smoothed / smoothed.sum(axis=2, keepdims=True)
        return CategoricalMixture(found.counts / found.counts.sum(), probabilities)

    def objective(x: NDArray, parameters: CategoricalMixture, found: LevelStatistics) -> float:
        weights, probabilities = parameters
        return float(
            xlogy(found.counts, weights).sum()
            + ((found.levels + prior) * np.log(probabilities)).sum()
            + found.entropy
        )

    name = f"{'classification EM' if hard else 'EM'} for a categorical mixture"
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


def log_joint(x: ArrayLike, parameters: CategoricalMixture) -> NDArray[np.float64]:
    """log p(x_n, k) of images (N, D) of levels, in nats: (N, K) float64.

    A cluster of weight zero gives −∞.
    """
    levels = parameters.probabilities.shape[-1]
    images = as_levels(x, levels)
    slopes, constants = _as_lines(_check_parameters(parameters, images.shape[1], levels))
    joint = np.empty((len(images), len(constants)))
    chunk = max(1, CHUNK // (levels - 1))
    for first in range(0, len(images), chunk):
        rows = slice(first, first + chunk)
        joint[rows] = indicators(images[rows], levels).astype(np.float64) @ slopes.T + constants
    return joint


def level_mean(x: ArrayLike, levels: int) -> NDArray[np.float64]:
    """How often each pixel has each level in images (N, D), smoothed by two images' worth of all
    levels alike, so that none is 0: (D, L)."""
    images = as_levels(x, levels)
    return (_level_counts(images, levels) + 2 / levels) / (len(images) + 2)


def _level_counts(images: NDArray[np.uint8], levels: int) -> NDArray[np.float64]:
    """How many of the images have each level in each pixel: (D, L)."""
    counts = [(images == level).sum(axis=0) for level in range(levels)]
    return np.stack(counts, axis=1).astype(np.float64)


def _as_lines(parameters: CategoricalMixture) -> tuple[NDArray, NDArray]:
    """Slopes (K, D·(L − 1)) against level 0, and constants (K,), of log p(x, k)."""
    weights, probabilities = parameters
    logs = np.log(probabilities)
    slopes = (logs[:, :, 1:] - logs[:, :, :1]).reshape(len(weights), -1)
    with np.errstate(divide="ignore"):
        return slopes, np.log(weights) + logs[:, :, 0].sum(axis=1)


def _check_levels(levels: int) -> None:
    if not 2 <= levels <= 256:
        raise ValueError(f"levels is {levels}; a pixel has 2 to 256 of them")


def _simplex(p: ArrayLike, levels: int) -> NDArray[np.float64]:
    """Probabilities of the levels, (..., L), as they were given, or ValueError."""
    given = np.asarray(p, dtype=np.float64)
    if given.ndim < 1 or given.shape[-1] != levels:
        raise ValueError(f"probabilities have shape {given.shape}; the last axis is {levels} long")
    if not (np.all(given > 0) and np.allclose(given.sum(axis=-1), 1, atol=1e-4)):
        raise ValueError("probabilities are positive and sum to one over the levels: smooth them")
    return given


def _check_parameters(
    parameters: CategoricalMixture, pixels: int, levels: int
) -> CategoricalMixture:
    weights = np.asarray(parameters.weights, dtype=np.float64)
    probabilities = _simplex(parameters.probabilities, levels)
    if probabilities.shape != (len(weights), pixels, levels):
        raise ValueError(
            f"probabilities have shape {probabilities.shape}; with {len(weights)} weights, "
            f"{pixels} pixels and {levels} levels it is ({len(weights)}, {pixels}, {levels})"
        )
    check_weights(weights)
    return CategoricalMixture(weights, probabilities)
