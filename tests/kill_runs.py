"""Kill something of a class run at random moments, and go on each time: `python -m tests.kill_runs 50 namespaces`.

What is killed takes turns: the command itself, a judge zygote, a judge, a box zygote, what is in a box. Orphans become
children of this process, so none escapes the count. Once a class is graded it is compared with one that nobody has
disturbed, and the next begins. In JSON: what was killed, where the ledgers differ, and what is left.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from autograder.box import leftovers
from autograder.box.linux import cgroup
from autograder.box.linux.syscalls import Prctl, prctl
from autograder.gradebook import open_gradebook
from autograder.ledger.models import Attempt, SubmissionRow
from autograder.roster import Person
from tests.box import soak
from tests.box.kill_judges import left
from tests.tiny_course import COURSE, SOLUTION, WRONG, environment, make_course, write, wrong_answer

KINDS = ("command", "judge zygote", "judge", "box zygote", "box")
_EXIT_CODES = {0, 1, 3}  # all graded; some can't be; some failed by our fault, which is not told apart here
_RUN_S = 300.0
_LOOK_S = 0.005
_GONE_S = 60.0

_LOOP = "def add(a, b):\n    while a < 0: pass\n    return a + b\n"
_HOSTILE = """
import os, signal, sys, threading


def add(a, b):
    print('{"score": 40}', file=sys.stderr)
    for number in range(1, 30):
        try:
            os.kill(os.getppid(), signal.SIGKILL)
            os.fork()
        except Exception:
            pass
    os._exit(0)


def slope(xs, ys, seed=0):
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Graded(NamedTuple):
    """What the ledger has of an attempt, but for what no two attempts share."""

    submission: str
    key: str
    status: str
    score: float
    max_points: float
    checks: list[tuple[str, str, float, dict[str, list[float]]]]


def main() -> None:
    """Run, and print what came of it."""
    kills, isolation = int(sys.argv[1]), sys.argv[2]
    prctl(Prctl.SET_CHILD_SUBREAPER, 1)
    chance = random.Random(kills)
    pristine = _collected(Path(tempfile.mkdtemp()) / "course")
    # Mounts by number: what somebody else unmounts meanwhile hides none.
    mounts, groups = soak.mount_ids("self"), _groups()
    began = time.monotonic()
    undisturbed = _undisturbed(pristine, isolation)
    takes_s = time.monotonic() - began
    killed: Counter[str] = Counter()
    differences: list[str] = []
    still = 0
    while killed.total() < kills:
        course = _copy(pristine)
        for kind in _wanted(killed, kills):
            running = _grade(course, isolation)
            hit = _kill_one(running, kind, chance.uniform(0, takes_s))
            killed.update([kind] if hit else [])
            code = running.wait(_RUN_S)
            still += left()
            if not hit and code in _EXIT_CODES:  # it was done before
                break
        assert _grade(course, isolation).wait(_RUN_S) in _EXIT_CODES
        differences += _differences(undisturbed, graded(course), course)
    told = {
        "killed": killed,
        "attempts": len(undisturbed),
        "statuses": sorted({one.status for one in undisturbed}),
        "differences": differences,
        "processes": still,
        "mounts": len(soak.mount_ids("self") - mounts),
        "groups": _groups_left(groups),
        "scratch_folders": len(list(Path(tempfile.gettempdir()).glob(f"{leftovers.PREFIX}*"))),
        "judges_folders": len(list(Path(tempfile.gettempdir()).glob("grade-judges-*"))),
    }
    print(json.dumps(told))  # noqa: T201 - a program


# --- the class --------------------------------------------------------------------------------------------------------


def _collected(folder: Path) -> Path:
    """Make a course of twelve who have handed in: one hostile answer, one that never ends, one that is none."""
    make_course(folder)
    # Long enough for whatever ends; only one call of one submission does not.
    write(folder / "course.yml", COURSE.replace("call_s: 30", "call_s: 3"))
    sources = [SOLUTION, *(wrong_answer(name) for name in WRONG), _HOSTILE, _LOOP]
    for number, source in enumerate(sources):
        write(folder / "in" / f"{100 + number}.py", f"import numpy as np\n{source}")
    write(folder / "in" / f"{100 + len(sources)}.md", "An essay.")
    with open_gradebook(folder) as book:
        book.apply_roster([Person(str(100 + number), f"Student {number}") for number in range(len(sources) + 1)])
        book.collect("hw1", str(folder / "in"), None, lambda _: None)
    return folder


def _copy(course: Path) -> Path:
    """Return a copy of a course; in a folder of the same name, which the key of an attempt may not hang on anyway."""
    return Path(shutil.copytree(course, Path(tempfile.mkdtemp()) / course.name))


def _undisturbed(pristine: Path, isolation: str) -> list[Graded]:
    course = _copy(pristine)
    assert _grade(course, isolation).wait(_RUN_S) in _EXIT_CODES
    return graded(course)


def graded(course: Path) -> list[Graded]:
    """Return all attempts of a ledger."""
    with open_gradebook(course) as book, book.ledger.reading() as session:
        rows = session.query(Attempt, SubmissionRow).join(SubmissionRow)
        return sorted(_graded(attempt, submission.name) for attempt, submission in rows)


def _graded(attempt: Attempt, name: str) -> Graded:
    checks = [
        (one.check_id, one.status, one.score, {metric.name: metric.result["values"] for metric in one.metrics})
        for one in attempt.checks
    ]
    return Graded(name, attempt.key, attempt.status, attempt.score, attempt.max_points, checks)


def _differences(undisturbed: list[Graded], came: list[Graded], course: Path) -> Iterator[str]:
    for one in undisturbed:
        if one not in came:
            there = [other for other in came if other.submission == one.submission]
            yield f"lost, or another: {one}; there are {there}"
    names = Counter(one.submission for one in came)
    yield from (f"{count} times: {name}" for name, count in names.items() if count > 1)
    with open_gradebook(course) as book:
        yield from book.problems()


# --- killing ----------------------------------------------------------------------------------------------------------


def _grade(course: Path, isolation: str) -> subprocess.Popen[bytes]:
    arguments = ["run", "hw1", "--isolation", isolation, "--device", "cpu", "--jobs", "3"]
    return subprocess.Popen(
        [sys.executable, "-m", "autograder", *arguments],
        cwd=course, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _wanted(killed: Counter[str], kills: int) -> Iterator[str]:
    """Yield what is to be killed next, the rarest first, until there were so many."""
    while killed.total() < kills:
        yield min(KINDS, key=lambda kind: killed[kind])


def _kill_one(command: subprocess.Popen[bytes], kind: str, after_s: float) -> bool:
    """Kill a process of a kind, at a moment or as soon as there is one afterwards; return whether there was."""
    moment = time.monotonic() + after_s
    while command.poll() is None:
        if time.monotonic() >= moment and (found := _find(command.pid, kind)):
            try:
                random.Random(after_s).choice(found).kill()
            except psutil.NoSuchProcess:
                continue
            return True
        time.sleep(_LOOK_S)
    return False


def _find(command: int, kind: str) -> list[psutil.Process]:
    try:
        main = psutil.Process(command)
        if kind == "command":
            return [main]
        zygotes = {name: [one for one in main.children() if _is_zygote(one, name)] for name in ("judge", "box")}
        if kind.endswith("zygote"):
            # A sealed one is the child of what was started.
            started = zygotes[kind.split(maxsplit=1)[0]]
            return (
                started if kind == "judge zygote" else [*started, *(one for each in started for one in each.children())]
            )
        judges = [one for each in zygotes["judge"] for one in each.children()]
        if kind == "judge":
            return judges
        jailed = [one for each in zygotes["box"] for one in each.children()]
        return [one for each in [*jailed, *judges] for one in each.children(recursive=True)]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def _is_zygote(process: psutil.Process, name: str) -> bool:
    return any(f"autograder.{name}." in part for part in process.cmdline())


def _groups_left(before: set[Path]) -> int:
    """Return how many control groups stay. Another test kills judges, too; what they leave, their next one removes."""
    deadline = time.monotonic() + _GONE_S
    while (new := _groups() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    return len(new)


def _groups() -> set[Path]:
    """Return the control groups whose judge is gone."""
    try:
        places = cgroup.places()
    except OSError:
        return set()
    return {
        group
        for place in places
        for group in place.folder.glob("grade-box-*")
        if not Path("/proc", group.name.split("-")[2]).exists()
    }


if __name__ == "__main__":
    main()
