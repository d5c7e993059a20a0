"""An exception of the student's code, as plain bounded text (inside the box). Standard library and protocol only."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

from autograder.box.protocol import Frame, Raised

_MAX_TEXT = 4000
_MAX_SOURCE = 300
_MAX_CAUSES = 10
_HEAD, _TAIL = 5, 30  # frames kept of a deep recursion: how it began and where it ended


def describe(error: BaseException, folder: Path, request_id: int) -> Raised:
    """Return what the judge is told of `error`: type, text, frames."""
    try:
        return _describe(error, folder, request_id)
    # The exception's class is the student's code: every attribute of it may raise, exit, or be of any type.
    except BaseException:  # noqa: BLE001
        return Raised(id=request_id, type_name="Exception", mro=["Exception"], text="", frames=[])


def _describe(error: BaseException, folder: Path, request_id: int) -> Raised:
    mro = [_plain(base.__name__, 200) for base in type.mro(type(error))][:20]
    type_name, text, frames = mro[0], _text(error), _frames(error.__traceback__, folder)
    place = _place_of_syntax_error(error, folder) if isinstance(error, SyntaxError) else None
    # Not that of `eval("1 +")`: there the line that calls eval is what the student has to look at.
    if isinstance(error, SyntaxError) and place and (place.student or not any(frame.student for frame in frames)):
        return Raised(
            id=request_id,
            type_name=type_name,
            mro=mro,
            text=_plain(error.msg, _MAX_TEXT) if error.msg else text,
            frames=[place],
            syntax=True,
            column=_count(error.offset),
        )
    missing = _plain(error.name, 200) if isinstance(error, ModuleNotFoundError) and error.name else ""
    return Raised(
        id=request_id,
        type_name=type_name,
        mro=mro,
        text=text,
        frames=frames,
        missing=missing,
        errnos=_errnos(error),
    )


def _errnos(error: BaseException | None) -> list[int]:
    """Return the numbers of the OSErrors that an exception is, or came of."""
    found: list[int] = []
    for _ in range(_MAX_CAUSES):
        if isinstance(error, OSError):
            found.append(_count(error.errno))
        error = error.__cause__ or error.__context__ if error is not None else None
    return found


def _text(error: BaseException) -> str:
    try:
        return _plain(str(error), _MAX_TEXT)
    except BaseException:  # noqa: BLE001 - __str__ is the student's code, and may even exit
        return ""


def _plain(value: object, length: int) -> str:
    """Return a real str of at most `length` characters that has a UTF-8 form: half a surrogate pair has none."""
    text = value if type(value) is str else str(value)
    return str.encode(text[:length], "utf-8", "backslashreplace").decode()


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < 1 << 31 else 0


def _place_of_syntax_error(error: SyntaxError, folder: Path) -> Frame:
    """A syntax error lies in no frame: the place it points to stands for one."""
    file, student = _place(_plain(error.filename or "", 1000), folder)
    source = _plain(error.text or "", _MAX_SOURCE).rstrip("\n")
    return Frame(file=file, line=_count(error.lineno), function="", source=source, student=student)


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
    source = _plain(entry.line or "", _MAX_SOURCE) if student else ""
    return Frame(file=file, line=_count(entry.lineno), function=_plain(entry.name, 200), source=source, student=student)


def _place(filename: str, folder: Path) -> tuple[str, bool]:
    """Return the file as people know it (relative to the submission, or to site-packages), and whether it is theirs."""
    path = Path(filename)
    if path.is_relative_to(folder):
        return _plain(path.relative_to(folder).as_posix(), 300), True
    parts = path.parts
    for anchor in ("site-packages", "dist-packages"):
        if anchor in parts:
            return _plain("/".join(parts[parts.index(anchor) + 1 :]), 300), False
    return _plain(path.name, 300), False
