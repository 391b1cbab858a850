"""What the tables of `make bench` share: a row, and timings taken in turn."""

from __future__ import annotations

import importlib.metadata
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the table."""

    case: str
    """What was done: rows of the same case are compared with each other."""
    who: str
    result: str
    """A time, an amount of memory, a likelihood: with its unit."""
    ratio: str = ""
    """The result in terms of that case's first row."""
    note: str = ""


class Entry(NamedTuple):
    """Something to be timed."""

    who: str
    function: Callable[[], object]
    """Does the work, and does not return before it is done."""
    share: float = 1.0
    """What part of the function's time is meant: 1/20 for a fit of 20 steps, 12 where a twelfth
    of the data stands for all."""
    note: str = ""


def say(words: str) -> None:
    """Progress goes to stderr, so that the table alone is on stdout."""
    print(words, file=sys.stderr, flush=True)


def timed(case: str, entries: list[Entry], rounds: int = 7, budget: float = 8.0) -> list[Row]:
    """A row for each entry: the median over rounds, and the ratio to the first entry.

    Every round times each entry once, in turn, so that a busy minute of the machine hits all of
    them. What has used up ``budget`` seconds sits out the later rounds. The first call of all is
    not counted unless it alone took the budget. An entry that raises is named with its error.
    """
    times: dict[str, list[float]] = {entry.who: [] for entry in entries}
    failed: dict[str, str] = {}
    for entry in entries:
        say(f"  {case}: {entry.who}")
        try:
            first = _seconds(entry.function)
        except Exception as error:
            failed[entry.who] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            continue
        if first > budget:
            times[entry.who].append(first)
    for _ in range(rounds):
        for entry in entries:
            if entry.who not in failed and sum(times[entry.who]) < budget:
                times[entry.who].append(_seconds(entry.function))
    medians = {
        entry.who: statistics.median(times[entry.who]) * entry.share
        for entry in entries
        if entry.who not in failed
    }
    rows = []
    for entry in entries:
        if entry.who in failed:
            rows.append(Row(case, entry.who, "fails", "", failed[entry.who]))
            continue
        ratio = medians[entry.who] / medians[entries[0].who]
        count = len(times[entry.who])
        note = f"{count} times" + (f"; {entry.note}" if entry.note else "")
        rows.append(Row(case, entry.who, duration(medians[entry.who]), f"{ratio:.3g}", note))
    return rows


def duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def version(package: str) -> str:
    """The version that is installed, or ``absent``."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _seconds(function: Callable[[], object]) -> float:
    """Seconds a call takes. What ran before leaves spinning threads and strange caches behind, so
    a call of less than half a second is repeated, for a tenth of one, and only then counted."""
    start = time.perf_counter()
    function()
    once = time.perf_counter() - start
    if once >= 0.5:
        return once
    calls = max(1, round(0.1 / once))
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls
