"""VaDE: a VAE whose prior is a mixture, one component a cluster (Jiang, Zheng, Tan, Tang & Zhou
2017, "Variational deep embedding", *IJCAI*, section 3).

A cluster c is drawn with probability π_c, then z from its diagonal Gaussian, then the image from
z::

    p(x, z, c) = π_c N(z | m_c, diag v_c) p(x | z)

Network and mixture climb the ELBO of :mod:`latentsteps.models.vade_bound` together, from a trained
VAE or autoencoder and a mixture fitted to its latents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor, nn

from latentsteps.inference.training import TrainingState, module_at, training
from latentsteps.models.bounds import Latents
from latentsteps.models.gaussian_mixture import GaussianMixture
from latentsteps.models.images import (
    binarised,
    check_binarisation,
    probabilities,
    sizes_of,
)
from latentsteps.models.vade_bound import (
    best_q,
    elbo,
    entropy,
    log_mixture_prior,
    lost,
    minus_kl,
    minus_kl_summed_out,
    published_q,
)
from latentsteps.models.vae import VAE, log_bernoulli, posterior, sample
from latentsteps.trace import Algorithm

__all__ = [
    "VaDE",
    "best_q",
    "cluster_probabilities",
    "elbo",
    "entropy",
    "generate",
    "latent_mixture",
    "latents",
    "log_mixture_prior",
    "lost",
    "minus_kl",
    "minus_kl_summed_out",
    "mixture_of",
    "published_q",
    "start_from",
    "vade",
    "vade_at",
]

WAYS = ("summed out", "optimum", "published")
MIXTURE = ("weight_logits", "means", "log_variances")


class VaDE(VAE):
    """The VAE's encoder and decoder, and a mixture of ``components`` as the prior of z.

    All components are alike in a new one: it needs a start, see :func:`start_from`.
    """

    def __init__(self, components: int = 10, **sizes: Any) -> None:
        super().__init__(**{"latent": 10, **sizes})
        if components < 1:
            raise ValueError(f"components is {components}; it is a positive number of clusters")
        latent = self.mean.out_features
        self.weight_logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.zeros(components, latent))
        self.log_variances = nn.Parameter(torch.zeros(components, latent))

    def mixture(self) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (C,), means and variances (C, D) of the prior of z."""
        return self.weight_logits.softmax(dim=0), self.means, self.log_variances.exp()

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z) in nats, (...,), of z (..., D)."""
        return log_mixture_prior(z, *self.mixture())


def start_from(parameters: Mapping[str, NDArray], mixture: GaussianMixture) -> dict[str, NDArray]:
    """A VaDE's parameters from those of a trained VAE or autoencoder, and a mixture of its latents.

    Parameters
    ----------
    parameters: a state's. An autoencoder has no widths: they begin at a tenth of the clusters'
        average variance, for all images alike.
    mixture: weights (C,), means (C, D), variances (C, D), of :func:`latent_mixture` or
        :func:`latentsteps.models.gaussian_mixture.gaussian_mixture`.

    Raises ValueError for a mixture of another shape, or with a weight or variance that is not
    positive.
    """
    weights, means, variances = (np.asarray(part, dtype=np.float64) for part in mixture)
    latent = sizes_of(parameters)["latent"]
    if not (weights.ndim == 1 and means.shape == variances.shape == (len(weights), latent)):
        raise ValueError(
            f"the mixture has weights {weights.shape}, means {means.shape} and covariances "
            f"{variances.shape}; with {latent} latents they are (C,), (C, {latent}) and, diagonal, "
            f"(C, {latent})"
        )
    if not (weights > 0).all() or not (variances > 0).all():
        raise ValueError("a weight or a variance of the mixture is not positive; fit it again")
    start = {
        name.replace("code.", "mean."): values
        for name, values in parameters.items()
        if name not in MIXTURE
    }
    if "log_variance.weight" not in start:
        start["log_variance.weight"] = np.zeros_like(start["mean.weight"])
        start["log_variance.bias"] = np.log(0.1 * weights @ variances)
    start |= dict(zip(MIXTURE, (np.log(weights), means, np.log(variances)), strict=True))
    return {name: np.asarray(values, dtype=np.float32) for name, values in start.items()}


def latent_mixture(
    mean: ArrayLike, log_variance: ArrayLike, components: int, seed: int, *, restarts: int = 5
) -> GaussianMixture:
    """A diagonal mixture of one draw of z for each image: the start of the prior of z.

    Of the means alone it would be too narrow: the prior is of z. By scikit-learn, the best of
    ``restarts`` runs; ``mean`` and ``log_variance`` are (N, D).
    """
    from sklearn import mixture

    mean, width = np.asarray(mean, np.float64), np.exp(0.5 * np.asarray(log_variance, np.float64))
    z = mean + width * np.random.default_rng(seed).normal(size=mean.shape)
    fit = mixture.GaussianMixture(
        components, covariance_type="diag", n_init=restarts, max_iter=1000, random_state=seed
    ).fit(z)
    return GaussianMixture(fit.weights_, fit.means_, fit.covariances_)


OURS = elbo, best_q, log_mixture_prior


def vade(
    start: Mapping[str, NDArray],
    *,
    q: str = "summed out",
    binarise: str = "sampled",
    elbo: Callable[..., Tensor] = elbo,
    best_q: Callable[..., Tensor] = best_q,
    log_mixture_prior: Callable[..., Tensor] = log_mixture_prior,
    **settings: Any,
) -> Algorithm:
    """Training of network and mixture together on images (N, P), uint8.

    The info's objective is −ELBO, its terms are ``"distortion"``, −log p(x | z), and ``"rate"``,
    the KL of z and c.

    Parameters
    ----------
    start: parameters to begin at, of :func:`start_from` or of another run's state.
    q: ``"summed out"``, ``"optimum"`` or ``"published"``; the last with the single draw of z that
        its authors' program takes, which makes its bound looser still.
    binarise: how greys become pixels, see :func:`latentsteps.models.images.binarised`.
    elbo, best_q, log_mixture_prior: the course's, or your own; no gradient goes through best_q.
        With one of your own training stays on the CPU unless ``device`` says otherwise, since it
        may make tensors there.
    settings: ``batch_size``, ``batches``, ``learning_rate``, ``look``, ``device``: see
        :func:`latentsteps.inference.training.training`.

    Raises ValueError for another ``q``, and parameters that are not a VaDE's.
    """
    if q not in WAYS:
        raise ValueError(f"q is {q!r}; it is one of {', '.join(map(repr, WAYS))}")
    check_binarisation(binarise)
    make = _maker(start)

    def loss(network: Any, rows: Tensor, noise: Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = binarised(rows, binarise, noise)
        mean, log_variance = network.encode(x)
        z = sample(mean, log_variance, noise)
        fit = log_bernoulli(x, network.decode(z))
        mixture = network.mixture()
        if q == "published":
            chosen = published_q(z[None], *mixture)
        else:
            # No gradient need go through q. "optimum": at its maximum in q the ELBO does not change
            # with q to first order. "summed out": q enters the value below as
            #     Σ_c q_c (E[log π_c N(z | c)] − log π_c N(z | c))
            # alone (the rest cancels), and E is over this very z: its mean is 0 whatever q and the
            # parameters are, so that for any fixed q its gradient is 0 on average too.
            fixed = (part.detach() for part in (mean, log_variance, *mixture))
            chosen = best_q(*fixed)
        chosen = chosen.clamp_min(torch.finfo(chosen.dtype).tiny)
        value = elbo(fit, chosen, mean, log_variance, *mixture)
        if q == "summed out":
            value = value + lost(z, chosen, log_mixture_prior(z, *mixture), *mixture)
        if torch.is_grad_enabled():
            return -value, {}
        return -value, {"distortion": -fit, "rate": fit - value}

    if (elbo, best_q, log_mixture_prior) != OURS and settings.get("device") is None:
        settings["device"] = "cpu"
    return training(make, loss, **{"name": f"VaDE, {q}", **settings})


def vade_at(state: TrainingState | Mapping[str, NDArray]) -> VaDE:
    """The network of a state of :func:`vade`, or of parameters: in eval mode, without gradients."""
    parameters = state.parameters if isinstance(state, TrainingState) else state
    network = module_at(_maker(parameters), parameters)
    assert isinstance(network, VaDE)
    return network


def mixture_of(network: VaDE) -> GaussianMixture:
    """The prior of z: weights (C,), means (C, D), variances (C, D), float64."""
    parts = (part.detach().cpu().numpy().astype(np.float64) for part in network.mixture())
    return GaussianMixture(*parts)


def latents(network: VaDE, images: ArrayLike) -> Latents:
    """q(z | x) of each image with the prior beside it, for :mod:`latentsteps.models.bounds`."""
    return Latents(*posterior(network, images), np.asarray(images), mixture_of(network))


@torch.no_grad()
def cluster_probabilities(network: VaDE, images: ArrayLike) -> NDArray[np.float64]:
    """The best q(c | x) of each image, (N, C): rows sum to one."""
    inside = [torch.as_tensor(part).double() for part in posterior(network, images)]
    mixture = (torch.as_tensor(part) for part in mixture_of(network))
    return best_q(*inside, *mixture).numpy()


def generate(network: VaDE, cluster: int, n: int, seed: int) -> NDArray[np.float32]:
    """Probability of each pixel, (n, P), at ``n`` draws of z from one cluster's Gaussian."""
    weights, means, variances = mixture_of(network)
    if not 0 <= cluster < len(weights):
        raise ValueError(f"cluster is {cluster}; there are clusters 0 to {len(weights) - 1}")
    noise = np.random.default_rng(seed).standard_normal((n, means.shape[1]))
    return probabilities(network, means[cluster] + np.sqrt(variances[cluster]) * noise)


def _maker(parameters: Mapping[str, NDArray]) -> Callable[[Generator], nn.Module]:
    """Makes a VaDE with these parameters."""
    if not set(MIXTURE) <= set(parameters):
        raise ValueError(
            f"the parameters are {sorted(parameters)}, and those of a VaDE were needed: "
            "start_from(parameters, mixture) makes them"
        )
    sizes = {**sizes_of(parameters), "components": len(parameters["weight_logits"])}

    def make(_: Generator) -> nn.Module:
        network = VaDE(**sizes)
        network.load_state_dict({name: torch.tensor(part) for name, part in parameters.items()})
        return network

    return make
