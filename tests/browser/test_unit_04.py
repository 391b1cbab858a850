"""Unit 04 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

from latentsteps.checks import bayesian_gmm as check

EXERCISE = "04_bayesian_gmm.ipynb"
LIVE, YOURS, NUTS = 0, 1, 2
COMPILING = 180_000
"""Milliseconds: a sampler is compiled at its first step, on a busy machine for a long time."""


def test_the_blank_runs_to_its_end_and_every_check_says_so_twice(unit):
    assert unit.errors() == []
    assert unit.outcomes() == ["not-attempted"] * len(check.__all__)
    assert unit.steppers() == 3
    assert unit.checks_again() == []


def test_a_ball_rolls_leapfrog_by_leapfrog(unit):
    stepper = unit.stepper(LIVE)
    stepper.walk(
        "State 0: 4 chains on the landscape “banana”, at the start.",
        "State 1: leapfrog 1 of 10; energy error",
    )


def test_a_decision_comes_after_the_last_leapfrog(unit):
    stepper = unit.stepper(LIVE)
    stepper.choose("leapfrogs", "3")
    for t in (1, 2, 3):
        stepper.click("step")
        stepper.wait_for(f"State {t}: leapfrog {t} of 3")
    stepper.click("step")
    stepper.wait_for("moves accepted.")
    assert "allowed" in stepper.text()


def test_metropolis_repeats_a_point_and_r_hat_looks_at_the_draws(unit):
    stepper = unit.stepper(LIVE)
    stepper.choose("target", "two hills")
    stepper.choose("method", "Metropolis")
    stepper.choose("size", "2.5")
    stepper.wait_for("State 0: 4 chains on the landscape “two means”")
    for t in range(1, 7):
        stepper.click("step")
        stepper.wait_for(f"State {t}:")
    stepper.wait_for("stays: its point counts")
    before = stepper.picture()
    stepper.choose("view", "r-hat")
    stepper.wait_for("r-hat by label")
    stepper.wait_for_another(before)
    stepper.choose("view", "path")


def test_a_restart_has_another_seed(unit):
    stepper = unit.stepper(LIVE)
    stepper.click("step")
    seed = stepper.status().split("Seed ")[1].split(".")[0]
    stepper.click("restart")
    stepper.wait_for(f"Seed {int(seed) + 1}.", part="status")
    stepper.wait_for("State 0:")


def test_the_reference_plays_where_nothing_was_written(unit):
    stepper = unit.stepper(YOURS)
    stepper.wait_for("State 0: 2 chains on the landscape “height by 4.1”")
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("State 1: leapfrog 1 of 8")
    assert stepper.picture() != first
    assert "yours" not in stepper.text()
    stepper.choose("method", "Metropolis")
    stepper.wait_for("State 0:")
    stepper.press("step", "Enter")
    stepper.wait_for("State 1: −log density changes by")


def test_nuts_is_stepped_forwards_and_back(unit):
    stepper = unit.stepper(NUTS)
    stepper.wait_for("State 0: where 2 chains with 2 components each will start.")
    start = stepper.picture()
    stepper.click("step")
    stepper.wait_for("State 1: warm-up; leapfrogs", timeout=COMPILING)
    first, words = stepper.picture(), stepper.text()
    assert first != start
    stepper.press("step", "Enter")
    stepper.wait_for("State 2: warm-up;")
    assert stepper.picture() not in (start, first)
    stepper.press("slider", "ArrowLeft")
    stepper.wait_for("State 1:")
    assert (stepper.picture(), stepper.text()) == (first, words)
    stepper.press("slider", "Home")
    stepper.wait_for("State 0:")
    assert stepper.picture() == start


def test_nuts_starts_elsewhere_without_compiling_again(unit):
    stepper = unit.stepper(NUTS)
    before = stepper.picture()
    stepper.choose("start", "uniform")
    stepper.wait_for_another(before)
    stepper.click("step")
    stepper.wait_for("State 1: warm-up; leapfrogs", timeout=COMPILING)


def test_a_needle_is_said_to_be_a_spike(unit):
    stepper = unit.stepper(NUTS)
    stepper.choose("scales", "half-normal")
    stepper.choose("start", "a needle")
    stepper.wait_for("State 0:", timeout=COMPILING)
    stepper.click("step")
    stepper.wait_for("A component is a spike in chain 1", timeout=COMPILING)
