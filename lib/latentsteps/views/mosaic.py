"""Many small grey pictures as one: a single image and few artists, so that a frame is quick."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from latentsteps.views.style import ALARM, COLOURS, INK

GAP = 3
"""Pixels between two pictures."""
BAR = 2
"""Pixels of a weight bar's height."""


def as_pictures(rows: NDArray) -> NDArray[np.float64]:
    """(K, D) values as (K, height, width): square where D is a square, else one row of pixels."""
    rows = np.asarray(rows, dtype=np.float64)
    side = math.isqrt(rows.shape[1])
    shape = (side, side) if side * side == rows.shape[1] else (1, rows.shape[1])
    return rows.reshape(len(rows), *shape)


def draw_mosaic(
    axes: Axes,
    pictures: NDArray,
    labels: Sequence[str],
    bars: NDArray | None = None,
    dead: NDArray[np.bool_] | None = None,
) -> None:
    """Draw pictures (K, height, width), 0 white to 1 black, in rows, each with a label below.

    ``bars`` (K,): shares of the widest picture bar, 0 to 1, drawn between picture and label.
    ``dead`` (K,): which ones are crossed out.
    """
    k, height, width = pictures.shape
    box = axes.bbox
    # A label needs about 12 points; in picture pixels that depends on how many stand in a row.
    columns, scale, below = _grid(k, height, width, box.width, box.height, axes.figure.dpi)
    rows = math.ceil(k / columns)
    tall = height + below
    canvas = np.full((rows * tall, columns * (width + GAP) - GAP, 3), 255, dtype=np.uint8)
    grey = np.round(255 * (1 - np.clip(np.nan_to_num(pictures), 0, 1))).astype(np.uint8)
    blue = np.array([int(COLOURS[0][i : i + 2], 16) for i in (1, 3, 5)], dtype=np.uint8)
    corners = []
    for i in range(k):
        top, left = (i // columns) * tall, (i % columns) * (width + GAP)
        corners.append((left, top))
        canvas[top : top + height, left : left + width] = grey[i, :, :, None]
        if bars is not None:
            start = top + height + 1
            canvas[start : start + BAR, left : left + width] = 232
            filled = round(float(np.clip(bars[i], 0, 1)) * width)
            canvas[start : start + BAR, left : left + filled] = blue
    # Drawn whole pixels large: interpolation would soften what is a number per pixel.
    axes.imshow(canvas, interpolation="nearest", aspect="equal", origin="upper")
    axes.set_axis_off()
    axes.set_anchor("NW")
    # The title's right end belongs above the mosaic's, not above what is left beside it.
    axes.apply_aspect()
    frames = [
        [(x - 0.5, y - 0.5), (x + width - 0.5, y - 0.5), (x + width - 0.5, y + height - 0.5),
         (x - 0.5, y + height - 0.5), (x - 0.5, y - 0.5)]
        for x, y in corners
    ]  # fmt: skip
    axes.add_collection(LineCollection(frames, colors="#BBBBBB", linewidths=0.6, clip_on=False))
    size = float(np.clip(0.16 * scale * width * 72 / axes.figure.dpi, 5.5, 9))
    for i, (x, y) in enumerate(corners):
        lifeless = dead is not None and bool(dead[i])
        axes.text(
            x + width / 2 - 0.5,
            y + height + 1 + (BAR + 0.5 if bars is not None else 0),
            labels[i],
            ha="center",
            va="top",
            fontsize=size,
            color=ALARM if lifeless else INK,
        )
    if dead is not None and dead.any():
        crosses = [
            line
            for (x, y), is_dead in zip(corners, dead, strict=True)
            if is_dead
            for line in (
                [(x, y), (x + width - 1, y + height - 1)],
                [(x, y + height - 1), (x + width - 1, y)],
            )
        ]
        axes.add_collection(LineCollection(crosses, colors=ALARM, linewidths=2))


def _grid(
    k: int, height: int, width: int, room_x: float, room_y: float, dpi: float
) -> tuple[int, float, int]:
    """The number of columns that makes the pictures largest, screen pixels per picture pixel,
    and how many picture pixels a label needs below its picture."""
    best = (1, 0.0, 1)
    for columns in range(1, k + 1):
        across = room_x / (columns * (width + GAP))
        label = 13 / 72 * dpi
        down = (room_y / math.ceil(k / columns) - label) / (height + BAR + 2)
        scale = min(across, down)
        if scale > best[1]:
            best = (columns, scale, math.ceil(BAR + 2 + label / scale))
    return best
