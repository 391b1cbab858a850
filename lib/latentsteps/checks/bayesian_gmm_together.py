"""Check of unit 04, exercise 4.6: how probable it is that two points share a component.

``r`` (S, N, K): in draw s, ``r[s, n, k]`` is the probability that point n comes from component k.
Given the parameters the components of two points are independent, so they agree with probability
Σ_k r_nk r_mk in a draw; a point agrees with itself for certain.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

_random = np.random.default_rng(46)


# 4.6 · Together


def _together(r: NDArray) -> NDArray:
    s, n, k = r.shape
    flat = r.transpose(1, 0, 2).reshape(n, s * k)
    table = flat @ flat.T / s
    np.fill_diagonal(table, 1)
    return table


def _names_do_not_matter(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    r = args[0]
    random = np.random.default_rng(2)
    renamed = np.stack([draw[:, random.permutation(r.shape[2])] for draw in r])
    again = call(renamed)
    if np.allclose(again, result, atol=1e-5):
        return None
    n, m = np.unravel_index(np.abs(again - result).argmax(), result.shape)
    return Failure(
        "The components were renamed, in each draw in another way. That says nothing new of the "
        f"points, and your entry [{n}, {m}] changed.",
        again[n, m],
        result[n, m],
        AFTER_BEFORE,
    )


def _a_point_with_itself(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    diagonal = np.diag(result)
    if np.allclose(diagonal, 1, atol=1e-6):
        return None
    n = int(np.abs(diagonal - 1).argmax())
    return Failure(
        f"Point {n} shares a component with itself, whichever it is. Your entry [{n}, {n}]:",
        diagonal[n],
        1.0,
    )


def _are_probabilities(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if not np.allclose(result, result.T, atol=1e-6):
        n, m = np.unravel_index(np.abs(result - result.T).argmax(), result.shape)
        return Failure(
            f"Points {n} and {m} are as often together as {m} and {n}.",
            (result[n, m], result[m, n]),
        )
    strange = result[(result < -1e-9) | (result > 1 + 1e-6)]
    if not strange.size:
        return None
    return Failure("A probability lies between 0 and 1. One of yours:", strange[0])


def _with_ones(table: NDArray) -> NDArray:
    table = np.array(table, dtype=float)
    np.fill_diagonal(table, 1)
    return table


def _products(r: NDArray) -> NDArray:
    """r rᵀ of each draw, (S, N, N)."""
    return r @ r.transpose(0, 2, 1)


def _hard(r: NDArray) -> NDArray:
    """1 for each point's most probable component, 0 for the others."""
    return np.asarray(np.eye(r.shape[2])[r.argmax(axis=2)])


def _by_size(r: NDArray) -> NDArray:
    """Components in order of their size in each draw."""
    return np.stack([draw[:, np.argsort(-draw.sum(axis=0))] for draw in r])


def _scaled(table: NDArray) -> NDArray:
    """A table over the roots of its diagonal, both ways."""
    root = np.sqrt(np.diag(table))
    return np.asarray(table / np.outer(root, root))


def _own_average(r: NDArray) -> NDArray:
    average = r.mean(axis=0)
    return _with_ones(average @ average.T)


_FIRST = np.array([[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]])
_THREE = _random.dirichlet(np.full(3, 0.5), (5, 6)).round(2)
_THREE /= _THREE.sum(axis=2, keepdims=True)

together = Exercise(
    number="4.6",
    name="together",
    reference=_together,
    cases=(
        Case(
            "one draw, two points, two components",
            (np.array([[[1.0, 0.0], [0.75, 0.25]]]),),
        ),
        Case(
            "two draws of three points, the second with names exchanged",
            (np.array([_FIRST[:3], _FIRST[:3, ::-1]]),),
        ),
        Case("two draws of four points", (np.array([_FIRST, _FIRST[[0, 2, 1, 3]]]),)),
        Case("five draws of six points, three components", (_THREE,)),
        Case(
            "forty draws of fifteen points, four components",
            (_random.dirichlet(np.full(4, 0.3), (40, 15)),),
        ),
    ),
    properties=(
        Property("new names in each draw change nothing", _names_do_not_matter),
        Property("symmetric, between 0 and 1", _are_probabilities),
        Property("a point is together with itself", _a_point_with_itself),
    ),
    misconceptions=(
        Misconception(
            "responsibilities averaged",
            _own_average,
            "You average the responsibilities over the draws first. Names change between draws: "
            "component 1 of one draw may be component 2 of the next. Ask *within* each draw who is "
            "together, and average the answers.",
        ),
        Misconception(
            "responsibilities averaged, diagonal as it came",
            lambda r: r.mean(axis=0) @ r.mean(axis=0).T,
            "You average the responsibilities over the draws first, and names change between "
            "draws. Multiply within each draw, average then; and a point is together with itself "
            "with probability 1.",
        ),
        Misconception(
            "sorted by size",
            lambda r: _own_average(_by_size(r)),
            "You put the components of each draw in order of their size and average then. Two of "
            "nearly the same size cross from draw to draw, so names still change. Within a draw "
            "no names are needed: multiply first, then average.",
        ),
        Misconception(
            "sum of squares on the diagonal",
            lambda r: _products(r).mean(axis=0),
            "On the diagonal is Σ_k r². That is how often two *different* points with the same "
            "responsibilities meet. A point is together with itself always: 1.",
        ),
        Misconception(
            "diagonal 0",
            lambda r: _with_ones(_products(r).mean(axis=0)) - np.eye(r.shape[1]),
            "Your diagonal is 0. A point shares a component with itself: 1.",
        ),
        Misconception(
            "one draw",
            lambda r: _with_ones(_products(r)[0]),
            "You use the first draw alone. A posterior is all of its draws: average over them.",
        ),
        Misconception(
            "last draw",
            lambda r: _with_ones(_products(r)[-1]),
            "You use the last draw alone. A posterior is all of its draws, not where the chain "
            "ended: average over them.",
        ),
        Misconception(
            "the surest draw",
            lambda r: _with_ones(_products(r)[(r**2).sum(axis=(1, 2)).argmax()]),
            "You use one draw, the surest. However good it is, how unsure the posterior is cannot "
            "be seen in it: average over all draws.",
        ),
        Misconception(
            "hard assignments",
            lambda r: _with_ones(_products(_hard(r)).mean(axis=0)),
            "You give each point to its most probable component first. A point at .75 is not all "
            "there: two such are together with probability .75 · .75 + .25 · .25, and not 1.",
        ),
        Misconception(
            "sum over draws",
            lambda r: _with_ones(_products(r).sum(axis=0)),
            "You add up over the draws. The average is due: divide by their number.",
        ),
        Misconception(
            "product over draws",
            lambda r: _with_ones(_products(r).prod(axis=0)),
            "You multiply over the draws: then two points would have to be together in all of them "
            "at once. Draws are possibilities: average.",
        ),
        Misconception(
            "components for points",
            lambda r: _with_ones((r.transpose(0, 2, 1) @ r).mean(axis=0)),
            "Your table has a row for each component: `r.T @ r` adds up over the points. For "
            "points it is r rᵀ, which adds up over the components.",
        ),
        Misconception(
            "a table for each draw",
            lambda r: np.stack([_with_ones(table) for table in _products(r)]),
            "You return a table for each draw. Average them over the draws.",
        ),
        Misconception(
            "largest for the sum",
            lambda r: _with_ones((r[:, :, None] * r[:, None]).max(axis=3).mean(axis=0)),
            "You keep the component in which the two meet most easily. They are together if they "
            "meet in any: sum over k.",
        ),
        Misconception(
            "root of the product",
            lambda r: _with_ones(_products(np.sqrt(r)).mean(axis=0)),
            "You take roots of the responsibilities, as a measure of overlap does. The probability "
            "that both come from k is the product r_nk r_mk itself.",
        ),
        Misconception(
            "cosine",
            lambda r: _with_ones(
                _products(r / np.linalg.norm(r, axis=2, keepdims=True)).mean(axis=0)
            ),
            "You divide by the lengths of the rows, which gives the cosine of an angle. Two points "
            "at .5 and .5 would always be together. The probability is the plain sum of products.",
        ),
        Misconception(
            "scaled to a diagonal of 1",
            lambda r: _scaled(_products(r).mean(axis=0)),
            "You divide rows and columns until the diagonal is 1, as for correlations. The other "
            "entries are probabilities already: set the diagonal alone.",
        ),
        Misconception(
            "divided by K",
            lambda r: _with_ones(_products(r).mean(axis=0) / r.shape[2]),
            "You average over the components. They exclude each other, so their probabilities are "
            "added up.",
        ),
        Misconception(
            "apart",
            lambda r: 1 - _with_ones(_products(r).mean(axis=0)),
            "This is the probability that two points are *apart*. Asked is that they are together.",
        ),
    ),
    hints=(
        "In one draw: with what probability do points n and m both come from component 1? And "
        "both from the same one, whichever?",
        "Σ_k r_nk r_mk in each draw, which is r[s] @ r[s].T; then the average over s. Which "
        "entries are known beforehand?",
        "table = np.mean([draw @ draw.T for draw in r], axis=0); np.fill_diagonal(table, 1); "
        "return table",
    ),
)
