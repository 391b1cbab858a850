"""Images in a network: their pixels as it takes them, the layers around a code, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Generator, Tensor, nn

from latentsteps.inference.training import one_thread

BINARISATIONS = ("sampled", "threshold", "grey", "given")


def check_binarisation(binarise: str) -> None:
    """ValueError for a way that :func:`binarised` does not know."""
    if binarise not in BINARISATIONS:
        raise ValueError(
            f"binarise is {binarise!r}; it is 'sampled' (new black-and-white pixels each time), "
            "'threshold' (ink from the middle grey on), 'grey' (as they are, which is no "
            "likelihood) or 'given' (images that are black and white already)"
        )


def binarised(rows: Tensor, binarise: str, generator: Generator) -> Tensor:
    """A batch of images (B, P) as pixels, float32.

    Parameters
    ----------
    rows: uint8 from 0 to 255; for ``"given"`` of any type, 0 or 1.
    binarise: ``"sampled"``: 1 with probability grey / 255, each pixel by itself, drawn anew at each
        call (Salakhutdinov & Murray 2008, "On the quantitative analysis of deep belief networks").
        ``"threshold"``: 1 where grey / 255 > ½. ``"grey"``: grey / 255. ``"given"``: as they are.
        Nats under one of these are never to be compared with nats under another: they are about
        different data.
    generator: for ``"sampled"``, on the device of the rows.

    Raises ValueError where the images are of another kind.
    """
    if binarise == "given":
        if not ((rows == 0) | (rows == 1)).all():
            raise ValueError("binarise is 'given', and the images hold more than 0 and 1")
        return rows.float()
    if rows.dtype != torch.uint8:
        raise ValueError(f"images are {rows.dtype}; they are uint8 from 0 to 255, as mnist() gives")
    if rows.max() == 1:
        raise ValueError("images hold only 0 and 1, black and white already: binarise='given'")
    if binarise == "grey":
        return rows.float() / 255
    if binarise == "threshold":
        return (rows > 127).float()
    # A whole number drawn from 0 ... 254 is below the grey g with probability g / 255 exactly.
    draws = torch.empty_like(rows).random_(0, 255, generator=generator)
    return (draws < rows).float()


def as_pixels(images: ArrayLike) -> NDArray[np.float32]:
    """Images (N, P) as pixels: uint8 greys over 255, what lies between 0 and 1 as it is.

    Raises ValueError for another shape, and for values that are neither.
    """
    x = np.asarray(images)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            f"the images have shape {x.shape}; they are (N, pixels), one a row "
            "(image[None] makes one row of a single one)"
        )
    if x.dtype == np.uint8 and x.max() > 1:
        return x.astype(np.float32) / np.float32(255)
    if x.dtype.kind not in "biuf" or not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            "the images hold values that are no pixels; they are uint8 from 0 to 255, or numbers "
            "from 0 to 1"
        )
    return x.astype(np.float32)


def encoder_and_decoder(
    hidden: int | Sequence[int], latent: int, pixels: int
) -> tuple[nn.Sequential, nn.Sequential]:
    """Layers of ReLU units from the pixels to the last hidden ones, and layers from a code over the
    same units, in the other order, to the pixels' logits.

    ``hidden`` is how many units there are, or how many in each layer, from the pixels' side on.
    Raises ValueError for a size below 1.
    """
    sizes = (pixels, *((hidden,) if isinstance(hidden, int) else hidden))
    if len(sizes) < 2 or min(*sizes, latent) < 1:
        raise ValueError(
            f"hidden is {hidden}, latent {latent} and pixels {pixels}; all are at least 1"
        )
    decoder = _relu_layers((latent, *sizes[:0:-1]))
    return _relu_layers(sizes), decoder.append(nn.Linear(sizes[1], pixels))


def sizes_of(parameters: Mapping[str, NDArray]) -> dict[str, Any]:
    """``hidden``, ``latent`` and ``pixels`` of the network that has these parameters.

    Raises ValueError where it was not built on :func:`encoder_and_decoder`.
    """
    shapes = [np.shape(values) for name, values in parameters.items() if np.ndim(values) == 2
              and name.startswith("encoder.")]  # fmt: skip
    if not shapes or "decoder.0.weight" not in parameters:
        raise ValueError(
            f"the parameters are {sorted(parameters)}; those of an autoencoder or a VAE were needed"
        )
    return {
        "hidden": tuple(units for units, _ in shapes),
        "latent": np.shape(parameters["decoder.0.weight"])[1],
        "pixels": shapes[0][1],
    }


@torch.no_grad()
def probabilities(network: Any, z: ArrayLike, chunk: int = 1000) -> NDArray[np.float32]:
    """Probability of each pixel, (N, P), that a network's decoder gives at codes z (N, D)."""
    codes = np.asarray(z, dtype=np.float32)
    with one_thread():
        return np.concatenate(
            [
                torch.sigmoid(network.decode(as_tensor(network, part))).cpu().numpy()
                for part in chunks(codes, chunk)
            ]
        )


def chunks(rows: NDArray, size: int) -> list[NDArray]:
    """Rows in parts of at most ``size``."""
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def as_tensor(network: Any, values: NDArray) -> Tensor:
    """Values as float32 where the network is; on the CPU for what has no parameters."""
    parameters = network.parameters() if isinstance(network, nn.Module) else iter(())
    place = next((parameter.device for parameter in parameters), "cpu")
    return torch.tensor(values, dtype=torch.float32, device=place)


def _relu_layers(sizes: Sequence[int]) -> nn.Sequential:
    layers = nn.Sequential()
    for inputs, outputs in pairwise(sizes):
        layers.append(nn.Linear(inputs, outputs)).append(nn.ReLU())
    return layers
