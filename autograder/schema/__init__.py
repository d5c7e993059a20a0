"""JSON Schemas of course.yml, assignment.yml, reports and diagnoses, for editors and for programs that read them.

The files beside this one are generated: `python -m autograder.schema`. A test compares them with the models.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from autograder.assignment import Assignment
from autograder.course import Course
from autograder.diagnosis import Diagnosis
from autograder.results import Report

FOLDER = Path(__file__).parent
MODELS: dict[str, type[BaseModel]] = {
    "course": Course,
    "assignment": Assignment,
    "report": Report,
    "diagnosis": Diagnosis,
}


def schemas() -> dict[Path, str]:
    """Return what each schema file should read, by its path."""
    return {
        FOLDER / f"{name}.schema.json": json.dumps(model.model_json_schema(), ensure_ascii=False, indent=2) + "\n"
        for name, model in MODELS.items()
    }
