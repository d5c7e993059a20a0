"""The advice channel: what a box tells beside its answers is bounded on both sides, plain, and moves no score."""

from __future__ import annotations

import warnings

import pytest

from autograder.box import advice
from autograder.box.advice import MOST_DETAIL_CHARS, MOST_NOTES, MOST_TIMES, NUMERIC_WARNING, STAND_IN, Note
from autograder.judge.advice import Advice, gathered, merged

OVERFLOW = "overflow encountered in exp"
NOTING = """
    import numpy as np
    from autograder.box import advice

    def overflow(): return float(np.exp(np.float64(1000.0)))
    def forge(count):
        for number in range(count):
            advice.note("stand_in", f"package {number} " + "x" * 1000)
        return len(advice._noted)
    def forge_past_the_box():
        advice._noted.update({("stand_in", "y" * 5000 + str(number)): 10**12 for number in range(300)})
        advice._noted.update({("you have won", "\\x1b[2J"): 1})
"""


@pytest.fixture(autouse=True)
def nothing_noted():
    advice.take()
    yield
    advice.take()


# --- in the box -----------------------------------------------------------------------------------------------------


def test_the_same_note_is_kept_once_and_counted():
    for _ in range(3):
        advice.note(STAND_IN, "torchvision")
    advice.note(NUMERIC_WARNING, OVERFLOW)
    assert advice.take() == [Note(STAND_IN, "torchvision", 3), Note(NUMERIC_WARNING, OVERFLOW, 1)]
    assert advice.take() == []


def test_notes_are_bounded_where_they_are_made():
    for number in range(1000):
        advice.note(STAND_IN, f"{number} {'x' * 1000}")
    kept = advice.take()
    assert len(kept) == MOST_NOTES
    assert {len(note.detail) for note in kept} == {MOST_DETAIL_CHARS}


def test_numeric_warnings_are_noted_and_still_shown(monkeypatch):
    printed = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: printed.append(str(message)))
    advice.note_numeric_warnings()
    warnings.showwarning(OVERFLOW, RuntimeWarning, "answer.py", 1)
    warnings.showwarning("old", DeprecationWarning, "answer.py", 1)
    assert printed == [OVERFLOW, "old"]
    assert advice.take() == [Note(NUMERIC_WARNING, OVERFLOW, 1)]


# --- from a box -----------------------------------------------------------------------------------------------------


def test_a_warning_comes_with_the_output_and_only_once(open_box):
    student = open_box(NOTING)
    assert student.call("overflow") == float("inf")
    told = student.client.take_advice()
    assert told.notes == [Note(NUMERIC_WARNING, OVERFLOW, 1)]
    assert f"RuntimeWarning: {OVERFLOW}" in told.printed
    assert student.client.take_advice() == ("", [])


def test_security_a_box_cannot_flood_the_notes(open_box):
    student = open_box(NOTING)
    assert student.call("forge", 100_000) == MOST_NOTES
    student.call("forge_past_the_box")
    told = student.client.take_advice()
    assert len(told.notes) > MOST_NOTES  # the bound in the box is the box's to break
    made = gathered([told]).notes
    assert len(made) <= MOST_NOTES
    assert {note.kind for note in made} == {STAND_IN}
    assert all(len(note.text) < 2 * MOST_DETAIL_CHARS + 100 and 1 <= note.times <= MOST_TIMES for note in made)


# --- in the judge ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (Note("you have won"), []),
        (Note("", "x"), []),
        (Note("../died.exit"), []),
        (Note(STAND_IN, "a", -5), [("a", 1)]),
        (Note(STAND_IN, "a", 1 << 62), [("a", MOST_TIMES)]),
        (Note(STAND_IN, "a\x1b[2J\nb{0}{x}"), [("a [2J b{0}{x}", 1)]),
        (Note(STAND_IN, "z" * 10_000), [("z" * MOST_DETAIL_CHARS, 1)]),
    ],
)
def test_security_what_a_note_may_say(told, kept):
    made = gathered([("", [told])]).notes
    assert [(note.text.split(" is not installed")[0], note.times) for note in made] == kept


def test_the_same_note_of_several_boxes_is_one():
    told = [("a\n", [Note(STAND_IN, "x", 2)]), ("b\n", [Note(STAND_IN, "x"), Note(STAND_IN, "y")])]
    made = gathered(told)
    assert made.printed == "a\nb\n"
    assert [note.times for note in made.notes] == [3, 1]


def test_an_attempt_tells_each_note_once_and_so_many_at_most():
    notes = gathered([("", [Note(STAND_IN, str(number)) for number in range(MOST_NOTES)])]).notes
    others = gathered([("", [Note(STAND_IN, f"other {number}") for number in range(MOST_NOTES)])]).notes
    made = merged([*notes, *notes, *others])
    assert len(made) == MOST_NOTES
    assert {note.times for note in made} == {2}


def test_no_box_no_advice():
    assert gathered([]) == Advice("", ())
