"""Check of unit 07, exercise 7.6: which latent dimensions say anything.

A dimension whose q is the prior for every image has a KL of 0 and tells the decoder nothing; that
q need not be wide, nor its mean constant, is what the cases are about. (Burda, Grosse &
Salakhutdinov 2016, section 5.2, count dimensions by the variance of their means instead.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property
from latentsteps.checks.task import AFTER_BEFORE

# 7.6 · Active dimensions


def _kl(mean: NDArray, log_variance: NDArray) -> NDArray:
    return np.asarray(0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance))


def _active(mean: NDArray, log_variance: NDArray, threshold: float = 0.01) -> NDArray:
    return np.asarray(_kl(mean, log_variance).mean(axis=0) > threshold)


def _with_a_column(call: Callable, args: tuple, mean: float, log_variance: float) -> NDArray:
    """The answer where one more dimension has this mean and log variance for every image."""
    column = np.ones((len(args[0]), 1))
    return np.asarray(
        call(
            np.hstack([args[0], mean * column]),
            np.hstack([args[1], log_variance * column]),
            *args[2:],
        )
    )


def _dead_at_the_prior(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if not _with_a_column(call, args, 0.0, 0.0)[-1]:
        return None
    return Failure(
        "A dimension was added whose q is N(0, 1) for every image, the prior itself: it says "
        "nothing of any image. Yours calls it active."
    )


def _narrow_is_active(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    if _with_a_column(call, args, 0.0, -6.0)[-1]:
        return None
    return Failure(
        "A dimension was added with mean 0 and log variance −6 for every image: narrow, and far "
        "from the prior, at a KL of 2.5 nats. Yours calls it dead."
    )


def _images_twice(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    again = call(np.tile(args[0], (2, 1)), np.tile(args[1], (2, 1)), *args[2:])
    if np.array_equal(again, result):
        return None
    return Failure(
        "Every image was there twice, which changes no average. What you return changed.",
        again,
        result,
        AFTER_BEFORE,
    )


def _each_on_its_own(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance, threshold = args
    d = int(np.abs(_kl(mean, log_variance).mean(axis=0)).argmin())
    alone = np.asarray(call(mean[:, d : d + 1], log_variance[:, d : d + 1], threshold))
    if alone[0] == result[d]:
        return None
    return Failure(
        f"Dimension {d} was handed over by itself, and you judge it otherwise than among the "
        "others.",
        alone[0],
        result[d],
        ("by itself", "among the others"),
    )


def _threshold_counts(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    none, every = np.asarray(call(*args[:2], 1e9)), np.asarray(call(*args[:2], -1e9))
    if not none.any() and every.all():
        return None
    return Failure(
        "With a threshold that nothing can reach no dimension is active, and with one that is far "
        "below 0 all are. Yours, at 10⁹ and −10⁹ nats:",
        none,
        every,
        ("at 10⁹", "at −10⁹"),
    )


def _default(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    without, given = np.asarray(call(*args[:2])), np.asarray(call(*args[:2], 0.01))
    if np.array_equal(without, given):
        return None
    return Failure(
        "Where no threshold is given it is .01.", without, given, ("without", "with .01")
    )


def _of(combine: Callable[[NDArray, float], object]) -> Callable[..., object]:
    """An answer from ``combine(KL by image and dimension, threshold)``."""
    return lambda mean, log_variance, threshold=0.01: combine(_kl(mean, log_variance), threshold)


def _with_kl(kl: Callable[[NDArray, NDArray], NDArray]) -> Callable[..., object]:
    """The right answer with another KL, ``kl(mean, log_variance)``, (N, D)."""
    return lambda mean, log_variance, threshold=0.01: (
        kl(mean, log_variance).mean(axis=0) > threshold
    )


def _aggregate(mean: NDArray, log_variance: NDArray, threshold: float = 0.01) -> NDArray:
    variance = np.exp(log_variance).mean(axis=0) + mean.var(axis=0)
    return np.asarray(_kl(mean.mean(axis=0), np.log(variance)) > threshold)


_random = np.random.default_rng(76)


def _even(n: int, mean: float, variance: float) -> NDArray:
    """n numbers with exactly this mean and variance."""
    z = _random.normal(size=n)
    return mean + np.sqrt(variance) * (z - z.mean()) / z.std()


def _columns(*columns: tuple[NDArray | float, NDArray | float], n: int) -> tuple[NDArray, NDArray]:
    """Means and log variances (n, D) from a pair for each dimension."""
    return tuple(
        np.stack([np.broadcast_to(pair[i], n) for pair in columns], axis=1) + 0.0 for i in (0, 1)
    )  # type: ignore[return-value]  # a tuple of two


_ONE = np.where(np.arange(40) == 7, 1.0, 0.0)
"""One image in forty."""

active = Exercise(
    number="7.6",
    name="active",
    reference=_active,
    cases=(
        Case(
            "three images: one dimension copies the prior, one does not",
            (
                np.array([[0.0, -1.0], [0.0, 0.5], [0.0, 1.0]]),
                np.array([[0.0, -2.0], [0.0, -1.5], [0.0, -2.0]]),
                0.01,
            ),
        ),
        Case(
            "three images, the second dimension very narrow, and nearly the same for all",
            (
                np.array([[1.0, 0.01, 0.02], [-1.0, -0.01, 0.0], [0.3, 0.0, -0.02]]),
                np.array([[-1.0, -5.0, 0.01], [-2.0, -5.0, -0.01], [-1.0, -5.0, 0.0]]),
                0.01,
            ),
        ),
        Case(
            "forty images, and over all of them the first dimension is spread like the prior",
            (
                *_columns(
                    (_even(40, 0.0, 0.9), np.log(0.1)),
                    (_even(40, 0.0, 0.001), 0.0),
                    (_even(40, 0.0, 0.5), -0.7),
                    (_even(40, 0.0, 0.5), 0.0),
                    n=40,
                ),
                0.01,
            ),
        ),
        Case(
            "forty images, six dimensions near the threshold",
            (
                *_columns(
                    (2.0 * _ONE, 0.0),  # KL .05: one image in forty pays 2 nats
                    (0.8 * _ONE, 0.0),  # KL .008
                    (0.17, 0.0),  # KL .0145, the same for all
                    (0.0, np.log(1.25)),  # KL .0134
                    (0.1, 0.0),  # KL .005
                    (_even(40, 0.0, 0.014), 0.0),  # KL .007, and its means vary by .014
                    n=40,
                ),
                0.01,
            ),
        ),
        Case(
            "forty images, five dimensions, a threshold of .1",
            (
                *_columns(
                    (2.0 * _ONE, 0.0),  # KL .05
                    (0.5, 0.0),  # KL .125
                    (0.0, 1.0),  # KL .359
                    (_even(40, 0.0, 0.15), 0.0),  # KL .075
                    (_even(40, 0.3, 0.4), np.log(0.5)),
                    n=40,
                ),
                0.1,
            ),
        ),
        Case(
            "two hundred images, eight dimensions, a threshold of .5",
            (
                _random.normal(size=(200, 8)) * np.array([1.0, 0.9, 0.6, 0.4, 0.1, 0.02, 0.0, 1.1]),
                np.tile(np.array([-3.0, -2.0, -0.9, -0.3, 0.0, 0.0, 0.0, -0.1]), (200, 1)),
                0.5,
            ),
        ),
    ),
    properties=(
        Property("a dimension that copies the prior is not active", _dead_at_the_prior),
        Property("a narrow one is active", _narrow_is_active),
        Property("images twice change nothing", _images_twice),
        Property("each dimension is judged on its own", _each_on_its_own),
        Property("the threshold counts", _threshold_counts),
        Property("without a threshold it is .01", _default),
    ),
    misconceptions=(
        Misconception(
            "dead ones",
            _of(lambda kl, threshold: kl.mean(axis=0) <= threshold),
            "You mark the dead dimensions. The active ones are asked for: True where the KL is "
            "*above* the threshold.",
        ),
        Misconception(
            "the KL of all images together",
            _aggregate,
            "You take the KL of all images' q together, one cloud. That may well look like the "
            "prior, and should, where every single image is told apart. Each image's KL first, "
            "then their mean.",
        ),
        Misconception(
            "the KL of the mean q",
            lambda mean, log_variance, threshold=0.01: (
                _kl(mean.mean(axis=0), log_variance.mean(axis=0)) > threshold
            ),
            "You average mean and log variance over the images first, and take one KL: means to "
            "both sides of 0 cancel. Each image's KL first, then their mean.",
        ),
        Misconception(
            "narrow taken for dead",
            lambda mean, log_variance, threshold=0.01: (
                np.exp(log_variance).mean(axis=0) > threshold
            ),
            "You call a dimension dead where its variance is small. It is the other way round: a "
            "narrow q knows its z well, and a dead dimension copies the prior, variance 1 and all.",
        ),
        Misconception(
            "wide taken for dead",
            lambda mean, log_variance, threshold=0.01: (
                np.exp(log_variance).mean(axis=0) < 1 - threshold
            ),
            "You look at the width of q alone. Its mean may tell images apart all the same, and a "
            "q wider than the prior is not the prior either: take the KL, which sees both.",
        ),
        Misconception(
            "variance of the means",
            lambda mean, log_variance, threshold=0.01: mean.var(axis=0) > threshold,
            "You ask how much the means vary over images, as Burda and others count. Asked for "
            "is the KL, in nats: what a dimension costs, which has mean and width in it.",
        ),
        Misconception(
            "size of the means",
            _with_kl(lambda mean, log_variance: np.abs(mean)),
            "You look at how far the means are from 0, in units of z. The threshold is in nats: "
            "take the KL.",
        ),
        Misconception(
            "mean alone",
            _with_kl(lambda mean, log_variance: 0.5 * mean**2),
            "You take ½ mean² alone. The width has its part in the KL: ½ (e^v − 1 − v).",
        ),
        Misconception(
            "width alone",
            _with_kl(lambda mean, log_variance: _kl(0 * mean, log_variance)),
            "You take the width's part of the KL alone. The mean has its own: ½ mean².",
        ),
        Misconception(
            "exp(log_variance) taken for sd",
            _with_kl(lambda mean, log_variance: _kl(mean, 2 * log_variance)),
            "In your KL exp(log_variance) is taken for a standard deviation. It is the variance.",
        ),
        Misconception(
            "no half",
            _with_kl(lambda mean, log_variance: 2 * _kl(mean, log_variance)),
            "Your KL is twice as large as it should be: its ½ is missing.",
        ),
        Misconception(
            "the other sign",
            _with_kl(lambda mean, log_variance: -_kl(mean, log_variance)),
            "Nothing is active in yours: you take −KL, and that is never above a threshold.",
        ),
        Misconception(
            "some image",
            _of(lambda kl, threshold: (kl > threshold).any(axis=0)),
            "You call a dimension active if a single image's KL is above the threshold. Their "
            "*mean* over images is asked for.",
        ),
        Misconception(
            "every image",
            _of(lambda kl, threshold: (kl > threshold).all(axis=0)),
            "You want every single image's KL above the threshold. Their *mean* is asked for: a "
            "dimension may be for some images alone.",
        ),
        Misconception(
            "most images",
            _of(lambda kl, threshold: np.median(kl, axis=0) > threshold),
            "You ask for half of the images, or for their median. A dimension that few images pay "
            "much for is at work: take the mean.",
        ),
        Misconception(
            "summed over images",
            _of(lambda kl, threshold: kl.sum(axis=0) > threshold),
            "You add up over the images. With enough of them every dimension would be active: take "
            "the mean.",
        ),
        Misconception(
            "threshold ignored",
            _of(lambda kl, threshold: kl.mean(axis=0) > 0.01),
            "You always compare with .01. The threshold is an argument.",
        ),
        Misconception(
            "above 0",
            _of(lambda kl, threshold: kl.mean(axis=0) > 0),
            "You ask for a KL above 0. A trained network never reaches 0 exactly: compare with the "
            "threshold.",
        ),
        Misconception(
            "a share of the largest",
            _of(lambda kl, threshold: kl.mean(axis=0) > threshold * kl.mean(axis=0).max()),
            "You compare with a share of the largest KL. The threshold is in nats.",
        ),
        Misconception(
            "a share of all",
            _of(lambda kl, threshold: kl.mean(axis=0) > threshold * kl.mean(axis=0).sum()),
            "You compare with a share of the total KL. The threshold is in nats.",
        ),
        Misconception(
            "the KL itself",
            _of(lambda kl, threshold: kl.mean(axis=0)),
            "These are the mean KLs. Which of them are above the threshold, True or False?",
        ),
        Misconception(
            "their numbers",
            _of(lambda kl, threshold: np.flatnonzero(kl.mean(axis=0) > threshold)),
            "These are the numbers of the active dimensions, as by np.flatnonzero. Asked for is "
            "True or False for each: the comparison itself.",
        ),
        Misconception(
            "how many",
            _of(lambda kl, threshold: int((kl.mean(axis=0) > threshold).sum())),
            "You count the active dimensions. Which ones are they? True or False for each.",
        ),
        Misconception(
            "of images",
            _of(lambda kl, threshold: kl.mean(axis=1) > threshold),
            "You average over the dimensions and judge images. Images are axis 0: average along "
            "it.",
        ),
        Misconception(
            "of each image",
            _of(lambda kl, threshold: kl > threshold),
            "You judge each image's KL by itself. Average over the images, axis 0, and compare "
            "then.",
        ),
    ),
    hints=(
        "KL by image and dimension, (N, D), is the formula of 7.1, with NumPy. What is averaged, "
        "and what is compared?",
        "rates = the mean over images, axis 0, of ½ (mean² + e^v − 1 − v), v = log_variance.",
        "Return rates > threshold, an array of D truth values.",
    ),
)
