"""What this machine has: the measurements that the doctor judges."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import latentsteps

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""By these the numerical libraries are told how many threads to use."""


def constraints() -> dict[str, str] | None:
    """The versions in the checkout's constraints.txt; None where latentsteps lies elsewhere."""
    path = Path(latentsteps.__file__).resolve().parents[2] / "constraints.txt"
    if not path.is_file():
        return None
    return read_constraints(path.read_text(encoding="utf-8").splitlines())


def read_constraints(lines: Iterable[str]) -> dict[str, str]:
    """Normalised name to version, from lines like ``numpy==2.4.6``; others are passed over."""
    found = (re.match(r"\s*([\w.-]+)\s*==\s*([^\s;#]+)", line) for line in lines)
    return {normalised(match[1]): match[2] for match in found if match}


def installed_versions() -> dict[str, str]:
    """Normalised name to version of every installed package."""
    found = [package.metadata for package in metadata.distributions()]
    # An installation that broke off leaves packages behind that say neither.
    whole = [about for about in found if "Name" in about and "Version" in about]
    return {normalised(about["Name"]): about["Version"] for about in whole}


def memory_in_bytes() -> int | None:
    """The machine's memory, or what its container is allowed if that is less; None if unknown."""
    sizes: list[int | None] = []
    if sys.platform == "win32":
        sizes.append(_windows_memory())
    else:
        try:
            sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        except (ValueError, OSError):
            sizes.append(None)
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            sizes.append(int(Path("/sys/fs/cgroup", limit).read_text()))
        except (OSError, ValueError):
            sizes.append(None)  # no container, or "max": no limit
    return min((size for size in sizes if size and size > 0), default=None)


def usable_cpus() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def normalised(name: str) -> str:
    """A package's name as all its spellings are compared: small letters, single hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _windows_memory() -> int | None:
    if sys.platform != "win32":
        return None
    import ctypes

    class MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("others", ctypes.c_ulonglong * 6),
        )

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    known = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.total) if known else None
