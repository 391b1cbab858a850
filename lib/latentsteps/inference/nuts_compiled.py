"""NumPyro's NUTS kernel, compiled once for a model, its settings and the shapes of its data.

What :mod:`latentsteps.inference.nuts` runs. NumPyro's own ``MCMC`` compiles again for every run,
and runs to the end; here the kernel's two halves, the start and the step, are functions whose
arguments are the seed, the data and, for the step, the state.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

TRIES = 100
"""How often a start is drawn anew where it has density 0."""


class Compiled(NamedTuple):
    """A model's sampler: functions that are compiled at their first call, one pair a shape."""

    begin: Callable
    step: Callable
    known: dict
    """For each shape of the data that ``begin`` was called with, the shape of its states."""


def shapes(tree: Any) -> tuple:
    """The nesting of arrays, and their shapes and types: what a compiled function depends on."""
    from latentsteps.jax64 import jax

    leaves, nesting = jax.tree.flatten(tree)
    return nesting, tuple((np.shape(leaf), getattr(leaf, "dtype", type(leaf))) for leaf in leaves)


@functools.lru_cache(maxsize=64)
def sampler(
    model: Callable,
    chains: int,
    warmup: int,
    depths: tuple[int, int],
    target_acceptance: float,
    dense_mass: bool,
) -> Compiled:
    """The sampler for a model and settings; asked for the same again, the same."""
    # Imported when a model is sampled from, not with the library: they take seconds.
    from jax.flatten_util import ravel_pytree
    from numpyro.distributions import biject_to
    from numpyro.handlers import seed, substitute, trace
    from numpyro.infer.hmc import hmc
    from numpyro.infer.initialization import init_to_feasible
    from numpyro.infer.util import ParamInfo, constrain_fn, log_density, potential_energy

    from latentsteps.jax64 import jax, jnp

    def layout(data: Any) -> tuple[dict, dict]:
        """Each site's value, anywhere in its support, and the transform that leads there. It runs
        while a function is being compiled, not when the function runs."""
        # Nothing is drawn for it: compiling a Dirichlet's draw takes longer than all the rest.
        anywhere = substitute(seed(model, 0), substitute_fn=init_to_feasible)
        values, transforms = {}, {}
        for name, site in trace(anywhere).get_trace(data).items():
            if site["type"] == "sample" and not site["is_observed"]:
                if site["fn"].support.is_discrete:
                    raise ValueError(f"{name!r} is discrete, and NUTS needs gradients: sum it out")
                values[name], transforms[name] = site["value"], biject_to(site["fn"].support)
        return values, transforms

    def unconstrained(values: dict, transforms: dict) -> dict:
        return {name: transforms[name].inv(value) for name, value in values.items()}

    def by_name(z: Any, data: Any) -> dict:
        return ravel_pytree(unconstrained(*layout(data)))[1](z)

    def potential(data: Any) -> Callable:
        return lambda z: potential_energy(model, (data,), {}, by_name(z, data))

    init_kernel, sample_kernel = hmc(potential_fn_gen=potential, algo="NUTS")

    def random_key(run_seed: Any, t: Any, chain: Any) -> Any:
        key = jax.random.fold_in(jax.random.PRNGKey(run_seed), t)
        return jax.random.fold_in(key, chain)

    def look(kernel: Any, step_size: Any, data: Any) -> tuple:
        position = constrain_fn(model, (data,), {}, by_name(kernel.z, data))
        density = log_density(model, (data,), {}, position)[0]
        count, wrong = kernel.num_steps, kernel.diverging
        return position, density, kernel.accept_prob, count, wrong, step_size

    def begin(run_seed: Any, data: Any, starts: dict) -> tuple:
        values, transforms = layout(data)
        for name, value in starts.items():
            shapes = {site: jnp.shape(value) for site, value in values.items()}
            if value.shape[1:] != shapes.get(name):
                raise ValueError(
                    f"the start gives {name!r} in the shape {value.shape[1:]}; the model's sites "
                    f"are {', '.join(f'{site} {shape}' for site, shape in shapes.items())}"
                )
        anywhere = unconstrained(values, transforms)
        given = ravel_pytree(
            {site: jnp.full(jnp.shape(z), site in starts) for site, z in anywhere.items()}
        )[0]
        energy_and_gradient = jax.value_and_grad(potential(data))

        def one(arguments: tuple) -> tuple:
            chain, start = arguments
            first, second = jax.random.split(random_key(run_seed, 0, chain))
            fixed = ravel_pytree(anywhere | unconstrained(start, transforms))[0]

            def invalid(tried: tuple) -> Any:
                count, _, energy, gradient = tried
                return (count < TRIES) & ~(jnp.isfinite(energy) & jnp.isfinite(gradient).all())

            def attempt(tried: tuple) -> tuple:
                count = tried[0]
                key = jax.random.fold_in(first, count)
                drawn = jax.random.uniform(key, fixed.shape, minval=-2.0, maxval=2.0)
                z = jnp.where(given, fixed, drawn)
                return count + 1, z, *energy_and_gradient(z)

            nothing = (0, fixed, jnp.inf, jnp.zeros_like(fixed))
            tried = jax.lax.while_loop(invalid, attempt, nothing)
            kernel = init_kernel(
                ParamInfo(*tried[1:]),
                num_warmup=warmup,
                max_tree_depth=depths,
                target_accept_prob=target_acceptance,
                dense_mass=dense_mass,
                model_args=(data,),
                rng_key=second,
            )
            return (
                kernel,
                ~invalid((0, *tried[1:])),
                look(kernel, kernel.adapt_state.step_size, data),
            )

        return jax.lax.map(one, (jnp.arange(chains), starts))

    def step(run_seed: Any, t: Any, kernel: Any, data: Any) -> tuple:
        def one(arguments: tuple) -> tuple:
            chain, old = arguments
            # Of NumPyro's own chain of keys nothing is used: the key is that of the state's number.
            old = old._replace(rng_key=random_key(run_seed, t, chain))
            new = sample_kernel(old, model_args=(data,))
            return new, look(new, old.adapt_state.step_size, data)

        # One after another: a chain's draws do not depend on how many others there are. Side by
        # side (vmap) is no faster for two chains, and all would wait for the deepest tree.
        return jax.lax.map(one, (jnp.arange(chains), kernel))

    return Compiled(jax.jit(begin), jax.jit(step), {})
