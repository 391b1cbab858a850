"""Check of unit 07, exercise 7.4: the bound with a weight on its KL.

Kingma & Welling (2014), "Auto-encoding variational Bayes", equation 3; the weight: Higgins et al.
(2017), "beta-VAE", equation 4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.vae_bernoulli import by_pixel
from latentsteps.checks.vae_kl import kl_by_dimension, kl_in_numpy

# 7.4 · The ELBO


def _fit(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x given z), (B,)."""
    return by_pixel(x, logits).sum(dim=1)


def _elbo(
    x: Tensor, logits: Tensor, mean: Tensor, log_variance: Tensor, beta: float = 1.0
) -> Tensor:
    return _fit(x, logits) - beta * kl_by_dimension(mean, log_variance).sum(dim=1)


def _without_beta(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    default, one = np.asarray(call(*args[:4])), np.asarray(call(*args[:4], 1.0))
    if np.allclose(default, one, rtol=1e-6, atol=1e-6):
        return None
    return Failure(
        "Where nothing is said of beta it is 1. For the first image:",
        default[0],
        one[0],
        ("without beta", "with beta = 1"),
    )


def _slope_is_minus_kl(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    *others, mean, log_variance, beta = args
    more = np.asarray(call(*others, mean, log_variance, beta + 1.0))
    kl = kl_in_numpy(mean, log_variance).sum(axis=1)
    if np.allclose(more - result, -kl, rtol=1e-5, atol=1e-5):
        return None
    n = int(np.abs(more - result + kl).argmax())
    return Failure(
        "beta was raised by 1: from each image its own KL is taken off once more, the sum over its "
        f"dimensions. That of image {n}, and what was taken off:",
        result[n] - more[n],
        kl[n],
        ("taken off", "KL"),
    )


def _fit_is_the_likelihood(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, logits, mean, log_variance, _ = args
    alone = np.asarray(call(x, logits, mean, log_variance, 0.0))
    logs = (x * logits - np.logaddexp(0, logits)).sum(axis=1)
    if np.allclose(alone, logs, rtol=1e-5, atol=1e-5):
        return None
    n = int(np.abs(alone - logs).argmax())
    return Failure(
        f"With beta = 0 the fit is left, the sum of the pixels' log probabilities. For image {n}:",
        alone[n],
        logs[n],
    )


def _never_above(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    heavier = np.asarray(call(*args[:4], args[4] + 0.5))
    if np.all(heavier <= result + 1e-6):
        return None
    n = int((heavier - result).argmax())
    return Failure(
        f"With a larger beta image {n} has a higher value. A KL is never negative, and taken off: "
        "that is why the bound for beta = 1 stays one for every larger beta.",
        heavier[n],
        result[n],
        ("larger beta", "smaller beta"),
    )


def _of(combine: Callable[[Tensor, Tensor, float], Tensor]) -> Callable[..., Tensor]:
    """An answer from ``combine(fit (B,), KL by dimension (B, D), beta)``."""

    def answer(
        x: Tensor, logits: Tensor, mean: Tensor, log_variance: Tensor, beta: float = 1.0
    ) -> Tensor:
        return combine(_fit(x, logits), kl_by_dimension(mean, log_variance), beta)

    return answer


def _with_kl(kl: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """The right answer with another KL by dimension, ``kl(mean, log_variance)``."""

    def answer(
        x: Tensor, logits: Tensor, mean: Tensor, log_variance: Tensor, beta: float = 1.0
    ) -> Tensor:
        return _fit(x, logits) - beta * kl(mean, log_variance).sum(dim=1)

    return answer


def _with_fit(fit: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """The right answer with another fit, ``fit(x, logits)``, (B,)."""

    def answer(
        x: Tensor, logits: Tensor, mean: Tensor, log_variance: Tensor, beta: float = 1.0
    ) -> Tensor:
        return fit(x, logits) - beta * kl_by_dimension(mean, log_variance).sum(dim=1)

    return answer


_random = np.random.default_rng(74)


def _some(n: int, pixels: int, latents: int, beta: float) -> tuple:
    return (
        (_random.random((n, pixels)) < 0.5) * 1.0,
        _random.normal(scale=2.0, size=(n, pixels)).round(1) + 0.05,
        _random.normal(size=(n, latents)).round(2),
        _random.normal(-1, 1, size=(n, latents)).round(2),
        beta,
    )


elbo = Exercise(
    number="7.4",
    name="elbo",
    reference=_elbo,
    tensors=True,
    gradients=("logits", "mean", "log_variance"),
    cases=(
        Case(
            "one image of one pixel, one latent, β = 1",
            (
                np.array([[1.0]]),
                np.array([[2.0]]),
                np.array([[1.0]]),
                np.array([[0.0]]),
                1.0,
            ),
        ),
        Case(
            "one image of two pixels, two latents, β = 4",
            (
                np.array([[1.0, 0.0]]),
                np.array([[2.0, -1.0]]),
                np.array([[1.0, -0.5]]),
                np.array([[0.5, -1.0]]),
                4.0,
            ),
        ),
        Case("two images of three pixels, two latents, β = 1", _some(2, 3, 2, 1.0)),
        Case("three images of four pixels, two latents, β = ½", _some(3, 4, 2, 0.5)),
        Case("three images of two pixels, three latents, β = 0", _some(3, 2, 3, 0.0)),
        Case(
            "logits of ±1000, half of them wrong, a very narrow q and a very wide one",
            (
                np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]]),
                np.array([[1000.0, -1000.0, -1000.0, 1000.0], [1000.0, -3.0, 1.0, -1000.0]]),
                np.array([[0.5, -0.5], [0.0, 1.0]]),
                np.array([[-20.0, 8.0], [8.0, -20.0]]),
                1.0,
            ),
        ),
        Case("eight images of six pixels, five latents, β = 2.5", _some(8, 6, 5, 2.5)),
    ),
    properties=(
        Property("without a beta it is 1", _without_beta),
        Property("a larger beta never raises it", _never_above),
        Property("its slope in beta is −KL", _slope_is_minus_kl),
        Property("with beta = 0 the fit is left", _fit_is_the_likelihood),
    ),
    misconceptions=(
        Misconception(
            "β on the fit",
            _of(lambda fit, kl, beta: beta * fit - kl.sum(dim=1)),
            "beta stands on the fit. It weighs the *KL*: with beta = 0 nothing of the KL is left.",
        ),
        Misconception(
            "β on both",
            _of(lambda fit, kl, beta: beta * (fit - kl.sum(dim=1))),
            "beta stands before both terms, which only changes the scale. It weighs the KL alone.",
        ),
        Misconception(
            "β ignored",
            _of(lambda fit, kl, beta: fit - kl.sum(dim=1)),
            "You do not use beta, as the recipe, whose `kl_weight` is never passed on. It weighs "
            "the KL.",
        ),
        Misconception(
            "β divides",
            _of(lambda fit, kl, beta: fit - kl.sum(dim=1) / beta),
            "You divide the KL by beta. It is a weight: beta times the KL.",
        ),
        Misconception(
            "shares",
            _of(lambda fit, kl, beta: (1 - beta) * fit - beta * kl.sum(dim=1)),
            "You mix the two terms as shares, 1 − beta and beta. beta weighs the KL alone, and may "
            "be above 1.",
        ),
        Misconception(
            "KL added",
            _of(lambda fit, kl, beta: fit + beta * kl.sum(dim=1)),
            "You add the KL: so the farther q is from the prior the better. It is a price, and "
            "taken off.",
        ),
        Misconception(
            "a loss",
            _of(lambda fit, kl, beta: beta * kl.sum(dim=1) - fit),
            "This is the loss, minus the ELBO. The ELBO itself is asked for; the training turns "
            "its sign.",
        ),
        Misconception(
            "cross-entropy less KL",
            _of(lambda fit, kl, beta: -fit - beta * kl.sum(dim=1)),
            "The fit has the sign of a loss and the KL that of a bound. log p(x | z) is minus the "
            "cross-entropy.",
        ),
        Misconception(
            "a loss, averaged",
            _of(lambda fit, kl, beta: (beta * kl.sum(dim=1) - fit).mean()),
            "This is a loss, averaged over the batch. Asked for is the ELBO of each image: (B,).",
        ),
        Misconception(
            "KL averaged over dimensions",
            _of(lambda fit, kl, beta: fit - beta * kl.mean(dim=1)),
            "You average the KL over the dimensions. Dimensions add up: with 32 of them the KL "
            "would be 32 times too weak.",
        ),
        Misconception(
            "KL of the whole batch",
            _of(lambda fit, kl, beta: fit - beta * kl.sum()),
            "From each image you take off the KL of the whole batch. Each pays for its own: sum "
            "over the dimensions alone, dim=1.",
        ),
        Misconception(
            "KL averaged over everything",
            _of(lambda fit, kl, beta: fit - beta * kl.mean()),
            "You take off a KL averaged over images and dimensions. Each image pays for its own, "
            "summed over its dimensions: .sum(dim=1).",
        ),
        Misconception(
            "KL averaged over images",
            _of(lambda fit, kl, beta: fit - beta * kl.sum(dim=1).mean()),
            "You take off the same KL from every image, that of an average one. Each pays for its "
            "own.",
        ),
        Misconception(
            "by dimension",
            _of(lambda fit, kl, beta: fit[:, None] - beta * kl),
            "You take each dimension's KL off the fit by itself. The whole image pays for all of "
            "its dimensions: sum them first.",
        ),
        Misconception(
            "all summed",
            _of(lambda fit, kl, beta: (fit - beta * kl.sum(dim=1)).sum()),
            "You add up the images. Each one's value is asked for: (B,).",
        ),
        Misconception(
            "all averaged",
            _of(lambda fit, kl, beta: (fit - beta * kl.sum(dim=1)).mean()),
            "You average over the images. Each one's value is asked for, (B,); the training "
            "averages.",
        ),
        Misconception(
            "fit averaged over pixels",
            _with_fit(lambda x, logits: by_pixel(x, logits).mean(dim=1)),
            "Your fit is averaged over the pixels. Pixels add up: with 784 of them averaged, the "
            "KL is 784 times too strong, and everything collapses onto the prior.",
        ),
        Misconception(
            "fit of the whole batch",
            _with_fit(lambda x, logits: by_pixel(x, logits).sum()),
            'Each image gets the fit of the whole batch, as by reduction="sum". Each has its own: '
            'reduction="none", and a sum over the pixels, dim=1.',
        ),
        Misconception(
            "fit averaged over everything",
            _with_fit(lambda x, logits: by_pixel(x, logits).mean()),
            "Each image gets one and the same fit, averaged over images and pixels, as torch does "
            'where nothing else is said. Each has its own: reduction="none", and a sum over the '
            "pixels, dim=1.",
        ),
        Misconception(
            "both averaged",
            lambda x, logits, mean, log_variance, beta=1.0: (
                _fit(x, logits) / x.shape[1]
                - beta * kl_by_dimension(mean, log_variance).mean(dim=1)
            ),
            "Both terms are averages, one over pixels, one over dimensions: of 784 numbers and of "
            "32. Both are sums; so the weight between them is off by 784 / 32.",
        ),
        Misconception(
            "sigmoid twice",
            _with_fit(lambda x, logits: _fit(x, torch.sigmoid(logits))),
            "In the fit the logits go through a sigmoid twice. Hand them over as they are.",
        ),
        Misconception(
            "logarithm of a sigmoid",
            _with_fit(
                lambda x, logits: (
                    x * torch.log(torch.sigmoid(logits))
                    + (1 - x) * torch.log(1 - torch.sigmoid(logits))
                ).sum(dim=1)
            ),
            "Right on paper. At a logit of 1000 the sigmoid is 1, 1 − sigmoid is 0, and its "
            "logarithm −∞. Stay with the logits: the log_bernoulli of 7.3 does.",
        ),
        Misconception(
            "cross-entropy of probabilities",
            _with_fit(
                lambda x, logits: (
                    -binary_cross_entropy(torch.sigmoid(logits), x, reduction="none").sum(dim=1)
                )
            ),
            "Given probabilities, torch cuts logarithms off at −100: every pixel that is wrong "
            "enough costs 100 nats. The log_bernoulli of 7.3 takes logits, and has no limit.",
        ),
        Misconception(
            "overflow",
            _with_fit(lambda x, logits: (x * logits - torch.log1p(torch.exp(logits))).sum(dim=1)),
            "Right on paper. At a logit of 1000 e^logit overflows, and the fit is −∞, where the "
            "pixel is right too. Take the log_bernoulli of 7.3, or softplus(logits).",
        ),
        Misconception(
            "squared error",
            _with_fit(lambda x, logits: -0.5 * ((x - torch.sigmoid(logits)) ** 2).sum(dim=1)),
            "Your fit is a squared error, a normal distribution's. Take the log_bernoulli of 7.3.",
        ),
        Misconception(
            "KL of a variance squared",
            _with_kl(lambda mean, log_variance: kl_by_dimension(mean, 2 * log_variance)),
            "Your fit is right. In the KL exp(log_variance) is taken for a standard deviation: it "
            "is the variance.",
        ),
        Misconception(
            "log_variance held within limits",
            _with_kl(lambda mean, log_variance: kl_by_dimension(mean, log_variance.clamp(-5, 5))),
            "In the KL you hold log_variance between −5 and 5. Beyond these the KL is too low, and "
            "no gradient draws log_variance back. The kl of 7.1 needs no limits.",
        ),
        Misconception(
            "KL without its half",
            _with_kl(lambda mean, log_variance: 2 * kl_by_dimension(mean, log_variance)),
            "You take twice the KL off: its ½ is missing. Your `kl` of 7.1 has it.",
        ),
        Misconception(
            "KL at the mean",
            _with_kl(lambda mean, log_variance: 0.5 * (mean**2 - log_variance)),
            "You take off log q − log p at q's mean. KL is its average under q: the kl of 7.1.",
        ),
        Misconception(
            "KL reversed",
            _with_kl(
                lambda mean, log_variance: (
                    0.5 * (log_variance + (1 + mean**2) * torch.exp(-log_variance) - 1)
                )
            ),
            "You take off KL(prior ‖ q). The ELBO has KL(q ‖ prior), the kl of 7.1.",
        ),
        Misconception(
            "KL detached",
            _of(lambda fit, kl, beta: fit - beta * kl.sum(dim=1).detach()),
            "The values are right, and the KL carries no gradient: the encoder would climb the fit "
            "alone, as with beta = 0, whatever the printed numbers say.",
        ),
    ),
    hints=(
        "Two terms of each image: its fit, summed over pixels, and its KL, summed over dimensions. "
        "Which of them does beta weigh, and with which sign?",
        "log_bernoulli(x, logits) is the fit, kl(mean, log_variance).sum(dim=1) the KL.",
        "log_bernoulli(x, logits) − beta · kl(mean, log_variance).sum(dim=1).",
    ),
)
