"""Variational inference by NumPyro as a sequence of states, with the bound's two terms in sight.

A distribution q over a model's hidden sites θ is fitted by climbing the evidence lower bound::

    ELBO(q) = E_q[log p(data | θ)] − KL(q ‖ p(θ))  =  fit − KL  ≤  log p(data)

with gradients from draws of q written as functions of noise (Kingma & Welling 2014, "Auto-encoding
variational Bayes", section 2.4; Blei, Kucukelbir & McAuliffe 2017, "Variational inference: a review
for statisticians", section 2.2). NumPyro's ``SVI`` and ``TraceMeanField_ELBO`` do the work. A state
is a number of the optimiser's updates; its info is a fresh estimate of both terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from numpyro import handlers
from numpyro.infer import SVI, TraceMeanField_ELBO
from numpyro.infer.svi import SVIState as NumPyroState
from numpyro.optim import Adam

from latentsteps.inference.guides import (
    KINDS,
    Program,
    Site,
    check_start,
    hidden_sites,
    make_guide,
    start_parameters,
)
from latentsteps.jax64 import jax, jnp
from latentsteps.trace import Algorithm, Data, Key

LOOKS = 16
"""Draws of q behind the estimate in an info."""


class SVIState(NamedTuple):
    """Where the fit stands: q's parameters, and what the optimiser remembers."""

    parameters: dict[str, NDArray]
    """Mean field: ``"SITE_mean"`` and ``"SITE_sd"`` for every hidden site, in the coordinates in
    which it may be any real number (the site's own, if it is real). Point: the site's value under
    its own name. A guide of your own: its parameters."""
    optimizer: Any
    """NumPyro's Adam: parameters without constraints, and running means of gradients."""


class SVIInfo(NamedTuple):
    """The bound at a state, estimated from ``LOOKS`` fresh draws of q; all in nats."""

    objective: float
    """fit − kl_weight · kl. With weight 1 the ELBO; for a point the log joint density."""
    fit: float
    """E_q[log p(data | θ)]."""
    kl: float
    """KL(q ‖ prior), exact wherever NumPyro knows it (normals do); for a point −log p(θ)."""
    error: float
    """Monte Carlo standard error of the objective; 0 for a point."""


def svi(
    model: Program,
    *,
    guide: str | Program = "mean field",
    updates: int = 20,
    learning_rate: float = 0.01,
    particles: int = 1,
    start: Mapping[str, ArrayLike] | None = None,
    width: float = 0.1,
    kl_weight: float = 1.0,
    name: str = "SVI",
) -> Algorithm:
    """Variational inference for a NumPyro model of one argument, the data (arrays in any nesting).

    States are :class:`SVIState`, infos :class:`SVIInfo`. Compiled functions are kept for the same
    ``model`` (the same function), guide and shapes: another seed, start, learning rate, weight or
    number of updates does not compile again.

    Parameters
    ----------
    guide: ``"mean field"``: an independent normal for every entry of every hidden site, in
        unconstrained coordinates. ``"point"``: one value, the mode of the posterior (MAP) in the
        sites' own coordinates. Or a NumPyro guide, a function of the data.
    updates: of the optimiser, Adam, from one state to the next.
    learning_rate: Adam's step size.
    particles: draws of q behind each gradient.
    start: values of hidden sites to begin at, the ``parameters`` of a fitted point for one: q's
        mean. Sites it does not name begin anywhere from −2 to 2 in unconstrained coordinates, as
        NumPyro does. For a guide of your own: values of its parameters.
    width: the mean field's standard deviations at the start.
    kl_weight: above 1 the objective is still a bound, a looser one, below 1 it is none; either way
        q comes near to p(data | θ)^(1/weight) p(θ), normalised, instead of the posterior.

    Raises ValueError for arguments out of range; once there are data, for a model with discrete
    hidden sites or none, and a start that does not fit; in a step, for another model's state.
    """
    if isinstance(guide, str) and guide not in KINDS:
        raise ValueError(f"guide is {guide!r}; it is 'mean field', 'point' or a NumPyro guide")
    if min(updates, particles) < 1:
        raise ValueError(f"updates is {updates} and particles {particles}; both are at least 1")
    if not (learning_rate > 0 and width > 0 and kl_weight >= 0):
        raise ValueError(
            f"learning_rate is {learning_rate}, width {width} and kl_weight {kl_weight}; the first "
            "two are positive, the last is not negative"
        )
    compiled = _compiled(model, guide)
    given = {site: np.asarray(value, dtype=np.float64) for site, value in (start or {}).items()}

    def with_info(key: Key, data: Data, optimizer: Any) -> tuple[SVIState, SVIInfo]:
        # As NumPy arrays first and later states look alike to JAX, and compile once.
        optimizer = jax.tree.map(np.asarray, optimizer)
        parameters, info = jax.device_get(compiled.look(key, data, optimizer, kl_weight))
        return SVIState(parameters, optimizer), SVIInfo(*map(float, info))

    def init(key: Key, data: Data) -> tuple[SVIState, SVIInfo]:
        check_start(guide, given, hidden_sites(model, data), data)
        state, info = with_info(key, data, compiled.begin(key, data, given, width))
        compiled.known.add(_shapes(state))
        return state, info

    def step(key: Key, state: SVIState, data: Data) -> tuple[SVIState, SVIInfo]:
        if not isinstance(state, SVIState) or _shapes(state) not in compiled.known:
            raise ValueError(
                f"{name} goes on from a state of its own, and this one is of another model or guide"
            )
        settings = (learning_rate, kl_weight, updates, particles)
        return with_info(key, data, compiled.advance(key, data, state.optimizer, *settings))

    return Algorithm(init, step, name)


def draws(
    model: Program,
    parameters: Mapping[str, ArrayLike],
    data: Data,
    n: int,
    seed: int = 0,
    *,
    guide: str | Program = "mean field",
) -> dict[str, NDArray]:
    """``n`` independent draws of the hidden sites from q: each (n, ...), in the sites' own values.

    ``parameters`` are a state's, ``model`` and ``guide`` those it was fitted with; of the data only
    the shapes matter, unless it is a guide of your own that looks at them.
    """
    if n < 1:
        raise ValueError(f"n is {n}; it is a positive number of draws")
    found = _drawing(model, guide, n)(seed, data, dict(parameters))
    return {site: np.asarray(value) for site, value in found.items()}


class _Bound(TraceMeanField_ELBO):
    """NumPyro's estimate of the ELBO with a weight on its KL, and its two terms on their own."""

    def __init__(self, hidden: Mapping[str, Site], particles: int, kl_weight: Any) -> None:
        super().__init__(particles, sum_sites=False)
        self.hidden, self.kl_weight = hidden, kl_weight

    def terms(self, *arguments: Any) -> tuple[Any, Any]:
        """(fit, KL) from the key, the parameters, model, guide and data."""
        losses = super().loss_with_mutable_state(*arguments)["loss"]
        kl = sum((losses[site] for site in self.hidden), start=jnp.zeros(()))
        return kl - sum(losses.values()), kl

    def loss_with_mutable_state(self, *arguments: Any) -> dict[str, Any]:
        fit, kl = self.terms(*arguments)
        return {"loss": self.kl_weight * kl - fit, "mutable_state": None}


class _Compiled(NamedTuple):
    """What :func:`svi` calls, compiled at the first call for each shape of data."""

    begin: Callable
    """(key, data, start, width) -> the optimiser's state."""
    advance: Callable
    """(key, data, the optimiser's state, learning rate, KL weight, updates, particles) -> the
    optimiser's state."""
    look: Callable
    """(key, data, the optimiser's state, KL weight) -> (parameters, info)."""
    known: set
    """The shapes of the states that began here."""


@lru_cache(maxsize=64)
def _compiled(model: Program, guide: str | Program) -> _Compiled:
    def set_up(
        key: Key,
        data: Data,
        *,
        given: Any = None,
        rate: Any = 1.0,
        kl_weight: Any = 1.0,
        particles: int = 1,
    ) -> tuple:
        """NumPyro's SVI and its first state. Where that is not used XLA leaves it out: then it is
        made only because NumPyro looks up the parameters' constraints on the way."""
        hidden = hidden_sites(model, data)
        bound = _Bound(hidden, particles, kl_weight)
        fit = SVI(model, make_guide(guide, hidden), Adam(rate), bound)
        return fit, bound, fit.init(_key(key), data, init_params=given)

    @jax.jit
    def begin(key: Key, data: Data, given: dict[str, Any], width: float) -> Any:
        hidden = hidden_sites(model, data)
        parameters = start_parameters(guide, _key(key), hidden, given, width)
        *_, state = set_up(key, data, given=parameters)
        return state.optim_state

    @partial(jax.jit, static_argnames="particles")
    def advance(
        key: Key,
        data: Data,
        optimizer: Any,
        rate: float,
        kl_weight: float,
        updates: int,
        particles: int,
    ) -> Any:
        fit, *_ = set_up(key, data, rate=rate, kl_weight=kl_weight, particles=particles)
        state = NumPyroState(optimizer, None, _key(key))
        state = jax.lax.fori_loop(0, updates, lambda _, state: fit.update(state, data)[0], state)
        return state.optim_state

    @jax.jit
    def look(key: Key, data: Data, optimizer: Any, kl_weight: float) -> tuple:
        fit, bound, _ = set_up(key, data)
        parameters = fit.get_params(NumPyroState(optimizer, None, None))
        fresh = jax.random.fold_in(_key(key), 2**20)  # not a child that SVI.update takes
        keys = jax.random.split(fresh, 1 if guide == "point" else LOOKS)
        fits, kls = jax.vmap(lambda key: bound.terms(key, parameters, model, fit.guide, data))(keys)
        values = fits - kl_weight * kls
        error = values.std(ddof=1) / np.sqrt(LOOKS) if len(keys) > 1 else 0.0
        info = SVIInfo(values.mean(), fits.mean(), kls.mean(), error)
        if guide == "point":
            parameters = {name.removesuffix("_value"): value for name, value in parameters.items()}
        return parameters, info

    return _Compiled(begin, advance, look, set())


@lru_cache(maxsize=64)
def _drawing(model: Program, guide: str | Program, n: int) -> Callable:
    @jax.jit
    def draw(seed: int, data: Data, parameters: dict[str, Any]) -> dict[str, Any]:
        hidden = hidden_sites(model, data)
        if guide == "point":
            parameters = {f"{name}_value": value for name, value in parameters.items()}
        q = handlers.substitute(make_guide(guide, hidden), data=parameters)

        def one(key: Any) -> dict[str, Any]:
            trace = handlers.trace(handlers.seed(q, key)).get_trace(data)
            return {name: trace[name]["value"] for name in hidden}

        return jax.vmap(one)(jax.random.split(jax.random.key(seed), n))

    return draw


def _key(key: Key) -> Any:
    return jax.random.fold_in(jax.random.key(key[0]), key[1])


def _shapes(state: SVIState) -> Any:
    return frozenset((name, np.shape(value)) for name, value in state.parameters.items())
