"""Checks of unit 03, questions 3.Q1 to 3.Q3: plateaus, starts, and scores on points held out."""

from __future__ import annotations

from latentsteps.checks.exercise import Question

plateau = Question(
    number="3.Q1",
    name="plateau",
    right="c",
    replies={
        "a": "Let it run: a summit has no way up, and this place has one. Where both components "
        "are the one Gaussian of all points the slope is zero, but a little further apart they "
        "do better: a saddle.",
        "b": "Small steps that shrink would look like that. Look at the changes one after the "
        "other: they shrink once or twice, and from then on they grow.",
        "c": "Yes. It is the neighbourhood of a saddle: steps are short because the way out "
        "begins flat, not because there is no way. How short a step is does not tell the two "
        "apart.",
        "d": "Exactly equal components would stay equal for ever. These differ a little, so their "
        "responsibilities do too, and each step makes the difference larger.",
    },
    hints=(
        "Print the changes of the first ten steps. Do they shrink or grow?",
        "Push the two means apart by a little in thought. Does the fit get better or worse?",
    ),
)

starts = Question(
    number="3.Q2",
    name="starts",
    right="b",
    replies={
        "a": "There is no maximum for twenty starts to find. Let one component stand on a single "
        "point and shrink: the log-likelihood grows beyond every bound.",
        "b": "Yes. Summits are what EM can find, and more starts may find a higher one. The "
        "highest of those without a spike is the best answer you have.",
        "c": "Component 1 of one fit may be component 2 of another: names are arbitrary. "
        "Averaged, they all come to lie in the middle, and no fit is there.",
        "d": "How often a summit is reached says how wide the land around it is, which depends on "
        "how the starts were drawn. It says nothing about its height.",
    },
    hints=(
        "What becomes of the log-likelihood if one component stands on a point and shrinks?",
        "So a summit cannot be told to be the highest place. What can be said of the best one "
        "found?",
    ),
)

held_out = Question(
    number="3.Q3",
    name="held_out",
    right="d",
    replies={
        "a": "On points that were not fitted nothing makes it rise: from some K on, components "
        "describe what is peculiar to the first half. And the penalty stands in for points held "
        "out; here you have some.",
        "b": "One Gaussian misses the two groups, and both halves have them: the second component "
        "is a gain for either half.",
        "c": "The penalty depends on p, and p grows with K, so nothing cancels. It corrects for "
        "scoring the points that were fitted. Were these?",
        "d": "Yes. What both halves share counts, what only one has does not, and surplus "
        "components pay for themselves. The price: each fit saw half of the points.",
    },
    hints=(
        "What does a fourth component describe: something of the geyser, or of these 136 rows?",
        "BIC scores points that were fitted, and p log N makes up for that.",
    ),
)
