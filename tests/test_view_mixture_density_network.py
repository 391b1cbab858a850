"""The pictures of unit 05: what they say, what they hold, and that odd states draw."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from matplotlib import rc_context
from numpy.typing import NDArray
from scipy.stats import norm

from drawing import assert_legible
from latentsteps.models.mixture_density_network import mixture_density_network
from latentsteps.simulated import inverse_sine, two_link_arm
from latentsteps.stepper import Stepper
from latentsteps.stepper.frames import render
from latentsteps.trace import Algorithm, run
from latentsteps.views import bell, style
from latentsteps.views import mixture_density_network as view

PAIRS = inverse_sine(40, seed=0)
SIZES = [(9.0, 4.0), (4.6, 5.2), (3.6, 4.4)]
HIDDEN = 4
GRID = np.linspace(-4, 4, 161)
LOG_P = norm.logpdf(GRID, 1.0, 0.5)
HILL = bell.with_grid(GRID, LOG_P)


class State(NamedTuple):
    """As the mean field and the point of ``inference.svi`` have it."""

    parameters: dict[str, NDArray]


class Info(NamedTuple):
    objective: float
    fit: float = -20.0
    kl: float = 12.0
    error: float = 1.0


class Bell(NamedTuple):
    mean: float
    log_sd: float


def network(k, point=False, sd=0.1):
    """Parameters of a network of k components, drawn once."""
    random = np.random.default_rng(k)
    values = {
        "input_weights": random.normal(size=(1, HIDDEN)),
        "hidden_biases": random.normal(size=HIDDEN),
        "output_weights": random.normal(size=(HIDDEN, 3 * k)),
        "output_biases": random.normal(size=3 * k),
    }
    if point:
        return values
    means = {f"{site}_mean": value for site, value in values.items()}
    return means | {f"{site}_sd": np.full_like(value, sd) for site, value in values.items()}


def traced(states, infos, data=PAIRS):
    """A run that goes through the given states and infos."""
    items = list(zip(states, infos, strict=True))
    return run(
        Algorithm(lambda key, _: items[0], lambda key, state, _: items[key[1]], "VI"),
        data,
        steps=len(items) - 1,
    )


def fitted(k=3, heights=(-900.0, -40.0, -32.0), **rest):
    infos = [Info(height) for height in heights]
    return traced([State(network(k, **rest))] * len(infos), infos)


def drawn(trace, index, chosen: Any = view, size=(9.0, 4.0)):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        chosen.draw(figure, trace.at(index))
        figure.canvas.draw()
    return figure


def test_the_start_says_only_what_is_the_same_everywhere():
    assert view.describe(fitted().at(0)) == "State 0: 3 components, 40 points."
    assert view.describe(fitted(1).at(0)) == "State 0: 1 component, 40 points."


def test_later_states_say_the_bound_and_its_parts_a_datum():
    assert view.describe(fitted().at(2)) == (
        "State 2: objective −0.8 ± 0.025 nats a datum, from fit −0.5 and KL 0.3."
    )


def test_a_point_says_that_it_is_one():
    infos = [Info(-40.0, error=0.0)] * 2
    trace = traced([State(network(3, point=True))] * 2, infos)
    assert view.describe(trace.at(1)) == (
        "State 1: a point; log likelihood −0.5 nats a datum, with prior −1."
    )
    drawn(trace, 1)


def test_the_image_is_the_density_averaged_over_draws():
    across, up = np.array([-1.0, 0.5]), np.linspace(-40, 40, 20001)
    density = view._predictive(fitted(sd=0.3).at(0), across, up)
    np.testing.assert_allclose(density.sum(axis=0) * (up[1] - up[0]), 1.0, atol=1e-6)
    # Without a spread all draws are the middle.
    spread_less = view._predictive(fitted(sd=0.0).at(0), across, up)
    moment = traced([State(network(3, point=True))], [Info(0.0)]).at(0)
    np.testing.assert_allclose(spread_less, view._predictive(moment, across, up), rtol=1e-9)
    assert np.abs(spread_less - density).max() > 1e-3


def test_the_picture_holds_the_density_and_the_means_where_they_are():
    main = drawn(fitted(sd=0.0), 0).axes[0]
    image = main.images[0]
    (left, right), (low, high) = main.get_xlim(), main.get_ylim()
    assert image.origin == "lower"
    np.testing.assert_allclose(image.get_extent(), (left, right, low, high))
    rows, columns = image.get_array().shape
    across, up = np.linspace(left, right, columns), np.linspace(low, high, rows)
    density, values = mixture_density_network(3, hidden=HIDDEN).density, network(3, point=True)
    weights, means, scales = (
        np.asarray(part).reshape(columns, 3) for part in density(values, across[:, None])
    )
    expected = (weights * norm.pdf(up[:, None, None], means, scales)).sum(axis=2)
    np.testing.assert_allclose(image.get_array() ** 2, expected, rtol=1e-6, atol=1e-12)
    for k, marked in enumerate(main.collections):
        inputs, heights = np.asarray(marked.get_offsets()).T
        assert len(inputs) or np.all(weights[:, k] < 0.1)
        np.testing.assert_allclose(heights, density(values, inputs[:, None]).means[:, k, 0])


def test_components_are_told_by_marker_and_size():
    main = drawn(fitted(), 0).axes[0]
    marked = [c for c in main.collections if len(c.get_offsets())]
    shapes = {c.get_paths()[0].vertices.tobytes() for c in marked}
    assert 2 <= len(marked) == len(shapes) <= 3
    sizes = np.concatenate([c.get_sizes() for c in marked])
    assert sizes.max() > 2 * sizes.min()


def test_the_band_is_two_standard_errors_of_the_bound_a_datum():
    side = drawn(fitted(), 2).axes[1]
    band = side.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(band[:, 1].min(), (-900 - 2) / 40)
    np.testing.assert_allclose(band[:, 1].max(), (-32 + 2) / 40)
    fit, bound = (line.get_ydata() for line in side.lines[:2])
    np.testing.assert_allclose(bound, np.array([-900, -40, -32]) / 40)
    np.testing.assert_allclose(fit, -0.5)


def test_a_start_far_below_does_not_hide_the_rest():
    heights = (-90000.0, *np.linspace(-60, -40, 20))
    low, high = drawn(fitted(heights=heights), 20).axes[1].get_ylim()
    assert low > -10
    assert high > -0.5


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("size", SIZES)
def test_every_picture_is_opaque_and_keeps_its_text_inside(k, size):
    figure = drawn(fitted(k), 2, view.with_labels("place", "angle"), size)
    assert_legible(figure)


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e300])
def test_a_fit_that_has_run_away_is_drawn_and_described(broken):
    import warnings

    parameters = network(3)
    parameters["output_biases_mean"] = np.full(9, broken)
    infos = [Info(-40.0), Info(broken, broken, broken, broken)]
    trace = traced([State(network(3)), State(parameters)], infos)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(trace, 1)
    assert view.describe(trace.at(1)).startswith("State 1")


def test_pairs_of_more_than_one_column_are_refused_in_words():
    trace = traced([State(network(3))], [Info(0.0)], two_link_arm(10, seed=0))
    for look in (view.draw, lambda _, moment: view.describe(moment)):
        with pytest.raises(ValueError, match="one input and one output"):
            look(style.new_figure(), trace.at(0))


def test_the_frame_stays_the_same_along_a_run():
    trace = fitted()
    limits = {(a.get_xlim(), a.get_ylim()) for a in (drawn(trace, t).axes[0] for t in range(3))}
    assert len(limits) == 1


def test_two_lanes_share_one_scale():
    lanes = {"left": fitted(), "right": fitted(heights=(-30.0, -20.0))}
    shown = render(lanes, view.with_labels("x", "y"), 2)
    assert shown.text.splitlines()[1].startswith("right (ended): State 1")


# The bell


def falling(mean=0.0, log_sd=0.0):
    states = [Bell(mean, log_sd), Bell(mean + 1, log_sd - 1)]
    return traced(states, [Info(-3.0), Info(-1.25)], None)


def test_a_bell_is_described_and_its_start_dashed():
    trace = falling()
    assert bell.describe(trace.at(1)) == (
        "State 1: q has mean 1 and standard deviation 0.37; ELBO −1.25 nats."
    )
    first, second = (drawn(trace, t, HILL).axes[0] for t in range(2))
    assert (len(first.lines), len(second.lines)) == (1, 2)
    hill = first.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(hill[:, 1].max(), np.exp(LOG_P).max())
    np.testing.assert_allclose(second.lines[0].get_ydata(), norm.pdf(GRID))
    np.testing.assert_allclose(second.lines[1].get_ydata(), norm.pdf(GRID, 1, np.exp(-1)))


@pytest.mark.parametrize("size", SIZES)
def test_a_bells_picture_keeps_its_text_inside(size):
    assert_legible(drawn(falling(), 1, HILL, size))


@pytest.mark.parametrize("mean", [np.nan, np.inf, 1e9])
def test_a_bell_that_has_run_away_is_drawn(mean):
    trace = falling(mean)
    drawn(trace, 1, HILL)
    assert bell.describe(trace.at(1)).startswith("State 1")


def test_a_grid_that_does_not_fit_is_refused_in_words():
    with pytest.raises(ValueError, match="both are"):
        bell.with_grid(GRID, LOG_P[1:])


def test_a_stepper_shows_either():
    for made, data, chosen in ((falling, None, HILL), (fitted, PAIRS, view)):
        stepper = Stepper(lambda made=made: made().algorithm, data, chosen)
        first = stepper.panel.image.value
        stepper.player.step()
        assert stepper.panel.image.value != first
