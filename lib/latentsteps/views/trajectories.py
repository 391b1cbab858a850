"""Metropolis and Hamilton seen: balls that roll over a landscape, and draws that count again.

Dark is where the density is large. A chain has a colour and a marker shape; its present draw has a
black edge, its earlier ones are small, and one that counts several times, because moves away from
it were rejected, is ringed. Beside it the energy's rise along the present move, and, once that is
decided, a bar: what ends below its chain's bar is accepted.

For any state with ``position``, ``path``, ``energy`` and ``phase`` whose info is a
:class:`latentsteps.inference.moves.MoveInfo`, in the plane.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from latentsteps.inference.moves import DECIDED, LEAPFROG, Density, draws, potential
from latentsteps.trace import Moment, Trace
from latentsteps.views import energy_strip, style

GRID = 80
"""Points either way at which the density is computed, once for a trace."""
RADII = np.array([9.0, 7.0, 5.5, 4.0, 3.0, 2.0, 1.0, 0.0])
"""Contours lie where a normal distribution's would at so many standard deviations."""
FILLS = ("#FFFFFF", "#F7F8FA", "#F0F2F5", "#E6EAEF", "#D8DEE6", "#C6CFDA", "#B0BCCB")
EARLIER, RINGED = 300, 25
"""Earlier draws of a chain that are shown, and how many of them with a ring: the newest ones."""

_landscapes: WeakKeyDictionary[Trace, tuple[NDArray, ...]] = WeakKeyDictionary()


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state: the landscape with the chains on it, the energy's rise, the objective."""
    if moment.state.position.shape[1] != 2:
        raise ValueError(
            f"the chains move in {moment.state.position.shape[1]} dimensions; this picture is of 2"
        )
    main, strip = style.panels(figure)
    below = strip.get_position()
    if below.x0 > main.get_position().x1:
        room = 0.78 / style.inches(figure)[1]
        half = (below.height - room) / 2
        strip.set_position((below.x0, below.y1 - half, below.width, half))
        style.objective(figure.add_axes((below.x0, below.y0, below.width, half)), moment)
    draw_landscape(main, moment)
    draw_chains(main, moment)
    style.set_title(main, moment)
    _legend(main, len(moment.state.position))
    energy_strip.draw_rise(strip, moment)


def describe(moment: Moment) -> str:
    """The leapfrog or the decision, with its numbers; repeated points; what was accepted so far."""
    state, info = moment.state, moment.info
    chains = len(state.position)
    if info.phase not in (LEAPFROG, DECIDED):
        who = "1 chain" if chains == 1 else f"{chains} chains"
        return f"State {moment.t}: {who} on the landscape “{info.density.name}”, at the start."
    what = "energy error" if hasattr(state, "momentum") else "−log density changes by"
    rises = f"{what} {_values(info.rise)}"
    if info.phase == LEAPFROG:
        sentences = [f"leapfrog {len(state.path) - 1} of {state.leapfrogs}; {rises}."]
    else:
        verdicts = _verdicts(moment)
        alike = chains > 1 and len(set(verdicts)) == 1
        decision = f"all {verdicts[0]}" if alike else _values(verdicts)
        sentences = [f"{rises}; allowed {_values(info.allowed)}: {decision}."]
        repeats = [_repeats(history)[1][-1] for history in _histories(moment)]
        sentences += [
            f"Chain {c + 1} stays: its point counts {n} times." if chains > 1 else
            f"The chain stays: its point counts {n} times."
            for c, n in enumerate(repeats) if n > 1
        ][:4]  # fmt: skip
    moves = sum(past.phase == DECIDED for past in moment.trace.infos[: moment.t + 1])
    if moves:
        taken = sum(int(past.accepted.sum()) for past in moment.trace.infos[: moment.t + 1])
        sentences.append(f"So far {taken} of {moves * chains} moves accepted.")
    return f"State {moment.t}: {' '.join(sentences)}"


def draw_landscape(axes: Axes, moment: Moment) -> None:
    """The density's contours, with the window for axes: the same in all states of a run."""
    density: Density = moment.info.density
    if moment.trace not in _landscapes:
        x, y = (np.linspace(*ends, GRID) for ends in density.window)
        rows = np.stack(np.meshgrid(x, y), axis=-1)
        # A row at a time: many data make a density's intermediate arrays large.
        heights = -np.stack([potential(density, row) for row in rows])
        _landscapes[moment.trace] = x, y, np.where(np.isfinite(heights), heights, np.nan)
    x, y, heights = _landscapes[moment.trace]
    if np.isfinite(heights).any():
        levels = np.nanmax(heights) - 0.5 * RADII**2
        axes.contourf(x, y, heights, levels=levels, colors=FILLS, zorder=0)
        axes.contour(
            x, y, heights, levels=levels[:-1], colors="#B8C0CA", linewidths=0.6,
            linestyles="solid", zorder=0,
        )  # fmt: skip
    axes.set_xlim(density.window[0])
    axes.set_ylim(density.window[1])
    axes.set_xlabel(density.coordinates[0])
    axes.set_ylabel(density.coordinates[1])


def draw_chains(axes: Axes, moment: Moment) -> None:
    """Draws so far, repeated points, and the move that is on its way or was decided last."""
    state, info = moment.state, moment.info
    histories = _histories(moment)
    verdicts = _verdicts(moment)
    words = []
    for chain, history in enumerate(histories):
        colour, shape = style.colour(chain), style.marker(chain)
        points, counts = _repeats(history)
        points, counts = points[-EARLIER:], counts[-EARLIER:]
        axes.plot(*points[:-1].T, shape, color=colour, ms=4, mec="white", mew=0.5, zorder=3)
        _draw_rings(axes, points, counts, colour)
        path = state.path[:, chain]
        if len(path) > 1:
            refused = info.phase == DECIDED and not info.accepted[chain]
            _draw_path(axes, path, chain, refused)
            if info.phase == LEAPFROG:
                _draw_arrow(axes, path[0], state.momentum[0, chain], style.QUIET, 1.0)
                _draw_arrow(axes, path[-1], state.momentum[-1, chain], "black", 1.8)
                axes.plot(*path[-1], shape, color=colour, ms=10, mec="white", mew=1.2, zorder=8)
            elif info.phase == DECIDED:
                words.append((path[-1], verdicts[chain], refused))
        axes.plot(*state.position[chain], shape, color=colour, ms=9, mec="black", mew=1.4, zorder=7)
    # Where a move was accepted the marker has moved: among many chains that says it.
    _write(axes, [word for word in words if word[2] or len(histories) <= 2])


def _draw_rings(axes: Axes, points: NDArray, counts: NDArray, colour: str) -> None:
    many = np.flatnonzero(counts > 1)[-RINGED:]
    present = many == len(points) - 1  # a larger marker, and a ring that is seen around it
    sizes = np.where(present, 180, 70) + 20 * np.minimum(counts[many], 15)
    axes.scatter(
        points[many, 0], points[many, 1], s=sizes, facecolors="none",
        edgecolors=colour, linewidths=0.9, zorder=6,
    )  # fmt: skip
    for place in many[-1:]:
        axes.annotate(
            f"{counts[place]}×", points[place], (-7, 6), textcoords="offset points", fontsize=8.5,
            ha="right", color=style.INK, zorder=9, annotation_clip=True,
            bbox={"boxstyle": "square,pad=0.05", "fc": "white", "ec": "none", "alpha": 0.75},
        )  # fmt: skip


def _draw_path(axes: Axes, path: NDArray, chain: int, refused: bool) -> None:
    colour, line = style.colour(chain), (0, (3, 2)) if refused else "-"
    dots = "." if len(path) > 2 else ""
    axes.plot(*path.T, "-", color="white", lw=3.4, zorder=4)
    axes.plot(*path.T, ls=line, color=colour, lw=1.6, marker=dots, ms=5, zorder=5)
    if refused:
        axes.plot(*path[-1], "x", color=style.ALARM, ms=8, mew=2.2, zorder=8)


def _draw_arrow(axes: Axes, tail: NDArray, momentum: NDArray, colour: str, width: float) -> None:
    """An arrow for a momentum; one of unit length takes a sixteenth of the picture."""
    if not (np.isfinite(tail).all() and np.isfinite(momentum).all()):
        return
    reach = 0.06 * np.ptp(axes.get_xlim())
    # A ball that has run away has a momentum beyond all bounds.
    head = tail + reach * momentum * min(1.0, 4.0 / max(float(np.hypot(*momentum)), 1e-12))
    axes.annotate(
        "", tuple(head), tuple(tail), annotation_clip=True, zorder=9,
        arrowprops={
            "arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0
        },
    )  # fmt: skip


def _write(axes: Axes, words: list[tuple[NDArray, str, bool]]) -> None:
    """A verdict beside each path's end, those near to each other below one another."""
    box = axes.get_window_extent()
    taken: list[tuple[float, float]] = []
    dots = axes.get_figure(root=True).dpi / 72  # type: ignore[union-attr]
    for end, verdict, refused in sorted(words, key=lambda item: -np.nan_to_num(item[0][1])):
        place = axes.transData.transform(np.clip(end, -1e6, 1e6))
        if not np.isfinite(place).all():
            place = np.array([box.x0, box.y1])
        width, height = 50 * dots, 13 * dots
        x = float(np.clip(place[0] + 9 * dots, box.x0, box.x1 - width))
        y = float(np.clip(place[1] - height, box.y0, box.y1 - height))
        while any(abs(x - left) < width and abs(y - low) < height for left, low in taken):
            y -= height
        taken.append((x, y))
        left, low = axes.transData.inverted().transform((x, y))
        axes.text(
            left, low, verdict, fontsize=8.5, zorder=6.5,
            color=style.ALARM if refused else style.INK, fontweight="bold", va="bottom",
            bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
        )  # fmt: skip


def _legend(axes: Axes, chains: int) -> None:
    if chains == 1:
        return
    shown = range(min(chains, 5))
    handles = [
        Line2D([], [], ls="", marker=style.marker(c), color=style.colour(c), ms=6, label=str(c + 1))
        for c in shown
    ]
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.01, 0.985), ncols=len(handles),
        frameon=False, fontsize=8.5, handletextpad=0.0, columnspacing=0.7, borderpad=0.1,
        labelcolor=style.QUIET,
    )  # fmt: skip


def _histories(moment: Moment) -> NDArray:
    """Start and draws of each chain, (chains, 1 + draws, 2)."""
    start = moment.trace.infos[0].position[:, None]
    return np.concatenate([start, draws(moment.trace, moment.t)], axis=1)


def _repeats(history: NDArray) -> tuple[NDArray, NDArray]:
    """Points of a chain, (n, 2), and how many draws in a row each is, (n,)."""
    new = np.ones(len(history), dtype=bool)
    new[1:] = (history[1:] != history[:-1]).any(axis=1)
    first = np.flatnonzero(new)
    return history[first], np.diff(np.append(first, len(history)))


def _verdicts(moment: Moment) -> list[str]:
    state = moment.state
    stayed = (state.position == state.path[0]).all(axis=1)
    return [
        "accepted" if taken else "rejected" if still else "elsewhere"
        for taken, still in zip(moment.info.accepted, stayed, strict=True)
    ]


def _values(values: Iterable[Any]) -> str:
    """The first four of a list, numbers shortened."""
    words = [item if isinstance(item, str) else _number(item) for item in values]
    return style.listing(words) if len(words) <= 4 else ", ".join(words[:4]) + ", …"


def _number(value: float) -> str:
    if np.isnan(value):
        return "no number (NaN)"
    return style.number(value, 2).replace("inf", "∞")
