"""Check of unit 05, exercise 5.6: one mixture for all outputs together.

Bishop (2006), *Pattern Recognition and Machine Learning*, section 5.6, equation 5.148, with a scale
for each output: within a component outputs are independent, and all of them share the component.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.mixture_density_network_density import mixture_of
from latentsteps.checks.task import AFTER_BEFORE

# 5.6 · The joint log density


def _each(y: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    """Log density of each component at its row's y, output by output, (N, K, D)."""
    z = (y[:, None, :] - means) / scales
    return -0.5 * z**2 - np.log(scales) - 0.5 * np.log(2 * np.pi)


def _joint(y: NDArray, weights: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    within = _each(y, means, scales).sum(axis=2)
    return logsumexp(within, b=weights, axis=1)


def _near(a: NDArray | float, b: NDArray | float) -> bool:
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-5))


# The properties ask about first rows, and in few shapes: JAX compiles for every new one.


def _one_output(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    y, weights, means, scales = (each[:1] for each in args)
    for d in range(min(y.shape[1], 2)):
        alone = y[:, d : d + 1], weights, means[:, :, d : d + 1], scales[:, :, d : d + 1]
        got = float(np.asarray(call(*alone))[0])
        expected = float(mixture_of(y[:, d], weights, means[:, :, d], scales[:, :, d])[0])
        if not _near(got, expected):
            words = (
                f"With row 0 and output {d} alone, D = 1, it should be the mixture's log density"
            )
            return Failure(f"{words} of 5.5.", got, expected)
    return None


def _ghosts(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if args[0].shape[1] != 2:
        return None
    means, ghost = np.array([[[-4.0, -4.0], [4.0, 4.0]]]), np.array([[-4.0, 4.0]])
    weights, scales = np.array([[0.5, 0.5]]), np.ones((1, 2, 2))
    got = float(np.asarray(call(ghost, weights, means, scales))[0])
    expected = float(_joint(ghost, weights, means, scales)[0])
    if abs(got - expected) < 1e-4 * abs(expected):
        return None
    return Failure(
        "Two components stand at (−4, −4) and at (4, 4). At (−4, 4) there is none: a ghost. Your "
        "log density there:",
        got,
        expected,
    )


def _integrates_to_one(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    _, weights, means, scales = args
    if means.shape != (1, 2, 2):
        return None
    low, high = (means[0] - 5.5 * scales[0]).min(axis=0), (means[0] + 5.5 * scales[0]).max(axis=0)
    axes = np.linspace(low, high, 31)
    grid = np.stack(np.meshgrid(*axes.T, indexing="ij"), axis=-1).reshape(-1, 2)
    rows = [np.repeat(each[:1], len(grid), axis=0) for each in (weights, means, scales)]
    heights = np.exp(np.asarray(call(grid, *rows)))
    total = float(heights.sum() * np.prod(axes[1] - axes[0]))
    if abs(total - 1) < 1e-4:
        return None
    return Failure(
        "A density integrates to 1 over the plane. With these weights, means and scales the "
        " exponential of your result, added up over a fine grid, gives another number.",
        total,
        1.0,
    )


def _one_component(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    y, means, scales = args[0][:1], args[2][:1, :1], args[3][:1, :1]
    got = float(np.asarray(call(y, np.ones((1, 1)), means, scales))[0])
    expected = float(_each(y, means, scales).sum())
    if _near(got, expected):
        return None
    return Failure(
        "With row 0 and the first component alone, K = 1, the outputs are independent, and the log "
        "densities of all D of them add up.",
        got,
        expected,
    )


def _names_do_not_matter(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    y, weights, means, scales = args
    turned = weights[:, ::-1].copy(), means[:, ::-1].copy(), scales[:, ::-1].copy()
    flipped = y[:, ::-1].copy(), weights, means[:, :, ::-1].copy(), scales[:, :, ::-1].copy()
    for changed, what in (((y, *turned), "components"), (flipped, "outputs")):
        again = np.asarray(call(*changed))
        if not _near(again, result):
            n = int((~np.isclose(again, result, rtol=1e-5, atol=1e-5)).argmax())
            words = f"The {what} were put in the opposite order. Row {n} of your result changed."
            return Failure(words, again[n], result[n], AFTER_BEFORE)
    return None


def _of(combine: Callable[[NDArray, NDArray], object]) -> Callable[..., object]:
    """An answer from ``combine(weights, log densities (N, K, D))``."""
    return lambda y, weights, means, scales: combine(weights, _each(y, means, scales))


def _log(weights: NDArray) -> NDArray:
    return np.log(np.maximum(weights, 1e-300))


def _product(weights: NDArray, logs: NDArray) -> NDArray:
    return logsumexp(logs, b=weights[:, :, None], axis=1).sum(axis=1)


def _shifted_all(weights: NDArray, logs: NDArray) -> NDArray:
    within = logs.sum(axis=2)
    top = within.max()
    return top + np.log((weights * np.exp(within - top)).sum(axis=1))


def _heaviest(weights: NDArray, logs: NDArray) -> NDArray:
    within = logs.sum(axis=2)
    return np.take_along_axis(within, weights.argmax(axis=1)[:, None], axis=1)[:, 0]


def _constant_once(weights: NDArray, logs: NDArray) -> NDArray:
    d = logs.shape[2]
    return _of_sum(weights, logs.sum(axis=2) + 0.5 * (d - 1) * np.log(2 * np.pi))


def _of_sum(weights: NDArray, within: NDArray) -> NDArray:
    return logsumexp(within, b=weights, axis=1)


def _unlined(y: NDArray, weights: NDArray, means: NDArray, scales: NDArray) -> NDArray:
    z = (y - means) / scales
    logs = -0.5 * z**2 - np.log(scales) - 0.5 * np.log(2 * np.pi)
    return logsumexp(logs.sum(axis=2), b=weights, axis=1)


_random = np.random.default_rng(56)


def _some(n: int, k: int, d: int) -> tuple[NDArray, ...]:
    return (
        _random.normal(scale=2.0, size=(n, d)).round(2),
        _random.dirichlet(np.ones(k), size=n),
        _random.normal(scale=2.0, size=(n, k, d)).round(2),
        _random.uniform(0.8, 1.5, size=(n, k, d)).round(2),
    )


_TWO = np.array([[[-1.0, -1.0], [1.0, 1.0]]])

joint_log_density = Exercise(
    number="5.6",
    name="joint_log_density",
    reference=_joint,
    single=False,  # JAX compiles for every new shape, and would for each in float32
    time_limit=10.0,
    cases=(
        Case("one row, two components, one output", _some(1, 2, 1)),
        Case(
            "one row, one component, two outputs",
            (np.array([[2.0, 0.0]]), np.ones((1, 1)), np.array([[[1.0, 0.5]]]), _TWO[:, 1:] / 2),
        ),
        Case(
            "one row, two components, two outputs",
            (np.array([[1.0, -0.5]]), np.array([[0.25, 0.75]]), _TWO, 0.4 + 0 * _TWO),
        ),
        Case("two rows, two components, two outputs", _some(2, 2, 2)),
        Case(
            "one row, far from both components",
            (np.array([[60.0, 80.0]]), np.array([[0.5, 0.5]]), _TWO, 0.4 + 0 * _TWO),
        ),
        Case(
            "two rows, one far, the other with a weight of 0",
            (
                np.array([[60.0, 80.0], [1.0, 0.5]]),
                np.array([[0.5, 0.5], [0.0, 1.0]]),
                np.concatenate([_TWO, _TWO]),
                np.full((2, 2, 2), 0.4),
            ),
        ),
        Case("six rows, three components, four outputs", _some(6, 3, 4)),
    ),
    properties=(
        Property("with one output it is the mixture of 5.5", _one_output),
        Property("with one component the outputs are independent", _one_component),
        Property("there are no ghosts between the components", _ghosts),
        Property("its exponential integrates to 1 over the plane", _integrates_to_one),
        Property("the order of components and outputs does not matter", _names_do_not_matter),
    ),
    misconceptions=(
        Misconception(
            "a mixture for each output",
            _of(_product),
            "You sum over the components in each output on its own, so each output chooses its own "
            "component: with two, that makes four modes out of two, and you invented the ghosts. "
            "Add up the *outputs* first, within a component; then sum over components.",
        ),
        Misconception(
            "the best component of each output",
            _of(lambda w, logs: np.max(_log(w)[:, :, None] + logs, axis=1).sum(axis=1)),
            "You take the best component for each output. One component is shared by all outputs, "
            "and all components count.",
        ),
        Misconception(
            "the best component",
            _of(lambda w, logs: np.max(_log(w) + logs.sum(axis=2), axis=1)),
            "You take the largest of the components' shares. The density is their sum: logsumexp.",
        ),
        Misconception(
            "the heaviest component",
            _of(_heaviest),
            "You take the component of the largest weight alone. The others are answers too.",
        ),
        Misconception(
            "a weight for each output",
            _of(lambda w, logs: logsumexp((_log(w)[:, :, None] + logs).sum(axis=2), axis=1)),
            "log π stands inside the sum over outputs, so it comes D times. A row chooses its "
            "component once: add log π after the sum over outputs.",
        ),
        Misconception(
            "no weights",
            _of(lambda w, logs: logsumexp(logs.sum(axis=2), axis=1)),
            "The weights are missing, and the density integrates to K.",
        ),
        Misconception(
            "equal weights",
            _of(lambda w, logs: logsumexp(logs.sum(axis=2), axis=1) - np.log(w.shape[1])),
            "You average the components' densities, each alike. Each counts by its weight.",
        ),
        Misconception(
            "mean of the logarithms",
            _of(lambda w, logs: np.sum(w * logs.sum(axis=2), axis=1)),
            "You average the log densities of the components. A mixture averages *densities*: "
            "logsumexp over components.",
        ),
        Misconception(
            "sum over components and outputs inside",
            _of(lambda w, logs: logsumexp(_log(w)[:, :, None] + logs, axis=(1, 2))),
            "Your logsumexp runs over components and outputs. Outputs belong together, so their "
            "densities are multiplied: add up their logarithms first.",
        ),
        Misconception(
            "averaged over outputs",
            _of(lambda w, logs: _of_sum(w, logs.mean(axis=2))),
            "You average the log densities of the outputs. Within a component the outputs are "
            "independent, so densities multiply and logarithms *add up*.",
        ),
        Misconception(
            "product of mixtures, averaged",
            _of(lambda w, logs: _product(w, logs) / logs.shape[2]),
            "Two things: each output has a mixture of its own, which invents ghosts, and you "
            "average over the outputs. Add up the outputs within a component first.",
        ),
        Misconception(
            "the first output alone",
            _of(lambda w, logs: _of_sum(w, logs[:, :, 0])),
            "Only the first output counts in yours.",
        ),
        Misconception(
            "one scale for all outputs",
            lambda y, w, means, scales: _joint(y, w, means, 0 * scales + scales[:, :, :1]),
            "You take the first output's scale for all of them. `scales` has one for each output.",
        ),
        Misconception(
            "N(0, 1)",
            lambda y, w, means, scales: _joint(y, w, 0 * means, 0 * scales + 1),
            "Every component of yours is N(0, 1), as in the recipe: use `means` and `scales`.",
        ),
        Misconception(
            "the mean prediction",
            lambda y, w, means, scales: _joint(
                y,
                np.ones((len(y), 1)),
                np.sum(w[:, :, None] * means, axis=1)[:, None],
                np.sum(w[:, :, None] * scales, axis=1)[:, None],
            ),
            "You make one normal at the mean prediction. Between two answers there may lie none: "
            "average densities, not means.",
        ),
        Misconception(
            "scale taken for a variance",
            lambda y, w, means, scales: _joint(y, w, means, np.sqrt(scales)),
            "You take a scale for a variance. It is a standard deviation.",
        ),
        Misconception(
            "scale squared in logpdf",
            lambda y, w, means, scales: _joint(y, w, means, scales**2),
            "You hand `norm.logpdf` a variance. Its third argument is the standard deviation: "
            "`scales` as they are.",
        ),
        Misconception(
            "log scale missing",
            lambda y, w, means, scales: _of_sum(
                w, (_each(y, means, scales) + np.log(scales)).sum(axis=2)
            ),
            "−log σ is missing, for each output: a wide component is as high as a narrow one.",
        ),
        Misconception(
            "2π missing",
            _of(lambda w, logs: _of_sum(w, (logs + 0.5 * np.log(2 * np.pi)).sum(axis=2))),
            "−½ log 2π is missing, for each output. No gradient notices; a score in nats does.",
        ),
        Misconception(
            "2π once",
            _of(_constant_once),
            "−½ log 2π comes once in yours. It belongs to each of the D outputs.",
        ),
        Misconception(
            "exponential first",
            _of(lambda w, logs: np.log(np.sum(w * np.exp(logs.sum(axis=2)), axis=1))),
            "Right on paper. Far from all components every density is 0 in the computer, and with "
            "more outputs that comes sooner. Stay in logarithms: logsumexp.",
        ),
        Misconception(
            "another row's maximum",
            _of(_shifted_all),
            "You take off the largest log density of all rows. In a row far below it every "
            "exponential is 0: take off each row's own largest.",
        ),
        Misconception(
            "y along the components",
            _unlined,
            "`y − means` lines y's rows up with the *components*. y[:, None, :] has an axis for "
            "them, (N, 1, D).",
        ),
        Misconception(
            "the density",
            _of(lambda w, logs: np.sum(w * np.exp(logs.sum(axis=2)), axis=1)),
            "These are densities. Their logarithms are asked for.",
        ),
        Misconception(
            "base 2",
            _of(lambda w, logs: _of_sum(w, logs.sum(axis=2)) / np.log(2)),
            "These are bits. The course counts in nats: the natural logarithm.",
        ),
        Misconception(
            "a loss",
            _of(lambda w, logs: -_of_sum(w, logs.sum(axis=2))),
            "The sign is that of a loss. The log density itself is asked for.",
        ),
        Misconception(
            "added up over rows",
            _of(lambda w, logs: _of_sum(w, logs.sum(axis=2)).sum()),
            "You add up over the rows. One number for each row is due.",
        ),
        Misconception(
            "one number for each output",
            _of(lambda w, logs: logsumexp(logs, b=w[:, :, None], axis=1)),
            "You have a number for each output, from a mixture of its own. All outputs share one "
            "component: add up over outputs first, then sum over components.",
        ),
    ),
    hints=(
        "Within a component the outputs are independent. What becomes of the log densities of the "
        "D outputs of one component?",
        "They add up: (N, K, D) becomes (N, K). From there on it is 5.5, with one weight for each "
        "component.",
        "z = (y[:, None, :] − means) / scales; each = −½ z² − log scales − ½ log 2π; then "
        "logsumexp(each.sum(axis=2), b=weights, axis=1).",
    ),
)
