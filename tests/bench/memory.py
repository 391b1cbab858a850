"""How much memory this process holds, and has held. Nothing but the standard library."""

from __future__ import annotations

import re
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak() -> int:
    """The largest resident size of this process so far, in bytes."""
    if STATUS.exists():  # Linux; getrusage would count the parent's memory too
        return _line("VmHWM")
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def resident() -> int:
    """The resident size now, in bytes; where the system does not tell, the largest so far."""
    return _line("VmRSS") if STATUS.exists() else peak()


def _line(name: str) -> int:
    return int(re.search(rf"{name}:\s*(\d+) kB", STATUS.read_text())[1]) * 1024
