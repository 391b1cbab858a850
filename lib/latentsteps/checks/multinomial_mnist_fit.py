"""Checks of unit 01, exercises 1.3 to 1.5: the M step, and what EM climbs.

Names and shapes as in :mod:`latentsteps.checks.multinomial_mnist`. The prior of every pixel is
Beta(2, 2), so its log density is log θ + log(1 − θ) up to a constant, which is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from latentsteps.checks.display import number
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

_random = np.random.default_rng(2)


def _pixels(*shape: int) -> NDArray:
    return (_random.random(shape) < 0.4).astype(np.uint8)


def _shares(n: int, k: int) -> NDArray:
    return _random.dirichlet(np.ones(k), size=n)


# 1.3 · Probabilities


def _update_probabilities(x: NDArray, r: NDArray) -> NDArray:
    return (r.T @ x + 1.0) / (r.sum(axis=0)[:, None] + 2.0)


def _nothing_is_ruled_out(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    strange = (result <= 0) | (result >= 1)
    if not strange.any():
        return None
    k, d = (int(i) for i in np.argwhere(strange)[0])
    if not 0 <= result[k, d] <= 1:
        words = f"Pixel {d} of cluster {k} should get a probability, from 0 to 1."
        return Failure(words, result[k, d])
    return Failure(
        f"Pixel {d} of cluster {k} is certain in your picture: one image that differs there would "
        "cost infinitely many nats. With the prior no probability is 0 or 1.",
        result[k, d],
    )


def _slope_is_zero(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, r = args
    on = r.T @ x
    off = r.sum(axis=0)[:, None] - on
    slope = (on + 1) / result - (off + 1) / (1 - result)
    if np.all(np.abs(slope) <= 1e-5 * (on + off + 2)):
        return None
    k, d = np.unravel_index(np.abs(slope).argmax(), slope.shape)
    return Failure(
        "At a maximum the slope is 0. What the M step is to make large (see pen and paper) still "
        f"has a slope at your θ = {number(result[k, d])} of pixel {d} in cluster {k}.",
        slope[k, d],
        0.0,
    )


def _empty_is_half(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    empty = args[1].sum(axis=0) == 0
    if np.allclose(result[empty], 0.5):
        return None
    return Failure(
        f"No image belongs to cluster {int(empty.argmax())}, so its probabilities are the prior's "
        "mode.",
        result[empty].ravel()[0],
        0.5,
    )


update_probabilities = Exercise(
    number="1.3",
    name="update_probabilities",
    reference=_update_probabilities,
    cases=(
        Case(
            "three images of two pixels, one cluster",
            (np.array([[1, 0], [1, 0], [1, 1]], dtype=np.uint8), np.ones((3, 1))),
        ),
        Case(
            "three images of two pixels, two clusters sharing",
            (
                np.array([[1, 0], [1, 1], [0, 1]], dtype=np.uint8),
                np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]),
            ),
        ),
        Case(
            "four images, three clusters, the last one empty",
            (
                _pixels(4, 5),
                np.array([[1.0, 0, 0], [0.3, 0.7, 0], [0.5, 0.5, 0], [0, 1, 0]]),
            ),
        ),
        Case("forty images, four clusters", (_pixels(40, 9), _shares(40, 4))),
    ),
    properties=(
        Property("no pixel is certain", _nothing_is_ruled_out),
        Property("an empty cluster goes to the prior's mode", _empty_is_half),
        Property("the slope of the expected log posterior is 0", _slope_is_zero),
    ),
    misconceptions=(
        Misconception(
            "one count for two outcomes",
            lambda x, r: (r.T @ x + 1) / (r.sum(axis=0)[:, None] + 1),
            "You add one imaginary image on top and one below. Beta(2, 2) adds two of them, one "
            "with the pixel on and one with it off: + 1 above, + 2 below.",
        ),
        Misconception(
            "no prior",
            lambda x, r: r.T @ x / r.sum(axis=0)[:, None],
            "This is maximum likelihood: a pixel never seen on gets probability 0, one image that "
            "has it on then costs −∞ nats, and an empty cluster divides 0 by 0. Add the prior's "
            "imaginary images.",
        ),
        Misconception(
            "the mean",
            lambda x, r: (r.T @ x + 2) / (r.sum(axis=0)[:, None] + 4),
            "+ 2 / + 4 is the mean of the posterior under Beta(2, 2). EM climbs to the mode, and "
            "the mode takes one count of each parameter away: + 1 / + 2.",
        ),
        Misconception(
            "brackets missing",
            lambda x, r: r.T @ x + 1 / (r.sum(axis=0)[:, None] + 2),
            "Python divides before it adds: `a + 1 / b` is a + (1/b). Put the numerator in "
            "brackets.",
        ),
        Misconception(
            "divided by all images",
            lambda x, r: (r.T @ x + 1) / (len(x) + 2),
            "You divide by N, the number of all images. The pictures of small clusters fade that "
            "way: divide by N_k, the cluster's own share of images.",
        ),
        Misconception(
            "the winner takes all",
            lambda x, r: _update_probabilities(x, np.eye(r.shape[1])[r.argmax(axis=1)]),
            "You gave each image to its best cluster before averaging. That is classification EM; "
            "here an image counts in every cluster, by its responsibility.",
        ),
    ),
    hints=(
        "Count with shares: how many images has cluster k, and in how many of them is pixel d on?",
        "N_k is the column sum of r; the pixel counts are one matrix product of r and x.",
        "(r.T @ x + 1) / (N_k[:, None] + 2)",
    ),
)

# 1.4 · Weights


def _update_weights(r: NDArray) -> NDArray:
    return r.sum(axis=0) / len(r)


def _weights_sum_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if abs(result.sum() - 1) < 1e-5:
        return None
    return Failure("Weights are shares of all images: they sum to 1.", result.sum(), 1.0)


def _no_pair_gains(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    counts = args[0].sum(axis=0)
    if np.allclose(result * len(args[0]), counts, rtol=1e-4, atol=1e-4):
        return None
    none = (result <= 0) & (counts > 0)
    if none.any():
        k = int(none.argmax())
        return Failure(
            f"Cluster {k} holds images, if only in part, and your weight says that it makes none.",
            result[k],
        )
    pull = counts / np.maximum(result, 1e-12)
    up, down = int(pull.argmax()), int(pull.argmin())
    return Failure(
        f"Σ N_k log π_k still rises if a little weight goes from cluster {down} to cluster {up}. "
        "At the top N_k/π_k is the same for all clusters. Yours:",
        pull[up],
        pull[down],
        (f"cluster {up}", f"cluster {down}"),
    )


def _softmax_of_counts(r: NDArray) -> NDArray:
    counts = r.sum(axis=0)
    return np.exp(counts - logsumexp(counts))


update_weights = Exercise(
    number="1.4",
    name="update_weights",
    reference=_update_weights,
    cases=(
        Case("three images, two clusters", (np.array([[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]]),)),
        Case(
            "three images, three clusters, one empty", (np.array([[1.0, 0, 0]] * 2 + [[0, 1, 0]]),)
        ),
        Case("sixty images, five clusters", (_shares(60, 5),)),
    ),
    properties=(
        Property("weights sum to 1", _weights_sum_to_one),
        Property("no weight wants to move", _no_pair_gains),
    ),
    misconceptions=(
        Misconception(
            "softmax of counts",
            _softmax_of_counts,
            "You exponentiate the counts, so that a cluster with ten images more gets all the "
            "weight there is. A weight is a share: its count, divided by the number of images.",
        ),
        Misconception(
            "counts",
            lambda r: r.sum(axis=0),
            "These are the counts N_k, which add up to the number of images. Divide by it, and "
            "they add up to 1.",
        ),
        Misconception(
            "a prior on the weights",
            lambda r: (r.sum(axis=0) + 1) / (len(r) + r.shape[1]),
            "You give every cluster an imaginary image. That would be a prior on the weights, and "
            "here they have none: the prior is on the pixels.",
        ),
        Misconception(
            "all alike",
            lambda r: np.full(r.shape[1], 1 / r.shape[1]),
            "You give every cluster the same weight. How common a cluster is is learned as well, "
            "from the responsibilities.",
        ),
        Misconception(
            "the winner takes all",
            lambda r: np.eye(r.shape[1])[r.argmax(axis=1)].mean(axis=0),
            "You count each image in its best cluster alone. It counts in every cluster, by its "
            "responsibility.",
        ),
        Misconception(
            "the largest share",
            lambda r: r.max(axis=0) / r.max(axis=0).sum(),
            "You took the largest responsibility in each column. All images vote: add the column "
            "up.",
        ),
    ),
    hints=(
        "What share of all images does cluster k hold, if an image may be split?",
        "The columns of r add up to N_k. What do the N_k add up to?",
        "r.mean(axis=0)",
    ),
)

# 1.5 · The objective


def _objective(log_p: NDArray, weights: NDArray, probabilities: NDArray) -> float:
    with np.errstate(divide="ignore"):  # a cluster of weight 0 adds nothing: log 0 = −∞
        log_likelihood = logsumexp(log_p + np.log(weights), axis=1).sum()
    return float(log_likelihood + np.sum(np.log(probabilities) + np.log1p(-probabilities)))


def _bernoulli(x: NDArray, probabilities: NDArray) -> NDArray:
    return x @ np.log(probabilities).T + (1 - x) @ np.log1p(-probabilities).T


def _em_path(x: NDArray, probabilities: NDArray, steps: int) -> list[tuple]:
    """The arguments of the objective along a run of EM from equal weights."""
    weights = np.full(len(probabilities), 1 / len(probabilities))
    path = []
    for _ in range(steps + 1):
        log_p = _bernoulli(x, probabilities)
        path.append((log_p, weights, probabilities))
        joint = log_p + np.log(weights)
        r = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        weights = _update_weights(r)
        probabilities = _update_probabilities(x, r)
    return path


_SIX_IMAGES = np.array(
    [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
)
# Sharper than the prior likes: the steps give up log-likelihood for it.
EM_PATH = _em_path(_SIX_IMAGES, np.array([[0.97, 0.97, 0.7, 0.03], [0.03, 0.03, 0.3, 0.97]]), 8)


def _never_falls(call: Callable, args: tuple, result: float) -> Failure | None:
    if len(args[0]) != len(_SIX_IMAGES):
        return None
    values = [float(call(*step)) for step in EM_PATH]
    falls = [t for t in range(1, len(values)) if values[t] < values[t - 1] - 1e-4]
    if not falls:
        return None
    t = falls[0]
    return Failure(
        f"EM was run on six images. What it climbs cannot fall, but yours is lower after step {t} "
        f"than after step {t - 1}.",
        values[t],
        values[t - 1],
        (f"step {t}", f"step {t - 1}"),
    )


def _prior(probabilities: NDArray) -> float:
    return float(np.sum(np.log(probabilities) + np.log1p(-probabilities)))


objective = Exercise(
    number="1.5",
    name="objective",
    reference=_objective,
    cases=(
        Case(
            "one image of one pixel, one cluster",
            (np.log([[0.8]]), np.array([1.0]), np.array([[0.8]])),
        ),
        Case(
            "two images of one pixel, two clusters",
            (np.log([[0.8, 0.3], [0.2, 0.7]]), np.array([0.6, 0.4]), np.array([[0.8], [0.3]])),
        ),
        Case("six images of four pixels, two clusters, EM's start", EM_PATH[0]),
        Case("the same after three steps", EM_PATH[3]),
        Case(
            "an image at −900 nats",
            (
                np.array([[-900.0, -905.0]]),
                np.array([0.5, 0.5]),
                np.array([[0.1, 0.9], [0.5, 0.2]]),
            ),
        ),
    ),
    properties=(Property("it never falls along a run of EM", _never_falls),),
    misconceptions=(
        Misconception(
            "no prior",
            lambda log_p, weights, probabilities: (
                _objective(log_p, weights, probabilities) - _prior(probabilities)
            ),
            "This is the log-likelihood alone. With + 1 and + 2 in the M step you climb another "
            "hill, log-likelihood plus log prior, and on the way the log-likelihood may fall.",
        ),
        Misconception(
            "the prior once per image",
            lambda log_p, weights, probabilities: (
                _objective(log_p, weights, probabilities) + (len(log_p) - 1) * _prior(probabilities)
            ),
            "You add the log prior once for every image. The pictures were drawn once, however "
            "many images there are: it counts once, not N times.",
        ),
        Misconception(
            "best cluster only",
            lambda log_p, weights, probabilities: (
                (log_p + np.log(weights)).max(axis=1).sum() + _prior(probabilities)
            ),
            "You score each image by its best cluster. That is what hard EM climbs. For an image's "
            "probability, sum over the clusters inside the logarithm.",
        ),
        Misconception(
            "sum of logarithms",
            lambda log_p, weights, probabilities: (
                (log_p + np.log(weights)).sum() + _prior(probabilities)
            ),
            "You add up the logarithms over the clusters. An image comes from one cluster or "
            "another, so the probabilities add, and the logarithm comes after the sum.",
        ),
        Misconception(
            "weighted by responsibilities",
            lambda log_p, weights, probabilities: (
                np.sum(softmax(log_p + np.log(weights), axis=1) * (log_p + np.log(weights)))
                + _prior(probabilities)
            ),
            "You add up the logarithms weighted by responsibilities. That is what the M step makes "
            "large. An image's log probability is the logarithm of a sum: Σ_k π_k p, then log.",
        ),
        Misconception(
            "weights forgotten",
            lambda log_p, weights, probabilities: _objective(
                log_p, np.ones_like(weights), probabilities
            ),
            "The weights are not in it: inside the sum each cluster counts by π_k.",
        ),
        Misconception(
            "the constant kept",
            lambda log_p, weights, probabilities: (
                _objective(log_p, weights, probabilities) + probabilities.size * np.log(6)
            ),
            "You kept the density's constant, log 6 for each probability. That is no mistake; it "
            "is left out here so that your numbers can be compared with the library's.",
        ),
    ),
    hints=(
        "Two terms: the log-likelihood of all images, and the log prior of all K·D probabilities.",
        "The first is the sum of log_sum_exp(log_p + log(weights)) over images; the second the sum "
        "of log θ + log(1 − θ).",
        "log_sum_exp(log_p + np.log(weights)).sum() + np.sum(np.log(probabilities) + np.log(1 − "
        "probabilities))",
    ),
)
