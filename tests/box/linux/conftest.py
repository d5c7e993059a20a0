"""Layers are tried in processes that are forked for it: a layer that is on can't be taken off again."""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from autograder.box.linux import mounts, namespaces
from autograder.box.linux.namespaces import Namespace

LINUX = sys.platform == "linux"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Nothing in here can be imported elsewhere."""
    return None if LINUX else True


class Outcome(NamedTuple):
    """What a forked process came to: what it returned, or its error; and its exit status (negative: a signal)."""

    value: Any
    error: str
    errno: int
    status: int


def in_fork(*steps: Callable[[], Any]) -> Outcome:
    """Run steps one after the other in a forked process; the last one's value is the outcome's."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _run_and_leave(steps, theirs)
    theirs.close()
    with ours, ours.makefile("rb") as said:
        text = said.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    told = json.loads(text) if text else {"value": None, "error": "", "errno": 0}
    return Outcome(**told, status=status)


def _run_and_leave(steps: tuple[Callable[[], Any], ...], out: socket.socket) -> None:
    told: dict[str, Any] = {"value": None, "error": "", "errno": 0}
    try:
        for step in steps:
            told["value"] = step()
    except OSError as error:
        told |= {"error": f"{type(error).__name__}: {error}", "errno": error.errno or 0, "value": None}
    except BaseException as error:  # noqa: BLE001 - whatever it is, this process ends here
        traceback.print_exc()
        told |= {"error": f"{type(error).__name__}: {error}", "value": None}
    finally:
        out.sendall(json.dumps(told).encode())
        os._exit(0)


def own_namespaces(kinds: Namespace = Namespace.MOUNT | Namespace.IPC | Namespace.UTS | Namespace.NETWORK) -> None:
    """Become an ordinary user with all rights in namespaces of its own: what a box is before its layers."""
    if os.getuid() == 0:
        namespaces.become(namespaces.unused_id())
    outside = namespaces.own_ids()
    namespaces.unshare(Namespace.USER | kinds)
    proc_self = namespaces.open_proc_self()
    namespaces.map_ids(outside, proc_self)
    os.close(proc_self)
    if Namespace.MOUNT in kinds:
        mounts.make_private()


@pytest.fixture(scope="session", autouse=True)
def _user_namespaces() -> None:
    """Skip where the system makes no user namespaces; under GRADE_REQUIRE_ALL that is a failure."""
    said = in_fork(own_namespaces)
    if said.error:
        if os.environ.get("GRADE_REQUIRE_ALL"):
            pytest.fail(f"no user namespaces here: {said.error}")
        pytest.skip(f"no user namespaces here: {said.error}")
