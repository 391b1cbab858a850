"""One EM step of the Gaussian mixture, beside scikit-learn's from the same start."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.mixture import GaussianMixture as Theirs
from timing import Entry, Row, timed

from latentsteps.models.gaussian_mixture import GaussianMixture, gaussian_mixture
from latentsteps.trace import run

TITLE = "Gaussian mixture, full covariances: one EM step on random clouds"
SIZES = [
    (1_000, 2, 5),
    (10_000, 2, 5),
    (10_000, 10, 10),
    (100_000, 10, 10),
    (100_000, 50, 10),
    (50_000, 50, 50),
    (1_000_000, 2, 5),
    (1_000_000, 10, 10),
]


def rows() -> Iterator[Row]:
    for n, d, k in SIZES:
        x, start = problem(n, d, k)
        yield from timed(f"N = {n:,}, D = {d}, K = {k}", entries(x, start))


def problem(n: int, d: int, k: int) -> tuple[np.ndarray, GaussianMixture]:
    """Clouds of unit variance whose centres are about three away; a start that is not the end."""
    random = np.random.default_rng(0)
    centres = 3 * random.normal(size=(k, d))
    x = random.normal(size=(n, d)) + centres[random.integers(k, size=n)]
    x.flags.writeable = False
    means = centres + random.normal(size=(k, d))
    return x, GaussianMixture(np.full(k, 1 / k), means, np.tile(2 * np.eye(d), (k, 1, 1)))


def entries(x: np.ndarray, start: GaussianMixture) -> list[Entry]:
    """Everything that makes a step on the points x from this start."""
    k, d = start.means.shape
    steps = 20 if len(x) <= 10_000 else 3
    fast = gaussian_mixture(k, start=start, form="exponential family")
    plain = gaussian_mixture(k, start=start)
    fast_state, plain_state = (each.init((0, 0), x)[0] for each in (fast, plain))
    theirs = sklearn_mixture(start, steps)
    sklearn_fit(theirs, x)
    fit = f"{steps} steps from the same start, checks and the last E step included, over {steps}"
    return [
        Entry("Latent Steps, exponential family", lambda: fast.step((0, 1), fast_state, x)),
        Entry("Latent Steps, a fit", lambda: run(fast, x, steps=steps), 1 / steps, fit),
        Entry("Latent Steps, Cholesky", lambda: plain.step((0, 1), plain_state, x)),
        Entry(
            "scikit-learn, a step",
            lambda: theirs._m_step(x, theirs._e_step(x)[1]),
            note="its E and M alone: no start, no checks",
        ),
        Entry("scikit-learn, a fit", lambda: sklearn_fit(theirs, x), 1 / steps, fit),
        Entry("floor: read, products, exp", floor(x, k, d), note="float64, features made before"),
    ]


def sklearn_mixture(start: GaussianMixture, steps: int) -> Theirs:
    """With all three of its starts given it runs no k-means; with tol = 0 it does not stop."""
    return Theirs(
        len(start.weights),
        reg_covar=0,
        tol=0,
        max_iter=steps,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(start.covariances),
    )


def sklearn_fit(model: Theirs, x: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that so few steps did not converge
        model.fit(x)


def floor(x: np.ndarray, k: int, d: int):
    """The least that the exponential-family form has to do: the data are read once, both products
    are taken with as many threads as BLAS likes, and every density is exponentiated."""
    features = 1 + d + d * (d + 1) // 2
    points = min(len(x), 2**24 // features)
    times = len(x) / points
    phi = np.ones((features, points))
    slopes = np.full((k, features), -1e-3)
    r = np.empty((k, points))

    def work() -> None:
        x.sum()
        for _ in range(int(times)):
            np.matmul(slopes, phi, out=r)
            np.exp(r, out=r)
            _ = r @ phi.T

    return work
