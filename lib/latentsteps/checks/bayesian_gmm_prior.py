"""Check of unit 04, exercise 4.8: a prior for a standard deviation that equal rows cannot break.

``log_prior(scale)``, (n,) to (n,), is the log density of σ > 0. Under a component that stands on
m + 1 equal points the likelihood, with the mean integrated out, grows like σ⁻ᵐ as σ goes to 0, so
∫ σ⁻ᵐ p(σ) dσ down to 0 has to be finite. Any prior that fulfils that passes; there is no reference
to agree with.

All is looked at in s = log σ: there the density is p(eˢ) eˢ, and the integral of σ⁻ᵐ p(σ) is
finite if log p(eˢ) + s falls by more than m for each unit that s goes down.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import gamma, halfnorm, invgamma, norm, uniform

from latentsteps.checks.display import number
from latentsteps.checks.exercise import Case, Exercise, Failure, Misconception, Property

TIES = 10
"""Powers m of 1/σ that have to have a finite integral."""

_SCALES = 10.0 ** np.arange(-8, 9)
"""Where the density has to be positive."""

_S = np.concatenate(
    [np.arange(-200.0, -15.0, 0.1), np.arange(-15.0, 15.0, 0.004), np.arange(15.0, 200.0, 0.1)]
)
"""log σ where the density is added up: from 1e-87 to 1e87, finely where most priors have mass."""

_DECADES = (60, 100, 150, 200, 250)
"""How far down the integral is followed: to 1e-60 and, where it is not yet clear, further. The
square of 1e-150 can still be stored; not every formula goes on beyond."""


# 4.8 · A prior for the scales


def _log_prior(scale: NDArray) -> NDArray:
    # Log-normal: half of the mass between .26 and 3.9.
    log_scale = np.log(scale)
    return np.asarray(norm.logpdf(log_scale, 0, 2) - log_scale)


_densities: WeakKeyDictionary[Callable, NDArray] = WeakKeyDictionary()


def _on_grid(call: Callable) -> NDArray:
    """log p(eˢ) + s at ``_S``; asked for once, as several properties look at it."""
    if call not in _densities:
        _densities[call] = call(np.exp(_S)) + _S
    return _densities[call]


def _at(call: Callable, s: NDArray) -> NDArray:
    return np.asarray(call(np.exp(s)) + s)


def _log_mass(log_density: NDArray, s: NDArray) -> float:
    """The logarithm of the integral of a density over s, by the trapezium rule."""
    gaps = np.diff(s, prepend=s[0], append=s[-1])
    return float(logsumexp(log_density, b=(gaps[:-1] + gaps[1:]) / 2))


def _knows_the_scale(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    values = call(_SCALES)
    if np.ptp(values) > 1e-9:
        return None
    return Failure(
        "It is the same for σ = 1e-8 and for σ = 1e8. A density that is flat up to infinity has no "
        "integral.",
        values[0],
    )


def _is_a_logarithm(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    values = call(_SCALES)
    if not np.all(values >= 0):  # no density of σ is 1 and more from 1e-8 to 1e8
        return None
    return Failure(
        "From σ = 1e-8 to 1e8 you give no negative number. The logarithm of a density becomes "
        "negative where the density is small. The least:",
        values.min(),
    )


def _positive(small: bool) -> Callable[[Callable, tuple, NDArray], Failure | None]:
    scales = _SCALES[_SCALES <= 1] if small else _SCALES[_SCALES >= 1]

    def holds(call: Callable, args: tuple, result: NDArray) -> Failure | None:
        values = call(scales)
        if np.isfinite(values).all():
            return None
        n = int(np.argmin(np.isfinite(values)))
        return Failure(f"At σ = {scales[n]:g} the logarithm is no finite number.", values[n])

    return holds


def _integral_of(
    measure: Callable[[NDArray], NDArray], sentence: str
) -> Callable[[Callable, tuple, NDArray], Failure | None]:
    """A property that fails where not the right integral is 1 but another one.

    ``measure(s)`` is what the other integral is over: log of its step over that of σ.
    """

    def holds(call: Callable, args: tuple, result: NDArray) -> Failure | None:
        log_density = _on_grid(call)
        if abs(_log_mass(log_density, _S)) < 1e-3:
            return None
        other = _log_mass(log_density + measure(_S), _S)
        if abs(other) > 1e-3:
            return None
        return Failure(sentence, math.exp(_log_mass(log_density, _S)), 1.0)

    return holds


def _has_an_integral(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    log_density = _on_grid(call)
    half = np.abs(_S) < 100
    whole, inner = _log_mass(log_density, _S), _log_mass(log_density[half], _S[half])
    if whole < inner + 0.5:
        return None
    return Failure(
        "Its integral grows without end. The logarithms of the integral of your density from "
        "e⁻²⁰⁰ to e²⁰⁰, and from e⁻¹⁰⁰ to e¹⁰⁰:",
        whole,
        inner,
        ("wide", "less wide"),
    )


def _is_normalised(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    mass = _log_mass(_on_grid(call), _S)
    if abs(mass) < 1e-3:
        return None
    return Failure(
        "The exponential of your result, integrated over all σ > 0, is not 1.", math.exp(mass), 1.0
    )


def _slope(call: Callable, decades: int) -> float:
    """By how much log p(eˢ) + s rises with s, from 10 to the power −decades one decade upwards."""
    low, high = _at(call, np.array([-decades, 1 - decades]) * math.log(10))
    if low == -np.inf:  # no density down there at all
        return np.inf
    return float((high - low) / math.log(10))


def _tie_mass_is_finite(powers: range) -> Callable[[Callable, tuple, NDArray], Failure | None]:
    def holds(call: Callable, args: tuple, result: NDArray) -> Failure | None:
        for m in powers:
            if any(_slope(call, decades) > m + 1e-6 for decades in _DECADES):
                continue
            steps = [np.linspace(-decades * math.log(10), 0, 5001) for decades in (50, 100)]
            near, far = (_log_mass(_at(call, s) - m * s, s) for s in steps)
            return Failure(
                f"{m + 1} equal rows in one component multiply your density by σ^(−{m}), and the "
                "integral of that grows for ever, the further down it goes. Its logarithm is "
                f"{number(near)} over σ from 1e-50 to 1, and {number(far)} from 1e-100 to 1."
            )
        return None

    return holds


def _is_of_use(call: Callable, args: tuple, result: NDArray) -> Failure | None:
    inside = np.abs(_S) <= math.log(100)
    share = math.exp(_log_mass(_on_grid(call)[inside], _S[inside]))
    if share >= 0.5:
        return None
    return Failure(
        "The data are in units in which scales between .01 and 100 are likely. The share of your "
        "prior's mass there, which should be one half at least:",
        share,
        0.5,
    )


def _constants_lost(scale: NDArray) -> NDArray:
    return np.asarray(-0.5 * (np.log(scale) / 2) ** 2 - np.log(scale))


log_prior = Exercise(
    number="4.8",
    name="log_prior",
    reference=_log_prior,
    compare=False,  # there are many such priors
    cases=(
        Case("one scale, 1", (np.array([1.0]),)),
        Case("five scales", (np.array([0.1, 0.5, 1.0, 2.0, 5.0]),)),
    ),
    properties=(
        Property("it depends on the scale", _knows_the_scale),
        Property("it is a logarithm", _is_a_logarithm),
        Property("positive however small σ is", _positive(small=True)),
        Property("positive however large σ is", _positive(small=False)),
        Property("it has an integral", _has_an_integral),
        Property(
            "it is a density of σ, not of log σ",
            _integral_of(
                lambda s: -s,
                "Integrated over log σ this is 1, and over σ it is not. The density of σ is that "
                "of log σ, over σ.",
            ),
        ),
        Property(
            "it is a density of σ, not of σ²",
            _integral_of(
                lambda s: s + math.log(2),
                "Integrated over σ² this is 1, and over σ it is not. The density of σ is that of "
                "σ², times 2σ.",
            ),
        ),
        Property("it integrates to 1", _is_normalised),
        Property("half of its mass is where scales may be", _is_of_use),
        Property("two equal rows leave the mass finite", _tie_mass_is_finite(range(1, 2))),
        Property("so do up to eleven", _tie_mass_is_finite(range(2, TIES + 1))),
    ),
    misconceptions=(
        Misconception(
            "positive at zero",
            lambda scale: halfnorm.logpdf(scale, scale=2),
            "Your density does not vanish as σ goes to 0 (a half-normal does not, nor do a "
            "half-Cauchy or an exponential). Two equal rows bring 1/σ, whose integral down to 0 is "
            "infinite: all the mass would be in a spike. The prior has to vanish there, and fast.",
        ),
        Misconception(
            "it vanishes too slowly",
            lambda scale: gamma.logpdf(scale, 2),
            "Your density vanishes at 0 like a power of σ, as a gamma density does. One tie it "
            "can bear; more equal rows bring higher powers of 1/σ, and one of them wins. "
            "What vanishes faster than every power? Look at log σ.",
        ),
        Misconception(
            "a floor",
            lambda scale: halfnorm.logpdf(scale, 0.01, 2),
            "Your density is 0 there, or too small to be stored. A floor keeps the mass finite by "
            "moving the spike: it then stands on the floor, and the floor's height decides the "
            "posterior. Let the density vanish by itself, and stay positive. (Or is the density "
            "only too small to be stored? Of some distributions, `levy` and `invweibull` among "
            "them, SciPy's `logpdf` is the logarithm of the `pdf`: write the logarithm out.)",
        ),
        Misconception(
            "a ceiling",
            lambda scale: uniform.logpdf(scale, 0, 10),
            "Above some σ your density is 0: a larger scale would be impossible, whatever the data "
            "say. Let the density fall by itself, and stay positive. (And near 0 a uniform "
            "density is as bad as a half-normal.)",
        ),
        Misconception(
            "flat",
            lambda scale: np.zeros_like(scale),
            "A flat density over all σ > 0 has no integral, so it is no prior; and near 0 it is as "
            "bad as a half-normal one.",
        ),
        Misconception(
            "flat in log σ",
            lambda scale: -np.log(scale),
            "1/σ is flat in log σ: its integral is infinite at both ends, and two equal rows make "
            "it worse. Flat in log σ is a good idea *near* the likely scales, if it falls off to "
            "both sides.",
        ),
        Misconception(
            "no Jacobian",
            lambda scale: norm.logpdf(np.log(scale), 0, 2),
            "This is a density of log σ. The density of σ has to say how the logarithm stretches: "
            "d log σ/dσ = 1/σ, so − log σ is missing. (At 0 that makes it larger, and it is "
            "still fast enough.)",
        ),
        Misconception(
            "density of the variance",
            lambda scale: invgamma.logpdf(scale**2, 1),
            "This is a density of σ², at σ². The density of σ has to say how the square stretches: "
            "dσ²/dσ = 2σ, so log 2σ is missing.",
        ),
        Misconception(
            "the density",
            lambda scale: np.exp(_log_prior(scale)),
            "This is the density. Its logarithm is asked for.",
        ),
        Misconception(
            "constants left out",
            _constants_lost,
            "The shape may be right, and it does not integrate to 1. A constant is missing, or one "
            "too many: SciPy's densities have theirs. (And what is cut off or folded at 0 has to "
            "be scaled up.)",
        ),
        Misconception(
            "far too narrow, or far off",
            lambda scale: norm.logpdf(np.log(scale), -15, 1) - np.log(scale),
            "Most of this prior's mass is where no scale will be. Put its middle near 1, the scale "
            "of the data, and make it wide, and not endless: a factor of ten to either side is "
            "much already.",
        ),
        Misconception(
            "one number for all",
            lambda scale: np.sum(_log_prior(scale)),
            "You add up over the scales. A log density for each of them is asked for.",
        ),
    ),
    hints=(
        "How fast does the density have to vanish at 0 to win against σ⁻ᵐ for *every* m? And what "
        "becomes of σ = 0 if you look at log σ?",
        "A normal density of log σ falls faster than every power of σ; so does e^(−1/σ²).",
        "norm.logpdf(np.log(scale), 0, 2) − np.log(scale): log-normal.",
    ),
)
