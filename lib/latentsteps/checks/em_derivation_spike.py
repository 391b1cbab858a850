"""Check of unit 02, exercise 2.10: a path along which the log-likelihood passes every bound.

For K ≥ 2 the likelihood of a Gaussian mixture has no maximum: Day (1969), *Biometrika* 56,
463–474, section 3; Bishop (2006), section 9.2.1. One component stands on a point and shrinks, the
other covers the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.em_derivation_joint import SIX_POINTS, log_likelihood_of
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

_NARROW = tuple(10.0**-i for i in range(4, 13))
"""Widths along which it has to climb; wider ones may still lose neighbours."""
_DECADE = 0.2
"""Nats that a decade of width has to bring. A width that is σ brings log 10 = 2.3 for each point
under the spike, one that is σ² brings half of it; what does not climb for ever brings ever less."""
_FAR_APART = 0.1, 1e-9
_NAMES = "weights", "means", "variances"
_LAST = 1e-60
"""Its square, and even its fifth power, can still be stored."""


def _spike(x: NDArray, width: float) -> tuple[NDArray, NDArray, NDArray]:
    weights = np.array([0.5, 0.5])
    means = np.array([x[0], x.mean()])
    return weights, means, np.array([width**2, x.var()])


_paths: WeakKeyDictionary[Callable, dict[float, tuple]] = WeakKeyDictionary()


def _along(call: Callable, x: NDArray, width: float) -> tuple[NDArray, NDArray, NDArray]:
    """The path at this width; asked for once, as every property looks at the same few."""
    path = _paths.setdefault(call, {})
    if width not in path:
        path[width] = tuple(np.asarray(part) for part in call(x, width))
    return path[width]


def _is_finite(call: Callable, args: tuple, result: tuple) -> Failure | None:
    for width in (args[1], *_NARROW):
        for name, part in zip(_NAMES, _along(call, args[0], width), strict=True):
            if not np.isfinite(part).all():
                words = f"At width {width:g} one of your {name} is not a finite number."
                return Failure(words, part)
    return None


def _has_weights(call: Callable, args: tuple, result: tuple) -> Failure | None:
    for width in (args[1], *_NARROW):
        weights, _, _ = _along(call, args[0], width)
        if np.any(weights <= 0):
            words = f"At width {width:g} a weight is not positive: that component is not there."
            return Failure(words, weights)
    return None


def _weights_sum_to_one(call: Callable, args: tuple, result: tuple) -> Failure | None:
    for width in (args[1], *_NARROW):
        total = float(_along(call, args[0], width)[0].sum())
        if abs(total - 1) > 1e-6:
            return Failure(f"At width {width:g} the weights have another sum than 1.", total, 1.0)
    return None


def _no_negative_variance(call: Callable, args: tuple, result: tuple) -> Failure | None:
    for width in (args[1], *_NARROW):
        _, _, variances = _along(call, args[0], width)
        if np.any(variances < 0):
            return Failure(f"At width {width:g} a variance is negative.", variances)
    return None


def _no_variance_of_zero(call: Callable, args: tuple, result: tuple) -> Failure | None:
    for width in (args[1], *_NARROW):
        _, _, variances = _along(call, args[0], width)
        if np.any(variances == 0):
            words = f"At width {width:g} a variance is 0. The bell there is narrow, but it is a "
            return Failure(words + "bell.", variances)
    return None


def _width_is_used(call: Callable, args: tuple, result: tuple) -> Failure | None:
    wide, narrow = (_along(call, args[0], width) for width in _FAR_APART)
    if all(np.array_equal(a, b) for a, b in zip(wide, narrow, strict=True)):
        first, last = (f"{width:g}" for width in _FAR_APART)
        return Failure(f"At the widths {first} and {last} you give the same parameters.")
    return None


def _does_not_widen(call: Callable, args: tuple, result: tuple) -> Failure | None:
    wide, narrow = (_along(call, args[0], width)[2] for width in _FAR_APART)
    if narrow.min() < 0.5 * wide.min() or narrow.max() < 10 * wide.max():
        return None
    return Failure(
        f"From width {_FAR_APART[0]:g} to width {_FAR_APART[1]:g} none of your variances shrinks, "
        "and the larger one grows:",
        float(narrow.max()),
        float(wide.max()),
        AFTER_BEFORE,
    )


def _something_shrinks(call: Callable, args: tuple, result: tuple) -> Failure | None:
    wide, narrow = (float(_along(call, args[0], width)[2].min()) for width in _FAR_APART)
    if narrow < 0.5 * wide:
        return None
    return Failure(
        "A density grows without end only where it gets narrow. Your smaller variance, from width "
        f"{_FAR_APART[0]:g} to width {_FAR_APART[1]:g}:",
        narrow,
        wide,
        AFTER_BEFORE,
    )


def _stands_on_a_point(call: Callable, args: tuple, result: tuple) -> Failure | None:
    x = args[0]
    for width in (1e-6, 1e-9):
        _, means, variances = _along(call, x, width)
        for mean, variance in zip(means, variances, strict=True):
            # The bell may miss the point by a few of its own σ, and by the rounding of x.
            near = 5 * np.sqrt(variance) + 1e-15 * np.abs(x).max()
            if variance <= variances.min() and np.any(np.abs(x - mean) <= near):
                break
        else:
            k = int(variances.argmin())
            return Failure(
                f"At width {width:g} no point lies under your narrow component: the nearest is "
                "more than five of its σ away, and the mean is:",
                float(means[k]),
            )
    return None


def _other_covers(call: Callable, args: tuple, result: tuple) -> Failure | None:
    wide, narrow = (float(_along(call, args[0], width)[2].max()) for width in (1e-3, 1e-9))
    if narrow > 0.1 * wide:
        return None
    return Failure(
        "Both components become narrow. The points that neither stands on then have no density "
        "left. Your larger variance, with the width going from 0.001 to 0.000000001:",
        narrow,
        wide,
        AFTER_BEFORE,
    )


def _climb(call: Callable, x: NDArray) -> Failure | None:
    values = [log_likelihood_of(x, *_along(call, x, width)) for width in _NARROW]
    for wide, narrow, before, after in zip(_NARROW, _NARROW[1:], values, values[1:], strict=False):
        if not after > before + _DECADE:
            return Failure(
                f"From width {wide:g} to width {narrow:g} the log-likelihood has to climb, by "
                "about the same at every factor of ten. Yours:",
                after,
                before,
                AFTER_BEFORE,
            )
    return None


def _stalls_for(reason: Callable[[tuple, tuple, int], str | None]) -> Callable:
    """A property that fails where the log-likelihood does not climb, and for this reason.

    ``reason`` gets the parameters at the last two widths, and the narrow component.
    """

    def holds(call: Callable, args: tuple, result: tuple) -> Failure | None:
        failure = _climb(call, args[0])
        if failure is None:
            return None
        wide, narrow = (_along(call, args[0], width) for width in _NARROW[-2:])
        words = reason(wide, narrow, int(narrow[2].argmin()))
        return failure._replace(sentence=f"{failure.sentence[:-7]} {words}") if words else None

    return holds


def _spike_fades(wide: tuple, narrow: tuple, k: int) -> str | None:
    if narrow[0][k] > 0.5 * wide[0][k]:
        return None
    return "The narrow component's weight goes to 0. The log-likelihood:"


def _cover_fades(wide: tuple, narrow: tuple, k: int) -> str | None:
    if narrow[0][1 - k] > 0.5 * wide[0][1 - k]:
        return None
    return "The weight of the covering component goes to 0. The log-likelihood:"


def _variance_has_a_floor(wide: tuple, narrow: tuple, k: int) -> str | None:
    if narrow[2][k] < 0.9 * wide[2][k]:
        return None
    return "Your smaller variance stops shrinking on the way. The log-likelihood:"


def _climbs(call: Callable, args: tuple, result: tuple) -> Failure | None:
    return _climb(call, args[0])


def _keeps_its_pace(call: Callable, args: tuple, result: tuple) -> Failure | None:
    widths = (*_NARROW[-2:], _LAST)
    before, middle, after = (log_likelihood_of(args[0], *_along(call, args[0], w)) for w in widths)
    decades = np.log10(_NARROW[-1] / _LAST)
    pace, at_last = middle - before, (after - middle) / decades
    if at_last > 0.9 * pace:
        return None
    return Failure(
        f"Until width {_NARROW[-1]:g} the log-likelihood climbs, and further on, until {_LAST:g}, "
        "less: a bound may still hold it. Climb at each factor of ten:",
        float(at_last),
        float(pace),
        ("further on", "until then"),
    )


# Even numbers of points in all cases: the median is off the points then, as the mean is.
_TWO_ALIKE = np.array([2.0, 5.0, 2.0, 3.0, 9.0, 6.0])
_TEN_POINTS = np.array([3.6, 1.8, 3.333, 2.283, 4.533, 2.883, 4.7, 3.6, 1.95, 4.35])


def _path(
    spike: Callable[[NDArray, float], tuple[float, float, float]],
    cover: Callable[[NDArray, float], tuple[float, float, float]],
) -> Callable:
    """A path from the weight, mean and variance of each component."""

    def answer(x: NDArray, width: float) -> tuple[NDArray, NDArray, NDArray]:
        pairs = zip(spike(x, width), cover(x, width), strict=True)
        weights, means, variances = (np.array(pair, dtype=float) for pair in pairs)
        return weights, means, variances

    return answer


def _on_first(x: NDArray, width: float) -> tuple[float, float, float]:
    return 0.5, x[0], width**2


def _cover(x: NDArray, width: float) -> tuple[float, float, float]:
    return 0.5, x.mean(), x.var()


spike = Exercise(
    number="2.10",
    name="spike",
    reference=_spike,
    compare=False,  # there are many such paths
    cases=(
        Case("four points", (np.array([1.0, 2.0, 4.0, 8.0]), 0.1)),
        Case("six points, two of them alike", (_TWO_ALIKE, 0.1)),
        Case("six points in two groups", (SIX_POINTS, 0.01)),
        Case("ten eruptions", (_TEN_POINTS, 0.001)),
    ),
    properties=(
        Property("the parameters are finite numbers", _is_finite),
        Property("both components have a weight", _has_weights),
        Property("the weights sum to 1", _weights_sum_to_one),
        Property("no variance is negative", _no_negative_variance),
        Property("no variance is 0", _no_variance_of_zero),
        Property("the width changes something", _width_is_used),
        Property("a smaller width makes nothing wider", _does_not_widen),
        Property("a smaller width makes a component narrower", _something_shrinks),
        Property("the narrow component stands on a point", _stands_on_a_point),
        Property("the other component keeps covering the rest", _other_covers),
        Property("the narrow component keeps its weight", _stalls_for(_spike_fades)),
        Property("the covering component keeps its weight", _stalls_for(_cover_fades)),
        Property("the variance has no floor", _stalls_for(_variance_has_a_floor)),
        Property("the log-likelihood climbs at every factor of ten", _climbs),
        Property("it keeps its pace, and so passes every bound", _keeps_its_pace),
    ),
    misconceptions=(
        Misconception(
            "both collapse",
            lambda x, width: (np.full(2, 0.5), np.array([x[0], x[-1]]), np.full(2, width**2)),
            "Both components shrink, and every point that neither stands on becomes impossible: "
            "the log-likelihood goes to −∞. One component must cover the rest, with a variance "
            "that stays.",
        ),
        Misconception(
            "off the points",
            _path(lambda x, width: (0.5, x.mean() + 0.0123, width**2), _cover),
            "The narrow component stands beside the points, so none of them has any of its "
            "density. (A mean or a median lies between points as a rule.) Stand on a point: `x[0]` "
            "will do.",
        ),
        Misconception(
            "the width the wrong way round",
            _path(lambda x, width: (0.5, x[0], 1 / width), _cover),
            "A smaller width makes your component wider. Its standard deviation should be the "
            "width, so the variance `width**2`.",
        ),
        Misconception(
            "the width not used",
            _path(lambda x, width: (0.5, x[0], 0.01), _cover),
            "Your component is narrow, and always the same. The log-likelihood grows as the width "
            "goes to 0: put `width` into its variance.",
        ),
        Misconception(
            "no width at all",
            _path(lambda x, width: (0.5, x[0], 0.0), _cover),
            "A variance of 0 is the end of the path, and no density any more. For every width on "
            "the way the variance is positive, `width**2`.",
        ),
        Misconception(
            "the weight shrinks as well",
            _path(
                lambda x, width: (width**2, x[0], width**2),
                lambda x, width: (1 - width**2, x.mean(), x.var()),
            ),
            "The spike's weight goes to 0 as fast as its height grows, and their product stays "
            "bounded. Keep the weight, ½ for example.",
        ),
        Misconception(
            "the whole weight on the spike",
            _path(
                lambda x, width: (1.0, x[0], width**2),
                lambda x, width: (0.0, x.mean(), x.var()),
            ),
            "All weight is on the spike and none on the other component. Then the rest of the "
            "points is covered by nobody: log 0.",
        ),
        Misconception(
            "weights that sum to 2",
            _path(
                lambda x, width: (1.0, x[0], width**2),
                lambda x, width: (1.0, x.mean(), x.var()),
            ),
            "Your weights do not sum to 1, so this is no mixture. ½ and ½ will do: the spike grows "
            "all the same.",
        ),
        Misconception(
            "the cover's weight shrinks",
            _path(
                lambda x, width: (1 - width, x[0], width**2),
                lambda x, width: (width, x.mean(), x.var()),
            ),
            "The covering component's weight goes to 0, and with it the probability of all the "
            "points that it covers: what the spike wins they lose, one factor of ten each. Keep "
            "the weights, ½ and ½ for example.",
        ),
        Misconception(
            "a floor",
            _path(lambda x, width: (0.5, x[0], max(width**2, 1e-12)), _cover),
            "Your variance has a floor, and a floor is a bound for the log-likelihood. That is how "
            "one keeps EM from a spike; here the spike is wanted, so leave the floor out.",
        ),
        Misconception(
            "not two components",
            lambda x, width: (np.ones(1), np.array([x[0]]), np.array([width**2])),
            "Two components are asked for, so two weights, two means and two variances: one to "
            "shrink and one to cover the other points. One alone cannot do it: for K = 1 the "
            "likelihood has a maximum, unless all the points are alike.",
        ),
        Misconception(
            "the log-likelihood",
            lambda x, width: log_likelihood_of(x, *_spike(x, width)),
            "You give a number. Asked are the parameters of the path at this width: `return "
            "weights, means, variances`; the check computes the log-likelihood.",
        ),
    ),
    hints=(
        "How high is the density of a normal distribution at its own mean, and when does that grow "
        "without end?",
        "If one component gives its density to one point alone, who looks after the others? They "
        "need a density that does not go to 0.",
        "Weights ½ and ½; means x[0] and x.mean(); variances width**2 and x.var(). Return them as "
        "three arrays.",
    ),
)
