"""BNNC as a NumPyro model, assignments summed out; the weights' coordinates; nodes for Z.

**The weights.** A Dirichlet(a, ..., a) with a = .0045 lives in the corners of the simplex: most
weights are smaller than any number that a computer can hold, and NUTS on the simplex diverges. Here
each weight has an unconstrained y_k:

    l_k = y_k above −4,  −4 − expm1(−4 − y_k) below;      log π = l − logsumexp(l)

with the log density a Σ log π_k + ln Γ(Ka) − K ln Γ(a) + ln N(logsumexp(l); 0, .1)
+ Σ max(−4 − y_k, 0). If g_k are independent gammas, π = g / Σ g is a Dirichlet and Σ g is
independent of it, so l = log g would do, but its total has the scale 1/(Ka), which is 20 here, and
the sampler would have to wander along it. The total carries nothing, so any density may stand in
for its own: N(0, .1) *anchors* it.
The far tail of log g falls as slowly as e^{a l}; it is mapped to one that falls as fast as a
normal's, and the last term is the Jacobian's logarithm. π is exactly Dirichlet(a, ..., a), without
any floor.

That helps where data hold the large weights. Without data one weight has to take over from another,
and the way is a narrow, bent pass along which the total stays: for a = .0045 NUTS diverges there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_hermitenorm
from scipy.stats import norm, qmc

from latentsteps.models.counts import as_count

LOG_2_PI = float(np.log(2 * np.pi))
BEND = -4.0
"""Where the tail of a log weight begins to be mapped."""
ANCHOR = 0.1
"""Standard deviation of the logarithm of the total, which carries nothing."""


class Numbers(NamedTuple):
    """A ``BNNCPrior`` without its words, and the sampler's unit: what a compiled function takes."""

    concentration: float
    location: NDArray[np.float64]
    spread: NDArray[np.float64]
    power: float
    """p of the scales' density, which is proportional to exp(−(σ / scale)^p / p)."""
    scale: NDArray[np.float64]
    hidden_scale: float
    output_scale: float
    unit: NDArray[np.float64]
    """(D,): the sampler's means and scales are multiples of it. No part of the model."""


class Inputs(NamedTuple):
    """What the model is run on: points as columns."""

    features: NDArray[np.float64]
    """(2D + 1, N): :func:`features` of the points."""
    centre: NDArray[np.float64]
    """(D,): their mean, which the features are about."""
    gate: NDArray[np.float64]
    """(C, N): what the gate sees. The points themselves, or covariates; unused without a gate."""
    nodes: NDArray[np.float64]
    """(D, M): standard normal nodes for Z; unused unless the model is divided by it."""
    log_node_weights: NDArray[np.float64]
    """(M,)."""
    numbers: Numbers


def log_weights(y: Any, array: Any = np) -> Any:
    """log π (..., K) from y (..., K) and the logarithm of the total (...,), NumPy's or JAX's."""
    above, beyond = array.maximum(y, BEND), array.maximum(BEND - y, 0.0)
    logs = above - array.expm1(beyond)
    top = logs.max(axis=-1, keepdims=True)
    total = top + array.log(array.exp(logs - top).sum(axis=-1, keepdims=True))
    return logs - total, total[..., 0]


def coordinates(log_weights: NDArray) -> NDArray[np.float64]:
    """y (..., K) that has these log weights, with a total of 1."""
    beyond = np.log1p(np.maximum(BEND - log_weights, 0))
    return np.where(log_weights > BEND, log_weights, BEND - beyond)


def log_prior_of_weights(y: Any, concentration: Any) -> Any:
    """The log density of y (K,) and its log π: exactly the Dirichlet's."""
    from latentsteps.jax64 import jax, jnp

    k, a = y.shape[-1], concentration
    log_pi, total = log_weights(y, jnp)
    gammas = jax.scipy.special.gammaln(k * a) - k * jax.scipy.special.gammaln(a)
    anchor = jax.scipy.stats.norm.logpdf(total, 0.0, ANCHOR)
    jacobian = jnp.maximum(BEND - y, 0.0).sum(axis=-1)
    return a * log_pi.sum(axis=-1) + gammas + anchor + jacobian, log_pi


def nodes_for(d: int) -> int:
    """How many nodes a component the sampler computes Z by.

    On a line and in the plane 36, there 6 × 6. On the recipe's data log Z is then right to .001,
    and N log Z to .1 nats (standard deviation over draws). With 500 points and draws from the
    prior, whose components are wide for their gates, N log Z is right to .03 nats on a line and .7
    in the plane; by the 16 Sobol points a dimension that are used from three on, 64 at least, to .2
    nats in 3 dimensions, .3 in 4 and .4 in 8.
    """
    return 36 if d < 3 else max(64, 16 * d)


@functools.lru_cache(maxsize=32)
def normal_nodes(d: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """About ``count`` nodes (M, D) and log weights (M,) for means under a standard normal.

    In one dimension and two the product of Gauss–Hermite rules, exact for polynomials; from three
    on, where products have few nodes along a line, Sobol points, scrambled with a fixed seed, all
    of one weight, their number rounded up to a power of 2. Kept, since every step asks for them,
    and so read-only.
    """
    count = as_count(count, "the number of nodes")
    if d > 2:
        power = int(np.ceil(np.log2(count)))
        even = qmc.Sobol(d, rng=np.random.default_rng(0)).random_base2(power)
        return _kept(norm.ppf(even), np.full(2**power, -power * np.log(2)))
    nodes, weights = roots_hermitenorm(max(1, round(count ** (1 / d))))
    kept = weights > 0  # of many nodes the outermost weigh less than the smallest number
    nodes, logs = nodes[kept], np.log(weights[kept] / weights.sum())
    grid = np.stack(np.meshgrid(*[nodes] * d, indexing="ij"), axis=-1).reshape(-1, d)
    return _kept(grid, np.sum(np.meshgrid(*[logs] * d, indexing="ij"), axis=0).ravel())


def _kept(*arrays: NDArray) -> Any:
    for array in arrays:
        array.setflags(write=False)
    return arrays


def sample_components(k: int, d: int, numbers: Any) -> tuple[Any, Any]:
    """Means and scales (K, D) in the data's units, from the sites "means" and "scales" in the
    sampler's: (m − location) / unit and σ / unit."""
    import numpyro
    import numpyro.distributions as dist

    from latentsteps.jax64 import jax, jnp

    unit, p = numbers.unit, numbers.power
    normal = dist.Normal(0.0, numbers.spread / unit)
    means = numpyro.sample("means", normal.expand([k, d]).to_event(2))
    positive = dist.ImproperUniform(dist.constraints.positive, (), (k, d))
    scales = numpyro.sample("scales", positive)
    # The family is a number among the data, so that both share what is compiled. The integral of
    # exp(−t^p / p) over t > 0 is p^(1/p) Γ(1 + 1/p): 1 for p = 1, √(π/2) for p = 2.
    width = numbers.scale / unit
    total = jnp.log(width) + jnp.log(p) / p + jax.scipy.special.gammaln(1 + 1 / p)
    numpyro.factor("scales' prior", (-((scales / width) ** p) / p - total).sum())
    return numbers.location + unit * means, unit * scales


def features(x: NDArray, centre: NDArray) -> NDArray[np.float64]:
    """1, x − centre and its squares of each point, (2D + 1, N), for points as columns (D, N)."""
    gaps = x - centre[:, None]
    return np.concatenate([np.ones((1, x.shape[1])), gaps, gaps**2])


def log_normals(features: Any, means: Any, scales: Any) -> Any:
    """log N(x_n | m_k, diag σ_k²) by JAX, (K, N), the means (K, D) about the features' centre.

    It is linear in the features: one matrix product, and two for its gradient. Components come
    before points, so that arrays are contiguous along N; nothing has the size N × K × D. Squares
    of x − centre cancel, which leaves 16 digits less two for each power of ten that points lie
    away, counted in σ: about their centre it is harmless.
    """
    from latentsteps.jax64 import jnp

    precision = scales**-2
    constant = -jnp.log(scales) - 0.5 * (LOG_2_PI + means**2 * precision)
    constant = constant.sum(axis=1, keepdims=True)
    return jnp.concatenate([constant, means * precision, -0.5 * precision], axis=1) @ features


@functools.lru_cache(maxsize=1)
def log_sum_function() -> Callable[[Any], Any]:
    """The function log Σ_k exp of (K, N) along its first axis, whose gradient is kept on the way.

    Its gradient is the softmax. JAX's own takes the exponentials again for it, and they are half of
    what a leapfrog costs.
    """
    from latentsteps.jax64 import jax, jnp

    def forward(joint: Any) -> tuple[Any, Any]:
        top = joint.max(axis=0)
        exponentials = jnp.exp(joint - top)
        total = exponentials.sum(axis=0)
        return top + jnp.log(total), exponentials / total

    function = jax.custom_vjp(lambda joint: forward(joint)[0])
    function.defvjp(forward, lambda shares, change: (shares * change,))
    return function


@functools.lru_cache(maxsize=64)
def numpyro_model(k: int, hidden: int, gate: str) -> Callable[[Inputs], None]:
    """The NumPyro model; ``gate`` as in :mod:`latentsteps.models.bnnc`.

    One function for each number of components and hidden units, since compiled steps are kept with
    the function; the prior is data, its family too, and another one compiles nothing. The sites
    "hidden" (C, H) and "output" (H, K) are W₁ and W₂ over their scales.
    """
    import numpyro
    import numpyro.distributions as dist

    from latentsteps.jax64 import jnp

    def model(data: Inputs) -> None:
        numbers, (d, n) = data.numbers, (len(data.centre), data.features.shape[1])
        sample, add, rows = numpyro.sample, numpyro.factor, log_sum_function()
        y = sample("y", dist.ImproperUniform(dist.constraints.real_vector, (), (k,)))
        density, log_pi = log_prior_of_weights(y, numbers.concentration)
        add("weights", density)
        means, scales = sample_components(k, d, numbers)
        normals = log_normals(data.features, means - data.centre, scales)
        if gate == "none":
            add("x", rows(log_pi[:, None] + normals).sum())
            return
        normal, c = dist.Normal(0.0, 1.0), len(data.gate)
        first = numbers.hidden_scale * sample("hidden", normal.expand([c, hidden]).to_event(2))
        second = numbers.output_scale * sample("output", normal.expand([hidden, k]).to_event(2))

        def logits(inputs: Any) -> Any:
            return log_pi[:, None] + second.T @ jnp.tanh(first.T @ inputs)

        # log Σ θ_k N_k, θ = softmax of the logits, without θ itself.
        here = logits(data.gate)
        add("x", (rows(here + normals) - rows(here)).sum())
        if gate == "normalised":
            at = means.T[:, :, None] + scales.T[:, :, None] * data.nodes[:, None, :]
            there = logits(at.reshape(d, -1))
            own = jnp.diagonal(there.reshape(k, k, -1), axis1=0, axis2=1).T
            log_theta = own - rows(there).reshape(k, -1)
            add("normaliser", -n * rows((log_theta + data.log_node_weights).reshape(-1, 1))[0])

    return model
