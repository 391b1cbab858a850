"""Checks of unit 03, exercise 3.4: when to stop.

``objective`` is what EM climbs, at the start and after each step so far: (t + 1,) log-likelihoods
of the 272 eruptions of Old Faithful. A rule is played, state by state, on whole runs. Whatever
rule gets them right passes; there is no reference to agree with.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.display import number
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.gmm_runs import BOOK, OWN, TO_MINUTES, Run, X, climb

LEFT = 0.05
"""Nats that may be left to climb when a rule stops."""

LATEST = 200
"""A rule has to stop so many states after the summit, at the latest."""


def _with_rest(run: Run) -> NDArray:
    """A run's objective; it ends where only rounding is left, and rests there."""
    return np.append(run.objective, np.full(LATEST, run.objective[-1]))


def _near_middle(distance: float) -> NDArray:
    means = np.array([[-distance, -distance], [distance, distance]])
    return _with_rest(climb(means, OWN))


_BOOK = _with_rest(BOOK)
_DANCE = 5e-12 * (-1.0) ** np.arange(len(_BOOK))
_IN_DAYS = TO_MINUTES + 2 * len(X) * np.log(24 * 60)
_LONG = _with_rest(climb(np.array([[-1.27, -1.32], [0.89, 0.82], [-1.49, -1.83]]), 0.5 * OWN))


# 3.4 · Stopping


def _should_stop(objective: NDArray) -> bool:
    if len(objective) < 3:
        return False
    change = objective[-1] - objective[-2]
    return bool(change < 1e-10 * abs(objective[-1]))


def _ends(objective: NDArray) -> tuple[int, int]:
    """From which state on a rule may stop, and by which it must; both len(objective) for a run
    that is not over."""
    n, left = len(objective), objective[-1] - objective
    if n <= LATEST or left[-LATEST] > 1e-6:
        return n, n
    return int(np.argmax(left <= LEFT)), int(np.argmax(left <= 1e-6)) + LATEST


def _is_truth_value(call: Callable, args: tuple, result: object) -> Failure | None:
    if isinstance(result, bool):
        return None
    return Failure("True or False is due: may the run stop?", result)


def _waits(call: Callable, args: tuple, result: bool) -> Failure | None:
    for t in range(min(2, len(args[0]))):
        if call(args[0][: t + 1]):
            changes = "no change" if t == 0 else "one change"
            return Failure(f"There is {changes} to look at yet, and your rule stops. Wait for two.")
    return None


def _goes_on(call: Callable, args: tuple, result: bool) -> Failure | None:
    objective = args[0]
    may, _ = _ends(objective)
    for t in range(2, may):
        if not call(objective[: t + 1]):
            continue
        rise = number(objective[t] - objective[t - 1])
        if may == len(objective):
            return Failure(f"The last step brought {rise} nats, and your rule stops.")
        left = number(objective[-1] - objective[t])
        return Failure(
            f"Your rule stops this run after {t} steps; the last one brought {rise} nats. Left to "
            f"itself the run climbs {left} nats more.",
            objective[t],
            objective[-1],
            ("stopped at", "it goes on to"),
        )
    return None


def _ends_up(call: Callable, args: tuple, result: bool) -> Failure | None:
    objective = args[0]
    may, must = _ends(objective)
    # Not all of the 200 states: a rule that would stop at none of these is not asked further.
    asked = [*range(max(may, 2), may + 30), *range(may + 30, must, 11)]
    if may == len(objective) or any(call(objective[: t + 1]) for t in asked):
        return None
    return Failure(
        f"After {must - LATEST} steps this run is within a millionth of a nat of its summit. "
        f"{LATEST} steps later your rule has not stopped it.",
    )


def _from_three(rule: Callable[[NDArray], object]) -> Callable[[NDArray], object]:
    """A rule that is asked once there are two changes."""
    return lambda objective: rule(objective) if len(objective) > 2 else False


def _change(objective: NDArray) -> float:
    return float(objective[-1] - objective[-2])


def _extrapolated(objective: NDArray) -> bool:
    """Whether a geometric series of changes, begun by the last two, has little left to bring."""
    a, b = np.diff(objective[-3:])
    return bool(b < a and b / (1 - b / a) < 1e-3)


should_stop = Exercise(
    number="3.4",
    name="should_stop",
    reference=_should_stop,
    compare=False,
    cases=(
        Case("the start alone", (np.array([-544.0]),)),
        Case("one step, which changed nothing", (np.array([-384.5, -384.5]),)),
        Case("two steps, from −100 over −90 to −70", (np.array([-100.0, -90.0, -70.0]),)),
        Case("K = 2, the book's start", (_BOOK,)),
        Case("K = 2, both means .03 from the middle", (_near_middle(0.03),)),
        Case("K = 2, both means .01 from the middle", (_near_middle(0.01),)),
        Case("K = 2, both means .003 from the middle", (_near_middle(0.003),)),
        Case("the book's start, in minutes", (_BOOK + TO_MINUTES,)),
        Case("the book's start, in days", (_BOOK + _IN_DAYS,)),
        Case("the book's start, the last digits dance", (_BOOK + _DANCE,)),
        Case("K = 3, two slow stretches on the way", (_LONG,)),
    ),
    properties=(
        Property("it answers True or False", _is_truth_value),
        Property("it waits until there are two changes", _waits),
        Property("it does not stop while there is more to climb", _goes_on),
        Property("it stops at the summit", _ends_up),
    ),
    misconceptions=(
        Misconception(
            "per point",
            _from_three(lambda o: bool(_change(o) / 272 < 1e-3)),
            "It stops on a plateau, and a plateau is no summit. A thousandth of a nat *per point*, "
            "scikit-learn's default, is .27 nats in all; on these plateaus a step brings .008 nats "
            "and less, and still the climb is to come. Ask for far less, of the sum.",
        ),
        Misconception(
            "about equal",
            _from_three(lambda o: bool(np.isclose(o[-1], o[-2]))),
            "It stops on the flatter plateaus. `np.isclose` calls numbers equal that differ by a "
            "hundred-thousandth of their size, .005 nats at −544, and other thresholds of some "
            "thousandths do the same. There a step brings .0009 nats, and 160 nats are to come.",
        ),
        Misconception(
            "a small threshold, not small enough",
            _from_three(lambda o: bool(_change(o) < 1e-4)),
            "It passes the first two plateaus and stops on the flattest, where a step brings "
            ".00008 nats and 160 nats are to come. What limits you is only rounding, at some "
            "1e-11: there is room for a much smaller threshold.",
        ),
        Misconception(
            "extrapolated from two changes",
            _from_three(_extrapolated),
            "Two changes that shrink are no proof: on the flattest plateau the first ones shrink "
            "as well, and then they grow. Ask in addition that the change itself is tiny.",
        ),
        Misconception(
            "a fixed number of steps",
            lambda objective: len(objective) > 100,
            "What works for nearly all runs stops the longest one before its last climb. If you "
            "count steps: runs differ too much for that, here from 20 to more than 400. If you "
            "look at changes: on its second plateau a step brings .00004 nats.",
        ),
        Misconception(
            "until nothing changes",
            _from_three(lambda o: bool(o[-1] == o[-2])),
            "Sums are rounded, so at a summit the last digits may dance for ever, by 1e-11 here. "
            "Two values need not become equal: allow for a change that is far too small to matter.",
        ),
        Misconception(
            "a negative yardstick",
            _from_three(lambda o: bool(_change(o) < 1e-8 * o[-1])),
            "It works where the objective is positive. Log-likelihoods are mostly negative, and a "
            "share of a negative number is negative: no rise is ever below it. Take "
            "`abs(objective[-1])`.",
        ),
        Misconception(
            "a negative ratio",
            _from_three(lambda o: bool(_change(o) / o[-1] < 1e-8)),
            "It works where the objective is positive. Log-likelihoods are mostly negative, so "
            "change over objective is negative for every rise, and below any threshold at once. "
            "Divide by `abs(objective[-1])`.",
        ),
        Misconception(
            "slower than before",
            _from_three(lambda o: bool(o[-1] - o[-2] < o[-2] - o[-3])),
            "It stops where a step brings less than the one before, as if steps could only go on "
            "shrinking. On the way up they get shorter and longer again: ask how small a change "
            "is, not only whether it shrank.",
        ),
        Misconception(
            "the wrong way round",
            _from_three(lambda o: bool(_change(o) > 1e-8)),
            "It says stop while the objective is still climbing. True means stop, False means go "
            "on.",
        ),
        Misconception(
            "never",
            lambda objective: False,
            "It never stops, not even 200 steps after the summit. Look at the last change alone, "
            "and remember that sums are rounded: it may be 1e-12, of either sign.",
        ),
        Misconception(
            "not looking whether there is a change",
            lambda objective: bool(abs(objective[-1] - objective[-2]) < 1e-8),
            "Before the first step there is one number, and `objective[-2]` does not exist. Begin "
            "with: fewer than three states, so False.",
        ),
        Misconception(
            "one answer for every step",
            lambda objective: np.diff(objective) < 1e-8,
            "You give an answer for every step so far. One is due, for now: look at the last "
            "change, `objective[-1] - objective[-2]`.",
        ),
        Misconception(
            "a height that is known",
            _from_three(lambda o: bool(o[-1] > -384.6)),
            "Your rule looks at the height itself. Another unit, another K, and the summit lies "
            "elsewhere: look at changes, which units leave as they are.",
        ),
    ),
    hints=(
        "Look at np.diff of a run's objective. How small do the changes get on a plateau, and how "
        "small at the summit?",
        "On these plateaus a step brings .00003 nats or more, at a summit 1e-11 or less. Anything "
        "in between tells them apart. And what if there are fewer than three states?",
        "if len(objective) < 3: return False; otherwise return "
        "bool(abs(objective[-1] − objective[-2]) < 1e-8).",
    ),
)
