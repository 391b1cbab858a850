# %% [markdown]
# # 02 · The EM derivation
#
# Units 00 and 01 ran a loop and watched a number rise. Here you find out *why* it rises. The model
# is the smallest that can show it, a mixture of two bells on a line, and every line of the
# derivation becomes a small function that is held to the line before it by numbers.
#
# **Time:** 3 to 4 hours.
#
# **What to know before:** unit 01, up to its E step and M step. Calculus: the derivative of a
# logarithm and of a quotient. The density of the normal distribution.
#
# **Afterwards you can**
#
# - say what EM climbs, and why neither half of it can go down;
# - derive both halves for a mixture of Gaussians, and check each line with a computer;
# - tell three things apart that are often mixed up: log-likelihood, bound, and $Q$;
# - mend a derivative that has the wrong sign and still gives the right answer;
# - say why this likelihood has no maximum at all, and what to do about it.
#
# ### Notation
#
# | what | here | in code | Bishop | Murphy | recipe |
# |---|---|---|---|---|---|
# | point $n$ of $N$ | $x_n$ | `x`, (N,) | $x_n$ | $x_i$ | $x_\mu$ |
# | component of point $n$, hidden | $z_n$ | | $\mathbf z_n$ | $z_i$ | $k$ |
# | share of component $k$ | $\pi_k$ | `weights`, (K,) | $\pi_k$ | $\pi_k$ | $\pi_k$ |
# | its mean | $a_k$ | `means`, (K,) | $\mu_k$ | $\mu_k$ | $a_k$ |
# | its variance | $\sigma_k^2$ | `variances`, (K,) | $\sigma_k^2$ | $\sigma_k^2$ | $\sigma_k^2$ |
# | all parameters | $\theta$ | | $\theta$ | $\theta$ | $\theta$ |
# | posterior $p(z_n = k \mid x_n)$ | $r_{nk}$ | (N, K) | $\gamma(z_{nk})$ | $r_{ik}$ | $r_\mu^k$ |
# | *any* distribution over components | $q_{nk}$ | `q`, (N, K) | $q$ | $q_i$ | |
# | the bound | $F(q, \theta)$ | `bound` | $\mathcal L(q, \theta)$ | $Q(\theta, q)$ | |
# | expected log joint | $Q$ | | $\mathcal Q$ | $Q$ | $Q(\theta, q^*)$ |
# | $\sum_n q_{nk}$ | $N_k$ | `counts`, (K,) | $N_k$ | $r_k$ | |
#
# Bishop (2006), sections 9.2 to 9.4; Murphy (2012), section 11.4, who writes $Q$ for the bound in
# 11.4.7. The recipe is a handout that asks for this derivation; you meet it on the way. Logarithms
# are natural, so everything is in nats. In code components are counted from 0; in formulas and
# pictures from 1, so that $a_1$ is `means[0]`.

# %%
import matplotlib.pyplot as plt
import numpy as np

from latentsteps.checks import em_derivation as check
from latentsteps.data import old_faithful
from latentsteps.views import style

plt.style.use(style.RC)
x = old_faithful()[:, 0]

figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.hist(x, bins=34, color="#D8D8D8")
axes.axvline(3.1, color=style.colour(5), ls="--")
axes.text(3.05, 20, "3.1 minutes", ha="right", color=style.colour(5))
axes.set_xlabel("length of the eruption (minutes)")
axes.set_ylabel("eruptions")
plt.show()

between = np.sum((x > 2.6) & (x < 3.2))
print("The picture: two heaps, one near 2 and one near 4½ minutes, and a valley between them.")
print(f"Of {len(x)} eruptions of Old Faithful, {between} lasted between 2.6 and 3.2 minutes.")

# %% [markdown]
# ## A question, twice
#
# Old Faithful has short eruptions and long ones. An eruption lasts 3.1 minutes. **Of which kind
# was it?**
#
# If somebody told you what the two kinds look like, how long each lasts and how much it varies,
# you could answer: compare two probabilities. And if somebody told you of which kind every eruption
# was, you could say what the kinds look like: take means and variances. Nobody tells you either.
# Each answer needs the other.
#
# So write down both together. To make an eruption, choose a kind, $k$ with probability $\pi_k$;
# then draw its length from that kind's bell:
#
# $$p(x, k) = \pi_k \, \mathcal N(x \mid a_k, \sigma_k^2)
#   = \pi_k \, \frac{1}{\sqrt{2\pi\sigma_k^2}}
#   \exp\Bigl(-\frac{(x - a_k)^2}{2\sigma_k^2}\Bigr) .$$
#
# We see $x$ and not $k$, so what the data can speak about is the sum over kinds, and the
# parameters are to make the **log-likelihood** large,
#
# $$\ell(\theta) = \sum_n \log p(x_n) = \sum_n \log \sum_k p(x_n, k) .$$

# %% [markdown]
# ## See it run
#
# Before any algebra: this is what the unit is about. At the left the eruptions, with two bells
# and their sum; below, each eruption at the height of $q_{n1}$, the share that component 1 has in
# it. In the middle $\ell$ along one parameter, all others held (black), and a second curve, $F$
# (dashed). At the right what has happened so far.
#
# Press **Step** slowly. A step is *half* a round: E changes $q$ and leaves the parameters, M
# changes the parameters and leaves $q$.
#
# - After **E**: where do the two curves meet, and how? Where do the points lie?
# - Before you take the next step: where will M put the dashed line's point?
# - After **M**: two things have happened to the black point. Which? Is it ever below the dashed
#   one?
# - What closes the gap?
# - Look along another parameter (**view**). Is it the same there?
# - Play on. The bars at the lower right are on a logarithmic scale. What do they do?
#
# Then the starts. *Nearly the same*: is it at rest after ten steps? *Both on the long ones*: watch
# the dotted line, $Q$. *On one eruption*: play, and read what it says in the end. And with
# **learn** on *means* choose the view *path*, and see which summit each start climbs. (With
# *everything* the path is drawn on a landscape that changes under it, and may seem to go downhill.)

# %%
from latentsteps.inference import em as em_library
from latentsteps.models import univariate_mixture as library
from latentsteps.models.univariate_mixture import UnivariateMixture, univariate_mixture
from latentsteps.stepper import Stepper
from latentsteps.views import bound as bound_view


def start_from(weights, means, variances):
    return UnivariateMixture(np.array(weights), np.array(means), np.array(variances))


STARTS = {
    "apart": start_from([0.5, 0.5], [2.5, 3.5], [1.0, 1.0]),
    "nearly the same": start_from([0.5, 0.5], [3.4, 3.55], [0.5, 0.5]),
    "both on the long ones": start_from([0.5, 0.5], [4.0, 4.7], [0.05, 0.05]),
    "on one eruption": start_from([0.02, 0.98], [3.6, 3.5], [0.001, 1.3]),
}


def library_bound(x, q, parameters):
    return em_library.bound(library.log_joint(x, parameters), q)


Stepper(
    univariate_mixture,
    x,
    bound_view.views(library.log_joint, library_bound, unit="minutes"),
    controls={"start": STARTS, "learn": ["everything", "means"]},
    filmstrip=(0, 1, 6, 7),
)

# %% [markdown]
# Everything you have seen has a reason, and you will write all of it: $\log p(x, k)$, the shares,
# the dashed curve, the gap, and the step that climbs.
#
# ## Why not set the derivative to zero?
#
# With one component you would: $\ell$ is a parabola in $a$, its derivative
# $\sum_n (x_n - a)/\sigma^2$ is zero at the mean, done. With two, the logarithm stands before a
# *sum*, and the derivative is
#
# $$\frac{\partial \ell}{\partial a_1}
#   = \sum_n \frac{p(x_n, 1)}{\sum_j p(x_n, j)} \cdot \frac{x_n - a_1}{\sigma_1^2} .$$
#
# The first factor is the trouble. Predict: with all else held, where is the best $a_1$ if $a_2$
# is 3, and if it is 4.5? In the single bell there would be no "if".

# %%
from scipy.special import logsumexp


def log_likelihood_at(parameters):
    return logsumexp(library.log_joint(x, parameters), axis=1).sum()


tried = np.linspace(1.2, 5.2, 201)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
print("The picture: three curves over a₁, and each has its top in another place.")
for i, second in enumerate([3.0, 3.75, 4.5]):
    heights = np.array(
        [log_likelihood_at(start_from([0.5, 0.5], [a, second], [0.5, 0.5])) for a in tried]
    )
    best = heights.argmax()
    axes.plot(tried, heights, ("-", "--", ":")[i], color=style.colour(i), label=f"a₂ = {second}")
    axes.plot(tried[best], heights[best], style.marker(i), color=style.colour(i), ms=8)
    print(f"With a₂ = {second} the best a₁ is {tried[best]:.2f}.")
axes.set_xlabel("a₁ (minutes)")
axes.set_ylabel("log-likelihood (nats)")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# Every parameter's equation contains all the others, inside exponentials. There is no formula for
# the solution. If only the logarithm stood *inside* the sum: then each term would be a parabola
# again. That is what the dashed curve will be.
#
# ## The two ingredients
#
# ### Exercise 2.1 The log joint
#
# Take the logarithm of $p(x, k)$ above and write it for all points and components at once. (Stay
# in logarithms from the start: the exponential of −800 is 0 in the computer, and its logarithm
# −∞.)


# %%
def log_joint(x, weights, means, variances):
    """log p(x_n, k) of every point and every component, in nats.

    x: (N,). weights, means, variances: (K,). Returns (N, K).
    """
    ### BEGIN SOLUTION
    difference = x[:, None] - means  # (N, 1) minus (K,) pairs every point with every component
    log_bell = -0.5 * np.log(2 * np.pi * variances) - difference**2 / (2 * variances)
    return np.log(weights) + log_bell
    ### END SOLUTION


# %%
log_joint = check.log_joint(log_joint)

# %% [markdown]
# Wherever you are stuck: `check.NAME.hint()` in a new cell, `check.log_joint.hint()` here.
#
# ### Exercise 2.2 Responsibilities
#
# Of which kind was it? By Bayes' rule,
#
# $$r_{nk} = p(k \mid x_n) = \frac{p(x_n, k)}{\sum_j p(x_n, j)} .$$
#
# The recipe prints $p(k \mid x, \theta)$ in the *numerator*. What would that fraction be? The
# numerator has to be what is normalised: the joint. Use your `log_joint`, and mind the points that
# are far from every component.


# %%
def responsibilities(x, weights, means, variances):
    """p(k | x_n): the share that each component has in each point; rows sum to one.

    x: (N,). weights, means, variances: (K,). Returns (N, K).
    """
    ### BEGIN SOLUTION
    joint = log_joint(x, weights, means, variances)
    # log p(x_n) is a log-sum-exp, safe where every exponential would be 0.
    return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    ### END SOLUTION


# %%
responsibilities = check.responsibilities(responsibilities)

# %%
guess = start_from([0.4, 0.6], [2.0, 4.3], [0.1, 0.2])
lengths = np.array([2.0, 2.9, 3.1, 3.3, 4.5])
print(f"If the kinds were {guess.means} minutes, variances {guess.variances}:")
for length, share in zip(lengths, responsibilities(lengths, *guess)[:, 0], strict=True):
    print(f"  an eruption of {length} minutes is a short one with probability {share:.2f}")

# %% [markdown]
# So the first answer is there, given the second. For a guess at the parameters, which way is up?
#
# ## Toolbox: Jensen's inequality
#
# The logarithm bends downwards: a chord between two of its points lies below the curve.

# %%
numbers = np.linspace(0.5, 10, 200)
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.plot(numbers, np.log(numbers), color=style.INK, label="log")
axes.plot([1, 9], np.log([1, 9]), "o--", color=style.colour(5), label="chord from 1 to 9")
axes.plot([5, 5], [np.log([1, 9]).mean(), np.log(5)], color=style.colour(5), lw=6, alpha=0.4)
axes.set_xlabel("a")
axes.set_ylabel("log a (nats)")
axes.legend(frameon=False)
plt.show()
print("The picture: a curve that bends downwards, a chord below it, a bar between them at 5.")
print(f"Log of the mean of 1 and 9: {np.log(5):.3g}. Mean of their logs: {np.log(9) / 2:.3g}.")

# %% [markdown]
# ### Question 2.Q1 The logarithm of a mean
#
# Take positive numbers $a_1, \dots, a_K$ and weights $q_k > 0$ that sum to one. How do
# $\log \sum_k q_k a_k$ and $\sum_k q_k \log a_k$ compare, and why?
#
# - **a** The log of the mean is the smaller: the logarithm shrinks large numbers.
# - **b** They are equal: the logarithm rises everywhere, so it can change places with a mean.
# - **c** The log of the mean is the larger, or equal: the logarithm bends downwards, so its chords
#   lie below it.
# - **d** It depends: where the $a_k$ are below 1 their logarithms are negative, and the order turns
#   round.

# %%
jensen = "c"  ### SOLUTION

# %%
jensen = check.jensen(jensen)

# %% [markdown]
# Now the trick on which the whole course rests. Take *any* numbers $q_{nk}$ whose rows sum to one,
# multiply and divide by them, and move the logarithm inside:
#
# $$\log p(x_n) = \log \sum_k q_{nk} \, \frac{p(x_n, k)}{q_{nk}}
#   \;\ge\; \sum_k q_{nk} \log \frac{p(x_n, k)}{q_{nk}} .$$
#
# The right side, summed over points, is the **bound**. Split the fraction:
#
# $$F(q, \theta) = \underbrace{\sum_n \sum_k q_{nk} \log p(x_n, k)}_{Q}
#   \; \underbrace{- \sum_n \sum_k q_{nk} \log q_{nk}}_{H(q)} .$$
#
# The first part is the expected log joint, known as $Q$. The second is the entropy of $q$.
#
# ## Toolbox: entropy
#
# For one row of $q$, $-\sum_k q_k \log q_k$ says how unsure $q$ is: 0 if it puts everything on one
# component, $\log K$ if it treats all alike.
#
# ### Exercise 2.3 Entropy
#
# Write the sum over all rows. What is $0 \cdot \log 0$? Look at $q \log q$ as $q$ goes to 0.


# %%
def entropy(q):
    """The entropies of the rows of q, added up, in nats.

    q: (N, K), rows sum to one, zeros allowed. Returns one number.
    """
    ### BEGIN SOLUTION
    # A zero adds nothing: q log q goes to 0 with q.
    return -np.sum(q * np.log(np.where(q > 0, q, 1)))
    ### END SOLUTION


# %%
entropy = check.entropy(entropy)

# %% [markdown]
# ### Exercise 2.4 The bound
#
# Write $F$ for *any* $q$, not only for responsibilities. It is a function of two arguments, and
# this is what makes EM.


# %%
def bound(x, q, weights, means, variances):
    """F(q, θ): the expected log joint plus the entropy of q, in nats.

    x: (N,). q: (N, K), any rows that sum to one. weights, means, variances: (K,).
    Returns one number.
    """
    ### BEGIN SOLUTION
    return np.sum(q * log_joint(x, weights, means, variances)) + entropy(q)
    ### END SOLUTION


# %%
bound = check.bound(bound)

# %% [markdown]
# ## Toolbox: the Kullback–Leibler divergence
#
# How far below the log-likelihood is the bound? The answer is a way to compare two distributions.
# For one point,
#
# $$\mathrm{KL}(q \,\|\, p) = \sum_k q_k \log \frac{q_k}{p_k} ,$$
#
# the mean of $\log (q_k/p_k)$ *under q*. By Jensen it is never negative, and it is zero only where
# $q = p$. It is no distance: $\mathrm{KL}(q \,\|\, p)$ and $\mathrm{KL}(p \,\|\, q)$ differ.
#
# ### Exercise 2.5 The gap
#
# Write the sum over points of the divergence from `q` to `posterior`. A zero in `q` adds nothing.


# %%
def gap(q, posterior):
    """Σ_n KL(q_n ‖ posterior_n), in nats.

    q, posterior: (N, K), rows sum to one; zeros in q are allowed. Returns one number.
    """
    ### BEGIN SOLUTION
    some = q > 0
    return np.sum(q[some] * np.log(q[some] / posterior[some]))
    ### END SOLUTION


# %%
gap = check.gap(gap)

# %% [markdown]
# ### Pen and paper: how far below?
#
# Show that for every $q$ and every $\theta$
#
# $$F(q, \theta) = \ell(\theta) - \sum_n \mathrm{KL}\bigl(q_n \,\|\, p(\cdot \mid x_n)\bigr) .$$
#
# Begin with one point and with $p(x, k) = p(k \mid x) \, p(x)$. Which $q$ makes $F$ largest, and
# how large is it then?

# %% [markdown]
# *Double-click here and write your answer. Formulas go between dollar signs, as in `$q_{nk}$`.*

# %% [markdown] tags=["solution"]
# **A model answer.** For one point, put $p(x, k) = p(k \mid x) \, p(x)$ into the bound:
#
# $$\sum_k q_k \log \frac{p(x, k)}{q_k}
#   = \sum_k q_k \log p(x) + \sum_k q_k \log \frac{p(k \mid x)}{q_k} .$$
#
# In the first sum $\log p(x)$ does not depend on $k$ and the $q_k$ sum to one: it is $\log p(x)$.
# The second is $-\mathrm{KL}(q \,\|\, p(\cdot \mid x))$. Summed over points this is the claim.
#
# $\ell$ does not contain $q$. So $F$ is largest in $q$ where the divergence is smallest, which is
# 0, at $q_{nk} = p(k \mid x_n) = r_{nk}$ and nowhere else, and there $F = \ell$. No derivative was
# needed.

# %% [markdown]
# ## Line by line, by numbers
#
# A derivation is a row of expressions that are claimed to be equal. So compute each line, for $q$
# drawn by lot and parameters drawn by lot. If a line is wrong, this is where it shows.

# %%
random = np.random.default_rng(0)


def some_parameters():
    """Parameters drawn by lot, two components."""
    return random.dirichlet([2, 2]), random.uniform(1.5, 5, 2), random.uniform(0.05, 1.5, 2)


def lines(q, theta):
    """Each line of the derivation above, as a number."""
    joint = log_joint(x, *theta)
    log_p = logsumexp(joint, axis=1, keepdims=True)  # log p(x_n)
    log_posterior = joint - log_p
    log_q = np.log(q)
    return {
        "Σ log p(x)": log_p.sum(),
        "Σ Σ q log p(x)": (q * log_p).sum(),
        "Σ Σ q log [p(x, k) / p(k | x)]": (q * (joint - log_posterior)).sum(),
        "Σ Σ q log [p(x, k) / q] + q log [q / p(k | x)]": (
            q * (joint - log_q) + q * (log_q - log_posterior)
        ).sum(),
        "F + gap": bound(x, q, *theta) + gap(q, np.exp(log_posterior)),
    }


worst, smallest = {}, np.inf
for _ in range(200):
    q, theta = random.dirichlet([1, 1], size=len(x)), some_parameters()
    values = lines(q, theta)
    top = values["Σ log p(x)"]
    for line, value in values.items():
        worst[line] = max(worst.get(line, 0.0), abs(value - top) / abs(top))
    smallest = min(smallest, top - bound(x, q, *theta))

for line, difference in worst.items():
    print(f"{line:48} {'equal' if difference < 1e-9 else 'NOT equal'} to the first line, 200 times")
print(f"F was below the log-likelihood each time, by {smallest:.0f} nats at least.")

# %% [markdown]
# ## The E step: touch
#
# By the formula the E step needs no calculus: make the divergence zero. **Take the posterior for
# q.** Then $F = \ell$ at the present parameters.
#
# At *other* parameters $F$, with this $q$ held, is still below $\ell$ or equal. Two smooth curves
# that meet, one never above the other: so they touch, with the same slope. That is the claim. Test
# it in all parameters, in two ways that share no code: by automatic differentiation (JAX), and by
# differences of *your* functions.

# %%
from jax.scipy.special import logsumexp as jax_logsumexp
from jax.scipy.stats import norm

from latentsteps.jax64 import jax, jnp


def jax_joint(theta):
    weights, means, variances = theta
    return norm.logpdf(x[:, None], means, jnp.sqrt(variances)) + jnp.log(weights)


@jax.grad
def jax_slope_of_likelihood(theta):
    return jax_logsumexp(jax_joint(theta), axis=1).sum()


def jax_slope_of_bound(theta, q):
    # The entropy of q does not depend on θ: its slope is 0.
    return jax.grad(lambda now: jnp.vdot(q, jax_joint(now)))(theta)


def by_differences(function, theta, name, k):
    """Slope of function(theta) in one entry, by a central difference."""
    step = 1e-5
    up, down = [np.array(field) for field in theta], [np.array(field) for field in theta]
    up[name][k] += step
    down[name][k] -= step
    return (function(up) - function(down)) / (2 * step)


def log_likelihood(theta):
    return logsumexp(log_joint(x, *theta), axis=1).sum()


theta = STARTS["apart"]
for title, q in [
    ("q = the posterior", responsibilities(x, *theta)),
    ("q = ½ everywhere", np.full((len(x), 2), 0.5)),
]:
    exact = jax_slope_of_likelihood(theta), jax_slope_of_bound(theta, q)
    print(f"{title}: F is {abs(gap(q, responsibilities(x, *theta))):.1f} nats below.")
    print("  slope in    log-likelihood: JAX, differences      F: JAX, differences")
    for name, k, label in [(0, 0, "π₁"), (1, 0, "a₁"), (1, 1, "a₂"), (2, 0, "σ²₁"), (2, 1, "σ²₂")]:
        by_hand = (
            by_differences(log_likelihood, theta, name, k),
            by_differences(lambda now, q=q: bound(x, q, *now), theta, name, k),
        )
        row = [style.number(v) for pair in zip(exact, by_hand, strict=True)
               for v in (pair[0][name][k], pair[1])]  # fmt: skip
        print(f"  {label:8} {row[0]:>16} {row[1]:>12} {row[2]:>18} {row[3]:>12}")

# %% [markdown]
# (For $\pi_1$ the other weight was held, so the weights no longer sum to one: a slope is a slope.)
# With the posterior all slopes agree; with another $q$ they do not. So the black and the dashed
# curve in the stepper touch in *every* direction.
#
# ## Q is not the bound
#
# Often, and in the recipe too, $Q$ is called the bound that EM climbs. $Q$ does lie below $\ell$,
# because $H(q) \ge 0$. But it does not touch, and it need not rise. Here is a run from *both on
# the long ones*.

# %%
from latentsteps.inference.em import E_STEP
from latentsteps.trace import run


def decimals(value, digits=0):
    """A number with so many decimals, and with a true minus sign."""
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", "−")


def table_of(trace, states):
    print("state  after  log-likelihood       F       Q    entropy of q")
    for t in states:
        now, q, phase = trace[t]
        value, spread = bound(x, q, *now), entropy(q)
        top, f, expected, h = map(decimals, (log_likelihood(now), value, value - spread, spread))
        half = "E" if phase == E_STEP else "M"
        print(f"{t:5}  {half:>5}  {top:>14}  {f:>6}  {expected:>6}  {h:>14}")


long_run = run(univariate_mixture(STARTS["both on the long ones"]), x, steps=7)
table_of(long_run, range(1, 8))

# %% [markdown]
# ### Question 2.Q2 What fell, and when?
#
# Between two states, each after its M step, $Q$ went down and the log-likelihood went up (states 1
# and 3). Which half of the step pushed $Q$ down? Find it in the table or in the stepper's dotted
# line.
#
# - **a** Neither: $Q$ is a lower bound of what rises, so it rises too.
# - **b** The E step: it changed $q$, and what $Q$ lost, the entropy of $q$ more than made up for.
# - **c** The M step: it raises $F$, and $Q$ pays for it.
# - **d** Either of them: EM's promise holds for whole rounds, not for half-steps.

# %%
q_falls = "b"  ### SOLUTION

# %%
q_falls = check.q_falls(q_falls)

# %% [markdown]
# It is no oddity of this start. In a textbook's figure on the same geyser, with waits as well and
# two tilted clouds (Murphy 2012, figure 11.11; you reproduce it in unit 03):

# %%
from scipy.special import xlogy

from latentsteps.data import standardize
from latentsteps.models import gaussian_mixture as clouds

book = clouds.GaussianMixture(
    np.array([0.5, 0.5]),
    np.array([[-1.8, 1.5], [1.8, -1.5]]),
    np.array([0.1 * np.eye(2), 0.1 * np.eye(2)]),
)
book_run = run(clouds.gaussian_mixture(2, start=book), standardize(old_faithful()), steps=3)
for t in (1, 2):
    q = book_run[t].expectations
    height = book_run.objective[t]
    expected = height + xlogy(q, q).sum()
    print(f"After round {t}: log-likelihood {style.number(height)}, Q {style.number(expected)}.")

# %% [markdown]
# So look at $F$ when you ask whether EM works. $Q$ has its place: in the M step $q$ is held, the
# entropy with it, and the best parameters for $F$ are the best for $Q$.
#
# ## The M step: climb
#
# With $q$ held, and $N_k = \sum_n q_{nk}$,
#
# $$Q = \sum_k \sum_n q_{nk} \Bigl[ \log \pi_k - \tfrac12 \log (2\pi\sigma_k^2)
#   - \frac{(x_n - a_k)^2}{2\sigma_k^2} \Bigr] .$$
#
# The logarithm is inside now. Each parameter has terms of its own: weights here, the mean and
# variance of each component there.
#
# ## Toolbox: a Lagrange multiplier
#
# The weights' part of $Q$ is $\sum_k N_k \log \pi_k$. It grows with every weight, so its gradient
# is zero nowhere. But the weights cannot move freely: $\sum_k \pi_k = 1$.

# %%
q = responsibilities(x, *STARTS["apart"])
counts = q.sum(axis=0)

side = np.linspace(0.05, 1.1, 120)
part = counts[0] * np.log(side[None, :]) + counts[1] * np.log(side[:, None])
best = counts / counts.sum()
figure, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
level = counts @ np.log(best)
heights = level + np.array([-300, -200, -120, -60, -20, 0, 40, 80])
axes.contour(side, side, part, levels=heights, colors="#8A8A8A", linewidths=0.8, linestyles="solid")
axes.contour(side, side, part, levels=[level], colors=style.colour(0), linestyles="solid")
axes.plot([0.05, 0.95], [0.95, 0.05], color=style.INK, lw=2)
for first in (0.2, best[0], 0.8):
    here = np.array([first, 1 - first])
    slope = counts / here
    axes.annotate(
        "", here + 0.16 * slope / np.linalg.norm(slope), here,
        arrowprops={"arrowstyle": "->", "color": style.colour(5), "lw": 2},
    )  # fmt: skip
axes.plot(*best, "o", color=style.colour(0), ms=8)
axes.set_xlabel("π₁")
axes.set_ylabel("π₂")
axes.set_aspect("equal")
plt.show()
print("The picture: level curves of the weights' part of Q, and the line π₁ + π₂ = 1. Along the")
print("line it is highest where a level curve touches; there the gradient (arrows) stands upright")
print("on the line, with equal entries. Elsewhere it leans, and points the way along the line.")

# %% [markdown]
# At the highest point of the line the gradient need not vanish. It only must not lean to either
# side: it is a multiple of the constraint's own gradient, $(1, \dots, 1)$. The multiple is called
# $\lambda$. So differentiate $\sum_k N_k \log \pi_k + \lambda (1 - \sum_k \pi_k)$, set that to
# zero, and get $\lambda$ from the constraint.
#
# ### Pen and paper: the weights
#
# Do it: find $\lambda$ and the best $\pi_k$. Why is this a maximum, and the only one?

# %% [markdown]
# *Double-click here and write your answer.*

# %% [markdown] tags=["solution"]
# **A model answer.** The derivative in $\pi_k$ is $N_k/\pi_k - \lambda$, which is zero for
# $\pi_k = N_k/\lambda$. Summing over $k$: $1 = \sum_k N_k / \lambda$, and
# $\sum_k N_k = \sum_n \sum_k q_{nk} = N$, so $\lambda = N$ and $\pi_k = N_k/N$.
#
# $\sum_k N_k \log \pi_k$ is concave, and strictly so in every $\pi_k$ with $N_k > 0$; on the line
# a concave function has no other maximum. Or without derivatives: for any other weights $w$ the
# difference is $\sum_k N_k \log (\pi_k / w_k) = N \, \mathrm{KL}(\pi \,\|\, w) \ge 0$.

# %% [markdown]
# ### Exercise 2.6 New weights


# %%
def update_weights(q):
    """The weights that make F largest for this q.

    q: (N, K), rows sum to one. Returns (K,).
    """
    ### BEGIN SOLUTION
    return q.sum(axis=0) / len(q)
    ### END SOLUTION


# %%
update_weights = check.update_weights(update_weights)

# %% [markdown]
# ### Question 2.Q3 A maximum where the slope is not zero
#
# At the best weights, $\partial Q / \partial \pi_k = N_k / \pi_k$ is not zero. Why is this a
# maximum all the same, and how large is the multiplier $\lambda$?
#
# - **a** It is only nearly a maximum: with more rounds of EM the slope goes to 0, and
#   $\lambda = 0$.
# - **b** The weights sum to one, so only slopes *along* that constraint have to vanish. The sum is
#   1, so $\lambda = 1$.
# - **c** Each weight has a multiplier of its own, $\lambda_k = N_k$, which cancels its slope.
# - **d** The weights sum to one, so what one gains another loses. All slopes are equal, and summing
#   the condition gives $\lambda = N$.

# %%
multiplier = "d"  ### SOLUTION

# %%
multiplier = check.multiplier(multiplier)

# %%
weights = update_weights(q)
slopes = jax_slope_of_bound((weights, *STARTS["apart"][1:]), q)[0]
print(
    f"Slope of F in each weight, by JAX: {style.listing(f'{s:.0f}' for s in slopes)}; N = {len(x)}."
)
along = slopes - slopes.mean()
print(f"What is left of it along the constraint: {np.abs(along).max():.1f}.")

# %% [markdown]
# ## The variance, and a recipe to mend
#
# For component $k$ the recipe prints
#
# $$\frac{\partial Q}{\partial \sigma_k^2}
#   = \sum_n q_{nk} \Bigl( \frac{1}{2\sigma_k^2} - \frac{(x_n - a_k)^2}{2 \sigma_k^4} \Bigr) ,$$
#
# and goes on to the right variance. **Something is wrong, and yet the result is right.** Find out
# what it is. Here is the recipe's slope beside what $Q$ really does:

# %%
start = STARTS["apart"]
squares = (x - start.means[0]) ** 2
tried = np.linspace(0.5, 4, 141)


def with_first_variance(value):
    return start.weights, start.means, np.array([value, start.variances[1]])


heights = np.array([bound(x, q, *with_first_variance(value)) for value in tried])
recipe = np.array([(q[:, 0] * (1 / (2 * v) - squares / (2 * v**2))).sum() for v in tried])
top = tried[heights.argmax()]

figure, (upper, lower) = plt.subplots(2, 1, figsize=(6.5, 4.4), sharex=True, layout="constrained")
upper.plot(tried, heights, "--", color=style.colour(5))
upper.set_ylabel("F (nats)")
lower.plot(tried, recipe, color=style.colour(0))
lower.axhline(0, color=style.INK, lw=0.8)
lower.set_ylabel("the recipe's slope")
lower.set_xlabel("σ²₁ (minutes²)")
for axes in (upper, lower):
    axes.axvline(top, color=style.INK, lw=0.8, ls=":")
plt.show()
left, right = recipe[tried < top - 0.1].max(), recipe[tried > top + 0.1].min()
print(f"The picture: F along σ²₁ has its top at {top:.2f}. Left of it, where F rises, the recipe's")
print(f"slope is {'negative' if left < 0 else 'positive'}; right of it, where F falls, it is "
      f"{'positive' if right > 0 else 'negative'}.")  # fmt: skip

# %% [markdown]
# ### Exercise 2.7 The slope in the variance
#
# Write the right derivative. The variable is $\sigma^2$ as a whole, not $\sigma$: call it $v$ while
# you differentiate $-\frac12 \log (2\pi v) - (x - a)^2 / (2v)$.


# %%
def variance_slope(x, q, means, variances):
    """∂Q/∂σ²_k for every component.

    x: (N,). q: (N, K). means, variances: (K,). Returns (K,).
    """
    ### BEGIN SOLUTION
    squares = (x[:, None] - means) ** 2
    return (q * (squares / variances - 1) / (2 * variances)).sum(axis=0)
    ### END SOLUTION


# %%
variance_slope = check.variance_slope(variance_slope)

# %% [markdown]
# Both signs give the same root, so a wrong sign goes unnoticed by whoever only solves for zero. It
# would not go unnoticed by whoever climbs along it, or asks whether the root is a maximum. The
# recipe does not ask. You do.
#
# ### Pen and paper: mean and variance
#
# 1. Find the $a_k$ with $\partial Q / \partial a_k = 0$, and show that it is the maximum whatever
#    $\sigma_k^2$ is. Why does that let you put the *new* mean into the variance?
# 2. Find the $\sigma_k^2$ with $\partial Q / \partial \sigma_k^2 = 0$.
# 3. Show that the second derivative there is $-N_k / (2 \sigma_k^4)$. Why is that alone not enough
#    for a maximum over *all* variances, and what is?

# %% [markdown]
# *Double-click here and write your answer.*

# %% [markdown] tags=["solution"]
# **A model answer.** (1) $\partial Q/\partial a_k = \sum_n q_{nk} (x_n - a_k)/\sigma_k^2$ is zero
# at $a_k = \sum_n q_{nk} x_n / N_k$, and the second derivative, $-N_k/\sigma_k^2$, is negative
# everywhere: a parabola. The place of its top does not contain $\sigma_k^2$, so it is best for
# every variance, and only the best variance *at this mean* remains to be found.
#
# (2) With $v = \sigma_k^2$ and $S_k = \sum_n q_{nk} (x_n - a_k)^2$, the terms with $v$ are
# $-\frac12 N_k \log v - S_k/(2v)$, with the derivative $-N_k/(2v) + S_k/(2v^2)$. It is zero at
# $v = S_k/N_k$ only.
#
# (3) The second derivative is $N_k/(2v^2) - S_k/v^3$; with $S_k = N_k v$ at the root it is
# $-N_k/(2v^2) = -N_k/(2\sigma_k^4)$: a *local* maximum. It is negative only for $v < 2 S_k/N_k$, so
# $Q$ is not concave in $v$. But the first derivative is positive left of its only root and negative
# right of it, so $Q$ rises up to it and falls from there on. Or: in the precision $\tau = 1/v$ the
# terms are $\frac12 N_k \log \tau - \frac12 S_k \tau$, which is concave everywhere.

# %% [markdown]
# The computer's version of the third part: the second derivative at the root, and the bend of $Q$
# along $\sigma^2$ and along $1/\sigma^2$, with the mean held.

# %%
mean = (q[:, 0] @ x) / counts[0]
spread = (q[:, 0] @ (x - mean) ** 2) / counts[0]


def part_of_q(v):
    """What of Q depends on the first component's variance."""
    return -0.5 * counts[0] * (jnp.log(v) + spread / v)


second = jax.grad(jax.grad(part_of_q))
print(f"Second derivative at the root: {decimals(second(spread), 1)};", end=" ")
print(f"−N₁/2σ⁴ = {decimals(-counts[0] / (2 * spread**2), 1)}.")

factors = np.linspace(0.3, 5, 200)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained", sharey=True)


def draw_bend(axes, places, part, root, name):
    """A curve, solid where it bends downwards and dotted where upwards; where it does, in words."""
    bend = jax.vmap(jax.grad(jax.grad(part)))(places)
    values, down = np.array(part(places)), np.array(bend) < 0
    axes.plot(places, np.where(down, values, np.nan), "-", color=style.colour(0), lw=2.5)
    axes.plot(places, np.where(down, np.nan, values), ":", color=style.colour(5), lw=2.5)
    axes.axvline(root, color=style.INK, lw=0.8, ls="--")
    axes.set_xlabel(name)
    return "everywhere" if down.all() else f"up to {places[down].max() / root:.1f} times the root"


by_variance = draw_bend(left, spread * factors, part_of_q, spread, "σ²₁ (minutes²)")
by_precision = draw_bend(
    right, factors / spread, lambda tau: part_of_q(1 / tau), 1 / spread, "1/σ²₁ (1/minutes²)"
)
left.set_ylabel("part of Q (nats)")
plt.show()
print("The picture: two curves with one top each (dashed), solid where they bend downwards.")
print(f"Along σ²₁ that is {by_variance}, along 1/σ²₁ {by_precision}.")

# %% [markdown]
# ### Exercise 2.8 New means and variances
#
# Write what you have found, for all components.


# %%
def update_means_and_variances(x, q):
    """The means and variances that make F largest for this q.

    x: (N,). q: (N, K), every column with something in it. Returns two arrays (K,).
    """
    ### BEGIN SOLUTION
    counts = q.sum(axis=0)
    means = x @ q / counts
    # The new means: the variance is the best one at the means it goes with.
    variances = (q * (x[:, None] - means) ** 2).sum(axis=0) / counts
    return means, variances
    ### END SOLUTION


# %%
update_means_and_variances = check.update_means_and_variances(update_means_and_variances)

# %% [markdown]
# ## Your functions play
#
# All pieces are there. The stepper below is the one from the beginning, made from **your**
# functions: your responsibilities are the E step, your weights, means and variances the M step,
# and every curve in it is your `log_joint` and your `bound`. They play as you wrote them, also
# where they did not pass; for what you have not written the reference stands in. After a change run
# the function's cell and its check, then press **Restart**.
#
# Choose a start and predict the next half-step before you press.

# %%
from latentsteps.inference.em import em

PIECES = (
    "log_joint", "responsibilities", "bound", "update_weights", "update_means_and_variances",
)  # fmt: skip


def em_from(piece):
    """EM out of five functions: what makes it, from a start, and its views.

    ``piece(name)`` is asked for a function each time it is needed, so the newest one plays.
    """

    def log_joint_of(x, now):
        return piece("log_joint")(x, *now)

    def bound_of(x, q, now):
        return piece("bound")(x, np.asarray(q), *now)

    def e_step(x, now):
        return np.asarray(piece("responsibilities")(x, *now))

    def m_step(x, q, old):
        means, variances = piece("update_means_and_variances")(x, q)
        weights = piece("update_weights")(q)
        return UnivariateMixture(np.asarray(weights), np.asarray(means), np.asarray(variances))

    def make(start):
        return em(
            init=lambda key, x: start,
            e_step=e_step,
            m_step=m_step,
            objective=lambda x, now, q: bound_of(x, q, now),
            half_steps=True,
        )

    return make, bound_view.views(log_joint_of, bound_of, unit="minutes")


def your_piece(name):
    written = getattr(check, name)
    return written.reference if written.answer is None else written.answer


def is_yours():
    return any(getattr(check, name).answer is not None for name in PIECES)


def make_yours(start):
    return make_of_pieces(start)._replace(name="EM, yours" if is_yours() else "EM")


make_reference, reference_views = em_from(lambda name: getattr(check, name).reference)
make_of_pieces, your_views = em_from(your_piece)
Stepper(make_yours, x, your_views, controls={"start": STARTS}, filmstrip=(0, 1, 8, 9))

# %% [markdown]
# And beside the reference. Do the two differ, and if so, from which half-step? (Both are drawn with
# the reference's curves, so that a difference is one between states.)

# %%
traces = {"reference": run(make_reference(STARTS["apart"]), x, steps=24)}
if is_yours():
    try:
        traces = {"yours": run(make_yours(STARTS["apart"]), x, steps=24), **traces}
    except Exception as error:  # any mistake is possible here, and the notebook goes on
        print(f"Your functions stopped with {type(error).__name__}: {error}")

Stepper.replay(traces, reference_views)

# %% [markdown]
# ## Why it cannot go down
#
# Read the chain from right to left, with the state before a round written as old:
#
# $$\ell(\theta^{\text{new}})
#   \;\ge\; F(q, \theta^{\text{new}})
#   \;\ge\; F(q, \theta^{\text{old}})
#   \;=\; \ell(\theta^{\text{old}}), \qquad q = p(\cdot \mid x, \theta^{\text{old}}) .$$
#
# E makes the equality, M the middle step, Jensen the last. In half-steps, with your functions:

# %%
passed = {
    "log_joint": log_joint,
    "responsibilities": responsibilities,
    "bound": bound,
    "update_weights": update_weights,
    "update_means_and_variances": update_means_and_variances,
}
final_make, _ = em_from(passed.__getitem__)
trace = run(final_make(STARTS["apart"]), x, steps=60)

print("state  after      F   rise")
for t in range(11):
    half = "E" if trace.infos[t].phase == E_STEP else "M"
    rise = decimals(trace.objective[t] - trace.objective[t - 1], 1) if t else ""
    print(f"{t:5}  {half:>5}  {decimals(trace.objective[t]):>5} {rise:>6}".rstrip())
fallen = trace.first_break()
print("F never falls, in 60 half-steps." if fallen is None else f"F falls at state {fallen}.")

# %% [markdown]
# That it never falls does not say that it reaches the highest place. It may sit on a plateau for a
# long time (*nearly the same*), stop at one of several tops, or, as you see below, at none.
#
# ## Three sums are enough
#
# Look again at the M step. What does it need of the 272 points? Multiply the square out: only
#
# $$N_k = \sum_n q_{nk}, \qquad \sum_n q_{nk} x_n, \qquad \sum_n q_{nk} x_n^2 .$$
#
# The normal distribution is an *exponential family*: its log density is linear in
# $(1, x, x^2)$, so $Q$ depends on the data through the expected sums of these, and the M step finds
# the parameters whose moments they are. The points themselves may be streamed past and forgotten.
#
# ### Exercise 2.9 From moments


# %%
def from_moments(counts, sums, squares):
    """Weights, means and variances from Σ q, Σ q x and Σ q x², each (K,). Returns three (K,)."""
    ### BEGIN SOLUTION
    means = sums / counts
    variances = squares / counts - means**2  # E[x²] − E[x]²
    return counts / counts.sum(), means, variances
    ### END SOLUTION


# %%
from_moments = check.from_moments(from_moments)

# %% [markdown]
# Is it the same M step? And is it the one of the general case, with points of $D$ numbers and
# covariance matrices, at $D = 1$? The library's mixture of clouds takes the points as a column.
# One warning on the way: $\overline{x^2} - \bar x^2$ subtracts two numbers that may be nearly
# equal.

# %%
q = responsibilities(x, *STARTS["apart"])
direct = (update_weights(q), *update_means_and_variances(x, q))
by_sums = from_moments(q.sum(axis=0), q.T @ x, q.T @ x**2)
same = all(np.allclose(a, b, rtol=1e-9) for a, b in zip(direct, by_sums, strict=True))
print(f"From moments the same parameters to nine digits: {same}.")

start = STARTS["apart"]
column = x[:, None]
cloud_start = clouds.GaussianMixture(
    start.weights, start.means[:, None], start.variances[:, None, None]
)
in_d = run(clouds.gaussian_mixture(2, start=cloud_start), column, steps=30)
ours = run(final_make(start), x, steps=60)
pairs = zip(ours[-1].parameters, in_d[-1].parameters, strict=True)
same = all(np.allclose(a, np.ravel(b), rtol=1e-7) for a, b in pairs)
print(f"30 rounds of the D-dimensional EM end at the same parameters: {same}.")

for shift in (0.0, 1e4, 1e8):
    far = x + shift
    _, _, variances = from_moments(q.sum(axis=0), q.T @ far, q.T @ far**2)
    error = np.abs(variances / direct[2] - 1).max()
    words = (
        "right to six digits" if error < 1e-6 else "off by more than half" if error > 0.5 else "off"
    )
    print(f"All lengths + {shift:,.0f}: the variances from moments are {words}.")

# %% [markdown]
# Shift the data to their mean first, and the sums are safe.
#
# ## On real data
#
# Now let it run to its end, and ask somebody else as well: scikit-learn's mixture, with its
# stopping rule tightened.

# %%
from sklearn.mixture import GaussianMixture as SklearnMixture

from latentsteps.trace import relative

finished = run(final_make(STARTS["apart"]), x, steps=2000, stop=relative(1e-13, 4))
fitted = finished[-1].parameters
order = np.argsort(fitted.means)
theirs = SklearnMixture(2, tol=1e-12, max_iter=2000, reg_covar=0, random_state=0).fit(column)
their_order = np.argsort(theirs.means_[:, 0])
their_height = theirs.score(column) * len(x)

print("                  this notebook   scikit-learn")
height = log_likelihood(fitted)
print(f"{'log-likelihood':15} {decimals(height, 1):>15} {decimals(their_height, 1):>14}")
for k in range(2):
    mine, other = order[k], their_order[k]
    for name, a, b in [
        ("weight", fitted.weights[mine], theirs.weights_[other]),
        ("mean", fitted.means[mine], theirs.means_[other, 0]),
        ("variance", fitted.variances[mine], theirs.covariances_[other, 0, 0]),
    ]:
        print(f"{name + ' ' + str(k + 1):15} {style.number(a):>15} {style.number(b):>14}")
print(f"The log-likelihoods differ by less than a millionth: {abs(height - their_height) < 1e-6}.")

# %%
grid = np.linspace(1.2, 5.6, 400)
figure, (upper, lower) = plt.subplots(
    2, 1, figsize=(7, 4.4), sharex=True, height_ratios=[2, 1], layout="constrained"
)
upper.hist(x, bins=34, density=True, color="#E0E0E0")
densities = np.exp(log_joint(grid, *fitted))
for i, k in enumerate(order):
    upper.plot(
        grid, densities[:, k], ("-", "--")[i], color=style.colour(i), label=f"component {i + 1}"
    )
upper.plot(grid, densities.sum(axis=1), ":", color=style.INK, label="sum")
upper.legend(frameon=False)
upper.set_ylabel("density (1/minutes)")
lower.plot(grid, responsibilities(grid, *fitted)[:, order[0]], color=style.colour(0))
lower.plot(x, responsibilities(x, *fitted)[:, order[0]], "o", color=style.colour(0), ms=4)
lower.axvline(3.1, color=style.colour(5), ls="--")
lower.set_ylabel("p(short | x)")
lower.set_xlabel("length of the eruption (minutes)")
plt.show()

short = responsibilities(np.array([3.1]), *fitted)[0, order[0]]
border = grid[np.argmax(responsibilities(grid, *fitted)[:, order[0]] < 0.5)]
torn = np.sum(np.abs(responsibilities(x, *fitted)[:, 0] - 0.5) < 0.45)
print("The picture: a narrow bell over the short eruptions and a wide one over the long ones; the")
print(f"probability of 'short' falls from 1 to 0 at {border:.1f} minutes.")
print(f"An eruption of 3.1 minutes is a short one with probability {short:.2g}.")
print(f"Of 272 eruptions, {torn} are torn (between 0.05 and 0.95).")

# %% [markdown]
# Both answers at once, as asked: the kinds, and of which kind an eruption was. Are you surprised?
# 3.1 lies nearer to the mean of the short ones. But their bell is far narrower.
#
# ## What goes wrong: there is no maximum
#
# The stepper's start *on one eruption* ended with a complaint. It was no accident.
#
# ### Exercise 2.10 A spike
#
# Give parameters of a mixture of **two** bells, depending on a `width`, whose log-likelihood grows
# beyond every bound as `width` goes to 0. Which of the two goes where? (With *one* bell it cannot
# be done: why?)


# %%
def spike(x, width):
    """Parameters whose log-likelihood has no limit as the width goes to 0.

    x: (N,), not all alike. width: a positive number. Returns weights, means, variances, each (2,).
    """
    ### BEGIN SOLUTION
    # One stands on a point and shrinks; the other covers all the rest.
    return np.array([0.5, 0.5]), np.array([x[0], x.mean()]), np.array([width**2, x.var()])
    ### END SOLUTION


# %%
spike = check.spike(spike)

# %%
widths = 10.0 ** -np.arange(1, 61)
climb = np.array([log_likelihood_at(spike(x, width)) for width in widths])

figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
axes.plot(widths, climb, color=style.colour(5), label="with a spike")
axes.axhline(height, color=style.INK, ls="--", label="the end of EM above")
axes.set_xscale("log")
axes.set_xlim(widths[0], widths[-1])
axes.set_xlabel("width (minutes)")
axes.set_ylabel("log-likelihood (nats)")
axes.legend(frameon=False)
plt.show()
pace = climb[-1] - climb[-2]
crossing = 60 + (height - climb[-1]) / pace  # on that line, inside the picture or beyond it
there = f"10{f'{-crossing:.0f}'.translate(style.SUPERSCRIPT)}"
print("The picture: the curve ends in a straight line upwards, as the width shrinks by factors")
print(f"of ten. Each brings {pace:.1f} nats, and nothing ends that: at a width of about", there)
print("it passes the end of EM.")

# %% [markdown]
# What we call "the" maximum likelihood solution of a mixture is a *local* top. The spike is a
# summit of infinite height and useless: it says that the next eruption will last exactly as long
# as that one. Two remedies, both of which the library has:
#
# - a **floor** under the variances: the highest place among those allowed;
# - a **prior** on them: a density that goes to 0 faster, as the variance does, than the likelihood
#   grows. EM then climbs likelihood plus log prior, as in unit 01. Here it is an inverse gamma, in
#   its form for $D$ dimensions, the normal-inverse-Wishart: the new variance is about
#   $(S_k + S_0)/(N_k + \nu + 3)$ with $S_k = \sum_n q_{nk} (x_n - a_k)^2$, and never 0.

# %%
from latentsteps.models.gaussian_mixture import NormalInverseWishart

on_one = STARTS["on one eruption"]
spike_start = clouds.GaussianMixture(
    on_one.weights, on_one.means[:, None], on_one.variances[:, None, None]
)


def prior(scatter):
    return NormalInverseWishart(np.array([x.mean()]), 0.01, np.array([[scatter]]), 3.0)


try:
    run(univariate_mixture(on_one), x, steps=400)
    print("nothing: it came to rest")
except ValueError as error:
    print(f"nothing: {str(error).split(':')[0]}")

print("                   narrower component: mean   variance   weight     log-likelihood")
for name, setting in [
    ("floor of 10⁻⁴", {"floor": 1e-4}),
    ("prior, S₀ = 0.1", {"prior": prior(0.1)}),
    ("prior, S₀ = 0.5", {"prior": prior(0.5)}),
]:
    kept = run(clouds.gaussian_mixture(2, start=spike_start, **setting), column, steps=400)
    now = kept[-1].parameters
    k = now.covariances[:, 0, 0].argmin()
    mean, weight = decimals(now.means[k, 0], 2), decimals(now.weights[k], 3)
    variance = style.number(now.covariances[k, 0, 0], 2)
    top = decimals(clouds.log_likelihood(column, now))
    print(f"{name:18} {mean:>25} {variance:>10} {weight:>8} {top:>18}")

# %% [markdown]
# With the floor the spike stays: a floor is a guard, not a cure. With either prior nothing runs
# away, but read both lines. Under the weaker one the component on one eruption lost all its weight:
# one bell is left, which is a poor answer, and a finite one. Under the stronger one it could widen,
# and found the short eruptions. Whatever you use, look at the smallest variance and the smallest
# weight before you believe a likelihood. In unit 03 this decides how many components there seem
# to be.
#
# ## Which z, which q, which gap?
#
# Every later unit has this picture in it: something hidden, a $q$ for it, a bound, a gap. Here the
# table begins. Hard EM takes for $q$ the best among those rows that are all 0 and one 1; with such
# a $q$ the entropy is 0, and the gap does not close.

# %%
from latentsteps.inference.em import hard

hard_em = em(
    init=lambda key, x: STARTS["apart"],
    e_step=lambda x, now: hard(library.log_joint(x, now)),
    m_step=library.update,
    objective=lambda x, now, q: library_bound(x, q, now),
    name="hard EM",
)
hard_end = run(hard_em, x, steps=100)[-1]
soft_end = finished[-1]
for name, state in [("hard EM", hard_end), ("soft EM", soft_end)]:
    top = log_likelihood(state.parameters)
    below = abs(gap(state.expectations, responsibilities(x, *state.parameters)))
    numbers = [decimals(value, 2) for value in (top, top - below, below)]
    print("{}: log-likelihood {}, F {}, gap {}".format(name, *numbers))

# %% [markdown]
# | method | hidden $z$ | which $q$ | the gap |
# |---|---|---|---|
# | k-means (00) | cluster of a point | one 1 a row, nearest mean | open, and nobody looks |
# | hard EM (01) | cluster of a point | one 1 a row, the best | open: $-\sum_n \log \max_k r_{nk}$ |
# | soft EM (01, 02, 03) | cluster of a point | the posterior, exactly | 0 after every E step |
# | … | | units 05 to 08 go on | |
#
# Where the posterior cannot be computed, $q$ is taken from a family that can be handled, and the
# gap stays open. Then what one climbs is no longer the likelihood, and it matters which $q$.
#
# <details><summary>The handout this unit grows from: what it gets wrong</summary>
#
# It arrives at the right three formulas. On the way:
#
# - In the responsibilities the numerator is written $p(k \mid x, \theta)$, the posterior that is
#   to be computed; the joint $p(x, k \mid \theta)$ is due.
# - $Q$ is called the bound, without the entropy. It is *a* lower bound, because for a discrete
#   hidden variable $H \ge 0$; but it touches only where $q$ is all zeros and ones, and it may
#   fall when the E step gains entropy. For a continuous hidden variable (unit 07) $H$ may be
#   negative, and $Q$ need not be a bound at all.
# - $\partial Q/\partial \sigma_k^2$ has the wrong sign, with the same root.
# - Nowhere is it shown that a root is a maximum.
# - The check against the general case in $D$ dimensions is asked for and missing.
# - Everything is written with densities, nothing in log space: a point far from all components
#   would give 0/0.
#
# </details>
#
# ## What goes wrong, and how to see it
#
# | what you see | what it is | what to do |
# |---|---|---|
# | $F$ falls | E, M and objective do not belong together | `trace.first_break()`, then that half |
# | a gap after E | $q$ is not the posterior | compare $F$ with $\ell$: exercise 2.5 |
# | $Q$ falls | nothing: $Q$ is not what EM climbs | look at $F$ |
# | hardly any rise for long | a plateau between equal components | other starts (unit 03) |
# | the likelihood takes off | a variance goes to 0 | a prior; look at the smallest variance |
# | `nan` | a density of 0 in a quotient | log-sum-exp |
# | negative variances | $\overline{x^2} - \bar x^2$ far from 0 | centre the data first |
#
# ## Summary
#
# - The log-likelihood of a mixture has a sum inside its logarithm, so all parameters are tangled.
# - For any $q$,
#   $F(q, \theta) = Q + H(q) = \ell(\theta) - \sum_n \mathrm{KL}(q_n \,\|\, p(\cdot \mid x_n))$.
# - E closes the gap: $q$ becomes the posterior, $F$ touches $\ell$ with the same slope. M raises
#   $F$, and $\ell$, which is above it, with it. So EM climbs $\ell$, and $F$ never falls.
# - $Q$ is $F$ without the entropy. It may fall.
# - In the M step weights are shares (by a multiplier, $\lambda = N$), means and variances weighted
#   moments. A root is not yet a maximum; a sign can be wrong and the root right.
# - With two components or more the likelihood has no maximum. EM finds a useful local one, or a
#   spike.
#
# In unit 03 the bells become tilted clouds. In units 05 to 08 the gap stays open, and this picture
# is what tells you what that costs.
#
# ## Sources
#
# - Dempster, Laird and Rubin (1977), "Maximum likelihood from incomplete data via the EM
#   algorithm", *Journal of the Royal Statistical Society B* 39, 1–38: the name, and $Q$.
# - Neal and Hinton (1998), "A view of the EM algorithm that justifies incremental, sparse, and
#   other variants", in *Learning in Graphical Models*, 355–368: $F(q, \theta)$.
# - Bishop (2006), *Pattern Recognition and Machine Learning*, section 9.4: bound and divergence,
#   and figure 9.14, which the stepper computes; section 9.2.1: the singularities.
# - Murphy (2012), *Machine Learning: A Probabilistic Perspective*, sections 11.4.2 and 11.4.7.
# - Kullback and Leibler (1951), "On information and sufficiency", *Annals of Mathematical
#   Statistics* 22, 79–86.
# - Day (1969), "Estimating the components of a mixture of normal distributions", *Biometrika* 56,
#   463–474: no maximum.
# - Azzalini and Bowman (1990), "A look at some data on the Old Faithful geyser", *Applied
#   Statistics* 39, 357–365; Härdle (1991), *Smoothing Techniques with Implementation in S*.
