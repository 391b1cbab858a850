"""What every picture of a view has to fulfil."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure


def assert_legible(figure: Figure) -> None:
    """A drawn figure is opaque, and no text of it runs over its edge."""
    assert (np.asarray(figure.canvas.buffer_rgba())[:, :, 3] == 255).all()
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [axes.title, axes._left_title, axes._right_title, *axes.texts]
        texts += [axes.xaxis.label, axes.yaxis.label]
    for text in texts:
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= -1, text
            assert box.y0 >= -1, text
            assert box.x1 <= figure.bbox.width + 1, text
            assert box.y1 <= figure.bbox.height + 1, text
