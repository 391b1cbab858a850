"""Check of unit 08, exercise 8.2: the q(c given x) that makes VaDE's ELBO largest.

Tensors ``mean`` and ``log_variance`` (B, D) of q(z given x), ``weights`` (C,), ``means`` and
``variances`` (C, D); returned is (B, C), q ∝ π_c exp E[log N(z | c)] with the expectation over
q(z given x) (Bishop 2006, *Pattern Recognition and Machine Learning*, section 10.1.1, equation
10.9). Jiang et al. (2017), "Variational deep embedding", equation 16, take E[p(c | z)].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, xlogy

from latentsteps.checks.exercise import Case, Exercise, Failure, Property
from latentsteps.checks.vade_best_q_misconceptions import MISCONCEPTIONS, shares
from latentsteps.checks.vade_normals import log_joint_of_arrays

_NOISE = np.random.default_rng(820).normal(size=(4000, 1, 10))


# 8.2 · The best q(c given x)


def _expected_log_joint(args: tuple) -> NDArray:
    """E[log π_c N(z | c)], (B, C)."""
    mean, log_variance, weights, means, variances = args
    widths = np.exp(log_variance) @ (1 / variances).T
    return np.asarray(log_joint_of_arrays(mean, weights, means, variances) - 0.5 * widths)


def _is_a_distribution(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    totals = result.sum(axis=1)
    off = ~(np.abs(totals - 1) <= 1e-6)
    if off.any():
        row = int(off.argmax())
        return Failure(f"Each image shares itself out: row {row} adds up to", totals[row], 1.0)
    if (result < 0).any():
        return Failure("A probability is never negative.", float(result.min()), 0.0)
    return None


def _without_width(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance, *mixture = args
    value = call(mean, np.full_like(log_variance, -60.0), *mixture)
    expected = softmax(log_joint_of_arrays(mean, *mixture), axis=1)
    off = ~np.isclose(value, expected, atol=1e-6).all(axis=1)
    if not off.any():
        return None
    row = int(off.argmax())
    return Failure(
        "With a log variance of −60 there is no width left, z is the mean, and q is unit 03's "
        f"responsibility of the mean, π N over its sum. For image {row} yours is",
        value[row],
        expected[row],
    )


def _is_not_the_average(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance, *mixture = args
    z = mean + np.exp(log_variance / 2) * _NOISE[..., : mean.shape[1]]
    published = softmax(log_joint_of_arrays(z, *mixture), axis=2).mean(axis=0)
    best = softmax(_expected_log_joint(args), axis=1)
    apart = np.abs(published - best).max(axis=1)
    row = int(apart.argmax())
    # The noise of 4,000 draws is below .008, that of a learner's 1,000 below .016.
    if apart[row] < 0.15 or np.abs(result - published).max(axis=1)[row] > 0.05:
        return None
    return Failure(
        f"For image {row} yours is the average of p(c given z) over q(z given x), give or take "
        "the noise of draws. That is the published q, and another one has the larger ELBO: take "
        "the mean of the *logarithms* first, E[log N(z | c)], which has a closed form, and the "
        "exponential and the shares after that.",
        result[row],
        published[row],
        ("yours", "the average"),
    )


def _no_other_is_better(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    expected = _expected_log_joint(args)
    random = np.random.default_rng(82)
    others = random.dirichlet(np.ones(expected.shape[1]), (200, len(expected)))
    others[100:] = 0.9 * result + 0.1 * others[100:]  # some of them near the answer

    def reached(q: NDArray) -> NDArray:
        return np.asarray(np.sum(q * expected - xlogy(q, q), axis=-1))

    yours, theirs = reached(result), reached(others)
    better = theirs - yours - 1e-7 * np.maximum(1, np.abs(yours))
    if (better <= 0).all():
        return None
    n, row = np.unravel_index(better.argmax(), better.shape)
    found = ", ".join(f"{share:.3g}" for share in others[n, row])
    return Failure(
        f"Of 200 other q, some drawn at random and some near yours, q = ({found}) has a larger "
        f"ELBO for image {row}. The part of it that q decides, Σ_c q_c (E[log π_c N(z | c)] − "
        "log q_c), is",
        yours[row],
        theirs[n, row],
        ("with yours", "with that one"),
    )


def _follows_the_weights(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance, weights, means, variances = args
    if len(weights) < 2:
        return None
    tilted = weights * np.where(np.arange(len(weights)) == 0, 3.0, 1.0)
    value = call(mean, log_variance, tilted / tilted.sum(), means, variances)
    odds = result * np.where(np.arange(len(weights)) == 0, 3.0, 1.0)
    expected = odds / odds.sum(axis=1, keepdims=True)
    off = ~np.isclose(value, expected, atol=1e-6).all(axis=1)
    if not off.any():
        return None
    row = int(off.argmax())
    return Failure(
        "The first cluster was given three times its weight, and all weights were divided by "
        f"their sum. Its odds against each other cluster triple. For image {row} q becomes",
        value[row],
        expected[row],
    )


def _each_row_by_itself(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    value = call(args[0][:1], args[1][:1], *args[2:])
    if np.allclose(value, result[:1], atol=1e-6):
        return None
    return Failure(
        "The first image alone has the q that it has among the others.",
        value[0],
        result[0],
        ("alone", "among the others"),
    )


_random = np.random.default_rng(82)


def _some(batch: int, clusters: int, dimensions: int) -> tuple[NDArray, ...]:
    return (
        _random.normal(0, 1.0, (batch, dimensions)).round(2),
        _random.normal(-1, 0.7, (batch, dimensions)).round(2),
        _random.dirichlet(np.full(clusters, 3.0)),
        _random.normal(0, 1.0, (clusters, dimensions)).round(2),
        _random.uniform(0.3, 2.5, (clusters, dimensions)).round(2),
    )


best_q = Exercise(
    number="8.2",
    name="best_q",
    reference=shares,
    tensors=True,
    # No gradients asked for: at the optimum the ELBO has none in q's direction, so a detached q
    # trains the same network.
    cases=(
        Case(
            "one image, two clusters, one dimension",
            (
                # Four formulas, four answers: the best q has .13 for the first cluster, the average
                # of p(c given z) .46, E[N(z | c)] without logarithms .65, N at the mean .86.
                np.array([[-0.3]]),
                np.array([[0.5]]),
                np.array([0.4, 0.6]),
                np.array([[0.0], [2.0]]),
                np.array([[0.2], [2.0]]),
            ),
        ),
        Case(
            "two images at one place, wide and narrow; a narrow cluster and a wide one",
            (
                np.array([[0.0, 0.0], [0.0, 0.0]]),
                np.array([[0.5, 0.5], [-4.0, -4.0]]),
                np.array([0.5, 0.5]),
                np.array([[0.0, 0.0], [0.5, 0.5]]),
                np.array([[0.25, 0.25], [3.0, 3.0]]),
            ),
        ),
        Case("as many images as clusters and dimensions", _some(3, 3, 3)),
        Case("twelve images, five clusters, ten dimensions", _some(12, 5, 10)),
        Case(
            "far from both clusters",
            (
                np.array([[60.0, -50.0], [0.3, 0.2]]),
                np.array([[0.0, -1.0], [-2.0, 1.0]]),
                np.array([0.3, 0.7]),
                np.array([[0.0, 0.0], [1.0, -1.0]]),
                np.array([[0.5, 0.4], [0.6, 1.0]]),
            ),
        ),
    ),
    properties=(
        Property("each row adds up to 1", _is_a_distribution),
        Property("without width it is unit 03's responsibility", _without_width),
        Property("it is not the average of p(c given z)", _is_not_the_average),
        Property("the weights move the odds", _follows_the_weights),
        Property("no other q has a larger ELBO", _no_other_is_better),
        Property("each image by itself", _each_row_by_itself),
    ),
    misconceptions=MISCONCEPTIONS,
    hints=(
        "Which part of the ELBO does q(c given x) decide? Σ_c q_c (a_c − log q_c), with a_c = "
        "E[log π_c N(z | c)]. Unit 02 found the q that makes such a sum largest.",
        "q ∝ exp a_c, so softmax over the clusters. E[(z − m)²] = (μ − m)² + σ², hence a_c is the "
        "log joint density at the mean, less ½ Σ σ²/v_c.",
        "squares = (mean[:, None] − means)**2 + log_variance.exp()[:, None]; a = weights.log() − "
        "½ (squares / variances + variances.log()).sum(dim=2); return a.softmax(dim=1)",
    ),
)
