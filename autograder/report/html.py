"""The report as HTML, for a notebook's cell: the same words as in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder.messages import language, printable, text
from autograder.report import words
from autograder.results import CheckResult, Report, Status

_TAIL_LINES = 8
_STYLES = {Status.PASSED.value: "passed", Status.PARTIAL.value: "partial", Status.SKIPPED.value: "dim"}


def report_html(report: Report, *, saved: str = "", unsaved: str = "") -> str:
    """Return a report as a piece of HTML.

    Args:
        report: as its reader may see it: redacted, where that is a student.
        saved: how old the file is that it is about.
        unsaved: that there is something newer than the file.
    """
    tasks = dict.fromkeys(check.task for check in report.checks)
    return _rendered(
        "report.html.j2",
        report=report,
        saved=saved,
        unsaved=unsaved,
        tasks=[(task, [check for check in report.checks if check.task == task]) for task in tasks],
        brief=words.repeating(report.checks),
        where=words.where_text(report),
        score_style="passed" if report.status is Status.PASSED else "partial" if report.score else "failed",
    )


def checks_html(checks: Sequence[CheckResult], problem: str = "") -> str:
    """Return what some checks came to as a piece of HTML.

    Args:
        checks: as their reader may see them.
        problem: what kept them from running, where something did: they are not shown then.
    """
    shown = [] if problem else checks
    return _rendered("cell.html.j2", checks=shown, brief=words.repeating(shown), problem=problem)


def _rendered(template: str, **values: object) -> str:
    made = _environment().get_template(template)
    return made.render(
        styles=_STYLES, language=language(), text=text, words=words, output=_output, details=_details, **values
    )


def _details(check: CheckResult, *, skip_message: bool = False, brief: bool = False) -> Markup:
    if brief:
        check = check.model_copy(update={"frames": (), "hint": ""})
    made = _environment().get_template("details.html.j2").render(check=check, skip_message=skip_message, text=text)
    return Markup(made)  # noqa: S704 - made by an escaping template


def _output(check: CheckResult) -> list[str]:
    return printable(check.stdout_tail.rstrip()).splitlines()[-_TAIL_LINES:]


@cache
def _environment() -> Environment:
    # SECURITY: what a student's code said is text, never markup: a page that runs it would act in the reader's name.
    return Environment(autoescape=True, loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined)
