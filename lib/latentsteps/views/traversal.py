"""A walk along one latent dimension seen: which one, how much it is used, what it does.

Upper left a bar for each dimension's KL, the largest first, the chosen one marked; a click on
another one chooses that (in a Stepper with ``clicks=1`` and a control ``start``). Upper right the
digit, its reconstruction, and large the picture at the present value of the coordinate. Below them
the pictures of the walk so far, each at its value, the present one framed. Of a dead dimension they
are all the same.

Only the pictures change from state to state, so the rest is drawn once a walk, and the pictures'
bytes are put into it.
"""

from __future__ import annotations

from typing import NamedTuple, cast
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib import rc_context
from matplotlib.transforms import Transform
from numpy.typing import NDArray

from latentsteps.models.images import as_pixels
from latentsteps.models.traversal import by_size
from latentsteps.trace import Moment, Trace
from latentsteps.views import style
from latentsteps.views.mosaic import as_pictures
from latentsteps.views.vae import DEAD, draw_bars

FRAME = 3
"""Pixels of the frame around the present picture."""
PAPER, PRESENT = (0xBB, 0xBB, 0xBB), (0xD5, 0x5E, 0x00)
"""Colours of frames: red, green, blue."""
size = (9.0, 4.0)

_stills: WeakKeyDictionary[Trace, style.Painting] = WeakKeyDictionary()


class Place(NamedTuple):
    """Where a picture is, in pixels from the left and from the top, and how large its own are."""

    left: int
    top: int
    scale: int


class Places(NamedTuple):
    """Where everything is."""

    bars: tuple[int, int, int, int]
    """Left, top, width and height of the axes."""
    singles: dict[str, Place]
    """The digit, its reconstruction and the present picture, by name."""
    strip: dict[int, Place]
    """Pictures of the walk, by the number of their value: all of them, or those that fit."""


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state of :func:`latentsteps.models.traversal.traversal`."""
    places = _draw_still(figure, moment)
    canvas = np.full((round(figure.bbox.height), round(figure.bbox.width), 3), 255, np.uint8)
    _put_pictures(canvas, moment, places)
    # Over the whole figure and behind the rest, a pixel for a pixel.
    behind = figure.add_axes((0, 0, 1, 1), zorder=-1)
    behind.imshow(canvas, aspect="auto", interpolation="nearest")
    behind.set_axis_off()


def paint(moment: Moment) -> style.Painting:
    """The same picture, quicker: what stays is drawn at a walk's first picture only."""
    still = _stills.get(moment.trace)
    if still is None:
        with rc_context(style.RC):
            figure = style.new_figure(*size)
            _draw_still(figure, moment)
            figure.canvas.draw()
            buffer = figure.canvas.buffer_rgba()  # type: ignore[attr-defined]  # Agg's own
            to_data = cast(Transform, figure.axes[0].transData.inverted().frozen())
        still = style.Painting(np.array(buffer)[:, :, :3], to_data)
        _stills[moment.trace] = still
    canvas = still.pixels.copy()
    _put_pictures(canvas, moment, _places(moment, canvas.shape[1], canvas.shape[0]))
    return still._replace(pixels=canvas)


def describe(moment: Moment) -> str:
    """Which dimension, at what value, and how much of the picture has changed; of the start only
    what is the same on any machine."""
    state = moment.state
    rank = by_size(state.kl).tolist().index(state.dimension) + 1
    value = style.number(state.values[state.number])
    if not moment.t:
        return f"State 0: of {len(state.kl)} dimensions, number {rank} by its KL, at {value}."
    kl, moved = float(state.kl[state.dimension]), float(moment.info.objective)
    words = f"{style.number(kl, 2)} nats{', dead' if kl <= DEAD else ''}"
    moves = (
        f"From the reconstruction the picture differs by the ink of {style.number(moved, 2)} pixels"
    )
    if kl <= DEAD and moved < 1:
        moves = "Nothing moves"
    return (
        f"State {moment.t}: dimension {state.dimension}, number {rank} of {len(state.kl)} by its "
        f"KL ({words}), at {value}. {moves}."
    )


def _draw_still(figure: style.AnyFigure, moment: Moment) -> Places:
    """All but the pictures."""
    state = moment.state
    across, down = round(figure.bbox.width), round(figure.bbox.height)
    places = _places(moment, across, down)
    dots = figure.dpi
    left, top, width, height = places.bars
    bars = style.axes_at(
        figure, left / dots, (down - top - height) / dots, width / dots, height / dots
    )
    draw_bars(bars, state.kl, state.dimension)
    bars.set_title(moment.name, loc="left")
    tall, wide = _shape(state.picture)

    def name(words: str, place: Place) -> None:
        middle, below = place.left + place.scale * wide / 2, place.top + place.scale * tall + 6
        figure.text(
            middle / across, 1 - below / down, words, ha="center", va="top", fontsize=8.5,
            color=style.QUIET,
        )  # fmt: skip

    for words, place in places.singles.items():
        name(words, place)
    lefts = [place.left for place in places.strip.values()]
    crowded = len(lefts) > 1 and lefts[1] - lefts[0] < 45
    for number, place in list(places.strip.items())[:: 2 if crowded else 1]:
        name(style.number(state.values[number]), place)
    return places


def _places(moment: Moment, across: int, down: int) -> Places:
    """For a figure of so many pixels. Pictures are whole pixels large: nothing is interpolated."""
    state = moment.state
    tall, wide = _shape(state.picture)
    longest = max(tall, wide)
    label, margin, gap = 24, 8, 4
    every = 1
    while (room := (across - 2 * margin) // -(-len(state.values) // every)) < longest + gap:
        every += 1
    numbers = range(0, len(state.values), every)
    scale = max(1, (min(room, 62) - gap) // longest)
    room = min(room, scale * longest + 8)
    top = down - label - scale * tall
    first = (across - room * len(numbers)) // 2
    strip = {number: Place(first + room * i, top, scale) for i, number in enumerate(numbers)}
    upper, base = 50, top - 18  # of what is above the strip
    if across > 1.35 * down:
        large = max(1, (base - label - upper) // tall)
        small = max(1, (base - label - upper - 40) // (2 * tall))
        right = across - 24 - large * wide
        left = right - 30 - small * wide
        singles = {
            "digit": Place(left, upper, small),
            "rebuilt": Place(left, base - label - small * tall, small),
            "now": Place(right, upper, large),
        }
        return Places((86, upper, left - 30 - 86, base - 58 - upper), singles, strip)
    large = max(1, int(0.3 * down) // tall)
    small = max(1, min(large // 2, (across - 2 * margin - 40 - large * wide) // (2 * wide)))
    line = base - label
    sizes = (("digit", small), ("rebuilt", small), ("now", large))
    singles, left = {}, (across - (2 * small + large) * wide - 60) // 2
    for name, scale in sizes:
        singles[name] = Place(left, line - scale * tall, scale)
        left += scale * wide + 30
    return Places((80, upper, across - 80 - 20, line - large * tall - 72 - upper), singles, strip)


def _put_pictures(canvas: NDArray[np.uint8], moment: Moment, places: Places) -> None:
    """Put the pictures into ``canvas`` (height, width, 3)."""
    state, trace = moment.state, moment.trace
    pictures = {
        "digit": as_pixels(state.image[None])[0],
        "rebuilt": state.own,
        "now": state.picture,
    }
    for name, place in places.singles.items():
        _put(canvas, pictures[name], place, PAPER)
    # The way back shows the same pictures again.
    for number, place in places.strip.items():
        if number <= moment.t:
            _put(canvas, trace[number].picture, place, PAPER)
    # Where not every value has its picture in the strip, the last one before it is framed.
    number = max(number for number in places.strip if number <= state.number)
    _put(canvas, trace[number].picture, places.strip[number], PRESENT, FRAME)


def _put(
    canvas: NDArray[np.uint8],
    picture: NDArray,
    place: Place,
    frame: tuple[int, int, int],
    width: int = 1,
) -> None:
    rows = as_pictures(picture[None])[0]
    grey = np.round(255 * (1 - np.clip(np.nan_to_num(rows), 0, 1))).astype(np.uint8)
    large = grey.repeat(place.scale, axis=0).repeat(place.scale, axis=1)
    left, top, (tall, wide) = place.left, place.top, large.shape
    canvas[top - width : top + tall + width, left - width : left + wide + width] = frame
    canvas[top : top + tall, left : left + wide] = large[:, :, None]


def _shape(picture: NDArray) -> tuple[int, int]:
    """Height and width of a picture (D,)."""
    _, tall, wide = as_pictures(picture[None]).shape
    return tall, wide
