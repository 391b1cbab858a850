"""Checks of unit 08: question 8.6, what would change your mind; 8.Q1, best of five; 8.Q2, who
earned it."""

from __future__ import annotations

from latentsteps.checks.exercise import Question

change_your_mind = Question(
    number="8.6",
    name="change_your_mind",
    right="d",
    replies={
        "a": "More seeds tell you how far such networks differ, and one is too few. But each of "
        "these runs has a network in it, so they can all be high for a reason that is not the "
        "network's. Which run has none?",
        "b": "Both look at the latents alone. Unit 07 had excellent silhouettes of clusters that "
        "were no digits, and t-SNE pulls apart what it draws. Neither knows how the same "
        "clustering fares without a network.",
        "c": "A search for the best score can only make the score better: it cannot come out "
        "against the claim. And labels that have chosen the settings are no judges of them.",
        "d": "Yes. It takes away the one thing that is praised, and keeps everything else: graph, "
        "clustering, images, score, number of runs. If it comes as far, the network did not earn "
        "the score. If it does not, the claim has survived something that could have sunk it.",
    },
    hints=(
        "What would you expect to see if the claim were wrong, and the graph did the work?",
        "Two things were changed at once on the way from k-means on pixels to the graph on "
        "latents. Which of the four changes one of them only?",
    ),
)

best_of_five = Question(
    number="8.Q1",
    name="best_of_five",
    right="b",
    replies={
        "a": "They may train five, and then cannot tell which is the best one: without labels "
        "there is no ARI. By the objective, or by a silhouette, another run may be chosen.",
        "b": "Yes. The labels that score the runs have also chosen one. The largest of five grows "
        "with the number of runs, and with their spread, whatever the method. Mean, spread and "
        "number of runs tell you what to expect of the next one.",
        "c": "One rule for all is not yet a fair rule. Of two methods with the same mean the one "
        "that varies more wins here, because it varies more.",
        "d": "Of five normal numbers the largest lies 1.2 standard deviations above the mean, on "
        "average, and a standard error of the mean is .45 of one. The maximum does not miss the "
        "mean by chance, now above and now below: it lies above.",
    },
    hints=(
        "Who chose the run, and by what? Would you have that when you cluster images of your own?",
        "What becomes of the best of R as R grows, for a method that does not change?",
    ),
)

who_earned_it = Question(
    number="8.Q2",
    name="who_earned_it",
    right="c",
    replies={
        "a": "PCA finds no clusters: it turns the axes and drops the last ones. The graph and the "
        "mixture found them all the same. What do the two rows have in common?",
        "b": "PCA does that too, with one matrix and without a network. And whether a graph needs "
        "it at all, a row with the raw pixels would say.",
        "c": "Yes. Change one part at a time: with PCA in the network's place the score stays "
        "where it was, so graph and mixture earn it. The network may be good for other things: "
        "it has a likelihood, and it draws digits. This score does not see them.",
        "d": "Another 60,000 digits would move a score of .973 by .0007 or so, by chance alone: "
        "that is 40 images. And each row was run once: what another seed of graph or network "
        "would give is not known.",
    },
    hints=(
        "Which parts do the two rows share, and in which do they differ? How do the scores differ?",
        "The score belongs to the whole chain: coordinates, graph, mixture. What happens to it "
        "when one link is exchanged?",
    ),
)
