"""Unit 07 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

from latentsteps.checks import vae as check

EXERCISE = "07_vae.ipynb"
TRAINING, PLANE, KNOB, SPACES = 0, 1, 2, 3
AN_EPOCH = 120_000
"""Milliseconds that an epoch may take on a busy machine, of three networks at a time too."""


def test_the_blank_runs_to_its_end_and_every_check_says_so_twice(unit):
    assert unit.errors() == []
    assert unit.outcomes() == ["not-attempted"] * len(check.__all__)
    assert unit.steppers() == 4
    assert unit.checks_again() == []


def test_a_network_is_trained_epoch_by_epoch(unit):
    stepper = unit.stepper(TRAINING)
    stepper.walk(
        "State 0: not trained yet; 10 latent dimensions, 4000 images.", "State 1: distortion"
    )
    stepper.click("step")
    stepper.wait_for("of 10 dimensions in use")


def test_another_beta_and_another_size_begin_again(unit):
    stepper = unit.stepper(TRAINING)
    stepper.choose("latent", "2")
    stepper.wait_for("State 0: not trained yet; 2 latent dimensions")
    stepper.click("step")
    stepper.wait_for("of 2 dimensions in use", timeout=AN_EPOCH)
    plain = stepper.picture()
    stepper.choose("beta", "4")
    stepper.wait_for("State 0: not trained yet; 2 latent dimensions")
    stepper.click("step")
    stepper.wait_for("of 2 dimensions in use", timeout=AN_EPOCH)
    assert stepper.picture() != plain


def test_a_knob_is_turned(unit):
    stepper = unit.stepper(KNOB)
    stepper.walk("State 0: of 32 dimensions, number 1 by its KL, at −3.", "State 1: dimension")
    stepper.press("step", "Enter")
    stepper.wait_for("From the reconstruction the picture differs by the ink of")


def test_a_large_beta_leaves_dead_knobs(unit):
    stepper = unit.stepper(KNOB)
    stepper.choose("network", "β = 4")
    stepper.wait_for("State 0: of 20 dimensions, number 1 by its KL")
    stepper.choose("start", "the last")
    stepper.wait_for("State 0: of 20 dimensions, number 20 by its KL")
    stepper.click("step")
    stepper.wait_for("nats, dead), at −2.5.")
    stepper.choose("network", "yours")
    stepper.wait_for("State 0: of 32 dimensions, number 32 by its KL")


def test_a_click_on_a_bar_chooses_its_dimension(unit):
    stepper = unit.stepper(KNOB)
    stepper.choose("start", "the last")
    stepper.wait_for("number 32 by its KL")
    dead = stepper.picture()
    stepper.click_picture(0.2, 0.3)
    stepper.wait_for("State 0: of 32 dimensions, number")
    stepper.wait_for_another(dead)


def test_another_digit_is_another_path(unit):
    stepper = unit.stepper(KNOB)
    before = stepper.picture()
    stepper.choose("digit", "a 0")
    stepper.wait_for_another(before)


def test_three_betas_are_stepped_side_by_side(unit):
    stepper = unit.stepper(PLANE)
    stepper.wait_for("β = ½: State 0: not trained yet.")
    start = stepper.picture()
    stepper.click("step")
    stepper.wait_for("β = 4: State 1: rate", timeout=AN_EPOCH)
    assert "no bound on log p(x)" in stepper.text()
    assert stepper.picture() != start
    stepper.press("slider", "Home")
    stepper.wait_for("State 0: not trained yet.")
    assert stepper.picture() == start


def test_the_same_clusters_in_another_space(unit):
    stepper = unit.stepper(SPACES)
    stepper.walk("State 0: the same 10 clusters of 1000 points in pixels", "State 1: the same 10")
    stepper.press("step", "Enter")
    stepper.wait_for("silhouette")
