"""The pictures of BNNC, while it runs and when it is done: what they hold, and what they say."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.collections import LineCollection
from scipy.cluster.hierarchy import leaves_list, linkage

from drawing import assert_legible
from latentsteps.evaluation.consensus import partition, similarity
from latentsteps.inference.nuts import NUTSInfo, NUTSState
from latentsteps.models.bnnc import log_gate, responsibilities
from latentsteps.simulated import blobs
from latentsteps.stepper.frames import render
from latentsteps.trace import Algorithm, run
from latentsteps.views import bnnc as view
from latentsteps.views import bnnc_parts, style
from latentsteps.views.bnnc_plot import describe_plot, plot
from latentsteps.views.gaussian_mixture import RADIUS

DATA = blobs(4, n=120)
X = DATA.x
VIEW = style.View(view.draw, view.describe)
LABELLED = view.with_labels("width", "height")
SIZES = [(9.0, 4.0), (4.6, 5.2), (3.6, 4.4)]
K = 6


def position(key, n=2, gate=True, d=2, spread=0.3):
    """The four clusters and two empty components, shaken, in every chain."""
    random = np.random.default_rng(key)
    middles = np.array([X[DATA.labels == c].mean(axis=0) for c in range(4)])
    means = np.concatenate([middles, [[0.0, 40.0], [0.0, -40.0]]])
    means = means + spread * random.normal(size=(n, K, 2))
    weights = np.log([0.25, 0.25, 0.25, 0.25, 1e-300, 1e-30])
    found = {
        "log_weights": np.tile(weights, (n, 1)),
        "means": means[..., :d],
        "scales": 0.8 + 0.2 * random.uniform(size=(n, K, d)),
    }
    if gate:
        found["hidden_weights"] = random.normal(size=(n, d, 10))
        found["output_weights"] = random.normal(size=(n, 10, K))
    return found


def chains(steps, data=X, warmup=3, divergent=(), seed=0, **settings):
    """A run of states as the sampler's are, made up: nothing has to be compiled."""

    def made(key, *_):
        place, t = position(key, **settings), key[1]
        n = len(place["means"])
        values = -100.0 - np.arange(n) - t
        wild = np.arange(n) < (t in divergent)
        info = NUTSInfo(values.mean(), values, np.full(n, 0.8), np.full(n, 7), wild,
                    np.full(n, 0.25), t <= warmup)  # fmt: skip
        return NUTSState(place, None), info

    return run(Algorithm(made, made, "NUTS for BNNC"), data, seed, steps=steps)


def drawn(trace, index, chosen=VIEW, size=(9.0, 4.0)):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        chosen.draw(figure, trace.at(index))
        figure.canvas.draw()
    return figure


def all_draws(trace, first):
    """Positions of the states from ``first``, (chains, draws, ...)."""
    states = [trace[t].position for t in range(first, len(trace))]
    return {name: np.stack([s[name] for s in states], axis=1) for name in states[0]}


def test_the_start_tells_nothing_that_differs_between_machines():
    for trace in (chains(0), chains(0, spread=3.0, gate=False)):
        assert view.describe(trace.at(0)) == (
            "State 0: where 2 chains with 6 components each will start."
        )


def test_a_state_is_described():
    trace = chains(5, divergent=(1, 2, 5))
    assert view.describe(trace.at(2)).startswith(
        "State 2: warm-up; leapfrogs 7 and 7, of step size 0.25 and 0.25; log density −102 and "
        "−103. Occupied components: 4 and 4. Similarities in this warm-up so far: chains differ by "
    )
    last = view.describe(trace.at(5))
    assert "State 5: a draw;" in last
    assert last.endswith("Divergences since the warm-up: 1; in it: 2.")
    assert "Similarities" not in view.describe(chains(1, n=1).at(1))


def test_what_is_occupied_is_counted_for_every_chain():
    trace = chains(20, n=3, spread=9.0)
    view.describe(trace.at(20))
    found = np.array(view._known[trace].occupied)
    for t in range(21):
        r = responsibilities(X, trace[t].position)
        assert [len(np.unique(one.argmax(axis=1))) for one in r] == list(found[t])
    assert len(np.unique(found)) > 2  # the story has several numbers in it
    below = drawn(trace, 20).axes[2]
    np.testing.assert_array_equal([line.get_ydata() for line in below.lines], found.T)


@pytest.mark.parametrize("gate", [True, False])
def test_similarities_are_those_of_the_stages_draws_in_whatever_order(gate):
    trace = chains(45, warmup=20, gate=gate, spread=1.5)
    for t in (0, 5, 45, 44, 21, 10, 45):
        view.describe(trace.at(t) if t else trace.at(0))
        seen = view._seen(trace.at(t))
        first = 0 if t == 0 else 1 if t <= 20 else 21
        assert (seen.first, seen.last) == (first, t)
        for chain, found in enumerate(seen.similarity):
            r = [responsibilities(X, trace[s].position)[chain] for s in range(first, t + 1)]
            whole = similarity(np.stack(r))[np.ix_(seen.rows, seen.rows)]
            # Sums of at most 45 products in single precision.
            np.testing.assert_allclose(found, whole, atol=1e-5)
    assert len(seen.occupied) == 46


def test_of_many_points_some_are_compared_and_the_rest_counted():
    many = np.random.default_rng(0).normal(size=(bnnc_parts.MOST + 100, 2))
    trace = chains(2, data=many)
    seen = view._seen(trace.at(2))
    assert seen.similarity.shape == (2, bnnc_parts.MOST, bnnc_parts.MOST)
    # Evenly among them: 699 steps in 599, none of which skips more than one point.
    chosen = np.sort(seen.rows)
    assert (chosen[0], chosen[-1], set(np.diff(chosen))) == (0, len(many) - 1, {1, 2})
    # Put in order by themselves: the distances of all points would take too much.
    np.testing.assert_array_equal(seen.rows, chosen[leaves_list(linkage(many[chosen], "average"))])


def test_chain_1_is_above_the_diagonal_and_the_others_below():
    trace = chains(6, spread=2.5)
    shown = drawn(trace, 6).axes[1].images[0].get_array()[..., 0] / 255
    low = bnnc_parts.TOGETHER[0]
    found = (1 - shown) / (1 - low)
    one, two = view._seen(trace.at(6)).similarity
    upper = np.triu(np.ones_like(one, dtype=bool), 1)
    assert np.abs(one - two).max() > 0.3
    np.testing.assert_allclose(found[upper], one[upper], atol=0.003)  # 8-bit colours
    np.testing.assert_allclose(found[upper.T], two[upper.T], atol=0.003)


def test_tints_are_the_gates_of_chain_1():
    trace = chains(2)
    main = drawn(trace, 2).axes[0]
    (image,) = main.images
    x0, x1, y0, y1 = image.get_extent()
    assert (main.get_xlim(), main.get_ylim()) == ((x0, x1), (y0, y1))
    first = {name: value[0] for name, value in trace[2].position.items()}
    random, hits = np.random.default_rng(0), 0
    rows, columns = image.get_array().shape[:2]
    for row, column in random.integers(0, [rows, columns], size=(300, 2)):
        at = [[x0 + (column + 0.5) * (x1 - x0) / columns, y0 + (row + 0.5) * (y1 - y0) / rows]]
        wanted = style.tint(int(log_gate(at, first)[:, 0].argmax()), 0.3)
        seen = image.get_array()[row, column]
        hits += np.allclose(seen, wanted)
        assert np.allclose(seen, wanted) or np.allclose(seen, 1)  # white: an edge
    assert hits > 250


@pytest.mark.parametrize("kind", ["none", "covariates"])
def test_without_a_gate_on_the_points_there_are_no_tints(kind):
    data = (X, X[:, ::-1].copy()) if kind == "covariates" else X
    trace = chains(3, data=data, gate=kind == "covariates")
    figure = drawn(trace, 3)
    assert not figure.axes[0].images
    assert figure.axes[0].get_title(loc="right") == "95 % ellipses"
    assert "Occupied components: 4 and 4" in view.describe(trace.at(3))


def test_only_occupied_components_have_an_ellipse_of_95_per_cent():
    trace = chains(4)
    figure = drawn(trace, 4)
    lines = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    assert [len(c.get_segments()) for c in lines] == [4, 4]
    assert len({str(c.get_linestyle()) for c in lines}) == 2
    place = trace[4].position
    away = (lines[1].get_segments()[2] - place["means"][1, 2]) / place["scales"][1, 2]
    np.testing.assert_allclose((away**2).sum(axis=1), RADIUS**2, rtol=1e-9)


def test_the_frame_stays_the_same_along_a_run():
    trace = chains(6, spread=3.0)
    found = {(a.get_xlim(), a.get_ylim()) for a in (drawn(trace, t).axes[0] for t in range(7))}
    assert len(found) == 1


def test_points_that_are_not_in_the_plane_are_refused_in_words():
    with pytest.raises(ValueError, match="points in the plane"):
        drawn(chains(1, data=X[:, :1], d=1), 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("chosen", "n"), [(VIEW, 1), (LABELLED, 2), (VIEW, 3)])
@pytest.mark.parametrize("state", [0, 12])
def test_every_picture_is_opaque_and_keeps_its_text_inside(state, chosen, n, size):
    assert_legible(drawn(chains(12, n=n), state, chosen, size))


def test_two_runs_stand_side_by_side():
    frame = render({"gate": chains(2), "no gate": chains(2, gate=False)}, VIEW, 2)
    assert len(frame.png) > 1000
    assert frame.text.count("State 2:") == 2


# When it is done


def plotted(place, x=X, size=(9.0, 4.0), labels=None):
    with rc_context(style.RC):
        figure = style.new_figure(*size)
        plot(figure, x, place, labels=labels)
        figure.canvas.draw()
    return figure


DRAWS = all_draws(chains(30, spread=0.6), 4)
BARE = {name: value for name, value in DRAWS.items() if name[:6] not in ("hidden", "output")}


def test_the_partition_is_that_of_the_draws():
    labels = partition(similarity(responsibilities(X, DRAWS)))
    data = plotted(DRAWS).axes[0]
    assert len(data.lines) == labels.max() + 1 == 4
    for c, line in enumerate(data.lines):
        np.testing.assert_array_equal(np.transpose(line.get_data()), X[labels == c])
        assert line.get_marker() == style.marker(c)
    given = plotted(DRAWS, labels=DATA.labels % 2).axes[0]
    assert len(given.lines) == 2


def test_a_region_is_the_cluster_that_the_gate_alone_would_choose():
    labels = partition(similarity(responsibilities(X, DRAWS)))
    image = plotted(DRAWS).axes[2].images[0]
    x0, x1, y0, y1 = image.get_extent()
    r = responsibilities(X, DRAWS)  # (S, N, K)
    rows, columns = image.get_array().shape[:2]
    for row, column in np.random.default_rng(0).integers(0, [rows, columns], size=(60, 2)):
        at = [[x0 + (column + 0.5) * (x1 - x0) / columns, y0 + (row + 0.5) * (y1 - y0) / rows]]
        gate = np.exp(log_gate(at, DRAWS)).reshape(-1, K)  # (S, K)
        shared = [(gate[:, None] * r[:, labels == c]).sum(axis=2).mean() for c in range(4)]
        seen = image.get_array()[row, column]
        assert np.allclose(seen, style.tint(int(np.argmax(shared)), 0.3)) or np.allclose(seen, 1)


def test_the_similarity_is_ordered_by_cluster():
    shown = plotted(DRAWS).axes[3].images[0].get_array()[..., 0] / 255
    found = (1 - shown) / (1 - bnnc_parts.TOGETHER[0])
    labels = np.sort(partition(similarity(responsibilities(X, DRAWS))))
    same = labels[:, None] == labels
    assert found[same].mean() > 0.9
    assert found[~same].mean() < 0.1


def test_each_clusters_marker_is_beside_its_rows():
    sizes = [30, 18, 8]
    some = np.concatenate([np.flatnonzero(DATA.labels == c)[:n] for c, n in enumerate(sizes)])
    together = plotted(DRAWS, x=X[some], labels=DATA.labels[some]).axes[3]
    shown = together.images[0].get_array()[..., 0] / 255
    found = (1 - shown) / (1 - bnnc_parts.TOGETHER[0])
    assert [line.get_marker() for line in together.lines] == [style.marker(c) for c in range(3)]
    for size, line in zip(sizes, together.lines, strict=True):
        assert line.get_transform() == together.transAxes
        at = together.transData.inverted().transform(
            together.transAxes.transform((0.5, line.get_ydata()[0]))
        )
        row = found[int(np.rint(at[1]))]
        assert (row > 0.5).sum() == size


@pytest.mark.parametrize("densest", range(4))
def test_the_density_is_highest_in_the_densest_cluster(densest):
    one = {name: value[0, 0].copy() for name, value in BARE.items()}
    one["scales"][densest] = 0.5  # the others' are .8 or more: less than half as high
    heights = plotted(one).axes[1].collections[0]
    highest = heights.get_paths()[-1].vertices
    middle = (highest.min(axis=0) + highest.max(axis=0)) / 2
    np.testing.assert_allclose(middle, one["means"][densest], atol=0.25)  # within half a scale


@pytest.mark.parametrize(
    ("place", "title", "words"),
    [
        (DRAWS, "gate", ["not normalised"]),
        (DRAWS | {"log_normaliser": np.zeros(DRAWS["means"].shape[:2])}, "gate", []),
        (BARE, "no gate", []),
    ],
)
def test_what_is_no_density_is_said(place, title, words):
    figure = plotted(place)
    assert figure.axes[2].get_title(loc="left") == title
    assert [text.get_text() for text in figure.axes[1].texts] == words
    said = describe_plot(X, place)
    assert said.startswith("The partition: 120 points in 4 clusters of 30, 30, 30 and 30.")
    assert ("not normalised" in said) == bool(words)
    assert ("no gate" in said) == (title == "no gate")


def test_one_cluster_and_one_draw_are_drawn():
    one = {name: value[0, 0] for name, value in DRAWS.items()}
    assert_legible(plotted(one, labels=np.zeros(len(X), dtype=int)))
    said = describe_plot(X, one, labels=np.zeros(len(X), dtype=int))
    assert "120 points in one cluster." in said
    assert "between" not in said


def test_what_cannot_be_plotted_is_refused_in_words():
    with pytest.raises(ValueError, match="points in the plane"):
        plotted(DRAWS, x=X[:, :1])
    three = DRAWS | {"hidden_weights": np.zeros((*DRAWS["means"].shape[:2], 3, 10))}
    with pytest.raises(ValueError, match="covariates"):
        plotted(three)
    with pytest.raises(ValueError, match="there are 120 points"):
        plotted(DRAWS, labels=[0, 1])


@pytest.mark.parametrize("size", [(9.0, 2.8), (9.0, 4.0), (9.0, 6.5), (4.6, 5.2)])
@pytest.mark.parametrize("place", [DRAWS, BARE])
def test_every_plot_is_opaque_and_keeps_its_text_inside(place, size):
    assert_legible(plotted(place, size=size))
