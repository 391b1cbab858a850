"""Sample a Gaussian mixture with BayesForge and print, as JSON, what that took.

Usage: bayesforge_blobs.py PROBLEM.npz DRAWS.npz; see ``bayesforge_fits.py``. Run by
``mixture_nuts.py``, which writes the problem and reads the draws.
"""

from __future__ import annotations

import numpy as np
from bayesforge_fits import answer, fit_seeds

SHIPPED_NAMES = {
    "weights": "weights",
    "mu": "means",
    "sigma": "scales",
    "Lcorr": "correlation_factors",
}


def main(problem_file: str, draws_file: str) -> dict:
    import jax.numpy as jnp
    from BayesForge import bf
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

    if problem["shipped"]:
        # Its own mixture finds its k-means itself: they are the centres of its prior.
        data = {"data": x, "K": k}
        return {
            "compiling": fit_seeds(m, m.gmm, data, problem, SHIPPED_NAMES, None, draws_file),
            "log_density": None,
        }
    names = {name: name for name in start}
    return {
        "compiling": fit_seeds(m, mixture, {"data": x}, problem, names, start, draws_file),
        "log_density": float(log_density(mixture, (x,), {}, start)[0]),
    }


if __name__ == "__main__":
    answer(main)
