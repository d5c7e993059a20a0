"""Tables that people hand over, as cells of text: CSV in any usual encoding and with any usual separator, or XLSX."""

from __future__ import annotations

import csv
import io
import itertools
import re
from pathlib import Path

from autograder.errors import UsageError
from autograder.messages import text

ENCODINGS = ("utf-8-sig", "gb18030")  # every GBK and GB2312 file is GB18030
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MOST_BYTES = 20 << 20
_MOST_ROWS = 100_000


def read(path: Path) -> list[list[str]]:
    """Return the cells of a .csv or .xlsx as text.

    Raises:
        UsageError: it can't be read.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(text("roster.too_large", file=path))
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(text("roster.unreadable", file=path, problem=error.strerror or error)) from None
    return _xlsx_rows(path, content) if content.startswith(b"PK\x03\x04") else _csv_rows(path, content)


def _csv_rows(path: Path, content: bytes) -> list[list[str]]:
    said = _decoded(path, content)
    header = next((line for line in said.splitlines() if line.strip()), "")
    separator = max(",;\t", key=header.count)
    try:
        return list(itertools.islice(csv.reader(io.StringIO(said), delimiter=separator), _MOST_ROWS))
    except csv.Error as error:
        raise UsageError(text("roster.unreadable", file=path, problem=error)) from None


def _decoded(path: Path, content: bytes) -> str:
    encodings = ("utf-16",) if content.startswith(_UTF16_MARKS) else ENCODINGS
    for encoding in encodings:
        try:
            said = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in said:
            return said
    raise UsageError(text("roster.not_text", file=path), hint=text("roster.not_text_hint"))


def _xlsx_rows(path: Path, content: bytes) -> list[list[str]]:
    """Return the first sheet's cells as text."""
    try:
        import openpyxl
    except ImportError:
        raise UsageError(text("class.missing", package="openpyxl"), hint=text("class.missing_hint")) from None
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        rows = book.worksheets[0].iter_rows(max_row=_MOST_ROWS)
        return [[_shown(cell.value, cell.number_format) for cell in row] for row in rows]
    # Broad: a damaged workbook raises whatever its parser stumbles on.
    except Exception as error:  # noqa: BLE001
        raise UsageError(text("roster.unreadable", file=path, problem=error)) from None


def _shown(value: object, number_format: str | None) -> str:
    """Return a cell as the sheet shows it: a number may have leading zeros by its format only."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and re.fullmatch("0+", number_format or ""):
        return f"{value:0{len(number_format or '')}.0f}"
    return "" if value is None else str(value)
