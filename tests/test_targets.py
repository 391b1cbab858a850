"""The two landscapes: normalised, with the right slopes, against brute force and exact moments."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import logsumexp
from scipy.stats import norm

from latentsteps.models.targets import banana, two_means

X = np.array([-2.1, -1.7, 2.6, 1.2, 0.3, 7.0])
DENSITIES = [banana(), banana(1.0, -0.7, 0.2), two_means(X), two_means(X, noise=0.4)]
POINTS = np.random.default_rng(3).normal(scale=2, size=(20, 2))


@pytest.mark.parametrize("density", DENSITIES)
def test_gradients_are_those_of_the_log_density(density):
    numeric = [approx_fprime(point, density.log_density, 1e-7) for point in POINTS]
    np.testing.assert_allclose(density.gradient(POINTS), numeric, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("density", DENSITIES)
def test_any_leading_axes_are_taken(density):
    stacked = POINTS.reshape(4, 5, 2)
    assert density.log_density(stacked).shape == (4, 5)
    np.testing.assert_array_equal(density.gradient(stacked)[1, 2], density.gradient(POINTS[7]))
    assert np.ndim(density.log_density(POINTS[0])) == 0


@pytest.mark.parametrize("shape", [(1.5, 0.4, 0.5), (1.0, -0.7, 0.2)])
def test_the_bananas_mass_and_moments(shape):
    width, bend, thickness = shape
    x = np.linspace(-9 * width, 9 * width, 1501)
    reach = abs(bend) * 81 * width**2 + 9 * thickness
    y = np.linspace(-reach, reach, 8001)
    mass = np.exp(banana(*shape).log_density(np.stack(np.meshgrid(x, y), axis=-1)))
    mass *= (x[1] - x[0]) * (y[1] - y[0])
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    across, up = mass.sum(axis=0), mass.sum(axis=1)
    assert across @ x == pytest.approx(0, abs=1e-6)
    assert up @ y == pytest.approx(0, abs=1e-6)
    assert across @ x**2 == pytest.approx(width**2, rel=1e-5)
    assert up @ y**2 == pytest.approx(thickness**2 + 2 * bend**2 * width**4, rel=1e-5)


def test_two_means_sum_over_all_assignments():
    for means in POINTS[:5]:
        terms = [
            sum(norm.logpdf(x, means[z], 0.8) + np.log(0.5) for x, z in zip(X, sides, strict=True))
            for sides in product((0, 1), repeat=len(X))
        ]
        expected = logsumexp(terms) + norm.logpdf(means, 0, 3).sum()
        density = two_means(X, noise=0.8, prior_spread=3)
        assert density.log_density(means) == pytest.approx(expected, abs=1e-10)


def test_two_means_are_their_own_mirror_image():
    density = two_means(X)
    np.testing.assert_allclose(
        density.log_density(POINTS), density.log_density(POINTS[:, ::-1]), rtol=1e-12
    )
    np.testing.assert_allclose(
        density.gradient(POINTS)[:, ::-1], density.gradient(POINTS[:, ::-1]), rtol=1e-9, atol=1e-12
    )
    assert density.exchangeable
    assert not banana().exchangeable


def test_far_points_are_finite():
    far = np.array([[1e4, -1e4], [0.0, 1e6]])
    assert np.isfinite(two_means(X).log_density(far)).all()
    assert np.isfinite(two_means(X).gradient(far)).all()


@pytest.mark.parametrize("density", DENSITIES)
def test_the_window_holds_the_mass(density):
    (left, right), (low, high) = density.window
    x = np.linspace(2 * left - right, 2 * right - left, 301)
    y = np.linspace(2 * low - high, 2 * high - low, 301)
    points = np.stack(np.meshgrid(x, y), axis=-1)
    heights = density.log_density(points)
    inside = ((points >= [left, low]) & (points <= [right, high])).all(axis=-1)
    assert np.exp(logsumexp(heights[inside]) - logsumexp(heights)) > 0.9


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: banana(width=0), "width is 0"),
        (lambda: banana(bend=np.inf), "bend inf"),
        (lambda: two_means(np.zeros((3, 2))), r"shape \(3, 2\)"),
        (lambda: two_means([np.nan]), "finite numbers"),
        (lambda: two_means(X, noise=-1), "noise is -1"),
    ],
)
def test_bad_settings_are_said_in_words(make, words):
    with pytest.raises(ValueError, match=words):
        make()
