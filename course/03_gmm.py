# %% [markdown]
# # 03 · Gaussian mixtures by EM
#
# In unit 00 k-means cut Old Faithful in two with a straight border, and every eruption was wholly
# on one side of it. But clouds are tilted, and one is wider than the other. How would each eruption
# share *itself* out? You give the clusters a shape, and find out; and then you find out how such a
# fit can go wrong without a word.
#
# **Time:** about 4 hours.
#
# **What to know before:** units 00 and 02: the E step, the M step, the bound, log-sum-exp. Linear
# algebra: symmetric matrices, the determinant, eigenvalues.
#
# **Afterwards you can**
#
# - write EM for Gaussian mixtures with full covariances, in log space, by Cholesky factors;
# - rebuild a textbook's figure, and say why a recipe for it does not give it;
# - put a prior on a component, and say what that cures;
# - tell a plateau from a summit, and know what a stopping rule can and cannot see;
# - choose the number of components without being fooled by a spike.
#
# ### Notation
#
# | what | here | in code | Bishop | Murphy | recipe |
# |---|---|---|---|---|---|
# | point $n$ of $N$, $D$ numbers | $x_n$ | `x`, (N, D) | $\mathbf x_n$ | $\mathbf x_i$ | `x` |
# | share of component $k$ of $K$ | $\pi_k$ | `weights`, (K,) | $\pi_k$ | $\pi_k$ | `pk` |
# | its mean | $m_k$ | `means`, (K, D) | $\mu_k$ | $\mu_k$ | `muk` |
# | its covariance | $\Sigma_k$ | `covariances`, (K, D, D) | $\Sigma_k$ | $\Sigma_k$ | `covk` |
# | responsibility of $k$ for $n$ | $r_{nk}$ | `r`, (N, K) | $\gamma(z_{nk})$ | $r_{ik}$ | `rk` |
# | points in $k$: $\sum_n r_{nk}$ | $N_k$ | `counts`, (K,) | $N_k$ | $r_k$ | |
# | prior of a component | $m_0, \kappa, S_0, \nu$ | `m0, kappa, s0, nu` | | the same | |
#
# Bishop (2006), section 9.2; Murphy (2012), sections 4.6.3 and 11.4; the recipe is a course handout
# that you meet on the way. Logarithms are natural, so log densities are measured in **nats**.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp

from latentsteps.checks import gmm as check
from latentsteps.data import old_faithful, standardize
from latentsteps.views import gaussian_mixture as mixture_view
from latentsteps.views import style

plt.style.use(style.RC)
geyser = old_faithful()
x = standardize(geyser)  # each column minus its mean, over its standard deviation
LENGTH, WAIT = "length of the eruption (sd)", "wait for the next (sd)"
print(f"{len(x)} eruptions; x has the columns' means taken out and their spread set to 1.")

# %% [markdown]
# ## The question
#
# Here is unit 00's k-means with two clusters, on the eruptions in minutes. Look at the border, and
# at the eruptions beside it.

# %%
from latentsteps.models.kmeans import kmeans
from latentsteps.trace import relative, run
from latentsteps.views import kmeans as kmeans_view

cut = run(kmeans(2), geyser, seed=4, steps=100, stop=relative(0, 1))
figure = plt.figure(figsize=(9, 4))
in_minutes = kmeans_view.with_labels("length of the eruption (minutes)", "wait (minutes)")
in_minutes.draw(figure, cut.at(len(cut) - 1))
plt.show()

labels, waits = cut[-1].expectations, geyser[:, 1]
shorter = int(waits[labels == 0].mean() > waits[labels == 1].mean())
below, above = waits[labels == shorter].max(), waits[labels != shorter].min()
print("The picture: two clouds, cut by an almost level line through the gap and through the edge")
print(
    f"of the upper cloud. Waits up to {below:.0f} are on one side, from {above:.0f} on the other;"
)
print("how long an eruption lasted does not count.")

# %% [markdown]
# Three things are odd about that. The border is straight, whatever the clouds look like. An
# eruption on the border belongs to one side as wholly as one in the middle of a cloud. And a minute
# of waiting counts like a minute of erupting.
#
# A **Gaussian mixture** gives each cluster a place $m_k$, a shape $\Sigma_k$ and a size $\pi_k$:
#
# $$p(x_n, k) = \pi_k \, \mathcal N(x_n \mid m_k, \Sigma_k) .$$
#
# The rest is unit 02: the E step shares every point out, the M step fits each component to its
# shares.
#
# ## See it run
#
# An ellipse holds 95 % of its component, and a thick one has much weight. A point's colour is mixed
# in the shares of its responsibilities. After an M half the old ellipses are dashed. The book's
# start is that of figure 11.11 in Murphy (2012); it begins far from the data.
#
# - Press **Step** and say each time what changes next: the colours, or the ellipses?
# - Set **view** to the distance to the end: where is the run slow, and where is it fast?
# - Set **start** to *nearly one mean*. When does scikit-learn's default stop, and what happens
#   afterwards if you go on?
# - Set **start** to *a spike*. Can a spike grow again?

# %%
from latentsteps.models.gaussian_mixture import (
    GaussianMixture,
    NormalInverseWishart,
    gaussian_mixture,
    log_likelihood,
    responsibilities,
)
from latentsteps.stepper import Stepper

HALF = np.array([0.5, 0.5])
own = np.cov(x.T, ddof=0)  # the covariance of all eruptions together
narrow = 0.1 * np.eye(2)

book = GaussianMixture(HALF, np.array([[-1.8, 1.5], [1.8, -1.5]]), np.array([narrow, narrow]))
demo_means = np.array([[-1.93256481, -0.16558438], [1.62533231, -1.21232358]])
demo = GaussianMixture(HALF, demo_means, np.array([narrow, narrow]))
demo_prior = NormalInverseWishart(mean=np.zeros(2), strength=0.01, scatter=narrow, degrees=3.0)
near = GaussianMixture(HALF, np.array([[-0.01, -0.01], [0.01, 0.01]]), np.array([own, own]))
spike = GaussianMixture(HALF, np.array([x[3], [0, 0]]), np.array([1e-4 * np.eye(2), np.eye(2)]))

STARTS = {
    "the book's": {"start": book},
    "the linked demo's (MAP)": {"start": demo, "prior": demo_prior, "concentration": 2.0},
    "k-means": {"start": "k-means"},
    "random points": {"start": "random points"},
    "nearly one mean": {"start": near},
    "a spike": {"start": spike},
}
VIEWS = {
    side: mixture_view.with_labels(LENGTH, WAIT, side)
    for side in ("objective", "distance to the end")
}
Stepper(
    lambda start: gaussian_mixture(2, half_steps=True, **start),
    x,
    VIEWS,
    controls={"start": STARTS},
    filmstrip=(0, 10, 32),
)

# %% [markdown]
# ## The density of a component
#
# A Gaussian's density falls with the **Mahalanobis distance** of a point from the mean, the
# distance in standard deviations *of that direction*:
#
# $$\log \mathcal N(x \mid m, \Sigma) = -\tfrac12 (x - m)^\top \Sigma^{-1} (x - m)
#   - \tfrac12 \log \lvert \Sigma \rvert - \tfrac D2 \log 2\pi .$$
#
# Nobody inverts $\Sigma$ for that. The **Cholesky factor** of a covariance is the lower triangular
# matrix $L$ with $L L^\top = \Sigma$. Solve $L z = x - m$, from the top row down: then
# $z^\top z = (x - m)^\top \Sigma^{-1} (x - m)$. And since $\lvert L \rvert$ is the product of its
# diagonal, $\tfrac12 \log \lvert \Sigma \rvert = \sum_i \log L_{ii}$.
#
# Why in logarithms? Take the book's start with narrow components, $\Sigma_k = 0.003 \cdot I$, and
# multiply densities as they are:

# %%
squares = ((x[:, None] - book.means) ** 2).sum(axis=2) / 0.003
densities = np.exp(-squares / 2) / (2 * np.pi * 0.003)
with np.errstate(invalid="ignore"):
    products = HALF * densities / (HALF * densities).sum(axis=1, keepdims=True)
logs = np.log(HALF) - squares / 2
in_logs = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
print(f"Responsibilities out of products: NaN for {np.isnan(products).any(axis=1).sum()} of 272.")
print(f"The same in logarithms: NaN for {np.isnan(in_logs).any(axis=1).sum()}.")

# %% [markdown]
# Both densities of such an eruption are too small for the computer, so its shares are 0/0. In a
# logarithm nothing is too small.
#
# ### Exercise 3.1 The log density
#
# `np.linalg.cholesky` gives $L$; `scipy.linalg.solve_triangular(factor, b, lower=True)` solves
# $L z = b$ for all columns of `b` at once.


# %%
from scipy.linalg import solve_triangular


def log_normal(x, mean, covariance):
    """Log density of N(mean, covariance) at each point, in nats, by a Cholesky factor.

    x: (N, D). mean: (D,). covariance: (D, D), symmetric and positive definite; it may be tiny, D
    may be 150, and points may lie far out. Returns (N,).
    """
    ### BEGIN SOLUTION
    factor = np.linalg.cholesky(covariance)
    z = solve_triangular(factor, (x - mean).T, lower=True)  # (D, N)
    half_log_determinant = np.log(np.diag(factor)).sum()
    return -0.5 * (z**2).sum(axis=0) - half_log_determinant - 0.5 * len(mean) * np.log(2 * np.pi)
    ### END SOLUTION


# %%
log_normal = check.log_normal(log_normal)

# %% [markdown]
# Two looks at what you have: SciPy knows the same density, and in 150 dimensions the determinant
# itself is too small for the computer, but its logarithm is not.

# %%
from scipy.stats import multivariate_normal

by_scipy = multivariate_normal(np.zeros(2), own).logpdf(x)
difference = np.abs(log_normal(x, np.zeros(2), own) - by_scipy).max()
print(f"Largest difference from SciPy below 1e-10: {difference < 1e-10}.")

tiny = 1e-3 * np.eye(150)
at_the_mean = log_normal(np.zeros((2, 150)), np.zeros(150), tiny)[0]
print(f"0.001·I in 150 dimensions: determinant {np.linalg.det(tiny):.0f} in the computer;")
print(f"log density at the mean {style.number(at_the_mean)} nats.")

# %% [markdown]
# ### The E step
#
# It is unit 02's, with another density. `soft` is Bayes' rule by log-sum-exp.

# %%
from latentsteps.inference.em import bound, em, soft


def log_joint(log_normal, x, now):
    """log p(x_n, k) for every point and component, (N, K), out of a function like yours."""
    pairs = zip(now.means, now.covariances, strict=True)
    columns = [np.asarray(log_normal(x, mean, covariance)) for mean, covariance in pairs]
    return np.log(now.weights) + np.stack(columns, axis=1)


r = soft(log_joint(log_normal, x, book))
print("At the book's start, the first three eruptions share themselves out like this:")
print(np.round(r[:3], 2))

# %% [markdown]
# ## The M step
#
# Weights and means are as in unit 02, $\pi_k = N_k / N$ and $m_k = \sum_n r_{nk} x_n / N_k$. What
# becomes of the variance when it is a matrix?
#
# ### Pen and paper: the covariance
#
# Write $S_k = \sum_n r_{nk} (x_n - m_k)(x_n - m_k)^\top$ for the weighted **scatter** of component
# $k$. Show that the part of the bound that contains $\Sigma_k$ is
#
# $$-\tfrac12 N_k \log \lvert \Sigma_k \rvert - \tfrac12 \operatorname{tr}(\Sigma_k^{-1} S_k),$$
#
# and that $\Sigma_k = S_k / N_k$ makes it largest. Two tools: a number is its own trace and
# $\operatorname{tr}(AB) = \operatorname{tr}(BA)$; and with $\Lambda = \Sigma_k^{-1}$ the derivative
# of $\log \lvert \Lambda \rvert$ is $\Lambda^{-1}$, that of $\operatorname{tr}(\Lambda S)$ is $S$
# (both for symmetric matrices). Why is it a maximum?

# %% [markdown]
# *Double-click here and write your answer. Formulas go between dollar signs, as in `$\Sigma_k$`.*

# %% [markdown] tags=["solution"]
# **A model answer.** The quadratic form is a number, so it is its own trace, and the factors may go
# round:
#
# $$(x_n - m_k)^\top \Lambda (x_n - m_k)
#   = \operatorname{tr}\bigl(\Lambda (x_n - m_k)(x_n - m_k)^\top\bigr).$$
#
# Summed with the weights $r_{nk}$ this is $\operatorname{tr}(\Lambda S_k)$, because the trace of a
# sum is the sum of the traces. Each point also brings $r_{nk} \cdot \tfrac12 \log \lvert \Lambda
# \rvert$, together $\tfrac12 N_k \log \lvert \Lambda \rvert$. So
#
# $$f(\Lambda) = \tfrac12 N_k \log \lvert \Lambda \rvert - \tfrac12 \operatorname{tr}(\Lambda S_k),
# \qquad f'(\Lambda) = \tfrac12 N_k \Lambda^{-1} - \tfrac12 S_k ,$$
#
# and the derivative is zero at $\Lambda^{-1} = S_k / N_k$, that is $\Sigma_k = S_k / N_k$. The
# logarithm of the determinant is concave in $\Lambda$ and the trace is linear, so $f$ is concave:
# it is the only maximum, provided that $S_k$ has an inverse. If all points of a component lie on a
# line, it has none, and $f$ grows without end. Keep that in mind.

# %% [markdown]
# ### Exercise 3.2 The covariances
#
# Write it for all components. The means are handed to you: they are the *new* ones, because in the
# bound mean and covariance are chosen together.


# %%
def update_covariances(x, r, means):
    """Each component's covariance: the weighted average of (x_n − m_k)(x_n − m_k)ᵀ.

    x: (N, D). r: (N, K), every column with some responsibility. means: (K, D); measure from these,
    whatever they are: with a prior they are not the members' own middle. Returns (K, D, D).
    """
    ### BEGIN SOLUTION
    covariances = []
    for k, mean in enumerate(means):
        away = x - mean
        scatter = (r[:, k, None] * away).T @ away
        covariances.append(scatter / r[:, k].sum())
    return np.array(covariances)
    ### END SOLUTION


# %%
update_covariances = check.update_covariances(update_covariances)

# %% [markdown]
# ## Your functions play
#
# `em` makes the loop, from the book's start. Yours play as you wrote them, also those that did not
# pass; where you have not written one, the course's stands in. If the two pictures part company,
# look for the first state that differs.


# %%
def mixture(log_normal, update_covariances, start, half_steps=True):
    """EM for a Gaussian mixture out of two functions, from the parameters `start`."""

    def e_step(x, now):
        return soft(log_joint(log_normal, x, now))

    def m_step(x, r, old):
        counts = r.sum(axis=0)
        means = r.T @ x / counts[:, None]
        return GaussianMixture(counts / len(x), means, np.asarray(update_covariances(x, r, means)))

    def objective(x, now, r):
        return bound(log_joint(log_normal, x, now), r)

    return em(
        init=lambda key, x: start,
        e_step=e_step,
        m_step=m_step,
        objective=objective,
        half_steps=half_steps,
        name="EM for a Gaussian mixture",
    )


pieces = [check.log_normal, check.update_covariances]
traces = {"reference": run(mixture(*[p.reference for p in pieces], book), x, steps=40)}

if any(piece.answer is not None for piece in pieces):
    written = [p.reference if p.answer is None else p.answer for p in pieces]
    try:
        with np.errstate(all="ignore"):  # NaN will be seen in the picture
            traces = {"yours": run(mixture(*written, book), x, steps=40), **traces}
    except Exception as error:  # any mistake is possible here, and the notebook goes on
        print(f"Your functions stopped with {type(error).__name__}: {error}")

Stepper.replay(traces, VIEWS)

# %% [markdown]
# ### So, how do they share themselves out?
#
# Which eruptions are in doubt, at the end? And what does k-means say of them, on the same
# standardised columns?

# %%
trace = run(mixture(log_normal, update_covariances, book, half_steps=False), x, steps=60)
fitted, shares = trace[-1].parameters, trace[-1].expectations
hard = run(kmeans(2, start=fitted.means), x, steps=100, stop=relative(0, 1))[-1].expectations

doubt = shares.max(axis=1)
print(f"Eruptions whose larger share is below .99: {np.sum(doubt < 0.99)} of {len(x)}.")
print("The three most in doubt: minutes, minutes of waiting, share of the upper cloud; k-means")
for n in np.argsort(doubt)[:3]:
    side = ("lower", "upper")[hard[n]]
    print(f"{geyser[n, 0]:8.2f} {geyser[n, 1]:6.0f} {shares[n, 1]:12.1%}      wholly {side}")
larger = shares.argmax(axis=1)
by_minutes = labels != shorter
print("Eruptions that the larger share puts on another side than k-means on standardised columns:")
print(f"{np.sum(larger != hard)}; than k-means in minutes: {np.sum(larger != by_minutes)}.")

# %% [markdown]
# So the geyser leaves little doubt: its clouds lie far apart. But the few that are in doubt are
# now known by name, and which side an eruption is on no longer depends on minutes or seconds.

# %% [markdown]
# ## A figure from a book
#
# The figure shows the start, and the mixture after 1, 3, 5 and 16 M steps. Your functions draw it.
# In each panel the points are coloured by the E step that belongs to the ellipses.


# %%
def draw_panels(fits, data=x, height=3.1, columns=3):
    """Mixtures side by side; `fits` is a dict from title to parameters."""
    rows = -(-len(fits) // columns)
    _, grid = plt.subplots(
        rows,
        columns,
        figsize=(9, height * rows),
        layout="constrained",
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for axes in grid.flat[len(fits) :]:
        axes.set_axis_off()
    for axes, (title, parameters) in zip(grid.flat, fits.items(), strict=False):
        shared = responsibilities(data, parameters)
        mixture_view.draw_mixture(axes, data, shared, parameters)
        axes.set_title(title)
    plt.show()


PANELS = [1, 3, 5, 16]
states = {"start": book} | {
    f"after {t} M step{'s' if t > 1 else ''}": trace[t].parameters for t in PANELS
}
draw_panels(states)

values = trace.objective[PANELS]
reference = [-543.1928, -531.6490, -491.0069, -384.459357]
print("The picture: two circles far from the data become long flat ellipses that lie across both")
print("clouds; slowly they part, and at last each holds one cloud.")
print("Log-likelihood after", PANELS, "M steps:", *[style.number(value) for value in values])
far = np.abs(values - reference).max()
print(f"Largest difference from the figure's reference values below .0001: {far < 1e-4}.")
print(f"Left to climb after 16: {style.number(trace.objective[-1] - values[-1], 2)} nats.")

# %% [markdown]
# ## A recipe that does not give the figure
#
# A course handout sets the task of rebuilding this figure, and solves it like so, in our words:
#
# > Standardise the eruptions. Take two Gaussians as priors, with covariance $I$ and with means near
# > the upper left and the lower right corner: (−1.5, 1.5) and (1.5, −1.5), each moved by up to 0.8.
# > Run EM. Draw, after 1, 3, 5 and 15 iterations, the contour of each density at a fixed level.
#
# Its picture looks right at the end, but not on the way. Which of its two changes is to blame: the
# places of the means, or their covariance? Predict; then let the table tell. The first part changes
# one thing at a time, with means drawn by the handout's own seed; the second draws 50 such means.

# %%
corners = np.array([[-1.5, 1.5], [1.5, -1.5]])
draws = np.random.RandomState(402)  # its seed, its generator
recipe_means = [corners + 0.8 * draws.rand(2, 2) for _ in range(50)]
WIDTHS = {"0.1·I": np.array([narrow, narrow]), "I": np.array([np.eye(2), np.eye(2)])}
SHOWN = [1, 3, 5, 15, 16, 60]


def climb(means, covariances):
    """The log-likelihood of a run from there, at the steps shown."""
    start = GaussianMixture(HALF, means, covariances)
    one = mixture(log_normal, update_covariances, start, half_steps=False)
    return run(one, x, steps=60).objective[SHOWN]


print("Log-likelihood after ... M steps " + "".join(f"{t:>8}" for t in SHOWN))
for name, means in {"the book's means": book.means, "the recipe's means": recipe_means[0]}.items():
    for width, covariances in WIDTHS.items():
        row = "".join(f"{style.number(value):>8}" for value in climb(means, covariances))
        print(f"{name + ', ' + width:<33}{row}")

print("50 draws of the recipe's means")
for width, covariances in WIDTHS.items():
    heights = np.array([climb(means, covariances)[:5] for means in recipe_means])
    for name, values in {"lowest": heights.min(axis=0), "highest": heights.max(axis=0)}.items():
        row = "".join(f"{style.number(value):>8}" for value in values)
        print(f"{name + ' of 50, ' + width:<33}{row}")
    near_figure = np.abs(heights[:, [0, 1, 2, 4]] - reference).max(axis=1) < 10
    print(f"  within 10 nats of the figure in all four panels: {near_figure.sum()} of 50")

# %% [markdown]
# So $\Sigma_k = I$ cannot give the figure, not even from the book's means; and the recipe's means
# do not give it with the book's covariance either. Where does the difference come from?
#
# ### Pen and paper: find out why
#
# Write down $\log (r_{n1} / r_{n2})$ in the *first E step*, for equal weights and
# $\Sigma_1 = \Sigma_2 = s I$. Which part of it is decided by $s$, and which by the means? And what
# does it have to be at the middles of the two clouds, for the run to get going quickly?

# %% [markdown]
# *Double-click here and write your answer.*

# %% [markdown] tags=["solution"]
# **A model answer.** The determinants cancel, and so does $x_n^\top x_n$:
#
# $$\log \frac{r_{n1}}{r_{n2}} = \frac{1}{2s} \bigl( \lVert x_n - m_2 \rVert^2 - \lVert x_n - m_1
# \rVert^2 \bigr) = \frac1s (m_1 - m_2)^\top \Bigl( x_n - \frac{m_1 + m_2}{2} \Bigr) .$$
#
# The means decide where the border lies, halfway between them and at a right angle to the line
# that joins them; $s$ decides how sharp it is. From two opposite corners the border runs *along*
# both clouds. Near 0, points share themselves out evenly and the components come out nearly equal,
# which is where the likelihood is nearly flat. With the same sign at both middles, one component
# takes the bulk of both clouds and the other only a rim. Either way no component has begun to own a
# cloud. To get going, the middles need log-ratios of opposite sign, and both far from 0. Of the
# four starts only the book's means with $0.1 \cdot I$ have that, as the next cell shows.

# %%
print("log r₁/r₂ in the first E step, at the middle of   the lower cloud   the upper cloud")
for name, means in {"the book's means": book.means, "the recipe's means": recipe_means[0]}.items():
    middle = means.mean(axis=0)
    for width, covariances in WIDTHS.items():
        ratios = (fitted.means - middle) @ (means[0] - means[1]) / covariances[0, 0, 0]
        row = "".join(f"{style.number(ratio, 2):>18}" for ratio in ratios)
        print(f"{name + ', ' + width:<45}{row}")

# %% [markdown]
# There is a second thing. In the recipe's last panel the ellipses are those *after* its 16th M
# step, but the points have the colours of the E step *before* it. So the panel called "15" pairs 16
# M steps with 15 E steps. How much does that matter?

# %%
recipe_start = GaussianMixture(HALF, recipe_means[0], WIDTHS["I"])
late = run(mixture(log_normal, update_covariances, recipe_start, half_steps=False), x, steps=16)
before, after = late[15].expectations, late[16].expectations
print(f"The colours of one E step earlier differ by up to {np.abs(after - before).max():.2f}")
changed = np.sum(before.argmax(axis=1) != after.argmax(axis=1))
print(f"in an eruption's share; eruptions with another larger share: {changed}.")

# %% [markdown]
# A smaller thing is the word: the two Gaussians that a run begins with are a *start*, not a prior.
# A prior would be there in every M step. So what would that look like?
#
# ## A prior for a component
#
# The book names the program that drew the figure, and that program does have a prior: it computes
# the **MAP** estimate, the parameters with the largest *posterior* density. The prior of a mean and
# a covariance together is called **normal-inverse-Wishart**,
#
# $$\log p(m, \Sigma) = -\tfrac12 (\nu + D + 2) \log \lvert \Sigma \rvert
# - \tfrac12 \operatorname{tr}\bigl( \Sigma^{-1} \bigl[ S_0 + \kappa (m - m_0)(m - m_0)^\top
# \bigr] \bigr) + \text{const} .$$
#
# Read it as imaginary data: about $\kappa$ points at $m_0$, and a scatter $S_0$ worth about $\nu$
# points. (Of the $D + 2$ in the exponent, $D + 1$ belong to the inverse Wishart density itself, and
# one to the normal density of $m$, which is narrow where $\Sigma$ is small.)
#
# ### Pen and paper: a component with a prior
#
# Add the log-prior to what one component gets from the bound,
#
# $$-\tfrac12 N_k \log \lvert \Sigma \rvert - \tfrac12 \sum_n r_{nk} (x_n - m)^\top \Sigma^{-1}
# (x_n - m),$$
#
# and find the $m$ and $\Sigma$ that make the sum largest. What is left when $N_k = 0$?

# %% [markdown]
# *Double-click here and write your answer.*

# %% [markdown] tags=["solution"]
# **A model answer.** In $m$ the sum is
# $-\tfrac12 \sum_n r_{nk} (x_n - m)^\top \Sigma^{-1} (x_n - m) - \tfrac12 \kappa (m - m_0)^\top
# \Sigma^{-1} (m - m_0)$: another point, $m_0$, with the weight $\kappa$. So, whatever $\Sigma$ is,
#
# $$m = \frac{\sum_n r_{nk} x_n + \kappa m_0}{N_k + \kappa} .$$
#
# In $\Sigma$ it has the form of the first derivation,
# $-\tfrac12 a \log \lvert \Sigma \rvert - \tfrac12 \operatorname{tr}(\Sigma^{-1} S)$, with
# $a = N_k + \nu + D + 2$ and
#
# $$S = S_0 + \sum_n r_{nk} (x_n - m)(x_n - m)^\top + \kappa (m - m_0)(m - m_0)^\top ,$$
#
# and by the same argument $\Sigma = S / a$, at the new $m$. With $N_k = 0$ there remain $m = m_0$
# and $\Sigma = S_0 / (\nu + D + 2)$, the prior's own mode. And as $S_0$ has an inverse, so has
# $S$: a component cannot collapse.

# %% [markdown]
# ### Exercise 3.3 The most probable component


# %%
def map_component(x, r, m0, kappa, s0, nu):
    """The most probable mean and covariance of one component, under a normal-inverse-Wishart prior.

    x: (N, D). r: (N,), this component's responsibilities, possibly all zero. m0: (D,), kappa: the
    prior's mean and how many points it counts for, > 0. s0: (D, D), nu: its scatter and degrees of
    freedom. Returns (mean, covariance), (D,) and (D, D): the joint mode.
    """
    ### BEGIN SOLUTION
    count, d = r.sum(), x.shape[1]
    mean = (r @ x + kappa * m0) / (count + kappa)
    away, pull = x - mean, mean - m0
    scatter = s0 + (r[:, None] * away).T @ away + kappa * np.outer(pull, pull)
    return mean, scatter / (count + nu + d + 2)
    ### END SOLUTION


# %%
map_component = check.map_component(map_component)

# %% [markdown]
# Now the linked program's own run, with your M step: $m_0 = 0$, $\kappa = 0.01$,
# $S_0 = 0.1 \cdot I$, $\nu = 3$, and one count added to each weight, which is a Dirichlet(2, 2)
# prior. Its start is another than the book's. What it climbs is log-likelihood plus log prior; the
# trace it prints leaves out one constant, the Dirichlet's $\log 6$. Who wrote the same thing? Only
# the numbers can tell: the library's run must give the same ones.

# %%
from latentsteps.models.gaussian_mixture import log_prior


def map_step(x, r, old):
    """One M step of the linked program, out of your function."""
    parts = [map_component(x, r[:, k], *demo_prior) for k in range(r.shape[1])]
    weights = (r.sum(axis=0) + 1) / (len(x) + r.shape[1])
    return GaussianMixture(
        weights, np.array([m for m, _ in parts]), np.array([s for _, s in parts])
    )


by_map = em(
    init=lambda key, x: demo,
    e_step=lambda x, now: soft(log_joint(log_normal, x, now)),
    m_step=map_step,
    objective=lambda x, now, r: (
        bound(log_joint(log_normal, x, now), r) + log_prior(now, demo_prior, concentration=2.0)
    ),
    name="MAP by EM",
)
mapped = run(by_map, x, steps=40)
library = run(gaussian_mixture(2, **STARTS["the linked demo's (MAP)"]), x, steps=40)


def signed(value):
    """One digit after the point, and a true minus sign."""
    return f"{value:.1f}".replace("-", "−")


print("step      log-likelihood + log prior     without log 6")
for t in range(1, 9):
    value = mapped.objective[t]
    print(f"{t:>4} {signed(value):>31} {signed(value - np.log(6)):>17}")
agree = np.abs(mapped.objective - library.objective).max() < 1e-8
print(f"This run and the library's agree to 1e-8 at every step: {agree}.")
as_high = int(np.argmax(trace.objective >= log_likelihood(x, mapped[1].parameters)))
print(f"Its log-likelihood after 1 step is reached by the book's run after {as_high}.")
lost = trace.objective[-1] - log_likelihood(x, mapped[-1].parameters)
print(f"Log-likelihood of the MAP estimate: {style.number(lost, 2)} nats below the maximum found.")

# %% [markdown]
# So from the program's start the beginning looks quite different. A figure needs three things to be
# rebuilt: the data, the start, and what is being climbed. Look for all three when you read one.
#
# ## In minutes
#
# Standardising was for the eyes. A Gaussian mixture with full covariances does not need it: if the
# data are stretched and shifted, means and covariances follow, and every responsibility stays. Only
# the densities change, by a constant. Here is maximum likelihood in minutes, and scikit-learn's,
# from the same start, with its floor switched off and its tolerance turned down.

# %%
from sklearn.mixture import GaussianMixture as SklearnMixture

sd = geyser.std(axis=0, ddof=1)
stretched = GaussianMixture(
    HALF, book.means * sd + geyser.mean(axis=0), book.covariances * np.outer(sd, sd)
)
minutes = run(
    mixture(log_normal, update_covariances, stretched, half_steps=False), geyser, steps=60
)
best = minutes[-1].parameters
theirs = SklearnMixture(
    2,
    tol=1e-12,
    max_iter=500,
    reg_covar=0,
    weights_init=stretched.weights,
    means_init=stretched.means,
    precisions_init=np.linalg.inv(stretched.covariances),
).fit(geyser)

for k, name in enumerate(("short", "long")):
    m, s = best.means[k], best.covariances[k]
    tilt = s[0, 1] / np.sqrt(s[0, 0] * s[1, 1])
    print(f"{name:<5} weight {best.weights[k]:.3g}, lasts {m[0]:.3g} and waits {m[1]:.3g} minutes,")
    print(f"      standard deviations {s[0, 0] ** 0.5:.2g} and {s[1, 1] ** 0.5:.2g}, ", end="")
    print(f"correlation {tilt:.3g}")

height = minutes.objective[-1]
print(f"Log-likelihood {signed(height)} in minutes, {signed(trace.objective[-1])} in standard")
print(f"deviations; −N times the sum of the logs of both: {signed(-len(x) * np.log(sd).sum())}.")
differences = {
    "log-likelihood": abs(height - len(geyser) * theirs.score(geyser)),
    "weights": np.abs(best.weights - theirs.weights_).max(),
    "means": np.abs(best.means - theirs.means_).max(),
    "covariances": np.abs(best.covariances - theirs.covariances_).max(),
}
for what, size in differences.items():
    print(f"{what:<15} differs from scikit-learn's by less than .00001: {size < 1e-5}")
oracle = abs(height - -1130.26396018) < 1e-6
print(f"The best log-likelihood known for K = 2, −1130.26396018, is reached: {oracle}.")

# %% [markdown]
# ## A plateau
#
# In the stepper you have seen a run that seemed to have arrived and had not. Here it is with
# scikit-learn itself: both means start a hundredth of a standard deviation from the middle, with
# the covariance of all eruptions, and everything else is left at its default.

# %%
hasty = SklearnMixture(
    2,
    weights_init=near.weights,
    means_init=near.means,
    precisions_init=np.linalg.inv(near.covariances),
).fit(x)
alone = run(gaussian_mixture(1), x, steps=3).objective[-1]
print(f"scikit-learn: converged {hasty.converged_}, after {hasty.n_iter_} steps,")
print(f"log-likelihood {style.number(len(x) * hasty.score(x), 5)}; one single Gaussian", end=" ")
print(f"has {style.number(alone, 5)}.")

# %% [markdown]
# Its rule: stop when the log-likelihood *per point* changes by less than .001. With 272 points that
# is a quarter of a nat a step.
#
# ### Question 3.Q1 Has it arrived?
#
# Both components start almost at the middle of the data. After two steps a step brings less than
# .001 nats a point, scikit-learn's default stops there, and reports convergence at −543.99. You let
# the same run go on, from exactly that state. What happens?
#
# - **a** It stays where it is: −543.99 is a summit, only a low one.
# - **b** It climbs a little, and more and more slowly, to a summit just above −543.99.
# - **c** The two components move apart, at first by a little more with each step, and it reaches
#   the summit that the good start reaches.
# - **d** It stays where it is: the two components are equal by now, so they get equal
#   responsibilities for ever.

# %%
plateau = "c"  ### SOLUTION

# %%
plateau = check.plateau(plateau)

# %%
reached = GaussianMixture(hasty.weights_, hasty.means_, hasty.covariances_)
onward = run(gaussian_mixture(2, start=reached), x, steps=60)
changes = np.diff(onward.objective)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.plot(onward.objective, "-", color=style.colour(0))
left.plot(0, onward.objective[0], "X", color=style.ALARM, ms=9, label="reported as converged")
left.set_xlabel("further steps")
left.set_ylabel("log-likelihood, nats")
left.legend(frameon=False)
right.plot(np.arange(1, 61), np.maximum(changes, 1e-12), ".-", color=style.colour(0))
right.axhline(1e-3 * len(x), color=style.ALARM, ls=":", label="scikit-learn's tolerance")
right.set_yscale("log")
right.set_xlabel("further steps")
right.set_ylabel("change, nats")
right.legend(frameon=False)
plt.show()

print("The picture: level for some twenty steps, then a steep climb, then level again; the change")
print("a step grows, peaks and dies away. It is below the tolerance at both ends.")
print(f"It reaches {signed(onward.objective[-1])};", end=" ")
print(f"from the book's start the end was {signed(trace.objective[-1])}.")

# %% [markdown]
# Nobody starts there? The option `init_params="random"` gives every point random responsibilities,
# and one M step from those makes components that are nearly equal.

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    scores = {
        k: len(x) * SklearnMixture(k, init_params="random", random_state=0).fit(x).score(x)
        for k in (1, 2, 3, 4)
    }
for k, score in scores.items():
    print(f"K = {k}, random responsibilities, the default tolerance: {style.number(score)}")

# %% [markdown]
# ### Exercise 3.4 When to stop
#
# Write a better rule. Near a summit changes shrink by about the same factor at each step; on a
# plateau they grow, after a step or two in which they may shrink. No rule that looks at the
# objective alone is safe everywhere: a start still nearer to the middle has a flatter plateau.
# Restarts are the other half of the cure.


# %%
def should_stop(objective):
    """Whether EM may stop: a bool.

    objective: (t + 1,), the log-likelihood of 272 points at the start and after each of t steps.
    False before there are two changes to look at. It must not stop while the run still has more
    than .05 nats to climb, however slowly it climbs just then, and must stop at the latest 200
    states after the run is within a millionth of a nat of its summit, in any unit of measurement.
    The last digits may dance by 1e-11: sums are rounded.
    """
    ### BEGIN SOLUTION
    if len(objective) < 3:
        return False
    before, last = np.abs(np.diff(objective))[-2:]
    # Tiny, and not growing; or down among the rounding errors, where growing means nothing.
    return bool(last < 1e-8 and (last <= before or last < 1e-10))
    ### END SOLUTION


# %%
should_stop = check.should_stop(should_stop)

# %% [markdown]
# Your rule at work, from starts nearer and nearer to the middle:


# %%
def by_rule(objective):
    return "the rule of exercise 3.4" if should_stop(objective) else None


print("means start at ±     stopped after     short of the summit by, nats")
for distance in (0.03, 0.01, 0.003, 1e-9):
    start = GaussianMixture(HALF, distance * np.array([[-1, -1], [1, 1]]), np.array([own, own]))
    one = run(gaussian_mixture(2, start=start), x, steps=500, stop=by_rule)
    short = trace.objective[-1] - one.objective[-1]
    words = "less than .001" if short < 1e-3 else f"{style.number(short)}"
    print(f"{distance:>14g} {len(one) - 1:>17} {words:>27}")

# %% [markdown]
# ## Restarts
#
# So far each start that was not a trick one ended in the same place. With three components it is no
# longer so. Twenty starts from random eruptions, twenty from k-means:


# %%
def fit(k, start, seed=0, data=x, steps=400, **settings):
    """A run of the library's EM until it hardly moves any more."""
    algorithm = gaussian_mixture(k, start=start, **settings)
    return run(algorithm, data, seed, steps=steps, stop=relative(1e-9, 3))


threes = {
    start: [fit(3, start, seed) for seed in range(20)] for start in ("random points", "k-means")
}
ends = {start: np.array([one.objective[-1] for one in runs]) for start, runs in threes.items()}

figure, axes = plt.subplots(figsize=(7, 2.2), layout="constrained")
for row, values in enumerate(ends.values()):
    jitter = np.linspace(-0.25, 0.25, len(values))
    axes.plot(values, row + jitter, style.marker(row), color=style.colour(row), mec="white")
axes.set_yticks([0, 1], list(ends))
axes.set_ylim(-0.6, 1.6)
axes.set_xlabel("log-likelihood at the end, nats")
plt.show()

pooled = np.concatenate(list(ends.values()))
kinds = np.sum(np.diff(np.sort(pooled)) > 0.1) + 1
low, high = style.number(pooled.min()), style.number(pooled.max())
print(f"The picture: 40 ends in {kinds} heaps, from {low} to {high} nats.")
for start, values in ends.items():
    best_ones = np.sum(values > pooled.max() - 0.1)
    print(f"{start}: {best_ones} of {len(values)} reach the highest end.")

# %% [markdown]
# ### Question 3.Q2 The best of twenty
#
# You fit $K = 3$ from twenty starts, let each run until nothing changes, and get several different
# log-likelihoods. What may you say of the highest one?
#
# - **a** It is the maximum of the likelihood: twenty starts are enough for three components.
# - **b** It is the highest summit you have found, and worth having if none of its components is a
#   spike. The likelihood itself has no maximum.
# - **c** Nothing, by itself: average the parameters of all twenty fits, as one averages
#   measurements.
# - **d** The end that most starts reach is the right one, so the highest is too good to be true.

# %%
starts = "b"  ### SOLUTION

# %%
starts = check.starts(starts)

# %% [markdown]
# ## Drawing a component
#
# The recipe draws each component as the line where its density has a fixed value $c$: .15 at the
# start, .25 later. A density has a peak, $1 / (2\pi \lvert \Sigma \rvert^{1/2})$. Where the peak is
# lower than $c$ there is no line at all, and where it is higher the line holds a share
# $1 - c / \text{peak}$ of the component.

# %%
LEVEL = 0.25
side = np.linspace(-3, 3, 241)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)

figure, all_axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
panels = [
    ("the recipe's start", x, recipe_start, grid),
    ("the fit", x, fitted, grid),
    ("the fit, in minutes", geyser, best, grid * sd + geyser.mean(axis=0)),
]
for axes, (title, data, parameters, points) in zip(all_axes, panels, strict=True):
    axes.plot(*data.T, ".", color=style.QUIET, ms=3)
    lines = 0
    for k in range(2):
        log_p = log_normal(points, parameters.means[k], parameters.covariances[k])
        axes.plot(*parameters.means[k], style.marker(k), color=style.colour(k), mec="black", ms=8)
        if np.exp(log_p.max()) > LEVEL:
            lines += 1
            square = [part.reshape(len(side), len(side)) for part in (*points.T, np.exp(log_p))]
            axes.contour(*square, [LEVEL], colors=style.colour(k))
    axes.set_title(f"{title}: {lines} of 2 lines")
plt.show()

print(
    f"The picture: lines at density {LEVEL}. None at the recipe's start, two ovals around the fit,"
)
print("and none again around the very same fit in minutes: a density there is per square minute.")
print("Share of a component inside its line:      first     second")
rows = [
    ("the recipe's start, level .15", recipe_start, np.ones(2), 0.15),
    ("the recipe's start, level .25", recipe_start, np.ones(2), 0.25),
    ("the fit, level .25", fitted, np.ones(2), 0.25),
    ("the fit times its weights, level .25", fitted, fitted.weights, 0.25),
    ("the fit in minutes, level .25", best, np.ones(2), 0.25),
]
for name, parameters, weights, level in rows:
    peaks = weights / (2 * np.pi * np.sqrt(np.linalg.det(parameters.covariances)))
    inside = np.maximum(0, 1 - level / peaks)
    print(f"{name:<38}" + "".join(f"{share:>10.0%}" for share in inside))

# %% [markdown]
# ### Exercise 3.5 An ellipse
#
# Better: all points at the same *Mahalanobis distance* $\rho$ from the mean. With
# $\Sigma = L L^\top$ and $u$ on the unit circle, where is $m + \rho L u$? In the plane the squared
# distance of a Gaussian's own points is $\chi^2$ with two degrees of freedom, so
# $\rho^2 = -2 \log 0.05$ holds 95 % of them, whatever $\Sigma$ and whatever the unit.


# %%
def ellipse(mean, covariance, radius):
    """200 points, in order and once round, at one Mahalanobis distance from the mean.

    mean: (2,). covariance: (2, 2), positive definite. radius: the distance. Start anywhere, go
    round either way; the last point may repeat the first. Returns (200, 2).
    """
    ### BEGIN SOLUTION
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    return mean + radius * (np.linalg.cholesky(covariance) @ circle).T
    ### END SOLUTION


# %%
ellipse = check.ellipse(ellipse)

# %%
radius = np.sqrt(-2 * np.log(0.05))
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for axes, data, parameters in ((left, x, fitted), (right, geyser, best)):
    axes.plot(*data.T, ".", color=style.QUIET, ms=4)
    for k in range(2):
        outline = ellipse(parameters.means[k], parameters.covariances[k], radius)
        axes.plot(*outline.T, ("-", "--")[k], color=style.colour(k), lw=2)
left.set_title("in standard deviations")
right.set_title("in minutes")
plt.show()

random = np.random.default_rng(0)
drawn = random.multivariate_normal(fitted.means[0], fitted.covariances[0], size=20000)
log_p = log_normal(drawn, fitted.means[0], fitted.covariances[0])
at_edge = log_normal(
    ellipse(fitted.means[0], fitted.covariances[0], radius), fitted.means[0], fitted.covariances[0]
)
print("The picture: the same two ellipses around the same two clouds, in either unit.")
print(f"Of 20,000 draws from the first component {np.mean(log_p > at_edge.min()):.0%} are inside.")

# %% [markdown]
# ## How many components?
#
# A likelihood cannot choose $K$: another component never makes it worse. Two criteria subtract a
# price for each of the $p$ free parameters, and lower is better:
#
# $$\mathrm{AIC} = -2 \ell + 2 p, \qquad \mathrm{BIC} = -2 \ell + p \log N .$$
#
# (The R package mclust reports BIC with the other sign, so there higher is better.)
#
# ### Exercise 3.6 BIC
#
# How many free parameters does a mixture of $K$ Gaussians with full covariances in $D$ dimensions
# have?


# %%
def bic(log_likelihood, k, d, n):
    """−2 log-likelihood + (number of free parameters) · log n; lower is better.

    k components with full covariances in d dimensions, n points. Returns a float.
    """
    ### BEGIN SOLUTION
    # Weights sum to one, and a covariance is symmetric.
    parameters = (k - 1) + k * d + k * d * (d + 1) // 2
    return -2 * log_likelihood + parameters * np.log(n)
    ### END SOLUTION


# %%
bic = check.bic(bic)

# %% [markdown]
# Now fit $K = 1, \dots, 6$, each from six starts, and keep the highest end. Look at the pictures
# first: what does a wrong $K$ do?

# %%
from latentsteps.evaluation.selection import aic, number_of_parameters, smallest_spread


def best_fit(k, data=x, seeds=3, **settings):
    """The highest of several ends for k components: (log-likelihood, parameters)."""
    kinds = ("random points", "k-means") if k > 1 else ("k-means",)
    runs = [fit(k, kind, s, data, **settings) for kind in kinds for s in range(seeds)]
    winner = max(runs, key=lambda one: one.objective[-1])[-1].parameters
    return log_likelihood(data, winner), winner


ordinary = {k: best_fit(k) for k in range(1, 7)}
draw_panels({f"K = {k}": parameters for k, (_, parameters) in ordinary.items()})
print("The picture: K = 1 merges both clouds into one long ellipse that is fullest where there are")
print("no points; K = 2 takes a cloud each; from K = 3 on the clouds are split, by thin slices and")
print("by ellipses inside ellipses.")
print("  K   log-likelihood      AIC      BIC   smallest spread")
for k, (height, parameters) in ordinary.items():
    values = height, aic(height, number_of_parameters(k, 2)), bic(height, k, 2, len(x))
    row = f"{style.number(values[0]):>17} {style.number(values[1]):>8} {style.number(values[2]):>8}"
    print(f"{k:>3} {row} {style.number(smallest_spread(parameters, x), 1):>17}")
in_these_units = bic(trace.objective[-1], 2, 2, len(x))
in_minutes_units = bic(minutes.objective[-1], 2, 2, len(x))
print(
    f"For K = 2 in minutes BIC is {in_minutes_units:.0f} (mclust prints −{in_minutes_units:.0f})."
)

# %% [markdown]
# BIC is lowest at $K = 2$, with $K = 3$ close behind; AIC, which asks less for a parameter, wants
# more. Keep an eye on the last column: the smallest variance of any component in any direction, as
# a share of the data's own. The best fit with three has a very thin slice already; where the column
# says 1e−06, a component has collapsed onto a line through a few eruptions.
#
# A warning that belongs here: what Schwarz derived BIC from is a likelihood with *one* round summit
# at parameters that the data pin down. With a component too many it is not so: the surplus one may
# lie anywhere with weight 0, or be a copy of another. BIC still finds the true number for $N \to
# \infty$ (Keribin 2000), but only where the likelihood is bounded, and the next section shows that
# here it is not.
#
# ### Question 3.Q3 A score without a penalty
#
# You fit $K = 1, \dots, 6$ to one half of the eruptions, and add up the log densities of the other
# half under each fit. On the half that was fitted, the log-likelihood rises with every component.
# What do you expect on the other half, and should $p \log N$ be subtracted there as well?
#
# - **a** It rises too, only more slowly: more components describe the geyser better. So subtract
#   the penalty here as well.
# - **b** It falls from $K = 1$ on: every parameter is fitted to the wrong half.
# - **c** Both halves have the same $N$, so the penalties cancel and may be left out; otherwise it
#   does what the first half does.
# - **d** It rises while components find what both halves share, then falls. No penalty is due: what
#   a component learned by heart gains nothing here.

# %%
held_out = "d"  ### SOLUTION

# %%
held_out = check.held_out(held_out)

# %%
random = np.random.default_rng(0)
on_fitted, on_other = np.zeros((2, 4, 6))
for split in range(4):
    order = random.permutation(len(x))
    halves = x[order[:136]], x[order[136:]]
    for k in range(1, 7):
        height, parameters = best_fit(k, halves[0], seeds=2, steps=150)
        on_fitted[split, k - 1] = height / 136
        on_other[split, k - 1] = log_likelihood(halves[1], parameters) / 136

figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
for i, (values, name) in enumerate([(on_fitted, "fitted half"), (on_other, "other half")]):
    style_of = {"color": style.colour(i), "marker": style.marker(i)}
    axes.plot(range(1, 7), values.mean(axis=0), ("--", "-")[i], label=name, **style_of)
    axes.vlines(range(1, 7), values.min(axis=0), values.max(axis=0), color=style.colour(i), lw=1)
axes.set_xlabel("K")
axes.set_ylabel("nats a point")
axes.set_ylim(-2.2, -1)
axes.legend(frameon=False)
plt.show()

learned, kept = on_fitted.mean(axis=0), on_other.mean(axis=0)
top = kept.argmax()
print("The picture: averages over four splits; thin lines span the four.")
print(f"On the fitted half the average rises with every component: {np.all(np.diff(learned) > 0)}.")
gain, loss = (style.number(kept[top] - kept[i], 2) for i in (0, 5))
print(f"On the other half it is highest at K = {top + 1}, {gain} nats a point above K = 1; then")
print(
    f"it falls with every component: {np.all(np.diff(kept[top:]) < 0)}; at K = 6 by {loss} in all."
)
print("The best K on the other half, for each split:", *on_other.argmax(axis=1) + 1)

# %% [markdown]
# ## Spikes
#
# In unit 02 you have seen a component stand on a single point, shrink, and take the likelihood
# beyond every bound. The library refuses that: variances below a millionth of the data's own are
# raised to it (its `floor`). Is that enough? The waits are whole minutes, and so many are *tied*.
# Stand a component on a tie: a flat needle along all eruptions with the same wait.

# %%
values, times = np.unique(geyser[:, 1], return_counts=True)
commonest = values[times.argsort(kind="stable")[::-1]]
print(f"{len(x)} eruptions have {len(values)} different waits. The commonest, ", end="")
print(f"{commonest[0]:.0f} minutes, occurs {times.max()} times.")


def on_ties(k):
    """A start with K − 2 components on the commonest waits, besides the two clouds."""
    rows = [x[geyser[:, 1] == wait] for wait in commonest[: k - 2]]
    needles = [np.diag([own_rows[:, 0].var(), 1e-6]) for own_rows in rows]
    weights = np.concatenate([fitted.weights * (1 - 0.04 * (k - 2)), np.full(k - 2, 0.04)])
    return GaussianMixture(
        weights,
        np.array([*fitted.means, *[own_rows.mean(axis=0) for own_rows in rows]]),
        np.array([*fitted.covariances, *needles]),
    )


MORE = (3, 4, 5, 6, 8, 10)
tied, cured = {}, {}
print("  K      BIC   smallest spread     the same start by MAP:    BIC   smallest spread")
for k in MORE:
    by_ml = fit(k, on_ties(k))[-1].parameters
    cured[k] = fit(k, on_ties(k), prior=demo_prior, concentration=2.0)[-1].parameters
    tied[k] = log_likelihood(x, by_ml), by_ml
    cells = [
        (bic(log_likelihood(x, p), k, 2, len(x)), smallest_spread(p, x)) for p in (by_ml, cured[k])
    ]
    (first, thin), (second, safe) = cells
    print(f"{k:>3} {style.number(first):>8} {style.number(thin, 1):>17}", end="")
    print(f"{style.number(second):>34} {style.number(safe, 1):>17}")

draw_panels(
    {"K = 6, maximum likelihood": tied[6][1], "K = 6, MAP": cured[6]}, columns=2, height=3.4
)
print("The picture: left, level needles on the commonest waits, ringed as spikes; right, under the")
print("prior, the same six have become small clouds.")

# %% [markdown]
# BIC falls with every needle in the table, and each of them sits at the floor: it would choose far
# more components than the geyser has kinds. Where the likelihood has no maximum, no *fixed* price
# per parameter is high enough once the floor is low enough: a lower floor makes the needles pay
# more. Do such fits turn up without help? Here is scikit-learn, in minutes, with its own floor
# (`reg_covar`, .000001 square minutes), started from single eruptions, the best of 20:

# %%
needles = {}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # some of the 20 runs have not converged
    for k in range(1, 8):
        needles[k] = SklearnMixture(
            k, init_params="random_from_data", n_init=20, max_iter=300, random_state=0
        ).fit(geyser)
two = needles[2].bic(geyser)
print("  K   BIC, above that of K = 2   smallest eigenvalue")
for k, one in needles.items():
    least = np.linalg.eigvalsh(one.covariances_).min()
    more = f"{one.bic(geyser) - two:+.0f}".replace("-", "−")
    print(f"{k:>3} {more:>25} {style.number(least, 1):>21}")
by_sklearn = min(needles, key=lambda k: needles[k].bic(geyser))
print(f"Chosen by BIC: K = {by_sklearn}.")

# %% [markdown]
# ### Exercise 3.7 Choose, with a guard
#
# Two cures. A prior, as you have seen: under MAP no needle lasts, and BIC rises with every further
# component. Or **rejection**: a fit with a spike is not in the running. Write the second, with your
# `bic`.


# %%
def choose(fits, x):
    """The position in `fits` of the lowest BIC among the fits without a spike.

    fits: a list of (log_likelihood, weights, means, covariances), full covariances, each fitted to
    all of x, (N, D). A fit has a spike if a covariance has an eigenvalue below 1e-3 after the
    columns have been divided by x's standard deviations. At least one fit has none (with K = 1
    none ever has). Returns an int.
    """
    ### BEGIN SOLUTION
    n, d = x.shape
    scale = x.std(axis=0)
    scores = []
    for height, weights, _, covariances in fits:
        # Dividing the columns divides row i and column j of a covariance.
        smallest = np.linalg.eigvalsh(covariances / np.outer(scale, scale)).min()
        scores.append(bic(height, len(weights), d, n) if smallest >= 1e-3 else np.inf)
    return int(np.argmin(scores))
    ### END SOLUTION


# %%
choose = check.choose(choose)

# %%
pool = [(height, *p) for found in (ordinary, tied) for height, p in found.values()]
blind = int(np.argmin([bic(one[0], len(one[1]), 2, len(x)) for one in pool]))
guarded = choose(pool, x)
print(f"Of {len(pool)} fits, BIC alone chooses K = {len(pool[blind][1])},")
print(f"BIC with the guard K = {len(pool[guarded][1])}.")

# %% [markdown]
# The guard is a choice, and it has to be stated with the result: *eigenvalues below .001 of the
# data's own variance do not count as components*. Who knows that the geyser is really so regular
# may choose another one.
#
# Play with it. **start** *on ties* and **prior** *none* give needles; which **prior** keeps them
# away? What does $K = 6$ do from k-means?


# %%
def any_mixture(k, start, prior):
    if start == "on ties":  # with two components or one there is none left for a tie
        start = on_ties(k) if k > 2 else "k-means"
    return gaussian_mixture(k, start=start, **prior)


PRIORS = {"none": {}, "the linked demo's": {"prior": demo_prior, "concentration": 2.0}}
Stepper(
    any_mixture,
    x,
    VIEWS,
    controls={
        "k": [6, 1, 2, 3, 4],
        "start": ["k-means", "random points", "on ties"],
        "prior": PRIORS,
    },
    filmstrip=(0, 5, 60),
)

# %% [markdown]
# ## Full or diagonal?
#
# A *diagonal* covariance has no tilt: the ellipse's axes lie along the columns. In the plane it
# saves one parameter a component; with 100 columns, 4,950. Does the geyser need the tilt?

# %%
print("  K   full: parameters      BIC     diagonal: parameters      BIC")
flat = {}
for k in range(1, 6):
    flat[k] = best_fit(k, covariance="diagonal")
    p_full, p_flat = number_of_parameters(k, 2), number_of_parameters(k, 2, "diagonal")
    b_full = bic(ordinary[k][0], k, 2, len(x))
    b_flat = -2 * flat[k][0] + p_flat * np.log(len(x))
    print(f"{k:>3} {p_full:>18} {style.number(b_full):>8}", end="")
    print(f"{p_flat:>25} {style.number(b_flat):>8}")
draw_panels({f"K = {k}, diagonal": flat[k][1] for k in (1, 2, 3)})
print("The picture: ellipses that stand upright or lie level; without a tilt, several are needed")
print("side by side where one tilted ellipse would do.")

# %% [markdown]
# Compare the two columns at $K = 1$ and at $K = 2$: where is the tilt worth its price? The long
# slope of all the eruptions together is mostly that there *are* two clouds.
#
# ## The same result by two matrix products
#
# With $\phi(x) = [1,\ x,\ \text{all } x_i x_j]$ every component's log density is *linear*,
# $\log \pi_k \mathcal N(x \mid m_k, \Sigma_k) = w_k^\top \phi(x)$: multiply out the quadratic form
# and collect. So the E step is one matrix product, and what the M step needs, the sums $\sum_n
# r_{nk} \phi(x_n)$, is another. That is the **exponential-family form**, and it is what makes a
# large mixture fast: the computer is nowhere faster than in a matrix product. The price is digits:
# far from zero, $x^2$ hides the difference that matters. So the data are centred first.

# %%
one_way = run(gaussian_mixture(3, start="k-means"), geyser, steps=50)
other_way = run(gaussian_mixture(3, start="k-means", form="exponential family"), geyser, steps=50)
apart = np.abs(one_way.objective - other_way.objective).max()
print(f"Cholesky and exponential family agree to 1e-8 at each of 50 steps: {apart < 1e-8}.")

shifted = geyser + 1e6
naive = (shifted**2).astype(np.float32).mean(axis=0) - shifted.astype(np.float32).mean(axis=0) ** 2
wrong = np.abs(naive - geyser.var(axis=0)) > geyser.var(axis=0)
print("Mean of squares minus square of mean, a million minutes from zero, in single precision,")
print(f"is off by more than the variance itself in {wrong.sum()} of 2 columns.")

# %% [markdown]
# ## For the record
#
# <details><summary>What the recipe gets wrong, all in one place</summary>
#
# - The two Gaussians that the run begins with are called priors; they are a start.
# - Their covariance is $I$ where the figure's is $0.1 \cdot I$, so the run is slower and the panels
#   on the way are others.
# - The last panel pairs the ellipses after 16 M steps with the colours of 15 E steps.
# - Components are drawn at an absolute density, at .15 first and at .25 later: the lines depend on
#   the units and on the height, and can vanish.
# - They are drawn without their weights, while the densities that the colours come from have them.
# - Densities are multiplied and divided as they are; with narrow components that is 0/0.
# - No log-likelihood is computed, so nobody sees that the panels differ from the figure's.
# - `delim_whitespace`, the option it reads the file with, no longer exists in pandas; `sep=r"\s+"`
#   says the same.
#
# </details>
#
# ## What goes wrong, and how to see it
#
# | what you see | what it is | what to do |
# |---|---|---|
# | the objective falls | M step and objective do not fit | `trace.first_break()` says where |
# | NaN in the E step | densities multiplied | log densities, log-sum-exp |
# | "converged" at once, components alike | a plateau | a stricter rule; another start |
# | two runs, two ends | several summits | restarts; keep the highest without a spike |
# | the likelihood leaps up late | a spike | look at the smallest spread; a prior; a guard |
# | BIC wants ever more components | spikes on tied values | the same |
# | a component vanishes from the picture | contours at a density | ellipses at a distance |
#
# ## Summary
#
# - A Gaussian mixture gives every cluster a place, a shape and a size. Its E step is Bayes' rule
#   with Mahalanobis distances, its M step the weighted mean and scatter.
# - Cholesky and logarithms throughout: $\Sigma$ is not inverted, densities are not multiplied.
# - A small change is no summit. Near a plateau the changes grow; look at them, and restart.
# - The likelihood has no maximum. What one wants is a good summit without a spike: say how you
#   exclude spikes, or use a prior.
# - With the guard BIC says two kinds of eruption, and most held-out halves agree.
# - A figure can be rebuilt from its data, its start and its objective, and from nothing less.
#
# In unit 04 the parameters get a posterior of their own, and not only its highest point.
#
# ## Sources
#
# - Murphy (2012), *Machine Learning: A Probabilistic Perspective*, chapter 11, figure 11.11, and
#   section 4.6.3 for the normal-inverse-Wishart prior.
# - Murphy (2022), *Probabilistic Machine Learning: An Introduction*, section 8.7.3.
# - Bishop (2006), *Pattern Recognition and Machine Learning*, section 9.2.
# - Dempster, Laird and Rubin (1977), "Maximum likelihood from incomplete data via the EM
#   algorithm", *Journal of the Royal Statistical Society B* 39, 1–38.
# - McLachlan and Peel (2000), *Finite Mixture Models*.
# - Day (1969), "Estimating the components of a mixture of normal distributions", *Biometrika* 56,
#   463–474: the likelihood has no maximum.
# - Hathaway (1985), "A constrained formulation of maximum-likelihood estimation for normal mixture
#   distributions", *The Annals of Statistics* 13, 795–800: a bound on the spreads gives it one.
# - Fraley and Raftery (2002), "Model-based clustering, discriminant analysis, and density
#   estimation", *Journal of the American Statistical Association* 97, 611–631: BIC for mixtures,
#   and the package mclust.
# - Fraley and Raftery (2007), "Bayesian regularization for normal mixture estimation and
#   model-based clustering", *Journal of Classification* 24, 155–181: MAP against spikes.
# - Schwarz (1978), "Estimating the dimension of a model", *The Annals of Statistics* 6, 461–464;
#   Akaike (1974), "A new look at the statistical model identification", *IEEE Transactions on
#   Automatic Control* 19, 716–723; Keribin (2000), "Consistent estimation of the order of mixture
#   models", *Sankhyā A* 62, 49–66.
# - Azzalini and Bowman (1990), "A look at some data on the Old Faithful geyser", *Applied
#   Statistics* 39, 357–365; Härdle (1991), *Smoothing Techniques with Implementation in S*: the
#   geyser.
