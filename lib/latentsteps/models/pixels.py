"""What mixtures over pixels share: images checked, handed to JAX, and summed up by an E step.

A pixel has ``levels`` values 0, 1, ..., levels − 1; two for binary images. With φ(x) the
indicators of the values 1 to levels − 1 in every pixel, independent pixels give::

    log p(x, k) = constants_k + φ(x)·slopes_k

so that all images under all clusters are one matrix product, and all that an M step needs, Σ_n
r_nk φ(x_n), is another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentsteps.jax64 import jax, jnp

CHUNK = 1000
"""Images turned into floats at a time: few enough to stay in the cache (3 MB at 784 pixels)."""

ROUNDING = 1e-6
"""How far, relative to its size, an objective may slip with float32 responsibilities. On many
small random problems the worst slip is 4e-7; on 60,000 digits, where roundings average out, 1e-9.
"""


def as_levels(x: ArrayLike, levels: int) -> NDArray[np.uint8]:
    """Images (N, D) as uint8 values below ``levels``, without a copy where they are that already.

    Raises ValueError for another shape, and for any value that is not one of the levels.
    """
    images = np.asarray(x)
    if images.ndim != 2 or images.size == 0:
        raise ValueError(f"images have shape {images.shape}; they are a table (N, D), a row each")
    if images.dtype == np.bool_:
        return images.view(np.uint8)
    if images.dtype == np.uint8:
        if images.max() < levels:
            return images
        example = images.max()
    else:
        strange = ~np.isin(images, np.arange(levels))
        if not strange.any():
            return images.astype(np.uint8)
        example = images[strange][0]
    cure = "binarise them (0 or 1)" if levels == 2 else "bring them to levels"
    raise ValueError(
        f"images hold the value {example}; every pixel is a whole number from 0 to {levels - 1}: "
        f"{cure} first"
    )


def on_device(levels: int) -> Callable[[NDArray], Any]:
    """A function that checks images and hands them to JAX, and remembers the last read-only ones.

    A trace steps on the same read-only array again and again: it is checked once, and copied
    once at most.
    """
    held: tuple[Any, Any] = (None, None)

    def to_device(x: NDArray) -> Any:
        nonlocal held
        if x is held[0]:
            return held[1]
        checked = as_levels(x, levels)
        if not isinstance(x, np.ndarray) or x.flags.writeable:
            return jnp.array(checked)
        # Nobody writes to it, so JAX may read it where it lies, if it lies as JAX needs it.
        held = (x, jax.device_put(checked, may_alias=True))
        return held[1]

    return to_device


def indicators(x: Any, levels: int) -> Any:
    """φ(x) of images (N, D), NumPy's or JAX's: (N, D·(levels − 1)) bool. At two levels it is x."""
    return (x[:, :, None] == np.arange(1, levels, dtype=np.uint8)).reshape(len(x), -1)


@partial(jax.jit, static_argnames=("levels", "hard", "chunk"))
def expected_counts(
    x: Any, slopes: Any, constants: Any, *, levels: int, hard: bool = False, chunk: int = CHUNK
) -> tuple[Any, Any, Any]:
    """One E step over all images, compiled, in one pass and two matrix products.

    Parameters
    ----------
    x: (N, D) uint8 below ``levels``. slopes: (K, D·(levels − 1)). constants: (K,), −∞ allowed.
    hard: each image wholly to its likeliest cluster, ties to the first, instead of r = p(k | x).
    chunk: images turned into floats at a time.

    Returns Σ_n r_nk, (K,); Σ_n r_nk φ(x_n), (K, D·(levels − 1)); and −Σ_nk r_nk log r_nk. Within a
    chunk they are computed in float32, over chunks summed in float64.
    """
    # A hard decision must not hang on the last bits of float32: two clusters can be that close.
    precise = jnp.float64 if hard else jnp.float32
    slopes = slopes.T.astype(precise)
    # A finite stand-in for log 0: exp of it is 0, and 0 times it is 0 too.
    constants = jnp.maximum(constants, -1e30).astype(precise)

    def one_chunk(rows: Any) -> tuple[Any, Any, Any]:
        phi = indicators(rows, levels)
        joint = jnp.matmul(phi.astype(precise), slopes, precision="highest") + constants
        if hard:
            r = jax.nn.one_hot(joint.argmax(axis=1), joint.shape[1], dtype=jnp.float32)
            entropy = jnp.float64(0)
        else:
            below = joint - joint.max(axis=1, keepdims=True)
            size = jnp.exp(below)
            total = size.sum(axis=1)
            r = size / total[:, None]
            entropy = jnp.sum(jnp.log(total) - (r * below).sum(axis=1), dtype=float)
        sums = jnp.matmul(r.T, phi.astype(jnp.float32), precision="highest")
        return r.sum(axis=0, dtype=float), sums.astype(float), entropy

    def add(sums: Any, i: Any) -> tuple[Any, None]:
        more = one_chunk(jax.lax.dynamic_slice_in_dim(x, i * chunk, chunk))
        return jax.tree.map(jnp.add, sums, more), None

    chunk = min(chunk, len(x))
    whole, rest = divmod(len(x), chunk)
    nothing = (jnp.zeros(slopes.shape[1]), jnp.zeros(slopes.shape[::-1]), jnp.float64(0))
    sums = one_chunk(x[whole * chunk :]) if rest else nothing
    return jax.lax.scan(add, sums, jnp.arange(whole))[0]


def random_rows(random: np.random.Generator, x: NDArray, k: int) -> NDArray:
    """``k`` different rows of x, drawn at random."""
    if k > len(x):
        raise ValueError(f'{k} clusters cannot start at "random images": there are only {len(x)}')
    return x[random.choice(len(x), size=k, replace=False)]


def check_mixture(k: int, start: Any, parameters: Any, strength: float, chunk: int) -> None:
    """Raise ValueError for arguments that a mixture over pixels cannot work with."""
    if k < 1:
        raise ValueError(f"k is {k}; a mixture has at least one cluster")
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; it is a positive number of images")
    if not 0 < strength < np.inf:
        raise ValueError(f"strength is {strength}; it is a positive number of images")
    if isinstance(start, parameters):
        if len(start.weights) != k:
            raise ValueError(f"the start has {len(start.weights)} clusters, k is {k}")
    elif not isinstance(start, str) or start not in ("random images", "random labels"):
        raise ValueError(
            f'start is {start!r}; it is "random images", "random labels" or a {parameters.__name__}'
        )


def check_weights(weights: NDArray) -> None:
    """Raise ValueError for weights that are not shares."""
    if not (np.all(weights >= 0) and abs(weights.sum() - 1) < 1e-4):
        raise ValueError("weights are shares: not negative, and they sum to one")
