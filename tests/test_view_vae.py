"""The VAE in training, seen: what the picture says and holds, and that odd networks draw."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import norm

from drawing import assert_legible
from latentsteps.models.traversal import by_size, mean_kl
from latentsteps.models.vae import generate, posterior, reconstruct, vae_at
from latentsteps.stepper import Stepper
from latentsteps.stepper.frames import render
from latentsteps.views import style
from latentsteps.views import vae as view
from vae_runs import IMAGES, drawn, info, parameters, traced, trained

SIZES = [view.size, (9.0, 4.0), (4.6, 5.6), (3.6, 4.4)]


def test_the_start_says_only_what_is_the_same_everywhere():
    assert view.describe(trained().at(0)) == (
        "State 0: not trained yet; 5 latent dimensions, 40 images."
    )


def test_later_states_say_the_two_terms_and_what_is_in_use():
    assert view.describe(trained(dead=(1, 4)).at(2)) == (
        "State 2: distortion 95 and rate 11 nats an image, ELBO −106; 3 of 5 dimensions in use."
    )


def test_the_kl_of_a_dimension_is_its_integral_averaged_over_images():
    network = vae_at(parameters(spread=0.4, dead=(2,)))
    mean, log_variance = (part.astype(float) for part in posterior(network, IMAGES))
    # A grid of its own for each: (4001, 40, 5), as far as twelve standard deviations.
    grid, sd = np.linspace(-12, 12, 4001)[:, None, None], np.exp(log_variance / 2)
    ratio = norm.logpdf(mean + sd * grid, mean, sd) - norm.logpdf(mean + sd * grid)
    expected = ((norm.pdf(grid) * ratio).sum(axis=0) * (grid[1, 0, 0] - grid[0, 0, 0])).mean(axis=0)
    found = mean_kl(network, IMAGES)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert found[2] == 0


def test_bars_are_sorted_and_the_dead_ones_grey():
    trace = trained(dead=(0, 3))
    bars = drawn(trace, 1, view, view.size).axes[1]
    kl = mean_kl(vae_at(parameters(dead=(0, 3))), IMAGES)
    (collection,) = bars.collections
    corners = [path.vertices for path in collection.get_paths()]
    heights = [corner[:, 1].max() for corner in corners]
    np.testing.assert_allclose([corner[:4, 0].mean() for corner in corners], range(5))
    np.testing.assert_allclose(heights[:3], np.sort(kl)[:1:-1])
    assert 0 < max(heights[3:]) < 0.02 * heights[0]
    colours = [tuple(colour) for colour in collection.get_facecolors()]
    assert len(set(colours[:3])) == len(set(colours[3:])) == 1
    assert colours[0] != colours[3]
    assert "2 dead" in bars.get_xlabel()
    assert by_size(kl).tolist()[3:] == [0, 3]


def test_the_rows_are_digits_their_reconstructions_and_samples():
    trace = trained()
    image = drawn(trace, 1, view, view.size).axes[0].images[0].get_array()
    network = vae_at(parameters())
    rows = (IMAGES[:8] / 255, reconstruct(network, IMAGES[:8]), generate(network, 8, seed=0))
    cell = 4 + view.GAP
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            shown = image[r * cell : r * cell + 4, c * cell : c * cell + 4]
            np.testing.assert_allclose(shown, 255 * (1 - picture.reshape(4, 4)), atol=0.51)
    assert image.shape == (3 * cell - view.GAP, 8 * cell - view.GAP)
    # The same points of the prior in every state.
    np.testing.assert_array_equal(
        image, drawn(trace, 3, view, view.size).axes[0].images[0].get_array()
    )


def test_other_images_can_be_shown():
    others = view.with_images(255 - IMAGES)
    image = drawn(trained(), 1, others, view.size).axes[0].images[0].get_array()
    np.testing.assert_array_equal(image[:4, :4], IMAGES[0].reshape(4, 4))
    assert others.size == view.size
    assert others.describe(trained().at(1)) == view.describe(trained().at(1))


def test_both_terms_are_drawn_and_the_start_does_not_hide_them():
    side = drawn(trained(), 3, view, view.size).axes[2]
    lines = [line.get_ydata() for line in side.lines if len(line.get_ydata()) == 4]
    np.testing.assert_allclose(lines, [[0.1, 10, 11, 12], [540, 100, 95, 90]])
    assert side.get_ylim()[1] == pytest.approx(115)
    assert {text.get_text() for text in side.texts} == {"rate", "distortion"}


@pytest.mark.parametrize("latent", [1, 2, 32])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("index", [0, 3])
def test_every_picture_is_opaque_and_keeps_its_text_inside(latent, size, index):
    assert_legible(drawn(trained(latent=latent), index, view, size))


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e30])
def test_a_network_that_has_run_away_is_drawn_and_described(broken):
    values = parameters()
    values["log_variance.bias"] = np.full(5, broken, np.float32)
    trace = traced([parameters(), values], [info(), info(broken, broken)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(trace, 1, view, view.size)
        assert view.describe(trace.at(1)).startswith("State 1: ")


def test_another_models_state_is_refused_in_words():
    trace = traced([{"weights": np.ones(3)}], [info()])
    with pytest.raises(ValueError, match="a VAE were needed"):
        view.describe(trace.at(0))


def test_a_stepper_shows_it_alone_and_side_by_side():
    stepper = Stepper(lambda: trained().algorithm, IMAGES, view)
    first = stepper.panel.image.value
    stepper.player.step()
    assert stepper.panel.image.value != first
    lanes = {"one": trained(), "two": trained(latent=3)}
    words = render(lanes, style.View(view.draw, view.describe), 1).text.splitlines()
    assert words[1].startswith("two: State 1: distortion")
