"""Three bounds of one image seen: where it lies among the clusters, and −KL in three ways.

On the left the latents in the plane in which their means spread most; a point has the colours of
the clusters it may belong to, and an ellipse holds 95 % of what a cluster draws there. The chosen
image is ringed and shown, with the ellipse of its own q(z | x) dashed and the latest draws as dots.

On the right −KL by the number of draws, counted from the optimum, which is exact: the published
value below it, the one with the clusters summed out above, in a band of two standard errors. Below
are the two q(c | x).
"""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator
from numpy.typing import NDArray
from scipy.special import softmax

from latentsteps.models.bounds import BoundsInfo, Latents, expected_log_joint, plane
from latentsteps.models.gaussian_mixture import GaussianMixture
from latentsteps.trace import Moment
from latentsteps.views import style
from latentsteps.views.bound_parts import is_wide
from latentsteps.views.gaussian_mixture import RADIUS, draw_mixture, ellipse
from latentsteps.views.mosaic import as_pictures

POINTS = 1000
"""At most so many images are points in the plane."""
BARS = 12
"""At most so many clusters have bars: those that the image may belong to most."""
SMALLEST = 0.02
"""Nats: differences below this are not magnified."""
DOTS = 100
"""At most so many of the latest draws of z are shown."""
SUMMED_OUT, OPTIMUM, PUBLISHED = style.COLOURS[2], style.INK, style.COLOURS[5]
size = (9.4, 4.6)


def describe(moment: Moment) -> str:
    """The three values; of the start only what is the same on any machine."""
    info, n = moment.info, moment.state.draws
    draws = "1 draw" if n == 1 else f"{n} draws"
    if not moment.t:
        return f"State 0: −KL of one image in three ways, after {draws} of z."
    error = f" ± {style.number(info.error, 1)}" if np.isfinite(info.error) else ""
    return (
        f"State {moment.t}: {draws} of z; −KL published {_nats(info.published)}, optimum "
        f"{_nats(info.optimum)}, summed out {_nats(info.summed_out)}{error} nats."
    )


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state of :func:`latentsteps.models.bounds.three_bounds`."""
    main, values, bars = _places(figure)
    _draw_plane(main, moment)
    _draw_picture(figure, main, moment)
    _draw_values(values, moment)
    _draw_bars(bars, moment)


def draw_clusters(
    axes: Axes,
    points: NDArray,
    shares: NDArray,
    mixture: GaussianMixture,
    onto: tuple[NDArray, NDArray],
) -> None:
    """Points (N, D) with their shares (N, C) and a diagonal mixture, seen in the plane ``onto``, a
    centre (D,) and axes (D, 2). Each mean has its cluster's number beside its marker."""
    centre, directions = onto
    means = (mixture.means - centre) @ directions
    # Each component's shape in the plane is that of its z there: A diag(v) Aᵀ.
    shapes = np.einsum("di,cd,dj->cij", directions, mixture.covariances, directions)
    flat = GaussianMixture(mixture.weights, means, shapes)
    draw_mixture(axes, (points - centre) @ directions, shares, flat)
    for cluster, place in enumerate(means):
        if np.isfinite(place).all():
            axes.annotate(
                str(cluster), place, (8, -1), textcoords="offset points", va="center",
                fontsize=8.5, fontweight="bold", zorder=9, annotation_clip=True,
                bbox={"boxstyle": "square,pad=0.08", "fc": "white", "ec": "none", "alpha": 0.75},
            )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(True)


def _nats(value: float) -> str:
    """Three decimals where the differences are as small as that."""
    return f"{value:.3f}".replace("-", "−") if abs(value) < 100 else style.number(value, 4)


def _places(figure: style.AnyFigure) -> tuple[Axes, Axes, Axes]:
    """Axes of the plane, the three values and the bars, which are beside the plane or below it."""
    width, height = style.inches(figure)
    axes = partial(style.axes_at, figure)

    left, right, top, bottom, key = 0.15, 0.2, 0.42, 0.46, 0.24
    if is_wide(figure):
        main = 0.5 * (width - left - right - 0.85)
        high = height - top - bottom - 0.86
        x, up = left + main + 0.85, bottom + 0.36 * high + 0.86
        return (
            axes(left, 0.15, main, height - top - 0.15),
            axes(x, up, main, 0.64 * high - key),
            axes(x, bottom, main, 0.36 * high),
        )
    low = 0.23 * height
    up = bottom + low + key + 0.4
    bars = 0.31 * width
    return (
        axes(left, up, width - left - right, height - top - up),
        axes(0.5, bottom, width - 0.5 - 0.35 - bars - right, low),
        axes(width - bars - right, bottom, bars, low),
    )


def _draw_plane(axes: Axes, moment: Moment) -> None:
    data: Latents = moment.data
    mean, log_variance = data.mean[:POINTS], data.log_variance[:POINTS]
    onto = centre, directions = plane(data.mean)
    shares = softmax(expected_log_joint(mean, log_variance, data.mixture), axis=1)
    draw_clusters(axes, mean, shares, data.mixture, onto)
    row = moment.state.image
    own = (data.mean[row] - centre) @ directions
    variance = np.exp(data.log_variance[row])
    outline = ellipse(own, directions.T @ (variance[:, None] * directions), RADIUS, 60)
    axes.add_collection(
        LineCollection(
            [np.concatenate([outline, outline[:1]])], colors="black", linewidths=1.4,
            linestyles=(0, (3, 2)), zorder=10,
        )
    )  # fmt: skip
    dots = (moment.state.z[-DOTS:] - centre) @ directions
    axes.plot(*dots.T, ".", color="black", ms=3, mew=0, zorder=10)
    axes.plot(*own, "o", mfc="none", mec="black", mew=1.8, ms=13, zorder=11)
    places = (mean - centre) @ directions
    low, high = places.min(axis=0), places.max(axis=0)
    room = 0.05 * (high - low)
    axes.set_xlim(low[0] - room[0], high[0] + room[0])
    axes.set_ylim(low[1] - room[1], high[1] + room[1])
    style.set_title(axes, moment._replace(name="latents"))
    style.set_legend(axes, "95 % ellipses")


def _draw_picture(figure: style.AnyFigure, main: Axes, moment: Moment) -> None:
    """The chosen image, in the corner of the plane that is farthest from it."""
    place = main.get_position()
    width, height = style.inches(figure)
    side = 0.85 if is_wide(figure) else 0.55
    across, up = side / width, side / height
    ring = main.lines[-1].get_xydata()[0]  # type: ignore[index]  # the last thing drawn there
    x, y = main.transAxes.inverted().transform(main.transData.transform(ring))
    corner = figure.add_axes(
        (
            place.x1 - across if x < 0.5 else place.x0,
            place.y1 - up if y < 0.5 else place.y0,
            across,
            up,
        )
    )
    picture = np.asarray(moment.data.images[moment.state.image], dtype=np.float64)
    corner.imshow(as_pictures(picture[None])[0], cmap="Greys", interpolation="nearest", zorder=1)
    corner.set_xticks([])
    corner.set_yticks([])
    corner.spines[["top", "right"]].set_visible(True)


def _draw_values(axes: Axes, moment: Moment) -> None:
    infos = moment.trace.infos[: moment.t + 1]
    table = np.array([(i.published, i.optimum, i.summed_out, i.error) for i in infos])
    each = moment.state.draws // (moment.t + 1)
    n = each * np.arange(1, len(table) + 1)
    # From the optimum: of numbers like −17.856 and −17.854 an axis would show only the difference.
    published, optimum, summed_out = (table[:, :3] - table[:, 1:2]).T
    error = table[:, 3]
    known = np.isfinite(error)
    axes.fill_between(
        n[known], (summed_out - 2 * error)[known], (summed_out + 2 * error)[known],
        color=style.tint(2, 0.25), lw=0,
    )  # fmt: skip
    few = len(n) <= 30
    for values, colour, dashes, shape in (
        (summed_out, SUMMED_OUT, "-", "^"),
        (optimum, OPTIMUM, (0, (5, 1.5)), "o"),
        (published, PUBLISHED, "-", "v"),
    ):
        axes.plot(n, values, ls=dashes, color=colour, lw=1.5, marker=shape if few else "", ms=4)
        axes.plot(n[-1:], values[-1:], shape, color=colour, ms=7, mec="white", mew=1)
    axes.set_xlim(0, 1.04 * max(10 * each, n[-1]))
    # The first few draws say little, and may be far off: they do not set the scale for long.
    late = slice(len(n) // 8, None)
    high = max(summed_out[late].max(), summed_out[-1] + 2 * np.nan_to_num(error[-1]), SMALLEST)
    axes.set_ylim(1.15 * min(published[late].min(), -SMALLEST), 1.15 * high)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="y", color="#E8E8E8", lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("draws of z")
    narrow = _is_narrow(axes)
    words = "−KL from optimum" if narrow else "−KL, nats from the optimum"
    axes.set_title(words, loc="left", y=1, pad=24)
    _draw_key(axes, moment.info, narrow)


def _is_narrow(axes: Axes) -> bool:
    return axes.get_window_extent().width / style.DPI < 3


def _draw_key(axes: Axes, info: BoundsInfo, narrow: bool) -> None:
    """What the lines are, where there is room with their present values."""
    low, middle, high = (_nats(v) for v in (info.published, info.optimum, info.summed_out))
    for words, value, colour, at, side in (
        ("▼ published", low, PUBLISHED, 0.0, "left"),
        ("●", middle, OPTIMUM, 0.51, "center"),
        ("▲ summed out", high, SUMMED_OUT, 1.0, "right"),
    ):
        if narrow and words == "●":
            continue
        axes.annotate(
            words if narrow else f"{words} {value}", (at, 1.0), (0, 7), xycoords="axes fraction",
            textcoords="offset points", ha=side, va="bottom", color=colour,
            fontsize=6.5 if narrow else 8,
        )  # fmt: skip


def _draw_bars(axes: Axes, moment: Moment) -> None:
    both = np.stack([moment.info.optimum_q, moment.info.published_q])
    shown = np.sort(np.argsort(-both.max(axis=0), kind="stable")[:BARS])
    places = np.arange(len(shown))
    for values, colour, shift in ((both[1], PUBLISHED, -0.2), (both[0], OPTIMUM, 0.2)):
        axes.bar(places + shift, values[shown], 0.38, color=colour)
    axes.set_xlim(-0.6, len(shown) - 0.4)
    axes.set_ylim(0, 1.05)
    axes.xaxis.set_major_locator(FixedLocator(places.tolist()))
    axes.xaxis.set_major_formatter(FixedFormatter([str(cluster) for cluster in shown]))
    axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    axes.yaxis.set_major_formatter(FixedFormatter(["0", ".5", "1"]))
    axes.set_xlabel("cluster")
    axes.set_title("q(c | x)", loc="left")
    if not _is_narrow(axes):
        style.set_legend(axes, "left published, right optimum")
