"""Importance-weighted bound: log p(x) from several draws of q at once, tighter than the ELBO.

With z_1 ... z_k drawn from q(z | x)::

    L_k = log (1/k) Σ_i p(x, z_i) / q(z_i | x),   ELBO = E L_1 ≤ E L_2 ≤ ... ≤ log p(x)

(Burda, Grosse & Salakhutdinov 2016, "Importance weighted autoencoders", equation 8 and theorem 1).
The order is one of expectations: a single estimate at k = 50 may lie below one at k = 5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from latentsteps.inference.training import one_thread
from latentsteps.models.images import as_tensor


def importance_weighted(
    network: Any, images: ArrayLike, k: int, seed: int, *, chunk: int = 500
) -> NDArray[np.float64]:
    """An estimate of log p(x) from below for each image, L_k from one set of k draws: (N,), nats.

    Parameters
    ----------
    network: a VAE, or anything with ``encode(x) -> (mean, log_variance)`` of a normal q,
        ``log_likelihood(x, z)`` and ``log_prior(z)``, on tensors; it works where the network is.
    images: (N, P), 0 or 1. A bound on greys would be none: draw black and white pixels first.
    k: draws of z for each image.
    seed: of the draws. Each image has a stream of its own: the draws of k = 5 are the first five of
        k = 50, and depend neither on ``chunk`` nor on the images after it.
    chunk: how many draws go through the decoder at a time. Memory does not grow with k.

    Raises ValueError for images of another kind, and a k or chunk below 1.
    """
    if min(k, chunk) < 1:
        raise ValueError(f"k is {k} and chunk {chunk}; both are at least 1")
    x = _binary(images)
    total = np.full(len(x), -np.inf)
    images_at_once = max(1, chunk // k)
    for first in range(0, len(x), images_at_once):
        rows = slice(first, min(first + images_at_once, len(x)))
        streams = [np.random.default_rng([seed, n]) for n in range(rows.start, rows.stop)]
        with torch.no_grad(), one_thread():
            pixels = as_tensor(network, x[rows])
            mean, log_variance = network.encode(pixels)
            for begin in range(0, k, chunk):
                shape = (min(chunk, k - begin), mean.shape[1])
                noise = np.stack([some.standard_normal(shape, np.float32) for some in streams], 1)
                ε = as_tensor(network, noise)
                z = mean + torch.exp(0.5 * log_variance) * ε
                log_q = -0.5 * (ε**2 + log_variance + np.log(2 * np.pi)).sum(-1)
                weights = network.log_likelihood(pixels, z) + network.log_prior(z) - log_q
                part = logsumexp(weights.double().cpu().numpy(), axis=0)
                total[rows] = np.logaddexp(total[rows], part)
    return total - np.log(k)


def _binary(images: ArrayLike) -> NDArray:
    x = np.asarray(images)
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"the images have shape {x.shape}; they are (N, pixels), one a row")
    if not ((x == 0) | (x == 1)).all():
        raise ValueError(
            "the images hold more than 0 and 1, and of greys there is no likelihood to bound; "
            "binarize_by_sampling(images, seed) makes black and white ones"
        )
    return x
