"""What goes into a Bayesian Gaussian mixture: its prior, and where a chain begins."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.inference.em import EMState
from latentsteps.models.gaussian_mixture import GaussianMixture
from latentsteps.models.kmeans import kmeans
from latentsteps.models.points import as_points
from latentsteps.trace import Key, relative, run

FAMILIES = ("log-normal", "inverse gamma", "half-normal", "half-Cauchy")
"""Priors for scales. The first two vanish at 0 faster than any power; the others are positive
there, and a component on tied points then has infinite mass."""
RESTARTS = 10


class MixturePrior(NamedTuple):
    """What is believed before the data, for every component alike, in the data's units."""

    concentration: float
    """α of the Dirichlet: 1 for every division of the weights alike."""
    location: NDArray[np.float64]
    """(D,): centre of the means' normal prior."""
    spread: NDArray[np.float64]
    """(D,): its standard deviation."""
    scale_family: str
    """One of ``FAMILIES``."""
    scale: NDArray[np.float64]
    """(D,): the median of a log-normal, the mode of an inverse gamma, the unit of the others."""
    scale_spread: float
    """Standard deviation of log σ, log-normal; the shape a of an inverse gamma; else unused."""
    correlation: float
    """η of the LKJ prior: flat for 1, over every correlation matrix; above it round shapes are
    preferred. In the plane ρ has the density (1 − ρ²)^(η−1) up to a constant."""


def weak_prior(
    x: ArrayLike,
    *,
    concentration: float = 1.0,
    scale_family: str = "log-normal",
    scale: float = 1 / 12,
    scale_spread: float | None = None,
    correlation: float = 2.0,
) -> MixturePrior:
    """A prior that knows where the data lie and how far they reach, and nothing else about them.

    It looks at the data's range, column by column: means are normal around its middle with half of
    it as standard deviation; ``scale`` is a share of it. No prior that is to serve minutes and
    metres can do without that (Richardson & Green 1997, "On Bayesian analysis of mixtures with an
    unknown number of components", *Journal of the Royal Statistical Society B* 59, 731–792,
    section 2.4, do it too). It does not look at clusters.

    With the default, log σ has standard deviation ½, so a component is between 1/32 and 2/9 of the
    range wide with probability .95. A wide log-normal is a proper prior and yet no help against m
    points that are tied in a column: they contribute σ^−(m−1), and against that its density falls
    only from e^{−(m−1)·scale_spread²} of its median on. Correlation can make an ellipse as thin as
    a small scale can: the posterior is proper only if η > (m − 1)/2 for m equal rows and, in the
    plane, η > (m − 2)/2 for m points on a slanting line. (Ties in one column alone are settled by
    the scales.) Old Faithful's 272 rows have eight on one line and need η > 3.
    """
    points = as_points(x, "a prior")
    low, high = points.min(axis=0), points.max(axis=0)
    if not (high > low).all():
        raise ValueError(
            f"column {np.argmin(high > low)} is constant and has no range; drop it, or write down "
            "a MixturePrior"
        )
    if scale_spread is None:
        scale_spread = 0.5 if scale_family == "log-normal" else 2.0
    prior = MixturePrior(
        concentration,
        (low + high) / 2,
        (high - low) / 2,
        scale_family,
        scale * (high - low),
        scale_spread,
        correlation,
    )
    check_prior(prior)
    return prior


def check_prior(prior: MixturePrior | None) -> None:
    """Raise ValueError for a prior that is none."""
    if prior is None:
        return
    if prior.scale_family not in FAMILIES:
        raise ValueError(
            f"scale_family is {prior.scale_family!r}; it is one of {', '.join(FAMILIES)}"
        )
    shapes = {np.shape(part) for part in (prior.location, prior.spread, prior.scale)}
    if len(shapes) != 1 or any(len(shape) != 1 for shape in shapes):
        raise ValueError(
            f"location, spread and scale have shapes {sorted(shapes)}; all are (D,), one a column"
        )
    if not np.isfinite(prior.location).all():
        raise ValueError(f"location is {prior.location}; it is finite")
    for name in ("concentration", "spread", "scale", "scale_spread", "correlation"):
        value = np.asarray(getattr(prior, name))
        if not ((value > 0) & np.isfinite(value)).all():
            raise ValueError(f"{name} is {value}; it is positive and finite")


def prior_draws(prior: MixturePrior, k: int, n: int, *, seed: int) -> dict[str, NDArray]:
    """``n`` mixtures of ``k`` components drawn from the prior, with no data: weights (n, K), means
    and scales (n, K, D), correlation factors (n, K, D, D)."""
    check_prior(prior)
    if k < 1 or n < 1:
        raise ValueError(f"k is {k} and n is {n}; both are 1 or more")
    random, d = np.random.default_rng(seed), len(prior.location)
    shape, spread = (n, k, d), prior.scale_spread
    scales = {
        "log-normal": lambda: np.exp(random.normal(0, spread, shape)),
        "inverse gamma": lambda: (spread + 1) / random.gamma(spread, size=shape),
        "half-normal": lambda: np.abs(random.normal(size=shape)),
        "half-Cauchy": lambda: np.abs(random.standard_cauchy(shape)),
    }[prior.scale_family]()
    # Partial correlations are independent, (1 + p)/2 ~ Beta(b, b) with b falling from column to
    # column, and break the unit length of a row into its entries (Lewandowski et al. 2009,
    # section 2.4).
    factors = np.zeros((*shape, d))
    for i in range(d):
        left = np.ones((n, k))
        for j in range(i):
            b = prior.correlation + (d - 2 - j) / 2
            partial = 2 * random.beta(b, b, (n, k)) - 1
            factors[..., i, j] = partial * np.sqrt(left)
            left = left * (1 - partial**2)
        factors[..., i, i] = np.sqrt(left)
    return {
        "weights": random.dirichlet(np.full(k, prior.concentration), n),
        "means": prior.location + prior.spread * random.normal(size=shape),
        "scales": prior.scale * scales,
        "correlation_factors": factors,
    }


def from_kmeans(key: Key, chain: int, x: NDArray, k: int, scale: NDArray) -> GaussianMixture:
    """A mixture from the best of ten runs of k-means on columns over their standard deviations.

    Weights have one point added to every cluster, covariances one point at the distance ``scale``
    (D,) in every direction: no component begins empty or flat.
    """
    random = np.random.default_rng((*key, chain))
    spread = x.std(axis=0)
    standard = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1)
    algorithm = kmeans(k, start="k-means++")
    runs = [
        run(algorithm, standard, int(seed), steps=100, stop=relative(), memory=1)
        for seed in random.integers(2**31, size=RESTARTS)
    ]
    best: EMState = min(runs, key=lambda trace: trace.objective[-1])[-1]
    labels = np.eye(k)[best.expectations]
    counts = labels.sum(axis=0)
    means = labels.T @ x / np.maximum(counts, 1)[:, None]
    gaps = x - means[best.expectations]
    scatter = np.einsum("nk,nd,ne->kde", labels, gaps, gaps)
    covariances = (scatter + np.diag(scale**2)) / (counts + 1)[:, None, None]
    return GaussianMixture((counts + 1) / (counts + 1).sum(), means, covariances)


def as_position(mixture: GaussianMixture, k: int, d: int) -> dict[str, NDArray]:
    """A mixture as weights, means, scales and correlation factors.

    Raises ValueError where it is not one of K components in D dimensions with full, positive
    definite covariances and positive weights.
    """
    weights, means, covariances = (np.asarray(part, dtype=np.float64) for part in mixture)
    if (weights.shape, means.shape, covariances.shape) != ((k,), (k, d), (k, d, d)):
        raise ValueError(
            f"the start has weights {weights.shape}, means {means.shape} and covariances "
            f"{covariances.shape}; for {k} components in {d} dimensions these are {(k,)}, {(k, d)} "
            f"and {(k, d, d)}"
        )
    if not (weights > 0).all():
        raise ValueError(f"the start's weights are {weights}; a chain begins with positive ones")
    try:
        factors = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        raise ValueError("a covariance of the start is not positive definite") from None
    scales = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    return {
        "weights": weights / weights.sum(),
        "means": means,
        "scales": scales,
        "correlation_factors": factors / scales[..., None],
    }


def in_units(position: dict[str, Any], prior: MixturePrior, *, inwards: bool) -> dict[str, Any]:
    """A position in the prior's units, (x − location) / scale, or out of them again.

    In one dimension there is no correlation to draw: inwards its factor, 1, is left out, outwards
    it is put back.
    """
    means, scales = np.asarray(position["means"]), np.asarray(position["scales"])
    if inwards:
        units = {"means": (means - prior.location) / prior.scale, "scales": scales / prior.scale}
    else:
        units = {"means": means * prior.scale + prior.location, "scales": scales * prior.scale}
    result = position | units
    if len(prior.scale) == 1:
        if inwards:
            return {name: value for name, value in result.items() if name != "correlation_factors"}
        result["correlation_factors"] = np.ones((*scales.shape, 1))
    return result
