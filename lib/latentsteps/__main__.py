"""The command line: ``python -m latentsteps build | lab | fresh | data | doctor``."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentsteps.data import Digits


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0, 1 where something is wrong, 2 for a wrong command line."""
    for stream in (sys.stdout, sys.stderr):
        # A file or an old console may lack a letter of a folder's name: it becomes a question mark.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "lab":
        parser.error(f"{options.command} does not know {' '.join(rest)}")
    # Each command loads what it needs: `doctor` must run where half of it is missing.
    from latentsteps.authoring.workspace import UnknownUnitError

    try:
        return options.run(options, rest)
    except UnknownUnitError as error:
        return _say(error, 2)
    except OSError as error:
        return _say(f"{error.filename}: {error.strerror}" if error.filename else error, 1)
    except KeyboardInterrupt:
        return _say("Stopped.", 130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m latentsteps",
        description="Latent Steps: a course in which every algorithm can be played and rewound.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    lab = commands.add_parser(
        "lab",
        help="open the course in JupyterLab; your answers stay in my-course/",
        description="Copies units that are not there yet to my-course/, leaving what you have "
        "written alone, and opens JupyterLab there. What else you write is handed on to "
        "JupyterLab: python -m latentsteps lab --no-browser --port 8899",
        allow_abbrev=False,
    )
    lab.set_defaults(run=_lab)

    fresh = commands.add_parser(
        "fresh",
        help="put a new copy of a unit beside yours",
        description="Puts a new copy of a unit into my-course/, beside the ones that are there.",
        allow_abbrev=False,
    )
    fresh.add_argument("unit", metavar="UNIT", help="its number or name: 01")
    fresh.set_defaults(run=_fresh)

    data = commands.add_parser(
        "data",
        help="get the data ready, so that no unit has to wait for them",
        description="Gets the 5,000 digits ready that the course works with (no network needed).",
        allow_abbrev=False,
    )
    data.add_argument(
        "--full", action="store_true", help="fetch all 70,000 digits of MNIST too (11.6 MB)"
    )
    data.set_defaults(run=_data)

    doctor = commands.add_parser(
        "doctor",
        help="say what is missing or odd on this machine",
        allow_abbrev=False,
    )
    doctor.set_defaults(run=_doctor)

    build = commands.add_parser(
        "build",
        help="for authors: make exercises/ and solutions/ from course/",
        description="Makes the notebooks in exercises/ (blanks) and solutions/ (complete, "
        "executed) from the units in course/.",
        allow_abbrev=False,
    )
    build.add_argument(
        "units", metavar="UNIT", nargs="*", help="a unit's number or name: 01; all if none is named"
    )
    build.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail, naming file and cell, where a notebook is not what its source "
        "gives",
    )
    build.set_defaults(run=_build)
    return parser


def _build(options: argparse.Namespace, rest: list[str]) -> int:
    from latentsteps.authoring import build
    from latentsteps.authoring.notebooks import BuildError
    from latentsteps.authoring.workspace import find_course

    root = find_course("course")
    try:
        if not options.check:
            build.build(options.units, root, partial(print, flush=True))
            return 0
        problems = build.check(options.units, root)
    except BuildError as error:
        return _say(error, 1)
    if not problems:
        print("The notebooks are what their sources give, and every solution was executed.")
        return 0
    return _say(
        "\n".join([*problems, "python -m latentsteps build [UNIT ...] makes them anew."]), 1
    )


def _lab(options: argparse.Namespace, rest: list[str]) -> int:
    from latentsteps.authoring.workspace import lab

    return lab(rest)


def _fresh(options: argparse.Namespace, rest: list[str]) -> int:
    from latentsteps.authoring.workspace import fresh

    fresh(options.unit)
    return 0


def _data(options: argparse.Namespace, rest: list[str]) -> int:
    import os

    from latentsteps import data

    try:
        digits = data.mnist("embedded")
        if data.read_embedded(data.cache_folder() / data.EMBEDDED_FILE) is None:
            # mnist() has just said why, and what to do.
            return _say(f"{_size(digits)} digits are there, but could not be kept.", 1)
        print(f"{_size(digits)} digits are ready in {data.cache_folder()}")
        if options.full:
            digits = data.mnist("full")
            folder = os.environ.get("LATENTSTEPS_DATA") or data.cache_folder()
            print(f"{_size(digits)} digits are ready in {folder}")
    except data.DataError as error:
        return _say(error, 1)
    return 0


def _size(digits: Digits) -> str:
    return f"{len(digits.train_images) + len(digits.test_images):,}"


def _doctor(options: argparse.Namespace, rest: list[str]) -> int:
    from latentsteps.authoring.doctor import report

    text, code = report()
    print(text)
    return code


def _say(message: object, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


if __name__ == "__main__":
    code = main()
    # A shell asks for the code. A notebook's `%run -m latentsteps doctor` would call it an unknown
    # failure of the module, right below what the doctor found.
    if not _in_notebook():
        sys.exit(code)
