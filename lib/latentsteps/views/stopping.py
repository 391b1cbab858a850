"""How near its end a run is, and where scikit-learn's default would have stopped it.

The objective has a panel on a linear axis, from which a start far below is left out once it hides
the rest, and one on a logarithmic axis that shows how far it is from the run's end: plateaus are
level stretches there, and the rate of the approach is a slope.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from latentsteps.inference.em import M_STEP
from latentsteps.trace import Moment, Trace, relative, run
from latentsteps.views import style

TOLERANCE = 1e-3
"""scikit-learn's default: stop when the objective per point changes by less."""
LAST = 1500
"""The state at which the search for a run's end is given up."""
LEAST = 1e-7
"""Nats; what is nearer to the end than this is drawn here: below it the sum's rounding begins."""

_ends: WeakKeyDictionary[Trace, float | None] = WeakKeyDictionary()


def default_stop(moment: Moment) -> int | None:
    """The state, up to this one, with the parameters at which scikit-learn's default would stop.

    When the objective per point has changed by less than :data:`TOLERANCE` since the E half before,
    scikit-learn takes the M half that is due and stops there: one E half later. (M halves are
    passed over. For MAP the rule looks at the log-likelihood plus the log prior; scikit-learn
    itself knows no prior here.)
    """
    infos = moment.trace.infos[: moment.t + 1]
    states = [t for t, info in enumerate(infos) if getattr(info, "phase", None) != M_STEP]
    with np.errstate(invalid="ignore"):
        change = np.abs(np.diff(moment.objective[states])) / len(moment.data)
    small = np.flatnonzero(change < TOLERANCE)
    after = states[small[0] + 2 :] if small.size else []
    return after[0] if after else None


def end_of(trace: Trace) -> float | None:
    """The objective at which a run ends: where it does not move any more, or at state 1500. None
    for a run that comes to no end, because a step of it raises or its objective is no number.

    The algorithm is run again from the start, on its own, and the answer kept as long as the trace.
    """
    if trace not in _ends:
        try:
            # What a learner's function makes NaN of was said when it ran for the first time.
            with np.errstate(all="ignore"):
                on = run(
                    trace.algorithm, trace.data, trace.seed,
                    steps=LAST, stop=relative(1e-12, 6), memory=1_000_000,
                )  # fmt: skip
            last = float(on.objective[-1])
            _ends[trace] = last if np.isfinite(last) else None
        except Exception:  # a learner's own function may raise anything: when the stepper takes
            _ends[trace] = None  # that very step, it says what
    return _ends[trace]


def draw_distance(axes: Axes, moment: Moment) -> None:
    """How far the objective is from the run's end, on a logarithmic axis, down to
    :data:`LEAST`, and the flag; words instead where it comes to no end."""
    axes.set_label("distance")
    end = end_of(moment.trace)
    if end is None:
        axes.set_axis_off()
        words = "This run comes to no end:\na step of it fails further on."
        axes.text(0.5, 0.5, words, ha="center", va="center", color=style.ALARM, fontsize=9)
        return
    with np.errstate(invalid="ignore"):  # ∞ − ∞: no distance, and a gap in the curve
        distance = np.abs(moment.objective - end)
    shown = np.where(np.isfinite(distance), np.maximum(distance, LEAST), np.nan)
    states = np.arange(len(shown))
    few = len(shown) <= 40
    axes.plot(states, shown, "-", color=style.COLOURS[0], lw=1.4, marker="." if few else "", ms=5)
    axes.plot(
        states[-1:], shown[-1:], "o", color=style.COLOURS[0], ms=7, mec="white", mew=1.2, zorder=3
    )
    broken = moment.trace.first_break()
    if broken is not None and broken <= moment.t:
        axes.axvline(broken, color=style.ALARM, lw=1.2, ls=(0, (3, 2)))
    axes.set_yscale("log")
    top = np.nanmax(shown[:1]) if np.isfinite(shown[:1]).all() else 1e3
    axes.set_ylim(LEAST / 3, 3 * max(top, 1.0))
    axes.set_xlim(-0.04 * max(10, moment.t), 1.04 * max(10, moment.t))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(_power)
    axes.grid(axis="y", color="#E8E8E8", lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("state")
    style.set_legend(axes, "nats from the end")
    # A falling curve leaves its lower left free.
    _draw_flag(axes, default_stop(moment), 0.2)


def _power(value: float, _: float) -> str:
    """10⁻³: matplotlib's own way of writing it goes through its formula parser, and takes long."""
    power = round(float(np.log10(value)))
    return str(10**power) if 0 <= power < 3 else f"10{str(power).translate(style.SUPERSCRIPT)}"


def draw_objective(axes: Axes, moment: Moment) -> None:
    """The objective of all states so far, and the flag. A start that is more than twice as far
    below the others as they are apart is left out of the axis, and its number stands below."""
    style.objective(axes, moment)
    rest = moment.objective[1:]
    start = moment.objective[0]
    if len(rest) > 2 and np.isfinite(rest).all() and np.isfinite(start):
        low, high = float(rest.min()), float(rest.max())
        # Where nothing moves any more the last digits are not worth an axis.
        width = max(high - low, 0.01 * abs(high))
        if start < low - 2 * width:
            room = 0.08 * width
            axes.set_ylim(low - 2.2 * room, high + room)
            axes.annotate(
                f"state 0: {style.number(start)} ↓", (0.03, 0.02), xycoords="axes fraction",
                color=style.QUIET, fontsize=8, zorder=4,
                bbox={"boxstyle": "square,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
            )  # fmt: skip
    _draw_flag(axes, default_stop(moment), 0.5)


def _draw_flag(axes: Axes, stop: int | None, height: float) -> None:
    if stop is None:
        return
    axes.axvline(stop, color=style.ALARM, lw=1.1, ls=(0, (1, 1.5)), zorder=1)
    low, high = axes.get_xlim()
    right_of_it = stop < (low + high) / 2
    axes.annotate(
        "scikit-learn's\ndefault\nstops here", (stop, height), (4 if right_of_it else -4, 0),
        xycoords=("data", "axes fraction"), textcoords="offset points",
        ha="left" if right_of_it else "right", va="center", color=style.ALARM, fontsize=8,
        bbox={"boxstyle": "square,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85}, zorder=4,
    )  # fmt: skip
