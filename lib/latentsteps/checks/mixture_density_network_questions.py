"""Checks of unit 05, questions 5.Q1 to 5.Q4: modes, bounds, the recipe's loss, tempering."""

from __future__ import annotations

from latentsteps.checks.exercise import Question

which_mode = Question(
    number="5.Q1",
    name="which_mode",
    right="c",
    replies={
        "a": "That is what the *forward* divergence does: it averages under p, so q has to cover "
        "whatever p has, and the cheapest cover is wide and in the middle. Reverse KL averages "
        "under q: what does it cost q to lie between the hills, where p is all but empty?",
        "b": "Between the hills p is all but empty, and log p is very low there. Reverse KL "
        "averages log q − log p under q, so a narrow q in the middle pays for all of its mass.",
        "c": "Yes. Mass on empty ground is dear, and a hill that q leaves out costs it log 2, no "
        "more. Which of the two it finds is the start's doing.",
        "d": "A single point has a density without bound, and log q with it: the divergence goes "
        "to infinity as q gets narrower. The best width is about that of the hill.",
    },
    hints=(
        "Reverse KL is the mean *under q* of log q − log p. Where can q not afford any mass?",
        "What does it cost q to sit on one hill alone? Put q = 2p there, and 0 elsewhere.",
    ),
)

equal_bounds = Question(
    number="5.Q2",
    name="equal_bounds",
    right="b",
    replies={
        "a": "A larger KL and a better fit can balance to the same ELBO, so the terms need not be "
        "equal. And equal terms would still say nothing of inputs and outputs that were held out.",
        "b": "Yes. The ELBO is the log evidence less the divergence of q from the posterior. The "
        "evidence is one number for both; how far q is off may be made up in quite different ways, "
        "and each predicts differently.",
        "c": "Both ran until the bound stood still, and the noise of a bound can be averaged away: "
        "with more draws the two numbers stay equal, and the predictions different.",
        "d": "The evidence belongs to model and data, and both runs have the same of either. What "
        "the start changes is which q is found.",
    },
    hints=(
        "log evidence = ELBO + KL(q ‖ posterior). Which of the three are the same for both runs?",
        "Equal ELBOs mean equal divergences. Do two distributions at the same divergence from a "
        "third have to be alike?",
    ),
)

recipe = Question(
    number="5.Q3",
    name="recipe",
    right="d",
    replies={
        "a": "A minimiser's steps are scaled by a factor before the *whole* loss. This one stands "
        "before one of the two terms, and that moves the minimum itself.",
        "b": "With too little prior the likelihood would count too much. Here it is divided by N "
        "and the KL is not: which of the two grows against the other?",
        "c": "The batch's size cancels in a mean over the batch, so it is not what is wrong. The "
        "mean is a fair estimate of one point's log-likelihood: how many points are there?",
        "d": "Yes. Of N points the likelihood of one is left, and the prior stays whole: it pulls "
        "as if it were N times as strong, and q falls back to it. Either N times the mean, or the "
        "KL over N.",
    },
    hints=(
        "Write the ELBO of N points, and divide all of it by N. What becomes of the KL?",
        "The recipe's loss is minus the ELBO over N, but for one factor. Which one, and where?",
    ),
)

tempered = Question(
    number="5.Q4",
    name="tempered",
    right="b",
    replies={
        "a": "Less is taken off than the ELBO takes off, so the result lies above the ELBO, and "
        "may lie above the log evidence as well: below 1 it is no bound.",
        "b": "Yes. fit − ½ KL is largest where q is the *tempered* posterior, prior times "
        "likelihood squared, as if every point had come twice: narrower than what the data say. "
        "And it may exceed the log evidence.",
        "c": "½ times the whole would change nothing. Here ½ stands before one term: fit counts "
        "twice against KL, and the best q moves.",
        "d": "It is the other way round: with a weight above 1 the prior counts more and q is "
        "wider. With ½ the likelihood does, and q is narrower.",
    },
    hints=(
        "fit − ½ KL = ½ (2 fit − KL). Of what data is 2 fit − KL the ELBO?",
        "KL ≥ 0. Does fit − ½ KL lie above fit − KL or below?",
    ),
)
