"""What the pictures of BNNC share: regions, similarities, and what was seen of a run so far."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import leaves_list, linkage

from latentsteps.models.bnnc import log_joint, points_and_covariates
from latentsteps.models.mixture_draws import shares
from latentsteps.trace import Moment
from latentsteps.views import chains, style

GRID = 120
"""Cells of the gate's picture in each direction."""
MOST = 600
"""Points that have a similarity in a live picture; of more, so many spread :func:`evenly`."""
PIXELS = 240
"""Points of a similarity that are drawn, chosen in the same way."""
AT_ONCE = 16
"""States that are counted together where many are new: 14 MB for two chains and 500 points."""
TOGETHER = np.array(to_rgb(style.COLOURS[0])) * 0.75
"""The colour of similarity 1, from white for 0."""


def evenly(n: int, most: int) -> NDArray[np.intp]:
    """Which of ``n`` things to take where more than ``most`` are too many: the first, the last and
    others evenly between them; all where there are no more."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.intp)


def parts(moment: Moment) -> tuple[NDArray, NDArray | None]:
    """Points (N, 2) of a moment, and the gate's covariates where it has them."""
    x, covariates = points_and_covariates(moment.data)
    return np.asarray(x, dtype=np.float64), None if covariates is None else np.asarray(covariates)


def position_of(moment: Moment) -> dict[str, NDArray]:
    """The state's draws, in the plane."""
    position = moment.state.position
    columns = np.shape(position["means"])[-1]
    if columns != 2:
        raise ValueError(
            f"the means have {columns} columns; this picture is of points in the plane"
        )
    return position


def box(x: NDArray) -> tuple[NDArray, NDArray]:
    """Two corners, (2,) each, of a box around points (N, 2) with room on all sides."""
    low, high = x.min(axis=0), x.max(axis=0)
    room = 0.3 * np.where(high > low, high - low, 1.0)
    return low - room, high + room


def cells(low: NDArray, high: NDArray, grid: int = GRID) -> NDArray[np.float64]:
    """Middles of ``grid`` × ``grid`` cells of a box, (grid², 2), row after row from below."""
    steps = (np.arange(grid) + 0.5) / grid
    middles = [a + steps * (b - a) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*middles), axis=-1).reshape(-1, 2)


def draw_regions(axes: Axes, region: NDArray[np.intp], low: NDArray, high: NDArray) -> None:
    """Which component, or cluster, rules each of the box's :func:`cells` (grid²,): a tint of its
    colour, with white between them, since colours come again after eight."""
    grid = math.isqrt(len(region))
    region = region.reshape(grid, grid)
    tints = np.array([style.tint(k, 0.3) for k in range(int(region.max()) + 1)])[region]
    tints[:, 1:][region[:, 1:] != region[:, :-1]] = 1
    tints[1:][region[1:] != region[:-1]] = 1
    axes.imshow(
        tints, origin="lower", extent=(low[0], high[0], low[1], high[1]), aspect="auto",
        interpolation="nearest", zorder=0,
    )  # fmt: skip


def draw_similarity(axes: Axes, similarity: ArrayLike) -> None:
    """A matrix of similarities (N, N) in its order, from white for 0 to dark for 1. Single
    precision will do: the colours have eight bits."""
    s = np.asarray(similarity)
    some = evenly(len(s), PIXELS)  # more would only be averaged again, slowly
    s = s[np.ix_(some, some)]
    dark = np.rint(255 * (1 - s[..., None] * (1 - TOGETHER))).clip(0, 255).astype(np.uint8)
    axes.imshow(dark, aspect="auto", interpolation="nearest")
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(True)


class Seen:
    """What has been counted over the states of a trace, so that a frame costs one draw."""

    def __init__(self, x: NDArray) -> None:
        self.rows = evenly(len(x), MOST)
        """(M,): the points that are compared, in the order of the picture."""
        if len(x) > 1:
            # By average linkage of the points themselves: it favours no chain and no draw. Of those
            # that are shown: it takes all distances, 1.6 GB for 20,000 points.
            self.rows = self.rows[leaves_list(linkage(x[self.rows], "average"))]
        self.occupied: list[NDArray[np.int64]] = []
        """How many components of each chain, (C,), state by state."""
        self.first, self.last = 0, -1
        """The states that are summed up."""
        self.total: Any = 0.0

    @property
    def similarity(self) -> NDArray[np.float32]:
        """(C, M, M), single precision: of the states that are summed up, chain by chain."""
        found = self.total / (self.last - self.first + 1)
        found[:, np.arange(len(self.rows)), np.arange(len(self.rows))] = 1
        return found

    def upto(self, moment: Moment) -> None:
        """Count all states up to this one, and sum those of its stage."""
        first = chains.first_of_stage(moment)
        if first != self.first or self.last > moment.t:
            self.first, self.last, self.total = first, first - 1, 0.0
        start = min(len(self.occupied), self.last + 1)
        for t in range(start, moment.t + 1, AT_ONCE):
            self._count(moment, range(t, min(t + AT_ONCE, moment.t + 1)))

    def _count(self, moment: Moment, states: range) -> None:
        x, covariates = parts(moment)
        positions = [moment.trace[t].position for t in states]
        stacked = {name: np.stack([one[name] for one in positions]) for name in positions[0]}
        r = shares(log_joint(x, stacked, covariates))  # (states, C, K, N)
        for winners in r[max(0, len(self.occupied) - states.start) :].argmax(axis=2):
            self.occupied.append(np.array([len(np.unique(chain)) for chain in winners]))
        new = r[max(0, self.last + 1 - states.start) :, :, :, self.rows].astype(np.float32)
        if len(new):
            wide = new.transpose(1, 3, 0, 2).reshape(new.shape[1], len(self.rows), -1)
            self.total = self.total + wide @ wide.swapaxes(1, 2)
            self.last = states.stop - 1
