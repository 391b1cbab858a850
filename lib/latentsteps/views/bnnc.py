"""NUTS on BNNC in the plane, seen: where each gate rules, what is occupied, who is together.

A state is one draw of every chain. The tints are the gate of chain 1, each region in the colour of
the component with the largest θ_k(x), whose mean has that colour too; the ellipses are the occupied
components of every chain. A component is *occupied* if it is the most probable one for at least one
point. Beside them the similarity of the points, filling up draw by draw, above the diagonal that of
chain 1, below it that of the others; and how many components were occupied, state by state.

For any state whose position has ``log_weights`` (C, K), ``means`` and ``scales`` (C, K, 2): a gate
is shown where there is one on the points.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from latentsteps.models.bnnc import log_gate, log_joint
from latentsteps.models.mixture_draws import shares
from latentsteps.trace import Moment, Trace
from latentsteps.views import chains, style
from latentsteps.views.bnnc_parts import (
    Seen,
    box,
    cells,
    draw_regions,
    draw_similarity,
    parts,
    position_of,
)
from latentsteps.views.bound_parts import is_wide

CHAINS = (style.INK, style.COLOURS[5], style.COLOURS[2], style.COLOURS[3])
"""Colours of the chains, apart from those of the tints."""


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state of :func:`latentsteps.models.bnnc.bnnc` on points (N, 2), or on a tuple of
    points and covariates, or of another mixture with such positions."""
    _draw(figure, moment, ("", ""))


def with_labels(horizontal: str, vertical: str) -> style.View:
    """The view with the axes named, units included."""
    return style.View(partial(_draw, names=(horizontal, vertical)), describe)


def describe(moment: Moment) -> str:
    """Of state 0 only that it is the start: draws differ from machine to machine. Later this step,
    occupied components, how far the chains' similarities are apart, and divergences so far."""
    position = position_of(moment)
    many, k = position["log_weights"].shape
    if moment.t == 0:
        return chains.describe_start(many, k)
    occupied = style.listing(int(n) for n in _seen(moment).occupied[moment.t])
    sentences = [chains.describe_step(moment), f"Occupied components: {occupied}."]
    if many > 1:
        similarity = _seen(moment).similarity
        apart = max(np.abs(one - similarity[0]).max() for one in similarity[1:])
        stage = "in this warm-up" if moment.info.warmup else "of the draws"
        sentences.append(f"Similarities {stage} so far: chains differ by {apart:.2f} at most.")
    return " ".join([*sentences, chains.describe_divergences(moment)])


_known: WeakKeyDictionary[Trace, Seen] = WeakKeyDictionary()


def _seen(moment: Moment) -> Seen:
    """What is known of this trace, up to this state."""
    if moment.trace not in _known:
        _known[moment.trace] = Seen(parts(moment)[0])
    _known[moment.trace].upto(moment)
    return _known[moment.trace]


def _draw(figure: style.AnyFigure, moment: Moment, names: tuple[str, str]) -> None:
    x, covariates = parts(moment)
    position = position_of(moment)
    main, square, below = _places(figure, any(names))
    low, high = box(x)  # the same for all states: a component outside it is on its way in
    gated = "output_weights" in position and covariates is None
    if gated:
        first = {name: value[0] for name, value in position.items()}
        draw_regions(main, log_gate(cells(low, high), first).argmax(axis=0), low, high)
    main.plot(*x.T, ".", color="#7D7D7D", ms=4 if len(x) <= 1000 else 2, zorder=1)
    used = shares(log_joint(x, position, covariates)).argmax(axis=1)
    _draw_chains(main, position, used, gated)
    main.set_xlim(low[0], high[0])
    main.set_ylim(low[1], high[1])
    main.set_xlabel(names[0])
    main.set_ylabel(names[1])
    style.set_title(main, moment)
    style.set_legend(main, "tints: gate of chain 1" if gated else "95 % ellipses")
    _draw_together(square, moment)
    _draw_occupied(below, moment)


def _places(figure: style.AnyFigure, labelled: bool) -> tuple[Axes, Axes, Axes]:
    """Axes of the points, the similarity (a square) and the occupied components: the last two
    beside the points on a wide figure, below them on a narrow one."""
    width, height = style.inches(figure)
    axes = partial(style.axes_at, figure)

    left, bottom = (0.74, 0.52) if labelled else (0.52, 0.36)
    right, top = 0.22, 0.42
    if is_wide(figure):
        across = 0.5 * width - left
        x0 = left + across + 0.62
        under = 0.19 * height
        square = height - top - 0.42 - under - 0.5
        return (
            axes(left, bottom, across, height - bottom - top),
            axes(x0, height - top - square, square, square),
            axes(x0, 0.5, width - x0 - right, under),
        )
    square = min(0.3 * height, 0.4 * width)
    base = 0.5 + square + 0.4 + bottom
    x0 = left + square + 0.5
    return (
        axes(left, base, width - left - right, height - base - top),
        axes(left, 0.5, square, square),
        axes(x0, 0.5, width - x0 - right, square),
    )


def _draw_chains(
    axes: Axes, position: dict[str, NDArray], used: NDArray[np.intp], gated: bool
) -> None:
    """The occupied components of every chain, and which line is which chain."""
    handles = []
    for chain, winners in enumerate(used):
        occupied = np.unique(winners)
        means, scales = position["means"][chain, occupied], position["scales"][chain, occupied]
        look: dict[str, Any] = {"color": CHAINS[chain % len(CHAINS)], "ls": chains.line(chain)}
        ellipses = chains.outlines(means, scales[..., None] * np.eye(2), 80)
        axes.add_collection(LineCollection(list(ellipses), lw=1.8, zorder=4, **look))
        handles.append(Line2D([], [], lw=2, label=f"chain {chain + 1}", **look))
        if chain == 0:
            for k, mean in zip(occupied, means, strict=True):
                axes.plot(
                    *mean, style.marker(k), color=style.colour(k) if gated else CHAINS[0], ms=8,
                    mec="black", mew=1.1, zorder=5,
                )  # fmt: skip
    if len(handles) > 1:
        axes.legend(
            handles=handles, loc="upper left", handlelength=2.6, fontsize=8.5, borderaxespad=0.2,
            framealpha=0.7, edgecolor="none",
        )  # fmt: skip


def _draw_together(axes: Axes, moment: Moment) -> None:
    """The similarity so far, and in words what is in it."""
    seen = _seen(moment)
    similarity = seen.similarity
    many, n = len(similarity), seen.last - seen.first + 1
    shown = similarity[0].copy()
    if many > 1:
        lower = np.tri(len(shown), k=-1, dtype=bool)
        shown[lower] = similarity[1:].mean(axis=0)[lower]
    draw_similarity(axes, shown)
    axes.set_title("similarity", loc="left")
    what = f"of {chains.count(n, 'warm-up step' if moment.info.warmup else 'draw')}"
    lines = [what if moment.t else "of the start"]
    beside, others = is_wide(axes.figure), "2" if many == 2 else f"2 to {many}"
    if beside:
        lines += ["points, dark where they", "are often together"]
        if many > 1:
            lines += ["", "above the diagonal:", "chain 1", "below it:", f"chain {others}"]
    elif many > 1:
        lines.append(f"above: chain 1, below: {others}")
    axes.annotate(
        "\n".join(lines), (1, 1) if beside else (0, 0), (9, 0) if beside else (0, -5),
        xycoords="axes fraction", textcoords="offset points", va="top", color=style.QUIET,
        fontsize=8.5 if beside else 8,
    )  # fmt: skip


def _draw_occupied(axes: Axes, moment: Moment) -> None:
    """How many components are occupied, a line a chain, state by state."""
    counts = np.array(_seen(moment).occupied[: moment.t + 1])
    k = position_of(moment)["log_weights"].shape[1]
    small = axes.get_window_extent().height < 1.2 * style.DPI
    chains.draw_by_state(axes, moment, "grey: warm-up")
    for chain in range(counts.shape[1]):
        # Chains often agree: the later ones are thin enough to see those below.
        axes.plot(
            counts[:, chain], color=CHAINS[chain % len(CHAINS)], ls=chains.line(chain),
            lw=max(1.2, 2.6 - 1.0 * chain), drawstyle="steps-mid", marker=style.marker(chain),
            markevery=[moment.t], ms=6, mec="white", mew=0.8, clip_on=False,
        )  # fmt: skip
    axes.set_ylim(0, k + 0.8)
    axes.yaxis.set_major_locator(MaxNLocator(3 if small else 5, integer=True))
    axes.set_title("occupied components" if is_wide(axes.figure) else "occupied", loc="left")
