"""The stepper without a browser: what each request leads to, whatever thread it comes from."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from io import BytesIO
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.transforms import Affine2D
from PIL import Image

from latentsteps.stepper import Stepper
from latentsteps.stepper.frames import break_words, filmstrip, render
from latentsteps.stepper.player import Player
from latentsteps.trace import Algorithm, Trace, run
from latentsteps.views.style import Painting, View, objective, panels


class State(NamedTuple):
    x: np.ndarray


class Info(NamedTuple):
    objective: float


def counting(by=1.0, start=(0.0, 0.0), act=None, stand=None):
    """State t is start + seed + by · t; ``act(t)`` is called in each step."""

    def init(key, data):
        return State(np.array(start) + key[0]), Info(0.0)

    def step(key, state, data):
        if act:
            act(key[1])
        t = key[1] if stand is None else min(key[1], stand)
        return State(state.x + by), Info(float(t))

    return Algorithm(init, step, "counting", "up")


def draw(figure, moment):
    main, side = panels(figure)
    main.plot([moment.state.x[0]], [moment.state.x[1]], "o")
    main.set_xlim(0, 10)
    main.set_ylim(0, 10)
    objective(side, moment)


def describe(moment):
    return f"State {moment.t}: x is {moment.state.x[0]:g}."


VIEW = View(draw, describe)
# For tests that need no picture.
BARE = View(lambda figure, moment: None, describe)


def player(algorithm=None, **rest):
    shown, said = [], []
    made = Player(
        lambda seed: {"": Trace(algorithm or counting(), None, seed)},
        live=True,
        show=shown.append,
        say=said.append,
        **rest,
    )
    made.start()
    return made, shown, said


def stepper(**controls):
    return Stepper(counting, None, BARE, controls=controls)


def text(widget):
    return widget.value.split(">", 1)[1].rsplit("<", 1)[0]


def test_stepping_is_what_run_does():
    live = stepper()
    for _ in range(4):
        live.panel.step.click()
    trace = run(counting(), None, steps=4)
    assert len(live.trace) == len(trace)
    assert all(np.array_equal(a.x, b.x) for a, b in zip(live.trace, trace, strict=True))
    assert "State 4: x is 4." in live.panel.description.value


def test_going_back_and_on_computes_nothing_again():
    taken = []
    live = Stepper(lambda: counting(act=taken.append), None, BARE)
    for name in ("step", "step", "back", "back", "back", "step", "step"):
        getattr(live.panel, name).click()
    assert live.player.shown == 2
    assert taken == [1, 2]


def test_the_slider_goes_over_what_is_there():
    live = stepper()
    for _ in range(5):
        live.panel.step.click()
    assert (live.panel.slider.value, live.panel.slider.max) == (5, 5)
    live.panel.slider.value = 2
    assert live.player.shown == 2
    assert "State 2:" in live.panel.description.value
    assert len(live.trace) == 6
    live.panel.step.click()
    assert live.panel.slider.value == 3


def test_looking_through_another_view_computes_nothing_again():
    taken = []
    views = {"plain": BARE, "loud": View(BARE.draw, lambda moment: f"STATE {moment.t}!")}
    live = Stepper(lambda: counting(act=taken.append), None, views)
    for _ in range(3):
        live.panel.step.click()
    live.panel.back.click()
    live.panel.controls["view"].value = 1
    assert "STATE 2!" in live.panel.description.value
    assert (live.player.shown, len(live.trace), taken) == (2, 4, [1, 2, 3])
    live.panel.step.click()
    assert "STATE 3!" in live.panel.description.value
    live.panel.controls["view"].value = 0
    assert "State 3: x is 3." in live.panel.description.value
    # What stands in for the widget does not depend on what was chosen last.
    live.panel.controls["view"].value = 1
    assert live._repr_mimebundle_()["text/plain"].endswith("State 0: x is 0.")


def test_a_view_chosen_while_a_frame_is_drawn_gets_a_frame_of_its_own():
    waiting = []

    def draw_and_change(figure, moment):
        if waiting:
            waiting.pop()
            thread = threading.Thread(target=lambda: setattr(chosen, "value", 1))
            thread.start()
            thread.join(5)

    views = {
        "plain": View(draw_and_change, describe),
        "loud": View(BARE.draw, lambda moment: f"STATE {moment.t}!"),
    }
    live = Stepper(counting, None, views)
    chosen = live.panel.controls["view"]
    waiting.append(True)
    live.panel.step.click()
    assert not waiting
    live.player.redraw()
    assert "STATE 1!" in live.panel.description.value
    chosen.value = 0
    assert "State 1: x is 1." in live.panel.description.value


def test_another_view_takes_clicks_too():
    starts = {"corner": (0.0, 0.0)}
    made = []

    def make(start):
        made.append(np.array(start))
        return counting(start=start[0] if np.ndim(start) == 2 else start)

    views = {"plain": VIEW, "again": View(draw, describe)}
    live = Stepper(make, None, views, controls={"start": starts}, clicks=2)
    live._click({"dataX": 300, "dataY": 200})
    live.panel.controls["view"].value = 1
    assert "click 2 points" in live.panel.status.value
    live._click({"dataX": 300, "dataY": 200})
    live._click({"dataX": 200, "dataY": 150})
    assert made[-1].shape == (2, 2)


def test_a_finished_trace_has_views_to_choose_too():
    views = {"plain": BARE, "loud": View(BARE.draw, lambda moment: f"STATE {moment.t}!")}
    replayed = Stepper.replay(run(counting(), None, steps=2), views)
    replayed.panel.controls["view"].value = 1
    assert "STATE 0!" in replayed.panel.description.value


def test_one_view_leaves_nothing_to_choose():
    assert "view" not in stepper().panel.controls
    assert "view" not in Stepper(counting, None, {"plain": BARE}).panel.controls
    with pytest.raises(ValueError, match="several views as a dict"):
        stepper(view=[1, 2])
    with pytest.raises(ValueError, match="no choices"):
        Stepper(counting, None, {})


def test_a_view_says_how_large_its_picture_is():
    tall = View(draw, describe, (9.0, 6.0))
    picture = Image.open(BytesIO(Stepper(counting, None, tall).panel.image.value))
    usual = Image.open(BytesIO(Stepper(counting, None, VIEW).panel.image.value))
    assert picture.width == usual.width
    assert picture.height == 1.5 * usual.height


def painted(drawings=None):
    """A view that is a white picture with as many black rows as the state's number."""

    def paint(moment):
        pixels = np.full((60, 200, 3), 255, dtype=np.uint8)
        pixels[: moment.t] = 0
        return Painting(pixels, Affine2D().scale(10 / 200, 10 / 60))

    def drawing(figure, moment):
        if drawings is not None:
            drawings.append(moment.t)
        draw(figure, moment)

    return View(drawing, describe, paint=paint)


def test_a_view_may_give_its_picture_as_pixels():
    drawings = []
    live = Stepper(counting, None, painted(drawings))
    for t in range(3):
        picture = np.asarray(Image.open(BytesIO(live.panel.image.value)))
        assert picture.shape == (60, 200, 3)
        np.testing.assert_array_equal(picture[:, 0, 0] == 0, np.arange(60) < t)
        live.panel.step.click()
    assert "State 3: x is 3." in live.panel.description.value
    assert not drawings


def test_a_module_with_paint_is_a_view_with_paint():
    module = SimpleNamespace(**painted()._asdict())
    live = Stepper(counting, None, module)
    assert Image.open(BytesIO(live.panel.image.value)).size == (200, 60)


def test_clicks_on_pixels_reach_the_data():
    live = Stepper(starting, None, painted(), clicks=1, controls={"start": STARTS})
    live._click({"dataX": 40, "dataY": 60 - 15})
    np.testing.assert_allclose(live.settings["start"], [[2.0, 2.5]])


def test_pixels_stand_for_one_unbroken_trace_alone():
    drawings = []
    view = painted(drawings)
    # Beside another trace, where a step broke, in the strip, and with points clicked it is drawn.
    trace = run(counting(), None, steps=1)
    render({"one": trace, "two": trace}, view, 0)
    assert drawings == [0, 0]
    render({"one": trace}, view, 1)
    assert drawings == [0, 0, 1]
    filmstrip({"": trace}, view, [1])
    assert drawings == [0, 0, 1, 1]
    render({"": trace}, view, 1, np.array([[1.0, 2.0]]))
    assert drawings == [0, 0, 1, 1, 1]
    broken = Algorithm(counting().init, lambda key, state, data: (state, Info(-1.0)), "falls", "up")
    render({"": run(broken, None, steps=1)}, view, 0)
    assert drawings == [0, 0, 1, 1, 1, 0]


def test_restart_takes_the_next_seed_and_a_control_keeps_it():
    live = stepper(by=[1.0, 2.0])
    live.panel.step.click()
    live.panel.restart.click()
    assert "State 0: x is 1." in live.panel.description.value
    live.panel.controls["by"].value = 1
    assert live.settings == {"by": 2.0}
    assert live.trace.seed == 1
    live.panel.step.click()
    assert "State 1: x is 3." in live.panel.description.value


def test_a_control_may_name_its_choices():
    live = stepper(by={"slow": 0.5, "fast": 5.0})
    labels = [label for label, _ in live.panel.controls["by"].options]
    assert labels == ["slow", "fast"]
    assert live.settings == {"by": 0.5}
    with pytest.raises(ValueError, match="'by' has no choices"):
        stepper(by=[])


def raise_at(number):
    def act(t):
        if t == number:
            raise IndexError("index 3 is <out of> bounds\nfor axis 0")

    return act


def test_a_step_that_raises_is_told_and_keeps_the_history():
    live = Stepper(lambda: counting(act=raise_at(2)), None, BARE)
    for _ in range(3):
        live.panel.step.click()
    said = text(live.panel.status)
    assert "State 2 could not be computed. IndexError: index 3 is &lt;out of&gt; bounds" in said
    assert "States 0 to 1 are kept." in said
    assert "press Restart" in said
    assert live.player.shown == 1
    live.panel.back.click()
    assert "could not" not in text(live.panel.status)
    assert live.player.shown == 0


class SpeechlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "words"),
    [(SpeechlessError(), "SpeechlessError: its message cannot be shown."), (SystemExit(3), "3")],
)
def test_exceptions_of_any_kind_are_told_and_the_stepper_lives_on(error, words):
    raising = []

    def act(t):
        if raising:
            raise error

    def make():
        act(0)
        return counting(act=act)

    live = Stepper(make, None, BARE)

    async def scenario():
        live.player._loop = asyncio.get_running_loop()
        raising.append("a step")
        live.panel.step.click()
        await until(lambda: not live.player._awake)
        said = text(live.panel.status)
        assert f"State 1 could not be computed. {type(error).__name__}" in said
        assert words in said
        raising.clear()
        live.panel.step.click()
        await until(lambda: live.player.shown == 1)

    in_loop(scenario)
    raising.append("the start")
    assert words in text(Stepper(make, None, BARE).panel.status)


def test_a_start_that_raises_shows_a_stepper_that_says_so():
    broken = [True]

    def make():
        if broken:
            raise NotImplementedError
        return counting()

    live = Stepper(make, None, BARE)
    assert "The start could not be computed. NotImplementedError." in text(live.panel.status)
    assert live._repr_mimebundle_()["text/plain"].startswith("A stepper that could not start.")
    live.panel.step.click()
    assert "NotImplementedError" in text(live.panel.status)
    broken[0] = "still broken"
    live.panel.restart.click()
    assert "NotImplementedError" in text(live.panel.status)
    broken.clear()
    live.panel.restart.click()
    assert live.player.shown == 0
    live.panel.step.click()
    assert live.player.shown == 1


def test_a_picture_that_raises_is_told_and_stepping_goes_on():
    def bad(figure, moment):
        if moment.t == 1:
            raise TypeError("float() argument must be a number")

    live = Stepper(counting, None, View(bad, describe))
    live.panel.step.click()
    assert "State 1 could not be drawn. TypeError" in live.panel.description.value
    live.panel.step.click()
    assert "State 2: x is 2." in live.panel.description.value


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from(["step", "back"]), st.integers(-2, 12)), min_size=1, max_size=25
    )
)
def test_any_requests_end_where_counting_says(requests):
    made, shown, _ = player()
    place = 0
    for request in requests:
        if request == "step":
            made.step()
            place += 1
        elif request == "back":
            made.back()
            place = max(0, place - 1)
        else:
            made.go(request)
            place = max(0, request)
    assert made.shown == shown[-1] == place
    assert len(made) == max([0, *shown]) + 1


def in_loop(scenario):
    """Run ``scenario(pause)`` where an event loop runs, as in a kernel."""

    async def main():
        await asyncio.wait_for(scenario(), 60)

    # A thread of its own has no loop yet, whatever ran in this one before.
    asyncio.new_event_loop().run_until_complete(main())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def test_a_hundred_clicks_from_another_thread_are_a_hundred_states():
    async def scenario():
        made, shown, _ = player(counting(act=lambda t: time.sleep(0.001)))
        clicks = threading.Thread(target=lambda: [made.step() for _ in range(100)])
        clicks.start()
        await until(lambda: made.shown == 100)
        clicks.join()
        await asyncio.sleep(0.05)
        assert made.shown == 100
        assert len(made) == 101
        # Steps are never left out, pictures are.
        assert len(shown) < 50

    in_loop(scenario)


def test_play_goes_on_until_paused():
    async def scenario():
        made, shown, _ = player()
        made.play(True)
        await until(lambda: made.shown >= 3)
        made.play(False)
        await until(lambda: not made._awake)
        states = len(made)
        await asyncio.sleep(0.6)
        assert len(made) == states
        assert shown[-1] == made.shown <= states - 1

    in_loop(scenario)


def test_play_stops_where_nothing_changes_any_more():
    async def scenario():
        made, _, _ = player(counting(stand=2))
        made.play(True)
        await until(lambda: not made.playing)
        assert "did not change the objective" in made.trouble
        assert made.shown == 5

    in_loop(scenario)


def test_play_pauses_by_itself_some_day(monkeypatch):
    monkeypatch.setattr("latentsteps.stepper.player.LONGEST", 3)
    monkeypatch.setattr("latentsteps.stepper.player.REFRESH", 0.01)

    async def scenario():
        made, _, _ = player()
        made.play(True)
        await until(lambda: not made.playing and not made._awake)
        assert made.shown == 3
        assert made.trouble == "Paused after 3 states; press Play to go on."

    in_loop(scenario)


def test_replay_plays_to_the_end_and_from_the_start_again():
    async def scenario():
        live = Stepper.replay(run(counting(), None, steps=2), BARE)
        live.panel.play.click()
        # The button is named anew by the drawing that comes after the end.
        await until(lambda: live.player.shown == 2 and not live.player._awake)
        assert live.panel.play.description == "Play"
        live.panel.play.click()
        await until(lambda: live.player.shown == 0)
        await until(lambda: not live.player.playing)

    in_loop(scenario)


def test_a_long_step_says_that_it_is_worked_on():
    _, _, said = result = player(counting(act=lambda t: time.sleep(0.5)))
    result[0].step()
    assert said == ["Working on state 1 …; a first step may take seconds to compile."]
    result[0].step()
    assert said[1:] == ["Working on state 2 …."]


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends a process there")
def test_an_interrupt_stops_the_step_and_nothing_else():
    def act(t):
        if t == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)

    # Between cells a kernel ignores interrupts.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        made, shown, _ = player(counting(act=act))
        made.step()
        made.step()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert made.trouble.startswith("Interrupted while working on state 2. States 0 to 1 are kept.")
    assert shown[-1] == 1
    made.back()
    assert shown[-1] == 0
    assert made.trouble == ""


def test_what_is_shown_as_text_is_the_same_live_and_built(monkeypatch):
    live = Stepper(counting, None, VIEW)
    live.panel.step.click()
    running = live._repr_mimebundle_()
    monkeypatch.setenv("LATENTSTEPS_STATIC", "1")
    built = live._repr_mimebundle_()
    assert running["text/plain"] == built["text/plain"] == "counting\nState 0: x is 0."
    assert set(running) - set(built) == {"application/vnd.jupyter.widget-view+json"}
    one = Image.open(BytesIO(running["image/png"])).size
    strip = Image.open(BytesIO(built["image/png"])).size
    assert strip[0] > one[0]
    # The filmstrip's steps are not the reader's.
    assert len(live.trace) == 2


def test_the_filmstrip_ends_where_a_step_raises(monkeypatch):
    monkeypatch.setenv("LATENTSTEPS_STATIC", "1")

    def width(**given):
        live = Stepper(lambda: counting(**given), None, VIEW, filmstrip=(0, 1, 2))
        return Image.open(BytesIO(live._repr_mimebundle_()["image/png"])).width

    assert width(act=raise_at(2)) == pytest.approx(2 / 3 * width())


def test_clicks_on_the_picture_make_a_start():
    live = Stepper(
        counting,
        None,
        VIEW,
        clicks=2,
        controls={"start": {"corner": (0.0, 0.0), "far": (9.0, 9.0)}},
    )
    frame = live._frame(0)
    wanted = np.array([[2.0, 3.0], [8.0, 1.0]])
    for point in wanted:
        x, y = frame.to_data.inverted().transform(point)
        live._click({"dataX": x, "dataY": frame.height - y})
    assert live.settings["start"] == pytest.approx(wanted)
    assert live.player.shown == 0
    assert [label for label, _ in live.panel.controls["start"].options][-1] == "clicked points"
    live.panel.controls["start"].value = 1
    assert live.settings["start"] == (9.0, 9.0)
    with pytest.raises(ValueError, match="by keyboard"):
        Stepper(counting, None, VIEW, clicks=2)


def click(live, *points):
    frame = live._frame(live.player.shown)
    for point in points:
        x, y = frame.to_data.inverted().transform(point)
        live._click({"dataX": x, "dataY": frame.height - y})


def starting(start, k=1):
    return counting(start=np.reshape(start, -1)[:2])


STARTS = {"corner": (0.0, 0.0), "far": (9.0, 9.0)}


@pytest.mark.parametrize("prepared", [0, 1])
def test_clicked_points_win_over_whatever_start_was_chosen_before(prepared):
    live = Stepper(starting, None, VIEW, clicks=1, controls={"start": STARTS})
    control = live.panel.controls["start"]
    control.value = prepared
    for point in ((2.0, 3.0), (8.0, 1.0)):
        click(live, point)
        assert live.settings["start"] == pytest.approx(np.array([point]))
        assert live.trace[0].x == pytest.approx(point)
        assert control.label == "clicked points"
    # They can be chosen again, like any other start.
    control.value = 1
    assert live.trace[0].x == pytest.approx([9.0, 9.0])
    control.value = 2
    assert live.trace[0].x == pytest.approx([8.0, 1.0])


@pytest.mark.parametrize("prepared", [None, 0, 1])
def test_clicked_points_are_gone_when_another_number_is_needed(prepared):
    controls = {"k": [2, 1], "start": STARTS}
    live = Stepper(starting, None, VIEW, clicks="k", controls=controls)
    control = live.panel.controls["start"]
    click(live, (2.0, 3.0), (8.0, 1.0))
    if prepared is not None:
        control.value = prepared
    live.panel.controls["k"].value = 1
    label = ["corner", "far"][prepared or 0]
    assert control.label == label
    assert [words for words, _ in control.options] == ["corner", "far"]
    assert live.settings == {"k": 1, "start": STARTS[label]}
    assert live.trace[0].x == pytest.approx(STARTS[label])


def falling(to, at):
    trace = run(counting(), None, steps=3)
    trace.infos[at] = Info(to)
    return trace


def test_the_first_break_is_said_in_words():
    assert break_words(run(counting(), None, steps=3)) == ""
    assert break_words(falling(-1.5, 2)) == (
        "state 2: the objective fell from 1 to −1.5, it must not fall"
    )
    assert break_words(falling(0.9999999, 2)).startswith(
        "state 2: the objective fell from 1 to 0.9999999"
    )
    assert break_words(falling(np.nan, 1)) == "state 1: the objective is not a number (NaN)"


def test_replay_puts_traces_side_by_side_and_marks_the_break():
    live = Stepper.replay(
        {"yours": falling(-1.5, 2), "reference": run(counting(), None, steps=5)}, VIEW
    )
    assert "Broken" not in text(live.panel.status)
    live.panel.step.click()
    whole = live.panel.image.value
    live.panel.step.click()
    assert text(live.panel.status).startswith("Broken: yours, state 2: the objective fell")
    assert live.panel.image.value != whole
    live.player.go(99)
    assert live.player.shown == 5
    assert "yours (ended): State 3:" in live.panel.description.value
    assert live._text == "yours: counting\nState 0: x is 0.\nreference: counting\nState 0: x is 0."
    with pytest.raises(ValueError, match="no trace"):
        Stepper.replay({}, VIEW)


def two_lanes(act=None, **stands):
    return {"slow": counting(1.0, **stands), "fast": counting(2.0, act=act, **stands)}


def test_several_algorithms_step_live_side_by_side():
    live = Stepper(two_lanes, None, VIEW, seed=3)
    for _ in range(4):
        live.panel.step.click()
    for (name, algorithm), trace in zip(
        two_lanes().items(), live.player.lanes.values(), strict=True
    ):
        alone = run(algorithm, None, 3, steps=4)
        assert [s.x.tolist() for s in trace] == [s.x.tolist() for s in alone], name
    assert "slow: State 4: x is 7." in live.panel.description.value
    assert "fast: State 4: x is 11." in live.panel.description.value
    assert text(live.panel.status) == "At state 4 of 4. Seed 3."
    assert live._text == "slow: counting\nState 0: x is 3.\nfast: counting\nState 0: x is 3."
    with pytest.raises(ValueError, match="no algorithm"):
        Stepper(dict, None, VIEW).player._begin(0)


def test_where_one_of_several_raises_all_stay_together():
    raising = [True]

    def act(t):
        if t == 2 and raising:
            raise IndexError("out of bounds")

    live = Stepper(lambda: two_lanes(act), None, VIEW)
    for _ in range(3):
        live.panel.step.click()
    assert "State 2 could not be computed. IndexError" in text(live.panel.status)
    assert live.player.shown == 1
    raising.clear()
    for _ in range(2):
        live.panel.step.click()
    assert [len(trace) for trace in live.player.lanes.values()] == [4, 4]
    assert "slow: State 3: x is 3." in live.panel.description.value
    assert "fast: State 3: x is 6." in live.panel.description.value


def test_play_goes_on_while_one_of_several_moves():
    async def scenario():
        live = Stepper(lambda: {"a": counting(stand=1), "b": counting(stand=3)}, None, BARE)
        live.player.play(True)
        await until(lambda: not live.player.playing)
        assert "did not change the objective" in live.player.trouble
        assert live.player.shown == 6

    in_loop(scenario)


def test_every_control_has_a_label_and_every_part_a_class():
    live = stepper(by=[1.0, 2.0])
    panel = live.panel
    for button in (panel.back, panel.step, panel.play, panel.restart):
        assert button.description
        assert button.tooltip
    assert panel.slider.description == "State"
    assert panel.controls["by"].description == "by"
    for name in ("back", "step", "play", "restart", "slider", "status", "description"):
        assert f"latentsteps-{name}" in getattr(panel, name)._dom_classes
    assert "latentsteps-frame" in panel.image._dom_classes
    assert "latentsteps-control-by" in panel.controls["by"]._dom_classes
    assert 'aria-live="polite"' in panel.status.value
