"""k-means seen: points in their clusters' colours and shapes, means, cells, the objective beside.

A cell is where a point would go: the region nearer to one mean than to any other (Voronoi).
Data that are not pairs of numbers (digits, 784 pixels) are shown by their means as pictures.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from numpy.typing import NDArray

from latentsteps.inference.em import M_STEP
from latentsteps.trace import Moment
from latentsteps.views import style
from latentsteps.views.mosaic import as_pictures, draw_mosaic


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state; ``moment.state.parameters.means`` is (K, D), ``moment.data`` (N, D)."""
    _draw(figure, moment, ("", ""))


def with_labels(horizontal: str, vertical: str) -> style.View:
    """The same view of pairs of numbers with the axes named, units included."""
    return style.View(
        lambda figure, moment: _draw(figure, moment, (horizontal, vertical)), describe
    )


def describe(moment: Moment) -> str:
    """How many points each cluster has, and the objective."""
    sizes = style.counts_of(moment.state.expectations, len(_means(moment))).round().astype(int)
    k = len(sizes)
    if k <= 6:
        points = f"of {style.listing(sizes)} points" if k > 1 else f"of all {sizes[0]} points"
        clusters = f"{k} clusters {points}" if k > 1 else f"1 cluster {points}"
    else:
        empty = int(np.sum(sizes == 0))
        clusters = f"{k} clusters of {sizes.min()} to {sizes.max()} points, {empty or 'none'} empty"
    half = ", the means just moved" if getattr(moment.info, "phase", None) == M_STEP else ""
    return f"State {moment.t}: {clusters}{half}; objective {style.number(moment.info.objective)}."


def _means(moment: Moment) -> NDArray:
    return np.asarray(getattr(moment.state.parameters, "means", moment.state.parameters))


def _labels(moment: Moment) -> NDArray[np.intp]:
    expectations = np.asarray(moment.state.expectations)
    return expectations.argmax(axis=1) if expectations.ndim == 2 else expectations.astype(np.intp)


def _draw(figure: style.AnyFigure, moment: Moment, names: tuple[str, str]) -> None:
    means, x = _means(moment), np.asarray(moment.data)
    if x.shape[1] == 2:
        labelled = bool(names[0] or names[1])
        main, side = style.panels(figure, bottom=0.52 if labelled else 0.36)
        _draw_points(main, x, means, _labels(moment))
        main.set_xlabel(names[0])
        main.set_ylabel(names[1])
    else:
        main, side = style.panels(figure, left=0.25, bottom=0.15)
        counts = style.counts_of(moment.state.expectations, len(means))
        draw_mosaic(
            main,
            as_pictures(means / max(float(np.max(x)), 1e-12)),
            [f"{count:.0f}" if count else "empty" for count in counts],
            dead=counts == 0,
        )
        style.set_legend(main, "images")
    style.set_title(main, moment)
    style.objective(side, moment)


def _draw_points(axes: Axes, x: NDArray, means: NDArray, labels: NDArray[np.intp]) -> None:
    low, high = x.min(axis=0), x.max(axis=0)
    room = 0.06 * np.where(high > low, high - low, 1.0)
    low, high = low - room, high + room
    cells = [cell(means, k, low, high) for k in range(len(means))]
    # A learner's mean may be NaN: it has no cell, and the picture goes on without it.
    shown = [k for k, polygon in enumerate(cells) if len(polygon) > 2]
    axes.add_collection(
        PolyCollection(
            [cells[k] for k in shown],
            facecolors=[style.tint(k) for k in shown],
            edgecolors="white",
            linewidths=2,
            zorder=0,
        )
    )
    size = 4.5 if len(x) <= 1000 else 2.5
    for k in range(len(means)):
        mine = labels == k
        axes.plot(
            x[mine, 0], x[mine, 1], style.marker(k), color=style.colour(k), ms=size,
            mec="white", mew=0.4, alpha=0.9,
        )  # fmt: skip
    for k, mean in enumerate(means):
        axes.plot(
            mean[:1], mean[1:], style.marker(k), color=style.colour(k), ms=13,
            mec="white", mew=3.4, zorder=4,
        )  # fmt: skip
        axes.plot(
            mean[:1], mean[1:], style.marker(k), color=style.colour(k), ms=12,
            mec="black", mew=1.6, zorder=5,
        )  # fmt: skip
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])


def cell(means: NDArray, k: int, low: NDArray, high: NDArray) -> list[tuple[float, float]]:
    """The part of the box from ``low`` to ``high``, each (2,), that is nearest to mean ``k`` of
    ``means`` (K, 2): the corners of a polygon, empty where the mean is no number.

    The box is cut by one half-plane for each other mean (Sutherland & Hodgman 1974).
    """
    polygon = [
        (float(low[0]), float(low[1])),
        (float(high[0]), float(low[1])),
        (float(high[0]), float(high[1])),
        (float(low[0]), float(high[1])),
    ]
    if not np.isfinite(means[k]).all():
        return []
    for other in means:
        towards = other - means[k]
        if not np.isfinite(towards).all():
            continue
        a, b = (float(part) for part in towards)
        limit = float(towards @ (other + means[k])) / 2
        cut: list[tuple[float, float]] = []
        for (x0, y0), (x1, y1) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
            start, end = a * x0 + b * y0 - limit, a * x1 + b * y1 - limit
            if start <= 0:
                cut.append((x0, y0))
            if (start < 0 < end) or (end < 0 < start):
                share = start / (start - end)
                cut.append((x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
        polygon = cut
    return polygon
