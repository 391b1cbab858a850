"""One latent dimension of a VAE, walked along: the path of the picture that is decoded.

A digit x is encoded, z = the mean of q(z | x). Then one coordinate of z goes from −3 to 3, and back
again, while the others stay; each state holds what the decoder makes of it. A dimension that the
network uses changes the picture; a dead one, whose KL from the prior is nearly nothing, does not.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from latentsteps.models.vae import kl_by_dimension, posterior, traverse
from latentsteps.trace import Algorithm, Key

MOST = 24
"""Steps from one end to the other."""


class Traversal(NamedTuple):
    """A digit's place in the latent space with one coordinate moved, and its picture there."""

    dimension: int
    values: NDArray
    """(steps + 1,), that the coordinate goes through."""
    number: int
    """Which of them it has."""
    picture: NDArray
    """(784,), probabilities of the pixels there."""
    image: NDArray
    """(784,): the digit, as it is in the data."""
    z: NDArray
    """(D,), the digit's own place: the mean of q(z | x)."""
    own: NDArray
    """(784,), the picture at that place: the digit's reconstruction."""
    kl: NDArray
    """(D,), each dimension's KL(q(z_d | x) ‖ N(0, 1)) in nats, averaged over all images."""


class TraversalInfo(NamedTuple):
    """How far the picture has changed."""

    objective: float
    """Σ over pixels of \\|p − own p\\|: so many pixels have gone from paper to ink or back."""


def traversal(
    network: Any,
    *,
    digit: int = 0,
    start: int | NDArray = 0,
    steps: int = 12,
    reach: float = 3.0,
) -> Algorithm:
    """The walk along one dimension, for the stepper. The data are images (N, 784), uint8.

    Parameters
    ----------
    network: a VAE, trained, as a torch module; see :mod:`latentsteps.models.vae`.
    digit: the row of the image that is encoded.
    start: the dimension's rank by its KL, 0 for the largest, −1 for the smallest. Or a point
        clicked in :mod:`latentsteps.views.traversal`, (1, 2): the bar at that place.
    steps: from −``reach`` to ``reach``; state ``steps`` is at the end, and the next ones go back.

    Raises ValueError for a digit, rank or number of steps that there is not.
    """
    if not 1 <= steps <= MOST or not 0 < reach < np.inf:
        raise ValueError(
            f"steps is {steps} and reach {reach}; there are 1 to {MOST} steps, and the reach is "
            "positive"
        )
    values = np.linspace(-reach, reach, steps + 1)

    def at(t: int, state: Traversal) -> tuple[Traversal, TraversalInfo]:
        turn = t % (2 * steps)
        number = min(turn, 2 * steps - turn)
        picture = traverse(network, state.z, state.dimension, values[[number]])[0]
        moved = float(np.abs(picture - state.own).sum(dtype=np.float64))
        return state._replace(number=number, picture=picture), TraversalInfo(moved)

    def init(key: Key, images: NDArray) -> tuple[Traversal, TraversalInfo]:
        row = operator.index(digit)
        if not -len(images) <= row < len(images):
            raise ValueError(f"digit is {row}; the images have rows 0 to {len(images) - 1}")
        kl = mean_kl(network, images)
        dimension = int(by_size(kl)[_rank(start, len(kl))])
        z = posterior(network, images[[row]])[0][0]
        own = traverse(network, z, dimension, z[[dimension]])[0]
        return at(0, Traversal(dimension, values, 0, own, images[row], z, own, kl))

    def step(key: Key, state: Traversal, images: NDArray) -> tuple[Traversal, TraversalInfo]:
        return at(key[1], state)

    return Algorithm(init, step, "Traversal")


def mean_kl(network: Any, images: NDArray) -> NDArray[np.float64]:
    """KL(q(z_d | x) ‖ N(0, 1)) of each dimension in nats, averaged over images (N, 784): (D,)."""
    mean, log_variance = (torch.from_numpy(part).double() for part in posterior(network, images))
    return kl_by_dimension(mean, log_variance).mean(dim=0).numpy()


def by_size(kl: NDArray) -> NDArray[np.intp]:
    """Dimensions, that with the largest KL (D,) first; of equal ones the first, and NaN last."""
    return np.argsort(-np.nan_to_num(kl, nan=-1.0), kind="stable")


def _rank(start: int | NDArray, dimensions: int) -> int:
    if np.ndim(start) == 0:
        rank = operator.index(start)
        if not -dimensions <= rank < dimensions:
            raise ValueError(
                f"start is {rank}; the dimensions' ranks go from 0 to {dimensions - 1}"
            )
        return rank
    point = np.asarray(start, dtype=np.float64)
    if point.shape != (1, 2) or not np.isfinite(point).all():
        raise ValueError(f"start is {start}; it is a rank, or one clicked point (1, 2)")
    # Bar r stands at r; a click beside the bars is for the one at that end.
    return int(np.clip(np.round(point[0, 0]), 0, dimensions - 1))
