"""A Gaussian mixture in the plane seen: ellipses, points that share themselves out, the objective.

A point's colour is a mixture of the components' colours, in the shares of its responsibilities; its
marker is that of the largest. An ellipse holds 95 % of its component's own mass, whatever the
weight: it is drawn at a fixed Mahalanobis distance, so it never vanishes, as contours at a fixed
density do. A component that has collapsed is ringed and called a spike.

After an M half the old ellipses are dashed. The panel beside shows the objective, or on a
logarithmic axis how far it is from where this run ends, and in both a flag: *scikit-learn's
default stops here*.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike, NDArray

from latentsteps.evaluation.selection import SPIKE, spreads
from latentsteps.inference.em import M_STEP
from latentsteps.models.gaussian_mixture import responsibilities
from latentsteps.trace import Moment
from latentsteps.views import stopping, style

RADIUS = float(np.sqrt(-2 * np.log(0.05)))
"""The Mahalanobis distance that holds 95 % of a Gaussian in the plane: χ² with two degrees of
freedom is exponential with mean 2."""
OBJECTIVE, DISTANCE = "objective", "distance to the end"


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state; its parameters have ``weights`` (K,), ``means`` (K, 2) and ``covariances``
    (K, 2, 2), or (K, 2) for diagonal ones; ``moment.data`` is (N, 2)."""
    _draw(figure, moment, ("", ""), OBJECTIVE)


def with_labels(horizontal: str, vertical: str, side: str = OBJECTIVE) -> style.View:
    """The view with the axes named, units included. ``side``: what the panel beside shows, the
    ``"objective"`` or its ``"distance to the end"`` on a logarithmic axis."""
    if side not in (OBJECTIVE, DISTANCE):
        raise ValueError(f"side is {side!r}; it is {OBJECTIVE!r} or {DISTANCE!r}")
    return style.View(partial(_draw, names=(horizontal, vertical), side=side), describe)


def describe(moment: Moment) -> str:
    """The half that came last, the objective, the shares, and what has collapsed or stopped."""
    arrays = _arrays(moment.state.parameters)
    weights, k = arrays[0], len(arrays[0])
    points = style.counts_of(moment.state.expectations, k)
    # Five digits: a plateau and a summit may share the first three.
    parts = [f"{_half(moment)}objective {style.number(moment.info.objective, 5)}"]
    if k == 1:
        parts.append("1 component")
    elif k <= 6:
        shares = style.listing(style.number(weight, 2) for weight in weights)
        sizes = style.listing(f"{count:.0f}" for count in points)
        parts.append(f"weights {shares}, {sizes} points")
    else:
        low, high = style.number(weights.min(), 2), style.number(weights.max(), 2)
        parts.append(f"{k} components, weights {low} to {high}")
    sentences = [f"State {moment.t}: {'; '.join(parts)}."]
    if any(np.isnan(part).any() for part in arrays):
        sentences.append("Some parameters are no numbers (NaN).")
    thin = spreads(arrays[2], moment.data)
    spikes = np.flatnonzero(thin < SPIKE)
    if spikes.size:
        smallest = style.number(thin[spikes].min(), 2)
        many = "A component is a spike" if spikes.size == 1 else f"{spikes.size} are spikes"
        sentences.append(f"{many}: smallest spread {smallest}.")
    stop = stopping.default_stop(moment)
    if stop is not None:
        sentences.append(f"scikit-learn's default stops at state {stop}.")
    return " ".join(sentences)


def draw_mixture(axes: Axes, x: ArrayLike, shares: ArrayLike, parameters: Any) -> None:
    """The points, shared out, and the components on axes of one's own. x: (N, 2); shares: (N, K),
    responsibilities; parameters: with ``weights``, ``means`` and ``covariances``."""
    x, arrays = np.asarray(x, dtype=np.float64), _arrays(parameters)
    _draw_points(axes, x, np.asarray(shares, dtype=np.float64))
    _draw_ellipses(axes, *arrays)
    _draw_means(axes, arrays[1], spreads(arrays[2], x) < SPIKE)


def ellipse(
    mean: ArrayLike, covariance: ArrayLike, radius: float, n: int = 200
) -> NDArray[np.float64]:
    """``n`` points all the way round at the Mahalanobis distance ``radius`` from ``mean`` (2,),
    shape (n, 2). A covariance (2, 2) without extent in some direction gives a line or a point."""
    variances, directions = np.linalg.eigh(np.asarray(covariance, dtype=np.float64))
    angle = np.linspace(0.0, 2 * np.pi, n, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    # Rounding may leave an eigenvalue of a degenerate covariance below zero.
    root = directions * np.sqrt(np.maximum(variances, 0.0))
    return np.asarray(mean, dtype=np.float64) + radius * (root @ circle).T


def _arrays(parameters: Any) -> tuple[NDArray, NDArray, NDArray]:
    """Weights, means and full covariances as arrays, whoever made them."""
    covariances = np.asarray(parameters.covariances, dtype=np.float64)
    if covariances.ndim == 2:
        covariances = covariances[:, :, None] * np.eye(covariances.shape[1])
    weights = np.asarray(parameters.weights, dtype=np.float64)
    return weights, np.asarray(parameters.means, dtype=np.float64), covariances


def _half(moment: Moment) -> str:
    if getattr(moment.info, "phase", None) == M_STEP:
        return "after an M half, "
    before = moment.trace.infos[moment.t - 1] if moment.t else None
    return "after an E half, " if getattr(before, "phase", None) == M_STEP else ""


def _shares(moment: Moment) -> NDArray:
    """Responsibilities (N, K), those of the last E half where the state holds them."""
    expectations = moment.state.expectations
    if not hasattr(expectations, "counts") and np.ndim(expectations) == 2:
        return np.asarray(expectations, dtype=np.float64)
    try:
        return np.asarray(responsibilities(moment.data, moment.state.parameters))
    except ValueError:  # a component that is none: nobody can say who is responsible
        return np.full((len(moment.data), len(moment.state.parameters.weights)), np.nan)


def _draw(
    figure: style.AnyFigure, moment: Moment, names: tuple[str, str], side: str = OBJECTIVE
) -> None:
    x = np.asarray(moment.data, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"the data have shape {x.shape}; this picture is of points in the plane")
    main, beside = style.panels(figure, bottom=0.52 if any(names) else 0.36)
    if getattr(moment.info, "phase", None) == M_STEP and moment.t:
        before = moment.trace[moment.t - 1].parameters
        _draw_ellipses(main, *_arrays(before), dashed=True)
    draw_mixture(main, x, _shares(moment), moment.state.parameters)
    low, high = _limits(moment, x)
    main.set_xlim(low[0], high[0])
    main.set_ylim(low[1], high[1])
    main.set_xlabel(names[0])
    main.set_ylabel(names[1])
    style.set_title(main, moment)
    style.set_legend(main, "95 % ellipses")
    if side == OBJECTIVE:
        stopping.draw_objective(beside, moment)
    else:
        stopping.draw_distance(beside, moment)


def _draw_points(axes: Axes, x: NDArray, shares: NDArray) -> None:
    k = shares.shape[1]
    palette = np.array([to_rgb(style.colour(component)) for component in range(k)])
    known = np.isfinite(shares).all(axis=1) & (shares >= 0).all(axis=1)
    mixed = np.full((len(x), 3), 0.75)
    mixed[known] = np.clip(shares[known] @ palette, 0, 1)
    largest = np.where(known, np.where(known[:, None], shares, 0).argmax(axis=1), -1)
    size = 26 if len(x) <= 1000 else 9
    for component in range(-1, k):
        mine = largest == component
        if mine.any():
            # A point that nobody is responsible for (NaN) is a grey dot.
            shape = style.marker(component) if component >= 0 else "."
            axes.scatter(
                x[mine, 0], x[mine, 1], s=size, c=mixed[mine], marker=shape,
                edgecolors="white", linewidths=0.4, zorder=2,
            )  # fmt: skip


def _draw_means(axes: Axes, means: NDArray, spikes: NDArray[np.bool_]) -> None:
    collapsed = means[spikes]
    if len(collapsed):
        axes.plot(*collapsed.T, "o", mfc="none", mec=style.ALARM, mew=1.6, ms=24, zorder=5)
        # One word for all of them: several would lie on each other.
        axes.annotate(
            "spike" if len(collapsed) == 1 else f"{len(collapsed)} spikes",
            collapsed[collapsed[:, 1].argmax()], (0, 15), textcoords="offset points",
            ha="center", va="bottom", color=style.ALARM, fontsize=9, fontweight="bold",
            zorder=9, annotation_clip=True,
            bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
        )  # fmt: skip
    for k, mean in enumerate(means):
        for edge, width, size, order in (("white", 3.2, 10, 7), ("black", 1.4, 9, 8)):
            axes.plot(
                *mean, style.marker(k), color=style.colour(k), ms=size, mec=edge, mew=width,
                zorder=order,
            )  # fmt: skip


def _draw_ellipses(
    axes: Axes, weights: NDArray, means: NDArray, covariances: NDArray, dashed: bool = False
) -> None:
    # A learner's component may be NaN: it has no ellipse, and the picture goes on without it.
    shown = [
        k
        for k in range(len(means))
        if np.isfinite(means[k]).all() and np.isfinite(covariances[k]).all()
    ]
    outlines = [ellipse(means[k], covariances[k], RADIUS, 120) for k in shown]
    closed = [np.concatenate([outline, outline[:1]]) for outline in outlines]
    colours = [style.colour(k) for k in shown]
    if dashed:
        axes.add_collection(
            LineCollection(closed, colors=colours, linewidths=1.1, linestyles=(0, (4, 3)), zorder=3)
        )
        return
    # The heavier a component, the thicker its line, and the lightest can still be seen.
    widths = 1.4 + 2.2 * np.nan_to_num(np.clip(weights[shown], 0, 1))
    for colour, width in (("white", widths + 1.6), (colours, widths)):
        axes.add_collection(LineCollection(closed, colors=colour, linewidths=width, zorder=4))


def _limits(moment: Moment, x: NDArray) -> tuple[NDArray, NDArray]:
    """A box with the data and the first state's ellipses in it, those within reason: the same for
    every state of a run, so that nothing jumps. Two arrays (2,)."""
    low, high = x.min(axis=0), x.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    least, most = low - 0.4 * width, high + 0.4 * width
    _, means, covariances = _arrays(moment.trace[0].parameters)
    with np.errstate(invalid="ignore"):
        reach = RADIUS * np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    for mean, half in zip(means, reach, strict=True):
        if np.isfinite(mean).all() and np.isfinite(half).all():
            low = np.minimum(low, np.maximum(mean - half, least))
            high = np.maximum(high, np.minimum(mean + half, most))
    return low - 0.06 * width, high + 0.06 * width
