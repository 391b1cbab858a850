"""Checks of unit 05, each in a file of its own, so that a notebook needs one name.

An inverse problem has several answers, so a network's outputs become the weights, means and scales
of a mixture (Bishop 1994, "Mixture density networks"), and a normal q takes the place of the
posterior of its parameters. Everything is in nats; a scale or ``sd`` is a standard deviation, never
a variance.
"""

from latentsteps.checks.mixture_density_network_density import mixture_log_density
from latentsteps.checks.mixture_density_network_divergences import divergences
from latentsteps.checks.mixture_density_network_elbo import elbo
from latentsteps.checks.mixture_density_network_gradient import reparameterised_gradient
from latentsteps.checks.mixture_density_network_heads import heads
from latentsteps.checks.mixture_density_network_held_out import held_out
from latentsteps.checks.mixture_density_network_joint import joint_log_density
from latentsteps.checks.mixture_density_network_questions import (
    equal_bounds,
    recipe,
    tempered,
    which_mode,
)

__all__ = [
    "divergences",
    "elbo",
    "equal_bounds",
    "heads",
    "held_out",
    "joint_log_density",
    "mixture_log_density",
    "recipe",
    "reparameterised_gradient",
    "tempered",
    "which_mode",
]
