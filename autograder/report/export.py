"""Grades as files: CSV that opens in Excel with Chinese names, XLSX, JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.errors import UsageError
from autograder.messages import printable, text
from autograder.report.grades import in_words

_KINDS = ("csv", "xlsx", "json")
# The wide ones are what a Chinese or Japanese keyboard gives; spreadsheets in those languages take them as well.
_FORMULA = re.compile(r"^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")

Row = Mapping[str, object]


def kind_of(said: str | None, path: Path | None) -> str:
    """Return the kind of file: what was said, else what the file's name says, else csv.

    Raises:
        UsageError: the name says another kind; Excel would call such a file damaged.
    """
    ending = path.suffix.lower().removeprefix(".") if path else ""
    named = ending if ending in _KINDS else None
    if said and named and said != named:
        raise UsageError(text("export.other_kind", file=path, kind=said), hint=text("export.other_kind_hint"))
    return said or named or "csv"


def write(rows: Sequence[Row], kind: str, path: Path) -> None:
    """Write rows; their keys are the columns. For programs (json) as they are, for people in their language.

    Raises:
        UsageError: it can't be written.
    """
    made = as_json(rows) if kind == "json" else {"csv": as_csv, "xlsx": as_xlsx}[kind]([in_words(row) for row in rows])
    unfinished = path.with_name(f".{path.name}.part")
    try:
        unfinished.write_bytes(made)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UsageError(text("pack.not_written", file=path, problem=error.strerror or error)) from None


def as_csv(rows: Sequence[Row]) -> bytes:
    """Return CSV with a byte order mark, by which Excel knows that it is UTF-8."""
    made = io.StringIO()
    writer = csv.writer(made)
    if rows:
        writer.writerow([_cell(name) for name in rows[0]])
    for row in rows:
        writer.writerow([_cell(value) for value in row.values()])
    return made.getvalue().encode("utf-8-sig")


def as_xlsx(rows: Sequence[Row]) -> bytes:
    """Return a workbook with one sheet."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    if rows:
        sheet.append([_cell(name) for name in rows[0]])
        sheet.freeze_panes = "A2"
    for row in rows:
        sheet.append([_cell(value) for value in row.values()])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def as_json(rows: Sequence[Row]) -> bytes:
    """Return a JSON array of objects."""
    return (json.dumps([dict(row) for row in rows], ensure_ascii=False, indent=2) + "\n").encode()


def _cell(value: object) -> str | float | int | None:
    """Return a cell.

    SECURITY: a text that a spreadsheet would take for a formula is kept a text. And without control characters and
    halves of surrogate pairs, which no workbook and no UTF-8 can hold: one student's name would be everybody's error.
    """
    if value is None or isinstance(value, (int, float)):
        return value
    said = printable(str(value))
    return f"'{said}" if _FORMULA.match(said) else said
