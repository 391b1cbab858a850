"""Check of unit 04, exercise 4.5: r-hat, from the halves of each chain.

``draws`` (chains, S) of one number. Source: Gelman et al. (2013), *Bayesian Data Analysis*, third
edition, section 11.4: of m half chains of n draws B is n times the variance of their means, and W
the mean of their own variances. Of an odd number of draws the middle one is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

_random = np.random.default_rng(45)

GOOD, BAD = 1.05, 1.1
"""Below the one, chains that agree are said to agree; above the other, an alarm is due."""


# 4.5 · r-hat


def _r_hat(draws: NDArray) -> float:
    n = draws.shape[1] // 2
    halves = np.concatenate([draws[:, :n], draws[:, -n:]])
    between = n * halves.mean(axis=1).var(ddof=1)
    within = halves.var(axis=1, ddof=1).mean()
    return float(np.sqrt(((n - 1) / n * within + between / n) / within))


def _gives_no_false_alarm(call: Callable, args: tuple, result: float) -> Failure | None:
    if args[0].shape[1] < 100 or _r_hat(*args) >= GOOD or result < GOOD:  # or too short to tell
        return None
    return Failure(
        "These chains have all drawn from one distribution, from beginning to end, and r-hat "
        "should be about 1. Yours:",
        result,
        _r_hat(*args),
    )


def _gives_the_alarm(call: Callable, args: tuple, result: float) -> Failure | None:
    if _r_hat(*args) <= BAD or result > BAD:
        return None
    return Failure(
        "These chains, or their beginnings and ends, are in different places, and r-hat should be "
        f"above {BAD:g}. Yours:",
        result,
        _r_hat(*args),
    )


def _has_no_unit(call: Callable, args: tuple, result: float) -> Failure | None:
    again = call(3 * args[0] + 7)
    if np.isclose(again, result, rtol=1e-5):
        return None
    return Failure(
        "All draws were multiplied by 3 and moved by 7. Chains that agreed agree as before, and "
        "your r-hat changed.",
        again,
        result,
        AFTER_BEFORE,
    )


def _chains_have_no_order(call: Callable, args: tuple, result: float) -> Failure | None:
    again = call(np.roll(args[0], 1, axis=0))
    if np.isclose(again, result, rtol=1e-5):
        return None
    return Failure(
        "The last chain was put first, and your r-hat changed.", again, result, AFTER_BEFORE
    )


def _halves(draws: NDArray) -> NDArray:
    n = draws.shape[1] // 2
    return np.concatenate([draws[:, :n], draws[:, -n:]])


def _between_and_within(chains: NDArray) -> tuple[int, int, float, float]:
    """m, n, B and W of chains that are not split further."""
    m, n = chains.shape
    between = n * float(chains.mean(axis=1).var(ddof=1))
    return m, n, between, float(chains.var(axis=1, ddof=1).mean())


def _formula(m: int, n: int, between: float, within: float) -> float:
    return float(np.sqrt(((n - 1) / n * within + between / n) / within))


def _by(
    combine: Callable[[int, int, float, float], float] = _formula,
    split: Callable[[NDArray], NDArray] = _halves,
) -> Callable[[NDArray], float]:
    """An answer from m, n, B and W, with chains split in some way."""
    return lambda draws: combine(*_between_and_within(split(draws)))


def _less_even(draws: NDArray) -> float:
    """Of an odd number of draws the second half has one more."""
    n = draws.shape[1] // 2
    halves = [*draws[:, :n], *draws[:, n:]]
    between = n * np.var([half.mean() for half in halves], ddof=1)
    return _formula(len(halves), n, between, np.mean([half.var(ddof=1) for half in halves]))


def _ranked(draws: NDArray) -> float:
    """Vehtari et al. (2021), *Bayesian Analysis* 16, 667–718, section 4: what ArviZ gives."""

    def scores(halves: NDArray) -> NDArray:
        ranks = rankdata(halves).reshape(halves.shape)
        return np.asarray(norm.ppf((ranks - 3 / 8) / (ranks.size + 1 / 4)))

    halves = _halves(draws)
    folded = np.abs(halves - np.median(halves))
    return max(_formula(*_between_and_within(scores(each))) for each in (halves, folded))


_AGREED = _random.normal(size=(4, 200)).round(3)
_DRIFT = np.linspace(0, 3, 200)
_SPREADS = np.array([[0.3], [1.0], [1.0], [3.0]])

r_hat = Exercise(
    number="4.5",
    name="r_hat",
    reference=_r_hat,
    cases=(
        Case(
            "two chains of four draws",
            (np.array([[1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 6.0, 4.0]]),),
        ),
        Case("one chain that rises", (np.array([[1.0, 3.0, 2.0, 4.0, 6.0, 5.0, 7.0, 8.0]]),)),
        Case(
            "two chains of five draws, 100 in the middle of one",
            (np.array([[1.0, 4.0, 100.0, 2.0, 6.0], [3.0, 1.0, 2.0, 2.0, 5.0]]),),
        ),
        Case("four chains of 200 draws, all alike", (_AGREED,)),
        Case(
            "the same, one chain shifted by 1.5",
            (_AGREED + np.array([[0.0], [0.0], [1.5], [0.0]]),),
        ),
        Case(
            "two chains, the names of two components exchanged",
            (0.3 * _AGREED[:2] + np.array([[-2.0], [2.0]]),),
        ),
        Case("four chains that drift, all in the same way", (_AGREED + _DRIFT,)),
        Case("four chains about one place, wide and narrow", (_AGREED * _SPREADS,)),
    ),
    properties=(
        Property("about 1 where chains agree", _gives_no_false_alarm),
        Property("above 1.1 where chains or their halves do not", _gives_the_alarm),
        Property("units do not matter", _has_no_unit),
        Property("the order of chains does not matter", _chains_have_no_order),
    ),
    misconceptions=(
        Misconception(
            "chains not split",
            _by(split=lambda draws: draws),
            "You compare whole chains. If all of them drift in the same way, they agree and have "
            "not arrived: split each in halves, and compare twice as many.",
        ),
        Misconception(
            "second halves only",
            _by(split=lambda draws: draws[:, -(draws.shape[1] // 2) :]),
            "You keep the second half of each chain, as if the first were warm-up (which has been "
            "taken off already). Both halves take part, as chains of their own.",
        ),
        Misconception(
            "first halves only",
            _by(split=lambda draws: draws[:, : draws.shape[1] // 2]),
            "You keep the first half of each chain. Both halves take part, as chains of their own.",
        ),
        Misconception(
            "no number for a single chain",
            lambda draws: _r_hat(draws) if len(draws) > 1 else np.nan,
            "ArviZ refuses a single chain; its halves can be compared all the same. Write the "
            "formula out.",
        ),
        Misconception(
            "every other draw",
            _by(
                split=lambda draws: np.concatenate(
                    [draws[:, ::2][:, : draws.shape[1] // 2], draws[:, 1::2]]
                )
            ),
            "You put every other draw into one half. Both then cover the whole time and agree, "
            "even if the chain drifts: take the beginning and the end.",
        ),
        Misconception(
            "all draws in one",
            _by(lambda m, n, b, w: np.sqrt((((n - 1) * m * w + (m - 1) * b) / (m * n - 1)) / w)),
            "You take the variance of all draws, pooled, over W. That compares as well, but the "
            "variance between few chains is too small in it: B is divided by m − 1 "
            "and not by m. var⁺ = (n − 1)/n · W + B/n.",
        ),
        Misconception(
            "ddof=0 in B",
            _by(lambda m, n, b, w: _formula(m, n, (m - 1) / m * b, w)),
            "The variance of the m means has m − 1 below the line. `np.var` divides by m unless "
            "told `ddof=1`, with four half chains a quarter too little. (`halves.var()`, the "
            "variance of all draws in one, comes to the same.)",
        ),
        Misconception(
            "chains pooled",
            _by(split=lambda draws: draws.reshape(2, -1)),
            "You make one long chain of all draws and compare its two halves. Chains that differ "
            "may average out in them: split each chain by itself, and compare 2 × chains halves.",
        ),
        Misconception(
            "W of all draws",
            lambda draws: _formula(
                *_between_and_within(_halves(draws))[:3], float(_halves(draws).var(ddof=1))
            ),
            "Your W is the variance of all draws pooled, and the differences between the chains "
            "are in it already: they cancel. W is the mean of the variances *within* the halves.",
        ),
        Misconception(
            "no root",
            _by(lambda m, n, b, w: ((n - 1) / n * w + b / n) / w),
            "This is var⁺/W, a ratio of variances. r-hat is its root.",
        ),
        Misconception(
            "variance of the means for B",
            _by(lambda m, n, b, w: _formula(m, n, b / n, w)),
            "Your B is the variance of the means. It is n times that: a mean of n draws varies n "
            "times less than a draw, and B is to be compared with W.",
        ),
        Misconception(
            "B not divided by n",
            _by(lambda m, n, b, w: _formula(m, n, b * n, w)),
            "You add B to (n − 1)/n · W, and B/n is due. Chains that agree would give √2.",
        ),
        Misconception(
            "W in full",
            _by(lambda m, n, b, w: np.sqrt((w + b / n) / w)),
            "You take W in full, and (n − 1)/n · W is due. The variances are weighed: "
            "n − 1 parts of W and one part of B.",
        ),
        Misconception(
            "the formula of 1992",
            _by(lambda m, n, b, w: np.sqrt(((n - 1) / n * w + (1 + 1 / m) * b / n) / w)),
            "You have (1 + 1/m) B/n, as the first version of r-hat had it (Gelman and Rubin 1992). "
            "The present one has B/n.",
        ),
        Misconception(
            "n of the whole chain",
            lambda draws: np.sqrt(
                (
                    (draws.shape[1] - 1)
                    / draws.shape[1]
                    * _halves(draws).var(axis=1, ddof=1).mean()
                    + _halves(draws).mean(axis=1).var(ddof=1)
                )
                / _halves(draws).var(axis=1, ddof=1).mean()
            ),
            "Your n is the length of a whole chain. It is half chains that are compared: n is "
            "their length.",
        ),
        Misconception(
            "ddof=0 in W",
            _by(lambda m, n, b, w: _formula(m, n, b, (n - 1) / n * w)),
            "W is the mean of variances with n − 1 below the line. `np.var` divides by n unless "
            "told `ddof=1`.",
        ),
        Misconception(
            "ddof=0 in both",
            _by(lambda m, n, b, w: _formula(m, n, (m - 1) / m * b, (n - 1) / n * w)),
            "Both variances lack `ddof=1`: `np.var` divides by the number of values, and one less "
            "is due, for the draws of a half and for the means.",
        ),
        Misconception(
            "upside down",
            _by(lambda m, n, b, w: 1 / _formula(m, n, b, w)),
            "Your ratio is upside down: W over var⁺ falls below 1 where chains differ. var⁺ is "
            "above the line.",
        ),
        Misconception(
            "B over W",
            _by(lambda m, n, b, w: np.sqrt(b / w)),
            "You compare B with W directly. That is the idea, but it grows with n: r-hat sets "
            "var⁺ = (n − 1)/n · W + B/n against W.",
        ),
        Misconception(
            "B over W, no root",
            _by(lambda m, n, b, w: b / w),
            "B/W is the F ratio of an analysis of variance. r-hat is √(var⁺/W), with var⁺ = "
            "(n − 1)/n · W + B/n.",
        ),
        Misconception(
            "standard deviations averaged",
            lambda draws: _formula(
                2 * len(draws),
                draws.shape[1] // 2,
                _between_and_within(_halves(draws))[2],
                float(_halves(draws).std(axis=1, ddof=1).mean() ** 2),
            ),
            "You average standard deviations and square. W is the mean of the *variances*.",
        ),
        Misconception(
            "draws for chains",
            lambda draws: _r_hat(draws.T),
            "Rows and columns are exchanged: `draws` has a row for each chain, and time runs along "
            "the rows (axis 1).",
        ),
        Misconception(
            "halves by reshape",
            _by(split=lambda draws: draws.reshape(-1, draws.shape[1] // 2)),
            "With an even number of draws this is right. With an odd one `reshape` cuts pieces "
            "that reach from one chain into the next. Leave the middle draw out: `draws[:, :n]` "
            "and `draws[:, -n:]`.",
        ),
        Misconception(
            "halves of different length",
            _by(split=lambda draws: draws.reshape(2 * len(draws), -1)),
            "With an even number of draws this is right. An odd number does not fall into two "
            "equal halves, and NumPy stops. Leave the middle draw out: `draws[:, :n]` and "
            "`draws[:, -n:]`.",
        ),
        Misconception(
            "second half longer",
            _less_even,
            "With an odd number of draws your second half has one more. Halves are to be of one "
            "length n: leave the middle draw out.",
        ),
        Misconception(
            "last draw dropped",
            lambda draws: _r_hat(draws[:, : draws.shape[1] // 2 * 2]),
            "Of an odd number of draws you drop the last one. Leave the middle one out, as ArviZ "
            "does: `draws[:, :n]` and `draws[:, -n:]`.",
        ),
        Misconception(
            "first draw dropped",
            lambda draws: _r_hat(draws[:, draws.shape[1] % 2 :]),
            "Of an odd number of draws you drop the first one. Leave the middle one out, as ArviZ "
            "does: `draws[:, :n]` and `draws[:, -n:]`.",
        ),
        Misconception(
            "ranks",
            _ranked,
            "This is the newer r-hat, ArviZ's own, from the ranks of the draws. It sees more, "
            "unequal spreads for example. Here the plain one is asked for, from the draws.",
        ),
    ),
    hints=(
        "Make twice as many chains, half as long. If all draw from one distribution, what do their "
        "means tell of the variance, and what their own variances?",
        "B = n · (variance of the means, ddof=1), W = mean of the variances (ddof=1); var⁺ = "
        "(n − 1)/n · W + B/n; r-hat = √(var⁺/W).",
        "n = draws.shape[1] // 2; halves = np.concatenate([draws[:, :n], draws[:, -n:]]); then B "
        "and W along axis 1.",
    ),
)
