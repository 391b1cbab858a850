"""The checks of unit 02: what every unit's must do, references against oracles of another kind,
and right and wrong answers that have no name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import entr, kl_div, logsumexp, rel_entr, softmax, xlogy

from checking import assert_unit_checks
from latentsteps.checks import em_derivation as check
from latentsteps.data import old_faithful
from latentsteps.jax64 import jax, jnp

QUESTIONS = ("jensen", "q_falls", "multiplier")
EXERCISES = tuple(name for name in check.__all__ if name not in QUESTIONS)
reference = {name: getattr(check, name).reference for name in EXERCISES}


def test_every_check_knows_its_right_answer_its_blank_and_its_misconceptions():
    assert_unit_checks(check)


def test_the_checks_are_numbered_in_a_row():
    numbers = {getattr(check, name).number for name in check.__all__}
    assert numbers == {f"2.{i}" for i in range(1, 11)} | {"2.Q1", "2.Q2", "2.Q3"}


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_many_misconceptions_and_three_hints(name):
    exercise = getattr(check, name)
    assert len(exercise.hints) >= 3
    assert len(exercise.misconceptions) >= 8


# References against oracles of another kind.


def mixture(seed, n=7, k=3):
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    parameters = random.dirichlet(np.ones(k)), random.normal(size=k), random.uniform(0.1, 3, k)
    return x, random.dirichlet(np.ones(k), size=n), parameters


def log_joint_by_scipy(x, weights, means, variances):
    return np.log(weights) + stats.norm.logpdf(x[:, None], means, np.sqrt(variances))


def expected_log_joint(x, q, weights, means, variances):
    squares = (x[:, None] - means) ** 2
    log_density = -0.5 * jnp.log(2 * jnp.pi * variances) - squares / (2 * variances)
    return jnp.sum(q * (jnp.log(weights) + log_density))


@pytest.mark.parametrize("seed", range(10))
def test_log_joint_bound_and_gap_are_scipy_s_and_add_up(seed):
    x, q, parameters = mixture(seed)
    q[0] = np.eye(3)[0]  # zeros in q
    log_p = log_joint_by_scipy(x, *parameters)
    posterior = softmax(log_p, axis=1)
    np.testing.assert_allclose(reference["log_joint"](x, *parameters), log_p)
    np.testing.assert_allclose(reference["responsibilities"](x, *parameters), posterior)
    assert reference["entropy"](q) == pytest.approx(stats.entropy(q, axis=1).sum())
    assert reference["gap"](q, posterior) == pytest.approx(rel_entr(q, posterior).sum())
    total = reference["bound"](x, q, *parameters) + reference["gap"](q, posterior)
    assert total == pytest.approx(logsumexp(log_p, axis=1).sum())


@pytest.mark.parametrize("seed", range(5))
def test_the_m_step_is_where_the_gradient_by_autodiff_is_zero(seed):
    x, q, (weights, means, variances) = mixture(seed)
    slope = jax.grad(expected_log_joint, argnums=4)(x, q, weights, means, variances)
    np.testing.assert_allclose(reference["variance_slope"](x, q, means, variances), slope)

    best = reference["update_weights"](q), *reference["update_means_and_variances"](x, q)
    by_weights, by_means, by_variances = jax.grad(expected_log_joint, argnums=(2, 3, 4))(
        x, q, *best
    )
    np.testing.assert_allclose(by_weights, len(x))  # λ = N in every entry, and not 0
    np.testing.assert_allclose(by_means, 0, atol=1e-12)
    np.testing.assert_allclose(by_variances, 0, atol=1e-12)
    bend = jax.hessian(expected_log_joint, argnums=4)(x, q, *best)
    np.testing.assert_allclose(bend, np.diag(-q.sum(axis=0) / (2 * best[2] ** 2)), atol=1e-12)
    moments = q.sum(axis=0), q.T @ x, q.T @ x**2
    for mine, right in zip(reference["from_moments"](*moments), best, strict=True):
        np.testing.assert_allclose(mine, right)


def em_states(x, parameters, steps):
    """(Q, log-likelihood) after each half-step of EM, E first, made of the references."""
    states = []
    for _ in range(steps):
        q = reference["responsibilities"](x, *parameters)
        f = reference["bound"](x, q, *parameters)
        states.append((f - reference["entropy"](q), f))
        parameters = (
            reference["update_weights"](q),
            *reference["update_means_and_variances"](x, q),
        )
        top = logsumexp(reference["log_joint"](x, *parameters), axis=1).sum()
        states.append((reference["bound"](x, q, *parameters) - reference["entropy"](q), top))
    return np.array(states), parameters


def test_the_references_make_an_em_that_ends_where_the_eruptions_do():
    x = old_faithful()[:, 0]
    start = np.array([0.5, 0.5]), np.array([2.0, 4.0]), np.array([0.3, 0.3])
    states, (weights, means, variances) = em_states(x, start, 200)
    # From an independent run of another program.
    assert states[-1, 1] == pytest.approx(-276.360040, abs=1e-5)
    np.testing.assert_allclose(weights, [0.348405, 0.651595], atol=1e-5)
    np.testing.assert_allclose(means, [2.018608, 4.273343], atol=1e-5)
    np.testing.assert_allclose(variances, [0.055518, 0.191024], atol=1e-5)


def test_q_falls_in_the_e_step_alone_while_the_log_likelihood_rises():
    x = old_faithful()[:, 0]
    start = np.array([0.5, 0.5]), np.array([4.0, 6.0]), np.array([0.1, 0.1])
    states, _ = em_states(x, start, 30)
    q_values, tops = states.T
    assert np.all(np.diff(tops[::2]) > -1e-9)
    in_m, in_e = q_values[1::2] - q_values[::2], q_values[2::2] - q_values[1:-1:2]
    assert np.all(in_m > -1e-9)
    falls = q_values[2::2] < q_values[:-2:2] - 1  # over a whole step, M and E
    assert np.any(falls)
    assert np.all(in_e[falls] < -1)


def test_the_spike_grows_linearly_beyond_the_best_fit_and_one_component_does_not():
    x = np.array([4.5, 1.8, 2.0, 4.1, 1.8, 3.0])

    def top(width):
        parameters = reference["spike"](x, width)
        return logsumexp(log_joint_by_scipy(x, *parameters), axis=1).sum()

    values = [top(10.0**-i) for i in range(1, 13)]
    np.testing.assert_allclose(np.diff(values)[3:], np.log(10), rtol=1e-4)  # one point, x = 4.5
    start = np.array([0.5, 0.5]), np.array([2.0, 4.0]), np.array([0.3, 0.3])
    assert values[-1] > em_states(x, start, 300)[0][-1, 1] + 5

    alone = [stats.norm.logpdf(x, x[0], 10.0**-i).sum() for i in range(13)]
    assert alone[0] == max(alone)


def test_the_numbers_that_the_questions_replies_quote():
    assert (np.log(5), np.log([1, 9]).mean()) == pytest.approx((1.61, 1.10), abs=5e-3)
    small = np.array([0.01, 0.09])
    difference = np.log(small.mean()) - np.log(small).mean()
    assert difference == pytest.approx(np.log(5) - np.log(3))


# Right answers that are derived in another way.


def log_joint_by_loops(x, weights, means, variances):
    table = []
    for point in x:
        row = []
        for weight, mean, variance in zip(weights, means, variances, strict=True):
            square = (point - mean) ** 2
            row.append(math.log(weight) - math.log(math.tau * variance) / 2 - square / variance / 2)
        table.append(row)
    return table


def log_joint_expanded(x, weights, means, variances):
    precision = 1 / variances
    natural = np.outer(x, precision * means) - 0.5 * np.outer(x**2, precision)
    return natural - 0.5 * precision * means**2 + 0.5 * np.log(precision / math.tau * weights**2)


def responsibilities_by_odds(x, weights, means, variances):
    log_p = log_joint_by_scipy(x, weights, means, variances)
    with np.errstate(over="ignore"):
        return 1 / np.exp(log_p[:, None, :] - log_p[:, :, None]).sum(axis=2)


def responsibilities_without_constants(x, weights, means, variances):
    """−½ log 2π cancels."""
    squares = (x[:, None] - means) ** 2
    return softmax(np.log(weights) - 0.5 * np.log(variances) - squares / (2 * variances), axis=1)


def entropy_with_a_guard(q):
    return -np.sum(q * np.log(q + 1e-300))


def entropy_by_scipy(q):
    return stats.entropy(q, axis=1).sum()


def entropy_as_a_jax_number(q):
    return jax.scipy.special.entr(q).sum()


def bound_from_the_divergence(x, q, *parameters):
    log_p = log_joint_by_scipy(x, *parameters)
    return logsumexp(log_p, axis=1).sum() - rel_entr(q, softmax(log_p, axis=1)).sum()


def bound_without_nan(x, q, *parameters):
    with np.errstate(all="ignore"):
        return np.nansum(q * (log_joint_by_scipy(x, *parameters) - np.log(q)))


def gap_by_kl_div(q, posterior):
    """Its terms have − q + posterior in them, which sums to zero."""
    return kl_div(q, posterior).sum()


def gap_with_a_guard(q, posterior):
    return np.sum(q * (np.log(np.maximum(q, 1e-300)) - np.log(np.maximum(posterior, 1e-300))))


def weights_as_a_tuple(q):
    return tuple(sum(column) / len(q) for column in q.T)


def slope_by_differences(x, q, means, variances):
    def value(v):
        return np.sum(q * stats.norm.logpdf(x[:, None], means, np.sqrt(v)), axis=0)

    return (value(variances + 1e-6) - value(variances - 1e-6)) / 2e-6


def slope_by_autodiff(x, q, means, variances):
    return jax.grad(lambda v: expected_log_joint(x, q, jnp.ones_like(means), means, v))(variances)


def slope_by_the_chain_rule(x, q, means, variances):
    sigma = np.sqrt(variances)
    in_sigma = np.sum(q * ((x[:, None] - means) ** 2 / sigma**3 - 1 / sigma), axis=0)
    return in_sigma / (2 * sigma)


def update_by_moments(x, q):
    counts = q.sum(axis=0)
    means = x @ q / counts
    return means, x**2 @ q / counts - means**2


def update_by_average_and_cov(x, q):
    means = [np.average(x, weights=column) for column in q.T]
    return means, [np.cov(x, aweights=column, ddof=0) for column in q.T]


def update_stacked(x, q):
    return np.stack(update_by_moments(x, q))


def update_from_pairs(x, q):
    """The variance is half the mean square of the difference of two."""
    counts = q.sum(axis=0)
    squares = (x[:, None] - x) ** 2
    return x @ q / counts, np.array([r @ squares @ r for r in q.T]) / (2 * counts**2)


def moments_multiplied_out(counts, sums, squares):
    means = sums / counts
    variances = (squares - 2 * means * sums + counts * means**2) / counts
    return [counts / counts.sum(), means, variances]


def moments_from_the_determinant(counts, sums, squares):
    variances = np.maximum((counts * squares - sums**2) / counts**2, 0)
    return counts / counts.sum(), sums / counts, variances


def path(spike, cover):
    """A path from (weight, mean, variance) of the two components."""

    def answer(x, width):
        return tuple(np.array(pair) for pair in zip(spike(x, width), cover(x, width), strict=True))

    return answer


def cover_all(x, width):
    return 0.5, x.mean(), x.var()


SPIKES = {
    "the variance is the width": path(lambda x, w: (0.5, x[0], w), cover_all),
    "on the last point": path(lambda x, w: (0.5, x[-1], w**2), cover_all),
    "the other order": path(cover_all, lambda x, w: (0.5, x[1], w**2)),
    "on the smallest, a light one": path(
        lambda x, w: (1 / len(x), x.min(), w**2), lambda x, w: (1 - 1 / len(x), 0.0, 100.0)
    ),
    "both on one point": path(lambda x, w: (0.5, x[0], w**2), lambda x, w: (0.5, x[0], 9.0)),
    "a tight cover": path(lambda x, w: (0.5, x[0], w**2), lambda x, w: (0.5, x.mean(), 0.001)),
    "beside the point by one width": path(lambda x, w: (0.5, x[0] + w, w**2), cover_all),
    "a weight that fades slowly": path(
        lambda x, w: (w**0.5, x[0], w**2), lambda x, w: (1 - w**0.5, x.mean(), x.var())
    ),
    "a random point": path(lambda x, w: (0.5, np.random.choice(x), w**2), cover_all),
    "lists": lambda x, width: ([0.5, 0.5], [x[0], x.mean()], [width**2, x.var()]),
    "the cube": path(lambda x, w: (0.5, x[0], w**3), cover_all),
}


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (check.log_joint, log_joint_by_scipy),
        (check.log_joint, log_joint_by_loops),
        (check.log_joint, log_joint_expanded),
        (check.responsibilities, responsibilities_by_odds),
        (check.responsibilities, responsibilities_without_constants),
        (check.entropy, entropy_with_a_guard),
        (check.entropy, entropy_by_scipy),
        (check.entropy, entropy_as_a_jax_number),
        (check.bound, bound_from_the_divergence),
        (check.bound, bound_without_nan),
        (check.gap, gap_by_kl_div),
        (check.gap, gap_with_a_guard),
        (check.update_weights, weights_as_a_tuple),
        (check.variance_slope, slope_by_differences),
        (check.variance_slope, slope_by_autodiff),
        (check.variance_slope, slope_by_the_chain_rule),
        (check.update_means_and_variances, update_by_moments),
        (check.update_means_and_variances, update_by_average_and_cov),
        (check.update_means_and_variances, update_stacked),
        (check.update_means_and_variances, update_from_pairs),
        (check.from_moments, moments_multiplied_out),
        (check.from_moments, moments_from_the_determinant),
    ],
    ids=lambda value: getattr(value, "__name__", getattr(value, "name", "")),
)
def test_another_right_derivation_passes(exercise, answer):
    for case in exercise.cases:
        answer(*case.args)  # JAX compiles for each shape, which on a busy machine takes seconds
    verdict = exercise.judge(answer)
    assert verdict.outcome == "passes", verdict


@pytest.mark.parametrize("name", SPIKES)
def test_any_path_beyond_every_bound_passes(name):
    verdict = check.spike.judge(SPIKES[name])
    assert verdict.outcome == "passes", verdict


# Wrong answers without a name, or in the clothes of another: the sentence has to fit.


def joint(x, weights, means, variances):
    return np.exp(log_joint_by_scipy(x, weights, means, variances))


def responsibilities_with_zeros_for_nan(x, *parameters):
    p = joint(x, *parameters)
    return np.nan_to_num(p / p.sum(axis=1, keepdims=True))


def responsibilities_clipped(x, *parameters):
    return softmax(np.maximum(log_joint_by_scipy(x, *parameters), -700), axis=1)


def responsibilities_nearest_where_far(x, weights, means, variances):
    far = joint(x, weights, means, variances).sum(axis=1) == 0
    nearest = np.eye(len(means))[np.abs(x[:, None] - means).argmin(axis=1)]
    r = softmax(log_joint_by_scipy(x, weights, means, variances), axis=1)
    return np.where(far[:, None], nearest, r)


def bound_with_half_of_each(x, q, *parameters):
    """Right wherever q is the posterior."""
    log_p = log_joint_by_scipy(x, *parameters)
    return np.sum(softmax(log_p, axis=1) * log_p) + entr(softmax(log_p, axis=1)).sum()


def gap_reversed_for_sure_rows_only(q, posterior):
    sure = (q == 0).any(axis=1)
    return rel_entr(q[~sure], posterior[~sure]).sum()


def update_with_a_floor(x, q):
    means, variances = update_by_moments(x, q)
    return means, np.maximum(variances, 1e-3)


def update_with_jitter(x, q):
    means, variances = update_by_moments(x, q)
    return means, variances + 1e-4


def slope_around_the_new_means(x, q, means, variances):
    return reference["variance_slope"](x, q, x @ q / q.sum(axis=0), variances)


def moments_with_a_floor(counts, sums, squares):
    weights, means, variances = reference["from_moments"](counts, sums, squares)
    return weights, means, np.maximum(variances, 1e-3)


@pytest.mark.parametrize(
    ("exercise", "answer", "words"),
    [
        (
            check.log_joint,
            lambda x, w, m, v: np.log(joint(x, w, m, v) + 1e-300),
            "another number",
        ),
        (check.log_joint, lambda x, w, m, v: log_joint_by_scipy(np.sort(x), w, m, v), "integrated"),
        (check.responsibilities, responsibilities_with_zeros_for_nan, "a NaN made 0"),
        (check.responsibilities, responsibilities_clipped, "It is not undecided"),
        (check.responsibilities, responsibilities_nearest_where_far, "another number"),
        (check.entropy, lambda q: entr(q).sum(axis=1).max(), "double the sum"),
        (check.entropy, lambda q: stats.entropy(q.ravel()), "a 1 and otherwise 0"),
        (check.entropy, lambda q: -np.log(np.sum(q**2, axis=1)).sum(), "another number"),
        (check.bound, bound_with_half_of_each, "Use the q you were given"),
        (check.bound, lambda x, q, *p: np.sum(q * np.log(joint(x, *p))) + entr(q).sum(), "finite"),
        (check.gap, lambda q, p: abs(entr(p).sum() - entr(q).sum()), "another number"),
        (check.gap, lambda q, p: rel_entr(q, p).sum(axis=1).max(), "twice as large"),
        (check.gap, gap_reversed_for_sure_rows_only, "there is a gap"),
        (check.update_weights, lambda q: 0.99 * q.mean(axis=0) + 0.01 / q.shape[1], "simplex"),
        (check.update_weights, lambda q: np.sort(q.mean(axis=0))[::-1], "simplex"),
        (check.update_weights, lambda q: q.sum(axis=0) / (len(q) - 1), "sum to 1"),
        (
            check.variance_slope,
            lambda *a: np.abs(reference["variance_slope"](*a)),
            "negative at twice",
        ),
        (
            check.variance_slope,
            lambda *a: np.sign(reference["variance_slope"](*a)),
            "second derivative",
        ),
        (check.variance_slope, slope_around_the_new_means, "negative at twice"),
        (check.update_means_and_variances, update_with_a_floor, "weighted mean of (x − a)²"),
        (check.update_means_and_variances, update_with_jitter, "weighted mean of (x − a)²"),
        (
            check.update_means_and_variances,
            lambda x, q: (np.abs(update_by_moments(x, q)[0]), update_by_moments(x, q)[1]),
            "times −2",
        ),
        (
            check.update_means_and_variances,
            lambda x, q: update_by_moments(np.sort(x), q),
            "differences x − a_0",
        ),
        (check.from_moments, moments_with_a_floor, "sums should come back"),
        (
            check.from_moments,
            lambda n, s, t: (n / n.max(), *reference["from_moments"](n, s, t)[1:]),
            "sum to 1",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", getattr(value, "name", "")),
)
def test_the_sentence_names_what_fails(exercise, answer, words):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "not yet"
    assert words in " ".join((verdict.sentence, *verdict.evidence)), verdict


def responsibilities_below_the_maximum(x, weights, means, variances):
    """Where `keepdims` is forgotten, NumPy complains only where N is not K."""
    log_p = log_joint_by_scipy(x, weights, means, variances)
    p = np.exp(log_p - np.max(log_p, axis=1))
    return p / np.sum(p, axis=1)


@pytest.mark.parametrize(
    ("exercise", "answer", "name"),
    [
        (
            check.log_joint,
            lambda x, w, m, v: stats.norm.logpdf(x[:, None], m, np.sqrt(v)) - np.log(w),
            "sign of the weights",
        ),
        (
            check.log_joint,
            lambda x, w, m, v: (
                np.log(w / np.sqrt(2 * np.pi * np.sqrt(v))) - (x[:, None] - m) ** 2 / v / 2
            ),
            "the root taken twice",
        ),
        (
            check.responsibilities,
            lambda x, *p: joint(x, *p) / np.sum(joint(x, *p), axis=1),
            "keepdims forgotten",
        ),
        (
            check.responsibilities,
            lambda x, *p: np.exp(
                log_joint_by_scipy(x, *p) - logsumexp(log_joint_by_scipy(x, *p), axis=1)
            ),
            "keepdims forgotten in logarithms",
        ),
        (check.responsibilities, responsibilities_below_the_maximum, "keepdims forgotten twice"),
        (check.entropy, lambda q: -(q * np.log(1e-6 + q)).sum(), "a small number that shows"),
        (check.entropy, lambda q: entr(q + 1e-6).sum(), "a small number added to q"),
        (
            check.bound,
            lambda x, q, *p: logsumexp(log_joint_by_scipy(x, *p), axis=1).sum() + entr(q).sum(),
            "log-likelihood plus entropy",
        ),
        (
            check.bound,
            lambda x, q, *p: logsumexp(log_joint_by_scipy(x, *p), axis=1).sum() - entr(q).sum(),
            "log-likelihood less entropy",
        ),
        (check.update_weights, lambda q: np.ones(len(q)) / len(q), "wrong axis, divided by N"),
        (
            check.variance_slope,
            lambda x, q, m, v: (0.5 * q * ((x[:, None] - m) ** 2 / v**4 - 1 / v)).sum(axis=0),
            "σ⁴ as the fourth power of σ²",
        ),
        (
            check.spike,
            path(lambda x, w: (0.5, np.median(x), w**2), cover_all),
            "off the points",
        ),
        (
            check.spike,
            path(lambda x, w: (0.5, x.mean(), w**2), cover_all),
            "off the points",
        ),
    ],
    ids=lambda value: getattr(value, "name", value if isinstance(value, str) else ""),
)
def test_a_common_mistake_has_its_own_sentence(exercise, answer, name):
    verdict = exercise.judge(answer)
    assert (verdict.outcome, verdict.misconception) == ("not yet", name), verdict


def floored(at):
    return path(lambda x, w: (0.5, x[0], max(w**2, at)), cover_all)


@pytest.mark.parametrize(
    ("answer", "label", "misconception"),
    [
        (floored(1e-6), "the variance has no floor", "a floor"),
        (floored(1e-20), "the variance has no floor", "a floor"),
        (floored(1e-30), "it keeps its pace, and so passes every bound", None),
        (
            path(lambda x, w: (0.5, x[0] + 1e-8, w**2), cover_all),
            "the narrow component stands on a point",
            "off the points",
        ),
        (
            path(lambda x, w: (0.5, x[0] + w**0.5, w**2), cover_all),
            "the narrow component stands on a point",
            "off the points",
        ),
        (
            path(lambda x, w: (0.5, x[0], w**2), lambda x, w: (0.5, x.mean(), 1 / w**2)),
            "the log-likelihood climbs at every factor of ten",
            None,
        ),
        (
            path(lambda x, w: (0.5, x[0], w**2), lambda x, w: (0.5, 1 / w, x.var())),
            "the log-likelihood climbs at every factor of ten",
            None,
        ),
        (
            path(lambda x, w: (0.5, x[0], np.log(w)), cover_all),
            "no variance is negative",
            None,
        ),
        (
            path(
                lambda x, w: (0.5, x[0], w**2),
                lambda x, w: (0.5, x.mean() if w > 1e-5 else np.nan, x.var()),
            ),
            "the parameters are finite numbers",
            None,
        ),
        (
            lambda x, w: (np.array([0.5, 0.5]), np.array([w**2, x.var()]), np.array([x[0], 2.0])),
            "a smaller width makes a component narrower",
            None,
        ),
        (
            lambda x, w: (np.full(3, 1 / 3), x[:3], np.array([w**2, w**2, x.var()])),
            "it returns the right shape",
            "not two components",
        ),
    ],
)
def test_a_path_that_ends_below_some_bound_is_told_why(answer, label, misconception):
    verdict = check.spike.judge(answer)
    assert (verdict.outcome, verdict.property) == ("not yet", label), verdict
    assert verdict.misconception == misconception


def test_a_log_of_zero_in_the_posterior_is_not_blamed_on_q():
    verdict = check.gap.judge(lambda q, p: np.sum(xlogy(q, q) - q * np.log(p)))
    assert verdict.misconception == "a zero in the posterior"
