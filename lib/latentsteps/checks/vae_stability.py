"""Check of unit 07, exercise 7.8: do several runs agree, with each other?

Pairs of restarts on one network, and pairs from two, by the adjusted Rand index (Hubert & Arabie
1985, "Comparing partitions").
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.metrics.cluster import contingency_matrix

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

Score = Callable[[NDArray, NDArray], float]

# 7.8 · Stability


def adjusted_rand(a: NDArray, b: NDArray) -> float:
    """scikit-learn's, for labels from 0 on; without its looks at what it is given, as the pairs of
    all runs are many."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)

    def pairs(counts: NDArray) -> float:
        return float((counts * (counts - 1)).sum() / 2)

    one, other = pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    by_chance = one * other / pairs(np.array([len(a)]))
    return (pairs(table) - by_chance) / ((one + other) / 2 - by_chance)


def _pairs(labels: NDArray, score: Score) -> tuple[list[float], list[float]]:
    """Scores of all pairs: of one net, and of two."""
    nets, restarts, _ = labels.shape
    within: list[float] = []
    between: list[float] = []
    for (i, r), (j, s) in combinations(np.ndindex(nets, restarts), 2):
        (within if i == j else between).append(float(score(labels[i, r], labels[j, s])))
    return within, between


def _stability(labels: NDArray) -> tuple[float, float]:
    within, between = _pairs(labels, adjusted_rand)
    return float(np.mean(within)), float(np.mean(between))


def _changed(again: tuple, result: tuple, what: str) -> Failure | None:
    for got, before, which in zip(again, result, ("within", "between"), strict=True):
        if not np.isclose(got, before, rtol=1e-6, atol=1e-6):
            return Failure(f"{what}, and your “{which}” changed.", got, before, AFTER_BEFORE)
    return None


def _renamed(call: Callable, args: tuple, result: tuple) -> Failure | None:
    (labels,) = args
    random = np.random.default_rng(0)
    names = np.array([random.permutation(20) for _ in range(labels[..., 0].size)])
    renamed = np.take_along_axis(names.reshape(*labels.shape[:2], 20), labels, axis=2)
    return _changed(call(renamed), result, "In every run the clusters got other names")


def _points_shuffled(call: Callable, args: tuple, result: tuple) -> Failure | None:
    (labels,) = args
    again = call(labels[:, :, ::-1].copy())
    return _changed(again, result, "The points were put in the opposite order")


def _runs_shuffled(call: Callable, args: tuple, result: tuple) -> Failure | None:
    (labels,) = args
    failure = _changed(call(labels[::-1].copy()), result, "The nets were put in the opposite order")
    shuffled = labels.copy()
    shuffled[0] = shuffled[0, ::-1]
    what = "The restarts of the first net were put in the opposite order"
    return failure or _changed(call(shuffled), result, what)


def _same_restarts(call: Callable, args: tuple, result: tuple) -> Failure | None:
    (labels,) = args
    within, between = call(np.repeat(labels[:, :1], labels.shape[1], axis=1))
    if abs(within - 1) < 1e-6 and between < 1 - 1e-6:
        return None
    if abs(within - 1) >= 1e-6:
        words = "All restarts of a net were made to find the same clusters. They agree fully:"
        return Failure(words, within, 1.0, ("within", "expected"))
    return Failure(
        "All restarts of a net were made to find the same clusters, and the nets different ones. "
        "Between nets they do not agree fully. Yours:",
        between,
        None,
        ("between", ""),
    )


def _same_nets(call: Callable, args: tuple, result: tuple) -> Failure | None:
    (labels,) = args
    within, between = call(np.repeat(labels[:1], len(labels), axis=0))
    # Of all pairs from two equal nets one in `restarts` is a run and its own copy.
    share = 1 / labels.shape[1]
    expected = share + (1 - share) * within
    if np.isclose(between, expected, rtol=1e-6, atol=1e-6):
        return None
    return Failure(
        "Every net was made a copy of the first. Then runs of two nets are as much alike as two "
        f"restarts are, but for the {share:.0%} of pairs that are a run and its own copy, at 1.",
        between,
        expected,
        ("between", "expected"),
    )


def _by(score: Score) -> Callable[[NDArray], object]:
    """The right pairs with another score."""

    def answer(labels: NDArray) -> tuple[float, float]:
        within, between = _pairs(labels, score)
        return float(np.mean(within)), float(np.mean(between))

    return answer


def _of(combine: Callable[[list[float], list[float]], object]) -> Callable[[NDArray], object]:
    """An answer from the adjusted Rand indices of the pairs within and between."""
    return lambda labels: combine(*_pairs(labels, adjusted_rand))


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _table(labels: NDArray) -> NDArray:
    """The adjusted Rand index of each two runs, (nets, restarts, nets, restarts)."""
    runs = labels.reshape(-1, labels.shape[2])
    table = [[adjusted_rand(a, b) for b in runs] for a in runs]
    return np.array(table).reshape(*labels.shape[:2], *labels.shape[:2])


def _with_itself(labels: NDArray) -> tuple[float, float]:
    table = _table(labels)
    same = np.eye(len(labels), dtype=bool)
    by_nets = table.mean(axis=(1, 3))
    return float(by_nets[same].mean()), float(by_nets[~same].mean())


def _same_restart(labels: NDArray) -> tuple[float, float]:
    within, _ = _pairs(labels, adjusted_rand)
    between = [_pairs(labels[:, r : r + 1], adjusted_rand)[1] for r in range(labels.shape[1])]
    return _mean(within), float(np.mean(between))


def _first_restarts(labels: NDArray) -> tuple[float, float]:
    within, _ = _pairs(labels, adjusted_rand)
    _, between = _pairs(labels[:, :1], adjusted_rand)
    return _mean(within), _mean(between)


def _first_net(labels: NDArray) -> tuple[float, float]:
    within, _ = _pairs(labels[:1], adjusted_rand)
    _, between = _pairs(labels, adjusted_rand)
    return _mean(within), _mean(between)


def _with_the_first(labels: NDArray) -> tuple[float, float]:
    table = _table(labels)
    return float(table[0, 0, 0, 1:].mean()), float(table[0, 0, 1:].mean())


def _neighbours(labels: NDArray) -> tuple[float, float]:
    table = _table(labels)
    nets, restarts = labels.shape[:2]
    within = [table[i, r, i, r + 1] for i in range(nets) for r in range(restarts - 1)]
    _, between = _pairs(labels, adjusted_rand)
    return _mean(within), _mean(between)


def _by_matching(a: NDArray, b: NDArray) -> float:
    counts = contingency_matrix(a, b)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(a))


def _equal_names(a: NDArray, b: NDArray) -> float:
    return float(np.mean(a == b))


_random = np.random.default_rng(78)


def _runs(nets: int, restarts: int, n: int, k: int, own: float, further: float) -> NDArray:
    """Labels of runs: a net moves a share ``own`` of the points, a restart a share ``further``."""
    truth = _random.integers(k, size=n)
    labels = np.empty((nets, restarts, n), dtype=np.int64)
    for i in range(nets):
        net = np.where(_random.random(n) < own, _random.integers(k, size=n), truth)
        for r in range(restarts):
            moved = _random.random(n) < further
            labels[i, r] = _random.permutation(k)[np.where(moved, _random.integers(k, size=n), net)]
    return labels


stability = Exercise(
    number="7.8",
    name="stability",
    reference=_stability,
    time_limit=20.0,
    cases=(
        Case(
            "two nets, two restarts, six points",
            (
                np.array(
                    [
                        [[0, 0, 0, 1, 1, 1], [1, 1, 0, 0, 0, 0]],
                        [[0, 1, 0, 1, 0, 1], [0, 1, 1, 1, 0, 1]],
                    ]
                ),
            ),
        ),
        Case(
            "two nets, three restarts, eight points",
            (
                np.array(
                    [
                        [
                            [0, 0, 1, 1, 2, 2, 2, 0],
                            [2, 2, 0, 0, 1, 1, 1, 1],
                            [0, 0, 1, 2, 2, 2, 2, 0],
                        ],
                        [
                            [0, 1, 1, 1, 2, 2, 0, 0],
                            [1, 0, 0, 0, 2, 2, 1, 2],
                            [0, 1, 1, 2, 2, 2, 0, 1],
                        ],
                    ]
                ),
            ),
        ),
        Case("three nets, two restarts, forty points", (_runs(3, 2, 40, 4, 0.5, 0.1),)),
        Case("three nets, three restarts, sixty points", (_runs(3, 3, 60, 5, 0.3, 0.2),)),
    ),
    properties=(
        Property("the clusters' names do not matter", _renamed),
        Property("the order of the points does not matter", _points_shuffled),
        Property("the order of the runs does not matter", _runs_shuffled),
        Property("equal restarts agree within a net, and not between", _same_restarts),
        Property("between equal nets it is as within one", _same_nets),
    ),
    misconceptions=(
        Misconception(
            "exchanged",
            _of(lambda within, between: (_mean(between), _mean(within))),
            "The two are exchanged: first pairs of the same net, then pairs from two nets.",
        ),
        Misconception(
            "restarts for nets",
            lambda labels: _stability(labels.transpose(1, 0, 2)),
            "You take the first axis for the restarts. Nets are axis 0, restarts of the clustering "
            "axis 1.",
        ),
        Misconception(
            "all pairs together",
            _of(lambda within, between: (_mean(within + between),) * 2),
            "You average over all pairs at once. Two restarts on one net tell of the clustering, "
            "runs of two nets of the training as well: two different doubts.",
        ),
        Misconception(
            "all pairs for between",
            _of(lambda within, between: (_mean(within), _mean(within + between))),
            "In your second number pairs of the same net are counted too. Only pairs from two "
            "nets.",
        ),
        Misconception(
            "a run with itself",
            _with_itself,
            "Within a net you compare each run with itself too, and it agrees. Pairs of *two* "
            "restarts.",
        ),
        Misconception(
            "the same restart of other nets",
            _same_restart,
            "Between nets you compare restart 0 with restart 0, 1 with 1. The numbers mean "
            "nothing: all pairs of runs from two nets.",
        ),
        Misconception(
            "first restarts alone",
            _first_restarts,
            "Between nets you take each net's first restart alone. All pairs of runs from two "
            "nets are asked for.",
        ),
        Misconception(
            "the first net alone",
            _first_net,
            "Within nets you look at the first net alone. All nets are asked for.",
        ),
        Misconception(
            "with the first run",
            _with_the_first,
            "You compare every run with the first one. It is a run like any other: all pairs are "
            "asked for.",
        ),
        Misconception(
            "neighbours",
            _neighbours,
            "Within a net you compare each restart with the next one. All pairs are asked for.",
        ),
        Misconception(
            "equal names",
            _by(_equal_names),
            "You count the points with equal names. Names of clusters are arbitrary in each run: "
            "the adjusted Rand index does not look at them.",
        ),
        Misconception(
            "matched accuracy",
            _by(_by_matching),
            "You match names and count points. A fair score, but chance agreement is in it: the "
            "adjusted Rand index is asked for.",
        ),
        Misconception(
            "not adjusted",
            _by(metrics.rand_score),
            "This is the Rand index without adjustment for chance: with many clusters it is always "
            "high.",
        ),
        Misconception(
            "mutual information",
            _by(metrics.normalized_mutual_info_score),
            "This is normalised mutual information. The adjusted Rand index is asked for.",
        ),
        Misconception(
            "spread",
            _of(lambda within, between: (float(np.std(within)), float(np.std(between)))),
            "You return standard deviations. How *far* runs agree is the mean index of their "
            "pairs; a small spread says that they agree equally well, or equally badly.",
        ),
        Misconception(
            "disagreement",
            _of(lambda within, between: (1 - _mean(within), 1 - _mean(between))),
            "This is disagreement, one minus what is asked for.",
        ),
        Misconception(
            "median",
            _of(lambda within, between: (float(np.median(within)), float(np.median(between)))),
            "You take medians of the pairs. Means are asked for.",
        ),
        Misconception(
            "worst",
            _of(lambda within, between: (min(within), min(between))),
            "You take the worst pair. Means are asked for.",
        ),
        Misconception(
            "best",
            _of(lambda within, between: (max(within), max(between))),
            "You take the best pair. Means are asked for.",
        ),
        Misconception(
            "summed",
            _of(lambda within, between: (sum(within), sum(between))),
            "You add up over the pairs. With more runs that grows and grows: take means.",
        ),
        Misconception(
            "of each pair",
            _of(lambda within, between: (np.array(within), np.array(between))),
            "These are the indices of all pairs. Average each of the two lists.",
        ),
        Misconception(
            "one number",
            _of(lambda within, between: _mean(within + between)),
            "One number, over all pairs. Two are asked for: within nets and between nets.",
        ),
    ),
    hints=(
        "Every run is a pair (net, restart). Of all pairs of two runs, which are of the same net?",
        "`itertools.combinations` makes the pairs; `adjusted_rand` scores one. Collect the scores "
        "in two lists.",
        "For (i, r), (j, s) in combinations of np.ndindex(nets, restarts), 2 at a time: the score "
        "of labels[i, r] and labels[j, s] goes to `within` if i == j, else to `between`. Return "
        "the two means.",
    ),
)
