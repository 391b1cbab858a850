"""Checks of unit 02: a bound that touches the log-likelihood and then rises, line by line.

All is in one dimension: points ``x`` (N,), parameters ``weights``, ``means`` and ``variances``
(K,), and ``q`` (N, K), a distribution over the components for each point. The exercises are in
files of their own, by content; a notebook needs this one name.
"""

from __future__ import annotations

from latentsteps.checks.em_derivation_bound import bound
from latentsteps.checks.em_derivation_entropy import entropy
from latentsteps.checks.em_derivation_gap import gap
from latentsteps.checks.em_derivation_joint import log_joint
from latentsteps.checks.em_derivation_moments import from_moments
from latentsteps.checks.em_derivation_posterior import responsibilities
from latentsteps.checks.em_derivation_questions import jensen, multiplier, q_falls
from latentsteps.checks.em_derivation_slope import variance_slope
from latentsteps.checks.em_derivation_spike import spike
from latentsteps.checks.em_derivation_step import update_means_and_variances
from latentsteps.checks.em_derivation_weights import update_weights

__all__ = [
    "bound",
    "entropy",
    "from_moments",
    "gap",
    "jensen",
    "log_joint",
    "multiplier",
    "q_falls",
    "responsibilities",
    "spike",
    "update_means_and_variances",
    "update_weights",
    "variance_slope",
]
