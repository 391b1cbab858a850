"""Gaussian mixture: every component is a cloud with a centre and a shape, fitted by EM.

For points x (N, D), weights w (K,), means m (K, D) and covariances Σ (K, D, D)::

    log p(x, k) = log w_k − ½ log det(2π Σ_k) − ½ (x − m_k)ᵀ Σ_k⁻¹ (x − m_k)

(Bishop 2006, *Pattern Recognition and Machine Learning*, section 9.2; Murphy 2012, *Machine
Learning: A Probabilistic Perspective*, section 11.4.2). With Σ = L Lᵀ, L lower triangular
(Cholesky), the last term is the squared length of z, where L z = x − m, and det Σ is the square
of the product of L's diagonal.

For K ≥ 2 the likelihood has no maximum: a component that stands on a point may shrink for ever.
What keeps it from doing so, a floor or a prior, is in :mod:`latentsteps.models.gaussian_shapes`;
the same E step in two matrix products, for many points, in
:mod:`latentsteps.models.gaussian_moments`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, logsumexp, xlogy

from latentsteps.inference.em import bound, em
from latentsteps.models.gaussian_inputs import (
    as_shapes,
    check_arguments,
    check_columns,
    check_prior,
    check_start,
    looking_once,
    posterior,
    scale_of,
)
from latentsteps.models.gaussian_moments import (
    EMPTY,
    Statistics,
    by_products,
    expected_log_joint,
    statistics,
)
from latentsteps.models.gaussian_shapes import (
    NormalInverseWishart,
    factors,
    log_density,
    log_determinants,
    mode,
    per_component,
    raised,
)
from latentsteps.models.kmeans import kmeans
from latentsteps.models.points import as_points
from latentsteps.trace import Algorithm, Key, relative, run

__all__ = [
    "GaussianMixture",
    "NormalInverseWishart",
    "gaussian_mixture",
    "log_joint",
    "log_likelihood",
    "log_normal",
    "log_prior",
    "responsibilities",
]


class GaussianMixture(NamedTuple):
    """The parameters: how common each component is, where it lies, and its shape."""

    weights: NDArray[np.float64]
    """(K,), not negative, summing to one."""
    means: NDArray[np.float64]
    """(K, D)."""
    covariances: NDArray[np.float64]
    """(K, D, D), positive definite; or (K, D), the variances of diagonal ones."""


def log_normal(x: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> NDArray[np.float64]:
    """log N(x_n | m_k, Σ_k) in nats, (N, K), by Cholesky.

    Covariances are (K, D, D), or (K, D) for diagonal ones. Raises ValueError where one of them is
    not positive definite, and where points, means or covariances are of other shapes or not finite.
    """
    x = as_points(x, "a Gaussian mixture")
    means, covariances = as_shapes(means, covariances, x.shape[1])
    factor = factors(covariances)
    # The small factors are inverted, not the points solved for: triangular solves start threads,
    # which on a busy machine make a step many times slower. Transposed, they are upper triangular:
    # elimination leaves them as they are, and inv is back substitution.
    inverse = 1 / factor if factor.ndim == 2 else np.linalg.inv(factor.swapaxes(1, 2))
    distances = np.empty((len(x), len(means)))
    for k, mean in enumerate(means):
        z = (x - mean) * inverse[k] if factor.ndim == 2 else (x - mean) @ inverse[k]
        distances[:, k] = np.einsum("nd,nd->n", z, z)
    return -0.5 * (x.shape[1] * np.log(2 * np.pi) + log_determinants(factor) + distances)


def log_joint(x: ArrayLike, parameters: GaussianMixture) -> NDArray[np.float64]:
    """log p(x_n, k) in nats, (N, K); −∞ for a component of weight zero."""
    weights = np.asarray(parameters.weights, dtype=np.float64)
    if weights.shape != (len(parameters.means),) or not (weights >= 0).all():
        raise ValueError(f"the weights are {weights}; they are shares, one for each mean")
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    return log_weights + log_normal(x, parameters.means, parameters.covariances)


def responsibilities(x: ArrayLike, parameters: GaussianMixture) -> NDArray[np.float64]:
    """p(k | x_n), (N, K): rows sum to one.

    Raises ValueError for a point so far from every component that its density is 0 in float64's
    logarithms too, some 1e150 standard deviations.
    """
    return posterior(log_joint(x, parameters))


def log_likelihood(x: ArrayLike, parameters: GaussianMixture) -> float:
    """Σ_n log p(x_n) in nats, without any prior."""
    return float(logsumexp(log_joint(x, parameters), axis=1).sum())


def log_prior(
    parameters: GaussianMixture, prior: NormalInverseWishart | None, concentration: float = 1.0
) -> float:
    """log p(w, m, Σ) in nats, normalised: Dirichlet(concentration) weights times, if there is one,
    ``prior`` for each component. At concentration 1 the Dirichlet's density is (K − 1)!."""
    weights, means, covariances = parameters
    k = len(weights)
    value = gammaln(k * concentration) - k * gammaln(concentration)
    value += xlogy(concentration - 1, weights).sum()
    return float(value + (0.0 if prior is None else log_density(prior, means, covariances)))


def gaussian_mixture(
    k: int,
    *,
    covariance: str = "full",
    form: str = "cholesky",
    prior: NormalInverseWishart | None = None,
    concentration: float = 1.0,
    floor: float = 1e-6,
    start: str | GaussianMixture = "k-means",
    half_steps: bool = False,
    chunk: int | None = None,
) -> Algorithm:
    """EM for a mixture of ``k`` Gaussians, on points (N, D).

    States are :class:`latentsteps.inference.em.EMState` with a :class:`GaussianMixture`. The
    objective, in nats, is F(q, θ): after an E step the log-likelihood. With a prior
    :func:`log_prior` is added, normalised, so that it is then the log joint density.

    Parameters
    ----------
    covariance: ``"full"``, or ``"diagonal"``: ellipses along the axes.
    form: ``"cholesky"``: expectations are responsibilities (N, K), everything as one writes it
        down. ``"exponential family"``: expectations are
        :class:`latentsteps.models.gaussian_moments.Statistics`, the same numbers many times
        faster for many points; a step that would lose digits that way is done by Cholesky.
    prior, concentration: maximum a posteriori instead of maximum likelihood. α = ``concentration``
        ≥ 1 of a Dirichlet adds α − 1 points to every weight.
    floor: the smallest variance in any direction, as a share of the data's own: columns are
        divided by their standard deviations, and eigenvalues below the floor are set to it. This
        is the constrained maximum, so the objective does not fall. 0: none, and a collapse below
        1e-12 of the data's variance is an error. Otherwise it is 1e-10 to 1.
    start: ``"k-means"``: k-means++, then k-means on standardised columns, then an M step from its
        labels. ``"random points"``: K different points as means, equal weights and the covariance
        of all data; with a prior, its MAP estimate. Or parameters; variances below the floor are
        raised to it.
    half_steps: make the E and M halves separate states.
    chunk: points at a time in the second form; memory and speed depend on it, results do not.

    Without a prior a component to which no point belongs stays as it is, with weight 0; with one
    it goes to the prior's mode.

    Raises
    ------
    ValueError: for arguments out of range. Once there are data: where they are not finite numbers
        (N, D), where a column is constant and there is no prior, where there are fewer than K
        different points to start from. In a step with ``floor=0``: a component has collapsed.
    """
    check_arguments(k, covariance, form, concentration, floor, chunk)
    given, prior = check_start(start, k, covariance), check_prior(prior, covariance)
    look = looking_once()

    def e_step(x: NDArray, parameters: GaussianMixture) -> NDArray | Statistics:
        fast = form != "cholesky"
        if fast and (found := by_products(look(x), *parameters, chunk=chunk)) is not None:
            return found
        r = responsibilities(x, parameters)
        r = np.where(r.sum(axis=0) > EMPTY, r, 0.0)  # as the M step sees it: no points, weight 0
        return statistics(look(x).x, r, covariance) if fast else r

    def m_step(
        x: NDArray, found: NDArray | Statistics, old: GaussianMixture | None
    ) -> GaussianMixture:
        points = look(x)
        if not isinstance(found, Statistics):
            found = statistics(points.x, found, covariance)
        counts, means, covariances, _ = found
        if prior is None:
            some = counts > 0
            covariances = covariances / per_component(np.where(some, counts, 1), covariances)
            if old is not None and not some.all():
                means = np.where(some[:, None], means, old.means)
                covariances[~some] = old.covariances[~some]
        else:
            means, covariances = mode(prior, counts, means, covariances)
        weights = counts + (concentration - 1)  # in brackets: 1e-20 + 1 − 1 is 0
        scale = scale_of(points, prior)
        return GaussianMixture(weights / weights.sum(), means, raised(covariances, floor, scale))

    def objective(x: NDArray, parameters: GaussianMixture, found: NDArray | Statistics) -> float:
        if isinstance(found, Statistics):
            value = expected_log_joint(found, *parameters) + found.entropy
        else:
            value = bound(log_joint(x, parameters), found)
        if prior is None and concentration == 1:
            return value
        return value + log_prior(parameters, prior, concentration)

    def init(key: Key, x: NDArray) -> GaussianMixture:
        looked = look(x)
        n, d = looked.x.shape
        if prior is not None:
            check_columns("prior", len(prior.mean), d)
        scale = scale_of(looked, prior)
        if given is not None:
            check_columns("start", given[1].shape[1], d)
            return GaussianMixture(*given[:2], raised(given[2], floor, scale))
        broad = m_step(x, np.full((n, k), 1 / k), None)
        z = (looked.x - looked.centre) / scale
        if start == "random points":
            means = run(kmeans(k), z, key[0], steps=0)[0].parameters.means
            return broad._replace(means=looked.centre + means * scale)
        found = run(kmeans(k, start="k-means++"), z, key[0], steps=100, stop=relative(), memory=1)
        return m_step(x, np.eye(k)[found[-1].expectations], broad)

    return em(
        init=init,
        e_step=e_step,
        m_step=m_step,
        objective=objective,
        half_steps=half_steps,
        name="EM for a Gaussian mixture",
        direction="up",
    )
