"""Checks of unit 01: exercises 1.A, 1.1 and 1.2; the others are brought in from
five more files, so that a notebook needs one name.

Images are rows ``x``, (N, D), of zeros and ones; a cluster k is a row of ``probabilities``, (K, D),
the chance of each pixel to be on, and a share ``weights[k]`` of all images. The references follow
Bishop (2006), *Pattern Recognition and Machine Learning*, section 9.3.3.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import (
    Case,
    Exercise,
    Failure,
    Misconception,
    Property,
)
from latentsteps.checks.multinomial_mnist_fit import (
    objective,
    update_probabilities,
    update_weights,
)
from latentsteps.checks.multinomial_mnist_more import (
    level_log_likelihoods,
    update_level_probabilities,
    update_toward,
)
from latentsteps.checks.multinomial_mnist_questions import (
    beta_mode,
    hard_and_soft,
    nats,
    never_returns,
)
from latentsteps.checks.multinomial_mnist_sample import sample
from latentsteps.checks.multinomial_mnist_use import choose_k, held_out_scores
from latentsteps.checks.task import AFTER_BEFORE

__all__ = [
    "beta_mode",
    "choose_k",
    "hard_and_soft",
    "held_out_scores",
    "level_log_likelihoods",
    "log_likelihoods",
    "log_sum_exp",
    "nats",
    "never_returns",
    "objective",
    "responsibilities",
    "sample",
    "update_level_probabilities",
    "update_probabilities",
    "update_toward",
    "update_weights",
]

EVERY_IMAGE = np.array(list(product([0, 1], repeat=8)), dtype=np.uint8)
"""All 256 images of eight pixels: their probabilities add up to one."""

_random = np.random.default_rng(1)


def _pixels(*shape: int) -> NDArray:
    return (_random.random(shape) < 0.4).astype(np.uint8)


def _pictures(*shape: int) -> NDArray:
    """Probabilities between .05 and .95."""
    return 0.05 + 0.9 * _random.random(shape)


# 1.A · Log-sum-exp


def _log_sum_exp(a: NDArray) -> NDArray:
    largest = a.max(axis=1)
    return largest + np.log(np.exp(a - largest[:, None]).sum(axis=1))


def _shifts(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    shifted = np.asarray(call(args[0] - 300.0)) + 300.0
    if np.allclose(shifted, result, rtol=0, atol=1e-3):  # also in single precision
        return None
    return Failure(
        "Taking 300 from every entry of a row should take 300 from its result, and does not.",
        shifted - 300.0,
        result,
        AFTER_BEFORE,
    )


log_sum_exp = Exercise(
    number="1.A",
    name="log_sum_exp",
    reference=_log_sum_exp,
    cases=(
        Case("one row, log 1 and log 3", (np.log([[1.0, 3.0]]),)),
        Case("two rows of three", (np.array([[0.0, -1.0, 2.0], [5.0, 5.0, 5.0]]),)),
        Case("a row near −5000", (np.array([[-5000.0, -5001.0, -5003.0]]),)),
        Case("a row near +900", (np.array([[900.0, 901.0]]),)),
        Case("entries and rows far apart", (np.array([[0.0, -1000.0], [-2000.0, -1000.0]]),)),
    ),
    properties=(Property("a shift of a row shifts the result", _shifts),),
    misconceptions=(
        Misconception(
            "exponent first",
            lambda a: np.log(np.exp(a).sum(axis=1)),
            "This is the definition, and right on paper; but exp(−5000) is 0 in the computer and "
            "exp(900) is infinite. Take the row's largest entry out before you exponentiate, and "
            "add it back after the logarithm.",
        ),
        Misconception(
            "maximum not added back",
            lambda a: np.log(np.exp(a - a.max(axis=1, keepdims=True)).sum(axis=1)),
            "You take the largest entry out, which is what keeps the exponentials in range. It has "
            "to come back: log Σ exp(a) = m + log Σ exp(a − m).",
        ),
        Misconception(
            "one maximum for all rows",
            lambda a: a.max() + np.log(np.exp(a - a.max()).sum(axis=1)),
            "You take out the largest entry of the whole table. In a row that lies far below it "
            "every exponential is 0 all the same: take out each row's own largest entry.",
        ),
        Misconception(
            "not the largest",
            lambda a: a.min(axis=1) + np.log(np.exp(a - a.min(axis=1, keepdims=True)).sum(axis=1)),
            "You take out the smallest entry, so that the others become large, and exp(1000) is "
            "infinite. With the largest taken out no exponent is above 0.",
        ),
        Misconception(
            "maximum alone",
            lambda a: a.max(axis=1),
            "The largest entry is close when it stands out, and log 2 too low when two entries "
            "tie. The others still have to be added in.",
        ),
        Misconception(
            "over the columns",
            lambda a: _log_sum_exp(a.T),
            "You summed down the columns. Each row is one image with one entry per cluster, so one "
            "number per row is due.",
        ),
    ),
    hints=(
        "Write exp(a) as exp(m) · exp(a − m) and take exp(m) out of the sum.",
        "With m the largest entry of the row, no exponent is above 0 and one is exactly 0: the sum "
        "lies between 1 and the row's length.",
        "m = a.max(axis=1); then m + log of the row sums of exp(a − m[:, None]).",
    ),
)


# 1.1 · Log-likelihoods


def _log_likelihoods(x: NDArray, probabilities: NDArray) -> NDArray:
    on, off = np.log(probabilities), np.log1p(-probabilities)
    # x on + (1 − x) off = x (on − off) + off: one matrix product for all pairs.
    return x @ (on - off).T + off.sum(axis=1)


def _pixel_by_pixel(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, probabilities = args
    for n, k in product(range(min(len(x), 6)), range(len(probabilities))):
        total = 0.0
        for pixel, p in zip(x[n], probabilities[k], strict=True):
            total += np.log(p) if pixel else np.log(1 - p)
        if abs(result[n, k] - total) > 1e-5 * max(1.0, abs(total)):
            return Failure(
                f"Adding up image {n} pixel by pixel under cluster {k} gives another number.",
                result[n, k],
                total,
            )
    return None


def _all_images_sum_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if len(args[0]) == 1:  # with one image the numbers themselves say more
        return None
    probabilities = args[1][:, :8]
    every_image = EVERY_IMAGE[: 2 ** probabilities.shape[1], -probabilities.shape[1] :]
    totals = np.exp(np.asarray(call(every_image, probabilities))).sum(axis=0)
    if np.allclose(totals, 1.0, atol=1e-5):
        return None
    worst = totals[np.abs(totals - 1).argmax()]
    return Failure(
        f"There are {len(every_image)} different images of {probabilities.shape[1]} pixels. Under "
        "one cluster their probabilities must add up to 1.",
        worst,
        1.0,
    )


log_likelihoods = Exercise(
    number="1.1",
    name="log_likelihoods",
    reference=_log_likelihoods,
    cases=(
        Case(
            "one image of two pixels, one cluster",
            (np.array([[1, 0]], dtype=np.uint8), np.array([[0.8, 0.3]])),
        ),
        Case(
            "three images of three pixels, two clusters",
            (
                np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1]], dtype=np.uint8),
                np.array([[0.9, 0.6, 0.2], [0.5, 0.1, 0.7]]),
            ),
        ),
        Case("five images of eight pixels, three clusters", (_pixels(5, 8), _pictures(3, 8))),
        Case(
            "four images of 784 pixels, ten clusters", (_pixels(4, 784), 0.2 * _pictures(10, 784))
        ),
    ),
    properties=(
        Property("adding up pixel by pixel gives the same", _pixel_by_pixel),
        Property("all 256 tiny images together have probability 1", _all_images_sum_to_one),
    ),
    misconceptions=(
        Misconception(
            "on pixels alone",
            lambda x, probabilities: x @ np.log(probabilities).T,
            "You count the pixels that are on. A pixel that is off is evidence as well: where a "
            "cluster expects ink and finds none, it has to pay log(1 − θ).",
        ),
        Misconception(
            "a product of factors",
            lambda x, probabilities: np.log(
                np.prod(np.where(x[:, None, :], probabilities, 1 - probabilities), axis=2)
            ),
            "The product is right on paper and for tiny images. With 784 factors below 1 it falls "
            "below the smallest number the computer has, becomes 0, and its logarithm −∞. Take "
            "logarithms first and add.",
        ),
        Misconception(
            "a probability, not its logarithm",
            lambda x, probabilities: np.exp(_log_likelihoods(x, probabilities)),
            "These are the probabilities themselves. Their logarithms are asked for: for 784 "
            "pixels the probabilities are too small to be stored.",
        ),
        Misconception(
            "the logarithm of a sum",
            lambda x, probabilities: np.log(x @ probabilities.T + (1 - x) @ (1 - probabilities).T),
            "You add the pixels' probabilities and take the logarithm of the sum. Independent "
            "pixels multiply, so it is their logarithms that add.",
        ),
        Misconception(
            "a mean over pixels",
            lambda x, probabilities: _log_likelihoods(x, probabilities) / x.shape[1],
            "You averaged over the pixels. An image's log probability is the sum; the mean makes "
            "all clusters look nearly alike.",
        ),
    ),
    hints=(
        "One pixel gives log θ if it is on and log(1 − θ) if it is off. How do you write that as "
        "one formula in x?",
        "x log θ + (1 − x) log(1 − θ), summed over pixels. Each half is a matrix product.",
        "x @ log(probabilities).T + (1 − x) @ log(1 − probabilities).T",
    ),
)

# 1.2 · Responsibilities


def _responsibilities(log_p: NDArray, weights: NDArray) -> NDArray:
    with np.errstate(divide="ignore"):  # log 0 = −∞ is right for a cluster of weight 0
        log_joint = log_p + np.log(weights)
    return np.exp(log_joint - _log_sum_exp(log_joint)[:, None])


def _rows_sum_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    totals = result.sum(axis=1)
    if np.allclose(totals, 1.0):
        return None
    n = int(np.abs(totals - 1).argmax())
    return Failure(f"Image {n} shares itself out: its row must sum to 1.", totals[n], 1.0)


def _a_row_may_shift(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    shifted = np.asarray(call(args[0] - 500.0, args[1]))
    if np.allclose(shifted, result, atol=1e-3):  # also in single precision
        return None
    return Failure(
        "If every cluster finds an image 500 nats less likely, the shares stay as they are. "
        "Yours change.",
        shifted,
        result,
        AFTER_BEFORE,
    )


def _over_images(log_p: NDArray, weights: NDArray) -> NDArray:
    joint = weights * np.exp(log_p)
    return joint / joint.sum(axis=0)


responsibilities = Exercise(
    number="1.2",
    name="responsibilities",
    reference=_responsibilities,
    cases=(
        Case("one image, two clusters", (np.log([[0.2, 0.6]]), np.array([0.5, 0.5]))),
        Case("one image, unequal weights", (np.log([[0.2, 0.6]]), np.array([0.9, 0.1]))),
        Case(
            "two images, three clusters",
            (np.array([[-1.0, -2.0, -1.5], [-3.0, -2.0, -4.0]]), np.array([0.2, 0.5, 0.3])),
        ),
        Case(
            "an image at −900 nats under both clusters, and one far below it",
            (np.array([[-900.0, -901.0], [-1750.0, -1749.0]]), np.array([0.4, 0.6])),
        ),
        Case(
            "three clusters, one of weight 0",
            (np.array([[-5.0, -4.0, -6.0]]), np.array([0.5, 0.0, 0.5])),
        ),
    ),
    properties=(
        Property("rows sum to 1", _rows_sum_to_one),
        Property("an image may be unlikely everywhere", _a_row_may_shift),
    ),
    misconceptions=(
        Misconception(
            "weights forgotten",
            lambda log_p, weights: _responsibilities(log_p, np.ones_like(weights)),
            "The clusters' weights are not in it. Before an image is seen, a large cluster is the "
            "better guess: a rare one needs stronger evidence.",
        ),
        Misconception(
            "weights without a logarithm",
            lambda log_p, weights: np.exp(log_p + weights - _log_sum_exp(log_p + weights)[:, None]),
            "You add the weights themselves to log probabilities. In log space it is log π that "
            "is added.",
        ),
        Misconception(
            "normalised over images",
            _over_images,
            "Your columns sum to 1: each cluster is shared out over the images. It is each image "
            "that shares itself out over the clusters, so the rows must sum to 1.",
        ),
        Misconception(
            "exponent first",
            lambda log_p, weights: (
                weights * np.exp(log_p) / (weights * np.exp(log_p)).sum(axis=1, keepdims=True)
            ),
            "This is Bayes' rule, and right on paper. But exp(−900) is 0 in the computer, and 0/0 "
            "is no number. Stay in logarithms until the largest entry of each row has been "
            "subtracted.",
        ),
        Misconception(
            "one maximum for all rows",
            lambda log_p, weights: (
                weights
                * np.exp(log_p - log_p.max())
                / (weights * np.exp(log_p - log_p.max())).sum(axis=1, keepdims=True)
            ),
            "You subtract the largest entry of the whole table. In a row that lies far below it "
            "every exponential is 0 all the same: subtract each row's own largest entry.",
        ),
        Misconception(
            "the logarithm returned",
            lambda log_p, weights: np.log(_responsibilities(log_p, weights)),
            "These are the logarithms of the responsibilities. Exponentiate at the very end, when "
            "it is safe.",
        ),
        Misconception(
            "the winner takes all",
            lambda log_p, weights: np.eye(len(weights))[(log_p + np.log(weights)).argmax(axis=1)],
            "You give each image to its best cluster. That is the hard step of classification EM; "
            "here each image is shared in proportion to π_k p(x | k).",
        ),
    ),
    hints=(
        "Bayes: r is proportional to π_k p(x | k). What is its logarithm?",
        "log_p + log(weights) is the logarithm of the numerator. The logarithm of the denominator "
        "is log_sum_exp of its rows.",
        "log_joint = log_p + np.log(weights); r = np.exp(log_joint − log_sum_exp(log_joint)[:, "
        "None])",
    ),
    tolerance=1e-4,  # at −900 nats single precision is good to 6e-5 nats
)
