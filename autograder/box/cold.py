"""What a `bwrap` box goes through, from Debian's bubblewrap to the student's first line. Runs inside the box.

    bwrap    namespaces, a root of its own, no rights ─▶ Python, as pid 1
    init     tells the judge its pidfd ─▶ forks the worker ─▶ reaps, tells its end
    worker   its cgroups ─▶ rlimits ─▶ landlock ─▶ system call filter ─▶ imports numpy ─▶ reads the submission, serves

From init on it is `seal`, but for what bwrap has done already. Nothing is imported beforehand: where our own namespaces
can't be made, because the system allows them to some programs only, there is no zygote to fork from.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from autograder.box import seal, zygote
from autograder.box.linux import capabilities, mounts, namespaces, syscalls
from autograder.box.linux.python import needed_folders
from autograder.box.seal import Descriptors, Layer, SealRequest

_PACKAGE = Path(__file__).resolve().parents[1]


def main() -> None:
    """Become init, fork the worker, and serve in it."""
    numbers = [int(number) for number in sys.argv.pop().split(",")]
    request = msgspec.json.decode(sys.argv.pop(), type=SealRequest)
    descriptors = Descriptors.of(request, numbers)
    zygote.send_descriptor(descriptors.status, seal.STARTED, os.pidfd_open(os.getpid()))
    prepared = prepare()
    zygote.fork_only()
    seal.enter(request, descriptors, prepared, settle)
    zygote.work(request, [])


def prepare() -> seal.Prepared:
    """Return what the box is sealed by.

    SECURITY: without chmod and utime. Where root's Python is closed to others the box keeps root's number, and bwrap's
    devices are the machine's own, whose mode root may change.
    """
    return seal.prepare(needed_folders([_PACKAGE]), metadata=False)


def attempt() -> None:
    """Put on all that a box has on, and end: for the probe."""
    request = SealRequest(threads=1, memory_bytes=1 << 30, cpu_s=60, file_bytes=1 << 20, disk_bytes=1 << 20, files=64)
    prepared = prepare()
    settle(request)
    seal.limit(request, prepared)


def settle(request: SealRequest) -> None:
    """Do what is left of isolating this process, which bwrap has started without rights in namespaces of its own."""
    proc_self = namespaces.open_proc_self()
    seal.prefer_to_be_killed(proc_self)
    os.close(proc_self)
    os.chdir(mounts.SCRATCH / "work")
    capabilities.keep_only()  # those of the bounding set bwrap has dropped
    syscalls.set_no_new_privileges()
    if Layer.DUMPABLE not in request.without:
        syscalls.set_dumpable(dumpable=False)


if __name__ == "__main__":
    main()
