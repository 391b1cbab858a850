"""The importance-weighted bound against models whose log p(x) is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from latentsteps.inference.training import generator
from latentsteps.models.importance import importance_weighted
from latentsteps.models.vae import VAE, elbo, sample

DIMENSIONS, PIXELS, NOISE = 3, 5, 0.6


class LinearGaussian:
    """z ~ N(0, I), x ~ N(W z, noise² I) with columns of W at right angles, so that the posterior's
    coordinates are independent; and q is the posterior, made ``width`` times as wide and moved."""

    def __init__(self, width=1.0, shift=0.0):
        random = np.random.default_rng(0)
        columns = np.linalg.qr(random.normal(size=(PIXELS, DIMENSIONS)))[0]
        self.w = torch.tensor(columns * [1.5, 1.0, 0.4], dtype=torch.float32)
        precision = 1 + (self.w**2).sum(0) / NOISE**2
        self.gain = self.w / NOISE**2 / precision
        self.log_variance = -torch.log(precision) + 2 * np.log(width)
        self.shift, self.largest = shift, 0

    def encode(self, x):
        mean = x @ self.gain + self.shift
        return mean, self.log_variance.expand(mean.shape)

    def log_likelihood(self, x, z):
        self.largest = max(self.largest, z[..., 0].numel())
        off = (x - z @ self.w.T) / NOISE
        return -0.5 * (off**2 + np.log(2 * np.pi * NOISE**2)).sum(-1)

    def log_prior(self, z):
        return -0.5 * (z**2 + np.log(2 * np.pi)).sum(-1)

    def log_evidence(self, x):
        w = self.w.double().numpy()
        covariance = w @ w.T + NOISE**2 * np.eye(PIXELS)
        return multivariate_normal(np.zeros(PIXELS), covariance).logpdf(x)


def images(n=40, pixels=PIXELS, seed=1):
    return np.random.default_rng(seed).integers(0, 2, size=(n, pixels)).astype(np.uint8)


def log_weights(model, x, k, seed):
    """log p(x, z) − log q(z | x) of k draws for each image, (k, N): bounds of one draw each."""
    return importance_weighted(model, np.repeat(x, k, axis=0), 1, seed).reshape(len(x), k).T


@pytest.mark.parametrize("k", [1, 4, 60])
def test_with_the_posterior_as_q_every_weight_is_the_evidence(k):
    model, x = LinearGaussian(), images()
    np.testing.assert_allclose(
        importance_weighted(model, x, k, 0), model.log_evidence(x), atol=1e-5
    )
    weights = log_weights(model, x, k, 0)
    np.testing.assert_allclose(weights, np.broadcast_to(model.log_evidence(x), (k, 40)), atol=1e-5)


def test_with_a_wrong_q_it_comes_up_to_the_evidence():
    model, x = LinearGaussian(width=1.5, shift=0.4), images(10)
    weights = np.exp(log_weights(model, x, 4000, 0) - model.log_evidence(x))
    error = weights.std(0) / np.sqrt(len(weights))
    assert (np.abs(weights.mean(0) - 1) < 5 * error).all()
    found = importance_weighted(model, x, 20_000, 0)
    np.testing.assert_allclose(found, model.log_evidence(x), atol=0.1)


def test_bounds_rise_with_k_from_the_elbo_to_the_evidence():
    model, x = LinearGaussian(width=2.0, shift=0.5), np.tile(images(1), (3000, 1))
    means, errors = [], []
    for k in (1, 5, 50):
        values = importance_weighted(model, x, k, seed=k)
        means.append(values.mean())
        errors.append(values.std() / np.sqrt(len(x)))
    means.append(model.log_evidence(x[0]))
    errors.append(0.0)
    gaps = np.diff(means)
    assert (gaps > 4 * np.hypot(errors[1:], errors[:-1])).all()
    # At k = 1 it is the ELBO: log p(x) less the KL from the posterior, known for normals.
    variance, exact = (np.exp(m.log_variance.numpy()) for m in (model, LinearGaussian()))
    ratio = variance / exact
    kl = 0.5 * (ratio - 1 - np.log(ratio) + 0.5**2 / exact).sum()
    assert means[0] == pytest.approx(model.log_evidence(x[0]) - kl, abs=5 * errors[0])


def test_a_single_estimate_at_a_larger_k_may_be_lower():
    model, x = LinearGaussian(width=2.0, shift=0.5), images(200)
    five, fifty = (importance_weighted(model, x, k, seed=k) for k in (5, 50))
    assert 0.02 < (fifty < five).mean() < 0.5


@pytest.mark.parametrize("chunk", [1, 7, 30, 64, 10_000])
def test_any_chunk_gives_the_same_in_bounded_memory(chunk):
    model, x, k = LinearGaussian(width=1.5), images(11), 30
    whole = importance_weighted(model, x, k, 3, chunk=11 * k)
    model.largest = 0
    np.testing.assert_allclose(importance_weighted(model, x, k, 3, chunk=chunk), whole, atol=1e-5)
    assert model.largest <= max(chunk, 1)


def test_draws_are_an_images_own():
    model, x = LinearGaussian(width=1.5), images(9)
    found = importance_weighted(model, x, 50, 3)
    np.testing.assert_allclose(importance_weighted(model, x[:4], 50, 3), found[:4], atol=1e-5)
    assert not np.allclose(found, importance_weighted(model, x, 50, 4))
    assert np.array_equal(found, importance_weighted(model, x, 50, 3))
    first, second = importance_weighted(model, x[[0, 0]], 50, 3)
    assert not np.isclose(first, second)


def test_draws_of_a_small_k_are_the_first_of_a_larger_one():
    """The first image's draws by hand: its stream, and densities by SciPy."""
    model, x = LinearGaussian(width=1.5, shift=0.3), images(3)
    mean, log_variance = model.encode(torch.tensor(x[:1], dtype=torch.float32))
    noise = np.random.default_rng([3, 0]).standard_normal((8, DIMENSIONS), np.float32)
    sd = np.exp(log_variance.double().numpy() / 2)
    z = mean.double().numpy() + sd * noise
    w = model.w.double().numpy()
    weights = (
        norm.logpdf(x[0], z @ w.T, NOISE).sum(1)
        + norm.logpdf(z).sum(1)
        - norm.logpdf(z, mean.double().numpy(), sd).sum(1)
    )
    for k in (1, 2, 5, 8):
        by_hand = logsumexp(weights[:k]) - np.log(k)
        for chunk in (3, 500):
            found = importance_weighted(model, x, k, 3, chunk=chunk)[0]
            assert found == pytest.approx(by_hand, abs=1e-4)


def some_vae(latent):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return VAE(hidden=5, latent=latent, pixels=6).requires_grad_(False)


def test_of_a_vae_it_is_the_evidence_on_a_grid():
    network, x = some_vae(1), images(6, pixels=6)
    network.decoder[0].weight.mul_(3)
    z = torch.linspace(-10, 10, 4001)[:, None]
    pixels = torch.tensor(x, dtype=torch.float32)
    joint = network.log_likelihood(pixels, z[:, None]) + network.log_prior(z)[:, None]
    evidence = logsumexp(joint.double().numpy(), axis=0) + np.log(20 / 4000)
    weights = np.exp(log_weights(network, x, 4000, 0) - evidence)
    assert (np.abs(weights.mean(0) - 1) < 5 * weights.std(0) / np.sqrt(len(weights))).all()
    np.testing.assert_allclose(importance_weighted(network, x, 20_000, 0), evidence, atol=0.05)


def test_of_a_vae_at_one_draw_its_mean_is_that_of_the_elbo():
    network, x = some_vae(2), images(5, pixels=6)
    pixels = torch.tensor(x, dtype=torch.float32)
    mean, log_variance = network.encode(pixels)
    bounds = np.stack([
        elbo(pixels, network.decode(sample(mean, log_variance, generator(s))), mean, log_variance)
        for s in range(2000)
    ])  # fmt: skip
    weights = log_weights(network, x, 4000, 0)
    error = np.hypot(bounds.std(0) / np.sqrt(2000), weights.std(0) / np.sqrt(4000))
    assert (np.abs(bounds.mean(0) - weights.mean(0)) < 5 * error).all()


def test_images_and_numbers_that_cannot_be_used_are_refused():
    model, x = LinearGaussian(), images()
    for wrong in (x * 255, x / 2 + 0.1, np.full((2, 5), np.nan)):
        with pytest.raises(ValueError, match="hold more than 0 and 1"):
            importance_weighted(model, wrong, 5, 0)
    for wrong in (x[0], x[:0]):
        with pytest.raises(ValueError, match="one a row"):
            importance_weighted(model, wrong, 5, 0)
    for settings in ({"k": 0}, {"k": -3}, {"chunk": 0}):
        with pytest.raises(ValueError, match="both are at least 1"):
            importance_weighted(model, x, **{"k": 5, "seed": 0, **settings})
