"""The plane of rate and distortion: where a state's point is, and what is said of the bound."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib import rc_context

from drawing import assert_legible
from latentsteps.models.vae import vae
from latentsteps.stepper import Stepper
from latentsteps.trace import run
from latentsteps.views import rate_distortion as view
from latentsteps.views import style
from vae_runs import IMAGES, drawn, info, parameters, traced, trained


def plane(figure):
    (found,) = (axes for axes in figure.axes if axes.get_label() == "plane")
    return found


def test_the_start_says_only_what_is_the_same_everywhere():
    assert view.describe(trained().at(0)) == "State 0: not trained yet."


@pytest.mark.parametrize(
    ("beta", "words"),
    [
        (1.0, "What is climbed is the ELBO, −106: a bound on log p(x)."),
        (4.0, "What is climbed, −139, is below the ELBO, −106: still a bound on log p(x)."),
        (0.5, "What is climbed, −100, is above the ELBO, −106: no bound on log p(x)."),
    ],
)
def test_it_is_said_whether_the_objective_is_still_a_bound(beta, words):
    start = "State 2: rate 11 and distortion 95 nats an image. "
    assert view.describe(trained(beta=beta).at(2)) == start + words


def test_what_is_said_of_the_bound_is_right_of_real_runs():
    # Two patterns: worth a code. At a rate of nearly nothing all β would give the same.
    images = np.repeat(255 * np.eye(2, dtype=np.uint8)[np.arange(40) % 2], 8, axis=1)
    for beta, word in ((0.5, "above"), (1.0, "is the ELBO"), (4.0, "below")):
        algorithm = vae(6, 3, beta=beta, pixels=16, learning_rate=0.05, batch_size=10)
        trace = run(algorithm, images, steps=8)
        assert trace.infos[-1].terms["rate"] > 0.05
        assert word in view.describe(trace.at(8))


def test_each_state_has_its_point_and_lines_of_equal_elbo_run_through():
    axes = plane(drawn(trained(), 3, view))
    path = axes.lines[0].get_xydata()
    np.testing.assert_allclose(path, [[0.1, 540], [10, 100], [11, 95], [12, 90]])
    np.testing.assert_allclose(axes.lines[2].get_xydata(), [[12, 90]])
    lines = axes.collections[0].get_segments()
    for line in lines:
        np.testing.assert_allclose(line.sum(axis=1), line.sum(axis=1)[0])
    totals = [line[0].sum() for line in lines]
    np.testing.assert_allclose(np.diff(totals), view.LINES)
    # Those that pass through the picture are all there, and the start does not hide the rest.
    (_, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert totals[0] <= low + view.LINES
    assert totals[-1] >= high + right - view.LINES
    assert high < 120


def test_lanes_share_one_plane():
    with rc_context(style.RC):
        figure = style.new_figure(9.2, 5.6)
        parts = [figure.add_subfigure(place) for place in figure.add_gridspec(1, 2)]
        for part, beta in zip(parts, (0.5, 4.0), strict=True):
            infos = [
                info(540, 0.1),
                info(80 + 10 * beta, 30 / beta),
                info(78 + 10 * beta, 31 / beta),
            ]
            view.draw(part, traced([parameters()] * 3, infos).at(2))
        style.share_scale(figure)
    planes = [axes for axes in figure.axes if axes.get_label() == "plane"]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in planes}) == 1
    assert planes[0].get_xlim()[1] > 62
    assert planes[0].get_ylim()[1] > 120


@pytest.mark.parametrize("size", [view.size, (4.6, 5.6), (3.07, 5.3), (3.6, 4.4)])
@pytest.mark.parametrize("index", [0, 3])
def test_every_picture_is_opaque_and_keeps_its_text_inside(size, index):
    assert_legible(drawn(trained(), index, view, size))


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e30])
def test_a_run_that_has_run_away_is_drawn_and_said_to_bound_nothing(broken):
    trace = traced([parameters()] * 2, [info(), info(broken, broken)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(trace, 1, view)
    if not np.isfinite(broken):
        assert view.describe(trace.at(1)).endswith("no bound on anything.")


def test_a_stepper_shows_three_runs_side_by_side():
    made = {f"β = {beta:g}": trained(beta=beta).algorithm for beta in (0.5, 1.0, 4.0)}
    stepper = Stepper(lambda: made, IMAGES, view)
    stepper.player.step()
    words = stepper._frame(1).text.splitlines()
    assert [line.split(":")[0] for line in words] == ["β = 0.5", "β = 1", "β = 4"]
