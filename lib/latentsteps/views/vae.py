"""A variational autoencoder in training seen: what it reads back, what it makes up, what it uses.

Three rows of pictures: digits, the network's reconstruction of each from the mean of q(z | x), and
what it makes of points z drawn from the prior, the same points in every state. Below them a bar for
each latent dimension: KL(q(z_d | x) ‖ N(0, 1)), averaged over images, the largest first. A
dimension with next to none is dead: it copies the prior, and tells nothing about the image. Beside
them the two terms of the ELBO by state.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from latentsteps.models.images import as_pixels
from latentsteps.models.traversal import by_size, mean_kl
from latentsteps.models.vae import VAE, generate, reconstruct, vae_at
from latentsteps.trace import Moment, Trace
from latentsteps.views import style
from latentsteps.views.mosaic import as_pictures

SHOWN = 8
"""Digits, reconstructions and samples."""
LOOK = 500
"""Images, the first of the data, over which the KL of each dimension is averaged."""
DEAD = 0.01
"""Nats: a dimension with a smaller mean KL is called dead."""
GAP = 3
"""Pixels of the pictures between two of them."""
ROWS = ("digits", "rebuilt", "new")
size = (9.2, 4.4)

_held: WeakKeyDictionary[Trace, tuple[int, VAE, NDArray[np.float64]]] = WeakKeyDictionary()


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state of :func:`latentsteps.models.vae.vae`; ``moment.data`` is images (N, 784),
    of which the first are shown."""
    _draw(figure, moment, None)


def with_images(images: NDArray[np.uint8]) -> style.View:
    """The view with the first of other images (n, 784) as its digits, test images say."""
    return style.View(partial(_draw, images=np.array(images[:SHOWN])), describe, size)


def describe(moment: Moment) -> str:
    """The two terms, the ELBO and how many dimensions are in use; of the start, which is the same
    on no two machines to the last digit, only that it is one."""
    _, kl = looked_at(moment)
    if not moment.t:
        return f"State 0: not trained yet; {len(kl)} latent dimensions, {len(moment.data)} images."
    rate, distortion, elbo = (style.number(part) for part in terms(moment.info))
    used = int((kl > DEAD).sum())
    return (
        f"State {moment.t}: distortion {distortion} and rate {rate} nats an image, ELBO {elbo}; "
        f"{used} of {len(kl)} dimensions in use."
    )


def looked_at(moment: Moment) -> tuple[VAE, NDArray[np.float64]]:
    """The network of a state, and the mean KL of its dimensions over the first images: made once
    for the picture and the words."""
    held = _held.get(moment.trace)
    if held is None or held[0] != moment.t:
        network = vae_at(moment.state)
        held = _held[moment.trace] = (moment.t, network, mean_kl(network, moment.data[:LOOK]))
    return held[1:]


def terms(info: Any) -> tuple[float, float, float]:
    """Rate, distortion and ELBO = −(distortion + rate) of an info, nats an image."""
    rate, distortion = float(info.terms["rate"]), float(info.terms["distortion"])
    return rate, distortion, -(distortion + rate)


def sheet(rows: list[NDArray]) -> NDArray[np.uint8]:
    """Rows of pictures, each (n, D) from 0 white to 1 black, as one grey (height, width)."""
    pictures = np.stack([as_pictures(row) for row in rows])
    down, across, height, width = pictures.shape
    grey = np.round(255 * (1 - np.clip(np.nan_to_num(pictures), 0, 1))).astype(np.uint8)
    made = np.full((down, height + GAP, across, width + GAP), 255, dtype=np.uint8)
    made[:, :height, :, :width] = grey.transpose(0, 2, 1, 3)
    flat = made.reshape(down * (height + GAP), across * (width + GAP))
    return flat[:-GAP, :-GAP]


def draw_rows(
    figure: style.AnyFigure,
    network: VAE,
    images: NDArray[np.uint8],
    place: tuple[float, float, float, float],
) -> Axes:
    """Digits, their reconstructions and samples in three named rows, within ``place``: x, y, width
    and height in inches. They are put at its top, as large as fits."""
    digits = as_pixels(images[:SHOWN])
    made = generate(network, len(digits), seed=0)
    picture = sheet([digits, reconstruct(network, digits), made])
    x, y, room_x, room_y = place
    names = 0.58
    across = min(room_x - names, room_y * picture.shape[1] / picture.shape[0])
    up = across * picture.shape[0] / picture.shape[1]
    axes = style.axes_at(figure, x + names, y + room_y - up, across, up)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    for row, name in enumerate(ROWS):
        middle = 1 - (row + 0.5) / len(ROWS)
        axes.text(
            -0.06 / across, middle, name, transform=axes.transAxes, ha="right", va="center",
            fontsize=8.5, color=style.QUIET,
        )  # fmt: skip
    return axes


def draw_bars(axes: Axes, kl: NDArray, chosen: int | None = None) -> None:
    """A bar for each dimension's KL (D,), the largest first; bar r stands at x = r. Those in use
    are blue; ``chosen``, a dimension, is orange and named."""
    kl = np.nan_to_num(kl, posinf=0.0)
    order = by_size(kl)
    high = max(float(kl.max()), 0.1)
    colours = [style.colour(0 if kl[d] > DEAD else 7) for d in order]
    if chosen is not None:
        rank = order.tolist().index(chosen)
        colours[rank] = style.colour(1)
        axes.plot([rank], [kl[chosen] + 0.06 * high], "v", color=style.colour(1), mec=style.INK)
        axes.set_title(f"dimension {chosen}", loc="right", fontsize=9.5)
    # A dead one keeps a sliver, so that there is something to see and to click on.
    heights = np.maximum(kl[order], 0.012 * high)
    bars = [[(r - 0.4, 0), (r - 0.4, h), (r + 0.4, h), (r + 0.4, 0)] for r, h in enumerate(heights)]
    # One artist: as many rectangles take several times as long.
    axes.add_collection(PolyCollection(bars, facecolors=colours, linewidths=0))
    axes.set_xlim(-0.7, len(kl) - 0.3)
    axes.set_ylim(0, high * (1.05 if chosen is None else 1.16))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    dead = int((kl <= DEAD).sum())
    axes.set_xlabel(f"dimensions by their KL; {dead or 'none'} dead")
    axes.set_ylabel("KL, nats")


def _draw(figure: style.AnyFigure, moment: Moment, images: NDArray | None) -> None:
    width, height = style.inches(figure)
    shown = np.asarray(moment.data if images is None else images)
    network, kl = looked_at(moment)
    if width > 1.35 * height:
        side = 0.27 * width
        main = width - side - 1.35
        rows = draw_rows(figure, network, shown, (0.15, 2.1, main, height - 2.52))
        bars = style.axes_at(figure, 0.73, 0.52, main - 0.58, 1.4)
        beside = style.axes_at(figure, width - side - 0.2, 0.52, side, height - 0.94)
    else:
        below = 0.19 * height
        rows = draw_rows(
            figure, network, shown, (0.1, 2 * below + 1.45, width - 0.3, height - 2 * below - 1.87)
        )
        bars = style.axes_at(figure, 0.68, below + 1.32, width - 0.88, below)
        beside = style.axes_at(figure, 0.68, 0.5, width - 0.88, below)
    style.set_title(rows, moment)
    draw_bars(bars, kl)
    _draw_terms(beside, moment)


def _draw_terms(axes: Axes, moment: Moment) -> None:
    axes.set_label("objective")
    values = np.array([terms(info)[:2] for info in moment.trace.infos[: moment.t + 1]])
    states = np.arange(len(values))
    # Both are named at the line itself, at its two ends: between the lines there may be no room.
    for column, name, look, hue in ((0, "rate", "-", 0), (1, "distortion", "--", 5)):
        axes.plot(states, values[:, column], look, color=style.colour(hue), lw=1.5)
        axes.plot(states[-1:], values[-1:, column], "o", color=style.colour(hue), ms=5)
        if np.isfinite(values[-1, column]):
            last = name == "distortion"
            where = (states[-1], values[-1, 1]) if last else (0, np.nanmax(values[:, 0]))
            axes.annotate(
                name, where, (0, -14 if last else 6), textcoords="offset points",
                ha="right" if last and moment.t > 5 else "left", fontsize=8.5,
                color=style.colour(hue),
            )  # fmt: skip
    axes.set_xlim(-0.04 * max(10, moment.t), 1.04 * max(10, moment.t))
    # The start, some hundred nats above, would hide the rest.
    later = values[1:] if moment.t > 1 else values
    finite = later[np.isfinite(later)]
    axes.set_ylim(0, 1.15 * max(float(finite.max()), 1e-3) if finite.size else 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y", color="#E8E8E8", lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("state")
    style.set_legend(axes, "nats an image")
