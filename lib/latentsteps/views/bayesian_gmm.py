"""NUTS on a Gaussian mixture in the plane, seen: a mixture a chain, and how each got there.

A state is one draw of every chain, so the picture shows one mixture a chain: chains differ by
colour and line style, components by the marker of their means. Behind them, faint, are the last
draws of the first chain. Beside: the log density of every chain by state, the warm-up shaded.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from latentsteps.evaluation.selection import SPIKE, spreads
from latentsteps.trace import Moment
from latentsteps.views import style
from latentsteps.views.chains import (
    describe_divergences,
    describe_start,
    describe_step,
    draw_by_state,
    first_of_stage,
    line,
    outlines,
)

EARLIER = 24
"""How many earlier draws of the first chain are shown."""


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state: ``state.position`` has ``weights`` (C, K), ``means`` and ``scales``
    (C, K, 2) and ``correlation_factors`` (C, K, 2, 2) for C chains; ``moment.data`` is (N, 2)."""
    _draw(figure, moment, ("", ""))


def with_labels(horizontal: str, vertical: str) -> style.View:
    """The view with the axes named, units included."""
    return style.View(partial(_draw, names=(horizontal, vertical)), describe)


def describe(moment: Moment) -> str:
    """Of state 0 only that it is the start: draws differ from machine to machine. Later the
    leapfrogs of this draw, the log densities, the weights, spikes, and divergences so far."""
    weights, _, factors = _arrays(moment.state)
    chains, k = weights.shape
    if moment.t == 0:
        return describe_start(chains, k)
    sentences = [describe_step(moment)]
    if 1 < k <= 3:
        shares = (style.listing(style.number(w, 2) for w in row) for row in weights)
        sentences.append(f"Weights {'; '.join(shares)}.")
    thin = [spreads(one @ one.swapaxes(1, 2), moment.data).min() for one in factors]
    spikes = [chain + 1 for chain, spread in enumerate(thin) if not spread >= SPIKE]
    if spikes:
        where = style.listing(f"chain {chain}" for chain in spikes)
        smallest = style.number(float(np.nanmin(thin)), 2)
        sentences.append(f"A component is a spike in {where}: smallest spread {smallest}.")
    return " ".join([*sentences, describe_divergences(moment)])


def draw_chains(axes: Axes, state: Any) -> None:
    """The mixture of every chain on axes of one's own, and which line is which chain."""
    handles = []
    for chain, (weights, means, factors) in enumerate(zip(*_arrays(state), strict=True)):
        colour, shape = style.colour(chain), line(chain)
        widths = 1.2 + 1.8 * weights  # the heavier a component, the thicker its line
        axes.add_collection(
            LineCollection(
                list(outlines(means, factors, 100)), colors=[colour], linewidths=widths,
                linestyles=[shape], zorder=4,
            )
        )  # fmt: skip
        for k, mean in enumerate(means):
            axes.plot(*mean, style.marker(k), color=colour, ms=7, mec="black", mew=1, zorder=5)
        handles.append(Line2D([], [], color=colour, ls=shape, lw=2, label=f"chain {chain + 1}"))
    if len(handles) > 1:
        axes.legend(
            handles=handles, loc="upper left", frameon=False, handlelength=2.6, fontsize=8.5
        )


def _arrays(state: Any) -> tuple[NDArray, NDArray, NDArray]:
    """Weights (C, K), means (C, K, 2) and factors L of Σ = L Lᵀ, (C, K, 2, 2)."""
    position = state.position
    weights, means, scales, correlations = (
        np.asarray(position[name], dtype=np.float64)
        for name in ("weights", "means", "scales", "correlation_factors")
    )
    if means.shape[-1] != 2:
        raise ValueError(
            f"the means have {means.shape[-1]} columns; this picture is of points in the plane"
        )
    return weights, means, scales[..., None] * correlations


def _draw(figure: style.AnyFigure, moment: Moment, names: tuple[str, str]) -> None:
    x = np.asarray(moment.data, dtype=np.float64)
    main, beside = style.panels(figure, bottom=0.52 if any(names) else 0.36)
    main.plot(*x.T, ".", color="#B0B0B0", ms=4 if len(x) <= 1000 else 2, zorder=1)
    _draw_earlier(main, moment)
    draw_chains(main, moment.state)
    # The same box for all states: a component outside it is on its way in.
    low, high = x.min(axis=0), x.max(axis=0)
    room = 0.3 * np.where(high > low, high - low, 1.0)
    main.set_xlim(low[0] - room[0], high[0] + room[0])
    main.set_ylim(low[1] - room[1], high[1] + room[1])
    main.set_xlabel(names[0])
    main.set_ylabel(names[1])
    style.set_title(main, moment)
    style.set_legend(main, "95 % ellipses")
    _draw_heights(beside, moment)


def _draw_earlier(axes: Axes, moment: Moment) -> None:
    """The draws of the first chain before this one, as many as are shown: of the same stage,
    since a warm-up is on its way and no draw."""
    segments: list[NDArray] = []
    for t in range(first_of_stage(moment, EARLIER), moment.t):
        _, means, factors = _arrays(moment.trace[t])
        segments.extend(outlines(means[0], factors[0], 40))
    axes.add_collection(LineCollection(segments, colors=[style.tint(0, 0.4)], lw=0.7, zorder=2))


def _draw_heights(axes: Axes, moment: Moment) -> None:
    """The log density by state, a line a chain; the climb of a bad start runs out of the panel."""
    infos = moment.trace.infos[: moment.t + 1]
    heights = np.array([np.atleast_1d(info.log_density) for info in infos], dtype=np.float64)
    states = np.arange(len(heights))
    # The shade's words are at the foot, where the curves are only while they climb.
    draw_by_state(axes, moment)
    for chain in range(heights.shape[1]):
        colour = style.colour(chain)
        axes.plot(states, heights[:, chain], ls=line(chain), color=colour, lw=1.1)
        axes.plot(states[-1:], heights[-1:, chain], style.marker(chain), color=colour, ms=7,
                  mec="white", mew=1)  # fmt: skip
    settled = heights[len(heights) // 4 :]
    finite = settled[np.isfinite(settled)]
    if finite.size:
        low, high = float(finite.min()), float(finite.max())
        room = 0.1 * (high - low) or 0.05 * max(abs(high), 1.0)
        axes.set_ylim(low - 2 * room, high + room)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.10g}".replace("-", "−"))
    style.set_legend(axes, "log density, nats")
