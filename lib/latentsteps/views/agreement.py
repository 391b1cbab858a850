"""Whether chains agree, seen: one coordinate and the log density by draw, and r-hat so far.

Where the coordinates can swap names (:class:`latentsteps.inference.moves.Density`), their r-hat is
*by label*: it tells whether all chains use the same names. The log density's is *label-free*.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from latentsteps.evaluation.diagnostics import r_hat
from latentsteps.inference.moves import DECIDED, draws
from latentsteps.trace import Moment, Trace
from latentsteps.views import style

FEWEST = 4
"""Draws of each chain below which there is no r-hat: half a chain needs two."""
PLACES = 40
"""About so many numbers of draws have their r-hat in the curve."""
GOOD = 1.01
"""What Vehtari et al. (2021) ask r-hat to be below."""

_known: WeakKeyDictionary[Trace, dict[int, tuple[float, ...]]] = WeakKeyDictionary()


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw the first coordinate and the log density of every chain, and r-hat so far."""
    main, beside = style.panels(figure, left=0.86)
    place, room = main.get_position(), 0.42 / style.inches(figure)[1]
    half = (place.height - room) / 2
    main.set_position((place.x0, place.y0 + half + room, place.width, half))
    below = figure.add_axes((place.x0, place.y0, place.width, half))
    found, density = _values(moment), moment.info.density
    for axes, values, name in (
        (main, found[0], density.coordinates[0]),
        (below, found[-1], "log density"),
    ):
        _draw_chains(axes, values)
        axes.set_ylabel(name)
        if density.exchangeable:
            style.set_legend(axes, "by label" if axes is main else "label-free")
    main.set_xticklabels([])
    below.set_xlabel("draw")
    style.set_title(main, moment)
    _draw_r_hat(beside, moment)


def describe(moment: Moment) -> str:
    """r-hat of each number, by label or label-free, after so many draws."""
    chains, n = _values(moment).shape[1:]
    done = f"State {moment.t}: {n} draw{'s' * (n != 1)} of each of {chains} chains"
    if chains < 2:
        return f"State {moment.t}: one chain alone; whether chains agree takes two or more."
    if n < FEWEST:
        return f"{done}; r-hat needs {FEWEST}."
    found = _r_hats(moment, n)
    words = [f"{value:.2f}".replace("inf", "∞").replace("nan", "none") for value in found]
    *coordinates, free = words
    names = moment.info.density.coordinates
    by_name = style.listing(f"{v} for {name}" for name, v in zip(names, coordinates, strict=False))
    if moment.info.density.exchangeable:
        return f"{done}; r-hat by label {by_name}, label-free {free} for the log density."
    return f"{done}; r-hat {by_name}, {free} for the log density."


def _values(moment: Moment) -> NDArray[np.float64]:
    """Both coordinates and the log density, (3, chains, draws)."""
    points = draws(moment.trace, moment.t)
    infos = [i for i in moment.trace.infos[: moment.t + 1] if i.phase == DECIDED]
    heights = np.array([info.log_density for info in infos]).reshape(-1, len(points)).T
    return np.stack([points[..., 0], points[..., 1], heights])


def _r_hats(moment: Moment, n: int) -> tuple[float, ...]:
    """r-hat of the three after ``n`` draws; NaN where there is none."""
    known = _known.setdefault(moment.trace, {})
    if n not in known:
        parts = _values(moment)[:, :, :n]
        known[n] = tuple(r_hat(v) if np.isfinite(v).all() else np.nan for v in parts)
    return known[n]


def _draw_chains(axes: Axes, values: NDArray) -> None:
    n = values.shape[1]
    for chain, line in enumerate(values):
        axes.plot(
            np.arange(1, n + 1), line, "-", color=style.colour(chain), lw=1.1, ms=5, mec="white",
            mew=0.6, marker=style.marker(chain), markevery=max(1, n // 12),
        )  # fmt: skip
    axes.set_xlim(0, max(10, n) * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4) if n else NullLocator())
    axes.margins(y=0.1)


def _draw_r_hat(axes: Axes, moment: Moment) -> None:
    chains, n = _values(moment).shape[1:]
    axes.set_label("r-hat")
    if chains < 2 or n < FEWEST:
        axes.set_axis_off()
        words = "r-hat needs two chains" if chains < 2 else f"r-hat needs {FEWEST} draws"
        axes.text(0.5, 0.5, words, ha="center", va="center", color=style.QUIET)
        return
    stride = 2 ** max(0, int(np.ceil(np.log2(n / PLACES))))
    counts = sorted({*range(max(FEWEST, stride), n + 1, stride), n})
    curves = np.array([_r_hats(moment, count) for count in counts])
    names = [*moment.info.density.coordinates, "log density"]
    for which, (name, shape, line) in enumerate(zip(names, "sDo", ("-", "--", "-"), strict=True)):
        axes.plot(
            counts, curves[:, which], line, color=style.COLOURS[(5, 3, 2)[which]], lw=1.5, ms=5,
            marker=shape, mec="white", mew=0.6, markevery=max(1, len(counts) // 6), label=name,
        )  # fmt: skip
    axes.axhline(GOOD, color="#9A9A9A", lw=0.9, ls=":")
    finite = curves[np.isfinite(curves)]
    axes.set_ylim(0.95, max(1.25, 1.1 * float(finite.max(initial=1.0))))
    axes.set_xlim(0, max(10, n) * 1.04)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_xlabel("draws")
    axes.set_title("r-hat", loc="left", fontweight="normal", color=style.QUIET, fontsize=8.5)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.04, 0.97), ncols=3, frameon=False, fontsize=8,
        handlelength=1.2, handletextpad=0.3, columnspacing=0.6, borderpad=0.1,
    )  # fmt: skip
