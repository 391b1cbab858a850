"""What all pictures share: colours with shapes, a base font, sizes, and the objective's panel.

Colour is never the only carrier: each cluster has a marker shape too, or a label. The colours are
those of Okabe & Ito (2002), "Color universal design", told apart with every common kind of colour
vision. Figures are opaque white, because transparent ones lose their axes on a dark page, and
they are drawn off-screen, never by pyplot, so that nothing is left behind in a notebook's cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Transform
from numpy.typing import NDArray

from latentsteps.trace import Moment

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#5A5A5A")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK, QUIET, ALARM = "#222222", "#6B6B6B", "#B5400A"

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9A9A9A",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.unicode_minus": True,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}
DPI = 120
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

AnyFigure = Figure | SubFigure
"""A view draws on a whole figure, or on a part of one where traces stand side by side."""


class Painting(NamedTuple):
    """A picture as pixels, and the way from them to the data."""

    pixels: NDArray[np.uint8]
    """(height, width, 3), the first row at the top."""
    to_data: Transform
    """From pixels, rows counted from the bottom, to the coordinates of the first axes."""


class View(NamedTuple):
    """How an algorithm's states are shown: a picture, and a sentence with the numbers in it."""

    draw: Callable[[AnyFigure, Moment], None]
    describe: Callable[[Moment], str]
    size: tuple[float, float] = (9.0, 4.0)
    """Inches of a picture with one trace; beside others a trace gets half the width."""
    paint: Callable[[Moment], Painting] | None = None
    """What ``draw`` draws on a figure of ``size``, at :data:`DPI`, from pixels: for pictures that
    matplotlib would be slow to draw anew in each state. Beside other traces ``draw`` is used."""


def colour(cluster: int) -> str:
    """The colour of a cluster. After eight they come again, with other markers."""
    return COLOURS[cluster % len(COLOURS)]


def marker(cluster: int) -> str:
    """The marker shape of a cluster: 64 clusters differ in colour or in shape."""
    return MARKERS[(cluster + cluster // len(COLOURS)) % len(MARKERS)]


def tint(cluster: int, strength: float = 0.16) -> tuple[float, float, float]:
    """The cluster's colour mixed into white, for areas behind points."""
    hexadecimal = colour(cluster)
    parts = [int(hexadecimal[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (1 - strength * (1 - part) for part in parts)
    return red, green, blue


def new_figure(width: float = 9.0, height: float = 4.0) -> Figure:
    """An opaque figure of that many inches, with a canvas to draw it on and no window."""
    with rc_context(RC):
        figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def inches(figure: AnyFigure) -> tuple[float, float]:
    """Width and height of a figure, or of a part of one."""
    return figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi


def axes_at(figure: AnyFigure, x: float, y: float, across: float, up: float) -> Axes:
    """New axes, that many inches wide and high, their lower left corner at (x, y) inches."""
    width, height = inches(figure)
    made = figure.add_axes((x / width, y / height, across / width, up / height))
    made.set_title("", y=1.0)  # a fixed height: looking for ticks above a title takes time
    return made


def panels(
    figure: AnyFigure, *, left: float = 0.72, bottom: float = 0.52, gap: float = 0.95
) -> tuple[Axes, Axes]:
    """The main axes and the objective's: side by side on a wide figure, one below the other on a
    narrow one. ``left`` and ``bottom``: inches of room for the main axes' labels, ``gap`` between
    the two. The places are fixed, so that nothing moves from one state to the next."""
    width, height = inches(figure)
    top, right = 0.42, 0.22

    def axes(x: float, y: float, w: float, h: float) -> Axes:
        return figure.add_axes((x / width, y / height, w / width, h / height))

    if width > 1.35 * height:
        side = 0.26 * width
        main = width - left - gap - side - right
        return (
            axes(left, bottom, main, height - bottom - top),
            axes(left + main + gap, 0.52, side, height - 0.52 - top),
        )
    below = 0.19 * height
    base = 0.50 + below + 0.42 + bottom
    return (
        axes(left, base, width - left - right, height - base - top),
        axes(max(left, 0.72), 0.50, width - max(left, 0.72) - right, below),
    )


def objective(axes: Axes, moment: Moment) -> None:
    """The objective of all states so far on a linear axis, the present one marked."""
    axes.set_label("objective")
    values = np.asarray(moment.objective, dtype=np.float64)
    states = np.arange(len(values))
    few = len(values) <= 40
    axes.plot(states, values, "-", color=COLOURS[0], lw=1.4, marker="." if few else "", ms=5)
    axes.plot(states[-1:], values[-1:], "o", color=COLOURS[0], ms=7, mec="white", mew=1.2)
    axes.set_xlim(-0.04 * max(10, moment.t), 1.04 * max(10, moment.t))
    finite = values[np.isfinite(values)]
    if len(finite):
        low, high = float(finite.min()), float(finite.max())
        # One value alone, or equal ones, still get an axis with some height.
        room = 0.08 * (high - low) or 0.05 * max(abs(high), 1.0)
        axes.set_ylim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    power = _power_of_ten(axes.get_ylim())
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value / 10.0**power:.10g}".replace("-", "−"))
    )
    axes.grid(axis="y", color="#E8E8E8", lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("state")
    set_legend(
        axes, f"objective (×10{str(power).translate(SUPERSCRIPT)})" if power else "objective"
    )


def _power_of_ten(limits: tuple[float, float]) -> int:
    """What to divide an axis's numbers by so that they stay short; 0 where they are short already.

    Matplotlib's own way of writing it goes through its formula parser: a third of a frame's time.
    """
    largest = max(abs(limit) for limit in limits)
    power = math.floor(math.log10(largest)) if largest > 0 else 0
    return power if power >= 5 or power < -3 else 0


def mark_break(figure: AnyFigure, moment: Moment, state: int) -> None:
    """Mark, in the objective's panel if there is one, the state at which it went the wrong way."""
    for axes in figure.axes:
        if axes.get_label() == "objective" and state <= moment.t:
            value = moment.objective[state]
            axes.axvline(state, color=ALARM, lw=1.2, ls=(0, (3, 2)))
            if np.isfinite(value):
                axes.plot([state], [value], "X", color=ALARM, ms=10, mec="white", mew=1)
            axes.set_title(f"broken at state {state}", loc="right", color=ALARM, fontsize=9.5)


def share_scale(figure: AnyFigure) -> None:
    """Give all objective panels of a figure one scale, so that they can be compared by eye; and
    likewise all axes labelled ``"plane"``."""
    for label in ("objective", "plane"):
        found = [axes for axes in figure.axes if axes.get_label() == label]
        for get, put in (("get_xlim", "set_xlim"), ("get_ylim", "set_ylim")):
            limits = np.array([getattr(axes, get)() for axes in found])
            for axes in found:
                getattr(axes, put)(limits[:, 0].min(), limits[:, 1].max())


def number(value: float, digits: int = 3) -> str:
    """Three significant digits and a true minus sign: −8.12e+05, 5440, 0.04."""
    short = f"{float(value):.{digits}g}"
    if "e+03" in short or "e+04" in short:
        short = f"{float(short):.0f}"
    return short.replace("-", "−")


def listing(items: Iterable[object]) -> str:
    """1, 2 and 3."""
    words = [str(item) for item in items]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def counts_of(expectations: object, k: int) -> NDArray[np.float64]:
    """How many points each of ``k`` clusters has, shape (k,), from whatever an E step returns.

    That is hard labels (N,), responsibilities (N, K) or sufficient statistics with ``counts``.
    """
    if hasattr(expectations, "counts"):
        return np.asarray(expectations.counts, dtype=np.float64)
    array = np.asarray(expectations)
    if array.ndim == 1:
        return np.bincount(array.astype(np.intp), minlength=k).astype(np.float64)
    return array.sum(axis=0, dtype=np.float64)


def set_title(axes: Axes, moment: Moment) -> None:
    """The algorithm's name, where there is room for it and a legend, and the state's number."""
    state = f"state {moment.t}"
    full = f"{moment.name} · {state}"
    # A letter of the bold title takes about a twelfth of an inch, a legend an inch.
    room = axes.get_window_extent().width / DPI - 1.1
    axes.set_title(full if len(full) / 12 < room else state, loc="left")


def set_legend(axes: Axes, words: str) -> None:
    """What the numbers in a picture are, quietly, at the upper right."""
    axes.set_title(words, loc="right", fontweight="normal", color=QUIET, fontsize=8.5)
