"""EM's bound seen: how it touches the log-likelihood, rises, and leaves a gap that closes again.

Three things for a mixture on a line. The data, with the components' densities, and every point at
the height that q gives it: after an E step the points lie on the posterior's curve, after an M step
off it, and that is what the gap is. Log-likelihood and bound F along one parameter, all others
as they are (Bishop 2006, figure 9.14, computed). And the values of all states so far.

Works on states with ``parameters`` weights, means, variances, each (K,), and ``expectations`` q
(N, K); data (N,). What is drawn comes from the two functions that are handed in, so it may be a
learner's own work, mistakes included.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from latentsteps.inference.em import M_STEP
from latentsteps.trace import Moment, Trace
from latentsteps.views import slices, style
from latentsteps.views.bound_curves import draw_curves, draw_data
from latentsteps.views.bound_parts import BOUND, draw_values, is_wide, nats, places, symbol, unit_of
from latentsteps.views.slices import Along, Bound, History, LogJoint, Values

SIZE = (9.0, 5.0)


class Grid(NamedTuple):
    """A function on a square grid over two means."""

    places: NDArray[np.float64]
    heights: NDArray[np.float64]
    """A row for each place of the second mean, a column for each of the first."""


def views(
    log_joint: LogJoint, bound: Bound, *, k: int = 2, unit: str = ""
) -> dict[str, style.View]:
    """All views of a mixture of ``k`` components, by their names in a stepper's control: along each
    parameter, as in ``"along a₁"``, and the path over the first two means.

    Parameters
    ----------
    log_joint: ``(x, parameters) -> (N, K)``, log p(x_n, k) in nats. For the path's contours column
        k has to depend on component k's parameters alone, as log p(x_n, k) does: where a
        learner's does not, they are not its log-likelihood's.
    bound: ``(x, q, parameters) -> float``, F(q, θ) in nats.
    k: the number of components.
    unit: of the data, for the axes.
    """
    history = History(log_joint, bound)  # one for all: a change of view computes no state anew
    found: dict[str, style.View] = {}
    for name in ("means", "variances", "weights"):
        for i in range(k):
            along = (name, i)
            found[f"along {symbol(along)}"] = _bound_view(history, along, unit)
    if k > 1:
        found["path over a₁, a₂"] = _path_view(history, (0, 1), unit)
    return found


def _bound_view(history: History, along: Along, unit: str) -> style.View:
    """Log-likelihood and bound along one parameter."""
    log_joint, bound = history.log_joint, history.bound

    def draw(figure: style.AnyFigure, moment: Moment) -> None:
        past = history(moment)
        data, shares, main, values, gaps = places(figure)
        draw_data(data, shares, log_joint, moment, along[1], unit)
        draw_curves(main, log_joint, bound, moment, along, past, unit)
        draw_values(figure, values, gaps, moment, past)

    def describe(moment: Moment) -> str:
        at = slices.slopes(log_joint, bound, moment.data, moment.state, along)
        upper, lower = (style.number(slope) for slope in at)
        return (
            f"{_summary(moment, history(moment))} Along {symbol(along)}, now "
            f"{style.number(slices.value_of(moment.state.parameters, along))}, the slope of the "
            f"log-likelihood is {upper}, of F {lower}."
        )

    return style.View(draw, describe, SIZE)


def _path_view(history: History, pair: tuple[int, int], unit: str) -> style.View:
    """The way taken over two means, on contours of the log-likelihood at the present values of all
    other parameters. Where these change as well, earlier points belong to other landscapes."""
    first, second = (("means", k) for k in pair)
    landscape = _Landscape(history.log_joint, pair)

    def draw(figure: style.AnyFigure, moment: Moment) -> None:
        past = history(moment)
        data, shares, main, values, gaps = places(figure)
        draw_data(data, shares, history.log_joint, moment, pair[0], unit)
        _draw_path(main, landscape(moment), moment, (first, second), unit)
        draw_values(figure, values, gaps, moment, past)

    def describe(moment: Moment) -> str:
        where = style.listing(
            f"{symbol(along)} = " + style.number(slices.value_of(moment.state.parameters, along))
            for along in (first, second)
        )
        return f"{_summary(moment, history(moment))} The way has come to {where}."

    return style.View(draw, describe, SIZE)


def _summary(moment: Moment, past: list[Values]) -> str:
    now = past[-1]
    half = "M" if moment.state.phase == M_STEP else "E"
    return (
        f"State {moment.t}: after the {half} step, log-likelihood {nats(now.log_likelihood)}, "
        f"F {nats(now.bound)}, gap {style.number(now.gap)}, Q {nats(now.expected)}."
    )


# The way over two parameters


class _Landscape:
    """The log-likelihood on a grid over two means, kept while all other parameters stay."""

    def __init__(self, log_joint: LogJoint, pair: tuple[int, int]) -> None:
        self.log_joint, self.pair = log_joint, pair
        self._kept: WeakKeyDictionary[Trace, tuple[Any, Grid]] = WeakKeyDictionary()

    def __call__(self, moment: Moment) -> Grid:
        parameters = self._at(moment, 0.0)
        key = tuple(np.asarray(field).tobytes() for field in parameters)
        known, grid = self._kept.get(moment.trace, (None, None))
        if known != key or grid is None:
            grid = self._computed(moment)
            self._kept[moment.trace] = key, grid
        return grid

    def _at(self, moment: Moment, place: float) -> Any:
        """The parameters with both means at one place."""
        parameters = moment.state.parameters
        for k in self.pair:
            parameters = slices.moved(parameters, ("means", k), place)
        return parameters

    def _computed(self, moment: Moment) -> Grid:
        # A component's column of log p(x, k) knows its own parameters only, so every pair of places
        # is put together from two columns: 45 calls instead of 45².
        x = np.asarray(moment.data, dtype=np.float64)
        room = 0.05 * float(np.ptp(x))
        places = np.linspace(x.min() - room, x.max() + room, 45)
        with np.errstate(all="ignore"):
            joints = np.array([self.log_joint(x, self._at(moment, place)) for place in places])
            first, second = (joints[:, :, k] for k in self.pair)
            heights = np.logaddexp(first[None], second[:, None])
            for k in set(range(joints.shape[2])) - set(self.pair):
                heights = np.logaddexp(heights, joints[0, :, k])
        return Grid(places, heights.sum(axis=2))


def _draw_path(
    axes: Axes, grid: Grid, moment: Moment, pair: tuple[Along, Along], unit: str
) -> None:
    across, heights = grid
    finite = heights[np.isfinite(heights)]
    if len(finite):
        top = float(finite.max())
        # Close together near the top, where steps are small, and far apart below.
        levels = top - np.array([400, 250, 160, 100, 60, 35, 20, 10, 4, 1.0])
        axes.contourf(
            across, across, heights, levels=[*levels, top + 1], cmap="Greys_r",
            vmin=top - 500, vmax=top + 60, extend="min", alpha=0.55,
        )  # fmt: skip
        axes.contour(
            across, across, heights, levels=levels, colors="#777777", linewidths=0.6,
            linestyles="solid",
        )  # fmt: skip
    states = [moment.trace[t] for t in range(moment.t + 1)]
    way = np.array(
        [[slices.value_of(state.parameters, along) for along in pair] for state in states]
    )
    axes.plot(way[:, 0], way[:, 1], "-", color=BOUND, lw=2, marker=".", ms=7)
    axes.plot(way[:1, 0], way[:1, 1], "o", mfc="white", mec=BOUND, ms=8, mew=2)
    axes.plot(way[-1:, 0], way[-1:, 1], "s", color=BOUND, ms=9, mec="white", mew=1.2)
    axes.set_xlim(across[0], across[-1])
    axes.set_ylim(across[0], across[-1])
    across_name, up_name = (symbol(along) + unit_of(along, unit) for along in pair)
    if is_wide(axes.figure):
        axes.set_xlabel(across_name)
        axes.set_ylabel(up_name)
        axes.set_title("log-likelihood", loc="left")
    else:
        axes.set_title(f"over {symbol(pair[0])}, {symbol(pair[1])}", loc="left")
    others = all(
        np.array_equal(getattr(states[0].parameters, name), getattr(states[-1].parameters, name))
        for name in ("weights", "variances")
    )
    style.set_legend(axes, "lighter is higher" if others else "at the present π and σ²")
