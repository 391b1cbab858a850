"""The Gaussian mixture's log density and its gradient, written in four ways: what NUTS waits for.

All take the parameters as the model has them (weights by their logits, so that every way is a
function of the same free numbers) and are compiled; all are held to each other before a clock runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpyro.distributions as distributions
from numpy.typing import NDArray
from numpyro import handlers
from sklearn.cluster import KMeans
from timing import Entry, Row, timed

from latentsteps.jax64 import jax, jnp
from latentsteps.models.bayesian_gmm_inputs import MixturePrior
from latentsteps.models.bayesian_gmm_model import numpyro_model
from latentsteps.simulated import blobs

TITLE = "Gaussian mixture, D = 2, K = 8: log density of the blobs and its gradient"
SIZES = {500: 50, 10_000: 5}
"""Points, and gradients in one compiled call: as in a trajectory, for what a call costs from Python
is not meant."""
K = 8
TOLERANCE = {"float64": 1e-12, "float32": 1e-4}
"""How far a way may be from the recipe in float64, of its size and of the largest gradient. Terms
of a gradient cancel: these are some thousand times the precision's rounding. What was reached is
in the notes."""

Parameters = dict[str, Any]
Way = Callable[[Any, Parameters], Any]


def rows() -> Iterator[Row]:
    for n, times in SIZES.items():
        x = blobs(K, n=n).x
        truth = density(recipe)(parameters(x), x)
        for precision in ("float64", "float32"):
            entries = []
            for who, way in WAYS.items():
                # Constants too are of the precision: of the two that JAX has by itself.
                with jax.enable_x64(precision == "float64"):
                    p = jax.tree.map(jnp.asarray, parameters(x))
                    data = jnp.asarray(x.T if way is ours else x)
                    note = agreement(who, density(way)(p, data), truth, precision)
                    entry = Entry(who, repeated(way, p, data, times), 1 / times, note)
                entries.append(entry)
            yield from timed(f"N = {n:,}, {precision}", entries, budget=3.0)


def parameters(x: NDArray) -> Parameters:
    """Some place that NUTS may be at: clouds where they belong, of various shapes."""
    random = np.random.default_rng(0)
    factors = np.tril(random.uniform(-1, 1, size=(K, 2, 2))) + 2 * np.eye(2)
    return {
        "logits": random.normal(scale=0.3, size=K),
        "means": KMeans(K, n_init=3, random_state=0).fit(x).cluster_centers_,
        "scales": random.uniform(0.6, 1.2, size=(K, 2)),
        "correlation_factors": factors / np.linalg.norm(factors, axis=2, keepdims=True),
    }


def density(way: Way) -> Callable[[Parameters, Any], tuple[Any, Parameters]]:
    """The log density and its gradient with respect to all parameters, compiled."""

    def value(p: Parameters, x: Any) -> Any:
        # Every way has to be a function of the same free numbers, for gradients to agree.
        p = p | {
            "weights": jax.nn.softmax(p["logits"]),
            "correlation_factors": jnp.tril(p["correlation_factors"]),
        }
        return way(x, p)

    return jax.jit(jax.value_and_grad(value))


def repeated(way: Way, p: Parameters, x: Any, times: int) -> Callable[[], object]:
    """A call that takes so many gradients, each at a place that depends on the one before."""
    gradient = density(way)

    def one(p: Parameters, _: None) -> tuple[Parameters, Any]:
        value, slope = gradient(p, x)
        return jax.tree.map(lambda a, b: a + 1e-9 * b, p, slope), value

    loop = jax.jit(lambda p: jax.lax.scan(one, p, length=times)).lower(p).compile()
    return lambda: jax.block_until_ready(loop(p))


def agreement(who: str, found: tuple, truth: tuple, precision: str) -> str:
    """How far value and gradient are from the recipe's in float64; ValueError if too far."""
    (value, slope), (true_value, true_slope) = jax.device_get((found, truth))
    if value.dtype != precision or any(slope[name].dtype != precision for name in slope):
        raise ValueError(f"{who} does not stay in {precision}")
    off = abs(float(value) / float(true_value) - 1)
    largest = max(abs(each).max() for each in true_slope.values())
    far = max(abs(slope[name] - true_slope[name]).max() for name in slope) / largest
    if not max(off, far) < TOLERANCE[precision]:
        raise ValueError(f"{who} differs in {precision}: density {off:.1g}, gradient {far:.1g}")
    return f"within {off:.0e} of its size, gradient {far:.0e}"


def recipe(x: Any, p: Parameters) -> Any:
    """As the recipe, and anyone who reads NumPyro's documentation, writes it."""
    clouds = distributions.MultivariateNormal(
        p["means"], scale_tril=p["scales"][..., None] * p["correlation_factors"]
    )
    mixture = distributions.MixtureSameFamily(distributions.Categorical(p["weights"]), clouds)
    return mixture.log_prob(x).sum()


def ours(x: Any, p: Parameters) -> Any:
    """The course's own model, x (D, N): what it adds to the log joint density for the data."""
    # A prior of unit 1 around 0, so that the model's units are the data's.
    zero, one = jnp.zeros(len(x)), jnp.ones(len(x))
    prior = MixturePrior(1.0, zero, one, None, one, 1.0, 1.0)
    placed = handlers.substitute(handlers.seed(numpyro_model(K, "log-normal"), 0), p)
    site = handlers.trace(placed).get_trace((x, prior))["x"]
    return site["fn"].log_prob(site["value"])


def solving(x: Any, p: Parameters) -> Any:
    """Plain JAX: a triangular solve a component, log-sum-exp along the last axis of (N, K)."""
    factors = p["scales"][..., None] * p["correlation_factors"]

    def cloud(mean: Any, factor: Any) -> Any:
        z = jax.scipy.linalg.solve_triangular(factor, (x - mean).T, lower=True)
        height = jnp.log(jnp.diagonal(factor)).sum() + len(mean) / 2 * jnp.log(2 * jnp.pi)
        return -0.5 * (z**2).sum(axis=0) - height

    joint = jnp.log(p["weights"]) + jax.vmap(cloud, out_axes=1)(p["means"], factors)
    return jax.scipy.special.logsumexp(joint, axis=1).sum()


def einsum(x: Any, p: Parameters) -> Any:
    """Plain JAX: inverses once, then one einsum over differences (N, K, D)."""
    factors = p["scales"][..., None] * p["correlation_factors"]
    z = jnp.einsum("kde,nke->nkd", jnp.linalg.inv(factors), x[:, None] - p["means"])
    heights = jnp.log(jnp.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    heights += x.shape[1] / 2 * jnp.log(2 * jnp.pi)
    joint = jnp.log(p["weights"]) - heights - 0.5 * (z**2).sum(axis=2)
    return jax.scipy.special.logsumexp(joint, axis=1).sum()


WAYS: dict[str, Way] = {
    "Latent Steps": ours,
    "NumPyro, MixtureSameFamily": recipe,
    "plain, solve_triangular, (N, K)": solving,
    "plain, einsum, (N, K)": einsum,
}
