"""A mail, taken apart: who sent it, what it says, what is attached, and why that may be no homework.

Links to large attachments, which lie at the provider and are gone after weeks, have these forms:

- QQ: `mail.qq.com/cgi-bin/ftnExs_download?…`, `wx.mail.qq.com/ftn/download?…` (`iwx.` too)
- 163, 126: `mail.163.com/large-attachment-download/index.html?…`, `dashi.163.com/html/cloud-attachment-download/?…`

as mails on GitHub quote them, and qaiu/netdisk-fast-download (QQ邮箱中转站) reads the first provider's.

# SECURITY: what comes is counted before it is parsed. Python's parser keeps a stack of the parts that it is in, and
asks all of them about each line: a mail of a thousand parts within each other holds up a machine for minutes.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import (
    InvalidBase64CharactersDefect,
    InvalidBase64LengthDefect,
    InvalidBase64PaddingDefect,
)
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import parseaddr
from pathlib import PurePosixPath
from typing import Any

from autograder.collect.mail_text import body_of, file_name, header, raw_header
from autograder.collect.mail_text import decoded as decoded_words
from autograder.collect.unpack import is_archive
from autograder.submission import is_skipped

MOST_PARTS = 1000
_MOST_NESTED = 20  # parts within parts; a mail forwarded five times has ten
_NESTS = re.compile(rb"boundary\s*=|content-type:\s*message/", re.IGNORECASE)
_MOST_NAME = 120  # characters of a file's
_MOST_LINES = 12  # of a body that are looked at for who signed it
_LAST_LINES = 6
_MOST_LINE = 200  # characters
_LEAST_CODE = 3  # lines that are Python; a sentence can begin with "from", too
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,240}>")
_LINKS = re.compile(
    r"https?://(?:i?wx\.mail\.qq\.com/ftn/download|mail\.qq\.com/cgi-bin/ftnExs_download"
    r"|mail\.163\.com/large-attachment-download|dashi\.163\.com/html/cloud-attachment-download)",
    re.IGNORECASE,
)
_LABELLED = re.compile(r"学号|姓名|学生|班级|\b(?:student|name|id|number)\b", re.IGNORECASE)
_CODE_LINE = re.compile(r"^\s*(?:import \w|from [\w.]+ import |def \w+\(|class \w+[(:]|return\b|for \w+ in |@\w+)")
_CODE = (".py", ".ipynb")
_PICTURES = (".png", ".jpg", ".jpeg", ".heic", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_NOISE = (".p7s", ".asc", ".ics", ".vcf")  # signatures, appointments, visiting cards
_AUTOMATIC = ("x-autoreply", "x-auto-response-suppress", "list-unsubscribe", "list-id")
_OUTLOOK = "winmail.dat"
_DAMAGE = (InvalidBase64CharactersDefect, InvalidBase64LengthDefect, InvalidBase64PaddingDefect)
_NOT_IN_NAMES = re.compile(r'[:*?"<>|]')


class TooManyParts(Exception):
    """The mail has more parts than any homework."""


@dataclass
class Letter:
    """What a mail says and brings along. All of it is the sender's word."""

    subject: str
    address: str
    """Of the sender, in small letters."""
    sender: str
    """The name beside the address."""
    message_id: str
    """Empty: there is none that could be one."""
    is_automatic: bool
    """A bounce, an answer of a machine, a receipt."""
    body: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    pictures: int = 0
    """Within the text."""

    @property
    def has_link(self) -> bool:
        """Whether it leads to a large attachment."""
        return bool(_LINKS.search(self.body))

    @property
    def has_code(self) -> bool:
        """Whether something is attached that can be homework."""
        return any(name.lower().endswith(_CODE) or is_archive(name) for name in self.files)

    @property
    def signature(self) -> tuple[str, ...]:
        """The lines of the text that may say who wrote it: those with a label, and the last ones."""
        lines = [line.strip()[:_MOST_LINE] for line in self.body.splitlines()]
        own = [line for line in lines if line and not line.startswith(">")]  # what is quoted, another wrote
        labelled = [line for line in own if _LABELLED.search(line)]
        return tuple(dict.fromkeys([*labelled[:_LAST_LINES], *own[-_LAST_LINES:]]))[:_MOST_LINES]

    @property
    def problem(self) -> str:
        """What kind of thing came in place of homework; empty where homework came."""
        if self.damaged:
            return "damaged"
        if self.has_code:
            return ""
        return "link" if self.has_link else self._in_place_of_code()

    def _in_place_of_code(self) -> str:
        names = [name.lower() for name in self.files]
        if any(name.endswith(_OUTLOOK) for name in names):
            return "outlook"
        if (names or self.pictures) and all(name.endswith(_PICTURES) for name in names):
            return "pictures"
        if names:
            return "documents"
        lines = sum(bool(_CODE_LINE.match(line)) for line in self.body.splitlines())
        return "pasted" if lines >= _LEAST_CODE else "nothing"


def read_letter(content: bytes) -> Letter:
    """Take a mail apart.

    Args:
        content: as it came over the wire.

    Raises:
        TooManyParts: side by side, or within each other.
    """
    if sum(1 for _ in _NESTS.finditer(content)) > _MOST_NESTED:
        raise TooManyParts
    message = email.message_from_bytes(content, _counted(), policy=email.policy.compat32)
    letter = _with_headers(message)
    pages: dict[str, list[str]] = {"plain": [], "html": []}
    for part in _parts(message):
        _take(part, letter, pages)
    # Both say the same where there are both; links may be in one only, but then it is HTML's.
    letter.body = "\n".join(pages["plain"] if "".join(pages["plain"]).strip() else pages["html"])
    if not _LINKS.search(letter.body):
        letter.body += "".join(f"\n{match.group()}" for match in _LINKS.finditer("\n".join(pages["html"])))
    return letter


def _counted() -> type[Message]:
    """Return a kind of message that counts its parts while they are parsed.

    SECURITY: a boundary has more spellings than can be looked for (`boundary*0=`, RFC 2231), and the library's reading
    of a header's parameters takes a time that grows with the square of its length.
    """
    parts = nested = 0

    class Counted(Message):
        def __init__(self, policy: email.policy.Policy = email.policy.compat32) -> None:
            nonlocal parts
            parts += 1
            if parts > MOST_PARTS:
                raise TooManyParts
            super().__init__(policy)

        def get_boundary(self, failobj: Any = None) -> Any:
            nonlocal nested
            nested += 1
            if nested > _MOST_NESTED:
                raise TooManyParts
            holder = Message()
            holder["content-type"] = raw_header(self, "content-type")
            return holder.get_boundary(failobj)

    return Counted


def read_headers(content: bytes) -> Letter:
    """Return what the beginning of a mail says that is not to be taken apart."""
    return _with_headers(BytesHeaderParser(policy=email.policy.compat32).parsebytes(content))


def _with_headers(message: Message) -> Letter:
    name, address = _sender(raw_header(message, "from"))
    told = header(message, "message-id").strip()
    return Letter(
        subject=one_line(header(message, "subject")),
        address=one_line(address).lower(),
        sender=one_line(decoded_words(name)),
        message_id=told if _MESSAGE_ID.fullmatch(told) else "",
        is_automatic=_is_automatic(message),
    )


def _sender(said: str) -> tuple[str, str]:
    try:
        return parseaddr(said)
    except RecursionError:  # a thousand brackets within each other: it is nobody's address
        return "", ""


def _is_automatic(message: Message) -> bool:
    """Whether a machine wrote it, by RFC 3834, by what senders did before it, or because it reports a delivery."""
    said = header(message, "auto-submitted").strip().lower()
    return (
        bool(said and not said.startswith("no"))
        or header(message, "return-path").strip() == "<>"
        or header(message, "precedence").strip().lower() in {"bulk", "junk", "list", "auto_reply"}
        or any(header(message, name) for name in _AUTOMATIC)
        or message.get_content_type() == "multipart/report"
    )


def _parts(message: Message) -> Iterator[Message]:
    """Yield the parts that have no parts, in their order."""
    waiting = [message]
    count = 0
    while waiting:
        part = waiting.pop()
        count += 1
        if count > MOST_PARTS:
            raise TooManyParts
        inner = part.get_payload()
        if isinstance(inner, list):
            if len(inner) > MOST_PARTS:
                raise TooManyParts
            waiting += [one for one in reversed(inner) if isinstance(one, Message)]
        else:
            yield part


def _take(part: Message, letter: Letter, pages: dict[str, list[str]]) -> None:
    name = safe_name(file_name(part))
    is_attached = raw_header(part, "content-disposition").strip().lower().startswith("attachment")
    kind, subkind = part.get_content_maintype(), part.get_content_subtype()
    if not name and not is_attached and kind in {"text", "multipart"}:
        if subkind in pages:
            pages[subkind].append(body_of(part))
        return
    if kind == "image" and not is_attached:
        letter.pictures += 1
        return
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes) or is_skipped((name,)) or name.lower().endswith(_NOISE):
        return
    free = _free(name or f"attachment-{len(letter.files) + 1}", letter.files)
    letter.files[free] = content
    if any(isinstance(defect, _DAMAGE) for defect in part.defects):
        letter.damaged.append(free)


def one_line(said: str) -> str:
    """Return a text in one line, without what could repaint a terminal, break a header, or not be stored."""
    return " ".join("".join(char if char.isprintable() else " " for char in said).split())


def safe_name(said: str) -> str:
    """Return a file's name without the folders before it, and without what is no name everywhere."""
    last = one_line(said).replace("\\", "/").rpartition("/")[2]
    last = _NOT_IN_NAMES.sub("_", last).strip()
    if last in {"", ".", ".."}:
        return ""
    path = PurePosixPath(last)
    return path.stem[: _MOST_NAME - len(path.suffix)] + path.suffix if len(path.suffix) < _MOST_NAME else ""


def _free(name: str, taken: dict[str, bytes]) -> str:
    """Return a name that no other attachment has: two of one name are two files."""
    path, number, free = PurePosixPath(name), 1, name
    while free in taken:
        number += 1
        free = f"{path.stem}-{number}{path.suffix}"
    return free
