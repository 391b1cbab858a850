"""Check of unit 05, exercise 5.1: the two Kullback–Leibler divergences, on a grid.

Bishop (2006), *Pattern Recognition and Machine Learning*, section 10.1.2: variational inference
minimises KL(q ‖ p), here the *reverse* one; KL(p ‖ q) is the *forward* one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

Pair = tuple[float, float]
"""KL(q ‖ p) and KL(p ‖ q), in nats."""

NAMES = "KL(q ‖ p)", "KL(p ‖ q)"


# 5.1 · Both divergences


def _divergence(log_q: NDArray, log_p: NDArray, width: float) -> float:
    """KL(q ‖ p): only where q has mass is anything added up."""
    q = np.exp(log_q)
    inside = q > 0
    return float(np.sum(q[inside] * (log_q[inside] - log_p[inside])) * width)


def _divergences(log_q: NDArray, log_p: NDArray, width: float) -> Pair:
    return _divergence(log_q, log_p, width), _divergence(log_p, log_q, width)


def _near(a: float, b: float) -> bool:
    return bool(a == b or abs(a - b) <= 1e-5 * max(1.0, abs(b)))


def _infinite_where_it_must_be(call: Callable, args: tuple, result: Pair) -> Failure | None:
    log_q, log_p, _ = args
    ways = (log_q, log_p, "q", "p"), (log_p, log_q, "p", "q")
    for (over, other, inside, outside), value, name in zip(ways, result, NAMES, strict=True):
        if np.any((np.exp(over) > 0) & (other == -np.inf)) and value != np.inf:
            return Failure(
                f"Here {inside} has mass on ground where {outside} is 0. There log {inside} − log "
                f"{outside} is infinite, and so is its mean under {inside}. Your {name}:",
                float(value),
                np.inf,
            )
    return None


def _far_ground_counts(call: Callable, args: tuple, result: Pair) -> Failure | None:
    log_q, log_p, width = args
    far = (log_p < -750) & (log_p > -np.inf)
    mass = float(np.sum(np.exp(log_q)[far]) * width)
    if mass < 1e-3:
        return None
    again = call(log_q, np.where(far, log_p - 1000, log_p), width)[0]
    if abs(again - result[0] - 1000 * mass) < 0.02 * 1000 * mass:
        return None
    return Failure(
        "Where p is too small to be stored its logarithm still says how small. There log p was "
        f"made lower by 1000, and {mass:.1%} of q's mass is there. So KL(q ‖ p) should rise by:",
        float(again - result[0]),
        1000 * mass,
    )


def _never_negative(call: Callable, args: tuple, result: Pair) -> Failure | None:
    for value, name in zip(result, NAMES, strict=True):
        if not value >= -1e-6:
            return Failure(f"A divergence is never negative. Your {name}:", float(value))
    return None


def _zero_for_equals(call: Callable, args: tuple, result: Pair) -> Failure | None:
    log_q, log_p, width = args
    for log_density in (log_q, log_p):
        for value, name in zip(call(log_density, log_density, width), NAMES, strict=True):
            if not abs(value) <= 1e-6:
                words = "Two densities that are the same diverge by 0. There your"
                return Failure(f"{words} {name} is:", float(value), 0.0)
    return None


def _change_of_unit(call: Callable, args: tuple, result: Pair) -> Failure | None:
    log_q, log_p, width = args
    # Half as high and twice as wide: the same densities in centimetres instead of inches, say.
    again = call(log_q - np.log(2), log_p - np.log(2), 2 * width)
    for new, old, name in zip(again, result, NAMES, strict=True):
        if not _near(new, old):
            return Failure(
                "The axis was measured in units half as long: both densities are half as high, and "
                f"the grid's spacing is twice as wide. Nothing else changed, but your {name} did.",
                float(new),
                float(old),
                AFTER_BEFORE,
            )
    return None


def _grid(end: float, width: float) -> NDArray:
    return np.arange(-round(end / width), round(end / width) + 1) * width


def _normal(at: NDArray, mean: float, sd: float) -> NDArray:
    return -0.5 * ((at - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


def _bump(at: NDArray, middle: float, half: float) -> NDArray:
    """Log density that falls smoothly to zero at middle ± half, and is −∞ from there on.

    So smoothly that every rule of adding up on the grid gives the same.
    """
    inside = np.abs(at - middle) < half * (1 - 1e-9)
    t = np.where(inside, (at - middle) / half, 0.0)
    log_density = np.where(inside, -1 / (1 - t**2), -np.inf)
    return log_density - np.log(np.sum(np.exp(log_density)) * (at[1] - at[0]))


_COARSE, _FINE = _grid(18.0, 0.25), _grid(8.0, 0.02)
_A_LITTLE_APART = np.logaddexp(
    _bump(_FINE, 0, 1) + np.log1p(-1e-6), _bump(_FINE, 4, 1) - np.log(1e6)
)
"""A density with a millionth of its mass on ground of its own."""


def _closed_form(call: Callable, args: tuple, result: Pair) -> Failure | None:
    """KL of N(.5, 1) and N(−.5, 2²); Bishop (2006), exercise 2.13 in one dimension."""
    if len(args[0]) != len(_COARSE):
        return None
    got = call(_normal(_COARSE, 0.5, 1.0), _normal(_COARSE, -0.5, 2.0), 0.25)
    expected = np.log(2) + (1 + 1) / 8 - 0.5, -np.log(2) + (4 + 1) / 2 - 0.5
    for value, right, name in zip(got, expected, NAMES, strict=True):
        if not _near(value, right):
            return Failure(
                f"For q = N(.5, 1) and p = N(−.5, 2²) there is a formula for {name}.",
                float(value),
                float(right),
            )
    return None


def _each_way(one_way: Callable[[NDArray, NDArray, float], object]) -> Callable[..., object]:
    """An answer that takes ``one_way`` in both directions."""
    return lambda log_q, log_p, width: (
        one_way(log_q, log_p, width),
        one_way(log_p, log_q, width),
    )


def _plain(log_q: NDArray, log_p: NDArray, width: float) -> float:
    return np.sum(np.exp(log_q) * (log_q - log_p)) * width


def _unweighted(log_q: NDArray, log_p: NDArray, width: float) -> float:
    inside = np.exp(log_q) > 0
    return np.sum((log_q - log_p)[inside]) * width


def _both_positive(log_q: NDArray, log_p: NDArray, width: float) -> float:
    inside = (log_q > -np.inf) & (log_p > -np.inf)
    return np.sum((np.exp(log_q) * (log_q - log_p))[inside]) * width


def _cross_entropy(log_q: NDArray, log_p: NDArray, width: float) -> float:
    inside = np.exp(log_q) > 0
    return -np.sum(np.exp(log_q)[inside] * log_p[inside]) * width


def _entropy_difference(log_q: NDArray, log_p: NDArray, width: float) -> float:
    return _cross_entropy(log_p, log_p, width) - _cross_entropy(log_q, log_q, width)


def _absolute(log_q: NDArray, log_p: NDArray, width: float) -> float:
    inside = np.exp(log_q) > 0
    return np.sum(np.exp(log_q)[inside] * np.abs(log_q[inside] - log_p[inside])) * width


def _not_summed(log_q: NDArray, log_p: NDArray, width: float) -> NDArray:
    q = np.exp(log_q)
    inside = q > 0
    each = np.zeros_like(q)
    each[inside] = q[inside] * (log_q[inside] - log_p[inside])
    return each


def _under_q(log_q: NDArray, log_p: NDArray, width: float) -> Pair:
    reverse = _divergence(log_q, log_p, width)
    return reverse, -reverse


def _symmetric(log_q: NDArray, log_p: NDArray, width: float) -> Pair:
    both = sum(_divergences(log_q, log_p, width))
    return both / 2, both / 2


divergences = Exercise(
    number="5.1",
    name="divergences",
    reference=_divergences,
    tolerance=2e-5,  # every rule of adding up on a grid is a right answer
    single=False,  # infinities are right answers here, and float32 is compared by differences
    cases=(
        Case("q = N(0, 1), p = N(1, 1)", (_normal(_COARSE, 0, 1), _normal(_COARSE, 1, 1), 0.25)),
        Case("q = N(0, 1), p = N(1, 2²)", (_normal(_COARSE, 0, 1), _normal(_COARSE, 1, 2), 0.25)),
        Case(
            "q = N(0, 1), and p has two modes",
            (
                _normal(_FINE, 0, 1),
                np.logaddexp(_normal(_FINE, -3, 0.7), _normal(_FINE, 3, 0.7)) - np.log(2),
                0.02,
            ),
        ),
        Case(
            "q = N(0, 1), p = N(0, .05²): further out p is too small to be stored, log p is not",
            (_normal(_FINE, 0, 1), _normal(_FINE, 0, 0.05), 0.02),
        ),
        Case(
            "q is 0 outside −1 to 1, p is not",
            (_bump(_FINE, 0, 1), _normal(_FINE, 0.5, 1), 0.02),
        ),
        Case(
            "q and p are 0 outside intervals that overlap",
            (_bump(_FINE, 0, 1), _bump(_FINE, 0.5, 2), 0.02),
        ),
        Case(
            "p is 0 on some ground of q, and q on some ground of p",
            (_bump(_FINE, 0, 1), _bump(_FINE, 0.5, 1), 0.02),
        ),
        Case(
            "p is 0 on ground where q has a millionth of its mass",
            (_A_LITTLE_APART, _bump(_FINE, 0, 1), 0.02),
        ),
    ),
    properties=(
        Property("it is infinite where it must be", _infinite_where_it_must_be),
        Property("it takes in ground where p is tiny", _far_ground_counts),
        Property("it is never negative", _never_negative),
        Property("it is 0 for two equal densities", _zero_for_equals),
        Property("for two normals it is the formula's", _closed_form),
        Property("the unit of the axis does not matter", _change_of_unit),
    ),
    misconceptions=(
        Misconception(
            "exchanged",
            lambda log_q, log_p, width: _divergences(log_p, log_q, width),
            "The two are exchanged. KL(q ‖ p), the reverse one, comes first: the mean *under q* of "
            "log q − log p.",
        ),
        Misconception(
            "one number",
            lambda log_q, log_p, width: _divergence(log_q, log_p, width),
            "You return one divergence. Two are asked for: KL(q ‖ p) and then KL(p ‖ q).",
        ),
        Misconception(
            "0 · ∞",
            _each_way(_plain),
            "Where the averaging density is 0, nothing is to be added, but 0 · (−∞ − …) is not a "
            "number in the computer. Add up only where that density is positive.",
        ),
        Misconception(
            "exponential first",
            _each_way(lambda a, b, width: np.sum(rel_entr(np.exp(a), np.exp(b))) * width),
            "This is right on paper. But where log p is below −745 its exponential is 0 in the "
            "computer, and your ratio infinite. Take log q − log p from what you were handed; only "
            "the density that averages needs an exponential.",
        ),
        Misconception(
            "left out where the other is 0",
            _each_way(_both_positive),
            "You leave out the ground where *either* density is 0. You may leave out where the "
            "averaging one is: it has no mass there. Where the other one is 0 the divergence is "
            "infinite, and that is what it is for.",
        ),
        Misconception(
            "infinity made a number",
            _each_way(lambda a, b, width: np.nan_to_num(_divergence(a, b, width))),
            "`nan_to_num` turns an infinite divergence into a large number. Infinite is the right "
            "answer there; only 0 · ∞ has to be avoided.",
        ),
        Misconception(
            "infinite logarithms made numbers",
            _each_way(lambda a, b, width: _plain(np.nan_to_num(a), np.nan_to_num(b), width)),
            "`nan_to_num` turns log 0 into a large finite number, and a little mass on empty "
            "ground then costs a finite amount. It costs infinitely much: leave −∞ as it is.",
        ),
        Misconception(
            "infinity made zero",
            _each_way(lambda a, b, width: np.nan_to_num(_divergence(a, b, width), posinf=0.0)),
            "You call an infinite divergence 0, as if the two densities were equal. Where q has "
            "mass and p has none they could not differ more: leave it infinite.",
        ),
        Misconception(
            "a small number added",
            _each_way(
                lambda a, b, width: (
                    np.sum(np.exp(a) * np.log((np.exp(a) + 1e-12) / (np.exp(b) + 1e-12))) * width
                )
            ),
            "A small number under the logarithm keeps it finite where it should be infinite, and "
            "changes it wherever a density is smaller than that. Stay in the logarithms you were "
            "handed, and add up where the averaging density is positive.",
        ),
        Misconception(
            "width forgotten",
            _each_way(lambda a, b, width: _divergence(a, b, 1.0)),
            "You add up over the grid without its spacing. A grid twice as fine would give twice "
            "as much: an integral is about the sum times `width`.",
        ),
        Misconception(
            "mean over the grid",
            _each_way(lambda a, b, width: _divergence(a, b, 1.0) / len(a)),
            "You average over the grid's points, as if they were draws from q. They lie evenly, "
            "and q is in the sum already as a factor: add up and multiply by `width`.",
        ),
        Misconception(
            "not averaged under q",
            _each_way(_unweighted),
            "You add up log q − log p, each point of the grid alike. A divergence is a mean under "
            "the first density: multiply by q, which is exp(log_q).",
        ),
        Misconception(
            "weighed by the logarithm",
            _each_way(lambda a, b, width: np.sum(a * (a - b)) * width),
            "You weigh with log q. The weight is the density q itself, exp(log_q).",
        ),
        Misconception(
            "both under q",
            _under_q,
            "Your second number is minus the first: you turned the ratio round, and still average "
            "under q. KL(p ‖ q) averages log p − log q under *p*.",
        ),
        Misconception(
            "the same twice",
            lambda log_q, log_p, width: (_divergence(log_q, log_p, width),) * 2,
            "Both of your numbers are KL(q ‖ p). For the second one exchange the two densities "
            "everywhere: KL(p ‖ q) is the mean under *p* of log p − log q.",
        ),
        Misconception(
            "the other density averages",
            _each_way(lambda a, b, width: -_divergence(b, a, width)),
            "The ratio is right, the density that averages is the other one. In KL(q ‖ p) q stands "
            "above in the ratio and in front of it.",
        ),
        Misconception(
            "sign",
            _each_way(lambda a, b, width: -_divergence(a, b, width)),
            "The ratio is upside down, or a minus too many: under q it is log q − log p that is "
            "averaged.",
        ),
        Misconception(
            "entropy left out",
            _each_way(_cross_entropy),
            "The mean of −log p under q is the cross-entropy. It is not 0 for equal densities: "
            "take the entropy of q off, so that log q − log p stands inside.",
        ),
        Misconception(
            "difference of entropies",
            _each_way(_entropy_difference),
            "You compare two entropies, each under its own density. That can be 0 or negative for "
            "different densities. Both logarithms are averaged under the same one.",
        ),
        Misconception(
            "symmetric",
            _symmetric,
            "You average the two directions. They are two different questions, and which "
            "one is minimised decides what q finds: return both.",
        ),
        Misconception(
            "absolute value",
            _each_way(_absolute),
            "You take absolute values of log q − log p. Where p is larger than q, the logarithm is "
            "negative, and has to be; the mean under q comes out positive all the same.",
        ),
        Misconception(
            "base 2",
            _each_way(lambda a, b, width: _divergence(a, b, width) / np.log(2)),
            "These are bits. The course counts in nats: no conversion is due.",
        ),
        Misconception(
            "not added up",
            _each_way(_not_summed),
            "You have what each point of the grid contributes. Add it up, times `width`: one "
            "number for each direction.",
        ),
    ),
    hints=(
        "A divergence is a mean: of log q − log p, under q. How is a mean under q written as an "
        "integral, and the integral as a sum over the grid?",
        "What does ground add where q is 0? And where p is 0, but q is not?",
        "q = np.exp(log_q); inside = q > 0; then np.sum(q[inside] · (log_q − log_p)[inside]) · "
        "width. Then the same with the two exchanged.",
    ),
)
