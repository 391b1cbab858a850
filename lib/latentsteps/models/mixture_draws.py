"""What can be averaged over draws of any mixture: densities, responsibilities, label-free numbers.

A model gives its *joint*: a function from a position with one leading axis of draws to
log p(x_n, k), (S, K, N), on points that it holds. Draws go through it a few at a time, so that
memory stays small however many they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from latentsteps.inference.nuts import all_draws
from latentsteps.trace import Trace

Position = dict[str, NDArray]
Joint = Callable[[Position], NDArray]

CHUNK = 200_000
"""Numbers of log p(x_n, k) that are held at once: 1.6 MB, and a handful of arrays of that size."""


def log_sum(joint: NDArray) -> NDArray[np.float64]:
    """log Σ_k over the components' axis, the last but one: (..., K, N) to (..., N)."""
    top = joint.max(axis=-2)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return safe + np.log(np.exp(joint - safe[..., None, :]).sum(axis=-2))


def shares(joint: NDArray, first: int = 0) -> NDArray[np.float64]:
    """p(k | x_n): the joint's exponentials, summing to one over the components, (..., K, N).

    Raises ValueError for a point whose density is 0 under every component: nothing can be shared
    out. ``first`` is the row of the data that the points begin at, for its words.
    """
    top = joint.max(axis=-2, keepdims=True)
    if not np.isfinite(top).all():
        bad = np.unravel_index(np.argmin(np.isfinite(top)), top.shape)[-1]
        raise ValueError(
            f"the density of row {first + bad} is no positive number under any component of a draw "
            "(the row is too far away, or the draw holds what is no number): it has no "
            "responsibilities. Drop that row, or look at the draws"
        )
    exponentials = np.exp(joint - top)
    exponentials /= exponentials.sum(axis=-2, keepdims=True)
    return exponentials


def chunks(joint: Joint, n: int, position: Position) -> Iterator[NDArray]:
    """``joint`` of all draws in order, a few at a time, for ``n`` points: (s, K, N)."""
    flat = flattened(position)
    k = flat["means"].shape[1]
    size = max(1, CHUNK // (n * k))
    for first in range(0, len(flat["means"]), size):
        yield joint({name: value[first : first + size] for name, value in flat.items()})


def flattened(position: Position) -> Position:
    """The position with all axes of draws made one."""
    axes = position["means"].ndim - 2
    return {name: value.reshape(-1, *value.shape[axes:]) for name, value in position.items()}


def by_draw(
    function: Callable[[NDArray], NDArray], joint: Joint, n: int, position: Position
) -> NDArray:
    """``function(joint)`` of each draw, in the shape of the draws' axes and what it returns."""
    found = np.concatenate([function(part) for part in chunks(joint, n, position)])
    return found.reshape((*position["means"].shape[:-2], *found.shape[1:]))


def log_likelihood(joint: Joint, n: int, position: Position) -> NDArray[np.float64]:
    """Σ_n log p(x_n) in nats under each draw: the shape of the draws' axes, () for one draw."""
    return by_draw(lambda part: log_sum(part).sum(axis=-1), joint, n, position)


def log_predictive(joint: Joint, n: int, position: Position) -> NDArray[np.float64]:
    """log of the mean over draws of p(x_n), (N,), in nats. All axes of draws are averaged over."""
    densities = by_draw(log_sum, joint, n, position).reshape(-1, n)
    return log_sum(densities) - np.log(len(densities))


def responsibilities(joint: Joint, n: int, position: Position) -> NDArray[np.float64]:
    """p(k | x_n) under each draw, (S, N, K): rows sum to one. All axes of draws become one.

    Raises ValueError where :func:`shares` does."""
    found = by_draw(shares, joint, n, position)
    return found.reshape(-1, *found.shape[-2:]).swapaxes(1, 2)


def blocks(
    joint: Joint, n: int, position: Position, first: int = 0
) -> Iterator[NDArray[np.float64]]:
    """:func:`responsibilities` as a stream of (s, N, K): what is too large to be held at once.
    ``first`` is as in :func:`shares`."""
    for part in chunks(joint, n, position):
        yield shares(part, first).swapaxes(1, 2)


def label_free(
    trace: Trace, joint: Joint, n: int, at_points: Joint, m: int
) -> dict[str, NDArray[np.float64]]:
    """Numbers of each draw that do not depend on names, for r-hat and its kin: (chains, draws).

    ``joint`` is on the data, ``at_points`` on fixed points. In nats all: ``"log likelihood"``;
    ``"entropy of shares"``: of the components' shares of the points, whose exponential is the
    number of components in use; ``"log density at point i"``.
    """
    position = all_draws(trace)

    def both(part: NDArray) -> NDArray:
        used = shares(part).mean(axis=-1)
        likelihood = log_sum(part).sum(axis=-1)
        return np.stack([likelihood, -xlogy(used, used).sum(axis=-1)], axis=-1)

    of_data = by_draw(both, joint, n, position)
    densities = by_draw(log_sum, at_points, m, position)
    return {
        "log likelihood": of_data[..., 0],
        "entropy of shares": of_data[..., 1],
    } | {f"log density at point {i}": densities[..., i] for i in range(m)}
