"""What people decide by hand: when work came, who hands in together, what students ask; typed as somebody types it."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from autograder import cli
from autograder.errors import UsageError
from autograder.gradebook import open_gradebook
from autograder.ledger.models import Event, Override, ReceivedCorrection, RegradeRequest, SubmissionRow
from autograder.messages import CATALOGUES, set_language
from autograder.roster import Person
from tests.test_run import run
from tests.tiny_course import COURSE, SOLUTION, grade, make_course, write, wrong_answer

DUE, COPIED = datetime(2026, 9, 27, 20, tzinfo=UTC), datetime(2026, 9, 30, 9, tzinfo=UTC)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course whose students have handed in before the deadline, in a folder with the times of its copying."""
    make_course(tmp_path)
    late = "late: {per_day: 0.1}\nassignments: [{id: hw1, due: 2026-09-27T20:00}]"
    write(tmp_path / "course.yml", COURSE.replace("assignments: [{id: hw1}]", late))
    for name, content in {"1.py": SOLUTION, "2.py": wrong_answer("minus")}.items():
        path = write(tmp_path / "in" / name, content)
        os.utime(path, (COPIED.timestamp(), COPIED.timestamp()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADE_WHO", "teacher")
    with open_gradebook(tmp_path) as book:
        book.apply_roster([Person(number, f"Student {number}") for number in ("1", "2", "3", "4")])
        book.collect("hw1", str(tmp_path / "in"), None, lambda _: None)
    return tmp_path


def typed(folder, *arguments, code=0):
    """Type a command in the course's folder: in this process, which is quicker."""
    out = io.StringIO()
    set_language("en")
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        assert cli._run(list(arguments)) == code, out.getvalue()
    return out.getvalue()


def rows(folder, table):
    with open_gradebook(folder) as book, book.ledger.reading() as session:
        return list(session.scalars(select(table)))


def late(folder):
    with open_gradebook(folder) as book:
        return [one.settled and one.settled.days_late for one in book.grades()["hw1"]]


# --- received ---------------------------------------------------------------------------------------------------------


def test_wrong_times_are_put_right_and_stay_in_the_record(course):
    assert late(course) == [3, 3, None, None]
    said = typed(course, "received", "1-2", "2026-09-27T19:30", "--why", "a copy's times")
    assert said.splitlines() == [
        "#1 1.py came at 2026-09-27 19:30 UTC, and not at 2026-09-30 09:00 UTC.",
        "#2 2.py came at 2026-09-27 19:30 UTC, and not at 2026-09-30 09:00 UTC.",
    ]
    assert late(course) == [0, 0, None, None]
    assert [row.received for row in rows(course, SubmissionRow)] == [COPIED, COPIED]
    log = typed(course, "ledger", "log", "1")
    assert "1.py came at 2026-09-27 19:30: a copy's times" in log
    # Collected again, it is known, and the correction holds.
    assert "known 2" in typed(course, "collect", "hw1", "in")
    assert late(course) == [0, 0, None, None]


def test_a_time_that_is_known_already_is_no_correction(course):
    command = ("received", "1-2", "2026-09-27T19:00", "--why", "copied")
    typed(course, *command)
    assert typed(course, *command).splitlines() == [
        "#1 1.py is known to have come at 2026-09-27 19:00 UTC; nothing was changed.",
        "#2 2.py is known to have come at 2026-09-27 19:00 UTC; nothing was changed.",
    ]
    assert len(rows(course, ReceivedCorrection)) == 2


@pytest.mark.parametrize(
    ("numbers", "says"),
    [("x", "names no submissions"), ("2-1", "names no"), ("1,", "names no"), ("1-99999999", "names no"), ("1,7", "7")],
)
def test_numbers_that_name_nothing_change_nothing(course, numbers, says):
    assert says in typed(course, "received", numbers, "2026-09-27T19:30", "--why", "x", code=2)
    assert late(course) == [3, 3, None, None]


def test_a_time_that_is_none(course):
    assert "is no time" in typed(course, "received", "1", "yesterday", "--why", "x", code=2)


# --- groups -----------------------------------------------------------------------------------------------------------


def test_a_group_is_formed_listed_and_handed_in_for(course):
    said = typed(course, "group", "hw1", "--name", "红队", "3", "Student 4")
    assert said == "Group 红队: 3 4\n"
    assert typed(course, "group", "hw1").split() == ["红队", "3", "4"]
    assert "hw1: 红队" in typed(course, "roster", "list")
    write(course / "in" / "4.py", SOLUTION + "# ours\n")
    assert "3, 4, by the number" in typed(course, "collect", "hw1", "in")
    assert run(course)["3"] == ("graded", 40.0)
    with open_gradebook(course) as book:
        assert [one.score for one in book.grades()["hw1"]] == [40.0, 10.0, 40.0, 40.0]


def test_a_group_that_is_formed_late_is_told_what_is_not_its_own(course):
    said = typed(course, "group", "hw1", "--name", "A", "2", "3")
    assert said.splitlines()[1] == ("Handed in before, and not of all of A: #2. To share one: grade assign 2 2 3")
    assert late(course)[2] is None
    typed(course, "assign", "2", "2", "3")
    assert late(course)[2] == 3


def test_who_leaves_a_group_for_another_is_said(course):
    typed(course, "group", "hw1", "--name", "A", "1", "2")
    assert "No longer in A: 2\n" in typed(course, "group", "hw1", "--name", "B", "2", "3")
    assert "No longer" not in typed(course, "group", "hw1", "--name", "B", "2", "4")


def test_the_roster_groups_for_every_assignment_and_one_assignment_otherwise(course):
    with open_gradebook(course) as book:
        book.apply_roster([Person(number, f"Student {number}", groups=(("", "A"),)) for number in ("1", "2", "3")])
    assert json.loads(typed(course, "group", "hw1", "--json")) == {"A": ["1", "2", "3"]}  # 4 has left
    assert typed(course, "group", "hw1", "--alone", "3") == "By themselves: 3\n"
    assert json.loads(typed(course, "group", "hw1", "--json")) == {"A": ["1", "2"]}


def test_groups_come_from_a_table_all_or_none(course):
    write(course / "groups.csv", "学号,小组\n1,A\n2,B\n3,A\n1,B\n")
    assert "1 is in two groups: A and B" in typed(course, "group", "hw1", "--import", "groups.csv", code=2)
    assert typed(course, "group", "hw1") == "Nobody hands in hw1 together.\n"
    write(course / "groups.csv", "学号,小组\n1,A\n2,B\n3,A\n4,B\n")
    typed(course, "group", "hw1", "--import", "groups.csv")
    assert json.loads(typed(course, "group", "hw1", "--json")) == {"A": ["1", "3"], "B": ["2", "4"]}
    assert [one.about["name"] for one in rows(course, Event) if one.kind == "group"] == ["A", "B"]


@pytest.mark.parametrize("arguments", [("1",), ("--name", "A"), ("--name", "A", "--alone", "1"), ("--alone",)])
def test_what_a_group_is_to_be_has_to_be_said(course, arguments):
    assert "how are they grouped" in typed(course, "group", "hw1", *arguments, code=2)


# --- regrade requests -------------------------------------------------------------------------------------------------


def test_a_request_is_listed_answered_and_decided_about(course):
    run(course)
    assert typed(course, "request", "list") == "Nobody has asked for a second look.\n"
    typed(course, "request", "add", "hw1", "2", "--check", "test_add", "--text", "minus minus is plus")
    typed(course, "request", "add", "hw1", "Student 1", "--text", "为什么？")
    assert "2 asked for a second look" in typed(course, "status")
    assert typed(course, "request", "answer", "1", "--text", "half of it", "--points", "5").splitlines() == [
        "Request 1 of 2 is answered.",
        "2: test_sums_public::test_add has 5 points from now on.",
    ]
    (decision,) = rows(course, Override)
    assert (decision.student_id, decision.check_id, decision.points, decision.why, decision.who) == (
        "2", "test_sums_public::test_add", 5.0, "half of it", "teacher",
    )  # fmt: skip
    assert "1 asked for a second look" in typed(course, "status")
    listed = json.loads(typed(course, "request", "list", "hw1", "--json"))
    assert [(one["number"], one["student_id"], one["check_id"], one["answer"]) for one in listed] == [
        (1, "2", "test_sums_public::test_add", "half of it"),
        (2, "1", None, ""),
    ]
    assert len(json.loads(typed(course, "request", "list", "--open", "--json"))) == 1
    log = " · ".join(one["said"] for one in json.loads(typed(course, "ledger", "log", "2", "--json")))
    assert "asks for a second look at test_sums_public::test_add: minus minus is plus" in log
    assert "answer about test_sums_public::test_add: half of it" in log


def test_an_answer_without_points_decides_nothing_and_a_second_one_stands_beside_it(course):
    run(course)
    typed(course, "request", "add", "hw1", "2", "--text", "why?")
    for said in ("read the handout", "and the hint"):
        typed(course, "request", "answer", "1", "--text", said)
    assert rows(course, Override) == []
    assert [one.answers for one in rows(course, RegradeRequest)] == [None, 1, 1]
    assert "and the hint" in typed(course, "request", "list")


def test_what_cannot_be_asked_or_answered(course):
    run(course)
    assert "no check 'test_nothing'" in typed(
        course, "request", "add", "hw1", "2", "--check", "test_nothing", "--text", "x", code=2
    )
    assert "no request 1" in typed(course, "request", "answer", "1", "--text", "x", code=2)
    typed(course, "request", "add", "hw1", "2", "--check", "test_add", "--text", "x")
    assert "at most 10" in typed(course, "request", "answer", "1", "--text", "x", "--points", "11", code=2)
    # Nothing was answered; an answer's own number is no request's.
    assert "open" in typed(course, "request", "list")
    typed(course, "request", "answer", "1", "--text", "x")
    assert "no request 2" in typed(course, "request", "answer", "2", "--text", "x", code=2)


# --- a roster that would mark many as having left ---------------------------------------------------------------------


def test_more_time_that_ends_before_what_counts_is_said(course):
    until = ("extend", "1", "--assignment", "hw1", "--why", "ill", "--until")
    assert typed(course, *until, "2026-09-30") == "1 may hand in hw1 until 2026-09-30 23:59 UTC.\n"
    said = typed(course, *until, "2026-09-29").splitlines()
    assert said[0] == "1 may hand in hw1 until 2026-09-30 23:59 UTC."
    assert said[1] == "This is later than what you said: of the deadline and all extensions the latest counts."


def test_a_check_that_is_called_otherwise_is_guessed(course):
    command = ("override", "hw1", "1", "--points", "3", "--why", "right", "--check")
    assert "`grade run hw1` comes first" in typed(course, *command, "add", code=2)
    run(course)
    assert "Did you mean: test_slope, test_slope_negative\n" in typed(course, *command, "slope", code=2)
    assert "There are: test_add, " in typed(course, *command, "xyz", code=2)
    assert "is not a number" in typed(course, "override", "hw1", "1", "--points", "ten", "--why", "x", code=2)


def test_the_name_of_a_file_says_its_kind(course):
    typed(course, "export", "hw1", "--out", "a.xlsx")
    assert (course / "a.xlsx").read_bytes().startswith(b"PK")
    typed(course, "export", "hw1", "--out", "grades")
    assert (course / "grades").read_bytes().startswith(codecs.BOM_UTF8)
    assert "Leave --to out" in typed(course, "export", "hw1", "--to", "csv", "--out", "b.xlsx", code=2)
    assert not (course / "b.xlsx").exists()


def test_many_that_would_be_marked_as_having_left_are_said_and_nothing_is_done_unasked(course):
    with open_gradebook(course) as book:
        book.apply_roster([Person(str(number), f"Student {number}") for number in range(1, 9)])
    write(course / "section.csv", "id,name\n1,Student 1\n9,Student 9\n")
    said = typed(course, "roster", "import", "section.csv", code=2)
    assert "7 of 8 students are not in this file and would be marked as having left" in " ".join(said.split())
    assert "8 students; 0 left" in typed(course, "roster", "list")
    said = typed(course, "roster", "import", "section.csv", "--add-only", "--yes")
    assert "marked as having left" not in said
    assert "9 students; 0 left" in typed(course, "roster", "list")
    typed(course, "roster", "import", "section.csv", "--yes")
    assert "2 students; 7 left" in typed(course, "roster", "list")


@pytest.mark.parametrize("command", [("received",), ("group",), ("request", "add"), ("request", "answer")])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_command_has_its_help(tmp_path, command, language):
    said = "".join(grade(*command, "--help", "--lang", language, cwd=tmp_path).stdout.decode().split())
    text = CATALOGUES[language][f"cli.{'.'.join(command)}.help"]
    assert "".join(text.split())[:40] in said
    assert "[required]" not in said


def test_the_errors_of_decisions_come_before_anything_is_written(course):
    from autograder.decisions import form_groups

    with open_gradebook(course) as book, pytest.raises(UsageError, match="nobody"):
        form_groups(book, "hw1", {"A": ["1"], "B": ["nobody"]})
    assert [one.kind for one in rows(course, Event)] == ["roster", "collect"]
