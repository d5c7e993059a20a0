"""Many submissions through `grade run`: how many a minute, and that memory stays where it is.

    python benchmarks/many.py [--submissions 100] [--jobs 2]          # 2000: a whole course, half an hour on two cores

hw1's reference solution with a line of its own in each, so that nothing could be remembered. Beside the run stands the
same solution through `grade check`, one process each, which is what a loop in a shell would do. Memory is what the
command and its judges have for themselves (what a fork shares counts where it was made), every second; the zygotes are
left out, which are there once however many submissions there are.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import copy, copytree

import psutil
from timing import GRADE, ROOT, seconds_of, table

from autograder.gradebook import open_gradebook
from autograder.roster import Person

SOLUTION = ROOT / "solutions" / "hw1_perceptron" / "perceptron.py"
EVERY_S = 1.0
SAMPLES = 5  # of `grade check`
MB = 1 << 20


class Watch:
    """Notes what a process and its judges have for themselves while it runs.

    Args:
        command: the process.
    """

    def __init__(self, command: subprocess.Popen[bytes]) -> None:
        self._command, self.taken = psutil.Process(command.pid), list[int]()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Have an end of it."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S):
            with contextlib.suppress(psutil.Error):
                self.taken.append(sum(map(own_bytes, [self._command, *self._judges()])))

    def _judges(self) -> Iterator[psutil.Process]:
        for child in self._command.children():
            with contextlib.suppress(psutil.Error):
                if "judge_zygote" in " ".join(child.cmdline()):
                    yield from child.children()


def own_bytes(process: psutil.Process) -> int:
    """Return what a process has for itself; 0 where it has ended."""
    with contextlib.suppress(psutil.Error):
        return int(process.memory_full_info().uss)
    return 0


def make_course(folder: Path, submissions: int) -> None:
    """Make a course in which so many have handed in hw1."""
    copytree(ROOT / "assignments", folder / "assignments")
    copy(ROOT / "course.yml", folder)
    source = SOLUTION.read_text(encoding="utf-8")
    (folder / "in").mkdir()
    numbers = [str(2_026_000 + one) for one in range(submissions)]
    for number in numbers:
        (folder / "in" / f"{number}.py").write_text(f"{source}\n# {number}\n", encoding="utf-8")
    with open_gradebook(folder) as book:
        book.apply_roster([Person(number, f"Student {number}") for number in numbers])
        book.collect("hw1", str(folder / "in"), None, lambda _: None)


def grade(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a command in the course."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*GRADE, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def class_run(folder: Path, jobs: int) -> list[int]:
    """Grade everybody; return what was taken of memory, as it went."""
    command = grade(folder, "run", "hw1", "--device", "cpu", "--jobs", str(jobs))
    watch = Watch(command)
    code = command.wait()
    watch.stop()
    if code:
        raise RuntimeError(f"grade run ended with {code}")
    return watch.taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--submissions", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_course(folder, asked.submissions)
        taken: list[int] = []
        wall_s = seconds_of(lambda: taken.extend(class_run(folder, asked.jobs)))
        again_s = seconds_of(lambda: grade(folder, "run", "hw1", "--device", "cpu").wait())
        check = ("check", "hw1", str(SOLUTION), "--hidden", "--device", "cpu")
        check_s = statistics.median(seconds_of(lambda: grade(folder, *check).wait()) for _ in range(SAMPLES))
    each_s = wall_s * asked.jobs / asked.submissions
    tenth = max(len(taken) // 10, 1)
    early, late = (statistics.median(part) / MB for part in (taken[: 2 * tenth], taken[-2 * tenth :]))
    rows = [
        ("grade run", f"{60 * asked.submissions / wall_s:.0f} a minute", f"{wall_s:.0f} s, {asked.jobs} at a time"),
        ("one submission on one core", f"{each_s:.2f} s", f"grade check: {check_s:.2f} s, {check_s / each_s:.1f} ×"),
        ("memory of command and judges", f"{max(taken) / MB:.0f} MB at most", "aim 300 MB"),
        ("of it at first and at last", f"{early:.0f} MB, {late:.0f} MB", "flat: the same"),
        ("grade run, nothing to do", f"{again_s:.2f} s", f"{again_s / wall_s:.3f} × the first"),
    ]
    table(f"{asked.submissions} submissions to hw1", rows)


if __name__ == "__main__":
    main()
