"""`make bench`: side by side with what one would use instead, in one table, in one run.

Usage: run.py [SUBJECT ...], a subject being a file beside this one with a TITLE and a function
``rows()`` that yields the rows of its table. Without a name, all of them in order. Times are
medians; a ratio is to the first row of its case, in the same run: only ratios mean anything on
another machine, or on a busy one.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time

from timing import Row, say, version

SUBJECTS = [
    "bernoulli_step",
    "mnist_likelihood",
    "gaussian_step",
    "mixture_gradient",
    "mixture_nuts",
    "bnnc_nuts",
    "network_epoch",
    "importance_weighted",
    "vae_clusters",
    "neighbour_graph",
]
PACKAGES = [
    "jax",
    "numpyro",
    "arviz",
    "numpy",
    "scikit-learn",
    "torch",
    "stepmix",
    "pomegranate",
    "umap-learn",
]


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(SUBJECTS))
    if unknown:
        say(f"no such subject: {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
        return 2
    began = time.perf_counter()
    print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()};", end=""
    )
    print("", ", ".join(f"{package} {version(package)}" for package in PACKAGES))
    for name in names or SUBJECTS:
        say(name)
        subject = importlib.import_module(name)
        print(f"\n{subject.TITLE}\n")
        print(table(list(subject.rows())), flush=True)
    busy = f"; load average now {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"\n{time.perf_counter() - began:.0f} s in all{busy}")
    return 0


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, aligned for reading as it is; a case is named once."""
    lines = [Row("case", "who", "result", "ratio", "note")]
    for previous, row in zip([None, *rows], rows, strict=False):
        same = previous is not None and previous.case == row.case
        lines.append(row._replace(case="" if same else row.case))
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    rule = Row(*("-" * width for width in widths))
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in [lines[0], rule, *lines[1:]]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
