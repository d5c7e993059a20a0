"""The English texts, a file for each part of the program."""

from __future__ import annotations

from autograder.messages.en import (
    archives,
    authoring,
    checks,
    cluster,
    collect,
    commands,
    datasets,
    decisions,
    grading,
    hand_ins,
    machine,
    mail,
    nbgrader,
    notebook,
    plain,
    report,
    roster,
    sources,
    students,
)

PARTS = (
    archives,
    authoring,
    checks,
    cluster,
    collect,
    commands,
    datasets,
    decisions,
    grading,
    hand_ins,
    machine,
    mail,
    nbgrader,
    notebook,
    plain,
    report,
    roster,
    sources,
    students,
)
MESSAGES: dict[str, str] = {key: said for part in PARTS for key, said in part.MESSAGES.items()}
