"""A walk along a latent dimension: where it goes, what it shows, and that paint is draw."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from matplotlib import rc_context
from PIL import Image

from drawing import assert_legible
from latentsteps.models.traversal import by_size, mean_kl, traversal
from latentsteps.models.vae import posterior, vae_at
from latentsteps.stepper import Stepper
from latentsteps.stepper.frames import render
from latentsteps.trace import Trace, run
from latentsteps.views import style
from latentsteps.views import traversal as view
from vae_runs import IMAGES, drawn, parameters

NETWORK = vae_at(parameters(latent=5, dead=(1, 4), spread=0.5))
KL = mean_kl(NETWORK, IMAGES)
SIZES = [view.size, (4.6, 5.3), (3.07, 5.3), (3.6, 4.4)]


def walked(states=12, **rest):
    return run(traversal(NETWORK, **rest), IMAGES, steps=states)


def test_the_path_goes_from_one_end_to_the_other_and_back():
    trace = walked(5, steps=2, reach=1.5)
    values = [state.values[state.number] for state in trace]
    np.testing.assert_allclose(values, [-1.5, 0, 1.5, 0, -1.5, 0])
    np.testing.assert_array_equal(trace[1].picture, trace[3].picture)


def test_each_picture_is_decoded_with_that_coordinate_and_no_other_moved():
    rank, digit = 2, 7
    trace = walked(digit=digit, start=rank)
    z = posterior(NETWORK, IMAGES[[digit]])[0][0]
    dimension = np.argsort(-KL)[rank]
    for state, value in zip(trace, np.linspace(-3, 3, 13), strict=True):
        place = z.copy()
        place[dimension] = value
        with torch.no_grad():
            expected = torch.sigmoid(NETWORK.decode(torch.from_numpy(place)[None]))[0]
        np.testing.assert_allclose(state.picture, expected, rtol=1e-5)
        assert state.dimension == dimension
        np.testing.assert_array_equal(state.z, z)
    own = torch.sigmoid(NETWORK.decode(torch.from_numpy(z)[None]))[0]
    np.testing.assert_allclose(trace[0].own, own, rtol=1e-5)
    moved = [np.abs(state.picture - trace[0].own).sum() for state in trace]
    np.testing.assert_allclose(trace.objective, moved, rtol=1e-5)
    assert min(moved[0], moved[-1]) > 0.01


def test_dead_dimensions_do_nothing_and_it_is_said():
    for start in (-1, -2, 3):
        trace = walked(start=start)
        assert trace[0].kl[trace[0].dimension] == 0
        assert np.ptp([state.picture for state in trace], axis=0).max() == 0
        words = view.describe(trace.at(6))
        assert words.startswith("State 6: dimension ")
        assert words.endswith("(0 nats, dead), at 0. Nothing moves.")


def test_the_start_says_only_what_is_the_same_everywhere():
    assert view.describe(walked(1).at(0)) == "State 0: of 5 dimensions, number 1 by its KL, at −3."


def test_later_states_say_the_dimension_its_kl_and_what_changed():
    trace = walked()
    dimension = int(np.argmax(KL))
    kl, moved = (style.number(value, 2) for value in (KL[dimension], trace.objective[3]))
    assert view.describe(trace.at(3)) == (
        f"State 3: dimension {dimension}, number 1 of 5 by its KL ({kl} nats), at −1.5. From the "
        f"reconstruction the picture differs by the ink of {moved} pixels."
    )


def test_clicking_a_bar_chooses_its_dimension():
    order = by_size(KL)
    for x, rank in ((-4.0, 0), (0.4, 0), (0.6, 1), (2.9, 3), (77.0, 4)):
        trace = walked(0, start=np.array([[x, 0.1]]))
        assert trace[0].dimension == order[rank]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"digit": 40}, "rows 0 to 39"),
        ({"start": 5}, "ranks go from 0 to 4"),
        ({"start": np.zeros((2, 2))}, "one clicked point"),
        ({"start": np.array([[np.nan, 0.0]])}, "one clicked point"),
        ({"steps": 0}, "1 to 24 steps"),
        ({"reach": -1.0}, "reach is positive"),
    ],
)
def test_what_cannot_be_walked_is_refused_in_words(given, words):
    with pytest.raises(ValueError, match=words):
        walked(0, **given)


def test_a_trace_that_keeps_few_states_replays_the_same():
    trace = Trace(traversal(NETWORK), IMAGES, memory=1)
    for _ in range(20):
        trace.advance()
    for state, same in zip(trace, walked(20), strict=True):
        np.testing.assert_array_equal(state.picture, same.picture)


@pytest.mark.parametrize("steps", [3, 12, 24])
def test_painting_is_drawing(steps):
    trace = walked(2 * steps, steps=steps)
    for t in (0, 2, steps, 2 * steps):
        figure = drawn(trace, t, view, view.size)
        painting = view.paint(trace.at(t))
        expected = np.asarray(figure.canvas.buffer_rgba())[:, :, :3]
        np.testing.assert_array_equal(painting.pixels, expected)
        here = figure.axes[0].transData.inverted().transform((200.0, 300.0))
        np.testing.assert_allclose(painting.to_data.transform((200.0, 300.0)), here)


def test_what_stays_is_drawn_once_a_walk(monkeypatch):
    drawings = []
    still = view._draw_still
    monkeypatch.setattr(view, "_draw_still", lambda *given: drawings.append(1) or still(*given))
    stepper = Stepper(lambda start: traversal(NETWORK, start=start), IMAGES, view,
                      controls={"start": [0, -1]}, clicks=1)  # fmt: skip
    pictures = [stepper.panel.image.value]
    for _ in range(5):
        stepper.player.step()
        pictures.append(stepper.panel.image.value)
    assert len(set(pictures)) == 6
    assert len(drawings) == 1
    stepper.panel.controls["start"].value = 1
    assert len(drawings) == 2
    assert Image.open(BytesIO(stepper.panel.image.value)).size == (1080, 480)


@pytest.mark.parametrize("rank", range(5))
def test_a_click_on_the_painted_picture_finds_the_bar(rank):
    stepper = Stepper(lambda start: traversal(NETWORK, start=start), IMAGES, view,
                      controls={"start": {"largest": 0}}, clicks=1)  # fmt: skip
    frame = stepper._frame(0)
    x, y = frame.to_data.inverted().transform((rank, 0.01))
    # The place is inside the picture, where its bar is.
    assert 0 < x < 600
    assert 60 < frame.height - y < 400
    stepper._click({"dataX": x, "dataY": frame.height - y})
    assert stepper.trace[0].dimension == by_size(KL)[rank]


def test_the_strip_holds_the_pictures_of_the_walk_so_far():
    trace = walked()
    canvas = view.paint(trace.at(4)).pixels
    places = view._places(trace.at(4), canvas.shape[1], canvas.shape[0])
    assert sorted(places.strip) == list(range(13))
    for number, (left, top, scale) in places.strip.items():
        shown = canvas[top : top + 4 * scale : scale, left : left + 4 * scale : scale, 0]
        picture = trace[number].picture.reshape(4, 4)
        expected = np.round(255 * (1 - picture)) if number <= 4 else 255
        np.testing.assert_array_equal(shown, expected)
        framed = (canvas[top - 1, left] == view.PRESENT).all()
        assert framed == (number == 4)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("steps", [1, 12, 24])
def test_every_picture_is_opaque_and_keeps_its_parts_inside_and_apart(size, steps):
    trace = walked(1, steps=steps)
    figure = drawn(trace, 1, view, size)
    assert_legible(figure)
    across, down = round(figure.bbox.width), round(figure.bbox.height)
    places = view._places(trace.at(1), across, down)
    taken = np.zeros((down, across), dtype=int)
    left, top, width, height = places.bars
    assert min(width, height) > 60
    taken[top : top + height, left : left + width] += 1
    for left, top, scale in [*places.singles.values(), *places.strip.values()]:
        assert 0 <= left <= across - 4 * scale
        assert 0 <= top <= down - 4 * scale
        taken[top : top + 4 * scale, left : left + 4 * scale] += 1
    assert taken.max() == 1


def test_a_network_that_has_run_away_is_drawn_and_described():
    values = parameters()
    values["mean.bias"][:] = np.nan
    trace = run(traversal(vae_at(values)), IMAGES, steps=1)
    drawn(trace, 1, view)
    assert view.describe(trace.at(1)).startswith("State 1: ")


def test_beside_another_walk_it_is_drawn():
    lanes = {"largest": walked(), "smallest": walked(start=-1)}
    frame = render(lanes, style.View(view.draw, view.describe, view.size, view.paint), 3)
    assert frame.text.splitlines()[1].startswith("smallest: State 3")
    assert frame.height == round(5.6 * style.DPI)
    with rc_context(style.RC):
        assert Image.open(BytesIO(frame.png)).width == round(9.2 * style.DPI)
