"""Namespaces: what is not in one can't be named in it. And user ids: which of them a namespace knows."""

from __future__ import annotations

import os
import pwd
from enum import IntFlag
from typing import NamedTuple

from autograder.box.linux.syscalls import call, set_dumpable

INSIDE_ID = 1000  # of user and group in the box; an ordinary user's, so that nothing in it believes to be root

# SECURITY: root gives up its id before anything else. A number that owns no file and runs no service: were a namespace
# to leak, a user id that is used (nobody owns what NFS can't map) would reach something.
_FREE_IDS = range(64_000, 65_000)


class Namespace(IntFlag):
    """The kinds of namespaces, as unshare and clone take them."""

    TIME = 0x80
    MOUNT = 0x20000
    CGROUP = 0x2000000
    UTS = 0x4000000
    IPC = 0x8000000
    USER = 0x10000000
    PID = 0x20000000
    NETWORK = 0x40000000


ALL = Namespace.MOUNT | Namespace.CGROUP | Namespace.UTS | Namespace.IPC | Namespace.NETWORK


class Ids(NamedTuple):
    """Of a process, as the namespace above its own numbers them."""

    user: int
    group: int


def unshare(kinds: Namespace) -> None:
    """Move this process into new namespaces (its future children, for PID).

    Why: other processes can't be signalled, no network interface exists, mounts and host name are its own.
    """
    call("unshare", int(kinds))


def enter(descriptor: int, kind: Namespace) -> None:
    """Move this process (its future children, for PID) into a namespace that a descriptor of /proc/N/ns stands for."""
    call("setns", descriptor, int(kind))


def own_ids() -> Ids:
    """Return this process's ids."""
    return Ids(os.getuid(), os.getgid())


def unused_id() -> int:
    """Return a number that is no user of this machine."""
    return min(unused_ids())


def unused_ids() -> set[int]:
    """Return numbers that are no users of this machine."""
    return {number for number in _FREE_IDS if not _is_used(number)}


def _is_used(number: int) -> bool:
    # SECURITY: asked one by one: the list of all users would stay in the memory of the process that boxes are forked
    # from. And where users are kept by a directory service, it takes a minute.
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True


def become(user: int) -> None:
    """Turn a root process into an ordinary user's, for good.

    Why: the owner of a user namespace has all rights in it; owned by root, a mistake in any later layer would be
    root's. Groups first, then the group, then the user: after the user there is no right left to drop groups.
    """
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    # Changing ids made the process undumpable, and /proc/self/uid_map root's, which map_ids has to write.
    set_dumpable(dumpable=True)


def map_ids(outside: Ids, proc_self: int) -> None:
    """Give this process's new user namespace the one user and group it knows.

    Why: every id that is not mapped is nobody's, and files of it can't be owned, changed to or created.

    Args:
        outside: the ids that INSIDE_ID stands for in the namespace above.
        proc_self: a descriptor of /proc/self that can be written to; in a box /proc itself is read-only.
    """
    for name, content in (
        ("setgroups", "deny"),  # the kernel's condition for a group map that was not made by root
        ("uid_map", f"{INSIDE_ID} {outside.user} 1"),
        ("gid_map", f"{INSIDE_ID} {outside.group} 1"),
    ):
        descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc_self)
        try:
            os.write(descriptor, content.encode())
        finally:
            os.close(descriptor)


def open_proc_self() -> int:
    """Return a descriptor of /proc/self."""
    return os.open("/proc/self", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def name_host() -> None:
    """Set the host name to one that says nothing of this machine."""
    call("sethostname", b"box", len(b"box"))
