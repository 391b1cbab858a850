"""VaDE in training seen: the mixture among the latents, what each cluster draws, and the bound.

The latents of some images are points in the plane in which those of state 0 spread most, the same
plane in every state, coloured by the clusters that they may belong to; an ellipse holds 95 % of
what a cluster draws there. Beside them is a column of two digits for each cluster: at its mean, and
at a draw of z from it, the same noise in every state. A bar below is its weight.

Whether clusters are digits is not told unless it is asked for (:func:`with_accuracy`).
"""

from __future__ import annotations

from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

from latentsteps.evaluation.scores import matched_accuracy
from latentsteps.models.bounds import Latents, expected_log_joint, plane
from latentsteps.models.images import probabilities
from latentsteps.models.vade import latents, vade_at
from latentsteps.trace import Moment, Trace
from latentsteps.views import style
from latentsteps.views.bound_parts import is_wide
from latentsteps.views.bounds import draw_clusters
from latentsteps.views.mosaic import as_pictures, draw_mosaic

POINTS = 1000
"""Images that are points in the plane, the first of the data."""
size = (9.4, 5.0)

_known: WeakKeyDictionary[Trace, tuple[NDArray, NDArray, NDArray]] = WeakKeyDictionary()


def draw(figure: style.AnyFigure, moment: Moment) -> None:
    """Draw one state of :func:`latentsteps.models.vade.vade`, pictures only."""
    _draw(figure, moment, None)


def describe(moment: Moment) -> str:
    """The bound, its two terms and the weights; of the start only how many clusters there are."""
    return _describe(moment, None)


def with_accuracy(labels: ArrayLike) -> style.View:
    """The view with the accuracy of the images shown: the best one-to-one naming of clusters.

    ``labels`` (N,), of all images in the data.
    """
    known = np.array(labels)
    return style.View(partial(_draw, labels=known), partial(_describe, labels=known), size)


def accuracy(moment: Moment, labels: NDArray) -> float:
    """Matched accuracy of the images that are shown, in (0, 1]."""
    if len(labels) != len(moment.data):
        raise ValueError(f"there are {len(labels)} labels for {len(moment.data)} images")
    shares = _shares(_encoded(moment))
    return matched_accuracy(shares.argmax(axis=1), labels[: len(shares)])


def _describe(moment: Moment, labels: NDArray | None) -> str:
    clusters, latent = moment.state.parameters["means"].shape
    if not moment.t:
        return f"State 0: {clusters} clusters in {latent} latent dimensions, before joint training."
    weights = softmax(np.asarray(moment.state.parameters["weight_logits"], dtype=np.float64))
    terms = moment.info.terms
    told = ""
    if labels is not None:
        told = f" Accuracy {accuracy(moment, labels):.2f} of the images shown."
    return (
        f"State {moment.t}: −ELBO {style.number(moment.info.objective)} nats an image, distortion "
        f"{style.number(terms['distortion'])} and rate {style.number(terms['rate'])}; weights "
        f"{style.number(weights.min(), 2)} to {style.number(weights.max(), 2)}.{told}"
    )


def _encoded(moment: Moment) -> Latents:
    return latents(vade_at(moment.state), moment.data[:POINTS])


def _shares(encoded: Latents) -> NDArray[np.float64]:
    """The best q(c | x), (N, C)."""
    return softmax(expected_log_joint(encoded.mean, encoded.log_variance, encoded.mixture), axis=1)


def _plane(moment: Moment) -> tuple[NDArray, NDArray, NDArray]:
    """Of state 0: the plane's centre and axes, and the corners of what is shown of it, (2, 2)."""
    if moment.trace not in _known:
        start = moment.trace.at(0)
        mean = _encoded(start).mean
        centre, axes = plane(mean)
        places = (mean - centre) @ axes
        low, high = places.min(axis=0), places.max(axis=0)
        # Clusters draw apart in training.
        room = 0.15 * (high - low)
        _known[moment.trace] = centre, axes, np.stack([low - room, high + room])
    return _known[moment.trace]


def _draw(figure: style.AnyFigure, moment: Moment, labels: NDArray | None) -> None:
    main, mosaic, beside = _places(figure)
    encoded = _encoded(moment)
    centre, axes, corners = _plane(moment)
    draw_clusters(main, encoded.mean, _shares(encoded), encoded.mixture, (centre, axes))
    main.set_xlim(*corners[:, 0])
    main.set_ylim(*corners[:, 1])
    style.set_title(main, moment)
    if labels is not None:
        style.set_legend(main, f"accuracy {accuracy(moment, labels):.2f}")
    _draw_digits(mosaic, moment, encoded)
    _draw_objective(beside, moment)


def _draw_digits(axes: Axes, moment: Moment, encoded: Latents) -> None:
    weights, means, variances = encoded.mixture
    noise = np.random.default_rng(0).standard_normal(means.shape)
    z = np.concatenate([means, means + np.sqrt(variances) * noise])
    at_mean, drawn = np.split(as_pictures(probabilities(vade_at(moment.state), z)), 2)
    narrow = axes.get_window_extent().width / style.DPI < 2.2
    # Where there is no room for them the bars alone tell the weights.
    labels = [str(c) if narrow else f"{c} · {style.number(w, 2)}" for c, w in enumerate(weights)]
    columns = np.concatenate([at_mean, drawn], axis=1)
    draw_mosaic(axes, columns, labels, weights / weights.max())
    axes.set_title("mean, draw" if narrow else "at the mean, and a draw", loc="left")


def _draw_objective(axes: Axes, moment: Moment) -> None:
    style.objective(axes, moment)
    values = moment.objective
    if np.isfinite(values).all():
        # The first epochs may fall far, and would hide the rest.
        late = values[len(values) // 10 :]
        fall = float(np.ptp(late)) or 0.5
        axes.set_ylim(late.min() - 0.1 * fall, min(values.max(), late.max() + fall) + 0.1 * fall)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]))
    style.set_legend(axes, "−ELBO, nats an image")


def _places(figure: style.AnyFigure) -> tuple[Axes, Axes, Axes]:
    """Axes of the plane, the digits and the bound, which is below the digits or below both."""
    width, height = style.inches(figure)
    axes = partial(style.axes_at, figure)

    left, right, top, bottom = 0.15, 0.2, 0.42, 0.5
    low = 0.16 * height
    if is_wide(figure):
        main = 0.47 * width
        x = left + main + 0.25
        rest = width - x - right
        return (
            axes(left, 0.15, main, height - top - 0.15),
            axes(x, bottom + low + 0.45, rest, height - top - bottom - low - 0.45),
            axes(x + 0.42, bottom, rest - 0.42, low),
        )
    low = 0.17 * height
    up = bottom + low + 0.4
    plane_width, high = 0.55 * width, height - top - up
    return (
        axes(left, up, plane_width, high),
        axes(left + plane_width + 0.12, up, width - left - plane_width - 0.27, high),
        axes(0.62, bottom, width - 0.62 - right, low),
    )
