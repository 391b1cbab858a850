"""From the draws of a mixture to one answer: a partition, and what it says about new points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.evaluation.consensus import membership, partition, similarity
from latentsteps.models.bnnc import responsibility_blocks
from latentsteps.models.mixture_draws import Position


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
    the new points gives the same. Without ``new`` the labels are the partition.

    Parameters
    ----------
    position: draws, as in :mod:`latentsteps.models.bnnc`, of any leading axes.
    covariates, new_covariates: (N, C) and (M, C), for a gate that sees them.

    Draws go through a few at a time: no array has the size draws × points × components, and none
    but the similarity the size N × N.
    """

    def fitted() -> Iterator[NDArray]:
        return responsibility_blocks(x, position, covariates)

    labels = partition(similarity(fitted()))
    if new is None:
        return Prediction(labels, membership(fitted(), fitted(), labels))
    blocks = responsibility_blocks(new, position, new_covariates)
    probabilities = membership(blocks, fitted(), labels)
    return Prediction(probabilities.argmax(axis=1).astype(np.int64), probabilities)
