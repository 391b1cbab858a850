# %% [markdown]
# # 06 · BNNC: how many clusters, and a network that asks too much
#
# A recorder hung in a wood for a night and has 500 calls on it, each reduced to two numbers. How
# many kinds of bird were there? The page of a package's manual has an answer for you: a mixture
# with a neural network inside, BNNC, which finds the number by itself. On its own example it does.
# Here you build it, find out which of its parts found the number, what the network really did, and
# mend it in four ways.
#
# **Time:** about 5 hours.
#
# **What to know before:** unit 02's bound, unit 03's choice of $K$, unit 04's chains and r-hat.
# Unit 05 helps: its network for three classes is the gate of this one.
#
# **Afterwards you can**
#
# - write two priors that leave components empty, and say how many each expects to be used;
# - choose coordinates in which NUTS can sample such a prior, and notice when it cannot;
# - find clusters in draws that agree on no names, and say where new points belong;
# - tell a density from something that does not integrate to one, by computing the integral;
# - compare methods on data where they differ, and doubt a table where they do not.
#
# ### Notation
#
# | what | here | in code | Murphy | recipe |
# |---|---|---|---|---|
# | share of component $k$ of $K$ | $\pi_k$ | `log_weights`, (K,) | $\pi_k$ | `global_pi` |
# | piece of what is left of the stick | $v_k$ | `log_odds`, (K − 1,) | $\beta_k$ | |
# | concentration of a DP | $\alpha$ | `alpha` | $\alpha$ | |
# | count of a Dirichlet, for each share | $a$ | `concentration` | $\alpha$ | $\alpha / K$ |
# | means, standard deviations | $m_k, \sigma_k$ | `means`, `scales`, (K, D) | $\mu_k$ | same |
# | network, first layer | $W_1$ | `hidden_weights`, (D, H) | | $W_1$ |
# | network, second layer | $W_2$ | `output_weights`, (H, K) | $V$ | $W_2$ |
# | the gate | $\theta_k(x)$ | `log_gate`, (N, K) | $\mathcal S(V^\top x)_k$ | $\theta_{ik}$ |
# | its integral | $Z$ | `normaliser` | | |
# | probability of sharing a component | $s_{ij}$ | `similarity`, (N, N) | | $1 - {}$distance |
#
# Murphy (2012), *Machine Learning: A Probabilistic Perspective*, sections 11.2.4 and 25.2, is also
# the recipe's own reference. Logarithms are natural: nats.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import gammaln, logsumexp

from latentsteps.checks import bnnc as check
from latentsteps.simulated import blobs
from latentsteps.views import style

plt.style.use(style.RC)
calls = blobs(4)  # made up, so that the answer is known
x = calls.x
print(f"{len(x)} calls, two numbers each.")

# %% [markdown]
# ## The question
#
# You see at once how many kinds there are. Does a mixture? Give unit 03's EM eleven components and
# these calls, and look at how many it uses.

# %%
from latentsteps.models.gaussian_mixture import gaussian_mixture
from latentsteps.trace import relative, run

eleven = run(gaussian_mixture(11, start="k-means"), x, steps=500, stop=relative(1e-8))[-1]
used = np.sum(eleven.parameters.weights > 0.005)

figure, axes = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
axes.plot(*x.T, ".", color="#B0B0B0", ms=3)
weights, means, *_ = eleven.parameters
for k in np.argsort(-weights):  # small ones on top
    weight, mean = weights[k], means[k]
    look = {"color": style.colour(k), "ms": 4 + 20 * weight, "mec": "black", "alpha": 0.7}
    axes.plot(*mean, style.marker(k), **look)
axes.set_xlabel("first number")
axes.set_ylabel("second number")
plt.show()
print("The picture: four clouds far apart, and on them eleven markers, two to four to a cloud; the")
print("larger the weightier.")
print(f"Components with more than half a percent of the calls: {used} of 11.")

# %% [markdown]
# EM uses what it is given: one component more can only raise the likelihood. Unit 03 fitted every
# $K$ in turn and let BIC decide. Can one model find the number while it is being fitted?
#
# Yes, if its prior for the shares $\pi$ expects most of them to be nearly nothing. There are two
# such priors in use, and the recipe's is the second.
#
# ## Breaking a stick
#
# Take a stick of length 1. Break off a share $v_1$; that is $\pi_1$. From what is left break off a
# share $v_2$; that is $\pi_2$. Go on:
#
# $$\pi_k = v_k \prod_{j < k} (1 - v_j), \qquad v_j \sim \text{Beta}(1, \alpha) .$$
#
# The pieces get smaller, by a factor $\alpha / (1 + \alpha)$ on average, and never end. Each is the
# share of a component, and each component's mean and scales are drawn from one common prior. That
# is a **Dirichlet process mixture**, DP mixture for short. In a computer one stops after $K$ pieces
# and lets the last take what remains.
#
# ### Exercise 6.1 Sticks in logarithms
#
# A sampler wants numbers without walls, so let it have the log odds $s_j = \log v_j - \log (1 -
# v_j)$, and make log shares of those. The pieces may be very small, or the first nearly everything.


# %%
def log_sticks(log_odds):
    """Log shares of a stick broken K − 1 times, (K,); their exponentials sum to one.

    log_odds: (K − 1,), s with v = 1 / (1 + e^−s) the share broken from what is left; ±800 is fine.
    The last component takes the remainder.
    """
    ### BEGIN SOLUTION
    log_broken = -np.logaddexp(0, -log_odds)  # log v
    log_kept = -np.logaddexp(0, log_odds)  # log (1 − v)
    left = np.concatenate([[0.0], np.cumsum(log_kept)])  # before each piece
    return left + np.concatenate([log_broken, [0.0]])
    ### END SOLUTION


# %%
log_sticks = check.log_sticks(log_sticks)

# %% [markdown]
# Five sticks for each of three $\alpha$, broken by your function.

# %%


def broken_sticks(alpha, pieces, n, random):
    """n sticks in log shares, (n, pieces): v ~ Beta(1, α), that is 1 − v = u^(1/α)."""
    log_kept = np.log(1 - random.uniform(size=(n, pieces - 1))) / alpha
    log_odds = np.log(-np.expm1(log_kept)) - log_kept
    return np.array([log_sticks(one) for one in log_odds])


ALPHAS = (0.5, 1.0, 5.0)
random = np.random.default_rng(2)
figure, all_axes = plt.subplots(1, 3, figsize=(9, 2.2), layout="constrained", sharey=True)
for axes, alpha in zip(all_axes, ALPHAS, strict=True):
    pieces = np.exp(broken_sticks(alpha, 11, 5, random))
    ends = np.cumsum(pieces, axis=1)
    for k in range(11):
        tint = style.tint(k, 0.8)
        axes.barh(range(5), pieces[:, k], left=ends[:, k] - pieces[:, k], color=tint, ec="white")
    axes.set_title(f"α = {style.number(alpha)}")
    axes.set_yticks([])
    axes.set_xlabel("share of the stick")
plt.show()
print("The picture: at α = ½ one or two pieces are nearly all of a stick; at 5 there are many.")
for alpha in ALPHAS:
    left = (alpha / (1 + alpha)) ** 10
    print(f"α = {alpha}: mean share that is left after 10 pieces {style.number(left, 2)}.")

# %% [markdown]
# At $\alpha = 5$ eleven pieces are too few: the last one takes in what ought to be many.
#
# How many of infinitely many components does one *see* among $N$ calls? The first call brings a new
# component. A later one, when $i$ calls have been placed, brings one with probability $\alpha /
# (\alpha + i)$. So on average there are
#
# $$\sum_{i=0}^{N-1} \frac{\alpha}{\alpha + i} \approx \alpha \log (1 + N / \alpha) ,$$
#
# and so it grows like $\alpha \log N$.

# %%
print("mean number of components seen        N = 50    500   5000     simulated, within .5")
for alpha in ALPHAS:
    counts = (50, 500, 5000)
    expected = [np.sum(alpha / (alpha + np.arange(n))) for n in counts]
    simulated = []
    for n in counts:
        shares = np.exp(broken_sticks(alpha, 200, 200, random))
        drawn = [random.choice(200, size=n, p=one / one.sum()) for one in shares]
        simulated.append(np.mean([len(np.unique(one)) for one in drawn]))
    close = np.abs(np.array(simulated) - expected).max() < 0.5
    print(f"α = {alpha:<33} " + " ".join(f"{e:>6.1f}" for e in expected) + f"{close!s:>18}")

# %% [markdown]
# Twice as many nights, more kinds of bird: that is what this prior believes, for ever.
#
# ### Question 6.Q1 An estimate?
#
# Somebody fits a DP mixture of normals to more and more data that come from *finitely* many
# normals, and reads off the posterior of the number of clusters. Does it tend to the true number?
#
# - **a** Yes: a posterior concentrates on the truth as data come in.
# - **b** No: it keeps small extra clusters beside the real ones, however many data there are.
# - **c** No: like the prior's, it grows as $\alpha \log N$, whatever the data say.
# - **d** No: there are infinitely many components, so it tends to infinity as fast as $N$.

# %%
how_many = "b"  ### SOLUTION

# %%
how_many = check.how_many(how_many)

# %% [markdown]
# The hardest test is the easiest data: *one* normal, $\mathcal N(0, 1)$. Below, a Gibbs sampler as
# in unit 04, for a DP mixture whose components have the right variance and means with prior
# $\mathcal N(0, 1)$. Each call leaves its cluster and chooses again: an occupied one in proportion
# to its size, a new one in proportion to $\alpha$, each times how well the call fits in.

# %%


def dp_clusters(points, sweeps, random, alpha=1.0):
    """Number of clusters after each sweep, for components N(m, 1), m ~ N(0, 1) summed out.

    After Neal (2000), algorithm 3.
    """
    labels = np.zeros(len(points), dtype=int)
    size, total = np.zeros(len(points) + 1), np.zeros(len(points) + 1)
    size[0], total[0] = len(points), points.sum()
    counts = []
    for _ in range(sweeps):
        for i, point in enumerate(points):
            size[labels[i]] -= 1
            total[labels[i]] -= point
            open_to = np.append(np.flatnonzero(size), np.flatnonzero(size == 0)[0])
            n = size[open_to]
            mean, variance = total[open_to] / (n + 1), 1 + 1 / (n + 1)  # of a call, given these n
            fit = np.exp(-((point - mean) ** 2) / (2 * variance)) / np.sqrt(variance)
            weight = np.append(n[:-1], alpha) * fit
            below = np.cumsum(weight)
            labels[i] = open_to[np.searchsorted(below, random.uniform() * below[-1])]
            size[labels[i]] += 1
            total[labels[i]] += point
        counts.append(np.count_nonzero(size))
    return np.array(counts)


for n in (30, 100, 300):
    random = np.random.default_rng(0)
    counts = dp_clusters(random.normal(size=n), 150, random)[30:]
    print(f"N = {n:>3}: posterior mean number of clusters above 3: {counts.mean() > 3};", end=" ")
    print(f"probability of one below .2: {np.mean(counts == 1) < 0.2}.")

# %% [markdown]
# Ten times the data, and the one true cluster is not found. The surplus clusters are small, and do
# little harm to a *density*. But their number is no estimate (Miller and Harrison 2013). If there
# is a true $K$ to be found, one needs another prior.
#
# ## A sparse finite mixture
#
# The other one keeps a fixed number $K$ of components, more than will be needed, and gives their
# shares a Dirichlet with very small counts,
#
# $$\pi \sim \text{Dirichlet}(a, \dots, a), \qquad a = \alpha / K .$$
#
# Its mass is in the corners: a draw has one or few large shares, and the others are nearly nothing.
# The recipe has $K = 11$ and $\alpha = .05$, so $a = .0045$.
#
# ### Exercise 6.2 How many are occupied?
#
# Component $k$ is occupied if at least one of $N$ calls comes from it. What is the probability that
# none does? $\pi_k$ alone is Beta$(a, (K - 1) a)$, so it is a ratio of gamma functions, which
# `scipy.special.gammaln` has in logarithms.


# %%
def expected_occupied(concentration, components, points):
    """Expected number of components that at least one of the points comes from: a float.

    π ~ Dirichlet(a, ..., a) with a = `concentration` for each of the `components`, and the `points`
    are drawn from π independently of each other.
    """
    ### BEGIN SOLUTION
    a, rest = concentration, (components - 1) * concentration
    # E (1 − π_k)^N under Beta(a, rest): B(a, rest + N) / B(a, rest).
    log_empty = (
        gammaln(rest + points) + gammaln(a + rest) - gammaln(rest) - gammaln(a + rest + points)
    )
    return components * -np.expm1(log_empty)
    ### END SOLUTION


# %%
expected_occupied = check.expected_occupied(expected_occupied)

# %%
print("expected number occupied of 11        N = 50    500   5000")
for a in (0.05 / 11, 0.05, 1 / 11, 0.5, 1.0):
    values = [expected_occupied(a, 11, n) for n in (50, 500, 5000)]
    print(f"a = {a:<6.2g}" + " " * 27 + " ".join(f"{value:>6.1f}" for value in values))

# %% [markdown]
# With $a = .0045$ the prior expects hardly more than one component, and *that* is what makes BNNC
# find few. Note that the table also stops growing: more calls do not create kinds for ever. And
# there is a theorem (Rousseau and Mengersen 2011): if the true number is below $K$, then as $N \to
# \infty$ the posterior *empties* the surplus components whenever $a < d / 2$, where $d$ is the
# number of free parameters of a component. Here $d = 4$, so any $a < 2$ would do, some day. At $N =
# 500$ the size of $a$ matters.
#
# ## See it drawn
#
# No data at all: each state is one draw from the recipe's whole prior, on a line. Left (or above),
# how many components its calls occupy, over all draws so far, and your expected number as a line.
# Right (or below), the draw's density, as the recipe writes it.
#
# - Play some forty draws with the first **concentration**, then with the others. How often is a
#   single one occupied?
# - More **points**: does the mean follow the table above?
# - The curve under the density is its integral from the left. With **gate** *none* it ends at 1.
#   The other choices turn on a network that you meet below. Watch the end of the curve, and keep
#   what you see in mind.

# %%
from latentsteps.models.bnnc_prior import prior_story
from latentsteps.stepper import Stepper
from latentsteps.views import prior_story as prior_view

GATES = {"none": (0.0, False), "a draw": (0.05, False), "a strong draw": (1.0, False)}
GATES |= {"strong, to its own": (1.0, True)}


def drawn_from_prior(concentration, points, gate):
    scale, own = gate
    return prior_story(concentration, points, scale, towards_own=own)


Stepper(
    drawn_from_prior,
    None,
    prior_view,
    controls={
        "concentration": {".05/11": 0.05 / 11, ".05": 0.05, "1/11": 1 / 11, "½": 0.5},
        "points": [500, 50, 5000],
        "gate": GATES,
    },
    filmstrip=(0, 40),
)

# %% [markdown]
# ## Coordinates
#
# Write the model down, press the button: that is the promise of NUTS. With $a = .0045$ it does not
# hold. Shares of such a Dirichlet are smaller than any number a computer can hold, so one has to
# work with logarithms from the start. A Dirichlet draw is a set of gamma draws, divided by their
# sum:
#
# $$g_k \sim \text{Gamma}(a, 1), \quad \pi_k = g_k / \textstyle\sum_j g_j, \quad l_k = \log g_k .$$
#
# ### Exercise 6.3 The density of a logarithm
#
# $g$ has the density $g^{a - 1} e^{-g} / \Gamma(a)$. What is that of $l = \log g$? (Unit 04's
# toolbox on changing variables.)


# %%
def log_density_of_log(log_value, shape):
    """Log density of l = log g for g ~ Gamma(shape, 1), at each l, in nats: (n,).

    log_value: (n,), −2000 is fine. shape: positive, .0045 is fine.
    """
    ### BEGIN SOLUTION
    return shape * log_value - np.exp(log_value) - gammaln(shape)
    ### END SOLUTION


# %%
log_density_of_log = check.log_density_of_log(log_density_of_log)

# %%
from scipy.special import digamma
from scipy.stats import beta

A = 0.05 / 11
line = np.linspace(-12_000, 6, 2_400_001)
density = np.exp(log_density_of_log(line, A))
step = line[1] - line[0]
print(f"Integral from −12,000 on: {density.sum() * step:.2f}.")
means = (line * density).sum() * step, digamma(A)
mean, formula = (style.number(round(value, -1), 3) for value in means)
print(f"Mean of log g, to tens: {mean}; by the formula for it {formula}.")
below = density[line < np.log(1e-10)].sum() * step
share = beta.cdf(1e-10, A, 10 * A)  # of Beta(a, 10 a)
print(f"Probability that g is below 10⁻¹⁰: {below:.2f}; that a share π is: {share:.2f}.")

figure, axes = plt.subplots(figsize=(6.5, 2.4), layout="constrained")
axes.plot(line[::50], density[::50], color=style.colour(0))
axes.axvline(np.log(1e-10), color=style.ALARM, ls="--")
axes.set_xlim(-1000, 30)
axes.set_xlabel("log g; dashed: g = 10⁻¹⁰")
axes.set_ylabel("density")
plt.show()
print("The picture: a slope that rises slowly over a thousand units, and a cliff at 0.")

# %% [markdown]
# That is a strange landscape: a cliff on one side, and on the other a slope that goes on for
# hundreds of units.
#
# The recipe's program stays on the simplex and writes $\log(\pi + 10^{-10})$, so that nothing
# underflows. Look at the dashed line: nine tenths of the prior of $g$ are to the left of it. A
# share $\pi$ is $g$ over a sum that is small itself, and so a little larger; still eight times out
# of ten it is below $10^{-10}$, and there the program's $\log \pi$ is $-23$ whatever $\pi$ is. A
# floor is another prior.
#
# ### Two ways to say the same
#
# When four of eleven components have got 125 calls each, as ours will, the posterior of the shares
# is known exactly: Dirichlet($a + n_1, \dots, a + n_{11}$). So we can see what NUTS makes of it.
#
# **On the simplex**, as one would write it first: NumPyro's `Dirichlet`, and nothing but the shares
# and the four counts.
#
# **Anchored**, as the library's models have it, in logarithms $l_k$ with two amendments. Eleven
# gammas are one number too many: their total carries nothing. It is independent of $\pi$, and its
# logarithm roams over some twenty units. But as it carries nothing, *any* density for it leaves
# $\pi$ as it was; so let it be $\mathcal N(0, .1^2)$. And bend the long slope: below $-4$ set $l =
# -4 - (e^{-4 - y} - 1)$ and sample $y$, with Jacobian $e^{-4 - y}$. What comes out is still
# Dirichlet$(a, \dots, a)$, exactly, with no floor. Here it samples the whole sparse mixture for
# your calls, means and scales included.
#
# Two models are compiled, some twenty seconds.

# %%
import numpyro
from numpyro.distributions import Dirichlet
from scipy.special import polygamma

from latentsteps.inference.nuts import all_draws, draws, nuts
from latentsteps.jax64 import jnp
from latentsteps.models.bnnc import bnnc

# The same for every sampler of this unit, so that each model is compiled once.
SETTINGS = {"chains": 2, "warmup": 150, "max_tree_depth": (5, 7)}
taken = jnp.array([125.0] * 4)


def on_the_simplex(data):
    shares = numpyro.sample("shares", Dirichlet(jnp.full(11, A)))
    numpyro.factor("calls", jnp.sum(taken * jnp.log(shares[:4])))


simplex = run(nuts(on_the_simplex, **SETTINGS), None, steps=440, progress=True)
sparse = run(bnnc(gate="none", **SETTINGS), x, steps=440, progress=True)

spread = polygamma(1, 11 * A) ** 0.5
print(f"Standard deviation of the logarithm of the total: {style.number(spread, 2)}.")
exact = beta.cdf(1e-10, A, 500 + 10 * A)
print(f"Probability that an empty component's share is below 10⁻¹⁰, exactly: {exact:.2f}.")
for name, trace in {"simplex": simplex, "anchored": sparse}.items():
    diverged = np.mean([info.divergent for info in trace.infos if not info.warmup])
    print(f"{name}: more than 1 in 20 of the draws diverged: {diverged > 0.05};", end=" ")
    print(f"fewer than 1 in 50: {diverged < 0.02}.")
empty = np.sort(draws(sparse, "log_weights"))[..., :7]
said = np.mean(empty < np.log(1e-10))
print(f"That probability, by the anchored draws, within .03: {abs(said - exact) < 0.03}.")

# %% [markdown]
# On the simplex many draws diverge, although there are eleven numbers and nothing else: the corners
# are too sharp for its steps. What it says of an empty component may be right or wrong, and you
# would not know. Anchored, even the whole mixture is easy.
#
# ## The gate
#
# Now the network. Unit 05's network for three classes turned an input into probabilities of
# classes. BNNC takes it as a **gate**: the shares of the components are not the same everywhere,
# but depend on where the call is,
#
# $$\theta(x) = \text{softmax}\bigl(\log \pi + \tanh(x W_1) W_2\bigr), \qquad
# W_1 \sim \mathcal N(0, 1), \quad W_2 \sim \mathcal N(0, .05^2) ,$$
#
# with ten hidden units. A component with little $\pi$ stays shut nearly everywhere: that is how the
# sparse prior gets through the network.
#
# ### Exercise 6.4 The gate


# %%
def log_gate(x, hidden_weights, output_weights, log_weights):
    """log θ_k(x_n), in nats, (N, K); the exponentials of a row sum to one.

    x: (N, D). hidden_weights: W₁ (D, H). output_weights: W₂ (H, K). log_weights: log π (K,), where
    −2000 and −∞ are fine.
    """
    ### BEGIN SOLUTION
    logits = log_weights + np.tanh(x @ hidden_weights) @ output_weights
    return logits - logsumexp(logits, axis=1, keepdims=True)
    ### END SOLUTION


# %%
log_gate = check.log_gate(log_gate)

# %% [markdown]
# Three gates from the prior, with four equal shares, one network, and its last layer scaled up.

# %%
from scipy.ndimage import distance_transform_edt

random = np.random.default_rng(5)
W1, W2 = random.normal(size=(2, 10)), random.normal(size=(10, 4))
even = np.log(np.full(4, 0.25))
side = np.linspace(-10, 10, 101)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)

figure, all_axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained", sharey=True)
for axes, scale in zip(all_axes, (0.05, 0.3, 1.5), strict=True):
    gate = np.exp(log_gate(plane, W1, scale * W2, even))
    colours = np.array([style.tint(k, 0.9) for k in range(4)])
    axes.imshow((gate @ colours).reshape(101, 101, 3), extent=(-10, 10, -10, 10), origin="lower")
    axes.set_title(f"$W_2$ of size {style.number(scale)}")
    largest = gate.argmax(axis=1).reshape(101, 101)
    for k in range(4):
        if (largest == k).any():
            depth = distance_transform_edt(np.pad(largest == k, 1))[1:-1, 1:-1]
            inside = plane[depth.argmax()]  # as far from the region's border as can be
            axes.text(*inside, str(k + 1), ha="center", va="center", fontweight="bold")
    print(f"{scale:>4}: the largest share anywhere is {gate.max():.2f}.")
plt.show()
print(
    "The picture: the plane mixed of four colours; grey and even on the left, and on the right cut"
)
print("into regions, with the number of the component whose share is largest there. A region may")
print("come in several pieces; the number stands in one of them.")
odd = np.add(log_gate(plane, W1, W2, even), log_gate(-plane, W1, W2, even))
print(f"log θ(x) + log θ(−x) is the same for all components: {np.ptp(odd, axis=1).max() < 1e-9}.")

# %% [markdown]
# The last line shows an error of the recipe: its text says that the network has an intercept, its
# program has none. So what favours a component at $x$ disfavours it at $-x$, and where the origin
# lies matters.
#
# ## The recipe, as its page states it
#
# In our words:
#
# > Make 500 points in 4 round blobs. Take $K = 11$ normals with means from $\mathcal N(0, 5^2)$ and
# > scales from Exp(1), a gate as above, and $\pi \sim \text{Dirichlet}(\alpha / K)$ with $\alpha =
# > .05$. The likelihood of a point is $\sum_k \theta_k(x_n) \, \mathcal N(x_n \mid m_k, \sigma_k)$.
# > Sample by MCMC, one chain. Average over the draws how often two points share a component. Then
# > begin with every point on its own and join the two groups that are most alike on average, again
# > and again, until no two reach ½: *average linkage*, cut at ½.
#
# Its blobs are your calls. Here it samples, in our coordinates, with two chains that begin at
# k-means with eleven clusters. (The first step compiles; some ten seconds.) An ellipse holds 95 %
# of a component that has calls; tints say where the first chain's gate favours which component.
#
# - Step through the first states. How long does it take to get rid of seven components?
# - Beside it, the similarity matrix fills up. What would two chains that disagree look like?
# - **gate** *none* is the same model with $W_2 = 0$: the sparse mixture alone. What is missing?
# - **start** *uniform*: means anywhere. Does it always end at four?

# %%
from latentsteps.views import bnnc as bnnc_view


def live(gate, start):
    return bnnc(gate={"as stated": "points"}.get(gate, gate), start=start, **SETTINGS)


Stepper(
    live,
    x,
    bnnc_view,
    controls={"gate": ["as stated", "none"], "start": ["k-means", "uniform"]},
    filmstrip=(0, 10, 60),
)

# %% [markdown]
# ## What can be asked of the draws
#
# Now 150 states of warm-up and 215 draws in one go, some ten seconds.
#
# (The page offers an option too, called *empirical Bayes*: the means' prior is centred at the mean
# of the data with twice their standard deviation, scales are half-normal with the same unit, and $a
# = 1 / K$. That helps with data of any unit. It is also another model: the data are used twice, and
# $a$ is 20 times larger. It runs here too, beside the stated one, and needs nothing compiled anew.)

# %%
from sklearn.metrics import adjusted_rand_score

from latentsteps.evaluation import diagnostics
from latentsteps.models.bnnc import empirical_prior, label_free, responsibilities

four = run(bnnc(**SETTINGS), x, steps=365, progress=True)
read_off = run(bnnc(prior=empirical_prior(x), **SETTINGS), x, steps=365, progress=True)
free = label_free(four, x[:3])
by_name = draws(four, "hidden_weights").reshape(2, -1, 20)
few = np.mean([info.divergent for info in four.infos if not info.warmup]) <= 0.02
print(f"Divergences in at most 1 draw of 50: {few}.")
worst_free = max(diagnostics.r_hat(values) for values in free.values())
worst_named = max(diagnostics.r_hat(by_name[..., i]) for i in range(20))
sure = diagnostics.r_hat(free["log density"]) < 1.05
print(f"r-hat of the log density below 1.05: {sure}; all without labels below 1.1:", end=" ")
print(f"{worst_free < 1.1}.")
print(f"Some r-hat of W₁'s entries above 1.2: {worst_named > 1.2}.")

# %% [markdown]
# The log density, the log-likelihood, the entropy of the shares and the density at three points
# agree. The network's weights do not, and will not, ever.
#
# ### Toolbox: the same network, many times
#
# Unit 04 met parameters that data cannot tell apart: components that exchange their names. A
# network has many more of these. Below are four changes of $W_1, W_2$. **Predict which of them
# leave the gate as it is, everywhere**; then run the cell, and add a change of your own.

# %%
CHANGES = {
    "hidden units in another order": (W1[:, ::-1], W2[::-1]),
    "signs of the third unit, on both sides": (W1 * np.where(np.arange(10) == 2, -1, 1),
                                               W2 * np.where(np.arange(10) == 2, -1, 1)[:, None]),
    "W₁ doubled, W₂ halved": (2 * W1, W2 / 2),
    "a number added to each row of W₂": (W1, W2 + np.arange(10)[:, None]),
}  # fmt: skip
before = log_gate(plane, W1, W2, even)
for name, changed in CHANGES.items():
    same = np.allclose(log_gate(plane, *changed, even), before)
    print(f"{name:<40} the same gate: {same}")

# %% [markdown]
# ### Pen and paper: how many copies?
#
# A gate with ten different hidden units is given. How many pairs $W_1, W_2$ are the same gate, by
# reordering units and by changing signs alone? To which of them does the prior give the same
# density? And what of the last line above?

# %% [markdown]
# *Double-click here and write your answer. Formulas go between dollar signs, as in `$2^3$`.*

# %% [markdown] tags=["solution"]
# **A model answer.** Ten units can stand in $10!$ orders, and each of them may change the sign of
# what goes in and of what comes out, because $\tanh(-u) = -\tanh u$: $2^{10}$ ways. Together $10!
# \cdot 2^{10} \approx 3.7 \cdot 10^9$. All have the same prior density, because it is a product of
# equal normals that are symmetric about 0. So the posterior has each of its hills some four
# thousand million times, and no chain will visit them all, nor need it.
#
# A number added to a row of $W_2$ cancels in the softmax: a whole line of networks is one gate. The
# prior does tell *them* apart, since it prefers small weights. That is why the posterior along that
# line is the prior, and the data say nothing of it.

# %% [markdown]
# So nobody should look for the convergence of $W_1$. Nor is "the number of occupied components" a
# good thing to watch: it is 4 in nearly every draw, and r-hat of a constant says nothing. Judge by
# numbers that have no names in them and that move.
#
# ## Who belongs together
#
# Unit 04 averaged $\sum_k r_{ik} r_{jk}$ over draws. There is a hard version, which needs only
# labels: in each draw call $i$ goes to its most probable component, and the similarity of two calls
# is the share of draws in which they went to the same. Names mean nothing across draws.
#
# The recipe's package builds the $N \times N$ table of every draw and then averages. At 1,000 draws
# and 500 calls these are $2.5 \cdot 10^8$ numbers, a gigabyte in single precision; with 5,000 calls
# it is a hundred. Yours has to do with less.
#
# ### Exercise 6.5 Similarity, hard


# %%
def hard_similarity(labels):
    """The share of draws in which two points have the same label: (N, N), symmetric, diagonal 1.

    labels: (S, N), whole numbers, any; a label means nothing outside of its draw. Nothing of the
    size S × N × N is made.
    """
    ### BEGIN SOLUTION
    total = np.zeros((labels.shape[1], labels.shape[1]))
    for row in labels:
        total += row[:, None] == row
    return total / len(labels)
    ### END SOLUTION


# %%
hard_similarity = check.hard_similarity(hard_similarity)

# %% [markdown]
# A loop over draws is small, and slow; the library takes a few draws at a time, writes their
# responsibilities side by side, and lets one matrix product do the rest.

# %%
from latentsteps.evaluation.consensus import partition, similarity


def of_each_chain(trace):
    """The similarity matrix of every chain, from each third of its draws."""
    some = {name: part[:, ::3] for name, part in all_draws(trace).items()}
    chains = ({name: part[c] for name, part in some.items()} for c in (0, 1))
    return [similarity(responsibilities(x, chain)) for chain in chains]


thinned = {name: part[:, ::3] for name, part in all_draws(four).items()}
r = responsibilities(x, thinned)
soft, hard = similarity(r), hard_similarity(r.argmax(axis=2))
agree = np.abs(similarity(r, hard=True) - hard).max() < 1e-12
print(f"Yours is the library's hard version: {agree}. Soft and hard differ nowhere by more than")
print(f".1: {np.abs(soft - hard).max() < 0.1}.")

for name, trace in {"Stated prior": four, "Prior read off the data": read_off}.items():
    one, other = of_each_chain(trace)
    labels = partition((one + other) / 2)
    ari = adjusted_rand_score(calls.labels, labels)
    print(f"{name}: {labels.max() + 1} clusters, ARI {ari:.2f}. ", end="")
    print(f"The two chains' matrices within .05: {np.abs(one - other).max() < 0.05}.")

# %%
from latentsteps.views.bnnc_plot import describe_plot, plot

figure = plt.figure(figsize=(10, 3.2))
plot(figure, x, thinned)
plt.show()
print(describe_plot(x, thinned))

# %% [markdown]
# Four clusters. The recipe keeps its promise, on this example; and with the prior read off the
# data, which is another model, there are four as well. Under the second panel it says *not
# normalised*: you will see why.
#
# ## New calls
#
# The recipe's package stops here: its `predict` returns the clusters of the calls that were fitted,
# and a call of the next night has no row in that matrix. But it has responsibilities in each draw.
# In one draw it shares its component with the fitted call $j$ with probability $\sum_k r^*_k
# r_{jk}$. Average over the members $j$ of a cluster, and over the draws.
#
# ### Exercise 6.6 New rows


# %%
def new_rows(new, fitted, labels):
    """Probability that each new point shares its component with a member of each cluster: (M, C).

    new: (S, M, K), fitted: (S, N, K), responsibilities in the same S draws. labels: (N,), the
    clusters 0, ..., C − 1 of the fitted points. Members of a cluster are averaged.
    """
    ### BEGIN SOLUTION
    members = np.eye(labels.max() + 1)[labels]  # (N, C)
    of_cluster = np.einsum("snk,nc->sck", fitted, members / members.sum(axis=0))
    return np.einsum("smk,sck->mc", new, of_cluster) / len(new)
    ### END SOLUTION


# %%
new_rows = check.new_rows(new_rows)

# %% [markdown]
# Calls on the straight line from one kind to its nearest neighbour, and far beyond on both sides:

# %%
from latentsteps.evaluation.prediction import predict

labels = partition(soft)
middles = np.array([x[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
apart = np.linalg.norm(middles[:, None] - middles, axis=2) + 1e9 * np.eye(len(middles))
here, there = np.unravel_index(apart.argmin(), apart.shape)
steps = np.linspace(-5, 10, 76)
way = middles[here] + steps[:, None] * (middles[there] - middles[here])
chances = np.asarray(new_rows(responsibilities(way, thinned), r, labels))
row = chances.sum(axis=1)

figure, axes = plt.subplots(figsize=(7.5, 2.8), layout="constrained")
axes.plot(steps, row, color=style.INK, lw=1.2, ls="--", zorder=3, label="the row's sum")
for c in range(chances.shape[1]):
    look = {"color": style.colour(c), "marker": style.marker(c), "ms": 4}
    axes.plot(steps, chances[:, c], label=f"cluster {c + 1}", **look)
axes.set_xlabel("place on the way: 0 in the middle of one kind, 1 in that of the next")
axes.set_ylabel("probability")
axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8.5)
plt.show()
print(
    "The picture: the curve of the first kind is at 1 and gives way to that of the second half-way,"
)
print(
    "that to a third's further on. Between 0 and 1 a change is within a short stretch. Far out on"
)
print("both sides the curve that is left sinks, and the row's sum with it.")
near = row[np.isin(steps.round(1), (0.0, 1.0))].min() > 0.95
print(f"The row adds up to more than .95 in the middles of both kinds: {near};", end=" ")
print(f"to less than .7 at both ends: {max(row[0], row[-1]) < 0.7}.")
library = predict(thinned, x, way)
print(f"The library's prediction is yours: {np.allclose(library.probabilities, chances)}.")
halves = [predict(thinned, x, part).probabilities for part in np.array_split(way, 7)]
print(f"Asked in seven portions, the same: {np.allclose(np.concatenate(halves), chances)}.")

# %% [markdown]
# Each new call stands for itself. If one put the new calls into the matrix and cut the tree anew, a
# call's cluster would depend on who was asked along with it.
#
# Far out, where nobody ever sang, the row no longer adds up to 1: there the call would be in a
# component that no fitted call has, one of the empty ones, which may be as broad as the prior lets
# them be. The largest entry is still some cluster's. So look at the sum before you believe it.

# %% [markdown]
# ## Where it gets hard
#
# Four clouds so far apart that k-means, BIC and a child all score 1: such data cannot tell what a
# method is worth. Here are four harder nights, 500 calls each.

# %%
from sklearn.datasets import make_blobs, make_moons

random = np.random.default_rng(0)
eight, broad = blobs(8), blobs(4, spread=2.2)
MIDDLES = np.array([[-2, -1], [3, 3], [4, -4], [-7, 5]])
kind = np.repeat(np.arange(4), (400, 60, 30, 10))
widths = np.array([1.6, 0.8, 0.5, 0.3])[kind]
uneven = MIDDLES[kind] + widths[:, None] * random.normal(size=(500, 2))
moons, moon = make_moons(500, noise=0.08, random_state=0)
NIGHTS = {
    "eight kinds": (eight.x, eight.labels),
    "overlapping": (broad.x, broad.labels),
    "unequal": (uneven, kind),
    "two moons": (4 * (moons - [0.5, 0.25]), moon),
}
print("Sizes of the unequal kinds:", *np.bincount(kind))

# %% [markdown]
# Predict first: on which of them will which method fail, and how? The methods:
#
# - **BNNC** as stated; **$W_2 = 0$**, the sparse mixture without a gate; **divided**, a repair that
#   comes further down; a **DP** mixture with $\alpha = 1$, by sticks like yours, cut at eleven
#   pieces. All four have the stated prior for means and scales and two chains from k-means with 11
#   clusters.
# - **BIC**: unit 03's mixture, full covariances, $K$ from 1 to 11, with its guard against spikes.
# - scikit-learn's variational DP mixture, $K = 11$, twice: **sk, default**, whose prior takes the
#   covariance of *all* calls for that of a component, and **sk, true**, which is told the true
#   variance of the first two nights (1 on the others).
# - **k-means**, which is told the true number.
#
# This is the longest cell of the unit: sixteen posteriors, two models compiled, one to two minutes.

# %%
from sklearn.cluster import KMeans
from sklearn.mixture import BayesianGaussianMixture

from latentsteps.evaluation.selection import bic, number_of_parameters, smallest_spread
from latentsteps.models.dpmm import dpmm

SAMPLED = {
    "BNNC": bnnc(**SETTINGS),
    "W₂ = 0": bnnc(gate="none", **SETTINGS),
    "divided": bnnc(gate="normalised", **SETTINGS),
    "DP": dpmm(alpha=1.0, **SETTINGS),
}
TRUE_VARIANCE = {"eight kinds": 0.8**2, "overlapping": 2.2**2}


def by_bic(x):
    """Labels of the mixture with the lowest BIC among those without a spike."""
    best = None
    for k in range(1, 12):
        fit = run(gaussian_mixture(k, start="k-means"), x, steps=300, stop=relative(1e-6))
        score = bic(fit.objective[-1], number_of_parameters(k, 2), len(x))
        if smallest_spread(fit[-1].parameters, x) > 1e-3 and (best is None or score < best[0]):
            best = score, fit[-1].parameters
    return gaussian_labels(x, best[1])


def gaussian_labels(x, mixture):
    from latentsteps.models.gaussian_mixture import log_joint

    return log_joint(x, mixture).argmax(axis=1)


def by_sklearn(x, variance):
    prior = {} if variance is None else {"covariance_prior": variance * np.eye(2)}
    model = BayesianGaussianMixture(
        n_components=11, weight_concentration_prior=0.05, max_iter=300, random_state=0, **prior
    )
    return model.fit_predict(x)


traces, found = {}, {}
for night, (points, truth) in NIGHTS.items():
    for name, algorithm in SAMPLED.items():
        traces[name, night] = run(algorithm, points, steps=195, progress=True)
        some = all_draws(traces[name, night])
        found[name, night] = partition(similarity(responsibilities(points, some)))
    found["BIC", night] = by_bic(points)
    found["sk, default", night] = by_sklearn(points, None)
    found["sk, true", night] = by_sklearn(points, TRUE_VARIANCE.get(night, 1.0))
    told = KMeans(truth.max() + 1, n_init=10, random_state=0)
    found["k-means", night] = told.fit_predict(points)
print("Sampled:", len(traces), "posteriors.")

# %%
METHODS = (*SAMPLED, "BIC", "sk, default", "sk, true", "k-means")


def clusters(labels):
    """How many clusters hold at least 1 % of the calls."""
    return int(np.sum(np.bincount(labels) >= 0.01 * len(labels)))


score = {key: adjusted_rand_score(NIGHTS[key[1]][1], labels) for key, labels in found.items()}
figure, grid = plt.subplots(4, 9, figsize=(13, 7), layout="constrained")
for row, (night, (points, truth)) in zip(grid, NIGHTS.items(), strict=True):
    shown = {"truth": truth} | {name: found[name, night] for name in METHODS}
    for axes, (name, labels) in zip(row, shown.items(), strict=True):
        largest_first = np.argsort(np.argsort(-np.bincount(labels), kind="stable"))
        for c in range(labels.max() + 1):
            mine, place = labels == c, largest_first[c]
            look = {"color": style.colour(place), "ms": 2.5, "mew": 0}
            axes.plot(*points[mine].T, style.marker(place), **look)
        words = f"{clusters(labels)}" + ("" if name == "truth" else f" · {score[name, night]:.2f}")
        axes.set_title(f"{name}\n{words}" if night == "eight kinds" else words, fontsize=8.5)
        axes.set_xticks([])
        axes.set_yticks([])
    row[0].set_ylabel(night)
plt.show()
print("The picture: a table of four nights by nine columns, the truth first. Above each panel the")
print("number of clusters with at least 5 of the 500 calls, and the ARI.")


# %%


def right(night, bound, *names):
    """Whether all of these find the true number of clusters, and an ARI of at least the bound."""
    number = NIGHTS[night][1].max() + 1
    return all(
        clusters(found[name, night]) == number and score[name, night] >= bound for name in names
    )


def by_true_middles(points, k, spread):
    """Each call to the nearest of the middles that its night was drawn from, and these."""
    middles = make_blobs(
        500, centers=k, cluster_std=spread, center_box=(-10, 10), random_state=101,
        return_centers=True,
    )[2]  # fmt: skip
    return ((points[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)


print("Eight kinds. BNNC, W₂ = 0, divided, DP and BIC all have eight, and an ARI of .94 or more:")
print(f"  {right('eight kinds', 0.94, *SAMPLED, 'BIC')}.")
for name in ("sk, default", "sk, true"):
    key = name, "eight kinds"
    print(f"  {name}: {clusters(found[key])} clusters, ARI {score[key]:.2f}.")
told = adjusted_rand_score(broad.labels, by_true_middles(broad.x, 4, 2.2))
near = abs(score["W₂ = 0", "overlapping"] - told) < 0.06
print(f"Overlapping. Who knows the true middles has an ARI of {told:.2f}; W₂ = 0 is within .06 of")
print(f"  that: {near}; BNNC is lower than W₂ = 0 by more than .05:", end=" ")
print(f"{score['BNNC', 'overlapping'] < score['W₂ = 0', 'overlapping'] - 0.05}.")
largest = [np.bincount(found[name, "overlapping"]).max() for name in ("BNNC", "W₂ = 0")]
print(
    "  Each kind has 125 calls. BNNC's largest cluster has more than 145, that of W₂ = 0 fewer than"
)
print(f"  140: {largest[0] > 145 and largest[1] < 140}.")
print("Unequal. W₂ = 0, divided and DP find four, with an ARI of .95 or more:", end=" ")
print(f"{right('unequal', 0.95, 'W₂ = 0', 'divided', 'DP')}.")
more = clusters(found["BNNC", "unequal"]) > 4
lower = score["BNNC", "unequal"] < score["W₂ = 0", "unequal"] - 0.2
print(
    f"  BNNC finds more than four: {more}; its ARI is lower than that of W₂ = 0 by more than",
    end="",
)
print(f" .2: {lower}.")
bent_kinds = [score[name, "two moons"] < 0.5 for name in METHODS]
print(f"Two moons. Every ARI is below .5: {all(bent_kinds)}.")
most = max(score["BNNC", night] - score["W₂ = 0", night] for night in NIGHTS)
print(f"On no night is BNNC's ARI above that of W₂ = 0 by more than .04: {most < 0.04}.")

# %% [markdown]
# What to take from it:
#
# - On the *eight kinds*, the number is found by several ways of saying "few clusters of about this
#   size". scikit-learn's default misses it because its prior says that a component is as wide as
#   all the data. Told the truth, it finds eight. That is a difference of *priors*, not of methods.
# - The gate is nowhere better by more than a few calls. BNNC and $W_2 = 0$ have the same prior for
#   the shares, and agree where it is easy.
# - On the *overlapping* kinds nobody can be right: even the true middles score no more than .75.
#   $W_2 = 0$ is there; calls in doubt make small groups of their own, which the cut at ½ leaves
#   over. BNNC has moved a border: one of its clusters takes in calls of another kind.
# - On the *unequal* kinds the gate does harm: it cuts the large round kind to pieces. Keep that in
#   mind; the reason comes soon.
# - A bent kind is many normals, and no prior for their number makes it one.
#
# ### Question 6.Q2 Better than the truth
#
# Somebody knows the true middles and the true spread of the eight kinds, and gives each call to the
# likeliest. BIC's fit has never seen a label. Their scores:

# %%
nearest = by_true_middles(eight.x, 8, 0.8)
print(f"True parameters {adjusted_rand_score(eight.labels, nearest):.3f},", end=" ")
print(f"BIC {score['BIC', 'eight kinds']:.3f}.")

# %% [markdown]
# The fit is ahead, by little. How can a fit beat the truth?
#
# - **a** It cannot, by honest means: the fit must have seen the labels.
# - **b** ARI is corrected for chance, and the correction favours fitted partitions.
# - **c** The true parameters' classifier is best on average, in another score; this is one sample.
# - **d** The fit has learned something about the labels that the true parameters do not hold.

# %%
beats_truth = "c"  ### SOLUTION

# %%
beats_truth = check.beats_truth(beats_truth)

# %% [markdown]
# ### Chains that agree
#
# All these chains began at k-means, which for clusters is a good place. What if one does not trust
# it? Below, the sparse mixture on the eight kinds again: four chains whose means begin *anywhere*,
# and two from a third start, run three times. (Some fifteen seconds.)

# %%
from latentsteps.models.bnnc import log_likelihood


def third_start():
    """A position for all chains, worth a look later."""
    kinds = np.where(eight.labels == 7, 4, eight.labels)
    mine = [eight.x[kinds == k] for k in range(7)]
    share = np.full(11, 1e-6)
    share[:7] = [len(points) / 500 for points in mine]
    means, scales = 5 * np.random.default_rng(0).normal(size=(11, 2)), np.ones((11, 2))
    means[:7] = [points.mean(axis=0) for points in mine]
    scales[:7] = [points.std(axis=0) for points in mine]
    return {"log_weights": np.log(share / share.sum()), "means": means, "scales": scales}


somewhere = bnnc(gate="none", start="uniform", **SETTINGS)
third = bnnc(gate="none", start=third_start(), **SETTINGS)
runs = {
    "k-means": traces["W₂ = 0", "eight kinds"],
    "anywhere": run(somewhere, eight.x, 1, steps=265, progress=True),
    "anywhere, again": run(somewhere, eight.x, 4, steps=265, progress=True),
}


def heights(trace):
    """The log density of each draw, (chains, draws)."""
    return np.array([info.log_density for info in trace.infos if not info.warmup]).T


def clusters_of_chain(trace, chain):
    one = {name: part[chain, ::2] for name, part in all_draws(trace).items()}
    return partition(similarity(responsibilities(eight.x, one)))


def number(trace):
    return [clusters(clusters_of_chain(trace, chain)) for chain in (0, 1)]


def worst_r_hat(trace):
    """The largest of five r-hats of numbers without names."""
    some = all_draws(trace)
    judged = [heights(trace), log_likelihood(eight.x, some)]
    judged += [log_likelihood(eight.x[i : i + 1], some) for i in range(3)]
    return max(diagnostics.r_hat(values) for values in judged)


wild = np.concatenate([heights(runs["anywhere"]), heights(runs["anywhere, again"])])
print("Four chains from anywhere: all have found eight:", end=" ")
print(f"{number(runs['anywhere']) + number(runs['anywhere, again']) == [8] * 4};", end=" ")
print(f"r-hat of the log density above 1.2: {diagnostics.r_hat(wild) > 1.2}.")

again = [run(third, eight.x, seed, steps=365, progress=True) for seed in range(3)]
agreeing = [trace for trace in again if number(trace) == [7, 7]]
runs["third start"] = min(agreeing, key=worst_r_hat)
print(
    "Two chains from the third start, three times. Both have seven clusters in one of the runs or"
)
print(
    f"more: {len(agreeing) >= 1}; in one of these five r-hats without labels are below 1.05:",
    end=" ",
)
print(f"{worst_r_hat(runs['third start']) < 1.05}.")

# %% [markdown]
# ### Question 6.Q3 Too few, and all agree
#
# Had you done that last run alone, every r-hat would have been near 1.00, at seven clusters. How
# can that be?
#
# - **a** Both were caught in the same way, and neither has crossed to where eight are.
# - **b** The posterior prefers fewer than eight.
# - **c** There were too few draws: with ten times as many they would find eight.
# - **d** It was the names: r-hat was taken of labelled means.

# %%
agreed = "a"  ### SOLUTION

# %%
agreed = check.agreed(agreed)

# %% [markdown]
# What was the third start? Two neighbouring kinds were given to *one* component, at their common
# mean and with their common spread, and the four components left over had a millionth of the calls
# each. Any start that is too coarse may do this to you; and a chain that gets away in the end, as
# some do, gives no notice. Now look at the log densities.

# %%
below = heights(runs["k-means"]).mean() - heights(runs["third start"]).mean()
print("The log density of the chains from the third start is below that of the chains from k-means")
print(f"by more than 30: {below > 30}.")

figure, (high, flat) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for i, (name, trace) in enumerate(runs.items()):
    for chain, values in enumerate(heights(trace)):
        label = name if chain == 0 else None
        along = np.linspace(0, 1, len(values[::4]))
        high.plot(along, values[::4], style.marker(i), color=style.colour(i), ms=3, label=label)
high.set_xlabel("share of the draws")
high.set_ylabel("log density, nats")
high.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
seven = clusters_of_chain(runs["third start"], 0)
for label in range(seven.max() + 1):
    look = {"color": style.colour(label), "ms": 3}
    flat.plot(*eight.x[seven == label].T, style.marker(label), **look)
flat.set_title("clusters from the third start")
plt.show()
print("The picture: left, the log densities: highest those from k-means; those from anywhere at")
print("several heights; the two from the third start at one. Right, their clusters: one covers two")
print("kinds.")

# %% [markdown]
# So: several chains, starts of different kinds, and a look at the log density of each. A chain that
# lies fifty nats below another is not a second opinion.
#
# ## A gain of two thirds of a nat
#
# Back to what the gate is good for. Compare the log-likelihoods, as the two models write them, on
# the eight kinds: the clusters are the same.

# %%
per_call = {
    name: label_free(traces[name, "eight kinds"], eight.x[:1])["log likelihood"].mean() / 500
    for name in SAMPLED
}
gain = per_call["BNNC"] - per_call["W₂ = 0"]
print(f"BNNC is ahead of W₂ = 0 by .6 to .75 nats a call: {0.6 < gain < 0.75}.")
print(f"On 500 calls that is more than 300 nats: {500 * gain > 300}.")

# %% [markdown]
# Hundreds of nats. In unit 03 a gain of ten would have settled an argument. And they come without
# any change to the clusters. Where from?
#
# Look again at the recipe's likelihood, $\sum_k \theta_k(x) \, \mathcal N(x \mid m_k, \sigma_k)$.
# In unit 05's mixture density network the weights depended on an *input*, and the density was that
# of the *output*. Here the gate sees the very $x$ whose density is being written. Is that a
# density?
#
# $$Z = \int \sum_k \theta_k(x) \, \mathcal N(x \mid m_k, \sigma_k) \, dx
#   = \sum_k \mathbb E_{\mathcal N_k} \theta_k(x) .$$
#
# If $\theta$ does not depend on $x$, each expectation is $\pi_k$, and $Z = 1$. If each component's
# gate opens where the component is, each expectation comes near 1, and $Z$ near $K$.
#
# ### Question 6.Q4 Which flatters?
#
# Three "likelihoods" integrate to $Z = 2$, $Z = .003$ and $Z = 1$. Each scores the same data, in
# nats a point. Which score makes its model look better than it is?
#
# - **a** $Z = .003$: it is divided by something small.
# - **b** $Z = 2$.
# - **c** Both 2 and .003, as neither is a density.
# - **d** None: a score is computed at the data, and elsewhere the function does not matter.

# %%
which_flatters = "b"  ### SOLUTION

# %%
which_flatters = check.which_flatters(which_flatters)

# %% [markdown]
# ### Exercise 6.7 The integral
#
# An expectation is a mean over draws: $x = m_k + \sigma_k \varepsilon$, once for each component.


# %%
def normaliser(log_gate, means, scales, noise):
    """Z = Σ_k E[θ_k(x)], x ~ N(m_k, diag σ_k²): a float.

    log_gate: a function, from points (M, D) to log θ, (M, K). means, scales: (K, D). noise: (M, D),
    draws of N(0, I), to be used for every component.
    """
    ### BEGIN SOLUTION
    total = 0.0
    for k, (mean, scale) in enumerate(zip(means, scales, strict=True)):
        total += np.exp(log_gate(mean + scale * noise)[:, k]).mean()
    return total
    ### END SOLUTION


# %%
normaliser = check.normaliser(normaliser)

# %% [markdown]
# First on a line, where one can see it: three normals and a gate whose weights are scaled up.

# %%
CENTRES, SDS = np.array([[-3.0], [0.0], [3.0]]), np.full((3, 1), 0.8)
TILT = np.array([[-1.0, 0.0, 1.0], [0.6, -1.2, 0.6]])  # W₂: to the sides, and away from the middle
EDGES = np.array([[1.0, 0.0]])  # W₁: the second unit is silent


def gate_on_line(scale):
    """A gate (M, 1) → (M, 3) with even shares and W₂ scaled."""
    return lambda points: log_gate(points, EDGES, scale * TILT, np.log(np.full(3, 1 / 3)))


noise = np.random.default_rng(0).normal(size=(20_000, 1))
line = np.linspace(-8, 8, 1601)[:, None]
figure, axes = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
for i, scale in enumerate((0.0, 1.0, 4.0)):
    normals = np.exp(-0.5 * ((line - CENTRES.T) / SDS.T) ** 2) / (SDS.T * np.sqrt(2 * np.pi))
    height = (np.exp(gate_on_line(scale)(line)) * normals).sum(axis=1)
    axes.plot(line, height, ("-", "--", ":")[i], color=style.colour(i), label=f"W₂ × {scale:.0f}")
    z = normaliser(gate_on_line(scale), CENTRES, SDS, noise)
    by_grid = np.trapezoid(height, line[:, 0])
    print(f"W₂ × {scale:.0f}: Z by your draws {z:.2f}, by a grid {by_grid:.2f}.")
axes.legend(frameon=False)
axes.set_xlabel("x")
plt.show()
print("The picture: three hills; as the gate is scaled up, the outer ones grow to full normals.")

# %% [markdown]
# Now the draws. Yours for one of them, with a grid of the plane to confirm it; the library's, which
# uses the nodes of a quadrature rule, for many.

# %%
from latentsteps.models.bnnc import log_normaliser


def one_draw(trace, s=-1, chain=0):
    return {name: part[chain, s] for name, part in all_draws(trace).items()}


def gate_of(draw):
    return lambda points: log_gate(
        points, draw["hidden_weights"], draw["output_weights"], draw["log_weights"]
    )


draw = one_draw(traces["BNNC", "eight kinds"])
noise = np.random.default_rng(0).normal(size=(4000, 2))
yours = normaliser(gate_of(draw), draw["means"], draw["scales"], noise)
library = np.exp(log_normaliser(draw))
print(f"One draw: yours and the library's within .03: {abs(yours - library) < 0.03}.")

POSTERIORS = {
    "four, BNNC": four,
    "four, empirical": read_off,
    "four, W₂ = 0": sparse,
    "eight, BNNC": traces["BNNC", "eight kinds"],
    "eight, W₂ = 0": traces["W₂ = 0", "eight kinds"],
    "eight, divided": traces["divided", "eight kinds"],
    "unequal, BNNC": traces["BNNC", "unequal"],
}
z = {}
for name, trace in POSTERIORS.items():
    few = {n: part[:, ::3] for n, part in all_draws(trace).items()}
    z[name] = np.exp(log_normaliser(few, nodes=144))

figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
random = np.random.default_rng(0)
for row, values in enumerate(z.values()):
    height = row + random.uniform(-0.25, 0.25, size=values.size)
    axes.plot(values.ravel(), height, style.marker(row), color=style.colour(row), ms=2.5)
axes.axvline(1, color=style.INK, lw=0.8)
axes.set_yticks(range(len(z)), z)
axes.invert_yaxis()
axes.set_xlabel("Z of each draw")
plt.show()
print("The picture: the draws of BNNC lie around 2, on the unequal kinds somewhat lower; those of")
print("W₂ = 0 at 1 exactly, those of the divided model around 1.")
for name in ("four, BNNC", "four, empirical", "eight, BNNC"):
    between = 1.9 < z[name].mean() < 2.1
    error = diagnostics.standard_error(z[name])
    print(
        f"{name}: mean Z between 1.9 and 2.1: {between}; standard error below .03: {error < 0.03}."
    )
print(f"unequal, BNNC: mean Z between 1.6 and 1.9: {1.6 < z['unequal, BNNC'].mean() < 1.9}.")
exactly = all(np.abs(z[f"{night}, W₂ = 0"] - 1).max() < 1e-9 for night in ("four", "eight"))
print(f"W₂ = 0: every Z is 1 to within 1e-9: {exactly}.")
explained = abs(np.log(z["eight, BNNC"]).mean() - gain) < 0.05
print(f"log Z accounts for BNNC's gain to within .05 nats: {explained}.")
free_nats = 500 * np.log(z["four, BNNC"]).mean()
print(f"On the recipe's own data N log Z is 320 to 370 nats: {320 < free_nats < 370}.")

# %% [markdown]
# There it is: $\log 2 \approx .69$. BNNC claims a total probability of 2 and collects its logarithm
# for every call, some 350 nats in all. $Z$ may be anything between 0 and $K$.
#
# That is also why it cut the large kind to pieces. *BNNC* and *divided* in the table differ in
# nothing but $Z$, and divided does not cut. Where one component holds most of the calls, its
# $\pi_k$ is near 1 already and a gate can add little; cut in two, each half has a gate to gain by.
#
# ### Why it comes for free
#
# Two ways to see it. Let $r_k = \pi_k \mathcal N_k / \sum_j \pi_j \mathcal N_j$ be the
# responsibilities of the mixture *without* a gate, and $q_k$ any probabilities that depend on the
# call, the gate's say. First, divide the two sums:
#
# $$\log \sum_k q_k \mathcal N_k - \log \sum_k \pi_k \mathcal N_k
#   = \log \sum_k r_k \, \frac{q_k}{\pi_k} .$$
#
# So the gate gains at a call by raising the share of whoever is responsible there: where that share
# is doubled, it gains $\log 2$. A density that is raised here has to be lowered elsewhere. But
# nobody asks for that: in other places the gate raises others.
#
# Second, what ought it to pay? Unit 02's bound has these $q$ in the place of its own, a term for
# one call:
#
# $$\text{ELBO}(q) = \sum_k q_k \bigl( \log \pi_k + \log \mathcal N_k - \log q_k \bigr)
#   \le \log \sum_k \pi_k \mathcal N_k .$$
#
# ### Pen and paper: the bill that is not sent
#
# The recipe writes $\log \sum_k q_k \mathcal N_k$ with its gate for $q$. Show that the first
# equation holds, and that
#
# $$\log \sum_k q_k \mathcal N_k \ge \text{ELBO}(q) + \mathrm{KL}(q \,\|\, \pi) ,$$
#
# and say in words what the gate does not pay.

# %% [markdown]
# *Double-click here and write your answer. Formulas go between dollar signs, as in `$q_k$`.*

# %% [markdown] tags=["solution"]
# **A model answer.** By its definition $r_k / \pi_k = \mathcal N_k / \sum_j \pi_j \mathcal N_j$.
# Multiply by $q_k$ and add up: $\sum_k r_k q_k / \pi_k = \sum_k q_k \mathcal N_k / \sum_j \pi_j
# \mathcal N_j$, and that is the first equation, in logarithms.
#
# The ELBO is $\sum_k q_k \log \mathcal N_k - \sum_k q_k \log (q_k / \pi_k)$, and the last sum is
# $\mathrm{KL}(q \| \pi)$. So the right-hand side of the second is $\sum_k q_k \log \mathcal N_k$.
# The logarithm is concave, so by Jensen the logarithm of an average is at least the average of the
# logarithms: $\log \sum_k q_k \mathcal N_k \ge \sum_k q_k \log \mathcal N_k$. That is all.
#
# In words: to look at a call and *then* say which component it comes from is what a posterior does.
# The ELBO allows any such guess $q$, and subtracts what the guess knows beyond $\pi$. The recipe
# takes the guess for a prior, and leaves out the subtraction.

# %% [markdown]
# Hold the equation to the computer: the draw of BNNC from above, on the eight kinds.


# %%
def log_normals(x, means, scales):
    """log N(x_n | m_k, diag σ_k²), (N, K)."""
    z = (x[:, None] - means) / scales
    return -0.5 * (z**2).sum(axis=2) - np.log(scales).sum(axis=1) - np.log(2 * np.pi)


log_q = gate_of(draw)(eight.x)
log_n = log_normals(eight.x, draw["means"], draw["scales"])
claimed = logsumexp(log_q + log_n, axis=1)
exact = logsumexp(draw["log_weights"] + log_n, axis=1)
log_r = draw["log_weights"] + log_n - exact[:, None]
raised = logsumexp(log_r + log_q - draw["log_weights"], axis=1)  # log Σ r q / π
print(f"For all 500 calls the two sides are equal: {np.allclose(claimed - exact, raised)}.")
print(
    f"Their mean is between .6 and .75 nats: {0.6 < raised.mean() < 0.75}; the share of whoever is"
)
doubled = np.exp(raised).mean()
print(f"responsible is raised by a factor of 1.8 to 2.2 on average: {1.8 < doubled < 2.2}.")

# %% [markdown]
# ## Four repairs
#
# ### (a) No gate
#
# Set $W_2 = 0$. What remains is the sparse finite mixture, and you have seen that on no night it
# was behind by more than a few calls. It is also the cheapest: no network, and no numbers for one.


# %%
for name in ("BNNC", "W₂ = 0"):
    position = traces[name, "eight kinds"][-1].position
    print(f"{name}: {sum(part[0].size for part in position.values())} numbers a draw.")

# %% [markdown]
# ### (b) A gate on something else
#
# A gate is a good idea where it sees *covariates*: numbers $c$ that come with a call, and whose
# distribution nobody asks for. Then $p(x \mid c) = \sum_k \theta_k(c) \, \mathcal N(x \mid m_k,
# \sigma_k)$ integrates to 1 for every $c$: a **mixture of experts** (Jacobs and others 1991). The
# recorder has a clock, and kinds of bird sing at different hours. Take the overlapping night:

# %%
random = np.random.default_rng(3)
hours = np.array([-1.5, -0.5, 0.5, 1.5])[broad.labels] + 0.4 * random.normal(size=500)
clock = hours[:, None]  # in units of two hours from midnight, say

from latentsteps.models.bnnc import stated_prior

wide = stated_prior(2)._replace(output_scale=1.0)  # a gate that may learn something
experts = bnnc(gate="covariates", prior=wide, **SETTINGS)
timed = run(experts, (broad.x, clock), steps=225, progress=True)
some = all_draws(timed)
told = partition(similarity(responsibilities(broad.x, some, clock)))
ari = adjusted_rand_score(broad.labels, told)
right_number = clusters(told) == 4
print(
    f"Overlapping kinds, with the hour: four clusters: {right_number}; ARI above .95: {ari > 0.95}."
)
print(f"Without it, W₂ = 0: ARI below .85: {score['W₂ = 0', 'overlapping'] < 0.85}.")
with_clock = label_free(timed, broad.x[:1], clock[:1])["log likelihood"].mean() / 500
without = label_free(traces["W₂ = 0", "overlapping"], broad.x[:1])["log likelihood"].mean() / 500
earned = with_clock - without
print(f"Nats a call: more by at least .5, and this time they are earned: {earned > 0.5}.")

# %% [markdown]
# ### (c) Divide by Z
#
# What does not integrate to one can be divided by its integral. The result is a proper model, with
# a story: choose $k$ *evenly*, draw $x$ from $\mathcal N_k$, keep it with probability
# $\theta_k(x)$, else start again. Whoever is kept has density $\frac1Z \sum_k \theta_k(x) \mathcal
# N_k(x)$. Your gate on the line can tell:

# %%
random = np.random.default_rng(1)
chosen = random.integers(3, size=200_000)
tried = CENTRES[chosen] + SDS[chosen] * random.normal(size=(200_000, 1))
theta = np.exp(gate_on_line(1.0)(tried))[np.arange(200_000), chosen]
kept = random.uniform(size=200_000) < theta
z_line = normaliser(
    gate_on_line(1.0), CENTRES, SDS, np.random.default_rng(0).normal(size=(20_000, 1))
)
print(f"Share kept, times K: {3 * kept.mean():.2f}; your Z: {z_line:.2f}.")

# %% [markdown]
# You have fitted it already: *divided*, in the table. $Z$ is computed at every leapfrog, by 36
# nodes for each component, so it costs the most. Look at what it learned:

# %%
print("Standard deviation of W₂'s entries, over draws and entries; in the prior it is .05.")
for night in ("eight kinds", "unequal"):
    for name in ("BNNC", "divided"):
        spread = all_draws(traces[name, night])["output_weights"].std()
        print(f"{night:<12} {name:<8} above .07: {spread > 0.07!s:<6}", end="")
        print(f"between .048 and .052: {0.048 < spread < 0.052}")

# %% [markdown]
# ### Question 6.Q5 Exactly the prior
#
# Under the model divided by $Z$ the posterior of the gate's weights is their prior, as far as one
# can see. What did the data say about them?
#
# - **a** That the weights are 0: the prior is centred there.
# - **b** Nobody can tell: the chains have not moved from the prior.
# - **c** That the prior was too narrow for them to be heard.
# - **d** Nothing.

# %%
prior_kept = "d"  ### SOLUTION

# %%
prior_kept = check.prior_kept(prior_kept)

# %% [markdown]
# So the network in BNNC found no clusters. The prior for the shares did. All that the network had
# learned was how to raise $Z$.
#
# ### (d) A gate that pays: the recognition network
#
# There is a place for a network that looks at a call and says which component it comes from: the
# place of $q$. There it is called a **recognition network**, $q(k \mid x) =
# \text{softmax}(\tanh([1, x] W_1) W_2 + b)$, this time with an intercept. It is no part of the
# model and has no prior. Mixture and network are optimised together, by climbing the sum of the
# ELBOs; each call's has the bill in it.
#
# ### Exercise 6.8 The ELBO of a call


# %%
def elbo(log_q, log_weights, log_densities):
    """Σ_k q_nk (log π_k + log N_nk − log q_nk) for each point, in nats: (N,).

    log_q: (N, K), rows are log probabilities, −∞ where one is 0. log_weights: log π, (K,).
    log_densities: log N(x_n | m_k, σ_k), (N, K).
    """
    ### BEGIN SOLUTION
    q = np.exp(log_q)
    with np.errstate(invalid="ignore"):
        terms = q * (log_weights + log_densities - log_q)
    return np.where(q > 0, terms, 0.0).sum(axis=1)  # 0 · log 0 counts as 0
    ### END SOLUTION


# %%
elbo = check.elbo(elbo)

# %% [markdown]
# First, hold the second half of your pen and paper to the computer: the same draw, its gate for
# $q$.

# %%
bound = elbo(log_q, draw["log_weights"], log_n)
kl = (np.exp(log_q) * (log_q - draw["log_weights"])).sum(axis=1)
print(f"For all 500 calls: ELBO ≤ log Σ π N: {(bound <= exact + 1e-9).all()};", end=" ")
print(f"ELBO + KL ≤ what BNNC claims: {(bound + kl <= claimed + 1e-9).all()}.")
short = (exact - bound).mean()
print("As q this gate is poor: its ELBO is short of the exact value by more than 20 nats a call:")
print(f"{short > 20}.")

# %% [markdown]
# The bound holds, and is loose here by tens of nats: the gate leaves every component in use some
# share, also those far from the call, where $\log \mathcal N$ is minus hundreds. The average of
# logarithms feels that, the logarithm of the average does not. So it is the equation that says how
# much BNNC gained, and the bound that says what a guess would have to pay.
#
# Then fit. Components that no longer pay for their own parameters are dropped for good (after
# Figueiredo and Jain 2002), from some state on. When that begins matters. Below both nights, early
# and late, five starts each; among the five the best *score* is kept, the ELBO less BIC's charge
# for the mixture's parameters.

# %%
from latentsteps.models.recognition_network import log_recognition, recognition_network

fits, best = {}, {}
for night, data in (("four", calls), ("eight", eight)):
    for name, prune_from in (("early", 2), ("late", 40)):
        algorithm = recognition_network(prune_from=prune_from)
        fits[night, name] = [run(algorithm, data.x, seed, steps=60) for seed in range(5)]
        best[night, name] = max(fits[night, name], key=lambda fit: fit.infos[-1].score)

figure, axes = plt.subplots(figsize=(6.5, 2.4), layout="constrained")
for row, (key, some) in enumerate(fits.items()):
    left = [fit.infos[-1].components for fit in some]
    height = row + np.linspace(-0.2, 0.2, 5)
    axes.plot(left, height, style.marker(row), color=style.colour(row), ms=5)
    i = some.index(best[key])
    axes.plot(left[i], height[i], "o", ms=13, mfc="none", color=style.INK)
axes.set_yticks(range(4), [f"{night}, {name}" for night, name in fits])
axes.invert_yaxis()
axes.set_xlabel("components left")
plt.show()
print(
    "The picture: five starts a row; a ring is around the one of the best score. It is at the right"
)
print("number in every row, and some starts are not.")

infos = [info for some in fits.values() for fit in some for info in fit.infos]
print(f"ELBO ≤ exact log-likelihood in all {len(infos)} states: ", end="")
print(f"{all(info.objective <= info.log_likelihood + 1e-6 for info in infos)}.")
off = max(abs(info.log_likelihood - info.objective - info.gap) for info in infos)
print(f"The gap is the KL from q to the responsibilities, computed on its own: {off < 1e-6}.")
for (night, name), fit in best.items():
    data = calls if night == "four" else eight
    labels = log_recognition(data.x, fit[-1]).argmax(axis=1)
    ari = adjusted_rand_score(data.labels, labels)
    print(f"{night}, {name}: ARI of the best at least .95: {ari >= 0.95}.")
wrong = [fit for fit in fits["eight", "early"] if fit.infos[-1].components < 8]
small = [fit.infos[-1].gap / 500 < 0.01 for fit in wrong]
print(
    f"Early, on eight kinds, some starts end with fewer: {len(wrong) > 0}; in each of them the gap"
)
print(f"is below .01 nats a call: {all(small)}.")

# %% [markdown]
# Begin early, and kinds that share a component at first stay together; begin late, and what k-means
# has split stays split. So take several starts, and the best score. And look at the last line: the
# network recognises a *wrong* mixture perfectly. A small gap certifies $q$, not the model.
#
# What did the network buy here? Nothing. With eleven components the exact responsibilities are a
# sum of eleven terms, and close the gap at once:

# %%
fit = best["eight", "early"]
state = fit[-1].position
alive = np.isfinite(state["log_weights"])
log_n = log_normals(eight.x, state["means"], state["scales"])[:, alive]
log_joint = state["log_weights"][alive] + log_n
log_exact = log_joint - logsumexp(log_joint, axis=1, keepdims=True)
network = elbo(log_recognition(eight.x, fit[-1])[:, alive], state["log_weights"][alive], log_n)
posterior = elbo(log_exact, state["log_weights"][alive], log_n)
off = abs(np.sum(network) - fit.infos[-1].objective)
print(f"Your ELBO with the network's q is the library's to 1e-6: {off < 1e-6}.")
off = abs(np.sum(posterior) - fit.infos[-1].log_likelihood)
print(f"With the responsibilities for q it is the log-likelihood to 1e-6: {off < 1e-6}.")

# %% [markdown]
# It pays where such a sum cannot be done: where what is hidden is not one of eleven, but a vector
# of real numbers. That is unit 07.
#
# ## Which z, which q, which gap?
#
# | | hidden | $q$ | gap between bound and evidence |
# |---|---|---|---|
# | EM, units 01–03 | assignments $z$ | exact, every E step | closed after each E step |
# | hard EM | assignments $z$ | all on one component | stays open |
# | NUTS, units 04 and 06 | parameters; $z$ summed out | draws, no formula | no bound |
# | mean field, unit 05 | $\theta$; $z$ summed out | independent bells | modes, correlations |
# | scikit-learn's | $z$, parameters | $q(z)\,q(\pi)\,q(m, \Sigma)$ | what they know of each other |
# | BNNC as stated | $z$ summed out | its gate, unpaid | no bound: $Z \ne 1$ |
# | recognition network | assignments $z$ | one network for all calls | KL to the responsibilities |
#
# ## The recipe, mended
#
# | the recipe | what happens | mended |
# |---|---|---|
# | the gate sees what the normals model | $Z = 2$: $\log 2$ a call for nothing | (a) to (d) |
# | $\pi$ on the simplex, and $+10^{-10}$ | divergences; another prior | anchored coordinates |
# | predicts the fitted rows only | no answer for a new call | exercise 6.6 |
#
# <details><summary>And the rest, in short</summary>
#
# - The text puts the Dirichlet on "the gating network's weights". It is on $\pi$, and the weights
#   of the network are normal.
# - "A $K$-hidden-layer gating network": $K$ is the number of components, and there is one layer.
# - An intercept is claimed, "the first column of $X$"; the data have none. Had they one, a normal
#   would have to model a column of ones, and its $\sigma$ would run to 0.
# - Three $\alpha$: $\alpha / K$ with $\alpha = .05$ in the first program, a count of .05 each in
#   the ready-made one, $1 / K$ with its empirical Bayes.
# - A small $\alpha$ is said to *ensure* that surplus components vanish, "mirroring" a Dirichlet
#   process. It is a prior, it makes that probable, and it is not the prior of a Dirichlet process.
# - One chain, and no diagnostic is looked at. In the package's own coordinates hundreds of draws
#   diverge, in silence.
# - Its similarity makes a table of all pairs for every draw before it averages.
# - Its example has blobs so far apart that every method scores 1.
#
# </details>
#
# ## What goes wrong, and how to see it
#
# | what you see | what it is | what to do |
# |---|---|---|
# | many divergences, r-hat fine | a corner of the simplex | log-gamma coordinates, anchored |
# | hundreds of leapfrogs a draw | a direction that means nothing | pin it |
# | r-hat of $W_1$ large | a network has many copies | judge by what has no names |
# | all chains at 1.00, too few clusters | caught alike | other starts; compare log densities |
# | clusters of one or two points | the cut at ½ where draws are in doubt | look at the similarity |
# | a large round cluster in pieces | splitting raises $Z$ | a model that integrates to 1 |
# | far more nats, the same clusters | not a density | compute its integral |
# | a posterior equal to the prior | the data say nothing about it | leave it out |
# | one DP component for two kinds | a prior as wide as all data | say how wide a component is |
# | a small gap, a poor mixture | $q$ is right, the model is not | starts, and a score that counts |
#
# ## Summary
#
# - Two priors leave components empty. A DP expects about $\alpha \log N$ clusters, and their number
#   is no estimate; a sparse Dirichlet expects few, and empties the rest.
# - The same prior may be hopeless in one set of coordinates and easy in another.
# - Clusters come from pairs: average who is with whom, then cut. New points are compared with
#   members, in each draw.
# - How many clusters one finds depends on how wide the prior says a cluster is.
# - What sees $x$ before it weighs densities of $x$ has no claim to be a density. Integrate.
# - A guess that looks at the data is a $q$, and a $q$ has to pay its KL.
#
# In unit 07 what is hidden is a vector, the recognition network earns its keep, and the decoder is
# a network as well.
#
# ## Sources
#
# - Ferguson (1973), "A Bayesian analysis of some nonparametric problems", *The Annals of
#   Statistics* 1, 209–230; Sethuraman (1994), "A constructive definition of Dirichlet priors",
#   *Statistica Sinica* 4, 639–650: the stick; Ishwaran and James (2001), "Gibbs sampling methods
#   for stick-breaking priors", *Journal of the American Statistical Association* 96, 161–173:
#   cutting it.
# - Neal (2000), "Markov chain sampling methods for Dirichlet process mixture models", *Journal of
#   Computational and Graphical Statistics* 9, 249–265.
# - Miller and Harrison (2013), "A simple example of Dirichlet process mixture inconsistency for the
#   number of components", *Advances in Neural Information Processing Systems* 26.
# - Rousseau and Mengersen (2011), "Asymptotic behaviour of the posterior distribution in overfitted
#   mixture models", *Journal of the Royal Statistical Society B* 73, 689–710; Malsiner-Walli,
#   Frühwirth-Schnatter and Grün (2016), "Model-based clustering based on sparse finite Gaussian
#   mixtures", *Statistics and Computing* 26, 303–324.
# - Jacobs, Jordan, Nowlan and Hinton (1991), "Adaptive mixtures of local experts", *Neural
#   Computation* 3, 79–87: a gate in its place.
# - Medvedovic and Sivaganesan (2002), "Bayesian infinite mixture model based clustering of gene
#   expression profiles", *Bioinformatics* 18, 1194–1206: partitions from pairs.
# - Dayan, Hinton, Neal and Zemel (1995), "The Helmholtz machine", *Neural Computation* 7, 889–904:
#   recognition.
# - Figueiredo and Jain (2002), "Unsupervised learning of finite mixture models", *IEEE Transactions
#   on Pattern Analysis and Machine Intelligence* 24, 381–396: dropping components.
# - Hubert and Arabie (1985), "Comparing partitions", *Journal of Classification* 2, 193–218: ARI.
# - Murphy (2012), *Machine Learning: A Probabilistic Perspective*, sections 11.2.4 (mixtures of
#   experts) and 25.2 (DP mixtures).
