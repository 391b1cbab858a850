"""What Metropolis and Hamilton share: the landscape, what is worth looking at in a move, and draws.

A density is a landscape, its potential energy U = −log p: valleys where p is large. A move begins
at a chain's present draw, ends somewhere, and is decided on: up to a rise in energy that is drawn
by chance its end is the next draw, otherwise the old draw counts again. Energies are in nats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.trace import Trace

START, LEAPFROG, DECIDED = 0, 1, 2
"""What came last: nothing yet, a leapfrog step, or the decision at a move's end."""

Window = tuple[tuple[float, float], tuple[float, float]]
Gradient = Callable[[NDArray], NDArray]


class Density(NamedTuple):
    """What is sampled from: a log density, up to a constant, and its gradient."""

    log_density: Callable[[NDArray], NDArray]
    """(..., D) to (...), in nats."""
    gradient: Gradient
    """Of the log density: (..., D) to (..., D)."""
    name: str
    window: Window = ((-4.0, 4.0), (-4.0, 4.0))
    """The part of the plane worth a picture: the range of either coordinate."""
    coordinates: tuple[str, str] = ("x₁", "x₂")
    """What the coordinates are called."""
    exchangeable: bool = False
    """Whether swapping the two names changes nothing: then no draw can say which is which."""


class MoveInfo(NamedTuple):
    """What is worth looking at in a state of either sampler."""

    objective: float
    """Log density at the present draws, mean over chains, in nats."""
    phase: int
    density: Density
    """What is sampled from, for pictures."""
    position: NDArray[np.float64]
    """The present draws again, (chains, D): of a long run all infos are kept, not all states."""
    log_density: NDArray[np.float64]
    """The same for each chain, (chains,)."""
    rise: NDArray[np.float64]
    """How much higher the path's end is than its beginning, in nats, (chains,)."""
    allowed: NDArray[np.float64]
    """The rise, −log u, up to which the end is accepted, (chains,); NaN before the decision."""
    accepted: NDArray[np.bool_]
    """Whether the chain is now at its path's end, (chains,); False before the decision."""


def draws(trace: Trace, last: int | None = None) -> NDArray[np.float64]:
    """All draws of a trace, (chains, draws, D), one for each decision, up to state ``last``.

    The start is none of them. A rejected move is: the point where the chain stayed counts again.
    """
    infos = trace.infos[: None if last is None else last + 1]
    decided = [info.position for info in infos if info.phase == DECIDED]
    chains, dimensions = trace.infos[0].position.shape
    return np.stack(decided, axis=1) if decided else np.empty((chains, 0, dimensions))


def potential(density: Density, position: NDArray) -> NDArray[np.float64]:
    """−log density, (..., D) to (...)."""
    with np.errstate(all="ignore"):  # far out a density may be 0, and a learner's point NaN
        return -np.asarray(density.log_density(position), dtype=np.float64)


def move_info(density: Density, state: Any, u: NDArray | None = None) -> MoveInfo:
    """The info of a state with ``position``, ``path``, ``energy`` and ``phase``; ``u``: what was
    drawn for the decision, (chains,), if there was one."""
    log_density = -potential(density, state.position)
    with np.errstate(invalid="ignore"):
        rise = state.energy[-1] - state.energy[0]
    if u is None:
        allowed, accepted = np.full(len(rise), np.nan), np.zeros(len(rise), dtype=bool)
    else:
        allowed, accepted = -np.log(u), (state.position == state.path[-1]).all(axis=-1)
    objective = float(log_density.mean())
    here = state.position
    return MoveInfo(objective, state.phase, density, here, log_density, rise, allowed, accepted)


def per_chain(values: list, shape: tuple[int, ...], who: str, what: str) -> NDArray[np.float64]:
    """What a function returned for each chain as one array of that shape, or an error in words."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):  # no numbers, or rows of different lengths
        array = np.empty(0)
    if array.shape != shape:
        first = values[0]
        kind = f"an array {first.shape}" if isinstance(first, np.ndarray) else type(first).__name__
        got = "nothing (None)" if first is None else kind
        raise ValueError(f"{who} returned {got}; it returns {what}, with D = {shape[-1]}")
    return array


def starts(density: Density, start: ArrayLike) -> NDArray[np.float64]:
    """The starts as an array (chains, D) that the density takes; ValueError for others."""
    points = np.array(start, dtype=np.float64)
    if points.ndim != 2 or 0 in points.shape or not np.isfinite(points).all():
        raise ValueError(
            f"start has shape {points.shape}; it is an array (chains, D) of finite numbers, "
            "a row for each chain"
        )
    found = np.shape(potential(density, points))
    if found != (len(points),):
        raise ValueError(
            f"the log density of {len(points)} starts has shape {found}; it takes (..., D) to (...)"
        )
    return points


def demand_positive(name: str, value: float) -> None:
    """ValueError unless it is."""
    if not (value > 0 and np.isfinite(value)):
        raise ValueError(f"{name} is {value}; it is a positive number")


def read_only(array: NDArray) -> NDArray:
    """The same numbers, which nobody can write to through this."""
    view = array.view()
    view.flags.writeable = False
    return view
