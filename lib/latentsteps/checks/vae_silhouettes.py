"""Check of unit 07, exercise 7.7: the same clusters, scored in each of several spaces.

Rousseeuw (1987), "Silhouettes: a graphical aid to the interpretation and validation of cluster
analysis", section 2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

Spaces = dict[str, NDArray]
"""From a name to coordinates, (N, D), each space with a D of its own."""

# 7.7 · A score with its space


def _silhouettes(spaces: Spaces, clusters: NDArray) -> dict[str, float]:
    return {
        name: float(metrics.silhouette_score(space, clusters)) for name, space in spaces.items()
    }


def _changed(again: dict, result: dict, what: str) -> Failure | None:
    for name in result:
        if not np.isclose(again[name], result[name], rtol=1e-6, atol=1e-6):
            return Failure(
                f"{what}, and the score in the space “{name}” changed.",
                again[name],
                result[name],
                AFTER_BEFORE,
            )
    return None


def _ruler(call: Callable, args: tuple, result: dict) -> Failure | None:
    spaces, clusters = args
    scaled = {name: 5 * space + 2 for name, space in spaces.items()}
    what = "Every space was moved, and measured with another ruler, all axes alike"
    return _changed(call(scaled, clusters), result, what)


def _renamed(call: Callable, args: tuple, result: dict) -> Failure | None:
    spaces, clusters = args
    return _changed(call(spaces, 9 - 2 * clusters), result, "The clusters got other names")


def _alone(call: Callable, args: tuple, result: dict) -> Failure | None:
    spaces, clusters = args
    for name, space in spaces.items():
        alone = call({name: space}, clusters)
        if not np.isclose(alone[name], result[name], rtol=1e-6, atol=1e-6):
            return Failure(
                f"The space “{name}” was handed over by itself, and scores otherwise than beside "
                "the others.",
                alone[name],
                result[name],
                ("by itself", "beside others"),
            )
    return None


def _pulled_apart(call: Callable, args: tuple, result: dict) -> Failure | None:
    spaces, clusters = args
    _, which = np.unique(clusters, return_inverse=True)
    apart = {name: space + 1e4 * which[:, None] for name, space in spaces.items()}
    size = np.bincount(which)
    # Points of a cluster of one count 0, all others come close to 1.
    best = float((size[which] > 1).mean())
    for name, score in call(apart, clusters).items():
        if not abs(score - best) < 0.02:
            return Failure(
                f"In the space “{name}” each cluster was moved far from the others, as a drawing "
                "may do. Points that have company score close to 1 then, lone ones 0; on average:",
                score,
                best,
            )
    return None


def _in_each(score: Callable[[NDArray, NDArray], object]) -> Callable[[Spaces, NDArray], object]:
    """An answer from ``score(space, clusters)``."""
    return lambda spaces, clusters: {name: score(s, clusters) for name, s in spaces.items()}


def _score(space: NDArray, clusters: NDArray) -> float:
    return float(metrics.silhouette_score(space, clusters))


def _by_hand(
    combine: Callable[[NDArray, NDArray], NDArray],
    others: Callable[[NDArray], NDArray] = lambda table: table.min(axis=0),
    with_itself: bool = False,
    squared: bool = False,
) -> Callable[[Spaces, NDArray], object]:
    """Means of ``combine(a, b)``: a from the own cluster, b from ``others`` of a table (K−1, N)."""

    def score(space: NDArray, clusters: NDArray) -> float:
        distance = np.sqrt(((space[:, None] - space) ** 2).sum(axis=2)) ** (2 if squared else 1)
        names = np.unique(clusters)
        own = clusters[:, None] == clusters
        company = own.sum(axis=1) - (0 if with_itself else 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            a = np.where(company > 0, (distance * own).sum(axis=1) / company, 0.0)
        table = np.stack([distance[:, clusters == name].mean(axis=1) for name in names])
        table = np.where(names[:, None] == clusters, np.nan, table)
        b = others(np.sort(table, axis=0)[:-1])
        value = combine(a, b)
        return float(np.where(own.sum(axis=1) > 1, value, 0.0).mean())

    return _in_each(score)


def _of_centres(space: NDArray, clusters: NDArray) -> float:
    names = np.unique(clusters)
    centres = np.stack([space[clusters == name].mean(axis=0) for name in names])
    distance = np.linalg.norm(space[:, None] - centres, axis=2)
    own = clusters[:, None] == names
    a, b = distance[own], np.where(own, np.inf, distance).min(axis=1)
    return float(np.mean((b - a) / np.maximum(a, b)))


def _by_cluster(space: NDArray, clusters: NDArray) -> float:
    each = metrics.silhouette_samples(space, clusters)
    return float(np.mean([each[clusters == name].mean() for name in np.unique(clusters)]))


def _company_alone(space: NDArray, clusters: NDArray) -> float:
    each = metrics.silhouette_samples(space, clusters)
    _, which, size = np.unique(clusters, return_inverse=True, return_counts=True)
    return float(each[size[which] > 1].mean())


def _clustered_anew(space: NDArray, clusters: NDArray) -> float:
    k = len(np.unique(clusters))
    return _score(space, KMeans(k, n_init=3, random_state=0).fit_predict(space))


def _first_for_all(spaces: Spaces, clusters: NDArray) -> dict[str, float]:
    first = next(iter(spaces.values()))
    return {name: _score(first, clusters) for name in spaces}


def _side_by_side(spaces: Spaces, clusters: NDArray) -> dict[str, float]:
    joined = np.hstack(list(spaces.values()))
    return {name: _score(joined, clusters) for name in spaces}


_random = np.random.default_rng(77)
_LABELS = np.repeat([0, 1, 2], [25, 20, 15])
_BLOBS = _random.normal(size=(60, 5))
_BLOBS[:, :2] += 3.0 * np.array([[0, 0], [1, 0.3], [0.2, 1.2]])[_LABELS]
_GREY = _random.random((60, 9)) + 0.25 * np.eye(3)[_LABELS].repeat(3, axis=1)

silhouettes = Exercise(
    number="7.7",
    name="silhouettes",
    reference=_silhouettes,
    cases=(
        Case(
            "one space, a line, with two clusters of two points",
            ({"line": np.array([[0.0], [1.0], [5.0], [7.0]])}, np.array([0, 0, 1, 1])),
        ),
        Case(
            "two spaces, seven points, a cluster of three and one of four",
            (
                {
                    "pixels": np.array(
                        [[0, 1], [1, 0.5], [2, 2], [1.5, 3], [0.5, 2], [3, 2.5], [2, 0]]
                    ),
                    "latents": np.array([[0.0], [0.2], [1.0], [2.0], [2.1], [2.9], [2.5]]),
                },
                np.array([1, 1, 1, 2, 2, 2, 2]),
            ),
        ),
        Case(
            "one space, three clusters, one of them a single point",
            (
                {"plane": np.array([[0, 0], [1, 0], [4, 4], [5, 4], [4, 6], [9, 0.0]])},
                np.array([0, 0, 1, 1, 1, 2]),
            ),
        ),
        Case(
            "three spaces, sixty points, the same clusters in each",
            (
                {
                    "pixels": _GREY,
                    "latents": _BLOBS * [1, 1, 1, 2.0, 0.5],
                    "drawing": _BLOBS[:, :2],
                },
                _LABELS,
            ),
        ),
    ),
    properties=(
        Property("another ruler changes nothing", _ruler),
        Property("the clusters' names do not matter", _renamed),
        Property("each space is scored by itself", _alone),
        Property("pulled far apart they score close to 1", _pulled_apart),
    ),
    misconceptions=(
        Misconception(
            "the first space for all",
            _first_for_all,
            "You score all of them in the first space. A silhouette belongs to a space: use each "
            "one's own coordinates.",
        ),
        Misconception(
            "side by side",
            _side_by_side,
            "You put the spaces side by side and score once. A silhouette belongs to a space: "
            "score each by itself.",
        ),
        Misconception(
            "clustered anew",
            _in_each(_clustered_anew),
            "You cluster anew in each space, and so score other clusters each time. The clusters "
            "are given, and the same everywhere: what changes is the space alone.",
        ),
        Misconception(
            "standardised",
            _in_each(lambda s, c: _score((s - s.mean(axis=0)) / s.std(axis=0), c)),
            "You standardise the axes first. That is another space, with other distances: score "
            "the coordinates that are given.",
        ),
        Misconception(
            "two components",
            _in_each(
                lambda s, c: _score(PCA(min(2, s.shape[1])).fit_transform(s), c),
            ),
            "You bring each space down to two dimensions first, and score the drawing. All "
            "dimensions count.",
        ),
        Misconception(
            "city blocks",
            _in_each(lambda s, c: float(metrics.silhouette_score(s, c, metric="manhattan"))),
            "Your distances are sums along the axes. Straight ones are asked for, which is what "
            "silhouette_score does where no metric is given.",
        ),
        Misconception(
            "squared distances",
            _by_hand(lambda a, b: (b - a) / np.maximum(a, b), squared=True),
            "Your distances are squared. Silhouettes take the distances themselves.",
        ),
        Misconception(
            "angles",
            _in_each(lambda s, c: float(metrics.silhouette_score(s + 1e-9, c, metric="cosine"))),
            "You compare directions, not places, so it matters where 0 is. Straight distances are "
            "asked for.",
        ),
        Misconception(
            "distances to centres",
            _in_each(_of_centres),
            "You measure distances to the clusters' centres. A silhouette averages distances to "
            "the *points* of a cluster.",
        ),
        Misconception(
            "itself in the mean",
            _by_hand(lambda a, b: (b - a) / np.maximum(a, b), with_itself=True),
            "In the mean distance within a cluster you count the point itself, at distance 0. "
            "Divide by the number of the *others*.",
        ),
        Misconception(
            "all other clusters",
            _by_hand(
                lambda a, b: (b - a) / np.maximum(a, b), others=lambda table: table.mean(axis=0)
            ),
            "You compare with all other clusters on average. It is the *nearest* other cluster "
            "that could have the point too.",
        ),
        Misconception(
            "the farthest cluster",
            _by_hand(
                lambda a, b: (b - a) / np.maximum(a, b), others=lambda table: table.max(axis=0)
            ),
            "You compare with the farthest cluster. It is the *nearest* other cluster that could "
            "have the point too.",
        ),
        Misconception(
            "the other sign",
            _by_hand(lambda a, b: (a - b) / np.maximum(a, b)),
            "The sign is turned: a point that is nearer to its own cluster should score above 0.",
        ),
        Misconception(
            "not divided",
            _by_hand(lambda a, b: b - a),
            "You take b − a as it is, in the space's own unit. Divided by the larger of the two it "
            "lies between −1 and 1, whatever the ruler.",
        ),
        Misconception(
            "divided by the sum",
            _by_hand(lambda a, b: (b - a) / (a + b)),
            "You divide by the sum of the two distances. It is the larger of the two.",
        ),
        Misconception(
            "divided by the own distance",
            _by_hand(lambda a, b: (b - a) / np.where(a > 0, a, 1.0)),
            "You divide by the distance within the cluster. It is the larger of the two distances, "
            "so that nothing exceeds 1.",
        ),
        Misconception(
            "of each cluster",
            _in_each(_by_cluster),
            "You average within clusters, and then over clusters. Every *point* counts alike.",
        ),
        Misconception(
            "lone points left out",
            _in_each(_company_alone),
            "You leave clusters of a single point out. They count, with 0.",
        ),
        Misconception(
            "median",
            _in_each(lambda s, c: float(np.median(metrics.silhouette_samples(s, c)))),
            "You take the median over the points. The mean is asked for.",
        ),
        Misconception(
            "of each point",
            _in_each(metrics.silhouette_samples),
            "These are the points' own silhouettes. A space's score is their mean.",
        ),
        Misconception(
            "Davies and Bouldin",
            _in_each(metrics.davies_bouldin_score),
            "This is the Davies–Bouldin index, for which *small* is good. The silhouette is asked "
            "for.",
        ),
        Misconception(
            "Calinski and Harabasz",
            _in_each(metrics.calinski_harabasz_score),
            "This is the Calinski–Harabasz index, which grows with the number of points and so "
            "compares nothing across reports. The silhouette is asked for.",
        ),
        Misconception(
            "a list",
            lambda spaces, clusters: [_score(space, clusters) for space in spaces.values()],
            "You return the scores without the names of their spaces, and that is how reports go "
            "wrong. A dictionary, name → score.",
        ),
        Misconception(
            "one number",
            lambda spaces, clusters: max(_score(space, clusters) for space in spaces.values()),
            "One number for all spaces, their best or their average say, is the score of none of "
            "them. A dictionary, name → score.",
        ),
    ),
    hints=(
        "`sklearn.metrics.silhouette_score(space, clusters)` is the score in one space. Which of "
        "the two changes from space to space?",
        "A dictionary of what each name's space gives: {name: … for name, space in "
        "spaces.items()}.",
        "{name: float(silhouette_score(space, clusters)) for name, space in spaces.items()}.",
    ),
)
