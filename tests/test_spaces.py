"""Scores without labels against their definitions, and one clustering in several spaces."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.evaluation.spaces import (
    explained_variance_by_dimension,
    internal_scores,
    score_spaces,
)
from latentsteps.trace import Trace, run


@pytest.fixture
def clouds():
    """Three overlapping clouds of unequal size in four dimensions, and which each is from."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    return random.normal(size=(60, 4)) + 1.5 * np.eye(4)[labels], labels


def silhouette(x, clusters) -> float:
    """As it is defined, point by point; a point alone in its cluster counts 0."""
    distance = np.sqrt(((x[:, None] - x) ** 2).sum(axis=2))
    values = []
    for i, own in enumerate(clusters):
        others = (clusters == own) & (np.arange(len(x)) != i)
        if not others.any():
            values.append(0.0)
            continue
        a = distance[i, others].mean()
        b = min(distance[i, clusters == c].mean() for c in set(clusters.tolist()) - {own})
        values.append((b - a) / max(a, b))
    return float(np.mean(values))


def davies_bouldin(x, clusters) -> float:
    names = np.unique(clusters)
    centres = np.array([x[clusters == c].mean(axis=0) for c in names])
    spread = [
        np.linalg.norm(x[clusters == c] - m, axis=1).mean()
        for c, m in zip(names, centres, strict=True)
    ]
    worst = [
        max(
            (spread[i] + spread[j]) / np.linalg.norm(centres[i] - centres[j])
            for j in range(len(names))
            if j != i
        )
        for i in range(len(names))
    ]
    return float(np.mean(worst))


def calinski_harabasz(x, clusters) -> float:
    names, sizes = np.unique(clusters, return_counts=True)
    centres = np.array([x[clusters == c].mean(axis=0) for c in names])
    between = (sizes * ((centres - x.mean(axis=0)) ** 2).sum(axis=1)).sum() / (len(names) - 1)
    within = sum(((x[clusters == c] - m) ** 2).sum() for c, m in zip(names, centres, strict=True))
    return float(between / (within / (len(x) - len(names))))


@pytest.mark.parametrize("alone", [False, True])
def test_scores_are_what_their_definitions_say(clouds, alone):
    x, labels = clouds
    clusters = np.where(np.arange(60) == 7, 9, labels) if alone else labels
    scores = internal_scores(x, clusters)
    assert scores.silhouette == pytest.approx(silhouette(x, clusters), rel=1e-9)
    assert scores.davies_bouldin == pytest.approx(davies_bouldin(x, clusters), rel=1e-9)
    assert scores.calinski_harabasz == pytest.approx(calinski_harabasz(x, clusters), rel=1e-9)


def test_names_and_the_scale_of_the_whole_space_do_not_matter_and_that_of_a_column_does(clouds):
    x, labels = clouds
    scores = internal_scores(x, labels)
    renamed = internal_scores(1000 * x + 5, np.array(list("cab"))[labels])
    np.testing.assert_allclose(renamed, scores, rtol=1e-9)
    stretched = internal_scores(x * [100, 1, 1, 1], labels)
    assert abs(stretched.silhouette - scores.silhouette) > 0.05


def test_only_calinski_harabasz_grows_with_the_number_of_points(clouds):
    x, labels = clouds
    once = internal_scores(x, labels)
    times = internal_scores(np.tile(x, (20, 1)), np.tile(labels, 20))
    assert times.davies_bouldin == pytest.approx(once.davies_bouldin, rel=1e-9)
    # N − K over K − 1: nearly twenty times.
    expected = once.calinski_harabasz * (1200 - 3) / (60 - 3)
    assert times.calinski_harabasz == pytest.approx(expected, rel=1e-9)
    assert times.silhouette == pytest.approx(once.silhouette, abs=0.1)


def test_a_large_set_is_sampled_the_same_way_each_time(clouds):
    x, labels = np.tile(clouds[0], (10, 1)), np.tile(clouds[1], 10)
    whole = internal_scores(x, labels)
    sampled = internal_scores(x, labels, sample=200)
    assert sampled == internal_scores(x, labels, sample=200)
    assert sampled.silhouette != internal_scores(x, labels, sample=200, seed=1).silhouette
    assert sampled.silhouette == pytest.approx(whole.silhouette, abs=0.1)
    assert sampled[1:] == whole[1:]


def test_explained_variance_of_principal_components_is_scikit_learns(clouds):
    pca = PCA().fit(clouds[0])
    shares = explained_variance_by_dimension(pca.transform(clouds[0]))
    np.testing.assert_allclose(shares, pca.explained_variance_ratio_, rtol=1e-9)


def test_a_dead_dimension_explains_nothing(clouds):
    shares = explained_variance_by_dimension(np.c_[clouds[0], np.full(60, 3.0)].astype(np.float32))
    assert shares[-1] == 0
    assert shares.sum() == pytest.approx(1)


def test_the_same_clusters_go_through_the_spaces_in_order_and_round_again(clouds):
    x, labels = clouds
    spaces = {"all four": x, "two of them": x[:, :2], "noise": x[::-1].copy()}
    clusters = (x[:, 0] > x[:, 1]).astype(int)
    trace = run(score_spaces(clusters, labels), spaces, steps=3)
    assert [state.name for state in trace] == ["all four", "two of them", "noise", "all four"]
    for state, info in zip(trace, trace.infos, strict=True):
        space = spaces[state.name]
        assert info.internal == internal_scores(space, clusters)
        assert info.objective == info.internal.silhouette
        assert info.dimensions == space.shape[1]
        assert info.adjusted_rand == adjusted_rand(clusters, labels)
    assert trace.infos[3] == trace.infos[0]
    assert trace.first_break() is None


def test_a_clustering_may_look_excellent_in_one_space_and_poor_in_another():
    random = np.random.default_rng(0)
    labels = random.integers(2, size=200)
    clusters = random.integers(2, size=200)
    spaces = {"drawn apart": clusters[:, None] + random.normal(scale=0.05, size=(200, 2))}
    spaces["the data"] = labels[:, None] + random.normal(scale=0.05, size=(200, 2))
    trace = run(score_spaces(clusters, labels), spaces, steps=1)
    assert trace.infos[0].internal.silhouette > 0.9
    assert trace.infos[1].internal.silhouette < 0.1
    assert abs(trace.infos[0].adjusted_rand) < 0.05


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: internal_scores(np.zeros(3), [0, 1, 1]), r"shape \(3,\); a score takes \(N, D\)"),
        (lambda: internal_scores(np.eye(3), [0, 1]), r"clusters have shape \(2,\) for 3 points"),
        (lambda: internal_scores(np.eye(3), [1, 1, 1]), "1 clusters of 3 points"),
        (lambda: internal_scores(np.eye(3), [0, 1, 2]), "3 clusters of 3 points"),
        (lambda: internal_scores(np.diag([np.nan, 1, 1]), [0, 1, 1]), "NaN"),
        (lambda: internal_scores(np.eye(3), [0, 1, 1], sample=2), "sample is 2"),
        (lambda: internal_scores(np.eye(99), [0] + [1] * 98, sample=3), "take a larger one"),
        (lambda: explained_variance_by_dimension(np.ones((3, 2))), "no variance"),
        (lambda: score_spaces([0, 1], [0]), "2 clusters and 1 labels"),
        (lambda: Trace(score_spaces([0, 1], [0, 1]), {}), "one space or more"),
        (lambda: Trace(score_spaces([0, 1], [0, 1]), np.eye(2)), "a dict of spaces"),
        (
            lambda: Trace(score_spaces([0, 1, 1], [0, 1, 1]), {"pixels": np.eye(2)}),
            "the space 'pixels': clusters have shape",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()
