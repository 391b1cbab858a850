"""Several runs: side by side as one after another, and votes against counting by hand."""

from __future__ import annotations

import os
from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn import metrics

from latentsteps.evaluation.scores import matched_accuracy
from latentsteps.evaluation.stability import (
    accuracy_by_agreement,
    majority,
    matched,
    pairwise_adjusted_rand,
    runs,
    stability,
    vote_entropy,
)

several_runs = st.tuples(st.integers(2, 4), st.integers(1, 12)).flatmap(
    lambda shape: st.lists(
        st.lists(st.integers(0, 2), min_size=shape[1], max_size=shape[1]),
        min_size=shape[0],
        max_size=shape[0],
    ).map(np.array)
)


def noisy_runs(seed: int, count: int, n: int = 300, k: int = 5, right: float = 0.8):
    """Runs that each get most points right, under names of their own, and the true labels."""
    random = np.random.default_rng(seed)
    truth = random.integers(k, size=n)
    rows = [
        random.permutation(k)[np.where(random.random(n) < right, truth, random.integers(k, size=n))]
        for _ in range(count)
    ]
    return np.array(rows), truth


def same_partition(a, b) -> bool:
    return len(set(zip(a.tolist(), b.tolist(), strict=True))) == len(set(a)) == len(set(b))


# Runs side by side


def test_runs_are_in_order_and_the_same_however_many_at_a_time():
    def draw(setting):
        seed, size = setting
        # The first is the slowest, so it is not the first to be done.
        total = sum(i for i in range(300_000 if seed == 0 else 10))
        return seed, os.getpid(), total > 0, np.random.default_rng(seed).normal(size=size)

    seeds = [(seed, 3) for seed in range(4)]
    alone = runs(draw, seeds, jobs=1, progress=False)
    beside = runs(draw, (seed for seed in seeds), progress=False)
    assert [seed for seed, *_ in beside] == [0, 1, 2, 3]
    np.testing.assert_array_equal([row[3] for row in alone], [row[3] for row in beside])
    assert {row[1] for row in alone} == {os.getpid()}
    assert os.getpid() not in {row[1] for row in beside}
    assert runs(draw, []) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_has_one_thread(jobs):
    def threads(_):
        import torch
        from threadpoolctl import threadpool_info

        np.ones((2, 2)) @ np.ones((2, 2))
        return torch.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]

    import torch

    before = torch.get_num_threads()
    for torchs, pools in runs(threads, range(2), jobs=jobs, progress=False):
        assert torchs == 1
        assert set(pools) == {1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_in_a_run_is_raised_here(jobs):
    def fails(seed):
        if seed == 1:
            raise ZeroDivisionError("seed 1 divides by zero")
        return seed

    with pytest.raises(ZeroDivisionError, match="seed 1"):
        runs(fails, range(3), jobs=jobs, progress=False)


def test_the_bar_counts_runs_and_is_silent_where_quiet_is_wanted(capfd, monkeypatch):
    monkeypatch.delenv("LATENTSTEPS_QUIET", raising=False)
    assert runs(abs, [-1, -2], jobs=1) == [1, 2]
    assert "2/2" in capfd.readouterr().err
    monkeypatch.setenv("LATENTSTEPS_QUIET", "1")
    assert runs(abs, [-1, -2], jobs=1) == [1, 2]
    assert capfd.readouterr().err == ""


def test_no_jobs_are_refused():
    with pytest.raises(ValueError, match="jobs is 0"):
        runs(abs, [1], jobs=0)


# Agreement of pairs


@settings(max_examples=30)
@given(several_runs)
def test_pairs_of_runs_are_scikit_learns(labels):
    expected = [[metrics.adjusted_rand_score(a, b) for b in labels] for a in labels]
    np.testing.assert_allclose(pairwise_adjusted_rand(labels), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 4)])
def test_stability_is_the_mean_over_pairs_counted_one_by_one(shape):
    nets, restarts = shape
    labels = noisy_runs(0, nets * restarts, n=60)[0].reshape(nets, restarts, -1)
    found: dict[bool, list[float]] = {True: [], False: []}
    for (i, r), (j, s) in combinations(np.ndindex(shape), 2):
        found[i == j].append(metrics.adjusted_rand_score(labels[i, r], labels[j, s]))
    within, between = stability(labels)
    assert within == pytest.approx(np.mean(found[True]), abs=1e-12)
    assert between == pytest.approx(np.mean(found[False]), abs=1e-12)


def test_restarts_may_agree_wholly_where_networks_do_not():
    """And equal scores against the truth do not show it: both partitions are half right."""
    truth = np.repeat([0, 1, 2, 3], 25)
    first, second = truth // 2, truth % 2
    labels = np.array([[first, 1 - first], [second, second]])
    assert stability(labels).within == 1
    assert stability(labels).between < 0.05
    scores = [metrics.adjusted_rand_score(truth, row) for row in labels.reshape(4, -1)]
    assert np.ptp(scores) == pytest.approx(0, abs=1e-12)


# Votes


@given(several_runs)
def test_matching_renames_and_agrees_with_the_first_run_as_far_as_any_naming_can(labels):
    votes = matched(labels)
    np.testing.assert_array_equal(votes[0], labels[0])
    for row, vote in zip(labels, votes, strict=True):
        assert same_partition(row, vote)
        own = np.unique(row)
        # Names of the first run, or none of them.
        names = [*np.unique(labels[0]), *[-1] * len(own)]
        best = max(
            (np.array(naming)[np.searchsorted(own, row)] == labels[0]).sum()
            for naming in set(permutations(names, len(own)))
        )
        assert (vote == labels[0]).sum() == best


@given(several_runs)
def test_what_is_matched_stays(labels):
    votes = matched(labels)
    np.testing.assert_array_equal(matched(votes), votes)


def test_a_cluster_without_a_counterpart_has_a_name_that_nobody_else_has():
    labels = np.array([[0, 0, 1, 1, 1], [1, 1, 0, 0, 2], [1, 1, 0, 0, 2]])
    votes = matched(labels)
    np.testing.assert_array_equal(votes[:, :4], [[0, 0, 1, 1]] * 3)
    assert len(set(votes[:, 4])) == 3
    # So the two do not outvote the first by chance of naming.
    np.testing.assert_array_equal(majority(labels), [0, 0, 1, 1, 1])


@given(several_runs)
def test_votes_are_counted_as_by_hand(labels):
    votes = matched(labels)
    counted = [Counter(column.tolist()) for column in votes.T]
    most = [min(names, key=lambda name: (-names[name], name)) for names in counted]
    np.testing.assert_array_equal(majority(labels), most)
    expected = [entropy(list(names.values())) for names in counted]
    np.testing.assert_allclose(vote_entropy(labels), expected, atol=1e-12)


def test_renaming_changes_no_vote():
    labels, _ = noisy_runs(1, 6)
    random = np.random.default_rng(2)
    renamed = np.array([labels[0], *(random.permutation(5)[row] for row in labels[1:])])
    np.testing.assert_array_equal(matched(renamed), matched(labels))
    # Counted as they come, names agree by chance alone.
    assert (matched(renamed) == labels[0]).mean() > 0.6 > 0.45 > (renamed == labels[0]).mean()


def test_entropy_is_zero_where_all_agree_and_log_r_where_all_differ():
    agree = vote_entropy([[0, 1], [1, 0]])
    np.testing.assert_array_equal(agree, [0, 0])
    assert not np.signbit(agree).any()
    # The last point lies in another cluster each time; the others fix the names.
    labels = np.array([[0] * 5 + [1] * 5 + [2] * 5 + [last] for last in range(3)])
    np.testing.assert_allclose(vote_entropy(labels)[-1], np.log(3))


def test_accuracy_by_agreement_averages_to_that_of_the_majority():
    labels, truth = noisy_runs(3, 5, n=2000, right=0.6)
    agreeing, points, accuracy = accuracy_by_agreement(labels, truth)
    np.testing.assert_array_equal(agreeing, [1, 2, 3, 4, 5])
    assert points.sum() == len(truth)
    seen = points > 0
    overall = np.average(accuracy[seen], weights=points[seen])
    assert overall == pytest.approx(matched_accuracy(majority(labels), truth), abs=1e-12)
    assert np.isnan(accuracy[~seen]).all()
    # Errors are independent, so whom all five agree on is right; two of five need not be.
    assert accuracy[4] > 0.97 > 0.9 > accuracy[1]


def test_runs_that_share_their_mistake_are_sure_of_it():
    truth = np.repeat([0, 1, 2], [40, 30, 30])
    shared = np.where(truth == 2, 1, truth)
    found = accuracy_by_agreement([shared, 1 - shared, shared], np.array(list("abc"))[truth])
    np.testing.assert_array_equal(found.points, [0, 0, 100])
    assert found.accuracy[2] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pairwise_adjusted_rand([0, 1]), r"shape \(2,\); they are \(R, N\)"),
        (lambda: matched(np.zeros((0, 3), dtype=int)), r"shape \(0, 3\)"),
        (lambda: majority([[0.2, 0.8]]), "type float64; they are whole numbers"),
        (lambda: vote_entropy(np.zeros((2, 3, 4), dtype=int)), r"\(2, 3, 4\)"),
        (lambda: stability([[0, 1]]), r"they are \(nets, restarts, N\)"),
        (lambda: stability(np.zeros((1, 4, 3), dtype=int)), "1 nets with 4 restarts"),
        (lambda: stability(np.zeros((4, 1, 3), dtype=int)), "4 nets with 1 restarts"),
        (lambda: accuracy_by_agreement([[0, 1]], [0]), "2 clusters and 1 labels"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_words(call, words):
    with pytest.raises(ValueError, match=words):
        call()
