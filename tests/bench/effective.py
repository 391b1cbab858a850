"""Effective draws a CPU second: what the subjects that compare samplers of mixtures share.

A draw is worth what it tells about numbers that no swap of components changes. Everyone's chains
run one after another, compiled before the clock runs; for NumPyro and BayesForge, whose chains are
side by side by default, that is a setting. BayesForge runs in an environment of its own (its pins
differ): ``LATENTSTEPS_BAYESFORGE`` names that one's Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, logsumexp
from timing import Row

from latentsteps.arviz_quiet import arviz
from latentsteps.evaluation.consensus import partition, similarity
from latentsteps.evaluation.scores import adjusted_rand
from latentsteps.inference.nuts import draws
from latentsteps.trace import Algorithm, Trace, run

ENVIRONMENT = "LATENTSTEPS_BAYESFORGE"
HOW_TO = (
    f"left out: {ENVIRONMENT} names no Python; make one with `python3 -m venv FOLDER`, "
    "`FOLDER/bin/pip install 'BayesForge[cpu]==0.0.48'`; it is FOLDER/bin/python"
)


class Plan(NamedTuple):
    """How much is sampled, the same for all."""

    chains: int
    warmup: int
    draws: int
    seeds: tuple[int, ...]


class Fit(NamedTuple):
    """What one seed gave; arrays begin with (chains, draws)."""

    draws: dict[str, NDArray]
    leapfrogs: NDArray
    divergent: NDArray
    seconds: float
    """CPU seconds of all threads for sampling: warm-up included, compiling not."""


class Worth(NamedTuple):
    """What there is to know about a fit."""

    effective: float
    """ArviZ's bulk ESS of the log-likelihood or of the entropy of the mean responsibilities, the
    smaller one: neither changes when components swap their names."""
    r_hat: float
    """The larger one of the same two."""
    seconds: float
    leapfrogs: float
    """A draw after the warm-up, in the mean; of the warm-up NumPyro's ``MCMC`` does not tell."""
    divergences: int
    clusters: int
    ari: float
    """Adjusted Rand index of these clusters with the true labels."""


class Sampled(NamedTuple):
    fits: list[Fit]
    """A seed each."""
    worths: list[Worth]
    compiling: float
    """CPU seconds."""
    log_density: float | None
    """Of data and start together, by which the models are seen to be the same one."""
    note: str = ""


Judge = Callable[[Fit], Worth]


def worth(fit: Fit, log_joint: Callable[[dict[str, NDArray]], NDArray], labels: NDArray) -> Worth:
    """By plain NumPy and ArviZ, the same for all; ``log_joint`` gives log p(x_n, k) of the data
    under each draw, (chains, draws, K, N)."""
    joint = log_joint(fit.draws)
    density = logsumexp(joint, axis=-2)
    r = np.exp(joint - density[..., None, :])
    numbers = [density.sum(axis=-1), entr(r.mean(axis=-1)).sum(axis=-1)]
    together = similarity(r.reshape(-1, *r.shape[2:]).swapaxes(1, 2))
    clusters = partition(together)
    return Worth(
        min(float(arviz.ess(each, method="bulk")) for each in numbers),
        max(float(arviz.rhat(each, method="rank")) for each in numbers),
        float(fit.seconds),
        float(fit.leapfrogs.mean()),
        int(fit.divergent.sum()),
        int(clusters.max()) + 1,
        adjusted_rand(clusters, labels),
    )


def ours(
    algorithm: Algorithm, x: NDArray, plan: Plan, sites: tuple[str, ...], judge: Judge
) -> Sampled:
    """As a learner has it, the record of all states included."""
    begin = time.process_time()
    Trace(algorithm, x, seed=99).advance()
    compiling, fits = time.process_time() - begin, []
    for seed in plan.seeds:
        begin = time.process_time()
        trace = run(algorithm, x, seed, steps=plan.warmup + plan.draws)
        seconds = time.process_time() - begin
        infos = [info for info in trace.infos if not info.warmup]
        leapfrogs = np.stack([info.leapfrogs for info in infos], axis=1)
        divergent = np.stack([info.divergent for info in infos], axis=1)
        drawn = {name: draws(trace, name) for name in sites}
        fits.append(Fit(drawn, leapfrogs, divergent, seconds))
    at_start = float(trace.infos[0].log_density[0])
    return Sampled(fits, [judge(fit) for fit in fits], compiling, at_start)


def bayesforges(
    script: str, problem: Mapping[str, Any], plan: Plan, sites: tuple[str, ...], judge: Judge
) -> Sampled:
    """BayesForge in its own environment: the script beside this one samples the problem."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("problem.npz", "draws.npz")]
        np.savez(files[0], **problem, **plan._asdict())
        said = in_its_environment(script, *files)
        with np.load(files[1]) as drawn:
            found = dict(drawn)
    fits = [
        Fit({name: found[name][each] for name in sites}, *(found[name][each] for name in
            ("leapfrogs", "divergent", "sampling")))
        for each in range(len(plan.seeds))
    ]  # fmt: skip
    worths = [judge(fit) for fit in fits]
    return Sampled(fits, worths, said["compiling"], said["log_density"], versions(said))


def in_its_environment(script: str, *arguments: str) -> dict[str, Any]:
    """What the script prints, run by BayesForge's Python; ValueError with its error's last line."""
    path = str(Path(__file__).with_name(script))
    return printed(os.environ[ENVIRONMENT], path, *arguments)


def printed(*command: str) -> dict[str, Any]:
    """What a command prints as JSON in its last line; ValueError with its error's last line."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError((done.stderr.strip() or "it says nothing").splitlines()[-1])
    return json.loads(done.stdout.splitlines()[-1])


def versions(said: Mapping[str, Any]) -> str:
    return f"{said['version']} with NumPyro {said['numpyro']} and JAX {said['jax']}"


def row(case: str, who: str, sampled: Sampled, first: Sampled) -> Row:
    """The medians over seeds, and what there is to know about their draws."""
    known, same = sampled.log_density, first.log_density
    if known is not None and abs(known - same) > 1e-9 * abs(same):
        raise ValueError(f"another model: log density {known:.6f} at the start, not {same:.6f}")
    theirs = sampled.worths
    rates = [each.effective / each.seconds for each in theirs]
    ratio = np.median(rates) / np.median([each.effective / each.seconds for each in first.worths])
    seconds = np.median([each.seconds for each in theirs])
    several = f"seeds from {min(rates):.3g} to {max(rates):.3g}"
    note = (
        f"{several if len(rates) > 1 else 'one seed'}; "
        f"ESS {np.median([each.effective for each in theirs]):.0f} in {seconds:.2f} CPU s, and "
        f"{sampled.compiling:.1f} s before for compiling; "
        f"{np.mean([each.leapfrogs for each in theirs]):.1f} leapfrogs a draw; "
        f"{sum(each.divergences for each in theirs)} divergences; "
        f"r-hat ≤ {max(each.r_hat for each in theirs):.2f}; "
        f"{', '.join(str(each.clusters) for each in theirs)} clusters; "
        f"ARI ≥ {min(each.ari for each in theirs):.3f}"
    )
    note += f"; {sampled.note}" if sampled.note else ""
    return Row(case, who, f"{np.median(rates):.3g} a CPU s", f"{ratio:.3g}", note)


def attempt(case: str, who: str, sample: Callable[[], Sampled], first: Sampled) -> Row:
    """The row, or why there is none."""
    if who.startswith("BayesForge") and not os.environ.get(ENVIRONMENT):
        return Row(case, who, "", "", HOW_TO)
    try:
        return row(case, who, sample(), first)
    except Exception as error:
        return Row(case, who, "fails", "", reason(error))


def reason(error: Exception) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {(str(error) or 'no reason given').splitlines()[0]}"
