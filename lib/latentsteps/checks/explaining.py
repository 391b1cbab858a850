"""Explaining an exception of a learner's code: what, where in their lines, and in plain words."""

from __future__ import annotations

import linecache
import os
import re
import sysconfig
import traceback
from typing import NamedTuple

from latentsteps.checks.display import clean, text_of

ADVICE = (
    # (exception, what its message holds, the same in plain words)
    ("ValueError", r"matmul: .*size (\d+) is different from (\d+)",
     "`A @ B` needs as many columns in A as B has rows; here one is {1} and the other {0}. "
     "A missing .T is the usual reason."),
    ("ValueError", r"shapes (\(.*?\)) and (\(.*?\)) not aligned",
     "This product needs as many columns on the left as there are rows on the right; the shapes "
     "are {0} and {1}. A missing .T is the usual reason."),
    ("ValueError", r"could not broadcast input array from shape (\(.*?\)) into shape (\(.*?\))",
     "Numbers of shape {0} were to be written into a place of shape {1}."),
    ("ValueError", r"operands could not be broadcast together with .*?shapes (.*)",
     "NumPy cannot line up the shapes {0}: counted from the right, two sizes must be equal, or "
     "one of them 1. A missing [:, None], .T or keepdims=True is the usual reason."),
    ("RuntimeError", r"mat1 and mat2 shapes cannot be multiplied \((\d+x\d+) and (\d+x\d+)\)",
     "`A @ B` needs as many columns in A as B has rows; the shapes are {0} and {1}. "
     "A missing .T is the usual reason."),
    ("RuntimeError", r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
     "torch cannot line up the shapes: along one axis one has {0} entries and the other {1}. "
     "A missing [:, None] or keepdim=True is the usual reason."),
    ("ValueError", r"(?:destination|array) is read-only",
     "An array that was handed over cannot be written to. Compute a new one, or take a .copy()."),
    ("ValueError", r"truth value of an array",
     "`if` needs one truth value and was given a whole array: np.where chooses entry by entry, "
     ".any() and .all() make one of many."),
    ("ValueError", r"setting an array element with a sequence",
     "One entry of an array was given several numbers, or lists of different lengths were to "
     "become an array."),
    ("TypeError", r"bitwise_xor|operand type\(s\) for \^",
     "`^` is no power in Python: a square is written `** 2`."),
    ("TypeError", r"missing \d+ required positional argument",
     "A function was called with fewer arguments than it takes."),
    ("TypeError", r"takes .* positional arguments? but",
     "A function was called with more arguments than it takes."),
    ("TypeError", r"object is not callable",
     "Round brackets call a function; square brackets take entries of an array."),
    ("NameError", r"name '(.*?)' is not defined",
     "Python does not know `{0}` here: it is spelled differently, or its cell has not been run."),
    ("UnboundLocalError", r"",
     "A variable is used before the function has given it a value."),
    ("IndexError", r"must be of integer|only integers",
     "Only whole numbers and truth values can be indices."),
    ("IndexError", r"out of bounds", "An index is larger than the last entry's; the first is 0."),
    ("AxisError", r"", "The array has fewer axes than that; the first is axis 0."),
    ("ZeroDivisionError", r"", "A number was divided by zero."),
    ("MemoryError", r"", "It asked for more memory than there is: which array is that large?"),
    ("RecursionError", r"", "The function calls itself without end."),
    ("SystemExit", r"", "`exit` and `quit` end Python itself; a function ends with `return`."),
)  # fmt: skip


class Explained(NamedTuple):
    """An exception as it is told to the learner."""

    exception: str
    sentence: str
    where: str = ""
    """The line of the learner's code, counted from its function's first."""
    blank: bool = False
    """Whether it was a NotImplementedError straight from the learner's own code."""


def explain(error: BaseException) -> Explained:
    """What an exception of a learner's code was, where, and what it means."""
    name, text = clean(type(error).__name__, 60), text_of(error)
    sentence = f"It stopped with {name}" + (f": {text}" if text else "")
    sentence += "" if sentence.endswith((".", "!", "?")) else "."
    for exception, pattern, advice in ADVICE:
        found = re.search(pattern, text) if exception == name else None
        if found:
            sentence += " " + advice.format(*found.groups())
            break
    theirs = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        last = frame, line
        if _is_theirs(frame.f_code.co_filename):
            theirs = last
    if theirs is None:
        return Explained(name, sentence)
    code, line = theirs[0].f_code, theirs[1]
    # Counted from the `def`: a notebook's cells may show no line numbers.
    number = line if code.co_name == "<module>" else line - code.co_firstlineno + 1
    where = f"line {number} of `{clean(code.co_name, 60)}`"
    if source := clean(linecache.getline(code.co_filename, line).strip(), 100):
        where += f": {source}"
    blank = isinstance(error, NotImplementedError) and theirs == last
    return Explained(name, sentence, where, blank)


_INSTALLED = (
    os.path.join(os.path.normcase(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), ""),
    *(
        os.path.join(os.path.normcase(path), "")
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_paths().get(name))
    ),
)


def _is_theirs(filename: str) -> bool:
    if filename.startswith(("<frozen", "<__array_function__")):
        return False
    return not os.path.normcase(filename).startswith(_INSTALLED)
