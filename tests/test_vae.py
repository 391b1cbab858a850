"""The VAE's parts against torch.distributions, SciPy, finite differences and a grid over z."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp
from torch.distributions import Bernoulli, Normal, kl_divergence

from latentsteps.inference.training import generator, load, save
from latentsteps.models import vae as module
from latentsteps.models.images import as_pixels, binarised, sizes_of
from latentsteps.models.vae import (
    VAE,
    elbo,
    generate,
    kl_by_dimension,
    log_bernoulli,
    posterior,
    reconstruct,
    sample,
    traverse,
    vae,
    vae_at,
)
from latentsteps.trace import Trace, run

SIZES = {"hidden": 16, "latent": 3, "pixels": 64}


def greys(n=300, seed=0):
    """Images of 8 × 8 greys: a bright bar somewhere, lying or standing."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 60, size=(n, 8, 8))
    for image, where, standing in zip(
        images, random.integers(0, 7, n), random.integers(0, 2, n), strict=True
    ):
        bar = image.T if standing else image
        bar[where : where + 2] = 230
    return images.reshape(n, 64).astype(np.uint8)


def small(**settings):
    # On the CPU, where the same bits are promised.
    defaults = {"batch_size": 32, "learning_rate": 1e-2, "device": "cpu"}
    return vae(16, 3, pixels=64, **{**defaults, **settings})


@pytest.fixture(scope="module")
def trace():
    return run(small(), greys(), steps=15)


def normals(shape=(40, 3), seed=0):
    random = np.random.default_rng(seed)
    return torch.tensor(random.normal(size=shape)), torch.tensor(random.normal(size=shape))


# The parts


def test_kl_is_that_of_torch_and_of_monte_carlo():
    mean, log_variance = normals()
    q, p = Normal(mean, torch.exp(0.5 * log_variance)), Normal(0.0, 1.0)
    kl = kl_by_dimension(mean, log_variance)
    np.testing.assert_allclose(kl, kl_divergence(q, p), rtol=1e-12)
    noise = np.random.default_rng(1).normal(size=(20_000, *mean.shape))
    z = mean + torch.exp(0.5 * log_variance) * torch.tensor(noise)
    ratio = (q.log_prob(z) - p.log_prob(z)).numpy()
    error = ratio.std(0) / np.sqrt(len(ratio))
    # 120 means at once: none of them 5 standard errors off, by chance 1 time in 10,000.
    assert (np.abs(ratio.mean(0) - kl.numpy()) < 5 * error).all()


def test_kl_near_the_prior_keeps_its_digits_in_float32():
    small_steps = torch.tensor([0.0, 1e-4, -1e-3, 1e-2], dtype=torch.float32)
    kl = kl_by_dimension(small_steps, small_steps)
    exact = kl_by_dimension(small_steps.double(), small_steps.double())
    np.testing.assert_allclose(kl, exact, rtol=2e-3)
    assert kl[0] == 0
    assert (kl >= 0).all()


def test_a_sample_has_the_moments_asked_for_and_lets_gradients_through():
    mean, log_variance = (part.requires_grad_() for part in normals((5, 3)))
    many = 40_000
    z = sample(mean.expand(many, 5, 3), log_variance.expand(many, 5, 3), generator(0))
    sd = torch.exp(0.5 * log_variance.detach())
    draws = (z.detach() - mean.detach()) / sd
    np.testing.assert_allclose(draws.mean(0), 0, atol=5 / np.sqrt(many))
    np.testing.assert_allclose(draws.var(0), 1, atol=5 * np.sqrt(2 / many))
    z.sum().backward()
    np.testing.assert_allclose(mean.grad, np.full((5, 3), many), rtol=1e-9)
    by_hand = 0.5 * ((z - mean).detach()).sum(0)
    np.testing.assert_allclose(log_variance.grad, by_hand, rtol=1e-9)
    # One draw an entry, and the same ones for the same stream.
    assert len(np.unique(draws[0])) == 15
    again = sample(mean.expand(many, 5, 3), log_variance.expand(many, 5, 3), generator(0))
    assert torch.equal(z, again)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_bernoulli_is_scipys_and_sums_to_one_over_all_images(dtype):
    logits = torch.tensor(np.random.default_rng(0).normal(0, 3, 6), dtype=dtype)
    images = np.array(np.meshgrid(*[[0, 1]] * 6)).reshape(6, -1).T
    found = log_bernoulli(torch.tensor(images, dtype=dtype), logits.expand(64, 6))
    assert found.dtype == dtype
    expected = stats.bernoulli.logpmf(images, torch.sigmoid(logits.double()).numpy()).sum(1)
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == torch.float32 else 1e-10)
    assert logsumexp(found.numpy()) == pytest.approx(0, abs=1e-5)


def test_log_bernoulli_stays_a_number_at_large_logits():
    logits = torch.tensor([[1000.0, -1000.0], [1000.0, -1000.0]], requires_grad=True)
    found = log_bernoulli(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), logits)
    assert found.tolist() == [0.0, -2000.0]
    found.sum().backward()
    assert logits.grad.tolist() == [[0, 0], [-1, 1]]


def test_log_bernoulli_refuses_what_is_no_pixel():
    for value in (-1.0, 1.01, float("nan")):
        with pytest.raises(ValueError, match="pixels lie between 0 and 1"):
            log_bernoulli(torch.tensor([[0.5, value]]), torch.zeros(1, 2))


def test_grey_cross_entropy_is_no_likelihood():
    grey = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None]
    for logit in (-4.0, 0.0, 1.0):
        density = torch.exp(log_bernoulli(grey, torch.full_like(grey, logit)))
        assert torch.trapezoid(density, grey[:, 0]) < 0.5 + 1e-6


@pytest.mark.parametrize("beta", [1.0, 0.5, 4.0])
def test_the_elbo_is_that_of_torchs_distributions(beta):
    mean, log_variance = normals((4, 3))
    random = np.random.default_rng(3)
    x = torch.tensor(random.integers(0, 2, (4, 10)), dtype=torch.float64)
    logits = torch.tensor(random.normal(size=(4, 10)))
    fit = Bernoulli(logits=logits).log_prob(x).sum(1)
    kl = kl_divergence(Normal(mean, torch.exp(0.5 * log_variance)), Normal(0.0, 1.0)).sum(1)
    found = elbo(x, logits, mean, log_variance, beta)
    np.testing.assert_allclose(found, fit - beta * kl, rtol=1e-12)
    if beta == 1:
        assert torch.equal(elbo(x, logits, mean, log_variance), found)


def test_the_elbos_gradient_is_that_of_finite_differences():
    network = VAE(hidden=4, latent=2, pixels=6).double()
    x = torch.tensor(np.random.default_rng(0).integers(0, 2, (3, 6)), dtype=torch.float64)

    def bound():
        mean, log_variance = network.encode(x)
        z = sample(mean, log_variance, generator(7))  # the same noise each time
        return elbo(x, network.decode(z), mean, log_variance, 0.7).sum()

    bound().backward()
    for parameter in network.parameters():
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for i in range(len(flat)):
            before, values = flat[i].item(), []
            for shift in (1e-6, -1e-6):
                flat[i] = before + shift
                values.append(float(bound().detach()))
            flat[i] = before
            slope = (values[0] - values[1]) / 2e-6
            assert gradient[i] == pytest.approx(slope, abs=1e-6, rel=1e-5)


def test_the_elbo_lies_below_log_p_by_the_kl_from_the_posterior():
    """One hidden number: everything is a sum over a fine grid."""
    network = VAE(hidden=5, latent=1, pixels=6).double().requires_grad_(False)
    x = torch.tensor(np.random.default_rng(0).integers(0, 2, (4, 6)), dtype=torch.float64)
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None]
    width = float(z[1] - z[0])
    log_joint = (network.log_likelihood(x, z[:, None]) + network.log_prior(z)[:, None]).numpy()
    log_evidence = logsumexp(log_joint, axis=0) + np.log(width)
    mean, log_variance = network.encode(x)
    log_q = Normal(mean[:, 0], torch.exp(0.5 * log_variance[:, 0])).log_prob(z).numpy()
    q = np.exp(log_q) * width
    logits = network.decode(z)
    log_likelihood = log_bernoulli(x, logits[:, None]).numpy()
    expected = (q * log_likelihood).sum(0) - kl_by_dimension(mean, log_variance)[:, 0].numpy()
    gap = (q * (log_q - (log_joint - log_evidence))).sum(0)
    assert (gap > 0).all()
    np.testing.assert_allclose(expected, log_evidence - gap, rtol=1e-8)
    draws = torch.stack([
        elbo(x, network.decode(sample(mean, log_variance, generator(seed))), mean, log_variance)
        for seed in range(3000)
    ]).numpy()  # fmt: skip
    error = draws.std(0) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - expected) < 5 * error).all()


# Pixels


def test_sampled_pixels_are_on_as_often_as_they_are_grey():
    rows = torch.tensor([[0, 1, 51, 128, 254, 255]], dtype=torch.uint8).expand(50_000, 6)
    x = binarised(rows, "sampled", generator(0))
    assert x.dtype == torch.float32
    assert set(x.unique().tolist()) == {0, 1}
    share = rows[0].double().numpy() / 255
    error = np.sqrt(share * (1 - share) / len(rows))
    assert (np.abs(x.double().mean(0).numpy() - share) <= 5 * error).all()
    assert not torch.equal(x, binarised(rows, "sampled", generator(1)))


def test_the_other_ways_to_make_pixels():
    rows = torch.tensor([[0, 127, 128, 255]], dtype=torch.uint8)
    assert binarised(rows, "threshold", generator(0)).tolist() == [[0, 0, 1, 1]]
    np.testing.assert_allclose(binarised(rows, "grey", generator(0)), rows / 255)
    black = torch.tensor([[0, 1, 1]], dtype=torch.uint8)
    assert binarised(black, "given", generator(0)).tolist() == [[0, 1, 1]]


def test_images_of_another_kind_are_refused():
    black, grey = (torch.tensor([[0, top]], dtype=torch.uint8) for top in (1, 9))
    for way in ("sampled", "threshold", "grey"):
        with pytest.raises(ValueError, match="black and white already"):
            binarised(black, way, generator(0))
        with pytest.raises(ValueError, match="uint8 from 0 to 255"):
            binarised(grey / 255, way, generator(0))
    with pytest.raises(ValueError, match="hold more than 0 and 1"):
        binarised(grey, "given", generator(0))
    for wrong in (np.zeros(3), np.zeros((0, 3)), [[-1.0]], [[2.0]], [[np.nan]], [["a"]]):
        with pytest.raises(ValueError, match="images"):
            as_pixels(wrong)
    np.testing.assert_allclose(as_pixels([[0.0, 0.25, 1.0]]), [[0, 0.25, 1]])
    np.testing.assert_allclose(as_pixels(grey.numpy()), [[0, 9 / 255]], rtol=1e-6)
    np.testing.assert_allclose(as_pixels(black.numpy()), [[0, 1]])


# Training


def test_training_lowers_the_loss_and_its_terms_add_up_to_it(trace):
    assert trace.objective[-1] < trace.objective[0] - 5
    for info in trace.infos:
        assert info.objective == pytest.approx(info.terms["distortion"] + info.terms["rate"])
        assert info.terms["rate"] >= 0
    assert trace.algorithm.name == "VAE"


def test_beta_weighs_the_rate():
    names = {}
    rates = []
    for beta in (0.0, 0.5, 4.0):
        found = run(small(beta=beta), greys(), steps=8)
        info = found.infos[-1]
        expected = info.terms["distortion"] + beta * info.terms["rate"]
        assert info.objective == pytest.approx(expected)
        rates.append(info.terms["rate"])
        names[beta] = found.algorithm.name
    assert rates[0] > rates[1] > rates[2]
    assert names[0.5] == "VAE, β = 0.5"


def test_your_own_functions_train_as_the_courses_do(trace):
    def own_elbo(x, logits, mean, log_variance, beta=1.0):
        return log_bernoulli(x, logits) - beta * kl_by_dimension(mean, log_variance).sum(-1)

    def own_sample(mean, log_variance, generator):
        noise = torch.randn(mean.shape, generator=generator)
        return mean + torch.exp(0.5 * log_variance) * noise

    own = run(small(elbo=own_elbo, sample=own_sample), greys(), steps=2)
    for name, values in trace[2].parameters.items():
        assert np.array_equal(own[2].parameters[name], values)

    def no_noise(mean, log_variance, generator):
        return mean

    other = run(small(sample=no_noise), greys(), steps=2)
    assert other.infos[2].terms["distortion"] != trace.infos[2].terms["distortion"]


def test_functions_of_your_own_train_on_the_cpu_unless_you_name_a_device(monkeypatch):
    handed = []

    def caught(make, loss, **settings):
        handed.append(settings.get("device"))

    def own(*given):
        raise AssertionError

    monkeypatch.setattr(module, "training", caught)
    vae()
    vae(elbo=elbo, sample=sample)
    assert handed == [None, None]
    for functions in ({"elbo": own}, {"sample": own}, {"elbo": own, "sample": own}):
        handed.clear()
        vae(**functions)
        vae(**functions, device=None)
        vae(**functions, device="cuda:1")
        assert handed == ["cpu", "cpu", "cuda:1"]


def test_pixels_are_drawn_anew_in_every_epoch():
    seen = []

    def watched(x, *others):
        seen.append(x)
        return elbo(x, *others)

    image = greys(1)
    run(small(elbo=watched), image, steps=40)
    pixels = torch.cat(seen).numpy()
    assert set(np.unique(pixels)) == {0, 1}
    assert len(np.unique(pixels, axis=0)) == len(pixels) == 81
    # 64 pixels at once: none of them 5 standard errors off, by chance 1 time in 20,000.
    np.testing.assert_allclose(pixels.mean(0), image[0] / 255, atol=5 * 0.5 / np.sqrt(81))


@pytest.mark.parametrize("binarise", ["threshold", "grey"])
def test_other_pixels_train_too(binarise):
    found = run(small(binarise=binarise), greys(), steps=4)
    assert found.objective[-1] < found.objective[0]


def test_images_that_are_black_and_white_already():
    black = (greys() > 127).astype(np.uint8)
    with pytest.raises(ValueError, match="binarise='given'"):
        Trace(small(), black)
    given, threshold = small(binarise="given"), small(binarise="threshold")
    first, second = Trace(given, black), Trace(threshold, greys())
    assert first.infos[0].objective == second.infos[0].objective


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"binarise": "static"}, "binarise is 'static'"),
        ({"beta": -1.0}, "beta is -1"),
        ({"beta": float("nan")}, "beta is nan"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        vae(**arguments)


def test_sizes_out_of_range_are_refused():
    for sizes in ({"hidden": 0}, {"hidden": ()}, {"latent": 0}, {"pixels": 0}):
        with pytest.raises(ValueError, match="all are at least 1"):
            VAE(**{**SIZES, **sizes})


def test_several_layers_on_each_side():
    trace = run(vae((12, 8), 2, pixels=64, batch_size=50), greys(), steps=1)
    network = vae_at(trace[1])
    assert sizes_of(trace[1].parameters) == {"hidden": (12, 8), "latent": 2, "pixels": 64}
    units = [layer.out_features for layer in network.decoder if hasattr(layer, "out_features")]
    assert units == [8, 12, 64]


# What a trained network is asked for


def test_a_saved_network_is_the_same_network(trace, tmp_path):
    save(tmp_path / "vae.npz", trace[-1].parameters)
    network, again = vae_at(trace[-1]), vae_at(load(tmp_path / "vae.npz"))
    images = greys(10, seed=1)
    assert np.array_equal(reconstruct(network, images), reconstruct(again, images))
    with pytest.raises(ValueError, match="those of an autoencoder or a VAE were needed"):
        vae_at({"weight": np.ones((2, 2))})
    parts = {n: v for n, v in trace[-1].parameters.items() if n != "log_variance.bias"}
    with pytest.raises(ValueError, match="the module's are"):
        vae_at(parts)


def test_the_posterior_of_any_chunks_and_of_greys_or_pixels(trace):
    network, images = vae_at(trace[-1]), greys(50, seed=1)
    mean, log_variance = posterior(network, images)
    assert mean.shape == log_variance.shape == (50, 3)
    assert mean.dtype == log_variance.dtype == np.float32
    exact = network.encode(torch.tensor(images / 255, dtype=torch.float32))
    np.testing.assert_allclose(mean, exact[0], atol=1e-5)
    np.testing.assert_allclose(log_variance, exact[1], atol=1e-5)
    in_sevens = posterior(network, images, chunk=7)
    np.testing.assert_allclose(np.stack(in_sevens), np.stack([mean, log_variance]), atol=1e-5)
    as_floats = posterior(network, images / 255)
    np.testing.assert_allclose(np.stack(as_floats), np.stack([mean, log_variance]), atol=1e-5)


def test_reconstructions_resemble_the_image_more_than_another(trace):
    network, images = vae_at(trace[-1]), greys(100, seed=1)
    found = reconstruct(network, images)
    assert found.shape == (100, 64)
    assert found.min() >= 0
    assert found.max() <= 1
    own = np.abs(found - images / 255).mean()
    other = np.abs(found - np.roll(images, 1, axis=0) / 255).mean()
    assert own < 0.7 * other
    drawn, again, differently = (reconstruct(network, images, seed) for seed in (0, 0, 1))
    assert np.array_equal(drawn, again)
    assert not np.array_equal(drawn, differently)
    assert not np.array_equal(drawn, found)


def test_generated_images_come_from_the_prior(trace):
    network = vae_at(trace[-1])
    images = generate(network, 2500, 0)
    assert images.shape == (2500, 64)
    assert np.array_equal(images[:5], generate(network, 5, 0))
    assert not np.array_equal(images, generate(network, 2500, 1))
    z = torch.randn(20_000, 3, generator=generator(9))
    far = torch.sigmoid(network.decode(z)).mean(0)
    np.testing.assert_allclose(images.mean(0), far, atol=0.05)
    with pytest.raises(ValueError, match="n is 0"):
        generate(network, 0, 0)


def test_a_traversal_moves_one_dimension_and_a_dead_one_does_nothing(trace):
    network, z = vae_at(trace[-1]), np.array([0.3, -1.0, 0.5])
    path = traverse(network, z, 1, [-3.0, -1.0, 3.0])
    assert path.shape == (3, 64)
    codes = torch.tensor([[0.3, -3, 0.5], [0.3, -1, 0.5], [0.3, 3, 0.5]])
    np.testing.assert_allclose(path, torch.sigmoid(network.decode(codes)), atol=1e-6)
    network.decoder[0].weight[:, 1] = 0
    still = traverse(network, z, 1, np.linspace(-3, 3, 5))
    np.testing.assert_allclose(still, np.broadcast_to(still[0], still.shape), atol=1e-6)
    for wrong in ((z[:2], 0, [0.0]), (z, 3, [0.0]), (z, -1, [0.0]), (z, 0, 0.0)):
        with pytest.raises(ValueError, match="this network takes"):
            traverse(network, *wrong)
