"""The build, on small courses of its own: what it writes, what it refuses, what --check notices."""

from __future__ import annotations

import ast
import base64
import json
import shutil
import sys
import textwrap

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentsteps import __main__ as command_line
from latentsteps.authoring import build as building
from latentsteps.authoring import execution
from latentsteps.authoring.notebooks import BuildError, convert, serialise
from latentsteps.authoring.workspace import UnknownUnitError

UNIT = '''\
# %% [markdown]
# # A little unit: é, ∑
#
# Text.

# %%
import warnings
import matplotlib.pyplot as plt

# %%
def total(x, y):
    """The sum of both."""
    start = 0
    ### BEGIN SOLUTION
    partial = start + x
    result = partial + y
    ### END SOLUTION
    return result


# %%
number_of_groups = 17  ### SOLUTION

# %% [markdown] tags=["solution"]
# The model answer: addition commutes.

# %% tags=["solution"]
print("model answer in code", total(2, 1))

# %%
def first_of(x):
    return x[0]


print(first_of([4, 5]), number_of_groups)

# %%
figure, axes = plt.subplots(figsize=(1, 1))
axes.plot([1, 2])
plt.show()
print("A line that rises from 1 to 2.")
'''


def write(root, text, name="01_little"):
    (root / "course").mkdir(parents=True, exist_ok=True)
    path = root / "course" / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


def converted(root, text):
    return convert(write(root, textwrap.dedent(text)))


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("LATENTSTEPS_QUIET", "1")
    monkeypatch.setenv("LATENTSTEPS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("built")
    write(root, UNIT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTSTEPS_CACHE", str(root / "cache"))
        patch.setenv("LATENTSTEPS_QUIET", "1")
        building.build([], root, say=lambda line: None)
    return root


@pytest.fixture
def course(built, tmp_path):
    return shutil.copytree(built, tmp_path / "course-of-its-own")


class TestWhatIsWritten:
    def test_the_exercise_is_blank_and_the_solution_complete(self, built):
        exercise = nbformat.read(built / "exercises/01_little.ipynb", nbformat.NO_CONVERT)
        solution = nbformat.read(built / "solutions/01_little.ipynb", nbformat.NO_CONVERT)
        assert code(exercise)[1] == (
            'def total(x, y):\n    """The sum of both."""\n    start = 0\n'
            "    # YOUR CODE HERE\n    raise NotImplementedError\n    return result"
        )
        assert code(exercise)[2] == "number_of_groups = ...  # YOUR ANSWER HERE"
        assert code(solution)[1] == (
            'def total(x, y):\n    """The sum of both."""\n    start = 0\n'
            "    partial = start + x\n    result = partial + y\n    return result"
        )
        assert code(solution)[2] == "number_of_groups = 17"
        assert "model answer" not in serialise(exercise)
        for cell in exercise.cells:
            assert cell.get("outputs", []) == []
            assert cell.get("execution_count") is None
        assert solution.cells[5].outputs[0].text == "model answer in code 3\n"
        assert solution.cells[4].metadata == {"tags": ["solution"]}

    def test_ids_count_the_cells_of_the_source(self, built):
        exercise = nbformat.read(built / "exercises/01_little.ipynb", nbformat.NO_CONVERT)
        solution = nbformat.read(built / "solutions/01_little.ipynb", nbformat.NO_CONVERT)
        assert [cell.id for cell in solution.cells] == [f"01-{i:03d}" for i in range(8)]
        assert [cell.id for cell in exercise.cells] == [f"01-{i:03d}" for i in (0, 1, 2, 3, 6, 7)]

    def test_metadata_hold_nothing_of_the_run(self, built):
        for folder in ("exercises", "solutions"):
            path = built / folder / "01_little.ipynb"
            notebook = nbformat.read(path, nbformat.NO_CONVERT)
            nbformat.validate(notebook)
            assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
            assert set(notebook.metadata) == {"kernelspec", "latentsteps"}
            assert notebook.metadata.kernelspec.name == "python3"
            assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
            text = path.read_text(encoding="utf-8")
            assert text.endswith("}\n")
            assert "é, ∑" in text
            assert text.startswith('{\n "cells"')

    def test_twice_gives_the_same_bytes(self, course):
        before = {path: path.read_bytes() for path in course.glob("*/*.ipynb")}
        assert len(before) == 2
        building.build(["1"], course, say=lambda line: None)
        assert {path: path.read_bytes() for path in course.glob("*/*.ipynb")} == before

    def test_a_picture_carries_no_text_and_is_still_a_picture(self, built):
        solution = nbformat.read(built / "solutions/01_little.ipynb", nbformat.NO_CONVERT)
        data = [output.get("data", {}) for output in solution.cells[7].outputs]
        picture = base64.b64decode(next(d["image/png"] for d in data if "image/png" in d))
        assert b"Software" not in picture
        assert b"matplotlib" not in picture
        path = built / "picture.png"
        path.write_bytes(picture)
        import matplotlib.image

        assert matplotlib.image.imread(path).ndim == 3

    def test_it_says_what_it_does_and_how_long_that_takes(self, course):
        said = []
        building.build([], course, say=said.append)
        building.build([], course, say=said.append)
        assert "6 cells" in said[0]
        assert "never run here" in said[0]
        assert "exercises/01_little.ipynb" in said[1]
        assert "as last time" in said[2]

    def test_the_jupytext_header_is_no_cell(self, tmp_path):
        exercise, _ = converted(
            tmp_path, "# ---\n# jupyter:\n#   kernelspec: {}\n# ---\n\n# %%\nx = 1\n"
        )
        assert [(cell.id, cell.source) for cell in exercise.cells] == [("01-000", "x = 1")]


class TestExecution:
    def test_runs_this_python_whatever_is_installed_as_python3(self, tmp_path, monkeypatch):
        spec = tmp_path / "kernels" / "python3"
        spec.mkdir(parents=True)
        wrong = {"argv": ["/bin/false"], "display_name": "another", "language": "python"}
        (spec / "kernel.json").write_text(json.dumps(wrong))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
        _, solution = converted(
            tmp_path,
            """\
            # %%
            import os, sys
            print(sys.executable)
            print(os.environ["LATENTSTEPS_QUIET"], os.environ["LATENTSTEPS_STATIC"])
            print(os.environ["OMP_NUM_THREADS"], os.listdir())
            """,
        )
        with execution.kernel(solution) as client:
            manager = client.km
            assert execution.run_cell(client, 0) is None
            assert manager.has_kernel
        assert solution.cells[0].outputs[0].text == f"{sys.executable}\n1 1\n1 []\n"
        assert not manager.has_kernel

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("raise ValueError('a deep reason')", "ValueError: a deep reason"),
            ("import sys; print('grumble', file=sys.stderr)", "stderr"),
            ("warnings.warn('grumble')", "grumble"),
            ("import os; os._exit(3)", "ends its Python process"),
        ],
    )
    def test_a_solution_that_goes_wrong_stops_the_build(self, course, line, words):
        before = {path: path.read_bytes() for path in course.glob("*/*.ipynb")}
        write(course, UNIT.replace("print(first_of([4, 5]), number_of_groups)", line))
        with pytest.raises(BuildError) as stopped:
            building.build([], course, say=lambda line: None)
        message = str(stopped.value)
        assert message.startswith("course/01_little.py: cell 7 (01-006)")
        assert words in message
        assert line in message
        assert {path: path.read_bytes() for path in course.glob("*/*.ipynb")} == before
        assert not list(course.rglob("*.part"))

    def test_a_long_error_is_shortened(self, course):
        write(
            course, UNIT + "\n# %%\nraise ValueError('\\n'.join('x' * 5000 for _ in range(500)))\n"
        )
        with pytest.raises(BuildError) as stopped:
            building.build([], course, say=lambda line: None)
        assert len(str(stopped.value)) < 8000
        assert "more lines" in str(stopped.value)

    def test_a_mistake_in_the_last_source_shows_before_the_first_runs(self, course):
        write(course, "# %%\n### END SOLUTION\n", name="02_other")
        said = []
        with pytest.raises(BuildError, match=r"course/02_other\.py:2"):
            building.build([], course, say=said.append)
        assert said == []


FUNCTION = '# %%\ndef f(x):\n    """Doc."""\n'


class TestMarkersRefused:
    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            (FUNCTION + "    ### BEGIN SOLUTION\n    return x\n", 4, "without an END"),
            (FUNCTION + "    return x\n    ### END SOLUTION\n", 5, "without a BEGIN"),
            (
                FUNCTION + "    ### BEGIN SOLUTION\n    ### BEGIN SOLUTION\n    return x\n"
                "    ### END SOLUTION\n",
                5,
                "that line 4 opens",
            ),
            (
                FUNCTION
                + "    ### BEGIN SOLUTION\n    y = x  ### SOLUTION\n    ### END SOLUTION\n",
                5,
                "that line 4 opens",
            ),
            ("# %%\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n", 2, "outside a function"),
            (
                "# %%\nclass A:\n    ### BEGIN SOLUTION\n    x = 1\n    ### END SOLUTION\n",
                3,
                "outside a function",
            ),
            (
                "# %%\nif 1:\n    ### BEGIN SOLUTION\n    x = 1\n    ### END SOLUTION\n",
                3,
                "outside",
            ),
            (
                FUNCTION + "    ### BEGIN SOLUTION\n    # words\n    ### END SOLUTION\n    pass\n",
                4,
                "without a statement",
            ),
            (
                "# %%\ndef f(x):\n    ### BEGIN SOLUTION\n    'Doc.'\n    return x\n"
                "    ### END SOLUTION\n",
                3,
                "docstring",
            ),
            (
                FUNCTION + "    ### BEGIN SOLUTION\n    y = [\n    ### END SOLUTION\n    x]\n",
                4,
                "in two",
            ),
            (
                FUNCTION
                + "    y = [\n    ### BEGIN SOLUTION\n    x\n    ### END SOLUTION\n    ]\n",
                5,
                "several lines",
            ),
            (
                FUNCTION + "    y = '''\n    ### BEGIN SOLUTION\n    ### END SOLUTION\n    '''\n",
                5,
                "several lines",
            ),
            (
                FUNCTION + "    if x:\n        ### BEGIN SOLUTION\n        y = 1\n    else:\n"
                "        y = 2\n        ### END SOLUTION\n    return y\n",
                5,
                "in two",
            ),
            (
                FUNCTION + "  ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n",
                4,
                "indented",
            ),
            (FUNCTION + "    ### BEGIN SOLUTION\n    return x\n### END SOLUTION\n", 4, "indented"),
            (FUNCTION + "    ### begin solution\n    return x\n", 4, "looks like a marker"),
            (FUNCTION + "    ## BEGIN SOLUTION\n    return x\n", 4, "looks like a marker"),
            (FUNCTION + "    ### BEGIN SOLUTIONS\n    return x\n", 4, "looks like a marker"),
            (FUNCTION + "    ### BEGIN SOLUTON\n    return x\n", 4, "looks like a marker"),
            (FUNCTION + "    ###END SOLUTION\n    return x\n", 4, "looks like a marker"),
            (FUNCTION + "    y = x  ### SOLUTION\n    return y\n", 4, "outside functions"),
            ("# %%\nx, y = 1, 2  ### SOLUTION\n", 2, "one name"),
            ("# %%\nx = y = 1  ### SOLUTION\n", 2, "one name"),
            ("# %%\nx.y = 1  ### SOLUTION\n", 2, "one name"),
            ("# %%\nx += 1  ### SOLUTION\n", 2, "one name"),
            ("# %%\nprint(1)  ### SOLUTION\n", 2, "one name"),
            ("# %%\nz = 0; x = 1  ### SOLUTION\n", 2, "one name"),
            ("# %%\n### SOLUTION\n", 2, "one name"),
            ("# %%\nx = [1,  ### SOLUTION\n     2]\n", 2, "one line"),
            ("# %%\nx = [1,\n     2]  ### SOLUTION\n", 3, "one line"),
            ("# %%\nx = 1  ### SOLUTION here\n", 2, "looks like a marker"),
            ("# %%\nx = (  ### SOLUTION\n", 2, "not Python"),
            ("# %% [markdown]\n# Text\n# ### BEGIN SOLUTION\n", 3, "markdown cell"),
            ("# %% [markdown]\n# ### SOLUTION\n", 2, "markdown cell"),
            ('# %% tags=["solution"]\nx = 1  ### SOLUTION\n', 2, "left out whole"),
            ('# %% tags=["solutions"]\nx = 1\n', 1, "is not known"),
            ('# %% tag=["solution"]\nx = 1\n', 1, "not a cell's first line"),
            ('# %% tags=["solution"\nx = 1\n', 1, "not a cell's first line"),
            ('# %% tags="solution"\nx = 1\n', 1, "not a cell's first line"),
            ("def f(x):\n    # %%\n    return x\n", 1, "stands nothing"),
            ("# %%\nif 1:\n    # %%\n    x = 1\n", 3, "not a cell's first line"),
            ("# %% [md]\n# x\n", 1, "not a cell's first line"),
            ("# %% a title\nx = 1\n", 1, "not a cell's first line"),
            ("# %%\nx = 1\n\n# %%\n\n# %%\ny = 1\n", 4, "empty cell"),
            ("x = 1\n# %%\ny = 1\n", 1, "stands nothing"),
            ("", 1, "stands nothing"),
            ('# %% tags=["nbval-ignore-output"]\nx = 1\n', 2, "its reason"),
        ],
    )
    def test_with_file_and_line(self, tmp_path, text, line, words):
        with pytest.raises(BuildError) as refused:
            convert(write(tmp_path, text))
        assert str(refused.value).startswith(f"course/01_little.py:{line}: ")
        assert words in str(refused.value)

    def test_a_cell_start_inside_a_string(self, tmp_path):
        with pytest.raises(BuildError, match=r"course/01_little\.py.*inside a string"):
            convert(write(tmp_path, "# %%\nx = '''\n# %%\n'''\n"))

    def test_not_utf8(self, tmp_path):
        path = write(tmp_path, "")
        path.write_bytes("# %%\nx = 'é'\n".encode("latin-1"))
        with pytest.raises(BuildError, match="UTF-8"):
            convert(path)

    def test_ordinary_words_are_no_markers(self, tmp_path):
        exercise, solution = converted(
            tmp_path,
            """\
            # %% [markdown]
            # ### Solution of the quadratic
            #
            # ### Begin here

            # %%
            # the solution of x² = 4
            solution = 2

            # %% tags=["nbval-ignore-output"]
            # nbval: a sampler's draws differ between machines
            print(3)
            """,
        )
        assert [c.source for c in exercise.cells] == [c.source for c in solution.cells]
        assert exercise.cells[2].metadata == {"tags": ["nbval-ignore-output"]}


class TestBlanks:
    def test_a_region_that_is_the_whole_body(self, tmp_path):
        exercise, solution = converted(
            tmp_path,
            '''\
            # %%
            @decorated
            def f(
                x,
                y=(1, 2),
            ):
                """Doc, line one.

                Line two.
                """
                ### BEGIN SOLUTION
                return x

                ### END SOLUTION
            ''',
        )
        signature = (
            "@decorated\ndef f(\n    x,\n    y=(1, 2),\n):\n"
            '    """Doc, line one.\n\n    Line two.\n    """\n'
        )
        assert code(exercise) == [signature + "    # YOUR CODE HERE\n    raise NotImplementedError"]
        assert code(solution) == [signature + "    return x\n"]

    def test_several_regions_in_one_cell_a_method_a_loop_and_a_branch(self, tmp_path):
        exercise, _ = converted(
            tmp_path,
            """\
            # %%
            %matplotlib inline
            class A:
                def method(self, xs):
                    for x in xs:
                        ### BEGIN SOLUTION
                        self.last = x
                        ### END SOLUTION
                    try:
                        pass
                    except ValueError:
                        ### BEGIN SOLUTION
                        self.failed = True
                        ### END SOLUTION
                    return (self.last
                            % 3)

            async def g(x):
                match x:
                    case 1:
                        ### BEGIN SOLUTION
                        return "one"
                        ### END SOLUTION
            k = f(3)  # why ### SOLUTION
            """,
        )
        (source,) = code(exercise)
        assert source.count("raise NotImplementedError") == 3
        assert "            # YOUR CODE HERE\n            raise NotImplementedError\n" in source
        assert source.endswith("\nk = ...  # YOUR ANSWER HERE")
        for secret in ("self.last = x", "self.failed", '"one"', "f(3)", "why"):
            assert secret not in source
        ast.parse(source.replace("%matplotlib inline", ""))

    def test_the_guard_notices_a_region_that_was_not_blanked(self, tmp_path, monkeypatch):
        from latentsteps.authoring import notebooks

        monkeypatch.setattr(
            notebooks, "_rewritten", lambda cell, blanks, which: cell.source.replace("###", "")
        )
        with pytest.raises(BuildError, match=r"course/01_little\.py:5: .*would stand in"):
            converted(
                tmp_path,
                FUNCTION + "    ### BEGIN SOLUTION\n    return x + 1\n    ### END SOLUTION\n",
            )


NAMES = st.sampled_from(["x", "y", "value", "μ"])
NUMBERS = st.integers(1000, 9999)
STATEMENTS = st.one_of(
    st.builds("{0} = x + {1}".format, NAMES, NUMBERS),
    st.builds("# the number {0} is a comment".format, NUMBERS),
    st.builds("if x < {0}:\n    y = {0}\nelif x:\n    y = {1}".format, NUMBERS, NUMBERS),
    st.builds("for i in range(3):\n\n    x += {0}".format, NUMBERS),
    st.builds("value = [\n    {0},\n    {1},\n]".format, NUMBERS, NUMBERS),
    st.builds("text = '''\n  {0}\n'''".format, NUMBERS),
    st.builds("def helper_{0}():\n    return {0}".format, NUMBERS),
    st.builds("return x * {0}".format, NUMBERS),
)


@st.composite
def marked_functions(draw):
    """A function's source with one region, the region's lines, and the source without markers."""
    before = draw(st.lists(STATEMENTS.filter(lambda s: "return x" not in s), max_size=2))
    region = draw(
        st.lists(STATEMENTS, min_size=1, max_size=4).filter(
            lambda parts: any(not part.startswith("#") for part in parts)
        )
    )
    after = draw(st.lists(STATEMENTS, max_size=2))
    head = ["def f(x, y=1):", *draw(st.sampled_from([[], ['    """Doc."""']]))]
    indented = [
        textwrap.indent("\n".join(part) + "\n", "    ") if part else ""
        for part in (before, region, after)
    ]
    marked = (
        indented[0]
        + "    ### BEGIN SOLUTION\n"
        + indented[1]
        + "    ### END SOLUTION\n"
        + indented[2]
    )
    head_text = "\n".join(head) + "\n"
    return (
        head_text + marked,
        indented[1].split("\n"),
        head_text + "".join(indented),
        head_text + indented[0] + indented[2],
    )


@given(marked_functions())
def test_any_blank_compiles_raises_and_holds_nothing_of_its_solution(tmp_path_factory, drawn):
    marked, secret, whole, kept = drawn
    path = write(tmp_path_factory.getbasetemp() / "drawn", "# %%\n" + marked)
    exercise, solution = convert(path)
    (blank,), (complete,) = code(exercise), code(solution)
    names: dict = {}
    exec(compile(blank, "blank", "exec"), names)
    with pytest.raises(NotImplementedError):
        names["f"](2)
    for line in secret:
        if line.strip() not in ("", "]", "'''") and line not in kept.split("\n"):
            assert line not in blank.split("\n")
    numbers = {word for line in secret for word in line.split() if word.isdigit()}
    assert not {n for n in numbers if len(n) == 4 and n in blank and n not in kept}
    assert ast.dump(ast.parse(complete)) == ast.dump(ast.parse(whole))


def problems(root, units=()):
    return building.check(units, root)


def edit(root, folder, change):
    """Change a notebook's JSON by ``change(notebook)`` and write it as the build would."""
    path = root / folder / "01_little.ipynb"
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    change(notebook)
    path.write_text(serialise(notebook), encoding="utf-8")


def set_source(notebook):
    notebook.cells[1].source += "\nx = 1"


def set_id(notebook):
    notebook.cells[1].id = "01-900"


def set_tag(notebook):
    notebook.cells[1].metadata["tags"] = ["nbval-ignore-output"]


def set_metadata(notebook):
    notebook.cells[1].metadata["collapsed"] = True


def set_type(notebook):
    cell = nbformat.v4.new_raw_cell(notebook.cells[1].source, id="01-001")
    notebook.cells[1] = cell


def delete_cell(notebook):
    del notebook.cells[1]


def add_cell(notebook):
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell("more", id="01-901"))


def repeat_cell(notebook):
    notebook.cells.insert(2, notebook.cells[1])


def move_cell(notebook):
    notebook.cells[1], notebook.cells[2] = notebook.cells[2], notebook.cells[1]


class TestCheck:
    def test_finds_nothing_after_a_build(self, built):
        assert problems(built) == []
        assert problems(built, ["01"]) == []

    @pytest.mark.filterwarnings("ignore:Non-unique cell id")
    @pytest.mark.parametrize("folder", ["exercises", "solutions"])
    @pytest.mark.parametrize(
        ("change", "cell"),
        [
            (set_source, "01-001"),
            (set_id, "01-900"),
            (set_tag, "01-001"),
            (set_metadata, "01-001"),
            (set_type, "01-001"),
            (delete_cell, "01-001"),
            (add_cell, "01-901"),
            (repeat_cell, "01-001"),
            (move_cell, "01-002"),
        ],
    )
    def test_names_file_and_cell(self, course, folder, change, cell):
        edit(course, folder, change)
        found = problems(course)
        assert any(f"{folder}/01_little.ipynb" in line and cell in line for line in found)

    @pytest.mark.parametrize("folder", ["exercises", "solutions"])
    def test_notebook_metadata(self, course, folder):
        edit(course, folder, lambda notebook: notebook.metadata.update(language_info={"name": "p"}))
        assert any(f"{folder}/01_little.ipynb" in p and "metadata" in p for p in problems(course))

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda cell: cell.update(execution_count=None), "never executed"),
            (lambda cell: cell.update(execution_count=7), "executed as number 7"),
            (
                lambda cell: cell.outputs.append(
                    nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
                ),
                "raises E",
            ),
            (
                lambda cell: cell.outputs.append(
                    nbformat.v4.new_output("stream", name="stderr", text="hm")
                ),
                "stderr",
            ),
        ],
    )
    def test_solutions_were_executed_in_order_without_error_or_stderr(self, course, change, words):
        edit(course, "solutions", lambda notebook: change(notebook.cells[2]))
        (line,) = problems(course)
        assert line.startswith("solutions/01_little.ipynb: cell 3 (01-002)")
        assert words in line

    def test_other_outputs_of_a_solution_are_free(self, course):
        edit(course, "solutions", lambda n: n.cells[5].outputs[0].update(text="something else\n"))
        assert problems(course) == []

    def test_an_output_in_an_exercise(self, course):
        output = nbformat.v4.new_output("stream", name="stdout", text="hm")
        edit(course, "exercises", lambda notebook: notebook.cells[1].outputs.append(output))
        (line,) = problems(course)
        assert "exercises/01_little.ipynb: cell 2 (01-001): outputs" in line

    @pytest.mark.parametrize("folder", ["exercises", "solutions"])
    def test_bytes(self, course, folder):
        path = course / folder / "01_little.ipynb"
        path.write_text(path.read_text("utf-8").rstrip("\n"), encoding="utf-8")
        (line,) = problems(course)
        assert line.startswith(f"{folder}/01_little.ipynb")

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", '{"cells": 3}', '{"cells": [{}]}', "\udcff"]
    )
    @pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning")
    def test_what_is_no_notebook(self, course, content):
        path = course / "exercises/01_little.ipynb"
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
        assert any("exercises/01_little.ipynb" in line for line in problems(course))

    def test_a_changed_source_shows_in_both(self, course):
        write(course, UNIT.replace("start = 0", "start = 1 - 1"))
        found = problems(course)
        assert len(found) == 2
        for folder, line in zip(("exercises", "solutions"), found, strict=True):
            assert line.startswith(f"{folder}/01_little.ipynb: cell 3 (01-002): line 3 is ")
            assert "'    start = 1 - 1'" in line

    def test_a_changed_solution_shows_in_the_solution_alone(self, course):
        write(course, UNIT.replace("result = partial + y", "result = y + partial"))
        (line,) = problems(course)
        assert line.startswith("solutions/01_little.ipynb: cell 3 (01-002): line 5 is ")

    def test_sources_without_notebooks_and_notebooks_without_sources(self, course):
        (course / "course/01_little.py").rename(course / "course/02_renamed.py")
        found = problems(course)
        for folder in ("exercises", "solutions"):
            assert any(line.startswith(f"{folder}/02_renamed.ipynb: missing") for line in found)
            assert any(line.startswith(f"{folder}/01_little.ipynb: there is no") for line in found)

    def test_executes_and_writes_nothing(self, course, monkeypatch):
        monkeypatch.setattr(building, "kernel", None)
        monkeypatch.setattr(building, "write_whole", None)
        assert problems(course) == []


class TestUnits:
    def test_one_is_built_and_the_others_left(self, course):
        write(course, "# %%\nprint(1)\n", name="02_other")
        building.build(["02"], course, say=lambda line: None)
        assert (course / "solutions/02_other.ipynb").exists()
        assert problems(course) == []

    def test_unknown(self, course):
        with pytest.raises(UnknownUnitError, match=r"'05'.*01_little"):
            building.build(["05"], course)

    @pytest.mark.parametrize("name", ["little", "1_little", "01-little", "01_Little", "01_lit tle"])
    def test_names(self, course, name):
        write(course, UNIT, name=name)
        with pytest.raises(BuildError, match=r"named like 01_some_words"):
            building.sources(course)

    def test_two_of_one_number(self, course):
        write(course, UNIT, name="01_other")
        with pytest.raises(BuildError, match="same number"):
            building.sources(course)

    def test_none(self, tmp_path):
        with pytest.raises(BuildError, match="no units"):
            building.check([], tmp_path)


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def here(self, course, monkeypatch):
        from latentsteps.authoring import workspace

        monkeypatch.setattr(workspace, "find_course", lambda wanted="exercises": course)

    def test_check_is_0_or_1_and_says_where(self, course, capsys):
        assert command_line.main(["build", "--check"]) == 0
        edit(course, "solutions", set_source)
        assert command_line.main(["build", "--check"]) == 1
        assert "solutions/01_little.ipynb: cell 2 (01-001)" in capsys.readouterr().err

    def test_a_build_that_stops_is_1_without_a_traceback(self, course, capsys):
        write(course, UNIT + "\n# %%\n1 / 0\n")
        assert command_line.main(["build"]) == 1
        said = capsys.readouterr().err
        assert "ZeroDivisionError" in said
        assert "Traceback" not in said

    def test_a_build_is_0(self, capsys):
        assert command_line.main(["build", "01"]) == 0
        assert "written" in capsys.readouterr().out

    @pytest.mark.parametrize(
        "words", [["build", "09"], ["fresh", "09"], ["build", "--fast"], ["fresh"], [], ["play"]]
    )
    def test_wrong_usage_is_2(self, words, capsys):
        try:
            code = command_line.main(words)
        except SystemExit as left:
            code = left.code
        assert code == 2
        assert "Traceback" not in capsys.readouterr().err
