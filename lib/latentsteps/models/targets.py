"""Two densities in the plane to watch samplers on: a banana, and a posterior that is its mirror.

The banana is bent, so that no direction and no step size suits all of it; everything about it is
known exactly. The posterior of two means has two modes that are one answer under two names.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from latentsteps.inference.leapfrog import Density


def banana(width: float = 1.5, bend: float = 0.4, thickness: float = 0.5) -> Density:
    """A normal distribution in the plane, bent along a parabola; normalised.

    x₁ ~ N(0, width²) and, given x₁, x₂ ~ N(bend · (x₁² − width²), thickness²). So both means are 0,
    Var x₁ = width², Var x₂ = thickness² + 2 bend² width⁴, and the two are uncorrelated.

    Source: Haario, Saksman & Tamminen (1999), "Adaptive proposal distribution for random walk
    Metropolis algorithm", *Computational Statistics* 14, 375–395, section 4.
    """
    if not (width > 0 and thickness > 0 and math.isfinite(bend)):
        raise ValueError(
            f"width is {width}, bend {bend} and thickness {thickness}; width and thickness are "
            "positive, and bend is a finite number"
        )

    def parts(x: ArrayLike) -> tuple[NDArray, NDArray]:
        x = np.asarray(x, dtype=np.float64)
        return x[..., 0], x[..., 1] - bend * (x[..., 0] ** 2 - width**2)

    def log_density(x: ArrayLike) -> NDArray[np.float64]:
        along, across = parts(x)
        constant = math.log(2 * math.pi * width * thickness)
        return -0.5 * ((along / width) ** 2 + (across / thickness) ** 2) - constant

    def gradient(x: ArrayLike) -> NDArray[np.float64]:
        along, across = parts(x)
        pull = across / thickness**2
        return np.stack([2 * bend * along * pull - along / width**2, -pull], axis=-1)

    side = 2.6 * width
    foot, top = -bend * width**2, bend * (side**2 - width**2)
    low, high = min(foot, top) - 3 * thickness, max(foot, top) + thickness
    return Density(log_density, gradient, "banana", ((-side, side), (low, high)))


def two_means(x: ArrayLike, *, noise: float = 1.0, prior_spread: float = 10.0) -> Density:
    """The log joint density of data and the two means of a mixture; each point's side summed out.

    x_n ~ ½ N(m₁, noise²) + ½ N(m₂, noise²), and m₁, m₂ ~ N(0, prior_spread²), all independent.
    Nothing tells the means apart, so (m₁, m₂) and (m₂, m₁) have one density: the landscape is its
    own mirror image, and where the data have two clumps it has two valleys.

    Parameters
    ----------
    x: the data, (N,).
    noise, prior_spread: standard deviations, known.
    """
    data = np.asarray(x, dtype=np.float64)
    if data.ndim != 1 or not data.size or not np.isfinite(data).all():
        raise ValueError(f"the data have shape {data.shape}; they are finite numbers, (N,)")
    if not (noise > 0 and prior_spread > 0):
        raise ValueError(
            f"noise is {noise} and prior_spread {prior_spread}; both are standard deviations, "
            "above zero"
        )

    def standardised(means: ArrayLike) -> NDArray[np.float64]:
        """How many standard deviations each point is above each mean, (..., N, 2)."""
        return (data[:, None] - np.asarray(means, dtype=np.float64)[..., None, :]) / noise

    def log_density(means: ArrayLike) -> NDArray[np.float64]:
        both = -0.5 * standardised(means) ** 2
        likelihood = np.logaddexp(both[..., 0], both[..., 1]).sum(axis=-1)
        prior = -0.5 * (np.asarray(means) ** 2).sum(axis=-1) / prior_spread**2
        constant = data.size * math.log(2 * noise * math.sqrt(2 * math.pi))
        return likelihood + prior - constant - math.log(2 * math.pi * prior_spread**2)

    def gradient(means: ArrayLike) -> NDArray[np.float64]:
        z = standardised(means)
        first = expit(0.5 * (z[..., 1] ** 2 - z[..., 0] ** 2))  # responsibility of mean 1
        shares = np.stack([first, 1 - first], axis=-1)
        prior = -np.asarray(means, dtype=np.float64) / prior_spread**2
        return (shares * z).sum(axis=-2) / noise + prior

    low, high = data.min() - 1.5 * noise, data.max() + 1.5 * noise
    window = ((float(low), float(high)),) * 2
    return Density(log_density, gradient, "two means", (window[0], window[1]), ("m₁", "m₂"), True)
