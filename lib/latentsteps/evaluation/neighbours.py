"""Clusters of a neighbour graph: who is near whom is all that is left of the space."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.models.points import as_points


def spectral(x: ArrayLike, k: int, *, neighbours: int = 10, seed: int = 0) -> NDArray[np.int64]:
    """Spectral clustering of points (N, D): labels (N,), 0 to K − 1. scikit-learn's.

    Each point is joined with its nearest ``neighbours`` (itself counted as one of them, as
    scikit-learn does), an edge that only one of two wants counting half. The first K eigenvectors
    of the graph's normalised Laplacian are new coordinates, and k-means parts those (von Luxburg
    2007, "A tutorial on spectral clustering", *Statistics and Computing* 17, 395–416, section 4).
    So a cluster may have any shape, as long as it hangs together. Where the graph falls into pieces
    by itself, a piece of a few strange points can be a cluster: more neighbours help.

    Memory and time grow with N: some seconds and 200 MB for 5,000 points; not for 60,000.

    Parameters
    ----------
    x: numbers of any type, all finite. Distances are Euclidean, so scales of columns matter.
    k: number of clusters, 2 or more.
    neighbours: 2 to N.
    seed: of the eigenvectors' solver, which begins at random, and of k-means' starts.

    Raises ValueError for arguments out of range, and for data that are no finite numbers (N, D).
    """
    from sklearn.cluster import SpectralClustering

    points = as_points(x, "a neighbour graph")
    if not 2 <= k < len(points):
        raise ValueError(f"k is {k} for {len(points)} points; it is 2 to N − 1")
    if not 2 <= neighbours <= len(points):
        raise ValueError(f"neighbours is {neighbours} for {len(points)} points; it is 2 to N")
    model = SpectralClustering(
        k, affinity="nearest_neighbors", n_neighbors=neighbours, random_state=seed
    )
    with warnings.catch_warnings():
        # Of a graph in pieces: said above.
        warnings.filterwarnings("ignore", "Graph is not fully connected")
        return model.fit_predict(points).astype(np.int64)
