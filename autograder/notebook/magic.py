"""`%grade` and `%%grade` for IPython: `%load_ext autograder` makes them known.

%grade check hw2 --task 2.1     checks the saved notebook, and shows the report in the cell
%%grade check hw2               runs the cell, then checks the saved notebook with the cell as it is now
%grade list                     any other command, as in a terminal
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autograder.errors import GradeError, UsageError
from autograder.messages import detect_language, set_language, text
from autograder.notebook.cell import show_report
from autograder.notebook.checking import ChecksFailed, in_words, run_check, show_checked, split_line
from autograder.notebook.saved import language_of, look_at, saved_notebook
from autograder.submission import read_file

_CHECK = "check"
_HELP = frozenset(["--help", "-h"])


def register(shell: Any) -> None:
    """Make the magics known to a shell."""

    def grade(line: str, cell: str | None = None) -> None:
        """Check a homework from a notebook; the saved file is what is checked.

        %grade check hw2 --task 2.1     checks the saved notebook, and shows the report in the cell
        %%grade check hw2               runs the cell, then checks the saved notebook with the cell as it is now
        %grade list                     any other command, as in a terminal
        """
        set_language(detect_language([]))
        try:
            _grade(shell, line, cell)
        except GradeError as error:
            raise ChecksFailed("\n".join(filter(None, (error.message, error.hint)))) from None

    shell.register_magic_function(grade, magic_kind="line_cell", magic_name="grade")


def _grade(shell: Any, line: str, cell: str | None) -> None:
    words = list(split_line(line))
    if cell is not None and words[:1] != [_CHECK]:
        words = [_CHECK, *words]
    if words[:1] != [_CHECK] or not _HELP.isdisjoint(words):
        _run_command(words)
        return
    if len(words) == 1 or words[1].startswith("-"):
        raise UsageError(text("notebook.which"), hint=text("notebook.which_hint"))
    assignment_id, *rest = words[1:]
    if cell is not None and not shell.run_cell(cell).success:
        return  # its own error is shown already
    given = [word for word in rest[:1] if not word.startswith("-")]
    if given:
        report = run_check(assignment_id, Path(given[0]), rest[1:])
        show_report(report, in_words(report))
        return
    path = saved_notebook(assignment_id, Path.cwd())
    set_language(language_of(path))
    saved = look_at(path, shell)
    if cell is None:
        show_checked(run_check(assignment_id, path, rest), saved)
        return
    with _with_cell(path, _cell_id(shell), f"%%grade {line}\n{cell}") as current:
        show_checked(run_check(assignment_id, current, rest), saved)


def _run_command(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "autograder", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    sys.stdout.write(done.stdout)


def _cell_id(shell: Any) -> str:
    """Return the id of the cell that is being run, as JupyterLab tells the kernel."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str(parent.get("metadata", {}).get("cellId", ""))


@contextmanager
def _with_cell(path: Path, cell_id: str, source: str) -> Iterator[Path]:
    """Give a copy of a saved notebook in which one cell is what has just been run, beside the files that it imports."""
    try:
        notebook = json.loads(path.read_bytes())
        cells = notebook["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        yield path  # `grade check` says what is wrong with it
        return
    found = [cell for cell in cells if isinstance(cell, dict) and cell.get("id") == cell_id and cell_id]
    if not found and any("".join(cell.get("source", "")).rstrip() == source.rstrip() for cell in cells):
        yield path  # not every program tells the kernel which cell it is, and this one is saved as it is
        return
    if len(found) != 1:
        raise UsageError(text("notebook.cell_not_saved"), hint=text("notebook.cell_not_saved_hint"))
    found[0]["source"] = source
    submission = read_file(path)
    with tempfile.TemporaryDirectory(prefix="grade-") as folder:
        for name, content in submission.files.items():
            if name != submission.main:
                Path(folder, name).write_bytes(content)
        copy = Path(folder, path.name)
        copy.write_text(json.dumps(notebook), encoding="utf-8")
        yield copy
