"""Check of unit 03, exercise 3.7: a choice of K that refuses spikes.

Names and shapes as in :mod:`latentsteps.checks.gmm`. A spike is a component that has collapsed, on
a point or along a line of tied points: after the columns have been divided by the data's standard
deviations, its covariance has an eigenvalue below a thousandth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.gmm_runs import BOOK, OWN, Run, X, climb
from latentsteps.checks.task import AFTER_BEFORE
from latentsteps.data import old_faithful
from latentsteps.evaluation.selection import SPIKE

Fit = tuple[float, NDArray, NDArray, NDArray]
"""Log-likelihood, weights (K,), means (K, D), covariances (K, D, D)."""


def _choose(fits: Sequence[Fit], x: NDArray) -> int:
    n, d = x.shape
    sd = x.std(axis=0)
    scores = []
    for log_likelihood, weights, _, covariances in fits:
        k = len(weights)
        free = k - 1 + k * d + k * d * (d + 1) // 2
        is_spiky = np.linalg.eigvalsh(covariances / np.outer(sd, sd)).min() < SPIKE
        scores.append(np.inf if is_spiky else -2 * log_likelihood + free * np.log(n))
    return int(np.argmin(scores))


# What the answers below are put together from.


def _bic(fit: Fit, x: NDArray) -> float:
    n, d = x.shape
    k = len(fit[1])
    return -2 * fit[0] + (k - 1 + k * d + k * d * (d + 1) // 2) * np.log(n)


def _narrowest(fit: Fit, x: NDArray) -> float:
    sd = x.std(axis=0)
    return float(np.linalg.eigvalsh(fit[3] / np.outer(sd, sd)).min())


def _sound(fit: Fit, x: NDArray) -> bool:
    return _narrowest(fit, x) >= SPIKE


def _lowest(score: Callable = _bic, sound: Callable = _sound) -> Callable:
    """The position of the lowest ``score(fit, x)`` among the fits that are ``sound(fit, x)``."""

    def answer(fits: Sequence[Fit], x: NDArray) -> int:
        scores = [score(fit, x) if sound(fit, x) else np.inf for fit in fits]
        return int(np.argmin(scores))

    return answer


def _by_determinant(fit: Fit, x: NDArray) -> bool:
    return bool((np.linalg.det(fit[3] / np.outer(x.std(axis=0), x.std(axis=0))) >= SPIKE).all())


def _by_variances(fit: Fit, x: NDArray) -> bool:
    return bool((np.diagonal(fit[3], axis1=1, axis2=2) / x.var(axis=0) >= SPIKE).all())


def _by_correlations(fit: Fit, x: NDArray) -> bool:
    sd = np.sqrt(np.diagonal(fit[3], axis1=1, axis2=2))
    return bool(np.linalg.eigvalsh(fit[3] / (sd[:, :, None] * sd[:, None])).min() >= SPIKE)


def _by_own_length(fit: Fit, x: NDArray) -> bool:
    return bool((np.linalg.cond(fit[3]) <= 1 / SPIKE).all())


def _by_squared_scale(fit: Fit, x: NDArray) -> bool:
    variances = x.var(axis=0)
    return bool(np.linalg.eigvalsh(fit[3] / np.outer(variances, variances)).min() >= SPIKE)


def _means_alone(fit: Fit, x: NDArray) -> float:
    return -2 * fit[0] + fit[2].size * np.log(len(x))


# 3.7 · A choice that refuses spikes


def _no_spike(call: Callable, args: tuple, result: int) -> Failure | None:
    fits, x = args
    if not 0 <= result < len(fits):
        words = f"There are {len(fits)} fits, in the positions 0 to {len(fits) - 1}."
        return Failure(f"{words} Yours is none of them.", result)
    narrowest = _narrowest(fits[result], x)
    if narrowest >= SPIKE:
        return None
    return Failure(
        f"Your choice, position {result}, has a spike: divided by the data's standard deviations, "
        "the smallest eigenvalue of its covariances is below .001.",
        narrowest,
    )


def _order(call: Callable, args: tuple, result: int) -> Failure | None:
    fits, x = args
    again = call(fits[::-1], x)
    if again == len(fits) - 1 - result:
        return None
    return Failure(
        "The list was turned round, so the same fit stands in another position. Yours is not it.",
        again,
        len(fits) - 1 - result,
    )


def _in_units(fit: Fit, units: NDArray, n: int) -> Fit:
    """A fit where the columns of the data have been multiplied by ``units``, (D,)."""
    log_likelihood, weights, means, covariances = fit
    shifted = log_likelihood - n * float(np.log(units).sum())
    return shifted, weights, means * units, covariances * np.outer(units, units)


def _units(call: Callable, args: tuple, result: int) -> Failure | None:
    fits, x = args
    units = np.array([60.0, 1 / 60])[-x.shape[1] :]
    again = call([_in_units(fit, units, len(x)) for fit in fits], x * units)
    if again == result:
        return None
    return Failure(
        "The columns were given other units, seconds or hours for minutes, in the data and in all "
        "fits. That makes no spike and mends none, but your choice changed.",
        again,
        result,
        AFTER_BEFORE,
    )


def _as_fit(run: Run) -> Fit:
    return float(run.objective[-1]), run.weights, run.means, run.covariances


def _fit(x: NDArray, *means: tuple[float, ...]) -> Fit:
    own = np.atleast_2d(np.cov(x.T))
    return _as_fit(climb(np.array(means), own / len(means) ** 2, x, change=1e-8))


def _spiky(middle: NDArray, covariance: NDArray, width: float) -> Fit:
    """The two sound components of Old Faithful, and a third one that is a spike."""
    means = np.vstack([BOOK.means, middle])
    covariances = np.concatenate([BOOK.covariances, covariance[None]])
    return _as_fit(climb(means, covariances, floor=width, change=1e-8))


_SIX = np.array([[-5.5], [-5.0], [-4.5], [4.5], [5.0], [5.5]])
_EIGHT = np.array([[-2.0], [-1.2], [-0.7], [-0.2], [0.2], [0.7], [1.2], [2.0]])
_TIGHT = np.concatenate(
    [
        np.array([-6.0, 0.0]) + 0.4 * np.random.default_rng(5).normal(size=(40, 2)).round(2),
        np.array([6.0, 0.0]) + 0.4 * np.random.default_rng(6).normal(size=(40, 2)).round(2),
        np.array([0.0, 9.0]) + np.array([[0.4, 0.4], [0.4, -0.4], [-0.4, 0.4], [-0.4, -0.4]]),
    ]
)
_ONE = _as_fit(climb(np.zeros((1, 2)), OWN))
_TWO = _as_fit(BOOK)
_THREE = _as_fit(climb(np.array([[1.0, 1.0], [-1.0, -1.1], [-1.5, -1.5]]), 0.5 * OWN, change=1e-8))
_FOUR = _as_fit(
    climb(
        np.array([[0.45, 0.01], [-1.27, -1.32], [0.38, -0.07], [-1.23, -1.02]]),
        0.5 * OWN,
        change=1e-3,
    )
)
# Fifteen waits were noted as 78 minutes, and three eruptions lie on one slanted line.
_AT_78 = X[old_faithful()[:, 1] == 78].mean(axis=0)
_ON_A_LINE = X[[12, 40]]
_TIES = _spiky(_AT_78, np.diag([0.1, 1e-4]), width=2e-5)
_LINE = _spiky(_ON_A_LINE.mean(axis=0), np.cov(_ON_A_LINE.T) + 1e-6 * np.eye(2), width=1e-12)
_POINT = _spiky(X[3], 1e-6 * np.eye(2), width=1e-12)
_HOURS = old_faithful().std(axis=0, ddof=1) / 60

choose = Exercise(
    number="3.7",
    name="choose",
    reference=_choose,
    cases=(
        Case(
            "six points on a line in two groups, K = 1 and K = 2",
            ([_fit(_SIX, (0.0,)), _fit(_SIX, (-5.0,), (5.0,))], _SIX),
        ),
        Case(
            "eight points on a line in one group, K = 1 and K = 2",
            ([_fit(_EIGHT, (0.0,)), _fit(_EIGHT, (-1.0,), (1.0,))], _EIGHT),
        ),
        Case(
            "Old Faithful, K = 3, 1, 2 and 4, none with a spike",
            ([_THREE, _ONE, _TWO, _FOUR], X),
        ),
        Case("K = 3 with a spike on tied waits", ([_ONE, _TIES, _THREE, _TWO], X)),
        Case("K = 3 with a spike along a slanted line", ([_LINE, _ONE, _TWO], X)),
        Case("K = 3 with a round spike on one eruption", ([_ONE, _TWO, _POINT], X)),
        Case(
            "three tight groups, the third of four points, K = 1, 2 and 3",
            (
                [
                    _fit(_TIGHT, (0.0, 0.0)),
                    _fit(_TIGHT, (-6.0, 0.0), (6.0, 0.0)),
                    _fit(_TIGHT, (-6.0, 0.0), (6.0, 0.0), (0.0, 9.0)),
                ],
                _TIGHT,
            ),
        ),
        Case(
            "K = 1, a spike, and K = 2, in hours for minutes",
            (
                [_in_units(fit, _HOURS, len(X)) for fit in (_ONE, _TIES, _TWO)],
                X * _HOURS,
            ),
        ),
    ),
    properties=(
        Property("its choice has no spike", _no_spike),
        Property("the order of the list does not matter", _order),
        Property("units do not matter", _units),
    ),
    misconceptions=(
        Misconception(
            "no guard",
            _lowest(sound=lambda fit, x: True),
            "This is the lowest BIC of all, and it belongs to a spike. A spike's likelihood can be "
            "made as high as one likes, so no penalty keeps up with it. Leave out fits with a "
            "spike first, also where only one of several components is one, then compare.",
        ),
        Misconception(
            "best training fit",
            _lowest(score=lambda fit, x: -fit[0]),
            "You took the highest log-likelihood. It rises with nearly every component that is "
            "added: choose by BIC.",
        ),
        Misconception(
            "highest BIC",
            _lowest(score=lambda fit, x: -_bic(fit, x)),
            "You took the highest BIC among the fits without a spike. As 3.6 has it, lower is "
            "better.",
        ),
        Misconception(
            "penalty too small",
            _lowest(score=_means_alone),
            "Your penalty lets a component in that BIC keeps out. Every free parameter costs "
            "log N, those of the covariances too: call your `bic`.",
        ),
        Misconception(
            "variances alone",
            _lowest(sound=_by_variances),
            "You look at the variances, the diagonal. A spike along a slanted line has a diagonal "
            "of ordinary size; it is the smallest *eigenvalue* that gives it away.",
        ),
        Misconception(
            "determinant",
            _lowest(sound=_by_determinant),
            "You look at the determinant, the product of the eigenvalues. Two that are small but "
            "sound have a tiny product: a tight group is no spike. Take the smallest eigenvalue.",
        ),
        Misconception(
            "the component's own scale",
            _lowest(sound=_by_correlations),
            "Your guard lets the spike on the tied waits through. By its own standard deviations "
            "no component is thin: divide by the *data's*.",
        ),
        Misconception(
            "roots of eigenvalues",
            _lowest(sound=lambda fit, x: bool(_narrowest(fit, x) >= SPIKE**2)),
            "Your guard lets the spike on the tied waits through, and stops only what is far "
            "thinner. Roots and determinants are other numbers than eigenvalues: compare the "
            "smallest eigenvalue itself with .001.",
        ),
        Misconception(
            "long and thin",
            _lowest(sound=_by_own_length),
            "You compare a component's smallest eigenvalue with its own largest. A spike is thin "
            "against the *data*, not against its own length: one on a single point is round.",
        ),
        Misconception(
            "divided by variances",
            _lowest(sound=_by_squared_scale),
            "You divide by variances. It is standard deviations, both ways: Σ_ij / (s_i s_j).",
        ),
        Misconception(
            "not divided by the data's scale",
            _lowest(sound=lambda fit, x: bool(np.linalg.eigvalsh(fit[3]).min() >= SPIKE)),
            "Your guard depends on the units: in hours every component looks like a spike. Divide "
            "the columns by the data's standard deviations, Σ_ij by s_i s_j.",
        ),
        Misconception(
            "small weight",
            _lowest(sound=lambda fit, x: bool(fit[1].min() >= 0.049)),
            "You refuse small components. A small one may be sound, and a spike may have fifteen "
            "points: a spike is known by how thin it is, not by how few points it has.",
        ),
        Misconception(
            "K",
            lambda fits, x: len(fits[_choose(fits, x)][1]),
            "This is the number of components. The position in `fits` is asked for, counted "
            "from 0.",
        ),
        Misconception(
            "position among the sound ones",
            lambda fits, x: int(np.argmin([_bic(fit, x) for fit in fits if _sound(fit, x)])),
            "You count positions in the list that is left when the spikes are gone. Give a fit "
            "with a spike the BIC ∞ instead, and all others keep their places.",
        ),
        Misconception(
            "the BIC",
            lambda fits, x: _bic(fits[_choose(fits, x)], x),
            "This is the lowest BIC itself. At which position in `fits` does it stand?",
        ),
    ),
    hints=(
        "Two things for each fit: does it have a spike, and what is its BIC? Then the position of "
        "the lowest, with ∞ for those that have one.",
        "With s = x.std(axis=0), covariances / np.outer(s, s) are those of the divided columns, "
        "and np.linalg.eigvalsh takes all K at once.",
        "scores.append(np.inf if np.linalg.eigvalsh(covariances / np.outer(s, s)).min() < 1e-3 "
        "else bic(log_likelihood, len(weights), d, n)), and at the end int(np.argmin(scores)).",
    ),
)
