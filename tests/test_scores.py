"""Scores against scikit-learn, brute force, published values and what renaming must not change."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from latentsteps.evaluation.scores import (
    adjusted_rand,
    confusion_matrix,
    matched_accuracy,
    normalized_mutual_information,
    purity,
)

SCORES = (purity, matched_accuracy, adjusted_rand, normalized_mutual_information)

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30).map(
    lambda pairs: tuple(np.array(side) for side in zip(*pairs, strict=True))
)


def brute_force_accuracy(clusters, labels) -> float:
    """The best over every way to give each cluster a label of its own, or none."""
    groups = sorted(set(clusters))
    names = sorted(set(labels)) + [None] * len(groups)
    best = 0
    for naming in permutations(names, len(groups)):
        named = [naming[groups.index(cluster)] for cluster in clusters]
        best = max(best, sum(a == b for a, b in zip(named, labels, strict=True)))
    return best / len(labels)


@given(pairs, st.permutations(range(5)), st.permutations("abcde"))
def test_renaming_changes_no_score(sides, cluster_names, label_names):
    clusters, labels = sides
    renamed = np.array(cluster_names)[clusters], [label_names[label] for label in labels]
    for score in SCORES:
        assert score(*renamed) == pytest.approx(score(clusters, labels), abs=1e-12)


@given(pairs)
def test_bounds(sides):
    clusters, labels = sides
    commonest = np.bincount(labels).max() / len(labels)
    assert commonest <= purity(clusters, labels) <= 1
    assert 0 < matched_accuracy(clusters, labels) <= purity(clusters, labels)
    assert -0.5 - 1e-12 <= adjusted_rand(clusters, labels) <= 1
    assert -1e-12 <= normalized_mutual_information(clusters, labels) <= 1 + 1e-12


@given(pairs)
def test_the_same_partition_scores_1_and_n_clusters_are_pure(sides):
    _, labels = sides
    for score in SCORES:
        assert score(labels + 10, labels) == pytest.approx(1)
    alone = np.arange(len(labels))
    assert purity(alone, labels) == 1
    assert matched_accuracy(alone, labels) == len(set(labels.tolist())) / len(labels)


@given(pairs)
def test_splitting_a_cluster_never_lowers_purity(sides):
    clusters, labels = sides
    split = clusters * 2 + np.arange(len(clusters)) % 2
    assert purity(split, labels) >= purity(clusters, labels)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=15),
    st.sampled_from([(1, 4), (4, 2), (4, 4), (2, 4)]),
)
def test_matched_accuracy_is_the_best_of_all_namings(pairs, sizes):
    """Fewer clusters than labels, more of them, and as many."""
    clusters = [cluster % sizes[0] for cluster, _ in pairs]
    labels = [label % sizes[1] for _, label in pairs]
    expected = brute_force_accuracy(clusters, labels)
    assert matched_accuracy(clusters, labels) == pytest.approx(expected)


def test_matched_accuracy_with_five_labels():
    rng = np.random.default_rng(1)
    for n_clusters in (3, 5):
        labels = rng.integers(5, size=40)
        clusters = np.where(rng.random(40) < 0.6, labels, rng.integers(n_clusters, size=40))
        clusters %= n_clusters
        expected = brute_force_accuracy(clusters.tolist(), labels.tolist())
        assert matched_accuracy(clusters, labels) == pytest.approx(expected)


@given(pairs)
def test_index_and_information_are_scikit_learns(sides):
    clusters, labels = sides
    assert adjusted_rand(clusters, labels) == metrics.adjusted_rand_score(labels, clusters)
    assert normalized_mutual_information(clusters, labels) == metrics.normalized_mutual_info_score(
        labels, clusters
    )


def test_the_textbooks_example():
    """Manning, Raghavan & Schütze (2008), figure 16.4 and table 16.2: purity .71, NMI .36; the
    Rand index is not corrected there."""
    clusters = [0] * 6 + [1] * 6 + [2] * 5
    labels = list("xxxxxo") + list("xoooo◇") + list("xx◇◇◇")
    assert purity(clusters, labels) == pytest.approx(12 / 17)
    assert normalized_mutual_information(clusters, labels) == pytest.approx(0.36, abs=0.005)
    np.testing.assert_array_equal(
        confusion_matrix(clusters, labels), [[1, 5, 0], [4, 1, 1], [0, 2, 3]]
    )


@given(pairs)
def test_the_confusion_matrix_counts(sides):
    clusters, labels = sides
    matrix = confusion_matrix(clusters, labels)
    for row, cluster in enumerate(np.unique(clusters)):
        for column, label in enumerate(np.unique(labels)):
            assert matrix[row, column] == np.sum((clusters == cluster) & (labels == label))
    assert matrix.dtype == np.int64
    whole = confusion_matrix(clusters, labels, n_clusters=7)
    assert whole.shape == (7, matrix.shape[1])
    np.testing.assert_array_equal(whole[np.unique(clusters)], matrix)
    assert whole.sum() == len(labels)


def test_an_empty_cluster_keeps_its_row_where_the_number_is_given():
    np.testing.assert_array_equal(
        confusion_matrix([0, 3, 3], ["a", "a", "b"], n_clusters=4), [[1, 0], [0, 0], [0, 0], [1, 1]]
    )
    for clusters, n_clusters in (([0, 4], 4), ([-1, 0], 4), (["a", "b"], 2)):
        with pytest.raises(ValueError, match="whole numbers from 0"):
            confusion_matrix(clusters, [0, 1], n_clusters)


def test_many_clusters_may_share_a_label_in_purity_and_not_in_matched_accuracy():
    clusters, labels = [0, 0, 1, 1, 1, 2], ["a", "a", "a", "a", "b", "b"]
    assert purity(clusters, labels) == pytest.approx(5 / 6)
    assert matched_accuracy(clusters, labels) == pytest.approx(3 / 6)


@pytest.mark.parametrize("score", [*SCORES, confusion_matrix])
@pytest.mark.parametrize(
    ("clusters", "labels", "message"),
    [
        ([], [], "there are no points"),
        ([0, 1], [0], "2 clusters and 1 labels"),
        (np.zeros((3, 2)), [0, 1, 2], r"clusters has shape \(3, 2\); it is \(N,\)"),
        ([0, 1], np.zeros((2, 1)), r"labels has shape \(2, 1\)"),
        (3, 3, r"clusters has shape \(\)"),
        ([0.2, 0.8], [0, 1], "clusters are of type float64; they are whole numbers or words"),
        ([0, 1], ["a", None], "labels are of type object"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_plain_words(score, clusters, labels, message):
    with pytest.raises(ValueError, match=message):
        score(clusters, labels)


@pytest.mark.filterwarnings("error")
def test_whole_numbers_words_and_objects_go_in():
    words = ["a", "a", "b"]
    kinds = ([0, 0, 1], words, np.array(words, dtype=object), [True, True, False])
    for clusters in kinds:
        for labels in kinds:
            for score in SCORES:
                assert score(clusters, labels) == pytest.approx(1)
