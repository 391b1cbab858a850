"""Three bounds of one image: VaDE's −KL as published, at its best, and with the cluster summed out.

The encoder gives an image q(z | x) = N(μ, diag σ²), the prior of z is a mixture. With H the entropy
of q(z | x), for each cluster c::

    ℓ_c = E_q[log π_c N(z | m_c, diag v_c)] = log π_c N(μ | m_c, diag v_c) − ½ Σ_d σ_d² / v_cd
    q*_c = exp ℓ_c / Σ_j exp ℓ_j

and whatever distribution q(c) is put beside q(z | x)::

    −KL with q(c)     =  H + log Σ_c exp ℓ_c − KL(q(c) ‖ q*)
    c summed out      =  H + log Σ_c exp ℓ_c + E_q[KL(q* ‖ p(c | z))]

So q* is the best there is (mean-field updates: Bishop 2006, equation 10.9), the published
q(c) = E_q[p(c | z)] (Jiang et al. 2017, section 3.2) costs KL(E_q[p(c | z)] ‖ q*), and a z that is
still there to be asked is worth the last term. The optimum is exact; the two expectations are taken
over draws of z, and the order of the three holds after every one of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax, logsumexp

from latentsteps.models.gaussian_mixture import GaussianMixture, log_joint
from latentsteps.models.points import as_points
from latentsteps.trace import Algorithm, Key


class Latents(NamedTuple):
    """What an encoder makes of images, the images, and the prior beside it."""

    mean: NDArray
    """(N, D)."""
    log_variance: NDArray
    """(N, D)."""
    images: NDArray
    """(N, pixels), grey or binary."""
    mixture: GaussianMixture
    """The prior of z: weights (C,), means (C, D), variances (C, D)."""


class BoundsState(NamedTuple):
    """Which image it is, and sums over the draws of z so far."""

    image: int
    """Its row."""
    draws: int
    """How many draws of z there have been."""
    z: NDArray[np.float64]
    """The latest of them, (draws of a step, D)."""
    posteriors: NDArray[np.float64]
    """The sum of p(c | z) over all draws, (C,)."""
    gaps: NDArray[np.float64]
    """The sums of KL(q* ‖ p(c | z)) and of its square, (2,)."""


class BoundsInfo(NamedTuple):
    """The three values in nats, the highest the best."""

    objective: float
    """``summed_out``."""
    published: float
    """With the average of p(c | z) over the draws so far. From few draws it is too low on
    average: KL is convex, and the average not yet smooth."""
    optimum: float
    """Exact."""
    summed_out: float
    """Unbiased."""
    error: float
    """Monte Carlo standard error of ``summed_out``; NaN after a single draw."""
    published_q: NDArray[np.float64]
    """The average of p(c | z), (C,)."""
    optimum_q: NDArray[np.float64]
    """q*, (C,)."""


def expected_log_joint(
    mean: ArrayLike, log_variance: ArrayLike, mixture: GaussianMixture
) -> NDArray[np.float64]:
    """ℓ_nc = E[log π_c N(z | c)] in nats, (N, C), for z ~ N(mean_n, exp(log_variance_n)), (N, D).

    Unit 03's log joint density at the mean, less half the variances of z in units of the
    component's. The mixture's covariances are variances (C, D); ValueError where they are not.
    """
    mean, variance = _points(mean), np.exp(_points(log_variance))
    variances = np.asarray(mixture.covariances, dtype=np.float64)
    if variances.ndim != 2:
        raise ValueError(
            f"the covariances have shape {variances.shape}; the components of VaDE's prior are "
            'diagonal, (C, D): fit them with covariance="diagonal"'
        )
    if mean.shape != variance.shape:
        raise ValueError(
            f"the means have shape {mean.shape} and the log-variances {variance.shape}; both are "
            "(N, D)"
        )
    return log_joint(mean, mixture) - 0.5 * variance @ (1 / variances).T


def plane(points: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The plane in which points (N, D) spread most: its centre (D,) and two axes (D, 2), of length
    one; ``(points - centre) @ axes`` are places in it.

    The first two principal components (Bishop 2006, section 12.1.1), each axis turned so that its
    largest entry is positive; scikit-learn's. ValueError for fewer than two dimensions or points.
    """
    from sklearn.decomposition import PCA

    x = _points(points)
    if min(x.shape) < 2:
        raise ValueError(f"the points have shape {x.shape}; a plane needs two rows and two columns")
    # "full": of many points and dimensions scikit-learn would else take a random solver.
    fit = PCA(2, svd_solver="full").fit(x)
    axes = fit.components_.T
    return fit.mean_, axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])


def three_bounds(*, start: ArrayLike = 0, draws: int = 1) -> Algorithm:
    """The three values of one image after more and more draws of z. Data: :class:`Latents`.

    States are :class:`BoundsState`, infos :class:`BoundsInfo`; state t has (t + 1) · ``draws``.

    Parameters
    ----------
    start: an image's row. Or a place in the :func:`plane` of the latents' means, two numbers: the
        image whose mean is nearest to it there.
    draws: how many draws of z a step adds.

    Raises ValueError for less than one draw; once there are data, for a mixture that does not fit
    them or is not diagonal, and a start that is no row of them.
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}; it is a positive number of draws of z a step")

    def init(key: Key, data: Latents) -> tuple[BoundsState, BoundsInfo]:
        nothing = np.zeros((0, data.mean.shape[1])), np.zeros(len(data.mixture.weights))
        return step(key, BoundsState(_row(start, data), 0, *nothing, np.zeros(2)), data)

    def step(key: Key, state: BoundsState, data: Latents) -> tuple[BoundsState, BoundsInfo]:
        mixture, here = data.mixture, slice(state.image, state.image + 1)
        mean, log_variance = (_points(part[here]) for part in (data.mean, data.log_variance))
        (expected,) = expected_log_joint(mean, log_variance, mixture)
        log_q = log_softmax(expected)
        noise = np.random.default_rng(key).normal(size=(draws, mean.shape[1]))
        z = mean + np.exp(log_variance / 2) * noise
        log_p = log_softmax(log_joint(z, mixture), axis=1)
        gaps = _kl(log_q, log_p)
        n = state.draws + draws
        posteriors = state.posteriors + np.exp(log_p).sum(axis=0)
        sums = state.gaps + np.array([gaps.sum(), (gaps**2).sum()])
        entropy = 0.5 * (1 + np.log(2 * np.pi) + log_variance).sum()
        optimum = float(entropy + logsumexp(expected))
        with np.errstate(divide="ignore"):
            published = optimum - float(_kl(np.log(posteriors / n), log_q))
        gap = float(sums[0] / n)
        variance = max(sums[1] / n - gap**2, 0.0) * n / (n - 1) if n > 1 else np.nan
        info = BoundsInfo(
            optimum + gap,
            published,
            optimum,
            optimum + gap,
            float(np.sqrt(variance / n)),
            posteriors / n,
            np.exp(log_q),
        )
        return BoundsState(state.image, n, z, posteriors, sums), info

    return Algorithm(init, step, "three bounds")


def _kl(log_q: NDArray, log_p: NDArray) -> NDArray[np.float64]:
    """KL(q ‖ p) over the last axis; a cluster that q leaves out adds nothing."""
    with np.errstate(invalid="ignore"):
        terms = np.exp(log_q) * (log_q - log_p)
    # Rounding may leave a sum of −1e-17 where the two are equal.
    return np.maximum(np.where(np.isneginf(log_q), 0.0, terms).sum(axis=-1), 0.0)


def _row(start: ArrayLike, data: Latents) -> int:
    place = np.asarray(start)
    n = len(data.mean)
    if place.size == 2:
        centre, axes = plane(data.mean)
        places = (data.mean - centre) @ axes
        return int(((places - place.reshape(2)) ** 2).sum(axis=1).argmin())
    if place.ndim or place.dtype.kind not in "iu" or not 0 <= place < n:
        raise ValueError(
            f"start is {start!r}; it is an image's row, 0 to {n - 1}, or a place in the plane, two "
            "numbers"
        )
    return int(place)


def _points(x: ArrayLike) -> NDArray[np.float64]:
    return as_points(x, "VaDE's prior")
