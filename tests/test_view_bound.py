"""The picture of EM's bound: its numbers against autodiff, its pictures on every kind of state."""

from __future__ import annotations

import numpy as np
import pytest
from jax.scipy.stats import norm as jax_norm
from matplotlib import rc_context

from drawing import assert_legible
from latentsteps.data import old_faithful
from latentsteps.inference import em
from latentsteps.inference.em import E_STEP, M_STEP
from latentsteps.jax64 import jax, jnp
from latentsteps.models.univariate_mixture import (
    UnivariateMixture,
    log_joint,
    univariate_mixture,
)
from latentsteps.stepper import Stepper
from latentsteps.stepper.frames import filmstrip, render
from latentsteps.trace import run
from latentsteps.views import bound as view
from latentsteps.views import bound_parts as parts
from latentsteps.views import slices, style

PATH = "path over a₁, a₂"

X = old_faithful()[:, 0]


def mixture(weights, means, variances):
    return UnivariateMixture(
        *(np.array(field, dtype=float) for field in (weights, means, variances))
    )


def bound(x, q, parameters):
    return em.bound(log_joint(x, parameters), q)


STARTS = {
    "apart": mixture([0.5, 0.5], [2.5, 3.5], [1.0, 1.0]),
    "symmetric": mixture([0.5, 0.5], [3.4, 3.4], [1.3, 1.3]),
    "spike": mixture([0.02, 0.98], [3.6, 3.5], [0.001, 1.3]),
    "narrow": mixture([0.5, 0.5], [4.0, 4.7], [0.05, 0.05]),
    "three": mixture([0.3, 0.3, 0.4], [2.0, 3.5, 4.5], [0.1, 0.5, 0.1]),
}
ALONG = [("means", 0), ("means", 1), ("variances", 0), ("variances", 1), ("weights", 0)]


def trace_from(name, steps=6, **rest):
    return run(univariate_mixture(STARTS[name], **rest), X, steps=steps)


def jax_slopes(parameters, q, along):
    """Slopes of log-likelihood and bound by automatic differentiation, along one parameter."""
    name, k = along
    place = UnivariateMixture._fields.index(name)

    def joint(value):
        fields = [jnp.asarray(field) for field in parameters]
        if name == "weights":
            rest = jnp.sum(fields[0]) - fields[0][k]
            fields[0] = fields[0] * (1 - value) / rest
        fields[place] = fields[place].at[k].set(value)
        weights, means, variances = fields
        return jax_norm.logpdf(X[:, None], means, jnp.sqrt(variances)) + jnp.log(weights)

    here = float(getattr(parameters, name)[k])
    upper = jax.grad(lambda v: jax.scipy.special.logsumexp(joint(v), axis=1).sum())(here)
    lower = jax.grad(lambda v: jnp.vdot(q, joint(v)))(here)
    return float(upper), float(lower)


@pytest.mark.parametrize("along", ALONG)
@pytest.mark.parametrize("name", ["apart", "narrow", "spike"])
def test_slopes_are_those_of_autodiff_and_equal_after_e(name, along):
    trace = trace_from(name)
    for t in (0, 1, 4, 5):
        state = trace[t]
        ours = slices.slopes(log_joint, bound, X, state, along)
        theirs = jax_slopes(state.parameters, state.expectations, along)
        # Central differences: their error is of second order in a step of 1e-5 of the scale.
        scale = max(1.0, *map(abs, theirs))
        assert ours.log_likelihood == pytest.approx(theirs[0], abs=1e-4 * scale)
        assert ours.bound == pytest.approx(theirs[1], abs=1e-4 * scale)
        if state.phase == E_STEP:
            assert ours.log_likelihood == pytest.approx(ours.bound, abs=1e-4 * scale)
        else:  # the M step went to the top
            assert abs(ours.bound) <= 1e-4 * scale


def test_values_are_what_they_say():
    trace = trace_from("apart")
    for t, state in enumerate(trace):
        found = slices.values(log_joint, bound, X, state)
        q = state.expectations
        assert found.bound == pytest.approx(trace.objective[t])
        assert found.expected == pytest.approx(np.sum(q * log_joint(X, state.parameters)))
        if state.phase == E_STEP:
            assert found.gap == 0
        else:
            posterior = em.soft(log_joint(X, state.parameters))
            assert found.gap == pytest.approx(np.sum(q * np.log(q / posterior)))
            assert found.gap > 0


def test_a_history_ends_at_its_moment_whatever_was_seen_before():
    trace = trace_from("apart")
    history = slices.History(log_joint, bound)
    all_values = history(trace.at(5))
    assert len(all_values) == 6
    assert history(trace.at(2)) == all_values[:3]


def test_views_from_one_call_share_what_they_computed():
    calls = 0

    def counted(x, q, parameters):
        nonlocal calls
        calls += 1
        return bound(x, q, parameters)

    trace = trace_from("apart", steps=20)
    several = list(view.views(log_joint, counted).values())
    several[0].describe(trace.at(20))
    assert calls > 20
    for given in several[1:]:
        calls = 0
        given.describe(trace.at(20))
        assert calls < 10  # for the slopes alone


def test_a_slope_that_is_rounding_alone_is_zero():
    # Both components are the one Gaussian that fits best: no mean or variance has a way up.
    equal = mixture([0.5, 0.5], [X.mean()] * 2, [X.var()] * 2)
    trace = run(univariate_mixture(equal), X, steps=1)
    for t in (0, 1):
        for along in ALONG[:4]:
            assert slices.slopes(log_joint, bound, X, trace[t], along) == (0.0, 0.0)


def test_q_may_fall_while_the_log_likelihood_rises():
    trace = trace_from("narrow", steps=3)
    first, third = (slices.values(log_joint, bound, X, trace[t]) for t in (1, 3))
    assert third.log_likelihood > first.log_likelihood + 5
    assert third.expected < first.expected - 5


def test_a_moved_weight_is_paid_by_the_others():
    parameters = mixture([0.2, 0.2, 0.6], [0, 1, 2], [1, 1, 1])
    moved = slices.moved(parameters, ("weights", 0), 0.6)
    np.testing.assert_allclose(moved.weights, [0.6, 0.1, 0.3])
    assert parameters.weights[0] == 0.2


@pytest.mark.parametrize("along", ALONG)
@pytest.mark.parametrize("name", list(STARTS))
def test_the_window_shows_the_present_point_and_the_hill(name, along):
    trace = trace_from(name)
    history = slices.History(log_joint, bound)
    for t in range(len(trace)):
        moment = trace.at(t)
        frame = slices.window(bound, moment, along, history(moment))
        assert (np.diff(frame.values) > 0).all()
        here = slices.value_of(moment.state.parameters, along)
        assert frame.values[0] < here < frame.values[-1]
        if along[0] != "means":
            assert frame.values[0] > 0
        _, lower = slices.curves(log_joint, bound, X, moment.state, along, frame.values)
        if name != "symmetric":
            # It falls by enough to be seen, and not by so much that it is a needle.
            fall = np.nanmax(lower) - lower[[0, -1]]
            assert 1.0 < fall.max() < 100 * frame.nats


def test_near_the_end_there_is_still_something_to_see():
    trace = trace_from("apart", steps=400)
    moment = trace.at(399)
    assert moment.state.phase == M_STEP
    history = slices.History(log_joint, bound)(moment)
    frame = slices.window(bound, moment, ("means", 0), history)
    upper, lower = slices.curves(log_joint, bound, X, moment.state, ("means", 0), frame.values)
    assert np.ptp(lower) > 5
    assert np.ptp(frame.values) < 0.5
    assert (upper >= lower - 1e-9).all()


def test_the_descriptions_say_the_numbers():
    trace = trace_from("apart")
    along = view.views(log_joint, bound)["along a₁"]
    assert along.describe(trace.at(0)) == (
        "State 0: after the E step, log-likelihood −444.6, F −444.6, gap 0, Q −591.6. Along a₁, "
        "now 2.5, the slope of the log-likelihood is 31.1, of F 31.1."
    )
    after = along.describe(trace.at(1))
    assert "after the M step" in after
    assert "gap 2.2" in after
    assert after.endswith("the slope of the log-likelihood is −10.4, of F 0.")
    path = view.views(log_joint, bound)[PATH].describe(trace.at(0))
    assert path.endswith("The way has come to a₁ = 2.5 and a₂ = 3.5.")


def test_the_views_have_names_for_a_control():
    assert list(view.views(log_joint, bound)) == [
        "along a₁", "along a₂", "along σ²₁", "along σ²₂", "along π₁", "along π₂",
        PATH,
    ]  # fmt: skip
    assert list(view.views(log_joint, bound, k=1)) == ["along a₁", "along σ²₁", "along π₁"]


def drawn(given, moment, size):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        given.draw(figure, moment)
        figure.canvas.draw()
    return figure


def lines(axes, colour, dashes=None):
    """The lines of a colour and a style, as arrays (2, points)."""
    return [
        np.array(line.get_data(), dtype=float)
        for line in axes.lines
        if line.get_color() == colour and dashes in (None, line.get_linestyle())
    ]


@pytest.mark.parametrize("t", [0, 1])
def test_every_curve_passes_through_its_present_value(t):
    moment = trace_from("apart").at(t)
    along = ("means", 1)
    main = drawn(
        view.views(log_joint, bound)[f"along {parts.symbol(along)}"], moment, (9.0, 5.0)
    ).axes[2]
    now = slices.values(log_joint, bound, X, moment.state)
    here = slices.value_of(moment.state.parameters, along)
    # All curves are at the same 49 places; a parabola through three of them is near enough.
    for colour, value in (
        (parts.LIKELIHOOD, now.log_likelihood),
        (parts.BOUND, now.bound),
        (parts.EXPECTED, now.expected),
    ):
        (places, heights), *_ = (each for each in lines(main, colour) if each.shape[1] == 49)
        near = np.abs(places - here).argsort()[:3]
        through = np.polynomial.Polynomial.fit(places[near], heights[near], 2)
        assert through(here) == pytest.approx(value, abs=0.05)
    assert abs(now.expected - now.bound) > 50


@pytest.mark.parametrize("along", [("means", 0), ("variances", 0)])
def test_the_tangents_touch_their_curves(along):
    # A variance other than 1: on a logarithmic axis the slope is 0.3 times that per minute².
    start = mixture([0.4, 0.6], [2.2, 4.2], [0.3, 0.3])
    moment = run(univariate_mixture(start), X, steps=2).at(0)
    main = drawn(
        view.views(log_joint, bound)[f"along {parts.symbol(along)}"], moment, (9.0, 5.0)
    ).axes[2]
    assert main.get_xscale() == ("log" if along[0] == "variances" else "linear")
    pieces = lines(main, parts.TANGENT)
    assert len(pieces) == 2
    height = np.ptp(main.get_ylim())
    here = slices.value_of(moment.state.parameters, along)
    now = slices.values(log_joint, bound, X, moment.state)
    for which, (across, up) in enumerate(pieces):
        # A twentieth of the way along: there the curve has hardly left its tangent.
        if along[0] == "variances":
            ends = here * (across / here) ** 0.05
        else:
            ends = here + 0.05 * (across - here)
        curve = slices.curves(log_joint, bound, X, moment.state, along, ends)[which]
        rise = np.diff(curve).item()
        assert abs(rise) > 0.005 * height
        assert 0.05 * np.diff(up).item() == pytest.approx(rise, rel=0.02)
        assert up.mean() == pytest.approx(now[which])


@pytest.mark.parametrize("t", [1, 5])
def test_a_gaps_bar_ends_at_its_power_of_ten(t):
    moment = trace_from("apart").at(t)
    gaps = drawn(view.views(log_joint, bound)["along a₁"], moment, (9.0, 5.0)).axes[4]
    gap = slices.values(log_joint, bound, X, moment.state).gap
    bars = gaps.collections[0].get_segments()
    assert len(bars) == (t + 1) // 2  # none after an E step
    (across, _), (_, top) = bars[-1]
    assert across == t
    assert top == pytest.approx(np.log10(gap))
    assert abs(top) > 0.01


SIZES = [(9.0, 5.0), (4.6, 5.2), (3.6, 4.4)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", list(STARTS))
@pytest.mark.parametrize("which", ["along a₁", "along σ²₂", PATH])
def test_pictures_are_opaque_and_keep_their_text_inside(name, which, size):
    trace = trace_from(name, steps=5)
    k = len(STARTS[name].weights)
    given = view.views(log_joint, bound, k=k, unit="minutes")[which]
    for t in (1, 4):
        figure = drawn(given, trace.at(t), size)
        assert_legible(figure)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("t", [17, 18])
def test_titles_do_not_run_into_each_other(t, size):
    trace = trace_from("apart", steps=18)
    for given in view.views(log_joint, bound, unit="minutes").values():
        figure = drawn(given, trace.at(t), size)
        for axes in figure.axes:
            left, right = axes._left_title, axes._right_title
            if left.get_text() and right.get_text():
                assert left.get_window_extent().x1 < right.get_window_extent().x0


def nowhere(what):
    """EM by a learner: what they return is not a number, or not what it should be."""

    def m_step(x, q, old):
        counts = q.sum(axis=0)
        means = x @ q / counts
        variances = (q * (x[:, None] - means) ** 2).sum(axis=0) / counts
        new = UnivariateMixture(counts / len(x), means, variances)
        return new._replace(**what(new))

    return em.em(
        init=lambda key, x: STARTS["apart"],
        e_step=lambda x, now: em.soft(log_joint(x, now)),
        m_step=m_step,
        objective=lambda x, now, q: bound(x, q, now),
        half_steps=True,
    )


BROKEN = {
    "a variance": lambda new: {"variances": new.variances * np.nan},
    "a mean": lambda new: {"means": np.array([np.nan, 4.0])},
    "a negative variance": lambda new: {"variances": -new.variances},
    "a zero variance": lambda new: {"variances": 0 * new.variances},
    "weights": lambda new: {"weights": new.weights * np.nan},
    "no weight": lambda new: {"weights": np.array([0.0, 1.0])},
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a learner's own function gives them
@pytest.mark.parametrize("what", list(BROKEN))
def test_what_is_no_number_does_not_break_a_picture(what):
    trace = run(nowhere(BROKEN[what]), X, steps=3)
    views = view.views(log_joint, bound, unit="minutes")
    for name in ("along a₁", "along σ²₁", "along π₁", PATH):
        for t in (1, 2):
            frame = render({"": trace}, views[name], t)
            assert frame.text.startswith(f"State {t}: after the ")


def test_a_wrong_m_step_is_seen_to_leave_the_top():
    def off(new):
        return {"means": new.means + 0.5}

    trace = run(nowhere(off), X, steps=1)
    at = slices.slopes(log_joint, bound, X, trace[1], ("means", 0))
    assert abs(at.bound) > 10
    assert trace.at(1).state.phase == M_STEP


def test_a_landscape_is_computed_once_while_the_rest_stays():
    calls = 0

    def counted(x, parameters):
        nonlocal calls
        calls += 1
        return log_joint(x, parameters)

    trace = trace_from("apart", learn="means")
    given = view.views(counted, bound)[PATH]
    counts = []
    for t in range(4):
        drawn(given, trace.at(t), (9.0, 5.0))
        counts.append(calls)
    # Each picture needs a few for the data and the values, and only the first a whole grid.
    assert counts[0] > 40
    assert max(np.diff(counts)) < 20


def test_a_landscape_is_computed_anew_where_the_rest_has_changed():
    trace = trace_from("apart", steps=3, learn="everything")
    kept = view._Landscape(log_joint, (0, 1))
    for t in (1, 3):
        fresh = view._Landscape(log_joint, (0, 1))(trace.at(t))
        np.testing.assert_array_equal(kept(trace.at(t)).heights, fresh.heights)
    assert not np.allclose(fresh.heights, kept(trace.at(1)).heights)


def test_the_landscape_is_the_log_likelihood():
    trace = trace_from("three", steps=1)
    moment = trace.at(1)
    grid = view._Landscape(log_joint, (0, 2))(moment)
    for row, column in ((3, 40), (20, 7)):
        means = moment.state.parameters.means.copy()
        means[[0, 2]] = grid.places[[column, row]]
        there = moment.state.parameters._replace(means=means)
        assert grid.heights[row, column] == pytest.approx(
            slices.log_likelihood(log_joint, X, there)
        )


def test_pictures_differ_from_state_to_state_and_stand_side_by_side():
    trace = trace_from("apart")
    views = view.views(log_joint, bound, unit="minutes")
    pictures = {render({"": trace}, views[name], t).png for name in views for t in (0, 1, 2)}
    assert len(pictures) == 3 * len(views)
    both = render({"yours": trace, "reference": trace}, views["along a₁"], 1)
    assert both.text.startswith("yours: State 1")
    assert filmstrip({"": trace}, views["along a₁"], [0, 1])


def test_the_stepper_takes_the_views():
    stepper = Stepper(
        univariate_mixture,
        X,
        view.views(log_joint, bound),
        controls={"start": STARTS, "learn": ["everything", "means"]},
    )
    assert "State 0: after the E step" in stepper._repr_mimebundle_()["text/plain"]
