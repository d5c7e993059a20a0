from __future__ import annotations

import pytest

from autograder.collect.matching import Match, Matcher, Student

MATCHER = Matcher(
    [
        Student("2026001", "李华", frozenset({("canvas", "340934"), ("email", "li@example.edu")})),
        Student("2026017", "张三"),
        Student("2026018", "张三丰"),
        Student("2026100", "Max Müller"),
        Student("2026101", "Ada Lovelace", frozenset({("moodle", "4711")})),
        Student("x-42", "Bo Ek"),
    ]
)


@pytest.mark.parametrize(
    ("text", "student", "how"),
    [
        ("2026017_张三_hw2", "2026017", "id"),
        ("hw2-2026017", "2026017", "id"),
        ("s2026017hw2", "2026017", "id"),
        ("作业２０２６０１７", "2026017", "id"),  # full-width digits
        ("x-42 homework", "x-42", "id"),
        ("张三的作业", "2026017", "name"),
        ("张三丰hw2", "2026018", "name"),
        ("Müller, Max - hw2", "2026100", "name"),
        ("max_muller_hw2", "2026100", "name"),
        ("MAX.MÜLLER", "2026100", "name"),
        ("Lovelace Ada", "2026101", "name"),
        ("20260170", None, ""),  # a longer number is another one
        ("Max", None, ""),  # half a name is nobody's
        ("hw2", None, ""),
        ("", None, ""),
    ],
)
def test_students_are_recognised_by_number_or_name(text, student, how):
    assert MATCHER.match("", (), (text,)) == Match(student, how)


def test_the_source_knows_its_students():
    assert MATCHER.match("", [("canvas", "340934")], ("mlp.py", "hualie")) == Match("2026001", "alias")
    assert MATCHER.match("", [("email", "LI@example.edu")], ()) == Match("2026001", "alias")
    assert MATCHER.match("", [("moodle", "340934")], ()) == Match(None)


def test_a_manifest_is_believed_before_names():
    assert MATCHER.match("2026017", (), ("张三丰",)) == Match("2026017", "manifest")
    # Who packed it gave a number that nobody here has: the name may be another's of the same name.
    assert MATCHER.match("nobody", (), ("张三丰",)) == Match(None, candidates=("2026018",))
    assert MATCHER.match("nobody", (), ("2026017_hw2",)) == Match(None, candidates=("2026017",))


@pytest.mark.parametrize(
    ("manifest", "aliases", "texts", "candidates"),
    [
        ("", [], ("2026001 and 2026017",), ("2026001", "2026017")),
        ("", [], ("李华与张三",), ("2026001", "2026017")),
        ("2026017", [], ("2026001_hw2",), ("2026001", "2026017")),
        ("", [("canvas", "340934")], ("2026017_mlp.py",), ("2026001", "2026017")),
        ("2026017", [("canvas", "340934")], (), ("2026001", "2026017")),
        ("", [], ("2026999_张三",), ("2026017",)),  # a number like theirs that nobody has: of another class
        ("", [], ("李华年的作业",), ("2026001",)),  # may be a longer name of somebody who is not in the roster
        ("", [], ("小李华",), ("2026001",)),
    ],
)
def test_where_two_are_meant_a_human_decides(manifest, aliases, texts, candidates):
    assert MATCHER.match(manifest, aliases, texts) == Match(None, candidates=candidates)


def test_the_most_telling_text_decides():
    assert MATCHER.match("", (), ("张三", "李华")).student == "2026017"


def test_a_short_number_is_a_student_only_by_itself():
    matcher = Matcher([Student(str(number), f"Student {number}") for number in range(1, 41)])
    assert matcher.match("", (), ("7",)) == Match("7", "id")
    assert matcher.match("", (), ("hw_1 (2)",)) == Match(None)
