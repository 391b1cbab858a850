"""The Bayesian Gaussian mixture as a NumPyro model, assignments summed out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LOG_2_PI = float(np.log(2 * np.pi))


class Numbers(NamedTuple):
    """A ``MixturePrior`` without its words: what a compiled function takes as data."""

    concentration: float
    location: NDArray[np.float64]
    spread: NDArray[np.float64]
    scale: NDArray[np.float64]
    scale_spread: float
    correlation: float


@functools.lru_cache(maxsize=64)
def numpyro_model(k: int, family: str) -> Callable[[tuple], None]:
    """The NumPyro model in the prior's units: data are (points (D, N), :class:`Numbers`).

    The unit is what the prior takes for a component's width: in it all unconstrained parameters
    have posteriors of about one width, and the warm-up, which begins with a ball of that shape,
    takes a fifth of the leapfrogs that it takes with the means' wide prior as the unit.

    One function for each number of components and family of scales, since compiled steps are kept
    with the function; the prior's numbers are data, and another prior compiles nothing.
    """
    import numpyro
    import numpyro.distributions as dist

    from latentsteps.jax64 import jax, jnp

    def of_scales(spread: Any) -> Any:
        if family == "log-normal":
            return dist.LogNormal(0.0, spread)
        if family == "inverse gamma":
            return dist.InverseGamma(spread, spread + 1)
        return dist.HalfNormal(1.0) if family == "half-normal" else dist.HalfCauchy(1.0)

    def model(data: tuple) -> None:
        x, prior = data
        d = len(x)
        sample, normal = numpyro.sample, dist.Normal(0.0, prior.spread / prior.scale)
        unit = of_scales(prior.scale_spread)
        weights = sample("weights", dist.Dirichlet(jnp.full(k, prior.concentration)))
        means = sample("means", normal.expand([k, d]).to_event(2))
        scales = sample("scales", unit.expand([k, d]).to_event(2))
        if d == 1:
            inverse, diagonal = 1 / scales[..., None], jnp.ones((k, 1))
        else:
            correlation = dist.LKJCholesky(d, prior.correlation)
            factors = sample("correlation_factors", correlation.expand([k]).to_event(1))
            one = jnp.broadcast_to(jnp.eye(d, dtype=factors.dtype), (k, d, d))
            # The K small factors are inverted; the points then take one product, (K·D, D) (D, N).
            inverse = jax.scipy.linalg.solve_triangular(factors, one, lower=True)
            inverse = inverse / scales[:, None, :]
            diagonal = jnp.diagonal(factors, axis1=1, axis2=2)
        z = (inverse.reshape(k * d, d) @ x).reshape(k, d, -1) - inverse @ means[..., None]
        constant = jnp.log(weights) - jnp.log(scales * diagonal).sum(axis=1) - d / 2 * LOG_2_PI
        joint = constant[:, None] - 0.5 * (z**2).sum(axis=1)
        numpyro.factor("x", jax.scipy.special.logsumexp(joint, axis=0).sum())

    return model
