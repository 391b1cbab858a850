"""Checks of unit 00, exercises 0.7 and 0.8 and the questions: clusters against labels.

``clusters`` and ``labels`` are whole numbers, one of each for every point, shape (N,).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property, Question
from latentsteps.checks.task import AFTER_BEFORE
from latentsteps.evaluation import scores

_random = np.random.default_rng(1)


# 0.7 Purity and 0.8 Matched accuracy

_SCORE_CASES = (
    Case(
        "four points, clusters named like the labels",
        (np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])),
    ),
    Case("the same with the names swapped", (np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]))),
    Case(
        "a cluster of five and a cluster of two",
        (np.array([0, 0, 0, 0, 0, 1, 1]), np.array([3, 3, 3, 5, 5, 3, 5])),
    ),
    Case(
        "a cluster of nine, with two labels, and a cluster of four, with one",
        (np.repeat([0, 1], [9, 4]), np.repeat([7, 8, 7], [5, 4, 4])),
    ),
    Case(
        "five points, each alone, and two labels",
        (np.array([4, 1, 2, 3, 0]), np.array([2, 2, 6, 6, 6])),
    ),
    Case(
        "a cluster of ten and a cluster of one",
        (np.array([0] * 10 + [1]), np.array([2] * 6 + [3] * 4 + [2])),
    ),
    Case(
        "forty points, six clusters, four labels",
        (_random.integers(0, 6, size=40), _random.integers(0, 4, size=40)),
    ),
)


def _is_share(call: Callable, args: tuple, result: float) -> Failure | None:
    if 0 <= float(result) <= 1:
        return None
    return Failure("A share lies between 0 and 1.", float(result))


def _renamed(call: Callable, args: tuple, result: float) -> Failure | None:
    clusters, labels = args
    renamed = float(call(clusters.max() - clusters, labels))
    if abs(renamed - float(result)) < 1e-5:
        return None
    return Failure(
        f"A cluster's number is only a name. Number {clusters.max()} − k for k, the same points in "
        "each, and your score is another.",
        renamed,
        float(result),
        AFTER_BEFORE,
    )


def _alone_is_pure(call: Callable, args: tuple, result: float) -> Failure | None:
    _, labels = args
    alone = float(call(np.arange(len(labels)), labels))
    if abs(alone - 1) < 1e-5:
        return None
    return Failure(
        "When each point is alone in a cluster, every cluster is pure. With the same labels and "
        f"clusters 0 to {len(labels) - 1}, one for each point:",
        alone,
        1.0,
    )


def _greedy(clusters: NDArray, labels: NDArray) -> float:
    table = scores.confusion_matrix(clusters, labels)
    total = 0
    for _ in range(min(table.shape)):
        row, column = np.unravel_index(table.argmax(), table.shape)
        total += table[row, column]
        table[row], table[:, column] = -1, -1
    return total / len(labels)


def _by_shares(clusters: NDArray, labels: NDArray) -> float:
    table = scores.confusion_matrix(clusters, labels)
    places = linear_sum_assignment(table / table.sum(axis=1, keepdims=True), maximize=True)
    return table[places].sum() / len(labels)


def _worst(clusters: NDArray, labels: NDArray) -> float:
    table = scores.confusion_matrix(clusters, labels)
    return table[linear_sum_assignment(table)].sum() / len(labels)


_NAMES_COMPARED = Misconception(
    "names compared",
    lambda clusters, labels: np.mean(clusters == labels),
    "You compare the cluster's number with the label. That number is only a name: cluster 0 may "
    "hold the sevens. Look at which labels the members of a cluster have.",
)


def _columns_as_labels(clusters: NDArray, labels: NDArray) -> float:
    return np.mean(scores.confusion_matrix(clusters, labels).argmax(axis=1)[clusters] == labels)


def _matched_columns_as_labels(clusters: NDArray, labels: NDArray) -> float:
    table = scores.confusion_matrix(clusters, labels)
    rows, columns = linear_sum_assignment(table, maximize=True)
    names = dict(zip(rows, columns, strict=True))
    return np.mean([names.get(k) == label for k, label in zip(clusters, labels, strict=True)])


_COLUMNS = (
    "You take the number of a column for a label. The table has a column for each label that "
    "occurs, in order: with the labels 3 and 5, column 0 counts the 3s. You need no names at all: "
    "the counts in the table say how many are right."
)

purity = Exercise(
    number="0.7",
    name="purity",
    reference=scores.purity,
    cases=_SCORE_CASES,
    properties=(
        Property("lies between 0 and 1", _is_share),
        Property("the clusters' numbers do not matter", _renamed),
        Property("N clusters of one point each have purity 1", _alone_is_pure),
    ),
    misconceptions=(
        _NAMES_COMPARED,
        Misconception(
            "unweighted",
            lambda clusters, labels: np.mean(
                [scores.purity(clusters[clusters == k], labels[clusters == k]) for k in {*clusters}]
            ),
            "You average the clusters' own shares, so that a cluster of two counts as much as one "
            "of two hundred. Weigh by size: add up the counts, and divide by N at the end.",
        ),
        Misconception(
            "seen from the labels",
            lambda clusters, labels: scores.purity(labels, clusters),
            "You ask of each label which cluster has most of it. Purity asks of each cluster which "
            "label it has most of: the other axis of the table.",
        ),
        Misconception("columns taken for labels", _columns_as_labels, _COLUMNS),
        Misconception(
            "each label once",
            scores.matched_accuracy,
            "You let each label stand for one cluster only. That is the next exercise; in purity "
            "two clusters may have the same commonest label.",
        ),
    ),
    hints=(
        "Of each cluster: how many members have the label that is the commonest there?",
        "`confusion_matrix(clusters, labels)` counts, with a row for each cluster and a column for "
        "each label. You need the largest number of each row.",
        "Add those up, `.max(axis=1).sum()`, and divide by `len(labels)`.",
    ),
)

matched_accuracy = Exercise(
    number="0.8",
    name="matched_accuracy",
    reference=scores.matched_accuracy,
    cases=_SCORE_CASES,
    properties=(
        Property("lies between 0 and 1", _is_share),
        Property("the clusters' numbers do not matter", _renamed),
    ),
    misconceptions=(
        _NAMES_COMPARED,
        Misconception(
            "a label more than once",
            scores.purity,
            "You give every cluster its commonest label, which is purity. Here each label is given "
            "away once: a second cluster of the same digit earns nothing.",
        ),
        Misconception("columns taken for labels", _matched_columns_as_labels, _COLUMNS),
        Misconception(
            "shares instead of counts",
            _by_shares,
            "You match by shares of a cluster, so that a cluster of one counts as much as one of "
            "ten. Matched accuracy counts points: give `linear_sum_assignment` the counts.",
        ),
        Misconception(
            "greedy",
            _greedy,
            "You take the largest number of the table, then the largest of what is left. An early "
            "grab can cost more than it brings; `linear_sum_assignment` weighs all matchings.",
        ),
        Misconception(
            "the worst matching",
            _worst,
            "This is the worst matching of all: `linear_sum_assignment` makes the sum small unless "
            "you say `maximize=True`.",
        ),
    ),
    hints=(
        "Pick entries of the table, no two in one row or one column, with the largest sum.",
        "`rows, columns = linear_sum_assignment(table, maximize=True)` finds their places.",
        "`return table[rows, columns].sum() / len(labels)`",
    ),
)


# Questions

seconds = Question(
    number="0.5",
    name="seconds",
    right="c",
    replies={
        "a": "A unit is only a name to you and me. k-means sees the numbers, and differences that "
        "are 60 times larger weigh 3,600 times more in a sum of squares.",
        "b": "For that, all distances would have to grow by the same factor. Only one column has "
        "changed its unit, and with it the balance between the two.",
        "c": "Yes. Counted in seconds the lengths vary more than the waits, so now they decide.",
    },
    hints=(
        "By what number do a short and a long eruption differ in each column now?",
        "A sum of squares listens to the column in which the numbers vary more.",
    ),
)

stopped = Question(
    number="0.6",
    name="stopped",
    right="b",
    replies={
        "a": "The restarts above say no: each of them had stopped, and they ended at different "
        "distortions.",
        "b": "Yes. Each half is the best there is while the other is held fixed; to change both at "
        "once might still help, and the loop never tries that.",
        "c": "It stops for every K, also for one that makes no sense, so stopping says nothing "
        "about the number of clusters.",
    },
    hints=(
        "Every one of the 30 runs had stopped. What differed between them?",
        "Which two things does the loop change, and does it ever change both at once?",
    ),
)

more_clusters = Question(
    number="0.9",
    name="more_clusters",
    right="a",
    replies={
        "a": "Yes. It counts pairs, and a digit that is spread over many clusters loses most of "
        "its pairs.",
        "b": "Purity does that, because it never asks whether a digit was cut to pieces. ARI asks.",
        "c": "It is about 0 for clusters drawn by lot, whatever K is: that is what 'adjusted' "
        "means. For clusters that found something it depends on K.",
    },
    hints=(
        "ARI is about pairs of images: together in both, or apart in both.",
        "Put each image into a cluster of its own. Which pairs of equal digits are together then?",
    ),
)
