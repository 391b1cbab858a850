"""What a neighbour graph finds, with a network and without one: the control that praise of networks
leaves out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from digits import full
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from timing import Row, say, version

from latentsteps import data
from latentsteps.evaluation.neighbours import spectral
from latentsteps.evaluation.scores import adjusted_rand, matched_accuracy
from latentsteps.evaluation.stability import runs
from latentsteps.models.gaussian_mixture import gaussian_mixture, responsibilities
from latentsteps.models.vae import posterior, vae, vae_at
from latentsteps.trace import relative, run

TITLE = "Ten clusters from a neighbour graph: share of digits right under the best naming, and ARI"
EPOCHS, NETS = 60, (0, 1, 2, 3, 4)
NEIGHBOURS = 10
UMAP = {"n_components": 10, "min_dist": 0.0}
"""As McConville, Santos-Rodríguez, Piechocki & Craddock (2021, "N2D: (not too) deep clustering via
clustering the local manifold of an autoencoded embedding") set it, on an autoencoder's codes."""
AROUND = (NEIGHBOURS, 20)
"""Neighbours in UMAP: those of spectral clustering, and theirs. What comes out hangs on it, and
whoever shows only the better one has chosen by the labels."""
ALL, STARTS, EPOCHS_OF_ALL = 60_000, 8, 15


def rows() -> Iterator[Row]:
    yield from embedded()
    yield from whole()


def embedded() -> Iterator[Row]:
    images, labels = five_thousand()
    case = f"{len(images):,} digits, {NEIGHBOURS} neighbours, spectral"
    say(f"  {case}: {len(NETS)} networks of {EPOCHS} epochs")
    nets = runs(latents, NETS)
    grey = images.astype(np.float32) / 255
    plain = {"raw pixels": grey, "PCA, 32 dimensions": PCA(32, random_state=0).fit_transform(grey)}
    for name, clusters_of in (("spectral", by_graph), ("k-means", by_kmeans)):
        say(f"  {name}")
        case = f"{len(images):,} digits, {name}"
        who = f"Latent Steps, VAE's means, {len(nets)} nets"
        # A net's number is the clustering's seed too; without nets, five seeds of the clustering.
        yield scored(
            case, who, [clusters_of(z, s) for z, s in zip(nets, NETS, strict=True)], labels
        )
        for space, x in plain.items():
            yield scored(case, space, [clusters_of(x, seed) for seed in NETS], labels)


def five_thousand() -> tuple[NDArray, NDArray]:
    """All digits that come with the course: nothing is learned from labels, so none is held out."""
    digits = data.mnist()
    images = np.concatenate([digits.train_images, digits.test_images])
    return images, np.concatenate([digits.train_labels, digits.test_labels])


def latents(seed: int) -> NDArray:
    """The means of a new network, (N, 32)."""
    images, _ = five_thousand()
    return posterior(vae_at(run(vae(), images, seed, steps=EPOCHS, memory=1)[-1]), images)[0]


def by_graph(x: NDArray, seed: int) -> NDArray:
    return spectral(x, 10, neighbours=NEIGHBOURS, seed=seed)


def by_kmeans(x: NDArray, seed: int) -> NDArray:
    return KMeans(10, n_init=10, random_state=seed).fit_predict(x)


def scored(case: str, who: str, found: list[NDArray], labels: NDArray, more: str = "") -> Row:
    """The mean accuracy and its spread, with every one of them and the mean ARI in the note."""
    right = [matched_accuracy(clusters, labels) for clusters in found]
    ari = np.mean([adjusted_rand(clusters, labels) for clusters in found])
    spread = f" ± {np.std(right, ddof=1):.3f}" if len(right) > 1 else ""
    each = " ".join(f"{share:.3f}" for share in right) if len(right) > 1 else ""
    note = "; ".join(filter(None, [f"ARI {ari:.3f}", each, more]))
    return Row(case, who, f"{np.mean(right):.3f}{spread}", "", note)


def whole() -> Iterator[Row]:
    """All of MNIST: principal components, or a VAE's latents; then UMAP, and a Gaussian mixture."""
    case, who = f"{ALL:,} digits, a mixture, no network", "PCA, 32 dimensions, then UMAP"
    digits = full()
    if digits is None:
        note = "left out: LATENTSTEPS_DATA names no folder with all of MNIST"
        yield Row(case, who, "", "", note)
        return
    if version("umap-learn") == "absent":
        note = "left out: umap-learn is not installed; pip install '.[graph]' brings it"
        yield Row(case, who, "", "", note)
        return
    import umap

    images, labels = digits.train_images[:ALL], digits.train_labels[:ALL]
    components = PCA(32, random_state=0).fit_transform(images.astype(np.float32) / 255)
    more = f"one seed of UMAP {version('umap-learn')}, {UMAP}; likeliest of {STARTS} mixtures"

    def by_layout(x: NDArray, around: int) -> NDArray:
        drawn = umap.UMAP(around, random_state=0, n_jobs=1, **UMAP).fit_transform(x)
        return best_mixture(drawn.astype(np.float64))

    for around in AROUND:
        say(f"  {case}: {around} neighbours")
        found = by_layout(components, around)
        yield scored(case, f"{who}, {around} neighbours", [found], labels, more)
    alone = best_mixture(components.astype(np.float64))
    yield scored(case, "PCA, 32 dimensions", [alone], labels)

    case, who = f"{ALL:,} digits, a mixture", f"VAE of {EPOCHS_OF_ALL} epochs, then UMAP"
    say(f"  {who}")
    means, _ = posterior(vae_at(run(vae(), images, steps=EPOCHS_OF_ALL, memory=1)[-1]), images)
    for around in AROUND:
        found = by_layout(means, around)
        yield scored(case, f"{who}, {around} neighbours", [found], labels, more)


def best_mixture(x: NDArray) -> NDArray:
    """The likeliest of several mixtures: no label chooses."""
    algorithm = gaussian_mixture(10, form="exponential family", floor=1e-4)
    traces = [
        run(algorithm, x, seed, steps=200, stop=relative(), memory=1) for seed in range(STARTS)
    ]
    best = max(traces, key=lambda trace: trace.objective[-1])
    return responsibilities(x, best[-1].parameters).argmax(axis=1)
