"""500 Bernoulli pictures on stochastically binarised MNIST, beside the published figure."""

from __future__ import annotations

import time
from collections.abc import Iterator

from digits import full
from timing import Row, duration, say

from latentsteps import data
from latentsteps.models.bernoulli_mixture import bernoulli_mixture, mean_log_likelihood, pixel_mean
from latentsteps.trace import run

TITLE = "Bernoulli mixture: log-likelihood of 10,000 test digits, pixels drawn with P(on) = grey"
K, STEPS = 500, 30


def rows() -> Iterator[Row]:
    case = f"K = {K}, 50,000 images to train"
    digits = full()
    if digits is None:
        note = "left out: LATENTSTEPS_DATA names no folder with all of MNIST"
        yield Row(case, "Latent Steps", "", "", note)
        return
    say(f"  {case}: {STEPS} steps")
    train = data.binarize_by_sampling(digits.train_images[:50_000], seed=0)
    test = data.binarize_by_sampling(digits.test_images, seed=1)
    start = time.perf_counter()
    algorithm = bernoulli_mixture(K, toward=pixel_mean(train))
    trace = run(algorithm, train, steps=STEPS, memory=20_000_000)
    seconds = time.perf_counter() - start
    reached = mean_log_likelihood(test, trace[-1].parameters)
    note = f"{STEPS} steps of soft EM in {duration(seconds)}, one seed, smoothed to the pixel means"
    yield Row(case, "Latent Steps", f"{reached:.2f} nats", "", note)
    note = "quoted by Larochelle & Murray (2011), another draw of the pixels"
    yield Row(case, "published, 500 Bernoullis", "-137.64 nats", "", note)
