"""Check of unit 07, exercise 7.1: how far q(z given x) is from the prior, dimension by dimension.

Kingma & Welling (2014), "Auto-encoding variational Bayes", appendix B.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

# 7.1 · The KL of two normals


def kl_by_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) ‖ N(0, 1)) entry by entry, (B, D)."""
    return 0.5 * (mean**2 + torch.exp(log_variance) - 1 - log_variance)


def kl_in_numpy(mean: NDArray, log_variance: NDArray) -> NDArray:
    """KL(N(mean, exp(log_variance)) ‖ N(0, 1)) entry by entry, as an average under q.

    log q − log p is quadratic in z, so the three points of Gauss and Hermite give its average
    exactly.
    """
    sd = np.exp(0.5 * log_variance)
    total = np.zeros(np.shape(mean))
    for noise, weight in ((-np.sqrt(3), 1 / 6), (0.0, 4 / 6), (np.sqrt(3), 1 / 6)):
        z = mean + sd * noise
        log_q, log_p = -0.5 * noise**2 - 0.5 * log_variance, -0.5 * z**2
        total += weight * (log_q - log_p)
    return np.asarray(total)


def _zero_at_the_prior(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    at_prior = np.asarray(call(0 * args[0], 0 * args[1]))
    if np.allclose(at_prior, 0, atol=1e-6):
        return None
    return Failure(
        "Where mean and log variance are 0, q is the prior and its KL from it 0. Yours is:",
        at_prior.ravel()[np.abs(at_prior).argmax()],
        0.0,
    )


def _never_negative(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    wrong = np.argwhere(result < -1e-6)
    if not len(wrong):
        return None
    b, d = wrong[0]
    words = f"A KL is never negative, in no dimension. Your entry [{b}, {d}] is:"
    return Failure(words, result[b, d])


def _sign_does_not_matter(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance = args
    mirrored = np.asarray(call(-mean, log_variance))
    if np.allclose(mirrored, result, rtol=1e-5, atol=1e-6):
        return None
    b, d = np.argwhere(~np.isclose(mirrored, result, rtol=1e-5, atol=1e-6))[0]
    return Failure(
        f"The prior is symmetric, so −mean is as far from it as mean. Your entry [{b}, {d}]:",
        mirrored[b, d],
        result[b, d],
        ("with −mean", "with mean"),
    )


def _own_dimension(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance = args
    alone = np.asarray(call(mean[:1, -1:], log_variance[:1, -1:]))
    if np.allclose(alone, result[:1, -1:], rtol=1e-5, atol=1e-6):
        return None
    return Failure(
        "An entry depends on its own image and dimension alone. The last one of the first image:",
        alone[0, 0],
        result[0, -1],
        ("by itself", "among the others"),
    )


def _is_the_average(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    exact = kl_in_numpy(*args)
    wrong = np.argwhere(~np.isclose(result, exact, rtol=1e-5, atol=1e-6))
    if not len(wrong):
        return None
    b, d = wrong[0]
    return Failure(
        f"KL is the average of log q(z) − log p(z) under q. For entry [{b}, {d}] it was computed "
        "without luck, by three points and weights that are exact for a square.",
        result[b, d],
        exact[b, d],
    )


def _detached(mean: Tensor, log_variance: Tensor) -> Tensor:
    return kl_by_dimension(mean.detach(), log_variance.detach())


_random = np.random.default_rng(71)

kl = Exercise(
    number="7.1",
    name="kl",
    reference=kl_by_dimension,
    tensors=True,
    gradients=("mean", "log_variance"),
    cases=(
        Case("one image, mean 1, variance 1", (np.array([[1.0]]), np.array([[0.0]]))),
        Case("one image, mean 0, variance e", (np.array([[0.0]]), np.array([[1.0]]))),
        Case("one image, mean −2, variance ¼", (np.array([[-2.0]]), np.log([[0.25]]))),
        Case(
            "two images, three dimensions, the first at the prior",
            (
                np.array([[0.0, 0.5, -1.0], [0.0, 3.0, 2.0]]),
                np.array([[0.0, -1.0, 0.5], [0.0, 1.5, -3.0]]),
            ),
        ),
        Case(
            "one image, a very narrow q and a very wide one",
            (np.array([[0.5, -0.5]]), np.array([[-20.0, 8.0]])),
        ),
        Case(
            "five images, four dimensions",
            (
                _random.normal(size=(5, 4)).round(2),
                _random.normal(-1, 1.5, size=(5, 4)).round(2),
            ),
        ),
    ),
    properties=(
        Property("it is 0 where q is the prior", _zero_at_the_prior),
        Property("it is never negative", _never_negative),
        Property("the sign of the mean does not matter", _sign_does_not_matter),
        Property("each dimension is on its own", _own_dimension),
        Property("it is the average of log q − log p under q", _is_the_average),
    ),
    misconceptions=(
        Misconception(
            "exp(log_variance) taken for sd",
            lambda mean, log_variance: kl_by_dimension(mean, 2 * log_variance),
            "You square exp(log_variance) as if it were a standard deviation. It is the variance: "
            "it stands there as it is, and its logarithm is log_variance.",
        ),
        Misconception(
            "sd in place of the variance",
            lambda mean, log_variance: (
                0.5 * (mean**2 + (0.5 * log_variance).exp() - 1) - 0.5 * log_variance
            ),
            "Where the variance belongs you have exp(½ log_variance), which is the standard "
            "deviation.",
        ),
        Misconception(
            "log_variance taken for the variance",
            lambda mean, log_variance: 0.5 * (mean**2 + log_variance - 1 - torch.log(log_variance)),
            "You take log_variance for the variance. It is a logarithm, and may be negative: the "
            "variance is its exponential.",
        ),
        Misconception(
            "log_variance taken for sd",
            lambda mean, log_variance: (
                0.5 * (mean**2 + log_variance**2 - 1 - torch.log(log_variance**2))
            ),
            "You take log_variance for a standard deviation and square it. The variance is its "
            "exponential.",
        ),
        Misconception(
            "the other sign",
            lambda mean, log_variance: -kl_by_dimension(mean, log_variance),
            "This is −KL, as it stands in the ELBO. The KL itself is asked for, which is never "
            "negative.",
        ),
        Misconception(
            "sign of the logarithm",
            lambda mean, log_variance: 0.5 * (mean**2 + log_variance.exp() - 1 + log_variance),
            "log_variance has the wrong sign: a narrow q is dear, and a narrow q has a very "
            "negative log variance.",
        ),
        Misconception(
            "no half",
            lambda mean, log_variance: 2 * kl_by_dimension(mean, log_variance),
            "Twice as much as it should be: the ½ of the normal's exponent is missing, and half a "
            "log variance is a log standard deviation.",
        ),
        Misconception(
            "half of the mean's part alone",
            lambda mean, log_variance: 0.5 * mean**2 + log_variance.exp() - 1 - log_variance,
            "The ½ belongs to all four terms, and you have it before the first alone: mind the "
            "brackets.",
        ),
        Misconception(
            "mean not squared",
            lambda mean, log_variance: 0.5 * (mean + log_variance.exp() - 1 - log_variance),
            "The mean is there without its square. Distances count squared, and to both sides "
            "alike.",
        ),
        Misconception(
            "no 1",
            lambda mean, log_variance: 0.5 * (mean**2 + log_variance.exp() - log_variance),
            "The −1 is missing, and so a q that *is* the prior would cost half a nat. It does not "
            "change a gradient, but it changes the nats that you report.",
        ),
        Misconception(
            "mean alone",
            lambda mean, log_variance: 0.5 * mean**2 + 0 * log_variance,
            "You count how far the mean is from 0, and the width is free. A narrow q says more "
            "about z than a wide one, and that has its price: e^v − 1 − v, halved, for a log "
            "variance v.",
        ),
        Misconception(
            "width alone",
            lambda mean, log_variance: 0.5 * (log_variance.exp() - 1 - log_variance) + 0 * mean,
            "You count the width, and the mean is free. It has its price too, half its square.",
        ),
        Misconception(
            "no logarithm",
            lambda mean, log_variance: 0.5 * (mean**2 + log_variance.exp() - 1),
            "The logarithm of the variance is missing, q's own entropy: without it the narrowest q "
            "would be the cheapest.",
        ),
        Misconception(
            "at the mean",
            lambda mean, log_variance: 0.5 * (mean**2 - log_variance),
            "This is log q − log p at q's mean. KL averages it *under q*, and away from the mean q "
            "loses ½ a nat on average, p half the variance: two terms more.",
        ),
        Misconception(
            "cross-entropy",
            lambda mean, log_variance: (
                0.5 * (mean**2 + log_variance.exp() + np.log(2 * np.pi)) + 0 * log_variance
            ),
            "This is −E log p alone, the cross-entropy. A KL has E log q as well: take q's entropy "
            "off.",
        ),
        Misconception(
            "reversed",
            lambda mean, log_variance: (
                0.5 * (log_variance + (1 + mean**2) * (-log_variance).exp() - 1)
            ),
            "This is KL(prior ‖ q), averaged under the prior. In the ELBO the average is under q: "
            "KL(q ‖ prior).",
        ),
        Misconception(
            "summed over dimensions",
            lambda mean, log_variance: kl_by_dimension(mean, log_variance).sum(dim=1),
            "You add up over the dimensions, as the ELBO does. Here each is asked for by itself, "
            "(B, D): which dimensions carry it is worth knowing.",
        ),
        Misconception(
            "averaged over dimensions",
            lambda mean, log_variance: kl_by_dimension(mean, log_variance).mean(dim=1),
            "You *average* over the dimensions. A KL of independent dimensions is their sum: with "
            "32 of them the latents would be 32 times too free. And here each is asked for by "
            "itself, (B, D).",
        ),
        Misconception(
            "averaged over images",
            lambda mean, log_variance: kl_by_dimension(mean, log_variance).mean(dim=0),
            "You average over the images. Each has its own q: (B, D) is asked for.",
        ),
        Misconception(
            "all summed",
            lambda mean, log_variance: kl_by_dimension(mean, log_variance).sum(),
            "You add up everything, images and dimensions. Each entry is asked for: (B, D).",
        ),
        Misconception(
            "all averaged",
            lambda mean, log_variance: kl_by_dimension(mean, log_variance).mean(),
            "You average everything, so a single number is left. Each entry is asked for: (B, D); "
            "and where they are put together later, dimensions are summed.",
        ),
        Misconception(
            "detached",
            _detached,
            "The numbers are right, and no gradient goes back to mean and log_variance: the "
            "encoder would never hear of the KL. Compute with the tensors themselves.",
        ),
    ),
    hints=(
        "KL is the average of log q(z) − log p(z) under q. Write both logarithms down: which "
        "averages under q do you need? One is that of z².",
        "E_q z² = mean² + variance, and E_q (z − mean)² / variance = 1. log √(2π) cancels.",
        "½ (mean² + e^v − 1 − v), with v = log_variance, entry by entry and without any sum.",
    ),
)
