"""The checks of unit 03: what every unit's must do, what they rely on, and other right and wrong
answers."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy import linalg, stats
from scipy.optimize import minimize
from scipy.special import logsumexp

from checking import assert_unit_checks
from latentsteps.checks import gmm as check
from latentsteps.checks import gmm_choice, gmm_prior, gmm_runs, gmm_stopping
from latentsteps.data import old_faithful


def test_every_check_knows_its_right_answer_its_blank_and_its_misconceptions():
    assert_unit_checks(check)


def test_the_checks_are_numbered_in_a_row():
    numbers = sorted(getattr(check, name).number for name in check.__all__)
    assert numbers == [*(f"3.{n}" for n in range(1, 8)), "3.Q1", "3.Q2", "3.Q3"]


# What the checks rely on, against other sources.


def log_likelihood(x, weights, means, covariances):
    columns = [
        np.log(w) + stats.multivariate_normal.logpdf(x, m, c, allow_singular=True)
        for w, m, c in zip(weights, means, covariances, strict=True)
    ]
    return logsumexp(np.stack([np.ravel(column) for column in columns], axis=1), axis=1).sum()


def test_the_book_s_run_passes_through_the_figure_s_states():
    after = gmm_runs.BOOK.objective[[1, 3, 5, 16]]
    np.testing.assert_allclose(after, [-543.1928, -531.6490, -491.0069, -384.459357], rtol=1e-6)
    minutes = gmm_runs.BOOK.objective[-1] + gmm_runs.TO_MINUTES
    assert minutes == pytest.approx(-1130.26396018, abs=1e-6)


def test_bic_is_mclust_s_with_the_other_sign():
    assert check.bic.reference(-1130.26396018, 2, 2, 272) == pytest.approx(2322.192, abs=1e-3)


def test_scikit_learn_stops_on_the_plateau_after_two_steps():
    from sklearn.mixture import GaussianMixture

    start = np.array([[-0.003, -0.003], [0.003, 0.003]])
    precisions = np.tile(np.linalg.inv(gmm_runs.OWN), (2, 1, 1))
    fit = GaussianMixture(
        2, weights_init=[0.5, 0.5], means_init=start, precisions_init=precisions
    ).fit(gmm_runs.X)
    assert fit.converged_
    assert fit.n_iter_ == 2
    assert 272 * fit.score(gmm_runs.X) == pytest.approx(-543.99, abs=0.01)


def test_the_runs_leave_room_between_plateau_and_rounding():
    runs = [case.args[0] for case in check.should_stop.cases if len(case.args[0]) > 3]
    for objective in runs:
        may, must = gmm_stopping._ends(objective)
        changes = np.diff(objective)
        assert changes[: may - 1].min() > 3e-5  # every step that must not be stopped after
        assert np.abs(changes[must - 20 :]).max() < 1.1e-11
    plateaus = [np.diff(run)[1:20].min() for run in runs[1:4]]
    np.testing.assert_allclose(plateaus, [8e-3, 9e-4, 8e-5], rtol=0.1)


def test_the_fits_to_choose_from_are_what_they_say():
    for case in check.choose.cases:
        fits, x = case.args
        for claimed, weights, means, covariances in fits:
            assert weights.sum() == pytest.approx(1)
            narrow = gmm_choice._narrowest((claimed, weights, means, covariances), x)
            if narrow > 1e-9:  # SciPy takes a narrower one for singular
                real = log_likelihood(x, weights, means, covariances)
                assert claimed == pytest.approx(real, abs=1e-6)
            assert not 3e-4 < narrow < 2e-3, "too close to the limit to judge by"
        scores = sorted(gmm_choice._bic(fit, x) for fit in fits)
        assert scores[1] - scores[0] > 1


def test_a_spike_has_the_lowest_bic_of_all_where_one_is_offered():
    offered = [case.args for case in check.choose.cases if "spike" in case.label]
    spiky = [args for args in offered if any(not gmm_choice._sound(f, args[1]) for f in args[0])]
    assert len(spiky) == 4
    for fits, x in spiky:
        lowest = min(fits, key=lambda fit: gmm_choice._bic(fit, x))
        assert not gmm_choice._sound(lowest, x)


def test_the_log_posterior_is_scipy_s_but_for_a_constant():
    x, r, m0, kappa, s0, nu = check.map_component.cases[2].args
    generator = np.random.default_rng(0)
    differences = []
    for _ in range(4):
        mean, root = generator.normal(size=2), generator.normal(size=(2, 2))
        covariance = root @ root.T + np.eye(2)
        scipy_s = r @ stats.multivariate_normal.logpdf(x, mean, covariance)
        scipy_s += stats.multivariate_normal.logpdf(mean, m0, covariance / kappa)
        scipy_s += stats.invwishart.logpdf(covariance, nu, s0)
        ours = gmm_prior.log_posterior(mean, covariance, x, r, m0, kappa, s0, nu)
        differences.append(scipy_s - ours)
    np.testing.assert_allclose(differences, differences[0], rtol=1e-10)


@pytest.mark.parametrize("case", check.map_component.cases[1:3], ids=lambda case: case.label)
def test_the_gradient_at_the_mode_is_zero_by_autodiff(case):
    from latentsteps.jax64 import jax, jnp

    x, r, m0, kappa, s0, nu = case.args
    d = len(m0)

    def log_posterior(mean, precision):
        log_determinant = -jnp.linalg.slogdet(precision)[1]
        squares = jnp.einsum("ni,ij,nj->n", x - mean, precision, x - mean)
        pull = mean - m0
        prior = kappa * pull @ precision @ pull + jnp.trace(precision @ s0)
        power = r.sum() + 1 + nu + d + 1
        return -0.5 * (r @ squares + prior + power * log_determinant)

    mean, covariance = check.map_component.reference(*case.args)
    slopes = jax.grad(log_posterior, (0, 1))(mean, jnp.linalg.inv(covariance))
    for slope in slopes:
        np.testing.assert_allclose(slope, 0, atol=1e-8 * (r.sum() + nu + np.abs(covariance).max()))


def test_one_point_by_hand():
    mean, covariance = check.map_component.reference(*check.map_component.cases[0].args)
    assert (mean[0], covariance[0, 0]) == pytest.approx((1.0, 3 / 5))


# 3.1 Right answers, other derivations


def density_by_scipy(x, mean, covariance):
    return stats.multivariate_normal(mean, covariance).logpdf(x)


def density_by_inverse(x, mean, covariance):
    away = x - mean
    squares = np.diag(away @ np.linalg.inv(covariance) @ away.T)
    return -0.5 * (squares + np.linalg.slogdet(2 * np.pi * covariance)[1])


def density_by_eigenvectors(x, mean, covariance):
    values, vectors = np.linalg.eigh(covariance)
    return stats.norm.logpdf((x - mean) @ vectors, scale=np.sqrt(values)).sum(axis=1)


def density_by_loops(x, mean, covariance):
    factor = np.linalg.cholesky(covariance)
    rows = []
    for point in x:
        z = np.linalg.solve(factor, point - mean)
        volume = sum(math.log(entry) for entry in np.diag(factor))
        rows.append(-z @ z / 2 - volume - len(mean) / 2 * math.log(2 * math.pi))
    return rows


def density_by_cho_solve(x, mean, covariance):
    factor, away = linalg.cho_factor(covariance), (x - mean).T
    squares = (away * linalg.cho_solve(factor, away)).sum(axis=0)
    return -squares / 2 - np.log(np.diag(factor[0])).sum() - len(away) / 2 * np.log(2 * np.pi)


# 3.2


def covariances_by_loops(x, r, means):
    k, d = means.shape
    table = np.zeros((k, d, d))
    for j in range(k):
        for point, share in zip(x, r[:, j], strict=True):
            table[j] += share * np.outer(point - means[j], point - means[j]) / r[:, j].sum()
    return table


def covariances_by_einsum(x, r, means):
    away = x[:, None] - means
    return np.einsum("nk,nki,nkj->kij", r, away, away) / r.sum(axis=0)[:, None, None]


def covariances_from_np_cov(x, r, means):
    table = []
    for share, mean in zip(r.T, means, strict=True):
        own = np.average(x, axis=0, weights=share)
        spread = np.atleast_2d(np.cov(x.T, aweights=share, ddof=0))
        table.append(spread + np.outer(own - mean, own - mean))
    return table


def covariances_in_single_precision(x, r, means):
    x, r, means = (each.astype(np.float32) for each in (x, r, means))
    return covariances_by_einsum(x, r, means)


# 3.3


def mode_as_the_books_write_it(x, r, m0, kappa, s0, nu):
    n = r.sum()
    xbar = r @ x / n if n > 0 else m0
    away = x - xbar
    total = s0 + (away.T * r) @ away
    total = total + kappa * n / (kappa + n) * np.outer(xbar - m0, xbar - m0)
    return (kappa * m0 + n * xbar) / (kappa + n), total / (n + nu + len(m0) + 2)


def mode_from_moments(x, r, m0, kappa, s0, nu):
    n = r.sum()
    mean = (kappa * m0 + r @ x) / (kappa + n)
    total = s0 + (x.T * r) @ x + kappa * np.outer(m0, m0) - (kappa + n) * np.outer(mean, mean)
    return [mean, total / (n + nu + len(m0) + 2)]


def mode_point_by_point(x, r, m0, kappa, s0, nu):
    mean, total, count, degrees = m0, s0, kappa, nu
    for point, share in zip(x, r, strict=True):
        pull = np.outer(point - mean, point - mean)
        total = total + count * share / (count + share) * pull
        mean = (count * mean + share * point) / (count + share)
        count, degrees = count + share, degrees + share
    return mean, total / (degrees + len(m0) + 2)


def mode_by_an_optimiser(x, r, m0, kappa, s0, nu):
    d = len(m0)
    places = np.tril_indices(d)

    def unpack(t):
        factor = np.zeros((d, d))
        factor[places] = t[d:]
        factor[np.diag_indices(d)] = np.exp(np.diag(factor))
        return t[:d], factor @ factor.T

    def minus(t):
        return -gmm_prior.log_posterior(*unpack(t), x, r, m0, kappa, s0, nu)

    return unpack(minimize(minus, np.zeros(d + len(places[0])), options={"gtol": 1e-9}).x)


# 3.4


def asked_late(rule):
    return lambda objective: len(objective) > 2 and rule(objective)


def below(threshold):
    return asked_late(lambda o: abs(o[-1] - o[-2]) < threshold)


def relative(threshold):
    return asked_late(lambda o: np.abs((o[-1] - o[-2]) / o[-1]) < threshold)


def patience(n, threshold):
    return lambda o: len(o) > n and o[-1] - o[-1 - n] < threshold


def aitken(threshold):
    def rule(objective):
        if len(objective) < 3:
            return False
        before, now = objective[-2] - objective[-3], objective[-1] - objective[-2]
        if now <= 0 or before <= 0:
            return True
        rate = now / before
        return bool(rate < 1 and now * rate / (1 - rate) < threshold)

    return rule


def of_the_climb_so_far(objective):
    return len(objective) > 2 and objective[-1] - objective[-2] < 1e-10 * np.ptp(objective)


def no_longer_rising(objective):
    return len(objective) > 2 and objective[-1] <= objective[-2]


def one_or_zero(objective):
    return 1 if len(objective) > 2 and objective[-1] - objective[-2] < 1e-9 else 0


RULES = [
    *(below(threshold) for threshold in (1e-5, 1e-6, 1e-8, 1e-10)),
    *(relative(threshold) for threshold in (1e-8, 1e-10, 1e-12)),
    *(patience(5, 1e-6), patience(10, 1e-5), patience(20, 1e-8)),
    *(aitken(1e-5), aitken(1e-8)),
    asked_late(lambda o: math.isclose(o[-1], o[-2])),
    asked_late(lambda o: (o[-1] - o[-2]) / 272 < 1e-9),
    asked_late(lambda o: round(o[-1], 8) == round(o[-2], 8)),
    *(of_the_climb_so_far, no_longer_rising, one_or_zero),
]


# 3.5

ROUND = np.linspace(0, 2 * np.pi, 200)
CIRCLE = np.array([np.cos(ROUND), np.sin(ROUND)])


def ellipse_by_eigenvectors(mean, covariance, radius):
    values, vectors = np.linalg.eigh(covariance)
    return (mean[:, None] + radius * vectors @ (np.sqrt(values)[:, None] * CIRCLE)).T


def ellipse_by_the_matrix_root(mean, covariance, radius):
    return mean + radius * (linalg.sqrtm(covariance) @ CIRCLE).T


def ellipse_open_backwards_from_elsewhere(mean, covariance, radius):
    angles = 1 - np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return (mean + radius * circle @ np.linalg.cholesky(covariance).T).tolist()


def ellipse_even_in_the_plane(mean, covariance, radius):
    directions = CIRCLE.T
    depth = np.sqrt((directions @ np.linalg.inv(covariance) * directions).sum(axis=1))
    return mean + radius * directions / depth[:, None]


def ellipse_by_an_angle(mean, covariance, radius):
    a, b, c = covariance[0, 0], covariance[0, 1], covariance[1, 1]
    tilt, middle, half = math.atan2(2 * b, a - c) / 2, (a + c) / 2, math.hypot((a - c) / 2, b)
    turn = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
    axes = np.sqrt([middle + half, middle - half])
    return mean + radius * (turn @ (axes[:, None] * CIRCLE)).T


def ellipse_by_the_correlation(mean, covariance, radius):
    sd = np.sqrt(np.diag(covariance))
    lag = np.arccos(covariance[0, 1] / sd.prod())
    return mean + radius * sd * np.stack([np.cos(ROUND), np.cos(ROUND - lag)], axis=1)


# 3.6 and 3.7


def bic_counted_one_by_one(log_likelihood, k, d, n):
    free = -1
    for _ in range(k):
        free += 1 + d + len(np.tril_indices(d)[0])
    return np.array(math.log(n) * free - 2 * log_likelihood)


def choose_by_loops(fits, x):
    sd, best = x.std(axis=0, ddof=1), None
    for i, (height, weights, _, covariances) in enumerate(fits):
        if any(np.linalg.eigvalsh(each / np.outer(sd, sd))[0] < 1e-3 for each in covariances):
            continue
        score = bic_counted_one_by_one(height, len(weights), x.shape[1], len(x))
        if best is None or score < best[0]:
            best = score, i
    return best[1]


def choose_with_nan(fits, x):
    scale = np.diag(1 / x.std(axis=0))
    scores = [
        bic_counted_one_by_one(height, len(weights), x.shape[1], len(x))
        if np.linalg.svd(scale @ covariances @ scale)[1].min() > 1e-3
        else np.nan
        for height, weights, _, covariances in fits
    ]
    return np.nanargmin(scores)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (check.log_normal, density_by_scipy),
        (check.log_normal, density_by_inverse),
        (check.log_normal, density_by_eigenvectors),
        (check.log_normal, density_by_loops),
        (check.log_normal, density_by_cho_solve),
        (check.update_covariances, covariances_by_loops),
        (check.update_covariances, covariances_by_einsum),
        (check.update_covariances, covariances_from_np_cov),
        (check.update_covariances, covariances_in_single_precision),
        (check.map_component, mode_as_the_books_write_it),
        (check.map_component, mode_from_moments),
        (check.map_component, mode_point_by_point),
        (check.map_component, mode_by_an_optimiser),
        *((check.should_stop, rule) for rule in RULES),
        (check.ellipse, ellipse_by_eigenvectors),
        (check.ellipse, ellipse_by_the_matrix_root),
        (check.ellipse, ellipse_open_backwards_from_elsewhere),
        (check.ellipse, ellipse_even_in_the_plane),
        (check.ellipse, ellipse_by_an_angle),
        (check.ellipse, ellipse_by_the_correlation),
        (check.bic, bic_counted_one_by_one),
        (check.choose, choose_by_loops),
        (check.choose, choose_with_nan),
    ],
    ids=lambda value: getattr(value, "__name__", getattr(value, "name", "")),
)
def test_another_right_derivation_passes(exercise, answer):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "passes", verdict


# Wrong answers beyond the named ones: what is said of them is not misleading.


def guarded_by(too_thin):
    def answer(fits, x):
        sd = x.std(axis=0)
        scores = [
            np.inf
            if too_thin(fit[3] / np.outer(sd, sd))
            else check.bic.reference(fit[0], len(fit[1]), x.shape[1], len(x))
            for fit in fits
        ]
        return int(np.argmin(scores))

    return answer


def long_and_thin(fits, x):
    scores = []
    for height, weights, _, covariances in fits:
        values = np.linalg.eigvalsh(covariances)
        thin = (values[:, 0] / values[:, -1]).min() < 1e-3
        score = check.bic.reference(height, len(weights), x.shape[1], len(x))
        scores.append(np.inf if thin else score)
    return np.argmin(scores)


def divided_by(scale):
    def answer(fits, x):
        scores = [
            np.inf
            if np.linalg.eigvalsh(covariances / scale(x)).min() < 1e-3
            else check.bic.reference(height, len(weights), x.shape[1], len(x))
            for height, weights, _, covariances in fits
        ]
        return np.argmin(scores)

    return answer


def density_from(solve=None, half_log_determinant=None, d=None):
    """The course's own way, with one piece another one."""

    def answer(x, mean, covariance):
        factor = np.linalg.cholesky(covariance)
        z = (solve or partial(linalg.solve_triangular, lower=True))(factor, (x - mean).T)
        half = np.log(np.diag(factor)).sum()
        half = half if half_log_determinant is None else half_log_determinant(half, covariance)
        constant = (len(mean) if d is None else d(x)) / 2 * np.log(2 * np.pi)
        return -(z**2).sum(axis=0) / 2 - half - constant

    return answer


DENSITIES = [
    (density_from(solve=linalg.solve_triangular), "unless told `lower=True`"),
    (density_from(half_log_determinant=lambda half, c: -half), "below the line"),
    (density_from(half_log_determinant=lambda half, c: np.log(np.diag(c)).sum()), "not Σ's"),
    (density_from(d=len), "`len(x)` is N"),
]


def mode_from(total, divisor):
    """The course's own way, with another sum or divisor; each gets the arguments and the mean."""

    def answer(x, r, m0, kappa, s0, nu):
        mean = (r @ x + kappa * m0) / (r.sum() + kappa)
        return mean, total(x, r, m0, kappa, s0, mean) / divisor(x, r, nu)

    return answer


def squares(x, r, middle):
    return np.einsum("n,ni,nj->ij", r, x - middle, x - middle)


def sound_total(x, r, m0, kappa, s0, mean):
    return s0 + squares(x, r, mean) + kappa * np.outer(mean - m0, mean - m0)


def sound_divisor(x, r, nu):
    return r.sum() + nu + x.shape[1] + 2


MODES = [
    (
        mode_from(
            lambda x, r, m0, kappa, s0, mean: (
                s0 + squares(x, r, m0) + kappa * np.outer(mean - m0, mean - m0)
            ),
            sound_divisor,
        ),
        "only the pull term knows m₀",
    ),
    (
        mode_from(
            lambda x, r, m0, kappa, s0, mean: (
                s0 + squares(x, r, mean) + np.outer(mean - m0, mean - m0)
            ),
            sound_divisor,
        ),
        "there are κ of them",
    ),
    (mode_from(sound_total, lambda x, r, nu: r.sum() + nu + x.shape[1]), "2 too small"),
    (mode_from(sound_total, lambda x, r, nu: len(x) + nu + x.shape[1] + 2), "Your mean is right"),
]

PENALTIES = [
    (lambda ll, k, d, n: -2 * ll + (k - 1 + k * d * (d + 3) / 2) * np.log2(n), "base 2"),
    (lambda ll, k, d, n: -2 * ll + k * np.log(n), "more than K numbers"),
    (lambda ll, k, d, n: 2 * ll + (k - 1 + k * d * (d + 3) / 2) * np.log(n), "You add 2"),
    (lambda ll, k, d, n: -2 * ll + (k - 1 + k * d * (d + 1) / 2) * np.log(n), "diagonal counts"),
]


def unclosed_ellipse(mean, covariance, radius):
    circle = CIRCLE * np.array([[1.0], [np.nan]])
    return mean + radius * (np.linalg.cholesky(covariance) @ circle).T


def stretched_after_the_turn(mean, covariance, radius):
    values, vectors = np.linalg.eigh(covariance)
    return mean + radius * (np.diag(np.sqrt(values)) @ vectors @ CIRCLE).T


def in_any_order(mean, covariance, radius):
    points = ellipse_by_eigenvectors(mean, covariance, radius)
    return points[np.random.default_rng(0).permutation(200)]


@pytest.mark.parametrize(
    ("exercise", "answer", "said"),
    [
        # A clipped exponential is finite everywhere, and wrong far out.
        (
            check.log_normal,
            lambda x, m, c: np.log(stats.multivariate_normal(m, c).pdf(x) + 1e-12),
            "Entry [2]",
        ),
        (
            check.log_normal,
            lambda x, m, c: density_by_scipy(x, m, c + 1e-6 * np.eye(len(m))),
            "Entry [",
        ),
        # The determinant of the factor vanishes in 150 dimensions as well.
        (
            check.log_normal,
            lambda x, m, c: (
                density_by_cho_solve(x, m, c)
                + np.log(np.diag(np.linalg.cholesky(c))).sum()
                - np.log(np.linalg.det(np.linalg.cholesky(c)))
            ),
            "Add up the logarithms",
        ),
        (
            check.update_covariances,
            lambda x, r, means: covariances_by_einsum(x, r, means) + 1e-6 * np.eye(x.shape[1]),
            "add a little to the diagonal",
        ),
        (
            check.update_covariances,
            lambda x, r, means: [np.atleast_2d(np.cov(x.T, aweights=share)) for share in r.T],
            "unless told `ddof=0`",
        ),
        *((check.log_normal, *row) for row in DENSITIES),
        *((check.map_component, *row) for row in MODES),
        *((check.bic, *row) for row in PENALTIES),
        (
            check.map_component,
            lambda x, r, m0, kappa, s0, nu: (
                (m0, s0) if r.sum() == 0 else mode_as_the_books_write_it(x, r, m0, kappa, s0, nu)
            ),
            "the prior decides alone",
        ),
        (check.should_stop, aitken(1e-4), "no proof"),
        (check.should_stop, below(0.1), "a plateau is no summit"),
        (check.should_stop, below(1e-3), "flatter plateaus"),
        (check.should_stop, patience(20, 1e-2), "second plateau"),
        (check.should_stop, relative(1e-7), "second plateau"),
        (check.should_stop, below(1e-13), "far too small to matter"),
        (check.should_stop, lambda o: len(o) > 1 and o[-1] - o[-2] < 1e-9, "Wait for two"),
        (check.should_stop, asked_late(lambda o: np.abs(np.diff(o)).max() < 1e-8), "never stops"),
        (check.should_stop, lambda o: 0.3, "True or False"),
        (check.should_stop, lambda o: len(o) > 200 or below(1e-8)(o), "If you count steps"),
        (check.ellipse, stretched_after_the_turn, "stretch the circle first"),
        (check.ellipse, in_any_order, "in no order"),
        (check.ellipse, lambda m, c, radius: m + radius * CIRCLE.T, "does not know Σ"),
        (check.ellipse, unclosed_ellipse, "not a finite number"),
        (
            check.ellipse,
            lambda m, c, radius: ellipse_by_eigenvectors(m, c, 2.4477),
            "or not at all",
        ),
        (check.bic, lambda ll, k, d, n: -2 * ll / n + (6 * k - 1) * np.log(n), "fall by 10"),
        (check.choose, guarded_by(lambda c: np.linalg.eigvalsh(c[0]).min() < 1e-3), "only one of"),
        (check.choose, guarded_by(lambda c: np.linalg.det(c).min() < 1e-6), "Roots and determinan"),
        (check.choose, guarded_by(lambda c: np.linalg.eigvalsh(c).min() < 1e-9), ".001"),
        (check.choose, guarded_by(lambda c: np.linalg.eigvalsh(c).min() < 0.05), "another number"),
        (check.choose, lambda fits, x: 0, "turned round"),
        (check.choose, long_and_thin, "not against its own length"),
        (check.choose, divided_by(lambda x: np.outer(x.var(axis=0), x.var(axis=0))), "both ways"),
        (check.choose, divided_by(lambda x: x.var(axis=0)), "Σ_ij by s_i s_j"),
    ],
)
def test_a_wrong_answer_is_told_what_fits_it(exercise, answer, said):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "not yet"
    assert said in verdict.sentence, verdict


def test_where_a_run_was_stopped_is_said_in_numbers():
    verdict = check.should_stop.judge(below(0.01))
    assert verdict.case == "K = 2, both means .03 from the middle"
    assert "climbs 159.5 nats more" in verdict.evidence[0]


def test_a_distance_that_is_off_is_shown_beside_the_radius():
    verdict = check.ellipse.judge(lambda m, c, radius: ellipse_by_eigenvectors(m, c, 2 * radius))
    assert verdict.property == "no point is farther than the radius"
    assert verdict.evidence[-1] == "got 2; expected 1"


def test_the_tied_waits_are_in_the_data():
    assert np.sum(old_faithful()[:, 1] == 78) == 15
