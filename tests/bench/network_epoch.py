"""An epoch of the recipe's network, 784-400-32, and how far equal CPU time takes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from digits import full
from numpy.typing import NDArray
from timing import Entry, Row, say, timed
from torch import Tensor, nn
from torch.nn import functional

from latentsteps import data
from latentsteps.inference.training import generator, one_thread
from latentsteps.jax64 import jax, jnp
from latentsteps.models.vae import elbo, sample, vae, vae_at
from latentsteps.trace import Trace

TITLE = "VAE 784-400-32, pixels drawn anew in every batch: an epoch of MNIST"
IMAGES, EPOCHS = 60_000, 4
LATENT = 32
OURS = {512: 2e-3, 128: 1e-3}
"""Batch sizes, and the learning rate at each. The textbook's are 128 and 1e-3."""
LAYERS = ((784, 400), (400, 2 * LATENT), (LATENT, 400), (400, 784))


def rows() -> Iterator[Row]:
    case = f"{IMAGES:,} images, an epoch"
    digits = full()
    if digits is None:
        note = "left out: LATENTSTEPS_DATA names no folder with all of MNIST"
        yield Row(case, "Latent Steps", "", "", note)
        return
    images = digits.train_images[:IMAGES]
    processor: dict[str, list[float]] = {}
    for row in timed(case, [clocked(entry, processor) for entry in entries(images)], rounds=3):
        # Wall time is what the ratio is of; who used both cores for it is seen here.
        spent = processor.get(row.who)
        used = f"; {np.median(spent):.1f} CPU s" if spent else ""
        yield row._replace(note=row.note + used)
    yield from equal_time(images, digits.test_images)


def entries(images: NDArray) -> list[Entry]:
    """Every way through all images once."""
    result = []
    for batch, rate in OURS.items():
        algorithm = vae(batch_size=batch, learning_rate=rate)
        state, _ = algorithm.init((0, 0), images)
        step = partial(algorithm.step, (0, 1), state, images)
        note = "one thread; with the loss of 1,000 images at its end"
        result.append(Entry(f"Latent Steps, batch {batch}", step, note=note))
    note = "DataLoader, Adam, loss.item() each time"
    for threads in ("as torch starts", "one"):
        network, adam, loader = textbook_parts(images)
        epoch = partial(textbook_epoch, network, adam, loader, one=threads == "one")
        result.append(Entry(f"textbook loop, batch 128, threads: {threads}", epoch, note=note))
    for batch, rate in OURS.items():
        whole = len(images) // batch * batch
        note = "jitted, one scan; full batches"
        epoch = scanned(images, batch, rate)
        result.append(Entry(f"JAX, batch {batch}", epoch, len(images) / whole, note))
    for batch in OURS:
        note = "float32, one thread; no noise, no Adam, nothing between them"
        count = -(-len(images) // batch)
        products = partial(floor, batch, count)
        share = len(images) / (count * batch)
        result.append(Entry(f"floor: its matrix products, batch {batch}", products, share, note))
    return result


def clocked(entry: Entry, spent: dict[str, list[float]]) -> Entry:
    """The same, with the processor's seconds of each call written down."""

    def function() -> None:
        start = time.process_time()
        entry.function()
        seconds = (time.process_time() - start) * entry.share
        spent.setdefault(entry.who, []).append(seconds)

    return entry._replace(function=function)


def equal_time(images: NDArray, test: NDArray) -> Iterator[Row]:
    """−ELBO of test digits when each has had as much of the processor as the textbook's epochs."""
    case = "-ELBO of test digits after equal CPU time"
    say(f"  {case}: textbook loop")
    network, adam, loader = textbook_parts(images)
    start = time.process_time()
    for _ in range(EPOCHS):
        textbook_epoch(network, adam, loader, one=True)
    budget = time.process_time() - start
    reached = minus_elbo(network.encode, network.logits, test)
    lines = []
    for batch, rate in OURS.items():
        say(f"  {case}: batch {batch}")
        start = time.process_time()
        trace = Trace(vae(batch_size=batch, learning_rate=rate), images, memory=1)
        spent = last = 0.0
        # Another epoch only where there is time for it.
        while spent + last <= budget:
            trace.advance()
            last, spent = time.process_time() - start - spent, time.process_time() - start
        ours = vae_at(trace[-1])
        note = f"{len(trace) - 1} epochs in {spent:.0f} CPU s, learning rate {rate:g}"
        nats = minus_elbo(ours.encode, ours.decode, test)
        lines.append(Row(case, f"Latent Steps, batch {batch}", f"{nats:.1f} nats", "", note))
    yield from lines
    note = f"{EPOCHS} epochs in {budget:.0f} CPU s, one thread, learning rate 0.001"
    yield Row(case, "textbook loop, batch 128", f"{reached:.1f} nats", "", note)


@torch.no_grad()
def minus_elbo(encode: Callable, decode: Callable, images: NDArray) -> float:
    """Nats an image, on one drawing of the pixels and one z for each; for all the same."""
    x = torch.from_numpy(data.binarize_by_sampling(images, seed=1)).float()
    noise, total = generator(2), 0.0
    for part in x.split(1000):
        mean, log_variance = encode(part)
        logits = decode(sample(mean, log_variance, noise))
        total -= float(elbo(part, logits, mean, log_variance).sum())
    return total / len(x)


# As textbooks write it


class Textbook(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, 400)
        self.mean = nn.Linear(400, LATENT)
        self.log_variance = nn.Linear(400, LATENT)
        self.back = nn.Linear(LATENT, 400)
        self.out = nn.Linear(400, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        units = functional.relu(self.hidden(x))
        return self.mean(units), self.log_variance(units)

    def logits(self, z: Tensor) -> Tensor:
        return self.out(functional.relu(self.back(z)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encode(x)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        return torch.sigmoid(self.logits(z)), mean, log_variance


def textbook_parts(images: NDArray) -> tuple[Textbook, torch.optim.Optimizer, object]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = Textbook()
    floats = torch.from_numpy(images).float() / 255
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(floats), batch_size=128, shuffle=True, generator=generator(0)
    )
    return network, torch.optim.Adam(network.parameters(), lr=1e-3), loader


def textbook_epoch(
    network: Textbook, adam: torch.optim.Optimizer, loader: object, *, one: bool
) -> float:
    if one:
        with one_thread():
            return textbook_epoch(network, adam, loader, one=False)
    total = 0.0
    with torch.random.fork_rng(devices=[]):
        for (grey,) in loader:
            x = torch.bernoulli(grey)
            adam.zero_grad()
            reconstruction, mean, log_variance = network(x)
            distortion = functional.binary_cross_entropy(reconstruction, x, reduction="sum")
            rate = -0.5 * torch.sum(1 + log_variance - mean**2 - log_variance.exp())
            loss = (distortion + rate) / len(x)
            loss.backward()
            adam.step()
            total += loss.item() * len(x)
    return total


# The yardsticks


def scanned(images: NDArray, batch: int, rate: float) -> Callable[[], None]:
    """The same epoch as one compiled function of JAX: a scan over batches."""
    random = np.random.default_rng(0)
    whole = len(images) // batch * batch
    with jax.enable_x64(False):
        on_device = jnp.asarray(images)
        layers = [
            (jnp.asarray(random.normal(0, i**-0.5, (i, o)), jnp.float32), jnp.zeros(o, jnp.float32))
            for i, o in LAYERS
        ]
        zeros = jax.tree.map(jnp.zeros_like, layers)
        start = (layers, zeros, zeros, jnp.float32(0))
        key = jax.random.PRNGKey(0)

    def loss(layers, x, key):
        (a, a0), (b, b0), (c, c0), (d, d0) = layers
        mean, log_variance = jnp.split(jax.nn.relu(x @ a + a0) @ b + b0, 2, axis=1)
        z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape, jnp.float32)
        logits = jax.nn.relu(z @ c + c0) @ d + d0
        distortion = (jax.nn.softplus(logits) - x * logits).sum(axis=1)
        rate = 0.5 * (mean**2 + jnp.exp(log_variance) - 1 - log_variance).sum(axis=1)
        return (distortion + rate).mean()

    def step(carry, row_numbers_and_key):
        layers, first, second, t = carry
        row_numbers, key = row_numbers_and_key
        for_pixels, for_noise = jax.random.split(key)
        grey = on_device[row_numbers]
        # Whole numbers of eight bits: P(on) is grey / 256, and four of them come in one word.
        x = (jax.random.bits(for_pixels, grey.shape, jnp.uint8) < grey).astype(jnp.float32)
        value, gradient = jax.value_and_grad(loss)(layers, x, for_noise)
        t += 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        scale = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        layers = jax.tree.map(
            lambda p, m, v: p - scale * m / (jnp.sqrt(v) + 1e-8), layers, first, second
        )
        return (layers, first, second, t), value

    @jax.jit
    def epoch(carry, key):
        order, noise = jax.random.split(key)
        row_numbers = jax.random.permutation(order, len(images))[:whole].reshape(-1, batch)
        return jax.lax.scan(step, carry, (row_numbers, jax.random.split(noise, len(row_numbers))))

    def run() -> None:
        with jax.enable_x64(False):
            jax.block_until_ready(epoch(start, key))

    run()  # compiling is not meant
    return run


def floor(batch: int, count: int) -> None:
    """The matrix products of ``count`` batches, forwards and backwards, and nothing else."""
    parts = []
    for inputs, outputs in LAYERS:
        x, weights, slope = (
            torch.rand(shape) for shape in ((batch, inputs), (outputs, inputs), (batch, outputs))
        )
        parts.append((x, weights, slope, slope.clone(), weights.clone(), x.clone()))
    with one_thread():
        for _ in range(count):
            for number, (x, weights, slope, y, for_weights, for_x) in enumerate(parts):
                torch.mm(x, weights.T, out=y)
                torch.mm(slope.T, x, out=for_weights)
                if number:  # pixels need no gradient
                    torch.mm(slope, weights, out=for_x)
