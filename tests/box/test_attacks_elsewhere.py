"""The attack corpus once more, against `bwrap` and `restricted`, as far as each promises.

`restricted` has no namespaces: what can't be opened still has a name. So there an attack may also end in the error that
it is refused with, and the table below says, with the reason, what is not promised at all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from autograder.box import zygotes
from autograder.box.probe import no_own_user
from tests.box.conftest import BACKENDS, Driven
from tests.box.test_attacks import ATTACKS, FOLDER, Attack, made_ledger, open_box, suffered

# By attack: gains that this isolation does not promise to refuse.
NOT_PROMISED: dict[str, dict[str, set[str]]] = {
    "bwrap": {
        "inodes": {"folders"},  # bubblewrap bounds the size of the scratch folder, and not how many files are in it
        "hard_links": {"links"},  # as files
        "device_metadata": {"mode", "time"},  # it says that it was done
        "write_system": {"mode"},
        "run_programs": {"library"},  # loaded from scratch; machine code it can make anyway, under the same filter
        "map_own_code": {"mapped"},  # the same
    },
    "restricted": {
        "run_programs": {"library"},
        "map_own_code": {"mapped"},
        "hard_links": {"links"},  # between two looks at the disk
        "inodes": {"folders"},
        "zip_bomb": {"bytes"},
        "device_metadata": {"mode", "time"},  # it says that it was done
        # Processes can be named, and asked about, not changed.
        "ask_about_others": {
            f"{who}'s {what}"
            for who in ("judge", "neighbour")
            for what in ("limits", "scheduler", "group", "session", "priority")
        },
        "read_course": {"stat"},  # that a file exists
        "write_system": {"mode"},  # says that it was done; test_security_metadata_is_left_alone
        "who_am_i": {"host", "node", "user", "folder"},  # the machine's
    },
}
if os.name == "posix" and os.getuid() == 0 and no_own_user() is not None:
    # Python is closed to all but root, so that boxes keep root's number without its rights: the kernel does not count
    # its threads, and lets it count the descriptors of init.
    NOT_PROMISED["restricted"] |= {"thread_bomb": {"threads"}}
    NOT_PROMISED["bwrap"] |= {"thread_bomb": {"threads"}, "init": {"descriptors"}}
if os.name == "posix" and os.getuid() != 0:
    # Boxes share the user's id: what is counted are all of that user's threads, with room for others to be started.
    NOT_PROMISED["restricted"] |= {"thread_bomb": {"threads"}}
# How an attack ends where it ends in another way, with as little gained.
ENDS: dict[str, dict[str, dict[str, Any]]] = {
    "restricted": {
        "own_session": {"raises": "PermissionError"},
        "inodes": {"dies": {"output": "files"}},
        "disk": {"dies": {"output": "disk"}},
        "zip_bomb": {"dies": {"output": "disk"}},
        "kill_own_group": {"raises": "PermissionError"},
        "hard_links": {"dies": {"output": "disk"}},
        "odd_file_names": {"dies": {"output": "depth"}},  # where the judge looks at the disk at that moment
    },
}
if os.name == "posix" and os.getuid() != 0:
    # No control group bounds it: what adds up all memory, libraries included, may look before the kernel says no.
    ENDS["bwrap"] = {name: {"dies": {"memory": "memory"}} for name in ("memory_in_lists", "memory_numpy")}
OTHERS = tuple(name for name in ("bwrap", "restricted") if name in BACKENDS)
GONE_S = 30.0
REFUSED = {"PermissionError", "FileNotFoundError", "OSError"}

pytestmark = pytest.mark.skipif(not OTHERS, reason="neither bwrap nor restricted works here")


class Target(NamedTuple):
    """What there is to be had from a box of one isolation."""

    isolation: str
    secret: str
    facts: dict[str, Any]
    neighbour: Driven


# Each attack starts a cold box under bwrap: two minutes, for the long run.
MARKS = {"bwrap": pytest.mark.slow, "restricted": pytest.mark.ci}


@pytest.fixture(scope="module", params=[pytest.param(one, marks=MARKS[one]) for one in OTHERS])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A secret in a file that everybody could read, in the judge, and in a neighbour; and services that listen."""
    isolation, secret = request.param, f"SECRET-{secrets.token_hex(16)}"
    course = tmp_path_factory.mktemp("course")
    for folder in (course, *course.parents[:2]):
        with contextlib.suppress(PermissionError):
            folder.chmod(folder.stat().st_mode | 0o055)
    hidden = course / "hidden_labels_7319.txt"
    hidden.write_text(secret)
    hidden.chmod(0o644)
    with pytest.MonkeyPatch.context() as patched, contextlib.ExitStack() as stack:
        patched.setenv("GRADE_SECRET", secret)
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract, file = f"grade-{secret[-8:]}", f"{course}/socket"
        for address in ("\0" + abstract, file):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
        Path(file).chmod(0o777)
        neighbour = open_box(f"HELD = {secret!r}\nopen('held', 'w').write(HELD)\ndef one(): return 1", isolation)
        neighbour.loaded()
        facts = {
            "course": str(course),
            "secret_file": str(hidden),
            "ledger": str(made_ledger(course, secret)),
            "judge": os.getpid(),
            "neighbour": neighbour.client._running.process.members()[-1].pid,
            "port": server.getsockname()[1],
            "abstract": abstract,
            "socket": file,
        }
        yield Target(isolation, secret, facts, neighbour)
        neighbour.client.close()


def expected(attack: Attack) -> dict[str, Any]:
    usual: dict[str, Any] = {"gains": {}}
    if attack.dies:
        usual = {"dies": attack.dies}
    elif attack.raises:
        usual = {"raises": attack.raises}
    return usual


@pytest.mark.parametrize(
    "attack", [pytest.param(attack, id=attack.file, marks=list(attack.marks())) for attack in ATTACKS]
)
def test_security_attack(attack: Attack, target: Target) -> None:
    isolation = target.isolation
    if isolation == "restricted" and attack.limits.get("processes"):
        pytest.skip("a restricted box has no processes")
    came, told, members = suffered(attack, isolation, target.facts)
    # What holds of every attack, whatever is promised.
    assert target.secret not in f"{came}{told}"
    assert not psutil.wait_procs(members, timeout=GONE_S)[1]
    assert target.neighbour.call("one") == 1
    assert all(zygote.alive for zygote in zygotes._zygotes.values())
    if "gains" in came:
        for gain in NOT_PROMISED[isolation].get(attack.file, set()):
            came["gains"].pop(gain, None)
    other = ENDS.get(isolation, {}).get(attack.file)
    if other is not None and {name: came.get(name) for name in other} == other:
        return
    wanted = expected(attack)
    refused = isolation == "restricted" and wanted == {"gains": {}} and came.get("raises") in REFUSED
    assert refused or {name: came.get(name) for name in wanted} == wanted, came


def test_what_is_not_promised_is_named_of_attacks_that_there_are():
    files = {path.stem for path in FOLDER.glob("*.py")}
    assert {name for table in (*NOT_PROMISED.values(), *ENDS.values()) for name in table} <= files
