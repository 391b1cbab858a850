"""Runs of EM on Old Faithful that the checks of unit 03 play with, in plain NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from latentsteps.data import old_faithful, standardize


class Run(NamedTuple):
    """The log-likelihood at the start and after each step, and where the run ended."""

    objective: NDArray
    weights: NDArray
    means: NDArray
    covariances: NDArray


X = standardize(old_faithful())
OWN = np.cov(X.T, ddof=0)
TO_MINUTES = -len(X) * float(np.log(np.std(old_faithful(), axis=0, ddof=1)).sum())
"""What is added to a log-likelihood of X where the same rows are measured in minutes."""


def climb(
    means: NDArray, covariance: NDArray, x: NDArray = X, floor: float = 0.0, change: float = 1e-11
) -> Run:
    """EM from equal weights, until a step brings less than ``change`` nats: by default, until only
    rounding is left.

    means: (K, D). covariance: (D, D), the same for all components, or (K, D, D). floor: no
    eigenvalue of a covariance gets smaller.
    """
    (n, d), k = x.shape, len(means)
    weights, covariances = np.full(k, 1 / k), np.broadcast_to(covariance, (k, d, d))
    objective = [-np.inf]
    while True:
        factors = np.linalg.cholesky(covariances)
        z = np.linalg.solve(factors, (x - means[:, None]).transpose(0, 2, 1))  # (K, D, N)
        log_volumes = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        log_joint = np.log(weights) - log_volumes - 0.5 * (z**2).sum(axis=1).T
        log_joint -= 0.5 * d * np.log(2 * np.pi)
        log_p = logsumexp(log_joint, axis=1)
        objective.append(float(log_p.sum()))
        if objective[-1] - objective[-2] < change:
            return Run(np.array(objective[1:]), weights, means, covariances)
        r = np.exp(log_joint - log_p[:, None])
        counts = r.sum(axis=0)
        weights, means = counts / n, r.T @ x / counts[:, None]
        away = x - means[:, None]  # (K, N, D)
        covariances = (r.T[:, :, None] * away).transpose(0, 2, 1) @ away / counts[:, None, None]
        if floor:
            values, vectors = np.linalg.eigh(covariances)
            values = np.maximum(values, floor)[:, None, :]
            covariances = (vectors * values) @ vectors.transpose(0, 2, 1)


BOOK = climb(np.array([[-1.8, 1.5], [1.8, -1.5]]), 0.1 * np.eye(2))
"""K = 2, the start of Murphy's figure 11.11."""
