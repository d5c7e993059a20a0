"""The attack corpus: what is tried against a sealed box, and the proof that nothing was gained by it.

What is tried and how it must end stands in attacks/attacks.yml. The judge has a secret in a file, in its environment
and in its memory; a neighbour forked from the same zygote has it in its submission and in its scratch folder.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import psutil
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from autograder.box import backends, sealed, worker, zygotes
from autograder.box.causes import BoxDied
from autograder.box.client import BoxClient, StudentRaised
from autograder.box.seal import Layer
from autograder.box.spec import BoxSpec
from autograder.limits import Limits
from autograder.results import Status
from tests.box.conftest import PYTHON, Driven, sealed_only

FOLDER = Path(__file__).with_name("attacks")
ENDS_WITHIN_S = 60
QUICK = {"import_s": 60, "call_s": 60, "attempt_s": 300, "threads": 2}

pytestmark = sealed_only


class Attack(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    raises: str = ""
    dies: dict[Status, str] = {}
    unsealed: Literal["", "gains"] = ""
    limits: dict[str, float] = {}
    only: Literal["", "x86_64"] = ""
    without: tuple[Layer, ...] = ()
    rights: Literal["", "root"] = ""
    kernel: str = "5.13"
    why_no_proof: str = ""

    @model_validator(mode="after")
    def _is_proved_or_says_why_not(self) -> Self:
        if bool(self.unsealed or self.without) == bool(self.why_no_proof):
            raise ValueError(
                f"{self.file}: either `unsealed` or `without` proves that it is an attack, or `why_no_proof`"
            )
        return self

    def marks(self) -> Iterator[pytest.MarkDecorator]:
        if self.only and platform.machine() != self.only:
            yield pytest.mark.skip(reason=f"its numbers are {self.only}'s")

    def marks_of_proof(self) -> Iterator[pytest.MarkDecorator]:
        yield from self.marks()
        if self.rights == "root" and os.getuid() != 0:
            yield pytest.mark.skip(reason="for root")
        if _version(platform.release()) < _version(self.kernel):
            yield pytest.mark.skip(reason=f"what it tries came with Linux {self.kernel}")


def _version(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)[:2]]


ATTACKS = [Attack.model_validate(row) for row in yaml.safe_load((FOLDER / "attacks.yml").read_text(encoding="utf-8"))]
TABLE = [pytest.param(attack, id=attack.file, marks=list(attack.marks())) for attack in ATTACKS]
PROOFS = [pytest.param(attack, id=attack.file, marks=list(attack.marks_of_proof())) for attack in ATTACKS]

# What all boxes read, and must be tomorrow what it is today.
SHARED = tuple(str(file) for file in (np.__file__, os.__file__, worker.__file__, FOLDER / "common.py"))


class Target(NamedTuple):
    """What there is to be had."""

    secret: str
    facts: dict[str, Any]
    neighbour: Driven
    listeners: tuple[socket.socket, ...]

    def was_called(self) -> bool:
        """Whether anybody has connected to one of the services."""
        for listener in self.listeners:
            with contextlib.suppress(BlockingIOError):
                listener.accept()[0].close()
                return True
        return False


NEIGHBOUR = """
HELD = "{}"
open("held", "w").write(HELD)
def held(): return open("held").read() if open("held").read() == HELD else "changed"
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A course with a secret in it, a box that holds the same secret, and services that listen."""
    secret = f"SECRET-{secrets.token_hex(16)}"
    course = tmp_path_factory.mktemp("course")
    for folder in (course, *course.parents[:2]):
        with contextlib.suppress(PermissionError):
            folder.chmod(folder.stat().st_mode | 0o055)  # a file that the attacks could read, were it there
    hidden = course / "hidden_labels_7319.txt"
    hidden.write_text(secret)
    with pytest.MonkeyPatch.context() as patched, contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listeners = [server]
        patched.setenv("GRADE_SECRET", secret)
        abstract, file = f"grade-{secret[-8:]}", f"{course}/socket"
        for address in ("\0" + abstract, file):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
            listeners.append(listener)
        for listener in listeners:
            listener.setblocking(False)
        Path(file).chmod(0o777)
        neighbour = open_box(NEIGHBOUR.format(secret), "namespaces")
        assert neighbour.call("held") == secret
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
        yield Target(secret, facts, neighbour, tuple(listeners))
        neighbour.client.close()


def made_ledger(course: Path, secret: str) -> Path:
    """Make a file with scores that everybody could read and change, were it there."""
    file = course / "ledger" / "ledger.sqlite"
    file.parent.mkdir()
    with contextlib.closing(sqlite3.connect(file)) as ledger, ledger:
        ledger.execute("CREATE TABLE finals (student TEXT, points TEXT)")
        ledger.execute("INSERT INTO finals VALUES ('neighbour', ?)", (secret,))
    file.parent.chmod(0o777)
    file.chmod(0o666)
    return file


def open_box(source: str, isolation: str, **limits: float) -> Driven:
    files = {"answer.py": source.encode(), "common.py": (FOLDER / "common.py").read_bytes()}
    made = Limits.model_validate(QUICK | limits)
    return Driven(BoxClient(BoxSpec(files, "answer.py", (), "cpu", made, isolation=isolation, python=PYTHON)))


def outcome(box: Driven, facts: dict[str, Any]) -> dict[str, Any]:
    """Run the attack, and return what came: what it gained, its exception, or how the box died."""
    try:
        return {"gains": box.call("attack", facts)}
    except StudentRaised as error:
        return {"raises": error.raised.type_name, "text": error.raised.text}
    except BoxDied as error:
        return {"dies": {error.cause.status: error.cause.kind}}


def still_running(members: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that don't end. What the kernel has ended goes on giving its memory back for a while."""
    alive = psutil.wait_procs(members, timeout=ENDS_WITHIN_S)[1]
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def seen(files: tuple[str, ...]) -> list[tuple[int, ...]]:
    """What would tell that a file was changed; not when it was read."""
    found = [Path(file).stat() for file in files]
    return [(one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_mode, one.st_nlink) for one in found]


def suffered(attack: Attack, isolation: str, facts: dict[str, Any]) -> tuple[dict[str, Any], str, list[psutil.Process]]:
    """Run an attack in a box of its own; return what came of it, what was printed, and the processes there were."""
    box = open_box((FOLDER / f"{attack.file}.py").read_text(), isolation, **attack.limits)
    try:
        with contextlib.suppress(BoxDied):
            box.loaded()
        members = box.client._running.process.members()
        return outcome(box, facts), box.client.take_output(), members
    finally:
        box.client.close()
        box.client._output._thread.join(60)


@pytest.mark.parametrize("attack", TABLE)
def test_security_attack(attack: Attack, target: Target) -> None:
    files = (*SHARED, *(target.facts[name] for name in ("secret_file", "course", "ledger")))
    before = seen(files)
    while target.was_called():  # by a test before this one
        pass
    came, told, members = suffered(attack, "namespaces", target.facts)
    if attack.dies:
        assert came == {"dies": attack.dies}
    elif attack.raises:
        assert came["raises"] == attack.raises, came
    else:
        assert came == {"gains": {}}
    assert target.secret not in f"{came}{told}"
    assert still_running(members) == []
    assert not target.was_called()
    assert target.neighbour.call("held") == target.secret
    assert seen(files) == before
    assert all(zygote.alive for zygote in zygotes._zygotes.values())


@pytest.mark.parametrize("attack", [row for row in PROOFS if row.values[0].unsealed])
def test_the_attack_is_one(attack: Attack, target: Target) -> None:
    box = open_box((FOLDER / f"{attack.file}.py").read_text(), "process", **attack.limits)
    facts = target.facts | {"neighbour": 10**6}  # which the signals would kill
    try:
        assert outcome(box, facts).get("gains")
    finally:
        box.client.close()
        box.client._output._thread.join(60)
    if attack.file in CALLS:
        assert target.was_called()


CALLS = frozenset(["network", "unix_sockets"])


@pytest.mark.parametrize("attack", [row for row in PROOFS if row.values[0].without])
def test_the_attack_is_one_where_its_layers_are_left_out(attack: Attack, target: Target, monkeypatch) -> None:
    monkeypatch.setattr(backends, "start", partial(sealed.start, without=attack.without))
    box = open_box((FOLDER / f"{attack.file}.py").read_text(), "namespaces", **attack.limits)
    try:
        assert outcome(box, target.facts).get("gains")
    finally:
        box.client.close()
        box.client._output._thread.join(60)


def test_every_attack_is_in_the_table():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"common"}
    assert sorted(files) == sorted(attack.file for attack in ATTACKS)


@pytest.mark.parametrize(
    "said", [{}, {"unsealed": "gains", "why_no_proof": "none"}, {"without": ["proc"], "why_no_proof": "none"}]
)
def test_an_attack_has_a_proof_or_a_reason_for_having_none(said):
    with pytest.raises(ValidationError, match="why_no_proof"):
        Attack.model_validate({"file": "sleep", **said})


# Waits, or wakes who waits, at a word of a file that all boxes see.
SIGNALS = """
import ctypes, mmap, os, platform
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
WORD = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, os.open(os.__file__, os.O_RDONLY), 0)
FUTEX = {"x86_64": 202, "aarch64": 98}[platform.machine()]
FOR = (ctypes.c_long * 2)(20, 0)

def waits():
    return libc.syscall(FUTEX, ctypes.c_void_p(WORD), 0, ctypes.c_uint32.from_address(WORD), FOR, None, 0)

def wakes():
    return libc.syscall(FUTEX, ctypes.c_void_p(WORD), 1, 1, None, None, 0)
"""


def test_two_boxes_at_the_same_time_can_signal_to_each_other_as_the_page_says() -> None:
    """No promise, and so what a box can hear must not come out by what it may still say (test_cheats)."""
    waiting, waking = open_box(SIGNALS, "namespaces"), open_box(SIGNALS, "namespaces")
    heard: list[Any] = []
    thread = threading.Thread(target=lambda: heard.append(waiting.call("waits")))
    try:
        waiting.loaded()
        thread.start()
        while waking.call("wakes") == 0 and thread.is_alive():
            time.sleep(0.01)
        thread.join()
        assert heard == [0]
    finally:
        for box in (waiting, waking):
            box.client.close()
            box.client._output._thread.join(60)
