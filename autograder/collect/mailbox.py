"""A mailbox that students mail their homework to: `grade collect hw2 --from imaps://hw@mail.example.edu/INBOX`.

1. What came since the last time is asked for by UID, with sizes and times; what is too large is not fetched.
2. Each mail is fetched by PEEK from a folder opened for reading only: the mailbox stays as it was.
3. A mail is for the assignment that its manifest names, else its subject, its attachments, its text. One that is for
   another assignment is left for that one; one that names none, or several, a human looks at.
4. Whose it is, is told as everywhere (`matching`): by the manifest, the sender's address in the roster, number, name.
5. Up to where it was collected is noted when all of it is in the ledger: whoever interrupts it finds everything the
   next time, and what was recorded is known by its Message-ID.

When it was received is what the server noted when it took the mail (INTERNALDATE). The Date header is the student's.

# SECURITY: whoever knows an address can write it into From. Where it says one student and the text another, nobody gets
the submission; and a receipt goes to the address in the roster, so that the one it was said to be from learns of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import imaplib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

from imap_tools import BaseMailBox
from imap_tools.errors import ImapToolsError

from autograder.collect import mail_seen
from autograder.collect.found import Found, Refused, Repeatable
from autograder.collect.letter import Letter, TooManyParts, one_line, read_headers, read_letter
from autograder.collect.mail_about import Known, hinted_in, named_in
from autograder.collect.mail_login import logged_in, password_for
from autograder.collect.matching import Match, Matcher
from autograder.collect.opening import Wanted
from autograder.collect.unpack import unpack
from autograder.errors import UsageError
from autograder.mail_settings import Server, server_in
from autograder.messages import joined, text
from autograder.pack import Manifest, manifests_in
from autograder.submission import MAX_TOTAL_BYTES

MOST_BYTES = MAX_TOTAL_BYTES  # of a mail as it is sent, a third more than what is in it
FOLDER = "mailboxes"
"""Beside the ledger: what was looked at."""
_LOCKED_S = 10  # another collection's notes are written in milliseconds; a collection itself may take minutes
_HEADER_BYTES = 32 << 10  # of a mail that is too large: who sent it, and about what
_AT_ONCE = 200  # mails whose sizes are asked for at a time
_MOST_NAME = 150  # characters
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_UID = re.compile(rb"\bUID (\d+)")
_DATE = re.compile(rb'\bINTERNALDATE "([^"]+)"')


class _Mail(NamedTuple):
    """A mail in the folder, before it is fetched."""

    uid: int
    size_bytes: int
    received: datetime


class _Meant(NamedTuple):
    """Which assignments a mail is for."""

    ids: tuple[str, ...]
    doubt: str = ""


def open_mailbox(said: str, wanted: Wanted) -> MailboxSource:
    """Return the source for an address; `imap:` alone is the mailbox that course.yml names.

    Raises:
        UsageError: it is no address, or there is no password.
    """
    settings = wanted.course.spec.mail
    scheme, _, rest = said.partition(":")
    if not rest or rest.startswith("/;"):
        if settings.imap is None:
            raise UsageError(text("mail.no_mailbox"), hint=text("mail.no_mailbox_hint"))
        said = settings.imap.rstrip("/") + rest
    try:
        server = server_in(said, "imap", "imaps")
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not server.user:
        raise UsageError(text("mail.no_user", said=f"{scheme}://{server.host}"))
    return MailboxSource(server, password_for(server, settings, wanted.course.folder), wanted)


class MailboxSource(Repeatable):
    """A folder of a mailbox.

    Args:
        server: where it is.
        password: to log in with.
        wanted: what is collected.
    """

    def __init__(self, server: Server, password: str, wanted: Wanted) -> None:
        self._server, self._password, self._wanted = server, password, wanted
        self.label = f"imap:{server.shown}/{server.folder}"
        self._matcher = Matcher(wanted.students)
        self._known = assignments_of(wanted)
        self._noted: mail_seen.Seen | None = None

    def __iter__(self) -> Iterator[Found | Refused]:
        """Yield the mails that are for the assignment.

        Raises:
            UsageError: the mailbox can't be opened.
        """
        folder = self._wanted.folder / FOLDER
        with (
            logged_in(self._server, self._password) as box,
            mail_seen.seen_in(folder, self._server, _uidvalidity(box)) as (seen, path),
        ):
            yield from self._collected(box, seen, path)

    def _collected(self, box: BaseMailBox, seen: mail_seen.Seen, path: Path) -> Iterator[Found | Refused]:
        assignment = self._wanted.assignment
        waiting: list[int] = []
        last = seen.reached.get(assignment, 0)
        broken = False
        try:
            for mail in self._new(box, seen):
                for one in self._read(box, mail, seen, path):
                    yield one
                    if self._may_be_known_later(one):
                        waiting.append(mail.uid)
                last = max(last, mail.uid)
        except (OSError, imaplib.IMAP4.error, ImapToolsError):
            broken = True
        if broken:
            waiting += [uid for uid in seen.waiting.get(assignment, ()) if uid not in waiting]
            yield Refused(f"connection:{last}", self._server.shown, text("mail.broken"))
        if self._server.uid is None:
            seen.reached[assignment], seen.waiting[assignment] = last, tuple(waiting)
            self._noted = seen

    def recorded(self) -> None:
        """Note up to where it was collected."""
        noted, assignment = self._noted, self._wanted.assignment
        # Where somebody else collects from it just now, the next collection looks at the same mails again.
        with contextlib.suppress(UsageError):
            if noted is not None:
                folder = self._wanted.folder / FOLDER
                with mail_seen.seen_in(folder, self._server, noted.uidvalidity, _LOCKED_S) as (seen, path):
                    seen.about |= noted.about
                    seen.reached[assignment] = noted.reached[assignment]
                    seen.waiting[assignment] = noted.waiting[assignment]
                    mail_seen.write(seen, path)

    def _may_be_known_later(self, one: Found | Refused) -> bool:
        """Whether it is of nobody in the roster, which may have changed by the next time."""
        if isinstance(one, Found):
            return not one.doubt and self._whose(one).student is None
        return bool(one.texts) and self._matcher.match("", one.aliases, one.texts).student is None

    def _new(self, box: BaseMailBox, seen: mail_seen.Seen) -> Iterator[_Mail]:
        """Yield the mails that are to be looked at, the oldest first."""
        if self._server.uid is not None:
            uids = [self._server.uid]
        else:
            assignment = self._wanted.assignment
            after = seen.reached.get(assignment, 0)
            # UID 8:* of seven mails is the seventh: RFC 3501, 6.4.8.
            newer = [uid for uid in map(int, box.uids(f"UID {after + 1}:*", charset=None)) if uid > after]
            others = {uid for uid in newer if assignment not in seen.about.get(uid, (assignment,))}
            uids = sorted({*seen.waiting.get(assignment, ()), *newer} - others)
        for start in range(0, len(uids), _AT_ONCE):
            yield from _mails(box, uids[start : start + _AT_ONCE])

    def _read(self, box: BaseMailBox, mail: _Mail, seen: mail_seen.Seen, path: Path) -> Iterator[Found | Refused]:
        """Yield a mail, where it is for the assignment."""
        is_large = mail.size_bytes > MOST_BYTES
        content = _fetched(box, mail.uid, f"BODY.PEEK[HEADER]<0.{_HEADER_BYTES}>" if is_large else "BODY.PEEK[]")
        if content is None:  # somebody has just deleted it
            return
        letter, problem = read_headers(content[:_HEADER_BYTES]), _too_large(mail) if is_large else ""
        if not is_large:
            try:
                letter = read_letter(content)
            except (TooManyParts, RecursionError):
                problem = text("mail.too_many_parts")
        found = self._refused(letter, mail, problem) if problem else self._taken(letter, content, mail)
        meant = self._meant(letter, found)
        if self._server.uid is None:
            seen.about[mail.uid] = meant.ids
            if meant.doubt:  # whose it is now depends on who came first, and must not change
                mail_seen.write(seen, path)
            if self._wanted.assignment not in meant.ids:
                return
            if meant.doubt and isinstance(found, Found):
                found = self._doubted(found, meant.doubt)
        yield found

    def _taken(self, letter: Letter, content: bytes, mail: _Mail) -> Found | Refused:
        if letter.is_automatic:
            return self._refused(letter, mail, text("mail.automatic"))
        if letter.problem:
            return self._refused(letter, mail, _in_place_of_code(letter))
        name = _name(letter)
        notes: list[str] = []
        try:
            files = unpack(letter.files, name, notes.append)
        except UsageError as error:
            return self._refused(letter, mail, joined(error.message, error.hint))
        key = letter.message_id or f"sha256:{hashlib.sha256(content).hexdigest()[:32]}"
        found = Found(key, name, mail.received, files, *_signs(letter), notes=tuple(notes))
        if other := self._said_otherwise(found):
            return self._doubted(found, other)
        return self._doubted(found, text("mail.link_too")) if letter.has_link else found

    def _doubted(self, found: Found, doubt: str) -> Found:
        """Return what a human has to look at, with who it may be from."""
        match = self._whose(found)
        may_be = (match.student,) if match.student else match.candidates
        ids = dict.fromkeys((*found.candidates, *may_be))
        said = doubt if found.doubt or not ids else f"{doubt} ({text('collect.candidates', ids=', '.join(ids))})"
        return replace(found, doubt="; ".join(filter(None, (found.doubt, said))), candidates=tuple(ids))

    def _whose(self, found: Found) -> Match:
        told = next((manifest.id for manifest in manifests_in(found.files)), "")
        return self._matcher.match(told, found.aliases, found.texts)

    def _said_otherwise(self, found: Found) -> str:
        """Return why it may be another's than it says: its address and its text disagree, or its number and its name.

        Where matching finds one of them only it believes that one; a mail says all of them, and its address is cheap.
        """
        match = self._whose(found)
        sender = self._matcher.match("", found.aliases, ()).student
        if match.student is None:
            others = ", ".join(one for one in match.candidates if one != sender)
            return text("mail.other_sender", student=sender, named=others) if sender and others else ""
        named = self._matcher.match("", (), [re.sub(r"\d{4,}", " ", said) for said in found.texts]).student
        if match.how == "name" or named in {None, match.student}:
            return ""
        return text("mail.named_otherwise", named=named, student=match.student)

    def _meant(self, letter: Letter, found: Found | Refused) -> _Meant:
        """Return which assignments a mail is for: the one that is collected, where that can't be told."""
        here = self._wanted.assignment
        packed = manifests_in(found.files) if isinstance(found, Found) else []
        if told := _packed_for(packed, self._known):
            return _Meant(told)
        for said in (letter.subject, "\n".join(letter.files), "\n".join(letter.signature)):
            named = named_in(said, self._known)
            if len(named.ids) == 1 and not named.others:
                return _Meant(tuple(named.ids))
            if named.ids:
                ids = tuple(sorted(named.ids))
                return _Meant(ids, text("mail.several_assignments", ids=", ".join((*ids, *named.others))))
            if named.others:
                return _Meant((here,), text("mail.unknown_assignment", said=named.others[0]))
        hinted = hinted_in((letter.subject, *letter.files), letter.files, self._known)
        return _Meant(tuple(hinted)) if len(hinted) == 1 else _Meant((here,), text("mail.no_assignment"))

    def _refused(self, letter: Letter, mail: _Mail, problem: str) -> Refused:
        # A machine's mail tells of others: a receipt that came back is about a student, and not from one.
        texts, aliases = ((), ()) if letter.is_automatic else _signs(letter)
        who = " ".join(filter(None, (self._matcher.match("", aliases, texts).student, letter.address)))
        said = f"{who}: {problem}" if who else problem
        return Refused(letter.message_id or f"uid:{mail.uid}", _name(letter), said, texts, aliases)


def _signs(letter: Letter) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return where a student's number or name may stand, the most telling first, and the sender's address."""
    texts = tuple(said for said in (letter.subject, *letter.files, letter.sender, *letter.signature) if said)
    return texts, (("email", letter.address),) if letter.address else ()


def assignments_of(wanted: Wanted) -> list[Known]:
    """Return the course's assignments by what they are called."""
    loaded = [wanted.course.assignment(one) for one in wanted.course.assignment_folders()]
    stems = {one.id: {Path(name).stem for name in (one.spec.entry.file, *one.stub_names)} for one in loaded}
    known = [
        Known(
            one.id,
            tuple(filter(None, (one.spec.title.en, one.spec.title.zh))),
            tuple(stems[one.id] - set().union(*(names for other, names in stems.items() if other != one.id))),
        )
        for one in loaded
    ]
    there = {one.id for one in known}
    return [*known, *(Known(entry.id) for entry in wanted.course.spec.assignments if entry.id not in there)]


def _packed_for(packed: Sequence[Manifest], known: Sequence[Known]) -> tuple[str, ...]:
    here = {one.id for one in known}
    return tuple(sorted({manifest.assignment for manifest in packed} & here))


def _name(letter: Letter) -> str:
    """Return what a mail is called: its subject, else what is attached, else who sent it."""
    return (letter.subject or ", ".join(letter.files) or letter.address or "?")[:_MOST_NAME]


def _too_large(mail: _Mail) -> str:
    return text("mail.too_large", mb=mail.size_bytes >> 20, most=MOST_BYTES >> 20)


def _in_place_of_code(letter: Letter) -> str:
    """Return what came instead of homework, and what to ask the student."""
    files = ", ".join(list(letter.damaged or letter.files)[:5])
    return text(f"mail.came.{letter.problem}", files=files)


def _uidvalidity(box: BaseMailBox) -> int:
    _, found = box.client.response("UIDVALIDITY")
    said = found[0] if found else None
    return int(said) if isinstance(said, bytes) and said.isdigit() else 0


def _mails(box: BaseMailBox, uids: Sequence[int]) -> Iterator[_Mail]:
    status, lines = box.client.uid("FETCH", ",".join(map(str, uids)), "(UID RFC822.SIZE INTERNALDATE)")
    if status != "OK":
        raise imaplib.IMAP4.error(one_line(str(lines)))
    for line in sorted((line for line in lines if isinstance(line, bytes)), key=_uid_in):
        size, moment = _SIZE.search(line), _DATE.search(line)
        if size and moment and _uid_in(line) in uids:  # a server may tell of other mails, too
            yield _Mail(_uid_in(line), int(size[1]), _moment(moment[1].decode("ascii", errors="replace")))


def _uid_in(line: bytes) -> int:
    match = _UID.search(line)
    return int(match[1]) if match else 0


def _moment(said: str) -> datetime:
    moment = parsedate_to_datetime(said.strip().replace("-", " ", 2))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _fetched(box: BaseMailBox, uid: int, part: str) -> bytes | None:
    status, answer = box.client.uid("FETCH", str(uid), f"(UID {part})")
    if status != "OK":
        raise imaplib.IMAP4.error(one_line(str(answer)))
    return next((one[1] for one in answer if isinstance(one, tuple) and isinstance(one[1], bytes)), None)
