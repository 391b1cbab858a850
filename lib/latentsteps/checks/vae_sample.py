"""Check of unit 07, exercise 7.2: a draw that lets gradients through.

Kingma & Welling (2014), "Auto-encoding variational Bayes", section 2.4. Which noise is drawn is the
answer's own business, so numbers are not compared: properties decide. All calls start with the same
generator's state, so that two calls have the same noise.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

DRAWS = 4000
"""Rows of the tables whose averages are looked at. Five standard errors are allowed."""

# 7.2 · The sample


def _sample(mean: Tensor, log_variance: Tensor, generator: Generator) -> Tensor:
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    return mean + torch.exp(0.5 * log_variance) * noise


def _many(call: Callable, args: tuple) -> tuple[NDArray, NDArray, NDArray]:
    """The first image many times over: draws (DRAWS, D), its mean and its log variance (D,)."""
    mean, log_variance, generator = args
    draws = call(np.tile(mean[:1], (DRAWS, 1)), np.tile(log_variance[:1], (DRAWS, 1)), generator)
    return np.asarray(draws), mean[0], log_variance[0]


def _noise(call: Callable, args: tuple, images: int) -> NDArray:
    """The noise in a table of images and 4 dimensions that all have the first entry's q."""
    mean, log_variance, generator = args
    shape = (images, 4)
    draws = call(np.full(shape, mean[0, 0]), np.full(shape, log_variance[0, 0]), generator)
    return np.asarray(draws) - mean[0, 0]


def _scatters(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance, _ = args
    away = np.abs(result - mean) > 1e-6 * np.exp(0.5 * log_variance)
    if away.any():
        return None
    return Failure("A draw is not the mean. What you return is:", result, mean, ("yours", "mean"))


def _own_noise(axis: int, who: str, other: str) -> Callable:
    def holds(call: Callable, args: tuple, result: NDArray) -> Failure | None:
        noise = _noise(call, args, 50)
        if np.ptp(noise, axis=axis).min() > 1e-6 * np.exp(0.5 * args[1][0, 0]):
            return None
        return Failure(
            "A table of 50 images and 4 dimensions was handed over, all entries with the same mean "
            f"and log variance. In some {other} all {who} got the same noise."
        )

    return holds


def _correlation(one: NDArray, other: NDArray, who: str) -> Failure | None:
    """Independent draws have 0, with a standard error of 1 / √n."""
    found = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    if abs(found) < 5 / np.sqrt(one.size):
        return None
    return Failure(
        f"A table of {DRAWS:,} images and 4 dimensions was handed over, all entries with the same "
        f"mean and log variance. What is added to the mean should be independent from entry to "
        f"entry. Its correlation between {who}:",
        found,
        0.0,
    )


def _unrelated_dimensions(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    noise = _noise(call, args, DRAWS)
    failures = (
        _correlation(noise[:, i], noise[:, j], f"dimensions {i} and {j}")
        for i, j in combinations(range(4), 2)
    )
    return next((failure for failure in failures if failure), None)


def _unrelated_images(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    noise = _noise(call, args, DRAWS)
    half = DRAWS // 2
    return _correlation(
        noise[:half], noise[half:], "the first half of the images and the second"
    ) or _correlation(noise[::2], noise[1::2], "every second image and the one after it")


def _by_the_generator(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance, generator = args
    again = np.asarray(call(mean, log_variance, generator))
    if not np.array_equal(again, result):
        return Failure(
            "The same inputs, and the generator in the same state, gave other draws. All noise "
            "comes from `generator`."
        )
    used = Generator().manual_seed(generator.initial_seed())
    torch.rand(1, generator=used)
    if np.array_equal(np.asarray(call(mean, log_variance, used)), result):
        return Failure(
            "From a generator with the same seed a number was drawn before, and your draws are the "
            "very same: they would be at every step of a training."
        )
    other = np.asarray(call(mean, log_variance, Generator().manual_seed(2024)))
    if not np.array_equal(other, result):
        return None
    return Failure(
        "A generator with another seed gave the very same draws. All noise comes from `generator`."
    )


def _mean_is_right(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    draws, mean, _ = _many(call, args)
    error = draws.std(axis=0) / np.sqrt(DRAWS)
    away = np.abs(draws.mean(axis=0) - mean)
    if np.all(away <= 5 * error):
        return None
    d = int((away / error).argmax())
    return Failure(
        f"The first image was handed over {DRAWS:,} times. Its draws average to `mean`, give or "
        f"take a little; yours in dimension {d}:",
        draws[:, d].mean(),
        mean[d],
    )


def _is_normal(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    draws = _many(call, args)[0]
    beyond = np.abs(draws - draws.mean(axis=0)) > 2 * draws.std(axis=0)
    share = beyond.mean(axis=0)
    # Of a normal .0455; its standard error with 4,000 draws is .0033.
    wrong = np.abs(share - 0.0455) > 5 * 0.0033
    if not wrong.any():
        return None
    return Failure(
        "Of a normal's draws one in 22 lies more than two of their standard deviations from their "
        "mean. The share of yours:",
        share[wrong.argmax()],
        0.0455,
    )


def _never_shrinks(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance, generator = args
    wider, before = call(mean, log_variance + 2.0, generator) - mean, result - mean
    closer = np.argwhere(np.abs(wider) < 0.99 * np.abs(before))
    if not len(closer):
        return None
    b, d = closer[0]
    return Failure(
        "log_variance was raised by 2, with the same noise: no draw comes closer to its mean. Your "
        f"entry [{b}, {d}], less the mean:",
        wider[b, d],
        before[b, d],
        ("after", "before"),
    )


def _grows_with_log_variance(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mean, log_variance, generator = args
    wider = np.asarray(call(mean, log_variance + 2.0, generator))
    if np.all(np.abs(wider - mean) > 1.01 * np.abs(result - mean)):
        return None
    return Failure(
        "log_variance was raised by 2, with the same noise: every draw lies farther from its mean. "
        "The first one of yours, less the mean:",
        (wider - mean)[0, 0],
        (result - mean)[0, 0],
        ("after", "before"),
    )


def _width_is_right(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    draws, _, log_variance = _many(call, args)
    sd, found = np.exp(0.5 * log_variance), draws.std(axis=0)
    # The standard error of a standard deviation is sd / √(2 n).
    wrong = np.abs(found / sd - 1) > 5 / np.sqrt(2 * DRAWS)
    if not wrong.any():
        return None
    d = int(wrong.argmax())
    return Failure(
        f"The first image was handed over {DRAWS:,} times. The standard deviation of the draws in "
        f"dimension {d}, where log_variance is {log_variance[d]:.3g}:",
        found[d],
        sd[d],
    )


def _with(
    scale: Callable[[Tensor], Tensor] = lambda log_variance: torch.exp(0.5 * log_variance),
    noise: Callable[..., Tensor] = torch.randn,
    shape: Callable[[Tensor], tuple] = lambda mean: tuple(mean.shape),
    center: Callable[[Tensor], Tensor] = lambda mean: mean,
) -> Callable[[Tensor, Tensor, Generator], Tensor]:
    """The right answer with another scale, noise, shape of the noise or mean."""

    def answer(mean: Tensor, log_variance: Tensor, generator: Generator) -> Tensor:
        drawn = noise(shape(mean), generator=generator, dtype=mean.dtype, device=mean.device)
        return center(mean) + scale(log_variance) * drawn

    return answer


def _detached(mean: Tensor, log_variance: Tensor, generator: Generator) -> Tensor:
    return _sample(mean, log_variance, generator).detach()


def _by_torch_normal(mean: Tensor, log_variance: Tensor, generator: Generator) -> Tensor:
    return torch.normal(mean, torch.exp(0.5 * log_variance), generator=generator)


def _scaled_mean(mean: Tensor, log_variance: Tensor, generator: Generator) -> Tensor:
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    return (mean + noise) * torch.exp(0.5 * log_variance)


def _seed(n: int) -> Generator:
    return Generator().manual_seed(n)


sample = Exercise(
    number="7.2",
    name="sample",
    reference=_sample,
    compare=False,
    tensors=True,
    gradients=("mean", "log_variance"),
    cases=(
        Case("one image, mean 3, variance 4", (np.full((1, 1), 3.0), np.log([[4.0]]), _seed(5))),
        Case("one image, mean 0, variance 4", (np.zeros((1, 1)), np.log([[4.0]]), _seed(1))),
        Case("one image, mean 3, variance 1", (np.full((1, 1), 3.0), np.zeros((1, 1)), _seed(2))),
        Case(
            "two images, two dimensions",
            (
                np.array([[1.0, -2.0], [0.5, 4.0]]),
                np.array([[-1.0, 1.5], [0.5, -3.0]]),
                _seed(3),
            ),
        ),
        Case(
            "one image, a narrow q and a wide one",
            (np.array([[2.0, -1.0]]), np.array([[-9.0, 5.0]]), _seed(4)),
        ),
    ),
    properties=(
        Property("it scatters", _scatters),
        Property("every image has noise of its own", _own_noise(0, "images", "dimension")),
        Property("every dimension has noise of its own", _own_noise(1, "dimensions", "image")),
        Property("one dimension's noise says nothing of another's", _unrelated_dimensions),
        Property("one image's noise says nothing of another's", _unrelated_images),
        Property("all noise comes from the generator", _by_the_generator),
        Property("its mean is `mean`", _mean_is_right),
        Property("its noise is normal", _is_normal),
        Property("a larger log variance is no smaller width", _never_shrinks),
        Property("a larger log variance is a larger width", _grows_with_log_variance),
        Property("its variance is e^log_variance", _width_is_right),
    ),
    misconceptions=(
        Misconception(
            "no noise",
            lambda mean, log_variance, generator: mean + 0 * log_variance,
            "You return the mean. That is a good guess of z, but no draw: the decoder would never "
            "see how unsure the encoder is. Add noise of width e^(½ log_variance).",
        ),
        Misconception(
            "one noise for all images",
            _with(shape=lambda mean: (1, mean.shape[1])),
            "All images of the batch share one noise, (D,) or a single number, so all are moved to "
            "the same side at once. Draw noise of the shape of `mean`.",
        ),
        Misconception(
            "one noise for all dimensions",
            _with(shape=lambda mean: (mean.shape[0], 1)),
            "All dimensions of an image share one noise: that is a line through the mean, and not "
            "a cloud around it. Draw noise of the shape of `mean`.",
        ),
        Misconception(
            "generator not used",
            lambda mean, log_variance, generator: (
                mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
            ),
            "Your noise does not come from `generator` as it is handed over: it is from elsewhere, "
            "or you seed it yourself. So a run could not be repeated, or would draw the same at "
            "every step. `torch.randn_like` takes no generator; torch.randn(mean.shape, "
            "generator=generator, dtype=mean.dtype, device=mean.device) does.",
        ),
        Misconception(
            "mean left out",
            _with(center=lambda mean: torch.zeros(())),
            "Your noise has the right width, and lies around 0. Add the mean.",
        ),
        Misconception(
            "mean scaled too",
            _scaled_mean,
            "You scale mean and noise alike. Only the noise is scaled: mean + e^(½ log_variance) · "
            "noise.",
        ),
        Misconception(
            "uniform noise",
            _with(noise=torch.rand),
            "torch.rand draws evenly between 0 and 1, so your draws lie on one side of the mean. "
            "torch.randn draws from N(0, 1): one letter more.",
        ),
        Misconception(
            "uniform noise around 0",
            _with(noise=lambda shape, **how: 2 * torch.rand(shape, **how) - 1),
            "Your noise lies around 0, but it is no normal's: nothing ever lies far out. "
            "torch.randn draws from N(0, 1).",
        ),
        Misconception(
            "the other sign",
            _with(scale=lambda log_variance: torch.exp(-0.5 * log_variance)),
            "As log_variance rises your draws come closer to their mean: as with the other sign in "
            "the exponent, or a division. The width is e^(½ log_variance).",
        ),
        Misconception(
            "width left out",
            _with(scale=lambda log_variance: 1 + 0 * log_variance),
            "Your draws do not spread as log_variance rises, as if their width were fixed, "
            "whatever the encoder says. It is e^(½ log_variance).",
        ),
        Misconception(
            "variance taken for a width",
            _with(scale=torch.exp),
            "Your width is right where log_variance is 0, and nowhere else: as with "
            "e^log_variance, the variance. The noise is multiplied by the standard deviation: "
            "e^(½ log_variance).",
        ),
        Misconception(
            "log_variance taken for a width",
            _with(scale=lambda log_variance: log_variance),
            "At a variance of 1, where log_variance is 0, nothing scatters in yours any more: as "
            "with log_variance itself for a width, or a root of its size. The width is "
            "e^(½ log_variance).",
        ),
        Misconception(
            "half outside",
            _with(scale=lambda log_variance: 0.5 * torch.exp(log_variance)),
            "Your width is wrong even where log_variance is 0 and the width 1: as with the ½ "
            "before the exponential. It belongs inside, a square root: e^(½ log_variance).",
        ),
        Misconception(
            "square root of log_variance",
            _with(scale=torch.sqrt),
            "A square root of log_variance is no number where it is negative. Exponential first: "
            "√(e^v) = e^(½ v).",
        ),
        Misconception(
            "detached",
            _detached,
            "These are good draws, and no gradient goes through them: the encoder would never "
            "learn from the decoder. The noise carries no gradient, but mean and log_variance do: "
            "leave `detach` and `no_grad` out, and build no new tensor of old numbers.",
        ),
        Misconception(
            "width detached",
            _with(scale=lambda log_variance: torch.exp(0.5 * log_variance).detach()),
            "The gradient reaches the mean, but not log_variance: the encoder would never learn "
            "how sure it may be. The width belongs to the computation, the noise alone is from "
            "outside.",
        ),
        Misconception(
            "mean detached",
            _with(center=lambda mean: mean.detach()),
            "The gradient reaches log_variance, but not the mean: the encoder would learn how sure "
            "to be, and never of what.",
        ),
        Misconception(
            "torch.normal",
            _by_torch_normal,
            "torch.normal draws well, and hands back a gradient of 0: for torch a sample is just "
            "numbers. Write the draw yourself, mean + width · noise, with noise from torch.randn.",
        ),
    ),
    hints=(
        "Unit 05: θ = mean + width · noise. Which width belongs to a log *variance*?",
        "The noise: torch.randn(mean.shape, generator=generator, dtype=mean.dtype, "
        "device=mean.device). It needs no gradient; mean and width do.",
        "mean + torch.exp(0.5 · log_variance) · noise.",
    ),
)
