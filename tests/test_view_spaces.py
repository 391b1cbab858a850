"""Which space was scored: the picture of each space, and the two scores of the same clusters."""

from __future__ import annotations

import numpy as np
import pytest

from drawing import assert_legible
from latentsteps.evaluation.spaces import score_spaces
from latentsteps.stepper import Stepper
from latentsteps.trace import run
from latentsteps.views import spaces as view
from vae_runs import drawn

RANDOM = np.random.default_rng(0)
CLUSTERS = np.repeat([2, 5, 9], 20)
TRUTH = np.where(np.arange(60) % 4, CLUSTERS, 2)
SPACES = {
    "pixels": RANDOM.normal(size=(60, 6)) + 0.3 * CLUSTERS[:, None],
    "a drawing": RANDOM.normal(size=(60, 2)) + 3.0 * CLUSTERS[:, None],
    "one number": RANDOM.normal(size=(60, 1)) - 0.2 * CLUSTERS[:, None],
}
VIEW = view.with_clusters(CLUSTERS)


def looked():
    return run(score_spaces(CLUSTERS, TRUTH), SPACES, steps=3)


def test_the_start_says_only_what_is_the_same_everywhere():
    assert VIEW.describe(looked().at(0)) == (
        "State 0: the same 3 clusters of 60 points in pixels (6 dimensions)."
    )


def test_later_states_say_both_scores():
    trace = looked()
    for t, name, size in ((1, "a drawing", "2 dimensions"), (2, "one number", "1 dimension")):
        info = trace.infos[t]
        assert VIEW.describe(trace.at(t)) == (
            f"State {t}: the same 3 clusters of 60 points in {name} ({size}): silhouette "
            f"{info.objective:.2f}, ARI with the labels {info.adjusted_rand:.2f}."
        ).replace("-", "−")
    assert trace.infos[1].objective > trace.infos[0].objective + 0.1
    assert trace.infos[1].adjusted_rand == trace.infos[0].adjusted_rand


def test_the_points_are_the_spaces_own_coordinates_or_principal_components():
    for t, points in enumerate(SPACES.values()):
        main = drawn(looked(), t, VIEW).axes[0]
        assert len(main.lines) == 3
        assert len({line.get_marker() for line in main.lines}) == 3
        for line, cluster in zip(main.lines, (2, 5, 9), strict=True):
            shown, mine = line.get_xydata(), cluster == CLUSTERS
            if points.shape[1] > 2:
                left, scales, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
                expected = np.abs(left * scales)[mine, :2]
                np.testing.assert_allclose(np.abs(shown), expected, rtol=1e-6, atol=1e-9)
            elif points.shape[1] == 2:
                np.testing.assert_array_equal(shown, points[mine])
            else:
                np.testing.assert_array_equal(shown[:, 0], points[mine, 0])
    assert drawn(looked(), 0, VIEW).axes[0].get_title(loc="left") == "pixels · state 0"


def test_large_spaces_are_thinned_alike():
    clusters = np.arange(4000) % 7
    spaces = {"one": np.arange(8000.0).reshape(4000, 2), "two": -np.arange(8000.0).reshape(4000, 2)}
    trace = run(score_spaces(clusters, clusters, sample=200), spaces, steps=1)
    shown = [
        np.concatenate(
            [
                line.get_xdata()
                for line in drawn(trace, t, view.with_clusters(clusters)).axes[0].lines
            ]
        )
        for t in range(2)
    ]
    assert len(shown[0]) == view.MOST
    np.testing.assert_array_equal(shown[0], -shown[1])


def test_the_bars_are_the_silhouettes_so_far_and_the_line_the_index():
    trace = looked()
    for t in range(4):
        side = drawn(trace, t, VIEW).axes[1]
        widths = [bar.get_width() for bar in side.patches]
        np.testing.assert_allclose(
            widths, [info.objective for info in trace.infos[: min(t + 1, 3)]]
        )
        assert side.lines[0].get_xdata()[0] == trace.infos[0].adjusted_rand
        words = [text.get_text() for text in side.texts]
        assert [name for name in words if name in SPACES] == list(SPACES)


@pytest.mark.parametrize("size", [VIEW.size, (4.6, 5.6), (3.6, 4.4)])
@pytest.mark.parametrize("t", [0, 2])
def test_every_picture_is_opaque_and_keeps_its_text_inside(size, t):
    assert_legible(drawn(looked(), t, VIEW, size))


def test_clusters_that_do_not_fit_are_refused_in_words():
    with pytest.raises(ValueError, match="one name a point"):
        view.with_clusters(np.ones((3, 2)))
    with pytest.raises(ValueError, match="59 clusters for 60 points"):
        drawn(looked(), 0, view.with_clusters(CLUSTERS[1:]))


def test_a_stepper_goes_through_the_spaces():
    stepper = Stepper(lambda: score_spaces(CLUSTERS, TRUTH), SPACES, VIEW)
    first = stepper.panel.image.value
    stepper.player.step()
    assert stepper.panel.image.value != first
    assert "a drawing" in stepper.panel.description.value
