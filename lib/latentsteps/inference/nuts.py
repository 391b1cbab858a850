"""NUTS as a sequence of states: NumPyro's sampler, one visible step at a time.

The No-U-Turn sampler (Hoffman & Gelman 2014, "The No-U-Turn sampler", *Journal of Machine Learning
Research* 15, 1593–1623) draws from the posterior of a NumPyro model. Everything that matters is
NumPyro's: the tree of leapfrog steps, the adaptation of step size and mass during the warm-up.
Here it is made an :class:`latentsteps.trace.Algorithm`, so that a draw can be looked at, and gone
back to, before the next one is made.

A step is compiled once for a model, its settings and the shapes of its data. The data and the seed
are arguments of what was compiled, so another seed, another start or other numbers of the same
shapes begin at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.inference.nuts_compiled import TRIES, sampler, shapes
from latentsteps.trace import Algorithm, Data, Key, Trace

Start = Callable[[Key, Data, int], Mapping[str, ArrayLike]]
"""``(key, data, chain) -> values``, constrained, for all of the model's sites or some of them."""


class NUTSState(NamedTuple):
    """Where all chains are."""

    position: dict[str, NDArray]
    """The draw: for each site of the model its value in every chain, (chains, ...)."""
    kernel: Any
    """What the sampler carries on: NumPyro's ``HMCState``, a leading axis of chains on all of it.
    Its ``z`` (chains, parameters) is the draw without constraints, in one row."""


class NUTSInfo(NamedTuple):
    """What is worth looking at after a step; arrays are (chains,)."""

    objective: float
    """Mean over chains of ``log_density``."""
    log_density: NDArray[np.float64]
    """log p(data, parameters) in nats, as the model is written: no Jacobian in it."""
    acceptance: NDArray[np.float64]
    """Mean acceptance probability along the trajectory, what the step size is adapted to."""
    leapfrogs: NDArray[np.int64]
    """Gradients that this draw took."""
    divergent: NDArray[np.bool_]
    """Whether the trajectory's energy was off by more than 1000 nats."""
    step_size: NDArray[np.float64]
    """Of the leapfrogs that led here; at the start, of the first that will be taken."""
    warmup: bool
    """Whether this state belongs to the warm-up (the start does): not a draw to count."""


def nuts(
    model: Callable[[Any], Any],
    *,
    chains: int = 2,
    warmup: int = 300,
    start: Start | None = None,
    max_tree_depth: int | tuple[int, int] = 10,
    target_acceptance: float = 0.8,
    dense_mass: bool = False,
    name: str = "NUTS",
) -> Algorithm:
    """The No-U-Turn sampler for a NumPyro model, as an algorithm.

    States are :class:`NUTSState`: one draw of every chain. States 0 to ``warmup`` are not to be
    counted; :func:`draws` leaves them out. The objective goes neither up nor down for good.

    Parameters
    ----------
    model: ``model(data)`` with NumPyro's ``sample`` statements, none of them discrete unless
        observed (sum those out). ``data`` are arrays in any nesting of tuples and dicts. Compiled
        steps are kept with the function itself: the same function is not compiled twice.
    chains: how many, each on its own random numbers; one after another within a step.
    warmup: steps during which step size and mass are adapted.
    start: where chains begin: ``(key, data, chain) -> values``, constrained, by the names of the
        sites. What is not among them, and everything without a ``start``, is drawn as NumPyro does
        it: evenly from −2 to 2 for each unconstrained parameter, again where that has density 0.
    max_tree_depth: a draw takes at most 2^depth − 1 leapfrogs; or (depth in the warm-up, depth
        after it): a shallow warm-up is cheaper, since most of its leapfrogs are taken before the
        mass is known.
    target_acceptance: nearer to 1 for smaller steps.
    dense_mass: a full mass matrix instead of one scale for each parameter.

    Raises
    ------
    ValueError: for arguments out of range. Once there are data: for a discrete site, a start that
        names no site of the model or has another shape or density 0, a model without any valid
        start among 100 even draws. In a step: for a state that did not come from this algorithm's
        own start on such data.
    """
    depths = max_tree_depth if isinstance(max_tree_depth, tuple) else (max_tree_depth,) * 2
    _check(chains, warmup, depths, target_acceptance)
    compiled = sampler(model, chains, warmup, depths, target_acceptance, dense_mass)

    def as_state(kernel: Any, seen: tuple, t: int) -> tuple[NUTSState, NUTSInfo]:
        from latentsteps.jax64 import jax

        position, log_density, acceptance, count, wrong, size = jax.device_get(seen)
        mean = float(log_density.mean())
        info = NUTSInfo(mean, log_density, acceptance, count, wrong, size, t <= warmup)
        return NUTSState(position, kernel), info

    def init(key: Key, data: Data) -> tuple[NUTSState, NUTSInfo]:
        given = [] if start is None else [start(key, data, chain) for chain in range(chains)]
        values = [{site: np.asarray(value) for site, value in one.items()} for one in given]
        if len({frozenset(value) for value in values}) > 1:
            raise ValueError("the chains' starts name different sites; all chains name the same")
        stacked = {
            site: np.stack([value[site] for value in values]) for site in next(iter(values), ())
        }
        kernel, valid, seen = compiled.begin(key[0], data, stacked)
        if not np.all(valid):
            where = "the start" if stacked else f"each of {TRIES} starts between −2 and 2"
            raise ValueError(
                f"{where} has density 0, or no finite gradient, in chain {np.argmin(valid)}: start "
                "inside the support of every prior (weights of exactly 0 or scales of 0 are not)"
            )
        compiled.known[shapes(data)] = shapes(kernel)
        return as_state(kernel, seen, 0)

    def step(key: Key, state: NUTSState, data: Data) -> tuple[NUTSState, NUTSInfo]:
        own = isinstance(state, NUTSState) and compiled.known.get(shapes(data))
        # NumPy first: taking one entry of a JAX array costs as much as a short trajectory.
        if not own or own != shapes(state.kernel) or np.asarray(state.kernel.i)[0] != key[1] - 1:
            raise ValueError(
                f"step {key[1]} of {name} goes on from its own state {key[1] - 1} on the same data "
                "and with the same settings; this state is another. Begin with init, or run"
            )
        kernel, seen = compiled.step(key[0], key[1], state.kernel, data)
        return as_state(kernel, seen, key[1])

    return Algorithm(init, step, name)


def draws(trace: Trace, name: str) -> NDArray:
    """The draws of one site after the warm-up, (chains, draws, ...).

    Raises ValueError where there are none yet, and for a name that the model does not have.
    """
    return _drawn(trace)[0](name)


def all_draws(trace: Trace) -> dict[str, NDArray]:
    """The draws of every site after the warm-up: a position with the axes (chains, draws)."""
    site, _ = _drawn(trace)
    return {name: site(name) for name in trace[-1].position}


def to_arviz(trace: Trace) -> Any:
    """The draws after the warm-up as ArviZ's ``InferenceData``: posterior and sample statistics."""
    from latentsteps.arviz_quiet import arviz

    site, infos = _drawn(trace)
    statistics: dict[str, list[Any]] = {
        "lp": [info.log_density for info in infos],
        "acceptance_rate": [info.acceptance for info in infos],
        "n_steps": [info.leapfrogs for info in infos],
        "diverging": [info.divergent for info in infos],
        "step_size": [info.step_size for info in infos],
    }
    return arviz.from_dict(
        posterior={name: site(name) for name in trace[-1].position},
        sample_stats={name: np.stack(values, axis=1) for name, values in statistics.items()},
    )


def _drawn(trace: Trace) -> tuple[Callable[[str], NDArray], list[NUTSInfo]]:
    """A function from a site's name to its draws, and their infos."""
    if not isinstance(trace[0], NUTSState):
        raise ValueError(f"this is a trace of {trace.algorithm.name}; draws are those of NUTS")
    first = next((t for t, info in enumerate(trace.infos) if not info.warmup), None)
    if first is None:
        raise ValueError(
            f"all {len(trace)} states are of the warm-up; run more steps than it is long"
        )
    positions = [trace[t].position for t in range(first, len(trace))]

    def site(name: str) -> NDArray:
        if name not in positions[0]:
            raise ValueError(f"no site is called {name!r}; there are {', '.join(positions[0])}")
        return np.stack([position[name] for position in positions], axis=1)

    return site, trace.infos[first:]


def _check(chains: int, warmup: int, depths: tuple, target_acceptance: float) -> None:
    if chains < 1 or warmup < 1:
        raise ValueError(f"chains is {chains} and warmup {warmup}; both are 1 or more")
    if len(depths) != 2 or not all(1 <= depth <= 15 for depth in depths):
        raise ValueError(
            f"max_tree_depth is {depths}; it is 1 to 15, or two such numbers: in and after warm-up"
        )
    if not 0 < target_acceptance < 1:
        raise ValueError(f"target_acceptance is {target_acceptance}; it lies between 0 and 1")
