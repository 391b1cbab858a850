"""Points in D dimensions, looked at before a model works with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_points(x: ArrayLike, who: str) -> NDArray[np.float64]:
    """Points (N, D) as float64, without a copy where they are that already, for the model ``who``.

    Raises ValueError for another shape, for what is no number, for NaN and infinities.
    """
    points = np.asarray(x)
    if points.ndim != 2 or 0 in points.shape:
        raise ValueError(
            f"the data have shape {points.shape}; {who} takes (N, D), one point a row "
            "(x[:, None] makes one column of a list of numbers)"
        )
    if points.dtype.kind not in "biuf":
        raise ValueError(f"the data are of type {points.dtype}; {who} takes numbers")
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if bad.size:
        raise ValueError(
            f"{bad.size} of {len(points)} points hold NaN or an infinity, the first in row "
            f"{bad[0]}; drop them or fill them in"
        )
    return points.astype(np.float64, copy=False)
