"""The picture of VaDE in training: what it says and holds, and that labels show only when asked."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import rc_context

from drawing import assert_legible
from latentsteps.evaluation.scores import matched_accuracy
from latentsteps.models.gaussian_mixture import GaussianMixture
from latentsteps.models.vade import cluster_probabilities, generate, start_from, vade, vade_at
from latentsteps.models.vae import vae
from latentsteps.stepper import Stepper
from latentsteps.trace import run
from latentsteps.views import style
from latentsteps.views import vade as view

P = 36
SIZES = [view.size, (4.6, 5.6), (3.6, 4.4)]
LABELS = np.arange(90) % 3


def images():
    random = np.random.default_rng(0)
    kinds = np.zeros((3, 6, 6))
    kinds[0, :3], kinds[1, :, 3:], kinds[2, 2:5, 1:4] = 1, 1, 1
    grey = 40 + 160 * kinds.reshape(3, P)[LABELS] + random.normal(0, 20, size=(90, P))
    return np.clip(grey, 0, 255).astype(np.uint8)


def algorithm(c=4, d=3):
    begun = vae(hidden=8, latent=d, pixels=P, device="cpu").init((0, 0), images())[0].parameters
    random = np.random.default_rng(0)
    mixture = GaussianMixture(np.full(c, 1 / c), random.normal(size=(c, d)), np.ones((c, d)))
    return vade(start_from(begun, mixture), batch_size=30, device="cpu")


@pytest.fixture(scope="module")
def trace():
    return run(algorithm(), images(), steps=12)


def drawn(trace, index, chosen=view, size=view.size):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        chosen.draw(figure, trace.at(index))
        figure.canvas.draw()
    return figure


def test_the_start_says_only_what_is_the_same_everywhere(trace):
    words = "State 0: 4 clusters in 3 latent dimensions, before joint training."
    assert view.describe(trace.at(0)) == words
    assert view.with_accuracy(LABELS).describe(trace.at(0)) == words


def test_later_states_say_the_bound_and_its_terms(trace):
    words = view.describe(trace.at(5))
    info = trace.infos[5]
    for value in (info.objective, info.terms["distortion"], info.terms["rate"]):
        assert style.number(value) in words
    assert words.startswith("State 5: −ELBO")
    assert "weights" in words


def test_labels_show_only_where_they_are_asked_for(trace):
    named = view.with_accuracy(LABELS)
    clusters = cluster_probabilities(vade_at(trace[5]), images()).argmax(axis=1)
    words = f"ccuracy {matched_accuracy(clusters, LABELS):.2f}"
    assert words in named.describe(trace.at(5))
    assert words in drawn(trace, 5, named).axes[0]._right_title.get_text()
    assert "ccuracy" not in view.describe(trace.at(5))
    texts = " ".join(
        text.get_text()
        for axes in drawn(trace, 5).axes
        for text in (axes._left_title, axes._right_title, *axes.texts)
    )
    assert "ccuracy" not in texts


def test_the_plane_is_that_of_the_start(trace):
    limits = {(a.get_xlim(), a.get_ylim()) for a in (drawn(trace, t).axes[0] for t in (0, 12))}
    assert len(limits) == 1


def test_every_cluster_has_its_digits_and_its_weight(trace):
    figure = drawn(trace, 5)
    mosaic = figure.axes[1]
    labels = [text.get_text() for text in mosaic.texts]
    assert [label.split(" · ")[0] for label in labels] == list("0123")
    assert sum(float(label.split(" · ")[1]) for label in labels) == pytest.approx(1, abs=0.03)
    # The upper half of the first column is what the network makes of its cluster's mean.
    network = vade_at(trace[5])
    thin = {**trace[5].parameters, "log_variances": np.full((4, 3), -60.0, dtype=np.float32)}
    expected = generate(vade_at(thin), 0, 1, seed=0).reshape(6, 6)
    canvas = np.asarray(mosaic.images[0].get_array())[:6, :6, 0]
    np.testing.assert_allclose(255 - canvas, 255 * expected, atol=1)
    assert network.means.shape == (4, 3)


def test_the_objective_is_in_its_panel(trace):
    panel = next(a for a in drawn(trace, 12).axes if a.get_label() == "objective")
    np.testing.assert_allclose(panel.lines[0].get_ydata(), trace.objective)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("c", "d"), [(1, 2), (16, 3)])
def test_every_picture_is_opaque_and_keeps_its_text_inside(size, c, d):
    trace = run(algorithm(c, d), images(), steps=1)
    assert_legible(drawn(trace, 1, view.with_accuracy(LABELS), size))


def test_labels_for_other_images_are_refused_in_words(trace):
    with pytest.raises(ValueError, match="80 labels for 90 images"):
        view.with_accuracy(LABELS[:80]).describe(trace.at(1))


def test_a_stepper_shows_both_views():
    views = {"pictures only": view, "with the accuracy": view.with_accuracy(LABELS)}
    stepper = Stepper(algorithm, images(), views)
    first = stepper.panel.image.value
    stepper.player.step()
    second = stepper.panel.image.value
    assert second != first
    stepper.panel.controls["view"].value = 1
    assert stepper.panel.image.value != second
