"""Judging a learner's function: case by case, property by property, the first failure decides.

For every case of an exercise, small ones first: it runs and returns something of the right type
and shape, finite where it should be; the exercise's properties hold; its inputs are left as they
were; the numbers are those of the reference; float32 inputs work too; and where they have to,
gradients flow back. Or, where the case says so, it raises a ValueError.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from latentsteps.checks.display import (
    clean,
    count,
    got_and_expected,
    inputs,
    kind,
    text_of,
)
from latentsteps.checks.findings import (
    FORM,
    GRADIENT,
    REFUSED,
    RUNS,
    SAME,
    SINGLE,
    UNCHANGED,
    Finding,
    compared,
    loosely,
    not_finite,
    usable,
)
from latentsteps.checks.reading import Unlike, cast, close, float_arrays, in_numpy, in_torch
from latentsteps.checks.running import Protected, Seen
from latentsteps.checks.task import (
    NOT_ATTEMPTED,
    NOT_YET,
    PASSES,
    Case,
    Failure,
    Task,
    Verdict,
)


class CallFailedError(Exception):
    """A property called the learner's function again and nothing usable came back."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.failure.sentence)
        self.finding = finding


def judge(exercise: Task, answer: Any) -> Verdict:
    """The verdict on a learner's function; says nothing, raises nothing."""
    if answer is ...:
        return Verdict(NOT_ATTEMPTED, "Nothing has been filled in yet.")
    protected = _protected(exercise, answer)
    try:
        refusal = _refused(exercise, answer, protected)
        return refusal or _judge(exercise, protected)
    except KeyboardInterrupt:
        sentence = "The check was interrupted before it was through, so it says nothing about your"
        return Verdict(NOT_YET, f"{sentence} answer. Run the cell again.")


def _refused(exercise: Task, answer: Any, protected: Protected) -> Verdict | None:
    """A verdict on what is no function, or cannot be called with the exercise's arguments."""
    name, args = exercise.name, exercise.cases[0].args
    wanted = f"{name}({', '.join(parameter_names(exercise.reference, len(args)))})"

    def work() -> Seen:
        if issubclass(type(answer), type) or not callable(answer):
            return Seen(
                "unlike",
                sentence=f"You gave {kind(answer)}; a function {wanted} is expected: the function "
                f"itself, without calling it, as in check.{name}({name}).",
            )
        try:
            signature = inspect.signature(answer)
        except (TypeError, ValueError):
            return Seen("value")  # functions written in C may not tell
        try:
            signature.bind(*args)
        except TypeError as error:
            return Seen(
                "unlike",
                sentence=f"Your function takes {clean(str(signature), 120)}; it is called as "
                f"{wanted}, with {count(len(args), 'argument')} ({clean(str(error))}).",
            )
        return Seen("value")

    seen = protected.guarded(work)
    if seen.kind == "value":
        return None
    return Verdict(NOT_YET, seen.sentence, f"it is a function {wanted}")


def _judge(exercise: Task, protected: Protected) -> Verdict:
    single, printed = False, ""
    for index, case in enumerate(exercise.cases):
        protected.next_case()
        finding = first_failure(exercise, protected, index)
        printed = protected.printed or printed
        warned = list(protected.warned[:3])
        if finding is None:
            single = single or _in_single(exercise, index) is not None
            continue
        if index == 0 and finding.label == RUNS and finding.seen and finding.seen.blank:
            return Verdict(NOT_ATTEMPTED, "Nothing has been filled in yet.")
        late = finding.seen is not None and finding.seen.kind == "late"
        match = None if late else matching(exercise, protected, bool(case.refused))
        given = inputs(parameter_names(exercise.reference, len(case.args)), case.args)
        evidence = [f"On “{case.label}”: {given}"]
        failure = finding.failure
        evidence += [got_and_expected(*failure[1:]), finding.where]
        if warned:
            evidence.append("NumPy warned: " + "; ".join(warned))
        sentence = clean(failure.sentence, 1000)
        name = None
        if match is not None:
            evidence.insert(0, sentence)
            name, sentence = match.name, match.sentence
        return Verdict(
            NOT_YET,
            sentence,
            finding.label,
            case.label,
            name,
            printed,
            tuple(clean(line, 600) for line in evidence if line),
        )
    held = [prop.label for prop in exercise.properties] + [UNCHANGED]
    held += [SINGLE] if single else []
    held += [SAME] if exercise.compare else []
    held += [REFUSED] if any(case.refused for case in exercise.cases) else []
    held += [GRADIENT] if exercise.gradients else []
    n = len(exercise.cases)
    sentence = f"Held on {n} inputs." if n > 1 else "Held on one input."
    return Verdict(PASSES, sentence, printed=printed, held=tuple(held))


def first_failure(exercise: Task, protected: Protected, index: int) -> Finding | None:
    """What fails first on case ``index``, or None."""
    case = exercise.cases[index]
    if case.refused:
        return _not_refused(exercise, protected, case)
    expected = exercise.expected(index)
    seen = protected.see(case.args, expected)
    finding = usable(seen, expected) or not_finite(seen, expected)
    if finding:
        return finding

    def call(*args: Any) -> Any:
        like = _reference_on(exercise, args)
        again = protected.see(args, expected if isinstance(like, Unlike) else like)
        broken = usable(again, None if isinstance(like, Unlike) else like)
        if broken:
            raise CallFailedError(broken)
        return again.value

    for prop in exercise.properties:
        failure, where, inner = None, "", None
        try:
            with _quiet():
                failure = prop.holds(call, copy.deepcopy(case.args), copy.deepcopy(seen.value))
        except CallFailedError as error:
            _, failure, where, inner = error.finding
            # What is shown below as the input is the case's, and not what this call got.
            sentence = "This comes from a further call, on inputs made from those below: "
            failure = failure._replace(sentence=sentence + failure.sentence)
        except Exception as error:
            text = f"{type(error).__name__}: {text_of(error)}"
            failure = Failure(f"This cannot be worked out from what your function gives ({text}).")
        if failure is not None:
            return Finding(prop.label, failure, where, inner)
    if seen.changed:
        names = parameter_names(exercise.reference, len(case.args))
        changed = " and ".join(f"`{names[i]}`" for i in seen.changed)
        sentence = f"Your function changed its input {changed}. Compute new arrays instead of "
        return Finding(UNCHANGED, Failure(sentence + "writing into the ones that are handed over."))
    finding = compared(seen.value, expected, exercise.tolerance) if exercise.compare else None
    # After the comparison: numbers that are wrong anyway are not blamed on float32.
    finding = finding or _single_precision(exercise, protected, index)
    return finding or _gradient(exercise, protected, index)


def _not_refused(exercise: Task, protected: Protected, case: Case) -> Finding | None:
    seen = protected.see(case.args, exercise.expected(0))
    if seen.kind == "raised" and seen.exception != "ValueError":
        sentence = f"{case.refused} A ValueError should say so. {seen.sentence}"
        return Finding(REFUSED, Failure(sentence), seen.where, seen)
    if seen.kind in ("raised", "late"):
        return usable(seen, None) if seen.kind == "late" else None
    sentence = f"{case.refused} `raise ValueError(…)` should say so; your function goes on."
    return Finding(REFUSED, Failure(sentence))


def matching(exercise: Task, protected: Protected, refused: bool = False) -> Any:
    """The first misconception that does on all cases what the answer does, or None.

    "The same" is: equal values, shapes and gradients, or the same kind of exception, and the same
    inputs changed. For exercises whose numbers are not compared: the same failures. Cases to be
    refused count where it is one of them that failed (``refused``): a wrong formula is the same
    mistake with and without a guard.
    """
    alike = list(range(len(exercise.misconceptions)))
    for index, case in enumerate(exercise.cases):
        if not alike:
            return None
        if case.refused and not refused:
            continue
        seen = outcome(exercise, protected, index)
        alike = [i for i in alike if _alike(seen, exercise.mistaken(i, index), exercise.tolerance)]
    return exercise.misconceptions[alike[0]] if alike else None


def outcome_of_misconception(exercise: Task, which: int, index: int) -> tuple:
    """What misconception number ``which`` does on case ``index``, as :func:`outcome` tells it."""
    return outcome(exercise, _protected(exercise, exercise.misconceptions[which].answer), index)


def outcome(exercise: Task, protected: Protected, index: int) -> tuple:
    """What a function does on case ``index``, as far as mistakes are told from each other by it."""
    case = exercise.cases[index]
    if exercise.compare:
        seen = protected.see(case.args, exercise.expected(0 if case.refused else index))
        return seen, seen.kind == "value" and _slopes(exercise, protected, case.args)
    finding = first_failure(exercise, protected, index)
    if finding is None:
        return ()
    if finding.seen is not None and finding.seen.kind == "late":
        return (finding.seen,)
    # Two results of a wrong shape are not the same mistake; which part is wrong says more.
    says_more = finding.label in (*FORM, GRADIENT)
    return finding.label, finding.failure.sentence if says_more else ""


def _alike(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, tuple) and not isinstance(a, Seen):
        return len(a) == len(b) and all(_alike(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if not (isinstance(a, Seen) and isinstance(b, Seen)):
        return bool(a == b)
    if a.kind == "late" or (a.kind, a.exception, a.changed) != (b.kind, b.exception, b.changed):
        return False
    if a.kind == "unlike":
        return a.sentence == b.sentence and close(a.value, b.value, tolerance)
    return a.kind != "value" or close(a.value, b.value, tolerance)


def _single_precision(exercise: Task, protected: Protected, index: int) -> Finding | None:
    """float32 inputs give no exception and, loosely, what the reference gives."""
    tried = _in_single(exercise, index)
    if tried is None:
        return None
    single, like = tried
    seen = protected.see(single, like)
    finding = usable(seen, like) or not_finite(seen, like)
    if finding is None and exercise.compare:
        finding = loosely(seen.value, like)
    if finding is None:
        return None
    sentence = "With float32 arrays as inputs: " + finding.failure.sentence
    return Finding(SINGLE, finding.failure._replace(sentence=sentence), finding.where, finding.seen)


def _in_single(exercise: Task, index: int) -> tuple[tuple, Any] | None:
    """A case in float32 and what is expected there, or None where it is not to be tried.

    Expected is what the reference gives on the rounded numbers, in float64. Where the reference is
    itself poor in float32, nobody else is held to it.
    """
    single = _single(exercise.cases[index].args) if exercise.single else None
    if single is None:
        return None
    like = _reference_on(exercise, cast(single, np.float32, np.float64))
    own = _reference_on(exercise, single)
    if isinstance(like, Unlike) or isinstance(own, Unlike):
        return None
    if exercise.compare and loosely(own, like) is not None:
        return None
    return single, like


def _single(args: tuple) -> tuple | None:
    """``args`` with float32 arrays in place of float64 ones; None where that means nothing."""
    with np.errstate(all="ignore"):
        single = cast(args, np.float64, np.float32)
    before, after = list(float_arrays(args)), list(float_arrays(single))
    if all(a.dtype == b.dtype for a, b in zip(before, after, strict=True)):
        return None
    overflow = any(
        np.any(np.isfinite(a) & ~np.isfinite(b)) for a, b in zip(before, after, strict=True)
    )
    return None if overflow else single


def _gradient(exercise: Task, protected: Protected, index: int) -> Finding | None:
    """Gradients flow back where the reference's do."""
    if not exercise.gradients:
        return None
    from latentsteps.checks.gradients import not_the_slope  # torch, seconds

    args, like, wanted = exercise.cases[index].args, exercise.expected(index), _wanted(exercise)
    own = not_the_slope(_protected(exercise, exercise.reference), args, like, wanted)
    return None if own else not_the_slope(protected, args, like, wanted)


def _slopes(exercise: Task, protected: Protected, args: tuple) -> Seen | None:
    if not exercise.gradients:
        return None
    from latentsteps.checks.gradients import slopes

    return slopes(protected, args, _wanted(exercise))


def _wanted(exercise: Task) -> dict[str, int]:
    """The arguments of whose gradients there have to be some, and their places."""
    names = parameter_names(exercise.reference, len(exercise.cases[0].args))
    return {name: names.index(name) for name in exercise.gradients}


def _protected(exercise: Task, function: Callable[..., Any]) -> Protected:
    return Protected(function, exercise.time_limit, exercise.tensors)


def reference_value(exercise: Task, args: Sequence[Any]) -> Any:
    """What the reference gives on copies of ``args``, with NumPy's arrays for any library's."""
    given = in_torch(tuple(args)) if exercise.tensors else copy.deepcopy(tuple(args))
    with _quiet():
        return in_numpy(exercise.reference(*given))


def _reference_on(exercise: Task, args: Sequence[Any]) -> Any:
    try:
        return reference_value(exercise, args)
    except Exception as error:  # arguments that only the learner's results could lead to
        return Unlike(clean(str(error)))


def parameter_names(function: Callable[..., Any], n: int) -> list[str]:
    """The names of the first ``n`` parameters of a function."""
    names = list(inspect.signature(function).parameters)[:n]
    return names + [f"argument {i + 1}" for i in range(len(names), n)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings from the checks' own arithmetic."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
