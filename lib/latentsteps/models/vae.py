"""Variational autoencoder: a network that describes an image by a few hidden numbers, and back.

The model of an image x of black and white pixels::

    z ~ N(0, I),   x_p ~ Bernoulli(sigmoid(logit_p(z)))

The decoder gives the logits. A second network, the encoder, gives for each x a normal q(z | x) with
independent coordinates in place of the posterior, and both climb the evidence lower bound (Kingma
& Welling 2014, "Auto-encoding variational Bayes", equation 3)::

    ELBO = E_q[log p(x | z)] − β KL(q(z | x) ‖ N(0, I)) = −(distortion + β rate)

with β = 1. With β > 1 it is a looser bound on log p(x), with β < 1 none (β: Higgins et al. 2017,
"β-VAE: learning basic visual concepts with a constrained variational framework"). Gradients reach
the encoder through z = mean + sd · noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional

from latentsteps.inference.training import (
    TrainingState,
    generator,
    module_at,
    one_thread,
    training,
)
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
from latentsteps.trace import Algorithm


class VAE(nn.Module):
    """Encoder and decoder, each with a layer of ReLU units, or several, between pixels and z.

    Parameters
    ----------
    hidden: how many units; or how many in each layer, from the pixels' side on.
    latent: D, how many numbers z has.
    pixels: P, how many an image has.
    """

    def __init__(
        self, hidden: int | Sequence[int] = 400, latent: int = 32, pixels: int = 784
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder_and_decoder(hidden, latent, pixels)
        units = hidden if isinstance(hidden, int) else hidden[-1]
        self.mean = nn.Linear(units, latent)
        self.log_variance = nn.Linear(units, latent)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each (B, D), of pixels (B, P) from 0 to 1."""
        units = self.encoder(x)
        return self.mean(units), self.log_variance(units)

    def decode(self, z: Tensor) -> Tensor:
        """Logits (..., P) of the pixels at z (..., D)."""
        return self.decoder(z)

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x | z) in nats, (...,): x (..., P) and z (..., D), broadcast."""
        return log_bernoulli(x, self.decode(z))

    def log_prior(self, z: Tensor) -> Tensor:
        """log N(z | 0, I) in nats, (...,), of z (..., D)."""
        return -0.5 * (z**2 + np.log(2 * np.pi)).sum(-1)


def kl_by_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL of N(mean, exp(log_variance)) from N(0, 1) in nats, entry by entry: the shape of both
    (Kingma & Welling 2014, appendix B)."""
    # expm1: near the prior exp(v) − 1 − v would lose the few digits that are left of it.
    return 0.5 * (mean**2 + torch.expm1(log_variance) - log_variance)


def sample(mean: Tensor, log_variance: Tensor, generator: Generator) -> Tensor:
    """A draw from each N(mean, exp(log_variance)), the shape of both; gradients reach both
    (Kingma & Welling 2014, section 2.4)."""
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    return mean + torch.exp(0.5 * log_variance) * noise


def log_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x | z) in nats, (...,): summed over the pixels of x and logits (..., P), broadcast.

    A grey pixel x gets x log λ + (1 − x) log(1 − λ), the cross-entropy, which is no likelihood:
    ∫₀¹ λˣ(1 − λ)¹⁻ˣ dx < 1. Raises ValueError where x leaves [0, 1]: out there it has no bound.
    """
    low, high = x.aminmax()
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"x goes from {float(low):.3g} to {float(high):.3g}; pixels lie between 0 and 1, and "
            "outside the cross-entropy has no lowest value"
        )
    x, logits = torch.broadcast_tensors(x, logits)
    return -functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def elbo(
    x: Tensor, logits: Tensor, mean: Tensor, log_variance: Tensor, beta: float = 1.0
) -> Tensor:
    """The ELBO of each image in nats, (B,), estimated from one draw of z.

    x and logits are (B, P), mean and log_variance (B, D); ``beta`` weighs the KL.
    """
    return log_bernoulli(x, logits) - beta * kl_by_dimension(mean, log_variance).sum(-1)


OURS = elbo, sample


def vae(
    hidden: int | Sequence[int] = 400,
    latent: int = 32,
    *,
    beta: float = 1.0,
    binarise: str = "sampled",
    elbo: Callable[..., Tensor] = elbo,
    sample: Callable[[Tensor, Tensor, Generator], Tensor] = sample,
    pixels: int = 784,
    **settings: Any,
) -> Algorithm:
    """Training of a :class:`VAE` on images (N, P), uint8.

    The info's objective is −ELBO, its terms are ``"distortion"``, −log p(x | z), and ``"rate"``,
    the KL; of greys they are nats of no likelihood.

    Parameters
    ----------
    hidden, latent, pixels: the network's sizes.
    beta: weight of the KL, 0 or more.
    binarise: how greys become pixels, see :func:`latentsteps.models.images.binarised`.
    elbo, sample: what is climbed, and what draws z: those above, or your own. With one of your own
        training stays on the CPU unless ``device`` says otherwise, since it may make its noise
        there.
    settings: ``batch_size``, ``batches``, ``learning_rate``, ``look``, ``device``, ``name`` of
        :func:`latentsteps.inference.training.training`.

    Raises ValueError for arguments out of range.
    """
    check_binarisation(binarise)
    if not beta >= 0:
        raise ValueError(f"beta is {beta}; it is 0 or more")

    def loss(network: Any, rows: Tensor, noise: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = binarised(rows, binarise, noise)
        mean, log_variance = network.encode(x)
        logits = network.decode(sample(mean, log_variance, noise))
        negative = -elbo(x, logits, mean, log_variance, beta)
        if torch.is_grad_enabled():
            return negative, {}
        rate = kl_by_dimension(mean, log_variance).sum(-1)
        return negative, {"distortion": -log_bernoulli(x, logits), "rate": rate}

    if (elbo, sample) != OURS and settings.get("device") is None:
        settings["device"] = "cpu"
    settings.setdefault("name", "VAE" if beta == 1 else f"VAE, β = {beta:g}")
    return training(lambda _: VAE(hidden, latent, pixels), loss, **settings)


def vae_at(state: TrainingState | Mapping[str, NDArray]) -> VAE:
    """The network of a state of :func:`vae`, or of parameters that were loaded: in eval mode,
    without gradients. Raises ValueError where they are another model's."""
    sizes = sizes_of(state.parameters if isinstance(state, TrainingState) else state)
    return module_at(lambda _: VAE(**sizes), state)


@torch.no_grad()
def posterior(
    network: VAE, images: ArrayLike, *, chunk: int = 1000
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and log-variance of q(z | x) for each image, (N, D) each.

    ``images`` (N, P) are uint8 greys, taken over 255, or pixels from 0 to 1; ``chunk`` of them go
    through the network at a time.
    """
    with one_thread():
        parts = [
            torch.stack(network.encode(as_tensor(network, part)))
            for part in chunks(as_pixels(images), chunk)
        ]
    mean, log_variance = torch.cat(parts, dim=1).cpu().numpy()
    return mean, log_variance


@torch.no_grad()
def reconstruct(network: VAE, images: ArrayLike, seed: int | None = None) -> NDArray[np.float32]:
    """Probability of each pixel, (N, P), at the mean of q(z | x); with a seed, at a draw from it.

    ``images`` as in :func:`posterior`.
    """
    mean, log_variance = map(torch.from_numpy, posterior(network, images))
    z = mean if seed is None else sample(mean, log_variance, generator(seed))
    return probabilities(network, z.numpy())


def generate(network: VAE, n: int, seed: int) -> NDArray[np.float32]:
    """Probability of each pixel, (n, P), at ``n`` draws of z from N(0, I)."""
    if n < 1:
        raise ValueError(f"n is {n}; it is how many images to draw, at least 1")
    latent = network.mean.out_features
    return probabilities(network, np.random.default_rng(seed).standard_normal((n, latent)))


def traverse(network: VAE, z: ArrayLike, dimension: int, values: ArrayLike) -> NDArray[np.float32]:
    """Probability of each pixel, (V, P), at z (D,) with one dimension set to each of ``values``."""
    start, steps = np.asarray(z, dtype=np.float32), np.asarray(values, dtype=np.float32)
    latent = network.mean.out_features
    if start.shape != (latent,) or steps.ndim != 1 or not 0 <= dimension < latent:
        raise ValueError(
            f"z has shape {start.shape}, values {steps.shape} and dimension is {dimension}; this "
            f"network takes ({latent},), (V,) and a whole number from 0 to {latent - 1}"
        )
    path = np.repeat(start[None], len(steps), axis=0)
    path[:, dimension] = steps
    return probabilities(network, path)
