"""Check of unit 07, exercise 7.3: log p(x given z) of an image, from the decoder's logits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Bernoulli, ContinuousBernoulli
from torch.nn.functional import binary_cross_entropy, logsigmoid, softplus

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

# 7.3 · The likelihood


def by_pixel(x: Tensor, logits: Tensor) -> Tensor:
    """x log σ(l) + (1 − x) log(1 − σ(l)), where log(1 − σ(l)) = −log(1 + eˡ); (B, P)."""
    return x * logits - softplus(logits)


def _log_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    if x.min() < 0 or x.max() > 1:
        raise ValueError("x leaves [0, 1]")
    return by_pixel(x, logits).sum(dim=1)


def _pixels_add_up(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, logits = args
    if x.shape[1] < 2:
        return None
    first = np.asarray(call(x[:, :1], logits[:, :1]))
    rest = np.asarray(call(x[:, 1:], logits[:, 1:]))
    if np.allclose(first + rest, result, rtol=1e-5, atol=1e-5):
        return None
    n = int(np.abs(first + rest - result).argmax())
    return Failure(
        "Given z the pixels are independent, so the logarithms of an image's first pixel and of "
        f"its others add up to the image's. For image {n}:",
        result[n],
        first[n] + rest[n],
        ("whole image", "in two parts"),
    )


def _images_alone(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, logits = args
    alone = np.asarray(call(x[-1:], logits[-1:]))
    if np.allclose(alone, result[-1:], rtol=1e-5, atol=1e-5):
        return None
    return Failure(
        "An image's likelihood does not depend on the others in the batch. The last one's:",
        result[-1],
        alone[0],
        ("among others", "alone"),
    )


def _all_images_sum_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    logits = args[1][:1, :6]
    every = np.array(list(product([0.0, 1.0], repeat=logits.shape[1])))
    logs = np.asarray(call(every, np.tile(logits, (len(every), 1))))
    total = float(np.exp(logs).sum())
    if abs(total - 1) < 1e-4:
        return None
    images = f"Of {logits.shape[1]} black or white pixels there are {len(every)} images."
    return Failure(
        ("A pixel is black or white: two images." if logits.shape[1] == 1 else images)
        + " With the first row's logits, the exponentials of what you return for each of them "
        "should sum to 1.",
        total,
        1.0,
    )


def _negatives(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    again = np.asarray(call(1 - args[0], -args[1]))
    if np.allclose(again, result, rtol=1e-5, atol=1e-5):
        return None
    n = int(np.abs(again - result).argmax())
    return Failure(
        "Black and white were exchanged, and the sign of every logit with them: the same image "
        f"under other names. Image {n}:",
        again[n],
        result[n],
        AFTER_BEFORE,
    )


def _a_unit_is_a_nat(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    white = np.zeros((2, 1))
    near, far = np.asarray(call(white, np.array([[500.0], [501.0]])))
    if abs(near + 500) < 1e-3 and abs(far + 501) < 1e-3:
        return None
    return Failure(
        "A white pixel (0) has the log probability −500 where its logit is 500, and a nat less for "
        "each unit more: no limit, no rounding, and no small number under a logarithm should hide "
        "how wrong that is. At 501 and 500 yours are:",
        far,
        near,
        ("at 501", "at 500"),
    )


def _over_pixels(of: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """An answer that sums ``of(x, logits)``, (B, P), over pixels."""
    return lambda x, logits: of(x, logits).sum(dim=1)


def _of_probabilities(x: Tensor, chance: Tensor) -> Tensor:
    return x * torch.log(chance) + (1 - x) * torch.log(1 - chance)


def _only_two_values(x: Tensor, logits: Tensor) -> Tensor:
    return Bernoulli(logits=logits, validate_args=True).log_prob(x).sum(dim=1)


def _only_below(x: Tensor, logits: Tensor) -> Tensor:
    if x.min() < 0:
        raise ValueError("x leaves [0, 1]")
    return by_pixel(x, logits).sum(dim=1)


def _only_above(x: Tensor, logits: Tensor) -> Tensor:
    if x.max() > 1:
        raise ValueError("x leaves [0, 1]")
    return by_pixel(x, logits).sum(dim=1)


_random = np.random.default_rng(73)
_SOME = _random.normal(scale=2.0, size=(2, 4)).round(1) + 0.05
_MORE = _random.normal(scale=3.0, size=(12, 20)).round(1) + 0.05
_OUTSIDE = "is no pixel's value: outside [0, 1] the cross-entropy is unbounded below."

log_bernoulli = Exercise(
    number="7.3",
    name="log_bernoulli",
    reference=_log_bernoulli,
    tensors=True,
    gradients=("logits",),
    cases=(
        Case("one image of one pixel, black", (np.array([[1.0]]), np.array([[0.5]]))),
        Case("one image of one pixel, white", (np.array([[0.0]]), np.array([[-2.0]]))),
        Case(
            "one image of three pixels",
            (np.array([[1.0, 0.0, 0.0]]), np.array([[3.0, -1.0, 0.5]])),
        ),
        Case(
            "two images of four pixels",
            (np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]]), _SOME),
        ),
        Case(
            "one image of four grey pixels",
            (np.array([[0.2, 0.5, 0.75, 0.9]]), np.array([[-1.0, 0.5, 2.0, -3.0]])),
        ),
        Case(
            "logits of ±1000, half of them wrong",
            (
                np.array([[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]]),
                np.array([[1000.0, -1000.0, -1000.0, 1000.0], [1000.0, 1.0, -1000.0, 2.0]]),
            ),
        ),
        Case("twelve images of twenty pixels", ((_random.random((12, 20)) < 0.4) * 1.0, _MORE)),
        Case(
            "a pixel of −1",
            (np.array([[1.0, -1.0]]), np.array([[0.5, -2.0]])),
            refused=f"−1 {_OUTSIDE}",
        ),
        Case(
            "a pixel of 1.5",
            (np.array([[1.0, 0.0], [1.5, 0.0]]), np.array([[0.5, -2.0], [1.0, 1.0]])),
            refused=f"1.5 {_OUTSIDE}",
        ),
    ),
    properties=(
        Property("pixels add up", _pixels_add_up),
        Property("each image is on its own", _images_alone),
        Property("all images of black and white pixels sum to 1", _all_images_sum_to_one),
        Property("a photographic negative is as probable", _negatives),
        Property("far out a unit of the logit is a nat", _a_unit_is_a_nat),
    ),
    misconceptions=(
        Misconception(
            "sigmoid twice",
            _over_pixels(lambda x, logits: by_pixel(x, torch.sigmoid(logits))),
            "You send the logits through a sigmoid, and then through a formula that does so once "
            "more. The versions for logits take them as they are.",
        ),
        Misconception(
            "logits taken for probabilities",
            _over_pixels(_of_probabilities),
            "You take the logarithm of the logits, as if they were probabilities. They may be any "
            "number: the probability is sigmoid(logit).",
        ),
        Misconception(
            "averaged over pixels",
            lambda x, logits: by_pixel(x, logits).mean(dim=1),
            "You average over the pixels, as torch does where nothing else is said. An image's log "
            "probability is a sum: with 784 pixels averaged the KL would be 784 times too strong.",
        ),
        Misconception(
            "averaged over everything",
            lambda x, logits: by_pixel(x, logits).mean(),
            "A single number, averaged over images and pixels, as torch does where nothing else is "
            "said (`reduction`). Sum over the pixels, and keep the images apart: (B,).",
        ),
        Misconception(
            "summed over everything",
            lambda x, logits: by_pixel(x, logits).sum(),
            "You add up the images as well. One number an image is asked for: (B,).",
        ),
        Misconception(
            "summed over images",
            lambda x, logits: by_pixel(x, logits).sum(dim=0),
            "You add up over the images, and pixels are left. Pixels are the second axis: dim=1.",
        ),
        Misconception(
            "not summed",
            by_pixel,
            "These are the pixels' log probabilities. Given z they are independent: an image's is "
            "their sum.",
        ),
        Misconception(
            "a loss",
            lambda x, logits: -by_pixel(x, logits).sum(dim=1),
            "This is the cross-entropy, a loss. The log *probability* is minus that, and never "
            "above 0.",
        ),
        Misconception(
            "a loss, averaged",
            lambda x, logits: -by_pixel(x, logits).mean(),
            "This is the cross-entropy averaged over images and pixels, with the sign of a loss. "
            "Asked for is a log probability, −cross-entropy, summed over pixels, for each image.",
        ),
        Misconception(
            "a loss of each pixel",
            lambda x, logits: -by_pixel(x, logits),
            "This is each pixel's cross-entropy. Asked for is minus that, summed over pixels.",
        ),
        Misconception(
            "black pixels alone",
            _over_pixels(lambda x, logits: x * logsigmoid(logits)),
            "You count the pixels that are on. A white pixel is evidence too: (1 − x) log(1 − p), "
            "as in unit 01.",
        ),
        Misconception(
            "black and white exchanged",
            _over_pixels(lambda x, logits: by_pixel(1 - x, logits)),
            "You take the logits for those of white. They are the log odds of a pixel being 1.",
        ),
        Misconception(
            "no logarithm",
            lambda x, logits: by_pixel(x, logits).sum(dim=1).exp(),
            "This is the probability itself. Of 784 pixels it is below anything a computer can "
            "hold: stay in logarithms.",
        ),
        Misconception(
            "no exponential's logarithm",
            _over_pixels(lambda x, logits: x * logits),
            "x · logit alone is not normalised: take off log(1 + e^logit), which is "
            "softplus(logit).",
        ),
        Misconception(
            "logarithm of a sigmoid",
            _over_pixels(lambda x, logits: _of_probabilities(x, torch.sigmoid(logits))),
            "Right on paper. At a logit of 1000 the sigmoid is 1, 1 − sigmoid is 0, and its "
            "logarithm −∞; −∞ times 0 is no number. Stay with the logits: "
            "log(1 − σ(l)) = −softplus(l).",
        ),
        Misconception(
            "overflow",
            _over_pixels(lambda x, logits: x * logits - torch.log1p(torch.exp(logits))),
            "Right on paper. At a logit of 1000 e^logit overflows: infinitely many nats, where the "
            "pixel is right too. torch.nn.functional.softplus is log(1 + e^logit) without that.",
        ),
        Misconception(
            "arguments exchanged",
            _over_pixels(lambda x, logits: by_pixel(logits, x)),
            "Pixels and logits have changed places. In torch's binary_cross_entropy_with_logits "
            "the logits come first, and the pixels, its target, second.",
        ),
        Misconception(
            "cross-entropy of probabilities",
            _over_pixels(
                lambda x, logits: -binary_cross_entropy(torch.sigmoid(logits), x, reduction="none")
            ),
            "Given probabilities, torch cuts logarithms off at −100: every pixel that is wrong "
            "enough costs 100 nats, and no gradient says by how much. Its version for logits needs "
            "no limit.",
        ),
        Misconception(
            "a small number under the logarithm",
            _over_pixels(
                lambda x, logits: (
                    x * torch.log(torch.sigmoid(logits) + 1e-8)
                    + (1 - x) * torch.log(1 - torch.sigmoid(logits) + 1e-8)
                )
            ),
            "A small number under the logarithm keeps it finite, and wrong: a pixel costs at most "
            "18 nats then. Stay with the logits: log(1 − σ(l)) = −softplus(l).",
        ),
        Misconception(
            "squared error",
            _over_pixels(lambda x, logits: -0.5 * (x - torch.sigmoid(logits)) ** 2),
            "A squared error belongs to a normal distribution of pixels, here one of variance 1. "
            "These pixels are Bernoulli's.",
        ),
        Misconception(
            "squared error, no half",
            _over_pixels(lambda x, logits: -((x - torch.sigmoid(logits)) ** 2)),
            "A squared error is a normal distribution's, but for factors. These pixels are "
            "Bernoulli's: x log p + (1 − x) log(1 − p).",
        ),
        Misconception(
            "softmax over pixels",
            _over_pixels(lambda x, logits: x * torch.log_softmax(logits, dim=1)),
            "Your softmax makes the pixels share one unit of probability, as if one single pixel "
            "were drawn. Each pixel is on or off by itself: a sigmoid for each.",
        ),
        Misconception(
            "continuous Bernoulli",
            _over_pixels(lambda x, logits: ContinuousBernoulli(logits=logits).log_prob(x)),
            "This is the *continuous* Bernoulli, a density of grey pixels, with its normaliser. "
            "Here x is 0 or 1 in the model, and probabilities of the two sum to 1 without it.",
        ),
        Misconception(
            "grey rounded",
            _over_pixels(lambda x, logits: by_pixel((x > 0.5).to(x.dtype), logits)),
            "You make grey pixels black or white first. How pixels are made binary is somebody "
            "else's business, and here x goes into the formula as it is.",
        ),
        Misconception(
            "grey refused",
            _only_two_values,
            "Yours refuses grey pixels. Only what leaves [0, 1] is to be refused: between 0 and 1 "
            "the formula means something else, as you will see, but it has a floor.",
        ),
        Misconception(
            "detached",
            _over_pixels(lambda x, logits: by_pixel(x, logits.detach())),
            "The numbers are right, and no gradient goes back to the logits: the decoder would "
            "never learn. Compute with the tensor itself.",
        ),
        Misconception(
            "nothing refused",
            _over_pixels(by_pixel),
            "Right where pixels lie in [0, 1], and you do not look whether they do. That is how "
            "the recipe's network ran away: for a pixel of −1 the loss falls for ever. Look "
            "first, and `raise ValueError(…)`.",
        ),
        Misconception(
            "clipped",
            _over_pixels(lambda x, logits: by_pixel(x.clamp(0, 1), logits)),
            "You clip what leaves [0, 1] and go on in silence. Whoever handed −1 over meant "
            "something else, and learns from data that are not theirs: `raise ValueError(…)`.",
        ),
        Misconception(
            "only what is below 0 refused",
            _only_below,
            "You refuse what is below 0, and not what is above 1, grey levels up to 255 say. Both "
            "ends are unbounded.",
        ),
        Misconception(
            "only what is above 1 refused",
            _only_above,
            "You refuse what is above 1, and not what is below 0, the recipe's −1 say. Both ends "
            "are unbounded.",
        ),
    ),
    hints=(
        "A pixel's log probability is x log p + (1 − x) log(1 − p), with p = sigmoid(logit). What "
        "are log p and log(1 − p) as functions of the logit?",
        "log(1 − p) = −softplus(logit), log p = logit − softplus(logit): "
        "torch.nn.functional.softplus is log(1 + e^l) without overflow. Sum over dim=1.",
        "(x · logits − softplus(logits)).sum(dim=1), after a look at x: "
        "`if x.min() < 0 or x.max() > 1: raise ValueError(…)`.",
    ),
)
