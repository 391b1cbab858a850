"""Check of unit 07, exercise 7.5: the importance-weighted bound, from the logarithms of K draws.

Burda, Grosse & Salakhutdinov (2016), "Importance weighted autoencoders", equation 8 and theorem 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

# 7.5 · The importance-weighted bound


def _importance_weighted(log_joint: NDArray, log_q: NDArray) -> NDArray:
    weights = log_joint - log_q
    return np.asarray(logsumexp(weights, axis=0) - np.log(len(weights)))


def _normal(z: NDArray, mean: NDArray | float, variance: float) -> NDArray:
    return np.asarray(-0.5 * (z - mean) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance))


def _one_draw(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    log_joint, log_q = args
    first = np.asarray(call(log_joint[:1], log_q[:1]))
    weights = (log_joint - log_q)[0]
    if np.allclose(first, weights, rtol=1e-6, atol=1e-6):
        return None
    n = int(np.abs(first - weights).argmax())
    return Failure(
        "With the first draw alone it is the ELBO's estimate, log p(x, z) − log q(z | x). For "
        f"image {n}:",
        first[n],
        weights[n],
    )


def _draws_twice(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    again = np.asarray(call(*[np.concatenate([each, each[::-1]]) for each in args]))
    if np.allclose(again, result, rtol=1e-6, atol=1e-6):
        return None
    n = int(np.abs(again - result).argmax())
    return Failure(
        f"Every draw was there twice, which changes no average. For image {n} yours changed.",
        again[n],
        result[n],
        AFTER_BEFORE,
    )


def _exact_q(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    # z from N(0, 1), x = z + noise of variance 1: the posterior is N(x / 2, 1/2), p(x) N(0, 2).
    x = np.array([-1.0, 0.5, 4.0])
    z = np.array([[0.3, -2.0, 1.0], [-0.7, 1.0, 2.5], [1.5, 0.2, 3.0]])
    log_joint = _normal(z, 0.0, 1.0) + _normal(x, z, 1.0)
    got = np.asarray(call(log_joint, _normal(z, x / 2, 0.5)))
    evidence = _normal(x, 0.0, 2.0)
    if np.allclose(got, evidence, rtol=1e-6, atol=1e-6):
        return None
    n = int(np.abs(got - evidence).argmax())
    return Failure(
        "In a model with z from N(0, 1) and x from N(z, 1) the posterior is N(x/2, ½). With that "
        "for q every draw has the same weight, p(x) itself, and no luck is left. For "
        f"x = {x[n]:g}:",
        got[n],
        evidence[n],
    )


def _between_mean_and_largest(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    weights = args[0] - args[1]
    low, high = weights.mean(axis=0), weights.max(axis=0)
    wrong = np.flatnonzero((result < low - 1e-6) | (result > high + 1e-6))
    if not len(wrong):
        return None
    n = wrong[0]
    if result[n] > high[n]:
        return Failure(
            f"An average cannot exceed the largest weight. Of image {n}, yours and the largest "
            "log weight:",
            result[n],
            high[n],
            ("yours", "largest"),
        )
    return Failure(
        "The logarithm of an average is not below the average of the logarithms (Jensen). Of image "
        f"{n}, yours and the draws' average ELBO:",
        result[n],
        low[n],
        ("yours", "average ELBO"),
    )


def _not_below_with_one_left_out(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    k = len(args[0])
    if not 2 <= k <= 5:
        return None
    without = [call(*[np.delete(each, j, axis=0) for each in args]) for j in range(k)]
    mean = np.mean(without, axis=0)
    if np.all(mean <= result + 1e-6):
        return None
    n = int((mean - result).argmax())
    return Failure(
        f"It was computed {k} times, with one draw left out each. The average of these is never "
        "above that with all draws: more draws raise the bound *on average*. For image "
        f"{n}:",
        mean[n],
        result[n],
        ("one left out", "all"),
    )


def _of(combine: Callable[[NDArray], object]) -> Callable[[NDArray, NDArray], object]:
    """An answer from ``combine(log weights)``, (K, B)."""
    return lambda log_joint, log_q: combine(log_joint - log_q)


def _log_mean_exp(logs: NDArray) -> NDArray:
    return np.asarray(logsumexp(logs, axis=0) - np.log(len(logs)))


def _shifted_by_all(weights: NDArray) -> NDArray:
    top = weights.max()
    return np.asarray(top + np.log(np.exp(weights - top).mean(axis=0)))


def _guarded(weights: NDArray) -> NDArray:
    return np.asarray(np.log(np.exp(weights).mean(axis=0) + 1e-300))


_random = np.random.default_rng(75)

importance_weighted = Exercise(
    number="7.5",
    name="importance_weighted",
    reference=_importance_weighted,
    cases=(
        Case("one draw of one image", (np.array([[-3.0]]), np.array([[-1.0]]))),
        Case("two draws of one image", (np.array([[-3.0], [-1.0]]), np.array([[-1.0], [-2.5]]))),
        Case(
            "three draws of two images",
            (
                np.array([[-4.0, -2.0], [-3.0, -2.5], [-6.0, -1.0]]),
                np.array([[-2.0, 0.5], [-1.5, 1.0], [-0.5, -3.0]]),
            ),
        ),
        Case(
            "two draws of one image at −1,000 nats",
            (np.array([[-1003.0], [-1002.0]]), np.array([[-36.5], [-38.0]])),
        ),
        Case(
            "four draws of two images, one of them at −1,100 nats",
            (
                np.array([[-95.0, -1100.0], [-93.0, -1104.0], [-99.0, -1099.0], [-94.0, -1101.0]]),
                np.array([[-40.0, -38.0], [-37.5, -41.0], [-44.0, -39.0], [-39.0, -36.0]]),
            ),
        ),
        Case(
            "fifty draws of three images",
            (
                _random.normal(-90, 4, size=(50, 3)).round(1),
                _random.normal(-30, 2, size=(50, 3)).round(1),
            ),
        ),
    ),
    properties=(
        Property("with one draw it is the ELBO's estimate", _one_draw),
        Property("every draw twice changes nothing", _draws_twice),
        Property("it lies between the average and the largest", _between_mean_and_largest),
        Property("with draws left out it is lower on average", _not_below_with_one_left_out),
        Property("with the posterior for q it is log p(x)", _exact_q),
    ),
    misconceptions=(
        Misconception(
            "mean of the logarithms",
            _of(lambda weights: weights.mean(axis=0)),
            "You average the logarithms, and that is the ELBO once more, with less noise. Average "
            "the *weights* and take the logarithm then: log of a mean, not mean of logs.",
        ),
        Misconception(
            "no log K",
            _of(lambda weights: logsumexp(weights, axis=0)),
            "You add the weights up and do not divide by their number: with more draws it would "
            "rise for ever. A mean is asked for: take log K off.",
        ),
        Misconception(
            "divided by K outside",
            _of(lambda weights: logsumexp(weights, axis=0) / len(weights)),
            "You divide the logarithm by K. The *weights* are divided by K, and in logarithms that "
            "is taking log K off.",
        ),
        Misconception(
            "K itself taken off",
            _of(lambda weights: logsumexp(weights, axis=0) - len(weights)),
            "You take K off. To divide weights by K is to take log K off their logarithm.",
        ),
        Misconception(
            "log K added",
            _of(lambda weights: logsumexp(weights, axis=0) + np.log(len(weights))),
            "log K has the wrong sign: the weights are divided by K.",
        ),
        Misconception(
            "log of the number of images",
            _of(lambda weights: logsumexp(weights, axis=0) - np.log(weights.shape[1])),
            "You take off the logarithm of the number of images. Draws are averaged, and they are "
            "axis 0.",
        ),
        Misconception(
            "q left out",
            lambda log_joint, log_q: _log_mean_exp(log_joint),
            "You average p(x, z) over draws from q as if they came from the prior or from "
            "everywhere. What q drew more often counts for less: each is divided by q(z | x).",
        ),
        Misconception(
            "q multiplied",
            lambda log_joint, log_q: _log_mean_exp(log_joint + log_q),
            "You add log q. A draw that q was bound to make counts for *less*: its weight is "
            "p(x, z) / q(z | x).",
        ),
        Misconception(
            "a ratio of averages",
            lambda log_joint, log_q: _log_mean_exp(log_joint) - _log_mean_exp(log_q),
            "You average p and q on their own and divide then. Each draw has a weight of its own: "
            "divide first, then average.",
        ),
        Misconception(
            "a ratio of averages of logarithms",
            lambda log_joint, log_q: _log_mean_exp(log_joint) - log_q.mean(axis=0),
            "You average p(x, z), and take off a mean of log q. Each draw has a weight of its own, "
            "p(x, z) / q(z | x): divide first, then average.",
        ),
        Misconception(
            "weighted mean of logarithms",
            _of(lambda weights: np.sum(softmax(weights, axis=0) * weights, axis=0)),
            "You average the logarithms, with normalised weights. That is nearly the largest of "
            "them, and no bound. The weights themselves are averaged, each alike.",
        ),
        Misconception(
            "the largest",
            _of(lambda weights: weights.max(axis=0)),
            "You take the best draw. With enough draws that overshoots log p(x): a mean of the "
            "weights is asked for.",
        ),
        Misconception(
            "the largest, less log K",
            _of(lambda weights: weights.max(axis=0) - np.log(len(weights))),
            "You keep the largest weight alone of the sum. The others count too: logsumexp.",
        ),
        Misconception(
            "median",
            _of(lambda weights: np.median(weights, axis=0)),
            "You take the median. It is the mean of the weights whose expectation is p(x).",
        ),
        Misconception(
            "no logarithm",
            _of(lambda weights: np.exp(weights).mean(axis=0)),
            "This is an estimate of p(x) itself, some e⁻⁹⁰ for an image. Its logarithm is asked "
            "for.",
        ),
        Misconception(
            "a loss",
            _of(lambda weights: -_log_mean_exp(weights)),
            "The sign is that of a loss. The bound itself is asked for.",
        ),
        Misconception(
            "exponential first",
            _of(lambda weights: np.log(np.exp(weights).mean(axis=0))),
            "Right on paper. e⁻¹⁰⁶⁰ is 0 in the computer, and its logarithm −∞: logsumexp along "
            "axis 0.",
        ),
        Misconception(
            "a small number under the logarithm",
            _of(_guarded),
            "A small number under the logarithm makes every bad image equally bad. logsumexp needs "
            "none.",
        ),
        Misconception(
            "another image's maximum",
            _of(_shifted_by_all),
            "You take off the largest log weight of all images. For one far below it every "
            "exponential is 0: take off each image's own, or use logsumexp with axis=0.",
        ),
        Misconception(
            "over images",
            _of(lambda weights: logsumexp(weights, axis=1) - np.log(weights.shape[1])),
            "You average over the images, and draws are left. Draws are axis 0, images axis 1.",
        ),
        Misconception(
            "over everything",
            _of(lambda weights: logsumexp(weights) - np.log(weights.size)),
            "One number: you average over draws and images at once. Each image has its own bound: "
            "axis=0.",
        ),
        Misconception(
            "mean over images",
            _of(lambda weights: _log_mean_exp(weights).mean()),
            "You average over the images as well. Keep them apart, (B,): their spread says how "
            "sure the mean is.",
        ),
        Misconception(
            "a standard error taken off",
            _of(lambda weights: _log_mean_exp(weights) - 0.5 * weights.var(axis=0)),
            "You correct by half a variance. The logarithm of the mean has that in it already.",
        ),
    ),
    hints=(
        "A draw's weight is p(x, z) / q(z | x). What is its logarithm, and how is a mean of "
        "weights taken without leaving logarithms?",
        "logsumexp along the draws, axis 0, is the logarithm of the weights' sum. For their mean, "
        "divide by K: what is that in logarithms?",
        "logsumexp(log_joint − log_q, axis=0) − np.log(len(log_joint)).",
    ),
)
