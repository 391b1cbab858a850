"""Unit 08 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

import re

from latentsteps.checks import vade as check

EXERCISE = "08_vade.ipynb"
BOUNDS, LIVE = 0, 1
TRAINING = 60_000
"""Milliseconds that an epoch may take on a busy machine."""


def test_the_blank_runs_to_its_end_and_every_check_says_so_twice(unit):
    assert unit.errors() == []
    assert unit.outcomes() == ["not-attempted"] * len(check.__all__)
    assert unit.steppers() == 2
    assert unit.checks_again() == []


def test_draws_of_one_digit_add_up(unit):
    stepper = unit.stepper(BOUNDS)
    stepper.walk(
        "State 0: −KL of one image in three ways, after 10 draws of z.",
        "State 1: 20 draws of z; −KL published",
    )
    stepper.click("step")
    stepper.wait_for("State 1: 20 draws")
    assert "optimum" in stepper.text()
    assert "summed out" in stepper.text()


def test_another_digit_has_other_values(unit):
    stepper = unit.stepper(BOUNDS)
    stepper.click("step")
    stepper.wait_for("State 2: 30 draws")
    doubtful = stepper.text()
    stepper.choose("start", "a clear one")
    stepper.wait_for("State 0:")
    for t in (1, 2):
        stepper.click("step")
        stepper.wait_for(f"State {t}:")
    assert stepper.text() != doubtful
    stepper.choose("draws", "100")
    stepper.wait_for("after 100 draws of z.")
    stepper.choose("draws", "10")
    stepper.wait_for("after 10 draws of z.")


def test_a_digit_is_chosen_by_a_click(unit):
    stepper = unit.stepper(BOUNDS)
    stepper.wait_for("click 1 point", part="status")
    before = stepper.picture()
    stepper.click_picture(0.3, 0.6)
    stepper.wait_for_another(before)
    stepper.wait_for("State 0:")
    clicked = stepper.part("control-start").locator("select option:checked")
    assert clicked.inner_text().split() == ["clicked", "points"]
    chosen = stepper.picture()
    stepper.choose("start", "far out")  # no click in the middle chooses that one
    stepper.wait_for_another(chosen)


def test_vade_trains_forwards_and_back(unit):
    stepper = unit.stepper(LIVE)
    stepper.wait_for("State 0: 10 clusters in 10 latent dimensions, before joint training.")
    start = stepper.picture()
    stepper.click("step")
    stepper.wait_for("State 1: −ELBO", timeout=TRAINING)
    first, words = stepper.picture(), stepper.text()
    assert first != start
    assert "ccuracy" not in words
    stepper.press("step", "Enter")
    stepper.wait_for("State 2: −ELBO", timeout=TRAINING)
    stepper.press("slider", "ArrowLeft")
    stepper.wait_for("State 1:")
    assert (stepper.picture(), stepper.text()) == (first, words)


def test_the_accuracy_is_told_when_asked_for(unit):
    stepper = unit.stepper(LIVE)
    stepper.press("slider", "ArrowRight")
    stepper.wait_for("State 2:")
    hidden = stepper.picture()
    stepper.choose("view", "with the accuracy")
    stepper.wait_for("of the images shown")
    assert stepper.picture() != hidden
    stepper.choose("view", "pictures only")
    stepper.wait_for(re.compile(r"weights [\d.]+ to [\d.]+\.\s*$"))


def test_another_q_begins_again(unit):
    stepper = unit.stepper(LIVE)
    for way in ("summed out", "published", "optimum"):
        stepper.choose("q", way)
        stepper.wait_for("State 0: 10 clusters")
        stepper.click("step")
        stepper.wait_for("State 1: −ELBO", timeout=TRAINING)
