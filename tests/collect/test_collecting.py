from __future__ import annotations

import io
import os
import tarfile
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from autograder.collect.collecting import Collector, assign
from autograder.collect.folder import FolderSource, ZipSource, open_source
from autograder.collect.opening import open_named
from autograder.collect.store import Store
from autograder.errors import UsageError
from autograder.ledger import people
from autograder.ledger.grades import owners
from autograder.ledger.models import Event, Student, SubmissionRow
from autograder.ledger.refusals import still_refused
from autograder.messages import speaking
from autograder.pack import pack
from autograder.roster import Person
from autograder.submission import Submission
from tests.collect.wanted import wanted_in
from tests.ledger.conftest import NOW

ME = people.Author("me", NOW)
SHANGHAI = ZoneInfo("Asia/Shanghai")
CODE = b"def f(): return 1\n"


@pytest.fixture
def course(ledger):
    persons = [
        Person("2026001", "李华", aliases=(("canvas", "340934"), ("moodle", "4711"))),
        Person("2026017", "张三"),
        Person("2026018", "张三丰"),
    ]
    with ledger.writing() as session:
        people.apply(session, persons, ME, SHANGHAI)
    return ledger


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    return made


def collect(ledger, source, received=None):
    store = Store(ledger.folder / "store")
    found = Collector(ledger, store, "hw1", ME, received).collect(source, lambda _: None)
    return [(one.outcome, one.name, ", ".join(one.students)) for one in found]


def zipped(files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 12, 6, 23, 59, 0)), content)
    return made.getvalue()


def tarred(files, mode="w:gz", kind=tarfile.REGTYPE):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = (len(content) if kind == tarfile.REGTYPE else 0), kind
            entry.linkname = "/etc/passwd"
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def stored(ledger, number):
    with ledger.reading() as session:
        return Store(ledger.folder / "store").files(session.get(SubmissionRow, number).sha256)


# --- a folder ---------------------------------------------------------------------------------------------------------


def test_a_folder_with_a_file_a_folder_and_archives(course, folder):
    (folder / "2026001.py").write_bytes(CODE)
    (folder / "张三").mkdir()
    (folder / "张三" / "mlp.py").write_bytes(CODE + b"#2")
    (folder / "张三" / "util.py").write_bytes(b"x = 1")
    (folder / "张三丰_hw1.tar.gz").write_bytes(tarred({"hw1/mlp.py": CODE + b"#3"}))
    assert collect(course, FolderSource(folder)) == [
        ("new", "2026001.py", "2026001"),
        ("new", "张三", "2026017"),
        ("new", "张三丰_hw1.tar.gz", "2026018"),
    ]
    assert stored(course, 1) == {"2026001.py": CODE}
    assert stored(course, 2) == {"mlp.py": CODE + b"#2", "util.py": b"x = 1"}
    assert stored(course, 3) == {"hw1/mlp.py": CODE + b"#3"}


def test_collecting_again_takes_only_what_is_new(course, folder):
    (folder / "2026001.py").write_bytes(CODE)
    assert [one[0] for one in collect(course, FolderSource(folder))] == ["new"]
    assert [one[0] for one in collect(course, FolderSource(folder))] == ["known"]
    (folder / "2026001.py").write_bytes(CODE + b"# better")
    assert [one[0] for one in collect(course, FolderSource(folder))] == ["again"]
    with course.reading() as session:
        assert session.scalar(select(func.count()).select_from(SubmissionRow)) == 2


def test_the_same_files_of_one_student_are_one_submission_wherever_they_come_from(course, folder, tmp_path):
    (folder / "2026001.py").write_bytes(CODE)
    collect(course, FolderSource(folder))
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "李华.zip").write_bytes(zipped({"2026001.py": CODE}))
    assert collect(course, FolderSource(other)) == [("known", "李华.zip", "2026001")]


def test_the_same_files_of_two_students_are_two_submissions_kept_once(course, folder):
    for name in ("2026001", "2026017"):
        (folder / name).mkdir()
        (folder / name / "mlp.py").write_bytes(CODE)
    assert [one[0] for one in collect(course, FolderSource(folder))] == ["new", "new"]
    assert len(list((course.folder / "store").rglob("*.zip"))) == 1


def test_what_nobody_is_recognised_for_waits_and_is_given_by_hand(course, folder):
    (folder / "mine.py").write_bytes(CODE)
    (folder / "李华 and 张三.py").write_bytes(CODE + b"#")
    assert [one[0] for one in collect(course, FolderSource(folder))] == ["unmatched", "doubtful"]
    with course.writing() as session:
        assert owners(session, [1, 2]) == {}
        assign(session, session.get(SubmissionRow, 1), [session.get(Student, "2026017")], ME)
    with course.reading() as session:
        assert [one.student_id for one in owners(session, [1])[1].students] == ["2026017"]
    # Collecting once more does not undo that.
    assert [one[0] for one in collect(course, FolderSource(folder))] == ["known", "known"]


def test_a_group_hands_in_together(course, folder):
    with course.writing() as session:
        people.group(session, "hw1", "g1", ["2026001", "2026017"], ME)
    (folder / "2026001.py").write_bytes(CODE)
    assert collect(course, FolderSource(folder)) == [("new", "2026001.py", "2026001, 2026017")]


def test_when_it_was_handed_in(course, folder):
    (folder / "2026001.py").write_bytes(CODE)
    os.utime(folder / "2026001.py", (1_780_000_000, 1_780_000_000))
    (folder / "all.zip").write_bytes(zipped({"2026017.py": CODE}))
    collect(course, FolderSource(folder))
    collect(course, ZipSource(folder / "all.zip", SHANGHAI))
    (folder / "2026001.py").write_bytes(CODE + b"#")
    collect(course, FolderSource(folder), received=NOW)
    with course.reading() as session:
        received = {row.name: row.received for row in session.scalars(select(SubmissionRow).order_by(SubmissionRow.id))}
    assert received["2026017.py"] == datetime(2026, 12, 6, 23, 59, tzinfo=SHANGHAI)
    assert received["2026001.py"] == NOW
    with course.reading() as session:
        assert session.get(SubmissionRow, 1).received == datetime.fromtimestamp(1_780_000_000, UTC)


def test_what_grade_pack_wrote_is_recognised(course, folder):
    submission = Submission("mlp.py", {"mlp.py": CODE}, "mlp.py")
    written = pack(submission, "hw1", "2026017", "张 三", folder)
    assert written.name == "2026017_张-三_hw1.zip"
    written.rename(folder / "homework.zip")
    assert collect(course, FolderSource(folder)) == [("new", "homework.zip", "2026017")]
    assert stored(course, 1) == {"mlp.py": CODE}


# --- LMSs -------------------------------------------------------------------------------------------------------------


def test_canvas_and_moodle_archives(course, folder):
    canvas = {
        "huali_340934_208490284_mlp.py": CODE,
        "huali_LATE_340934_208490285_util.py": b"x = 1",
        "sanz_334244_394803489_2026017-hw1.zip": zipped({"mlp.py": CODE}),
    }
    (folder / "canvas.zip").write_bytes(zipped(canvas))
    assert collect(course, ZipSource(folder / "canvas.zip", SHANGHAI)) == [
        ("new", "mlp.py", "2026001"),
        ("new", "2026017-hw1.zip", "2026017"),
    ]
    assert stored(course, 1) == {"mlp.py": CODE, "util.py": b"x = 1"}
    moodle = {
        "Hua Li_4711_assignsubmission_file_/mlp.py": CODE + b"#",
        "张三丰_4712_assignsubmission_file_/hw1/mlp.py": CODE + b"#",
    }
    (folder / "moodle.zip").write_bytes(zipped(moodle))
    assert collect(course, ZipSource(folder / "moodle.zip", SHANGHAI)) == [
        ("again", "Hua Li", "2026001"),
        ("new", "张三丰", "2026018"),
    ]


def test_an_archive_with_one_folder_for_all(course, folder):
    (folder / "hw.zip").write_bytes(zipped({"hw1/2026001.py": CODE, "hw1/2026017/mlp.py": CODE + b"#"}))
    assert [one[2] for one in collect(course, ZipSource(folder / "hw.zip", SHANGHAI))] == ["2026001", "2026017"]


# --- hostile and broken -----------------------------------------------------------------------------------------------


HOSTILE = {
    "no archive": ("2026001.zip", b"no archive"),
    "leads elsewhere": ("2026001.zip", zipped({"../../evil.py": CODE})),
    "bomb": ("2026001.zip", zipped({"mlp.py": b"0" * (21 << 20)})),
    "too many": ("2026001.zip", zipped({f"{number}.py": b"" for number in range(501)})),
    "empty": ("2026001.zip", zipped({})),
    "tar leads elsewhere": ("2026001.tar", tarred({"../evil.py": CODE}, "w")),
    "absolute": ("2026001.tar", tarred({"/etc/evil.py": CODE}, "w")),
    "tar bomb": ("2026001.tar.gz", tarred({"mlp.py": b"0" * (21 << 20)})),
    "cut off": ("2026001.tar.gz", tarred({"mlp.py": CODE})[:40]),
    "link": ("2026001.tar", tarred({"mlp.py": b""}, "w", tarfile.SYMTYPE)),
    "device": ("2026001.tar", tarred({"mlp.py": b""}, "w", tarfile.CHRTYPE)),
    "rar": ("2026001.rar", b"Rar!\x1a\x07\x00"),
    "large": ("2026001.py", b"#" * (21 << 20)),
}


@pytest.mark.parametrize(("name", "content"), HOSTILE.values(), ids=[*HOSTILE])
def test_security_what_is_hostile_or_broken_is_refused_and_the_rest_goes_on(course, folder, name, content):
    (folder / name).write_bytes(content)
    (folder / "2026017.py").write_bytes(CODE)
    outcomes = {one[1]: one[0] for one in collect(course, FolderSource(folder))}
    assert outcomes == {name: "refused", "2026017.py": "new"}


def test_security_links_are_not_followed(course, folder):
    (folder / "2026001.py").symlink_to("/etc/passwd")
    (folder / "2026017").mkdir()
    (folder / "2026017" / "mlp.py").symlink_to("/etc/passwd")
    assert collect(course, FolderSource(folder)) == [("refused", "2026017", "")]


def test_an_archive_in_an_archive_is_opened_and_a_saved_model_is_not(course, folder):
    model = zipped({"weights": b"1"})
    inner = zipped({"hw/mlp.py": CODE, "hw/model.keras": model})
    (folder / "2026001.zip").write_bytes(zipped({"inner.zip": inner}))
    collect(course, FolderSource(folder))
    assert stored(course, 1) == {"hw/mlp.py": CODE, "hw/model.keras": model}


@pytest.mark.parametrize("name", ["nowhere", "hw.docx"])
def test_a_source_that_is_none(tmp_path, name):
    (tmp_path / "hw.docx").write_bytes(b"x")
    with pytest.raises(UsageError, match=name):
        open_source(tmp_path / name, SHANGHAI)


def test_security_files_that_were_changed_in_the_store_are_not_graded(course, folder):
    (folder / "2026001.py").write_bytes(CODE)
    collect(course, FolderSource(folder))
    (kept,) = (course.folder / "store").rglob("*.zip")
    kept.write_bytes(zipped({"2026001.py": CODE + b"# for a friend"}))
    with pytest.raises(Exception, match="not what was handed in"):
        stored(course, 1)


def handed_in(folder, name, content, moment):
    (folder / name).write_bytes(content)
    os.utime(folder / name, (moment, moment))


def test_what_waited_is_recognised_once_its_student_is_in_the_roster(course, folder):
    (folder / "2026019_王五.py").write_bytes(CODE)
    assert collect(course, FolderSource(folder)) == [("unmatched", "2026019_王五.py", "")]
    with course.writing() as session:
        people.apply(session, [Person("2026019", "王五")], ME, SHANGHAI)
    assert collect(course, FolderSource(folder)) == [("new", "2026019_王五.py", "2026019")]
    assert collect(course, FolderSource(folder)) == [("known", "2026019_王五.py", "2026019")]


def test_what_was_set_aside_by_hand_stays_so(course, folder):
    (folder / "2026017.py").write_bytes(CODE)
    collect(course, FolderSource(folder))
    with course.writing() as session:
        assign(session, session.get_one(SubmissionRow, 1), [], ME)
    assert collect(course, FolderSource(folder)) == [("known", "2026017.py", "2026017")]
    with course.reading() as session:
        assert owners(session, [1])[1].students == []


def test_who_goes_back_to_an_earlier_version_has_handed_that_in_last(course, folder):
    for number, content in enumerate([CODE, b"x = 1\n", CODE]):
        handed_in(folder, "2026017.py", content, 1_000_000 * (number + 1))
        collect(course, FolderSource(folder))
    assert {outcome for outcome, *_ in collect(course, FolderSource(folder))} == {"known"}
    with course.reading() as session:
        rows = session.scalars(select(SubmissionRow).order_by(SubmissionRow.received)).all()
        assert [row.received.timestamp() for row in rows] == [1_000_000, 2_000_000, 3_000_000]
        assert rows[0].sha256 == rows[2].sha256 != rows[1].sha256


def test_a_pack_for_another_assignment_or_of_several_students_is_doubtful(course, folder, tmp_path):
    other = pack(Submission("f.py", {"f.py": CODE}, "f.py"), "hw2", "2026017", "张三", folder)
    assert collect(course, FolderSource(folder)) == [("doubtful", other.name, "")]
    other.unlink()
    mine, friends = ({}, {})
    for files, number in ((mine, "2026017"), (friends, "2026001")):
        made = pack(Submission("f.py", {"f.py": CODE}, "f.py"), "hw1", number, "", tmp_path)
        with zipfile.ZipFile(made) as archive:
            files |= {name: archive.read(name) for name in archive.namelist()}
    both = mine | {f"friend/{name}": content for name, content in friends.items()}
    (folder / "hw1.zip").write_bytes(zipped(both))
    assert collect(course, FolderSource(folder)) == [("doubtful", "hw1.zip", "")]


def test_two_attachments_of_one_name_are_both_kept(course, tmp_path):
    path = tmp_path / "submissions.zip"
    path.write_bytes(zipped({"hualie_340934_1_f.py": CODE, "hualie_340934_2_f.py": b"y = 2\n"}))
    collect(course, ZipSource(path, SHANGHAI))
    with course.reading() as session:
        (row,) = session.scalars(select(SubmissionRow))
    assert sorted(Store(course.folder / "store").files(row.sha256).values()) == [CODE, b"y = 2\n"]


def test_what_was_refused_is_in_the_ledger_s_events(course, folder):
    (folder / "2026017.rar").write_bytes(b"Rar!")
    collect(course, FolderSource(folder))
    with course.reading() as session:
        about = session.scalars(select(Event).where(Event.kind == "collect")).one().about
    assert [one["name"] for one in about["refused_files"]] == ["2026017.rar"]


def test_what_was_refused_is_listed_until_something_readable_came_from_the_same_student(course, folder):
    def missed():
        with course.reading() as session:
            return [(one.name, one.students) for one in still_refused(session)]

    (folder / "2026017.rar").write_bytes(b"Rar!")
    (folder / "whose.rar").write_bytes(b"Rar!")
    both = [("2026017.rar", ("2026017",)), ("whose.rar", ())]
    for _ in range(2):
        collect(course, FolderSource(folder))
        assert missed() == both
    (folder / "2026001.py").write_bytes(CODE)  # another's
    (folder / "whose.rar").unlink()
    collect(course, FolderSource(folder))
    assert missed() == both[:1]
    (folder / "2026017.py").write_bytes(CODE)
    for _ in range(2):  # the broken file is still there
        collect(course, FolderSource(folder))
        assert missed() == []


def test_a_student_s_empty_folder_is_said_and_listed(course, folder):
    (folder / "2026001" / "data").mkdir(parents=True)
    (folder / "2026001" / "f.py").write_bytes(CODE)
    (folder / "2026017" / "code").mkdir(parents=True)
    (folder / "2026017" / ".DS_Store").write_bytes(b"")
    (folder / "__pycache__").mkdir()
    assert collect(course, FolderSource(folder)) == [("refused", "2026017", ""), ("new", "2026001", "2026001")]
    with course.reading() as session:
        (missed,) = still_refused(session)
    assert missed.students == ("2026017",)
    assert missed.problem == "There is no file in the folder 2026017; hidden ones and links don't count."


def test_why_something_was_refused_is_said_in_the_language_of_whoever_asks(course, folder):
    def problems():
        with course.reading() as session:
            return [one.problem for one in still_refused(session)]

    (folder / "2026017.rar").write_bytes(b"Rar!")
    collect(course, FolderSource(folder))
    (english,) = problems()
    with speaking("zh"):
        (chinese,) = problems()
        collect(course, FolderSource(folder))
    assert english.startswith("2026017.rar is damaged")
    assert chinese != english
    assert problems() == [english]
    with course.writing() as session:  # as collected before the key was recorded with it
        about = session.scalars(select(Event).where(Event.kind == "collect").order_by(Event.id.desc())).first().about
        old = {name: value for name, value in about["refused_files"][0].items() if name != "said"}
        assert old["problem"] == chinese
        session.add(Event(at=NOW, who="me", kind="collect", about={**about, "refused_files": [old]}))
    assert problems() == [chinese]


def test_a_file_of_a_day_that_is_still_to_come_is_taken_and_said(folder, tmp_path):
    handed_in(folder, "2026001.py", CODE, datetime(2037, 1, 1, tzinfo=UTC).timestamp())
    (folder / "2026017.py").write_bytes(CODE)
    asked = wanted_in(tmp_path)
    assert [one.notes for one in open_named(str(folder), asked)] == [
        ("dated 2037-01-01 08:00 CST, which is still to come; to put it right: grade received",),
        (),
    ]
    assert [one.notes for one in open_named(str(folder), replace(asked, received=NOW))] == [(), ()]


def test_an_address_of_no_kind_names_the_kinds_and_a_folder_may_be_called_so(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no kind of address gti:") as caught:
        open_named("gti:../x", wanted_in(tmp_path))
    assert caught.value.hint == "Addresses begin with one of: git:, hub:, exchange:, imap:, imaps:"
    folder.rename("gti:x")
    (tmp_path / "gti:x" / "2026001.py").write_bytes(CODE)
    assert [one.name for one in open_named("gti:x", wanted_in(tmp_path))] == ["2026001.py"]
