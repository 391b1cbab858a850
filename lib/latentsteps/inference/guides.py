"""The distributions q that variational inference fits: one point, or a normal for every entry.

NumPyro has both (``AutoDelta``, ``AutoNormal``). Here they are written for compiled steps: the
model is looked at without computing anything, and all noise comes from one call, so that a fit
compiles in a third of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpyro
from numpyro import distributions as dist
from numpyro import handlers
from numpyro.distributions import biject_to, constraints

from latentsteps.jax64 import jax, jnp
from latentsteps.trace import Data

Program = Callable[[Any], Any]
"""A NumPyro model or guide of one argument, the data."""
KINDS = ("mean field", "point")


class Site(NamedTuple):
    """What has to be known of a hidden site."""

    support: Any
    shape: tuple[int, ...]
    dtype: Any
    event_dim: int


def hidden_sites(model: Program, data: Data) -> dict[str, Site]:
    """The model's sites that are to be inferred, found without computing anything.

    Raises ValueError where there are none, and for discrete ones.
    """
    found: dict[str, Site] = {}
    for name, site in _sites(model, data, "sample").items():
        if site["is_observed"]:
            continue
        law, value = site["fn"], site["value"]
        if law.support.is_discrete:
            raise ValueError(
                f"the site {name!r} is discrete: no gradient goes through it; sum it out"
            )
        found[name] = Site(law.support, value.shape, value.dtype, law.event_dim)
    if not found:
        raise ValueError("the model has no hidden site; there is nothing to infer")
    return found


def make_guide(kind: str | Program, hidden: Mapping[str, Site]) -> Program:
    """The guide of a kind for these sites; one that is a function already is handed back."""
    if isinstance(kind, str):
        return _point(hidden) if kind == "point" else _mean_field(hidden)
    return kind


def check_start(
    kind: str | Program, given: Mapping[str, Any], hidden: Mapping[str, Site], data: Data
) -> None:
    """Raise ValueError where a start names what is not there, or has no place in it.

    Names are the model's hidden sites, or, of a guide that is a function, its parameters.
    """
    if isinstance(kind, str):
        shapes = {name: site.shape for name, site in hidden.items()}
    else:
        of_guide = set(_sites(kind, data, "sample"))
        if not set(hidden) <= of_guide:
            raise ValueError(
                f"the guide draws {sorted(of_guide)}; the model's hidden sites are {sorted(hidden)}"
            )
        shapes = {name: site["value"].shape for name, site in _sites(kind, data, "param").items()}
    for name, value in given.items():
        if name not in shapes:
            raise ValueError(f"start names {name!r}; what can start is " + ", ".join(shapes))
        if value.shape != shapes[name] or not np.isfinite(value).all():
            raise ValueError(
                f"start gives {name!r} values of shape {value.shape}; it takes finite numbers of "
                f"shape {shapes[name]}"
            )
        if isinstance(kind, str) and not np.all(hidden[name].support(jnp.asarray(value))):
            raise ValueError(
                f"start gives {name!r} a value outside its support, {hidden[name].support}"
            )


def start_parameters(
    kind: str | Program, key: Any, hidden: Mapping[str, Site], given: Mapping[str, Any], width: Any
) -> dict[str, Any]:
    """A guide's parameters that put it at the given values, and at random where there are none.

    Random is evenly from −2 to 2 in unconstrained coordinates, as NumPyro begins.
    """
    if not isinstance(kind, str):
        return dict(given)
    found: dict[str, Any] = {}
    uniform = _split(jax.random.uniform(key, (_total(hidden),), minval=-2, maxval=2), hidden)
    for name, site in hidden.items():
        transform, somewhere = biject_to(site.support), uniform[name]
        if kind == "point":
            found[f"{name}_value"] = given.get(name, transform(somewhere)).astype(site.dtype)
            continue
        mean = transform.inv(given[name]).astype(site.dtype) if name in given else somewhere
        found[f"{name}_mean"], found[f"{name}_sd"] = mean, jnp.full_like(mean, width)
    return found


def _sites(program: Program, data: Data, kind: str) -> dict[str, dict]:
    """A program's sites of a kind, with shapes for values."""
    found: dict[str, dict] = {}

    def look(data: Data) -> None:
        trace = handlers.trace(handlers.seed(program, 0)).get_trace(data)
        found.update((name, site) for name, site in trace.items() if site["type"] == kind)

    jax.eval_shape(look, data)
    return found


def _point(hidden: Mapping[str, Site]) -> Program:
    def guide(data: Data) -> None:
        for name, site in hidden.items():
            somewhere = biject_to(site.support)(_zeros(site))
            value = numpyro.param(f"{name}_value", somewhere, constraint=site.support)
            numpyro.sample(name, dist.Delta(value, event_dim=site.event_dim))

    return guide


def _mean_field(hidden: Mapping[str, Site]) -> Program:
    def guide(data: Data) -> None:
        noise = _split(jax.random.normal(numpyro.prng_key(), (_total(hidden),)), hidden)
        for name, site in hidden.items():
            zero = _zeros(site)
            mean = numpyro.param(f"{name}_mean", zero)
            sd = numpyro.param(f"{name}_sd", zero + 1, constraint=constraints.softplus_positive)
            value = mean + sd * noise[name]
            q = dist.Normal(mean, sd).to_event(site.event_dim + zero.ndim - len(site.shape))
            if not _is_real(site.support):
                transform = biject_to(site.support)
                q, value = dist.TransformedDistribution(q, transform), transform(value)
            # The draw is put in from outside, else NumPyro would draw noise for each site.
            with handlers.substitute(data={name: value}):
                numpyro.sample(name, q)

    return guide


def _zeros(site: Site) -> Any:
    """Zeros in the coordinates in which a site may be any real number."""
    return jnp.zeros(biject_to(site.support).inverse_shape(site.shape), site.dtype)


def _total(hidden: Mapping[str, Site]) -> int:
    return sum(_zeros(site).size for site in hidden.values())


def _split(flat: Any, hidden: Mapping[str, Site]) -> dict[str, Any]:
    """One long row cut into pieces of the sites' unconstrained shapes."""
    zeros = [_zeros(site) for site in hidden.values()]
    pieces = jnp.split(flat, np.cumsum([zero.size for zero in zeros])[:-1])
    return {
        name: piece.reshape(zero.shape).astype(zero.dtype)
        for name, zero, piece in zip(hidden, zeros, pieces, strict=True)
    }


def _is_real(support: Any) -> bool:
    return support is constraints.real or (
        isinstance(support, constraints.independent) and support.base_constraint is constraints.real
    )
