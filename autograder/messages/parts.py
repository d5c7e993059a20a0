"""The files of a catalogue, one for each part of the program: the same in every language."""

from __future__ import annotations

PARTS = (
    "archives",
    "authoring",
    "checks",
    "cluster",
    "collect",
    "commands",
    "datasets",
    "decisions",
    "grading",
    "hand_ins",
    "machine",
    "mail",
    "nbgrader",
    "notebook",
    "plain",
    "report",
    "roster",
    "sources",
    "students",
)
