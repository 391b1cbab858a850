"""The parts of a check: cases, properties, misconceptions, and what is said of an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

NOT_ATTEMPTED, PASSES, NOT_YET = "not attempted", "passes", "not yet"


class Failure(NamedTuple):
    """What does not hold: a sentence, and the two numbers, texts or small arrays to show."""

    sentence: str
    got: object = None
    expected: object = None
    words: tuple[str, str] = ("got", "expected")
    """What the two are, where a result on changed inputs is set against the one before."""


AFTER_BEFORE = ("after", "before")


class Verdict(NamedTuple):
    """What a check found.

    ``sentence`` is what to read first: the misconception's where there is one, else what failed.
    ``property`` and ``case`` are the labels of what failed and where, ``misconception`` a name,
    ``evidence`` the further lines to show, ``held`` the properties that a pass stands for.
    """

    outcome: str
    sentence: str
    property: str | None = None
    case: str | None = None
    misconception: str | None = None
    printed: str = ""
    evidence: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


class Case(NamedTuple):
    """One input that every answer is run on."""

    label: str
    """In words: "two images, two clusters"."""
    args: tuple
    refused: str = ""
    """Where a ValueError is the right answer, why, as a sentence: "−1 is no pixel's value."."""


class Property(NamedTuple):
    """Something that holds for every right answer, however it was derived.

    ``holds(call, args, result)`` returns None, or the :class:`Failure` to show. ``result`` is the
    answer on ``args``, already of the reference's type and shape: arrays are float64, int64 or
    bool, single numbers are Python's. ``call(*other_args)`` runs the answer again, as protected,
    and ends the property by itself if nothing usable comes back.
    """

    label: str
    holds: Callable[[Callable[..., Any], tuple, Any], Failure | None]


class Misconception(NamedTuple):
    """A wrong answer that people really give, and the sentence that helps."""

    name: str
    answer: Any
    sentence: str


class Task(Protocol):
    """What has to be known of an exercise to judge an answer to it; see ``Exercise``."""

    name: str
    reference: Callable[..., Any]
    cases: tuple[Case, ...]
    properties: tuple[Property, ...]
    misconceptions: tuple[Misconception, ...]
    tolerance: float
    time_limit: float
    compare: bool
    single: bool
    tensors: bool
    gradients: tuple[str, ...]

    def expected(self, index: int) -> Any:
        """What the reference gives on case ``index``."""

    def mistaken(self, which: int, index: int) -> tuple:
        """What misconception number ``which`` does on case ``index``."""
