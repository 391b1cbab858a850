"""The picture of three bounds: what it says, what it holds, and that clicks choose an image."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.colors import to_hex

from drawing import assert_legible
from latentsteps.models.bounds import Latents, plane, three_bounds
from latentsteps.models.gaussian_mixture import GaussianMixture
from latentsteps.stepper import Stepper
from latentsteps.trace import run
from latentsteps.views import bounds as view
from latentsteps.views import style

SIZES = [view.size, (4.6, 5.6), (3.6, 4.4)]
N = 60


def problem(c=10, d=4, n=N, scale=1.0):
    random = np.random.default_rng(c)
    mixture = GaussianMixture(
        random.dirichlet(np.full(c, 3.0)),
        scale * 2 * random.normal(size=(c, d)),
        random.gamma(4, 0.2, (c, d)),
    )
    mean = scale * 2 * random.normal(size=(n, d)).astype(np.float32)
    log_variance = (0.5 * random.normal(size=(n, d)) - 0.5).astype(np.float32)
    images = random.integers(0, 256, size=(n, 784)).astype(np.uint8)
    return Latents(mean, log_variance, images, mixture)


def traced(steps=12, data=None, **settings):
    return run(three_bounds(**settings), data or problem(), steps=steps)


def drawn(trace, index, size=view.size):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        view.draw(figure, trace.at(index))
        figure.canvas.draw()
    return figure


def test_the_start_says_only_what_is_the_same_everywhere():
    assert view.describe(traced().at(0)) == (
        "State 0: −KL of one image in three ways, after 1 draw of z."
    )
    assert view.describe(traced(draws=10).at(0)).endswith("after 10 draws of z.")


def test_later_states_say_the_three_values():
    trace = traced()
    info = trace.infos[3]
    words = view.describe(trace.at(3))
    assert words.startswith("State 3: 4 draws of z; −KL published −")
    for value in (info.published, info.optimum, info.summed_out):
        assert f"{value:.3f}".replace("-", "−") in words
    assert "±" in words


def test_the_lines_are_the_values_of_all_states_so_far():
    trace = traced(draws=5)
    axes = drawn(trace, 8).axes[1]
    lines = {to_hex(line.get_color()): line for line in axes.lines if len(line.get_xdata()) > 1}
    for colour, name in (
        (view.PUBLISHED, "published"), (view.OPTIMUM, "optimum"), (view.SUMMED_OUT, "summed_out"),
    ):  # fmt: skip
        line = lines[to_hex(colour)]
        np.testing.assert_array_equal(line.get_xdata(), 5 * np.arange(1, 10))
        heights = [getattr(info, name) - info.optimum for info in trace.infos[:9]]
        np.testing.assert_allclose(line.get_ydata(), heights)
        value = f"{getattr(trace.infos[8], name):.3f}".replace("-", "−")
        assert any(value in text.get_text() for text in axes.texts)
    low, high = axes.get_ylim()
    last = trace.infos[8]
    assert low < last.published - last.optimum < last.summed_out - last.optimum < high


def test_a_difference_of_nothing_is_not_magnified():
    data = problem()
    narrow = data._replace(log_variance=np.full_like(data.log_variance, -30))
    low, high = drawn(traced(data=narrow), 12).axes[1].get_ylim()
    assert low <= -view.SMALLEST
    assert high >= view.SMALLEST


def test_the_bars_are_both_qs():
    trace = traced(data=problem(c=3))
    bars = [bar.get_height() for bar in drawn(trace, 6).axes[2].patches]
    np.testing.assert_allclose(bars[:3], trace.infos[6].published_q)
    np.testing.assert_allclose(bars[3:], trace.infos[6].optimum_q)


def test_of_many_clusters_the_likeliest_have_bars():
    trace = traced(data=problem(c=30))
    axes = drawn(trace, 6).axes[2]
    assert len(axes.patches) == 2 * view.BARS
    names = [int(label.get_text()) for label in axes.get_xticklabels()]
    assert int(trace.infos[6].optimum_q.argmax()) in names
    assert names == sorted(names)


def test_the_image_is_ringed_where_it_lies_and_shown():
    data = problem()
    trace = traced(start=7, data=data)
    figure = drawn(trace, 0)
    centre, axes = plane(data.mean)
    ring = figure.axes[0].lines[-1].get_xydata()[0]
    np.testing.assert_allclose(ring, (data.mean[7] - centre) @ axes, rtol=1e-5)
    picture = figure.axes[3].images[0].get_array()
    np.testing.assert_array_equal(picture, data.images[7].reshape(28, 28))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("c", "d", "scale"), [(1, 2, 1.0), (25, 10, 300.0)])
def test_every_picture_is_opaque_and_keeps_its_text_inside(size, c, d, scale):
    trace = traced(steps=40, data=problem(c, d, scale=scale))
    for index in (0, 40):
        assert_legible(drawn(trace, index, size))
    assert view.describe(trace.at(40)).startswith("State 40: 41 draws")


def test_the_plane_stays_where_it_is():
    trace = traced()
    limits = {(a.get_xlim(), a.get_ylim()) for a in (drawn(trace, t).axes[0] for t in (0, 12))}
    assert len(limits) == 1


def test_a_click_chooses_the_nearest_image():
    data = problem()
    live = Stepper(
        three_bounds, data, view, clicks=1,
        controls={"start": {"one": 0, "another": 5}, "draws": [1, 10]},
    )  # fmt: skip
    assert live.trace[0].image == 0
    live.panel.controls["start"].value = 1
    assert live.trace[0].image == 5
    centre, axes = plane(data.mean)
    frame = live._frame(live.player.shown)
    x, y = frame.to_data.inverted().transform((data.mean[11] - centre) @ axes)
    before = live.panel.image.value
    live._click({"dataX": x, "dataY": frame.height - y})
    assert live.trace[0].image == 11
    assert live.panel.image.value != before
    live.player.step()
    assert live.trace[1].draws == 2
    assert live._text.endswith("State 0: −KL of one image in three ways, after 1 draw of z.")
