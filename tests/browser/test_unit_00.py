"""Unit 00 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

from playwright.sync_api import expect

EXERCISE = "00_start_here.ipynb"
LIVE, REPLAY = 0, 1


def test_the_blank_runs_to_its_end_and_every_check_says_so_twice(unit):
    assert unit.errors() == []
    assert unit.outcomes() == ["not-attempted", "hint", *["not-attempted"] * 9]
    assert unit.steppers() == 2
    assert unit.checks_again() == []


def test_k_means_is_stepped_forwards_and_back(unit):
    stepper = unit.stepper(LIVE)
    stepper.walk(
        "State 0: 2 clusters of 26 and 246 points",
        "State 1: 2 clusters of 26 and 246 points, the means just moved",
    )


def test_it_plays_until_nothing_changes(unit):
    stepper = unit.stepper(LIVE)
    stepper.click("play")
    stepper.wait_for("paused", part="status")
    stepper.wait_for("2 clusters of 100 and 172 points")


def test_another_number_of_clusters_and_a_start_by_clicks(unit):
    stepper = unit.stepper(LIVE)
    stepper.choose("k", "3")
    stepper.wait_for("State 0: 3 clusters")
    before = stepper.picture()
    # Two means in the upper right cloud, the third below the lower left one.
    for x, y in ((0.40, 0.25), (0.50, 0.30), (0.12, 0.75)):
        stepper.click_picture(x, y)
    start = stepper.part("control-start").locator("option:checked")
    expect(start).to_have_text("clicked points")
    stepper.wait_for("State 0: 3 clusters")
    assert stepper.picture() != before
    # Three clicked points are no start for two clusters.
    stepper.choose("k", "2")
    stepper.wait_for("State 0: 2 clusters of 26 and 246 points")
    expect(start).to_have_text("random points")


def test_the_reference_plays_where_nothing_was_written(unit):
    stepper = unit.stepper(REPLAY)
    stepper.wait_for("reference: State 0: 3 clusters of 161, 32 and 79 points")
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("reference: State 1:")
    assert stepper.picture() != first
    assert "yours" not in stepper.text()
