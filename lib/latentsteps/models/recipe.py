"""A recipe for a VAE whose loss falls for ever: what becomes of cross-entropy outside [0, 1].

The pixels are normalised to [−1, 1], and the version of the binary cross-entropy that takes logits
does not look at what it is given. For a pixel x and a logit l it is log(1 + eˡ) − x l, which for
x < 0 has no lowest value: it falls by |x| with each unit that l falls. It is no likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Generator, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from latentsteps.inference.training import training
from latentsteps.models.vae import VAE, kl_by_dimension, sample
from latentsteps.trace import Algorithm


def normalised(rows: Tensor) -> Tensor:
    """Greys from 0 to 255 as float32 numbers from −1 to 1."""
    return rows.float() / 127.5 - 1


def recipe(hidden: int | Sequence[int] = 400, latent: int = 32, **settings: Any) -> Algorithm:
    """Training of a :class:`latentsteps.models.vae.VAE` on images (N, 784), uint8, by that loss.

    The info's objective is cross-entropy plus KL, its terms are ``"distortion"`` and ``"rate"``;
    ``vae_at`` makes a network of a state. ``hidden`` and ``latent`` are the network's sizes, the
    ``settings`` those of :func:`latentsteps.inference.training.training`.
    """

    def loss(network: Any, rows: Tensor, noise: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = normalised(rows)
        mean, log_variance = network.encode(x)
        logits = network.decode(sample(mean, log_variance, noise))
        wrong = binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=1)
        rate = kl_by_dimension(mean, log_variance).sum(dim=1)
        return wrong + rate, {"distortion": wrong, "rate": rate}

    settings.setdefault("name", "the recipe, repaired")
    return training(lambda _: VAE(hidden, latent), loss, **settings)
