"""Mixture density network: a network whose outputs are a mixture's weights, means and scales.

For an input x a layer of tanh units and a linear one give the parameters of a mixture for the
outputs y (D,), with a normal prior on everything that is fitted (Bishop 1994, "Mixture density
networks", section 3; the prior as in Neal 1996, *Bayesian Learning for Neural Networks*, chapter
2)::

    hidden = tanh(x · W₁ + b₁),  heads = hidden · W₂ + b₂
    p(y | x) = Σ_k weight_k(x) Π_d N(y_d | mean_kd(x), scale_kd(x)²)

One k for all outputs makes them *joint*: which of two answers it is, it is in every output.
A mixture for each output apart would also answer with the shoulder of one and the elbow of the
other.

Inside, rows are units and heads and columns are points: a gradient in that layout takes a third to
two thirds of the time of the other. Everything is float64: at these sizes float32 is no faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpyro
from numpy.typing import ArrayLike, NDArray
from numpyro import distributions as dist

from latentsteps.jax64 import jax, jnp
from latentsteps.models.points import as_points
from latentsteps.trace import Data

SMALLEST_SCALE = 0.001
"""Added to every scale, in units of the outputs: none can shrink to nothing."""

Draws = Mapping[str, ArrayLike]
"""Values of the network's four sites with a leading axis of draws."""


class MixtureDensity(NamedTuple):
    """The mixture that a network makes of each input."""

    weights: Any
    """(N, K), rows sum to one; of a network that is not joint (N, K, D), a row an output."""
    means: Any
    """(N, K, D)."""
    scales: Any
    """(N, K, D), standard deviations, at least ``SMALLEST_SCALE``."""


class MixtureDensityNetwork(NamedTuple):
    """A network of given sizes: its story for NumPyro, and its densities for given parameters."""

    model: Callable[[Data], None]
    """The NumPyro model of pairs (inputs (N, D_in), outputs (N, D)). Its sites are
    ``input_weights`` (D_in, H), ``hidden_biases`` (H,), ``output_weights`` (H, heads) and
    ``output_biases`` (heads,)."""
    density: Callable[[Draws, Any], MixtureDensity]
    """(parameters, inputs) -> :class:`MixtureDensity`; parameters of one draw."""
    log_density: Callable[[Draws, Any, Any], Any]
    """(parameters, inputs, outputs) -> log p(y_n | x_n), (N,); parameters of one draw."""
    sites: tuple[tuple[str, tuple[int, ...]], ...]
    """The sites' names and shapes."""
    outputs: int
    """How many columns the outputs have."""


def mixture_density_network(
    components: int,
    inputs: int = 1,
    outputs: int = 1,
    *,
    hidden: int = 20,
    joint: bool = True,
    prior_scale: float = 1.0,
) -> MixtureDensityNetwork:
    """A network with one hidden layer, and a mixture of ``components`` normals at its end.

    Asked for twice with the same sizes it is the same object, so what was compiled for it is used
    again.

    Parameters
    ----------
    components: K. inputs, outputs: how many columns they have; both in standard units.
    hidden: tanh units.
    joint: one mixture over all outputs. Otherwise one for each output, independent of the others.
    prior_scale: standard deviation of the normal prior of every weight and bias; the output
        weights' is divided by √hidden, so that more units do not mean a wilder prior (Neal 1996).

    The outputs of the network come in blocks: logits, means, raw scales. A scale is
    ``SMALLEST_SCALE`` + softplus(raw).
    """
    if min(components, inputs, outputs, hidden) < 1:
        raise ValueError(
            f"components is {components}, inputs {inputs}, outputs {outputs} and hidden {hidden}; "
            "all are at least 1"
        )
    if not prior_scale > 0:
        raise ValueError(f"prior_scale is {prior_scale}; it is a positive standard deviation")
    return _network(components, inputs, outputs, hidden, joint, prior_scale)


@lru_cache(maxsize=64)
def _network(
    k: int, inputs: int, d: int, hidden: int, joint: bool, prior_scale: float
) -> MixtureDensityNetwork:
    logits = k if joint else k * d
    heads = logits + 2 * k * d
    sites = {
        "input_weights": ((inputs, hidden), prior_scale),
        "hidden_biases": ((hidden,), prior_scale),
        "output_weights": ((hidden, heads), prior_scale / np.sqrt(hidden)),
        "output_biases": ((heads,), prior_scale),
    }

    def network(parameters: Mapping[str, Any], x: Any) -> tuple[Any, Any, Any]:
        """Log weights (K, 1, N) or (K, D, N), means and scales (K, D, N)."""
        first, biases, second, constants = (parameters[name] for name in sites)
        units = jnp.tanh(first.T @ x.T + biases[:, None])
        raw = second.T @ units + constants[:, None]
        log_weights = jax.nn.log_softmax(raw[:logits].reshape(k, -1, len(x)), axis=0)
        means, scales = raw[logits:].reshape(2, k, d, len(x))
        return log_weights, means, SMALLEST_SCALE + jax.nn.softplus(scales)

    def log_density(parameters: Mapping[str, Any], x: Any, y: Any) -> Any:
        log_weights, means, scales = network(parameters, x)
        terms = -0.5 * ((y.T - means) / scales) ** 2 - jnp.log(scales) - 0.5 * np.log(2 * np.pi)
        if joint:
            terms = terms.sum(axis=1, keepdims=True)
        return jax.nn.logsumexp(log_weights + terms, axis=0).sum(axis=0)

    def density(parameters: Mapping[str, Any], x: Any) -> MixtureDensity:
        log_weights, means, scales = (part.transpose(2, 0, 1) for part in network(parameters, x))
        weights = jnp.exp(log_weights)
        return MixtureDensity(weights[:, :, 0] if joint else weights, means, scales)

    def model(data: Data) -> None:
        x, y = data
        parameters = {
            name: numpyro.sample(name, dist.Normal(0, scale).expand(shape).to_event(len(shape)))
            for name, (shape, scale) in sites.items()
        }
        numpyro.factor("log_likelihood", log_density(parameters, x, y).sum())

    shapes = tuple((name, shape) for name, (shape, _) in sites.items())
    return MixtureDensityNetwork(model, jax.jit(density), jax.jit(log_density), shapes, d)


def held_out(
    network: MixtureDensityNetwork, draws: Draws, inputs: ArrayLike, outputs: ArrayLike
) -> NDArray[np.float64]:
    """log of the mean over draws of p(y_n | x_n, draw), in nats, (N,).

    Densities are averaged, never parameters and never logs: the mean of the logs is lower, whatever
    the draws. A single estimate is a dict of values with a leading axis of one.

    Parameters
    ----------
    draws: values of the network's sites, each (S, ...).
    inputs, outputs: pairs (N, D_in), (N, D) that the draws were not fitted to.

    Raises ValueError where the draws are another network's, and where the pairs do not fit.
    """
    x, y = (as_points(part, "a mixture density network") for part in (inputs, outputs))
    if len(x) != len(y):
        raise ValueError(f"there are {len(x)} inputs and {len(y)} outputs; they come in pairs")
    checked = _check(network, draws, x)
    if y.shape[1] != network.outputs:
        raise ValueError(f"the outputs have {y.shape[1]} columns; the network's {network.outputs}")
    return np.asarray(_log_mean(network.log_density)(checked, x, y))


def predictive_density(
    network: MixtureDensityNetwork, draws: Draws, inputs: ArrayLike, grid: ArrayLike
) -> NDArray[np.float64]:
    """p(y | x_n, data), averaged over draws, at every input and every value: (N, G).

    Parameters
    ----------
    draws: values of the network's sites, each (S, ...), of a network with one output.
    inputs: (N, D_in). grid: (G,), values of that output.

    Raises ValueError as :func:`held_out` does, and for a network with several outputs.
    """
    x = as_points(inputs, "a mixture density network")
    values = np.asarray(grid, dtype=np.float64)
    checked = _check(network, draws, x)
    if values.ndim != 1 or network.outputs != 1:
        raise ValueError(
            f"the grid has shape {values.shape} and the network {network.outputs} outputs; this "
            "is for one output, and the grid holds its values, (G,)"
        )
    return np.asarray(_mean_density(network.density)(checked, x, values))


@lru_cache(maxsize=64)
def _log_mean(log_density: Callable) -> Callable:
    @jax.jit
    def averaged(draws: Draws, x: Any, y: Any) -> Any:
        each = jax.lax.map(lambda draw: log_density(draw, x, y), draws)
        return jax.nn.logsumexp(each, axis=0) - jnp.log(len(each))

    return averaged


@lru_cache(maxsize=64)
def _mean_density(density: Callable) -> Callable:
    @jax.jit
    def averaged(draws: dict[str, Any], x: Any, grid: Any) -> Any:
        def add(total: Any, draw: dict[str, Any]) -> tuple[Any, None]:
            weights, means, scales = (part.reshape(len(x), 1, -1) for part in density(draw, x))
            z = (grid[:, None] - means) / scales
            parts = weights * jnp.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * scales)
            return total + parts.sum(axis=2), None

        count = len(next(iter(draws.values())))
        # A draw at a time: a table of all draws would be (S, N, G, K).
        return jax.lax.scan(add, jnp.zeros((len(x), len(grid))), draws)[0] / count

    return averaged


def _check(network: MixtureDensityNetwork, draws: Draws, x: NDArray) -> dict[str, NDArray]:
    """The draws as float64, once they are this network's and the inputs have its columns."""
    checked = {name: np.asarray(values, dtype=np.float64) for name, values in draws.items()}
    counts = {values.shape[:1] for values in checked.values()}
    shapes = {name: values.shape[1:] for name, values in checked.items()}
    if shapes != dict(network.sites) or len(counts) != 1 or (0,) in counts:
        given = {name: values.shape for name, values in checked.items()}
        raise ValueError(
            f"the draws have shapes {given}; the network takes {dict(network.sites)}, each with "
            "an axis of draws in front (value[None] makes one draw of a single estimate)"
        )
    columns = dict(network.sites)["input_weights"][0]
    if x.shape[1] != columns:
        raise ValueError(f"the inputs have {x.shape[1]} columns; the network takes {columns}")
    return checked
