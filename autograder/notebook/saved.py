"""The saved notebook that a cell belongs to: which file it is, how old, and whether it has what was run last."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any, NamedTuple, cast

from autograder.errors import UsageError
from autograder.messages import LANGUAGES, Language, detect_language, text

SESSION = "JPY_SESSION_NAME"  # the notebook that a kernel was started for; jupyter_server sets it
_MOST_BYTES = 20 << 20  # of a notebook that is looked into
_MINUTE_S = 60
_HOUR_S = 3600
_behind: dict[Path, int] = {}  # files that lacked what was run, with when they were saved (ns): until they are again
_run_at: dict[str, float] = {}  # when a cell was run, by its source: from the first look at a notebook on


def saved_notebook(assignment_id: str, cwd: Path) -> Path:
    """Return the file of the notebook that this is called from.

    Args:
        assignment_id: "hw2".
        cwd: the kernel's working directory, which is the notebook's.

    Raises:
        UsageError: it can't be told.
    """
    session = os.environ.get(SESSION, "")
    if session.endswith(".ipynb"):
        for path in (Path(session), cwd / Path(session).name):
            if path.is_file():
                return path
    about = [path for path in sorted(cwd.glob("*.ipynb")) if _is_about(path, assignment_id)]
    if len(about) == 1:
        return about[0]
    if about:
        raise UsageError(text("notebook.several", files=", ".join(path.name for path in about)))
    raise UsageError(text("notebook.not_found", id=assignment_id, folder=cwd), hint=text("notebook.not_found_hint"))


def _is_about(path: Path, assignment_id: str) -> bool:
    if path.stem == assignment_id:
        return True
    try:
        found = _read(path)["metadata"]["autograder"]["assignment"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return bool(found == assignment_id)


def _read(path: Path) -> Any:
    """Return a notebook's JSON.

    Raises:
        OSError: it can't be read.
        ValueError: it is no JSON, or far too large.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(path)
    return json.loads(path.read_bytes())


class Saved(NamedTuple):
    """What is known of a saved notebook at the moment that it is checked."""

    age_s: float | None
    """How long ago it was saved; None where that can't be told."""
    lacks_last_run: bool
    """Whether what was run last in the kernel is in none of its cells."""

    def age_text(self) -> str:
        """Return in words how long ago it was saved."""
        if self.age_s is None:
            return ""
        if self.age_s < _MINUTE_S:
            return text("notebook.saved_seconds", number=max(0, int(self.age_s)))
        if self.age_s < _HOUR_S:
            return text("notebook.saved_minutes", number=int(self.age_s / _MINUTE_S))
        return text("notebook.saved_hours", number=int(self.age_s / _HOUR_S))

    def unsaved_text(self) -> str:
        """Return that the file is not what its reader sees, where that is known."""
        return text("notebook.unsaved") if self.lacks_last_run else ""


def look_at(path: Path, shell: Any) -> Saved:
    """Return what is known of a saved notebook.

    A kernel knows what it has run, and nothing of what is on the screen: a cell that was changed and not run is not
    noticed. Earlier versions of a cell that was changed since are in no file, rightly; so only what ran last counts,
    and not where the notebook was saved since: then the cell is gone, and saving once more brings nothing.

    Args:
        path: the notebook.
        shell: that runs its cells: IPython's.
    """
    try:
        saved = path.stat()
        sources = ["".join(cell["source"]).strip() for cell in _read(path)["cells"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Saved(None, lacks_last_run=False)  # `grade check` says what is wrong with it
    history = getattr(getattr(shell, "history_manager", None), "input_hist_raw", [""])
    # The cell that is being run is in the history already.
    before = [ran.strip() for ran in history[1:-1] if not _only_commands(ran)]
    _note_runs(shell)
    if before and before[-1] not in sources and _run_at.get(before[-1], math.inf) > saved.st_mtime:
        _behind[path] = saved.st_mtime_ns
    return Saved(time.time() - saved.st_mtime, lacks_last_run=_behind.get(path) == saved.st_mtime_ns)


def _note_runs(shell: Any) -> None:
    """Have IPython say when it runs a cell from now on: its history does not have the time."""
    events = getattr(shell, "events", None)
    if events is not None:
        events.register("pre_run_cell", _note_run)  # once: a function that is registered already is not taken again


def _note_run(cell: Any) -> None:
    _run_at[str(cell.raw_cell).strip()] = time.time()


def _only_commands(source: str) -> bool:
    """Whether a cell is nothing but magics and shell commands: that it is not saved changes no check."""
    return all(not line.strip() or line.lstrip().startswith(("%", "!")) for line in source.splitlines())


def language_of(path: Path) -> Language:
    """Return the language to speak in a notebook: the user's where GRADE_LANG says it, else the notebook's own."""
    chosen = os.environ.get("GRADE_LANG", "") in LANGUAGES
    return (None if chosen else language_in(path)) or detect_language([])


def language_in(path: Path) -> Language | None:
    """Return the language that a notebook was made in; None where it doesn't say."""
    try:
        found = _read(path)["metadata"]["autograder"]["language"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return cast("Language", found) if found in LANGUAGES else None
