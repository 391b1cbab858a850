"""One normal distribution q on its way to a density on a line: the picture of VI with one unknown.

A state is anything with a ``mean`` and a ``log_sd``; an info has the exact ``objective``. The
density p that q is to come near is the trace's data: an even grid and log p on it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from latentsteps.trace import Moment
from latentsteps.views import style


def with_grid(grid: ArrayLike, log_p: ArrayLike) -> style.View:
    """The view of a q on its way to the density whose logarithm on ``grid`` (G,), evenly spaced,
    is ``log_p`` (G,)."""
    points, values = (np.asarray(given, dtype=np.float64) for given in (grid, log_p))
    if points.ndim != 1 or points.shape != values.shape or len(points) < 2:
        raise ValueError(
            f"grid has shape {points.shape} and log_p {values.shape}; both are (G,), G at least 2"
        )
    return style.View(partial(_draw, grid=points, p=np.exp(values)), describe)


def describe(moment: Moment) -> str:
    """Where q is, how wide it is, and the objective."""
    mean, sd = float(moment.state.mean), float(np.exp(moment.state.log_sd))
    return (
        f"State {moment.t}: q has mean {style.number(mean, 2)} and standard deviation "
        f"{style.number(sd, 2)}; ELBO {style.number(moment.info.objective)} nats."
    )


def _draw(figure: style.AnyFigure, moment: Moment, grid: NDArray, p: NDArray) -> None:
    main, beside = style.panels(figure)
    main.fill_between(grid, p, color="#D8D8D8", lw=0)
    mean, sd = float(moment.state.mean), float(np.exp(moment.state.log_sd))
    peak = float(p.max())
    if moment.t:  # where it began
        first = moment.trace[0]
        main.plot(
            grid, norm.pdf(grid, first.mean, np.exp(first.log_sd)), "--", color=style.QUIET, lw=1
        )
    main.plot(grid, norm.pdf(grid, mean, sd), color=style.colour(0), lw=2)
    main.text(grid[0], 2.2 * peak, "grey: p    line: q    dashed: its start", va="top")
    main.set_xlim(grid[0], grid[-1])
    main.set_ylim(0, 2.25 * peak)
    main.set_xlabel("θ")
    main.set_ylabel("density")
    style.set_title(main, moment)
    style.objective(beside, moment)
    style.set_legend(beside, "ELBO, nats")
