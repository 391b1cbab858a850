"""The stepper's engine: which state is shown, which is wanted, and the way from one to the other.

In JupyterLab a click does not arrive where cells run. Messages of widgets come in on a thread of
their own (a kernel "subshell", ipykernel 7), in other front ends on the main one. So a click only
writes down what is *wanted* and wakes the kernel's event loop; the work is done there, a step or a
drawing at a time, with the loop free in between. That gives all of:

- clicks are counted while a step runs: none is lost, none counts twice, and pictures that are
  already out of date are not drawn;
- pause is heard while a slow algorithm plays;
- steps run on the main thread, where *Interrupt kernel* can reach them.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from latentsteps.stepper.frames import Lanes
from latentsteps.trace import Trace

PATIENCE = 0.3
"""Seconds that a step may take before the status line says that it is being worked on."""
REFRESH = 0.25
"""Seconds between two pictures while playing, and on the way through many wanted states."""
LONGEST = 500
"""States that one press of play may take."""


class Player:
    """Steps traces on request and says when there is something to show.

    Parameters
    ----------
    begin: makes the traces from a seed. Called again at each restart.
    live: whether states beyond the last one can be computed.
    show: called with a state's number when it is to be drawn.
    say: called with words for the status line. From any thread.
    seed: the first seed.
    """

    def __init__(
        self,
        begin: Callable[[int], Lanes],
        live: bool,
        show: Callable[[int], None],
        say: Callable[[str], None],
        seed: int = 0,
    ) -> None:
        self.lanes: Lanes = {}
        self.live = live
        self.seed = seed
        self.wanted = 0
        self.shown = -1
        self.playing = False
        self.trouble = ""
        """What went wrong last, in words; empty if the last thing went well."""
        self._begin, self._show, self._say = begin, show, say
        self._restart = False
        self._stale = False
        self._awake = False
        self._drawn_at = 0.0
        self._play_until = 0
        self._lock = threading.RLock()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            # A plain script or a test: each request is carried out before it returns.
            self._loop = None

    def __len__(self) -> int:
        """How many states there are: of finished traces counted in the longest lane, of live ones
        those that every lane has got to."""
        lengths = [len(trace) for trace in self.lanes.values()]
        return (min if self.live else max)(lengths, default=0)

    def start(self) -> None:
        """Make the traces and show state 0, at once. An interrupt here stops the cell, as usual."""
        try:
            self.lanes = self._begin(self.seed)
        except (Exception, SystemExit) as error:  # a learner's own function may raise anything
            self._failed("the start", error)
        self._draw()

    def step(self) -> None:
        """Want one state further."""
        with self._lock:
            self._want(self.wanted + 1)
        self._wake()

    def back(self) -> None:
        """Want one state back."""
        with self._lock:
            self.playing = False
            self._want(self.wanted - 1)
        self._wake()

    def go(self, state: int) -> None:
        """Want that state."""
        with self._lock:
            self.playing = False
            self._want(state)
        self._wake()

    def play(self, playing: bool) -> None:
        """Play, or pause; a pause is heard before the next step."""
        with self._lock:
            self.playing = playing
            self._play_until = self.wanted + LONGEST
            if playing:
                at_end = not self.live and self.wanted >= len(self) - 1
                self._want(0 if at_end else self.wanted + 1)
            else:
                # What play wanted and has not got yet is not wanted any more.
                self.wanted = min(self.wanted, max(len(self) - 1, 0))
                self._stale = True
        self._wake()

    def restart(self, seed: int | None = None) -> None:
        """Begin again, with another seed if one is given."""
        with self._lock:
            self.seed = self.seed if seed is None else seed
            self.playing = False
            self._restart = True
        self._wake()

    def redraw(self) -> None:
        """Show the present state again: something drawn on it has changed."""
        with self._lock:
            self._stale = True
        self._wake()

    def _want(self, state: int) -> None:
        last = len(self) - 1
        self.wanted = max(0, state if self.live else min(state, last))
        self.trouble = ""
        # Even where the state stays, the words beside it may not.
        self._stale = True
        if not self.lanes:
            # The start failed: there is nothing to step from.
            self.wanted, self._restart = 0, True

    def _wake(self) -> None:
        with self._lock:
            if self._awake:
                return
            self._awake = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._turn)
        else:
            while self._awake:
                self._turn()

    def _turn(self) -> None:
        """Do one thing, then let the event loop take messages in, then the next."""
        with self._lock:
            restart, self._restart = self._restart, False
            target = self.wanted
        if restart:
            self._try_restart()
        elif self.lanes and target > len(self) - 1:
            self._advance()
            behind = time.monotonic() - self._drawn_at > REFRESH
            if self.wanted > len(self) - 1 and behind:
                self._draw()
        elif self._to_draw():
            self._draw()
        with self._lock:
            more = self._restart or self._to_draw()
            self._awake = more
            if not more and self.playing:
                self._settle()
        if self._loop is not None and not self._loop.is_closed():
            if more:
                self._loop.call_soon(self._turn)
            elif self.playing:
                wait = self._drawn_at + REFRESH - time.monotonic()
                self._loop.call_later(max(0.01, wait), self._tick, self.wanted)

    def _to_draw(self) -> bool:
        return self._stale or (bool(self.lanes) and self.wanted != self.shown)

    def _tick(self, state: int) -> None:
        with self._lock:
            # A click in between has set another course, with a tick of its own.
            if not self.playing or self.wanted != state or self._awake:
                return
            self._want(state + 1)
        self._wake()

    def _settle(self) -> None:
        """Stop playing where there is nothing more to see, or nobody seems to be looking."""
        last = len(self) - 1
        if not self.live:
            self.playing = self.wanted < last
        elif self.wanted == last >= 3 and all(map(_stands_still, self.lanes.values())):
            self.playing = False
            self.trouble = "The last 3 steps did not change the objective: paused."
        if self.wanted >= self._play_until:
            # A stepper whose cell was run again plays on unseen: the front end does not tell.
            self.playing = False
            self.trouble = f"Paused after {LONGEST} states; press Play to go on."
        if not self.playing:
            self._stale = True
            self._awake = True
            if self._loop is not None:
                self._loop.call_soon(self._turn)

    def _try_restart(self) -> None:
        with self._guard("the start"):
            lanes = self._begin(self.seed)
            with self._lock:
                self.lanes = lanes
                self.wanted, self.shown, self.playing, self.trouble = 0, -1, False, ""

    def _advance(self) -> None:
        number = len(self)
        with self._guard(f"state {number}"):
            for trace in self.lanes.values():
                # After a step that raised in another lane, one may have this state already.
                if len(trace) <= number:
                    trace.advance()
            self.trouble = ""

    def _draw(self) -> None:
        with self._lock:
            state = min(self.wanted, len(self) - 1)
            self._stale = False
        try:
            with _interruptible():
                self._show(state)
        except KeyboardInterrupt:
            self.playing = False
            self.trouble = f"Interrupted while drawing state {state}."
            self._say(self.trouble)
        except Exception as error:  # as above; without this the stepper would fall silent
            self.playing = False
            self._say(f"State {state} could not be shown. {plain(error)}")
        self.shown = state
        self._drawn_at = time.monotonic()

    @contextmanager
    def _guard(self, what: str) -> Iterator[None]:
        """Run what may take long, be interrupted or raise, and say so in plain words."""
        first = len(self) <= 1
        hint = "; a first step may take seconds to compile" if first else ""
        done = False

        def say_working() -> None:
            with self._lock:
                if not done:
                    self._say(f"Working on {what} …{hint}.")

        timer = threading.Timer(PATIENCE, say_working)
        timer.daemon = True
        try:
            with _interruptible():
                timer.start()
                yield
        except KeyboardInterrupt:
            self._stop(f"Interrupted while working on {what}.", "Press Step to go on.")
        except (Exception, SystemExit) as error:  # out of the event loop it would end the kernel
            self._failed(what, error)
        finally:
            with self._lock:
                done = True
            timer.cancel()

    def _failed(self, what: str, error: BaseException) -> None:
        self._stop(
            f"{what[0].upper()}{what[1:]} could not be computed. {plain(error)}",
            "Mend the function, run its cell and its check again, then press Restart.",
        )

    def _stop(self, happened: str, hint: str) -> None:
        last = len(self) - 1
        kept = {-1: "", 0: " State 0 is kept."}.get(last, f" States 0 to {last} are kept.")
        with self._lock:
            self.playing = False
            self.wanted = max(last, 0)
            self._stale = True
            self.trouble = f"{happened}{kept} {hint}"


def _stands_still(trace: Trace) -> bool:
    """Whether the last three steps left an objective alone that ought to move one way."""
    moved = len(set(trace.objective[-4:].tolist())) > 1
    return not moved and trace.algorithm.direction != "none"


def plain(error: BaseException) -> str:
    """An exception's type and message, on one line; a learner's own may not even have one."""
    try:
        words = " ".join(str(error).split())
    except Exception:
        words = "its message cannot be shown."
    return f"{type(error).__name__}: {words}" if words else f"{type(error).__name__}."


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let *Interrupt kernel* raise KeyboardInterrupt here: between cells a kernel ignores it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
