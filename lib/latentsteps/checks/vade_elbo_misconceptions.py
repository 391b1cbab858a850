"""Wrong answers to exercise 8.3 of unit 08, and the right one that they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.special import entr

from latentsteps.checks.exercise import Misconception
from latentsteps.checks.vade_normals import (
    LOG_TAU,
    entropies,
    expected_log_normals,
    log_normals,
)

Expected = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
Combined = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
Answer = Callable[..., Tensor]


def bound(
    log_likelihood: Tensor,
    q: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    weights: Tensor,
    means: Tensor,
    variances: Tensor,
) -> Tensor:
    """The right answer, (B,)."""
    joint = weights.log() + expected_log_normals(mean, log_variance, means, variances)
    return log_likelihood + (q * joint + entr(q)).sum(dim=1) + entropies(log_variance)


def _of(combine: Combined) -> Answer:
    """An answer made of: log-likelihood (B,), q (B, C), log π (C,), E[log N] (B, C), H (B,)."""

    def answer(
        ll: Tensor, q: Tensor, mean: Tensor, lv: Tensor, w: Tensor, m: Tensor, v: Tensor
    ) -> Tensor:
        return combine(ll, q, w.log(), expected_log_normals(mean, lv, m, v), entropies(lv))

    return answer


def _with(expected: Expected) -> Answer:
    """An answer that has something else for E[log N(z | c)]."""

    def answer(
        ll: Tensor, q: Tensor, mean: Tensor, lv: Tensor, w: Tensor, m: Tensor, v: Tensor
    ) -> Tensor:
        joint = w.log() + expected(mean, lv, m, v)
        return ll + (q * joint + entr(q)).sum(dim=1) + entropies(lv)

    return answer


def _then(change: Callable[..., Tensor]) -> Answer:
    """The right answer, changed in the end; ``change`` gets it and the arguments."""
    return lambda *args: change(bound(*args), *args)


def _swapped(
    ll: Tensor, q: Tensor, mean: Tensor, lv: Tensor, w: Tensor, m: Tensor, v: Tensor
) -> Tensor:
    """log Σ_c q_c exp E[log N(z | c)] in place of the mean of the logarithms."""
    fit = torch.logsumexp(q.log() + expected_log_normals(mean, lv, m, v), dim=1)
    return ll + fit + (q * w.log() + entr(q)).sum(dim=1) + entropies(lv)


MISCONCEPTIONS = (
    Misconception(
        "no entropy of z",
        _of(lambda ll, q, log_w, e, h: ll + (q * (log_w + e) + entr(q)).sum(dim=1)),
        "The entropy of q(z given x) is missing. Without it the narrowest q(z given x) is always "
        "best, and the encoder ends at points.",
    ),
    Misconception(
        "entropy of z subtracted",
        _of(lambda ll, q, log_w, e, h: ll + (q * (log_w + e) + entr(q)).sum(dim=1) - h),
        "You subtract the entropy of q(z given x). The bound has −E[log q(z given x)], which is "
        "*plus* the entropy.",
    ),
    Misconception(
        "no entropy of c",
        _of(lambda ll, q, log_w, e, h: ll + (q * (log_w + e)).sum(dim=1) + h),
        "The entropy of q(c given x) is missing, −Σ q log q. Without it a sure q is always best.",
    ),
    Misconception(
        "entropy of c subtracted",
        _of(lambda ll, q, log_w, e, h: ll + (q * (log_w + e) - entr(q)).sum(dim=1) + h),
        "You add Σ q log q, which is *minus* the entropy of q(c given x). −log q belongs inside "
        "the sum.",
    ),
    Misconception(
        "KL of c added",
        _of(lambda ll, q, log_w, e, h: ll + (q * (e - log_w) - entr(q)).sum(dim=1) + h),
        "You add KL(q(c given x) ‖ π). It is what q pays for having looked at x: subtract it.",
    ),
    Misconception(
        "no KL of c",
        _of(lambda ll, q, log_w, e, h: ll + (q * e).sum(dim=1) + h),
        "KL(q(c given x) ‖ π) = Σ q (log q − log π) is missing: q would name clusters for nothing.",
    ),
    Misconception(
        "no weights",
        _of(lambda ll, q, log_w, e, h: ll + (q * e + entr(q)).sum(dim=1) + h),
        "log π_c is missing, as if every cluster had the weight 1.",
    ),
    Misconception(
        "weights subtracted",
        _of(lambda ll, q, log_w, e, h: ll + (q * (e - log_w) + entr(q)).sum(dim=1) + h),
        "You subtract log π_c. KL(q ‖ π) = Σ q (log q − log π) is subtracted, so log π comes back "
        "with a plus.",
    ),
    Misconception(
        "weights without a logarithm",
        _of(lambda ll, q, log_w, e, h: ll + (q * (log_w.exp() + e) + entr(q)).sum(dim=1) + h),
        "You add π_c itself to log densities. Its logarithm is due.",
    ),
    Misconception(
        "KL of c reversed",
        _of(
            lambda ll, q, log_w, e, h: (
                ll + (q * e).sum(dim=1) - (log_w.exp() * (log_w - q.log())).sum(dim=1) + h
            )
        ),
        "You take off KL(π ‖ q), which is infinite wherever q is 0. The bound has KL(q ‖ π), an "
        "average under q.",
    ),
    Misconception(
        "log and mean swapped",
        _swapped,
        "You take the logarithm of Σ q exp(E[log N]). q stands *outside* the logarithm: the mean "
        "of the logarithms, Σ q E[log N(z | c)]. The other is larger, and no bound.",
    ),
    Misconception(
        "at its best q",
        _of(lambda ll, q, log_w, e, h: ll + torch.logsumexp(log_w + e, dim=1) + h),
        "This is the bound at its best q(c given x), whatever q was given. Use the q that comes "
        "in.",
    ),
    Misconception(
        "q and π multiplied",
        _of(
            lambda ll, q, log_w, e, h: (
                ll + torch.logsumexp(q.log() + log_w + e, dim=1) + entr(q).sum(dim=1) + h
            )
        ),
        "You have log Σ q π exp(E[log N]): two weights multiplied, under a logarithm. q stands "
        "outside of it, as an average: Σ q (log π + E[log N] − log q).",
    ),
    Misconception(
        "averaged under π",
        _of(
            lambda ll, q, log_w, e, h: (
                ll + (log_w.exp() * (log_w + e)).sum(dim=1) + entr(q).sum(dim=1) + h
            )
        ),
        "You weigh the clusters with π. The average is under q(c given x).",
    ),
    Misconception(
        "q left out",
        _of(lambda ll, q, log_w, e, h: ll + (log_w + e + entr(q)).sum(dim=1) + h),
        "You add up log π + E[log N] over all clusters. It is an average *under q*: multiply each "
        "by q_c.",
    ),
    Misconception(
        "the likeliest cluster",
        _of(
            lambda ll, q, log_w, e, h: (
                ll + (log_w + e).gather(1, q.argmax(dim=1, keepdim=True))[:, 0] + h
            )
        ),
        "You look at the cluster that q likes best alone. The bound is an average under all of q, "
        "with −log q for not being sure.",
    ),
    Misconception(
        "no log-likelihood",
        _of(lambda ll, q, log_w, e, h: (q * (log_w + e) + entr(q)).sum(dim=1) + h),
        "This is the −KL part alone. The log-likelihood is part of the bound.",
    ),
    Misconception(
        "log-likelihood subtracted",
        _of(lambda ll, q, log_w, e, h: (q * (log_w + e) + entr(q)).sum(dim=1) + h - ll),
        "You subtract the log-likelihood. It is given as a logarithm of a density, not as a loss: "
        "add it.",
    ),
    Misconception(
        "KL added",
        _of(lambda ll, q, log_w, e, h: ll - (q * (log_w + e) + entr(q)).sum(dim=1) - h),
        "You add the KL to the log-likelihood. It is what the bound pays: subtract it.",
    ),
    Misconception(
        "width ignored",
        _with(lambda mean, lv, m, v: log_normals(mean, m, v)),
        "You take log N at the mean of q(z given x). E[log N(z | c)] has −½ Σ σ²/v_c more: width "
        "matters.",
    ),
    Misconception(
        "log variance taken for a variance",
        _with(lambda mean, lv, m, v: log_normals(mean, m, v) - 0.5 * (lv[:, None] / v).sum(dim=2)),
        "You take `log_variance` for the variance of z. Its exponential is the variance.",
    ),
    Misconception(
        "standard deviation for the variance",
        _with(lambda mean, lv, m, v: expected_log_normals(mean, lv / 2, m, v)),
        "You take exp(½ log σ²), the standard deviation, where the variance is due: σ²/v.",
    ),
    Misconception(
        "variance squared",
        _with(lambda mean, lv, m, v: expected_log_normals(mean, 2 * lv, m, v)),
        "exp(log_variance) is the variance already. You square it.",
    ),
    Misconception(
        "width without ½",
        _with(
            lambda mean, lv, m, v: (
                2 * expected_log_normals(mean, lv, m, v) - log_normals(mean, m, v)
            )
        ),
        "The width's part lacks its ½: −½ Σ σ²/v, as with (μ − m)²/v beside it.",
    ),
    Misconception(
        "clusters' variances taken for standard deviations",
        _with(lambda mean, lv, m, v: expected_log_normals(mean, lv, m, v**2)),
        "You take `variances` for standard deviations and square them. They are variances.",
    ),
    Misconception(
        "no log variances of the clusters",
        _with(
            lambda mean, lv, m, v: expected_log_normals(mean, lv, m, v) + 0.5 * v.log().sum(dim=1)
        ),
        "−½ Σ log v_c is missing: without it the widest cluster costs nothing.",
    ),
    Misconception(
        "2π in the entropy alone",
        _with(
            lambda mean, lv, m, v: expected_log_normals(mean, lv, m, v) + 0.5 * LOG_TAU * m.shape[1]
        ),
        "log 2π is in the entropy of q(z given x) and not in log N, where it would cancel. Put it "
        "in both, or leave it out of both.",
    ),
    Misconception(
        "2π in the densities alone",
        _then(lambda value, ll, q, mean, *_: value - 0.5 * LOG_TAU * mean.shape[1]),
        "log 2π is in log N and not in the entropy of q(z given x), where it would cancel. Put it "
        "in both, or leave it out of both.",
    ),
    Misconception(
        "no 1 in the entropy",
        _then(lambda value, ll, q, mean, *_: value - 0.5 * mean.shape[1]),
        "The entropy of a normal is ½ (1 + log 2π + log σ²) for each coordinate. The 1 is missing.",
    ),
    Misconception(
        "log variances whole in the entropy",
        _then(lambda value, ll, q, mean, lv, *_: value + 0.5 * lv.sum(dim=1)),
        "The entropy of z has ½ log σ² for each coordinate, and yours log σ².",
    ),
    Misconception(
        "zero times infinity",
        _of(lambda ll, q, log_w, e, h: ll + (q * (log_w + e - q.log())).sum(dim=1) + h),
        "The formula is right. Where q is 0, log q is −∞, and 0 · ∞ is not a number; q log q goes "
        "to 0 with q. `torch.special.entr` is −q log q and knows that, `torch.xlogy(q, q)` too.",
    ),
    Misconception(
        "detached",
        _then(lambda value, *_: value.detach()),
        "The numbers are right, but no gradient goes through them: nothing would be learned. Leave "
        "`detach`, `torch.no_grad`, `.item()`, `.numpy()` and `torch.tensor(…)` out of it.",
    ),
    Misconception(
        "mixture detached",
        lambda ll, q, mean, lv, w, m, v: bound(ll, q, mean, lv, w.detach(), m.detach(), v.detach()),
        "The numbers are right, but no gradient reaches the mixture: it would stay where it began.",
    ),
    Misconception(
        "a loss",
        _then(lambda value, *_: -value),
        "This is minus the bound, as a minimiser wants it. The bound itself is asked for.",
    ),
    Misconception(
        "base 2",
        _then(lambda value, *_: value / math.log(2)),
        "These are bits. The course counts in nats: the natural logarithm.",
    ),
    Misconception(
        "added up over images",
        _then(lambda value, *_: value.sum()),
        "You add up over the batch. One bound for each image is due.",
    ),
    Misconception(
        "average over images",
        _then(lambda value, *_: value.mean()),
        "You average over the batch. One bound for each image is due: the training takes the mean.",
    ),
    Misconception(
        "a term for each cluster",
        _of(lambda ll, q, log_w, e, h: ll[:, None] + q * (log_w + e) + entr(q) + h[:, None]),
        "You have a number for each image and cluster. Add up over the clusters, dim=1, and then "
        "log-likelihood and entropy of z, once for each image.",
    ),
    Misconception(
        "log-likelihood for each cluster",
        _of(lambda ll, q, log_w, e, h: (ll[:, None] + q * (log_w + e) + entr(q)).sum(dim=1) + h),
        "You add the log-likelihood inside the sum over clusters, without q: so it counts C times.",
    ),
)
