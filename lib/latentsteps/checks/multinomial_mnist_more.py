"""Checks of unit 01, exercises 1.8 and 1.9: other models, another prior.

Grey images come as ``levels``, (N, D), whole numbers from 0 to L − 1; a cluster gives each pixel a
probability for each level: ``probabilities``, (K, D, L), summing to one over the last axis.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

_random = np.random.default_rng(4)


def _pixels(*shape: int) -> NDArray:
    return (_random.random(shape) < 0.4).astype(np.uint8)


def _levels(n: int, d: int, n_levels: int) -> NDArray:
    return _random.integers(n_levels, size=(n, d)).astype(np.uint8)


def _pictures(k: int, d: int, n_levels: int) -> NDArray:
    return _random.dirichlet(np.full(n_levels, 2.0), size=(k, d))


def _shares(n: int, k: int) -> NDArray:
    return _random.dirichlet(np.ones(k), size=n)


# 1.8 · A categorical mixture over grey levels


def _level_log_likelihoods(levels: NDArray, probabilities: NDArray) -> NDArray:
    indicators = np.eye(probabilities.shape[2])[levels]  # (N, D, L), a single 1 for each pixel
    return np.tensordot(indicators, np.log(probabilities), axes=((1, 2), (1, 2)))


def _all_grey_images_sum_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if len(args[0]) == 1:  # with one image the numbers themselves say more
        return None
    probabilities = args[1][:, :4]
    _, d, n_levels = probabilities.shape
    every_image = np.array(list(product(range(n_levels), repeat=d)), dtype=np.uint8)
    totals = np.exp(np.asarray(call(every_image, probabilities))).sum(axis=0)
    if np.allclose(totals, 1.0, atol=1e-5):
        return None
    return Failure(
        f"There are {len(every_image)} different images of {d} pixels with {n_levels} levels. "
        "Under one cluster their probabilities must add up to 1.",
        totals[np.abs(totals - 1).argmax()],
        1.0,
    )


def _two_levels_are_bernoulli(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if len(args[0]) == 1:
        return None
    on = args[1][:, :, -1]
    x = np.minimum(args[0], 1)
    got = np.asarray(call(x, np.stack([1 - on, on], axis=2)))
    expected = x @ np.log(on).T + (1 - x) @ np.log1p(-on).T
    if np.allclose(got, expected, atol=1e-5):
        return None
    return Failure(
        "With the last level for “on” and all others for “off” this is exercise 1.1 again, and "
        "yours differs from it.",
        got,
        expected,
    )


def _ink(levels: NDArray, probabilities: NDArray) -> NDArray:
    expected = probabilities @ np.arange(probabilities.shape[2])
    return levels @ np.log(expected / expected.sum(axis=1, keepdims=True)).T


def _grey_as_probability(levels: NDArray, probabilities: NDArray) -> NDArray:
    top = probabilities.shape[2] - 1
    grey, mean = levels / top, probabilities @ np.arange(top + 1) / top
    return grey @ np.log(mean).T + (1 - grey) @ np.log(1 - mean).T


level_log_likelihoods = Exercise(
    number="1.8a",
    name="level_log_likelihoods",
    reference=_level_log_likelihoods,
    cases=(
        Case(
            "one image of two pixels, three levels, one cluster",
            (
                np.array([[2, 0]], dtype=np.uint8),
                np.array([[[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]]]),
            ),
        ),
        Case(
            "three images of four pixels, three levels, two clusters",
            (_levels(3, 4, 3), _pictures(2, 4, 3)),
        ),
        Case(
            "six images of 50 pixels, four levels, five clusters",
            (_levels(6, 50, 4), _pictures(5, 50, 4)),
        ),
        Case(
            "two images of 784 pixels, four levels, three clusters",
            (_levels(2, 784, 4), _pictures(3, 784, 4)),
        ),
    ),
    properties=(
        Property("all tiny grey images together have probability 1", _all_grey_images_sum_to_one),
        Property("two levels give exercise 1.1", _two_levels_are_bernoulli),
    ),
    misconceptions=(
        Misconception(
            "multinomial over ink",
            _ink,
            "You count each pixel's ink and normalise over the pixels: that models where ink lands "
            "in an image, a multinomial over ink. Here each pixel takes one of L levels.",
        ),
        Misconception(
            "grey as a probability",
            _grey_as_probability,
            "You use the grey value as if it were a probability to be on. Levels are categories: "
            "look up the one probability that belongs to the level at hand.",
        ),
        Misconception(
            "a product of factors",
            lambda levels, probabilities: np.log(
                np.prod(probabilities[:, np.arange(levels.shape[1]), levels], axis=2).T
            ),
            "You multiply first and take the logarithm then. With 784 factors below 1 the product "
            "becomes 0 in the computer, and its logarithm −∞: add logarithms.",
        ),
        Misconception(
            "normalised over pixels",
            lambda levels, probabilities: _level_log_likelihoods(
                levels, probabilities / probabilities.sum(axis=1, keepdims=True)
            ),
            "You normalised over the pixels. The L levels of one pixel share out its probability, "
            "and they sum to 1 as they come.",
        ),
    ),
    hints=(
        "For each pixel one number counts: the log probability of the level it has.",
        "np.eye(L)[levels] has a single 1 for each pixel, at its level. Multiply and add over "
        "pixels and levels.",
        "np.einsum('ndl,kdl->nk', np.eye(L)[levels], np.log(probabilities))",
    ),
)


def _update_level_probabilities(levels: NDArray, r: NDArray, n_levels: int) -> NDArray:
    counts = np.tensordot(r.T, np.eye(n_levels)[levels], axes=1)  # (K, D, L)
    return (counts + 1) / (r.sum(axis=0)[:, None, None] + n_levels)


def _levels_sum_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    totals = result.sum(axis=2)
    if np.allclose(totals, 1.0, atol=1e-5):
        return None
    k, d = np.unravel_index(np.abs(totals - 1).argmax(), totals.shape)
    return Failure(
        f"The levels of pixel {d} in cluster {k} share out one probability: they sum to 1.",
        totals[k, d],
        1.0,
    )


def _empty_is_uniform(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    empty = args[1].sum(axis=0) == 0
    if np.allclose(result[empty], 1 / args[2], atol=1e-6):
        return None
    return Failure(
        f"No image belongs to cluster {int(empty.argmax())}, so every level is as likely as any "
        "other.",
        result[empty].ravel()[0],
        1 / args[2],
    )


def _shared_over_pixels(levels: NDArray, r: NDArray, n_levels: int) -> NDArray:
    counts = np.tensordot(r.T, np.eye(n_levels)[levels], axes=1) + 1
    return counts / counts.sum(axis=1, keepdims=True)


update_level_probabilities = Exercise(
    number="1.8b",
    name="update_level_probabilities",
    reference=_update_level_probabilities,
    cases=(
        Case(
            "three images of one pixel, three levels, one cluster",
            (np.array([[0], [2], [2]], dtype=np.uint8), np.ones((3, 1)), 3),
        ),
        Case(
            "two images of two pixels, two clusters, one empty; the third level never occurs",
            (np.array([[0, 1], [0, 1]], dtype=np.uint8), np.array([[1.0, 0.0]] * 2), 3),
        ),
        Case(
            "thirty images of six pixels, four levels, three clusters",
            (_levels(30, 6, 4), _shares(30, 3), 4),
        ),
    ),
    properties=(
        Property("levels sum to 1", _levels_sum_to_one),
        Property("an empty cluster is uniform", _empty_is_uniform),
    ),
    misconceptions=(
        Misconception(
            "the levels that occur",
            lambda levels, r, n_levels: _update_level_probabilities(levels, r, levels.max() + 1),
            "You count the levels that occur in these images. There are `n_levels`, whether or not "
            "the lightest or the darkest occurs.",
        ),
        Misconception(
            "two more images below",
            lambda levels, r, n_levels: (
                (np.tensordot(r.T, np.eye(n_levels)[levels], axes=1) + 1)
                / (r.sum(axis=0)[:, None, None] + 2)
            ),
            "+ 2 belongs to two outcomes. One imaginary image for each of the L levels makes + 1 "
            "above and + L below.",
        ),
        Misconception(
            "normalised over pixels",
            _shared_over_pixels,
            "Yours sum to 1 over the pixels. It is the levels of one pixel that share out its "
            "probability: sum to 1 over the last axis.",
        ),
        Misconception(
            "no prior",
            lambda levels, r, n_levels: (
                np.tensordot(r.T, np.eye(n_levels)[levels], axes=1) / r.sum(axis=0)[:, None, None]
            ),
            "Without the prior a level never seen gets probability 0, and an empty cluster divides "
            "0 by 0. Add one imaginary image for each level.",
        ),
    ),
    hints=(
        "Count, for each cluster, pixel and level, the shares of the images that have it.",
        "counts = np.einsum('nk,ndl->kdl', r, np.eye(n_levels)[levels])",
        "(counts + 1) / (N_k[:, None, None] + n_levels)",
    ),
)

# 1.9 · Mend the recipe: a prior with a picture of its own


def _one_more_of_each(x: NDArray, r: NDArray) -> NDArray:
    return (r.T @ x + 1.0) / (r.sum(axis=0)[:, None] + 2.0)


def _update_toward(x: NDArray, r: NDArray, strength: float, toward: NDArray) -> NDArray:
    return (r.T @ x + strength * toward) / (r.sum(axis=0)[:, None] + strength)


def _empty_is_the_picture(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, r, _, toward = args
    k = np.flatnonzero(r.sum(axis=0) == 0)
    if not k.size or np.allclose(result[k[0]], toward, atol=1e-6):
        return None
    d = int(np.abs(result[k[0]] - toward).argmax())
    return Failure(
        f"A cluster without images should look like the picture `toward`. At pixel {d} it does "
        "not.",
        result[k[0], d],
        toward[d],
    )


def _strength_two_is_familiar(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, r, _, toward = args
    half = np.asarray(call(x, r, 2.0, np.full_like(toward, 0.5)))
    expected = _one_more_of_each(x, r)
    if np.allclose(half, expected, atol=1e-6):
        return None
    k, d = np.unravel_index(np.abs(half - expected).argmax(), expected.shape)
    return Failure(
        "With strength 2 and ½ at every pixel this is exercise 1.3 again, + 1 / + 2, and yours "
        "differs.",
        half[k, d],
        expected[k, d],
    )


update_toward = Exercise(
    number="1.9",
    name="update_toward",
    reference=_update_toward,
    cases=(
        Case(
            "two images of two pixels, one cluster",
            (np.array([[1, 0], [1, 1]]), np.ones((2, 1)), 1.0, np.array([0.2, 0.9])),
        ),
        Case(
            "three images, two clusters, the second empty",
            (
                np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]]),
                np.array([[1.0, 0.0]] * 3),
                2.0,
                np.array([0.6, 0.6, 0.2]),
            ),
        ),
        Case(
            "thirty images, four clusters",
            (_pixels(30, 7), _shares(30, 4), 5.0, 0.1 + 0.8 * _random.random(7)),
        ),
    ),
    properties=(
        Property("an empty cluster looks like the picture", _empty_is_the_picture),
        Property("strength 2 toward ½ is exercise 1.3", _strength_two_is_familiar),
    ),
    misconceptions=(
        Misconception(
            "still toward a half",
            lambda x, r, strength, toward: (
                (r.T @ x + strength / 2) / (r.sum(axis=0)[:, None] + strength)
            ),
            "Your imaginary images still have every pixel on half of the time. Let them have pixel "
            "d on a share toward[d] of the time.",
        ),
        Misconception(
            "exercise 1.3 again",
            lambda x, r, strength, toward: _one_more_of_each(x, r),
            "This is exercise 1.3: one imaginary image with all pixels on and one with all off. "
            "Now there are `strength` of them, and pixel d is on in a share toward[d].",
        ),
        Misconception(
            "denominator unchanged",
            lambda x, r, strength, toward: (
                (r.T @ x + strength * toward) / (r.sum(axis=0)[:, None] + 2)
            ),
            "You add `strength` imaginary images above, shared out by `toward`, and two below. "
            "Count the same number of images in both places.",
        ),
        Misconception(
            "only where empty",
            lambda x, r, strength, toward: np.where(
                r.sum(axis=0)[:, None] > 0, _one_more_of_each(x, r), toward
            ),
            "You repair the empty clusters alone. The prior is the same for all: each cluster sees "
            "`strength` imaginary images that look like `toward`.",
        ),
        Misconception(
            "a fixed blend",
            lambda x, r, strength, toward: (
                0.5 * _one_more_of_each(x, r) + 0.5 * np.ones((r.shape[1], 1)) * toward
            ),
            "You mix the cluster's picture with `toward` half and half. A prior counts as a number "
            "of images: against many real ones it hardly weighs.",
        ),
    ),
    hints=(
        "Think of `strength` imaginary images in every cluster. How many of them have pixel d on?",
        "strength · toward[d] of them. They join the real ones above; how many join below?",
        "(r.T @ x + strength * toward) / (N_k[:, None] + strength)",
    ),
)
