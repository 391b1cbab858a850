"""Metropolis and Hamilton: what makes them right, held to exact values; learners' own functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import spearmanr

from latentsteps.evaluation.diagnostics import standard_error
from latentsteps.inference.leapfrog import (
    DECIDED,
    LEAPFROG,
    START,
    Density,
    hamiltonian,
    leapfrog,
    metropolis,
    metropolis_step,
)
from latentsteps.inference.moves import draws
from latentsteps.models.targets import banana, two_means
from latentsteps.trace import Trace, run

BANANA = banana()
X = np.array([-2.1, -1.7, -2.6, -1.2, 2.2, 1.6, 2.9, 1.4])
MEANS = two_means(X)
STARTS = np.array([[-2.0, 2.0], [2.0, -2.0], [-1.5, 1.5], [2.5, -2.5]])
RNG = np.random.default_rng(7)
POINTS, PUSHES = RNG.normal(size=(2, 64, 2))


def energy(density, position, momentum):
    return -density.log_density(position) + 0.5 * (momentum**2).sum(axis=-1)


@pytest.mark.parametrize("density", [BANANA, MEANS])
def test_a_ball_that_is_turned_round_comes_back(density):
    place, momentum = leapfrog(POINTS, PUSHES, density.gradient, 0.1, 25)
    back, turned = leapfrog(place, -momentum, density.gradient, 0.1, 25)
    np.testing.assert_allclose(back, POINTS, atol=1e-9)
    np.testing.assert_allclose(-turned, PUSHES, atol=1e-9)
    np.testing.assert_allclose(leapfrog(place, momentum, density.gradient, -0.1, 25)[0], back)


@pytest.mark.parametrize("density", [BANANA, MEANS])
def test_the_energy_error_falls_with_the_square_of_the_step_size(density):
    steps = np.array([10, 14, 20, 28, 40, 56, 80])
    before = energy(density, POINTS, PUSHES)
    errors = [
        energy(density, *leapfrog(POINTS, PUSHES, density.gradient, 1 / n, int(n))) - before
        for n in steps
    ]
    size = np.sqrt(np.mean(np.square(errors), axis=1))
    slope = np.polyfit(np.log(1 / steps), np.log(size), 1)[0]
    assert slope == pytest.approx(2, abs=0.1)


def test_a_leapfrog_keeps_volume():
    # The Jacobian of (position, momentum) by central differences; it is symplectic too, which is
    # more than a determinant of one.
    def flow(point):
        return np.concatenate(leapfrog(point[:2], point[2:], BANANA.gradient, 0.3, 10))

    omega = np.block([[np.zeros((2, 2)), np.eye(2)], [-np.eye(2), np.zeros((2, 2))]])
    for place, push in zip(POINTS[:5], PUSHES[:5], strict=True):
        point, h = np.concatenate([place, push]), 1e-5
        jacobian = np.stack(
            [(flow(point + h * e) - flow(point - h * e)) / (2 * h) for e in np.eye(4)], axis=1
        )
        assert np.linalg.det(jacobian) == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(jacobian.T @ omega @ jacobian, omega, atol=1e-5)


def test_small_steps_follow_the_equations_of_motion():
    point = np.array([0.5, -0.2, 1.0, -0.7])
    exact = solve_ivp(
        lambda t, z: np.concatenate([z[2:], BANANA.gradient(z[:2])]),
        (0, 2), point, rtol=1e-10, atol=1e-10,
    ).y[:, -1]  # fmt: skip
    errors = [
        np.abs(np.concatenate(leapfrog(point[:2], point[2:], BANANA.gradient, 2 / n, n)) - exact)
        for n in (200, 400)
    ]
    assert errors[1].max() < 1e-3
    assert errors[0].max() / errors[1].max() == pytest.approx(4, abs=0.1)


def test_several_steps_are_as_many_single_ones():
    place, momentum = POINTS, PUSHES
    for _ in range(4):
        place, momentum = leapfrog(place, momentum, MEANS.gradient, 0.2)
    together = leapfrog(POINTS, PUSHES, MEANS.gradient, 0.2, 4)
    np.testing.assert_allclose(together, (place, momentum), atol=1e-12)
    with pytest.raises(ValueError, match="1 step or more"):
        leapfrog(POINTS, PUSHES, MEANS.gradient, 0.2, 0)


def test_metropolis_keeps_any_distribution_on_five_states_by_detailed_balance():
    weights = np.array([0.1, 0.25, 0.05, 0.0, 0.6])
    proposal = RNG.dirichlet(np.ones(5), size=5)  # row: from; far from symmetric
    u = (np.arange(1000) + 0.5) / 1000

    def log_density(state):
        with np.errstate(divide="ignore"):
            return np.log(weights[state])

    def log_proposal(to, start):
        return np.log(proposal[start, to])

    flow = np.zeros((5, 5))
    for here in range(5):
        for there in range(5):
            taken = [metropolis_step(here, there, log_density, log_proposal, v) for v in u]
            share = np.mean([position == there for position in taken])
            flow[here, there] = weights[here] * proposal[here, there] * share
    # The even grid of u knows an acceptance to one in a thousand.
    np.testing.assert_allclose(flow, flow.T, atol=1e-3)


def test_a_metropolis_step_at_the_borders():
    def flat(to, start):
        return 0.0

    heights = {"a": -1.0, "b": -1.0, "nowhere": -np.inf, "nan": np.nan}
    for here, there, u, expected in (
        ("a", "b", 1.0, "b"),
        ("a", "nowhere", 1e-300, "a"),
        ("nowhere", "a", 1.0, "a"),
        ("nowhere", "nowhere", 0.5, "nowhere"),
        ("a", "nan", 1e-9, "a"),
    ):
        assert metropolis_step(here, there, heights.get, flat, u) == expected
    # What cannot be proposed back is never gone to.
    one_way = {("b", "a"): 0.0, ("a", "b"): -np.inf}
    ask = lambda to, start: one_way[to, start]  # noqa: E731
    assert metropolis_step("a", "b", heights.get, ask, 1e-300) == "a"


def grid_means(density, functions, n=400):
    """Exact means over the plane, by summing over a grid wide enough for all of the mass."""
    (a, b), (c, d) = density.window
    x, y = np.linspace(a - 2, b + 2, n), np.linspace(c - 2, d + 6, n)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    heights = density.log_density(points)
    weights = np.exp(heights - heights.max())
    return [float((f(points) * weights).sum() / weights.sum()) for f in functions]


def distance(points):
    return np.abs(points[..., 0] - points[..., 1])


def middle(points):
    return points.mean(axis=-1)


SIDEWAYS = (lambda p: p[..., 0], lambda p: p[..., 1], lambda p: p[..., 0] ** 2)
LABEL_FREE = (distance, middle, lambda p: p[..., 0] * p[..., 1], MEANS.log_density)
SAMPLERS = {
    # Steps so long that the decision matters.
    "Hamilton, banana": (
        hamiltonian(BANANA, STARTS, step_size=0.3, leapfrogs=7, each_leapfrog=False),
        2500, SIDEWAYS,
    ),
    "Hamilton, two means": (
        hamiltonian(MEANS, STARTS, step_size=0.45, leapfrogs=2, each_leapfrog=False),
        2500, LABEL_FREE,
    ),
    "Metropolis, banana": (metropolis(BANANA, STARTS, scale=1.2), 12_000, SIDEWAYS),
    "Metropolis, two means": (metropolis(MEANS, STARTS, scale=0.8), 3000, LABEL_FREE),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLERS)
def test_moments_are_within_four_standard_errors_of_exact_ones(name):
    algorithm, steps, functions = SAMPLERS[name]
    trace = run(algorithm, None, seed=11, steps=steps)
    kept = draws(trace)
    assert kept.shape == (4, steps, 2)
    accepted = np.mean([info.accepted for info in trace.infos[1:]])
    assert 0.2 < accepted < 0.95
    for function, exact in zip(
        functions, grid_means(trace.infos[0].density, functions), strict=True
    ):
        values = function(kept)
        error = standard_error(values)
        assert abs(values.mean() - exact) < 4 * error
        # A bound that is worth something: the mean is known to a tenth of a standard deviation.
        assert error < 0.1 * values.std()


def test_chains_do_not_cross_between_mirror_modes():
    trace = run(SAMPLERS["Hamilton, two means"][0], None, seed=1, steps=500)
    side = np.sign(np.diff(draws(trace), axis=-1)[..., 0])
    assert (side == side[:, :1]).all()
    assert set(side[:, 0]) == {-1.0, 1.0}


def test_each_leapfrog_is_a_state_and_then_the_decision():
    trace = run(hamiltonian(MEANS, STARTS, step_size=0.2, leapfrogs=5), None, seed=2, steps=14)
    phases = [info.phase for info in trace.infos]
    assert phases == [START] + 2 * [*5 * [LEAPFROG], DECIDED] + 2 * [LEAPFROG]
    for t in range(1, 6):
        assert len(trace[t].path) == t + 1
        np.testing.assert_array_equal(trace[t].position, STARTS)
        place, momentum = leapfrog(STARTS, trace[t].momentum[0], MEANS.gradient, 0.2, t)
        np.testing.assert_allclose(trace[t].path[-1], place, atol=1e-12)
        np.testing.assert_allclose(trace[t].energy[-1], energy(MEANS, place, momentum))
        assert np.isnan(trace.infos[t].allowed).all()
    assert len(np.unique(trace[1].momentum[0], axis=0)) == 4  # a push of its own for each chain
    decided, info = trace[6], trace.infos[6]
    np.testing.assert_array_equal(info.accepted, info.rise <= info.allowed)
    ends = np.where(info.accepted[:, None], decided.path[-1], STARTS)
    np.testing.assert_array_equal(decided.position, ends)
    assert info.objective == pytest.approx(MEANS.log_density(decided.position).mean())
    assert draws(trace).shape == (4, 2, 2)
    assert draws(trace, 5).shape == (4, 0, 2)
    np.testing.assert_array_equal(draws(trace, 6)[:, 0], decided.position)


def test_a_whole_move_is_one_state_where_it_is_asked_for():
    trace = run(
        hamiltonian(MEANS, STARTS, step_size=0.2, leapfrogs=5, each_leapfrog=False),
        None, seed=2, steps=3,
    )  # fmt: skip
    assert [info.phase for info in trace.infos] == [START, DECIDED, DECIDED, DECIDED]
    assert trace[2].path.shape == (6, 4, 2)
    np.testing.assert_array_equal(trace[2].path[0], trace[1].position)


def test_a_rejected_move_counts_the_old_point_again():
    trace = run(metropolis(MEANS, STARTS, scale=3.0), None, seed=0, steps=200)
    kept = np.concatenate([STARTS[:, None], draws(trace)], axis=1)
    repeated = (kept[:, 1:] == kept[:, :-1]).all(axis=-1)
    accepted = np.array([info.accepted for info in trace.infos[1:]]).T
    np.testing.assert_array_equal(repeated, ~accepted)
    assert repeated.mean() > 0.5


@pytest.mark.parametrize(
    "algorithm",
    [
        metropolis(BANANA, STARTS, scale=1.0),
        hamiltonian(BANANA, STARTS, step_size=0.3, leapfrogs=3),
    ],
)
def test_states_come_again_after_going_back(algorithm):
    whole = run(algorithm, None, seed=5, steps=30)
    sparse = Trace(algorithm, None, seed=5, memory=600)
    for _ in range(30):
        sparse.advance()
    for t in (7, 3, 30):
        for one, other in zip(whole[t], sparse[t], strict=True):
            np.testing.assert_array_equal(one, other)
    assert run(algorithm, None, seed=6, steps=1).infos[1].rise[0] != whole.infos[1].rise[0]


def test_a_learners_functions_are_called_a_chain_at_a_time_on_read_only_arrays():
    seen = []

    def roll(position, momentum, gradient, step_size, steps):
        seen.append((position.shape, position.flags.writeable, momentum.flags.writeable, steps))
        return leapfrog(position, momentum, gradient, step_size, steps)

    def accept(here, there, log_density, log_proposal, u):
        seen.append((here.shape, here.flags.writeable, there.flags.writeable, 1))
        assert 0 < u <= 1
        assert log_proposal(there, here) == log_proposal(here, there) < 0
        return metropolis_step(here, there, log_density, log_proposal, u)

    theirs = run(
        hamiltonian(BANANA, STARTS, step_size=0.3, leapfrogs=3, integrator=roll), None, steps=8
    )
    ours = run(hamiltonian(BANANA, STARTS, step_size=0.3, leapfrogs=3), None, steps=8)
    np.testing.assert_array_equal(theirs[8].path, ours[8].path)
    theirs = run(metropolis(BANANA, STARTS, scale=1.0, accept=accept), None, steps=8)
    ours = run(metropolis(BANANA, STARTS, scale=1.0), None, steps=8)
    np.testing.assert_array_equal(theirs[8].position, ours[8].position)
    assert set(seen) == {((2,), False, False, 1)}


def test_what_decides_has_nothing_to_do_with_what_is_proposed():
    jumps, deciders = [], []

    def accept(here, there, log_density, log_proposal, u):
        jumps.append(there[0] - here[0])
        deciders.append(u)
        return here

    algorithm = metropolis(BANANA, [[0.0, 0.0]], scale=1.0, accept=accept)
    for seed in range(2000):
        run(algorithm, None, seed=seed, steps=1)
    # Of 2,000 independent pairs a rank correlation has standard deviation .022.
    assert abs(spearmanr(deciders, np.abs(jumps)).statistic) < 0.1
    assert abs(spearmanr(deciders, jumps).statistic) < 0.1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "roll",
    [
        lambda q, p, gradient, step_size, steps: (q * np.nan, p),
        lambda q, p, gradient, step_size, steps: (q, p * np.inf),
        lambda q, p, gradient, step_size, steps: (q * 1e200, p * 1e200),
    ],
)
def test_a_ball_lost_is_a_move_rejected(roll):
    wrong = hamiltonian(BANANA, STARTS, step_size=0.3, leapfrogs=2, integrator=roll)
    trace = run(wrong, None, steps=9)
    np.testing.assert_array_equal(trace[9].position, STARTS)
    assert trace.first_break() is None


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (None, r"nothing \(None\)"),
        (1.0, "float"),
        ((np.zeros(2), np.zeros(3)), "tuple"),
        (np.zeros((2, 3)), r"an array \(2, 3\)"),
    ],
)
def test_what_is_no_position_is_said_in_words(returned, got):
    wrong = hamiltonian(
        BANANA, STARTS, step_size=0.3, leapfrogs=2, integrator=lambda *given: returned
    )
    with pytest.raises(ValueError, match=f"the leapfrog returned {got}; it returns position and"):
        run(wrong, None, steps=1)
    wrong = metropolis(BANANA, STARTS, scale=1.0, accept=lambda *given: returned)
    with pytest.raises(ValueError, match=r"the Metropolis step returned .* it returns the next"):
        run(wrong, None, steps=1)


def test_a_learners_step_may_go_anywhere():
    trace = run(
        metropolis(BANANA, STARTS, scale=1.0, accept=lambda here, *rest: here + 0.25), None, steps=2
    )
    np.testing.assert_array_equal(trace[2].position, STARTS + 0.5)
    assert not trace.infos[2].accepted.any()


def test_a_start_without_density_is_left():
    half = Density(
        lambda q: np.where(q[..., 0] > 0, -0.5 * (q**2).sum(axis=-1), -np.inf), lambda q: -q, "half"
    )
    trace = run(metropolis(half, [[-0.1, 0.0]], scale=1.0), None, seed=1, steps=30)
    assert trace.objective[0] == -np.inf
    assert trace.objective[-1] > -np.inf
    assert trace.first_break() is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: metropolis(BANANA, [0.0, 1.0], scale=1.0), "a row for each chain"),
        (lambda: metropolis(BANANA, [[np.nan, 1.0]], scale=1.0), "finite numbers"),
        (lambda: metropolis(BANANA, STARTS, scale=0.0), "scale is 0.0"),
        (lambda: hamiltonian(BANANA, STARTS, step_size=-1, leapfrogs=3), "step_size is -1"),
        (lambda: hamiltonian(BANANA, STARTS, step_size=1, leapfrogs=0), "leapfrogs is 0"),
        (
            lambda: metropolis(Density(lambda q: 0.0, lambda q: q, "flat"), STARTS, scale=1.0),
            "the log density of 4 starts has shape",
        ),
    ],
)
def test_bad_settings_are_said_in_words(make, words):
    with pytest.raises(ValueError, match=words):
        make()
