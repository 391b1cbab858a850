"""Data drawn from a known story: blobs, the inverse sine, the two-link arm.

What is learned from such data can be held against the truth. Everything comes from a seed: the
same seed gives the same data.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SINE_NOISE = 0.05
ARM_NOISE = 0.01
ARM = (0.8, 0.2)
"""Lengths of the two links."""
SHOULDER, ELBOW = (0.3, 1.2), (math.pi / 2, 3 * math.pi / 2)
"""The ranges that the arm's two angles are drawn from, in radians (Bishop 1994)."""
HAND_MIDDLE, HAND_UNIT = (0.656, 0.611), 0.2
"""Mean and, nearly, standard deviation of the hand's place: what its coordinates are scaled by."""


class Blobs(NamedTuple):
    """Points in the plane and the cloud that each was drawn from."""

    x: NDArray[np.float64]
    """(N, 2)."""
    labels: NDArray[np.int64]
    """(N,), 0 to clusters − 1."""


class Pairs(NamedTuple):
    """Inputs and the outputs that belong to them, a pair a row."""

    inputs: NDArray[np.float64]
    """(N, D_in)."""
    outputs: NDArray[np.float64]
    """(N, D_out)."""


def blobs(clusters: int = 8, *, n: int = 500, spread: float = 0.8, seed: int = 101) -> Blobs:
    """Round clouds of one spread, middles anywhere in the square from −10 to 10.

    Parameters
    ----------
    clusters: how many clouds; each has n / clusters points, the first ones one more if needed.
    n: points in all.
    spread: standard deviation of every cloud in every direction.
    seed: of scikit-learn's ``make_blobs``, which draws them.
    """
    from sklearn.datasets import make_blobs

    x, labels = make_blobs(
        n_samples=n,
        centers=clusters,
        cluster_std=spread,
        center_box=(-10, 10),
        random_state=seed,
    )
    return Blobs(np.asarray(x, dtype=np.float64), np.asarray(labels, dtype=np.int64))


def inverse_sine(n: int = 300, *, seed: int) -> Pairs:
    """A curve read backwards: up to three outputs belong to one input.

    Draw t evenly from 0 to 1 and x = t + .3 sin 2πt + noise, normal with sd ``SINE_NOISE``. The
    way from t to x is a function; here the *inputs* are x and the *outputs* t, both (n, 1), both in
    standard units: minus the mean, over the standard deviation, of the distribution they are drawn
    from (not of the sample, so that any two samples are on the same scale).

    The curve is that of Bishop (1994), "Mixture density networks", figure 2, where the noise is
    drawn evenly from −.1 to .1; here it is normal, so that the true density is never zero.
    """
    random = _random(n, seed)
    t = random.uniform(size=n)
    x = t + 0.3 * np.sin(2 * np.pi * t) + SINE_NOISE * random.normal(size=n)
    # Var t = 1/12, Var sin = 1/2, Cov(t, sin 2πt) = −1/(2π).
    variance = 1 / 12 + 0.3**2 / 2 - 2 * 0.3 / (2 * np.pi) + SINE_NOISE**2
    inputs, outputs = (x - 0.5) / math.sqrt(variance), (t - 0.5) * math.sqrt(12)
    return Pairs(inputs[:, None], outputs[:, None])


def two_link_arm(n: int = 1000, *, seed: int) -> Pairs:
    """Where a robot's hand is, and the two angles that brought it there: often one of two pairs.

    The shoulder's angle a and the elbow's b are drawn evenly from their ranges; the hand is at
    (L₁ cos a − L₂ cos(a + b), L₁ sin a − L₂ sin(a + b)) with links of .8 and .2, and is measured
    with a normal error of sd ``ARM_NOISE`` in both directions. *Inputs* are the measured places,
    (n, 2), minus ``HAND_MIDDLE``, over ``HAND_UNIT``; *outputs* the angles, (n, 2), in standard
    units of their distributions. :func:`hand` goes from such outputs to such inputs.

    Source: Bishop (1994), "Mixture density networks", section 5, which measures without error;
    then the true density is infinite on two points, and no score could be compared.
    """
    random = _random(n, seed)
    width = math.sqrt(12)  # an even distribution from 0 to 1 has sd 1/√12
    outputs = width * (random.uniform(size=(n, 2)) - 0.5)
    noise = ARM_NOISE / HAND_UNIT * random.normal(size=(n, 2))
    return Pairs(hand(outputs) + noise, outputs)


def hand(outputs: NDArray) -> NDArray[np.float64]:
    """Where the arm's hand is, without error, for the two angles: (..., 2) to (..., 2).

    Both as in :func:`two_link_arm`: angles in standard units, places as scaled there.
    """
    low, high = np.array([SHOULDER, ELBOW]).T
    angles = (low + high) / 2 + outputs * (high - low) / math.sqrt(12)
    shoulder, both = angles[..., 0], angles[..., 0] + angles[..., 1]
    upper, lower = ARM
    across = upper * np.cos(shoulder) - lower * np.cos(both)
    along = upper * np.sin(shoulder) - lower * np.sin(both)
    return (np.stack([across, along], axis=-1) - np.array(HAND_MIDDLE)) / HAND_UNIT


def _random(n: int, seed: int) -> np.random.Generator:
    if n < 1:
        raise ValueError(f"n is {n}; it is a positive number of pairs")
    return np.random.default_rng(seed)
