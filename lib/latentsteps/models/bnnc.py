"""BNNC: a Gaussian mixture whose weights are a Bayesian network's answer to the point itself.

For points x (N, D), K components and H hidden units, as the recipe states it::

    θ(x) = softmax(log π + tanh(x W₁) W₂)               the gate
    p(x_n) = Σ_k θ_k(x_n) N(x_n | m_k, diag(σ_k²))      what it calls the likelihood
    π ~ Dirichlet(a, ..., a)      W₁ ~ N(0, 1), (D, H)      W₂ ~ N(0, .05²), (H, K)
    m_k ~ N(0, 5²)                σ_kd ~ Exponential(1)

The second line is no density of x: it integrates to Z = Σ_k E_{N_k}[θ_k(x)], which lies anywhere
between 0 and K and depends on all parameters. What mends it are values of ``gate``:

``"points"``  as stated; Z ≠ 1.
``"none"``  W₂ = 0: the sparse finite mixture (Malsiner-Walli, Frühwirth-Schnatter & Grün 2016,
    "Model-based clustering based on sparse finite Gaussian mixtures", *Statistics and Computing*
    26, 303–324). Z = 1.
``"covariates"``  the gate sees other columns than the Gaussians model: a mixture of experts
    (Jacobs, Jordan, Nowlan & Hinton 1991, "Adaptive mixtures of local experts", *Neural
    Computation* 3, 79–87), with Z = 1 for every value of them.
``"normalised"``  divided by Z: draw k evenly, x from N_k, and keep it with probability θ_k(x).

A *position* is a dict of ``log_weights`` (..., K), ``means`` and ``scales`` (..., K, D) and, but
for ``"none"``, ``hidden_weights`` W₁ (..., C, H) and ``output_weights`` W₂ (..., H, K), where C is
D or the number of covariates; for ``"normalised"`` also ``log_normaliser`` (...,), log Z. The
leading axes are those of the draws. Draws of another mixture with these names do too. Prediction is
:func:`latentsteps.evaluation.prediction.predict`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.inference.nuts import NUTSInfo, NUTSState, nuts
from latentsteps.models import mixture_draws
from latentsteps.models.bnnc_density import (
    WHO,
    log_gate,
    log_joint,
    log_normaliser,
)
from latentsteps.models.bnnc_inputs import (
    FAMILIES,
    BNNCPrior,
    as_data,
    as_numbers,
    as_prior,
    as_sites,
    begin,
    check_start,
    empirical_prior,
    prior_for,
    stated_prior,
)
from latentsteps.models.bnnc_model import (
    Inputs,
    features,
    log_weights,
    nodes_for,
    normal_nodes,
    numpyro_model,
)
from latentsteps.models.counts import as_count
from latentsteps.models.mixture_draws import Joint, Position
from latentsteps.models.points import as_points
from latentsteps.trace import Algorithm, Data, Key, Trace

__all__ = [
    "FAMILIES",
    "GATES",
    "BNNCPrior",
    "bnnc",
    "empirical_prior",
    "label_free",
    "log_gate",
    "log_joint",
    "log_likelihood",
    "log_normaliser",
    "log_predictive",
    "points_and_covariates",
    "responsibilities",
    "responsibility_blocks",
    "stated_prior",
]

GATES = ("points", "none", "covariates", "normalised")


def bnnc(
    k: int = 11,
    prior: BNNCPrior | None = None,
    *,
    gate: str = "points",
    hidden: int = 10,
    start: str | Position = "k-means",
    chains: int = 2,
    warmup: int = 300,
    max_tree_depth: int | tuple[int, int] = (5, 10),
    target_acceptance: float = 0.9,
) -> Algorithm:
    """NUTS for BNNC with ``k`` components, on points (N, D); with ``gate="covariates"`` on a tuple
    of points (N, D) and covariates (N, C).

    States are :class:`latentsteps.inference.nuts.NUTSState` with positions as above. The objective
    is the mean over chains of the log density of the data, W₁, W₂, means, scales and, for π, its
    coordinates (:mod:`latentsteps.models.bnnc_model`): π's own density is infinite in every corner.

    Parameters
    ----------
    prior: :func:`stated_prior` if there is none. Of either family it wants data without ties in any
        column, see :class:`BNNCPrior`.
    gate: one of ``GATES``, see above.
    hidden: H.
    start: where chains begin; it is no part of the model. ``"k-means"``: in each chain the best of
        ten runs of k-means (k-means++) with K clusters, with their shares, means and spreads; W₁
        and W₂ evenly within two of their prior's standard deviations. Superfluous clusters are
        given up within the warm-up. ``"uniform"``: means evenly within two of the prior's spreads
        around its location, the rest as NumPyro does it; such chains often lack a cluster, and
        may agree on that. Or a position without axes of draws, the same for all chains; what it
        does not hold is drawn by NumPyro.
    chains, warmup, max_tree_depth: as in ``nuts``.
    target_acceptance: as in ``nuts``. About one draw of a thousand diverges even so: a component
        that holds no points may be as narrow as it likes, and its mean, which moves in steps of
        the prior's width, then meets a point. Smaller steps make it rarer, and never impossible.

    Raises ValueError for arguments out of range, for data that are no points or have a constant
    column, for a prior of other dimensions than the data, for covariates where the gate takes none,
    and for a start by k-means on fewer different points than components.
    """
    k, hidden = as_count(k, "k"), as_count(hidden, "hidden")
    if gate not in GATES:
        raise ValueError(f"gate is {gate!r}; it is one of {', '.join(GATES)}")
    check_start(start, or_position=True)
    prior = None if prior is None else as_prior(prior)

    def place(key: Key, inputs: Inputs, chain: int) -> Position:
        x = inputs.features[1 : len(inputs.centre) + 1].T + inputs.centre
        given = begin(start, key, chain, x, k, inputs.numbers) if isinstance(start, str) else start
        return as_sites(given, inputs.numbers)

    sampler = nuts(
        numpyro_model(k, hidden, gate),
        chains=chains,
        warmup=warmup,
        start=place,
        max_tree_depth=max_tree_depth,
        target_acceptance=target_acceptance,
        name="NUTS for BNNC" if gate == "points" else f"NUTS for BNNC, gate {gate}",
    )

    def inside(data: Data) -> tuple[Inputs, float]:
        """What the model takes, and log of the unit of its density."""
        x, covariates = as_data(data, gate)
        used = prior_for(prior, x, k)
        seen = x if covariates is None else covariates
        unit = used.spread / 10
        nodes, log_node_weights = normal_nodes(x.shape[1], nodes_for(x.shape[1]))
        centre = x.mean(axis=0)
        change = 2 * k * np.log(unit).sum()
        if gate != "none":
            change += hidden * seen.shape[1] * np.log(used.hidden_scale)
            change += hidden * k * np.log(used.output_scale)
        columns = np.ascontiguousarray(seen.T)
        placed = np.ascontiguousarray(nodes.T), log_node_weights
        inputs = Inputs(features(x.T, centre), centre, columns, *placed, as_numbers(used, unit))
        return inputs, float(change)

    def outside(found: tuple, inputs: Inputs, change: float) -> tuple[NUTSState, NUTSInfo]:
        state, info = found
        site, numbers = state.position, inputs.numbers
        position = {
            "log_weights": log_weights(site["y"])[0],
            "means": numbers.location + numbers.unit * site["means"],
            "scales": numbers.unit * site["scales"],
        }
        if gate != "none":
            position["hidden_weights"] = numbers.hidden_scale * site["hidden"]
            position["output_weights"] = numbers.output_scale * site["output"]
        if gate == "normalised":
            position["log_normaliser"] = log_normaliser(
                position, nodes=nodes_for(len(numbers.unit))
            )
        info = info._replace(
            objective=info.objective - change, log_density=info.log_density - change
        )
        return state._replace(position=position), info

    def init(key: Key, data: Data) -> tuple[NUTSState, NUTSInfo]:
        inputs, change = inside(data)
        return outside(sampler.init(key, inputs), inputs, change)

    def step(key: Key, state: NUTSState, data: Data) -> tuple[NUTSState, NUTSInfo]:
        inputs, change = inside(data)
        return outside(sampler.step(key, state, inputs), inputs, change)

    return Algorithm(init, step, sampler.name)


def log_likelihood(
    x: ArrayLike, position: Position, covariates: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Σ_n log Σ_k of the joint in nats under each draw: the shape of the draws' axes."""
    return mixture_draws.log_likelihood(*_bound(x, covariates), position)


def log_predictive(
    x: ArrayLike, position: Position, covariates: ArrayLike | None = None
) -> NDArray[np.float64]:
    """log of the mean over draws of p(x_m), (M,), in nats: the density of new points, given all
    that the draws know. For a gate on points it is what the recipe calls one."""
    return mixture_draws.log_predictive(*_bound(x, covariates), position)


def responsibilities(
    x: ArrayLike, position: Position, covariates: ArrayLike | None = None
) -> NDArray[np.float64]:
    """p(k | x_n) under each draw, (S, N, K): rows sum to one. All axes of draws become one.

    Raises ValueError as :func:`log_joint`, and for a point so far away that it has no density."""
    return mixture_draws.responsibilities(*_bound(x, covariates), position)


def responsibility_blocks(
    x: ArrayLike, position: Position, covariates: ArrayLike | None = None, *, first: int = 0
) -> Iterator[NDArray[np.float64]]:
    """:func:`responsibilities` a few draws at a time, (s, N, K): for draws too many to hold.
    ``first`` is the number of the first row where ``x`` is a part of some data: for messages."""
    return mixture_draws.blocks(*_bound(x, covariates), position, first)


def label_free(
    trace: Trace, points: ArrayLike, covariates: ArrayLike | None = None
) -> dict[str, NDArray[np.float64]]:
    """Numbers of each draw that do not depend on names, for r-hat and its kin: (chains, draws),
    in nats.

    ``"log density"``, ``"log likelihood"``, ``"entropy of shares"``, and ``"log density at point
    i"`` for each of the fixed ``points`` (M, D), with their covariates where the gate takes them:
    :func:`latentsteps.models.mixture_draws.label_free`.
    """
    data = points_and_covariates(trace.data)
    counted = [info.log_density for info in trace.infos if not info.warmup]
    return {"log density": np.stack(counted, axis=1)} | mixture_draws.label_free(
        trace, *_bound(*data), *_bound(points, covariates)
    )


def points_and_covariates(data: Data) -> tuple[ArrayLike, ArrayLike | None]:
    """A trace's data as the two arguments of the functions above: no covariates in most."""
    return data if isinstance(data, tuple) else (data, None)


def _bound(x: ArrayLike, covariates: ArrayLike | None) -> tuple[Joint, int]:
    """The joint on these points, and how many they are."""
    points = as_points(x, WHO)
    return lambda position: log_joint(points, position, covariates), len(points)
