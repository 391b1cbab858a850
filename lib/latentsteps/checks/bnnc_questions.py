"""Checks of unit 06, questions 6.Q1 to 6.Q5: how many, the truth, agreement, flattery, silence."""

from __future__ import annotations

from latentsteps.checks.exercise import Question

how_many = Question(
    number="6.Q1",
    name="how_many",
    right="b",
    replies={
        "a": "Posteriors concentrate on the truth where the truth is in the model. Under a "
        "Dirichlet process there are infinitely many components for certain: a finite mixture is "
        "not among what it draws, so that theorem does not help.",
        "b": "Yes. Before any data it expects about α log N clusters, and with data it keeps "
        "adding small ones beside the real ones: for a finite mixture with fixed α the posterior "
        "does not settle on the true number (Miller & Harrison 2013). The density that it "
        "predicts does get better and better.",
        "c": "The prior does grow like α log N, but the posterior is not the prior: large real "
        "clusters are found, and found again. It is the small extra ones that do not go away.",
        "d": "There are infinitely many components, and N points can be in N of them at most. How "
        "many are *occupied* grows slowly, like log N.",
    },
    hints=(
        "What does a Dirichlet process say, before any data, about the number of clusters among "
        "N points, as N grows?",
        "α Σ 1/(α + i), i < N, is about α log N. Is a mixture of four components something that "
        "this prior draws?",
    ),
)

beats_truth = Question(
    number="6.Q2",
    name="beats_truth",
    right="c",
    replies={
        "a": "No label went into it. A fit that won by much would be suspicious; by a little it is "
        "what has to happen now and then. What exactly is the true parameters' classifier best "
        "at?",
        "b": "Taking chance off shifts what 0 means. The truth itself still has an ARI of 1, and "
        "both partitions are scored in the same way: neither is favoured.",
        "c": "Yes. On average over data that the model may draw, no classifier has a smaller share "
        "of wrong points. That says nothing about one sample, where a few points at the borders "
        "decide, nor about ARI, which is another score.",
        "d": "A label that was never shown cannot be learned. The fit moved a border to suit the "
        "*points*, and a few labels happened to lie on the better side.",
    },
    hints=(
        "“Optimal” is about an average. Over what, and of which score?",
        "How many of 500 points would have to change sides to move the ARI by .004?",
    ),
)

agreed = Question(
    number="6.Q3",
    name="agreed",
    right="a",
    replies={
        "a": "Yes. With one broad component on two kinds, moving it onto one of them costs before "
        "it pays, and a component without points finds its way there once in a long while. Each "
        "chain stays where it was caught; r-hat compares chains with chains, and these were "
        "caught alike.",
        "b": "Compare the log densities: the chains from k-means, at eight, lie far above these. "
        "The posterior prefers eight by far; this pair has not seen that place.",
        "c": "The way from seven to eight leads through places of very low density, which a chain "
        "crosses seldom and at no set time. If ten times the draws did show eight, r-hat would "
        "not have told you to wait for them.",
        "d": "That can happen to means and weights. Here r-hat was taken of numbers that have no "
        "names: the log density, the log-likelihood, the density at three points. The chains do "
        "agree.",
    },
    hints=(
        "Which numbers go into r-hat? Is the posterior's log density at eight clusters among them?",
        "For a component to leave two kinds to two components, which densities does the chain have "
        "to pass through?",
    ),
)

which_flatters = Question(
    number="6.Q4",
    name="which_flatters",
    right="b",
    replies={
        "a": "To make a density of it, this one has to be divided by .003: every point's score "
        "goes *up* by 5.8 nats. It was harder on itself than it had to be.",
        "b": "Yes. Divided by 2, as a density has to be, every point's score falls by log 2 = .69 "
        "nats. Those were free. With Z = .003 a model runs itself down, by 5.8 nats a point; with "
        "Z = 1 the score is what it says.",
        "c": "Neither is a density, so neither score can be taken as it is. But they are wrong in "
        "opposite directions: what becomes of each when it is divided by its Z?",
        "d": "A probability can be high somewhere only if it is low elsewhere: that is what makes "
        "a score at the data mean something. What does not integrate to 1 need not pay.",
    },
    hints=(
        "A density is the function over its integral. What does that do to the logarithm?",
        "Subtract log Z from each score: log 2 = .69, log .003 = −5.8, log 1 = 0.",
    ),
)

prior_kept = Question(
    number="6.Q5",
    name="prior_kept",
    right="d",
    replies={
        "a": "Data that speak for the value 0 make a posterior *narrower* than the prior. This one "
        "is as wide: every value the prior allows is as good as before.",
        "b": "Then the chains would disagree, or keep to where they began. Here they roam over all "
        "of the prior: r-hat is near 1, and the spread is that of the prior, not less.",
        "c": "The same prior, with as many points, did move before the division by Z. It was "
        "narrow then as well: what was it that moved it?",
        "d": "Yes: the likelihood is all but flat over everything this prior allows. What the "
        "gate's weights had learned before was to raise Z; when Z is divided out, nothing is left "
        "to learn. A posterior equal to its prior is how data say nothing.",
    },
    hints=(
        "Posterior = prior × likelihood / constant. What must the likelihood be for the posterior "
        "to be the prior?",
        "Before the division, under the same prior and with the same points, these weights did "
        "move. What else changed with the division, other than Z?",
    ),
)
