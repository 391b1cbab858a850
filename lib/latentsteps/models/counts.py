"""Whole numbers among a model's arguments, looked at before they are worked with."""

from __future__ import annotations

import operator
from typing import Any


def as_count(number: Any, name: str, *, least: int = 1) -> int:
    """``number`` as an int, for the argument ``name``.

    Raises ValueError for what is no whole number (500. is none either) and below ``least``.
    """
    try:
        count = operator.index(number)
    except TypeError:
        raise ValueError(
            f"{name} is {number!r}; it is a whole number, {least} or more, such as {least + 1} "
            f"(and not {least + 1}.0)"
        ) from None
    if count < least:
        raise ValueError(f"{name} is {count}; it is a whole number, {least} or more")
    return count
