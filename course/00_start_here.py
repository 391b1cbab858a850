# %% [markdown]
# # 00 · Start here
#
# Does a geyser have two kinds of eruption? In this hour you look for groups that nobody has named,
# with the smallest method that finds any: **k-means**. On the way you learn how all the notebooks
# of this course work.
#
# **Time:** about an hour.
#
# **What to know before:** how to write a Python function, and a little NumPy: arrays, their
# `shape`, and picking rows with a condition, as in `x[x[:, 0] > 3]`. Statistics: what a mean is.
#
# **Afterwards you can**
#
# - run a notebook, answer, check your answer, ask for a hint, and go on without one;
# - write k-means in four short functions, and say why it has to stop;
# - say what the start, the units and the number of clusters do to what it finds;
# - compare clusters with known labels by four scores, and say what each of them overlooks.
#
# ### Notation
#
# | what | here | in code | Bishop (2006), 9.1 | Murphy (2022), 21.3 |
# |---|---|---|---|---|
# | point $n$ of $N$, with $D$ numbers | $x_n$ | `x[n]`, `x` is (N, D) | $\mathbf x_n$ | the same |
# | mean of cluster $k$ of $K$ | $\mu_k$ | `means[k]`, `means` is (K, D) | $\mu_k$ | the same |
# | cluster of point $n$ | $z_n$ | `labels[n]`, `labels` is (N,) | $k$ with $r_{nk} = 1$ | $z_n$ |
# | distortion: is to become small | $J$ | `distortion` | $J$ | the same |
#
# In code, clusters, rows and columns are counted from 0.

# %% [markdown]
# ## How this notebook works
#
# **Run a cell.** Click into the cell below and press <kbd>Shift</kbd> + <kbd>Enter</kbd>. The mark
# `[*]` beside it says that it is running, a number that it has finished. Run the cells in order,
# from top to bottom: each one uses what those above it have made. Most of them are there to be run,
# not to be read: look at what they print and draw.

# %%
import matplotlib.pyplot as plt
import numpy as np

from latentsteps.checks import start_here as check
from latentsteps.data import old_faithful
from latentsteps.views import style

plt.style.use(style.RC)
geyser = old_faithful()
print("The first three eruptions of Old Faithful in the table")
print("(minutes it lasted, minutes until the next one):")
print(geyser[:3])

# %% [markdown]
# **Answer.** Where a cell says `# YOUR ANSWER HERE`, put your answer in the place of the three
# dots. Where it says `# YOUR CODE HERE`, write your lines there and delete the line
# `raise NotImplementedError`.
#
# **Check.** After each exercise comes a cell that checks it. It says one of three things:
# *not attempted*, *passes*, or *not yet*, and then what is wrong with your answer, on the smallest
# input that shows it. Change your cell, run it again, run the check again, as often as you like.
#
# **Ask for a hint.** Each call of `check.NAME.hint()`, with the exercise's name for `NAME`, says a
# little more than the one before; the last says nearly all.
#
# **Go on without an answer.** The check hands back your answer if it passes, and the course's own,
# the *reference*, if it does not. So everything below works either way, and you can come back
# later.
#
# Try all of this on a small one.
#
# ### Exercise 0.0 The warm-up
#
# How many eruptions does `geyser` hold? One row is one eruption. Run the check once as it is, once
# with a wrong number, and once with the right one.

# %%
n_eruptions = 272  ### SOLUTION

# %%
n_eruptions = check.n_eruptions(n_eruptions)

# %% [markdown]
# The next cell asks for a hint. Run it more than once.

# %%
check.n_eruptions.hint()

# %% [markdown]
# **Your files.** What you have open is your own copy, in the folder `my-course`. <kbd>Ctrl</kbd> +
# <kbd>S</kbd> saves it. A newer version of the course does not touch it. For a second, empty copy
# beside it, make a cell (the **+** in the toolbar) and run `%run -m latentsteps fresh 00` in it.
#
# **When something is odd.** A name "is not defined", or a result does not fit your code: choose
# *Run → Restart Kernel and Run All Cells*. Python forgets everything and starts again at the top;
# your text stays. A cell that runs and runs: *Kernel → Interrupt Kernel*. "Kernel died" or no
# answer at all: *Kernel → Restart Kernel*. Still odd: run `%run -m latentsteps doctor` in a cell.
# It looks at this machine and says in plain words what is missing.

# %% [markdown]
# ## The question
#
# Old Faithful is a geyser in Yellowstone. For each of 272 eruptions we know how long it lasted and
# how long the wait for the next one was. Look at the picture before you read on: how many kinds of
# eruption do you see?

# %%
LENGTH, WAIT = "length of the eruption (minutes)", "wait for the next (minutes)"

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.plot(geyser[:, 0], geyser[:, 1], "o", color=style.colour(0), mec="white", ms=6)
axes.set_xlabel(LENGTH)
axes.set_ylabel(WAIT)
axes.set_title("272 eruptions of Old Faithful")
plt.show()

short, long = geyser[geyser[:, 0] <= 2.6], geyser[geyser[:, 0] >= 3.2]
print(f"The picture: two clouds, and {272 - len(short) - len(long)} points between them.")
print(f"{len(short)} eruptions lasted at most 2.6 minutes, mean wait {short[:, 1].mean():.3g}.")
print(f"{len(long)} eruptions lasted at least 3.2 minutes, mean wait {long[:, 1].mean():.3g}.")

# %% [markdown]
# Most people see two clouds. Nobody has written down which eruption belongs to which: that label is
# *hidden*. All units of this course look for something hidden, and this one begins with the
# plainest idea there is:
#
# 1. Put down $K$ **means**, anywhere.
# 2. **Assign**: every point goes to the mean that is nearest.
# 3. **Move**: every mean goes to the middle of its points.
# 4. Repeat 2 and 3 until nothing changes.
#
# That is k-means. Watch it before you write it.

# %% [markdown]
# ## See it run
#
# Below is a **stepper**. The large marks are the means; a tinted area shows where a point would go;
# the curve is the objective, which exercise 0.4 is about. Press **Step** again and again, and say
# before each press what will change: the means, or the points' colours? Then
#
# - press **Restart** a few times, each with a few steps. Does it always end in the same place?
# - set **k** to 3. And now?
# - click three places in the picture: your own start. Where do you have to click for a bad end?
# - look at the border between two areas. Which way does it run? The answer will matter soon.
#
# **Back** and the slider go back, **Play** goes on by itself until nothing changes.

# %%
from latentsteps.models.kmeans import kmeans
from latentsteps.stepper import Stepper
from latentsteps.views import kmeans as kmeans_view

view = kmeans_view.with_labels(LENGTH, WAIT)
Stepper(
    lambda k, start: kmeans(k, start=start, half_steps=True),
    geyser,
    view,
    seed=4,
    controls={"k": [2, 3, 4, 5, 6], "start": ["random points", "k-means++"]},
    clicks="k",
    filmstrip=(0, 1, 8),
)

# %% [markdown]
# ## Write it
#
# The loop needs four small functions. Loops over points are fine in all of them.
#
# ### Exercise 0.1 Squared distances
#
# How far is each point from each mean? Write the **squared** distance of every pair,
#
# $$d_{nk} = \lVert x_n - \mu_k \rVert^2 = \sum_{i=1}^{D} (x_{ni} - \mu_{ki})^2 .$$
#
# For the point (3, 4) and the mean (0, 0) this is $3^2 + 4^2 = 25$.


# %%
def squared_distances(x, means):
    """Squared distance of each point to each mean.

    x: (N, D), one point a row. means: (K, D), one mean a row.
    Returns (N, K): row n, column k for point n and mean k.
    """
    ### BEGIN SOLUTION
    # (N, 1, D) minus (K, D) pairs every point with every mean: (N, K, D).
    difference = x[:, None] - means
    return (difference**2).sum(axis=2)
    ### END SOLUTION


# %%
squared_distances = check.squared_distances(squared_distances)

# %% [markdown]
# ### Exercise 0.2 Assign
#
# Each point goes to its nearest mean,
#
# $$z_n = \arg\min_k \, d_{nk} ,$$
#
# which reads: the $k$ for which $d_{nk}$ is smallest. If two are equally near, take the first.


# %%
def nearest(distances):
    """The nearest mean of each point.

    distances: (N, K), squared distances.
    Returns (N,): for each point the column of the smallest, of equal ones the first.
    """
    ### BEGIN SOLUTION
    return distances.argmin(axis=1)
    ### END SOLUTION


# %%
nearest = check.nearest(nearest)

# %% [markdown]
# ### Exercise 0.3 Move
#
# Each mean goes to the middle of its members. With $N_k$ for the number of points whose label is
# $k$,
#
# $$\mu_k = \frac{1}{N_k} \sum_{n:\, z_n = k} x_n .$$
#
# What if nobody came, $N_k = 0$? Then leave that mean where it was.


# %%
def update_means(x, labels, means):
    """The mean of each cluster's members; of an empty cluster, its old mean.

    x: (N, D). labels: (N,), whole numbers from 0 to K - 1. means: (K, D), the old means.
    Returns (K, D), a new array: `means` itself stays as it is.
    """
    ### BEGIN SOLUTION
    new = means.copy()
    for k in range(len(means)):
        members = x[labels == k]
        if len(members) > 0:
            new[k] = members.mean(axis=0)
    return new
    ### END SOLUTION


# %%
update_means = check.update_means(update_means)

# %% [markdown]
# ### Exercise 0.4 The objective
#
# Is the loop getting anywhere? One number says how badly means and labels fit the points, the
# **distortion**
#
# $$J = \sum_{n=1}^{N} \lVert x_n - \mu_{z_n} \rVert^2 :$$
#
# the squared distance of each point to the mean that *its label* names, all added up.


# %%
def distortion(x, means, labels):
    """The sum over points of the squared distance to the mean that the label names.

    x: (N, D). means: (K, D). labels: (N,), whole numbers from 0 to K - 1.
    Returns one number.
    """
    ### BEGIN SOLUTION
    return ((x - means[labels]) ** 2).sum()
    ### END SOLUTION


# %%
distortion = check.distortion(distortion)

# %% [markdown]
# ## Your functions play
#
# `em` is the course's loop: it takes an *assign* half and a *move* half, and takes them in turn.
# (In unit 02 you see why it is called that.) The cell below puts your four functions into it, and
# the reference beside them. Yours play as you wrote them, also if they did not pass; for one that
# you have not written the reference stands in, and if you have written none, it plays alone. Do
# the two differ, and if so, from which state? After a change run its check first, then this cell.

# %%
from latentsteps.inference.em import E_STEP, em
from latentsteps.models.kmeans import KMeansParameters
from latentsteps.trace import relative, run


def kmeans_from(squared_distances, nearest, update_means, distortion, k):
    """k-means out of four functions, from k random points; each half is a step of its own."""

    def start(key, x):
        rows = np.random.default_rng(key).choice(len(x), size=k, replace=False)
        return KMeansParameters(x[rows])

    # Your functions may return lists; the next one gets an array.
    def assign(x, old):
        return np.asarray(nearest(np.asarray(squared_distances(x, old.means))))

    def move(x, labels, old):
        return KMeansParameters(np.asarray(update_means(x, labels, old.means)))

    return em(
        init=start,
        e_step=assign,
        m_step=move,
        objective=lambda x, now, labels: distortion(x, now.means, labels),
        half_steps=True,
        name="k-means",
        direction="down",
    )


pieces = [check.squared_distances, check.nearest, check.update_means, check.distortion]
reference = kmeans_from(*[piece.reference for piece in pieces], k=3)
traces = {"reference": run(reference, geyser, seed=0, steps=14)}

if any(piece.answer is not None for piece in pieces):
    written = [p.reference if p.answer is None else p.answer for p in pieces]
    yours = kmeans_from(*written, k=3)
    try:
        traces = {"yours": run(yours, geyser, seed=0, steps=14), **traces}
    except Exception as error:  # any mistake is possible here, and the notebook goes on
        print(f"Your functions stopped with {type(error).__name__}: {error}")

Stepper.replay(traces, view)

# %% [markdown]
# ## Why it must stop
#
# Look at the objective of every half-step. Each half keeps one thing fixed and makes the best of
# the other: *assign* the labels, *move* the means. So $J$ cannot rise. (`relative(0, 2)` ends the
# run when the last two changes were zero; `E_STEP` is what unit 02 calls the *assign* half.)

# %%
my_kmeans = kmeans_from(squared_distances, nearest, update_means, distortion, k=3)
trace = run(my_kmeans, geyser, seed=0, steps=100, stop=relative(0, 2))

for t, info in enumerate(trace.infos):
    half = "assign" if info.phase == E_STEP else "move"
    print(f"state {t:2}, after {half:6}:  J = {info.objective / 1000:.3g} thousand")
rises = trace.first_break()
print("J never rises." if rises is None else f"J rises at state {rises}.")

# %% [markdown]
# There are only finitely many ways to label 272 points, and once the means have moved, each way has
# one $J$. While $J$ falls, none can come back. So after finitely many steps nothing changes.
#
# Why can no half raise $J$? In *assign*, every point takes the smallest of its own terms. For
# *move* it takes a line of algebra, and it is yours.
#
# ### Pen and paper
#
# Points $x_1, \dots, x_N$ on a line are to be replaced by a single number $m$. Show that
# $\sum_n (x_n - m)^2$ is smallest when $m$ is the mean $\bar x$. (One way: write
# $x_n - m = (x_n - \bar x) + (\bar x - m)$ and multiply out. What do the differences
# $x_n - \bar x$ add up to?) Why is that enough for points with $D$ numbers?

# %% [markdown]
# *Double-click here and write your answer. Formulas go between dollar signs, as in `$x_n$`.*

# %% [markdown] tags=["solution"]
# **A model answer.** Multiplying out,
#
# $$\sum_n (x_n - m)^2
# = \sum_n (x_n - \bar x)^2 + 2(\bar x - m)\sum_n (x_n - \bar x) + N(\bar x - m)^2 .$$
#
# The differences from the mean add up to zero, so the term in the middle is gone. The first term
# does not depend on $m$, and the last is zero for $m = \bar x$ and positive for every other $m$.
#
# With $D$ numbers, $\lVert x_n - m \rVert^2$ is a sum over coordinates, each with its own part of
# $m$, and each part can be chosen by itself. So the mean, coordinate by coordinate, is the best;
# and that holds within each cluster.

# %% [markdown]
# The cell below tries it out on the waits: $\sum_n (x_n - m)^2$ for many $m$. Where is the lowest
# point?

# %%
waits = geyser[:, 1]
tried = np.linspace(40, 100, 601)
sums = ((waits[:, None] - tried) ** 2).sum(axis=0)
lowest = tried[sums.argmin()]

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
axes.plot(tried, sums / 1000, color=style.colour(0))
axes.axvline(waits.mean(), color=style.colour(5), ls="--", label="mean wait")
axes.plot(lowest, sums.min() / 1000, "s", color="black", label="lowest point")
axes.set_xlabel("m (minutes)")
axes.set_ylabel("sum of squares (thousands)")
axes.legend()
plt.show()

print(f"The picture: a parabola, lowest at m = {lowest:.3g}. The mean wait is {waits.mean():.3g}.")

# %% [markdown]
# ## The first surprise
#
# The stepper's border ran almost level: whether an eruption was long or short hardly counted. The
# next cell runs your k-means twice, once on both columns and once on the **wait alone**. On how
# many of the 272 eruptions do you expect the two to agree?


# %%
def two_clusters(x):
    """Your k-means with K = 2, until nothing changes; cluster 1 is the one with longer waits."""
    two_means = kmeans_from(squared_distances, nearest, update_means, distortion, k=2)
    labels = run(two_means, x, seed=0, steps=100, stop=relative(0, 2))[-1].expectations
    swapped = waits[labels == 0].mean() > waits[labels == 1].mean()
    return 1 - labels if swapped else labels


by_both = two_clusters(geyser)
by_wait = two_clusters(geyser[:, 1:])
print(f"Both columns and the wait alone agree on {np.sum(by_both == by_wait)} of 272 eruptions.")

# %% [markdown]
# So the length of the eruption, the very thing we asked about, decided nothing. To see why, look
# at the two columns as k-means does: a minute is a minute, to the right as well as upwards.

# %%
figure, axes = plt.subplots(figsize=(3, 6), layout="constrained")
for k in (0, 1):
    members = geyser[by_both == k]
    axes.plot(members[:, 0], members[:, 1], style.marker(k), color=style.colour(k), ms=4)
axes.set_aspect("equal")
axes.set_xlim(-3, 10)
axes.set_xlabel("length (minutes)")
axes.set_ylabel(WAIT)
plt.show()

spread = geyser.std(axis=0, ddof=1)
print("The picture: with equal axes the points are a thin upright line, cut across its middle.")
print(f"Standard deviation of the lengths {spread[0]:.3g} minutes, of the waits {spread[1]:.3g};")
print(f"in squares, the waits vary {(spread[1] / spread[0]) ** 2:.3g} times as much.")

# %% [markdown]
# A squared distance adds up squared differences, and the waits differ by far larger numbers. So the
# waits win.
#
# ### Question 0.5 Predict, then run
#
# Somebody notes the lengths in **seconds**, not in minutes, and leaves the waits in minutes. What
# does k-means with $K = 2$ find?
#
# - **a** The same two clusters: a unit is only a name.
# - **b** The same two clusters, with a larger distortion.
# - **c** Two clusters that follow the length and not the wait.

# %%
seconds = "c"  ### SOLUTION

# %%
seconds = check.seconds(seconds)

# %%
in_seconds = geyser * [60, 1]
by_seconds = two_clusters(in_seconds)
by_length = two_clusters(geyser[:, :1])
print("With lengths in seconds, k-means agrees")
print(f"- with the length alone on {np.sum(by_seconds == by_length)} of 272 eruptions,")
print(f"- with the wait alone on {np.sum(by_seconds == by_wait)}.")

# %% [markdown]
# Few eruptions have changed sides, because length and wait tell nearly the same story. But the
# other column decides now. A method whose answer depends on whether you own a stopwatch with
# minutes or seconds needs help. The usual one: **standardise**. Subtract each column's mean and
# divide by its standard deviation, so that each column varies by as much as the other, in any
# units. What changes for the geyser?

# %%
from latentsteps.data import standardize

scaled = standardize(geyser)
by_scaled = two_clusters(scaled)
changed = by_scaled != by_both

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for k in (0, 1):
    members = geyser[by_scaled == k]
    axes.plot(members[:, 0], members[:, 1], style.marker(k), color=style.colour(k), mec="white")
ring = {"mfc": "none", "mec": "black", "ms": 13, "label": "changed side"}
axes.plot(geyser[changed, 0], geyser[changed, 1], "o", **ring)
axes.set_xlabel(LENGTH)
axes.set_ylabel(WAIT)
axes.set_title("Two clusters of the standardised eruptions")
axes.legend()
plt.show()

sizes, moved = np.bincount(by_scaled), waits[changed]
print(f"The picture: clusters of {sizes[0]} and {sizes[1]} eruptions. {len(moved)} of 272 have")
print(f"changed side, with waits from {moved.min():.0f} to {moved.max():.0f} minutes.")

# %% [markdown]
# Again little changes, for the same reason. With columns that disagree, or with many columns, it
# can change everything. Standardising is a choice too: it says that all columns matter equally.
# Make it knowingly.

# %% [markdown]
# ## Other starts, other ends
#
# From here on the course's own `kmeans` does the work: the same four functions, with a choice of
# starts. Take $K = 3$ on the standardised eruptions, and 30 different starts. How many different
# ends will there be?

# %%
from collections import Counter


def ends(k, start="random points", seeds=30):
    """One finished run of k-means for each seed, on the standardised eruptions."""
    algorithm = kmeans(k, start=start)
    return [run(algorithm, scaled, s, steps=100, stop=relative(0, 1)) for s in range(seeds)]


runs = sorted(ends(3), key=lambda one: one.objective[-1])
for final, times in sorted(Counter(f"{one.objective[-1]:.3g}" for one in runs).items()):
    print(f"J = {final} at the end of {times} runs")

# %%
best, worst = (one.at(len(one) - 1) for one in (runs[0], runs[-1]))

figure = plt.figure(figsize=(10, 4.6))
left, right = figure.subfigures(1, 2)
kmeans_view.draw(left, best)
kmeans_view.draw(right, worst)
plt.show()

print("Left, the best end. ", kmeans_view.describe(best))
print("Right, the worst end.", kmeans_view.describe(worst))

# %% [markdown]
# Every one of the 30 runs has stopped, and by itself none of them can tell you that others ended
# lower. The best end splits the cloud of long eruptions, the worst that of short ones.
#
# ### Question 0.6
#
# A run of k-means has stopped. What do you know?
#
# - **a** No other means and labels have a smaller distortion.
# - **b** Neither new labels alone nor new means alone would make the distortion smaller.
# - **c** The number of clusters is right.

# %%
stopped = "b"  ### SOLUTION

# %%
stopped = check.stopped(stopped)

# %% [markdown]
# Two remedies, and you can use both. **Restart** several times and keep the lowest end. **Start
# better**: k-means++ draws the first mean from the points, and each further one with a probability
# proportional to its squared distance from the nearest mean so far, which spreads them out. Does it
# help? Count the runs that end within one per cent of the best.

# %%
for k in (3, 6):
    final = {
        start: np.array([one.objective[-1] for one in ends(k, start)])
        for start in ("random points", "k-means++")
    }
    best = min(values.min() for values in final.values())
    for start, values in final.items():
        good = np.sum(values <= 1.01 * best)
        print(f"K = {k}, start {start}: {good} of {len(values)} runs end within 1 % of the best")

# %% [markdown]
# Differences of a few runs in 30 are chance: at $K = 3$ no help is to be seen, at $K = 6$ there may
# be some. Whatever the start, some runs miss the best end, so restart.
#
# ### When nobody comes
#
# A mean that starts far from everything may be nobody's nearest. With no members it has no middle
# to move to. What becomes of it? The third mean below starts at (6, −6).

# %%
far = np.array([[-1.0, -1.0], [1.0, 1.0], [6.0, -6.0]])
stuck = run(kmeans(3, start=far), scaled, steps=100, stop=relative(0, 1))
labels, means = stuck[-1].expectations, stuck[-1].parameters.means
print("Members of each cluster:", np.bincount(labels, minlength=3))
print("The third mean at the end:", means[2], f" J = {stuck.objective[-1]:.3g}")

# The usual cure: put it on the point that is worst off, and go on.
own_distance = ((scaled - means[labels]) ** 2).sum(axis=1)
cured = means.copy()
cured[2] = scaled[own_distance.argmax()]
again = run(kmeans(3, start=cured), scaled, steps=100, stop=relative(0, 1))
print("Members after the cure:", np.bincount(again[-1].expectations, minlength=3))
print(f"J = {again.objective[-1]:.3g}")

# %% [markdown]
# Nobody came, so it stayed where it was; and as long as it is nobody's nearest, nobody comes. You
# asked for three clusters and have two. Always look at the counts.
#
# ## Are the clusters right?
#
# Nobody has written down the kinds of eruption, so there is nothing to compare with. For
# handwritten digits somebody has. Below, k-means sorts 4,000 images of 28 × 28 pixels into ten
# clusters. Each image is a point with 784 numbers, from 0 for paper to 1 for ink. k-means sees no
# labels; we keep them to compare.

# %%
from latentsteps.data import mnist
from latentsteps.evaluation.scores import (
    adjusted_rand,
    confusion_matrix,
    normalized_mutual_information,
)

digits = mnist()
images, labels = digits.train_images / 255, digits.train_labels

ten = run(kmeans(10), images, seed=0, steps=100, stop=relative(1e-6, 3))
clusters = ten[-1].expectations
table = confusion_matrix(clusters, labels)

figure, rows = plt.subplots(2, 5, figsize=(8, 3.8), layout="constrained")
for k, axes in enumerate(rows.flat):
    axes.imshow(ten[-1].parameters.means[k].reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
    axes.set_title(f"cluster {k}: {table[k].sum()}", loc="center")
    axes.set_axis_off()
plt.show()

print("The picture: the ten means, blurred digits, with the number of images in each cluster.")
print("The commonest digit of each:", table.argmax(axis=1))
print("A row for each cluster, a column for each digit from 0 to 9:")
print(table)

# %% [markdown]
# Look along the rows of the table. Which cluster is nearly pure? Which digits share clusters? Which
# have no cluster of their own, and where did they go?
#
# A cluster's number is only a name: cluster 0 need not hold the zeros. No score may depend on it.
#
# ### Exercise 0.7 Purity
#
# Let each cluster vote: its *majority* is the label that most of its members have. **Purity** is
# the share of all points that have their cluster's majority label. Write it, with the help of
# `confusion_matrix(clusters, labels)`: the table above, a row for each cluster and a column for
# each label *that occurs*, in order. With the labels 3 and 5 only, column 0 counts the 3s.


# %%
def purity(clusters, labels):
    """The share of points that have the commonest label of their cluster.

    clusters, labels: (N,), whole numbers, one of each for every point.
    Returns one number from 0 to 1.
    """
    ### BEGIN SOLUTION
    counts = confusion_matrix(clusters, labels)
    return counts.max(axis=1).sum() / len(labels)
    ### END SOLUTION


# %%
purity = check.purity(purity)

# %% [markdown]
# ### Exercise 0.8 Matched accuracy
#
# In purity two clusters may both stand for the ones. **Matched accuracy** gives each label to at
# most one cluster and each cluster at most one label, in the way that makes the most points right;
# points in a cluster without a label count as wrong. Finding the best way is the *assignment
# problem*, and SciPy solves it: `linear_sum_assignment(table)` returns the rows and the columns of
# the entries it picks, no two from the same row or column. Does it make their sum small, or large?
# Run the cell below, then type `linear_sum_assignment?` into a cell of your own (the **+** in the
# toolbar makes one) and read.

# %%
from scipy.optimize import linear_sum_assignment


def matched_accuracy(clusters, labels):
    """The share of points that are right under the best one-to-one naming of the clusters.

    clusters, labels: (N,), whole numbers, one of each for every point.
    Returns one number from 0 to 1.
    """
    ### BEGIN SOLUTION
    counts = confusion_matrix(clusters, labels)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return counts[rows, columns].sum() / len(labels)
    ### END SOLUTION


# %%
matched_accuracy = check.matched_accuracy(matched_accuracy)

# %% [markdown]
# Two more scores need no naming at all, and the library has them.
#
# - The **adjusted Rand index** (ARI) looks at pairs of points: are they together in both, or apart
#   in both, more often than clusters drawn by lot would have it? 1 is the same grouping, 0 is
#   chance.
# - **Normalised mutual information** (NMI) asks how much a point's cluster tells you about its
#   label: 0 for nothing, 1 for everything.

# %%
SCORES = {
    "purity": purity,
    "matched accuracy": matched_accuracy,
    "ARI": adjusted_rand,
    "NMI": normalized_mutual_information,
}
by_lot = np.random.default_rng(0).integers(0, 10, size=len(labels))
for name, score in SCORES.items():
    # + 0.0 turns a rounded −0.0 into 0.0.
    values = [round(float(score(found, labels)), 2) + 0.0 for found in (clusters, by_lot)]
    print(f"{name:17} k-means {values[0]:.2f}   by lot {values[1]:.2f}")

# %% [markdown]
# ### Question 0.9 Predict, then run
#
# Now let the number of clusters grow from 2 to 100. Purity will rise: smaller clusters are purer,
# and a cluster for every single point would have purity 1. What does ARI do?
#
# - **a** It rises at first, and then falls.
# - **b** It rises as well.
# - **c** It stays about the same: it is adjusted for $K$.

# %%
more_clusters = "a"  ### SOLUTION

# %%
more_clusters = check.more_clusters(more_clusters)

# %%
numbers = [2, 5, 10, 20, 50, 100]
found = {k: run(kmeans(k), images, seed=0, steps=30)[-1].expectations for k in numbers}
values = {name: [f(found[k], labels) for k in numbers] for name, f in SCORES.items()}

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
for i, (name, line) in enumerate(values.items()):
    axes.plot(numbers, line, style.marker(i) + "-", color=style.colour(i), label=name)
axes.set_xscale("log")
axes.set_xticks(numbers, numbers)
axes.minorticks_off()
axes.set_xlabel("number of clusters K")
axes.set_ylabel("score")
axes.legend()
plt.show()

print("The picture, in numbers:")
print(f"{'K':17}" + "".join(f"{k:8}" for k in numbers))
for name, line in values.items():
    print(f"{name:17}" + "".join(f"{value:8.3f}" for value in line))

# %% [markdown]
# Purity can be bought with clusters. Matched accuracy and ARI punish that; NMI hardly does.
# So compare scores at the same $K$, and give more than one.
#
# ## Back to the geyser
#
# How many kinds of eruption are there? Can $J$ tell? Below is the lowest end of ten runs for each
# $K$.

# %%
lowest = {k: min(one.objective[-1] for one in ends(k, seeds=10)) for k in range(1, 7)}
for k, value in lowest.items():
    print(f"K = {k}: J = {value:.3g}")

# %% [markdown]
# With every further cluster $J$ falls, down to 0 for as many clusters as points. It cannot choose
# $K$ by itself. But you can ask how much the step from one mean to two saves, and compare: once for
# the standardised eruptions; then for 272 points of one single cloud, as long and as slanted, drawn
# by lot 20 times. k-means with $K = 2$ cuts that in two as well.


# %%
def part_left(x):
    """The part of the distortion with one mean that is left with two."""
    two = run(kmeans(2), x, seed=0, steps=100, stop=relative(0, 1))
    return two.objective[-1] / ((x - x.mean(axis=0)) ** 2).sum()


rng = np.random.default_rng(0)
slope = np.corrcoef(scaled.T)[0, 1]
single = []
for _ in range(20):
    x, noise = rng.normal(size=(2, 272))
    y = slope * x + np.sqrt(1 - slope**2) * noise
    single.append(part_left(standardize(np.stack([x, y], axis=1))))
print(f"Part of J left, eruptions: {part_left(scaled):.2f}")
print(f"Part of J left, 20 single clouds: {min(single):.2f} to {max(single):.2f}")

# %% [markdown]
# Two means explain far more of the eruptions than of any of those single clouds. That speaks for
# two kinds. How strongly, and whether three would be better still, is a question about
# probabilities, and k-means knows none. Units 01 to 03 bring them in.
#
# ## What goes wrong, and how to see it
#
# | what goes wrong | how you see it | what to do |
# |---|---|---|
# | a poor end | other seeds end with a smaller $J$ | restart, keep the lowest |
# | an empty cluster | a count of 0 | another start, or move its mean to the point worst off |
# | one column decides | the labels stay without the others | standardise, or choose the units |
# | $K$ is wrong | $J$ does not tell: it falls with every cluster | units 01 and 03 |
# | long or unequal clouds | the border, halfway between two means, cuts a cloud | unit 03 |
# | $J$ rises | `trace.first_break()` gives a state | there is a mistake in the code |
#
# ## Summary
#
# - k-means takes turns: assign each point to the nearest mean, move each mean to the middle of its
#   points. Neither half can raise the distortion $J$, so it stops.
# - Where it stops depends on where it starts. A stop is not a proof.
# - It sees numbers, not minutes. Units decide what counts.
# - Purity can be bought: more clusters are purer clusters. Matched accuracy, ARI and NMI each see
#   something else, and none depends on the clusters' names.
# - Everything in this course is a loop like this one: a state, a step, and a number that tells
#   whether it gets better. You can stop it, go back, and look.
#
# ## Sources
#
# - Lloyd (1982), "Least squares quantization in PCM", *IEEE Transactions on Information Theory* 28,
#   129–137: the loop; written in 1957.
# - MacQueen (1967), "Some methods for classification and analysis of multivariate observations",
#   *Proceedings of the Fifth Berkeley Symposium on Mathematical Statistics and Probability* 1,
#   281–297: the name.
# - Arthur and Vassilvitskii (2007), "k-means++: the advantages of careful seeding", *Proceedings of
#   the Eighteenth Annual ACM-SIAM Symposium on Discrete Algorithms*, 1027–1035.
# - Hubert and Arabie (1985), "Comparing partitions", *Journal of Classification* 2, 193–218: the
#   adjusted Rand index.
# - Manning, Raghavan and Schütze (2008), *Introduction to Information Retrieval*, section 16.3:
#   purity and normalised mutual information.
# - Kuhn (1955), "The Hungarian method for the assignment problem", *Naval Research Logistics
#   Quarterly* 2, 83–97.
# - Azzalini and Bowman (1990), "A look at some data on the Old Faithful geyser", *Applied
#   Statistics* 39, 357–365; Härdle (1991), *Smoothing Techniques with Implementation in S*: the
#   geyser.
# - LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document
#   recognition", *Proceedings of the IEEE* 86, 2278–2324: the digits.
# - Bishop (2006), *Pattern Recognition and Machine Learning*, section 9.1; Murphy (2022),
#   *Probabilistic Machine Learning: An Introduction*, section 21.3: k-means in the textbooks.
