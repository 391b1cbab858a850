"""Simulated data: the stated distributions, the same seed the same data, errors in words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from latentsteps.simulated import (
    ARM,
    ARM_NOISE,
    ELBOW,
    HAND_MIDDLE,
    HAND_UNIT,
    SHOULDER,
    SINE_NOISE,
    blobs,
    hand,
    inverse_sine,
    two_link_arm,
)

MANY = 200_000


def standard(values) -> None:
    """Mean 0 and variance 1, each within four of its standard errors."""
    for column in np.asarray(values).T:
        n = len(column)
        assert abs(column.mean()) < 4 * column.std() / math.sqrt(n)
        squares = (column - column.mean()) ** 2
        assert abs(squares.mean() - 1) < 4 * squares.std() / math.sqrt(n)


@pytest.mark.parametrize(
    "make", [inverse_sine, two_link_arm, lambda n, seed: blobs(n=n, seed=seed)]
)
def test_a_seed_is_the_data(make):
    first, again, other = make(50, seed=3), make(50, seed=3), make(50, seed=4)
    for a, b, _c in zip(first, again, other, strict=True):
        assert (a == b).all()
        assert a.dtype in (np.float64, np.int64)
        assert len(a) == 50
    assert (first[0] != other[0]).any()


def test_inverse_sine_is_in_standard_units():
    inputs, outputs = inverse_sine(MANY, seed=0)
    assert inputs.shape == outputs.shape == (MANY, 1)
    standard(inputs)
    standard(outputs)
    assert stats.kstest(outputs[:, 0] / math.sqrt(12) + 0.5, "uniform").pvalue > 1e-3


def test_inverse_sine_is_the_curve_with_normal_noise():
    inputs, outputs = inverse_sine(MANY, seed=1)
    t = outputs[:, 0] / math.sqrt(12) + 0.5
    curve = t + 0.3 * np.sin(2 * np.pi * t)
    # The unit of the inputs, from the slope of what was drawn against the curve.
    variance = np.var(
        np.linspace(0, 1, 100_001) + 0.3 * np.sin(2 * np.pi * np.linspace(0, 1, 100_001))
    )
    x = inputs[:, 0] * math.sqrt(variance + SINE_NOISE**2) + 0.5
    noise = (x - curve) / SINE_NOISE
    assert stats.kstest(noise, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise, t)[0, 1]) < 4 / math.sqrt(MANY)


def test_several_outputs_belong_to_one_input():
    inputs, outputs = inverse_sine(MANY, seed=2)
    near = outputs[np.abs(inputs[:, 0]) < 0.02, 0]
    # At x = .5 the curve is met at t = .5 and at two places symmetric about it.
    low, middle, high = (near < -0.6), (np.abs(near) < 0.6), (near > 0.6)
    assert min(low.mean(), middle.mean(), high.mean()) > 0.1
    assert near[low].mean() == pytest.approx(-near[high].mean(), abs=0.05)


def test_the_arms_angles_are_even_and_in_standard_units():
    _, outputs = two_link_arm(MANY, seed=0)
    assert outputs.shape == (MANY, 2)
    standard(outputs)
    for column in outputs.T:
        assert stats.kstest(column / math.sqrt(12) + 0.5, "uniform").pvalue > 1e-3


def test_the_arms_inputs_are_the_hand_with_noise():
    inputs, outputs = two_link_arm(MANY, seed=1)
    noise = (inputs - hand(outputs)) * HAND_UNIT / ARM_NOISE
    for column in noise.T:
        assert stats.kstest(column, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise.T)[0, 1]) < 4 / math.sqrt(MANY)
    # "Nearly" in standard units: the middle and the unit are rounded.
    assert inputs.mean(axis=0) == pytest.approx([0, 0], abs=0.05)
    assert inputs.std(axis=0) == pytest.approx([1, 1], abs=0.15)


def test_the_hand_is_at_the_end_of_both_links():
    random = np.random.default_rng(0)
    outputs = math.sqrt(12) * (random.uniform(size=(40, 2)) - 0.5)
    for place, (first, second) in zip(hand(outputs), outputs, strict=True):
        a = SHOULDER[0] + (first / math.sqrt(12) + 0.5) * (SHOULDER[1] - SHOULDER[0])
        b = ELBOW[0] + (second / math.sqrt(12) + 0.5) * (ELBOW[1] - ELBOW[0])
        elbow = ARM[0] * np.array([math.cos(a), math.sin(a)])
        end = elbow - ARM[1] * np.array([math.cos(a + b), math.sin(a + b)])
        assert place == pytest.approx((end - HAND_MIDDLE) / HAND_UNIT)
        assert np.linalg.norm(end - elbow) == pytest.approx(ARM[1])
    assert hand(outputs.reshape(5, 8, 2)) == pytest.approx(hand(outputs).reshape(5, 8, 2))
    assert hand(outputs[0]).shape == (2,)


def test_two_bendings_of_the_elbow_reach_one_place():
    # Mirrored about the line from shoulder to hand, the arm ends where it ended.
    low, high = np.array([SHOULDER, ELBOW]).T
    unit = (high - low) / math.sqrt(12)
    first = np.array([0.4, -0.9])
    a, b = (low + high) / 2 + first * unit
    place = hand(first) * HAND_UNIT + HAND_MIDDLE
    direction = math.atan2(place[1], place[0])
    second = (np.array([2 * direction - a, 2 * math.pi - b]) - (low + high) / 2) / unit
    assert hand(second) == pytest.approx(hand(first))
    assert second != pytest.approx(first, abs=0.1)
    assert (np.abs(second) < math.sqrt(3)).all()


def test_blobs_are_round_clouds_of_the_stated_spread():
    x, labels = blobs(clusters=5, n=20_000, spread=0.7, seed=1)
    assert x.shape == (20_000, 2)
    assert np.bincount(labels).tolist() == [4000] * 5
    for k in range(5):
        cloud = x[labels == k]
        assert (np.abs(cloud.mean(axis=0)) < 10.1).all()
        # The standard error of a standard deviation is σ/√(2n).
        assert cloud.std(axis=0) == pytest.approx([0.7, 0.7], abs=4 * 0.7 / math.sqrt(8000))
    assert np.bincount(blobs(clusters=3, n=11).labels).tolist() == [4, 4, 3]


def test_the_seeds_blobs_are_the_default():
    x, labels = blobs()
    assert x.shape == (500, 2)
    assert sorted(set(labels.tolist())) == list(range(8))


@pytest.mark.parametrize("n", [0, -3])
def test_no_pairs_are_refused_in_words(n):
    for make in (inverse_sine, two_link_arm):
        with pytest.raises(ValueError, match="positive number of pairs"):
            make(n, seed=0)
