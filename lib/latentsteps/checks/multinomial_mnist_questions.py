"""Checks of unit 01, exercise 1.B and the questions: one number, and three letters."""

from __future__ import annotations

from latentsteps.checks.exercise import Failure, Misconception, Question, ValueExercise

# 1.B · The mode of a probability


def _accepts_mode(value: object) -> Failure | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever a learner typed
    except (TypeError, ValueError):
        return Failure("One number is due, a probability.", value)
    if abs(number - 1 / 12) < 1e-3:
        return None
    return Failure(
        "Prior times likelihood is θ (1 − θ)¹¹, up to a constant. Its top is elsewhere.", number
    )


beta_mode = ValueExercise(
    number="1.B",
    name="beta_mode",
    reference=1 / 12,
    accepts=_accepts_mode,
    misconceptions=(
        Misconception(
            "no prior",
            0.0,
            "0/10 is where the likelihood (1 − θ)¹⁰ is highest. The prior multiplies it by "
            "θ(1 − θ), which moves the top towards ½.",
        ),
        Misconception(
            "the mean",
            2 / 14,
            "2/14 is the posterior's mean, (0 + 2)/(10 + 4). The mode is where the density is "
            "highest: set the derivative of its logarithm to zero.",
        ),
        Misconception(
            "one count for two outcomes",
            1 / 11,
            "1/11 adds one imaginary image with the pixel on and none with it off. Beta(2, 2) adds "
            "one of each.",
        ),
    ),
    hints=(
        "Multiply prior and likelihood: which power of θ, which power of 1 − θ?",
        "log density = log θ + 11 log(1 − θ) + constant. Differentiate.",
        "1/θ = 11/(1 − θ), so θ = 1/(1 + 11).",
    ),
)

# Questions

hard_and_soft = Question(
    number="1.Q1",
    name="hard_and_soft",
    right="b",
    replies={
        "a": "In the plane EM converges as well, and points between two clusters stay undecided. "
        "Convergence says nothing about how sure an image is of its cluster.",
        "b": "Yes. Each pixel adds its log ratio. Over 784 pixels two pictures differ by tens of "
        "nats for most images, and e^−30 is 0 for practical purposes. With two coordinates the sum "
        "has two terms, and points between two clusters stay undecided.",
        "c": "The pixels are binary, the responsibilities need not be: with 8 binary pixels "
        "instead of 784 many images would be shared. What else grows with the number of pixels?",
        "d": "If digits came in ten clean kinds, the clusters would be the digits. The confusion "
        "matrix further down shows that they are not, and responsibilities are still near 0 or 1.",
    },
    hints=(
        "Write log r₁/r₂ for one image as a sum over pixels.",
        "How many terms has that sum here, and how many for the geyser of unit 00?",
    ),
)

nats = Question(
    number="1.Q2",
    name="nats",
    right="c",
    replies={
        "a": "A higher number is better only on the same data. Theirs are other data: which "
        "pixels are on was drawn at random there.",
        "b": "K differs too, but a likelihood can be compared between models of any size. It "
        "cannot be compared between data sets.",
        "c": "Yes. A grey pixel that is drawn anew can be on or off, and no model can know which: "
        "those nats are lost to everyone. Thresholded pixels are easier to predict. The same "
        "binarisation and the same test images first, then the comparison.",
        "d": "Dividing by 784 changes the unit, not the data. Both numbers stay where they are "
        "relative to each other.",
    },
    hints=(
        "A pixel of grey .5: what does each binarisation make of it, twice in a row?",
        "Which of the two data sets has noise in it that no model can predict?",
    ),
)

never_returns = Question(
    number="1.Q3",
    name="never_returns",
    right="a",
    replies={
        "a": "Yes. A picture of ½ everywhere gives every image the same 784 · log ½ = −543 nats. "
        "Every image finds a cluster it likes better, so the empty one stays empty, for ever.",
        "b": "Leaving the weights out is a fault, but it helps an empty cluster: with weights it "
        "would have log 0 on top.",
        "c": "The smoothing keeps the numbers finite: no θ is 0/0. The mean "
        "*picture* of an empty cluster is 0/0, but no decision is made from it.",
        "d": "Thirty steps or three thousand: once its picture is ½ everywhere, the next step "
        "finds exactly what this one found.",
    },
    hints=(
        "How likely is an image, any image, under a picture of ½ everywhere?",
        "Compare the number with the log-likelihood of the worst image under its best cluster.",
    ),
)
