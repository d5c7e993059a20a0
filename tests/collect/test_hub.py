from __future__ import annotations

import os
import threading
from zoneinfo import ZoneInfo

import pytest

from autograder.collect import accounts, exchange, hostile_tree, hub
from autograder.collect.accounts import Accounts
from autograder.collect.found import Found, moment_of
from autograder.collect.hub import open_hub
from autograder.collect.matching import Student
from autograder.errors import UsageError
from tests.collect.repositories import CODE, IN_TIME, LATE
from tests.collect.wanted import STUDENTS, found_by, short, wanted_in

ONE = STUDENTS[:1]
USERS = {20001: "2026001", 20002: "jupyter-zhang", 20003: "wang", 20009: "guest", 20011: "lihua"}

needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="homes of several users")


@pytest.fixture(autouse=True)
def users(monkeypatch):
    """Users of the machine, without making any; whoever runs the tests is the first student."""
    known = USERS | ({os.geteuid(): "2026001"} if os.geteuid() else {0: "root"})
    for module in (hub, exchange):
        monkeypatch.setattr(module, "user_name", lambda number: known.get(number, str(number)))


def test_the_names_of_users_are_the_machine_s():
    import pwd

    assert accounts.user_name(os.geteuid()) == pwd.getpwuid(os.geteuid()).pw_name
    assert accounts.user_name(4_000_000_000) == "4000000000"


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "home"
    made.mkdir()
    return made


def put(path, content=CODE, owner=20001, at=IN_TIME):
    """Write a file of a user's, with the folders around it that aren't there."""
    made = [path]
    for parent in path.parents:
        if parent.exists():
            break
        made.append(parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (at.timestamp(), at.timestamp()))
    if os.geteuid() == 0:
        for one in made:
            os.chown(one, owner, owner)
    return path


def collect(home, tmp_path, rest="hw1", students=ONE, **options):
    return found_by(f"hub:{home}/{{id}}/{rest}", wanted_in(tmp_path, students, **options))


def test_every_home_folder_is_read_and_a_missing_one_is_said(tmp_path, home):
    put(home / "2026001" / "hw1" / "sums.py")
    put(home / "2026001" / "hw1" / ".ipynb_checkpoints" / "sums-checkpoint.py")
    put(home / "2026001" / "diary.txt")
    first, second = collect(home, tmp_path, students=STUDENTS[:2])
    assert short(first) == (("2026001",), "09-26 15:59", ["sums.py"])
    assert first.doubt == ""
    assert short(second) == ("2026002", "there is no such folder")


@needs_root
@pytest.mark.parametrize(
    ("template", "students", "user"),
    [
        ("jupyter-{email_user}/{assignment}", STUDENTS[1:2], 20002),
        ("{email_user}/hw1", STUDENTS[2:], 20003),
        ("{alias:hub}/hw1", ONE, 20011),
    ],
)
def test_accounts_of_several_kinds(tmp_path, home, template, students, user):
    folder = USERS[user]
    put(home / folder / "hw1" / "sums.py", owner=user)
    (found,) = found_by(f"hub:{home}/{template}", wanted_in(tmp_path, students))
    assert (found.texts, found.doubt) == ((students[0].id,), "")


def test_whose_an_account_is():
    known = Accounts([*STUDENTS, Student("2026009", "Li", frozenset({("email", "li@other.edu")}))])
    assert known.students("LiHua") == ("2026001",)
    assert known.students("jupyter-zhang") == ("2026002",)
    assert known.students("li") == ("2026001", "2026009")  # two of one mail name: neither
    assert known.students("root") == ()


@pytest.mark.parametrize("said", ["hub:/home/hw1", "hub:/home/{id}/../x", "hub:/home/{id}#anyowner"])
def test_addresses_that_can_t_be_meant(tmp_path, said):
    with pytest.raises(UsageError):
        open_hub(said, wanted_in(tmp_path))


# --- owners -----------------------------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize(
    ("owner", "candidates", "shown"),
    [
        (20002, ("2026001", "2026002"), "jupyter-zhang"),
        (20009, ("2026001",), "guest"),
        (29999, ("2026001",), "29999"),
        (0, ("2026001",), "root"),
    ],
)
def test_security_files_of_another_are_doubtful(tmp_path, home, owner, candidates, shown):
    put(home / "2026001" / "hw1" / "sums.py")
    put(home / "2026001" / "hw1" / "other.py", owner=owner)
    found, *_ = collect(home, tmp_path, students=STUDENTS)
    assert (found.doubt, found.candidates) == (f"other.py belongs to {shown}", candidates)
    assert found.texts == ()


@needs_root
def test_security_a_folder_of_another_is_doubtful(tmp_path, home):
    """Its owner can put anything into it, and take anything out, whosever the files are."""
    put(home / "2026001" / "hw1" / "sums.py", owner=20002)
    os.chown(home / "2026001" / "hw1" / "sums.py", 20001, 20001)
    (found,) = collect(home, tmp_path)
    assert "belongs to jupyter-zhang" in found.doubt


@needs_root
def test_where_all_files_belong_to_one_user_nobody_looks_at_owners(tmp_path, home):
    put(home / "2026001" / "hw1" / "sums.py", owner=20009)
    (found,) = collect(home, tmp_path, rest="hw1#any-owner")
    assert (found.texts, found.doubt) == (("2026001",), "")


# --- what a student can put there -------------------------------------------------------------------------------------


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "secret").mkdir()
    return put(tmp_path / "secret" / "sums.py", "answer = 42\n", owner=20009)


def test_security_links_are_not_followed(tmp_path, home, secret):
    put(home / "2026001" / "hw1" / "sums.py")
    (home / "2026001" / "hw1" / "stolen.py").symlink_to(secret)
    (home / "2026001" / "hw1" / "folder").symlink_to(secret.parent)
    (found,) = collect(home, tmp_path)
    assert list(found.files) == ["sums.py"]
    assert found.notes[0] == "links are left out: folder, stolen.py"


@pytest.mark.parametrize("link", ["2026001", "2026001/hw1"])
def test_security_no_part_of_the_student_s_way_is_a_link(tmp_path, home, secret, link):
    (secret.parent / "hw1").mkdir()
    if "/" in link:
        (home / "2026001").mkdir()
    (home / link).symlink_to(secret.parent)
    (refused,) = collect(home, tmp_path)
    assert refused.problem == f"{home / link} is a link; links are not followed"


def test_the_instructor_s_own_part_of_the_way_may_be_a_link(tmp_path, home):
    put(home / "2026001" / "hw1" / "sums.py")
    (tmp_path / "mnt").symlink_to(home)
    (found,) = collect(tmp_path / "mnt", tmp_path)
    assert isinstance(found, Found)


@pytest.mark.parametrize("swapped", ["sums.py", "lib"])
def test_security_what_is_swapped_for_a_link_while_it_is_read_is_not_followed(
    tmp_path, home, secret, swapped, monkeypatch
):
    """The student wins the race here: between the look at a name and its opening."""
    folder = home / "2026001" / "hw1"
    put(folder / "a.py")
    put(folder / "sums.py")
    put(folder / "lib" / "sums.py")
    real, done = os.stat, threading.Event()

    def stat(path, **options):
        about = real(path, **options)
        if path == os.fsencode(swapped) and not done.is_set():
            done.set()
            (folder / swapped).rename(tmp_path / "away")
            (folder / swapped).symlink_to(secret if swapped.endswith(".py") else secret.parent)
        return about

    monkeypatch.setattr(hostile_tree.os, "stat", stat)
    (found,) = collect(home, tmp_path)
    monkeypatch.undo()
    assert done.is_set()
    assert all(b"42" not in content for content in found.files.values())
    assert f"links are left out: {swapped}" in found.notes
    # A path looked up twice would have read it.
    inside = folder / swapped / "sums.py" if swapped == "lib" else folder / swapped
    assert "42" in inside.read_text()


def test_security_pipes_sockets_and_devices_are_not_opened(tmp_path, home):
    folder = home / "2026001" / "hw1"
    put(folder / "sums.py")
    os.mkfifo(folder / "pipe.py")  # opening it would wait for ever
    if os.geteuid() == 0:
        os.mknod(folder / "zero.py", 0o20666, os.makedev(1, 5))
    (found,) = collect(home, tmp_path)
    assert list(found.files) == ["sums.py"]
    assert found.notes[0].startswith("no plain files, and left out: pipe.py")


def test_security_a_file_swapped_for_a_pipe_does_not_keep_the_reader_waiting(tmp_path, home, monkeypatch):
    folder = home / "2026001" / "hw1"
    put(folder / "sums.py")
    put(folder / "z.py")
    real = os.stat

    def stat(path, **options):
        about = real(path, **options)
        if path == b"z.py" and not (tmp_path / "away").exists():
            (folder / "z.py").rename(tmp_path / "away")
            os.mkfifo(folder / "z.py")
        return about

    monkeypatch.setattr(hostile_tree.os, "stat", stat)
    (found,) = collect(home, tmp_path)
    assert list(found.files) == ["sums.py"]
    assert "no plain files, and left out: z.py" in found.notes


@needs_root
@pytest.mark.parametrize("option", ["", "#any-owner"])
def test_security_a_hard_link_to_another_s_file_is_refused(tmp_path, home, secret, option):
    put(home / "2026001" / "hw1" / "sums.py")
    os.link(secret, home / "2026001" / "hw1" / "stolen.py")
    (refused,) = collect(home, tmp_path, rest=f"hw1{option}")
    assert refused.problem == "stolen.py is a link to a file that belongs to guest"


def test_hard_links_among_one_s_own_files_are_files(tmp_path, home):
    put(home / "2026001" / "hw1" / "sums.py")
    os.link(home / "2026001" / "hw1" / "sums.py", home / "2026001" / "hw1" / "copy.py")
    (found,) = collect(home, tmp_path)
    assert sorted(found.files) == ["copy.py", "sums.py"]


@pytest.mark.parametrize(
    ("name", "limit"), [("_MOST_ENTRIES", 3), ("_MOST_DEPTH", 2), ("MAX_FILES", 2), ("MAX_TOTAL_BYTES", 60)]
)
def test_security_there_is_no_more_read_than_may_be_handed_in(tmp_path, home, monkeypatch, name, limit):
    for way in ("a.py", "b.py", "c/d.py", "c/d/e/f.py"[:6] + "/e/f/g.py"):
        put(home / "2026001" / "hw1" / way)
    assert isinstance(collect(home, tmp_path)[0], Found)
    monkeypatch.setattr(hostile_tree, name, limit)
    assert not isinstance(collect(home, tmp_path)[0], Found)


@pytest.mark.parametrize("seconds", [253_402_300_799.0, -62_135_596_800.0, 1e20, -1e20, float("nan"), float("inf")])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_security_every_time_of_a_file_can_be_shown_everywhere(seconds, zone):
    """File systems take any: in Shanghai the last second of the year 9999 ended the collection for all."""
    assert moment_of(seconds).astimezone(ZoneInfo(zone)).year in {1969, 1970, 9997, 9998}


def test_security_a_file_without_an_end_is_not_read_to_it(tmp_path, home):
    put(home / "2026001" / "hw1" / "sums.py")
    with (home / "2026001" / "hw1" / "huge.bin").open("wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    (refused,) = collect(home, tmp_path)
    assert "more than" in refused.problem


def test_names_in_gbk_are_read(tmp_path, home):
    put(home / "2026001" / "hw1" / "sums.py")
    put(home / "2026001" / "hw1" / os.fsdecode("说明.txt".encode("gbk")))
    assert sorted(collect(home, tmp_path)[0].files) == ["sums.py", "说明.txt"]


def test_what_can_t_be_read_is_said(tmp_path, home, monkeypatch):
    put(home / "2026001" / "hw1" / "sums.py")
    put(home / "2026001" / "hw1" / "mine.py")
    real = os.open

    def refusing(path, *arguments, **options):  # root may read everything
        if path in {b"mine.py", "2026003"}:
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    monkeypatch.setattr(os, "supports_dir_fd", {refusing})
    first, _, third = collect(home, tmp_path, students=STUDENTS)
    assert first.notes[0] == "can't be read, and left out: mine.py"
    assert third.problem == f"{home}/2026003 can't be read: Permission denied"


@pytest.mark.parametrize(("at", "noted"), [(IN_TIME, True), (LATE, False)])
def test_a_file_that_was_changed_after_the_deadline_and_dated_back_is_noted(tmp_path, home, at, noted):
    put(home / "2026001" / "hw1" / "sums.py", at=at)  # written now, long after the deadline
    (found,) = collect(home, tmp_path)
    assert any(note.startswith("dated 2026-09-26 23:59 CST, but the file system saw") for note in found.notes) is noted
