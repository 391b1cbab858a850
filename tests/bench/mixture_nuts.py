"""Effective draws a CPU second on eight blobs: ours, NumPyro's own words, and BayesForge's.

The same model, data, start, chains, warm-up, draws and seeds; only what is named differs. A draw
is worth what it tells about numbers that no swap of components changes. Everyone's chains run one
after another, compiled before the clock runs; for NumPyro and BayesForge, whose chains are side by
side by default, that is a setting. BayesForge runs in an environment of its own (its pins differ):
``LATENTSTEPS_BAYESFORGE`` names that one's Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpyro
import numpyro.distributions as distributions
from chains import OneAfterAnother
from numpy.typing import NDArray
from numpyro.infer import MCMC, NUTS, init_to_value
from numpyro.infer.util import log_density
from scipy.special import entr, logsumexp
from timing import Row, say

from latentsteps.arviz_quiet import arviz
from latentsteps.evaluation.consensus import partition, similarity
from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.inference.nuts import draws
from latentsteps.jax64 import jax, jnp
from latentsteps.models.bayesian_gmm import bayesian_gaussian_mixture
from latentsteps.models.bayesian_gmm_inputs import (
    MixturePrior,
    as_position,
    from_kmeans,
    weak_prior,
)
from latentsteps.models.gaussian_mixture import GaussianMixture
from latentsteps.simulated import Blobs, blobs
from latentsteps.trace import Trace, run

CHAINS, WARMUP, DRAWS, SEEDS = 4, 500, 500, (0, 1, 2)
K = 8
TITLE = (
    f"Gaussian mixture by NUTS: effective draws a CPU second; 8 blobs, {CHAINS} chains of "
    f"{WARMUP} warm-up steps and {DRAWS} draws, {len(SEEDS)} seeds"
)
CASE = "N = 500, D = 2, K = 8, float64"
Depth = int | tuple[int, int]
SITES = ("weights", "means", "scales", "correlation_factors")
ENVIRONMENT = "LATENTSTEPS_BAYESFORGE"
HOW_TO = (
    f"left out: {ENVIRONMENT} names no Python; make one with `python3 -m venv FOLDER`, "
    "`FOLDER/bin/pip install 'BayesForge[cpu]==0.0.48'`; it is FOLDER/bin/python"
)


class Fit(NamedTuple):
    """What one seed gave; arrays begin with (chains, draws)."""

    draws: dict[str, NDArray]
    """For every one of ``SITES``."""
    leapfrogs: NDArray
    divergent: NDArray
    seconds: float
    """CPU seconds of all threads for sampling: warm-up included, compiling not."""


class Sampled(NamedTuple):
    fits: list[Fit]
    """A seed each."""
    compiling: float
    """CPU seconds."""
    log_density: float | None
    """Of data and start together, by which the models are seen to be the same one."""
    note: str = ""


class Worth(NamedTuple):
    effective: float
    """ArviZ's bulk ESS of the log-likelihood or of the entropy of the mean responsibilities, the
    smaller one: neither changes when components swap their names."""
    r_hat: float
    """The larger one of the same two."""
    seconds: float
    leapfrogs: float
    """A draw after the warm-up, in the mean; of the warm-up NumPyro's ``MCMC`` does not tell."""
    divergences: int
    clusters: int
    ari: float
    """Adjusted Rand index of these clusters with the blobs' labels."""


def rows() -> Iterator[Row]:
    data = blobs(K)
    prior = weak_prior(data.x)
    # Every chain of everyone begins where k-means ends, and no prior knows of it.
    start = from_kmeans((0, 0), 0, data.x, K, prior.scale)
    at = as_position(start, K, data.x.shape[1])
    say("  Latent Steps")
    first = ours(data.x, prior, start, (5, 10))
    others = {
        "Latent Steps, at full depth": lambda: ours(data.x, prior, start, 10),
        "NumPyro, MixtureSameFamily": lambda: numpyros(data.x, prior, at, 10),
        "the same, short warm-up trees": lambda: numpyros(data.x, prior, at, (5, 10)),
        "BayesForge, the same model": lambda: bayesforges(data.x, prior, at, shipped=False),
        "BayesForge, its own gmm": lambda: bayesforges(data.x, prior, at, shipped=True),
    }
    yield row("Latent Steps", first, first, data)
    for who, sample in others.items():
        say(f"  {who}")
        if who.startswith("BayesForge") and not os.environ.get(ENVIRONMENT):
            yield Row(CASE, who, "", "", HOW_TO)
            continue
        try:
            yield row(who, sample(), first, data)
        except Exception as error:
            why = (str(error) or "no reason given").splitlines()[0]
            yield Row(CASE, who, "fails", "", f"{type(error).__name__}: {why}")


def row(who: str, sampled: Sampled, first: Sampled, data: Blobs) -> Row:
    """The medians over seeds, and what there is to know about their draws."""
    known, same = sampled.log_density, first.log_density
    if known is not None and abs(known - same) > 1e-9 * abs(same):
        raise ValueError(f"another model: log density {known:.6f} at the start, not {same:.6f}")
    ours, theirs = ([worth(fit, data) for fit in each.fits] for each in (first, sampled))
    rates = [each.effective / each.seconds for each in theirs]
    ratio = np.median(rates) / np.median([each.effective / each.seconds for each in ours])
    seconds = np.median([each.seconds for each in theirs])
    note = (
        f"seeds from {min(rates):.3g} to {max(rates):.3g}; "
        f"ESS {np.median([each.effective for each in theirs]):.0f} in {seconds:.2f} CPU s, and "
        f"{sampled.compiling:.1f} s before for compiling; "
        f"{np.mean([each.leapfrogs for each in theirs]):.1f} leapfrogs a draw; "
        f"{sum(each.divergences for each in theirs)} divergences; "
        f"r-hat ≤ {max(each.r_hat for each in theirs):.2f}; "
        f"{', '.join(str(each.clusters) for each in theirs)} clusters; "
        f"ARI ≥ {min(each.ari for each in theirs):.3f}"
    )
    note += f"; {sampled.note}" if sampled.note else ""
    return Row(CASE, who, f"{np.median(rates):.3g} a CPU s", f"{ratio:.3g}", note)


def ours(x: NDArray, prior: MixturePrior, start: GaussianMixture, depth: Depth) -> Sampled:
    """As a learner has it, the record of all states included."""
    algorithm = bayesian_gaussian_mixture(
        K, prior, start=start, chains=CHAINS, warmup=WARMUP, max_tree_depth=depth
    )
    begin = time.process_time()
    Trace(algorithm, x, seed=99).advance()
    compiling, fits = time.process_time() - begin, []
    for seed in SEEDS:
        begin = time.process_time()
        trace = run(algorithm, x, seed, steps=WARMUP + DRAWS)
        seconds = time.process_time() - begin
        infos = [info for info in trace.infos if not info.warmup]
        leapfrogs = np.stack([info.leapfrogs for info in infos], axis=1)
        divergent = np.stack([info.divergent for info in infos], axis=1)
        drawn = {name: draws(trace, name) for name in SITES}
        fits.append(Fit(drawn, leapfrogs, divergent, seconds))
    return Sampled(fits, compiling, float(trace.infos[0].log_density[0]))


def numpyros(x: NDArray, prior: MixturePrior, start: dict, depth: Depth) -> Sampled:
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
        num_warmup=WARMUP,
        num_samples=DRAWS,
        num_chains=CHAINS,
        chain_method=clock,
        progress_bar=False,
    )
    for seed in SEEDS:
        sampler.run(jax.random.PRNGKey(seed), x, extra_fields=("num_steps", "diverging"))
        seen = sampler.get_extra_fields(group_by_chain=True)
        drawn = sampler.get_samples(group_by_chain=True)
        fits.append(Fit(drawn, seen["num_steps"], seen["diverging"], clock.sampling))
    return Sampled(fits, clock.compiling, float(log_density(model, (x,), {}, start)[0]))


def bayesforges(x: NDArray, prior: MixturePrior, start: dict, *, shipped: bool) -> Sampled:
    """BayesForge in its own environment: our model and start, or what its recipe does, with its
    k-means for the centres of its prior and its uniform starts."""
    settings = {"k": K, "chains": CHAINS, "warmup": WARMUP, "draws": DRAWS, "seeds": SEEDS}
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("problem.npz", "draws.npz")]
        named = {f"prior_{name}": values for name, values in prior._asdict().items()}
        np.savez(files[0], x=x, shipped=shipped, **settings, **named, **start)
        script = str(Path(__file__).with_name("bayesforge_blobs.py"))
        done = subprocess.run(
            [os.environ[ENVIRONMENT], script, *files], capture_output=True, text=True
        )
        if done.returncode:
            raise ValueError(done.stderr.strip().splitlines()[-1])
        said = json.loads(done.stdout.splitlines()[-1])
        with np.load(files[1]) as drawn:
            found = dict(drawn)
    fits = [
        Fit({name: found[name][each] for name in SITES}, *(found[name][each] for name in
            ("leapfrogs", "divergent", "sampling")))
        for each in range(len(SEEDS))
    ]  # fmt: skip
    note = f"{said['version']} with NumPyro {said['numpyro']} and JAX {said['jax']}"
    if shipped:
        note += "; another model: centres within .3 of its k-means by its prior; uniform starts"
    return Sampled(fits, said["compiling"], said["log_density"], note=note)


def worth(fit: Fit, data: Blobs) -> Worth:
    """Plain NumPy and ArviZ, the same for all."""
    factors = fit.draws["scales"][..., None] * fit.draws["correlation_factors"]
    z = np.linalg.inv(factors) @ (data.x.T - fit.draws["means"][..., None])
    heights = np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1) + np.log(2 * np.pi)
    joint = np.log(fit.draws["weights"])[..., None] - heights[..., None] - 0.5 * (z**2).sum(axis=-2)
    density = logsumexp(joint, axis=-2)
    r = np.exp(joint - density[..., None, :])  # (chains, draws, K, N)
    numbers = [density.sum(axis=-1), entr(r.mean(axis=-1)).sum(axis=-1)]
    together = similarity(r.reshape(-1, *r.shape[2:]).swapaxes(1, 2))
    clusters = partition(together)
    return Worth(
        min(float(arviz.ess(each, method="bulk")) for each in numbers),
        max(float(arviz.rhat(each, method="rank")) for each in numbers),
        float(fit.seconds),
        float(fit.leapfrogs.mean()),
        int(fit.divergent.sum()),
        int(clusters.max()) + 1,
        adjusted_rand(clusters, data.labels),
    )
