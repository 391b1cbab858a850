"""Checks of unit 07, each in a file of its own, so that a notebook needs one name.

A variational autoencoder's parts (Kingma & Welling 2014, "Auto-encoding variational Bayes") and how
to doubt its scores. 7.1 to 7.4 are functions of torch tensors, through which gradients flow; the
others are NumPy's. Everything is in nats; ``log_variance`` is the logarithm of a variance, never of
a standard deviation.
"""

from latentsteps.checks.vae_active import active
from latentsteps.checks.vae_bernoulli import log_bernoulli
from latentsteps.checks.vae_elbo import elbo
from latentsteps.checks.vae_importance import importance_weighted
from latentsteps.checks.vae_kl import kl
from latentsteps.checks.vae_questions import (
    excellent_silhouette,
    half_beta,
    same_spread,
    single_estimate,
    which_binarisation,
)
from latentsteps.checks.vae_sample import sample
from latentsteps.checks.vae_silhouettes import silhouettes
from latentsteps.checks.vae_stability import stability

__all__ = [
    "active",
    "elbo",
    "excellent_silhouette",
    "half_beta",
    "importance_weighted",
    "kl",
    "log_bernoulli",
    "same_spread",
    "sample",
    "silhouettes",
    "single_estimate",
    "stability",
    "which_binarisation",
]
