"""Status `forbidden`: the student's code ended in an exception because a system call of its was refused.

Two things have to come together. That a telling call was refused during the check is the kernel's word (`init` and
`answerer` of autograder.box). That the exception came of it is the box's: among its causes an OSError with the number
that refused calls get, or without one; a claim, which only ever turns `forbidden` back into `error`, and both score
nothing. So a library that tries a call by the way, and goes on when it is refused, costs nobody anything, nor does a
file that is missing later.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

from autograder.box.protocol import Raised
from autograder.messages import text


class Refused(NamedTuple):
    """Words for a call that was refused, as a verdict has them."""

    message: str
    hint: str


_KINDS = {
    "program": ("execve", "execveat"),
    "process": ("fork", "vfork", "clone"),
    "network": ("socket",),
    "peer": ("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"),
}
_KIND_OF = {call: kind for kind, calls in _KINDS.items() for call in calls}
_SHOWN = {"clone": "fork", "vfork": "fork", "execveat": "execve"}  # what libc makes of them, as people know it
_ERRNOS = frozenset([0, errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT])  # 0: an OSError that a library made
_TOO_MANY = errno.EAGAIN  # what a fork gets beyond those that are allowed; also what is only not ready yet
_OF_THE_SYSTEM = "system"  # all others: mounts, namespaces, users, the kernel itself


def of_refusal(calls: tuple[str, ...], raised: Raised, processes: int = 0) -> Refused | None:
    """Return what to tell of the calls that were refused in a check; None where its exception came of something else.

    Args:
        calls: their names, in the order of their first use.
        raised: what the box told of the exception.
        processes: how many the code may have at a time.
    """
    if not calls:
        return None
    call = calls[-1]
    kind, shown = _KIND_OF.get(call, _OF_THE_SYSTEM), _SHOWN.get(call, call)
    if processes and kind == "process" and _TOO_MANY in raised.errnos:
        return Refused(text("check.too_many_processes", call=shown, most=processes), text("hint.too_many_processes"))
    if _ERRNOS.isdisjoint(raised.errnos):
        return None
    return Refused(text(f"check.forbidden_{kind}", call=shown), text(f"hint.forbidden_{kind}"))
