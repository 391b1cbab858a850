"""Bayesian Gaussian mixture: not one set of parameters, but draws of all that fit the data.

For points x (N, D) and K components, assignments summed out::

    weights ~ Dirichlet(α, ..., α)            m_k ~ N(location, diag(spread²))
    σ_kd ~ a prior for scales                 C_k C_kᵀ ~ LKJ(η), a correlation matrix
    p(x_n) = Σ_k w_k N(x_n | m_k, Σ_k),       Σ_k = diag(σ_k) C_k C_kᵀ diag(σ_k)

(Lewandowski, Kurowicka & Joe 2009, "Generating random correlation matrices based on vines and
extended onion method", *Journal of Multivariate Analysis* 100, 1989–2001; the separation of scales
from correlations: Barnard, McCulloch & Meng 2000, *Statistica Sinica* 10, 1281–1311.) The sampler
is :func:`latentsteps.inference.nuts.nuts`.

Swapping two components changes nothing, so the posterior has K! copies of each of its modes, and
"the mean of component 1" no meaning that would hold from draw to draw. What can be averaged over
draws: densities, :func:`log_predictive`; who shares a component,
:mod:`latentsteps.evaluation.consensus`; and what :func:`label_free` lists.

A *position* is a dict of ``weights`` (..., K), ``means`` (..., K, D), ``scales`` (..., K, D) and
``correlation_factors`` (..., K, D, D), the lower triangular C_k with rows of length 1; the leading
axes are those of the draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.inference.nuts import NUTSInfo, NUTSState, nuts
from latentsteps.models import mixture_draws
from latentsteps.models.bayesian_gmm_inputs import (
    FAMILIES,
    MixturePrior,
    as_position,
    check_prior,
    from_kmeans,
    in_units,
    prior_draws,
    weak_prior,
)
from latentsteps.models.bayesian_gmm_model import LOG_2_PI, Numbers, numpyro_model
from latentsteps.models.gaussian_mixture import GaussianMixture
from latentsteps.models.mixture_draws import Joint, Position
from latentsteps.models.points import as_points
from latentsteps.trace import Algorithm, Key, Trace

__all__ = [
    "FAMILIES",
    "MixturePrior",
    "bayesian_gaussian_mixture",
    "label_free",
    "log_joint",
    "log_likelihood",
    "log_predictive",
    "mixtures",
    "prior_draws",
    "responsibilities",
    "weak_prior",
]

STARTS = ("k-means", "uniform", "prior")
WHO = "a Bayesian Gaussian mixture"


def bayesian_gaussian_mixture(
    k: int,
    prior: MixturePrior | None = None,
    *,
    start: str | GaussianMixture = "k-means",
    chains: int = 2,
    warmup: int = 300,
    max_tree_depth: int | tuple[int, int] = (5, 10),
    target_acceptance: float = 0.8,
) -> Algorithm:
    """NUTS for a mixture of ``k`` Gaussians, on points (N, D).

    States are :class:`latentsteps.inference.nuts.NUTSState` with positions as above, in the data's
    units. The sampler works in the prior's units, (x − location) / scale, so that minutes and
    metres make no difference to it. The objective is the log joint density in the data's units.

    Parameters
    ----------
    prior: :func:`weak_prior` of the data if there is none.
    start: where chains begin; it is no part of the model. ``"k-means"``: in each chain the best of
        ten runs of k-means (k-means++), with shares, means and covariances of its clusters.
        ``"uniform"``: means evenly within two of the prior's spreads around its location, the rest
        as NumPyro does it. ``"prior"``: a draw from it. Or a mixture with full
        covariances, the same for all chains.
    chains, warmup, max_tree_depth, target_acceptance: as in ``nuts``.

    Raises ValueError for arguments out of range, for data that are no points, for a prior of other
    dimensions than the data.
    """
    if k < 1:
        raise ValueError(f"k is {k}; it is the number of components, 1 or more")
    if isinstance(start, str) and start not in STARTS:
        raise ValueError(f"start is {start!r}; it is one of {', '.join(STARTS)}, or a mixture")
    check_prior(prior)

    def place(key: Key, chain: int, x: NDArray, prior: MixturePrior) -> Position:
        if isinstance(start, GaussianMixture):
            return as_position(start, k, x.shape[1])
        if start == "prior":
            drawn = prior_draws(prior, k, chain + 1, seed=key[0])
            return {name: value[chain] for name, value in drawn.items()}
        return as_position(from_kmeans(key, chain, x, k, prior.scale), k, x.shape[1])

    def begin(key: Key, data: tuple, chain: int) -> Position:
        scaled, numbers = data
        prior = MixturePrior(**numbers._asdict(), scale_family=family)
        if start == "uniform":
            random = np.random.default_rng((*key, chain))
            means = random.uniform(-2, 2, size=(k, len(prior.spread)))
            return {"means": means * prior.spread / prior.scale}
        x = scaled.T * prior.scale + prior.location
        return in_units(place(key, chain, x, prior), prior, inwards=True)

    family = "log-normal" if prior is None else prior.scale_family
    sampler = nuts(
        numpyro_model(k, family),
        chains=chains,
        warmup=warmup,
        start=begin,
        max_tree_depth=max_tree_depth,
        target_acceptance=target_acceptance,
        name="NUTS for a Gaussian mixture",
    )

    def inside(x: ArrayLike) -> tuple[tuple, MixturePrior, float]:
        """The data in the prior's units with the prior, and log of the unit of the joint density:
        of every point, every mean, every scale."""
        points = as_points(x, WHO)
        used = weak_prior(points) if prior is None else prior
        if len(used.location) != points.shape[1]:
            raise ValueError(
                f"the prior is for {len(used.location)} columns, the data have {points.shape[1]}"
            )
        unit = (len(points) + 2 * k) * np.log(used.scale).sum()
        scaled = np.ascontiguousarray(((points - used.location) / used.scale).T)
        numbers = Numbers(*(getattr(used, name) for name in Numbers._fields))
        return (scaled, numbers), used, float(unit)

    def outside(found: tuple, prior: MixturePrior, unit: float) -> tuple[NUTSState, NUTSInfo]:
        state, info = found
        info = info._replace(objective=info.objective - unit, log_density=info.log_density - unit)
        return state._replace(position=in_units(state.position, prior, inwards=False)), info

    def init(key: Key, x: ArrayLike) -> tuple[NUTSState, NUTSInfo]:
        data, used, unit = inside(x)
        return outside(sampler.init(key, data), used, unit)

    def step(key: Key, state: NUTSState, x: ArrayLike) -> tuple[NUTSState, NUTSInfo]:
        data, used, unit = inside(x)
        return outside(sampler.step(key, state, data), used, unit)

    return Algorithm(init, step, sampler.name)


def mixtures(position: Position) -> GaussianMixture:
    """Draws as mixtures with full covariances, the draws' axes first: (..., K), (..., K, D) and
    (..., K, D, D). A NamedTuple of arrays, so ``GaussianMixture(*(a[s] for a in ...))`` is one."""
    factors = position["scales"][..., None] * position["correlation_factors"]
    return GaussianMixture(
        position["weights"], position["means"], factors @ factors.swapaxes(-1, -2)
    )


def log_joint(x: ArrayLike, position: Position) -> NDArray[np.float64]:
    """log p(x_n, k) in nats under each draw, (..., K, N): components before points."""
    points = as_points(x, WHO)
    weights, means, scales = (position[name] for name in ("weights", "means", "scales"))
    if means.shape[-1] != points.shape[1]:
        raise ValueError(f"points have {points.shape[1]} columns, the draws {means.shape[-1]}")
    factors = position["correlation_factors"]
    inverse = np.linalg.inv(factors) / scales[..., None, :]
    *leading, k, d = means.shape
    # z = L⁻¹ (x − m) for all components of a draw in one product.
    z = inverse.reshape(*leading, k * d, d) @ points.T
    z = z.reshape(*leading, k, d, -1) - (inverse @ means[..., None])
    diagonal = np.diagonal(factors, axis1=-2, axis2=-1)
    with np.errstate(divide="ignore"):
        constant = np.log(weights) - np.log(scales * diagonal).sum(axis=-1) - d / 2 * LOG_2_PI
    return constant[..., None] - 0.5 * np.einsum("...kdn,...kdn->...kn", z, z)


def log_likelihood(x: ArrayLike, position: Position) -> NDArray[np.float64]:
    """Σ_n log p(x_n) in nats under each draw: the shape of the draws' axes, () for one draw."""
    return mixture_draws.log_likelihood(*_bound(x), position)


def log_predictive(x: ArrayLike, position: Position) -> NDArray[np.float64]:
    """log of the mean over draws of p(x_n), (N,), in nats: the density of new points, given all
    that the draws know. All axes of draws are averaged over."""
    return mixture_draws.log_predictive(*_bound(x), position)


def responsibilities(x: ArrayLike, position: Position) -> NDArray[np.float64]:
    """p(k | x_n) under each draw, (S, N, K): rows sum to one. All axes of draws become one."""
    return mixture_draws.responsibilities(*_bound(x), position)


def label_free(trace: Trace, points: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Numbers of each draw that do not depend on names, for r-hat and its kin: (chains, draws).

    ``"log likelihood"``; ``"entropy of shares"``: of the components' shares of the points, in nats,
    whose exponential is the number of components in use; ``"log density at point i"`` for each of
    the fixed ``points`` (M, D).
    """
    return mixture_draws.label_free(trace, *_bound(trace.data), *_bound(points))


def _bound(x: ArrayLike) -> tuple[Joint, int]:
    """The joint on these points, and how many they are."""
    points = as_points(x, WHO)
    return lambda position: log_joint(points, position), len(points)
