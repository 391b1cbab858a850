"""The checks of unit 06: what every unit's must do, what they rely on, and other right and wrong
answers."""

from __future__ import annotations

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from scipy import integrate, special, stats
from scipy.special import betaln, entr, expit, gammaln, log_expit, log_softmax, logsumexp, xlogy

from checking import assert_unit_checks
from latentsteps.checks import bnnc as check
from latentsteps.checks import bnnc_normaliser as integral
from latentsteps.checks import bnnc_similarity as alike
from latentsteps.evaluation.consensus import similarity
from latentsteps.jax64 import jax, jnp


def test_every_check_knows_its_right_answer_its_blank_and_its_misconceptions():
    assert_unit_checks(check)


def test_the_checks_are_numbered_in_a_row():
    numbers = sorted(getattr(check, name).number for name in check.__all__)
    assert numbers == [*(f"6.{n}" for n in range(1, 9)), *(f"6.Q{n}" for n in range(1, 6))]


# What the checks rely on, against other sources.


def test_sticks_are_broken_as_lengths_are():
    log_odds = np.random.default_rng(0).normal(size=6)
    left, lengths = 1.0, []
    for v in expit(log_odds):
        lengths.append(left * v)
        left -= lengths[-1]
    weights = np.exp(check.log_sticks.reference(log_odds))
    np.testing.assert_allclose(weights, [*lengths, left], rtol=1e-12)


@pytest.mark.parametrize("a", [0.05 / 11, 1 / 11, 0.5])
def test_occupied_components_are_those_that_an_urn_fills(a):
    random, k, points, urns = np.random.default_rng(1), 11, 60, 4000
    counts = np.zeros((urns, k))
    for i in range(points):
        chances = np.cumsum((counts + a) / (k * a + i), axis=1)
        drawn = (random.random((urns, 1)) > chances).sum(axis=1).clip(max=k - 1)
        counts[np.arange(urns), drawn] += 1
    occupied = (counts > 0).sum(axis=1)
    error = occupied.std() / np.sqrt(urns)
    reference = check.expected_occupied.reference(a, k, points)
    assert reference == pytest.approx(occupied.mean(), abs=4 * error)


def test_the_density_of_a_log_gamma_is_scipy_s():
    log_value = np.array([-2000.0, -30.0, 0.0, 4.0])
    for shape in (0.0045, 1.0, 40.0):
        ours = check.log_density_of_log.reference(log_value, shape)
        np.testing.assert_allclose(ours, stats.loggamma.logpdf(log_value, shape), rtol=1e-10)


def test_the_integral_in_the_plane_is_that_of_a_grid():
    log_gate, means, scales, _ = check.normaliser.cases[3].args
    even = stats.qmc.Sobol(2, seed=0).random(2**14)
    value = check.normaliser.reference(log_gate, means, scales, stats.norm.ppf(even))
    side = np.linspace(-10, 10, 401)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    densities = stats.norm.pdf(grid[:, None], means, scales).prod(axis=2)
    on_grid = np.sum(np.exp(log_gate(grid)) * densities) * (side[1] - side[0]) ** 2
    assert value == pytest.approx(on_grid, abs=1e-3)
    assert value > 3.5  # as the case says, near 4


def test_the_grid_on_the_line_and_the_even_noise_agree_as_closely_as_the_check_asks():
    for case in check.normaliser.cases:
        assert integral._by_quadrature(check.normaliser.reference, case.args, 0.0) is None


def test_the_bound_is_the_mean_of_draws_from_q():
    log_q, log_weights, log_densities = check.elbo.cases[3].args
    random, q = np.random.default_rng(2), np.exp(log_q)
    for n, value in enumerate(check.elbo.reference(log_q, log_weights, log_densities)):
        k = random.choice(len(log_weights), 20_000, p=q[n] / q[n].sum())
        terms = log_weights[k] + log_densities[n, k] - log_q[n, k]
        assert value == pytest.approx(terms.mean(), abs=1e-9 + 4 * terms.std() / np.sqrt(20_000))


def test_similarity_of_labels_is_that_of_sure_responsibilities():
    (labels,) = check.hard_similarity.cases[4].args
    expected = similarity(np.eye(3)[labels])
    np.testing.assert_allclose(check.hard_similarity.reference(labels), expected, atol=1e-12)


def test_new_rows_meet_a_member_as_often_as_draws_of_both_do():
    new, fitted, labels = check.new_rows.cases[3].args
    random = np.random.default_rng(3)

    def drawn(r):
        return (random.random((20_000, *r.shape[:2], 1)) > r.cumsum(axis=2)).sum(axis=3)

    meet = drawn(new)[..., None] == drawn(fitted)[:, :, None]  # (draws, S, M, N)
    often = meet.mean(axis=(0, 1))
    for cluster in (0, 1):
        expected = check.new_rows.reference(new, fitted, labels)[:, cluster]
        np.testing.assert_allclose(often[:, labels == cluster].mean(axis=1), expected, atol=0.01)


def test_what_is_allowed_lies_well_between_what_is_needed_and_a_table_for_each_draw():
    labels = np.random.default_rng(0).integers(2, size=(alike.DRAWS, alike.POINTS))
    peaks = []
    for answer in (similarity_of_all_labels_at_once, check.hard_similarity.reference, all_tables):
        tracemalloc.start()
        answer(labels)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    one_hot, loop, tables = peaks
    assert 15 * loop < alike.ALLOWED
    assert 1.3 * one_hot < alike.ALLOWED
    assert tables > 2.9 * alike.ALLOWED


def test_memory_is_measured_without_ending_somebody_else_s_measurement():
    tracemalloc.start()
    try:
        assert check.hard_similarity.judge(all_tables).misconception == "all tables at once"
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    check.hard_similarity.judge(all_tables)
    assert not tracemalloc.is_tracing()


# 6.1 Right answers, other derivations


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def sticks_by_loops(log_odds):
    lengths, left = [], 0.0
    for s in log_odds:
        lengths.append(left - softplus(-s))
        left -= softplus(s)
    return [*lengths, left]


def sticks_by_matrix(log_odds):
    k = len(log_odds) + 1
    before = np.tril(np.ones((k, k - 1)), -1)
    return np.append(-softplus(-log_odds), 0) - before @ softplus(log_odds)


def sticks_by_jax(log_odds):
    broken, left = jax.nn.log_sigmoid(log_odds), jnp.cumsum(jax.nn.log_sigmoid(-log_odds))
    return jnp.append(broken, 0.0) + jnp.concatenate([jnp.zeros(1), left])


def sticks_by_accumulate(log_odds):
    left = itertools.accumulate((float(log_expit(-s)) for s in log_odds), initial=0.0)
    return [a + b for a, b in zip(left, [*log_expit(log_odds), 0.0], strict=True)]


def sticks_from_log_odds(log_odds):
    log_v = log_expit(log_odds)
    log_rest = log_v - log_odds  # (1 − v)/v = e^(−s)
    return np.r_[log_v, 0] + np.r_[0, log_rest.cumsum()]


def sticks_in_long_numbers(log_odds):
    s = log_odds.astype(np.longdouble)
    v, rest = 1 / (1 + np.exp(-s)), 1 / (1 + np.exp(s))
    if np.finfo(np.longdouble).max < 1e400:  # no longer than others on this machine
        return sticks_by_loops(log_odds)
    return np.append(np.log(v), 0) + np.append(0, np.cumsum(np.log(rest)))


def sticks_in_single(log_odds):
    return sticks_by_matrix(log_odds.astype(np.float32)).astype(np.float32)


def sticks_by_recursion(log_odds):
    if not len(log_odds):
        return np.zeros(1)
    rest = sticks_by_recursion(log_odds[1:]) + log_expit(-log_odds[0])
    return np.concatenate([[log_expit(log_odds[0])], rest])


# 6.2


def avoided(a, k, points):
    return np.exp(betaln(a, (k - 1) * a + points) - betaln(a, (k - 1) * a))


def occupied_by_the_urn(a, k, points):
    expected = 0.0
    for i in range(points):
        expected += (k - expected) * a / (k * a + i)
    return expected


def occupied_by_gamma(a, k, points):
    b, log_gamma = (k - 1) * a, math.lgamma
    log_avoided = log_gamma(b + points) - log_gamma(b) + log_gamma(a + b)
    return k - k * math.exp(log_avoided - log_gamma(a + b + points))


def occupied_by_logs(a, k, points):
    others = (k - 1) * a + np.arange(points)
    return k * -np.expm1(np.sum(np.log(others) - np.log(others + a)))


OCCUPIED = (
    occupied_by_the_urn,
    occupied_by_gamma,
    occupied_by_logs,
    lambda a, k, points: k * (1 - avoided(a, k, points)),
    lambda a, k, points: k * -math.expm1(betaln(a, (k - 1) * a + points) - betaln(a, k * a - a)),
    lambda a, k, points: k * stats.betabinom.sf(0, points, a, (k - 1) * a),
    lambda a, k, points: sum(1 - avoided(a, k, points) for _ in range(k)),
    lambda a, k, points: np.array(
        k * (1 - special.beta(a, (k - 1) * a + points) / special.beta(a, (k - 1) * a))
    ),
)

# 6.3

LOG_GAMMA = (
    lambda log_value, shape: stats.loggamma.logpdf(log_value, shape),
    lambda log_value, shape: stats.loggamma(shape).logpdf(log_value).tolist(),
    lambda log_value, shape: [shape * v - math.exp(v) - math.lgamma(shape) for v in log_value],
    lambda log_value, a: (a - 1) * log_value + log_value - np.exp(log_value) - gammaln(a),
    lambda log_value, a: a * log_value - np.exp(log_value) - gammaln(a + 1) + np.log(a),
    lambda log_value, a: a * jnp.asarray(log_value) - jnp.exp(log_value) - gammaln(a),
    lambda log_value, a: a * log_value - np.exp(log_value) - special.loggamma(a).real,
    lambda log_value, a: np.where(  # SciPy where it can, by hand where it cannot
        log_value > -500,
        stats.gamma.logpdf(np.exp(np.maximum(log_value, -500)), a) + log_value,
        a * log_value - gammaln(a),
    ),
)

# 6.4


def gate_by_loops(x, hidden, output, log_weights):
    rows = []
    for point in x:
        units = [math.tanh(sum(p * w for p, w in zip(point, c, strict=True))) for c in hidden.T]
        logits = [
            log_pi + sum(u * w for u, w in zip(units, column, strict=True))
            for log_pi, column in zip(log_weights, output.T, strict=True)
        ]
        top = max(logits)
        total = top + math.log(sum(math.exp(logit - top) for logit in logits))
        rows.append([logit - total for logit in logits])
    return rows


def gate_by_einsum(x, hidden, output, log_weights):
    units = np.tanh(np.einsum("nd,dh->nh", x, hidden))
    logits = np.einsum("nh,hk->nk", units, output) + log_weights
    return logits - np.logaddexp.reduce(logits, axis=1)[:, None]


def gate_components_first(x, hidden, output, log_weights):
    logits = output.T @ np.tanh(hidden.T @ x.T) + log_weights[:, None]
    return (logits - logsumexp(logits, axis=0)).T


def gate_normalised_twice(x, hidden, output, log_weights):
    tilted = log_softmax(np.tanh(x @ hidden) @ output, axis=1) + log_weights
    return tilted - logsumexp(tilted, axis=1, keepdims=True)


def gate_with_weights_inside(x, hidden, output, log_weights):
    network = np.tanh(x @ hidden) @ output
    total = logsumexp(network, axis=1, b=np.exp(log_weights), keepdims=True)
    return log_weights + network - total


def gate_less_the_maximum(x, hidden, output, log_weights):
    logits = np.tanh(x.dot(hidden)).dot(output) + log_weights
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


GATES = (
    gate_by_loops,
    gate_by_einsum,
    gate_components_first,
    gate_normalised_twice,
    gate_with_weights_inside,
    gate_less_the_maximum,
    lambda x, w1, w2, log_pi: [log_softmax(np.tanh(row @ w1) @ w2 + log_pi) for row in x],
    lambda x, w1, w2, log_pi: jax.nn.log_softmax(jnp.tanh(x @ w1) @ w2 + log_pi, axis=-1),
)

# 6.5


def similarity_of_all_labels_at_once(labels):
    ones = (labels[:, :, None] == np.unique(labels)).astype(float)
    flat = ones.transpose(1, 0, 2).reshape(labels.shape[1], -1)
    return flat @ flat.T / len(labels)


def similarity_by_tensordot(labels):
    ones = (labels[..., None] == np.unique(labels)).astype(np.float32)
    return np.tensordot(ones, ones, axes=([0, 2], [0, 2])) / len(labels)


def similarity_by_label(labels):
    return sum((labels == k).T.astype(int) @ (labels == k) for k in np.unique(labels)) / len(labels)


def similarity_by_pairs(labels):
    table = np.eye(labels.shape[1])
    for n, m in itertools.combinations(range(labels.shape[1]), 2):
        table[n, m] = table[m, n] = np.count_nonzero(labels[:, n] == labels[:, m]) / len(labels)
    return table


def similarity_by_rows(labels):
    return [(row == labels.T).mean(axis=1) for row in labels.T]


def similarity_by_hamming(labels):
    from scipy.spatial.distance import pdist, squareform

    return 1 - squareform(pdist(labels.T, "hamming"))


def similarity_in_chunks(labels):
    total = 0
    for some in np.array_split(labels, math.ceil(len(labels) / 50)):
        total = total + (some[:, :, None] == some[:, None]).sum(axis=0)
    return total / len(labels)


def similarity_running(labels):
    mean = 0.0
    for s, draw in enumerate(labels):
        mean = mean + (np.equal.outer(draw, draw) - mean) / (s + 1)
    return mean


def similarity_by_scan(labels):
    def add(total, draw):
        return total + (draw[:, None] == draw), None

    labels = jnp.asarray(labels)
    return jax.lax.scan(add, jnp.zeros((labels.shape[1],) * 2), labels)[0] / len(labels)


# 6.6


def new_rows_by_einsum(new, fitted, labels):
    members = np.eye(labels.max() + 1)[labels]
    return np.einsum("smk,snk,nc->mc", new, fitted, members / members.sum(axis=0)) / len(new)


def new_rows_by_pairs(new, fitted, labels):
    meet = (new @ fitted.transpose(0, 2, 1)).mean(axis=0)
    return np.stack([meet[:, labels == c].mean(axis=1) for c in np.unique(labels)], axis=1)


def new_rows_by_loops(new, fitted, labels):
    (s, m, k), clusters = new.shape, labels.max() + 1
    table = np.zeros((m, clusters))
    for draw, row, n in itertools.product(range(s), range(m), range(len(labels))):
        products = (new[draw, row, j] * fitted[draw, n, j] for j in range(k))
        table[row, labels[n]] += sum(products) / s
    return table / np.bincount(labels)


def new_rows_side_by_side(new, fitted, labels):
    flat_new, flat = (np.concatenate(list(r), axis=1) for r in (new, fitted))
    meet = flat_new @ flat.T / len(new)
    return [[row[labels == c].mean() for c in range(max(labels) + 1)] for row in meet]


def new_rows_by_members_first(new, fitted, labels):
    mask = labels[:, None] == np.arange(labels.max() + 1)
    members = fitted.transpose(0, 2, 1) @ mask / mask.sum(axis=0)  # (S, K, C)
    return (new @ members).mean(axis=0)


def new_rows_added_at(new, fitted, labels):
    meet = np.tensordot(new, fitted, axes=([0, 2], [0, 2])) / len(new)
    table = np.zeros((labels.max() + 1, len(meet)))
    np.add.at(table, labels, meet.T)
    return (table / np.bincount(labels)[:, None]).T


def new_rows_in_single(new, fitted, labels):
    return new_rows_by_pairs(new.astype(np.float32), fitted.astype(np.float32), labels)


# 6.7


def integral_of_all_at_once(log_gate, means, scales, noise):
    points = means[:, None] + scales[:, None] * noise
    gates = np.exp(log_gate(points.reshape(-1, means.shape[1])))
    return np.einsum("kmk->", gates.reshape(len(means), len(noise), -1)) / len(noise)


def integral_by_loops(log_gate, means, scales, noise):
    total = 0.0
    for k, row in itertools.product(range(len(means)), noise):
        point = [m + s * e for m, s, e in zip(means[k], scales[k], row, strict=True)]
        total += math.exp(log_gate(np.array([point]))[0, k]) / len(noise)
    return total


def integral_in_logarithms(log_gate, means, scales, noise):
    pairs = enumerate(zip(means, scales, strict=True))
    logs = np.stack([log_gate(m + s * noise)[:, k] for k, (m, s) in pairs])
    return float(np.exp(logsumexp(logs) - np.log(len(noise))))


INTEGRALS = (
    integral_of_all_at_once,
    integral_by_loops,
    integral_in_logarithms,
    lambda g, m, s, e: sum(np.exp(g(m[k] + s[k] * e)[:, k]).mean() for k in range(len(m))),
    lambda g, m, s, e: np.trace(np.exp(g(m[:, None] + s[:, None] * e)).mean(axis=1)),
    lambda g, m, s, e: np.array(
        [np.exp(g(a + b * e)).mean(axis=0) for a, b in zip(m, s, strict=True)]
    ).trace(),
    lambda g, m, s, e: np.mean(sum(np.exp(g(e * s[k] + m[k]))[..., k] for k in range(len(m)))),
    lambda g, m, s, e: sum(
        np.mean([np.exp(g(m[k] + s[k] * row))[k] for row in e]) for k in range(len(m))
    ),
)

# 6.8


def bound_by_loops(log_q, log_weights, log_densities):
    bounds = []
    for row, densities in zip(log_q, log_densities, strict=True):
        terms = zip(row, log_weights, densities, strict=True)
        bounds.append(sum(math.exp(q) * (w + n - q) for q, w, n in terms if q > -math.inf))
    return bounds


def bound_by_the_gap(log_q, log_weights, log_densities):
    joint = log_weights + log_densities
    top = logsumexp(joint, axis=1)
    safe = np.where(np.isneginf(log_q), 0, log_q)
    return top - np.sum(np.exp(log_q) * (safe - joint + top[:, None]), axis=1)


def bound_by_mask(log_q, log_weights, log_densities):
    terms, some = np.zeros(log_q.shape), np.isfinite(log_q)
    terms[some] = np.exp(log_q[some]) * ((log_weights + log_densities)[some] - log_q[some])
    return terms.sum(axis=1)


def bound_by_jax(log_q, log_weights, log_densities):
    q = jnp.exp(log_q)
    paid = jnp.where(q > 0, log_weights + log_densities - jnp.where(q > 0, log_q, 0.0), 0.0)
    return jnp.sum(q * paid, axis=1)


BOUNDS = (
    bound_by_loops,
    bound_by_the_gap,
    bound_by_mask,
    bound_by_jax,
    lambda log_q, log_pi, log_n: np.sum(
        np.exp(log_q) * (log_pi + log_n) + entr(np.exp(log_q)), axis=1
    ),
    lambda log_q, log_pi, log_n: np.sum(
        np.exp(log_q) * (log_pi + log_n) - xlogy(np.exp(log_q), np.exp(log_q)), axis=1
    ),
    lambda log_q, log_pi, log_n: np.nansum(np.exp(log_q) * (log_pi + log_n - log_q), axis=1),
    lambda log_q, log_pi, log_n: np.einsum(
        "nk,nk->n", np.exp(log_q), log_pi + log_n - np.maximum(log_q, -1e5)
    ),
    lambda log_q, log_pi, log_n: np.sum(
        np.exp(log_q) * (log_pi + log_n - np.maximum(log_q, -1e300)), axis=1
    ),
    lambda log_q, log_pi, log_n: np.sum(  # a floor too low to be told from none
        np.exp(log_q) * (log_pi + log_n - np.log(np.exp(log_q) + 1e-300)), axis=1
    ),
    lambda log_q, log_pi, log_n: (
        (np.exp(log_q) * (log_pi + log_n)).sum(axis=1) + stats.entropy(np.exp(log_q), axis=1)
    ),
)

RIGHT = [
    *((check.log_sticks, f) for f in (sticks_by_loops, sticks_by_matrix, sticks_by_jax)),
    *((check.log_sticks, f) for f in (sticks_by_accumulate, sticks_from_log_odds)),
    *((check.log_sticks, f) for f in (sticks_in_long_numbers, sticks_in_single)),
    (check.log_sticks, sticks_by_recursion),
    *((check.expected_occupied, f) for f in OCCUPIED),
    *((check.log_density_of_log, f) for f in LOG_GAMMA),
    *((check.log_gate, f) for f in GATES),
    *((check.hard_similarity, f) for f in (similarity_of_all_labels_at_once, similarity_by_label)),
    *((check.hard_similarity, f) for f in (similarity_by_tensordot, similarity_by_pairs)),
    *((check.hard_similarity, f) for f in (similarity_by_rows, similarity_by_hamming)),
    *((check.hard_similarity, f) for f in (similarity_in_chunks, similarity_running)),
    (check.hard_similarity, similarity_by_scan),
    *((check.new_rows, f) for f in (new_rows_by_einsum, new_rows_by_pairs, new_rows_by_loops)),
    *((check.new_rows, f) for f in (new_rows_side_by_side, new_rows_by_members_first)),
    *((check.new_rows, f) for f in (new_rows_added_at, new_rows_in_single)),
    *((check.normaliser, f) for f in INTEGRALS),
    *((check.elbo, f) for f in BOUNDS),
]


@pytest.mark.parametrize(
    ("exercise", "answer"),
    RIGHT,
    ids=lambda value: getattr(value, "__name__", getattr(value, "name", "")),
)
def test_another_right_derivation_passes(exercise, answer):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "passes", verdict


# Wrong answers beyond the named ones: what is said of them is not misleading.


def all_tables(labels):
    return np.mean([np.equal.outer(draw, draw) for draw in labels], axis=0)


def tables_of_products(labels):
    ones = (labels[:, :, None] == np.unique(labels)).astype(np.float32)
    return (ones @ ones.transpose(0, 2, 1)).mean(axis=0)


def sticks_with(lengths):
    def answer(log_odds):
        v = expit(log_odds)
        return np.log(lengths(np.append(v, 1) * np.append(1, np.cumprod(1 - v))))

    return answer


def occupied_by_simulation(a, k, points):
    random = np.random.default_rng(0)
    weights = random.dirichlet(np.full(k, a), 400)
    return np.mean([len(np.unique(random.choice(k, min(points, 50), p=w))) for w in weights])


def gate_of(logits):
    return lambda *args: log_softmax(logits(*args), axis=1)


def with_intercept(x, w1, w2, log_pi):
    return np.tanh(x @ w1 + 1) @ w2 + log_pi


def new_rows_over(weigh):
    return lambda new, fitted, labels: weigh(new_rows_by_pairs(new, fitted, labels), labels)


def own_noise(log_gate, means, scales, noise):
    drawn = np.random.default_rng(3).normal(size=(4000, means.shape[1]))
    return integral_in_logarithms(log_gate, means, scales, drawn)


def with_log_gamma(log_g):
    return lambda value, shape: shape * log_g(value) - np.exp(value) - gammaln(shape)


def built_of_exponentials(log_value, a):
    g = np.exp(log_value)
    return np.log(g**a * np.exp(-g) / special.gamma(a))


def unprotected_gate(x, w1, w2, log_pi):
    logits = log_pi + np.tanh(x @ w1) @ w2
    return logits - np.log(np.sum(np.exp(logits), axis=1))[:, None]


def fit_less(divergence, times=1):
    def answer(log_q, log_pi, log_n):
        fit = np.sum(np.exp(log_q) * log_n, axis=1)
        return fit - times * divergence(np.exp(log_q), np.exp(log_pi)).sum(axis=1)

    return answer


right_sticks, right_gate = sticks_by_matrix, gate_by_einsum
right_integral, right_bound = integral_in_logarithms, bound_by_mask
small = np.finfo(float).tiny

WRONG = [
    (check.log_sticks, sticks_with(lambda w: np.maximum(w, 1e-12)), "cut off, or added"),
    (check.log_sticks, sticks_with(lambda w: w + small), None),
    (check.log_sticks, lambda s: right_sticks(np.clip(s, -20, 20)), "cut off, or added"),
    (check.log_sticks, lambda s: right_sticks(np.clip(s, -500, 500)), None),
    (check.log_sticks, lambda s: -right_sticks(s), "add up to 1"),
    (check.log_sticks, lambda s: right_sticks(s) / np.log(10), "add up to 1"),
    (check.log_sticks, lambda s: right_sticks(s)[::-1], "of the whole stick"),
    (check.log_sticks, lambda s: right_sticks(2 * s), "of the whole stick"),
    (check.log_sticks, lambda s: right_sticks(s) - np.log(len(s) + 1), "add up to 1"),
    (check.log_sticks, lambda s: [right_sticks(s)], None),
    (check.expected_occupied, occupied_by_simulation, "can be had exactly"),
    (check.expected_occupied, lambda *args: occupied_by_gamma(*args) / args[1], "times K"),
    (check.expected_occupied, lambda a, k, n: occupied_by_gamma(a**2, k, n), None),
    (check.expected_occupied, lambda a, k, n: k * a * np.log1p(n / (k * a)), "single point"),
    (check.expected_occupied, lambda a, k, n: k * stats.beta.sf(0.01, a, (k - 1) * a), "single"),
    (check.expected_occupied, lambda *args: int(occupied_by_gamma(*args) + 1e-6), "Two points"),
    (check.expected_occupied, lambda a, k, n: 1 - k * avoided(a, k, n), "single point"),
    (check.expected_occupied, lambda a, k, n: k * (1 - (1 + n / (k * a)) ** -a), "single point"),
    (check.expected_occupied, lambda *args: np.log(occupied_by_gamma(*args)), "single point"),
    (check.expected_occupied, lambda a, k, n: min(k, sum(k * a / (k * a + i) for i in range(n))),
     "Two points"),
    (check.log_density_of_log, with_log_gamma(lambda v: np.log(np.exp(v) + 1e-30)), "straight"),
    (check.log_density_of_log, with_log_gamma(lambda v: np.maximum(v, -745)), "straight line"),
    (check.log_density_of_log, with_log_gamma(np.abs), "integrates to 1"),
    (check.log_density_of_log, built_of_exponentials, "each term as it is"),
    (check.log_density_of_log, lambda v, a: a * v - np.exp(v) - np.log(math.factorial(a - 1)),
     "whole a alone"),
    (check.log_density_of_log, lambda v, a: a * v - np.exp(v) - np.log(special.factorial(a - 1)),
     "of a negative number"),
    (check.log_density_of_log, lambda v, a: stats.chi2.logpdf(np.exp(v), a) + v, None),
    (check.log_density_of_log, lambda v, a: stats.loggamma.logcdf(v, a), "integrates to 1"),
    (check.log_density_of_log, lambda v, a: stats.loggamma.logpdf(v, a, scale=a), "integrates"),
    (check.log_density_of_log, lambda v, a: stats.gumbel_l.logpdf(v), "mean of a gamma"),
    (check.log_density_of_log, lambda v, a: stats.loggamma.logpdf(v - np.log(a), a), "mean of a"),
    (check.log_density_of_log, lambda v, a: a * v - np.exp(v) / 2 - gammaln(a), "integrates to 1"),
    (check.log_density_of_log, lambda v, a: stats.loggamma.logpdf(v, a) / np.log(2), "integrates"),
    (check.log_gate, gate_of(with_intercept), "no intercept"),
    (check.log_gate, unprotected_gate, "e^800"),
    (check.log_gate, gate_of(lambda x, w1, w2, p: np.tanh(x @ w1) @ w2 + p / 2), "W₂ = 0"),
    (check.log_gate, gate_of(lambda x, w1, w2, p: p - np.tanh(x @ w1) @ w2), None),
    (check.log_gate, gate_of(lambda x, w1, w2, p: p + np.arctan(x @ w1) @ w2), None),
    (check.log_gate, lambda x, *rest: right_gate(x - x.mean(axis=0), *rest), None),
    (check.log_gate, lambda *args: np.log(np.exp(right_gate(*args)) + 1e-8), None),
    (check.log_gate, lambda *args: np.maximum(right_gate(*args), -700), None),
    (check.log_gate, lambda *args: log_softmax(np.exp(right_gate(*args)), axis=1), "W₂ = 0"),
    (check.log_gate, gate_of(lambda x, w1, w2, p: np.tanh(x @ w1.T) @ w2 + p), "A missing .T"),
    (check.log_gate, lambda *args: right_gate(*args) / np.log(2), "add up to 1"),
    (check.log_gate, lambda x, *rest: right_gate(x.sum(axis=1, keepdims=True), *rest), None),
    (check.hard_similarity, all_tables, "S × N × N"),
    (check.hard_similarity, tables_of_products, "S × N × N"),
    (check.hard_similarity, lambda r: similarity_running(r[::2]), "there twice"),
    (check.hard_similarity, lambda r: similarity_running(r[len(r) // 2 :]), "there twice"),
    (check.hard_similarity, lambda r: similarity_running(np.sort(r, axis=1)), "other numbers"),
    (check.hard_similarity, lambda r: similarity_running(r // 2), "other numbers"),
    (check.hard_similarity, lambda r: similarity_running(r).round(1), "another number"),
    (check.hard_similarity, lambda r: similarity_running(r) / len(np.unique(r)), "own label"),
    (check.hard_similarity, lambda r: similarity_running(r) * len(r), "divide by their number"),
    (check.hard_similarity, lambda r: similarity_running(r) ** 2, "another number"),
    (check.hard_similarity, lambda r: [np.equal.outer(draw, draw) for draw in r], None),
    (check.new_rows, new_rows_over(lambda t, n: t * np.bincount(n) / len(n)), "their* number"),
    (check.new_rows, new_rows_over(lambda t, n: special.softmax(t, axis=1)), "in each component"),
    (check.new_rows, new_rows_over(lambda t, n: t / t.sum(axis=0)), "in each component"),
    (check.new_rows, new_rows_over(lambda t, n: t[:, :-1]), "not the right one"),
    (check.new_rows, new_rows_over(lambda t, n: 1 - t), "in each component"),
    (check.new_rows, new_rows_over(lambda t, n: (t > 0.5).astype(float)), "in each component"),
    (check.new_rows, new_rows_over(lambda t, n: np.eye(t.shape[1])[t.argmax(axis=1)]), None),
    (check.new_rows, lambda new, f, n: new_rows_by_pairs(new - new.mean(1)[:, None], f, n), None),
    (check.new_rows, lambda new, f, n: new_rows_by_pairs(np.sqrt(new), np.sqrt(f), n), None),
    (check.new_rows, lambda new, f, n: new_rows_by_pairs(new, f, 1 - n.clip(max=1)), None),
    (check.normaliser, own_noise, "drawn yourself"),
    (check.normaliser, lambda *args: 1.0, "whatever the gate does"),
    (check.normaliser, lambda g, m, s, e: right_integral(g, m, -s, e), "another number"),
    (check.normaliser, lambda g, m, s, e: right_integral(g, m, s, np.r_[e, -e]), "another number"),
    (check.normaliser, lambda g, m, s, e: right_integral(g, m, s, e[:1]), None),
    (check.normaliser, lambda g, m, s, e: right_integral(g, s * m, s, e), "noise of 0"),
    (check.normaliser, lambda g, m, s, e: right_integral(g, m, s, e) * len(e) / e.size, None),
    (check.normaliser, lambda g, m, s, e: right_integral(g, m[:1], s[:1], e), "does not look"),
    (check.normaliser, lambda g, m, s, e: np.exp(g).sum(), "It stopped with TypeError"),
    (check.normaliser, lambda *args: round(right_integral(*args), 1), None),
    (check.elbo, lambda q, w, n: right_bound(np.maximum(q, -10), w, n), "log q is 0"),
    (check.elbo, lambda q, w, n: right_bound(np.nan_to_num(q, neginf=0), w, n), "log q is 0"),
    (check.elbo, lambda q, w, n: right_bound(np.log(np.exp(q) + 1e-10), w, n), "log q is"),
    (check.elbo, lambda q, w, n: np.sum(np.exp(q) * (w + n - np.log(np.exp(q) + 1e-10)), axis=1),
     "You put a floor"),
    (check.elbo, lambda q, w, n: np.sum(np.exp(q) * (w + n - np.maximum(q, -23.03)), axis=1),
     "You put a floor"),
    (check.elbo, fit_less(lambda q, pi: special.rel_entr(pi, q)), "KL(π ‖ q)"),
    (check.elbo, fit_less(special.rel_entr, 2), None),
    (check.elbo, lambda q, w, n: 2 * right_bound(q, w, n) - logsumexp(w + n, axis=1), "twice"),
    (check.elbo, lambda q, w, n: right_bound(q, w, n) - logsumexp(w + n, axis=1), None),
    (check.elbo, lambda q, w, n: right_bound(special.log_softmax(w + n, axis=1), w, n), None),
    (check.elbo, lambda q, w, n: np.exp(right_bound(q, w, n)), "lower bound"),
    (check.elbo, lambda q, w, n: right_bound(q, w, n) / 2, None),
    (check.elbo, lambda q, w, n: right_bound(q, w, n).sum(keepdims=True), None),
    (check.elbo, lambda q, w, n: right_bound(q, w - np.log(len(w)), n), "log Σ_k"),
    (check.elbo, lambda q, w, n: right_bound(q, w, log_softmax(n, axis=1)), "lower bound"),
    (check.elbo, lambda q, w, n: np.nansum(np.exp(q) * (w + n - q), axis=0), "shape"),
    (check.elbo, lambda q, w, n: (np.exp(q) * (w + n)).sum(1) + 2 * entr(np.exp(q)).sum(1), None),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "answer", "said"), WRONG)
def test_a_wrong_answer_is_told_what_fits_it(exercise, answer, said):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "not yet"
    if said is None:  # what failed is said
        assert verdict.property
    else:
        told = " ".join((verdict.sentence, *verdict.evidence[:1]))
        assert said in told, verdict


def test_a_share_of_draws_that_a_loop_over_pairs_finds_is_not_refused_for_its_slowness():
    def answer(labels):
        points = range(labels.shape[1])
        return [[np.mean(labels[:, n] == labels[:, m]) for m in points] for n in points]

    verdict = check.hard_similarity.judge(answer)
    assert verdict.outcome == "passes", verdict


def test_the_questions_say_what_can_be_computed():
    # 6.Q4: 2 and .003 against a density. 6.Q1: about α log N clusters.
    assert math.log(2) == pytest.approx(0.69, abs=0.005)
    assert math.log(0.003) == pytest.approx(-5.8, abs=0.02)
    n, alpha = 1_000_000, 1.0
    clusters = integrate.quad(lambda i: alpha / (alpha + i), 0, n)[0]
    assert clusters == pytest.approx(alpha * math.log(n), rel=0.01)
