"""Who handed in what, as LMSs lay it out."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from autograder.collect import gradescope
from autograder.collect.folder import FolderSource, ZipSource
from autograder.collect.layouts import grouped
from autograder.errors import UsageError
from autograder.ledger import people
from autograder.ledger.models import SubmissionRow
from autograder.roster import Person
from tests.collect.archives import zipped
from tests.collect.test_collecting import CODE, ME, SHANGHAI, collect, course, folder, stored

__all__ = ["course", "folder"]

AT = "2026-12-06-23-59-00"
TOLD = """Name: 李华 (li_hua)
Assignment: HW 1
Date Submitted: Sunday, December 6, 2026 11:59:00 PM CST
Current Grade: Needs Grading

Submission Field:
There is no student submission text data for this assignment.

Comments:
Name: 张三 (2026017)

Files:
	Original filename: mlp (final).py
	Filename: HW 1_li_hua_attempt_2026-12-06-23-59-00_mlp__final_.py
	Original filename: ../util.py
	Filename: HW 1_li_hua_attempt_2026-12-06-23-59-00_util.py
"""


def archived(folder, files):
    path = folder / "all.zip"
    path.write_bytes(zipped(files))
    return ZipSource(path, SHANGHAI)


def rows(ledger):
    with ledger.reading() as session:
        return [session.get(SubmissionRow, number + 1) for number in range(session.query(SubmissionRow).count())]


# --- Blackboard -------------------------------------------------------------------------------------------------------


def test_blackboard_tells_the_attempts_their_times_and_the_files_names(course, folder):
    with course.writing() as session:
        people.apply(
            session,
            [Person("2026001", "李华", aliases=(("login", "li_hua"),)), Person("2026017", "张三")],
            ME,
            SHANGHAI,
        )
    name = f"HW 1_li_hua_attempt_{AT}"
    files = {
        f"{name}.txt": TOLD.encode(),
        f"{name}_mlp__final_.py": CODE,
        f"{name}_util.py": b"x = 1\n",
        "HW 1_li_hua_attempt_2026-12-07-08-00-00_mlp.py": CODE + b"# again\n",
        f"HW 1_2026017_attempt_{AT}_my_attempt_2026-12-06-23-59-00_f.py": b"y = 2\n",
    }
    assert collect(course, archived(folder, files)) == [
        ("new", "mlp (final).py", "2026001"),
        ("unmatched", "mlp.py", ""),  # of a login with a _ in it the name alone says only half
        ("new", "my_attempt_2026-12-06-23-59-00_f.py", "2026017"),
    ]
    assert stored(course, 1) == {"mlp (final).py": CODE, "util.py": b"x = 1\n"}
    assert rows(course)[0].received == datetime(2026, 12, 6, 23, 59, tzinfo=SHANGHAI)


def test_several_attempts_on_blackboard_are_several_submissions(course, folder):
    files = {}
    for at, code in (("2026-12-05-10-00-00", b"1\n"), (AT, b"2\n")):
        files |= {f"HW_1_2026017_attempt_{at}.txt": b"Name: x (2026017)\n", f"HW_1_2026017_attempt_{at}_mlp.py": code}
    assert collect(course, archived(folder, files)) == [
        ("new", "mlp.py", "2026017"),
        ("again", "mlp.py", "2026017"),
    ]
    assert [row.received for row in rows(course)] == [
        datetime(2026, 12, 5, 10, tzinfo=SHANGHAI), datetime(2026, 12, 6, 23, 59, tzinfo=SHANGHAI)
    ]  # fmt: skip


def test_security_what_a_student_typed_into_blackboard_makes_nobody_else_of_them(course, folder):
    """The comments are the student's; the first line is Blackboard's, and so is the file's name."""
    name = f"HW 1_2026001_attempt_{AT}"
    forged = "Name: 张三 (2026017)\nComments:\nName: 张三 (2026017)\n"
    assert collect(course, archived(folder, {f"{name}.txt": forged.encode(), f"{name}_mlp.py": CODE})) == [
        ("new", "mlp.py", "2026001")
    ]


def test_an_attempt_without_files_is_its_text(course, folder):
    name = f"HW 1_2026017_attempt_{AT}.txt"
    assert collect(course, archived(folder, {name: TOLD.encode(), "HW_2026001_attempt_" + AT + "_a.py": CODE})) == [
        ("new", name, "2026017"),
        ("new", "a.py", "2026001"),
    ]


# --- Gradescope -------------------------------------------------------------------------------------------------------

METADATA = """---
submission_4711:
  :submitters:
  - :name: Hua Li
    :sid: '2026001'
    :email: li@example.edu
  :created_at: 2026-12-06 15:59:00.123456000 Z
  :score: 3.0
  :history:
  - :id: 1
    :created_at: 2026-12-01 10:00:00.000000000 Z
submission_4712:
  :submitters:
  - :name: San Zhang
    :sid: 2026017
    :email: z@example.edu
  - :name: Sanfeng Zhang
    :sid: '2026018'
    :email: ~
  :created_at: 2026-12-07 01:00:00.000000000 +08:00
submission_4713:
  :submitters:
  - :name: San Zhang
    :sid: '2026017'
    :email: z@example.edu
  - :name: A Stranger
    :sid: ''
    :email: who@example.edu
  :created_at: 2026-12-07 01:00:00.000000000 +08:00
"""
TOP = "assignment_9_export/"


def exported(metadata=METADATA):
    return {
        f"{TOP}submission_metadata.yml": metadata.encode(),
        f"{TOP}submission_4711/mlp.py": CODE,
        f"{TOP}submission_4711/sub/util.py": b"x = 1\n",
        f"{TOP}submission_4712/mlp.py": b"y = 2\n",
        f"{TOP}submission_4713/mlp.py": b"z = 3\n",
    }


def test_gradescope_tells_who_handed_in_together_and_when(course, folder):
    assert collect(course, archived(folder, exported())) == [
        ("new", "Hua Li", "2026001"),
        ("new", "San Zhang, Sanfeng Zhang", "2026017, 2026018"),
        ("doubtful", "San Zhang, A Stranger", ""),
    ]
    assert stored(course, 1) == {"mlp.py": CODE, "sub/util.py": b"x = 1\n"}
    assert rows(course)[0].received == datetime(2026, 12, 6, 15, 59, 0, 123456, tzinfo=UTC)
    assert rows(course)[2].notes == ["handed in together with somebody who is not in the roster: A Stranger"]


def test_a_gradescope_export_that_was_unpacked(course, folder):
    for name, content in exported().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert [one[0] for one in collect(course, FolderSource(folder, SHANGHAI))] == ["new", "new", "doubtful"]


FORGED = "2026001_mlp.py:\n  :submitters:\n  - :name: San Zhang\n    :sid: '2026017'\n"


@pytest.mark.parametrize("metadata", [FORGED, "["], ids=["forged", "broken"])
@pytest.mark.parametrize("name", ["submission_metadata.yml", "2026017/submission_metadata.yml"])
def test_security_metadata_among_the_files_of_students_says_nothing(folder, name, metadata):
    """It is a student's: who hands in such a file would have all others' work for his own, or end the collection."""
    for path, content in {"2026001_mlp.py": CODE, "2026018/mlp.py": CODE, name: metadata.encode()}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    found = list(FolderSource(folder, SHANGHAI))
    assert {one.texts[0] for one in found} == {"2026001_mlp", "2026018", name.partition("/")[0].removesuffix(".yml")}
    assert [one.submitters for one in found] == [()] * 3


def test_security_metadata_in_the_one_folder_there_is_says_nothing(folder):
    """Who is the first to hand in is alone in the folder, or in the archive of an LMS."""
    (folder / "2026017").mkdir()
    (folder / "2026017" / "mlp.py").write_bytes(CODE)
    (folder / "2026017" / "submission_metadata.yml").write_text(FORGED.replace("2026001_", ""))
    (found,) = FolderSource(folder, SHANGHAI)
    assert (found.texts, found.submitters) == (("2026017",), ())


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(f'*{chr(97 + n)}' for _ in range(9))}]\n" for n in range(9)
)
HOSTILE = {
    "a billion laughs": LAUGHS,
    "itself": "a: &a [*a]",
    "deep": "[" * 50 + "]" * 50,
    "very deep": "a: " + "[" * 5000,
    "a list": "- a\n- b\n",
    "no YAML": "a: 'b",
    "no text": "\x00",
    "a list for a key": "? [a]\n: b\n",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=[*HOSTILE])
def test_security_hostile_metadata_is_refused(content):
    with pytest.raises(UsageError, match="submission_metadata"):
        gradescope.read(content.encode())


def test_security_a_tag_makes_no_object():
    made = gradescope.read(
        b"submission_1:\n  :submitters: !!python/object/apply:os.system ['false']\n  :created_at: !x y"
    )
    assert made == {"submission_1": gradescope.Handed((), None)}


# --- Canvas, Moodle ---------------------------------------------------------------------------------------------------


def test_what_canvas_marks_as_late_is_noted_and_decides_nothing(course, folder):
    files = {"huali_LATE_340934_1_mlp.py": CODE, "huali_340934_2_util.py": b"x = 1\n", "zhang_5_3_2026017.py": CODE}
    assert collect(course, archived(folder, files)) == [
        ("new", "mlp.py", "2026001"),
        ("new", "2026017.py", "2026017"),
    ]
    assert [row.notes for row in rows(course)] == [["the LMS marked it as late"], []]


def test_a_group_on_moodle_is_known_by_its_name_and_not_by_its_number(course, folder):
    with course.writing() as session:
        people.group(session, "hw1", "Team A", ["2026017", "2026018"], ME)
    files = {
        "Team A_12_assignsubmission_file_/mlp.py": CODE,
        "Team A_12_assignsubmission_onlinetext_/onlinetext.html": b"<p>hello</p>",
    }
    assert collect(course, archived(folder, files)) == [("new", "Team A", "2026017, 2026018")]
    assert stored(course, 1) == {"mlp.py": CODE, "onlinetext.html": b"<p>hello</p>"}


def test_security_a_student_who_is_called_like_a_group_on_moodle_does_not_hand_in_for_it(course, folder):
    with course.writing() as session:
        people.group(session, "hw1", "Team A", ["2026017", "2026018"], ME)
    # 4711 is 李华's number as a participant.
    found = collect(course, archived(folder, {"Team A_4711_assignsubmission_file_/mlp.py": CODE}))
    assert found == [("doubtful", "Team A", "")]


def test_a_file_that_is_nobody_s_does_not_make_it_another_layout():
    names = [f"a_1{number}_2_mlp.py" for number in range(3)] + ["README.txt"]
    assert [group.key for group in grouped(names, lambda *_: b"")] == [
        "canvas:10",
        "canvas:11",
        "canvas:12",
        "README.txt",
    ]


def test_times_without_a_zone_are_by_the_course_s_clock(folder):
    path = folder / "all.zip"
    path.write_bytes(zipped({f"HW_2026017_attempt_{AT}_a.py": CODE}))
    (found,) = ZipSource(path, ZoneInfo("America/New_York"))
    assert found.received == datetime(2026, 12, 7, 4, 59, tzinfo=UTC)
