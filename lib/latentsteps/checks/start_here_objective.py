"""Checks of unit 00, exercise 0.4: the objective of k-means.

Points are rows ``x`` (N, D), means (K, D), labels (N,) the rows of their means.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE
from latentsteps.models import kmeans

_random = np.random.default_rng(2)
_EIGHT_POINTS = _random.normal(size=(8, 3)).round(2)
_EIGHT_LABELS = np.array([2, 0, 0, 1, 1, 0, 0, 2])


def _never_raised(half: str, change: Callable) -> Property:
    """One half of the loop, ``change(x, means, labels) -> means, labels``, cannot raise it."""

    def holds(call: Callable, args: tuple, result: float) -> Failure | None:
        x, means, labels = args
        after = float(call(x, *change(x, means, labels)))
        if after <= float(result) + 1e-4:
            return None
        return Failure(
            f"{half} cannot raise the distortion, and yours rises above what it was.",
            after,
            float(result),
            AFTER_BEFORE,
        )

    return Property(f"{half[0].lower()}{half[1:]} never raises it", holds)


def _own_squares(x: NDArray, means: NDArray, labels: NDArray) -> NDArray:
    return ((x - means[labels]) ** 2).sum(axis=1)


distortion = Exercise(
    number="0.4",
    name="distortion",
    reference=kmeans.distortion,
    cases=(
        Case("one point, one mean", (np.array([[3.0, 4.0]]), np.zeros((1, 2)), np.array([0]))),
        Case(
            "three points on a line, two of them in one place",
            (np.array([[0.0], [0.0], [9.0]]), np.array([[0.0]]), np.array([0, 0, 0])),
        ),
        Case(
            "three points, two means, the last point not with its nearest",
            (
                np.array([[0.0, 0.0], [2.0, 0.0], [5.0, 0.0]]),
                np.array([[1.0, 0.0], [6.0, 1.0]]),
                np.array([0, 0, 0]),
            ),
        ),
        Case(
            "eight points, three means",
            (_EIGHT_POINTS, _random.normal(size=(3, 3)).round(2), _EIGHT_LABELS),
        ),
    ),
    properties=(
        _never_raised(
            "Moving each mean to the middle of its members",
            lambda x, means, labels: (kmeans.update_means(x, labels, means), labels),
        ),
        _never_raised(
            "Sending each point to its nearest mean",
            lambda x, means, labels: (means, kmeans.assign(x, means)),
        ),
    ),
    misconceptions=(
        Misconception(
            "unsquared",
            lambda x, means, labels: np.sqrt(_own_squares(x, means, labels)).sum(),
            "You add up distances, not their squares. Moving a mean to the middle of its members "
            "can raise such a sum, and then nothing promises that the loop ever stops.",
        ),
        Misconception(
            "root of the sum",
            lambda x, means, labels: np.linalg.norm(x - means[labels]),
            "This is the root of what is asked for. `np.linalg.norm` takes a root at its end; add "
            "up the squares and leave it at that.",
        ),
        Misconception(
            "labels unused",
            lambda x, means, labels: ((x - means) ** 2).sum(),
            "`x - means` sets the first point against the first mean, the second against the "
            "second. Each point needs its own mean: `means[labels]` has one for each.",
        ),
        Misconception(
            "average",
            lambda x, means, labels: _own_squares(x, means, labels).mean(),
            "You give the average over the points. The distortion is the sum.",
        ),
        Misconception(
            "largest",
            lambda x, means, labels: _own_squares(x, means, labels).max(),
            "You give the largest squared distance, so that a single point decides. Sum over all.",
        ),
        Misconception(
            "labels ignored",
            lambda x, means, labels: kmeans.squared_distances(x, means).min(axis=1).sum(),
            "You measure to the nearest mean, whatever the label says. After a move some labels "
            "are out of date: score the state you are given, labels and all.",
        ),
        Misconception(
            "means ignored",
            lambda x, means, labels: kmeans.distortion(
                x, kmeans.update_means(x, labels, means), labels
            ),
            "You measure to the members' own middle and not to `means`. Score the state you are "
            "given: only then can it be seen that a move helps.",
        ),
        Misconception(
            "all pairs",
            lambda x, means, labels: kmeans.squared_distances(x, means).sum(),
            "You add up the distances to all means. Each point counts once, for the mean that its "
            "label names.",
        ),
    ),
    hints=(
        "For each point: the squared distance to the one mean that its label names.",
        "`means[labels]` has a row for each point, its own mean: shape (N, D), like `x`.",
        "`return ((x - means[labels]) ** 2).sum()`",
    ),
)
