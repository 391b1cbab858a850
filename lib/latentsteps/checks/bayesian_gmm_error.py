"""Check of unit 04, exercise 4.4: the Monte Carlo standard error of a mean.

``draws`` (S,) of one number, of which ``effective`` count as independent ones. Source: Gelman et
al. (2013), *Bayesian Data Analysis*, third edition, sections 10.5 and 11.5. Whether the standard
deviation is taken with S or with S − 1 is left open: with a thousand draws it is the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

_random = np.random.default_rng(44)


# 4.4 · The error of a mean over draws


def _standard_error(draws: NDArray, effective: float) -> float:
    return float(np.std(draws, ddof=1) / np.sqrt(effective))


_STICKY = 0.8
"""Correlation of each draw of the sticky chains with the one before."""


def _sticky(chains: int, n: int, random: np.random.Generator) -> NDArray:
    """Chains of draws from N(0, 1) that hang together: autoregressive of order 1, (chains, n)."""
    noise = random.normal(size=(chains, n)) * np.sqrt(1 - _STICKY**2)
    noise[:, 0] = random.normal(size=chains)
    return np.asarray(lfilter([1.0], [1.0, -_STICKY], noise, axis=1))


def _moves_with_the_draws(call: Callable, args: tuple, result: float) -> Failure | None:
    draws, effective = args
    again = call(10 * draws + 50, effective)
    if abs(again - 10 * result) < 1e-3 * abs(10 * result):
        return None
    return Failure(
        "All draws were multiplied by 10 and moved by 50. Their mean is then ten times as "
        "uncertain. Yours is now:",
        again,
        10 * result,
        ("now", "ten times what it was"),
    )


def _halves(call: Callable, args: tuple, result: float) -> Failure | None:
    draws, effective = args
    again = call(draws, 4 * effective)
    if abs(again - result / 2) < 1e-3 * abs(result):
        return None
    return Failure(
        "If four times as many draws count, the error is half as large. Yours is then:",
        again,
        result / 2,
        ("with four times as many", "half of what it was"),
    )


def _means_scatter_so(call: Callable, args: tuple, result: float) -> Failure | None:
    if len(args[0]) > 1000:
        return None
    n, random = 500, np.random.default_rng(1)
    effective = n * (1 - _STICKY) / (1 + _STICKY)
    real = float(_sticky(4000, n, random).mean(axis=1).std())  # itself known to about 1 %
    yours = float(np.mean([call(chain, effective) for chain in _sticky(25, n, random)]))
    if abs(yours - real) < 0.1 * real:  # 25 chains know it to about 2 %
        return None
    return Failure(
        f"4,000 chains of {n} draws that hang together, so that about {effective:.0f} draws count: "
        "their means scatter with the standard deviation below. On 25 such chains your error is, "
        "in the mean:",
        yours,
        real,
        ("your error", "the means scatter by"),
    )


def _of(combine: Callable[[float, float, int], float]) -> Callable[[NDArray, float], float]:
    """An answer made of the draws' standard deviation, ``effective`` and S."""
    return lambda draws, effective: combine(float(draws.std(ddof=1)), effective, len(draws))


standard_error = Exercise(
    number="4.4",
    name="standard_error",
    reference=_standard_error,
    cases=(
        Case("1,000 draws, −1 and 1 in turns; 100 count", (np.tile([-1.0, 1.0], 500), 100.0)),
        Case("1,000 draws of 2 and 6; 250 count", (np.repeat([2.0, 6.0], 500), 250.0)),
        Case("2,000 draws that hang together", (_sticky(1, 2000, _random)[0] + 3, 222.0)),
    ),
    properties=(
        Property("it goes with the scale of the draws", _moves_with_the_draws),
        Property("four times as many draws halve it", _halves),
        Property("the means of chains scatter as much as it says", _means_scatter_so),
    ),
    misconceptions=(
        Misconception(
            "all draws count",
            _of(lambda sd, effective, n: sd / np.sqrt(n)),
            "You divide by the root of the number of draws. These hang together, so each brings "
            "less than a new one: divide by the root of `effective`.",
        ),
        Misconception(
            "no root",
            _of(lambda sd, effective, n: sd / effective),
            "You divide by `effective` itself. *Variances* of means fall like 1/n, so standard "
            "deviations fall like 1/√n.",
        ),
        Misconception(
            "standard deviation of the draws",
            _of(lambda sd, effective, n: sd),
            "This is the spread of the draws: how unsure the posterior is. More draws do not make "
            "it smaller. How well its *mean* is known is another thing: divide by √effective.",
        ),
        Misconception(
            "the mean's variance",
            _of(lambda sd, effective, n: sd**2 / effective),
            "This is the variance of the mean. The standard error is its root.",
        ),
        Misconception(
            "variance over the root",
            _of(lambda sd, effective, n: sd**2 / np.sqrt(effective)),
            "You divide the variance of the draws by √effective. It is their standard deviation, "
            "`np.std`, that belongs there.",
        ),
        Misconception(
            "variance of the draws",
            _of(lambda sd, effective, n: sd**2),
            "This is the variance of the draws. How well their mean is known: the standard "
            "deviation over √effective.",
        ),
        Misconception(
            "multiplied",
            _of(lambda sd, effective, n: sd * np.sqrt(effective)),
            "You multiply by √effective, and more draws would make the mean less certain. Divide.",
        ),
        Misconception(
            "corrected the wrong way",
            _of(lambda sd, effective, n: sd * np.sqrt(effective) / n),
            "You make the usual error sd/√S *smaller* by √(effective/S). Draws that hang together "
            "know less: it gets larger, sd/√S · √(S/effective), which is sd/√effective.",
        ),
        Misconception(
            "both numbers",
            _of(lambda sd, effective, n: sd / np.sqrt(n * effective)),
            "You divide by √S and by √effective. `effective` takes the place of S.",
        ),
        Misconception(
            "a 95 % interval",
            _of(lambda sd, effective, n: 1.96 * sd / np.sqrt(effective)),
            "1.96 standard errors are half of a 95 % interval. One is asked for.",
        ),
        Misconception(
            "one less",
            _of(lambda sd, effective, n: sd / np.sqrt(effective - 1)),
            "You divide by the root of effective − 1. The −1 belongs into the standard deviation "
            "(ddof=1), where the mean was estimated; the mean's own error has n.",
        ),
        Misconception(
            "the mean not taken out",
            lambda draws, effective: np.sqrt(np.mean(np.square(draws)) / effective),
            "You take the root of the mean square. The spread around the *mean* counts, `np.std`: "
            "moving all draws does not make them less certain.",
        ),
        Misconception(
            "spread of the differences",
            lambda draws, effective: np.diff(draws).std(ddof=1) / np.sqrt(effective),
            "You measure how far one draw is from the next. What counts is how far the draws are "
            "from their mean; that they hang together is in `effective`.",
        ),
        Misconception(
            "the mean",
            lambda draws, effective: draws.mean(),
            "This is the mean of the draws. How far may it be from the mean of the posterior?",
        ),
        Misconception(
            "mean and error",
            lambda draws, effective: (draws.mean(), _standard_error(draws, effective)),
            "You return the mean and its error. The error alone is asked for.",
        ),
    ),
    hints=(
        "If all S draws were independent, with what standard deviation would their mean scatter?",
        "sd/√S. Here only `effective` of them count.",
        "np.std(draws, ddof=1) / np.sqrt(effective)",
    ),
    tolerance=2e-3,  # S or S − 1, as said above
)
