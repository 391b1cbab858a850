"""Check of unit 08, exercise 8.4: DEC's target distribution.

``q`` (N, C), rows that add up to one: soft assignments of images to clusters. The target is
q²/f, f the clusters' frequencies Σ_n q, with each row divided by its sum (Xie, Girshick & Farhadi
2016, "Unsupervised deep embedding for clustering analysis", arXiv:1511.06335, section 3.1.2,
equation 3). A cluster that no image uses gets 0: q²/f is never more than q.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, softmax

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

CLOSE = 1e-5


# 8.4 · DEC's target


def _target(q: NDArray) -> NDArray:
    frequency = q.sum(axis=0)
    used = frequency > 0
    pull = np.zeros_like(q)
    pull[:, used] = q[:, used] ** 2 / frequency[used]
    return pull / pull.sum(axis=1, keepdims=True)


def _is_a_distribution(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    totals = result.sum(axis=1)
    off = np.abs(totals - 1) > CLOSE
    if off.any():
        n = int(off.argmax())
        return Failure(f"Each image shares itself out: row {n} adds up to", totals[n], 1.0)
    if (result < -1e-9).any():
        return Failure("A share is never negative.", float(result.min()), 0.0)
    return None


def _keeps_what_is_sure(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    count = args[0].shape[1]
    sure = np.eye(count)[[*range(count), 0]]
    again = call(sure)
    if np.allclose(again, sure, atol=CLOSE):
        return None
    return Failure(
        f"{count + 1} images that are sure of their clusters, and every cluster has one at least: "
        "there is nothing to sharpen, and the target is q itself.",
        again,
        sure,
    )


def _sharpens(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    row = np.arange(1.0, args[0].shape[1] + 1)
    row /= row.sum()
    turned = np.array([np.roll(row, shift) for shift in range(len(row))])
    again = call(turned)[0]
    # With equal frequencies q² is what is left, so odds are squared.
    if np.isclose(again[-1] / again[0], len(row) ** 2, rtol=1e-4):
        return None
    return Failure(
        f"Clusters of equal frequency, and an image whose odds are {len(row)} to 1 for the last "
        "cluster against the first: the target sharpens, to odds of",
        float(again[-1] / again[0]) if again[0] else again,
        float(len(row) ** 2),
    )


def _favours_the_rare(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    q = np.array([[0.5, 0.5], [0.9, 0.1], [0.6, 0.4]])  # frequencies 2 and 1
    again = call(q)[0]
    if np.allclose(again, [1 / 3, 2 / 3], atol=CLOSE):
        return None
    return Failure(
        "q = (.5, .5), (.9, .1), (.6, .4): the first cluster is used twice as much as the second. "
        "The first image is undecided, and is drawn to the rarer one, at odds of 2 to 1. Your "
        "target for it is",
        again,
        np.array([1 / 3, 2 / 3]),
    )


def _copies_do_not_matter(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    again = call(np.repeat(args[0], 2, axis=0))[::2]
    if np.allclose(again, result, atol=CLOSE):
        return None
    return Failure(
        "Every image was put in twice. All frequencies double, and the targets stay.",
        again,
        result,
        AFTER_BEFORE,
    )


def _names_do_not_matter(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    again = call(np.ascontiguousarray(args[0][:, ::-1]))[:, ::-1]
    if np.allclose(again, result, atol=CLOSE):
        return None
    return Failure(
        "The clusters were put in the opposite order. Put back, the targets should be as before.",
        again,
        result,
        AFTER_BEFORE,
    )


def _rows(table: NDArray) -> NDArray:
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def _with(pull: Callable[[NDArray], NDArray]) -> Callable[[NDArray], NDArray]:
    """An answer whose rows are some pull, an unused cluster's 0, divided by their sums."""
    return lambda q: _rows(np.nan_to_num(pull(q), nan=0.0, posinf=0.0))


def _members(q: NDArray) -> NDArray:
    return np.bincount(q.argmax(axis=1), minlength=q.shape[1])


def _plain(q: NDArray) -> NDArray:
    return _rows(q**2 / q.sum(axis=0))


_MISCONCEPTIONS = (
    Misconception(
        "frequency omitted",
        _with(lambda q: q**2),
        "You square and divide each row by its sum. What a cluster gets from all images together "
        "is left out, or was added up along the wrong axis: f = Σ_n q is the sum over *images*, "
        "axis 0, and the squares are divided by it.",
    ),
    Misconception(
        "no square",
        _with(lambda q: q / q.sum(axis=0)),
        "You divide q by the frequencies. q is squared first: that is what sharpens.",
    ),
    Misconception(
        "frequency squared",
        _with(lambda q: q**2 / q.sum(axis=0) ** 2),
        "You square q and f alike, (q/f)². Only q is squared: q²/f.",
    ),
    Misconception(
        "multiplied by the frequency",
        _with(lambda q: q**2 * q.sum(axis=0)),
        "You multiply by the frequency, so large clusters grow. It is divided by: q²/f.",
    ),
    Misconception(
        "frequency of the squares",
        _with(lambda q: q**2 / (q**2).sum(axis=0)),
        "You divide by Σ_n q². The frequency of a cluster is the sum of q itself.",
    ),
    Misconception(
        "root of the frequency",
        _with(lambda q: q**2 / np.sqrt(q.sum(axis=0))),
        "You divide by √f. The formula has f: q²/f.",
    ),
    Misconception(
        "members counted",
        _with(lambda q: q**2 / np.maximum(_members(q), 1)),
        "You count the images whose likeliest cluster it is. The frequency is soft: the sum of q "
        "over all images.",
    ),
    Misconception(
        "rows not normalised",
        lambda q: np.nan_to_num(q**2 / q.sum(axis=0)),
        "This is q²/f, and its rows do not add up to one. Divide each row by its sum.",
    ),
    Misconception(
        "normalised over images",
        lambda q: np.nan_to_num(q**2 / q.sum(axis=0) / np.nan_to_num(_plain_pull(q)).sum(axis=0)),
        "You make the *columns* add up to one. Each image shares itself out over the clusters: "
        "sums along axis 1, with keepdims=True.",
    ),
    Misconception(
        "normalised over everything",
        lambda q: np.nan_to_num(_plain_pull(q)) / np.nansum(_plain_pull(q)),
        "You divide by the sum of the whole table. Each row is divided by its own sum: axis=1, "
        "keepdims=True.",
    ),
    Misconception(
        "softmax of the rows",
        lambda q: softmax(np.nan_to_num(_plain_pull(q)), axis=1),
        "You send q²/f through softmax. It is not a logarithm: dividing by the row's sum is what "
        "makes shares of it.",
    ),
    Misconception(
        "the likeliest cluster",
        lambda q: np.eye(q.shape[1])[q.argmax(axis=1)],
        "You give each image to its likeliest cluster. The target sharpens, and stays soft.",
    ),
    Misconception(
        "an empty cluster",
        _plain,
        "Right wherever every cluster is used. One that no image uses has f = 0, and 0/0 is not a "
        "number: its target is 0. `np.divide(…, out=np.zeros_like(q), where=f > 0)`, or a "
        "maximum of f and something tiny.",
    ),
    Misconception(
        "a row of NaN for zero",
        lambda q: np.nan_to_num(_plain(q)),
        "You turn NaN into 0 at the end, when the NaN of an empty cluster has got into the sum of "
        "every row. Do it before the rows are added up.",
    ),
    Misconception(
        "the loss",
        lambda q: float(rel_entr(_target(q), q).sum()),
        "This is a number, KL(p ‖ q): what DEC minimises once it has the target p. The target "
        "itself is asked for, a row for each image.",
    ),
    Misconception(
        "the loss of each image",
        lambda q: rel_entr(_target(q), q).sum(axis=1),
        "This is KL(p ‖ q) of each image. The target p itself is asked for.",
    ),
    Misconception(
        "q itself",
        lambda q: q.copy(),
        "You give q back. The target is q made sharper, q²/f, with its rows normalised.",
    ),
    Misconception(
        "a root in place of the square",
        _with(lambda q: np.sqrt(q) / q.sum(axis=0)),
        "You take the root of q, which makes shares more alike. The square sharpens them.",
    ),
    Misconception(
        "the target's target",
        lambda q: _target(_target(q)),
        "You sharpen twice, q to the power 4 in the end. Once is asked for.",
    ),
    Misconception(
        "logarithms",
        lambda q: np.log(np.maximum(_target(q), 1e-300)),
        "These are logarithms. The shares themselves are asked for.",
    ),
)


def _plain_pull(q: NDArray) -> NDArray:
    return np.asarray(q**2 / q.sum(axis=0))


_random = np.random.default_rng(84)
_TWENTY = _random.dirichlet(np.array([2.0, 1.0, 0.5, 0.3]), 20).round(3)
_TWENTY[:, 0] = 1 - _TWENTY[:, 1:].sum(axis=1)

target = Exercise(
    number="8.4",
    name="target",
    reference=_target,
    single=False,  # a floor of 1e-300 under the frequencies is right, and 0 in float32
    cases=(
        Case("two images, two clusters", (np.array([[0.8, 0.2], [0.6, 0.4]]),)),
        Case(
            "three images, three clusters",
            (np.array([[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.4, 0.4, 0.2]]),),
        ),
        Case(
            "four images, one cluster that is used by nearly all",
            (np.array([[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.5, 0.5]]),),
        ),
        Case(
            "shares of exactly 0",
            (np.array([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75], [0.5, 0.5, 0.0]]),),
        ),
        Case("twenty images, four clusters", (_TWENTY,)),
        Case(
            "a cluster that no image uses",
            (np.array([[0.7, 0.0, 0.3], [0.2, 0.0, 0.8], [0.5, 0.0, 0.5]]),),
        ),
    ),
    properties=(
        Property("each row adds up to 1", _is_a_distribution),
        Property("what is sure stays as it is", _keeps_what_is_sure),
        Property("it sharpens: at equal frequencies odds are squared", _sharpens),
        Property("an undecided image is drawn to the rarer cluster", _favours_the_rare),
        Property("every image twice changes nothing", _copies_do_not_matter),
        Property("the order of the clusters does not matter", _names_do_not_matter),
    ),
    misconceptions=_MISCONCEPTIONS,
    hints=(
        "Two steps. Sharpen each share, and make up for the clusters' sizes; then let each row add "
        "up to one again.",
        "f = q.sum(axis=0) is how much of all images each cluster has. The pull is q²/f, and each "
        "row of it is divided by its own sum. What if f is 0?",
        "pull = q**2 / np.maximum(f, tiny), tiny = np.finfo(q.dtype).tiny; return pull / "
        "pull.sum(axis=1, keepdims=True)",
    ),
)
