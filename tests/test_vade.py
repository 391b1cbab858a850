"""VaDE's bound against Monte Carlo, quadrature and unit 03; its training, start and clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp

from latentsteps.inference.training import generator, load, save
from latentsteps.models import gaussian_mixture, vae
from latentsteps.models import vade as module
from latentsteps.models.autoencoder import autoencoder
from latentsteps.models.gaussian_mixture import GaussianMixture
from latentsteps.models.importance import importance_weighted
from latentsteps.models.vade import (
    WAYS,
    VaDE,
    best_q,
    cluster_probabilities,
    elbo,
    entropy,
    generate,
    latent_mixture,
    latents,
    log_mixture_prior,
    lost,
    minus_kl,
    minus_kl_summed_out,
    mixture_of,
    published_q,
    start_from,
    vade,
    vade_at,
)
from latentsteps.trace import run

B, C, D, P = 6, 4, 3, 36
SIZES = {"hidden": 16, "latent": D, "pixels": P}
SETTINGS = {"batch_size": 50, "device": "cpu"}


def doubles(random, *shape):
    return torch.tensor(random.normal(size=shape))


def problem(seed=0):
    """(mean, log_variance) of six posteriors and (weights, means, variances) of a mixture."""
    random = np.random.default_rng(seed)
    mixture = (
        torch.tensor(random.dirichlet(np.full(C, 3.0))),
        doubles(random, C, D),
        torch.tensor(random.gamma(4, 0.2, size=(C, D))),
    )
    return (doubles(random, B, D), 0.7 * doubles(random, B, D) - 1), mixture


def as_arrays(mixture):
    return GaussianMixture(*(part.numpy() for part in mixture))


def draws(inside, n, seed=0):
    mean, log_variance = inside
    noise = torch.tensor(np.random.default_rng(seed).normal(size=(n, *mean.shape)))
    return mean + (0.5 * log_variance).exp() * noise


def images(n=120):
    """Grey pictures of three kinds, each a patch of ink with noise."""
    random = np.random.default_rng(0)
    kinds = np.zeros((3, 6, 6))
    kinds[0, :3], kinds[1, :, 3:], kinds[2, 2:5, 1:4] = 1, 1, 1
    grey = 40 + 160 * kinds.reshape(3, P)[np.arange(n) % 3] + random.normal(0, 20, size=(n, P))
    return np.clip(grey, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def trained():
    """A small VAE's parameters, after some epochs on the pictures."""
    return run(vae.vae(**SIZES, **SETTINGS), images(), steps=5)[-1].parameters


@pytest.fixture(scope="module")
def start(trained):
    mean, log_variance = vae.posterior(vae.vae_at(trained), images())
    return start_from(trained, latent_mixture(mean, log_variance, C, seed=0))


# The bound


@pytest.mark.parametrize("shape", [(B,), (5, B)])
def test_the_prior_is_unit_03s_mixture(shape):
    _, mixture = problem()
    z = doubles(np.random.default_rng(1), *shape, D)
    found = log_mixture_prior(z, *mixture)
    joint = gaussian_mixture.log_joint(z.reshape(-1, D).numpy(), as_arrays(mixture))
    np.testing.assert_allclose(found, logsumexp(joint, axis=1).reshape(shape), rtol=1e-12)


def test_far_points_and_float32_keep_a_finite_prior_and_gradient():
    inside, mixture = problem()
    means = (1e3 * mixture[1]).float().requires_grad_()
    z = inside[0].float().requires_grad_()
    weights, variances = mixture[0].float(), 0.01 * mixture[2].float()
    q = published_q(z[None], weights, means, variances)
    assert (q == 0).any()
    value = minus_kl(z, inside[1].float(), weights, means, variances, q)
    (value + log_mixture_prior(z, weights, means, variances)).sum().backward()
    assert value.dtype == torch.float32
    for part in (value, z.grad, means.grad):
        assert torch.isfinite(part).all()


def test_a_cluster_without_weight_adds_nothing():
    inside, (weights, means, variances) = problem()
    weights = torch.tensor([0.0, *(weights[1:] / weights[1:].sum())])
    everything, rest = (weights, means, variances), (weights[1:], means[1:], variances[1:])
    z = draws(inside, 3)
    q = best_q(*inside, *everything)
    assert (q[:, 0] == 0).all()
    torch.testing.assert_close(
        minus_kl(*inside, *everything, q), minus_kl(*inside, *rest, best_q(*inside, *rest))
    )
    torch.testing.assert_close(
        minus_kl_summed_out(*inside, *everything, z), minus_kl_summed_out(*inside, *rest, z)
    )


def test_the_best_q_is_proportional_to_the_exponential_of_an_average_of_logs():
    inside, mixture = problem()
    z = draws(inside, 100_000)
    joint = np.stack([gaussian_mixture.log_joint(row, as_arrays(mixture)) for row in z.numpy()[:2]])
    assert joint.shape == (2, B, C)
    logs = torch.stack(
        [
            w.log() + torch.distributions.Normal(m, v.sqrt()).log_prob(z).sum(-1)
            for w, m, v in zip(*mixture, strict=True)
        ],
        dim=-1,
    )
    np.testing.assert_allclose(logs[:2], joint, rtol=1e-10)
    # A standard error of a mean of 100,000 logs is about .005.
    expected = logs.mean(dim=0).softmax(dim=-1)
    np.testing.assert_allclose(best_q(*inside, *mixture), expected, atol=0.01)


def test_the_best_q_beats_two_hundred_random_ones():
    inside, mixture = problem()
    best = best_q(*inside, *mixture)
    highest = elbo(torch.zeros(B), best, *inside, *mixture)
    random = np.random.default_rng(0)
    for i in range(200):
        q = torch.tensor(random.dirichlet(np.full(C, (0.1, 1.0, 10.0)[i % 3]), size=B))
        if i % 2:  # near ones too
            q = 0.99 * best + 0.01 * q
        assert (elbo(torch.zeros(B), q, *inside, *mixture) < highest).all()


def test_with_no_width_the_best_q_is_unit_03s_responsibility():
    (mean, _), mixture = problem()
    found = best_q(mean, torch.full_like(mean, -60.0), *mixture)
    expected = gaussian_mixture.responsibilities(mean.numpy(), as_arrays(mixture))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    # With one, it is another.
    wide = best_q(mean, torch.zeros_like(mean), *mixture)
    assert (wide - torch.tensor(expected)).abs().max() > 0.05


@pytest.mark.parametrize("which", ["best", "random"])
def test_the_elbo_equals_its_monte_carlo_estimate_on_a_small_net(which):
    torch_noise = generator(0)
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(3)
        network = VaDE(C, hidden=8, latent=D, pixels=12).double().requires_grad_(False)
    inside_prior = problem(2)[1]
    network.weight_logits.copy_(inside_prior[0].log())
    network.means.copy_(inside_prior[1])
    network.log_variances.copy_(inside_prior[2].log())
    x = (torch.rand((B, 12), generator=torch_noise, dtype=torch.float64) < 0.5).double()
    inside, mixture = network.encode(x), network.mixture()
    if which == "best":
        q = best_q(*inside, *mixture)
    else:
        q = torch.tensor(np.random.default_rng(5).dirichlet(np.ones(C), size=B))
    fit = network.log_likelihood(x, draws(inside, 20_000, seed=1))
    closed = elbo(fit.mean(dim=0), q, *inside, *mixture)
    # z and c drawn, every density by torch.distributions.
    n = 40_000
    mean, log_variance = inside
    q_z = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    z = draws(inside, n, seed=2)
    random = np.random.default_rng(3)
    c = torch.tensor(np.stack([random.choice(C, n, p=row.numpy()) for row in q], axis=1))
    weights, means, variances = mixture
    prior = torch.distributions.Normal(means[c], variances[c].sqrt())
    values = (
        torch.distributions.Bernoulli(logits=network.decode(z)).log_prob(x).sum(-1)
        + weights[c].log() + prior.log_prob(z).sum(-1)
        - q_z.log_prob(z).sum(-1) - q.gather(1, c.T).T.log()
    )  # fmt: skip
    error = (values.std(dim=0) ** 2 / n + fit.std(dim=0) ** 2 / len(fit)).sqrt()
    assert ((values.mean(dim=0) - closed).abs() < 5 * error).all()


def test_summed_out_is_unbiased_and_never_below_the_optimum():
    inside, mixture = problem()
    z = draws(inside, 40_000)
    each = minus_kl_summed_out(*inside, *mixture, z)
    assert each.shape == z.shape[:2]
    mean, log_variance = inside
    q_z = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    plain = log_mixture_prior(z, *mixture) - q_z.log_prob(z).sum(-1)
    error = (plain - each).std(dim=0) / math.sqrt(len(z))
    assert ((plain - each).mean(dim=0).abs() < 5 * error).all()
    optimum = minus_kl(*inside, *mixture, best_q(*inside, *mixture))
    assert (each >= optimum - 1e-12).all()


@pytest.mark.parametrize(("mean", "sd", "quieter"), [(1.0, 0.2, True), (0.0, 1.5, False)])
def test_summed_out_has_less_noise_where_q_is_narrow_and_may_have_more_where_it_is_wide(
    mean, sd, quieter
):
    """Between two clusters at ±3; halfway, with a wide q(z | x), the gap grows with |z|."""
    places = torch.tensor([[-3.0], [3.0]], dtype=torch.float64)
    mixture = torch.full_like(places[:, 0], 0.5), places, torch.ones_like(places)
    inside = torch.tensor([[[mean]], [[2 * math.log(sd)]]], dtype=torch.float64)
    z = draws(inside, 20_000)
    plain = log_mixture_prior(z, *mixture) + entropy(inside[1])
    each = minus_kl_summed_out(*inside, *mixture, z)
    smaller, larger = (each, plain) if quieter else (plain, each)
    assert 1.5 * smaller.std() < larger.std()


def test_published_then_optimum_then_summed_out():
    inside, mixture = problem()
    z = draws(inside, 20_000)
    published = minus_kl(*inside, *mixture, published_q(z, *mixture))
    optimum = minus_kl(*inside, *mixture, best_q(*inside, *mixture))
    summed_out = minus_kl_summed_out(*inside, *mixture, z).mean(dim=0)
    assert (published < optimum).all()
    assert (optimum < summed_out).all()
    # A single draw in q, as in the authors' program, costs still more on average.
    single = [minus_kl(*inside, *mixture, published_q(one[None], *mixture)) for one in z[:500]]
    assert (torch.stack(single).mean(dim=0) < published).all()


def test_the_gaps_are_divergences():
    inside, mixture = problem()
    z = draws(inside, 1)
    best, published = best_q(*inside, *mixture), published_q(z, *mixture)
    gap = minus_kl(*inside, *mixture, best) - minus_kl(*inside, *mixture, published)
    np.testing.assert_allclose(gap, stats.entropy(published, best, axis=1), rtol=1e-9)
    prior = log_mixture_prior(z[0], *mixture)
    np.testing.assert_allclose(
        lost(z[0], best, prior, *mixture), stats.entropy(best, published, axis=1), rtol=1e-9
    )


def test_summed_out_has_the_gradient_of_log_p_of_z():
    """In one dimension, where expectations over z are exact by quadrature."""
    random = np.random.default_rng(0)
    nodes, shares = (torch.tensor(part) for part in np.polynomial.hermite_e.hermegauss(100))
    shares = shares / shares.sum()
    given = [
        doubles(random, 5, 1), doubles(random, 5, 1) - 1,
        doubles(random, 3), doubles(random, 3, 1), 0.2 * doubles(random, 3, 1),
    ]  # fmt: skip

    def gradients(value):
        leaves = [part.clone().requires_grad_() for part in given]
        mean, log_variance, logits, means, log_variances = leaves
        mixture = (logits.softmax(dim=0), means, log_variances.exp())
        z = mean + (0.5 * log_variance).exp() * nodes[:, None, None]
        found = (shares[:, None] * value(mean, log_variance, mixture, z)).sum()
        return found, torch.autograd.grad(found, leaves)

    def plain(mean, log_variance, mixture, z):
        return log_mixture_prior(z, *mixture) + entropy(log_variance)

    def whole(mean, log_variance, mixture, z):
        return minus_kl_summed_out(mean, log_variance, *mixture, z)

    def as_trained(mean, log_variance, mixture, z):
        q = best_q(mean, log_variance, *mixture).detach()
        prior = log_mixture_prior(z, *mixture)
        return minus_kl(mean, log_variance, *mixture, q) + lost(z, q, prior, *mixture)

    value, expected = gradients(plain)
    for other in (whole, as_trained):
        found, slopes = gradients(other)
        torch.testing.assert_close(found, value, rtol=1e-7, atol=1e-7)
        for slope, wanted in zip(slopes, expected, strict=True):
            torch.testing.assert_close(slope, wanted, rtol=1e-6, atol=1e-6)


def test_one_standard_component_is_the_vae():
    inside, _ = problem()
    one = (torch.ones(1), torch.zeros(1, D), torch.ones(1, D))
    one = tuple(part.double() for part in one)
    kl = vae.kl_by_dimension(*inside).sum(-1)
    torch.testing.assert_close(minus_kl(*inside, *one, torch.ones(B, 1).double()), -kl)
    torch.testing.assert_close(
        minus_kl_summed_out(*inside, *one, draws(inside, 7)), -kl.expand(7, B)
    )


@pytest.mark.parametrize("q", WAYS)
def test_one_standard_component_trains_as_the_vae_does(q, trained):
    one = start_from(trained, GaussianMixture(np.ones(1), np.zeros((1, D)), np.ones((1, D))))
    of_vade = run(vade(one, q=q, batches=1, **SETTINGS), images(), seed=3, steps=1)
    # The VAE from the same values, with the same draws of pixels and of z.
    other = vae.vae(**SIZES, batches=1, **SETTINGS)
    state, _ = other.init((3, 0), images())
    state, _ = other.step((3, 1), state._replace(parameters=trained), images())
    # What Adam remembers of one batch is a tenth of its gradient; float32 rounds.
    for name in trained:
        wanted = state.optimizer[f"{name}.exp_avg"]
        found = of_vade[1].optimizer[f"{name}.exp_avg"]
        np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max(), rtol=1e-3)


# Training


@pytest.mark.parametrize("q", WAYS)
def test_training_lowers_the_loss_and_moves_the_mixture(q, start):
    trace = run(vade(start, q=q, **SETTINGS), images(), steps=12)
    assert trace.objective[-1] < trace.objective[0] - 0.5
    for name in ("weight_logits", "means", "log_variances"):
        assert not np.array_equal(trace[-1].parameters[name], start[name])
    info = trace.infos[-1]
    assert info.objective == pytest.approx(info.terms["distortion"] + info.terms["rate"], rel=1e-5)
    again = run(vade(start, q=q, **SETTINGS), images(), steps=2)
    np.testing.assert_array_equal(again[2].parameters["means"], trace[2].parameters["means"])


def test_the_three_objectives_are_ordered_at_the_same_start(start):
    values = {q: vade(start, q=q, **SETTINGS).init((0, 0), images())[1].objective for q in WAYS}
    # Losses: the same draws of z, and the gaps are divergences.
    assert values["summed out"] < values["optimum"] < values["published"]


def test_it_goes_on_from_another_runs_state(start):
    trace = run(vade(start, **SETTINGS), images(), steps=1)
    onward = vade(trace[-1].parameters, **SETTINGS).init((0, 0), images())[0]
    for name, values in trace[-1].parameters.items():
        np.testing.assert_array_equal(onward.parameters[name], values)


def test_a_learners_functions_are_what_is_trained_on(start):
    called = []

    def spy(name, function):
        def wrapped(*args):
            called.append(name)
            return function(*args)

        return wrapped

    own = {
        "elbo": spy("elbo", elbo),
        "best_q": spy("best_q", best_q),
        "log_mixture_prior": spy("log_mixture_prior", log_mixture_prior),
    }
    with_own = run(vade(start, **own, batches=1, **SETTINGS), images(), steps=1)
    assert set(called) == set(own)
    without = run(vade(start, batches=1, **SETTINGS), images(), steps=1)
    np.testing.assert_array_equal(with_own[1].parameters["means"], without[1].parameters["means"])


@pytest.mark.parametrize("q", ["optimum", "summed out"])
def test_a_best_q_in_numpy_trains_as_the_courses_does(q, start):
    def in_numpy(*given):
        mean, log_variance, weights, means, variances = (part.numpy() for part in given)
        joint = gaussian_mixture.log_joint(mean, GaussianMixture(weights, means, variances))
        logs = joint - 0.5 * np.exp(log_variance) @ (1 / variances).T
        return torch.from_numpy(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))

    own = run(vade(start, q=q, best_q=in_numpy, batches=1, **SETTINGS), images(), steps=1)
    ours = run(vade(start, q=q, batches=1, **SETTINGS), images(), steps=1)
    for name in start:
        # What Adam remembers of one batch is a tenth of its gradient; float32 rounds.
        wanted, found = (trace[1].optimizer[f"{name}.exp_avg"] for trace in (ours, own))
        np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max(), rtol=1e-3)


def test_functions_of_ones_own_train_on_the_cpu_unless_a_device_is_named(start, monkeypatch):
    handed = []

    def caught(make, loss, **settings):
        handed.append(settings.get("device"))

    def own(*given):
        raise AssertionError

    monkeypatch.setattr(module, "training", caught)
    vade(start)
    vade(start, elbo=elbo, best_q=best_q, log_mixture_prior=log_mixture_prior)
    assert handed == [None, None]
    for name in ("elbo", "best_q", "log_mixture_prior"):
        handed.clear()
        vade(start, **{name: own})
        vade(start, **{name: own}, device=None)
        vade(start, **{name: own}, device="cuda:1")
        assert handed == ["cpu", "cpu", "cuda:1"]


def test_an_autoencoder_can_be_the_start():
    trace = run(autoencoder(**SIZES, **SETTINGS), images(), steps=2)
    mixture = GaussianMixture(
        np.array([0.25, 0.75]), np.zeros((2, D)), np.array([[1.0] * D, [3.0] * D])
    )
    begun = start_from(trace[-1].parameters, mixture)
    _, log_variance = vade_at(begun).encode(torch.rand(4, P, generator=generator(0)))
    np.testing.assert_allclose(log_variance, np.log(0.1 * 2.5), rtol=1e-5)
    np.testing.assert_array_equal(begun["mean.weight"], trace[-1].parameters["code.weight"])
    assert np.isfinite(run(vade(begun, **SETTINGS), images(), steps=1).objective).all()


def test_a_start_holds_the_mixture_that_was_given(trained):
    mixture = as_arrays(problem()[1])
    found = mixture_of(vade_at(start_from(trained, mixture)))
    for part, wanted in zip(found, mixture, strict=True):
        np.testing.assert_allclose(part, wanted, rtol=1e-5)


def test_the_latents_mixture_is_one_of_z_and_not_of_the_means():
    random = np.random.default_rng(0)
    side = np.where(np.arange(2000) % 4 == 0, -4.0, 4.0)
    mean = side[:, None] + 0.5 * random.normal(size=(2000, 2))
    fit = latent_mixture(mean, np.zeros((2000, 2)), 2, seed=1, restarts=1)
    order = np.argsort(fit.means[:, 0])
    np.testing.assert_allclose(fit.weights[order], [0.25, 0.75], atol=0.01)
    np.testing.assert_allclose(fit.means[order], [[-4, -4], [4, 4]], atol=0.2)
    np.testing.assert_allclose(fit.covariances, 0.25 + 1, rtol=0.2)


# A trained network


def test_each_image_gets_the_best_q(start):
    network = vade_at(start)
    found = cluster_probabilities(network, images())
    np.testing.assert_allclose(found.sum(axis=1), 1)
    x = torch.tensor(images() / np.float32(255))
    expected = best_q(*network.encode(x), *network.mixture())
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_cluster_generates_its_own(start):
    network = vade_at(start)
    _, means, _ = mixture_of(network)
    first = generate(network, 1, 5, seed=0)
    assert first.shape == (5, P)
    assert ((first >= 0) & (first <= 1)).all()
    np.testing.assert_array_equal(first, generate(network, 1, 5, seed=0))
    assert not np.array_equal(first, generate(network, 1, 5, seed=1))
    thin = {**start, "log_variances": np.full_like(start["log_variances"], -60)}
    at_mean = torch.sigmoid(network.decode(torch.tensor(means[1], dtype=torch.float32)))
    np.testing.assert_allclose(generate(vade_at(thin), 1, 3, seed=0), at_mean.expand(3, P), 1e-4)
    with pytest.raises(ValueError, match="clusters 0 to 3"):
        generate(network, C, 1, seed=0)


def test_the_importance_weighted_bound_knows_the_prior(start):
    """Where the decoder ignores z and q(z | x) is the prior, every weight is p(x) itself."""
    mixture = GaussianMixture(np.ones(1), np.full((1, D), 2.0), np.full((1, D), 0.5))
    blind = start_from(start, mixture)
    blind["decoder.0.weight"] = np.zeros_like(blind["decoder.0.weight"])
    for name, value in (("mean", 2.0), ("log_variance", math.log(0.5))):
        blind[f"{name}.weight"] = np.zeros_like(blind[f"{name}.weight"])
        blind[f"{name}.bias"] = np.full_like(blind[f"{name}.bias"], value)
    network = vade_at(blind)
    x = (images(4) > 127).astype(np.float32)
    expected = network.log_likelihood(torch.tensor(x), torch.zeros(4, D))
    np.testing.assert_allclose(importance_weighted(network, x, 3, seed=0), expected, rtol=1e-4)


def test_it_is_saved_and_loaded_without_pickle(start, tmp_path):
    save(tmp_path / "vade.npz", start)
    loaded = vade_at(load(tmp_path / "vade.npz"))
    np.testing.assert_array_equal(
        generate(loaded, 0, 2, seed=0), generate(vade_at(start), 0, 2, seed=0)
    )


def test_its_latents_come_with_the_prior(start):
    found = latents(vade_at(start), images(10))
    assert found.mean.shape == found.log_variance.shape == (10, D)
    assert found.mixture.covariances.shape == (C, D)
    np.testing.assert_array_equal(found.images, images(10))


# What does not fit


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"means": np.zeros((C, D + 1))}, "with 3 latents"),
        ({"covariances": np.ones((C, D, D))}, "diagonal"),
        ({"weights": np.array([1.0, 0, 0, 0])}, "not positive"),
        ({"covariances": np.zeros((C, D))}, "not positive"),
    ],
)
def test_a_mixture_that_does_not_fit_is_refused_in_words(change, words, trained):
    with pytest.raises(ValueError, match=words):
        start_from(trained, as_arrays(problem()[1])._replace(**change))


def test_what_is_no_way_no_start_and_no_cluster_is_refused_in_words(start, trained):
    with pytest.raises(ValueError, match="'optimum'"):
        vade(start, q="best")
    with pytest.raises(ValueError, match="binarise"):
        vade(start, binarise="maybe")
    with pytest.raises(ValueError, match="start_from"):
        vade(trained)
    with pytest.raises(ValueError, match="start_from"):
        vade_at(trained)
    with pytest.raises(ValueError, match="components is 0"):
        VaDE(0)


def test_nothing_else_is_drawn_from(start):
    before = torch.random.get_rng_state(), torch.get_num_threads(), np.random.get_state()[1]
    run(vade(start, batches=1, **SETTINGS), images(), steps=1)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    assert np.array_equal(np.random.get_state()[1], before[2])
