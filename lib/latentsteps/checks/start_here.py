"""Checks of unit 00, the warm-up and exercises 0.1 to 0.3; the others are brought in from two
more files, so that a notebook needs one name.

Points are rows ``x`` (N, D), means (K, D), labels (N,) the rows of their means. Each exercise has
a reference, cases from small to large, properties that every right answer has, and the wrong
answers that people give, each with the sentence that helps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.display import shown
from latentsteps.checks.exercise import (
    Case,
    Exercise,
    Failure,
    Misconception,
    Property,
    ValueExercise,
)
from latentsteps.checks.start_here_objective import distortion
from latentsteps.checks.start_here_scores import (
    matched_accuracy,
    more_clusters,
    purity,
    seconds,
    stopped,
)
from latentsteps.checks.task import AFTER_BEFORE
from latentsteps.models import kmeans

__all__ = [
    "distortion",
    "matched_accuracy",
    "more_clusters",
    "n_eruptions",
    "nearest",
    "purity",
    "seconds",
    "squared_distances",
    "stopped",
    "update_means",
]

_random = np.random.default_rng(0)
_SIX_POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [5.0, 5.0], [6.0, 5.0], [5.0, 7.0]])
_EIGHT_POINTS = _random.normal(size=(8, 3)).round(2)
_EIGHT_LABELS = np.array([2, 0, 0, 1, 1, 0, 0, 2])


# 0.0 The warm-up


def _counts_rows(value: int) -> Failure | None:
    return None if value == 272 else Failure("`geyser` has another number of rows.", value)


n_eruptions = ValueExercise(
    number="0.0",
    name="n_eruptions",
    reference=272,
    accepts=_counts_rows,
    misconceptions=(
        Misconception(
            "columns",
            2,
            "2 is the number of columns, the two things measured at each eruption. An eruption "
            "is a row: count the rows.",
        ),
        Misconception(
            "entries",
            544,
            "544 counts every entry, rows times columns. An eruption is a whole row.",
        ),
        Misconception(
            "last row",
            271,
            "271 is the number of the last row. Python counts from 0, so there is one row more.",
        ),
    ),
    hints=(
        "`geyser` is a NumPy array with one row for each eruption.",
        "`geyser.shape` gives two numbers: of rows, and of columns.",
        "`n_eruptions = len(geyser)`",
    ),
)


# 0.1 Squared distances


def _moved_together(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, means = args
    moved = np.asarray(call(x + 3, means + 3))
    if moved.shape == result.shape and np.allclose(moved, result, rtol=1e-4, atol=1e-4):
        return None
    return Failure(
        "Distances stay when points and means all move alike. With 3 added to every coordinate "
        "yours are others.",
        moved,
        result,
        AFTER_BEFORE,
    )


squared_distances = Exercise(
    number="0.1",
    name="squared_distances",
    reference=kmeans.squared_distances,
    cases=(
        Case("one point, one mean", (np.array([[3.0, 4.0]]), np.array([[0.0, 0.0]]))),
        Case("two points, one mean", (np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 1.0]]))),
        Case("two points, three means", (_SIX_POINTS[1:3], _SIX_POINTS[[0, 1, 5]])),
        Case("six points, two means", (_SIX_POINTS, np.array([[0.5, 0.5], [5.0, 6.0]]))),
        Case(
            "eight points, four means, three coordinates",
            (_EIGHT_POINTS, _random.normal(size=(4, 3)).round(2)),
        ),
    ),
    properties=(Property("moving everything together changes nothing", _moved_together),),
    misconceptions=(
        Misconception(
            "no square",
            lambda x, means: np.sqrt(kmeans.squared_distances(x, means)),
            "These are distances, and their squares are asked for: leave the square root out. It "
            "matters, because the mean is the point that makes squares small.",
        ),
        Misconception(
            "absolute differences",
            lambda x, means: np.abs(x[:, None] - means).sum(axis=2),
            "You add up absolute differences. Square each difference first: the mean makes "
            "squares small; absolute differences are made small by the median.",
        ),
        Misconception(
            "summed before squaring",
            lambda x, means: (x[:, None] - means).sum(axis=2) ** 2,
            "You add the differences up first and square their sum: (3 + 4)² = 49. Square each "
            "difference, then add: 9 + 16 = 25.",
        ),
        Misconception(
            "summed over points",
            lambda x, means: ((x[:, None] - means) ** 2).sum(axis=0),
            "You sum over the points. Each pair of a point and a mean gets one number: which axis "
            "holds the coordinates? Sum over that one.",
        ),
        Misconception(
            "points to points",
            lambda x, means: kmeans.squared_distances(x, x),
            "You measure from points to points. Measure from points to means: a row for each "
            "point, a column for each mean.",
        ),
        Misconception(
            "transposed",
            lambda x, means: kmeans.squared_distances(x, means).T,
            "Rows and columns are swapped: a row for each point, a column for each mean.",
        ),
        Misconception(
            "rows paired",
            lambda x, means: ((x - means) ** 2).sum(axis=1),
            "`x - means` pairs the first point with the first mean, the second with the second. "
            "Every point has to meet every mean: two loops do it, or `x[:, None] - means`.",
        ),
    ),
    hints=(
        "Begin with one point and one mean: subtract, square, add up. Loops are welcome.",
        "Without loops: `x[:, None]` has the shape (N, 1, D), so `x[:, None] - means` is a table "
        "of all differences, (N, K, D).",
        "Square that table and sum it over its last axis: `.sum(axis=2)`.",
    ),
)


# 0.2 The nearest mean


def first_smallest(distances: NDArray) -> NDArray[np.intp]:
    """The column of each row's smallest entry, of equal ones the first: (N, K) -> (N,)."""
    return distances.argmin(axis=1)


def _none_is_nearer(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    (distances,) = args
    k = distances.shape[1]
    if not np.isin(result, np.arange(k)).all():
        return Failure(
            f"With {k} means the labels are whole numbers from 0 to {k - 1}.", np.asarray(result)
        )
    own = distances[np.arange(len(distances)), np.asarray(result, dtype=int)]
    wrong = np.flatnonzero(own > distances.min(axis=1))
    if not wrong.size:
        return None
    n = wrong[0]
    return Failure(
        f"Point {n} does not go to its nearest mean. Its squared distance is:",
        float(own[n]),
        float(distances[n].min()),
    )


nearest = Exercise(
    number="0.2",
    name="nearest",
    reference=first_smallest,
    cases=(
        Case("one point, two means", (np.array([[4.0, 1.0]]),)),
        Case("three points, two means", (np.array([[1.0, 4.0], [5.0, 2.0], [2.4, 2.1]]),)),
        Case(
            "three points, three means",
            (np.array([[1.0, 4.0, 9.0], [2.0, 8.0, 3.0], [7.0, 6.0, 5.0]]),),
        ),
        Case("two points, the second in a tie", (np.array([[3.0, 1.0], [2.0, 2.0]]),)),
        Case("eight points, four means", (_random.uniform(0, 9, size=(8, 4)).round(1),)),
    ),
    properties=(Property("no other mean is nearer", _none_is_nearer),),
    misconceptions=(
        Misconception(
            "farthest",
            lambda distances: distances.argmax(axis=1),
            "The farthest mean won. A point goes where the distance is smallest.",
        ),
        Misconception(
            "wrong axis",
            lambda distances: distances.argmin(axis=0),
            "You found the nearest point of each mean. Each point needs one label: search along "
            "its row.",
        ),
        Misconception(
            "how far",
            lambda distances: distances.min(axis=1),
            "You give how far the nearest mean is. A label says which mean it is: its column.",
        ),
        Misconception(
            "counted from one",
            lambda distances: distances.argmin(axis=1) + 1,
            "Your labels begin at 1. Python counts from 0, and `means[label]` has to be the mean "
            "that you chose.",
        ),
        Misconception(
            "last of a tie",
            lambda distances: distances.shape[1] - 1 - distances[:, ::-1].argmin(axis=1),
            "Where two means are equally near you take the last, and the first is asked for. Any "
            "fixed rule would do: with one, the same start always gives the same run.",
        ),
    ),
    hints=(
        "In each row, in which column does the smallest number stand?",
        "`min` gives the number itself, `argmin` its place. Which axis runs along a row?",
        "`return distances.argmin(axis=1)`",
    ),
)


# 0.3 New means


def _differences_cancel(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, labels, _ = args
    for k in np.unique(labels):
        left = (x[labels == k] - result[k]).sum(axis=0)
        if not np.allclose(left, 0, atol=1e-4):
            return Failure(
                f"The middle is where the differences cancel. In cluster {k} your mean is "
                f"{shown(result[k])}, and its members minus that add up to something else than 0.",
                left,
                np.zeros_like(left),
            )
    return None


def _empty_stays(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, labels, means = args
    for k in np.setdiff1d(np.arange(len(means)), labels):
        if not np.allclose(result[k], means[k], atol=1e-5):
            return Failure(
                f"Cluster {k} has no members, so its mean stays where it was.", result[k], means[k]
            )
    return None


def _with_empty_at(value: float) -> Callable:
    def new_means(x: NDArray, labels: NDArray, means: NDArray) -> NDArray:
        occupied = np.isin(np.arange(len(means)), labels)[:, None]
        return np.where(occupied, kmeans.update_means(x, labels, means), value)

    return new_means


def _in_place(x: NDArray, labels: NDArray, means: NDArray) -> NDArray:
    means[:] = kmeans.update_means(x, labels, means)
    return means


update_means = Exercise(
    number="0.3",
    name="update_means",
    reference=kmeans.update_means,
    cases=(
        Case(
            "two points, one cluster",
            (np.array([[0.0, 0.0], [2.0, 4.0]]), np.array([0, 0]), np.array([[9.0, 9.0]])),
        ),
        Case(
            "four points, two clusters",
            (_SIX_POINTS[2:], np.array([0, 0, 1, 0]), np.array([[0.0, 0.0], [4.0, 4.0]])),
        ),
        Case(
            "three points, three clusters, nobody in cluster 1",
            (
                np.array([[1.0, 0.0], [3.0, 0.0], [6.0, 6.0]]),
                np.array([0, 0, 2]),
                np.array([[1.0, 1.0], [50.0, 40.0], [5.0, 5.0]]),
            ),
        ),
        Case(
            "eight points, four clusters, nobody in cluster 3",
            (_EIGHT_POINTS, _EIGHT_LABELS, np.arange(12.0).reshape(4, 3)),
        ),
    ),
    properties=(
        Property("around a mean the differences cancel", _differences_cancel),
        Property("an empty cluster stays", _empty_stays),
    ),
    misconceptions=(
        Misconception(
            "divided by all",
            lambda x, labels, means: np.array(
                [x[labels == k].sum(axis=0) / len(x) for k in range(len(means))]
            ),
            "You divide by the number of all points, which pulls every mean towards zero. Divide "
            "by the cluster's own number of members; a cluster without any stays where it was.",
        ),
        Misconception(
            "one mean for all coordinates",
            lambda x, labels, means: np.array(
                [
                    np.full(x.shape[1], x[labels == k].mean()) if k in labels else old
                    for k, old in enumerate(means)
                ]
            ),
            "You average over the coordinates as well. Each coordinate has a mean of its own: "
            "`.mean(axis=0)`.",
        ),
        Misconception(
            "empty is NaN",
            _with_empty_at(np.nan),
            "A cluster without members has become NaN, which is 0 divided by 0. Nobody came, so "
            "keep its old mean: that is what `means` is handed over for.",
        ),
        Misconception(
            "empty is zero",
            _with_empty_at(0.0),
            "A cluster without members has jumped to zero, a place like any other. Nobody came, "
            "so keep its old mean: that is what `means` is handed over for.",
        ),
        Misconception(
            "empty is dropped",
            lambda x, labels, means: np.array(
                [x[labels == k].mean(axis=0) for k in np.unique(labels)]
            ),
            "A cluster without members has vanished, and those after it have changed their "
            "numbers. Go through all K clusters, not through the labels that occur.",
        ),
        Misconception(
            "in place",
            _in_place,
            "Your numbers are right, but you wrote them into the `means` that were handed to you: "
            "your input changed, and the old means are lost. Begin with `new = means.copy()`.",
        ),
    ),
    hints=(
        "For one cluster `k`: who are its members, and what is their mean?",
        "`x[labels == k]` are the members. Begin with `new = means.copy()`, and overwrite the rows "
        "of those clusters that have any.",
        "In `for k in range(len(means)):` take `members = x[labels == k]`; if `len(members) > 0`, "
        "set `new[k] = members.mean(axis=0)`. After the loop, `return new`.",
    ),
)
