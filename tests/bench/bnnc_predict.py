"""Find the clusters of the draws in a file; print as JSON how much memory that took.

Usage: bnnc_predict.py DRAWS.npz; run by ``bnnc_nuts.py``, a process of its own.
"""

import json
import sys

import numpy as np
from memory import peak, resident

from latentsteps.evaluation.prediction import predict

if __name__ == "__main__":
    with np.load(sys.argv[1]) as given:
        position = {name: given[name] for name in given if name not in ("x", "gate")}
        x = given["x"]
    before = resident()
    labels = predict(position, x).labels
    print(json.dumps({"before": before, "peak": peak(), "labels": labels.tolist()}))
