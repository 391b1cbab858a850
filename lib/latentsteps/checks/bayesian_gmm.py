"""Checks of unit 04: a Bayesian Gaussian mixture, its sampler, and what may be said of its draws.

A posterior is a bag of draws. The first exercises make it and walk about in it (the log posterior,
Metropolis, leapfrog), the next ask whether the walk can be trusted (standard error, r-hat), and the
last take from the draws what does not depend on the components' names. The exercises are in files
of their own, by content; a notebook needs this one name.
"""

from __future__ import annotations

from latentsteps.checks.bayesian_gmm_error import standard_error
from latentsteps.checks.bayesian_gmm_leapfrog import leapfrog
from latentsteps.checks.bayesian_gmm_metropolis import metropolis_step
from latentsteps.checks.bayesian_gmm_posterior import log_posterior
from latentsteps.checks.bayesian_gmm_predictive import predictive
from latentsteps.checks.bayesian_gmm_prior import log_prior
from latentsteps.checks.bayesian_gmm_questions import averages, prior_or_start, r_hat_one, ties
from latentsteps.checks.bayesian_gmm_r_hat import r_hat
from latentsteps.checks.bayesian_gmm_together import together

__all__ = [
    "averages",
    "leapfrog",
    "log_posterior",
    "log_prior",
    "metropolis_step",
    "predictive",
    "prior_or_start",
    "r_hat",
    "r_hat_one",
    "standard_error",
    "ties",
    "together",
]
