"""The attack corpus: what is tried against a sealed box, and the proof that nothing was gained by it.

What is tried and how it must end stands in attacks/attacks.yml. The judge has a secret in a file, in its environment
and in its memory; a neighbour forked from the same zygote has it in its submission and in its scratch folder.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil
import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from autograder.box import zygotes
from autograder.box.client import BoxClient, BoxDied, BoxSpec, StudentRaised
from autograder.limits import Limits
from autograder.results import Status
from tests.box.conftest import PYTHON, Driven, sealed_only

FOLDER = Path(__file__).with_name("attacks")
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

    def marks(self) -> Iterator[pytest.MarkDecorator]:
        if self.only and platform.machine() != self.only:
            yield pytest.mark.skip(reason=f"its numbers are {self.only}'s")


ATTACKS = [Attack.model_validate(row) for row in yaml.safe_load((FOLDER / "attacks.yml").read_text(encoding="utf-8"))]
TABLE = [pytest.param(attack, id=attack.file, marks=list(attack.marks())) for attack in ATTACKS]


class Target(NamedTuple):
    """What there is to be had."""

    secret: str
    facts: dict[str, Any]
    neighbour: Driven


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A course with a secret in it, a box that holds the same secret, and services that listen."""
    secret = f"SECRET-{secrets.token_hex(16)}"
    course = tmp_path_factory.mktemp("course")
    for folder in (course, *course.parents[:3]):
        with contextlib.suppress(PermissionError):
            folder.chmod(0o755)  # a file that the attacks could read, were it there
    hidden = course / "hidden_labels_7319.txt"
    hidden.write_text(secret)
    with pytest.MonkeyPatch.context() as patched, contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        patched.setenv("GRADE_SECRET", secret)
        abstract, file = f"grade-{secret[-8:]}", f"{course}/socket"
        for address in ("\0" + abstract, file):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
        Path(file).chmod(0o777)
        neighbour = open_box(f"HELD = {secret!r}\nopen('held', 'w').write(HELD)\ndef one(): return 1", "namespaces")
        neighbour.loaded()
        facts = {
            "course": str(course),
            "secret_file": str(hidden),
            "judge": os.getpid(),
            "neighbour": neighbour.client._running.process.members()[-1].pid,
            "port": server.getsockname()[1],
            "abstract": abstract,
            "socket": file,
        }
        yield Target(secret, facts, neighbour)
        neighbour.client.close()


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


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("attack", TABLE)
def test_security_attack(attack: Attack, target: Target) -> None:
    box = open_box((FOLDER / f"{attack.file}.py").read_text(), "namespaces", **attack.limits)
    try:
        with contextlib.suppress(BoxDied):
            box.loaded()
        members = box.client._running.process.members()
        came = outcome(box, target.facts)
        told = box.client.take_output()
    finally:
        box.client.close()
        box.client._output._thread.join(60)
    if attack.dies:
        assert came == {"dies": attack.dies}
    elif attack.raises:
        assert came["raises"] == attack.raises, came
    else:
        assert came == {"gains": {}}
    assert target.secret not in f"{came}{told}"
    assert not any(map(runs, members))
    assert target.neighbour.call("one") == 1
    assert all(zygote.alive for zygote in zygotes._zygotes.values())


@pytest.mark.parametrize("attack", [row for row in TABLE if row.values[0].unsealed])
def test_the_attack_is_one(attack: Attack, target: Target) -> None:
    box = open_box((FOLDER / f"{attack.file}.py").read_text(), "process", **attack.limits)
    facts = target.facts | {"neighbour": 10**6}  # which the signals would kill
    try:
        assert outcome(box, facts).get("gains")
    finally:
        box.client.close()
        box.client._output._thread.join(60)


def test_every_attack_is_in_the_table():
    files = {path.stem for path in FOLDER.glob("*.py")} - {"common"}
    assert files == {attack.file for attack in ATTACKS}
