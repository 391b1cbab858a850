"""Check of unit 05, exercise 5.4: from a network's outputs to weights, means and scales.

Bishop (2006), *Pattern Recognition and Machine Learning*, section 5.6, equations 5.150 to 5.152;
there scales are exponentials. Here any growing function will do that is finite and never below
:data:`SMALLEST`, so numbers are not compared: properties decide.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from latentsteps.checks.exercise import Case, Exercise, Misconception
from latentsteps.checks.mixture_density_network_heads_properties import (
    PROPERTIES,
    SMALLEST,
    Heads,
)

# 5.4 · The heads


def _softplus(raw: NDArray) -> NDArray:
    return np.logaddexp(0, raw)  # log(1 + eʳ), without overflow


def _heads(outputs: NDArray) -> Heads:
    logits, means, raw = np.split(outputs, 3, axis=1)
    return softmax(logits, axis=1), means, SMALLEST + _softplus(raw)


def _with(
    weights: Callable[[NDArray], NDArray] = lambda logits: softmax(logits, axis=1),
    scales: Callable[[NDArray], NDArray] = lambda raw: SMALLEST + _softplus(raw),
    means: Callable[[NDArray], NDArray] = lambda middle: middle,
) -> Callable[[NDArray], Heads]:
    """The right heads, with other weights, scales or means."""

    def answer(outputs: NDArray) -> Heads:
        logits, middle, raw = np.split(outputs, 3, axis=1)
        return weights(logits), means(middle), scales(raw)

    return answer


def _exp_share(logits: NDArray, largest: NDArray | float = 0.0) -> NDArray:
    powers = np.exp(logits - largest)
    return powers / powers.sum(axis=1, keepdims=True)


def _hard(logits: NDArray) -> NDArray:
    return np.eye(logits.shape[1])[logits.argmax(axis=1)]


def _softmax_of_all(outputs: NDArray) -> Heads:
    k = outputs.shape[1] // 3
    return softmax(outputs, axis=1)[:, :k], *_heads(outputs)[1:]


def _three(outputs: NDArray) -> Heads:
    raw = outputs[:, 6:9]
    return softmax(outputs[:, :3], axis=1), outputs[:, 3:6], SMALLEST + _softplus(raw)


def _in_threes(outputs: NDArray) -> Heads:
    each = outputs.reshape(len(outputs), -1, 3)
    return _with()(np.concatenate([each[:, :, i] for i in range(3)], axis=1))


def _blocks(first: int, second: int, third: int) -> Callable[[NDArray], Heads]:
    """Logits, means and raw scales from other blocks of columns."""

    def answer(outputs: NDArray) -> Heads:
        blocks = np.split(outputs, 3, axis=1)
        return _heads(np.concatenate([blocks[first], blocks[second], blocks[third]], axis=1))

    return answer


_random = np.random.default_rng(54)

heads = Exercise(
    number="5.4",
    name="heads",
    reference=_heads,
    compare=False,
    time_limit=10.0,  # JAX compiles for every new shape
    cases=(
        Case("one row, K = 1", (np.array([[0.5, 2.0, -1.0]]),)),
        Case("one row, K = 2", (np.array([[-1.0, 0.5, 5.0, -2.0, 1.0, 0.5]]),)),
        Case("two rows, K = 2", (_random.normal(scale=2.0, size=(2, 6)).round(1) + 0.05,)),
        Case("one row, K = 3", (np.array([[0.5, -1.0, 1.5, 2.0, 0.3, -2.0, -1.0, 0.4, 1.2]]),)),
        Case("raw scales of −10 and 10", (np.array([[0.0, 1.0, 3.0, -3.0, -10.0, 10.0]]),)),
        Case("logits of 1000 and 999", (np.array([[1000.0, 999.0, 0.0, 1.0, 0.5, 1.5]]),)),
        Case(
            "logits near 1000 in one row, near −1000 in the other",
            (np.array([[1000.0, 999.0, 0.0, 1.0, 0.5, 1.5], [-999, -1000, 2, 3, 1, 2]]),),
        ),
        Case("a raw scale of −1000", (np.array([[0.0, 1.0, 3.0, -3.0, -1000.0, 1.0]]),)),
        Case("a raw scale of 1000", (np.array([[0.0, 1.0, 3.0, -3.0, 1000.0, 1.0]]),)),
        Case("five rows, K = 4", (_random.normal(scale=3.0, size=(5, 12)).round(1) + 0.05,)),
    ),
    properties=PROPERTIES,
    misconceptions=(
        Misconception(
            "row axis lost",
            lambda outputs: tuple(part[0] for part in _heads(outputs)),
            "Keep an axis of rows: each part is (N, K), also for N = 1.",
        ),
        Misconception(
            "raw scales",
            _with(scales=lambda raw: raw),
            "Your scales are negative where the raw values are: passed on as they are, or through "
            "a leaky unit. A scale may not be: send it through a function that is positive "
            "everywhere.",
        ),
        Misconception(
            "ReLU",
            _with(scales=lambda raw: np.maximum(raw, 0)),
            "A ReLU gives exactly 0 for every negative raw value, and a scale of 0 has no density. "
            "Its slope is 0 there too, so nothing brings it back. Take softplus, log(1 + eʳ).",
        ),
        Misconception(
            "ReLU and a floor",
            _with(scales=lambda raw: SMALLEST + np.maximum(raw, 0)),
            "Positive, but the same scale for every negative raw value: exactly 0 slope kills it, "
            "no gradient ever brings such a scale back. Take softplus, log(1 + eʳ), which grows "
            "everywhere, and add .001.",
        ),
        Misconception(
            "absolute value or square",
            _with(scales=lambda raw: SMALLEST + np.abs(raw)),
            "An absolute value or a square falls before it grows: two raw values give one scale, "
            "and between them lies a kink or a flat place. Take a function that grows everywhere.",
        ),
        Misconception(
            "no floor, and overflow",
            _with(scales=np.exp),
            "Two things: for very negative raw values the scale goes to 0, and for 1000 the "
            "exponential is too large for the computer. Take softplus, `np.logaddexp(0, raw)`, "
            "and add .001.",
        ),
        Misconception(
            "overflow",
            _with(scales=lambda raw: SMALLEST + np.log1p(np.exp(raw))),
            "exp(1000) is too large for the computer, and your scale infinite. If you meant "
            "softplus, log(1 + eʳ): `np.logaddexp(0, raw)` is that without overflow.",
        ),
        Misconception(
            "no floor",
            _with(scales=_softplus),
            "Positive on paper. But for a very negative raw value it is as good as 0, and in the "
            "computer exactly 0: a density without bound. Add .001.",
        ),
        Misconception(
            "no floor, half a logarithm",
            _with(scales=lambda raw: np.exp(0.5 * raw)),
            "You take the raw value for a log variance, which is as good as any. But exp(−500) is "
            "all but 0: add .001.",
        ),
        Misconception(
            "a floor too low",
            _with(scales=lambda raw: 1e-6 + _softplus(raw)),
            "There is a floor, but below .001. A component that shrinks onto a single point gains "
            "without end: how far it may go is what the floor says.",
        ),
        Misconception(
            "clipped",
            _with(scales=lambda raw: np.maximum(_softplus(raw), SMALLEST)),
            "Clipping makes the scale constant beyond the limits, and where it is constant its "
            "gradient is 0. Add .001 to a function that is positive by itself, in place of cutting "
            "it off.",
        ),
        Misconception(
            "clipped, and overflow",
            _with(scales=lambda raw: np.maximum(np.exp(raw), SMALLEST)),
            "Cut off at .001 the scale is constant below, and its gradient 0; and exp(1000) is too "
            "large for the computer. Take softplus, `np.logaddexp(0, raw)`, and *add* .001.",
        ),
        Misconception(
            "precision",
            _with(scales=lambda raw: SMALLEST + np.exp(-raw)),
            "Yours gets smaller as the raw value grows, as for a precision. A scale should grow "
            "with it.",
        ),
        Misconception(
            "softmax of the scales",
            _with(scales=lambda raw: SMALLEST + softmax(raw, axis=1)),
            "Your scales share one unit among them. Only weights do that: each scale depends on "
            "its own raw value alone.",
        ),
        Misconception(
            "logits for weights",
            _with(weights=lambda logits: logits),
            "You pass the logits on. Weights are positive and sum to 1 in each row: softmax.",
        ),
        Misconception(
            "logarithms of weights",
            _with(weights=lambda logits: log_softmax(logits, axis=1)),
            "These are the logarithms of the weights. Useful later; here the weights are asked "
            "for.",
        ),
        Misconception(
            "softmax over the batch",
            _with(weights=lambda logits: softmax(logits, axis=0)),
            "Your softmax runs down the rows, so inputs compete with each other. Components "
            "compete, within each row: axis=1.",
        ),
        Misconception(
            "softmax over everything",
            _with(weights=lambda logits: softmax(logits)),
            "Without an axis all rows together sum to 1. Each row has a mixture of its own: "
            "axis=1.",
        ),
        Misconception(
            "softmax of all outputs",
            _softmax_of_all,
            "Your softmax runs over all 3K columns, and means and scales take part in it. The "
            "logits are the first K alone.",
        ),
        Misconception(
            "not divided by the sum",
            _with(weights=np.exp),
            "exp of a logit is a weight but for a constant: divide by the row's sum.",
        ),
        Misconception(
            "sigmoid",
            _with(weights=expit),
            "A sigmoid makes each weight on its own, between 0 and 1. Together they have to sum to "
            "1: softmax.",
        ),
        Misconception(
            "another way to sum to one",
            _with(weights=lambda logits: np.abs(logits) / np.abs(logits).sum(axis=1)[:, None]),
            "They sum to 1, but these are not logits any more: a very negative logit should mean a "
            "small weight. exp first, then divide by the row's sum.",
        ),
        Misconception(
            "hard",
            _with(weights=_hard),
            "You give everything to the largest logit. That is a choice, not a mixture, and has no "
            "slope: softmax shares.",
        ),
        Misconception(
            "exponential of 1000",
            _with(weights=_exp_share),
            "Right on paper. exp(1000) is too large for the computer, and exp(−1000) is 0. Take "
            "the row's largest logit off first, or use `scipy.special.softmax`.",
        ),
        Misconception(
            "largest of all",
            _with(weights=lambda logits: _exp_share(logits, logits.max())),
            "You take off the largest logit of the whole batch. A row far below it becomes 0/0: "
            "take off each row's own largest, logits.max(axis=1, keepdims=True).",
        ),
        Misconception(
            "means last",
            _blocks(0, 2, 1),
            "You take the last block for the means and the middle one for the scales. The columns "
            "are K logits, K means, K raw scales.",
        ),
        Misconception(
            "means first",
            _blocks(1, 0, 2),
            "You take the first block for the means. The columns are K logits, K means, K raw "
            "scales.",
        ),
        Misconception(
            "in threes",
            _in_threes,
            "You read the columns in threes, one component after the other. They are in blocks: K "
            "logits, then K means, then K raw scales. `np.split(outputs, 3, axis=1)` parts them.",
        ),
        Misconception(
            "bounded means",
            _with(means=np.tanh),
            "Your means went through a function. A mean may be any number: pass the middle block "
            "on as it is.",
        ),
        Misconception(
            "returned in another order",
            lambda outputs: tuple(_heads(outputs)[i] for i in (0, 2, 1)),
            "You return them in another order: weights, means, scales.",
        ),
        Misconception(
            "always three components",
            _three,
            "You take K for 3. It is a third of the number of columns, outputs.shape[1] // 3, "
            "whatever that is.",
        ),
    ),
    hints=(
        "`np.split(outputs, 3, axis=1)` gives the three blocks. Which of them may stay as they "
        "are, and what must hold of the other two?",
        "Weights by softmax within each row, taking its largest logit off first. For scales a "
        "function that is positive, grows everywhere and overflows nowhere.",
        "softmax(logits, axis=1), means, .001 + np.logaddexp(0, raw): softplus is log(1 + eʳ), "
        "which is log(e⁰ + eʳ).",
    ),
)
