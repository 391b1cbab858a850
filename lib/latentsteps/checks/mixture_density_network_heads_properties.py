"""What exercise 5.4 of unit 05 holds an answer to: weights, means and scales of a mixture, made of
a network's outputs (N, 3K) in blocks of columns, logits, means and raw scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from latentsteps.checks.display import number
from latentsteps.checks.exercise import Failure, Property

Heads = tuple[NDArray, NDArray, NDArray]
"""Weights, means and scales, (N, K) each."""

SMALLEST = 1e-3
"""What no scale may be below."""
REACH = 10.0
"""Raw values from −REACH to REACH have to give scales that really grow."""


def _in_order(call: Callable, args: tuple, result: Heads) -> Failure | None:
    logits, middle, _ = np.split(args[0], 3, axis=1)
    order = "The order is weights, means, scales."
    for place, name in ((0, "first"), (2, "last")):
        if np.allclose(result[place], middle):
            words = f"What you return {name} is the outputs' middle block: these are the means."
            return Failure(f"{words} {order}")
    weights_last = np.allclose(result[2], softmax(logits, axis=1))
    if weights_last and not np.allclose(result[0].sum(axis=1), 1):
        return Failure(f"What you return last are the weights. {order}")
    return None


def _not_negative(call: Callable, args: tuple, result: Heads) -> Failure | None:
    lowest = float(result[0].min())
    return None if lowest >= 0 else Failure("A weight of yours is negative.", lowest)


def _rows_of_one(call: Callable, args: tuple, result: Heads) -> Failure | None:
    for n, total in enumerate(result[0].sum(axis=1)):
        if not abs(total - 1) <= 1e-6:
            words = f"Row {n}: the weights of its components should sum to 1."
            return Failure(words, float(total), 1.0)
    return None


def _none_ruled_out(call: Callable, args: tuple, result: Heads) -> Failure | None:
    right = softmax(args[0][:, : result[0].shape[1]], axis=1)
    if not np.any((right > 1e-12) & (result[0] == 0)):
        return None
    return Failure(
        "A component has the weight 0, though its logit is not that far below the largest: it "
        "could never come back, as no slope is left."
    )


def _ratios(call: Callable, args: tuple, result: Heads) -> Failure | None:
    right = softmax(args[0][:, : result[0].shape[1]], axis=1)
    wrong = ~np.isclose(result[0], right, rtol=1e-5, atol=1e-8)
    if not wrong.any():
        return None
    n, k = (int(i) for i in np.argwhere(wrong)[0])
    return Failure(
        "The logits are the first block of columns, and a logit is the logarithm of a weight but "
        "for a constant: one logit higher by 1, its weight e times as large against the others. "
        f"Weight [{n}, {k}] of yours is another.",
        float(result[0][n, k]),
        float(right[n, k]),
    )


def _not_from(block: int, words: str) -> Callable:
    def holds(call: Callable, args: tuple, result: Heads) -> Failure | None:
        if not np.allclose(result[1], np.split(args[0], 3, axis=1)[block]):
            return None
        return Failure(f"Your means are the {words} block of columns; they should be the middle.")

    return holds


def _means_as_they_are(call: Callable, args: tuple, result: Heads) -> Failure | None:
    middle = np.split(args[0], 3, axis=1)[1]
    wrong = ~np.isclose(result[1], middle, rtol=1e-5, atol=1e-8)
    if not wrong.any():
        return None
    n, k = (int(i) for i in np.argwhere(wrong)[0])
    return Failure(
        "Means are columns K to 2K − 1 as they are: a mean may be any number. Entry "
        f"[{n}, {k}] of your means is another.",
        float(result[1][n, k]),
        float(middle[n, k]),
    )


def _positive(call: Callable, args: tuple, result: Heads) -> Failure | None:
    lowest = float(result[2].min())
    return None if lowest > 0 else Failure("A scale has to be positive. One of yours:", lowest)


def _not_too_small(call: Callable, args: tuple, result: Heads) -> Failure | None:
    lowest = float(result[2].min())
    if lowest >= SMALLEST * (1 - 1e-6):
        return None
    return Failure("A scale should never be below .001. One of yours:", lowest)


def _from_its_own_output(call: Callable, args: tuple, result: Heads) -> Failure | None:
    outputs = args[0]
    k = outputs.shape[1] // 3
    changed = np.concatenate([outputs[:, k - 1 :: -1] + 0.5, outputs[:, k:] - 0.3], axis=1)
    changed[:, -1] = outputs[:, -1]
    again = call(changed)[2]
    if np.allclose(again[:, -1], result[2][:, -1], rtol=1e-5):
        return None
    return Failure(
        "All outputs were changed but the last column, which is the raw scale of the last "
        "component. The scale of that component changed."
    )


def _on_a_line(call: Callable, outputs: NDArray) -> tuple[NDArray, NDArray]:
    """Raw values up to the case's own size, REACH at the most, and the scale of each."""
    k = outputs.shape[1] // 3
    reach = min(REACH, float(np.abs(outputs[:, 2 * k :]).max()))
    raw = np.linspace(-reach, reach, 41)
    table = np.repeat(outputs[:1], len(raw), axis=0)
    table[:, 2 * k :] = raw[:, None]
    return raw, call(table)[2][:, -1]


def _never_fall(call: Callable, args: tuple, result: Heads) -> Failure | None:
    raw, scales = _on_a_line(call, args[0])
    rises = np.diff(scales)
    if not np.any(rises < -1e-12):
        return None
    i = int(rises.argmin())
    return Failure(
        f"A scale should be larger for a larger raw value. From raw {number(raw[i])} to "
        f"{number(raw[i + 1])} yours falls.",
        float(scales[i + 1]),
        float(scales[i]),
        ("to", "from"),
    )


def _nowhere_flat(call: Callable, args: tuple, result: Heads) -> Failure | None:
    raw, scales = _on_a_line(call, args[0])
    flat = np.diff(scales) <= 0
    if not flat.any():
        return None
    i = int(flat.argmax())
    return Failure(
        f"For the raw values {number(raw[i])} and {number(raw[i + 1])} you give the same scale. "
        "Where a scale does not change, its gradient is exactly 0, and a network that got there "
        "never comes back. Between −10 and 10 it should grow everywhere.",
        float(scales[i]),
    )


def _rows_apart(call: Callable, args: tuple, result: Heads) -> Failure | None:
    for n in range(len(args[0])):
        alone = call(args[0][n : n + 1])
        if not all(np.allclose(a[0], r[n], rtol=1e-5) for a, r in zip(alone, result, strict=True)):
            return Failure(f"Row {n} alone gives something else than row {n} among the others.")
    return None


PROPERTIES = (
    Property("they come back as weights, means, scales", _in_order),
    Property("no weight is negative", _not_negative),
    Property("the weights of a row sum to 1", _rows_of_one),
    Property("no weight is 0 that need not be", _none_ruled_out),
    Property("the means are not the first block", _not_from(0, "first")),
    Property("the means are not the last block", _not_from(2, "last")),
    Property("the weights are as the logits say", _ratios),
    Property("the means are the middle block", _means_as_they_are),
    Property("scales are positive", _positive),
    Property("no scale is below .001", _not_too_small),
    Property("a scale depends on its own raw value alone", _from_its_own_output),
    Property("scales never fall as raw values grow", _never_fall),
    Property("scales grow between raw −10 and 10", _nowhere_flat),
    Property("a row does not depend on the others", _rows_apart),
)
