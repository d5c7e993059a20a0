"""Control groups: where they can be made, what is written there; and for real where this machine allows it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autograder.box.linux import cgroup
from autograder.box.linux.cgroup import Caps, Group, Place
from tests.box.linux.conftest import in_fork

MB = 1 << 20
CAPS = Caps(64 * MB, 20)

HYBRID = """\
9:name=systemd:/
8:pids:/
4:memory:/jobs/17
1:cpu,cpuacct:/jobs/17
0::/
"""
HYBRID_MOUNTS = """\
35 31 0:32 / {root}/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 / {root}/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / {root}/unified rw,relatime - cgroup2 cgroup2 rw
"""
UNIFIED_MOUNTS = "30 23 0:26 {mounted} {root} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_version_1_has_a_tree_for_memory(tmp_path):
    found = cgroup.find_places(HYBRID, HYBRID_MOUNTS.format(root=tmp_path))
    assert found == (Place(tmp_path / "memory/jobs/17", ("memory",), 1),)


@pytest.mark.parametrize(("mounted", "folder"), [("/", "user/box.scope"), ("/user", "box.scope")])
@pytest.mark.parametrize(
    ("enabled", "controllers"),
    [("memory pids\n", ("memory", "pids")), ("cpu memory\n", ("memory",)), ("cpu\n", None), ("\n", None)],
)
def test_version_2_has_one_tree_and_says_what_children_have(tmp_path, mounted, folder, enabled, controllers):
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "cgroup.subtree_control").write_text(enabled)
    found = cgroup.find_places("0::/user/box.scope\n", UNIFIED_MOUNTS.format(mounted=mounted, root=tmp_path))
    assert found == ((Place(tmp_path / folder, controllers, 2),) if controllers else ())


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder that behaves like a file system of groups: each new folder has the files of one."""
    mkdir, rmdir = Path.mkdir, Path.rmdir

    def make(folder: Path, *arguments, **named):
        mkdir(folder, *arguments, **named)
        for name in ("cgroup.procs", "tasks", "memory.events", "memory.oom_control"):
            (folder / name).write_text("")

    def remove(folder: Path):
        for file in folder.iterdir():
            file.unlink()
        rmdir(folder)

    monkeypatch.setattr(Path, "mkdir", make)
    monkeypatch.setattr(Path, "rmdir", remove)
    return tmp_path


@pytest.mark.parametrize(
    ("place", "there", "written"),
    [
        ((("memory",), 1), (), {"memory.limit_in_bytes": "67108864"}),
        (
            (("memory",), 1),
            ("memory.memsw.limit_in_bytes",),
            {"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864"},
        ),
        (
            (("memory", "pids"), 2),
            ("memory.swap.max",),
            {"memory.max": "67108864", "memory.swap.max": "0", "pids.max": "20"},
        ),
    ],
)
def test_the_limits_are_written_as_each_version_names_them(tree, place, there, written):
    for name in there:
        (tree / name).write_text("")
    group = Group((Place(tree, *place),), CAPS)
    (folder,) = (one for one in tree.iterdir() if one.is_dir())
    assert {name: (folder / name).read_text() for name in written} == written
    assert len(group.descriptors) == 1
    group.close()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("version", "file", "said", "exceeded"),
    [
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", True),
        (1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 0\n", False),
        (2, "memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 1\noom_group_kill 0\n", True),
        (2, "memory.events", "low 0\nmax 12\noom 3\noom_kill 0\n", False),
        (2, "memory.events", "", False),
    ],
)
def test_only_what_the_kernel_has_ended_counts_as_exceeded(tree, version, file, said, exceeded):
    group = Group((Place(tree, ("memory",), version),), CAPS)
    (folder,) = (one for one in tree.iterdir() if one.is_dir())
    (folder / file).write_text(said)
    assert group.memory_exceeded() is exceeded
    group.close()


@pytest.mark.parametrize(("version", "file"), [(1, "memory.max_usage_in_bytes"), (2, "memory.peak")])
@pytest.mark.parametrize(("said", "most"), [("123456\n", 123456), ("", 0)])
def test_the_most_memory_that_a_group_had_is_the_kernels_word(tree, version, file, said, most):
    group = Group((Place(tree, ("memory",), version),), CAPS)
    assert group.memory_peak() == 0
    (folder,) = (one for one in tree.iterdir() if one.is_dir())
    (folder / file).write_text(said)
    assert group.memory_peak() == most
    group.close()


def test_groups_of_judges_that_are_gone_are_removed(tree):
    group = Group((Place(tree, ("memory",), 1),), CAPS)
    (mine,) = (one for one in tree.iterdir() if one.is_dir())
    for file in mine.iterdir():  # a made-up one has real files in it, and could not be removed
        file.unlink()
    gone, other = tree / "grade-box-4194305-1234-7", tree / "grade-other"
    for folder in (gone, other):
        folder.mkdir()
    cgroup.remove_leftovers(tree)
    assert mine.exists()
    assert not gone.exists()
    assert other.exists()
    group.let_go()


def test_a_killed_judges_number_that_another_process_has_now_does_not_keep_its_groups(tree):
    pid, start = os.getpid(), int(cgroup.started(os.getpid()))
    before = tree / f"grade-box-{pid}-{start - 1}-7"
    before.mkdir()
    cgroup.remove_leftovers(tree)
    assert not before.exists()
    assert cgroup.started(4194305) == ""


# --- for real ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def places():
    try:
        return cgroup.places()
    except OSError as error:
        pytest.skip(f"no control groups here: {error}")


def groups_in(places) -> set[Path]:
    return {group for place in places for group in place.folder.glob(f"grade-box-{os.getpid()}-*")}


def use_memory() -> int:
    """Shared pages, which no limit of a process counts."""
    import mmap

    pages = mmap.mmap(-1, 200 * MB)
    for at in range(0, len(pages), 4096):
        pages[at] = 1
    return len(pages)


def test_security_a_group_ends_what_takes_more_memory_than_it_may(places):
    before = groups_in(places)  # of boxes that other tests have left to their judge, which is this process
    group = Group(places, CAPS)
    assert groups_in(places) - before
    try:
        assert in_fork(use_memory).status == 0
        assert not group.memory_exceeded()

        def join() -> None:
            for descriptor in group.descriptors:
                os.write(descriptor, b"0")

        assert in_fork(join, lambda: len(bytearray(16 * MB))).value == 16 * MB
        assert not group.memory_exceeded()
        assert in_fork(join, use_memory).status == -9
        assert group.memory_exceeded()
    finally:
        group.close()
    assert groups_in(places) <= before


def test_security_a_groups_name_does_not_tell_which_one_it_is():
    """A box of bubblewrap's can read it; counted, it would tell the public checks' box from those of hidden ones."""
    first, second = (int(Group((), CAPS)._name.rpartition("-")[2], 16) for _ in range(2))
    assert abs(first - second) > 1 << 20
