from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from autograder.collect.collecting import Collector
from autograder.collect.exchange import open_exchange, read_name, read_time
from autograder.collect.found import Found
from autograder.collect.opening import open_named
from autograder.collect.store import Store
from autograder.errors import UsageError
from autograder.ledger import people
from autograder.ledger.grades import unclaimed
from autograder.ledger.models import SubmissionRow
from autograder.ledger.refusals import still_refused
from autograder.roster import Person
from tests.collect.test_hub import needs_root, put, users
from tests.collect.wanted import SHANGHAI, STUDENTS, found_by, short, wanted_in
from tests.ledger.conftest import NOW

__all__ = ["users"]  # a fixture: users of the machine

NOTEBOOK = "x = 1\n"
ME = "2026001"
ME_NOW = people.Author("me", NOW)
pytestmark = pytest.mark.skipif(os.name == "nt", reason="an exchange has owners")


@pytest.fixture
def inbound(tmp_path):
    made = tmp_path / "exchange" / "dl101" / "inbound"
    made.mkdir(parents=True)
    made.chmod(0o733)
    return made


def submit(inbound, user, time, content=NOTEBOOK, *, owner=20001, assignment="hw1", stamp=None, random="mQH0NzKxNLQc"):
    """Lay out what `nbgrader submit` of 0.9.6 leaves."""
    folder = inbound / "+".join(part for part in (user, assignment, time, random) if part)
    put(folder / "sums.py", content, owner)
    put(folder / "timestamp.txt", time if stamp is None else stamp, owner)
    put(folder / "submission_secret.txt", "ab" * 64, owner)
    folder.chmod(0o777)
    return folder


FIRST, SECOND = "2026-09-26 12:00:00.453108 UTC", "2026-09-27 15:59:00.000001 UTC"


def test_all_submissions_of_an_assignment_are_taken_the_newest_last(tmp_path, inbound):
    submit(inbound, ME, SECOND, "x = 2\n", random="AAAA")
    submit(inbound, ME, FIRST, "x = 1\n", random="zzzz")
    submit(inbound, ME, SECOND, assignment="hw2")
    (inbound / "note.txt").write_text("not a submission")
    for said in (inbound, inbound.parent):  # the course's folder will do, too
        found = found_by(f"exchange:{said}", wanted_in(tmp_path))
        assert [short(one) for one in found] == [
            ((ME,), "09-26 12:00", ["sums.py"]),
            ((ME,), "09-27 15:59", ["sums.py"]),
        ]
        assert [one.files["sums.py"] for one in found] == [b"x = 1\n", b"x = 2\n"]
        assert {one.doubt for one in found} == {""}


@needs_root
def test_security_what_was_handed_in_in_another_s_name_is_doubtful_and_says_whose_it_is(tmp_path, inbound):
    """`nbgrader submit --student=2026001`, typed by zhang."""
    submit(inbound, ME, FIRST, owner=20002)
    submit(inbound, ME, SECOND, owner=20001)
    forged, real = found_by(f"exchange:{inbound}", wanted_in(tmp_path))
    assert forged.doubt == "handed in as 2026001, but its files belong to jupyter-zhang"
    assert (forged.candidates, forged.texts) == (("2026001", "2026002"), ())
    assert (real.doubt, real.texts) == ("", (ME,))


@pytest.mark.parametrize(
    "name",
    [
        b"guest+hw1+9999-12-31 23:59:59 UTC",
        b"g\xff\xfeest+hw1+2026-09-26 12:00:00 UTC",
        b"guest+hw1+2026-09-26 12:00:00 UTC+\xff\xfe",
        b"\xff+hw1+",
        b"g\x1b[31m+hw1+2026-09-26 12:00:00 UTC",
    ],
)
def test_security_no_name_of_a_folder_ends_the_collection_of_the_others(tmp_path, inbound, ledger, name):
    """Everybody may make folders in inbound. Without care the first four ended it for all, the last recoloured it."""
    put(inbound / os.fsdecode(name) / "sums.py", "x = 2\n")
    submit(inbound, ME, FIRST)
    store = Store(tmp_path / "store")
    found = Collector(ledger, store, "hw1", ME_NOW).collect(
        open_named(f"exchange:{inbound}", wanted_in(tmp_path)), _ignore
    )
    assert len(found) == 2
    assert all(one.name.isprintable() and one.name.encode() for one in found)


def _ignore(_):
    """Show nothing."""


@needs_root
def test_security_such_a_submission_is_in_the_ledger_and_nobody_s(tmp_path, inbound, ledger):
    with ledger.writing() as session:
        people.apply(
            session, [Person(one.id, one.name, aliases=tuple(one.aliases)) for one in STUDENTS], ME_NOW, SHANGHAI
        )
    submit(inbound, ME, FIRST, "x = 1\n", owner=20002)
    submit(inbound, ME, SECOND, "x = 2\n")
    collector = Collector(ledger, Store(ledger.folder / "store"), "hw1", ME_NOW)
    source = open_exchange(f"exchange:{inbound}", wanted_in(tmp_path))
    forged, real = collector.collect(source, lambda _: None)
    assert (forged.outcome, forged.students, forged.candidates) == ("doubtful", (), (ME, "2026002"))
    assert (real.outcome, real.students) == ("new", (ME,))
    assert [one.outcome for one in collector.collect(source, lambda _: None)] == ["known", "known"]
    with ledger.reading() as session:
        assert [row.id for row in unclaimed(session, "hw1")] == [forged.number]
        assert session.get_one(SubmissionRow, forged.number).notes[0] == forged.problem


def test_what_was_refused_is_listed_until_something_comes_and_who_has_nothing_is_not(tmp_path, inbound, ledger):
    with ledger.writing() as session:
        people.apply(session, [Person(one.id, one.name) for one in STUDENTS], ME_NOW, SHANGHAI)
    (submit(inbound, ME, FIRST) / "sums.py").unlink()
    (tmp_path / "home").mkdir()
    collector = Collector(ledger, Store(ledger.folder / "store"), "hw1", ME_NOW)
    for said in (f"exchange:{inbound}", f"hub:{tmp_path}/home/{{id}}/hw1"):
        collector.collect(open_named(said, wanted_in(tmp_path)), lambda _: None)
    with ledger.reading() as session:
        assert [one.students for one in still_refused(session)] == [(ME,)]
    submit(inbound, ME, SECOND)
    collector.collect(open_named(f"exchange:{inbound}", wanted_in(tmp_path)), lambda _: None)
    with ledger.reading() as session:
        assert still_refused(session) == []


@needs_root
def test_security_a_file_that_another_put_into_it_is_seen(tmp_path, inbound):
    """nbgrader makes the folder writable for all; only its random name hides it."""
    folder = submit(inbound, ME, FIRST)
    put(folder / "extra.py", owner=20009)
    (found,) = found_by(f"exchange:{inbound}", wanted_in(tmp_path))
    assert found.doubt == "handed in as 2026001, but its files belong to guest"


@needs_root
def test_in_containers_all_belong_to_one_user(tmp_path, inbound):
    submit(inbound, ME, FIRST, owner=20009)
    (found,) = found_by(f"exchange:{inbound}#any-owner", wanted_in(tmp_path))
    assert (found.doubt, found.texts) == ("", (ME,))


@needs_root
def test_an_account_s_name_is_the_student_s_and_a_stranger_s_is_kept(tmp_path, inbound):
    submit(inbound, "jupyter-zhang", FIRST, owner=20002)
    submit(inbound, "guest", SECOND, owner=20009)
    known, unknown = found_by(f"exchange:{inbound}", wanted_in(tmp_path))
    assert (known.texts, unknown.texts, unknown.doubt) == (("2026002",), ("guest",), "")


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_security_links_in_inbound_are_not_followed(tmp_path, inbound, kind):
    secret = submit(tmp_path / "secret", ME, FIRST, "answer = 42\n")
    if kind == "folder":
        (inbound / f"{ME}+hw1+{FIRST}+AAAA").symlink_to(secret)
        (refused,) = found_by(f"exchange:{inbound}", wanted_in(tmp_path))
        assert "is a link" in refused.problem
    else:
        folder = submit(inbound, ME, FIRST)
        (folder / "stolen.py").symlink_to(secret / "sums.py")
        (found,) = found_by(f"exchange:{inbound}", wanted_in(tmp_path))
        assert list(found.files) == ["sums.py"]
        assert "links are left out: stolen.py" in found.notes


@needs_root
def test_security_a_hard_link_to_another_s_file_is_refused(tmp_path, inbound):
    secret = submit(tmp_path / "secret", "2026002", FIRST, "answer = 42\n", owner=20002)
    folder = submit(inbound, ME, FIRST)
    os.link(secret / "sums.py", folder / "stolen.py")
    (refused,) = found_by(f"exchange:{inbound}", wanted_in(tmp_path))
    assert refused.problem == "stolen.py is a link to a file that belongs to jupyter-zhang"


def test_a_name_without_a_time_is_refused(tmp_path, inbound):
    submit(inbound, ME, "yesterday")
    (refused,) = found_by(f"exchange:{inbound}", wanted_in(tmp_path))
    assert refused.problem == "its name holds no time as nbgrader writes it"


def test_an_empty_submission_is_refused(tmp_path, inbound):
    folder = submit(inbound, ME, FIRST)
    (folder / "sums.py").unlink()
    (refused,) = found_by(f"exchange:{inbound}", wanted_in(tmp_path))
    assert refused.problem.startswith("there is nothing in ")


def test_times_that_contradict_each_other_are_noted(tmp_path, inbound):
    submit(inbound, ME, FIRST, stamp=SECOND)
    (found,) = found_by(f"exchange:{inbound}", wanted_in(tmp_path))
    assert isinstance(found, Found)
    assert found.notes[0] == ("its name says 2026-09-26 20:00 CST, its timestamp.txt says 2026-09-27 23:59 CST")
    # All of it was made now: who renames a folder after the deadline can't hide it from the file system.
    assert found.notes[1].startswith("dated 2026-09-26 20:00 CST, but the file system saw a change ")


@pytest.mark.parametrize(
    ("name", "user", "time"),
    [
        (f"s1+hw1+{FIRST}+abc", "s1", FIRST),
        (f"s1+hw1+{FIRST}", "s1", FIRST),  # without ExchangeSubmit.add_random_string
        (f"a+b+hw1+{FIRST}+a-_c", "a+b", FIRST),
        (f"s1+hw1_sums+{FIRST}+abc", "s1", FIRST),
        ("s1+hw1+2026-09-26 20:00:00.000000 +0800+abc", "s1", "2026-09-26 20:00:00.000000 +0800"),
        ("s1+hw1+2026-09-26 20:00:00.000000 +0800", "s1", "2026-09-26 20:00:00.000000 +0800"),
    ],
)
def test_the_names_of_folders(name, user, time):
    told = read_name(name, frozenset({"hw1", "hw1_sums"}))
    assert (told.user, told.time) == (user, time)


@pytest.mark.parametrize("name", ["s1+hw2+x", "s1", "+hw1+x", "s1+hw11+x"])
def test_folders_of_something_else(name):
    assert read_name(name, frozenset({"hw1"})) is None


@pytest.mark.parametrize(
    ("said", "hour"),
    [
        ("2026-09-26 12:00:00.453108 UTC", 12),
        ("2026-09-26 20:00:00 CST", 12),  # the course's own, not Chicago's
        ("2026-09-26 20:00:00 +0800", 12),
        ("2026-09-26 14:00:00 +02:00", 12),
        ("2026-09-26 14:00:00 Europe/Berlin", 12),
        ("2026-09-26 12:00:00", 12),
        ("2026-09-26 20:00:00 XYZT", 12),
        ("2026-09-26 12:00:00 UTC\n", 12),
    ],
)
def test_times_as_nbgrader_writes_them(said, hour):
    time = read_time(said, SHANGHAI)
    assert time.moment.replace(microsecond=0) == datetime(2026, 9, 26, hour, tzinfo=UTC)
    assert bool(time.note) is ("XYZT" in said)


@pytest.mark.parametrize(
    "said",
    [
        *("", "now", "2026-13-01 00:00:00 UTC", "2026-09-26 12:00:00 +9999", "0001-01-01 00:00 +0800"),
        *("9999-12-31 23:59:59 UTC", "0001-01-01 00:00:00 UTC"),  # in some parts of the world there is no such date
    ],
)
def test_what_is_no_time(said):
    assert read_time(said, SHANGHAI) is None


@pytest.mark.parametrize("said", ["exchange:/nowhere/at/all", "exchange:", "exchange:/tmp#anything"])
def test_addresses_that_are_no_exchange(tmp_path, said):
    with pytest.raises(UsageError, match="inbound folder"):
        open_exchange(said, wanted_in(tmp_path, STUDENTS))
