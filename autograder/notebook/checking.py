"""`check(…)` and `%grade` in a notebook: `grade check` in a process of its own on the saved notebook.

Only this kernel waits; the server, other notebooks and other users go on. What the kernel holds has no part in it: the
file is checked, as it will be when it is handed in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import IO, Any, NoReturn

from autograder.errors import GradeError, UsageError
from autograder.messages import detect_language, set_language, text
from autograder.report.progress import PROGRESS_MARK
from autograder.results import Report, Status

SESSION = "JPY_SESSION_NAME"  # the notebook that a kernel was started for; jupyter_server sets it
_SHOWN_EVERY_S = 0.25
_MOST_BYTES = 20 << 20  # of a notebook that is looked into for what it is about


class ChecksFailed(Exception):
    """Not every check passed. Its traceback, which JupyterLab and nbgrader's Validate show, is the report's words."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def check(assignment_id: str, *tasks: str) -> None:
    """Check the saved notebook and show the report in the cell.

    Args:
        assignment_id: "hw2".
        tasks: only these; none: all.

    Raises:
        ChecksFailed: some check did not pass in full.
    """
    set_language(detect_language([]))
    arguments = [argument for task in tasks for argument in ("--task", task)]
    try:
        report = run_check(assignment_id, saved_notebook(assignment_id, Path.cwd()), arguments)
    except GradeError as error:
        raise ChecksFailed("\n".join(filter(None, (error.message, error.hint)))) from None
    show_report(report)
    if report.status is not Status.PASSED:
        raise ChecksFailed(in_words(report))


def in_words(report: Report) -> str:
    """Return why a report is not full, as plain text: where no HTML is shown, it is all that is seen."""
    from autograder.report.words import points_text, shown_points, status_text

    score, most = shown_points(report.score), shown_points(report.max_points)
    lines = [f"{text('report.score', score=score, most=most)}  {status_text(report)}"]
    lines += [report.message] if report.message else []
    for one in report.checks:
        if one.status is Status.PASSED or report.message:
            continue
        lines.append(f"{points_text(one)}  {one.title}")
        said = {"report.expected": one.expected, "report.came": one.came, "report.try": one.hint}
        lines += [f"    {one.message}"] if one.message and not one.expected else []
        lines += [f"    {text(key)}: {value}" for key, value in said.items() if value]
    return "\n".join(lines)


# --- which notebook -------------------------------------------------------------------------------------------------


def saved_notebook(assignment_id: str, cwd: Path) -> Path:
    """Return the file of the notebook that this is called from.

    Args:
        assignment_id: "hw2".
        cwd: the kernel's working directory, which is the notebook's.

    Raises:
        UsageError: it can't be told.
    """
    session = os.environ.get(SESSION, "")
    if session.endswith(".ipynb"):
        for path in (Path(session), cwd / Path(session).name):
            if path.is_file():
                return path
    about = [path for path in sorted(cwd.glob("*.ipynb")) if _is_about(path, assignment_id)]
    if len(about) == 1:
        return about[0]
    if about:
        raise UsageError(text("notebook.several", files=", ".join(path.name for path in about)))
    raise UsageError(text("notebook.not_found", id=assignment_id, folder=cwd), hint=text("notebook.not_found_hint"))


def _is_about(path: Path, assignment_id: str) -> bool:
    if path.stem == assignment_id:
        return True
    try:
        if path.stat().st_size > _MOST_BYTES:
            return False
        found = json.loads(path.read_bytes())["metadata"]["autograder"]["assignment"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return bool(found == assignment_id)


# --- one check ------------------------------------------------------------------------------------------------------


def run_check(assignment_id: str, path: Path | None, arguments: Sequence[str]) -> Report:
    """Run `grade check` in a process of its own, showing how it goes.

    Args:
        assignment_id: "hw2".
        path: what to check; None: as `grade check` finds it.
        arguments: further options of `grade check`.

    Raises:
        GradeError: it could not be checked.
    """
    given = [str(path)] if path else []
    # -P: nothing that lies beside the notebook takes the place of our modules.
    command = [sys.executable, "-P", "-m", "autograder", "check", assignment_id, *given, *arguments]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    with subprocess.Popen(
        [*command, "--json", "--progress-lines"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        if process.stdout is None or process.stderr is None:
            raise AssertionError("asked for pipes")
        try:
            # Nothing is written to stdout before the end, so that reading one pipe after the other can't block.
            said = _follow(process.stderr)
            answer = process.stdout.read()
        except BaseException:  # the kernel was interrupted: so is the check
            process.kill()
            raise
    return _report_in(answer, said)


def _report_in(answer: str, said: list[str]) -> Report:
    try:
        return Report.model_validate_json(answer)
    except ValueError:
        _raise(said)


def _raise(said: list[str]) -> NoReturn:
    raise GradeError("\n".join(said).strip() or text("notebook.no_answer"))


def _follow(lines: IO[str]) -> list[str]:
    """Show what is being done while it is; return what else was said."""
    said: list[str] = []
    line = _LiveLine()
    for one in lines:
        told = _progress_in(one)
        if told is None:
            said.append(one.rstrip("\n"))
        else:
            line.show(told)
    line.close()
    return said


def _progress_in(line: str) -> str | None:
    if not line.startswith(PROGRESS_MARK):
        return None
    return line.removeprefix(PROGRESS_MARK).rstrip("\n")


class _LiveLine:
    """One line of output that is replaced by the next, and goes away at the end."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown_at = 0.0

    def show(self, said: str) -> None:
        now = time.monotonic()
        if not said or now - self._shown_at < _SHOWN_EVERY_S:
            return
        self._shown_at = now
        html = f'<span style="color: var(--jp-content-font-color2, #666)">{escape(said)} …</span>'
        if self._handle is None:
            self._handle = _display(html, update=True)
        else:
            self._handle.update(_html(html))

    def close(self) -> None:
        if self._handle is not None:
            self._handle.update(_html(""))


def show_report(report: Report) -> None:
    """Show a report in the cell."""
    from autograder.report.html import report_html

    _display(report_html(report))


def _html(content: str) -> Any:
    from IPython.display import HTML

    return HTML(content)


def _display(content: str, *, update: bool = False) -> Any:
    from IPython.display import display

    return display(_html(content), display_id=True) if update else display(_html(content))


def split_line(line: str) -> Iterator[str]:
    """Yield the words of a magic's line, as a shell would read them.

    Raises:
        UsageError: a quotation is not closed.
    """
    import shlex

    try:
        yield from shlex.split(line)
    except ValueError as error:
        raise UsageError(text("notebook.bad_line", line=line, problem=error)) from None
