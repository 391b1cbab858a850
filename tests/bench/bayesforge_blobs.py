"""Sample a Gaussian mixture with BayesForge and print, as JSON, what that took.

Usage: bayesforge_blobs.py PROBLEM.npz DRAWS.npz, with the Python of an environment that has
BayesForge 0.0.48 (its pins differ from the course's): run by mixture_nuts.py, which writes the
problem and reads the draws, (seeds, chains, draws, ...) under the names of the course's sites.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys

import numpy as np
from chains import OneAfterAnother

SHIPPED_NAMES = {
    "weights": "weights",
    "mu": "means",
    "sigma": "scales",
    "Lcorr": "correlation_factors",
}


def main(problem_file: str, draws_file: str) -> dict:
    import BayesForge
    import jax
    import jax.numpy as jnp
    import numpyro
    from BayesForge import bf
    from numpyro.infer import init_to_uniform, init_to_value
    from numpyro.infer.util import log_density

    problem = np.load(problem_file)
    k = int(problem["k"])
    m = bf(platform="cpu", print_devices_found=False)
    x = jnp.asarray(problem["x"])
    prior = {
        name.removeprefix("prior_"): problem[name] for name in problem if name.startswith("prior_")
    }
    start = {name: jnp.asarray(problem[name]) for name in SHIPPED_NAMES.values()}

    def mixture(data):
        """The course's model in BayesForge's words, with a prior that knows no k-means."""
        weights = m.dist.dirichlet(jnp.full(k, prior["concentration"]), name="weights")
        with m.dist.plate("components", k):
            means = m.dist.normal(prior["location"], prior["spread"], event=1, name="means")
            scales = m.dist.log_normal(
                jnp.log(prior["scale"]), prior["scale_spread"], event=1, name="scales"
            )
            factors = m.dist.lkj_cholesky(
                data.shape[1], prior["correlation"], name="correlation_factors"
            )
        m.dist.mixture_same_family(
            m.dist.categorical(weights, create_obj=True),
            m.dist.multivariate_normal(
                means, scale_tril=scales[..., None] * factors, create_obj=True
            ),
            name="x",
            obs=data,
        )

    shipped = bool(problem["shipped"])
    # Its own mixture finds its k-means itself: they are the centres of its prior.
    model, data = (m.gmm, {"data": x, "K": k}) if shipped else (mixture, {"data": x})
    begin = init_to_uniform if shipped else functools.partial(init_to_value, values=start)
    names = SHIPPED_NAMES if shipped else {name: name for name in start}
    clock, fits = OneAfterAnother(), []
    for seed in problem["seeds"]:
        m.data_on_model = dict(data)
        m.fit(
            model,
            num_warmup=int(problem["warmup"]),
            num_samples=int(problem["draws"]),
            num_chains=int(problem["chains"]),
            chain_method=clock,
            init_strategy=begin,
            progress_bar=False,
            seed=int(seed),
        )
        seen = m.sampler.get_extra_fields(group_by_chain=True)
        drawn = m.sampler.get_samples(group_by_chain=True)
        fits.append(
            {names[name]: np.asarray(drawn[name]) for name in names}
            | {"leapfrogs": seen["num_steps"], "divergent": seen["diverging"]}
            | {"sampling": clock.sampling}
        )
    np.savez(draws_file, **{name: np.stack([fit[name] for fit in fits]) for name in fits[0]})
    at_start = None if shipped else float(log_density(mixture, (x,), {}, start)[0])
    return {
        "compiling": clock.compiling,
        "log_density": at_start,
        "jax": jax.__version__,
        "numpyro": numpyro.__version__,
        "version": BayesForge.__version__,
    }


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # BayesForge greets, and counts devices
        found = main(*sys.argv[1:])
    print(json.dumps(found))
