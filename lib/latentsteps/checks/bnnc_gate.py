"""Check of unit 06, exercise 6.4: the gate, log θ = log softmax(log π + tanh(x W₁) W₂).

``x`` (N, D), ``hidden_weights`` (D, H), ``output_weights`` (H, K), ``log_weights`` (K,), of which
some are −2000, as a sparse Dirichlet draws them, or −∞. θ is what the model says *before* a
component's density has been looked at: a prior weight for each point, and no responsibility.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logsumexp, softmax

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

# 6.4 · The gate


def _log_gate(
    x: NDArray, hidden_weights: NDArray, output_weights: NDArray, log_weights: NDArray
) -> NDArray:
    logits = log_weights + np.tanh(x @ hidden_weights) @ output_weights
    return np.asarray(logits - logsumexp(logits, axis=1, keepdims=True))


def _rows_sum_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    sums = np.exp(result).sum(axis=1)
    if np.allclose(sums, 1, atol=1e-6):
        return None
    n = int(np.abs(sums - 1).argmax())
    return Failure(
        f"Each point has its own weights, and they add up to 1. Those of point {n}, the "
        "exponentials of your row, add up to:",
        sums[n],
        1.0,
    )


def _without_output_the_weights(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, hidden_weights, output_weights, log_weights = args
    again = call(x, hidden_weights, np.zeros_like(output_weights), log_weights)
    if np.allclose(np.exp(again), np.exp(log_weights), atol=1e-6):
        return None
    return Failure(
        "With W₂ = 0 the network says nothing, and every point has the weights π. Point 0 then has "
        "the weights below in yours:",
        np.exp(again[0]),
        np.exp(log_weights),
    )


def _each_point_by_itself(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, *rest = args
    alone = np.concatenate([call(x[n : n + 1], *rest) for n in range(len(x))])
    if np.allclose(np.exp(alone), np.exp(result), atol=1e-6):
        return None
    n, k = np.unravel_index(np.abs(np.exp(alone) - np.exp(result)).argmax(), result.shape)
    return Failure(
        f"A point's weights depend on that point alone. With point {n} on its own, its weight for "
        f"component {k} became another one.",
        np.exp(alone[n, k]),
        np.exp(result[n, k]),
        ("alone", "with the others"),
    )


def _odd(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, hidden_weights, output_weights, log_weights = args
    flat = np.zeros(len(log_weights))
    there = call(x, hidden_weights, output_weights, flat)
    back = call(-x, hidden_weights, output_weights, flat)
    both = there[:, 1:] - there[:, :1] + back[:, 1:] - back[:, :1]
    if np.allclose(both, 0, atol=1e-5):
        return None
    n, k = np.unravel_index(np.abs(both).argmax(), both.shape)
    return Failure(
        "There is no intercept and tanh is odd: with all of π equal, what speaks for component "
        f"{k + 1} against component 0 at x speaks against it at −x. At point {n}, log θ_{k + 1} − "
        f"log θ_0 is:",
        there[n, k + 1] - there[n, 0],
        back[n, k + 1] - back[n, 0],
        ("at x", "at −x"),
    )


def _in_proportion(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    *network, log_weights = args
    raised = log_weights.copy()
    raised[0] += 1.0
    again = call(*network, raised)
    kept = np.isfinite(result[:, 0]) & np.isfinite(result[:, -1])
    if not kept.any():
        return None
    n = int(kept.argmax())
    moved = (again[n, 0] - again[n, -1]) - (result[n, 0] - result[n, -1])
    if abs(moved - 1) < 1e-6:
        return None
    return Failure(
        "log π_0 was raised by 1, so component 0 gains 1 on the last one, at every point. With "
        "point 0 yours gains:",
        moved,
        1.0,
    )


def _with_logits(logits: Callable[..., NDArray]) -> Callable[..., NDArray]:
    """An answer: the log softmax of ``logits(x, W₁, W₂, log π)``."""
    return lambda *args: np.asarray(log_softmax(logits(*args), axis=1))


def _logits(x: NDArray, hidden: NDArray, output: NDArray, log_weights: NDArray) -> NDArray:
    return np.asarray(log_weights + np.tanh(x @ hidden) @ output)


def _log_of_softmax(*args: NDArray) -> NDArray:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(softmax(_logits(*args), axis=1)))


def _unprotected(*args: NDArray) -> NDArray:
    logits = _logits(*args)
    with np.errstate(over="ignore", divide="ignore"):
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def _maximum_over_points(*args: NDArray) -> NDArray:
    logits = _logits(*args)
    shifted = logits - logits.max(axis=0)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


_random = np.random.default_rng(64)


def _network(n: int, d: int, hidden: int, k: int, output_scale: float) -> tuple[NDArray, ...]:
    """Points and weights, rounded so that they can be read."""
    return (
        _random.normal(0, 3, (n, d)).round(1),
        _random.normal(size=(d, hidden)).round(2),
        (output_scale * _random.normal(size=(hidden, k))).round(2),
    )


_THREE = np.log([0.5, 0.3, 0.2])
_SPARSE = np.array([-2000.0, np.log(0.75), -23.0, np.log(0.25), -600.0])
_EMPTY = np.array([np.log(0.6), -np.inf, np.log(0.4), -np.inf])

log_gate = Exercise(
    number="6.4",
    name="log_gate",
    reference=_log_gate,
    cases=(
        Case(
            "one point on a line, one hidden unit, two components",
            (np.array([[0.5]]), np.array([[2.0]]), np.array([[1.0, -1.0]]), np.log([0.75, 0.25])),
        ),
        Case("two points in the plane, W₂ = 0", (*_network(2, 2, 2, 3, 0.0), _THREE)),
        Case("four points, three components", (*_network(4, 2, 3, 3, 1.0), _THREE)),
        Case("six points, weights of W₂ as large as 30", (*_network(6, 2, 5, 3, 20.0), _THREE)),
        Case(
            "three points, weights of W₂ in the thousands", (*_network(3, 2, 4, 3, 2000.0), _THREE)
        ),
        Case("log weights down to −2000", (*_network(7, 2, 10, 5, 0.5), _SPARSE)),
        Case("two weights of 0, log π = −∞", (*_network(3, 2, 10, 4, 0.5), _EMPTY)),
    ),
    properties=(
        Property("the weights of a point add up to one", _rows_sum_to_one),
        Property("without W₂ they are the weights π", _without_output_the_weights),
        Property("each point by itself", _each_point_by_itself),
        Property("with equal π it is odd in x", _odd),
        Property("a larger π_k counts for as much everywhere", _in_proportion),
    ),
    misconceptions=(
        Misconception(
            "no log π",
            _with_logits(lambda x, w1, w2, log_pi: np.tanh(x @ w1) @ w2),
            "log π is missing. The gate tilts the weights π this way and that; without them all "
            "components start out equal, and the sparse prior has nothing to hold on to.",
        ),
        Misconception(
            "π for log π",
            _with_logits(lambda x, w1, w2, log_pi: np.exp(log_pi) + np.tanh(x @ w1) @ w2),
            "You add π itself to the logits. A softmax takes exponentials, so it is log π that "
            "becomes a factor π.",
        ),
        Misconception(
            "log π subtracted",
            _with_logits(lambda x, w1, w2, log_pi: np.tanh(x @ w1) @ w2 - log_pi),
            "You subtract log π: the rarest component would get the most. Add it.",
        ),
        Misconception(
            "logarithm of log π",
            _with_logits(lambda x, w1, w2, log_pi: np.log(log_pi) + np.tanh(x @ w1) @ w2),
            "`log_weights` are logarithms already, and negative. Add them as they are.",
        ),
        Misconception(
            "log π after the softmax",
            lambda x, w1, w2, log_pi: log_pi + log_softmax(np.tanh(x @ w1) @ w2, axis=1),
            "You add log π *after* the softmax, and the weights of a point no longer add up to 1. "
            "It belongs among the logits: normalise last.",
        ),
        Misconception(
            "softmax over points",
            lambda *args: log_softmax(_logits(*args), axis=0),
            "Your softmax runs over the points: component k would be shared out among them. Each "
            "point has weights over the *components*: axis 1.",
        ),
        Misconception(
            "softmax over everything",
            lambda *args: log_softmax(_logits(*args)),
            "Your softmax runs over points and components at once. Each point has weights of its "
            "own: axis=1.",
        ),
        Misconception(
            "logits",
            _logits,
            "These are the logits. To be logarithms of weights that add up to 1, each row has to "
            "have its log-sum-exp subtracted.",
        ),
        Misconception(
            "maximum for log-sum-exp",
            lambda *args: _logits(*args) - _logits(*args).max(axis=1, keepdims=True),
            "You subtract the largest logit of each row. That is the first half of a safe softmax; "
            "the logarithm of the sum of exponentials is still to come off.",
        ),
        Misconception(
            "maximum over points",
            _maximum_over_points,
            "You subtract a maximum from each *column*, which changes the weights within a row "
            "(and is −∞ − (−∞) in an empty column). Any number may come off a row, the same for "
            "all its components: axis=1, keepdims=True.",
        ),
        Misconception(
            "not in logarithms",
            lambda *args: softmax(_logits(*args), axis=1),
            "This is θ. Its logarithm is asked for: a weight of e^(−2000) cannot be stored.",
        ),
        Misconception(
            "logarithm of a softmax",
            _log_of_softmax,
            "You take the logarithm of a finished softmax, where e^(−2000) has become 0: −∞, and "
            "so no way back for a sampler. Subtract the log-sum-exp from the logits instead.",
        ),
        Misconception(
            "exponentials of the logits",
            _unprotected,
            "The formula is right, and for logits in the hundreds it goes wrong: e^800 is stored "
            "as ∞. Subtract the largest logit of each row first, or take "
            "`scipy.special.logsumexp`, which does.",
        ),
        Misconception(
            "an intercept",
            _with_logits(lambda x, w1, w2, log_pi: log_pi + np.tanh(x @ w1 + 1) @ w2),
            "You have given the hidden units an intercept of ones, tanh(x W₁ + 1). The recipe's "
            "text claims one; this gate, like its program, has no intercept: tanh(x W₁).",
        ),
        Misconception(
            "floor in log π",
            _with_logits(
                lambda x, w1, w2, log_pi: np.log(np.exp(log_pi) + 1e-10) + np.tanh(x @ w1) @ w2
            ),
            "You add 1e-10 to π before the logarithm, as the recipe does. Under its prior most "
            "weights are smaller than that, so it is another prior. log π is given: use it.",
        ),
        Misconception(
            "floor in θ",
            lambda *args: np.log(softmax(_logits(*args), axis=1) + 1e-10),
            "You add 1e-10 to θ before the logarithm: then the weights of a point add up to more "
            "than 1, and all small ones look alike. Stay in logarithms.",
        ),
        Misconception(
            "−∞ replaced",
            lambda *args: log_softmax(np.nan_to_num(_logits(*args)), axis=1),
            "You replace −∞ by a large negative number. A weight of 0 has the logarithm −∞, and "
            "log-sum-exp can deal with it as it is.",
        ),
        Misconception(
            "no tanh",
            _with_logits(lambda x, w1, w2, log_pi: log_pi + x @ w1 @ w2),
            "tanh is missing. Two layers without anything between them are one matrix, W₁ W₂.",
        ),
        Misconception(
            "tanh at the end",
            _with_logits(lambda x, w1, w2, log_pi: log_pi + np.tanh(x @ w1 @ w2)),
            "You take tanh of the logits. It belongs between the two layers: tanh(x W₁) W₂.",
        ),
        Misconception(
            "tanh twice",
            _with_logits(lambda x, w1, w2, log_pi: log_pi + np.tanh(np.tanh(x @ w1) @ w2)),
            "You take tanh after both layers. The second one gives logits, of any size: "
            "tanh(x W₁) W₂.",
        ),
        Misconception(
            "tanh over all",
            _with_logits(lambda x, w1, w2, log_pi: np.tanh(log_pi + np.tanh(x @ w1) @ w2)),
            "You take tanh of all the logits, log π included, so no weight could be e² times "
            "another. tanh belongs to the hidden units alone.",
        ),
        Misconception(
            "sigmoid",
            _with_logits(lambda x, w1, w2, log_pi: log_pi + expit(x @ w1) @ w2),
            "Your hidden units are sigmoids, between 0 and 1. tanh runs from −1 to 1.",
        ),
        Misconception(
            "rectified",
            _with_logits(lambda x, w1, w2, log_pi: log_pi + np.maximum(x @ w1, 0) @ w2),
            "Your hidden units are rectified, max(0, ·). This gate has tanh.",
        ),
        Misconception(
            "W₂ made small",
            _with_logits(lambda x, w1, w2, log_pi: log_pi + np.tanh(x @ w1) @ (0.05 * w2)),
            "You multiply W₂ by .05. That is the scale of its *prior*: W₂ as it is given has been "
            "drawn from there already.",
        ),
        Misconception(
            "averaged over points",
            lambda *args: log_softmax(
                np.tile(_logits(*args).mean(axis=0), (len(args[0]), 1)), axis=1
            ),
            "All your rows are the same: you average the logits over the points. The gate gives "
            "each point weights of its own.",
        ),
        Misconception(
            "components first",
            lambda *args: _log_gate(*args).T,
            "Your result is (K, N). A row for each point is asked for: (N, K).",
        ),
    ),
    hints=(
        "tanh(x W₁) W₂ has a row for each point and a column for each component. What has to be "
        "added to each row so that W₂ = 0 gives the weights π?",
        "log π is added to the logits, then each row is normalised: subtract its log-sum-exp. "
        "`scipy.special` has `logsumexp` and `log_softmax`.",
        "return log_softmax(log_weights + np.tanh(x @ hidden_weights) @ output_weights, axis=1)",
    ),
    time_limit=10.0,  # JAX compiles each operation for each shape
)
