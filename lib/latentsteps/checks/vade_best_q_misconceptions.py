"""Wrong answers to exercise 8.2 of unit 08, and the right one that they are made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from latentsteps.checks.exercise import Misconception
from latentsteps.checks.vade_normals import (
    LOG_TAU,
    entropies,
    expected_log_normals,
    log_normals,
)

Answer = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def shares(
    mean: Tensor, log_variance: Tensor, weights: Tensor, means: Tensor, variances: Tensor
) -> Tensor:
    """The right answer, (B, C)."""
    expected = expected_log_normals(mean, log_variance, means, variances)
    return (weights.log() + expected).softmax(dim=1)


def _by(expected: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Answer:
    """An answer that has something else for E[log N(z | c)], (B, C)."""

    def answer(mean: Tensor, log_variance: Tensor, w: Tensor, m: Tensor, v: Tensor) -> Tensor:
        return (w.log() + expected(mean, log_variance, m, v)).softmax(dim=1)

    return answer


def _of(combine: Callable[[Tensor, Tensor], Tensor]) -> Answer:
    """An answer from the weights (C,) and E[log N(z | c)] (B, C)."""
    return lambda mean, log_variance, w, m, v: combine(
        w, expected_log_normals(mean, log_variance, m, v)
    )


def _at_draws(draws: int) -> Answer:
    """The average of p(c | z) over draws; drawn alike at every check."""

    def answer(mean: Tensor, log_variance: Tensor, w: Tensor, m: Tensor, v: Tensor) -> Tensor:
        total = torch.zeros(len(mean), len(w), dtype=mean.dtype)
        for _ in range(draws):
            z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
            total = total + (w.log() + log_normals(z, m, v)).softmax(dim=1)
        return total / draws

    return answer


def _wide(mean: Tensor, log_variance: Tensor, m: Tensor, v: Tensor) -> Tensor:
    """log E[N(z | c)], (B, C): the variances add up."""
    spread = v + log_variance.exp()[:, None]
    return -0.5 * (LOG_TAU + spread.log() + (mean[:, None] - m) ** 2 / spread).sum(dim=2)


def _minus_reversed_kl(mean: Tensor, log_variance: Tensor, m: Tensor, v: Tensor) -> Tensor:
    """−KL(N(z | c) ‖ q(z | x)), (B, C)."""
    s = log_variance.exp()[:, None]
    ratio = (v + (mean[:, None] - m) ** 2) / s
    return -0.5 * (ratio - 1 - v.log() + log_variance[:, None]).sum(dim=2)


MISCONCEPTIONS = (
    Misconception(
        "μ only",
        _by(lambda mean, lv, m, v: log_normals(mean, m, v)),
        "You ask for the clusters' shares at the mean alone: unit 03's responsibility. Width "
        "matters: E[log N(z | c)] has −½ Σ σ²/v_c more, the variances of z in units of the "
        "cluster's. A wide z is dear in a narrow cluster.",
    ),
    Misconception(
        "one draw",
        _at_draws(1),
        "You draw one z and take p(c given z), as the published code does. The best q does not "
        "depend on a draw: the mean of log N(z | c) has a closed form.",
    ),
    Misconception(
        "average of p(c given z)",
        _at_draws(200),
        "This is the published q, the average of p(c given z) over draws of z, but not the "
        "optimum. Take the mean of log N(z | c) first, which has a closed form, and the shares "
        "after that.",
    ),
    Misconception(
        "log and mean swapped",
        _by(_wide),
        "You have log E[N(z | c)], a density of variance v + σ². The ELBO has the mean of the "
        "*logarithm*, E[log N(z | c)]: the logarithm at the mean, less ½ Σ σ²/v.",
    ),
    Misconception(
        "weights forgotten",
        _of(lambda w, expected: expected.softmax(dim=1)),
        "π_c is missing: a rare cluster needs stronger evidence. Add log π_c before the softmax.",
    ),
    Misconception(
        "weights twice",
        _of(lambda w, expected: (2 * w.log() + expected).softmax(dim=1)),
        "π_c comes in twice: once in the exponent, as log π_c, is due.",
    ),
    Misconception(
        "weights without a logarithm",
        _of(lambda w, expected: (w + expected).softmax(dim=1)),
        "You add the weight to a log density. In the exponent it is its logarithm, log π_c.",
    ),
    Misconception(
        "log variance taken for a variance",
        _by(lambda mean, lv, m, v: log_normals(mean, m, v) - 0.5 * (lv[:, None] / v).sum(dim=2)),
        "You take `log_variance` for the variance of z. Its exponential is the variance.",
    ),
    Misconception(
        "standard deviation for the variance",
        _by(lambda mean, lv, m, v: expected_log_normals(mean, lv / 2, m, v)),
        "You take exp(½ log σ²), the standard deviation, where the variance is due: σ²/v.",
    ),
    Misconception(
        "variance squared",
        _by(lambda mean, lv, m, v: expected_log_normals(mean, 2 * lv, m, v)),
        "exp(log_variance) is the variance already. You square it.",
    ),
    Misconception(
        "width without ½",
        _by(
            lambda mean, lv, m, v: (
                2 * expected_log_normals(mean, lv, m, v) - log_normals(mean, m, v)
            )
        ),
        "The width's part lacks its ½: −½ Σ σ²/v, as with (μ − m)²/v beside it.",
    ),
    Misconception(
        "width added",
        _by(
            lambda mean, lv, m, v: (
                2 * log_normals(mean, m, v) - expected_log_normals(mean, lv, m, v)
            )
        ),
        "You add the width's part. E[(z − m)²] = (μ − m)² + σ², and both are under the minus sign.",
    ),
    Misconception(
        "clusters' variances taken for standard deviations",
        _by(lambda mean, lv, m, v: expected_log_normals(mean, lv, m, v**2)),
        "You take `variances` for standard deviations and square them. They are variances.",
    ),
    Misconception(
        "clusters' variances taken for their logarithms",
        _by(lambda mean, lv, m, v: expected_log_normals(mean, lv, m, v.exp())),
        "You take the exponential of `variances`. The clusters' are variances; what comes as a "
        "logarithm is q(z given x)'s.",
    ),
    Misconception(
        "no log variances of the clusters",
        _by(lambda mean, lv, m, v: expected_log_normals(mean, lv, m, v) + 0.5 * v.log().sum(dim=1)),
        "−½ Σ log v_c is missing, and it differs from cluster to cluster: without it the widest "
        "cluster always wins.",
    ),
    Misconception(
        "log variances of the clusters whole",
        _by(lambda mean, lv, m, v: expected_log_normals(mean, lv, m, v) - 0.5 * v.log().sum(dim=1)),
        "You take off log v_c. It is ½ log v_c: the density is over √v.",
    ),
    Misconception(
        "divergence reversed",
        _by(_minus_reversed_kl),
        "You have exp(−KL(cluster ‖ q(z given x))). The other direction is right: the mean is "
        "taken over q(z given x).",
    ),
    Misconception(
        "distance alone",
        _by(lambda mean, lv, m, v: -0.5 * ((mean[:, None] - m) ** 2).sum(dim=2)),
        "You go by plain distances. Each cluster measures in units of its own variances.",
    ),
    Misconception(
        "mean over coordinates",
        _by(lambda mean, lv, m, v: expected_log_normals(mean, lv, m, v) / m.shape[1]),
        "You average over the coordinates. Log densities of independent coordinates add up; "
        "averaged, q is far too undecided.",
    ),
    Misconception(
        "softmax over images",
        _of(lambda w, expected: (w.log() + expected).softmax(dim=0)),
        "You share each *cluster* out over the images. Each image shares itself out over the "
        "clusters: softmax with dim=1.",
    ),
    Misconception(
        "softmax twice",
        _of(lambda w, expected: (w.log() + expected).softmax(dim=1).softmax(dim=1)),
        "You send shares through softmax once more, and they are all but equal then. Once is "
        "enough.",
    ),
    Misconception(
        "exponential first",
        _of(
            lambda w, expected: (w * expected.exp()) / (w * expected.exp()).sum(dim=1, keepdim=True)
        ),
        "Right on paper. Far from all clusters every exponential is 0 in the computer, and 0/0 is "
        "not a number. Stay in logarithms until softmax, which takes the largest off first.",
    ),
    Misconception(
        "a small number below the line",
        _of(
            lambda w, expected: (
                (w * expected.exp()) / ((w * expected.exp()).sum(dim=1, keepdim=True) + 1e-10)
            )
        ),
        "A small number below the line keeps it from being 0/0, and far from all clusters the "
        "shares add up to 0. Stay in logarithms until softmax.",
    ),
    Misconception(
        "the likeliest cluster",
        _of(
            lambda w, expected: torch.nn.functional.one_hot(
                (w.log() + expected).argmax(dim=1), len(w)
            ).to(w.dtype)
        ),
        "You give each image to its likeliest cluster. A hard q has no entropy, and the soft one "
        "has the larger ELBO.",
    ),
    Misconception(
        "logarithms",
        _of(lambda w, expected: (w.log() + expected).log_softmax(dim=1)),
        "These are log q. The probabilities are asked for: softmax in place of log_softmax.",
    ),
    Misconception(
        "not normalised",
        _of(lambda w, expected: w.log() + expected),
        "These are the exponents, E[log π_c N(z | c)]. Each row goes through softmax.",
    ),
    Misconception(
        "entropy of z for each cluster",
        lambda mean, lv, w, m, v: (
            w.log() + expected_log_normals(mean, lv, m, v) + entropies(lv)[:, None]
        ),
        "These are −KL of q(z given x) from each cluster, plus log π_c. As exponents they will do, "
        "and each row has yet to go through softmax.",
    ),
)
