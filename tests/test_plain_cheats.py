"""Cheats against tests in notebook cells: what our kernels close, and what one process for both leaves open."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import psutil
import pytest

from tests.plain_cheats import CHEATS, RIGHT, SOURCE, WRONG, homework
from tests.plain_course import assignment, grade_all
from tests.tiny_course import write

pytestmark = pytest.mark.nbgrader

DOCUMENT = Path(__file__).parents[1] / "docs" / "nbgrader-plain.md"
LIMITS = (
    "c.GradeBoxProvisioner.disk_mb = 100",
    "c.GradeBoxProvisioner.file_mb = 100",
    "c.SafeExecute.output_mb = 8",
)


def graded(tmp_path, monkeypatch, cheats, *, stock, cell_s=30):
    """Grade a class of cheats, with two honest students beside them; return scores and what else came of it."""
    limits = (*LIMITS, f"c.SafeExecute.timeout = {cell_s}", f"c.Execute.timeout = {cell_s}")
    monkeypatch.setenv("TOKEN_OF_THE_INSTRUCTOR", "very secret")
    seconds = "9876543" if stock else "9876542"
    root = tmp_path / "course"
    with socket.create_server(("127.0.0.1", 0)) as server:
        answers = {"aaa_right": RIGHT, "aaa_wrong": WRONG} | {cheat.name: cheat.answer for cheat in cheats}
        students = {
            name: write(
                tmp_path / f"{name}.ipynb",
                homework(answer.replace("PORT", str(server.getsockname()[1])).replace("SECONDS", seconds)),
            )
            for name, answer in answers.items()
        }
        source = write(tmp_path / "the_source.ipynb", SOURCE)
        found = grade_all(root, {"hw": assignment(source, students)}, stock=stock, config=limits)["hw"]
        server.settimeout(0)
        try:
            server.accept()[0].close()
            sent = True
        except BlockingIOError:
            sent = False
    left = [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", seconds]]
    for process in left:
        process.kill()
    scores = {name: result[0] if result else None for name, result in found.items()}
    with sqlite3.connect(root / "gradebook.db") as db:
        manual = db.execute("select count(*) from grade where manual_score is not null").fetchone()[0]
    return scores, {
        "sent": sent,
        "left": bool(left),
        "planted": "PLANTED" in (root / "nbgrader_config.py").read_text(),
        "changed": manual > 0,
        "said": "very secret" in (root / "autograded/environment/hw/p1.ipynb").read_text(),
    }


FAST = [cheat for cheat in CHEATS if not cheat.slow]


def test_security_a_cheat_gets_what_is_documented_and_changes_nothing_else(tmp_path, monkeypatch):
    scores, effects = graded(tmp_path, monkeypatch, FAST, stock=False)
    assert scores == {"aaa_right": 7, "aaa_wrong": 0} | {cheat.name: cheat.boxed for cheat in FAST}
    assert not any(effects.values()), effects


@pytest.mark.slow
def test_security_the_same_cheats_succeed_against_nbgrader_as_it_comes(tmp_path, monkeypatch):
    scores, effects = graded(tmp_path, monkeypatch, FAST, stock=True)
    # The gradebook's forger has given everybody seven points; only who is graded after it shows what they earned.
    assert effects == dict.fromkeys(effects, True)
    assert {name for name, score in scores.items() if score is None} == {c.name for c in FAST if c.stock is None}


@pytest.mark.slow
def test_security_what_takes_too_much_is_ended_and_graded(tmp_path, monkeypatch):
    slow = [cheat for cheat in CHEATS if cheat.slow]
    environment = next(cheat for cheat in CHEATS if cheat.name == "environment")
    scores, _ = graded(tmp_path, monkeypatch, [*slow, environment], stock=False, cell_s=3)
    assert {cheat.name: scores[cheat.name] for cheat in slow} == {cheat.name: cheat.boxed for cheat in slow}


def row(cheat):
    stock = "no grade" if cheat.stock is None else f"{cheat.stock:g}"
    return f"| {cheat.says} | {stock} | {cheat.boxed:g} |"


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
def test_the_table_of_cheats_is_what_is_tested(cheat):
    assert row(cheat) in DOCUMENT.read_text(encoding="utf-8").splitlines()


def test_the_table_has_no_other_cheats():
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = lines.index("| what is tried | nbgrader as it comes | here |")
    table = lines[start + 2 :]
    assert table[: len(CHEATS) + 1] == [*map(row, CHEATS), ""]
