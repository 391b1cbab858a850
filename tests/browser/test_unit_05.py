"""Unit 05 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

from latentsteps.checks import mixture_density_network as check

EXERCISE = "05_mixture_density_network.ipynb"
NETWORK, BELL = 0, 1
COMPILING = 180_000
"""Milliseconds that a busy machine may need to compile a network of another size."""


def test_the_blank_runs_to_its_end_and_every_check_says_so_twice(unit):
    assert unit.errors() == []
    assert unit.outcomes() == ["not-attempted"] * len(check.__all__)
    assert unit.steppers() == 2
    assert unit.checks_again() == []


def test_two_starts_are_stepped_side_by_side(unit):
    stepper = unit.stepper(NETWORK)
    stepper.wait_for("from a random start: State 0: 3 components, 300 points.")
    stepper.walk("from the MAP: State 0: 3 components", "from the MAP: State 1: objective")
    stepper.click("step")
    stepper.wait_for("from a random start: State 1: objective")


def test_the_kl_weight_begins_again(unit):
    stepper = unit.stepper(NETWORK)
    stepper.click("step")
    stepper.wait_for("State 2: objective", timeout=COMPILING)
    weighted = stepper.picture()
    stepper.choose("kl_weight", "10")
    stepper.wait_for("State 0: 3 components", timeout=COMPILING)
    for t in (1, 2):
        stepper.click("step")
        stepper.wait_for(f"State {t}: objective", timeout=COMPILING)
    assert stepper.picture() != weighted
    stepper.choose("kl_weight", "1")
    stepper.wait_for("State 0: 3 components", timeout=COMPILING)


def test_one_component_is_another_network(unit):
    stepper = unit.stepper(NETWORK)
    three = stepper.picture()
    stepper.choose("components", "1")
    stepper.wait_for("from the MAP: State 0: 1 component, 300 points.", timeout=COMPILING)
    assert stepper.picture() != three
    stepper.click("step")
    stepper.wait_for("from the MAP: State 1: objective", timeout=COMPILING)
    stepper.choose("components", "3")
    stepper.wait_for("State 0: 3 components", timeout=COMPILING)


def test_a_bell_climbs_a_hill(unit):
    stepper = unit.stepper(BELL)
    stepper.walk(
        "reference: State 0: q has mean −0.5 and standard deviation 1; ELBO −2.74 nats.",
        "reference: State 1: q has mean",
    )
    assert "yours" not in stepper.text()
    stepper.choose("start", "2.0")
    stepper.wait_for("State 0: q has mean 2 and standard deviation 1")
    stepper.choose("draws", "100")
    for t in range(1, 9):
        stepper.click("step")
        stepper.wait_for(f"State {t}: q has mean")
    # With a hundred draws an update it stays on the hill where it began.
    stepper.wait_for("q has mean 2 ")
