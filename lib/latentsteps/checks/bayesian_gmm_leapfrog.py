"""Check of unit 04, exercise 4.3: leapfrog steps.

``position`` and ``momentum`` (D,), ``gradient(position)`` (D,) of the log density. A step is half
a kick, a drift, half a kick (Neal 2011, "MCMC using Hamiltonian dynamics", *Handbook of Markov
Chain Monte Carlo*, section 5.2.3; all masses are 1). The momentum is not turned round at the end: a
view asks for one step at a time, and would go to and fro. Beginning with half a drift is as good a
method, and another one: it has a sentence of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.bayesian_gmm_leapfrog_misconceptions import (
    MISCONCEPTIONS,
    Gradient,
    Moved,
)
from latentsteps.checks.exercise import Case, Exercise, Failure, Property

# 4.3 · The leapfrog


def _leapfrog(
    position: NDArray, momentum: NDArray, gradient: Gradient, step_size: float, steps: int
) -> Moved:
    for _ in range(steps):
        momentum = momentum + step_size / 2 * gradient(position)
        position = position + step_size * momentum
        momentum = momentum + step_size / 2 * gradient(position)
    return position, momentum


# The densities of the cases: gradients, and below what they are the gradients of.


def _round(position: NDArray) -> NDArray:
    return -position


_WIDTHS = np.array([1.0, 2.0])


def _wide(position: NDArray) -> NDArray:
    return -position / _WIDTHS**2


_PRECISION = np.array([[2.0, -1.2, 0.0], [-1.2, 1.5, 0.3], [0.0, 0.3, 1.0]])


def _tilted(position: NDArray) -> NDArray:
    return -_PRECISION @ position


def _banana(position: NDArray) -> NDArray:
    a, b = position
    bend = b - a**2 / 2
    return np.array([-a + a * bend, -bend])


_LOG_DENSITIES: dict[Gradient, Callable[[NDArray], float]] = {
    _round: lambda q: -0.5 * q @ q,
    _wide: lambda q: -0.5 * np.sum((q / _WIDTHS) ** 2),
    _tilted: lambda q: -0.5 * q @ _PRECISION @ q,
    _banana: lambda q: -0.5 * q[0] ** 2 - 0.5 * (q[1] - q[0] ** 2 / 2) ** 2,
}


def _energy(gradient: Gradient, moved: Moved) -> float:
    return float(0.5 * moved[1] @ moved[1] - _LOG_DENSITIES[gradient](moved[0]))


def _goes_back(call: Callable, args: tuple, result: Moved) -> Failure | None:
    position, momentum, gradient, step_size, steps = args
    back = call(result[0], -result[1], gradient, step_size, steps)
    if np.allclose(back[0], position, atol=1e-5) and np.allclose(back[1], -momentum, atol=1e-5):
        return None
    return Failure(
        "Turn the momentum round where you arrived, go as many steps again, and you should be "
        "where you began. You come back to:",
        back[0],
        position,
        ("back at", "began at"),
    )


def _keeps_volume(call: Callable, args: tuple, result: Moved) -> Failure | None:
    position, momentum, *rest = args
    d, h = len(position), 1e-4
    start = np.concatenate([position, momentum])
    columns = []
    for i in range(2 * d):
        step = np.zeros(2 * d)
        step[i] = h
        up, down = (
            np.concatenate(call(end[:d], end[d:], *rest)) for end in (start + step, start - step)
        )
        columns.append((up - down) / (2 * h))
    volume = float(abs(np.linalg.det(np.array(columns))))
    if abs(volume - 1) < 1e-3:
        return None
    return Failure(
        "A small box of starts, in position and momentum, has to become a box of the same volume. "
        "By central differences, yours grows by the factor:",
        volume,
        1.0,
    )


def _error_falls_by_four(call: Callable, args: tuple, result: Moved) -> Failure | None:
    position, momentum, gradient, step_size, steps = args
    before = _energy(gradient, (position, momentum))
    errors = []
    for finer in (2, 4):
        moved = call(position, momentum, gradient, step_size / finer, steps * finer)
        errors.append(abs(_energy(gradient, moved) - before))
    if 3.5 < errors[0] / errors[1] < 4.5:  # on the cases it is between 3.97 and 4.15
        return None
    return Failure(
        "With half the step size, for the same time, the error of the energy falls to a quarter. "
        "Yours, with steps of:",
        errors[0],
        errors[1],
        (f"{step_size / 2:g}: error", f"{step_size / 4:g}: error"),
    )


leapfrog = Exercise(
    number="4.3",
    name="leapfrog",
    reference=_leapfrog,
    cases=(
        Case(
            "one step on N(0, 1), gradient −position",
            (np.array([1.0]), np.array([0.5]), _round, 0.2, 1),
        ),
        Case(
            "two steps on N(0, 1), gradient −position",
            (np.array([1.0]), np.array([0.5]), _round, 0.2, 2),
        ),
        Case(
            "two steps back on N(0, 1), step size −.2",
            (np.array([1.0]), np.array([0.5]), _round, -0.2, 2),
        ),
        Case(
            "three steps in the plane, standard deviations 1 and 2",
            (np.array([1.0, -2.0]), np.array([0.5, 1.0]), _wide, 0.4, 3),
        ),
        Case(
            "ten steps on a tilted normal in three dimensions",
            (np.array([1.0, 0.5, -1.0]), np.array([-0.5, 1.0, 0.3]), _tilted, 0.2, 10),
        ),
        Case(
            "twelve steps on a banana",
            (np.array([1.0, 1.5]), np.array([-1.0, 0.4]), _banana, 0.15, 12),
        ),
    ),
    properties=(
        Property("with the momentum turned round it goes back", _goes_back),
        Property("it keeps the volume", _keeps_volume),
        Property("half the step size leaves a quarter of the error", _error_falls_by_four),
    ),
    misconceptions=MISCONCEPTIONS,
    hints=(
        "Kick: the momentum changes by a time times the slope. Drift: the position changes by a "
        "time times the momentum. In which order does it look the same forwards and backwards?",
        "Half a kick, a full drift, half a kick; the second half kick with the gradient at the new "
        "position. Repeat.",
        "momentum = momentum + step_size / 2 * gradient(position); position = position + step_size "
        "* momentum; then the first line again; all of it `steps` times.",
    ),
)
