"""The course's mailbox, as course.yml's `mail` names it, and the addresses of mail servers: `imaps://hw@host/INBOX`.

As RFC 5092 writes them, so far as a person needs it; a folder's name may stand there as it is read. `/;UID=17` at the
end means one mail.

# SECURITY: there is no place for a password, here or in an address: course.yml lies in git, an address in the shell's
history, in the list of processes and in the ledger.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from typing import Annotated, Literal, NamedTuple
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from autograder.messages import text

_PORTS = {"imap": 143, "imaps": 993, "smtp": 587, "smtps": 465}
_SERVER = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<user>[^/]+)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s/@:\[\]]+)(?::(?P<port>\d{1,5}))?"
    r"(?:/(?P<path>.*))?"
)
_PASSWORD = re.compile(r"^[a-z]+://[^/]*:[^/]*@")
_ONE = re.compile(r"(?:^|/);UID=(?P<uid>\d{1,10})$", re.IGNORECASE)
_MOST_PORT = 65535


class Server(NamedTuple):
    """A mail server, and who logs in there."""

    scheme: str
    host: str
    port: int
    user: str
    """Empty: nobody logs in."""
    folder: str = "INBOX"
    uid: int | None = None
    """The only mail that is meant."""

    @property
    def is_encrypted(self) -> bool:
        """Whether everything is encrypted from the first byte on."""
        return self.scheme.endswith("s")

    @property
    def is_here(self) -> bool:
        """Whether the server is this machine: what it is sent crosses no network."""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return self.host == "localhost"

    @property
    def shown(self) -> str:
        """The server and who logs in, in words."""
        return f"{self.user}@{self.host}" if self.user else self.host


def server_in(said: str, *schemes: str) -> Server:
    """Read an address.

    Args:
        said: `imaps://hw@mail.example.edu/INBOX`; a user's name may have an @ of its own.
        schemes: that are expected.

    Raises:
        ValueError: it is none, in words.
    """
    if _PASSWORD.search(said):  # what is wrong here must not be shown
        raise ValueError(text("mail.password_in_address"))
    match = _SERVER.fullmatch(said)
    if (
        match is None
        or match["scheme"] not in schemes
        or not said.isprintable()
        or int(match["port"] or 1) > _MOST_PORT
    ):
        example = f"{schemes[-1]}://hw@mail.example.edu"
        raise ValueError(text("mail.bad_address", said=said, example=example))
    path = match["path"] or ""
    one = _ONE.search(path)
    return Server(
        scheme=match["scheme"],
        host=match["host"].strip("[]").lower(),
        port=int(match["port"] or _PORTS[match["scheme"]]),
        user=unquote(match["user"] or ""),
        folder=unquote(_ONE.sub("", path).strip("/")) or "INBOX",
        uid=int(one["uid"]) if one else None,
    )


def _imap(said: str) -> str:
    if not server_in(said, "imap", "imaps").user:
        raise ValueError(text("mail.no_user", said=said))
    return said


def _smtp(said: str) -> str:
    server_in(said, "smtp", "smtps")
    return said


def _sender(said: str) -> str:
    if not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", said) or re.search(r"[<>(),;:\"\[\]\\]", said):
        raise ValueError(text("mail.bad_sender", said=said))
    return said


class MailSettings(BaseModel):
    """course.yml's `mail`: where students mail their homework, and how receipts are sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    imap: Annotated[str, AfterValidator(_imap)] | None = Field(
        None, description="what `grade collect HW --from imap:` reads: imaps://hw@mail.example.edu/INBOX"
    )
    smtp: Annotated[str, AfterValidator(_smtp)] | None = Field(
        None, description="what receipts go through: smtps://hw@mail.example.edu, or smtp:// for STARTTLS"
    )
    sender: Annotated[str, AfterValidator(_sender)] | None = Field(
        None, description="the address that receipts are from: hw@mail.example.edu"
    )
    password_file: str | None = Field(
        None, description="a file outside the repository with the password or authorisation code, readable by you only"
    )
    per_hour: int = Field(50, ge=1, description="how many receipts are sent in an hour at most")
    per_day: int = Field(300, ge=1, description="how many in a day")
    language: Literal["en", "zh", "both"] = Field("both", description="of the receipts")
