"""Check of unit 06, exercise 6.1: log weights by breaking a stick, from log odds.

``log_odds`` (K − 1,) of the fractions v_j = 1/(1 + e^(−s_j)). The first piece is v_1 of the whole,
each further one v_j of what is left, and the last piece, of K, is what is left then (Sethuraman
1994, "A constructive definition of Dirichlet priors", *Statistica Sinica* 4, 639–650, truncated as
by Ishwaran & James 2001, *JASA* 96, 161–173).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, logsumexp

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

# 6.1 · Sticks


def _log_sticks(log_odds: NDArray) -> NDArray:
    log_broken = -np.logaddexp(0, -log_odds)
    log_left = np.cumsum(-np.logaddexp(0, log_odds))
    return np.append(log_broken, 0) + np.append(0, log_left)


def _sum_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    total = float(np.exp(result).sum())
    if abs(total - 1) < 1e-6:
        return None
    return Failure(
        "The pieces are all of the stick: their lengths, the exponentials of your result, add up "
        "to 1. Yours add up to:",
        total,
        1.0,
    )


def _first_of_the_whole(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    piece, fraction = float(np.exp(result[0])), float(expit(args[0][0]))
    if abs(piece - fraction) < 1e-6:
        return None
    return Failure(
        "The first piece is the fraction v_1 = 1/(1 + e^(−s)) of the whole stick. Yours is:",
        piece,
        fraction,
    )


def _what_is_left_is_broken(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    (log_odds,) = args
    if len(log_odds) < 2:
        return None
    before = call(log_odds[:-1])
    joined = np.append(result[:-2], np.logaddexp(result[-2], result[-1]))
    if np.allclose(np.exp(before), np.exp(joined), atol=1e-6):
        return None
    return Failure(
        "The last log odds were left out: the pieces before stay as they are, and the last two "
        "become one, of what was left. Yours then have the lengths below; before, with the last "
        "two put together:",
        np.exp(before),
        np.exp(joined),
        ("now", "before"),
    )


def _no_floor(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if np.abs(args[0]).max() < 30:  # other mistakes first
        return None
    low = np.array([call(np.append(s, args[0]))[0] for s in (-200.0, -300.0)])
    if np.allclose(low, [-200, -300], rtol=1e-6):
        return None
    return Failure(
        "A first break with log odds of −200, then one of −300: v is e^(−200) and e^(−300), which "
        "can be stored, and the log weight of the first piece is −200 and −300. Is something cut "
        "off, or added? Yours:",
        low,
        np.array([-200.0, -300.0]),
    )


def _of_fractions(lengths: Callable[[NDArray], NDArray]) -> Callable[[NDArray], NDArray]:
    """An answer that breaks the stick with ``lengths(v)`` and takes logarithms at the end."""

    def answer(log_odds: NDArray) -> NDArray:
        with np.errstate(over="ignore"):  # at −800, where v is 0
            return np.log(lengths(1 / (1 + np.exp(-log_odds))))

    return answer


def _left_before(v: NDArray) -> NDArray:
    """What is left of the stick before each break, and after the last, (K,)."""
    return np.append(1, np.cumprod(1 - v))


def _pieces(v: NDArray) -> NDArray:
    return np.append(v, 1) * _left_before(v)


def _own_fraction_too(log_odds: NDArray) -> NDArray:
    log_left = np.cumsum(log_expit(-log_odds))
    return np.append(log_expit(log_odds) + log_left, log_left[-1])


def _one_break_late(log_odds: NDArray) -> NDArray:
    log_left = np.append([0, 0], np.cumsum(log_expit(-log_odds)))
    return np.append(log_expit(log_odds) + log_left[:-2], log_left[-1])


def _centred(log_odds: NDArray) -> NDArray:
    return _log_sticks(log_odds - np.log(np.arange(len(log_odds), 0, -1)))


def _rest_from_fractions(log_odds: NDArray) -> NDArray:
    left = np.append(0, np.cumsum(np.log1p(-expit(log_odds))))
    return np.append(log_expit(log_odds), 0) + left


def _rest_by_subtraction(log_odds: NDArray) -> NDArray:
    pieces = _log_sticks(log_odds)[:-1]
    return np.append(pieces, np.log(1 - np.exp(pieces).sum()))


def _plain_exponentials(log_odds: NDArray) -> NDArray:
    with np.errstate(over="ignore"):
        log_left = np.cumsum(-np.log(1 + np.exp(log_odds)))
        return np.append(-np.log(1 + np.exp(-log_odds)), 0) + np.append(0, log_left)


def _of_the_piece_before(log_odds: NDArray) -> NDArray:
    log_pieces = np.cumsum(log_expit(log_odds))
    return np.append(log_pieces, np.cumsum(log_expit(-log_odds))[-1])


_random = np.random.default_rng(61)

log_sticks = Exercise(
    number="6.1",
    name="log_sticks",
    reference=_log_sticks,
    cases=(
        Case("one break, in half", (np.array([0.0]),)),
        Case("two breaks, in half", (np.array([0.0, 0.0]),)),
        Case("three breaks: ¾, ¼, ½", (np.array([np.log(3), -np.log(3), 0.0]),)),
        Case("ten breaks", (_random.normal(0, 1.5, 10).round(2),)),
        Case("nearly all of it, then nearly nothing", (np.array([40.0, -40.0, 1.0, -30.0]),)),
        Case(
            "log odds of −800 and 800, whose fractions round to 0 and 1",
            (np.array([-800.0, 800.0, 0.5, 800.0]),),
        ),
    ),
    properties=(
        Property("the lengths add up to one", _sum_to_one),
        Property("the first piece is a fraction of the whole", _first_of_the_whole),
        Property("what is left is broken on", _what_is_left_is_broken),
        Property("small pieces keep their logarithm", _no_floor),
    ),
    misconceptions=(
        Misconception(
            "each of the whole",
            lambda s: np.append(log_expit(s), log_expit(-s).sum()),
            "You take each piece from the whole stick. The second is v_2 of what the first break "
            "has *left*, 1 − v_1, and so on: add log(1 − v_i) for every break before.",
        ),
        Misconception(
            "last piece lost",
            lambda s: _log_sticks(s)[:-1],
            "You return K − 1 pieces, and what is left after the last break is lost. It is the "
            "K-th piece: Σ log(1 − v_i) over all breaks.",
        ),
        Misconception(
            "last piece lost, each of the whole",
            log_expit,
            "You return the log fractions as they are. Each is a fraction of what the breaks "
            "before have left, and what is left in the end is a piece too, the K-th.",
        ),
        Misconception(
            "the last is the whole",
            lambda s: np.append(_log_sticks(s)[:-1], 0),
            "Your last piece has log weight 0: all of the stick. It takes all of what is *left*, "
            "which is Π (1 − v_i).",
        ),
        Misconception(
            "own fraction too",
            _own_fraction_too,
            "You count each break one piece too early: v_j is a fraction of what was left "
            "*before* break j, so its own 1 − v_j is not a factor yet.",
        ),
        Misconception(
            "one break late",
            _one_break_late,
            "You count each break one piece too late: the second piece is cut from what the first "
            "break has left already.",
        ),
        Misconception(
            "logarithms at the end",
            _of_fractions(_pieces),
            "You multiply lengths and take the logarithm of the product. A v of 1 to within "
            "rounding leaves exactly 0, and log 0 is −∞. Stay with logarithms from the start: "
            "log v = −log(1 + e^(−s)), log(1 − v) = −log(1 + e^s), `np.logaddexp` knows both.",
        ),
        Misconception(
            "a floor",
            _of_fractions(lambda v: np.maximum(_pieces(v), 1e-10)),
            "You keep the lengths above 1e-10. That is another prior: a piece of 1e-300 and one of "
            "1e-20 become the same, and gradients vanish there. In logarithms no floor is due.",
        ),
        Misconception(
            "clipped",
            lambda s: _log_sticks(np.clip(s, -30, 30)),
            "You clip the log odds. Beyond the clip all sticks are the same, and a sampler there "
            "has no slope to go by. `np.logaddexp(0, s)` is exact for every s.",
        ),
        Misconception(
            "rest from fractions",
            _rest_from_fractions,
            "log v is safe in yours, log(1 − v) is not: from s = 37 on v rounds to 1, and log 0 "
            "is −∞. 1 − v is 1/(1 + e^s), so log(1 − v) = −log(1 + e^s), straight from s.",
        ),
        Misconception(
            "rest by subtraction",
            _rest_by_subtraction,
            "You take the last piece as 1 minus the others. If nearly all is gone, that is a "
            "difference of rounded numbers, or 0. It is Σ log(1 − v_i), in logarithms.",
        ),
        Misconception(
            "e^s overflows",
            _plain_exponentials,
            "The formulas are right, and e^800 is too large to be stored: log(1 + e^s) becomes "
            "∞. `np.logaddexp(0, s)` is the same logarithm, taken with care.",
        ),
        Misconception(
            "of the piece before",
            _of_the_piece_before,
            "You multiply the v's: each piece is then a fraction of the *piece* before. It is "
            "broken from the rest of the stick, Π (1 − v_i).",
        ),
        Misconception(
            "the wrong end",
            lambda s: _log_sticks(-s),
            "Your fractions are 1 − v: v = 1/(1 + e^(−s)) grows with the log odds, so log v = "
            "−log(1 + e^(−s)).",
        ),
        Misconception(
            "not in logarithms",
            lambda s: np.exp(_log_sticks(s)),
            "These are the weights. Their logarithms are asked for: a weight of e^(−800) cannot "
            "be stored.",
        ),
        Misconception(
            "softmax",
            lambda s: log_softmax(np.append(s, 0)),
            "This is a softmax of the log odds, with 0 for the last. There each s is set against "
            "the last piece; here v_j is a fraction of *all* that is left at break j.",
        ),
        Misconception(
            "fractions over their sum",
            lambda s: log_softmax(np.append(log_expit(s), log_expit(-s).sum())),
            "You take each piece from the whole and make them add up to 1 afterwards. Broken one "
            "after another from what is left they do so by themselves.",
        ),
        Misconception(
            "broken pieces over their sum",
            lambda s: _log_sticks(s)[:-1] - logsumexp(_log_sticks(s)[:-1]),
            "You leave out what remains and divide by the sum of the K − 1 others. The remainder "
            "is the K-th piece, and with it they add up to 1.",
        ),
        Misconception(
            "log odds for log fractions",
            lambda s: np.append(s, 0) + np.append(0, np.cumsum(-np.logaddexp(0, s))),
            "You take s for log v. It is log v − log(1 − v): log v = −log(1 + e^(−s)).",
        ),
        Misconception(
            "centred",
            _centred,
            "You subtract log(K − j) from the log odds, as some libraries do so that all zeros "
            "give equal weights. Here v is 1/(1 + e^(−s)) of s as it is.",
        ),
        Misconception(
            "broken from the back",
            lambda s: _log_sticks(s[::-1])[::-1],
            "You break from the back. The first log odds belong to the first break, of the whole.",
        ),
    ),
    hints=(
        "After the first break 1 − v_1 is left. How long is the second piece, and what is left "
        "after it? What becomes of what is left in the end?",
        "log w_j = log v_j + Σ_{i<j} log(1 − v_i), and the last is Σ log(1 − v_i) over all. Both "
        "logarithms straight from s: log v = −log(1 + e^(−s)) and log(1 − v) = −log(1 + e^s), "
        "for which there is `np.logaddexp(0, …)`.",
        "left = np.cumsum(-np.logaddexp(0, log_odds)); return np.append(-np.logaddexp(0, "
        "-log_odds), 0) + np.append(0, left)",
    ),
    time_limit=10.0,  # JAX compiles each operation for each shape
)
