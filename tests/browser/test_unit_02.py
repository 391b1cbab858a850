"""Unit 02 as a learner meets it: blank, run from top to bottom, its steppers under the mouse."""

from __future__ import annotations

from playwright.sync_api import expect

EXERCISE = "02_em_derivation.ipynb"
LIVE, YOURS, REPLAY = 0, 1, 2


RUN = """async ([holding, source]) => {
    const app = window.jupyterapp;
    const notebook = app.shell.currentWidget.content;
    const cells = [...notebook.model.cells];
    const place = cells.findIndex(cell => cell.sharedModel.source.includes(holding));
    if (source) cells[place].sharedModel.setSource(source);
    notebook.activeCellIndex = place;
    notebook.deselectAll();
    await app.commands.execute('notebook:run-cell');
}"""


def submit(unit, body):
    """Write exercise 2.6 into its cell, run it, and run its check."""
    unit.page.evaluate(RUN, ["def update_weights(q)", f"def update_weights(q):\n    {body}"])
    unit.page.evaluate(RUN, ["check.update_weights(update_weights)", ""])
    unit.wait_idle()


def test_the_blank_runs_to_its_end_and_every_check_says_so_twice(unit):
    assert unit.errors() == []
    assert unit.outcomes() == ["not-attempted"] * 13
    assert unit.steppers() == 3
    assert unit.checks_again() == []


def test_em_is_stepped_forwards_and_back(unit):
    stepper = unit.stepper(LIVE)
    stepper.walk(
        "State 0: after the E step, log-likelihood −444.6, F −444.6, gap 0",
        "State 1: after the M step, log-likelihood −413.6, F −415.8, gap 2.2",
    )


def test_another_view_shows_the_same_state(unit):
    stepper = unit.stepper(LIVE)
    stepper.click("step")
    stepper.wait_for("State 1: after the M step")
    before = stepper.picture()
    stepper.choose("view", "along σ²₂")
    stepper.wait_for("Along σ²₂, now")
    assert "State 1: after the M step" in stepper.text()
    assert stepper.picture() != before
    stepper.choose("view", "path over a₁, a₂")
    stepper.wait_for("The way has come to a₁ = 2.79 and a₂ = 3.96")
    stepper.choose("learn", "means")
    stepper.wait_for("State 0: after the E step")
    stepper.click("step")
    stepper.wait_for("State 1: after the M step, log-likelihood −419.1")
    stepper.choose("learn", "everything")
    stepper.choose("view", "along a₁")
    stepper.wait_for("State 0: after the E step")


def test_a_spike_is_told_in_words(unit):
    stepper = unit.stepper(LIVE)
    stepper.choose("start", "on one eruption")
    stepper.wait_for("State 0: after the E step, log-likelihood −424.0")
    stepper.click("play")
    stepper.wait_for("has shrunk onto the value 3.6", part="status")
    stepper.choose("start", "apart")
    stepper.wait_for("State 0: after the E step, log-likelihood −444.6")


def test_the_functions_play(unit):
    stepper = unit.stepper(YOURS)
    stepper.wait_for("State 0: after the E step, log-likelihood −444.6")
    first = stepper.picture()
    stepper.choose("start", "both on the long ones")
    stepper.wait_for("State 0: after the E step, log-likelihood −3923")
    stepper.press("step", "Enter")
    stepper.wait_for("State 1: after the M step")
    assert stepper.picture() != first


def test_the_reference_plays_where_nothing_was_written(unit):
    stepper = unit.stepper(REPLAY)
    stepper.wait_for("reference: State 0: after the E step")
    first = stepper.picture()
    stepper.click("step")
    stepper.wait_for("reference: State 1: after the M step")
    assert stepper.picture() != first
    assert "yours" not in stepper.text()
    expect(stepper.part("control-view")).to_be_visible()


def test_after_an_error_a_restart_plays_the_mended_function(unit):
    """The last test, as it writes an answer into the notebook that all of them share."""
    stepper = unit.stepper(YOURS)
    stepper.choose("start", "apart")
    stepper.wait_for("State 0: after the E step, log-likelihood −444.6")

    submit(unit, "raise ValueError('no weights yet')")
    stepper.click("restart")
    stepper.wait_for("At state 0", part="status")
    stepper.click("step")
    stepper.wait_for("no weights yet", part="status")
    assert "press Restart" in stepper.status()

    submit(unit, "return np.array([0.9, 0.1])")  # wrong, and it is what plays
    stepper.click("restart")
    stepper.wait_for("At state 0", part="status")
    stepper.click("step")
    stepper.wait_for("State 1: after the M step")
    assert "log-likelihood −413.6" not in stepper.text()

    submit(unit, "return q.mean(axis=0)")
    stepper.click("restart")
    stepper.wait_for("State 0: after the E step")
    stepper.click("step")
    stepper.wait_for("State 1: after the M step, log-likelihood −413.6, F −415.8, gap 2.2")
