"""The picture of NUTS on a mixture: what it says, what it holds, and that odd states draw."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.collections import LineCollection

from drawing import assert_legible
from latentsteps.data import old_faithful, standardize
from latentsteps.models.bayesian_gmm import bayesian_gaussian_mixture
from latentsteps.stepper.frames import render
from latentsteps.trace import Algorithm, Trace, run
from latentsteps.views import bayesian_gmm as view
from latentsteps.views import style
from latentsteps.views.gaussian_mixture import RADIUS

X = standardize(old_faithful())
SIZES = [(9.0, 4.0), (4.6, 5.2), (3.6, 4.4)]
LABELLED = view.with_labels("length of the eruption (sd)", "wait (sd)")


class State(NamedTuple):
    position: dict[str, Any]


class Info(NamedTuple):
    objective: float
    log_density: Any
    acceptance: Any
    leapfrogs: Any
    divergent: Any
    step_size: Any
    warmup: bool


def chains(steps, n=2, k=2, warmup=3, scale=0.5, d=2, divergent=(), height=-100.0):
    """A run of states as the sampler's are, made up: nothing has to be compiled."""

    def made(key, *_):
        random = np.random.default_rng(key)
        tilt = np.array([[1.0, 0.0], [0.6, 0.8]])[:d, :d]
        position = {
            "weights": np.full((n, k), 1 / k),
            "means": random.normal(size=(n, k, d)),
            "scales": np.full((n, k, d), scale) * [1.0, 0.5][:d],
            "correlation_factors": np.tile(tilt, (n, k, 1, 1)),
        }
        t = key[1]
        values = height - np.arange(n) - t
        wild = np.arange(n) < (t in divergent)
        info = Info(values.mean(), values, np.full(n, 0.8), np.full(n, 7), wild,
                    np.full(n, 0.25), t <= warmup)  # fmt: skip
        return State(position), info

    return run(Algorithm(made, made, "NUTS"), X, steps=steps)


def drawn(trace, index, chosen=LABELLED, size=(9.0, 4.0)):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        chosen.draw(figure, trace.at(index))
        figure.canvas.draw()
    return figure


def outlines(figure):
    """The ellipses: the earlier draws first, then a collection a chain."""
    return [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]


def test_the_start_tells_nothing_that_differs_between_machines():
    for trace in (chains(0), chains(0, scale=3.0, height=-7.0)):
        assert view.describe(trace.at(0)) == (
            "State 0: where 2 chains with 2 components each will start."
        )
    one = view.describe(chains(0, n=1, k=1).at(0))
    assert one == "State 0: where 1 chain with 1 component each will start."


def test_a_state_is_described():
    trace = chains(5)
    assert view.describe(trace.at(2)) == (
        "State 2: warm-up; leapfrogs 7 and 7, of step size 0.25 and 0.25; log density −102 and "
        "−103. Weights 0.5 and 0.5; 0.5 and 0.5. Divergences in the warm-up so far: 0."
    )
    assert "State 5: a draw;" in view.describe(trace.at(5))
    assert "Weights" not in view.describe(chains(1, k=5).at(1))


def test_divergences_are_counted_apart():
    trace = chains(6, divergent=(1, 2, 5))
    assert view.describe(trace.at(2)).endswith("Divergences in the warm-up so far: 2.")
    assert view.describe(trace.at(4)).endswith("Divergences since the warm-up: 0; in it: 2.")
    assert view.describe(trace.at(6)).endswith("Divergences since the warm-up: 1; in it: 2.")


def test_a_spike_is_said():
    assert "spike in chain 1 and chain 2" in view.describe(chains(1, scale=1e-4).at(1))
    assert "spike" not in view.describe(chains(1).at(1))


def test_every_ellipse_is_at_its_distance():
    trace = chains(2)
    position = trace[2].position
    factor = position["scales"][1, 0][:, None] * position["correlation_factors"][1, 0]
    outline = outlines(drawn(trace, 2))[2].get_segments()[0]
    away = np.linalg.solve(factor, (outline - position["means"][1, 0]).T)
    np.testing.assert_allclose((away**2).sum(axis=0), RADIUS**2, rtol=1e-9)


def test_chains_differ_by_colour_and_line_and_have_names():
    figure = drawn(chains(2, n=3), 2)
    _, first, second, third = outlines(figure)
    assert len({str(c.get_linestyle()) for c in (first, second, third)}) == 3
    assert len({str(c.get_color()) for c in (first, second, third)}) == 3
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert words == ["chain 1", "chain 2", "chain 3"]
    assert drawn(chains(1, n=1), 1).axes[0].get_legend() is None


def test_earlier_draws_are_those_of_the_stage_and_few():
    trace = chains(60, k=2, warmup=10)
    earlier = {t: len(outlines(drawn(trace, t))[0].get_segments()) for t in (0, 1, 5, 11, 14, 60)}
    assert earlier == {0: 0, 1: 0, 5: 8, 11: 0, 14: 6, 60: 2 * view.EARLIER}


def test_the_warm_up_is_shaded_as_far_as_it_goes():
    beside = drawn(chains(8, warmup=3), 8).axes[1]
    (shade,) = beside.patches
    assert (shade.get_x(), shade.get_width()) == (0, 3)
    assert [text.get_text() for text in beside.texts] == ["grey: warm-up"]
    assert not drawn(chains(0), 0).axes[1].patches


def test_the_frame_stays_the_same_along_a_run():
    trace = chains(6)
    found = {(a.get_xlim(), a.get_ylim()) for a in (drawn(trace, t).axes[0] for t in range(7))}
    assert len(found) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_heights_and_places_that_are_no_numbers_draw(value):
    import warnings

    trace = chains(3, height=value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(trace, 3)
    assert view.describe(trace.at(3)).startswith("State 3:")


def test_points_that_are_not_in_the_plane_are_refused_in_words():
    with pytest.raises(ValueError, match="points in the plane"):
        drawn(chains(1, d=1), 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chosen", [LABELLED, view])
@pytest.mark.parametrize("state", [0, 30])
def test_every_picture_is_opaque_and_keeps_its_text_inside(state, chosen, size):
    figure = drawn(chains(30, k=3), state, chosen, size)
    assert_legible(figure)


def test_the_samplers_own_states_are_drawn_and_described():
    trace = Trace(bayesian_gaussian_mixture(2, warmup=2), X[:30])
    for _ in range(3):
        trace.advance()
    assert view.describe(trace.at(2)).startswith("State 2: warm-up; leapfrogs")
    assert view.describe(trace.at(3)).startswith("State 3: a draw; leapfrogs")
    assert len(render({"": trace}, LABELLED, 3).png) > 1000
