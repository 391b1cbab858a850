"""What the views of EM's bound share: names, colours, places, and the values of all states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator
from numpy.typing import NDArray

from latentsteps.trace import Moment
from latentsteps.views import style
from latentsteps.views.slices import Along, Values

LIKELIHOOD, BOUND, EXPECTED = style.INK, style.COLOURS[5], style.QUIET
TANGENT = style.COLOURS[2]
SYMBOLS = {"means": "a", "variances": "σ²", "weights": "π"}
SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def symbol(along: Along) -> str:
    """A parameter as the course writes it: a₁, σ²₂, π₁."""
    return SYMBOLS[along[0]] + str(along[1] + 1).translate(SUBSCRIPT)


def unit_of(along: Along, unit: str) -> str:
    if not unit or along[0] == "weights":
        return ""
    return f" ({unit}²)" if along[0] == "variances" else f" ({unit})"


def nats(value: float) -> str:
    return f"{value:.1f}".replace("-", "−") if abs(value) < 1e4 else style.number(value)


def set_ticks(axis: Axis, places: Sequence[float], labels: Sequence[str]) -> None:
    """Labelled ticks at fixed places; ``axis.set_ticks`` would make each of them twice."""
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(FixedFormatter(labels))


def is_wide(figure: style.AnyFigure) -> bool:
    width, height = style.inches(figure)
    return width > 1.35 * height


def places(figure: style.AnyFigure) -> tuple[Axes, Axes, Axes, Axes, Axes | None]:
    """Axes for the data, the shares, the main panel, all values, and the gaps (on a wide figure).
    All at fixed places, so that nothing moves from one state to the next."""
    width, height = style.inches(figure)
    axes = partial(style.axes_at, figure)

    if is_wide(figure):
        left = 0.27 * width
        right = 0.21 * width
        main = width - 0.5 - left - 0.75 - right - 0.72 - 0.15
        x_main, x_right = 0.5 + left + 0.75, width - right - 0.15
        upper = 0.5 * (height - 0.52 - 0.42 - 0.5)
        return (
            axes(0.5, height - 0.42 - upper, left, upper),
            axes(0.5, 0.52, left, upper),
            axes(x_main, 0.52, main, height - 0.52 - 0.42),
            axes(x_right, 2.05, right, height - 2.05 - 1.32),
            axes(x_right, 0.52, right, 0.98),
        )
    side = width - 0.75 - 0.15
    # Between panels: an axis's numbers below, a title above.
    between, bottom, top, slit = 0.54, 0.28, 0.36, 0.05
    free = height - top - slit - 2 * between - bottom
    data, shares, main, values = (part * free for part in (0.17, 0.17, 0.45, 0.21))
    y_main = bottom + values + between
    y_shares = y_main + main + between
    return (
        axes(0.75, y_shares + shares + slit, side, data),
        axes(0.75, y_shares, side, shares),
        axes(0.75, y_main, side, main),
        axes(0.75, bottom, side, values),
        None,
    )


# All states so far


def draw_values(
    figure: style.AnyFigure, axes: Axes, gaps: Axes | None, moment: Moment, past: list[Values]
) -> None:
    """Log-likelihood, F and Q of every state; on a wide figure their numbers above, gaps below."""
    axes.set_label("objective")
    states = np.arange(moment.t + 1)
    table = np.array(past)
    axes.plot(states, table[:, 2], color=EXPECTED, lw=1.2, ls=":")
    axes.plot(states, table[:, 0], color=LIKELIHOOD, lw=1.4)
    axes.plot(states, table[:, 1], color=BOUND, lw=1.4, ls=(0, (5, 1.5)))
    axes.plot(states[-1:], table[-1:, 1], "s", color=BOUND, ms=6, mec="white", mew=1)
    span = max(10, moment.t)
    axes.set_xlim(-0.04 * span, 1.04 * span)
    finite = table[np.isfinite(table)]
    if len(finite):
        low, high = float(finite.min()), float(finite.max())
        room = 0.08 * (high - low) or 1.0
        axes.set_ylim(low - room, high + room)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="y", color="#E8E8E8", lw=0.8)
    axes.set_axisbelow(True)
    if gaps is None:
        _draw_key(figure, past[-1], axes.get_position().y1)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
        return
    _draw_key(figure, past[-1])
    _draw_gaps(gaps, states, past)
    gaps.set_xlim(axes.get_xlim())
    axes.xaxis.set_visible(False)


def _draw_gaps(axes: Axes, states: NDArray, past: list[Values]) -> None:
    """The gap of every state, on a logarithmic axis: zeros are marks on its floor."""
    gaps = np.array([value.gap for value in past])
    open_ = np.isfinite(gaps) & (gaps > 0)
    floor = -6.0
    top = max(1.0, math.ceil(math.log10(gaps[open_].max()))) if open_.any() else 2.0
    heights = np.log10(np.where(open_, gaps, 1.0))
    # Thick lines are drawn faster than bars, in a run of many states.
    across = axes.bbox.width * 72 / style.DPI / (1.08 * max(10, states[-1]))
    axes.vlines(
        states[open_], floor, np.maximum(heights[open_], floor),
        color=BOUND, alpha=0.75, lw=max(0.8 * across, 0.8),
    )  # fmt: skip
    axes.plot(states[~open_], np.full(np.sum(~open_), floor), "|", color=BOUND, ms=5)
    axes.set_ylim(floor - 0.1, top)
    ticks = [tick for tick in (-4, -2, 0, 2, 4) if tick <= top]
    labels = [f"10{str(tick).translate(style.SUPERSCRIPT)}" if tick else "1" for tick in ticks]
    set_ticks(axes.yaxis, ticks, labels)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.set_title("gap", loc="left")
    axes.set_xlabel("state")


def _draw_key(figure: style.AnyFigure, now: Values, base: float = 1.0) -> None:
    """What the lines are; on a wide figure with their present values, as a small table, on a
    narrow one as a line above the height ``base``."""
    width, height = style.inches(figure)
    lines = [
        ("log-likelihood", LIKELIHOOD, "-", now.log_likelihood),
        ("F", BOUND, (0, (5, 1.5)), now.bound),
        ("Q", EXPECTED, ":", now.expected),
    ]
    wide = is_wide(figure)
    for i, (words, colour, dashes, value) in enumerate(lines):
        if wide:
            x, y = width - 0.15 - 0.21 * width, height - 0.25 - 0.2 * i
        else:
            x, y = (0.75, 2.1, 2.6)[i], base * height + 0.14
        start, end, y = x / width, (x + 0.25) / width, y / height
        figure.add_artist(Line2D([start, end], [y, y], color=colour, lw=2, ls=dashes))
        label: dict[str, Any] = {"color": colour, "va": "center", "fontsize": 9}
        figure.text((x + 0.33) / width, y, words, **label)
        if wide:
            figure.text(1 - 0.15 / width, y, nats(value), ha="right", **label)
    if wide:
        label |= {"color": BOUND, "fontweight": "bold"}
        y = 1 - 0.85 / height
        figure.text((x + 0.33) / width, y, "gap", **label)
        figure.text(1 - 0.15 / width, y, style.number(now.gap), ha="right", **label)
