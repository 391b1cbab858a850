"""BayesForge's own BNNC, sampled or asked for its clusters; what that took is printed as JSON.

Usage: bayesforge_bnnc.py PROBLEM.npz DRAWS.npz, and bayesforge_bnnc.py POSITION.npz for the
memory of its prediction; see ``bayesforge_fits.py``. Run by ``bnnc_nuts.py``, which writes the
problem and reads the draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from bayesforge_fits import answer, fit_seeds
from memory import peak, resident

NAMES = {
    "global_pi": "weights",
    "mu": "means",
    "sigma": "scales",
    "w1_weight": "hidden_weights",
    "w2_weight": "output_weights",
}


def main(*files: str) -> dict:
    return sample(*files) if len(files) == 2 else predict(*files)


def sample(problem_file: str, draws_file: str) -> dict:
    import jax.numpy as jnp
    import numpyro.distributions as distributions
    from BayesForge import bf
    from numpyro.infer.util import log_density
    from numpyro.primitives import Messenger

    class Concentration(Messenger):
        """Its model with the page's α/K, where the package itself has .05."""

        def process_message(self, message: dict) -> None:
            if message["type"] == "sample" and message["name"] == "global_pi":
                a = jnp.full(int(problem["k"]), problem["concentration"])
                message["fn"] = distributions.Dirichlet(a)

    problem = np.load(problem_file)
    m = bf(platform="cpu", print_devices_found=False)
    data = {
        "data": jnp.asarray(problem["x"]),
        "K": int(problem["k"]),
        "D_H1": int(problem["hidden"]),
        "empirical_bayes": bool(problem["empirical"]),
    }

    def model(**data: Any) -> None:
        with Concentration():
            m.models.bnnc(**data)

    place = {theirs: jnp.asarray(problem[ours]) for theirs, ours in NAMES.items()}
    start = place if problem["started"] else None
    return {
        "compiling": fit_seeds(m, model, data, problem, NAMES, start, draws_file),
        "log_density": float(log_density(model, (), data, place)[0]),
    }


def predict(position_file: str) -> dict:
    """Its consensus clusters of the draws in the file, and the memory that finding them took."""
    import jax.numpy as jnp
    from BayesForge import bf

    m = bf(platform="cpu", print_devices_found=False)
    given = np.load(position_file)
    drawn = {
        theirs: jnp.asarray(given[ours])
        for theirs, ours in {"theta": "gate", "mu": "means", "sigma": "scales"}.items()
    }
    x = jnp.asarray(given["x"])

    class Sampler:
        """All that its prediction asks of a sampler."""

        def get_samples(self, group_by_chain: bool) -> dict:
            return drawn

    before = resident()
    labels = m.models.bnnc.predict(x, Sampler())[-1]
    return {"before": before, "peak": peak(), "labels": np.asarray(labels).tolist()}


if __name__ == "__main__":
    answer(main)
