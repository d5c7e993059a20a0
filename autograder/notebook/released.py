"""An assignment as nbgrader has released it: whose its tests are, and which language it speaks.

What counts is what the instructor released, never what a student has made of it: a notebook whose check cells are gone,
or whose metadata says something else, is graded as all others of its assignment are.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry

from autograder.messages import LANGUAGES, Language, detect_language
from autograder.notebook.saved import language_in
from autograder.notebook_source import ASKS_FOR_CHECKS

GRADED = "graded"
"""Where nbgrader's resources say that a notebook has its scores: no other step is to run its cells."""

_OURS = r"{assignment}-task-.+-(?:public|hidden)"  # autograder.notebook.generate gives these names


def has_our_checks(db_url: str, assignment_id: str, notebook: str) -> bool:
    """Return whether a notebook was released with check cells of ours; other tests lie in their cells.

    Args:
        db_url: of nbgrader's gradebook.
        assignment_id: as nbgrader knows it.
        notebook: its name without `.ipynb`.
    """
    try:
        with Gradebook(db_url) as gradebook:
            found = gradebook.find_notebook(notebook, assignment_id)
            points = {cell.name for cell in found.grade_cells}
            return any(_is_ours(cell, assignment_id) for cell in found.source_cells if cell.name in points)
    except MissingEntry:  # it was never released
        return False


def _is_ours(cell: Any, assignment_id: str) -> bool:
    lines = [line.strip() for line in (cell.source or "").splitlines() if line.strip()]
    if ASKS_FOR_CHECKS in lines:
        return True
    # A cell for hidden checks holds a comment only; run as a test, it would give all of its points to everybody.
    named = re.fullmatch(_OURS.format(assignment=re.escape(assignment_id)), cell.name)
    return bool(named) and all(line.startswith("#") for line in lines)


def feedback_language(config: Any, coursedir: Any, assignment_id: str) -> Language:
    """Return the language of an assignment's feedback: as configured, or else that of its notebook.

    Not that of whoever grades: the students read it. Only where neither says anything is it theirs.

    Args:
        config: nbgrader's.
        coursedir: nbgrader's.
        assignment_id: as nbgrader knows it.
    """
    asked = str(config.GradeNotebook.get("language", ""))
    if found := next((one for one in LANGUAGES if one == asked), None):
        return found
    source = Path(coursedir.format_path(coursedir.source_directory, ".", assignment_id))
    said = [language for path in sorted(source.glob("*.ipynb")) if (language := language_in(path))]
    return said[0] if said else detect_language([])
