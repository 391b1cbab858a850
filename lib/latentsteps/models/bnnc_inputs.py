"""What goes into BNNC: its prior, and where a chain begins."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.models.bayesian_gmm_inputs import from_kmeans
from latentsteps.models.bnnc_density import as_covariates
from latentsteps.models.bnnc_model import Numbers, coordinates
from latentsteps.models.counts import as_count
from latentsteps.models.points import as_points
from latentsteps.trace import Data, Key

FAMILIES = {"exponential": 1.0, "half-normal": 2.0}
"""Priors of σ, and the power of σ in their log density."""
STARTS = ("k-means", "uniform")
FARTHEST = 1e150
"""Of points from 0: their squares still have room below the largest float64."""


class BNNCPrior(NamedTuple):
    """What is believed before the data, in the data's units.

    Both families are positive at σ = 0, so the posterior is proper only where no two rows tie in a
    column. A component whose mean is on m tied rows contributes σ^−m to the likelihood, σ^−(m−1)
    with its mean integrated out, and that has an infinite integral down to 0 from m = 2 on. Chains
    do not show it: they see the infinite part only when a component happens to get that narrow, and
    then they stay. Where rounded data tie, add noise as wide as the rounding; a column that is
    constant is refused.
    """

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
    d, k = as_count(d, "d"), as_count(k, "k")
    return as_prior(BNNCPrior(alpha / k, np.zeros(d), np.full(d, 5.0), "exponential", np.ones(d)))


def empirical_prior(x: ArrayLike, k: int = 11, *, alpha: float = 1.0) -> BNNCPrior:
    """Priors read off the data: m ~ N(mean of the data, (2 sd)²), σ ~ half-normal of unit 2 sd.

    Called empirical Bayes. It uses the data twice, once for the prior and once for the likelihood,
    and it is *another* prior than :func:`stated_prior`, in its concentration too (1/K, not .05/K):
    what it finds is no confirmation of what the other finds.
    """
    points, k = as_points(x, "a prior"), as_count(k, "k")
    _check_columns(points)
    sd = points.std(axis=0)
    return as_prior(BNNCPrior(alpha / k, points.mean(axis=0), 2 * sd, "half-normal", 2 * sd))


def as_prior(prior: BNNCPrior) -> BNNCPrior:
    """The prior with its numbers as float64, lists too. Raises ValueError for one that is none."""
    if not isinstance(prior, BNNCPrior):
        raise ValueError(
            f"the prior is {prior!r}; it is a BNNCPrior, as stated_prior and empirical_prior give"
        )
    if prior.scale_family not in FAMILIES:
        raise ValueError(
            f"scale_family is {prior.scale_family!r}; it is one of {', '.join(FAMILIES)}"
        )
    numbers = {}
    for name, value in prior._asdict().items():
        if name == "scale_family":
            continue
        try:
            numbers[name] = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{name} is {value!r}; it is made of numbers") from None
    columns = {name: numbers.pop(name) for name in ("location", "spread", "scale")}
    shapes = {value.shape for value in columns.values()}
    if len(shapes) != 1 or any(len(shape) != 1 for shape in shapes):
        raise ValueError(
            f"location, spread and scale have shapes {sorted(shapes)}; all are (D,), one a column"
        )
    for name, value in numbers.items():
        if value.ndim:
            raise ValueError(f"{name} is {value}; it is a single number")
    if not np.isfinite(columns["location"]).all():
        raise ValueError(f"location is {prior.location}; it is finite")
    for name, value in (numbers | columns).items():
        if name != "location" and not ((value > 0) & np.isfinite(value)).all():
            raise ValueError(f"{name} is {value}; it is positive and finite")
    singles = {name: float(value) for name, value in numbers.items()}
    return BNNCPrior(**(prior._asdict() | columns | singles))


def prior_for(prior: BNNCPrior | None, x: NDArray, k: int) -> BNNCPrior:
    """The prior for these points (N, D), :func:`stated_prior` if there is none.

    Raises ValueError for a prior of other columns, for points with a constant column, and for
    points so far away that their squares are no numbers.
    """
    used = stated_prior(x.shape[1], k) if prior is None else prior
    if len(used.location) != x.shape[1]:
        raise ValueError(
            f"the prior is for {len(used.location)} columns, the data have {x.shape[1]}"
        )
    if abs(x).max() > FARTHEST:
        row = np.unravel_index(abs(x).argmax(), x.shape)[0]
        raise ValueError(
            f"row {row} lies further away than {FARTHEST:.0e}, where densities are no numbers; "
            "drop it, or take another unit"
        )
    if len(x) > 1:  # one point ties with none
        _check_columns(x)
    return used


def as_numbers(prior: BNNCPrior, unit: NDArray) -> Numbers:
    """The prior as data of a compiled model, which samples in that unit (D,)."""
    known = prior._asdict()
    return Numbers(power=FAMILIES[known.pop("scale_family")], unit=unit, **known)


def check_start(start: object, *, or_position: bool = False) -> None:
    """Raise ValueError for what is none of ``STARTS`` nor, where that will do, a position."""
    if start in STARTS if isinstance(start, str) else or_position and isinstance(start, dict):
        return
    words = ", ".join(STARTS) + ", or a position" * or_position
    raise ValueError(f"start is {start!r}; it is one of {words}")


def as_data(data: Data, gate: str) -> tuple[NDArray, NDArray | None]:
    """Points and, for a gate on covariates, those.

    Raises ValueError where there are covariates and none are wanted, and the other way round."""
    if (gate == "covariates") != isinstance(data, tuple):
        raise ValueError(
            f'the data are {type(data).__name__}, the gate is {gate!r}; with "covariates" they are '
            "a tuple of points (N, D) and covariates (N, C), otherwise points alone"
        )
    if not isinstance(data, tuple):
        return as_points(data, "BNNC"), None
    points = as_points(data[0], "BNNC")
    return points, as_covariates(data[1], points)


def begin(
    start: str, key: Key, chain: int, x: NDArray, k: int, prior: Numbers
) -> dict[str, NDArray]:
    """Where a chain begins, in the data's units: "log_weights" (but for a uniform start), "means",
    "scales"; what is not there is drawn by NumPyro."""
    random = np.random.default_rng((*key, chain))
    if start == "uniform":
        means = random.uniform(-2, 2, size=(k, len(prior.spread)))
        return {"means": prior.location + prior.spread * means}
    different = len(np.unique(x, axis=0))
    if different < k:
        raise ValueError(
            f"the data hold only {different} different points, and the start is k-means with k = "
            f"{k} clusters; take fewer components, or start='uniform'"
        )
    sd = x.std(axis=0)
    mixture = from_kmeans(key, chain, x, k, np.where(sd > 0, sd, prior.scale) / k)
    variances = np.diagonal(mixture.covariances, axis1=1, axis2=2)
    return {
        "log_weights": np.log(mixture.weights),
        "means": mixture.means,
        "scales": np.sqrt(variances),
    }


def as_sites(position: dict[str, NDArray], prior: Numbers) -> dict[str, NDArray]:
    """A start in the sampler's coordinates."""
    into = {
        "log_weights": lambda value: ("y", coordinates(value)),
        "means": lambda value: ("means", (value - prior.location) / prior.unit),
        "scales": lambda value: ("scales", value / prior.unit),
        "hidden_weights": lambda value: ("hidden", value / prior.hidden_scale),
        "output_weights": lambda value: ("output", value / prior.output_scale),
    }
    return dict(into[name](np.asarray(value)) for name, value in position.items())


def _check_columns(x: NDArray) -> None:
    low, high = x.min(axis=0), x.max(axis=0)
    if not (high > low).all():
        raise ValueError(
            f"column {np.argmin(high > low)} is constant: it has no spread, and says nothing of "
            "clusters; drop it"
        )
