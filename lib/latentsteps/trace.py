"""Inference as a sequence of states: what an algorithm is, and the record of a run.

An :class:`Algorithm` is a first state and a rule for the next one. A :class:`Trace` holds what
came out, state 0 included, and can go one step further. :func:`run` is a plain loop over that
step, and the stepper in a notebook takes the very same one: what is seen there is what is run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

Key = tuple[int, int]
"""``(seed, t)``: the run's seed and the step's number. Two ints, so that no library has to be
loaded to seed another; each adapter derives its own, ``numpy.random.default_rng(key)`` say."""

Data = Any
State = Any
Info = Any
StoppingRule = Callable[[NDArray[np.float64]], str | None]
"""Given the objective after each state so far, the reason to stop, or None to go on."""


class Algorithm(NamedTuple):
    """An iterative inference algorithm: a first state, and the rule for the next one.

    ``init(key, data)`` and ``step(key, state, data)`` both return ``(state, info)``. The *state*
    is what must be carried on, the *info* what is worth looking at; both are NamedTuples, and an
    info has a field ``objective`` that belongs to the state returned with it.
    """

    init: Callable[[Key, Data], tuple[State, Info]]
    step: Callable[[Key, State, Data], tuple[State, Info]]
    name: str
    direction: str = "none"
    """``"up"``: the objective must not fall. ``"down"``: it must not rise. ``"none"``: neither."""
    rounding: float = 1e-9
    """How far, relative to its size, the objective may slip the wrong way by rounding alone."""


class Moment(NamedTuple):
    """One state of a trace with all that a picture or a sentence about it may need."""

    name: str
    t: int
    """The state's number; 0 is the start."""
    state: State
    info: Info
    objective: NDArray[np.float64]
    """The objective of states 0 to ``t``, shape (t + 1,)."""
    data: Data


class Trace:
    """The states and infos of one run, in order, state 0 included.

    Every info is kept. States are kept up to ``memory`` bytes; beyond that only every second,
    fourth, ... one stays, and the others are computed again when asked for, from the nearest kept
    state before: the same bits, because a step depends on nothing but its key, state and data.
    NumPy arrays in states and data are set read-only, so no step can rewrite history.

    Parameters
    ----------
    algorithm: what is run.
    data: what it is run on, handed to every step as it is.
    seed: the first half of every step's key.
    memory: bytes that kept states may take, 256 MB by default.
    """

    def __init__(
        self, algorithm: Algorithm, data: Data, seed: int = 0, memory: int = 256_000_000
    ) -> None:
        if memory <= 0:
            raise ValueError(f"memory is {memory}; it is a positive number of bytes")
        if algorithm.direction not in ("up", "down", "none"):
            raise ValueError(f"direction is {algorithm.direction!r}; it is 'up', 'down' or 'none'")
        self.algorithm = algorithm
        self.data = _map_arrays(_read_only_view, data)
        self.seed = int(seed)
        self.memory = memory
        self.infos: list[Info] = []
        self.stopped = ""
        """Why :func:`run` stopped, in words; empty for a trace that was stepped by hand."""
        self._kept: dict[int, State] = {}
        self._stride = 1
        state, info = algorithm.init((self.seed, 0), self.data)
        self._append(state, info)

    def advance(self) -> None:
        """Take one step and append what comes out. If the step raises, nothing is appended."""
        state, info = self.algorithm.step((self.seed, len(self)), self._last, self.data)
        self._append(state, info)

    def __len__(self) -> int:
        return len(self.infos)

    def __getitem__(self, index: int) -> State:
        if not -len(self) <= index < len(self):
            raise IndexError(
                f"state {index} was asked for; the trace has states 0 to {len(self) - 1}"
            )
        index %= len(self)
        if index == len(self) - 1:
            return self._last
        start = index - index % self._stride
        state = self._kept[start]
        for t in range(start + 1, index + 1):
            state = _frozen(self.algorithm.step((self.seed, t), state, self.data)[0])
        return state

    def __iter__(self) -> Iterator[State]:
        return (self[index] for index in range(len(self)))

    @property
    def objective(self) -> NDArray[np.float64]:
        """The objective after each state, shape (len(trace),)."""
        return np.array([info.objective for info in self.infos], dtype=np.float64)

    def at(self, index: int) -> Moment:
        """State ``index`` with its info, the objective up to it, and the data."""
        state = self[index]
        index %= len(self)
        objective = self.objective[: index + 1]
        return Moment(self.algorithm.name, index, state, self.infos[index], objective, self.data)

    def first_break(self) -> int | None:
        """The first state whose objective went the wrong way or is no number; None if none did.

        A slip of up to ``algorithm.rounding``, relative to the objective's size, is rounding.
        """
        objective = self.objective
        if self.algorithm.direction == "none":
            wrong = np.isnan(objective)
        else:
            sign = 1.0 if self.algorithm.direction == "up" else -1.0
            slack = self.algorithm.rounding * np.maximum(1.0, np.abs(objective[:-1]))
            # Written so that a NaN is a break: it compares false with everything.
            fine = sign * np.diff(objective) >= -slack
            wrong = np.concatenate([[np.isnan(objective[0])], ~fine])
            # From −∞ (a start that gives a point no probability) any way up is fine.
            rescued = np.isneginf(sign * objective[:-1]) & ~np.isnan(objective[1:])
            wrong[1:] &= ~rescued
        broken = np.flatnonzero(wrong)
        return int(broken[0]) if broken.size else None

    def _append(self, state: State, info: Info) -> None:
        state = _frozen(state)
        index = len(self.infos)
        self.infos.append(info)
        self._last = state
        if index % self._stride == 0:
            self._kept[index] = state
        # State 0 stays whatever its size: everything after it can be computed again.
        while len(self._kept) > 1 and sum(map(_size, self._kept.values())) > self.memory:
            self._stride *= 2
            self._kept = {t: s for t, s in self._kept.items() if t % self._stride == 0}


def run(
    algorithm: Algorithm,
    data: Data,
    seed: int = 0,
    *,
    steps: int,
    stop: StoppingRule | None = None,
    memory: int = 256_000_000,
    progress: bool = False,
) -> Trace:
    """Run an algorithm and return its trace.

    Parameters
    ----------
    algorithm, data, seed, memory: as in :class:`Trace`.
    steps: how many steps at most.
    stop: a rule that may end the run earlier, :func:`relative` for one. ``trace.stopped`` says
        in words which of the two ended it.
    progress: show a bar (silent where ``LATENTSTEPS_QUIET`` is set).

    An interrupt (Ctrl-C, or *Interrupt kernel*) ends the run and keeps what has been computed.
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}; it is zero or a positive whole number")
    trace = Trace(algorithm, data, seed, memory)
    silent = not progress or bool(os.environ.get("LATENTSTEPS_QUIET"))
    try:
        for _ in tqdm(range(steps), desc=algorithm.name, disable=silent):
            trace.advance()
            reason = stop(trace.objective) if stop else None
            if reason:
                trace.stopped = reason
                return trace
        trace.stopped = f"all {steps} steps were taken"
    except KeyboardInterrupt:
        trace.stopped = f"interrupted after {len(trace) - 1} steps"
    return trace


def relative(tolerance: float = 1e-6, patience: int = 3) -> StoppingRule:
    """Stop after ``patience`` small changes in a row that are not growing.

    A change is small if it is at most ``tolerance`` times the objective's size (at least 1). Near
    a summit changes shrink from step to step; near a saddle they grow, slowly at first, so a small
    change that is larger than the one before does not count. (The same ratio of two successive
    changes is behind Aitken's criterion: Böhning et al. 1994, *Annals of the Institute of
    Statistical Mathematics* 46, 373–388.) No rule can tell a flat stretch from a summit for
    certain, so the reason says what was seen and no more.
    """
    if tolerance < 0 or patience < 1:
        raise ValueError(f"tolerance is {tolerance} and patience {patience}; they are ≥ 0 and ≥ 1")

    def rule(objective: NDArray[np.float64]) -> str | None:
        if len(objective) < patience + 2:
            return None
        recent = objective[-(patience + 2) :]
        change = np.abs(np.diff(recent))
        scale = np.maximum(1.0, np.abs(recent[1:]))
        small = change[1:] <= tolerance * scale[1:]
        # Below the rounding of the sum itself "growing" means nothing.
        growing = (change[1:] > change[:-1]) & (change[1:] > 1e-13 * scale[1:])
        if not np.all(small & ~growing):
            return None
        return (
            f"the last {patience} changes of the objective were at most {tolerance:g} of its size "
            "and did not grow: a summit, or a plateau too flat to tell from one"
        )

    return rule


def _map_arrays(function: Callable[[NDArray], NDArray], tree: Any) -> Any:
    """Apply ``function`` to every NumPy array of nested tuples, NamedTuples, lists and dicts."""
    if isinstance(tree, np.ndarray):
        return function(tree)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_map_arrays(function, leaf) for leaf in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(_map_arrays(function, leaf) for leaf in tree)
    if isinstance(tree, dict):
        return {name: _map_arrays(function, leaf) for name, leaf in tree.items()}
    return tree


def _read_only_view(array: NDArray) -> NDArray:
    view = array.view()
    view.flags.writeable = False
    return view


def _read_only_copy(array: NDArray) -> NDArray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _frozen(state: State) -> State:
    """A copy whose arrays nobody can write to: a step may have kept its own hands on them."""
    return _map_arrays(_read_only_copy, state)


def _size(tree: Any) -> int:
    """Bytes in all arrays of a state, NumPy's or JAX's."""
    if hasattr(tree, "nbytes"):
        return int(tree.nbytes)
    if isinstance(tree, tuple | list):
        return sum(map(_size, tree))
    if isinstance(tree, dict):
        return sum(map(_size, tree.values()))
    return 0
