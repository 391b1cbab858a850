"""Effective draws a CPU second on eight blobs: ours, NumPyro's own words, and BayesForge's.

The same model, data, start, chains, warm-up, draws and seeds; only what is named differs. How draws
are counted: ``effective.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import numpyro
import numpyro.distributions as distributions
from chains import OneAfterAnother
from effective import Fit, Judge, Plan, Sampled, attempt, bayesforges, ours, row, worth
from numpy.typing import NDArray
from numpyro.infer import MCMC, NUTS, init_to_value
from numpyro.infer.util import log_density
from timing import Row, say

from latentsteps.jax64 import jax, jnp
from latentsteps.models.bayesian_gmm import bayesian_gaussian_mixture
from latentsteps.models.bayesian_gmm_inputs import (
    MixturePrior,
    as_position,
    from_kmeans,
    weak_prior,
)
from latentsteps.simulated import blobs

PLAN = Plan(chains=4, warmup=500, draws=500, seeds=(0, 1, 2))
K = 8
TITLE = (
    f"Gaussian mixture by NUTS: effective draws a CPU second; 8 blobs, {PLAN.chains} chains of "
    f"{PLAN.warmup} warm-up steps and {PLAN.draws} draws, {len(PLAN.seeds)} seeds"
)
CASE = "N = 500, D = 2, K = 8, float64"
Depth = int | tuple[int, int]
SITES = ("weights", "means", "scales", "correlation_factors")
SHIPPED = "another model: centres within .3 of its k-means by its prior; uniform starts"


def rows() -> Iterator[Row]:
    data = blobs(K)
    x, prior = data.x, weak_prior(data.x)
    judge = functools.partial(worth, log_joint=functools.partial(log_joint, x), labels=data.labels)
    # Every chain of everyone begins where k-means ends, and no prior knows of it.
    start = from_kmeans((0, 0), 0, x, K, prior.scale)
    at = as_position(start, K, x.shape[1])

    def own(depth: Depth) -> Sampled:
        algorithm = bayesian_gaussian_mixture(
            K, prior, start=start, chains=PLAN.chains, warmup=PLAN.warmup, max_tree_depth=depth
        )
        return ours(algorithm, x, PLAN, SITES, judge)

    def theirs(*, shipped: bool) -> Sampled:
        """Our model and start, or what its recipe does, with its k-means for the centres of its
        prior and its uniform starts."""
        named = {f"prior_{name}": values for name, values in prior._asdict().items()}
        problem = {"x": x, "k": K, "depths": (10, 10), "shipped": shipped, **named, **at}
        found = bayesforges("bayesforge_blobs.py", problem, PLAN, SITES, judge)
        return found._replace(note=f"{found.note}; {SHIPPED}") if shipped else found

    say("  Latent Steps")
    first = own((5, 10))
    yield row(CASE, "Latent Steps", first, first)
    others = {
        "Latent Steps, at full depth": lambda: own(10),
        "NumPyro, MixtureSameFamily": lambda: numpyros(x, prior, at, 10, judge),
        "the same, short warm-up trees": lambda: numpyros(x, prior, at, (5, 10), judge),
        "BayesForge, the same model": lambda: theirs(shipped=False),
        "BayesForge, its own gmm": lambda: theirs(shipped=True),
    }
    for who, sample in others.items():
        say(f"  {who}")
        yield attempt(CASE, who, sample, first)


def log_joint(x: NDArray, drawn: dict[str, NDArray]) -> NDArray:
    """log p(x_n, k) under each draw, (chains, draws, K, N), by plain NumPy."""
    factors = drawn["scales"][..., None] * drawn["correlation_factors"]
    z = np.linalg.inv(factors) @ (x.T - drawn["means"][..., None])
    heights = np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1) + np.log(2 * np.pi)
    return np.log(drawn["weights"])[..., None] - heights[..., None] - 0.5 * (z**2).sum(axis=-2)


def numpyros(x: NDArray, prior: MixturePrior, start: dict, depth: Depth, judge: Judge) -> Sampled:
    """The same model as the recipe writes mixtures, by NumPyro's own ``MCMC``."""

    def model(x: NDArray) -> None:
        weights = numpyro.sample(
            "weights", distributions.Dirichlet(jnp.full(K, prior.concentration))
        )
        with numpyro.plate("components", K):
            means = numpyro.sample(
                "means", distributions.Normal(prior.location, prior.spread).to_event(1)
            )
            scales = numpyro.sample(
                "scales",
                distributions.LogNormal(jnp.log(prior.scale), prior.scale_spread)
                .expand(prior.scale.shape)
                .to_event(1),
            )
            factors = numpyro.sample(
                "correlation_factors", distributions.LKJCholesky(x.shape[1], prior.correlation)
            )
        clouds = distributions.MultivariateNormal(means, scale_tril=scales[..., None] * factors)
        mixture = distributions.MixtureSameFamily(distributions.Categorical(weights), clouds)
        numpyro.sample("x", mixture, obs=x)

    x, start = jax.tree.map(jnp.asarray, (x, start))
    clock, fits = OneAfterAnother(), []
    sampler = MCMC(
        NUTS(model, init_strategy=init_to_value(values=start), max_tree_depth=depth),
        num_warmup=PLAN.warmup,
        num_samples=PLAN.draws,
        num_chains=PLAN.chains,
        chain_method=clock,
        progress_bar=False,
    )
    for seed in PLAN.seeds:
        sampler.run(jax.random.PRNGKey(seed), x, extra_fields=("num_steps", "diverging"))
        seen = sampler.get_extra_fields(group_by_chain=True)
        drawn = sampler.get_samples(group_by_chain=True)
        fits.append(Fit(drawn, seen["num_steps"], seen["diverging"], clock.sampling))
    at_start = float(log_density(model, (x,), {}, start)[0])
    return Sampled(fits, [judge(fit) for fit in fits], clock.compiling, at_start)
