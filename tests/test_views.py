"""Views: what the sentences say, what the pictures hold, and that odd states do not break them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import rc_context

from drawing import assert_legible
from latentsteps.inference.em import E_STEP, M_STEP, EMInfo, EMState
from latentsteps.trace import Moment
from latentsteps.views import kmeans, mosaic, style, templates


class Means(NamedTuple):
    means: np.ndarray


class Mixture(NamedTuple):
    weights: np.ndarray
    probabilities: np.ndarray


class Statistics(NamedTuple):
    counts: np.ndarray


def moment(parameters, expectations, data, objective=(-5.0, -3.0), phase=E_STEP):
    objective = np.array(objective)
    info = EMInfo(float(objective[-1]), phase)
    state = EMState(parameters, expectations, phase)
    return Moment("toy", len(objective) - 1, state, info, objective, data, None)


def drawn(view, given_moment, size=(9.0, 4.0)):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        view.draw(figure, given_moment)
        figure.canvas.draw()
    return figure


def pixels(figure):
    return np.asarray(figure.canvas.buffer_rgba())


RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(60, 2))


def kmeans_moment(k=3, data=POINTS, **rest):
    labels = np.arange(len(data)) % k
    means = np.array([data[labels == cluster].mean(axis=0) for cluster in range(k)])
    return moment(Means(means), labels, data, **rest)


def mixture_moment(k=10, counts=None, pixels=784, **rest):
    weights = np.full(k, 1 / k)
    counts = np.full(k, 40.0) if counts is None else np.asarray(counts, dtype=float)
    probabilities = RNG.random((k, pixels))
    return moment(Mixture(weights, probabilities), Statistics(counts), None, **rest)


def test_kmeans_is_described_with_its_sizes():
    assert kmeans.describe(kmeans_moment()) == (
        "State 1: 3 clusters of 20, 20 and 20 points; objective −3."
    )
    assert kmeans.describe(kmeans_moment(1)) == (
        "State 1: 1 cluster of all 60 points; objective −3."
    )
    many = kmeans_moment(10)
    many.state.expectations[:] = 0
    assert "10 clusters of 0 to 60 points, 9 empty" in kmeans.describe(many)
    assert "the means just moved" in kmeans.describe(kmeans_moment(phase=M_STEP))


def test_templates_are_described_with_their_weights():
    text = templates.describe(mixture_moment(10, objective=(-9e5, -812345.6)))
    assert text == "State 1: 10 templates, all weights 0.1, none empty; objective −8.12e+05."
    text = templates.describe(mixture_moment(3, counts=[50, 0.2, np.nan]))
    assert "2 empty" in text


@pytest.mark.parametrize("kind", ["labels", "responsibilities", "statistics"])
def test_counts_come_from_whatever_an_e_step_returns(kind):
    labels = np.array([0, 0, 2, 2, 2])
    expectations = {
        "labels": labels,
        "responsibilities": np.eye(4)[labels],
        "statistics": Statistics(np.array([2, 0, 3, 0])),
    }[kind]
    assert style.counts_of(expectations, 4).tolist() == [2, 0, 3, 0]


def test_a_learners_responsibilities_are_drawn_and_described():
    parameters = Mixture(np.array([0.6, 0.4]), RNG.random((2, 784)))
    responsibilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]])
    given_moment = moment(parameters, responsibilities, None)
    assert "2 templates, weights 0.4 to 0.6, none empty" in templates.describe(given_moment)
    drawn(templates, given_moment)


def test_dead_templates_are_crossed_out():
    alive = pixels(drawn(templates, mixture_moment(4)))
    some_dead = drawn(templates, mixture_moment(4, counts=[0, 9, 9, 9]))
    texts = [text.get_text() for text in some_dead.axes[0].texts]
    assert texts.count("empty") == 1
    assert not np.array_equal(alive, pixels(some_dead))
    lines = [c for c in some_dead.axes[0].collections if len(c.get_segments()) == 2]
    assert len(lines) == 1


def test_fifty_templates_need_few_artists():
    figure = drawn(templates, mixture_moment(50))
    assert len(figure.axes) == 2
    assert len(figure.axes[0].images) == 1
    assert len(figure.axes[0].texts) == 50
    assert len(figure.axes[0].collections) == 1


def test_the_mosaic_shows_each_picture_once_and_dark_where_it_is_on():
    figure = style.new_figure()
    axes = figure.add_axes((0, 0, 1, 1))
    pictures = np.zeros((3, 4, 4))
    pictures[1, 0, 0] = 1
    mosaic.draw_mosaic(axes, pictures, ["a", "b", "c"])
    canvas = axes.images[0].get_array()
    black = np.argwhere((canvas == 0).all(axis=2))
    assert len(black) == 1
    row, column = black[0]
    assert row == 0
    assert column == 4 + mosaic.GAP


@pytest.mark.parametrize(("d", "shape"), [(784, (28, 28)), (8, (1, 8)), (9, (3, 3))])
def test_rows_become_pictures(d, shape):
    assert mosaic.as_pictures(np.zeros((5, d))).shape == (5, *shape)


@pytest.mark.parametrize("size", [(9.0, 4.0), (4.6, 5.2), (3.6, 4.4)])
@pytest.mark.parametrize(
    ("view", "given_moment"),
    [
        (kmeans, kmeans_moment()),
        (kmeans, kmeans_moment(9)),
        (kmeans, kmeans_moment(3, RNG.random((20, 784)))),
        (kmeans, kmeans_moment(2, np.ones((4, 2)))),
        (kmeans, kmeans_moment(objective=(np.nan, np.nan))),
        (kmeans.with_labels("minutes", "metres"), kmeans_moment()),
        (templates, mixture_moment(1)),
        (templates, mixture_moment(20, pixels=8)),
        (templates, mixture_moment(10, objective=(-np.inf, -1e6))),
    ],
)
def test_every_picture_is_opaque_and_keeps_its_text_inside(view, given_moment, size):
    figure = drawn(view, given_moment, size)
    assert_legible(figure)


@pytest.mark.parametrize("size", [(9.0, 4.0), (4.6, 5.2), (3.6, 4.4)])
def test_a_long_name_does_not_run_into_the_legend(size):
    name = "classification EM for a Bernoulli mixture"
    figure = drawn(templates, mixture_moment()._replace(name=name), size)
    title, legend = figure.axes[0]._left_title, figure.axes[0]._right_title
    assert "state 1" in title.get_text()
    assert (name in title.get_text()) == (size == (9.0, 4.0))
    assert title.get_window_extent().x1 < legend.get_window_extent().x0


def test_a_mean_that_is_no_number_does_not_break_the_picture():
    broken = kmeans_moment()
    broken.state.parameters.means[1] = np.nan
    drawn(kmeans, broken)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=1, max_size=7, unique=True
    )
)
def test_a_cell_holds_what_is_nearest_to_its_mean(places):
    means = np.array(places, dtype=float) / 2
    low, high = np.array([-12.0, -12.0]), np.array([12.0, 12.0])
    total = 0.0
    for k in range(len(means)):
        corners = np.array(kmeans.cell(means, k, low, high))
        x, y = corners.T
        total += abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
        # The cell is convex, so its corners and centre tell of all of it.
        for point in [*corners, corners.mean(axis=0)]:
            distances = np.sum((point - means) ** 2, axis=1)
            assert distances[k] <= distances.min() + 1e-9 * (1 + distances.min())
    # Together the cells cover the box once.
    assert total == pytest.approx(24.0 * 24.0)


def test_sixty_four_clusters_differ_in_colour_or_marker():
    looks = {(style.colour(k), style.marker(k)) for k in range(64)}
    assert len(looks) == 64


def test_numbers_are_short_and_have_a_true_minus():
    assert [style.number(v) for v in (-812345.6, 5437.2, 0.04, 12345.0, 1e-5, 3)] == [
        "−8.12e+05", "5440", "0.04", "12300", "1e−05", "3",
    ]  # fmt: skip


def test_the_objective_ignores_what_is_not_finite_and_marks_the_break():
    figure = style.new_figure()
    _, side = style.panels(figure)
    given_moment = kmeans_moment(objective=(-np.inf, 3.0, 2.0))
    style.objective(side, given_moment)
    low, high = side.get_ylim()
    assert 1.5 < low < 2.0 < 3.0 < high < 3.5
    before = len(side.lines)
    style.mark_break(figure, given_moment, 2)
    assert len(side.lines) == before + 2
    assert "state 2" in side.get_title("right")


def test_the_objectives_numbers_are_short_and_right():
    figure = style.new_figure()
    _, side = style.panels(figure)
    style.objective(side, kmeans_moment(objective=(-8.5e5, -7e5)))
    assert side.get_title("right") == "objective (×10⁵)"
    assert side.yaxis.get_major_formatter()(-750000, 0) == "−7.5"
    figure = style.new_figure()
    _, side = style.panels(figure)
    style.objective(side, kmeans_moment(objective=(-276.3600, -276.3599)))
    assert side.get_title("right") == "objective"
    assert side.yaxis.get_major_formatter()(-276.35995, 0) == "−276.35995"
