"""Check of unit 02, exercise 2.2: the responsibilities, by Bayes' rule.

Points and parameters as in :mod:`latentsteps.checks.em_derivation_joint`; see Bishop (2006),
equation 9.23.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from latentsteps.checks.em_derivation_joint import (
    SIX_MEANS,
    SIX_POINTS,
    SIX_VARIANCES,
    SIX_WEIGHTS,
    log_joint_of,
    posterior_of,
    some_mixture,
)
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property


def _rows_are_shares(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if np.any(result < -1e-9):
        n, k = (int(i) for i in np.argwhere(result < -1e-9)[0])
        return Failure(f"Point {n} gives component {k} a negative share.", float(result[n, k]))
    totals = result.sum(axis=1)
    wrong = np.abs(totals - 1) > 1e-5
    if not wrong.any():
        return None
    n = int(wrong.argmax())
    return Failure(
        f"Point {n} shares itself out among the components: its row sums to 1.",
        float(totals[n]),
        1.0,
    )


def _bayes(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    x, weights, means, variances = args
    for n, point in enumerate(x):
        joint = [
            weight
            * math.exp(-((point - mean) ** 2) / (2 * variance))
            / math.sqrt(math.tau * variance)
            for weight, mean, variance in zip(weights, means, variances, strict=True)
        ]
        evidence = sum(joint)
        if evidence < 1e-250:  # too far away for plain probabilities: the reference's numbers count
            continue
        for k, p in enumerate(joint):
            if abs(result[n, k] - p / evidence) > 1e-5:
                return Failure(
                    f"By Bayes' rule, done with plain numbers, the share of component {k} in point "
                    f"{n} is p(x, {k}) divided by the sum of all p(x, k).",
                    float(result[n, k]),
                    p / evidence,
                )
    return None


def _exp_joint(x: NDArray, weights: NDArray, means: NDArray, variances: NDArray) -> NDArray:
    return np.exp(log_joint_of(x, weights, means, variances))


def _one_maximum(x: NDArray, weights: NDArray, means: NDArray, variances: NDArray) -> NDArray:
    log_p = log_joint_of(x, weights, means, variances)
    p = np.exp(log_p - log_p.max())
    return p / p.sum(axis=1, keepdims=True)


def _a_small_number(x: NDArray, weights: NDArray, means: NDArray, variances: NDArray) -> NDArray:
    p = _exp_joint(x, weights, means, variances)
    return p / (p.sum(axis=1, keepdims=True) + 1e-300)


def _underflow_made_even(
    x: NDArray, weights: NDArray, means: NDArray, variances: NDArray
) -> NDArray:
    p = _exp_joint(x, weights, means, variances)
    p[p.sum(axis=1) == 0] = 1.0
    return p / p.sum(axis=1, keepdims=True)


def _by_row_maximum(
    x: NDArray, weights: NDArray, means: NDArray, variances: NDArray,
    *, keep_maximum: bool, keep_sum: bool,
) -> NDArray:  # fmt: skip
    log_p = log_joint_of(x, weights, means, variances)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=keep_maximum))
    return p / p.sum(axis=1, keepdims=keep_sum)


def _keep_the_axis(what: str) -> str:
    return (
        f"{what} of rows have the shape (N,), and NumPy lays them along the *columns*, without a "
        "word where N is K. Keep the axis: `keepdims=True`."
    )


def _shares_of(log_p: NDArray) -> NDArray:
    return softmax(log_p, axis=1)


responsibilities = Exercise(
    number="2.2",
    name="responsibilities",
    reference=lambda x, weights, means, variances: posterior_of(x, weights, means, variances),
    cases=(
        Case(
            "one point, halfway between two components",
            (np.array([1.0]), np.array([0.25, 0.75]), np.array([0.0, 2.0]), np.array([1.0, 1.0])),
        ),
        Case(
            "two points, two components",
            (np.array([0.0, 1.0]), np.array([0.5, 0.5]), np.array([0.0, 2.0]), np.array([1, 4.0])),
        ),
        Case("six points, two components", (SIX_POINTS, SIX_WEIGHTS, SIX_MEANS, SIX_VARIANCES)),
        Case(
            "a point far away, x = 1000, and σ = 0.1",
            (np.array([1000.0]), np.array([0.5, 0.5]), np.array([0.0, 1.0]), np.full(2, 0.01)),
        ),
        Case(
            "a far point and a near one, components that differ in weight only",
            (np.array([-1000.0, 0.1]), np.array([0.2, 0.8]), np.zeros(2), np.full(2, 0.01)),
        ),
        Case("twelve points, four components", some_mixture(12, 4)),
    ),
    properties=(
        Property("each row is made of shares and sums to 1", _rows_are_shares),
        Property("it is Bayes' rule, by brute force", _bayes),
    ),
    misconceptions=(
        Misconception(
            "not normalised",
            _exp_joint,
            "This is the joint probability p(x, k). Divide each row by its sum, which is p(x): "
            "what is left is p(k given x).",
        ),
        Misconception(
            "divided by p(k)",
            lambda x, weights, means, variances: _exp_joint(x, weights, means, variances) / weights,
            "p(x, k) divided by p(k) is p(x given k), how probable the point is in that component. "
            "Asked is p(k given x): divide by p(x), the sum over k.",
        ),
        Misconception(
            "posterior in the numerator",
            lambda x, weights, means, variances: (
                posterior_of(x, weights, means, variances)
                / _exp_joint(x, weights, means, variances).sum(axis=1, keepdims=True)
            ),
            "Your numerator is the posterior p(k given x) already, and then p(x) divides once "
            "more. In the numerator stands the joint probability p(x, k).",
        ),
        Misconception(
            "no weights",
            lambda x, weights, means, variances: posterior_of(
                x, np.ones_like(weights), means, variances
            ),
            "You leave the weights out, as if all components were equally common. A rare one needs "
            "stronger evidence: p(x, k) = π_k p(x given k).",
        ),
        Misconception(
            "no weights in the numerator",
            lambda x, weights, means, variances: (
                posterior_of(x, weights, means, variances) / weights
            ),
            "Your denominator has the weights and your numerator has not, so the shares do not sum "
            "to 1. The numerator is one of the terms of the sum below it.",
        ),
        Misconception(
            "no widths",
            lambda x, weights, means, variances: _shares_of(
                np.log(weights) - (x[:, None] - means) ** 2 / (2 * variances)
            ),
            "The factors 1/σ_k are missing. They differ from component to component, so they do "
            "not cancel: at equal distance in σ the narrow component has the higher density.",
        ),
        Misconception(
            "down the columns",
            lambda x, weights, means, variances: softmax(
                log_joint_of(x, weights, means, variances), axis=0
            ),
            "You made the columns sum to 1, so that the components share out the points' mass. "
            "Each *point* shares itself out: sum over k, along the row, with `axis=1`.",
        ),
        Misconception(
            "over everything",
            lambda x, weights, means, variances: (
                _exp_joint(x, weights, means, variances)
                / _exp_joint(x, weights, means, variances).sum()
            ),
            "You divide by the sum of the whole table. Each point has a sum of its own, p(x_n): "
            "`.sum(axis=1, keepdims=True)`.",
        ),
        Misconception(
            "exponent first",
            lambda x, weights, means, variances: (
                _exp_joint(x, weights, means, variances)
                / _exp_joint(x, weights, means, variances).sum(axis=1, keepdims=True)
            ),
            "This is Bayes' rule, and right on paper. For a far point every exponential is 0 in "
            "the computer, and 0/0 is not a number. Take the row's largest log p out before you "
            "exponentiate: it cancels in the ratio.",
        ),
        Misconception(
            "one maximum for all rows",
            _one_maximum,
            "You take the largest entry of the whole table out. In a row that lies far below it "
            "every exponential is 0 all the same: take out each row's own largest entry.",
        ),
        Misconception(
            "a small number in the denominator",
            _a_small_number,
            "The row of a far point is all zeros now. A tiny number below, or a NaN made 0, hides "
            "the division 0/0 and leaves a point that belongs nowhere. Take each row's largest "
            "log p out before you exponentiate: then nothing has to be hidden.",
        ),
        Misconception(
            "underflow made even",
            _underflow_made_even,
            "Where all densities have become 0 you share the point evenly. It is not undecided: "
            "the ratios are still there in the logarithms. Take each row's largest log p out "
            "before you exponentiate.",
        ),
        # Five ways to leave it out: all raise where N is not K, and give other numbers where it is.
        Misconception(
            "keepdims forgotten",
            lambda x, weights, means, variances: (
                _exp_joint(x, weights, means, variances)
                / _exp_joint(x, weights, means, variances).sum(axis=1)
            ),
            f"{_keep_the_axis('Sums')} (Then mind a far point: its sum is 0 in the computer.)",
        ),
        Misconception(
            "keepdims forgotten in logarithms",
            lambda x, weights, means, variances: np.exp(
                log_joint_of(x, weights, means, variances)
                - logsumexp(log_joint_of(x, weights, means, variances), axis=1)
            ),
            f"{_keep_the_axis('Sums')} `logsumexp` takes it as well.",
        ),
        Misconception(
            "keepdims forgotten in the sum",
            lambda *args: _by_row_maximum(*args, keep_maximum=True, keep_sum=False),
            f"{_keep_the_axis('Sums')} You have it in the maximum, and the sum needs it too.",
        ),
        Misconception(
            "keepdims forgotten in the maximum",
            lambda *args: _by_row_maximum(*args, keep_maximum=False, keep_sum=True),
            f"{_keep_the_axis('Maxima')} You have it in the sum.",
        ),
        Misconception(
            "keepdims forgotten twice",
            lambda *args: _by_row_maximum(*args, keep_maximum=False, keep_sum=False),
            f"{_keep_the_axis('Maxima and sums')} Both need it.",
        ),
        Misconception(
            "logarithms divided",
            lambda x, weights, means, variances: (
                log_joint_of(x, weights, means, variances)
                / log_joint_of(x, weights, means, variances).sum(axis=1, keepdims=True)
            ),
            "You divide logarithms by their sum. It is probabilities that are divided, and in logs "
            "a division is a difference: log p(x, k) − log Σ_j p(x, j), and then exp.",
        ),
        Misconception(
            "the logarithm kept",
            lambda x, weights, means, variances: np.log(posterior_of(x, weights, means, variances)),
            "These are logarithms of responsibilities. One `np.exp` more and they are shares.",
        ),
        Misconception(
            "the winner takes all",
            lambda x, weights, means, variances: np.eye(len(weights))[
                log_joint_of(x, weights, means, variances).argmax(axis=1)
            ],
            "You give each point to its best component. That is the hard assignment of "
            "classification EM; here the shares are asked for, between 0 and 1.",
        ),
        Misconception(
            "transposed",
            lambda x, weights, means, variances: posterior_of(x, weights, means, variances).T,
            "Rows and columns are swapped: a row for each point, a column for each component.",
        ),
    ),
    hints=(
        "p(k given x) = p(x, k) / p(x), and p(x) is the sum of p(x, k) over k. You have log p(x, k)"
        " from the exercise before.",
        "A number that is taken from all entries of a row before `exp` cancels in the ratio. Which "
        "one keeps `exp` in range? The row's largest.",
        "log_p = log_joint(x, weights, means, variances); p = np.exp(log_p - log_p.max(axis=1, "
        "keepdims=True)); then p / p.sum(axis=1, keepdims=True)",
    ),
)
