"""Running a learner's code where it can do no harm.

Code runs in a thread of its own, so that it can be ended: an exception is raised inside that
thread from here (``PyThreadState_SetAsyncExc``), which works in a notebook, outside the main thread
and on Windows, where signals do not. What cannot be ended is code that stays inside one call of
compiled code: it is left behind where that call lets other threads run (a long sleep, a huge matrix
product), and the message says so; where it does not (``sum(range(10**12))``), everything waits for
it. This is protection from accidents, not from attacks.

Everything that touches a learner's value happens in that thread too, until :func:`convert` has
turned it into plain NumPy arrays, numbers, strings, tuples and dictionaries.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import ctypes
import functools
import io
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

import numpy as np

from latentsteps.checks.display import text_of
from latentsteps.checks.explaining import explain
from latentsteps.checks.reading import (
    Unlike,
    convert,
    differs,
    in_numpy,
    in_torch,
    not_tensors,
)

GRACE = 1.0
"""Seconds that code gets to end after it has been told to."""


class Stopped(BaseException):
    """Raised inside a learner's code to end it."""


class Seen(NamedTuple):
    """What one call of a learner's function came to."""

    kind: str
    """``"value"``, ``"nothing"``, ``"unlike"``, ``"raised"`` or ``"late"``."""
    value: Any = None
    """The converted value; for ``"unlike"`` what could be read of it."""
    sentence: str = ""
    where: str = ""
    """For ``"raised"``: the place in the learner's code."""
    exception: str = ""
    blank: bool = False
    """Whether it was a NotImplementedError straight from the learner's own code."""
    changed: tuple[int, ...] = ()
    """Which arguments were changed."""


class Protected:
    """A learner's function under protection.

    Parameters
    ----------
    function: what is called.
    limit: seconds that one call may take. All calls together get four times that.
    tensors: whether it takes and returns torch tensors. Arguments are NumPy arrays all the same.
    """

    def __init__(self, function: Callable[..., Any], limit: float, tensors: bool = False) -> None:
        self.function = function
        self.limit = limit
        self.tensors = tensors
        self.left = 4 * limit
        self.next_case()

    def next_case(self) -> None:
        """Forget what was printed and warned of."""
        self.printed: str | None = None
        """What the first call on the present case printed; of endless output, the beginning."""
        self.warned: list[str] = []
        """NumPy's warnings of all calls on the present case, each once."""

    def see(self, args: tuple, like: Any) -> Seen:
        """Call the function on copies of ``args`` and convert what it returns to ``like``."""

        def work() -> Seen:
            given = in_torch(args) if self.tensors else copy.deepcopy(args)
            try:
                value = self.function(*given)
            except (Exception, SystemExit) as error:
                return raised(error)
            # From here on the learner's code can still run: in methods of what it returned.
            pairs = zip(in_numpy(given) if self.tensors else given, args, strict=True)
            changed = tuple(i for i, pair in enumerate(pairs) if differs(*pair))
            if value is None:
                return Seen("nothing", changed=changed)
            converted = convert(value, like)
            if self.tensors and (words := not_tensors(value)):
                sentence = f"Your function returned {words}."
                return Seen("unlike", sentence=sentence, changed=changed)
            if isinstance(converted, Unlike):
                sentence = f"Your function returned {converted.words}."
                return Seen("unlike", converted.value, sentence, changed=changed)
            return Seen("value", converted, changed=changed)

        return self.guarded(work)

    def guarded(self, work: Callable[[], Seen]) -> Seen:
        """Run ``work`` in the thread that can be ended, everything it may disturb put back."""
        allowed = min(self.limit, self.left)
        result: list[Seen] = []

        def body() -> None:
            try:
                with np.errstate(all="warn", under="ignore"):
                    result.append(work())
            except Stopped:
                raise
            except BaseException as error:  # a learner's code may raise KeyboardInterrupt itself
                result.append(raised(error))

        began, captured = time.monotonic(), _Captured()
        with _undisturbed(captured, self.warned):
            ending = _in_thread(body, allowed)
        self.left -= time.monotonic() - began
        if self.printed is None:
            self.printed = captured.getvalue()
        if ending == "in time":
            return result[0] if result else Seen("raised", sentence="It ended without a result.")
        if allowed < self.limit:
            sentence = f"The calls of your function took more than {4 * self.limit:g} seconds."
        else:
            sentence = f"There was no answer within {self.limit:g} seconds."
        sentence += " Is there a loop that never ends, or one over every entry of a large array?"
        if ending == "not at all":
            sentence += " It could not be stopped: if the notebook is slow now, restart the kernel."
        return Seen("late", sentence=sentence)


def raised(error: BaseException) -> Seen:
    """What a call came to that ended with an exception."""
    exception, sentence, where, blank = explain(error)
    return Seen("raised", None, sentence, where, exception, blank)


class _Captured(io.StringIO):
    """Standard output and error of a learner's code: the beginning of it is kept."""

    def write(self, text: str) -> int:
        if self.tell() < 50_000:
            super().write(text[:50_000])
        return len(text)

    def close(self) -> None:
        """Stay open, whatever a learner's code does to ``sys.stdout``."""


def _refuse_input(*args: object, **kwargs: object) -> NoReturn:
    raise RuntimeError("nobody can answer `input` while a check runs; use the arguments")


@contextlib.contextmanager
def _undisturbed(captured: _Captured, warned: list[str]) -> Iterator[None]:
    """Whatever runs inside, everything global that it may have touched is as before."""
    numpy_random, python_random = np.random.get_state(), random.getstate()
    recursion = sys.getrecursionlimit()
    folder = _folder()
    asked, broke = builtins.input, sys.breakpointhook
    figures = _figures()
    put_torch_back = _seed_torch()
    with (
        contextlib.redirect_stdout(captured),
        contextlib.redirect_stderr(captured),
        warnings.catch_warnings(record=True) as caught,
        np.errstate(),
        np.printoptions(),
    ):
        warnings.simplefilter("always")
        # The same draws at every check, for answers that use the global generators.
        np.random.seed(0)
        random.seed(0)
        builtins.input = _refuse_input
        sys.breakpointhook = lambda *args, **kwargs: None
        try:
            yield
        finally:
            builtins.input, sys.breakpointhook = asked, broke
            np.random.set_state(numpy_random)
            random.setstate(python_random)
            put_torch_back()
            sys.setrecursionlimit(recursion)
            if folder and _folder() != folder:
                os.chdir(folder)
            if opened := _figures() - figures:
                for figure in opened:
                    sys.modules["matplotlib.pyplot"].close(figure)
    for warning in caught:
        text = text_of(warning.message) if isinstance(warning.message, Warning) else ""
        if text and issubclass(warning.category, RuntimeWarning) and text not in warned:
            warned.append(text)


def _seed_torch() -> Callable[[], None]:
    """The same draws from torch's own generator at every check; what puts all of that back."""
    torch = sys.modules.get("torch")
    if torch is None:
        return lambda: None
    state, dtype = torch.get_rng_state(), torch.get_default_dtype()
    torch.default_generator.manual_seed(0)

    def put_back() -> None:
        torch.set_rng_state(state)
        torch.set_default_dtype(dtype)

    return put_back


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


def _figures() -> set[int]:
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot is not None else set()


def _in_thread(body: Callable[[], None], seconds: float) -> str:
    """Run ``body`` in a thread and end it when its time is up, or when this thread is interrupted.

    Says how it ended: ``"in time"``, ``"stopped"`` or ``"not at all"``.
    """
    thread = threading.Thread(target=_last_resort, args=(body,), daemon=True)
    until = time.monotonic() + seconds
    try:
        thread.start()  # waits until the thread runs, so it can be interrupted as well
        # In slices: on Windows a longer wait could not be interrupted.
        while thread.is_alive() and (left := until - time.monotonic()) > 0:
            thread.join(min(left, 0.05))
        in_time = not thread.is_alive()
    finally:
        ended = _end(thread)
    return "in time" if in_time else "stopped" if ended else "not at all"


def _last_resort(body: Callable[[], None]) -> None:
    """What the thread runs: ``body``, and an end without a word when it is told to stop."""
    try:
        try:
            body()
        except Stopped as stop:
            # Not raised again from here on. No call comes before this: it would be in a call.
            stop.__class__.__init__ = BaseException.__init__  # type: ignore[method-assign]  # ours
        for _ in range(100):  # the last one may still be on its way, and arrives in a loop
            pass
    except Stopped:
        return


def _end(thread: threading.Thread) -> bool:
    """Make a thread end by raising :class:`Stopped` in it; False if that did not help."""
    for stop, seconds in ((Stopped, 0.1), (Stopped, 0.1), (_relentless(thread), GRACE)):
        if thread.is_alive():
            _raise_in(thread.ident or 0, stop)
            thread.join(seconds)
    return not thread.is_alive()


def _relentless(thread: threading.Thread) -> type[Stopped]:
    """A :class:`Stopped` for loops with a bare ``except:``, which catches it.

    Whenever one of these is raised, the next one is put on its way, by compiled code alone, so that
    it arrives in the handler or behind it, and not inside the same ``try`` again.
    """
    stop = type("Stopped", (Stopped,), {})
    again = functools.partial(_raise_in, thread.ident or 0, stop)
    stop.__init__ = staticmethod(again)  # type: ignore[misc]  # this one class is ours alone
    return stop


_raise_in = ctypes.PYFUNCTYPE(None, ctypes.c_ulong, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)
"""Raise an exception, given as a class, in the thread of that number, when it next runs Python."""
