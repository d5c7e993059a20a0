from __future__ import annotations

from datetime import datetime

import openpyxl
import pytest

from autograder.errors import UsageError
from autograder.roster import (
    Change,
    Known,
    Person,
    RosterExtension,
    changes,
    extensions_in,
    moment_in,
    read,
    read_groups,
)

EN = "id,name,email,section,extension\n2026001,Li Hua,li@example.edu,A,\n2026002,Max Müller,max@example.edu,B,hw2=2\n"
ZH = "学号,姓名,邮箱,班级\n2026001,李华,li@example.edu,一班\n2026017,张三,zhang@example.edu,二班\n"
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,HW1 (4711)\n"
    "    Points Possible,,,,,100\n"
    '"Hua, Li",90210,2026001,lihua,Section A,95\n'
    '"Student, Test",90999,,abcdef,Section A,\n'
)
MOODLE = (
    "Identifier,Full name,ID number,Email address,Status,Grade\n"
    "Participant 4711,Li Hua,2026001,li@example.edu,No submission,\n"
)


@pytest.fixture
def file(tmp_path):
    def write(content, name="roster.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def _local(*parts):
    return datetime(*parts)  # noqa: DTZ001 - a roster knows no time zones


# --- what is read -----------------------------------------------------------------------------------------------------


def test_an_english_roster(file):
    assert read(file(EN)) == (
        Person("2026001", "Li Hua", "li@example.edu", "A", (("email", "li@example.edu"),)),
        Person(
            "2026002",
            "Max Müller",
            "max@example.edu",
            "B",
            (("email", "max@example.edu"),),
            (RosterExtension("hw2", 2),),
        ),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_chinese_roster_in_any_usual_form(file, encoding, separator):
    found = read(file(ZH.replace(",", separator).encode(encoding)))
    assert [(one.id, one.name, one.section) for one in found] == [
        ("2026001", "李华", "一班"),
        ("2026017", "张三", "二班"),
    ]


def test_a_workbook(tmp_path):
    book = openpyxl.Workbook()
    for row in (["2026 秋 深度学习"], [], ["学号", "姓名", "班级"], [2026017, "张三", "二班"], ["0042", "李四", None]):
        book.active.append(row)
    book.save(tmp_path / "roster.xlsx")
    found = read(tmp_path / "roster.xlsx")
    assert [(one.id, one.name, one.section) for one in found] == [("2026017", "张三", "二班"), ("0042", "李四", "")]


def test_canvas_and_moodle_bring_the_numbers_they_know_students_by(file):
    (canvas,) = read(file(CANVAS))
    assert (canvas.id, canvas.name, canvas.section) == ("2026001", "Li Hua", "Section A")
    assert set(canvas.aliases) == {("canvas", "90210"), ("login", "lihua")}
    (moodle,) = read(file(MOODLE))
    assert (moodle.id, moodle.name) == ("2026001", "Li Hua")
    assert set(moodle.aliases) == {("email", "li@example.edu"), ("moodle", "4711")}


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ("Last name,First name,ID\nMüller,Max,1\n", "Max Müller"),
        ("姓,名,学号\n张,三,1\n", "张三"),
        ("id,name\n1,  Li   Hua \n", "Li Hua"),
        ("id,name\n1,Ada Lovelace\n", "Ada Lovelace"),
        ("Student ID,Student Name\n1.0,Max\n", "Max"),
        ("学号,姓名\n'1,阿卜杜拉·买买提\n", "阿卜杜拉·买买提"),
    ],
)
def test_names_and_numbers_as_spreadsheets_have_them(file, row, name):
    (found,) = read(file(row))
    assert (found.id, found.name) == ("1", name)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", ()),
        ("3", (RosterExtension(None, 3),)),
        ("+3 days", (RosterExtension(None, 3),)),
        ("3天", (RosterExtension(None, 3),)),
        ("3.0", (RosterExtension(None, 3),)),
        (
            "hw2=2; hw3=2027-01-12 18:00",
            (RosterExtension("hw2", 2), RosterExtension("hw3", 0, _local(2027, 1, 12, 18))),
        ),
        (
            "hw3=2027-01-12；hw1=1",
            (RosterExtension("hw3", 0, _local(2027, 1, 12, 23, 59, 59)), RosterExtension("hw1", 1)),
        ),
    ],
)
def test_extensions(said, expected):
    assert extensions_in(said) == expected


# --- what is wrong with it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "student number"),
        ("a,b\n1,2\n", "student number"),
        ("id,mail\n1,x@y\n", "name"),
        ("id,name\n", "no student"),
        ("id,name\n1,A\n2,B\n1,C\n", "line 4"),
        ("id,name\n1,\n", "line 2"),
        ("id,name\n,A\n", "line 2"),
        ("id,name\na/b,A\n", "line 2"),
        ("id,name\n1 2,A\n", "line 2"),
        ("id,name,email\n1,A,nowhere\n", "nowhere"),
        ("id,name,extension\n1,A,soon\n", "soon"),
        (b"\xff\xfeid" + b"\x00" * 7, "text"),
        (b"PK\x03\x04 and nothing", "roster.csv"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "text"),
    ],
)
def test_what_is_wrong_is_said(file, content, says):
    with pytest.raises(UsageError) as raised:
        read(file(content))
    assert says in f"{raised.value.message}\n{raised.value.hint}"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"none\.csv"):
        read(tmp_path / "none.csv")


def test_all_problems_are_said_at_once(file):
    with pytest.raises(UsageError) as raised:
        read(file("id,name\n1,\n,B\n3,C\n"))
    assert "2" in raised.value.message
    assert [line.split(":")[0] for line in raised.value.hint.splitlines()] == ["line 2", "line 3"]


# --- what it would change ---------------------------------------------------------------------------------------------


LI = Person("1", "Li", "li@x", "A", (("email", "li@x"),))


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        ({}, [LI], [Change("added", "1", "Li", after="li@x · A")]),
        ({"1": Known(LI)}, [LI], []),
        ({"1": Known(LI)}, [], [Change("left", "1", "Li")]),
        ({"1": Known(LI, left=True)}, [], []),
        ({"1": Known(LI, left=True)}, [LI], [Change("back", "1", "Li")]),
        ({"1": Known(LI)}, [Person("1", "Li", "li@x", "B", LI.aliases)], [Change("changed", "1", "Li", "A", "B")]),
        # What a roster does not tell is not taken away.
        ({"1": Known(LI)}, [Person("1", "Li")], []),
        (
            {"1": Known(LI)},
            [Person("1", "Li", aliases=(("canvas", "9"),))],
            [Change("alias", "1", "Li", after="canvas: 9")],
        ),
        (
            {"1": Known(LI)},
            [Person("1", "Li", extensions=(RosterExtension("hw2", 2),))],
            [Change("extension", "1", "Li", after="hw2: 2 days more")],
        ),
    ],
)
def test_what_a_roster_would_change(known, new, expected):
    assert changes(known, new) == expected


def test_a_part_of_the_class_leaves_the_others_where_they_are():
    wang = Person("2", "Wang", section="B")
    assert changes({"1": Known(LI), "2": Known(wang)}, [wang]) == [Change("left", "1", "Li")]
    assert changes({"1": Known(LI), "2": Known(wang)}, [wang], add_only=True) == []


@pytest.mark.parametrize(
    ("said", "groups"),
    [
        ("", ()),
        ("红队", (("", "红队"),)),
        ("3.0", (("", "3"),)),
        ("hw2=A; hw3=B", (("hw2", "A"), ("hw3", "B"))),
        ("hw2=A；B", (("hw2", "A"), ("", "B"))),
    ],
)
def test_groups(file, said, groups):
    (found,) = read(file(f"学号,姓名,小组\n1,张三,{said}\n"))
    assert found.groups == groups


def test_a_group_that_changes_is_said_and_one_that_is_not_told_stays():
    known = {"1": Known(Person("1", "Li", groups=(("hw2", "A"),)))}
    assert changes(known, [Person("1", "Li")]) == []
    assert changes(known, [Person("1", "Li", groups=(("hw2", "B"),))]) == [Change("group", "1", "Li", "A", "hw2: B")]


def test_groups_by_themselves(file):
    assert read_groups(file("小组,学号\nA,1\nB,3\nA,２\n,4\n")) == {"A": ["1", "2"], "B": ["3"]}
    with pytest.raises(UsageError, match="roster"):
        read_groups(file("学号,姓名\n1,张三\n"))


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("２０２６０１７", "2026017"),  # an input method's full-width digits
        ("\u30002026017\u00a0", "2026017"),
        ("2026017.0", "2026017"),
        ("'0042", "0042"),
        ("\ufeff2026017", "2026017"),
    ],
)
def test_student_numbers_as_they_come(file, written, read_as):
    (found,) = read(file(f"学号,姓名\n{written},张三\n"))
    assert found.id == read_as


@pytest.mark.parametrize(
    ("value", "number_format", "read_as"),
    [
        (2026017, "General", "2026017"),
        (2026017.0, "General", "2026017"),
        (42, "0000000", "0000042"),  # Excel shows the zeros, and keeps 42
        (202601700123, "0", "202601700123"),
        ("0042", "@", "0042"),
    ],
)
def test_student_numbers_of_a_workbook(tmp_path, value, number_format, read_as):
    book = openpyxl.Workbook()
    book.active.append(["学号", "姓名"])
    book.active.append([value, "张三"])
    book.active["A2"].number_format = number_format
    book.save(tmp_path / "roster.xlsx")
    (found,) = read(tmp_path / "roster.xlsx")
    assert found.id == read_as


def test_leading_zeros_that_are_lost_are_told_and_not_taken_for_somebody_else():
    known = {"0042": Known(Person("0042", "张三"))}
    with pytest.raises(UsageError, match="0042"):
        changes(known, [Person("42", "张三")])
    assert [one.kind for one in changes(known, [Person("42", "李四")])] == ["left", "added"]


def test_numbers_that_excel_has_shortened_are_told(file):
    with pytest.raises(UsageError) as raised:
        read(file("学号,姓名\n2.02601E+11,张三\n"))
    assert "Excel" in str(raised.value.hint)


def test_a_date_by_itself_is_the_whole_of_that_day():
    assert moment_in("2026-11-30").hour == 23
    assert moment_in("2026-11-30T08:00").hour == 8


def test_columns_of_accounts_become_aliases(tmp_path):
    (tmp_path / "r.csv").write_text("id,name,github_username,hub\n1,Ada,ada-l,adal\n2,Bo,,\n")
    first, second = read(tmp_path / "r.csv")
    assert (first.aliases, second.aliases) == ((("github", "ada-l"), ("hub", "adal")), ())
