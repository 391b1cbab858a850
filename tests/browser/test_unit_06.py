"""Unit 06 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

from latentsteps.checks import bnnc as check
from latentsteps.models.dpmm import expected_occupied
from latentsteps.views.style import number

EXERCISE = "06_bnnc.ipynb"
PRIOR, LIVE = 0, 1
COMPILING = 180_000
"""Milliseconds: a sampler is compiled at its first step, on a busy machine for a long time."""


def test_the_blank_runs_to_its_end_and_every_check_says_so_twice(unit):
    assert unit.errors() == []
    assert unit.outcomes() == ["not-attempted"] * len(check.__all__)
    assert unit.steppers() == 2
    assert unit.checks_again() == []


def test_the_prior_is_drawn_and_drawn_again(unit):
    stepper = unit.stepper(PRIOR)
    stepper.walk("State 0: 1 of 11 components occupied by 500 points", "State 1:")
    stepper.press("slider", "Home")
    stepper.wait_for("mean of 1 draw so far")
    stepper.wait_for("expected 1.3. Z = 1.00.")


def test_a_larger_concentration_expects_more(unit):
    stepper = unit.stepper(PRIOR)
    before = stepper.picture()
    stepper.choose("concentration", "½")
    stepper.wait_for(f"expected {number(expected_occupied(0.5, 11, 500))}. Z = 1.00.")
    assert stepper.picture() != before
    stepper.choose("points", "50")
    stepper.wait_for("occupied by 50 points")
    stepper.choose("points", "500")
    stepper.choose("concentration", ".05/11")
    stepper.wait_for("expected 1.3.")


def test_a_gate_at_its_own_component_makes_more_than_one(unit):
    stepper = unit.stepper(PRIOR)
    stepper.choose("concentration", "1/11")
    stepper.wait_for(f"expected {number(expected_occupied(1 / 11, 11, 500))}. Z = 1.00.")
    plain = stepper.picture()
    stepper.choose("gate", "strong, to its own")
    stepper.wait_for("State 0:")
    for _ in range(100):
        if "Z = 1.00." not in stepper.text():
            break
        unit.page.wait_for_timeout(100)
    assert "Z = 1.00." not in stepper.text()
    assert stepper.picture() != plain


def test_a_restart_has_another_seed(unit):
    stepper = unit.stepper(PRIOR)
    stepper.click("step")
    stepper.wait_for("State 1:")
    seed = stepper.status().split("Seed ")[1].split(".")[0]
    stepper.click("restart")
    stepper.wait_for(f"Seed {int(seed) + 1}.", part="status")
    stepper.wait_for("State 0:")


def test_bnnc_is_stepped_forwards_and_back(unit):
    stepper = unit.stepper(LIVE)
    stepper.wait_for("State 0: where 2 chains with 11 components each will start.")
    start = stepper.picture()
    stepper.click("step")
    stepper.wait_for("State 1: warm-up;", timeout=COMPILING)
    first, words = stepper.picture(), stepper.text()
    assert first != start
    assert "Occupied components" in words
    stepper.press("step", "Enter")
    stepper.wait_for("State 2: warm-up;")
    assert stepper.picture() not in (start, first)
    stepper.press("slider", "ArrowLeft")
    stepper.wait_for("State 1:")
    assert (stepper.picture(), stepper.text()) == (first, words)
    stepper.press("slider", "Home")
    stepper.wait_for("State 0:")
    assert stepper.picture() == start


def test_without_a_gate_there_are_no_regions(unit):
    stepper = unit.stepper(LIVE)
    stepper.wait_for("State 0:")
    gated = stepper.picture()
    stepper.choose("gate", "none")
    # The words of both starts are the same; the picture has lost its tints.
    stepper.wait_for_another(gated)
    stepper.click("step")
    stepper.wait_for("State 1: warm-up;", timeout=COMPILING)


def test_a_uniform_start_is_another_picture(unit):
    stepper = unit.stepper(LIVE)
    stepper.press("slider", "Home")
    stepper.wait_for("State 0:")
    before = stepper.picture()
    stepper.choose("start", "uniform")
    stepper.wait_for_another(before)
