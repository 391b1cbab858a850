"""What a check is: an exercise, its cases, its properties and the wrong answers that have names.

In a notebook::

    from latentsteps.checks import multinomial_mnist as check

    responsibilities = check.responsibilities(responsibilities)

says what was found and returns what the notebook goes on with: the learner's function where it
passes, the reference where it does not. Three outcomes are kept apart: *not attempted*, *passes*
and *not yet*. How an answer is run and judged is in ``running`` and ``judging``.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from latentsteps.checks import display
from latentsteps.checks.judging import (
    judge,
    outcome_of_misconception,
    parameter_names,
    reference_value,
)
from latentsteps.checks.reading import Unlike, close, convert
from latentsteps.checks.running import Protected, Seen
from latentsteps.checks.task import (
    NOT_ATTEMPTED,
    NOT_YET,
    PASSES,
    Case,
    Failure,
    Misconception,
    Property,
    Verdict,
)

__all__ = [
    "Case",
    "Exercise",
    "Failure",
    "Misconception",
    "Property",
    "Question",
    "ValueExercise",
    "Verdict",
]


class _Check:
    """What exercises and questions have in common: saying, keeping the answer, hints."""

    number: str
    name: str
    reference: Any
    hints: Sequence[str]
    _submitted: Any = ...
    _hinted = 0

    def judge(self, answer: Any) -> Verdict:
        """The verdict on an answer, without a word and without keeping it."""
        raise NotImplementedError

    def __call__(self, answer: Any) -> Any:
        """Say what was found, and return the answer if it passes, the reference if not."""
        if self._is_given(answer):
            answer = self._submitted  # the check's cell was run again
        verdict = self.judge(answer)
        self._submitted = ... if verdict.outcome == NOT_ATTEMPTED else answer
        display.say(*self._message(verdict))
        return self._pass_on(answer) if verdict.outcome == PASSES else self._hand_out()

    @property
    def answer(self) -> Any:
        """What was submitted last; None where nothing was, and never the reference."""
        return None if self._submitted is ... else self._submitted

    def hint(self) -> None:
        """Show the next hint; the last one is shown again and again."""
        n = len(self.hints)
        if not n:
            parts = [("say", "There is no hint for this one.")]
            title = f"{self.number} {self.name}"
        else:
            i = min(self._hinted, n - 1)
            self._hinted += 1
            parts = [("say", self.hints[i])]
            title = f"{i + 1} of {n} for {self.number} {self.name}"
        display.say(*display.message(title, "hint", parts))

    def __repr__(self) -> str:
        return f"<check of exercise {self.number} {self.name}>"

    def _is_given(self, answer: Any) -> bool:
        """Whether an answer is what this check handed out itself."""
        return answer is self.reference

    def _hand_out(self) -> Any:
        """What the notebook goes on with where the answer does not pass."""
        return self.reference

    def _pass_on(self, answer: Any) -> Any:
        """What the notebook goes on with where it does."""
        return answer

    def _going_on(self, verdict: Verdict) -> str:
        """In words, what the notebook goes on with."""
        raise NotImplementedError

    def _message(self, verdict: Verdict) -> tuple[str, str]:
        hint = f"Hint: check.{self.name}.hint()" if self.hints else ""
        going_on = self._going_on(verdict)
        if verdict.outcome == NOT_ATTEMPTED:
            line = " ".join(part for part in (verdict.sentence, going_on, hint) if part)
            parts = [("say", line)]
        elif verdict.outcome == PASSES:
            parts = [("say", verdict.sentence)]
            parts += [("detail", f"· {label}") for label in verdict.held]
            parts += [("say", going_on)]
        else:
            parts = [("say", f"Does not hold: {verdict.property}." if verdict.property else "")]
            if verdict.misconception:  # what failed first, then the sentence that helps
                parts += [("say", line) for line in verdict.evidence[:1]]
                parts += [("detail", line) for line in verdict.evidence[1:]]
                parts += [("strong", verdict.sentence)]
            else:
                parts += [("say", verdict.sentence)]
                parts += [("detail", line) for line in verdict.evidence]
        if verdict.printed and verdict.outcome != NOT_ATTEMPTED:
            parts += [
                ("say", "Your function printed:"),
                ("pre", display.shortened(verdict.printed)),
            ]
        if verdict.outcome == NOT_YET:
            parts += [("say", hint), ("say", going_on)]
        return display.message(f"{self.number} {self.name}", verdict.outcome, parts)


class Exercise(_Check):
    """A function to be written.

    Parameters
    ----------
    number, name: ``"1.2"`` and ``"responsibilities"``; the name is the function's.
    reference: a right answer, a plain NumPy function, or torch's (see tensors). What it returns
        says what type and shape is expected: arrays, numbers, texts, and tuples, NamedTuples, lists
        and dictionaries of them. Where it returns an array of signed integers (labels, to be used
        as indices), floats are refused; return counts as floats where both will do.
    cases: what it is run on, from small to large.
    properties: what has to hold on each.
    misconceptions: wrong answers by name, looked at in this order.
    hints: from a small push to nearly all of it.
    tolerance: of the comparison with the reference, relative and absolute.
    time_limit: seconds that one call may take; all calls together get four times that.
    compare: whether the numbers are compared with the reference's. Not for samplers: there, only
        the properties count.
    single: whether float32 inputs are tried too. Not where right answers may do what is too fine
        for float32: guard a logarithm with 1e-300, or take differences at steps of 1e-6.
    tensors: whether answers, the reference and the misconceptions take and return torch tensors.
        Cases and properties are NumPy's all the same: tensors are made at each call.
    gradients: names of arguments, floating-point arrays in every case, through which gradients
        have to flow. Where the reference's own do not, on a case, nobody is held to it.

    Raises
    ------
    ValueError: without a case, for a first case that is refused, and for gradients without tensors
        or of something that is no argument of the reference.
    """

    def __init__(
        self,
        number: str,
        name: str,
        reference: Callable[..., Any],
        cases: Sequence[Case],
        properties: Sequence[Property] = (),
        misconceptions: Sequence[Misconception] = (),
        hints: Sequence[str] = (),
        tolerance: float = 1e-6,
        time_limit: float = 5.0,
        compare: bool = True,
        single: bool = True,
        tensors: bool = False,
        gradients: Sequence[str] = (),
    ) -> None:
        if not cases or cases[0].refused:
            raise ValueError(
                f"exercise {number} has no cases, or a refused one first; it needs one at least, "
                "and the first says what is returned"
            )
        names = parameter_names(reference, len(cases[0].args))
        if gradients and not (tensors and set(gradients) <= set(names)):
            raise ValueError(
                f"exercise {number} wants gradients of {', '.join(gradients)}; with tensors=True "
                f"it may have those of {', '.join(names)}"
            )
        self.number, self.name, self.reference = number, name, reference
        self.cases, self.properties = tuple(cases), tuple(properties)
        self.misconceptions, self.hints = tuple(misconceptions), tuple(hints)
        self.tolerance, self.time_limit = tolerance, time_limit
        self.compare, self.single = compare, single
        self.tensors, self.gradients = tensors, tuple(gradients)
        self._expected: dict[int, Any] = {}
        self._mistaken: dict[tuple[int, int], tuple] = {}
        self._passed_on: Any = None

    def judge(self, answer: Any) -> Verdict:
        """The verdict on a function, without a word and without keeping it.

        The reference itself is no answer: in its place, what was submitted last is judged again.
        """
        return judge(self, self._submitted if self._is_given(answer) else answer)

    def expected(self, index: int) -> Any:
        """What the reference gives on case ``index``."""
        if index not in self._expected:
            self._expected[index] = reference_value(self, self.cases[index].args)
        return self._expected[index]

    def mistaken(self, which: int, index: int) -> tuple:
        """What misconception number ``which`` does on case ``index``: found out once, since every
        answer that fails is held against all of them."""
        if (which, index) in self._mistaken:
            return self._mistaken[which, index]
        outcome = outcome_of_misconception(self, which, index)
        # On a machine that was busy for a moment: it is asked again.
        if not any(isinstance(part, Seen) and part.kind == "late" for part in outcome):
            self._mistaken[which, index] = outcome
        return outcome

    def _is_given(self, answer: Any) -> bool:
        return answer is self.reference or (answer is not None and answer is self._passed_on)

    def _pass_on(self, answer: Any) -> Any:
        """The answer, with what it returns read as it was read here: a list may pass for an array,
        and the cells below may then count on an array. Tensors go on as they are, gradients and
        all."""
        if self.tensors:
            return answer
        like = self.expected(0)

        @functools.wraps(answer)
        def read(*args: Any, **named: Any) -> Any:
            returned = answer(*args, **named)
            value = convert(returned, like)
            # What cannot be read, a number that is being differentiated say, goes on as it is.
            return returned if isinstance(value, Unlike) else value

        self._passed_on = read
        return read

    def _going_on(self, verdict: Verdict) -> str:
        if verdict.outcome == PASSES:
            return "The notebook goes on with your function."
        if self.answer is None:
            return "The notebook goes on with the reference."
        return (
            "The notebook goes on with the reference. Your function is kept, and where a stepper "
            "plays your code it plays this one."
        )

    @property
    def answer(self) -> Any:
        """The function submitted last, for steppers to play; None where there is none, and never
        the reference."""
        return self._submitted if callable(self._submitted) else None


class ValueExercise(_Check):
    """A value to be found: ``k = ...``.

    ``accepts(value)`` returns None for every right value, else the :class:`Failure` to show. It
    gets the value as the sort of thing that ``reference`` is; arrays may have any shape.
    """

    def __init__(
        self,
        number: str,
        name: str,
        reference: Any,
        accepts: Callable[[Any], Failure | None],
        misconceptions: Sequence[Misconception] = (),
        hints: Sequence[str] = (),
    ) -> None:
        self.number, self.name, self.reference, self.accepts = number, name, reference, accepts
        self.misconceptions, self.hints = tuple(misconceptions), tuple(hints)
        self._handed_out: Any = None

    def judge(self, answer: Any) -> Verdict:
        """The verdict on a value, without a word and without keeping it."""
        if self._is_given(answer):
            answer = self._submitted
        if answer is ...:
            return Verdict(NOT_ATTEMPTED, "Nothing has been filled in yet.")
        protected = Protected(self.accepts, 5.0)
        try:
            return self._judge(answer, protected)
        except KeyboardInterrupt:
            return Verdict(NOT_YET, "The check was interrupted. Run the cell again.")

    def _judge(self, answer: Any, protected: Protected) -> Verdict:
        like = self.reference

        def work() -> Seen:
            value = convert(answer, like)
            if isinstance(value, Unlike):
                return Seen("unlike", value.value, f"You gave {value.words}.")
            if np.ndim(like) == 0 and np.ndim(value) != 0:
                words = f"You gave {display.kind(value)}; {display.kind(like)} is expected."
                return Seen("unlike", value, words)
            return Seen("value", (value, self.accepts(copy.deepcopy(value))))

        seen = protected.guarded(work)
        value, evidence = seen.value, [seen.sentence]
        if seen.kind == "value":
            value, failure = seen.value
            if failure is None:
                return Verdict(PASSES, "This value is right.")
            numbers = display.got_and_expected(*failure[1:])
            evidence = [display.clean(failure.sentence, 1000), *([numbers] if numbers else [])]
        elif seen.kind != "unlike":
            evidence = [f"This value cannot be judged. {seen.sentence}"]
        for wrong in self.misconceptions if value is not None else ():
            theirs = convert(wrong.answer, like)
            if close(value, theirs.value if isinstance(theirs, Unlike) else theirs, 1e-9):
                return Verdict(
                    NOT_YET, wrong.sentence, misconception=wrong.name, evidence=tuple(evidence)
                )
        return Verdict(NOT_YET, evidence[0], evidence=tuple(evidence[1:]))

    def _hand_out(self) -> Any:
        # One of its own, to be told from a learner's value: Python has only one 5.
        plain = type(self.reference)
        if plain in (int, float, str):
            self._handed_out = type(plain.__name__, (plain,), {})(self.reference)
        else:
            self._handed_out = copy.deepcopy(self.reference)
        return self._handed_out

    def _is_given(self, answer: Any) -> bool:
        if isinstance(self.reference, bool | None):
            return False
        return answer is self._handed_out and answer is not None

    def _going_on(self, verdict: Verdict) -> str:
        yours = verdict.outcome == PASSES
        return f"The notebook goes on with {'your value' if yours else 'the reference'}."


class Question(_Check):
    """A question with choices; its text and the choices stand in the notebook, the answer is a
    letter. ``replies`` has a sentence for each wrong letter, and may have one for the right one.

    Calling it returns the answer as it was given: the right letter is not handed out.
    """

    reference: str

    def __init__(
        self,
        number: str,
        name: str,
        right: str,
        replies: Mapping[str, str],
        hints: Sequence[str] = (),
    ) -> None:
        self.number, self.name, self.right = number, name, right
        self.reference = right
        self.replies, self.hints = dict(replies), tuple(hints)

    def judge(self, answer: Any) -> Verdict:
        """The verdict on a letter; upper or lower case, with or without brackets around it."""
        if answer is ...:
            return Verdict(NOT_ATTEMPTED, "No letter has been chosen yet.")
        letters = sorted({self.right, *self.replies})
        accepted = ", ".join(f'"{letter}"' for letter in letters[:-1]) + f' or "{letters[-1]}"'
        is_text = issubclass(type(answer), str)
        given = str.strip(answer, " ().").lower() if is_text else None
        if given not in letters:
            words = display.shown(str.strip(answer)) if is_text else display.kind(answer)
            return Verdict(NOT_YET, f"The answer is one letter, {accepted}; you gave {words}.")
        if given == self.right:
            return Verdict(PASSES, self.replies.get(given, "Yes, that is it."))
        return Verdict(NOT_YET, self.replies[given], misconception=given)

    def _is_given(self, answer: Any) -> bool:
        return False

    def __call__(self, answer: Any) -> Any:
        """Say what was found, and return the answer as it is."""
        super().__call__(answer)
        return answer

    def _going_on(self, verdict: Verdict) -> str:
        return ""
