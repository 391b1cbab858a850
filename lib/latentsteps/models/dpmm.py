"""The Dirichlet process mixture, its sticks broken K − 1 times; how many components are in use.

Weights are lengths broken off a stick of length 1: a fraction v₁ of it, then v₂ of what is left,
and so on without end (Sethuraman 1994, "A constructive definition of Dirichlet priors", *Statistica
Sinica* 4, 639–650; broken off after K − 1, the last component taking what is left: Ishwaran & James
2001, "Gibbs sampling methods for stick-breaking priors", *Journal of the American Statistical
Association* 96, 161–173)::

    v_j ~ Beta(1, α), j < K        π_k = v_k Π_{j<k} (1 − v_j),   π_K = Π_{j<K} (1 − v_j)
    p(x_n) = Σ_k π_k N(x_n | m_k, diag σ_k²)

Here the fractions are given as log odds s, v = 1/(1 + e^{−s}): then both log v and log(1 − v) are
exact, however near v is to 0 or 1.

The process expects α log N clusters in N points, more and more of them: it is a prior over
partitions, and its number of clusters is no consistent estimate of a true finite number (Miller &
Harrison 2013, "A simple example of Dirichlet process mixture inconsistency for the number of
components", *NeurIPS* 26). The sparse finite mixture, π ~ Dirichlet(a, ..., a) with a small a, is
another prior: :func:`expected_occupied` stays below K however many points come.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.inference.nuts import NUTSInfo, NUTSState, nuts
from latentsteps.models.bnnc_inputs import (
    BNNCPrior,
    as_numbers,
    as_prior,
    as_sites,
    begin,
    check_start,
    prior_for,
)
from latentsteps.models.bnnc_model import (
    Numbers,
    features,
    log_normals,
    log_sum_function,
    sample_components,
)
from latentsteps.models.counts import as_count
from latentsteps.models.points import as_points
from latentsteps.trace import Algorithm, Key

WHO = "a Dirichlet process mixture"


class Inputs(NamedTuple):
    """What the NumPyro model is run on."""

    features: NDArray[np.float64]
    """(2D + 1, N): those of :mod:`latentsteps.models.bnnc_model`."""
    centre: NDArray[np.float64]
    """(D,): the points' mean, which the features are about."""
    alpha: float
    numbers: Numbers


def dpmm(
    k: int = 11,
    prior: BNNCPrior | None = None,
    *,
    alpha: float = 1.0,
    start: str = "k-means",
    chains: int = 2,
    warmup: int = 300,
    max_tree_depth: int | tuple[int, int] = (5, 8),
    target_acceptance: float = 0.8,
) -> Algorithm:
    """NUTS for a Dirichlet process mixture broken off at ``k`` components, on points (N, D).

    States are :class:`latentsteps.inference.nuts.NUTSState` with positions of ``log_weights``
    (..., K), ``means`` and ``scales`` (..., K, D): those of :mod:`latentsteps.models.bnnc` without
    a gate, for whose functions they are good. The objective is the mean over chains of the log
    density of the data, the log odds, means and scales. That density depends on the order of the
    components, since what is broken off first tends to be longer: judge chains by the log
    likelihood, which does not.

    α = 1 always holds some weight ready for more components. Under a prior that lets small scales
    in, as ``stated_prior`` does, these settle on single points for a while, as narrow as they like:
    steps become short, trees saturate, and chains differ about such points, if not about the
    partition. ``empirical_prior`` keeps them wide and empty, and draws take a tenth of the steps.

    Parameters
    ----------
    prior: for means and scales, as BNNC has it; ``stated_prior`` if there is none. Its
        ``concentration`` and what it says of a gate are not used. Of either family it wants data
        without ties in any column, see :class:`latentsteps.models.bnnc.BNNCPrior`.
    alpha: of the process: larger for more and smaller clusters.
    start: where chains begin; it is no part of the model. ``"k-means"``: in each chain the best of
        ten runs of k-means (k-means++) with K clusters, the largest first. ``"uniform"``: means
        evenly within two of the prior's spreads around its location, the rest as NumPyro does it.
    chains, warmup, max_tree_depth, target_acceptance: as in ``nuts``.

    Raises ValueError for arguments out of range, for data that are no points or have a constant
    column, for a prior of other dimensions than the data, and for a start by k-means on fewer
    different points than components.
    """
    k = as_count(k, "k", least=2)  # with one there is no stick to break
    if not 0 < alpha < np.inf:
        raise ValueError(f"alpha is {alpha}; it is positive and finite")
    check_start(start)
    prior = None if prior is None else as_prior(prior)

    def place(key: Key, inputs: Inputs, chain: int) -> dict[str, NDArray]:
        numbers, centre = inputs.numbers, inputs.centre
        points = inputs.features[1 : len(centre) + 1].T + centre
        position = begin(start, key, chain, points, k, numbers)
        if "log_weights" not in position:
            return as_sites(position, numbers)
        order = np.argsort(-position["log_weights"])
        log_weights, means, scales = (
            position[name][order] for name in ("log_weights", "means", "scales")
        )
        sites = as_sites({"means": means, "scales": scales}, numbers)
        left = np.logaddexp.accumulate(log_weights[::-1])[::-1]
        return sites | {"log_odds": log_weights[:-1] - left[1:]}

    sampler = nuts(
        numpyro_model(k),
        chains=chains,
        warmup=warmup,
        start=place,
        max_tree_depth=max_tree_depth,
        target_acceptance=target_acceptance,
        name="NUTS for a Dirichlet process mixture",
    )

    def inside(data: ArrayLike) -> Inputs:
        x = as_points(data, WHO)
        numbers = as_numbers(prior_for(prior, x, k), np.ones(x.shape[1]))
        centre = x.mean(axis=0)
        return Inputs(features(x.T, centre), centre, float(alpha), numbers)

    def outside(found: tuple, numbers: Numbers) -> tuple[NUTSState, NUTSInfo]:
        state, info = found
        position = {
            "log_weights": log_sticks(state.position["log_odds"]),
            "means": numbers.location + numbers.unit * state.position["means"],
            "scales": numbers.unit * state.position["scales"],
        }
        return state._replace(position=position), info

    def init(key: Key, data: ArrayLike) -> tuple[NUTSState, NUTSInfo]:
        inputs = inside(data)
        return outside(sampler.init(key, inputs), inputs.numbers)

    def step(key: Key, state: NUTSState, data: ArrayLike) -> tuple[NUTSState, NUTSInfo]:
        inputs = inside(data)
        return outside(sampler.step(key, state, inputs), inputs.numbers)

    return Algorithm(init, step, sampler.name)


@functools.lru_cache(maxsize=64)
def numpyro_model(k: int) -> Callable[[Inputs], None]:
    """The NumPyro model, with sites "log_odds" (K − 1,), "means" and "scales" (K, D). α and the
    prior's numbers are data: others compile nothing."""
    import numpyro
    import numpyro.distributions as dist

    from latentsteps.jax64 import jax, jnp

    def model(data: Inputs) -> None:
        alpha = data.alpha
        real = dist.ImproperUniform(dist.constraints.real_vector, (), (k - 1,))
        s = numpyro.sample("log_odds", real)
        # Beta(1, α) has the density α (1 − v)^(α−1), and dv/ds = v (1 − v).
        fractions = jnp.log(alpha) + jax.nn.log_sigmoid(s) + alpha * jax.nn.log_sigmoid(-s)
        numpyro.factor("sticks", fractions.sum())
        means, scales = sample_components(k, len(data.centre), data.numbers)
        normals = log_normals(data.features, means - data.centre, scales)
        numpyro.factor("x", log_sum_function()(_sticks(s, jnp)[:, None] + normals).sum())

    return model


def log_sticks(log_odds: ArrayLike) -> NDArray[np.float64]:
    """log π (..., K) from the log odds (..., K − 1) of the fractions that are broken off.

    Any numbers will do, ±800 and infinities too: the weights sum to one. No log odds at all make
    one component of weight 1.
    """
    s = np.asarray(log_odds, dtype=np.float64)
    if s.ndim < 1 or np.isnan(s).any():
        raise ValueError(f"the log odds are {s}; they are numbers in a list, K − 1 of them")
    return _sticks(s, np)


def expected_occupied(a: float, k: int, n: int) -> float:
    """Expected number of ``k`` components that at least one of ``n`` points is drawn from.

    The weights are drawn from a Dirichlet(a, ..., a). Each is then a Beta(a, (K − 1)a), and a
    component stays empty with probability E[(1 − π)ⁿ] = B(a, (K − 1)a + n) / B(a, (K − 1)a), which
    is the product over i < n of ((K − 1)a + i) / (Ka + i): no digits are lost in that, as they are
    in the logarithms of the two.
    """
    n, k = as_count(n, "n", least=0), as_count(k, "k", least=0)
    if not (a > 0 and np.isfinite(a)):
        raise ValueError(f"a is {a}; it is positive and finite")
    if k < 2:
        return float(min(k, n))
    return float(-k * np.expm1(np.log1p(-a / (k * a + np.arange(n))).sum()))


def _sticks(s: Any, array: Any) -> Any:
    """:func:`log_sticks`, NumPy's or JAX's."""
    # log v = −log(1 + e^{−s}), log(1 − v) = −log(1 + e^s).
    left = array.cumsum(-array.logaddexp(0.0, s), axis=-1)
    whole = array.zeros((*s.shape[:-1], 1))
    before = array.concatenate([whole, left], axis=-1)
    return before + array.concatenate([-array.logaddexp(0.0, -s), whole], axis=-1)
