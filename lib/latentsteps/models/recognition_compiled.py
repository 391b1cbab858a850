"""The bound of a mixture with a recognition network, and its optimiser, compiled by JAX.

What :mod:`latentsteps.models.recognition_network` runs: rows are components and columns are points,
all in standard units. Dropped components stay in the arrays, masked, so that nothing is compiled
again when one goes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from latentsteps.models.bnnc_model import LOG_2_PI

SMALLEST_SCALE = 0.001
"""Added to every scale, in standard deviations of the data: a component on one point would have an
infinite likelihood, and there is no prior here to keep it from that."""


class Compiled(NamedTuple):
    """JAX's part, compiled at the first call for each shape."""

    begin: Callable
    """parameters -> the optimiser's state."""
    parameters: Callable
    """The way back."""
    advance: Callable
    """(optimiser's state, alive, points, learning rate, charge, updates, mixture) -> the
    optimiser's state; with ``mixture`` 0 the network alone learns."""
    look: Callable
    """(optimiser's state, alive, points) -> a dict of what a state and its info are made of."""


@functools.lru_cache(maxsize=1)
def compiled() -> Compiled:
    """The functions, made when they are first asked for: JAX and NumPyro take seconds to load."""
    from numpyro.optim import Adam

    from latentsteps.jax64 import jax, jnp

    anyhow = Adam(1.0)  # its state does not depend on the rate

    def logs(p: dict, alive: Any, z: Any) -> tuple[Any, Any, Any]:
        """log q and log π N, both (K, N), and log π; −∞ for what is dropped."""
        first, second = p["hidden_weights"], p["output_weights"]
        units = jnp.tanh(first[:1].T + first[1:].T @ z)
        raw = second.T @ units + p["output_biases"][:, None]
        log_q = jax.nn.log_softmax(jnp.where(alive[:, None], raw, -jnp.inf), axis=0)
        log_pi = jax.nn.log_softmax(jnp.where(alive, p["logits"], -jnp.inf))
        # Differences, not products of features: scales may be a thousandth of the data's.
        columns = zip(z, p["means"].T[..., None], scales_of(p).T[..., None], strict=True)
        normals = sum(-0.5 * ((x - m) / s) ** 2 - jnp.log(s) - LOG_2_PI / 2 for x, m, s in columns)
        return log_q, log_pi[:, None] + normals, log_pi

    def scales_of(p: dict) -> Any:
        return SMALLEST_SCALE + jnp.exp(p["raw_scales"])

    def expected(alive: Any, log_q: Any, value: Any) -> Any:
        """Σ over points and components of q · value; the dropped count as 0, not as 0 · ∞."""
        return jnp.where(alive[:, None], jnp.exp(log_q) * value, 0.0).sum()

    def safe(alive: Any, value: Any) -> Any:
        """Without infinities: their gradient is no number, even where it is not used."""
        return jnp.where(alive.reshape(-1, *[1] * (value.ndim - 1)), value, 0.0)

    def loss(p: dict, alive: Any, z: Any, charge: Any) -> Any:
        log_q, joint, log_pi = logs(p, alive, z)
        log_q, joint = safe(alive, log_q), safe(alive, joint)
        bound = expected(alive, log_q, joint - log_q)
        # A mean over points: Adam's steps do not depend on the scale, but its ε does.
        return (charge * safe(alive, log_pi).sum() - bound) / z.shape[1]

    @jax.jit
    def advance(
        optimizer: Any, alive: Any, z: Any, rate: Any, charge: Any, updates: Any, mixture: Any
    ) -> Any:
        adam = Adam(rate)

        def update(_: Any, optimizer: Any) -> Any:
            slope = jax.grad(loss)(adam.get_params(optimizer), alive, z, charge)
            of_mixture = ("logits", "means", "raw_scales")
            slope |= {name: mixture * slope[name] for name in of_mixture}
            return adam.update(slope, optimizer)

        return jax.lax.fori_loop(0, updates, update, optimizer)

    @jax.jit
    def look(optimizer: Any, alive: Any, z: Any) -> dict:
        p = anyhow.get_params(optimizer)
        log_q, joint, log_pi = logs(p, alive, z)
        exact = jax.nn.logsumexp(joint, axis=0)
        return p | {
            "log_weights": log_pi,
            "scales": scales_of(p),
            "counts": jnp.exp(log_q).sum(axis=1),
            "elbo": expected(alive, log_q, joint - log_q),
            "log_likelihood": exact.sum(),
            "gap": expected(alive, log_q, log_q - (joint - exact)),
        }

    return Compiled(jax.jit(anyhow.init), anyhow.get_params, advance, look)
