"""Whether gradients flow back through a learner's function of torch tensors.

Values alone do not tell: a sample that was detached has the right numbers, and nothing behind it
learns. So the gradient that torch gives is held against how the values themselves move.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentsteps.checks.findings import GRADIENT, Finding
from latentsteps.checks.reading import in_torch
from latentsteps.checks.running import Protected, Seen, raised
from latentsteps.checks.task import Failure

STEP = 1e-5
"""Of the differences. Their error is of the order of STEP², and of 1e-16 / STEP by rounding."""

CUT = (
    "What cuts it: `detach`, `.data`, `.item()`, `torch.no_grad`, `torch.tensor(…)` of numbers "
    "that were tensors, NumPy; and among samplers `torch.normal` and a distribution's `sample`."
)

COARSE = (
    "float64 tensors came in and {} came out, which is too coarse for a look at the gradient. "
    "Keep the type: no `.float()`, and where you make a tensor of your own, dtype=… of one that "
    "was handed over."
)


def slopes(protected: Protected, args: tuple, wanted: Mapping[str, int]) -> Seen:
    """The gradient of a weighted sum of what a function returns, in each of some arguments.

    Parameters
    ----------
    wanted: the arguments' names and places; floating-point arrays.

    Returns
    -------
    A :class:`Seen` of kind ``"value"`` with a tuple of arrays of the arguments' shapes, and a
    sentence where they are coarser than the arguments, which are float64; of kind
    ``"unlike"`` with a sentence where a gradient is missing; or how the call ended.
    """

    def work() -> Seen:
        given = list(in_torch(args))
        starts = [given[i].requires_grad_() for i in wanted.values()]
        for i, start in zip(wanted.values(), starts, strict=True):
            given[i] = start.clone()  # what is written into is another finding's
        try:
            value = protected.function(*given)
            if not value.requires_grad:
                names = " or ".join(f"`{name}`" for name in wanted)
                sentence = f"No gradient flows back from what you return to {names}. {CUT}"
                return Seen("unlike", sentence=sentence)
            fine = {start.dtype for start in starts} == {torch.float64}
            kept = not fine or value.dtype == torch.float64
            coarse = "" if kept else COARSE.format(str(value.dtype).removeprefix("torch."))
            weights = torch.from_numpy(_weights(tuple(value.shape))).to(value.dtype)
            found = torch.autograd.grad(value, starts, weights, allow_unused=True)
        except (Exception, SystemExit) as error:
            return raised(error)
        for name, gradient in zip(wanted, found, strict=True):
            if gradient is None:
                sentence = f"No gradient flows back from what you return to `{name}`. {CUT}"
                return Seen("unlike", sentence=sentence)
        return Seen("value", tuple(np.array(each.numpy()) for each in found), coarse)

    return protected.guarded(work)


def not_the_slope(
    protected: Protected, args: tuple, like: Any, wanted: Mapping[str, int]
) -> Finding | None:
    """What is wrong with the gradients, or None.

    Each argument is moved by :data:`STEP` to both sides, in one random direction: the difference
    of the weighted sum of what is returned has to be torch's gradient in that direction.
    """
    seen = slopes(protected, args, wanted)
    if seen.kind != "value" or seen.sentence:
        sentence = seen.sentence
        if seen.kind == "raised":
            sentence = f"With gradients asked for: {sentence}"
            # torch's own advice is to detach, and that would cut the gradient.
            sentence += " Use torch's functions alone." if "numpy()" in sentence else ""
        return Finding(GRADIENT, Failure(sentence), seen.where, seen)
    weights = _weights(np.shape(like))
    for (name, i), gradient in zip(wanted.items(), seen.value, strict=True):
        if not np.isfinite(gradient).all():
            sentence = f"torch's gradient in `{name}` is not finite, though what you return is."
            return Finding(GRADIENT, Failure(f"{sentence} One step with it would end a training."))
        direction = np.random.default_rng(i).normal(size=args[i].shape)
        sums = []
        for step in (STEP, -STEP):
            moved = (*args[:i], args[i] + step * direction, *args[i + 1 :])
            there = protected.see(moved, like)
            if there.kind != "value" or np.shape(there.value) != np.shape(like):
                sentence = f"With `{name}` moved by a hair: {there.sentence or 'nothing usable.'}"
                return Finding(GRADIENT, Failure(sentence), there.where, there)
            sums.append(float((weights * there.value).sum()))
        moves = (sums[0] - sums[1]) / (2 * STEP)
        parts = gradient * direction
        if not abs(moves - parts.sum()) <= 1e-4 * max(1.0, float(np.abs(parts).sum())):
            return Finding(
                GRADIENT,
                Failure(
                    f"`{name}` was moved a little, and a weighted sum of what you return moves "
                    f"with it. By torch's gradient it would move otherwise: something between is "
                    f"cut off. {CUT}",
                    float(parts.sum()),
                    moves,
                    ("by the gradient", "it moves by"),
                ),
            )
    return None


def _weights(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Fixed weights, all different: sums that cannot move, a row of shares say, hide nothing."""
    return np.asarray(np.random.default_rng(0).uniform(0.5, 1.5, size=shape))
