"""Inference as a sequence of states: what an algorithm is, and the record of a run.

An :class:`Algorithm` is a first state and a rule for the next one. A :class:`Trace` holds what
came out, state 0 included, and can go one step further. :func:`run` is a plain loop over that
step, and the stepper in a notebook takes the very same one: what is seen there is what is run.
"""

from __future__ import annotations

import operator
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
    trace: Trace
    """The run it is from: ``trace[s]`` for s < t is how it came here."""


class Trace:
    """The states and infos of one run, in order, state 0 included.

    Every info is kept. States are kept up to ``memory`` bytes; beyond that only every second,
    fourth, ... one stays, and the others are computed again when asked for, from the nearest kept
    state before: the same bits, because a step depends on nothing but its key, state and data.
    NumPy arrays in states, infos and data are set read-only, and dicts and lists in states are
    handed out as copies, so no step can rewrite history.

    Parameters
    ----------
    algorithm: what is run.
    data: what it is run on, handed to every step as it is.
    seed: the first half of every step's key.
    memory: bytes that kept states may take, 256 MB by default. State 0 and the newest
        stay whatever their size.
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
        self.seed = operator.index(seed)
        self.memory = memory
        self.infos: list[Info] = []
        self.stopped = ""
        """Why :func:`run` stopped, in words; empty for a trace that was stepped by hand."""
        self._kept: dict[int, State] = {}
        self._bytes = 0
        self._stride = 1
        self._append(*algorithm.init((self.seed, 0), self.data))

    def advance(self) -> None:
        """Take one step and append what comes out. If the step raises, nothing is appended."""
        self._append(*self.algorithm.step((self.seed, len(self)), self[-1], self.data))

    def __len__(self) -> int:
        return len(self.infos)

    def __getitem__(self, index: int) -> State:
        if isinstance(index, slice):
            raise TypeError("a trace gives one state at a time; list(trace) is all of them")
        if not -len(self) <= index < len(self):
            raise IndexError(
                f"state {index} was asked for; the trace has states 0 to {len(self) - 1}"
            )
        index %= len(self)
        start = index if index in self._kept else index - index % self._stride
        state = _map_arrays(_same, self._kept[start])
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
        info, objective = self.infos[index], self.objective[: index + 1]
        return Moment(self.algorithm.name, index, state, info, objective, self.data, self)

    def first_break(self) -> int | None:
        """The first state whose objective went the wrong way or is no number; None if none did.

        A slip of up to ``algorithm.rounding``, relative to the objective's size, is rounding.
        """
        objective = self.objective
        if self.algorithm.direction == "none":
            wrong = np.isnan(objective)
        else:
            upward = objective if self.algorithm.direction == "up" else -objective
            before, after = upward[:-1], upward[1:]
            # An infinity has no size to slip by: from −∞ (a start that gives a point no
            # probability) any way up is fine, from +∞ no way down.
            size = np.where(np.isfinite(before), np.abs(before), 0.0)
            slack = self.algorithm.rounding * np.maximum(1.0, size)
            # Written so that a NaN is a break: it compares false with everything.
            wrong = np.concatenate([np.isnan(objective[:1]), ~(after >= before - slack)])
        broken = np.flatnonzero(wrong)
        return int(broken[0]) if broken.size else None

    def _append(self, state: State, info: Info) -> None:
        state, info = _frozen(state), _frozen(info)
        newest = len(self.infos)
        self._kept[newest] = state
        # Only now is the trace longer: an interrupt on the way here leaves it as it was.
        self.infos.append(info)
        self._bytes += _size(state)
        if (newest - 1) % self._stride:
            self._forget([newest - 1])
        while self._bytes > self.memory and self._stride < newest:
            self._stride *= 2
            self._forget([t for t in self._kept if t % self._stride and t < newest])

    def _forget(self, numbers: list[int]) -> None:
        for t in numbers:
            self._bytes -= _size(self._kept.pop(t))


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
        with tqdm(total=steps, desc=algorithm.name, disable=silent) as bar:
            for _ in range(steps):
                trace.advance()
                bar.update()
                reason = stop(trace.objective) if stop else None
                if reason:
                    trace.stopped = reason
                    # A bar that ends early is shown as a failure; this one is done.
                    bar.total = bar.n
                    return trace
        trace.stopped = f"all {steps} steps were taken"
    except KeyboardInterrupt:
        trace.stopped = f"interrupted after {len(trace) - 1} steps"
    return trace


def relative(tolerance: float = 1e-6, patience: int = 3) -> StoppingRule:
    """Stop after ``patience`` small changes in a row that are not growing.

    A change is small if it is at most ``tolerance`` times the objective's size (at least 1). Near
    a summit changes shrink from step to step; near a saddle they grow, slowly at first, so a small
    change that is larger than the one two steps before does not count: two, so that in half-steps
    like is compared with like. (The same ratio of successive changes is behind Aitken's
    criterion: Böhning et al. 1994, *Annals of the Institute of Statistical Mathematics* 46,
    373–388.) Changes that go both ways are the rounding of a summit, and may grow. No rule can
    tell a flat stretch from a summit for certain, so the reason says what was seen and no more.

    An objective that is NaN stops the run at once, and the reason says so; −∞ does not.
    """
    if not tolerance >= 0 or patience < 1:
        raise ValueError(f"tolerance is {tolerance} and patience {patience}; they are ≥ 0 and ≥ 1")

    def rule(objective: NDArray[np.float64]) -> str | None:
        if np.isnan(objective[-1]):
            return "the objective is not a number (NaN)"
        recent = objective[-(patience + 3) :]
        # After a start at −∞ the first changes have no size to compare with.
        if len(recent) < patience + 3 or not np.isfinite(recent).all():
            return None
        change = np.diff(recent)
        size = np.abs(change)
        scale = np.maximum(1.0, np.abs(recent[3:]))
        # In the last digits of the sum itself "growing" means nothing.
        growing = (size[2:] > size[:-2]) & (size[2:] > 1e-15 * scale)
        both_ways = (change > 0).any() and (change < 0).any()
        if (size[2:] > tolerance * scale).any() or (growing.any() and not both_ways):
            return None
        return (
            f"the last {patience} changes of the objective were at most {tolerance:g} of its size "
            "and did not grow: a local optimum, or a plateau too flat to tell from one"
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


def _same(array: NDArray) -> NDArray:
    return array


def _frozen(tree: Any) -> Any:
    """A copy whose arrays nobody can write to: a step may have kept its own hands on them."""
    return _map_arrays(_read_only_copy, tree)


def _size(tree: Any) -> int:
    """Bytes in all arrays of a state, NumPy's or JAX's."""
    if hasattr(tree, "nbytes"):
        return int(tree.nbytes)
    if isinstance(tree, tuple | list):
        return sum(map(_size, tree))
    if isinstance(tree, dict):
        return sum(map(_size, tree.values()))
    return 0
