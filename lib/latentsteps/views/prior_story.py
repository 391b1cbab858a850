"""What BNNC believes before it has seen data: how many components are occupied, and what its gated
curve integrates to.

On the left the draws so far, by the number of components that they occupy, with the number that is
expected. On the right, for the present draw, the gated curve Σ_k θ_k(x) N_k(x) over the mixture
Σ_k π_k N_k(x), and below it the area under the gated curve up to x: it ends at Z, which is 1 for a
density.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator
from numpy.typing import NDArray

from latentsteps.models.bnnc_prior import curves
from latentsteps.trace import Moment
from latentsteps.views import style
from latentsteps.views.bound_parts import is_wide

GATED, PLAIN = style.COLOURS[0], style.COLOURS[5]
BOX = 15.0
"""The line is shown from −15 to 15, three standard deviations of the means, or further."""
TALLEST = 0.8
"""Height of the picture of the curves; a narrower component leaves it at its top."""
AROUND = np.linspace(-6.0, 6.0, 61)
"""Places around each mean, in standard deviations, where curves are computed."""


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state of :func:`latentsteps.models.bnnc_prior.prior_story`."""
    story, curve, area = _places(figure)
    _draw_occupied(story, moment)
    _draw_curves(curve, area, moment)
    style.set_title(story, moment._replace(name="occupied"))
    curve.set_title("this draw", loc="left")
    style.set_legend(curve, "solid: gated, dashed: no gate")


def describe(moment: Moment) -> str:
    """Occupied components of this draw, their mean so far, the expected number, and Z."""
    info, k = moment.info, len(moment.state.counts)
    mean = style.number(float(np.mean(_occupied(moment))))
    draws = "1 draw" if moment.t == 0 else f"{moment.t + 1} draws"
    return (
        f"State {moment.t}: {info.occupied} of {k} components occupied by "
        f"{_points(int(moment.state.counts.sum()))}; mean of {draws} so far {mean}, "
        f"expected {style.number(info.expected)}. Z = {_area(info.normaliser)}."
    )


def _points(n: int) -> str:
    return "1 point" if n == 1 else f"{n} points"


def _area(z: float) -> str:
    """Two decimals, so that 1.00 is seen to be one, and more for the smallest."""
    return f"{z:.2f}" if z >= 0.1 else style.number(z, 2)


def _occupied(moment: Moment) -> NDArray[np.int64]:
    """How many components each draw so far occupies, (t + 1,)."""
    return np.array([info.occupied for info in moment.trace.infos[: moment.t + 1]])


def _places(figure: style.AnyFigure) -> tuple[Axes, Axes, Axes]:
    """Axes of the draws so far, the curves and the area: two columns, or three rows."""
    width, height = style.inches(figure)
    axes = partial(style.axes_at, figure)

    left, right, top, bottom = 0.62, 0.22, 0.42, 0.52
    if is_wide(figure):
        story, gap = 0.31 * width, 0.85
        rest = width - left - story - gap - right
        high = height - top - bottom
        above = 0.58 * high
        return (
            axes(left, bottom, story, high),
            axes(left + story + gap, bottom + high - above, rest, above),
            axes(left + story + gap, bottom, rest, high - above - 0.16),
        )
    # The second title stands between the first panel's numbers and the curves.
    high = height - top - bottom - 0.86 - 0.14
    across = width - left - right
    return (
        axes(left, height - top - 0.3 * high, across, 0.3 * high),
        axes(left, bottom + 0.28 * high + 0.14, across, 0.42 * high),
        axes(left, bottom, across, 0.28 * high),
    )


def _draw_occupied(axes: Axes, moment: Moment) -> None:
    k, seen = len(moment.state.counts), _occupied(moment)
    numbers = np.arange(1, k + 1)
    draws = np.bincount(seen, minlength=k + 1)[1:]
    shades = [style.tint(0, 0.75 if n == seen[-1] else 0.35) for n in numbers]
    axes.bar(numbers, draws, 0.82, color=shades)
    # Room above the bars for two lines of words.
    height = axes.get_window_extent().height / axes.figure.dpi
    axes.set_ylim(0, max(4, draws.max()) / (1 - 0.42 / height))
    axes.axvline(
        moment.info.expected, 0, 1 - 0.36 / height, color=style.ALARM, lw=1.6, ls=(0, (4, 2))
    )
    mean = float(seen.mean())
    axes.plot(mean, 0, "D", color=style.INK, ms=7, mec="white", mew=1, clip_on=False, zorder=5)
    for words, colour, down in (
        (f"dashed: expected {style.number(moment.info.expected)}", style.ALARM, 0),
        (f"◆ mean so far {style.number(mean)}", style.INK, -12),
    ):
        # On the side where the bars are low.
        right = moment.info.expected < (k + 1) / 2
        axes.annotate(
            words, (1.0 if right else 0.02, 1.0), (0, down), xycoords="axes fraction", va="top",
            textcoords="offset points", ha="right" if right else "left", fontsize=8.5, color=colour,
        )  # fmt: skip
    axes.set_xlim(0.4, k + 0.6)
    ticks = list(range(1, k + 1, math.ceil(k / 12)))
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter([str(tick) for tick in ticks]))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel(f"components occupied by {_points(int(moment.state.counts.sum()))}")
    axes.set_ylabel("draws")


def _draw_curves(curve: Axes, area: Axes, moment: Moment) -> None:
    position = moment.state.position
    x = _line(position)
    gated, plain = curves(x, position)
    so_far = np.concatenate([[0.0], np.cumsum(np.diff(x) * (gated[1:] + gated[:-1]) / 2)])
    curve.fill_between(x, gated, color=style.tint(0, 0.16), lw=0)
    curve.plot(x, gated, color=GATED, lw=1.8)
    curve.plot(x, plain, color=PLAIN, lw=1.2, ls=(0, (4, 2)))
    highest = max(float(gated.max()), float(plain.max()))
    curve.set_ylim(0, min(TALLEST, 1.12 * highest))
    if highest > TALLEST:
        at = x[np.maximum(gated, plain).argmax()]
        curve.annotate(
            f"↑ to {style.number(highest, 2)}", (at, TALLEST), (6 if at < 0 else -6, -3),
            textcoords="offset points", ha="left" if at < 0 else "right", va="top", fontsize=8.5,
        )  # fmt: skip
    area.axhline(1, color=PLAIN, lw=1.2, ls=(0, (4, 2)))
    area.plot(x, so_far, color=GATED, lw=1.8)
    z = moment.info.normaliser
    area.plot(x[-1], z, "o", color=GATED, ms=7, mec="white", mew=1, clip_on=False, zorder=5)
    area.set_ylim(0, max(1.35, 1.25 * z))
    area.annotate(
        f"Z = {_area(z)}", (x[-1], z), (-6, 5 if z >= 0.995 else -5), fontweight="bold",
        textcoords="offset points", ha="right", va="bottom" if z >= 0.995 else "top", color=GATED,
    )  # fmt: skip
    for axes in (curve, area):
        axes.set_xlim(x[0], x[-1])
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]))
    curve.set_xticklabels([])
    curve.set_ylabel("curve")
    area.set_ylabel("area")
    area.set_xlabel("x")


def _line(position: dict[str, NDArray]) -> NDArray[np.float64]:
    """Places close enough together for every component, over all that has noticeable weight."""
    means, scales = position["means"], position["scales"]
    heavy = position["log_weights"] > np.log(1e-4)
    reach = (np.abs(means) + 4.5 * scales)[heavy].max()
    # By steps of five, so that the axis keeps still from most draws to the next.
    edge = max(BOX, 5 * float(np.ceil(reach / 5)))
    places = np.concatenate([np.linspace(-edge, edge, 401), (means + scales * AROUND).ravel()])
    return np.unique(places[np.abs(places) <= edge])
