"""A gate in its right place: a network that guesses the component, and is made to pay for it.

The model is a plain mixture with diagonal Gaussians, for points x (N, D)::

    p(x) = Σ_k π_k N(x | m_k, diag σ_k²)

and the network is no part of it. It *recognises*: from a point it guesses the component, ::

    q(k | x) = softmax(tanh([1, x] W₁) W₂ + b)

and all are fitted together by climbing the evidence lower bound, of which every point has a term::

    ELBO_n = Σ_k q_nk (log π_k + log N_nk − log q_nk)  =  log p(x_n) − KL(q_n ‖ p(k | x_n))

So a guess that is not the posterior costs what it is wrong by, and whatever the network says, the
bound stays below a likelihood that integrates to one. Fitting one network for all points instead of
responsibilities for each is called amortised inference (Kingma & Welling 2014, "Auto-encoding
variational Bayes", section 2; the recognition model is that of Dayan, Hinton, Neal & Zemel 1995,
"The Helmholtz machine", *Neural Computation* 7, 889–904). Here the sum over components can be done,
so exact responsibilities close the gap for nothing; where it cannot, the network is all there is.

**Dropping components.** The bound alone never minds one component more. From some state on each
component is charged for its parameters, as in Figueiredo & Jain (2002, "Unsupervised learning of
finite mixture models", *IEEE Transactions on Pattern Analysis and Machine Intelligence* 24,
381–396): what is climbed is ELBO − T/2 Σ_k log π_k, where T = 2D numbers belong to a component. At
its summit π_k is in proportion to N_k − T/2, N_k being the number of points that q gives to k, and
a component with no more than T/2 is dropped for good.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

from latentsteps.models.bnnc import log_joint
from latentsteps.models.counts import as_count
from latentsteps.models.kmeans import kmeans
from latentsteps.models.points import as_points
from latentsteps.models.recognition_compiled import SMALLEST_SCALE, compiled
from latentsteps.trace import Algorithm, Key, relative, run

STARTS = ("k-means", "random points")
FIRST_UPDATES = 300
"""Of the network alone, before state 0: it learns to recognise the start's components."""
WHO = "a recognition network"


class RecognitionState(NamedTuple):
    """The mixture, the network that recognises its components, and what the optimiser remembers."""

    position: dict[str, NDArray]
    """``log_weights`` (K,), −∞ for a component that was dropped, ``means`` and ``scales`` (K, D),
    in the data's units: a position for the functions of :mod:`latentsteps.models.bnnc`."""
    network: dict[str, NDArray]
    """``hidden_weights`` (1 + D, H), the first row belonging to the column of ones,
    ``output_weights`` (H, K) and ``output_biases`` (K,), for points in the data's units."""
    optimizer: Any
    """NumPyro's Adam: all parameters in standard units, and running means of gradients."""


class RecognitionInfo(NamedTuple):
    """What is worth looking at; in nats, summed over the points."""

    objective: float
    """The ELBO."""
    log_likelihood: float
    """Σ_n log p(x_n), exact."""
    gap: float
    """Σ_n KL(q_n ‖ p(k | x_n)), by its own formula: the difference of the two above."""
    score: float
    """ELBO − ½ P log N, where P = C (2D + 1) − 1 numbers make a mixture of C components: BIC's
    charge with the bound for the likelihood. Comparable between runs, unlike the ELBO, which grows
    with the number of components. The network's weights are not counted: they are q's."""
    components: int
    """C: how many are not dropped."""
    charged: bool
    """Whether components have begun to be charged for their parameters."""


def recognition_network(
    k: int = 11,
    *,
    hidden: int = 10,
    prune_from: int = 20,
    updates: int = 20,
    learning_rate: float = 0.02,
    start: str = "k-means",
) -> Algorithm:
    """A mixture of up to ``k`` Gaussians and a network recognising its components, by gradients.

    States are :class:`RecognitionState`, infos :class:`RecognitionInfo`, data points (N, D). 60
    states are enough for some hundreds of points. Optimised, not sampled: no priors. A run finds a
    local optimum, and which one depends on its seed; take several and keep the one with the best
    ``score``. A small gap does not mean that the mixture is good: q then knows a bad one well.

    Parameters
    ----------
    hidden: H, tanh units.
    prune_from: the state from which on components are charged and dropped. Early, clusters that
        share a component at first stay together; late, clusters that were split stay split. A
        number beyond the run's length: never.
    updates: of Adam from one state to the next, each on all points.
    learning_rate: Adam's step size, in standard deviations of the data.
    start: where the mixture begins. ``"k-means"``: one run of k-means (k-means++) on columns over
        their standard deviations. ``"random points"``: K different points as means, with the
        spread of all data and equal weights. From either the network first learns to recognise
        that mixture's components: one that says the same of all points would draw all means to
        the same place.

    Raises ValueError for arguments out of range; once there are data, where they are not points,
    where a column is constant, and where there are fewer than K different ones; in a step, for a
    state of another size, and where updates have gone so wrong that the likelihood is no number.
    """
    k, hidden, updates = as_count(k, "k"), as_count(hidden, "hidden"), as_count(updates, "updates")
    prune_from = as_count(prune_from, "prune_from", least=0)
    if not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate is {learning_rate}; it is positive and finite")
    if start not in STARTS:
        raise ValueError(f"start is {start!r}; it is one of {', '.join(STARTS)}")

    def standard(x: ArrayLike) -> tuple[NDArray, NDArray, NDArray]:
        """Points as columns (D, N) in standard units, and those units."""
        points = as_points(x, WHO)
        centre, spread = points.mean(axis=0), points.std(axis=0)
        if not (spread > 0).all():
            raise ValueError(f"column {np.argmin(spread)} is constant; drop it")
        return np.ascontiguousarray(((points - centre) / spread).T), centre, spread

    def look(
        t: int, optimizer: Any, alive: NDArray, units: tuple
    ) -> tuple[RecognitionState, RecognitionInfo]:
        from latentsteps.jax64 import jax

        z, centre, spread = units
        charged = t >= prune_from
        # As NumPy arrays first and later states look alike to JAX, and compile once.
        optimizer = jax.tree.map(np.asarray, optimizer)
        seen = jax.device_get(compiled().look(optimizer, alive, z))
        if not np.isfinite([seen["elbo"], seen["log_likelihood"]]).all():
            raise ValueError(
                f"the log likelihood is {seen['log_likelihood']} and the ELBO {seen['elbo']}: the "
                f"updates went too far; take a smaller learning_rate than {learning_rate}"
            )
        # One is left whatever happens: the one with most points.
        kept = (seen["counts"] > len(z)) | (seen["counts"] == seen["counts"].max())
        if charged and not kept[alive].all():
            return look(t, optimizer, alive & kept, units)
        first = seen["hidden_weights"]
        inner = first[1:] / spread[:, None]
        network = {
            "hidden_weights": np.concatenate([first[:1] - centre @ inner, inner]),
            "output_weights": seen["output_weights"],
            "output_biases": np.where(alive, seen["output_biases"], -np.inf),
        }
        position = {
            "log_weights": seen["log_weights"],
            "means": centre + spread * seen["means"],
            "scales": spread * seen["scales"],
        }
        d, n = z.shape
        unit = n * np.log(spread).sum()
        elbo, exact = float(seen["elbo"] - unit), float(seen["log_likelihood"] - unit)
        components = int(alive.sum())
        score = elbo - (components * (2 * d + 1) - 1) / 2 * np.log(n)
        info = RecognitionInfo(elbo, exact, float(seen["gap"]), float(score), components, charged)
        return RecognitionState(position, network, optimizer), info

    def init(key: Key, x: ArrayLike) -> tuple[RecognitionState, RecognitionInfo]:
        units = standard(x)
        z = units[0]
        random = np.random.default_rng(key)
        log_weights, means, scales = _mixture(start, z.T, k, int(random.integers(2**31)))
        parameters = {
            "logits": log_weights,
            "means": means,
            "raw_scales": np.log(np.maximum(scales - SMALLEST_SCALE, SMALLEST_SCALE)),
            "hidden_weights": random.normal(size=(1 + len(z), hidden)),
            "output_weights": np.zeros((hidden, k)),
            "output_biases": log_weights,
        }
        alive = np.ones(k, dtype=bool)
        settings = (learning_rate, 0.0, FIRST_UPDATES, 0.0)
        begun = compiled().advance(compiled().begin(parameters), alive, z, *settings)
        # Once more from nothing: Adam's memory of those updates is not the mixture's.
        return look(0, compiled().begin(compiled().parameters(begun)), alive, units)

    def step(
        key: Key, state: RecognitionState, x: ArrayLike
    ) -> tuple[RecognitionState, RecognitionInfo]:
        units = standard(x)
        z, t = units[0], key[1]
        shape = (k, len(z)), (1 + len(z), hidden)
        if not isinstance(state, RecognitionState) or shape != (
            state.position["means"].shape,
            state.network["hidden_weights"].shape,
        ):
            raise ValueError(
                f"{WHO} with {k} components and {hidden} hidden units goes on from a state of its "
                f"own, for points with {len(z)} columns; this state is another"
            )
        alive = np.isfinite(state.position["log_weights"])
        # The charge belongs to the state that it leads to.
        charge = float(len(z)) if t >= prune_from else 0.0
        settings = (learning_rate, charge, updates, 1.0)
        return look(t, compiled().advance(state.optimizer, alive, z, *settings), alive, units)

    return Algorithm(init, step, "a recognition network")


def log_recognition(x: ArrayLike, state: RecognitionState) -> NDArray[np.float64]:
    """log q(k | x_n), what the network says of these points, (N, K); −∞ for dropped components."""
    points = as_points(x, WHO)
    first = state.network["hidden_weights"]
    if len(first) != 1 + points.shape[1]:
        raise ValueError(
            f"points have {points.shape[1]} columns, the network takes {len(first) - 1}"
        )
    units = np.tanh(first[0] + points @ first[1:])
    logits = units @ state.network["output_weights"] + state.network["output_biases"]
    return log_softmax(logits, axis=1)


def elbo(x: ArrayLike, position: dict[str, NDArray], log_q: ArrayLike) -> NDArray[np.float64]:
    """Σ_k q_nk (log π_k + log N_nk − log q_nk) of each point, (N,), in nats, for any q: (N, K).

    ``position`` is one mixture's. At most log p(x_n), and just that where q is p(k | x_n).
    """
    log_q = np.asarray(log_q, dtype=np.float64)
    joint = log_joint(x, position).T
    if log_q.shape != joint.shape or not np.allclose(np.exp(log_q).sum(axis=1), 1):
        raise ValueError(
            f"log q has shape {log_q.shape}; it is {joint.shape}, and the exponentials of a row "
            "sum to one"
        )
    used = log_q > -np.inf  # 0 · log 0 is 0
    with np.errstate(invalid="ignore"):
        return np.where(used, np.exp(log_q) * (joint - log_q), 0.0).sum(axis=1)


def _mixture(start: str, z: NDArray, k: int, seed: int) -> tuple[NDArray, NDArray, NDArray]:
    """Log weights, means and scales to begin at, in standard units."""
    if start == "random points":
        means = run(kmeans(k), z, seed, steps=0)[0].parameters.means
        return np.full(k, -np.log(k)), means, np.ones((k, z.shape[1]))
    found = run(kmeans(k, start="k-means++"), z, seed, steps=100, stop=relative(), memory=1)[-1]
    labels, means = np.eye(k)[found.expectations], found.parameters.means
    # One point at the distance 1/K in every direction is added: no component begins empty or flat.
    counts = labels.sum(axis=0) + 1
    squares = labels.T @ (z - means[found.expectations]) ** 2
    variances = (squares + 1 / k**2) / counts[:, None]
    return np.log(counts / counts.sum()), means, np.sqrt(variances)
