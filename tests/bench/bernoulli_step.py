"""One EM step of the Bernoulli mixture, beside what one would use or write instead."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from digits import thresholded
from scipy.special import logsumexp
from timing import Entry, Row, duration, say, timed, version

from latentsteps.jax64 import jax, jnp
from latentsteps.models.bernoulli_mixture import BernoulliMixture, bernoulli_mixture
from latentsteps.trace import run

TITLE = "Bernoulli mixture: one EM step on binary digits of 784 pixels"
SMALL, LARGE = 5_000, 60_000


def rows() -> Iterator[Row]:
    for n in (SMALL, LARGE):
        x, which = thresholded(n)
        x.flags.writeable = False
        for k in (10, 100):
            yield from timed(f"{n:,} images, K = {k}", entries(x, k, which))
    yield from memory(x)


def entries(x: np.ndarray, k: int, which: str) -> list[Entry]:
    """Everything that makes a step on the images x with ``k`` clusters."""
    steps = 20 if len(x) <= SMALL else 5
    few = x[:SMALL]
    scale = len(x) / len(few)
    part = f"measured on {len(few):,} images, times {scale:g}" if scale > 1 else ""
    soft, hard = bernoulli_mixture(k), bernoulli_mixture(k, hard=True)
    state, _ = soft.init((0, 0), x)
    start = state.parameters
    floats = x.astype(np.float32)
    on_device = jnp.asarray(floats)
    r = np.full((len(x), k), 1 / k, np.float32)
    w = start.probabilities.astype(np.float32)
    r_device, w_device = jnp.asarray(r), jnp.asarray(w)
    scores = jax.jit(lambda x, w: x @ w.T)
    sums = jax.jit(lambda r, x: r.T @ x)

    def jax_floor() -> None:
        jax.block_until_ready((scores(on_device, w_device), sums(r_device, on_device)))

    def numpy_floor() -> None:
        _ = floats @ w.T
        _ = r.T @ floats

    result = [
        Entry("Latent Steps", lambda: soft.step((0, 1), state, x), note=which),
        Entry(
            "Latent Steps, a fit",
            lambda: run(bernoulli_mixture(k), x, steps=steps),
            1 / steps,
            f"{steps} steps, start and checks included, divided by {steps}",
        ),
        Entry("Latent Steps, hard", lambda: hard.step((0, 1), state, x), note="float64 decisions"),
        Entry("floor: its two products, JAX", jax_floor, note="float32, converted before"),
        Entry("floor: its two products, NumPy", numpy_floor, note="float32, converted before"),
        Entry("plain NumPy", lambda: numpy_step(x, start), note="float64, converted in every step"),
        Entry("plain double loop", lambda: loop_step(few, start), scale, part),
    ]
    if version("stepmix") != "absent":
        note = f"a fit of {steps} steps, start and checks included, divided by {steps}"
        result.append(Entry("stepmix", lambda: stepmix_fit(x, k, steps), 1 / steps, note))
    if version("pomegranate") != "absent":
        note = "; ".join(filter(None, [part, pomegranate_verdict(few, start)]))
        result.append(Entry("pomegranate", lambda: pomegranate_fit(few, start, 1), scale, note))
    return result


def numpy_step(x: np.ndarray, parameters: BernoulliMixture) -> BernoulliMixture:
    """As one writes it down in NumPy."""
    weights, probabilities = parameters
    x = x.astype(np.float64)
    joint = np.log(weights) + x @ np.log(probabilities).T + (1 - x) @ np.log(1 - probabilities).T
    r = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    counts = r.sum(axis=0)
    return BernoulliMixture(counts / len(x), (r.T @ x + 1) / (counts[:, None] + 2))


def loop_step(x: np.ndarray, parameters: BernoulliMixture) -> BernoulliMixture:
    """Image by image and cluster by cluster; only over the pixels NumPy runs the loop."""
    weights, probabilities = parameters
    log_on, log_off = np.log(probabilities), np.log(1 - probabilities)
    counts, on = np.zeros(len(weights)), np.zeros(probabilities.shape)
    joint = np.empty(len(weights))
    for image in x:
        for k in range(len(weights)):
            joint[k] = np.log(weights[k]) + np.sum(image * log_on[k] + (1 - image) * log_off[k])
        r = np.exp(joint - joint.max())
        r /= r.sum()
        for k in range(len(weights)):
            counts[k] += r[k]
            on[k] += r[k] * image
    return BernoulliMixture(counts / len(x), (on + 1) / (counts[:, None] + 2))


def stepmix_fit(x: np.ndarray, k: int, steps: int) -> None:
    from stepmix import StepMix

    model = StepMix(
        n_components=k,
        measurement="binary",
        max_iter=steps,
        abs_tol=0,
        rel_tol=0,
        random_state=0,
        progress_bar=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that so few steps did not converge
        model.fit(x)


def pomegranate_fit(x: np.ndarray, start: BernoulliMixture, steps: int) -> float:
    """Fit from our start, and return the mean log-likelihood that it ends with."""
    import torch
    from pomegranate.distributions import Bernoulli
    from pomegranate.gmm import GeneralMixtureModel

    pictures = [Bernoulli(torch.tensor(p, dtype=torch.float32)) for p in start.probabilities]
    weights = torch.tensor(start.weights, dtype=torch.float32)
    model = GeneralMixtureModel(pictures, priors=weights, max_iter=steps, tol=-np.inf)
    images = torch.tensor(x, dtype=torch.float32)
    model.fit(images)
    return float(model.log_probability(images[:100]).mean()) if steps > 1 else np.nan


def pomegranate_verdict(x: np.ndarray, start: BernoulliMixture) -> str:
    """What comes of three of its steps, on a few images and clusters."""
    few = BernoulliMixture(np.full(3, 1 / 3), start.probabilities[:3])
    try:
        reached = pomegranate_fit(x[:500], few, 3)
    except Exception as error:
        return f"three steps fail: {type(error).__name__}"
    return "" if np.isfinite(reached) else "after three steps its log-likelihood is NaN"


def memory(x: np.ndarray) -> Iterator[Row]:
    """The largest resident memory of a process that fits these images and does nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "images.npy"
        np.save(file, x)
        for k in (10, 100):
            say(f"  memory at K = {k}")
            script = str(Path(__file__).with_name("resident.py"))
            done = subprocess.run(
                [sys.executable, script, str(file), str(k)], capture_output=True, text=True
            )
            case = f"{len(x):,} images, K = {k}: memory"
            if done.returncode:
                yield Row(case, "Latent Steps", "fails", "", done.stderr.splitlines()[-1])
                continue
            found = json.loads(done.stdout)
            note = (
                f"a process with ten steps and nothing else; the images are {mib(x.nbytes)}, the "
                f"imports {mib(found['imported'])}; start and compilation took "
                f"{duration(found['first'])}"
            )
            yield Row(case, "Latent Steps", mib(found["peak"]), "", note)


def mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
