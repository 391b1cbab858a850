"""What a sample is worth: r-hat, effective sample size, Monte Carlo error. ArviZ's.

All take draws of one number, (chains, draws), after the warm-up. The formulas are those of
Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021, "Rank-normalization, folding, and localization:
an improved R̂", *Bayesian Analysis* 16, 667–718): every chain is split in halves.
Give them numbers that do not depend on the names of components: the log-likelihood, the density at
a point. Of "the mean of component 1" they tell whether names were swapped, and little else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def r_hat(values: ArrayLike) -> float:
    """How much wider all draws together are than single half-chains; 1 if they agree.

    Rank-normalised, of the draws and of their distances to the median, the larger of the two
    (Vehtari et al. 2021, equation 14; they ask for less than 1.01). One that is near 1 shows that
    the chains agree, not that they have been everywhere. NaN if all draws are equal, ∞ if each
    chain stands still at a place of its own.
    """
    from latentsteps.arviz_quiet import arviz  # takes seconds: when it is needed

    with np.errstate(divide="ignore", invalid="ignore"):  # of chains that never move
        return float(arviz.rhat(_checked(values), method="rank"))


def effective_sample_size(values: ArrayLike) -> float:
    """How many independent draws would know the mean as well as these do.

    Of the draws themselves, not of ranks (Vehtari et al. 2021, section 3): it belongs to
    :func:`standard_error`. May exceed the number of draws, where they alternate.
    """
    from latentsteps.arviz_quiet import arviz  # takes seconds: when it is needed

    return float(arviz.ess(_checked(values), method="mean"))


def standard_error(values: ArrayLike) -> float:
    """Monte Carlo standard error of the mean, in the values' unit: sd / √effective sample size."""
    from latentsteps.arviz_quiet import arviz  # takes seconds: when it is needed

    return np.asarray(arviz.mcse(_checked(values), method="mean")).item()


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 4:
        raise ValueError(
            f"the draws have shape {array.shape}; they are (chains, draws) of one number, four "
            "draws or more"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(array))} draws are not finite numbers")
    return array
