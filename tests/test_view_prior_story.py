"""The prior of BNNC as a story: what it draws against formulas, and how that is shown and said."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import rc_context
from scipy.integrate import quad
from scipy.stats import expon, kstest, norm

from drawing import assert_legible
from latentsteps.models.bnnc_prior import curves, log_dirichlet, normaliser, prior_story
from latentsteps.stepper.frames import render
from latentsteps.trace import run
from latentsteps.views import prior_story as view
from latentsteps.views import style

VIEW = style.View(view.draw, view.describe)
SIZES = [(9.0, 4.0), (4.6, 5.2), (3.6, 4.4)]


def draws(concentration=0.5, points=500, output_scale=1.0, steps=5, seed=0, **settings):
    story = prior_story(concentration, points, output_scale, **settings)
    return run(story, None, seed, steps=steps)


def drawn(trace, index, size=(9.0, 4.0)):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        view.draw(figure, trace.at(index))
        figure.canvas.draw()
    return figure


@pytest.mark.parametrize("concentration", [0.05 / 11, 0.05, 0.5])
def test_as_many_are_occupied_as_the_formula_says(concentration):
    infos = draws(concentration, 500, 0.0, steps=499).infos
    occupied = np.array([info.occupied for info in infos])
    error = occupied.std() / np.sqrt(len(occupied))
    assert abs(occupied.mean() - infos[0].expected) < 4 * error


def test_means_scales_and_the_gates_weights_have_their_priors():
    trace = draws(0.5, 500, 0.05, steps=99)
    pooled = {
        name: np.concatenate([trace[t].position[name].ravel() for t in range(100)])
        for name in ("means", "scales", "hidden_weights", "output_weights")
    }
    for values, law in (
        (pooled["means"], norm(0, 5)),
        (pooled["scales"], expon()),
        (pooled["hidden_weights"], norm(0, 1)),
        (pooled["output_weights"], norm(0, 0.05)),
    ):
        # Right draws fail once in 1,000 seeds; of 1,000 means with a spread of 3 none pass.
        assert kstest(values, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("concentration", [0.05, 0.5, 3.0])
def test_the_weights_have_the_dirichlets_moments(concentration):
    k, random = 4, np.random.default_rng(0)
    weights = np.exp([log_dirichlet(concentration, k, random) for _ in range(4000)])
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    mean, variance = 1 / k, (1 / k) * (1 - 1 / k) / (k * concentration + 1)
    # The mean's error is that of 4,000 draws; the variance's less than three times as large.
    error = np.sqrt(variance / len(weights))
    np.testing.assert_allclose(weights.mean(axis=0), mean, atol=4 * error)
    np.testing.assert_allclose(weights.var(axis=0), variance, atol=12 * error * variance**0.5)


def test_weights_far_below_every_number_keep_their_logarithms():
    random = np.random.default_rng(0)
    logs = np.array([log_dirichlet(0.05 / 11, 11, random) for _ in range(50)])
    assert np.isfinite(logs).all()
    assert (np.exp(logs) == 0).any()


@pytest.mark.parametrize("towards_own", [False, True])
def test_z_is_the_integral_of_the_curve(towards_own):
    trace = draws(1.0, k=3, towards_own=towards_own, steps=6)
    for t in range(len(trace)):
        position = trace[t].position
        z = 0.0
        for mean, scale in zip(position["means"], position["scales"], strict=True):
            # Each component on its own scale: no bump is too narrow to be found.
            def height(u, mean=mean, scale=scale, position=position):
                at = mean + scale * u
                total = norm.pdf(at, position["means"], position["scales"]).sum()
                share = norm.pdf(at, mean, scale) / max(float(total), 1e-300)
                return float(curves(at, position)[0][0] * share[0] * scale[0])

            z += quad(height, -9, 9, limit=400, points=[-3, 0, 3])[0]
        # quad stops at 1.5e-8 a component.
        assert trace.infos[t].normaliser == pytest.approx(z, abs=1e-6)


def test_without_a_gate_z_is_one():
    trace = draws(output_scale=0.0, steps=5)
    for t, info in enumerate(trace.infos):
        assert info.normaliser == 1
        assert normaliser(trace[t].position) == pytest.approx(1, abs=1e-12)


def test_z_lies_between_zero_and_the_number_of_components():
    found = [info.normaliser for info in draws(output_scale=100.0, k=3, steps=100).infos]
    assert 0 < min(found) < 0.5
    assert 1.5 < max(found) < 3


def test_a_gate_that_looks_at_its_own_gaussians_gains():
    chance = [info.normaliser for info in draws(steps=60).infos]
    turned = [info.normaliser for info in draws(steps=60, towards_own=True).infos]
    assert np.median(turned) > 1.5 > np.median(chance)


def test_one_seed_is_one_draw_whatever_the_settings():
    base = draws(0.5, 500, 1.0)
    for other in (draws(0.5, 500, 0.05), draws(0.5, 500, 0.05, towards_own=True)):
        for t in range(len(base)):
            one, two = base[t].position, other[t].position
            for name in ("log_weights", "means", "scales", "hidden_weights"):
                np.testing.assert_array_equal(one[name], two[name])
            np.testing.assert_array_equal(base[t].counts, other[t].counts)
            lengths = [np.linalg.norm(p["output_weights"], axis=0) for p in (one, two)]
            np.testing.assert_allclose(lengths[1], 0.05 * lengths[0], rtol=1e-12)
    scaled = draws(0.5, 500, 0.05)[3].position["output_weights"]
    np.testing.assert_allclose(scaled, 0.05 * base[3].position["output_weights"], rtol=1e-12)


def test_more_points_are_added_to_the_same_ones():
    few, many = draws(points=20), draws(points=2000)
    for t in range(len(few)):
        assert (many[t].counts >= few[t].counts).all()
        assert many[t].counts.sum() == 2000


def test_turned_columns_are_largest_at_their_own_means():
    position, random = draws(towards_own=True)[2].position, np.random.default_rng(0)
    seen = np.tanh(position["means"] @ position["hidden_weights"])
    own = (seen * position["output_weights"].T).sum(axis=1)
    for _ in range(50):
        other = random.normal(size=position["output_weights"].shape)
        other *= np.linalg.norm(position["output_weights"], axis=0) / np.linalg.norm(other, axis=0)
        assert (own >= (seen * other.T).sum(axis=1)).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.0, 5, 1.0), "concentration is 0.0"),
        ((np.nan, 5, 1.0), "concentration is nan"),
        ((1e-310, 5, 1.0), "concentration is 1e-310; it is from 1e-300"),
        ((1.0, 0, 1.0), "points is 0"),
        ((1.0, 5.5, 1.0), "points is 5.5; it is a whole number"),
        ((1.0, "5", 1.0), "points is '5'; it is a whole number"),
        ((1.0, 5, -1.0), "output_scale is -1.0"),
        ((1.0, 5, np.inf), "output_scale is inf"),
        ((1.0, 5, 1e308), "output_scale is 1e\\+308; it is from 0"),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        prior_story(*arguments)
    with pytest.raises(ValueError, match=r"k is 2\.5; it is a whole number"):
        prior_story(1.0, 5, 1.0, k=2.5)


@pytest.mark.parametrize(
    "arguments", [(1e-300, 5, 1.0), (1e300, 5, 1.0), (0.5, 1, 1e100), (0.5, 5, 0.0)]
)
@pytest.mark.parametrize("towards_own", [False, True])
def test_the_ends_of_the_ranges_have_finite_draws(arguments, towards_own):
    trace = draws(*arguments, steps=3, towards_own=towards_own)
    for t, info in enumerate(trace.infos):
        assert np.isfinite(list(info)).all()
        assert all(np.isfinite(value).all() for value in trace[t].position.values())


def test_a_state_is_described():
    trace = draws(0.5, 500, 0.0, steps=3)
    occupied = [info.occupied for info in trace.infos]
    assert view.describe(trace.at(0)) == (
        f"State 0: {occupied[0]} of 11 components occupied by 500 points; mean of 1 draw so far "
        f"{occupied[0]}, expected 9.93. Z = 1.00."
    )
    assert f"mean of 4 draws so far {style.number(np.mean(occupied))}," in view.describe(
        trace.at(3)
    )
    assert "by 1 point;" in view.describe(draws(points=1, steps=0).at(0))


def test_the_draws_so_far_are_counted():
    trace = draws(0.05, steps=12)
    story = drawn(trace, 9).axes[0]
    heights = [bar.get_height() for bar in story.patches]
    occupied = [info.occupied for info in trace.infos[:10]]
    assert heights == [occupied.count(n) for n in range(1, 12)]
    expected, mean = trace.infos[0].expected, np.mean(occupied)
    assert [text.get_text() for text in story.texts] == [
        f"dashed: expected {style.number(expected)}", f"◆ mean so far {style.number(mean)}"
    ]  # fmt: skip
    dashed, diamond = story.lines
    assert list(dashed.get_xdata()) == [expected, expected]
    assert (diamond.get_marker(), list(diamond.get_xdata())) == ("D", [mean])
    assert abs(expected - mean) > 0.01  # they can be told apart


@pytest.mark.parametrize("towards_own", [False, True])
def test_the_area_ends_at_z(towards_own):
    trace = draws(0.5, towards_own=towards_own, steps=3)
    for t in range(len(trace)):
        area = drawn(trace, t).axes[2]
        curve = max((line.get_ydata() for line in area.lines), key=len)
        # The tails beyond the picture, and components with no weight to speak of.
        assert curve[-1] == pytest.approx(trace.infos[t].normaliser, abs=5e-3)
        assert (np.diff(curve) >= 0).all()


def test_a_peak_that_leaves_the_picture_is_said():
    trace, seen = draws(0.05 / 11, steps=6), set()
    for t in range(len(trace)):
        curve = drawn(trace, t).axes[1]
        highest = max(line.get_ydata().max() for line in curve.lines)
        assert (highest > view.TALLEST) == bool(curve.texts)
        seen.add(bool(curve.texts))
    assert len(seen) == 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("concentration", [0.05 / 11, 3.0])
@pytest.mark.parametrize("state", [0, 30])
def test_every_picture_is_opaque_and_keeps_its_text_inside(state, concentration, size):
    trace = draws(concentration, towards_own=concentration > 1, steps=30)
    assert_legible(drawn(trace, state, size))


def test_two_stand_side_by_side():
    lanes = {"gate": draws(steps=2), "no gate": draws(output_scale=0.0, steps=2)}
    frame = render(lanes, VIEW, 2)
    assert len(frame.png) > 1000
    assert frame.text.count("State 2:") == 2


def test_z_by_itself_takes_a_position():
    state = draws(steps=1)[1]
    assert normaliser(state.position) == draws(steps=1).infos[1].normaliser
