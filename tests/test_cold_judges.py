"""Judges in spawned processes, as where no process can be forked warm: the same reports, and nothing left running."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from autograder.errors import UsageError
from autograder.judge.attempt import run_attempt
from autograder.judge.judges import ColdJudges
from autograder.judge.options import AttemptOptions
from tests.tiny_course import LOOP, SOLUTION, load, make_course, submission, without_times

LONG_S = 60.0
# As a program: an attempt that has ended and left its process idle, and one that never ends.
COMMAND = """
import sys
from pathlib import Path
from autograder.judge.judges import ColdJudges
from autograder.judge.options import AttemptOptions
from tests.tiny_course import LOOP, SOLUTION, load, submission

if __name__ == "__main__":
    with ColdJudges(2) as judges:
        assignment = load(Path(sys.argv[1]))
        both = [judges.start(assignment, submission(one), AttemptOptions()) for one in (SOLUTION, LOOP)]
        both[0].result()
        print("one has ended", flush=True)
        both[1].result()
"""


def test_they_make_the_reports_of_a_judge_in_this_process(tmp_path: Path) -> None:
    assignment = load(make_course(tmp_path / "course"))
    with ColdJudges(2) as judges:
        started = [judges.start(assignment, submission(one), AttemptOptions()) for one in (SOLUTION, LOOP[:20])]
        assert judges.wait(started)
        alone = run_attempt(assignment, submission(SOLUTION), AttemptOptions())
        assert without_times(started[0].result()) == without_times(alone)
        assert started[1].result().score == 0
    with ColdJudges(1) as judges, pytest.raises(UsageError, match="no task '9'"):
        judges.start(assignment, submission(SOLUTION), AttemptOptions(tasks=("9",))).result()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The program, one of its two attempts ended."""
    command = [sys.executable, "-c", COMMAND, str(make_course(tmp_path / "course"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "one has ended\n"
        yield started
        started.kill()


def test_killed_they_leave_no_process(running: subprocess.Popen[str]) -> None:
    judges = psutil.Process(running.pid).children()  # what they start comes and goes, and may bear their names
    assert len([process for process in judges if "spawn_main" in " ".join(process.cmdline())]) == 2
    below = psutil.Process(running.pid).children(recursive=True)
    running.kill()
    _, left = psutil.wait_procs(below, LONG_S)
    assert not left
    assert "Traceback" not in running.communicate()[1]


def test_interrupted_they_say_nothing_of_their_own(running: subprocess.Popen[str]) -> None:
    below = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGINT)
    said = running.communicate()[1]
    _, left = psutil.wait_procs(below, LONG_S)
    assert not left
    assert said.count("Traceback") == 1  # the program's
    assert said.endswith("KeyboardInterrupt\n")
