"""How well clusters agree with labels that they never saw.

Names of clusters are arbitrary, so no score changes when clusters or labels are renamed. All take
``clusters`` and ``labels``, one per point in the same order, shape (N,): whole numbers or words.
All raise ValueError for lengths that differ, nothing at all, or anything but one name a point.

What each rewards, and what to bear in mind:

============================= ================================= =============================
purity                        each cluster's commonest label    N clusters of one point: 1
matched accuracy              the best one-to-one naming        a label in two: one counts
adjusted Rand index           pairs together, or apart, in both 0 is chance; it can be less
normalised mutual information what one tells about the other    chance adds, more with K
============================= ================================= =============================
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn import metrics
from sklearn.metrics.cluster import contingency_matrix


def confusion_matrix(
    clusters: ArrayLike, labels: ArrayLike, n_clusters: int | None = None
) -> NDArray[np.int64]:
    """How many points of each label each cluster holds, shape (n_clusters, n_labels).

    Columns are the distinct labels in sorted order, ``numpy.unique(labels)``. Rows are the
    distinct clusters in sorted order; or, where ``n_clusters`` is given, clusters 0 to
    ``n_clusters`` − 1, so that row k is cluster k even if an empty one comes before it.
    """
    clusters, labels = _checked(clusters, labels)
    counts = contingency_matrix(clusters, labels).astype(np.int64)
    if n_clusters is None:
        return counts
    present = np.unique(clusters)
    if present.dtype.kind not in "iu" or present[0] < 0 or present[-1] >= n_clusters:
        raise ValueError(
            f"n_clusters is {n_clusters} and clusters go from {present[0]} to {present[-1]}; "
            f"with n_clusters they are whole numbers from 0 to {n_clusters - 1}"
        )
    matrix = np.zeros((n_clusters, counts.shape[1]), dtype=np.int64)
    matrix[present] = counts
    return matrix


def purity(clusters: ArrayLike, labels: ArrayLike) -> float:
    """The share of points that carry the commonest label of their cluster, in (0, 1].

    Several clusters may have the same commonest label, so purity never falls when a cluster is
    split (Manning, Raghavan & Schütze 2008, *Introduction to Information Retrieval*,
    section 16.3).
    """
    counts = confusion_matrix(clusters, labels)
    return float(counts.max(axis=1).sum() / counts.sum())


def matched_accuracy(clusters: ArrayLike, labels: ArrayLike) -> float:
    """The share of points that are right under the best one-to-one naming of clusters, in (0, 1].

    Points of a cluster that goes without a label count as wrong. The best naming is the assignment
    problem (Kuhn 1955, "The Hungarian method for the assignment problem", *Naval Research
    Logistics Quarterly* 2, 83–97). Papers on deep clustering call the score ACC (Xie, Girshick &
    Farhadi 2016, "Unsupervised deep embedding for clustering analysis", section 4.2).
    """
    counts = confusion_matrix(clusters, labels)
    matched = counts[linear_sum_assignment(counts, maximize=True)]
    return float(matched.sum() / counts.sum())


def adjusted_rand(clusters: ArrayLike, labels: ArrayLike) -> float:
    """Agreement on pairs of points, together or apart, corrected for chance, in [−½, 1].

    1 for the same partition, 0 on average for random ones of the same sizes (Hubert & Arabie
    1985, "Comparing partitions", *Journal of Classification* 2, 193–218). scikit-learn's.
    """
    clusters, labels = _checked(clusters, labels)
    return float(metrics.adjusted_rand_score(labels, clusters))


def normalized_mutual_information(clusters: ArrayLike, labels: ArrayLike) -> float:
    """Mutual information of clusters and labels over the mean of their entropies, in [0, 1].

    0 where one tells nothing about the other; 1 for the same partition, and where there is
    nothing to tell: one cluster, one label. Papers divide by different means; this is the
    arithmetic one (Manning, Raghavan & Schütze 2008, section 16.3). scikit-learn's.
    """
    clusters, labels = _checked(clusters, labels)
    return float(metrics.normalized_mutual_info_score(labels, clusters))


def _checked(clusters: ArrayLike, labels: ArrayLike) -> tuple[NDArray, NDArray]:
    clusters, labels = _names("clusters", clusters), _names("labels", labels)
    if len(clusters) != len(labels):
        raise ValueError(
            f"there are {len(clusters)} clusters and {len(labels)} labels; each point has one of "
            "each, in the same order"
        )
    if not len(labels):
        raise ValueError("there are no points; a score needs at least one")
    return clusters, labels


def _names(what: str, values: ArrayLike) -> NDArray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(
            f"{what} has shape {array.shape}; it is (N,), one name a point "
            "(argmax(axis=1) makes names of responsibilities)"
        )
    if array.dtype == object and all(isinstance(value, str) for value in array):
        array = array.astype(str)
    if array.size and array.dtype.kind not in "biuU":
        raise ValueError(f"{what} are of type {array.dtype}; they are whole numbers or words")
    return array
