"""Fit one mixture and print, as JSON, how much memory the process took: run by bernoulli_step.py.

Usage: resident.py IMAGES.npy K
"""

import json
import sys
import time

import numpy as np
from memory import peak

from latentsteps.data import binarize_by_threshold
from latentsteps.models.bernoulli_mixture import bernoulli_mixture
from latentsteps.trace import Trace

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
