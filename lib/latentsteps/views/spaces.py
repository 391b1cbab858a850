"""Which space was scored? The same clusters in one space after another.

A state is a space: its points, colour and marker those of their clusters. Two coordinates are drawn
as they are, more by their first two principal components. Beside them the silhouette of every space
so far, as a bar, and the adjusted Rand index with the labels as a line: it is the same in all, for
the clusters are.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from latentsteps.trace import Moment
from latentsteps.views import style

MOST = 1500
"""Points in a picture."""
size = (9.2, 4.2)


def with_clusters(clusters: ArrayLike) -> style.View:
    """How states of :func:`latentsteps.evaluation.spaces.score_spaces` are shown; ``clusters`` (N,)
    are those that it scores."""
    names = np.asarray(clusters)
    if names.ndim != 1 or not len(names):
        raise ValueError(f"clusters have shape {names.shape}; they are (N,), one name a point")
    return style.View(
        partial(_draw, clusters=np.unique(names, return_inverse=True)[1]),
        partial(_describe, count=len(np.unique(names))),
        size,
    )


def _describe(moment: Moment, count: int) -> str:
    """The space, and both scores; of the first one only what is the same on any machine."""
    space = moment.state.name
    n, d = np.shape(moment.data[space])
    size = f"{d} dimension{'s' if d > 1 else ''}"
    where = f"State {moment.t}: the same {count} clusters of {n} points in {space} ({size})"
    if not moment.t:
        return f"{where}."
    silhouette, agreement = moment.info.objective, moment.info.adjusted_rand
    return f"{where}: silhouette {_score(silhouette)}, ARI with the labels {_score(agreement)}."


def _score(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _draw(figure: style.AnyFigure, moment: Moment, clusters: NDArray[np.intp]) -> None:
    points = np.asarray(moment.data[moment.state.name])
    if len(points) != len(clusters):
        raise ValueError(f"there are {len(clusters)} clusters for {len(points)} points")
    width, height = style.inches(figure)
    if width > 1.35 * height:
        across, side = 0.62 * width, 0.26 * width
        main = style.axes_at(figure, 0.3, 0.45, across, height - 0.87)
        beside = style.axes_at(figure, width - side - 0.25, 0.52, side, height - 0.94)
    else:
        below = 0.33 * height
        main = style.axes_at(figure, 0.3, below + 1.12, width - 0.5, height - below - 1.54)
        beside = style.axes_at(figure, 0.3, 0.5, width - 0.5, below)
    _draw_points(main, points, clusters)
    name = moment.state.name
    full = f"{name} · state {moment.t}"
    # A letter of the bold title takes about a twelfth of an inch.
    room = main.get_window_extent().width / style.DPI
    main.set_title(full if len(full) / 12 < room else name, loc="left")
    _draw_scores(beside, moment)


def _draw_points(axes: Axes, points: NDArray, clusters: NDArray[np.intp]) -> None:
    # Evenly spread rows: the same points in every space.
    rows = np.linspace(0, len(points) - 1, min(MOST, len(points))).astype(np.intp)
    plane, words = _in_the_plane(points[rows])
    for k in range(int(clusters.max()) + 1):
        axes.plot(
            *plane[clusters[rows] == k].T, style.marker(k), color=style.colour(k), ms=4,
            mec="white", mew=0.3, alpha=0.9,
        )  # fmt: skip
    axes.set_xlabel(words)
    axes.tick_params(labelbottom=False, labelleft=False, length=0)
    axes.margins(0.03)


def _in_the_plane(points: NDArray) -> tuple[NDArray, str]:
    """Two coordinates of points (N, D), (N, 2), and what they are."""
    d = points.shape[1]
    if d > 2:
        from sklearn.decomposition import PCA

        plane = PCA(2, svd_solver="randomized", random_state=0).fit_transform(points)
        return plane, f"two principal components of {d} dimensions"
    if d == 2:
        return points, "both coordinates, as they are"
    return np.column_stack([points[:, 0], np.zeros(len(points))]), "the one coordinate"


def _draw_scores(axes: Axes, moment: Moment) -> None:
    """A bar a space, in their order; those that no state has come to are left blank."""
    names = list(moment.data)
    seen = {
        names[t % len(names)]: info for t, info in enumerate(moment.trace.infos[: moment.t + 1])
    }
    agreement = float(moment.info.adjusted_rand)
    for place, name in enumerate(names):
        here = name == moment.state.name
        axes.annotate(
            name, (0, place - 0.24), (3, 0), textcoords="offset points", va="center", fontsize=8.5,
            color=style.INK if here else style.QUIET, zorder=5,
            bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none"},
        )  # fmt: skip
        if name not in seen:
            continue
        silhouette = float(seen[name].objective)
        axes.barh(
            place + 0.17, silhouette, 0.36, color=style.colour(0 if here else 4),
            edgecolor=style.INK if here else "none",
        )  # fmt: skip
        axes.annotate(
            _score(silhouette), (max(silhouette, 0.0), place + 0.17), (4, 0),
            textcoords="offset points", va="center", fontsize=8.5, zorder=5,
            fontweight="bold" if here else "normal",
        )  # fmt: skip
    axes.axvline(agreement, color=style.colour(5), ls="--", lw=1.4)
    axes.axvline(0, color=style.QUIET, lw=0.8)
    scores = [float(info.objective) for info in seen.values()]
    axes.set_xlim(min(0.0, *scores, agreement) * 1.3, max(0.6, *scores, agreement) * 1.25)
    axes.set_ylim(len(names) - 0.5, -0.6)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.set_xlabel("silhouette")
    style.set_legend(axes, f"dashed: ARI {_score(agreement)}")
