"""Pages of docs/ that are transcripts: their commands are typed, and the page has to say what came."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROMPT = "    $ "


def written_anew(page: str, type_: Callable[[str], Iterable[str]]) -> str:
    """Return a page with what its commands print now.

    Args:
        page: as it is.
        type_: types a command and returns the lines that it prints.
    """
    made: list[str] = []
    inside = False
    for line in page.splitlines():
        inside = line.startswith(PROMPT) or (inside and line.startswith("    "))
        if line.startswith(PROMPT):
            made.append(line)
            made += (f"    {came}".rstrip() for came in type_(line.removeprefix(PROMPT)))
        elif not inside:
            made.append(line)
    return "\n".join(made) + "\n"


def lines_of(folder: Path, module: str, *arguments: str) -> list[str]:
    """Run a program of this Python in a course's folder, as a teacher whose terminal has 140 columns would type it.

    Args:
        folder: that it is typed in.
        module: of the program: autograder, nbgrader.
        arguments: of the command.

    Returns:
        What it prints: the progress, whose order is chance, and the rest.
    """
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "COLUMNS": "140", "GRADE_WHO": "teacher", "LC_ALL": "C.UTF-8", "GRADE_LANG": "en",
        "PATH": programs,
    }  # fmt: skip
    came = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
    )  # fmt: skip
    assert came.returncode in ({0, 1} if module == "autograder" else {0}), came.stdout
    return came.stdout.splitlines()
