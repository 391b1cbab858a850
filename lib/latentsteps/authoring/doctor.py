"""What is missing or odd on this machine, in plain words: ``python -m latentsteps doctor``.

Each function below looks at one thing and is handed what it looks at, so that a bad situation can
be tried out without having one. :func:`examine` hands them the real ones. Nothing heavy is
imported, nothing is fetched, and nothing is changed. All but the data can be examined with Python
alone, so that an installation that broke off half-way can be told.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from latentsteps.authoring import machine

OLDEST_PYTHON = (3, 11)
"""Older ones are refused; this one is what the tests run on."""

ENOUGH_MEMORY = 4e9
"""Bytes. With less, the units on the full digits and on networks may end in a killed kernel."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

INSTALL = (
    "In the course's folder run: python -m pip install --constraint constraints.txt --editable ."
)


class Finding(NamedTuple):
    """One thing that was looked at."""

    state: str
    """``"ok"``; ``"odd"``: the course runs, but know this; ``"missing"``: something will fail."""
    about: str
    sentence: str
    advice: str = ""
    """What to do; empty where there is nothing to do."""


def examine() -> list[Finding]:
    """Look at everything, the most basic first."""
    try:
        required = metadata.requires("latentsteps") or []
    except metadata.PackageNotFoundError:
        required = None
    return [
        python(sys.version_info[:3]),
        packages(required, machine.installed_versions(), machine.constraints()),
        memory(machine.memory_in_bytes()),
        threads(machine.usable_cpus(), os.environ),
        variables(os.environ),
        *_examine_data(),
        browser(shutil.which),
    ]


def report(findings: list[Finding] | None = None) -> tuple[str, int]:
    """The findings as text, and the exit status: 1 if something is missing, else 0."""
    findings = examine() if findings is None else findings
    margin = " " * (11 + max((len(finding.about) for finding in findings), default=0))
    wrapper = textwrap.TextWrapper(
        width=100, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
    lines = []
    for state, about, sentence, advice in findings:
        wrapper.initial_indent = f"{state:<9}{about}".ljust(len(margin))
        lines += wrapper.wrap(sentence)
        wrapper.initial_indent = margin
        lines += wrapper.wrap(advice)
    missing = sum(finding.state == "missing" for finding in findings)
    odd = sum(finding.state == "odd" for finding in findings)
    lines += ["", f"Missing: {missing}. Odd: {odd}. Looked at: {len(findings)}."]
    return "\n".join(lines), int(missing > 0)


def python(version: tuple[int, ...]) -> Finding:
    """``version`` as in ``sys.version_info[:3]``."""
    words = ".".join(map(str, version))
    oldest = ".".join(map(str, OLDEST_PYTHON))
    if version < OLDEST_PYTHON:
        return Finding(
            "missing",
            "Python",
            f"This is Python {words}; the course needs {oldest} or newer.",
            f"Install Python {oldest} or newer and make the environment again with it.",
        )
    if version[:2] > OLDEST_PYTHON:
        return Finding("ok", "Python", f"Python {words}; the tests run on {oldest}.")
    return Finding("ok", "Python", f"Python {words}, as in the tests.")


def packages(
    required: list[str] | None, installed: Mapping[str, str], pinned: Mapping[str, str] | None
) -> Finding:
    """Compare what is installed with what is needed and with what the tests ran with.

    ``required`` are requirement lines, of which those with a condition are passed over (None:
    latentsteps itself is not installed); ``installed`` and ``pinned`` map normalised names to
    versions (``pinned`` None: there is no constraints.txt).
    """
    if required is None:
        return Finding("odd", "packages", "latentsteps itself is not installed.", INSTALL)
    needed = [
        machine.normalised(re.split(r"[^\w.-]", line)[0]) for line in required if ";" not in line
    ]
    absent = sorted(name for name in needed if name not in installed)
    if absent:
        return Finding("missing", "packages", f"Not installed: {', '.join(absent)}.", INSTALL)
    if pinned is None:
        return Finding(
            "odd",
            "packages",
            "All that is needed is installed; whether in the tested versions is not known, since "
            "this is not a checkout of the course with its constraints.txt.",
            "If numbers differ from those in the solutions, install from a checkout.",
        )
    # A build's own label, as in 2.13.0+cpu, is no other version.
    other = [
        f"{name} {installed[name]} (tested: {version})"
        for name, version in sorted(pinned.items())
        if name in installed and installed[name].split("+")[0] != version.split("+")[0]
    ]
    if other:
        more = f" and {len(other) - 6} more" if len(other) > 6 else ""
        return Finding(
            "odd",
            "packages",
            f"Other versions than in the tests: {', '.join(other[:6])}{more}.",
            f"If something behaves strangely: {INSTALL[0].lower()}{INSTALL[1:]}",
        )
    return Finding("ok", "packages", "All that is needed is installed, in the tested versions.")


def memory(size: int | None) -> Finding:
    """``size`` in bytes, None where it is not known."""
    if size is None:
        return Finding("ok", "memory", "How much there is could not be found out.")
    words = f"{size / 1e9:.1f} GB"
    if size < ENOUGH_MEMORY:
        return Finding(
            "odd",
            "memory",
            f"{words}, less than the {ENOUGH_MEMORY / 1e9:.0f} GB the course likes to have.",
            "Have one notebook open at a time, close other programs, and stay with the 5,000 "
            "embedded digits. A kernel that dies without a word has run out of memory.",
        )
    return Finding("ok", "memory", f"{words}.")


def threads(cpus: int, environment: Mapping[str, str]) -> Finding:
    """``cpus`` is how many this process may use."""
    odd = []
    for name in machine.THREAD_VARIABLES:
        value = environment.get(name)
        if value is None:
            continue
        # OpenMP takes a list too, one number for each level of nesting.
        numbers = [part.strip() for part in value.split(",")]
        if not all(part.isdecimal() and int(part) > 0 for part in numbers):
            odd.append(f"{name} is {value!r}, which is no number of threads")
        elif int(numbers[0]) > cpus:
            odd.append(f"{name} is {value}, more than there are processors")
    words = f"{cpus} processor{'s' if cpus != 1 else ''}"
    if odd:
        return Finding(
            "odd",
            "threads",
            f"{words}; {'; '.join(odd)}.",
            "Unset it, or set it to the number of processors at most; else things run slowly.",
        )
    return Finding("ok", "threads", f"{words}.")


def variables(environment: Mapping[str, str]) -> Finding:
    """The course's own variables that change what a notebook shows."""
    said = []
    if environment.get("LATENTSTEPS_STATIC"):
        said.append("LATENTSTEPS_STATIC is set, so steppers are pictures without buttons")
    if environment.get("LATENTSTEPS_QUIET"):
        said.append("LATENTSTEPS_QUIET is set, so no progress bar is shown")
    if said:
        return Finding(
            "odd",
            "variables",
            f"{'; '.join(said)}.",
            "Both are for building and testing the notebooks: unset them to work with the course.",
        )
    return Finding("ok", "variables", "None is set that changes what a notebook shows.")


def cache_is_writable(folder: Path) -> Finding:
    """Whether data can be kept in ``folder``, or the folder be made where it does not exist."""
    try:
        place = folder
        while not place.exists() and place != place.parent:
            place = place.parent
        with tempfile.TemporaryFile(dir=place):
            return Finding("ok", "cache", f"Data are kept in {folder}.")
    except OSError as error:
        return Finding(
            "odd",
            "cache",
            f"Nothing can be kept in {folder} ({error.strerror or error}), so data are read anew "
            "each time.",
            "Name a folder that you may write to with LATENTSTEPS_CACHE.",
        )


def _examine_data() -> list[Finding]:
    try:
        from latentsteps import data

        cache = data.cache_folder()
    except ImportError as error:
        # An import that fails in compiled code often does not say whose it is.
        what = error.name or f"a package ({' '.join(str(error).split())[:200]})"
        words = f"They cannot be looked at while {what} is missing or broken."
        return [Finding("missing", "data", words, INSTALL)]
    named = os.environ.get("LATENTSTEPS_DATA")
    return [
        cache_is_writable(cache),
        embedded_digits(cache / data.EMBEDDED_FILE),
        full_digits(Path(named).expanduser() if named else cache, named=bool(named)),
    ]


def embedded_digits(path: Path) -> Finding:
    """The 5,000 digits as they are kept in ``path``."""
    from latentsteps import data

    about = "5,000 digits"
    if data.read_embedded(path) is not None:
        return Finding("ok", about, "Ready.")
    if not os.path.exists(path):
        return Finding("ok", about, "They are made ready at first use, in some seconds.")
    return Finding(
        "odd",
        about,
        f"{path} is damaged, or from another version of the course.",
        "There is nothing to do: it is made again at the next use.",
    )


def full_digits(folder: Path, *, named: bool) -> Finding:
    """MNIST's four files in ``folder``; ``named`` if LATENTSTEPS_DATA names it."""
    from latentsteps import mnist_files

    about = "70,000 digits"
    wrong = mnist_files.problems(folder)
    if not wrong:
        return Finding("ok", about, f"Ready in {folder}.")
    words = ", ".join(f"{name} {problem}" for name, problem in wrong.items())
    if named:
        return Finding(
            "missing",
            about,
            f"LATENTSTEPS_DATA names {folder}, where {words}.",
            "Put MNIST's four original gz files there, or unset LATENTSTEPS_DATA.",
        )
    get = "python -m latentsteps data --full"
    if len(wrong) == len(mnist_files.SHA256) and set(wrong.values()) == {"is missing"}:
        return Finding("ok", about, f"Not here; to fetch them (11.6 MB): {get}")
    return Finding("odd", about, f"In {folder} {words}.", f"To fetch what is wrong: {get}")


def browser(which: Callable[[str], str | None]) -> Finding:
    """``which`` is ``shutil.which``: a program's path, or None."""
    for name in BROWSERS:
        found = which(name)
        if found:
            return Finding("ok", "browser", f"The tests can use {found}.")
    # Nothing odd: a learner needs none, and on macOS and Windows Chrome is never on the PATH.
    return Finding(
        "ok",
        "browser",
        "There is no Chromium or Chrome on the PATH. Only the tests in a browser need one; "
        "notebooks open in any.",
        "To run all tests, install Chromium (on Debian and Ubuntu: apt install chromium).",
    )
