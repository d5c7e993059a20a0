"""Landlock: which files may be opened, decided by the kernel's security hooks and not by what is mounted.

A second opinion on files: a mistake in the mounts would have to meet a mistake here. Where mounts can't be made (a
container without user namespaces) it is the only one; it then does not hide that a file exists, nor chmod and utime.
"""

from __future__ import annotations

import os
import stat
import struct
from enum import IntFlag
from typing import NamedTuple

from autograder.box.linux.syscalls import call

_CREATE_RULESET_VERSION = 1
_PATH_BENEATH = 1
_ABI_WITH_NETWORK, _ABI_WITH_IOCTL, _ABI_WITH_SCOPES = 4, 5, 6
_BITS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}  # of file rights; 16 from ABI 5 on
_NO_TCP = 0b11  # bind and connect are handled, and no rule allows any port
_SCOPES = 0b11  # no abstract sockets and no signals beyond the processes of this domain


class Right(IntFlag):
    """File rights, as the kernel numbers them."""

    EXECUTE = 1 << 0
    WRITE = 1 << 1
    READ = 1 << 2
    LIST = 1 << 3
    REMOVE_FILE = 1 << 5
    MAKE_CHARACTER_DEVICE = 1 << 6
    MAKE_SOCKET = 1 << 9
    MAKE_BLOCK_DEVICE = 1 << 11
    TRUNCATE = 1 << 14
    IOCTL_DEVICE = 1 << 15


_OF_FILES = Right.EXECUTE | Right.WRITE | Right.READ | Right.TRUNCATE | Right.IOCTL_DEVICE


class Rules(NamedTuple):
    """What may be opened, as paths; everything below a folder belongs to it. All else is refused."""

    libraries: tuple[str, ...]  # read, and mapped for execution
    readable: tuple[str, ...]  # read
    listed: tuple[str, ...]  # their names only
    writable: tuple[str, ...]  # everything but devices and execution
    devices: tuple[str, ...]  # read, written and controlled
    written: tuple[str, ...] = ()  # what is there is read and written; nothing is made
    sockets: tuple[str, ...] = ()  # folders where sockets may be made and removed, and nothing else


def abi() -> int:
    """Return which version of landlock this kernel has; 0 for none."""
    try:
        return call("landlock_create_ruleset", None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def ruleset_attributes(version: int) -> bytes:
    """Return what is handled, in the kernel's layout: it grows with the version, and unknown fields are an error."""
    handled = (1 << _BITS_BY_ABI.get(version, 16)) - 1
    fields = [handled]
    if version >= _ABI_WITH_NETWORK:
        fields.append(_NO_TCP)
    if version >= _ABI_WITH_SCOPES:
        fields.append(_SCOPES)
    return struct.pack(f"{len(fields)}Q", *fields)


def apply(rules: Rules) -> None:
    """Restrict this process and all that it will start. Needs no rights but no_new_privs. Can't be undone.

    Why: files stay closed even where a mount that should not be there is there.

    Raises:
        OSError: the kernel has no landlock, or refused.
    """
    version = abi()
    if not version:
        raise OSError("landlock: not in this kernel")
    attributes = ruleset_attributes(version)
    handled = (1 << _BITS_BY_ABI.get(version, 16)) - 1
    ruleset = call("landlock_create_ruleset", attributes, len(attributes), 0)
    try:
        for path, rights in _granted(rules, handled):
            _allow(ruleset, path, rights & handled)
        call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _granted(rules: Rules, handled: int) -> list[tuple[str, int]]:
    write = handled & ~(Right.EXECUTE | Right.MAKE_CHARACTER_DEVICE | Right.MAKE_BLOCK_DEVICE)
    return [
        *((path, int(Right.EXECUTE | Right.READ | Right.LIST)) for path in rules.libraries),
        *((path, int(Right.READ | Right.LIST)) for path in rules.readable),
        *((path, int(Right.LIST)) for path in rules.listed),
        *((path, write) for path in rules.writable),
        *((path, int(Right.READ | Right.WRITE | Right.IOCTL_DEVICE)) for path in rules.devices),
        *((path, int(Right.READ | Right.LIST | Right.WRITE | Right.TRUNCATE)) for path in rules.written),
        *((path, int(Right.LIST | Right.MAKE_SOCKET | Right.REMOVE_FILE)) for path in rules.sockets),
    ]


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:  # what is not there needs no rule
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES  # a folder's right on a file is an error
        call("landlock_add_rule", ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)
