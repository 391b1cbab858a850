"""Checks of unit 04, questions 4.Q1 to 4.Q4: r-hat, averages, ties, and k-means as a prior."""

from __future__ import annotations

from latentsteps.checks.exercise import Question

r_hat_one = Question(
    number="4.Q1",
    name="r_hat_one",
    right="b",
    replies={
        "a": "r-hat knows the chains and nothing else. Chains that agree have not shown that there "
        "is no other place to agree on.",
        "b": "Yes. r-hat holds the chains against each other, not against the posterior. A mode "
        "that none of them has seen leaves no trace in it; starts that lie far apart make that "
        "less likely, and nothing makes it impossible.",
        "c": "Then the chains' means would differ, and the variance between them is what r-hat is "
        "made of: it would be far above 1.",
        "d": "A drift that all chains share is what the halves are for: the first halves lie lower "
        "than the second ones, and r-hat is above 1.",
    },
    hints=(
        "Which numbers go into r-hat, and which does it never see?",
        "On the posterior of two means, start all chains in the same one of the two mirror modes.",
    ),
)

averages = Question(
    number="4.Q2",
    name="averages",
    right="c",
    replies={
        "a": "Look at a single draw: its components lie apart, in every draw. They coincide only "
        "in the average.",
        "b": "The prior is wide, and it would pull each draw. The draws are where the clusters "
        "are; only their average is not.",
        "c": "Yes. Likelihood and prior do not change when components are renamed, so over all of "
        "the posterior every name has the same average: that of all the components. What has no "
        "names, such as the density of a new point, can be averaged.",
        "d": "More draws bring the averages closer to each other. They estimate numbers that are "
        "equal.",
    },
    hints=(
        "Exchange the names of two components. What becomes of the likelihood, and of the prior?",
        "If every draw with its names exchanged is as probable, what is the posterior mean of the "
        "first component, and of the second?",
    ),
)

ties = Question(
    number="4.Q3",
    name="ties",
    right="a",
    replies={
        "a": "Yes. Two equal rows bring 1/σ², the mean takes one σ back by being near them, and "
        "1/σ has no finite integral down to 0 where the prior is positive. All the mass is in the "
        "spike; a sampler that does not come near it shows nothing odd.",
        "b": "A proper prior makes a posterior proper for nearly all data that the model itself "
        "can draw. Equal rows are the exception: the model never draws them, rounded data hold "
        "many.",
        "c": "A spike is narrow, and it is high as well. Mass is height times width: 1/σ² times a "
        "width of σ for the mean leaves 1/σ for every σ, and that has to be added up down to 0.",
        "d": "Finite steps rarely fall into a spike that is narrower than they are, so chains may "
        "look well for a long time. Calm chains show what was visited, not what exists.",
    },
    hints=(
        "Put one component on the two rows. How does their density grow as σ goes to 0?",
        "σ⁻² for two rows, times σ for the room that the mean has there, times the prior's density "
        "at 0. Can that be integrated down to 0?",
    ),
)

prior_or_start = Question(
    number="4.Q4",
    name="prior_or_start",
    right="d",
    replies={
        "a": "It does speed things up, and so does the same k-means fit as a start, which leaves "
        "the posterior alone.",
        "b": "One could fix the seed of k-means, and the fault would still be there: what does "
        "this prior know, and from where?",
        "c": "It may, and with so small a standard deviation that does harm. But with a perfect "
        "k-means the fault would remain: a prior says what was known before these data were seen.",
        "d": "Yes. The prior was made from the same points that the likelihood counts: they count "
        "twice, and the posterior is too sure. And other places for the means become all but "
        "impossible, so chains agree because they must. As a start, k-means does no such harm.",
    },
    hints=(
        "Which points were used to place the prior, and which are in the likelihood?",
        "How far from a k-means centre can a mean be in the posterior, with a prior sd of .316?",
    ),
)
