"""Scores of clusters without labels, and the space that each of them was computed in.

Such a score compares distances within clusters and between them, and distances belong to a space:
pixels, principal components, latents, a t-SNE picture. The same clusters get another score in each.
So a score without its space says nothing, and scores in two spaces are not to be compared.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.models.points import as_points
from latentsteps.trace import Algorithm, Key

SAMPLE = 5_000
"""Points on which a silhouette is computed: it takes all distances, N²."""

Spaces = dict[str, NDArray]
"""Coordinates (N, D) of the same points in several spaces, by name; D may differ."""


class InternalScores(NamedTuple):
    """How compact and how far apart clusters are in one space. scikit-learn's."""

    silhouette: float
    """Mean of (b − a) / max(a, b) in [−1, 1]: a the mean distance to the point's own cluster, b
    that to the nearest other one (Rousseeuw 1987, "Silhouettes: a graphical aid to the
    interpretation and validation of cluster analysis", *Journal of Computational and Applied
    Mathematics* 20, 53–65). Higher is better; the scale of the space does not matter."""
    davies_bouldin: float
    """Mean over clusters of the worst (s_i + s_j) / d_ij, s mean distances to the centroid, d
    between centroids (Davies & Bouldin 1979, "A cluster separation measure", *IEEE Transactions on
    Pattern Analysis and Machine Intelligence* 1, 224–227). Lower is better, 0 the least."""
    calinski_harabasz: float
    """Variance between clusters over that within, each by its degrees of freedom, K − 1 and N − K
    (Caliński & Harabasz 1974, "A dendrite method for cluster analysis", *Communications in
    Statistics* 3, 1–27). Higher is better; it grows in proportion to N, so it cannot be compared
    between samples of different size."""


class Space(NamedTuple):
    """The state of :func:`score_spaces`: which space is looked at."""

    name: str
    number: int
    """From 0, in the order in which the spaces were given."""


class SpaceScores(NamedTuple):
    """The same clusters, scored in one space, and against labels."""

    objective: float
    """The silhouette."""
    dimensions: int
    """D of the space."""
    internal: InternalScores
    adjusted_rand: float
    """With the labels: no space enters it, so it is the same number each time."""


def internal_scores(
    space: ArrayLike, clusters: ArrayLike, *, sample: int = SAMPLE, seed: int = 0
) -> InternalScores:
    """Silhouette, Davies–Bouldin and Caliński–Harabasz of clusters (N,) in a space (N, D).

    Parameters
    ----------
    space: numbers of any type, all finite. Whatever is done to it, scaling a column say, changes
        the scores.
    clusters: whole numbers or words, 2 to N − 1 different ones.
    sample, seed: the silhouette is that of so many points, drawn with the seed, where there are
        more. The other two are of all points.

    Raises ValueError for other shapes, for too few or too many clusters, and where a sample misses
    all clusters but one.
    """
    from sklearn import metrics

    x = as_points(space, "a score")
    names = np.asarray(clusters)
    if names.shape != (len(x),):
        raise ValueError(f"clusters have shape {names.shape} for {len(x)} points; they are (N,)")
    count = len(np.unique(names))
    if not 2 <= count < len(x):
        raise ValueError(
            f"there are {count} clusters of {len(x)} points; a score needs at least two, and fewer "
            "than points"
        )
    if sample < 3:
        raise ValueError(f"sample is {sample}; a silhouette needs three points or more")
    rows = np.arange(len(x))
    if len(x) > sample:
        rows = np.random.default_rng(seed).choice(len(x), sample, replace=False)
    if not 2 <= len(np.unique(names[rows])) < len(rows):
        raise ValueError(
            f"the sample of {sample} points has {len(np.unique(names[rows]))} clusters; take a "
            "larger one"
        )
    return InternalScores(
        float(metrics.silhouette_score(x[rows], names[rows])),
        float(metrics.davies_bouldin_score(x, names)),
        float(metrics.calinski_harabasz_score(x, names)),
    )


def explained_variance_by_dimension(space: ArrayLike) -> NDArray[np.float64]:
    """Each coordinate's share of the total variance of points (N, D), (D,), summing to one.

    Of principal components it is their usual share; of a VAE's latent means it shows which
    dimensions are used. Scaling a column changes it, so it means something only where all columns
    have the same unit. Raises ValueError where all points are the same.
    """
    variance = as_points(space, "a share of variance").var(axis=0)
    if not variance.any():
        raise ValueError("all points are the same: there is no variance to share")
    return variance / variance.sum()


def score_spaces(
    clusters: ArrayLike, labels: ArrayLike, *, sample: int = SAMPLE, seed: int = 0
) -> Algorithm:
    """The same clusters in one space after another, for the stepper: which space was scored?

    The data are :data:`Spaces`, a dict of name → coordinates (N, D). State t is a :class:`Space`,
    the t-th of them and after the last the first again; its info is :class:`SpaceScores`. Nothing
    is clustered anew: ``clusters`` (N,) are the same throughout, and so is their index against
    ``labels`` (N,). ``sample`` and ``seed`` as in :func:`internal_scores`.
    """
    names, agreement = np.array(clusters), adjusted_rand(clusters, labels)

    def at(number: int, spaces: Spaces) -> tuple[Space, SpaceScores]:
        if not isinstance(spaces, dict) or not spaces:
            raise ValueError(
                "the data are a dict of spaces, name → coordinates (N, D), one space or more"
            )
        name, space = list(spaces.items())[number % len(spaces)]
        try:
            scores = internal_scores(space, names, sample=sample, seed=seed)
        except ValueError as error:
            raise ValueError(f"the space {name!r}: {error}") from None
        info = SpaceScores(scores.silhouette, space.shape[1], scores, agreement)
        return Space(name, number % len(spaces)), info

    def init(key: Key, spaces: Spaces) -> tuple[Space, SpaceScores]:
        return at(0, spaces)

    def step(key: Key, state: Space, spaces: Spaces) -> tuple[Space, SpaceScores]:
        return at(state.number + 1, spaces)

    return Algorithm(init, step, "The same clusters, scored in several spaces")
