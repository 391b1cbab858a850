"""Unit 01 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

from latentsteps.checks import multinomial_mnist as check

EXERCISE = "01_multinomial_mnist.ipynb"
LIVE, REPLAY, GREY, MENDED = 0, 1, 2, 3


def test_the_blank_runs_to_its_end_and_every_check_says_so_twice(unit):
    assert unit.errors() == []
    assert unit.outcomes() == ["not-attempted"] * len(check.__all__)
    assert unit.steppers() == 4
    assert unit.checks_again() == []


def test_the_mixture_is_stepped_forwards_and_back(unit):
    stepper = unit.stepper(LIVE)
    stepper.walk(
        "State 0: 10 templates, all weights 0.1, none empty", "State 1: 10 templates, weights"
    )
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("State 1:")
    stepper.click("restart")
    stepper.wait_for("State 0:")
    assert stepper.picture() != first


def test_its_controls_begin_again_with_the_new_setting(unit):
    stepper = unit.stepper(LIVE)
    stepper.choose("assignment", "hard")
    stepper.choose("k", "5")
    stepper.wait_for("State 0: 5 templates")
    from_images = stepper.picture()
    stepper.choose("start", "random labels")
    stepper.wait_for("State 0: 5 templates, weights")
    assert stepper.picture() != from_images
    stepper.click("step")
    stepper.wait_for("State 1: 5 templates")


def test_many_clusters_die(unit):
    stepper = unit.stepper(LIVE)
    stepper.choose("k", "100")
    stepper.wait_for("State 0: 100 templates")
    for _ in range(8):
        stepper.click("step")
    stepper.wait_for("State 8: 100 templates")
    assert "none empty" not in stepper.text()


def test_the_reference_plays_where_nothing_was_written(unit):
    stepper = unit.stepper(REPLAY)
    stepper.wait_for("reference: State 0: 10 templates, all weights 0.1")
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("reference: State 1:")
    assert stepper.picture() != first
    assert "yours" not in stepper.text()


def test_grey_pictures_are_stepped(unit):
    stepper = unit.stepper(GREY)
    stepper.wait_for("State 0: 10 templates")
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("State 1:")
    assert stepper.picture() != first


def test_the_mended_prior_keeps_clusters_alive(unit):
    stepper = unit.stepper(MENDED)
    for prior, dies in (("toward ½", True), ("toward the mean image", False)):
        stepper.choose("prior", prior)
        stepper.wait_for("State 0: 50 templates, all weights 0.02, none empty")
        for t in range(1, 11):
            stepper.click("step")
            stepper.wait_for(f"State {t}:")
        assert ("none empty" not in stepper.text()) == dies
