"""One JupyterLab and one Chromium for all browser tests.

A test takes the fixture ``lab``, opens a notebook (a copy: Lab saves) and works on its page::

    page = lab.open(notebook)          # a path, or a nbformat notebook made on the fly
    page.run_all()                     # runs every cell, waits until the kernel is idle
    assert page.errors() == []
    stepper = page.stepper(0)          # the first stepper on the page
    stepper.click("step")
    stepper.wait_for("State 1:")

The browser is a system Chromium, else playwright's own. Without either the tests are skipped,
and fail where ``LATENTSTEPS_REQUIRE_BROWSER`` is ``1``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.pages import Lab, NoBrowserError, NotebookPage, chromium, jupyterlab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for all browser tests."""
    try:
        with chromium() as browser, jupyterlab(browser, tmp_path_factory.mktemp("lab")) as running:
            yield running
    except NoBrowserError as error:
        if os.environ.get("LATENTSTEPS_REQUIRE_BROWSER") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def unit(lab: Lab, request: pytest.FixtureRequest) -> Iterator[NotebookPage]:
    """The blank notebook that the test's module names as ``EXERCISE``, run from top to bottom."""
    page = lab.open(Path(__file__).parents[2] / "exercises" / request.module.EXERCISE)
    page.run_all()
    yield page
    page.close()
