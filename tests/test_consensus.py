"""Which points belong together: similarity and membership by brute force, and their memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from latentsteps.evaluation import consensus
from latentsteps.evaluation.consensus import membership, partition, similarity


def random_responsibilities(draws=7, n=9, k=4, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(k, 0.3), size=(draws, n))


def in_blocks(r, *sizes):
    """A generator, so that it can be gone through once only."""
    return (block for block in np.split(r, np.cumsum(sizes)))


def test_similarity_is_the_chance_of_equal_assignments(monkeypatch):
    r = random_responsibilities()
    s = similarity(r)
    for i in range(9):
        for j in range(9):
            expected = 1 if i == j else np.mean([sum(draw[i] * draw[j]) for draw in r])
            assert s[i, j] == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(consensus, "CHUNK", 80)  # two draws at a time
    np.testing.assert_allclose(similarity(r), s, rtol=1e-12)


def test_hard_similarity_counts_draws_with_equal_labels(monkeypatch):
    r = random_responsibilities(draws=20)
    labels = r.argmax(axis=2)
    expected = [[np.mean(labels[:, i] == labels[:, j]) for j in range(9)] for i in range(9)]
    np.testing.assert_array_equal(similarity(r, hard=True), expected)
    monkeypatch.setattr(consensus, "CHUNK", 80)
    np.testing.assert_array_equal(similarity(r, hard=True), expected)
    assert np.abs(similarity(r) - expected).max() > 0.1  # soft is something else
    # Of two equally probable components the first: (0, 1) and (0, 2) agree, (1, 2) does not.
    ties = np.array([[[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]])
    assert similarity(ties, hard=True).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("hard", [False, True])
def test_similarity_of_blocks_is_that_of_the_whole(hard):
    r = random_responsibilities()
    whole = similarity(r, hard=hard)
    for blocks in (in_blocks(r, 3, 1), [r], (r[:2], r[2:]), list(r), r.tolist()):
        np.testing.assert_allclose(similarity(blocks, hard=hard), whole, rtol=1e-12)
    # A block counts with its draws, not as one.
    mean_of_blocks = (similarity(r[:1], hard=hard) + similarity(r[1:], hard=hard)) / 2
    assert np.abs(mean_of_blocks - whole).max() > 0.1


def test_float32_is_summed_in_float64():
    r = random_responsibilities(draws=300).astype(np.float32)
    found = similarity(r)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, similarity(r.astype(np.float64)))


def test_similarity_does_not_know_names():
    r = random_responsibilities()
    random = np.random.default_rng(1)
    renamed = np.stack([draw[:, random.permutation(4)] for draw in r])
    np.testing.assert_allclose(similarity(renamed), similarity(r), rtol=1e-12)
    np.testing.assert_array_equal(similarity(renamed, hard=True), similarity(r, hard=True))


@pytest.mark.parametrize("hard", [False, True])
def test_four_thousand_draws_take_less_than_fifty_megabytes(hard):
    random = np.random.default_rng(0)
    # Sharply peaked, as responsibilities of separated clusters are; made without a float64 copy.
    r = random.standard_exponential((4000, 500, 11), dtype=np.float32)
    r *= r
    r /= r.sum(axis=2, keepdims=True)
    tracemalloc.start()
    found = similarity(r, hard=hard)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # measured: 18 MB
    if hard:
        labels = r.argmax(axis=2)
        expected = np.stack([(labels == labels[:, [i]]).mean(axis=0) for i in range(10)])
        np.testing.assert_array_equal(found[:10], expected)
    else:
        # The batched form: all draws side by side, in the precision of the input.
        wide = r.transpose(1, 0, 2).reshape(500, -1)
        expected = wide @ wide[:50].T / 4000
        expected[np.arange(50), np.arange(50)] = 1
        np.testing.assert_allclose(found[:, :50], expected, atol=1e-6, rtol=0)


def test_partition_finds_blocks_and_numbers_them_by_their_first_points():
    labels = np.array([2, 0, 2, 1, 1, 0, 2])
    same = (labels[:, None] == labels).astype(float)
    assert partition(same).tolist() == [0, 1, 0, 2, 2, 1, 0]
    assert partition(0.9 * same + 0.1).tolist() == [0, 1, 0, 2, 2, 1, 0]
    assert partition(0.9 * same + 0.1, together=0.05).tolist() == [0] * 7
    assert partition(0.4 * same + 0.6 * np.eye(7)).tolist() == list(range(7))
    assert partition([[1.0]]).tolist() == [0]
    # Average linkage: the pair (2) with .6 and .2 to the other two has .4 on average.
    chain = np.array([[1, 0.9, 0.6], [0.9, 1, 0.2], [0.6, 0.2, 1]])
    assert partition(chain).tolist() == [0, 0, 1]
    # And .55 in the second one, where neither the best link (.7) nor the worst (.4) is meant.
    near = np.array([[1, 0.9, 0.7], [0.9, 1, 0.4], [0.7, 0.4, 1]])
    assert partition(near).tolist() == [0, 0, 0]


LABELS = np.array([0, 1, 1, 0, 2, 1, 2, 2, 0])


def test_membership_is_the_chance_of_sharing_with_a_member(monkeypatch):
    new, fitted = random_responsibilities(n=5, seed=1), random_responsibilities()
    found = membership(new, fitted, LABELS)
    assert found.shape == (5, 3)
    for m in range(5):
        for c in range(3):
            members = [j for j in range(9) if LABELS[j] == c]
            each = [a[m] @ b[j] for a, b in zip(new, fitted, strict=True) for j in members]
            assert found[m, c] == pytest.approx(np.mean(each), rel=1e-12)
    monkeypatch.setattr(consensus, "CHUNK", 80)
    np.testing.assert_allclose(membership(new, fitted, LABELS), found, rtol=1e-12)
    for cuts in ((3, 1), (2, 2, 1), ()):
        blocks = membership(in_blocks(new, 3, 1), in_blocks(fitted, *cuts), LABELS)
        np.testing.assert_allclose(blocks, found, rtol=1e-12)
    alone = [membership(new[:, [m]], fitted, LABELS)[0] for m in range(5)]
    np.testing.assert_allclose(alone, found, rtol=1e-12)


def test_membership_does_not_know_names_and_is_not_the_mode_of_labels():
    new, fitted = random_responsibilities(n=5, seed=1), random_responsibilities()
    random = np.random.default_rng(2)
    orders = [random.permutation(4) for _ in range(7)]
    renamed = [np.stack([r[s][:, orders[s]] for s in range(7)]) for r in (new, fitted)]
    expected = membership(new, fitted, LABELS)
    np.testing.assert_allclose(membership(*renamed, LABELS), expected, rtol=1e-12)
    # Two clusters in one component: a new point there shares it with members of both.
    one = np.ones((3, 9, 1))
    assert membership(one[:, :2], one, LABELS).tolist() == [[1, 1, 1]] * 2


def test_what_does_not_fit_is_refused_in_words():
    r = random_responsibilities()
    for bad, words in (
        (np.full((3, 2), 0.5), "draws, N, K"),
        ([[0.5, 0.5], [0.5, 0.5]], "draws, N, K"),
        (np.full((1, 3, 2), 0.4), "summing to one"),
        (np.array([[[1.5, -0.5]]]), "not negative"),
        (np.full((1, 3, 2), np.nan), "summing to one"),
        ([], "at least one draw"),
        ([r, r[:, :8]], "8 points after blocks with 9"),
    ):
        with pytest.raises(ValueError, match=words):
            similarity(bad)
    with pytest.raises(ValueError, match="symmetric"):
        partition([[1, 0.2], [0.4, 1]])
    with pytest.raises(ValueError, match="together is 0"):
        partition(np.eye(2), together=0)
    for new, fitted, labels, words in (
        (r[:, :2], r, LABELS[:8], "8 labels"),
        (r[:6, :2], r, LABELS, "more draws of one"),
        (
            r[:, :2, :3] / r[:, :2, :3].sum(axis=2, keepdims=True),
            r,
            LABELS,
            "3 components, fitted ones 4",
        ),
        (r[:, :2], r, LABELS + 1, "0 to C − 1"),
        (r[:, :2], r, LABELS.astype(float), "whole numbers"),
        ([r[:4, :2]], [r[:4], r[4:]], LABELS, "more draws of one"),
        ([], [], LABELS, "at least one draw"),
    ):
        with pytest.raises(ValueError, match=words):
            membership(new, fitted, labels)
