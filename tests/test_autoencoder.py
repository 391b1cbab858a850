"""The autoencoder: codes, what they decode to, and the loss that makes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latentsteps.inference.training import load, save
from latentsteps.models.autoencoder import (
    Autoencoder,
    autoencoder,
    autoencoder_at,
    codes,
    reconstruct,
)
from latentsteps.models.vae import vae_at
from latentsteps.trace import Trace, run


def greys(n=300, seed=0):
    """Images of 8 × 8 greys: a bright bar somewhere."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 60, size=(n, 8, 8))
    for image, where in zip(images, random.integers(0, 7, n), strict=True):
        image[where : where + 2] = 230
    return images.reshape(n, 64).astype(np.uint8)


def small(**settings):
    settings = {"batch_size": 32, "learning_rate": 1e-2, **settings}
    return autoencoder(16, 2, pixels=64, **settings)


@pytest.fixture(scope="module")
def trace():
    return run(small(), greys(), steps=15)


def test_training_lowers_the_distortion(trace):
    assert trace.objective[-1] < trace.objective[0] - 4
    assert all(info.terms == {"distortion": info.objective} for info in trace.infos)
    assert trace.algorithm.name == "autoencoder"


def test_the_loss_is_the_cross_entropy_at_the_code():
    images = greys()
    found = Trace(small(binarise="grey", look=300), images)
    network = autoencoder_at(found[0])
    probability = reconstruct(network, images).astype(float)
    x = images / 255
    by_hand = -(x * np.log(probability) + (1 - x) * np.log1p(-probability)).sum(1).mean()
    assert found.infos[0].objective == pytest.approx(by_hand, rel=1e-5)


def test_codes_of_any_chunks_and_what_they_decode_to(trace):
    network, images = autoencoder_at(trace[-1]), greys(50, seed=1)
    found = codes(network, images)
    assert found.shape == (50, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(codes(network, images, chunk=7), found, atol=1e-5)
    decoded = torch.sigmoid(network.decode(torch.tensor(found))).numpy()
    np.testing.assert_allclose(reconstruct(network, images), decoded, atol=1e-6)
    own, average = (np.abs(one - images / 255).mean() for one in (decoded, decoded.mean(0)))
    assert own < 0.7 * average


def test_a_saved_network_is_the_same_and_no_vae(trace, tmp_path):
    save(tmp_path / "network.npz", trace[-1].parameters)
    parameters = load(tmp_path / "network.npz")
    images = greys(5, seed=1)
    first, second = (autoencoder_at(one) for one in (trace[-1], parameters))
    assert np.array_equal(codes(first, images), codes(second, images))
    with pytest.raises(ValueError, match="the module's are"):
        vae_at(parameters)


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="binarise is 'static'"):
        autoencoder(binarise="static")
    with pytest.raises(ValueError, match="all are at least 1"):
        Autoencoder(latent=0)
