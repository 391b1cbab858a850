"""One state as one PNG, drawn off-screen; and several states as a filmstrip.

A frame shows one trace, or several side by side with their names above them. The picture, its
words and the way from its pixels to the data's coordinates are made together and kept together.
"""

from __future__ import annotations

from io import BytesIO
from typing import NamedTuple, cast

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.transforms import Transform
from numpy.typing import NDArray
from PIL import Image

from latentsteps.trace import Moment, Trace
from latentsteps.views import style

Lanes = dict[str, Trace]
"""What is shown side by side: name to trace. A live stepper has one lane, without a name."""


class Frame(NamedTuple):
    """A drawn state."""

    png: bytes
    text: str
    """What the view says of the state, a line a lane."""
    height: int
    """Pixels: a picture counts rows from the top, a figure from the bottom."""
    to_data: Transform
    """From the figure's pixels to the coordinates of the first axes."""


def render(
    lanes: Lanes,
    view: style.View,
    index: int,
    marks: NDArray | None = None,
    size: tuple[float, float] | None = None,
) -> Frame:
    """Draw state ``index`` of every lane; a shorter lane stays at its last state.

    ``marks``: (n, 2) points in the data's coordinates to put on the picture, as crosses.
    ``size``: inches, if not the usual ones.
    """
    moments = {name: trace.at(min(index, len(trace) - 1)) for name, trace in lanes.items()}
    usual_picture = size is None and (marks is None or not len(marks))
    if view.paint and usual_picture and list(lanes) == [""] and lanes[""].first_break() is None:
        pixels, to_data = view.paint(moments[""])
        text = _line("", moments[""], index, view)
        return Frame(_encode(Image.fromarray(pixels)), text, len(pixels), to_data)
    with rc_context(style.RC):
        width, height = view.size
        usual = (width, height) if len(lanes) == 1 else (9.2, max(5.6, height))
        figure = style.new_figure(*(size or usual))
        parts = _parts(figure, list(lanes))
        lines = []
        for (name, moment), part in zip(moments.items(), parts, strict=True):
            view.draw(part, moment)
            broken = lanes[name].first_break()
            if broken is not None and broken <= moment.t:
                style.mark_break(part, moment, broken)
            lines.append(_line(name, moment, index, view))
        if len(lanes) > 1:
            style.share_scale(figure)
        first = figure.axes[0] if figure.axes else figure.add_axes((0, 0, 1, 1))
        if marks is not None and len(marks):
            first.plot(marks[:, 0], marks[:, 1], "P", color="black", ms=13, mec="white", zorder=9)
        return Frame(
            _png(figure),
            "\n".join(lines),
            round(figure.bbox.height),
            cast(Transform, first.transData.inverted().frozen()),
        )


def notice(title: str, words: str) -> bytes:
    """A PNG that says in words why there is no picture."""
    with rc_context(style.RC):
        figure = style.new_figure(9.0, 1.6)
        figure.text(0.03, 0.72, title, fontsize=11, fontweight="bold", va="center")
        figure.text(0.03, 0.62, words, fontsize=9.5, va="top", wrap=True)
        return _png(figure)


def filmstrip(lanes: Lanes, view: style.View, states: list[int]) -> bytes:
    """Several states in one PNG: beside each other, or below each other where there are lanes."""
    narrow = (3.6, 4.4) if len(lanes) == 1 else None
    pngs = [render(lanes, view, state, size=narrow).png for state in states]
    pictures = [Image.open(BytesIO(png)) for png in pngs]
    width, height = pictures[0].size
    right, down = (width, 0) if narrow else (0, height)
    last = len(pictures) - 1
    strip = Image.new("RGB", (width + last * right, height + last * down), "white")
    for place, picture in enumerate(pictures):
        strip.paste(picture, (place * right, place * down))
    return _encode(strip, compress_level=9)


def break_words(trace: Trace) -> str:
    """What the first broken step of a trace's objective did, in words; empty where none did.

    "state 4: the objective fell from 3 to 2, it must not fall"
    """
    state = trace.first_break()
    if state is None:
        return ""
    after = float(trace.objective[state])
    if np.isnan(after):
        return f"state {state}: the objective is not a number (NaN)"
    before = float(trace.objective[state - 1])
    verb, rule = ("fell", "fall") if after < before else ("rose", "rise")
    return f"state {state}: the objective {verb} from {_pair(before, after)}, it must not {rule}"


def _pair(before: float, after: float) -> str:
    """Two numbers with as many digits, at least three, as show that they differ."""
    for digits in range(3, 17):
        first, second = style.number(before, digits), style.number(after, digits)
        if first != second:
            break
    return f"{first} to {second}"


def _line(name: str, moment: Moment, index: int, view: style.View) -> str:
    ended = " (ended)" if index > moment.t else ""
    return f"{name}{ended}: {view.describe(moment)}" if name else view.describe(moment)


def _parts(figure: Figure, names: list[str]) -> list[style.AnyFigure]:
    if names == [""]:
        return [figure]
    # The names stand in a strip of their own above the pictures.
    share = 0.06
    grid = figure.add_gridspec(2, len(names), height_ratios=[share, 1 - share], hspace=0, wspace=0)
    for column, name in enumerate(names):
        head = figure.add_subfigure(grid[0, column])
        head.text(0.04, 0.35, name, fontsize=12, fontweight="bold", va="center")
    return [figure.add_subfigure(grid[1, column]) for column in range(len(names))]


def _png(figure: Figure) -> bytes:
    canvas = figure.canvas
    canvas.draw()
    # Pillow at a low compression is several times quicker than savefig, for a few kB more.
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]  # type: ignore[attr-defined]  # Agg's own
    return _encode(Image.fromarray(np.ascontiguousarray(pixels)))


def _encode(picture: Image.Image, compress_level: int = 1) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "png", compress_level=compress_level)
    return buffer.getvalue()
