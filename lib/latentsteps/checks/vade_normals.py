"""What exercises 8.1 to 8.3 of unit 08 are made of: normal densities of a mixture's clusters.

Tensors: z and mean (B, D), log_variance (B, D), means and variances (C, D). The functions with
"array" in their names do the same on NumPy arrays, for properties.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

LOG_TAU = math.log(2 * math.pi)


def squares(z: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """(z − m)²/v, (B, C, D)."""
    return (z[:, None] - means) ** 2 / variances


def log_normals(z: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """log N(z | m_c, diag v_c), (B, C)."""
    return -0.5 * (LOG_TAU + variances.log() + squares(z, means, variances)).sum(dim=2)


def expected_log_normals(
    mean: Tensor, log_variance: Tensor, means: Tensor, variances: Tensor
) -> Tensor:
    """E[log N(z | m_c, diag v_c)] over z ~ N(mean, exp(log_variance)), (B, C)."""
    widths = (log_variance.exp()[:, None] / variances).sum(dim=2)
    return log_normals(mean, means, variances) - 0.5 * widths


def entropies(log_variance: Tensor) -> Tensor:
    """Entropy of N(·, exp(log_variance)), (B,)."""
    return 0.5 * (1 + LOG_TAU + log_variance).sum(dim=1)


def log_normals_of_arrays(z: NDArray, means: NDArray, variances: NDArray) -> NDArray:
    """log N(z | m_c, diag v_c) for arrays z (..., D): (..., C)."""
    away = (z[..., None, :] - means) ** 2 / variances
    return np.asarray(-0.5 * (LOG_TAU + np.log(variances) + away).sum(axis=-1))


def log_joint_of_arrays(
    z: NDArray, weights: NDArray, means: NDArray, variances: NDArray
) -> NDArray:
    """log π_c N(z | m_c, diag v_c) for arrays z (..., D): (..., C)."""
    return np.asarray(np.log(weights) + log_normals_of_arrays(z, means, variances))
