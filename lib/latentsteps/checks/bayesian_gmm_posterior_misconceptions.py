"""Wrong answers to exercise 4.1, :mod:`latentsteps.checks.bayesian_gmm_posterior`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import halfnorm, norm

from latentsteps.checks.exercise import Misconception


def _log_joint(x: NDArray, means: NDArray, log_scale: float) -> NDArray:
    """log (1/K · N(x_n | m_k, σ²)), (N, K)."""
    return norm.logpdf(x[:, None], means, np.exp(log_scale)) - np.log(len(means))


def _log_points(x: NDArray, means: NDArray, log_scale: float) -> NDArray:
    """log p(x_n), (N,)."""
    return logsumexp(_log_joint(x, means, log_scale), axis=1)


def _with(
    likelihood: Callable | None = None,
    of_means: Callable | None = None,
    of_scale: Callable | None = None,
    jacobian: Callable | None = None,
) -> Callable[..., float]:
    """The right sum with parts of it exchanged.

    ``likelihood(x, means, s)`` gives the log-likelihood, ``of_means(means)`` and ``of_scale(σ)``
    the log priors, ``jacobian(s)`` what the change from σ to s brings.
    """

    def answer(x: NDArray, means: NDArray, log_scale: float) -> float:
        scale = np.exp(log_scale)
        points = (likelihood or (lambda *args: _log_points(*args).sum()))(x, means, log_scale)
        prior = (of_means or _of_means)(means) + (of_scale or _of_scale)(scale)
        return points + prior + (jacobian or float)(log_scale)

    return answer


def _of_means(means: NDArray) -> float:
    return float(norm.logpdf(means, 0, 10).sum())


def _of_scale(scale: float) -> float:
    return float(halfnorm.logpdf(scale, scale=2))


def _nothing(*args: object) -> float:
    return 0.0


def _prior(means: NDArray, log_scale: float) -> float:
    return _of_means(means) + _of_scale(np.exp(log_scale))


def _kernel(z: NDArray | float) -> NDArray:
    """A normal density's logarithm, without its constants."""
    return np.asarray(-0.5 * np.square(z))


MISCONCEPTIONS = (
    Misconception(
        "sum of logs",
        _with(lambda *args: _log_joint(*args).sum()),
        "You add up log densities over points *and* components, which makes every point come "
        "from every component at once. A point comes from one of them, unknown which: add up "
        "the densities over k, then take the logarithm (`logsumexp`).",
    ),
    Misconception(
        "average of logs",
        _with(lambda x, m, s: norm.logpdf(x[:, None], m, np.exp(s)).mean(axis=1).sum()),
        "You average the logarithms over the components. 1/K belongs to the densities: average "
        "those, then take the logarithm.",
    ),
    Misconception(
        "the nearest component only",
        _with(lambda *args: _log_joint(*args).max(axis=1).sum()),
        "You keep the best component of each point. That is a guess of the assignment; summed "
        "out means that all K have their share, also the improbable ones.",
    ),
    Misconception(
        "one component for all points",
        _with(lambda *args: logsumexp(_log_joint(*args).sum(axis=0))),
        "You sum over the points first and over the components afterwards: then all points "
        "come from one and the same component. Each point has its own: logsumexp over k for "
        "each point, then the sum over points.",
    ),
    Misconception(
        "wrong axis",
        _with(lambda *args: logsumexp(_log_joint(*args), axis=0).sum()),
        "Your logsumexp runs over the points. It is the components that are summed out, the "
        "axis of length K; over the points, logarithms are added.",
    ),
    Misconception(
        "logsumexp over everything",
        _with(lambda *args: logsumexp(_log_joint(*args))),
        "You add up the densities of all points. Independent points multiply, so their "
        "logarithms are added: logsumexp over k alone (`axis=1`), then a plain sum.",
    ),
    Misconception(
        "no weights",
        _with(lambda x, m, s: _log_points(x, m, s).sum() + len(x) * np.log(len(m))),
        "The weights 1/K are missing: −log K for each point. The mixture of a point would "
        "otherwise integrate to K.",
    ),
    Misconception(
        "weights once",
        _with(lambda x, m, s: _log_points(x, m, s).sum() + (len(x) - 1) * np.log(len(m))),
        "−log K is there once. Each point draws its component anew, so it comes N times.",
    ),
    Misconception(
        "no Jacobian",
        _with(jacobian=_nothing),
        "Where did σ = eˢ stretch? A stretch of s from s to s + ds holds the mass of a stretch "
        "of σ that is σ ds long, so the density of s is the density of σ times dσ/ds = eˢ: "
        "add s to the logarithm.",
    ),
    Misconception(
        "Jacobian turned round",
        _with(jacobian=lambda s: -s),
        "You take s away. The mass p(σ) dσ is to be the same in s: p(σ) dσ = p(σ) (dσ/ds) ds, "
        "and log dσ/ds = + s.",
    ),
    Misconception(
        "σ for the logarithm of the Jacobian",
        _with(jacobian=np.exp),
        "You add dσ/ds = eˢ itself. In log space its logarithm is due, which is s.",
    ),
    Misconception(
        "Jacobian N times",
        _with(lambda x, m, s: (_log_points(x, m, s) + s).sum(), jacobian=_nothing),
        "You add s for every point. It is σ that was exchanged for s, and there is one σ: add "
        "s once.",
    ),
    Misconception(
        "everything N times",
        lambda x, m, s: (_log_points(x, m, s) + _prior(m, s) + s).sum(),
        "The priors and s are inside the sum over points, so they count N times. There is one "
        "set of parameters: sum over points first, then add priors and s once.",
    ),
    Misconception(
        "priors N times",
        lambda x, m, s: (_log_points(x, m, s) + _prior(m, s)).sum() + s,
        "The log priors are inside the sum over points: a prior that counts N times. Add it "
        "once, after the sum.",
    ),
    Misconception(
        "half of the half-normal",
        _with(of_scale=lambda scale: norm.logpdf(scale, 0, 2)),
        "N(σ | 0, 2²) has half of its mass below 0, where σ cannot be. The half-normal density "
        "is twice that: log 2 is missing.",
    ),
    Misconception(
        "unit taken for the place",
        _with(of_scale=lambda scale: halfnorm.logpdf(scale, 2)),
        "In SciPy the second argument of `halfnorm.logpdf` is where the density *begins*: "
        "below σ = 2 it is 0, and its logarithm −∞. Write `halfnorm.logpdf(scale, scale=2)`.",
    ),
    Misconception(
        "variance of the means for their sd",
        _with(of_means=lambda m: norm.logpdf(m, 0, 100).sum()),
        "Your prior of the means is ten times too wide: 10² is the variance, and SciPy's "
        "`norm` asks for the standard deviation, 10.",
    ),
    Misconception(
        "square of the half-normal's unit",
        _with(of_scale=lambda scale: halfnorm.logpdf(scale, scale=4)),
        "Your prior of σ has the unit 4. In N(σ | 0, 2²) the unit is 2, and 4 its square.",
    ),
    Misconception(
        "both priors with variances",
        _with(
            lambda *args: _log_points(*args).sum(),
            lambda m: norm.logpdf(m, 0, 100).sum(),
            lambda scale: halfnorm.logpdf(scale, scale=4),
        ),
        "Both priors are too wide. N(· | 0, 10²) and N(· | 0, 2²) name variances, SciPy asks "
        "for standard deviations: 10 and 2.",
    ),
    Misconception(
        "prior of σ at s",
        _with(of_scale=lambda scale: norm.logpdf(np.log(scale), 0, 2) + np.log(2)),
        "You put s into the prior of σ. The prior was stated for σ: evaluate it at eˢ, and let "
        "the added s do the change of variables.",
    ),
    Misconception(
        "a normal prior of s",
        _with(of_scale=lambda scale: norm.logpdf(np.log(scale), 0, 2), jacobian=_nothing),
        "You give s a normal prior. That is another model (σ would be log-normal, a good one "
        "as you will see). Here σ is half-normal: its density at eˢ, plus s.",
    ),
    Misconception(
        "s for σ",
        lambda x, m, s: (
            logsumexp(norm.logpdf(x[:, None], m, s) - np.log(len(m)), axis=1).sum()
            + _of_means(m)
            + _of_scale(s)
            + s
        ),
        "You use s as the standard deviation, and it may well be negative. σ = exp(log_scale).",
    ),
    Misconception(
        "variance for sd",
        _with(lambda x, m, s: _log_points(x, m, 2 * s).sum()),
        "You hand over σ², and SciPy's `norm` asks for the standard deviation σ.",
    ),
    Misconception(
        "sd for variance",
        _with(lambda x, m, s: _log_points(x, m, s / 2).sum()),
        "You treat σ as a variance. It is the standard deviation: (x − m)² is divided by 2σ², "
        "and log σ is taken away, not half of it.",
    ),
    Misconception(
        "1/σ of the normal left out",
        _with(lambda x, m, s: _log_points(x, m, s).sum() + len(x) * s),
        "−log σ is missing for each point: without it a wide component is as high as a narrow "
        "one, and σ grows without end.",
    ),
    Misconception(
        "2π of the points left out",
        _with(lambda x, m, s: _log_points(x, m, s).sum() + len(x) * np.log(2 * np.pi) / 2),
        "−½ log 2π is missing for each point. A sampler would not notice; as a log density "
        "this is too high.",
    ),
    Misconception(
        "no constants in the priors",
        _with(of_means=lambda m: _kernel(m / 10).sum(), of_scale=lambda t: _kernel(t / 2)),
        "The constants of the priors are missing. A sampler would not notice, but a normalised "
        "density is asked for: `norm.logpdf` and `halfnorm.logpdf` have them.",
    ),
    Misconception(
        "no constants at all",
        lambda x, m, s: (
            logsumexp(_kernel((x[:, None] - m) / np.exp(s)), axis=1).sum()
            - len(x) * s
            + _kernel(m / 10).sum()
            + _kernel(np.exp(s) / 2)
            + s
        ),
        "All constants are missing: 1/K and 1/√2π of each point, and those of the priors. "
        "Where a sampler walks they do not matter; a normalised density is asked for.",
    ),
    Misconception(
        "no prior of the means",
        _with(of_means=_nothing),
        "The prior of the means is missing: the sum over k of log N(m_k | 0, 10²).",
    ),
    Misconception(
        "no prior of σ",
        _with(of_scale=_nothing),
        "The prior of σ is missing: log 2 + log N(σ | 0, 2²).",
    ),
    Misconception(
        "no priors",
        _with(of_means=_nothing, of_scale=_nothing),
        "Both priors are missing, that of the means and that of σ.",
    ),
    Misconception(
        "log-likelihood alone",
        lambda x, m, s: _log_points(x, m, s).sum(),
        "This is the log-likelihood. For the joint density of data and parameters add the log "
        "priors of the means and of σ, and s for the change of variables.",
    ),
    Misconception(
        "exponential first",
        _with(lambda *args: np.log(np.exp(_log_joint(*args)).sum(axis=1)).sum()),
        "Right on paper. A point 40 standard deviations away has the density e^(−800), which "
        "is 0 in the computer, and its logarithm −∞. Stay in log space: `logsumexp`.",
    ),
    Misconception(
        "the density",
        lambda x, m, s: np.exp(_with()(x, m, s)),
        "This is the density. Its logarithm is asked for: with forty points the density itself "
        "is too small to be worked with.",
    ),
    Misconception(
        "the sign turned",
        lambda x, m, s: -_with()(x, m, s),
        "This is the *negative* log density, as optimisers want it. Leave the sign.",
    ),
    Misconception(
        "averaged over points",
        _with(lambda *args: _log_points(*args).mean()),
        "You average over the points. Each point is a factor of the likelihood: add up their "
        "logarithms. Averaged, the prior would count N times as much.",
    ),
    Misconception(
        "a value for each point",
        lambda x, m, s: _log_points(x, m, s) + _prior(m, s) + s,
        "You return a value for each point. One number is due: the sum over points, then the "
        "priors and s.",
    ),
    Misconception(
        "a value for each mean",
        lambda x, m, s: (
            _log_points(x, m, s).sum() + norm.logpdf(m, 0, 10) + _of_scale(np.exp(s)) + s
        ),
        "You return a value for each mean. The K means are independent in the prior: sum their "
        "log densities.",
    ),
)
