"""Check of unit 08, exercise 8.5: a paired difference with a 95 % interval over seeds.

``first`` and ``second`` (R,): the scores of two methods, entry r of both from seed r. The interval
is that of the mean difference by Student's t with R − 1 degrees of freedom (Student 1908, "The
probable error of a mean", *Biometrika* 6, 1–25).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

Ends = tuple[float, float]

EXPERIMENTS, TRUE = 200, 0.02
"""Simulated experiments of three seeds each, and the mean difference they are drawn with."""
_drawn = np.random.default_rng(850)
_LUCK = _drawn.normal(0.5, 0.1, (EXPERIMENTS, 1, 3))  # of the seed, the same for both methods
_SCORES = _LUCK + _drawn.normal(0, 0.03, (EXPERIMENTS, 2, 3)) + np.array([[TRUE], [0.0]])


# 8.5 · A paired interval


def _interval(first: NDArray, second: NDArray) -> Ends:
    difference = first - second
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    half = stats.t.ppf(0.975, len(difference) - 1) * error
    return float(difference.mean() - half), float(difference.mean() + half)


def _scale(args: tuple) -> float:
    return max(1e-3, float(np.ptp(np.concatenate(args))))


def _low_first(call: Callable, args: tuple, result: Ends) -> Failure | None:
    if result[0] <= result[1]:
        return None
    return Failure("The lower end comes first.", np.array(result), np.array(result[::-1]))


def _around_the_mean(call: Callable, args: tuple, result: Ends) -> Failure | None:
    middle, expected = sum(result) / 2, float(np.mean(args[0] - args[1]))
    if abs(middle - expected) <= 1e-5 * _scale(args):
        return None
    return Failure(
        "The middle of the interval is the mean of first − second. Yours:", middle, expected
    )


def _luck_cancels(call: Callable, args: tuple, result: Ends) -> Failure | None:
    luck = 5 * _scale(args) * np.arange(len(args[0]))
    again = call(args[0] + luck, args[1] + luck)
    if np.allclose(again, result, rtol=0, atol=1e-5 * _scale(args)):
        return None
    return Failure(
        "Each seed was given luck of its own, the same for both methods. The differences are what "
        "they were, and so is the interval. Yours changed.",
        np.array(again),
        np.array(result),
        AFTER_BEFORE,
    )


def _turns_over(call: Callable, args: tuple, result: Ends) -> Failure | None:
    again = call(args[1], args[0])
    if np.allclose(again, [-result[1], -result[0]], rtol=0, atol=1e-5 * _scale(args)):
        return None
    return Failure(
        "The methods exchanged, the interval turns over: (low, high) becomes (−high, −low).",
        np.array(again),
        -np.array(result)[::-1],
    )


def _seeds_have_no_order(call: Callable, args: tuple, result: Ends) -> Failure | None:
    again = call(args[0][::-1].copy(), args[1][::-1].copy())
    if np.allclose(again, result, rtol=0, atol=1e-5 * _scale(args)):
        return None
    return Failure(
        "The seeds were put in the opposite order, for both methods. The interval should stay.",
        np.array(again),
        np.array(result),
        AFTER_BEFORE,
    )


def _covers(call: Callable, args: tuple, result: Ends) -> Failure | None:
    """In simulation; on the first case alone, as it takes 200 calls."""
    if len(args[0]) != 3:
        return None
    held = 0
    for first, second in _SCORES:
        low, high = call(first, second)
        held += low <= TRUE <= high
    # 190 is the mean, and 3.1 the standard deviation, of a count of 200 at .95.
    if abs(held - 190) <= 9:
        return None
    return Failure(
        f"{EXPERIMENTS} experiments of three seeds were drawn, with a true mean difference of "
        f"{TRUE}. So many of your intervals hold it, where 95 % is about 190:",
        held,
        190,
    )


def _by(half: Callable[[NDArray], float]) -> Callable[[NDArray, NDArray], Ends]:
    """An answer with the right middle and some half width."""

    def answer(first: NDArray, second: NDArray) -> Ends:
        difference = first - second
        middle, width = difference.mean(), half(difference)
        return float(middle - width), float(middle + width)

    return answer


def _t(d: NDArray, level: float = 0.975, less: int = 1) -> float:
    return float(stats.t.ppf(level, len(d) - less))


def _error(d: NDArray, ddof: int = 1) -> float:
    return float(d.std(ddof=ddof) / np.sqrt(len(d)))


def _around(middle: float, first: NDArray, second: NDArray) -> Ends:
    low, high = _interval(first, second)
    return middle - (high - low) / 2, middle + (high - low) / 2


def _two_groups(first: NDArray, second: NDArray, equal: bool) -> Ends:
    found = stats.ttest_ind(first, second, equal_var=equal).confidence_interval()
    return float(found.low), float(found.high)


def _one(scores: NDArray) -> Ends:
    return _interval(scores, np.zeros_like(scores))


def _apart(first: NDArray, second: NDArray) -> Ends:
    one, other = _one(first), _one(second)
    return one[0] - other[1], one[1] - other[0]


def _percent(first: NDArray, second: NDArray) -> Ends:
    return _interval(first / second, np.ones_like(second))


_MISCONCEPTIONS = (
    Misconception(
        "normal quantile",
        _by(lambda d: 1.959964 * _error(d)),
        "1.96 is for an sd that is known. Yours is estimated from a few seeds and may be far too "
        "small: Student's t with R − 1 degrees of freedom makes up for that, 4.30 for three seeds.",
    ),
    Misconception(
        "two standard errors",
        _by(lambda d: 2 * _error(d)),
        "Two standard errors are for many seeds. With three, 95 % takes 4.30 of them: Student's t "
        "with R − 1 degrees of freedom.",
    ),
    Misconception(
        "one standard error",
        _by(_error),
        "One standard error to either side holds the true difference in 58 of 100 experiments of "
        "three seeds. For 95 it is multiplied by Student's t quantile at .975, R − 1 degrees.",
    ),
    Misconception(
        "sd for the standard error",
        _by(lambda d: _t(d) * d.std(ddof=1)),
        "You take the sd of the differences: that tells where the *next* seed may lie. A mean of R "
        "of them is surer, by √R.",
    ),
    Misconception(
        "two standard deviations",
        _by(lambda d: 1.959964 * d.std(ddof=1)),
        "Mean ± 1.96 sd is where single differences lie, if there are many. For their mean it is "
        "t · sd/√R.",
    ),
    Misconception(
        "one standard deviation",
        _by(lambda d: float(d.std(ddof=1))),
        "Mean ± sd describes the runs. It is no 95 % interval of their mean: that is t · sd/√R.",
    ),
    Misconception(
        "divided by R",
        _by(lambda d: _t(d) * d.std(ddof=1) / len(d)),
        "You divide the sd by R. The standard error falls with the root: sd/√R.",
    ),
    Misconception(
        "variance for the sd",
        _by(lambda d: _t(d) * d.var(ddof=1) / np.sqrt(len(d))),
        "You take the variance. The standard error is the *standard deviation* over √R.",
    ),
    Misconception(
        "ddof=0",
        _by(lambda d: _t(d) * _error(d, 0)),
        "The sd lacks `ddof=1`: `np.std` divides by R unless told, and one less is due.",
    ),
    Misconception(
        "R degrees of freedom",
        _by(lambda d: _t(d, less=0) * _error(d)),
        "Student's t has R − 1 degrees of freedom here: one went into the mean.",
    ),
    Misconception(
        "degrees of freedom of two groups",
        _by(lambda d: float(stats.t.ppf(0.975, 2 * len(d) - 2)) * _error(d)),
        "2R − 2 degrees of freedom belong to two separate groups. There are R differences: R − 1.",
    ),
    Misconception(
        "one tail",
        _by(lambda d: _t(d, 0.95) * _error(d)),
        "With the quantile at .95 each tail has 5 %, and the interval holds 90 %. For 95 % leave "
        "2.5 % on each side: .975.",
    ),
    Misconception(
        "not paired",
        lambda first, second: _two_groups(first, second, True),
        "You treat the runs as two separate groups. Entry r of both is from one seed: what is the "
        "seed's luck cancels in the difference. One sd, that of first − second.",
    ),
    Misconception(
        "not paired, Welch",
        lambda first, second: _two_groups(first, second, False),
        "Welch's interval is for two separate groups. Entry r of both is from one seed, and the "
        "seed's luck cancels if you take differences first.",
    ),
    Misconception(
        "an interval of each",
        _apart,
        "You make an interval for each method and subtract the ends. Two intervals may overlap "
        "widely while every single difference has one sign: take differences first.",
    ),
    Misconception(
        "best of each",
        lambda first, second: _around(float(first.max() - second.max()), first, second),
        "You compare the best run of each. The best of R grows with R and with the spread: the "
        "middle is the mean difference, over all seeds.",
    ),
    Misconception(
        "sorted first",
        lambda first, second: _interval(np.sort(first), np.sort(second)),
        "You sort both before subtracting. That pairs best with best, and takes the pairs apart: "
        "entry r belongs to seed r.",
    ),
    Misconception(
        "smallest and largest difference",
        lambda first, second: (float((first - second).min()), float((first - second).max())),
        "You give the smallest and the largest difference. With more seeds these move apart, and "
        "an interval of the mean should close in.",
    ),
    Misconception(
        "quantiles of the differences",
        lambda first, second: tuple(np.percentile(first - second, [2.5, 97.5])),
        "These are quantiles of the R differences: where single runs lie. How sure their *mean* is "
        "takes sd/√R and Student's t.",
    ),
    Misconception(
        "median",
        lambda first, second: _around(float(np.median(first - second)), first, second),
        "The middle is the median. An interval by Student's t is about the mean.",
    ),
    Misconception(
        "second minus first",
        lambda first, second: _interval(second, first),
        "You have second − first. Asked for is by how much the *first* is ahead.",
    ),
    Misconception(
        "a test",
        lambda first, second: tuple(stats.ttest_rel(first, second)),
        "These are t and the p-value of the paired test. Its result has the interval as well: "
        "`.confidence_interval(0.95)`.",
    ),
    Misconception(
        "high before low",
        lambda first, second: _interval(first, second)[::-1],
        "The ends are in the wrong order: (low, high).",
    ),
    Misconception(
        "mean and half width",
        lambda first, second: (
            float(np.mean(first - second)),
            _interval(first, second)[1] - float(np.mean(first - second)),
        ),
        "You return the mean and the half width. The two ends are asked for, mean − half and "
        "mean + half.",
    ),
    Misconception(
        "sizes of the differences",
        lambda first, second: _interval(np.abs(first - second), np.zeros_like(first)),
        "You drop the signs of the differences. A method that wins as often as it loses would "
        "seem to be ahead.",
    ),
    Misconception(
        "in parts of the second",
        _percent,
        "You divide by the second score. The difference itself is asked for.",
    ),
)

_random = np.random.default_rng(85)
_SEEDS = _random.normal(0.5, 0.1, 10).round(3)

paired_interval = Exercise(
    number="8.5",
    name="paired_interval",
    reference=_interval,
    cases=(
        Case(
            "three seeds, each with luck of its own",
            (np.array([0.52, 0.41, 0.6]), np.array([0.46, 0.38, 0.51])),
        ),
        Case("two seeds", (np.array([0.5, 0.6]), np.array([0.45, 0.4]))),
        Case(
            "five seeds, won and lost",
            (np.array([0.4, 0.55, 0.47, 0.61, 0.7]), np.array([0.45, 0.5, 0.58, 0.42, 0.66])),
        ),
        Case(
            "ten seeds, a small difference that all of them share",
            ((_SEEDS + _random.normal(0.01, 0.005, 10)).round(4), _SEEDS),
        ),
        Case(
            "scores below zero: log-likelihoods",
            (
                np.array([-98.4, -98.1, -98.9, -98.3]),
                np.array([-99.0, -98.3, -99.1, -99.2]),
            ),
        ),
    ),
    properties=(
        Property("low end first", _low_first),
        Property("around the mean difference", _around_the_mean),
        Property("a seed's luck cancels", _luck_cancels),
        Property("the methods exchanged, it turns over", _turns_over),
        Property("the order of the seeds does not matter", _seeds_have_no_order),
        Property("it holds the truth in 95 of 100 experiments", _covers),
    ),
    misconceptions=_MISCONCEPTIONS,
    hints=(
        "What is one seed's luck for both methods cancels in their difference: take differences "
        "first. Then one mean, and how sure it is.",
        "The standard error of a mean of R numbers is sd/√R, with ddof=1. The sd is itself "
        "uncertain, so 1.96 is too little: Student's t with R − 1 degrees of freedom.",
        "d = first − second; half = scipy.stats.t.ppf(0.975, R − 1) · d.std(ddof=1) / √R; return "
        "d.mean() − half, d.mean() + half.",
    ),
)
