"""Reading what a learner's function returned: as plain arrays, numbers, texts and tuples of them.

:func:`convert` runs in the learner's thread, as it touches the learner's values; all else here
works on what it made of them.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from numbers import Number
from typing import Any, NamedTuple

import numpy as np

from latentsteps.checks.display import clean, count, kind, text_of


class Unlike(NamedTuple):
    """A value that is not the sort of thing that was expected."""

    words: str
    """To go on with after "Your function returned": what it is, and what is expected."""
    value: Any = None
    """What could be read of it."""


def convert(value: Any, like: Any) -> Any:
    """``value`` as the sort of thing that ``like`` is, whatever its shape; or :class:`Unlike`.

    Arrays and numbers of any library become float64, int64 or bool arrays, a 0-d array a Python
    number; lists, tuples and NamedTuples of the right length stand for one another.
    """
    try:
        return _convert(value, like)
    except Exception as error:
        name = clean(type(error).__name__, 60)
        return Unlike(f"what cannot be read as {kind(like)} ({name}: {text_of(error)})")


def leaves(value: Any, like: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The single arrays, numbers and texts of two alike values, with words for where they are."""
    if isinstance(like, tuple | list):
        names = getattr(like, "_fields", None)
        for i, (part, expected) in enumerate(zip(value, like, strict=True)):
            name = f"`{names[i]}`" if names else f"value {i + 1} of {len(like)}"
            yield from leaves(part, expected, f"{where} in {name}".strip())
    elif isinstance(like, dict):
        for key, expected in like.items():
            yield from leaves(value[key], expected, f"{where} at key {clean(repr(key))}".strip())
    else:
        yield where, value, like


def close(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two converted values are equal within a relative and absolute tolerance."""
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(close(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key], tolerance) for key in a)
    if is_numeric(a) and is_numeric(b):
        if np.shape(a) != np.shape(b):
            return False
        return not bool(np.any(far(a, b, tolerance)))
    if isinstance(a, str) and isinstance(b, str):
        return a == b
    return a is b


def far(got: Any, expected: Any, tolerance: float) -> np.ndarray:
    """Where two arrays of one shape differ by more than the tolerance; two NaN are equal."""
    return np.asarray(~np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True))


def is_numeric(value: Any) -> bool:
    """Whether a converted value is a number or an array of numbers."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufc"
    return isinstance(value, int | float | complex | np.number | np.bool_)


def _convert(value: Any, like: Any) -> Any:
    if is_numeric(like):
        return _numbers(value, like)
    if isinstance(like, str):
        return str(value) if isinstance(value, str) else _not(value, like)
    if isinstance(like, tuple | list):
        if not isinstance(value, tuple | list | np.ndarray):
            return _not(value, like)
        if len(value) != len(like):
            names = ", ".join(getattr(like, "_fields", ()))
            words = _not(value, like).words
            return Unlike(f"{words}: {names}" if names else words)
        parts = [convert(part, expected) for part, expected in zip(value, like, strict=True)]
        for i, part in enumerate(parts):
            if isinstance(part, Unlike):
                return Unlike(f"{kind(value)}, of which number {i + 1} is {part.words}", part.value)
        return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
    if isinstance(like, dict):
        return _dictionary(value, like)
    if callable(like):
        return value if callable(value) else _not(value, like)
    return value if isinstance(value, type(like)) else _not(value, like)


def _numbers(value: Any, like: Any) -> Any:
    expected = np.asarray(like)
    if value is None:
        return _not(value, like)
    if isinstance(value, tuple) and any(np.ndim(part) > 0 for part in value):
        # Arrays side by side are several values, even where they could be stacked into one.
        return _not(value, like)
    if np.ma.isMaskedArray(value) and np.ma.is_masked(value):
        return Unlike("a masked array that hides entries; a plain one is expected")
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # torch
        value = value.detach().cpu()
    array = np.asarray(value)
    if array.dtype.kind == "O" and (array.ndim > 0 or isinstance(value, Number)):
        array = array.astype(np.float64)
    if array.dtype.kind not in "biufc":
        return _not(value, like)
    if array.dtype.kind == "c" and expected.dtype.kind != "c":
        return Unlike("complex numbers; real ones are expected", array)
    return _as_kind(array, expected, scalar=expected.ndim == 0)


def _as_kind(array: np.ndarray, expected: np.ndarray, scalar: bool) -> Any:
    whole = array.dtype.kind in "biu"
    if expected.dtype.kind in "iu":
        if whole:
            array = array.astype(np.int64)
        elif expected.dtype.kind == "i" and not scalar:
            # Labels are used as indices, where a float is an error, even 2.0.
            return Unlike(
                f"numbers of type {array.dtype}; whole numbers are expected, and where they are "
                "whole already, .astype(int) stores them as such",
                array,
            )
        elif array.ndim == 0 and float(array).is_integer():
            array = array.astype(np.int64)
    elif expected.dtype.kind == "b":
        if array.dtype.kind != "b" and array.size < 10_000_000 and np.isin(array, (0, 1)).all():
            array = array.astype(bool)
    elif expected.dtype.kind == "f":
        array = array.astype(np.float64, copy=False)
    # A plain array of our own: a subclass, or a view of something the learner's code still holds,
    # could change under our hands. Overlarge ones are left as they are, their shape refuses them.
    array = np.array(array, subok=False) if array.size < 10_000_000 else array
    return array[()].item() if scalar and array.ndim == 0 else array


def _dictionary(value: Any, like: dict) -> Any:
    if not isinstance(value, Mapping):
        return _not(value, like)
    given = {key: value[key] for key in value}
    missing = [key for key in like if key not in given]
    if missing or len(given) != len(like):
        words = f"the key {clean(repr(missing[0]))} is missing" if missing else "there are more"
        return Unlike(f"{kind(given)}; {count(len(like), 'key')} are expected, and {words}")
    parts = {key: convert(given[key], like[key]) for key in like}
    for key, part in parts.items():
        if isinstance(part, Unlike):
            return Unlike(f"a dictionary that has at {clean(repr(key))} {part.words}", part.value)
    return parts


def _not(value: Any, like: Any) -> Unlike:
    if inspect.isgenerator(value) or inspect.iscoroutine(value):
        value.close()
        found = "a generator (`yield`)" if inspect.isgenerator(value) else "a coroutine (`async`)"
        return Unlike(f"{found}; {kind(like)} is expected")
    return Unlike(f"{kind(value)}; {kind(like)} is expected")


def differs(after: Any, before: Any) -> bool:
    """Whether an argument was changed. Random generators are made to be, and are passed over."""
    plain = isinstance(before, np.ndarray | tuple | list | dict | int | float | str)
    if plain and type(after) is not type(before):
        return True
    if isinstance(before, np.ndarray):
        if after.dtype != before.dtype:
            return True
        return not np.array_equal(after, before, equal_nan=before.dtype.kind in "fc")
    if isinstance(before, tuple | list):
        return len(after) != len(before) or any(map(differs, after, before))
    if isinstance(before, dict):
        return list(after) != list(before) or any(differs(after[k], before[k]) for k in before)
    if isinstance(before, int | float | str):
        return after != before and after == after  # NaN is as it was
    return False


def cast(tree: Any, old: type, new: type) -> Any:
    """Nested arguments with all arrays of type ``old`` as type ``new``."""

    def change(leaf: Any) -> Any:
        return leaf.astype(new) if isinstance(leaf, np.ndarray) and leaf.dtype == old else leaf

    return _with_leaves(tree, change)


def in_numpy(tree: Any) -> Any:
    """What a reference returned, with NumPy arrays in place of another library's."""

    def change(leaf: Any) -> Any:
        other = hasattr(leaf, "__array__") and not isinstance(leaf, np.ndarray | np.generic)
        return np.asarray(leaf.detach() if hasattr(leaf, "detach") else leaf) if other else leaf

    return _with_leaves(tree, change)


def in_torch(tree: Any) -> Any:
    """Copies of nested arguments, with a torch tensor of the same type for each NumPy array."""
    import torch  # seconds, which only exercises with tensors have to wait for

    def change(leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray):
            return copy.deepcopy(leaf)
        return torch.from_numpy(np.array(leaf, order="C"))  # torch takes no negative strides

    return _with_leaves(tree, change)


def not_tensors(value: Any) -> str:
    """Words for what is returned and is no torch tensor, nor several; "" where it is."""
    import torch

    parts = value if isinstance(value, tuple | list) else [value]
    if parts and all(isinstance(part, torch.Tensor) for part in parts):
        return ""
    return f"{kind(value)} and no tensor: training needs torch's own, so use its functions alone"


def _with_leaves(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Nested tuples, lists and dictionaries, ``change`` applied to whatever else is in them."""
    if isinstance(tree, tuple | list):
        parts = [_with_leaves(part, change) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if isinstance(tree, dict):
        return {key: _with_leaves(part, change) for key, part in tree.items()}
    return change(tree)


def float_arrays(tree: Any) -> Iterator[np.ndarray]:
    """The arrays of floats in nested arguments."""
    if isinstance(tree, np.ndarray) and tree.dtype.kind == "f":
        yield tree
    elif isinstance(tree, tuple | list):
        for part in tree:
            yield from float_arrays(part)
    elif isinstance(tree, dict):
        yield from float_arrays(list(tree.values()))
