"""The checks of unit 01: what every unit's must do, references against the library and against
oracles of another kind, and right and wrong answers that have no name."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

from checking import assert_unit_checks
from latentsteps.checks import multinomial_mnist as check
from latentsteps.checks.multinomial_mnist_fit import EM_PATH
from latentsteps.jax64 import jax, jnp
from latentsteps.models import bernoulli_mixture as library
from latentsteps.models import categorical_mixture as grey_library
from latentsteps.trace import run

reference = {name: getattr(check, name).reference for name in check.__all__}


def test_every_check_knows_its_right_answer_its_blank_and_its_misconceptions():
    assert_unit_checks(check)


def test_every_exercise_has_three_misconceptions_and_three_hints_at_least():
    for name in check.__all__:
        exercise = getattr(check, name)
        assert len(exercise.hints) >= (
            2 if name in ("hard_and_soft", "nats", "never_returns") else 3
        )
        assert len(getattr(exercise, "misconceptions", (1, 2, 3))) >= 3, name


# References: the library's, and oracles of another kind.


@st.composite
def mixtures(draw):
    n, k, d = draw(st.integers(1, 8)), draw(st.integers(1, 4)), draw(st.integers(1, 6))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    x = (random.random((n, d)) < 0.5).astype(np.uint8)
    probabilities = random.uniform(0.02, 0.98, size=(k, d))
    return x, random.dirichlet(np.ones(k)), probabilities


@given(mixtures())
@settings(max_examples=40, deadline=None)
def test_the_references_give_what_the_library_gives(mixture):
    x, weights, probabilities = mixture
    parameters = library.BernoulliMixture(weights, probabilities)
    log_p = reference["log_likelihoods"](x, probabilities)
    np.testing.assert_allclose(log_p + np.log(weights), library.log_joint(x, parameters))
    r = reference["responsibilities"](log_p, weights)
    np.testing.assert_allclose(r, library.responsibilities(x, parameters), atol=1e-12)
    (score,) = reference["held_out_scores"]([(weights, probabilities)], x, x)
    assert score == pytest.approx(library.mean_log_likelihood(x, parameters))


@pytest.mark.parametrize("toward", [0.5, "picture"])
def test_a_run_of_the_references_is_a_run_of_the_library(toward):
    random = np.random.default_rng(0)
    x = (random.random((60, 12)) < random.uniform(0.1, 0.9, size=(2, 12))[[0] * 30 + [1] * 30]) * 1
    picture = np.full(12, 0.5) if toward == 0.5 else library.pixel_mean(x)
    start = library.BernoulliMixture(np.array([0.5, 0.5]), random.uniform(0.3, 0.7, size=(2, 12)))
    algorithm = library.bernoulli_mixture(2, toward=picture, start=start)
    trace = run(algorithm, x.astype(np.uint8), steps=10)
    weights, probabilities = start
    for t in range(11):
        log_p = reference["log_likelihoods"](x, probabilities)
        np.testing.assert_allclose(trace[t].parameters.probabilities, probabilities, rtol=1e-4)
        if toward == 0.5:
            mine = reference["objective"](log_p, weights, probabilities)
            assert trace.objective[t] == pytest.approx(mine, rel=1e-5)
        r = reference["responsibilities"](log_p, weights)
        weights = reference["update_weights"](r)
        probabilities = reference["update_toward"](x, r, 2.0, picture)
        if toward == 0.5:
            np.testing.assert_allclose(probabilities, reference["update_probabilities"](x, r))


def test_an_image_s_probability_is_a_product_and_all_images_sum_to_one():
    probabilities = np.random.default_rng(1).uniform(0.05, 0.95, size=(3, 8))
    every = np.array(list(product([0, 1], repeat=8)), dtype=np.uint8)
    log_p = reference["log_likelihoods"](every, probabilities)
    product_of_all = np.prod(np.where(every[:, None], probabilities, 1 - probabilities), axis=2)
    np.testing.assert_allclose(np.exp(log_p), product_of_all)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=0), 1)


def test_log_sum_exp_is_scipy_s_and_responsibilities_survive_500_nats():
    a = np.random.default_rng(2).normal(scale=300, size=(20, 4)) - 500
    np.testing.assert_allclose(reference["log_sum_exp"](a), scipy.special.logsumexp(a, axis=1))
    r = reference["responsibilities"](a, np.array([0.1, 0.2, 0.3, 0.4]))
    assert np.isfinite(r).all()
    np.testing.assert_allclose(r.sum(axis=1), 1)


def test_the_new_pictures_are_where_the_gradient_is_zero():
    random = np.random.default_rng(3)
    x, r = random.integers(0, 2, size=(15, 6)), random.dirichlet(np.ones(3), size=15)
    toward = random.uniform(0.1, 0.9, size=6)

    def log_posterior(theta, prior_on, prior_off):
        log_p = x @ jnp.log(theta).T + (1 - x) @ jnp.log(1 - theta).T
        prior = (prior_on * jnp.log(theta) + prior_off * jnp.log(1 - theta)).sum()
        return (r * log_p).sum() + prior

    slope = jax.grad(log_posterior)
    theta = reference["update_probabilities"](x, r)
    np.testing.assert_allclose(slope(theta, 1.0, 1.0), 0, atol=1e-10)
    theta = reference["update_toward"](x, r, 7.0, toward)
    np.testing.assert_allclose(slope(theta, 7 * toward, 7 * (1 - toward)), 0, atol=1e-10)


def test_no_other_weights_score_higher():
    random = np.random.default_rng(4)
    r = random.dirichlet(np.ones(4), size=30)
    counts, best = r.sum(axis=0), reference["update_weights"](r)
    others = random.dirichlet(np.ones(4), size=200)
    assert (counts @ np.log(best)) > (np.log(others) @ counts).max()


def test_two_levels_are_the_bernoulli_mixture_and_more_are_the_library_s():
    random = np.random.default_rng(5)
    levels, r = random.integers(0, 4, size=(25, 5)), random.dirichlet(np.ones(3), size=25)
    probabilities = reference["update_level_probabilities"](levels, r, 4)
    parameters = grey_library.CategoricalMixture(np.full(3, 1 / 3), probabilities)
    np.testing.assert_allclose(
        reference["level_log_likelihoods"](levels, probabilities) + np.log(1 / 3),
        grey_library.log_joint(levels, parameters),
    )
    x = np.minimum(levels, 1)
    two = reference["update_level_probabilities"](x, r, 2)
    np.testing.assert_allclose(two[:, :, 1], reference["update_probabilities"](x, r))


# The runs behind the sentences.


def test_along_the_path_the_objective_never_falls_and_the_log_likelihood_does():
    climbs = np.diff([reference["objective"](*step) for step in EM_PATH])
    plain = np.diff([reference["objective"](*step) - _log_prior(step[2]) for step in EM_PATH])
    assert climbs.min() > -1e-9
    assert plain.min() < -0.01


def _log_prior(probabilities):
    return np.log(probabilities).sum() + np.log(1 - probabilities).sum()


def test_beta_mode_is_the_top_of_the_density():
    theta = np.linspace(0.001, 0.999, 999)
    assert theta[np.argmax(np.log(theta) + 11 * np.log(1 - theta))] == pytest.approx(
        check.beta_mode.reference, abs=1e-3
    )


# Right answers that are derived in another way.


def by_pixels(x, probabilities):
    table = np.empty((len(x), len(probabilities)))
    for n, image in enumerate(x):
        for k, picture in enumerate(probabilities):
            table[n, k] = sum(
                np.log(p) if pixel else np.log(1 - p)
                for pixel, p in zip(image, picture, strict=True)
            )
    return table


def by_softmax(log_p, weights):
    with np.errstate(divide="ignore"):
        return scipy.special.softmax(log_p + np.log(weights), axis=1)


def by_subtraction(log_p, weights):
    scaled = weights * np.exp(log_p - log_p.max(axis=1, keepdims=True))
    return scaled / scaled.sum(axis=1, keepdims=True)


def by_imaginary_images(x, r):
    k, d = r.shape[1], x.shape[1]
    more = np.concatenate([x, np.ones((1, d)), np.zeros((1, d))])
    shares = np.concatenate([r, np.ones((2, k))])
    return np.array([np.average(more, axis=0, weights=shares[:, j]) for j in range(k)])


def with_scipy(log_p, weights, probabilities):
    from scipy.stats import beta

    likelihood = scipy.special.logsumexp(log_p, axis=1, b=weights).sum()
    prior = beta(2, 2).logpdf(probabilities).sum() - probabilities.size * np.log(6)
    return likelihood + prior


def one_by_one(weights, probabilities, n, seed):
    random = np.random.default_rng(seed)
    images, clusters = [], []
    for _ in range(n):
        k = int(np.searchsorted(np.cumsum(weights)[:-1], random.random(), side="right"))
        clusters.append(k)
        images.append([int(random.random() < p) for p in probabilities[k]])
    return np.array(images), np.array(clusters)


def bool_images(weights, probabilities, n, seed):
    random = np.random.default_rng(seed)
    clusters = random.choice(len(weights), size=n, p=weights)
    return random.random((n, probabilities.shape[1])) < probabilities[clusters], clusters


def by_taking(levels, probabilities):
    logs = np.log(probabilities)
    pixels = np.arange(levels.shape[1])
    return np.array([logs[:, pixels, image].sum(axis=1) for image in levels])


def by_level(levels, r, n_levels):
    counts = np.stack([r.T @ (levels == level) for level in range(n_levels)], axis=2) + 1.0
    return counts / counts.sum(axis=2, keepdims=True)


def in_single_precision(function):
    def answer(*args):
        return np.float32(function(*args))

    return answer


def through_jax(log_p, weights):
    single = jnp.asarray(log_p, jnp.float32) + jnp.log(jnp.asarray(weights, jnp.float32))
    return jax.nn.softmax(single, axis=1)


def drawn_once(weights, probabilities, n, seed):
    random = np.random.default_rng(seed)
    k = random.choice(len(weights), p=weights)
    images = random.random((n, probabilities.shape[1])) < probabilities[k]
    return images, np.full(n, k)


def other_clusters(weights, probabilities, n, seed):
    images, _ = bool_images(weights, probabilities, n, seed)
    return images, bool_images(weights, probabilities, n, seed + 99)[1]


def by_quota(weights, probabilities, n, seed):
    clusters = np.searchsorted(np.cumsum(weights)[:-1], (np.arange(n) + 0.5) / n)
    return np.random.default_rng(seed).binomial(1, probabilities[clusters]), clusters


def by_binomial(weights, probabilities, n, seed):
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(len(weights)), random.multinomial(n, weights))
    return random.binomial(1, probabilities[clusters]).tolist(), clusters.tolist()


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (check.log_sum_exp, in_single_precision(reference["log_sum_exp"])),
        (check.responsibilities, through_jax),
        (check.objective, in_single_precision(reference["objective"])),
        (check.sample, by_binomial),
        (check.log_sum_exp, lambda a: scipy.special.logsumexp(a, axis=1)),
        (check.log_sum_exp, lambda a: np.logaddexp.reduce(a, axis=1)),
        (check.log_likelihoods, by_pixels),
        (check.responsibilities, by_softmax),
        (check.responsibilities, by_subtraction),
        (check.update_probabilities, by_imaginary_images),
        (check.update_weights, lambda r: r.sum(axis=0) / r.sum()),
        (check.objective, with_scipy),
        (check.choose_k, lambda ks, train, held: max(zip(held, ks, strict=True))[1]),
        (check.sample, one_by_one),
        (check.sample, bool_images),
        (check.level_log_likelihoods, by_taking),
        (check.update_level_probabilities, by_level),
    ],
)
def test_another_right_derivation_passes(exercise, answer):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "passes", verdict


# Wrong answers without a name: the property that fails is the one that says most.


@pytest.mark.parametrize(
    ("exercise", "answer", "words"),
    [
        (check.log_likelihoods, lambda x, p: by_pixels(x, p) + 1, "pixel by pixel"),
        (check.responsibilities, lambda log_p, w: by_softmax(log_p, w) / 2, "must sum to 1"),
        (
            check.update_probabilities,
            lambda x, r: (r.T @ x + 3) / (r.sum(axis=0)[:, None] + 6),
            "still has a slope",
        ),
        (check.update_weights, lambda r: r.sum(axis=0) / (len(r) + 1), "sum to 1"),
        (check.update_weights, lambda r: np.eye(r.shape[1])[0], "makes none"),
        (check.choose_k, lambda ks, train, held: ks[0], "another order"),
        (
            check.sample,
            lambda w, p, n, seed: one_by_one(w, p, n, 0),
            "Another seed should draw other images",
        ),
        (
            check.level_log_likelihoods,
            lambda x, p: by_taking(x, p) - (len(x) > 1),
            "must add up to 1",
        ),
        (check.level_log_likelihoods, lambda x, p: by_taking(x, p) - 1, "another number"),
        (check.log_likelihoods, lambda x, p: by_pixels(x, p).T, "looks transposed"),
        (check.level_log_likelihoods, lambda x, p: by_taking(x, p).T, "looks transposed"),
        (check.update_probabilities, lambda x, r: r.T @ x + 1, "should get a probability"),
        (check.update_weights, lambda r: r.mean(axis=1), "shape"),
        (check.choose_k, lambda ks, train, held: ks[-1], "another order"),
        # Wrong draws that share a property with a wrong answer that has a name.
        (check.sample, lambda *args: one_by_one(*args)[::-1], "shape"),
        (check.sample, by_quota, "no fixed quota"),
        (check.sample, drawn_once, "come from one cluster"),
        (check.sample, other_clusters, "you say are from cluster"),
        (
            check.update_toward,
            lambda x, r, s, m: (r.T @ x + 2 * s * m) / (r.sum(axis=0)[:, None] + 2 * s),
            "exercise 1.3 again",
        ),
    ],
)
def test_the_sentence_names_what_fails(exercise, answer, words):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "not yet"
    assert verdict.misconception is None
    assert words in verdict.sentence, verdict


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        # It is the largest entry that has to be taken out.
        (check.log_sum_exp, lambda a: a[:, 0] + np.log(np.exp(a - a[:, :1]).sum(axis=1))),
        # The best within two nats is not the best.
        (
            check.choose_k,
            lambda ks, train, held: min(
                k for k, score in zip(ks, held, strict=True) if score >= max(held) - 2
            ),
        ),
    ],
)
def test_an_answer_that_fits_most_inputs_does_not_pass(exercise, answer):
    verdict = exercise.judge(answer)
    assert verdict.outcome == "not yet"
    assert verdict.misconception is None
    assert verdict.property != "float32 inputs work as well"


def test_a_result_on_changed_inputs_is_not_called_expected():
    verdict = check.choose_k.judge(lambda ks, train, held: ks[int(np.argmax(train))])
    assert verdict.evidence[-1] == "after 2; before 10"
    verdict = check.update_weights.judge(lambda r: np.sqrt(r).sum(axis=0) / np.sqrt(r).sum())
    assert "cluster 0 " in verdict.evidence[-1]
    assert "expected" not in verdict.evidence[-1]


def test_pixels_tossed_together_are_seen_whatever_the_seed():
    exercise = check.sample
    prop = next(p for p in exercise.properties if "coin of its own" in p.label)
    for case in exercise.cases:
        weights, probabilities, n, _ = case.args
        for seed in range(30):
            drawn = bool_images(weights, probabilities, n, seed)
            result = drawn[0].astype(float), drawn[1]
            for each in exercise.properties[:-1]:
                assert each.holds(bool_images, case.args, result) is None, (each.label, seed)
    coins = next(m for m in exercise.misconceptions if "one coin" in m.name).answer
    assert prop.holds(coins, case.args, coins(*case.args)) is not None


@pytest.mark.parametrize("value", [1 / 12, 0.083, "0.0833"])
def test_the_mode_may_be_given_as_people_write_it(value):
    expected = "not yet" if isinstance(value, str) else "passes"
    assert check.beta_mode.judge(value).outcome == expected
