"""Mounts: a root with a Python in it and nothing else, read-only; and a scratch folder with a size.

    build_root      once, for the process that the boxes are forked from
    mount_proc      for each of them: its own processes, and no others
    mount_scratch   for each of them: one quota for everything that it writes
    mount_datasets  for those of them that may: datasets, read-only

All of them in a mount namespace of this process's own: nothing is mounted on the machine.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Mapping
from enum import IntFlag
from pathlib import Path
from typing import NamedTuple

from autograder.box.linux.syscalls import call

SCRATCH = Path("/scratch")
FOLDERS = ("work", "home", "tmp", "shm")  # of the scratch folder
DATASETS = Path("/datasets")  # as autograder.box.mounted has it
_SLACK_BYTES = 1 << 20  # files fill whole pages
_OLD_ROOT = "/.old"
SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_DEVICES = ("null", "zero", "full", "random", "urandom")
COVERED = ("keys", "key-users", "locks", "sys/fs/file-nr", "sys/fs/inode-nr", "sys/fs/dentry-state")
_ROOT_OPTIONS = b"size=4m,nr_inodes=4096,mode=755"
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTRIBUTES_SIZE = 32


class Flag(IntFlag):
    """Flags of mount(2)."""

    READ_ONLY = 1
    NO_SETUID = 2
    NO_DEVICES = 4
    NO_EXECUTION = 8
    REMOUNT = 32
    BIND = 4096
    RECURSIVE = 16384
    PRIVATE = 1 << 18


_DETACH = 2
_INERT = Flag.NO_SETUID | Flag.NO_DEVICES
# The same as attributes of mount_setattr(2), which knows no other names for them.
_READ_ONLY_ATTRIBUTES = 1 | 2 | 4
# What a remount in a user namespace must repeat, for the kernel refuses to take it away: by os.statvfs and by mount(2).
_LOCKED = {
    os.ST_NOSUID: 2, os.ST_NODEV: 4, os.ST_NOEXEC: 8, os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048,
    os.ST_RELATIME: 1 << 21,
}  # fmt: skip


class Quota(NamedTuple):
    """What all files of a box together may take."""

    disk_bytes: int
    files: int


class RootPlan(NamedTuple):
    """What is in the root, besides devices and the few files of /etc that libraries read."""

    stage: str  # an existing folder to build it on; what lies in it is not hidden from the build
    folders: tuple[str, ...]  # seen where they are, read-only
    nodes: tuple[tuple[str, str], ...] = ()  # devices beside the usual ones: where they are, their name in /dev


def build_root(plan: RootPlan) -> None:
    """Leave the machine's files for a root that has the plan's folders in it and nothing else.

    Why: what is not mounted has no name. Hidden checks, other submissions, home folders, keys and sockets of services
    are not forbidden here, they are absent. pivot_root and not chroot: from a chroot root's power leads out again, and
    the old root would stay mounted.

    The order is bubblewrap's: an empty file system first, then into it, then bind from the old root, which is below
    the new one for that while, then take the old root away.
    """
    make_private()
    call("mount", b"tmpfs", plan.stage.encode(), b"tmpfs", int(_INERT), _ROOT_OPTIONS)
    Path(plan.stage + _OLD_ROOT).mkdir()
    call("pivot_root", plan.stage.encode(), (plan.stage + _OLD_ROOT).encode())
    os.chdir("/")
    _link_system_folders()
    for folder in plan.folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
        bind_read_only(_OLD_ROOT + folder, folder)
    _make_etc()
    _make_devices(plan.nodes)
    for name in ("/proc", str(SCRATCH), str(DATASETS)):
        Path(name).mkdir(exist_ok=True)
    # The machine's /proc stays in place until the box's own covers it: the kernel lets a user namespace mount one only
    # where one is to be seen already.
    call("mount", f"{_OLD_ROOT}/proc".encode(), b"/proc", None, int(Flag.BIND | Flag.RECURSIVE), None)
    with contextlib.suppress(FileExistsError):  # a folder there, where Python itself is installed below /tmp
        Path("/tmp").symlink_to(SCRATCH / "tmp")  # noqa: S108 - the box's own, a link into its quota
    call("umount2", _OLD_ROOT.encode(), _DETACH)
    Path(_OLD_ROOT).rmdir()
    call("mount", None, b"/", None, int(Flag.REMOUNT | Flag.BIND | Flag.READ_ONLY | _INERT), None)


def make_private() -> None:
    """Keep what is mounted from here on to this namespace; otherwise it would appear on the machine as well."""
    call("mount", None, b"/", None, int(Flag.RECURSIVE | Flag.PRIVATE), None)


def mount_proc(*, read_only: bool) -> None:
    """Mount the /proc of this process's pid namespace.

    Why: another namespace's would name processes that can't be reached, and tell what runs on the machine. Read-only
    for the box: /proc/sys and oom_score_adj are files.
    """
    flags = _INERT | Flag.NO_EXECUTION | (Flag.READ_ONLY if read_only else Flag(0))
    call("mount", b"proc", b"/proc", b"proc", int(flags), None)


def cover_proc() -> None:
    """Put nothing in the place of those files of /proc that no namespace divides.

    Why: they tell of the judge's user and of the whole machine: keys (of a Kerberos login, say) by name, who locks
    which file, how many files are open and how many processes have been started.
    """
    for name in COVERED:
        with contextlib.suppress(FileNotFoundError):  # a kernel without keys, or without this setting
            call("mount", b"/dev/null", f"/proc/{name}".encode(), None, int(Flag.BIND), None)


def mount_scratch(quota: Quota) -> None:
    """Mount an empty scratch folder with a size of its own.

    Why: it is all that the box can write to, so that nothing is left over, no disk is filled and no box finds what
    another wrote. /tmp and /dev/shm lead into it, so that there is one quota and not three.
    """
    options = f"size={quota.disk_bytes},nr_inodes={quota.files},mode=700".encode()
    call("mount", b"tmpfs", str(SCRATCH).encode(), b"tmpfs", int(_INERT | Flag.NO_EXECUTION), options)
    for name in FOLDERS:
        (SCRATCH / name).mkdir(mode=0o700)


def mount_datasets(files: Mapping[str, int]) -> None:
    """Mount a file system with copies of files in it, read-only.

    Why: what the course lets the student's code read is not the student's to change, nor part of the quota. Copies,
    for a bind would need the folder in the root that all boxes share, those of hidden checks too, or else rights in the
    judge's mount namespace, which an ordinary user lacks. What was never mounted need not be taken away.

    Args:
        files: descriptors of what is copied, by paths below the folder.
    """
    size = sum(os.fstat(source).st_size for source in files.values()) + _SLACK_BYTES
    flags = _INERT | Flag.NO_EXECUTION
    call("mount", b"tmpfs", str(DATASETS).encode(), b"tmpfs", int(flags), f"size={size},mode=755".encode())
    for name, source in files.items():
        target = DATASETS / name
        target.parent.mkdir(exist_ok=True)
        with target.open("xb") as copy:
            _copy(source, copy.fileno())
    remount = Flag.REMOUNT | Flag.BIND | Flag.READ_ONLY
    call("mount", None, str(DATASETS).encode(), None, int(flags | remount), None)


def _copy(source: int, target: int) -> None:
    at, size = 0, os.fstat(source).st_size
    while at < size:  # from a place that is named: the descriptor's own is shared with other boxes
        copied = os.sendfile(target, source, at, size - at)
        if not copied:
            raise OSError("a dataset's file was cut short while it was copied")
        at += copied


def bind_read_only(source: str, target: str) -> None:
    """Show a folder, with all that is mounted below it, read-only at another place."""
    call("mount", source.encode(), target.encode(), None, int(Flag.BIND | Flag.RECURSIVE), None)
    attributes = struct.pack("4Q", _READ_ONLY_ATTRIBUTES, 0, 0, 0)
    try:
        call("mount_setattr", _AT_FDCWD, target.encode(), _AT_RECURSIVE, attributes, _ATTRIBUTES_SIZE)
    except OSError:  # before Linux 5.12
        _remount_each_read_only(target)


def _remount_each_read_only(target: str) -> None:
    # SECURITY: each by itself. The old call changes one mount: a disk mounted below the folder would stay writable.
    for mounted in mounts_below(target, Path("/proc/self/mountinfo").read_text()):
        if not Path(mounted).exists():  # covered by a later mount, and so out of reach
            continue
        flags = Flag.REMOUNT | Flag.BIND | Flag.READ_ONLY | _INERT | locked_flags(mounted)
        call("mount", None, mounted.encode(), None, int(flags), None)


def mounts_below(folder: str, mountinfo: str) -> list[str]:
    """Return the places that are mounted at or below a folder, from the text of /proc/self/mountinfo."""
    places = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return [place for place in places if place == folder or place.startswith(folder.rstrip("/") + "/")]


def locked_flags(place: str) -> int:
    """Return the flags that a remount of a place has to keep."""
    set_there = os.statvfs(place).f_flag
    return sum(flag for seen, flag in _LOCKED.items() if set_there & seen)


# --- what is in the root ----------------------------------------------------------------------------------------------


def _link_system_folders() -> None:
    """Make /bin, /lib and their like what they are on this machine: links into /usr, or folders."""
    for name in SYSTEM_LINKS:
        old = Path(f"{_OLD_ROOT}/{name}")
        if old.is_symlink():
            Path(f"/{name}").symlink_to(old.readlink())
        elif old.is_dir():
            Path(f"/{name}").mkdir()
            bind_read_only(str(old), f"/{name}")


# SECURITY: named one by one. /etc has keys, passwords' hashes and the names of this machine's users.
ETC = ("ld.so.cache", "localtime", "timezone", "mime.types")
ETC_MADE = {
    "passwd": "student:x:1000:1000::/scratch/home:/bin/false\n",
    "group": "student:x:1000:\n",
    "hosts": "127.0.0.1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def _make_etc() -> None:
    etc = Path("/etc")
    etc.mkdir(exist_ok=True)
    for name, content in ETC_MADE.items():
        (etc / name).write_text(content)
    for name in ETC:
        old = Path(f"{_OLD_ROOT}/etc/{name}")
        if old.is_symlink():  # a time zone's file, in /usr
            (etc / name).symlink_to(old.readlink())
        elif old.is_file():
            (etc / name).write_bytes(old.read_bytes())


def _make_devices(nodes: tuple[tuple[str, str], ...]) -> None:
    """Make /dev: five devices that keep nothing and reach nothing, links, and the nodes that were granted.

    A node that this machine does not have is left out: whoever needs it says so.
    """
    dev = Path("/dev")
    dev.mkdir()
    usual = ((f"/dev/{name}", name) for name in _DEVICES)
    for source, name in (*usual, *(node for node in nodes if Path(_OLD_ROOT + node[0]).exists())):
        (dev / name).touch()
        call("mount", f"{_OLD_ROOT}{source}".encode(), f"/dev/{name}".encode(), None, int(Flag.BIND), None)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (dev / name).symlink_to(f"/proc/self/fd/{number}")
    (dev / "fd").symlink_to("/proc/self/fd")
    (dev / "shm").symlink_to(SCRATCH / "shm")


def device_paths() -> tuple[str, ...]:
    """Return the devices that are there."""
    return tuple(f"/dev/{name}" for name in _DEVICES)
