"""Check of unit 06, exercise 6.5: how often two points have the same label, over all draws.

``labels`` (S, N), whole numbers: in draw s the points n and m are together if their labels are
equal. Which number it is means nothing, within a draw and from draw to draw. Nothing of size
S × N × N may be built: for 4,000 draws of 500 points that is a gigabyte of truth values, where the
result has two megabytes.
"""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

# 6.5 · Similarity of hard labels


def _hard_similarity(labels: NDArray) -> NDArray:
    together = np.zeros((labels.shape[1], labels.shape[1]))
    for draw in labels:
        together += draw[:, None] == draw
    return together / len(labels)


def _changed(again: NDArray, result: NDArray, what: str) -> Failure | None:
    if np.allclose(again, result, atol=1e-6):
        return None
    n, m = np.unravel_index(np.abs(again - result).argmax(), result.shape)
    return Failure(
        f"{what} and your entry [{n}, {m}] changed.", again[n, m], result[n, m], AFTER_BEFORE
    )


def _names_do_not_matter(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    (labels,) = args
    random = np.random.default_rng(5)
    renamed = np.empty_like(labels)
    for s, draw in enumerate(labels):
        names, which = np.unique(draw, return_inverse=True)
        renamed[s] = random.choice(np.arange(-9, 30), len(names), replace=False)[which]
    what = "In each draw the labels were exchanged for other numbers, which says nothing new,"
    return _changed(call(renamed), result, what)


def _draws_twice(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    (labels,) = args
    again = call(np.concatenate([labels, labels[::-1]]))
    return _changed(again, result, "Every draw was there twice, which says nothing new,")


def _are_shares(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    diagonal = np.diag(result)
    if not np.allclose(diagonal, 1, atol=1e-6):
        n = int(np.abs(diagonal - 1).argmax())
        return Failure(
            f"Point {n} has its own label in every draw: a share of 1. Your entry [{n}, {n}]:",
            diagonal[n],
            1.0,
        )
    if not np.allclose(result, result.T, atol=1e-6):
        n, m = np.unravel_index(np.abs(result - result.T).argmax(), result.shape)
        return Failure(
            f"Points {n} and {m} are as often together as {m} and {n}. Yours:",
            result[n, m],
            result[m, n],
            (f"[{n}, {m}]", f"[{m}, {n}]"),
        )
    strange = result[(result < -1e-9) | (result > 1 + 1e-6)]
    if not strange.size:
        return None
    return Failure("A share of draws lies between 0 and 1. One of yours:", strange[0])


DRAWS, POINTS = 1000, 250
"""Of the labels on which memory is measured: 62 MB of truth values in an S × N × N array."""

ALLOWED = DRAWS * POINTS**2 // 3
"""Bytes that may be in use at once: forty N × N tables of floats, or a column of floats for each of
the two labels of all draws, five times over. It is a third of the smallest S × N × N array."""

_one_at_a_time = threading.Lock()


def _needs_little(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if args[0].shape[0] < 50:  # once, and after the small cases
        return None
    # Python and NumPy tell tracemalloc what they take; an array of JAX's is not seen.
    labels = np.random.default_rng(6).integers(2, size=(DRAWS, POINTS))
    with _one_at_a_time:
        before = tracemalloc.is_tracing()
        if not before:
            tracemalloc.start()
        try:
            tracemalloc.reset_peak()
            used = tracemalloc.get_traced_memory()[0]
            call(labels)
            peak = tracemalloc.get_traced_memory()[1] - used
        finally:
            if not before:
                tracemalloc.stop()
    if peak <= ALLOWED:
        return None
    return Failure(
        f"For {DRAWS:,} draws of {POINTS} points the result takes half a MB; a table for each draw "
        "takes 62 MB, and that of truth values. In MB, yours had in use at once:",
        round(peak / 1e6),
        ALLOWED // 1_000_000,
        ("in use", "allowed"),
    )


def _of_tables(combine: Callable[[NDArray], object]) -> Callable[[NDArray], object]:
    """An answer made of the tables of all draws, (S, N, N) truth values."""
    return lambda labels: combine(labels[:, :, None] == labels[:, None])


def _single(draw: NDArray) -> NDArray:
    return np.asarray((draw[:, None] == draw).astype(float))


def _most_frequent(labels: NDArray) -> NDArray:
    names = np.unique(labels)
    counts = (labels[:, :, None] == names).sum(axis=0)
    return names[counts.argmax(axis=1)]


def _frequencies(labels: NDArray) -> NDArray:
    """How often each point has each label, (N, number of labels)."""
    return np.asarray((labels[:, :, None] == np.unique(labels)).mean(axis=0))


def _with_ones(table: NDArray) -> NDArray:
    table = np.array(table, dtype=float)
    np.fill_diagonal(table, 1)
    return table


def _from_zero_on(labels: NDArray) -> NDArray:
    total = np.zeros((labels.shape[1],) * 2)
    for k in range(labels.max() + 1):
        ones = (labels == k).astype(float)
        total += ones.T @ ones
    return total / len(labels)


def _rows_of_an_identity(labels: NDArray) -> NDArray:
    table = np.zeros((labels.shape[1],) * 2)
    for draw in labels:
        ones = np.eye(max(labels.max() + 1, 1))[draw]
        table += ones @ ones.T
    return table / len(labels)


def _in_eight_bits(labels: NDArray) -> NDArray:
    total = np.zeros((labels.shape[1],) * 2, dtype=np.uint8)
    for draw in labels:
        total += draw[:, None] == draw
    return total / len(labels)


_random = np.random.default_rng(65)
_DRAWN = _random.integers(3, size=(8, 6))
_MANY = np.where(
    _random.random((300, 12)) < 0.3, _random.integers(4, size=(300, 12)), [0, 2, 2] * 4
)
_MANY = (_MANY + _random.integers(4, size=(300, 1))) % 4  # names that change from draw to draw

hard_similarity = Exercise(
    number="6.5",
    name="hard_similarity",
    reference=_hard_similarity,
    cases=(
        Case("one draw of three points", (np.array([[1, 2, 1]]),)),
        Case("two draws, the second with names exchanged", (np.array([[0, 0, 1], [1, 1, 0]]),)),
        Case("two draws that differ", (np.array([[0, 1, 1, 0], [0, 0, 1, 1]]),)),
        Case(
            "three draws, with labels such as −1 and 900",
            (np.array([[-1, 7, 7, 900], [-1, -1, 900, 3], [4, -1, 900, 4]]),),
        ),
        Case("eight draws of six points", (_DRAWN,)),
        Case("three hundred draws of twelve points", (_MANY,)),
    ),
    properties=(
        Property("new numbers for the labels of a draw change nothing", _names_do_not_matter),
        Property("symmetric, between 0 and 1, a point always with itself", _are_shares),
        Property("draws twice over change nothing", _draws_twice),
        Property("nothing of size S × N × N is built", _needs_little),
    ),
    misconceptions=(
        Misconception(
            "all tables at once",
            _of_tables(lambda tables: tables.mean(axis=0)),
            "The numbers are right. On the way you build a table for *each* draw and keep them "
            "all: S × N × N, gigabytes for a long run. Go through the draws, or some of them at a "
            "time, and keep the sum alone.",
        ),
        Misconception(
            "first draw",
            lambda labels: _single(labels[0]),
            "You use the first draw alone. How sure the posterior is shows in all of them: which "
            "share of the draws has the two together?",
        ),
        Misconception(
            "last draw",
            lambda labels: _single(labels[-1]),
            "You use the last draw alone. A posterior is all of its draws, not where the chain "
            "ended: average over them.",
        ),
        Misconception(
            "most frequent label",
            lambda labels: _single(_most_frequent(labels)),
            "You give each point its most frequent label over the draws, and compare these. Label "
            "1 of one draw may be label 2 of the next: compare *within* each draw.",
        ),
        Misconception(
            "labels averaged",
            lambda labels: _single(labels.mean(axis=0)),
            "You average the labels. They are names: between 1 and 3 there is no 2. Compare within "
            "each draw, and average the answers.",
        ),
        Misconception(
            "labels averaged and rounded",
            lambda labels: _single(labels.mean(axis=0).round()),
            "You average the labels and round. They are names: between 1 and 3 there is no 2. "
            "Compare within each draw, and average the answers.",
        ),
        Misconception(
            "frequencies of labels",
            lambda labels: _frequencies(labels) @ _frequencies(labels).T,
            "You find how often each point has each label, and multiply these. Names change from "
            "draw to draw, so “how often label 1” means nothing: compare within each draw.",
        ),
        Misconception(
            "frequencies of labels, diagonal 1",
            lambda labels: _with_ones(_frequencies(labels) @ _frequencies(labels).T),
            "You multiply how often each point has each label. Names change from draw to draw; and "
            "even with fixed names two points that always move *together* would come out too low.",
        ),
        Misconception(
            "sum over draws",
            _of_tables(lambda tables: tables.sum(axis=0)),
            "You count the draws. The share of the draws is due: divide by their number.",
        ),
        Misconception(
            "over the number of points",
            _of_tables(lambda tables: tables.sum(axis=0) / tables.shape[1]),
            "You divide by the number of points. You have counted draws: divide by theirs.",
        ),
        Misconception(
            "diagonal 0",
            _of_tables(lambda tables: tables.mean(axis=0) - np.eye(tables.shape[1])),
            "Your diagonal is 0. A point has its own label in every draw: 1.",
        ),
        Misconception(
            "apart",
            _of_tables(lambda tables: 1 - tables.mean(axis=0)),
            "This is the share of draws in which two points are *apart*. Asked is: together.",
        ),
        Misconception(
            "in every draw",
            _of_tables(lambda tables: tables.all(axis=0).astype(float)),
            "Yours is 1 only where two points are together in all draws, and 0 elsewhere. The "
            "*share* of draws is asked for; if you divide with `//`, what is after the point is "
            "lost: `/` keeps it.",
        ),
        Misconception(
            "in some draw",
            _of_tables(lambda tables: tables.any(axis=0).astype(float)),
            "Yours is 1 where two points are together in any draw. The *share* of draws is asked "
            "for.",
        ),
        Misconception(
            "more often than not",
            _of_tables(lambda tables: (tables.mean(axis=0) > 0.5).astype(float)),
            "You round to 0 and 1 at one half. That cut comes later, and on groups; here the share "
            "itself is asked for.",
        ),
        Misconception(
            "draws for points",
            lambda labels: _hard_similarity(labels.T),
            "Your table has a row for each draw: you compare draws, and average over points. "
            "`labels[s]` has the labels of all points in draw s.",
        ),
        Misconception(
            "one half of it",
            _of_tables(lambda tables: np.triu(tables.mean(axis=0))),
            "You fill in one half of the table. n with m is as often together as m with n: both "
            "entries are due.",
        ),
        Misconception(
            "one half without the diagonal",
            _of_tables(lambda tables: np.triu(tables.mean(axis=0), 1)),
            "You fill in the pairs with n < m alone. The table is symmetric, and a point is always "
            "together with itself.",
        ),
        Misconception(
            "labels multiplied",
            lambda labels: labels.T @ labels / len(labels),
            "You multiply labels as if they were quantities. They are names: whether they are "
            "*equal* is all they tell.",
        ),
        Misconception(
            "distance of labels",
            lambda labels: np.abs(labels[:, :, None] - labels[:, None]).mean(axis=0),
            "You take differences of labels. They are names: 7 is no nearer to 8 than to −1. "
            "Whether they are *equal* is all they tell.",
        ),
        Misconception(
            "correlation of labels",
            lambda labels: np.corrcoef(labels.T),
            "You correlate labels over the draws. They are names, not quantities, and they change "
            "from draw to draw: in which share of draws are they equal?",
        ),
        Misconception(
            "labels from 0 on",
            _from_zero_on,
            "You go through the labels 0, 1, 2, … and miss −1. Labels may be any whole numbers: "
            "compare them with each other, or take `np.unique(labels)`.",
        ),
        Misconception(
            "rows of an identity matrix",
            _rows_of_an_identity,
            "`np.eye(K)[labels]` takes −1 for the *last* row, so −1 and the largest label become "
            "one. Labels may be any whole numbers: compare them with each other.",
        ),
        Misconception(
            "counted in eight bits",
            _in_eight_bits,
            "You count in numbers of eight bits, and after 255 they begin again at 0. One table is "
            "small: count in floats.",
        ),
    ),
    hints=(
        "In one draw: which pairs have the same label? That is a table of truth values, which "
        "`draw[:, None] == draw` makes.",
        "Begin with a table of zeros, and add the table of each draw to it, one after another. "
        "Divide by the number of draws in the end.",
        "together = np.zeros((n, n)), then for draw in labels: together += draw[:, None] == draw; "
        "return together / len(labels)",
    ),
    time_limit=15.0,  # a loop over pairs is slow on the large case, and not wrong
)
