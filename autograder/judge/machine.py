"""What boxes can do on this machine, asked in boxes: does one start, which frameworks are there, with which devices.

The judge imports no framework to find out; a broken one ends its box and nothing else.
"""

from __future__ import annotations

import time
from typing import Literal, NamedTuple, get_args

from autograder.box.causes import BoxDied
from autograder.box.client import BoxClient, StudentRaised
from autograder.box.interpreter import Interpreter
from autograder.box.protocol import Call, Path, ProtocolError
from autograder.box.spec import BoxSpec
from autograder.box.values import Decoder
from autograder.judge import claims
from autograder.limits import Limits

Kind = Literal["cuda", "mps", "cpu"]
Name = Literal["torch", "tensorflow"]
FRAMEWORKS: tuple[Name, ...] = get_args(Name)
# A framework's first import on a cold disk behind a virus scanner takes a minute.
_LIMITS = Limits(import_s=180, call_s=120, attempt_s=300)
_MAIN = "machine.py"
_FAILURE_CHARS = 160  # torch lists its whole search path

_ASK = """\
import {framework}
from autograder.box import devices

def ask():
    return devices.available({framework!r})
"""


class KnownDevice(NamedTuple):
    """A device that a framework can compute on."""

    kind: Kind
    name: str
    memory_bytes: int


class KnownFramework(NamedTuple):
    """A framework, as its box told it. `failure`: why it can't be imported, though it is installed."""

    name: Name
    version: str = ""
    devices: tuple[KnownDevice, ...] = ()
    device_problem: str = ""
    failure: str = ""
    import_s: float = 0.0


class KnownBox(NamedTuple):
    """Whether a box starts at all."""

    isolation: str
    start_s: float
    failure: str = ""


def ask_box(python: Interpreter) -> KnownBox:
    """Start a box with nothing in it."""
    began = time.monotonic()
    box = BoxClient(BoxSpec({_MAIN: b""}, _MAIN, (), "cpu", _LIMITS, python=python))
    try:
        box.loaded()
        return KnownBox(box.isolation, time.monotonic() - began)
    except (BoxDied, StudentRaised) as error:
        return KnownBox(box.isolation, 0.0, _failure(error, box.take_output()))
    finally:
        box.close()


def ask_frameworks(python: Interpreter) -> list[KnownFramework]:
    """Ask each framework that this Python has for its devices, each in a box of its own, side by side."""
    began = time.monotonic()
    boxes = {name: BoxClient(_spec(name, python)) for name in FRAMEWORKS if python.has(name)}
    try:
        return [_ask(name, box, began) for name, box in boxes.items()]
    finally:
        for box in boxes.values():
            box.close()


def _spec(framework: Name, python: Interpreter) -> BoxSpec:
    source = _ASK.format(framework=framework).encode()
    return BoxSpec({_MAIN: source}, _MAIN, (framework,), limits=_LIMITS, python=python)


def _ask(framework: Name, box: BoxClient, began: float) -> KnownFramework:
    try:
        environment = box.loaded().environment
        import_s = time.monotonic() - began
        answer = box.request(lambda number: Call(id=number, target=Path("ask"), args=[], kwargs={}, seed=0), [])
        devices, problem = _devices(Decoder(answer.reader, lambda node: node).value(answer.value))
    except (BoxDied, StudentRaised, ProtocolError) as error:
        return KnownFramework(framework, failure=_failure(error, box.take_output()))
    version = (environment.torch if framework == "torch" else environment.tensorflow) or ""
    return KnownFramework(framework, claims.plain(version), devices, problem, import_s=import_s)


def _devices(told: object) -> tuple[tuple[KnownDevice, ...], str]:
    """Return what a box told, as `devices.Devices`; a broken framework may have changed even that."""
    match told:
        case (list(rows), str(problem)):
            return tuple(_device(row) for row in rows), claims.plain(problem)
    raise ProtocolError("not a list of devices")


def _device(row: object) -> KnownDevice:
    match row:
        case ("cuda" | "mps" | "cpu" as kind, str(), str(name), int(memory_bytes)) if memory_bytes >= 0:
            return KnownDevice(kind, claims.plain(name), memory_bytes)
    raise ProtocolError("not a device")


def _failure(error: Exception, output: str) -> str:
    if isinstance(error, StudentRaised):
        return claims.plain(f"{error.raised.type_name}: {error.raised.text}")[:_FAILURE_CHARS]
    said = output.strip().splitlines()
    return claims.plain(": ".join([f"{error}".strip(), *said[-1:]]))[:_FAILURE_CHARS]
