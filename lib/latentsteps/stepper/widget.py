"""Stepper: the player, its frames and its panel put together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from matplotlib.transforms import IdentityTransform

from latentsteps.stepper.frames import Frame, Lanes, break_words, filmstrip, notice, render
from latentsteps.stepper.panel import Panel
from latentsteps.stepper.player import Player, plain
from latentsteps.trace import Algorithm, Data, Trace
from latentsteps.views.style import View

CACHE = 64_000_000
"""Bytes of drawn frames that are kept."""
CLICKED = "clicked points"
VIEW = "view"
"""The control that appears where there is more than one way to look at a state."""


class Stepper:
    """Step an algorithm by hand: forwards, backwards, played, with other settings and seeds.

    What it shows is a :class:`latentsteps.trace.Trace`, taken further by the very step that
    :func:`latentsteps.trace.run` takes. As a cell's last line it shows itself.

    Parameters
    ----------
    make: ``make(**settings) -> Algorithm``, one setting for each control. Or a dict from name to
        Algorithm: they step together, with the same keys, and are shown side by side.
    data: what the algorithm is run on, handed on as it is.
    view: anything with ``draw(figure, moment)`` and ``describe(moment) -> str``; a module of
        :mod:`latentsteps.views` for one. Or a dict from label to such views: a control ``view``
        then says through which one to look, and changing it computes nothing again.
    seed: the first run's seed. Each restart takes the next one.
    controls: name to choices, a list of values or a dict from label to value; the first is what
        it starts with. Choosing another begins again, with the same seed. ``view`` is no name for
        one: ValueError.
    clicks: how many clicks on the picture make a start, or the name of the control that says so.
        The points, (clicks, 2) in the data's coordinates, go to ``make`` as ``start``; a control
        ``start`` with prepared ones must be there too, for those who use the keyboard.
    filmstrip: the states in the picture that stands in for the widget where no kernel runs.
    """

    def __init__(
        self,
        make: Callable[..., Algorithm | Mapping[str, Algorithm]],
        data: Data,
        view: Any,
        seed: int = 0,
        controls: Mapping[str, Sequence[Any] | Mapping[str, Any]] | None = None,
        *,
        clicks: int | str = 0,
        filmstrip: Sequence[int] = (0, 2, 10),
    ) -> None:
        self._choices = {name: _labelled(name, given) for name, given in (controls or {}).items()}
        self.settings = {name: next(iter(c.values())) for name, c in self._choices.items()}
        if clicks and "start" not in self._choices:
            raise ValueError(
                "clicks needs a control named 'start' with prepared starts: without one, "
                "nobody could choose a start by keyboard"
            )

        def begin(seed: int) -> Lanes:
            made = make(**self.settings)
            algorithms = made if isinstance(made, Mapping) else {"": made}
            if not algorithms:
                raise ValueError("there is no algorithm to step; make() gave an empty dict")
            return {name: Trace(algorithm, data, seed) for name, algorithm in algorithms.items()}

        if VIEW in self._choices:
            raise ValueError(f"{VIEW!r} is no control: give several views as a dict instead")
        self._build(begin, view, seed, live=True, clicks=clicks, states=filmstrip)

    @classmethod
    def replay(cls, traces: Trace | Mapping[str, Trace], view: Any) -> Stepper:
        """Go through one finished trace, or through several side by side, named by a dict.
        ``view`` is one view or a dict of them, as above.

        The first state at which an objective went the wrong way is marked in the picture and said
        in words.
        """
        lanes = {"": traces} if isinstance(traces, Trace) else dict(traces)
        if not lanes:
            raise ValueError("there is no trace to replay; give one, or a dict from name to trace")
        breaks = [broken for trace in lanes.values() if (broken := trace.first_break()) is not None]
        last = max(len(trace) for trace in lanes.values()) - 1
        self = cls.__new__(cls)
        self._choices, self.settings = {}, {}
        states = [0, min(breaks, default=last)] if last else [0]
        self._build(lambda seed: lanes, view, 0, live=False, clicks=0, states=states)
        return self

    def _build(
        self,
        begin: Callable[[int], Lanes],
        view: Any,
        seed: int,
        *,
        live: bool,
        clicks: int | str,
        states: Sequence[int],
    ) -> None:
        views = _labelled("view", view) if isinstance(view, Mapping) else {"": view}
        self._views = {label: _as_view(given) for label, given in views.items()}
        self._looking = next(iter(self._views))
        self._begin, self._seed, self._states, self._clicks = begin, seed, states, clicks
        self._frames: dict[tuple[str, int], Frame] = {}
        self._points: list[tuple[float, float]] = []
        self._slider_set = 0
        labels = {name: list(choices) for name, choices in self._choices.items()}
        if len(self._views) > 1:
            labels[VIEW] = list(self._views)
        self.panel = Panel(labels, live, bool(clicks))
        self.player = Player(self._fresh, live, self._show, self.panel.say, seed)
        self._wire()
        self.player.start()
        self._text = "\n".join(
            line for lane in self.player.lanes.items() for line in self._fixed_words(*lane)
        )
        if not self._text:
            self._text = f"A stepper that could not start. {self.player.trouble}"

    @property
    def _first_view(self) -> View:
        """What stands in for the widget is seen through this one, whatever was chosen since."""
        return next(iter(self._views.values()))

    @property
    def trace(self) -> Trace:
        """The trace that is shown; the first one where several are."""
        return next(iter(self.player.lanes.values()))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The widget where a kernel runs, a picture and fixed words where none does.

        While solutions are built (``LATENTSTEPS_STATIC``) the picture is a filmstrip, and there is
        no widget that a reader without a kernel would miss.
        """
        bundle: dict[str, Any] = {"text/plain": self._text}
        if not os.environ.get("LATENTSTEPS_STATIC"):
            bundle["image/png"] = self._frame(self.player.shown).png
            widget = self.panel.box._repr_mimebundle_()
            del widget["text/plain"]
            return bundle | widget
        bundle["image/png"] = self._filmstrip()
        return bundle

    def _filmstrip(self) -> bytes:
        """States of a run of its own, as far as it gets: the picture stands in for the widget."""
        try:
            lanes = self._begin(self._seed)
            if self.player.live:
                _run_on(lanes, max(self._states))
            longest = max(len(trace) for trace in lanes.values())
            return filmstrip(
                lanes, self._first_view, [s for s in self._states if s < longest] or [0]
            )
        except Exception as error:  # a learner's own function may raise anything at all
            return notice("There is no picture of this stepper", plain(error))

    def _wire(self) -> None:
        panel, player = self.panel, self.player
        panel.back.on_click(lambda _: player.back())
        panel.step.on_click(lambda _: player.step())
        panel.play.on_click(lambda _: self._toggle())
        panel.restart.on_click(lambda _: self._restart())
        panel.slider.observe(self._slide, "value")
        for name, dropdown in panel.controls.items():
            act = self._look if name == VIEW else partial(self._choose, name)
            dropdown.observe(lambda change, act=act: act(change.new), "value")
        if self._clicks:
            from ipyevents import Event

            self._events = Event(source=panel.image, watched_events=["click"])
            self._events.on_dom_event(self._click)

    def _toggle(self) -> None:
        self.player.play(not self.player.playing)
        self._name_play()

    def _restart(self) -> None:
        self._points = []
        self.player.restart(self.player.seed + 1)

    def _slide(self, change: Any) -> None:
        # The slider also moves because a state was shown: that is no request.
        if change.new != self._slider_set:
            self.player.go(change.new)

    def _look(self, place: int | None) -> None:
        if place is None:
            return
        self._looking = list(self._views)[place]
        self._points = []  # they are places in the other picture
        self.player.redraw()

    def _choose(self, name: str, place: int | None) -> None:
        if place is None:
            return
        self.settings[name] = list(self._choices[name].values())[place]
        self._points = []
        if name == self._clicks and self._choices["start"].pop(CLICKED, None) is not None:
            # Clicked points are as many as were needed before: back to a prepared start.
            chosen = self.panel.controls["start"].value
            self._offer_starts(chosen if chosen < len(self._choices["start"]) else 0)
        self.player.restart()

    def _offer_starts(self, place: int) -> None:
        """Fill the control ``start`` anew, and choose one of its starts."""
        dropdown = self.panel.controls["start"]
        starts = self._choices["start"]
        with dropdown.hold_sync():
            dropdown.options = [(label, i) for i, label in enumerate(starts)]
            dropdown.value = place
        # New options choose the first by themselves, and the same place again says nothing.
        self.settings["start"] = list(starts.values())[place]

    def _click(self, event: Mapping[str, Any]) -> None:
        frame = self._frames.get((self._looking, self.player.shown))
        if frame is None:
            return
        row = frame.height - float(event["dataY"])
        x, y = frame.to_data.transform((float(event["dataX"]), row))
        needed = self._needed()
        self._points.append((float(x), float(y)))
        if len(self._points) < needed:
            self.player.redraw()
            return
        starts = self._choices["start"]
        starts[CLICKED] = np.array(self._points)
        self._points = []
        self._offer_starts(len(starts) - 1)
        self.player.restart()

    def _needed(self) -> int:
        given = self.settings[self._clicks] if isinstance(self._clicks, str) else self._clicks
        return int(given)

    def _fresh(self, seed: int) -> Lanes:
        lanes = self._begin(seed)
        self._frames = {}
        return lanes

    def _show(self, state: int) -> None:
        frame = self._frame(state)
        self.panel.image.value = frame.png
        self.panel.describe(frame.text)
        last = len(self.player) - 1
        # Where the wanted state is not there yet the slider stands at the last one.
        self._slider_set = max(0, min(self.player.wanted, last))
        slider = self.panel.slider
        slider.max = max(1, last, slider.max)
        slider.value = self._slider_set
        # Only now may it shrink: below its value it would move that, as if somebody had asked.
        slider.max = max(1, last)
        self._name_play()
        self.panel.say(*self._status(state))

    def _name_play(self) -> None:
        playing = self.player.playing
        self.panel.play.description = "Pause" if playing else "Play"
        self.panel.play.icon = "pause" if playing else "play"

    def _status(self, state: int) -> tuple[str, bool]:
        player = self.player
        if player.trouble:
            return player.trouble, True
        if self._points:
            left = self._needed() - len(self._points)
            return f"{len(self._points)} of {self._needed()} points set; click {left} more.", False
        broken = [
            f"{name}, {words}" if name else words
            for name, trace in player.lanes.items()
            if (words := break_words(trace)) and (trace.first_break() or 0) <= state
        ]
        if broken:
            return f"Broken: {'; '.join(broken)}.", True
        last = len(player) - 1
        seed = f" Seed {self.trace.seed}." if player.live else ""
        if player.playing:
            return f"Playing: state {state}.{seed}", False
        needed = self._needed() if self._clicks else 0
        points = "1 point" if needed == 1 else f"{needed} points"
        invite = f" To choose a start, click {points} in the picture." if needed else ""
        return f"At state {state} of {last}.{seed}{invite}", False

    def _frame(self, state: int) -> Frame:
        if state < 0 or not self.player.lanes:
            return self._notice("There is no state to show yet", self.player.trouble)
        # Another view, or a restart, may come in while this is being drawn.
        looking, frames = self._looking, self._frames
        if self._points:
            return self._draw(state, looking)
        if (looking, state) not in frames:
            frame = self._draw(state, looking)
            frames[looking, state] = frame
            while sum(len(kept.png) for kept in frames.values()) > CACHE and len(frames) > 1:
                del frames[next(iter(frames))]
        return frames[looking, state]

    def _draw(self, state: int, looking: str) -> Frame:
        marks = np.array(self._points) if self._points else None
        try:
            return render(self.player.lanes, self._views[looking], state, marks)
        except Exception as error:  # what a learner's function returned may not be drawable
            return self._notice(f"State {state} could not be drawn", plain(error))

    def _notice(self, title: str, words: str) -> Frame:
        return Frame(notice(title, words), f"{title}. {words}", 1, IdentityTransform())

    def _fixed_words(self, name: str, trace: Trace) -> tuple[str, str]:
        """What is the same wherever it is computed: the algorithm's name, and the first state."""
        title = f"{name}: {trace.algorithm.name}" if name else trace.algorithm.name
        try:
            return title, self._first_view.describe(trace.at(0))
        except Exception as error:  # as above
            return title, f"State 0 could not be described. {plain(error)}"


def _run_on(lanes: Lanes, last: int) -> None:
    """Step to state ``last``, or to the last one before a step that raises."""
    with suppress(Exception):
        for trace in lanes.values():
            while len(trace) <= last:
                trace.advance()


def _as_view(given: Any) -> View:
    """A view out of anything with the two functions, a module say; and what else it has."""
    if isinstance(given, View):
        return given
    more = {name: getattr(given, name) for name in ("size", "paint") if hasattr(given, name)}
    return View(given.draw, given.describe, **more)


def _labelled(name: str, given: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    choices = dict(given) if isinstance(given, Mapping) else {str(value): value for value in given}
    if not choices:
        raise ValueError(f"control {name!r} has no choices; give a list of values")
    return choices
