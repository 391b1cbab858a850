"""Wrong answers to exercise 4.2, :mod:`latentsteps.checks.bayesian_gmm_metropolis`; most of them
by what they make of two differences of logarithms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Misconception

Position = int | float | NDArray
LogDensity = Callable[[Any], float]
LogProposal = Callable[[Any, Any], float]


def _accepting(rule: Callable[[float, float, float], bool]) -> Callable[..., Position]:
    """An answer that moves if ``rule(change, correction, u)``: of the log densities, there minus
    here, and of the log proposals, the way back minus the way there."""

    def answer(
        here: Position,
        there: Position,
        log_density: LogDensity,
        log_proposal: LogProposal,
        u: float,
    ) -> Position:
        change = np.float64(log_density(there)) - log_density(here)
        correction = log_proposal(here, there) - log_proposal(there, here)
        return there if rule(change, correction, u) else here

    return answer


_step = _accepting(lambda change, correction, u: np.log(u) <= change + correction)


def _accepts(*args: Any) -> bool:
    return _step(*args) is args[1]


def _with_exp(
    here: Position, there: Position, log_density: LogDensity, log_proposal: LogProposal, u: float
) -> Position:
    above = np.exp(log_density(there)) * np.exp(log_proposal(here, there))
    below = np.exp(log_density(here)) * np.exp(log_proposal(there, here))
    return there if u <= above / below else here


def _with_math_exp(
    here: Position, there: Position, log_density: LogDensity, log_proposal: LogProposal, u: float
) -> Position:
    above = math.exp(log_density(there)) * math.exp(log_proposal(here, there))
    below = math.exp(log_density(here)) * math.exp(log_proposal(there, here))
    return there if u <= above / below else here


def _only_if_accepted(*args: Any) -> Position | None:
    return args[1] if _accepts(*args) else None


MISCONCEPTIONS = (
    Misconception(
        "accepted moves only",
        _only_if_accepted,
        "Where the move is refused nothing is returned, so the chain would keep accepted "
        "points only. Staying counts: a refused move gives `here` once more, and that is how "
        "probable places get their share of the draws.",
    ),
    Misconception(
        "asymmetric proposal not corrected",
        _accepting(lambda change, _, u: np.log(u) <= change),
        "Your rule compares the densities alone. Where the way there is proposed more often "
        "than the way back, the chain would drift that way: add log_proposal(here, there) − "
        "log_proposal(there, here).",
    ),
    Misconception(
        "correction the wrong way round",
        _accepting(lambda change, correction, u: np.log(u) <= change - correction),
        "The correction is the wrong way round. What is proposed too often has to be accepted "
        "less often: the way back, log_proposal(here, there), is added, the way there is taken "
        "off. (`to` comes first.)",
    ),
    Misconception(
        "proposals alone",
        _accepting(lambda _, correction, u: np.log(u) <= correction),
        "Your rule does not look at the density. The ratio has four parts: the density there "
        "over the density here, times the proposal of the way back over that of the way there.",
    ),
    Misconception(
        "uphill only",
        _accepting(lambda change, correction, u: change + correction > 0),
        "Your chain goes uphill only, and u decides nothing: that is a search for the mode. "
        "Moves downhill are accepted too, with probability equal to the ratio.",
    ),
    Misconception(
        "every move",
        lambda here, there, log_density, log_proposal, u: there,
        "Your chain always moves. (So does it with a ratio clipped from below, "
        "max(1, ratio), or with log u set against the ratio itself, which is always larger.) "
        "Move if log u is at most the *log* ratio.",
    ),
    Misconception(
        "no move",
        lambda here, there, log_density, log_proposal, u: here,
        "Your chain never moves. If log u is at most the log ratio, return `there`.",
    ),
    Misconception(
        "yes and no exchanged",
        lambda here, there, *rest: here if _accepts(here, there, *rest) else there,
        "Yes and no are exchanged: a ratio of .8 should be accepted in 80 % of the cases, so "
        "where u is *at most* that.",
    ),
    Misconception(
        "densities the wrong way round",
        _accepting(lambda change, correction, u: np.log(u) <= correction - change),
        "Your ratio has the density here above the line and so prefers the way down. It is "
        "there over here.",
    ),
    Misconception(
        "ratio upside down",
        _accepting(lambda change, correction, u: np.log(u) <= -change - correction),
        "Your whole ratio is upside down. Above the line: density there, and proposal of the "
        "way back.",
    ),
    Misconception(
        "u against the log ratio",
        _accepting(lambda change, correction, u: u <= change + correction),
        "You compare u with the *log* ratio, which is negative for every move downhill. "
        "Compare log u with it, or u with its exponential.",
    ),
    Misconception(
        "clipped before the correction",
        _accepting(lambda change, correction, u: np.log(u) <= min(0.0, change) + correction),
        "You clip the ratio of densities at 1 and correct it afterwards. The whole ratio is "
        "clipped, and with u ≤ 1 no clipping is needed at all: log u ≤ log ratio.",
    ),
    Misconception(
        "both ratios clipped",
        _accepting(
            lambda change, correction, u: np.log(u) <= min(0.0, change) + min(0.0, correction)
        ),
        "You clip both ratios, each by itself. That is in balance and a valid chain; but a "
        "high density cannot make up for a rare way back any more, so it stays more often than "
        "it has to. Multiply first, then clip, or do not clip.",
    ),
    Misconception(
        "Barker's rule",
        _accepting(
            lambda change, correction, u: np.log(u) <= -np.logaddexp(0, -change - correction)
        ),
        "ratio / (1 + ratio) is Barker's rule (1965). It is in balance and a valid chain, but "
        "it refuses even moves to equally good places half of the time. Metropolis accepts "
        "with probability min(1, ratio).",
    ),
    Misconception(
        "u not used",
        _accepting(lambda change, correction, u: math.log(0.5) <= change + correction),
        "Your rule does not ask u: a ratio above ½ moves always, one below never. Chance has "
        "to decide, with probability equal to the ratio: log u ≤ log ratio.",
    ),
    Misconception(
        "a random number of its own",
        _accepting(lambda change, correction, u: np.log(np.random.random()) <= change + correction),
        "You draw a random number of your own. One is handed over, u, so that the same u gives "
        "the same chain, and a chain can be wound back.",
    ),
    Misconception(
        "exponentials first",
        _with_exp,
        "Right on paper. Exponentials of −2000 are 0 in the computer, and 0/0 decides nothing. "
        "Take differences of the logarithms, and compare with log u.",
    ),
    Misconception(
        "division by zero",
        _with_math_exp,
        "You divide exponentials. That of −2000, or of −∞, is 0, and Python's own numbers "
        "cannot be divided by it. Take differences of the logarithms, and compare with log u.",
    ),
    Misconception(
        "overflow",
        _accepting(lambda change, correction, u: u <= math.exp(change + correction)),
        "`math.exp` of 1400 is too large a number for Python and ends in an exception. Nothing "
        "has to be exponentiated: compare log u with the log ratio.",
    ),
    Misconception(
        "yes or no",
        _accepts,
        "You return whether the move is accepted. Asked is where the chain is next: `there`, "
        "or `here`.",
    ),
    Misconception(
        "position and decision",
        lambda *args: (_step(*args), _accepts(*args)),
        "You return the position and the decision. Only the position is asked for; whether it "
        "moved can be seen from it.",
    ),
    Misconception(
        "acceptance probability",
        lambda here, there, log_density, log_proposal, u: np.minimum(
            1.0,
            np.exp(
                np.float64(log_density(there))
                - log_density(here)
                + log_proposal(here, there)
                - log_proposal(there, here)
            ),
        ),
        "You return the probability of moving. With u the decision can be made: return `there` "
        "if u is at most that, and `here` if not.",
    ),
)
