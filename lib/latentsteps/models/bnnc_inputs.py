"""What goes into BNNC: its prior, and where a chain begins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.models.bayesian_gmm_inputs import from_kmeans
from latentsteps.models.bnnc_model import coordinates
from latentsteps.models.points import as_points
from latentsteps.trace import Key

FAMILIES = ("exponential", "half-normal")


class BNNCPrior(NamedTuple):
    """What is believed before the data, in the data's units."""

    concentration: float
    """a of the Dirichlet(a, ..., a), of each component."""
    location: NDArray[np.float64]
    """(D,): centre of the means' normal prior."""
    spread: NDArray[np.float64]
    """(D,): its standard deviation."""
    scale_family: str
    """One of ``FAMILIES``: the prior of every σ."""
    scale: NDArray[np.float64]
    """(D,): the mean of an exponential, the unit of a half-normal."""
    hidden_scale: float = 1.0
    """Standard deviation of W₁'s entries."""
    output_scale: float = 0.05
    """Standard deviation of W₂'s entries."""


def stated_prior(d: int, k: int = 11, *, alpha: float = 0.05) -> BNNCPrior:
    """The recipe's prior for D columns: π ~ Dirichlet(α/K, ..., α/K), m ~ N(0, 5²), σ ~ Exp(1).

    It does not look at the data, and so means something only for data whose columns lie within a
    few times 5 of 0 and whose clusters are about 1 wide.
    """
    if d < 1 or k < 1:
        raise ValueError(f"d is {d} and k is {k}; both are 1 or more")
    prior = BNNCPrior(alpha / k, np.zeros(d), np.full(d, 5.0), "exponential", np.ones(d))
    check_prior(prior)
    return prior


def empirical_prior(x: ArrayLike, k: int = 11, *, alpha: float = 1.0) -> BNNCPrior:
    """Priors read off the data: m ~ N(mean of the data, (2 sd)²), σ ~ half-normal of unit 2 sd.

    Called empirical Bayes. It uses the data twice, once for the prior and once for the likelihood,
    and it is *another* prior than :func:`stated_prior`, in its concentration too (1/K, not .05/K):
    what it finds is no confirmation of what the other finds.
    """
    points = as_points(x, "a prior")
    sd = points.std(axis=0)
    if k < 1:
        raise ValueError(f"k is {k}; it is 1 or more")
    if not (sd > 0).all():
        raise ValueError(
            f"column {np.argmin(sd)} is constant and has no spread; drop it, or write down a "
            "BNNCPrior"
        )
    prior = BNNCPrior(alpha / k, points.mean(axis=0), 2 * sd, "half-normal", 2 * sd)
    check_prior(prior)
    return prior


def check_prior(prior: BNNCPrior | None) -> None:
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
    for name in ("concentration", "spread", "scale", "hidden_scale", "output_scale"):
        value = np.asarray(getattr(prior, name))
        if not ((value > 0) & np.isfinite(value)).all():
            raise ValueError(f"{name} is {value}; it is positive and finite")


def begin(
    start: str, key: Key, chain: int, x: NDArray, k: int, prior: BNNCPrior
) -> dict[str, NDArray]:
    """Where a chain begins, in the data's units: "log_weights" (but for a uniform start), "means",
    "scales"; what is not there is drawn by NumPyro."""
    random = np.random.default_rng((*key, chain))
    if start == "uniform":
        means = random.uniform(-2, 2, size=(k, len(prior.spread)))
        return {"means": prior.location + prior.spread * means}
    sd = x.std(axis=0)
    mixture = from_kmeans(key, chain, x, k, np.where(sd > 0, sd, prior.scale) / k)
    variances = np.diagonal(mixture.covariances, axis1=1, axis2=2)
    return {
        "log_weights": np.log(mixture.weights),
        "means": mixture.means,
        "scales": np.sqrt(variances),
    }


def as_sites(position: dict[str, NDArray], prior: BNNCPrior, unit: NDArray) -> dict[str, NDArray]:
    """A start in the sampler's coordinates."""
    into = {
        "log_weights": lambda value: ("y", coordinates(value)),
        "means": lambda value: ("means", (value - prior.location) / unit),
        "scales": lambda value: ("scales", value / unit),
        "hidden_weights": lambda value: ("hidden", value / prior.hidden_scale),
        "output_weights": lambda value: ("output", value / prior.output_scale),
    }
    return dict(into[name](np.asarray(value)) for name, value in position.items())
