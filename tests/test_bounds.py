"""Three bounds of one image: the order at every state, and the values against VaDE's own and
quadrature."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from latentsteps.models import vade
from latentsteps.models.bounds import Latents, expected_log_joint, plane, three_bounds
from latentsteps.models.gaussian_mixture import GaussianMixture, log_likelihood
from latentsteps.trace import run

N, C, D = 20, 4, 3


def problem(n=N, c=C, d=D, seed=0):
    random = np.random.default_rng(seed)
    mixture = GaussianMixture(
        random.dirichlet(np.full(c, 3.0)), random.normal(size=(c, d)), random.gamma(4, 0.2, (c, d))
    )
    mean, log_variance = random.normal(size=(n, d)), 0.7 * random.normal(size=(n, d)) - 1
    return Latents(mean, log_variance, np.zeros((n, 9)), mixture)


def test_the_order_holds_at_every_state():
    for row in range(N):
        trace = run(three_bounds(start=row), problem(), seed=row, steps=30)
        for info in trace.infos:
            assert info.published <= info.optimum <= info.summed_out == info.objective
        assert trace.infos[-1].published < trace.infos[-1].optimum < trace.infos[-1].summed_out


def test_the_values_are_those_of_vades_functions_at_the_same_draws():
    data = problem()
    trace = run(three_bounds(start=5, draws=4), data, steps=6)
    z = torch.tensor(np.stack([state.z for state in trace]).reshape(-1, 1, D))
    inside = [torch.tensor(part[5:6]) for part in (data.mean, data.log_variance)]
    mixture = [torch.tensor(part) for part in data.mixture]
    best, published = vade.best_q(*inside, *mixture), vade.published_q(z, *mixture)
    each = vade.minus_kl_summed_out(*inside, *mixture, z)[:, 0].numpy()
    info = trace.infos[-1]
    assert trace[-1].draws == len(z) == 28
    np.testing.assert_allclose(info.optimum, vade.minus_kl(*inside, *mixture, best))
    np.testing.assert_allclose(info.published, vade.minus_kl(*inside, *mixture, published))
    np.testing.assert_allclose(info.summed_out, each.mean())
    np.testing.assert_allclose(info.error, each.std(ddof=1) / np.sqrt(28), rtol=1e-8)
    np.testing.assert_allclose(info.optimum_q, best[0])
    np.testing.assert_allclose(info.published_q, published[0])


def test_many_draws_come_to_the_integrals():
    """In two dimensions, where a product of Gauss–Hermite rules is as good as exact."""
    data = problem(d=2)
    row, mixture = 3, data.mixture
    nodes, shares = np.polynomial.hermite_e.hermegauss(60)
    shares = np.outer(shares, shares).ravel() / shares.sum() ** 2
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    mean, sd = data.mean[row], np.exp(data.log_variance[row] / 2)
    z = mean + sd * grid
    joint = np.stack(
        [
            np.log(w) + stats.norm.logpdf(z, m, np.sqrt(v)).sum(axis=1)
            for w, m, v in zip(*mixture, strict=True)
        ],
        axis=1,
    )
    entropy = stats.norm.entropy(mean, sd).sum()
    log_p = np.logaddexp.reduce(joint, axis=1)
    posterior = shares @ np.exp(joint - log_p[:, None])
    expected = shares @ joint
    np.testing.assert_allclose(
        expected_log_joint(mean[None], data.log_variance[row][None], mixture)[0], expected
    )
    info = run(three_bounds(start=row, draws=20_000), data, steps=0).infos[0]
    assert abs(info.summed_out - (shares @ log_p + entropy)) < 4 * info.error
    assert info.optimum == pytest.approx(entropy + np.logaddexp.reduce(expected))
    published = posterior @ (expected - np.log(posterior)) + entropy
    # Of 20,000 draws each share is known to .004, and its value is flat near the optimum.
    np.testing.assert_allclose(info.published_q, posterior, atol=0.015)
    assert info.published == pytest.approx(published, abs=0.03)


def test_a_mixture_of_one_leaves_nothing_to_choose():
    info = run(three_bounds(), problem(c=1), steps=3).infos[-1]
    assert info.published == info.optimum == info.summed_out
    assert info.error == 0


def test_where_z_has_no_width_nothing_is_lost():
    data = problem()._replace(log_variance=np.full((N, D), -40.0))
    info = run(three_bounds(start=2, draws=5), data, steps=2).infos[-1]
    assert info.summed_out - info.published == pytest.approx(0, abs=1e-6)
    entropy = stats.norm.entropy(0, np.exp(-20)) * D
    value = log_likelihood(data.mean[2:3], data.mixture) + entropy
    assert info.optimum == pytest.approx(value)


def test_a_cluster_without_weight_is_left_out():
    data = problem()
    weights = np.array([0.0, 0.2, 0.3, 0.5])
    info = run(three_bounds(draws=3), data._replace(mixture=data.mixture._replace(weights=weights)),
               steps=2).infos[-1]  # fmt: skip
    rest = GaussianMixture(weights[1:], *(part[1:] for part in data.mixture[1:]))
    less = run(three_bounds(draws=3), data._replace(mixture=rest), steps=2).infos[-1]
    assert info.optimum_q[0] == info.published_q[0] == 0
    for name in ("published", "optimum", "summed_out"):
        assert getattr(info, name) == pytest.approx(getattr(less, name))


def test_a_place_in_the_plane_chooses_the_nearest_image():
    data = problem()
    centre, axes = plane(data.mean)
    for row in (0, 7, 19):
        clicked = ((data.mean[row] - centre) @ axes)[None] + 1e-6
        assert run(three_bounds(start=clicked), data, steps=0)[0].image == row
        assert run(three_bounds(start=row), data, steps=0)[0].image == row


def test_the_plane_is_that_of_the_first_principal_components():
    x = np.random.default_rng(0).normal(size=(50, 5)) * [1, 5, 2, 0.1, 3]
    centre, axes = plane(x)
    np.testing.assert_allclose(centre, x.mean(axis=0))
    widest = np.linalg.eigh(np.cov(x.T))[1][:, [-1, -2]]
    np.testing.assert_allclose(np.abs(axes.T @ widest), np.eye(2), atol=1e-9)
    assert (axes[np.abs(axes).argmax(axis=0), [0, 1]] > 0).all()
    np.testing.assert_allclose(plane(x.astype(np.float32))[1], axes, atol=1e-5)
    many = np.random.default_rng(1).normal(size=(700, 600))
    np.testing.assert_array_equal(plane(many)[1], plane(many)[1])


def test_single_draws_have_no_error_yet_and_runs_repeat():
    data = problem()
    trace = run(three_bounds(), data, steps=5)
    assert np.isnan(trace.infos[0].error)
    assert np.isfinite(trace.objective).all()
    assert [state.draws for state in trace] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(run(three_bounds(), data, steps=5)[5].z, trace[5].z)


@pytest.mark.parametrize("start", [-1, N, 1.5, "one", [1, 2, 3]])
def test_what_is_no_image_is_refused_in_words(start):
    with pytest.raises(ValueError, match="an image's row, 0 to 19"):
        run(three_bounds(start=start), problem(), steps=0)


def test_what_does_not_fit_is_refused_in_words():
    data = problem()
    with pytest.raises(ValueError, match="draws is 0"):
        three_bounds(draws=0)
    full = data.mixture._replace(covariances=np.stack([np.eye(D)] * C))
    with pytest.raises(ValueError, match="diagonal"):
        run(three_bounds(), data._replace(mixture=full), steps=0)
    with pytest.raises(ValueError, match="columns"):
        run(three_bounds(), data._replace(mixture=problem(d=2).mixture), steps=0)
    with pytest.raises(ValueError, match="log-variances"):
        run(three_bounds(), data._replace(log_variance=data.log_variance[:, :2]), steps=0)
    with pytest.raises(ValueError, match="two rows and two columns"):
        plane(data.mean[:, :1])
