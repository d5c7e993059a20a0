"""Run a command as in a container: `python tests/box/docker_like.py root|user|unconfined PROGRAM ARGUMENT…` (as root).

What Docker's default profile takes away: the capabilities that are not among its fourteen, and, by a system call
filter, everything that makes or enters a namespace, mounts, traces, or loads into the kernel. Its root stays root, or
becomes an ordinary user; `unconfined` is its root without the filter, as its option seccomp=unconfined makes it. The
folder that Python is installed in is opened to all first, as it is in an image.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from autograder.box.linux import capabilities, mounts, namespaces, numbers, seccomp
from autograder.box.linux.namespaces import Namespace
from autograder.box.linux.policy import Allow, Bits, Refuse, Rule
from autograder.box.linux.syscalls import Prctl, prctl
from tests.box.ordinary_user import open_to_all

# CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE
# SETFCAP
DOCKERS = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
NAMESPACES = sum(kind for kind in Namespace if kind is not Namespace.TIME)
REFUSED = (
    "unshare setns mount umount2 pivot_root fsopen fsmount fsconfig fspick move_mount open_tree mount_setattr "
    "bpf perf_event_open userfaultfd keyctl add_key request_key kexec_load init_module finit_module "
    "open_by_handle_at quotactl sethostname syslog acct settimeofday clock_settime"
)


def refuse_what_docker_refuses() -> None:
    """Put on a filter like that of Docker's default profile."""
    refused: dict[str, Rule] = dict.fromkeys(REFUSED.split(), Refuse(errno.EPERM))
    refused |= {"clone": Bits(0, NAMESPACES, 0, errno.EPERM), "clone3": Refuse(errno.ENOSYS)}
    everything = {name: Allow() for name in numbers.this_machine()}
    program = seccomp.program_of(everything | refused)
    # What it does not name, Docker's filter allows here: the table of numbers has only what the box's filter decides.
    allowing = (*program[:-1], seccomp.Instruction(seccomp.RETURN, 0, 0, seccomp.ALLOW))
    seccomp.apply(seccomp.encode(allowing))


def main() -> None:
    """Become a container's root or user, and run the command."""
    namespaces.unshare(Namespace.MOUNT)
    mounts.make_private()
    open_to_all(Path(sys.base_prefix))
    if sys.argv[1] != "unconfined":
        refuse_what_docker_refuses()
    for number in range(capabilities.last_capability() + 1):
        if number not in DOCKERS:
            prctl(Prctl.CAPBSET_DROP, number)
    if sys.argv[1] == "user":
        namespaces.become(namespaces.unused_id())
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
