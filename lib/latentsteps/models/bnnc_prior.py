"""The prior of BNNC on a line, drawn: how many components it occupies, what its gate integrates to.

Each state is a new draw of everything, with no data at all::

    π ~ Dirichlet(a, ..., a)   m_k ~ N(0, 5²)   σ_k ~ Exponential(1)
    W₁ ~ N(0, 1), (1, H)       W₂ ~ N(0, output_scale²), (H, K)
    θ(x) = softmax(log π + tanh(x W₁) W₂)

and then points are drawn from the weights π. A component is *occupied* if at least one of them is
drawn from it. The curve Σ_k θ_k(x) N(x | m_k, σ_k²) is what the gated model calls the density of x;
its integral is Z, between 0 and K, and 1 where W₂ = 0.

Everything random has a stream of its own. So one seed gives the same draw whatever the settings:
another output scale scales its W₂, more points are added to the same ones, and another
concentration stretches the same weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp, softmax
from scipy.stats import norm

from latentsteps.models.bnnc import log_gate
from latentsteps.models.counts import as_count
from latentsteps.models.dpmm import expected_occupied
from latentsteps.trace import Algorithm, Data, Key

HIDDEN = 10
MEAN_SPREAD = 5.0
NODES = np.linspace(-8.0, 8.0, 401)
"""Places, in standard deviations around each mean, at which its part of Z is summed."""


class PriorDraw(NamedTuple):
    """One draw from the prior."""

    position: dict[str, NDArray[np.float64]]
    """``log_weights`` (K,), ``means`` and ``scales`` (K, 1), ``hidden_weights`` (1, H) and
    ``output_weights`` (H, K)."""
    counts: NDArray[np.int64]
    """(K,): how many of the points were drawn from each component."""


class PriorInfo(NamedTuple):
    """What is worth looking at."""

    objective: float
    """How many components are occupied."""
    occupied: int
    expected: float
    """The mean of ``occupied`` over all draws, by formula."""
    normaliser: float
    """Z, the integral of Σ_k θ_k(x) N(x | m_k, σ_k²) over the line."""


def prior_story(
    concentration: float,
    points: int,
    output_scale: float,
    *,
    k: int = 11,
    towards_own: bool = False,
) -> Algorithm:
    """Draws from the prior of BNNC, one a state; the data are not looked at.

    Parameters
    ----------
    concentration: a, of each of the ``k`` components.
    points: how many are drawn from the weights.
    output_scale: standard deviation of the entries of W₂; 0 for no gate.
    towards_own: turn each component's column of W₂, its length kept, to where its logit is largest
        at the component's own mean: not a draw from the prior, but what data would pick.

    Raises ValueError for arguments out of range.
    """
    # Beyond these, sums of logarithms and of logits leave the range of numbers.
    if not 1e-300 <= concentration <= 1e300:
        raise ValueError(f"concentration is {concentration}; it is from 1e-300 to 1e300")
    if not 0 <= output_scale <= 1e100:
        raise ValueError(f"output_scale is {output_scale}; it is from 0 (no gate) to 1e100")
    points, k = as_count(points, "points"), as_count(k, "k")
    expected = float(expected_occupied(concentration, k, points))

    def draw(key: Key) -> tuple[PriorDraw, PriorInfo]:
        weights, middles, widths, first, second, thrown = np.random.default_rng(key).spawn(6)
        hidden = first.normal(size=(1, HIDDEN))
        means = MEAN_SPREAD * middles.normal(size=(k, 1))
        output = output_scale * second.normal(size=(HIDDEN, k))
        if towards_own:
            seen = np.tanh(means @ hidden).T  # (H, K): the hidden units at each mean
            output = seen * np.linalg.norm(output, axis=0) / np.linalg.norm(seen, axis=0)
        position = {
            "log_weights": log_dirichlet(concentration, k, weights),
            "means": means,
            "scales": widths.exponential(size=(k, 1)),
            "hidden_weights": hidden,
            "output_weights": output,
        }
        bounds = np.cumsum(np.exp(position["log_weights"]))
        component = np.searchsorted(bounds, bounds[-1] * thrown.uniform(size=points), "right")
        counts = np.bincount(component, minlength=k)
        occupied = int((counts > 0).sum())
        z = normaliser(position) if output_scale else 1.0  # without a gate it is a density
        info = PriorInfo(float(occupied), occupied, expected, z)
        return PriorDraw(position, counts), info

    def init(key: Key, data: Data) -> tuple[PriorDraw, PriorInfo]:
        return draw(key)

    def step(key: Key, state: PriorDraw, data: Data) -> tuple[PriorDraw, PriorInfo]:
        return draw(key)

    return Algorithm(init, step, "draws from the prior")


def log_dirichlet(concentration: float, k: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Logarithms of weights ~ Dirichlet(a, ..., a), (K,): for a small a most are far below −700.

    If g ~ Gamma(a + 1) and u is uniform, g u^{1/a} ~ Gamma(a) (Marsaglia & Tsang 2000, "A simple
    method for generating gamma variables", *ACM Transactions on Mathematical Software* 26,
    363–372, section 8); its logarithm never leaves the range of numbers, as a power would.
    """
    uniforms = 1 - random.uniform(size=k)
    log_gamma = np.log(random.gamma(concentration + 1, size=k)) + np.log(uniforms) / concentration
    return log_gamma - logsumexp(log_gamma)


def curves(
    x: ArrayLike, position: dict[str, NDArray]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Σ_k θ_k(x) N_k(x) and Σ_k π_k N_k(x) at places x (M,), each (M,)."""
    x = np.asarray(x, dtype=np.float64)
    densities = norm.pdf(x, position["means"], position["scales"])  # (K, M)
    gate = np.exp(log_gate(x[:, None], position))
    return (gate * densities).sum(axis=0), softmax(position["log_weights"]) @ densities


def normaliser(position: dict[str, NDArray]) -> float:
    """Z = Σ_k E[θ_k(m_k + σ_k z)], z standard normal, by equal steps of z: such a sum converges
    faster than any power of the step for an integrand that is smooth on its scale. A gate drawn
    from its prior and scaled up is steep, which the Gauss-Hermite nodes of
    :func:`latentsteps.models.bnnc.log_normaliser`, made for fitted gates, see too coarsely."""
    places = position["means"] + position["scales"] * NODES  # (K, M)
    k, m = places.shape
    gates = np.exp(log_gate(places.reshape(-1, 1), position)).reshape(k, k, m)
    mass = norm.pdf(NODES)
    return float((gates[np.arange(k), np.arange(k)] @ mass).sum() / mass.sum())
