"""The stepper under real clicks and real keys, in a real JupyterLab."""

from __future__ import annotations

import re

import nbformat
import pytest

# Toy algorithms, as a learner might write them: functions in a cell.
TOYS = """
import time
from typing import NamedTuple
import numpy as np
from latentsteps.stepper import Stepper
from latentsteps.trace import Algorithm, run
from latentsteps.views.style import View, objective, panels

class State(NamedTuple):
    x: np.ndarray

class Info(NamedTuple):
    objective: float

def halving(rate=0.5, start=(1.0, 1.0), seconds=0.0, fails_at=None, breaks_at=None):
    def info(t, x):
        return Info(float(np.abs(x).sum()) + (5.0 if t == breaks_at else 0.0))
    def init(key, data):
        x = np.array(start, dtype=float) + key[0]
        return State(x), info(0, x)
    def step(key, state, data):
        if key[1] == fails_at:
            raise ValueError("shapes (2,) and (3,) <do> not fit")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        x = state.x * rate
        return State(x), info(key[1], x)
    return Algorithm(init, step, "halving", "down")

def draw(figure, moment):
    main, side = panels(figure)
    main.plot(*np.atleast_2d(moment.state.x).T, "o")
    main.set_xlim(0, 10)
    main.set_ylim(0, 10)
    main.set_title(f"state {moment.t}")
    objective(side, moment)

def describe(moment):
    x = moment.state.x
    return f"State {moment.t}: x is {np.array2string(x, precision=3)}."

view = View(draw, describe)
"""
STEPPERS = """
Stepper(lambda rate: halving(rate), None, view, controls={"rate": [0.5, 0.25]})
---
Stepper(lambda: halving(fails_at=2), None, view)
---
Stepper(lambda: halving(seconds=60), None, view)
---
def clicked(start):
    return halving(start=start)
Stepper(clicked, None, view, clicks=2,
        controls={"start": {"corner": ((1.0, 1.0), (2.0, 2.0)), "far": ((9.0, 9.0), (8.0, 8.0))}})
---
Stepper.replay(
    {"your answer": run(halving(breaks_at=2), None, steps=3),
     "reference": run(halving(), None, steps=5)}, view)
"""
PLAIN, RAISING, SLOW, CLICKED, REPLAY = range(5)


@pytest.fixture(scope="module")
def page(lab):
    cells = [TOYS, *STEPPERS.split("---")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c.strip()) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    page = lab.open(notebook)
    page.run_all()
    assert page.errors() == []
    assert page.steppers() == 5
    yield page
    page.close()


@pytest.fixture
def stepper(page):
    """The plain one, at state 0 of a fresh run."""
    stepper = page.stepper(PLAIN)
    seed = seed_of(stepper)
    stepper.click("restart")
    stepper.wait_for(f"At state 0 of 0. Seed {seed + 1}.", "status")
    return stepper


def seed_of(stepper):
    return int(stepper.status().split("Seed ")[1].split(".")[0])


def test_step_and_back_change_picture_and_text(stepper):
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("State 1:")
    second = stepper.picture()
    assert second != first
    assert second.startswith(b"\x89PNG")
    stepper.click("back")
    stepper.wait_for("State 0:")
    assert stepper.picture() == first
    stepper.click("back")
    stepper.click("step")
    stepper.wait_for("State 1:")
    assert stepper.picture() == second


def test_everything_is_reached_by_keyboard(stepper):
    stepper.press("step", "Enter")
    stepper.wait_for("State 1:")
    stepper.press("step", "Space")
    stepper.wait_for("State 2:")
    stepper.press("back", "Enter")
    stepper.wait_for("State 1:")
    stepper.press("slider", "ArrowLeft")
    stepper.wait_for("State 0:")
    stepper.press("slider", "ArrowRight")
    stepper.wait_for("State 1:")
    stepper.press("slider", "ArrowRight")
    stepper.wait_for("State 2:")
    stepper.press("restart", "Enter")
    stepper.wait_for("At state 0 of 0.", "status")


def test_tab_goes_through_all_controls_in_order(stepper):
    stepper.part("control-rate").locator("select").focus()
    seen = []
    for _ in range(5):
        stepper.root.page.keyboard.press("Tab")
        seen.append(
            stepper.root.page.evaluate(
                "() => [...(document.activeElement.closest('[class*=latentsteps-]')?.classList "
                "|| [])].find(name => name.startsWith('latentsteps-'))"
            )
        )
    assert seen == [f"latentsteps-{n}" for n in ("back", "step", "play", "restart", "slider")]


def test_play_and_pause(stepper):
    stepper.click("play")
    stepper.wait_for(re.compile(r"State ([2-9]|\d\d+):"))
    assert "Pause" in stepper.part("play").inner_text()
    stepper.click("play")
    stepper.wait_for("At state", "status")
    assert "Play" in stepper.part("play").inner_text()
    paused = stepper.text()
    stepper.root.page.wait_for_timeout(1000)
    assert stepper.text() == paused


def test_restart_takes_the_next_seed(stepper):
    before = stepper.text()
    seed = seed_of(stepper)
    stepper.click("step")
    stepper.click("restart")
    stepper.wait_for(f"Seed {seed + 1}.", "status")
    stepper.wait_for("State 0:")
    assert stepper.text() != before


def test_a_control_begins_again_with_the_new_setting(stepper):
    stepper.click("step")
    stepper.wait_for("State 1:")
    half = stepper.text()
    stepper.choose("rate", "0.25")
    stepper.wait_for("State 0:")
    stepper.click("step")
    stepper.wait_for("State 1:")
    assert stepper.text() != half
    stepper.choose("rate", "0.5")
    stepper.wait_for("State 0:")


def test_a_hundred_quick_clicks_are_a_hundred_states(stepper):
    stepper.part("step").evaluate("button => { for (let i = 0; i < 100; i++) button.click(); }")
    stepper.wait_for("State 100:")
    stepper.wait_for("At state 100 of 100.", "status")
    stepper.root.page.wait_for_timeout(500)
    assert "State 100:" in stepper.text()


def test_a_step_that_raises_is_told_in_plain_words(page):
    stepper = page.stepper(RAISING)
    stepper.click("step")
    stepper.wait_for("State 1:")
    picture = stepper.picture()
    stepper.click("step")
    stepper.wait_for(
        "State 2 could not be computed. ValueError: shapes (2,) and (3,) <do> not fit", "status"
    )
    status = stepper.status()
    assert "States 0 to 1 are kept" in status
    assert "Restart" in status
    assert "Traceback" not in page.page.locator(".jp-Notebook").inner_text()
    assert stepper.picture() == picture
    stepper.click("back")
    stepper.wait_for("State 0:")


def test_interrupting_a_long_step_keeps_the_history(page):
    stepper = page.stepper(SLOW)
    stepper.click("step")
    stepper.wait_for("Working on state 1", "status")
    assert "compile" in stepper.status()
    page.command("notebook:interrupt-kernel")
    stepper.wait_for("Interrupted while working on state 1. State 0 is kept.", "status")
    stepper.click("restart")
    stepper.wait_for("Seed 1.", "status")
    stepper.click("play")
    stepper.wait_for("Working on state 1", "status")
    stepper.click("play")
    stepper.wait_for("Play", "play", timeout=5000)
    page.command("notebook:interrupt-kernel")
    stepper.wait_for("Interrupted while working on state 1", "status")
    assert page.errors() == []


def test_clicked_points_become_the_start(page):
    stepper = page.stepper(CLICKED)
    stepper.wait_for("click 2 points", "status")
    stepper.click_picture(0.2, 0.3)
    stepper.wait_for("1 of 2 points set", "status")
    stepper.click_picture(0.5, 0.7)
    stepper.wait_for("At state 0 of 0.", "status")
    # The main axes: from .72 to 5.01 of 9 inches, and from .42 to 3.48 of 4 from the top.
    numbers = stepper.text().split("[[")[1].replace("]", " ").replace("[", " ").rstrip(". ").split()
    expected = [10 * (x * 9 - 0.72) / 4.77 for x in (0.2, 0.5)]
    assert [float(numbers[0]), float(numbers[2])] == pytest.approx(expected, abs=0.15)
    expected = [10 * (3.48 - y * 4) / 3.06 for y in (0.3, 0.7)]
    assert [float(numbers[1]), float(numbers[3])] == pytest.approx(expected, abs=0.15)
    stepper.choose("start", "far")
    stepper.wait_for("9.", "description")


def test_replay_marks_the_broken_step(page):
    stepper = page.stepper(REPLAY)
    stepper.wait_for("your answer: State 0:")
    stepper.wait_for("reference: State 0:")
    assert "Broken" not in stepper.status()
    stepper.click("step")
    stepper.click("step")
    stepper.wait_for("your answer: State 2:")
    stepper.wait_for(
        "Broken: your answer, state 2: the objective rose from 1 to 5.5, it must not rise.",
        "status",
    )
    stepper.press("slider", "End")
    stepper.wait_for("your answer (ended): State 3:")
    stepper.wait_for("reference: State 5:")
    stepper.click("step")
    stepper.wait_for("reference: State 5:")
