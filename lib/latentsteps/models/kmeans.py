"""k-means: every point to its nearest mean, every mean to the middle of its points, and again.

Lloyd's algorithm (Lloyd 1982, "Least squares quantization in PCM", *IEEE Transactions on
Information Theory* 28, 129–137). It is hard EM for spherical Gaussians of one fixed variance and
equal weights, with the sign turned: it goes through :func:`latentsteps.inference.em.em`, and its
objective, the distortion, must not rise.

Shapes: points ``x`` (N, D), means (K, D), labels (N,). Numbers of any type go in; distances and
means are float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from latentsteps.inference.em import em
from latentsteps.models.points import as_points
from latentsteps.trace import Algorithm, Data, Key

STARTS = ("random points", "k-means++")


class KMeansParameters(NamedTuple):
    """What k-means learns."""

    means: NDArray[np.float64]
    """One mean per cluster, shape (K, D)."""


def squared_distances(x: ArrayLike, means: ArrayLike) -> NDArray[np.float64]:
    """Squared Euclidean distance of each point to each mean, shape (N, K).

    Differences are squared and added up one by one: never negative, and exactly 0 for a point on
    a mean. (‖x‖² − 2 x·m + ‖m‖² is faster for many clusters and loses all digits far from 0.)
    """
    return cdist(x, means, "sqeuclidean")


def assign(x: ArrayLike, means: ArrayLike) -> NDArray[np.intp]:
    """The nearest mean of each point, shape (N,); of two equally near, the first."""
    return squared_distances(x, means).argmin(axis=1)


def update_means(x: ArrayLike, labels: ArrayLike, means: ArrayLike) -> NDArray[np.float64]:
    """The mean of each cluster's points, shape (K, D). An empty cluster stays where it was."""
    x, labels = np.asarray(x), np.asarray(labels)
    new = np.array(means, dtype=np.float64)
    for k in np.unique(labels):
        new[k] = x[labels == k].mean(axis=0, dtype=np.float64)
    return new


def distortion(x: ArrayLike, means: ArrayLike, labels: ArrayLike) -> float:
    """Sum over points of the squared distance to the mean they are assigned to."""
    difference = np.asarray(means, dtype=np.float64)[np.asarray(labels)]
    difference -= x
    return float(np.vdot(difference, difference))


def kmeans(
    k: int, *, start: str | ArrayLike = "random points", half_steps: bool = False
) -> Algorithm:
    """k-means as an algorithm for :class:`latentsteps.trace.Trace`, on points (N, D).

    A state is an :class:`latentsteps.inference.em.EMState`: ``state.parameters.means`` (K, D) and,
    as ``state.expectations``, the labels (N,). The objective is :func:`distortion`.

    Parameters
    ----------
    k: number of clusters, K.
    start: where the means begin. ``"random points"``: K different points, drawn evenly
        (Forgy 1965). ``"k-means++"``: drawn one after the other, each with probability
        proportional to its squared distance to the nearest one drawn before (Arthur &
        Vassilvitskii 2007, "k-means++: the advantages of careful seeding", section 2.2).
        Or the means themselves, an array (K, D).
    half_steps: make *assign* and *move* separate states. Otherwise a step is move, then assign,
        so that labels and distortion always belong to the means beside them.

    Raises
    ------
    ValueError: K is below 1, the start is unknown or of the wrong shape; and, once there are data,
        if these are not finite numbers of shape (N, D), or hold fewer than K different points
        to draw from.
    """
    if k < 1:
        raise ValueError(f"k is {k}; the number of clusters is 1 or more")
    if isinstance(start, str):
        if start not in STARTS:
            raise ValueError(
                f"start is {start!r}; it is 'random points', 'k-means++' or an array (K, D)"
            )
        given = None
    else:
        given = np.array(start, dtype=np.float64)
        if given.ndim != 2 or len(given) != k or not np.isfinite(given).all():
            raise ValueError(
                f"start has shape {given.shape}; for k = {k} it is an array of {k} rows, "
                "one mean each, and all its numbers are finite"
            )

    def init(key: Key, x: Data) -> KMeansParameters:
        x = as_points(x, "k-means")
        if given is not None:
            if given.shape[1] != x.shape[1]:
                raise ValueError(
                    f"the start has {given.shape[1]} columns and the data {x.shape[1]}; "
                    "they are the same"
                )
            return KMeansParameters(given)
        rng = np.random.default_rng(key)
        draw = _random_points if start == "random points" else _plus_plus
        rows = draw(x, k, rng)
        if len(rows) < k:
            raise ValueError(
                f"k is {k} but the data hold only {len(rows)} different points to start from; "
                f"take k ≤ {len(rows)}, or give the start as an array"
            )
        return KMeansParameters(x[rows])

    return em(
        init=init,
        e_step=lambda x, parameters: assign(x, parameters.means),
        m_step=lambda x, labels, old: KMeansParameters(update_means(x, labels, old.means)),
        objective=lambda x, parameters, labels: distortion(x, parameters.means, labels),
        half_steps=half_steps,
        name="k-means",
        direction="down",
    )


def _random_points(x: NDArray, k: int, rng: np.random.Generator) -> list[int]:
    """Up to ``k`` rows of ``x``, all different, in random order; fewer if there are not as many."""
    rows: list[int] = []
    for row in rng.permutation(len(x)):
        if not (x[rows] == x[row]).all(axis=1).any():
            rows.append(int(row))
        if len(rows) == k:
            break
    return rows


def _plus_plus(x: NDArray, k: int, rng: np.random.Generator) -> list[int]:
    """Up to ``k`` rows of ``x``, all different, by k-means++; fewer if there are not as many."""
    rows = [int(rng.integers(len(x)))]
    nearest = squared_distances(x, x[rows])[:, 0]
    while len(rows) < k and nearest.any():
        rows.append(int(rng.choice(len(x), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, squared_distances(x, x[rows[-1:]])[:, 0])
    return rows
