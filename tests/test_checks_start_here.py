"""The checks of unit 00: what every unit's must do, and other right and wrong answers."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from checking import assert_unit_checks
from latentsteps.checks import start_here as check


def test_every_check_knows_its_right_answer_its_blank_and_its_misconceptions():
    assert_unit_checks(check)


def test_the_checks_are_numbered_in_a_row():
    numbers = sorted(getattr(check, name).number for name in check.__all__)
    assert numbers == [f"0.{i}" for i in range(10)]


# Right answers that are derived in another way.


def distances_by_loops(x, means):
    table = []
    for point in x:
        row = []
        for mean in means:
            row.append(sum((a - b) ** 2 for a, b in zip(point, mean, strict=True)))
        table.append(row)
    return np.array(table)


def distances_expanded(x, means):
    cross = -2 * x @ means.T
    return (x**2).sum(axis=1)[:, None] + cross + (means**2).sum(axis=1)


def nearest_as_a_list(distances):
    return [int(np.flatnonzero(row == row.min())[0]) for row in distances]


def nearest_by_sorting(distances):
    return np.argsort(distances, axis=1, kind="stable")[:, 0]


def means_by_matrix(x, labels, means):
    members = np.eye(len(means))[labels]
    counts = members.sum(axis=0)[:, None]
    return np.where(counts > 0, members.T @ x / np.maximum(counts, 1), means)


def means_in_an_integer_loop(x, labels, means):
    new = []
    for k, old in enumerate(means):
        members = [point for point, label in zip(x, labels, strict=True) if label == k]
        new.append(sum(members) / len(members) if members else old)
    return np.array(new)


def distortion_by_loops(x, means, labels):
    total = 0.0
    for point, label in zip(x, labels, strict=True):
        total += np.linalg.norm(point - means[label]) ** 2
    return total


def purity_by_counting(clusters, labels):
    right = 0
    for cluster in set(clusters.tolist()):
        right += Counter(labels[clusters == cluster].tolist()).most_common(1)[0][1]
    return right / len(labels)


def accuracy_by_trying_everything(clusters, labels):
    known, found = sorted({*labels.tolist()}), sorted({*clusters.tolist()})
    names = known + [None] * len(found)
    best = 0
    for naming in set(permutations(names, len(found))):
        given = dict(zip(found, naming, strict=True))
        right = [given[c] == label for c, label in zip(clusters.tolist(), labels, strict=True)]
        best = max(best, sum(right))
    return best / len(labels)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (check.squared_distances, distances_by_loops),
        (check.squared_distances, distances_expanded),
        (check.nearest, nearest_as_a_list),
        (check.nearest, nearest_by_sorting),
        (check.update_means, means_by_matrix),
        (check.update_means, means_in_an_integer_loop),
        (check.distortion, distortion_by_loops),
        (check.purity, purity_by_counting),
        (check.matched_accuracy, accuracy_by_trying_everything),
    ],
    ids=lambda value: getattr(value, "__name__", getattr(value, "name", "")),
)
def test_another_right_derivation_passes(exercise, answer):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "passes", verdict


# Wrong answers without a name: the property or the case that shows them is the right one.


def test_the_mean_of_everything_is_shown_on_the_first_case_with_two_clusters():
    verdict = check.update_means.judge(
        lambda x, labels, means: np.tile(x.mean(axis=0), (len(means), 1))
    )
    assert verdict.misconception is None
    assert (verdict.property, verdict.case) == (
        "around a mean the differences cancel",
        "four points, two clusters",
    )


def test_a_label_that_is_no_column_is_said_to_be_none():
    verdict = check.nearest.judge(lambda distances: -np.ones(len(distances), dtype=int))
    assert "whole numbers from 0 to 1" in verdict.sentence


def test_the_median_raises_no_distortion_but_is_no_mean():
    def median(x, labels, means):
        rows = [x[labels == k] if np.any(labels == k) else means[[k]] for k in range(len(means))]
        return np.array([np.median(members, axis=0) for members in rows])

    verdict = check.update_means.judge(median)
    assert verdict.property == "around a mean the differences cancel"


def test_unsquared_distances_rise_where_the_mean_is_not_the_median():
    def unsquared(x, means, labels):
        # Not the named one on the first case, so that the property has to find it.
        root = np.sqrt(((x - means[labels]) ** 2).sum(axis=1)).sum()
        return 25.0 if len(x) == 1 and not means.any() else root

    verdict = check.distortion.judge(unsquared)
    assert verdict.property == ("moving each mean to the middle of its members never raises it")
    assert verdict.case == "three points on a line, two of them in one place"


@pytest.mark.parametrize("value", [2, 544, 271])
def test_the_warm_up_knows_why_a_number_is_wrong(value):
    assert check.n_eruptions.judge(value).misconception


@pytest.mark.parametrize("value", [272, 272.0, np.int64(272)])
def test_the_warm_up_takes_the_number_in_any_form(value):
    assert check.n_eruptions.judge(value).outcome == "passes"


def test_a_power_is_written_with_two_stars():
    verdict = check.squared_distances.judge(lambda x, means: ((x[:, None] - means) ^ 2).sum(axis=2))
    assert "a square is written `** 2`" in verdict.sentence


def test_one_number_is_not_said_to_be_of_shape_nothing():
    verdict = check.squared_distances.judge(lambda x, means: ((x[:, None] - means) ** 2).sum())
    assert "is one number; an array of shape (1, 1) is expected" in verdict.sentence


def test_rounding_before_comparing_is_seen():
    assert check.nearest.judge(lambda d: np.floor(d).argmin(axis=1)).outcome == "not yet"


def test_the_mean_that_is_wrong_is_named_with_its_cluster():
    verdict = check.update_means.judge(
        lambda x, labels, means: np.array(
            [x[labels == k].sum(axis=0) if k in labels else means[k] for k in range(len(means))]
        )
    )
    assert "In cluster 0 your mean is [2, 4]" in verdict.sentence


def test_a_score_of_other_clusters_says_which():
    def own_only(clusters, labels):
        return (np.bincount(labels[clusters == clusters[0]]).max()) / len(labels)

    verdict = check.purity.judge(own_only)
    assert "clusters 0 to 3, one for each point" in verdict.sentence
    verdict = check.matched_accuracy.judge(lambda clusters, labels: np.mean(clusters <= labels))
    assert verdict.evidence[-1].startswith("after ")


@pytest.mark.parametrize(
    "columns", [lambda table: table / table.sum(axis=1, keepdims=True), lambda table: table > 0]
)
def test_a_matching_of_anything_but_counts_does_not_pass(columns):
    from scipy.optimize import linear_sum_assignment

    from latentsteps.evaluation.scores import confusion_matrix

    def answer(clusters, labels):
        table = confusion_matrix(clusters, labels)
        places = linear_sum_assignment(columns(table), maximize=True)
        return table[places].sum() / len(labels)

    assert check.matched_accuracy.judge(answer).outcome == "not yet"


def test_what_a_further_call_returns_is_not_taken_for_the_case_s():
    def works_once(x, means):
        if x.max() > 5.5 and len(x) == 1:
            return np.zeros(3)
        return distances_by_loops(x, means)

    verdict = check.squared_distances.judge(works_once)
    assert verdict.sentence.startswith("This comes from a further call")
