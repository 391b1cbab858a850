"""JupyterLab in Chromium, driven by real clicks and real keys: for the browser tests and the bench.

:func:`chromium` and :func:`jupyterlab` start the two and end them, whatever happens in between.
A :class:`Lab` opens notebooks, a :class:`NotebookPage` runs one, a :class:`StepperOnPage` is
clicked.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

from latentsteps.authoring.workspace import PROMPT

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # Every cell stays in the page, so that a stepper scrolled out of sight can be found.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
SECOND = 1000
"""Playwright counts in milliseconds."""
WAIT = 60 * SECOND

RUN_ALL = """async () => {
    const app = window.jupyterapp;
    await app.restored;
    const widget = app.shell.currentWidget;
    await widget.context.ready;
    await widget.context.sessionContext.ready;
    await app.commands.execute('notebook:run-all-cells');
}"""
ERRORS = """() => {
    const cells = [...window.jupyterapp.shell.currentWidget.content.model.cells];
    return cells.flatMap((cell, place) => (cell.toJSON().outputs || [])
        .filter(output => output.output_type === 'error' || output.name === 'stderr')
        .map(output => `cell ${place}: ${output.ename || output.text}: ${output.evalue || ''}`));
}"""
CHECKS_AGAIN = r"""async () => {
    const app = window.jupyterapp;
    const notebook = app.shell.currentWidget.content;
    const said = cell => JSON.stringify(
        cell.toJSON().outputs.map(({execution_count, ...rest}) => rest));
    const changed = [];
    let checks = 0;
    for (const [place, cell] of [...notebook.model.cells].entries()) {
        if (cell.type !== 'code' || !/\bcheck\.\w+\(\w/.test(cell.sharedModel.source)) continue;
        checks += 1;
        const first = said(cell);
        notebook.activeCellIndex = place;
        await app.commands.execute('notebook:run-cell');
        if (said(cell) !== first) changed.push(`cell ${place}: ${first}, then ${said(cell)}`);
    }
    return [checks, changed];
}"""
IDLE = """() => {
    const session = window.jupyterapp.shell.currentWidget?.context.sessionContext;
    return session?.session?.kernel?.status === 'idle';
}"""
PICTURE = """async image => {
    const answer = await fetch(image.src);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    let text = '';
    bytes.forEach(byte => { text += byte.toString(16).padStart(2, '0'); });
    return text;
}"""


class StepperOnPage:
    """A stepper in the browser. Parts have names: back, step, play, restart, slider, status,
    frame, description, control-NAME."""

    def __init__(self, root: Any) -> None:
        self.root = root

    def part(self, name: str) -> Any:
        """The playwright locator of a part."""
        return self.root.locator(f".latentsteps-{name}")

    def click(self, name: str) -> None:
        """A real click of the mouse on a part."""
        self.part(name).click()

    def press(self, name: str, key: str) -> None:
        """Give a part (the slider: its handle) the focus, then press a key."""
        target = self.part(name)
        if name == "slider":
            target = target.locator(".noUi-handle")
        target.focus()
        target.page.keyboard.press(key)

    def choose(self, control: str, label: str) -> None:
        """Choose in a control's dropdown."""
        self.part(f"control-{control}").locator("select").select_option(label=label)

    def picture(self) -> bytes:
        """The PNG that is shown."""
        return bytes.fromhex(self.part("frame").evaluate(PICTURE))

    def wait_for_another(self, picture: bytes, timeout: float = WAIT) -> None:
        """Wait until another picture is shown: for where no word says when it is there."""
        from playwright.sync_api import expect

        expect(self.part("frame")).to_be_visible()
        for _ in range(int(timeout / 100)):
            if self.picture() != picture:
                return
            self.root.page.wait_for_timeout(100)
        raise AssertionError(f"the picture is the same after {timeout / 1000:.0f} seconds")

    def text(self) -> str:
        """The description below the picture."""
        return self.part("description").inner_text()

    def status(self) -> str:
        """The status line."""
        return self.part("status").inner_text()

    def wait_for(
        self, words: str | re.Pattern[str], part: str = "description", timeout: float = WAIT
    ) -> None:
        """Wait until a part's text contains the words, or what a pattern matches.

        The text is looked at now and then, so ask for nothing that stays for a moment only.
        """
        from playwright.sync_api import expect

        expect(self.part(part)).to_contain_text(words, timeout=timeout)

    def walk(self, first: str, second: str) -> None:
        """Take two steps and go back to the start, by mouse and by keyboard: the words are those of
        states 0 and 1, and every picture on the way is the one that belongs there."""
        self.wait_for(first)
        start = self.picture()
        self.click("step")
        self.wait_for(second)
        moved = self.picture()
        assert moved != start
        self.press("step", "Enter")
        self.wait_for("State 2:")
        assert self.picture() not in (start, moved)
        self.press("slider", "ArrowLeft")
        self.wait_for(second)
        assert self.picture() == moved
        self.press("slider", "Home")
        self.wait_for(first)
        assert self.picture() == start

    def click_picture(self, x: float, y: float) -> None:
        """Click on the picture at a share of its width and height, from the upper left."""
        box = self.part("frame").bounding_box()
        self.part("frame").click(position={"x": x * box["width"], "y": y * box["height"]})


class NotebookPage:
    """A notebook open in JupyterLab; ``page`` is playwright's."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def run_all(self, timeout: float = 10 * WAIT) -> None:
        """Run every cell from top to bottom; returns when the kernel is idle."""
        self.page.set_default_timeout(timeout)
        self.page.evaluate(RUN_ALL)
        self.wait_idle(timeout)
        self.page.set_default_timeout(WAIT)

    def wait_idle(self, timeout: float = WAIT) -> None:
        """Wait until no cell runs."""
        self.page.wait_for_function(IDLE, timeout=timeout)
        self.page.wait_for_selector(
            ".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached", timeout=timeout
        )

    def errors(self) -> list[str]:
        """The errors among the outputs, and what went to stderr; the cell's number first."""
        return self.page.evaluate(ERRORS)

    def checks_again(self) -> list[str]:
        """Run each check's cell once more, as a learner would; those that now say otherwise."""
        checks, changed = self.page.evaluate(CHECKS_AGAIN)
        assert checks, "a page without a check"
        return changed

    def outcomes(self) -> list[str]:
        """What the checks and hints on the page say, in order: "passes", "not-yet", ..."""
        boxes = self.page.locator(".latentsteps-check").all()
        return [box.get_attribute("data-outcome") for box in boxes]

    def command(self, name: str, **arguments: Any) -> None:
        """Execute one of JupyterLab's commands: ``notebook:interrupt-kernel``, say."""
        self.page.evaluate(
            "([name, given]) => { window.jupyterapp.commands.execute(name, given); }",
            [name, arguments],
        )

    def stepper(self, place: int = 0) -> StepperOnPage:
        """The stepper that stands at that place on the page, counted from 0."""
        root = self.page.locator(".latentsteps-stepper").nth(place)
        root.wait_for()
        root.locator(".latentsteps-frame").scroll_into_view_if_needed()
        return StepperOnPage(root)

    def steppers(self) -> int:
        """How many steppers the page has."""
        return self.page.locator(".latentsteps-stepper").count()

    def screenshot(self, path: str | Path) -> None:
        """Save what the window shows."""
        self.page.screenshot(path=str(path))

    def close(self) -> None:
        """Shut the notebook's kernel down and close the page."""
        self.page.evaluate(
            "async () => { await window.jupyterapp.shell.currentWidget"
            ".context.sessionContext.shutdown(); }"
        )
        self.page.close()


class Lab:
    """A running JupyterLab on ``folder`` and a browser to look at it with."""

    def __init__(self, address: str, token: str, folder: Path, browser: Any) -> None:
        self.address, self.token, self.folder, self.browser = address, token, folder, browser
        self._opened = 0

    def open(self, notebook: Path | str | nbformat.NotebookNode) -> NotebookPage:
        """Open a copy of a notebook, given as a path or as the thing itself."""
        self._opened += 1
        name = f"notebook_{self._opened}.ipynb"
        if isinstance(notebook, Path | str):
            name = f"{self._opened}_{Path(notebook).name}"
            shutil.copyfile(notebook, self.folder / name)
        else:
            nbformat.write(notebook, self.folder / name)
        page = self.browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(WAIT)
        page.goto(f"{self.address}/lab/tree/{name}?reset&token={self.token}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.content?.model")
        return NotebookPage(page)


class NoBrowserError(RuntimeError):
    """There is no Chromium that can be started; the message says what to install."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium: the system's, else playwright's own."""
    from playwright.sync_api import Error, sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        except Error as error:
            raise NoBrowserError(
                "no Chromium could be started: install the package 'chromium', "
                f"or run 'python -m playwright install chromium' ({str(error).splitlines()[0]})"
            ) from None
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def jupyterlab(browser: Any, base: Path) -> Iterator[Lab]:
    """A JupyterLab on loopback, behind a token of its own, with nobody's settings.

    All it writes stays below ``base``, an empty folder.
    """
    folder = {name: base / name for name in ("notebooks", "config", "data", "runtime", "ipython")}
    folder |= {name: base / name for name in ("settings", "workspaces", "app_settings")}
    for path in folder.values():
        path.mkdir()
    (folder["app_settings"] / "overrides.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder["config"]),
        "JUPYTER_DATA_DIR": str(folder["data"]),
        "JUPYTER_RUNTIME_DIR": str(folder["runtime"]),
        "JUPYTERLAB_SETTINGS_DIR": str(folder["settings"]),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder["workspaces"]),
        "IPYTHONDIR": str(folder["ipython"]),
        "JUPYTER_TOKEN": token,
    }
    environment.pop("LATENTSTEPS_STATIC", None)
    log = base / "lab.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
                "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder['notebooks']}",
                "--LabApp.expose_app_in_browser=True",
                f"--LabApp.app_settings_dir={folder['app_settings']}",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", PROMPT,
            ],
            env=environment, cwd=folder["notebooks"], stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for_server(process, f"{address}/api?token={token}", log)
        yield Lab(address, token, folder["notebooks"], browser)
    finally:
        # The server ends its kernels when it is asked to end.
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_server(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")
