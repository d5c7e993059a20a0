"""nbgrader's gradebook, opened: in an nbgrader course's folder, by nbgrader's own configuration."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autograder.errors import UsageError
from autograder.messages import text

try:
    from nbgrader.api import Gradebook
    from nbgrader.apps.baseapp import NbGrader
    from sqlalchemy.exc import OperationalError
except ModuleNotFoundError as missing:  # a student's install has none of this
    raise UsageError(
        text("nbgrader.not_installed", package=missing.name), hint=text("nbgrader.not_installed_hint")
    ) from None

_WAIT_S = 20  # for whoever writes: formgrader, or nbgrader's own commands


@contextmanager
def gradebook_of(folder: Path) -> Iterator[Any]:
    """Give the gradebook of the nbgrader course in a folder.

    Raises:
        UsageError: somebody else keeps it locked, or it is of another version of nbgrader.
    """
    coursedir = _configured(folder).coursedir
    find_alembic()
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            if coursedir.db_url.startswith("sqlite"):
                from sqlalchemy import text as sql

                gradebook.db.execute(sql(f"PRAGMA busy_timeout = {_WAIT_S * 1000}"))
            yield gradebook
    except OperationalError as error:
        raise UsageError(
            text("nbgrader.locked", problem=error.orig, seconds=_WAIT_S), hint=text("nbgrader.locked_hint")
        ) from None


def collected_of(folder: Path, assignment_id: str) -> frozenset[str]:
    """Return whose hand-ins for an assignment lie in the nbgrader course in a folder, by nbgrader's names."""
    from autograder.nbgrader.staging import hand_ins

    coursedir = _configured(folder).coursedir
    coursedir.assignment_id = assignment_id
    return frozenset(student for student, _ in hand_ins(coursedir))


def course_of(folder: Path) -> Path:
    """Return the folder of our course that an nbgrader course is graded by.

    Raises:
        UsageError: `grade nbgrader init` has not been here.
    """
    course = _configured(folder).config.GradeNotebook.get("course", "")
    if not course:
        raise UsageError(
            text("nbgrader.not_set_up", folder=folder), hint=text("nbgrader.not_set_up_hint", folder=folder)
        )
    return Path(str(course))


def _configured(folder: Path) -> Any:
    """Return nbgrader's program, which has read the configuration of a course."""
    app = NbGrader(log_level=logging.ERROR)
    app.load_cwd_config = False
    app.config_file = str(folder / "nbgrader_config")
    app.initialize([], root=str(folder))
    return app


def find_alembic() -> None:
    """For a new gradebook nbgrader calls `alembic` by that name; it lies beside Python, if not where commands do."""
    if shutil.which("alembic") is None:
        os.environ["PATH"] = os.pathsep.join(filter(None, [str(Path(sys.executable).parent), os.environ.get("PATH")]))
