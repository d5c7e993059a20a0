"""Status `forbidden`: the student's code ended in an exception because a system call of its was refused.

Two things have to come together. That a telling call was refused during the check is the kernel's word (autograder.box.
init). That the exception came of it is the box's: among its causes an OSError with the number that refused calls get,
or without one; a claim, which only ever turns `forbidden` back into `error`, and both score nothing. So a library that
tries a call by the way, and goes on when it is refused, costs nobody anything, nor does a file that is missing later.
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
_OF_THE_SYSTEM = "system"  # all others: mounts, namespaces, users, the kernel itself


def of_refusal(calls: tuple[str, ...], raised: Raised) -> Refused | None:
    """Return what to tell of the calls that were refused in a check; None where its exception came of something else.

    Args:
        calls: their names, in the order of their first use.
        raised: what the box told of the exception.
    """
    if not calls or _ERRNOS.isdisjoint(raised.errnos):
        return None
    call = calls[-1]
    kind = _KIND_OF.get(call, _OF_THE_SYSTEM)
    return Refused(text(f"check.forbidden_{kind}", call=_SHOWN.get(call, call)), text(f"hint.forbidden_{kind}"))
