"""The importance-weighted bound at k = 5,000: time, memory, and what many draws are good for.

Usage as a script, by itself: importance_weighted.py FOLDER K; prints the memory that K draws take
with network and images in FOLDER, as JSON.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from memory import peak, resident
from numpy.typing import NDArray
from timing import Entry, Row, say, timed

from latentsteps import data
from latentsteps.inference.training import generator, load, one_thread, save
from latentsteps.models.importance import importance_weighted
from latentsteps.models.vae import VAE, kl_by_dimension, sample, vae, vae_at
from latentsteps.trace import run

EPOCHS, K, IMAGES, FEW = 30, 5_000, 100, 10
TITLE = f"Importance-weighted bound of a VAE 784-400-32, {EPOCHS} epochs on 4,000 digits"


def rows() -> Iterator[Row]:
    digits = data.mnist()
    say(f"  training, {EPOCHS} epochs")
    state = run(vae(), digits.train_images, steps=EPOCHS, memory=1)[-1]
    network = vae_at(state)
    x = data.binarize_by_sampling(digits.test_images, seed=1)
    yield from timed(f"k = {K:,}, {IMAGES} images", entries(network, x[:IMAGES]), rounds=3)
    yield from memory(state.parameters, x[:FEW])
    yield from bounds(network, x)


def entries(network: VAE, x: NDArray) -> list[Entry]:
    share = len(x) / FEW
    part = f"measured on {FEW} images, times {share:g}"
    floats = torch.from_numpy(x).float()
    return [
        Entry("Latent Steps", lambda: importance_weighted(network, x, K, 0), note="one thread"),
        Entry(
            "floor: the decoder's two products",
            lambda: floor(network, FEW),
            share,
            f"float32, one thread; {part}",
        ),
        Entry("an image at a time", lambda: one_by_one(network, floats[:FEW]), share, part),
        Entry("all draws at once", lambda: at_once(network, floats[:FEW]), share, part),
    ]


@torch.no_grad()
def floor(network: VAE, images: int, chunk: int = 500) -> None:
    first, last = (layer.weight for layer in network.decoder if hasattr(layer, "weight"))
    z, units = torch.rand(chunk, first.shape[1]), torch.rand(chunk, last.shape[1])
    hidden, logits = torch.empty(chunk, first.shape[0]), torch.empty(chunk, last.shape[0])
    with one_thread():
        for _ in range(images * K // chunk):
            torch.mm(z, first.T, out=hidden)
            torch.mm(units, last.T, out=logits)


@torch.no_grad()
def at_once(network: VAE, x: torch.Tensor) -> torch.Tensor:
    """As one writes it down: an array of draws × images × pixels."""
    mean, log_variance = network.encode(x)
    posterior = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    noise = torch.randn((K, *mean.shape), generator=generator(0))
    z = mean + noise * posterior.stddev
    pixels = torch.distributions.Bernoulli(logits=network.decode(z), validate_args=False)
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    log_weights = (
        pixels.log_prob(x).sum(-1) + prior.log_prob(z).sum(-1) - posterior.log_prob(z).sum(-1)
    )
    return log_weights.logsumexp(0) - math.log(K)


def one_by_one(network: VAE, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([at_once(network, image[None]) for image in x])


def memory(parameters: dict[str, NDArray], x: NDArray) -> Iterator[Row]:
    """The largest resident size of a process over what it held with its libraries and images."""
    case = f"{FEW} images: memory beyond them and the network"
    first = None
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "network.npz", parameters)
        np.save(Path(folder) / "images.npy", x)
        for k in (K, 50, 10 * K):
            say(f"  memory at k = {k:,}")
            done = subprocess.run(
                [sys.executable, __file__, folder, str(k)], capture_output=True, text=True
            )
            if done.returncode:
                note = (done.stderr.splitlines() or ["no words"])[-1]
                yield Row(case, f"k = {k:,}", "fails", "", note)
                continue
            found = json.loads(done.stdout)
            size = max(1, found["peak"] - found["before"])
            first = first or size
            yield Row(case, f"k = {k:,}", f"{size / 1e6:.0f} MB", f"{size / first:.3g}", "")
    at_once = K * x.size * np.float32().nbytes
    note = "computed, not measured: a single array of its logits"
    ratio = f"{at_once / first:.3g}" if first else ""
    yield Row(case, f"all at once, k = {K:,}", f"{at_once / 1e6:.0f} MB", ratio, note)


def bounds(network: VAE, x: NDArray) -> Iterator[Row]:
    """The same images at several k. Differences between k are of the same images, so their error is
    far below that of either mean."""
    case = f"-log p(x) from above, {IMAGES} test digits"
    with torch.no_grad():
        mean, log_variance = network.encode(torch.from_numpy(x[:IMAGES]).float())
        rate = kl_by_dimension(mean, log_variance).sum(-1)
        draws = [
            network.log_likelihood(
                torch.from_numpy(x[:IMAGES]).float(), sample(mean, log_variance, generator(seed))
            )
            for seed in range(20)
        ]
        elbo = (torch.stack(draws).mean(0) - rate).numpy()
    most = importance_weighted(network, x[:IMAGES], K, 0)
    for who, values in [
        (f"k = {K:,}", most),
        ("k = 50", importance_weighted(network, x[:IMAGES], 50, 1)),
        ("k = 1", importance_weighted(network, x[:IMAGES], 1, 2)),
        ("ELBO, KL exact, 20 draws", elbo),
    ]:
        lower = most - values
        error = lower.std(ddof=1) / math.sqrt(len(lower))
        note = "" if values is most else f"{lower.mean():.2f} ± {error:.2f} above the first"
        yield Row(case, who, f"{-values.mean():.2f} nats", "", note)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    images = np.load(where / "images.npy")
    network = vae_at(load(where / "network.npz"))
    importance_weighted(network, images, 2, 0)  # what the libraries set up once
    before = resident()
    importance_weighted(network, images, int(sys.argv[2]), 0)
    print(json.dumps({"before": before, "peak": peak()}))
