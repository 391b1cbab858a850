"""What the scripts that run BayesForge share: fits on one clock, and an answer in JSON.

They run with the Python of an environment that has BayesForge 0.0.48 (its pins differ from the
course's), and import nothing of the course. ``effective.py`` starts them.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from chains import OneAfterAnother


def answer(work: Callable[..., dict]) -> None:
    """Call it with the command line's arguments, and print what it found, alone on stdout."""
    with contextlib.redirect_stdout(sys.stderr):  # BayesForge greets, warns, and counts devices
        import BayesForge
        import jax
        import numpyro

        found = work(*sys.argv[1:])
    versions = {
        "version": BayesForge.__version__,
        "numpyro": numpyro.__version__,
        "jax": jax.__version__,
    }
    print(json.dumps(found | versions))


def fit_seeds(
    m: Any,
    model: Callable,
    data: Mapping[str, Any],
    problem: Mapping[str, Any],
    names: Mapping[str, str],
    start: dict | None,
    draws_file: str,
) -> float:
    """One fit for each of the problem's seeds, and the CPU seconds that compiling took.

    All chains begin at ``start``, constrained, or without one as BayesForge has it: evenly from −2
    to 2 for each unconstrained parameter. The draws, (seeds, chains, draws, ...), go to the file,
    each site under the name that ``names`` has for it.
    """
    from numpyro.infer import init_to_uniform, init_to_value

    begin = init_to_uniform if start is None else functools.partial(init_to_value, values=start)
    clock, fits = OneAfterAnother(), []
    depths = tuple(int(depth) for depth in problem["depths"])
    for seed in problem["seeds"]:
        m.data_on_model = dict(data)
        m.fit(
            model,
            num_warmup=int(problem["warmup"]),
            num_samples=int(problem["draws"]),
            num_chains=int(problem["chains"]),
            max_tree_depth=depths,
            chain_method=clock,
            init_strategy=begin,
            progress_bar=False,
            seed=int(seed),
        )
        seen = m.sampler.get_extra_fields(group_by_chain=True)
        drawn = m.sampler.get_samples(group_by_chain=True)
        fits.append(
            {ours: np.asarray(drawn[theirs]) for theirs, ours in names.items()}
            | {"leapfrogs": seen["num_steps"], "divergent": seen["diverging"]}
            | {"sampling": clock.sampling}
        )
    np.savez(draws_file, **{name: np.stack([fit[name] for fit in fits]) for name in fits[0]})
    return clock.compiling
