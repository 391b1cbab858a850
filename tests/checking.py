"""What the checks of every unit have to fulfil, whatever the unit is about.

A unit's test needs one line: ``assert_unit_checks(multinomial_mnist)``.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import numpy as np

from latentsteps.checks.exercise import Exercise, Question, ValueExercise, Verdict

OUTCOMES = ("not attempted", "passes", "not yet")


def assert_unit_checks(module: ModuleType) -> None:
    """Every check of a unit recognises its right answer, its blank and its misconceptions."""
    found = checks_of(module)
    assert found, f"{module.__name__} has no checks"
    numbers = [check.number for check in found.values()]
    assert len(set(numbers)) == len(numbers), f"two checks have one number: {numbers}"
    for name, check in found.items():
        assert check.name == name, f"{name} is called {check.name}: its messages name that"
        if isinstance(check, Exercise):
            assert_exercise(check)
        elif isinstance(check, ValueExercise):
            assert_value(check)
        else:
            assert_question(check)


def checks_of(module: ModuleType) -> dict[str, Exercise | ValueExercise | Question]:
    """The checks that a notebook can reach in a module, by name."""
    kinds = (Exercise, ValueExercise, Question)
    return {name: value for name, value in vars(module).items() if isinstance(value, kinds)}


def assert_exercise(exercise: Exercise) -> None:
    """An exercise passes its reference and nothing else that is known to be wrong."""
    where = f"exercise {exercise.number} {exercise.name}"
    reference = exercise.reference
    _assert_hints(exercise.hints, where)
    _assert_distinct([case.label for case in exercise.cases], f"case labels of {where}")
    _assert_distinct([prop.label for prop in exercise.properties], f"properties of {where}")
    assert exercise.properties or exercise.compare, f"{where} holds an answer to nothing"

    # Not the very same function: that one counts as nothing submitted.
    verdict = exercise.judge(lambda *args: reference(*args))
    assert verdict.outcome == "passes", f"{where} does not pass its reference: {verdict}"
    assert not verdict.printed, f"the reference of {where} prints"
    assert exercise.judge(lambda *args: reference(*args)) == verdict, f"{where} is not repeatable"

    def blank(*args: Any) -> Any:
        raise NotImplementedError

    for nothing in (..., blank, reference):
        assert exercise.judge(nothing).outcome == "not attempted", where
    _assert_misconceptions(exercise, where)
    _assert_junk(exercise, where)


def assert_value(exercise: ValueExercise) -> None:
    """A value exercise accepts its reference and none of its misconceptions."""
    where = f"exercise {exercise.number} {exercise.name}"
    _assert_hints(exercise.hints, where)
    value = np.array(exercise.reference)[()] if np.ndim(exercise.reference) else exercise.reference
    verdict = exercise.judge(value)
    assert verdict.outcome == "passes", f"{where} does not pass its reference: {verdict}"
    assert exercise.judge(...).outcome == "not attempted", where
    _assert_misconceptions(exercise, where)
    for junk in (None, "no such thing", object(), [], float("nan"), lambda: 0):
        _assert_not_yet(exercise.judge(junk), where)


def assert_question(question: Question) -> None:
    """A question has one right letter and a sentence of its own for each other one."""
    where = f"question {question.number} {question.name}"
    assert question.right == question.right.strip(" ().").lower(), f"{where}: lower case, please"
    wrong = {letter: text for letter, text in question.replies.items() if letter != question.right}
    assert len(wrong) >= 2, f"{where} has fewer than two wrong choices"
    _assert_distinct(list(question.replies.values()), f"replies of {where}")
    assert question.judge(question.right).outcome == "passes", where
    assert question.judge(question.right.upper()).outcome == "passes", where
    assert question.judge(...).outcome == "not attempted", where
    for letter, text in wrong.items():
        assert question.judge(letter).sentence == text, where
        _assert_not_yet(question.judge(letter), where)
    for junk in (None, 3, "zz", "", [question.right]):
        _assert_not_yet(question.judge(junk), where)


def _assert_misconceptions(exercise: Exercise | ValueExercise, where: str) -> None:
    assert exercise.misconceptions, f"{where} has no misconceptions"
    _assert_distinct([wrong.name for wrong in exercise.misconceptions], f"names in {where}")
    _assert_distinct([wrong.sentence for wrong in exercise.misconceptions], f"hints in {where}")
    for wrong in exercise.misconceptions:
        # Two that behave alike would both be taken for the first of them.
        verdict = exercise.judge(wrong.answer)
        message = f"{where}: {wrong.name!r} is told {verdict}"
        assert verdict.outcome == "not yet", message
        assert (verdict.misconception, verdict.sentence) == (wrong.name, wrong.sentence), message
        _assert_not_yet(verdict, where)
        if isinstance(exercise, Exercise):
            _assert_keeps_reference_to_itself(exercise, verdict, where)


def _assert_keeps_reference_to_itself(exercise: Exercise, verdict: Verdict, where: str) -> None:
    said = " ".join(verdict.evidence)
    body = inspect.getsource(exercise.reference).split('"""')[-1]
    for line in body.splitlines():
        if len(line.strip()) > 12:
            assert line.strip() not in said, f"{where} shows a line of its reference: {line!r}"


def _assert_junk(exercise: Exercise, where: str) -> None:
    def raises(*args: Any) -> Any:
        raise ValueError("on purpose")

    known = {wrong.name: wrong.sentence for wrong in exercise.misconceptions}
    returned = (None, "text", np.nan, np.full((2, 3, 4, 5), np.nan), object(), (), {}, raises)
    for junk in (raises, 3, "text", *(lambda *args, value=value: value for value in returned)):
        verdict = exercise.judge(junk)
        _assert_not_yet(verdict, where)
        if verdict.misconception:
            assert verdict.sentence == known[verdict.misconception]


def _assert_not_yet(verdict: Verdict, where: str) -> None:
    assert verdict.outcome == "not yet", f"{where}: {verdict}"
    assert verdict.sentence.strip(), f"{where} says nothing: {verdict}"
    assert "0x" not in " ".join(verdict.evidence), f"{where} shows an address: {verdict}"


def _assert_hints(hints: Any, where: str) -> None:
    assert len(hints) >= 2, f"{where} has fewer than two hints"
    _assert_distinct(list(hints), f"hints of {where}")


def _assert_distinct(texts: list[str], what: str) -> None:
    assert all(text.strip() for text in texts), f"one of the {what} is empty"
    assert len(set(texts)) == len(texts), f"two of the {what} are the same"
