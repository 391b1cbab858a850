"""Fit one mixture and print, as JSON, how much memory the process took: run by bernoulli_step.py.

Usage: resident.py IMAGES.npy K
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

from latentsteps.data import binarize_by_threshold
from latentsteps.models.bernoulli_mixture import bernoulli_mixture
from latentsteps.trace import Trace


def peak() -> int:
    """The largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux; getrusage would count the parent's memory too
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) * 1024
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    imported = peak()
    # As a learner has them: binarised by the course's own function.
    images = binarize_by_threshold(255 * np.load(sys.argv[1]))
    start = time.perf_counter()
    trace = Trace(bernoulli_mixture(int(sys.argv[2])), images)
    first = time.perf_counter() - start
    for _ in range(10):
        trace.advance()
    print(json.dumps({"imported": imported, "peak": peak(), "first": first}))
