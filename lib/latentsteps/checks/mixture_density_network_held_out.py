"""Check of unit 05, exercise 5.7: held-out log density over draws from a posterior.

Bishop (2006), *Pattern Recognition and Machine Learning*, equation 1.68: a prediction averages
densities over the posterior.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

# 5.7 · The held-out score


def _held_out(log_densities: NDArray) -> float:
    draws = len(log_densities)
    predictive = logsumexp(log_densities, axis=0) - np.log(draws)
    return float(np.mean(predictive))


def _near(a: float, b: float) -> bool:
    return bool(abs(a - b) <= 1e-5 * max(1.0, abs(b)))


def _one_draw(call: Callable, args: tuple, result: float) -> Failure | None:
    finite = [row for row in args[0] if np.isfinite(row).all()]
    if not finite:
        return None
    value, expected = float(call(finite[0][None])), float(finite[0].mean())
    if _near(value, expected):
        return None
    return Failure(
        "With a single draw there is nothing to average over draws: the score is the mean of its "
        "log densities over the points.",
        value,
        expected,
    )


def _at_least_the_mean_of_logs(call: Callable, args: tuple, result: float) -> Failure | None:
    lowest = float(np.mean(args[0]))
    if result >= lowest - 1e-6 * max(1.0, abs(lowest)) or not np.isfinite(lowest):
        return None
    return Failure(
        "The log of a mean is never below the mean of the logs (Jensen). Your score is:",
        result,
        lowest,
        ("your score", "mean of all logs"),
    )


def _at_most_the_best(call: Callable, args: tuple, result: float) -> Failure | None:
    highest = float(args[0].max(axis=0).mean())
    if result <= highest + 1e-6 * max(1.0, abs(highest)):
        return None
    return Failure(
        "A mean of densities is never above the largest of them. Your score is above what the best "
        "draw of each point would give.",
        result,
        highest,
        ("your score", "best draw of each point"),
    )


def _lower_by_a_thousand(call: Callable, args: tuple, result: float) -> Failure | None:
    value = float(call(args[0] - 1000.0))
    if _near(value, result - 1000.0):
        return None
    return Failure(
        "Every log density was made lower by 1000 nats, and so your score should be; no limit, and "
        "no small number under a logarithm, should stop it. It became:",
        value,
        result - 1000.0,
    )


def _draws_twice(call: Callable, args: tuple, result: float) -> Failure | None:
    value = float(call(np.concatenate([args[0], args[0]])))
    if _near(value, result):
        return None
    return Failure("Every draw twice changes no average over draws.", value, result, AFTER_BEFORE)


def _points_twice(call: Callable, args: tuple, result: float) -> Failure | None:
    value = float(call(np.concatenate([args[0], args[0]], axis=1)))
    if _near(value, result):
        return None
    return Failure("Every point twice changes no average over points.", value, result, AFTER_BEFORE)


def _each_point_by_itself(call: Callable, args: tuple, result: float) -> Failure | None:
    table = args[0].copy()
    table[:, ::2] = table[::-1, ::2]
    value = float(call(table))
    if _near(value, result):
        return None
    return Failure(
        "For every second point, the draws were put in the opposite order. Each point averages "
        "over the draws by itself, so that should change nothing.",
        value,
        result,
        AFTER_BEFORE,
    )


def _without_infinities(log_densities: NDArray) -> float:
    finite = np.isfinite(log_densities)
    kept = logsumexp(np.where(finite, log_densities, -np.inf), axis=0)
    return float(np.mean(kept - np.log(finite.sum(axis=0))))


def _whole_draws_without_infinities(log_densities: NDArray) -> float:
    return _held_out(log_densities[np.isfinite(log_densities).all(axis=1)])


def _exp_first(log_densities: NDArray) -> float:
    return float(np.mean(np.log(np.mean(np.exp(log_densities), axis=0))))


def _shifted_all(log_densities: NDArray) -> float:
    top = log_densities.max()
    return float(np.mean(top + np.log(np.mean(np.exp(log_densities - top), axis=0))))


_random = np.random.default_rng(57)
_MANY = -3 * _random.random((40, 25)).round(2) - _random.gamma(1.0, 1.0, size=(1, 25)).round(2)

held_out = Exercise(
    number="5.7",
    name="held_out",
    reference=_held_out,
    single=False,  # JAX compiles for every new shape, and would for each in float32
    time_limit=10.0,
    cases=(
        Case("one draw, two points", (np.array([[-1.0, -3.0]]),)),
        Case("two draws, one point", (np.array([[-1.0], [-3.0]]),)),
        Case("two draws, two points", (np.array([[-1.0, 0.5], [-3.0, 2.5]]),)),
        Case(
            "two draws, two points, the first of density 0 under draw 1",
            (np.array([[-1.0, 0.5], [-np.inf, -0.5]]),),
        ),
        Case("two draws, one point, near −1000 nats", (np.array([[-1000.0], [-1002.0]]),)),
        Case(
            "two draws, two points, one of them near −1000 nats",
            (np.array([[-1000.0, -1.0], [-1002.0, -2.0]]),),
        ),
        Case("40 draws, 25 points", (_MANY,)),
    ),
    properties=(
        Property("with one draw it is the mean over points", _one_draw),
        Property("it is never below the mean of the logs", _at_least_the_mean_of_logs),
        Property("it is never above the best draw of each point", _at_most_the_best),
        Property("every draw twice changes nothing", _draws_twice),
        Property("every point twice changes nothing", _points_twice),
        Property("each point averages over draws by itself", _each_point_by_itself),
        Property("a thousand nats lower is a thousand nats lower", _lower_by_a_thousand),
    ),
    misconceptions=(
        Misconception(
            "mean of the logs",
            lambda table: float(np.mean(table)),
            "You average the logarithms over the draws. The prediction is the average *density* of "
            "the draws: its logarithm is larger, and one bad draw does not spoil it.",
        ),
        Misconception(
            "axes exchanged",
            lambda table: _held_out(table.T),
            "You average densities over the points and logarithms over the draws. Draws are axis "
            "0: there the densities are averaged.",
        ),
        Misconception(
            "log S forgotten",
            lambda table: float(np.mean(logsumexp(table, axis=0))),
            "You sum the densities of the draws. More draws would make it higher and higher: take "
            "log S off, for S draws.",
        ),
        Misconception(
            "log N for log S",
            lambda table: float(np.mean(logsumexp(table, axis=0)) - np.log(table.shape[1])),
            "You take off log N, the number of points. It is the draws that are averaged: log S.",
        ),
        Misconception(
            "added up over points",
            lambda table: float(np.sum(logsumexp(table, axis=0) - np.log(len(table)))),
            "You add up over the points. A mean over points is asked for, so that test sets of "
            "different sizes can be compared.",
        ),
        Misconception(
            "everything averaged at once",
            lambda table: float(logsumexp(table) - np.log(table.size)),
            "You average the densities of all draws and all points, and take one logarithm. Each "
            "point has its own: average over draws, logarithm, then the mean over points.",
        ),
        Misconception(
            "all points as one",
            lambda table: float(
                (logsumexp(table.sum(axis=1)) - np.log(len(table))) / table.shape[1]
            ),
            "You add up each draw's log densities over the points and average over draws then: the "
            "density of all points *together*, where the one best draw decides. Each point is "
            "predicted by itself.",
        ),
        Misconception(
            "the best draw",
            lambda table: float(table.mean(axis=1).max()),
            "You take the draw that does best on the held-out points: chosen by the points that "
            "were to test it. Average the densities of all draws.",
        ),
        Misconception(
            "the best draw of each point",
            lambda table: float(table.max(axis=0).mean()),
            "You take the best draw for each point. Beforehand nobody knows which one that is: "
            "average the densities of all draws.",
        ),
        Misconception(
            "the first draw",
            lambda table: float(table[0].mean()),
            "You score the first draw alone. All of them make the prediction.",
        ),
        Misconception(
            "the last draw",
            lambda table: float(table[-1].mean()),
            "You score the last draw alone. All of them make the prediction.",
        ),
        Misconception(
            "median over draws",
            lambda table: float(np.median(table, axis=0).mean()),
            "You take the median over the draws. The prediction is their *mean* density.",
        ),
        Misconception(
            "exponential first",
            _exp_first,
            "Right on paper. At −1000 nats a density is 0 in the computer, and its logarithm −∞: "
            "logsumexp over the draws, minus log S.",
        ),
        Misconception(
            "a small number added",
            lambda table: float(np.mean(np.log(np.mean(np.exp(table), axis=0) + 1e-12))),
            "A small number under the logarithm makes a far point score as if it were not so far: "
            "logsumexp over the draws needs none.",
        ),
        Misconception(
            "largest of all",
            _shifted_all,
            "You take off the largest entry of the whole table. A point far below it becomes log "
            "0: take off each point's own largest, or use logsumexp with axis=0.",
        ),
        Misconception(
            "−∞ left out",
            _without_infinities,
            "You leave out entries of −∞, and do not count them either. Such a draw gives the "
            "point the density 0, and counts as one of the S.",
        ),
        Misconception(
            "draws with −∞ left out",
            _whole_draws_without_infinities,
            "You leave out draws that give a point −∞. They are draws like others: their density "
            "there is 0, and they count among the S.",
        ),
        Misconception(
            "−∞ made zero",
            lambda table: _held_out(np.where(np.isfinite(table), table, 0.0)),
            "You put 0 in the place of −∞. A log density of 0 is a density of 1: the worst "
            "draw becomes a good one. exp(−∞) is 0, and logsumexp knows.",
        ),
        Misconception(
            "mean density",
            lambda table: float(np.mean(np.exp(table))),
            "You average densities, without a logarithm. One lucky point would outweigh all "
            "others: logarithm for each point, then the mean over points.",
        ),
        Misconception(
            "harmonic mean",
            lambda table: float(-np.mean(logsumexp(-table, axis=0) - np.log(len(table)))),
            "You average 1/density over the draws: that is for leaving a point out that was "
            "*fitted*. These points were held out: the plain mean.",
        ),
        Misconception(
            "base 2",
            lambda table: _held_out(table) / np.log(2),
            "These are bits. The course counts in nats: the natural logarithm.",
        ),
        Misconception(
            "a loss",
            lambda table: -_held_out(table),
            "The sign is that of a loss. Higher is better here.",
        ),
        Misconception(
            "one number for each point",
            lambda table: logsumexp(table, axis=0) - np.log(len(table)),
            "You have a number for each point. Their mean is asked for.",
        ),
    ),
    hints=(
        "The prediction for a point is the mean of its densities over the draws. Which axis is "
        "that, and how does a mean of exponentials stay in logarithms?",
        "For each point logsumexp over axis 0, minus log S with S = len(log_densities).",
        "np.mean(logsumexp(log_densities, axis=0) − np.log(len(log_densities))).",
    ),
)
