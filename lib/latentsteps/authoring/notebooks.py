"""One unit's source, a jupytext percent file, turned into its two notebooks.

Each is a pure function of the source: cells are numbered by their place in it, so the same cell
has the same id in both notebooks, and a cell that the exercise drops leaves a gap. What a unit's
author writes:

``### BEGIN SOLUTION`` … ``### END SOLUTION``
    around whole statements in a function's body, after its docstring. The exercise has
    ``# YOUR CODE HERE`` and ``raise NotImplementedError`` instead, with the same indentation.
``name = value  ### SOLUTION``
    outside functions: the exercise has ``name = ...  # YOUR ANSWER HERE``.
the tag ``solution``
    on a cell, text or code: the exercise does not have it. The solution keeps cell and tag.
the tag ``nbval-ignore-output``
    only with a reason: the cell's first line is ``# nbval: …``.

Anything else that looks like a marker, or like one gone wrong, is refused with file and line:
a marker that is overlooked would hand out the answer.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, NamedTuple

import jupytext
import nbformat
from nbformat import v4

__all__ = ["BuildError", "Cell", "convert", "read_cells", "serialise"]

BEGIN, END, VALUE = "### BEGIN SOLUTION", "### END SOLUTION", "### SOLUTION"
BLANK = ("# YOUR CODE HERE", "raise NotImplementedError")
KNOWN_TAGS = {"solution", "nbval-ignore-output"}
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}

CELL_START = re.compile(r"\s*# ?%%(?!%)")
FIRST_LINE = re.compile(r'# %%( \[(markdown|raw)\])?( tags=\["[^"]*"(, *"[^"]*")*\])?\s*')
LOOKS_LIKE_A_MARKER = re.compile(r"\bSOLUTION\b|###\s*(?i:begin|end|solution)\b")
NBVAL_REASON = re.compile(r"# nbval: \S")


class BuildError(Exception):
    """A course that cannot be built. The message says where and why, for its author."""


class Cell(NamedTuple):
    """One cell of a unit's source."""

    kind: str
    """``"code"``, ``"markdown"`` or ``"raw"``."""
    source: str
    tags: tuple[str, ...]
    place: str
    """The source file, as messages name it."""
    line: int
    """The number, in that file, of the cell's first line of text."""

    def where(self, index: int = 0) -> str:
        """``course/01_x.py:12`` for the cell's line ``index``, counted from 0."""
        return f"{self.place}:{self.line + index}"


class Blank(NamedTuple):
    """One marked piece of a code cell: lines ``first`` to ``last`` of it, counted from 0."""

    first: int
    last: int
    blank: list[str]
    """What stands there in the exercise."""
    solution: list[str]
    """What stands there in the solution: the same without markers."""


def convert(path: Path) -> tuple[Any, Any]:
    """The exercise and the solution of the unit in ``path``: two notebooks, nothing executed.

    Raises :class:`BuildError` with file and line where the source is not as the module's
    description says, and where a line of a solution would stand in the exercise.
    """
    cells = read_cells(path)
    number = path.stem.split("_")[0]
    exercise, solution, secrets, kept = [], [], [], []
    for position, cell in enumerate(cells):
        identity = f"{number}-{position:03d}"
        blanks = _blanks(cell)
        solution.append(_notebook_cell(cell, identity, _rewritten(cell, blanks, "solution")))
        if "solution" in cell.tags:
            secrets += [(cell.where(i), line) for i, line in enumerate(cell.source.split("\n"))]
            continue
        exercise.append(_notebook_cell(cell, identity, _rewritten(cell, blanks, "blank")))
        hidden = {i for blank in blanks for i in range(blank.first, blank.last + 1)}
        for i, line in enumerate(cell.source.split("\n")):
            if i not in hidden:
                kept.append(line)
            elif line.strip() not in (BEGIN, END):
                secrets.append((cell.where(i), line.removesuffix(VALUE)))
    _refuse_leaks(secrets, kept, exercise)
    place = f"course/{path.name}"
    return _notebook(exercise, place), _notebook(solution, place)


def read_cells(path: Path) -> list[Cell]:
    """The cells of a jupytext percent file, each with the line it starts at.

    Raises :class:`BuildError` for a file that does not start with a cell, for an empty cell, and
    for anything after ``# %%`` but the kind and known tags: a misspelt tag would keep a solution.
    """
    place = f"course/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BuildError(f"{place}: not UTF-8 ({error}); save it as UTF-8") from error
    lines = text.split("\n")
    if lines[0] == "# ---" and "# ---" in lines[1:]:
        # The header that jupytext writes. The notebooks' metadata are the build's own.
        end = lines.index("# ---", 1) + 1
        lines[:end] = [""] * end
    starts = [number for number, line in enumerate(lines, 1) if CELL_START.match(line)]
    if not starts or any(line.strip() for line in lines[: starts[0] - 1]):
        raise BuildError(f"{place}:1: before the first line that begins with # %% stands nothing")
    for start in starts:
        if not FIRST_LINE.fullmatch(lines[start - 1]):
            raise BuildError(
                f"{place}:{start}: {lines[start - 1].rstrip()!r} is not a cell's first line; that "
                'is # %%, then [markdown] for text, then tags=["solution"] where a tag is wanted'
            )
    found = jupytext.reads("\n".join(lines[starts[0] - 1 :]), fmt="py:percent").cells
    if len(found) != len(starts):
        raise BuildError(
            f"{place}: {len(starts)} lines begin with # %% and jupytext finds {len(found)} cells; "
            "such a line stands inside a string or a text, where it cannot be told from a cell"
        )
    cells = []
    for start, cell in zip(starts, found, strict=True):
        tags = cell.metadata.get("tags", [])
        if not set(tags) <= KNOWN_TAGS:
            raise BuildError(
                f"{place}:{start}: the tag {(set(tags) - KNOWN_TAGS).pop()!r} is not known; the "
                f"tags are {', '.join(sorted(KNOWN_TAGS))}"
            )
        if not cell.source.strip():
            raise BuildError(f"{place}:{start}: an empty cell; fill it or take it away")
        cells.append(Cell(cell.cell_type, cell.source, tuple(sorted(tags)), place, start + 1))
        if "nbval-ignore-output" in tags and not NBVAL_REASON.match(cell.source):
            raise BuildError(
                f"{place}:{start + 1}: a cell tagged nbval-ignore-output starts with its reason, "
                "# nbval: ..."
            )
    return cells


def serialise(notebook: Any) -> str:
    """The notebook as it is written to disk: the same notebook always gives the same text."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


def _notebook(cells: list[Any], place: str) -> Any:
    note = {"generated from": place, "by": "python -m latentsteps build"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": dict(KERNEL), "latentsteps": note})


def _notebook_cell(cell: Cell, identity: str, source: str) -> Any:
    make = {"code": v4.new_code_cell, "markdown": v4.new_markdown_cell, "raw": v4.new_raw_cell}
    metadata = {"tags": list(cell.tags)} if cell.tags else {}
    return make[cell.kind](source=source, id=identity, metadata=metadata)


def _rewritten(cell: Cell, blanks: list[Blank], which: str) -> str:
    lines = cell.source.split("\n")
    for piece in reversed(blanks):
        lines[piece.first : piece.last + 1] = getattr(piece, which)
    return "\n".join(lines)


def _blanks(cell: Cell) -> list[Blank]:
    """The marked pieces of a cell, in order; BuildError where a marker is not as it must be."""
    lines = cell.source.split("\n")
    blanks: list[Blank] = []
    begin = None
    for i, line in enumerate(lines):
        bare = line.strip()
        marker = bare in (BEGIN, END) or bare.endswith(VALUE)
        if not marker and not LOOKS_LIKE_A_MARKER.search(line):
            continue
        if cell.kind != "code":
            if marker or "SOLUTION" in line:
                raise BuildError(
                    f"{cell.where(i)}: a marker in a {cell.kind} cell marks nothing; a whole cell "
                    'is left out with tags=["solution"]'
                )
        elif not marker:
            raise BuildError(
                f"{cell.where(i)}: {bare!r} looks like a marker and is none; the markers are "
                f"{BEGIN!r} and {END!r} on lines of their own, and {VALUE!r} after an assignment"
            )
        elif "solution" in cell.tags:
            raise BuildError(
                f"{cell.where(i)}: a marker in a cell tagged solution, which is left out whole"
            )
        elif bare == BEGIN:
            if begin is not None:
                raise BuildError(
                    f"{cell.where(i)}: BEGIN inside the region that line {cell.line + begin} opens"
                )
            begin = i
        elif bare == END:
            if begin is None:
                raise BuildError(f"{cell.where(i)}: END without a BEGIN before it in this cell")
            blanks.append(_region(cell, lines, begin, i))
            begin = None
        elif begin is not None:
            raise BuildError(
                f"{cell.where(i)}: {VALUE!r} inside the region that line {cell.line + begin} opens"
            )
        else:
            blanks.append(_value(cell, lines, i))
    if begin is not None:
        raise BuildError(f"{cell.where(begin)}: BEGIN without an END after it in this cell")
    return blanks


def _value(cell: Cell, lines: list[str], index: int) -> Blank:
    number = index + 1
    here = [s for s in _tree(cell).body if s.lineno <= number <= (s.end_lineno or s.lineno)]
    match here:
        case [ast.Assign(targets=[ast.Name(id=name)], lineno=first, end_lineno=last)] if (
            first == last
        ):
            solution = lines[index].rstrip().removesuffix(VALUE).rstrip()
            return Blank(index, index, [f"{name} = ...  # YOUR ANSWER HERE"], [solution])
    raise BuildError(
        f"{cell.where(index)}: {VALUE!r} stands after a whole assignment on one line to one name, "
        "outside functions: name = value"
    )


def _region(cell: Cell, lines: list[str], begin: int, end: int) -> Blank:
    where = cell.where(begin)
    statements, function = _between(_tree(cell).body, begin + 1, end + 1, None, where)
    if function is None:
        raise BuildError(
            f"{where}: a region outside a function; blank a function's body, a value with "
            f'{VALUE!r}, or a whole cell with tags=["solution"]'
        )
    if not statements:
        raise BuildError(f"{where}: a region without a statement; there is nothing to blank")
    if function.body[0] is statements[0] and ast.get_docstring(function, clean=False) is not None:
        raise BuildError(f"{where}: a region with the docstring in it; BEGIN stands after it")
    indents = {len(line) - len(line.lstrip()) for line in (lines[begin], lines[end])}
    if indents != {statements[0].col_offset}:
        raise BuildError(f"{where}: BEGIN, END and the code between are not indented alike")
    indent = lines[begin][: statements[0].col_offset]
    return Blank(begin, end, [indent + line for line in BLANK], lines[begin + 1 : end])


def _between(
    block: list[Any], begin: int, end: int, function: Any, where: str
) -> tuple[list[Any], Any]:
    """The statements between lines ``begin`` and ``end``, and the innermost function around them.

    Raises BuildError where a statement, or a block of statements, lies only partly between.
    """
    touched = [s for s in block if _first_line(s) < end and s.end_lineno > begin]
    if all(_first_line(s) > begin and s.end_lineno < end for s in touched):
        return touched, function
    around = touched[0]
    parts = [getattr(around, name, []) for name in ("body", "orelse", "finalbody")]
    for name in ("handlers", "cases"):
        parts += [part.body for part in getattr(around, name, [])]
    if _first_line(around) > begin or len(touched) > 1:
        raise BuildError(f"{where}: the region cuts a statement in two; put whole ones in it")
    if not any(parts):
        raise BuildError(f"{where}: the marker stands inside a statement of several lines")
    parts = [p for p in parts if p and _first_line(p[0]) < end and p[-1].end_lineno > begin]
    if len(parts) > 1:
        raise BuildError(f"{where}: the region cuts a statement in two; put whole ones in it")
    if isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef):
        function = around
    elif isinstance(around, ast.ClassDef):
        function = None
    return _between(parts[0] if parts else [], begin, end, function, where)


def _first_line(statement: Any) -> int:
    """Where a statement begins, its decorators included."""
    decorators = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _tree(cell: Cell) -> ast.Module:
    # IPython's own lines (%matplotlib, !ls) are no Python: something that is stands in for them.
    python = re.sub(r"(?m)^[%!].*$", "pass", cell.source)
    try:
        return ast.parse(python)
    except SyntaxError as error:
        index = (error.lineno or 1) - 1
        raise BuildError(f"{cell.where(index)}: not Python: {error.msg}") from error


def _refuse_leaks(secrets: list[tuple[str, str]], kept: list[str], exercise: list[Any]) -> None:
    """The blanking's own check: no line of a solution stands in the exercise.

    Lines of under five characters (``else``, ``)``) give nothing away, and what the author also
    wrote outside the marks is meant to be read.
    """
    allowed = "\n".join([*kept, *BLANK])
    shown = "\n".join(cell.source for cell in exercise)
    for where, line in secrets:
        secret = line.strip()
        if len(secret) >= 5 and secret in shown and secret not in allowed:
            raise BuildError(f"{where}: this line of the solution would stand in the exercise")
