"""The learner's folder: units are copied into it once and are the learner's from then on.

Nothing here ever overwrites a notebook. What each copy was made from is noted in the folder, so
that a course that has moved on can say so, and :func:`fresh` puts its newer version beside the
learner's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

__all__ = ["UnknownUnitError", "find_course", "find_unit", "fresh", "lab", "prepare", "write_whole"]

FOLDER = "my-course"
NOTES = ".latentsteps"
"""In the learner's folder: which version each notebook is a copy of, and JupyterLab's layout."""
PROMPT = (
    "--ServerApp.kernel_websocket_connection_class=latentsteps.authoring.websocket.PromptConnection"
)
"""JupyterLab's option for steppers that answer without delay."""
QUIET_LAB = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
}


class UnknownUnitError(ValueError):
    """A unit was asked for that the course does not have."""


def find_course(wanted: str = "exercises") -> Path:
    """The checkout: where the package lies (as ``pip install -e`` leaves it there), or else the
    current folder or one above it. It holds a folder named ``wanted``.

    Raises FileNotFoundError where neither does.
    """
    places = [Path(__file__).resolve().parents[3], Path.cwd(), *Path.cwd().parents]
    for place in places:
        if (place / wanted).is_dir() and (place / "lib" / "latentsteps").is_dir():
            return place
    raise FileNotFoundError(
        f"The course (a folder with {wanted}/ and lib/latentsteps/ in it) is neither where the "
        "package is installed from nor here; go to the course's folder and try again."
    )


def find_unit(name: str, known: Sequence[str]) -> str:
    """The full name of a unit given by number (``"01"`` or ``"1"``) or by name.

    Raises :class:`UnknownUnitError`, which says what there is.
    """
    for unit in known:
        number = unit.split("_")[0]
        if name in (unit, number, number.removeprefix("0")):
            return unit
    raise UnknownUnitError(
        f"There is no unit {name!r}. There is: {', '.join(sorted(known)) or 'none yet'}."
    )


def prepare(
    target: Path | str = FOLDER, root: Path | None = None, say: Callable[[str], object] = print
) -> Path:
    """Copy the units that are not yet in ``target`` there, and return it.

    ``target`` is taken from the course's folder ``root`` where it is not absolute. A notebook that
    is there is left as it is; where the course has a newer version of it, that is said.

    Raises FileNotFoundError where there is no course or it holds no notebooks, and OSError where
    the folder cannot be written.
    """
    root = root or find_course()
    target = root / target
    units = _units(root)
    copies = _copies(target, say)
    for name, source in units.items():
        content = source.read_bytes()
        place = target / source.name
        if not place.exists():
            _copy(content, place, copies)
            say(f"unit {name[:2]}: {place.name} is new in {target}")
        elif _is_news(name, content, target, copies):
            say(
                f"unit {name[:2]} has a newer version; `python -m latentsteps fresh {name[:2]}` "
                "puts it beside yours"
            )
    return target


def fresh(
    unit: str,
    target: Path | str = FOLDER,
    root: Path | None = None,
    say: Callable[[str], object] = print,
) -> Path:
    """A new copy of a unit, beside the ones that are there: its path.

    The first is named like the unit, the next ``01_words.fresh-2.ipynb``, and so on. Raises as
    :func:`prepare`, and :class:`UnknownUnitError`.
    """
    root = root or find_course()
    target = root / target
    units = _units(root)
    name = find_unit(unit, list(units))
    place = target / f"{name}.ipynb"
    number = 1
    while place.exists():
        number += 1
        place = target / f"{name}.fresh-{number}.ipynb"
    _copy(units[name].read_bytes(), place, _copies(target, say))
    say(f"unit {name[:2]}: {place} is a new copy; what was there is as it was")
    return place


def lab(arguments: Sequence[str] = (), root: Path | None = None) -> int:
    """:func:`prepare`, then JupyterLab in the learner's folder until it is stopped: its exit code.

    It listens on this machine alone, asks for its token, and fetches nothing from the network: no
    news, no updates, no list of extensions. ``arguments`` are handed on to it. The user's own
    settings are neither changed nor ignored; the layout of open tabs is the course's own.
    """
    if find_spec("jupyterlab") is None:
        raise FileNotFoundError(
            "JupyterLab is not installed for this Python; `pip install -e .` in the course's "
            "folder brings it."
        )
    folder = prepare(root=root)
    command = lab_command(folder, arguments)
    environment = {
        **os.environ,
        # A "python3" that the user once installed for themselves would else come before this one.
        "JUPYTER_PREFER_ENV_PATH": "1",
        # JupyterLab asks npm, where there is one, for a folder; npm would look for updates.
        "NPM_CONFIG_UPDATE_NOTIFIER": "false",
    }
    if os.name == "nt":  # there, exec returns to the shell while the program still runs
        import subprocess

        return subprocess.call(command, env=environment)
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def lab_command(folder: Path, arguments: Sequence[str]) -> list[str]:
    """The command that :func:`lab` runs; writes the settings it names into ``folder``."""
    notes = folder / NOTES
    # Without this JupyterLab asks, at the first start, whether it may fetch news.
    write_whole(notes / "settings" / "overrides.json", json.dumps(QUIET_LAB, indent=1) + "\n")
    start = "00_start_here.ipynb"
    page = f"/lab/tree/{start}" if (folder / start).exists() else "/lab"
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url={page}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        PROMPT,
        f"--LabApp.app_settings_dir={notes / 'settings'}",
        f"--LabApp.workspaces_dir={notes / 'workspaces'}",
        # In a container everybody is root, and JupyterLab would refuse to start.
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        *arguments,
    ]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or, if this is interrupted, as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _units(root: Path) -> dict[str, Path]:
    found = {path.stem: path for path in sorted((root / "exercises").glob("*.ipynb"))}
    if not found:
        raise FileNotFoundError(
            f"{root / 'exercises'} holds no notebooks; `python -m latentsteps build` makes them."
        )
    return found


def _copies(target: Path, say: Callable[[str], object]) -> dict[str, str]:
    """The SHA-256 of what each notebook in ``target`` was copied from, by file name."""
    notes = target / NOTES / "copies.json"
    try:
        found = json.loads(notes.read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError):
        say(f"{notes} cannot be read and is begun anew; your notebooks are not touched")
        return {}


def _copy(content: bytes, place: Path, copies: dict[str, str]) -> None:
    # Noted first: interrupted in between, the note names a notebook that is copied next time.
    copies[place.name] = hashlib.sha256(content).hexdigest()
    notes = place.parent / NOTES / "copies.json"
    write_whole(notes, json.dumps(copies, indent=1, sort_keys=True) + "\n")
    write_whole(place, content)


def _is_news(name: str, content: bytes, target: Path, copies: dict[str, str]) -> bool:
    """Whether the course's version is none of those that the copies of this unit were made from."""
    of_unit = [
        digest
        for copy, digest in copies.items()
        if copy.split(".")[0] == name and (target / copy).exists()
    ]
    return bool(of_unit) and hashlib.sha256(content).hexdigest() not in of_unit
