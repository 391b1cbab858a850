"""The doctor: every bad situation gets its sentence, and this machine gets a report."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import psutil
import pytest

from latentsteps import data, mnist_files
from latentsteps.authoring import doctor, machine
from latentsteps.authoring.doctor import Finding

ROOT = Path(__file__).parents[1]


def assert_says(finding: Finding, state: str, *parts: str) -> None:
    assert finding.state == state, finding
    for part in parts:
        assert part in f"{finding.sentence} {finding.advice}"
    # What is not in order always comes with something to do.
    assert finding.advice or state == "ok"


@pytest.mark.parametrize(
    ("version", "state", "part"),
    [
        ((3, 10, 14), "missing", "needs 3.11"),
        ((2, 7, 18), "missing", "This is Python 2.7.18"),
        ((3, 11, 0), "ok", "Python 3.11.0, as in the tests"),
        ((3, 13, 1), "ok", "Python 3.13.1; the tests run on 3.11"),
        ((4, 0, 0), "ok", "Python 4.0.0"),
    ],
)
def test_python(version: tuple[int, ...], state: str, part: str) -> None:
    assert_says(doctor.python(version), state, part)


def test_oldest_python_is_the_packages_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=" + ".".join(map(str, doctor.OLDEST_PYTHON))


REQUIRED = ["numpy", "arviz<1", 'pytest; extra == "test"']
INSTALLED = {"numpy": "2.4.6", "arviz": "0.23.4", "torch": "2.13.0+cpu"}


def test_packages_as_in_the_tests() -> None:
    pinned = {"numpy": "2.4.6", "arviz": "0.23.4", "torch": "2.13.0", "pytest": "9.2.0"}
    assert_says(doctor.packages(REQUIRED, INSTALLED, pinned), "ok", "tested versions")


def test_packages_that_are_absent() -> None:
    finding = doctor.packages(REQUIRED, {"numpy": "2.4.6"}, {"numpy": "1.0"})
    assert_says(finding, "missing", "Not installed: arviz.", "pip install")
    assert "pytest" not in finding.sentence


def test_packages_in_other_versions() -> None:
    finding = doctor.packages(REQUIRED, INSTALLED, {"numpy": "2.0.0", "arviz": "0.23.4"})
    assert_says(finding, "odd", "numpy 2.4.6 (tested: 2.0.0)", "constraints.txt")
    assert "arviz" not in finding.sentence
    many = {f"package-{i}": "1" for i in range(9)}
    finding = doctor.packages([], many, dict.fromkeys(many, "2"))
    assert_says(finding, "odd", "package-5 1", "and 3 more")
    assert "package-6" not in finding.sentence


def test_packages_outside_a_checkout() -> None:
    assert_says(doctor.packages(REQUIRED, INSTALLED, None), "odd", "not a checkout")
    assert_says(doctor.packages(None, INSTALLED, {}), "odd", "itself is not installed")


def test_constraints_are_read_whatever_the_spelling() -> None:
    lines = ["# a comment", "Jinja2==3.1.6", "ast_serialize == 0.13.1  # why", "", "numpy>=2"]
    assert machine.read_constraints(lines) == {"jinja2": "3.1.6", "ast-serialize": "0.13.1"}
    found = machine.constraints()
    assert found is not None
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert len(found) == sum("==" in line for line in lines)


def test_constraints_outside_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("latentsteps.__file__", str(tmp_path / "lib" / "latentsteps" / "x.py"))
    assert machine.constraints() is None


@pytest.mark.parametrize(
    ("size", "state", "part"),
    [
        (None, "ok", "could not be found out"),
        (2 * 10**9, "odd", "2.0 GB, less than the 4 GB"),
        (4 * 10**9 - 1, "odd", "less than"),
        (4 * 10**9, "ok", "4.0 GB"),
        (2**40, "ok", "1099.5 GB"),
    ],
)
def test_memory(size: int | None, state: str, part: str) -> None:
    assert_says(doctor.memory(size), state, part)


def test_memory_is_measured_or_said_to_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    size = machine.memory_in_bytes()
    assert size is not None
    # In a container less than the machine's is allowed.
    assert 10**8 < size <= psutil.virtual_memory().total * 1.01

    def unknown(*arguments: object, **named: object) -> int:
        raise ValueError("unrecognised configuration name")

    monkeypatch.setattr(os, "sysconf", unknown, raising=False)
    monkeypatch.setattr(Path, "read_text", unknown)
    assert machine.memory_in_bytes() is None


def test_a_containers_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda path: "2000000000\n")
    assert machine.memory_in_bytes() == 2_000_000_000
    monkeypatch.setattr(Path, "read_text", lambda path: "max\n")
    assert machine.memory_in_bytes() != 2_000_000_000


@pytest.mark.parametrize(
    ("environment", "state", "part"),
    [
        ({}, "ok", "4 processors."),
        ({"OMP_NUM_THREADS": "4"}, "ok", "4 processors."),
        ({"OMP_NUM_THREADS": "2,1"}, "ok", "4 processors."),
        ({"OMP_NUM_THREADS": "5"}, "odd", "OMP_NUM_THREADS is 5, more than there are processors"),
        ({"MKL_NUM_THREADS": "0"}, "odd", "MKL_NUM_THREADS is '0', which is no number"),
        ({"OPENBLAS_NUM_THREADS": "all"}, "odd", "'all'"),
        ({"OMP_NUM_THREADS": ""}, "odd", "''"),
        ({"OMP_NUM_THREADS": "-1"}, "odd", "'-1'"),
    ],
)
def test_threads(environment: dict[str, str], state: str, part: str) -> None:
    assert_says(doctor.threads(4, environment), state, part)


def test_one_processor_is_said_in_the_singular() -> None:
    assert doctor.threads(1, {}).sentence == "1 processor."
    assert 1 <= machine.usable_cpus() <= (os.cpu_count() or 1)


def test_variables() -> None:
    assert_says(doctor.variables({"LATENTSTEPS_QUIET": ""}), "ok")
    finding = doctor.variables({"LATENTSTEPS_STATIC": "1"})
    assert_says(finding, "odd", "pictures without buttons", "unset")
    assert "QUIET" not in finding.sentence
    assert_says(doctor.variables({"LATENTSTEPS_QUIET": "1"}), "odd", "no progress bar")


def test_cache_is_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert_says(doctor.cache_is_writable(tmp_path), "ok", str(tmp_path))
    assert_says(doctor.cache_is_writable(tmp_path / "new" / "newer"), "ok")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        assert_says(doctor.cache_is_writable(place), "odd", str(place), "LATENTSTEPS_CACHE")
    # Looking makes nothing.
    assert os.listdir(tmp_path) == ["file"]


def test_embedded_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / data.EMBEDDED_FILE
    assert_says(doctor.embedded_digits(path), "ok", "at first use")
    path.write_bytes(b"damaged")
    assert_says(doctor.embedded_digits(path), "odd", str(path), "made again")
    assert path.read_bytes() == b"damaged"
    monkeypatch.setenv("LATENTSTEPS_CACHE", str(tmp_path))
    data.mnist()
    assert_says(doctor.embedded_digits(path), "ok", "Ready")


def test_full_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    monkeypatch.setattr(mnist_files, "SHA256", {"one.gz": sha256_of_abc, "two.gz": sha256_of_abc})
    assert_says(doctor.full_digits(tmp_path, named=False), "ok", "data --full")
    assert_says(doctor.full_digits(tmp_path / "no", named=True), "missing", "one.gz is missing")
    (tmp_path / "one.gz").write_bytes(b"abc")
    finding = doctor.full_digits(tmp_path, named=False)
    assert_says(finding, "odd", "two.gz is missing", "data --full")
    assert "one.gz" not in finding.sentence
    (tmp_path / "two.gz").write_bytes(b"abd")
    finding = doctor.full_digits(tmp_path, named=True)
    assert_says(finding, "missing", "two.gz is not the original file", "unset LATENTSTEPS_DATA")
    (tmp_path / "two.gz").write_bytes(b"abc")
    assert_says(doctor.full_digits(tmp_path, named=True), "ok", str(tmp_path))


def test_browser() -> None:
    assert_says(doctor.browser(lambda name: None), "ok", "Only the tests")
    chrome = {"google-chrome": "/opt/google-chrome"}
    assert_says(doctor.browser(chrome.get), "ok", "/opt/google-chrome")


# The report


def test_report_counts_and_gives_the_exit_status() -> None:
    fine = Finding("ok", "this", "In order.")
    odd = Finding("odd", "that", "Strange.", "Look at it.")
    missing = Finding("missing", "the other", "Not there.", "Get it.")
    text, status = doctor.report([fine, odd])
    assert status == 0
    assert text.endswith("Missing: 0. Odd: 1. Looked at: 2.")
    text, status = doctor.report([fine, odd, missing])
    assert status == 1
    assert [line.split() for line in text.splitlines()[:5]] == [
        ["ok", "this", "In", "order."],
        ["odd", "that", "Strange."],
        ["Look", "at", "it."],
        ["missing", "the", "other", "Not", "there."],
        ["Get", "it."],
    ]


def test_report_wraps_but_never_cuts_a_path() -> None:
    path = "/a-folder/with-hyphens/" + "and-a-long-name/" * 8
    text, _ = doctor.report([Finding("odd", "cache", f"Nothing can be kept in {path} now.", "Go.")])
    assert path in text
    assert all(len(line) <= 100 or path in line for line in text.splitlines())


def test_this_machine_can_be_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTSTEPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LATENTSTEPS_DATA", raising=False)
    monkeypatch.setenv("LATENTSTEPS_STATIC", "1")
    findings = doctor.examine()
    assert len({finding.about for finding in findings}) == len(findings) == 9
    assert {finding.state for finding in findings} <= {"ok", "odd", "missing"}
    by_name = {finding.about: finding for finding in findings}
    assert by_name["Python"].state == by_name["cache"].state == "ok"
    # These tests could not run without the packages.
    assert by_name["packages"].state != "missing"
    assert by_name["variables"].state == "odd"
    assert not (tmp_path / "cache").exists()
    # A plain console, on Windows too, can show it: only a path could bring other letters in.
    text = doctor.report(findings)[0].replace(str(tmp_path), "")
    assert doctor.report(findings)[1] in (0, 1)
    assert text.isascii()


def test_what_is_installed_is_found() -> None:
    found = machine.installed_versions()
    assert found["numpy"] == np.__version__
    assert found["scikit-learn"] == metadata.version("scikit-learn")


def test_what_a_broken_installation_left_behind_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nameless-1.0.dist-info").mkdir()
    half = tmp_path / "half-1.0.dist-info"
    half.mkdir()
    (half / "METADATA").write_text("Metadata-Version: 2.1\nName: half\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = machine.installed_versions()
    assert "numpy" in found
    assert not {"nameless", "half"} & set(found)


@pytest.mark.parametrize("absent", ["numpy", "pooch"])
def test_a_half_finished_installation_can_be_examined(absent: str) -> None:
    code = (
        f"import sys; sys.modules[{absent!r}] = None;"
        "from latentsteps.authoring import doctor; print(doctor.report()[0])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    words = " ".join(ran.stdout.split())
    assert f"missing data They cannot be looked at while {absent} is missing" in words
    assert "browser" in words


def test_a_broken_package_that_does_not_say_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Path:
        raise ImportError("DLL load failed\nwhile importing _multiarray_umath")

    monkeypatch.setattr(data, "cache_folder", broken)
    (finding,) = doctor._examine_data()
    assert_says(finding, "missing", "DLL load failed while importing", "pip install")
    assert "None" not in finding.sentence


def test_examining_loads_nothing_heavy() -> None:
    code = (
        "import sys; from latentsteps.authoring import doctor; doctor.examine();"
        "print([name for name in ('jax', 'torch', 'numpyro', 'mlxtend', 'IPython')"
        " if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
