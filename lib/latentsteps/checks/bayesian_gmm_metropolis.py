"""Check of unit 04, exercise 4.2: one step of Metropolis and Hastings.

``here`` is where the chain is, ``there`` where it might go; both may be whole numbers, numbers or
arrays. ``log_density(at)`` may lack its constant and may be −∞; ``log_proposal(to, start)`` is the
log density of proposing ``to`` from ``start``; ``u``, uniform on (0, 1], decides: the move is made
where u is at most the ratio. Source: Hastings (1970), *Biometrika* 57, 97–109.

The decision may be made by u or by 1 − u: on all cases both come to the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.bayesian_gmm_metropolis_misconceptions import (
    MISCONCEPTIONS,
    LogDensity,
    LogProposal,
    Position,
)
from latentsteps.checks.exercise import Case, Exercise, Failure, Property

# 4.2 · A Metropolis step


def _metropolis_step(
    here: Position, there: Position, log_density: LogDensity, log_proposal: LogProposal, u: float
) -> Position:
    log_ratio = log_density(there) - log_density(here)
    # A place that is often proposed is accepted less often.
    log_ratio += log_proposal(here, there) - log_proposal(there, here)
    return there if np.log(u) <= log_ratio else here


_random = np.random.default_rng(42)
_STATES = np.array([0.1, 0.25, 0.4, 0.05, 0.2])
_TO_FROM = _random.dirichlet(np.ones(5), 5).T
"""Probability of proposing a state (row) from a state (column), as uneven as they come."""


def _log_of_five(at: int) -> float:
    return float(np.log(_STATES[at]))


def _log_proposal_of_five(to: int, start: int) -> float:
    return float(np.log(_TO_FROM[to, start]))


_U = (np.arange(16) + 0.5) / 16


def _is_here_or_there(call: Callable, args: tuple, result: Position) -> Failure | None:
    here, there = args[:2]
    if np.array_equal(result, here) or np.array_equal(result, there):
        return None
    return Failure(
        "The chain is `here` and may go to `there`; it can be nowhere else.",
        result,
        (here, there),
        ("got", "here and there"),
    )


def _u_decides(call: Callable, args: tuple, result: Position) -> Failure | None:
    if args[2] is not _log_of_five or all(call(*args) == result for _ in range(20)):
        return None
    return Failure(
        "The same positions with the same u were decided now one way, now the other. Draw no "
        "random number of your own: u is one.",
    )


def _not_to_nowhere(call: Callable, args: tuple, result: Position) -> Failure | None:
    here, there, log_density = args[:3]
    if log_density(there) > -np.inf or np.array_equal(result, here):
        return None
    return Failure("The density is 0 there, its logarithm −∞, and your chain goes there.", result)


_measured: WeakKeyDictionary[Callable, NDArray] = WeakKeyDictionary()


def _acceptance(call: Callable, args: tuple) -> NDArray:
    """How often a move is accepted, (to, start), each for sixteen u's spread evenly."""
    if call not in _measured:
        table = np.zeros((5, 5))
        for start, to in combinations(range(5), 2):
            for a, b in ((start, to), (to, start)):
                table[b, a] = np.mean([call(a, b, *args[2:4], float(u)) == b for u in _U])
        _measured[call] = table
    return _measured[call]


def _balance(call: Callable, args: tuple, result: Position) -> Failure | None:
    if args[2] is not _log_of_five:
        return None
    proposed = _TO_FROM * _STATES  # how much is proposed to go from column to row
    flow = proposed * _acceptance(call, args)
    # Sixteen u's know a probability to 1/32.
    off = np.abs(flow - flow.T) - (proposed + proposed.T) / 32
    np.fill_diagonal(off, -1)
    to, start = np.unravel_index(off.argmax(), off.shape)
    if off[to, start] <= 1e-9:
        return None
    return Failure(
        "Five states with known probabilities, all moves tried with u spread evenly over 0 to 1. "
        f"From state {start} to state {to} there has to flow as much as from {to} to {start} "
        "(probability of being there × proposed × accepted). The two flows of your rule:",
        float(flow[to, start]),
        float(flow[start, to]),
        ("forth", "back"),
    )


def _no_needless_stay(call: Callable, args: tuple, result: Position) -> Failure | None:
    if args[2] is not _log_of_five:
        return None
    accepted = _acceptance(call, args)
    larger = np.maximum(accepted, accepted.T)
    np.fill_diagonal(larger, 1)
    to, start = np.unravel_index(larger.argmin(), larger.shape)
    if larger[to, start] > 1 - 1 / 16:
        return None
    return Failure(
        f"Between states {start} and {to} your rule is in balance, and it says no in both "
        "directions at times. Metropolis always says yes to one of the two. How often the two "
        "moves are accepted:",
        float(accepted[to, start]),
        float(accepted[start, to]),
        ("forth", "back"),
    )


_HERE, _THERE = 3, 7
_NOWHERE = -math.inf


def _whole(label: str, densities: tuple, proposals: tuple, u: float) -> Case:
    """A case on two whole numbers: log densities of here and there, and log probabilities of
    proposing the way back and the way there."""
    known = dict(zip((_HERE, _THERE), densities, strict=True))
    ways = dict(zip((_HERE, _THERE), proposals, strict=True))

    def log_density(at: int) -> float:
        return known[at]

    def log_proposal(to: int, start: int) -> float:
        return ways[to] if to != start else math.log(0.05)

    return Case(label, (_HERE, _THERE, log_density, log_proposal, u))


_EVEN = (math.log(0.5), math.log(0.5))


def _logs(*numbers: float) -> tuple[float, ...]:
    return tuple(math.log(number) for number in numbers)


def _round(at: NDArray) -> float:
    return float(-0.5 * np.sum(np.square(at)))


def _stretched_walk(to: NDArray, start: NDArray) -> float:
    """A step whose width is 1 plus the distance of its start from 0."""
    width = 1 + np.sqrt(np.sum(np.square(start)))
    square = np.sum(np.square(np.subtract(to, start)))
    return float(-0.5 * square / width**2 - np.size(to) * np.log(width))


metropolis_step = Exercise(
    number="4.2",
    name="metropolis_step",
    reference=_metropolis_step,
    cases=(
        Case("five states, from 1 to 0, u = .5", (1, 0, _log_of_five, _log_proposal_of_five, 0.5)),
        _whole("densities .5 here and .15 there, u = .5", _logs(0.5, 0.15), _EVEN, 0.5),
        _whole("densities .5 here and .4 there, u = .5", _logs(0.5, 0.4), _EVEN, 0.5),
        _whole("densities .5 here and .26 there, u = .5", _logs(0.5, 0.26), _EVEN, 0.5),
        _whole("densities .2 here and .4 there, u = .9", _logs(0.2, 0.4), _EVEN, 0.9),
        _whole(
            "densities .5 and .4; proposed .3 there, .4 back; u = .7",
            _logs(0.5, 0.4),
            _logs(0.4, 0.3),
            0.7,
        ),
        _whole(
            "densities .2 and .4; proposed .8 there, .08 back; u = .5",
            _logs(0.2, 0.4),
            _logs(0.08, 0.8),
            0.5,
        ),
        _whole(
            "densities .5 and .1; proposed .08 there, .8 back; u = .9",
            _logs(0.5, 0.1),
            _logs(0.8, 0.08),
            0.9,
        ),
        _whole(
            "densities .4 and .2; proposed .5 there, .9 back; u = .7",
            _logs(0.4, 0.2),
            _logs(0.9, 0.5),
            0.7,
        ),
        _whole(
            "densities .1 and .4; proposed .5 there, .1 back; u = .6",
            _logs(0.1, 0.4),
            _logs(0.1, 0.5),
            0.6,
        ),
        _whole("density 0 there, u = .001", (math.log(0.5), _NOWHERE), _EVEN, 0.001),
        _whole("density 0 here, u = .9", (_NOWHERE, math.log(0.5)), _EVEN, 0.9),
        _whole("log densities −2000 here, −2000.5 there, u = .5", (-2000.0, -2000.5), _EVEN, 0.5),
        _whole("log densities −1500 here, −100 there, u = .5", (-1500.0, -100.0), _EVEN, 0.5),
        Case("on a line, from .5 to 2.5, u = .6", (0.5, 2.5, _round, _stretched_walk, 0.6)),
        Case(
            "in the plane, u = .4",
            (np.array([1.0, 1.0]), np.array([1.5, 0.5]), _round, _stretched_walk, 0.4),
        ),
    ),
    properties=(
        Property("the chain is here or there", _is_here_or_there),
        Property("u alone decides", _u_decides),
        Property("it never goes where the density is 0", _not_to_nowhere),
        Property("detailed balance holds on five states", _balance),
        Property("of two opposite moves one is always accepted", _no_needless_stay),
    ),
    misconceptions=MISCONCEPTIONS,
    hints=(
        "How often is the move there proposed and accepted, and how often the move back, if the "
        "chain is already where it should be?",
        "log ratio = log_density(there) − log_density(here) + log_proposal(here, there) − "
        "log_proposal(there, here). A move with ratio a ≤ 1 should happen with probability a.",
        "return there if np.log(u) <= log_ratio else here",
    ),
)
