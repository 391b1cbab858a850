"""Checks of unit 03, exercise 3.2: covariances by maximum likelihood.

Names and shapes as in :mod:`latentsteps.checks.gmm`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

_random = np.random.default_rng(2)


def _shares(n: int, k: int) -> NDArray:
    return _random.dirichlet(np.ones(k), size=n).round(2)


def _scatter(x: NDArray, r: NDArray, middle: NDArray) -> NDArray:
    """Σ_n r_n (x_n − middle)(x_n − middle)ᵀ, (D, D); r is (N,)."""
    away = x - middle
    return (r[:, None] * away).T @ away


# 3.2 · Covariances


def _update_covariances(x: NDArray, r: NDArray, means: NDArray) -> NDArray:
    covariances = []
    for share, mean in zip(r.T, means, strict=True):
        away = x - mean
        covariances.append((share[:, None] * away).T @ away / share.sum())
    return np.stack(covariances)


def _own(x: NDArray, r: NDArray) -> NDArray:
    """The members' own means, (K, D)."""
    return r.T @ x / r.sum(axis=0)[:, None]


def _point_by_point(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, r, means = args
    for k, mean in enumerate(means):
        total, count = np.zeros((len(mean), len(mean))), 0.0
        for point, share in zip(x, r[:, k], strict=True):
            total += share * np.outer(point - mean, point - mean)
            count += share
        off = np.abs(result[k] - total / count)
        if not np.all(off <= 1e-5 * np.abs(total / count).max()):
            i, j = np.unravel_index(off.argmax(), off.shape)
            return Failure(
                f"Averaging (x − m)(x − m)ᵀ point by point gives another entry [{i}, {j}] of "
                f"covariance {k}.",
                result[k, i, j],
                total[i, j] / count,
            )
    return None


def _is_covariance(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    for k, covariance in enumerate(result):
        if not np.allclose(covariance, covariance.T, atol=1e-5 * np.abs(covariance).max()):
            i, j = np.unravel_index(np.abs(covariance - covariance.T).argmax(), covariance.shape)
            return Failure(
                f"Covariance {k} is not symmetric: entry [{i}, {j}] is not entry [{j}, {i}].",
                covariance[i, j],
                covariance[j, i],
                (f"[{i}, {j}]", f"[{j}, {i}]"),
            )
        smallest = float(np.linalg.eigvalsh(covariance)[0])
        if smallest < -1e-6 * np.abs(covariance).max():
            return Failure(
                f"Covariance {k} has a negative eigenvalue: in that direction the variance would "
                "be negative.",
                smallest,
            )
    return None


def _affine(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, r, means = args
    d = x.shape[1]
    slanted = np.eye(d) * 2.0
    slanted[0, -1] += 1.0
    for a, b, words in (
        (slanted, np.full(d, 3.0), "stretched, slanted and shifted"),
        (0.001 * np.eye(d), np.zeros(d), "measured in a unit a thousand times as large"),
    ):
        again = np.asarray(call(x @ a.T + b, r, means @ a.T + b))
        expected = a @ result @ a.T
        off = np.abs(again - expected)
        if not np.all(off <= 1e-5 * np.abs(expected).max()):
            k, i, j = np.unravel_index(off.argmax(), off.shape)
            return Failure(
                f"Points and means were {words}, x → A x + b, and so your covariances have to "
                f"become A Σ Aᵀ. Entry [{i}, {j}] of covariance {k} does not.",
                again[k, i, j],
                expected[k, i, j],
            )
    return None


def _means_are_respected(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, r, means = args
    step = np.arange(1.0, x.shape[1] + 1)
    again = np.asarray(call(x, r, means + step))
    pull = _own(x, r) - means  # (K, D)
    cross = pull[:, :, None] * step
    expected = result - cross - cross.transpose(0, 2, 1) + np.outer(step, step)
    if np.allclose(again, expected, rtol=1e-5, atol=1e-6 * max(1.0, np.abs(expected).max())):
        return None
    k, i, j = np.unravel_index(np.abs(again - expected).argmax(), again.shape)
    return Failure(
        "Measure from the means that are handed over, wherever they are. They were moved, and "
        f"entry [{i}, {j}] of covariance {k} did not follow.",
        again[k, i, j],
        expected[k, i, j],
    )


_PLANE = np.array([[0.0, 0.0], [2.0, 1.0], [3.0, 3.0], [5.0, 2.0]])
_PLANE_SHARES = np.array([[1.0, 0.0], [0.75, 0.25], [0.5, 0.5], [0.0, 1.0]])
_FORTY, _FORTY_SHARES = _random.normal(size=(40, 3)).round(2), _shares(40, 3)


update_covariances = Exercise(
    number="3.2",
    name="update_covariances",
    reference=_update_covariances,
    cases=(
        Case(
            "two points in the plane, one component",
            (np.array([[0.0, 0.0], [2.0, 4.0]]), np.ones((2, 1)), np.array([[1.0, 2.0]])),
        ),
        Case(
            "three points on a line, two components",
            (
                np.array([[0.0], [2.0], [6.0]]),
                np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]),
                np.array([[2 / 3], [14 / 3]]),
            ),
        ),
        Case(
            "four points in the plane, two components",
            (_PLANE, _PLANE_SHARES, _own(_PLANE, _PLANE_SHARES)),
        ),
        Case(
            "the same with means that are not the members' own",
            (_PLANE, _PLANE_SHARES, np.array([[1.0, 0.0], [4.0, 3.0]])),
        ),
        Case(
            "forty points, three components, three dimensions",
            (_FORTY, _FORTY_SHARES, _own(_FORTY, _FORTY_SHARES)),
        ),
    ),
    properties=(
        Property("symmetric, and no variance is negative", _is_covariance),
        Property("x → A x + b makes Σ into A Σ Aᵀ", _affine),
        Property("averaging point by point gives the same", _point_by_point),
        Property("the means are used as they are given", _means_are_respected),
    ),
    misconceptions=(
        Misconception(
            "around the mean of all points",
            lambda x, r, means: _update_covariances(x, r, np.tile(x.mean(axis=0), (len(means), 1))),
            "You measure from the mean of all points. Each component has its own, `means[k]`, "
            "and its spread is measured from there.",
        ),
        Misconception(
            "around the members' own mean",
            lambda x, r, means: _update_covariances(x, r, _own(x, r)),
            "You work out the means anew. After a plain M step that is the same thing; with a "
            "prior the means are pulled away from their members' middle. Use those you are given.",
        ),
        Misconception(
            "mean of squares minus square of the mean",
            lambda x, r, means: np.stack(
                [
                    _scatter(x, share, 0 * mean) / share.sum() - np.outer(mean, mean)
                    for share, mean in zip(r.T, means, strict=True)
                ]
            ),
            "E[x xᵀ] − m mᵀ is the spread around m only where m is the members' own mean; "
            "elsewhere it can even be negative. Average (x − m)(x − m)ᵀ itself.",
        ),
        Misconception(
            "divided by all points",
            lambda x, r, means: _update_covariances(x, r, means) * r.mean(axis=0)[:, None, None],
            "You divide by N, the number of all points, so that small components shrink. Divide "
            "by N_k, the component's own share of points.",
        ),
        Misconception(
            "N_k − 1",
            lambda x, r, means: np.stack(
                [
                    _scatter(x, share, mean) / (share.sum() - 1)
                    for share, mean in zip(r.T, means, strict=True)
                ]
            ),
            "N_k − 1 makes the estimate unbiased. The M step asks for the highest likelihood, and "
            "that has N_k.",
        ),
        Misconception(
            "np.cov with weights",
            lambda x, r, means: np.stack(
                [np.atleast_2d(np.cov(x.T, aweights=share)) for share in r.T]
            ),
            "`np.cov` with `aweights` measures from the members' own mean, and unless told "
            "`ddof=0` it divides by less than N_k. Measure from the means you are given, and "
            "divide by N_k.",
        ),
        Misconception(
            "not divided",
            lambda x, r, means: np.stack(
                [_scatter(x, share, mean) for share, mean in zip(r.T, means, strict=True)]
            ),
            "This is the sum, the scatter; it grows with the number of points. Divide it by N_k.",
        ),
        Misconception(
            "off-diagonals lost",
            lambda x, r, means: np.stack(
                [np.diag(np.diag(each)) for each in _update_covariances(x, r, means)]
            ),
            "Only the variances are left: the tilt vanished. Every pair of coordinates has an "
            "entry, the average of the product of their deviations.",
        ),
        Misconception(
            "responsibility squared",
            lambda x, r, means: np.stack(
                [
                    _scatter(x, share**2, mean) / share.sum()
                    for share, mean in zip(r.T, means, strict=True)
                ]
            ),
            "You weigh both deviations of a product by r, so that each point counts r². One of "
            "the two is enough.",
        ),
        Misconception(
            "responsibilities unused",
            lambda x, r, means: _update_covariances(x, np.ones_like(r), means),
            "Every point counts in full for every component. It should count by its "
            "responsibility, `r[:, k]`.",
        ),
        Misconception(
            "the winner takes all",
            lambda x, r, means: _update_covariances(x, np.eye(r.shape[1])[r.argmax(axis=1)], means),
            "You gave each point to its best component. Here a point counts in every component, "
            "by its responsibility.",
        ),
        Misconception(
            "something added to the diagonal",
            lambda x, r, means: _update_covariances(x, r, means) + 1e-6 * np.eye(x.shape[1]),
            "You add a little to the diagonal, as scikit-learn does. In a large unit it is not "
            "little; and it is another estimate, which EM's promise does not cover.",
        ),
        Misconception(
            "one for all",
            lambda x, r, means: np.tile(
                np.tensordot(r.mean(axis=0), _update_covariances(x, r, means), axes=1),
                (len(means), 1, 1),
            ),
            "All components get the same covariance, their average. Here each has its own.",
        ),
    ),
    hints=(
        "One component, one point: the deviation x − m and its outer product with itself, a D × D "
        "table. Average these tables, weighed by r.",
        "With `away = x - means[k]`, shape (N, D): `(r[:, [k]] * away).T @ away` is the weighted "
        "sum of all outer products.",
        "For each k divide that by r[:, k].sum(), and np.stack the results.",
    ),
)
