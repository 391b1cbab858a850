"""The checks' engine: junk in, a sentence out; only right functions pass; nothing is disturbed."""

from __future__ import annotations

import _thread
import builtins
import functools
import os
import random
import re
import subprocess
import sys
import threading
import time
import types
import warnings
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import nbclient
import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import checking
from latentsteps.checks.exercise import (
    Case,
    Exercise,
    Failure,
    Misconception,
    Property,
    Question,
    ValueExercise,
)
from latentsteps.jax64 import jax, jnp

X = np.array([[1.0, 2.0], [3.0, 5.0], [2.0, 2.0]])
W = np.array([0.25, 0.75])


def shares(x, weights):
    """Weighted shares of each row: the exercise's right answer."""
    joint = x * weights
    return joint / joint.sum(axis=1, keepdims=True)


def _rows_sum_to_one(call, args, result):
    sums = result.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1) > 1e-6)
    return Failure(f"Row {wrong[0]} does not.", sums[wrong[0]], 1.0) if wrong.size else None


def _scale_free(call, args, result):
    x, weights = args
    return None if np.allclose(call(3 * x, weights), result) else Failure("Scaled data differ.")


def an_exercise(**changes):
    large = np.random.default_rng(0).random((40, 3)) + 0.1
    settings_ = {
        "number": "9.1",
        "name": "shares",
        "reference": shares,
        "cases": (
            Case("three rows, two columns", (X, W)),
            Case("forty rows", (large, np.array([0.5, 0.3, 0.2]))),
        ),
        "properties": (
            Property("each row sums to one", _rows_sum_to_one),
            Property("scaling the data changes nothing", _scale_free),
        ),
        "misconceptions": (
            Misconception("no weights", lambda x, w: x / x.sum(1, keepdims=True), "Weigh them."),
            Misconception("wrong axis", lambda x, w: x * w / (x * w).sum(0), "Which axis?"),
            Misconception("too many axes", lambda x, w: (x * w).sum(axis=2), "Only two axes."),
        ),
        "hints": ("push", "shove"),
        "time_limit": 0.4,
    }
    return Exercise(**(settings_ | changes))


def scalar_exercise(reference=lambda x: float(np.sum(x)), **changes):
    return Exercise(
        "9.2", "total", reference, [Case("three", (np.array([1.0, 2, 3.5]),))], **changes
    )


# --- what is accepted -------------------------------------------------------------------------


def as_list(x, w):
    return shares(x, w).tolist()


def as_subclass(x, w):
    class Odd(np.ndarray):
        def __eq__(self, other):
            raise RuntimeError("no comparisons")

        def sum(self, *args, **kwargs):
            raise RuntimeError("no sums")

    return shares(x, w).view(Odd)


def as_torch(x, w):
    import torch

    return torch.tensor(shares(x, w), requires_grad=True)


def as_jax(x, w):
    from latentsteps.jax64 import jnp

    return jnp.asarray(shares(x, w))


def as_pandas(x, w):
    import pandas

    return pandas.DataFrame(shares(x, w))


ACCEPTED = [
    shares.__get__,  # replaced below: a wrapper, not the very reference
    as_list,
    as_subclass,
    as_torch,
    as_jax,
    as_pandas,
    lambda x, w: [list(row) for row in shares(x, w)],
    lambda x, w: np.asfortranarray(shares(x, w)),
    lambda x, w: np.ma.masked_array(shares(x, w)),
    lambda x, w: np.matrix(shares(x, w)),
    lambda x, w: shares(x, w).astype(object),
    lambda x, w: shares(x, w).astype(np.longdouble),
    lambda x, w: np.exp(np.log(x) + np.log(w) - np.log((x * w).sum(1))[:, None]),
    functools.partial(lambda x, w, extra: shares(x, w), extra=1),
    lambda *everything: shares(*everything),
    lambda x, w, axis=1: shares(x, w),
]
ACCEPTED[0] = lambda x, w: shares(x, w)


@pytest.mark.parametrize("answer", ACCEPTED)
def test_every_right_answer_passes(answer):
    verdict = an_exercise(time_limit=20.0).judge(answer)
    assert verdict.outcome == "passes", verdict
    assert "each row sums to one" in verdict.held
    assert "float32 inputs work as well" in verdict.held


def test_single_numbers_come_in_many_types():
    check = scalar_exercise()
    for kind in (np.float32, np.float64, np.array, Fraction, Decimal, np.longdouble):
        assert check.judge(lambda x, kind=kind: kind(float(np.sum(x)))).outcome == "passes"
    whole = scalar_exercise(lambda x: int(np.sum(x)))
    for kind in (int, float, np.int8, np.uint64, np.float32):
        assert whole.judge(lambda x, kind=kind: kind(6)).outcome == "passes"
    assert whole.judge(lambda x: 6.5).outcome == "not yet"
    array = check.judge(lambda x: np.array([6.5]))
    assert array.property == "it returns the right shape"
    assert "one number is expected" in array.sentence


def test_labels_are_whole_numbers_but_pixels_and_counts_may_be_floats():
    labels = Exercise("9", "labels", lambda x: np.argsort(x), [Case("c", (np.array([3.0, 1, 2]),))])
    assert labels.judge(lambda x: np.argsort(x).astype(np.uint8)).outcome == "passes"
    floats = labels.judge(lambda x: np.argsort(x).astype(float))
    assert floats.outcome == "not yet"
    assert ".astype(int)" in floats.sentence
    pixels = Exercise(
        "9", "pixels", lambda x: (x > 1).astype(np.uint8), [Case("c", (np.array([3.0, 1, 2]),))]
    )
    for kind in (bool, int, float, np.float32, np.uint8):
        assert pixels.judge(lambda x, kind=kind: (x > 1).astype(kind)).outcome == "passes"


class Pair(NamedTuple):
    low: np.ndarray
    high: float


def test_several_values_may_come_as_any_sequence():
    check = Exercise(
        "9.3", "ends", lambda x: Pair(np.sort(x)[:2], float(x.max())),
        [Case("four", (np.array([3.0, 1.0, 2.0, 4.0]),))],
    )  # fmt: skip
    Other = namedtuple("Other", "a b")
    for wrap in (tuple, list, lambda pair: Other(*pair), lambda pair: Pair(*pair)):
        assert check.judge(lambda x, wrap=wrap: wrap((np.sort(x)[:2], x.max()))).outcome == "passes"
    one = check.judge(lambda x: np.sort(x)[:2].sum())
    assert "a tuple of 2 values is expected" in one.sentence
    three = check.judge(lambda x: (1, 2, 3))
    assert "low, high" in three.sentence
    none = check.judge(lambda x: (np.sort(x)[:2], None))
    assert "number 2 is None" in none.sentence
    wrong = check.judge(lambda x: (np.sort(x)[1:3], x.max()))
    assert "in `low`" in wrong.sentence
    assert wrong.evidence[1] == "got 2; expected 1"


def test_dictionaries_are_compared_by_key():
    check = Exercise("9", "match", lambda x: {0: 7, 1: 3}, [Case("c", (np.ones(2),))])
    right = check.judge(lambda x: {np.int64(1): np.int64(3), np.int64(0): 7})
    assert right.outcome == "passes"
    for wrong in ({0: 7}, {0: 7, 1: 3, 2: 1}, {0: 7, 2: 3}, {0: 7, 1: "3"}, [7, 3], {0: 3, 1: 7}):
        assert check.judge(lambda x, wrong=wrong: wrong).outcome == "not yet"


# --- what is refused, and in which words ------------------------------------------------------


def _generator(x, w):
    yield from shares(x, w)


async def _coroutine(x, w):
    return shares(x, w)


class AClass:
    def __init__(self, x, w):
        self.x = x


class Evil:
    """Answers every question with an exception."""

    def __getattribute__(self, name):
        raise RuntimeError("evil")

    def __eq__(self, other):
        raise RuntimeError("evil")

    __hash__ = None

    def __repr__(self):
        raise RuntimeError("evil")

    def __array__(self, *args, **kwargs):
        raise RuntimeError("evil")

    def __len__(self):
        raise RuntimeError("evil")


class EvilError(Exception):
    def __str__(self):
        raise RuntimeError("evil")


EVIL = "stands for an Evil(), which pytest itself could not bear as a parameter"


def _raise(error):
    raise error


REFUSED = [
    # (answer, the property named, part of what is said)
    (lambda x, w: None, "it returns something", "return"),
    (lambda x, w: "text", "it returns the right type", "a text"),
    (lambda x, w: b"text", "it returns the right type", "array"),
    (lambda x, w: (x, w), "it returns the right type", "a tuple of 2 values"),
    (lambda x, w: {0: x}, "it returns the right type", "a dictionary with 1 key"),
    (lambda x, w: {1, 2}, "it returns the right type", "set"),
    (lambda x, w: shares, "it returns the right type", "a function"),
    (lambda x, w: object(), "it returns the right type", "type object"),
    (lambda x, w: Evil(), "it returns the right type", "array"),
    (lambda x, w: [[1, 2], [3]], "it returns the right type", "cannot be read"),
    (lambda x, w: np.array(["a"]), "it returns the right type", "array"),
    (lambda x, w: np.array([None, "b"]), "it returns the right type", "array"),
    (lambda x, w: shares(x, w) + 1j, "it returns the right type", "complex"),
    (lambda x, w: np.ma.masked_less(shares(x, w), 0.5), "it returns the right type", "masked"),
    (_generator, "it returns the right type", "a generator"),
    (_coroutine, "it returns the right type", "a coroutine"),
    (lambda x, w: shares(x, w).T, "it returns the right shape", "transposed"),
    (lambda x, w: np.broadcast_to(1.0, (10**6, 10**6)), "it returns the right shape", "shape"),
    (lambda x, w: 1.0, "it returns the right shape", "shape"),
    (lambda x, w: np.full(x.shape, np.nan), "numbers are finite where they can be", "[0, 0]"),
    (lambda x, w: x * w, "each row sums to one", "Row 0"),
    (lambda x, w: _raise(KeyError("a")), "it runs without an exception", "KeyError"),
    (lambda x, w: _raise(EvilError()), "it runs without an exception", "EvilError"),
    (lambda x, w: _raise(KeyboardInterrupt()), "it runs without an exception", "KeyboardInterrupt"),
    (lambda x, w: _raise(GeneratorExit()), "it runs without an exception", "GeneratorExit"),
    (lambda x, w: sys.exit(3), "it runs without an exception", "`return`"),
    (lambda x, w: np.zeros((10**9, 10**9)), "it runs without an exception", "memory"),
    (lambda x, w: input("?"), "it runs without an exception", "input"),
    (lambda x: x, "it is a function shares(x, weights)", "takes (x)"),
    (lambda x, w, more: x, "it is a function shares(x, weights)", "shares(x, weights)"),
    (AClass, "it is a function shares(x, weights)", "a class"),
    (X, "it is a function shares(x, weights)", "an array of shape (3, 2)"),
    (None, "it is a function shares(x, weights)", "None"),
    ("shares", "it is a function shares(x, weights)", "a text"),
    (EVIL, "it is a function shares(x, weights)", "cannot be described"),
]


@pytest.mark.parametrize(("answer", "property_", "words"), REFUSED)
def test_a_wrong_answer_is_told_what_is_wrong(answer, property_, words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verdict = an_exercise(time_limit=10.0).judge(Evil() if answer is EVIL else answer)
    assert verdict.outcome == "not yet"
    assert verdict.property == property_
    assert words in verdict.sentence + " ".join(verdict.evidence)


def test_the_message_has_label_input_and_the_two_numbers():
    verdict = an_exercise().judge(lambda x, w: 1.5 * shares(x, w))
    assert verdict.case == "three rows, two columns"
    assert verdict.evidence == (
        "On “three rows, two columns”: x = [[1, 2], [3, 5], [2, 2]], weights = [0.25, 0.75]",
        "got 1.5; expected 1",
    )

    def only_small(x, w):
        return shares(x, w) if len(x) < 10 else np.roll(shares(x, w), 1, axis=0)

    large = an_exercise().judge(only_small)
    assert large.case == "forty rows"
    assert "x = array of shape (40, 3), weights = [0.5, 0.3, 0.2]" in large.evidence[0]
    assert large.property == "the same numbers as the reference"
    assert "Entry [0, 0]" in large.sentence


def test_close_numbers_are_shown_with_the_digits_that_differ():
    verdict = scalar_exercise().judge(lambda x: np.sum(x) + 1e-4)
    assert verdict.evidence[1] == "got 6.5001; expected 6.5"


def test_an_exception_is_told_with_the_learners_own_line():
    def answer(x, w):
        y = x * 2

        return y @ np.zeros((7, 2))

    verdict = an_exercise().judge(answer)
    assert "`A @ B` needs as many columns" in verdict.sentence
    assert verdict.evidence[1] == "line 4 of `answer`: return y @ np.zeros((7, 2))"


TRANSLATED = [
    (lambda x, w: x + np.ones((5, 5)), "cannot line up the shapes (3,2) (5,5)"),
    (lambda x, w: np.dot(x, np.ones((5, 5))), "(3,2) and (5,5)"),
    (lambda x, w: np.broadcast_to(w, (3, 2)).__setitem__(0, 1), "written to"),
    (lambda x, w: np.zeros((2, 2)).__setitem__(0, [1, 2, 3]), "(3,)"),
    (lambda x, w: shares(x), "fewer arguments"),
    (lambda x, w: shares(x, w, w), "more arguments"),
    (lambda x, w: x(0), "square brackets"),
    (lambda x, w: undefined_name, "`undefined_name`"),  # noqa: F821 - the point of the test
    (lambda x, w: x[1.0], "whole numbers"),
    (lambda x, w: x[7], "first is 0"),
    (lambda x, w: x.sum(axis=5), "first is axis 0"),
    (lambda x, w: 1 if x > 0 else 2, "np.where"),
    (lambda x, w: 1 // 0, "divided by zero"),
]


@pytest.mark.parametrize(("answer", "words"), TRANSLATED)
def test_frequent_exceptions_are_said_in_plain_words(answer, words):
    verdict = an_exercise(misconceptions=()).judge(answer)
    assert verdict.property == "it runs without an exception"
    assert words in verdict.sentence


def test_endless_recursion_is_an_exception():
    def answer(x, w):
        return answer(x, w)

    verdict = an_exercise(time_limit=10.0).judge(answer)
    assert "calls itself without end" in verdict.sentence


def test_not_attempted_is_what_the_blank_raises_and_nothing_else():
    def blank(x, w):
        raise NotImplementedError

    def half(x, w):
        if len(x) > 10:
            raise NotImplementedError
        return shares(x, w)

    def through_a_library(x, w):
        import codecs

        return codecs.IncrementalEncoder().encode("x")

    for answer in (..., blank, lambda *args: blank(*args), functools.partial(blank)):
        assert an_exercise().judge(answer).outcome == "not attempted"

    def on_other_data(x, w):
        if x[0, 0] == 3.0:
            raise NotImplementedError
        return shares(x, w)

    for answer in (
        half,
        on_other_data,
        through_a_library,
        lambda x, w: NotImplemented,
        lambda x, w: ...,
    ):
        assert an_exercise().judge(answer).outcome == "not yet"


# --- inputs, types, warnings, prints ----------------------------------------------------------


def test_changed_inputs_are_named_after_the_properties_and_before_the_comparison():
    def answer(x, w):
        result = shares(x, w)
        x -= 1
        return result[::-1]

    verdict = an_exercise().judge(answer)
    assert verdict.property == "its inputs are left unchanged"
    assert "`x`" in verdict.sentence

    def nested(state):
        state["a"].append(1)
        return 1.0

    check = Exercise("9", "n", lambda state: 1.0, [Case("c", ({"a": [1.0]},))])
    assert "`state`" in check.judge(nested).sentence
    assert check.cases[0].args == ({"a": [1.0]},)


def test_a_random_generator_as_an_argument_starts_afresh_at_every_call():
    check = Exercise(
        "9", "draw", lambda rng: float(rng.random()), [Case("c", (np.random.default_rng(3),))]
    )
    for _ in range(2):
        assert check.judge(lambda rng: rng.random()).outcome == "passes"


def test_what_is_passed_on_returns_what_the_reference_would(capsys):
    def both(x):
        return x.sum(), np.outer(x, x)

    check = Exercise("9", "both", both, [Case("two", (np.array([1.0, 2.0]),))])
    in_lists = check(lambda x: [sum(x), [[a * b for b in x] for a in x]])
    assert "passes" in capsys.readouterr().out
    total, products = in_lists(x=np.array([1.0, 2.0, 3.0]))
    assert isinstance(products, np.ndarray)
    assert (total, products.shape) == (6.0, (3, 3))

    squares = Exercise("9", "squares", lambda x: x**2, [Case("two", (np.array([1.0, 2.0]),))])
    passed = squares(lambda x: x * x)
    # What is no array cannot be read as one, and is not kept from those who want it.
    slope = jax.grad(lambda x: passed(x).sum())(jnp.array([3.0, 4.0]))
    np.testing.assert_array_equal(slope, [6.0, 8.0])


def test_float32_inputs_have_to_work():
    def fussy(x, w):
        if x.dtype != np.float64:
            raise TypeError("only float64 will do")
        return shares(x, w)

    verdict = an_exercise().judge(fussy)
    assert verdict.property == "float32 inputs work as well"
    assert "only float64 will do" in verdict.sentence

    def rounds_away(x, w):
        return shares(x, w) if x.dtype == np.float64 else np.round(shares(x, w))

    check = an_exercise(properties=())
    assert check.judge(rounds_away).property == "float32 inputs work as well"

    # Where the reference itself loses its digits in float32, nothing is asked for.
    far = np.array([10_001.0, 10_002.0, 10_003.0])
    by_moments = lambda x: float(np.mean(x * x) - np.mean(x) ** 2)  # noqa: E731 - a formula
    spread = Exercise("9", "spread", by_moments, [Case("far away", (far,))])
    verdict = spread.judge(lambda x: (x * x).sum() / 3 - (x.sum() / 3) ** 2)
    assert verdict.outcome == "passes"
    assert "float32 inputs work as well" not in verdict.held

    # Nor where the exercise says so: a guard of 1e-300 is 0 in float32.
    def guarded(x):
        return np.log(np.where(x > 0, x, x + x.dtype.type(1e-300)))

    def reference(x):
        return np.log(np.where(x > 0, np.float64(x), 1e-300))

    zero = [Case("a zero", (np.array([0.0, 1.0]),))]
    for single, outcome in ((True, "not yet"), (False, "passes")):
        verdict = Exercise("9", "logs", reference, zero, single=single).judge(guarded)
        assert verdict.outcome == outcome
        assert "float32 inputs work as well" not in verdict.held


def test_infinities_are_compared_in_silence():
    def logs(x):
        with np.errstate(divide="ignore"):
            return np.log(x)

    exercise = Exercise("9", "logs", logs, [Case("a zero", (np.array([0.0, 1.0]),))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert exercise.judge(lambda x: logs(x)).outcome == "passes"


def test_prints_and_warnings_are_told_once():
    def answer(x, w):
        print("<b>looking</b>")
        print("at", hex(id(x)), object(), file=sys.stderr)
        return x / np.zeros(2)

    check = an_exercise()
    verdict = check.judge(answer)
    assert verdict.printed.count("looking") == 1
    assert any("divide by zero" in line for line in verdict.evidence)
    text, box = check._message(verdict)
    assert "<b>looking</b>" in text
    assert "<object object>" in text
    assert "&lt;b&gt;looking&lt;/b&gt;" in box
    assert "<code>" not in box.split("<pre")[1]
    assert "<b>" not in box
    assert not re.search("0x[0-9a-f]{6}", text + box)

    chatty = check.judge(lambda x, w: [print(i) for i in range(10_000)] and shares(x, w))
    assert chatty.outcome == "passes"
    text, _ = check._message(chatty)
    assert text.count("\n") < 40
    assert "only the first 20 lines" in text


def test_everything_global_is_as_before(tmp_path, capfd):
    def vandal(x, w):
        np.seterr(all="raise")
        np.set_printoptions(precision=1)
        np.random.seed(7)
        random.seed(7)
        os.chdir(tmp_path)
        sys.stdout.close()
        sys.stdout = sys.stderr = None
        sys.setrecursionlimit(5000)
        builtins.input = None
        warnings.simplefilter("ignore")
        warnings.filters.clear()
        return shares(x, w)

    def state():
        return (
            np.geterr(), np.get_printoptions(), np.random.get_state()[1].tolist(),
            random.getstate(), os.getcwd(), sys.stdout, sys.stderr, sys.getrecursionlimit(),
            builtins.input, list(warnings.filters), sys.getswitchinterval(),
        )  # fmt: skip

    np.random.seed(123)
    random.seed(123)
    before = state()
    assert an_exercise().judge(vandal).outcome == "passes"
    an_exercise(time_limit=0.2).judge(lambda x, w: [None for _ in iter(int, 1)])
    assert state() == before
    assert capfd.readouterr() == ("", "")


def test_pictures_that_an_answer_opens_are_closed():
    import matplotlib.pyplot as plt

    mine = plt.figure()
    try:
        answer = lambda x, w: plt.figure() and shares(x, w)  # noqa: E731 - as short as learners'
        assert an_exercise(time_limit=10.0).judge(answer).outcome == "passes"
        assert plt.get_fignums() == [mine.number]
    finally:
        plt.close(mine)


def test_global_random_numbers_are_the_same_at_every_check():
    check = an_exercise(misconceptions=())
    answer = lambda x, w: shares(x, w) + np.random.rand() + random.random()  # noqa: E731
    first = check.judge(answer)
    np.random.rand()
    random.random()
    assert check.judge(answer) == first


# --- time -------------------------------------------------------------------------------------


def _bare(x, w):
    while True:
        try:
            np.sqrt(2.0)
        except:  # noqa: E722 - what a learner may write
            continue


def _nested(x, w):
    while True:
        try:
            while True:
                try:
                    time.sleep(0.02)
                except BaseException:
                    continue
        except:  # noqa: E722 - as above
            pass


def _finally(x, w):
    while True:
        try:
            time.sleep(0.02)
        finally:
            continue  # noqa: B012 - as above


def _starts_again(x, w):
    try:
        _nested(x, w)
    except:  # noqa: E722 - as above
        return _starts_again(x, w)


def _prints(x, w):
    while True:
        print("again and again")


def _swallows_and_returns(x, w):
    try:
        while True:
            np.sqrt(2.0)
    except BaseException:
        return shares(x, w)


ENDLESS = [_bare, _nested, _finally, _starts_again, _prints, _swallows_and_returns]


@pytest.mark.parametrize("answer", ENDLESS)
def test_an_endless_loop_is_ended(answer):
    threads = threading.active_count()
    verdict = an_exercise().judge(answer)
    assert verdict.property == "it answers in time"
    assert "no answer within 0.4 seconds" in verdict.sentence
    assert "could not be stopped" not in verdict.sentence
    assert threading.active_count() == threads


def test_a_loop_in_a_returned_object_is_ended():
    class Slow:
        def __array__(self, *args, **kwargs):
            while True:
                pass

    assert an_exercise().judge(lambda x, w: Slow()).property == "it answers in time"


def test_what_cannot_be_stopped_is_left_behind_and_said_so():
    verdict = an_exercise(time_limit=0.1).judge(lambda x, w: time.sleep(3))
    assert "could not be stopped" in verdict.sentence


def test_many_slow_calls_have_a_limit_together():
    def holds(call, args, result):
        for _ in range(1000):
            call(*args)

    def slow(x, w):
        for _ in range(100):
            time.sleep(0.002)
        return shares(x, w)

    check = an_exercise(properties=(Property("many calls", holds),), time_limit=0.5)
    verdict = check.judge(slow)
    assert (verdict.property, verdict.outcome) == ("many calls", "not yet")
    assert "more than 2 seconds" in verdict.sentence


def test_an_interrupt_ends_the_check_and_not_the_notebook():
    threads = threading.active_count()

    def answer(x, w):
        _thread.interrupt_main()
        while True:
            pass

    verdict = an_exercise(time_limit=20.0).judge(answer)
    assert verdict.outcome == "not yet"
    assert "interrupted" in verdict.sentence
    assert threading.active_count() == threads


def test_judging_works_outside_the_main_thread():
    found = []
    check = an_exercise()

    def work():
        found.extend([check.judge(_bare), check.judge(lambda x, w: shares(x, w))])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [verdict.outcome for verdict in found] == ["not yet", "passes"]


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n        try: n = 1\n        except: pass",
        "while True:\n        try: [0] * 10\n        except BaseException: pass",
        "import sys; sys.exit('bye')",
        "raise SystemExit",
        "import threading; threading.Thread(target=lambda: 1 / 0).start(); raise ValueError",
        "import warnings; warnings.warn('careful'); raise ValueError('<script>')",
    ],
)
def test_a_script_goes_on_whatever_the_answer_does(body):
    script = f"""
from latentsteps.checks.exercise import Case, Exercise
check = Exercise("1", "f", lambda x: x, [Case("c", (1.0,))], hints=("a",), time_limit=0.4)
def f(x):
    {body}
g = check(f)
print("went on", g is check.reference)
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"}, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.startswith("✗ not yet · 1 f")
    assert result.stdout.endswith("went on True\n")


# --- properties -------------------------------------------------------------------------------


def test_a_property_may_call_again_and_a_broken_call_is_told():
    def answer(x, w):
        if x[0, 0] == 3.0:
            raise ValueError("threes are not for me")
        return shares(x, w)

    verdict = an_exercise(misconceptions=()).judge(answer)
    assert verdict.property == "scaling the data changes nothing"
    assert "threes are not for me" in verdict.sentence
    assert "threes are not for me" in verdict.evidence[1]


def test_a_property_that_breaks_is_not_a_traceback():
    check = an_exercise(properties=(Property("odd", lambda call, args, result: 1 / 0),))
    verdict = check.judge(lambda x, w: shares(x, w))
    assert (verdict.outcome, verdict.property) == ("not yet", "odd")
    assert "ZeroDivisionError" in verdict.sentence


def test_properties_get_their_own_copies_and_plain_results():
    def holds(call, args, result):
        assert type(result) is np.ndarray
        assert result.dtype == np.float64
        args[0][:] = 0
        result[:] = 7

    check = an_exercise(properties=(Property("a", holds), Property("b", _rows_sum_to_one)))
    assert check.judge(as_subclass).outcome == "passes"
    assert X[0, 0] == 1.0


# --- misconceptions ---------------------------------------------------------------------------


def test_a_misconception_is_recognised_by_what_it_does():
    check = an_exercise()
    verdict = check.judge(lambda x, w: np.einsum("nk,n->nk", x, 1 / x.sum(1)))
    assert (verdict.misconception, verdict.sentence) == ("no weights", "Weigh them.")
    assert verdict.evidence[0].startswith("Entry [0, 0]")
    text, _ = check._message(verdict)
    assert text.index("got 0.3333") < text.index("Weigh them.") < text.index("check.shares.hint()")
    # The same kind of exception counts as the same behaviour.
    assert check.judge(lambda x, w: x.mean(axis=7)).misconception == "too many axes"


def test_what_a_misconception_does_is_found_out_once():
    calls = []

    def no_weights(x, w):
        calls.append(len(x))
        return x / x.sum(1, keepdims=True)

    check = an_exercise(misconceptions=(Misconception("no weights", no_weights, "Weigh them."),))
    first = check.judge(lambda x, w: x / x.sum(1)[:, None])
    assert calls == [3, 40]
    assert check.judge(lambda x, w: x / x.sum(1)[:, None]) == first
    assert first.misconception == "no weights"
    assert calls == [3, 40]


@pytest.mark.parametrize("compare", [True, False])
def test_a_misconception_that_was_late_is_asked_again(compare):
    slow = [True]

    def no_weights(x, w):
        if slow[0]:
            time.sleep(1)
        return x * 2

    known = (Misconception("doubled", no_weights, "Halve it."),)
    check = an_exercise(misconceptions=known, compare=compare)
    assert check.judge(lambda x, w: 2 * x).misconception is None
    slow[0] = False
    assert check.judge(lambda x, w: 2 * x).misconception == "doubled"


def test_a_misconception_has_to_fit_all_cases():
    def sometimes(x, w):
        return (x if len(x) < 10 else x**2) / x.sum(1, keepdims=True)

    assert an_exercise().judge(sometimes).misconception is None


def test_a_misconception_may_lie_in_changing_the_input():
    def in_place(x, w):
        x *= w
        x /= x.sum(axis=1, keepdims=True)
        return x

    check = an_exercise(misconceptions=(Misconception("in place", in_place, "Take a copy."),))

    def also_in_place(x, w):
        x[:] = shares(x, w)
        return x

    def fussy(x, w):
        if x.dtype != np.float64:
            raise TypeError("only float64 will do")
        return shares(x, w)

    assert check.judge(also_in_place).sentence == "Take a copy."
    # The same values, but wrong in another way.
    assert check.judge(fussy).outcome == "not yet"
    assert check.judge(fussy).misconception is None
    assert check.judge(lambda x, w: shares(x, w)).outcome == "passes"


def test_two_results_of_a_wrong_type_are_told_apart():
    check = Exercise(
        "9", "nearest", lambda d: d.argmin(axis=1), [Case("c", (X,))], [],
        [Misconception("a distance", lambda d: d.min(axis=1), "Which, not how far.")],
    )  # fmt: skip
    assert check.judge(lambda d: np.min(d, axis=1)).misconception == "a distance"
    assert check.judge(lambda d: d.argmin(axis=1).astype(float)).misconception is None


def test_samplers_are_held_to_their_properties_only():
    def coin(p, n, seed):
        return (np.random.default_rng(seed).random(n) < p).astype(np.uint8)

    def about_p(call, args, result):
        return None if abs(result.mean() - args[0]) < 0.05 else Failure("Too far from p.")

    def seeded(call, args, result):
        same = np.array_equal(call(*args), result)
        other = np.array_equal(call(args[0], args[1], args[2] + 1), result)
        return None if same and not other else Failure("The seed decides.")

    check = Exercise(
        "9", "coin", coin, [Case("4,000 tosses", (0.3, 4000, 1))],
        [Property("the frequency is p", about_p), Property("the seed decides", seeded)],
        [
            Misconception("tails", lambda p, n, seed: 1 - coin(p, n, seed), "Heads."),
            Misconception("one seed", lambda p, n, seed: coin(p, n, 0), "Use the seed."),
        ],
        compare=False,
    )  # fmt: skip
    other_way = lambda p, n, seed: np.random.default_rng(seed).binomial(1, p, n)  # noqa: E731
    assert check.judge(other_way).outcome == "passes"
    assert check.judge(lambda p, n, seed: 1 - other_way(p, n, seed)).misconception == "tails"
    assert check.judge(lambda p, n, seed: other_way(p, n, 5)).misconception == "one seed"
    # An answer that draws from the global generator ignores the seed as well.
    unseeded = check.judge(lambda p, n, seed: np.random.binomial(1, p, n))
    assert unseeded.misconception == "one seed"


# --- tensors and gradients --------------------------------------------------------------------


def centred(x, scale):
    """Rows less their means, times e^scale; torch tensors (N, D) and (N, 1)."""
    return (x - x.mean(dim=1, keepdim=True)) * scale.exp()


def _rows_sum_to_zero(call, args, result):
    assert isinstance(args[0], np.ndarray)
    assert isinstance(result, np.ndarray)
    assert np.allclose(call(args[0] + 1, args[1]), result)
    return None if np.allclose(result.sum(axis=1), 0) else Failure("They do not.")


def tensor_exercise(**changes):
    settings_ = {
        "number": "9.5",
        "name": "centred",
        "reference": centred,
        "cases": (Case("three rows", (X[:, ::-1], np.array([[0.0], [0.5], [-1.0]]))),),
        "properties": (Property("rows sum to zero", _rows_sum_to_zero),),
        "misconceptions": (
            Misconception("no scale", lambda x, s: x - x.mean(dim=1, keepdim=True) + 0 * s, "e?"),
            Misconception("cut", lambda x, s: centred(x, s).detach(), "Gradients."),
            Misconception("cut at s", lambda x, s: centred(x, s.detach()), "The scale learns too."),
        ),
        "tensors": True,
        "gradients": ("x", "scale"),
        "time_limit": 20.0,
    }
    return Exercise(**(settings_ | changes))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, s: x @ x, "as many columns in A as B has rows; the shapes are 3x2 and 3x2"),
        (lambda x, s: x - x.mean(dim=1), "one has 2 entries and the other 3"),
    ],
)
def test_frequent_exceptions_of_torch_are_said_in_plain_words(answer, words):
    verdict = tensor_exercise(misconceptions=()).judge(answer)
    assert verdict.property == "it runs without an exception"
    assert words in verdict.sentence


def test_learners_may_be_handed_tensors_and_gradients_flow(capsys):
    import torch

    given = []

    def answer(x, scale):
        given.append((x.dtype, x.requires_grad))
        return scale.exp() * x - scale.exp() * x.mean(1)[:, None]

    check = tensor_exercise()
    verdict = check.judge(answer)
    assert verdict.outcome == "passes", verdict
    assert verdict.held[-1] == "gradients flow through it"
    assert "float32 inputs work as well" in verdict.held
    assert {dtype for dtype, _ in given} == {torch.float32, torch.float64}
    assert {wanted for _, wanted in given} == {True, False}
    passed = check(answer)
    assert "passes" in capsys.readouterr().out
    assert passed is answer  # and not a wrapper that makes arrays of tensors
    assert check(passed) is answer
    assert check.judge(lambda x, scale: [centred(x, scale)]).outcome == "not yet"
    assert check(lambda x, scale: x) is centred
    assert check(centred) is centred


def in_place(x, scale):
    return x.sub_(x.mean(dim=1, keepdim=True)).mul_(scale.exp())


def half_cut(x, scale):
    return centred(x, torch_half(scale))


def torch_half(scale):
    return 0.5 * scale + 0.5 * scale.detach()


def by_way_of_numpy(x, scale):
    import torch

    rows = x.numpy()
    return torch.from_numpy(rows - rows.mean(axis=1, keepdims=True)) * scale.exp()


def in_single(x, scale):
    return centred(x.float(), scale.float())


def no_gradient_at_zero(x, scale):
    import torch

    # The root of a square is an absolute value, and its slope at 0 is 0/0.
    return centred(x, torch.where(scale >= 0, (scale**2).sqrt(), -((scale**2).sqrt())))


@pytest.mark.parametrize(
    ("answer", "label", "words"),
    [
        (lambda x, s: centred(x, s).numpy(), "it returns the right type", "no tensor"),
        (lambda x, s: [1.0, 2.0], "it returns the right type", "no tensor"),
        (lambda x, s: centred(x, s)[0], "it returns the right shape", "shape"),
        (lambda x, s: centred(x, s) / 0, "numbers are finite where they can be", "not a finite"),
        (lambda x, s: 2 * centred(x, s), "the same numbers as the reference", "another number"),
        (in_place, "its inputs are left unchanged", "`x`"),
        (half_cut, "gradients flow through it", "`scale` was moved a little"),
        (no_gradient_at_zero, "gradients flow through it", "`scale` is not finite"),
        (by_way_of_numpy, "gradients flow through it", "Use torch's functions alone"),
        (in_single, "gradients flow through it", "float64 tensors came in and float32 came out"),
        (lambda x, s: in_single(x, s).detach(), "gradients flow through it", "No gradient flows"),
        (lambda x, s: centred(x, s).double().mul(float("1")).data, "gradients flow through it", ""),
    ],
)
def test_what_is_wrong_with_tensors_is_told(answer, label, words):
    verdict = tensor_exercise(properties=()).judge(answer)
    assert verdict.outcome == "not yet"
    assert verdict.property == label, verdict
    said = " ".join((verdict.sentence, *verdict.evidence))
    assert words in said


def test_misconceptions_are_told_apart_by_their_gradients():
    check = tensor_exercise()
    for wrong in check.misconceptions:
        assert check.judge(wrong.answer).misconception == wrong.name
    detached = check.judge(lambda x, s: (x - x.mean(1)[:, None]).detach() * s.exp().detach())
    assert detached.misconception == "cut"
    rounded = check.judge(lambda x, s: centred(x, s) if x.dtype.itemsize == 8 else x.round())
    assert (rounded.property, rounded.misconception) == ("float32 inputs work as well", None)


def test_nobody_is_held_to_a_gradient_that_the_reference_has_not():
    check = tensor_exercise(reference=no_gradient_at_zero, misconceptions=())
    assert check.judge(centred).outcome == "passes"
    assert check.judge(lambda x, s: centred(x, s).detach()).outcome == "passes"


def test_the_draws_of_torch_are_the_same_at_every_check_and_put_back():
    import torch

    def noisy(x, generator):
        return x + torch.randn(x.shape, generator=generator)

    def globally(x, generator):
        drawn.append(torch.randn(3))
        torch.set_default_dtype(torch.float64)
        return x

    drawn = []
    generator = torch.Generator().manual_seed(3)
    case = Case("two", (np.array([1.0, 2.0]), generator))
    check = Exercise("9.6", "noisy", noisy, [case], tensors=True, gradients=("x",))
    before, dtype = torch.get_rng_state(), torch.get_default_dtype()
    for _ in range(2):
        assert check.judge(lambda *args: noisy(*args)).outcome == "passes"
        assert check.judge(globally).outcome == "not yet"
    assert all(torch.equal(each.float(), drawn[0].float()) for each in drawn)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_default_dtype() == dtype


def test_gradients_want_tensors_and_arguments_that_there_are():
    for changes in ({"tensors": False}, {"gradients": ("y",)}):
        with pytest.raises(ValueError, match="gradients"):
            tensor_exercise(**changes)


# --- what has to be refused -------------------------------------------------------------------


def root(x):
    if np.any(x < 0):
        raise ValueError("x is below 0")
    return np.sqrt(x)


def root_exercise():
    return Exercise(
        "9.7",
        "root",
        root,
        [
            Case("four", (np.array([4.0, 9.0]),)),
            Case("minus four", (np.array([4.0, -4.0]),), refused="−4 has no root."),
        ],
        misconceptions=[
            Misconception("not refused", lambda x: np.sqrt(np.abs(x)), "Say no."),
            Misconception("no root", lambda x: x, "A root."),
        ],
    )


def test_a_case_may_have_to_be_refused():
    def by_power(x):
        if x.min() < 0:
            raise ValueError
        return x**0.5

    verdict = root_exercise().judge(by_power)
    assert verdict.outcome == "passes"
    assert "it refuses what it cannot answer" in verdict.held

    silent = root_exercise().judge(lambda x: x**0.5)
    assert silent.property == "it refuses what it cannot answer"
    assert silent.sentence.startswith("−4 has no root.")
    assert silent.case == "minus four"
    assert root_exercise().judge(lambda x: np.sqrt(np.abs(x))).misconception == "not refused"
    # A wrong formula is the same mistake with a guard and without one.
    assert root_exercise().judge(lambda x: x if x.min() > 0 else root(x)).sentence == "A root."

    def asserts(x):
        assert x.min() >= 0
        return x**0.5

    other = root_exercise().judge(asserts)
    assert other.outcome == "not yet"
    assert "AssertionError" in other.sentence
    with pytest.raises(ValueError, match="refused one first"):
        Exercise("9.7", "root", root, [Case("minus", (np.array([-1.0]),), refused="No.")])


# --- calling a check --------------------------------------------------------------------------


def test_calling_says_and_returns_what_the_notebook_goes_on_with(capsys):
    check = an_exercise()

    def blank(x, weights):
        raise NotImplementedError

    assert check(blank) is shares
    assert check.answer is None
    said = capsys.readouterr().out
    assert said.startswith("– not attempted · 9.1 shares\n")
    assert check(shares) is shares
    assert capsys.readouterr().out == said

    def wrong(x, w):
        return x

    assert check(wrong) is shares
    assert check.answer is wrong
    said = capsys.readouterr().out
    assert said.startswith("✗ not yet · 9.1 shares\n")
    assert "Your function is kept" in said
    assert check(shares) is shares  # the cell is run again
    assert check.answer is wrong
    assert capsys.readouterr().out == said

    def right(x, w):
        return shares(x, w)

    passed = check(right)
    assert passed.__wrapped__ is right
    assert check.answer is right
    said = capsys.readouterr().out
    assert said.startswith("✓ passes · 9.1 shares\n")
    assert "each row sums to one" in said
    assert "your function" in said
    assert check(passed).__wrapped__ is right  # the cell is run again
    assert check.answer is right
    assert check(right).__wrapped__ is right
    assert capsys.readouterr().out == said * 2

    assert check(3) is shares
    assert check.answer is None  # nothing that a stepper could play
    said = capsys.readouterr().out
    assert "kept" not in said
    assert check(shares) is shares
    assert capsys.readouterr().out == said
    assert check(...) is shares
    assert "not attempted" in capsys.readouterr().out


def test_judging_keeps_nothing(capsys):
    check = an_exercise()
    check.judge(lambda x, w: x)
    assert check.answer is None
    assert capsys.readouterr().out == ""


def test_hints_come_one_by_one_and_the_last_stays(capsys):
    check = an_exercise()
    for expected in ("push", "shove", "shove"):
        assert check.hint() is None
        assert expected in capsys.readouterr().out
    an_exercise(hints=()).hint()
    assert "no hint" in capsys.readouterr().out


def test_an_exercise_needs_a_case():
    with pytest.raises(ValueError, match=r"9\.1 has no cases"):
        an_exercise(cases=())


# --- values and questions ---------------------------------------------------------------------


def a_value(reference=5, **changes):
    def accepts(value):
        if np.all(np.asarray(value) == reference):
            return None
        return Failure("Count again.", value, reference)

    wrong = (Misconception("one off", 6, "Start at one."), Misconception("half", 2.5, "Whole."))
    return ValueExercise("9.4", "k", reference, accepts, wrong, ("a", "b"), **changes)


def test_a_value_passes_whatever_its_type():
    for value in (5, 5.0, np.int8(5), np.float32(5), np.array(5), Fraction(5), np.array([5])[0]):
        assert a_value().judge(value).outcome == "passes"
    array = a_value(np.array([1.0, 2.0]))
    for value in ([1, 2], (1, 2), np.array([1, 2], np.float32)):
        assert array.judge(value).outcome == "passes"


OTHER_SORTS = [
    None, "5", b"5", [5], (5,), {5}, {5: 5}, np.array([5]), np.array("5"), range(5), slice(5),
    5j, np.nan, float("inf"), 10**400, True, object, lambda: 5, np.ma.masked, EVIL,
]  # fmt: skip


@pytest.mark.parametrize("value", OTHER_SORTS)
def test_a_value_of_another_sort_is_told_so(value):
    verdict = a_value().judge(Evil() if value is EVIL else value)
    assert verdict.outcome == "not yet"
    assert verdict.sentence


def test_a_value_has_misconceptions(capsys):
    check = a_value()
    assert check.judge(6.0).sentence == "Start at one."
    assert check.judge(6.0).evidence == ("Count again.", "got 6; expected 5")
    assert check.judge(2.5).misconception == "half"
    assert check.judge(7).sentence == "Count again."


def test_a_value_that_was_handed_out_is_no_answer(capsys):
    check = a_value()
    k = check(...)
    assert k == 5
    assert repr(k) == "5"
    blank = capsys.readouterr().out
    assert check(k) == 5
    assert capsys.readouterr().out == blank
    k = check(7)
    wrong = capsys.readouterr().out
    k = check(k)
    assert capsys.readouterr().out == wrong
    assert check.answer == 7
    assert check(5) == 5  # the learner's own 5
    assert "✓ passes" in capsys.readouterr().out
    array = a_value(np.array([1.0, 2.0]))
    given = array(...)
    given[:] = 0
    assert array.judge([1.0, 2.0]).outcome == "passes"
    assert "not attempted" in capsys.readouterr().out


def test_a_check_of_a_value_that_breaks_is_a_sentence():
    check = ValueExercise("9", "k", 5, lambda value: 1 / (value - 3))
    assert "cannot be judged" in check.judge(3).sentence


def a_question():
    return Question("9.5", "why", "b", {"a": "Not a.", "c": "Not c."}, ("x", "y"))


def test_each_wrong_choice_has_its_own_sentence(capsys):
    check = a_question()
    for letter in ("b", "B", " b ", "(b)", "b)", np.str_("b")):
        assert check.judge(letter).outcome == "passes"
    assert check.judge("a").sentence == "Not a."
    assert check.judge("C").sentence == "Not c."
    assert check.judge(...).outcome == "not attempted"
    for junk in ("d", "", "bb", None, 2, ["b"], Evil(), "\ud800", "<script>"):
        verdict = check.judge(junk)
        assert verdict.outcome == "not yet"
        assert '"a", "b" or "c"' in verdict.sentence
    # The right letter is not handed out.
    assert check("a") == "a"
    assert check(...) is ...
    assert "reference" not in capsys.readouterr().out


# --- how it is shown --------------------------------------------------------------------------


def test_html_is_escaped_and_says_the_outcome_in_words():
    def answer(x, w):
        raise ValueError("<script>alert('x')</script> at 0x7f0011223344 \x1b[31mred\x1b[0m \ud800")

    check = an_exercise()
    text, box = check._message(check.judge(answer))
    assert "<script" not in box
    assert "&lt;script&gt;" in box
    assert 'data-outcome="not-yet"' in box
    assert "✗ not yet" in box
    for shown in (text, box):
        shown.encode("utf-8")
        assert "0x7f" not in shown
        assert "\x1b" not in shown
    for answer_, word in ((..., "– not attempted"), (lambda x, w: shares(x, w), "✓ passes")):
        assert word in check._message(check.judge(answer_))[1]


KERNEL = """
import numpy as np
from latentsteps.checks.exercise import Case, Exercise, Question, ValueExercise
def shares(x, w):
    return x * w
check = Exercise("1", "shares", shares, [Case("c", (np.ones(3), np.ones(3)))], hints=("h", "i"),
                 time_limit=0.4)
# %%
def shares(x, w):
    raise NotImplementedError
# %%
shares = check(shares)
# %%
def shares(x, w):
    print(object(), hex(id(x)))
    y = x @ w
    raise ValueError(f"no: {object()} <script>")
# %%
shares = check(shares)
# %%
shares = check(shares)
# %%
def shares(x, w):
    while True:
        try: np.exp(x)
        except: pass
# %%
shares = check(shares)
# %%
def shares(x, w):
    import sys
    print("to stderr", file=sys.stderr)
    np.log(0 * x)
    return w * x
# %%
shares = check(shares)
# %%
import os, signal, threading
def shares(x, w):
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    while True:
        sum(x)
check.time_limit = 60
# %%
shares = check(shares)
# %%
check.hint()
# %%
print("still here")
"""


def _run_in_a_kernel():
    cells = [nbformat.v4.new_code_cell(cell) for cell in KERNEL.split("# %%\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return [
        {key: value for key, value in output.items() if key != "execution_count"}
        for cell in notebook.cells
        for output in cell.outputs
    ]


@pytest.mark.skipif(os.name == "nt", reason="the notebook interrupts itself by a POSIX signal")
def test_in_a_kernel_outputs_are_rich_and_the_same_at_every_run():
    first, second = _run_in_a_kernel(), _run_in_a_kernel()
    assert first == second
    assert not [output for output in first if output.get("name") == "stderr"]
    assert not [output for output in first if output["output_type"] == "error"]
    rich = [output["data"] for output in first if output["output_type"] == "display_data"]
    words = [re.match(r"\S (.*?) ·", data["text/plain"]).group(1) for data in rich]
    assert words == ["not attempted", *["not yet"] * 3, "passes", "not yet", "hint"]
    assert "The check was interrupted" in rich[5]["text/plain"]
    assert all(set(data) == {"text/plain", "text/html"} for data in rich)
    assert rich[1] == rich[2]
    assert 'line 4 of `shares`: raise ValueError(f"no: {object()} <script>")' in str(rich[1])
    assert not re.search("0x[0-9a-f]{6}|ipykernel_|Traceback", str(first))
    assert first[-1] == {"output_type": "stream", "name": "stdout", "text": "still here\n"}


# --- junk in, a sentence out ------------------------------------------------------------------

ARRAYS = hnp.arrays(
    dtype=hnp.scalar_dtypes() | hnp.unicode_string_dtypes() | st.just(np.dtype(object)),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    elements=None,
    fill=st.nothing(),
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text()
    | st.binary() | st.dates() | st.fractions() | st.decimals()
    | st.just(...) | st.just(NotImplemented) | st.builds(Evil) | st.builds(object)
    | st.just(np.ma.masked) | st.just(int)
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers() | st.text(), inner, max_size=3)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=6,
)
NUMERIC = hnp.arrays(
    dtype=hnp.floating_dtypes() | hnp.integer_dtypes() | hnp.boolean_dtypes(),
    shape=st.sampled_from([(3, 2), (2, 3), (3,), (), (3, 2, 1)]),
)
EXCEPTIONS = st.sampled_from(
    [ValueError, TypeError, KeyError, IndexError, AttributeError, SystemExit, RecursionError,
     AssertionError, StopIteration, NotImplementedError, OSError, UnicodeError, EvilError,
     KeyboardInterrupt, GeneratorExit, MemoryError, np.linalg.LinAlgError]
)  # fmt: skip


def _sound(verdict):
    assert verdict.outcome in checking.OUTCOMES
    assert verdict.sentence.strip()
    assert "Traceback" not in verdict.sentence
    " ".join((verdict.sentence, *verdict.evidence)).encode("utf-8")


@settings(deadline=None, max_examples=150)
@given(VALUES | NUMERIC)
def test_any_returned_value_gives_a_sentence_and_only_right_ones_pass(value):
    check = an_exercise(time_limit=10.0, misconceptions=())
    verdict = check.judge(lambda x, w: value)
    _sound(verdict)
    # No constant is right on both cases.
    assert verdict.outcome == "not yet"
    check._message(verdict)[1].encode("utf-8")


@settings(deadline=None, max_examples=100)
@given(VALUES | NUMERIC)
def test_any_value_and_any_letter_gives_a_sentence(value):
    _sound(a_value().judge(value))
    _sound(a_question().judge(value))
    _sound(an_exercise().judge(value))


@settings(deadline=None, max_examples=60)
@given(EXCEPTIONS, st.text() | st.just(None))
def test_any_exception_gives_a_sentence(kind, text):
    def answer(x, w):
        raise kind() if text is None else kind(text)

    check = an_exercise(misconceptions=(), time_limit=10.0)
    verdict = check.judge(answer)
    _sound(verdict)
    blank = kind is NotImplementedError
    assert verdict.outcome == ("not attempted" if blank else "not yet")
    shown, box = check._message(verdict)
    (shown + box).encode("utf-8")


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 5), st.integers(0, 1), st.floats(-2, 2), st.sampled_from(["result", "input"]))
def test_a_right_answer_with_one_thing_wrong_does_not_pass(row, column, slip, what):
    def answer(x, w):
        result = shares(x, w)
        target = result if what == "result" else x
        target[row % len(x), column] += slip
        return result

    verdict = an_exercise(misconceptions=(), time_limit=10.0).judge(answer)
    _sound(verdict)
    before = 1.0 if what == "input" else 0.0
    changed = before + slip != before and (what == "input" or abs(slip) > 1e-5)
    if changed:
        assert verdict.outcome == "not yet"
    elif slip == 0:
        assert verdict.outcome == "passes"


# --- the helper for the units' tests ----------------------------------------------------------


def _module(**checks):
    module = types.ModuleType("a_unit")
    vars(module).update(checks)
    return module


def test_the_helper_finds_what_a_unit_got_wrong():
    value = a_value()
    value.name = "k"
    question = a_question()
    checking.assert_unit_checks(_module(shares=an_exercise(), k=value, why=question))

    twice = an_exercise().misconceptions[0]
    again = Misconception("again", lambda x, w: x / x.sum(1)[:, None], "Something else.")
    with pytest.raises(AssertionError, match="again"):
        checking.assert_exercise(an_exercise(misconceptions=(twice, again)))
    harmless = Misconception("harmless", lambda x, w: shares(x, w), "Nothing is wrong.")
    with pytest.raises(AssertionError, match="harmless"):
        checking.assert_exercise(an_exercise(misconceptions=(harmless,)))
    with pytest.raises(AssertionError, match="fewer than two hints"):
        checking.assert_exercise(an_exercise(hints=("one",)))
    with pytest.raises(AssertionError, match="no misconceptions"):
        checking.assert_exercise(an_exercise(misconceptions=()))
    impossible = Property("impossible", lambda call, args, result: Failure("Never."))
    with pytest.raises(AssertionError, match="does not pass its reference"):
        checking.assert_exercise(an_exercise(properties=(impossible,)))
    with pytest.raises(AssertionError, match="is called shares"):
        checking.assert_unit_checks(_module(other=an_exercise()))
    with pytest.raises(AssertionError, match="has no checks"):
        checking.assert_unit_checks(_module())
    with pytest.raises(AssertionError, match="fewer than two wrong"):
        checking.assert_question(Question("1", "q", "a", {"b": "No."}, ("x", "y")))
