# %% [markdown]
# # 05 · A mixture density network by variational inference
#
# A robot's hand is at a place. Which two angles, of the shoulder and of the elbow, brought it
# there? Often two pairs are right: elbow to the left, elbow to the right. A network that answers
# with *one* pair gives you their mean, and with that the hand is somewhere else. Here you build a
# network that answers with a whole distribution, and then one that also knows how little it knows.
#
# **Time:** about 4 hours.
#
# **What to know before:** units 02 and 03: the bound, log-sum-exp, a Gaussian mixture. Unit 04
# helps with posteriors and effective draws. You have seen a neural network and gradient descent.
#
# **Afterwards you can**
#
# - say which of several answers a fitted bell picks, and why, for both directions of the KL
#   divergence;
# - write an ELBO, its minibatch version and its reparameterised gradient, and check all three;
# - build a network whose outputs are a mixture, for one output and for several that belong
#   together;
# - tell a good bound from a good prediction, by scoring on points held out;
# - mend a recipe whose programs do something else than its text says.
#
# ### Notation
#
# | what | here | in code | Bishop | Murphy | recipe |
# |---|---|---|---|---|---|
# | input, output $n$ of $N$ | $x_n, y_n$ | `inputs`, `outputs` | $\mathbf x_n, \mathbf t_n$ | | |
# | all weights of a network | $\theta$ | `parameters` | $\mathbf w$ | $\theta$ | $\theta$ |
# | share of component $k$ of $K$ | $\pi_k(x)$ | `weights`, (N, K) | $\pi_k$ | same | `mix_coeffs` |
# | its mean | $m_k(x)$ | `means`, (N, K) | $\mu_k$ | $\mu_k(x)$ | `means` |
# | its standard deviation | $s_k(x)$ | `scales`, (N, K) | $\sigma_k$ | $\sigma_k(x)$ | `stds` |
# | prior; posterior's stand-in | $p(\theta), q(\theta)$ | | $p, q$ | same | same |
# | the bound, or ELBO | $F(q)$ | `elbo` | $\mathcal L(q)$ | Ł | minus its loss |
# | points in a minibatch | $B$ | `len(batch)` | | $B$ | |
#
# Bishop (1994), "Mixture density networks", and Bishop (2006), sections 5.6 and 10.1; Murphy
# (2023), chapters 10 and 17. The recipe is a tutorial of three programs that promises a Bayesian
# mixture density network; its parts turn up along the way, and you mend them. Everything is in
# nats.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from latentsteps.checks import mixture_density_network as check
from latentsteps.simulated import (
    ARM,
    ELBOW,
    HAND_MIDDLE,
    HAND_UNIT,
    SHOULDER,
    hand,
    inverse_sine,
    two_link_arm,
)
from latentsteps.views import style

plt.style.use(style.RC)
arm = two_link_arm(1000, seed=0)
print(f"{len(arm.inputs)} times an arm was moved: inputs are the hand's place, outputs the two")
print("angles, each in standard deviations.")

# %% [markdown]
# ## The question
#
# The upper arm is 80 cm long, the lower one 20 cm. A plain network learns from 1,000 movements to
# answer a place with two angles, by least squares. Then it is asked for a place that two poses
# reach. Predict: which pose will it give?

# %%
from sklearn.neural_network import MLPRegressor

LOW, HIGH = np.array([SHOULDER, ELBOW]).T


def poses(place):
    """Both pairs of angles that bring the hand to a place: (2, 2), in standard deviations."""
    right, up = np.array(HAND_MIDDLE) + HAND_UNIT * place
    upper, lower = ARM
    bend = np.arccos((upper**2 + lower**2 - right**2 - up**2) / (2 * upper * lower))
    elbow = np.array([bend, 2 * np.pi - bend])
    shoulder = np.arctan2(up, right)
    shoulder = shoulder - np.arctan2(-lower * np.sin(elbow), upper - lower * np.cos(elbow))
    angles = np.stack([shoulder, elbow], axis=1)
    return (angles - (LOW + HIGH) / 2) * np.sqrt(12) / (HIGH - LOW)


def draw_arm(axes, outputs, **look):
    """The arm as two lines from the shoulder at (0, 0), in metres, for two angles."""
    shoulder = (LOW + HIGH)[0] / 2 + outputs[0] * (HIGH - LOW)[0] / np.sqrt(12)
    elbow = ARM[0] * np.array([np.cos(shoulder), np.sin(shoulder)])
    end = np.array(HAND_MIDDLE) + HAND_UNIT * hand(outputs)
    axes.plot(*np.array([[0, 0], elbow, end]).T, marker="o", lw=3, **look)
    return end


place = hand(np.array([0.9, -1.5]))
single = MLPRegressor(
    loss="squared_error", hidden_layer_sizes=(30,), activation="tanh", solver="lbfgs",
    max_iter=1000, tol=3e-3, random_state=0,
)  # fmt: skip
answer = single.fit(arm.inputs, arm.outputs).predict(place[None])[0]

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for k, pose in enumerate(poses(place)):
    target = draw_arm(axes, pose, color=style.colour(k), label=f"pose {k + 1}")
reached = draw_arm(axes, answer, color=style.ALARM, ls="--", label="the network's answer")
axes.plot(*target, "*", color="black", ms=16, zorder=5, label="the place asked for")
axes.set_aspect("equal")
axes.set_xlabel("metres")
axes.legend(frameon=False, loc="lower right")
plt.show()
print("The picture: two arms bent to either side end at a star; between them a third arm, almost")
print("stretched, reaches past it.")
missed = np.linalg.norm(reached - target)
print(
    f"The network's hand misses by more than 10 cm: {missed > 0.1}. The hand was measured to 1 cm."
)

# %% [markdown]
# Least squares finds the mean of the answers it has seen. The mean of two mirrored elbows is a
# stretched arm: between two right answers lies a wrong one.
#
# ## The same in one dimension
#
# A curve read backwards has the same trouble and fits into a picture: $x = t + 0.3 \sin 2 \pi t$
# plus a little noise, and you are asked for $t$. From here on $x$ is the input and $y$ the output
# $t$, both in standard deviations. In the middle, three outputs belong to one input.
#
# So let the network answer with a **mixture** of $K$ bells, all of whose parts depend on $x$:
#
# $$p(y \mid x, \theta) = \sum_k \pi_k(x) \, \mathcal N\bigl(y \mid m_k(x), s_k(x)^2\bigr) .$$
#
# That is a **mixture density network**. Its weights $\theta$ get a prior, and what is wanted is
# their posterior. It has no formula, so we look for the nearest distribution $q(\theta)$ of a kind
# that we can handle: here one bell for each weight, independent of the others. That is
# **variational inference**, VI for short.
#
# ## See it run
#
# A state is 50 updates of $q$. The grey is the prediction, averaged over draws of $q$. The markers
# are the means of the components, the larger the weightier. Beside or below: the bound, which is
# climbed, and the *fit*, its first part. Left and right have the same data and the same bound; left
# $q$ starts at random, right at the **MAP**, the single $\theta$ of greatest posterior density that
# a short search has found.
#
# - Press **Play**. Which answer does the left one give in the middle? Have you met it before?
# - What does the distance between the two lines measure? (With a weight, it is weight · KL.)
# - Set **kl weight** to 0 and to 10. What happens to the grey?
# - One **component** is ordinary regression. How many are needed?

# %%
from latentsteps.inference.svi import svi
from latentsteps.models.mixture_density_network import mixture_density_network
from latentsteps.stepper import Stepper
from latentsteps.trace import run
from latentsteps.views import mixture_density_network as network_view

pairs = inverse_sine(300, seed=0)
peaks = {}


def most_probable(components):
    """The MAP found by 1,000 updates, as a dict of arrays; each is searched for once."""
    if components not in peaks:
        model = mixture_density_network(components).model
        search = svi(model, guide="point", updates=50, learning_rate=0.01)
        peaks[components] = run(search, pairs, steps=20)[-1].parameters
    return peaks[components]


def two_starts(components, kl_weight):
    model = mixture_density_network(components).model
    settings = {"updates": 50, "learning_rate": 0.01, "kl_weight": kl_weight, "name": "VI"}
    return {
        "from a random start": svi(model, **settings),
        # Narrow, so that the first draws do not shake apart what the search has found.
        "from the MAP": svi(model, start=most_probable(components), width=0.03, **settings),
    }


Stepper(
    two_starts,
    pairs,
    network_view,
    controls={
        "components": [3, 1, 2, 5],
        "kl_weight": {"1": 1.0, "0": 0.0, "½": 0.5, "10": 10.0},
    },
    filmstrip=(0, 40),
)

# %% [markdown]
# ## Toolbox: two divergences
#
# How far is a density $q$ from a density $p$? The Kullback–Leibler divergence of unit 02 takes an
# average of $\log (q/p)$ or of $\log (p/q)$, and it matters whose average:
#
# $$\mathrm{KL}(q \| p) = \int q \log \frac qp,
# \qquad \mathrm{KL}(p \| q) = \int p \log \frac pq .$$
#
# With $p$ the posterior, VI has to use the first, the **reverse** one: it can draw from $q$, and
# not from $p$. The second is called the **forward** one; maximum likelihood makes that smallest,
# with the data's distribution for $p$ and the model for $q$.
#
# ### Exercise 5.1 Both, on a grid
#
# An integral over an even grid is a sum times the spacing. Where the density in front is zero, a
# point adds nothing.


# %%
def divergences(log_q, log_p, width):
    """The reverse and the forward KL divergence of two densities on an even grid, in nats.

    log_q, log_p: (G,), logarithms of the densities, −∞ where a density is zero. width: the grid's
    spacing. Returns (KL(q‖p), KL(p‖q)); either may be ∞.
    """
    ### BEGIN SOLUTION

    def one(log_a, log_b):
        inside = log_a > -np.inf  # elsewhere a is zero: 0 · log 0 counts as 0
        a = np.exp(log_a[inside])
        return width * np.sum(a * (log_a[inside] - log_b[inside]))

    return one(log_q, log_p), one(log_p, log_q)
    ### END SOLUTION


# %%
divergences = check.divergences(divergences)

# %% [markdown]
# ### Question 5.Q1 Which of two hills?
#
# A density $p$ has two narrow hills of the same size, far apart. You look for the single bell $q$
# for which $\mathrm{KL}(q \| p)$, the reverse one, is smallest. Where is it?
#
# - **a** Between the hills and wide: it has to cover whatever $p$ covers.
# - **b** Between the hills and narrow: the mean is the best single guess.
# - **c** On one of the hills, and about as wide as that. On which one is up to the start.
# - **d** On top of a hill, and as narrow as can be: there $p$ is largest.

# %%
which_mode = "c"  ### SOLUTION

# %%
which_mode = check.which_mode(which_mode)

# %% [markdown]
# Try it with unequal hills, six tenths of the mass at −2 and four at 2. Is it always the larger one
# that $q$ finds?

# %%
from scipy.optimize import minimize

grid = np.linspace(-6, 6, 1201)
width = grid[1] - grid[0]
HILLS = np.array([-2.0, 2.0])
SHARES, NARROW = np.array([0.6, 0.4]), 0.5


def log_hills(theta):
    """log p at each θ: two normal hills."""
    return logsumexp(np.log(SHARES) + norm.logpdf(theta[..., None], HILLS, NARROW), axis=-1)


def nearest(direction, mean):
    """The bell nearest to the hills by KL number `direction`, searched for from a mean."""

    def distance(place):
        log_q = norm.logpdf(grid, place[0], np.exp(place[1]))
        return divergences(log_q, log_hills(grid), width)[direction]

    found = minimize(distance, (mean, -0.3), method="Nelder-Mead", options={"maxiter": 300})
    return found.x[0], np.exp(found.x[1]), found.fun


BELLS = {
    "reverse, from −1": nearest(0, -1.0),
    "reverse, from 1": nearest(0, 1.0),
    "forward": nearest(1, 1.0),
}
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.fill_between(grid, np.exp(log_hills(grid)), color="#D8D8D8", label="p")
print("                    mean     sd    divergence")
for k, (name, (mean, sd, distance)) in enumerate(BELLS.items()):
    line = ("-", "--", ":")[k]
    axes.plot(grid, norm.pdf(grid, mean, sd), line, color=style.colour(k), label=name, lw=2)
    print(f"{name:<17} {style.number(mean, 2):>6} {sd:>6.2f} {distance:>11.2f}")
axes.legend(frameon=False)
plt.show()
print("The picture: two bells on the hills, and a low wide one across both.")
print(f"−log of the hills' shares: {-np.log(SHARES[0]):.2f} and {-np.log(SHARES[1]):.2f}.")

# %% [markdown]
# The reverse divergence punishes $q$ where $p$ is empty, so $q$ stays on one hill and forgets the
# other, at the price of $-\log$ of the share of the hill it stays on. The forward one punishes $q$
# where it misses $p$, so it takes the mean and variance of all of $p$, valley included: the
# stretched arm again.
#
# ## Toolbox: VI with one unknown
#
# Before a network, one number. A length $\theta$ is measured 20 times, with noise of standard
# deviation 1; before that you believed $\theta \sim \mathcal N(0, 2^2)$. Take any
# $q(\theta) = \mathcal N(m, s^2)$. As in unit 02, Jensen gives a bound on the log evidence,
#
# $$\log p(y) \ge F(q) = \underbrace{\mathbb E_q \sum_n \log p(y_n \mid \theta)}_{\text{fit}}
#   - \underbrace{\mathrm{KL}\bigl(q \,\|\, p(\theta)\bigr)}_{\text{price}}
#   = \log p(y) - \mathrm{KL}\bigl(q \,\|\, p(\theta \mid y)\bigr),$$
#
# the **evidence lower bound**, or ELBO. The last form says what a higher ELBO is: a $q$ nearer to
# the posterior, by the reverse divergence.
#
# ### Pen and paper: both terms
#
# For this model both terms have formulas. Find $\mathbb E_q (y - \theta)^2$ for one measurement
# $y$, and $\mathrm{KL}\bigl(\mathcal N(m, s^2) \,\|\, \mathcal N(0, v^2)\bigr)$.

# %% [markdown]
# *Double-click here and write your answer. Formulas go between dollar signs, as in `$s^2$`.*

# %% [markdown] tags=["solution"]
# **A model answer.** Write $\theta = m + s \varepsilon$ with $\varepsilon \sim \mathcal N(0, 1)$.
# Then $\mathbb E (y - m - s \varepsilon)^2 = (y - m)^2 + s^2$, because the mixed term has mean
# zero. So with noise of standard deviation $\sigma$
#
# $$\mathbb E_q \log \mathcal N(y \mid \theta, \sigma^2) = \log \mathcal N(y \mid m, \sigma^2)
#   - \frac{s^2}{2 \sigma^2} .$$
#
# In the same way $\mathbb E_q \log q = -\log s - \tfrac12 \log 2 \pi - \tfrac12$ and
# $\mathbb E_q \log \mathcal N(\theta \mid 0, v^2) = -\log v - \tfrac12 \log 2 \pi
# - \tfrac1{2 v^2} (m^2 + s^2)$, and the difference is
#
# $$\mathrm{KL} = \log \frac vs + \frac{m^2 + s^2}{2 v^2} - \frac12 ,$$
#
# zero at $m = 0$, $s = v$.

# %% [markdown]
# With many points one step looks only at a **minibatch** of $B$ of them. Their log-likelihoods
# are a sample of all $N$, so the fit is estimated by their sum times $N / B$. The KL is *not*
# scaled: there is one prior, however many points are looked at.
#
# ### Exercise 5.2 The ELBO, for a minibatch


# %%
def elbo(batch, total, mean, sd, noise, prior_sd):
    """The ELBO of a normal mean θ, in nats, from a minibatch; exact where the batch is all.

    batch: (B,), some of the `total` measurements y_n ~ N(θ, noise²). θ ~ N(0, prior_sd²), and
    q(θ) = N(mean, sd²). All standard deviations are positive. Returns a float.
    """
    ### BEGIN SOLUTION
    fit = np.sum(norm.logpdf(batch, mean, noise) - sd**2 / (2 * noise**2))
    price = np.log(prior_sd / sd) + (mean**2 + sd**2) / (2 * prior_sd**2) - 0.5
    return total / len(batch) * fit - price
    ### END SOLUTION


# %%
elbo = check.elbo(elbo)

# %% [markdown]
# Now hold each sign in the chain above to the computer. This model is simple enough for an exact
# posterior and an exact evidence.

# %%
from scipy.stats import multivariate_normal

lengths = np.round(np.random.default_rng(5).normal(1.5, 1.0, 20), 1)
precision = 1 / 2**2 + 20 / 1**2
exact_mean, exact_sd = lengths.sum() / precision, precision**-0.5
together = np.eye(20) + 2**2  # measurements share θ, so they vary together
evidence = multivariate_normal(np.zeros(20), together).logpdf(lengths)

at_exact = elbo(lengths, 20, exact_mean, exact_sd, 1.0, 2.0)
at_other = elbo(lengths, 20, 1.0, 0.5, 1.0, 2.0)
fine = np.linspace(-4, 6, 4001)
gap, _ = divergences(
    norm.logpdf(fine, 1.0, 0.5), norm.logpdf(fine, exact_mean, exact_sd), fine[1] - fine[0]
)
print(
    f"log evidence {style.number(evidence)}; ELBO of the exact posterior the same to 1e-8: ", end=""
)
print(f"{abs(at_exact - evidence) < 1e-8}.")
print(f"ELBO of N(1, 0.5²) lower by {style.number(evidence - at_other)}; ", end="")
print(f"KL from that q to the posterior {style.number(gap)}.")

batches = [elbo(lengths[i : i + 5], 20, 1.0, 0.5, 1.0, 2.0) for i in range(0, 20, 5)]
print("From four batches of 5:", *[style.number(value) for value in batches], end="; ")
print(f"their mean is that of all 20: {abs(np.mean(batches) - at_other) < 1e-8}.")

# %% [markdown]
# ### Question 5.Q2 Equal bounds
#
# Two runs of VI, from two starts, stand still at the same ELBO, for the same model and the same
# data. On new data one predicts much better than the other. How can that be?
#
# - **a** It cannot: equal ELBOs are equal fits and equal prices, and equal fits predict equally.
# - **b** The ELBO says how far a q is from the posterior, and not in which direction. One direction
#   may spoil predictions more than another.
# - **c** It is noise: with more draws, either the ELBOs come out different or the predictions
#   equal.
# - **d** The evidence was different for the two, because their starts were.

# %%
equal_bounds = "b"  ### SOLUTION

# %%
equal_bounds = check.equal_bounds(equal_bounds)

# %% [markdown]
# Two directions for the lengths: a $q$ that is right in the middle and too wide, and one that has
# the right width and stands too far to the right.

# %%
too_wide = 4.5 * exact_sd
short = evidence - elbo(lengths, 20, exact_mean, too_wide, 1.0, 2.0)
too_far = exact_mean + exact_sd * np.sqrt(2 * short)  # a shift by d costs ½ (d / sd)²
tomorrow = np.random.default_rng(6).normal(1.5, 1.0, 1000)
for name, mean, sd in (
    ("the posterior", exact_mean, exact_sd),
    ("too wide", exact_mean, too_wide),
    ("too far", too_far, exact_sd),
):
    bound = elbo(lengths, 20, mean, sd, 1.0, 2.0)
    predicted = norm.logpdf(tomorrow, mean, np.hypot(1.0, sd)).mean()  # noise and doubt add up
    print(f"{name:<14} ELBO {style.number(bound)}, new lengths {style.number(predicted)} nats each")

# %% [markdown]
# ### Mend the recipe: its loss
#
# Its second program ends in a loss, to be made small, in our words: *minus the mean log-likelihood
# of the training points, plus the KL divergence from q to the prior*. Optimisers do not mind a
# constant factor in a loss. Is that all there is to it?
#
# ### Question 5.Q3 A mean and a whole
#
# Compare that loss with the ELBO of the same $N$ points. What is wrong with it, if anything?
#
# - **a** Nothing: it is minus the ELBO divided by $N$, and a factor moves no minimum.
# - **b** The prior counts too little, so q follows the data too closely.
# - **c** The fit is off by the size of the batch.
# - **d** The KL counts $N$ times too much, so q falls back towards the prior.

# %%
recipe = "d"  ### SOLUTION

# %%
recipe = check.recipe(recipe)


# %%
def parts(mean, sd):
    """The fit of all 20 lengths and the KL, out of two ELBOs."""
    once, twice = (elbo(lengths, n, mean, sd, 1.0, 2.0) for n in (20, 40))
    price = twice - 2 * once  # the fit doubles with total, the KL does not
    return once + price, price


def recipe_loss(place):
    """The recipe's loss for the 20 lengths, at (mean, log sd)."""
    mean, sd = place[0], np.exp(place[1])
    fit, price = parts(mean, sd)
    return -fit / 20 + price


mean, log_sd = minimize(recipe_loss, (0.5, -0.3), method="Nelder-Mead").x
wide, line = np.exp(log_sd), np.linspace(-2, 4, 400)
figure, axes = plt.subplots(figsize=(6, 2.5), layout="constrained")
axes.plot(line, norm.pdf(line, exact_mean, exact_sd), color=style.colour(0), label="posterior")
axes.plot(line, norm.pdf(line, mean, wide), "--", color=style.colour(5), label="the recipe's q")
axes.plot(lengths, np.zeros(20), "|", color=style.INK, ms=12, label="measurements")
axes.set_xlabel("θ")
axes.legend(frameon=False)
plt.show()
print("The picture: a narrow bell and, to its left, a bell four times as wide.")
print(f"Posterior {exact_mean:.2f} ± {exact_sd:.2f}; the recipe's q {mean:.2f} ± {wide:.2f}.")
one_point = (1 / 2**2 + 1) ** -0.5
print(f"After one single measurement a posterior has a standard deviation of {one_point:.2f}.")

# %% [markdown]
# Mended: *minus the sum*, or the mean with the KL divided by $N$; from a minibatch, $N/B$ times the
# batch's sum.
#
# ### A gradient through a draw
#
# A network's fit has no formula. But one can draw from $q$ and average:
# $\mathbb E_q f(\theta) \approx \tfrac1S \sum_s f(\theta_s)$. To climb, one needs the gradient with
# respect to $m$ and $\log s$, on which the *drawing* depends. Write the draw as
# $\theta_s = m + e^{\log s} \varepsilon_s$: the noise $\varepsilon_s$ depends on nothing, so the
# derivative goes through, by the chain rule. That is **reparameterisation**.
#
# ### Exercise 5.3 The reparameterised gradient


# %%
def reparameterised_gradient(slope, mean, log_sd, noise):
    """An estimate of the gradient of E_q f(θ), q = N(mean, e^(2 log_sd)), from given noise.

    slope: a function, f′ at each entry of an array (S,). noise: (S,), draws of N(0, 1).
    Returns (2,): derivatives with respect to mean and to log_sd.
    """
    ### BEGIN SOLUTION
    sd = np.exp(log_sd)
    slopes = slope(mean + sd * noise)
    return np.array([slopes.mean(), np.mean(slopes * sd * noise)])
    ### END SOLUTION


# %%
reparameterised_gradient = check.reparameterised_gradient(reparameterised_gradient)

# %% [markdown]
# There is another estimate, which needs no slope: $f(\theta_s)$ times the derivative of
# $\log q(\theta_s)$. Both have the right mean. For $f(\theta) = -\tfrac12 \theta^2$, whose exact
# gradient is $(-m, -s^2)$, compare how far single draws scatter:

# %%
epsilon = np.random.default_rng(3).normal(size=100_000)
m, s = 1.0, 0.5
values = -0.5 * (m + s * epsilon) ** 2
by_score = values * epsilon / s  # d log q / dm is ε / s
by_slope = -(m + s * epsilon)
print(f"Exact derivative in m: {style.number(-m)}. Means of the two estimates, by the slope and")
print(
    f"by the score: {style.number(by_slope.mean(), 2)} and {style.number(by_score.mean(), 2)}; ",
    end="",
)
print(f"standard deviations of one draw {by_slope.std():.1f} and {by_score.std():.1f}.")

# %% [markdown]
# ## Your gradient plays
#
# Here $q$ climbs towards the two hills, five updates to a state, each with fresh noise. Its ELBO is
# the expected $\log p$, whose gradient is yours, plus the entropy of $q$, which grows by 1 with
# $\log s$. As $p$ is normalised, the ELBO here is $-\mathrm{KL}(q \| p)$.
#
# - Step. Does the ELBO rise in every state? Should it?
# - On which hill does it end, from which **start**?
# - With ten **draws** an update: what becomes calmer, and what does not?

# %%
from typing import NamedTuple

from latentsteps.trace import Algorithm
from latentsteps.views import bell


class Bell(NamedTuple):
    mean: float
    log_sd: float


class Height(NamedTuple):
    objective: float


def slope_of_hills(theta):
    """The derivative of log p at each θ, (S,)."""
    logs = np.log(SHARES) + norm.logpdf(theta[:, None], HILLS, NARROW)
    shares = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    return (shares * (HILLS - theta[:, None])).sum(axis=1) / NARROW**2


def climbing(gradient, start, draws):
    """VI for the hills with one bell, out of a function like yours."""

    def looked_at(q):
        log_q = norm.logpdf(grid, q.mean, np.exp(q.log_sd))
        return q, Height(-float(divergences(log_q, log_hills(grid), width)[0]))

    def step(key, q, data):
        random = np.random.default_rng(key)
        for _ in range(5):
            by_mean, by_log_sd = gradient(slope_of_hills, *q, random.normal(size=draws))
            q = Bell(q.mean + 0.02 * by_mean, q.log_sd + 0.02 * (by_log_sd + 1))
        return looked_at(q)

    return Algorithm(lambda key, data: looked_at(Bell(start, 0.0)), step, "VI with one bell")


def lanes(start, draws):
    """The reference, and beside it yours if there is one."""
    exercise = check.reparameterised_gradient
    players = {"reference": exercise.reference}
    if exercise.answer is not None:
        players = {"yours": exercise.answer, **players}
    return {name: climbing(player, start, draws) for name, player in players.items()}


Stepper(
    lanes,
    None,
    bell.with_grid(grid, log_hills(grid)),
    controls={"start": [-0.5, 0.5, 0.0, 2.0], "draws": [1, 10, 100]},
    filmstrip=(0, 40),
)

# %% [markdown]
# ## Toolbox: a Bayesian network
#
# A network with one hidden layer is $f(x) = c + \sum_h v_h \tanh(u_h x + b_h)$. Give all its
# weights a prior, and every draw of them is a function. Under the posterior the functions agree
# where there are data. What do they do where there are none?
#
# In NumPyro a model is a function: `sample` names an unknown and its prior, or, with `obs`, a
# datum. `svi` fits a $q$ to it with the gradient you have just written, a bell for each weight; 50
# updates by Adam are one state. The 50 points have a gap in the middle.

# %%
import numpyro
from numpyro.distributions import Categorical, Normal

from latentsteps.jax64 import jnp

HIDDEN = 20


def network(x, slopes, offsets, output, constant):
    """One hidden layer: x (N, D), slopes (D, H), offsets (H,), output (H, O), constant (O,)."""
    return jnp.tanh(x @ slopes + offsets) @ output + constant


def unknown(name, sd, *shape):
    """An array of weights, each with the prior N(0, sd²)."""
    return numpyro.sample(name, Normal(0, sd).expand(shape).to_event(len(shape)))


def prior_network(x, outputs):
    """The network at x with all weights drawn from their priors."""
    return network(
        x,
        unknown("slopes", 2.0, x.shape[1], HIDDEN),
        unknown("offsets", 2.0, HIDDEN),
        unknown("output", 2 / HIDDEN**0.5, HIDDEN, outputs),  # 20 terms add up to about 2
        unknown("constant", 1.0, outputs),
    )


def regression(data):
    x, y = data
    numpyro.sample("y", Normal(prior_network(x, 1)[:, 0], 0.1), obs=y)


random = np.random.default_rng(1)
gapped = np.concatenate([random.uniform(-2, -0.7, 25), random.uniform(0.7, 2, 25)])[:, None]
curve = np.sin(2 * gapped[:, 0]) + 0.1 * random.normal(size=50)
fitted = run(
    svi(regression, updates=50, learning_rate=0.02), (gapped, curve), steps=40, progress=True
)


def from_q(parameters, n):
    """n draws of all weights from a mean-field q: a dict from site to (n, ...)."""
    random = np.random.default_rng(0)
    sites = [name.removesuffix("_mean") for name in parameters if name.endswith("_mean")]
    return {
        site: parameters[f"{site}_mean"]
        + parameters[f"{site}_sd"] * random.normal(size=(n, *parameters[f"{site}_mean"].shape))
        for site in sites
    }


def functions(weights, x):
    """The network at x (M, D) for n draws of its weights: (n, M, outputs)."""
    units = np.tanh(x @ weights["slopes"] + weights["offsets"][:, None])
    return units @ weights["output"] + weights["constant"][:, None]


line = np.linspace(-3, 3, 121)[:, None]
drawn = functions(from_q(fitted[-1].parameters, 100), line)[:, :, 0]
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.plot(line, drawn[:25].T, color=style.colour(4), lw=0.6)
axes.plot(line, drawn.mean(axis=0), color=style.colour(0), lw=2, label="mean over draws")
axes.plot(gapped, curve, "o", color=style.INK, ms=3, label="data")
axes.set_xlabel("x")
axes.legend(frameon=False)
plt.show()
print("The picture: thin curves lie together on both groups of points and fan out between them and")
print("beyond.")
spread = drawn.std(axis=0)
inside, gap = spread[np.abs(np.abs(line[:, 0]) - 1.35) < 0.5], spread[np.abs(line[:, 0]) < 0.3]
wider = gap.mean() > 1.5 * inside.mean()
print(f"Standard deviation in the gap more than one and a half times that at the data: {wider}.")

# %% [markdown]
# The same network classifies when it has an output per class and
# $p(k \mid x) = e^{f_k(x)} / \sum_j e^{f_j(x)}$. It comes back in unit 06 as a gate: it sets the
# weights of a mixture. A plain network takes one $\theta$ and is sure of itself far away from
# everything it has seen; averaging the *probabilities* over draws is more careful.


# %%
def multiclass(data):
    x, labels = data
    numpyro.sample("labels", Categorical(logits=prior_network(x, 3)), obs=labels)


clouds = np.array([[-1.2, -0.6], [1.2, -0.6], [0, 1.4]])
labels = random.integers(3, size=60)
places = clouds[labels] + 0.7 * random.normal(size=(60, 2))
sorted_out = run(
    svi(multiclass, updates=50, learning_rate=0.02), (places, labels), steps=30, progress=True
)


def probabilities(logits):
    """Of each class, from the network's outputs (..., 3)."""
    return np.exp(logits - logsumexp(logits, axis=-1, keepdims=True))


SURE = [1 / 3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1]
across = np.linspace(-6, 6, 61)
plane = np.stack(np.meshgrid(across, across), axis=-1).reshape(-1, 2)
many = probabilities(functions(from_q(sorted_out[-1].parameters, 100), plane))
centre = sorted_out[-1].parameters
middle = {name.removesuffix("_mean"): centre[name][None] for name in centre if "_mean" in name}
alone = probabilities(functions(middle, plane)[0])
surest = {"one network, at the mean of q": alone, "mean over 100 draws of q": many.mean(axis=0)}

figure, pair = plt.subplots(1, 2, figsize=(8.5, 3.4), layout="constrained", sharey=True)
for axes, (title, shares) in zip(pair, surest.items(), strict=True):
    image = axes.contourf(across, across, shares.max(axis=1).reshape(61, 61), SURE, cmap="Greys")
    for k in range(3):
        axes.plot(*places[labels == k].T, style.marker(k), color=style.colour(k), ms=5, mec="white")
    axes.set_title(title)
bar = figure.colorbar(image, ax=pair, label="probability of the likeliest class")
bar.ax.set_yticks(SURE[1:], [f"{share:.2g}" for share in SURE[1:]])
plt.show()
print("The picture: left, dark land with pale borders between three classes; right, the borders")
print("widen and the dark recedes as one leaves the points.")
far = np.abs(plane).max(axis=1) > 4
one, mean = (np.mean(shares[far].max(axis=1) > 0.95) for shares in surest.values())
print("Share of the far land where the likeliest class has more than 95 %: ", end="")
print(f"smaller after averaging: {mean < one}.")

# %% [markdown]
# ## The heads
#
# Back to the mixture. The network has $3K$ outputs for one $y$: $K$ logits, $K$ means and $K$ raw
# scales. A mean may be any number. Weights have to be positive with sum 1, and scales positive.
#
# Why not $|{\cdot}|$ or ReLU for a scale? At a scale of 0 the density is infinite at the mean and 0
# everywhere else. ReLU gives 0 for every negative raw value and has no slope there to come back by;
# $|{\cdot}|$ falls before it grows.
#
# ### Exercise 5.4 From outputs to a mixture


# %%
def heads(outputs):
    """A mixture for each row of a network's outputs: weights, means and scales, each (N, K).

    outputs: (N, 3K), in blocks: K logits, K means, K raw scales; any real numbers, ±1000 too.
    A row of weights sums to 1. Scales are at least .001, finite, and grow everywhere with
    their raw value.
    """
    ### BEGIN SOLUTION
    logits, means, raw = np.split(outputs, 3, axis=1)
    weights = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
    scales = 0.001 + np.logaddexp(0, raw)  # softplus, log(1 + e^raw), without overflow
    return weights, means, scales
    ### END SOLUTION


# %%
heads = check.heads(heads)

# %% [markdown]
# ### Mend the recipe: its likelihood
#
# Its first program hands the network's single output to a function that needs means, scales and
# shares; two arguments of four arrive. Inside, the shares weigh standard normals, without the means
# and scales. Such a likelihood ignores the network, so nothing is learned.
#
# ### Exercise 5.5 The log density of a mixture
#
# A check that yours does not ignore anything: it integrates to 1 in $y$, and moves when a mean
# moves.


# %%
def mixture_log_density(y, weights, means, scales):
    """log Σ_k weight_k N(y | mean_k, scale_k²) for each point, in nats, (N,).

    y: (N,). weights, means, scales: (N, K); scales are standard deviations, and a weight may be 0.
    Far out every density may be too small for the computer; its logarithm is not.
    """
    ### BEGIN SOLUTION
    with np.errstate(divide="ignore"):  # a component without weight: log 0 = −∞, and it drops out
        log_weights = np.log(weights)
    return logsumexp(log_weights + norm.logpdf(y[:, None], means, scales), axis=1)
    ### END SOLUTION


# %%
mixture_log_density = check.mixture_log_density(mixture_log_density)

# %% [markdown]
# Yours against the library's network, at the MAP of the stepper; and your heads on the network's
# own outputs, computed by hand. Scales may differ: any growing function is right.

# %%
from latentsteps.models.mixture_density_network import held_out as library_held_out

library = mixture_density_network(3)
peak = most_probable(3)
theirs = [np.asarray(part).reshape(300, -1) for part in library.density(peak, pairs.inputs)]
by_yours = mixture_log_density(pairs.outputs[:, 0], *theirs)
by_library = np.asarray(library.log_density(peak, pairs.inputs, pairs.outputs))
print(f"Log densities agree to 1e-8: {np.abs(by_yours - by_library).max() < 1e-8}.")

hidden = np.tanh(pairs.inputs @ peak["input_weights"] + peak["hidden_biases"])
yours = heads(hidden @ peak["output_weights"] + peak["output_biases"])
for name, mine, other in zip(("weights", "means"), yours, theirs, strict=False):
    print(f"{name:<8} agree to 1e-8: {np.abs(mine - other).max() < 1e-8}.")

# %% [markdown]
# ## Several outputs
#
# The arm has two angles, and they belong together: the further the lower arm is bent to the left,
# the further right the upper arm has to point. A pose is one hidden choice $k$ for *both*:
#
# $$p(y \mid x) = \sum_k \pi_k(x) \prod_d \mathcal N\bigl(y_d \mid m_{kd}(x), s_{kd}(x)^2\bigr) .$$
#
# The recipe's third program adds up the log densities of one mixture per output instead.
#
# ### Exercise 5.6 Outputs that belong together


# %%
def joint_log_density(y, weights, means, scales):
    """log p(y_n) where one component k is chosen for all D outputs of a point, in nats, (N,).

    y: (N, D). weights: (N, K). means, scales: (N, K, D). Given k the outputs are independent.
    """
    ### BEGIN SOLUTION
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    each = norm.logpdf(y[:, None, :], means, scales)  # (N, K, D)
    return logsumexp(log_weights + each.sum(axis=2), axis=1)
    ### END SOLUTION


# %%
joint_log_density = check.joint_log_density(joint_log_density)

# %% [markdown]
# Two networks learn the arm by MAP: one with joint outputs, and one with a mixture for each angle,
# as the recipe has it. Predict: at the place of the first picture, how many poses will each
# propose?

# %%
new_arm = two_link_arm(2000, seed=100)
arms = {"joint": mixture_density_network(4, 2, 2)}
arms["one mixture per angle"] = mixture_density_network(4, 2, 2, joint=False)
learned = {}
for name, one in arms.items():
    search = svi(one.model, guide="point", updates=100, learning_rate=0.02, name=name)
    learned[name] = run(search, arm, steps=10, progress=True)[-1].parameters

angles = np.linspace(-3, 3, 151)


def over_angles(mixture):
    """Density of (shoulder, elbow) on the grid, [elbow, shoulder], for a mixture of one place."""
    weights, means, scales = (np.asarray(part)[0] for part in mixture)
    bells = norm.pdf(angles[:, None, None], means, scales)  # (G, K, 2)
    if weights.ndim == 1:
        return np.einsum("k,ek,sk->es", weights, bells[:, :, 1], bells[:, :, 0])
    shoulder, elbow = (bells * weights).sum(axis=1).T
    return np.outer(elbow, shoulder)


def proposals(mixture, n, random):
    """n poses drawn for each place of a mixture: (n, N, 2)."""
    weights, means, scales = (np.asarray(part) for part in mixture)
    k = weights.shape[1]
    shares = weights if weights.ndim == 3 else np.repeat(weights[:, :, None], 2, axis=2)
    below = np.cumsum(shares, axis=1)  # (N, K, 2)
    # One choice for both angles, or one for each.
    u = random.random((n, len(weights), 1, 1 if weights.ndim == 2 else 2))
    chosen = np.minimum((u > below).sum(axis=2), k - 1)  # (n, N, 2)
    at = np.arange(len(weights))[:, None], chosen, np.arange(2)
    return means[at] + scales[at] * random.normal(size=chosen.shape)


figure, pair = plt.subplots(1, 2, figsize=(8.5, 3.8), layout="constrained", sharey=True)
for axes, (name, one) in zip(pair, arms.items(), strict=True):
    shade = over_angles(one.density(learned[name], place[None]))
    axes.imshow(shade**0.5, extent=(-3, 3, -3, 3), origin="lower", cmap="Greys", aspect="auto")
    axes.plot(*poses(place).T, "*", color=style.colour(5), ms=13, mec="white", label="true poses")
    axes.set_title(name)
    axes.set_xlabel("shoulder (sd)")
    axes.set_xlim(-2.5, 2.5)
pair[0].set_ylabel("elbow (sd)")
pair[0].legend(frameon=False, loc="upper left")
plt.show()
print(
    "The picture: left, two dark spots, each at a star; right, the same two and two more, where no"
)
print("star is: the shoulder of one pose with the elbow of the other.")

random = np.random.default_rng(0)
scores_of, hits = {}, {}
for name, one in arms.items():
    whole = {site: value[None] for site, value in learned[name].items()}
    scores_of[name] = library_held_out(one, whole, *new_arm).mean()
    mixture = one.density(learned[name], new_arm.inputs)
    missed = HAND_UNIT * (hand(proposals(mixture, 20, random)) - new_arm.inputs)
    hits[name] = np.mean(np.linalg.norm(missed, axis=-1) < 0.05)
joint, apart = arms
print(f"Held-out, nats a movement: joint above 1.2: {scores_of[joint] > 1.2}; ", end="")
print(f"one per angle below 1.1: {scores_of[apart] < 1.1}.")
print(f"Hands within 5 cm: joint more than 80 %: {hits[joint] > 0.8}; ", end="")
print(f"one per angle less than 65 %: {hits[apart] < 0.65}.")

# %% [markdown]
# These two extra spots are **ghosts**. A mixture per output is right about each angle alone and
# wrong about the arm.
#
# ## Held out, over draws
#
# A Bayesian's prediction for a new pair averages the density over the posterior, here over $S$
# draws, and *then* takes the logarithm. The score of a network is the mean over new pairs:
#
# $$\frac1N \sum_n \log \frac1S \sum_s p(y_n \mid x_n, \theta_s) .$$
#
# ### Exercise 5.7 The held-out score


# %%
def held_out(log_densities):
    """Mean over points of the log of the mean density over draws, in nats a point.

    log_densities: (S, N), log p(y_n | x_n, draw s); a draw may give a point −∞. Returns a float.
    """
    ### BEGIN SOLUTION
    averaged = logsumexp(log_densities, axis=0) - np.log(len(log_densities))
    return float(averaged.mean())
    ### END SOLUTION


# %%
held_out = check.held_out(held_out)


# %%
new = inverse_sine(2000, seed=100)


def score(network, weights):
    """Your held-out score of a network on new pairs, for draws of its weights by site."""
    n = len(next(iter(weights.values())))
    each = [{site: value[s] for site, value in weights.items()} for s in range(n)]
    return held_out(np.stack([np.asarray(network.log_density(one, *new)) for one in each]))


def point(parameters):
    """A single network as one draw."""
    return {site: value[None] for site, value in parameters.items()}


print(f"Held-out score of the MAP above −.25 nats a point: {score(library, point(peak)) > -0.25}.")

# %% [markdown]
# ### Why a prior?
#
# Without one ($\log p(\theta)$ weighted by 0) the same search is **maximum likelihood**. From 60
# pairs it learns this:

# %%
few = type(pairs)(pairs.inputs[:60], pairs.outputs[:60])
figure, pair = plt.subplots(1, 2, figsize=(8.5, 2.8), layout="constrained", sharex=True)
last = {}
for line, (name, weight) in enumerate({"maximum likelihood": 0.0, "MAP": 1.0}.items()):
    search = svi(library.model, guide="point", updates=50, learning_rate=0.01, kl_weight=weight)
    learning = run(search, few, steps=60)
    known = [info.fit / 60 for info in learning.infos[1:]]
    unknown_yet = [score(library, point(learning[t].parameters)) for t in range(1, 61)]
    look = {"color": style.colour((5, 0)[line]), "ls": ("--", "-")[line], "label": name}
    pair[0].plot(np.arange(1, 61) * 50, known, **look)
    pair[1].plot(np.arange(1, 61) * 50, unknown_yet, **look)
    last[name] = known[-1], unknown_yet[-1]
for axes, title in zip(pair, ("on the 60 pairs", "on new pairs"), strict=True):
    axes.set_title(title)
    axes.set_ylim(-3.2, 1)
    axes.set_xlabel("updates")
pair[0].set_ylabel("log density, nats a pair")
pair[0].legend(frameon=False)
plt.show()
print("The picture: on the pairs it has seen, maximum likelihood ends above the MAP; on")
print("new pairs it falls away while the MAP stays where it is.")
gain, loss = (a - b for a, b in zip(last["maximum likelihood"], last["MAP"], strict=True))
print(f"Maximum likelihood against the MAP, at the end: higher on the 60 pairs: {gain > 0};")
print(f"lower by more than half a nat a pair on new ones: {loss < -0.5}.")

# %% [markdown]
# ## Two starts, and an umpire
#
# Now in numbers what the stepper showed, with all 300 pairs: MAP; mean-field VI from a random start
# and from the MAP. The umpire is NUTS from unit 04, on the same network of 229 unknowns. One of its
# chains begins at the MAP, the other where the random start of VI has ended. It takes about half a
# minute.

# %%
from latentsteps.evaluation.diagnostics import effective_sample_size
from latentsteps.inference.nuts import draws as nuts_draws
from latentsteps.inference.nuts import nuts

ends = {
    name: run(algorithm, pairs, steps=60, progress=True)
    for name, algorithm in two_starts(3, 1.0).items()
}
stuck = ends["from a random start"][-1].parameters
places = [peak, {site: stuck[f"{site}_mean"] for site in peak}]
sampler = nuts(
    library.model,
    chains=2,
    warmup=100,
    max_tree_depth=(5, 7),
    start=lambda key, data, chain: places[chain],
)
chains = run(sampler, pairs, steps=160, progress=True)
sampled = {site: nuts_draws(chains, site) for site in peak}  # (2, 60, ...)

scores = {"MAP": score(library, point(peak))}
for name, trace in ends.items():
    scores[f"VI {name}"] = score(library, from_q(trace[-1].parameters, 100))
for c, name in enumerate(("NUTS from the MAP", "NUTS from where VI was caught")):
    scores[name] = score(library, {site: v[c] for site, v in sampled.items()})

densities = np.array([info.log_density for info in chains.infos])[101:].T
random_bound, map_bound = (trace.objective[-10:].mean() / 300 for trace in ends.values())
best_vi, worst_vi = scores["VI from the MAP"], scores["VI from a random start"]
samplers = scores["NUTS from the MAP"], scores["NUTS from where VI was caught"]
print("Held-out scores, nats a point:")
print(f"VI from a random start below −.7: {worst_vi < -0.7}; from the MAP above −.45: ", end="")
print(f"{best_vi > -0.45},")
print(f"and below the MAP's own: {best_vi < scores['MAP']}; both chains above −.35: ", end="")
print(f"{min(samplers) > -0.35}.")
print(f"ELBO: from the MAP higher by more than .2 nats a point: {map_bound - random_bound > 0.2}.")
print("Effective draws of NUTS, of the log density, below 40 of 120: ", end="")
print(f"{effective_sample_size(densities) < 40}.")

figure, axes = plt.subplots(figsize=(6.5, 2.3), layout="constrained")
for row, (name, value) in enumerate(scores.items()):
    axes.plot(value, row, style.marker(row), color=style.colour(row), ms=8)
    axes.text(value - 0.03, row, name, ha="right", va="center")
axes.set_xlim(-1.6, 0.05)
axes.set_yticks([])
axes.set_xlabel("held-out score, nats a point")
axes.invert_yaxis()
plt.show()
print(
    "The picture: the random start far to the left; all the others close together on the right, the"
)
print("MAP level with NUTS, VI from the MAP somewhat behind.")

# %% [markdown]
# Four things to take away, and none is that VI beats the MAP.
#
# - The random start is caught: while the network is still poor, the KL rewards weights that say
#   nothing, and components die. A good start repairs that.
# - From the MAP, VI predicts somewhat *worse* than the MAP it started from: independent bells
#   cannot follow weights that only make sense together. What you gain is a bound and a spread.
# - NUTS finds its way out of there: what held mean-field VI did not hold it.
# - Its chains have not converged: a handful of effective draws. They predict well all the same,
#   because many places of the posterior give nearly the same predictions. To quote a posterior
#   mean of a weight would be wrong; a prediction may be quoted with this caveat.
#
# All this is one data set and one seed.
#
# You know by now that equal bounds need not predict equally. Here is that on a network: the end of
# the random run, and of the other run the early state whose ELBO is nearest to it.

# %%
early = ends["from the MAP"]
same = 1 + int(np.abs(early.objective[1:] / 300 - random_bound).argmin())
apart = score(library, from_q(early[same].parameters, 100)) - worst_vi
level = abs(early.objective[same] / 300 - random_bound) < 0.1
print(f"ELBOs within .1 nats a point: {level}; the early one predicts better by")
print(f"more than .3 nats a point: {apart > 0.3}.")

# %% [markdown]
# ### Question 5.Q4 Half a KL
#
# Many programs put a weight before the KL, and lower it until predictions look good. With weight
# $\tfrac12$ the objective is $\text{fit} - \tfrac12 \mathrm{KL}$. What is that?
#
# - **a** Still a lower bound on the log evidence, since less is taken off.
# - **b** No bound, and its best $q$ is near another posterior: one in which every point counts
#   twice.
# - **c** The same as before: a factor moves no optimum.
# - **d** A more careful fit: the smaller the weight, the wider $q$.

# %%
tempered = "b"  ### SOLUTION

# %%
tempered = check.tempered(tempered)

# %% [markdown]
# Your one-number model can tell. The bound with a weight, made as large as possible:

# %%
print("weight   standard deviation of q    fit − weight · KL, less the log evidence")
for weight in (2.0, 1.0, 0.5):

    def negative(place, weight=weight):
        fit, price = parts(place[0], np.exp(place[1]))
        return weight * price - fit

    found = minimize(negative, (1.0, -1.0), method="Nelder-Mead", options={"xatol": 1e-8})
    beyond = -found.fun - evidence
    beyond = 0.0 if abs(beyond) < 1e-6 else beyond
    print(f"{weight:>6.1f} {np.exp(found.x[1]):>21.3f} {style.number(beyond, 2):>26}")

# %% [markdown]
# With weight ½ it exceeds the log evidence, so it bounds nothing, and $q$ is as narrow as if all
# lengths had been measured twice. As a tool against a poor $q$ a weight may be of use; then call it
# a **tempered posterior**, and choose it on points held out.
#
# ## The recipe's other reading
#
# The recipe's text, and its second program, also say something else: *the mixture's weights get a
# Dirichlet q*. Weights that are outputs of a network have none, they change with $x$. So it must
# mean **global** ones: a network with one output, and noise that is the same mixture everywhere,
#
# $$y = f(x; \theta) + e, \qquad e \sim \sum_k \pi_k \mathcal N(m_k, s_k^2), \qquad
# \pi \sim \mathrm{Dirichlet}(1, 1, 1) .$$
#
# That is a model too. With $q(\theta)\, q(\pi)\, q(m)\, q(s)$ the KL splits into a sum, but only
# because the *prior* factorises as well. And a Dirichlet draw can be reparameterised, implicitly:
# NumPyro knows how. Here the $q$ is written out, a *guide* in NumPyro's words, and its own loop
# climbs.

# %%
from numpyro import param
from numpyro.distributions import Dirichlet, LogNormal, MixtureSameFamily, constraints
from numpyro.infer import SVI, TraceMeanField_ELBO
from numpyro.optim import Adam

from latentsteps.jax64 import jax

SHAPES = {"slopes": (1, HIDDEN), "offsets": (HIDDEN,), "output": (HIDDEN,), "places": (3,)}


def shared_noise(data):
    x, y = data
    units = jnp.tanh(x @ unknown("slopes", 2.0, 1, HIDDEN) + unknown("offsets", 2.0, HIDDEN))
    middle = units @ unknown("output", 2 / HIDDEN**0.5, HIDDEN)
    places = unknown("places", 1.0, 3)
    widths = numpyro.sample("widths", LogNormal(-1, 1).expand((3,)).to_event(1))
    shares = numpyro.sample("shares", Dirichlet(jnp.ones(3)))
    noise = Normal(middle[:, None] + places, widths)
    numpyro.sample("y", MixtureSameFamily(Categorical(shares), noise), obs=y[:, 0])


def positive(name, start):
    return param(name, start, constraint=constraints.positive)


def own_q(data):
    for site, shape in SHAPES.items():
        bell = Normal(
            param(f"{site}_mean", jnp.zeros(shape)), positive(f"{site}_sd", jnp.ones(shape))
        )
        numpyro.sample(site, bell.to_event(len(shape)))
    bell = LogNormal(param("widths_mean", -jnp.ones(3)), positive("widths_sd", jnp.full(3, 0.1)))
    numpyro.sample("widths", bell.to_event(1))
    numpyro.sample("shares", Dirichlet(positive("shares_concentration", jnp.full(3, 10.0))))


random = np.random.default_rng(0)
start = {f"{site}_mean": random.normal(size=shape) for site, shape in SHAPES.items()}
start |= {f"{site}_sd": np.full(shape, 0.1) for site, shape in SHAPES.items()}
climb = SVI(shared_noise, own_q, Adam(0.02), TraceMeanField_ELBO())


@jax.jit
def climbed(key):
    """The parameters of q after 2,000 updates, compiled in one piece."""
    return climb.run(key, 2000, pairs, progress_bar=False, init_params=start).params


q = {name: np.asarray(value) for name, value in climbed(jax.random.key(0)).items()}

logs = []
for _ in range(100):
    draw = {
        site: q[f"{site}_mean"] + q[f"{site}_sd"] * random.normal(size=SHAPES[site])
        for site in SHAPES
    }
    widths = np.exp(q["widths_mean"] + q["widths_sd"] * random.normal(size=3))
    middle = np.tanh(new.inputs @ draw["slopes"] + draw["offsets"]) @ draw["output"]
    weights = np.tile(random.dirichlet(q["shares_concentration"]), (2000, 1))
    means, scales = middle[:, None] + draw["places"], np.tile(widths, (2000, 1))
    logs.append(mixture_log_density(new.outputs[:, 0], weights, means, scales))
counted = q["shares_concentration"].sum()
print(f"Held-out score below −.6: {held_out(np.array(logs)) < -0.6}.")
print(f"The Dirichlet's counts, 3 in the prior, add up to more than 30: {counted > 30}.")

# %% [markdown]
# It fits, and cannot say what the data say: three noises that are the same for every $x$, where the
# inverse sine has three answers in the middle and one at the ends. Which parameters depend on $x$
# is the first thing to write down.
#
# ### The Dirichlet q, ready-made
#
# For a global mixture without a network the ELBO can be climbed without any draws: unit 02's EM
# with a $q$ for the parameters too. That is scikit-learn's `BayesianGaussianMixture`. Fitted to the
# *pairs* $(x, y)$ as points in the plane, it also answers the question: given $x$, each component
# has a weight, a mean and a variance for $y$.

# %%
from sklearn.mixture import BayesianGaussianMixture

plane_mixture = BayesianGaussianMixture(
    n_components=12, weight_concentration_prior_type="dirichlet_distribution",
    weight_concentration_prior=0.01, max_iter=300, random_state=0,
).fit(np.hstack(pairs))  # fmt: skip

m, c = plane_mixture.means_, plane_mixture.covariances_
log_shares = np.log(plane_mixture.weights_) + norm.logpdf(new.inputs, m[:, 0], c[:, 0, 0] ** 0.5)
given_x = np.exp(log_shares - logsumexp(log_shares, axis=1, keepdims=True))
means = m[:, 1] + c[:, 0, 1] / c[:, 0, 0] * (new.inputs - m[:, 0])
variances = np.tile(c[:, 1, 1] - c[:, 0, 1] ** 2 / c[:, 0, 0], (2000, 1))
conditional = mixture_log_density(new.outputs[:, 0], given_x, means, variances**0.5)
kept = np.sum(plane_mixture.weights_ > 0.01)
print(f"Components with more than 1 % of the weight: {kept} of 12.")
print(f"Held-out score of y given x: {style.number(held_out(conditional[None]), 2)} nats a point.")

# %% [markdown]
# Two surprises. The Dirichlet prior with a small count lets components die that the data do not
# need: nobody had to choose $K$. And on this plane a mixture without a network comes close to one
# with it, in a fraction of the time. It models how $x$ is distributed too, though, and with many
# inputs that is most of the work. The arm has two inputs; images have hundreds.
#
# ## The recipe, mended
#
# | the recipe | what happens | mended |
# |---|---|---|
# | one output where $3K$ are due | shares, means, scales have nowhere to come from | exercise 5.4 |
# | its mixture is of standard normals | the likelihood ignores the network | 5.5 |
# | mean log-likelihood, whole KL | the prior counts $N$ times | 5.2, question 5.Q3 |
# | one mixture per output | ghosts | 5.6 |
# | Dirichlet q for weights that depend on $x$ | two models in one | global noise, above |
#
# <details><summary>And the rest, in short</summary>
#
# - Its first program has no prior and no KL: it is maximum likelihood, not Bayesian.
# - The likelihood of its second program is left blank, and $p$ is never defined.
# - Scales are free parameters that an optimiser may take below zero; so are the counts of its
#   Dirichlet.
# - It optimises the network's variables, and not those of $q$.
# - It says nothing of minibatches: the factor $N/B$.
# - The KL is said to split because $q$ factorises. The prior has to factorise too.
#
# </details>
#
# ## Which z, which q, which gap?
#
# | | hidden | $q$ | gap between bound and evidence |
# |---|---|---|---|
# | EM, units 01–03 | assignments $z$ | exact, every E step | closed after each E step |
# | hard EM | assignments $z$ | all on one component | stays open |
# | NUTS, unit 04 | parameters; $z$ summed out | draws, no formula | no bound |
# | MAP, here | weights $\theta$ | a single point | no bound |
# | mean field, here | $\theta$; $z$ summed out | independent bells | modes, correlations |
# | scikit-learn's | $z$, parameters | $q(z)\,q(\pi)\,q(m, \Sigma)$ | what they know of each other |
#
# ## What goes wrong, and how to see it
#
# | what you see | what it is | what to do |
# |---|---|---|
# | the answer lies between the data | one bell for several answers | a mixture |
# | poses that reach elsewhere | one mixture per output | one $k$ for all outputs |
# | $q$ nearly as wide as the prior | KL counted $N$ times | sum, or KL$/N$; $N/B$ for batches |
# | components die, grey is one band | VI caught at its start | start at the MAP |
# | good on the data, poor on new points | maximum likelihood | a prior; score held out |
# | a good ELBO, poor predictions | the slack is elsewhere | score held out |
# | density without end, NaN | a scale at zero | softplus and a smallest scale |
# | few effective draws | NUTS has not converged | quote predictions, not weights |
#
# ## Summary
#
# - Several right answers need a distribution for an answer. A mixture density network has one.
# - The reverse KL keeps $q$ where the posterior is; it finds a mode, and which one is up to the
#   start.
# - ELBO = fit − KL. The fit is scaled to all $N$ points, the KL is there once.
# - Draws are made of noise, so the gradient goes through them.
# - Outputs that belong together share one hidden choice.
# - Judge by the log of the *averaged* density on new points; a bound says how near $q$ is, not how
#   well it predicts.
#
# In unit 06 the number of components is no longer fixed, and the network with several classes
# returns as a gate.
#
# ## Sources
#
# - Bishop (1994), "Mixture density networks", report NCRG/94/004, Aston University: the network,
#   the inverse sine, the arm.
# - Bishop (2006), *Pattern Recognition and Machine Learning*, sections 5.6, 5.7, 10.1 and 10.2.
# - Murphy (2023), *Probabilistic Machine Learning: Advanced Topics*, chapters 10 and 17.
# - Neal (1996), *Bayesian Learning for Neural Networks*: priors on weights.
# - Kingma and Welling (2014), "Auto-encoding variational Bayes", and Rezende, Mohamed and Wierstra
#   (2014), "Stochastic backpropagation and approximate inference in deep generative models":
#   reparameterisation.
# - Figurnov, Mohamed and Mnih (2018), "Implicit reparameterization gradients": Dirichlet draws.
# - Blundell et al. (2015), "Weight uncertainty in neural networks": mean field for networks, and
#   the KL in minibatches.
# - Blei, Kucukelbir and McAuliffe (2017), "Variational inference: a review for statisticians",
#   *Journal of the American Statistical Association* 112, 859–877.
# - Hoffman and Gelman (2014), "The No-U-Turn sampler", *Journal of Machine Learning Research* 15,
#   1593–1623.
