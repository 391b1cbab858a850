"""The ways into the environment agree: pip by `make`, conda, CI, and what the README promises."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def _dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return project["dependencies"] + [name for extra in extras.values() for name in extra]


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))


def test_conda_installs_in_the_same_words_as_make():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    words = " ".join(next(part["pip"] for part in conda if isinstance(part, dict)))
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    install = re.search(r"^INSTALL := .* pip install (.*)$", make, re.MULTILINE).group(1)
    assert words == f"{install} ."
    assert "\t$(INSTALL) .\n" in make


@pytest.mark.parametrize("dependency", _dependencies())
def test_every_dependency_is_pinned_exactly(dependency):
    name = re.split(r"[<>=! ]", dependency)[0].lower()
    assert name in _pins(), f"{name} is installed but not in constraints.txt"


@pytest.mark.parametrize("name", ["jax", "jaxlib", "numpyro", "torch", "numpy", "scikit-learn"])
def test_what_decides_printed_figures_is_pinned_without_a_build_tag(name):
    """One constraints file serves every build: torch's CPU one and the public one."""
    assert re.fullmatch(r"\d+(\.\d+)+", _pins()[name])


def test_python_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=")
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert f"python={oldest}" in conda
    assert f"({oldest.replace('.', ', ')})" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"Python {oldest}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_and_ci_use_targets_that_exist():
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", make, re.MULTILINE))
    for file in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        named = set(
            re.findall(
                r"(?:^|`)make ([a-z]+)\b", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
            )
        )
        assert named, f"{file} names no make target"
        assert named <= targets, f"{file} names targets that do not exist: {named - targets}"


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    init = (ROOT / "lib/latentsteps/__init__.py").read_text(encoding="utf-8")
    assert str(citation["version"]) == project["version"]
    assert f'__version__ = "{project["version"]}"' in init


FLOORS = (
    {"arviz_quiet", "jax64", "data", "mnist_files", "simulated", "trace"},
    {"inference"},
    {"models"},
    {"evaluation"},
    {"views"},
    {"stepper"},
    {"checks"},
    {"authoring"},
    {"__main__"},
)


def test_no_file_imports_from_a_floor_above_its_own():
    library = ROOT / "lib" / "latentsteps"
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    seen = set()
    for path in library.rglob("*.py"):
        own = path.relative_to(library).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            parts = [name.split(".") for name in names]
            used = {part[1] for part in parts if part[0] == "latentsteps" and len(part) > 1}
            for name in used:
                assert floor[name] <= floor[own], f"{path.relative_to(ROOT)} imports {name}"
            seen |= used
    assert {"trace", "inference", "models", "views", "checks"} <= seen
