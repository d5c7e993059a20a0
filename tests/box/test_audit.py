"""docs/box-audit.md says what a student's process can reach, and it is so: found out anew, section by section."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from autograder.box.backends import NAMESPACES
from autograder.box.client import StudentRaised
from tests.box.conftest import BACKENDS, Driven, close, sealed_only

if sys.platform != "linux":
    pytest.skip("there are no sealed boxes elsewhere", allow_module_level=True)

from autograder.box import backends, sealed
from autograder.box.linux.policy import Allow, Profile, Refuse, rules
from autograder.box.seal import Layer
from tests.box import audit

COMMITTED = (Path(__file__).resolve().parents[2] / "docs" / "box-audit.md").read_text(encoding="utf-8")
AGAIN = "docs/box-audit.md is stale. If the change is meant: python -m tests.box.audit > docs/box-audit.md"

pytestmark = sealed_only


@pytest.fixture(scope="module")
def box() -> Iterator[Driven]:
    made = audit.open_box(NAMESPACES)
    yield made
    close(made.client)


def committed(heading: str) -> str:
    """Return a section of the page as it is committed."""
    found = re.search(rf"^## {heading}\n.*?(?=^## |\Z)", COMMITTED, re.MULTILINE | re.DOTALL)
    assert found, f"no section {heading!r}. {AGAIN}"
    return found[0].rstrip("\n") + "\n"


@pytest.mark.parametrize("heading", audit.SECTIONS)
def test_security_what_can_be_reached_is_what_the_page_says(box, heading):
    said, found = committed(heading).splitlines(), audit.section(box, heading).splitlines()
    difference = "\n".join(difflib.unified_diff(said, found, "committed", "found", lineterm=""))
    assert not difference, f"{difference}\n{AGAIN}"


# Of the other isolations: what is the same as in `namespaces`. The rest is in the words of docs/box.md.
IN_COMMON = {
    "bwrap": ("Landlock", "Descriptors", "Rights", "Limits", "System calls"),
    "restricted": ("Landlock", "Descriptors", "System calls"),
}


@pytest.fixture(scope="module", params=sorted({*IN_COMMON} & {*BACKENDS}))
def other(request: pytest.FixtureRequest) -> Iterator[tuple[str, Driven]]:
    made = audit.open_box(request.param)
    yield request.param, made
    close(made.client)


def test_security_what_other_boxes_have_in_common_with_the_page(other):
    isolation, box = other
    for heading in IN_COMMON[isolation]:
        assert audit.section(box, heading).rstrip("\n") + "\n" == committed(heading), (isolation, heading)


def test_security_what_no_page_of_another_box_could_list(other):
    """No folder's names can be read in a `restricted` box; in no box those files of /proc that only root may read."""
    isolation, box = other
    if isolation == "restricted":
        for folder in ("/", "/proc", "/etc", "/home"):
            with pytest.raises(StudentRaised, match="Permission denied"):
                box.call("walk", [], folder)
    # Whoever has init's number may see how many descriptors it has; not one of them can be looked at or opened.
    can_be_read = (path for path in box.call("closed", list(audit.CLOSED)) if audit.role(path))
    assert {path for path in can_be_read if box.call("entry", path)["kind"] != "device"} <= {"/proc/1/fd"}


@pytest.mark.parametrize(
    ("without", "heading", "shown"),
    [
        ({Layer.SECCOMP}, "Rights", "| `Seccomp` | 0 |"),
        ({Layer.CAPABILITIES}, "Rights", "| `CapEff` | 000001ffffffffff |"),
        ({Layer.NETWORK}, "Rights", "| `net` | no |"),
        ({Layer.RLIMITS}, "Limits", "| `DATA` | "),
        ({Layer.PROC}, "Mounts", "| `/proc` | proc | no |"),
        ({Layer.PROC}, "Processes", "the student's |\n| "),  # its zygote has a number, too
    ],
)
def test_a_layer_that_is_missing_is_seen(monkeypatch, without, heading, shown):
    monkeypatch.setattr(backends, "start", partial(sealed.start, without=tuple(sorted(without))))
    box = audit.open_box(NAMESPACES)
    try:
        found = audit.section(box, heading)
    finally:
        close(box.client)
    assert found.rstrip("\n") + "\n" != committed(heading)
    assert shown in found


def test_what_could_be_written_is_seen(monkeypatch, box):
    assert box.call("writable_below", "/proc/self", ["fd"]) == []
    monkeypatch.setattr(backends, "start", partial(sealed.start, without=(Layer.PROC, Layer.LANDLOCK)))
    other = audit.open_box(NAMESPACES)
    try:
        assert other.call("writable_below", "/proc/self", ["fd"])
        assert other.call("writable_below", "/scratch")
    finally:
        close(other.client)


def test_the_page_has_a_section_for_each_finding():
    assert re.findall(r"^## (.*)$", COMMITTED, re.MULTILINE) == [*audit.SECTIONS, audit.OUTSIDE]


# --- from outside -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assignment", ["hw1", pytest.param("hw2", marks=[pytest.mark.torch, pytest.mark.slow])])
def test_security_strace_sees_what_the_page_allows(assignment):
    """Which calls an honest attempt makes depends on kernel and Python; that they are allowed ones does not."""
    if shutil.which("strace") is None:
        if os.environ.get("GRADE_REQUIRE_ALL"):
            pytest.fail("strace is not installed, and GRADE_REQUIRE_ALL is set")
        pytest.skip("strace is not installed")
    if os.getuid() != 0:
        pytest.skip("an ordinary user may not trace what changes its user")
    seen = audit.traced(assignment)
    decided = rules(Profile())
    refused = {name for name, rule in decided.items() if isinstance(rule, Refuse)}
    assert {"read", "openat", "sendto"} <= seen.calls  # it was the worker that was looked at
    assert seen.calls <= set(decided) - refused
    assert not {name for name in seen.refused if isinstance(decided.get(name), Allow)}
    row = next(line for line in committed(audit.OUTSIDE).splitlines() if line.startswith(f"| {assignment} |"))
    assert {role for role in seen.opened if role not in row} == set()
