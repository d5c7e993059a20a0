"""An exception of the student's code, as plain bounded text (inside the box). Standard library and protocol only."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

from autograder.box.protocol import Frame, Raised

_MAX_TEXT = 4000
_MAX_SOURCE = 300
_HEAD, _TAIL = 5, 30  # frames kept of a deep recursion: how it began and where it ended


def describe(error: BaseException, folder: Path, request_id: int) -> Raised:
    """Return what the judge is told of `error`: type, text, frames."""
    raised = {
        "id": request_id,
        "type_name": type(error).__name__[:200],
        "mro": [base.__name__[:200] for base in type(error).__mro__][:20],
        "text": _text(error),
        "frames": _frames(error.__traceback__, folder),
    }
    if isinstance(error, SyntaxError):
        return _syntax_error(error, raised, folder)
    if isinstance(error, ModuleNotFoundError):
        return Raised(**raised, missing=str(error.name or "")[:200])  # type: ignore[arg-type]
    return Raised(**raised)  # type: ignore[arg-type]


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_TEXT]
    except Exception:  # noqa: BLE001 - __str__ is the student's code
        return ""


def _syntax_error(error: SyntaxError, raised: dict[str, object], folder: Path) -> Raised:
    """A syntax error lies in no frame: the place it points to becomes one."""
    source = (error.text or "").rstrip("\n")[:_MAX_SOURCE]
    file, student = _place(error.filename or "", folder)
    raised["frames"] = [Frame(file=file, line=error.lineno or 0, function="", source=source, student=student)]
    raised["text"] = str(error.msg or "")[:_MAX_TEXT]
    return Raised(**raised, column=error.offset or 0)  # type: ignore[arg-type]


def _frames(trace: TracebackType | None, folder: Path) -> list[Frame]:
    summaries = traceback.StackSummary.extract(traceback.walk_tb(trace), lookup_lines=False)
    # The worker's own frames come first, until the student's code or a library takes over.
    own = str(Path(__file__).parent)
    entries = [entry for entry in summaries if not entry.filename.startswith((own, "<frozen importlib"))]
    if len(entries) > _HEAD + _TAIL:
        entries = [*entries[:_HEAD], *entries[-_TAIL:]]
    return [_frame(entry, folder) for entry in entries]


def _frame(entry: traceback.FrameSummary, folder: Path) -> Frame:
    file, student = _place(entry.filename, folder)
    source = (entry.line or "")[:_MAX_SOURCE] if student else ""
    return Frame(file=file, line=entry.lineno or 0, function=entry.name[:200], source=source, student=student)


def _place(filename: str, folder: Path) -> tuple[str, bool]:
    """Return the file as people know it (relative to the submission, or to site-packages), and whether it is theirs."""
    path = Path(filename)
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()[:300], True
    parts = path.parts
    for anchor in ("site-packages", "dist-packages"):
        if anchor in parts:
            return "/".join(parts[parts.index(anchor) + 1 :])[:300], False
    return path.name[:300], False
