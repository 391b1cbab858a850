"""A mixture of binary or grey pictures seen: each cluster's template, its weight, its images.

A template is the picture of a cluster's pixel probabilities. A cluster to which less than half an
image is expected to belong is dead and crossed out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentsteps.inference.em import M_STEP
from latentsteps.trace import Moment
from latentsteps.views import style
from latentsteps.views.mosaic import as_pictures, draw_mosaic


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state: ``moment.state.parameters`` has ``weights`` (K,) and ``probabilities`` (K, D)
    or (K, D, L); the expectations are responsibilities (N, K) or statistics with ``counts``."""
    main, side = style.panels(figure, left=0.25, bottom=0.1, gap=0.8)
    weights, counts, templates = _parts(moment)
    dead = _dead(counts)
    if len(weights) <= 24:
        labels = [f"{w:.2f} · {n:.0f}" for w, n in zip(weights, counts, strict=True)]
        legend = "weight · images"
    else:
        labels = [f"{n:.0f}" for n in counts]
        legend = "images"
    labels = ["empty" if gone else label for gone, label in zip(dead, labels, strict=True)]
    largest = float(np.nanmax(weights)) or 1.0
    draw_mosaic(main, as_pictures(templates), labels, np.nan_to_num(weights) / largest, dead)
    style.set_title(main, moment)
    style.set_legend(main, legend)
    style.objective(side, moment)


def describe(moment: Moment) -> str:
    """How many templates there are, how their weights spread, how many are dead, the objective."""
    weights, counts, _ = _parts(moment)
    k, dead = len(weights), int(_dead(counts).sum())
    low, high = style.number(np.min(weights)), style.number(np.max(weights))
    spread = f"all weights {low}" if low == high else f"weights {low} to {high}"
    half = ", the templates just moved" if getattr(moment.info, "phase", None) == M_STEP else ""
    return (
        f"State {moment.t}: {k} template{'s' * (k != 1)}, {spread}, {dead or 'none'} empty{half}; "
        f"objective {style.number(moment.info.objective)}."
    )


def _parts(moment: Moment) -> tuple[NDArray, NDArray, NDArray]:
    """Weights (K,), counts (K,) and templates (K, D), each between 0 and 1 where they should be."""
    parameters = moment.state.parameters
    weights = np.asarray(parameters.weights, dtype=np.float64)
    templates = np.asarray(parameters.probabilities, dtype=np.float64)
    if templates.ndim == 3:
        # Grey levels: show the mean level.
        levels = templates.shape[2]
        templates = templates @ (np.arange(levels) / max(levels - 1, 1))
    return weights, style.counts_of(moment.state.expectations, len(weights)), templates


def _dead(counts: NDArray) -> NDArray[np.bool_]:
    # Written so that a NaN is dead too.
    return ~(counts >= 0.5)
