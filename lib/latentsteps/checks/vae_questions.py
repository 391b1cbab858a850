"""Checks of unit 07, questions 7.Q1 to 7.Q5: scores and their spaces, bounds, nats, agreement."""

from __future__ import annotations

from latentsteps.checks.exercise import Question

excellent_silhouette = Question(
    number="7.Q1",
    name="excellent_silhouette",
    right="b",
    replies={
        "a": "The score is computed as it is defined, and it answers its own question: how compact "
        "are these clusters, in this space? Compact is not yet real: ten pieces of one line "
        "are compact too.",
        "b": "Yes. A silhouette compares distances with distances, all of them in the space that "
        "the network made. The network had every reason to stretch that space along one line, and "
        "none to put digits in it.",
        "c": "Names cannot be the reason: ARI does not look at them. It counts pairs of images, "
        "together or apart, and renaming the clusters changes none of these.",
        "d": "It might be, but the silhouette would not tell: it has no idea what an image looks "
        "like. What was cut here is one line, and the next picture shows what runs along it.",
    },
    hints=(
        "Of what are a and b distances: of images, or of something that the network made of them?",
        "Take points spread evenly along a line, and cut it into ten pieces. What is the "
        "silhouette of the pieces, about, and how many kinds are there?",
    ),
)

half_beta = Question(
    number="7.Q2",
    name="half_beta",
    right="b",
    replies={
        "a": "Something is taken off for both, but from what? E log p(x | z) may lie far *above* "
        "log p(x), and only a whole KL is sure to bring it below.",
        "b": "Yes. With β = 1 it is a bound, and β = 4 takes off three KLs more, which are never "
        "negative. With β = ½ half a KL is put back on, and nothing says that the gap was as "
        "large.",
        "c": "It is the other way round. Taking more off a lower bound leaves a lower bound, a "
        "loose one. Putting something back on may carry it over.",
        "d": "β = 1 gives the tightest of those that are bounds. A number below a lower bound is a "
        "lower bound too.",
    },
    hints=(
        "Write the objective as the ELBO plus a multiple of the KL. Which sign has the multiple, "
        "for β = 4 and for β = ½?",
        "ELBO ≤ log p(x), and KL ≥ 0. What follows for ELBO − 3 KL, and what for ELBO + ½ KL?",
    ),
)

single_estimate = Question(
    number="7.Q3",
    name="single_estimate",
    right="b",
    replies={
        "a": "The *bound* rises, and that is an expectation. What you have is one estimate of "
        "each, with noise: five lucky draws beat fifty ordinary ones.",
        "b": "Yes. The theorem is about expectations. An estimate with 5 draws scatters more, on "
        "average it is lower, and now and then it is the higher one.",
        "c": "Then too it may fall. Let the 5 be lucky: 45 draws with smaller weights bring the "
        "mean of all 50 down.",
        "d": "The KL is nowhere paid for draw by draw: the weights are *averaged*, and with more "
        "draws the logarithm of their average is higher in expectation.",
    },
    hints=(
        "The estimate is the logarithm of a mean of weights. Can a mean of 5 numbers exceed one of "
        "50 from the same source?",
        "What is ordered by the theorem: two numbers that you computed, or their averages over all "
        "the draws that you could have made?",
    ),
)

which_binarisation = Question(
    number="7.Q4",
    name="which_binarisation",
    right="c",
    replies={
        "a": "Fewest nats for what? A thresholded image has hardly any chance left in it, so fewer "
        "nats are enough for it: what a model reaches there says as much of the data as of its "
        "merit.",
        "b": "That the data differ in difficulty is right, and is why no order follows: a model "
        "that is better on the one need not be on the other, and the second was not measured on "
        "the first's.",
        "c": "Yes. Nats are compared on the same data: the same binarisation, and the same test "
        "images. And the cross-entropy of grey pixels is no likelihood of anything, its total is "
        "below 1.",
        "d": "That would take the coins' entropy out of the second, and still leave two different "
        "questions: what a model does not know of a thresholded image is not what it does not know "
        "of a sampled one. And the third has no data of its own.",
    },
    hints=(
        "Is the same x being predicted on the three pages?",
        "Pen and paper above: what is the integral of the third one's “likelihood” over all grey "
        "levels?",
    ),
)

same_spread = Question(
    number="7.Q5",
    name="same_spread",
    right="c",
    replies={
        "a": "Each of the three is as far from the labels as the others. Three towns may lie "
        "equally far from the capital, and on three sides of it.",
        "b": "Corrected for chance or not, ARI says how much a partition shares with the labels. "
        "Two of them may share equally much, and not the same.",
        "c": "Yes. Equally good is not equal. Whether two runs agree is a question about the two: "
        "their ARI with each other, as you did.",
        "d": "Thirty runs would make the .01 more certain, and the conclusion would follow as "
        "little: a spread of scores says nothing of *which* images were put together.",
    },
    hints=(
        "Each ARI is a distance from the labels. Do two runs at the same distance have to be "
        "close to each other?",
        "Let one run mix up 4 and 9, another one 3 and 5. What is each one's ARI with the labels, "
        "and what do they agree on?",
    ),
)
