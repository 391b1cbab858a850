"""``python -m latentsteps build``: the course's sources made into notebooks, and held to them.

:func:`build` writes a unit's exercise (blanks, no outputs) and its solution (complete, executed
from a fresh kernel). :func:`check` executes nothing: it says where the notebooks on disk are not
what the sources give, or hold a cell that was never executed.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import nbformat
from tqdm.auto import tqdm

from latentsteps.authoring.execution import kernel, output_problems, run_cell, shortened
from latentsteps.authoring.notebooks import BuildError, convert, serialise
from latentsteps.authoring.workspace import find_unit, write_whole
from latentsteps.data import cache_folder

__all__ = ["build", "check", "sources"]


def sources(root: Path) -> dict[str, Path]:
    """The units under ``root/course`` by name (``01_multinomial_mnist``), in order.

    Raises BuildError for a name that is not a number and words, and for a number that two have.
    """
    found = {path.stem: path for path in sorted((root / "course").glob("*.py"))}
    numbers: dict[str, str] = {}
    for name in found:
        if not re.fullmatch(r"\d\d_[a-z0-9_]+", name):
            raise BuildError(f"course/{name}.py: a unit's file is named like 01_some_words.py")
        other = numbers.setdefault(name[:2], name)
        if other != name:
            raise BuildError(f"course/{name}.py and course/{other}.py have the same number")
    return found


def build(units: Sequence[str], root: Path, say: Callable[[str], object] = print) -> None:
    """Write ``exercises/`` and ``solutions/`` of the units named, or of all where none is.

    A unit's two notebooks are replaced only when its solution has run to the end: with the same
    sources and the same library twice, with the same bytes, pictures' pixels apart.

    Raises :class:`BuildError` where a source is not as it must be, or a solution raises, writes to
    stderr or takes more than 15 minutes for a cell; ValueError for an unknown unit.
    """
    named = _chosen(units, root)
    # All are converted first: a mistake in the last source shows before the first is executed.
    converted = {name: convert(path) for name, path in named.items()}
    for name, (exercise, solution) in converted.items():
        seconds = _times().get(name)
        guess = "a minute or two, never run here before" if seconds is None else _about(seconds)
        say(f"{name}: {len(_code(solution))} cells to run ({guess})")
        start = time.perf_counter()
        _execute(solution, name, named[name])
        _remember_time(name, time.perf_counter() - start)
        write_whole(root / "exercises" / f"{name}.ipynb", serialise(exercise))
        write_whole(root / "solutions" / f"{name}.ipynb", serialise(solution))
        say(f"{name}: exercises/{name}.ipynb and solutions/{name}.ipynb are written")


def check(units: Sequence[str], root: Path) -> list[str]:
    """What is wrong with the notebooks on disk, a sentence each with file and cell; empty if
    nothing is.

    Exercises are compared byte for byte, solutions in all but outputs and execution counts; each
    code cell of a solution has been executed, in order, without an error or output on stderr.
    Without units named, notebooks that no source gives are reported too. Raises as :func:`build`.
    """
    problems = []
    named = _chosen(units, root)
    for name, path in named.items():
        exercise, solution = convert(path)
        problems += _compare(root / "exercises" / f"{name}.ipynb", exercise, path.name, False)
        problems += _compare(root / "solutions" / f"{name}.ipynb", solution, path.name, True)
    if not units:
        for folder in ("exercises", "solutions"):
            for stray in sorted((root / folder).glob("*.ipynb")):
                if stray.stem not in named:
                    problems.append(f"{folder}/{stray.name}: there is no course/{stray.stem}.py")
    return problems


def _chosen(units: Sequence[str], root: Path) -> dict[str, Path]:
    found = sources(root)
    if not found:
        raise BuildError(f"{root / 'course'} holds no units; a unit is a file like 01_words.py")
    names = [find_unit(unit, list(found)) for unit in units] or list(found)
    return {name: found[name] for name in sorted(set(names))}


def _code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _execute(solution: Any, name: str, source: Path) -> None:
    bar = tqdm(
        total=len(_code(solution)),
        desc=name,
        bar_format="{desc}: cell {n_fmt} of {total_fmt} |{bar:20}| {elapsed}, {remaining} to go",
        disable=bool(os.environ.get("LATENTSTEPS_QUIET")),
        leave=False,
    )
    with bar, kernel(solution) as client:
        for position, cell in enumerate(solution.cells):
            if cell.cell_type != "code":
                continue
            problem = run_cell(client, position)
            if problem is None:
                problem = next(
                    (words for _, words in output_problems(solution.cells[: position + 1])), None
                )
            if problem is not None:
                raise BuildError(
                    f"course/{source.name}: cell {position + 1} ({cell.id}) {problem}\n"
                    f"The cell:\n{shortened(cell.source)}\n"
                    "The notebooks on disk are as they were."
                )
            bar.update()


def _compare(path: Path, expected: Any, source: str, executed: bool) -> list[str]:
    """How the notebook at ``path`` differs from ``expected``; outputs are free if ``executed``."""
    place = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text)
        names = [str(cell.get("id", "without an id")) for cell in found["cells"]]
        written_alike = text == serialise(nbformat.reads(text, as_version=nbformat.NO_CONVERT))
    except FileNotFoundError:
        return [f"{place}: missing; python -m latentsteps build {path.stem[:2]} makes it"]
    except Exception as error:  # broken JSON, or JSON that is no notebook in one of many ways
        return [f"{place}: not a notebook of format 4.5 ({type(error).__name__}: {error})"]
    wanted = json.loads(serialise(expected))
    free = {"outputs", "execution_count"} if executed else set()
    models = {cell["id"]: cell for cell in wanted["cells"]}
    problems = [
        f"{place}: the notebook's {key} is not what course/{source} gives"
        for key in sorted((set(found) | set(wanted)) - {"cells"})
        if found.get(key) != wanted.get(key)
    ]
    problems += [
        f"{place}: cell {name} of course/{source} is missing"
        for name in models
        if name not in names
    ]
    for position, (name, cell) in enumerate(zip(names, found["cells"], strict=True)):
        where = _where(place, names, position)
        if name not in models or name in names[:position]:
            problems.append(f"{where} is not in course/{source}")
            continue
        model = models[name]
        problems += [
            f"{where}: {_difference(key, cell, model)}, by course/{source}"
            for key in sorted((set(cell) | set(model)) - free)
            if cell.get(key) != model.get(key)
        ]
    if not problems and names != list(models):
        moved = next(i for i, name in enumerate(models) if name != names[i])
        problems.append(f"{_where(place, names, moved)} is not where course/{source} has it")
    if executed:
        problems += [
            f"{_where(place, names, position)} {problem}"
            for position, problem in output_problems(found["cells"])
        ]
    if not problems and not written_alike:
        problems.append(f"{place}: the right cells, but not written as the build writes them")
    return problems


def _where(place: str, names: list[str], position: int) -> str:
    return f"{place}: cell {position + 1} ({names[position]})"


def _difference(key: str, cell: dict[str, Any], model: dict[str, Any]) -> str:
    """How two cells differ in ``key``: of a source the first line that does."""
    if key != "source":
        return f"{key} is {json.dumps(cell.get(key))} and should be {json.dumps(model.get(key))}"
    pairs = zip_longest(cell.get(key, []), model[key], fillvalue="")
    number, (here, there) = next((n, p) for n, p in enumerate(pairs, 1) if p[0] != p[1])
    return f"line {number} is {here.rstrip()!r} and should be {there.rstrip()!r}"


def _about(seconds: float) -> str:
    return (
        f"about {seconds:.0f} s, as last time"
        if seconds < 100
        else (f"about {seconds / 60:.0f} minutes, as last time")
    )


def _times() -> dict[str, float]:
    """Seconds that each unit took here last time: kept beside the data, never in a notebook."""
    try:
        return dict(json.loads((cache_folder() / "build-seconds.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _remember_time(name: str, seconds: float) -> None:
    try:
        write_whole(
            cache_folder() / "build-seconds.json",
            json.dumps({**_times(), name: round(seconds, 1)}) + "\n",
        )
    except OSError as error:
        print(f"The time this took could not be noted: {error}", file=sys.stderr)
