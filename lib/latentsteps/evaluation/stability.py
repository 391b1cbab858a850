"""Several runs of the same thing: side by side, held against each other, and counted as votes.

Labels of R runs are whole numbers (R, N), one row a run. Names of clusters are arbitrary in each,
so a score of agreement is one that ignores names (the adjusted Rand index), and votes are counted
only after names have been matched.

What differs between the runs is what their spread tells about. Restarts of a clustering on one
trained network say nothing about training it again; and neither is a posterior: runs are what an
optimiser happened to find, not draws with the probability of what they hold.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from latentsteps.evaluation.scores import adjusted_rand, confusion_matrix


class Stability(NamedTuple):
    """Mean adjusted Rand index over pairs of runs."""

    within: float
    """Pairs of restarts on the same network."""
    between: float
    """Pairs of runs on different networks."""


class AccuracyByAgreement(NamedTuple):
    """How often the majority is right, by how many runs it has."""

    agreeing: NDArray[np.int64]
    """(R,): 1 to R runs vote as the majority does."""
    points: NDArray[np.int64]
    """(R,): how many points have that many."""
    accuracy: NDArray[np.float64]
    """(R,): the share of them that is right; NaN where there are none."""


def runs(
    function: Callable[[Any], Any],
    settings: Iterable[Any],
    *,
    jobs: int = 2,
    progress: bool = True,
) -> list[Any]:
    """``[function(setting) for setting in settings]``, several at a time, in that order.

    joblib's processes do the work, one thread each, so that ``jobs`` of them do not fight over the
    cores and a result does not depend on how many there are. (JAX does not listen to that.) What
    the function uses travels with it, one defined in a notebook too; what it returns travels back,
    so let it return labels and not a network. An error in one of them is raised here. An interrupt
    ends all.

    Parameters
    ----------
    settings: whatever tells one run from another: seeds, or tuples of several seeds.
    jobs: how many at a time, 1 or more. 1: in this process.
    progress: a bar over the runs (silent where ``LATENTSTEPS_QUIET`` is set). Let the function
        itself show none.
    """
    from joblib import Parallel, delayed, parallel_config
    from threadpoolctl import threadpool_limits
    from tqdm.auto import tqdm

    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; it is the number of runs at a time, 1 or more")
    given = list(settings)
    silent = not progress or bool(os.environ.get("LATENTSTEPS_QUIET"))
    with (
        warnings.catch_warnings(),
        parallel_config(backend="loky", inner_max_num_threads=1),
        threadpool_limits(1) if jobs == 1 else nullcontext(),
    ):
        # A process that has grown by 300 MB (after loading torch, say) is replaced by a new one,
        # and joblib warns of that. Nothing is lost and there is nothing to do.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs")
        calls = (delayed(function)(setting) for setting in given)
        results = Parallel(n_jobs=jobs, return_as="generator")(calls)
        return list(tqdm(results, total=len(given), desc="runs", disable=silent))


def pairwise_adjusted_rand(labels: ArrayLike) -> NDArray[np.float64]:
    """The adjusted Rand index of each two runs, (R, R), symmetric, diagonal 1; labels (R, N)."""
    rows = _as_labels(labels, ("R", "N"))
    result = np.eye(len(rows))
    for i in range(len(rows)):
        for j in range(i):
            result[i, j] = result[j, i] = adjusted_rand(rows[i], rows[j])
    return result


def stability(labels: ArrayLike) -> Stability:
    """How far restarts of a clustering agree, and how far networks do, for (nets, restarts, N).

    Means of :func:`pairwise_adjusted_rand` over pairs of restarts within a network, all networks
    together, and over pairs from two networks. Pairs share runs, so they are no independent sample
    and a standard error over pairs would be too small.

    Raises ValueError where there are fewer than two networks or two restarts: then one of the two
    has no pairs.
    """
    cube = _as_labels(labels, ("nets", "restarts", "N"))
    nets, restarts, n = cube.shape
    if nets < 2 or restarts < 2:
        raise ValueError(
            f"there are {nets} nets with {restarts} restarts each; pairs within a net and between "
            "nets need two or more of both"
        )
    indices = pairwise_adjusted_rand(cube.reshape(-1, n))
    net = np.repeat(np.arange(nets), restarts)
    same = net[:, None] == net
    pairs = np.tri(len(net), k=-1, dtype=bool)
    return Stability(float(indices[pairs & same].mean()), float(indices[pairs & ~same].mean()))


def matched(labels: ArrayLike) -> NDArray[np.int64]:
    """The same partitions (R, N) with names that fit the first run's, which keeps its own.

    Each run is named so that as many points as possible carry the name that the first run gives
    them: an assignment problem, SciPy's. A cluster without a counterpart, where a run has more of
    them than the first, gets a name that nobody else has. Of equally good namings the one that
    changes least: what is matched already stays as it is. With another run in front names may be
    matched otherwise, and votes with them.
    """
    rows = _as_labels(labels, ("R", "N")).astype(np.int64)
    names = np.unique(rows[0])
    fresh = int(rows.max()) + 1
    result = rows.copy()
    for r in range(1, len(rows)):
        own = np.unique(rows[r])
        shared = confusion_matrix(rows[r], rows[0]).astype(np.float64)
        # Less than one point in all, so it only decides between equals.
        shared += (own[:, None] == names) / (len(names) + 1)
        cluster, counterpart = linear_sum_assignment(shared, maximize=True)
        new = dict(zip(own[cluster].tolist(), names[counterpart].tolist(), strict=True))
        for name in sorted(set(own.tolist()) - set(new)):
            # A name that is this run's alone may stay.
            new[name] = name
            if (np.delete(rows, r, axis=0) == name).any():
                new[name], fresh = fresh, fresh + 1
        result[r] = np.array([new[name] for name in own.tolist()])[np.searchsorted(own, rows[r])]
    return result


def majority(labels: ArrayLike) -> NDArray[np.int64]:
    """The name that most runs give each point, (N,), after :func:`matched`, for labels (R, N).

    Of equally common ones the lowest. A vote is not a model: it has no likelihood, and points at
    which the runs are split have a majority too.
    """
    votes = matched(labels)
    best = np.full(votes.shape[1], -1)
    most = np.zeros(votes.shape[1], dtype=np.int64)
    for name in np.unique(votes):
        count = (votes == name).sum(axis=0)
        best = np.where(count > most, name, best)
        most = np.maximum(count, most)
    return best


def vote_entropy(labels: ArrayLike) -> NDArray[np.float64]:
    """Entropy of the R votes on each point, (N,), nats, after :func:`matched`, for labels (R, N).

    0 where all runs agree, log R where all differ; with few runs it can take few values. It is not
    the entropy of p(k | x): a run that is unsure of a point votes as firmly as one that is sure.
    """
    votes = matched(labels)
    entropy = np.zeros(votes.shape[1])
    for name in np.unique(votes):
        share = (votes == name).mean(axis=0)
        entropy -= share * np.log(np.where(share > 0, share, 1.0))
    return np.maximum(entropy, 0.0)  # not −0


def accuracy_by_agreement(labels: ArrayLike, truth: ArrayLike) -> AccuracyByAgreement:
    """Where the runs agree, are they right? For labels (R, N) and the true ones (N,).

    The majority's clusters get the best one-to-one naming by true labels, over all points at once
    (as :func:`latentsteps.evaluation.scores.matched_accuracy` does); a point of a cluster that goes
    without a label counts as wrong. Weighted by the number of points the accuracies average to the
    matched accuracy of the majority.
    """
    votes = matched(labels)
    winner = majority(votes)
    counts = confusion_matrix(winner, truth)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    _, cluster = np.unique(winner, return_inverse=True)
    _, label = np.unique(np.asarray(truth), return_inverse=True)
    named = np.full(len(counts), -1)
    named[rows] = columns
    right = named[cluster] == label
    agree = (votes == winner).sum(axis=0)
    agreeing = np.arange(1, len(votes) + 1)
    points = np.array([(agree == count).sum() for count in agreeing])
    hits = np.array([right[agree == count].sum() for count in agreeing])
    share = np.divide(hits, points, out=np.full(len(points), np.nan), where=points > 0)
    return AccuracyByAgreement(agreeing, points, share)


def _as_labels(labels: ArrayLike, axes: tuple[str, ...]) -> NDArray[np.integer]:
    array = np.asarray(labels)
    if array.ndim != len(axes) or 0 in array.shape:
        raise ValueError(
            f"the labels have shape {array.shape}; they are ({', '.join(axes)}), none of them empty"
        )
    if array.dtype.kind not in "iu":
        raise ValueError(f"the labels are of type {array.dtype}; they are whole numbers")
    return array
