"""Gaussian mixture on a line: the smallest model in which EM can be derived in full.

For numbers x (N,), weights π (K,), means a (K,) and variances σ² (K,)::

    log p(x_n, k) = log π_k − ½ log(2π σ²_k) − (x_n − a_k)² / (2 σ²_k)

(Bishop 2006, *Pattern Recognition and Machine Learning*, section 9.2.2, with D = 1.) It is
:mod:`latentsteps.models.gaussian_mixture` for one dimension, written out, without floor and
without prior: for K ≥ 2 the likelihood has no maximum, and EM may run into that.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.inference.em import bound, em
from latentsteps.models.gaussian_inputs import posterior
from latentsteps.trace import Algorithm, Data, Key

LEARN = ("everything", "means")


class UnivariateMixture(NamedTuple):
    """The parameters: how common each component is, where it lies, and how wide it is."""

    weights: NDArray[np.float64]
    """π, (K,), not negative, summing to one."""
    means: NDArray[np.float64]
    """a, (K,), in the data's unit."""
    variances: NDArray[np.float64]
    """σ², (K,), positive, in the square of the data's unit."""


def log_joint(x: ArrayLike, parameters: UnivariateMixture) -> NDArray[np.float64]:
    """log p(x_n, k) in nats, (N, K); −∞ for a component of weight zero."""
    weights, means, variances = parameters
    gap = np.asarray(x, dtype=np.float64)[:, None] - means
    with np.errstate(divide="ignore", over="ignore"):  # −∞ for no weight, and far away
        log_weights, squares = np.log(weights), gap**2 / (2 * np.asarray(variances))
    return log_weights - 0.5 * np.log(2 * np.pi * np.asarray(variances)) - squares


def update(x: ArrayLike, q: NDArray, old: UnivariateMixture) -> UnivariateMixture:
    """The parameters that maximise F(q, θ) for fixed q (N, K): shares, weighted means, variances.

    A component that no point belongs to gets weight 0 and stays where it was.

    Raises
    ------
    ValueError: a component has shrunk onto a single value.
    """
    x = np.asarray(x, dtype=np.float64)
    counts = q.sum(axis=0)
    some = counts > 0
    means, variances = old.means.copy(), old.variances.copy()
    means[some] = (x @ q)[some] / counts[some]
    # From the new means: Σ r x² / N − a² would lose its digits far from zero.
    squares = (q * (x[:, None] - means) ** 2).sum(axis=0)
    variances[some] = squares[some] / counts[some]
    # Below that a variance is rounding: of the data's spread, and of numbers as large as they are.
    rounding = max(1e-20 * x.var(), (4 * np.finfo(np.float64).eps * np.abs(x).max()) ** 2)
    collapsed = np.flatnonzero(variances <= rounding)
    if collapsed.size:
        k = int(collapsed[0])
        raise ValueError(
            f"component {k} has shrunk onto the value {means[k]:.4g} and has no variance left: the "
            "likelihood grows beyond every bound there; take another start, a floor or a prior"
        )
    return UnivariateMixture(counts / len(x), means, variances)


def univariate_mixture(
    start: UnivariateMixture, *, learn: str = "everything", half_steps: bool = True
) -> Algorithm:
    """EM for a mixture of Gaussians on a line, on data (N,).

    A state is an :class:`latentsteps.inference.em.EMState`: ``state.parameters`` a
    :class:`UnivariateMixture`, ``state.expectations`` the responsibilities (N, K). The objective
    is F(q, θ) in nats, :func:`latentsteps.inference.em.bound`; after an E step that is the
    log-likelihood.

    Parameters
    ----------
    start: where EM begins.
    learn: ``"everything"``, or only the ``"means"``: weights and variances stay as they start.
    half_steps: make E and M separate states.

    Raises
    ------
    ValueError: the start's shapes or numbers are not those of a mixture, ``learn`` is unknown;
        once there are data, if they are not finite numbers of shape (N,), or all alike; and later,
        where a component shrinks onto a single value.
    """
    if learn not in LEARN:
        raise ValueError(f"learn is {learn!r}; it is 'everything' or 'means'")
    try:
        given = UnivariateMixture(*(np.array(field, dtype=np.float64) for field in start))
    except (TypeError, ValueError):
        raise ValueError(
            f"start is {start!r}; it is a UnivariateMixture: weights, means and variances, each an "
            "array of numbers (K,)"
        ) from None
    shapes = [field.shape for field in given]
    if given.weights.ndim != 1 or len(given.weights) < 1 or len(set(shapes)) > 1:
        raise ValueError(f"the start has shapes {shapes}; all three are (K,), for one K")
    if not all(np.isfinite(field).all() for field in given):
        raise ValueError("the start holds a number that is not finite")
    if (given.weights < 0).any() or abs(given.weights.sum() - 1) > 1e-9:
        raise ValueError(f"the start's weights are {given.weights}; they are shares, summing to 1")
    if (given.variances <= 0).any():
        raise ValueError(f"the start's variances are {given.variances}; they are positive")

    def init(key: Key, x: Data) -> UnivariateMixture:
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
            raise ValueError(f"the data have shape {x.shape}; they are (N,), finite numbers, N ≥ 1")
        if x.min() == x.max():
            raise ValueError("the data are all the same number; there is no variance to share out")
        return given

    def e_step(x: Data, parameters: UnivariateMixture) -> NDArray[np.float64]:
        return posterior(log_joint(x, parameters))

    def m_step(x: Data, q: NDArray, old: UnivariateMixture) -> UnivariateMixture:
        if learn == "means":
            counts = q.sum(axis=0)
            averages = np.divide(x @ q, counts, out=old.means.copy(), where=counts > 0)
            return old._replace(means=averages)
        return update(x, q, old)

    def objective(x: Data, parameters: UnivariateMixture, q: NDArray) -> float:
        return bound(log_joint(x, parameters), q)

    what = "EM" if learn == "everything" else "EM, means only"
    return em(
        init=init,
        e_step=e_step,
        m_step=m_step,
        objective=objective,
        half_steps=half_steps,
        name=f"{what}, on a line",
        direction="up",
    )
