"""One notebook run in a fresh kernel, cell by cell, as the build and the tests run it."""

from __future__ import annotations

import base64
import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets import default

from latentsteps.authoring.machine import THREAD_VARIABLES

__all__ = ["kernel", "output_problems", "run_cell", "shortened"]

CELL_TIMEOUT = 900
"""Seconds that one cell may take."""


@contextmanager
def kernel(notebook: Any) -> Iterator[NotebookClient]:
    """A client for ``notebook`` with a fresh kernel of this very interpreter, set up as for a
    build: no progress bars, static steppers, one thread, an empty folder to run in, and nothing
    of the user's IPython and matplotlib settings. The kernel is gone when the context is left.
    """
    import matplotlib
    import matplotlib.font_manager  # finds the fonts now, or a cell would say so on stderr

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = {
            **os.environ,
            **dict.fromkeys(THREAD_VARIABLES, "1"),
            "LATENTSTEPS_QUIET": "1",
            "LATENTSTEPS_STATIC": "1",
            "PYTHONHASHSEED": "0",
            "IPYTHONDIR": str(Path(folder, "ipython")),
            "MATPLOTLIBRC": str(Path(matplotlib.get_data_path(), "matplotlibrc")),
        }
        working = Path(folder, "work")
        working.mkdir()
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT,
            kernel_name="python3",
            kernel_manager_class=_ThisPython,
            coalesce_streams=True,
            record_timing=False,
            store_widget_state=False,
            # Else the kernel warns, at each start, that loopback is not encrypted.
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(working)}},
        )
        with client.setup_kernel(env=environment):
            yield client


def run_cell(client: NotebookClient, index: int) -> str | None:
    """Execute one cell of the client's notebook; what went wrong in words, or None."""
    cell = client.nb.cells[index]
    try:
        client.execute_cell(cell, index)
    except CellExecutionError as error:
        return f"raises\n{shortened(f'{error.ename}: {error.evalue}')}"
    except CellTimeoutError:
        return f"takes more than {CELL_TIMEOUT // 60} minutes"
    except DeadKernelError:
        return "ends its Python process"
    for output in cell.get("outputs", []):
        _strip_png(output)
    return None


def output_problems(cells: Sequence[Any]) -> list[tuple[int, str]]:
    """Cells whose outputs a solution must not have, by position from 0, with words for why.

    ``cells`` are of a notebook, of nbformat's kind or plain dicts.
    """
    found = []
    expected = 0
    for position, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        expected += 1
        count = cell.get("execution_count")
        if count is None:
            found.append((position, "was never executed"))
        elif count != expected:
            found.append((position, f"was executed as number {count}, not {expected}"))
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                found.append((position, f"raises {output.get('ename')}"))
            elif output.get("name") == "stderr":
                text = "".join(output.get("text", ""))
                found.append((position, f"writes to stderr\n{shortened(text)}"))
    return found


def shortened(text: str, lines: int = 20, width: int = 200) -> str:
    """``text`` indented, its middle left out where it is long."""
    rows = [row if len(row) <= width else row[:width] + " …" for row in text.strip().split("\n")]
    if len(rows) > lines:
        half = lines // 2
        rows = [*rows[:half], f"… {len(rows) - 2 * half} more lines …", *rows[-half:]]
    return "\n".join("    " + row for row in rows)


class _ThisPython(AsyncKernelManager):
    """Starts the kernel that runs on this interpreter, whatever is installed as "python3"."""

    @default("kernel_spec_manager")
    def _only_native(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])


def _strip_png(output: Any) -> None:
    """Take out of a png what is not picture: texts (the writing program's name and version) and
    the time. A png is a signature of 8 bytes and chunks of length, type, content and checksum."""
    data = output.get("data", {})
    if "image/png" not in data:
        return
    picture = base64.b64decode(data["image/png"])
    kept = [picture[:8]]
    start = 8
    while start < len(picture):
        end = start + 12 + struct.unpack(">I", picture[start : start + 4])[0]
        if picture[start + 4 : start + 8] not in (b"tEXt", b"zTXt", b"iTXt", b"tIME"):
            kept.append(picture[start:end])
        start = end
    data["image/png"] = base64.b64encode(b"".join(kept)).decode("ascii")
