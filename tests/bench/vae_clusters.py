"""What the recipe's network is worth: clusters of its latents beside those of plainer spaces, and
its importance-weighted likelihood. On all of MNIST; minutes, not seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
from digits import full
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from timing import Row, say

from latentsteps import data
from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.evaluation.spaces import internal_scores
from latentsteps.evaluation.stability import runs
from latentsteps.models.autoencoder import autoencoder, autoencoder_at
from latentsteps.models.autoencoder import codes as codes_of
from latentsteps.models.gaussian_mixture import gaussian_mixture, responsibilities
from latentsteps.models.importance import importance_weighted
from latentsteps.models.vae import posterior, vae, vae_at
from latentsteps.trace import relative, run

IMAGES, EPOCHS, SEEDS = 60_000, 10, (0, 1, 2)
LONGER, K, TEST = 15, 500, 10_000
"""Epochs of the network whose likelihood is asked for, draws of its bound, test images."""
SETTINGS = {"batch_size": 128, "learning_rate": 1e-3}
"""The recipe's."""
TITLE = (
    f"784-400-32 on all of MNIST, {EPOCHS} epochs, {len(SEEDS)} seeds: ARI of ten clusters of the "
    "training images"
)


def rows() -> Iterator[Row]:
    digits = full()
    if digits is None:
        note = "left out: LATENTSTEPS_DATA names no folder with all of MNIST"
        yield Row("k-means", "Latent Steps, VAE", "", "", note)
        return
    labels = digits.train_labels[:IMAGES]
    say("  training, two at a time")
    # The longest first.
    settings = [("likelihood", 0), *((kind, s) for kind in ("VAE", "autoencoder") for s in SEEDS)]
    found = dict(zip(settings, runs(trained, settings), strict=True))
    grey = digits.train_images[:IMAGES].astype(np.float32) / 255
    spaces = {
        ("PCA", seed): PCA(32, svd_solver="randomized", random_state=seed).fit_transform(grey)
        for seed in SEEDS[:1]
    }
    spaces |= {("raw pixels", SEEDS[0]): grey}
    spaces |= {key: latents for key, latents in found.items() if key[0] != "likelihood"}
    yield from clusterings(spaces, labels)
    state, seconds = found["likelihood", 0]
    yield likelihood(state, seconds, digits.test_images[:TEST])


def trained(setting: tuple[str, int]) -> object:
    """Latents of all training images, (N, 32); or parameters and the CPU seconds that they took."""
    kind, seed = setting
    images = full().train_images[:IMAGES]
    if kind == "likelihood":
        start = time.process_time()
        trace = run(vae(binarise="sampled", **SETTINGS), images, seed, steps=LONGER, memory=1)
        return trace[-1].parameters, time.process_time() - start
    # The recipe's greys, from 0 to 1 instead of −1 to 1.
    algorithm = (vae if kind == "VAE" else autoencoder)(binarise="grey", **SETTINGS)
    state = run(algorithm, images, seed, steps=EPOCHS, memory=1)[-1]
    if kind == "VAE":
        return posterior(vae_at(state), images)[0]
    return codes_of(autoencoder_at(state), images)


def clusterings(spaces: dict[tuple[str, int], NDArray], labels: NDArray) -> Iterator[Row]:
    """Ten clusters in each space by both ways: the mean ARI, its spread, and each seed's."""
    whos = {"VAE": "Latent Steps, VAE's means", "autoencoder": "Latent Steps, autoencoder's codes"}
    ways = {"k-means": by_kmeans, "full mixture": by_mixture}
    for way, clusters_of in ways.items():
        for kind in ("VAE", "autoencoder", "PCA", "raw pixels"):
            who = whos.get(kind, f"{kind}, 32 dimensions" if kind == "PCA" else kind)
            if (way, kind) == ("full mixture", "raw pixels"):
                note = "left out: its ten covariances have three million entries"
                yield Row(f"ARI by {way}", who, "", "", note)
                continue
            say(f"  {way}: {kind}")
            aris, silhouettes = [], []
            for seed in SEEDS:
                # Without a network the only seed is the clustering's.
                space = spaces.get((kind, seed), spaces.get((kind, SEEDS[0])))
                clusters = clusters_of(space, seed)
                aris.append(adjusted_rand(clusters, labels))
                few = slice(5_000)
                silhouettes.append(internal_scores(space[few], clusters[few]).silhouette)
            spread = np.std(aris, ddof=1) if len(aris) > 1 else math.nan
            seeds = "nets" if kind in whos else "seeds of the clustering alone"
            each = " ".join(f"{ari:.3f}" for ari in aris)
            note = f"{seeds}: {each}; silhouette in that very space {np.mean(silhouettes):.2f}"
            yield Row(f"ARI by {way}", who, f"{np.mean(aris):.3f} ± {spread:.3f}", "", note)


def by_kmeans(space: NDArray, seed: int) -> NDArray:
    restarts = 10 if space.shape[1] < 100 else 2
    return KMeans(10, n_init=restarts, random_state=seed).fit_predict(space)


def by_mixture(space: NDArray, seed: int) -> NDArray:
    algorithm = gaussian_mixture(10, form="exponential family", floor=1e-4)
    points = space.astype(np.float64)
    trace = run(algorithm, points, seed, steps=200, stop=relative(1e-6), memory=1)
    return responsibilities(points, trace[-1].parameters).argmax(axis=1)


def likelihood(parameters: dict[str, NDArray], seconds: float, images: NDArray) -> Row:
    """−log p of test images, from above: the bound of k draws, and the error of a mean over
    images."""
    say(f"  importance-weighted bound, k = {K}")
    x = data.binarize_by_sampling(images, seed=1)
    bound = importance_weighted(vae_at(parameters), x, K, 0)
    error = bound.std(ddof=1) / math.sqrt(len(bound))
    note = (
        f"{LONGER} epochs in {seconds:.0f} CPU s, other pixels in every batch; pixels of the test "
        "images drawn once; published for 2 × 200 units, 50 latents and 3,000 epochs: 86.76"
    )
    case = f"-log p(x) from above, k = {K}, {len(x):,} test digits"
    return Row(case, "Latent Steps, VAE", f"{-bound.mean():.2f} ± {error:.2f} nats", "", note)
