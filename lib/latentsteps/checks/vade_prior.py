"""Check of unit 08, exercise 8.1: the log density of a mixture prior, log Σ_c π_c N(z | m_c, v_c).

Tensors ``z`` (B, D), ``weights`` (C,), ``means`` and ``variances`` (C, D); returned are nats, (B,).
Source: Jiang, Zheng, Tan, Tang & Zhou (2017), "Variational deep embedding", *IJCAI*, section 3.1;
the density is unit 03's, with diagonal covariances.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from latentsteps.checks.exercise import Case, Exercise, Failure, Property
from latentsteps.checks.task import AFTER_BEFORE
from latentsteps.checks.vade_prior_misconceptions import MISCONCEPTIONS, log_prior

# 8.1 · The prior of z


def _off(got: NDArray, expected: NDArray) -> int | None:
    """The first row where two arrays differ, or None."""
    far = ~np.isclose(got, expected, rtol=1e-6, atol=1e-6)
    return int(far.argmax()) if far.any() else None


def _one_is_normal(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    z, _, means, variances = args
    value = call(z, np.ones(1), means[:1], variances[:1])
    expected = norm.logpdf(z, means[0], np.sqrt(variances[0])).sum(axis=1)
    row = _off(value, expected)
    if row is None:
        return None
    return Failure(
        "A mixture of one cluster, of weight 1, is that cluster's normal density: independent "
        f"coordinates, so their log densities add up. For row {row} of z yours is",
        value[row],
        expected[row],
    )


def _integrates_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    """Along one coordinate: from the case's mixture the first coordinates are taken."""
    _, weights, means, variances = args
    means, variances = means[:, :1], variances[:, :1]
    reach, width = 12 * np.sqrt(variances.max()), np.sqrt(variances.min())
    points = min(40_000, int((np.ptp(means) + 2 * reach) / (width / 8)))
    axis = np.linspace(means.min() - reach, means.max() + reach, points)
    mass = float(
        np.exp(call(axis[:, None], weights, means, variances)).sum() * np.diff(axis[:2])[0]
    )
    if abs(mass - 1) <= 1e-3:
        return None
    return Failure(
        "The first coordinate alone has a mixture of its own, and over the axis its exponential "
        "integrates to",
        mass,
        1.0,
    )


def _each_row_by_itself(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    value = call(args[0][:1], *args[1:])
    if _off(value, result[:1]) is None:
        return None
    return Failure(
        "The first row of z alone has the log density that it has among the others.",
        float(value[0]),
        float(result[0]),
        ("alone", "among the others"),
    )


def _same_twice_is_once(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    z, weights, means, variances = args
    halves = np.concatenate([weights / 4, 3 * weights / 4])
    value = call(z, halves, np.tile(means, (2, 1)), np.tile(variances, (2, 1)))
    row = _off(value, result)
    if row is None:
        return None
    return Failure(
        "Every cluster was split into two with the same mean and variances, a quarter of its "
        "weight and three quarters. Their densities add up to what was there before, for row "
        f"{row} of z too.",
        value[row],
        result[row],
        AFTER_BEFORE,
    )


def _stretches(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    z, weights, means, variances = args
    value = call(2 * z + 1, weights, 2 * means + 1, 4 * variances)
    expected = result - z.shape[1] * np.log(2)
    row = _off(value, expected)
    if row is None:
        return None
    return Failure(
        "z and means were stretched by 2 and moved by 1, variances multiplied by 4. The same mass "
        f"has 2^D times the room: log density − D log 2. For row {row} of z yours is",
        value[row],
        expected[row],
    )


_random = np.random.default_rng(81)


def _some(batch: int, clusters: int, dimensions: int) -> tuple[NDArray, ...]:
    return (
        _random.normal(0, 1.5, (batch, dimensions)).round(2),
        _random.dirichlet(np.full(clusters, 3.0)),
        _random.normal(0, 1.5, (clusters, dimensions)).round(2),
        _random.uniform(0.2, 2.5, (clusters, dimensions)).round(2),
    )


log_mixture_prior = Exercise(
    number="8.1",
    name="log_mixture_prior",
    reference=log_prior,
    tensors=True,
    gradients=("z", "weights", "means", "variances"),
    cases=(
        Case(
            "one z, two clusters, one dimension",
            (
                np.array([[0.5]]),
                np.array([0.25, 0.75]),
                np.array([[0.0], [2.0]]),
                np.array([[1.0], [0.25]]),
            ),
        ),
        Case(
            "three z, two clusters, two dimensions",
            (
                np.array([[0.2, -0.4], [2.0, 1.0], [-1.0, 0.5]]),
                np.array([0.4, 0.6]),
                np.array([[0.0, 0.5], [2.0, 1.5]]),
                np.array([[1.0, 0.25], [0.5, 2.0]]),
            ),
        ),
        Case(
            "two z, one cluster",
            (
                np.array([[0.3, -1.0, 2.0], [0.1, 0.2, 0.3]]),
                np.array([1.0]),
                np.array([[0.0, 1.0, -1.0]]),
                np.array([[2.0, 0.3, 1.2]]),
            ),
        ),
        Case("as many z as clusters and dimensions", _some(3, 3, 3)),
        Case("twelve z, five clusters, ten dimensions", _some(12, 5, 10)),
        Case(
            "far from both clusters",
            (
                np.array([[60.0, -50.0], [0.3, 0.2]]),
                np.array([0.3, 0.7]),
                np.array([[0.0, 0.0], [1.0, -1.0]]),
                np.array([[0.5, 0.4], [0.6, 1.0]]),
            ),
        ),
    ),
    properties=(
        Property("one cluster alone is a normal density", _one_is_normal),
        Property("along one coordinate it integrates to 1", _integrates_to_one),
        Property("each row of z by itself", _each_row_by_itself),
        Property("a cluster split in two changes nothing", _same_twice_is_once),
        Property("stretched by 2, it thins by D log 2", _stretches),
    ),
    misconceptions=MISCONCEPTIONS,
    hints=(
        "Unit 03's density, with diagonal covariances: for each row and cluster log π + log N, and "
        "then the logarithm of the sum over clusters, without leaving logarithms.",
        "(z[:, None] − means)² / variances is (B, C, D). The log density of a cluster is −½ times "
        "the sum over D of that, of log v and of log 2π.",
        "torch.logsumexp(weights.log() + those, dim=1)",
    ),
)
