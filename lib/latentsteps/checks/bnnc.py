"""Checks of unit 06: how many clusters, a gate that sees the data, and what to do about it.

The first exercises are the priors on weights (sticks, a sparse Dirichlet) and coordinates in which
they can be sampled; then the gate; then what may be said of draws, of rows that were fitted and of
new ones; and last the two sides of the gate's flaw: the integral that is not one, and the bound in
which the gate pays for what it knows. The exercises are in files of their own, by content; a
notebook needs this one name.
"""

from __future__ import annotations

from latentsteps.checks.bnnc_elbo import elbo
from latentsteps.checks.bnnc_gate import log_gate
from latentsteps.checks.bnnc_log_gamma import log_density_of_log
from latentsteps.checks.bnnc_new_rows import new_rows
from latentsteps.checks.bnnc_normaliser import normaliser
from latentsteps.checks.bnnc_occupied import expected_occupied
from latentsteps.checks.bnnc_questions import (
    agreed,
    beats_truth,
    how_many,
    prior_kept,
    which_flatters,
)
from latentsteps.checks.bnnc_similarity import hard_similarity
from latentsteps.checks.bnnc_sticks import log_sticks

__all__ = [
    "agreed",
    "beats_truth",
    "elbo",
    "expected_occupied",
    "hard_similarity",
    "how_many",
    "log_density_of_log",
    "log_gate",
    "log_sticks",
    "new_rows",
    "normaliser",
    "prior_kept",
    "which_flatters",
]
