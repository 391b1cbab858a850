"""What all draws agree on: how often two points share a component.

Components have no names that hold from draw to draw, so an average over draws of anything that
belongs to "component 1" means nothing. Whether two points share a component does not depend on
names, and can be averaged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

CHUNK = 2_000_000
"""Responsibilities that are multiplied at once: 16 MB."""


def similarity(responsibilities: ArrayLike) -> NDArray[np.float64]:
    """Posterior probability that two points share a component, (N, N), symmetric, diagonal 1.

    ``responsibilities`` are p(k | x_n) for each of S draws, (S, N, K). Given a draw, the components
    of two points are independent, so they are the same with probability Σ_k r_nk r_jk; this is the
    mean over draws. (A point shares its own for certain, though Σ_k r_nk² is less.)

    Raises ValueError for another shape, and where rows do not sum to one.
    """
    r = np.asarray(responsibilities, dtype=np.float64)
    if r.ndim != 3 or 0 in r.shape:
        raise ValueError(f"the responsibilities have shape {r.shape}; they are (draws, N, K)")
    if not (r >= 0).all() or not np.allclose(r.sum(axis=2), 1):
        raise ValueError("the responsibilities of a point are shares: not negative, summing to one")
    draws, n, k = r.shape
    total = np.zeros((n, n))
    size = max(1, CHUNK // (n * k))
    for first in range(0, draws, size):
        # All components of all draws of a chunk side by side: one matrix product for them.
        wide = r[first : first + size].transpose(1, 0, 2).reshape(n, -1)
        total += wide @ wide.T
    total /= draws
    np.fill_diagonal(total, 1.0)
    return total


def partition(similarity: ArrayLike, together: float = 0.5) -> NDArray[np.int64]:
    """Clusters from a similarity (N, N): labels (N,) from 0, the first point's cluster being 0.

    Average linkage: the two groups that are most alike are joined while the mean similarity between
    them is at least ``together``. SciPy's (Medvedovic & Sivaganesan 2002, "Bayesian infinite
    mixture model based clustering of gene expression profiles", *Bioinformatics* 18, 1194–1206,
    cluster draws of a mixture that way). How many clusters there are comes out.
    """
    s = np.asarray(similarity, dtype=np.float64)
    if s.ndim != 2 or s.shape[0] != s.shape[1] or not np.allclose(s, s.T):
        raise ValueError(f"the similarity has shape {s.shape}; it is (N, N) and symmetric")
    if not 0 < together <= 1:
        raise ValueError(f"together is {together}; it lies above 0 and is at most 1")
    if len(s) == 1:
        return np.zeros(1, dtype=np.int64)
    tree = linkage(squareform(1 - s, checks=False), method="average")
    names = fcluster(tree, 1 - together, criterion="distance")
    # SciPy numbers clusters as its tree is built; here in the order of their first points.
    _, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)
