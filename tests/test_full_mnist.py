"""The Bernoulli mixture on all of MNIST: published-size figures, and labels one by one.

Needs the four original files in the folder that LATENTSTEPS_DATA names; about two minutes.
"""

import os

import numpy as np
import pytest

from latentsteps import data
from latentsteps.models.bernoulli_mixture import (
    bernoulli_mixture,
    log_joint,
    mean_log_likelihood,
)
from latentsteps.trace import run

pytestmark = [
    pytest.mark.full_mnist,
    pytest.mark.skipif(
        not os.environ.get("LATENTSTEPS_DATA"),
        reason="LATENTSTEPS_DATA names no folder with the 70,000 digits of MNIST",
    ),
]


@pytest.fixture(scope="module")
def digits():
    """Training and test images, thresholded at one half."""
    full = data.mnist("full", progress=False)
    return (
        data.binarize_by_threshold(full.train_images),
        data.binarize_by_threshold(full.test_images),
    )


# Nats an image on the 10,000 test digits after 60 steps of soft EM: the mean over three seeds to
# half a nat, each of them to one.
@pytest.mark.parametrize(
    ("k", "reference"), [(10, -164.9), (20, -152.7), (50, -139.8), (100, -132.3)]
)
def test_soft_em_reaches_the_reference_on_test_digits(digits, k, reference):
    train, test = digits
    reached = []
    for seed in range(3):
        trace = run(bernoulli_mixture(k), train, seed, steps=60)
        # Far below the stated rounding, which is for any data: one part in ten million.
        change = np.diff(trace.objective)
        assert np.all(change > -1e-7 * np.abs(trace.objective[1:]))
        reached.append(mean_log_likelihood(test, trace[-1].parameters))
    assert np.mean(reached) == pytest.approx(reference, abs=0.5)
    np.testing.assert_allclose(reached, reference, atol=1.0)


def test_hard_assignments_of_all_digits_equal_a_plain_loop_label_for_label(digits):
    train, _ = digits
    trace = run(bernoulli_mixture(10, hard=True), train, steps=8)
    weights, probabilities = trace[-1].parameters
    templates = [
        (np.log(w), np.log(p), np.log1p(-p)) for w, p in zip(weights, probabilities, strict=True)
    ]
    labels = np.empty(len(train), dtype=int)
    for n, image in enumerate(train):
        on = image.view(bool)
        scores = [w + log_on[on].sum() + log_off[~on].sum() for w, log_on, log_off in templates]
        labels[n] = scores.index(max(scores))
    np.testing.assert_array_equal(log_joint(train, trace[-1].parameters).argmax(axis=1), labels)
    found = trace[-1].expectations
    np.testing.assert_array_equal(found.counts, np.bincount(labels, minlength=10))
    on = np.array([train[labels == k].sum(axis=0) for k in range(10)])
    np.testing.assert_array_equal(found.on, on)


def test_pixels_that_are_never_on_end_with_the_probability_that_the_prior_gives_them(digits):
    train, _ = digits
    never = ~train.any(axis=0)
    trace = run(bernoulli_mixture(10), train, steps=3)
    expected = 1 / (trace[2].expectations.counts + 2)
    got = trace[3].parameters.probabilities[:, never]
    assert never.sum() > 50
    np.testing.assert_allclose(got, np.tile(expected[:, None], never.sum()), rtol=1e-9)
