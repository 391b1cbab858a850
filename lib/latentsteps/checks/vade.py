"""Checks of unit 08: a mixture as the VAE's prior, and how to doubt a table.

The first exercises are VaDE's: the prior, the best q(c given x), the ELBO, on torch tensors; then
DEC's target, an interval over seeds, and three questions about what a table of scores shows. The
exercises are in files of their own, by content; a notebook needs this one name.
"""

from __future__ import annotations

from latentsteps.checks.vade_best_q import best_q
from latentsteps.checks.vade_elbo import vade_elbo
from latentsteps.checks.vade_interval import paired_interval
from latentsteps.checks.vade_prior import log_mixture_prior
from latentsteps.checks.vade_questions import best_of_five, change_your_mind, who_earned_it
from latentsteps.checks.vade_target import target

__all__ = [
    "best_of_five",
    "best_q",
    "change_your_mind",
    "log_mixture_prior",
    "paired_interval",
    "target",
    "vade_elbo",
    "who_earned_it",
]
