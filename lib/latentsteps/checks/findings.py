"""What can be wrong with what one call of a learner's function returned."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from latentsteps.checks.reading import far, is_numeric, leaves
from latentsteps.checks.running import Seen
from latentsteps.checks.task import Failure

LOOSE = 1e-2
"""How far apart, relative to the largest entry, float32 and float64 results may be."""

RUNS = "it runs without an exception"
FINITE = "numbers are finite where they can be"
SAME = "the same numbers as the reference"
FORM = ("it returns the right type", "it returns the right shape")
UNCHANGED = "its inputs are left unchanged"
SINGLE = "float32 inputs work as well"
REFUSED = "it refuses what it cannot answer"
GRADIENT = "gradients flow through it"


class Finding(NamedTuple):
    """The first thing about an answer, on one case, that does not hold."""

    label: str
    failure: Failure
    where: str = ""
    seen: Seen | None = None


def usable(seen: Seen, expected: Any) -> Finding | None:
    """What keeps a call's result from being looked at further: none, or of another type or shape.

    ``expected`` is None where no shape is known.
    """
    if seen.kind == "raised":
        return Finding(RUNS, Failure(seen.sentence), seen.where, seen)
    if seen.kind == "late":
        return Finding("it answers in time", Failure(seen.sentence), "", seen)
    if seen.kind == "nothing":
        sentence = "Nothing was returned. A function gives back what stands after `return`."
        return Finding("it returns something", Failure(sentence), "", seen)
    if seen.kind == "unlike":
        return Finding("it returns the right type", Failure(seen.sentence), "", seen)
    if expected is None:
        return None
    for where, got, like in leaves(seen.value, expected):
        if is_numeric(like) and np.shape(got) != np.shape(like):
            sentence = f"The shape of what is returned{_within(where)} is not the right one."
            if np.ndim(like) == 0:
                sentence = f"What is returned{_within(where)} is an array; one number is expected."
            elif np.ndim(got) == 0:
                sentence = f"What is returned{_within(where)} is one number; an array of shape "
                sentence += f"{np.shape(like)} is expected."
                return Finding("it returns the right shape", Failure(sentence))
            elif np.shape(got) == np.shape(like)[::-1]:
                sentence += " It looks transposed."
            return Finding(
                "it returns the right shape", Failure(sentence, np.shape(got), np.shape(like))
            )
    return None


def not_finite(seen: Seen, expected: Any) -> Finding | None:
    """The first number that is none, where the expected one is finite."""
    for where, got, like in leaves(seen.value, expected):
        if not is_numeric(like):
            continue
        wrong = np.asarray(np.isfinite(like) & ~np.isfinite(got))
        if wrong.any():
            sentence, value, right = _first(wrong, got, like, where)
            return Finding(FINITE, Failure(f"{sentence} is not a finite number.", value, right))
    return None


def compared(got: Any, expected: Any, tolerance: float) -> Finding | None:
    """The first number or text that is another than expected."""
    for where, mine, theirs in leaves(got, expected):
        if is_numeric(theirs):
            wrong = far(mine, theirs, tolerance)
            if wrong.any():
                sentence, value, right = _first(wrong, mine, theirs, where)
                return Finding(SAME, Failure(f"{sentence} is another number.", value, right))
        elif isinstance(theirs, str) and mine != theirs:
            sentence = f"What is returned{_within(where)} is another text."
            return Finding(SAME, Failure(sentence, mine, theirs))
    return None


def _first(wrong: np.ndarray, got: Any, expected: Any, where: str) -> tuple[str, Any, Any]:
    """Words for the first entry where ``wrong`` is true, and the two values there."""
    if wrong.ndim == 0:
        return f"What is returned{_within(where)}", np.asarray(got)[()], np.asarray(expected)[()]
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    words = f"Entry [{', '.join(map(str, index))}] of what is returned{_within(where)}"
    return words, np.asarray(got)[index], np.asarray(expected)[index]


def _within(where: str) -> str:
    return f" ({where})" if where else ""


def loosely(got: Any, expected: Any) -> Finding | None:
    """The first number that is far from the expected one, as far as float32 may take it."""
    for where, mine, theirs in leaves(got, expected):
        if not is_numeric(theirs) or np.asarray(theirs).dtype.kind != "f":
            continue  # labels may differ where two distances are all but equal
        finite = np.isfinite(theirs)
        scale = float(np.max(np.abs(theirs), where=finite, initial=0.0)) or 1.0
        with np.errstate(invalid="ignore"):  # ∞ − ∞, and it is not looked at there
            wrong = np.asarray(finite & ~(np.abs(np.subtract(mine, theirs)) <= LOOSE * scale))
        if wrong.any():
            sentence, value, right = _first(wrong, mine, theirs, where)
            return Finding(SINGLE, Failure(f"{sentence} is far off.", value, right))
    return None
