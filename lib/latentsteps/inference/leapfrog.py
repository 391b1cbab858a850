"""Two samplers for the eye: Metropolis' random walk, and Hamilton's ball, leapfrog by leapfrog.

A density is a landscape, its potential energy U = −log p: valleys where p is large. *Metropolis*
jumps blindly and asks afterwards whether to stay. *Hamilton* pushes a ball, momentum p ~ N(0, I),
and lets it roll; its energy H = U + ½ p·p would stay as it is if the computer rolled it exactly,
and the leapfrog's small error is paid for by the same question. (Neal 2011, "MCMC using Hamiltonian
dynamics", *Handbook of Markov Chain Monte Carlo*, sections 5.2 and 5.3.)

Everything here is plain NumPy and slow on purpose: each leapfrog step is a state to look at.
Samplers for use are in :mod:`latentsteps.inference.nuts`. Energies are in nats.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.inference import moves
from latentsteps.inference.moves import DECIDED, LEAPFROG, START, Density, Gradient
from latentsteps.trace import Algorithm, Data, Key

LogDensity = Callable[[Any], Any]


class MetropolisState(NamedTuple):
    """Where Metropolis' chains stand, and the proposal that was decided on last."""

    position: NDArray[np.float64]
    """The chains' present draws, (chains, D)."""
    path: NDArray[np.float64]
    """Where each was and where it would go, (2, chains, D); at the start only the first."""
    energy: NDArray[np.float64]
    """−log density along the path, (n, chains)."""
    phase: int


class HamiltonianState(NamedTuple):
    """Where Hamilton's chains stand, and the balls that are on their way from there."""

    position: NDArray[np.float64]
    """The chains' present draws, (chains, D): they change at a move's end only."""
    path: NDArray[np.float64]
    """The balls since the push, (n, chains, D); the first row is where they began."""
    momentum: NDArray[np.float64]
    """Their momenta along the path, (n, chains, D)."""
    energy: NDArray[np.float64]
    """H along the path, (n, chains). Of state 0, which has no push, −log density."""
    phase: int
    leapfrogs: int
    """How many leapfrog steps a move has."""


def leapfrog(
    position: ArrayLike, momentum: ArrayLike, gradient: Gradient, step_size: float, steps: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Roll a ball of unit mass for ``steps`` leapfrog steps: half a kick, move, half a kick.

    Parameters
    ----------
    position, momentum: (..., D).
    gradient: of the log density, (..., D) to (..., D): the force on the ball.
    step_size: the time a step takes; a negative one rolls back.
    steps: one or more. Two half kicks in a row are one whole.

    Returns position and momentum at the end. Source: Neal (2011), section 5.2.3
    (equations 2.28–2.30 of arXiv:1206.1901).
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; a ball rolls for 1 step or more")
    place = np.asarray(position, dtype=np.float64)
    push = np.asarray(momentum, dtype=np.float64) + 0.5 * step_size * gradient(place)
    for step in range(steps):
        place = place + step_size * push
        kick = 1.0 if step < steps - 1 else 0.5
        push = push + kick * step_size * gradient(place)
    return place, push


def metropolis_step(
    here: Any,
    there: Any,
    log_density: LogDensity,
    log_proposal: Callable[[Any, Any], Any],
    u: float,
) -> Any:
    """Go ``there``, or stay ``here``: the next position of one chain.

    Parameters
    ----------
    here, there: positions of any kind; the one that is returned is the very object.
    log_density: up to a constant; −∞ where nothing may be.
    log_proposal: ``(to, start)``, the log density of proposing ``to`` from ``start``.
    u: uniform on (0, 1]. ``there`` is taken if
        u ≤ p(there) q(here | there) / p(here) q(there | here).

    Where the ratio is no number (both densities are 0, or one is NaN) the chain stays.
    Source: Hastings (1970), "Monte Carlo sampling methods using Markov chains and their
    applications", *Biometrika* 57, 97–109.
    """
    with np.errstate(invalid="ignore"):
        gain = np.subtract(log_density(there), log_density(here))
        asymmetry = np.subtract(log_proposal(here, there), log_proposal(there, here))
        return there if np.log(u) <= gain + asymmetry else here


def metropolis(
    density: Density,
    start: ArrayLike,
    *,
    scale: float,
    accept: Callable[..., Any] = metropolis_step,
) -> Algorithm:
    """Random-walk Metropolis: every state is a proposal of each chain, and what became of it.

    The proposal is the present draw plus normal noise. Data are not looked at: the density has
    them inside.

    Parameters
    ----------
    density: what is sampled from.
    start: where the chains begin, (chains, D).
    scale: the noise's standard deviation in every direction.
    accept: :func:`metropolis_step`, or a learner's own. What it returns is the new draw, right
        or wrong; it is called for one chain at a time, on read-only arrays (D,).
    """
    begin = moves.starts(density, start)
    moves.demand_positive("scale", scale)

    def init(key: Key, data: Data) -> tuple:
        state = MetropolisState(begin, begin[None], moves.potential(density, begin)[None], START)
        return state, moves.move_info(density, state)

    def step(key: Key, state: MetropolisState, data: Data) -> tuple:
        random = np.random.default_rng(key)
        here = state.position
        there = here + scale * random.normal(size=here.shape)
        u = 1.0 - random.uniform(size=len(here))  # (0, 1]: its logarithm is finite

        def log_proposal(to: NDArray, start: NDArray) -> float:
            return -0.5 * float(np.sum((np.asarray(to) - start) ** 2)) / scale**2

        with np.errstate(all="ignore"):
            chosen = [
                accept(*map(moves.read_only, pair), density.log_density, log_proposal, float(limit))
                for *pair, limit in zip(here, there, u, strict=True)
            ]
        position = moves.per_chain(
            chosen, here.shape, "the Metropolis step", "the next position, (D,)"
        )
        path = np.stack([here, there])
        state = MetropolisState(position, path, moves.potential(density, path), DECIDED)
        return state, moves.move_info(density, state, u)

    return Algorithm(init, step, "Metropolis")


def hamiltonian(
    density: Density,
    start: ArrayLike,
    *,
    step_size: float,
    leapfrogs: int,
    integrator: Callable[..., Any] = leapfrog,
    each_leapfrog: bool = True,
) -> Algorithm:
    """Hamiltonian Monte Carlo with the path in plain sight.

    A move is a push (fresh momenta), ``leapfrogs`` steps, and the decision. Data are not looked
    at: the density has them inside.

    Parameters
    ----------
    density: what is sampled from.
    start: where the chains begin, (chains, D).
    step_size, leapfrogs: of a move. A ball that rolls for a whole period of a valley, 2π times its
        standard deviation, comes back to where it was, and for half of one, to the mirror image.
    integrator: :func:`leapfrog`, or a learner's own with its five arguments. It is called for one
        step of one chain at a time, on read-only arrays (D,). Where it returns NaN, or an energy
        that is none, the move is rejected.
    each_leapfrog: make every leapfrog step a state, and the decision one more. Otherwise a state
        is a whole move, for many draws.
    """
    begin = moves.starts(density, start)
    moves.demand_positive("step_size", step_size)
    if leapfrogs < 1:
        raise ValueError(f"leapfrogs is {leapfrogs}; a move has 1 or more")

    def init(key: Key, data: Data) -> tuple:
        energy, still = moves.potential(density, begin)[None], np.zeros_like(begin)[None]
        state = HamiltonianState(begin, begin[None], still, energy, START, leapfrogs)
        return state, moves.move_info(density, state)

    def push(state: HamiltonianState, random: np.random.Generator) -> HamiltonianState:
        path, momentum = state.position[None], random.normal(size=state.position.shape)[None]
        energy = moves.potential(density, path) + _kinetic(momentum)
        return state._replace(path=path, momentum=momentum, energy=energy)

    def one_leapfrog(state: HamiltonianState) -> HamiltonianState:
        now = zip(state.path[-1], state.momentum[-1], strict=True)
        with np.errstate(all="ignore"):
            ends = [
                integrator(*map(moves.read_only, pair), density.gradient, step_size, 1)
                for pair in now
            ]
            shape = (len(ends), 2, begin.shape[1])
            both = moves.per_chain(ends, shape, "the leapfrog", "position and momentum, each (D,)")
            place, momentum = both[:, 0], both[:, 1]
            energy = moves.potential(density, place) + _kinetic(momentum)
        return state._replace(
            path=np.concatenate([state.path, place[None]]),
            momentum=np.concatenate([state.momentum, momentum[None]]),
            energy=np.concatenate([state.energy, energy[None]]),
            phase=LEAPFROG,
        )

    def decide(state: HamiltonianState, random: np.random.Generator) -> tuple:
        u = 1.0 - random.uniform(size=len(state.position))
        # Pushed back with the end's momentum turned round, the ball would come here: symmetric.
        taken = [
            metropolis_step(0, -1, partial(np.take, -energies), lambda to, start: 0.0, limit)
            for energies, limit in zip(state.energy.T, u, strict=True)
        ]
        position = state.path[taken, np.arange(len(taken))]
        state = state._replace(position=position, phase=DECIDED)
        return state, moves.move_info(density, state, u)

    def step(key: Key, state: HamiltonianState, data: Data) -> tuple:
        random = np.random.default_rng(key)
        if state.phase != LEAPFROG:
            state = push(state, random)
        elif len(state.path) > leapfrogs:
            return decide(state, random)
        state = one_leapfrog(state)
        if each_leapfrog:
            return state, moves.move_info(density, state)
        while len(state.path) <= leapfrogs:
            state = one_leapfrog(state)
        return decide(state, random)

    return Algorithm(init, step, "Hamiltonian Monte Carlo")


def _kinetic(momentum: NDArray) -> NDArray[np.float64]:
    return 0.5 * (momentum**2).sum(axis=-1)
