"""The data as EM sees them, and its bound below the log-likelihood along one parameter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from numpy.typing import NDArray
from scipy.special import softmax

from latentsteps.inference.em import M_STEP
from latentsteps.trace import Moment
from latentsteps.views import slices, style
from latentsteps.views.bound_parts import (
    BOUND,
    EXPECTED,
    LIKELIHOOD,
    TANGENT,
    is_wide,
    set_ticks,
    symbol,
    unit_of,
)
from latentsteps.views.slices import Along, Bound, LogJoint, Values

# The data, and q


def draw_data(
    above: Axes, below: Axes, log_joint: LogJoint, moment: Moment, component: int, unit: str
) -> None:
    """Above: a histogram with the weighted densities and their sum. Below: every point at the
    height of its q, and the posterior of the present parameters as a curve."""
    x, q = np.asarray(moment.data, dtype=np.float64), np.asarray(moment.state.expectations)
    room = 0.08 * (float(np.ptp(x)) or 1.0)
    low, high = x.min() - room, x.max() + room
    grid = _places_for_curves(low, high, x, moment.state.parameters)
    with np.errstate(all="ignore"):
        joint = np.asarray(log_joint(grid, moment.state.parameters), dtype=np.float64)
        densities = np.exp(joint)
        posterior = softmax(joint, axis=1)
    heights, edges = np.histogram(x, bins=min(34, max(8, len(x) // 8)), density=True)
    above.stairs(heights, edges, fill=True, color="#E4E4E4")
    k = densities.shape[1]
    for i in range(k):
        above.plot(grid, densities[:, i], color=style.colour(i), lw=1.6)
    above.plot(grid, densities.sum(axis=1), color=style.INK, lw=1.0, ls=(0, (4, 2)))
    above.set_ylim(0, 1.2 * heights.max())  # a spike may leave the picture at the top
    above.yaxis.set_visible(False)
    above.xaxis.set_visible(False)
    above.spines["left"].set_visible(False)

    below.plot(grid, posterior[:, component], color=style.colour(component), lw=1.3, zorder=1)
    largest = q.argmax(axis=1)
    for i in range(k):
        mine = largest == i
        below.plot(
            x[mine], q[mine, component], style.marker(i), color=style.colour(i), ms=4,
            mec="white", mew=0.3, alpha=0.85, zorder=2,
        )  # fmt: skip
    below.set_ylim(-0.08, 1.08)
    set_ticks(below.yaxis, [0, 0.5, 1], ["0", "½", "1"])
    half = "M" if moment.state.phase == M_STEP else "E"
    what = f"points: q, curve: p({component + 1} | x)"
    if is_wide(above.figure):
        above.set_title(f"state {moment.t}", loc="left")
        style.set_legend(above, f"after the {half} step")
        style.set_legend(below, what)
        below.set_xlabel(f"x ({unit})" if unit else "x")
    else:
        above.set_title(f"state {moment.t} ({half})", loc="left")
        style.set_legend(above, what)
    below.xaxis.set_major_locator(MaxNLocator(5))
    for axes in (above, below):
        axes.set_xlim(low, high)


def _places_for_curves(low: float, high: float, x: NDArray, parameters: Any) -> NDArray:
    """Where densities are computed: evenly, at the data, and closely about narrow components."""
    with np.errstate(all="ignore"):
        spread = np.sqrt(np.asarray(parameters.variances, dtype=np.float64))
        near = (
            np.asarray(parameters.means, dtype=np.float64)
            + spread * np.linspace(-4, 4, 17)[:, None]
        )
    places = np.concatenate([np.linspace(low, high, 161), x, near.ravel()])
    return np.unique(places[(places >= low) & (places <= high)])


# Along one parameter


def draw_curves(
    axes: Axes, log_joint: LogJoint, bound: Bound, moment: Moment, along: Along,
    past: list[Values], unit: str,
) -> None:  # fmt: skip
    state, x, now = moment.state, moment.data, past[-1]
    frame = slices.window(bound, moment, along, past)
    places = frame.values
    upper, lower = slices.curves(log_joint, bound, x, state, along, places)
    here = slices.value_of(state.parameters, along)
    low, high = _nats_shown(upper, now, frame.nats)

    axes.plot(places, lower + (now.expected - now.bound), color=EXPECTED, lw=1.2, ls=":")
    axes.plot(places, lower, color=BOUND, lw=2, ls=(0, (5, 1.5)))
    axes.plot(places, upper, color=LIKELIHOOD, lw=2)
    axes.set_ylim(low, high)
    if along[0] == "variances" and here > 0 and places[-1] > 6 * places[0]:
        axes.set_xscale("log", subs=[])
        axes.xaxis.set_major_locator(LogLocator(subs=_subdivisions(places[-1] / places[0])))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.number(value)))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    at = slices.slopes(log_joint, bound, x, state, along)
    if state.phase == M_STEP:
        _draw_gap(axes, here, now, places)
    else:
        _draw_tangents(axes, here, now, at, places, high - low)
    axes.axvline(here, color=style.INK, lw=0.8, ls=(0, (1, 2)), zorder=0)
    axes.set_xlim(places[0], places[-1])
    axes.yaxis.set_major_locator(MaxNLocator(5))
    name = symbol(along) + unit_of(along, unit)
    wide = is_wide(axes.figure)
    axes.set_title(f"along {symbol(along)}", loc="left")
    if wide:
        axes.set_xlabel(name)
    style.set_legend(
        axes, f"slope {style.number(at.log_likelihood)}, of F {style.number(at.bound)}"
    )


def _draw_gap(axes: Axes, here: float, now: Values, places: NDArray) -> None:
    if math.isfinite(now.gap):
        axes.plot(
            [here, here], [now.bound, now.log_likelihood],
            color=BOUND, alpha=0.35, lw=13, solid_capstyle="butt", zorder=1,
        )  # fmt: skip
        room = np.interp(here, places, np.linspace(0, 1, len(places)))
        side = "left" if room < 0.15 else "right" if room > 0.85 else "center"
        axes.annotate(
            f"gap {style.number(now.gap)}", (here, now.bound), (0, -25),
            textcoords="offset points", ha=side, va="center", color=BOUND, fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    axes.plot([here], [now.bound], "s", color=BOUND, ms=7, mec="white", zorder=5)
    axes.plot([here], [now.log_likelihood], "o", color=LIKELIHOOD, ms=7, mec="white", zorder=5)


def _draw_tangents(
    axes: Axes, here: float, now: Values, at: slices.Slopes, places: NDArray, height: float
) -> None:
    """Short pieces of both tangents, which are one where both slopes are equal."""
    # On a logarithmic axis the straight lines are those in the logarithm.
    logarithmic = axes.get_xscale() == "log"
    scale = here if logarithmic else 1.0
    length = math.log(places[-1] / places[0]) if logarithmic else places[-1] - places[0]
    both = ((at.log_likelihood, now.log_likelihood, "-"), (at.bound, now.bound, "--"))
    for slope, value, dashes in both:
        if not (math.isfinite(slope) and math.isfinite(value)):
            continue
        # As long on the page whatever the slope.
        reach = 0.3 / math.hypot(1 / length, slope * scale / height)
        ends = np.array([-reach, reach])
        across = here * np.exp(ends) if logarithmic else here + ends
        axes.plot(across, value + slope * scale * ends, dashes, color=TANGENT, lw=1.6, zorder=4)
    axes.plot([here], [now.bound], "s", color=BOUND, ms=8, mec="white", zorder=5)
    axes.plot([here], [now.log_likelihood], "o", color=LIKELIHOOD, ms=5, mec="white", zorder=6)


def _subdivisions(ratio: float) -> tuple[float, ...]:
    """Which multiples of powers of ten have room on an axis from 1 to ``ratio``."""
    return (1, 2, 5) if ratio < 20 else (1, 3) if ratio < 100 else (1,)


def _nats_shown(upper: NDArray, now: Values, nats: float) -> tuple[float, float]:
    """The bottom and top of the main panel."""
    finite = upper[np.isfinite(upper)]
    known = [value for value in (now.log_likelihood, now.bound) if math.isfinite(value)]
    if not known:
        return -1.0, 0.0
    top = max(known)
    if len(finite):
        top = max(top, min(float(finite.max()), top + 1.5 * nats))
    return min(known) - 0.8 * nats, top + 0.18 * nats
