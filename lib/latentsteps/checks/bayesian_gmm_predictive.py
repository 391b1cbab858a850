"""Check of unit 04, exercise 4.7: the density of a new point, given all draws.

``grid`` (G,); ``weights``, ``means`` and ``scales`` (S, K), a mixture of K normal densities for
each of S draws. The predictive density is the mean of the S densities; its logarithm is asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

_random = np.random.default_rng(47)


# 4.7 · The predictive density


def _predictive(grid: NDArray, weights: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    log_density = norm.logpdf(grid[:, None, None], means, scales) + np.log(weights)
    return np.asarray(logsumexp(log_density, axis=(1, 2)) - np.log(len(weights)))


def _integrates_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, weights, means, scales = args
    # Points as far apart as the narrowest component is wide are enough for normal densities.
    step = scales.min()
    low, high = (means - 8 * scales).min(), (means + 8 * scales).max()
    total = float(np.exp(call(np.arange(low, high, step), weights, means, scales)).sum() * step)
    if abs(total - 1) < 1e-4:
        return None
    return Failure(
        "A density integrates to 1. The exponential of your result, added up over a fine grid that "
        "reaches eight standard deviations beyond every mean, gives another number.",
        total,
        1.0,
    )


def _changed(again: NDArray, result: NDArray, what: str) -> Failure | None:
    if np.allclose(again, result, rtol=1e-5, atol=1e-5):
        return None
    n = int(np.abs(again - result).argmax())
    return Failure(f"{what} Your entry [{n}] changed.", again[n], result[n], AFTER_BEFORE)


def _names_do_not_matter(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    grid, *draws = args
    random = np.random.default_rng(3)
    names = random.permuted(np.tile(np.arange(draws[0].shape[1]), (len(draws[0]), 1)), axis=1)
    renamed = [np.take_along_axis(each, names, axis=1) for each in draws]
    what = "The components were renamed, in each draw in another way: the density is the same."
    return _changed(call(grid, *renamed), result, what)


def _draws_have_no_order(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    grid, *draws = args
    again = call(grid, *(np.roll(each, 1, axis=0) for each in draws))
    return _changed(again, result, "The last draw was put first.")


def _copies_change_nothing(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    grid, *draws = args
    again = call(grid, *(np.concatenate([each, each]) for each in draws))
    return _changed(again, result, "Every draw was there twice, which says nothing new.")


def _log_joint(grid: NDArray, weights: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    """log (w N(x | m, σ²)) of each point, draw and component, (G, S, K)."""
    return np.asarray(norm.logpdf(grid[:, None, None], means, scales) + np.log(weights))


def _log_draws(*args: NDArray) -> NDArray:
    """The log density of each point under each draw, (G, S)."""
    return np.asarray(logsumexp(_log_joint(*args), axis=2))


def _log_mean(terms: NDArray) -> NDArray:
    """The logarithm of the mean over the second axis, of logarithms."""
    return np.asarray(logsumexp(terms, axis=1) - np.log(terms.shape[1]))


def _at_one(summary: Callable[[NDArray], NDArray]) -> Callable[..., NDArray]:
    """An answer that makes one set of parameters of all draws."""

    def answer(grid: NDArray, *draws: NDArray) -> NDArray:
        return _predictive(grid, *(np.atleast_2d(summary(each)) for each in draws))

    return answer


def _sorted_by_mean(grid: NDArray, *draws: NDArray) -> NDArray:
    order = np.argsort(draws[1], axis=1)
    ordered = (np.take_along_axis(each, order, axis=1) for each in draws)
    return _predictive(grid, *(each.mean(axis=0, keepdims=True) for each in ordered))


_TWO = np.array([[0.3, 0.7]]), np.array([[-1.0, 2.0]]), np.array([[0.5, 1.0]])
_EXCHANGED = tuple(np.concatenate([each, each[:, ::-1]]) for each in _TWO)
_THIRTY = (
    _random.dirichlet(np.full(3, 4.0), 30),
    np.array([-4.0, 0.0, 5.0]) + 0.6 * _random.normal(size=(30, 3)),
    np.exp(0.3 * _random.normal(size=(30, 3))),
)

predictive = Exercise(
    number="4.7",
    name="predictive",
    reference=_predictive,
    cases=(
        Case(
            "one draw, one component, standard deviation 2",
            (np.array([0.0, 1.0]), np.ones((1, 1)), np.zeros((1, 1)), np.full((1, 1), 2.0)),
        ),
        Case("one draw, two components", (np.array([-1.0, 0.0, 2.0]), *_TWO)),
        Case(
            "two draws, the second with names exchanged",
            (np.array([-1.0, 0.0, 2.0]), *_EXCHANGED),
        ),
        Case(
            "two draws that differ",
            (
                np.array([-1.0, 0.5, 3.0]),
                np.array([[0.5, 0.5], [0.2, 0.8]]),
                np.array([[-1.0, 2.0], [-2.0, 4.0]]),
                np.array([[0.5, 1.0], [1.5, 0.5]]),
            ),
        ),
        Case("thirty draws, three components", (np.linspace(-8, 9, 12), *_THIRTY)),
        Case("the same draws, far out", (np.array([-60.0, 200.0]), *_THIRTY)),
    ),
    properties=(
        Property("its exponential integrates to 1", _integrates_to_one),
        Property("new names in each draw change nothing", _names_do_not_matter),
        Property("the order of draws changes nothing", _draws_have_no_order),
        Property("draws twice over change nothing", _copies_change_nothing),
    ),
    misconceptions=(
        Misconception(
            "mean of logs",
            lambda *args: _log_draws(*args).mean(axis=1),
            "You average logarithms over the draws. A new point comes from one of the draws, "
            "unknown which: average the *densities*, then take the logarithm. The mean of the logs "
            "is always lower, and no density.",
        ),
        Misconception(
            "parameters averaged",
            _at_one(lambda each: each.mean(axis=0)),
            "You average the parameters and look at one mixture. Names change between draws, so "
            "means of different components are mixed; and an average of parameters would be too "
            "sure of itself. Average the densities.",
        ),
        Misconception(
            "medians of the parameters",
            _at_one(lambda each: np.median(each, axis=0)),
            "You take the median of each parameter and look at one mixture. Names change between "
            "draws, so these are medians over different components. Average the densities.",
        ),
        Misconception(
            "parameters sorted by their means, then averaged",
            _sorted_by_mean,
            "You sort the components by their means and average the parameters. Where components "
            "cross that mixes them, and one set of parameters is too sure of itself. Densities "
            "need no sorting: average those.",
        ),
        Misconception(
            "first draw",
            lambda grid, *draws: _predictive(grid, *(each[:1] for each in draws)),
            "You use the first draw alone. Average the densities of all draws.",
        ),
        Misconception(
            "last draw",
            lambda grid, *draws: _predictive(grid, *(each[-1:] for each in draws)),
            "You use the last draw alone, as if a chain ended at its best place. Average the "
            "densities of all draws.",
        ),
        Misconception(
            "weights averaged",
            lambda grid, weights, *rest: _predictive(
                grid, np.tile(weights.mean(axis=0), (len(weights), 1)), *rest
            ),
            "You average the weights over the draws first. Each draw is a mixture of its own: "
            "weights, means and scales belong together.",
        ),
        Misconception(
            "sum over draws",
            lambda *args: logsumexp(_log_joint(*args), axis=(1, 2)),
            "You add up the densities of the draws, and the result integrates to S. Their mean is "
            "due: take log S off.",
        ),
        Misconception(
            "mean over components too",
            lambda *args: _predictive(*args) - np.log(args[1].shape[1]),
            "You divide by S·K. The components have their weights already: add up over k, average "
            "over the draws only.",
        ),
        Misconception(
            "product over draws",
            lambda *args: _log_draws(*args).sum(axis=1),
            "You add up logarithms over the draws, as if a point had to come from all draws at "
            "once. Draws are possibilities: average their densities.",
        ),
        Misconception(
            "sum of logs over components",
            lambda *args: _log_mean(_log_joint(*args).sum(axis=2)),
            "You add up log densities over the components. A point comes from one of them: add up "
            "the densities (`logsumexp`).",
        ),
        Misconception(
            "logs weighed",
            lambda grid, w, m, s: _log_mean(
                (w * norm.logpdf(grid[:, None, None], m, s)).sum(axis=2)
            ),
            "You weigh the *logarithms* of the components. The weights belong to the densities: "
            "log Σ_k w_k N_k.",
        ),
        Misconception(
            "weights not used",
            lambda grid, w, m, s: _predictive(grid, np.ones_like(w), m, s),
            "The weights are not in it, so each draw integrates to K. Add log w before the "
            "logsumexp.",
        ),
        Misconception(
            "weights not logged",
            lambda grid, w, m, s: _predictive(grid, np.exp(w), m, s),
            "You add the weights to log densities. Add their logarithms: log (w N) is log w + log "
            "N.",
        ),
        Misconception(
            "variance for sd",
            lambda grid, w, m, s: _predictive(grid, w, m, s**2),
            "You square the scales. They are standard deviations, as SciPy's `norm` wants them.",
        ),
        Misconception(
            "sd for variance",
            lambda grid, w, m, s: _predictive(grid, w, m, np.sqrt(s)),
            "You treat the scales as variances. They are standard deviations: (x − m)² is divided "
            "by 2σ², and log σ taken off.",
        ),
        Misconception(
            "1/σ left out",
            lambda grid, w, m, s: _predictive(grid, w * s, m, s),
            "1/σ is missing: without it a wide component integrates to more than a narrow one.",
        ),
        Misconception(
            "2π left out",
            lambda *args: _predictive(*args) + 0.5 * np.log(2 * np.pi),
            "1/√2π is missing, and the result does not integrate to 1.",
        ),
        Misconception(
            "the best component",
            lambda *args: _log_mean(_log_joint(*args).max(axis=2)),
            "You keep the best component of each draw. All of them have their share: logsumexp "
            "over k, not the maximum.",
        ),
        Misconception(
            "the best draw",
            lambda *args: _log_draws(*args).max(axis=1),
            "You keep the highest of the draws at each point. That is more than a density: average "
            "over the draws.",
        ),
        Misconception(
            "the density",
            lambda *args: np.exp(_predictive(*args)),
            "These are densities. Their logarithms are asked for.",
        ),
        Misconception(
            "exponential first",
            lambda *args: np.log(np.exp(_log_joint(*args)).sum(axis=2).mean(axis=1)),
            "Right on paper. Far out every density is 0 in the computer, and its logarithm −∞. "
            "Stay in log space: logsumexp over draws and components, minus log S.",
        ),
        Misconception(
            "a row for each draw",
            lambda *args: _log_draws(*args).T,
            "You return a log density for each draw and point. Average the densities over the "
            "draws: logsumexp over s, minus log S.",
        ),
        Misconception(
            "a column for each draw",
            lambda *args: _log_draws(*args),
            "You return a log density for each point and draw. One for each point is due: "
            "logsumexp over the draws, minus log S.",
        ),
        Misconception(
            "summed over the grid",
            lambda *args: _predictive(*args).sum(),
            "You add up over the grid. A log density for each of its points is asked for.",
        ),
    ),
    hints=(
        "Each draw is a mixture with a density of its own. Which of them makes the new point? It "
        "is not known; each is as good as the other.",
        "log of (1/S) Σ_s Σ_k w_sk N(x | m_sk, σ_sk): a logsumexp over both s and k, and log S.",
        "norm.logpdf(grid[:, None, None], means, scales) + np.log(weights) has the shape (G, S, "
        "K); logsumexp of it over axis=(1, 2), minus np.log(S).",
    ),
    time_limit=10.0,  # the first calls of JAX compile
)
