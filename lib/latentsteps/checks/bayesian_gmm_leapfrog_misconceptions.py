"""Wrong answers to exercise 4.3, :mod:`latentsteps.checks.bayesian_gmm_leapfrog`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Misconception

Gradient = Callable[[NDArray], NDArray]
Moved = tuple[NDArray, NDArray]


def _kicks_and_drifts(
    kicks: Callable[[int, int], tuple[float, float]],
    drift: float = 1.0,
    sign: float = 1.0,
) -> Callable[..., Moved]:
    """An answer with other kicks: ``kicks(i, steps)`` gives how much of a full kick comes before
    and after drift number i."""

    def answer(
        position: NDArray, momentum: NDArray, gradient: Gradient, step_size: float, steps: int
    ) -> Moved:
        for i in range(steps):
            before, after = kicks(i, steps)
            momentum = momentum + sign * before * step_size * gradient(position)
            position = position + drift * step_size * momentum
            momentum = momentum + sign * after * step_size * gradient(position)
        return position, momentum

    return answer


def _looped(step: Callable[[NDArray, NDArray, Gradient, float], Moved]) -> Callable[..., Moved]:
    """An answer that repeats a step."""

    def answer(
        position: NDArray, momentum: NDArray, gradient: Gradient, step_size: float, steps: int
    ) -> Moved:
        for _ in range(steps):
            position, momentum = step(position, momentum, gradient, step_size)
        return position, momentum

    return answer


def _drift_kick_drift(q: NDArray, p: NDArray, gradient: Gradient, e: float) -> Moved:
    q = q + e / 2 * p
    p = p + e * gradient(q)
    return q + e / 2 * p, p


def _stale_gradient(q: NDArray, p: NDArray, gradient: Gradient, e: float) -> Moved:
    kick = e / 2 * gradient(q)
    return q + e * (p + kick), p + 2 * kick


def _old_momentum(q: NDArray, p: NDArray, gradient: Gradient, e: float) -> Moved:
    moved = q + e * p
    return moved, p + e / 2 * (gradient(q) + gradient(moved))


_right = _kicks_and_drifts(lambda i, n: (0.5, 0.5))


def _in_place(
    position: NDArray, momentum: NDArray, gradient: Gradient, step_size: float, steps: int
) -> Moved:
    for _ in range(steps):
        momentum += step_size / 2 * gradient(position)
        position += step_size * momentum
        momentum += step_size / 2 * gradient(position)
    return position, momentum


def _whole_path(
    position: NDArray, momentum: NDArray, gradient: Gradient, step_size: float, steps: int
) -> Moved:
    ends = [(position, momentum)]
    for _ in range(steps):
        ends.append(_right(*ends[-1], gradient, step_size, 1))
    return np.array([q for q, _ in ends]), np.array([p for _, p in ends])


def _runge_kutta(q: NDArray, p: NDArray, gradient: Gradient, e: float) -> Moved:
    """The classical fourth-order step."""
    slopes: list[Moved] = []
    for weight in (0.0, 0.5, 0.5, 1.0):
        dq, dp = slopes[-1] if slopes else (0 * q, 0 * p)
        slopes.append((p + weight * e * dp, gradient(q + weight * e * dq)))
    shares = (1 / 6, 1 / 3, 1 / 3, 1 / 6)
    dq, dp = (
        sum((w * each[i] for w, each in zip(shares, slopes, strict=True)), np.zeros_like(q))
        for i in (0, 1)
    )
    return q + e * dq, p + e * dp


def _turned_each_step(q: NDArray, p: NDArray, gradient: Gradient, e: float) -> Moved:
    q, p = _right(q, p, gradient, e, 1)
    return q, -p


MISCONCEPTIONS = (
    Misconception(
        "full last kick",
        _kicks_and_drifts(lambda i, n: (0.5 if i == 0 else 0.0, 1.0)),
        "The last kick is a full one. Between two drifts two half kicks meet and make a whole, "
        "at the end there is only half of it.",
    ),
    Misconception(
        "full first kick",
        _kicks_and_drifts(lambda i, n: (1.0, 0.5 if i == n - 1 else 0.0)),
        "The first kick is a full one, or half a kick too much. Before the first drift half a "
        "kick is due: `step_size / 2`.",
    ),
    Misconception(
        "full kicks before and after",
        _kicks_and_drifts(lambda i, n: (1.0, 1.0)),
        "You kick in full before *and* after each drift, twice as hard as the slope says. "
        "Each of the two is half a kick: `step_size / 2`.",
    ),
    Misconception(
        "kick, then drift",
        _kicks_and_drifts(lambda i, n: (1.0, 0.0)),
        "A full kick, then a drift: the volume is kept, but it does not go back the way it "
        "came, and the error falls only with ε. Split the kick in two halves, one before and "
        "one after the drift.",
    ),
    Misconception(
        "drift, then kick",
        _kicks_and_drifts(lambda i, n: (0.0, 1.0)),
        "A drift, then a full kick: it does not go back the way it came. Split the kick in two "
        "halves, one before and one after the drift.",
    ),
    Misconception(
        "drift, kick, drift",
        _looped(_drift_kick_drift),
        "This is a leapfrog too, as reversible and as good, that begins with half a drift. The "
        "course's begins with half a *kick*: half a kick, a full drift, half a kick.",
    ),
    Misconception(
        "both at the same time",
        _looped(lambda q, p, gradient, e: (q + e * p, p + e * gradient(q))),
        "Position and momentum move at the same time, both from old values (Euler's method): "
        "the energy grows with every step. Take turns, and use the new position and the new "
        "momentum as soon as you have them.",
    ),
    Misconception(
        "the gradient of the old position",
        _looped(_stale_gradient),
        "Both half kicks use the gradient of the *old* position. After the drift ask for the "
        "gradient again, at the new position.",
    ),
    Misconception(
        "drift with the old momentum",
        _looped(_old_momentum),
        "You drift with the momentum from before the half kick. Kick first, then drift with "
        "the momentum that came out.",
    ),
    Misconception(
        "downhill",
        _kicks_and_drifts(lambda i, n: (0.5, 0.5), sign=-1.0),
        "You take the gradient off, so the momentum is pushed away from where the density is "
        "high. This is the gradient of the *log density*: it points uphill, and is added. (A "
        "minus belongs to the gradient of the energy.)",
    ),
    Misconception(
        "the sign of the step lost",
        lambda q, p, gradient, e, n: _right(q, p, gradient, abs(e), n),
        "You take the step size without its sign. A negative one rolls back.",
    ),
    Misconception(
        "another integrator",
        _looped(_runge_kutta),
        "This follows the path more exactly, but it is not the leapfrog: in general it does not "
        "come back exactly nor keep volumes, and the decision at the end needs both.",
    ),
    Misconception(
        "half kicks between steps",
        _kicks_and_drifts(lambda i, n: (0.5 if i == 0 else 0.0, 0.5)),
        "With one step this is right. Between two drifts there is only one half kick, and two "
        "halves are due: the end of one step and the beginning of the next.",
    ),
    Misconception(
        "last half kick missing",
        _kicks_and_drifts(lambda i, n: (0.5 if i == 0 else 1.0, 0.0)),
        "Your position is right, and the momentum lacks the last half kick, at the position "
        "where you have arrived.",
    ),
    Misconception(
        "half kick before each drift only",
        _kicks_and_drifts(lambda i, n: (0.5, 0.0)),
        "There is half a kick before each drift and none after it. One step is half a kick, a "
        "drift, half a kick.",
    ),
    Misconception(
        "first half kick missing",
        _kicks_and_drifts(lambda i, n: (0.0, 1.0 if i < n - 1 else 0.5)),
        "The first drift comes before any kick. Begin with half a kick, at the position where "
        "you start.",
    ),
    Misconception(
        "half drift",
        _kicks_and_drifts(lambda i, n: (0.5, 0.5), drift=0.5),
        "You halve the drift as well. Kicks are halved because there are two of them in a "
        "step; there is one drift, a full one.",
    ),
    Misconception(
        "one step only",
        lambda q, p, gradient, e, n: _right(q, p, gradient, e, 1),
        "You take one step, however many are asked for. Repeat it `steps` times, each from "
        "where the last one ended.",
    ),
    Misconception(
        "one long step",
        lambda q, p, gradient, e, n: _right(q, p, gradient, e * n, 1),
        "You take one step as long as all of them together. The slope changes on the way: take "
        "`steps` short ones.",
    ),
    Misconception(
        "step size shared out",
        lambda q, p, gradient, e, n: _right(q, p, gradient, e / n, n),
        "You divide the step size by the number of steps. `step_size` is the length of each "
        "step, not of all together.",
    ),
    Misconception(
        "one step too few",
        lambda q, p, gradient, e, n: _right(q, p, gradient, e, n - 1),
        "One step is missing. `range(steps)` runs `steps` times; `range(1, steps)` once less.",
    ),
    Misconception(
        "one step too many",
        lambda q, p, gradient, e, n: _right(q, p, gradient, e, n + 1),
        "You take one step more than asked for. `range(steps)` runs `steps` times.",
    ),
    Misconception(
        "momentum turned at the end",
        lambda q, p, gradient, e, n: (
            _right(q, p, gradient, e, n)[0],
            -_right(q, p, gradient, e, n)[1],
        ),
        "The path is right, and at its end you turn the momentum round. Proofs do that, and "
        "the energy does not notice; but this function is also called one step at a time, and "
        "would go to and fro. Return the momentum as it is.",
    ),
    Misconception(
        "momentum turned after each step",
        _looped(_turned_each_step),
        "You turn the momentum round after each step, so the next one leads back. Leave it as "
        "it is.",
    ),
    Misconception(
        "momentum first",
        lambda *args: tuple(reversed(_right(*args))),
        "You return momentum and position. The position comes first.",
    ),
    Misconception(
        "position alone",
        lambda *args: _right(*args)[0],
        "You return the position alone. The momentum is asked for as well: without it the "
        "energy is not known. `return position, momentum`.",
    ),
    Misconception(
        "the whole path",
        _whole_path,
        "You return every place on the way. Only the end is asked for, one position and one "
        "momentum.",
    ),
    Misconception(
        "in place",
        _in_place,
        "The numbers are right, but `+=` writes into the arrays that were handed over, and the "
        "start is lost: a refused move could not go back to it. Write `position = position + "
        "…`.",
    ),
)
