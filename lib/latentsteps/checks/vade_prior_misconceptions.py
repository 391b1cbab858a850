"""Wrong answers to exercise 8.1 of unit 08, and the right one that they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from latentsteps.checks.exercise import Misconception
from latentsteps.checks.vade_normals import LOG_TAU, log_normals, squares

Answer = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def log_prior(z: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """The right answer, (B,)."""
    return torch.logsumexp(weights.log() + log_normals(z, means, variances), dim=1)


def _of(
    combine: Callable[[Tensor, Tensor], Tensor],
    log_density: Callable[[Tensor, Tensor, Tensor], Tensor] = log_normals,
) -> Answer:
    """An answer from the weights (C,) and log densities (B, C)."""
    return lambda z, weights, means, variances: combine(weights, log_density(z, means, variances))


def _mixed(weights: Tensor, logs: Tensor) -> Tensor:
    return torch.logsumexp(weights.log() + logs, dim=1)


def _by_coordinate(z: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    each = -0.5 * (LOG_TAU + variances.log() + squares(z, means, variances))
    return torch.logsumexp(weights.log()[:, None] + each, dim=1).sum(dim=1)


def _one_normal(z: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    middle = (weights[:, None] * means).sum(dim=0)
    spread = (weights[:, None] * (variances + means**2)).sum(dim=0) - middle**2
    return log_normals(z, middle[None], spread[None])[:, 0]


def _mean_normal(z: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    middle, spread = (weights[:, None] * part for part in (means, variances))
    return log_normals(z, middle.sum(dim=0)[None], spread.sum(dim=0)[None])[:, 0]


MISCONCEPTIONS = (
    Misconception(
        "mean of the logarithms",
        _of(lambda w, logs: (w * logs).sum(dim=1)),
        "You average the clusters' *log* densities. A mixture averages densities, and takes the "
        "logarithm then: log Σ π N, not Σ π log N.",
    ),
    Misconception(
        "sum of the logarithms",
        _of(lambda w, logs: (w.log() + logs).sum(dim=1)),
        "You add up the logarithms of all clusters, so you multiply their densities: as if z came "
        "from all at once. It comes from one: the logarithm of a sum, torch.logsumexp.",
    ),
    Misconception(
        "no weights",
        _of(lambda w, logs: torch.logsumexp(logs, dim=1)),
        "The weights are missing, and the density integrates to C. Add log π_c to each log "
        "density.",
    ),
    Misconception(
        "weights twice",
        _of(lambda w, logs: torch.logsumexp(2 * w.log() + logs, dim=1)),
        "π_c comes in twice. Each density is multiplied by its weight once, and the density then "
        "integrates to 1.",
    ),
    Misconception(
        "equal weights",
        _of(lambda w, logs: torch.logsumexp(logs, dim=1) - math.log(len(w))),
        "You give all clusters the same weight. Each counts by its own π_c.",
    ),
    Misconception(
        "weights without a logarithm",
        _of(lambda w, logs: torch.logsumexp(w + logs, dim=1)),
        "You add the weight to a log density. Inside a logarithm factors become sums of "
        "*logarithms*: log π + log N.",
    ),
    Misconception(
        "weights times logarithms",
        _of(lambda w, logs: torch.logsumexp(w * logs, dim=1)),
        "You multiply a log density by its weight. π N has the logarithm log π + log N.",
    ),
    Misconception(
        "weights through softmax",
        _of(lambda w, logs: torch.logsumexp(w.log_softmax(dim=0) + logs, dim=1)),
        "You send the weights through softmax. They are probabilities already, and add up to one.",
    ),
    Misconception(
        "one spread for all",
        lambda z, w, means, v: log_prior(z, w, means, v.mean(dim=0).expand_as(v)),
        "All your clusters share their average variances. Each has its own: a row of `variances`.",
    ),
    Misconception(
        "the first cluster's spread",
        lambda z, w, means, v: log_prior(z, w, means, v[:1].expand_as(v)),
        "All your clusters have the first one's variances. Each has its own: a row of `variances`.",
    ),
    Misconception(
        "variances ignored",
        lambda z, w, means, v: log_prior(z, w, means, torch.ones_like(v) + 0 * v),
        "All your clusters are of width 1, as the VAE's prior was. Use `variances`.",
    ),
    Misconception(
        "round clusters",
        lambda z, w, means, v: log_prior(z, w, means, v.mean(dim=1, keepdim=True).expand_as(v)),
        "You give each cluster one variance for all coordinates. Each coordinate has its own.",
    ),
    Misconception(
        "variances taken for standard deviations",
        lambda z, w, means, v: log_prior(z, w, means, v**2),
        "You take `variances` for standard deviations and square them. `torch.distributions.Normal`"
        " wants the standard deviation: variances.sqrt().",
    ),
    Misconception(
        "variances taken for their logarithms",
        lambda z, w, means, v: log_prior(z, w, means, v.exp()),
        "You take the exponential of `variances`. They are variances here, not logarithms of such.",
    ),
    Misconception(
        "root in the exponent",
        _of(
            _mixed,
            lambda z, m, v: (
                -0.5 * (LOG_TAU + v.log() + (z[:, None] - m) ** 2 / v.sqrt()).sum(dim=2)
            ),
        ),
        "In the exponent you divide by the standard deviation. It is (z − m)² over the *variance*.",
    ),
    Misconception(
        "no ½ in the exponent",
        _of(_mixed, lambda z, m, v: (-0.5 * (LOG_TAU + v.log()) - squares(z, m, v)).sum(dim=2)),
        "The ½ before (z − m)²/v is missing.",
    ),
    Misconception(
        "no log variances",
        _of(_mixed, lambda z, m, v: -0.5 * (LOG_TAU + squares(z, m, v)).sum(dim=2)),
        "−½ log v is missing. Without it a wide cluster is as high as a narrow one, and wider "
        "always wins.",
    ),
    Misconception(
        "log variances whole",
        _of(_mixed, lambda z, m, v: log_normals(z, m, v) - 0.5 * v.log().sum(dim=1)),
        "You take off log v. It is ½ log v: the density is over √v.",
    ),
    Misconception(
        "2π missing",
        _of(_mixed, lambda z, m, v: -0.5 * (v.log() + squares(z, m, v)).sum(dim=2)),
        "−½ log 2π is missing, once for each coordinate. No gradient notices; a bound in nats "
        "does.",
    ),
    Misconception(
        "2π once",
        _of(_mixed, lambda z, m, v: log_normals(z, m, v) + (m.shape[1] - 1) * LOG_TAU / 2),
        "−½ log 2π is taken off once. Each of the D coordinates has one.",
    ),
    Misconception(
        "mean over coordinates",
        _of(_mixed, lambda z, m, v: log_normals(z, m, v) / m.shape[1]),
        "You average over the coordinates. Independent coordinates *add* their log densities.",
    ),
    Misconception(
        "a mixture for each coordinate",
        _by_coordinate,
        "You mix within each coordinate and add those up: then each coordinate picks a cluster of "
        "its own, and between the clusters there are ghosts. One c for all of z: first the sum "
        "over D, then the mixture.",
    ),
    Misconception(
        "the best cluster",
        _of(lambda w, logs: (w.log() + logs).max(dim=1).values),
        "You take the largest of the π N. A density is their sum: torch.logsumexp.",
    ),
    Misconception(
        "the mean of the clusters",
        _mean_normal,
        "You make one normal of average means and variances. A mixture averages densities; "
        "between its clusters it may be all but empty.",
    ),
    Misconception(
        "one normal with the mixture's moments",
        _one_normal,
        "You replace the mixture by the one normal of its mean and variances: highest between the "
        "clusters, where no z is.",
    ),
    Misconception(
        "exponential first",
        _of(lambda w, logs: (w * logs.exp()).sum(dim=1).log()),
        "Right on paper. Far from all clusters, or in many dimensions, every density is 0 in the "
        "computer, and its logarithm −∞. Stay in logarithms: torch.logsumexp.",
    ),
    Misconception(
        "exponential and a small number",
        _of(lambda w, logs: ((w * logs.exp()).sum(dim=1) + 1e-10).log()),
        "A small number under the logarithm keeps it finite, but far out every z scores alike, and "
        "no gradient points home. Stay in logarithms: torch.logsumexp.",
    ),
    Misconception(
        "detached",
        lambda *args: log_prior(*args).detach(),
        "The numbers are right, but no gradient goes through them: the prior would never be "
        "learned. Leave `detach`, `torch.no_grad`, `.item()`, `.numpy()` and `torch.tensor(…)` "
        "out of it.",
    ),
    Misconception(
        "weights detached",
        lambda z, w, means, v: log_prior(z, w.detach(), means, v),
        "The numbers are right, but no gradient reaches the weights: they would never be learned.",
    ),
    Misconception(
        "the density",
        _of(lambda w, logs: _mixed(w, logs).exp()),
        "These are densities. Their logarithms are asked for.",
    ),
    Misconception(
        "base 2",
        _of(lambda w, logs: _mixed(w, logs) / math.log(2)),
        "These are bits. The course counts in nats: the natural logarithm.",
    ),
    Misconception(
        "a loss",
        _of(lambda w, logs: -_mixed(w, logs)),
        "The sign is that of a loss. The log density itself is asked for.",
    ),
    Misconception(
        "added up over rows",
        _of(lambda w, logs: _mixed(w, logs).sum()),
        "You add up over the batch. One number for each row of z is due.",
    ),
    Misconception(
        "averaged over rows",
        _of(lambda w, logs: _mixed(w, logs).mean()),
        "You average over the batch. One number for each row of z is due.",
    ),
    Misconception(
        "mixed over rows",
        _of(lambda w, logs: torch.logsumexp(w.log() + logs, dim=0)),
        "You sum over the batch and keep the clusters. It is the other way round: clusters are "
        "axis 1.",
    ),
    Misconception(
        "not mixed",
        _of(lambda w, logs: w.log() + logs),
        "You have log π N for each cluster. Sum over them: torch.logsumexp with dim=1.",
    ),
    Misconception(
        "which cluster",
        _of(lambda w, logs: (w.log() + logs).softmax(dim=1)),
        "These are the clusters' shares of z, p(c given z). Asked for is the logarithm of what "
        "they were divided by, log p(z).",
    ),
)
