"""Effective draws a CPU second of the page's BNNC, and the memory that its clusters take: ours
beside BayesForge's own model.

The same model (but that BayesForge's adds 1e-10 to every weight), data, number of chains, warm-up,
draws and seeds. Ours begins at k-means, and its trees are shallow in the warm-up. BayesForge's is
given both, all its chains beginning where our first one does; or neither ("as it comes"): it then
begins evenly from −2 to 2 for each unconstrained parameter, and trees may be deep from the first
step on. In one case ours has such trees too. A seed with them takes a minute, and so there is one.
How draws are counted: ``effective.py``; where r-hat is well above 1 the chains have not met, and
what they are worth means little.
"""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
from effective import (
    ENVIRONMENT,
    HOW_TO,
    Plan,
    Sampled,
    attempt,
    bayesforges,
    in_its_environment,
    ours,
    printed,
    reason,
    row,
    versions,
    worth,
)
from numpy.typing import NDArray
from scipy.special import log_softmax
from scipy.stats import dirichlet
from timing import Row, say

from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.models.bnnc import BNNCPrior, bnnc, empirical_prior, stated_prior
from latentsteps.models.bnnc_model import coordinates, log_prior_of_weights
from latentsteps.simulated import Blobs, blobs
from latentsteps.trace import Algorithm, Trace

PLAN = Plan(chains=2, warmup=300, draws=300, seeds=(0, 1))
K, HIDDEN = 11, 10
TITLE = (
    f"The page's BNNC by NUTS on its 4 blobs: effective draws a CPU second; {PLAN.chains} chains "
    f"of {PLAN.warmup} warm-up steps and {PLAN.draws} draws, {len(PLAN.seeds)} seeds"
)
SIZE = f"N = 500, D = 2, K = {K}"
SHALLOW_FIRST, DEEP = (5, 10), (10, 10)
GIVEN, ALONE = "our start and depths", "as it comes"
SITES = ("log_weights", "means", "scales", "hidden_weights", "output_weights")
THEIR_SITES = ("weights", *SITES[1:])
FLOOR = 1e-10
"""What BayesForge's model adds to every weight before it takes the logarithm."""
SCRIPT = "bayesforge_bnnc.py"


def rows() -> Iterator[Row]:
    data = blobs(4)
    stated = stated_prior(data.x.shape[1], K)
    first = yield from sampling("stated prior", stated, data, SHALLOW_FIRST, (GIVEN, ALONE))
    empirical, words = empirical_prior(data.x, K), "empirical Bayes"
    yield from sampling(words, empirical, data, SHALLOW_FIRST, (GIVEN,))
    yield from sampling(f"{words}, trees deep at once", empirical, data, DEEP, (GIVEN,))
    drawn = {
        name: value.reshape(-1, *value.shape[2:]) for name, value in first.fits[0].draws.items()
    }
    say("  memory")
    yield from memory(drawn, data.x)


def sampling(
    words: str, prior: BNNCPrior, data: Blobs, depths: tuple[int, int], ways: tuple[str, ...]
) -> Generator[Row, None, Sampled]:
    """The rows under one prior, BayesForge's in these ways; returns what ours drew."""
    x, case = data.x, f"{words}, a = {prior.concentration:.2g}; {SIZE}"
    judge = functools.partial(worth, log_joint=functools.partial(log_joint, x), labels=data.labels)
    say(f"  {words}: Latent Steps")
    own = bnnc(
        K, prior, hidden=HIDDEN, chains=PLAN.chains, warmup=PLAN.warmup, max_tree_depth=depths
    )
    first = ours(own, x, planned(depths), SITES, judge)
    place, known = beginning(own, prior, x)
    first = first._replace(log_density=known)
    yield row(case, "Latent Steps", first, first)
    problem = place | {
        "x": x,
        "k": K,
        "hidden": HIDDEN,
        "concentration": prior.concentration,
        "empirical": prior.scale_family == "half-normal",
    }
    for how in ways:
        say(f"  {words}: BayesForge, {how}")
        used = depths if how == GIVEN else DEEP
        given = problem | {"started": how == GIVEN, "depths": used}
        theirs = functools.partial(bayesforges, SCRIPT, given, planned(used), THEIR_SITES, judge)
        yield attempt(case, f"BayesForge, {how}", theirs, first)
    return first


def planned(depths: tuple[int, int]) -> Plan:
    return PLAN if depths == SHALLOW_FIRST else PLAN._replace(seeds=PLAN.seeds[:1])


def beginning(
    algorithm: Algorithm, prior: BNNCPrior, x: NDArray
) -> tuple[dict[str, NDArray], float]:
    """Where our first chain begins, and the log density of data and parameters there.

    Ours is a density of the weights' own coordinates, whose total is one at a start; BayesForge's
    is one of the weights. The density that each gives them by itself is exchanged.
    """
    trace = Trace(algorithm, x, seed=PLAN.seeds[0])
    place = {name: trace[0].position[name][0] for name in SITES}
    log_weights, a = place.pop("log_weights"), prior.concentration
    inside, _ = log_prior_of_weights(coordinates(log_weights), a)
    weights = np.exp(log_weights)
    outside = dirichlet.logpdf(weights, np.full(K, a))
    return place | {"weights": weights}, float(trace.infos[0].log_density[0] - inside + outside)


def log_joint(x: NDArray, drawn: dict[str, NDArray]) -> NDArray:
    """log θ_k(x_n) + log N(x_n | m_k, σ_k) under each draw, (chains, draws, K, N), by NumPy."""
    joint = log_gate(x, drawn)
    for d, column in enumerate(x.T):
        means, scales = drawn["means"][..., d, None], drawn["scales"][..., d, None]
        joint = joint - 0.5 * ((column - means) / scales) ** 2 - np.log(scales)
    return joint - x.shape[1] / 2 * np.log(2 * np.pi)


def log_gate(x: NDArray, drawn: dict[str, NDArray]) -> NDArray:
    """log θ_k(x_n), (..., K, N), for log weights or, with BayesForge's floor, for weights."""
    ours = drawn.get("log_weights")
    offset = np.log(drawn["weights"] + FLOOR) if ours is None else ours
    logits = np.tanh(x @ drawn["hidden_weights"]) @ drawn["output_weights"]
    return log_softmax(logits + offset[..., None, :], axis=-1).swapaxes(-1, -2)


def memory(drawn: dict[str, NDArray], x: NDArray) -> Iterator[Row]:
    """The clusters of the same draws, a process each: the largest resident size over what it held
    with its libraries and the draws."""
    case = f"clusters from {len(drawn['means'])} draws: memory beyond them"
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "draws.npz")
        # BayesForge keeps every point's gate with every draw, (draws, N, K).
        gate = np.exp(log_gate(x, drawn)).swapaxes(1, 2)
        np.savez(file, x=x, gate=gate, **drawn)
        own = str(Path(__file__).with_name("bnnc_predict.py"))
        first = printed(sys.executable, own, file)
        size = first["peak"] - first["before"]
        yield Row(case, "Latent Steps", f"{size / 1e6:.0f} MB", "1")
        if not os.environ.get(ENVIRONMENT):
            yield Row(case, "BayesForge", "", "", HOW_TO)
            return
        try:
            theirs = in_its_environment(SCRIPT, file)
        except Exception as error:
            yield Row(case, "BayesForge", "fails", "", reason(error))
            return
    larger = theirs["peak"] - theirs["before"]
    same = adjusted_rand(np.asarray(theirs["labels"]), np.asarray(first["labels"]))
    note = f"ARI with ours {same:.3f}; {versions(theirs)}"
    yield Row(case, "BayesForge", f"{larger / 1e6:.0f} MB", f"{larger / size:.3g}", note)
