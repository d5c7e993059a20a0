"""A file that should be a notebook, read as far as it can be: damaged, of an older format, or breaking off.

What comes of it is a notebook whose cells are cells, whatever they say; what stands in them is `repair`'s. Nothing is
executed here.
"""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

from autograder.messages import text
from autograder.submission import decode

_CELLS = re.compile(r'"cells"\s*:\s*\[')
_BETWEEN_CELLS = re.compile(r"[\s,]*")
_CELL_TYPES = frozenset(["code", "markdown", "raw"])
IDS_SINCE_MINOR = 5  # of nbformat 4: cells have ids
_MOST_KINDS = 50  # in which an output shows one thing; Jupyter's own know ten
_OUTPUTS = {
    "stream": {"output_type", "name", "text"},
    "display_data": {"output_type", "data", "metadata"},
    "execute_result": {"output_type", "data", "metadata", "execution_count"},
    "error": {"output_type", "ename", "evalue", "traceback"},
}


class Unreadable(Exception):
    """There is nothing to be repaired; the text says why."""


def read_notebook(content: bytes, said: list[str]) -> dict[str, Any]:
    """Return a notebook of format 4 with a list of cells, whatever the cells are.

    Raises:
        Unreadable: there is none.
    """
    if not content.strip(b"\0 \t\r\n"):
        raise Unreadable(text("nbgrader.repair.empty"))
    is_utf16 = content[:2] in {b"\xff\xfe", b"\xfe\xff"}
    if b"\0" in content and not is_utf16:
        said.append(text("nbgrader.repair.nulls"))
        content = content.replace(b"\0", b"")
    source = decode(content)
    if source.encode() != content.replace(b"\r\n", b"\n").replace(b"\r", b"\n"):
        said.append(text("nbgrader.repair.encoding"))
    try:
        notebook = json.loads(source)
    except ValueError:
        notebook = _salvaged(source)
        if notebook is None:
            raise Unreadable(text("nbgrader.repair.not_a_notebook")) from None
        said.append(text("nbgrader.repair.truncated", count=len(notebook["cells"])))
    if isinstance(notebook, dict) and "worksheets" in notebook:
        notebook = _upgraded(notebook)
        said.append(text("nbgrader.repair.old_format"))
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise Unreadable(text("nbgrader.repair.not_a_notebook"))
    return notebook


def _salvaged(source: str) -> dict[str, Any] | None:
    """Return the whole cells of a file that breaks off, or None where there are none."""
    found = _CELLS.search(source)
    if found is None:
        return None
    cells: list[Any] = []
    decoder, at = json.JSONDecoder(), found.end()
    while True:
        between = _BETWEEN_CELLS.match(source, at)
        at = between.end() if between else at
        try:
            cell, at = decoder.raw_decode(source, at)
        except ValueError:
            break
        cells.append(cell)
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4} if cells else None


def _upgraded(notebook: dict[str, Any]) -> Any:
    import nbformat

    try:
        for cell in (cell for sheet in notebook["worksheets"] for cell in sheet["cells"]):
            _drop_odd(cell)
            # SECURITY: for the same reason.
            cell.update({"outputs": []} if cell["cell_type"] == "code" else {})
            texts = {name: cell[name] for name in ("input", "source", "rendered") if name in cell}
            cell.update({name: "" for name, one in texts.items() if not (isinstance(one, str) or _are_texts(one))})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return json.loads(nbformat.writes(nbformat.reads(json.dumps(notebook), as_version=4)))
    # Broad: nbformat raises whatever its validators come upon in a damaged file.
    except Exception:  # noqa: BLE001
        raise Unreadable(text("nbgrader.repair.not_a_notebook")) from None


# --- cells ------------------------------------------------------------------------------------------------------------


def plain_cells(notebook: dict[str, Any], said: list[str]) -> list[dict[str, Any]]:
    """Return the cells, each with what nbformat asks for; what is no cell is left out."""
    if not isinstance(notebook.get("metadata"), dict):
        notebook["metadata"] = {}
    notebook["nbformat"] = 4
    if not isinstance(notebook.get("nbformat_minor"), int):
        notebook["nbformat_minor"] = IDS_SINCE_MINOR - 1
    cells = [cell for cell in notebook["cells"] if isinstance(cell, dict) and text_of(cell) is not None]
    damaged = len(notebook["cells"]) - len(cells)
    for cell in cells:
        damaged += _made_plain(cell)
    if damaged:
        said.append(text("nbgrader.repair.damaged_cells", count=damaged))
    return cells


def text_of(cell: dict[str, Any]) -> str | None:
    """Return what a cell says; None where that is no text."""
    source = cell.get("source", "")
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return None


def _made_plain(cell: dict[str, Any]) -> bool:
    """Repair what a single cell consists of, and return whether there was anything."""
    damaged = False
    source = text_of(cell) or ""
    if "\0" in source or any("\ud800" <= char <= "\udfff" for char in source) or "source" not in cell:
        cell["source"] = source.replace("\0", "").encode(errors="replace").decode()
        damaged = True
    kind = cell.get("cell_type")
    if not isinstance(kind, str) or kind not in _CELL_TYPES:
        cell["cell_type"] = "code" if "outputs" in cell else "markdown"
        damaged = True
    if not isinstance(cell.get("metadata"), dict):
        cell["metadata"] = {}
        damaged = True
    _drop_odd(cell)
    if cell["cell_type"] == "code":
        _complete_code(cell)
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
    return damaged


def _complete_code(cell: dict[str, Any]) -> None:
    outputs = cell.get("outputs")
    if not isinstance(outputs, list) or not all(isinstance(one, dict) and _is_output(one) for one in outputs):
        cell["outputs"] = []
    count = cell.setdefault("execution_count", None)
    if count is not None and (not isinstance(count, int) or isinstance(count, bool)):
        cell["execution_count"] = None
    cell.pop("attachments", None)


def _drop_odd(cell: dict[str, Any]) -> None:
    """Take from a cell what it may have much of, where that is not as nbformat wants it.

    SECURITY: nbformat collects all that is wrong with a cell, 45 KB for each output that is none. One student's file
    of 2 MB would end the whole class's run for want of memory. Nothing of this is graded.
    """
    tags, attachments = cell.get("metadata", {}).get("tags", []), cell.get("attachments", {})
    if not _are_texts(tags) or len(tags) != len(set(tags)):
        del cell["metadata"]["tags"]
    if not isinstance(attachments, dict) or not all(map(_is_bundle, attachments.values())):
        del cell["attachments"]


def _is_output(one: dict[str, Any]) -> bool:
    kind = one.get("output_type")
    if not isinstance(kind, str) or one.keys() != _OUTPUTS.get(kind):
        return False
    if kind == "stream":
        return isinstance(one["name"], str) and (isinstance(one["text"], str) or _are_texts(one["text"]))
    if kind == "error":
        return isinstance(one["ename"], str) and isinstance(one["evalue"], str) and _are_texts(one["traceback"])
    count = one.get("execution_count")
    return (count is None or isinstance(count, int)) and isinstance(one["metadata"], dict) and _is_bundle(one["data"])


def _is_bundle(found: object) -> bool:
    """Whether something holds one thing in a few kinds, as text or as JSON."""
    return (
        isinstance(found, dict)
        and len(found) <= _MOST_KINDS
        and all(kind.endswith("json") or isinstance(one, str) or _are_texts(one) for kind, one in found.items())
    )


def _are_texts(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(one, str) for one in found)
