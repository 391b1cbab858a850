"""BNNC when it is done: partition, predictive density, gate regions and similarity in one figure.

Everything here is an average over draws that names cannot spoil. So a region of the gate is that of
a *cluster* of the partition: the tint of a place x is the cluster c with the largest mean over
draws of Σ_k θ_k(x) · (mean over members j of c of p(k | x_j)), the probability that a point at x
would get a component of the cluster's if the gate alone decided.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from latentsteps.evaluation.consensus import membership, partition
from latentsteps.evaluation.consensus import similarity as similarity_of
from latentsteps.models import mixture_draws
from latentsteps.models.bnnc import log_gate, log_predictive, responsibility_blocks
from latentsteps.models.mixture_draws import Position
from latentsteps.models.points import as_points
from latentsteps.views import style
from latentsteps.views.bnnc_parts import box, cells, draw_regions, draw_similarity, evenly

GRID = 80
"""Cells in each direction for the density and the gate."""
DRAWS = 80
"""Of more draws, so many, spread :func:`evenly`, make the density and the gate's regions. The
partition and the similarity are of all draws."""
LEVELS = np.array([0.01, 0.04, 0.12, 0.25, 0.45, 0.7, 1.0])
"""Contours of the density, as shares of its largest value."""


def plot(
    figure: style.AnyFigure, x: ArrayLike, position: Position, *, labels: ArrayLike | None = None
) -> None:
    """Draw the four panels: two rows of two, or one row on a figure twice as wide as high.

    Parameters
    ----------
    x: the fitted points, (N, 2).
    position: draws, as in :mod:`latentsteps.models.bnnc`, of any leading axes; the gate sees the
        points, or there is none.
    labels: (N,), 0 to C − 1, a partition; :func:`latentsteps.evaluation.consensus.partition` of
        the draws if there is none.

    Raises ValueError where the points are not in the plane, or the gate sees covariates.
    """
    points = _points(x, position)
    matrix, clusters = _consensus(points, position, labels)
    low, high = box(points)
    some = _some(position)
    row = _places(figure)
    data, density, gate, together = row
    _draw_clusters(data, points, clusters)
    data.set_title("partition", loc="left")
    at = cells(low, high, GRID)
    heights = np.exp(log_predictive(at, some)).reshape(GRID, GRID)
    lines = [np.unique(at[:, d]) for d in (0, 1)]
    density.contourf(*lines, heights, LEVELS * heights.max(), cmap="Blues")
    density.set_title("predictive density", loc="left")
    gated = "output_weights" in some
    if gated and "log_normaliser" not in some:
        at_foot = density.transAxes
        density.text(
            0.03, 0.03, "not normalised", transform=at_foot, color=style.QUIET, fontsize=8.5
        )
    draw_regions(gate, _regions(at, points, some, clusters), low, high)
    _draw_clusters(gate, points, clusters, small=True)
    gate.set_title("gate" if gated else "no gate", loc="left")
    for axes in row[:3]:
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])
    _draw_together(together, matrix, clusters)


def describe_plot(x: ArrayLike, position: Position, *, labels: ArrayLike | None = None) -> str:
    """What :func:`plot` shows, in words: the clusters' sizes and how sure the draws are of them."""
    points = _points(x, position)
    matrix, clusters = _consensus(points, position, labels)
    sizes = np.bincount(clusters)
    same = clusters[:, None] == clusters
    many = f"{len(sizes)} clusters of {style.listing(sizes)}" if len(sizes) > 1 else "one cluster"
    sentences = [f"The partition: {len(points)} points in {many}."]
    sentences.append(f"Mean similarity within clusters {matrix[same].mean():.1f}")
    if len(sizes) > 1:
        sentences[-1] += f", between them {matrix[~same].mean():.1f}"
    sentences[-1] += "."
    if "output_weights" not in position:
        sentences.append("There is no gate: the same cluster is the most probable everywhere.")
    elif "log_normaliser" not in position:
        sentences.append("The predictive density is not normalised.")
    return " ".join(sentences)


def _points(x: ArrayLike, position: Position) -> NDArray[np.float64]:
    points = as_points(x, "this picture")
    if points.shape[1] != 2:
        raise ValueError(
            f"the points have {points.shape[1]} columns; this picture is of points in the plane"
        )
    if "hidden_weights" in position and position["hidden_weights"].shape[-2] != 2:
        raise ValueError("this gate sees covariates; this picture is of a gate on the points")
    return points


def _consensus(
    x: NDArray, position: Position, labels: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The similarity (N, N) under all draws, and the partition (N,)."""
    matrix = similarity_of(responsibility_blocks(x, position))
    clusters = partition(matrix) if labels is None else np.asarray(labels)
    if clusters.shape != (len(x),):
        raise ValueError(f"the labels have shape {clusters.shape}; there are {len(x)} points")
    return matrix, clusters


def _some(position: Position) -> Position:
    """At most ``DRAWS`` of all draws, in one row."""
    flat = mixture_draws.flattened(position)
    chosen = evenly(len(flat["means"]), DRAWS)
    return {name: value[chosen] for name, value in flat.items()}


def _regions(
    at: NDArray, x: NDArray, position: Position, clusters: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The cluster to which the gate alone would give each place, (M,)."""

    def gates() -> Iterator[NDArray]:
        for s in range(len(position["means"])):
            yield np.exp(log_gate(at, {name: value[s] for name, value in position.items()})).T

    return membership(gates(), responsibility_blocks(x, position), clusters).argmax(axis=1)


def _places(figure: style.AnyFigure) -> list[Axes]:
    """Four axes of one size."""
    width, height = style.inches(figure)
    columns = 4 if width > 1.9 * height else 2
    rows = 4 // columns
    left, right, top, bottom, across, down = 0.42, 0.18, 0.42, 0.34, 0.42, 0.72
    w = (width - left - right - (columns - 1) * across) / columns
    h = (height - top - bottom - (rows - 1) * down) / rows
    return [
        style.axes_at(
            figure, left + column * (w + across), bottom + (rows - 1 - row) * (h + down), w, h
        )
        for row in range(rows)
        for column in range(columns)
    ]


def _draw_clusters(axes: Axes, x: NDArray, clusters: NDArray, small: bool = False) -> None:
    """The points, each cluster in its colour with its marker."""
    size = (2.5 if small else 4.5) * (1 if len(x) <= 1000 else 0.6)
    for c in range(clusters.max() + 1):
        axes.plot(
            *x[clusters == c].T, style.marker(c), color=style.colour(c), ms=size, mec="white",
            mew=0.2 if small else 0.4, zorder=2,
        )  # fmt: skip


def _draw_together(axes: Axes, matrix: NDArray, clusters: NDArray) -> None:
    """The similarity, cluster after cluster, each with its marker at the left of its rows."""
    # Within a cluster, those next to each other that are most alike.
    leaves = np.arange(len(matrix))
    if len(matrix) > 1:
        leaves = leaves_list(linkage(squareform(1 - matrix, checks=False), "average"))
    order = leaves[np.argsort(clusters[leaves], kind="stable")]
    draw_similarity(axes, matrix[np.ix_(order, order)])
    ends = np.cumsum(np.bincount(clusters)) / len(clusters)
    starts = np.concatenate([[0], ends[:-1]])
    for c, middle in enumerate((starts + ends) / 2):
        axes.plot(
            -0.06, 1 - middle, style.marker(c), color=style.colour(c), ms=7, mec="white", mew=0.5,
            transform=axes.transAxes, clip_on=False,
        )  # fmt: skip
    axes.set_title("similarity", loc="left")
