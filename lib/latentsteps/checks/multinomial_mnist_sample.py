"""Checks of unit 01, exercise 1.7: drawing new images from a mixture.

Names and shapes as in :mod:`latentsteps.checks.multinomial_mnist`. Any way of drawing is right, so
no numbers are compared; an answer is like a wrong one with a name if the same properties fail, and
so each wrong answer needs a property of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

_random = np.random.default_rng(5)
_FOUR_CLUSTERS = _random.dirichlet(np.full(4, 3.0)), 0.05 + 0.9 * _random.random((4, 6))


def _draws_per_image(weights: NDArray, probabilities: NDArray, n: int, seed: int) -> tuple:
    random = np.random.default_rng(seed)
    clusters = random.choice(len(weights), size=n, p=weights)
    images = random.random((n, probabilities.shape[1])) < probabilities[clusters]
    return images.astype(float), clusters


def _black_or_white(call: Callable, args: tuple, result: tuple) -> Failure | None:
    strange = result[0][~np.isin(result[0], (0, 1))]
    if not strange.size:
        return None
    return Failure(
        "A pixel of a drawn image is either 1 or 0, and never a probability. Toss a coin for "
        "each pixel.",
        strange.ravel()[0],
        "0 or 1",
    )


def _every_cluster_has_its_turn(call: Callable, args: tuple, result: tuple) -> Failure | None:
    weights, _, n, _ = args
    if n < 100 or len(np.unique(result[1])) > 1:
        return None
    return Failure(
        f"All {n} images come from one cluster, and there are {len(weights)}. Draw a cluster for "
        "each image. You drew only:",
        result[1][0],
    )


def _one_cluster_makes_an_image(call: Callable, args: tuple, result: tuple) -> Failure | None:
    probabilities = args[1]
    if len(probabilities) == 1 or not np.all(np.abs(probabilities - 0.5) > 0.45):
        return None
    on = result[0].sum(axis=1)
    share = np.mean((on > 1) & (on < probabilities.shape[1] - 1))
    if share < 0.05:
        return None
    return Failure(
        "Here each cluster's picture is all but white or all but black, so an image is one or the "
        "other. Yours are mixed: this share of them has two pixels of each.",
        share,
        0.0,
    )


def _coins_fall_the_right_way(call: Callable, args: tuple, result: tuple) -> Failure | None:
    probabilities, n = args[1], args[2]
    images, clusters = result
    own = probabilities[clusters]
    right, opposite = ((images - p).mean(axis=0) for p in (own, 1 - own))
    d = int(np.abs(right).argmax())
    if n < 100 or np.abs(right).max() < 0.1 or np.abs(opposite).max() > 0.1:
        return None
    return Failure(
        "On and off are exchanged: a pixel is on where a random number from 0 to 1 lies below its "
        f"probability. The share of your images with pixel {d} on:",
        images[:, d].mean(),
        own[:, d].mean(),
    )


def _a_coin_for_each_pixel(call: Callable, args: tuple, result: tuple) -> Failure | None:
    images, clusters = result
    for k, picture in enumerate(args[1]):
        members = images[clusters == k]
        rare = np.minimum(picture, 1 - picture)
        often = np.argwhere(np.triu(len(members) * np.outer(rare, rare) >= 5, 1))
        for d, e in often:
            expected = picture[d] * picture[e]
            spread = np.sqrt(expected * (1 - expected) / len(members))
            both = np.mean(members[:, d] * members[:, e])
            if abs(both - expected) > 6 * spread:
                return Failure(
                    f"Given the cluster, each pixel is tossed by itself. In your images from "
                    f"cluster {k}, pixels {d} and {e} hang together: the share with both on is",
                    both,
                    expected,
                )
    return None


def _clusters_are_common_enough(call: Callable, args: tuple, result: tuple) -> Failure | None:
    weights, _, n, _ = args
    clusters = result[1]
    if not np.isin(clusters, np.arange(len(weights))).all():
        return Failure("The second part holds each image's cluster, from 0 to K − 1.", clusters[0])
    shares = np.bincount(clusters, minlength=len(weights)) / n
    off = np.abs(shares - weights) / np.sqrt(weights * (1 - weights) / n + 1e-12)
    if off.max() < 5 or n < 100:
        return None
    k = int(off.argmax())
    return Failure(
        f"In {n} images cluster {k} does not come up as often as its weight says.",
        shares[k],
        weights[k],
    )


def _pixels_follow_their_cluster(call: Callable, args: tuple, result: tuple) -> Failure | None:
    probabilities = args[1]
    images, clusters = result
    for k, picture in enumerate(probabilities):
        members = images[clusters == k]
        if len(members) < 50:
            continue
        off = np.abs(members.mean(axis=0) - picture) / np.sqrt(
            picture * (1 - picture) / len(members) + 1e-12
        )
        if off.max() >= 6:
            d = int(off.argmax())
            return Failure(
                f"Among the images you say are from cluster {k}, pixel {d} is not on as often as "
                "that cluster's picture says.",
                members[:, d].mean(),
                picture[d],
            )
    return None


def _seeds_matter(call: Callable, args: tuple, result: tuple) -> Failure | None:
    weights, probabilities, n, seed = args
    if n < 100:
        return None
    if not np.array_equal(call(*args)[0], result[0]):
        return Failure("The same seed should draw the same images again, and does not.")
    images, clusters = call(weights, probabilities, n, seed + 1)
    if np.array_equal(images, result[0]):
        return Failure("Another seed should draw other images, and draws the same ones.")
    now, before = (np.bincount(drawn, minlength=len(weights)) for drawn in (clusters, result[1]))
    if len(weights) > 2 and np.array_equal(now, before):
        return Failure(
            "With another seed each cluster makes exactly as many images as before. Its weight is "
            "the chance of each draw, and no fixed quota."
        )
    return None


def _average_template(weights: NDArray, probabilities: NDArray, n: int, seed: int) -> tuple:
    average = weights @ probabilities
    clusters = _draws_per_image(weights, probabilities, n, seed)[1]
    images = np.random.default_rng(seed).random((n, len(average))) < average
    return images.astype(float), clusters


def _cluster_per_pixel(weights: NDArray, probabilities: NDArray, n: int, seed: int) -> tuple:
    random = np.random.default_rng(seed)
    d = probabilities.shape[1]
    clusters = random.choice(len(weights), size=(n, d), p=weights)
    images = random.random((n, d)) < probabilities[clusters, np.arange(d)]
    return images.astype(float), clusters


def _templates_themselves(weights: NDArray, probabilities: NDArray, n: int, seed: int) -> tuple:
    clusters = _draws_per_image(weights, probabilities, n, seed)[1]
    return probabilities[clusters], clusters


def _exchanged(weights: NDArray, probabilities: NDArray, n: int, seed: int) -> tuple:
    images, clusters = _draws_per_image(weights, probabilities, n, seed)
    return 1 - images, clusters


def _one_coin(weights: NDArray, probabilities: NDArray, n: int, seed: int) -> tuple:
    random = np.random.default_rng(seed)
    clusters = random.choice(len(weights), size=n, p=weights)
    return (random.random((n, 1)) < probabilities[clusters]).astype(float), clusters


def _weights_unused(weights: NDArray, probabilities: NDArray, n: int, seed: int) -> tuple:
    return _draws_per_image(np.full(len(weights), 1 / len(weights)), probabilities, n, seed)


sample = Exercise(
    number="1.7",
    name="sample",
    reference=_draws_per_image,
    cases=(
        Case(
            "one image of three pixels, one cluster",
            (np.array([1.0]), np.array([[0.2, 0.5, 0.9]]), 1, 0),
        ),
        Case(
            "1,000 images, a cluster nearly white and one nearly black",
            (np.array([0.3, 0.7]), np.array([[0.01] * 4, [0.99] * 4]), 1000, 1),
        ),
        Case("2,000 images, four clusters", (*_FOUR_CLUSTERS, 2000, 2)),
    ),
    properties=(
        Property("pixels are 0 or 1", _black_or_white),
        Property("every cluster has its turn", _every_cluster_has_its_turn),
        Property("clusters come up by their weights", _clusters_are_common_enough),
        Property("one cluster makes an image", _one_cluster_makes_an_image),
        Property("pixels are on as often as they should", _coins_fall_the_right_way),
        Property("the pixels follow their image's cluster", _pixels_follow_their_cluster),
        Property("each pixel has a coin of its own", _a_coin_for_each_pixel),
        Property("the seed decides", _seeds_matter),
    ),
    misconceptions=(
        Misconception(
            "averaged templates",
            _average_template,
            "You draw every pixel from the average of all pictures. One cluster makes one image: "
            "draw the cluster, then its pixels. An average of a 1 and a 0 is neither.",
        ),
        Misconception(
            "the template itself",
            _templates_themselves,
            "You return the cluster's probabilities. An image is zeros and ones: toss a coin for "
            "each pixel, with its chance to be on.",
        ),
        Misconception(
            "a cluster for each pixel",
            _cluster_per_pixel,
            "You draw a new cluster for each pixel, so that an image is patched together from all "
            "digits. Draw k once for an image and keep it for its 784 pixels.",
        ),
        Misconception(
            "on and off exchanged",
            _exchanged,
            "On and off are exchanged. `random.random(...) < p` is true with probability p; with > "
            "it is true with probability 1 − p.",
        ),
        Misconception(
            "one coin for all pixels",
            _one_coin,
            "You toss one coin for a whole image, so that its pixels go on and off together. Each "
            "pixel has a random number of its own: `random.random((n, D))`.",
        ),
        Misconception(
            "weights unused",
            _weights_unused,
            "You draw all clusters equally often. Cluster k makes a share π_k of the images.",
        ),
        Misconception(
            "images alone",
            lambda weights, probabilities, n, seed: _draws_per_image(
                weights, probabilities, n, seed
            )[0],
            "You return the images alone. Return two things, the images and the cluster each one "
            "was drawn from.",
        ),
    ),
    hints=(
        "Two draws for an image: which cluster, then which pixels are on.",
        "random.choice(K, size=n, p=weights) draws all clusters at once; probabilities[clusters] "
        "has a row for each image.",
        "images = random.random((n, D)) < probabilities[clusters]; return images.astype(int), "
        "clusters",
    ),
    compare=False,  # any way of drawing is right
)
