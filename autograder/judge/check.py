"""`grade check`: from what the user typed to a report."""

from __future__ import annotations

from pathlib import Path

from autograder import history
from autograder.course import LoadedAssignment, LoadedCourse, find_course
from autograder.errors import UsageError
from autograder.history import Scope
from autograder.judge.attempt import run_attempt
from autograder.judge.options import AttemptOptions
from autograder.messages import text
from autograder.results import Report
from autograder.submission import find


def _course_of(cwd: Path, given: Path | None) -> LoadedCourse:
    """Return the course around the working directory, else the one around the file that was named."""
    try:
        return find_course(cwd)
    except UsageError:
        if given is None:
            raise
        return find_course((cwd / given).resolve().parent)


def check_submission(assignment_id: str, given: Path | None, cwd: Path, options: AttemptOptions) -> Report:
    """Find course, assignment and submission, run the checks, and keep the attempt in the course's `.grade/`.

    Args:
        assignment_id: "hw2".
        given: a file, notebook or folder; None looks in the usual places.
        cwd: where the user is.
        options: how to run.

    Raises:
        GradeError: something is not there or wrong; says what and what to do.
    """
    course = _course_of(cwd, given)
    assignment = course.assignment(assignment_id)
    if options.hidden and not assignment.has_hidden:
        raise UsageError(text("usage.no_hidden", id=assignment.id), hint=text("usage.no_hidden_hint"))
    report = run_attempt(assignment, find(assignment, given, cwd), options)
    history.record(course.folder, report, _scope(options, assignment, report))
    return report


def _scope(options: AttemptOptions, assignment: LoadedAssignment, report: Report) -> Scope:
    if options.hidden:
        return Scope.HIDDEN
    if options.tasks or options.checks:
        return Scope.PART
    more_data = options.data == "full" and assignment.embedded_data is not None
    return Scope.FULL if more_data or report.seeds != assignment.spec.seeds[:1] else Scope.PUBLIC
