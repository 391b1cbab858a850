"""Saying what a check found: numbers, inputs and verdicts as short text, and as a box of HTML.

Everything said is the same bytes at every run: no addresses, no colours as the only carrier, four
significant digits. Text that comes from a learner's code goes through :func:`clean` first.
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

ROOM = 12
"""Arrays of up to this many entries are shown in full, larger ones by their shape."""

_OUTCOMES = {
    # outcome: (symbol, colour of the bar). The symbol and the word say it without the colour.
    "passes": ("✓", "var(--jp-success-color1, #2e7d32)"),
    "not attempted": ("–", "var(--jp-border-color1, #8a8a8a)"),
    "not yet": ("✗", "var(--jp-warn-color1, #c25700)"),
    "hint": ("→", "var(--jp-info-color1, #0072b2)"),
}


def clean(text: str, limit: int = 300) -> str:
    """Text of a learner's code, fit to be shown: no addresses, control characters or temporary
    file names, at most ``limit`` characters, encodable as UTF-8."""
    text = text[: 20 * limit].encode("utf-8", "replace").decode("utf-8")
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)
    text = re.sub(r"\s*\bat 0x[0-9a-fA-F]+", "", text)
    text = re.sub(r"0x[0-9a-fA-F]{6,}", "0x…", text)
    text = re.sub(r"[^\s'\"(]*ipykernel_\d+[^\s'\")]*", "your notebook", text)
    return text if len(text) <= limit else text[: limit - 2] + " …"


def text_of(error: BaseException) -> str:
    """An exception's message on one line; a learner's own exception may not even have one."""
    try:
        return clean(" ".join(str(error).split()))
    except Exception:
        return "its message cannot be shown"


def shortened(printed: str, lines: int = 20) -> str:
    """The first ``lines`` lines of what was printed, and how many more there were."""
    rows = clean(printed, 4000).rstrip().split("\n")
    rows = [row if len(row) <= 100 else row[:98] + " …" for row in rows]
    if len(rows) > lines:
        rows = [*rows[:lines], f"… and more: only the first {lines} lines are shown"]
    return "\n".join(rows)


def number(value: Any, digits: int = 4) -> str:
    """One number: whole ones as they are, others to ``digits`` significant digits."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, complex | np.complexfloating):
        return f"{complex(value):.{digits}g}"
    return f"{float(value) + 0.0:.{digits}g}"  # + 0.0: no minus zero


def shown(value: Any, room: int = ROOM, digits: int = 4) -> str:
    """A value in a few words: small ones in full, larger arrays by their shape."""
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return shown(value[()], room, digits)
        if value.size > room or value.dtype.kind not in "biufc":
            return f"array of shape {value.shape}"
        return _nested(value, digits)
    if isinstance(value, int | float | complex | np.number | np.bool_):
        return number(value, digits)
    if isinstance(value, str):
        return repr(clean(value, 60))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = zip(value._fields, value, strict=False)
        inside = ", ".join(f"{name}={shown(part, room, digits)}" for name, part in fields)
        return f"{type(value).__name__}({inside})"
    if isinstance(value, tuple | list):
        if len(value) > room:
            return f"{type(value).__name__} of {len(value)} values"
        inside = ", ".join(shown(part, room, digits) for part in value)
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if isinstance(value, dict) and len(value) <= room:
        pairs = (f"{shown(k, room)}: {shown(v, room, digits)}" for k, v in value.items())
        return "{" + ", ".join(pairs) + "}"
    return "None" if value is None else kind(value)


def _nested(array: np.ndarray, digits: int) -> str:
    if array.ndim == 0:
        return number(array[()], digits)
    return "[" + ", ".join(_nested(part, digits) for part in array) + "]"


def two(got: Any, expected: Any) -> tuple[str, str]:
    """Two values with as many digits as it takes to see that they differ (four to ten).

    Of two large arrays of one shape, the first entries that differ are shown.
    """
    arrays = isinstance(got, np.ndarray) and isinstance(expected, np.ndarray)
    if arrays and got.size > ROOM and got.shape == expected.shape and np.any(got != expected):
        index = tuple(int(i) for i in np.argwhere(got != expected)[0])
        mine, theirs = two(got[index], expected[index])
        return f"{mine} at [{', '.join(map(str, index))}]", theirs
    for digits in range(4, 11):
        pair = shown(got, digits=digits), shown(expected, digits=digits)
        if pair[0] != pair[1]:
            break
    return pair


def got_and_expected(got: Any, expected: Any, words: tuple[str, str] = ("got", "expected")) -> str:
    """``"got 0.5; expected 1"``, or as much of it as there is."""
    pair = zip(words, two(got, expected), (got, expected), strict=True)
    return "; ".join(f"{word} {text}" for word, text, value in pair if value is not None)


def kind(value: Any) -> str:
    """What sort of thing a value is, with its article: "an array of shape (3, 2)"."""
    try:
        return _kind(value)
    except Exception:  # an object may answer even `isinstance` with an exception
        return "an object that cannot be described"


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, bool | np.bool_):
        return f"the truth value {bool(value)}"
    if isinstance(value, int | np.integer):
        return "a whole number"
    if isinstance(value, float | np.floating):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, np.ndarray):
        return "a number" if value.ndim == 0 else f"an array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {'list' if isinstance(value, list) else 'tuple'} of {count(len(value), 'value')}"
    if isinstance(value, dict):
        return f"a dictionary with {count(len(value), 'key')}"
    if isinstance(value, type):
        return "a class"
    if callable(value):
        return "a function"
    name = clean(type(value).__name__, 40)
    return f"an object of type {name}"


def count(n: int, noun: str) -> str:
    """``"1 value"``, ``"2 values"``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def inputs(names: Sequence[str], args: Iterable[Any]) -> str:
    """The arguments of one call: ``x = [1, 2], means = array of shape (10, 784)``."""
    for room in (ROOM, 4, 1):
        text = ", ".join(f"{n} = {shown(a, room)}" for n, a in zip(names, args, strict=False))
        if len(text) <= 240:
            break
    return text


def message(title: str, outcome: str, parts: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The text and the HTML of one message.

    ``parts`` are ``(style, text)`` with style ``"say"``, ``"strong"``, ``"detail"`` or ``"pre"``.
    """
    symbol, colour = _OUTCOMES[outcome]
    lines = [f"{symbol} {outcome} · {title}"]
    blocks = [f"<div><strong>{symbol} {outcome}</strong> · {html.escape(title)}</div>"]
    for style, text in parts:
        if not text:
            continue
        indent = "    " if style in ("detail", "pre") else "  "
        lines += [indent + line for line in text.split("\n")]
        safe = html.escape(text)
        if style != "pre":
            safe = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", safe)
        if style == "pre":
            blocks.append(
                '<pre style="margin:.2em 0 .2em 1em; padding:.3em; overflow:auto; color:inherit; '
                f'background:transparent">{safe}</pre>'
            )
        elif style == "strong":
            blocks.append(f'<div style="margin-top:.3em"><strong>{safe}</strong></div>')
        else:
            left = "1em" if style == "detail" else "0"
            blocks.append(f'<div style="margin:.2em 0 0 {left}">{safe}</div>')
    box = (
        '<div class="latentsteps-check" data-outcome="{}" style="border:1px solid '
        "var(--jp-border-color2, #bdbdbd); border-left:5px solid {}; padding:.4em .8em; "
        "margin:.2em 0; line-height:1.45; color:var(--jp-content-font-color1, inherit); "
        'font-family:var(--jp-content-font-family, sans-serif)">{}</div>'
    ).format(outcome.replace(" ", "-"), colour, "".join(blocks))
    return "\n".join(line.rstrip() for line in lines), box


def say(text: str, box: str) -> None:
    """Show a message: as a rich output in a notebook, as plain text elsewhere."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display({"text/plain": text, "text/html": box}, raw=True)
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))
