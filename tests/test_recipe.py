"""The recipe's loss runs away, and on pixels that are allowed it is the VAE's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from latentsteps.data import mnist
from latentsteps.inference.training import LOOK, generator
from latentsteps.models.recipe import normalised, recipe
from latentsteps.models.vae import elbo, sample, vae_at
from latentsteps.trace import run

IMAGES = mnist().train_images[:200]


def test_the_loss_falls_far_below_zero_where_no_likelihood_could():
    trace = run(recipe(16, 2, learning_rate=0.01), IMAGES, steps=20)
    assert (np.diff(trace.objective) < 0).all()
    assert trace.objective[0] > 0 > -1000 > trace.objective[-1]
    info = trace.infos[-1]
    assert info.objective == pytest.approx(info.terms["distortion"] + info.terms["rate"])


def test_where_no_pixel_is_below_zero_it_is_minus_the_elbo():
    greys = np.maximum(IMAGES, 128)
    trace = run(recipe(16, 2), greys, seed=3, steps=0)
    network, x = vae_at(trace[0]), normalised(torch.tensor(greys))
    mean, log_variance = network.encode(x)
    logits = network.decode(sample(mean, log_variance, generator((3, 0, LOOK))))
    wanted = -elbo(x, logits, mean, log_variance).mean()
    assert trace.objective[0] == pytest.approx(wanted.item(), rel=1e-6)


def test_normalised_pixels_go_from_minus_one_to_one():
    ends = normalised(torch.tensor([0, 255], dtype=torch.uint8))
    assert ends.tolist() == [-1, 1]
    assert ends.dtype == torch.float32
