"""BNNC's gate, joint density and Z under draws: NumPy, for positions with any leading axes.

A position is that of :mod:`latentsteps.models.bnnc`, which has these functions too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.models import mixture_draws
from latentsteps.models.bnnc_model import LOG_2_PI, normal_nodes
from latentsteps.models.mixture_draws import Position
from latentsteps.models.points import as_points

WHO = "BNNC"


def log_gate(
    x: ArrayLike, position: Position, covariates: ArrayLike | None = None
) -> NDArray[np.float64]:
    """log θ_k(x_n) under each draw, (..., K, N): components before points. The gate sees the
    covariates (N, C) where there are any; without W's, θ is π everywhere.

    Raises ValueError for data that are no points, for covariates of other rows, for more or fewer
    columns than W₁ has rows, and for covariates where no gate would see them."""
    points = as_points(x, WHO)
    if covariates is not None and "output_weights" not in position:
        raise ValueError("there are covariates, and the draws have no gate that sees them")
    seen = points if covariates is None else as_covariates(covariates, points)
    logits = position["log_weights"][..., None]
    if "output_weights" not in position:
        return np.broadcast_to(logits, (*logits.shape[:-1], len(points)))
    first, second = position["hidden_weights"], position["output_weights"]
    if first.shape[-2] != seen.shape[1]:
        raise ValueError(
            f"the gate was given {seen.shape[1]} columns, and its W₁ has {first.shape[-2]} rows; "
            "points for a gate on points, covariates for one on covariates"
        )
    logits = logits + second.swapaxes(-1, -2) @ np.tanh(first.swapaxes(-1, -2) @ seen.T)
    return logits - mixture_draws.log_sum(logits)[..., None, :]


def log_joint(
    x: ArrayLike, position: Position, covariates: ArrayLike | None = None
) -> NDArray[np.float64]:
    """log θ_k(x_n) + log N(x_n | m_k, diag σ_k²), in nats, (..., K, N); less log Z where the
    position has it. −∞ where a point lies so far away that its density is no number.

    Raises ValueError as :func:`log_gate`, and for points of other columns than the draws."""
    points = as_points(x, WHO)
    means, scales = position["means"], position["scales"]
    if means.shape[-1] != points.shape[1]:
        raise ValueError(f"points have {points.shape[1]} columns, the draws {means.shape[-1]}")
    joint = log_gate(points, position, covariates) - np.log(scales).sum(axis=-1)[..., None]
    with np.errstate(over="ignore"):
        for d, column in enumerate(points.T):
            joint -= 0.5 * ((column - means[..., d, None]) / scales[..., d, None]) ** 2
    joint -= points.shape[1] / 2 * LOG_2_PI
    if "log_normaliser" in position:
        joint -= position["log_normaliser"][..., None, None]
    return joint


def log_normaliser(position: Position, *, nodes: int = 256) -> NDArray[np.float64]:
    """log Z of each draw, (...,): Z = ∫ Σ_k θ_k(x) N_k(x) dx = Σ_k E_{N_k}[θ_k(x)], for a gate on
    points; 0 without a gate.

    By about ``nodes`` nodes for each component: products of Gauss–Hermite rules in the plane and
    on a line, scrambled Sobol points from three dimensions on. On draws of the recipe's posterior,
    in the plane, 256 are right to .0002; a gate that is steep against a component's width needs
    more, and so do more dimensions. (Whether a gate is on covariates shows only where these are not
    as many as the points' columns.)
    """
    flat = mixture_draws.flattened(position)
    draws, k, d = flat["means"].shape
    if "output_weights" not in flat:
        return np.zeros(position["means"].shape[:-2])
    if flat["hidden_weights"].shape[1] != d:
        raise ValueError("this gate sees covariates, not the points: Z is 1 for each value of them")
    u, log_node_weights = normal_nodes(d, nodes)
    gate = {name: flat[name] for name in ("log_weights", "hidden_weights", "output_weights")}
    found = np.empty((draws, k))
    for s in range(draws):
        one = {name: value[s] for name, value in gate.items()}
        at = flat["means"][s, :, None] + flat["scales"][s, :, None] * u
        own = log_gate(at.reshape(-1, d), one).reshape(k, k, -1)[np.arange(k), np.arange(k)]
        found[s] = mixture_draws.log_sum((own + log_node_weights).T)
    return mixture_draws.log_sum(found.T).reshape(position["means"].shape[:-2])


def as_covariates(covariates: ArrayLike, points: NDArray) -> NDArray[np.float64]:
    """Covariates (N, C), a row for each point."""
    checked = as_points(covariates, "a gate on covariates")
    if len(checked) != len(points):
        raise ValueError(f"there are {len(points)} points and {len(checked)} rows of covariates")
    return checked
