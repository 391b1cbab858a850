"""Pictures of Metropolis, Hamilton and r-hat: what they hold and say, and that odd states draw."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.collections import PathCollection

from latentsteps.evaluation.diagnostics import r_hat
from latentsteps.inference.leapfrog import Density, hamiltonian, leapfrog, metropolis
from latentsteps.inference.moves import draws
from latentsteps.models.targets import banana, two_means
from latentsteps.stepper import Stepper
from latentsteps.stepper.frames import render
from latentsteps.trace import run
from latentsteps.views import agreement, energy_strip, style
from latentsteps.views import trajectories as view

X = np.array([-2.1, -1.7, -2.6, -1.2, 2.2, 1.6, 2.9, 1.4])
MEANS, BANANA = two_means(X), banana()
STARTS = np.array([[-3.0, 3.0], [3.0, -3.0], [0.0, 3.0], [3.0, 0.0]])
SIZES = [(9.0, 4.0), (4.6, 5.2), (3.6, 4.4)]
VIEWS = [style.View(view.draw, view.describe), style.View(agreement.draw, agreement.describe)]


def drawn(trace, index, chosen=VIEWS[0], size=(9.0, 4.0)):
    with rc_context(style.RC), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = style.new_figure(*size)
        chosen.draw(figure, trace.at(index))
        figure.canvas.draw()
    return figure


def pixels(figure):
    return np.asarray(figure.canvas.buffer_rgba())


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


@pytest.fixture(scope="module")
def hamilton():
    return run(hamiltonian(MEANS, STARTS, step_size=0.12, leapfrogs=8), None, seed=3, steps=360)


@pytest.fixture(scope="module")
def walk():
    return run(metropolis(BANANA, STARTS[:1], scale=2.5), None, seed=1, steps=60)


def first(trace, accepted):
    """The first decided state whose first chain was accepted, or not."""
    return next(t for t, i in enumerate(trace.infos) if t and bool(i.accepted[0]) == accepted)


def test_the_start_is_described_without_a_number_of_this_machine(hamilton, walk):
    assert view.describe(hamilton.at(0)) == (
        "State 0: 4 chains on the landscape “two means”, at the start."
    )
    assert view.describe(walk.at(0)) == "State 0: 1 chain on the landscape “banana”, at the start."
    assert agreement.describe(hamilton.at(0)) == (
        "State 0: 0 draws of each of 4 chains; r-hat needs 4."
    )


def test_leapfrogs_and_decisions_are_described(hamilton):
    assert view.describe(hamilton.at(3)).startswith("State 3: leapfrog 3 of 8; energy error ")
    info, text = hamilton.infos[9], view.describe(hamilton.at(9))
    assert style.number(info.rise[0], 2) in text
    assert f"allowed {style.number(info.allowed[0], 2)}" in text
    assert f"So far {info.accepted.sum()} of 4 moves accepted." in text
    taken = sum(i.accepted.sum() for i in hamilton.infos)
    assert f"So far {taken} of 160 moves accepted." in view.describe(hamilton.at(360))


def test_a_rejected_move_is_a_repeated_point(walk):
    state = first(walk, accepted=False)
    text = view.describe(walk.at(state))
    assert "−log density changes by" in text
    assert ": rejected. The chain stays: its point counts 2 times." in text
    figure = drawn(walk, state)
    assert set(words(figure)) == {"2×", "rejected"}
    rings = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    (ring,) = rings[0].get_offsets()
    np.testing.assert_array_equal(ring, walk[state].position[0])
    assert not len(rings[0].get_facecolor())


def test_counts_are_those_of_draws_in_a_row(walk):
    history = np.concatenate([walk[0].position, draws(walk)[0]])
    points, counts = view._repeats(history)
    np.testing.assert_array_equal(np.repeat(points, counts, axis=0), history)
    assert (points[1:] != points[:-1]).any(axis=1).all()
    assert counts.max() > 3


def test_an_accepted_move_says_so(walk):
    state = first(walk, accepted=True)
    assert ": accepted." in view.describe(walk.at(state))
    assert "accepted" in words(drawn(walk, state))


def test_the_strip_has_the_energys_rise_and_the_bars(hamilton):
    side = drawn(hamilton, 9).axes[1]
    curves = [line for line in side.lines if len(line.get_xdata()) == 9]
    energy = hamilton[9].energy
    for chain, line in enumerate(curves):
        np.testing.assert_allclose(line.get_ydata(), (energy - energy[0])[:, chain])
    assert len(curves) == 4
    assert len(drawn(hamilton, 8).axes[1].lines) < len(side.lines)


def test_the_strips_limit_is_round_and_bounded():
    limits = [energy_strip._limit(np.array([v])) / 1.1 for v in (0, 0.1, 0.11, 0.7, 3, 800, np.nan)]
    np.testing.assert_allclose(limits, [0.1, 0.1, 0.2, 1, 5, 5, 0.1])


def test_the_landscape_is_the_same_in_all_states_and_computed_once():
    calls = []

    def counted(position):
        calls.append(np.shape(position))
        return BANANA.log_density(position)

    trace = run(metropolis(BANANA._replace(log_density=counted), STARTS, scale=1.0), None, steps=5)
    frames = [drawn(trace, t).axes[0] for t in (0, 5, 2)]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in frames}) == 1
    assert sum(shape == (view.GRID, 2) for shape in calls) == view.GRID


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chosen", VIEWS)
def test_every_kind_of_state_draws_opaque_and_differs(hamilton, walk, chosen, size):
    for trace, states in ((hamilton, (0, 1, 8, 9, 360)), (walk, (0, 1, 60))):
        before = None
        for state in states:
            image = pixels(drawn(trace, state, chosen, size))
            assert (image[..., 3] == 255).all()
            # One chain has no r-hat, and until a move is decided there is no other draw.
            decided = trace.infos[state].phase == 2
            if before is not None and (chosen is VIEWS[0] or decided):
                assert (image != before).any()
            before = image


def test_lanes_stand_side_by_side(hamilton, walk):
    frame = render({"Hamilton": hamilton, "Metropolis": walk}, VIEWS[0], 40)
    assert frame.text.startswith("Hamilton: State 40: ")
    assert "\nMetropolis: State 40: " in frame.text


def test_chains_differ_in_colour_and_in_shape(hamilton):
    handles = drawn(hamilton, 9).axes[0].get_legend().legend_handles
    assert len({h.get_color() for h in handles}) == len({h.get_marker() for h in handles}) == 4


def test_many_chains_are_listed_in_short():
    trace = run(metropolis(MEANS, np.tile(STARTS, (2, 1)), scale=3.0), None, steps=3)
    assert ", …; allowed" in view.describe(trace.at(3))
    drawn(trace, 3)


@pytest.mark.parametrize(
    "roll",
    [
        lambda q, p, gradient, step_size, steps: (q * np.nan, p),
        lambda q, p, gradient, step_size, steps: (q * 1e200, p * 1e200),
        lambda q, p, gradient, step_size, steps: (q, p),
        lambda q, p, gradient, step_size, steps: leapfrog(q, p, lambda x: -gradient(x), 5.0, 3),
    ],
)
def test_a_learners_wrong_leapfrog_still_draws(roll):
    wrong = hamiltonian(BANANA, STARTS[:2], step_size=0.3, leapfrogs=3, integrator=roll)
    trace = run(wrong, None, steps=21)
    for state in (1, 3, 4, 21):
        drawn(trace, state)
        drawn(trace, state, VIEWS[1])
        assert view.describe(trace.at(state))
        assert agreement.describe(trace.at(state))


@pytest.mark.parametrize(
    ("accept", "said"),
    [
        (lambda here, *rest: here * np.nan, "elsewhere"),
        (lambda here, *rest: here + 0.1, "elsewhere"),
        (lambda here, there, *rest: there, "accepted"),
    ],
)
def test_a_learners_wrong_metropolis_step_still_draws(accept, said):
    trace = run(metropolis(BANANA, STARTS[:2], scale=1.0, accept=accept), None, steps=6)
    for state in (1, 6):
        drawn(trace, state)
        drawn(trace, state, VIEWS[1])
    assert f": all {said}." in view.describe(trace.at(1))
    assert agreement.describe(trace.at(6))


def test_a_lost_ball_is_said_in_words():
    wrong = hamiltonian(
        BANANA,
        STARTS[:1],
        step_size=0.3,
        leapfrogs=1,
        integrator=lambda q, p, *rest: (q * np.nan, p),
    )
    text = view.describe(run(wrong, None, steps=2).at(2))
    assert "energy error no number (NaN);" in text
    assert ": rejected. The chain stays" in text


def test_a_landscape_that_is_partly_none_draws():
    half = Density(
        lambda q: np.where(q[..., 0] > 0, -0.5 * (q**2).sum(axis=-1), -np.inf), lambda q: -q, "half"
    )
    nowhere = Density(lambda q: np.full(q.shape[:-1], np.nan), lambda q: -q, "nowhere")
    for density in (half, nowhere):
        drawn(run(metropolis(density, STARTS, scale=1.0), None, steps=2), 2)


def test_other_dimensions_are_refused_in_words():
    line = Density(lambda q: -0.5 * (q**2).sum(axis=-1), lambda q: -q, "line")
    trace = run(metropolis(line, [[0.0], [1.0]], scale=1.0), None, steps=1)
    with pytest.raises(ValueError, match="in 1 dimensions; this picture is of 2"):
        drawn(trace, 1)


def test_r_hat_is_large_by_label_and_near_one_label_free(hamilton):
    kept = draws(hamilton)
    by_label = r_hat(kept[..., 0])
    label_free = r_hat(MEANS.log_density(kept))
    assert by_label > 1.5
    assert label_free < 1.1
    text = agreement.describe(hamilton.at(360))
    assert text.startswith("State 360: 40 draws of each of 4 chains; r-hat by label ")
    assert f"by label {by_label:.2f} for m₁ and " in text
    assert f"label-free {label_free:.2f} for the log density." in text


def test_the_r_hat_curves_end_at_their_present_values(hamilton):
    kept = draws(hamilton, 200)
    side = next(axes for axes in drawn(hamilton, 200, VIEWS[1]).axes if axes.get_label() == "r-hat")
    curves = {line.get_label(): line for line in side.lines}
    assert curves["m₁"].get_xdata()[-1] == kept.shape[1]
    assert curves["m₁"].get_ydata()[-1] == pytest.approx(r_hat(kept[..., 0]))
    found = r_hat(MEANS.log_density(kept))
    assert curves["log density"].get_ydata()[-1] == pytest.approx(found)


def test_long_runs_have_few_r_hats(monkeypatch):
    trace = run(metropolis(BANANA, STARTS, scale=1.0), None, steps=500)
    asked = []
    monkeypatch.setattr(agreement, "r_hat", lambda values: asked.append(values.shape) or 1.5)
    drawn(trace, 500, VIEWS[1])
    assert len(asked) < 3 * 45
    before = len(asked)
    drawn(trace, 499, VIEWS[1])
    assert len(asked) == before + 3


def test_names_that_mean_something_are_not_called_labels():
    trace = run(metropolis(BANANA, STARTS, scale=1.0), None, steps=8)
    text = agreement.describe(trace.at(8))
    assert "label" not in text
    assert "r-hat " in text
    assert " for x₁ and " in text


def test_one_chain_has_no_r_hat(walk):
    assert "takes two or more" in agreement.describe(walk.at(60))
    assert "r-hat needs two chains" in words(drawn(walk, 60, VIEWS[1]))


def test_the_stepper_shows_them():
    stepper = Stepper(
        lambda step_size: hamiltonian(MEANS, STARTS, step_size=step_size, leapfrogs=3),
        None,
        {"path": view, "r-hat": agreement},
        controls={"step_size": [0.1, 0.4]},
    )
    stepper.player.step()
    assert "leapfrog 1 of 3" in stepper.panel.description.value
    stepper.player.go(0)
    stepper.player.step()
    assert "leapfrog 1 of 3" in stepper.panel.description.value
    assert "could not" not in stepper.panel.status.value
