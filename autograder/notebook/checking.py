"""`check(…)` and `%grade` in a notebook: `grade check` in a process of its own on the saved notebook.

Only this kernel waits; the server, other notebooks and other users go on. What the kernel holds has no part in it: the
file is checked, as it will be when it is handed in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from autograder.errors import GradeError, UsageError
from autograder.messages import detect_language, language, set_language, text
from autograder.notebook.cell import follow, show_report
from autograder.notebook.saved import Saved, language_of, look_at, saved_notebook
from autograder.results import Report, Status

_BY_NBGRADER = "NBGRADER_EXECUTION"  # nbgrader sets it where it runs a notebook itself
_VALIDATES = "validate"


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
        path = saved_notebook(assignment_id, Path.cwd())
        set_language(language_of(path))
        saved = look_at(path, _shell())
        report = run_check(assignment_id, path, arguments)
    except GradeError as error:
        raise ChecksFailed("\n".join(filter(None, (error.message, error.hint)))) from None
    show_checked(report, saved)
    if report.status is not Status.PASSED:
        # Validate shows nothing but this; anywhere else the report stands above it, with its score.
        alone = os.environ.get(_BY_NBGRADER) == _VALIDATES
        raise ChecksFailed(in_words(report) if alone else text("notebook.not_full"))


def show_checked(report: Report, saved: Saved) -> None:
    """Show the report of a saved notebook in the cell, with how old the file is that it is about."""
    show_report(report, in_words(report), saved=saved.age_text(), unsaved=saved.unsaved_text())


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


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
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1", "GRADE_LANG": language()}
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
            said = follow(process.stderr)
            answer = process.stdout.read()
        except KeyboardInterrupt:  # the kernel was interrupted: so is the check, and its boxes go with it
            process.kill()
            raise GradeError(text("notebook.stopped")) from None
        except BaseException:
            process.kill()
            raise
    return _report_in(answer, said)


def _report_in(answer: str, said: list[str]) -> Report:
    try:
        return Report.model_validate_json(answer)
    except ValueError:
        _raise(answer, said)


def _raise(answer: str, said: list[str]) -> NoReturn:
    """Say what the command has said: with --json its error is a document, too."""
    try:
        error = json.loads(answer)["error"]
        message, hint = str(error["message"]), error["hint"]
    except (ValueError, KeyError, TypeError):
        raise GradeError("\n".join(said).strip() or text("notebook.no_answer")) from None
    raise GradeError(message, hint=hint and str(hint))


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
