"""Checks of unit 02, questions 2.Q1 to 2.Q3: three letters."""

from __future__ import annotations

from latentsteps.checks.exercise import Question

jensen = Question(
    number="2.Q1",
    name="jensen",
    right="c",
    replies={
        "a": "It shrinks large numbers, and that is what pulls the mean of the *logarithms* down. "
        "Try 1 and 9 with weights ½: log 5 is 1.61, and the mean of log 1 and log 9 is 1.10.",
        "b": "That it rises keeps an order, not a mean. Only a straight line can change places "
        "with every mean. Try 1 and 9 with weights ½: log 5 against ½ log 9 = log 3.",
        "c": "Yes. The mean of the logarithms is a point on the chord, and the curve runs above "
        "it. They are equal when all the numbers are equal. With p(x, k)/q(k) for the numbers this "
        "is log p(x) ≥ F, with equality when that ratio is the same for all k: at the posterior.",
        "d": "The sign of the logarithms does not matter. A factor c on all numbers adds log c on "
        "both sides: 1 and 9 against .01 and .09 give the same difference.",
    },
    hints=(
        "Try two numbers, 1 and 9, each with weight ½.",
        "Draw the logarithm and the chord from 1 to 9. Where on the picture is the mean of the "
        "logarithms, and where is the logarithm of the mean?",
    ),
)

q_falls = Question(
    number="2.Q2",
    name="q_falls",
    right="b",
    replies={
        "a": "Q does lie below the log-likelihood, and what lies below may still fall while the "
        "log-likelihood climbs away from it.",
        "b": "Yes. With the parameters held, the E step makes F = Q + H(q) as large as it gets, "
        "and looks at Q and H only together. Shares that become less sure gain entropy, and Q may "
        "pay for it. The M step holds q and with it H, so there Q rises exactly as F does.",
        "c": "In the M step q stands still, and so does its entropy. F = Q + H, so in that half Q "
        "rises by exactly what F rises.",
        "d": "Neither half ever lowers F: each makes it as large as it gets in one argument while "
        "the other is held. That is a promise for every half-step, and it is about F. Which "
        "half can lower Q while F rises?",
    },
    hints=(
        "Write F = Q + H(q). What does each half-step change, and what does it hold?",
        "For Q to fall while F rises, H has to rise. In which half does q change?",
    ),
)

multiplier = Question(
    number="2.Q3",
    name="multiplier",
    right="d",
    replies={
        "a": "N_k/π_k is positive at any weights, however many rounds have passed. More weight for "
        "one component always raises its term; what stops it is that the others pay.",
        "b": "The reason is right, the number is not. The 1 is what the weights sum to, and λ is "
        "another quantity: from N_k = λ π_k, summed over k, follows Σ N_k = λ · 1. And Σ N_k is?",
        "c": "There is one constraint, so there is one multiplier, and it is the same for all "
        "components. With a λ_k for each, every set of weights would satisfy the condition.",
        "d": "Yes. Moving a little weight from one component to another gains N_k/π_k and loses "
        "N_j/π_j, so at the top these are equal: all are λ. Summing N_k = λ π_k over k gives "
        "λ = N, and with it π_k = N_k/N.",
    },
    hints=(
        "Take a little weight from component 1 and give it to component 2. What does Q lose, what "
        "does it gain, and when is neither direction worth it?",
        "N_k/π_k = λ for all k, so N_k = λ π_k. Sum both sides over k.",
    ),
)
