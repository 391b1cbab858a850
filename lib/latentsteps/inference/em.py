"""Expectation–maximisation as coordinate ascent, with its two halves in plain sight.

EM climbs one function of two arguments, the parameters and a distribution q over the hidden
cluster of each point (Neal & Hinton 1998, "A view of the EM algorithm that justifies incremental,
sparse, and other variants", equation 7)::

    F(q, θ) = Σ_n Σ_k q_nk (log p(x_n, k | θ) − log q_nk)

The E step raises it in q, the M step in θ. With the posterior for q it touches the
log-likelihood; with one-hot q it is the classification likelihood (Celeux & Govaert 1992), so soft
and hard EM, maximum likelihood and MAP (add a log prior) and k-means are the same loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, xlogy

from latentsteps.trace import Algorithm, Data, Key

E_STEP, M_STEP = 0, 1


class EMState(NamedTuple):
    """Where EM stands: the model's parameters, and what the last E step found out."""

    parameters: Any
    expectations: Any
    """Responsibilities (N, K), or the sufficient statistics that the M step takes from them."""
    phase: int
    """Which half came last: 0 = E, 1 = M."""


class EMInfo(NamedTuple):
    """What is worth looking at after a step or half-step."""

    objective: float
    phase: int


def em(
    *,
    init: Callable[[Key, Data], Any],
    e_step: Callable[[Data, Any], Any],
    m_step: Callable[[Data, Any, Any], Any],
    objective: Callable[[Data, Any, Any], Any],
    half_steps: bool = False,
    name: str = "EM",
    direction: str = "up",
    rounding: float = 1e-9,
) -> Algorithm:
    """EM from its parts: the library's, or a learner's own. They are called as they are.

    Parameters
    ----------
    init: ``(key, data) -> parameters``, the start.
    e_step: ``(data, parameters) -> expectations``, usually responsibilities (N, K).
    m_step: ``(data, expectations, parameters) -> parameters``; the old parameters are handed
        over for what nothing was expected of (a component without points stays where it was).
    objective: ``(data, parameters, expectations) -> float``, what neither half may worsen:
        :func:`bound`, plus the log prior if there is one.
    half_steps: make E and M separate states. Otherwise a step is M, then E, so that expectations
        and objective always belong to the parameters beside them.
    direction, rounding: as in :class:`latentsteps.trace.Algorithm`.
    """

    def with_info(data: Data, parameters: Any, expectations: Any, phase: int) -> tuple:
        value = float(objective(data, parameters, expectations))
        return EMState(parameters, expectations, phase), EMInfo(value, phase)

    def first(key: Key, data: Data) -> tuple[EMState, EMInfo]:
        parameters = init(key, data)
        return with_info(data, parameters, e_step(data, parameters), E_STEP)

    def step(key: Key, state: EMState, data: Data) -> tuple[EMState, EMInfo]:
        parameters, expectations = state.parameters, state.expectations
        if state.phase == E_STEP:
            parameters = m_step(data, expectations, parameters)
            if half_steps:
                return with_info(data, parameters, expectations, M_STEP)
        return with_info(data, parameters, e_step(data, parameters), E_STEP)

    return Algorithm(first, step, name, direction, rounding)


def soft(log_joint: NDArray) -> NDArray[np.float64]:
    """Posterior over components from log p(x_n, k), shape (N, K): rows sum to one."""
    return softmax(np.asarray(log_joint, dtype=np.float64), axis=1)


def hard(log_joint: NDArray) -> NDArray[np.float64]:
    """One-hot rows at the largest log p(x_n, k), shape (N, K), ties to the first: the E step of
    classification EM."""
    log_joint = np.asarray(log_joint)
    return np.eye(log_joint.shape[1])[log_joint.argmax(axis=1)]


def bound(log_joint: NDArray, responsibilities: NDArray) -> float:
    """F(q, θ) from log p(x_n, k) and q_nk, both (N, K), in nats, summed over points.

    Entries with q = 0 count nothing, even where log p is −∞: the limit of q log q.
    """
    q = np.asarray(responsibilities, dtype=np.float64)
    expected = q * np.where(q > 0, log_joint, 0.0)
    return float(np.sum(expected - xlogy(q, q)))
