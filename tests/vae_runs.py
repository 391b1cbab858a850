"""Made-up runs of a small VAE for tests of pictures, and a picture drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import rc_context

from latentsteps.inference.training import TrainingInfo, TrainingState
from latentsteps.models.vae import VAE
from latentsteps.trace import Algorithm, run
from latentsteps.views import style

IMAGES = np.random.default_rng(0).integers(0, 256, size=(40, 16), dtype=np.uint8)


def parameters(latent=5, dead=(), hidden=6, spread=1.0):
    """A network's, drawn once; ``dead`` dimensions give the prior for every image, and the decoder
    does not look at them."""
    random = np.random.default_rng(latent)
    shapes = {name: values.shape for name, values in VAE(hidden, latent, 16).state_dict().items()}
    values = {
        name: (spread * random.normal(size=shape)).astype(np.float32)
        for name, shape in shapes.items()
    }
    for layer in ("mean", "log_variance"):
        for part in ("weight", "bias"):
            values[f"{layer}.{part}"][list(dead)] = 0.0
    values["decoder.0.weight"][:, list(dead)] = 0.0
    return values


def info(distortion=80.0, rate=20.0, beta=1.0):
    return TrainingInfo(distortion + beta * rate, {"distortion": distortion, "rate": rate})


def traced(states, infos, images=IMAGES, name="VAE"):
    """A run that goes through the given parameters and infos."""
    items = [(TrainingState(p, {}), i) for p, i in zip(states, infos, strict=True)]
    return run(
        Algorithm(lambda key, _: items[0], lambda key, state, _: items[key[1]], name),
        images,
        steps=len(items) - 1,
    )


def trained(steps=3, beta=1.0, **rest):
    infos = [info(540.0, 0.1, beta)] + [info(100.0 - 5 * t, 10.0 + t, beta) for t in range(steps)]
    return traced([parameters(**rest)] * len(infos), infos)


def drawn(trace, index, chosen: Any, size=None):
    with rc_context(style.RC):
        figure = style.new_figure(*(size or chosen.size))
        chosen.draw(figure, trace.at(index))
        figure.canvas.draw()
    return figure
