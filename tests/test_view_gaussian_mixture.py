"""The picture of a Gaussian mixture: what it says, what it holds, and that odd states draw."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.collections import LineCollection, PathCollection
from scipy.stats import chi2

from drawing import assert_legible
from latentsteps.data import old_faithful, standardize
from latentsteps.inference.em import em, soft
from latentsteps.models.gaussian_mixture import GaussianMixture, gaussian_mixture, log_joint
from latentsteps.stepper import Stepper
from latentsteps.stepper.frames import render
from latentsteps.trace import Trace, run
from latentsteps.views import gaussian_mixture as view
from latentsteps.views import stopping, style

X = standardize(old_faithful())
HALF = np.array([0.5, 0.5])
OWN = np.cov(X.T, ddof=0)
BOOK = GaussianMixture(HALF, np.array([[-1.8, 1.5], [1.8, -1.5]]), np.array([0.1 * np.eye(2)] * 2))
NEAR = GaussianMixture(HALF, np.array([[-0.01, -0.01], [0.01, 0.01]]), np.array([OWN, OWN]))
SPIKE = GaussianMixture(HALF, np.array([X[3], [0, 0]]), np.array([1e-4 * np.eye(2), np.eye(2)]))
SIZES = [(9.0, 4.0), (4.6, 5.2), (3.6, 4.4)]
LABELLED = view.with_labels("length", "wait")
DISTANCE = view.with_labels("length", "wait", "distance to the end")


def traced(start, steps, k=2, half_steps=True, **rest):
    return run(gaussian_mixture(k, start=start, half_steps=half_steps, **rest), X, steps=steps)


def learner(parameters, expectations=None):
    """A run whose states are these parameters, good or bad, whatever they are."""
    k = len(parameters.weights)
    shares = np.full((len(X), k), 1 / k) if expectations is None else expectations
    return run(
        em(
            init=lambda key, x: parameters,
            e_step=lambda x, now: shares,
            m_step=lambda x, r, old: parameters,
            objective=lambda x, now, r: np.nan,
            half_steps=True,
        ),
        X,
        steps=2,
    )


def drawn(trace, index, chosen=LABELLED, size=(9.0, 4.0)):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        chosen.draw(figure, trace.at(index))
        figure.canvas.draw()
    return figure


def pixels(figure):
    return np.asarray(figure.canvas.buffer_rgba())


def outlines(figure):
    """The ellipses' collections of lines, from the lowest drawn to the topmost."""
    return [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]


@pytest.fixture(scope="module")
def book():
    return traced(BOOK, 40)


@pytest.fixture(scope="module")
def plateau():
    return traced(NEAR, 60, half_steps=False)


def test_the_book_start_is_described(book):
    assert view.describe(book.at(0)) == (
        "State 0: objective −8471.1; weights 0.5 and 0.5, 130 and 142 points."
    )
    assert view.describe(book.at(1)).startswith("State 1: after an M half, objective −")
    assert view.describe(book.at(2)).startswith("State 2: after an E half, objective −543.19;")


def test_many_components_and_one_are_described_in_short():
    seven = view.describe(traced("k-means", 1, k=7).at(1))
    assert "7 components, weights 0." in seven
    one = view.describe(traced("k-means", 1, k=1).at(0))
    assert "; 1 component." in one


def test_a_spike_is_said_and_ringed():
    trace = traced(SPIKE, 4)
    assert "A component is a spike: smallest spread 1e−06." in view.describe(trace.at(4))
    assert [text.get_text() for text in drawn(trace, 4).axes[0].texts] == ["spike"]
    assert "spike" not in view.describe(traced(BOOK, 2).at(2))


@pytest.mark.parametrize("minutes", [1.0, 1e-3, 1e3])
def test_a_spike_is_one_on_the_datas_own_scale(minutes):
    # Not standardised, in three units of time: the variances are 1.3 and 184 minutes².
    raw = minutes * old_faithful()
    spread = raw.std(axis=0)
    means = np.array([raw[3], raw.mean(axis=0)])
    for share, is_spike in ((0.0011, False), (0.0009, True)):
        thin = share * np.diag(spread**2)
        start = GaussianMixture(HALF, means, np.array([thin, np.cov(raw.T, ddof=0)]))
        text = view.describe(run(gaussian_mixture(2, start=start), raw, steps=0).at(0))
        assert ("spike" in text) == is_spike
        if is_spike:
            assert "smallest spread 0.0009" in text


def test_several_spikes_have_one_word():
    covariances = np.array([1e-6 * np.eye(2), 1e-6 * np.eye(2), OWN])
    three = GaussianMixture(np.full(3, 1 / 3), np.array([X[0], X[1], [0, 0]]), covariances)
    trace = traced(three, 0, k=3)
    assert [text.get_text() for text in drawn(trace, 0).axes[0].texts] == ["2 spikes"]
    assert "2 are spikes" in view.describe(trace.at(0))


def test_the_flag_stands_where_scikit_learn_stops(plateau):
    from sklearn.mixture import GaussianMixture as Sklearn

    theirs = Sklearn(
        2,
        weights_init=NEAR.weights,
        means_init=NEAR.means,
        precisions_init=np.linalg.inv(NEAR.covariances),
    ).fit(X)
    assert theirs.n_iter_ == 2
    assert stopping.default_stop(plateau.at(60)) == 2
    assert stopping.default_stop(plateau.at(1)) is None
    assert "scikit-learn's default stops at state 2." in view.describe(plateau.at(9))
    for name, found in zip(("weights", "means", "covariances"), plateau[2].parameters, strict=True):
        np.testing.assert_allclose(getattr(theirs, f"{name}_"), found, rtol=1e-4, atol=1e-4)


def test_the_flag_passes_over_m_halves():
    halves, whole = traced(BOOK, 60), traced(BOOK, 30, half_steps=False)
    state = stopping.default_stop(whole.at(30))
    assert stopping.default_stop(halves.at(60)) == 2 * state


def test_the_end_is_that_of_the_run_and_computed_once(plateau, monkeypatch):
    assert stopping.end_of(plateau) == pytest.approx(-384.458853, abs=1e-5)
    monkeypatch.setattr(stopping, "run", None)
    assert stopping.end_of(plateau) == pytest.approx(-384.458853, abs=1e-5)


def test_a_run_that_fails_further_on_has_no_end_and_says_so():
    steps = traced(BOOK, 3, half_steps=False).algorithm

    def failing(key, state, x):
        if key[1] == 6:
            raise ZeroDivisionError
        return steps.step(key, state, x)

    trace = run(steps._replace(step=failing), X, steps=3)
    assert stopping.end_of(trace) is None
    side = drawn(trace, 3, DISTANCE).axes[1]
    assert "comes to no end" in side.texts[0].get_text()
    assert not side.lines


def test_looking_for_the_end_leaves_the_trace_alone():
    trace = Trace(gaussian_mixture(2, start=NEAR), X)
    drawn(trace, 0, DISTANCE)
    assert len(trace) == 1


def test_a_start_far_below_does_not_hide_the_rest(book):
    side = drawn(book, 40).axes[1]
    assert side.get_ylim()[0] > -700
    assert side.texts[0].get_text() == "state 0: −8470 ↓"
    assert drawn(book, 1).axes[1].get_ylim()[0] < -8000


@pytest.mark.parametrize(
    "covariance", [OWN, np.diag([1.0, 1e-12]), np.array([[2.0, 1.9], [1.9, 2]])]
)
def test_every_point_of_an_ellipse_is_at_its_distance(covariance):
    outline = view.ellipse([1.0, -2.0], covariance, 2.0)
    away = outline - [1.0, -2.0]
    distances = np.einsum("nd,nd->n", away, np.linalg.solve(covariance, away.T).T)
    np.testing.assert_allclose(distances, 4.0, rtol=1e-3)
    assert len(outline) == 200


@pytest.mark.parametrize("covariance", [np.zeros((2, 2)), np.diag([0.0, 1.0]), np.ones((2, 2))])
def test_a_degenerate_ellipse_is_a_line_or_a_point(covariance):
    outline = view.ellipse([1.0, -2.0], covariance, 2.0)
    assert np.isfinite(outline).all()
    reach = np.abs(outline - [1.0, -2.0]).max(axis=0)
    np.testing.assert_allclose(reach, 2 * np.sqrt(np.diag(covariance)), rtol=1e-3, atol=1e-7)


def test_ellipses_hold_95_percent():
    assert chi2(2).cdf(view.RADIUS**2) == pytest.approx(0.95)


def test_a_points_colour_is_mixed_in_its_shares():
    parameters = GaussianMixture(HALF, np.zeros((2, 2)), np.array([OWN, OWN]))
    shares = np.tile([1.0, 0.0], (len(X), 1))
    shares[1] = [0.25, 0.75]
    figure = drawn(learner(parameters, shares), 0)
    first, second = (c for c in figure.axes[0].collections if isinstance(c, PathCollection))
    one, two = (np.array(style.tint(k, 1.0)) for k in (0, 1))
    np.testing.assert_allclose(first.get_facecolors()[0, :3], one, atol=1e-3)
    np.testing.assert_allclose(second.get_facecolors()[0, :3], 0.25 * one + 0.75 * two, atol=1e-3)
    assert len(second.get_offsets()) == 1


def test_after_an_m_half_the_old_ellipses_are_dashed(book):
    # White below, colour above; the old ones come first.
    assert len(outlines(drawn(book, 2))) == 2
    m_half = outlines(drawn(book, 1))
    assert len(m_half) == 3
    before = book[0].parameters
    expected = view.ellipse(before.means[0], before.covariances[0], view.RADIUS, 120)
    np.testing.assert_allclose(m_half[0].get_segments()[0][:-1], expected)


@pytest.mark.parametrize("form", ["cholesky", "exponential family"])
@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_every_form_and_covariance_draws(form, covariance):
    algorithm = gaussian_mixture(3, covariance=covariance, form=form, half_steps=True)
    trace = run(algorithm, X, steps=2)
    for t in range(3):
        drawn(trace, t)
        assert "weights" in view.describe(trace.at(t))


def test_statistics_and_responsibilities_give_one_picture():
    trace = run(gaussian_mixture(2, form="exponential family", start=BOOK), X, steps=3)
    other = run(gaussian_mixture(2, start=BOOK), X, steps=3)
    # The same shares to 1e-9; a colour may still fall on the other side of a rounding.
    difference = pixels(drawn(trace, 3)).astype(int) - pixels(drawn(other, 3)).astype(int)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    ("means", "covariances", "expectations"),
    [
        ([[np.nan, 0], [0, 0]], [OWN, OWN], None),
        ([[1, 0], [0, 0]], [np.full((2, 2), np.nan), OWN], None),
        ([[1, 0], [0, 0]], [OWN, OWN], np.full((272, 2), np.nan)),
        ([[1, 0], [0, 0]], [-OWN, np.zeros((2, 2))], None),
        ([[np.inf, 0], [1e300, 0]], [OWN, OWN], None),
    ],
)
@pytest.mark.parametrize("chosen", [LABELLED, DISTANCE])
def test_a_learners_nonsense_is_drawn_and_described(means, covariances, expectations, chosen):
    parameters = GaussianMixture(HALF, np.array(means, dtype=float), np.array(covariances))
    trace = learner(parameters, expectations)
    for t in range(3):
        drawn(trace, t, chosen)
        assert view.describe(trace.at(t)).startswith(f"State {t}")
    if np.isnan(parameters.means).any():
        assert "NaN" in view.describe(trace.at(0))


def test_lists_from_a_learner_will_do():
    parameters = GaussianMixture([0.5, 0.5], [[-1, 0], [1, 0]], [OWN.tolist(), OWN.tolist()])
    drawn(learner(parameters), 1)


def test_no_warning_on_the_way(book, plateau):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for trace in (book, plateau):
            for chosen in (LABELLED, DISTANCE):
                drawn(trace, len(trace) - 1, chosen)


def by_determinants(x, now):
    """log p(x_n, k) as a learner may write it: NaN goes through, and NumPy warns."""
    columns = []
    for weight, mean, covariance in zip(*now, strict=True):
        squares = ((x - mean) @ np.linalg.inv(covariance) * (x - mean)).sum(axis=1)
        volume = np.linalg.det(2 * np.pi * covariance)
        columns.append(np.log(weight) - squares / 2 - np.log(volume) / 2)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("objective", [np.nan, np.inf])
def test_nan_covariances_are_looked_at_without_a_warning(objective):
    import warnings

    parts = em(
        init=lambda key, x: BOOK,
        e_step=lambda x, now: soft(by_determinants(x, now)),
        m_step=lambda x, r, old: old._replace(covariances=np.full((2, 2, 2), np.nan)),
        objective=lambda x, now, r: objective,
        half_steps=True,
    )
    with np.errstate(all="ignore"):
        trace = run(parts, X, steps=3)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")  # as errors they would end the search for the end
        for t in range(4):
            for chosen in (LABELLED, DISTANCE):
                drawn(trace, t, chosen)
                assert view.describe(trace.at(t)).startswith(f"State {t}")
    assert not warned, [str(each.message) for each in warned]


def test_points_that_are_not_in_the_plane_are_refused_in_words():
    trace = run(gaussian_mixture(1), np.random.default_rng(0).normal(size=(20, 3)), steps=1)
    with pytest.raises(ValueError, match="points in the plane"):
        drawn(trace, 0)
    with pytest.raises(ValueError, match="distance to the end"):
        view.with_labels("", "", "height")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chosen", [LABELLED, DISTANCE, view])
@pytest.mark.parametrize(
    ("start", "k", "steps"), [(BOOK, 2, 36), (NEAR, 2, 5), (SPIKE, 2, 6), ("k-means", 6, 12)]
)
def test_every_picture_is_opaque_and_keeps_its_text_inside(start, k, steps, chosen, size):
    figure = drawn(traced(start, steps, k), steps, chosen, size)
    assert_legible(figure)


def test_the_frame_stays_the_same_along_a_run(book):
    limits = [(axes.get_xlim(), axes.get_ylim())
              for axes in (drawn(book, t).axes[0] for t in (0, 1, 20, 40))]  # fmt: skip
    assert len(set(limits)) == 1


def test_two_traces_share_the_objectives_scale(book):
    lanes = {"yours": traced("k-means", 10), "reference": book}
    frame = render(lanes, LABELLED, 40)
    assert frame.text.startswith("yours (ended): State 10")
    render(lanes, DISTANCE, 40)


def test_a_broken_objective_is_marked_in_both_panels():
    def falls(x, now, r):
        return -float(np.abs(now.means).sum())

    trace = run(
        em(
            init=lambda key, x: BOOK._replace(means=np.zeros((2, 2))),
            e_step=lambda x, now: soft(log_joint(x, now)),
            m_step=lambda x, r, old: old._replace(means=old.means + 1),
            objective=falls,
        ),
        X,
        steps=3,
    )
    assert trace.first_break() == 1
    for chosen in (LABELLED, DISTANCE):
        render({"": trace}, chosen, 3)
    lines = drawn(trace, 3, DISTANCE).axes[1].lines
    assert any(list(line.get_xdata()) == [1, 1] for line in lines)


def test_a_stepper_shows_it_through_either_view():
    stepper = Stepper(lambda: gaussian_mixture(2, start=BOOK), X, {"a": LABELLED, "b": DISTANCE})
    first = stepper.panel.image.value
    stepper.panel.controls["view"].value = 1
    assert stepper.panel.image.value != first
