"""What the views of NUTS share: words on a step, a line for each chain, the warm-up shaded."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from latentsteps.trace import Moment
from latentsteps.views import style
from latentsteps.views.gaussian_mixture import RADIUS

LINES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


def line(chain: int) -> str | tuple:
    """The line style of a chain."""
    return LINES[chain % len(LINES)]


def count(n: int, thing: str) -> str:
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def describe_start(chains: int, k: int) -> str:
    """Of state 0 only that it is the start: draws differ from machine to machine."""
    return f"State 0: where {count(chains, 'chain')} with {count(k, 'component')} each will start."


def describe_step(moment: Moment) -> str:
    """The stage, and each chain's leapfrogs, step size and log density."""
    info = moment.info
    leapfrogs = style.listing(int(n) for n in np.atleast_1d(info.leapfrogs))
    heights = style.listing(style.number(v, 4) for v in np.atleast_1d(info.log_density))
    sizes = style.listing(style.number(v, 2) for v in np.atleast_1d(info.step_size))
    stage = "warm-up" if info.warmup else "a draw"
    return (
        f"State {moment.t}: {stage}; leapfrogs {leapfrogs}, of step size {sizes}; "
        f"log density {heights}."
    )


def describe_divergences(moment: Moment) -> str:
    """How many draws of all chains diverged, in the warm-up and since."""
    infos = moment.trace.infos[1 : moment.t + 1]
    before, since = (
        sum(int(np.sum(info.divergent)) for info in infos if bool(info.warmup) is warmup)
        for warmup in (True, False)
    )
    if moment.info.warmup:
        return f"Divergences in the warm-up so far: {before}."
    return f"Divergences since the warm-up: {since}; in it: {before}."


def first_of_stage(moment: Moment, most: int | None = None) -> int:
    """The first state of the stage that this one is in, warm-up or draws, or of the last ``most``
    states before it. A warm-up is on its way and no draw; the start belongs to neither."""
    infos, first = moment.trace.infos, moment.t
    earliest = 1 if most is None else max(1, moment.t - most)
    while first > earliest and infos[first - 1].warmup == moment.info.warmup:
        first -= 1
    return first


def outlines(means: NDArray, factors: NDArray, n: int) -> NDArray:
    """The 95 % ellipses of means (..., 2) and factors (..., 2, 2): closed, (m, n, 2)."""
    angle = np.linspace(0.0, 2 * np.pi, n)
    circle = RADIUS * np.stack([np.cos(angle), np.sin(angle)])
    places = means[..., None, :] + (factors @ circle).swapaxes(-1, -2)
    return places.reshape(-1, n, 2)


def draw_by_state(axes: Axes, moment: Moment, words: str = "grey: warm-up") -> None:
    """An axis of the states so far, those of the warm-up shaded, with ``words`` at the foot."""
    infos = moment.trace.infos[: moment.t + 1]
    last_warm = max((t for t, info in enumerate(infos) if info.warmup and t), default=0)
    if last_warm:
        axes.axvspan(0, last_warm, color="#EFEFEF", lw=0)
        axes.text(0.04, 0.04, words, transform=axes.transAxes, fontsize=8.5,
                  color=style.QUIET)  # fmt: skip
    axes.set_xlim(-0.04 * max(10, moment.t), 1.04 * max(10, moment.t))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color="#E8E8E8", lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("state")
