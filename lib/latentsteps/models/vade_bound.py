"""VaDE's bound: the mixture as the prior of z, and three ways to treat the cluster c.

With q(z | x) from the encoder and any q(c | x) beside it, in nats an image (Jiang, Zheng, Tan, Tang
& Zhou 2017, "Variational deep embedding", *IJCAI*, section 3.2)::

    ELBO = E[log p(x | z)] + Σ_c q(c | x) (E[log π_c N(z | c)] − log q(c | x)) + H[q(z | x)]

*Optimum*: q(c | x) ∝ exp E[log π_c N(z | c)], the largest ELBO there is with this q(z | x)
(mean-field updates: Bishop 2006, equation 10.9). *Published*: E[p(c | z)], less. *Summed out*: no
q(c | x) at all, but log Σ_c π_c N(z | c), which is more than either.

All functions take and return torch tensors of any float dtype: for B images, C clusters and D
dimensions, means and log-variances of q(z | x) are (B, D), the mixture's weights (C,), its means
and variances (C, D).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_joint(z: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """log π_c N(z | m_c, diag v_c) in nats: (..., C) for z (..., D)."""
    squares = (z.unsqueeze(-2) - means) ** 2 / variances
    normaliser = weights.log() - 0.5 * (2 * math.pi * variances).log().sum(dim=-1)
    return normaliser - 0.5 * squares.sum(dim=-1)


def log_mixture_prior(z: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """log p(z) = log Σ_c π_c N(z | m_c, diag v_c) in nats: (...,) for z (..., D)."""
    return log_joint(z, weights, means, variances).logsumexp(dim=-1)


def expected_log_joint(
    mean: Tensor, log_variance: Tensor, weights: Tensor, means: Tensor, variances: Tensor
) -> Tensor:
    """E[log π_c N(z | c)] over q(z | x) in nats, (B, C): at the mean, less what the width costs."""
    width = 0.5 * log_variance.exp() @ (1 / variances).T
    return log_joint(mean, weights, means, variances) - width


def best_q(
    mean: Tensor, log_variance: Tensor, weights: Tensor, means: Tensor, variances: Tensor
) -> Tensor:
    """The q(c | x) with the largest ELBO, ∝ exp E[log π_c N(z | c)]: (B, C), rows sum to one.

    With widths of zero it is unit 03's responsibility of the mean.
    """
    return expected_log_joint(mean, log_variance, weights, means, variances).softmax(dim=-1)


def published_q(z: Tensor, weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """The published q(c | x) = E[p(c | z)], averaged over draws z (S, B, D) of q(z | x): (B, C).

    With a single draw it is what is used in training there.
    """
    return log_joint(z, weights, means, variances).softmax(dim=-1).mean(dim=0)


def minus_kl(
    mean: Tensor,
    log_variance: Tensor,
    weights: Tensor,
    means: Tensor,
    variances: Tensor,
    q: Tensor,
) -> Tensor:
    """−KL(q(z | x) q(c | x) ‖ p(z, c)) in nats, (B,), in closed form, for any q(c | x) (B, C)."""
    expected = expected_log_joint(mean, log_variance, weights, means, variances)
    return _weighted(q, expected - _log(q)) + entropy(log_variance)


def minus_kl_summed_out(
    mean: Tensor,
    log_variance: Tensor,
    weights: Tensor,
    means: Tensor,
    variances: Tensor,
    z: Tensor,
) -> Tensor:
    """−KL(q(z | x) ‖ p(z)), the clusters summed out: (..., B), an unbiased estimate from each draw
    z (..., B, D) of q(z | x), in nats.

    It is the optimum's −KL and :func:`lost` to a q(c | x) at z, so never below the former; often
    with less noise than log p(z) + H, with a wide q(z | x) it may have more. A mixture of one has
    no noise at all.
    """
    mixture = weights, means, variances
    q = best_q(mean, log_variance, *mixture)
    gain = lost(z, q, log_mixture_prior(z, *mixture), *mixture)
    return minus_kl(mean, log_variance, *mixture, q) + gain


def lost(
    z: Tensor, q: Tensor, log_prior: Tensor, weights: Tensor, means: Tensor, variances: Tensor
) -> Tensor:
    """KL(q(c | x) ‖ p(c | z)) in nats, (..., B): what a q (B, C) that knows x alone loses at z
    (..., B, D), where log p(z) is ``log_prior`` (..., B)."""
    return log_prior - _weighted(q, log_joint(z, weights, means, variances) - _log(q))


def entropy(log_variance: Tensor) -> Tensor:
    """Entropy of q(z | x) in nats, (B,)."""
    return 0.5 * (1 + math.log(2 * math.pi) + log_variance).sum(dim=-1)


def elbo(
    log_likelihood: Tensor,
    q: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    weights: Tensor,
    means: Tensor,
    variances: Tensor,
) -> Tensor:
    """VaDE's ELBO in nats, (B,), for any q(c | x) (B, C).

    ``log_likelihood`` (B,) is E[log p(x | z)], or an estimate of it.
    """
    return log_likelihood + minus_kl(mean, log_variance, weights, means, variances, q)


def _log(q: Tensor) -> Tensor:
    """log q, where far clusters have a q of 0 in float32: its gradient there would be infinite."""
    return q.clamp_min(torch.finfo(q.dtype).tiny).log()


def _weighted(q: Tensor, values: Tensor) -> Tensor:
    """Σ_c q_c values_c, where a cluster without weight, at −∞, adds nothing."""
    return torch.where(q > 0, q * values, torch.zeros_like(values)).sum(dim=-1)
