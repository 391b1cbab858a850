"""A mixture density network for one input and one output seen: what it predicts, and its bound.

The picture is the predictive density p(y | x), averaged over draws of q, the darker the denser;
over it the data, and the components' means of the network at the middle of q: a component has its
own colour and marker, and the larger its weight at that input, the larger the marker. A network
that is a single point (MAP) has nothing to average over.

The panel beside shows the objective, fit − weight · KL, with a band of two standard errors, and the
fit above it: the distance between the two lines is what the KL takes away. With weight 1 the
objective is the bound.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from latentsteps.models.mixture_density_network import (
    MixtureDensityNetwork,
    mixture_density_network,
    predictive_density,
)
from latentsteps.trace import Moment
from latentsteps.views import style

SITES = ("input_weights", "hidden_biases", "output_weights", "output_biases")
DRAWS = 16
"""Draws of q behind the picture, the same noise in every frame."""
COLUMNS, ROWS = 61, 91
"""Of the picture; inputs and outputs."""
MARKED = 31
"""Inputs at which the means are marked."""
SHOWN = 0.02
"""A component with less weight at an input is not marked there."""


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state of :func:`latentsteps.inference.svi.svi` on a network of one input and one
    output; ``moment.data`` is the pairs it is fitted to, (N, 1) and (N, 1)."""
    _draw(figure, moment, ("x", "y"))


def with_labels(horizontal: str, vertical: str) -> style.View:
    """The view with the axes named."""
    return style.View(partial(_draw, names=(horizontal, vertical)), describe)


def describe(moment: Moment) -> str:
    """The bound and its two parts, a datum; of the start only what is the same on any machine."""
    _, network = _middle(moment)
    k = _components(network)
    if not moment.t:
        return f"State 0: {k} component{'s' if k > 1 else ''}, {len(_pairs(moment)[0])} points."
    info, n = moment.info, len(_pairs(moment)[0])
    # Of a loss as noisy as this one a third digit would say nothing.
    fit, price, bound, error = (
        style.number(value / n, 2) for value in (info.fit, info.kl, info.objective, info.error)
    )
    if info.error == 0:
        return f"State {moment.t}: a point; log likelihood {fit} nats a datum, with prior {bound}."
    return (
        f"State {moment.t}: objective {bound} ± {error} nats a datum, "
        f"from fit {fit} and KL {price}."
    )


def _pairs(moment: Moment) -> tuple[NDArray, NDArray]:
    x, y = (np.asarray(part, dtype=np.float64) for part in moment.data)
    if x.ndim != 2 or y.ndim != 2 or (x.shape[1], y.shape[1]) != (1, 1):
        raise ValueError(
            f"the pairs have shapes {x.shape} and {y.shape}; this picture is of one input and one "
            "output, (N, 1) and (N, 1)"
        )
    return x, y


def _middle(moment: Moment) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Standard deviations of q (empty for a point) and the network at its middle, by site."""
    given = moment.state.parameters
    if SITES[0] in given:
        return {}, {site: np.asarray(given[site]) for site in SITES}
    sds = {site: np.asarray(given[f"{site}_sd"]) for site in SITES}
    return sds, {site: np.asarray(given[f"{site}_mean"]) for site in SITES}


def _components(network: dict[str, NDArray]) -> int:
    # A logit, a mean and a scale for each.
    return len(network["output_biases"]) // 3


def _sizes(network: dict[str, NDArray]) -> MixtureDensityNetwork:
    return mixture_density_network(_components(network), hidden=len(network["hidden_biases"]))


def _predictive(moment: Moment, across: NDArray, up: NDArray) -> NDArray:
    """p(y | x) averaged over draws, (rows, columns)."""
    sds, middle = _middle(moment)
    random = np.random.default_rng(0)
    draws = {
        site: value + sds[site] * random.normal(size=(DRAWS, *value.shape)) if sds else value[None]
        for site, value in middle.items()
    }
    return predictive_density(_sizes(middle), draws, across[:, None], up).T


def _draw(figure: style.AnyFigure, moment: Moment, names: tuple[str, str]) -> None:
    x, y = _pairs(moment)
    main, beside = style.panels(figure)
    (left, right), (low, high) = (_limits(part) for part in (x, y))
    across, up = np.linspace(left, right, COLUMNS), np.linspace(low, high, ROWS)
    # The root keeps thin ground visible; one scale for all states, so that grey means the same.
    main.imshow(
        np.sqrt(_predictive(moment, across, up)), extent=(left, right, low, high), origin="lower",
        aspect="auto", cmap="Greys", vmin=0, vmax=1.8, interpolation="bilinear",
    )  # fmt: skip
    main.plot(x[:, 0], y[:, 0], ".", color=style.colour(4), ms=3.5, mew=0)
    _draw_means(main, moment, np.linspace(left, right, MARKED + 2)[1:-1])
    main.set_xlim(left, right)
    main.set_ylim(low, high)
    main.set_xlabel(names[0])
    main.set_ylabel(names[1])
    style.set_title(main, moment)
    _draw_bound(beside, moment, len(x))


def _draw_means(axes: Axes, moment: Moment, inputs: NDArray) -> None:
    _, middle = _middle(moment)
    mixture = _sizes(middle).density(middle, inputs[:, None])
    weights, means, _ = (np.asarray(part).reshape(len(inputs), -1) for part in mixture)
    for k in range(weights.shape[1]):
        seen = weights[:, k] > SHOWN
        axes.scatter(
            inputs[seen], means[seen, k], s=4 + 42 * weights[seen, k], marker=style.marker(k),
            color=style.colour(5 if k == 4 else k), edgecolors="white", linewidths=0.6, zorder=4,
        )  # fmt: skip


def _draw_bound(axes: Axes, moment: Moment, n: int) -> None:
    axes.set_label("objective")
    infos = moment.trace.infos[: moment.t + 1]
    states = np.arange(len(infos))
    bound, fit, error = (
        np.array([getattr(info, name) for info in infos], dtype=np.float64) / n
        for name in ("objective", "fit", "error")
    )
    with np.errstate(invalid="ignore"):  # of a fit that has run away there is no band
        low, high = bound - 2 * error, bound + 2 * error
    axes.fill_between(states, low, high, color=style.tint(0, 0.35), lw=0)
    axes.plot(states, fit, "--", color=style.colour(5), lw=1.2)
    axes.plot(states, bound, color=style.colour(0), lw=1.4)
    axes.plot(states[-1:], bound[-1:], "o", color=style.colour(0), ms=6, mec="white", mew=1)
    axes.set_xlim(-0.04 * max(10, moment.t), 1.04 * max(10, moment.t))
    axes.set_ylim(*_window(bound, fit))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="y", color="#E8E8E8", lw=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("state")
    style.set_legend(axes, "dashed fit, line objective, nats a datum")


def _limits(values: NDArray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


def _window(bound: NDArray, fit: NDArray) -> tuple[float, float]:
    """Heights to show: a start far below does not hide the rest."""
    finite = bound[np.isfinite(bound)]
    above = np.concatenate([finite, fit[np.isfinite(fit)]])
    if not len(finite):
        return -1.0, 1.0
    high = float(max(finite.max(), np.median(above)))
    low = float(finite.min())
    if len(finite) > 4:
        late = float(finite[len(finite) // 3 :].min())
        low = max(low, late - 0.5 * (high - late) - 0.2)
    high = max(high, float(fit[-1]) if np.isfinite(fit[-1]) else high)
    room = 0.08 * (high - low) or 0.5
    return low - room, high + room
