"""Checks of unit 01, exercise 1.6: a score on images held out, and the choice of K.

Names and shapes as in :mod:`latentsteps.checks.multinomial_mnist`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from latentsteps.checks.exercise import (
    Case,
    Exercise,
    Failure,
    Misconception,
    Property,
)
from latentsteps.checks.task import AFTER_BEFORE

Fit = tuple[NDArray, NDArray]
"""The weights (K,) and the probabilities (K, D) of one fitted mixture."""

_random = np.random.default_rng(3)


def _pixels(*shape: int) -> NDArray:
    return (_random.random(shape) < 0.4).astype(np.uint8)


def _fit(k: int, d: int) -> Fit:
    return _random.dirichlet(np.ones(k)), 0.05 + 0.9 * _random.random((k, d))


# 1.6 · Scores on held-out images, and the choice of K


def _log_joint(x: NDArray, fit: Fit) -> NDArray:
    weights, probabilities = fit
    log_p = x @ np.log(probabilities).T + (1 - x) @ np.log1p(-probabilities).T
    return log_p + np.log(weights)


def _held_out_scores(fits: Sequence[Fit], train: NDArray, held_out: NDArray) -> NDArray:
    return np.array([logsumexp(_log_joint(held_out, fit), axis=1).mean() for fit in fits])


def _training_is_not_used(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    fits, train, held_out = args
    again = np.asarray(call(fits, 1 - train, held_out))
    if np.allclose(again, result, atol=1e-6):
        return None
    return Failure(
        "The training images were replaced by others, and your scores changed. The fits have seen "
        "those images already: score the others.",
        again,
        result,
        AFTER_BEFORE,
    )


def _twice_as_many(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    fits, train, held_out = args
    again = np.asarray(call(fits, train, np.concatenate([held_out, held_out])))
    if np.allclose(again, result, atol=1e-6):
        return None
    return Failure(
        "Every held-out image was put in twice. The score of an average image should stay as it "
        "is, and yours changed.",
        again,
        result,
        AFTER_BEFORE,
    )


held_out_scores = Exercise(
    number="1.6a",
    name="held_out_scores",
    reference=_held_out_scores,
    cases=(
        Case(
            "one fit with one cluster, one image on each side",
            (
                [(np.array([1.0]), np.array([[0.8, 0.3]]))],
                np.array([[1, 1]], dtype=np.uint8),
                np.array([[1, 0]], dtype=np.uint8),
            ),
        ),
        Case(
            "two fits, three training and two held-out images",
            ([_fit(1, 4), _fit(2, 4)], _pixels(3, 4), _pixels(2, 4)),
        ),
        Case(
            "three fits, twenty training and fifteen held-out images",
            ([_fit(2, 9), _fit(4, 9), _fit(8, 9)], _pixels(20, 9), _pixels(15, 9)),
        ),
    ),
    properties=(
        Property("the training images have no say", _training_is_not_used),
        Property("the score is that of an average image", _twice_as_many),
    ),
    misconceptions=(
        Misconception(
            "training images",
            lambda fits, train, held_out: _held_out_scores(fits, held_out, train),
            "You score the images the mixtures were fitted to. On those, more clusters always "
            "look better. Score the images that were held out.",
        ),
        Misconception(
            "a sum",
            lambda fits, train, held_out: _held_out_scores(fits, train, held_out) * len(held_out),
            "You add up over the images, so the number grows with how many there are. Take the "
            "mean: nats per image.",
        ),
        Misconception(
            "nats per pixel",
            lambda fits, train, held_out: (
                _held_out_scores(fits, train, held_out) / held_out.shape[1]
            ),
            "You divided by the number of pixels as well. Nats per image are asked for.",
        ),
        Misconception(
            "weights forgotten",
            lambda fits, train, held_out: _held_out_scores(
                [(np.ones_like(weights), probabilities) for weights, probabilities in fits],
                train,
                held_out,
            ),
            "The weights are missing. Without them the clusters' probabilities add up to more than "
            "an image has, and the more clusters, the more so.",
        ),
        Misconception(
            "best cluster only",
            lambda fits, train, held_out: np.array(
                [_log_joint(held_out, fit).max(axis=1).mean() for fit in fits]
            ),
            "You score an image by its best cluster. Its probability under the mixture is the sum "
            "over all of them.",
        ),
    ),
    hints=(
        "You wrote an image's log probability under a mixture in exercise 1.5, first term.",
        "For each (weights, probabilities) in fits: log_sum_exp of log_likelihoods plus log "
        "weights, then the mean over the held-out images.",
        "[log_sum_exp(log_likelihoods(held_out, p) + np.log(w)).mean() for w, p in fits], as an "
        "array",
    ),
)


def _choose_k(candidates: Sequence[int], train: NDArray, held_out: NDArray) -> int:
    return int(candidates[int(np.argmax(held_out))])


def _training_has_no_say(call: Callable, args: tuple, result: int) -> Failure | None:
    candidates, train, held_out = args
    again = call(candidates, train[::-1].copy(), held_out)
    if again == result:
        return None
    return Failure(
        "The training scores were swapped round, and your choice changed.",
        again,
        result,
        AFTER_BEFORE,
    )


def _order_does_not_matter(call: Callable, args: tuple, result: int) -> Failure | None:
    candidates, train, held_out = args
    again = call(candidates[::-1], train[::-1].copy(), held_out[::-1].copy())
    if again == result:
        return None
    return Failure(
        "The same candidates were listed in another order, and your choice changed.",
        again,
        result,
        AFTER_BEFORE,
    )


choose_k = Exercise(
    number="1.6b",
    name="choose_k",
    reference=_choose_k,
    cases=(
        Case(
            "three candidates",
            ([2, 5, 10], np.array([-200.0, -180.0, -170.0]), np.array([-203.0, -190.0, -192.0])),
        ),
        Case(
            "four candidates, not in order",
            (
                [50, 10, 20, 100],
                np.array([-142.0, -165.0, -152.0, -139.0]),
                np.array([-150.0, -168.0, -156.0, -151.0]),
            ),
        ),
        Case(
            "the smallest is best",
            ([1, 2, 3], np.array([-9.0, -8.0, -7.0]), np.array([-9.5, -9.75, -11.0])),
        ),
        Case(
            "the largest is best, by half a nat",
            (
                [20, 40, 10],
                np.array([-145.5, -146.0, -165.0]),
                np.array([-150.0, -149.5, -168.0]),
            ),
        ),
    ),
    properties=(
        Property("the training scores have no say", _training_has_no_say),
        Property("the order of the list does not matter", _order_does_not_matter),
    ),
    misconceptions=(
        Misconception(
            "by training score",
            lambda candidates, train, held_out: int(candidates[int(np.argmax(train))]),
            "You chose by the training score. It rises with nearly every cluster that is added, so "
            "it would always choose the most.",
        ),
        Misconception(
            "the position",
            lambda candidates, train, held_out: int(np.argmax(held_out)),
            "This is the position in the list. The number of clusters that stands there is asked "
            "for.",
        ),
        Misconception(
            "the score",
            lambda candidates, train, held_out: float(np.max(held_out)),
            "This is the best score itself. Which K reached it?",
        ),
        Misconception(
            "the lowest",
            lambda candidates, train, held_out: int(candidates[int(np.argmin(held_out))]),
            "You chose the lowest score. These are log probabilities: less negative is better.",
        ),
        Misconception(
            "the smallest gap",
            lambda candidates, train, held_out: int(candidates[int(np.argmin(train - held_out))]),
            "You chose the K whose two scores differ least. A mixture that fits neither set has a "
            "small gap too: choose by the held-out score itself.",
        ),
    ),
    hints=(
        "Which of the two lists of scores tells you about images not seen yet?",
        "np.argmax(held_out) is a position; look up what stands there.",
        "candidates[int(np.argmax(held_out))]",
    ),
)
