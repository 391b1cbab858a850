"""Unit 01 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from latentsteps.checks import multinomial_mnist as check

EXERCISE = Path(__file__).parents[2] / "exercises" / "01_multinomial_mnist.ipynb"
LIVE, REPLAY, GREY, MENDED = 0, 1, 2, 3


@pytest.fixture(scope="module")
def page(lab):
    page = lab.open(EXERCISE)
    page.run_all()
    yield page
    page.close()


def test_the_blank_runs_to_its_end(page):
    assert page.errors() == []
    boxes = page.page.locator(".latentsteps-check")
    found = [box.get_attribute("data-outcome") for box in boxes.all()]
    assert found == ["not-attempted"] * len(check.__all__)
    assert page.steppers() == 4


def test_the_mixture_is_stepped_forwards_and_back(page):
    stepper = page.stepper(LIVE)
    stepper.wait_for("State 0: 10 templates, all weights 0.1, none empty")
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("State 1: 10 templates, weights")
    moved = stepper.picture()
    assert moved != first
    stepper.press("step", "Enter")
    stepper.wait_for("State 2:")
    assert stepper.picture() not in (first, moved)
    stepper.press("slider", "ArrowLeft")
    stepper.wait_for("State 1:")
    assert stepper.picture() == moved
    stepper.press("slider", "Home")
    stepper.wait_for("State 0:")
    assert stepper.picture() == first
    stepper.click("step")
    stepper.wait_for("State 1:")
    stepper.click("restart")
    stepper.wait_for("State 0:")
    assert stepper.picture() != first


def test_its_controls_begin_again_with_the_new_setting(page):
    stepper = page.stepper(LIVE)
    stepper.choose("assignment", "hard")
    stepper.choose("k", "5")
    stepper.wait_for("State 0: 5 templates")
    from_images = stepper.picture()
    stepper.choose("start", "random labels")
    stepper.wait_for("State 0: 5 templates, weights")
    assert stepper.picture() != from_images
    stepper.click("step")
    stepper.wait_for("State 1: 5 templates")


def test_many_clusters_die(page):
    stepper = page.stepper(LIVE)
    stepper.choose("k", "100")
    stepper.wait_for("State 0: 100 templates")
    for _ in range(8):
        stepper.click("step")
    stepper.wait_for("State 8: 100 templates")
    assert "none empty" not in stepper.text()


def test_the_reference_plays_where_nothing_was_written(page):
    stepper = page.stepper(REPLAY)
    stepper.wait_for("reference: State 0: 10 templates, all weights 0.1")
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("reference: State 1:")
    assert stepper.picture() != first
    assert "yours" not in stepper.text()


def test_grey_pictures_are_stepped(page):
    stepper = page.stepper(GREY)
    stepper.wait_for("State 0: 10 templates")
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("State 1:")
    assert stepper.picture() != first


def test_the_mended_prior_keeps_clusters_alive(page):
    stepper = page.stepper(MENDED)
    for prior, dies in (("toward ½", True), ("toward the mean image", False)):
        stepper.choose("prior", prior)
        stepper.wait_for("State 0: 50 templates, all weights 0.02, none empty")
        for t in range(1, 11):
            stepper.click("step")
            stepper.wait_for(f"State {t}:")
        assert ("none empty" not in stepper.text()) == dies
