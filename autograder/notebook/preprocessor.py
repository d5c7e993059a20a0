"""nbgrader's step that runs notebooks, replaced: our judge and box stand behind `nbgrader autograde`.

    c.Autograde.autograde_preprocessors = ["autograder.notebook.preprocessor.GradeNotebook", …]

Stock nbgrader runs the student's cells and the tests in one kernel, as the instructor. Here the student's cells become
a module that runs in a box, the checks run in the judge, and what they come to is put into the check cells. Everything
after it (nbgrader's gradebook, feedback, formgrader) is unchanged. A notebook that was released without check cells of
ours is left as it is, for the step that comes next: SafeExecute.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from autograder.course import LoadedAssignment, find_course
from autograder.errors import InternalError, UsageError
from autograder.judge.judges import Judges, open_judges
from autograder.messages import speaking, text
from autograder.notebook.graded import UNREADABLE, fill_in, nothing_earned, show_cells
from autograder.notebook.released import GRADED, feedback_language, has_our_checks
from autograder.results import Report, Status
from autograder.run.options import options_for
from autograder.submission import Submission, read_file

REPORT = "report"
"""Where nbgrader's resources hold the report of an attempt that has been made already."""


class GradeNotebook(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Grades a notebook by an assignment's checks."""

    course = Unicode("", help="The folder of the course: where its course.yml lies.").tag(config=True)
    device = Unicode("auto", help="Where to train: auto, cpu, cuda or mps.").tag(config=True)
    isolation = Unicode("auto", help="How boxes are closed; auto is the strictest there is.").tag(config=True)
    language = Unicode("", help="Of the feedback: en or zh; empty: that of the released notebook.").tag(config=True)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """Grade one notebook.

        Raises:
            InternalError: it could not be graded, which is our fault: nbgrader records nothing, and goes on.
            GradeError: the course can't be used.
        """
        names = resources["nbgrader"]
        if not (names.get(REPORT) or has_our_checks(names["db_url"], names["assignment"], names["notebook"])):
            return nb, resources
        names[GRADED] = True
        with speaking(feedback_language(self.config, CourseDirectory(config=self.config), names["assignment"])):
            return self._in_words(nb, resources)

    def _in_words(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        names = resources["nbgrader"]
        assignment = self.assignment(names["assignment"])
        path = Path(resources["metadata"]["path"], f"{resources['metadata']['name']}.ipynb")
        try:
            submission = gradable(path, nb)
        except UsageError as error:
            nothing_earned(nb, " ".join(filter(None, (error.message, error.hint))))
            return nb, resources
        report = names.get(REPORT) or self._graded(assignment, submission)
        if report.status is Status.INTERNAL:
            problem = next((check.message for check in report.checks if check.status is Status.INTERNAL), "")
            raise InternalError(text("notebook.internal", problem=problem))
        show_cells(nb, report)
        fill_in(nb, assignment, report)
        return nb, resources

    def assignment(self, assignment_id: str) -> LoadedAssignment:
        """Return what a notebook is graded by.

        Raises:
            GradeError: there is no such assignment, or the course can't be used.
        """
        # nbgrader has gone to the course's folder.
        return find_course(Path(self.course or os.getcwd())).assignment(assignment_id)  # noqa: PTH109

    def _graded(self, assignment: LoadedAssignment, submission: Submission) -> Report:
        report = self._made(assignment, submission)
        return report if report.status is not Status.INTERNAL else self._made(assignment, submission)

    def _made(self, assignment: LoadedAssignment, submission: Submission) -> Report:
        options = replace(options_for(assignment, self.device, self.isolation)[0], show_cells=True)
        judges = _judges()
        pending = judges.start(assignment, submission, options)
        judges.wait([pending])
        return pending.result()


def gradable(path: Path, notebook: Any) -> Submission:
    """Return what is handed to the judge of a notebook that nbgrader has sanitised.

    Args:
        path: of the file.
        notebook: what it holds.

    Raises:
        UsageError: there is nothing that could be graded.
    """
    ours = notebook.metadata.get("autograder", {})
    if isinstance(ours, dict) and ours.get(UNREADABLE):
        raise UsageError(str(ours[UNREADABLE]))
    return read_file(path)


@cache
def _judges() -> Judges:
    """Return judges that stay for all notebooks of this command: nbgrader makes a new preprocessor for each."""
    judges = open_judges(1)
    atexit.register(judges.close)
    return judges
