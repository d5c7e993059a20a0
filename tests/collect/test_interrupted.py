"""A collection that ends at any moment, or on a full disk: nothing is lost, nothing is there twice, and it goes on."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from autograder.collect import store as storing
from autograder.collect.collecting import Collector
from autograder.collect.folder import FolderSource
from autograder.collect.store import NotWrittenError, Store
from autograder.errors import UsageError
from autograder.ledger import people
from autograder.ledger.database import Ledger
from autograder.ledger.models import Recognition, SubmissionRow
from autograder.ledger.upkeep import problems_of
from autograder.roster import Person
from tests.collect.test_collecting import ME, SHANGHAI

COUNT = 25
STUDENTS = [Person(f"20260{number:02d}", f"Student {number}") for number in range(COUNT)]
# For each moment named: forks a process that collects what lies in a folder, and is killed at the n-th step of a kind.
# Batches of 8: three and a rest. Its output is what it told of.
SCRIPT = """
    import os, signal, sys
    from pathlib import Path
    from autograder.collect import collecting, store
    from autograder.collect.folder import FolderSource
    from autograder.ledger.database import Ledger
    from sqlalchemy import event
    from tests.collect.test_collecting import ME

    collecting._MOST_TOGETHER = 8

    def collect(folder, step, left):
        def die(*_):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def before(owner, name):
            original = getattr(owner, name)
            setattr(owner, name, lambda *a, **how: (die(), original(*a, **how))[1])

        if step == "write": before(store, "_archive")
        if step == "safe": before(store, "_make_safe")
        if step == "rename": before(Path, "replace")
        ledger = Ledger(folder / "ledger")
        if step == "row": event.listen(ledger.engine, "before_cursor_execute", die)
        if step == "commit": event.listen(ledger.engine, "commit", die)

        def tell(one):
            with (folder / "told").open("a") as file:
                print(one.name, file=file)
            if step == "tell": die()

        collecting.Collector(ledger, store.Store(folder / "ledger/store"), "hw1", ME).collect(
            FolderSource(folder / "in"), tell
        )

    for folder in sys.argv[1:]:
        step, number = Path(folder).name.split("-")
        if not (pid := os.fork()):
            collect(Path(folder), step, int(number))
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL, folder
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return made(tmp_path_factory.mktemp("template") / "course")


@pytest.fixture
def class_folder(tmp_path, template):
    return shutil.copytree(template, tmp_path / "course")


def made(folder):
    (folder / "in").mkdir(parents=True)
    for number, person in enumerate(STUDENTS):
        path = folder / "in" / f"{person.id}.py"
        path.write_text(f"x = {number % 20}\n")  # some have the same
        os.utime(path, (1_780_000_000 + number,) * 2)
    with Ledger(folder / "ledger") as ledger, ledger.writing() as session:
        people.apply(session, STUDENTS, ME, SHANGHAI)
    return folder


def collect_in(folder):
    with Ledger(folder / "ledger") as ledger:
        return Collector(ledger, Store(folder / "ledger/store"), "hw1", ME).collect(
            FolderSource(folder / "in"), lambda _: None
        )


def held(folder):
    """What ledger and store have: every row but for its number, and every file."""
    with Ledger(folder / "ledger") as ledger, ledger.reading() as session:
        rows = sorted(
            (row.name, row.sha256, row.origin, row.received, tuple(
                (word.how, tuple(one.student_id for one in word.students)) for word in row.recognitions
            ))
            for row in session.scalars(select(SubmissionRow))
        )  # fmt: skip
        assert problems_of(ledger) == []
        kept = Store(folder / "ledger/store")
        for _, sha256, *_ in rows:
            kept.files(sha256)  # there, and what it was
        assert session.query(Recognition).count() == len(rows)
    store = folder / "ledger/store"
    return rows, {path.relative_to(store): path.read_bytes() for path in store.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, template):
    folder = shutil.copytree(template, tmp_path_factory.mktemp("undisturbed") / "course")
    collect_in(folder)
    return held(folder)


MOMENTS = [
    *(("write", number) for number in (1, 4, 9)),
    *(("safe", number) for number in (1, 2, 3, 6)),
    *(("rename", number) for number in (1, 5, 12)),
    *(("row", number) for number in (1, 10, 13, 20, 26)),
    *(("commit", number) for number in (2, 3, 4, 5)),
    *(("tell", number) for number in (1, 8, 9, 25)),
]


@pytest.fixture(scope="module")
def killed(tmp_path_factory, template):
    """The folders of collections that were killed, each at its moment."""
    root = tmp_path_factory.mktemp("killed")
    folders = [shutil.copytree(template, root / f"{step}-{number}") for step, number in MOMENTS]
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), *map(str, folders)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    return root


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(("step", "number"), MOMENTS, ids=[f"{step} {number}" for step, number in MOMENTS])
def test_killed_at_any_moment_it_goes_on_where_it_was(killed, undisturbed, step, number):
    folder = killed / f"{step}-{number}"
    told = set((folder / "told").read_text().split()) if (folder / "told").exists() else set()
    rows, _ = held(folder)  # what the ledger has, the store has
    assert {row[0] for row in rows} >= told
    collect_in(folder)
    assert held(folder) == undisturbed


def test_a_source_that_breaks_off_leaves_what_it_gave(class_folder):
    class Broken(FolderSource):
        def __iter__(self):
            for number, found in enumerate(super().__iter__()):
                if number == 3:
                    raise KeyboardInterrupt
                yield found

    told = []
    with Ledger(class_folder / "ledger") as ledger:
        collector = Collector(ledger, Store(class_folder / "ledger/store"), "hw1", ME)
        with pytest.raises(KeyboardInterrupt):
            collector.collect(Broken(class_folder / "in"), told.append)
    assert len(told) == len(held(class_folder)[0]) == 3


def test_what_a_source_has_yielded_is_recorded_when_it_is_asked_for_the_next(class_folder):
    """One that notes how far it has come relies on it: what nobody has recorded would be lost."""
    seen = []

    class Noting:
        label = "imap:somewhere"

        def __iter__(self):
            for number, found in enumerate(FolderSource(class_folder / "in")):
                yield found
                seen.append((number + 1, len(held(class_folder)[0])))

    with Ledger(class_folder / "ledger") as ledger:
        Collector(ledger, Store(class_folder / "ledger/store"), "hw1", ME).collect(Noting(), lambda _: None)
    assert seen == [(number, number) for number in range(1, COUNT + 1)]


# --- a full disk ------------------------------------------------------------------------------------------------------


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["write", "safe", "rename", "ledger"])
def test_on_a_full_disk_nothing_is_half_recorded_and_it_goes_on_later(class_folder, undisturbed, where, monkeypatch):
    with monkeypatch.context() as broken:
        if where == "write":
            broken.setattr(Path, "write_bytes", full)
        elif where == "safe":
            broken.setattr(storing, "_make_safe", full)
        elif where == "rename":
            broken.setattr(Path, "replace", full)
        else:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL

            def fail(*_):
                raise OperationalError("INSERT", {}, error)

            broken.setattr("autograder.collect.known.KnownSubmissions.recorded", fail)
        with pytest.raises(NotWrittenError, match="can't be written") as caught:
            collect_in(class_folder)
        assert "collect again" in caught.value.hint
    rows, files = held(class_folder)
    assert rows == []
    assert not [name for name in files if name.suffix == ".part"]
    collect_in(class_folder)
    assert held(class_folder) == undisturbed


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root mounts")
def test_on_a_disk_that_is_really_full(template, undisturbed, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        folder = shutil.copytree(template, small / "course")
        filler = small / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(1 << 20))
        with pytest.raises(UsageError):
            collect_in(folder)
        filler.unlink()
        collect_in(folder)
        assert held(folder) == undisturbed
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_what_others_left_behind_is_removed_and_what_they_are_writing_is_not(tmp_path):
    store = Store(tmp_path / "store")
    store.keep({"a.py": b"1"})
    (folder,) = (tmp_path / "store").iterdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine, theirs, dead = (folder / f"x.{pid}.part" for pid in (os.getpid(), os.getppid(), ended.pid))
    for path in (mine, theirs, dead):
        path.touch()
    store.clean()
    assert [path.exists() for path in (mine, theirs, dead)] == [True, True, False]
