"""Numbers behind the picture of EM's bound: the bound and what it bounds, along one parameter.

Everything is computed from two functions, ``log_joint(x, parameters) -> (N, K)`` and
``bound(x, q, parameters) -> float``, the library's or a learner's own; what they return may be NaN.
A parameter is named as in a state, ``("means", 0)`` for the first mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, xlogy

from latentsteps.trace import Moment, Trace

LogJoint = Callable[[Any, Any], NDArray]
Bound = Callable[[Any, NDArray, Any], float]
Along = tuple[str, int]
"""A parameter: the field's name, and which entry of it."""

SHOWN = 10.0
"""Nats: how far the bound falls within the picture when nothing larger is to be seen."""


class Values(NamedTuple):
    """What belongs to one state, in nats, summed over points."""

    log_likelihood: float
    bound: float
    expected: float
    """Q: the bound without the entropy of q."""

    @property
    def gap(self) -> float:
        """Log-likelihood minus bound; what is below the rounding of their sums is 0."""
        gap = self.log_likelihood - self.bound
        return 0.0 if abs(gap) <= 1e-11 * max(1.0, abs(self.bound)) else gap


class Slopes(NamedTuple):
    """Slopes of log-likelihood and bound along one parameter, in nats per its unit."""

    log_likelihood: float
    bound: float


class Window(NamedTuple):
    """What part of a parameter's axis is shown, and how many nats from bottom to top, roughly."""

    values: NDArray[np.float64]
    """The places at which curves are computed, rising, in the parameter's own unit."""
    nats: float


def log_likelihood(log_joint: LogJoint, x: Any, parameters: Any) -> float:
    """Σ_n log Σ_k p(x_n, k), in nats; NaN where the function returns NaN."""
    with np.errstate(all="ignore"):
        joint = np.asarray(log_joint(x, parameters), dtype=np.float64)
        return float(logsumexp(joint, axis=1).sum())


def values(log_joint: LogJoint, bound: Bound, x: Any, state: Any) -> Values:
    """Log-likelihood, bound and Q of a state."""
    q = np.asarray(state.expectations, dtype=np.float64)
    with np.errstate(all="ignore"):
        now = float(bound(x, q, state.parameters))
        return Values(
            log_likelihood(log_joint, x, state.parameters), now, now + float(xlogy(q, q).sum())
        )


class History:
    """:func:`values` of all states of a trace so far, each computed once."""

    def __init__(self, log_joint: LogJoint, bound: Bound) -> None:
        self.log_joint, self.bound = log_joint, bound
        self._known: WeakKeyDictionary[Trace, list[Values]] = WeakKeyDictionary()

    def __call__(self, moment: Moment) -> list[Values]:
        """The values of states 0 to ``moment.t``."""
        known = self._known.setdefault(moment.trace, [])
        for t in range(len(known), moment.t + 1):
            known.append(values(self.log_joint, self.bound, moment.data, moment.trace[t]))
        return known[: moment.t + 1]


def value_of(parameters: Any, along: Along) -> float:
    """The parameter's present value."""
    return float(np.asarray(getattr(parameters, along[0]))[along[1]])


def moved(parameters: Any, along: Along, value: float) -> Any:
    """The parameters with one of them set to ``value``. Other weights share what a weight leaves,
    in the proportions they have, so that all still sum to one."""
    name, k = along
    field = np.array(getattr(parameters, name), dtype=np.float64)
    if name == "weights":
        rest = field.sum() - field[k]
        field *= (1 - value) / rest if rest > 0 else 0.0
    field[k] = value
    return parameters._replace(**{name: field})


def slopes(log_joint: LogJoint, bound: Bound, x: Any, state: Any, along: Along) -> Slopes:
    """Both slopes at the present value, by central differences."""
    centre, q = value_of(state.parameters, along), state.expectations
    step = 1e-5 * min(_scale(state.parameters, along, x), 1.0)

    def rise(function: Callable[[Any], float]) -> float:
        ahead, behind = (moved(state.parameters, along, centre + s * step) for s in (1, -1))
        with np.errstate(all="ignore"):
            slope = (function(ahead) - function(behind)) / (2 * step)
            # What the rounding of two sums of N terms leaves of a slope that is zero.
            noise = 1e-14 * abs(function(state.parameters)) / step
        return 0.0 if abs(slope) <= 10 * noise else slope

    return Slopes(
        rise(lambda parameters: log_likelihood(log_joint, x, parameters)),
        rise(lambda parameters: float(bound(x, q, parameters))),
    )


def curves(
    log_joint: LogJoint, bound: Bound, x: Any, state: Any, along: Along, places: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-likelihood and bound at ``places`` of one parameter, all others as they are."""
    all_parameters = [moved(state.parameters, along, place) for place in places]
    with np.errstate(all="ignore"):
        upper = [log_likelihood(log_joint, x, parameters) for parameters in all_parameters]
        lower = [float(bound(x, state.expectations, parameters)) for parameters in all_parameters]
    return np.array(upper), np.array(lower)


def window(bound: Bound, moment: Moment, along: Along, history: list[Values]) -> Window:
    """A part of the axis around the present value in which the bound's hill can be seen.

    Its width is such that the bound falls by a few times what there is to see: the gap, this
    state's or the one's before, and the climb to the top of this hill. It changes in jumps, so
    that most steps are seen in the frame of the one before. Variances are taken on a logarithmic
    scale and weights on a logistic one, where the hill is more even.
    """
    state, x = moment.state, moment.data
    to_line, from_line, extent = _line(along, x)
    centre = to_line(value_of(state.parameters, along))
    h = 1e-3 * extent
    with np.errstate(all="ignore"):
        low, here, high = (
            float(bound(x, state.expectations, moved(state.parameters, along, from_line(u))))
            for u in (centre - h, centre, centre + h)
        )
    slope, bend = (high - low) / (2 * h), -(high - 2 * here + low) / h**2
    width, nats, reach = extent, SHOWN, 0.0
    if math.isfinite(slope) and math.isfinite(bend) and bend > 0:
        reach = float(np.clip(slope / bend, -extent, extent))
        seen = [value.gap for value in history[-2:]] + [slope * reach / 2]
        nats = max([SHOWN] + [2.5 * v for v in seen if math.isfinite(v)])
        nats = 2.0 ** math.ceil(math.log2(nats))
        width = min(extent, math.sqrt(2 * nats / bend) + abs(reach) / 2)
        width = min(extent, extent * 2.0 ** (0.5 * math.ceil(2 * math.log2(width / extent))))
    # A centre that moves in jumps: the frame stays while the point moves in it.
    middle = centre + reach / 2
    if math.isfinite(middle):
        middle = round(middle / (width / 4)) * (width / 4)
        return Window(from_line(middle + np.linspace(-width, width, 49)), nats)
    return Window(from_line(np.linspace(-width, width, 49)), nats)


def _scale(parameters: Any, along: Along, x: Any) -> float:
    """A length along the parameter that is neither tiny nor large."""
    name, value = along[0], value_of(parameters, along)
    if name == "means":
        return max(float(np.std(x)), 1e-12)
    # Half a step to the nearer end would still be inside.
    room = value if name == "variances" else min(value, 1 - value)
    return room if room > 0 else 1e-6


def _line(along: Along, x: Any) -> tuple[Callable, Callable, float]:
    """The way to a scale without ends and back, and half the length of it worth showing."""
    if along[0] == "means":
        half = max(0.6 * float(np.ptp(x)), 1e-9)
        return (lambda v: v), (lambda u: u), half
    if along[0] == "variances":
        return (lambda v: math.log(v) if v > 0 else math.nan), np.exp, 4.0

    def logit(v: float) -> float:
        v = min(max(v, 1e-9), 1 - 1e-9)
        return math.log(v / (1 - v))

    return logit, (lambda u: 1 / (1 + np.exp(-u))), 5.0
