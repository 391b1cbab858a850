"""Check of unit 08, exercise 8.3: VaDE's ELBO for any q(c given x).

``log_likelihood`` (B,) is E[log p(x given z)] or an estimate of it; ``q`` (B, C), zeros among it;
``mean`` and ``log_variance`` (B, D) of q(z given x); ``weights`` (C,), ``means`` and ``variances``
(C, D). Returned are nats, (B,)::

    log_likelihood + Σ_c q_c (E[log N(z | c)] + log π_c − log q_c) + H[q(z given x)]

Source: Jiang, Zheng, Tan, Tang & Zhou (2017), "Variational deep embedding", *IJCAI*, section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, xlogy

from latentsteps.checks.exercise import Case, Exercise, Failure, Property
from latentsteps.checks.task import AFTER_BEFORE
from latentsteps.checks.vade_elbo_misconceptions import MISCONCEPTIONS, bound
from latentsteps.checks.vade_normals import LOG_TAU, log_joint_of_arrays

_NOISE = np.random.default_rng(830).normal(size=(1000, 1, 10))
_NOISE = np.concatenate([_NOISE, -_NOISE])


# 8.3 · VaDE's ELBO


def _kl(mean: NDArray, log_variance: NDArray, m: NDArray, v: NDArray) -> NDArray:
    """KL(N(mean, exp(log_variance)) ‖ N(m, v)), (B,)."""
    ratio = (np.exp(log_variance) + (mean - m) ** 2) / v
    return np.asarray(0.5 * (ratio - 1 - log_variance + np.log(v)).sum(axis=1))


def _off(got: NDArray, expected: NDArray) -> int | None:
    far = ~np.isclose(got, expected, rtol=1e-6, atol=1e-5)
    return int(far.argmax()) if far.any() else None


def _one_cluster_is_the_vae(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    log_likelihood, _, mean, log_variance, *_ = args
    one, size = np.ones((len(mean), 1)), mean.shape[1]
    mixture = np.ones(1), np.zeros((1, size)), np.ones((1, size))
    value = call(log_likelihood, one, mean, log_variance, *mixture)
    expected = log_likelihood - _kl(mean, log_variance, np.zeros(size), np.ones(size))
    row = _off(value, expected)
    if row is None:
        return None
    return Failure(
        "With a single cluster, N(0, 1) in each coordinate, it is the ELBO of unit 07: "
        f"log-likelihood less KL(q(z given x) ‖ N(0, 1)). For image {row} yours is",
        value[row],
        expected[row],
    )


def _likelihood_counts_once(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    steps = np.arange(1.0, len(args[0]) + 1)
    value = call(args[0] + steps, *args[1:])
    row = _off(value - result, steps)
    if row is None:
        return None
    return Failure(
        f"The log-likelihood of image {row} was raised by {steps[row]:g}, and the bound rises by "
        "as much. Yours by",
        value[row] - result[row],
        steps[row],
    )


def _for_a_sure_q(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    log_likelihood, q, mean, log_variance, weights, means, variances = args
    last = q.shape[1] - 1
    sure = np.zeros_like(q)
    sure[:, last] = 1
    value = call(log_likelihood, sure, *args[2:])
    paid = _kl(mean, log_variance, means[last], variances[last])
    expected = log_likelihood + np.log(weights[last]) - paid
    row = _off(value, expected)
    if row is None:
        return None
    return Failure(
        f"A q that is sure of cluster {last}: 1 there and 0 elsewhere, where 0 · log 0 counts for "
        f"nothing. What is left is log-likelihood + log π_{last} − KL(q(z given x) ‖ cluster "
        f"{last}). For image {row} yours is",
        value[row],
        expected[row],
    )


def _is_its_monte_carlo_estimate(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    log_likelihood, q, mean, log_variance, *mixture = args
    noise = _NOISE[..., : mean.shape[1]]
    log_p = log_joint_of_arrays(mean + np.exp(log_variance / 2) * noise, *mixture)
    log_q = -0.5 * (LOG_TAU + log_variance + noise**2).sum(axis=2)
    draws = (q * log_p - xlogy(q, q)).sum(axis=2) - log_q
    draws = (draws[:1000] + draws[1000:]) / 2  # noise and its mirror image: independent pairs
    estimate = log_likelihood + draws.mean(axis=0)
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    off = ~(np.abs(result - estimate) <= 5 * error + 1e-6)
    if not off.any():
        return None
    row = int(off.argmax())
    return Failure(
        "The mean of log p(x, z, c) − log q(z, c given x) over 2,000 draws of z is, for image "
        f"{row}, {estimate[row]:.4g}, with a standard error of {error[row]:.1g}. Yours:",
        result[row],
        estimate[row],
        ("yours", "by draws"),
    )


def _largest_at_the_best(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, _, mean, log_variance, weights, means, variances = args
    widths = np.exp(log_variance) @ (1 / variances).T
    best = softmax(log_joint_of_arrays(mean, weights, means, variances) - 0.5 * widths, axis=1)
    value = call(args[0], best, *args[2:])
    below = result - value - 1e-6 * np.maximum(1, np.abs(value))
    if (below <= 0).all():
        return None
    row = int(below.argmax())
    return Failure(
        "No q has a larger ELBO than that of 8.2, q ∝ π_c exp E[log N(z | c)]. Yours has, for "
        f"image {row}:",
        result[row],
        value[row],
        ("with the q given", "with that of 8.2"),
    )


def _each_row_by_itself(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    value = call(*(part[:1] for part in args[:4]), *args[4:])
    if _off(value, result[:1]) is None:
        return None
    return Failure(
        "The first image was left alone, without the others. Its bound should stay.",
        float(value[0]),
        float(result[0]),
        AFTER_BEFORE,
    )


_random = np.random.default_rng(83)


def _some(batch: int, clusters: int, dimensions: int) -> tuple[NDArray, ...]:
    return (
        _random.normal(-90, 10, batch).round(1),
        _random.dirichlet(np.full(clusters, 0.7), batch),
        _random.normal(0, 1.0, (batch, dimensions)).round(2),
        _random.normal(-1, 0.7, (batch, dimensions)).round(2),
        _random.dirichlet(np.full(clusters, 3.0)),
        _random.normal(0, 1.0, (clusters, dimensions)).round(2),
        _random.uniform(0.3, 2.5, (clusters, dimensions)).round(2),
    )


def _with_zeros() -> tuple[NDArray, ...]:
    log_likelihood, _, *rest = _some(3, 3, 2)
    q = np.array([[0.0, 1.0, 0.0], [0.3, 0.0, 0.7], [0.2, 0.5, 0.3]])
    return log_likelihood, q, *rest


vade_elbo = Exercise(
    number="8.3",
    name="vade_elbo",
    reference=bound,
    tensors=True,
    # Not through q, which may be held fixed while the networks move.
    gradients=("log_likelihood", "mean", "log_variance", "weights", "means", "variances"),
    cases=(
        Case(
            "one image, two clusters, one dimension",
            (
                np.array([-3.0]),
                np.array([[0.7, 0.3]]),
                np.array([[0.5]]),
                np.array([[-0.5]]),
                np.array([0.25, 0.75]),
                np.array([[0.0], [2.0]]),
                np.array([[0.5], [1.5]]),
            ),
        ),
        Case(
            "two images, three clusters, two dimensions",
            (
                np.array([-4.0, -2.5]),
                np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]),
                np.array([[0.2, -0.4], [1.0, 0.6]]),
                np.array([[-1.0, 0.2], [-2.0, -0.5]]),
                np.array([0.5, 0.3, 0.2]),
                np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 2.0]]),
                np.array([[1.0, 0.5], [0.4, 0.8], [2.0, 1.5]]),
            ),
        ),
        Case("as many images as clusters and dimensions", _some(4, 4, 4)),
        Case("q of exactly 0", _with_zeros()),
        Case("twelve images, five clusters, ten dimensions", _some(12, 5, 10)),
    ),
    properties=(
        Property("the log-likelihood counts once", _likelihood_counts_once),
        Property("with one cluster it is the VAE's ELBO", _one_cluster_is_the_vae),
        Property("for a sure q it is the ELBO with that cluster", _for_a_sure_q),
        Property("it is its Monte Carlo estimate", _is_its_monte_carlo_estimate),
        Property("no q has a larger one than the best q", _largest_at_the_best),
        Property("each image by itself", _each_row_by_itself),
    ),
    misconceptions=MISCONCEPTIONS,
    hints=(
        "E[log p(x, z, c) − log q(z, c given x)], and q(z, c given x) = q(z given x) q(c given x). "
        "Split the logarithms: one term of x, some of c, and H[q(z given x)], the mean of −log "
        "q(z given x).",
        "Σ_c q_c (E[log N(z | c)] + log π_c − log q_c), with the E[log N(z | c)] of 8.2. And H is "
        "½ Σ (1 + log 2π + log σ²). What does q_c = 0 count for?",
        "a = weights.log() + E[log N(z | c)], (B, C); return log_likelihood + (q * a + "
        "torch.special.entr(q)).sum(dim=1) + 0.5 * (1 + math.log(2 * math.pi) + "
        "log_variance).sum(dim=1); entr is −q log q, and 0 where q is.",
    ),
)
