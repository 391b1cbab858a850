# %% [markdown]
# # 04 · A Bayesian Gaussian mixture
#
# Unit 03 gave you one mixture for Old Faithful, the best it found. How far may you trust it? Had
# you watched on two other days, would it say the same? Here you keep *every* mixture that the data
# leave possible, each with the weight it deserves. The price: there is no summit to climb any more.
# You have to wander through all of it, and to know when you have wandered enough.
#
# **Time:** about 4 hours.
#
# **What to know before:** unit 03, and the E step of unit 02. Calculus: substitution in an
# integral. Four toolboxes on the way bring the rest.
#
# **Afterwards you can**
#
# - write the posterior of a mixture with the hidden assignments summed out;
# - write what samplers are made of, Metropolis' decision and Hamilton's leapfrog, and find a
#   mistake in either by what it does;
# - say whether chains agree, what a sample is worth, and what agreement does not show;
# - report what does not depend on the names of components, and predict with all of the posterior;
# - find a prior that two equal rows turn into nonsense, and cure it.
#
# ### Notation
#
# | what | here | in code | Bishop | Murphy | recipe |
# |---|---|---|---|---|---|
# | all parameters | $\theta$ | | $\theta$ | $\theta$ | |
# | share of component $k$ of $K$ | $\pi_k$ | `weights`, (K,) | $\pi_k$ | $\pi_k$ | $w$, $\pi$ |
# | its mean | $m_k$ | `means`, (K, D) | $\mu_k$ | $\mu_k$ | $\mu_k$ |
# | its standard deviations | $\sigma_k$ | `scales`, (K, D) | | $\sigma_k$ | $\sigma_k$ |
# | its correlations, $\Omega = C C^\top$ | $C_k$ | `correlation_factors`, (K, D, D) | | | `Lcorr` |
# | draw $s$ of $S$ | $\theta^{(s)}$ | axes in front | $z^{(l)}$ | $\theta^s$ | |
# | potential energy, $-\log p$ | $U$ | | $E$ | $\mathcal E$ | |
# | momentum | $p$ | `momentum`, (D,) | $r$ | $v$ | |
# | leapfrogs | $\varepsilon$, $L$ | `step_size`, `steps` | $\epsilon$, $L$ | $\eta$, $L$ | |
#
# Bishop (2006), chapter 11; Murphy (2023), chapter 12; the recipe is the page of a package's manual
# that fits this model, and you mend it at the end. Logarithms are natural: nats.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from latentsteps.checks import bayesian_gmm as check
from latentsteps.data import old_faithful
from latentsteps.views import style

plt.style.use(style.RC)
geyser = old_faithful()
order = np.random.default_rng(0).permutation(len(geyser))
seen, later = geyser[order[:40]], geyser[order[40:]]
centre, unit = seen.mean(axis=0), seen.std(axis=0)
x, y = (seen - centre) / unit, (later - centre) / unit  # both in the units of what was seen
LENGTH, WAIT = "length of the eruption (sd)", "wait for the next (sd)"
print(f"You have seen {len(x)} eruptions. {len(y)} more are in a drawer, for later.")

# %% [markdown]
# ## The question
#
# Two days and nights at Old Faithful: 40 eruptions. Now one has just ended, after 3 minutes, longer
# than the short ones and shorter than the long ones. **When will the next one come, and how sure
# can you be?** A mixture answers: cut it at 3 minutes, and look along the waits. Below, unit 03's
# EM has been given forty eruptions twenty times, other ones each time.

# %%
from latentsteps.models.gaussian_mixture import gaussian_mixture
from latentsteps.trace import relative, run

minutes = np.linspace(40, 105, 261)
THREE = (3 - centre[0]) / unit[0]  # three minutes, in the units of x


def cut(weights, means, covariances, at=THREE):
    """A mixture cut at one length of eruption: weights, means and sds of what is left, (..., K).

    The weights are π_k N(at), as probable as each component makes such an eruption; they do not
    sum to one. Leading axes of draws stay.
    """
    variance, tilt = covariances[..., 0, 0], covariances[..., 0, 1] / covariances[..., 0, 0]
    left = weights * norm.pdf(at, means[..., 0], np.sqrt(variance))
    mean = means[..., 1] + tilt * (at - means[..., 0])
    return left, mean, np.sqrt(covariances[..., 1, 1] - tilt * covariances[..., 0, 1])


def density_of_wait(weights, means, covariances):
    """Density of the wait after a 3-minute eruption, a minute: (261,)."""
    left, mean, sd = cut(weights, means, covariances)
    grid = (minutes[:, None] - centre[1]) / unit[1]
    return (left / left.sum() * norm.pdf(grid, mean, sd)).sum(axis=1) / unit[1]


random = np.random.default_rng(1)
answers, shares = [], []
for _ in range(20):
    forty = (geyser[random.permutation(len(geyser))[:40]] - centre) / unit
    best = run(gaussian_mixture(2), forty, steps=300, stop=relative(1e-9))[-1].parameters
    answers.append(density_of_wait(*best))
    shares.append(best.weights[best.means[:, 0].argmin()])

figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.plot(minutes, np.transpose(answers), color=style.colour(0), lw=0.9)
axes.set_xlabel("wait after an eruption of 3 minutes (minutes)")
axes.set_ylabel("density a minute")
plt.show()

print("The picture: twenty curves, some with one peak and some with two, at waits from about 55 to")
print("about 80 minutes. Each is sure of itself, and they do not agree.")
low, high = style.number(min(shares), 2), style.number(max(shares), 2)
print(f"Share of short eruptions, by forty eruptions each: {low} to {high}.")

# %% [markdown]
# You have one forty only, and it will not tell you which of those curves it has drawn. What it can
# tell is which mixtures $\theta$ make these forty eruptions probable, and by Bayes' rule how
# probable each mixture is:
#
# $$p(\theta \mid x) \propto p(x \mid \theta) \, p(\theta) .$$
#
# ## A posterior that can be drawn
#
# Take the waits of twelve of them, two kinds of equal share, and let the spread of both be known.
# Then $\theta$ is two numbers, the means $m_1$ and $m_2$, and the posterior is a landscape.

# %%
from latentsteps.models.targets import two_means

few, NOISE = x[:12, 1], 0.5
target = two_means(few, noise=NOISE)  # prior of each mean: N(0, 10²)

side = np.linspace(-2.6, 2.4, 201)
grid = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1)
log_mass = target.log_density(grid)
mass = np.exp(log_mass - logsumexp(log_mass))  # of each cell, summing to one

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.plot(few, np.zeros(12), "|", ms=18, color=style.INK)
left.set_yticks([])
left.set_xlabel(WAIT)
left.set_title("twelve waits")
right.contourf(side, side, mass.T, 8, cmap="Blues")
right.plot(side, side, ":", color=style.QUIET)
right.set_xlabel("$m_1$")
right.set_ylabel("$m_2$")
right.set_title("their posterior")
plt.show()

larger, smaller = grid.max(axis=-1), grid.min(axis=-1)
print("The picture: two hills of one height, mirror images of each other in the dotted diagonal.")
print(f"Mass above the diagonal {mass[grid[..., 1] > grid[..., 0]].sum():.2f}: each hill has half.")
apart = mass[larger - smaller > 1.5].sum()
print(f"Probability that the kinds wait more than 1.5 sd apart: {apart:.2f}.")

# %% [markdown]
# Two hills, because nothing in the model says which kind is called 1. Hold on to that.
#
# What is wanted of a posterior is always a sum of this kind: an *average* over $\theta$ of
# something, here of a yes or no. With two numbers a grid does it. The whole mixture of two kinds
# has eleven, and 201 cells along each would make $201^{11} \approx 2 \cdot 10^{25}$.
#
# So do without the grid: draw mixtures $\theta^{(1)}, \dots, \theta^{(S)}$ *from* the posterior,
# and average over the draws. A place with much mass is drawn often. That leaves one question: how
# does one draw from a landscape whose height one can compute at a point, and of which one knows
# nothing else, not even the total?
#
# ## See it run
#
# Two answers, of 1953 and of 1987. **Metropolis** proposes a jump at random, then
# decides by the two heights whether to make it. **Hamilton** turns the landscape upside down, gives
# a ball a push and lets it roll, and decides at the end. Each has chains that know nothing of each
# other.
#
# - *banana*, *Hamilton*: press **Step** slowly. A step is one leapfrog. What does the strip on the
#   energy say while the ball rolls through a bend?
# - Larger **size**: when are moves rejected? What is drawn where one is? (Count the draws.)
# - *Metropolis*: which size gets round the banana fastest? What is wrong with the smallest, and
#   what with the largest?
# - *two hills*: does any chain ever cross to the other hill? Try. Then look at the view *r-hat*.
#
# The functions that play are yours as soon as you have written them (4.2 and 4.3): come back then,
# and press **Restart**.

# %%
from latentsteps.inference.leapfrog import hamiltonian, metropolis
from latentsteps.models.targets import banana
from latentsteps.stepper import Stepper
from latentsteps.views import agreement, trajectories

BANANA = banana(), np.array([[-2.0, 1.0], [2.0, 1.0], [-1.0, -0.5], [1.0, -0.5]])
HILLS = target, np.array([[-1.0, 1.0], [1.0, -1.0], [-1.4, 0.5], [0.5, -1.4]])


def yours(piece):
    """What was submitted last, right or wrong; the course's own where nothing was."""
    return piece.reference if piece.answer is None else piece.answer


def sampler(target, method, size, leapfrogs):
    """Four chains on a density, by either method, with your pieces."""
    density, starts = target
    if method == "Metropolis":
        return metropolis(density, starts, scale=size, accept=yours(check.metropolis_step))
    return hamiltonian(
        density, starts, step_size=size, leapfrogs=leapfrogs, integrator=yours(check.leapfrog)
    )


Stepper(
    sampler,
    None,
    {"path": trajectories, "r-hat": agreement},
    controls={
        "target": {"banana": BANANA, "two hills": HILLS},
        "method": ["Hamilton", "Metropolis"],
        "size": [0.2, 0.05, 0.5, 1.0, 2.5],
        "leapfrogs": [10, 1, 3, 30],
    },
    filmstrip=(0, 6, 88),
)

# %% [markdown]
# ## The height of the landscape
#
# A sampler asks for one thing, the log of the joint density of data and parameters, and does not
# care about a constant. For our mixture it has hidden assignments $z_n$ in it, which kind each
# eruption is. As in unit 02 they can be *summed out*,
#
# $$\log p(x, \theta) = \sum_n \log \sum_k \pi_k \, \mathcal N(x_n \mid m_k, \sigma^2)
#   + \log p(\theta) .$$
#
# The prior stands outside of the sum over points: it is there once.
#
# ### Toolbox: a change of variables
#
# A standard deviation is positive, and a rolling ball knows no walls. So one samples
# $s = \log \sigma$, which may be anything, and puts $\sigma = e^s$ into the model. What is the
# density of $s$? Not $p(\sigma = e^s)$: the map stretches the line, and the mass between $s$ and
# $s + ds$ is that between $\sigma$ and $\sigma + \sigma \, ds$. So
#
# $$p(s) = p(\sigma) \, \Bigl\lvert \frac{d\sigma}{ds} \Bigr\rvert = p(e^s) \, e^s ,$$
#
# and the log density has an $s$ more. That factor is the **Jacobian**. Take $\sigma$ half-normal,
# $p(\sigma) = 2 \, \mathcal N(\sigma \mid 0, 2^2)$ for $\sigma > 0$, and see both sides:

# %%
s = np.linspace(-12, 3, 3001)
without = 2 * norm.pdf(np.exp(s), 0, 2)
mean_logs = np.log(np.abs(np.random.default_rng(0).normal(0, 2, 100_000))).mean()
for name, density in {"p(σ = eˢ)": without, "p(σ = eˢ) · eˢ": without * np.exp(s)}.items():
    total = np.trapezoid(density, s)
    mean = np.trapezoid(density / total * s, s)
    print(f"{name:<15} integral from −12 to 3: {total:.2f}; mean of s {style.number(mean, 2)}")
print(f"Mean logarithm of 100,000 half-normal draws: {style.number(mean_logs, 2)}.")

# %% [markdown]
# Without the Jacobian the "density" never ends to the left, and it prefers tiny $\sigma$.
#
# ### Exercise 4.1 The log posterior
#
# Up to a constant that depends on the data alone, a log joint density *is* the log posterior. Write
# it for points on a line, $K$ means, equal shares, and one $\sigma$ for all.


# %%
def log_posterior(x, means, log_scale):
    """Log joint density of data and parameters, in nats: a float.

    x: (N,). means: (K,), each with prior N(0, 10²). log_scale: s = log σ, where σ is half-normal
    with unit 2, density 2 · N(σ | 0, 2²) for σ > 0: take the density of s. Shares are 1/K each. The
    assignments are summed out. Points may be far out.
    """
    ### BEGIN SOLUTION
    sigma = np.exp(log_scale)
    log_p = norm.logpdf(x[:, None], means, sigma) - np.log(len(means))  # (N, K)
    likelihood = logsumexp(log_p, axis=1).sum()
    jacobian = log_scale
    log_prior = norm.logpdf(means, 0, 10).sum() + np.log(2) + norm.logpdf(sigma, 0, 2) + jacobian
    return likelihood + log_prior
    ### END SOLUTION


# %%
log_posterior = check.log_posterior(log_posterior)

# %% [markdown]
# The landscape above had $\sigma$ fixed at one half. Yours holds it, and all others beside it.

# %%
places = np.array([[-1.0, 0.6], [0.6, -1.0], [0.0, 0.0], [2.0, -2.0]])
difference = [log_posterior(few, place, np.log(NOISE)) for place in places]
difference -= target.log_density(places)
print(f"At four places it differs from the landscape by one constant: {np.ptp(difference) < 1e-9}.")

spreads = np.exp(np.linspace(np.log(0.15), np.log(2.5), 15))
coarse = side[::10]
heights = np.array(
    [
        [[log_posterior(few, np.array([a, b]), np.log(spread)) for b in coarse] for a in coarse]
        for spread in spreads
    ]
)
shares_of_spread = np.exp(logsumexp(heights, axis=(1, 2)) - logsumexp(heights))
print(f"Posterior mean of σ, over a grid of all three: {shares_of_spread @ spreads:.2f} sd.")

# %% [markdown]
# ### The same by drawing the assignments
#
# Must the assignments be summed out? No. One may draw them too, in turns: given the means, each
# point draws its kind from its responsibilities; given the kinds, each mean is drawn from its
# posterior, which is normal (precisions add: $N_k / \sigma^2$ from the points, $1/10^2$ from the
# prior). That is a **Gibbs sampler**: EM with both halves drawn. Its means have to be those of the
# grid, to within the error of a finite sample (which gets a section of its own, below).

# %%
from latentsteps.evaluation import diagnostics


def gibbs(x, means, noise, sweeps, random):
    """Draws (sweeps, 2) of two means, by way of the assignments."""
    drawn = np.empty((sweeps, 2))
    for sweep in range(sweeps):
        first = 1 / (1 + np.exp(((x - means[0]) ** 2 - (x - means[1]) ** 2) / (2 * noise**2)))
        of_first = random.uniform(size=len(x)) < first
        for k, mine in enumerate((of_first, ~of_first)):
            precision = mine.sum() / noise**2 + 1 / 10**2
            mean = x[mine].sum() / noise**2 / precision
            means[k] = random.normal(mean, precision**-0.5)
        drawn[sweep] = means
    return drawn


by_turns = [
    gibbs(few, np.array([-1.0, 1.0]), NOISE, 2000, np.random.default_rng(c)) for c in (0, 1)
]
for name, on_grid, function in (("smaller", smaller, np.min), ("larger", larger, np.max)):
    values = np.array([function(drawn, axis=1) for drawn in by_turns])
    error = abs(values.mean() - (mass * on_grid).sum())
    agrees = error < 4 * diagnostics.standard_error(values)
    print(f"Posterior mean of the {name} mean: drawn assignments agree with the grid: {agrees}.")

# %% [markdown]
# So it is the same posterior, in other clothes. From here on assignments are summed out: there is
# less to draw, and what is left has a gradient. A ball can roll over means; over "short or long" it
# cannot.
#
# ## Metropolis
#
# ### Toolbox: Metropolis before Hamilton
#
# You stand `here` and want to be at every place in proportion to its height. Propose a place
# `there`; go with probability
#
# $$\min\Bigl(1,\ \frac{p(\text{there}) \, q(\text{here} \mid \text{there})}{p(\text{here}) \,
# q(\text{there} \mid \text{here})}\Bigr),$$
#
# where $q(b \mid a)$ is the probability of proposing $b$ from $a$. Otherwise stay, **and count the
# place where you stand once more**. Why it works: let $p$ be the right frequencies already. Then as
# many go from $a$ to $b$ as from $b$ to $a$: of the two products $p(a) \, q(b \mid a)$ and
# $p(b) \, q(a \mid b)$ the rule lets the smaller pass in either direction. That is **detailed
# balance**, and it leaves $p$ as it is. The total of $p$ cancels in the ratio; nobody has to know
# it.
#
# ### Exercise 4.2 The decision
#
# In logarithms, and with $u$ uniform on $(0, 1]$: going with probability $a$ is going if $u \le a$.


# %%
def metropolis_step(here, there, log_density, log_proposal, u):
    """The next position: `here` or `there`.

    log_density(position): in nats, up to a constant, −∞ where nothing may be. log_proposal(to,
    start): log density of proposing `to` from `start`; need not be symmetric. u: uniform on
    (0, 1], decides. Positions may be numbers or arrays (D,).
    """
    ### BEGIN SOLUTION
    ratio = log_density(there) - log_density(here)
    ratio += log_proposal(here, there) - log_proposal(there, here)
    return there if np.log(u) <= ratio else here
    ### END SOLUTION


# %%
metropolis_step = check.metropolis_step(metropolis_step)

# %% [markdown]
# Five places in a row, to be visited in proportion 1 : 2 : 3 : 4 : 5. The proposal is a neighbour;
# the two at the ends have one only, so they propose it with probability 1, and the others each of
# theirs with ½. Forget $q$, and the ends come out wrong.

# %%
wanted = np.arange(1, 6) / 15


def neighbours(place):
    return [n for n in (place - 1, place + 1) if 0 <= n < 5]


def log_neighbour(to, start):
    return -np.log(len(neighbours(start)))


random, place, visits = np.random.default_rng(0), 2, np.zeros(5)
for _ in range(20_000):
    there = int(random.choice(neighbours(place)))
    place = metropolis_step(
        place, there, lambda n: np.log(wanted[n]), log_neighbour, 1 - random.uniform()
    )
    visits[place] += 1
off = np.abs(visits / visits.sum() - wanted).max()
print(f"After 20,000 decisions all five frequencies are right to within .02: {off < 0.02}.")

# %% [markdown]
# Metropolis on one hill, with three sizes of proposal. Which one would you trust?

# %%
from latentsteps.inference.moves import draws as moves_of

figure, all_axes = plt.subplots(1, 3, figsize=(9, 2.4), layout="constrained", sharey=True)
for axes, size in zip(all_axes, (0.02, 0.3, 6.0), strict=True):
    one = metropolis(target, np.array([[0.7, -1.1]]), scale=size)
    axes.plot(moves_of(run(one, None, seed=1, steps=600))[0, :, 0], color=style.colour(0), lw=0.8)
    axes.set_title(f"size {size}")
    axes.set_xlabel("draw")
all_axes[0].set_ylabel("$m_1$")
plt.show()

print("The picture: the small size creeps, the large one stands still for long stretches, and the")
print("middle one fills a band.")

# %% [markdown]
# Small steps go nowhere, large ones are refused. In many dimensions it gets worse: nearly every
# direction leads down, and what is still accepted is a blind crawl. Could one *look where it goes
# up* before one jumps?
#
# ## Hamilton
#
# Turn the landscape upside down: $U(\theta) = -\log p(\theta)$ is a height, and valleys are where
# the mass is. Put a ball of mass 1 there and push it, with a momentum $p$ drawn from
# $\mathcal N(0, I)$. It rolls by
#
# $$\frac{d\theta}{dt} = p, \qquad \frac{dp}{dt} = -\nabla U(\theta) = \nabla \log p(\theta) ,$$
#
# and its energy $H = U(\theta) + \tfrac12 p^\top p$ stays what it was. So it may come to rest far
# away and yet, by Metropolis' rule for $\theta$ and $p$ together, *always* be accepted: the joint
# density is $e^{-H}$. That is **Hamiltonian Monte Carlo**.
#
# A computer rolls in steps, and the energy drifts a little; the decision at the end pays for that.
# For the decision to be right the steps must be *reversible* (turn the momentum round, and the ball
# comes back, so that $q$ cancels) and keep volumes. The **leapfrog** does both: half a kick, a
# move, half a kick,
#
# $$p \leftarrow p + \tfrac\varepsilon2 \nabla \log p(\theta), \qquad
# \theta \leftarrow \theta + \varepsilon p, \qquad
# p \leftarrow p + \tfrac\varepsilon2 \nabla \log p(\theta) ,$$
#
# each line with what the line before has left. Each changes one of the two by something that
# depends on the other only. That is why volumes stay: it is a shear.
#
# ### Exercise 4.3 The leapfrog


# %%
def leapfrog(position, momentum, gradient, step_size, steps):
    """Roll a ball of mass 1 for `steps` leapfrogs: (position, momentum) at the end, both (D,).

    gradient(position): of the log density, (D,). step_size: may be negative, which rolls back.
    """
    ### BEGIN SOLUTION
    momentum = momentum + 0.5 * step_size * gradient(position)
    for step in range(steps):
        position = position + step_size * momentum
        # Two half kicks in a row are a whole one; the last is a half.
        kick = 1.0 if step < steps - 1 else 0.5
        momentum = momentum + kick * step_size * gradient(position)
    return position, momentum
    ### END SOLUTION


# %%
leapfrog = check.leapfrog(leapfrog)

# %% [markdown]
# Three looks at it, on the banana: there and back; the energy's error as the step shrinks; and what
# is left of it with a common mistake, the kick taken whole.

# %%
bent = banana()
where, push = np.array([1.0, -0.5]), np.array([-0.7, 1.1])


def energy(position, momentum):
    return -bent.log_density(position) + 0.5 * momentum @ momentum


def whole_kicks(position, momentum, gradient, step_size, steps):
    for _ in range(steps):
        momentum = momentum + step_size * gradient(position)
        position = position + step_size * momentum
    return position, momentum


there, end = leapfrog(where, push, bent.gradient, 0.1, 20)
back, start = leapfrog(there, -end, bent.gradient, 0.1, 20)
returned = max(np.abs(back - where).max(), np.abs(start + push).max())
print(f"Turned round after 20 steps it comes back to within 1e-10: {returned < 1e-10}.")

sizes = 0.1 / 2 ** np.arange(6)
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
for i, (name, roll) in enumerate({"leapfrog": leapfrog, "whole kicks": whole_kicks}.items()):
    errors = [
        abs(energy(*roll(where, push, bent.gradient, size, round(1 / size))) - energy(where, push))
        for size in sizes
    ]
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    axes.loglog(sizes, errors, style.marker(i) + "-", color=style.colour(i), label=name)
    print(f"{name:<12} after a time of 1 the error goes with the step to the power {slope:.1f}.")
axes.set_xlabel("step size ε")
axes.set_ylabel("error of the energy, nats")
axes.legend(frameon=False)
plt.show()
print("The picture: two lines; the leapfrog's falls twice as steeply.")

# %% [markdown]
# ### Toolbox: Monte Carlo error
#
# An average of $S$ *independent* draws with standard deviation $\tau$ is off by about
# $\tau / \sqrt S$. Draws of a chain are no such thing: each is near the one before, or *is* the one
# before. But one can estimate how many independent draws would do as well, the **effective sample
# size**; ArviZ does. So there are two spreads, and they are often mixed up: that of the posterior,
# which more draws leave as it is, and the error of your average, which they shrink.
#
# ### Exercise 4.4 The Monte Carlo standard error


# %%
def standard_error(draws, effective):
    """Monte Carlo standard error of the mean of `draws`, (S,), of which `effective` count as
    independent: a float."""
    ### BEGIN SOLUTION
    return np.std(draws) / np.sqrt(effective)
    ### END SOLUTION


# %%
standard_error = check.standard_error(standard_error)

# %% [markdown]
# What is a roll worth, then? A normal distribution with 50 coordinates of very different spreads,
# at about the same price: 6,000 looks at the landscape (a look at the slope costs somewhat more
# than one at the height). That is 6,000 jumps of Metropolis at a good size, or 200 rolls of 30
# leapfrogs.

# %%
from latentsteps.inference.moves import Density

widths = np.linspace(0.2, 1.0, 50)
wide = Density(
    lambda z: -0.5 * ((z / widths) ** 2).sum(axis=-1), lambda z: -z / widths**2, "50 coordinates"
)
middle = np.zeros((1, 50))
jumps = moves_of(run(metropolis(wide, middle, scale=0.15), None, steps=6000))
rolls = moves_of(
    run(
        hamiltonian(wide, middle, step_size=0.12, leapfrogs=30, each_leapfrog=False),
        None,
        steps=200,
    )
)
worth = [diagnostics.effective_sample_size(one[:, :, -1]) for one in (jumps, rolls)]
print("Effective draws of the widest coordinate: Hamilton's are more than ten times those of")
print(f"Metropolis: {worth[1] > 10 * worth[0]}.")

# %% [markdown]
# ## Your functions play
#
# On *your* landscape, that of 4.1 with $\sigma$ fixed, with your decision and your leapfrog, beside
# the course's. (Your heights are taken once, on a grid; a smooth surface through them gives the
# slopes, so a wrong landscape has the wrong slopes that belong to it.) If the two pictures part
# company, look for the first state that differs.

# %%
from scipy.interpolate import RectBivariateSpline

surfaces = {}


def own_density(function):
    """A density of two means out of a function like yours: a surface through 41 × 41 heights."""
    if function not in surfaces:
        line = np.linspace(-4, 4, 41)
        heights = [[function(few, np.array([a, b]), np.log(NOISE)) for b in line] for a in line]
        surfaces[function] = RectBivariateSpline(line, line, np.array(heights, dtype=float))
    surface = surfaces[function]

    def height(places):
        return surface.ev(places[..., 0], places[..., 1])

    def slope(places):
        a, b = places[..., 0], places[..., 1]
        return np.stack([surface.ev(a, b, dx=1), surface.ev(a, b, dy=1)], axis=-1)

    return target._replace(log_density=height, gradient=slope, name="height by 4.1")


def lanes(method, size):
    """Two chains with your functions, and where you have written one, with the course's beside."""
    pieces = [check.log_posterior, check.metropolis_step, check.leapfrog]
    sets = {"reference": [piece.reference for piece in pieces]}
    if any(piece.answer is not None for piece in pieces):
        sets = {"yours": [yours(piece) for piece in pieces], **sets}
    begun = {}
    for name, (height, decide, roll) in sets.items():
        if method == "Metropolis":
            begun[name] = metropolis(own_density(height), HILLS[1][:2], scale=size, accept=decide)
        else:
            begun[name] = hamiltonian(
                own_density(height), HILLS[1][:2], step_size=size, leapfrogs=8, integrator=roll
            )
    return begun


Stepper(
    lanes,
    None,
    {"path": trajectories, "r-hat": agreement},
    controls={"method": ["Hamilton", "Metropolis"], "size": [0.2, 0.05, 0.4, 1.0]},
    filmstrip=(0, 9),
)

# %% [markdown]
# ## Have the chains arrived?
#
# A chain knows where it has been, not where it ought to be. So one runs several from different
# places and asks whether they tell the same story: compare the spread *between* chains with the
# spread *within* them. With chains cut in halves, so that one that is still drifting disagrees with
# itself, $M$ halves of $n$ draws, means $\bar\psi_j$ and variances $s_j^2$:
#
# $$B = \frac{n}{M - 1} \sum_j (\bar\psi_j - \bar\psi)^2, \quad W = \frac1M \sum_j s_j^2, \quad
# \hat R = \sqrt{\frac{\frac{n-1}{n} W + \frac1n B}{W}} .$$
#
# If all is well the two estimates under the root are of one variance, and $\hat R \approx 1$.
#
# ### Exercise 4.5 r-hat
#
# Variances with divisor one less than the number.


# %%
def r_hat(draws):
    """Split r-hat of one quantity: a float, near 1 where the chains agree.

    draws: (chains, S). Each chain is cut into halves; where S is odd the middle draw is left out.
    """
    ### BEGIN SOLUTION
    half = draws.shape[1] // 2
    halves = np.concatenate([draws[:, :half], draws[:, -half:]])
    between = half * np.var(halves.mean(axis=1), ddof=1)
    within = np.var(halves, axis=1, ddof=1).mean()
    return np.sqrt(((half - 1) / half * within + between / half) / within)
    ### END SOLUTION


# %%
r_hat = check.r_hat(r_hat)

# %% [markdown]
# Hamilton's four chains on the two hills, 400 moves each, judged by three numbers.

# %%
moves = moves_of(
    run(
        hamiltonian(*HILLS, step_size=0.2, leapfrogs=10, each_leapfrog=False),
        None,
        steps=400,
    )
)
judged = {
    "m₁, by its label": moves[..., 0],
    "the smaller of the two means": moves.min(axis=-1),
    "log density": target.log_density(moves),
}
figure, all_axes = plt.subplots(1, 3, figsize=(9, 2.4), layout="constrained")
for axes, (name, values) in zip(all_axes, judged.items(), strict=True):
    for chain in range(4):
        axes.plot(values[chain, ::4], style.marker(chain), color=style.colour(chain), ms=2.5)
    axes.set_title(name)
    axes.set_xlabel("every fourth draw")
plt.show()

print("The picture: by label two bands that no chain leaves; the other two mix in one band.")
for name, values in judged.items():
    value = r_hat(values)
    print(f"{name:<29} r-hat below 1.05: {value < 1.05!s:<6} above 1.5: {value > 1.5}")

# %% [markdown]
# Nothing is wrong with these chains but the names. Where components can change theirs, judge by
# what has no names in it: the log density, a sorted mean, the density at a point. And the other way
# round?
#
# ### Question 4.Q1 Every chain at 1.00
#
# r-hat is 1.00 for every quantity, over all chains. What may still be hidden?
#
# - **a** Nothing: chains that agree have found the posterior.
# - **b** A part of the posterior that none of the chains has visited.
# - **c** That each chain is in a place of its own.
# - **d** That all chains still drift, in the same direction.

# %%
r_hat_one = "b"  ### SOLUTION

# %%
r_hat_one = check.r_hat_one(r_hat_one)

# %%
same = moves[moves[:, -1, 0] < moves[:, -1, 1]]  # those that are on one hill
found, exact = same[..., 0].mean(), (mass * grid[..., 0]).sum()
print(f"Chains on one hill alone: r-hat of m₁ below 1.02: {r_hat(same[..., 0]) < 1.02}.")
print(f"Their average of m₁ is off from the posterior mean by more than .5: {exact - found > 0.5}.")

# %% [markdown]
# ## NUTS, and the whole mixture
#
# Hamilton leaves two things to you, how long a step is and how many there are, and in eleven
# dimensions nobody knows them. The **No-U-Turn Sampler** (Hoffman and Gelman 2014) finds both. It
# doubles the path, forwards or backwards at random, until its two ends begin to come nearer to each
# other, and draws the next point from all of it. During a **warm-up**, whose draws are thrown away,
# the step size is tuned until the mean probability of acceptance along a path is about .8, and the
# coordinates are stretched to one common width. A **divergence** is a path whose energy ran away:
# there is a place that the steps are too coarse for, and the posterior near it may be missing.
#
# ### The prior
#
# Weights, means, standard deviations and correlations, each with a prior that can be said aloud:
#
# $$\pi \sim \text{Dirichlet}(a, \dots, a), \quad m_k \sim \mathcal N(m_0, \text{diag}(S)^2), \quad
# \sigma_{kd} \sim \text{log-normal}, \quad \Omega_k \sim \text{LKJ}(\eta) .$$
#
# LKJ is a distribution over correlation matrices, with density proportional to
# $\lvert \Omega \rvert^{\eta - 1}$: flat for $\eta = 1$; above it round shapes are preferred.

# %%
from latentsteps.inference.nuts import all_draws, to_arviz
from latentsteps.models.bayesian_gmm import (
    bayesian_gaussian_mixture,
    label_free,
    log_predictive,
    mixtures,
    prior_draws,
    responsibilities,
    weak_prior,
)
from latentsteps.models.gaussian_mixture import GaussianMixture

prior = weak_prior(x)
for name, value in prior._asdict().items():
    shown = [style.number(v, 2) for v in value] if np.ndim(value) else value
    print(f"{name:<14} {', '.join(shown) if isinstance(shown, list) else shown}")

# %% [markdown]
# ### Toolbox: prior predictive checks
#
# Numbers in a prior are hard to judge; data that it makes are easy. So draw mixtures from the prior
# and eruptions from the mixtures, and look. Here are three worlds of the prior above, and three of
# one that many people would call "uninformative": means with standard deviation 100, and scales
# over six orders of magnitude.


# %%
def eruptions_from(mixture, n, random):
    """n points of one mixture, (n, 2)."""
    kinds = random.choice(len(mixture.weights), size=n, p=mixture.weights)
    return np.array(
        [random.multivariate_normal(mixture.means[k], mixture.covariances[k]) for k in kinds]
    )


vague = prior._replace(spread=np.array([100.0, 100.0]), scale_spread=2.3)
random = np.random.default_rng(3)
figure, all_axes = plt.subplots(2, 3, figsize=(9, 4.6), layout="constrained")
for row, (name, chosen) in zip(all_axes, {"weak": prior, "vague": vague}.items(), strict=True):
    worlds = mixtures(prior_draws(chosen, 2, 3, seed=3))  # three mixtures of two
    for axes, *one in zip(row, *worlds, strict=True):
        world = eruptions_from(GaussianMixture(*one), 40, random)
        axes.plot(*world.T, ".", ms=4)
        axes.plot(*x.T, "x", color=style.ALARM, ms=3, alpha=0.6)
        axes.set_title(f"{name} prior")
plt.show()
print("The picture: dots are 40 eruptions of a world, crosses the 40 that were seen. In the weak")
print("prior's worlds both are of one size; in the vague one's the crosses shrink to a speck.")

# %% [markdown]
# The vague prior expects waits of minus a day. That is not ignorance, it is a strong opinion about
# the wrong thing. The weak one has looked at the data's centre and range, and at nothing
# else.
#
# ## See it sample
#
# Two chains on your 40 eruptions. (The first step compiles, which takes some seconds; afterwards a
# step is quick.) An ellipse holds 95 % of its component; each chain has a line style, each
# component's mean a marker.
#
# - Step through the warm-up: what do leapfrogs and step sizes do, before and after state 50?
# - Play. Is there any state at which a chain *stops*, as EM does? What is left to look for?
# - **start** *uniform*, or *prior* (a draw from it): do the two chains give the same names to the
#   kinds? Does it matter?
# - **start** *a needle*: a component begins on eruptions with one and the same wait, $10^{-8}$
#   wide. What do the steps become? Compare the log density with that of *k-means*, under both
#   **scales**. You meet this again.

# %%
from latentsteps.views import bayesian_gmm as chains_view

waits, times = np.unique(seen[:, 1], return_counts=True)
on_tie = x[seen[:, 1] == waits[times.argmax()]]
flat = np.diag([on_tie[:, 0].var(), 1e-16])
NEEDLE = GaussianMixture(
    np.array([0.9, 0.1]),
    np.array([np.zeros(2), on_tie.mean(axis=0)]),
    np.array([np.cov(x.T, ddof=0), flat]),
)
STARTS = {"k-means": "k-means", "uniform": "uniform", "prior": "prior", "a needle": NEEDLE}


def live(start, scales):
    return bayesian_gaussian_mixture(
        2, weak_prior(x, scale_family=scales), start=start, chains=2, warmup=300
    )


print(f"{len(on_tie)} of the 40 have the same wait, {waits[times.argmax()]:.0f} minutes.")
Stepper(
    live,
    x,
    chains_view.with_labels(LENGTH, WAIT),
    controls={"start": STARTS, "scales": ["log-normal", "half-normal"]},
    filmstrip=(0, 8, 80),
)

# %% [markdown]
# ## What the posterior says
#
# Now in one go: 300 states of warm-up, and 1,000 draws of each of two chains, from starts that are
# drawn from the prior and far apart. This takes some seconds.


# %%
def sample(k, data=x, prior=prior, start="prior", seed=0, steps=1300, depth=(5, 10)):
    """A trace of two chains; the first 300 states are warm-up. A draw takes up to 2^depth − 1
    leapfrogs, in the warm-up and after it."""
    algorithm = bayesian_gaussian_mixture(
        k, prior, start=start, chains=2, warmup=300, max_tree_depth=depth
    )
    return run(algorithm, data, seed, steps=steps, progress=True)


def pooled(trace):
    """The draws of all chains in one row, by name: (S, ...)."""
    return {name: part.reshape(-1, *part.shape[2:]) for name, part in all_draws(trace).items()}


two = sample(2)
posterior = pooled(two)
free = label_free(two, x[:3])
after = [info for info in two.infos if not info.warmup]
print(f"Of 2 × 1000 draws, {len(free)} quantities without labels:")
print(f"  every r-hat below 1.05: {all(diagnostics.r_hat(v) < 1.05 for v in free.values())}")
least = min(diagnostics.effective_sample_size(v) for v in free.values())
print(f"  effective draws of each more than 100: {least > 100}")
few_wrong = sum(int(info.divergent.sum()) for info in after) < 20
print(f"Divergences after the warm-up in less than one draw of a hundred: {few_wrong}.")
groups = ", ".join(to_arviz(two).groups())
print(f"For ArviZ's plots and tables, to_arviz(two) is its InferenceData with: {groups}.")

# %% [markdown]
# The chains agree, as far as the diagnostics see. Then every question about the mixture is a
# question about 2,000 numbers: take it from each draw, and look at the histogram. "Short" is the
# component with the shorter eruptions in *that* draw, so names do not matter. EM's answer is the
# dashed line.

# %%
best = run(gaussian_mixture(2), x, steps=300, stop=relative(1e-9))[-1].parameters


def about(weights, means, covariances):
    """Share of short eruptions, wait after a short one and how much longer after a long one, in
    minutes, for mixtures with leading axes."""
    short = means[..., 0].argmin(axis=-1)[..., None]
    share = np.take_along_axis(weights, short, axis=-1)[..., 0]
    mean_waits = means[..., 1] * unit[1] + centre[1]
    after_short = np.take_along_axis(mean_waits, short, axis=-1)[..., 0]
    return share, after_short, mean_waits.sum(axis=-1) - 2 * after_short


NAMES = ("share of short eruptions", "mean wait after a short one", "after a long one: longer by")
answers = np.array(about(*mixtures(posterior)))
ends = np.quantile(answers, [0.05, 0.95], axis=1).T
figure, all_axes = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
for axes, name, values, ml, (low, high) in zip(
    all_axes, NAMES, answers, about(*best), ends, strict=True
):
    axes.hist(values, 30, color=style.tint(0, 0.4))
    axes.axvline(ml, color=style.colour(5), ls="--")
    axes.set_title(f"{low:.3g} to {high:.3g}", fontsize=9.5)
    axes.set_xlabel(name)
    axes.set_yticks([])
plt.show()

print("The picture: one heap a question; above it the middle 90 % of the draws, in minutes but for")
print("the share. EM's answers lie inside.")
inside = all(low < ml < high for ml, (low, high) in zip(about(*best), ends, strict=True))
print(f"EM inside all three: {inside}.")
errors = [
    standard_error(values, diagnostics.effective_sample_size(values.reshape(2, -1)))
    for values in answers
]
small = all(error < 0.1 * (high - low) for error, (low, high) in zip(errors, ends, strict=True))
print(f"Monte Carlo errors are below a tenth of these widths: {small}.")
print(f"Share: the interval is wider than .15: {ends[0, 1] - ends[0, 0] > 0.15}.")
low, high = np.quantile(answers[0], [0.01, 0.99])
held = low < np.mean(later[:, 0] < 3) < high
print(
    f"Of the {len(later)} in the drawer, the share below 3 minutes is in the middle 98 %: {held}."
)

# %% [markdown]
# That is half of an answer to "how sure": the share from forty eruptions is known to within some
# twelve percentage points either way, and no more. scikit-learn or unit 03 would have given you
# the dashed line.
#
# ## Names that switch
#
# Why all that care with "short in *that* draw"? Because in this posterior no component has a name.
#
# ### Question 4.Q2 Averages that coincide
#
# Somebody draws from the posterior for a long time, so that it has been everywhere, averages the
# mean of component 1 over all draws, and that of component 2, and gets the same number. Why?
#
# - **a** The two clusters lie in the same place.
# - **b** The prior pulls both means to its own centre.
# - **c** Components can be renamed, so each name has the average of all of them.
# - **d** There were too few draws.

# %%
averages = "c"  ### SOLUTION

# %%
averages = check.averages(averages)

# %%
first, second = (grid * mass[..., None]).sum(axis=(0, 1))
both = " and ".join(style.number(mean, 2) for mean in (first, second))
print(f"Two hills, by the grid: the averages of m₁ and m₂ are {both};")
below = target.log_density(grid).max() - target.log_density([first, second])
print(f"the density there is {below:.0f} nats below the summits'.")

# %% [markdown]
# An average of *parameters* over draws need not be anywhere near the posterior. What may be
# averaged is what keeps its meaning when names are exchanged. Two such things follow: who belongs
# together, and what comes next.
#
# ### Exercise 4.6 Together
#
# In one draw, two eruptions share a component with probability $\sum_k r_{ik} r_{jk}$, *given*
# the mixture. Averaged over draws:


# %%
def together(r):
    """Posterior probability that two points share a component: (N, N), symmetric, diagonal 1.

    r: (S, N, K), responsibilities in each of S draws; components may change names between draws. A
    point is together with itself for certain.
    """
    ### BEGIN SOLUTION
    pairs = np.einsum("sik,sjk->ij", r, r) / len(r)
    np.fill_diagonal(pairs, 1.0)
    return pairs
    ### END SOLUTION


# %%
together = check.together(together)

# %% [markdown]
# Two components, and four. With four it takes some ten seconds.

# %%
four = sample(4, start="k-means", steps=600)
by_length = x[:, 0].argsort()
tables = {}
for k, trace in {2: two, 4: four}.items():
    r = responsibilities(x[by_length], pooled(trace))
    tables[f"K = {k}: together"] = together(r)
tables["K = 4, from averaged shares"] = together(r.mean(axis=0, keepdims=True))

figure, all_axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for axes, (title, table) in zip(all_axes, tables.items(), strict=True):
    image = axes.imshow(table, vmin=0, vmax=1, cmap="cividis")
    axes.set_title(title)
    axes.set_xlabel("eruption, from short to long")
figure.colorbar(image, ax=all_axes)
plt.show()

print("The picture: with two components two bright squares, and hardly a doubt. With four the same")
print("two squares, less bright: each kind is shared by several components, and never by the same.")
print("From averaged responsibilities the squares fade: that average mixes names.")
random = np.random.default_rng(0)
renamed = np.array([random.permutation(one.T).T for one in r])
same_table = np.allclose(together(renamed), tables["K = 4: together"])
print(f"With names exchanged at random in every draw, the same table: {same_table}.")


def fewest(trace):
    """The smallest effective sample size of the label-free quantities, a draw."""
    values = label_free(trace, x[:3]).values()
    return min(diagnostics.effective_sample_size(v) / v.size for v in values)


print(f"With four a draw is worth less than one with two: {fewest(four) < fewest(two)}.")

# %% [markdown]
# With four the chains are slow: a few dozen effective draws, and now and then a divergence. Good
# enough for a picture and two digits of an average; not for a third.

# %% [markdown]
# ## What comes next
#
# The density of a new eruption, given those that were seen, is an average as well:
#
# $$p(x^* \mid x) = \int p(x^* \mid \theta) \, p(\theta \mid x) \, d\theta
#   \approx \frac1S \sum_s p(x^* \mid \theta^{(s)}) .$$
#
# Densities are averaged, neither their logarithms nor parameters.
#
# ### Exercise 4.7 The predictive density


# %%
def predictive(grid, weights, means, scales):
    """Log predictive density at the points of a grid: (G,), in nats.

    grid: (G,). weights, means, scales: (S, K), a mixture on a line in each of S draws. Points may
    be far out.
    """
    ### BEGIN SOLUTION
    log_p = norm.logpdf(grid[:, None, None], means, scales) + np.log(weights)  # (G, S, K)
    return logsumexp(log_p, axis=(1, 2)) - np.log(len(weights))
    ### END SOLUTION


# %%
predictive = check.predictive(predictive)

# %% [markdown]
# Now the question of the beginning. Every draw is cut at 3 minutes. Its weights there are $\pi_k
# \mathcal N(3 \mid \cdot)$: a draw in which such an eruption is rare has less to say. Divided by
# the sum over everything, it is the density of the wait, given 3 minutes and 40 eruptions.

# %%
left, mean, sd = cut(*mixtures(posterior))
given = left / left.sum(axis=1).mean()
in_units = (minutes - centre[1]) / unit[1]
answer = np.exp(predictive(in_units, given, mean, sd)) / unit[1]
each = [
    (w / w.sum() * norm.pdf(in_units[:, None], m, s)).sum(axis=1) / unit[1]
    for w, m, s in zip(left[::100], mean[::100], sd[::100], strict=True)
]
plug_in = density_of_wait(*best)

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(minutes, np.transpose(each), color=style.tint(0, 0.45), lw=0.8)
axes.plot(minutes, answer, color=style.colour(0), lw=2.4, label="averaged over the posterior")
axes.plot(minutes, plug_in, "--", color=style.colour(5), label="EM's mixture alone")
axes.set_xlabel("wait after an eruption of 3 minutes (minutes)")
axes.set_ylabel("density a minute")
axes.legend(frameon=False)
plt.show()

print("The picture: faint curves, one for every hundredth draw, as different as those of the first")
print("picture; the thick average is broad, and EM's dashed curve is one among the faint ones.")
total = np.trapezoid(answer, minutes)
print(f"The average integrates to 1 over these waits, to within .02: {abs(total - 1) < 0.02}.")


def middle(density):
    """Ends of the middle 90 % of a density on the grid of minutes."""
    share = np.cumsum(density) / density.sum()
    return np.interp([0.05, 0.95], share, minutes)


wider = np.diff(middle(answer))[0] - np.diff(middle(plug_in))[0]
print(f"Its middle 90 % are wider than EM's by at least 2 minutes: {wider > 2}.")

# %% [markdown]
# Twenty other forties gave the curves of the first picture; your one forty, by its posterior, gives
# a similar spread, without having seen the others.
#
# ## How many kinds?
#
# Unit 03 chose $K$ by BIC, or by points held out. Here $K$ components with a prior can be averaged,
# and the drawer can be opened. Below, for each $K$, the mean log density of the 232 eruptions in
# it: EM's best of several starts by unit 03's guard, and the average over the posterior. This
# samples one more model: some ten seconds.

# %%
from latentsteps.evaluation.selection import smallest_spread
from latentsteps.models.gaussian_mixture import log_likelihood as em_log_likelihood

KS = (1, 2, 4)
traces = {1: sample(1, steps=700), 2: two, 4: four}
by_average = [log_predictive(y, pooled(traces[k])).mean() for k in KS]
by_em = []
for k in KS:
    fits = [
        run(gaussian_mixture(k, start=kind), x, seed, steps=500, stop=relative(1e-9))
        for kind in ("k-means", "random points")
        for seed in range(3)
    ]
    good = [one for one in fits if smallest_spread(one[-1].parameters, x) > 1e-3]
    winner = max(good, key=lambda one: one.objective[-1])[-1].parameters
    by_em.append(em_log_likelihood(y, winner) / len(y))
thin = smallest_spread(winner, x)  # of K = 4

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
for i, (name, values) in enumerate({"EM's best": by_em, "posterior": by_average}.items()):
    axes.plot(KS, values, style.marker(i) + "-", color=style.colour(i), label=name)
axes.set_xticks(KS)
axes.set_xlabel("K")
axes.set_ylabel("nats an eruption, in the drawer")
axes.legend(frameon=False)
plt.show()

print(
    "The picture: both curves are low at K = 1. From K = 2 to 4 EM's falls, and the posterior's is"
)
print("nearly level.")
print(f"Posterior: K = 2 gains more than .3 on K = 1: {by_average[1] - by_average[0] > 0.3};")
print(f"from K = 2 to 4 it loses less than .05: {by_average[1] - by_average[2] < 0.05}.")
ahead = [0 < by_em[i] - by_average[i] < 0.1 for i in (0, 1)]
print(f"EM loses more than .1 there: {by_em[1] - by_em[2] > 0.1}.")
print(f"At K = 1 and at K = 2 it is ahead of the posterior, by less than .1: {all(ahead)}.")
print(f"EM's four have a smallest spread below .003; the guard begins at .001: {thin < 3e-3}.")

# %% [markdown]
# A component too many costs the best fit dear: it learns a few eruptions by heart. (The guard keeps
# needles out; one of these four is nearly one, and passes.) The posterior spreads it over all
# places where it might be, and the average forgives. So it says "not one", and has no strong
# opinion on two or four. Nor need it have: the predictions hardly differ. It is no magic either:
# with the right $K$ the best fit predicts as well. Here it is a little better, at $K = 1$ too: the
# prior expects components about a twelfth of the range wide. (Models that let $K$ grow with the
# data: unit 06.)
#
# ### Posterior predictive checks
#
# Better than another may still be bad. So let the posterior make data, forty eruptions a draw, and
# compare in some respect that matters to you. Here: how many waits lie between 60 and 70 minutes,
# the gap.


# %%
def in_gap(points):
    return np.sum(np.abs(points[:, 1] * unit[1] + centre[1] - 65) < 5)


figure, all_axes = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained", sharey=True)
for axes, k in zip(all_axes, (1, 2), strict=True):
    random, drawn = np.random.default_rng(0), mixtures(pooled(traces[k]))
    counts = np.array(
        [
            in_gap(eruptions_from(GaussianMixture(*(part[s] for part in drawn)), 40, random))
            for s in range(0, 800, 2)
        ]
    )
    axes.hist(counts, np.arange(25) - 0.5, color=style.tint(0, 0.4))
    axes.axvline(in_gap(x), color=style.ALARM, ls="--")
    axes.set_title(f"K = {k}")
    axes.set_xlabel("waits of 60 to 70 minutes among 40")
    tail = np.mean(counts <= in_gap(x))
    print(f"K = {k}: so few in less than 5 % of what the posterior makes: {tail < 0.05}.")
plt.show()
print(
    f"The picture: with K = 1 nearly all heaps lie above the dashed line, the {in_gap(x)} that were"
)
print("seen; with K = 2 the line is inside.")

# %% [markdown]
# ## Two equal rows
#
# The prior for the scales was log-normal. Many people take half-normal or half-Cauchy, which are
# positive at $\sigma = 0$. Is there anything wrong with that?
#
# ### Question 4.Q3 A tie
#
# A mixture of two or more components; two of the points are equal. Each component has a $\sigma$ of
# its own, with a half-normal prior. What is the posterior's mass?
#
# - **a** Infinite: there is no posterior, whatever the sampler shows.
# - **b** One, as always: the prior is proper, so the posterior is.
# - **c** One: the spike on the two is high, but too narrow to count.
# - **d** It must be finite, or the chains would fall into the spike.

# %%
ties = "a"  ### SOLUTION

# %%
ties = check.ties(ties)

# %% [markdown]
# Let one component stand on $t$ equal values, with $\sigma \to 0$, and let the other ones look
# after the rest. The $t$ points contribute $\sigma^{-t}$; the mean has to be within about $\sigma$
# of them, which gives one $\sigma$ back. So near zero
#
# $$\text{mass} \approx \text{const} \cdot \int_0 \sigma^{-(t-1)} p(\sigma) \, d\sigma ,$$
#
# and for $p(0) > 0$ that is infinite from $t = 2$ on. Old Faithful has many ties: waits are whole
# minutes, and some eruptions are the same in both columns.

# %%
rows, repeats = np.unique(geyser, axis=0, return_counts=True)
tied_waits = np.unique(geyser[:, 1], return_counts=True)[1]
print(f"{np.sum(repeats > 1)} pairs of equal rows; one wait occurs {tied_waits.max()} times.")


def most_on_a_line(points):
    """The largest number of rows on one slanting line; lengths are in thousandths of a minute."""
    whole, most = np.round(points * [1000, 1]).astype(int), 1
    for row in whole:
        gap = whole - row
        slanting = gap[(gap != 0).all(axis=1)]
        lowest = slanting // (np.gcd(*slanting.T) * np.sign(slanting[:, 0]))[:, None]
        same = (gap == 0).all(axis=1).sum()
        most = max(most, same + np.unique(lowest, axis=0, return_counts=True)[1].max())
    return most


lines = most_on_a_line(seen), most_on_a_line(geyser)
print(f"On one slanting line: {lines[0]} rows of your 40, {lines[1]} of all 272.")

from scipy.stats import gamma, halfcauchy, halfnorm

log_scales = np.linspace(np.log(1e-12), np.log(30), 6001)
PRIORS = {
    "half-normal": halfnorm.logpdf,
    "half-Cauchy": halfcauchy.logpdf,
    "gamma (2)": lambda s: gamma.logpdf(s, 2, scale=0.5),
}
CUTS = (1e-2, 1e-4, 1e-6, 1e-8, 1e-12)


def table(priors, tied):
    """log ∫ σ^−(tied−1) p(σ) dσ from each cut on, by a grid of log σ (dσ = σ d log σ); and the σ
    that has most of it, in seconds of waiting."""
    print(f"{tied:>2} equal values: log mass from σ =" + "".join(f"{c:>8g}" for c in CUTS), end="")
    print("      most at")
    for name, log_p in priors.items():
        heights = log_p(np.exp(log_scales)) - (tied - 2) * log_scales
        width = np.log(log_scales[1] - log_scales[0])
        parts = [logsumexp(heights[log_scales >= np.log(c) - 1e-9]) + width for c in CUTS]
        top = 60 * geyser[:, 1].std() * np.exp(log_scales[heights.argmax()])
        where = "0" if heights.argmax() == 0 else f"{style.number(top)} s"
        print(f"  {name:<29}" + "".join(f"{style.number(v):>8}" for v in parts) + f"{where:>13}")


for tied in (2, 6, 15):
    table(PRIORS, tied)

# %% [markdown]
# Where a row goes on rising to the right, there is no posterior, and a sampler has nothing to draw
# from. Its chains often look well all the same: they rarely hit a spike so narrow. A chain that is
# put on one (*a needle* in the stepper above) neither falls nor leaves. Its steps become as small
# as the needle is, and a thousand of them lead nowhere, under either prior. A sampler does not
# weigh hills against each other if it cannot walk from one to the other: that the mass there is
# infinite you have to work out.
#
# The gamma density vanishes at 0, like $\sigma$. That is enough against two; from three on it is as
# bad as the others.
#
# ### Exercise 4.8 A prior for scales
#
# Write one that no tie can break.


# %%
def log_prior(scale):
    """Log density of your prior for a standard deviation, in nats, at scale > 0: same shape.

    scale: positive, a float or an array. Normalised over (0, ∞), positive everywhere, and at least
    half of its mass is between .01 and 100. For every m up to 10 the integral of σ^−m p(σ) down to
    0 is finite.
    """
    ### BEGIN SOLUTION
    # σ² inverse gamma (2, .05); dσ²/dσ = 2σ. In σ it falls like exp(−.05/σ²) towards 0.
    return 2 * np.log(0.05) - 6 * np.log(scale) - 0.05 / scale**2 + np.log(2 * scale)
    ### END SOLUTION


# %%
log_prior = check.log_prior(log_prior)

# %%
from scipy.stats import lognorm

CURES = {
    "half-normal": PRIORS["half-normal"],
    "log-normal, sd of log σ .8": lambda s: lognorm.logpdf(s, 0.8, scale=0.5),
    "log-normal, .5": lambda s: lognorm.logpdf(s, 0.5, scale=0.5),
    "yours": log_prior,
}
for tied in (2, 6, 15):
    table(CURES, tied)

# %% [markdown]
# Look at the wide log-normal with fifteen ties. It is finite, so there *is* a posterior; but most
# of that needle's mass is at a spread of a twentieth of a *second*. Proper is not yet sensible.
# Waits are rounded to minutes, so nobody can know of spreads below half a minute, and a prior that
# says so is no trick: it is knowledge. (Or say it in the likelihood: a wait noted as 78 is the
# *mass* between 77½ and 78½, not a density. Then no prior has to help.)
#
# Correlations do the same as scales: $m$ rows on a slanting line make a needle with
# $\lvert \rho \rvert \to 1$, and an LKJ prior holds against it only if $\eta > (m-2)/2$. Among your
# 40 there are never more than three on a line, and $\eta = 2$ is enough. All 272 have eight on one
# line: there $\eta$ must be above 3, whatever the prior for scales.
#
# A *floor*, $\sigma > 10^{-6}$ say, does not do it: it makes the mass finite, and leaves nearly all
# of it at the floor.
#
# ## A recipe, mended
#
# The manual of a package fits this model to simulated data. In our words:
#
# > Make 500 points in 8 round blobs. Fit a mixture with $K = 4$. Weights from Dirichlet(.5), means
# > from normals *around the centres that k-means finds*, with variance .1; scales half-Cauchy(1);
# > correlations LKJ(2). Optimise the parameters by MCMC. Plot the parameters, averaged over
# > the draws.
#
# (Its code takes $K = 8$ and LKJ(1).) You know by now what half-Cauchy scales may do, and what an
# average of parameters is worth. The centres remain.
#
# ### Question 4.Q4 A prior from k-means
#
# For the sake of accuracy, the prior of each mean is placed at a k-means centre of the same data,
# with a standard deviation of .316. What is wrong with that?
#
# - **a** Nothing: it is a good idea, it makes sampling faster.
# - **b** k-means is random, so the results cannot be reproduced.
# - **c** k-means may end in a poor place, so the prior may be a bad guess.
# - **d** The data are used twice, and everything that k-means did not find is ruled out.

# %%
prior_or_start = "d"  ### SOLUTION

# %%
prior_or_start = check.prior_or_start(prior_or_start)

# %% [markdown]
# In a picture: 15 points in *three* clumps and two means, so that there are several explanations.
# Left the posterior, with the weak prior; right the same with the recipe's.

# %%
clumps = np.add.outer([-1.5, 0.0, 1.6], [-0.2, -0.1, 0.0, 0.1, 0.2]).ravel()
three = two_means(clumps, noise=0.4)
plain = three.log_density(grid)
from latentsteps.models.kmeans import kmeans

centres = run(kmeans(2), clumps[:, None], seed=1, steps=50)[-1].parameters.means[:, 0]
tight = plain + norm.logpdf(grid, centres, 0.1**0.5).sum(axis=-1)

figure, all_axes = plt.subplots(1, 2, figsize=(7.5, 3.4), layout="constrained", sharey=True)
for axes, height, title in ((all_axes[0], plain, "weak prior"), (all_axes[1], tight, "k-means")):
    levels = height.max() + np.array([-8, -6, -4.5, -3, -2, -1, -0.3, 1e-9])
    axes.contourf(side, side, height.T, levels, cmap="Blues")
    axes.plot(*centres, "X", color=style.ALARM, ms=8)
    axes.set_title(title)
    axes.set_xlabel("$m_1$")
all_axes[0].set_ylabel("$m_2$")
plt.show()

spread, hills = [], []
for height in (plain, tight):
    inner = height[1:-1, 1:-1]  # a summit is higher than its four neighbours, and not far below
    around = [height[2:, 1:-1], height[:-2, 1:-1], height[1:-1, 2:], height[1:-1, :-2]]
    hills.append(np.sum((inner > np.max(around, axis=0)) & (inner > height.max() - 5)))
    weight = np.exp(height - logsumexp(height))
    larger_mean = (weight * larger).sum()
    spread.append(np.sqrt((weight * (larger - larger_mean) ** 2).sum()))
print(
    "The picture, in log density: left four hills, two explanations and their mirrors; right one,"
)
print("around the cross, which is where k-means happened to end.")
print(f"Hills, by the grid: {hills[0]} and {hills[1]}.")
print(f"Posterior sd of the larger mean: {spread[0]:.2f} and {spread[1]:.2f}.")

# %% [markdown]
# As a *start* k-means does none of this: a start is forgotten, a prior is not. So here is the
# recipe mended, with a weak prior, log-normal scales and a k-means start; beside it two runs of the
# same model from starts that are drawn from the prior. About fifteen seconds.

# %%
from sklearn.metrics import adjusted_rand_score

from latentsteps.evaluation.consensus import partition, similarity
from latentsteps.simulated import blobs

data = blobs()
mended = sample(8, data.x, None, "k-means", steps=700, depth=(5, 8))
strayed = [sample(8, data.x, None, "prior", seed, steps=400, depth=(5, 8)) for seed in (1, 2)]


def clusters(trace, chain):
    """How many clusters a chain's draws agree on, every fourth of them, and their ARI with the
    truth: points that are together in most draws are joined."""
    position = {name: part[chain, ::4] for name, part in all_draws(trace).items()}
    labels = partition(similarity(responsibilities(data.x, position)))
    return labels.max() + 1, adjusted_rand_score(data.labels, labels)


figure, all_axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained", sharey=True)
panels = zip(
    all_axes, ("k-means", "from the prior", "from the prior"), [mended, *strayed], strict=True
)
for axes, name, trace in panels:
    axes.plot(*data.x.T, ".", color="#B0B0B0", ms=2)
    chains_view.draw_chains(axes, trace[-1])
    scores = [f"{clusters(trace, chain)[1]:.2f}" for chain in (0, 1)]
    axes.set_title(f"{name}: ARI {' and '.join(scores)}", fontsize=9.5)
    axes.set_xlim(-16, 16)
    axes.set_ylim(-13, 15)
plt.show()
print(
    "The picture: the last draw of two chains each. From k-means an ellipse a blob, in both. From"
)
print(
    "the prior's starts, where an ARI is below .9, one ellipse lies over two blobs, and another is"
)
print("left over: it shares a third blob, or it has no points.")
free = label_free(mended, data.x[:3])
worst = max(diagnostics.r_hat(values) for values in free.values())
print(f"From k-means: every label-free r-hat below 1.05: {worst < 1.05}.")
diverged = sum(int(info.divergent.sum()) for info in mended.infos if not info.warmup)
print(f"Divergences in less than one draw of a hundred: {diverged < 8}.")
for chain in (0, 1):
    count, score = clusters(mended, chain)
    print(f"  chain {chain + 1}: {count} clusters; ARI at least .95: {score >= 0.95}")

# %% [markdown]
# From k-means the eight blobs are found. A chain that begins anywhere may lay one component over
# two blobs, and NUTS, which rolls and does not jump, then needs luck or a lifetime to get away: a
# component has to give up its points, roam the prior, and come upon the right place. Where two
# chains are stuck differently, r-hat is large. If both are stuck alike, question 4.Q1 is about you.
#
# And its plot? Only chains that never switch names can be averaged as they are. Exchange names at
# random from draw to draw, which the posterior cannot notice, and average again:

# %%
drawn = pooled(mended)
random = np.random.default_rng(0)
shuffled = np.array([random.permutation(means) for means in drawn["means"]])
figure, all_axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained", sharey=True)
side_x, side_y = (np.linspace(column.min() - 2, column.max() + 2, 60) for column in data.x.T)
square = np.stack(np.meshgrid(side_x, side_y), axis=-1)
few_draws = {name: value[::20] for name, value in drawn.items()}
density = log_predictive(square.reshape(-1, 2), few_draws).reshape(60, 60)
for axes in all_axes:
    axes.plot(*data.x.T, ".", color="#B0B0B0", ms=2)
all_axes[0].plot(*drawn["means"].mean(axis=0).T, "X", color=style.ALARM, ms=8, mec="black")
all_axes[0].set_title("averaged as drawn")
all_axes[1].plot(*shuffled.mean(axis=0).T, "X", color=style.ALARM, ms=8, mec="black")
all_axes[1].set_title("names exchanged")
all_axes[2].contour(
    side_x, side_y, density, np.arange(-9, -2), colors=style.colour(0), linestyles="-"
)
all_axes[2].set_title("averaged density")
plt.show()
print("The picture: eight crosses that miss the blobs, unless both chains happen to use the same")
print("names; eight in a heap in the middle; and the density, which does not care about names.")

# %% [markdown]
# ## For the record
#
# <details><summary>What the recipe gets wrong, all in one place</summary>
#
# - The text says $K = 4$, the code 8; LKJ(2) in the formulas, LKJ(1) in the code.
# - The formulas give $\sigma_k$ as a vector, then call it a matrix.
# - Dirichlet(1, ..., 1) is said to believe in equally likely clusters. On average it does, like the
#   code's Dirichlet(.5); a single draw of either is uneven, and of the second more so.
# - k-means gives the prior, with sd .316, and not the start: data used twice, other modes hidden.
# - Half-Cauchy scales: on these blobs harmless, on tied data no posterior at all.
# - MCMC optimises nothing. It draws.
# - No chain is compared with another: no r-hat, no effective sample size, no look at divergences.
# - The plot averages parameters over draws.
# - The formulas hold the assignments, the code has summed them out, and nothing says that the two
#   are one posterior.
# - As printed, all components of the code share one correlation matrix. In its version for another
#   language each has its own.
#
# </details>
#
# ## What goes wrong, and how to see it
#
# | what you see | what it is | what to do |
# |---|---|---|
# | r-hat large by label, 1 label-free | names differ between chains | report what has none |
# | label-free r-hat above 1.05 | chains in different places, or short | look where each is |
# | everything at 1.00, and wrong | all chains in one place | starts far apart |
# | effective draws: a handful | a crawl | other coordinates, longer paths, more draws |
# | divergences | a place too narrow for the steps | look *where*; a better prior |
# | leapfrogs at the limit, tiny steps | a needle, or uneven coordinates | ties? prior of scales |
# | component means all equal | averaged over names | average densities, pairs, sorted numbers |
# | the posterior looks too sure | data used twice | k-means belongs into the start |
# | fitted well, predicts badly | one $\theta$ for all | average densities over draws |
#
# ## Summary
#
# - A posterior is a landscape with names that can be exchanged. Draws from it answer every question
#   by an average, and need only its height, up to a constant.
# - Metropolis decides, and a refusal counts. Hamilton rolls, by leapfrogs that can be undone; NUTS
#   chooses how far.
# - r-hat compares chains with each other. It cannot compare them with a place none has seen.
# - Average densities and pairs, never parameters or responsibilities.
# - The posterior of forty eruptions is broad, and its prediction says so; a component too many
#   costs it little.
# - A proper prior can make an improper posterior: two equal rows are enough.
#
# In unit 05 a network's outputs are a mixture's parameters. There are too many weights to wander
# through, so one climbs again, with a bound.
#
# ## Sources
#
# - Metropolis, Rosenbluth, Rosenbluth, Teller and Teller (1953), "Equation of state calculations by
#   fast computing machines", *The Journal of Chemical Physics* 21, 1087–1092; Hastings (1970),
#   "Monte Carlo sampling methods using Markov chains and their applications", *Biometrika* 57,
#   97–109.
# - Duane, Kennedy, Pendleton and Roweth (1987), "Hybrid Monte Carlo", *Physics Letters B* 195,
#   216–222; Neal (2011), "MCMC using Hamiltonian dynamics", *Handbook of Markov Chain Monte Carlo*,
#   chapter 5.
# - Hoffman and Gelman (2014), "The No-U-Turn Sampler", *Journal of Machine Learning Research* 15,
#   1593–1623.
# - Gelman, Carlin, Stern, Dunson, Vehtari and Rubin (2013), *Bayesian Data Analysis*, third
#   edition, section 11.4 (r-hat) and chapters 6, 12 and 22; Vehtari, Gelman, Simpson, Carpenter and
#   Bürkner (2021), "Rank-normalization, folding, and localization: an improved R-hat", *Bayesian
#   Analysis* 16, 667–718, which the library computes, by ArviZ.
# - Diebolt and Robert (1994), "Estimation of finite mixture distributions through Bayesian
#   sampling", *Journal of the Royal Statistical Society B* 56, 363–375: Gibbs.
# - Stephens (2000), "Dealing with label switching in mixture models", *Journal of the Royal
#   Statistical Society B* 62, 795–809; Jasra, Holmes and Stephens (2005), "Markov chain Monte Carlo
#   methods and the label switching problem in Bayesian mixture modeling", *Statistical Science* 20,
#   50–67.
# - Lewandowski, Kurowicka and Joe (2009), "Generating random correlation matrices based on vines
#   and extended onion method", *Journal of Multivariate Analysis* 100, 1989–2001: LKJ.
# - Phan, Pradhan and Jankowiak (2019), "Composable effects for flexible and accelerated
#   probabilistic programming in NumPyro", arXiv:1912.11554: the sampler used here.
# - Bishop (2006), *Pattern Recognition and Machine Learning*, chapter 11; Murphy (2023),
#   *Probabilistic Machine Learning: Advanced Topics*, chapter 12.
# - Azzalini and Bowman (1990), "A look at some data on the Old Faithful geyser", *Applied
#   Statistics* 39, 357–365; Härdle (1991), *Smoothing Techniques with Implementation in S*: the
#   geyser.
