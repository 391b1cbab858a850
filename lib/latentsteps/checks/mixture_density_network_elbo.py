"""Check of unit 05, exercise 5.2: the ELBO of a normal model, exact, from a minibatch.

y_n ~ N(θ, noise²), θ ~ N(0, prior_sd²), q(θ) = N(mean, sd²). The scaled minibatch is that of
Hoffman, Blei, Wang & Paisley (2013), "Stochastic variational inference", *JMLR* 14, section 2.4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

# 5.2 · The ELBO


def _fits(batch: NDArray, mean: float, sd: float, noise: float) -> NDArray:
    """The mean under q of each point's log-likelihood, (B,)."""
    squares = (batch - mean) ** 2 + sd**2
    return -0.5 * squares / noise**2 - np.log(noise) - 0.5 * np.log(2 * np.pi)


def _kl(mean: float, sd: float, prior_sd: float) -> float:
    """KL(q ‖ prior) of two normals; Bishop (2006), exercise 2.13 in one dimension."""
    return float(np.log(prior_sd / sd) + 0.5 * (sd**2 + mean**2) / prior_sd**2 - 0.5)


def _elbo(
    batch: NDArray, total: int, mean: float, sd: float, noise: float, prior_sd: float
) -> float:
    fit = total / len(batch) * np.sum(_fits(batch, mean, sd, noise))
    return float(fit - _kl(mean, sd, prior_sd))


def _posterior(y: NDArray, noise: float, prior_sd: float) -> tuple[float, float]:
    """Mean and standard deviation of θ given all of y; Bishop (2006), section 2.3.6."""
    precision = 1 / prior_sd**2 + len(y) / noise**2
    return float(y.sum() / noise**2 / precision), float(precision**-0.5)


def _log_evidence(y: NDArray, noise: float, prior_sd: float) -> float:
    """log p(y): y is normal with covariance noise² I + prior_sd² 1 1ᵀ."""
    covariance = noise**2 * np.eye(len(y)) + prior_sd**2
    log_determinant = np.linalg.slogdet(2 * np.pi * covariance)[1]
    return float(-0.5 * (y @ np.linalg.solve(covariance, y) + log_determinant))


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-5 * max(1.0, abs(b))


def _is_below(call: Callable, args: tuple, result: float) -> Failure | None:
    batch, _, *q, noise, prior_sd = args
    value = float(call(batch, len(batch), *q, noise, prior_sd))
    top = _log_evidence(batch, noise, prior_sd)
    if value <= top + 1e-5 * max(1.0, abs(top)):
        return None
    return Failure(
        "With the batch for the whole of the data, the ELBO is a lower bound: for no q does it lie "
        "above the log evidence log p(y). Yours does.",
        value,
        top,
        ("your ELBO", "log evidence"),
    )


def _touches(call: Callable, args: tuple, result: float) -> Failure | None:
    batch, _, _, _, noise, prior_sd = args
    exact = _posterior(batch, noise, prior_sd)
    value = float(call(batch, len(batch), *exact, noise, prior_sd))
    top = _log_evidence(batch, noise, prior_sd)
    if _near(value, top):
        return None
    return Failure(
        "With the batch for the whole of the data and the exact posterior for q, the ELBO is the "
        "log evidence itself, exactly: no draws are needed. There yours is:",
        value,
        top,
    )


def _misses_by_the_divergence(call: Callable, args: tuple, result: float) -> Failure | None:
    batch, _, mean, sd, noise, prior_sd = args
    center, width = _posterior(batch, noise, prior_sd)
    value = float(call(batch, len(batch), mean, sd, noise, prior_sd))
    top = _log_evidence(batch, noise, prior_sd)
    missing = float(np.log(width / sd) + (sd**2 + (mean - center) ** 2) / (2 * width**2) - 0.5)
    if _near(value, top - missing):
        return None
    return Failure(
        "With the batch for the whole of the data, the ELBO lies below the log evidence by "
        "KL(q ‖ posterior). Yours lies below it by:",
        top - value,
        missing,
    )


def _batches_average_to_the_whole(call: Callable, args: tuple, result: float) -> Failure | None:
    batch, total, *others = args
    parts = [float(call(batch[n : n + 1], total, *others)) for n in range(len(batch))]
    if _near(float(np.mean(parts)), result):
        return None
    return Failure(
        "Each point of the batch was taken for a batch of its own, of as many points in all. The "
        "mean of these ELBOs should be that of the batch: a minibatch is right on average.",
        float(np.mean(parts)),
        float(result),
        ("mean of batches of one", "the batch"),
    )


def _parts(combine: Callable[[NDArray, float, float, float], object]) -> Callable:
    """An answer from ``combine(each point's fit, KL, total, B)``."""

    def answer(
        batch: NDArray, total: int, mean: float, sd: float, noise: float, prior_sd: float
    ) -> object:
        kl = _kl(mean, sd, prior_sd)
        return combine(_fits(batch, mean, sd, noise), kl, float(total), float(len(batch)))

    return answer


def _with(fits: Callable | None = None, kl: Callable | None = None) -> Callable[..., float]:
    """The right sum, with other ``fits(batch, mean, sd, noise)`` or ``kl(mean, sd, prior_sd)``."""

    def answer(
        batch: NDArray, total: int, mean: float, sd: float, noise: float, prior_sd: float
    ) -> float:
        fit = total / len(batch) * np.sum((fits or _fits)(batch, mean, sd, noise))
        return float(fit - (kl or _kl)(mean, sd, prior_sd))

    return answer


def _log_normal(at: float, mean: float, sd: float) -> float:
    return -0.5 * ((at - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


def _constant_once(
    batch: NDArray, total: int, mean: float, sd: float, noise: float, prior_sd: float
) -> float:
    squares = np.sum((batch - mean) ** 2 + sd**2)
    fit = -0.5 * total / len(batch) * squares / noise**2 - 0.5 * np.log(2 * np.pi * noise**2)
    return float(fit - _kl(mean, sd, prior_sd))


_random = np.random.default_rng(52)

elbo = Exercise(
    number="5.2",
    name="elbo",
    reference=_elbo,
    cases=(
        Case("one point, all there is", (np.array([2.0]), 1, 0.5, 0.8, 1.0, 1.0)),
        Case("two points, all there is", (np.array([2.0, -1.0]), 2, 0.5, 0.8, 2.0, 3.0)),
        Case("two points of eleven", (np.array([2.0, -1.0]), 11, 0.5, 0.8, 0.5, 3.0)),
        Case("q far too wide", (np.array([1.0, 1.5, 2.5]), 3, 1.0, 20.0, 1.5, 4.0)),
        Case(
            "eight points of 5000, q narrow",
            (_random.normal(3.0, 0.7, 8).round(2), 5000, 2.9, 0.01, 0.7, 10.0),
        ),
    ),
    properties=(
        Property("it is never above the log evidence", _is_below),
        Property("with the exact posterior for q it is the log evidence", _touches),
        Property("it is the log evidence less the divergence", _misses_by_the_divergence),
        Property("minibatches average to the whole", _batches_average_to_the_whole),
    ),
    misconceptions=(
        Misconception(
            "the recipe's",
            _parts(lambda fits, kl, total, b: np.mean(fits) - kl),
            "The mean log-likelihood stands for one point, and the whole KL is taken off: the "
            "prior counts `total` times too much. Multiply the mean by `total`.",
        ),
        Misconception(
            "no total / B",
            _parts(lambda fits, kl, total, b: np.sum(fits) - kl),
            "You add up the batch as if it were all the data. It stands for `total` points: "
            "multiply the sum by total / B, or the prior is too strong against the data.",
        ),
        Misconception(
            "scaled twice",
            _parts(lambda fits, kl, total, b: total * np.sum(fits) - kl),
            "You multiply the *sum* by `total`, so every point of the batch stands for all of "
            "them. Multiply the mean by it, or the sum by total / B.",
        ),
        Misconception(
            "B / total",
            _parts(lambda fits, kl, total, b: b / total * np.sum(fits) - kl),
            "The factor is upside down. The batch is smaller than the whole, so its sum has to "
            "grow: total / B.",
        ),
        Misconception(
            "KL scaled as well",
            _parts(lambda fits, kl, total, b: total / b * (np.sum(fits) - kl)),
            "You scale the KL with the batch. There is one θ for all the data, and its KL comes "
            "once, whole, whatever the batch.",
        ),
        Misconception(
            "KL for each point",
            _parts(lambda fits, kl, total, b: total / b * np.sum(fits - kl)),
            "The KL stands inside the sum over points, so it comes `total` times. There is one θ "
            "for all the data: once.",
        ),
        Misconception(
            "per point",
            _parts(lambda fits, kl, total, b: np.mean(fits) - kl / total),
            "This is the ELBO over `total`: the same maximum, and both terms are in balance. The "
            "bound on log p(y) itself is asked for: multiply by `total`.",
        ),
        Misconception(
            "KL for the batch",
            _parts(lambda fits, kl, total, b: np.sum(fits) - b / total * kl),
            "This is B/total of the ELBO: the balance is right, the size is not. Scale the fit up "
            "by total / B and take off the whole KL.",
        ),
        Misconception(
            "both over the batch",
            _parts(lambda fits, kl, total, b: np.mean(fits) - kl / b),
            "You divide both terms by the batch's size. The batch stands for `total` points: the "
            "KL is shared by all of them, and the mean is to be multiplied by `total`.",
        ),
        Misconception(
            "KL added",
            _parts(lambda fits, kl, total, b: total / b * np.sum(fits) + kl),
            "You add the KL. It is what q pays for differing from the prior: take it off.",
        ),
        Misconception(
            "a loss",
            _parts(lambda fits, kl, total, b: kl - total / b * np.sum(fits)),
            "This is minus the ELBO, as a minimiser wants it. The ELBO itself is asked for.",
        ),
        Misconception(
            "no KL",
            _parts(lambda fits, kl, total, b: total / b * np.sum(fits)),
            "This is the fit alone. Without the KL it is no bound on log p(y): nothing keeps q "
            "near the prior, or wide.",
        ),
        Misconception(
            "KL reversed",
            _with(
                kl=lambda mean, sd, prior_sd: (
                    np.log(sd / prior_sd) + (prior_sd**2 + mean**2) / (2 * sd**2) - 0.5
                )
            ),
            "Your divergence averages under the prior. The ELBO takes off KL(q ‖ prior), a mean "
            "under q: the prior's variance stands below.",
        ),
        Misconception(
            "the mean plugged in",
            _with(fits=lambda batch, mean, sd, noise: _fits(batch, mean, 0.0, noise)),
            "You put q's mean in for θ. The mean *under q* of (y − θ)² is (y − mean)² + sd²: q's "
            "width costs fit.",
        ),
        Misconception(
            "the predictive density",
            _with(fits=lambda batch, mean, sd, noise: _fits(batch, mean, 0.0, np.hypot(noise, sd))),
            "You take the logarithm of the *mean* density of y, N(mean, noise² + sd²). The ELBO "
            "averages logarithms under q, which is less: (y − mean)² + sd² over 2 noise².",
        ),
        Misconception(
            "the log joint at the mean",
            lambda batch, total, mean, sd, noise, prior_sd: (
                total * np.mean(_fits(batch, mean, 0.0, noise)) + _log_normal(mean, 0.0, prior_sd)
            ),
            "This is the log joint density at q's mean, as MAP climbs it. The ELBO scores the "
            "whole of q: its width costs fit, and is paid back in the KL.",
        ),
        Misconception(
            "width once",
            lambda batch, total, mean, sd, noise, prior_sd: (
                _elbo(batch, total, mean, sd, noise, prior_sd)
                + (total - 1) * sd**2 / (2 * noise**2)
            ),
            "You take off sd²/(2 noise²) once. q's width costs each point its share: `total` "
            "times.",
        ),
        Misconception(
            "sd not squared in the fit",
            _with(fits=lambda batch, mean, sd, noise: _fits(batch, mean, np.sqrt(sd), noise)),
            "In the fit sd is not squared. The mean under q of (y − θ)² is (y − mean)² + sd².",
        ),
        Misconception(
            "sd taken for a variance",
            lambda batch, total, mean, sd, noise, prior_sd: _elbo(
                batch, total, mean, np.sqrt(sd), noise, prior_sd
            ),
            "You take `sd` for the variance of q, in fit and KL. It is the standard deviation.",
        ),
        Misconception(
            "sd not squared in the KL",
            _with(kl=lambda mean, sd, prior_sd: _kl(mean, np.sqrt(sd), prior_sd)),
            "In the KL you take `sd` for a variance. It is the standard deviation: log(prior_sd / "
            "sd) + (sd² + mean²)/(2 prior_sd²) − ½.",
        ),
        Misconception(
            "noise taken for a variance",
            lambda batch, total, mean, sd, noise, prior_sd: _elbo(
                batch, total, mean, sd, np.sqrt(noise), prior_sd
            ),
            "You take `noise` for a variance. It is a standard deviation: the squares are over "
            "2 noise², and ½ log(2π noise²) is taken off.",
        ),
        Misconception(
            "noise squared in logpdf",
            _with(fits=lambda b, m, sd, noise: _fits(b, m, sd * noise, noise**2)),
            "You hand `norm.logpdf` a variance. Its third argument is the standard deviation: "
            "`noise` as it is.",
        ),
        Misconception(
            "prior_sd taken for a variance",
            lambda batch, total, mean, sd, noise, prior_sd: _elbo(
                batch, total, mean, sd, noise, np.sqrt(prior_sd)
            ),
            "You take `prior_sd` for a variance. It is a standard deviation.",
        ),
        Misconception(
            "2π missing",
            _with(fits=lambda b, m, sd, noise: _fits(b, m, sd, noise) + 0.5 * np.log(2 * np.pi)),
            "−½ log 2π is missing for each point. It does not move the maximum, but a bound on "
            "log p(y) has to be on the same scale as log p(y).",
        ),
        Misconception(
            "noise's logarithm missing",
            _with(fits=lambda b, m, sd, noise: _fits(b, m, sd, noise) + np.log(noise)),
            "−log noise is missing for each point: a normal density is the lower, the wider it is.",
        ),
        Misconception(
            "squares alone",
            _with(fits=lambda b, m, sd, noise: -0.5 * ((b - m) ** 2 + sd**2) / noise**2),
            "You have the squares of the log-likelihood, without −½ log(2π noise²) for each point.",
        ),
        Misconception(
            "constant once",
            _constant_once,
            "−½ log(2π noise²) comes once in yours. It belongs to each point, so `total` times.",
        ),
        Misconception(
            "the KL's logarithm upside down",
            _with(kl=lambda mean, sd, v: _kl(mean, sd, v) + 2 * np.log(sd / v)),
            "The log in the KL is upside down: log(prior_sd / sd).",
        ),
        Misconception(
            "½ missing in the KL",
            _with(kl=lambda mean, sd, prior_sd: _kl(mean, sd, prior_sd) + 0.5),
            "The −½ in the KL is missing: for q equal to the prior it has to be 0.",
        ),
        Misconception(
            "mean not in the KL",
            _with(kl=lambda mean, sd, prior_sd: _kl(0.0, sd, prior_sd)),
            "q's mean is not in your KL. The prior's is 0, and being away from it costs "
            "mean²/(2 prior_sd²).",
        ),
        Misconception(
            "a standard normal prior",
            _with(kl=lambda mean, sd, prior_sd: _kl(mean, sd, 1.0)),
            "Your KL is the one to N(0, 1), as many recipes write it. Here the prior has the "
            "standard deviation `prior_sd`.",
        ),
        Misconception(
            "log prior for the KL",
            _with(kl=lambda mean, sd, prior_sd: -_log_normal(mean, 0.0, prior_sd)),
            "You add the log prior at q's mean, as MAP does. Here a whole q is scored: take off "
            "KL(q ‖ prior), which knows q's width.",
        ),
        Misconception(
            "entropy left out",
            _with(
                kl=lambda mean, sd, prior_sd: (
                    -_log_normal(mean, 0.0, prior_sd) + sd**2 / (2 * prior_sd**2)
                )
            ),
            "This is the mean of log p(y, θ) under q; the entropy of q, ½ log(2πe sd²), is "
            "missing. KL(q ‖ prior) has both.",
        ),
        Misconception(
            "the evidence",
            lambda batch, total, mean, sd, noise, prior_sd: _log_evidence(batch, noise, prior_sd),
            "This is the log evidence of the batch, whatever q is. The ELBO is a function of q: "
            "use `mean` and `sd`.",
        ),
        Misconception(
            "one number for each point",
            _parts(lambda fits, kl, total, b: total / b * fits - kl),
            "You have a number for each point. Add up the fit over the batch; the KL comes once.",
        ),
    ),
    hints=(
        "Two terms: the fit, which is the mean under q of the log-likelihood of all the data, and "
        "KL(q ‖ prior). What is the mean under q of (y − θ)²?",
        "(y − mean)² + sd². So each point gives −½ log(2π noise²) − ((y − mean)² + sd²) / "
        "(2 noise²), and the batch stands for `total` points.",
        "total / len(batch) times the sum of those, minus (log(prior_sd / sd) + (sd² + mean²) / "
        "(2 prior_sd²) − ½).",
    ),
)
