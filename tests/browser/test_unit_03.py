"""Unit 03 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

from latentsteps.checks import gmm as check

EXERCISE = "03_gmm.ipynb"
LIVE, REPLAY, WRONG_K = 0, 1, 2


def test_the_blank_runs_to_its_end_and_every_check_says_so_twice(unit):
    assert unit.errors() == []
    assert unit.outcomes() == ["not-attempted"] * len(check.__all__)
    assert unit.steppers() == 3
    assert unit.checks_again() == []


def test_the_books_start_is_stepped_in_halves(unit):
    stepper = unit.stepper(LIVE)
    stepper.walk(
        "State 0: objective −8471.1; weights 0.5 and 0.5, 130 and 142 points",
        "State 1: after an M half",
    )


def test_the_other_view_draws_the_same_state_anew(unit):
    stepper = unit.stepper(LIVE)
    stepper.wait_for("State 0:")
    objective = stepper.picture()
    stepper.choose("view", "distance to the end")
    stepper.wait_for_another(objective)
    stepper.wait_for("State 0: objective −8471.1")
    stepper.choose("view", "objective")


def test_a_plateau_a_spike_and_a_prior_are_choices_of_the_start(unit):
    stepper = unit.stepper(LIVE)
    stepper.choose("start", "nearly one mean")
    stepper.wait_for("State 0: objective −543.99")
    for t in (1, 2, 3, 4):
        stepper.click("step")
        stepper.wait_for(f"State {t}: after an")
    stepper.wait_for("scikit-learn's default stops at state 4.")
    stepper.choose("start", "a spike")
    stepper.wait_for("A component is a spike")
    stepper.choose("start", "the linked demo's (MAP)")
    # The objective holds the prior as well.
    stepper.wait_for("State 0: objective −4927.6")


def test_random_points_change_with_the_seed(unit):
    stepper = unit.stepper(LIVE)
    stepper.choose("start", "random points")
    stepper.wait_for("Seed 0.", part="status")
    first = stepper.picture()
    stepper.click("restart")
    stepper.wait_for("Seed 1.", part="status")
    assert stepper.picture() != first


def test_the_reference_plays_where_nothing_was_written(unit):
    stepper = unit.stepper(REPLAY)
    stepper.wait_for("reference: State 0: objective −8471.1")
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("reference: State 1: after an M half")
    assert stepper.picture() != first
    assert "yours" not in stepper.text()


def test_needles_on_ties_are_cured_by_the_prior(unit):
    stepper = unit.stepper(WRONG_K)
    stepper.wait_for("State 0: objective")
    stepper.choose("start", "on ties")
    stepper.wait_for("4 are spikes: smallest spread")
    stepper.choose("prior", "the linked demo's")
    stepper.wait_for("4 are spikes")  # the start is the same
    for t in range(1, 6):
        stepper.click("step")
        stepper.wait_for(f"State {t}:")
    assert "spike" not in stepper.text()
    stepper.choose("k", "1")
    stepper.wait_for("1 component.")
