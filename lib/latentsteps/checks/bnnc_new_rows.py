"""Check of unit 06, exercise 6.6: with which cluster does a new point share its component?

``new`` (S, M, K) and ``fitted`` (S, N, K) are responsibilities under S draws, ``labels`` (N,) the
partition of the fitted rows, 0 … C − 1. Given a draw the components of two points are independent,
so a new point meets a fitted one with probability Σ_k r r; over the members of a cluster, and over
the draws, the mean is taken.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

# 6.6 · New rows


def _new_rows(new: NDArray, fitted: NDArray, labels: NDArray) -> NDArray:
    columns = []
    for cluster in range(labels.max() + 1):
        member = fitted[:, labels == cluster].mean(axis=1, keepdims=True)
        columns.append(np.sum(new * member, axis=2).mean(axis=0))
    return np.stack(columns, axis=1)


def _changed(again: NDArray, result: NDArray, what: str) -> Failure | None:
    if np.allclose(again, result, atol=1e-6):
        return None
    m, c = np.unravel_index(np.abs(again - result).argmax(), result.shape)
    return Failure(
        f"{what} and your entry [{m}, {c}] changed.", again[m, c], result[m, c], AFTER_BEFORE
    )


def _names_do_not_matter(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    new, fitted, labels = args
    random = np.random.default_rng(7)
    names = random.permuted(np.tile(np.arange(new.shape[2]), (len(new), 1)), axis=1)[:, None]
    renamed = (np.take_along_axis(each, names, axis=2) for each in (new, fitted))
    what = "In each draw the components were renamed, in another way, which says nothing new,"
    return _changed(call(*renamed, labels), result, what)


def _each_row_by_itself(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    new, fitted, labels = args
    alone = np.concatenate([call(new[:, [m]], fitted, labels) for m in range(new.shape[1])])
    what = "Each new point was handed over alone. It stands for itself,"
    return _changed(alone, result, what)


def _members_twice(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    new, fitted, labels = args
    again = np.flatnonzero(labels == 0)
    more = np.concatenate([fitted, fitted[:, again]], axis=1)
    what = "The members of cluster 0 were there twice. *A* member, taken at random, is as before,"
    return _changed(call(new, more, np.append(labels, labels[again])), result, what)


def _draws_twice(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    new, fitted, labels = args
    again = call(np.concatenate([new, new]), np.concatenate([fitted, fitted]), labels)
    return _changed(again, result, "Every draw was there twice, which says nothing new,")


def _a_cluster_for_each_component(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    new, _, _ = args
    s, _, k = new.shape
    sure = np.tile(np.eye(k), (s, 1, 1))
    again = call(new, sure, np.arange(k))
    expected = new.mean(axis=0)
    if np.allclose(again, expected, atol=1e-6):
        return None
    m, c = np.unravel_index(np.abs(again - expected).argmax(), expected.shape)
    return Failure(
        "There was one fitted point in each component, for certain, in every draw, and each was a "
        f"cluster. A new point then meets cluster {c} as often as it is in component {c}: by the "
        f"mean of its responsibilities. For new point {m} yours gives:",
        again[m, c],
        expected[m, c],
    )


def _by_cluster(
    combine: Callable[[NDArray, NDArray], NDArray],
) -> Callable[[NDArray, NDArray, NDArray], NDArray]:
    """A column for each cluster: ``combine(new, its members (S, members, K))``, (M,)."""

    def answer(new: NDArray, fitted: NDArray, labels: NDArray) -> NDArray:
        clusters = range(labels.max() + 1)
        columns = [combine(new, fitted[:, labels == cluster]) for cluster in clusters]
        return np.stack(columns, axis=1)

    return answer


def _pairs(new: NDArray, members: NDArray) -> NDArray:
    """The probability in each draw that a new point meets a member, (S, M, members)."""
    return np.asarray(new @ members.transpose(0, 2, 1))


def _of_pairs(combine: Callable[[NDArray], NDArray]) -> Callable[..., NDArray]:
    """A column for each cluster, of the meetings (S, M, members) with its members."""
    return _by_cluster(lambda new, members: combine(_pairs(new, members)))


def _hard(r: NDArray) -> NDArray:
    """1 for each point's most probable component, 0 for the others."""
    return np.asarray(np.eye(r.shape[-1])[r.argmax(axis=-1)])


def _over_its_sum(table: NDArray) -> NDArray:
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def _modes(new: NDArray, fitted: NDArray, labels: NDArray) -> NDArray:
    """1 for the cluster that most draws would choose, 0 for the others."""
    clusters = range(labels.max() + 1)
    meetings = [_pairs(new, fitted[:, labels == c]).mean(axis=2) for c in clusters]
    votes = np.argmax(meetings, axis=0)  # (S, M)
    counts = np.stack([(votes == c).sum(axis=0) for c in clusters], axis=1)
    return np.asarray(np.eye(len(clusters))[counts.argmax(axis=1)])


def _votes(new: NDArray, fitted: NDArray, labels: NDArray) -> NDArray:
    """The share of draws in which each cluster is the likeliest."""
    clusters = range(labels.max() + 1)
    meetings = [_pairs(new, fitted[:, labels == c]).mean(axis=2) for c in clusters]
    votes = np.argmax(meetings, axis=0)
    return np.stack([(votes == c).mean(axis=0) for c in clusters], axis=1)


_random = np.random.default_rng(66)


def _drawn(s: int, m: int, n: int, k: int, clusters: int) -> tuple[NDArray, NDArray, NDArray]:
    """Responsibilities of points that mostly follow their cluster, components renamed by draw."""
    labels = np.append(np.arange(clusters), _random.integers(clusters, size=n - clusters))
    names = np.stack([_random.permutation(k) for _ in range(s)])
    centres = 3 * np.eye(k)[names]  # (S, K, K): where cluster c is in draw s
    fitted = softmax(centres[:, labels] + _random.normal(size=(s, n, k)), axis=2)
    of_new = _random.integers(clusters, size=m)
    return softmax(centres[:, of_new] + _random.normal(size=(s, m, k)), axis=2), fitted, labels


_NEW = np.array([[0.75, 0.25], [0.1, 0.9]])
_FITTED = np.array([[1.0, 0.0], [0.8, 0.2], [0.0, 1.0]])

new_rows = Exercise(
    number="6.6",
    name="new_rows",
    reference=_new_rows,
    cases=(
        Case(
            "one draw, one new point, two fitted ones, each a cluster",
            (np.array([[[0.75, 0.25]]]), np.array([[[1.0, 0.0], [0.5, 0.5]]]), np.array([0, 1])),
        ),
        Case(
            "one draw, a cluster of two and one of one",
            (_NEW[None], _FITTED[None], np.array([0, 0, 1])),
        ),
        Case(
            "two draws, the second with names exchanged",
            (
                np.array([_NEW, _NEW[:, ::-1]]),
                np.array([_FITTED, _FITTED[:, ::-1]]),
                np.array([1, 1, 0]),
            ),
        ),
        Case("five draws, three components, two clusters", _drawn(5, 3, 6, 3, 2)),
        Case("thirty draws, five components, three clusters", _drawn(30, 4, 12, 5, 3)),
    ),
    properties=(
        Property("new names in each draw change nothing", _names_do_not_matter),
        Property("each new point stands for itself", _each_row_by_itself),
        Property("with sure points it is the mean responsibility", _a_cluster_for_each_component),
        Property("a cluster's size does not count", _members_twice),
        Property("draws twice over change nothing", _draws_twice),
    ),
    misconceptions=(
        Misconception(
            "responsibilities averaged",
            _by_cluster(
                lambda new, members: np.sum(new.mean(axis=0) * members.mean(axis=(0, 1)), axis=-1)
            ),
            "You average responsibilities over the draws first, and multiply then. Names change "
            "from draw to draw: multiply within each draw, and average the products.",
        ),
        Misconception(
            "sum over members",
            _of_pairs(lambda meet: meet.sum(axis=2).mean(axis=0)),
            "You add up over the members, so large clusters win by their size, and it is no "
            "probability. Average over them: it is about one member, taken at random.",
        ),
        Misconception(
            "over all fitted points",
            lambda new, fitted, labels: (
                _of_pairs(lambda meet: meet.sum(axis=2).mean(axis=0))(new, fitted, labels)
                / len(labels)
            ),
            "You divide by the number of *all* fitted points, so large clusters win by their "
            "size. Average over the members of each cluster: divide by *their* number.",
        ),
        Misconception(
            "sum over draws",
            _of_pairs(lambda meet: meet.mean(axis=2).sum(axis=0)),
            "You add up over the draws. The average is due: divide by their number.",
        ),
        Misconception(
            "mean over components",
            _by_cluster(
                lambda new, members: (new * members.mean(axis=1, keepdims=True)).mean(axis=(0, 2))
            ),
            "You average over the components. To meet in one or in another exclude each other, so "
            "the products are added up over k.",
        ),
        Misconception(
            "nearest member",
            _of_pairs(lambda meet: meet.max(axis=2).mean(axis=0)),
            "You take the member that the new point meets most easily. All members count: their "
            "mean.",
        ),
        Misconception(
            "all members at once",
            _of_pairs(lambda meet: meet.prod(axis=2).mean(axis=0)),
            "You multiply over the members, as if the new point had to meet all of them at once, "
            "and by chances that are independent. Average over them.",
        ),
        Misconception(
            "some member",
            _of_pairs(lambda meet: 1 - (1 - meet).prod(axis=2).mean(axis=0)),
            "Yours is the probability of meeting *any* of the members, which grows with their "
            "number. It is about one member, taken at random: the mean.",
        ),
        Misconception(
            "first draw",
            _of_pairs(lambda meet: meet[0].mean(axis=1)),
            "You use the first draw alone. A posterior is all of its draws: average over them.",
        ),
        Misconception(
            "last draw",
            _of_pairs(lambda meet: meet[-1].mean(axis=1)),
            "You use the last draw alone. A posterior is all of its draws, not where the chain "
            "ended: average over them.",
        ),
        Misconception(
            "hard, both",
            lambda new, fitted, labels: _new_rows(_hard(new), _hard(fitted), labels),
            "You give each point to its most probable component first. A point at .75 is not all "
            "there: keep the responsibilities as they are.",
        ),
        Misconception(
            "hard, fitted",
            lambda new, fitted, labels: _new_rows(new, _hard(fitted), labels),
            "You give the fitted points to their most probable component first. They are shared "
            "out too: keep their responsibilities.",
        ),
        Misconception(
            "hard, new",
            lambda new, fitted, labels: _new_rows(_hard(new), fitted, labels),
            "You give each new point to its most probable component first, and how unsure that is "
            "gets lost: keep its responsibilities.",
        ),
        Misconception(
            "votes",
            _votes,
            "You let each draw choose the likeliest cluster, and count. How sure each draw was is "
            "lost: average the probabilities themselves.",
        ),
        Misconception(
            "the most frequent choice",
            _modes,
            "You let each draw choose, and keep the most frequent choice: 0 and 1, and nothing of "
            "how sure it is. Average the probabilities.",
        ),
        Misconception(
            "made to add up to one",
            lambda new, fitted, labels: _over_its_sum(_new_rows(new, fitted, labels)),
            "You divide each row by its sum. These are not shares of one thing: a point far from "
            "all clusters meets none of them, and then all entries are small. That is worth "
            "knowing.",
        ),
        Misconception(
            "made to add up to one in each draw",
            lambda new, fitted, labels: np.mean(
                [
                    _over_its_sum(_new_rows(one[None], other[None], labels))
                    for one, other in zip(new, fitted, strict=True)
                ],
                axis=0,
            ),
            "You divide by the sum over clusters in each draw. These are not shares of one thing: "
            "a point far from all clusters meets none of them. Average the plain sums of products.",
        ),
        Misconception(
            "labels for components",
            lambda new, fitted, labels: new.mean(axis=0)[:, : labels.max() + 1],
            "You take the responsibility of component c for that of cluster c. Clusters are made "
            "of the fitted points, and have nothing to do with a component's number.",
        ),
        Misconception(
            "which, and not how probable",
            lambda new, fitted, labels: _new_rows(new, fitted, labels).argmax(axis=1),
            "You return the likeliest cluster of each new point. Return all the probabilities, "
            "(M, C): the choice can be made of them, and not the other way round.",
        ),
        Misconception(
            "a column for each fitted point",
            lambda new, fitted, labels: _pairs(new, fitted).mean(axis=0),
            "You have a column for each fitted point. Average over the members of each cluster: a "
            "column for each cluster.",
        ),
        Misconception(
            "a table for each draw",
            lambda new, fitted, labels: np.stack(
                [
                    _new_rows(one[None], other[None], labels)
                    for one, other in zip(new, fitted, strict=True)
                ]
            ),
            "You return a table for each draw. Average them over the draws.",
        ),
        Misconception(
            "clusters first",
            lambda *args: _new_rows(*args).T,
            "Your result is (C, M). A row for each new point is asked for: (M, C).",
        ),
        Misconception(
            "cosine",
            lambda new, fitted, labels: _new_rows(
                new / np.linalg.norm(new, axis=2, keepdims=True),
                fitted / np.linalg.norm(fitted, axis=2, keepdims=True),
                labels,
            ),
            "You divide by the lengths of the rows, which gives the cosine of an angle. The "
            "probability of being in the same component is the plain sum of products.",
        ),
    ),
    hints=(
        "In one draw: with what probability does new point m share its component with fitted "
        "point n? And with a member of cluster c, taken at random?",
        "Σ_k new[s, m, k] · (the mean of fitted[s, n, k] over the members n of c). Then the mean "
        "over s: products within a draw first, averages over draws last.",
        "for each cluster c: member = fitted[:, labels == c].mean(axis=1, keepdims=True), and its "
        "column is (new * member).sum(axis=2).mean(axis=0)",
    ),
    time_limit=10.0,  # JAX compiles each operation for each shape
)
