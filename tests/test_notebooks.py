"""The course's own notebooks: made from their sources, executed, described; blanks are blank."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from latentsteps.authoring import build as building
from latentsteps.authoring.execution import output_problems

ROOT = Path(__file__).resolve().parents[1]
EXERCISES = sorted((ROOT / "exercises").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "solutions").glob("*.ipynb"))

IGNORED_OUTPUTS = 0
"""How many cells may carry the tag nbval-ignore-output, which tests nothing: it may only fall."""

CHECK = re.compile(r"\bcheck\.\w+\(\w")
MARKER = re.compile(r"###\s*(BEGIN|END|SOLUTION)|SOLUTION")


def read(path):
    return nbformat.read(path, nbformat.NO_CONVERT)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def texts(outputs):
    """All that outputs say in words, the name of a figure object apart."""
    said = []
    for output in outputs:
        said.append(output.get("text", ""))
        plain = output.get("data", {}).get("text/plain", "")
        if not re.match(r"<Figure size", plain):
            said.append(plain)
    return "\n".join(said)


def of(paths):
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


def test_generated_is_committed():
    assert building.check([], ROOT) == []


def test_every_unit_has_both_notebooks():
    units = list(building.sources(ROOT))
    assert units
    assert [path.stem for path in EXERCISES] == units
    assert [path.stem for path in SOLUTIONS] == units


def test_ignored_outputs_are_counted():
    ignored = [
        (path.name, cell.id)
        for path in SOLUTIONS
        for cell in read(path).cells
        if "nbval-ignore-output" in cell.metadata.get("tags", [])
    ]
    assert len(ignored) == IGNORED_OUTPUTS, ignored


@of(EXERCISES + SOLUTIONS)
def test_no_marker_is_left_and_ids_are_unique(path):
    cells = read(path).cells
    assert not [cell.id for cell in cells if MARKER.search(cell.source)]
    identities = [cell.id for cell in cells]
    assert len(set(identities)) == len(identities)
    assert all(re.fullmatch(rf"{path.stem[:2]}-\d{{3}}", identity) for identity in identities)


class TestSolutions:
    @of(SOLUTIONS)
    def test_every_cell_was_executed_in_order_without_error_or_stderr(self, path):
        notebook = read(path)
        assert code_cells(notebook)
        assert output_problems(notebook.cells) == []

    @of(SOLUTIONS)
    def test_every_picture_comes_with_a_description(self, path):
        silent = [
            cell.id
            for cell in code_cells(read(path))
            if any("image/png" in output.get("data", {}) for output in cell.outputs)
            and len(texts(cell.outputs).split()) < 4
        ]
        assert silent == []

    @of(SOLUTIONS)
    def test_every_check_passes(self, path):
        failed = [
            (cell.id, texts(cell.outputs))
            for cell in code_cells(read(path))
            if CHECK.search(cell.source) and "passes" not in texts(cell.outputs).lower()
        ]
        assert failed == []

    @of(SOLUTIONS)
    def test_nothing_stored_belongs_to_one_machine_or_one_run(self, path):
        for cell in code_cells(read(path)):
            assert not re.search(r"0x[0-9a-fA-F]{6}|/home/|/tmp/|ipykernel_", texts(cell.outputs))
            for output in cell.outputs:
                kinds = set(output.get("data", {}))
                assert not kinds & {
                    "image/svg+xml",
                    "application/vnd.jupyter.widget-view+json",
                    "application/javascript",
                }, cell.id


class TestExercises:
    @of(EXERCISES)
    def test_nothing_was_executed(self, path):
        for cell in code_cells(read(path)):
            assert cell.outputs == []
            assert cell.execution_count is None
