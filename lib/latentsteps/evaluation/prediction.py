"""From the draws of a mixture to one answer: a partition, and what it says about new points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.evaluation.consensus import membership, partition, similarity
from latentsteps.models import mixture_draws
from latentsteps.models.bnnc import responsibility_blocks
from latentsteps.models.bnnc_density import as_covariates
from latentsteps.models.mixture_draws import Position
from latentsteps.models.points import as_points


class Prediction(NamedTuple):
    """The cluster of every point, and how sure the draws are of it."""

    labels: NDArray[np.int64]
    """(M,), from 0: clusters of the fitted points' partition."""
    probabilities: NDArray[np.float64]
    """(M, C): that the point shares its component with a member of each cluster, the members
    averaged. Rows need not sum to one."""


def predict(
    position: Position,
    x: ArrayLike,
    new: ArrayLike | None = None,
    *,
    covariates: ArrayLike | None = None,
    new_covariates: ArrayLike | None = None,
) -> Prediction:
    """The partition of the fitted points ``x`` (N, D), and where the ``new`` points (M, D) belong.

    The fitted points are parted by :func:`latentsteps.evaluation.consensus.partition` of their
    similarity under all draws. A new point is compared with them and with no other new point: it
    goes to the cluster whose members it shares a component with most probably, and any division of
    the new points gives the same. Without ``new`` the labels are the partition, and probabilities
    are means of the similarity over the members: a fitted point shares its own component for
    certain, so one that is alone in its cluster has 1 there. (As a new row the same point would be
    a stranger to itself, another point at the same place.)

    Parameters
    ----------
    position: draws, as in :mod:`latentsteps.models.bnnc`, of any leading axes.
    covariates, new_covariates: (N, C) and (M, C), for a gate that sees them.

    Draws go through a few at a time, and new points too where they are many: no array has the size
    draws × points × components. The similarity is (N, N), and with its linkage several of that.

    Raises ValueError for covariates without their points or the other way round, and for a point so
    far away that it has no density.
    """
    if new is None and new_covariates is not None:
        raise ValueError("there are new_covariates and no new points; give both")
    if new is not None and (covariates is None) != (new_covariates is None):
        has, lacks = "covariates", "new_covariates"
        if covariates is None:
            has, lacks = lacks, has
        raise ValueError(f"there are {has} and no {lacks}; the gate sees those of all points")

    def fitted() -> Iterator[NDArray]:
        return responsibility_blocks(x, position, covariates)

    together = similarity(fitted())
    labels = partition(together)
    if new is None:
        members = np.eye(labels.max() + 1)[labels]
        return Prediction(labels, together @ members / members.sum(axis=0))
    del together
    points = as_points(new, "prediction")
    seen = None if new_covariates is None else as_covariates(new_covariates, points)
    size = max(1, mixture_draws.CHUNK // position["means"].shape[-2])
    rows = []
    for first in range(0, len(points), size):
        part = slice(first, first + size)
        blocks = responsibility_blocks(
            points[part], position, None if seen is None else seen[part], first=first
        )
        rows.append(membership(blocks, fitted(), labels))
    probabilities = np.concatenate(rows)
    return Prediction(probabilities.argmax(axis=1).astype(np.int64), probabilities)
