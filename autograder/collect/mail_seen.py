"""What of a mailbox was looked at, in a file beside the ledger: no term's mails are fetched at each collection.

It only saves time. Were it lost, every mail would be looked at again, and found in the ledger by its Message-ID.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from autograder.errors import UsageError
from autograder.mail_settings import Server
from autograder.messages import text


class Seen(BaseModel):
    """What is known of the mails in a folder, by their UIDs."""

    uidvalidity: int = 0
    """With another one UIDs mean other mails (RFC 3501, 2.3.1.1)."""
    about: dict[int, tuple[str, ...]] = {}
    """The assignments that a mail is for. One that names none is the one's that was collected when it came."""
    reached: dict[str, int] = {}
    """Up to which mail each assignment was collected."""
    waiting: dict[str, tuple[int, ...]] = {}
    """Mails of nobody in the roster: it may have changed by the next time."""


@contextlib.contextmanager
def seen_in(folder: Path, server: Server, uidvalidity: int, wait_s: float = 0) -> Iterator[tuple[Seen, Path]]:
    """Give what is known of a mailbox's folder, to nobody else meanwhile, and where it is to be written.

    Raises:
        UsageError: somebody else collects from it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    whole = f"{server.user}@{server.host}:{server.port}/{server.folder}"
    path = folder / f"{hashlib.sha256(whole.encode()).hexdigest()[:16]}.json"
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise UsageError(text("mail.busy", server=server.shown), hint=text("mail.busy_hint")) from None
    try:
        known = _read(path)
        yield (known if known.uidvalidity == uidvalidity else Seen(uidvalidity=uidvalidity)), path
    finally:
        lock.release()


def _read(path: Path) -> Seen:
    try:
        return Seen.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # there is none yet, or it was being written when the power went
        return Seen()


def write(seen: Seen, path: Path) -> None:
    """Write what is known, all of it or nothing."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(seen.model_dump_json(), encoding="utf-8")
    unfinished.replace(path)
