"""k-means against scikit-learn, brute force and hand-made cases."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.cluster import KMeans

from latentsteps.data import old_faithful
from latentsteps.inference.em import E_STEP, M_STEP
from latentsteps.models.kmeans import (
    assign,
    distortion,
    kmeans,
    squared_distances,
    update_means,
)
from latentsteps.trace import run


def blobs(seed: int) -> tuple[np.ndarray, int]:
    """60 to 210 points in 1 to 6 dimensions, 2 to 7 clusters of uneven size that overlap."""
    rng = np.random.default_rng(seed)
    k, dimensions = int(rng.integers(2, 8)), int(rng.integers(1, 7))
    sizes = rng.integers(30, 60, size=k)
    centres = rng.normal(scale=2, size=(k, dimensions))
    return np.concatenate(
        [rng.normal(centre, 1, (n, dimensions)) for centre, n in zip(centres, sizes, strict=True)]
    ), k


def points(columns: int, most: int = 12):
    """Points on a coarse grid, so that duplicates and ties are common."""
    return st.integers(1, most).flatmap(
        lambda n: hnp.arrays(np.float64, (n, columns), elements=st.integers(-3, 3).map(float))
    )


@pytest.mark.parametrize("seed", range(20))
def test_every_state_is_scikit_learns(seed):
    x, k = blobs(seed)
    first = x[np.random.default_rng(seed).choice(len(x), k, replace=False)]
    trace = run(kmeans(k, start=first), x, steps=12)
    # scikit-learn moves an empty cluster to a far point; these problems have none.
    assert all(len(np.unique(state.expectations)) == k for state in trace)
    for t in (1, 2, 4, 12):
        theirs = KMeans(k, init=first, n_init=1, max_iter=t, tol=0, algorithm="lloyd").fit(x)
        np.testing.assert_allclose(
            trace[t].parameters.means, theirs.cluster_centers_, rtol=1e-9, atol=1e-12
        )
        np.testing.assert_array_equal(trace[t].expectations, theirs.labels_)
        assert trace.objective[t] == pytest.approx(theirs.inertia_, rel=1e-9)


@given(points(3), points(3, most=4))
def test_parts_are_what_they_say(x, means):
    expected = [[sum((a - b) ** 2 for a, b in zip(p, m, strict=True)) for m in means] for p in x]
    np.testing.assert_array_equal(squared_distances(x, means), expected)
    labels = assign(x, means)
    assert labels.tolist() == [row.index(min(row)) for row in expected]
    assert distortion(x, means, labels) == pytest.approx(sum(min(row) for row in expected))
    moved = update_means(x, labels, means)
    for k in range(len(means)):
        members = [p for p, label in zip(x, labels, strict=True) if label == k]
        expected_mean = np.mean(members, axis=0) if members else means[k]
        np.testing.assert_allclose(moved[k], expected_mean, atol=1e-14)


@given(points(2), st.integers(1, 5), st.integers(0, 1000), st.booleans())
def test_neither_half_raises_the_distortion(x, k, seed, plus_plus):
    distinct = len(np.unique(x, axis=0))
    start = "k-means++" if plus_plus else "random points"
    if k > distinct:
        with pytest.raises(ValueError, match=f"only {distinct} different points"):
            run(kmeans(k, start=start), x, seed, steps=0)
        return
    trace = run(kmeans(k, start=start, half_steps=True), x, seed, steps=30)
    assert trace.first_break() is None
    assert len(np.unique(trace[0].parameters.means, axis=0)) == k
    if k == distinct:
        assert trace.objective[0] == 0
    # A partition into at most 5 groups of 12 points on a grid settles long before 15 rounds.
    np.testing.assert_array_equal(trace[-1].expectations, trace[-3].expectations)


def test_half_steps_assign_then_move_and_fused_is_every_second():
    x, k = blobs(3)
    halves = run(kmeans(k, half_steps=True), x, seed=1, steps=8)
    fused = run(kmeans(k), x, seed=1, steps=4)
    assert [state.phase for state in halves] == [E_STEP, M_STEP] * 4 + [E_STEP]
    np.testing.assert_array_equal(fused.objective, halves.objective[::2])
    moved = halves[1]
    np.testing.assert_array_equal(moved.expectations, halves[0].expectations)
    assert halves.objective[1] == distortion(x, moved.parameters.means, halves[0].expectations)


def test_distances_do_not_lose_their_digits_far_from_zero():
    x = np.array([[0.0, 0.0], [1e-3, 0.0], [0.5, 0.25]])
    distances = squared_distances(x + 2**30, x + 2**30)
    assert (distances >= 0).all()
    assert (np.diag(distances) == 0).all()
    assert distances[0, 2] == 0.3125


def test_small_integers_do_not_wrap_around():
    x = np.array([[0, 0], [255, 255], [250, 255]], dtype=np.uint8)
    means = x[:2]
    np.testing.assert_array_equal(squared_distances(x, means)[:, 0], [0, 130050, 127525])
    assert distortion(x, means, [0, 1, 1]) == 25
    assert distortion(x, means, [0, 1, 0]) == 127525
    np.testing.assert_array_equal(update_means(x, [0, 1, 1], means)[1], [252.5, 255])


def test_an_empty_cluster_stays_where_it_was_and_nothing_is_nan():
    x = np.array([[0.0], [1.0], [10.0], [11.0]])
    start = np.array([[0.5], [100.0], [10.5]])
    trace = run(kmeans(3, start=start), x, steps=3)
    for state in trace:
        assert state.parameters.means.tolist() == [[0.5], [100.0], [10.5]]
        assert state.expectations.tolist() == [0, 0, 2, 2]
    assert trace.objective.tolist() == [1.0] * 4


def test_a_tie_goes_to_the_first_whatever_the_order():
    x = np.array([[0.0, 0.0]])
    means = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert assign(x, means).tolist() == [0]
    assert assign(x, means[::-1]).tolist() == [0]
    # Of two means on one spot the second is empty for ever.
    trace = run(kmeans(2, start=[[1.0, 1.0], [1.0, 1.0]]), x, steps=2)
    assert trace[-1].parameters.means.tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_on_raw_old_faithful_k_means_sees_waiting_only():
    x = old_faithful()
    for seed in range(5):
        both = run(kmeans(2), x, seed, steps=30)[-1]
        order = np.argsort(both.parameters.means[:, 1])
        alone = run(kmeans(2, start=[[55.0], [80.0]]), x[:, 1:], steps=30)[-1]
        np.testing.assert_array_equal(np.argsort(order)[both.expectations], alone.expectations)
        np.testing.assert_allclose(both.parameters.means[order][:, 1:], alone.parameters.means)


def test_random_points_are_drawn_evenly():
    """Four points, one of them twice: the double one comes twice as often as first mean."""
    x = np.array([[0.0], [0.0], [1.0], [2.0], [3.0]])
    firsts = Counter(
        run(kmeans(2), x, seed, steps=0)[0].parameters.means[0, 0] for seed in range(2000)
    )
    for value, share in ((0.0, 0.4), (1.0, 0.2), (2.0, 0.2), (3.0, 0.2)):
        assert abs(firsts[value] - 2000 * share) < 5 * math.sqrt(2000 * share * (1 - share))


def test_plus_plus_draws_in_proportion_to_the_squared_distance():
    """From 0 the second mean is 1 with probability 1/10 and 3 with 9/10; from 1, 1/5 and 4/5."""
    x = np.array([[0.0], [1.0], [3.0]])
    seconds: dict[float, Counter] = {0.0: Counter(), 1.0: Counter(), 3.0: Counter()}
    for seed in range(3000):
        means = run(kmeans(2, start="k-means++"), x, seed, steps=0)[0].parameters.means
        seconds[means[0, 0]][means[1, 0]] += 1
    for first, second, share in ((0.0, 3.0, 0.9), (1.0, 3.0, 0.8), (3.0, 0.0, 9 / 13)):
        n = seconds[first].total()
        assert n > 800
        assert abs(seconds[first][second] - n * share) < 5 * math.sqrt(n * share * (1 - share))


def test_the_same_seed_starts_the_same_and_another_one_elsewhere():
    x, k = blobs(0)
    for start in ("random points", "k-means++"):
        first, again, other = (
            run(kmeans(k, start=start), x, seed, steps=0)[0].parameters.means for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)


def test_more_clusters_than_points_may_be_given_but_not_drawn():
    x = np.array([[0.0], [0.0], [1.0]])
    trace = run(kmeans(3, start=[[0.0], [1.0], [5.0]]), x, steps=1)
    assert trace[-1].expectations.tolist() == [0, 0, 1]
    for start in ("random points", "k-means++"):
        with pytest.raises(ValueError, match="k is 3 but the data hold only 2 different points"):
            run(kmeans(3, start=start), x, steps=1)


@pytest.mark.parametrize(
    ("k", "start", "message"),
    [
        (0, "random points", "k is 0; the number of clusters is 1 or more"),
        (2, "kmeans++", r"start is 'kmeans\+\+'; it is 'random points', 'k-means\+\+' or an array"),
        (2, np.zeros((3, 2)), r"start has shape \(3, 2\); for k = 2 it is an array of 2 rows"),
        (2, np.zeros(2), r"start has shape \(2,\)"),
        (2, [[0.0, np.nan], [0.0, 0.0]], "all its numbers are finite"),
    ],
)
def test_a_start_that_cannot_be_is_refused_at_once(k, start, message):
    with pytest.raises(ValueError, match=message):
        kmeans(k, start=start)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(5), r"shape \(5,\); k-means takes \(N, D\)"),
        (np.zeros((0, 2)), r"shape \(0, 2\)"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.array([["a", "b"]]), "k-means takes numbers"),
        (
            np.array([[0.0, 1.0], [np.nan, 1.0], [np.inf, 1.0], [2.0, 3.0]]),
            "2 of 4 points hold NaN or an infinity, the first in row 1",
        ),
        (np.zeros((4, 3)), "the start has 2 columns and the data 3"),
    ],
)
def test_data_that_cannot_be_are_refused_in_plain_words(x, message):
    with pytest.raises(ValueError, match=message):
        run(kmeans(1, start=[[0.0, 0.0]]), x, steps=1)
