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
from latentsteps.views.gaussian_mixture import RADIUS

EARLIER = 24
"""How many earlier draws of the first chain are shown."""
LINES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


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
        many = "component" if k == 1 else "components"
        return f"State 0: where {_count(chains, 'chain')} with {k} {many} each will start."
    info = moment.info
    leapfrogs = style.listing(int(n) for n in np.atleast_1d(info.leapfrogs))
    heights = style.listing(style.number(v, 4) for v in np.atleast_1d(info.log_density))
    sizes = style.listing(style.number(v, 2) for v in np.atleast_1d(info.step_size))
    stage = "warm-up" if info.warmup else "a draw"
    sentences = [
        f"State {moment.t}: {stage}; leapfrogs {leapfrogs}, of step size {sizes}; "
        f"log density {heights}."
    ]
    if 1 < k <= 3:
        shares = (style.listing(style.number(w, 2) for w in row) for row in weights)
        sentences.append(f"Weights {'; '.join(shares)}.")
    thin = [spreads(one @ one.swapaxes(1, 2), moment.data).min() for one in factors]
    spikes = [chain + 1 for chain, spread in enumerate(thin) if not spread >= SPIKE]
    if spikes:
        where = style.listing(f"chain {chain}" for chain in spikes)
        smallest = style.number(float(np.nanmin(thin)), 2)
        sentences.append(f"A component is a spike in {where}: smallest spread {smallest}.")
    return " ".join([*sentences, _divergences(moment)])


def draw_chains(axes: Axes, state: Any) -> None:
    """The mixture of every chain on axes of one's own, and which line is which chain."""
    handles = []
    for chain, (weights, means, factors) in enumerate(zip(*_arrays(state), strict=True)):
        colour, line = style.colour(chain), LINES[chain % len(LINES)]
        widths = 1.2 + 1.8 * weights  # the heavier a component, the thicker its line
        axes.add_collection(
            LineCollection(
                list(_outlines(means, factors, 100)), colors=[colour], linewidths=widths,
                linestyles=[line], zorder=4,
            )
        )  # fmt: skip
        for k, mean in enumerate(means):
            axes.plot(*mean, style.marker(k), color=colour, ms=7, mec="black", mew=1, zorder=5)
        handles.append(Line2D([], [], color=colour, ls=line, lw=2, label=f"chain {chain + 1}"))
    if len(handles) > 1:
        axes.legend(
            handles=handles, loc="upper left", frameon=False, handlelength=2.6, fontsize=8.5
        )


def _divergences(moment: Moment) -> str:
    """How many draws of all chains diverged, in the warm-up and since."""
    infos = moment.trace.infos[1 : moment.t + 1]
    before, since = (
        sum(int(np.sum(info.divergent)) for info in infos if bool(info.warmup) is warmup)
        for warmup in (True, False)
    )
    if moment.info.warmup:
        return f"Divergences in the warm-up so far: {before}."
    return f"Divergences since the warm-up: {since}; in it: {before}."


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


def _outlines(means: NDArray, factors: NDArray, n: int) -> NDArray:
    """The 95 % ellipses of means (..., 2) and factors (..., 2, 2): closed, (m, n, 2)."""
    angle = np.linspace(0.0, 2 * np.pi, n)
    circle = RADIUS * np.stack([np.cos(angle), np.sin(angle)])
    outlines = means[..., None, :] + (factors @ circle).swapaxes(-1, -2)
    return outlines.reshape(-1, n, 2)


def _draw_earlier(axes: Axes, moment: Moment) -> None:
    """The draws of the first chain before this one, as many as are shown: of the same stage,
    since a warm-up is on its way and no draw."""
    infos, first = moment.trace.infos, moment.t
    while first > max(1, moment.t - EARLIER) and infos[first - 1].warmup == moment.info.warmup:
        first -= 1
    segments: list[NDArray] = []
    for t in range(first, moment.t):
        _, means, factors = _arrays(moment.trace[t])
        segments.extend(_outlines(means[0], factors[0], 40))
    axes.add_collection(LineCollection(segments, colors=[style.tint(0, 0.4)], lw=0.7, zorder=2))


def _draw_heights(axes: Axes, moment: Moment) -> None:
    """The log density by state, a line a chain; the climb of a bad start runs out of the panel."""
    infos = moment.trace.infos[: moment.t + 1]
    heights = np.array([np.atleast_1d(info.log_density) for info in infos], dtype=np.float64)
    states = np.arange(len(heights))
    last_warm = max((t for t, info in enumerate(infos) if info.warmup and t), default=0)
    if last_warm:
        axes.axvspan(0, last_warm, color="#EFEFEF", lw=0)
        # At the foot, where the curves are only while they climb.
        axes.text(0.04, 0.04, "grey: warm-up", transform=axes.transAxes, fontsize=8.5,
                  color=style.QUIET)  # fmt: skip
    for chain in range(heights.shape[1]):
        colour, line = style.colour(chain), LINES[chain % len(LINES)]
        axes.plot(states, heights[:, chain], ls=line, color=colour, lw=1.1)
        axes.plot(states[-1:], heights[-1:, chain], style.marker(chain), color=colour, ms=7,
                  mec="white", mew=1)  # fmt: skip
    axes.set_xlim(-0.04 * max(10, moment.t), 1.04 * max(10, moment.t))
    settled = heights[len(heights) // 4 :]
    finite = settled[np.isfinite(settled)]
    if finite.size:
        low, high = float(finite.min()), float(finite.max())
        room = 0.1 * (high - low) or 0.05 * max(abs(high), 1.0)
        axes.set_ylim(low - 2 * room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.10g}".replace("-", "−"))
    axes.grid(axis="y", color="#E8E8E8", lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("state")
    style.set_legend(axes, "log density, nats")


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"
