"""The energy along a sampler's move: its rise since the beginning, and how much is allowed.

For Hamilton's ball the rise is the leapfrog's error; for Metropolis it is how much less probable
the proposal is. The move is accepted if its end is at or below the chain's bar, −log u.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator
from numpy.typing import NDArray

from latentsteps.inference.moves import DECIDED
from latentsteps.trace import Moment
from latentsteps.views import style

STEEPEST = 5.0
"""Nats: what rises further leaves the strip at its top; it is accepted once in 150 times."""


def draw_rise(axes: Axes, moment: Moment) -> None:
    """How far the energy is above that of the move's beginning, along the path, in nats."""
    state, info = moment.state, moment.info
    with np.errstate(invalid="ignore"):
        rise = state.energy - state.energy[0]
    last = getattr(state, "leapfrogs", 1)
    seen = [past.rise for past in moment.trace.infos[: moment.t + 1]]
    top = _limit(np.concatenate([np.abs(np.ravel(part)) for part in (seen, rise)]))
    axes.axhline(0, color="#9A9A9A", lw=0.8)
    for chain, values in enumerate(rise.T if len(rise) > 1 else []):
        colour, shape = style.colour(chain), style.marker(chain)
        axes.plot(np.clip(values, -2 * top, 2 * top), "-", color=colour, lw=1.4, zorder=3)
        end = float(np.clip(values[-1], -0.94 * top, 0.94 * top))
        axes.plot(len(rise) - 1, end, shape, color=colour, ms=6, mec="white", mew=0.8, zorder=4)
        if info.phase == DECIDED:
            x = last * (1.10 + 0.11 * chain)
            bar = min(float(info.allowed[chain]), 0.94 * top)
            axes.plot([x, x], [end, bar], ":", color=colour, lw=1, zorder=2)
            axes.plot(x, end, shape, color=colour, ms=4, zorder=4)
            beyond = info.allowed[chain] > 0.94 * top
            axes.plot(
                x,
                bar,
                "^" if beyond else "_",
                color=colour,
                ms=7,
                mew=1 if beyond else 2.4,
                zorder=4,
            )
    axes.set_ylim(-top, top)
    axes.set_xlim(-0.05 * last, last * (1.12 + 0.11 * len(state.position)))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    if hasattr(state, "momentum"):
        ticks = np.unique(np.linspace(0, last, 3).round().astype(int))
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xlabel("leapfrog step")
        title = "energy error"
    else:
        axes.xaxis.set_major_locator(FixedLocator([0, 1]))
        axes.set_xticklabels(["here", "there"])
        title = "rise of −log density"
    axes.set_title(title, loc="left", fontweight="normal", color=style.QUIET, fontsize=8.5)
    if info.phase == DECIDED:
        axes.set_title(
            "▬ allowed", loc="right", fontweight="normal", color=style.QUIET, fontsize=8.5
        )


def _limit(rises: NDArray) -> float:
    """A round number at or above the largest rise so far, so that the strip seldom changes."""
    finite = rises[np.isfinite(rises)]
    largest = min(max(float(finite.max(initial=0.0)), 0.1), STEEPEST)
    unit = 10.0 ** math.floor(math.log10(largest))
    return next(unit * m for m in (1, 2, 5, 10) if unit * m >= largest * (1 - 1e-9)) * 1.1
