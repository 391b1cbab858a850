"""Autoencoder: a code for each image that a decoder can undo, and nothing else asked of it.

The VAE's network without its noise and its KL: a code is a point, and what is minimised is the
distortion alone, −log p(x | code). Nothing says where a new code could be drawn, and nothing bounds
log p(x).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor, nn

from latentsteps.inference.training import TrainingState, module_at, one_thread, training
from latentsteps.models.images import (
    as_pixels,
    as_tensor,
    binarised,
    check_binarisation,
    chunks,
    encoder_and_decoder,
    probabilities,
    sizes_of,
)
from latentsteps.models.vae import log_bernoulli
from latentsteps.trace import Algorithm


class Autoencoder(nn.Module):
    """Encoder and decoder around a code; sizes as in :class:`latentsteps.models.vae.VAE`."""

    def __init__(
        self, hidden: int | Sequence[int] = 400, latent: int = 32, pixels: int = 784
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder_and_decoder(hidden, latent, pixels)
        self.code = nn.Linear(hidden if isinstance(hidden, int) else hidden[-1], latent)

    def encode(self, x: Tensor) -> Tensor:
        """The code (B, D) of pixels (B, P) from 0 to 1."""
        return self.code(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Logits (..., P) of the pixels at a code (..., D)."""
        return self.decoder(z)


def autoencoder(
    hidden: int | Sequence[int] = 400,
    latent: int = 32,
    *,
    binarise: str = "sampled",
    pixels: int = 784,
    **settings: Any,
) -> Algorithm:
    """Training of an :class:`Autoencoder` on images (N, P), uint8.

    The info's objective is the distortion in nats an image, and so is its one term.

    Parameters
    ----------
    hidden, latent, pixels: the network's sizes.
    binarise: how greys become pixels, see :func:`latentsteps.models.images.binarised`.
    settings: those of :func:`latentsteps.inference.training.training`.
    """
    check_binarisation(binarise)

    def loss(network: Any, rows: Tensor, noise: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = binarised(rows, binarise, noise)
        distortion = -log_bernoulli(x, network.decode(network.encode(x)))
        return distortion, {"distortion": distortion}

    settings.setdefault("name", "autoencoder")
    return training(lambda _: Autoencoder(hidden, latent, pixels), loss, **settings)


def autoencoder_at(state: TrainingState | Mapping[str, NDArray]) -> Autoencoder:
    """The network of a state of :func:`autoencoder`, or of parameters that were loaded: in eval
    mode, without gradients. Raises ValueError where they are another model's."""
    sizes = sizes_of(state.parameters if isinstance(state, TrainingState) else state)
    return module_at(lambda _: Autoencoder(**sizes), state)


@torch.no_grad()
def codes(network: Autoencoder, images: ArrayLike, *, chunk: int = 1000) -> NDArray[np.float32]:
    """The code of each image, (N, D).

    ``images`` (N, P) are uint8 greys, taken over 255, or pixels from 0 to 1; ``chunk`` of them go
    through the network at a time.
    """
    with one_thread():
        parts = [
            network.encode(as_tensor(network, part)) for part in chunks(as_pixels(images), chunk)
        ]
    return torch.cat(parts).cpu().numpy()


def reconstruct(network: Autoencoder, images: ArrayLike) -> NDArray[np.float32]:
    """Probability of each pixel, (N, P), at each image's code; ``images`` as in :func:`codes`."""
    return probabilities(network, codes(network, images))
