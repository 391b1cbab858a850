"""What all draws agree on: how often two points share a component.

Components have no names that hold from draw to draw, so an average over draws of anything that
belongs to "component 1" means nothing. Whether two points share a component does not depend on
names, and can be averaged.

Responsibilities are p(k | x_n) under each of S draws, (S, N, K). All draws at once can be large
(4,000 draws of 500 points and 11 components: 176 MB), so every function here also takes an iterable
of blocks of draws, (s, N, K) each, and holds one block at a time. Of an array it makes no copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

CHUNK = 1_000_000
"""Responsibilities that are multiplied at once: 8 MB."""

Responsibilities = ArrayLike | Iterable[ArrayLike]
"""(S, N, K), or blocks of it along the first axis."""


def similarity(responsibilities: Responsibilities, *, hard: bool = False) -> NDArray[np.float64]:
    """Posterior probability that two points share a component, (N, N), symmetric, diagonal 1.

    Given a draw, the components of two points are independent, so they are the same with
    probability Σ_k r_nk r_jk; this is the mean over draws. (A point shares its own for certain,
    though Σ_k r_nk² is less.) Nothing of the size S × N × N is made: the components of many draws
    stand side by side in one matrix product.

    Parameters
    ----------
    responsibilities: (S, N, K), float64 or float32, or an iterable of blocks (s, N, K); a block
        may also be a single draw (N, K). Sums are float64 in any case.
    hard: give each point, in each draw, wholly to its most probable component (of equal ones the
        first): the share of draws in which two points have the same label. It throws away how
        sure a draw was.

    Raises ValueError for another shape, and where rows do not sum to one.
    """
    total, draws = np.zeros((0, 0)), 0
    for block in _blocks(responsibilities):
        _, n, k = block.shape
        if draws and n != len(total):
            raise ValueError(f"a block has {n} points after blocks with {len(total)}; N is one")
        total = total if draws else np.zeros((n, n))
        for chunk in _chunks(block, n * k):
            _check_shares(chunk)
            # Labels as zeros and ones are counted, and float32 counts exactly up to 16 million.
            r = _labels_as_shares(chunk) if hard else chunk
            wide = _side_by_side(r, np.float32 if hard else np.float64)
            total += wide @ wide.T
        draws += len(block)
    if not draws:
        raise ValueError("there are no responsibilities; at least one draw is needed")
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


def membership(
    new: Responsibilities, fitted: Responsibilities, labels: ArrayLike
) -> NDArray[np.float64]:
    """Probability that a new point shares its component with a member of each cluster, (M, C).

    Of cluster c it is the mean, over its members j and over draws, of Σ_k new_mk fitted_jk. Rows
    need not sum to one: a point may share its component with no cluster or, where clusters share
    components, with several. A row depends on its own point alone, so new points may come in any
    portions.

    Parameters
    ----------
    new: responsibilities of the new points, (S, M, K).
    fitted: those of the points that the partition is of, (S, N, K), under the same draws in the
        same order; where they come in blocks, these need not be cut at the same draws.
    labels: (N,), the partition: whole numbers from 0, none of them without a point.

    Raises ValueError where shapes do not fit together, and for labels with gaps.
    """
    names = np.asarray(labels)
    if (
        names.ndim != 1
        or names.dtype.kind not in "iu"
        or not np.array_equal(np.unique(names), np.arange(names.max(initial=-1) + 1))
    ):
        raise ValueError(
            f"the labels are {names.dtype}, {names.shape}; they are whole numbers 0 to C − 1, one "
            "a fitted point, and each of them occurs (partition gives such)"
        )
    members = np.eye(names.max(initial=-1) + 1)[names]
    members /= members.sum(axis=0)
    total, draws = np.zeros((0, members.shape[1])), 0
    for r, f in _together(_blocks(new), _blocks(fitted)):
        (s, m, k), (_, n, fitted_k) = r.shape, f.shape
        if (n, fitted_k) != (len(names), k):
            raise ValueError(
                f"new points have {k} components, fitted ones {fitted_k}; there are {n} fitted "
                f"points and {len(names)} labels: each two are the same"
            )
        if draws and m != len(total):
            raise ValueError(f"a block has {m} new points after blocks with {len(total)}; M is one")
        total = total if draws else np.zeros((m, members.shape[1]))
        size = max(m, n) * k
        for part, own in zip(_chunks(r, size), _chunks(f, size), strict=True):
            _check_shares(part)
            _check_shares(own)
            # What share of a cluster each component has, (s, K, C): then again one product.
            shares = own.swapaxes(1, 2) @ members
            total += _side_by_side(part, np.float64) @ shares.reshape(-1, members.shape[1])
        draws += s
    if not draws:
        raise ValueError("there are no responsibilities; at least one draw is needed")
    return total / draws


def _blocks(responsibilities: Responsibilities) -> Iterator[NDArray]:
    """Blocks (s, N, K): the one that an array is, or those that come, one after another."""
    whole = hasattr(responsibilities, "ndim")
    for given in [responsibilities] if whole else responsibilities:  # type: ignore[union-attr]
        block = np.asarray(given)
        block = block[None] if block.ndim == 2 and not whole else block
        if block.ndim != 3 or 0 in block.shape:
            raise ValueError(
                f"the responsibilities have shape {block.shape}; they are (draws, N, K)"
            )
        yield block


def _together(first: Iterator[NDArray], second: Iterator[NDArray]) -> Iterator[tuple]:
    """Two streams of the same draws, cut wherever one of them is."""
    one, other = next(first, None), next(second, None)
    while one is not None and other is not None:
        s = min(len(one), len(other))
        yield one[:s], other[:s]
        one = one[s:] if len(one) > s else next(first, None)
        other = other[s:] if len(other) > s else next(second, None)
    if one is not None or other is not None:
        raise ValueError("there are more draws of one than of the other; both are of all draws")


def _chunks(block: NDArray, numbers: int) -> Iterator[NDArray]:
    """Some draws of a block at a time, a draw having so many numbers."""
    size = max(1, CHUNK // numbers)
    return (block[first : first + size] for first in range(0, len(block), size))


def _check_shares(r: NDArray) -> None:
    if not (r >= 0).all() or not np.allclose(r.sum(axis=2), 1):
        raise ValueError("the responsibilities of a point are shares: not negative, summing to one")


def _labels_as_shares(r: NDArray) -> NDArray[np.bool_]:
    return r.argmax(axis=2)[..., None] == np.arange(r.shape[2])


def _side_by_side(r: NDArray, kind: type) -> NDArray:
    """All components of all draws in one row a point: (s, N, K) to (N, s K)."""
    return r.transpose(1, 0, 2).astype(kind, order="C").reshape(r.shape[1], -1)
