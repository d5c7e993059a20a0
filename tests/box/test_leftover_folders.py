"""Scratch folders end with their judge: at once, or when the next one starts a box."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from autograder.box import leftovers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks that end with their process are POSIX's")

ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import os, signal
from autograder.box import leftovers
folder = leftovers.make_scratch()
(folder / "work" / "file").write_text("left")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_scratch_folder_has_its_folders_and_leaves_nothing(scratch_root):
    before, locks = psutil.Process().num_fds(), {*leftovers._locks}  # that of a restricted zygote, say
    folder = leftovers.make_scratch()
    assert {path.name for path in folder.iterdir()} == {*leftovers.FOLDERS, "judge"}
    leftovers.remove(folder)
    assert list(scratch_root.iterdir()) == []
    assert {*leftovers._locks} == locks
    assert psutil.Process().num_fds() <= before  # what tests before this one had open may end meanwhile


def left_by_a_killed_judge(folder: Path) -> Path:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    (left,) = folder.glob("grade-box*")
    return left


def test_what_a_killed_judge_left_is_removed_by_the_next_that_starts_a_box(tmp_path):
    first, second = tmp_path / "once", tmp_path / "again"
    for folder in (first, second):
        folder.mkdir()
    left = left_by_a_killed_judge(first)
    assert (left / "work" / "file").exists()
    left_by_a_killed_judge(first)
    assert not left.exists()
    assert left_by_a_killed_judge(second).exists()


def test_what_a_judge_uses_is_not_removed(scratch_root):
    folder = leftovers.make_scratch()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch_root)}
    code = "from autograder.box import leftovers; leftovers.remove(leftovers.make_scratch())"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert folder.is_dir()
    leftovers.remove(folder)


def test_security_what_only_has_such_a_name_is_not_removed(tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "judge").touch()
    (tmp_path / "grade-box-link").symlink_to(precious)
    being_made = tmp_path / "grade-box-new"
    being_made.mkdir()
    linked_lock = tmp_path / "grade-box-linked-lock"
    linked_lock.mkdir()
    (linked_lock / "judge").symlink_to(precious / "judge")
    leftovers.remove_leftovers(tmp_path)
    assert (precious / "judge").exists()
    assert being_made.exists()
    assert linked_lock.exists()


def test_security_a_link_that_takes_a_folders_place_is_not_followed(tmp_path, monkeypatch):
    precious, folder = tmp_path / "precious", tmp_path / "folder"
    for made in (precious, folder / "inner"):
        made.mkdir(parents=True)
    (precious / "file").touch()
    open_ = os.open

    def swap_and_open(path, *arguments, **named):
        if path == "inner" and not (folder / path).is_symlink():
            (folder / path).rmdir()
            (folder / path).symlink_to(precious)
        return open_(path, *arguments, **named)

    monkeypatch.setattr(leftovers.shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(os, "open", swap_and_open)
    leftovers.remove_tree(folder)
    assert (precious / "file").exists()
    assert not folder.exists()


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="needs root, to give a folder away")
def test_security_a_folder_of_another_user_is_not_removed(tmp_path):
    folder = tmp_path / "grade-box-theirs"
    folder.mkdir()
    (folder / "judge").touch()
    os.chown(folder, 12345, 12345)
    leftovers.remove_leftovers(tmp_path)
    assert folder.exists()
    os.chown(folder, 0, 0)
    leftovers.remove_leftovers(tmp_path)
    assert not folder.exists()
