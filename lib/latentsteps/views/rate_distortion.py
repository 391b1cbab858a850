"""Rate and distortion of a variational autoencoder seen: one point a state, in the plane.

Across is the rate, KL(q(z | x) ‖ p(z)): how much the code says about the image. Up is the
distortion, −E[log p(x | z)]: how much the decoder still has to guess. Their sum is −ELBO, so a
dotted line joins points of the same ELBO, and meets the axis on the left at −ELBO. Training with
another β goes to another point: distortion + β · rate trades one for the other (Alemi et al. 2018,
"Fixing a broken ELBO", section 3). Several runs beside each other share one scale.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from latentsteps.models.vae import vae_at
from latentsteps.trace import Moment
from latentsteps.views import style
from latentsteps.views.vae import draw_rows, terms

LINES = 20.0
"""Nats between two lines of equal ELBO."""
EQUAL = 1e-4
"""Sums that agree to this share are the same: terms and objective are float32 sums of their own."""
size = (9.2, 4.0)


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state of :func:`latentsteps.models.vae.vae`; ``moment.data`` is images (N, 784)."""
    width, height = style.inches(figure)
    wide = width > 1.35 * height
    if wide:
        across = 0.44 * width
        plane = style.axes_at(figure, 0.75, 0.55, across, height - 0.97)
        place = (across + 0.95, 0.3, width - across - 1.1, height - 0.72)
    else:
        rows = min(0.36 * height, 0.4 * width)
        plane = style.axes_at(figure, 0.68, rows + 0.75, width - 0.88, height - rows - 1.17)
        place = (0.1, 0.1, width - 0.25, rows)
    _draw_plane(plane, moment)
    # The legend takes more room than others do.
    plane.set_title(
        f"{moment.name} · state {moment.t}" if wide else f"state {moment.t}", loc="left"
    )
    draw_rows(figure, vae_at(moment.state), moment.data, place)


def describe(moment: Moment) -> str:
    """Rate, distortion, and whether what is climbed is still a bound; of the start only that it is
    one."""
    if not moment.t:
        return "State 0: not trained yet."
    rate, distortion, elbo = terms(moment.info)
    where = (
        f"State {moment.t}: rate {style.number(rate)} and distortion {style.number(distortion)} "
        "nats an image"
    )
    return f"{where}. {_standing(-float(moment.info.objective), elbo)}"


def _standing(climbed: float, elbo: float) -> str:
    """What the objective climbed is to log p(x), in a sentence: below the ELBO it is a bound."""
    bound, words = style.number(elbo), style.number(climbed)
    if not np.isfinite(climbed) or not np.isfinite(elbo):
        return f"What is climbed is {words}, and no bound on anything."
    if abs(climbed - elbo) <= EQUAL * abs(elbo):
        return f"What is climbed is the ELBO, {bound}: a bound on log p(x)."
    if climbed < elbo:
        return f"What is climbed, {words}, is below the ELBO, {bound}: still a bound on log p(x)."
    return f"What is climbed, {words}, is above the ELBO, {bound}: no bound on log p(x)."


def _draw_plane(axes: Axes, moment: Moment) -> None:
    axes.set_label("plane")
    path = np.array([terms(info)[:2] for info in moment.trace.infos[: moment.t + 1]])
    right, low, high = _limits(path)
    # Beyond the picture's edge: beside another run the scale may become a larger one. And of a
    # network that has run away there would be too many.
    reach = 2 * (high + right)
    gap = LINES * np.ceil(max(1.0, reach / (60 * LINES)))
    totals = np.arange(gap, reach + gap, gap)
    lines = [[(0.0, total), (total, 0.0)] for total in totals]
    axes.add_collection(
        LineCollection(lines, colors="#BDBDBD", linewidths=0.8, linestyles=(0, (1, 2)), zorder=0)
    )
    axes.plot(*path.T, "-", color=style.tint(0, 0.5), lw=1.2)
    axes.plot(*path[:-1].T, ".", color=style.colour(0), ms=5)
    axes.plot(*path[-1:].T, "o", color=style.colour(5), ms=9, mec="white", mew=1.2, zorder=5)
    if path[-1, 1] > high:
        axes.annotate(
            "above", (0.03, 0.97), xycoords="axes fraction", va="top", fontsize=8.5,
            color=style.colour(5),
        )  # fmt: skip
    axes.set_xlim(-0.02 * right, right)
    axes.set_ylim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_xlabel("rate, nats")
    axes.set_ylabel("distortion, nats")
    style.set_legend(axes, "dotted: equal ELBO")


def _limits(path: np.ndarray) -> tuple[float, float, float]:
    """The largest rate, and the least and largest distortion to show: the start, far above, does
    not hide the rest."""
    later = path[1:] if len(path) > 1 else path
    finite = later[np.isfinite(later).all(axis=1)]
    if not len(finite):
        return 1.0, 0.0, 1.0
    rate, (low, high) = float(finite[:, 0].max()), np.quantile(finite[:, 1], [0, 1])
    room = 0.1 * (high - low) or 0.1 * high or 1.0
    return max(1.15 * rate, 1.0), max(0.0, float(low - room)), float(high + room)
