"""The record of a run: what it keeps, what nobody can change in it, when a run ends."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from latentsteps.data import old_faithful
from latentsteps.inference.em import bound, em, soft
from latentsteps.trace import Algorithm, Trace, relative, run


class Walk(NamedTuple):
    position: np.ndarray


class Seen(NamedTuple):
    objective: float
    where: Any = None


def random_walk(size: int = 4, direction: str = "none") -> Algorithm:
    """A walk whose every step depends on its key, the state before and the data."""

    def init(key, data):
        return Walk(np.zeros(size)), Seen(0.0)

    def step(key, state, data):
        moved = 0.9 * state.position + data + np.random.default_rng(key).normal(size=size)
        return Walk(moved), Seen(float(moved.sum()), key)

    return Algorithm(init, step, "walk", direction)


def replayed(objective, direction: str = "up", rounding: float = 1e-9) -> Trace:
    """A trace with exactly this objective."""

    def init(key, data):
        return (), Seen(objective[0])

    def step(key, state, data):
        return (), Seen(objective[key[1]])

    return run(Algorithm(init, step, "replay", direction, rounding), None, steps=len(objective) - 1)


def changes(*sizes: float, start: float = -500.0) -> np.ndarray:
    return start + np.concatenate([[0.0], np.cumsum(sizes)])


def near_mean_mixture(distance: float, half_steps: bool = False) -> Algorithm:
    """EM for two Gaussians of one variance each, started ``distance`` off the common mean:
    close to a saddle, where both components are the one Gaussian that fits all the data."""

    def log_joint(x, parameters):
        weights, means, variances = parameters
        quadratic = (x[:, None] - means) ** 2 / variances
        return np.log(weights) - 0.5 * (np.log(2 * np.pi * variances) + quadratic)

    def m_step(x, q, old):
        counts = q.sum(axis=0)
        means = x @ q / counts
        variances = (q * (x[:, None] - means) ** 2).sum(axis=0) / counts
        return counts / len(x), means, variances

    def init(key, x):
        means = x.mean() + distance * np.array([-1.0, 1.0])
        return np.array([0.5, 0.5]), means, np.array([x.var(), x.var()])

    return em(
        init=init,
        e_step=lambda x, parameters: soft(log_joint(x, parameters)),
        m_step=m_step,
        objective=lambda x, parameters, q: bound(log_joint(x, parameters), q),
        half_steps=half_steps,
    )


def test_state_0_is_the_first_state_and_every_info_is_kept():
    trace = run(random_walk(), 1.0, seed=3, steps=5)
    assert len(trace) == len(trace.infos) == len(list(trace)) == 6
    np.testing.assert_array_equal(trace[0].position, np.zeros(4))
    assert [info.where for info in trace.infos] == [None, *((3, t) for t in range(1, 6))]
    np.testing.assert_array_equal(trace.objective, [state.position.sum() for state in trace])
    assert trace.stopped == "all 5 steps were taken"


def test_negative_indices_count_from_the_end_and_others_are_refused():
    trace = run(random_walk(), 1.0, steps=5)
    np.testing.assert_array_equal(trace[-1].position, trace[5].position)
    np.testing.assert_array_equal(trace[-6].position, trace[0].position)
    for index in (6, -7):
        with pytest.raises(IndexError, match=f"state {index} was asked for.* 0 to 5"):
            trace[index]


def test_a_moment_holds_the_objective_up_to_its_state():
    trace = run(random_walk(), 1.0, steps=5)
    moment = trace.at(-3)
    assert (moment.name, moment.t, moment.data) == ("walk", 3, 1.0)
    assert moment.info is trace.infos[3]
    np.testing.assert_array_equal(moment.state.position, trace[3].position)
    np.testing.assert_array_equal(moment.objective, trace.objective[:4])
    assert moment.trace is trace


def test_no_steps_leave_state_0():
    trace = run(random_walk(), 1.0, steps=0)
    assert len(trace) == 1
    assert trace.stopped == "all 0 steps were taken"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"steps": -1}, "steps is -1"), ({"steps": 1, "memory": 0}, "memory is 0")],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        run(random_walk(), 1.0, **arguments)


def test_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="'sideways'; it is 'up', 'down' or 'none'"):
        Trace(random_walk(direction="sideways"), 1.0)


@given(
    steps=st.integers(0, 40),
    states_kept=st.floats(0.1, 20),
    seed=st.integers(0, 2**32),
    ask=st.lists(st.integers(0, 40), max_size=8),
)
def test_run_advance_going_back_and_thinning_give_the_same_bits(steps, states_kept, seed, ask):
    whole = run(random_walk(), 0.5, seed, steps=steps)
    size = whole[0].position.nbytes
    thinned = Trace(random_walk(), 0.5, seed, memory=max(1, int(states_kept * size)))
    for t in range(steps):
        # Looking back in the middle of a run changes nothing that comes after.
        for index in ask:
            _ = thinned[index % len(thinned)]
        thinned.advance()
        kept = sum(state.position.nbytes for state in thinned._kept.values())
        assert kept <= max(thinned.memory, 2 * size), f"after {t + 1} steps"
        assert kept == thinned._bytes
    assert len(thinned) == len(whole) == steps + 1
    assert thinned.infos == whole.infos
    for index in [*ask, *range(steps, -1, -1)]:
        index %= steps + 1
        assert thinned[index].position.tobytes() == whole[index].position.tobytes()


def test_thinning_keeps_what_fits():
    trace = run(
        random_walk(), 1.0, steps=1000, memory=10 * random_walk().init((0, 0), 0)[0][0].nbytes
    )
    assert 4 <= len(trace._kept) <= 10


def test_states_that_are_computed_again_are_read_only_too():
    trace = run(random_walk(), 1.0, steps=20, memory=1)
    assert not any(state.position.flags.writeable for state in trace)


def test_seeds_differ():
    one, two = (run(random_walk(), 1.0, seed, steps=3) for seed in (1, 2))
    assert not np.array_equal(one[3].position, two[3].position)


def test_a_step_that_works_in_place_raises_and_appends_nothing():
    def step(key, state, data):
        state.position[:] += 1
        return state, Seen(1.0)

    trace = Trace(random_walk()._replace(step=step), 1.0)
    with pytest.raises(ValueError, match="read-only"):
        trace.advance()
    assert len(trace) == 1
    np.testing.assert_array_equal(trace[0].position, np.zeros(4))


def test_data_and_infos_are_read_only_and_the_callers_array_is_not_touched():
    data = {"x": np.ones(4), "more": [np.zeros(2)]}

    def step(key, state, data):
        data["x"][0] = 7
        return state, Seen(1.0)

    trace = Trace(
        Algorithm(lambda key, data: (Walk(data["x"]), Seen(0.0, data["x"])), step, ""), data
    )
    with pytest.raises(ValueError, match="read-only"):
        trace.advance()
    with pytest.raises(ValueError, match="read-only"):
        trace.infos[0].where[0] = 7
    with pytest.raises(ValueError, match="read-only"):
        trace.data["more"][0][0] = 7
    data["x"][0] = 5
    assert trace[0].position[0] == 1


def test_a_step_with_a_hand_on_what_it_returned_cannot_change_it():
    buffer = np.zeros(3)

    def step(key, state, data):
        buffer[:] = key[1]
        return Walk(buffer), Seen(float(key[1]), buffer)

    trace = run(
        Algorithm(lambda key, data: (Walk(buffer), Seen(0.0)), step, "buffer"), None, steps=4
    )
    assert [state.position.tolist() for state in trace] == [[t] * 3 for t in range(5)]
    assert [info.where[0] for info in trace.infos[1:]] == [1, 2, 3, 4]


def test_a_step_that_puts_new_arrays_into_a_dict_or_list_of_its_state_changes_no_earlier_one():
    def step(key, state, data):
        state["values"][0] = state["values"][0] + 1
        state["t"] = key[1]
        return state, Seen(0.0)

    first = {"values": [np.zeros(2)], "t": 0}
    trace = run(Algorithm(lambda key, data: (first, Seen(0.0)), step, "dict"), None, steps=3)
    trace[1]["values"].clear()
    assert [state["t"] for state in trace] == [0, 1, 2, 3]
    assert [state["values"][0].tolist() for state in trace] == [[t, t] for t in range(4)]


def test_a_step_that_raises_appends_nothing_and_can_be_taken_again():
    fails = [True]

    def step(key, state, data):
        if key[1] == 3 and fails[0]:
            raise ZeroDivisionError
        return random_walk().step(key, state, data)

    trace = Trace(random_walk()._replace(step=step), 1.0)
    trace.advance()
    trace.advance()
    with pytest.raises(ZeroDivisionError):
        trace.advance()
    assert len(trace) == len(trace.infos) == 3
    fails[0] = False
    trace.advance()
    expected = run(random_walk(), 1.0, steps=3)
    assert trace[3].position.tobytes() == expected[3].position.tobytes()


@pytest.mark.parametrize("memory", [1, 256_000_000])
def test_an_interrupt_keeps_what_there_is(memory):
    def step(key, state, data):
        if key[1] == 6:
            raise KeyboardInterrupt
        return random_walk().step(key, state, data)

    trace = run(random_walk()._replace(step=step), 1.0, steps=100, memory=memory)
    assert trace.stopped == "interrupted after 5 steps"
    expected = run(random_walk(), 1.0, steps=5)
    assert trace.infos == expected.infos
    for index in range(6):
        np.testing.assert_array_equal(trace[index].position, expected[index].position)


def test_an_interrupt_in_the_middle_of_recording_leaves_the_trace_as_it_was():
    class Interrupted(list):
        def append(self, info):
            raise KeyboardInterrupt

    trace = run(random_walk(), 1.0, steps=2)
    infos = trace.infos
    trace.infos = Interrupted(infos)
    with pytest.raises(KeyboardInterrupt):
        trace.advance()
    trace.infos = infos
    expected = run(random_walk(), 1.0, steps=3)
    assert len(trace) == 3
    np.testing.assert_array_equal(trace[-1].position, expected[2].position)
    trace.advance()
    np.testing.assert_array_equal(trace[-1].position, expected[3].position)


@pytest.mark.parametrize(
    ("objective", "direction", "expected"),
    [
        ([1, 2, 3, 3], "up", None),
        ([1, 2, 1.5, 3], "up", 2),
        ([3, 2, 2, 1], "down", None),
        ([3, 2, 2.5, 1], "down", 2),
        ([3, 9, -4, 1], "none", None),
        ([3, np.inf, -np.inf, 1], "none", None),
        ([3, np.nan, 1], "none", 1),
        ([np.nan, 1, 2], "up", 0),
        ([1, np.nan, 2], "up", 1),
        ([-np.inf, np.nan, 2], "up", 1),
        ([-np.inf, -np.inf, -5, -4], "up", None),
        ([-5, -np.inf], "up", 1),
        ([1, np.inf, np.inf], "up", None),
        ([1, np.inf, 2], "up", 2),
        ([np.inf, np.inf, 5, 4], "down", None),
        ([5, np.inf], "down", 1),
        ([-np.inf, 5], "down", 1),
        ([-1e6, -1e6 - 5e-4], "up", None),
        ([-1e6, -1e6 - 5e-3], "up", 1),
        ([0.0, -5e-10], "up", None),
        ([0.0, -5e-9], "up", 1),
    ],
)
@pytest.mark.filterwarnings("error")
def test_the_first_break_is_found(objective, direction, expected):
    assert replayed([float(value) for value in objective], direction).first_break() == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_sorted_objective_has_no_break_and_down_mirrors_up(objective):
    assert replayed(sorted(objective), "up", rounding=0).first_break() is None
    falls = [t for t in range(1, len(objective)) if objective[t] < objective[t - 1]]
    expected = falls[0] if falls else None
    assert replayed(objective, "up", rounding=0).first_break() == expected
    assert replayed([-value for value in objective], "down", 0).first_break() == expected


def test_relative_stops_where_changes_are_small_and_shrink_and_says_why():
    objective = changes(*(10 * 0.3 ** np.arange(60)))
    trace_lengths = [n for n in range(1, 61) if relative(1e-6, 3)(objective[:n])]
    assert trace_lengths == list(range(trace_lengths[0], 61))
    newest = np.abs(np.diff(objective))[trace_lengths[0] - 2]
    assert 1e-6 * 500 * 0.3**3 < newest <= 1e-6 * 500
    assert "last 3 changes" in relative(1e-6, 3)(objective)
    assert "1e-06" in relative(1e-6, 3)(objective)


def test_relative_does_not_stop_while_small_changes_grow():
    grow = 1e-9 * 1.05 ** np.arange(200)
    for shock in ((), (40.0,), (40.0, 1e-10)):
        objective = changes(*shock, *grow)
        assert not any(relative(1e-3, 3)(objective[:n]) for n in range(1, len(objective) + 1))


def test_relative_sits_out_an_escape_and_stops_at_the_end_of_it():
    """A logistic curve: a flat start that steepens, and a summit."""
    objective = -500 + 40 / (1 + np.exp(-(np.arange(400) - 150.0) / 8))
    first = next(n for n in range(1, 401) if relative(1e-6, 3)(objective[:n]))
    assert objective[first - 1] > -460 - 0.01


@pytest.mark.parametrize("growth", [1.02, 1.5, 3.0])
def test_relative_compares_halves_with_their_like(growth):
    """E halves gain a tenth of what M halves gain; both grow."""
    pairs = np.repeat(1e-9 * growth ** np.arange(8), 2) * np.tile([1.0, 0.1], 8)
    up = changes(*pairs)
    assert not any(relative(1e-3, 3)(up[:n]) for n in range(1, len(up) + 1))
    down = changes(*pairs[::-1])
    assert relative(1e-3, 3)(down)


@given(st.lists(st.floats(-1, 1), min_size=30, max_size=30), st.integers(-12, -8))
@settings(max_examples=200)
def test_relative_is_not_held_up_by_rounding_that_goes_both_ways(noise, size):
    objective = -5e5 * (1 + 10.0**size * np.array(noise))
    change = np.diff(objective)
    windows = [change[t : t + 5] for t in range(25)]
    assume(any((window > 0).any() and (window < 0).any() for window in windows))
    assert any(relative(1e-6, 3)(objective[:n]) for n in range(6, 31))


@pytest.mark.parametrize("cycle", [(3.0, -2.0, -1.0), (1.0, -1.0), (0.0,), (1.0, 2.0, -3.0)])
def test_relative_stops_in_a_cycle_of_rounding(cycle):
    assert relative()(changes(*(1e-8 * np.tile(cycle, 10))))


@pytest.mark.filterwarnings("error")
def test_relative_is_not_held_up_by_a_last_digit_that_goes_one_way():
    objective = np.array([1.0, 1.0, 1.0, 1.0, 1.0, np.nextafter(1.0, 2.0)])
    assert "did not grow" in relative()(objective)
    assert relative()(objective + np.array([0, 0, 0, 0, 0, 1e-12])) is None


def test_relative_goes_on_from_minus_infinity_and_stops_at_nan():
    inf = np.inf
    rule = relative(1e-6, 2)
    assert rule(np.full(20, -inf)) is None
    assert rule(np.array([-inf, -inf, -9.0, -9.0, -9.0, -9.0])) is None
    assert rule(np.array([-inf, -inf, -9.0, -9.0, -9.0, -9.0, -9.0]))
    assert rule(np.array([-9.0, -9.0, -9.0, -9.0, -9.0, -inf])) is None
    assert "NaN" in rule(np.array([-9.0, -9.0, np.nan]))


def test_relative_refuses_settings_that_mean_nothing():
    for bad in ({"tolerance": -1.0}, {"tolerance": np.nan}, {"patience": 0}):
        with pytest.raises(ValueError, match="tolerance is"):
            relative(**bad)


@pytest.mark.parametrize("half_steps", [False, True])
@pytest.mark.parametrize("distance", [1e-1, 1e-2, 1e-4, 1e-6])
def test_relative_leaves_a_real_saddle_behind(distance, half_steps):
    """Old Faithful's eruptions: one Gaussian in all but name at −421.42, two at −276.36 (the
    maximum that mclust and scikit-learn report for two variances)."""
    eruptions = old_faithful()[:, 0]
    algorithm = near_mean_mixture(distance, half_steps)
    trace = run(algorithm, eruptions, steps=3000, stop=relative())
    assert trace.first_break() is None
    assert trace.objective[0] == pytest.approx(-421.42, abs=0.01)
    assert trace.objective[-1] == pytest.approx(-276.36, abs=0.01)
    assert "did not grow" in trace.stopped
    # The bare rule, one small change, is taken in by the saddle.
    change = np.abs(np.diff(trace.objective))
    small = int(np.flatnonzero(change <= 1e-6 * np.abs(trace.objective[1:]))[0])
    if distance < 1e-1:
        assert trace.objective[small + 1] < -420


def test_explicit_steps_end_a_run_that_no_rule_ends():
    trace = run(near_mean_mixture(0.1), old_faithful()[:, 0], steps=4, stop=relative())
    assert len(trace) == 5
    assert trace.stopped == "all 4 steps were taken"


def test_a_rule_of_ones_own_sees_every_objective_so_far_and_is_quoted():
    seen = []

    def rule(objective):
        seen.append(len(objective))
        return "enough" if len(objective) == 4 else None

    assert run(random_walk(), 1.0, steps=9, stop=rule).stopped == "enough"
    assert seen == [2, 3, 4]


@pytest.mark.parametrize(
    ("progress", "quiet", "shown"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_progress_is_shown_where_asked_for_and_never_where_quiet(
    progress, quiet, shown, monkeypatch, capsys
):
    monkeypatch.setenv("LATENTSTEPS_QUIET", quiet)
    run(random_walk(), 1.0, steps=3, progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("walk" in err) == shown


def test_a_bar_that_a_rule_ends_is_full(monkeypatch, capsys):
    monkeypatch.setenv("LATENTSTEPS_QUIET", "")
    run(random_walk(), 1.0, steps=50, stop=lambda seen: "enough" * (len(seen) == 4), progress=True)
    assert "3/3" in capsys.readouterr().err


def test_importing_latentsteps_loads_no_heavy_library():
    code = (
        "import sys, latentsteps, latentsteps.trace, latentsteps.inference.em;"
        "heavy = {'jax', 'jaxlib', 'torch', 'numpyro', 'sklearn', 'matplotlib.pyplot'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_slice_of_a_trace_is_refused_in_plain_words():
    trace = run(random_walk(), 0.0, steps=2)
    with pytest.raises(TypeError, match=r"one state at a time; list\(trace\) is all"):
        trace[1:]


def test_a_seed_is_a_whole_number():
    with pytest.raises(TypeError):
        run(random_walk(), 0.0, seed=1.7, steps=1)
